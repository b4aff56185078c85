//! Pictures whose attributes are known, and the loss of an attribute network on them.

use std::ops::Range;
use std::path::Path;

use gan_core::training::cross_entropy;
use gan_core::{Attribute, AttributeKind, Device, Image, Result, Tensor};

use super::scores::best;
use super::table::Table;
use super::{HELD_OUT, grainy, is_broken, parted, stacked, tensor, unusable};
use crate::training::{Pictures, digest, pick};
use crate::world::{Domain, Kind, Portrait, World, nth, planes};

/// The most alternatives of a column of words.
const MOST_ALTERNATIVES: usize = 64;

/// Where labelled pictures come from. Batch `k` of a seed is always the same.
pub struct Labelled {
    attributes: Vec<Attribute>,
    source: Source,
    size: usize,
}

enum Source {
    Portraits,
    Files { pictures: Vec<(Image, Vec<Option<f32>>)>, train: Vec<usize>, held_out: Vec<usize> },
}

/// What is known of a batch: for each image the value of each attribute, the index of an alternative, or nothing where it
/// cannot be seen.
pub type Labels = Vec<Vec<Option<f32>>>;

/// The factors of portraits as attributes.
pub fn portrait_attributes() -> Vec<Attribute> {
    let attribute = |factor: &crate::world::Factor<Portrait>| Attribute {
        name: factor.name.to_owned(),
        kind: match factor.kind {
            Kind::Range { low, high, .. } => {
                AttributeKind::Range { low: low.into(), high: high.into() }
            }
            Kind::Choice { weights, name } => {
                AttributeKind::Choice((0..weights.len()).map(|i| name(i as f32).into()).collect())
            }
        },
    };
    Portrait::factors().iter().map(attribute).collect()
}

/// The attributes that a classifier's scores tell of portraits: those of a hat only where it tells one.
///
/// # Errors
/// When the device fails.
pub fn predicted(attributes: &[Attribute], scores: &[Tensor]) -> Result<Labels> {
    let scores = scores.iter().map(Tensor::to_vec::<f32>).collect::<Result<Vec<_>>>()?;
    let outputs = |a: &Attribute| a.kind.outputs();
    let n = attributes.first().map_or(0, |a| scores[0].len() / outputs(a));
    let value = |i: usize, a: &Attribute, scores: &[f32]| {
        let told = &scores[i * outputs(a)..(i + 1) * outputs(a)];
        match a.kind {
            AttributeKind::Range { .. } => told[0],
            AttributeKind::Choice(_) => best(told) as f32,
        }
    };
    let row = |i: usize| {
        let values: Vec<f32> =
            attributes.iter().zip(&scores).map(|(a, scores)| value(i, a, scores)).collect();
        let mut person = Portrait::default();
        for (attribute, &value) in attributes.iter().zip(&values) {
            if let Some(factor) = Portrait::factors().iter().find(|f| f.name == attribute.name) {
                (factor.set)(&mut person, value);
            }
        }
        let is_hidden = |name: &str| {
            let factors = Portrait::factors().iter().zip(seen(&person));
            factors.into_iter().any(|(factor, value)| factor.name == name && value.is_none())
        };
        let values = attributes.iter().zip(values);
        values.map(|(a, value)| (!is_hidden(&a.name)).then_some(value)).collect()
    };
    Ok((0..n).map(row).collect())
}

/// The values of all factors that are seen.
fn seen(person: &Portrait) -> Vec<Option<f32>> {
    let value = |factor: &crate::world::Factor<Portrait>| {
        let mut revealed = person.clone();
        (factor.reveal)(&mut revealed);
        (revealed == *person).then(|| (factor.get)(person))
    };
    Portrait::factors().iter().map(value).collect()
}

impl Labelled {
    /// Portraits, never one twice.
    pub fn portraits(size: usize) -> Self {
        Labelled { attributes: portrait_attributes(), source: Source::Portraits, size }
    }

