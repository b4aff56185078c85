//! Sheets of many pictures, to see a world at a glance.

use gan_core::image::Grid;
use gan_core::progress::{Progress, report};
use gan_core::{Error, Image};

use super::{Kind, World, image, nth};

/// Pictures `0..count` of a seed in rows of `columns`, without gaps.
///
/// # Errors
/// As [`image`] and [`Grid::render`]; [`Error::Cancelled`] if `progress` asks to stop.
pub fn sample_sheet<W: World>(
    seed: u32,
    count: usize,
    columns: usize,
    side: usize,
    progress: &mut dyn Progress,
) -> Result<Image, Error> {
    let mut tiles = Vec::new();
    for k in 0..count {
        tiles.push(image(&nth::<W>(seed, k as u32), side)?);
        report(progress, k + 1, count)?;
    }
    Grid::new(columns).padding(0).render(&tiles)
}

/// A row a factor, from its least to its greatest value in `steps` steps, or as many of its alternatives; all others as in `base`.
///
/// # Errors
/// As [`image`] and [`Grid::render`]; [`Error::Cancelled`] if `progress` asks to stop.
pub fn factor_sheet<W: World>(
    base: &W,
    steps: usize,
    side: usize,
    progress: &mut dyn Progress,
) -> Result<Image, Error> {
    let factors = W::factors();
    let empty = Image::filled(side, side, [255; 3])?;
    let mut tiles = Vec::new();
    for (row, factor) in factors.iter().enumerate() {
        for value in factor.kind.steps(steps) {
            let mut one = base.clone();
            (factor.set)(&mut one, value);
            (factor.reveal)(&mut one);
            tiles.push(image(&one, side)?);
        }
        tiles.resize((row + 1) * steps, empty.clone());
        report(progress, row + 1, factors.len())?;
    }
    let labels = factors.iter().map(|factor| match factor.kind {
        Kind::Range { low, high, .. } => format!("{} {low} to {high}", factor.name),
        Kind::Choice { .. } => factor.name.to_owned(),
    });
    Grid::new(steps).padding(2).rows_labelled(labels).render(&tiles)
}
