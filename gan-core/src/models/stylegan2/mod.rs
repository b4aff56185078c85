//! StyleGAN2 (Karras et al. 2020): mapping and synthesis network, read from every published layout.

mod config;
mod discriminator;
mod init;
mod layer;
mod synthesis;

use std::path::Path;

pub use crate::models::mapping::Mapping;
pub use config::{Architecture, Norm, Options};
pub use discriminator::{DiscriminatorOptions, StyleGan2Discriminator};
pub use init::Config;
pub use synthesis::Synthesis;

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::error::Result;
use crate::models::StyleNetwork;
use crate::nn::{Params, check_clamp};

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
        let joint_label_norm = options.joint_label_norm || canonical.label_norm_joint;
        let options = Options { joint_label_norm, ..*options };
        Self::build(Params::upload(canonical.dict, device)?, &options, canonical.layout)
    }

    /// Tensors in one of the layouts under the names that [`StyleGan2::from_params`] takes, to be trained further. Whether
    /// labels are normalised together with z is not in them: see [`Options::joint_label_norm`].
    ///
    /// # Errors
    /// As [`StyleGan2::open`]; shapes are not looked at.
    pub fn params(dict: StateDict, device: &Device) -> Result<Params> {
        Params::upload(checkpoint::canonical(dict)?.dict, device)
    }

    /// Builds a generator from tensors under NVIDIA's names, such as those of [`Config::generator`]. Where they are variables,
    /// what it computes can be differentiated in them.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing, superfluous or misshapen.
    pub fn from_params(params: Params, options: &Options) -> Result<Self> {
        Self::build(params, options, Layout::Nvidia)
    }

    fn build(mut params: Params, options: &Options, layout: Layout) -> Result<Self> {
        check_clamp(options.conv_clamp)?;
        let lr = options.mapping_lr_multiplier;
        let mapping = Mapping::new(&mut params, "mapping.", lr, options.joint_label_norm)?;
        let synthesis = Synthesis::new(&mut params, "synthesis.", options)?;
        params.finish()?;
        Self::new(mapping, synthesis, layout, "synthesis.b4.conv1.affine.weight")
    }
}

/// Whether a tensor of that name, of a generator or a discriminator, is trained; filters, stored noise, the average code
/// and the level of detail are not.
pub fn is_trained(name: &str) -> bool {
    !matches!(name.rsplit('.').next(), Some("resample_filter" | "noise_const" | "w_avg" | "lod"))
}
