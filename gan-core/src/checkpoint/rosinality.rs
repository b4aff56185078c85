//! `rosinality/stylegan2-pytorch`.
//!
//! The mathematics is NVIDIA's, and kernels have the same orientation. Three things differ: dimensions of
//! size 1, a factor `1/sqrt(fan_in)` on convolutions before demodulation (which sees it only through its
//! epsilon), and filters that include the gain 4 of upsampling.

use std::collections::HashMap;

use super::host_tensor::HostTensor;
use super::layout::Family;
use super::state_dict::{StateDict, weights};
use super::{Canonical, Layout, add_unused_filters, block, convolution, leftover, strength};
use crate::error::Result;

/// Renames and rescales all tensors.
pub(crate) fn to_canonical(dict: StateDict) -> Result<Canonical> {
    let places: HashMap<_, _> =
        table().into_iter().map(|row| (row.theirs, (row.canonical, row.form))).collect();
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        let Some((place, form)) = places.get(&name) else {
            return Err(leftover(&name, &tensor, Layout::Rosinality, Family::StyleGan2));
        };
        dict.insert(place, form.to_canonical(&name, tensor)?)?;
    }
    add_unused_filters(&mut dict)?;
    Ok(Canonical { layout: Layout::Rosinality, dict, label_norm_joint: false })
}

/// The way back, to the names of its network; filters that no code uses are left out.
pub(super) fn from_canonical(dict: StateDict) -> Result<StateDict> {
    let names: HashMap<_, _> =
        table().into_iter().map(|row| (row.canonical, (row.theirs, row.form))).collect();
    for owner in (0..16).filter_map(block) {
        let (layer, colours) = (format!("{owner}.conv1.weight"), format!("{owner}.torgb.weight"));
        if dict.shape(&layer).is_some() && dict.shape(&colours).is_none() {
            let expected =
                "one in each block, which rosinality's networks have (`skip` architecture)";
            return Err(weights(&colours, expected, "none"));
        }
    }
    // Its mapping network has as many numbers at each end.
    if let Some(&[out, z_dim]) = dict.shape("mapping.fc0.weight")
        && out != z_dim
    {
        let expected = "as many inputs as outputs, which rosinality's networks have";
        return Err(weights("mapping.fc0.weight", expected, format!("shape [{out}, {z_dim}]")));
    }
    let (tensors, mut dict) = dict.into_parts();
    for (name, tensor) in tensors {
        match names.get(&name) {
            Some((theirs, form)) => dict.insert(theirs, form.to_theirs(&name, tensor)?)?,
            None if name.ends_with(".resample_filter") && !name.contains(".skip.") => {}
            None => {
                let expected =
                    "no such tensor: rosinality's networks have neither labels nor residual blocks";
                return Err(weights(&name, expected, tensor.shape_text()));
            }
        }
    }
    Ok(dict)
}

/// A tensor in both layouts.
struct Row {
    theirs: String,
    canonical: String,
    form: Form,
}

/// How rosinality stores a tensor.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    /// `[w_dim]` or `[1, w_dim]`; encoders write `[layers, w_dim]`, the same for all.
    Average,
    /// `[1, c, h, w]`
    Const,
    /// `[1, 1, h, w]`
    NoiseMap,
    /// `[1]`
    Strength,
    /// `[1, o, i, 3, 3]`, without the factor.
    Convolution,
    /// `[1, 3, i, 1, 1]`
    ToRgb,
    /// `[1, 3, 1, 1]`
    ToRgbBias,
    /// `[h, w]`, times 4.
    Filter,
}

