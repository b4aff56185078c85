//! `tkarras/progressive_growing_of_gans`. What is stored differently is said in `checkpoint/pggan.rs`; the weights of
//! transposed convolutions are `[h, w, o, i]`, and names tell them from others.

use super::super::layout::Family;
use super::super::state_dict::StateDict;
use super::super::{Canonical, Layout, leftover, up_weight};
use super::{convolution, dense_as_convolution, doublings, most_doublings, of_lod};
use crate::error::Result;

/// Renames and converts all tensors.
pub(in crate::checkpoint) fn to_canonical(dict: StateDict) -> Result<Canonical> {
    let most = most_doublings(dict.names());
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        if name == "lod" {
            dict.insert(name, tensor.keep_dims("lod", 0, 0..0)?)?;
            continue;
        }
        let Some(place) = place(&name, most) else {
            return Err(leftover(&name, &tensor, Layout::TensorFlow, Family::PgGan));
        };
        let parts: Vec<_> = name.split('/').collect();
        let tensor = match parts[..] {
            [.., "bias"] => tensor,
            [_, "Dense", _] => dense_as_convolution(&name, tensor)?,
            [_, "Conv0_up", _] => up_weight(&name, tensor.permute(&name, [2, 3, 0, 1])?, true)?,
            [_, "Conv0", _] => up_weight(&name, convolution(&name, &tensor)?, false)?,
            _ => convolution(&name, &tensor)?,
        };
        dict.insert(place, tensor)?;
    }
    Ok(Canonical { layout: Layout::TensorFlow, dict, label_norm_joint: true })
}

/// The canonical name.
fn place(name: &str, most: usize) -> Option<String> {
    let parts: Vec<_> = name.split('/').collect();
    Some(match parts[..] {
        [to_rgb, kind @ ("weight" | "bias")] => {
            format!("b{}.torgb.{kind}", 4usize << of_lod(to_rgb, "ToRGB_lod", most)?)
        }
        [resolution, owner, kind @ ("weight" | "bias")] => {
            let k = doublings(resolution)?;
            let conv = match (owner, k) {
                ("Dense", 0) => "conv0",
                ("Conv", 0) => "conv1",
                ("Conv0_up" | "Conv0", 1..) => "conv0",
                ("Conv1", 1..) => "conv1",
                _ => return None,
            };
            format!("b{}.{conv}.{kind}", 4usize << k)
        }
        _ => return None,
    })
}
