//! A whole layer of StyleGAN2 in one pass: the style is applied where pixels are packed, and demodulation, noise, bias
//! and activation where sums are written.
//!
//! Most up-sampling layers take [`UpSampling`]. The exact way works in tiles of the input, too: the four phases of the
//! transposed convolution go to a plane that stays in cache, which the filter then reads: the intermediate of
//! `(2h+1) x (2w+1)` pixels is never stored. Tiles overlap by a pixel or two, which costs 13 % of the multiply-adds at
//! 16 x 32 and saves two passes over memory.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::View;
use super::conv::{Phase, forward_phase, packed_weight};
use super::disjoint::Disjoint;
use super::elementwise::activate;
use super::microkernel::Microkernel;
use super::packing::{PackedWeight, Patch, Source, Taps};
use super::resample::{Separable, oriented};
use super::tasks::{InTasks, Kept, at_once};
use super::tiles::{Scratch, patches, rectangles, row_blocks};
use super::winograd::{Convolution, Form, Leaky, UpSampling};
use crate::backend::{Activation, BiasAct, Conv, Factors, StyledArgs, StyledConv, UpFirDn};

/// Input pixels of an up-sampling tile.
const TILE: [usize; 2] = [16, 32];

/// Output channels of an up-sampling tile: their planes fill 600 kB.
const TILE_CHANNELS: usize = 64;

/// Whether there is a kernel: always without up-sampling, else for 3x3 weights and separable filters of four taps.
pub(super) fn fuses(op: &StyledConv) -> bool {
    op.up.as_ref().is_none_or(|f| f.height == 4 && f.width == 4 && f.factors.is_some())
}

pub(super) fn styled_conv(
    kernel: &Microkernel,
    form: Option<Form>,
    op: &StyledConv,
    args: &[View<'_>],
    shape: &[usize],
    out: &mut [f32],
) {
    let args = op.unpack(args);
    let layer = Layer { kernel, args, act: &op.act, shape };
    match op.fir(args.weight.shape[2]) {
        None => match form {
            Some(form) => layer.winograd(form, out),
            None => layer.same_size(&op.conv(args.weight.shape[2]), out),
        },
        Some(fir) => match form.and_then(|_| filter_taps(&fir)) {
            Some(filter) => layer.winograd_doubled(filter, out),
            None => layer.doubled(&fir, out),
        },
    }
}

struct Layer<'a> {
    kernel: &'a Microkernel,
    args: StyledArgs<View<'a>>,
    act: &'a BiasAct,
    shape: &'a [usize],
}

