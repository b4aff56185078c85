//! Several pictures each of many people, and the loss that brings those of one together.

use std::collections::BTreeMap;
use std::path::Path;

use gan_core::training::cross_entropy;
use gan_core::{Device, Image, Result, Tensor};

use super::table::Table;
use super::{HELD_OUT, drawn, grainy, parted, pick, stacked, tensor, unusable};
use crate::world::{Portrait, World, nth};

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
    let mut picture: Portrait = nth(seed + CHANGES, 2 * k + view);
    for factor in Portrait::factors().iter().filter(|factor| FIXED.contains(&factor.name)) {
        (factor.set)(&mut picture, (factor.get)(&person));
    }
    picture
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
                let all = (0..2).flat_map(|v| (0..n).map(move |i| (first as u32 + i as u32, v)));
                drawn(&all.map(|(k, v)| view(seed, k, v)).collect::<Vec<_>>(), self.size)?
            }
            Source::Files { people, train, .. } => {
                // A person comes once in a batch where there are enough, in an order that each batch has anew.
                let start = pick(seed, first, train.len());
                let images: Vec<&Image> = (0..2 * n)
                    .map(|i| {
                        let person = &people[train[(start + i % n) % train.len()]];
                        let one = pick(seed ^ CHANGES, first + (i % n) as u64, person.len());
                        &person[(one + i / n) % person.len()]
                    })
                    .collect();
                stacked(&images)
            }
        };
        grainy(&mut planes, 2 * n, seed, 2 * first);
        tensor(planes, 2 * n, self.size, device)
    }

    /// Two pictures of each of at most `n` people that are not trained on, as a batch.
    ///
    /// # Errors
    /// As [`Identities::batch`].
    pub fn held_out(&self, n: usize, device: &Device) -> Result<Tensor> {
        match &self.source {
            Source::Portraits => {
                let all = (0..2).flat_map(|v| (0..n as u32).map(move |k| view(HELD_OUT, k, v)));
                tensor(drawn(&all.collect::<Vec<_>>(), self.size)?, 2 * n, self.size, device)
            }
            Source::Files { people, held_out, .. } => {
                let kept = || held_out.iter().take(n);
                let images: Vec<&Image> =
                    (0..2).flat_map(|v| kept().map(move |&i| &people[i][v])).collect();
                tensor(stacked(&images), images.len(), self.size, device)
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

    /// The scalar products of pairs of pictures of one person, and of all pairs of two, of embeddings as [`Identities::loss`] takes them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn products(embeddings: &Tensor) -> Result<[Vec<f32>; 2]> {
        let [all, _] = embeddings.dims2("embeddings")?;
        let n = all / 2;
        let products = embeddings.slice(0, 0, n)?.matmul_t(&embeddings.slice(0, n, n)?)?;
        let products: Vec<f32> = products.to_vec()?;
        let pairs = products.iter().copied().enumerate();
        let (same, different): (Vec<_>, Vec<_>) = pairs.partition(|(i, _)| i % (n + 1) == 0);
        Ok([same, different].map(|pairs| pairs.into_iter().map(|(_, v)| v).collect()))
    }
}
