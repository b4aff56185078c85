//! NVIDIA's TensorFlow code, the origin of all these networks. Names have slashes, convolutions are stored `[h, w, i, o]`
//! and matrices `[in, out]`.

pub(super) mod pggan;
pub(super) mod stylegan;
pub(super) mod stylegan2;

use super::host_tensor::HostTensor;
use super::state_dict::{StateDict, weights};
use super::{index, shown};
use crate::backend::Filter;
use crate::error::Result;

/// A convolution's weight as `[o, i, h, w]`.
pub(super) fn convolution(name: &str, tensor: &HostTensor) -> Result<HostTensor> {
    tensor.permute(name, [3, 2, 0, 1])
}

/// The first layer, from a code to 4 x 4 pixels, `[z, o * 4 * 4]`, as a kernel `[o, z, 4, 4]` that is correlated with a
/// map of one pixel.
fn dense_as_convolution(name: &str, mut tensor: HostTensor) -> Result<HostTensor> {
    match tensor.shape[..] {
        [z, outputs] if outputs % 16 == 0 => tensor.shape = vec![z, outputs / 16, 4, 4],
        _ => return Err(weights(name, "shape [z, 16 o]", tensor.shape_text())),
    }
    Ok(tensor.permute(name, [1, 0, 2, 3])?.rotate_180())
}

/// The k of `8x8`, 4 * 2^k pixels.
pub(super) fn doublings(part: &str) -> Option<usize> {
    (0..16).find(|k| part == format!("{0}x{0}", 4usize << k))
}

/// The k of the largest such part in any name.
pub(super) fn most_doublings<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    let of = |name: &str| name.split('/').filter_map(doublings).max();
    names.filter_map(of).max().unwrap_or(0)
}

/// The k of `ToRGB_lod2`, counted from the full resolution, in a network of so many doublings.
fn of_lod(part: &str, kind: &str, most: usize) -> Option<usize> {
    most.checked_sub(part.strip_prefix(kind).and_then(index)?)
}

/// What the network was made with, as the metadata of a pickle has it.
pub(super) fn setting<'a>(dict: &'a StateDict, prefix: &str, key: &str) -> Option<&'a str> {
    dict.metadata().get(&format!("{prefix}static_kwargs.{key}")).map(String::as_str)
}

/// The filter of resampling layers, `resample_kernel` in both directions, which sums to 1.
pub(super) fn resample_filter(dict: &StateDict, prefix: &str) -> Result<HostTensor> {
    const KEY: &str = "resample_kernel";
    let text = setting(dict, prefix, KEY).unwrap_or("[1, 3, 3, 1]");
    let is_filter = |taps: &Vec<f32>| {
        Filter::check_sides(taps.len(), taps.len()).is_ok()
            && taps.iter().all(|tap| tap.is_finite())
            && taps.iter().sum::<f32>() != 0.0
    };
    let taps = text.trim_matches(['[', ']']).split(',').map(|t| t.trim().parse::<f32>().ok());
    let taps = taps.collect::<Option<Vec<f32>>>().filter(is_filter).ok_or_else(|| {
        weights(
            &format!("{prefix}static_kwargs.{KEY}"),
            "the taps of a filter, such as [1, 3, 3, 1]",
            shown(text),
        )
    })?;
    Ok(outer(&taps))
}

/// The taps in both directions, divided by their sum.
fn outer(taps: &[f32]) -> HostTensor {
    let sum: f32 = taps.iter().sum();
    let data = taps.iter().flat_map(|a| taps.iter().map(move |b| a * b / (sum * sum))).collect();
    HostTensor { shape: vec![taps.len(), taps.len()], data }
}
