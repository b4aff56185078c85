//! Functions of one or more values at the same place.

use super::shape::{broadcast_strides, offsets};
use super::{View, collect};
use crate::backend::{Binary, Unary};
use crate::error::Result;

pub(super) fn unary(op: Unary, [x]: [View<'_>; 1]) -> Result<Vec<f64>> {
    let f = |x: f64| match op {
        Unary::Neg => -x,
        Unary::Recip => 1.0 / x,
        Unary::Exp => x.exp(),
        Unary::Ln => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        // ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), whose exponential cannot overflow.
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Step => indicator(x > 0.0),
        Unary::Affine { mul, add } => mul * x + add,
    };
    collect(x.shape, x.data.iter().map(|&x| f(x)))
}

pub(super) fn binary(op: Binary, [a, b]: [View<'_>; 2], out: &[usize]) -> Result<Vec<f64>> {
    let f = |a: f64, b: f64| match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Equal => indicator(a == b),
    };
    let a_at = offsets(out, broadcast_strides(a.shape, out));
    let b_at = offsets(out, broadcast_strides(b.shape, out));
    collect(out, a_at.zip(b_at).map(|(i, j)| f(a.data[i], b.data[j])))
}

pub(super) fn select([mask, a, b]: [View<'_>; 3]) -> Result<Vec<f64>> {
    let pick = |i: usize| {
        if mask.data[i] != 0.0 { a.data[i] } else { b.data[i] }
    };
    collect(mask.shape, (0..mask.data.len()).map(pick))
}

fn indicator(condition: bool) -> f64 {
    if condition { 1.0 } else { 0.0 }
}
