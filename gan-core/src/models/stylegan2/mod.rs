//! StyleGAN2 (Karras et al. 2020): mapping and synthesis network, read from every published layout.

mod config;
mod layer;
mod synthesis;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use crate::models::mapping::Mapping;
pub use config::{Architecture, Options};
pub use synthesis::{BlockOutput, Synthesis};

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::error::{Error, Result};
use crate::generator::{Factorizable, Generator, Projection, StyleBased};
use crate::latent::{Labels, Noise, StyleEntry, Styles, Truncation, W, WPlus, Z};
use crate::nn::Params;
use crate::tensor::Tensor;

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
#[derive(Clone)]
pub struct StyleGan2 {
    mapping: Mapping,
    synthesis: Synthesis,
    layout: Layout,
}

impl StyleGan2 {
    /// Opens a generator in the layout of NVIDIA, rosinality or genforce; its configuration follows from the shapes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Layout`] if its names are of no known
    /// layout, [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not finite.
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
        Self::from_parts(mapping, synthesis, canonical.layout)
    }

    fn from_parts(mapping: Mapping, synthesis: Synthesis, layout: Layout) -> Result<Self> {
        if mapping.w_dim() != synthesis.w_dim() {
            return Err(Error::Weights {
                name: "synthesis.b4.conv1.affine.weight".into(),
                expected: format!("{} inputs, as the mapping network gives", mapping.w_dim()),
                found: format!("{} inputs", synthesis.w_dim()),
            });
        }
        Ok(StyleGan2 { mapping, synthesis, layout })
    }

    /// The mapping network.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The synthesis network.
    pub fn synthesis(&self) -> &Synthesis {
        &self.synthesis
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Codes `[seeds, z_dim]`, the same as NVIDIA's tools make of these seeds.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no seeds.
    pub fn sample(&self, seeds: &crate::Seeds) -> Result<Z> {
        Z::from_seeds(seeds, self.z_dim(), self.synthesis.device())
    }

    /// With the mean of w over `samples` random codes as average code, for checkpoints that hold none. Conditional
    /// networks take `labels`, one row, for all samples.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no samples, or labels are missing or not wanted.
    pub fn with_estimated_average(
        self,
        samples: usize,
        seed: u64,
        labels: Option<&Labels>,
    ) -> Result<Self> {
        let mean = self.mapping.estimated_average(samples, seed, labels)?;
        Ok(StyleGan2 { mapping: self.mapping.with_w_avg(mean)?, ..self })
    }

    /// Pulls the vectors of a W+ code towards the average.
    ///
    /// # Errors
    /// As [`StyleBased::truncate`].
    pub fn truncate_plus(&self, w: &WPlus, truncation: &Truncation) -> Result<WPlus> {
        self.mapping.truncate_plus(w, truncation)
    }
}

impl fmt::Debug for StyleGan2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        let architecture = self.synthesis.architecture();
        write!(f, "StyleGan2({colours}x{h}x{w}, {architecture:?}, z {}, ", self.z_dim())?;
        write!(f, "w {}, labels {}, from {})", self.w_dim(), self.label_dim(), self.layout)
    }
}

impl Generator for StyleGan2 {
    fn z_dim(&self) -> usize {
        self.mapping.z_dim()
    }

    fn label_dim(&self) -> usize {
        self.mapping.label_dim()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.synthesis.image_shape()
    }

    fn device(&self) -> &Device {
        self.synthesis.device()
    }

    fn generate(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor> {
        self.synthesize(&self.broadcast(&self.map(z, labels)?)?, Noise::Const)
    }
}

impl StyleBased for StyleGan2 {
    fn w_dim(&self) -> usize {
        self.synthesis.w_dim()
    }

    fn num_ws(&self) -> usize {
        self.synthesis.num_ws()
    }

    fn style_layout(&self) -> &Arc<[StyleEntry]> {
        self.synthesis.style_layout()
    }

    fn map(&self, z: &Z, labels: Option<&Labels>) -> Result<W> {
        self.mapping.forward(Some(z), labels)
    }

    fn truncate(&self, w: &W, truncation: &Truncation) -> Result<WPlus> {
        self.mapping.truncate(w, self.num_ws(), truncation)
    }

    fn styles(&self, w: &WPlus) -> Result<Styles> {
        self.synthesis.styles(w)
    }

    fn synthesize_styles(&self, styles: &Styles, noise: Noise<'_>) -> Result<Tensor> {
        self.synthesis.forward(styles, noise)
    }
}

impl Factorizable for StyleGan2 {
    type Space = W;

    fn layer_count(&self) -> usize {
        self.num_ws()
    }

    fn projections(&self) -> Result<Vec<Projection>> {
        let entries = self.synthesis.style_layout().iter().zip(self.synthesis.affines());
        entries
            .map(|(e, affine)| Projection::new(&e.name, e.kind, e.w_index, affine.weight()))
            .collect()
    }
}
