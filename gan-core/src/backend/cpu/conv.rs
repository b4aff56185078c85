//! Convolution and its adjoint in the input, both as tiles of an implicit matrix product.
//!
//! The adjoint of a convolution with stride `s` is `s * s` small convolutions of stride 1, one for each phase of the
//! output's pixels, with the taps that reach that phase.

use rayon::prelude::*;

use super::View;
use super::disjoint::Disjoint;
use super::microkernel::Microkernel;
use super::packing::{PackKey, PackedMatrix, PackedWeight, Patch, Source, Taps};
use super::tasks::{InTasks, at_once};
use super::tiles::{Scratch, patches, row_blocks};
use crate::backend::Conv;

/// Output pixels that share their taps.
pub(super) struct Phase {
    /// Index of each tap in the kernel, row-major.
    pub(super) kernel: Vec<usize>,
    /// Where each tap reads, see [`Taps`].
    pub(super) offsets: Vec<[isize; 2]>,
    /// Points of the grid.
    pub(super) grid: [usize; 2],
    /// Output pixel of the grid's first point.
    pub(super) first: [usize; 2],
}

/// The only phase of a plain convolution.
pub(super) fn forward_phase(conv: &Conv, kernel: [usize; 2], output: [usize; 2]) -> Phase {
    let taps = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| [y, x]));
    let offset = |tap: usize, axis: usize| tap as isize - conv.padding[axis] as isize;
    Phase {
        kernel: (0..kernel[0] * kernel[1]).collect(),
        offsets: taps.map(|[y, x]| [offset(y, 0), offset(x, 1)]).collect(),
        grid: output,
        first: [0, 0],
    }
}

/// The phases of a transposed convolution to `output` pixels, in row-major order of their residues.
pub(super) fn transposed_phases(
    stride: [usize; 2],
    padding: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
) -> Vec<Phase> {
    // Along one axis: residue r of pixel + padding has taps r, r + s, ...; tap r + i*s reads i before the pixel.
    let axis = |axis: usize, residue: usize| {
        let (s, p) = (stride[axis], padding[axis]);
        let skipped = p.saturating_sub(residue).div_ceil(s);
        let first = skipped * s + residue - p;
        let points = output[axis].saturating_sub(first).div_ceil(s);
        let taps: Vec<(usize, isize)> = (residue..kernel[axis])
            .step_by(s)
            .enumerate()
            .map(|(i, tap)| (tap, skipped as isize - i as isize))
            .collect();
        (first, points, taps)
    };
    let mut phases = Vec::with_capacity(stride[0] * stride[1]);
    for ry in 0..stride[0] {
        for rx in 0..stride[1] {
            let ((y, rows, ys), (x, columns, xs)) = (axis(0, ry), axis(1, rx));
            let taps = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (y, x)));
            let (kernel, offsets) = taps.map(|(y, x)| (y.0 * kernel[1] + x.0, [y.1, x.1])).unzip();
            phases.push(Phase { kernel, offsets, grid: [rows, columns], first: [y, x] });
        }
    }
    phases
}

/// Points of the largest phase.
fn most_points(phases: &[Phase]) -> usize {
    phases.iter().map(|phase| phase.grid[0] * phase.grid[1]).max().unwrap_or(0)
}

/// Packs `weight [a, b, kh, kw]`, a matrix for each phase (outer) and group (inner). Rows are the output channels: `a`,
/// or, transposed, `b`.
pub(super) fn packed_weight(
    kernel: &Microkernel,
    weight: View<'_>,
    phases: &[Phase],
    steps: [usize; 2],
    groups: usize,
    transposed: bool,
) -> std::sync::Arc<PackedWeight> {
    let key = PackKey {
        shape: weight.dims4(),
        transposed,
        phases: steps,
        groups,
        mr: kernel.mr,
        form: None,
    };
    weight.buffer.packed(key, || {
        let [a, b, kh, kw] = weight.dims4();
        let (values, area) = (weight.values(), kh * kw);
        let (rows, channels) = if transposed { (b, a / groups) } else { (a / groups, b) };
        let mut matrices = Vec::with_capacity(phases.len() * groups);
        for phase in phases {
            let taps = phase.kernel.len();
            for group in 0..groups {
                matrices.push(PackedMatrix::new(rows, channels * taps, kernel.mr, |row, k| {
                    let (channel, tap) = (k / taps, phase.kernel[k % taps]);
                    let (outer, inner) = if transposed {
                        (group * channels + channel, row)
                    } else {
                        (group * rows + row, channel)
                    };
                    values[(outer * b + inner) * area + tap]
                }));
            }
        }
        PackedWeight { matrices }
    })
}

