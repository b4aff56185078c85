//! `metrics/fid_inception`: the network of the Fréchet distance, whose weights follow from a formula.

use std::fs;

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::Inception;
use gan_core::nn::resize_bilinear;
use gan_core::{Device, Tensor};

use super::case::Case;
use super::error::{Error, Result};
use super::formula;
use super::outputs::Outputs;
use super::settings::Settings;

/// Features of every stage as means and root mean squares, those of the Fréchet distance, and what the classes get of them.
pub(super) fn fid_inception(case: &Case, device: &Device) -> Result<Outputs> {
    let network = Inception::from_state_dict(weights(case)?, device)?;
    let mut out = Outputs::default();
    let given = case.input("image", device)?;
    let resized = resize_bilinear(&given, [299; 2])?;
    let [_, _, _, width] = resized.dims4("image")?;
    let row = resized.slice(0, 0, 1)?.slice(1, 0, 1)?.slice(2, 150, 1)?.reshape(&[width])?;
    out.tensor("resized299_row150", &row)?;

    let image = if case.settings.flag_or("resize_input", true)? { resized } else { given };
    let features = network.pooled(&image.affine(2.0, -1.0)?, &mut |name, x| {
        let block = match name {
            "pool1" => 0,
            "pool2" => 1,
            "Mixed_6e" => 2,
            _ => return Ok(()),
        };
        statistics(&mut out, block, x)
    })?;
    let [n, c] = features.dims2("features")?;
    statistics(&mut out, 3, &features.reshape(&[n, c, 1, 1])?)?;
    out.tensor("pool3", &features)?;
    out.tensor("logits_without_bias", &network.logits(&features, false)?)?;
    Ok(out)
}

/// Mean and root mean square of each map of `x [n, c, h, w]`.
fn statistics(out: &mut Outputs, block: usize, x: &Tensor) -> gan_core::Result<()> {
    let [n, c, ..] = x.dims4("features")?;
    out.tensor(format!("block{block}_mean"), &x.mean(&[2, 3])?.reshape(&[n, c])?)?;
    let rms = x.square()?.mean(&[2, 3])?.sqrt()?.reshape(&[n, c])?;
    out.tensor(format!("block{block}_rms"), &rms)
}

/// The tensors that the file beside the case describes.
fn weights(case: &Case) -> Result<StateDict> {
    let path = case.neighbour(case.settings.text("formula_file")?)?;
    let text = fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
    let file = Settings::parse(&text)?;
    let salt = case.settings.text("salt").or_else(|_| file.text("salt"))?;
    let mut dict = StateDict::default();
    for entry in file.sections("params")? {
        let shape = entry.counts("shape")?;
        let numbers = [entry.number_or("offset", 0.0)?, entry.number_or("scale", 1.0)?];
        let (name, len) = (entry.text("name")?, shape.iter().product());
        dict.insert(name, HostTensor { data: formula::values(salt, name, numbers, len), shape })?;
    }
    Ok(dict)
}
