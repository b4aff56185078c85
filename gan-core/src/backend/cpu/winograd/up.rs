//! The up-sampling layer of StyleGAN2, a transposed convolution with 3x3 kernels and stride 2 and a filter of 4x4 taps, with
//! fewer multiply-adds than the kernel has taps; and the convolution without the filter.
//!
//! Along one axis, pixel `i` reaches odd results by the middle tap, `Y[2i+1] = w1 x[i]`, and even ones by the others,
//! `Y[2i] = w0 x[i] + w2 x[i-1]`: the latter are a correlation with two taps, of which Winograd's `F(2, 2)` computes two results
//! by three products instead of four. A tile of two pixels, which reads `x0`, `x1` and `x2`, thus takes five products of a
//! factor of the weight and one of the pixels:
//!
//! ```text
//! w2 (x0 - x1)    (w2 + w0) x1    w0 (x2 - x1)    w1 x0    w1 x1
//! ```
//!
//! In two dimensions: 16 factors of the pixels, 16 of the weight, 25 products for 4 x 4 results of 2 x 2 pixels. That is 6.25
//! multiply-adds a pixel instead of 9, all in matrix products of one size whose operands are packed once.
//!
//! A task takes a region of the image through all steps, so that factors, products and the results, of which none reach
//! memory before the filter, stay in cache. Regions overlap by what the filter reads: 16 % more tiles at 16 x 64.

use std::cell::Cell;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use rayon::prelude::*;

use super::channel::Channel;
use super::transform::Places;
use super::{Form, Write, cuts_rows, is_large};
use crate::backend::cpu::View;
use crate::backend::cpu::microkernel::Microkernel;
use crate::backend::cpu::packing::{PackKey, PackedMatrix, PackedWeight, Patch};
use crate::backend::cpu::tasks::{InTasks, Kept, at_once, first, rows_at_once};
use crate::backend::cpu::tiles::rectangles;

/// Pixels of a region.
const REGION: [usize; 2] = [16, 64];

/// Output channels of a region whose products are kept at a time: at 320 tiles, a megabyte.
const ROWS: usize = 32;

/// Input channels in one piece of the factors.
const DEPTH: usize = 128;

/// Factors along one axis.
const FACTORS: usize = 4;

/// The factor of the weight and that of the pixels in each product along one axis.
pub(super) const PAIRS: [[usize; 2]; 5] = [[0, 0], [1, 1], [2, 2], [3, 3], [3, 1]];

/// Products of a tile.
const PRODUCTS: usize = PAIRS.len() * PAIRS.len();

/// Values behind a line that vectors may read or write: the longest vector, which is also more than the filter's reach.
const SLACK: usize = 16;

/// Whether this beats the direct way for a weight `[ci, co, 3, 3]` and a result of that size.
pub(in super::super) fn pays(ci: usize, co: usize, size: [usize; 2]) -> bool {
    let pixels = size[0] * size[1];
    ci.min(co) >= 16 && pixels >= 64 && (pixels > 256 || !is_large(ci, co))
}

/// The layer for a whole batch.
pub(in super::super) struct UpSampling<'a> {
    pub(in super::super) kernel: &'a Microkernel,
    /// `[n, ci, h, w]`
    pub(in super::super) x: View<'a>,
    /// Factors of the input channels, `[n, ci]`.
    pub(in super::super) scale: Option<&'a [f32]>,
    /// `[ci, co, 3, 3]`
    pub(in super::super) weight: View<'a>,
    /// Taps along y and x in the order in which they meet the results of the convolution.
    pub(in super::super) filter: Option<[[f32; 4]; 2]>,
}

