//! `stylegan2/ppl*`: perceptual path length, with the pixels' squared difference as the distance.

use gan_core::metric::{
    LatentSpace, PathLengthOptions, metric_image, path_ends, path_length_score, slerp,
};
use gan_core::nn::Params;
use gan_core::{Device, Labels, Noise, StyleBased, StyleGan2, Tensor, Z};
use ndarray::{Array1, Array2, Axis, Ix2};

use super::array::{HostArray, Values};
use super::case::Case;
use super::error::{Error, Result};
use super::outputs::Outputs;
use super::{Check, stylegan2_networks};

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "ppl" => ppl,
        "ppl_aggregate" => aggregate,
        "ppl_slerp_lerp" => slerp_lerp,
        _ => return None,
    })
}

/// Codes and images at both ends, and the distances.
fn ppl(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let config = settings.section("G_config");
    let [mapping, synthesis] =
        ["mapping_kwargs", "synthesis_kwargs"].map(|name| config.section(name));
    let options = stylegan2_networks::options(&mapping, &synthesis)?;
    let mut params = Params::upload(case.weights()?, device)?;
    for name in case.inputs().filter_map(|name| name.strip_prefix("noise.")) {
        let map = case.input(&format!("noise.{name}"), device)?;
        params.insert(format!("synthesis.{name}.noise_const"), map);
    }
    let g = StyleGan2::from_params(params, &options)?;
    let options = PathLengthOptions {
        space: match settings.text("space")? {
            "z" => LatentSpace::Z,
            _ => LatentSpace::W,
        },
        epsilon: settings.number_or("epsilon", 1e-4)?,
        full: settings.text("sampling")? == "full",
        crop: settings.flag_or("crop", false)?,
    };
    let z = [Z::new(case.input("z0", device)?)?, Z::new(case.input("z1", device)?)?];
    let labels = case.optional_input("c", device)?.map(Labels::new).transpose()?;
    let mut t: Vec<f64> = case.floats("in.t")?.iter().copied().collect();
    if !options.full {
        t.fill(0.0);
    }
    let ends = path_ends(&g, [&z[0], &z[1]], &t, labels.as_ref(), &options)?;
    let mut out = Outputs::default();
    let mut images = Vec::new();
    for (i, w) in ends.iter().enumerate() {
        out.tensor(format!("ws{i}"), w.tensor())?;
        let image = metric_image(&g.synthesize(w, Noise::Const)?, options.crop)?;
        out.tensor(format!("img{i}"), &image)?;
        images.push(image);
    }
    let apart = images[0].sub(&images[1])?.square()?.mean(&[1, 2, 3])?;
    let apart = apart.reshape(&[t.len()])?.scale(options.epsilon.powi(-2))?;
    out.tensor("dist", &apart)?;
    Ok(out)
}

fn aggregate(case: &Case, _: &Device) -> Result<Outputs> {
    let distances: Vec<f64> = case.floats("in.dist")?.iter().copied().collect();
    let score = path_length_score(&distances)?;
    let mut out = Outputs::default();
    for (name, value) in [("lo", score.low), ("hi", score.high), ("ppl", score.score)] {
        out.array(name, HostArray::floats(vec![value], &[]));
    }
    let count = Values::Integers(vec![score.count as i64]);
    out.array("count", HostArray { shape: Vec::new(), values: count });
    Ok(out)
}

/// Points between codes, on circles and on lines, and a little further.
fn slerp_lerp(case: &Case, device: &Device) -> Result<Outputs> {
    let rows = |name: &str| -> Result<Array2<f64>> {
        let wrong = |_| Error::tensor(name, "two dimensions", "another number");
        case.floats(&format!("in.{name}"))?.into_dimensionality::<Ix2>().map_err(wrong)
    };
    let (a, b) = (rows("a")?, rows("b")?);
    let t: Array1<f64> = case.floats("in.t")?.iter().copied().collect();
    let mut out = Outputs::default();
    for (i, epsilon) in [0.0, case.settings.number_or("epsilon", 1e-4)?].into_iter().enumerate() {
        let t = &t + epsilon;
        let circle = slerp(&a.view(), &b.view(), &t.view())?;
        let line = &a + &((&b - &a) * &t.insert_axis(Axis(1)));
        for (name, points) in [("y", circle), ("lerp", line)] {
            out.tensor(format!("{name}{i}"), &Tensor::from_array(&points, device)?)?;
        }
    }
    Ok(out)
}
