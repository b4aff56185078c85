//! Who is depicted.

use std::path::Path;

use crate::backend::{Activation, Device};
use crate::checkpoint::StateDict;
use crate::error::Result;
use crate::models::recognition::pyramid::{Pyramid, check_size, side_of};
use crate::nn::{Linear, Params};
use crate::recognition::{ImageEncoder, Perceptual};
use crate::tensor::Tensor;

/// Makes a vector of unit length of a portrait, whose scalar product with another's is large where both are of one person: the
/// part that ArcFace (Deng et al. 2019) plays in losses that preserve identity.
#[derive(Clone, Debug)]
pub struct IdentityNet {
    pyramid: Pyramid,
    embed: Linear,
    side: usize,
}

impl IdentityNet {
    /// Opens a safetensors file of such a network.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Format`](crate::Error::Format) if it cannot be read, [`Error::Weights`](crate::Error::Weights)
    /// if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_params(Params::upload(StateDict::open(path)?, device)?)
    }

    /// Builds it of tensors under the names of [`Config::identity`](super::Config::identity).
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous or misshapen.
    pub fn from_params(mut params: Params) -> Result<Self> {
        let pyramid = Pyramid::new(&mut params)?;
        let embed = Linear::new(&mut params, "embed", None, None, 1.0, Activation::Linear)?;
        params.finish()?;
        let last = pyramid.channels().last().copied().unwrap_or(1);
        let side = side_of("embed", embed.inputs(), last, pyramid.factor())?;
        Ok(IdentityNet { pyramid, embed, side })
    }

    /// Pixels along a side of its images.
    pub fn resolution(&self) -> usize {
        self.side
    }

    /// The device that its weights are on.
    pub fn device(&self) -> &Device {
        self.pyramid.device()
    }
}

impl ImageEncoder for IdentityNet {
    fn dim(&self) -> usize {
        self.embed.outputs()
    }

    /// Vectors of unit length, of images `[n, 3, resolution, resolution]`.
    fn embed(&self, images: &Tensor) -> Result<Tensor> {
        check_size(images, self.side)?;
        let features = self.pyramid.forward(images)?;
        let x = features.last().unwrap_or(images);
        let n = images.shape()[0];
        let x = self.embed.forward(&x.reshape(&[n, x.numel() / n])?)?;
        x.mul(&x.square()?.sum(&[1])?.affine(1.0, 1e-12)?.rsqrt()?)
    }
}

impl Perceptual for IdentityNet {
    fn features(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        self.pyramid.forward(images)
    }
}
