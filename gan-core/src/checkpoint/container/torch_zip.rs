//! Torch's zip files, from version 1.6 on, and TorchScript's: a pickle of values and an entry for each storage.
//! Of a TorchScript file, the tensors are read; its code is not looked at.

use std::path::Path;

use bytes::Bytes;

use super::pickled;
use super::zip::Archive;
use crate::checkpoint::pickle::{self, Budget};
use crate::checkpoint::state_dict::StateDict;
use crate::error::{Error, Result};

pub(super) const NAME: &str = "torch zip";
pub(super) const SCRIPT: &str = "TorchScript";

/// The folder of the values in the archive, with its slash, if it is such a file.
pub(super) fn folder(archive: &Archive) -> Option<String> {
    let found = archive.names().find_map(|name| name.strip_suffix("data.pkl"));
    found.filter(|folder| folder.is_empty() || folder.ends_with('/')).map(str::to_owned)
}

/// Whether it has code beside the values.
pub(super) fn is_script(archive: &Archive, folder: &str) -> bool {
    let inner = |name: &str| {
        let name = name.strip_prefix(folder)?;
        Some(name == "constants.pkl" || name.starts_with("code/"))
    };
    archive.names().any(|name| inner(name) == Some(true))
}

pub(super) fn read(
    mut archive: Archive,
    folder: &str,
    file: &Bytes,
    path: &Path,
    format: &'static str,
) -> Result<StateDict> {
    let loaded = load(&mut archive, folder, file.len());
    let loaded = loaded.map_err(|reason| Error::format(path, format, reason))?;
    pickled(&loaded, file.len(), path, format)
}

fn load(archive: &mut Archive, folder: &str, file: usize) -> Result<pickle::Loaded, String> {
    let order = format!("{folder}byteorder");
    let is_there = archive.names().any(|name| name == order);
    if is_there && &archive.get(&order)?[..] != b"little" {
        return Err("it was written by a big-endian machine; save it again on another".into());
    }
    let values = archive.get(&format!("{folder}data.pkl"))?;
    let mut loaded = pickle::load(&values, 0, &mut Budget::new(file))?;
    for storage in &mut loaded.heap.storages {
        let key = std::str::from_utf8(&storage.key).map_err(|_| "a key that is not UTF-8")?;
        let bytes = archive.get(&format!("{folder}data/{key}"))?;
        storage.bytes = Some(bytes);
    }
    Ok(loaded)
}
