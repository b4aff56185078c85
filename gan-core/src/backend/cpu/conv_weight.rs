//! The weight gradient of a convolution: scalar products of the gradient's planes with planes of the image, shifted by each tap.
//!
//! All planes are copied, some pixels at a time. The image once for each column of taps, so that rows lie as the gradient's do; a tap
//! further down then is a slice from a later row on. With a stride along y, so many copies each take the rows that some taps read.
//! Between images are rows in which the gradient is zero.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::View;
use super::dots::BLOCK;
use super::microkernel::Microkernel;
use super::tasks::{Kept, first};
use crate::backend::Conv;

/// Values of all copies of a task, if a row is no longer than what that leaves for a plane: half of a second-level cache.
const VALUES: usize = 1 << 17;

/// Pixels of a plane at most: eight of them fill the first-level cache.
const PIXELS: usize = 1024;

/// Output channels of one task, and input channels: fewer would be copied more often for as many products.
const CHANNELS: usize = 64;

/// Tasks that are worth adding up partial results for. Never the number of threads: sums must not depend on it.
const TASKS: usize = 16;

/// `x [n, ci, h, w]`, `g [n, co, h', w']` to `out [co, ci/groups, kh, kw]`.
pub(super) fn conv_weight(
    kernel: &Microkernel,
    conv: &Conv,
    x: View<'_>,
    g: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let [co, inputs, kh, kw] = [shape[0], shape[1], shape[2], shape[3]];
    let (outputs, taps) = (co / conv.groups, kh * kw);
    let plan = Plan::new(conv, [kh, kw], g.shape[3]);
    let planes = outputs.min(CHANNELS) + inputs.min(CHANNELS) * plan.copies();
    let parts = parts(g, (VALUES / planes).min(PIXELS));
    let blocks = [outputs.div_ceil(CHANNELS), inputs.div_ceil(CHANNELS)];
    let block_count = conv.groups * blocks[0] * blocks[1];
    let shares: Vec<&[Part]> =
        parts.chunks(parts.len().div_ceil(TASKS.div_ceil(block_count))).collect();
    let sums: Vec<Vec<f32>> = (0..block_count * shares.len())
        .into_par_iter()
        .map_init(
            || Kept::of(&PLANES),
            |planes, task| {
                let (block, parts) = (task / shares.len(), shares[task % shares.len()]);
                let (group, o, i) = (
                    block / (blocks[0] * blocks[1]),
                    block / blocks[1] % blocks[0],
                    block % blocks[1],
                );
                let range = |block: usize, size: usize, count: usize, group: usize| {
                    let (start, end) = (block * size, (block * size + size).min(count));
                    group * count + start..group * count + end
                };
                let rows = range(o, CHANNELS, outputs, group);
                let columns = range(i, CHANNELS, inputs, group);
                let mut sums = vec![0.0; rows.len() * columns.len() * taps];
                for part in parts {
                    planes.copy_gradient(&plan, g, rows.clone(), part);
                    planes.copy_image(&plan, x, columns.clone(), part);
                    planes.add_products(kernel, &plan, columns.len(), &mut sums);
                }
                sums
            },
        )
        .collect();

    // The shares of each block, in their order.
    out.par_chunks_mut(inputs * taps).enumerate().for_each(|(channel, out)| {
        let (group, channel) = (channel / outputs, channel % outputs);
        let (o, row) = (channel / CHANNELS, channel % CHANNELS);
        for (i, out) in out.chunks_mut(CHANNELS * taps).enumerate() {
            let block = (group * blocks[0] + o) * blocks[1] + i;
            out.fill(0.0);
            for sums in &sums[block * shares.len()..][..shares.len()] {
                let sums = &sums[row * out.len()..];
                out.iter_mut().zip(sums).for_each(|(o, s)| *o += s);
            }
        }
    });
}

/// Some rows of some images of the gradient.
struct Part {
    images: Range<usize>,
    rows: Range<usize>,
}

