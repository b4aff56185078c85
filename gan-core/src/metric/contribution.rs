//! How much each resolution adds to the images of a generator that sums colours of several (StyleGAN2, section 4.1 and figure 8).

use crate::backend::Filter;
use crate::error::{Error, Result};
use crate::nn::upsample2d;
use crate::tensor::Tensor;

/// Sums over what the toRGB layers of any number of images make, added batch by batch.
///
/// The paper takes the standard deviation of the pixel values that each toRGB layer makes for 1024 random w, and divides by the sum of
/// all. Here each layer's colours are first enlarged to the image, as the network does it, so that it is the deviation of the term that
/// the image is a sum of; it is that of all pixels of all images around the mean of their colour, so a constant does not count.
///
/// ```
/// use gan_core::metric::Contributions;
/// use gan_core::{Device, Tensor};
/// let device = Device::cpu();
/// let mut found = Contributions::default();
/// found.add(&[
///     Tensor::new(&[3.0f32, -3.0], &[2, 1, 1, 1], &device)?,
///     Tensor::new(&[1.0f32, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0], &[2, 1, 2, 2], &device)?,
/// ])?;
/// // One pixel of all shades of 3 becomes a soft square, which the edge darkens.
/// assert!(found.shares()?[0] > 0.5);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Contributions {
    /// For each level and colour, number, sum and sum of squares.
    levels: Vec<Vec<[f64; 3]>>,
}

impl Contributions {
    /// Adds what the levels make for a batch, from the lowest resolution up: `[n, colours, h, w]`, where each has twice the height and
    /// width of the one before and the last is as large as the image.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are not, or differ in number or colours from those before; nothing has been added then.
    pub fn add(&mut self, levels: &[Tensor]) -> Result<()> {
        let Some(last) = levels.last() else {
            return Err(Error::shape("contributions", "at least one level", "none"));
        };
        let [n, colours, height, width] = last.dims4("contributions")?;
        let mut sums = Vec::with_capacity(levels.len());
        for (level, x) in levels.iter().enumerate() {
            let doublings = levels.len() - 1 - level;
            let [_, _, h, w] = x.dims4("contributions")?;
            let fits =
                |side: usize, whole: usize| side.checked_shl(doublings as u32) == Some(whole);
            if x.shape()[..2] != [n, colours] || !fits(h, height) || !fits(w, width) {
                let expected = format!("[{n}, {colours}, {height}, {width}] / 2^{doublings}");
                return Err(Error::shape("contributions", expected, x.shape()));
            }
            sums.push(sums_of(&enlarged(x, doublings)?)?);
        }
        if self.levels.is_empty() {
            self.levels = sums;
            return Ok(());
        }
        if self.levels.len() != sums.len() || self.levels[0].len() != colours {
            let expected =
                format!("{} levels of {} colours", self.levels.len(), self.levels[0].len());
            return Err(Error::shape("contributions", expected, (sums.len(), colours)));
        }
        for (all, new) in self.levels.iter_mut().flatten().zip(sums.iter().flatten()) {
            *all = [0, 1, 2].map(|i| all[i] + new[i]);
        }
        Ok(())
    }

    /// The standard deviation of what each level adds to the image, in units of its values.
    ///
    /// # Errors
    /// [`Error::Argument`] before anything was added.
    pub fn deviations(&self) -> Result<Vec<f64>> {
        if self.levels.is_empty() {
            return Err(Error::argument("contributions", "at least one image", "none"));
        }
        let variance =
            |&[count, sum, squares]: &[f64; 3]| (squares / count - (sum / count).powi(2)).max(0.0);
        let of = |level: &Vec<[f64; 3]>| {
            (level.iter().map(variance).sum::<f64>() / level.len() as f64).sqrt()
        };
        Ok(self.levels.iter().map(of).collect())
    }

