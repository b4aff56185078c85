//! StyleGAN2 (Karras et al. 2020): mapping and synthesis network, read from every published layout.

mod config;
mod discriminator;
mod layer;
mod synthesis;

use std::path::Path;

pub use crate::models::mapping::Mapping;
pub use config::{Architecture, Options};
pub use discriminator::{DiscriminatorOptions, StyleGan2Discriminator};
pub use synthesis::Synthesis;

use crate::backend::Device;
use crate::checkpoint::{self, StateDict};
use crate::error::Result;
use crate::models::StyleNetwork;
use crate::nn::Params;

/// A StyleGAN2 generator.
///
/// ```no_run
/// use gan_core::{Device, Noise, Seeds, StyleBased, StyleGan2, Truncation};
/// let g = StyleGan2::open("ffhq.safetensors", &Device::cpu())?;
/// let w = g.map(&g.sample(&Seeds::from(0..4))?, None)?;
/// let images = g.synthesize(&g.truncate(&w, &Truncation::new(0.7))?, Noise::Const)?;
/// assert_eq!(images.shape(), [4, 3, 1024, 1024]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub type StyleGan2 = StyleNetwork<Synthesis>;

impl StyleGan2 {
    /// Opens a generator in the layout of NVIDIA, rosinality or genforce; its configuration follows from the shapes.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Format`](crate::Error::Format) if the file cannot be read,
    /// [`Error::Layout`](crate::Error::Layout) if its names are of no known layout,
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::open_with(path, &Options::default(), device)
    }

    /// As [`StyleGan2::open`], with properties that the tensors do not tell.
    ///
    /// # Errors
    /// As [`StyleGan2::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, options, device)
    }

    /// Builds a generator from tensors in one of the layouts.
    ///
    /// # Errors
    /// As [`StyleGan2::open`].
    pub fn from_state_dict(dict: StateDict, options: &Options, device: &Device) -> Result<Self> {
        let said = checkpoint::conv_clamp(&dict, &["G_ema.", "Gs.", "synthesis."]);
        let options = &Options { conv_clamp: options.conv_clamp.or(said), ..*options };
        let canonical = checkpoint::canonical(dict)?;
        let mut params = Params::upload(canonical.dict, device)?;
        let mapping = Mapping::new(
            &mut params,
            "mapping.",
            options.mapping_lr_multiplier,
            canonical.label_norm_joint,
        )?;
        let synthesis = Synthesis::new(&mut params, "synthesis.", options)?;
        params.finish()?;
        Self::new(mapping, synthesis, canonical.layout, "synthesis.b4.conv1.affine.weight")
    }
}
