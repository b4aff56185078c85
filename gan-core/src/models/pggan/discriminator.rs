//! The discriminator: from an image to a logit.

use std::fmt;
use std::path::Path;

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::discriminator::Discriminator;
use crate::error::{Error, Result};
use crate::latent::Labels;
use crate::models::discriminator::{Growing, GrowingOptions, Halving};
use crate::nn::Params;
use crate::tensor::Tensor;

/// Properties of a discriminator that are not in its tensors; the defaults are those of genforce's networks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscriminatorOptions {
    /// Whether layers halve the resolution before their activation instead of after it, as one strided convolution.
    pub fused_scale: bool,
    /// Samples of a group of the minibatch standard deviation; `None` for the whole batch.
    pub minibatch_std_group: Option<usize>,
    /// Level of detail, 0 for the full resolution; `None` goes by the checkpoint, which may say nothing: 0.
    pub lod: Option<f64>,
}

impl Default for DiscriminatorOptions {
    fn default() -> Self {
        DiscriminatorOptions { fused_scale: false, minibatch_std_group: Some(16), lod: None }
    }
}

/// A PGGAN discriminator (PGGAN, tables 2 and 3; `PGGANDiscriminator` of genforce).
///
/// Conditional networks guess the class as well: labels are not what they take, but what they give, see
/// [`scores`](Self::scores).
#[derive(Clone)]
pub struct PgGanDiscriminator {
    network: Growing,
    layout: Layout,
}

impl PgGanDiscriminator {
    /// Opens a discriminator in the layout of genforce, at the top level of the file or under `discriminator.`; its
    /// configuration follows from names and shapes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Layout`] if its names are of no known
    /// layout, [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, &DiscriminatorOptions::default(), device)
    }

    /// Builds a discriminator from tensors in genforce's layout.
    ///
    /// # Errors
    /// As [`PgGanDiscriminator::open`], and [`Error::Argument`] for groups of no samples or a level of detail that the
    /// network does not have.
    pub fn from_state_dict(
        dict: StateDict,
        options: &DiscriminatorOptions,
        device: &Device,
    ) -> Result<Self> {
        let (layout, dict) = checkpoint::canonical_pggan_discriminator(dict)?;
        let mut params = Params::upload(dict, device)?;
        let halving = match options.fused_scale {
            true => Halving::BeforeActivation,
            false => Halving::AfterActivation,
        };
        let (group, lod) = (options.minibatch_std_group, options.lod);
        let network = Growing::new(&mut params, &GrowingOptions { halving, group, lod })?;
        params.finish()?;
        Ok(PgGanDiscriminator { network, layout })
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How many classes it guesses; 0 if it is not conditional.
    pub fn class_count(&self) -> usize {
        self.network.outputs() - 1
    }

    /// Level of detail: 0 is the full resolution, and each whole number halves it, images keeping their size.
    pub fn lod(&self) -> f64 {
        self.network.lod()
    }

    /// At another level of detail.
    ///
    /// # Errors
    /// [`Error::Argument`] unless it is between 0 and that of the last block, `log2(resolution / 4)`.
    pub fn with_lod(self, lod: f64) -> Result<Self> {
        Ok(PgGanDiscriminator { network: self.network.with_lod(lod)?, ..self })
    }

    /// The logit and a score for each class, `[n, 1 + class_count]`, of images `[n, c, h, w]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for images of another size, [`Error::Argument`] if the batch does not fall into groups.
    pub fn scores(&self, images: &Tensor) -> Result<Tensor> {
        self.scores_with(images, &mut |_, _| Ok(()))
    }

    /// As [`scores`](Self::scores), and shows `visit` the name and the features `[n, channels, h/2, w/2]`
    /// of each block but the last, such as `b8`. At a level of detail of 1 or more, the first blocks take no part.
    ///
    /// # Errors
    /// As [`scores`](Self::scores), and those of `visit`.
    pub fn scores_with(
        &self,
        images: &Tensor,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        self.network.forward_with(images, visit)
    }
}

impl fmt::Debug for PgGanDiscriminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        write!(f, "PgGanDiscriminator({colours}x{h}x{w}, ")?;
        write!(f, "classes {}, lod {}, from {})", self.class_count(), self.lod(), self.layout)
    }
}

impl Discriminator for PgGanDiscriminator {
    /// None: see [`scores`](PgGanDiscriminator::scores).
    fn label_dim(&self) -> usize {
        0
    }

    fn image_shape(&self) -> [usize; 3] {
        self.network.image_shape()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn logits(&self, images: &Tensor, labels: Option<&Labels>) -> Result<Tensor> {
        if labels.is_some() {
            let expected = "none: a PGGAN discriminator guesses classes, see `scores`";
            return Err(Error::argument("labels", expected, "some"));
        }
        self.scores(images)?.slice(1, 0, 1)
    }
}
