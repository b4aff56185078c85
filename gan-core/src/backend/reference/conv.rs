//! Convolution and its two adjoints: one loop nest, and each of the three names the tensor it sums into.

use super::{View, filled};
use crate::backend::Conv;
use crate::error::Result;

/// `y[n, co, oy, ox] = sum x[n, ci, iy, ix] * w[co, ci', ky, kx]`.
pub(super) fn forward(conv: Conv, [x, w]: [View<'_>; 2], out: &[usize]) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    each_product(conv, x.shape, w.shape, out, |xi, wi, yi| y[yi] += x.data[xi] * w.data[wi]);
    Ok(y)
}

/// The adjoint in `x`.
pub(super) fn input(conv: Conv, [g, w]: [View<'_>; 2], out: &[usize]) -> Result<Vec<f64>> {
    let mut x = filled(0.0, out)?;
    each_product(conv, out, w.shape, g.shape, |xi, wi, yi| x[xi] += g.data[yi] * w.data[wi]);
    Ok(x)
}

/// The adjoint in `w`.
pub(super) fn weight(conv: Conv, [x, g]: [View<'_>; 2], out: &[usize]) -> Result<Vec<f64>> {
    let mut w = filled(0.0, out)?;
    each_product(conv, x.shape, out, g.shape, |xi, wi, yi| w[wi] += x.data[xi] * g.data[yi]);
    Ok(w)
}

/// Calls `f` with the places in `x`, `w` and `y` of every product of the sum that defines a convolution.
fn each_product(
    conv: Conv,
    x: &[usize],
    w: &[usize],
    y: &[usize],
    mut f: impl FnMut(usize, usize, usize),
) {
    let (outputs, group_inputs) = (w[0], w[1]);
    let group_outputs = outputs / conv.groups;
    for n in 0..x[0] {
        for co in 0..outputs {
            for oy in 0..y[2] {
                for ox in 0..y[3] {
                    for c in 0..group_inputs {
                        for ky in 0..w[2] {
                            for kx in 0..w[3] {
                                // Left of the first pixel wraps around, to right of the last one.
                                let ci = co / group_outputs * group_inputs + c;
                                let iy = (oy * conv.stride[0] + ky).wrapping_sub(conv.padding[0]);
                                let ix = (ox * conv.stride[1] + kx).wrapping_sub(conv.padding[1]);
                                if iy < x[2] && ix < x[3] {
                                    f(
                                        place(x, [n, ci, iy, ix]),
                                        place(w, [co, c, ky, kx]),
                                        place(y, [n, co, oy, ox]),
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Place in memory of an index of a `[_, _, _, _]` array.
pub(super) fn place(shape: &[usize], [n, c, y, x]: [usize; 4]) -> usize {
    ((n * shape[1] + c) * shape[2] + y) * shape[3] + x
}
