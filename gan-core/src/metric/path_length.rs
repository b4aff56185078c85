//! Perceptual path length (StyleGAN, section 4.1; `PPLSampler` of stylegan2-ada-pytorch): how far images move when codes move a
//! little.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Zip};

use crate::backend::{Filter, UpFirDn};
use crate::error::{Error, Result};
use crate::generator::StyleBased;
use crate::latent::{Labels, Noise, W, WPlus, Z};
use crate::memory;
use crate::progress::{Progress, report};
use crate::random::Philox;
use crate::tensor::Tensor;

/// Where codes move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LatentSpace {
    /// Along great circles of Z, see [`slerp`].
    Z,
    /// Along straight lines of W.
    #[default]
    W,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLengthOptions {
    /// Where codes move.
    pub space: LatentSpace,
    /// How far, as a part of the way from one code to another.
    pub epsilon: f64,
    /// From a random place on the way, else from its start.
    pub full: bool,
    /// Look at the middle of the image alone, where faces are.
    pub crop: bool,
}

impl Default for PathLengthOptions {
    /// `ppl2_wend` of stylegan2-ada-pytorch, which the StyleGAN2 paper reports, without its crop for faces.
    fn default() -> Self {
        PathLengthOptions { space: LatentSpace::W, epsilon: 1e-4, full: false, crop: false }
    }
}

/// A perceptual distance: from two images `[n, 3, h, w]`, 0 to 255, at most 256 pixels a side, to the squared distance of each pair,
/// `[n]`.
pub type PathDistance<'a> = &'a dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

/// What comes of all distances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLengthScore {
    /// The mean of those that are neither among the least nor among the largest one in a hundred.
    pub score: f64,
    /// The least that counts.
    pub low: f64,
    /// The largest that counts.
    pub high: f64,
    /// How many count.
    pub count: usize,
}

/// Aggregates distances, already divided by `epsilon^2`.
///
/// # Errors
/// [`Error::Argument`] without distances or for some that are not finite.
pub fn path_length_score(distances: &[f64]) -> Result<PathLengthScore> {
    if distances.is_empty() || distances.iter().any(|d| !d.is_finite()) {
        let found = format!("{} numbers, or NaN", distances.len());
        return Err(Error::argument("distances", "at least one, all finite", found));
    }
    let mut sorted = distances.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = |percent: f64| percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place(1.0).floor() as usize], sorted[place(99.0).ceil() as usize]);
    let inside: Vec<f64> = sorted.into_iter().filter(|d| (low..=high).contains(d)).collect();
    let (sum, count) = (inside.iter().sum::<f64>(), inside.len());
    Ok(PathLengthScore { score: sum / count as f64, low, high, count })
}

/// Points on great circles: from each row of `a [n, len]` the part `t` of the way to that of `b`, all scaled to unit length
/// (Shoemake 1985).
pub fn slerp(
    a: &ArrayView2<'_, f64>,
    b: &ArrayView2<'_, f64>,
    t: &ArrayView1<'_, f64>,
) -> Array2<f64> {
    let unit = |v: Array1<f64>| {
        let len = v.dot(&v).sqrt();
        v / len
    };
    let mut out = Array2::zeros(a.raw_dim());
    for (i, mut out) in out.rows_mut().into_iter().enumerate() {
        let (a, b) = (unit(a.row(i).to_owned()), unit(b.row(i).to_owned()));
        let dot = a.dot(&b);
        let aside = unit(&b - &(&a * dot));
        let angle = t[i] * dot.clamp(-1.0, 1.0).acos();
        out.assign(&unit(a * angle.cos() + aside * angle.sin()));
    }
    out
}

