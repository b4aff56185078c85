//! `stylegan1/*`: the generator in the layouts of genforce and interfacegan, one layer with all its steps, and the
//! discriminator.

use gan_core::models::SynthesisNetwork;
use gan_core::models::stylegan::{
    DiscriminatorOptions, FusedScale, Options, Source, Step, SynthesisLayer,
};
use gan_core::nn::{Params, nearest_upsample2d};
use gan_core::{
    Device, Discriminator, Labels, Noise, StyleBased, StyleGan, StyleGanDiscriminator, StyleKind,
    Tensor, W, WPlus, Z,
};

use super::Check;
use super::case::Case;
use super::discriminators::{group, labels, put, put_block};
use super::error::{Error, Result};
use super::gradients::first;
use super::outputs::Outputs;
use super::pggan::{check_constants, lods};
use super::sefa::truncation;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "generator_genforce" => Some(generator_genforce),
        "generator_interfacegan" => Some(generator_interfacegan),
        "epilogue" => Some(epilogue),
        "discriminator" => Some(discriminator),
        _ => None,
    }
}

/// z to w to image, with styles and what every layer makes, images of unfinished growth, and gradients of z and W+.
fn generator_genforce(case: &Case, device: &Device) -> Result<Outputs> {
    let network = network(case, device)?;
    let labels = case.optional_input("label", device)?.map(Labels::new).transpose()?;
    let z = case.variable("z", device)?;
    let w = network.map(&Z::new(z.clone())?, labels.as_ref())?;
    let wp = network.truncate(&w, &truncation(&case.settings)?)?;

    let mut out = Outputs::default();
    let codes = Z::new(z.detach())?;
    out.tensor("mapping_input", &network.mapping().input(Some(&codes), labels.as_ref())?)?;
    if let Some(labels) = &labels {
        out.tensor("embedding", &network.mapping().embedding(labels)?)?;
    }
    out.tensor("w", w.tensor())?;
    out.tensor("wp", wp.tensor())?;
    let untruncated = network.synthesize(&network.broadcast(&w)?, Noise::Const)?;
    out.tensor("image_notrunc", &untruncated)?;
    put_layers(&network, &WPlus::new(wp.tensor().detach())?, &mut out)?;

    let image = network.synthesize(&wp, Noise::Const)?;
    let leaves = [("z", &z), ("wp", wp.tensor())];
    first(&mut out, &image, &case.input("cotangent", device)?, &leaves)?;
    let fixed = WPlus::new(wp.tensor().detach())?;
    for lod in lods(case)? {
        let image = network.clone().with_lod(lod)?.synthesize(&fixed, Noise::Const)?;
        out.tensor(format!("image_lod{lod}"), &image)?;
    }
    Ok(out)
}

/// Scale and bias of every layer as one vector, and its features, under genforce's names.
fn put_layers(network: &StyleGan, wp: &WPlus, out: &mut Outputs) -> Result<()> {
    let styles = network.styles(wp)?;
    let mut scale = None;
    for (entry, style) in styles.layout().iter().zip(styles.tensors()) {
        match (entry.kind, scale.take()) {
            (StyleKind::Scale, _) => scale = Some(style),
            (StyleKind::Bias, Some(scale)) => {
                let both = Tensor::concat(&[scale, style], 1)?;
                out.tensor(format!("style{:02}", entry.w_index), &both)?;
            }
            _ => {}
        }
    }
    let mut i = 0;
    let image = network.synthesis().forward_with(&styles, Noise::Const, &mut |_, features| {
        i += 1;
        out.tensor(format!("layer{}", i - 1), features)
    })?;
    Ok(out.tensor("image", &image)?)
}

/// The entry points of interfacegan: from z, from w (truncated) and from W+ (as it is).
fn generator_interfacegan(case: &Case, device: &Device) -> Result<Outputs> {
    let network = network(case, device)?;
    let truncation = truncation(&case.settings)?;
    let mut out = Outputs::default();
    let w = network.map(&Z::new(case.input("z", device)?)?, None)?;
    out.tensor("w", w.tensor())?;
    let from_z = network.truncate(&w, &truncation)?;
    out.tensor("wp_truncated", from_z.tensor())?;
    let from_w = network.truncate(&W::new(case.input("w", device)?)?, &truncation)?;
    let from_wp = WPlus::new(case.input("wp", device)?)?;
    for (name, wp) in [("z", from_z), ("w", from_w), ("wp", from_wp)] {
        let image = network.synthesize(&wp, Noise::Const)?;
        out.tensor(format!("image_from_{name}"), &image)?;
    }
    Ok(out)
}

