//! FIR resampling: two passes along the axes for separable filters, the definition for others.

#![allow(unsafe_code)]

use std::cell::Cell;

use rayon::prelude::*;

use super::View;
use super::microkernel::Microkernel;
use super::tasks::{InTasks, Kept, at_once, first};
use crate::backend::{Factors, UpFirDn};

pub(super) fn upfirdn(
    kernel: &Microkernel,
    op: &UpFirDn,
    x: View<'_>,
    shape: &[usize],
    out: &mut [f32],
) {
    let [_, _, h, w] = x.dims4();
    let output = [shape[2], shape[3]];
    let count = x.values().len() / (h * w);
    // Each value is read and written about as fast as four are multiplied.
    let least = at_once(count, 4 * (x.values().len() + out.len()));
    let planes = out.par_chunks_mut(output[0] * output[1]).zip(x.values().par_chunks(h * w));
    match Separable::new(op, [h, w], output) {
        Some(filter) => planes.in_tasks_with(
            least,
            || Kept::of(&LINES),
            |lines, (out, x)| filter.plane(kernel, x, lines, out),
        ),
        None => {
            let taps = oriented(op, &op.filter.taps, op.gain);
            planes.in_tasks(least, |(out, x)| direct(op, &taps, x, [h, w], out, output));
        }
    }
}

thread_local! {
    static LINES: Cell<Vec<f32>> = Cell::default();
}

/// Taps in the order in which they meet the padded image.
pub(super) fn oriented(op: &UpFirDn, taps: &[f64], gain: f64) -> Vec<f32> {
    let mut taps: Vec<f32> = taps.iter().map(|t| (gain * t) as f32).collect();
    if !op.flip {
        taps.reverse();
    }
    taps
}

/// Filters one plane after the other: each row of the result first along y, to a line with room for the padding, which then is
/// filtered along x. So only this line is written between the two.
pub(super) struct Separable {
    vertical: Axis,
    /// Of each row of the result, the taps that meet the image.
    rows: Vec<Run>,
    horizontal: Axis,
    /// Of the first results along x, one for each phase of an enlarged image, all taps, and where in a line they begin.
    phases: Vec<Run>,
    /// Width of the image and of the result.
    width: usize,
    columns: usize,
    /// Zeros to the left of a line, and its length with those on both sides.
    before: usize,
    len: usize,
}

impl Separable {
    /// None if the filter has no factors, or both enlarges and shrinks along x, or lines would be almost nothing but padding.
    pub(super) fn new(op: &UpFirDn, input: [usize; 2], output: [usize; 2]) -> Option<Self> {
        let Factors { column, row } = op.filter.factors.as_ref()?;
        let vertical = Axis::new(op, 0, column, op.gain);
        let horizontal = Axis::new(op, 1, row, 1.0);
        let ([height, width], [rows, columns]) = (input, output);
        let (_, least) = horizontal.first(0);
        let most = horizontal.first(columns - 1).1 + horizontal.taps.len() as isize;
        let before = (-least).max(0) as usize;
        let len = before + width.max(most.max(0) as usize);
        let is_padding = len > 4 * (width + columns + horizontal.taps.len());
        if is_padding || (horizontal.up > 1 && horizontal.down > 1) {
            return None;
        }
        let phase = |o: usize| {
            let (tap, pixel) = horizontal.first(o);
            Run { tap, pixel: (pixel + before as isize) as usize, count: horizontal.count(tap) }
        };
        let rows = (0..rows).map(|o| vertical.inside(o, height)).collect();
        let phases = (0..horizontal.up.min(columns)).map(phase).collect();
        Some(Separable { vertical, rows, horizontal, phases, width, columns, before, len })
    }

    /// `x [h, w]` to `out [h', w']`. Values that are left in `lines` are arbitrary.
    pub(super) fn plane(
        &self,
        kernel: &Microkernel,
        x: &[f32],
        lines: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        // SAFETY: the micro-kernel's processor has the instructions of its filter.
        unsafe { (kernel.filter)(self, x, lines, out) }
    }

