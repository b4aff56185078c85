//! Batched matrix products.
//!
//! Where the second factor is stored along the sum, as the weight of a linear layer is, they are scalar products of rows and
//! nothing is packed. Else both factors are packed and multiplied by the micro-kernel of the convolutions. Which of the two it
//! is does not depend on the number of rows, so that a batch gives the same bits as single calls.

use std::borrow::Cow;

use rayon::prelude::*;

use super::View;
use super::disjoint::Disjoint;
use super::dots::{BLOCK, Products};
use super::microkernel::Microkernel;
use super::tasks::InTasks;

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
    match trans_b {
        true => {
            let a = if trans_a { Cow::Owned(transposed(a)) } else { Cow::Borrowed(a.values()) };
            scalar_products(kernel, &a, b.values(), [m, k, b.shape[1]], out);
        }
        false => packed_products(kernel, a, b, trans_a, [m, k, b.shape[2]], out),
    }
}

/// `[b, m, k] x [b, k, n]`, by panels of `nr` columns and bands of `mr` rows.
#[allow(unsafe_code)]
fn packed_products(
    kernel: &Microkernel,
    a: View<'_>,
    b: View<'_>,
    trans_a: bool,
    [m, k, n]: [usize; 3],
    out: &mut [f32],
) {
    /// Bands for which a task packs its panel anew.
    const BANDS: usize = 32;
    let (mr, nr) = (kernel.mr, kernel.nr);
    let (bands, panels) = (m.div_ceil(mr), n.div_ceil(nr));
    let band_len = k * mr;
    // `[batch][band][k][mr]`, with zeros beyond the last row.
    let mut packed = vec![0.0; a.shape[0] * bands * band_len];
    let bands_at_once = (TASK / (8 * band_len)).max(1);
    packed.par_chunks_mut(band_len).enumerate().in_tasks(bands_at_once, |(i, packed)| {
        let (values, first) = (&a.values()[i / bands * m * k..][..m * k], i % bands * mr);
        let rows = mr.min(m - first);
        if trans_a {
            for (packed, row) in packed.chunks_exact_mut(mr).zip(values.chunks_exact(m)) {
                packed[..rows].copy_from_slice(&row[first..first + rows]);
            }
        } else {
            for (r, row) in values.chunks_exact(k).skip(first).take(rows).enumerate() {
                packed[r..].iter_mut().step_by(mr).zip(row).for_each(|(o, &v)| *o = v);
            }
        }
    });
    let groups = bands.div_ceil(BANDS);
    let out = Disjoint::new(out);
    let panels_at_once = (TASK / (band_len * nr * bands.min(BANDS))).max(1);
    let tasks = (0..a.shape[0] * groups * panels).into_par_iter();
    tasks.in_tasks_with(
        panels_at_once,
        || (vec![0.0; k * nr], vec![0.0; mr * nr]),
        |(columns, block), task| {
            let (batch, group, panel) =
                (task / (groups * panels), task / panels % groups, task % panels);
            let first = panel * nr;
            let width = nr.min(n - first);
            let rows = b.values()[batch * k * n..][..k * n].chunks_exact(n);
            for (packed, row) in columns.chunks_exact_mut(nr).zip(rows) {
                packed[..width].copy_from_slice(&row[first..first + width]);
                packed[width..].fill(0.0);
            }
            for band in group * BANDS..((group + 1) * BANDS).min(bands) {
                let a = &packed[(batch * bands + band) * band_len..][..band_len];
                kernel.product(k, a, columns, block, nr);
                for (r, line) in block.chunks_exact(nr).enumerate().take(m - band * mr) {
                    let start = (batch * m + band * mr + r) * n + first;
                    // SAFETY: bands, panels and batches do not overlap.
                    unsafe { out.range(start, width) }.copy_from_slice(&line[..width]);
                }
            }
        },
    );
}

/// The same by scalar products; `b` is `[b, n, k]`.
fn scalar_products(
    kernel: &Microkernel,
    a: &[f32],
    b: &[f32],
    [m, k, n]: [usize; 3],
    out: &mut [f32],
) {
    let (bands, columns) = (m.div_ceil(BLOCK), n.div_ceil(BLOCK));
    let blocks = out.len() / (m * n) * bands * columns;
    // Rows past the end repeat the last one; their products are dropped.
    let row = |first: usize, i: usize, count: usize| (first * BLOCK + i).min(count - 1) * k;
    let mut products = vec![Products::default(); blocks];
    let least = (TASK / (BLOCK * BLOCK * k)).max(1);
    products.par_iter_mut().enumerate().in_tasks(least, |(block, products)| {
        let (batch, band, column) =
            (block / (bands * columns), block / columns % bands, block % columns);
        let a = &a[batch * m * k..][..m * k];
        let b = &b[batch * n * k..][..n * k];
        *products = kernel.dots(
            std::array::from_fn(|i| &a[row(band, i, m)..][..k]),
            std::array::from_fn(|i| &b[row(column, i, n)..][..k]),
        );
    });

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
