//! Worlds of small pictures whose every factor is known: [`Portrait`]s of people and [`House`]s.
//!
//! A program draws them, so that training, editing and inversion can be tried, and the claims about them measured, with
//! nothing to download and nobody depicted. A picture has its [factors](World::factors), a [`mask`] of what each pixel shows, and
//! [`captions`] that say only what is true.
//!
//! Picture `k` of a seed is a function of both numbers alone ([`nth`]), so that any threads may draw them in any order. The
//! rasteriser runs without its SIMD feature, which gives the same bytes and no speed here.

mod canvas;
mod caption;
mod colour;
mod factor;
mod house;
mod portrait;
mod shape;
mod sheet;

use clap::ValueEnum;
use gan_core::random::numpy::RandomState;
use gan_core::{Error, Image};
use rayon::prelude::*;

pub use canvas::Canvas;
pub use caption::{Phrase, Role, TEMPLATES, caption, captions};
pub use colour::{Colour, Hue};
pub use factor::{Choice, Factor, Kind};
pub use house::{House, HouseClass, Roof, Sky, Windows};
pub use portrait::{Collar, EyeColour, Glasses, HairColour, Hat, Portrait, PortraitClass};
pub use sheet::{factor_sheet, sample_sheet};

/// A kind of picture, described by factors.
pub trait World: Clone + std::fmt::Debug + Default + Send + Sync + 'static {
    /// What the picture shows, in captions.
    const NOUN: &'static str;

    /// Names of the classes of a [`mask`], from class 0.
    const CLASSES: &'static [&'static str];

    /// The table of all factors.
    fn factors() -> &'static [Factor<Self>];

    /// Paints the picture.
    fn paint(&self, canvas: &mut Canvas);

    /// What can be said about the picture, all of it true.
    fn phrases(&self) -> Vec<Phrase>;
}

/// The worlds, for the flag of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Domain {
    /// People who do not exist
    Portraits,
    /// Houses
    Houses,
}

/// A picture with each factor drawn independently from its distribution.
pub fn sample<W: World>(random: &mut RandomState) -> W {
    factor::sample(W::factors(), random)
}

/// Picture `k` of a seed: what [`sample`] draws from [`random_state`].
pub fn nth<W: World>(seed: u32, k: u32) -> W {
    sample(&mut random_state(seed, k))
}

/// The generator behind picture `k` of a seed: `numpy.random.RandomState((seed * 2654435761 + k) % 2**32)`.
///
/// The multiplier is odd, so that no two seeds start alike, and 2^32 divided by the golden ratio, which keeps the first million
/// pictures of any two of a thousand consecutive seeds apart.
pub fn random_state(seed: u32, k: u32) -> RandomState {
    RandomState::new(seed.wrapping_mul(2_654_435_761).wrapping_add(k))
}

/// The picture, `side` x `side` pixels.
///
/// # Errors
/// [`Error::Argument`] unless `side` is of 8 to 4096.
pub fn image<W: World>(world: &W, side: usize) -> Result<Image, Error> {
    let mut canvas = Canvas::new(side, false)?;
    world.paint(&mut canvas);
    canvas.into_image()
}

/// Pictures as a batch `[n, 3, side, side]`, -1 to 1.
///
/// # Errors
/// [`Error::Argument`] unless `side` is of 8 to 4096.
pub fn planes<W: World>(pictures: &[W], side: usize) -> Result<Vec<f32>, Error> {
    let planes = pictures.par_iter().map(|picture| Ok(image(picture, side)?.to_planar()));
    Ok(planes.collect::<Result<Vec<_>, Error>>()?.concat())
}

/// The class of each pixel, rows from the top, `[side, side]`; [`World::CLASSES`] has their names.
///
/// # Errors
/// [`Error::Argument`] unless `side` is of 8 to 4096.
pub fn mask<W: World>(world: &W, side: usize) -> Result<Vec<u8>, Error> {
    let mut canvas = Canvas::new(side, true)?;
    world.paint(&mut canvas);
    Ok(canvas.into_classes())
}
