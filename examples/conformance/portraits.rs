//! `portraits/*`: the generator that the examples run on.

use gan_core::{Device, StyleBased, StyleGan2, Truncation, Z};

use super::Check;
use super::case::Case;
use super::error::Result;
use super::outputs::Outputs;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "expected" => Some(expected),
        _ => None,
    }
}

/// A checkpoint beside the golden file: z to w+ to images.
fn expected(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let network = StyleGan2::open(case.neighbour(settings.text("file")?)?, device)?;
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