/// One layer: every step, and gradients of features and w.
fn epilogue(case: &Case, device: &Device) -> Result<Outputs> {
    check_constants(case)?;
    let fused = case.settings.flag_or("fused_scale", false)?;
    if !case.settings.flag_or("upsample", false)? {
        return Err(Error::Unsupported("layers that do not up-sample".into()));
    }
    let mut params = layer_params(case, fused, device)?;
    let layer = SynthesisLayer::new(&mut params, "layer", Source::Double, None, None)?;
    params.finish()?;
    let (x, w) = (case.variable("x", device)?, case.variable("w", device)?);
    let [scale, bias] = layer.style(&w)?;
    let mut out = Outputs::default();
    out.tensor("style", &Tensor::concat(&[&scale, &bias], 1)?)?;
    // A transposed convolution takes the features as they are.
    let upsampled = if fused { x.clone() } else { nearest_upsample2d(&x)? };
    out.tensor("after_upsample", &upsampled)?;
    let noise = layer.noise_map()?;
    let y = layer.forward_with(&x, [&scale, &bias], noise.as_ref(), &mut |step, features| {
        let name = match step {
            Step::Convolved => "after_blur",
            Step::Noisy => "after_noise",
            Step::Activated => "after_activation",
            Step::Normalized => "after_instance_norm",
        };
        out.tensor(name, features)
    })?;
    out.tensor("y", &y)?;
    first(&mut out, &y, &case.input("cotangent", device)?, &[("x", &x), ("w", &w)])?;
    Ok(out)
}

/// The layer's tensors as the library names and turns them.
fn layer_params(case: &Case, fused: bool, device: &Device) -> Result<Params> {
    let mut params = Params::default();
    for (name, host) in case.weights()?.iter() {
        let tensor = Tensor::new(&host.data, &host.shape, device)?;
        let (name, tensor) = match name {
            "weight" if !fused => (name, tensor.flip(2)?.flip(3)?),
            "apply_noise.weight" => ("noise_strength", tensor),
            "apply_noise.noise" => ("noise_const", tensor.reshape(&host.shape[2..])?),
            "blur.kernel" => ("resample_filter", tensor.slice(0, 0, 1)?.reshape(&host.shape[2..])?),
            "style.weight" => ("affine.weight", tensor),
            "style.bias" => ("affine.bias", tensor),
            name => (name, tensor),
        };
        params.insert(format!("layer.{name}"), tensor);
    }
    Ok(params)
}

/// The network in the layout that its names tell.
pub(super) fn network(case: &Case, device: &Device) -> Result<StyleGan> {
    check_constants(case)?;
    let settings = &case.settings;
    let fused_scale = match settings.get("fused_scale").map(|v| (v.as_bool(), v.as_str())) {
        None | Some((_, Some("auto"))) => FusedScale::Auto,
        Some((Some(true), _)) => FusedScale::Always,
        Some((Some(false), _)) => FusedScale::Never,
        Some(_) => return Err(Error::Unsupported("another `fused_scale`".into())),
    };
    let options = Options {
        fused_scale,
        final_tanh: settings.flag_or("final_tanh", false)?,
        lod: None,
        mapping_lr_multiplier: settings.number_or("mapping_lr_mul", 0.01)?,
    };
    Ok(StyleGan::from_state_dict(case.weights()?, &options, device)?)
}

/// Logits, what the blocks hand on, logits of unfinished growth, and gradients of the image.
fn discriminator(case: &Case, device: &Device) -> Result<Outputs> {
    let options = DiscriminatorOptions { minibatch_std_group: group(case)?, lod: None };
    let network = StyleGanDiscriminator::from_state_dict(case.weights()?, &options, device)?;
    let image = case.input("image", device)?;
    let labels = labels(case, device)?;
    let mut out = Outputs::default();
    let mut visit = |name: &str, x: &Tensor| put_block(&mut out, name, x);
    network.logits_with(&image, labels.as_ref(), &mut visit)?;
    put(&mut out, case, &network, &[])?;
    for lod in lods(case)? {
        let network = network.clone().with_lod(lod)?;
        out.tensor(format!("logits_lod{lod}"), &network.logits(&image, labels.as_ref())?)?;
    }
    Ok(out)
}
