//! Droplets: spots of feature maps that dominate their statistics (StyleGAN2, section 2 and figure 1).

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How much the largest spot of features `[n, c, h, w]` stands out, for each of the `n` images.
///
/// Each map is normalised to mean 0 and deviation 1, and what is given is the maximum over the pixels of the root mean square of all maps
/// there: 1 where no pixel is special, up to the square root of `h w` where one pixel is all that there is in every map. The
/// measure does not depend on scale and bias of the maps, so features may be taken before a style or after it.
///
/// A droplet is in all maps of a layer at one place. AdaIN normalises each map by what it holds; a generator can carry the strength of a
/// map past that only by a spot that is much stronger than the rest and sets the deviation all alone. In networks with AdaIN such spots
/// appear from about 64 pixels on and grow with the resolution. Demodulation divides by the deviation that is expected from the
/// weights, which no spot changes, so there is nothing to gain by one. A thing that is really there in one place only, such
/// as an eye, moves some maps and not all of them; but maps of many pixels are mostly flat between edges, so values rise
/// with the resolution in good networks too. Compare two networks of the same data layer by layer, and values with the
/// square root of `h w`.
///
/// # Errors
/// [`Error::Shape`] for another rank, [`Error::Argument`] for features that are not finite.
///
/// ```
/// use gan_core::{Device, Tensor, metric};
/// let spot: Vec<f32> = (0..64).map(|i| if i == 20 { 9.0 } else { 0.01 * (i % 3) as f32 }).collect();
/// let x = Tensor::new(&spot, &[1, 1, 8, 8], &Device::cpu())?;
/// assert!(metric::droplets(&x)?[0] > 7.9);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn droplets(features: &Tensor) -> Result<Vec<f64>> {
    let [n, _, h, w] = features.dims4("droplets")?;
    // The largest value scales each map, so that no square leaves the range of numbers.
    let largest = features.mul(&features.neg()?.step()?.affine(-2.0, 1.0)?)?.max(&[2, 3])?;
    let centred = features.div(&largest.affine(1.0, f64::from(f32::MIN_POSITIVE))?)?;
    let centred = centred.sub(&centred.mean(&[2, 3])?)?;
    let squares = centred.square()?;
    // A map that is flat up to rounding says nothing, and counts as nothing.
    let normalised = squares.div(&squares.mean(&[2, 3])?.affine(1.0, 1e-10)?)?;
    let energy = normalised.mean(&[1])?;
    let peaks = energy.max(&[2, 3])?.reshape(&[n])?.to_vec::<f64>()?;
    let means = energy.sum(&[2, 3])?.scale(1.0 / (h * w) as f64)?.reshape(&[n])?.to_vec::<f64>()?;
    let ratio = |(peak, mean): (f64, f64)| match mean > 0.0 {
        true => (peak / mean).sqrt(),
        false if mean == 0.0 => 1.0,
        false => f64::NAN,
    };
    let found: Vec<f64> = peaks.into_iter().zip(means).map(ratio).collect();
    match found.iter().all(|v| v.is_finite()) {
        true => Ok(found),
        false => Err(Error::argument("features", "finite numbers", "NaN or infinity")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::random::Philox;

    const SHAPE: [usize; 4] = [2, 16, 32, 32];

    fn ordinary() -> Vec<f32> {
        let mut values = vec![0.0; SHAPE.iter().product()];
        Philox::new(4).fill_normal(&mut values);
        values
    }

    fn measured(values: Vec<f32>) -> Vec<f64> {
        droplets(&Tensor::from_vec(values, &SHAPE, &Device::cpu()).unwrap()).unwrap()
    }

    /// Puts a spot into the first maps of the first image.
    fn with_spot(maps: usize, strength: f32) -> Vec<f32> {
        let mut values = ordinary();
        for map in 0..maps {
            for (y, x) in [(9, 20), (9, 21), (10, 20), (10, 21)] {
                values[map * 1024 + y * 32 + x] += strength;
            }
        }
        values
    }

    #[test]
    fn a_spot_in_all_maps_stands_out_and_one_in_a_single_map_does_not() {
        let [none, _] = measured(ordinary())[..] else { unreachable!() };
        let [all, other] = measured(with_spot(16, 60.0))[..] else { unreachable!() };
        let [one, _] = measured(with_spot(1, 60.0))[..] else { unreachable!() };
        assert!((1.0..2.0).contains(&none) && (1.0..2.0).contains(&other), "{none} {other}");
        // Four pixels hold all: the square root of 1024 / 4.
        assert!((15.0..16.5).contains(&all), "{all}");
        assert!(one < 0.35 * all, "{one} of {all}");
    }

    #[test]
    fn scale_and_bias_of_maps_do_not_matter() {
        let plain = measured(with_spot(16, 20.0));
        let mut styled = with_spot(16, 20.0);
        for (map, values) in styled.chunks_mut(1024).enumerate() {
            let (scale, bias) = ([1e-3, -5.0, 300.0][map % 3], [0.0, 2.0][map % 2]);
            values.iter_mut().for_each(|v| *v = *v * scale + bias * scale.abs());
        }
        let pairs = plain.into_iter().zip(measured(styled));
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3 * a));
    }

    #[test]
    fn flat_maps_are_no_droplets_and_bad_features_are_refused() {
        assert_eq!(measured(vec![3.0; SHAPE.iter().product()]), [1.0, 1.0]);
        assert_eq!(measured(vec![0.0; SHAPE.iter().product()]), [1.0, 1.0]);
        let mut bad = ordinary();
        bad[5] = f32::NAN;
        let device = Device::cpu();
        assert!(droplets(&Tensor::from_vec(bad, &SHAPE, &device).unwrap()).is_err());
        assert!(droplets(&Tensor::zeros(&[2, 3], &device).unwrap()).is_err());
    }
}
