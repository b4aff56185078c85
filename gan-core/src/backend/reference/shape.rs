//! Reductions and changes of shape.

use super::{View, collect, filled};
use crate::error::Result;

/// Distances in memory between neighbours along each axis of a row-major array.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// Strides with which an array of `shape` is read as if it had been broadcast to `to`: aligned at the last
/// axis, and 0 along repeated axes.
pub(super) fn broadcast_strides(shape: &[usize], to: &[usize]) -> Vec<usize> {
    let missing = to.len() - shape.len();
    let own = strides(shape);
    let stride = |axis: usize| {
        if axis < missing || shape[axis - missing] == 1 { 0 } else { own[axis - missing] }
    };
    (0..to.len()).map(stride).collect()
}

/// For every index of `shape`, in row-major order, its place in an array of these strides.
pub(super) fn offsets(shape: &[usize], strides: Vec<usize>) -> impl Iterator<Item = usize> {
    (0..shape.iter().product()).map(move |flat: usize| {
        let mut rest = flat;
        let mut offset = 0;
        for axis in (0..shape.len()).rev() {
            offset += rest % shape[axis] * strides[axis];
            rest /= shape[axis];
        }
        offset
    })
}

pub(super) fn sum([x]: [View<'_>; 1], out: &[usize]) -> Result<Vec<f64>> {
    let mut sums = filled(0.0, out)?;
    for (&value, o) in x.data.iter().zip(offsets(x.shape, broadcast_strides(out, x.shape))) {
        sums[o] += value;
    }
    Ok(sums)
}

pub(super) fn max([x]: [View<'_>; 1], out: &[usize]) -> Result<Vec<f64>> {
    let mut maxima = filled(f64::NEG_INFINITY, out)?;
    for (&value, o) in x.data.iter().zip(offsets(x.shape, broadcast_strides(out, x.shape))) {
        if value > maxima[o] || value.is_nan() {
            maxima[o] = value;
        }
    }
    Ok(maxima)
}

pub(super) fn expand([x]: [View<'_>; 1], out: &[usize]) -> Result<Vec<f64>> {
    collect(out, offsets(out, broadcast_strides(x.shape, out)).map(|i| x.data[i]))
}

pub(super) fn permute([x]: [View<'_>; 1], axes: &[usize], out: &[usize]) -> Result<Vec<f64>> {
    let own = strides(x.shape);
    let permuted = axes.iter().map(|&axis| own[axis]).collect();
    collect(out, offsets(out, permuted).map(|i| x.data[i]))
}

pub(super) fn slice(
    [x]: [View<'_>; 1],
    axis: usize,
    start: usize,
    out: &[usize],
) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    for ([o, a, i], value) in indices(out, axis).zip(&mut y) {
        *value = x.data[place(x.shape, axis, [o, start + a, i])];
    }
    Ok(y)
}

pub(super) fn pad(
    [x]: [View<'_>; 1],
    axis: usize,
    before: usize,
    out: &[usize],
) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    for ([o, a, i], &value) in indices(x.shape, axis).zip(x.data) {
        y[place(out, axis, [o, before + a, i])] = value;
    }
    Ok(y)
}

pub(super) fn concat(args: &[View<'_>], axis: usize, out: &[usize]) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    let mut start = 0;
    for x in args {
        for ([o, a, i], &value) in indices(x.shape, axis).zip(x.data) {
            y[place(out, axis, [o, start + a, i])] = value;
        }
        start += x.shape[axis];
    }
    Ok(y)
}

pub(super) fn gather(
    [x]: [View<'_>; 1],
    axis: usize,
    index: &[usize],
    out: &[usize],
) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    for ([o, a, i], value) in indices(out, axis).zip(&mut y) {
        *value = x.data[place(x.shape, axis, [o, index[a], i])];
    }
    Ok(y)
}

pub(super) fn scatter_add(
    [x]: [View<'_>; 1],
    axis: usize,
    index: &[usize],
    out: &[usize],
) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    for ([o, a, i], &value) in indices(x.shape, axis).zip(x.data) {
        y[place(out, axis, [o, index[a], i])] += value;
    }
    Ok(y)
}

/// `shape` as `[outer, axis, inner]`: all axes before one, that axis, all axes after it.
fn split(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// All `[outer, axis, inner]` indices in row-major order.
fn indices(shape: &[usize], axis: usize) -> impl Iterator<Item = [usize; 3]> {
    let [outer, len, inner] = split(shape, axis);
    (0..outer).flat_map(move |o| (0..len).flat_map(move |a| (0..inner).map(move |i| [o, a, i])))
}

/// Place in memory of an `[outer, axis, inner]` index.
fn place(shape: &[usize], axis: usize, [o, a, i]: [usize; 3]) -> usize {
    let [_, len, inner] = split(shape, axis);
    (o * len + a) * inner + i
}
