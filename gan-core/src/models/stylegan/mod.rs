//! StyleGAN (Karras et al. 2019): mapping and synthesis network, read from every published layout.

mod config;
mod discriminator;
mod layer;
mod synthesis;

use std::path::Path;

pub use crate::models::mapping::Mapping;
pub use config::{FusedScale, Options};
pub use discriminator::{DiscriminatorOptions, StyleGanDiscriminator};
pub use layer::{Source, Step, SynthesisLayer};
pub use synthesis::Synthesis;

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::error::Result;
use crate::models::StyleNetwork;
use crate::nn::Params;

/// A StyleGAN generator.
///
/// ```no_run
/// use gan_core::{Device, Noise, Seeds, StyleBased, StyleGan, Truncation};
/// let g = StyleGan::open("ffhq.safetensors", &Device::cpu())?;
/// let w = g.map(&g.sample(&Seeds::from(0..4))?, None)?;
/// let images = g.synthesize(&g.truncate(&w, &Truncation::new(0.7))?, Noise::Const)?;
/// assert_eq!(images.shape(), [4, 3, 1024, 1024]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub type StyleGan = StyleNetwork<Synthesis>;

impl StyleGan {
    /// Opens a generator in the layout of NVIDIA's TensorFlow code, genforce, interfacegan or mganprior; its configuration follows from names and
    /// shapes.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Format`](crate::Error::Format) if the file cannot be read,
    /// [`Error::Layout`](crate::Error::Layout) if its names are of no known layout,
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, &Options::default(), device)
    }

    /// Builds a generator from tensors in one of the layouts.
    ///
    /// # Errors
    /// As [`StyleGan::open`], and [`Error::Argument`](crate::Error::Argument) for a level of detail that the network does not have.
    pub fn from_state_dict(dict: StateDict, options: &Options, device: &Device) -> Result<Self> {
        let fused = |resolution| options.fused_scale.applies(resolution);
        let canonical = checkpoint::canonical_stylegan(dict, &fused)?;
        let params = Params::upload(canonical.dict, device)?;
        Self::build(params, options, canonical.layout, canonical.label_norm_joint)
    }

    /// Builds a generator from tensors under this crate's names, such as those of
    /// [`Config::generator`](super::stylegan2::Config::generator) with [`Norm::Adain`](super::stylegan2::Norm::Adain). Where they are
    /// variables, what it computes can be differentiated in them.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous or misshapen, and as
    /// [`StyleGan::from_state_dict`] for a level of detail.
    pub fn from_params(params: Params, options: &Options) -> Result<Self> {
        Self::build(params, options, Layout::Nvidia, false)
    }

    fn build(
        mut params: Params,
        options: &Options,
        layout: Layout,
        joint_label_norm: bool,
    ) -> Result<Self> {
        let lr = options.mapping_lr_multiplier;
        let mapping = Mapping::new(&mut params, "mapping.", lr, joint_label_norm)?;
        let synthesis = Synthesis::new(&mut params, "synthesis.", options)?;
        params.finish()?;
        Self::new(mapping, synthesis, layout, "synthesis.b4.conv0.affine.weight")
    }

    /// At another level of detail, see [`Synthesis::with_lod`].
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) unless it is between 0 and that of the first block.
    pub fn with_lod(self, lod: f64) -> Result<Self> {
        self.map_synthesis(|synthesis| synthesis.with_lod(lod))
    }
}