/// As many images as fit, or as many rows of one.
fn parts(g: View<'_>, pixels: usize) -> Vec<Part> {
    let [n, _, rows, columns] = g.dims4();
    let images = (pixels / (rows * columns)).max(1);
    let count = if images > 1 { rows } else { (pixels / columns).max(1) };
    let cut =
        |len: usize, step: usize| (0..len).step_by(step).map(move |at| at..(at + step).min(len));
    cut(n, images)
        .flat_map(|images| cut(rows, count).map(move |rows| Part { images: images.clone(), rows }))
        .collect()
}

/// How copies are laid out.
struct Plan {
    conv: Conv,
    /// Taps along y and x.
    kernel: [usize; 2],
    /// Pixels in a row of the gradient.
    columns: usize,
    /// Copies of a channel for each column of taps, and how many of their rows a tap may be further down.
    phases: usize,
    reach: usize,
}

impl Plan {
    fn new(conv: &Conv, kernel: [usize; 2], columns: usize) -> Self {
        let phases = kernel[0].min(conv.stride[0]);
        let reach = (kernel[0] - 1) / conv.stride[0];
        Plan { conv: *conv, kernel, columns, phases, reach }
    }

    /// Copies of an input channel.
    fn copies(&self) -> usize {
        self.phases * self.kernel[1]
    }

    /// Pixels of an image in a copy.
    fn area(&self, part: &Part) -> usize {
        (part.rows.len() + self.reach) * self.columns
    }
}

/// Copies of one task.
#[derive(Default)]
struct Planes {
    /// `[output channels, stride]` from a cache line's start on.
    gradient: Vec<f32>,
    /// `[input channels, phases, columns of taps, stride]` from a cache line's start on.
    image: Vec<f32>,
    /// Pixels that a product runs over.
    len: usize,
    /// Distance of planes, whole cache lines.
    stride: usize,
}

thread_local! {
    static PLANES: Cell<Planes> = Cell::default();
}

/// Values of a cache line.
const LINE: usize = 16;

/// Where whole cache lines of a buffer start.
fn aligned(values: &[f32]) -> usize {
    values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE)
}

impl Planes {
    fn copy_gradient(&mut self, plan: &Plan, g: View<'_>, channels: Range<usize>, part: &Part) {
        let [_, co, height, width] = g.dims4();
        let (share, area) = (part.rows.len() * width, plan.area(part));
        self.len = part.images.len() * area - plan.reach * width;
        // An odd number of lines: else a product's eight rows would all compete for the same lines of the first-level cache.
        self.stride = ((part.images.len() * area).div_ceil(LINE) | 1) * LINE;
        let planes = first(&mut self.gradient, channels.len() * self.stride + LINE);
        let start = aligned(planes);
        for (plane, channel) in planes[start..].chunks_exact_mut(self.stride).zip(channels) {
            for (plane, image) in plane.chunks_exact_mut(area).zip(part.images.clone()) {
                let from = ((image * co + channel) * height + part.rows.start) * width;
                plane[..share].copy_from_slice(&g.values()[from..][..share]);
                plane[share..].fill(0.0);
            }
        }
    }

    fn copy_image(&mut self, plan: &Plan, x: View<'_>, channels: Range<usize>, part: &Part) {
        let ([_, ci, height, width], [_, kw]) = (x.dims4(), plan.kernel);
        let Conv { stride, padding, .. } = plan.conv;
        let copies = plan.copies();
        let planes = first(&mut self.image, channels.len() * copies * self.stride + LINE);
        let start = aligned(planes);
        let planes = planes[start..].chunks_exact_mut(self.stride);
        let all = channels.flat_map(|channel| (0..copies).map(move |copy| (channel, copy)));
        for (plane, (channel, copy)) in planes.zip(all) {
            let (phase, tap) = (copy / kw, copy % kw);
            for (plane, image) in plane.chunks_exact_mut(plan.area(part)).zip(part.images.clone()) {
                let x = &x.values()[(image * ci + channel) * height * width..][..height * width];
                if stride == [1, 1] && width == plan.columns {
                    shift(x, width, part.rows.start, tap, padding, plane);
                    continue;
                }
                for (line, row) in plane.chunks_exact_mut(plan.columns).zip(part.rows.start..) {
                    let y = (row * stride[0] + phase).checked_sub(padding[0]);
                    match y.filter(|&y| y < height) {
                        None => line.fill(0.0),
                        Some(y) => {
                            copy_line(&x[y * width..][..width], stride[1], tap, padding[1], line);
                        }
                    }
                }
            }
        }
    }

