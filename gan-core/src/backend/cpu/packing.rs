//! The operands of a convolution in the order in which the micro-kernel reads them.
//!
//! A convolution is the product of the weight `[o, c * taps]` and a matrix of pixels `[c * taps, grid]` that is never
//! formed as a whole: [`pack_pixels`] gathers one block of it, tap by tap, straight from the image.

use rayon::prelude::*;

use super::microkernel::Microkernel;
use super::winograd::Form;

/// What determines a packed copy of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackKey {
    /// Tensors of other shapes may share the storage.
    pub(super) shape: [usize; 4],
    /// Whether input and output channels are exchanged, as in the adjoint in `x`.
    pub(super) transposed: bool,
    /// Steps between output pixels that share their taps: 1, or the stride of a transposed convolution, which
    /// determines the taps of each phase.
    pub(super) phases: [usize; 2],
    pub(super) groups: usize,
    /// Kernels differ in their panel height.
    pub(super) mr: usize,
    /// Transformed for tiles of that form, or as it is. With phases of 2, that of the up-sampling layer.
    pub(super) form: Option<Form>,
}

/// One matrix `[o, k]` a phase and group, cut into panels of `mr` rows, each stored `[k][mr]`, zero-padded.
pub(super) struct PackedWeight {
    pub(super) matrices: Vec<PackedMatrix>,
}

impl PackedWeight {
    pub(super) fn len(&self) -> usize {
        self.matrices.iter().map(|m| m.panels.len()).sum()
    }
}

/// A matrix `[rows, k]` in panels.
pub(super) struct PackedMatrix {
    pub(super) k: usize,
    panels: Vec<f32>,
}

impl PackedMatrix {
    /// Packs the matrix whose element in row `o`, column `p` is `at(o, p)`.
    pub(super) fn new(rows: usize, k: usize, mr: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let mut panels = vec![0.0; rows.div_ceil(mr) * mr * k];
        for (i, panel) in panels.chunks_exact_mut((k * mr).max(1)).enumerate() {
            for r in 0..mr.min(rows - i * mr) {
                for p in 0..k {
                    panel[p * mr + r] = at(i * mr + r, p);
                }
            }
        }
        PackedMatrix { k, panels }
    }

    /// Packs the weights of Winograd's algorithm, `count` matrices of one size: `fill` puts the elements in one row and
    /// column of all of them.
    pub(super) fn many(
        count: usize,
        [rows, k]: [usize; 2],
        mr: usize,
        fill: impl Fn(usize, usize, &mut dyn FnMut(usize, f32)) + Sync,
    ) -> PackedWeight {
        let mut matrices: Vec<PackedMatrix> = (0..count)
            .map(|_| PackedMatrix { k, panels: vec![0.0; rows.div_ceil(mr) * mr * k] })
            .collect();
        // One band of `mr` rows of every matrix, for each task.
        let mut bands: Vec<Vec<&mut [f32]>> = (0..rows.div_ceil(mr)).map(|_| Vec::new()).collect();
        for matrix in &mut matrices {
            let panels = matrix.panels.chunks_exact_mut((k * mr).max(1));
            bands.iter_mut().zip(panels).for_each(|(band, panel)| band.push(panel));
        }
        bands.into_par_iter().enumerate().for_each(|(i, mut band)| {
            for r in 0..mr.min(rows - i * mr) {
                for p in 0..k {
                    fill(i * mr + r, p, &mut |matrix, value| band[matrix][p * mr + r] = value);
                }
            }
        });
        PackedWeight { matrices }
    }

    /// Columns from `start` of the panel that begins with row `panel * mr`.
    pub(super) fn panel(&self, panel: usize, mr: usize, start: usize) -> &[f32] {
        &self.panels[panel * self.k * mr + start * mr..(panel + 1) * self.k * mr]
    }
}

/// A rectangle of the output grid, `rows x columns` points from `origin`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    pub(super) origin: [usize; 2],
    pub(super) size: [usize; 2],
}

impl Patch {
    pub(super) fn points(&self) -> usize {
        self.size[0] * self.size[1]
    }
}