/// Every tensor that a network of up to 16 blocks and 99 mapping layers may have.
fn table() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |theirs: String, canonical: String, form| {
        rows.push(Row { theirs, canonical, form });
    };
    add("latent_avg".into(), "mapping.w_avg".into(), Form::Average);
    // style.0 is the normalisation, which has no tensors.
    for (i, kind) in (0..99).flat_map(|i| [(i, "weight"), (i, "bias")]) {
        add(format!("style.{}.{kind}", i + 1), format!("mapping.fc{i}.{kind}"), Form::Plain);
    }
    add("input.input".into(), "synthesis.b4.const".into(), Form::Const);
    for (i, ours) in (0..31).filter_map(|i| Some((i, convolution(i)?))) {
        let theirs = if i == 0 { "conv1".into() } else { format!("convs.{}", i - 1) };
        for (part, place, form) in [
            ("conv.weight", "weight", Form::Convolution),
            ("conv.modulation.weight", "affine.weight", Form::Plain),
            ("conv.modulation.bias", "affine.bias", Form::Plain),
            ("noise.weight", "noise_strength", Form::Strength),
            ("activate.bias", "bias", Form::Plain),
        ] {
            add(format!("{theirs}.{part}"), format!("{ours}.{place}"), form);
        }
        add(format!("noises.noise_{i}"), format!("{ours}.noise_const"), Form::NoiseMap);
        // Every second one doubles the resolution.
        if i % 2 == 1 {
            let filter = format!("{theirs}.conv.blur.kernel");
            add(filter, format!("{ours}.resample_filter"), Form::Filter);
        }
    }
    for (k, ours) in (0..16).filter_map(|k| Some((k, block(k)?))) {
        let theirs = if k == 0 { "to_rgb1".into() } else { format!("to_rgbs.{}", k - 1) };
        for (part, place, form) in [
            ("conv.weight", "weight", Form::ToRgb),
            ("conv.modulation.weight", "affine.weight", Form::Plain),
            ("conv.modulation.bias", "affine.bias", Form::Plain),
            ("bias", "bias", Form::ToRgbBias),
        ] {
            add(format!("{theirs}.{part}"), format!("{ours}.torgb.{place}"), form);
        }
        if k > 0 {
            let filter = format!("{theirs}.upsample.kernel");
            add(filter, format!("{ours}.resample_filter"), Form::Filter);
        }
    }
    rows
}

impl Form {
    /// The canonical tensor; `name` is for messages, here and below.
    fn to_canonical(self, name: &str, tensor: HostTensor) -> Result<HostTensor> {
        match self {
            Form::Plain => Ok(tensor),
            Form::Average => average(name, tensor),
            Form::Const => tensor.keep_dims(name, 4, 1..4),
            Form::NoiseMap => tensor.keep_dims(name, 4, 2..4),
            Form::Strength => strength(name, tensor),
            Form::Convolution => tensor.keep_dims(name, 5, 1..5)?.scale_by_fan_in(name),
            Form::ToRgb => tensor.keep_dims(name, 5, 1..5),
            Form::ToRgbBias => tensor.keep_dims(name, 4, 1..2),
            Form::Filter => Ok(tensor.keep_dims(name, 2, 0..2)?.scale(0.25)),
        }
    }

    /// Rosinality's tensor of the canonical one.
    fn to_theirs(self, name: &str, tensor: HostTensor) -> Result<HostTensor> {
        match self {
            Form::Plain => Ok(tensor),
            Form::Average => tensor.with_ones(name, 1, 1, 0),
            Form::Const => tensor.with_ones(name, 3, 1, 0),
            Form::NoiseMap => tensor.with_ones(name, 2, 2, 0),
            Form::Strength => tensor.with_ones(name, 0, 1, 0),
            Form::Convolution => tensor.unscale_by_fan_in(name)?.with_ones(name, 4, 1, 0),
            Form::ToRgb => tensor.with_ones(name, 4, 1, 0),
            Form::ToRgbBias => tensor.with_ones(name, 1, 1, 2),
            Form::Filter => Ok(tensor.scale(4.0)),
        }
    }
}

/// A mean latent code `[w_dim]`, or equal ones in rows.
fn average(name: &str, mut tensor: HostTensor) -> Result<HostTensor> {
    if let [_, w_dim] = tensor.shape[..] {
        let first = tensor.data.get(..w_dim).unwrap_or_default();
        if w_dim > 0 && tensor.data.chunks(w_dim).all(|row| row == first) {
            tensor.data.truncate(w_dim);
            tensor.shape[0] = 1;
        }
    }
    super::mean_latent(name, tensor)
}
