//! `stylegan2/rosinality_*`: the same networks in the layout of rosinality's implementation.

use gan_core::checkpoint::HostTensor;
use gan_core::models::stylegan2::Options;
use gan_core::{
    Device, Direction, Layers, Noise, StyleBased, StyleGan2, Tensor, Truncation, W, WPlus, Z,
};
use gan_edit::sefa::{self, Convention};

use super::Check;
use super::array::HostArray;
use super::case::Case;
use super::eigen::{self, Basis};
use super::error::{Error, Result};
use super::gradients::first;
use super::outputs::Outputs;
use super::settings::Settings;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "rosinality_generator" => Some(rosinality_generator),
        _ => None,
    }
}

/// The generator from z and from W+, with noise, truncation and mixing; its styles; closed-form factorization.
fn rosinality_generator(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let network = network(case, device)?;
    let truncation = truncation(settings)?;
    let w = network.map(&Z::new(case.input("z", device)?)?, None)?;
    let w2 = network.map(&Z::new(case.input("z2", device)?)?, None)?;
    let latent = network.broadcast(&w)?;
    let wplus = WPlus::new(case.input("wplus", device)?)?;
    let image = |ws: &WPlus| network.synthesize(ws, Noise::Const);

    let mut out = Outputs::default();
    out.tensor("w_z", w.tensor())?;
    out.tensor("latent_z", latent.tensor())?;
    out.tensor("image_z", &image(&latent)?)?;
    out.tensor("image_trunc", &image(&network.truncate(&w, &truncation)?)?)?;
    out.tensor("image_wplus", &image(&wplus)?)?;
    out.tensor("image_wplus_trunc", &image(&network.truncate_plus(&wplus, &truncation)?)?)?;

    let later = (settings.count_or("inject_index", 1)?..network.num_ws()).collect();
    let mixed = latent.mixed(&network.broadcast(&w2)?, &Layers::Some(later))?;
    out.tensor("image_mix", &image(&mixed)?)?;

    let maps = noise_maps(case, device)?;
    out.tensor("image_noise", &network.synthesize(&latent, Noise::Maps(&maps))?)?;
    put_styles(case, &network, &wplus, &mut out)?;
    put_factorization(case, &network, &w, &mut out)?;

    let variable = case.variable("wplus", device)?;
    let image = network.synthesize(&WPlus::new(variable.clone())?, Noise::Const)?;
    first(&mut out, &image, &case.input("grad_out", device)?, &[("wplus", &variable)])?;
    Ok(out)
}

/// The network, with the average code where rosinality's checkpoints have it.
fn network(case: &Case, device: &Device) -> Result<StyleGan2> {
    let mut dict = case.weights()?;
    let average = case.floats("in.truncation_latent")?;
    let data = average.iter().map(|&x| x as f32).collect();
    dict.insert("latent_avg", HostTensor { shape: average.shape().to_vec(), data })?;
    let lr = case.settings.number_or("lr_mlp", 0.01)?;
    let options = Options { mapping_lr_multiplier: lr, ..Options::default() };
    Ok(StyleGan2::from_state_dict(dict, &options, device)?)
}

/// rosinality truncates only if the factor is below 1.
fn truncation(settings: &Settings) -> Result<Truncation> {
    Ok(Truncation::new(settings.number_or("truncation", 1.0)?.min(1.0)))
}

/// `in.noise.0`, `in.noise.1`, ...
fn noise_maps(case: &Case, device: &Device) -> Result<Vec<Tensor>> {
    let names = (0..).map(|i| format!("noise.{i}"));
    let names = names.take_while(|name| case.has(&format!("in.{name}")));
    names.map(|name| case.input(&name, device)).collect()
}

/// Styles under rosinality's names, whose order is that of the layout.
fn put_styles(case: &Case, network: &StyleGan2, ws: &WPlus, out: &mut Outputs) -> Result<()> {
    let names = case.settings.list("style_layers_in_order")?;
    for (name, style) in names.iter().zip(network.styles(ws)?.tensors()) {
        out.tensor(format!("styles.{}", name.as_str().unwrap_or_default()), style)?;
    }
    Ok(())
}

/// Right singular vectors of the stacked weights, and images of codes moved along one of them.
fn put_factorization(case: &Case, network: &StyleGan2, w: &W, out: &mut Outputs) -> Result<()> {
    let settings = &case.settings;
    let found = sefa::factorize(network, &Layers::All, Convention::Rosinality)?;
    let columns = case.floats("out.factor_eigvec")?;
    let singular = case.floats("out.factor_singular_values")?;
    let count = singular.len().min(found.eigenvalues.len());
    let ours = found.eigenvalues[..count].iter().map(|v| v.max(0.0).sqrt()).collect();
    out.array("factor_singular_values", HostArray::floats(ours, &[count]));
    let squares: Vec<f64> = singular.iter().map(|s| s * s).collect();
    let expected = Basis::new("factor_eigvec", &squares, &columns.t().into_owned())?;
    out.judged("factor_eigvec", Basis::of(&found).error(&expected), eigen::TOLERANCE);

    // The images were made with the sign of the file's vector.
    let k = settings.count_or("factor_column", 0)?;
    let wrong = || Error::tensor("out.factor_eigvec", format!("a column {k}"), "fewer");
    let direction: &Direction<W> = found.directions.get(k).ok_or_else(wrong)?;
    let column: Vec<f64> =
        columns.axis_iter(ndarray::Axis(1)).nth(k).ok_or_else(wrong)?.iter().copied().collect();
    let step =
        settings.number_or("factor_degree", 5.0)? * eigen::same_way(direction.vector(), &column);
    for (name, step) in [("image_factor_plus", step), ("image_factor_minus", -step)] {
        let moved = network.truncate(&w.shifted(direction, step)?, &truncation(settings)?)?;
        out.tensor(name, &network.synthesize(&moved, Noise::Const)?)?;
    }
    Ok(())
}
