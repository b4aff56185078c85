//! Reductions. Sums are kept in `f64`, so that a million pixels lose no digits, in an order that depends on the shape
//! alone.

use rayon::prelude::*;

use super::View;
use super::elementwise::CHUNK;
use super::tasks::InTasks;

/// Runs of fewer results are computed one by one: a buffer for each run would cost more.
const SHORT: usize = 8;

pub(super) fn sum(x: View<'_>, axes: &[usize], out: &mut [f32]) {
    reduce(x, axes, out, 0.0, |a, b| a + b);
}

pub(super) fn max(x: View<'_>, axes: &[usize], out: &mut [f32]) {
    // NaN wins, as in PyTorch: it must not vanish.
    reduce(x, axes, out, f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b });
}

/// `a [n, c, h, w]`, `b [n or 1, c or 1, h, w]` to `out [n, c]`.
pub(super) fn sum_product(a: View<'_>, b: View<'_>, out: &mut [f32]) {
    let [_, channels, h, w] = a.dims4();
    let [images, repeated, _, _] = b.dims4();
    let plane = h * w;
    let (a, b) = (a.values(), b.values());
    out.par_iter_mut().enumerate().in_tasks(CHUNK.div_ceil(plane), |(i, out)| {
        let (image, channel) = (i / channels, i % channels);
        let start = (image % images * repeated + channel % repeated) * plane;
        let (a, b) = (&a[i * plane..][..plane], &b[start..][..plane]);
        *out = products(a, b) as f32;
    });
}

/// The sum of products, each rounded, in eight chains.
fn products(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a * b)).sum();
    for (a, b) in a.zip(b) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += f64::from(a * b);
        }
    }
    sums.into_iter().sum::<f64>() + rest
}

/// A run of neighbouring axes that are all reduced or all kept.
struct Axis {
    len: usize,
    stride: usize,
}

fn reduce(
    x: View<'_>,
    axes: &[usize],
    out: &mut [f32],
    start: f64,
    combine: impl Fn(f64, f64) -> f64 + Sync + Copy,
) {
    let (mut kept, mut reduced): (Vec<Axis>, Vec<Axis>) = (Vec::new(), Vec::new());
    let mut stride = 1;
    let mut previous = None;
    for d in (0..x.shape.len()).rev() {
        let len = x.shape[d];
        let is_reduced = axes.contains(&d);
        let list = if is_reduced { &mut reduced } else { &mut kept };
        match list.last_mut() {
            Some(last) if previous == Some(is_reduced) => last.len *= len,
            _ => list.push(Axis { len, stride }),
        }
        previous = Some(is_reduced);
        stride *= len;
    }
    let values = x.values();
    let terms: usize = reduced.iter().map(|a| a.len).product();
    // Both lists run from the innermost axis outwards.
    if reduced.first().is_some_and(|a| a.stride == 1) {
        let inner = reduced[0].len;
        let one = |row: usize| {
            let base = offset(&kept, row);
            (0..terms / inner).fold(start, |sum, i| {
                let run = &values[base + offset(&reduced[1..], i)..][..inner];
                combine(sum, lanes(run, start, combine))
            }) as f32
        };
        one_by_one(out, terms, one);
    } else if kept.first().is_none_or(|a| a.len < SHORT) {
        let one = |i: usize| {
            let base = offset(&kept, i);
            let term = |k: usize| f64::from(values[base + offset(&reduced, k)]);
            (0..terms).fold(start, |sum, k| combine(sum, term(k))) as f32
        };
        one_by_one(out, terms, one);
    } else {
        let inner = kept.first().map_or(1, |a| a.len);
        let rows: Vec<&mut [f32]> = out.chunks_mut(inner).collect();
        rows.into_par_iter().enumerate().in_tasks(CHUNK.div_ceil(inner * terms), |(row, out)| {
            let base = offset(kept.get(1..).unwrap_or(&[]), row);
            out.par_chunks_mut(CHUNK / 8).enumerate().in_tasks(
                CHUNK.div_ceil(CHUNK / 8 * terms),
                |(piece, out)| {
                    let mut sums = vec![start; out.len()];
                    for i in 0..terms {
                        let run = &values[base + offset(&reduced, i) + piece * (CHUNK / 8)..];
                        sums.iter_mut().zip(run).for_each(|(s, &v)| *s = combine(*s, f64::from(v)));
                    }
                    out.iter_mut().zip(sums).for_each(|(o, s)| *o = s as f32);
                },
            );
        });
    }
}

/// Fills `out` with what `one` makes of each index, in `terms` steps.
fn one_by_one(out: &mut [f32], terms: usize, one: impl Fn(usize) -> f32 + Sync) {
    let per_task = (CHUNK / terms).max(1);
    out.par_chunks_mut(per_task).enumerate().in_tasks(1, |(task, out)| {
        out.iter_mut().enumerate().for_each(|(i, o)| *o = one(task * per_task + i));
    });
}

/// Place of the element with the given index among `axes`, innermost first.
fn offset(axes: &[Axis], mut index: usize) -> usize {
    let mut offset = 0;
    for axis in axes {
        offset += index % axis.len * axis.stride;
        index /= axis.len;
    }
    offset
}

/// Combines a run in eight chains, which the processor works on side by side.
fn lanes(run: &[f32], start: f64, combine: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [start; 8];
    let chunks = run.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(s, &v)| *s = combine(*s, f64::from(v)));
    }
    sums.iter_mut().zip(rest).for_each(|(s, &v)| *s = combine(*s, f64::from(v)));
    sums.into_iter().fold(start, combine)
}
