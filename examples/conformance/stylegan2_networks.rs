//! `stylegan2/*`: the mapping and the synthesis network, and the whole generator.

use gan_core::backend::Activation;
use gan_core::models::SynthesisNetwork;
use gan_core::models::stylegan2::{Mapping, Options, Synthesis};
use gan_core::nn::Params;
use gan_core::{
    Device, Labels, Layers, Noise, StyleBased, StyleGan2, StyleKind, Styles, Tensor, Truncation, W,
    WPlus, Z,
};

use super::Check;
use super::case::Case;
use super::error::{Error, Result};
use super::gradients::{first, leaves};
use super::outputs::Outputs;
use super::settings::Settings;

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "mapping" => mapping,
        "synthesis" => synthesis,
        "generator" => generator,
        _ => return None,
    })
}

/// z and labels to w, truncation, the running average, and gradients of all parameters.
fn mapping(case: &Case, device: &Device) -> Result<Outputs> {
    let config = case.settings.section("config");
    let num_ws = config.count("num_ws")?;
    let (mut params, variables) = case.params("", device)?;
    let lr = options(&config, &Settings::default())?.mapping_lr_multiplier;
    let network = Mapping::new(&mut params, "", lr, false)?;
    params.finish()?;
    let z = case.optional_variable("z", device)?;
    let c = case.optional_variable("c", device)?;
    let codes = z.clone().map(Z::new).transpose()?;
    let labels = c.clone().map(Labels::new).transpose()?;
    let w = network.forward(codes.as_ref(), labels.as_ref())?;
    // Without a number of layers, the original does not repeat w.
    let broadcast = |truncation: &Truncation| {
        let plus = network.truncate(&w, num_ws.unwrap_or(1), truncation)?;
        match num_ws {
            Some(_) => Ok(plus.tensor().clone()),
            None => plus.tensor().reshape(w.tensor().shape()),
        }
    };

    let mut out = Outputs::default();
    let ws = broadcast(&Truncation::new(1.0))?;
    out.tensor("ws", &ws)?;
    if network.w_avg().is_some() {
        let truncation = truncation(&case.settings)?;
        out.tensor("ws_psi", &broadcast(&Truncation::new(truncation.psi))?)?;
        out.tensor("ws_psi_cutoff", &broadcast(&truncation)?)?;
        let beta = config.number_or("w_avg_beta", 0.995)?;
        out.tensor("w_avg_after_train", &network.updated_average(&w, beta)?)?;
    }
    let mut wanted = leaves(&variables);
    wanted.extend(z.as_ref().map(|z| ("z", z)));
    wanted.extend(c.as_ref().map(|c| ("c", c)));
    first(&mut out, &ws, &case.input("grad_out", device)?, &wanted)?;
    Ok(out)
}

/// W+ to styles, features and images, edits in the style space, and gradients of codes, styles and all parameters.
fn synthesis(case: &Case, device: &Device) -> Result<Outputs> {
    let options = options(&Settings::default(), &case.settings.section("config"))?;
    let mut params = Params::upload(case.weights()?, device)?;
    let network = Synthesis::new(&mut params, "", &options)?;
    params.finish()?;
    let styles = network.styles(&WPlus::new(case.input("ws", device)?)?)?;

    let mut out = Outputs::default();
    put_styles(&mut out, &styles)?;
    let image =
        network.forward_with(&styles, Noise::Const, &mut |name, x| match name.split_once('.') {
            Some((block, "conv1")) => out.tensor(format!("x.{block}"), x),
            Some((block, "image")) => out.tensor(format!("rgb.{block}"), x),
            _ => Ok(()),
        })?;
    out.tensor("image", &image)?;
    out.tensor("image_noise_none", &network.forward(&styles, Noise::None)?)?;
    out.tensor("image_s_edit", &network.forward(&edited(case, &styles)?, Noise::Const)?)?;

    put_gradients_of_codes(case, device, &options, &mut out)?;
    put_gradients_of_styles(case, &network, &styles, &mut out)?;
    Ok(out)
}

/// The results of the affine layers, and those of toRGB times its constant gain.
fn put_styles(out: &mut Outputs, styles: &Styles) -> Result<()> {
    for (entry, style) in styles.layout().iter().zip(styles.tensors()) {
        out.tensor(format!("styles.{}", entry.name), style)?;
        if entry.kind == StyleKind::ToRgb {
            let scaled = style.scale(1.0 / (entry.channels as f64).sqrt())?;
            out.tensor(format!("styles_scaled.{}", entry.name), &scaled)?;
        }
    }
    Ok(())
}

