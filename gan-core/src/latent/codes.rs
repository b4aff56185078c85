//! Codes of Z, W and W+.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::latent::{Direction, Editable};
use crate::layers::Layers;
use crate::memory;
use crate::random::Seeds;
use crate::tensor::Tensor;

/// Codes of the prior, `[n, z_dim]`, standard normal.
#[derive(Clone, Debug)]
pub struct Z(Tensor);

impl Z {
    /// Wraps `[n, z_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        tensor.dims2("z")?;
        Ok(Z(tensor))
    }

    /// The codes that NVIDIA's tools give these seeds: `RandomState(seed).randn(1, z_dim)`, row by row.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no seeds, [`Error::TooLarge`] if there are too many.
    pub fn from_seeds(seeds: &Seeds, z_dim: usize, device: &Device) -> Result<Self> {
        check_seeds(seeds, z_dim)?;
        Ok(Z(Tensor::from_vec(seeds.randn(z_dim), &[seeds.len(), z_dim], device)?))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Moved by `strength` along a direction.
    ///
    /// # Errors
    /// [`Error::Latent`] if the direction is longer or shorter or one of some layers, [`Error::Argument`] if the strength is not finite.
    pub fn shifted(&self, direction: &Direction<Z>, strength: f64) -> Result<Self> {
        check_all(direction, "z to Z+")?;
        self.moved(direction, strength)
    }

    /// As [`Z::shifted`], whatever layers the direction is for.
    pub(crate) fn moved(&self, direction: &Direction<Z>, strength: f64) -> Result<Self> {
        let [_, z_dim] = self.0.dims2("z")?;
        direction.check_len(z_dim)?;
        let delta = direction.scaled(strength, "strength")?;
        Ok(Z(self.0.add(&Tensor::from_vec(delta, &[1, z_dim], self.0.device())?)?))
    }
}

/// Refuses a direction of some layers for a code that all share.
fn check_all<S>(direction: &Direction<S>, wider: &str) -> Result<()> {
    match direction.layers() {
        Layers::All => Ok(()),
        some => Err(Error::Latent {
            what: "direction",
            expected: format!("one for all layers; broadcast {wider} for others"),
            found: format!("layers {some}"),
        }),
    }
}

/// Whether there are seeds, and memory for their codes.
pub(super) fn check_seeds(seeds: &Seeds, z_dim: usize) -> Result<()> {
    if seeds.is_empty() {
        return Err(Error::argument("seeds", "at least one", "none"));
    }
    memory::check("codes", seeds.len().saturating_mul(z_dim))
}

/// Codes of the intermediate space, `[n, w_dim]`: one vector an image.
#[derive(Clone, Debug)]
pub struct W(Tensor);

impl W {
    /// Wraps `[n, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        tensor.dims2("w")?;
        Ok(W(tensor))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Moved by `strength` along a direction of all layers.
    ///
    /// # Errors
    /// [`Error::Latent`] if the direction is longer or shorter or belongs to some layers only: broadcast to W+ first.
    pub fn shifted(&self, direction: &Direction<W>, strength: f64) -> Result<Self> {
        check_all(direction, "w to W+")?;
        let [_, w_dim] = self.0.dims2("w")?;
        direction.check_len(w_dim)?;
        let delta = direction.scaled(strength, "strength")?;
        Ok(W(self.0.add(&Tensor::from_vec(delta, &[1, w_dim], self.0.device())?)?))
    }
}

/// One vector a layer, `[n, num_ws, w_dim]`.
#[derive(Clone, Debug)]
pub struct WPlus(Tensor);

