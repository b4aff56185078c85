//! Eigenvectors of a symmetric matrix, by faer, or by LAPACK with the feature `lapack`.

use ndarray::{Array1, Array2, Axis};

use crate::error::{Error, Result};

#[cfg(not(feature = "lapack"))]
use by_faer as ascending;
#[cfg(feature = "lapack")]
use by_lapack as ascending;

/// Eigenvalues in descending order, and their unit eigenvectors as rows.
///
/// The sign of an eigenvector is arbitrary; here its component of largest magnitude is positive (of equals, the first).
pub(super) fn descending(matrix: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    if matrix.iter().any(|v| !v.is_finite()) {
        return Err(Error::Eigen("the matrix has values that are not finite".into()));
    }
    let (mut values, mut vectors) = ascending(matrix)?;
    values.invert_axis(Axis(0));
    vectors.invert_axis(Axis(0));
    for mut vector in vectors.rows_mut() {
        let largest = vector.fold(0.0, |best: f64, &v| if v.abs() > best.abs() { v } else { best });
        if largest < 0.0 {
            vector.mapv_inplace(|v| -v);
        }
    }
    Ok((values, vectors))
}

/// On one thread, whatever faer's global setting: the bits of its sums over several depend on how many there are.
#[cfg(any(test, not(feature = "lapack")))]
fn by_faer(matrix: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
    use faer::{Col, Mat, Par, dyn_stack};

    let n = matrix.nrows();
    let matrix = Mat::from_fn(n, n, |i, j| matrix[[i, j]]);
    let (mut values, mut vectors) = (Col::<f64>::zeros(n), Mat::<f64>::zeros(n, n));
    let (par, params) = (Par::Seq, Default::default());
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, par, params);
    let mut memory = dyn_stack::MemBuffer::new(scratch);
    self_adjoint_evd(
        matrix.as_ref(),
        values.as_diagonal_mut(),
        Some(vectors.as_mut()),
        par,
        dyn_stack::MemStack::new(&mut memory),
        params,
    )
    .map_err(|e| Error::Eigen(format!("{e:?}")))?;
    let values = Array1::from_shape_fn(n, |i| values[i]);
    let vectors = Array2::from_shape_fn((n, n), |(k, i)| vectors[(i, k)]);
    Ok((values, vectors))
}

#[cfg(feature = "lapack")]
fn by_lapack(matrix: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    use ndarray_linalg::{Eigh, UPLO};
    let (values, vectors) = matrix.eigh(UPLO::Lower).map_err(|e| Error::Eigen(e.to_string()))?;
    Ok((values, vectors.reversed_axes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symmetric matrix with eigenvalues that are well apart.
    fn matrix(n: usize) -> Array2<f64> {
        let a = Array2::from_shape_fn((n, n), |(i, j)| ((i * 31 + j * 17) % 23) as f64 / 23.0);
        a.dot(&a.t()) + Array2::from_diag(&Array1::from_iter((0..n).map(|i| i as f64)))
    }

    #[test]
    fn vectors_are_eigenvectors_in_order() {
        let a = matrix(12);
        let (values, vectors) = descending(&a).unwrap();
        assert!(values.windows(2).into_iter().all(|w| w[0] >= w[1]));
        for (k, vector) in vectors.rows().into_iter().enumerate() {
            let error = a.dot(&vector) - values[k] * &vector;
            assert!(error.iter().all(|e| e.abs() < 1e-10 * values[0]), "{error}");
            assert!((vector.dot(&vector) - 1.0).abs() < 1e-12);
            let largest = vector.iter().fold(0.0f64, |b, v| if v.abs() > b.abs() { *v } else { b });
            assert!(largest > 0.0);
        }
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let mut a = matrix(3);
        a[[1, 1]] = f64::NAN;
        assert!(matches!(descending(&a), Err(Error::Eigen(_))));
    }

    #[cfg(feature = "lapack")]
    #[test]
    fn lapack_and_faer_agree() {
        let a = matrix(40);
        let ((v1, w1), (v2, w2)) = (by_faer(&a).unwrap(), by_lapack(&a).unwrap());
        assert!(v1.iter().zip(&v2).all(|(a, b)| (a - b).abs() < 1e-9));
        for (a, b) in w1.rows().into_iter().zip(w2.rows()) {
            assert!((a.dot(&b).abs() - 1.0).abs() < 1e-9);
        }
    }
}
