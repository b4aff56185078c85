//! Training and judging of the networks that look at images: their data, losses, held-out scores and cards.

mod card;
mod identities;
mod labelled;
mod masks;
mod scores;
mod table;

pub use card::{Card, rounded};
pub use identities::{FIXED, Identities};
pub use labelled::{Labelled, Labels, portrait_attributes, predicted};
pub use masks::{Masks, coloured, one_hot};
pub(crate) use scores::best;
pub use scores::{
    Score, attribute_scores, auc, class_scores, intersection_over_union, mean_iou, pair_products,
};
pub(crate) use table::Table;

use gan_core::{Device, Error, Image, Philox, Result, Tensor};
use rayon::prelude::*;

/// The seed of the held-out pictures of a world: training has those below.
pub const HELD_OUT: u32 = 999;

/// Of a folder, every so many pictures or people are held out.
const HELD_OUT_EVERY: usize = 10;

/// The greatest deviation of the noise on training images, so that a generator's grain does not matter.
const NOISE: f32 = 0.06;

/// Sets the stream of that noise apart.
const GRAIN: u64 = 0x6772_6169_6e00_0000;

/// The learning rate of a step: up within a hundred steps, and down to nothing at the last in half a cosine.
pub fn rate(most: f64, step: u64, steps: u64) -> f64 {
    let part = (step as f64 / steps.max(1) as f64).min(1.0);
    let up = ((step + 1) as f64 / 100.0).min(1.0);
    most * up * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
}

/// Images as a batch `[n, 3, size, size]`.
pub(crate) fn stacked<'a>(images: impl IntoIterator<Item = &'a Image>) -> Vec<f32> {
    images.into_iter().flat_map(Image::to_planar).collect()
}

/// Adds noise to images, of a deviation that is drawn for each; `first` is the number of the first in the run.
fn grainy(planes: &mut [f32], n: usize, seed: u32, first: u64) {
    let len = planes.len() / n.max(1);
    planes.par_chunks_mut(len.max(1)).enumerate().for_each(|(i, image)| {
        // Far more than an image takes.
        let position = u128::from(first + i as u64) << 32;
        let mut random = Philox::at(GRAIN | u64::from(seed), position);
        let deviation = NOISE * random.uniform();
        let mut noise = vec![0.0; image.len()];
        random.fill_normal(&mut noise);
        image.iter_mut().zip(noise).for_each(|(v, e)| *v += deviation * e);
    });
}

/// Parts `count` things into those to train on and those held out, by index.
pub(crate) fn parted(count: usize) -> (Vec<usize>, Vec<usize>) {
    (0..count).partition(|i| {
        i % HELD_OUT_EVERY != HELD_OUT_EVERY - 1 && (count >= HELD_OUT_EVERY || i + 1 < count)
    })
}

/// Whether no file of a network could carry a name.
fn is_broken(name: &str) -> bool {
    name.is_empty() || name.contains(char::is_control)
}

/// An error that says what is wrong with a flag's files.
fn unusable(what: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Argument { what, expected: expected.into(), found: found.into() }
}

fn tensor(planes: Vec<f32>, n: usize, size: usize, device: &Device) -> Result<Tensor> {
    Tensor::from_vec(planes, &[n, 3, size, size], device)
}
