//! Normalisation of latent codes and features.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// `x / sqrt(mean(x^2) + 1e-8)` over axis 1 of `x [n, features]` or of `x [n, channels, h, w]` ("pixel norm").
///
/// Source: PGGAN, section 4.2; `normalize_2nd_moment` of stylegan2-ada-pytorch.
///
/// # Errors
/// [`Error::Shape`] if `x` has fewer than two axes.
pub fn normalize_2nd_moment(x: &Tensor) -> Result<Tensor> {
    if x.shape().len() < 2 {
        return Err(Error::shape("normalize_2nd_moment", "[n, features, ...]", x.shape()));
    }
    x.mul(&x.square()?.mean(&[1])?.affine(1.0, 1e-8)?.rsqrt()?)
}

/// `(x - mean(x)) / sqrt(var(x) + 1e-8)` over each map of `x [n, channels, h, w]`, the variance divided by `h w`.
///
/// Source: StyleGAN, equation 1 without its style; `InstanceNormLayer` of genforce.
///
/// # Errors
/// [`Error::Shape`] for another rank.
pub fn instance_norm(x: &Tensor) -> Result<Tensor> {
    x.dims4("instance_norm")?;
    let centred = x.sub(&x.mean(&[2, 3])?)?;
    centred.mul(&centred.square()?.mean(&[2, 3])?.affine(1.0, 1e-8)?.rsqrt()?)
}
