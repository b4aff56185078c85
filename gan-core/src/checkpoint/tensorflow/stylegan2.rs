//! `NVlabs/stylegan2` and `NVlabs/stylegan2-ada`.
//!
//! The mathematics is that of NVIDIA's PyTorch code, with a factor `1/sqrt(fan_in)` on convolutions before demodulation as in
//! rosinality's. Stored differently are the kernels of up-sampling layers (rotated by 180 degrees) and biases of styles
//! (without their 1). Labels are joined to z before one normalisation, or embedded and normalised apart since
//! stylegan2-ada.

use super::super::genforce::embedding;
use super::super::host_tensor::HostTensor;
use super::super::layout::Family;
use super::super::state_dict::StateDict;
use super::super::{
    Canonical, Layout, add_unused_filters, block, convolution as numbered, index, leftover,
    mean_latent, strength,
};
use super::{convolution, doublings, most_doublings, resample_filter};
use crate::error::Result;

/// Renames and converts all tensors; `prefix` is that of the settings in the metadata.
pub(in crate::checkpoint) fn to_canonical(dict: StateDict, prefix: &str) -> Result<Canonical> {
    let filter = resample_filter(&dict, prefix)?;
    let most = most_doublings(dict.names());
    let (tensors, mut dict) = dict.into_parts();
    let mut label_norm_joint = false;
    for (name, tensor) in tensors {
        if name == "mapping/LabelConcat/weight" {
            label_norm_joint = true;
            let (weight, bias) = embedding(&name, &tensor)?;
            dict.insert("mapping.embed.weight", weight)?;
            dict.insert("mapping.embed.bias", bias)?;
            continue;
        }
        // The blend of a training that is over, and images that it went through.
        let is_lod =
            |part: &str| part == "lod" || part.starts_with("ToRGB_lod") && part != "ToRGB_lod0";
        if name.split('/').any(is_lod) {
            continue;
        }
        let Some(place) = place(&name, most) else {
            return Err(leftover(&name, &tensor, Layout::TensorFlow, Family::StyleGan2));
        };
        let tensor = convert(&name, &place, tensor)?;
        dict.insert(place, tensor)?;
    }
    for owner in (1..16).filter_map(block) {
        for layer in ["conv0", "skip"] {
            if dict.shape(&format!("{owner}.{layer}.weight")).is_some() {
                dict.insert(format!("{owner}.{layer}.resample_filter"), filter.clone())?;
            }
        }
    }
    add_unused_filters(&mut dict)?;
    Ok(Canonical { layout: Layout::TensorFlow, dict, label_norm_joint })
}

/// The canonical name.
fn place(name: &str, most: usize) -> Option<String> {
    let parts: Vec<_> = name.split('/').collect();
    Some(match parts[..] {
        ["dlatent_avg"] => "mapping.w_avg".to_owned(),
        ["mapping", "LabelEmbed", kind @ ("weight" | "bias")] => format!("mapping.embed.{kind}"),
        ["mapping", dense, kind @ ("weight" | "bias")] => {
            format!("mapping.fc{}.{kind}", index(dense.strip_prefix("Dense")?)?)
        }
        ["synthesis", "4x4", "Const", "const"] => "synthesis.b4.const".to_owned(),
        ["synthesis", noise] => {
            format!("{}.noise_const", numbered(index(noise.strip_prefix("noise")?)?)?)
        }
        ["synthesis", "ToRGB_lod0", kind] => layer(&format!("{}.torgb", block(most)?), kind)?,
        ["synthesis", "4x4", "Conv", kind] => layer("synthesis.b4.conv1", kind)?,
        ["synthesis", resolution, owner, kind] => {
            let owner = match owner {
                "Conv0_up" => "conv0",
                "Conv1" => "conv1",
                "ToRGB" => "torgb",
                "Skip" if kind == "weight" => "skip",
                _ => return None,
            };
            layer(&format!("{}.{owner}", block(doublings(resolution)?)?), kind)?
        }
        _ => return None,
    })
}

fn layer(owner: &str, kind: &str) -> Option<String> {
    Some(match kind {
        "weight" | "bias" | "noise_strength" => format!("{owner}.{kind}"),
        "mod_weight" => format!("{owner}.affine.weight"),
        "mod_bias" => format!("{owner}.affine.bias"),
        _ => return None,
    })
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
        ["weight", "conv0"] => Ok(convolution(name, &tensor)?.scale_by_fan_in(name)?.rotate_180()),
        ["weight", "conv1"] => convolution(name, &tensor)?.scale_by_fan_in(name),
        ["weight", "skip"] => Ok(convolution(name, &tensor)?.rotate_180()),
        ["weight", "torgb"] => convolution(name, &tensor),
        // Of matrices.
        ["weight", ..] => tensor.transposed(name),
        _ => Ok(tensor),
    }
}
