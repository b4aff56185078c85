//! What StyleGAN and StyleGAN2 are: a mapping network before a synthesis network.

use std::fmt::Debug;
use std::sync::Arc;

use super::mapping::Mapping;
use crate::backend::Device;
use crate::checkpoint::Layout;
use crate::error::{Error, Result};
use crate::generator::{Factorizable, Generator, Projection, StyleBased};
use crate::latent::{Labels, Noise, StyleEntry, Styles, Truncation, W, WPlus, Z};
use crate::random::Seeds;
use crate::staged::{Features, Stage, Staged, check_stage};
use crate::tensor::Tensor;

/// What synthesis networks do once it is known that codes and features are theirs; not for others, who have
/// [`SynthesisNetwork::forward`], [`head`](SynthesisNetwork::head) and [`tail`](SynthesisNetwork::tail).
pub(super) mod run {
    use super::{Features, Noise, Result, Styles, Tensor};

    /// Features, stage and layout of the styles must be this network's.
    pub trait Run {
        /// The first stage: what the first layer sees of styles of this network's layout.
        ///
        /// # Errors
        /// When the device fails.
        fn start(&self, styles: &Styles) -> Result<Features>;

        /// Runs the layers from the stage of `features` up to another, and shows `visit` the name and the result
        /// `[n, channels, h, w]` of each, such as `b8.conv0`.
        ///
        /// # Errors
        /// [`Error::Shape`] or [`Error::Argument`] for noise maps that do not fit, and those of `visit`.
        fn run(
            &self,
            features: Features,
            until: usize,
            styles: &Styles,
            noise: Noise<'_>,
            visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
        ) -> Result<Features>;
    }
}

/// A synthesis network of this crate: from W+ to styles, and from styles to images.
pub trait SynthesisNetwork: Debug + Sync + run::Run {
    /// Number of vectors of a W+ code.
    fn num_ws(&self) -> usize;

    /// Length of a w vector.
    fn w_dim(&self) -> usize;

    /// Colours, height and width of its images.
    fn image_shape(&self) -> [usize; 3];

    /// The vectors of the style space, in order.
    fn style_layout(&self) -> &Arc<[StyleEntry]>;

    /// The device that its weights are on.
    fn device(&self) -> &Device;

    /// Styles of a W+ code `[n, num_ws, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another geometry.
    fn styles(&self, w: &WPlus) -> Result<Styles>;

    /// Where it can be cut, see [`Staged::stages`].
    fn stages(&self) -> Vec<Stage>;

    /// Images `[n, colours, h, w]` of styles.
    ///
    /// # Errors
    /// [`Error::Latent`] for styles of another layout, [`Error::Shape`] or [`Error::Argument`] for noise maps that do
    /// not fit.
    fn forward(&self, styles: &Styles, noise: Noise<'_>) -> Result<Tensor> {
        self.forward_with(styles, noise, &mut |_, _| Ok(()))
    }

    /// As [`SynthesisNetwork::forward`], and shows `visit` the name and the result `[n, channels, h, w]` of
    /// each layer, such as `b8.conv0`.
    ///
    /// # Errors
    /// As [`SynthesisNetwork::forward`], and those of `visit`.
    fn forward_with(
        &self,
        styles: &Styles,
        noise: Noise<'_>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        styles.check_layout(self.style_layout())?;
        let last = self.stages().len() - 1;
        Ok(self.run(self.start(styles)?, last, styles, noise, visit)?.maps)
    }

    /// The features of styles at a stage, see [`Staged::head`].
    ///
    /// # Errors
    /// As [`SynthesisNetwork::forward`], and [`Error::Argument`] for a stage outside the network.
    fn head(&self, styles: &Styles, noise: Noise<'_>, stage: usize) -> Result<Features> {
        styles.check_layout(self.style_layout())?;
        let until = check_stage(&self.stages(), stage)?;
        self.run(self.start(styles)?, until, styles, noise, &mut |_, _| Ok(()))
    }