    #[inline(always)]
    fn filter(&self, x: &[f32], lines: &mut Vec<f32>, out: &mut [f32]) {
        // Parts of a line, or of a row of the result: every second value, and so on.
        let count = self.horizontal.down.max(self.horizontal.up);
        let part = self.len.max(self.columns).div_ceil(count);
        let (line, parts) = first(lines, self.len + count * part).split_at_mut(self.len);
        line.fill(0.0);
        for (run, out) in self.rows.iter().zip(out.chunks_exact_mut(self.columns)) {
            let inside = &mut line[self.before..][..self.width];
            match run.count {
                0 => inside.fill(0.0),
                _ => self.vertical.blend(run, |t| &x[(run.pixel + t) * self.width..], inside),
            }
            self.row(line, parts, part, out);
        }
    }

    /// Filters a line along x. `parts` hold `len` values each.
    #[inline(always)]
    fn row(&self, line: &[f32], parts: &mut [f32], len: usize, out: &mut [f32]) {
        let Axis { up, down, .. } = self.horizontal;
        if up > 1 {
            for (phase, (run, part)) in
                self.phases.iter().zip(parts.chunks_exact_mut(len)).enumerate()
            {
                let part = &mut part[..(out.len() - phase).div_ceil(up)];
                match run.count {
                    0 => part.fill(0.0),
                    _ => self.horizontal.blend(run, |t| &line[run.pixel + t..], part),
                }
            }
            return join(parts, up, len, out);
        }
        let run = &self.phases[0];
        if down > 1 {
            split(&line[run.pixel..], down, len, parts);
            self.horizontal.blend(run, |t| &parts[t % down * len + t / down..], out);
        } else {
            self.horizontal.blend(run, |t| &line[run.pixel + t..], out);
        }
    }
}

/// A function that filters planes, for one instruction set; unsafe only in that the processor must have the instructions.
pub(super) type Filter = unsafe fn(&Separable, &[f32], &mut Vec<f32>, &mut [f32]);

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(super) fn avx512(filter: &Separable, x: &[f32], lines: &mut Vec<f32>, out: &mut [f32]) {
    filter.filter(x, lines, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(super) fn avx2(filter: &Separable, x: &[f32], lines: &mut Vec<f32>, out: &mut [f32]) {
    filter.filter(x, lines, out);
}

pub(super) fn portable(filter: &Separable, x: &[f32], lines: &mut Vec<f32>, out: &mut [f32]) {
    filter.filter(x, lines, out);
}

/// Filtering along one axis: output `o` is the sum of `taps[t]` times pixel `(o * down + t - before) / up`, over all taps for which
/// that is a whole number.
struct Axis {
    up: usize,
    down: usize,
    before: isize,
    taps: Vec<f32>,
}

/// So many taps from one on, `up` apart, the first of which meets a pixel, the next its neighbour, and so on.
struct Run {
    tap: usize,
    pixel: usize,
    count: usize,
}

impl Axis {
    fn new(op: &UpFirDn, axis: usize, taps: &[f64], gain: f64) -> Self {
        let (up, down, before) = (op.up[axis], op.down[axis], op.padding[axis][0]);
        Axis { up, down, before, taps: oriented(op, taps, gain) }
    }

    /// The first tap of an output, and the pixel that it meets, which may be padding.
    fn first(&self, o: usize) -> (usize, isize) {
        let (start, up) = ((o * self.down) as isize - self.before, self.up as isize);
        let tap = (-start).rem_euclid(up);
        (tap as usize, (start + tap) / up)
    }

    /// How many taps there are from one on, `up` apart.
    fn count(&self, tap: usize) -> usize {
        self.taps.len().saturating_sub(tap).div_ceil(self.up)
    }

    /// The part of an output's taps that meets an image of `len` pixels.
    fn inside(&self, o: usize, len: usize) -> Run {
        let (tap, pixel) = self.first(o);
        let tap = tap + (-pixel).max(0) as usize * self.up;
        let pixel = pixel.max(0) as usize;
        Run { tap, pixel, count: self.count(tap).min(len.saturating_sub(pixel)) }
    }

    /// The sum of a run's rows, each times its tap, four in one pass: passes over memory are what filters cost.
    #[inline(always)]
    fn blend<'a>(&self, run: &Run, row: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
        let tap = |t: usize| self.taps[run.tap + t * self.up];
        for t in (0..run.count).step_by(4) {
            match run.count - t {
                1 => add_rows::<1>(t, &tap, &row, out),
                2 => add_rows::<2>(t, &tap, &row, out),
                3 => add_rows::<3>(t, &tap, &row, out),
                _ => add_rows::<4>(t, &tap, &row, out),
            }
        }
    }
}

/// Adds `N` rows from the `t`-th on; the first ones overwrite.
#[inline(always)]
fn add_rows<'a, const N: usize>(
    t: usize,
    tap: &impl Fn(usize) -> f32,
    row: &impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    let taps: [f32; N] = std::array::from_fn(|i| tap(t + i));
    let rows: [&[f32]; N] = std::array::from_fn(|i| &row(t + i)[..out.len()]);
    match (t, out.len()) {
        (0, 16..) => overwrite::<N, 16>(taps, rows, out),
        (0, 8..) => overwrite::<N, 8>(taps, rows, out),
        (0, 4..) => overwrite::<N, 4>(taps, rows, out),
        (0, _) => overwrite::<N, 1>(taps, rows, out),
        _ => {
            for (i, out) in out.iter_mut().enumerate() {
                *out += weighted(&taps, &rows, i);
            }
        }
    }
}

