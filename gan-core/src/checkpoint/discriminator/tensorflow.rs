//! `NVlabs/stylegan2` and `NVlabs/stylegan2-ada`: convolutions are stored `[h, w, i, o]` and matrices `[in, out]`; filters
//! are settings.

use super::super::index;
use super::super::layout::Layout;
use super::super::state_dict::StateDict;
use super::super::tensorflow::{convolution, doublings, most_doublings, resample_filter};
use super::{Kind, leftover};
use crate::error::Result;

/// Renames and converts all tensors; `prefix` is that of the settings in the metadata.
pub(super) fn to_canonical(dict: StateDict, prefix: &str) -> Result<StateDict> {
    let filter = resample_filter(&dict, prefix)?;
    let most = most_doublings(dict.names());
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        // The blend of a training that is over, and images that it went through.
        let is_lod =
            |part: &str| part == "lod" || part.starts_with("FromRGB_lod") && part != "FromRGB_lod0";
        if name.split('/').any(is_lod) {
            continue;
        }
        let Some(place) = place(&name, most) else {
            return Err(leftover(&name, &tensor, Layout::TensorFlow, Kind::StyleGan2));
        };
        let tensor = match tensor.shape.len() {
            4 => convolution(&name, &tensor)?,
            2 => tensor.transposed(&name)?,
            _ => tensor,
        };
        dict.insert(place, tensor)?;
    }
    for owner in (1..=most).map(|k| format!("b{}", 4usize << k)) {
        dict.insert(format!("{owner}.conv1.resample_filter"), filter.clone())?;
        if dict.shape(&format!("{owner}.skip.weight")).is_some() {
            dict.insert(format!("{owner}.skip.resample_filter"), filter.clone())?;
        }
    }
    Ok(dict)
}

/// The canonical name.
fn place(name: &str, most: usize) -> Option<String> {
    let parts: Vec<_> = name.split('/').collect();
    let block = |k: usize| 4usize << k;
    Some(match parts[..] {
        ["Output", kind @ ("weight" | "bias")] => format!("b4.out.{kind}"),
        ["FromRGB_lod0", kind @ ("weight" | "bias")] => format!("b{}.fromrgb.{kind}", block(most)),
        ["mapping", "LabelEmbed", kind @ ("weight" | "bias")] => format!("mapping.embed.{kind}"),
        ["mapping", dense, kind @ ("weight" | "bias")] => {
            format!("mapping.fc{}.{kind}", index(dense.strip_prefix("Dense")?)?)
        }
        [resolution, owner, kind @ ("weight" | "bias")] => {
            let k = doublings(resolution)?;
            let layer = match (owner, k) {
                ("FromRGB", _) => "fromrgb",
                ("Conv", 0) => "conv",
                ("Dense0", 0) => "fc",
                ("Conv0", 1..) => "conv0",
                ("Conv1_down", 1..) => "conv1",
                ("Skip", 1..) if kind == "weight" => "skip",
                _ => return None,
            };
            format!("b{}.{layer}.{kind}", block(k))
        }
        _ => return None,
    })
}
