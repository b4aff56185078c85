//! Progressive growing (PGGAN, section 2): how far networks have grown after so many images, and what they see by then.

use crate::error::{Error, Result};
use crate::nn::{average_downsample2d, nearest_upsample2d};
use crate::tensor::Tensor;

/// When blocks come in (`TrainingSchedule` of stylegan's `training_loop.py`).
///
/// Training starts at a resolution and alternates: so many images as it is, then so many over which the next block fades in. At
/// each new block, the optimizers forget their means, as the original does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Pixels a side in the beginning: a power of two from 4 on. 8 in StyleGAN, 4 in PGGAN.
    pub start: usize,
    /// Images seen at each resolution before the next fades in: 600,000 in both.
    pub steady: u64,
    /// Images over which a block fades in: 600,000 in both.
    pub fade: u64,
}

impl Growth {
    /// The level of detail for images of `size` pixels a side after so many of them: 0 is full-grown, each whole number halves the
    /// resolution.
    pub fn lod(&self, size: usize, images: u64) -> f64 {
        let Some(levels) = (size / self.start.max(1)).checked_ilog2() else { return 0.0 };
        let phase = self.steady.saturating_add(self.fade).max(1);
        let (whole, rest) = (images / phase, images % phase);
        let faded = rest.saturating_sub(self.steady) as f64 / self.fade.max(1) as f64;
        // A level is stored as f32, and must be the same when it is read again.
        f64::from((f64::from(levels) - whole as f64 - faded).max(0.0) as f32)
    }

    pub(super) fn check(&self, size: usize) -> Result<()> {
        if !self.start.is_power_of_two() || !(4..=size).contains(&self.start) {
            let expected = format!("a power of two from 4 to {size}");
            return Err(Error::argument("growth start", expected, self.start));
        }
        Ok(())
    }
}

/// Whether networks train other blocks at one level than at another.
pub(super) fn is_new_block(before: f64, after: f64) -> bool {
    before.floor() != after.floor() || before.ceil() != after.ceil()
}

/// Real images `[n, c, h, w]` as generated ones look at a level of detail: of fewer pixels, each a square, and blended with still fewer while
/// a block fades in (`process_reals` of stylegan's `training_loop.py`).
pub(super) fn faded(images: &Tensor, lod: f64) -> Result<Tensor> {
    let mut x = images.clone();
    for _ in 0..lod as usize {
        x = average_downsample2d(&x)?;
    }
    let share = lod - lod.floor();
    if share > 0.0 {
        let coarse = nearest_upsample2d(&average_downsample2d(&x)?)?;
        x = coarse.scale(share)?.add(&x.scale(1.0 - share)?)?;
    }
    for _ in 0..lod as usize {
        x = nearest_upsample2d(&x)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn the_schedule_is_that_of_stylegan() {
        let growth = Growth { start: 8, steady: 600, fade: 400 };
        // For each number of images, the level at 32 pixels: steady, then fading.
        for (images, lod) in
            [(0, 2.0), (600, 2.0), (800, 1.5), (1000, 1.0), (1600, 1.0), (1700, 0.75), (2000, 0.0)]
        {
            assert_eq!(growth.lod(32, images), lod, "{images}");
        }
        assert_eq!(growth.lod(32, u64::MAX), 0.0);
        assert_eq!(growth.lod(8, 0), 0.0);
        let at_once = Growth { start: 4, steady: 10, fade: 0 };
        assert_eq!([9, 10, 19, 20].map(|images| at_once.lod(16, images)), [2.0, 1.0, 1.0, 0.0]);
        let odd = Growth { start: 0, steady: 0, fade: 0 };
        assert_eq!(odd.lod(64, 1 << 40), 0.0);
        for start in [0, 2, 12, 64] {
            assert!(Growth { start, ..growth }.check(32).is_err());
        }
    }

    #[test]
    fn new_blocks_are_noticed_and_fading_ones_are_not() {
        for (before, after, new) in [
            (2.0, 2.0, false),
            (2.0, 1.99, true),
            (1.99, 1.5, false),
            (1.01, 1.0, true),
            (0.3, 0.0, true),
        ] {
            assert_eq!(is_new_block(before, after), new, "{before} {after}");
        }
    }

    #[test]
    fn real_images_lose_what_the_networks_do_not_have_yet() {
        let values: Vec<f32> = (0..16u8).map(f32::from).collect();
        let x = Tensor::new(&values, &[1, 1, 4, 4], &Device::cpu()).unwrap();
        let of = |lod| faded(&x, lod).unwrap().to_vec::<f32>().unwrap();
        assert_eq!(of(0.0), values);
        assert_eq!(of(1.0)[..8], [2.5, 2.5, 4.5, 4.5, 2.5, 2.5, 4.5, 4.5]);
        assert_eq!(of(2.0), [7.5; 16]);
        assert_eq!(of(0.25)[..2], [0.625, 1.375]);
        assert_eq!(of(1.5)[..4], [5.0, 5.0, 6.0, 6.0]);
    }
}
