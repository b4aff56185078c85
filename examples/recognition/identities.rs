//! Several pictures each of many people, and the loss that brings those of one together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use gan_core::training::cross_entropy;
use gan_core::{Device, Image, Result, Tensor};

use super::table::Table;
use super::{HELD_OUT, grainy, parted, stacked, tensor, unusable};
use crate::training::{Pictures, digest, pick};
use crate::world::{Domain, Portrait, World, nth, planes};

/// The factors of a portrait that make who it is; all others may change from picture to picture.
pub const FIXED: [&str; 8] =
    ["width", "jaw", "skin", "nose", "eye_size", "eye_distance", "eye_colour", "brow"];

/// The column of a table that says who is depicted.
const COLUMN: &str = "identity";

/// What scalar products are divided by in the loss.
const TEMPERATURE: f64 = 0.1;

/// Between the seed of people and that of what they wear and do.
const CHANGES: u32 = 1 << 20;

/// Where pictures of people come from, two of each. Batch `k` of a seed is always the same.
pub struct Identities {
    source: Source,
    size: usize,
}

enum Source {
    Portraits,
    /// The pictures of each of some people.
    Files {
        people: Vec<Vec<Image>>,
        train: Vec<usize>,
        held_out: Vec<usize>,
    },
}

/// Picture `view` of person `k` of a seed.
fn view(seed: u32, k: u32, view: u32) -> Portrait {
    let person: Portrait = nth(seed, k);
    let mut picture: Portrait = nth(seed + CHANGES, k.wrapping_mul(2).wrapping_add(view));
    for factor in Portrait::factors().iter().filter(|factor| FIXED.contains(&factor.name)) {
        (factor.set)(&mut picture, (factor.get)(&person));
    }
    picture
}

/// `n` different ones of `all`, as a shuffle of them begins that depends on these numbers alone.
fn some_of(all: &[usize], seed: u32, first: u64, n: usize) -> Vec<usize> {
    let mut order = all.to_vec();
    for i in 0..n.min(all.len()) {
        let other = i + pick(seed, first + i as u64, order.len() - i);
        order.swap(i, other);
    }
    order.truncate(n);
    order
}

impl Identities {
    /// Portraits of people who are never the same twice.
    pub fn portraits(size: usize) -> Self {
        Identities { source: Source::Portraits, size }
    }

    /// Images of a folder with a table, whose first column names files and whose column `identity` says who is depicted. Who has one
    /// picture is left out.
    ///
    /// # Errors
    /// As [`Labelled::open`](super::Labelled::open); [`gan_core::Error::Argument`] for less than four people with two pictures.
    pub fn open(folder: &Path, labels: &Path, size: usize) -> Result<Self> {
        let table = Table::open(folder, labels, size, |name| name == COLUMN)?;
        let mut people: BTreeMap<String, Vec<Image>> = BTreeMap::new();
        for mut row in table.rows {
            let name = row.cells.pop().filter(|name| !name.is_empty());
            if let Some(name) = name {
                people.entry(name).or_default().push(row.image);
            }
        }
        let people: Vec<Vec<Image>> = people.into_values().filter(|p| p.len() > 1).collect();
        if people.len() < 4 {
            let found = format!("{} in {}", people.len(), labels.display());
            let expected = "at least 4 people with two pictures or more";
            return Err(unusable("--images", expected, found));
        }
        let (mut train, mut held_out) = parted(people.len());
        if held_out.len() < 2 {
            held_out.extend(train.pop());
        }
        Ok(Identities { source: Source::Files { people, train, held_out }, size })
    }

    /// Two pictures of each of people `first..first + n` of a seed, with noise: `[2 n, 3, size, size]`, first all the one, then all
    /// the other.
    ///
    /// # Errors
    /// [`gan_core::Error::Argument`] for sizes that cannot be drawn.
    pub fn batch(&self, seed: u32, first: u64, n: usize, device: &Device) -> Result<Tensor> {
        let mut planes = match &self.source {
            Source::Portraits => {
                let numbers = first..first + n as u64;
                let one = |v| numbers.clone().map(move |k| view(seed, k as u32, v));
                planes(&(0..2).flat_map(one).collect::<Vec<_>>(), self.size)?
            }
            Source::Files { people, train, .. } => {
                let who = some_of(train, seed, first, n);
                stacked((0..2 * n).map(|i| {
                    let person = &people[who[i % n]];
                    let one = pick(seed ^ CHANGES, first + (i % n) as u64, person.len());
                    &person[(one + i / n) % person.len()]
                }))
            }
        };
        grainy(&mut planes, 2 * n, seed, 2 * first);
        tensor(planes, 2 * n, self.size, device)
    }

