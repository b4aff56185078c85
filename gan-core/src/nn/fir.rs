//! FIR filters, and resampling by them.
//!
//! Source: `torch_utils/ops/upfirdn2d.py` of stylegan2-ada-pytorch. Divisions round down, also those of negative
//! numbers, as in Python.

use ndarray::{ArrayD, IxDyn};

use crate::backend::{Filter, UpFirDn};
use crate::error::{Error, Result};
use crate::nn::Params;
use crate::tensor::{LARGEST_FACTOR, Tensor};

/// Pixels before and after, in y, then in x; negative ones crop.
pub type Padding = [[isize; 2]; 2];

/// How [`setup_filter`] prepares taps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterSetup {
    /// Divide by the sum.
    pub normalize: bool,
    /// Reverse.
    pub flip: bool,
    /// Gain of the two-dimensional filter.
    pub gain: f64,
    /// Keep one-dimensional taps as factors of a separable filter; by default from 8 taps on.
    pub separable: Option<bool>,
}

impl Default for FilterSetup {
    fn default() -> Self {
        FilterSetup { normalize: true, flip: false, gain: 1.0, separable: None }
    }
}

/// Prepares the taps of a filter: none or one number, a vector, or a matrix.
///
/// The result is a matrix, or a vector that stands for its outer product with itself.
///
/// # Errors
/// [`Error::Shape`] for more than two axes or no taps, [`Error::Argument`] if taps that sum to zero are to be
/// normalised.
pub fn setup_filter(taps: Option<&ArrayD<f64>>, setup: &FilterSetup) -> Result<ArrayD<f64>> {
    let mut f = taps.cloned().unwrap_or_else(|| ArrayD::ones(IxDyn(&[])));
    if f.ndim() > 2 || f.is_empty() {
        return Err(Error::shape("setup_filter", "a number, a vector or a matrix", f.shape()));
    }
    if f.ndim() == 0 {
        f = f.into_shape_with_order(IxDyn(&[1])).map_err(shape_error)?;
    }
    let separable = setup.separable.unwrap_or(f.ndim() == 1 && f.len() >= 8);
    if f.ndim() == 1 && !separable {
        let n = f.len();
        Filter::check_sides(n, n)?;
        f = ArrayD::from_shape_fn(IxDyn(&[n, n]), |i| f[[i[0]]] * f[[i[1]]]);
    }
    if setup.normalize {
        let sum = f.sum();
        if sum == 0.0 {
            return Err(Error::argument("setup_filter", "taps that do not sum to zero", sum));
        }
        f /= sum;
    }
    if setup.flip {
        f.invert_axis(ndarray::Axis(0));
        if f.ndim() == 2 {
            f.invert_axis(ndarray::Axis(1));
        }
    }
    f *= setup.gain.powf(f.ndim() as f64 / 2.0);
    Ok(f.as_standard_layout().into_owned())
}

/// A filter from prepared taps: a vector stands for its outer product with itself.
///
/// # Errors
/// As [`Filter::new`].
pub fn filter_from_array(taps: &ArrayD<f64>) -> Result<Filter> {
    let values: Vec<f64> = taps.iter().copied().collect();
    match *taps.shape() {
        [] | [_] => Filter::outer(&values),
        [height, width] => Filter::new(height, width, values),
        _ => Err(Error::shape("filter", "a number, a vector or a matrix", taps.shape())),
    }
}

/// Takes a filter that is stored as a tensor of a network, if it is there.
///
/// # Errors
/// [`Error::Weights`] if it is not a vector or a matrix of at most 64 taps a side.
pub fn take_filter(params: &mut Params, name: &str) -> Result<Option<Filter>> {
    let Some(tensor) = params.get(name) else { return Ok(None) };
    let any = vec![None; tensor.shape().len()];
    let Some(tensor) = params.take_optional(name, &any)? else { return Ok(None) };
    let wrong = |e: Error| Error::Weights {
        name: name.to_owned(),
        expected: "the taps of a filter".into(),
        found: e.to_string(),
    };
    filter_from_array(&tensor.to_array::<f64>()?).map_err(wrong).map(Some)
}

fn shape_error(error: ndarray::ShapeError) -> Error {
    Error::shape("setup_filter", "a contiguous array", error.to_string())
}

