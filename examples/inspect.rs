//! What a checkpoint holds, as lines of text.

use std::collections::BTreeMap;

use gan_core::Device;
use gan_core::checkpoint::{Checkpoint, NumberFormat, StateDict, recognise};
use gan_core::models::{AnyGenerator, StyleNetwork, SynthesisNetwork};

use crate::program::{Result, say};

/// Characters of a setting that are shown.
const MOST_SHOWN: usize = 2000;

/// Tensors of a part of a file, and the values in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Tensors.
    pub tensors: usize,
    /// Values in all of them.
    pub values: usize,
}

impl Count {
    fn add(&mut self, values: usize) {
        self.tensors += 1;
        self.values += values;
    }
}

/// The first parts of the names: the networks of a training file, or the parts of a network by itself.
pub fn networks(dict: &StateDict) -> Vec<(String, Count)> {
    let mut found: BTreeMap<String, Count> = BTreeMap::new();
    for name in dict.names() {
        let first = name.split(['.', '/']).next().unwrap_or(name);
        found.entry(first.to_owned()).or_default().add(values(dict, name));
    }
    found.into_iter().collect()
}

fn values(dict: &StateDict, name: &str) -> usize {
    dict.shape(name).map_or(0, |shape| shape.iter().product())
}

/// Prints container, generator, parts, number formats, values that are not finite, licence, settings and tensors.
///
/// # Errors
/// If nobody reads standard output.
pub fn inspect(found: &Checkpoint) -> Result<()> {
    let dict = &found.tensors;
    let line = |title: &str, text: &str| say(format_args!("{title:>11}  {text}"));
    line("container", &found.container.to_string())?;
    match recognise(dict) {
        Ok((family, layout)) => {
            line("generator", &format!("{family} in the layout of {layout}"))?;
            match AnyGenerator::from_state_dict(dict.clone(), &Device::cpu()) {
                Ok(any) => configuration(&any).iter().try_for_each(|text| line("", text))?,
                Err(error) => line("", &format!("which does not open: {error}"))?,
            }
        }
        Err(error) => line("generator", &format!("none: {error}"))?,
    }
    for (i, (name, count)) in networks(dict).iter().enumerate() {
        let title = if i == 0 { "parts" } else { "" };
        line(title, &format!("{name}: {} values in {} tensors", count.values, count.tensors))?;
    }
    for (i, (format, count)) in formats(dict).iter().enumerate() {
        let title = if i == 0 { "formats" } else { "" };
        line(title, &format!("{format}: {} values in {} tensors", count.values, count.tensors))?;
    }
    let wrong = dict.non_finite();
    line("not finite", &format!("{} values", wrong.iter().map(|(_, n)| n).sum::<usize>()))?;
    for (name, count) in wrong {
        line("", &format!("{count} of {} in {name}", values(dict, &name)))?;
    }
    line("licence", found.summary().licence.as_deref().unwrap_or("not said"))?;
    for (i, (key, value)) in dict.metadata().iter().enumerate() {
        let text = format!("{} = {}", shown(key), shown(value));
        line(if i == 0 { "settings" } else { "" }, &text)?;
    }
    for (i, name) in dict.names().enumerate() {
        let shape = dict.shape(name).unwrap_or_default();
        let format = dict.number_format(name).map_or(String::new(), |f| f.to_string());
        line(if i == 0 { "tensors" } else { "" }, &format!("{name} {format} {shape:?}"))?;
    }
    Ok(())
}

/// The beginning of a text of a file that nobody may trust: what a terminal would obey is escaped.
fn shown(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    let start: String = text.chars().take(MOST_SHOWN).map(escaped).collect();
    if text.chars().nth(MOST_SHOWN).is_some() { start + "..." } else { start }
}

fn formats(dict: &StateDict) -> Vec<(NumberFormat, Count)> {
    let mut found: Vec<(NumberFormat, Count)> = Vec::new();
    for name in dict.names() {
        let Some(format) = dict.number_format(name) else { continue };
        match found.iter_mut().find(|(known, _)| *known == format) {
            Some((_, count)) => count.add(values(dict, name)),
            None => found.push((format, Count { tensors: 1, values: values(dict, name) })),
        }
    }
    found
}

/// What follows from a generator's shapes.
fn configuration(any: &AnyGenerator) -> Vec<String> {
    let g = any.generator();
    let [colours, height, width] = g.image_shape();
    let mut lines = vec![
        format!("{width} x {height} pixels of {colours} colours"),
        format!("z of {}, labels of {}", g.z_dim(), g.label_dim()),
    ];
    match any {
        AnyGenerator::StyleGan2(g) => {
            lines.push(format!("architecture {:?}", g.synthesis().architecture()).to_lowercase());
            lines.push(styled(g));
        }
        AnyGenerator::StyleGan(g) => lines.push(styled(g)),
        AnyGenerator::PgGan(g) => lines.push(format!("level of detail {}", g.lod())),
        AnyGenerator::BigGan(g) => lines.push(format!("{} blocks", g.blocks().count())),
    }
    lines
}

fn styled<S: SynthesisNetwork>(g: &StyleNetwork<S>) -> String {
    let average = if g.mapping().w_avg().is_some() { "with" } else { "without" };
    let (w, depth) = (g.mapping().w_dim(), g.mapping().depth());
    format!("w of {w}, mapping of {depth} layers, {average} an average code")
}
