//! From image files to what the network takes, as OpenAI's code has it on Pillow images.

mod bicubic;

use gan_core::{Device, Image, Tensor};

use crate::error::{Error, Result};

/// The mean of each colour, of 0 to 1, over the images that CLIP was trained on.
pub const MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Their standard deviations.
pub const STD: [f64; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// Resized, cropped and normalised, `[1, 3, side, side]`.
///
/// # Errors
/// [`Error::Argument`] if `side` is 0 or far beyond that of any network, or the image is so narrow that the longer side would
/// be.
pub fn preprocess(image: &Image, side: usize, device: &Device) -> Result<Tensor> {
    let image = center_crop(&resize(image, side)?, side)?;
    let pixels = image.pixels().chunks_exact(3);
    let mut planes = Vec::with_capacity(3 * side * side);
    for (c, (mean, std)) in MEAN.into_iter().zip(STD).enumerate() {
        planes.extend(pixels.clone().map(|pixel| (f64::from(pixel[c]) / 255.0 - mean) / std));
    }
    Ok(Tensor::from_vec(planes, &[1, 3, side, side], device)?)
}

/// Images `[n, 3, h, w]` in -1 to 1, as generators draw them, as the network takes them.
///
/// # Errors
/// When they have another shape.
pub fn normalize(images: &Tensor) -> Result<Tensor> {
    if images.dims4("normalize")?[1] != 3 {
        let found = format!("{:?}", images.shape());
        return Err(Error::argument("images", "[n, 3, h, w]", found));
    }
    let per_colour =
        |values: [f64; 3]| Tensor::from_vec(values.to_vec(), &[3, 1, 1], images.device());
    let scale = per_colour(STD.map(|std| 0.5 / std))?;
    let shift = per_colour(std::array::from_fn(|c| (0.5 - MEAN[c]) / STD[c]))?;
    Ok(images.mul(&scale)?.add(&shift)?)
}

/// An image whose shorter side has `side` pixels, by Pillow's bicubic filter, to the bit (as of Pillow 11).
///
/// # Errors
/// As [`preprocess`].
pub fn resize(image: &Image, side: usize) -> Result<Image> {
    let (w, h) = (image.width(), image.height());
    let (short, long) = (w.min(h), w.max(h));
    let long = side.checked_mul(long).map(|n| n / short);
    let (Some(long), 1..=bicubic::MAX_SIDE) = (long.filter(|n| *n <= bicubic::MAX_SIDE), side)
    else {
        let expected = format!("1, and no side beyond {} pixels", bicubic::MAX_SIDE);
        return Err(Error::argument("side", expected, format!("{side} for {w} x {h} pixels")));
    };
    let [w, h] = if w < h { [side, long] } else { [long, side] };
    bicubic::resize(image, w, h)
}

/// The square in the middle of an image.
///
/// # Errors
/// [`Error::Argument`] if the image is smaller, or the square has no pixels.
pub fn center_crop(image: &Image, side: usize) -> Result<Image> {
    let (w, h) = (image.width(), image.height());
    if side == 0 || w < side || h < side {
        let expected = format!("at least 1 and at most {}", w.min(h));
        return Err(Error::argument("side", expected, side));
    }
    // Python rounds a half to the even number.
    let start = |length: usize| ((length - side) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (start(w), start(h));
    let rows = image.pixels().chunks_exact(3 * w).skip(top).take(side);
    let pixels = rows.flat_map(|row| &row[3 * left..3 * (left + side)]).copied().collect();
    Ok(Image::new(side, side, pixels)?)
}
