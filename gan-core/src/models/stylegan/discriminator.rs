//! The discriminator: from an image to a logit.

use std::fmt;
use std::path::Path;

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::discriminator::Discriminator;
use crate::error::Result;
use crate::latent::Labels;
use crate::models::discriminator::{Growing, GrowingOptions, Halving, LabelHead};
use crate::nn::Params;
use crate::tensor::Tensor;

/// Properties of a discriminator that are not in its tensors; the defaults are those of the published networks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscriminatorOptions {
    /// Samples of a group of the minibatch standard deviation; `None` for the whole batch.
    pub minibatch_std_group: Option<usize>,
    /// Level of detail, 0 for the full resolution; `None` goes by the checkpoint, which may say nothing: 0.
    pub lod: Option<f64>,
}

impl Default for DiscriminatorOptions {
    fn default() -> Self {
        DiscriminatorOptions { minibatch_std_group: Some(4), lod: None }
    }
}

/// A StyleGAN discriminator: PGGAN's with a blur before down-sampling (StyleGAN, appendix C; `StyleGANDiscriminator` of
/// genforce).
///
/// Whether its layers were trained with `fused_scale` makes no difference here. Labels pick one of its last numbers; with
/// a single number, it takes none.
#[derive(Clone)]
pub struct StyleGanDiscriminator {
    network: Growing,
    head: LabelHead,
    layout: Layout,
}

impl StyleGanDiscriminator {
    /// Opens a discriminator in the layout of genforce, or one that was trained here, at the top level of the file or under
    /// `discriminator.` or `D.`; its configuration follows from names and shapes.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Format`](crate::Error::Format) if the file cannot be read,
    /// [`Error::Layout`](crate::Error::Layout) if its names are of no known layout,
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, &DiscriminatorOptions::default(), device)
    }

    /// Builds a discriminator from tensors in genforce's layout.
    ///
    /// # Errors
    /// As [`StyleGanDiscriminator::open`], and [`Error::Argument`](crate::Error::Argument) for groups of no samples or a
    /// level of detail that the network does not have.
    pub fn from_state_dict(
        dict: StateDict,
        options: &DiscriminatorOptions,
        device: &Device,
    ) -> Result<Self> {
        let (layout, dict) = checkpoint::canonical_stylegan_discriminator(dict)?;
        let network = Self::from_params(Params::upload(dict, device)?, options)?;
        Ok(StyleGanDiscriminator { layout, ..network })
    }

    /// Builds a discriminator from tensors under this crate's names, such as those of
    /// [`Config::discriminator`](crate::models::stylegan2::Config::discriminator) of networks that grow. Where they are variables,
    /// what it computes can be differentiated in them.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous or misshapen, and
    /// [`Error::Argument`](crate::Error::Argument) as [`StyleGanDiscriminator::from_state_dict`].
    pub fn from_params(mut params: Params, options: &DiscriminatorOptions) -> Result<Self> {
        let (halving, group, lod) = (Halving::Blurred, options.minibatch_std_group, options.lod);
        let network = Growing::new(&mut params, &GrowingOptions { halving, group, lod })?;
        // There is no mapping of labels, and so no learning rate of one.
        let head = LabelHead::new(&mut params, "", network.outputs(), 1.0)?;
        params.finish()?;
        Ok(StyleGanDiscriminator { network, head, layout: Layout::Nvidia })
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Level of detail: 0 is the full resolution, and each whole number halves it, images keeping their size.
    pub fn lod(&self) -> f64 {
        self.network.lod()
    }

    /// At another level of detail.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) unless it is between 0 and that of the last block,
    /// `log2(resolution / 4)`.
    pub fn with_lod(self, lod: f64) -> Result<Self> {
        Ok(StyleGanDiscriminator { network: self.network.with_lod(lod)?, ..self })
    }

    /// As [`Discriminator::logits`], and shows `visit` the name and the features `[n, channels, h/2, w/2]`
    /// of each block but the last, such as `b8`. At a level of detail of 1 or more, the first blocks take no part.
    ///
    /// # Errors
    /// As [`Discriminator::logits`], and those of `visit`.
    pub fn logits_with(
        &self,
        images: &Tensor,
        labels: Option<&Labels>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let [n, ..] = images.dims4("discriminator")?;
        let code = self.head.code(labels, n)?;
        self.head.logits(&self.network.forward_with(images, visit)?, code.as_ref())
    }
}

impl fmt::Debug for StyleGanDiscriminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        write!(f, "StyleGanDiscriminator({colours}x{h}x{w}, ")?;
        write!(f, "labels {}, lod {}, from {})", self.label_dim(), self.lod(), self.layout)
    }
}

impl Discriminator for StyleGanDiscriminator {
    fn label_dim(&self) -> usize {
        self.head.label_dim()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.network.image_shape()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn logits(&self, images: &Tensor, labels: Option<&Labels>) -> Result<Tensor> {
        self.logits_with(images, labels, &mut |_, _| Ok(()))
    }
}
