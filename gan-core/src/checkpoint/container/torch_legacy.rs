//! Torch files from before version 1.6, which storages in NVIDIA's pickles still are: five pickles in a row (a magic
//! number, a version, the writing machine, the values, the keys of their storages), then for each key the number of
//! elements and the elements.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;

use super::pickled;
use crate::checkpoint::pickle::{self, Budget, Loaded, Value};
use crate::checkpoint::state_dict::StateDict;
use crate::error::{Error, Result};

pub(super) const NAME: &str = "torch (before 1.6)";
/// 0x1950a86a20f9469cfc6c, little-endian, with its opcode.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
const VERSION: i64 = 1001;

/// Whether the magic number follows the mark of a pickle.
pub(super) fn starts(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x80) && bytes.get(2..).is_some_and(|rest| rest.starts_with(MAGIC))
}

pub(super) fn read(bytes: &Bytes, path: &Path) -> Result<StateDict> {
    let loaded = load(bytes, &mut Budget::new(bytes.len()));
    let loaded = loaded.map_err(|reason| Error::format(path, NAME, reason))?;
    pickled(&loaded, bytes.len(), path, NAME)
}

/// The values with their storages.
///
/// # Errors
/// What is wrong.
pub(in crate::checkpoint) fn load(bytes: &Bytes, budget: &mut Budget) -> Result<Loaded, String> {
    if !starts(bytes) {
        return Err("it does not start with torch's magic number".into());
    }
    let magic = pickle::load(bytes, 0, budget)?;
    let version = pickle::load(bytes, magic.end, budget)?;
    if version.root != Value::Int(VERSION) {
        return Err(format!("version {:?}, where {VERSION} is known", version.root));
    }
    let machine = pickle::load(bytes, version.end, budget)?;
    if machine.heap.entry(machine.root, "little_endian") == Some(Value::Bool(false)) {
        return Err("it was written by a big-endian machine; save it again on another".into());
    }
    let mut values = pickle::load(bytes, machine.end, budget)?;
    let keys = pickle::load(bytes, values.end, budget)?;
    let list = keys.heap.sequence(keys.root).ok_or("keys that are no list")?;

    let storages = &mut values.heap.storages;
    let mut owners: HashMap<Bytes, Vec<usize>> = HashMap::new();
    for (place, storage) in storages.iter().enumerate() {
        owners.entry(storage.key.clone()).or_default().push(place);
    }
    let mut at = keys.end;
    for key in list {
        let key = keys.heap.name(*key).ok_or("a key that is no text")?;
        let places = owners.remove(key.as_bytes()).ok_or("a storage that no tensor refers to")?;
        let size = storages[places[0]].format.size();
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk());
        let elements = header.map(|b| u64::from_le_bytes(*b)).ok_or_else(cut)?;
        let start = at + 8;
        let end = usize::try_from(elements)
            .ok()
            .and_then(|n| n.checked_mul(size)?.checked_add(start))
            .filter(|end| *end <= bytes.len())
            .ok_or_else(cut)?;
        for place in places {
            storages[place].bytes = Some(bytes.slice(start..end));
        }
        at = end;
    }
    Ok(values)
}

fn cut() -> String {
    "a storage is longer than the rest of the file (an incomplete download?)".to_owned()
}
