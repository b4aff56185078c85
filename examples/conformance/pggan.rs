//! `pggan/*`: the generator in the layouts of genforce and mganprior, the discriminator, and images as bytes.

use gan_core::Image;
use gan_core::image::Quantization;
use gan_core::models::pggan::{DiscriminatorOptions, Options};
use gan_core::{Device, Discriminator, Generator, Labels, PgGan, PgGanDiscriminator, Z};

use super::Check;
use super::array::{HostArray, Values};
use super::case::Case;
use super::discriminators::{group, put, put_block};
use super::error::{Error, Result};
use super::gradients::first;
use super::outputs::Outputs;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "generator_genforce" | "generator_mganprior" => Some(generator),
        "discriminator" => Some(discriminator),
        "postprocess_u8" => Some(postprocess_u8),
        _ => None,
    }
}

/// z to image, with what every layer makes, images of unfinished growth, and the gradient of z.
fn generator(case: &Case, device: &Device) -> Result<Outputs> {
    let network = network(case, device)?;
    let labels = case.optional_input("label", device)?.map(Labels::new).transpose()?;
    let z = case.variable("z", device)?;
    let codes = Z::new(z.clone())?;

    let mut out = Outputs::default();
    out.tensor("z_input", &network.input(&codes, labels.as_ref())?)?;
    let mut i = 0;
    let image = network.generate_with(&codes, labels.as_ref(), &mut |_, features| {
        i += 1;
        out.tensor(format!("layer{}", i - 1), features)
    })?;
    out.tensor("image", &image)?;
    first(&mut out, &image, &case.input("cotangent", device)?, &[("z", &z)])?;
    let codes = Z::new(z.detach())?;
    for lod in lods(case)? {
        let network = network.clone().with_lod(lod)?;
        let image = network.generate(&codes, labels.as_ref())?;
        out.tensor(format!("image_lod{lod}"), &image)?;
    }
    Ok(out)
}

/// Logits and scores of classes, what the blocks hand on, logits of unfinished growth, and gradients of the image.
fn discriminator(case: &Case, device: &Device) -> Result<Outputs> {
    let options = DiscriminatorOptions {
        fused_scale: case.settings.flag_or("fused_scale", false)?,
        minibatch_std_group: group(case)?,
        lod: None,
    };
    let network = PgGanDiscriminator::from_state_dict(case.weights()?, &options, device)?;
    let image = case.input("image", device)?;
    let mut out = Outputs::default();
    let scores = network.scores_with(&image, &mut |name, x| put_block(&mut out, name, x))?;
    out.tensor("scores", &scores)?;
    put(&mut out, case, &network, &[])?;
    for lod in lods(case)? {
        let network = network.clone().with_lod(lod)?;
        out.tensor(format!("logits_lod{lod}"), &network.logits(&image, None)?)?;
    }
    Ok(out)
}

/// The levels of detail that a case lists, if any.
pub(super) fn lods(case: &Case) -> Result<Vec<f64>> {
    if case.settings.get("lods").is_none() {
        return Ok(Vec::new());
    }
    Ok(case.settings.list("lods")?.iter().filter_map(serde_json::Value::as_f64).collect())
}

/// The network in the layout that its names tell.
pub(super) fn network(case: &Case, device: &Device) -> Result<PgGan> {
    let settings = &case.settings;
    check_constants(case)?;
    let options = Options {
        fused_scale: Some(settings.flag_or("fused_scale", false)?),
        final_tanh: settings.flag_or("final_tanh", false)?,
        lod: None,
        label_dim: settings.count_or("label_size", 0)?,
    };
    Ok(PgGan::from_state_dict(case.weights()?, &options, device)?)
}

/// Refuses constants that the library does not let anyone choose.
pub(super) fn check_constants(case: &Case) -> Result<()> {
    let constants = [("lrelu_slope", 0.2), ("pixel_norm_eps", 1e-8), ("instance_norm_eps", 1e-8)];
    for (name, value) in constants {
        let found = case.settings.number_or(name, value)?;
        if found != value {
            return Err(Error::Unsupported(format!("networks with {name} of {found}")));
        }
    }
    Ok(())
}

/// Three ways from floats to bytes, `[n, h, w, c]`.
fn postprocess_u8(case: &Case, _: &Device) -> Result<Outputs> {
    let images = case.floats("in.image")?;
    let &[n, c, h, w] = images.shape() else {
        return Err(Error::tensor("in.image", "four axes", format!("{:?}", images.shape())));
    };
    let values: Vec<f32> = images.iter().map(|&x| x as f32).collect();
    let mut out = Outputs::default();
    for (name, how) in [
        ("u8_nhwc", Quantization::Nearest),
        ("biggan_u8_nhwc", Quantization::Bins),
        ("mganprior_saved_u8_nhwc", Quantization::Truncated),
    ] {
        let mut bytes = Vec::new();
        for planes in values.chunks_exact(c * h * w) {
            let image = Image::from_planar_with(planes, c, h, w, how)?;
            bytes.extend(image.pixels().iter().map(|&byte| i64::from(byte)));
        }
        out.array(name, HostArray { shape: vec![n, h, w, c], values: Values::Integers(bytes) });
    }
    Ok(out)
}
