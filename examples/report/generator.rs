//! How good a generator is, as the attribute network sees it.

use gan_core::metric::{
    FeatureStats, PathLengthOptions, perceptual_path_length, precision, recall,
};
use gan_core::models::recognition::AttributeNet;
use gan_core::models::{AnyGenerator, StyleNetwork, SynthesisNetwork};
use gan_core::nn::average_downsample2d;
use gan_core::progress::{Progress, report};
use gan_core::{
    AttributeKind, Classifier, Error, ImageEncoder, Noise, Staged, StyleBased, Tensor,
    perceptual_distance,
};
use ndarray::Array2;

use super::Section;
use crate::model::{ModelArgs, Sampled};
use crate::program::Result;
use crate::recognition::{Labelled, Labels, predicted};

/// Images at a time.
const BATCH: usize = 32;

/// The neighbour that precision and recall look at, as in the paper.
const NEIGHBOURS: usize = 3;

/// Into how many parts a range is cut.
const BINS: usize = 4;

/// Seeds of the two sets of drawn pictures.
const REAL: [u32; 2] = [997, 998];

/// What the attribute network sees in a set of images.
pub struct Judged {
    /// `[n, dim]`
    embeddings: Array2<f64>,
    /// The attributes that it tells of each.
    labels: Labels,
}

/// A set of images batch by batch, each image of `start..start + n`.
type Batches<'a> = &'a dyn Fn(usize, usize) -> Result<Tensor>;

impl Judged {
    /// Of `count` images of a generator, of seeds from 0; without truncation unless the flags say another psi. Images that are larger than those of the
    /// network are averaged down to them.
    ///
    /// # Errors
    /// For flags or images that the networks do not take, and [`Error::Cancelled`].
    pub fn generated(
        g: &AnyGenerator,
        flags: &ModelArgs,
        net: &AttributeNet,
        count: usize,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let flags = &ModelArgs { psi: flags.psi.or(Some(1.0)), ..flags.clone() };
        let image = |seed: usize| -> Result<Tensor> {
            let seed = seed as u32;
            Ok(match g {
                AnyGenerator::StyleGan2(g) => {
                    g.synthesize(&g.sampled(seed, flags)?, Noise::Const)?
                }
                AnyGenerator::StyleGan(g) => {
                    g.synthesize(&g.sampled(seed, flags)?, Noise::Const)?
                }
                AnyGenerator::PgGan(g) => g.image(&g.sampled(seed, flags)?)?,
                AnyGenerator::BigGan(g) => g.image(&g.sampled(seed, flags)?)?,
            })
        };
        let batch = |start: usize, n: usize| {
            let images = (start..start + n).map(image).collect::<Result<Vec<_>>>()?;
            let images = Tensor::concat(&images.iter().collect::<Vec<_>>(), 0)?;
            Ok(shrunk(&images.clamp_symmetric(1.0)?, net.resolution())?)
        };
        Self::of(net, count, &batch, progress)
    }

    /// Of two disjoint sets of `count` drawn portraits each.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn real(
        net: &AttributeNet,
        count: usize,
        progress: &mut dyn Progress,
    ) -> Result<[Self; 2]> {
        let data = Labelled::portraits(net.resolution());
        let mut of = |seed: u32| {
            let batch =
                |start: usize, n: usize| Ok(data.clean(seed, start as u64, n, net.device())?);
            Self::of(net, count, &batch, progress)
        };
        Ok([of(REAL[0])?, of(REAL[1])?])
    }

    fn of(
        net: &AttributeNet,
        count: usize,
        batch: Batches<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        // A covariance of fewer images has no full rank, and its distance says little.
        if count <= net.dim() {
            let expected = format!("more than the {} features of the classifier", net.dim());
            let found = count.to_string();
            return Err(Error::Argument { what: "--samples", expected, found }.into());
        }
        let (mut embeddings, mut labels) = (Vec::new(), Labels::new());
        for start in (0..count).step_by(BATCH) {
            let images = batch(start, BATCH.min(count - start))?;
            embeddings.extend(net.embed(&images)?.to_vec::<f64>()?);
            labels.extend(predicted(net.attributes(), &net.scores(&images)?)?);
            report(progress, labels.len(), count)?;
        }
        Ok(Judged { embeddings: Array2::from_shape_vec((count, net.dim()), embeddings)?, labels })
    }
}