    /// Images of a folder with a table of labels: its first column names files, each other is an attribute, a number or one of some words;
    /// an empty cell is not known. With `only`, just these columns.
    ///
    /// # Errors
    /// [`gan_core::Error::Argument`] for a folder without images or with one, [`gan_core::Error::Shape`] for an image of another size,
    /// [`gan_core::Error::Format`] for a table that lacks rows or a column that says nothing.
    pub fn open(folder: &Path, labels: &Path, only: &[String], size: usize) -> Result<Self> {
        let table = Table::open(folder, labels, size, |name| {
            only.is_empty() || only.iter().any(|wanted| wanted == name)
        })?;
        if let Some(missing) = only.iter().find(|name| !table.columns.contains(name)) {
            let expected = format!("columns of {}", labels.display());
            return Err(unusable("--attributes", expected, missing));
        }
        let column = |i: usize| table.rows.iter().map(move |row| row.cells[i].as_str());
        let attributes = (0..table.columns.len())
            .map(|i| attribute(&table.columns[i], column(i), labels))
            .collect::<Result<Vec<_>>>()?;
        let pictures = table.rows.into_iter().map(|row| {
            let values = attributes.iter().zip(&row.cells).map(|(a, cell)| value(&a.kind, cell));
            let values = values.collect();
            (row.image, values)
        });
        let pictures: Vec<_> = pictures.collect();
        let (train, held_out) = parted(pictures.len());
        Ok(Labelled { attributes, source: Source::Files { pictures, train, held_out }, size })
    }

    /// What is known of the pictures.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Training pictures `first..first + n` of a seed, `[n, 3, size, size]`, with noise.
    ///
    /// # Errors
    /// [`gan_core::Error::Argument`] for sizes that cannot be drawn.
    pub fn batch(
        &self,
        seed: u32,
        first: u64,
        n: usize,
        device: &Device,
    ) -> Result<(Tensor, Labels)> {
        let (mut planes, labels) = self.pictures(seed, first, n)?;
        grainy(&mut planes, n, seed, first);
        Ok((tensor(planes, n, self.size, device)?, labels))
    }

    /// The images of [`Labelled::batch`] without noise.
    ///
    /// # Errors
    /// As [`Labelled::batch`].
    pub fn clean(&self, seed: u32, first: u64, n: usize, device: &Device) -> Result<Tensor> {
        tensor(self.pictures(seed, first, n)?.0, n, self.size, device)
    }

    fn pictures(&self, seed: u32, first: u64, n: usize) -> Result<(Vec<f32>, Labels)> {
        let numbers = first..first + n as u64;
        match &self.source {
            Source::Portraits => {
                let people: Vec<Portrait> = numbers.map(|k| nth(seed, k as u32)).collect();
                Ok((planes(&people, self.size)?, people.iter().map(seen).collect()))
            }
            Source::Files { pictures, train, .. } => {
                let of = |k| &pictures[train[pick(seed, k, train.len())]];
                let picked: Vec<&(Image, _)> = numbers.map(of).collect();
                let labels: Labels = picked.iter().map(|(_, labels)| labels.clone()).collect();
                Ok((stacked(picked.iter().map(|(image, _)| image)), labels))
            }
        }
    }

    /// How many of `most` pictures there are that are not trained on.
    pub fn held_out_count(&self, most: usize) -> usize {
        match &self.source {
            Source::Portraits => most,
            Source::Files { held_out, .. } => held_out.len().min(most),
        }
    }

    /// Some pictures, by number, that are not trained on.
    ///
    /// # Errors
    /// As [`Labelled::batch`], and for numbers beyond [`Labelled::held_out_count`].
    pub fn held_out(&self, numbers: Range<usize>, device: &Device) -> Result<(Tensor, Labels)> {
        let (planes, labels) = match &self.source {
            Source::Portraits => {
                let people: Vec<Portrait> = numbers.map(|k| nth(HELD_OUT, k as u32)).collect();
                (planes(&people, self.size)?, people.iter().map(seen).collect::<Labels>())
            }
            Source::Files { pictures, held_out, .. } => {
                let kept = held_out.get(numbers).unwrap_or_default();
                let kept: Vec<_> = kept.iter().map(|&i| &pictures[i]).collect();
                (
                    stacked(kept.iter().map(|(image, _)| image)),
                    kept.iter().map(|(_, labels)| labels.clone()).collect(),
                )
            }
        };
        Ok((tensor(planes, labels.len(), self.size, device)?, labels))
    }