/// The weighted sum of rows, `L` places at a time. The last `L` may cover some for a second time: rows are short, and what is
/// left of them would cost as much as the vectors before.
#[inline(always)]
fn overwrite<const N: usize, const L: usize>(taps: [f32; N], rows: [&[f32]; N], out: &mut [f32]) {
    let last = out.len() - L;
    for at in (0..out.len()).step_by(L) {
        let at = at.min(last);
        let mut sums = [0.0; L];
        for n in 0..N {
            let Some(row) = rows[n][at..].first_chunk::<L>() else { return };
            for i in 0..L {
                sums[i] += taps[n] * row[i];
            }
        }
        out[at..at + L].copy_from_slice(&sums);
    }
}

#[inline(always)]
fn weighted<const N: usize>(taps: &[f32; N], rows: &[&[f32]; N], i: usize) -> f32 {
    let mut sum = taps[0] * rows[0][i];
    for n in 1..N {
        sum += taps[n] * rows[n][i];
    }
    sum
}

/// Every `count`-th pixel to one of the parts.
#[inline(always)]
fn split(pixels: &[f32], count: usize, len: usize, parts: &mut [f32]) {
    if count == 2 {
        let (even, odd) = parts.split_at_mut(len);
        let (pairs, last) = pixels.as_chunks::<2>();
        even.iter_mut().zip(odd).zip(pairs).for_each(|((a, b), pair)| [*a, *b] = *pair);
        even[pairs.len()..].iter_mut().zip(last).for_each(|(o, &x)| *o = x);
        return;
    }
    for (phase, part) in parts.chunks_exact_mut(len).enumerate() {
        let pixels = pixels[phase.min(pixels.len())..].iter().step_by(count);
        part.iter_mut().zip(pixels).for_each(|(o, &x)| *o = x);
    }
}

/// The opposite of [`split`].
#[inline(always)]
fn join(parts: &[f32], count: usize, len: usize, out: &mut [f32]) {
    if count == 2 {
        let (even, odd) = parts.split_at(len);
        let (pairs, last) = out.as_chunks_mut::<2>();
        last.iter_mut().zip(&even[pairs.len()..]).for_each(|(o, &v)| *o = v);
        pairs.iter_mut().zip(even).zip(odd).for_each(|((pair, &a), &b)| *pair = [a, b]);
        return;
    }
    for (phase, part) in parts.chunks_exact(len).enumerate().take(out.len()) {
        out[phase..].iter_mut().step_by(count).zip(part).for_each(|(o, &v)| *o = v);
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