/// The changes of single channels that the settings list, all at once.
fn edited(case: &Case, styles: &Styles) -> Result<Styles> {
    let mut styles = styles.clone();
    for edit in case.settings.sections("s_edit")? {
        let channel = edit.count_or("channel", usize::MAX)?;
        styles =
            styles.shifted(edit.text("layer")?, channel, edit.number_or("delta", f64::NAN)?)?;
    }
    Ok(styles)
}

fn put_gradients_of_codes(
    case: &Case,
    device: &Device,
    options: &Options,
    out: &mut Outputs,
) -> Result<()> {
    let (mut params, variables) = case.params("", device)?;
    let network = Synthesis::new(&mut params, "", options)?;
    params.finish()?;
    let weight = case.input("grad_out", device)?;
    let ws = case.variable("ws", device)?;
    let styles = network.styles(&WPlus::new(ws.clone())?)?;

    let image = network.forward(&styles, Noise::Const)?;
    first(out, &image, &weight, &[leaves(&variables).as_slice(), &[("ws", &ws)]].concat())?;
    let image = network.forward(&styles, Noise::None)?;
    first(out, &image, &weight, &[("ws_noise_none", &ws)])
}

fn put_gradients_of_styles(
    case: &Case,
    network: &Synthesis,
    styles: &Styles,
    out: &mut Outputs,
) -> Result<()> {
    let tensors: Vec<Tensor> = styles.tensors().iter().map(Tensor::var).collect();
    let names: Vec<String> = styles.layout().iter().map(|e| format!("styles.{}", e.name)).collect();
    let styles = Styles::new(styles.layout().clone(), tensors.clone())?;
    let image = network.forward(&styles, Noise::Const)?;
    let wanted: Vec<_> = names.iter().map(String::as_str).zip(&tensors).collect();
    first(out, &image, &case.input("grad_out", network.device())?, &wanted)
}

/// The whole generator in NVIDIA's layout: truncation and style mixing.
fn generator(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let config = settings.section("config");
    let options = options(&config.section("mapping_kwargs"), &config.section("synthesis_kwargs"))?;
    let network = StyleGan2::from_state_dict(case.weights()?, &options, device)?;
    let noise = settings.noise()?;
    let z = case.optional_input("z", device)?.map(Z::new).transpose()?;
    let labels = case.optional_input("c", device)?.map(Labels::new).transpose()?;
    let w = network.mapping().forward(z.as_ref(), labels.as_ref())?;

    let mut out = Outputs::default();
    let mut put = |suffix: &str, ws: &WPlus| -> Result<()> {
        out.tensor(format!("ws{suffix}"), ws.tensor())?;
        Ok(out.tensor(format!("image{suffix}"), &network.synthesize(ws, noise)?)?)
    };
    let truncation = truncation(settings)?;
    put("", &network.broadcast(&w)?)?;
    put("_psi", &network.truncate(&w, &Truncation::new(truncation.psi))?)?;
    put("_psi_cutoff", &network.truncate(&w, &truncation)?)?;
    if settings.get("style_mixing").is_some() {
        put("_mixed", &mixed(settings, &network, &w)?)?;
    }
    Ok(out)
}

/// The first code with some of its layers from the second, both truncated.
fn mixed(settings: &Settings, network: &StyleGan2, w: &W) -> Result<WPlus> {
    let mut layers = settings.section("style_mixing").counts("col_styles")?;
    layers.sort_unstable();
    layers.dedup();
    let ws = network.truncate(w, &Truncation::new(truncation(settings)?.psi))?;
    Ok(ws.row(0)?.mixed(&ws.row(1)?, &Layers::Some(layers))?)
}

fn truncation(settings: &Settings) -> Result<Truncation> {
    Ok(Truncation {
        psi: settings.number_or("truncation_psi", 1.0)?,
        cutoff: settings.count("truncation_cutoff")?,
    })
}

/// What the official constructors are told and tensors do not show.
pub(super) fn options(mapping: &Settings, synthesis: &Settings) -> Result<Options> {
    let default = Options::default();
    if mapping.get("activation").is_some_and(|a| a != "lrelu") {
        return Err(Error::Unsupported("mapping networks with another activation".into()));
    }
    Ok(Options {
        mapping_lr_multiplier: mapping.number_or("lr_multiplier", default.mapping_lr_multiplier)?,
        activation: match synthesis.get("activation") {
            Some(_) => Activation::parse(synthesis.text("activation")?)?,
            None => default.activation,
        },
        conv_clamp: synthesis.number("conv_clamp")?,
    })
}
