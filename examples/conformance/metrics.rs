//! `metrics/*`: distances of features and similarities of images; the network behind the features is in `inception`.

use gan_core::metric::{
    self, Divisor, FeatureStats, MS_SSIM_WEIGHTS, Manifold, Ssim, Window, path_length_score, slerp,
};
use gan_core::{Device, Tensor};
use ndarray::{Array1, Array2, Axis, Ix1, Ix2, s};

use super::Check;
use super::array::HostArray;
use super::case::Case;
use super::error::{Error, Result};
use super::formula;
use super::inception;
use super::outputs::Outputs;

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "fid_inception" => inception::fid_inception,
        "frechet" => frechet,
        "kid" => kid,
        "precision_recall" => precision_recall,
        "inception_score" => inception_score,
        "psnr_ssim" => psnr_ssim,
        "ms_ssim" => ms_ssim,
        "ppl" => path_length,
        _ => return None,
    })
}

fn number(out: &mut Outputs, name: impl Into<String>, value: f64) {
    out.array(name, HostArray::floats(vec![value], &[]));
}

fn numbers(out: &mut Outputs, name: impl Into<String>, values: impl IntoIterator<Item = f64>) {
    let values: Vec<f64> = values.into_iter().collect();
    let shape = [values.len()];
    out.array(name, HostArray::floats(values, &shape));
}

fn matrix(out: &mut Outputs, name: impl Into<String>, values: &Array2<f64>) {
    out.array(name, HostArray::floats(values.iter().copied().collect(), values.shape()));
}

fn rows(case: &Case, name: &str) -> Result<Array2<f64>> {
    let array = case.floats(&format!("in.{name}"))?;
    let wrong = |_| Error::tensor(name, "two dimensions", "another number");
    array.into_dimensionality::<Ix2>().map_err(wrong)
}

fn vector(case: &Case, name: &str) -> Result<Array1<f64>> {
    let array = case.floats(&format!("in.{name}"))?;
    let wrong = |_| Error::tensor(name, "one dimension", "another number");
    array.into_dimensionality::<Ix1>().map_err(wrong)
}

/// Numbers of the sub-cases whose input `i.<name>` is there.
fn items(case: &Case, name: &str) -> impl Iterator<Item = usize> {
    (0..).take_while(move |i| case.has(&format!("in.{i}.{name}")))
}

/// Distances of given normal distributions, and of features by either divisor.
fn frechet(case: &Case, _: &Device) -> Result<Outputs> {
    let mut out = Outputs::default();
    for i in items(case, "mu1") {
        let means = [vector(case, &format!("{i}.mu1"))?, vector(case, &format!("{i}.mu2"))?];
        let spreads = [rows(case, &format!("{i}.sigma1"))?, rows(case, &format!("{i}.sigma2"))?];
        let views = (means.each_ref().map(|m| m.view()), spreads.each_ref().map(|s| s.view()));
        let distance = metric::frechet_distance(views.0, views.1)?;
        let name = format!("{i}.frechet");
        // Equal distributions leave nothing that an error could be relative to.
        match means[0] == means[1] && spreads[0] == spreads[1] {
            true => out.judged(name, distance.abs(), 1e-4),
            false => number(&mut out, name, distance),
        }
    }
    let sets = ["real", "gen"];
    let mut stats = Vec::new();
    for set in sets {
        let of = FeatureStats::of(&rows(case, &format!("features_{set}"))?.view())?;
        numbers(&mut out, format!("{set}.mean"), of.mean()?);
        stats.push(of);
    }
    for (name, divisor) in [("biased", Divisor::Count), ("unbiased", Divisor::CountLessOne)] {
        let mut spreads = Vec::new();
        for (set, stats) in sets.iter().zip(&stats) {
            let spread = stats.covariance(divisor)?;
            matrix(&mut out, format!("{set}.cov_{name}"), &spread);
            spreads.push(spread);
        }
        let means = [stats[0].mean()?, stats[1].mean()?];
        let distance = metric::frechet_distance(
            means.each_ref().map(|m| m.view()),
            [spreads[0].view(), spreads[1].view()],
        )?;
        number(&mut out, format!("fid_{name}"), distance);
    }
    Ok(out)
}

fn kid(case: &Case, _: &Device) -> Result<Outputs> {
    let subsets = |name: &str| -> Result<Vec<Vec<usize>>> {
        let size = case.settings.count_or("subset_size", 1)?.max(1);
        Ok(case.indices(name)?.chunks(size).map(<[usize]>::to_vec).collect())
    };
    let (real, fake) = (rows(case, "features_real")?, rows(case, "features_gen")?);
    let subsets = [subsets("in.subset_real")?, subsets("in.subset_gen")?];
    let distances =
        metric::kernel_distances([&real.view(), &fake.view()], [&subsets[0], &subsets[1]])?;
    let mut out = Outputs::default();
    number(&mut out, "kid", distances.iter().sum::<f64>() / distances.len() as f64);
    numbers(&mut out, "per_subset", distances);
    Ok(out)
}

fn precision_recall(case: &Case, _: &Device) -> Result<Outputs> {
    let (real, fake) = (rows(case, "features_real")?, rows(case, "features_gen")?);
    let mut out = Outputs::default();
    for (i, item) in case.settings.sections("items")?.iter().enumerate() {
        let k = item.count_or("nhood_size", 3)?;
        let manifolds = [Manifold::new(&real.view(), k)?, Manifold::new(&fake.view(), k)?];
        let sides = [("real", "precision", &fake), ("gen", "recall", &real)];
        for (manifold, (set, score, others)) in manifolds.iter().zip(sides) {
            let hits = manifold.contains(&others.view())?;
            numbers(&mut out, format!("{i}.radii_{set}"), manifold.radii().iter().copied());
            let share = hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64;
            number(&mut out, format!("{i}.{score}"), share);
            let hits = HostArray::integers(hits.into_iter().map(i64::from));
            out.array(format!("{i}.{score}_hits"), hits);
        }
    }
    Ok(out)
}

