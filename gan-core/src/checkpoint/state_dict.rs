//! Named tensors of a file, in plain host memory.
//!
//! A file is hostile until shown otherwise: nothing here panics on its bytes, and nothing is allocated
//! that the file itself does not back with bytes (times two where f16 becomes f32).

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::ops::Range;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors};

use crate::error::{Error, Result};

const FORMAT: &str = "safetensors";
/// Of the safetensors specification.
const MAX_HEADER: u64 = 100_000_000;
/// Far above any generator; keeps a sparse file from filling the memory.
const MAX_FILE: u64 = 8 << 30;
const MAX_NAME: usize = 512;
const MAX_RANK: usize = 8;
const METADATA: &str = "__metadata__";

/// A tensor in host memory, row-major.
#[derive(Clone, PartialEq)]
pub struct HostTensor {
    /// Size of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, last dimension fastest.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// Drops all dimensions outside `keep`, which must be ones, from a tensor of `rank` dimensions.
    pub(crate) fn keep_dims(
        mut self,
        name: &str,
        rank: usize,
        keep: Range<usize>,
    ) -> Result<HostTensor> {
        let ones = |(i, &d): (usize, &usize)| keep.contains(&i) || d == 1;
        if self.shape.len() != rank || !self.shape.iter().enumerate().all(ones) {
            let pattern = (0..rank).map(|i| if keep.contains(&i) { "_" } else { "1" });
            let pattern = pattern.collect::<Vec<_>>().join(", ");
            return Err(weights(name, format!("shape [{pattern}]"), self.shape_text()));
        }
        self.shape = self.shape.drain(keep).collect();
        Ok(self)
    }

    /// Multiplies a convolution's weight `[o, i, kh, kw]` by `1 / sqrt(i kh kw)`.
    pub(crate) fn scale_by_fan_in(self, name: &str) -> Result<HostTensor> {
        let &[_, i, kh, kw] = self.shape.as_slice() else {
            return Err(weights(name, "shape [o, i, kh, kw]", self.shape_text()));
        };
        let fan_in = i as f64 * kh as f64 * kw as f64;
        Ok(self.scale((1.0 / fan_in.sqrt()) as f32))
    }

    pub(crate) fn scale(mut self, factor: f32) -> HostTensor {
        self.data.iter_mut().for_each(|x| *x *= factor);
        self
    }

    /// Turns the last two dimensions by 180 degrees.
    pub(crate) fn rotate_180(mut self) -> HostTensor {
        let plane: usize = self.shape.iter().rev().take(2).product();
        self.data.chunks_mut(plane.max(1)).for_each(<[f32]>::reverse);
        self
    }

    /// A tensor of four dimensions with them in another order: axis `k` of the result is axis `axes[k]`.
    pub(crate) fn permute(&self, name: &str, axes: [usize; 4]) -> Result<HostTensor> {
        let &[_, b, c, d] = self.shape.as_slice() else {
            return Err(weights(name, "four dimensions", self.shape_text()));
        };
        if self.data.is_empty() {
            return Err(weights(name, "at least one value", self.shape_text()));
        }
        let strides = [b * c * d, c * d, d, 1];
        let shape = axes.map(|a| self.shape[a]);
        let [s0, s1, s2, s3] = axes.map(|a| strides[a]);
        let mut data = Vec::with_capacity(self.data.len());
        for i in 0..shape[0] {
            for j in 0..shape[1] {
                for k in 0..shape[2] {
                    let start = i * s0 + j * s1 + k * s2;
                    data.extend((0..shape[3]).map(|l| self.data[start + l * s3]));
                }
            }
        }
        Ok(HostTensor { shape: shape.to_vec(), data })
    }

    pub(crate) fn shape_text(&self) -> String {
        format!("shape {:?}", self.shape)
    }
}

impl fmt::Debug for HostTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostTensor{:?}", self.shape)
    }
}

/// Tensors by name, sorted, and the file's string metadata.
///
/// All tensors are f32; f16, bf16 and f64 are converted when a file is read. Values that are not finite
/// are kept (see [`check_finite`](StateDict::check_finite)).
///
/// ```
/// # use gan_core::checkpoint::{HostTensor, StateDict};
/// let mut dict = StateDict::default();
/// dict.insert("mapping.w_avg", HostTensor { shape: vec![2], data: vec![0.5, -1.0] })?;
/// assert_eq!(dict.subset("mapping.").names().collect::<Vec<_>>(), ["w_avg"]);
/// assert!(dict.take("mapping.fc0.weight").is_err());
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    tensors: BTreeMap<String, HostTensor>,
    metadata: BTreeMap<String, String>,
}

impl StateDict {
    /// Reads a safetensors file of floating-point tensors.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`] for bytes that are no safetensors file, [`Error::Weights`] for a
    /// tensor that is not of floats, [`Error::TooLarge`] without the memory.
    pub fn open(path: impl AsRef<Path>) -> Result<StateDict> {
        let path = path.as_ref();
        StateDict::from_bytes(&read_file(path)?, path)
    }

