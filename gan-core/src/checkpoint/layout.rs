//! Which code base a checkpoint comes from, told by its tensor names.

use std::fmt;

use super::discriminator::describe_discriminator;
use super::index;
use super::state_dict::StateDict;
use crate::error::{Error, Result};

/// A kind of generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Karras et al. 2020, see [`StyleGan2`](crate::StyleGan2).
    StyleGan2,
    /// Karras et al. 2019, see [`StyleGan`](crate::StyleGan).
    StyleGan,
    /// Karras et al. 2018, see [`PgGan`](crate::PgGan).
    PgGan,
    /// Brock, Donahue and Simonyan 2019, see [`BigGan`](crate::BigGan).
    BigGan,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::StyleGan2 => "StyleGAN2",
            Family::StyleGan => "StyleGAN",
            Family::PgGan => "PGGAN",
            Family::BigGan => "BigGAN",
        })
    }
}

impl Family {
    const ALL: [Family; 4] = [Family::StyleGan2, Family::StyleGan, Family::PgGan, Family::BigGan];

    /// The type that opens it.
    fn reader(self) -> &'static str {
        match self {
            Family::StyleGan2 => "StyleGan2",
            Family::StyleGan => "StyleGan",
            Family::PgGan => "PgGan",
            Family::BigGan => "BigGan",
        }
    }

    /// Its layouts, for messages.
    fn known(self) -> &'static str {
        match self {
            Family::StyleGan2 => {
                "StyleGAN2 generators of NVIDIA (PyTorch and TensorFlow), rosinality and genforce"
            }
            Family::StyleGan => {
                "StyleGAN generators of NVIDIA (TensorFlow), genforce, interfacegan and mganprior, and \
                 those trained here"
            }
            Family::PgGan => {
                "PGGAN generators of NVIDIA (TensorFlow), genforce, mganprior and interfacegan"
            }
            Family::BigGan => "BigGAN-deep generators in the layout of Hugging Face",
        }
    }

    /// The layouts that tell-tale names speak for.
    fn layouts(self, names: &[&str]) -> Vec<Layout> {
        match self {
            Family::StyleGan2 => stylegan2_layouts(names),
            Family::StyleGan => stylegan_layouts(names),
            Family::PgGan => pggan_layouts(names),
            Family::BigGan => biggan_layouts(names),
        }
    }

    /// Its layouts, each with the prefix of its names.
    fn places(self, dict: &StateDict) -> Vec<(Layout, &'static str)> {
        let mut found = Vec::new();
        for level in LEVELS {
            let names: Vec<_> = dict.names().filter_map(|name| name.strip_prefix(level)).collect();
            found.extend(self.layouts(&names).into_iter().map(|layout| (layout, level)));
        }
        // Training files of genforce hold both; the running average gives the better images.
        if found.iter().any(|(_, level)| level.ends_with("generator_smooth.")) {
            found.retain(|(_, level)| !level.ends_with("generator."));
        }
        found
    }
}

/// Names under which files nest a generator: the top level, training files of NVIDIA and rosinality, genforce's model zoo
/// and training files, and encoders (pSp, e4e) and StyleCLIP's mappers with their decoder.
const LEVELS: [&str; 10] = [
    "",
    "G_ema.",
    "Gs.",
    "g_ema.",
    "generator_smooth.",
    "generator.",
    "models.generator_smooth.",
    "models.generator.",
    "decoder.",
    "state_dict.decoder.",
];

/// The code base whose names and conventions a checkpoint follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// `NVlabs/stylegan2-ada-pytorch` and `NVlabs/stylegan3`'s StyleGAN2; also this crate's own, of StyleGAN networks as well.
    Nvidia,
    /// `rosinality/stylegan2-pytorch`.
    Rosinality,
    /// `genforce/genforce` and `genforce/sefa`.
    Genforce,
    /// `genforce/interfacegan`, StyleGAN only: its PGGAN is that of [`Layout::MganPrior`].
    InterfaceGan,
    /// `genforce/mganprior`.
    MganPrior,
    /// NVIDIA's TensorFlow code: `NVlabs/stylegan2-ada`, `NVlabs/stylegan2`, `NVlabs/stylegan` and
    /// `tkarras/progressive_growing_of_gans`.
    TensorFlow,
    /// `huggingface/pytorch-pretrained-BigGAN`.
    HuggingFace,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::Nvidia => "NVIDIA",
            Layout::Rosinality => "rosinality",
            Layout::Genforce => "genforce",
            Layout::InterfaceGan => "interfacegan",
            Layout::MganPrior => "mganprior",
            Layout::TensorFlow => "NVIDIA (TensorFlow)",
            Layout::HuggingFace => "Hugging Face",
        })
    }
}

