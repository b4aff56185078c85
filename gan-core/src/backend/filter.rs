//! FIR filters and resampling by them.

use std::sync::Arc;

use crate::error::{Error, Result};

/// Taps of a FIR filter, on the host: filters are constants of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) taps: Arc<[f64]>,
    pub(crate) factors: Option<Factors>,
}

/// Two vectors whose outer product is a filter, so that two short passes do.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// One value for each row of the filter.
    pub column: Arc<[f64]>,
    /// One value for each of its columns.
    pub row: Arc<[f64]>,
}

impl Filter {
    /// A filter of `height * width` taps, row-major; finds out by itself whether it is separable.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of taps is not `height * width` or is zero, or a side is longer than 64 taps;
    /// [`Error::Argument`] if a tap is not finite.
    pub fn new(height: usize, width: usize, taps: Vec<f64>) -> Result<Self> {
        Self::check_sides(height, width)?;
        if taps.is_empty() || Some(taps.len()) != height.checked_mul(width) {
            return Err(Error::shape("filter", format!("{height} x {width} taps"), taps.len()));
        }
        if let Some(bad) = taps.iter().find(|t| !t.is_finite()) {
            return Err(Error::argument("filter", "finite taps", bad));
        }
        let factors = factor(height, width, &taps);
        Ok(Filter { height, width, taps: taps.into(), factors })
    }

    /// A filter's sides come from checkpoints: a long row of taps must not become a huge square.
    pub(crate) fn check_sides(height: usize, width: usize) -> Result<()> {
        const LONGEST: usize = 64;
        if height > LONGEST || width > LONGEST {
            let expected = format!("at most {LONGEST} taps a side");
            return Err(Error::shape("filter", expected, [height, width]));
        }
        Ok(())
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The taps, row-major.
    pub fn taps(&self) -> &[f64] {
        &self.taps
    }

    /// Its factors, if it is separable.
    pub fn factors(&self) -> Option<&Factors> {
        self.factors.as_ref()
    }

    /// The outer product of `taps` with itself.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn outer(taps: &[f64]) -> Result<Self> {
        let n = taps.len();
        Self::check_sides(n, n)?;
        Self::new(n, n, taps.iter().flat_map(|a| taps.iter().map(move |b| a * b)).collect())
    }
}

/// Splits a rank-one filter into column and row factors, up to rounding of single precision.
fn factor(height: usize, width: usize, taps: &[f64]) -> Option<Factors> {
    let pivot = (0..taps.len()).max_by(|&a, &b| taps[a].abs().total_cmp(&taps[b].abs()))?;
    let (py, px, largest) = (pivot / width, pivot % width, taps[pivot]);
    if largest == 0.0 {
        return None;
    }
    // Both factors get the square root of the pivot, so that symmetric filters have equal factors.
    let scale = largest.abs().sqrt();
    let column: Vec<f64> = (0..height).map(|y| taps[y * width + px] / largest * scale).collect();
    let row: Vec<f64> = (0..width).map(|x| taps[py * width + x] / scale).collect();
    let exact = (0..height).all(|y| {
        (0..width).all(|x| (column[y] * row[x] - taps[y * width + x]).abs() <= 1e-7 * largest.abs())
    });
    exact.then(|| Factors { column: column.into(), row: row.into() })
}

/// Zero-insertion, padding, FIR filtering and decimation in one step (StyleGAN2's `upfirdn2d`).
///
/// `y[i,j] = gain * sum k[a,b] * z[i*down_y + a, j*down_x + b]`, where `z` is `x` with `up - 1` zeros after each
/// pixel, padded or cropped.
#[derive(Clone, Debug, PartialEq)]
pub struct UpFirDn {
    /// The taps.
    pub filter: Filter,
    /// Zero-insertion factors in y and x.
    pub up: [usize; 2],
    /// Decimation factors in y and x.
    pub down: [usize; 2],
    /// Pixels added before and after in y, then in x; negative ones crop.
    pub padding: [[isize; 2]; 2],
    /// `true` correlates, `false` (as in the originals) convolves, that is, reverses the taps.
    pub flip: bool,
    /// Factor on the result.
    pub gain: f64,
}

impl UpFirDn {
    /// Size of the result along `axis` (0 for y, 1 for x); `None` if nothing is left.
    pub fn output_len(&self, axis: usize, input: usize) -> Option<usize> {
        let taps = *[self.filter.height, self.filter.width].get(axis)?;
        let [before, after] = self.padding[axis];
        // Beyond what any image has; kernels add to them.
        let is_far = |padding: isize| padding.unsigned_abs() > 1 << 40;
        if self.up[axis] == 0 || is_far(before) || is_far(after) {
            return None;
        }
        let padded = isize::try_from(input.checked_mul(self.up[axis])?).ok()?;
        let padded = padded.checked_add(before)?.checked_add(after)?;
        let last = padded.checked_sub(isize::try_from(taps).ok()?)?;
        usize::try_from(last).ok()?.checked_div(self.down[axis])?.checked_add(1)
    }

    /// The operator's adjoint for inputs of `input` pixels (y, x): up and down swapped, taps reversed.
    pub fn adjoint(&self, input: [usize; 2]) -> Self {
        let taps = [self.filter.height, self.filter.width];
        let padding = [0, 1].map(|axis| {
            let output = self.output_len(axis, input[axis]).unwrap_or(0);
            let [before, _] = self.padding[axis];
            let up = self.up[axis] as isize;
            [
                taps[axis] as isize - before - 1,
                input[axis] as isize * up - output as isize * self.down[axis] as isize + before
                    - up
                    + 1,
            ]
        });
        UpFirDn {
            filter: self.filter.clone(),
            up: self.down,
            down: self.up,
            padding,
            flip: !self.flip,
            gain: self.gain,
        }
    }
}