    /// Reads the bytes of a safetensors file; `path` is for error messages only.
    pub fn from_bytes(bytes: &[u8], path: impl AsRef<Path>) -> Result<StateDict> {
        let path = path.as_ref();
        check_start(bytes, bytes.len() as u64, path)?;
        let (header_len, header) = SafeTensors::read_metadata(bytes)
            .map_err(|e| Error::format(path, FORMAT, reason(e)))?;
        let (header_bytes, body) = bytes[8..].split_at(header_len);

        let mut infos: Vec<_> = header.tensors().into_iter().collect();
        let keys = infos.len() + usize::from(header.metadata().is_some());
        if top_level_keys(header_bytes) != keys {
            return Err(Error::format(path, FORMAT, "two tensors have the same name"));
        }
        infos.sort_unstable_by(|a, b| a.0.cmp(&b.0));

        let mut dict = StateDict::default();
        dict.metadata.extend(header.metadata().clone().unwrap_or_default());
        for (name, info) in infos {
            // `read_metadata` has checked that the offsets tile the body.
            let data = body.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default();
            let Some(data) = to_f32(info.dtype, data) else {
                return Err(weights(&name, "F32, F16, BF16 or F64", info.dtype.to_string()));
            };
            dict.insert(name, HostTensor { shape: info.shape.clone(), data })?;
        }
        Ok(dict)
    }

    /// Writes a safetensors file of f32 tensors. The same tensors and metadata give the same bytes.
    ///
    /// The file appears complete or not at all: it is written beside `path` under another name first.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Format`] for names and metadata beyond the format's 100 MB.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let io = |action| move |source| Error::io(action, path, source);
        let header = self.header();
        if header.len() as u64 > MAX_HEADER {
            return Err(Error::format(path, FORMAT, "names and metadata of more than 100 MB"));
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
        let write = |file: &mut File| {
            let mut out = BufWriter::new(&mut *file);
            out.write_all(&(header.len() as u64).to_le_bytes())?;
            out.write_all(header.as_bytes())?;
            for x in self.tensors.values().flat_map(|t| &t.data) {
                out.write_all(&x.to_le_bytes())?;
            }
            out.flush()?;
            drop(out);
            file.sync_all()
        };
        write(file.as_file_mut()).map_err(io("write"))?;
        file.persist(path).map_err(|e| io("rename")(e.error))?;
        Ok(())
    }

    /// Adds a tensor. To replace one, [`take`](StateDict::take) the old one first.
    ///
    /// # Errors
    /// [`Error::Weights`] for a name that is taken or unusable, or a shape that does not fit the data.
    pub fn insert(&mut self, name: impl Into<String>, tensor: HostTensor) -> Result<()> {
        let name = name.into();
        let clean = !name.chars().any(char::is_control);
        if name.is_empty() || name.len() > MAX_NAME || name == METADATA || !clean {
            let start: String = name.chars().take(40).flat_map(char::escape_default).collect();
            let expected = format!("a name of 1 to {MAX_NAME} bytes without control characters");
            return Err(weights(&start, expected, format!("{} bytes", name.len())));
        }
        if tensor.shape.len() > MAX_RANK {
            let found = format!("{} dimensions", tensor.shape.len());
            return Err(weights(&name, format!("at most {MAX_RANK} dimensions"), found));
        }
        // Strides are computed from the other sizes even where one is 0.
        let bound = tensor.shape.iter().try_fold(1, |n: usize, &d| n.checked_mul(d.max(1)));
        let fits = bound.is_some_and(|n| n.checked_mul(4).is_some());
        if !fits || tensor.shape.iter().product::<usize>() != tensor.data.len() {
            let found = format!("{} elements of {}", tensor.data.len(), tensor.shape_text());
            return Err(weights(&name, "as many elements as the shape has", found));
        }
        match self.tensors.entry(name) {
            btree_map::Entry::Occupied(old) => {
                let found = format!("a second one of {}", tensor.shape_text());
                Err(weights(old.key(), "one tensor of this name", found))
            }
            btree_map::Entry::Vacant(place) => {
                place.insert(tensor);
                Ok(())
            }
        }
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.tensors.get(name)
    }