/// Averages squares of pixels until the side is that of the network.
fn shrunk(images: &Tensor, side: usize) -> gan_core::Result<Tensor> {
    let mut images = images.clone();
    while images.dims4("images")?[2] > side {
        images = average_downsample2d(&images)?;
    }
    Ok(images)
}

/// Fréchet distances, precision and recall on the attribute network's embedding, and the path length on its features.
///
/// # Errors
/// As [`perceptual_path_length`].
pub fn distances(
    g: &AnyGenerator,
    flags: &ModelArgs,
    net: &AttributeNet,
    generated: &Judged,
    real: &[Judged; 2],
    paths: usize,
    progress: &mut dyn Progress,
) -> Result<Section> {
    let stats = |set: &Judged| FeatureStats::of(&set.embeddings.view());
    let [first, second] = [stats(&real[0])?, stats(&real[1])?];
    let own = stats(generated)?.frechet_distance(&first)?;
    let floor = first.frechet_distance(&second)?;
    let mut section = Section::new("generator", &["value"]);
    let mut row = |name: &str, value: String| section.row(name, vec![value]);
    row("FD-attributes, generated to real", format!("{own:.3}"));
    row("FD-attributes, real to real", format!("{floor:.3}"));
    row("the one over the other", format!("{:.1}", own / floor));
    let [fake, truth] = [generated.embeddings.view(), real[0].embeddings.view()];
    row("precision", format!("{:.3}", precision(&truth, &fake, NEIGHBOURS)?));
    row("recall", format!("{:.3}", recall(&truth, &fake, NEIGHBOURS)?));
    let path = match g {
        AnyGenerator::StyleGan2(g) => Some(path_length(g, flags, net, paths, progress)?),
        AnyGenerator::StyleGan(g) => Some(path_length(g, flags, net, paths, progress)?),
        AnyGenerator::PgGan(_) | AnyGenerator::BigGan(_) => None,
    };
    row("PPL-attributes", path.map_or("it has no w".into(), |v| format!("{v:.2}")));
    Ok(section)
}

fn path_length<S: SynthesisNetwork>(
    g: &StyleNetwork<S>,
    flags: &ModelArgs,
    net: &AttributeNet,
    paths: usize,
    progress: &mut dyn Progress,
) -> Result<f64> {
    let distance = |a: &Tensor, b: &Tensor| {
        let seen = |x: &Tensor| shrunk(&x.affine(1.0 / 127.5, -1.0)?, net.resolution());
        perceptual_distance(net, &seen(a)?, &seen(b)?)
    };
    let (label, options) = (flags.labels(g)?, PathLengthOptions::default());
    let counts = [paths, BATCH];
    Ok(perceptual_path_length(g, label.as_ref(), &options, counts, 0, &distance, progress)?.score)
}

/// For each attribute and each of its values, or quarters of its range, the share of images that have it: among those generated and among
/// drawn ones. Both are what the network tells, so that its mistakes are in both.
pub fn shares(net: &AttributeNet, generated: &Judged, real: &Judged) -> Section {
    let mut section = Section::new("share of images, in %", &["generated", "data"]);
    for (i, attribute) in net.attributes().iter().enumerate() {
        let (names, bin): (Vec<String>, Box<dyn Fn(f32) -> usize>) = match &attribute.kind {
            AttributeKind::Choice(names) => (names.clone(), Box::new(|v| v as usize)),
            &AttributeKind::Range { low, high } => {
                let edge = |k: usize| low + (high - low) * k as f64 / BINS as f64;
                let names = (0..BINS).map(|k| format!("{} to {}", edge(k), edge(k + 1)));
                let place = move |v: f32| (f64::from(v) - low) / (high - low) * BINS as f64;
                // What is beyond the range is in its first or last part.
                (
                    names.collect(),
                    Box::new(move |v| place(v).clamp(0.0, BINS as f64 - 0.5) as usize),
                )
            }
        };
        let count = |set: &Judged| {
            let mut counts = vec![0usize; names.len()];
            set.labels.iter().filter_map(|row| row[i]).for_each(|v| counts[bin(v)] += 1);
            let all = counts.iter().sum::<usize>().max(1) as f64;
            counts.into_iter().map(move |n| format!("{:.1}", 100.0 * n as f64 / all))
        };
        for ((name, ours), theirs) in names.iter().zip(count(generated)).zip(count(real)) {
            section.row(format!("{}: {name}", attribute.name), vec![ours, theirs]);
        }
    }
    section
}
