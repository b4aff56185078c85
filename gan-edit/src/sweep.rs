//! Moving codes along a direction in steps.

use gan_core::progress::{Progress, report};
use gan_core::{Direction, Editable, Factorizable, Staged, Tensor};

use crate::error::{Error, Result};

/// `steps` strengths from `-range` to `range`, evenly spaced, as SeFa's tools take them.
///
/// # Errors
/// [`Error::Argument`] if the range is not finite and positive or there are not 2 to 65536 steps.
pub fn strengths(range: f64, steps: usize) -> Result<Vec<f64>> {
    if !(range.is_finite() && range > 0.0) {
        let expected = "a finite number above 0";
        return Err(Error::Argument { what: "range", expected, found: range.to_string() });
    }
    if !(2..=65_536).contains(&steps) {
        let expected = "2 to 65536";
        return Err(Error::Argument { what: "steps", expected, found: steps.to_string() });
    }
    let last = (steps - 1) as f64;
    // Weighted ends instead of a running sum: the middle of an odd number of steps is exactly zero.
    Ok((0..steps).map(|i| range * (2.0 * i as f64 - last) / last).collect())
}

/// Images of codes moved along a direction by each of `strengths`, one tensor `[n, c, h, w]` each, with the network's own
/// noise.
///
/// # Errors
/// [`Error::Core`] for a direction of another model, strengths that are not finite, or if `progress` stops the sweep.
pub fn sweep<G>(
    generator: &G,
    codes: &G::Codes,
    direction: &Direction<G::Space>,
    strengths: &[f64],
    progress: &mut dyn Progress,
) -> Result<Vec<Tensor>>
where
    G: Staged + Factorizable + ?Sized,
    G::Codes: Editable<G::Space>,
{
    let mut images = Vec::with_capacity(strengths.len());
    for (i, &strength) in strengths.iter().enumerate() {
        images.push(generator.image(&codes.shifted(direction, strength)?)?);
        report(progress, i + 1, strengths.len())?;
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_even_around_zero() {
        assert_eq!(strengths(3.0, 7).unwrap(), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(strengths(0.1, 101).unwrap()[50], 0.0);
        for (range, steps) in [(0.0, 3), (-1.0, 3), (f64::NAN, 3), (1.0, 1), (1.0, usize::MAX)] {
            assert!(matches!(strengths(range, steps), Err(Error::Argument { .. })));
        }
    }
}
