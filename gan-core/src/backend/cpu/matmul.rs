//! Batched matrix products, as scalar products of rows.

use std::borrow::Cow;

use rayon::prelude::*;

use super::View;
use super::dots::{BLOCK, Products};
use super::microkernel::Microkernel;

/// Multiply-adds that are worth a task of their own.
const TASK: usize = 1 << 17;

/// `[b, m, k] x [b, k, n]` to `out [b, m, n]`; flags as in [`Prim::MatMul`](crate::backend::Prim::MatMul).
pub(super) fn matmul(
    kernel: &Microkernel,
    a: View<'_>,
    b: View<'_>,
    trans_a: bool,
    trans_b: bool,
    out: &mut [f32],
) {
    let (m, k) = if trans_a { (a.shape[2], a.shape[1]) } else { (a.shape[1], a.shape[2]) };
    let n = if trans_b { b.shape[1] } else { b.shape[2] };
    let a = if trans_a { Cow::Owned(transposed(a)) } else { Cow::Borrowed(a.values()) };
    let b = if trans_b { Cow::Borrowed(b.values()) } else { Cow::Owned(transposed(b)) };

    let (bands, columns) = (m.div_ceil(BLOCK), n.div_ceil(BLOCK));
    let blocks = out.len() / (m * n) * bands * columns;
    // Rows past the end repeat the last one; their products are dropped.
    let row = |first: usize, i: usize, count: usize| (first * BLOCK + i).min(count - 1) * k;
    let products: Vec<Products> = (0..blocks)
        .into_par_iter()
        .with_min_len((TASK / (BLOCK * BLOCK * k)).max(1))
        .map(|block| {
            let (batch, band, column) =
                (block / (bands * columns), block / columns % bands, block % columns);
            let a = &a[batch * m * k..][..m * k];
            let b = &b[batch * n * k..][..n * k];
            kernel.dots(
                std::array::from_fn(|i| &a[row(band, i, m)..][..k]),
                std::array::from_fn(|i| &b[row(column, i, n)..][..k]),
            )
        })
        .collect();

    for (band, products) in products.chunks(columns).enumerate() {
        let (batch, first) = (band / bands, band % bands * BLOCK);
        let out = &mut out[batch * m * n + first * n..][..(m - first).min(BLOCK) * n];
        for (i, out) in out.chunks_mut(n).enumerate() {
            for (out, products) in out.chunks_mut(BLOCK).zip(products) {
                out.copy_from_slice(&products[i][..out.len()]);
            }
        }
    }
}

/// Exchanges the last two axes.
fn transposed(x: View<'_>) -> Vec<f32> {
    let (rows, columns) = (x.shape[1], x.shape[2]);
    let mut out = vec![0.0; x.values().len()];
    for (x, out) in x.values().chunks(rows * columns).zip(out.chunks_mut(rows * columns)) {
        for (i, row) in x.chunks(columns).enumerate() {
            for (j, &value) in row.iter().enumerate() {
                out[j * rows + i] = value;
            }
        }
    }
    out
}
