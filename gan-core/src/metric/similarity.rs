//! How alike two images are, pixel by pixel: PSNR, SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003).

use ndarray::{Array4, ArrayView2, ArrayViewMut2, Axis, Ix4, Zip, s};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Peak signal-to-noise ratio of each pair of images `[n, c, h, w]` in decibels, `10 log10(range^2 / mse)`, infinite for equal
/// ones. `range` is that of the values: 2 for images from -1 to 1.
///
/// # Errors
/// [`Error::Shape`] if the shapes differ.
pub fn psnr(a: &Tensor, b: &Tensor, range: f64) -> Result<Vec<f64>> {
    let [a, b] = pair(a, b)?;
    let error = |(a, b): (ndarray::ArrayView3<'_, f64>, ndarray::ArrayView3<'_, f64>)| {
        let square: f64 = Zip::from(a).and(b).fold(0.0, |sum, a, b| sum + (a - b).powi(2));
        10.0 * (range * range * a.len() as f64 / square).log10()
    };
    Ok(a.outer_iter().zip(b.outer_iter()).map(error).collect())
}

/// Weights of the neighbours that a pixel's statistics are taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Window {
    /// All alike, in a square of that odd side.
    Uniform(usize),
    /// A bell of that deviation, cut off at a radius.
    Gaussian {
        /// Standard deviation in pixels.
        sigma: f64,
        /// Pixels to each side.
        radius: usize,
    },
}

impl Window {
    fn taps(self) -> Vec<f64> {
        let taps: Vec<f64> = match self {
            Window::Uniform(side) => vec![1.0; side],
            Window::Gaussian { sigma, radius } => {
                let bell = |i: usize| (i as f64 - radius as f64) / sigma;
                (0..=2 * radius).map(|i| (-0.5 * bell(i).powi(2)).exp()).collect()
            }
        };
        let sum: f64 = taps.iter().sum();
        taps.into_iter().map(|tap| tap / sum).collect()
    }
}

/// What structural similarity means; programs differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ssim {
    /// The neighbourhood.
    pub window: Window,
    /// Whether covariances are divided by one less than the number of neighbours.
    pub sample_covariance: bool,
    /// The range of the values: 2 for images from -1 to 1.
    pub range: f64,
    /// Constants that keep the quotients finite.
    pub k: [f64; 2],
}

impl Ssim {
    /// The default of scikit-image: 7 x 7 neighbours alike, sample covariance.
    pub fn uniform(range: f64) -> Self {
        Ssim { window: Window::Uniform(7), sample_covariance: true, range, k: [0.01, 0.03] }
    }

    /// As in the paper: 11 x 11 neighbours under a bell of deviation 1.5.
    pub fn gaussian(range: f64) -> Self {
        let window = Window::Gaussian { sigma: 1.5, radius: 5 };
        Ssim { window, sample_covariance: false, range, k: [0.01, 0.03] }
    }

    /// The index at every pixel, `[n, c, h, w]`, where neighbours outside are those inside, mirrored at the edge.
    ///
    /// # Errors
    /// [`Error::Shape`] if the images differ in shape or are smaller than the window.
    pub fn map(&self, a: &Tensor, b: &Tensor) -> Result<Array4<f64>> {
        let [a, b] = pair(a, b)?;
        Ok(self.maps(&a, &b)?[0].clone())
    }

    /// The index and its part that compares contrast and structure.
    fn maps(&self, a: &Array4<f64>, b: &Array4<f64>) -> Result<[Array4<f64>; 2]> {
        let taps = self.window.taps();
        let [_, _, h, w] = dims(a);
        if taps.len().is_multiple_of(2) || taps.is_empty() || h.min(w) < taps.len() {
            let expected = format!("images of at least an odd window's {} pixels", taps.len());
            return Err(Error::shape("ssim", expected, [h, w]));
        }
        let mean = |x: &Array4<f64>| filtered(x, &taps);
        let (ma, mb) = (mean(a), mean(b));
        let count = (taps.len() * taps.len()) as f64;
        let norm = if self.sample_covariance { count / (count - 1.0) } else { 1.0 };
        let covariance = |x: &Array4<f64>, y: &Array4<f64>, mx: &Array4<f64>, my: &Array4<f64>| {
            (mean(&(x * y)) - mx * my) * norm
        };
        let (va, vb) = (covariance(a, a, &ma, &ma), covariance(b, b, &mb, &mb));
        let vab = covariance(a, b, &ma, &mb);
        let [c1, c2] = self.k.map(|k| (k * self.range).powi(2));
        let contrast = (vab * 2.0 + c2) / (va + vb + c2);
        let light = (&ma * &mb * 2.0 + c1) / (&ma * &ma + &mb * &mb + c1);
        Ok([&light * &contrast, contrast])
    }

    /// Pixels at each side whose neighbours are not all inside.
    fn border(&self) -> usize {
        self.window.taps().len() / 2
    }
}

/// Structural similarity of each pair of images `[n, c, h, w]`, at most 1: the mean over channels and those pixels whose neighbours
/// are all inside.
///
/// # Errors
/// [`Error::Shape`] if the images differ in shape or are smaller than the window.
pub fn ssim(a: &Tensor, b: &Tensor, options: &Ssim) -> Result<Vec<f64>> {
    let map = options.map(a, b)?;
    Ok(inner_means(&map, options.border())
        .outer_iter()
        .map(|row| row.mean().unwrap_or(0.0))
        .collect())
}

