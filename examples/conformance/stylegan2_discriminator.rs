//! `stylegan2/*`: the discriminator in the layouts of NVIDIA and rosinality, and its minibatch standard deviation.

use gan_core::backend::Activation;
use gan_core::models::stylegan2::DiscriminatorOptions;
use gan_core::{Device, StyleGan2Discriminator, nn};

use super::Check;
use super::case::Case;
use super::discriminators::{labels, put, put_block};
use super::error::{Error, Result};
use super::gradients::{layer, leaves};
use super::outputs::Outputs;
use super::settings::Settings;

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "minibatch_std" => minibatch_std,
        "discriminator" => discriminator,
        "rosinality_discriminator" => rosinality_discriminator,
        _ => return None,
    })
}

/// Constant maps of how much the samples of groups differ.
fn minibatch_std(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let eps = settings.number_or("eps", 1e-8)?;
    if eps != 1e-8 {
        return Err(Error::Unsupported(format!("a minibatch standard deviation with eps {eps}")));
    }
    let x = case.variable("x", device)?;
    let channels = settings.count_or("num_channels", 1)?;
    let y = nn::minibatch_std(&x, settings.count("group_size")?, channels)?;
    layer(case, device, &y, &[("x", &x)])
}

/// Logits, what the blocks hand on, mapped labels, and gradients of both orders.
fn discriminator(case: &Case, device: &Device) -> Result<Outputs> {
    let options = options(&case.settings.section("config"))?;
    let (mut params, variables) = case.params("", device)?;
    let network = StyleGan2Discriminator::new(&mut params, "", &options)?;
    params.finish()?;

    let mut out = Outputs::default();
    let image = case.input("image", device)?;
    let labels = labels(case, device)?;
    network.logits_with(&image, labels.as_ref(), &mut |name, x| put_block(&mut out, name, x))?;
    if let Some(code) = network.mapped_labels(labels.as_ref(), image.shape()[0])? {
        out.tensor("cmap", &code)?;
    }
    put(&mut out, case, &network, &leaves(&variables))?;
    Ok(out)
}

/// Logits and the gradient of the image.
fn rosinality_discriminator(case: &Case, device: &Device) -> Result<Outputs> {
    let group = Some(case.settings.count_or("stddev_group", 4)?);
    let options = DiscriminatorOptions { minibatch_std_group: group, ..Default::default() };
    let network = StyleGan2Discriminator::from_state_dict(case.weights()?, &options, device)?;
    let mut out = Outputs::default();
    put(&mut out, case, &network, &[])?;
    Ok(out)
}

/// What the official constructor is told and tensors do not show.
pub(super) fn options(config: &Settings) -> Result<DiscriminatorOptions> {
    let default = DiscriminatorOptions::default();
    let [block, epilogue, mapping] =
        ["block_kwargs", "epilogue_kwargs", "mapping_kwargs"].map(|name| config.section(name));
    if mapping.get("activation").is_some_and(|a| a != "lrelu") {
        return Err(Error::Unsupported("mapping networks with another activation".into()));
    }
    let activation = |settings: &Settings| match settings.get("activation") {
        Some(_) => Ok::<_, Error>(Activation::parse(settings.text("activation")?)?),
        None => Ok(Activation::Lrelu),
    };
    let group = match epilogue.is_null("mbstd_group_size") {
        true => None,
        false => Some(epilogue.count_or("mbstd_group_size", 4)?),
    };
    Ok(DiscriminatorOptions {
        minibatch_std_group: group,
        conv_clamp: config.number("conv_clamp")?,
        activation: activation(&block)?,
        epilogue_activation: activation(&epilogue)?,
        mapping_lr_multiplier: mapping.number_or("lr_multiplier", default.mapping_lr_multiplier)?,
        last_size: None,
    })
}
