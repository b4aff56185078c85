//! `genforce/genforce` and `genforce/sefa`.
//!
//! The mathematics is NVIDIA's except for the labels, which are joined to z before one normalisation.
//! Stored differently are: the kernels of upsampling layers (rotated by 180 degrees), a factor
//! `1/sqrt(fan_in)` on convolutions before demodulation, biases of styles (without their 1), and filters
//! (with the gain 4 of upsampling, and for a correlation instead of a convolution).

use super::host_tensor::HostTensor;
use super::layout::Family;
use super::state_dict::{StateDict, weights};
use super::{
    Canonical, Layout, add_unused_filters, block, convolution, index, leftover, mean_latent,
    strength,
};
use crate::error::Result;

/// Renames and rescales all tensors.
pub(crate) fn to_canonical(dict: StateDict) -> Result<Canonical> {
    let (tensors, mut dict) = dict.into_parts();
    let mut image_filter = None;
    let mut label_norm_joint = false;
    for (name, tensor) in tensors {
        match name.as_str() {
            // What follows from the configuration, and the blend of a training that is over.
            "truncation.truncation" | "truncation.layer_idx" | "lod" | "synthesis.lod" => {}
            "synthesis.upsample.kernel" => image_filter = Some(filter(&name, tensor)?),
            "mapping.label_weight" => {
                label_norm_joint = true;
                let (weight, bias) = embedding(&name, &tensor)?;
                dict.insert("mapping.embed.weight", weight)?;
                dict.insert("mapping.embed.bias", bias)?;
            }
            _ => {
                let Some(place) = place(&name) else {
                    return Err(leftover(&name, &tensor, Layout::Genforce, Family::StyleGan2));
                };
                let tensor = convert(&name, &place, tensor)?;
                dict.insert(place, tensor)?;
            }
        }
    }
    if let Some(filter) = image_filter {
        for block in (1..16).filter_map(block) {
            if dict.shape(&format!("{block}.torgb.weight")).is_some() {
                dict.insert(format!("{block}.resample_filter"), filter.clone())?;
            }
        }
    }
    add_unused_filters(&mut dict)?;
    Ok(Canonical { layout: Layout::Genforce, dict, label_norm_joint })
}

/// The canonical name.
fn place(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split('.').collect();
    match parts[..] {
        ["mapping", dense, kind @ ("weight" | "bias")] => {
            Some(format!("mapping.fc{}.{kind}", index(dense.strip_prefix("dense")?)?))
        }
        ["truncation", "w_avg"] => Some("mapping.w_avg".to_owned()),
        ["synthesis", "early_layer", "const"] => Some("synthesis.b4.const".to_owned()),
        ["synthesis", owner, ref rest @ ..] => {
            let layer = owner.strip_prefix("layer").and_then(index);
            let output = owner.strip_prefix("output").and_then(index);
            match (layer, output, rest) {
                (Some(i), _, ["weight" | "bias" | "noise_strength"]) => {
                    Some(format!("{}.{}", convolution(i)?, rest[0]))
                }
                (Some(i), _, ["noise"]) => Some(format!("{}.noise_const", convolution(i)?)),
                (Some(i), _, ["style", kind @ ("weight" | "bias")]) => {
                    Some(format!("{}.affine.{kind}", convolution(i)?))
                }
                (Some(i), _, ["filter", "kernel"]) if !i.is_multiple_of(2) => {
                    Some(format!("{}.resample_filter", convolution(i)?))
                }
                (_, Some(j), [kind @ ("weight" | "bias")]) => {
                    Some(format!("{}.torgb.{kind}", block(j)?))
                }
                (_, Some(j), ["style", kind @ ("weight" | "bias")]) => {
                    Some(format!("{}.torgb.affine.{kind}", block(j)?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The canonical tensor; `name` is for messages.
fn convert(name: &str, place: &str, mut tensor: HostTensor) -> Result<HostTensor> {
    let parts: Vec<_> = place.rsplit('.').take(2).collect();
    match parts[..] {
        ["w_avg", ..] => mean_latent(name, tensor),
        ["const", ..] => tensor.keep_dims(name, 4, 1..4),
        ["noise_const", ..] => tensor.keep_dims(name, 4, 2..4),
        ["noise_strength", ..] => strength(name, tensor),
        ["bias", "affine"] => {
            tensor.data.iter_mut().for_each(|b| *b += 1.0);
            Ok(tensor)
        }
        ["weight", "conv0"] => Ok(tensor.scale_by_fan_in(name)?.rotate_180()),
        ["weight", "conv1"] => tensor.scale_by_fan_in(name),
        ["resample_filter", ..] => filter(name, tensor),
        _ => Ok(tensor),
    }
}

/// `[1, 1, h, w]`, four times the filter, as used by a correlation.
fn filter(name: &str, tensor: HostTensor) -> Result<HostTensor> {
    Ok(tensor.keep_dims(name, 4, 2..4)?.scale(0.25).rotate_180())
}

/// `label @ label_weight` as NVIDIA's layer `label @ weight^T / sqrt(c_dim) + bias`.
pub(super) fn embedding(name: &str, label_weight: &HostTensor) -> Result<(HostTensor, HostTensor)> {
    let (c_dim, features) = match label_weight.shape[..] {
        [c_dim, features] if c_dim > 0 && features > 0 => (c_dim, features),
        _ => return Err(weights(name, "shape [label_size, z_dim]", label_weight.shape_text())),
    };
    let gain = (c_dim as f64).sqrt() as f32;
    let column = |j: usize| label_weight.data.iter().skip(j).step_by(features);
    let data = (0..features).flat_map(|j| column(j).map(|x| x * gain)).collect();
    let weight = HostTensor { shape: vec![features, c_dim], data };
    Ok((weight, HostTensor { shape: vec![features], data: vec![0.0; features] }))
}