impl UpSampling<'_> {
    /// Computes every pixel once and hands it to `write`.
    pub(in super::super) fn run(&self, write: Write<'_>) {
        let regions = self.regions();
        let tiles = regions.iter().map(Region::tiles);
        let kernel = self.kernel.for_columns(tiles.max().unwrap_or(0));
        UpSampling { kernel, ..*self }.run_with_kernel(&regions, write);
    }

    fn run_with_kernel(&self, regions: &[Region], write: Write<'_>) {
        let cut = Cut::new(self, regions);
        let packed = self.packed();
        let [ci, co, _, _] = self.weight.dims4();
        let tiles: usize = regions.iter().map(Region::tiles).sum();
        let work = tiles * ci * co * PRODUCTS;
        // The bits are the same either way.
        match cuts_rows(regions.len(), tiles, co) {
            true => self.few(regions, work, &cut, &packed, write),
            false => self.many(regions, work, &cut, &packed, write),
        }
    }

    /// A task takes a region from pixels to pixels.
    fn many(
        &self,
        regions: &[Region],
        work: usize,
        cut: &Cut,
        packed: &PackedWeight,
        write: Write<'_>,
    ) {
        let least = at_once(regions.len(), work);
        let buffers = || (scratch(), self.weight.lend(cut.pieces * cut.len));
        regions.par_iter().in_tasks_with(least, buffers, |(scratch, factors), region| {
            for (piece, out) in factors.chunks_exact_mut(cut.len).enumerate() {
                self.factors(region, cut.channels(piece), cut, &mut scratch.pixels, out);
            }
            for rows in self.blocks(ROWS) {
                self.block(region, rows, packed, factors, cut, scratch, write);
            }
        });
    }

    /// There are too few regions for all cores: these share the factors, and a task takes some output channels.
    fn few(
        &self,
        regions: &[Region],
        work: usize,
        cut: &Cut,
        packed: &PackedWeight,
        write: Write<'_>,
    ) {
        let mut shared = self.weight.lend(regions.len() * cut.pieces * cut.len);
        let parts = shared.par_chunks_exact_mut(cut.len).enumerate();
        // A factor costs about as much as eight of its products.
        let least = at_once(regions.len() * cut.pieces, 8 * work / self.weight.shape[1]);
        parts.in_tasks_with(least, scratch, |scratch, (i, out)| {
            let (region, piece) = (&regions[i / cut.pieces], i % cut.pieces);
            self.factors(region, cut.channels(piece), cut, &mut scratch.pixels, out);
        });
        let tasks: Vec<(usize, Range<usize>)> = self
            .blocks(rows_at_once(self.weight.shape[1], self.kernel.mr, ROWS))
            .flat_map(|rows| (0..regions.len()).map(move |i| (i, rows.clone())))
            .collect();
        let least = at_once(tasks.len(), work);
        tasks.into_par_iter().in_tasks_with(least, scratch, |scratch, (i, rows)| {
            let factors = &shared[i * cut.pieces * cut.len..][..cut.pieces * cut.len];
            self.block(&regions[i], rows, packed, factors, cut, scratch, write);
        });
    }

    fn regions(&self) -> Vec<Region> {
        let [n, _, h, w] = self.x.dims4();
        let patches = rectangles([h, w], REGION);
        (0..n)
            .flat_map(|image| patches.iter().map(move |&patch| Region::new(image, patch)))
            .collect()
    }

    /// Blocks of so many output channels.
    fn blocks(&self, rows: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let [_, co, _, _] = self.weight.dims4();
        (0..co).step_by(rows).map(move |start| start..(start + rows).min(co))
    }

    /// A matrix `[co, ci]` for each factor of the weight.
    fn packed(&self) -> Arc<PackedWeight> {
        let [ci, co, _, _] = self.weight.dims4();
        let key = PackKey {
            shape: self.weight.dims4(),
            transposed: true,
            phases: [2, 2],
            groups: 1,
            mr: self.kernel.mr,
            form: Some(Form::F2),
        };
        let values = self.weight.values();
        self.weight.buffer.packed(key, || {
            PackedMatrix::many(FACTORS * FACTORS, [co, ci], self.kernel.mr, |row, channel, put| {
                let taps = &values[(channel * co + row) * 9..][..9];
                let line = |i: usize| weight_factors([0, 1, 2].map(|j| f64::from(taps[3 * i + j])));
                let lines = [line(0), line(1), line(2)];
                for j in 0..FACTORS {
                    let column = weight_factors(lines.map(|line| line[j]));
                    (0..FACTORS).for_each(|i| put(i * FACTORS + j, column[i] as f32));
                }
            })
        })
    }

    /// The factors of some channels of a region, `[panel][factor][channel][nr]`.
    #[allow(unsafe_code)]
    fn factors(
        &self,
        region: &Region,
        channels: Range<usize>,
        cut: &Cut,
        pixels: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let (nr, up) = (self.kernel.nr, &self.kernel.winograd.up);
        let panels = region.tiles().div_ceil(nr);
        let mut thirds = Thirds::new(region, panels * nr, pixels);
        for (i, channel) in channels.enumerate() {
            thirds.read(self.kernel, region, &self.channel(region.image, channel));
            for (panel, out) in out.chunks_exact_mut(cut.panel).enumerate().take(panels) {
                for lane in (0..nr).step_by(up.lanes) {
                    let (pixels, out) =
                        (&thirds.values[panel * nr + lane..], &mut out[i * nr + lane..]);
                    // SAFETY: the micro-kernel's processor has the instructions of its transforms.
                    unsafe { (up.factors)(pixels, &thirds.places, out, cut.stride) };
                }
            }
        }
    }

    fn channel(&self, image: usize, channel: usize) -> Channel<'_> {
        Channel::new(self.x, self.scale, image, channel)
    }

    /// Some output channels of a region, from the factors of all of its pixels.
    #[allow(clippy::too_many_arguments)]
    fn block(
        &self,
        region: &Region,
        rows: Range<usize>,
        packed: &PackedWeight,
        factors: &[f32],
        cut: &Cut,
        scratch: &mut Scratch,
        write: Write<'_>,
    ) {
        let panels = region.tiles().div_ceil(self.kernel.nr);
        self.products(panels, rows.clone(), packed, factors, cut, &mut scratch.products);
        let mut lines = Lines::new(4 * panels * self.kernel.nr, &mut scratch.lines);
        for channel in rows.clone() {
            self.results(panels, channel - rows.start, rows.len(), &scratch.products, &mut lines);
            match self.filter {
                Some(filter) => self.filter(filter, region, channel, &mut lines, write),
                None => self.copy(region, channel, &mut lines, write),
            }
        }
    }

    /// Fills `products`, `[panel][band of mr rows][product][mr][nr]`.
    fn products(
        &self,
        panels: usize,
        rows: Range<usize>,
        packed: &PackedWeight,
        factors: &[f32],
        cut: &Cut,
        products: &mut Vec<f32>,
    ) {
        let (mr, nr) = (self.kernel.mr, self.kernel.nr);
        let bands = rows.len().div_ceil(mr);
        let products = first(products, panels * bands * PRODUCTS * mr * nr);
        for (matrix, uses) in packed.matrices.iter().zip(USES.iter()) {
            for (piece, factors) in factors.chunks_exact(cut.len).enumerate() {
                let channels = cut.channels(piece);
                for band in 0..bands {
                    let a = matrix.panel(rows.start / mr + band, mr, channels.start);
                    for (panel, factors) in factors.chunks_exact(cut.panel).enumerate().take(panels)
                    {
                        for &(factor, product) in uses {
                            let b = &factors[factor * cut.stride..];
                            let block = (panel * bands + band) * PRODUCTS + product;
                            let c = &mut products[block * mr * nr..];
                            match piece {
                                0 => self.kernel.product(channels.len(), a, b, c, nr),
                                _ => self.kernel.run(channels.len(), a, b, c, nr),
                            }
                        }
                    }
                }
            }
        }
    }

    /// Combines the products of one of `rows` output channels.
    #[allow(unsafe_code)]
    fn results(
        &self,
        panels: usize,
        row: usize,
        rows: usize,
        products: &[f32],
        lines: &mut Lines<'_>,
    ) {
        let (mr, nr, up) = (self.kernel.mr, self.kernel.nr, &self.kernel.winograd.up);
        let bands = rows.div_ceil(mr);
        for panel in 0..panels {
            let start = ((panel * bands + row / mr) * PRODUCTS * mr + row % mr) * nr;
            for lane in (0..nr).step_by(up.lanes) {
                let out = lines.results(4 * (panel * nr + lane));
                // SAFETY: the micro-kernel's processor has the instructions of its transforms.
                unsafe { (up.results)(&products[start + lane..], mr * nr, out) };
            }
        }
    }

    /// Filters one channel of a region. Its results start one pixel before its first output, so nothing is left to pad.
    #[allow(unsafe_code)]
    fn filter(
        &self,
        [vertical, horizontal]: [[f32; 4]; 2],
        region: &Region,
        channel: usize,
        lines: &mut Lines<'_>,
        write: Write<'_>,
    ) {
        let (up, width) = (&self.kernel.winograd.up, 2 * self.x.shape[3]);
        for i in 0..4 {
            let (line, out) = lines.narrowing(i);
            let shifted = [line, &line[1..], &line[2..], &line[3..]];
            // SAFETY: the micro-kernel's processor has the instructions of its transforms.
            unsafe { (up.filter)(shifted, horizontal, out) };
        }
        let [rows, columns] = region.patch.size.map(|len| 2 * len);
        let [y, x] = region.patch.origin.map(|at| 2 * at);
        for i in 0..rows {
            let (rows, out) = lines.filtering(i, 4 * region.grid[1], columns);
            // SAFETY: as above.
            unsafe { (up.filter)(rows, vertical, out) };
            write(region.image, channel, (y + i) * width + x, &out[..columns]);
        }
    }

    /// Writes one channel of a region as it is: two results a pixel, and one more at the end of the image.
    fn copy(&self, region: &Region, channel: usize, lines: &mut Lines<'_>, write: Write<'_>) {
        let [_, _, h, w] = self.x.dims4();
        let Patch { origin, size } = region.patch;
        let [rows, columns] = [(0, h), (1, w)]
            .map(|(axis, len)| 2 * size[axis] + usize::from(origin[axis] + size[axis] == len));
        let [y, x] = origin.map(|at| 2 * at);
        for i in 0..rows {
            // The first results are those before the region's.
            let line = &lines.row(i + 1, 4 * region.grid[1])[1..][..columns];
            write(region.image, channel, (y + i) * (2 * w + 1) + x, line);
        }
    }
}