    /// The images of features, see [`Staged::tail`].
    ///
    /// # Errors
    /// As [`SynthesisNetwork::head`], and [`Error::Shape`] for features of another shape or number.
    fn tail(&self, features: &Features, styles: &Styles, noise: Noise<'_>) -> Result<Tensor> {
        styles.check_layout(self.style_layout())?;
        let stages = self.stages();
        features.check(&stages, styles.batch())?;
        let until = stages.len() - 1;
        Ok(self.run(features.clone(), until, styles, noise, &mut |_, _| Ok(()))?.maps)
    }

    /// The affine layers, see [`Factorizable::projections`].
    ///
    /// # Errors
    /// When the device fails.
    fn projections(&self) -> Result<Vec<Projection>>;
}

/// A mapping network before a synthesis network: [`StyleGan`](crate::StyleGan) or [`StyleGan2`](crate::StyleGan2).
#[derive(Clone, Debug)]
pub struct StyleNetwork<S> {
    mapping: Mapping,
    synthesis: S,
    layout: Layout,
}

impl<S: SynthesisNetwork> StyleNetwork<S> {
    /// `first` names the synthesis network's first affine weight, for the message when the two do not fit.
    pub(super) fn new(mapping: Mapping, synthesis: S, layout: Layout, first: &str) -> Result<Self> {
        if mapping.w_dim() != synthesis.w_dim() {
            return Err(Error::Weights {
                name: first.into(),
                expected: format!("{} inputs, as the mapping network gives", mapping.w_dim()),
                found: format!("{} inputs", synthesis.w_dim()),
            });
        }
        Ok(StyleNetwork { mapping, synthesis, layout })
    }

    /// The mapping network.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The synthesis network.
    pub fn synthesis(&self) -> &S {
        &self.synthesis
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// With the synthesis network that `change` makes of its own.
    pub(super) fn map_synthesis(self, change: impl FnOnce(S) -> Result<S>) -> Result<Self> {
        Ok(StyleNetwork { synthesis: change(self.synthesis)?, ..self })
    }

    /// Codes `[seeds, z_dim]`, the same as the published tools make of these seeds.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no seeds.
    pub fn sample(&self, seeds: &Seeds) -> Result<Z> {
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
        Ok(StyleNetwork { mapping: self.mapping.with_w_avg(mean)?, ..self })
    }

    /// Pulls the vectors of a W+ code towards the average.
    ///
    /// # Errors
    /// As [`StyleBased::truncate`].
    pub fn truncate_plus(&self, w: &WPlus, truncation: &Truncation) -> Result<WPlus> {
        self.mapping.truncate_plus(w, truncation)
    }
}

impl<S: SynthesisNetwork> Generator for StyleNetwork<S> {
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
        self.device().run(|| self.synthesize(&self.codes(z, labels)?, Noise::Const))
    }
}

impl<S: SynthesisNetwork> StyleBased for StyleNetwork<S> {
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
        self.device().run(|| self.synthesis.forward(styles, noise))
    }
}

impl<S: SynthesisNetwork> Staged for StyleNetwork<S> {
    type Codes = WPlus;

    fn codes(&self, z: &Z, labels: Option<&Labels>) -> Result<WPlus> {
        self.broadcast(&self.map(z, labels)?)
    }

    fn stages(&self) -> Vec<Stage> {
        self.synthesis.stages()
    }

    fn head(&self, codes: &WPlus, stage: usize) -> Result<Features> {
        self.synthesis.head(&self.styles(codes)?, Noise::Const, stage)
    }

    fn tail(&self, features: &Features, codes: &WPlus) -> Result<Tensor> {
        self.synthesis.tail(features, &self.styles(codes)?, Noise::Const)
    }
}

impl<S: SynthesisNetwork> Factorizable for StyleNetwork<S> {
    type Space = W;

    fn layer_count(&self) -> usize {
        self.num_ws()
    }

    fn projections(&self) -> Result<Vec<Projection>> {
        self.synthesis.projections()
    }
}
