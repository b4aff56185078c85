//! `checkpoints/*`: files as the original programs write them.

use gan_core::checkpoint::{self, HostTensor, StateDict};
use gan_core::{
    Device, Noise, StyleBased, StyleGan2, StyleGan2Discriminator, Truncation, WPlus, Z,
};

use super::array::HostArray;
use super::case::Case;
use super::discriminators::labels;
use super::error::{Error, Result};
use super::outputs::{Output, Outputs};
use super::report::compare;
use super::{Check, stylegan2_discriminator, stylegan2_networks};

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "expected" => Some(expected),
        _ => None,
    }
}

/// Each of the files gives the case's tensors and images; where one does not, its result is the one that is judged.
fn expected(case: &Case, device: &Device) -> Result<Outputs> {
    let mut all = Outputs::default();
    for file in case.settings.list("files")? {
        let file = file.as_str().unwrap_or_default();
        let dict = checkpoint::open(case.neighbour(file)?)?.tensors;
        check_weights(case, file, &dict)?;
        let one = match case.has("in.wplus") {
            true => rosinality(case, dict, device)?,
            false => nvidia(case, dict, device)?,
        };
        for result in compare(case, &one, "") {
            let is_worse = |old: &Output| match old {
                Output::Judged { .. } => false,
                Output::Array(_) => !result.is_met(),
            };
            if all.get(&result.tensor).is_none_or(is_worse)
                && let Some(Output::Array(array)) = one.get(&result.tensor)
            {
                all.array(result.tensor, array.clone());
            }
        }
    }
    Ok(all)
}

/// The networks that the case names are in the file with the case's numbers. A state dict is one network by itself.
fn check_weights(case: &Case, file: &str, dict: &StateDict) -> Result<()> {
    let weights = case.weights()?;
    let starts = |prefix: &str| dict.names().any(|name| name.starts_with(prefix));
    let mut compared = 0;
    for (name, expected) in weights.iter() {
        let (network, inner) = match name.split_once('.') {
            Some((network @ ("G_ema" | "D"), inner)) => (network, inner),
            _ => ("g_ema", name),
        };
        let nested = ["G_ema.", "g_ema."].iter().any(|prefix| starts(prefix));
        let found = match nested {
            true => dict.get(&format!("{network}.{inner}")),
            false if network == "D" => continue,
            false => dict.get(inner),
        };
        if found != Some(expected) {
            let found = found.map_or("nothing", |_| "other numbers").to_owned();
            return Err(Error::tensor(format!("{file}: {name}"), "the case's numbers", found));
        }
        compared += 1;
    }
    match compared {
        0 => Err(Error::tensor(file, "the case's weights", "none of them".to_owned())),
        _ => Ok(()),
    }
}

/// NVIDIA's files: generator, and discriminator where there is one.
fn nvidia(case: &Case, dict: StateDict, device: &Device) -> Result<Outputs> {
    let [g, d] = ["G", "D"].map(|name| case.settings.section(name));
    let (mapping, synthesis) = (g.section("mapping_kwargs"), g.section("synthesis_kwargs"));
    let options = stylegan2_networks::options(&mapping, &synthesis)?;
    let mut out = Outputs::default();
    if dict.names().any(|name| name.starts_with("D.")) {
        let options = stylegan2_discriminator::options(&d)?;
        let network = StyleGan2Discriminator::from_state_dict(dict.clone(), &options, device)?;
        let logits = network.logits_with(
            &case.input("image", device)?,
            labels(case, device)?.as_ref(),
            &mut |_, _| Ok(()),
        )?;
        out.tensor("logits", &logits)?;
    }
    let network = StyleGan2::from_state_dict(dict, &options, device)?;
    let w = network.map(&Z::new(case.input("z", device)?)?, labels(case, device)?.as_ref())?;
    let ws = network.broadcast(&w)?;
    out.tensor("ws", ws.tensor())?;
    out.tensor("image", &network.synthesize(&ws, Noise::Const)?)?;
    out.tensor("image_noise_none", &network.synthesize(&ws, Noise::None)?)?;
    for (name, psi) in truncations(case, "image_psi") {
        let ws = network.truncate(&w, &Truncation::new(psi))?;
        out.tensor(name, &network.synthesize(&ws, Noise::Const)?)?;
    }
    Ok(out)
}

/// rosinality's files: a generator. Training files lack the average code, which the case has.
fn rosinality(case: &Case, mut dict: StateDict, device: &Device) -> Result<Outputs> {
    if dict.shape("latent_avg").is_none() {
        let HostArray { shape, .. } = case.array("in.latent_avg")?;
        let data = case.floats("in.latent_avg")?.iter().map(|&x| x as f32).collect();
        dict.insert("latent_avg", HostTensor { shape: shape.clone(), data })?;
    }
    let network = StyleGan2::from_state_dict(dict, &Default::default(), device)?;
    let w = network.map(&Z::new(case.input("z", device)?)?, None)?;
    let ws = network.broadcast(&w)?;
    let mut out = Outputs::default();
    out.tensor("latent_z", ws.tensor())?;
    out.tensor("image_z", &network.synthesize(&ws, Noise::Const)?)?;
    let wplus = WPlus::new(case.input("wplus", device)?)?;
    out.tensor("image_wplus", &network.synthesize(&wplus, Noise::Const)?)?;
    for (name, psi) in truncations(case, "image_trunc") {
        let ws = network.truncate(&w, &Truncation::new(psi))?;
        out.tensor(name, &network.synthesize(&ws, Noise::Const)?)?;
    }
    Ok(out)
}

/// Images whose name ends in their psi.
fn truncations(case: &Case, prefix: &str) -> Vec<(String, f64)> {
    let psi =
        |(name, _): (&str, _)| Some((name.to_owned(), name.strip_prefix(prefix)?.parse().ok()?));
    case.expected().filter_map(psi).collect()
}
