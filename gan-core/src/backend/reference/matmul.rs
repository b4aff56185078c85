//! Products of batches of matrices.

use super::{View, filled};
use crate::error::Result;

/// `y[b, m, n] = sum_k a[b, m, k] * b[b, k, n]`.
pub(super) fn matmul(
    [a, b]: [View<'_>; 2],
    trans_a: bool,
    trans_b: bool,
    out: &[usize],
) -> Result<Vec<f64>> {
    let mut y = filled(0.0, out)?;
    let (rows, columns) = (out[1], out[2]);
    let depth = if trans_a { a.shape[1] } else { a.shape[2] };
    for batch in 0..out[0] {
        for m in 0..rows {
            for n in 0..columns {
                let mut sum = 0.0;
                for k in 0..depth {
                    sum += element(a, batch, m, k, trans_a) * element(b, batch, k, n, trans_b);
                }
                y[(batch * rows + m) * columns + n] = sum;
            }
        }
    }
    Ok(y)
}

fn element(x: View<'_>, batch: usize, row: usize, column: usize, transposed: bool) -> f64 {
    let (row, column) = if transposed { (column, row) } else { (row, column) };
    x.data[(batch * x.shape[1] + row) * x.shape[2] + column]
}