fn inception_score(case: &Case, _: &Device) -> Result<Outputs> {
    let splits = case.settings.count_or("num_splits", 10)?;
    let score = metric::inception_score(&rows(case, "probabilities")?.view(), splits)?;
    let mut out = Outputs::default();
    number(&mut out, "mean", score.mean());
    number(&mut out, "std", score.deviation());
    numbers(&mut out, "per_split", score.splits);
    Ok(out)
}

fn psnr_ssim(case: &Case, _: &Device) -> Result<Outputs> {
    // The pixels are whole numbers, and the truth was computed in double precision.
    let device = &Device::reference();
    let mut out = Outputs::default();
    for i in items(case, "x") {
        let image = |name: &str| -> Result<Tensor> {
            let x = case.input(&format!("{i}.{name}"), device)?;
            let &[h, w, c] = x.shape() else {
                return Err(Error::tensor(name, "[h, w, c]", format!("{:?}", x.shape())));
            };
            Ok(x.reshape(&[1, h, w, c])?.permute(&[0, 3, 1, 2])?)
        };
        let (x, y) = (image("x")?, image("y")?);
        number(&mut out, format!("{i}.psnr"), metric::psnr(&x, &y, 255.0)?[0]);
        let scaled = |t: &Tensor| t.affine(1.0 / 127.5, -1.0);
        let psnr = metric::psnr(&scaled(&x)?, &scaled(&y)?, 2.0)?[0];
        number(&mut out, format!("{i}.psnr_range2"), psnr);
        let uniform = Ssim::uniform(255.0);
        let variants = [
            ("uniform7", uniform),
            ("uniform7_population", Ssim { sample_covariance: false, ..uniform }),
            ("uniform11", Ssim { window: Window::Uniform(11), ..uniform }),
            ("gaussian", Ssim::gaussian(255.0)),
        ];
        for (name, options) in variants {
            number(&mut out, format!("{i}.ssim_{name}"), metric::ssim(&x, &y, &options)?[0]);
            let map = options.map(&x, &y)?.slice(s![0, 0, .., ..]).to_owned();
            matrix(&mut out, format!("{i}.ssim_{name}_map_ch0"), &map);
        }
    }
    Ok(out)
}

/// Images by formula: blocks of one value each, with noise.
fn ms_ssim(case: &Case, _: &Device) -> Result<Outputs> {
    let device = &Device::reference();
    let settings = &case.settings;
    let k = settings.count_or("repeat", 1)?;
    let (shape, noise) = formula::array(settings, "noise1")?;
    let (block_shape, blocks) = formula::array(settings, "blocks")?;
    let (_, other) = formula::array(settings, "noise2")?;
    let (&[c, h, w], &[_, rows, columns]) = (shape.as_slice(), block_shape.as_slice()) else {
        return Err(Error::tensor("blocks", "[c, h, w]", format!("{block_shape:?}")));
    };
    let x: Vec<f32> = (0..c * h * w)
        .map(|i| {
            let (channel, y, x) = (i / (h * w), i / w % h, i % w);
            blocks[(channel * rows + y / k) * columns + x / k] + noise[i]
        })
        .collect();
    let y: Vec<f32> =
        x.iter().zip(&other).map(|(&x, &n)| (0.9 * f64::from(x) + f64::from(n)) as f32).collect();
    let image = |values: &[f32]| Tensor::new(values, &[1, c, h, w], device);
    let options = Ssim::gaussian(settings.number_or("data_range", 1.0)?);
    let (x, y) = (image(&x)?, image(&y)?);
    let result = metric::ms_ssim(&x, &y, &options, &MS_SSIM_WEIGHTS)?;
    let mut out = Outputs::default();
    numbers(&mut out, "ms_ssim", result.scores);
    numbers(&mut out, "ssim", metric::ssim(&x, &y, &options)?);
    for (name, scales) in [("ssim_per_scale", result.ssim), ("cs_per_scale", result.contrast)] {
        let rows: Vec<_> = scales.iter().map(|scale| scale.row(0)).collect();
        let stacked =
            ndarray::stack(Axis(0), &rows).map_err(|_| Error::tensor(name, "rows", ""))?;
        matrix(&mut out, name, &stacked);
    }
    Ok(out)
}

fn path_length(case: &Case, _: &Device) -> Result<Outputs> {
    let score = path_length_score(&vector(case, "distances")?.to_vec())?;
    let mut out = Outputs::default();
    number(&mut out, "lo", score.low);
    number(&mut out, "hi", score.high);
    number(&mut out, "ppl", score.score);
    let (a, b, t) = (rows(case, "a")?, rows(case, "b")?, rows(case, "t")?.column(0).to_owned());
    let at = |t: &Array1<f64>| slerp(&a.view(), &b.view(), &t.view());
    let start = at(&t)?;
    let epsilon = case.settings.number_or("epsilon", 1e-4)?;
    matrix(&mut out, "slerp_eps_difference", &(at(&(&t + epsilon))? - &start));
    matrix(&mut out, "slerp", &start);
    Ok(out)
}
