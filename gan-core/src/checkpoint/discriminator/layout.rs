//! Which discriminator a checkpoint holds, and in which layout, told by its tensor names.

use std::fmt;

use super::super::layout::{Layout, describe_generator, place, unknown, why_unknown};
use super::super::state_dict::StateDict;
use crate::error::Result;

/// Names under which training files nest a discriminator; the top level first.
const LEVELS: [&str; 4] = ["", "D.", "d.", "discriminator."];

/// A kind of discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StyleGan2,
    StyleGan,
    PgGan,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::StyleGan2 => "StyleGAN2 discriminator",
            Kind::StyleGan => "StyleGAN discriminator",
            Kind::PgGan => "PGGAN discriminator",
        })
    }
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::StyleGan2, Kind::StyleGan, Kind::PgGan];

    /// The type that opens it.
    fn reader(self) -> &'static str {
        match self {
            Kind::StyleGan2 => "StyleGan2Discriminator",
            Kind::StyleGan => "StyleGanDiscriminator",
            Kind::PgGan => "PgGanDiscriminator",
        }
    }

    /// Its layouts, for messages.
    fn known(self) -> &'static str {
        match self {
            Kind::StyleGan2 => {
                "StyleGAN2 discriminators of NVIDIA (PyTorch and TensorFlow), rosinality and genforce"
            }
            Kind::StyleGan => "StyleGAN discriminators of genforce, and those trained here",
            Kind::PgGan => "PGGAN discriminators of genforce",
        }
    }

    /// The layouts that tell-tale names speak for.
    fn layouts(self, names: &[&str]) -> Vec<Layout> {
        let any = |marks: &[&str]| names.iter().any(|n| marks.iter().any(|m| n.starts_with(m)));
        let mut found = Vec::new();
        // This crate's own networks that grew have a level of detail.
        let own = if names.contains(&"lod") { Kind::StyleGan } else { Kind::StyleGan2 };
        if self == own && any(&["b4.out.", "b4.fc."]) {
            found.push(Layout::Nvidia);
        }
        if self == Kind::StyleGan2 && any(&["final_conv.", "final_linear."]) {
            found.push(Layout::Rosinality);
        }
        if self == Kind::StyleGan2 && any(&["Output/"]) && any(&["4x4/Dense0/"]) {
            found.push(Layout::TensorFlow);
        }
        if any(&["input0."]) && any(&["layer0."]) && self == of_genforce(names) {
            found.push(Layout::Genforce);
        }
        found
    }

    /// Its layouts, each with the prefix of its names.
    fn places(self, dict: &StateDict) -> Vec<(Layout, &'static str)> {
        let mut found = Vec::new();
        for level in LEVELS {
            let names: Vec<_> = dict.names().filter_map(|name| name.strip_prefix(level)).collect();
            found.extend(self.layouts(&names).into_iter().map(|layout| (layout, level)));
        }
        found
    }
}

/// Which of genforce's discriminators it is, told by the filter of its down-sampling layers.
fn of_genforce(names: &[&str]) -> Kind {
    let has = |end: &str| names.iter().any(|n| n.starts_with("layer") && n.ends_with(end));
    match (has(".filter.kernel"), has(".blur.kernel")) {
        (true, _) => Kind::StyleGan2,
        (_, true) => Kind::StyleGan,
        _ => Kind::PgGan,
    }
}

/// The layout and the prefix of the names of a discriminator of that kind.
pub(super) fn locate(dict: &StateDict, kind: Kind) -> Result<(Layout, &'static str)> {
    let reason = match kind.places(dict).as_slice() {
        [one] => return Ok(*one),
        [] => describe_generator(dict).unwrap_or_else(|| why_unknown(dict)),
        [(a, at), (b, bt), ..] => {
            format!("it fits both {a} ({}) and {b} ({})", place(at), place(bt))
        }
    };
    Err(unknown(dict, reason, kind.known()))
}

/// What discriminator the names speak for, if any.
pub(in crate::checkpoint) fn describe_discriminator(dict: &StateDict) -> Option<String> {
    let kind = Kind::ALL.into_iter().find(|kind| !kind.places(dict).is_empty())?;
    Some(format!("this is a {kind}, to be opened as {}", kind.reader()))
}