/// Taps along one axis to the factors that come from them.
fn weight_factors([a, b, c]: [f64; 3]) -> [f64; FACTORS] {
    [c, a + c, a, b]
}

/// For each matrix of the weight, the factors of the pixels that it meets and the products that they give.
static USES: LazyLock<[Vec<(usize, usize)>; FACTORS * FACTORS]> = LazyLock::new(|| {
    let mut uses = std::array::from_fn(|_| Vec::new());
    for (i, [row, above]) in PAIRS.into_iter().enumerate() {
        for (j, [column, beside]) in PAIRS.into_iter().enumerate() {
            uses[row * FACTORS + column].push((above * FACTORS + beside, i * PAIRS.len() + j));
        }
    }
    uses
});

/// Some pixels of an image, and the tiles that the filter of their results reads.
struct Region {
    image: usize,
    patch: Patch,
    /// Rows and columns of tiles: four results each, from the one before the first on.
    grid: [usize; 2],
}

impl Region {
    fn new(image: usize, patch: Patch) -> Self {
        Region { image, patch, grid: patch.size.map(|len| (2 * len + 3).div_ceil(4)) }
    }

    fn tiles(&self) -> usize {
        self.grid[0] * self.grid[1]
    }
}

/// How the factors of a region are stored: in pieces of some channels, each `[panel][factor][channel][nr]`.
struct Cut {
    /// Input channels of all pieces.
    all: usize,
    pieces: usize,
    /// Distance between factors: a little more than a power of two, or they would all compete for the same lines of the
    /// cache.
    stride: usize,
    /// Values of a panel.
    panel: usize,
    /// Values of a piece, in the largest region.
    len: usize,
}

