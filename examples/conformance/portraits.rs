//! `portraits/*`: the generator that the examples run on.

use std::path::{Path, PathBuf};

use gan_core::{Device, StyleBased, StyleGan2, Truncation, Z};

use super::Check;
use super::case::Case;
use super::error::Result;
use super::outputs::Outputs;
use crate::model::PORTRAITS;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "expected" => Some(expected),
        _ => None,
    }
}

/// A checkpoint: z to w+ to images.
fn expected(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let network = StyleGan2::open(checkpoint(case)?, device)?;
    let truncation = Truncation {
        psi: settings.number_or("truncation_psi", 1.0)?,
        cutoff: settings.count("truncation_cutoff")?,
    };
    let w = network.map(&Z::new(case.input("z", device)?)?, None)?;
    let ws = network.truncate(&w, &truncation)?;

    let mut out = Outputs::default();
    out.tensor("ws", ws.tensor())?;
    out.tensor("image", &network.synthesize(&ws, settings.noise()?)?)?;
    Ok(out)
}

/// The named file beside the golden file, or else among the models of the examples.
fn checkpoint(case: &Case) -> Result<PathBuf> {
    let name = case.settings.text("file")?;
    let beside = case.neighbour(name)?;
    let shipped = Path::new(PORTRAITS).with_file_name(name);
    Ok(if !beside.exists() && shipped.exists() { shipped } else { beside })
}
