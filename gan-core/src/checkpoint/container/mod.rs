//! The kinds of file that tensors come in, told by their first bytes, a file each here.

pub(super) mod map;
mod npy;
mod safetensors;
pub(super) mod torch_legacy;
mod torch_zip;
mod zip;

use std::fmt;
use std::path::Path;

use bytes::Bytes;

pub(super) use self::safetensors::save;
use super::pickle::{self, Budget, Loaded};
use super::state_dict::StateDict;
use super::summary::Checkpoint;
use crate::error::{Error, Result};
use map::Pages;
use zip::Archive;

const PICKLE: &str = "pickle";

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Container {
    /// `.safetensors`
    Safetensors,
    /// `torch.save` from version 1.6 on: a zip of a pickle and storages.
    TorchZip,
    /// `torch.save` before version 1.6: pickles, then storages.
    TorchLegacy,
    /// `torch.jit.save`, of which the tensors are read and the code is not.
    TorchScript,
    /// A pickle by itself: NVIDIA's `.pkl` of PyTorch and TensorFlow networks, and dicts or lists of numpy arrays.
    Pickle,
    /// `numpy.save`: one array, or a dict of them as an array of one object.
    Npy,
    /// `numpy.savez` with and without compression.
    Npz,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Safetensors => safetensors::NAME,
            Container::TorchZip => torch_zip::NAME,
            Container::TorchLegacy => torch_legacy::NAME,
            Container::TorchScript => torch_zip::SCRIPT,
            Container::Pickle => PICKLE,
            Container::Npy => npy::NAME,
            Container::Npz => npy::ZIP,
        })
    }
}

/// Opens a checkpoint, whatever container, family and layout it is of, and says what it found.
///
/// The file is mapped into memory: tensors are views of it until their numbers are asked for. It must not be truncated
/// meanwhile, or the process ends with a bus error; [`read`] takes a copy instead. Pickles are read as data: no code
/// in them or named by them is run, and a pickle that asks for a function which checkpoints do not need is refused.
///
/// | file | names of its tensors |
/// | --- | --- |
/// | safetensors, `.npz` | their own |
/// | a dict, namespace or module, of torch or numpy | keys and attributes, joined by dots: `g_ema.conv1.conv.weight` |
/// | NVIDIA's PyTorch snapshots | `G.`, `D.`, `G_ema.`, then the module's own |
/// | NVIDIA's TensorFlow networks | `G.`, `D.`, `Gs.`, then TensorFlow's own, with slashes |
/// | a list | places: `0`, `1` |
/// | one tensor or array | `tensor` |
///
/// Numbers, flags and short texts of pickles become metadata under such names.
///
/// ```no_run
/// let found = gan_core::checkpoint::open("ffhq.pkl")?;
/// println!("{found}"); // pickle: StyleGAN2 generator of NVIDIA, 1024 pixels, ...
/// let average = found.tensors.get("G_ema.mapping.w_avg");
/// # Ok::<(), gan_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] for bytes that are of no container or damaged, and pickles that ask for more than
/// data; [`Error::Weights`] for a tensor that does not fit its storage or has a name twice.
pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    let (bytes, pages) = map::map(path)?;
    checkpoint(&bytes, &pages, path)
}

/// As [`open`], from a copy of the file in memory, for files that others may change meanwhile.
///
/// # Errors
/// As [`open`]; [`Error::TooLarge`] without the memory.
pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    checkpoint(&map::read(path)?, &Pages::default(), path)
}

/// As [`open`], from the bytes of a file; `path` is for error messages only.
///
/// # Errors
/// As [`open`], without [`Error::Io`].
pub fn from_bytes(bytes: Vec<u8>, path: impl AsRef<Path>) -> Result<Checkpoint> {
    checkpoint(&bytes.into(), &Pages::default(), path.as_ref())
}

fn checkpoint(bytes: &Bytes, pages: &Pages, path: &Path) -> Result<Checkpoint> {
    let (container, tensors) = tensors(bytes, pages, path)?;
    Ok(Checkpoint { container, tensors })
}

