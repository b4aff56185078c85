//! Convolutions in tiles: pixels to factors, factors to sums of products, those to results.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::channel::Channel;
use super::scheme::{F2, F4, Geometry, Halved, MOST};
use super::transform::Transforms;
use super::weight::packed_weight;
use super::{Form, Write, cuts_rows};
use crate::backend::cpu::View;
use crate::backend::cpu::disjoint::Disjoint;
use crate::backend::cpu::microkernel::Microkernel;
use crate::backend::cpu::packing::{PackKey, PackedWeight};
use crate::backend::cpu::tasks::{InTasks, Kept, at_once, first, rows_at_once};

/// A convolution of a whole batch.
pub(in super::super) struct Convolution<'a> {
    pub(in super::super) kernel: &'a Microkernel,
    pub(in super::super) form: Form,
    /// `[n, ci, h, w]`
    pub(in super::super) x: View<'a>,
    /// Factors of the input channels, `[n, ci]`, 1 if absent.
    pub(in super::super) scale: Option<&'a [f32]>,
    /// `[co, ci, 3, 3]`, or, for the adjoint in `x`, `[ci, co, 3, 3]` with its taps in reverse.
    pub(in super::super) weight: View<'a>,
    pub(in super::super) transposed: bool,
    /// Zeros in front, in y and x.
    pub(in super::super) padding: [usize; 2],
    /// Height and width of the result.
    pub(in super::super) size: [usize; 2],
}