    /// The share of each level in the sum of all deviations, from 0 to 1.
    ///
    /// # Errors
    /// As [`Contributions::deviations`], and [`Error::Argument`] if no level does anything.
    pub fn shares(&self) -> Result<Vec<f64>> {
        let deviations = self.deviations()?;
        let sum: f64 = deviations.iter().sum();
        match sum > 0.0 && sum.is_finite() {
            true => Ok(deviations.into_iter().map(|deviation| deviation / sum).collect()),
            false => Err(Error::argument("contributions", "finite images that differ", sum)),
        }
    }
}

/// As generators of the architecture `skip` enlarge what lower resolutions make.
fn enlarged(x: &Tensor, doublings: usize) -> Result<Tensor> {
    let filter = Filter::outer(&[0.125, 0.375, 0.375, 0.125])?;
    let double = |x: Tensor| upsample2d(&x, &filter, [2, 2], [[0; 2]; 2], false, 1.0);
    (0..doublings).try_fold(x.clone(), |x, _| double(x))
}

/// Of each colour of `x [n, colours, h, w]`.
fn sums_of(x: &Tensor) -> Result<Vec<[f64; 3]>> {
    let [n, colours, h, w] = x.dims4("contributions")?;
    let mut sums = vec![[0.0; 3]; colours];
    for (i, map) in x.to_vec::<f64>()?.chunks(h * w).enumerate().take(n * colours) {
        let [count, sum, squares] = &mut sums[i % colours];
        *count += map.len() as f64;
        *sum += map.iter().sum::<f64>();
        *squares += map.iter().map(|v| v * v).sum::<f64>();
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::random::Philox;

    fn normal(shape: &[usize], scale: f64, seed: u64) -> Tensor {
        let mut values = vec![0.0f32; shape.iter().product()];
        Philox::new(seed).fill_normal(&mut values);
        Tensor::from_vec(values, shape, &Device::cpu()).unwrap().affine(scale, 7.0).unwrap()
    }

    #[test]
    fn shares_are_those_of_the_deviations() {
        let mut found = Contributions::default();
        for seed in 0..8 {
            // A flat picture of 1 x 1 doubles to itself but for the edge; noise of the full size stays what it is.
            let low = normal(&[16, 3, 8, 8], 0.0, seed).affine(1.0, -7.0).unwrap();
            let high = normal(&[16, 3, 16, 16], 2.0, 100 + seed);
            found.add(&[low, high]).unwrap();
        }
        let deviations = found.deviations().unwrap();
        assert!(deviations[0] == 0.0 && (deviations[1] - 2.0).abs() < 0.02, "{deviations:?}");
        let shares = found.shares().unwrap();
        assert!((shares[1] - 1.0).abs() < 1e-9 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn batches_add_up_to_the_whole() {
        let levels = |seed| [normal(&[4, 3, 4, 4], 1.0, seed), normal(&[4, 3, 8, 8], 0.5, seed)];
        let (first, second) = (levels(1), levels(2));
        let mut parts = Contributions::default();
        parts.add(&first).unwrap();
        parts.add(&second).unwrap();
        let joined: Vec<Tensor> =
            first.iter().zip(&second).map(|(a, b)| Tensor::concat(&[a, b], 0).unwrap()).collect();
        let mut whole = Contributions::default();
        whole.add(&joined).unwrap();
        let pairs = parts.shares().unwrap().into_iter().zip(whole.shares().unwrap());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut found = Contributions::default();
        assert!(found.shares().is_err() && found.add(&[]).is_err());
        let of = |shape: &[usize]| normal(shape, 1.0, 0);
        for shape in [[4, 3, 8, 8], [4, 1, 4, 4], [2, 3, 4, 4], [4, 3, 4, 2]] {
            assert!(found.add(&[of(&shape), of(&[4, 3, 8, 8])]).is_err(), "{shape:?}");
        }
        found.add(&[of(&[4, 3, 4, 4]), of(&[4, 3, 8, 8])]).unwrap();
        assert!(found.add(&[of(&[4, 3, 8, 8])]).is_err());
        let mut flat = Contributions::default();
        flat.add(&[Tensor::zeros(&[1, 3, 2, 2], &Device::cpu()).unwrap()]).unwrap();
        assert!(flat.shares().is_err());
    }
}
