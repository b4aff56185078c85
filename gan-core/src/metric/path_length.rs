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
    /// `ppl2_wend` of stylegan2-ada-pytorch: ends of ways in W, nothing cropped.
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

/// Points on great circles: from each row of `a [n, len]` the part `t [n]` of the way to that of `b [n, len]`, all scaled to unit length
/// (Shoemake 1985).
///
/// # Errors
/// [`Error::Shape`] if sizes differ, [`Error::Argument`] for a row without a direction, and for two that point in opposite ones, which many
/// circles join.
pub fn slerp(
    a: &ArrayView2<'_, f64>,
    b: &ArrayView2<'_, f64>,
    t: &ArrayView1<'_, f64>,
) -> Result<Array2<f64>> {
    if b.dim() != a.dim() || t.len() != a.nrows() {
        let found = (b.shape(), t.len());
        return Err(Error::shape("slerp", format!("{:?} and as many places", a.shape()), found));
    }
    let unit = |v: Array1<f64>| {
        let len = v.dot(&v).sqrt();
        (len > 0.0 && len.is_finite()).then(|| v / len)
    };
    let mut out = Array2::zeros(a.raw_dim());
    for (i, mut out) in out.rows_mut().into_iter().enumerate() {
        let no_way =
            || Error::argument("slerp", "rows with a way between them", format!("row {i}"));
        let [a, b] = [a, b].map(|rows| unit(rows.row(i).to_owned()));
        let (a, b) = a.zip(b).ok_or_else(no_way)?;
        let dot = a.dot(&b);
        let angle = t[i] * dot.clamp(-1.0, 1.0).acos();
        let point = match unit(&b - &(&a * dot)) {
            Some(aside) => unit(a * angle.cos() + aside * angle.sin()).ok_or_else(no_way)?,
            // Both point in the same direction.
            None if dot > 0.0 => a,
            None => return Err(no_way()),
        };
        out.assign(&point);
    }
    Ok(out)
}

/// The codes at `t` and at `t + epsilon` on the way from `z[0] [n, z_dim]` to `z[1]`.
///
/// # Errors
/// [`Error::Shape`] if numbers of codes differ, [`Error::Latent`] for codes of another length, [`Error::Argument`] if labels
/// are missing or not wanted, and as [`slerp`].
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
            LatentSpace::Z => slerp(&a.view(), &b.view(), &t.view())?,
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

/// The path length of a generator over `samples` pairs of random codes, `batch` at a time; of a conditional one, under one label
/// `[1, label_dim]`.
///
/// Noise is the network's own, the same at both ends and for all codes, where `PPLSampler` draws it anew for each batch. Codes and places are
/// drawn by `seed`.
///
/// # Errors
/// [`Error::Argument`] for no samples, an empty batch, and a label that is missing or not wanted, [`Error::Shape`] for one of another length or
/// number; [`Error::Cancelled`] if `progress` asks to stop; those of `distance`.
pub fn perceptual_path_length(
    g: &dyn StyleBased,
    label: Option<&Labels>,
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
        let labels = match label {
            None => None,
            Some(label) => Some(Labels::new(label.tensor().expand(&[n, g.label_dim()])?)?),
        };
        let ends = path_ends(g, [&z[0], &z[1]], &t, labels.as_ref(), options)?;
        let image = |w: &WPlus| metric_image(&g.synthesize(w, Noise::Const)?, options.crop);
        let apart = distance(&image(&ends[0])?, &image(&ends[1])?)?;
        distances.extend(apart.scale(options.epsilon.powi(-2))?.to_vec::<f64>()?);
        report(progress, distances.len(), samples)?;
    }
    path_length_score(&distances)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::models::stylegan2::{Config, Options};
    use crate::{Device, StyleGan2};

    #[test]
    fn rows_without_one_way_between_them_are_refused() {
        let at =
            |a: Array2<f64>, b: Array2<f64>, t: Array1<f64>| slerp(&a.view(), &b.view(), &t.view());
        let quarter = at(array![[2.0, 0.0]], array![[0.0, 3.0]], array![0.5]).unwrap();
        assert!((quarter[[0, 0]] - 0.5f64.sqrt()).abs() < 1e-12, "{quarter}");
        // Nothing between: that place itself.
        assert_eq!(
            at(array![[2.0, 0.0]], array![[3.0, 0.0]], array![0.5]).unwrap(),
            array![[1.0, 0.0]]
        );
        for b in [array![[-3.0, 0.0]], array![[0.0, 0.0]], array![[f64::NAN, 0.0]], array![[1.0]]] {
            assert!(at(array![[2.0, 0.0]], b.clone(), array![0.5]).is_err(), "{b}");
        }
        assert!(at(array![[2.0, 0.0]], array![[0.0, 3.0]], array![]).is_err());
    }

    #[test]
    fn a_conditional_network_needs_a_label() {
        let device = Device::cpu();
        let config = Config {
            channel_base: 64,
            channel_max: 8,
            z_dim: 4,
            w_dim: 4,
            mapping_layers: 2,
            ..Config::new(8)
        };
        let mut random = Philox::new(0);
        let mut params = config.generator(&Options::default(), &mut random, &device).unwrap();
        for (name, shape) in
            [("embed.weight", vec![4, 3]), ("embed.bias", vec![4]), ("fc0.weight", vec![4, 8])]
        {
            let mut values = vec![0.0; shape.iter().product()];
            random.fill_normal(&mut values);
            params.insert(
                format!("mapping.{name}"),
                Tensor::from_vec(values, &shape, &device).unwrap(),
            );
        }
        let g = StyleGan2::from_params(params, &Options::default()).unwrap();
        let apart =
            |a: &Tensor, b: &Tensor| a.sub(b)?.square()?.mean(&[1, 2, 3])?.reshape(&[a.shape()[0]]);
        let options = PathLengthOptions { epsilon: 1e-2, ..PathLengthOptions::default() };
        let of = |label: Option<&Labels>| {
            perceptual_path_length(&g, label, &options, [5, 2], 0, &apart, &mut ())
        };
        let label = |class: &[usize], classes| Labels::one_hot(class, classes, &device).unwrap();
        let scores = [0, 1].map(|class| of(Some(&label(&[class], 3))).unwrap().score);
        assert!(scores[0] > 0.0 && scores[0] != scores[1], "{scores:?}");
        assert!(of(None).is_err() && of(Some(&label(&[0], 4))).is_err());
        assert!(of(Some(&label(&[0, 1, 2], 3))).is_err());
    }
}
