//! Where the transforms read their pixels.

use crate::backend::cpu::View;

/// A channel of one image, and its factor.
pub(super) struct Channel<'a> {
    pixels: &'a [f32],
    size: [usize; 2],
    pub(super) scale: f32,
}

impl<'a> Channel<'a> {
    /// Of `x [n, c, h, w]`, with the factors `[n, c]`, or 1.
    pub(super) fn new(x: View<'a>, scale: Option<&[f32]>, image: usize, channel: usize) -> Self {
        let [_, channels, h, w] = x.dims4();
        let index = image * channels + channel;
        Channel {
            pixels: &x.values()[index * h * w..][..h * w],
            size: [h, w],
            scale: scale.map_or(1.0, |s| s[index]),
        }
    }

    /// A row of pixels, unless it lies outside.
    pub(super) fn row(&self, y: isize) -> Option<&'a [f32]> {
        let y = usize::try_from(y).ok().filter(|&y| y < self.size[0])?;
        Some(&self.pixels[y * self.size[1]..][..self.size[1]])
    }

    /// As many pixels of the row as `copy` holds, from `x` on: those of the image if they are all inside, else a copy with zeros.
    pub(super) fn stretch<'c>(&self, line: &'c [f32], x: isize, copy: &'c mut [f32]) -> &'c [f32] {
        let end = x + copy.len() as isize;
        if x >= 0 && end <= line.len() as isize {
            return &line[x as usize..end as usize];
        }
        copy.fill(0.0);
        let inside = x.max(0)..end.min(line.len() as isize);
        if inside.start < inside.end {
            let pixels = &line[inside.start as usize..inside.end as usize];
            copy[(inside.start - x) as usize..][..pixels.len()].copy_from_slice(pixels);
        }
        copy
    }

    /// Fills `out` with pixels of row `y` from `x` on, times the factor, and zeros outside of the image.
    pub(super) fn scaled(&self, y: isize, x: isize, out: &mut [f32]) {
        let line = self.row(y).unwrap_or_default();
        let len = out.len() as isize;
        let first = (-x).clamp(0, len);
        let end = (line.len() as isize - x).clamp(first, len);
        let (before, rest) = out.split_at_mut(first as usize);
        let (inside, after) = rest.split_at_mut((end - first) as usize);
        before.fill(0.0);
        after.fill(0.0);
        if let Some(pixels) = line.get((x + first) as usize..(x + end) as usize) {
            inside.iter_mut().zip(pixels).for_each(|(o, pixel)| *o = self.scale * pixel);
        }
    }
}