/// Tells family and layout of a generator from the tensor names alone, at the top level or nested as in training files
/// (`G_ema.`, `Gs.`, `g_ema.`, `generator_smooth.`, `generator.`) and in those of encoders (`decoder.`).
///
/// # Errors
/// [`Error::Layout`] if no layout fits or more than one.
pub fn recognise(dict: &StateDict) -> Result<(Family, Layout)> {
    const KNOWN: &str = "generators of StyleGAN2, StyleGAN, PGGAN and BigGAN";
    let family = Family::ALL.into_iter().find(|family| !family.places(dict).is_empty());
    match family {
        Some(family) => locate(dict, family).map(|(layout, _)| (family, layout)),
        None => Err(unknown(dict, why_unknown(dict), KNOWN)),
    }
}

/// The layout and the prefix of the names of a generator of that family.
pub(crate) fn locate(dict: &StateDict, family: Family) -> Result<(Layout, &'static str)> {
    let found = family.places(dict);
    let other = Family::ALL
        .into_iter()
        .filter(|&other| other != family)
        .find_map(|other| Some((other, *other.places(dict).first()?)));
    let reason = match (found.as_slice(), other) {
        ([one], None) => return Ok(*one),
        ([], None) => why_unknown(dict),
        // A network that can be read, but not as this one.
        ([], Some((other, _))) => to_be_opened(other),
        ([(a, at), (b, bt), ..], _) => {
            format!("it fits both {a} ({}) and {b} ({})", place(at), place(bt))
        }
        ([(a, at)], Some((other, (b, bt)))) => format!(
            "it fits both {family} ({a}, {}) and {other} ({b}, {}); a file holds one generator",
            place(at),
            place(bt)
        ),
    };
    Err(unknown(dict, reason, family.known()))
}

/// The names of the file's generator, without their prefix.
pub(super) fn generator_names(dict: &StateDict) -> Vec<&str> {
    let places = Family::ALL.into_iter().flat_map(|family| family.places(dict));
    let prefix = places.map(|(_, prefix)| prefix).next().unwrap_or_default();
    dict.names().filter_map(|name| name.strip_prefix(prefix)).collect()
}

/// What generator the names speak for, if any.
pub(super) fn describe_generator(dict: &StateDict) -> Option<String> {
    Family::ALL.into_iter().find(|family| !family.places(dict).is_empty()).map(to_be_opened)
}

fn to_be_opened(family: Family) -> String {
    format!("this is a {family} generator, to be opened as {}", family.reader())
}

pub(super) fn place(level: &str) -> String {
    match level {
        "" => "at the top level".to_owned(),
        level => format!("under `{level}`"),
    }
}

/// Whether they are this crate's own names of a StyleGAN: StyleGAN2's first block has one convolution, and its colours have styles.
fn is_own_stylegan(names: &[&str]) -> bool {
    names.iter().any(|n| n.starts_with("synthesis.b4.conv0."))
        && !names.iter().any(|n| n.contains(".torgb.affine."))
}

fn stylegan2_layouts(names: &[&str]) -> Vec<Layout> {
    let mut found = Vec::new();
    let any = |marks: &[&str]| names.iter().any(|n| marks.iter().any(|m| n.starts_with(m)));

    let synthesis = ["synthesis.b4.", "b4.const", "b4.conv1.affine.", "b4.torgb."];
    let mapping = |n: &&str| is_mapping(n.strip_prefix("mapping.").unwrap_or(n));
    let mapping_alone =
        names.iter().any(|n| n.ends_with("fc0.weight")) && names.iter().all(mapping);
    if (any(&synthesis) || mapping_alone) && !is_own_stylegan(names) {
        found.push(Layout::Nvidia);
    }
    if any(&["input.input", "conv1.conv.modulation.", "to_rgb1.conv.modulation."]) {
        found.push(Layout::Rosinality);
    }
    if any(&["synthesis.early_layer.", "synthesis.layer0.noise_strength"]) {
        found.push(Layout::Genforce);
    }
    if any(&["synthesis/4x4/Conv/mod_weight", "synthesis/4x4/ToRGB/mod_weight"]) {
        found.push(Layout::TensorFlow);
    }
    found
}

