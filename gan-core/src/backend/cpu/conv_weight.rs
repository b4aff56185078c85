//! The weight gradient of a convolution: scalar products of the gradient's planes with shifted planes of the image.
//!
//! Both are copied with zeros around them so that their rows are equally long: a tap's shift is then one number for the
//! whole plane, and the shifted planes are slices of one copy. With a stride `s`, the image's rows and columns fall into `s * s`
//! phases, each of which is such a plane.

use rayon::prelude::*;

use super::View;
use super::dots::BLOCK;
use super::microkernel::Microkernel;
use crate::backend::Conv;

/// Pixels of a plane that are copied at a time, if a row is no longer: with the channels of a task, they stay in the second-level
/// cache.
const PIXELS: usize = 2048;

/// Output and input channels of one task.
const CHANNELS: [usize; 2] = [64, 16];

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
    let plan = Plan::new(conv, g, [kh, kw]);
    let parts = plan.parts();
    let blocks = [outputs.div_ceil(CHANNELS[0]), inputs.div_ceil(CHANNELS[1])];
    let block_count = conv.groups * blocks[0] * blocks[1];
    let shares: Vec<&[Part]> =
        parts.chunks(parts.len().div_ceil(TASKS.div_ceil(block_count))).collect();
    let sums: Vec<Vec<f32>> = (0..block_count * shares.len())
        .into_par_iter()
        .map_init(Planes::default, |planes, task| {
            let (block, parts) = (task / shares.len(), shares[task % shares.len()]);
            let (group, o, i) =
                (block / (blocks[0] * blocks[1]), block / blocks[1] % blocks[0], block % blocks[1]);
            let range = |block: usize, size: usize, count: usize, group: usize| {
                let (start, end) = (block * size, (block * size + size).min(count));
                group * count + start..group * count + end
            };
            let rows = range(o, CHANNELS[0], outputs, group);
            let columns = range(i, CHANNELS[1], inputs, group);
            let mut sums = vec![0.0; rows.len() * columns.len() * taps];
            for part in parts {
                planes.copy_gradient(&plan, g, rows.clone(), part);
                planes.copy_image(&plan, x, columns.clone(), part);
                planes.add_products(kernel, &plan, columns.len(), &mut sums);
            }
            sums
        })
        .collect();

    // The shares of each block, in their order.
    out.par_chunks_mut(inputs * taps).enumerate().for_each(|(channel, out)| {
        let (group, channel) = (channel / outputs, channel % outputs);
        let (o, row) = (channel / CHANNELS[0], channel % CHANNELS[0]);
        for (i, out) in out.chunks_mut(CHANNELS[1] * taps).enumerate() {
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
    images: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
}

/// How planes are laid out.
struct Plan {
    conv: Conv,
    /// Taps along y and x.
    kernel: [usize; 2],
    /// Images, rows and columns of the gradient.
    size: [usize; 3],
    /// How far taps of a phase reach, in rows and columns.
    reach: [usize; 2],
    /// Phases along y and x that a tap reads.
    phases: [usize; 2],
    /// Distance of two rows.
    pitch: usize,
}

impl Plan {
    fn new(conv: &Conv, g: View<'_>, kernel: [usize; 2]) -> Self {
        let [n, _, rows, columns] = g.dims4();
        let axes = [0, 1];
        let reach = axes.map(|axis| (kernel[axis] - 1) / conv.stride[axis]);
        let phases = axes.map(|axis| kernel[axis].min(conv.stride[axis]));
        let pitch = columns + reach[1];
        Plan { conv: *conv, kernel, size: [n, rows, columns], reach, phases, pitch }
    }

    /// As many images as fit, or as many rows of one.
    fn parts(&self) -> Vec<Part> {
        let [n, rows, _] = self.size;
        let images = (PIXELS / ((rows + self.reach[0]) * self.pitch)).max(1);
        let count = (PIXELS / self.pitch).max(1).max(if images > 1 { rows } else { 1 });
        let cut = |len: usize, step: usize| {
            (0..len).step_by(step).map(move |at| at..(at + step).min(len))
        };
        cut(n, images)
            .flat_map(|images| {
                cut(rows, count).map(move |rows| Part { images: images.clone(), rows })
            })
            .collect()
    }
}

/// Copies of one task.
#[derive(Default)]
struct Planes {
    /// `[output channels, stride]` from [`Planes::start`] on.
    gradient: Vec<f32>,
    /// `[input channels, phases, area]`
    image: Vec<f32>,
    /// Pixels that a product runs over, and of a whole plane: the product's, and what its last tap reaches.
    len: usize,
    area: usize,
    /// Distance of the gradient's planes, whole cache lines.
    stride: usize,
}

/// Values of a cache line.
const LINE: usize = 16;

impl Planes {
    /// Where the gradient's planes start, so that they start with cache lines.
    fn start(&self) -> usize {
        self.gradient.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE)
    }

    fn copy_gradient(
        &mut self,
        plan: &Plan,
        g: View<'_>,
        channels: std::ops::Range<usize>,
        part: &Part,
    ) {
        let [_, co, height, width] = g.dims4();
        let rows = part.rows.len() + plan.reach[0];
        self.area = part.images.len() * rows * plan.pitch;
        self.len = self.area - plan.reach[0] * plan.pitch - plan.reach[1];
        self.stride = self.len.next_multiple_of(LINE);
        self.gradient.resize(channels.len() * self.stride + LINE, 0.0);
        let (start, len) = (self.start(), self.len);
        let planes = self.gradient[start..].chunks_exact_mut(self.stride);
        for (plane, channel) in planes.zip(channels) {
            for (j, line) in plane[..len].chunks_mut(plan.pitch).enumerate() {
                if j % rows >= part.rows.len() {
                    line.fill(0.0);
                    continue;
                }
                let (image, row) = (part.images.start + j / rows, part.rows.start + j % rows);
                let from = &g.values()[((image * co + channel) * height + row) * width..];
                line[..width].copy_from_slice(&from[..width]);
                line[width..].fill(0.0);
            }
        }
    }

    fn copy_image(
        &mut self,
        plan: &Plan,
        x: View<'_>,
        channels: std::ops::Range<usize>,
        part: &Part,
    ) {
        let [_, ci, height, width] = x.dims4();
        let Conv { stride, padding, .. } = plan.conv;
        let rows = part.rows.len() + plan.reach[0];
        let phases = plan.phases[0] * plan.phases[1];
        self.image.resize(channels.len() * phases * self.area, 0.0);
        for (i, plane) in self.image.chunks_exact_mut(self.area).enumerate() {
            let (channel, phase) = (channels.start + i / phases, i % phases);
            let phase = [phase / plan.phases[1], phase % plan.phases[1]];
            for (j, line) in plane.chunks_exact_mut(plan.pitch).enumerate() {
                let (image, row) = (part.images.start + j / rows, part.rows.start + j % rows);
                let y = (row * stride[0] + phase[0]).checked_sub(padding[0]);
                match y.filter(|&y| y < height) {
                    None => line.fill(0.0),
                    Some(y) => {
                        let from = &x.values()[((image * ci + channel) * height + y) * width..];
                        copy_line(&from[..width], stride[1], phase[1], padding[1], line);
                    }
                }
            }
        }
    }

    /// Adds to `sums [output channels, input channels, taps]`.
    fn add_products(&self, kernel: &Microkernel, plan: &Plan, inputs: usize, sums: &mut [f32]) {
        let [kh, kw] = plan.kernel;
        let [sy, sx] = plan.conv.stride;
        let phases = plan.phases[0] * plan.phases[1];
        let columns = inputs * kh * kw;
        let rows = sums.len() / columns;
        // Rows and columns past the end repeat the last one; their products are dropped.
        let planes = &self.gradient[self.start()..];
        let gradient = |row: usize| &planes[row.min(rows - 1) * self.stride..][..self.len];
        let shifted = |column: usize| {
            let column = column.min(columns - 1);
            let (channel, ky, kx) = (column / (kh * kw), column / kw % kh, column % kw);
            let phase = ky % sy * plan.phases[1] + kx % sx;
            let shift = ky / sy * plan.pitch + kx / sx;
            &self.image[(channel * phases + phase) * self.area + shift..][..self.len]
        };
        for column in (0..columns).step_by(BLOCK) {
            let b = std::array::from_fn(|j| shifted(column + j));
            for row in (0..rows).step_by(BLOCK) {
                let a = std::array::from_fn(|i| gradient(row + i));
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

/// Every `stride`-th pixel of a row, from `phase - padding` on, with zeros outside.
fn copy_line(row: &[f32], stride: usize, phase: usize, padding: usize, line: &mut [f32]) {
    // The first place that has a pixel, and that pixel.
    let first = padding.saturating_sub(phase).div_ceil(stride).min(line.len());
    let from = (first * stride + phase).saturating_sub(padding).min(row.len());
    let count = (row.len() - from).div_ceil(stride).min(line.len() - first);
    line[..first].fill(0.0);
    let inside = &mut line[first..first + count];
    match stride {
        1 => inside.copy_from_slice(&row[from..from + count]),
        _ => inside.iter_mut().zip(row[from..].iter().step_by(stride)).for_each(|(o, &x)| *o = x),
    }
    line[first + count..].fill(0.0);
}