/// `x [n, ci, h, w]`, `weight [co, ci/groups, kh, kw]` to `out [n, co, h', w']`.
pub(super) fn conv2d(
    kernel: &Microkernel,
    conv: &Conv,
    x: View<'_>,
    weight: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let phases = [forward_phase(conv, [weight.shape[2], weight.shape[3]], [shape[2], shape[3]])];
    let kernel = kernel.for_columns(most_points(&phases));
    let packed = packed_weight(kernel, weight, &phases, [1, 1], conv.groups, false);
    Work { kernel, phases: &phases, packed: &packed, in_step: conv.stride, out_step: [1, 1] }.run(
        x,
        shape,
        conv.groups,
        out,
    );
}

/// `g [n, co, h', w']`, `weight [co, ci/groups, kh, kw]` to `out [n, ci, h, w]`.
pub(super) fn conv_input(
    kernel: &Microkernel,
    conv: &Conv,
    g: View<'_>,
    weight: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let taps = [weight.shape[2], weight.shape[3]];
    let phases = transposed_phases(conv.stride, conv.padding, taps, [shape[2], shape[3]]);
    let kernel = kernel.for_columns(most_points(&phases));
    let packed = packed_weight(kernel, weight, &phases, conv.stride, conv.groups, true);
    Work { kernel, phases: &phases, packed: &packed, in_step: [1, 1], out_step: conv.stride }.run(
        g,
        shape,
        conv.groups,
        out,
    );
}

struct Work<'a> {
    kernel: &'a Microkernel,
    phases: &'a [Phase],
    packed: &'a PackedWeight,
    in_step: [usize; 2],
    out_step: [usize; 2],
}

impl Work<'_> {
    /// Fills `out`, a task for each image, group, phase, patch and block of output channels.
    fn run(&self, x: View<'_>, shape: &[usize], groups: usize, out: &mut [f32]) {
        let [n, ci, h, w] = x.dims4();
        let (co, width) = (shape[1], shape[3]);
        let (group_in, group_out) = (ci / groups, co / groups);
        let mut tasks: Vec<(usize, usize, usize, Patch, std::ops::Range<usize>)> = Vec::new();
        for (p, phase) in self.phases.iter().enumerate() {
            let patches = patches(phase.grid);
            let blocks = row_blocks(
                group_out,
                n * groups * self.phases.len() * patches.len(),
                self.kernel.mr,
            );
            for (image, group) in (0..n).flat_map(|i| (0..groups).map(move |g| (i, g))) {
                for &patch in &patches {
                    tasks.extend(blocks.iter().map(|rows| (p, image, group, patch, rows.clone())));
                }
            }
        }
        let out = Disjoint::new(out);
        let points: usize =
            self.phases.iter().map(|p| p.grid[0] * p.grid[1] * p.kernel.len()).sum();
        let least = at_once(tasks.len(), n * points * co * group_in);
        tasks.into_par_iter().in_tasks_with(
            least,
            Scratch::kept,
            |scratch, (p, image, group, patch, rows)| {
                let phase = &self.phases[p];
                let channels =
                    &x.values()[(image * ci + group * group_in) * h * w..][..group_in * h * w];
                let source = Source { channels, size: [h, w], scale: None };
                let taps = Taps { step: self.in_step, offsets: &phase.offsets };
                let weight = &self.packed.matrices[p * groups + group];
                let sums = scratch.product(self.kernel, weight, rows.clone(), source, taps, patch);
                for row in rows.clone() {
                    let plane = (image * co + group * group_out + row) * shape[2];
                    let values = sums.row(row - rows.start);
                    for (i, values) in values.chunks_exact(patch.size[1]).enumerate() {
                        let y = phase.first[0] + (patch.origin[0] + i) * self.out_step[0];
                        let x = phase.first[1] + patch.origin[1] * self.out_step[1];
                        let len = (patch.size[1] - 1) * self.out_step[1] + 1;
                        write_strided(&out, (plane + y) * width + x, len, self.out_step[1], values);
                    }
                }
            },
        );
    }
}

/// Writes `values` at every `step`-th place of a stretch of `len`.
#[allow(unsafe_code)]
fn write_strided(out: &Disjoint<'_>, start: usize, len: usize, step: usize, values: &[f32]) {
    if step == 1 {
        // SAFETY: each pixel of each channel belongs to one task: patches, phases and blocks of rows do not
        // overlap.
        unsafe { out.range(start, len) }.copy_from_slice(values);
        return;
    }
    for (i, &value) in values.iter().enumerate() {
        // SAFETY: as above; pixels of other phases lie between, so no longer range is taken.
        let pixel = unsafe { out.range(start + i * step, 1) };
        pixel[0] = value;
    }
}
