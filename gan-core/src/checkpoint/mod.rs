//! Checkpoints: named tensors in files, and the published layouts of generators and discriminators.
//!
//! A file is opened as a [`StateDict`]. Its [`Layout`] is told from the tensor names, and one table
//! per layout (a file each) maps it to the names and conventions of NVIDIA's PyTorch code, which are
//! the only ones that the networks of this crate know. Those of a StyleGAN2 generator:
//!
//! | tensor | shape | convention |
//! | --- | --- | --- |
//! | `mapping.{embed,fc0,fc1,...}.{weight,bias}` | `[out, in]`, `[out]` | as stored, learning-rate factor not applied |
//! | `mapping.w_avg` | `[w_dim]` | absent if the file has none |
//! | `synthesis.b{r}.const` | `[c, 4, 4]` | b4 only |
//! | `synthesis.b{r}.conv{0,1}.weight` | `[o, i, 3, 3]` | the demodulated kernel, no factor at run time |
//! | `synthesis.b{r}.conv{0,1}.bias`, `.noise_strength`, `.noise_const` | `[o]`, `[]`, `[r, r]` | |
//! | `synthesis.b{r}.torgb.weight`, `.bias` | `[3, i, 1, 1]`, `[3]` | factor `1/sqrt(i)` at run time |
//! | `synthesis.b{r}.*.affine.{weight,bias}` | `[i, w_dim]`, `[i]` | bias around 1 |
//! | `synthesis.b{r}.skip.weight` | `[o, i, 1, 1]` | resnet architecture only |
//! | `synthesis.b{r}.resample_filter`, also of `conv0`, `conv1`, `skip` | `[4, 4]` | sums to 1, applied as a true convolution |
//!
//! PGGAN and StyleGAN are told apart and mapped likewise, to names of the same pattern (`b8.conv0`, `b8.torgb`); their
//! tables are in `pggan.rs` and `stylegan.rs`. Those of discriminators are in `discriminator/`.

mod container;
mod convert;
mod discriminator;
mod genforce;
mod host_tensor;
mod layout;
mod number;
mod nvidia;
mod pggan;
mod pickle;
mod rosinality;
mod state_dict;
mod stored;
mod stylegan;
mod summary;
mod tensorflow;
#[cfg(test)]
mod tests;

pub use container::{Container, from_bytes, open, read};
pub use convert::{Target, convert};
pub(crate) use discriminator::{
    canonical_pggan_discriminator, canonical_stylegan_discriminator,
    canonical_stylegan2_discriminator,
};
pub use host_tensor::HostTensor;
pub use layout::{Family, Layout, recognise};
pub use number::NumberFormat;
pub use state_dict::StateDict;
pub use summary::{Checkpoint, Summary};

use crate::error::{Error, Result};

/// A generator's tensors under their canonical names.
#[derive(Debug)]
pub(crate) struct Canonical {
    /// Where the tensors come from.
    pub(crate) layout: Layout,
    /// The tensors. Their names are checked, their shapes only as far as the conversion needs them.
    pub(crate) dict: StateDict,
    /// Whether z and the embedded label are normalised together instead of each by itself.
    pub(crate) label_norm_joint: bool,
}

/// Recognises the layout of a StyleGAN2 generator and converts; other networks of a training file are dropped.
pub(crate) fn canonical(mut dict: StateDict) -> Result<Canonical> {
    let (layout, prefix) = layout::locate(&dict, Family::StyleGan2)?;
    if !prefix.is_empty() {
        // rosinality keeps the average latent beside the network.
        let latent_avg = dict.take("latent_avg").ok();
        dict = dict.into_subset(prefix);
        if let (Layout::Rosinality, Some(tensor)) = (layout, latent_avg) {
            dict.insert("latent_avg", tensor)?;
        }
    }
    match layout {
        Layout::Rosinality => rosinality::to_canonical(dict),
        Layout::Genforce => genforce::to_canonical(dict),
        Layout::TensorFlow => tensorflow::stylegan2::to_canonical(dict, prefix),
        _ => nvidia::to_canonical(dict),
    }
}

/// The bound of features that a pickled network says it has, under one of these prefixes; its tensors do not tell.
pub(crate) fn conv_clamp(dict: &StateDict, prefixes: &[&str]) -> Option<f64> {
    let is_it = |key: &str| {
        // A network of TensorFlow that was taken out of its file, as by `convert`.
        key == "static_kwargs.conv_clamp"
            || key.ends_with(".conv_clamp") && prefixes.iter().any(|prefix| key.starts_with(prefix))
    };
    dict.metadata().iter().find(|(key, _)| is_it(key))?.1.parse().ok()
}

