//! `NVlabs/stylegan2-ada-pytorch`: the canonical names themselves.

use super::layout::Family;
use super::layout::is_mapping;
use super::state_dict::StateDict;
use super::{Canonical, Layout, block, index, leftover};
use crate::error::Result;

/// Checks the names; a mapping or synthesis network by itself gets its prefix.
pub(crate) fn to_canonical(dict: StateDict) -> Result<Canonical> {
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        let full = match name.split('.').next() {
            Some("mapping" | "synthesis") => name.clone(),
            _ if is_mapping(&name) => format!("mapping.{name}"),
            _ => format!("synthesis.{name}"),
        };
        let known = match full.split_once('.') {
            Some(("mapping", rest)) => is_mapping(rest),
            Some((_, rest)) => is_synthesis(rest),
            None => false,
        };
        if !known {
            return Err(leftover(&name, &tensor, Layout::Nvidia, Family::StyleGan2));
        }
        dict.insert(full, tensor)?;
    }
    Ok(Canonical { layout: Layout::Nvidia, dict, label_norm_joint: false })
}

fn is_synthesis(name: &str) -> bool {
    // Of networks that were grown here; NVIDIA's were not.
    if name == "lod" {
        return true;
    }
    let Some((resolution, rest)) = name.split_once('.') else { return false };
    // Written as the k-th power, so that `b04` and `b12` are refused.
    let owner = format!("synthesis.{resolution}");
    if !(0..16).any(|k| block(k).is_some_and(|b| b == owner)) {
        return false;
    }
    match rest.split('.').collect::<Vec<_>>()[..] {
        ["const" | "resample_filter"] => true,
        ["torgb", "weight" | "bias"] => true,
        ["skip", "weight" | "resample_filter"] => true,
        ["torgb", "affine", "weight" | "bias"] => true,
        [conv, ref rest @ ..]
            if conv.strip_prefix("conv").and_then(index).is_some_and(|i| i < 2) =>
        {
            matches!(
                rest,
                ["weight" | "bias" | "noise_const" | "noise_strength" | "resample_filter"]
                    | ["affine", "weight" | "bias"]
            )
        }
        _ => false,
    }
}
