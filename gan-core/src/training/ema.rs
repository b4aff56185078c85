//! The moving average of the generator's weights (Karras et al. 2018, section 4.1), which is the network to use.

use crate::error::Result;
use crate::models::stylegan2::is_trained;
use crate::nn::Params;

/// How fast the average follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmaSchedule {
    /// Images after which an old value counts half, in thousands: `batch * 10 / 32` in stylegan2-ada-pytorch.
    pub kimg: f64,
    /// In the beginning the half-life is at most this share of the images seen.
    pub rampup: Option<f64>,
}

impl EmaSchedule {
    /// The weight of the old value after a step with `batch` images, when `images` were seen before it.
    pub fn beta(&self, batch: usize, images: u64) -> f64 {
        let half_life = self.kimg * 1000.0;
        let half_life = self.rampup.map_or(half_life, |share| half_life.min(images as f64 * share));
        0.5f64.powf(batch as f64 / half_life.max(1e-8))
    }
}

/// The average of a StyleGAN2 generator's tensors after a step: `params + beta * (average - params)` for those that are
/// [trained](is_trained); the others are those of `params`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if a tensor has another shape in the average.
pub fn average(average: &Params, params: &Params, beta: f64) -> Result<Params> {
    let mut result = Params::default();
    for (name, new) in params.iter() {
        let new = new.detach();
        let averaged = match average.get(name).filter(|_| is_trained(name)) {
            Some(old) => new.add(&old.detach().sub(&new)?.scale(beta)?)?,
            None => new,
        };
        result.insert(name, averaged);
    }
    Ok(result)
}