impl Convolution<'_> {
    /// Computes every pixel once and hands it to `write`.
    pub(in super::super) fn run(&self, write: Write<'_>) {
        let kernel = self.kernel.for_columns(self.tiles());
        Convolution { kernel, ..*self }.run_with_kernel(write);
    }

    fn run_with_kernel(&self, write: Write<'_>) {
        let packed = self.packed();
        let panels = self.tiles().div_ceil(self.kernel.nr);
        let [rows, channels] = self.channels();
        let work =
            panels * self.kernel.nr * rows * channels * self.form.geometry().products.len().pow(2);
        // The bits are the same either way.
        match cuts_rows(panels, self.tiles(), rows) {
            true => self.few(panels, work, &packed, write),
            false => self.many(panels, work, &packed, write),
        }
    }

    /// A task takes a panel or two from pixels to pixels, so that factors and products stay in its core's cache.
    fn many(&self, panels: usize, work: usize, packed: &PackedWeight, write: Write<'_>) {
        let [rows, channels] = self.channels();
        let cut = Cut::new(self, channels);
        // Two share what they read of the weight.
        let together = if panels < 4 * rayon::current_num_threads() { 1 } else { 2 };
        let tasks = panels.div_ceil(together);
        let buffers = || (scratch(), self.weight.lend(together * cut.len));
        let least = at_once(tasks, work);
        (0..tasks).into_par_iter().in_tasks_with(least, buffers, |(scratch, factors), i| {
            let panels = together * i..(together * (i + 1)).min(panels);
            let Scratch { pixels, sums, lines } = &mut **scratch;
            let factors = &mut factors[..panels.len() * cut.len];
            for (panel, out) in panels.clone().zip(factors.chunks_exact_mut(cut.len)) {
                self.factors(panel, 0..channels, pixels, out, cut.stride);
            }
            self.products(packed, factors, &cut, panels.len(), 0..rows, sums);
            self.results(panels, 0..rows, sums, lines, write);
        });
    }

    /// There are too few panels for all cores: these share the factors, and a task takes some rows of the weight.
    fn few(&self, panels: usize, work: usize, packed: &PackedWeight, write: Write<'_>) {
        const CHANNELS: usize = 64;
        let [rows, channels] = self.channels();
        let cut = Cut::new(self, CHANNELS.min(channels));
        let pieces = channels.div_ceil(cut.channels);
        let mut shared = self.weight.lend(panels * pieces * cut.len);
        let parts = shared.par_chunks_exact_mut(cut.len).enumerate();
        // A factor costs about as much as eight of its products.
        let least = at_once(panels * pieces, 8 * work / rows);
        parts.in_tasks_with(least, scratch, |scratch, (i, out)| {
            let start = i % pieces * cut.channels;
            let channels = start..(start + cut.channels).min(channels);
            self.factors(i / pieces, channels, &mut scratch.pixels, out, cut.stride);
        });
        let share = rows_at_once(rows, self.kernel.mr, ROWS);
        let tasks = rows.div_ceil(share);
        (0..tasks).into_par_iter().in_tasks_with(at_once(tasks, work), scratch, |scratch, i| {
            let rows = i * share..(i * share + share).min(rows);
            let Scratch { sums, lines, .. } = &mut **scratch;
            self.products(packed, &shared, &cut, panels, rows.clone(), sums);
            self.results(0..panels, rows, sums, lines, write);
        });
    }

    /// Computes `out [n, channels, h, w]`.
    #[allow(unsafe_code)]
    pub(super) fn fill(&self, channels: usize, out: &mut [f32]) {
        let area = self.size[0] * self.size[1];
        let out = Disjoint::new(out);
        self.run(&|image, channel, pixel, values| {
            let start = (image * channels + channel) * area + pixel;
            // SAFETY: each pixel of each channel belongs to one tile and one task.
            unsafe { out.range(start, values.len()) }.copy_from_slice(values);
        });
    }

    /// Output and input channels.
    fn channels(&self) -> [usize; 2] {
        let [a, b, _, _] = self.weight.dims4();
        if self.transposed { [b, a] } else { [a, b] }
    }

    /// Rows and columns of tiles in an image.
    fn grid(&self) -> [usize; 2] {
        self.size.map(|len| len.div_ceil(self.form.geometry().results))
    }

    /// Tiles of the batch.
    fn tiles(&self) -> usize {
        let [rows, columns] = self.grid();
        self.x.shape[0] * rows * columns
    }

    /// A matrix `[co, ci]` for each factor.
    fn packed(&self) -> Arc<PackedWeight> {
        let key = PackKey {
            shape: self.weight.dims4(),
            transposed: self.transposed,
            phases: [1, 1],
            groups: 1,
            mr: self.kernel.mr,
            form: Some(self.form),
        };
        self.weight.buffer.packed(key, || match self.form {
            Form::F2 => packed_weight::<F2>(self.weight, self.transposed, self.kernel.mr),
            Form::F4 => packed_weight::<F4>(self.weight, self.transposed, self.kernel.mr),
            Form::Halved => packed_weight::<Halved>(self.weight, self.transposed, self.kernel.mr),
        })
    }

    /// Computes the factors of a panel, `[factor][channel][nr]`, factors `stride` apart.
    fn factors(
        &self,
        panel: usize,
        channels: Range<usize>,
        pixels: &mut Vec<f32>,
        out: &mut [f32],
        stride: usize,
    ) {
        let (nr, transforms) = (self.kernel.nr, self.form.transforms(self.kernel));
        let groups: Vec<Vec<Stretch>> = (0..nr)
            .step_by(transforms.lanes)
            .map(|lane| {
                let start = panel * nr + lane;
                let end = (start + transforms.lanes).min(self.tiles());
                self.stretches(start.min(end)..end)
            })
            .collect();
        for (i, channel) in channels.enumerate() {
            for (stretches, lane) in groups.iter().zip((0..nr).step_by(transforms.lanes)) {
                let out = &mut out[i * nr + lane..];
                self.transform(stretches, channel, transforms, pixels, out, stride);
            }
        }
    }

    /// The factors of one channel of a few tiles: of neighbours from their rows of pixels, of others from a copy of each.
    #[allow(unsafe_code)]
    fn transform(
        &self,
        stretches: &[Stretch],
        channel: usize,
        transforms: &Transforms,
        pixels: &mut Vec<f32>,
        out: &mut [f32],
        stride: usize,
    ) {
        let lanes = transforms.lanes;
        let &Geometry { step, points, .. } = self.form.geometry();
        match stretches {
            [row] if row.count == lanes => {
                let len = step * lanes + points - step;
                let pixels = first(pixels, MOST * len);
                let source = self.channel(row.image, channel);
                let mut copies = pixels.chunks_exact_mut(len);
                let rows = std::array::from_fn(|i| {
                    let [y, x] = self.corner(row.tile, i, 0);
                    let copy = copies.next().unwrap_or_default();
                    source.stretch(source.row(y).unwrap_or_default(), x, copy)
                });
                // SAFETY: the micro-kernel's processor has the instructions of its transforms.
                unsafe { (transforms.rows)(rows, source.scale, out, stride) };
            }
            _ => {
                let len = step * lanes;
                let pixels = first(pixels, 2 * MOST * len);
                for stretch in stretches {
                    let source = self.channel(stretch.image, channel);
                    let places = stretch.lane * step..(stretch.lane + stretch.count) * step;
                    for (i, row) in pixels.chunks_exact_mut(2 * len).enumerate().take(points) {
                        let [y, x] = self.corner(stretch.tile, i, 0);
                        let (near, far) = row.split_at_mut(len);
                        source.scaled(y, x, &mut near[places.clone()]);
                        source.scaled(y, x + step as isize, &mut far[places.clone()]);
                    }
                }
                // SAFETY: as above.
                unsafe { (transforms.tiles)(pixels, out, stride) };
            }
        }
    }

    /// The pixel in row `i` and column `j` of a tile, which may lie outside of the image.
    fn corner(&self, tile: [usize; 2], i: usize, j: usize) -> [isize; 2] {
        let place = |axis: usize, k: usize| {
            (tile[axis] * self.form.geometry().step + k) as isize - self.padding[axis] as isize
        };
        [place(0, i), place(1, j)]
    }

    fn channel(&self, image: usize, channel: usize) -> Channel<'_> {
        Channel::new(self.x, self.scale, image, channel)
    }

    /// Fills `sums`, `[panel][band of mr rows][sum][mr][nr]`, from the panels' factors, piece by piece.
    fn products(
        &self,
        packed: &PackedWeight,
        factors: &[f32],
        cut: &Cut,
        panels: usize,
        rows: Range<usize>,
        sums: &mut Vec<f32>,
    ) {
        let (mr, nr, count) = (self.kernel.mr, self.kernel.nr, self.sums());
        let [_, channels] = self.channels();
        let (bands, pieces) = (rows.len().div_ceil(mr), channels.div_ceil(cut.channels));
        let sums = first(sums, panels * bands * count * mr * nr);
        for (matrix, products) in packed.matrices.iter().zip(self.form.products()) {
            for piece in 0..pieces {
                let start = piece * cut.channels;
                let depth = cut.channels.min(channels - start);
                for band in 0..bands {
                    let a = matrix.panel(rows.start / mr + band, mr, start);
                    for panel in 0..panels {
                        let factors = &factors[(panel * pieces + piece) * cut.len..];
                        for product in products {
                            let b = &factors[product.factor * cut.stride..];
                            let block = (panel * bands + band) * count + product.sum;
                            let c = &mut sums[block * mr * nr..];
                            match product.is_first && piece == 0 {
                                true => self.kernel.product(depth, a, b, c, nr),
                                false => self.kernel.run(depth, a, b, c, nr),
                            }
                        }
                    }
                }
            }
        }
    }

    /// Sums of a tile.
    fn sums(&self) -> usize {
        self.form.geometry().sums.pow(2)
    }

    /// Writes the pixels of the panels' tiles in the channels `rows`.
    fn results(
        &self,
        panels: Range<usize>,
        rows: Range<usize>,
        sums: &[f32],
        lines: &mut Vec<f32>,
        write: Write<'_>,
    ) {
        let (mr, nr) = (self.kernel.mr, self.kernel.nr);
        let (results, count) = (self.form.geometry().results, self.sums());
        let transforms = self.form.transforms(self.kernel);
        let len = results * nr;
        let lines = first(lines, 4 * len);
        let bands = rows.len().div_ceil(mr);
        for (panel, sums) in panels.zip(sums.chunks_exact(bands * count * mr * nr)) {
            let stretches = self.stretches(panel * nr..((panel + 1) * nr).min(self.tiles()));
            for channel in rows.clone() {
                let row = channel - rows.start;
                let sums = &sums[(row / mr * count * mr + row % mr) * nr..];
                for lane in (0..nr).step_by(transforms.lanes) {
                    let mut rest = lines.chunks_exact_mut(len);
                    let rows = std::array::from_fn(|_| match rest.next() {
                        Some(line) => &mut line[results * lane..],
                        None => &mut [],
                    });
                    // SAFETY: the micro-kernel's processor has the instructions of its transforms.
                    #[allow(unsafe_code)]
                    unsafe {
                        (transforms.results)(&sums[lane..], mr * nr, rows);
                    }
                }
                for stretch in &stretches {
                    let [y, x] = stretch.tile.map(|t| t * results);
                    let width = (stretch.count * results).min(self.size[1] - x);
                    for i in 0..results.min(self.size[0] - y) {
                        let values = &lines[i * len + stretch.lane * results..][..width];
                        write(stretch.image, channel, (y + i) * self.size[1] + x, values);
                    }
                }
            }
        }
    }

    /// Cuts tiles into neighbours of one row.
    fn stretches(&self, tiles: Range<usize>) -> Vec<Stretch> {
        let [rows, columns] = self.grid();
        let mut stretches = Vec::new();
        let mut at = tiles.start;
        while at < tiles.end {
            let tile = [at / columns % rows, at % columns];
            let count = (columns - tile[1]).min(tiles.end - at);
            let (image, lane) = (at / (rows * columns), at - tiles.start);
            stretches.push(Stretch { image, tile, count, lane });
            at += count;
        }
        stretches
    }
}

/// Neighbouring tiles of one row.
#[derive(Clone, Copy)]
struct Stretch {
    image: usize,
    /// Row and column of the first.
    tile: [usize; 2],
    count: usize,
    /// Its place among the tiles that were asked for.
    lane: usize,
}

/// Most rows of the weight in a task that shares the factors with others.
const ROWS: usize = 64;

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    sums: Vec<f32>,
    pixels: Vec<f32>,
    lines: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

fn scratch() -> Kept<Scratch> {
    Kept::of(&SCRATCH)
}

/// How the factors of a panel are stored: in pieces of some channels, each `[factor][channel][nr]`.
struct Cut {
    channels: usize,
    /// Distance between factors: a little more than a power of two, or they would all compete for the same lines of the
    /// cache.
    stride: usize,
    /// Values of a piece.
    len: usize,
}

impl Cut {
    fn new(convolution: &Convolution<'_>, channels: usize) -> Self {
        let stride = channels * convolution.kernel.nr + 48;
        Cut { channels, stride, len: convolution.form.geometry().points.pow(2) * stride }
    }
}
