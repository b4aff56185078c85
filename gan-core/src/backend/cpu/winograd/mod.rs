//! Convolutions with 3x3 kernels and stride 1 by Winograd's minimal filtering.
//!
//! The image is cut into tiles that overlap by two pixels. A tile's pixels are combined to factors, the weight's taps to
//! others, once and for all; the product of the two, summed over the input channels, is a matrix product for each factor,
//! and its results are combined to pixels. That takes 2.25 or 4 times fewer multiply-adds than the direct way, for an error of
//! about 1e-6 of the result's spread (`tests/winograd.rs`).
//!
//! Columns of the matrix products are tiles, `nr` a panel; a task takes some panels through all three steps, so that
//! factors and products stay in cache. Each tile's result depends on that tile alone, whatever panel it is in.

mod scheme;
mod transform;
mod up;
mod vector;
#[cfg(target_arch = "x86_64")]
mod vector_x86;
mod weight;

use std::ops::Range;

use rayon::prelude::*;

use super::View;
use super::disjoint::Disjoint;
use super::microkernel::Microkernel;
use super::packing::{PackKey, PackedWeight};
use scheme::{F2, F4, MOST, Scheme};
use transform::Transforms;
#[cfg(target_arch = "x86_64")]
pub(super) use transform::{AVX2, AVX512};
pub(super) use transform::{Forms, Leaky, PORTABLE};
pub(super) use up::{UpSampling, pays};
use weight::packed_weight;

use crate::backend::Conv;

/// Size of the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 2 x 2 results a tile.
    F2,
    /// 4 x 4 results a tile.
    F4,
}

impl Form {
    fn results(self) -> usize {
        match self {
            Form::F2 => F2::RESULTS,
            Form::F4 => F4::RESULTS,
        }
    }

    /// Products of a tile.
    fn factors(self) -> usize {
        (self.results() + 2).pow(2)
    }

    fn transforms(self, kernel: &Microkernel) -> &Transforms {
        match self {
            Form::F2 => &kernel.winograd.same_size[0],
            Form::F4 => &kernel.winograd.same_size[1],
        }
    }
}

/// The form that is fastest for a weight `[a, b, 3, 3]` and a result of that size, if any beats the direct way.
pub(super) fn fastest(a: usize, b: usize, size: [usize; 2]) -> Option<Form> {
    let pixels = size[0] * size[1];
    match () {
        _ if a.min(b) < 16 || pixels < 64 => None,
        _ if pixels < 256 => Some(Form::F2),
        _ => Some(Form::F4),
    }
}

/// `x [n, ci, h, w]`, `weight [co, ci, 3, 3]` to `out [n, co, h', w']`.
pub(super) fn conv2d(
    kernel: &Microkernel,
    form: Form,
    conv: &Conv,
    x: View<'_>,
    weight: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let size = [shape[2], shape[3]];
    let padding = conv.padding;
    Convolution { kernel, form, x, scale: None, weight, transposed: false, padding, size }
        .fill(shape[1], out);
}

/// `g [n, co, h', w']`, `weight [co, ci, 3, 3]` to `out [n, ci, h, w]`.
pub(super) fn conv_input(
    kernel: &Microkernel,
    form: Form,
    conv: &Conv,
    g: View<'_>,
    weight: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let size = [shape[2], shape[3]];
    let padding = conv.padding.map(|p| 2 - p);
    Convolution { kernel, form, x: g, scale: None, weight, transposed: true, padding, size }
        .fill(shape[1], out);
}

/// A convolution of a whole batch.
pub(super) struct Convolution<'a> {
    pub(super) kernel: &'a Microkernel,
    pub(super) form: Form,
    /// `[n, ci, h, w]`
    pub(super) x: View<'a>,
    /// Factors of the input channels, `[n, ci]`, 1 if absent.
    pub(super) scale: Option<&'a [f32]>,
    /// `[co, ci, 3, 3]`, or, for the adjoint in `x`, `[ci, co, 3, 3]` with its taps in reverse.
    pub(super) weight: View<'a>,
    pub(super) transposed: bool,
    /// Zeros in front, in y and x.
    pub(super) padding: [usize; 2],
    /// Height and width of the result.
    pub(super) size: [usize; 2],
}

