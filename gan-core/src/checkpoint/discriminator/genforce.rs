//! `genforce/genforce` and `genforce/sefa`: all three discriminators, with layers numbered from the full resolution on.
//!
//! StyleGAN2's is NVIDIA's; labels, if it has any, pick one of its last numbers. In StyleGAN's and PGGAN's, the gain
//! `sqrt(2)` of leaky ReLU is in the weight, so their biases are stored larger by that factor. Kernels of filters are for a
//! correlation.

use super::super::host_tensor::HostTensor;
use super::super::index;
use super::super::layout::Layout;
use super::super::state_dict::StateDict;
use super::super::stylegan::blur;
use super::{Kind, block, leftover};
use crate::error::Result;

/// Renames and rescales all tensors.
pub(super) fn to_canonical(dict: StateDict, kind: Kind) -> Result<StateDict> {
    let number = |name: &str| name.strip_prefix("layer")?.split('.').next().and_then(index);
    // Each block has two layers, and one more is the last.
    let count = dict.names().filter_map(number).max().unwrap_or(0) / 2;
    let is_stylegan2 = kind == Kind::StyleGan2;
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        if name == "downsample.kernel" && is_stylegan2 {
            let filter = filter(&name, tensor)?;
            for block in (0..count.saturating_sub(1)).filter_map(|i| block(i, count)) {
                dict.insert(format!("{block}.resample_filter"), filter.clone())?;
            }
            continue;
        }
        let Some((place, form)) = place(&name, count, kind) else {
            return Err(leftover(&name, &tensor, Layout::Genforce, kind));
        };
        let tensor = match form {
            Form::Plain => tensor,
            Form::Bias if is_stylegan2 => tensor,
            Form::Bias => tensor.scale(std::f32::consts::FRAC_1_SQRT_2),
            Form::Filter => filter(&name, tensor)?,
            Form::Blur => blur(&name, tensor)?,
            Form::Number => tensor.keep_dims(&name, 0, 0..0)?,
        };
        dict.insert(place, tensor)?;
    }
    Ok(dict)
}

/// How a tensor is stored.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    /// Of a layer with leaky ReLU.
    Bias,
    /// `[1, 1, h, w]`
    Filter,
    /// `[c, 1, h, w]`, the same for all channels.
    Blur,
    Number,
}

/// The canonical name, and how its tensor is stored, in a network of `count` blocks with b4.
fn place(name: &str, count: usize, kind: Kind) -> Option<(String, Form)> {
    if name == "lod" && kind != Kind::StyleGan2 {
        return Some((name.to_owned(), Form::Number));
    }
    let (owner, part) = name.split_once('.')?;
    let (layer, halves) = if let Some(i) = owner.strip_prefix("input").and_then(index) {
        (format!("{}.fromrgb", block(i, count)?), false)
    } else if let Some(i) = owner.strip_prefix("skip_layer").and_then(index) {
        let is_block = i + 1 < count && part != "bias" && kind == Kind::StyleGan2;
        (format!("{}.skip", block(i, count).filter(|_| is_block)?), true)
    } else {
        let i = owner.strip_prefix("layer").and_then(index)?;
        // The last block is followed by one more layer.
        match (i + 2).checked_sub(2 * count) {
            Some(0) => ("b4.conv".to_owned(), false),
            Some(1) => ("b4.fc".to_owned(), false),
            Some(2) => ("b4.out".to_owned(), false),
            _ => (format!("{}.conv{}", block(i / 2, count)?, i % 2), i % 2 == 1),
        }
    };
    let (part, form) = match part {
        "weight" => ("weight", Form::Plain),
        "bias" if layer == "b4.out" => ("bias", Form::Plain),
        "bias" => ("bias", Form::Bias),
        "filter.kernel" if halves && kind == Kind::StyleGan2 => ("resample_filter", Form::Filter),
        "blur.kernel" if halves && kind == Kind::StyleGan => ("resample_filter", Form::Blur),
        _ => return None,
    };
    Some((format!("{layer}.{part}"), form))
}

/// As used by a correlation.
fn filter(name: &str, tensor: HostTensor) -> Result<HostTensor> {
    Ok(tensor.keep_dims(name, 4, 2..4)?.rotate_180())
}