    /// Adds to `sums [output channels, input channels, taps]`.
    fn add_products(&self, kernel: &Microkernel, plan: &Plan, inputs: usize, sums: &mut [f32]) {
        let [kh, kw] = plan.kernel;
        let columns = inputs * kh * kw;
        let rows = sums.len() / columns;
        // Rows and columns past the end repeat the last one; their products are dropped.
        let [gradient, image] = [&self.gradient, &self.image].map(|all| &all[aligned(all)..]);
        let gradient = |row: usize| &gradient[row.min(rows - 1) * self.stride..][..self.len];
        let shifted = |column: usize| {
            let column = column.min(columns - 1);
            let (channel, y, x) = (column / (kh * kw), column / kw % kh, column % kw);
            let copy = (channel * plan.phases + y % plan.phases) * kw + x;
            let below = y / plan.conv.stride[0] * plan.columns;
            &image[copy * self.stride + below..][..self.len]
        };
        for row in (0..rows).step_by(BLOCK) {
            let a = std::array::from_fn(|i| gradient(row + i));
            for column in (0..columns).step_by(BLOCK) {
                let b = std::array::from_fn(|j| shifted(column + j));
                let products = kernel.dots(a, b);
                for (i, products) in products.iter().enumerate().take(rows - row) {
                    let sums = &mut sums[(row + i) * columns + column..];
                    let sums = sums.iter_mut().take(columns - column);
                    sums.zip(products).for_each(|(s, p)| *s += p);
                }
            }
        }
    }
}

/// What the top taps of a convolution that keeps the width read, in column `tap` and from one row of results on: a stretch of the
/// image, with zeros where it reads across the left or right edge.
fn shift(x: &[f32], width: usize, row: usize, tap: usize, padding: [usize; 2], out: &mut [f32]) {
    let dx = tap as isize - padding[1] as isize;
    let start = (row as isize - padding[0] as isize) * width as isize + dx;
    let inside = |at: isize| at.clamp(0, x.len() as isize);
    let (from, to) = (inside(start), inside(start + out.len() as isize));
    let [first, end] = [from, to].map(|at| ((at - start).max(0) as usize).min(out.len()));
    out[..first].fill(0.0);
    out[first..end].copy_from_slice(&x[from as usize..][..end - first]);
    out[end..].fill(0.0);
    let edge = dx.unsigned_abs().min(width);
    if edge > 0 {
        let edge = if dx < 0 { 0..edge } else { width - edge..width };
        for line in out.chunks_exact_mut(width) {
            line[edge.clone()].iter_mut().for_each(|o| *o = 0.0);
        }
    }
}

/// Pixels `stride` apart of a row, from the `tap`-th of the padded row on, with zeros outside.
fn copy_line(row: &[f32], stride: usize, tap: usize, padding: usize, line: &mut [f32]) {
    // The first place that has a pixel, and that pixel.
    let first = padding.saturating_sub(tap).div_ceil(stride).min(line.len());
    let from = (first * stride + tap).saturating_sub(padding).min(row.len());
    let count = (row.len() - from).div_ceil(stride).min(line.len() - first);
    let (before, rest) = line.split_at_mut(first);
    let (inside, after) = rest.split_at_mut(count);
    let pixels = &row[from..];
    match stride {
        1 => inside.copy_from_slice(&pixels[..count]),
        2 => {
            let (pairs, last) = pixels.as_chunks::<2>();
            inside.iter_mut().zip(pairs).for_each(|(o, pair)| *o = pair[0]);
            inside.iter_mut().skip(pairs.len()).zip(last).for_each(|(o, &x)| *o = x);
        }
        _ => inside.iter_mut().zip(pixels.iter().step_by(stride)).for_each(|(o, &x)| *o = x),
    }
    // Mostly empty: calls that fill nothing would cost as much as the copy.
    before.iter_mut().chain(after).for_each(|o| *o = 0.0);
}
