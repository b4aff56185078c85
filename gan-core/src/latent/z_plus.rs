//! One code of the prior a layer, and the truncated prior.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::latent::codes::{check_seeds, shift_layers};
use crate::latent::{Direction, Z};
use crate::random::Seeds;
use crate::tensor::Tensor;

/// Factor of a truncated normal prior, above 0 and at most 1 (BigGAN, section 3.1).
///
/// It is one of two things with that name: [`Truncation`](crate::Truncation) pulls intermediate codes to their average.
///
/// ```
/// use gan_core::ZTruncation;
/// assert_eq!(ZTruncation::new(0.4)?.get(), 0.4);
/// assert!(ZTruncation::new(0.0).is_err() && ZTruncation::new(1.1).is_err());
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZTruncation(f64);

impl ZTruncation {
    /// Checks a factor.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is not above 0 and at most 1.
    pub fn new(factor: f64) -> Result<Self> {
        if factor > 0.0 && factor <= 1.0 {
            return Ok(ZTruncation(factor));
        }
        Err(Error::argument("truncation", "a number above 0, at most 1", factor))
    }

    /// The factor.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The whole prior: a factor of 1.
impl Default for ZTruncation {
    fn default() -> Self {
        ZTruncation(1.0)
    }
}

impl Z {
    /// Codes of the truncated prior, row by row as `truncated_noise_sample` of pytorch-pretrained-biggan makes them of a
    /// seed: normal, cut off at -2 and 2, times the factor.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no seeds, [`Error::TooLarge`] if there are too many.
    pub fn truncated(
        seeds: &Seeds,
        z_dim: usize,
        truncation: ZTruncation,
        device: &Device,
    ) -> Result<Self> {
        check_seeds(seeds, z_dim)?;
        let factor = truncation.0 as f32;
        let values = seeds.truncated_randn(z_dim).into_iter().map(|x| factor * x).collect();
        Z::new(Tensor::from_vec(values, &[seeds.len(), z_dim], device)?)
    }
}

/// One code of the prior a layer, `[n, layers, z_dim]`, for networks that read z in several layers.
#[derive(Clone, Debug)]
pub struct ZPlus(Tensor);

impl ZPlus {
    /// Wraps `[n, layers, z_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        if tensor.shape().len() != 3 {
            return Err(Error::shape("z+", "[n, layers, z_dim]", tensor.shape()));
        }
        Ok(ZPlus(tensor))
    }

    /// The same code for all of `layers` layers.
    ///
    /// # Errors
    /// [`Error::Shape`] for no layers.
    pub fn broadcast(z: &Z, layers: usize) -> Result<Self> {
        let [n, z_dim] = z.tensor().dims2("z")?;
        z.tensor().reshape(&[n, 1, z_dim])?.expand(&[n, layers, z_dim]).map(ZPlus)
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Number of codes of each sample.
    pub fn layers(&self) -> usize {
        self.0.shape()[1]
    }

    /// The codes `[n, z_dim]` of one layer.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such layer.
    pub fn layer(&self, index: usize) -> Result<Z> {
        let [n, _, z_dim] = [0, 1, 2].map(|d| self.0.shape()[d]);
        Z::new(self.0.slice(1, index, 1)?.reshape(&[n, z_dim])?)
    }

    /// Moved by `strength` along a direction, in its layers.
    ///
    /// # Errors
    /// As [`ZPlus::edited`].
    pub fn shifted(&self, direction: &Direction<Z>, strength: f64) -> Result<Self> {
        self.edited(&[(direction, strength)])
    }

    /// Moved along several directions at once, each in its layers and by its strength.
    ///
    /// # Errors
    /// [`Error::Latent`] for directions of another length, [`Error::Argument`] for layers that do not exist or
    /// strengths that are not finite.
    pub fn edited(&self, edits: &[(&Direction<Z>, f64)]) -> Result<Self> {
        shift_layers(&self.0, edits).map(ZPlus)
    }
}
