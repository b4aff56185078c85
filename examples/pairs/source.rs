//! Where images and captions come from.

use std::path::Path;

use gan_clip::{Clip, cosine};
use gan_core::{Device, Error, Image, Tensor};

use super::batch::{Batch, normalized};
use super::{Words, zero_shot};
use crate::recognition::{Table, best, parted, stacked};
use crate::training::{Pictures, digest, pick};
use crate::world::Domain;

/// Sets the stream that picks captions apart from that which picks images.
const CAPTIONS: u32 = 0x6361_7074;

/// Images with captions. Batch `k` of a run is always the same.
pub enum Source {
    /// Drawn portraits, never one twice.
    Portraits,
    /// Images of a folder.
    Files(Files),
}

/// Images with all their captions, some of them held out.
pub struct Files {
    pairs: Vec<(Image, Vec<String>)>,
    train: Vec<usize>,
    held_out: Vec<usize>,
}

impl Source {
    /// Images of a folder, `side` x `side` pixels each, with a table: its first column names files, and all whose names begin with
    /// `caption` have captions, as the program `world` writes them.
    ///
    /// # Errors
    /// [`Error::Argument`] for a folder without images or with one, [`Error::Shape`] for an image of another size, [`Error::Format`]
    /// for a table that lacks rows or captions.
    pub fn open(folder: &Path, captions: &Path, side: usize) -> gan_core::Result<Self> {
        let table = Table::open(folder, captions, side, |name| name.starts_with("caption"))?;
        let mut pairs = Vec::new();
        for (i, mut row) in table.rows.into_iter().enumerate() {
            row.cells.retain(|caption| !caption.is_empty());
            if row.cells.is_empty() {
                let reason = format!("image {i}, in the order of names, has no caption");
                let path = captions.to_owned();
                return Err(Error::Format { path, format: "table of captions", reason });
            }
            pairs.push((row.image, row.cells));
        }
        let (train, held_out) = parted(pairs.len());
        Ok(Source::Files(Files { pairs, train, held_out }))
    }

    /// The words of all captions, which are prompts.
    ///
    /// # Errors
    /// For a caption of more than 77 tokens.
    pub fn words(&self) -> gan_clip::Result<Words> {
        match self {
            Source::Portraits => Words::of_portraits(),
            Source::Files(files) => {
                let captions = || files.pairs.iter().flat_map(|(_, captions)| captions);
                let words = Words::of(captions().map(String::as_str))?;
                captions().try_for_each(|caption| words.encode(&[caption]).map(drop))?;
                Ok(words)
            }
        }
    }

    /// Batch number `k` of so many of a seed.
    ///
    /// # Errors
    /// For sizes that cannot be drawn.
    pub fn batch(
        &self,
        seed: u32,
        [k, steps]: [u64; 2],
        n: usize,
        side: usize,
        device: &Device,
    ) -> gan_core::Result<Batch> {
        let Source::Files(Files { pairs, train, .. }) = self else {
            return Batch::new(seed, [k, steps], n, side, device);
        };
        let first = k * n as u64;
        let numbers = first..first + n as u64;
        let of = |i| &pairs[train[pick(seed, i, train.len())]];
        let picked: Vec<&(Image, Vec<String>)> = numbers.clone().map(of).collect();
        let one = |(i, (_, captions)): (u64, &&(Image, Vec<String>))| {
            captions[pick(seed ^ CAPTIONS, i, captions.len())].clone()
        };
        let captions: Vec<String> = numbers.zip(&picked).map(one).collect();
        let is_own = |(_, own): &&(Image, Vec<String>)| {
            captions.iter().map(|said| f32::from(own.contains(said))).collect::<Vec<f32>>()
        };
        let truth = picked.iter().flat_map(is_own).collect();
        let planes = stacked(picked.iter().map(|(image, _)| image));
        let images = normalized(planes, n, side, device)?;
        Ok(Batch { images, captions, truth })
    }

    /// Scores on at most so many pairs that are not trained on: answers to questions about portraits, or how often an image of a
    /// folder finds a caption of its own among one of each.
    ///
    /// # Errors
    /// If the network does not take images or words.
    pub fn scores(
        &self,
        clip: &Clip,
        words: &Words,
        most: usize,
    ) -> gan_clip::Result<Vec<(&'static str, f64)>> {
        let Source::Files(Files { pairs, held_out, .. }) = self else {
            return zero_shot::accuracies(clip, &|prompts| words.encode(prompts), most);
        };
        let kept: Vec<_> = held_out.iter().take(most).map(|&i| &pairs[i]).collect();
        let mut vectors = Vec::new();
        for part in kept.chunks(zero_shot::BATCH) {
            let planes = stacked(part.iter().map(|(image, _)| image));
            let images = normalized(planes, part.len(), clip.resolution(), clip.device())?;
            vectors.push(clip.encode_image(&images)?);
        }
        let images = Tensor::concat(&vectors.iter().collect::<Vec<_>>(), 0)?;
        let captions: Vec<&String> = kept.iter().map(|(_, captions)| &captions[0]).collect();
        let near = cosine(&images, &clip.encode_text(&words.encode(&captions)?)?)?;
        let near: Vec<f32> = near.to_vec()?;
        let found = near
            .chunks(kept.len())
            .zip(&kept)
            .filter(|(near, (_, own))| own.contains(captions[best(near)]));
        Ok(vec![("own caption among all held out", found.count() as f64 / kept.len() as f64)])
    }

    /// What tells these pairs from others, for the state of a run.
    pub fn digest(&self, side: usize) -> String {
        match self {
            Source::Portraits => Pictures::Drawn(Domain::Portraits).digest(side),
            Source::Files(Files { pairs, .. }) => {
                let known: Vec<_> = pairs.iter().map(|(_, captions)| captions).collect();
                digest(pairs.iter().map(|(image, _)| image), format!("{known:?}").as_bytes())
            }
        }
    }
}
