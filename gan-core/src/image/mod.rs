//! Pictures as files and pixels.
//!
//! An [`Image`] is 8-bit RGB; networks speak planes of f32 in [-1, 1], and [`to_u8`] and [`from_u8`] go
//! between the two. A [`Grid`] puts many images on one labelled sheet.

mod decode;
mod encode;
mod grid;
mod label;
mod tensor;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::error::{Error, Result};

pub use grid::Grid;

/// The largest image, in bytes of pixels: 1 GiB, a square of 18918 pixels a side.
const MOST_BYTES: usize = 1 << 30;

/// An RGB image of 8 bits a channel, at least 1 x 1; pixels in rows from the top left, `[h, w, 3]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Image {
    /// An image of `pixels` in the order `[height, width, 3]`.
    ///
    /// # Errors
    /// [`Error::Argument`] if a side is 0, [`Error::TooLarge`] above 1 GiB, and [`Error::Shape`] if `pixels`
    /// has another length than `height * width * 3`.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self> {
        let bytes = byte_count(width, height)?;
        if pixels.len() != bytes {
            let expected = format!("{bytes} bytes for {width} x {height} RGB");
            return Err(Error::shape("Image::new", expected, pixels.len()));
        }
        Ok(Image { width, height, pixels })
    }

    /// An image of one colour.
    ///
    /// # Errors
    /// [`Error::Argument`] if a side is 0, and [`Error::TooLarge`] above 1 GiB or what can be allocated.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Result<Self> {
        let bytes = byte_count(width, height)?;
        let mut pixels = reserve(bytes)?;
        pixels.resize(bytes, 0);
        pixels.as_chunks_mut().0.fill(colour);
        Ok(Image { width, height, pixels })
    }

    /// An image of a network's output: planes `[channels, height, width]` of values in [-1, 1], each to a
    /// byte by [`to_u8`]. One channel is gray.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are neither 1 nor 3 channels or a side is 0, [`Error::Shape`] if `planes`
    /// has another length, and [`Error::TooLarge`] above 1 GiB.
    pub fn from_planar(
        planes: &[f32],
        channels: usize,
        height: usize,
        width: usize,
    ) -> Result<Self> {
        Self::from_planar_with(planes, channels, height, width, Quantization::Nearest)
    }

    /// As [`Image::from_planar`], each value to a byte in the given way.
    ///
    /// # Errors
    /// As [`Image::from_planar`].
    pub fn from_planar_with(
        planes: &[f32],
        channels: usize,
        height: usize,
        width: usize,
        quantization: Quantization,
    ) -> Result<Self> {
        if channels != 1 && channels != 3 {
            return Err(Error::argument("channels", "1 or 3", channels));
        }
        let mut image = Image::filled(width, height, [0; 3])?;
        let area = width * height;
        if planes.len() != channels * area {
            let expected = format!("[{channels}, {height}, {width}]");
            return Err(Error::shape("Image::from_planar", expected, [planes.len()]));
        }
        for (channel, plane) in planes.chunks_exact(area).enumerate() {
            for (pixel, &value) in image.pixels.as_chunks_mut::<3>().0.iter_mut().zip(plane) {
                pixel[channel] = quantization.to_u8(value);
            }
        }
        if channels == 1 {
            for pixel in image.pixels.as_chunks_mut::<3>().0 {
                *pixel = [pixel[0]; 3];
            }
        }
        Ok(image)
    }

    /// Planes `[3, height, width]` of values in [-1, 1], each from a byte by [`from_u8`].
    pub fn to_planar(&self) -> Vec<f32> {
        let (pixels, _) = self.pixels.as_chunks::<3>();
        (0..3).flat_map(|channel| pixels.iter().map(move |pixel| from_u8(pixel[channel]))).collect()
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, `[height, width, 3]`, without a copy.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The colour at column `x` of row `y`; none outside of the image.
    pub fn pixel(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        if x >= self.width {
            return None;
        }
        self.pixels.as_chunks().0.get(y.checked_mul(self.width)?.checked_add(x)?).copied()
    }

    /// Each pixel as a square of `factor` x `factor`, so that small images can be seen.
    ///
    /// # Errors
    /// [`Error::Argument`] if `factor` is 0, and [`Error::TooLarge`] above 1 GiB or what can be allocated.
    pub fn upscale(&self, factor: usize) -> Result<Self> {
        if factor == 0 {
            return Err(Error::argument("upscale factor", "at least 1", factor));
        }
        let width = self.width.saturating_mul(factor);
        let height = self.height.saturating_mul(factor);
        let mut pixels = reserve(byte_count(width, height)?)?;
        for row in self.pixels.chunks_exact(self.width * 3) {
            let start = pixels.len();
            for pixel in row.as_chunks::<3>().0 {
                for _ in 0..factor {
                    pixels.extend_from_slice(pixel);
                }
            }
            let end = pixels.len();
            for _ in 1..factor {
                pixels.extend_from_within(start..end);
            }
        }
        Ok(Image { width, height, pixels })
    }

    /// Copies `tile` to where its top left is at (x, y); what would lie outside is left out.
    fn paste(&mut self, tile: &Image, x: usize, y: usize) {
        let width = tile.width.min(self.width.saturating_sub(x));
        if width == 0 {
            return;
        }
        for row in 0..tile.height.min(self.height.saturating_sub(y)) {
            let from = row * tile.width * 3;
            let to = ((y + row) * self.width + x) * 3;
            let source = &tile.pixels[from..from + width * 3];
            self.pixels[to..to + width * 3].copy_from_slice(source);
        }
    }

    /// Fills the rectangle with its top left at (x, y); what would lie outside is left out.
    fn fill_rect(&mut self, [x, y]: [usize; 2], [width, height]: [usize; 2], colour: [u8; 3]) {
        let width = width.min(self.width.saturating_sub(x));
        if width == 0 {
            return;
        }
        for row in y..self.height.min(y.saturating_add(height)) {
            let start = (row * self.width + x) * 3;
            self.pixels[start..start + width * 3].as_chunks_mut().0.fill(colour);
        }
    }
}