impl WPlus {
    /// Wraps `[n, num_ws, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        if tensor.shape().len() != 3 {
            return Err(Error::shape("w+", "[n, num_ws, w_dim]", tensor.shape()));
        }
        Ok(WPlus(tensor))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Number of codes.
    pub fn batch(&self) -> usize {
        self.0.shape()[0]
    }

    /// Number of layers.
    pub fn num_ws(&self) -> usize {
        self.0.shape()[1]
    }

    fn w_dim(&self) -> usize {
        self.0.shape()[2]
    }

    /// The vectors `[n, w_dim]` of each layer, if there are `num_ws` of length `w_dim`.
    pub(crate) fn vectors(&self, num_ws: usize, w_dim: usize) -> Result<Vec<Tensor>> {
        if (num_ws, w_dim) != (self.num_ws(), self.w_dim()) {
            return Err(Error::Latent {
                what: "w+",
                expected: format!("[n, {num_ws}, {w_dim}]"),
                found: format!("{:?}", self.0.shape()),
            });
        }
        let n = self.batch();
        (0..num_ws).map(|i| self.0.slice(1, i, 1)?.reshape(&[n, w_dim])).collect()
    }

    /// Code `index` alone.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such code.
    pub fn row(&self, index: usize) -> Result<Self> {
        self.0.slice(0, index, 1).map(WPlus)
    }

    /// Codes `first..first + count`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no such codes.
    pub fn rows(&self, first: usize, count: usize) -> Result<Self> {
        self.0.slice(0, first, count).map(WPlus)
    }

    /// Batches one after the other.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none or they differ in layers or length.
    pub fn concat(batches: &[WPlus]) -> Result<Self> {
        Tensor::concat(&batches.iter().map(|b| &b.0).collect::<Vec<_>>(), 0).map(WPlus)
    }

    /// Style mixing: `layers` from `other`, the rest from `self` (StyleGAN, section 3.1).
    ///
    /// # Errors
    /// [`Error::Argument`] for layers that do not exist, [`Error::Shape`] if the codes differ in shape.
    pub fn mixed(&self, other: &WPlus, layers: &Layers) -> Result<Self> {
        if self.0.shape() != other.0.shape() {
            return Err(Error::shape(
                "style mixing",
                format!("{:?}", self.0.shape()),
                other.0.shape(),
            ));
        }
        let chosen = layers.indices(self.num_ws())?;
        let index: Vec<usize> = (0..self.num_ws())
            .map(|i| if chosen.contains(&i) { self.num_ws() + i } else { i })
            .collect();
        Tensor::concat(&[&self.0, &other.0], 1)?.gather(1, &index).map(WPlus)
    }

    /// Moved by `strength` along a direction, in its layers.
    ///
    /// # Errors
    /// As [`WPlus::edited`].
    pub fn shifted(&self, direction: &Direction<W>, strength: f64) -> Result<Self> {
        self.edited(&[(direction, strength)])
    }

    /// Moved along several directions at once, each in its layers and by its strength.
    ///
    /// # Errors
    /// [`Error::Latent`] for directions of another length, [`Error::Argument`] for layers that do not exist or
    /// strengths that are not finite.
    pub fn edited(&self, edits: &[(&Direction<W>, f64)]) -> Result<Self> {
        shift_layers(&self.0, edits).map(WPlus)
    }
}

impl Editable<W> for WPlus {
    fn shifted(&self, direction: &Direction<W>, strength: f64) -> Result<Self> {
        self.edited(&[(direction, strength)])
    }
}

/// Moves codes `[n, layers, dim]` along several directions, each in its layers and by its strength.
pub(super) fn shift_layers<S>(codes: &Tensor, edits: &[(&Direction<S>, f64)]) -> Result<Tensor> {
    let [layers, dim] = [1, 2].map(|d| codes.shape()[d]);
    let mut delta = vec![0.0; layers * dim];
    for (direction, strength) in edits {
        direction.check_len(dim)?;
        let step = direction.scaled(*strength, "strength")?;
        for layer in direction.layers().indices(layers)? {
            let row = &mut delta[layer * dim..][..dim];
            row.iter_mut().zip(&step).for_each(|(d, s)| *d += s);
        }
    }
    codes.add(&Tensor::from_vec(delta, &[1, layers, dim], codes.device())?)
}
