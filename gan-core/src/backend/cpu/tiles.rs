//! Products of a packed weight and one patch of pixels, block by block in cache.

use super::microkernel::Microkernel;
use super::packing::{PackedMatrix, Patch, Source, Taps, pack_pixels};

/// Rows of the pixel matrix that are packed at a time: with [`POINTS`] columns they fill 290 kB, and a panel of
/// the weight stays in the first-level cache. A multiple of the nine taps of a 3x3 kernel.
const DEPTH: usize = 288;

/// Points of the grid in one tile.
pub(super) const POINTS: usize = 256;

/// Rows of the weight in one tile: with [`POINTS`] columns of sums, half a megabyte.
pub(super) const ROWS: usize = 512;

/// Buffers of one thread, kept from tile to tile.
#[derive(Default)]
pub(super) struct Scratch {
    pixels: Vec<f32>,
    sums: Vec<f32>,
}

impl Scratch {
    /// The product of rows `rows` of `weight` (whole panels) with the pixels of `patch`, as rows of
    /// [`Sums::stride`] values.
    pub(super) fn product(
        &mut self,
        kernel: &Microkernel,
        weight: &PackedMatrix,
        rows: std::ops::Range<usize>,
        source: Source<'_>,
        taps: Taps<'_>,
        patch: Patch,
    ) -> Sums<'_> {
        let (mr, nr) = (kernel.mr, kernel.nr);
        let panels = patch.points().div_ceil(nr);
        let stride = panels * nr;
        let bands = rows.len().div_ceil(mr);
        self.sums.resize(bands * mr * stride, 0.0);
        if weight.k == 0 {
            // No tap reaches these points.
            self.sums.fill(0.0);
        }
        for k0 in (0..weight.k).step_by(DEPTH) {
            let k1 = (k0 + DEPTH).min(weight.k);
            let depth = k1 - k0;
            let len = panels * nr * depth;
            if self.pixels.len() < len {
                self.pixels.resize(len, 0.0);
            }
            pack_pixels(kernel, source, taps, patch, (k0, k1), &mut self.pixels[..len]);
            for band in 0..bands {
                let a = weight.panel(rows.start / mr + band, mr, k0);
                for (panel, b) in self.pixels[..len].chunks_exact(depth * nr).enumerate() {
                    let c = &mut self.sums[band * mr * stride + panel * nr..];
                    match k0 {
                        0 => kernel.product(depth, a, b, c, stride),
                        _ => kernel.run(depth, a, b, c, stride),
                    }
                }
            }
        }
        Sums { values: &self.sums, stride, points: patch.points() }
    }
}

/// The result of [`Scratch::product`].
pub(super) struct Sums<'a> {
    values: &'a [f32],
    stride: usize,
    points: usize,
}

impl Sums<'_> {
    /// Row `i`, one value for each point of the patch.
    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.stride..][..self.points]
    }
}

/// Cuts a grid into patches of about [`POINTS`] points: whole rows where they are short, else pieces of a row.
pub(super) fn patches(grid: [usize; 2]) -> Vec<Patch> {
    let columns = grid[1].clamp(1, POINTS);
    let rows = (POINTS / columns).max(1);
    rectangles(grid, [rows, columns])
}

/// Cuts a grid into rectangles of at most `size`, row by row.
pub(super) fn rectangles(grid: [usize; 2], size: [usize; 2]) -> Vec<Patch> {
    let cuts = |axis: usize| (0..grid[axis]).step_by(size[axis]);
    cuts(0)
        .flat_map(|y| cuts(1).map(move |x| [y, x]))
        .map(|origin| Patch {
            origin,
            size: [size[0].min(grid[0] - origin[0]), size[1].min(grid[1] - origin[1])],
        })
        .collect()
}

/// Cuts the rows of a weight so that there are several tasks for every core even when there are few patches. The cut
/// depends on the sizes alone, never on the number of threads.
pub(super) fn row_blocks(
    rows: usize,
    other_tasks: usize,
    mr: usize,
) -> Vec<std::ops::Range<usize>> {
    const TASKS: usize = 16;
    /// Every task packs its pixels anew, which costs as much as the products of some ten rows.
    const LEAST: usize = 128;
    let wanted = TASKS.div_ceil(other_tasks.max(1));
    let block = rows.div_ceil(wanted).max(LEAST).next_multiple_of(4 * mr).min(ROWS);
    (0..rows).step_by(block).map(|start| start..(start + block).min(rows)).collect()
}
