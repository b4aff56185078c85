//! `rosinality/stylegan2-pytorch`.
//!
//! The mathematics is NVIDIA's, and kernels have the same orientation. Three things differ: dimensions of
//! size 1, a factor `1/sqrt(fan_in)` on convolutions before demodulation (which sees it only through its
//! epsilon), and filters that include the gain 4 of upsampling.

use super::host_tensor::HostTensor;
use super::layout::Family;
use super::state_dict::StateDict;
use super::{
    Canonical, Layout, add_unused_filters, block, convolution, index, leftover, mean_latent,
    strength,
};
use crate::error::Result;

/// Renames and rescales all tensors.
pub(crate) fn to_canonical(dict: StateDict) -> Result<Canonical> {
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        let Some(place) = place(&name) else {
            return Err(leftover(&name, &tensor, Layout::Rosinality, Family::StyleGan2));
        };
        let tensor = convert(&name, &place, tensor)?;
        dict.insert(place, tensor)?;
    }
    add_unused_filters(&mut dict)?;
    Ok(Canonical { layout: Layout::Rosinality, dict, label_norm_joint: false })
}

/// The canonical name.
fn place(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split('.').collect();
    match parts[..] {
        ["latent_avg"] => Some("mapping.w_avg".to_owned()),
        // style.0 is the normalisation, which has no tensors.
        ["style", i, kind @ ("weight" | "bias")] => {
            Some(format!("mapping.fc{}.{kind}", index(i)?.checked_sub(1)?))
        }
        ["input", "input"] => Some("synthesis.b4.const".to_owned()),
        ["conv1", ref rest @ ..] => layer(&convolution(0)?, rest),
        ["convs", i, "conv", "blur", "kernel"] if index(i)?.is_multiple_of(2) => {
            Some(format!("{}.resample_filter", convolution(index(i)? + 1)?))
        }
        ["convs", i, ref rest @ ..] => layer(&convolution(index(i)? + 1)?, rest),
        ["noises", noise] => {
            let i = index(noise.strip_prefix("noise_")?)?;
            Some(format!("{}.noise_const", convolution(i)?))
        }
        ["to_rgb1", ref rest @ ..] => to_rgb(&block(0)?, rest),
        ["to_rgbs", k, "upsample", "kernel"] => {
            Some(format!("{}.resample_filter", block(index(k)? + 1)?))
        }
        ["to_rgbs", k, ref rest @ ..] => to_rgb(&block(index(k)? + 1)?, rest),
        _ => None,
    }
}

fn layer(owner: &str, rest: &[&str]) -> Option<String> {
    Some(match rest {
        ["conv", "weight"] => format!("{owner}.weight"),
        ["conv", "modulation", kind @ ("weight" | "bias")] => format!("{owner}.affine.{kind}"),
        ["noise", "weight"] => format!("{owner}.noise_strength"),
        ["activate", "bias"] => format!("{owner}.bias"),
        _ => return None,
    })
}

fn to_rgb(block: &str, rest: &[&str]) -> Option<String> {
    Some(match rest {
        ["conv", "weight"] => format!("{block}.torgb.weight"),
        ["conv", "modulation", kind @ ("weight" | "bias")] => {
            format!("{block}.torgb.affine.{kind}")
        }
        ["bias"] => format!("{block}.torgb.bias"),
        _ => return None,
    })
}

/// The canonical tensor; `name` is for messages.
fn convert(name: &str, place: &str, tensor: HostTensor) -> Result<HostTensor> {
    let parts: Vec<_> = place.rsplit('.').take(2).collect();
    match parts[..] {
        ["w_avg", ..] => mean_latent(name, tensor),
        ["const", ..] => tensor.keep_dims(name, 4, 1..4),
        ["noise_const", ..] => tensor.keep_dims(name, 4, 2..4),
        ["noise_strength", ..] => strength(name, tensor),
        ["bias", "torgb"] => tensor.keep_dims(name, 4, 1..2),
        ["weight", "torgb"] => tensor.keep_dims(name, 5, 1..5),
        ["weight", "conv0" | "conv1"] => tensor.keep_dims(name, 5, 1..5)?.scale_by_fan_in(name),
        ["resample_filter", ..] => Ok(tensor.keep_dims(name, 2, 0..2)?.scale(0.25)),
        _ => Ok(tensor),
    }
}