    /// What tells these pictures and labels from others, for the state of a run.
    pub fn digest(&self) -> String {
        match &self.source {
            Source::Portraits => Pictures::Drawn(Domain::Portraits).digest(self.size),
            Source::Files { pictures, .. } => {
                let labels: Vec<_> = pictures.iter().map(|(_, labels)| labels).collect();
                let known = format!("{:?} {labels:?}", self.attributes);
                digest(pictures.iter().map(|(image, _)| image), known.as_bytes())
            }
        }
    }

    /// The loss of a classifier's scores: of each attribute the mean over the images that show it, of a number the squared error in units of half
    /// its range, of alternatives the cross entropy.
    ///
    /// # Errors
    /// When the device fails.
    pub fn loss(&self, scores: &[Tensor], labels: &Labels) -> Result<Tensor> {
        let mut total: Option<Tensor> = None;
        for (i, (attribute, score)) in self.attributes.iter().zip(scores).enumerate() {
            let [n, outputs] = score.dims2("scores")?;
            let device = score.device();
            let known: Vec<f32> =
                labels.iter().map(|row| f32::from(u8::from(row[i].is_some()))).collect();
            let count: f32 = known.iter().sum();
            let known = Tensor::from_vec(known, &[n, 1], device)?;
            let values = labels.iter().map(|row| row[i].unwrap_or(0.0));
            let each = match attribute.kind {
                AttributeKind::Range { low, high } => {
                    let wanted = Tensor::from_vec(values.collect::<Vec<f32>>(), &[n, 1], device)?;
                    score.sub(&wanted)?.scale(2.0 / (high - low))?.square()?
                }
                AttributeKind::Choice(_) => {
                    let mut wanted = vec![0.0f32; n * outputs];
                    values.enumerate().for_each(|(k, v)| wanted[k * outputs + v as usize] = 1.0);
                    let wanted = Tensor::from_vec(wanted, &[n, outputs], device)?;
                    cross_entropy(score, &wanted, 1)?
                }
            };
            let mean = each.mul(&known)?.sum_all()?.scale(1.0 / f64::from(count.max(1.0)))?;
            total = Some(total.map_or(Ok(mean.clone()), |total| total.add(&mean))?);
        }
        total.ok_or_else(|| unusable("attributes", "at least one", "none"))
    }
}

/// A column of numbers is a range, any other a choice.
fn attribute<'a>(
    name: &str,
    cells: impl Iterator<Item = &'a str>,
    labels: &Path,
) -> Result<Attribute> {
    let cells: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| cell.parse().ok()).collect();
    let bad = |reason: String| gan_core::Error::Format {
        path: labels.to_owned(),
        format: "table of labels",
        reason: format!("column `{name}` {reason}"),
    };
    let kind = match numbers.filter(|numbers| !numbers.is_empty()) {
        Some(numbers) => {
            let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if !(low < high && (high - low).is_finite()) {
                return Err(bad(format!("has no range: {low} to {high}")));
            }
            AttributeKind::Range { low, high }
        }
        None => {
            let mut names: Vec<String> = cells.iter().map(|&cell| cell.to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            if !(2..=MOST_ALTERNATIVES).contains(&names.len()) {
                let most = MOST_ALTERNATIVES;
                let reason = format!(
                    "has {} alternatives, not 2 to {most}; --attributes leaves it out",
                    names.len()
                );
                return Err(bad(reason));
            }
            AttributeKind::Choice(names)
        }
    };
    if is_broken(name) || cells.iter().any(|cell| is_broken(cell)) {
        return Err(bad("has no name, or a tab or line break in its name or a cell".into()));
    }
    Ok(Attribute { name: name.to_owned(), kind })
}

fn value(kind: &AttributeKind, cell: &str) -> Option<f32> {
    match kind {
        AttributeKind::Range { .. } => cell.parse().ok(),
        AttributeKind::Choice(names) => {
            names.iter().position(|name| name == cell).map(|i| i as f32)
        }
    }
}