/// The codes at `t` and at `t + epsilon` on the way from `z[0] [n, z_dim]` to `z[1]`.
///
/// # Errors
/// [`Error::Shape`] if numbers of codes differ, [`Error::Latent`] for codes of another length, [`Error::Argument`] if labels
/// are missing or not wanted.
pub fn path_ends(
    g: &dyn StyleBased,
    z: [&Z; 2],
    t: &[f64],
    labels: Option<&Labels>,
    options: &PathLengthOptions,
) -> Result<[WPlus; 2]> {
    let [n, _] = z[0].tensor().dims2("path ends")?;
    if z[1].tensor().shape() != z[0].tensor().shape() || t.len() != n {
        let found = (z[1].tensor().shape(), t.len());
        return Err(Error::shape("path ends", format!("{n} codes and places"), found));
    }
    let codes = match options.space {
        LatentSpace::Z => z.map(Z::tensor).map(Tensor::clone),
        LatentSpace::W => {
            let [a, b] = z.map(|z| g.map(z, labels));
            [a?.tensor().clone(), b?.tensor().clone()]
        }
    };
    let [a, b] = [host(&codes[0])?, host(&codes[1])?];
    let end = |epsilon: f64| -> Result<WPlus> {
        let t: Array1<f64> = t.iter().map(|t| t + epsilon).collect();
        let moved = match options.space {
            LatentSpace::Z => slerp(&a.view(), &b.view(), &t.view()),
            LatentSpace::W => {
                let t = t.insert_axis(ndarray::Axis(1));
                Zip::from(&a).and(&b).and_broadcast(&t).map_collect(|a, b, t| a + (b - a) * t)
            }
        };
        let moved = Tensor::from_array(&moved, g.device())?;
        let w = match options.space {
            LatentSpace::Z => g.map(&Z::new(moved)?, labels)?,
            LatentSpace::W => W::new(moved)?,
        };
        g.broadcast(&w)
    };
    Ok([end(0.0)?, end(options.epsilon)?])
}

fn host(t: &Tensor) -> Result<Array2<f64>> {
    let shape = t.dims2("codes")?;
    Array2::from_shape_vec(shape, t.to_vec()?)
        .map_err(|e| Error::shape("codes", e.to_string(), shape))
}

/// Images `[n, 1 or 3, h, w]`, -1 to 1, as the distance sees them: the middle alone if `crop`, at most 256 pixels high, 0 to 255,
/// in three channels.
///
/// # Errors
/// [`Error::Shape`] for images of fewer than 8 pixels that are to be cropped.
pub fn metric_image(images: &Tensor, crop: bool) -> Result<Tensor> {
    let [_, colours, height, _] = images.dims4("metric image")?;
    let mut images = images.clone();
    if crop {
        let c = height / 8;
        images = images.slice(2, 3 * c, 4 * c)?.slice(3, 2 * c, 4 * c)?;
    }
    // Of the whole image: the official code does not look at the crop here.
    let factor = height / 256;
    if factor > 1 {
        let mean = Filter::outer(&vec![1.0 / factor as f64; factor])?;
        let down = [factor, factor];
        let op = UpFirDn {
            filter: mean,
            up: [1, 1],
            down,
            padding: [[0; 2]; 2],
            flip: false,
            gain: 1.0,
        };
        images = images.upfirdn2d(&op)?;
    }
    let images = images.affine(127.5, 127.5)?;
    match colours {
        1 => Tensor::concat(&[&images, &images, &images], 1),
        _ => Ok(images),
    }
}

/// The path length of a generator over `samples` pairs of random codes, `batch` at a time.
///
/// Noise is the network's own, the same at both ends. Codes and places are drawn by `seed`.
///
/// # Errors
/// [`Error::Argument`] for no samples or an empty batch, [`Error::Cancelled`] if `progress` asks to stop, and those of `distance`.
pub fn perceptual_path_length(
    g: &dyn StyleBased,
    options: &PathLengthOptions,
    [samples, batch]: [usize; 2],
    seed: u64,
    distance: PathDistance<'_>,
    progress: &mut dyn Progress,
) -> Result<PathLengthScore> {
    if samples == 0 || batch == 0 {
        return Err(Error::argument(
            "samples and batch",
            "at least 1",
            format!("{samples}, {batch}"),
        ));
    }
    let mut random = Philox::new(seed);
    let mut distances = Vec::new();
    while distances.len() < samples {
        let n = batch.min(samples - distances.len());
        let mut codes = || -> Result<Z> {
            let mut values = memory::zeros("codes", n.saturating_mul(g.z_dim()))?;
            random.fill_normal(&mut values);
            Z::new(Tensor::from_vec(values, &[n, g.z_dim()], g.device())?)
        };
        let z = [codes()?, codes()?];
        let place =
            |random: &mut Philox| if options.full { f64::from(random.uniform()) } else { 0.0 };
        let t: Vec<f64> = (0..n).map(|_| place(&mut random)).collect();
        let ends = path_ends(g, [&z[0], &z[1]], &t, None, options)?;
        let image = |w: &WPlus| metric_image(&g.synthesize(w, Noise::Const)?, options.crop);
        let apart = distance(&image(&ends[0])?, &image(&ends[1])?)?;
        distances.extend(apart.scale(options.epsilon.powi(-2))?.to_vec::<f64>()?);
        report(progress, distances.len(), samples)?;
    }
    path_length_score(&distances)
}
