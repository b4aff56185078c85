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
        let phases = self.up.min(out_width);
        let runs: Vec<Run> = (0..phases).map(|phase| self.run(phase, out_width)).collect();
        // Every `down`-th pixel, or the outputs of one phase: with either, a row is a sum of shifted rows.
        let mut lines = Vec::new();
        for (x, out) in x.chunks(width).zip(out.chunks_mut(out_width)) {
            if self.down > 1 && self.up == 1 {
                let len = width.div_ceil(self.down);
                lines.resize(self.down * len, 0.0);
                for (phase, line) in lines.chunks_exact_mut(len).enumerate() {
                    let pixels = x[phase.min(width)..].iter().step_by(self.down);
                    line.iter_mut().zip(pixels).for_each(|(o, &x)| *o = x);
                }
                self.sum(&runs[0], |p| &lines[p % self.down * len..][..len][p / self.down..], out);
            } else if self.up == 1 {
                self.sum(&runs[0], |p| &x[p..], out);
            } else if self.down == 1 {
                for (phase, run) in runs.iter().enumerate() {
                    lines.resize((out_width - phase).div_ceil(self.up), 0.0);
                    self.sum(run, |p| &x[p..], &mut lines);
                    let places = out[phase..].iter_mut().step_by(self.up);
                    places.zip(&lines).for_each(|(o, &v)| *o = v);
                }
            }
            for (phase, run) in runs.iter().enumerate() {
                let places = out[phase..].iter_mut().step_by(self.up).enumerate();
                for (i, out) in places.filter(|(i, _)| *i < run.first || *i >= run.end) {
                    let (start, first, count) = self.outputs[phase + i * self.up];
                    let tap = |t: usize| self.taps[first + t * self.up] * x[start + t];
                    *out = (0..count).map(tap).sum();
                }
            }
        }
    }

    /// The longest outputs of a phase that begin with one tap, each `down` pixels after the one before.
    fn run(&self, phase: usize, out_width: usize) -> Run {
        let outputs = || self.outputs[phase..out_width].iter().step_by(self.up);
        let most = outputs().map(|o| o.2).max().unwrap_or(0);
        let none = Run { first: 0, end: 0, start: 0, tap: 0, count: 0 };
        let is_plain = self.up == 1 || self.down == 1;
        let first = outputs().position(|o| o.2 == most && most > 0 && is_plain);
        let Some((first, &(start, tap, count))) =
            first.and_then(|first| Some((first, outputs().nth(first)?)))
        else {
            return none;
        };
        let follows =
            |(i, o): &(usize, &(usize, usize, usize))| **o == (start + i * self.down, tap, count);
        let len = outputs().skip(first).enumerate().take_while(follows).count();
        Run { first, end: first + len, start, tap, count }
    }

    /// The outputs of a run, from the pixels that begin at an index, as far apart as those of the run.
    fn sum<'a>(&self, run: &Run, pixels: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
        let tap = |t: usize| self.taps[run.tap + t * self.up];
        blend(run.count, tap, |t| pixels(run.start + t), &mut out[run.first..run.end]);
    }

    /// Filters along the columns of `x`, rows of `width` values.
    pub(super) fn columns(&self, x: &[f32], out: &mut [f32], width: usize) {
        for (&(start, first, count), out) in self.outputs.iter().zip(out.chunks_mut(width)) {
            let tap = |t: usize| self.taps[first + t * self.up];
            let row = |t: usize| &x[(start + t) * width..];
            match count {
                0 => out.fill(0.0),
                _ => blend(count, tap, row, out),
            }
        }
    }
}

/// The sum of rows, each times its tap, four in one pass: passes over memory are what filters cost.
fn blend<'a>(
    count: usize,
    tap: impl Fn(usize) -> f32,
    row: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    for t in (0..count).step_by(4) {
        match count - t {
            1 => add_rows::<1>(t == 0, t, &tap, &row, out),
            2 => add_rows::<2>(t == 0, t, &tap, &row, out),
            3 => add_rows::<3>(t == 0, t, &tap, &row, out),
            _ => add_rows::<4>(t == 0, t, &tap, &row, out),
        }
    }
}

/// Adds `N` rows from the `t`-th on; what was there counts unless it is `fresh`.
fn add_rows<'a, const N: usize>(
    fresh: bool,
    t: usize,
    tap: &impl Fn(usize) -> f32,
    row: &impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    let taps: [f32; N] = std::array::from_fn(|i| tap(t + i));
    let rows: [&[f32]; N] = std::array::from_fn(|i| &row(t + i)[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        let mut sum = taps[0] * rows[0][i];
        if !fresh {
            sum += *out;
        }
        for n in 1..N {
            sum += taps[n] * rows[n][i];
        }
        *out = sum;
    }
}

/// Outputs of one phase, from the `first` before the `end`, that meet pixels with the same taps: `count` of them from `tap` on,
/// at pixels from `start` on for the first.
struct Run {
    first: usize,
    end: usize,
    start: usize,
    tap: usize,
    count: usize,
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