fn stylegan_layouts(names: &[&str]) -> Vec<Layout> {
    let parts = names.iter().filter_map(|n| n.strip_prefix("synthesis.layer0."));
    let parts: Vec<&str> = parts.collect();
    let any = |marks: &[&str]| parts.iter().any(|n| marks.iter().any(|m| n.starts_with(m)));
    let mut found = Vec::new();
    if any(&["const", "style.", "apply_noise."]) && !any(&["epilogue."]) {
        found.push(Layout::Genforce);
    }
    if any(&["first_layer", "epilogue.style_mod.dense.linear."]) {
        found.push(Layout::InterfaceGan);
    }
    if any(&["epilogue.style_mod.dense.fc."]) {
        found.push(Layout::MganPrior);
    }
    if names.iter().any(|n| n.starts_with("synthesis/4x4/") && n.contains("/StyleMod/")) {
        found.push(Layout::TensorFlow);
    }
    // StyleGAN2's first layer has styles as well.
    if any(&["noise_strength"]) || names.iter().any(|n| n.starts_with("synthesis.early_layer.")) {
        found.clear();
    }
    if is_own_stylegan(names) {
        found.push(Layout::Nvidia);
    }
    found
}

fn pggan_layouts(names: &[&str]) -> Vec<Layout> {
    let has = |mark: &str| names.contains(&mark);
    // Discriminators have such layers as well, but no outputs.
    let outputs = names.iter().any(|n| n.starts_with("output"));
    let mut found = Vec::new();
    if outputs && (has("layer0.weight") || has("layer0.bias")) {
        found.push(Layout::Genforce);
    }
    if has("4x4/Dense/weight") && names.iter().any(|n| n.starts_with("ToRGB_lod")) {
        found.push(Layout::TensorFlow);
    }
    if outputs && (has("layer0.conv.weight") || has("layer0.wscale.bias")) {
        found.push(Layout::MganPrior);
    }
    found
}

fn biggan_layouts(names: &[&str]) -> Vec<Layout> {
    let marks =
        ["embeddings.weight", "generator.gen_z.", "generator.layers.", "generator.conv_to_rgb."];
    let found = names.iter().any(|name| marks.iter().any(|mark| name.starts_with(mark)));
    if found { vec![Layout::HuggingFace] } else { Vec::new() }
}

/// Whether the name is one of NVIDIA's mapping network.
pub(crate) fn is_mapping(name: &str) -> bool {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["w_avg"] | ["embed", "weight" | "bias"] => true,
        [layer, "weight" | "bias"] => layer.strip_prefix("fc").and_then(index).is_some(),
        _ => false,
    }
}

pub(super) fn unknown(dict: &StateDict, reason: String, known: &'static str) -> Error {
    Error::Layout { reason, known, found: dict.first_names() }
}

pub(super) fn why_unknown(dict: &StateDict) -> String {
    // Common files that are something else, the most telling names first.
    const OTHERS: [(&[&str], &str); 9] = [
        (&["G.synthesis.b4.", "g.conv1.conv."], "only the raw generator is there, no average"),
        (&["synthesis.input.", "synthesis.L0_"], "this is a StyleGAN3 generator"),
        (&["synthesis.layer0."], "this is part of a StyleGAN generator"),
        (&["course_mapping."], "this is an editing network, without the generator that it edits"),
        (&["encoder.input_layer."], "this is an encoder, without the generator behind it"),
        (&["input_layer.0.weight"], "this is an identity network or the part of an encoder"),
        (
            &["visual.conv1.weight", "visual.proj", "text_projection", "token_embedding.weight"],
            "this is a CLIP model, which judges images and makes none",
        ),
        (&["features.0.weight"], "this is a VGG or a similar network of features"),
        (&["lin0.model.", "lin0.weight"], "these are the weights of a perceptual distance"),
    ];
    const PARTS: [(&[&str], &str); 2] = [
        (&["fromrgb.", "input0."], "this is part of a discriminator"),
        (&["layer0.weight", "output0."], "this is part of a PGGAN generator"),
    ];
    if dict.is_empty() {
        return "there are no tensors".to_owned();
    }
    let has = |marks: &[&str]| dict.names().any(|name| marks.iter().any(|m| name.contains(m)));
    let named = |list: &[(&[&str], &str)]| {
        list.iter().find(|(marks, _)| has(marks)).map(|(_, what)| (*what).to_owned())
    };
    // In training files, it is the generator that is missed, which stands beside a discriminator.
    named(&OTHERS)
        .or_else(|| describe_discriminator(dict))
        .or_else(|| named(&PARTS))
        .unwrap_or_else(|| "no layout has these names".to_owned())
}
