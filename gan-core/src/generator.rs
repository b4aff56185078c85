//! What algorithms ask of a generator.

use std::sync::Arc;

use ndarray::Array2;

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::latent::{Labels, Noise, StyleEntry, StyleKind, Styles, Truncation, W, WPlus, Z};
use crate::layers::Layers;
use crate::tensor::Tensor;

/// A network that turns codes of a normal prior into images.
pub trait Generator {
    /// Length of its codes.
    fn z_dim(&self) -> usize;

    /// Length of its labels; 0 if it takes none.
    fn label_dim(&self) -> usize;

    /// Channels, height and width of its images.
    fn image_shape(&self) -> [usize; 3];

    /// The device that its weights are on.
    fn device(&self) -> &Device;

    /// Images `[n, c, h, w]`, about -1 to 1, of codes `[n, z_dim]`, without truncation.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length, [`Error::Argument`]
    /// if labels are missing or not wanted.
    fn generate(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor>;
}

/// A generator whose layers are each fed a style, computed from an intermediate code.
pub trait StyleBased: Generator {
    /// Length of an intermediate code.
    fn w_dim(&self) -> usize;

    /// Number of vectors of a W+ code.
    fn num_ws(&self) -> usize;

    /// The vectors of the style space, in order; derived from the network.
    fn style_layout(&self) -> &Arc<[StyleEntry]>;

    /// Codes of the prior to intermediate codes.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length, [`Error::Argument`]
    /// if labels are missing or not wanted.
    fn map(&self, z: &Z, labels: Option<&Labels>) -> Result<W>;

    /// The same code for all layers, or a truncated one.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length, [`Error::Argument`] if psi
    /// is not finite or the network knows no average code.
    fn truncate(&self, w: &W, truncation: &Truncation) -> Result<WPlus>;

    /// The same code for all layers.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length.
    fn broadcast(&self, w: &W) -> Result<WPlus> {
        self.truncate(w, &Truncation::new(1.0))
    }

    /// Styles of a W+ code.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another geometry.
    fn styles(&self, w: &WPlus) -> Result<Styles>;

    /// Images `[n, c, h, w]` of styles.
    ///
    /// # Errors
    /// [`Error::Latent`] for styles of another layout, [`Error::Shape`] for noise
    /// maps that do not fit.
    fn synthesize_styles(&self, styles: &Styles, noise: Noise<'_>) -> Result<Tensor>;

    /// Images `[n, c, h, w]` of W+ codes.
    ///
    /// # Errors
    /// As [`StyleBased::styles`] and [`StyleBased::synthesize_styles`].
    fn synthesize(&self, w: &WPlus, noise: Noise<'_>) -> Result<Tensor> {
        self.synthesize_styles(&self.styles(w)?, noise)
    }
}

/// The matrix by which a layer first sees the latent code.
#[derive(Clone, Debug)]
pub struct Projection {
    /// Name of the layer, such as `b8.conv0`.
    pub name: String,
    /// What it feeds.
    pub kind: StyleKind,
    /// Which vector of W+ it reads; 0 in networks without.
    pub layer: usize,
    /// Stored weight `[outputs, latent_dim]`, without run-time gains.
    pub matrix: Array2<f32>,
}

impl Projection {
    /// From the stored weight `[outputs, latent_dim]` as a tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is no matrix.
    pub(crate) fn new(
        name: impl Into<String>,
        kind: StyleKind,
        layer: usize,
        weight: &Tensor,
    ) -> Result<Self> {
        let shape = weight.dims2("projection")?;
        let matrix = Array2::from_shape_vec(shape, weight.to_vec()?)
            .map_err(|e| Error::shape("projection", e.to_string(), shape))?;
        Ok(Projection { name: name.into(), kind, layer, matrix })
    }
}

/// A generator whose first projections are known, for closed-form factorization (SeFa, equation 3).
pub trait Factorizable {
    /// The space that the projections see, [`Z`] or [`W`], in which the directions lie.
    type Space;

    /// Number of layers to choose from.
    fn layer_count(&self) -> usize;

    /// The layers that a choice stands for.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such layer.
    fn choose(&self, layers: &Layers) -> Result<Vec<usize>> {
        layers.indices(self.layer_count())
    }

    /// The projections of all layers, in the order of the network.
    ///
    /// # Errors
    /// When the device fails.
    fn projections(&self) -> Result<Vec<Projection>>;
}