fn tensors(bytes: &Bytes, pages: &Pages, path: &Path) -> Result<(Container, StateDict)> {
    if bytes.starts_with(npy::MAGIC) {
        return Ok((Container::Npy, npy::read(bytes, path)?));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return zipped(bytes, path);
    }
    if torch_legacy::starts(bytes) {
        return Ok((Container::TorchLegacy, torch_legacy::read(bytes, path)?));
    }
    // A safetensors file is the only one whose ninth byte has to be this.
    if bytes.get(8) == Some(&b'{') && safetensors::starts(bytes) {
        return Ok((Container::Safetensors, safetensors::read(bytes, path)?));
    }
    if looks_pickled(bytes) {
        let mut budget = Budget::new(bytes.len()).with_pages(pages.clone());
        let loaded = pickle::load(bytes, 0, &mut budget)
            .map_err(|reason| Error::format(path, PICKLE, reason))?;
        return Ok((Container::Pickle, pickled(&loaded, bytes.len(), path, PICKLE)?));
    }
    if safetensors::starts(bytes) {
        return Ok((Container::Safetensors, safetensors::read(bytes, path)?));
    }
    let size = bytes.len();
    Err(match (kind_of(bytes), bytes.get(..8)) {
        (Some(kind), _) => Error::format(path, "checkpoint", format!("this looks like {kind}")),
        (None, None) => Error::format(path, "checkpoint", format!("it has only {size} bytes")),
        (None, Some(start)) => {
            let header = start.iter().rev().fold(0, |n: u64, b| n << 8 | u64::from(*b));
            let reason = format!("a header of {header} bytes does not fit a file of {size} bytes");
            Error::format(path, safetensors::NAME, reason)
        }
    })
}

fn zipped(bytes: &Bytes, path: &Path) -> Result<(Container, StateDict)> {
    let archive = Archive::open(bytes).map_err(|reason| Error::format(path, "zip", reason))?;
    if let Some(folder) = torch_zip::folder(&archive) {
        let (container, format) = match torch_zip::is_script(&archive, &folder) {
            true => (Container::TorchScript, torch_zip::SCRIPT),
            false => (Container::TorchZip, torch_zip::NAME),
        };
        return Ok((container, torch_zip::read(archive, &folder, bytes, path, format)?));
    }
    if archive.names().any(|name| name.ends_with(".npy")) {
        return Ok((Container::Npz, npy::read_zip(archive, path)?));
    }
    let first = archive.names().next().map_or("nothing".to_owned(), crate::checkpoint::shown);
    let reason =
        format!("no entry is `data.pkl` (torch) or ends in `.npy` (numpy); it has {first}");
    Err(Error::format(path, "zip", reason))
}

/// The tensors of values whose storages have been found.
fn pickled(loaded: &Loaded, file: usize, path: &Path, format: &'static str) -> Result<StateDict> {
    pickle::flatten(&loaded.heap, loaded.root, file, path, format)
}

/// Protocols from 2 on say so; older ones start with what they make: a mark, a name, a list or a dict.
fn looks_pickled(bytes: &[u8]) -> bool {
    match bytes {
        [0x80, ..] => true,
        [b'(', second, ..] => b"dlt(ic".contains(second),
        [b'c', rest @ ..] => {
            let name = rest.split(|b| *b == b'\n').next().unwrap_or_default();
            !name.is_empty() && name.len() < 64 && name.iter().all(|b| b.is_ascii_graphic())
        }
        [b']' | b'}', b'q' | b'r' | b'.' | b'(' | b'p', ..] => true,
        _ => false,
    }
}

/// What other kind of file starts like this.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 5] = [
        (b"\x89HDF", "an HDF5 file"),
        (b"version", "a Git LFS pointer and not the file itself (fetch it with `git lfs pull`)"),
        (b"<", "a web page, as saved by a download that failed"),
        (b"\x1f\x8b", "a gzip file (unpack it first)"),
        (b"\x89PNG", "a PNG image"),
    ];
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(
            "a tar file, as torch wrote before version 0.2 (save it again with a newer one)",
        );
    }
    KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}