impl Layer<'_> {
    fn source(&self, image: usize) -> Source<'_> {
        let [_, ci, h, w] = self.args.x.dims4();
        Source {
            channels: &self.args.x.values()[image * ci * h * w..][..ci * h * w],
            size: [h, w],
            scale: Some(&self.args.style.values()[image * ci..][..ci]),
        }
    }

    /// Writes a stretch of one row of an image's channel: `values` come from the convolution.
    #[allow(unsafe_code)]
    fn finish(
        &self,
        image: usize,
        channel: usize,
        pixel: usize,
        values: &[f32],
        out: &Disjoint<'_>,
    ) {
        let &[_, co, h, w] = self.shape else { return };
        // SAFETY: each pixel of each channel belongs to one task: tiles and blocks of channels do not overlap.
        let out = unsafe { out.range((image * co + channel) * h * w + pixel, values.len()) };
        let demod = self.args.demod.map_or(1.0, |d| d.values()[image * co + channel]);
        let bias = self.args.bias.map_or(0.0, |b| b.values()[channel]);
        let noise = self
            .args
            .noise
            .map(|noise| &noise.values()[image % noise.shape[0] * h * w + pixel..][..values.len()]);
        if self.act.act == Activation::Lrelu && self.act.clamp.is_none() {
            let (alpha, gain) = (self.act.alpha as f32, self.act.gain as f32);
            let leaky = Leaky { demod, bias, alpha, gain, noise };
            // SAFETY: the micro-kernel's processor has the instructions of its transforms.
            return unsafe { (self.kernel.winograd.leaky)(&leaky, values, out) };
        }
        match noise {
            None => out.iter_mut().zip(values).for_each(|(o, v)| *o = v * demod + bias),
            Some(noise) => {
                let values = values.iter().zip(noise);
                out.iter_mut().zip(values).for_each(|(o, (v, n))| *o = v * demod + n + bias);
            }
        }
        activate(self.act, out);
    }

    fn winograd(&self, form: Form, out: &mut [f32]) {
        let out = Disjoint::new(out);
        let convolution = Convolution {
            kernel: self.kernel,
            form,
            x: self.args.x,
            scale: Some(self.args.style.values()),
            weight: self.args.weight,
            transposed: false,
            padding: [1, 1],
            size: [self.shape[2], self.shape[3]],
        };
        convolution.run(&|image, channel, pixel, values| {
            self.finish(image, channel, pixel, values, &out);
        });
    }

    fn winograd_doubled(&self, filter: [[f32; 4]; 2], out: &mut [f32]) {
        let out = Disjoint::new(out);
        let layer = UpSampling {
            kernel: self.kernel,
            x: self.args.x,
            scale: Some(self.args.style.values()),
            weight: self.args.weight,
            filter: Some(filter),
        };
        layer.run(&|image, channel, pixel, values| {
            self.finish(image, channel, pixel, values, &out);
        });
    }

    fn same_size(&self, conv: &Conv, out: &mut [f32]) {
        let [n, _, h, w] = self.args.x.dims4();
        let [co, _, k, _] = self.args.weight.dims4();
        let phase = forward_phase(conv, [k, k], [h, w]);
        let kernel = self.kernel.for_columns(h * w);
        let packed =
            packed_weight(kernel, self.args.weight, std::slice::from_ref(&phase), [1, 1], 1, false);
        let patches = patches([h, w]);
        let blocks = row_blocks(co, n * patches.len(), kernel.mr);
        let out = Disjoint::new(out);
        let tasks = tasks(n, &patches, &blocks);
        let least = at_once(tasks.len(), n * h * w * self.args.weight.values().len());
        tasks.into_par_iter().in_tasks_with(
            least,
            Scratch::kept,
            |scratch, (image, patch, rows)| {
                let taps = Taps { step: [1, 1], offsets: &phase.offsets };
                let source = self.source(image);
                let first = rows.start;
                let sums =
                    scratch.product(kernel, &packed.matrices[0], rows.clone(), source, taps, patch);
                for row in rows {
                    let lines = sums.row(row - first).chunks_exact(patch.size[1]);
                    for (i, line) in lines.enumerate() {
                        let pixel = (patch.origin[0] + i) * w + patch.origin[1];
                        self.finish(image, row, pixel, line, &out);
                    }
                }
            },
        );
    }

    fn doubled(&self, fir: &UpFirDn, out: &mut [f32]) {
        let [n, _, h, w] = self.args.x.dims4();
        let [_, co, _, _] = self.args.weight.dims4();
        let phases = up_phases();
        let packed = packed_weight(self.kernel, self.args.weight, &phases, [2, 2], 1, true);
        let tiles = rectangles([h, w], TILE);
        let mut blocks = row_blocks(co, n * tiles.len(), self.kernel.mr);
        if blocks[0].len() > TILE_CHANNELS {
            blocks = (0..co)
                .step_by(TILE_CHANNELS)
                .map(|start| start..(start + TILE_CHANNELS).min(co))
                .collect();
        }
        let out = Disjoint::new(out);
        let tasks = tasks(n, &tiles, &blocks);
        let least = at_once(tasks.len(), n * h * w * self.args.weight.values().len());
        tasks.into_par_iter().in_tasks_with(
            least,
            || Kept::of(&SCRATCH),
            |scratch, (image, tile, rows)| {
                self.up_tile(fir, &phases, &packed, image, tile, rows, scratch, &out);
            },
        );
    }

    #[allow(clippy::too_many_arguments)]
    fn up_tile(
        &self,
        fir: &UpFirDn,
        phases: &[Phase; 4],
        packed: &PackedWeight,
        image: usize,
        tile: Patch,
        rows: Range<usize>,
        scratch: &mut UpScratch,
        out: &Disjoint<'_>,
    ) {
        let [height, width] = tile.size.map(|len| 2 * len + 3);
        let plane = height * width;
        scratch.planes.resize(rows.len() * plane, 0.0);
        for (index, phase) in phases.iter().enumerate() {
            let size = [tile.size[0] + phase.grid[0], tile.size[1] + phase.grid[1]];
            let patch = Patch { origin: tile.origin, size };
            let taps = Taps { step: [1, 1], offsets: &phase.offsets };
            let weight = &packed.matrices[index];
            let source = self.source(image);
            let sums =
                scratch.product.product(self.kernel, weight, rows.clone(), source, taps, patch);
            for (row, plane) in scratch.planes.chunks_exact_mut(plane).enumerate() {
                for (i, line) in sums.row(row).chunks_exact(size[1]).enumerate() {
                    let start = (2 * i + phase.first[0]) * width + phase.first[1];
                    let places = plane[start..].iter_mut().step_by(2);
                    places.zip(line).for_each(|(o, &v)| *o = v);
                }
            }
        }
        // The tile's planes start one pixel before its first output, so nothing is left to pad.
        let [rows_out, columns_out] = tile.size.map(|len| 2 * len);
        let inner = UpFirDn { padding: [[0; 2]; 2], ..fir.clone() };
        // `fuses` asked for separable filters.
        let Some(filter) = Separable::new(&inner, [height, width], [rows_out, columns_out]) else {
            return;
        };
        scratch.filtered.resize(rows_out * columns_out, 0.0);
        for (channel, plane) in rows.zip(scratch.planes.chunks_exact(plane)) {
            filter.plane(self.kernel, plane, &mut scratch.lines, &mut scratch.filtered);
            for (i, line) in scratch.filtered.chunks_exact(columns_out).enumerate() {
                let pixel = (2 * tile.origin[0] + i) * self.shape[3] + 2 * tile.origin[1];
                self.finish(image, channel, pixel, line, out);
            }
        }
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct UpScratch {
    product: Scratch,
    /// `[channels, 2*rows + 3, 2*columns + 3]`
    planes: Vec<f32>,
    lines: Vec<f32>,
    filtered: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<UpScratch> = Cell::default();
}

/// Phases of the transposed convolution with a 3x3 kernel and stride 2, as one tile sees them. Its plane starts at an
/// odd row and column: the odd phases, which only the middle tap reaches, have two points more than the tile has
/// pixels, the even ones, with taps 0 and 2, one point more. `grid` holds these additions. The order of phases and taps is
/// that of [`transposed_phases`](super::conv::transposed_phases), so that both use one packed weight.
fn up_phases() -> [Phase; 4] {
    // Points beyond the tile's, and the taps with the input pixel that they read.
    let axis = |even: bool| match even {
        false => (2, vec![(1, -1)]),
        true => (1, vec![(0, 0), (2, -1)]),
    };
    [(true, true), (true, false), (false, true), (false, false)].map(|(y, x)| {
        let ((rows, ys), (columns, xs)) = (axis(y), axis(x));
        let taps = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (y, x)));
        let (kernel, offsets) = taps.map(|((ky, dy), (kx, dx))| (ky * 3 + kx, [dy, dx])).unzip();
        Phase { kernel, offsets, grid: [rows, columns], first: [usize::from(y), usize::from(x)] }
    })
}

/// Taps along y and x of the filter that follows the transposed convolution.
fn filter_taps(fir: &UpFirDn) -> Option<[[f32; 4]; 2]> {
    let Factors { column, row } = fir.filter.factors.as_ref()?;
    let vertical = oriented(fir, column, fir.gain).try_into().ok()?;
    let horizontal = oriented(fir, row, 1.0).try_into().ok()?;
    Some([vertical, horizontal])
}

fn tasks(
    images: usize,
    patches: &[Patch],
    blocks: &[Range<usize>],
) -> Vec<(usize, Patch, Range<usize>)> {
    (0..images)
        .flat_map(|image| patches.iter().map(move |&patch| (image, patch)))
        .flat_map(|(image, patch)| blocks.iter().map(move |rows| (image, patch, rows.clone())))
        .collect()
}
