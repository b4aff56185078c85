//! StyleGAN generators of `genforce/genforce` and `genforce/sefa`, `genforce/interfacegan` and `genforce/mganprior`.
//!
//! | tensor | shape | convention |
//! | --- | --- | --- |
//! | `mapping.{embed,fc0,fc1,...}.{weight,bias}`, `mapping.w_avg` | | as StyleGAN2's |
//! | `synthesis.b4.const` | `[c, 4, 4]` | absent if the first layer is a convolution of w |
//! | `synthesis.b{r}.conv{0,1}.weight` | `[o, i, 3, 3]` | factor `sqrt(2 / fan_in)` at run time; b4.conv0 has none, or `[o, w_dim, 4, 4]` |
//! | `synthesis.b{r}.conv{0,1}.bias`, `.noise_strength`, `.noise_const` | `[o]`, `[o]`, `[r, r]` | |
//! | `synthesis.b{r}.conv{0,1}.affine.{weight,bias}` | `[2 o, w_dim]`, `[2 o]` | scale (around 0), then shift |
//! | `synthesis.b{r}.conv0.resample_filter` | `[3, 3]` | of the blur, applied as a true convolution |
//! | `synthesis.b{r}.torgb.weight`, `.bias` | `[3, i, 1, 1]`, `[3]` | factor `1 / sqrt(i)` at run time |
//! | `synthesis.lod` | `[]` | absent if the file has none |
//!
//! Stored differently are the biases of the mapping network, whose leaky ReLU has the gain `sqrt(2)` before it instead of
//! after it, and the kernels of up-sampling layers, see [`up_weight`].

use super::genforce::embedding;
use super::host_tensor::HostTensor;
use super::layout::Family;
use super::state_dict::{StateDict, weights};
use super::{Canonical, Layout, index, leftover, mean_latent, paired_convolution, up_weight};
use crate::error::Result;

/// Renames and converts all tensors.
pub(super) fn to_canonical(
    dict: StateDict,
    layout: Layout,
    fused: &dyn Fn(usize) -> bool,
) -> Result<Canonical> {
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        match name.as_str() {
            // The coefficients follow from psi.
            "truncation.truncation" => {}
            "truncation.w_avg" => dict.insert("mapping.w_avg", mean_latent(&name, tensor)?)?,
            "synthesis.lod" => dict.insert("synthesis.lod", tensor.keep_dims(&name, 0, 0..0)?)?,
            "mapping.label_weight" if layout == Layout::Genforce => {
                let (weight, bias) = embedding(&name, &tensor)?;
                dict.insert("mapping.embed.weight", weight)?;
                dict.insert("mapping.embed.bias", bias)?;
            }
            _ => {
                let Some((place, form)) = place(&name, layout) else {
                    return Err(leftover(&name, &tensor, layout, Family::StyleGan));
                };
                dict.insert(place, form.convert(&name, tensor, fused)?)?;
            }
        }
    }
    Ok(Canonical { layout, dict, label_norm_joint: true })
}

/// How a tensor is stored.
enum Form {
    Plain,
    /// A bias of the mapping network.
    DenseBias,
    /// `[1, c, 4, 4]`
    Const,
    /// `[1, 1, h, w]`
    NoiseMap,
    /// `[c, 1, 3, 3]`, the same for all channels.
    Blur,
    /// Of the up-sampling layer of that resolution, `[o, i, 3, 3]`, where names do not tell how it up-samples.
    Up(usize),
    /// Of one that repeats pixels.
    UpPlain,
    /// Of one that is a transposed convolution, `[3, 3, i, o]`.
    UpFused,
}

impl Form {
    fn convert(
        self,
        name: &str,
        tensor: HostTensor,
        fused: &dyn Fn(usize) -> bool,
    ) -> Result<HostTensor> {
        match self {
            Form::Plain => Ok(tensor),
            Form::DenseBias => Ok(tensor.scale(std::f32::consts::FRAC_1_SQRT_2)),
            Form::Const => tensor.keep_dims(name, 4, 1..4),
            Form::NoiseMap => tensor.keep_dims(name, 4, 2..4),
            Form::Blur => blur(name, tensor),
            Form::Up(resolution) => up_weight(name, tensor, fused(resolution)),
            Form::UpPlain => up_weight(name, tensor, false),
            Form::UpFused => up_weight(name, tensor.permute(name, [3, 2, 0, 1])?, true),
        }
    }
}

