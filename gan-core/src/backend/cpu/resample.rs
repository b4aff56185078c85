//! FIR resampling: two passes along the axes for separable filters, the definition for others.

use rayon::prelude::*;

use super::View;
use crate::backend::{Factors, UpFirDn};

pub(super) fn upfirdn(op: &UpFirDn, x: View<'_>, shape: &[usize], out: &mut [f32]) {
    let [_, _, h, w] = x.dims4();
    let output = [shape[2], shape[3]];
    let planes = out.par_chunks_mut(output[0] * output[1]).zip(x.values().par_chunks(h * w));
    match &op.filter.factors {
        Some(Factors { column, row }) => {
            let vertical = Pass::new(op, 0, column, h, output[0], op.gain);
            let horizontal = Pass::new(op, 1, row, w, output[1], 1.0);
            planes.for_each_init(Vec::new, |narrow, (out, x)| {
                narrow.clear();
                narrow.resize(h * output[1], 0.0);
                horizontal.rows(x, w, narrow, output[1]);
                vertical.columns(narrow, out, output[1]);
            });
        }
        None => {
            let taps = oriented(op, &op.filter.taps, op.gain);
            planes.for_each(|(out, x)| direct(op, &taps, x, [h, w], out, output));
        }
    }
}

/// Taps in the order in which they meet the padded image.
pub(super) fn oriented(op: &UpFirDn, taps: &[f64], gain: f64) -> Vec<f32> {
    let mut taps: Vec<f32> = taps.iter().map(|t| (gain * t) as f32).collect();
    if !op.flip {
        taps.reverse();
    }
    taps
}

/// Filtering along one axis.
pub(super) struct Pass {
    /// For each output, its first input, its first tap and how many taps meet a pixel.
    outputs: Vec<(usize, usize, usize)>,
    taps: Vec<f32>,
    /// Distance between taps that meet neighbouring pixels.
    up: usize,
    down: usize,
}

impl Pass {
    pub(super) fn new(
        op: &UpFirDn,
        axis: usize,
        taps: &[f64],
        input: usize,
        output: usize,
        gain: f64,
    ) -> Self {
        let (up, down, before) = (op.up[axis], op.down[axis], op.padding[axis][0]);
        let outputs = (0..output)
            .map(|o| {
                let start = (o * down) as isize - before;
                let pixel = |tap: usize| {
                    let at = start + tap as isize;
                    let exists =
                        at >= 0 && at % up as isize == 0 && at / (up as isize) < input as isize;
                    exists.then(|| at as usize / up)
                };
                let meeting: Vec<usize> = (0..taps.len()).filter(|&t| pixel(t).is_some()).collect();
                match meeting.first() {
                    Some(&first) => (pixel(first).unwrap_or(0), first, meeting.len()),
                    None => (0, 0, 0),
                }
            })
            .collect();
        Pass { outputs, taps: oriented(op, taps, gain), up, down }
    }

    /// Filters each row of `x`, `width` long, to a row of `out`, `out_width` long.
    pub(super) fn rows(&self, x: &[f32], width: usize, out: &mut [f32], out_width: usize) {
        // Where all taps meet pixels and neither factor is in the way, a row is a sum of shifted rows.
        let full = |&(_, _, count): &(usize, usize, usize)| count == self.taps.len();
        let plain = self.up == 1 && self.down == 1;
        let first = self.outputs.iter().position(full).filter(|_| plain).unwrap_or(out_width);
        let end =
            self.outputs.iter().rposition(full).filter(|_| plain).map_or(first, |last| last + 1);
        for (x, out) in x.chunks(width).zip(out.chunks_mut(out_width)) {
            if first < end {
                let start = self.outputs[first].0;
                let out = &mut out[first..end];
                for (t, &tap) in self.taps.iter().enumerate() {
                    let x = &x[start + t..][..out.len()];
                    if t == 0 {
                        out.iter_mut().zip(x).for_each(|(o, x)| *o = tap * x);
                    } else {
                        out.iter_mut().zip(x).for_each(|(o, x)| *o += tap * x);
                    }
                }
            }
            for i in (0..first).chain(end..out_width) {
                let (start, first, count) = self.outputs[i];
                out[i] = (0..count).map(|t| self.taps[first + t * self.up] * x[start + t]).sum();
            }
        }
    }

    /// Filters along the columns of `x`, rows of `width` values.
    pub(super) fn columns(&self, x: &[f32], out: &mut [f32], width: usize) {
        for (&(start, first, count), out) in self.outputs.iter().zip(out.chunks_mut(width)) {
            if count == 0 {
                out.fill(0.0);
            }
            for t in 0..count {
                let tap = self.taps[first + t * self.up];
                let x = &x[(start + t) * width..][..width];
                if t == 0 {
                    out.iter_mut().zip(x).for_each(|(o, x)| *o = tap * x);
                } else {
                    out.iter_mut().zip(x).for_each(|(o, x)| *o += tap * x);
                }
            }
        }
    }
}

/// The definition, pixel by pixel.
fn direct(
    op: &UpFirDn,
    taps: &[f32],
    x: &[f32],
    [h, w]: [usize; 2],
    out: &mut [f32],
    output: [usize; 2],
) {
    let pixel = |axis: usize, o: usize, tap: usize, len: usize| {
        let at = (o * op.down[axis] + tap) as isize - op.padding[axis][0];
        let up = op.up[axis] as isize;
        (at >= 0 && at % up == 0 && at / up < len as isize).then(|| (at / up) as usize)
    };
    for oy in 0..output[0] {
        for ox in 0..output[1] {
            let mut sum = 0.0;
            for a in 0..op.filter.height {
                let Some(y) = pixel(0, oy, a, h) else { continue };
                for b in 0..op.filter.width {
                    if let Some(x_) = pixel(1, ox, b, w) {
                        sum += taps[a * op.filter.width + b] * x[y * w + x_];
                    }
                }
            }
            out[oy * output[1] + ox] = sum;
        }
    }
}
