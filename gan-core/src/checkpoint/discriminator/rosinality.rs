//! `rosinality/stylegan2-pytorch`: NVIDIA's `resnet` discriminator, with tensors numbered from the full resolution on.

use super::super::index;
use super::super::layout::Layout;
use super::super::state_dict::StateDict;
use super::{Kind, block, leftover};
use crate::error::Result;

/// Renames all tensors.
pub(super) fn to_canonical(dict: StateDict) -> Result<StateDict> {
    // convs.0 is fromrgb; each block after it has a convolution around.
    let number = |name: &str| name.strip_prefix("convs.")?.split('.').next().and_then(index);
    let count = dict.names().filter_map(number).max().unwrap_or(0) + 1;
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        let Some(place) = place(&name, count) else {
            return Err(leftover(&name, &tensor, Layout::Rosinality, Kind::StyleGan2));
        };
        dict.insert(place, tensor)?;
    }
    Ok(dict)
}

/// The canonical name, for a network of `count` blocks with b4.
fn place(name: &str, count: usize) -> Option<String> {
    let parts: Vec<_> = name.split('.').collect();
    Some(match parts[..] {
        ["convs", "0", "0", "weight"] => format!("{}.fromrgb.weight", block(0, count)?),
        ["convs", "0", "1", "bias"] => format!("{}.fromrgb.bias", block(0, count)?),
        ["convs", i, ref rest @ ..] => {
            let layer = match rest {
                ["conv1", "0", "weight"] => "conv0.weight",
                ["conv1", "1", "bias"] => "conv0.bias",
                ["conv2", "0", "kernel"] => "conv1.resample_filter",
                ["conv2", "1", "weight"] => "conv1.weight",
                ["conv2", "2", "bias"] => "conv1.bias",
                ["skip", "0", "kernel"] => "skip.resample_filter",
                ["skip", "1", "weight"] => "skip.weight",
                _ => return None,
            };
            format!("{}.{layer}", block(index(i)?.checked_sub(1)?, count)?)
        }
        ["final_conv", "0", "weight"] => "b4.conv.weight".into(),
        ["final_conv", "1", "bias"] => "b4.conv.bias".into(),
        ["final_linear", "0", kind @ ("weight" | "bias")] => format!("b4.fc.{kind}"),
        ["final_linear", "1", kind @ ("weight" | "bias")] => format!("b4.out.{kind}"),
        _ => return None,
    })
}
