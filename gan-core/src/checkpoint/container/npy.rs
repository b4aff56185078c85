//! numpy's files: `.npy`, an array, and `.npz`, a zip of them. An array of Python objects is a pickle.

use std::path::Path;

use bytes::Bytes;

use super::pickled;
use super::zip::Archive;
use crate::checkpoint::pickle::{self, Budget, ElementType, SOLE};
use crate::checkpoint::shown;
use crate::checkpoint::state_dict::{StateDict, weights};
use crate::checkpoint::stored::StoredTensor;
use crate::error::{Error, Result};

pub(super) const NAME: &str = "npy";
pub(super) const ZIP: &str = "npz";
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The one array of a file.
pub(super) fn read(bytes: &Bytes, path: &Path) -> Result<StateDict> {
    let wrong = |reason| Error::format(path, NAME, reason);
    let (header, start) = header(bytes).map_err(wrong)?;
    if header.of.is_object() {
        let body = bytes.slice(start..);
        let loaded = pickle::load(&body, 0, &mut Budget::new(body.len())).map_err(wrong)?;
        return pickled(&loaded, bytes.len(), path, NAME);
    }
    let mut dict = StateDict::default();
    insert(&mut dict, SOLE.to_owned(), header, bytes.slice(start..))?;
    Ok(dict)
}

/// The arrays of an archive by their names.
pub(super) fn read_zip(mut archive: Archive, path: &Path) -> Result<StateDict> {
    let mut dict = StateDict::default();
    let names: Vec<_> = archive.names().map(str::to_owned).collect();
    for name in names {
        let wrong =
            |reason: String| Error::format(path, ZIP, format!("`{}`: {reason}", shown(&name)));
        let Some(key) = name.strip_suffix(".npy") else { continue };
        let bytes = archive.get(&name).map_err(|reason| Error::format(path, ZIP, reason))?;
        let (header, start) = header(&bytes).map_err(wrong)?;
        if header.of.is_object() {
            return Err(wrong("an array of Python objects in an archive".into()));
        }
        if header.of.is_text() {
            dict.set_metadata(key, "an array of texts, which are not read");
            continue;
        }
        insert(&mut dict, key.to_owned(), header, bytes.slice(start..))?;
    }
    Ok(dict)
}

fn insert(dict: &mut StateDict, name: String, header: Header, data: Bytes) -> Result<()> {
    let tensor = header.of.number_format().and_then(|format| match header.fortran {
        false => StoredTensor::new(format, header.shape, data),
        true => StoredTensor::fortran(format, header.shape, data),
    });
    let tensor = tensor.map_err(|found| weights(&name, "an array that fills its bytes", found))?;
    dict.insert_stored(name, tensor)
}

struct Header {
    of: ElementType,
    fortran: bool,
    shape: Vec<usize>,
}

/// The header, and where the data starts.
fn header(bytes: &Bytes) -> Result<(Header, usize), String> {
    let cut = || "its header is not complete (an incomplete download?)".to_owned();
    if !bytes.starts_with(MAGIC) {
        return Err("it does not start with numpy's magic bytes".into());
    }
    let rest = bytes.get(8..).ok_or_else(cut)?;
    let (length, start) = match bytes.get(6).ok_or_else(cut)? {
        1 => (rest.first_chunk().map(|b| u16::from_le_bytes(*b).into()), 10),
        2 | 3 => (rest.first_chunk().map(|b| u32::from_le_bytes(*b)), 12),
        other => return Err(format!("version {other} of the format, where 1 to 3 are known")),
    };
    let end = length.and_then(|n| usize::try_from(n).ok()?.checked_add(start)).ok_or_else(cut)?;
    let text = bytes.get(start..end).ok_or_else(cut)?;
    let text = std::str::from_utf8(text).map_err(|_| "a header that is not UTF-8")?;
    let header = parse(text).ok_or_else(|| format!("the header `{}`", shown(text)))?;
    Ok((header, end))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, in any order.
fn parse(text: &str) -> Option<Header> {
    let value = |key: &str| {
        let mut parts = text.splitn(2, key);
        let rest = parts.nth(1)?.trim_start_matches(['\'', '"']).trim_start();
        Some(rest.strip_prefix(':')?.trim_start())
    };
    let descr = value("descr")?.strip_prefix(['\'', '"'])?;
    let code = descr.split(['\'', '"']).next()?;
    let fortran = value("fortran_order")?;
    let fortran = match (fortran.starts_with("True"), fortran.starts_with("False")) {
        (true, false) => true,
        (false, true) => false,
        _ => return None,
    };
    let shape = value("shape")?.strip_prefix('(')?.split(')').next()?;
    let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape = sizes.map(|s| s.trim_end_matches('L').parse().ok()).collect::<Option<_>>()?;
    let of = ElementType { code: Bytes::copy_from_slice(code.as_bytes()), big_endian: false };
    Some(Header { of, fortran, shape })
}
