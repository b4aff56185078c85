//! Elementwise kernels. Bound by memory, so plain loops that the compiler vectorises, over chunks in parallel.

use rayon::prelude::*;

use super::View;
use super::tasks::InTasks;
use crate::backend::{Activation, BiasAct, Binary, SELU_ALPHA, SELU_SCALE, Unary};

/// Elements of one task: enough to outweigh its start, few enough to stay in cache.
pub(super) const CHUNK: usize = 1 << 14;

pub(super) fn unary(op: Unary, x: &[f32], out: &mut [f32]) {
    match op {
        Unary::Neg => map(x, out, |x| -x),
        Unary::Recip => map(x, out, |x| 1.0 / x),
        Unary::Exp => map(x, out, f32::exp),
        Unary::Ln => map(x, out, f32::ln),
        Unary::Sqrt => map(x, out, f32::sqrt),
        Unary::Tanh => map(x, out, f32::tanh),
        Unary::Sigmoid => map(x, out, sigmoid),
        Unary::Softplus => map(x, out, softplus),
        Unary::Step => map(x, out, |x| if x > 0.0 { 1.0 } else { 0.0 }),
        Unary::Affine { mul, add } => {
            let (mul, add) = (mul as f32, add as f32);
            map(x, out, |x| mul * x + add);
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    out.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .in_tasks(1, |(out, x)| out.iter_mut().zip(x).for_each(|(o, &x)| *o = f(x)));
}

pub(super) fn binary(op: Binary, a: View<'_>, b: View<'_>, shape: &[usize], out: &mut [f32]) {
    match op {
        Binary::Add => broadcast(a, b, shape, out, |a, b| a + b),
        Binary::Sub => broadcast(a, b, shape, out, |a, b| a - b),
        Binary::Mul => broadcast(a, b, shape, out, |a, b| a * b),
        Binary::Div => broadcast(a, b, shape, out, |a, b| a / b),
        Binary::Equal => broadcast(a, b, shape, out, |a, b| if a == b { 1.0 } else { 0.0 }),
    }
}

/// A run of axes along which each operand either extends or repeats.
struct Axis {
    len: usize,
    extends: [bool; 2],
}

/// Merges neighbouring axes that both operands treat alike.
fn merged_axes(a: &[usize], b: &[usize], shape: &[usize]) -> Vec<Axis> {
    let extends =
        |s: &[usize], d: usize| d + s.len() >= shape.len() && s[d + s.len() - shape.len()] != 1;
    let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
    for (d, &len) in shape.iter().enumerate().filter(|&(_, &len)| len != 1) {
        let extends = [extends(a, d), extends(b, d)];
        match axes.last_mut() {
            Some(last) if last.extends == extends => last.len *= len,
            _ => axes.push(Axis { len, extends }),
        }
    }
    axes
}

fn broadcast(
    a: View<'_>,
    b: View<'_>,
    shape: &[usize],
    out: &mut [f32],
    f: impl Fn(f32, f32) -> f32 + Sync,
) {
    let mut axes = merged_axes(a.shape, b.shape, shape);
    let inner = axes.pop().unwrap_or(Axis { len: 1, extends: [false, false] });
    // Where row `row` of the result starts in operand `i`.
    let start = |i: usize, mut row: usize| {
        let mut stride = if inner.extends[i] { inner.len } else { 1 };
        let mut start = 0;
        for axis in axes.iter().rev() {
            if axis.extends[i] {
                start += row % axis.len * stride;
                stride *= axis.len;
            }
            row /= axis.len;
        }
        start
    };
    let (a, b) = (a.values(), b.values());
    let pieces = inner.len.div_ceil(CHUNK);
    let rows_per_task = (CHUNK / inner.len).max(1);
    let row = |row: usize, from: usize, out: &mut [f32]| {
        let (sa, sb) = (start(0, row), start(1, row));
        let (a, b) = (&a[sa..], &b[sb..]);
        match inner.extends {
            [true, true] => {
                let pairs = a[from..].iter().zip(&b[from..]);
                out.iter_mut().zip(pairs).for_each(|(o, (&a, &b))| *o = f(a, b));
            }
            [true, false] => out.iter_mut().zip(&a[from..]).for_each(|(o, &a)| *o = f(a, b[0])),
            [false, true] => out.iter_mut().zip(&b[from..]).for_each(|(o, &b)| *o = f(a[0], b)),
            [false, false] => out.fill(f(a[0], b[0])),
        }
    };
    if pieces > 1 {
        for (r, out) in out.chunks_mut(inner.len).enumerate() {
            out.par_chunks_mut(CHUNK).enumerate().in_tasks(1, |(i, out)| row(r, i * CHUNK, out));
        }
    } else {
        out.par_chunks_mut(rows_per_task * inner.len).enumerate().in_tasks(1, |(task, out)| {
            for (i, out) in out.chunks_mut(inner.len).enumerate() {
                row(task * rows_per_task + i, 0, out);
            }
        });
    }
}

pub(super) fn select(mask: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) {
    let operands = mask.par_chunks(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK));
    out.par_chunks_mut(CHUNK).zip(operands).in_tasks(1, |(out, ((mask, a), b))| {
        let operands = mask.iter().zip(a.iter().zip(b));
        out.iter_mut()
            .zip(operands)
            .for_each(|(o, (&m, (&a, &b)))| *o = if m != 0.0 { a } else { b });
    });
}

pub(super) fn bias_act(op: &BiasAct, x: View<'_>, bias: Option<View<'_>>, out: &mut [f32]) {
    // Without a bias the axis means nothing.
    let axis = if bias.is_some() { op.axis } else { 0 };
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let channels = x.shape.get(axis).copied().unwrap_or(1);
    let rows = |out: &mut [f32], x: &[f32], first: usize| {
        for (i, (out, x)) in out.chunks_mut(inner).zip(x.chunks(inner)).enumerate() {
            let b = bias.map_or(0.0, |b| b.values()[(first + i) % channels]);
            out.iter_mut().zip(x).for_each(|(o, &x)| *o = x + b);
            activate(op, out);
        }
    };
    let per_task = (CHUNK / inner).max(1);
    out.par_chunks_mut(per_task * inner)
        .zip(x.values().par_chunks(per_task * inner))
        .enumerate()
        .in_tasks(1, |(task, (out, x))| rows(out, x, task * per_task));
}

/// Written so that NaN stays NaN.
fn clamped(x: f32, bound: f32) -> f32 {
    if x > bound {
        bound
    } else if x < -bound {
        -bound
    } else {
        x
    }
}

/// Activation, gain and clamp, in place.
pub(super) fn activate(op: &BiasAct, values: &mut [f32]) {
    let (alpha, gain) = (op.alpha as f32, op.gain as f32);
    let apply = |values: &mut [f32], f: &dyn Fn(f32) -> f32| {
        values.iter_mut().for_each(|x| *x = gain * f(*x));
    };
    match op.act {
        Activation::Linear if gain == 1.0 => {}
        Activation::Linear => values.iter_mut().for_each(|x| *x *= gain),
        Activation::Relu => values.iter_mut().for_each(|x| *x = gain * x.max(0.0)),
        Activation::Lrelu => {
            values.iter_mut().for_each(|x| *x = gain * if *x > 0.0 { *x } else { alpha * *x });
        }
        Activation::Tanh => apply(values, &f32::tanh),
        Activation::Sigmoid => apply(values, &sigmoid),
        Activation::Elu => apply(values, &|x| if x > 0.0 { x } else { x.exp_m1() }),
        Activation::Selu => apply(values, &|x| {
            let scaled = if x > 0.0 { x } else { SELU_ALPHA as f32 * x.exp_m1() };
            SELU_SCALE as f32 * scaled
        }),
        Activation::Softplus => apply(values, &softplus),
        Activation::Swish => apply(values, &|x| x * sigmoid(x)),
    }
    if let Some(bound) = op.clamp {
        let bound = bound as f32;
        values.iter_mut().for_each(|x| *x = clamped(*x, bound));
    }
}

pub(super) fn bias_act_grad(op: &BiasAct, g: &[f32], y: &[f32], out: &mut [f32]) {
    let slope = slope(op);
    let operands = g.par_chunks(CHUNK).zip(y.par_chunks(CHUNK));
    out.par_chunks_mut(CHUNK).zip(operands).in_tasks(1, |(out, (g, y))| {
        out.iter_mut().zip(g.iter().zip(y)).for_each(|(o, (&g, &y))| *o = scaled(g, slope(y)));
    });
}

/// `g` and `y [n, c, h, w]`, `d [n, c]`.
pub(super) fn demodulated_act_grad(op: &BiasAct, [g, y, d]: [&[f32]; 3], out: &mut [f32]) {
    let slope = slope(op);
    let plane = out.len() / d.len();
    let planes = out.par_chunks_mut(plane).zip(g.par_chunks(plane).zip(y.par_chunks(plane)));
    planes.zip(d).in_tasks(CHUNK.div_ceil(plane), |((out, (g, y)), &d)| {
        out.iter_mut().zip(g.iter().zip(y)).for_each(|(o, (&g, &y))| *o = scaled(g, slope(y)) * d);
    });
}

/// The derivative of the activation, gain and clamp, from what came out of them.
fn slope(op: &BiasAct) -> impl Fn(f32) -> f32 + Copy + Sync + use<> {
    let gain = op.gain as f32;
    let negative = gain
        * match op.act {
            Activation::Relu => 0.0,
            Activation::Lrelu => op.alpha as f32,
            _ => 1.0,
        };
    let bound = op.clamp.map(|bound| bound as f32);
    move |y| {
        let slope = if y > 0.0 { gain } else { negative };
        if bound.is_none_or(|bound| y.abs() < bound) { slope } else { 0.0 }
    }
}

/// What is stopped is zero, even where the gradient is not finite.
fn scaled(g: f32, slope: f32) -> f32 {
    if slope == 0.0 { 0.0 } else { g * slope }
}