pub(super) fn check_factors(op: &'static str, factors: &[usize]) -> Result<()> {
    if factors.iter().all(|f| (1..=LARGEST_FACTOR).contains(f)) {
        return Ok(());
    }
    let expected = format!("factors of 1 to {LARGEST_FACTOR}");
    Err(Error::argument(op, expected, format!("{factors:?}")))
}

/// Adds to the user's padding what keeps a filtered image in place.
fn around(padding: Padding, filter: &Filter, rule: impl Fn(usize, isize) -> [isize; 2]) -> Padding {
    let taps = [filter.height as isize, filter.width as isize];
    [0, 1].map(|axis| {
        let [before, after] = rule(axis, taps[axis]);
        [padding[axis][0].saturating_add(before), padding[axis][1].saturating_add(after)]
    })
}

/// What zero-insertion by `up` adds to the padding for a filter of `taps`.
pub(super) fn up_padding(taps: isize, up: usize) -> [isize; 2] {
    [(taps + up as isize - 1).div_euclid(2), (taps - up as isize).div_euclid(2)]
}

/// What decimation by `down` adds to the padding for a filter of `taps`.
pub(super) fn down_padding(taps: isize, down: usize) -> [isize; 2] {
    [(taps - down as isize + 1).div_euclid(2), (taps - down as isize).div_euclid(2)]
}

/// Filters `x [n, c, h, w]` at its own resolution.
///
/// # Errors
/// [`Error::Shape`] if the padded image is smaller than the filter.
pub fn filter2d(
    x: &Tensor,
    filter: &Filter,
    padding: Padding,
    flip: bool,
    gain: f64,
) -> Result<Tensor> {
    x.upfirdn2d(&UpFirDn {
        padding: around(padding, filter, |_, taps| [taps.div_euclid(2), (taps - 1).div_euclid(2)]),
        filter: filter.clone(),
        up: [1, 1],
        down: [1, 1],
        flip,
        gain,
    })
}

/// Enlarges `x [n, c, h, w]` by whole factors (y, x).
///
/// # Errors
/// [`Error::Shape`] if the padded image is smaller than the filter, [`Error::Argument`] for factors outside of 1 to 64.
pub fn upsample2d(
    x: &Tensor,
    filter: &Filter,
    up: [usize; 2],
    padding: Padding,
    flip: bool,
    gain: f64,
) -> Result<Tensor> {
    check_factors("upsample2d", &up)?;
    x.upfirdn2d(&UpFirDn {
        padding: around(padding, filter, |axis, taps| up_padding(taps, up[axis])),
        filter: filter.clone(),
        up,
        down: [1, 1],
        flip,
        gain: gain * (up[0] * up[1]) as f64,
    })
}

/// The filter with which zero-insertion by 2 repeats each pixel, and decimation by 2 averages squares of two by two.
pub(crate) fn nearest_filter() -> Result<Filter> {
    Filter::outer(&[0.5, 0.5])
}

/// Each pixel of `x [n, c, h, w]` as a square of two by two.
///
/// # Errors
/// [`Error::Shape`] for another rank.
pub fn nearest_upsample2d(x: &Tensor) -> Result<Tensor> {
    upsample2d(x, &nearest_filter()?, [2, 2], [[0; 2]; 2], false, 1.0)
}

/// Reduces `x [n, c, h, w]` by whole factors (y, x).
///
/// # Errors
/// [`Error::Shape`] if the padded image is smaller than the filter, [`Error::Argument`] for factors outside of 1 to 64.
pub fn downsample2d(
    x: &Tensor,
    filter: &Filter,
    down: [usize; 2],
    padding: Padding,
    flip: bool,
    gain: f64,
) -> Result<Tensor> {
    check_factors("downsample2d", &down)?;
    x.upfirdn2d(&UpFirDn {
        padding: around(padding, filter, |axis, taps| down_padding(taps, down[axis])),
        filter: filter.clone(),
        up: [1, 1],
        down,
        flip,
        gain,
    })
}

/// The mean of each square of two by two pixels of `x [n, c, h, w]`, to `[n, c, h/2, w/2]`.
///
/// # Errors
/// [`Error::Shape`] for another rank or an image of one row or column.
pub fn average_downsample2d(x: &Tensor) -> Result<Tensor> {
    downsample2d(x, &nearest_filter()?, [2, 2], [[0; 2]; 2], false, 1.0)
}
