//! PGGAN generators of `genforce/genforce` and `genforce/sefa`, and of `genforce/mganprior`, whose names are those of
//! `genforce/interfacegan` as well.
//!
//! | tensor | shape | convention |
//! | --- | --- | --- |
//! | `b4.conv0.weight`, `.bias` | `[o, z + labels, 4, 4]`, `[o]` | correlated with the code as a map of one pixel |
//! | `b{r}.conv{0,1}.weight`, `.bias` | `[o, i, 3, 3]`, `[o]` | factor `sqrt(2 / fan_in)` at run time |
//! | `b{r}.torgb.weight`, `.bias` | `[3, i, 1, 1]`, `[3]` | factor `1 / sqrt(fan_in)` at run time |
//! | `lod` | `[]` | absent if the file has none |
//!
//! Stored differently are the kernels of up-sampling layers, see [`up_weight`], of which transposed convolutions also have
//! other axes.

use super::layout::Family;
use super::state_dict::StateDict;
use super::{Canonical, Layout, index, leftover, paired_convolution, up_weight};
use crate::error::Result;

/// Renames and turns all tensors.
pub(super) fn to_canonical(
    dict: StateDict,
    layout: Layout,
    fused: Option<bool>,
) -> Result<Canonical> {
    let fused = fused.unwrap_or_else(|| shapes_look_fused(&dict));
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        if name == "lod" {
            dict.insert(name, tensor.keep_dims("lod", 0, 0..0)?)?;
            continue;
        }
        let Some((place, weight)) = place(&name, layout) else {
            return Err(leftover(&name, &tensor, layout, Family::PgGan));
        };
        let tensor = match weight {
            Weight::AsStored => tensor,
            Weight::Up if layout == Layout::Genforce && fused => {
                up_weight(&name, tensor.permute(&name, [1, 0, 2, 3])?, true)?
            }
            Weight::Up => up_weight(&name, tensor, false)?,
            Weight::UpFused => up_weight(&name, tensor.permute(&name, [3, 2, 0, 1])?, true)?,
        };
        dict.insert(place, tensor)?;
    }
    Ok(Canonical { layout, dict, label_norm_joint: false })
}

enum Weight {
    AsStored,
    /// Of an up-sampling layer.
    Up,
    /// The same, `[3, 3, i, o]`.
    UpFused,
}

/// The canonical name, and how its tensor is stored.
fn place(name: &str, layout: Layout) -> Option<(String, Weight)> {
    let (owner, rest) = name.split_once('.')?;
    let mgan = layout == Layout::MganPrior;
    if let Some(b) = owner.strip_prefix("output").and_then(index) {
        let kind = match (rest, mgan) {
            ("weight", false) | ("conv.weight", true) => "weight",
            ("bias", false) | ("wscale.bias", true) => "bias",
            _ => return None,
        };
        return (b < 16).then(|| (format!("b{}.torgb.{kind}", 4usize << b), Weight::AsStored));
    }
    let i = owner.strip_prefix("layer").and_then(index)?;
    let is_up = i > 0 && i.is_multiple_of(2);
    let (kind, weight) = match (rest, mgan) {
        ("weight", false) | ("conv.weight", true) if is_up => ("weight", Weight::Up),
        ("weight", false) | ("conv.weight", true) => ("weight", Weight::AsStored),
        ("weight", true) if is_up => ("weight", Weight::UpFused),
        ("bias", false) | ("wscale.bias", true) => ("bias", Weight::AsStored),
        _ => return None,
    };
    Some((format!("{}.{kind}", paired_convolution(i)?), weight))
}

/// Whether the up-sampling layers of genforce's layout have their inputs before their outputs: where these differ in
/// number, the bias tells.
fn shapes_look_fused(dict: &StateDict) -> bool {
    (2..32).step_by(2).any(|i| {
        let shape = |kind: &str| dict.shape(&format!("layer{i}.{kind}"));
        match (shape("weight"), shape("bias")) {
            (Some(&[first, second, _, _]), Some(&[outputs])) => {
                first != second && second == outputs
            }
            _ => false,
        }
    })
}
