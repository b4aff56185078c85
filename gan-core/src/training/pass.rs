//! A generator's pass in training.

use crate::error::Result;
use crate::generator::StyleBased;
use crate::latent::{Labels, Noise, WPlus, Z};
use crate::layers::Layers;
use crate::models::{StyleNetwork, SynthesisNetwork};
use crate::tensor::Tensor;

/// Style mixing (StyleGAN, section 3.1): layers from `cutoff` on see the code of `z`; with the number of layers, none do.
#[derive(Clone, Copy, Debug)]
pub struct Mixing<'a> {
    /// The other codes, as many as the first.
    pub z: &'a Z,
    /// Position in W+ from which they count.
    pub cutoff: usize,
}

/// What a pass gives.
#[derive(Clone, Debug)]
pub struct Generated {
    /// `[n, c, h, w]`
    pub images: Tensor,
    /// The codes that they were synthesized from.
    pub w: WPlus,
    /// The mean code after this pass, `[w_dim]`, see [`Mapping::updated_average`](crate::models::stylegan2::Mapping::updated_average);
    /// the codes of style mixing do not count.
    pub w_avg: Tensor,
}

/// How much of the mean code stays in each pass (`w_avg_beta` of stylegan2-ada-pytorch).
const W_AVG_BETA: f64 = 0.995;

/// Generates images as in training: with style mixing, without truncation, keeping the mean code up to date.
///
/// # Errors
/// [`Error::Latent`](crate::Error::Latent) for codes of another length or number,
/// [`Error::Argument`](crate::Error::Argument) if labels are missing or not wanted, if the network has no mean code, or for a
/// cutoff beyond the number of layers.
pub fn generate<S: SynthesisNetwork>(
    g: &StyleNetwork<S>,
    z: &Z,
    labels: Option<&Labels>,
    mixing: Option<Mixing<'_>>,
    noise: Noise<'_>,
) -> Result<Generated> {
    let code = g.map(z, labels)?;
    let w_avg = g.mapping().updated_average(&code, W_AVG_BETA)?;
    let mut w = g.broadcast(&code)?;
    if let Some(Mixing { z, cutoff }) = mixing.filter(|mixing| mixing.cutoff != g.num_ws()) {
        let other = g.broadcast(&g.map(z, labels)?)?;
        w = w.mixed(&other, &Layers::range(cutoff, g.num_ws() - 1)?)?;
    }
    let images = g.synthesize(&w, noise)?;
    Ok(Generated { images, w, w_avg })
}