/// Weights of the five scales (Wang et al. 2003, section 3.2), as pytorch-msssim has them.
pub const MS_SSIM_WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Structural similarity at several scales.
#[derive(Clone, Debug)]
pub struct MsSsim {
    /// The score of each pair of images.
    pub scores: Vec<f64>,
    /// For each scale, the index of each image and channel, `[n, c]`.
    pub ssim: Vec<ndarray::Array2<f64>>,
    /// For each scale, the part that compares contrast and structure.
    pub contrast: Vec<ndarray::Array2<f64>>,
}

/// Multi-scale structural similarity of each pair of images `[n, c, h, w]`: contrast and structure of all scales but the last, the
/// whole index of the last, each to the power of its weight; negative ones count as 0. Each scale has half the pixels of the one
/// before, means of 2 x 2; an odd side is padded with a zero on both sides.
///
/// # Errors
/// [`Error::Shape`] if the images differ in shape or are smaller than the window at the last scale.
pub fn ms_ssim(a: &Tensor, b: &Tensor, options: &Ssim, weights: &[f64]) -> Result<MsSsim> {
    let [mut a, mut b] = pair(a, b)?;
    let (mut whole, mut contrast) = (Vec::new(), Vec::new());
    for scale in 0..weights.len() {
        if scale > 0 {
            (a, b) = (halved(&a), halved(&b));
        }
        let [index, structure] = options.maps(&a, &b)?;
        whole.push(inner_means(&index, options.border()));
        contrast.push(inner_means(&structure, options.border()));
    }
    let [n, c, _, _] = dims(&a);
    let last = weights.len().saturating_sub(1);
    let product = |image: usize, channel: usize| -> f64 {
        let factor = |(scale, &weight): (usize, &f64)| {
            let of = if scale == last { &whole[scale] } else { &contrast[scale] };
            of[[image, channel]].max(0.0).powf(weight)
        };
        weights.iter().enumerate().map(factor).product()
    };
    let score = |i: usize| (0..c).map(|j| product(i, j)).sum::<f64>() / c as f64;
    Ok(MsSsim { scores: (0..n).map(score).collect(), ssim: whole, contrast })
}

fn pair(a: &Tensor, b: &Tensor) -> Result<[Array4<f64>; 2]> {
    a.dims4("similarity")?;
    if a.shape() != b.shape() {
        return Err(Error::shape("similarity", format!("{:?}", a.shape()), b.shape()));
    }
    let host = |t: &Tensor| -> Result<Array4<f64>> {
        let wrong = |_| Error::shape("similarity", "[n, c, h, w]", t.shape());
        t.to_array::<f64>()?.into_dimensionality::<Ix4>().map_err(wrong)
    };
    Ok([host(a)?, host(b)?])
}

fn dims(x: &Array4<f64>) -> [usize; 4] {
    <[usize; 4]>::from(x.dim())
}

/// Means of each image and channel over the pixels that are `border` away from the edge, `[n, c]`.
fn inner_means(x: &Array4<f64>, border: usize) -> ndarray::Array2<f64> {
    let [_, _, h, w] = dims(x);
    let inner = x.slice(s![.., .., border..h - border, border..w - border]);
    let count = ((h - 2 * border) * (w - 2 * border)) as f64;
    inner.sum_axis(Axis(3)).sum_axis(Axis(2)) / count
}

/// Weighted means over each pixel's neighbours.
fn filtered(x: &Array4<f64>, taps: &[f64]) -> Array4<f64> {
    let mut narrow = Array4::zeros(x.raw_dim());
    let mut out = Array4::zeros(x.raw_dim());
    for image in 0..x.len_of(Axis(0)) {
        for channel in 0..x.len_of(Axis(1)) {
            let plane = s![image, channel, .., ..];
            along_rows(x.slice(plane), taps, narrow.slice_mut(plane));
            along_rows(narrow.slice(plane).t(), taps, out.slice_mut(plane).reversed_axes());
        }
    }
    out
}

/// Filters each row, which is mirrored at its ends: `c b a | a b c`.
fn along_rows(x: ArrayView2<'_, f64>, taps: &[f64], mut out: ArrayViewMut2<'_, f64>) {
    let (len, radius) = (x.ncols() as isize, taps.len() as isize / 2);
    let place = |i: isize| match i {
        i if i < 0 => -i - 1,
        i if i >= len => 2 * len - i - 1,
        i => i,
    };
    for (row, mut out) in x.rows().into_iter().zip(out.rows_mut()) {
        for (i, out) in out.iter_mut().enumerate() {
            let terms = taps.iter().zip(i as isize - radius..);
            *out = terms.map(|(tap, at)| tap * row[place(at) as usize]).sum();
        }
    }
}

/// Means of 2 x 2 pixels.
fn halved(x: &Array4<f64>) -> Array4<f64> {
    let [n, c, h, w] = dims(x);
    let (top, left) = (h % 2, w % 2);
    Array4::from_shape_fn((n, c, h.div_ceil(2), w.div_ceil(2)), |(i, j, y, x0)| {
        let mut sum = 0.0;
        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (y, x0) = (2 * y + dy, 2 * x0 + dx);
            if y >= top && x0 >= left {
                sum += x.get([i, j, y - top, x0 - left]).copied().unwrap_or(0.0);
            }
        }
        sum / 4.0
    })
}
