//! Pictures whose every pixel is of a known class.

use std::ops::Range;
use std::path::Path;

use gan_core::{Device, Image, Result, Tensor};

use super::{HELD_OUT, grainy, is_broken, parted, stacked, tensor, unusable};
use crate::training::{Pictures, digest, pick, read_folder};
use crate::world::{Domain, Portrait, World, mask, nth, planes};

/// The most classes; a mask with more is a photograph.
const MOST_CLASSES: usize = 64;

/// Where pictures with masks come from. Batch `k` of a seed is always the same.
pub struct Masks {
    classes: Vec<String>,
    source: Source,
    size: usize,
}

enum Source {
    Portraits,
    Files { pictures: Vec<(Image, Vec<u8>)>, train: Vec<usize>, held_out: Vec<usize> },
}

impl Masks {
    /// Portraits, never one twice.
    pub fn portraits(size: usize) -> Self {
        let classes = Portrait::CLASSES.iter().map(|&name| name.to_owned()).collect();
        Masks { classes, source: Source::Portraits, size }
    }

    /// Images of a folder, and for each a mask of the same name in another: a picture without loss whose gray value is the class, from 0. Classes
    /// without a name get their number.
    ///
    /// # Errors
    /// [`gan_core::Error::Argument`] for folders without images or with one, masks that are missing or have too many classes, [`gan_core::Error::Shape`] for images of
    /// another size.
    pub fn open(folder: &Path, masks: &Path, names: &[String], size: usize) -> Result<Self> {
        if let Some(name) = names.iter().find(|name| is_broken(name)) {
            let expected = "names, without line breaks";
            return Err(unusable("--classes", expected, format!("{name:?}")));
        }
        let images = read_folder(folder, size)?;
        let stem = |name: &str| Path::new(name).with_extension("");
        let marks = read_folder(masks, size)?;
        let mut marks: std::collections::BTreeMap<_, _> =
            marks.into_iter().map(|(name, image)| (stem(&name), image)).collect();
        let mut pictures = Vec::new();
        for (name, image) in images {
            let Some(mask) = marks.remove(&stem(&name)) else {
                let found = format!("none in {}", masks.display());
                return Err(unusable("--masks", format!("a mask for {name}"), found));
            };
            let classes: Vec<u8> = mask.pixels().chunks(3).map(|pixel| pixel[0]).collect();
            pictures.push((image, classes));
        }
        let greatest = pictures.iter().flat_map(|(_, mask)| mask).copied().max().unwrap_or(0);
        let count = (usize::from(greatest) + 1).max(names.len());
        if !(2..=MOST_CLASSES).contains(&count) || pictures.len() < 2 {
            let expected = format!("at least 2 masks with 2 to {MOST_CLASSES} gray values from 0");
            let found = format!("{} with values up to {greatest}", pictures.len());
            return Err(unusable("--masks", expected, found));
        }
        let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| i.to_string());
        let (train, held_out) = parted(pictures.len());
        let source = Source::Files { pictures, train, held_out };
        Ok(Masks { classes: (0..count).map(name).collect(), source, size })
    }

    /// Names of the classes, from class 0.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Training pictures `first..first + n` of a seed, `[n, 3, size, size]`, with noise, and the class of each pixel.
    ///
    /// # Errors
    /// [`gan_core::Error::Argument`] for sizes that cannot be drawn.
    pub fn batch(
        &self,
        seed: u32,
        first: u64,
        n: usize,
        device: &Device,
    ) -> Result<(Tensor, Vec<u8>)> {
        let numbers = first..first + n as u64;
        let (mut planes, classes) = match &self.source {
            Source::Portraits => {
                self.portraits_of(&numbers.map(|k| nth(seed, k as u32)).collect::<Vec<_>>())?
            }
            Source::Files { pictures, train, .. } => {
                let of = |k| &pictures[train[pick(seed, k, train.len())]];
                together(&numbers.map(of).collect::<Vec<_>>())
            }
        };
        grainy(&mut planes, n, seed, first);
        Ok((tensor(planes, n, self.size, device)?, classes))
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
    /// As [`Masks::batch`], and for numbers beyond [`Masks::held_out_count`].
    pub fn held_out(&self, numbers: Range<usize>, device: &Device) -> Result<(Tensor, Vec<u8>)> {
        let (planes, classes) = match &self.source {
            Source::Portraits => {
                self.portraits_of(&numbers.map(|k| nth(HELD_OUT, k as u32)).collect::<Vec<_>>())?
            }
            Source::Files { pictures, held_out, .. } => {
                let kept = held_out.get(numbers).unwrap_or_default();
                together(&kept.iter().map(|&i| &pictures[i]).collect::<Vec<_>>())
            }
        };
        let n = classes.len() / (self.size * self.size);
        Ok((tensor(planes, n, self.size, device)?, classes))
    }

    /// What tells these pictures and masks from others, for the state of a run.
    pub fn digest(&self) -> String {
        match &self.source {
            Source::Portraits => Pictures::Drawn(Domain::Portraits).digest(self.size),
            Source::Files { pictures, .. } => {
                let masks = pictures.iter().flat_map(|(_, mask)| mask).copied();
                let known: Vec<u8> = masks.chain(self.classes.join("\n").into_bytes()).collect();
                digest(pictures.iter().map(|(image, _)| image), &known)
            }
        }
    }

    fn portraits_of(&self, people: &[Portrait]) -> Result<(Vec<f32>, Vec<u8>)> {
        let classes: Vec<Vec<u8>> =
            people.iter().map(|person| mask(person, self.size)).collect::<Result<_>>()?;
        Ok((planes(people, self.size)?, classes.concat()))
    }
}

fn together(pictures: &[&(Image, Vec<u8>)]) -> (Vec<f32>, Vec<u8>) {
    (
        stacked(pictures.iter().map(|(image, _)| image)),
        pictures.iter().flat_map(|(_, classes)| classes).copied().collect(),
    )
}

/// The class of each pixel as probabilities `[n, classes, size, size]`.
///
/// # Errors
/// [`gan_core::Error::Shape`] for a number of pixels that fills no images.
pub fn one_hot(classes: &[u8], count: usize, size: usize, device: &Device) -> Result<Tensor> {
    let pixels = size * size;
    let n = classes.len() / pixels.max(1);
    let mut wanted = vec![0.0f32; n * count * pixels];
    for (i, &class) in classes.iter().enumerate() {
        wanted[(i / pixels * count + usize::from(class)) * pixels + i % pixels] = 1.0;
    }
    Tensor::from_vec(wanted, &[n, count, size, size], device)
}

/// Colours of the classes of a sheet.
const COLOURS: [[u8; 3]; 8] = [
    [40, 44, 52],
    [146, 84, 42],
    [244, 206, 170],
    [60, 130, 220],
    [214, 48, 76],
    [20, 20, 20],
    [240, 190, 60],
    [70, 150, 100],
];

/// A mask as a picture, for people to see.
///
/// # Errors
/// [`gan_core::Error::Shape`] for a number of pixels that fills no square.
pub fn coloured(classes: &[u8], size: usize) -> Result<Image> {
    let pixels = classes.iter().flat_map(|&class| COLOURS[usize::from(class) % COLOURS.len()]);
    Image::new(size, size, pixels.collect())
}
