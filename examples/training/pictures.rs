//! Real images for training: drawn, or read from a folder.

use std::fs;
use std::path::{Path, PathBuf};

use gan_core::{Device, Error, Image, Philox, Result, Tensor};
use rayon::prelude::*;

use crate::world::{Domain, House, Portrait, World, nth, planes};

/// Sets the stream that picks files apart from that of a training run of the same seed.
const PICKS: u64 = 0x7069_636b_0000_0000;

/// Where real images come from. Image `k` of a seed is always the same, so that training can go on where it stopped.
pub enum Pictures {
    /// Of a world, never one twice.
    Drawn(Domain),
    /// Images of a folder, each picked at random.
    Files(Vec<Image>),
}

impl Pictures {
    /// Reads all .png, .jpg and .jpeg files of a folder, `size` x `size` pixels each.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are none, [`Error::Shape`] for one of another size, and as [`Image::open`].
    pub fn open(folder: &Path, size: usize) -> Result<Self> {
        let images = read_folder(folder, size)?;
        Ok(Pictures::Files(images.into_iter().map(|(_, image)| image).collect()))
    }

    /// Images `first..first + n` of a seed, `[n, 3, size, size]` in -1 to 1.
    ///
    /// # Errors
    /// [`Error::Argument`] for sizes that cannot be drawn.
    pub fn batch(
        &self,
        seed: u32,
        first: u64,
        n: usize,
        size: usize,
        device: &Device,
    ) -> Result<Tensor> {
        let planes = match self {
            Pictures::Drawn(Domain::Portraits) => drawn::<Portrait>(seed, first, n, size)?,
            Pictures::Drawn(Domain::Houses) => drawn::<House>(seed, first, n, size)?,
            Pictures::Files(files) => {
                let of = |k| files[pick(seed, k, files.len())].to_planar();
                (first..first + n as u64).flat_map(of).collect()
            }
        };
        Tensor::from_vec(planes, &[n, 3, size, size], device)
    }

    /// What tells these pictures from others, for the state of a run.
    pub fn digest(&self, size: usize) -> String {
        match self {
            Pictures::Drawn(Domain::Portraits) => format!("portraits of {size} x {size}"),
            Pictures::Drawn(Domain::Houses) => format!("houses of {size} x {size}"),
            Pictures::Files(files) => digest(files, &[]),
        }
    }
}

fn drawn<W: World>(seed: u32, first: u64, n: usize, size: usize) -> Result<Vec<f32>> {
    // Beyond 2^32 pictures it starts again.
    let pictures = (first..first + n as u64).map(|k| nth(seed, k as u32));
    planes(&pictures.collect::<Vec<W>>(), size)
}

/// Which of `count` things is number `k` of a run.
pub(crate) fn pick(seed: u32, k: u64, count: usize) -> usize {
    let word = Philox::at(PICKS | u64::from(seed), k.into()).next_u32();
    ((u64::from(word) * count as u64) >> 32) as usize
}

/// What tells images, and what is known of them, from others: a checksum, since that a folder changed must be seen and nobody lies.
pub(crate) fn digest<'a>(images: impl IntoIterator<Item = &'a Image>, known: &[u8]) -> String {
    let (mut count, mut sum) = (0, crc32fast::Hasher::new());
    for image in images {
        count += 1;
        sum.update(image.pixels());
    }
    sum.update(known);
    format!("{count} images with checksum {:08x}", sum.finalize())
}

/// All .png, .jpg and .jpeg files of a folder, `size` x `size` pixels each, and their names, which they are sorted by.
pub(crate) fn read_folder(folder: &Path, size: usize) -> Result<Vec<(String, Image)>> {
    let io = |source| Error::Io { action: "read", path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(io)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        if Image::check_name(&path).is_ok() {
            files.push(path);
        }
    }
    if files.is_empty() {
        let expected = "a folder of .png, .jpg or .jpeg files".into();
        let found = format!("none in {}", folder.display());
        return Err(Error::Argument { what: "--images", expected, found });
    }
    // The order of a folder's entries is not defined.
    files.sort_unstable();
    let name = |path: &Path| {
        path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
    };
    let read = |path: &PathBuf| {
        let image = Image::open(path)?;
        let found = [image.width(), image.height()];
        match found == [size, size] {
            true => Ok((name(path), image)),
            false => Err(Error::Shape {
                op: "--images",
                expected: format!("{size} x {size} pixels, as --size asks for"),
                found: format!("{} x {} in {}", found[0], found[1], path.display()),
            }),
        }
    };
    files.par_iter().map(read).collect()
}