/// The canonical name, and how its tensor is stored.
fn place(name: &str, layout: Layout) -> Option<(String, Form)> {
    let parts: Vec<&str> = name.split('.').collect();
    let genforce = layout == Layout::Genforce;
    // What the other two call the weight of a fully connected layer.
    let dense = if layout == Layout::InterfaceGan { "linear" } else { "fc" };
    if let ["mapping", owner, rest @ ..] = &parts[..] {
        let i = owner.strip_prefix("dense").and_then(index)?;
        return match rest {
            ["weight"] if genforce => Some((format!("mapping.fc{i}.weight"), Form::Plain)),
            [d, "weight"] if !genforce && *d == dense => {
                Some((format!("mapping.fc{i}.weight"), Form::Plain))
            }
            ["bias"] if genforce => Some((format!("mapping.fc{i}.bias"), Form::DenseBias)),
            ["wscale", "bias"] if !genforce => {
                Some((format!("mapping.fc{i}.bias"), Form::DenseBias))
            }
            _ => None,
        };
    }
    let ["synthesis", owner, rest @ ..] = &parts[..] else { return None };
    if let Some(b) = owner.strip_prefix("output").and_then(index) {
        let kind = match rest {
            ["weight"] if genforce => "weight",
            ["conv", "weight"] if !genforce => "weight",
            ["bias"] => "bias",
            _ => return None,
        };
        return (b < 16).then(|| (format!("synthesis.b{}.torgb.{kind}", 4usize << b), Form::Plain));
    }
    let i = owner.strip_prefix("layer").and_then(index)?;
    let layer = paired_convolution(i)?;
    let is_up = i > 0 && i.is_multiple_of(2);
    // Everything after the convolution is a part of its own in the other two.
    let (epilogue, rest) = match rest {
        ["epilogue", rest @ ..] if !genforce => (true, rest),
        rest => (genforce, rest),
    };
    let (kind, form) = match rest {
        ["const"] if i == 0 && layout != Layout::InterfaceGan => {
            return Some(("synthesis.b4.const".to_owned(), Form::Const));
        }
        ["first_layer"] if i == 0 && layout == Layout::InterfaceGan => {
            return Some(("synthesis.b4.const".to_owned(), Form::Const));
        }
        ["weight"] if genforce && is_up => ("weight", Form::Up(4usize << (i / 2))),
        ["weight"] if genforce => ("weight", Form::Plain),
        ["weight"] if is_up && !epilogue => ("weight", Form::UpFused),
        ["conv", "weight"] if is_up && !genforce && !epilogue => ("weight", Form::UpPlain),
        ["conv", "weight"] if !genforce && !epilogue => ("weight", Form::Plain),
        ["blur", "kernel"] if is_up => ("resample_filter", Form::Blur),
        ["bias"] if epilogue => ("bias", Form::Plain),
        ["apply_noise", "weight"] if epilogue => ("noise_strength", Form::Plain),
        ["apply_noise", "noise"] if epilogue => ("noise_const", Form::NoiseMap),
        ["style", "weight"] if genforce => ("affine.weight", Form::Plain),
        ["style", "bias"] if genforce => ("affine.bias", Form::Plain),
        ["style_mod", "dense", d, "weight"] if !genforce && epilogue && *d == dense => {
            ("affine.weight", Form::Plain)
        }
        ["style_mod", "dense", "wscale", "bias"] if !genforce && epilogue => {
            ("affine.bias", Form::Plain)
        }
        _ => return None,
    };
    Some((format!("synthesis.{layer}.{kind}"), form))
}

/// One channel's kernel, for a true convolution.
pub(super) fn blur(name: &str, tensor: HostTensor) -> Result<HostTensor> {
    let &[_, 1, h, w] = tensor.shape.as_slice() else {
        return Err(weights(name, "shape [channels, 1, 3, 3]", tensor.shape_text()));
    };
    let mut channels = tensor.data.chunks((h * w).max(1));
    let Some(first) = channels.next() else {
        return Err(weights(name, "at least one value", tensor.shape_text()));
    };
    if channels.any(|other| other != first) {
        return Err(weights(name, "the same kernel for each channel", "another"));
    }
    Ok(HostTensor { shape: vec![h, w], data: first.to_vec() }.rotate_180())
}