impl fmt::Debug for Image {
    // Without the pixels, which nobody wants to read in a failed assertion.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image {{ {} x {} }}", self.width, self.height)
    }
}

/// A network's value to a byte: `v * 127.5 + 128`, clamped to [0, 255] and truncated, as in NVIDIA's
/// scripts. Thus -1 gives 0 and 1 gives 255; NaN gives 0.
pub fn to_u8(v: f32) -> u8 {
    (v * 127.5 + 128.0).clamp(0.0, 255.0) as u8
}

/// How a tool makes bytes of a network's values; all clamp to [0, 255], and NaN gives 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantization {
    /// To the nearest of 256 values from -1 to 1, as [`to_u8`]: NVIDIA's scripts, `genforce/sefa` and
    /// `genforce/interfacegan`.
    #[default]
    Nearest,
    /// 256 equal bins from -1 to 1, `floor((v + 1) * 128)`: `convert_to_images` of `pytorch-pretrained-biggan`.
    Bins,
    /// The next of 256 values below, `floor((v + 1) * 127.5)`: the pictures that `genforce/mganprior` saves.
    Truncated,
}

impl Quantization {
    /// A network's value to a byte.
    pub fn to_u8(self, v: f32) -> u8 {
        match self {
            Quantization::Nearest => to_u8(v),
            Quantization::Bins => (v * 128.0 + 128.0).clamp(0.0, 255.0) as u8,
            Quantization::Truncated => (255.0 * (v / 2.0 + 0.5).clamp(0.0, 1.0)) as u8,
        }
    }
}

/// A byte to a network's value in [-1, 1]: `v / 127.5 - 1`. [`to_u8`] gives the byte back.
pub fn from_u8(v: u8) -> f32 {
    f32::from(v) / 127.5 - 1.0
}

/// The bytes of an image's pixels, if such an image may exist.
fn byte_count(width: usize, height: usize) -> Result<usize> {
    if width == 0 || height == 0 {
        return Err(Error::argument("image size", "at least 1 x 1", format!("{width} x {height}")));
    }
    let bytes = width.checked_mul(height).and_then(|area| area.checked_mul(3));
    match bytes {
        Some(bytes) if bytes <= MOST_BYTES => Ok(bytes),
        _ => Err(Error::TooLarge { what: "image", bytes: bytes.unwrap_or(usize::MAX) }),
    }
}

/// An empty vector with room for `bytes`.
fn reserve(bytes: usize) -> Result<Vec<u8>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(bytes).map_err(|_| Error::TooLarge { what: "image", bytes })?;
    Ok(vec)
}
