//! `NVlabs/stylegan`. What is stored differently is said in `checkpoint/stylegan.rs`; the blur is no tensor here.

use super::super::genforce::embedding;
use super::super::layout::Family;
use super::super::state_dict::StateDict;
use super::super::{
    Canonical, Layout, index, leftover, mean_latent, paired_convolution, up_weight,
};
use super::{convolution, dense_as_convolution, doublings, most_doublings, of_lod, outer, setting};
use crate::error::Result;

/// Renames and converts all tensors; `prefix` is that of the settings in the metadata, which know better than `fused` which
/// blocks up-sample by a transposed convolution.
pub(in crate::checkpoint) fn to_canonical(
    dict: StateDict,
    prefix: &str,
    fused: &dyn Fn(usize) -> bool,
) -> Result<Canonical> {
    let said = match setting(&dict, prefix, "fused_scale") {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    let most = most_doublings(dict.names());
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        match name.as_str() {
            "dlatent_avg" => dict.insert("mapping.w_avg", mean_latent(&name, tensor)?)?,
            "synthesis/lod" => dict.insert("synthesis.lod", tensor.keep_dims(&name, 0, 0..0)?)?,
            // Of the whole generator, which has no use for it.
            "lod" => {}
            "mapping/LabelConcat/weight" => {
                let (weight, bias) = embedding(&name, &tensor)?;
                dict.insert("mapping.embed.weight", weight)?;
                dict.insert("mapping.embed.bias", bias)?;
            }
            _ => {
                let Some((place, form)) = place(&name, most) else {
                    return Err(leftover(&name, &tensor, Layout::TensorFlow, Family::StyleGan));
                };
                let tensor = match form {
                    Form::Plain => tensor,
                    Form::Matrix => tensor.transposed(&name)?,
                    Form::DenseBias => tensor.scale(std::f32::consts::FRAC_1_SQRT_2),
                    Form::Const => tensor.keep_dims(&name, 4, 1..4)?,
                    Form::NoiseMap => tensor.keep_dims(&name, 4, 2..4)?,
                    Form::Convolution => convolution(&name, &tensor)?,
                    Form::FromCode => dense_as_convolution(&name, tensor)?,
                    Form::Up(resolution) => {
                        let fused = said.unwrap_or_else(|| fused(resolution));
                        up_weight(&name, convolution(&name, &tensor)?, fused)?
                    }
                };
                dict.insert(place, tensor)?;
            }
        }
    }
    for k in 1..16 {
        let layer = format!("synthesis.b{}.conv0", 4 << k);
        if dict.shape(&format!("{layer}.weight")).is_some() {
            dict.insert(format!("{layer}.resample_filter"), outer(&[1.0, 2.0, 1.0]))?;
        }
    }
    Ok(Canonical { layout: Layout::TensorFlow, dict, label_norm_joint: true })
}

/// How a tensor is stored.
enum Form {
    Plain,
    /// `[in, out]`
    Matrix,
    /// A bias of the mapping network.
    DenseBias,
    /// `[1, c, 4, 4]`
    Const,
    /// `[1, 1, h, w]`
    NoiseMap,
    /// `[h, w, i, o]`
    Convolution,
    /// The same, of the up-sampling layer of that resolution.
    Up(usize),
    /// Of a first layer that is no constant.
    FromCode,
}

/// The canonical name, and how its tensor is stored.
fn place(name: &str, most: usize) -> Option<(String, Form)> {
    let parts: Vec<_> = name.split('/').collect();
    let (owner, resolution, rest) = match parts[..] {
        ["mapping", dense, kind @ ("weight" | "bias")] => {
            let form = if kind == "bias" { Form::DenseBias } else { Form::Matrix };
            let i = index(dense.strip_prefix("Dense")?)?;
            return Some((format!("mapping.fc{i}.{kind}"), form));
        }
        ["synthesis", noise] => {
            let layer = paired_convolution(index(noise.strip_prefix("noise")?)?)?;
            return Some((format!("synthesis.{layer}.noise_const"), Form::NoiseMap));
        }
        ["synthesis", "4x4", "Const", "const"] => {
            return Some(("synthesis.b4.const".into(), Form::Const));
        }
        ["synthesis", to_rgb, kind @ ("weight" | "bias")] => {
            let form = if kind == "bias" { Form::Plain } else { Form::Convolution };
            let resolution = 4usize << of_lod(to_rgb, "ToRGB_lod", most)?;
            return Some((format!("synthesis.b{resolution}.torgb.{kind}"), form));
        }
        ["synthesis", resolution, owner, ref rest @ ..] => {
            (owner, 4usize << doublings(resolution)?, rest)
        }
        _ => return None,
    };
    let conv = match (owner, resolution) {
        ("Const" | "Dense", 4) => "conv0",
        ("Conv", 4) => "conv1",
        ("Conv0_up", 8..) => "conv0",
        ("Conv1", 8..) => "conv1",
        _ => return None,
    };
    let (kind, form) = match (rest, owner) {
        (["weight"], "Conv0_up") => ("weight", Form::Up(resolution)),
        (["weight"], "Dense") => ("weight", Form::FromCode),
        (["weight"], "Conv" | "Conv1") => ("weight", Form::Convolution),
        (["bias"], _) => ("bias", Form::Plain),
        (["Noise", "weight"], _) => ("noise_strength", Form::Plain),
        (["StyleMod", "weight"], _) => ("affine.weight", Form::Matrix),
        (["StyleMod", "bias"], _) => ("affine.bias", Form::Plain),
        _ => return None,
    };
    Some((format!("synthesis.b{resolution}.{conv}.{kind}"), form))
}
