//! The published layouts of discriminators, a file each, all mapped to NVIDIA's names.
//!
//! | tensor | shape | convention |
//! | --- | --- | --- |
//! | `b{r}.fromrgb.weight`, `.bias` | `[c, colours, 1, 1]`, `[c]` | of the first block; of all in StyleGAN2's `skip`, StyleGAN and PGGAN |
//! | `b{r}.conv0.weight`, `.bias` | `[c, c, 3, 3]`, `[c]` | not in b4 |
//! | `b{r}.conv1.weight`, `.bias` | `[o, c, 3, 3]`, `[o]` | halves the resolution; not in b4 |
//! | `b{r}.skip.weight` | `[o, c, 1, 1]` | StyleGAN2's `resnet` only |
//! | `b{r}.resample_filter`, also of `conv1` and `skip` | `[4, 4]` | sums to 1, applied as a true convolution; in StyleGAN, the blur, `[3, 3]` |
//! | `b4.conv.weight`, `.bias` | `[c, c + std, 3, 3]`, `[c]` | `std` maps of the minibatch standard deviation |
//! | `b4.fc.weight`, `.bias` | `[f, c h w]`, `[f]` | |
//! | `b4.out.weight`, `.bias` | `[numbers, f]`, `[numbers]` | |
//! | `mapping.{embed,fc0,fc1,...}.{weight,bias}` | `[out, in]`, `[out]` | of labels; stylegan2-ada-pytorch only |
//! | `lod` | `[]` | StyleGAN and PGGAN; absent if the file has none |
//!
//! All weights have a factor `1 / sqrt(fan_in)` at run time, and activations the gain `sqrt(2)` after them.

mod genforce;
mod layout;
mod rosinality;
mod tensorflow;

use super::host_tensor::HostTensor;
use super::layout::Layout;
use super::state_dict::{self, StateDict};
use crate::error::{Error, Result};
pub(super) use layout::describe_discriminator;
use layout::{Kind, locate};

/// Recognises the layout of a StyleGAN2 discriminator and converts; other networks of a training file are dropped.
pub(crate) fn canonical_stylegan2_discriminator(dict: StateDict) -> Result<(Layout, StateDict)> {
    let (layout, prefix) = locate(&dict, Kind::StyleGan2)?;
    let dict = dict.into_subset(prefix);
    let dict = match layout {
        Layout::Rosinality => rosinality::to_canonical(dict)?,
        Layout::Genforce => genforce::to_canonical(dict, Kind::StyleGan2)?,
        Layout::TensorFlow => tensorflow::to_canonical(dict, prefix)?,
        // The canonical names themselves; the network refuses what it does not know.
        _ => dict,
    };
    Ok((layout, dict))
}

/// As [`canonical_stylegan2_discriminator`], for StyleGAN.
pub(crate) fn canonical_stylegan_discriminator(dict: StateDict) -> Result<(Layout, StateDict)> {
    let (layout, prefix) = locate(&dict, Kind::StyleGan)?;
    let dict = dict.into_subset(prefix);
    let dict = match layout {
        Layout::Genforce => genforce::to_canonical(dict, Kind::StyleGan)?,
        _ => dict,
    };
    Ok((layout, dict))
}

/// As [`canonical_stylegan2_discriminator`], for PGGAN.
pub(crate) fn canonical_pggan_discriminator(dict: StateDict) -> Result<(Layout, StateDict)> {
    let (layout, prefix) = locate(&dict, Kind::PgGan)?;
    let dict = genforce::to_canonical(dict.into_subset(prefix), Kind::PgGan)?;
    Ok((layout, dict))
}

/// The block that is `index`-th of `count` from the full resolution on; the last is `b4`.
fn block(index: usize, count: usize) -> Option<String> {
    let doublings = count.checked_sub(index + 1).filter(|k| *k < 16)?;
    Some(format!("b{}", 4usize << doublings))
}

/// For a tensor that no table knows.
fn leftover(name: &str, tensor: &HostTensor, layout: Layout, kind: Kind) -> Error {
    let expected = format!("no such tensor in a {kind} of {layout}");
    state_dict::weights(name, expected, tensor.shape_text())
}
