//! The Gram matrix of stacked weights, in `f64`.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

/// Rows and columns of the blocks that threads share out. Each block is one sum over all rows on one thread, so that the
/// result does not depend on the number of threads.
const BLOCK: usize = 128;

/// `A^T A` of the matrices `[outputs, dim]` on top of each other; `unit` scales each row to length 1 before, but for zeros.
pub(super) fn gram(matrices: &[ArrayView2<'_, f32>], dim: usize, unit: bool) -> Array2<f64> {
    let rows = stacked(matrices, dim, unit);
    let stack = MatRef::from_row_major_slice(&rows, rows.len() / dim.max(1), dim);
    let columns = |block: usize| stack.subcols(block * BLOCK, BLOCK.min(dim - block * BLOCK));
    // The rest follows from symmetry.
    let lower: Vec<_> =
        (0..dim.div_ceil(BLOCK)).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let products: Vec<_> = lower
        .into_par_iter()
        .map(|(i, j)| {
            let (a, b) = (columns(i), columns(j));
            let mut product = Mat::<f64>::zeros(a.ncols(), b.ncols());
            matmul(product.as_mut(), Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
            (i * BLOCK, j * BLOCK, product)
        })
        .collect();

    let mut gram = Array2::zeros((dim, dim));
    for (top, left, product) in products {
        for j in 0..product.ncols() {
            for i in 0..product.nrows() {
                gram[[top + i, left + j]] = product[(i, j)];
                gram[[left + j, top + i]] = product[(i, j)];
            }
        }
    }
    gram
}

/// The rows of all matrices, one after the other.
fn stacked(matrices: &[ArrayView2<'_, f32>], dim: usize, unit: bool) -> Vec<f64> {
    let sources: Vec<ArrayView1<'_, f32>> = matrices.iter().flat_map(|m| m.rows()).collect();
    let mut rows = vec![0.0; sources.len() * dim];
    rows.par_chunks_mut(dim.max(1)).zip(sources).for_each(|(row, source)| {
        row.iter_mut().zip(source).for_each(|(to, &from)| *to = f64::from(from));
        let view = ArrayView1::from(&*row);
        let length = view.dot(&view).sqrt();
        if unit && length > 0.0 {
            row.iter_mut().for_each(|v| *v /= length);
        }
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More columns than a block, and not a multiple of it.
    const DIM: usize = 300;

    fn matrices() -> Vec<Array2<f32>> {
        let value = |i: usize, j: usize| ((i * 37 + j * 101) % 53) as f32 / 53.0 - 0.4;
        [7, 1, 64].map(|n| Array2::from_shape_fn((n, DIM), |(i, j)| value(i + n, j))).into()
    }

    fn on_threads(threads: usize, unit: bool) -> Array2<f64> {
        let matrices = matrices();
        let views: Vec<_> = matrices.iter().map(|m| m.view()).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| gram(&views, DIM, unit))
    }

    #[test]
    fn is_the_sum_of_products() {
        for unit in [false, true] {
            let mut expected = Array2::<f64>::zeros((DIM, DIM));
            for matrix in matrices() {
                for row in matrix.rows() {
                    let row = row.mapv(f64::from);
                    let scale = if unit { 1.0 / row.dot(&row) } else { 1.0 };
                    for ((i, j), sum) in expected.indexed_iter_mut() {
                        *sum += scale * row[i] * row[j];
                    }
                }
            }
            let found = on_threads(2, unit);
            assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        let one = on_threads(1, true);
        assert_eq!(one, on_threads(2, true));
        assert_eq!(one, on_threads(3, true));
    }
}