impl Cut {
    fn new(layer: &UpSampling<'_>, regions: &[Region]) -> Self {
        let [all, _, _, _] = layer.weight.dims4();
        let nr = layer.kernel.nr;
        let panels = regions.iter().map(|r| r.tiles().div_ceil(nr)).max().unwrap_or(0);
        let stride = DEPTH.min(all) * nr + 48;
        let panel = FACTORS * FACTORS * stride;
        Cut { all, pieces: all.div_ceil(DEPTH), stride, panel, len: panels * panel }
    }

    fn channels(&self, piece: usize) -> Range<usize> {
        piece * DEPTH..(piece * DEPTH + DEPTH).min(self.all)
    }
}

/// The pixels of one channel that the tiles of a region read, each third of the 3 columns by itself: those of all tiles at
/// column 0, at 1 and at 2, in even rows, then the same in odd rows. Neighbouring tiles share the rows in between.
struct Thirds<'a> {
    values: &'a mut [f32],
    /// Distance between the six.
    len: usize,
    places: Places,
}

impl<'a> Thirds<'a> {
    fn new(region: &Region, tiles: usize, values: &'a mut Vec<f32>) -> Self {
        let columns = region.grid[1];
        let len = tiles + columns + SLACK;
        let values = first(values, 6 * len + line_len(columns));
        let places = [0, 3 * len, columns].map(|row| [row, row + len, row + 2 * len]);
        Thirds { values, len, places }
    }