    /// Removes a tensor that has to be there.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is not.
    pub fn take(&mut self, name: &str) -> Result<HostTensor> {
        self.tensors.remove(name).ok_or_else(|| weights(name, "a tensor", "nothing"))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The first few names, for messages.
    pub(crate) fn first_names(&self) -> String {
        let mut found: Vec<_> = self.names().take(5).collect();
        if self.len() > found.len() {
            found.push("...");
        }
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HostTensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// A copy of the tensors whose names start with `prefix`, without the prefix; metadata is kept.
    pub fn subset(&self, prefix: &str) -> StateDict {
        let strip = |(name, tensor): (&str, &HostTensor)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), tensor.clone()))
        };
        let tensors = self.iter().filter_map(strip).collect();
        StateDict { tensors, metadata: self.metadata.clone() }
    }

    /// The same as [`subset`](StateDict::subset) without the copy.
    pub(crate) fn into_subset(self, prefix: &str) -> StateDict {
        let strip = |(name, tensor): (String, HostTensor)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), tensor))
        };
        let tensors = self.tensors.into_iter().filter_map(strip).collect();
        StateDict { tensors, metadata: self.metadata }
    }

    /// The tensors, and a dict that has only the metadata left.
    pub(crate) fn into_parts(self) -> (BTreeMap<String, HostTensor>, StateDict) {
        (self.tensors, StateDict { tensors: BTreeMap::new(), metadata: self.metadata })
    }

    /// The file's strings, sorted by key.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Sets one string of the metadata.
    pub fn set_metadata(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.metadata.insert(key.into(), value.into());
    }

    /// Names of the tensors that hold infinities or NaN, with the number of such elements.
    pub fn non_finite(&self) -> Vec<(String, usize)> {
        let count = |t: &HostTensor| t.data.iter().filter(|x| !x.is_finite()).count();
        let counts = self.tensors.iter().map(|(name, t)| (name.clone(), count(t)));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// Refuses infinities and NaN.
    ///
    /// # Errors
    /// [`Error::Weights`] with the first such tensor and its count.
    pub fn check_finite(&self) -> Result<()> {
        let bad = self.non_finite();
        let Some((name, count)) = bad.first() else { return Ok(()) };
        let len = self.tensors.get(name).map_or(0, |t| t.data.len());
        let mut found = format!("{count} of {len} are not");
        if bad.len() > 1 {
            found += &format!(" (and some in {} more tensors)", bad.len() - 1);
        }
        Err(weights(name, "finite values", found))
    }

    /// The JSON header, padded to 8 bytes. Written here since the safetensors crate takes the metadata
    /// in a `HashMap`, whose order would change the bytes from run to run.
    fn header(&self) -> String {
        let mut entries = Vec::with_capacity(self.tensors.len() + 1);
        if !self.metadata.is_empty() {
            let pair = |(k, v): (&String, &String)| format!("{}:{}", json(k), json(v));
            let pairs: Vec<_> = self.metadata.iter().map(pair).collect();
            entries.push(format!("\"{METADATA}\":{{{}}}", pairs.join(",")));
        }
        let mut start = 0;
        for (name, tensor) in &self.tensors {
            let (shape, end) = (&tensor.shape, start + 4 * tensor.data.len());
            entries.push(format!(
                "{}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}",
                json(name)
            ));
            start = end;
        }
        let mut header = format!("{{{}}}", entries.join(","));
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        header
    }
}

/// An [`Error::Weights`].
pub(crate) fn weights(name: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Weights { name: name.to_owned(), expected: expected.into(), found: found.into() }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let io = |source| Error::io("read", path, source);
    // Asked before opening, which would wait for the other end of a named pipe.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(Error::format(path, FORMAT, "it is not a regular file"));
    }
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();

    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(8).read_to_end(&mut bytes).map_err(io)?;
    check_start(&bytes, size, path)?;
    if size > MAX_FILE {
        let reason = format!("it has {size} bytes, more than the {MAX_FILE} that are read");
        return Err(Error::format(path, FORMAT, reason));
    }
    let rest = size.saturating_sub(bytes.len() as u64);
    let too_large = |bytes| Error::TooLarge { what: "checkpoint file", bytes };
    let reserve = usize::try_from(rest).map_err(|_| too_large(usize::MAX))?;
    bytes.try_reserve_exact(reserve).map_err(|_| too_large(reserve))?;
    file.take(rest).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Looks at the header's length, the first 8 bytes, before anything else is read.
fn check_start(bytes: &[u8], size: u64, path: &Path) -> Result<()> {
    let wrong = |reason: String| Err(Error::format(path, FORMAT, reason));
    let start: Option<[u8; 8]> = bytes.get(..8).and_then(|b| b.try_into().ok());
    let length = start.map(u64::from_le_bytes);
    if length.is_some_and(|n| n <= MAX_HEADER && n <= size.saturating_sub(8)) {
        return Ok(());
    }
    if let Some(kind) = kind_of(bytes) {
        return wrong(format!("this looks like {kind}; only safetensors is read so far"));
    }
    match length {
        None => wrong(format!("it has only {size} bytes")),
        Some(n) => wrong(format!("a header of {n} bytes does not fit a file of {size} bytes")),
    }
}

/// What other kind of file starts like this.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 8] = [
        (b"PK\x03\x04", "a torch zip (.pt, .pth) or .npz file"),
        (b"\x80", "a pickle (.pkl) or an old torch file"),
        (b"\x93NUMPY", "a NumPy .npy file"),
        (b"\x89HDF", "an HDF5 file"),
        (b"version", "a Git LFS pointer and not the file itself (fetch it with `git lfs pull`)"),
        (b"<", "a web page, as saved by a download that failed"),
        (b"\x1f\x8b", "a gzip file"),
        (b"\x89PNG", "a PNG image"),
    ];
    KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}

fn reason(error: SafeTensorError) -> String {
    match error {
        SafeTensorError::MetadataIncompleteBuffer => {
            "its header describes another number of bytes than it has (an incomplete download?)"
                .into()
        }
        other => other.to_string(),
    }
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

fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => {
            bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
        }
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        _ => return None,
    })
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
