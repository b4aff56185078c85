//! `biggan/*`: the generator and its parts.

use gan_core::models::biggan::{Block, BlockShape, Options};
use gan_core::nn::{BatchNorm, ConditionalBatchNorm, SelfAttention};
use gan_core::{BigGan, Device, Labels, Tensor, Z, ZPlus, ZTruncation};
use serde_json::Value;

use super::Check;
use super::case::Case;
use super::error::{Error, Result};
use super::gradients::first;
use super::outputs::Outputs;
use super::settings::Settings;

/// Epsilon of the published networks.
const EPS: f64 = 1e-4;

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "generator" => generator,
        "block" => block,
        "self_attention" => self_attention,
        "batchnorm_statistics" => batchnorm_statistics,
        _ => return None,
    })
}

/// Images at several truncations, with one z and with one a layer; all features; the gradient of z.
fn generator(case: &Case, device: &Device) -> Result<Outputs> {
    let network = network(case, device)?;
    let labels = Labels::new(case.input("class_vector", device)?)?;
    let mixture = Labels::new(case.input("class_mixture", device)?)?;
    let z = case.variable("z", device)?;
    let codes = network.broadcast(&Z::new(z.clone())?)?;
    // The file has the layers first.
    let layerwise = ZPlus::new(case.input("z_layers", device)?.permute(&[1, 0, 2])?)?;
    let shown = truncation(case.settings.get("features_at_truncation"))?;

    let mut out = Outputs::default();
    out.tensor("sigma.generator.gen_z", network.gen_z().norm().sigma())?;
    for text in case.settings.list("truncations")? {
        let truncation = truncation(Some(text))?;
        let image = match truncation == shown {
            false => network.synthesize(&codes, &labels, truncation)?,
            true => network.synthesize_with(&codes, &labels, truncation, &mut |name, x| {
                let name = if name == "embeddings" { "class_embedding" } else { name };
                out.tensor(name, x)
            })?,
        };
        out.tensor(format!("image_t{text}"), &image)?;
        if truncation == shown {
            first(&mut out, &image, &case.input("cotangent", device)?, &[("z", &z)])?;
        }
    }
    out.tensor("image_layerwise_z", &network.synthesize(&layerwise, &labels, shown)?)?;
    out.tensor("image_class_mixture", &network.synthesize(&codes, &mixture, shown)?)?;
    Ok(out)
}

pub(super) fn network(case: &Case, device: &Device) -> Result<BigGan> {
    Ok(BigGan::from_state_dict(case.weights()?, &options(&case.settings)?, device)?)
}

/// One residual block, and the gradients of its input and its condition.
fn block(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let (mut params, _) = case.params("block.", device)?;
    let shape = BlockShape {
        inputs: settings.count("in_size")?,
        condition: settings.count("condition_vector_dim")?,
        statistics: settings.count("n_stats")?,
        upsample: settings.flag_or("up_sample", false)?,
    };
    let block = Block::new(&mut params, "block", &shape, settings.number_or("eps", EPS)?)?;
    params.finish()?;
    let (x, condition) = (case.variable("x", device)?, case.variable("condition", device)?);
    let truncation = truncation(settings.get("truncation"))?;
    let y = block.forward(&x, &condition, truncation.get())?;
    with_gradients(case, device, &y, &[("x", &x), ("condition", &condition)])
}

/// The attention itself, the output, and the gradient of the input.
fn self_attention(case: &Case, device: &Device) -> Result<Outputs> {
    let (mut params, _) = case.params("attention.", device)?;
    let channels = case.settings.count("in_channels")?;
    let attention = SelfAttention::new(&mut params, "attention", channels)?;
    params.finish()?;
    let x = case.variable("x", device)?;
    let mut out = with_gradients(case, device, &attention.forward(&x)?, &[("x", &x)])?;
    out.tensor("attention", &attention.attention(&x)?)?;
    Ok(out)
}

/// Both kinds of batch normalisation at many truncations.
fn batchnorm_statistics(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let (mut params, _) = case.params("", device)?;
    let (count, features) = (settings.count("n_stats")?, settings.count("num_features")?);
    let inputs = settings.count("condition_vector_dim")?;
    let eps = settings.number_or("eps", EPS)?;
    let plain = BatchNorm::new(&mut params, "unconditional", count, features, eps)?;
    let conditional =
        ConditionalBatchNorm::new(&mut params, "conditional", count, features, inputs, eps)?;
    params.finish()?;
    let (x, condition) = (case.input("x", device)?, case.input("condition", device)?);

    let mut out = Outputs::default();
    for text in settings.list("truncations")? {
        let truncation = truncation(Some(text))?.get();
        out.tensor(format!("unconditional.t{text}"), &plain.forward(&x, truncation)?)?;
        let y = conditional.forward(&x, &condition, truncation)?;
        out.tensor(format!("conditional.t{text}"), &y)?;
    }
    Ok(out)
}

/// `y`, and the gradients of `sum(y * cotangent)`.
fn with_gradients(
    case: &Case,
    device: &Device,
    y: &Tensor,
    leaves: &[(&str, &Tensor)],
) -> Result<Outputs> {
    let mut out = Outputs::default();
    out.tensor("y", y)?;
    first(&mut out, y, &case.input("cotangent", device)?, leaves)?;
    Ok(out)
}

/// The original's list of layers says which blocks double the resolution; the rest is in the tensors.
fn options(settings: &Settings) -> Result<Options> {
    let doubles = |entry: &Value| entry.get(0).and_then(Value::as_bool);
    let wrong = |entry: &Value| Error::Setting {
        name: "layers".into(),
        expected: "[up, in, out] for each block",
        found: entry.to_string(),
    };
    let layers = settings.list("layers")?.iter();
    let upsample = layers.map(|entry| doubles(entry).ok_or_else(|| wrong(entry)));
    let eps = settings.number_or("eps", EPS)?;
    Ok(Options { eps, upsample: Some(upsample.collect::<Result<_>>()?) })
}

fn truncation(value: Option<&Value>) -> Result<ZTruncation> {
    let number = value.and_then(Value::as_f64).ok_or_else(|| Error::Setting {
        name: "truncation".into(),
        expected: "a number",
        found: value.map_or_else(|| "nothing".to_owned(), Value::to_string),
    })?;
    Ok(ZTruncation::new(number)?)
}