/// Where a convolution reads: channels of one image (and group), with their size.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// `[c, h, w]`
    pub(super) channels: &'a [f32],
    pub(super) size: [usize; 2],
    /// Factor of each channel, 1 if absent.
    pub(super) scale: Option<&'a [f32]>,
}

/// Offsets of the taps: grid point `g` reads pixel `g * step + tap`; outside of the image are zeros.
#[derive(Clone, Copy)]
pub(super) struct Taps<'a> {
    pub(super) step: [usize; 2],
    pub(super) offsets: &'a [[isize; 2]],
}

/// Packs rows `k0..k1` of the pixel matrix for the points of `patch` into panels of `nr` columns, each stored
/// `[k1 - k0][nr]`. Row `k` holds tap `k % taps` of channel `k / taps`.
pub(super) fn pack_pixels(
    kernel: &Microkernel,
    source: Source<'_>,
    taps: Taps<'_>,
    patch: Patch,
    (k0, k1): (usize, usize),
    panels: &mut [f32],
) {
    let [height, width] = source.size;
    let panel_len = (k1 - k0) * kernel.nr;
    for k in k0..k1 {
        let (channel, tap) = (k / taps.offsets.len(), taps.offsets[k % taps.offsets.len()]);
        let plane = &source.channels[channel * height * width..][..height * width];
        let scale = source.scale.map_or(1.0, |s| s[channel]);
        let start = (k - k0) * kernel.nr;
        let mut line = PanelLine { panels, panel_len, nr: kernel.nr, start, column: 0 };
        for gy in patch.origin[0]..patch.origin[0] + patch.size[0] {
            let y = (gy * taps.step[0]) as isize + tap[0];
            if y < 0 || y >= height as isize {
                line.zeros(patch.size[1]);
                continue;
            }
            let pixels = &plane[y as usize * width..][..width];
            let first = (patch.origin[1] * taps.step[1]) as isize + tap[1];
            line.pixels(pixels, first, taps.step[1], patch.size[1], scale);
        }
        line.finish();
    }
}

/// One row of the pixel matrix while it is written across the panels.
struct PanelLine<'a> {
    panels: &'a mut [f32],
    panel_len: usize,
    nr: usize,
    /// Where the row begins in the panel that is being written, and how much of it is.
    start: usize,
    column: usize,
}

impl PanelLine<'_> {
    /// Calls `fill` with each stretch of the next `len` values, and with where it starts among them.
    fn write(&mut self, len: usize, mut fill: impl FnMut(usize, &mut [f32])) {
        let mut done = 0;
        while done < len {
            let stretch = (self.nr - self.column).min(len - done);
            fill(done, &mut self.panels[self.start + self.column..][..stretch]);
            done += stretch;
            self.column += stretch;
            if self.column == self.nr {
                self.start += self.panel_len;
                self.column = 0;
            }
        }
    }

    fn zeros(&mut self, len: usize) {
        self.write(len, |_, out| out.fill(0.0));
    }

    /// `len` pixels from `first`, `step` apart; those outside of the row are zero.
    fn pixels(&mut self, row: &[f32], first: isize, step: usize, len: usize, scale: f32) {
        // The first and one past the last point whose pixel exists.
        let reaches = |limit: isize| {
            let points = match step {
                1 => limit - first,
                _ => (limit - first + step as isize - 1).div_euclid(step as isize),
            };
            usize::try_from(points).unwrap_or(0).min(len)
        };
        let (inside, end) = (reaches(0), reaches(row.len() as isize));
        self.zeros(inside);
        let start = (first + (inside * step) as isize) as usize;
        self.write(end - inside, |done, out| {
            let from = start + done * step;
            if step == 1 {
                let pixels = &row[from..from + out.len()];
                out.iter_mut().zip(pixels).for_each(|(o, x)| *o = scale * x);
            } else {
                out.iter_mut()
                    .zip(row[from..].iter().step_by(step))
                    .for_each(|(o, x)| *o = scale * x);
            }
        });
        self.zeros(len - end);
    }

    /// Zeros to the end of the last panel.
    fn finish(&mut self) {
        if self.column > 0 {
            self.zeros(self.nr - self.column);
        }
    }
}