/// Where a task's results go: image, channel, first pixel of a stretch within a row, and its values.
pub(super) type Write<'a> = &'a (dyn Fn(usize, usize, usize, &[f32]) + Sync);

impl Convolution<'_> {
    /// Computes every pixel once and hands it to `write`.
    pub(super) fn run(&self, write: Write<'_>) {
        let packed = self.packed();
        let panels = self.tiles().div_ceil(self.kernel.nr);
        // The bits are the same either way.
        if panels.div_ceil(2) < 2 * rayon::current_num_threads() {
            self.few(panels, &packed, write)
        } else {
            self.many(panels, &packed, write)
        }
    }

    /// A task takes two panels from pixels to pixels, so that factors and products stay in its core's cache.
    fn many(&self, panels: usize, packed: &PackedWeight, write: Write<'_>) {
        let [rows, channels] = self.channels();
        let cut = Cut::new(self, channels);
        (0..panels.div_ceil(2)).into_par_iter().for_each_init(Scratch::default, |scratch, i| {
            let panels = 2 * i..(2 * i + 2).min(panels);
            scratch.factors.resize(panels.len() * cut.len, 0.0);
            for (panel, out) in panels.clone().zip(scratch.factors.chunks_exact_mut(cut.len)) {
                self.factors(panel, 0..channels, &mut scratch.pixels, out, cut.stride);
            }
            let Scratch { factors, products, lines, .. } = scratch;
            self.products(packed, factors, &cut, panels.len(), 0..rows, products);
            self.results(panels, 0..rows, products, lines, write);
        });
    }

    /// There are too few panels for all cores: these share the factors, and a task takes some rows of the weight.
    fn few(&self, panels: usize, packed: &PackedWeight, write: Write<'_>) {
        const CHANNELS: usize = 64;
        const ROWS: usize = 64;
        let [rows, channels] = self.channels();
        let cut = Cut::new(self, CHANNELS.min(channels));
        let pieces = channels.div_ceil(cut.channels);
        let mut factors = vec![0.0; panels * pieces * cut.len];
        factors.par_chunks_exact_mut(cut.len).enumerate().for_each_init(
            Vec::new,
            |pixels, (i, out)| {
                let start = i % pieces * cut.channels;
                let channels = start..(start + cut.channels).min(channels);
                self.factors(i / pieces, channels, pixels, out, cut.stride);
            },
        );
        (0..rows.div_ceil(ROWS)).into_par_iter().for_each_init(Scratch::default, |scratch, i| {
            let rows = i * ROWS..(i * ROWS + ROWS).min(rows);
            let Scratch { products, lines, .. } = scratch;
            self.products(packed, &factors, &cut, panels, rows.clone(), products);
            self.results(0..panels, rows, products, lines, write);
        });
    }

    /// Computes `out [n, channels, h, w]`.
    #[allow(unsafe_code)]
    fn fill(&self, channels: usize, out: &mut [f32]) {
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
        self.size.map(|len| len.div_ceil(self.form.results()))
    }

    /// Tiles of the batch.
    fn tiles(&self) -> usize {
        let [rows, columns] = self.grid();
        self.x.shape[0] * rows * columns
    }

    /// A matrix `[co, ci]` for each factor.
    fn packed(&self) -> std::sync::Arc<PackedWeight> {
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
        match stretches {
            [row] if row.count == lanes => {
                let len = self.form.results() * lanes + 2;
                pixels.resize(MOST * len, 0.0);
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
                pixels.clear();
                pixels.resize(MOST * MOST * lanes, 0.0);
                for stretch in stretches {
                    let source = self.channel(stretch.image, channel);
                    for i in 0..MOST {
                        let [y, x] = self.corner(stretch.tile, i, 0);
                        let Some(line) = source.row(y) else { continue };
                        for t in 0..stretch.count {
                            let x = x + (t * self.form.results()) as isize;
                            // Pixels of the tile that are inside of the image.
                            let inside = (-x).clamp(0, MOST as isize) as usize;
                            let end = (line.len() as isize - x).clamp(0, MOST as isize) as usize;
                            for j in inside..end {
                                pixels[(i * MOST + j) * lanes + stretch.lane + t] =
                                    source.scale * line[(x + j as isize) as usize];
                            }
                        }
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
            (tile[axis] * self.form.results() + k) as isize - self.padding[axis] as isize
        };
        [place(0, i), place(1, j)]
    }

    fn channel(&self, image: usize, channel: usize) -> Channel<'_> {
        Channel::new(self.x, self.scale, image, channel)
    }

    /// Fills `products`, `[panel][band of mr rows][factor][mr][nr]`, from the panels' factors, piece by piece.
    fn products(
        &self,
        packed: &PackedWeight,
        factors: &[f32],
        cut: &Cut,
        panels: usize,
        rows: Range<usize>,
        products: &mut Vec<f32>,
    ) {
        let (mr, nr) = (self.kernel.mr, self.kernel.nr);
        let [_, channels] = self.channels();
        let (bands, pieces) = (rows.len().div_ceil(mr), channels.div_ceil(cut.channels));
        products.resize(panels * bands * packed.matrices.len() * mr * nr, 0.0);
        for (f, matrix) in packed.matrices.iter().enumerate() {
            for piece in 0..pieces {
                let start = piece * cut.channels;
                let depth = cut.channels.min(channels - start);
                for band in 0..bands {
                    let a = matrix.panel(rows.start / mr + band, mr, start);
                    for panel in 0..panels {
                        let b = &factors[(panel * pieces + piece) * cut.len + f * cut.stride..];
                        let block = (panel * bands + band) * packed.matrices.len() + f;
                        let c = &mut products[block * mr * nr..];
                        match piece {
                            0 => self.kernel.product(depth, a, b, c, nr),
                            _ => self.kernel.run(depth, a, b, c, nr),
                        }
                    }
                }
            }
        }
    }

    /// Writes the pixels of the panels' tiles in the channels `rows`.
    fn results(
        &self,
        panels: Range<usize>,
        rows: Range<usize>,
        products: &[f32],
        lines: &mut Vec<f32>,
        write: Write<'_>,
    ) {
        let (mr, nr) = (self.kernel.mr, self.kernel.nr);
        let (results, factors) = (self.form.results(), self.form.factors());
        let transforms = self.form.transforms(self.kernel);
        let len = results * nr;
        lines.resize(4 * len, 0.0);
        let bands = rows.len().div_ceil(mr);
        for (panel, products) in panels.zip(products.chunks_exact(bands * factors * mr * nr)) {
            let stretches = self.stretches(panel * nr..((panel + 1) * nr).min(self.tiles()));
            for channel in rows.clone() {
                let row = channel - rows.start;
                let products = &products[(row / mr * factors * mr + row % mr) * nr..];
                for lane in (0..nr).step_by(transforms.lanes) {
                    let mut rest = lines.chunks_exact_mut(len);
                    let rows = std::array::from_fn(|_| match rest.next() {
                        Some(line) => &mut line[results * lane..],
                        None => &mut [],
                    });
                    // SAFETY: the micro-kernel's processor has the instructions of its transforms.
                    #[allow(unsafe_code)]
                    unsafe {
                        (transforms.results)(&products[lane..], mr * nr, rows);
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

/// A channel of one image, and its factor.
struct Channel<'a> {
    pixels: &'a [f32],
    size: [usize; 2],
    scale: f32,
}

impl<'a> Channel<'a> {
    /// Of `x [n, c, h, w]`, with the factors `[n, c]`, or 1.
    fn new(x: View<'a>, scale: Option<&[f32]>, image: usize, channel: usize) -> Self {
        let [_, channels, h, w] = x.dims4();
        let index = image * channels + channel;
        Channel {
            pixels: &x.values()[index * h * w..][..h * w],
            size: [h, w],
            scale: scale.map_or(1.0, |s| s[index]),
        }
    }

    /// A row of pixels, unless it lies outside.
    fn row(&self, y: isize) -> Option<&'a [f32]> {
        let y = usize::try_from(y).ok().filter(|&y| y < self.size[0])?;
        Some(&self.pixels[y * self.size[1]..][..self.size[1]])
    }

    /// As many pixels of the row as `copy` holds, from `x` on: those of the image if they are all inside, else a copy with zeros.
    fn stretch<'c>(&self, line: &'c [f32], x: isize, copy: &'c mut [f32]) -> &'c [f32] {
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
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    factors: Vec<f32>,
    products: Vec<f32>,
    pixels: Vec<f32>,
    lines: Vec<f32>,
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
        Cut { channels, stride, len: convolution.form.factors() * stride }
    }
}
