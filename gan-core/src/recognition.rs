//! What losses, scores and searches ask of networks that look at images.
//!
//! All of these traits take images `[n, 3, h, w]` of -1 to 1, of any size that the network takes, and are differentiable in them.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Something about an image that a [`Classifier`] tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name, as `smile`.
    pub name: String,
    /// What it may be.
    pub kind: AttributeKind,
}

/// What an [`Attribute`] may be.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeKind {
    /// A number, in training from `low` to `high`.
    Range {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// One of these, by name; at least two.
    Choice(Vec<String>),
}

impl AttributeKind {
    /// How many numbers a classifier gives for it: one for a number, else one for each alternative.
    pub fn outputs(&self) -> usize {
        match self {
            AttributeKind::Range { .. } => 1,
            AttributeKind::Choice(names) => names.len(),
        }
    }
}

/// A network that tells attributes of images: StyleSpace's, InterFaceGAN's and StyleFlow's questions are put to one.
pub trait Classifier {
    /// What it tells, in the order of its scores.
    fn attributes(&self) -> &[Attribute];

    /// The device that its weights are on.
    fn device(&self) -> &Device;

    /// A tensor `[n, outputs]` for each attribute: the number itself, or the logits of the alternatives, of which `softmax` makes
    /// probabilities.
    ///
    /// # Errors
    /// [`Error::Shape`] for images that it does not take.
    fn scores(&self, images: &Tensor) -> Result<Vec<Tensor>>;
}

/// A network whose inner layers tell how alike images look (Zhang et al. 2018).
pub trait Perceptual {
    /// Features of some layers, `[n, c, h, w]` each, from fine to coarse.
    ///
    /// # Errors
    /// [`Error::Shape`] for images that it does not take.
    fn features(&self, images: &Tensor) -> Result<Vec<Tensor>>;
}

/// A network that makes one vector of an image, close to those of images that have the same in common.
pub trait ImageEncoder {
    /// Length of the vectors.
    fn dim(&self) -> usize;

    /// Vectors `[n, dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for images that it does not take.
    fn embed(&self, images: &Tensor) -> Result<Tensor>;
}

/// The squared perceptual distance of each pair of images, `[n]`: features of each layer are scaled to unit length along their
/// channels, their squared differences summed over channels, averaged over the image and summed over layers. That is LPIPS (Zhang et al. 2018,
/// equation 1) with all weights 1, its "baseline".
///
/// # Errors
/// Those of the network; [`Error::Shape`] if the images are not of one shape.
pub fn perceptual_distance(net: &dyn Perceptual, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.shape() != b.shape() {
        let expected = format!("images {:?} as the first", a.shape());
        return Err(Error::shape("perceptual distance", expected, b.shape()));
    }
    let n = a.dims4("perceptual distance")?[0];
    let mut sum = Tensor::zeros(&[n], a.device())?;
    for (a, b) in net.features(a)?.iter().zip(&net.features(b)?) {
        let apart = unit(a)?.sub(&unit(b)?)?.square()?.sum(&[1])?.mean(&[2, 3])?;
        sum = sum.add(&apart.reshape(&[n])?)?;
    }
    Ok(sum)
}

/// Scaled to unit length along the channels.
fn unit(features: &Tensor) -> Result<Tensor> {
    features.mul(&features.square()?.sum(&[1])?.affine(1.0, 1e-10)?.rsqrt()?)
}
