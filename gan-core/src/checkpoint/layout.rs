//! Which code base a checkpoint comes from, told by its tensor names.

use std::fmt;

use super::index;
use super::state_dict::StateDict;
use crate::error::{Error, Result};

const KNOWN: &str = "StyleGAN2 generators of NVIDIA (PyTorch), rosinality and genforce";

/// Names under which training files nest a generator; the top level first.
const LEVELS: [&str; 5] = ["", "G_ema.", "g_ema.", "generator_smooth.", "generator."];

/// The code base whose names and conventions a StyleGAN2 generator's checkpoint follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// `NVlabs/stylegan2-ada-pytorch` and `NVlabs/stylegan3`'s StyleGAN2; also this crate's own.
    Nvidia,
    /// `rosinality/stylegan2-pytorch`.
    Rosinality,
    /// `genforce/genforce` and `genforce/sefa`.
    Genforce,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::Nvidia => "NVIDIA",
            Layout::Rosinality => "rosinality",
            Layout::Genforce => "genforce",
        })
    }
}

/// Tells the layout from the tensor names alone, at the top level or nested as in training files
/// (`G_ema.`, `g_ema.`, `generator_smooth.`, `generator.`).
///
/// # Errors
/// [`Error::Layout`] if no layout fits or more than one.
pub fn recognise(dict: &StateDict) -> Result<Layout> {
    locate(dict).map(|(layout, _)| layout)
}

/// The layout and the prefix of the generator's names.
pub(crate) fn locate(dict: &StateDict) -> Result<(Layout, &'static str)> {
    let mut found = Vec::new();
    for level in LEVELS {
        let names: Vec<_> = dict.names().filter_map(|name| name.strip_prefix(level)).collect();
        found.extend(layouts(&names).into_iter().map(|layout| (layout, level)));
    }
    // Training files of genforce hold both; the running average gives the better images.
    if found.iter().any(|(_, level)| *level == "generator_smooth.") {
        found.retain(|(_, level)| *level != "generator.");
    }
    match found.as_slice() {
        [] => Err(unknown(dict, why_unknown(dict))),
        [one] => Ok(*one),
        [(a, at), (b, bt), ..] => {
            let place = |level: &str| match level {
                "" => "at the top level".to_owned(),
                level => format!("under `{level}`"),
            };
            let (at, bt) = (place(at), place(bt));
            Err(unknown(dict, format!("it fits both {a} ({at}) and {b} ({bt})")))
        }
    }
}

fn layouts(names: &[&str]) -> Vec<Layout> {
    let mut found = Vec::new();
    let any = |marks: &[&str]| names.iter().any(|n| marks.iter().any(|m| n.starts_with(m)));

    let synthesis = ["synthesis.b4.", "b4.const", "b4.conv1.affine.", "b4.torgb."];
    let mapping = |n: &&str| is_mapping(n.strip_prefix("mapping.").unwrap_or(n));
    let mapping_alone =
        names.iter().any(|n| n.ends_with("fc0.weight")) && names.iter().all(mapping);
    if any(&synthesis) || mapping_alone {
        found.push(Layout::Nvidia);
    }
    if any(&["input.input", "conv1.conv.modulation.", "to_rgb1.conv.modulation."]) {
        found.push(Layout::Rosinality);
    }
    if any(&["synthesis.early_layer.", "synthesis.layer0.noise_strength"]) {
        found.push(Layout::Genforce);
    }
    found
}

/// Whether the name is one of NVIDIA's mapping network.
pub(crate) fn is_mapping(name: &str) -> bool {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["w_avg"] | ["embed", "weight" | "bias"] => true,
        [layer, "weight" | "bias"] => layer.strip_prefix("fc").and_then(index).is_some(),
        _ => false,
    }
}

fn unknown(dict: &StateDict, reason: String) -> Error {
    Error::Layout { reason, known: KNOWN, found: dict.first_names() }
}

fn why_unknown(dict: &StateDict) -> String {
    // Common files that are something else, the most telling names first.
    const OTHERS: [(&[&str], &str); 8] = [
        (&["G.synthesis.b4.", "g.conv1.conv."], "only the raw generator is there, no average"),
        (&["synthesis.input.", "synthesis.L0_"], "this is a StyleGAN3 generator"),
        (&["synthesis.layer0."], "this is a StyleGAN1 generator"),
        (&["generator.gen_z."], "this is a BigGAN generator, see BigGan::open"),
        (&["course_mapping."], "this is an editing network"),
        (&["encoder.input_layer.", "decoder.conv1.conv."], "this is an encoder with its decoder"),
        (&["b4.out.", "final_linear.", "fromrgb.", "input0."], "this is a discriminator"),
        (&["layer0.weight", "output0."], "this is a PGGAN generator"),
    ];
    if dict.is_empty() {
        return "there are no tensors".to_owned();
    }
    let has = |marks: &[&str]| dict.names().any(|name| marks.iter().any(|m| name.contains(m)));
    let other = OTHERS.iter().find(|(marks, _)| has(marks));
    other.map_or("no layout has these names", |(_, what)| what).to_owned()
}
