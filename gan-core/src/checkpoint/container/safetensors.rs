//! safetensors: a JSON header of names, shapes and offsets, then the numbers.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use safetensors::tensor::{Dtype, Metadata};

use crate::checkpoint::number::NumberFormat;
use crate::checkpoint::state_dict::{METADATA, StateDict, weights};
use crate::checkpoint::stored::StoredTensor;
use crate::error::{Error, Result};
use crate::progress::{Progress, report};

pub(super) const NAME: &str = "safetensors";
/// Of the specification.
const MAX_HEADER: u64 = 100_000_000;

/// Whether the header's length, the first 8 bytes, fits the file.
pub(super) fn starts(bytes: &[u8]) -> bool {
    header_of(bytes).is_some()
}

/// The header, if its length fits the file.
fn header_of(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = u64::from_le_bytes(*length);
    (length <= MAX_HEADER).then(|| rest.get(..length as usize)).flatten()
}

/// The tensors as views of the bytes.
pub(super) fn read(bytes: &Bytes, path: &Path) -> Result<StateDict> {
    let wrong = |reason: String| Error::format(path, NAME, reason);
    let text = header_of(bytes).ok_or_else(|| wrong("its header is longer than it".into()))?;
    let body = bytes.slice(8 + text.len()..);
    // Not `SafeTensors::read_metadata`, whose sum of lengths overflows where a header claims nearly 2^64 bytes.
    let header: Metadata = serde_json::from_slice(text)
        .map_err(|e| wrong(format!("its header is no JSON of one: {e}")))?;
    if header.data_len() != body.len() {
        let reason =
            "its header describes another number of bytes than it has (an incomplete download?)";
        return Err(wrong(reason.into()));
    }
    let mut infos: Vec<_> = header.tensors().into_iter().collect();
    let keys = infos.len() + usize::from(header.metadata().is_some());
    if top_level_keys(text) != keys {
        return Err(wrong("two tensors have the same name".into()));
    }
    infos.sort_unstable_by(|a, b| a.0.cmp(&b.0));

    let mut dict = StateDict::default();
    for (key, value) in header.metadata().iter().flatten() {
        dict.set_metadata(key, value);
    }
    for (name, info) in infos {
        let Some(format) = number_format(info.dtype) else {
            let expected = "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL";
            return Err(weights(&name, expected, info.dtype.to_string()));
        };
        // The header is valid, so its offsets tile the body.
        let data = body.slice(info.data_offsets.0..info.data_offsets.1);
        let tensor = StoredTensor::new(format, info.shape.clone(), data)
            .map_err(|found| weights(&name, "as many bytes as the shape has", found))?;
        dict.insert_stored(name, tensor)?;
    }
    Ok(dict)
}

/// Writes a file, complete or not at all.
pub(in crate::checkpoint) fn save(
    dict: &StateDict,
    path: &Path,
    format: Option<NumberFormat>,
    progress: &mut dyn Progress,
) -> Result<()> {
    if let Some(format) = format.filter(|f| !f.is_float()) {
        return Err(Error::argument("format", "F64, F32, F16 or BF16", format));
    }
    let io = |action| move |source| Error::io(action, path, source);
    let header = header(dict, format);
    if header.len() as u64 > MAX_HEADER {
        return Err(Error::format(path, NAME, "names and metadata of more than 100 MB"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // The default, 0600, is for secrets; the process's umask still applies.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(io("write"))?;
    let start = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    write(file.as_file_mut(), &start, dict, format, path, progress)?;
    file.persist(path).map_err(|e| io("rename")(e.error))?;
    Ok(())
}

fn write(
    file: &mut File,
    start: &[u8],
    dict: &StateDict,
    format: Option<NumberFormat>,
    path: &Path,
    progress: &mut dyn Progress,
) -> Result<()> {
    let io = |source| Error::io("write", path, source);
    let mut out = BufWriter::new(&mut *file);
    out.write_all(start).map_err(io)?;
    for (i, name) in dict.names().enumerate() {
        if let Some(bytes) = dict.encoded(name, format)? {
            out.write_all(&bytes).map_err(io)?;
        }
        report(progress, i + 1, dict.len())?;
    }
    out.flush().map_err(io)?;
    drop(out);
    file.sync_all().map_err(io)
}

/// The JSON header, padded to 8 bytes. Written here since the safetensors crate takes the metadata
/// in a `HashMap`, whose order would change the bytes from run to run.
fn header(dict: &StateDict, format: Option<NumberFormat>) -> String {
    let mut entries = Vec::with_capacity(dict.len() + 1);
    if !dict.metadata().is_empty() {
        let pair = |(k, v): (&String, &String)| format!("{}:{}", json(k), json(v));
        let pairs: Vec<_> = dict.metadata().iter().map(pair).collect();
        entries.push(format!("\"{METADATA}\":{{{}}}", pairs.join(",")));
    }
    let mut start = 0;
    for name in dict.names() {
        let shape = dict.shape(name).unwrap_or_default();
        let own = dict.number_format(name).unwrap_or(NumberFormat::F32);
        let format = format.filter(|_| own.is_float()).unwrap_or(own);
        let end = start + format.size() * shape.iter().product::<usize>();
        entries.push(format!(
            "{}:{{\"dtype\":\"{format}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}",
            json(name)
        ));
        start = end;
    }
    let mut header = format!("{{{}}}", entries.join(","));
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    header
}

fn number_format(dtype: Dtype) -> Option<NumberFormat> {
    Some(match dtype {
        Dtype::F64 => NumberFormat::F64,
        Dtype::F32 => NumberFormat::F32,
        Dtype::F16 => NumberFormat::F16,
        Dtype::BF16 => NumberFormat::Bf16,
        Dtype::I64 => NumberFormat::I64,
        Dtype::I32 => NumberFormat::I32,
        Dtype::I16 => NumberFormat::I16,
        Dtype::I8 => NumberFormat::I8,
        Dtype::U8 => NumberFormat::U8,
        Dtype::BOOL => NumberFormat::Bool,
        _ => return None,
    })
}

/// Number of keys of a JSON object that is known to be well formed.
///
/// The safetensors crate keeps the last of two equal keys, which lets a file hide a tensor.
fn top_level_keys(json: &[u8]) -> usize {
    let (mut keys, mut depth, mut in_string, mut escaped) = (0, 0, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => keys += 1,
            _ => {}
        }
    }
    keys
}

fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