    /// How many of `most` people there are that are not trained on.
    pub fn held_out_count(&self, most: usize) -> usize {
        match &self.source {
            Source::Portraits => most,
            Source::Files { held_out, .. } => held_out.len().min(most),
        }
    }

    /// Two pictures of each of some people, by number, that are not trained on, as a batch.
    ///
    /// # Errors
    /// As [`Identities::batch`], and for numbers beyond [`Identities::held_out_count`].
    pub fn held_out(&self, numbers: Range<usize>, device: &Device) -> Result<Tensor> {
        let count = 2 * numbers.len();
        let planes = match &self.source {
            Source::Portraits => {
                let one = |v| numbers.clone().map(move |k| view(HELD_OUT, k as u32, v));
                planes(&(0..2).flat_map(one).collect::<Vec<_>>(), self.size)?
            }
            Source::Files { people, held_out, .. } => {
                let kept = held_out.get(numbers).unwrap_or_default();
                let one = |v: usize| kept.iter().map(move |&i| &people[i][v]);
                stacked((0..2).flat_map(one))
            }
        };
        tensor(planes, count, self.size, device)
    }

    /// What tells these people and their pictures from others, for the state of a run.
    pub fn digest(&self) -> String {
        match &self.source {
            Source::Portraits => Pictures::Drawn(Domain::Portraits).digest(self.size),
            Source::Files { people, .. } => {
                let counts: Vec<usize> = people.iter().map(Vec::len).collect();
                digest(people.iter().flatten(), format!("{counts:?}").as_bytes())
            }
        }
    }

    /// How many people there are to train on, if that is known.
    pub fn people(&self) -> Option<usize> {
        match &self.source {
            Source::Portraits => None,
            Source::Files { train, .. } => Some(train.len()),
        }
    }

    /// The loss of embeddings `[2 n, len]` of unit length: each picture is to find the other one of the same person among those of all people
    /// of the batch (InfoNCE, van den Oord et al. 2018, both ways as CLIP has it).
    ///
    /// # Errors
    /// When the device fails.
    pub fn loss(embeddings: &Tensor) -> Result<Tensor> {
        let [all, _] = embeddings.dims2("embeddings")?;
        let n = all / 2;
        let [one, other] = [embeddings.slice(0, 0, n)?, embeddings.slice(0, n, n)?];
        let logits = one.matmul_t(&other)?.scale(1.0 / TEMPERATURE)?;
        let own: Vec<f32> = (0..n * n).map(|i| f32::from(u8::from(i % (n + 1) == 0))).collect();
        let own = Tensor::from_vec(own, &[n, n], embeddings.device())?;
        let rows = cross_entropy(&logits, &own, 1)?.mean_all()?;
        rows.add(&cross_entropy(&logits, &own, 0)?.mean_all()?)?.scale(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_bring_different_people_together() {
        let all: Vec<usize> = (10..40).collect();
        let batches: Vec<Vec<usize>> = (0..20).map(|k| some_of(&all, 7, 4 * k, 4)).collect();
        assert_eq!(some_of(&all, 7, 4, 4), batches[1]);
        for batch in &batches {
            let mut different = batch.clone();
            different.sort_unstable();
            different.dedup();
            assert!(different.len() == 4 && different.iter().all(|who| all.contains(who)));
        }
        // Who is together once is not always.
        let with = |who| batches.iter().filter(move |batch| batch.contains(&who));
        let someone = batches[0][0];
        assert!(with(someone).count() > 1, "{batches:?}");
        assert!(with(someone).any(|batch| !batch.contains(&batches[0][1])), "{batches:?}");
        assert_eq!(some_of(&all, 7, 0, 30).len(), 30);
    }
}