    /// Reads a channel's pixels, times its factor, with zeros outside of the image.
    #[allow(unsafe_code)]
    fn read(&mut self, kernel: &Microkernel, region: &Region, source: &Channel<'_>) {
        let [rows, columns] = region.grid;
        let (thirds, copy) = self.values.split_at_mut(6 * self.len);
        let copy = &mut copy[..line_len(columns)];
        let [y, x] = region.patch.origin.map(|at| at as isize - 1);
        for i in 0..2 * rows + 1 {
            let line = source.row(y + i as isize).unwrap_or_default();
            let line = source.stretch(line, x, copy);
            let start = i % 2 * 3 * self.len + i / 2 * columns;
            // What the vectors of a row write behind its end, the next row overwrites.
            let out = &mut thirds[start..];
            // SAFETY: the micro-kernel's processor has the instructions of its transforms.
            unsafe { (kernel.winograd.up.thirds)(line, source.scale, columns, out, self.len) };
        }
    }
}

/// Pixels of a row of some tiles, in whole vectors.
fn line_len(columns: usize) -> usize {
    2 * columns.next_multiple_of(SLACK) + 2
}

/// Results of one channel of a region: four rows, each of the tiles of the region in turn. Rows of results lie one behind the
/// other, every fourth in one line.
struct Lines<'a> {
    results: &'a mut [f32],
    narrow: &'a mut [f32],
    out: &'a mut [f32],
    /// Results in a line, without the slack.
    len: usize,
}

impl<'a> Lines<'a> {
    fn new(len: usize, values: &'a mut Vec<f32>) -> Self {
        let all = 4 * (len + SLACK);
        let most = 2 * REGION[1].next_multiple_of(SLACK);
        let values = first(values, 2 * all + most);
        let (results, rest) = values.split_at_mut(all);
        let (narrow, rest) = rest.split_at_mut(all);
        Lines { results, narrow, out: &mut rest[..most], len }
    }

    /// The four lines from some result on.
    fn results(&mut self, start: usize) -> [&mut [f32]; 4] {
        let mut lines = self.results.chunks_exact_mut(self.len + SLACK);
        std::array::from_fn(|_| match lines.next() {
            Some(line) => &mut line[start..],
            None => &mut [],
        })
    }

    /// A row of `width` results.
    fn row(&self, row: usize, width: usize) -> &[f32] {
        &self.results[row % 4 * (self.len + SLACK) + row / 4 * width..][..width]
    }

    /// A line, and what comes of it by the filter along x.
    fn narrowing(&mut self, i: usize) -> (&[f32], &mut [f32]) {
        let start = i * (self.len + SLACK);
        (&self.results[start..][..self.len + SLACK], &mut self.narrow[start..][..self.len])
    }

    /// The four rows of `width` results that output `row` reads, and the output, in whole vectors.
    fn filtering(&mut self, row: usize, width: usize, columns: usize) -> ([&[f32]; 4], &mut [f32]) {
        let (narrow, pitch) = (&self.narrow, self.len + SLACK);
        let rows = std::array::from_fn(|t| {
            let (line, at) = ((row + t) % 4, (row + t) / 4);
            &narrow[line * pitch + at * width..(line + 1) * pitch]
        });
        (rows, &mut self.out[..columns.next_multiple_of(SLACK)])
    }
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

fn scratch() -> Kept<Scratch> {
    Kept::of(&SCRATCH)
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    products: Vec<f32>,
    pixels: Vec<f32>,
    lines: Vec<f32>,
}
