//! StyleGAN (Karras et al. 2019): mapping and synthesis network, read from every published layout.

mod config;
mod layer;
mod synthesis;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use crate::models::mapping::Mapping;
pub use config::{FusedScale, Options};
pub use layer::{Source, Step, SynthesisLayer};
pub use synthesis::Synthesis;

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::error::{Error, Result};
use crate::generator::{Factorizable, Generator, Projection, StyleBased};
use crate::latent::{Labels, Noise, StyleEntry, StyleKind, Styles, Truncation, W, WPlus, Z};
use crate::nn::Params;
use crate::tensor::Tensor;

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
#[derive(Clone)]
pub struct StyleGan {
    mapping: Mapping,
    synthesis: Synthesis,
    layout: Layout,
}

impl StyleGan {
    /// Opens a generator in the layout of genforce, interfacegan or mganprior; its configuration follows from names and
    /// shapes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Layout`] if its names are of no known
    /// layout, [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, &Options::default(), device)
    }

    /// Builds a generator from tensors in one of the layouts.
    ///
    /// # Errors
    /// As [`StyleGan::open`], and [`Error::Argument`] for a level of detail that the network does not have.
    pub fn from_state_dict(dict: StateDict, options: &Options, device: &Device) -> Result<Self> {
        let fused = |resolution| options.fused_scale.applies(resolution);
        let canonical = checkpoint::canonical_stylegan(dict, &fused)?;
        let mut params = Params::upload(canonical.dict, device)?;
        let lr = options.mapping_lr_multiplier;
        let mapping = Mapping::new(&mut params, "mapping.", lr, canonical.label_norm_joint)?;
        let synthesis = Synthesis::new(&mut params, "synthesis.", options)?;
        params.finish()?;
        if mapping.w_dim() != synthesis.w_dim() {
            return Err(Error::Weights {
                name: "synthesis.b4.conv0.affine.weight".into(),
                expected: format!("{} inputs, as the mapping network gives", mapping.w_dim()),
                found: format!("{} inputs", synthesis.w_dim()),
            });
        }
        Ok(StyleGan { mapping, synthesis, layout: canonical.layout })
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

    /// At another level of detail, see [`Synthesis::with_lod`].
    ///
    /// # Errors
    /// [`Error::Argument`] unless it is between 0 and that of the first block.
    pub fn with_lod(self, lod: f64) -> Result<Self> {
        Ok(StyleGan { synthesis: self.synthesis.with_lod(lod)?, ..self })
    }

    /// Codes `[seeds, z_dim]`, the same as the published tools make of these seeds one by one.
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
        Ok(StyleGan { mapping: self.mapping.with_w_avg(mean)?, ..self })
    }

    /// Pulls the vectors of a W+ code towards the average.
    ///
    /// # Errors
    /// As [`StyleBased::truncate`].
    pub fn truncate_plus(&self, w: &WPlus, truncation: &Truncation) -> Result<WPlus> {
        self.mapping.truncate_plus(w, truncation)
    }
}

impl fmt::Debug for StyleGan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        write!(f, "StyleGan({colours}x{h}x{w}, z {}, w {}, ", self.z_dim(), self.w_dim())?;
        let lod = self.synthesis.lod();
        write!(f, "labels {}, lod {lod}, from {})", self.label_dim(), self.layout)
    }
}

impl Generator for StyleGan {
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

impl StyleBased for StyleGan {
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

impl Factorizable for StyleGan {
    type Space = W;

    fn layer_count(&self) -> usize {
        self.num_ws()
    }

    /// Scale and bias of each layer are two projections.
    fn projections(&self) -> Result<Vec<Projection>> {
        let mut projections = Vec::with_capacity(2 * self.num_ws());
        for (i, (name, layer)) in self.synthesis.layers().enumerate() {
            let (weight, channels) = (layer.affine().weight(), layer.outputs());
            let halves = [("scale", StyleKind::Scale, 0), ("bias", StyleKind::Bias, channels)];
            for (part, kind, start) in halves {
                let half = weight.slice(0, start, channels)?;
                projections.push(Projection::new(format!("{name}.{part}"), kind, i, &half)?);
            }
        }
        Ok(projections)
    }
}