/// As [`canonical`], for a StyleGAN generator; `fused` says which blocks up-sample by a transposed convolution where names
/// do not.
pub(crate) fn canonical_stylegan(
    dict: StateDict,
    fused: &dyn Fn(usize) -> bool,
) -> Result<Canonical> {
    let (layout, prefix) = layout::locate(&dict, Family::StyleGan)?;
    let dict = dict.into_subset(prefix);
    match layout {
        Layout::TensorFlow => tensorflow::stylegan::to_canonical(dict, prefix, fused),
        // The canonical names themselves; the network refuses what it does not know.
        Layout::Nvidia => Ok(Canonical { layout, dict, label_norm_joint: false }),
        _ => stylegan::to_canonical(dict, layout, fused),
    }
}

/// As [`canonical`], for a PGGAN generator; `fused` says whether it up-samples by transposed convolutions where neither
/// names nor shapes do.
pub(crate) fn canonical_pggan(dict: StateDict, fused: Option<bool>) -> Result<Canonical> {
    let (layout, prefix) = layout::locate(&dict, Family::PgGan)?;
    let dict = dict.into_subset(prefix);
    match layout {
        Layout::TensorFlow => tensorflow::pggan::to_canonical(dict),
        _ => pggan::to_canonical(dict, layout, fused),
    }
}

/// An error unless these are the tensors of a BigGAN generator; they need no conversion.
pub(crate) fn check_biggan(dict: &StateDict) -> Result<Layout> {
    layout::locate(dict, Family::BigGan).map(|(layout, _)| layout)
}

/// The start of a text of a file, fit for a message.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(80).flat_map(char::escape_default).collect();
    if text.chars().nth(80).is_some() {
        out.push_str("...");
    }
    out
}

/// A number of a tensor's name, as the original code writes it.
fn index(text: &str) -> Option<usize> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// `synthesis.b{r}` for the k-th block, r = 4 * 2^k; no network has more than 16.
fn block(k: usize) -> Option<String> {
    (k < 16).then(|| format!("synthesis.b{}", 4 << k))
}

/// The i-th convolution counted through all blocks: 0 is b4.conv1, 1 is b8.conv0, 2 is b8.conv1.
fn convolution(i: usize) -> Option<String> {
    Some(format!("{}.conv{}", block(i.div_ceil(2))?, (i + 1) % 2))
}

/// The i-th convolution of a network with two in each block: 0 and 1 are b4.conv0 and b4.conv1, 2 is b8.conv0.
fn paired_convolution(i: usize) -> Option<String> {
    (i < 32).then(|| format!("b{}.conv{}", 4usize << (i / 2), i % 2))
}

/// The weight of a convolution that doubles the resolution by repeating pixels, `[o, i, 3, 3]` as [`Resample::same`]
/// asks for: for a true convolution. That is how transposed convolutions store it, others the opposite.
///
/// [`Resample::same`]: crate::nn::Resample::same
fn up_weight(name: &str, tensor: HostTensor, fused: bool) -> Result<HostTensor> {
    if tensor.shape.len() != 4 {
        return Err(state_dict::weights(name, "four dimensions", tensor.shape_text()));
    }
    Ok(if fused { tensor } else { tensor.rotate_180() })
}

/// For a tensor that no table knows.
fn leftover(name: &str, tensor: &HostTensor, layout: Layout, family: Family) -> Error {
    let expected = format!("no such tensor in a {family} generator of {layout}");
    state_dict::weights(name, expected, tensor.shape_text())
}

/// A mean latent code of shape `[w_dim]` or `[1, w_dim]`.
fn mean_latent(name: &str, tensor: HostTensor) -> Result<HostTensor> {
    match tensor.shape.len() {
        2 => tensor.keep_dims(name, 2, 1..2),
        _ => tensor.keep_dims(name, 1, 0..1),
    }
}

/// A noise strength of shape `[]` or `[1]`.
fn strength(name: &str, tensor: HostTensor) -> Result<HostTensor> {
    match tensor.shape.len() {
        0 => Ok(tensor),
        _ => tensor.keep_dims(name, 1, 0..0),
    }
}

/// Adds the filters that NVIDIA's modules hold without ever using them, so that all layouts have the
/// same names: those of every conv1, of b4, and of blocks without image upsampling.
fn add_unused_filters(dict: &mut StateDict) -> Result<()> {
    let mut above = None;
    for name in (0..16).rev().filter_map(block) {
        if dict.shape(&format!("{name}.conv1.weight")).is_none() {
            continue;
        }
        let filter = match dict.get(&format!("{name}.conv0.resample_filter")) {
            Some(own) => own.clone(),
            // b4 has no conv0; a network of b4 alone, no filter at all.
            None if name == "synthesis.b4" => above.take().unwrap_or_else(default_filter),
            None => continue,
        };
        for owner in [name.clone(), format!("{name}.conv1")] {
            let name = format!("{owner}.resample_filter");
            if dict.shape(&name).is_none() {
                dict.insert(name, filter.clone())?;
            }
        }
        above = Some(filter);
    }
    Ok(())
}

/// `[1, 3, 3, 1]` in both directions.
fn default_filter() -> HostTensor {
    let taps = [1.0, 3.0, 3.0, 1.0];
    let data = taps.iter().flat_map(|a| taps.map(|b| a * b / 64.0)).collect();
    HostTensor { shape: vec![4, 4], data }
}
