//! Normalisation of latent codes.

use crate::error::Result;
use crate::tensor::Tensor;

/// `x / sqrt(mean(x^2) + 1e-8)` over the last axis of `x [n, features]` ("pixel norm" of a vector).
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `x` is not a matrix.
pub fn normalize_2nd_moment(x: &Tensor) -> Result<Tensor> {
    x.dims2("normalize_2nd_moment")?;
    x.mul(&x.square()?.mean(&[1])?.affine(1.0, 1e-8)?.rsqrt()?)
}
