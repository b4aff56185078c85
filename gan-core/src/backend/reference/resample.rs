//! FIR resampling.

use super::conv::place;
use super::{View, filled};
use crate::backend::UpFirDn;
use crate::error::Result;

/// `y[i, j] = gain * sum k[a, b] * z[i*down_y + a, j*down_x + b]`, with the two-dimensional taps.
pub(super) fn upfirdn(op: &UpFirDn, [x]: [View<'_>; 1], out: &[usize]) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    let (height, width) = (op.filter.height, op.filter.width);
    // A convolution reverses its taps, a correlation does not.
    let tap = |a: usize, b: usize| {
        let (a, b) = if op.flip { (a, b) } else { (height - 1 - a, width - 1 - b) };
        op.filter.taps[a * width + b]
    };
    for n in 0..out[0] {
        for c in 0..out[1] {
            for i in 0..out[2] {
                for j in 0..out[3] {
                    let mut sum = 0.0;
                    for a in 0..height {
                        for b in 0..width {
                            let row = source(op, 0, i * op.down[0] + a, x.shape[2]);
                            let column = source(op, 1, j * op.down[1] + b, x.shape[3]);
                            if let (Some(iy), Some(ix)) = (row, column) {
                                sum += tap(a, b) * x.data[place(x.shape, [n, c, iy, ix])];
                            }
                        }
                    }
                    y[place(out, [n, c, i, j])] = op.gain * sum;
                }
            }
        }
    }
    Ok(y)
}

/// Which of `len` pixels lies at `position` of the zero-inserted, padded axis; `None` for a zero.
fn source(op: &UpFirDn, axis: usize, position: usize, len: usize) -> Option<usize> {
    let inserted = position.checked_add_signed(op.padding[axis][0].checked_neg()?)?;
    let pixel = inserted / op.up[axis];
    (inserted % op.up[axis] == 0 && pixel < len).then_some(pixel)
}
