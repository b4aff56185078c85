//! Pillow's bicubic filter on bytes: weights as whole numbers, one direction after the other.

use gan_core::Image;

use crate::error::Result;

/// Beyond any network's side.
pub(super) const MAX_SIDE: usize = 1 << 14;
/// Bits of a weight behind the point.
const PRECISION: u32 = 22;

/// The image at another size; what has its size already is not filtered in that direction.
pub(super) fn resize(image: &Image, width: usize, height: usize) -> Result<Image> {
    let (w, h) = (image.width(), image.height());
    let mut pixels = image.pixels().to_vec();
    if width != w {
        let taps = Taps::new(w, width);
        let rows = pixels.chunks_exact(3 * w);
        pixels = rows.flat_map(|row| taps.line(|x, c| row[3 * x + c])).collect();
    }
    if height != h {
        let taps = Taps::new(h, height);
        let mut out = vec![0; 3 * width * height];
        for x in 0..width {
            let column = taps.line(|y, c| pixels[3 * (y * width + x) + c]);
            for (y, pixel) in column.chunks_exact(3).enumerate() {
                out[3 * (y * width + x)..][..3].copy_from_slice(pixel);
            }
        }
        pixels = out;
    }
    Ok(Image::new(width, height, pixels)?)
}

/// For each pixel of a line the first that it is made of, and the weights.
struct Taps(Vec<(usize, Vec<i64>)>);

impl Taps {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        // The filter is as wide as the pixels of the coarser side.
        let width = scale.max(1.0);
        let support = 2.0 * width;
        let one = |i: usize| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights = (first..end).map(|x| bicubic((x as f64 - centre + 0.5) / width));
            let weights: Vec<f64> = weights.collect();
            let sum: f64 = weights.iter().sum();
            // `round` takes halves away from zero, as Pillow does.
            let whole = |w: &f64| (w / sum * f64::from(1 << PRECISION)).round() as i64;
            (first, weights.iter().map(whole).collect())
        };
        Taps((0..to).map(one).collect())
    }

    /// A line of pixels, of which `at` gives the old ones by place and colour.
    fn line(&self, at: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        let pixel = |(first, weights): &(usize, Vec<i64>)| {
            [0, 1, 2].map(|c| {
                let terms = weights.iter().enumerate();
                let sum: i64 = terms.map(|(i, w)| w * i64::from(at(first + i, c))).sum();
                ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
            })
        };
        self.0.iter().flat_map(pixel).collect()
    }
}

/// Keys's kernel with a = -0.5 (Keys 1981).
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}
