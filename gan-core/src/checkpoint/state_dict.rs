//! Named tensors, of a file or made in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use super::container;
use super::host_tensor::HostTensor;
use super::number::NumberFormat;
use super::stored::StoredTensor;
use crate::error::{Error, Result};
use crate::progress::Progress;

const MAX_NAME: usize = 512;
const MAX_RANK: usize = 8;
/// What safetensors files call their metadata.
pub(super) const METADATA: &str = "__metadata__";

/// Tensors by name, sorted, and the file's string metadata.
///
/// A tensor of a file stays what it is in the file, a view of bytes, until somebody asks for its numbers: f16, bf16, f64
/// and integers are then given as the nearest f32. Values that are not finite are kept (see
/// [`check_finite`](StateDict::check_finite)).
///
/// ```
/// # use gan_core::checkpoint::{HostTensor, StateDict};
/// let mut dict = StateDict::default();
/// dict.insert("mapping.w_avg", HostTensor { shape: vec![2], data: vec![0.5, -1.0] })?;
/// assert_eq!(dict.subset("mapping.").names().collect::<Vec<_>>(), ["w_avg"]);
/// assert!(dict.take("mapping.fc0.weight").is_err());
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct StateDict {
    tensors: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

#[derive(Clone)]
enum Entry {
    Host(HostTensor),
    /// And its numbers, once they were asked for.
    Stored(StoredTensor, OnceLock<HostTensor>),
}

impl Entry {
    fn shape(&self) -> &[usize] {
        match self {
            Entry::Host(tensor) => &tensor.shape,
            Entry::Stored(tensor, _) => &tensor.shape,
        }
    }

    fn format(&self) -> NumberFormat {
        match self {
            Entry::Host(_) => NumberFormat::F32,
            Entry::Stored(tensor, _) => tensor.format,
        }
    }

    /// The numbers, which stay.
    fn host(&self) -> &HostTensor {
        match self {
            Entry::Host(tensor) => tensor,
            Entry::Stored(tensor, decoded) => decoded.get_or_init(|| tensor.decode()),
        }
    }

    /// The numbers for a moment.
    fn glance(&self) -> Cow<'_, HostTensor> {
        match self {
            Entry::Host(tensor) => Cow::Borrowed(tensor),
            Entry::Stored(tensor, decoded) => match decoded.get() {
                Some(decoded) => Cow::Borrowed(decoded),
                None => Cow::Owned(tensor.decode()),
            },
        }
    }

    fn into_host(self) -> HostTensor {
        match self {
            Entry::Host(tensor) => tensor,
            Entry::Stored(tensor, decoded) => {
                decoded.into_inner().unwrap_or_else(|| tensor.decode())
            }
        }
    }
}

/// By the numbers, however they are stored.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.glance() == other.glance()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.format(), self.shape())
    }
}

impl fmt::Debug for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateDict")
            .field("tensors", &self.tensors)
            .field("metadata", &self.metadata)
            .finish()
    }
}

impl StateDict {
    /// The tensors of a file, see [`checkpoint::open`](super::open).
    ///
    /// # Errors
    /// As [`checkpoint::open`](super::open).
    pub fn open(path: impl AsRef<Path>) -> Result<StateDict> {
        Ok(container::open(path)?.tensors)
    }

    /// Writes a safetensors file, each tensor in its own number format. The same tensors and metadata give the same
    /// bytes.
    ///
    /// The file appears complete or not at all: it is written beside `path` under another name first.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Format`] for names and metadata beyond the format's 100 MB.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, None, &mut ())
    }

    /// As [`StateDict::save`], with all fractions in one number format; integers stay what they are.
    ///
    /// # Errors
    /// As [`StateDict::save`]; [`Error::Argument`] for a format of integers, [`Error::Weights`] for a number beyond the
    /// range of the format.
    pub fn save_as(&self, path: impl AsRef<Path>, format: NumberFormat) -> Result<()> {
        self.save_with(path, Some(format), &mut ())
    }

    /// As [`StateDict::save`] or [`StateDict::save_as`], telling `progress` of each tensor.
    ///
    /// # Errors
    /// As [`StateDict::save_as`]; [`Error::Cancelled`] on request, which leaves no file behind either.
    pub fn save_with(
        &self,
        path: impl AsRef<Path>,
        format: Option<NumberFormat>,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        container::save(self, path.as_ref(), format, progress)
    }

    /// Adds a tensor. To replace one, [`take`](StateDict::take) the old one first.
    ///
    /// # Errors
    /// [`Error::Weights`] for a name that is taken or unusable, or a shape that does not fit the data.
    pub fn insert(&mut self, name: impl Into<String>, tensor: HostTensor) -> Result<()> {
        let name = name.into();
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
        self.add(name, Entry::Host(tensor))
    }

    /// As [`StateDict::insert`], for a tensor of a file.
    pub(super) fn insert_stored(&mut self, name: String, tensor: StoredTensor) -> Result<()> {
        self.add(name, Entry::Stored(tensor, OnceLock::new()))
    }

    fn add(&mut self, name: String, entry: Entry) -> Result<()> {
        let clean = !name.chars().any(char::is_control);
        if name.is_empty() || name.len() > MAX_NAME || name == METADATA || !clean {
            let start: String = name.chars().take(40).flat_map(char::escape_default).collect();
            let expected = format!("a name of 1 to {MAX_NAME} bytes without control characters");
            return Err(weights(&start, expected, format!("{} bytes", name.len())));
        }
        match self.tensors.entry(name) {
            btree_map::Entry::Occupied(old) => {
                let found = format!("a second one of shape {:?}", entry.shape());
                Err(weights(old.key(), "one tensor of this name", found))
            }
            btree_map::Entry::Vacant(place) => {
                place.insert(entry);
                Ok(())
            }
        }
    }

    /// The tensor of this name. The numbers of a file's tensor are decoded at the first call, and kept.
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.tensors.get(name).map(Entry::host)
    }

    /// The shape of the tensor of this name; nothing is decoded.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Entry::shape)
    }

    /// How the tensor of this name is stored; those that were made in memory are [`NumberFormat::F32`].
    pub fn number_format(&self, name: &str) -> Option<NumberFormat> {
        self.tensors.get(name).map(Entry::format)
    }

    /// The bytes of a tensor for a file, row-major, in that format or its own.
    ///
    /// # Errors
    /// [`Error::Weights`] for a number beyond the format's range.
    pub(super) fn encoded(
        &self,
        name: &str,
        format: Option<NumberFormat>,
    ) -> Result<Option<Cow<'_, [u8]>>> {
        let Some(entry) = self.tensors.get(name) else { return Ok(None) };
        let format = format.filter(|_| entry.format().is_float()).unwrap_or(entry.format());
        if let Entry::Stored(tensor, _) = entry
            && tensor.format == format
        {
            return Ok(Some(tensor.row_major_bytes()));
        }
        let bytes = format.encode(&entry.glance().data).map_err(|x| {
            weights(name, format!("numbers in the range of {format}"), format!("{x:e}"))
        })?;
        Ok(Some(Cow::Owned(bytes)))
    }

    /// Removes a tensor that has to be there.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is not.
    pub fn take(&mut self, name: &str) -> Result<HostTensor> {
        let entry =
            self.tensors.remove(name).ok_or_else(|| weights(name, "a tensor", "nothing"))?;
        Ok(entry.into_host())
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

    /// All tensors, sorted by name, decoded as by [`get`](StateDict::get).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HostTensor)> {
        self.tensors.iter().map(|(name, entry)| (name.as_str(), entry.host()))
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
        let strip = |(name, entry): (&String, &Entry)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), entry.clone()))
        };
        let tensors = self.tensors.iter().filter_map(strip).collect();
        StateDict { tensors, metadata: self.metadata.clone() }
    }

    /// The same as [`subset`](StateDict::subset) without the copy.
    pub(crate) fn into_subset(self, prefix: &str) -> StateDict {
        let strip = |(name, entry): (String, Entry)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), entry))
        };
        let tensors = self.tensors.into_iter().filter_map(strip).collect();
        StateDict { tensors, metadata: self.metadata }
    }

    /// One network of a training file, such as `G_ema.`: the tensors whose names start with `prefix`, without the prefix,
    /// and the metadata without that of the other networks.
    pub fn into_network(self, prefix: &str) -> StateDict {
        let metadata = self.metadata_of(prefix);
        self.into_subset(prefix).with_metadata(metadata)
    }

    /// The metadata of the network of that prefix, which is taken off, and of the whole file.
    pub(super) fn metadata_of(&self, prefix: &str) -> BTreeMap<String, String> {
        let first = |name: &str| name.split('.').next().map(str::to_owned);
        let networks: BTreeSet<_> = self.names().filter_map(first).collect();
        let own = |(key, value): (&String, &String)| match key.strip_prefix(prefix) {
            Some(rest) => Some((rest.to_owned(), value.clone())),
            None if first(key).is_some_and(|part| networks.contains(&part)) => None,
            None => Some((key.clone(), value.clone())),
        };
        self.metadata.iter().filter_map(own).collect()
    }

    pub(super) fn with_metadata(self, metadata: BTreeMap<String, String>) -> StateDict {
        StateDict { metadata, ..self }
    }

    /// The same tensors with `prefix` before their names.
    pub(super) fn prefixed(self, prefix: &str) -> StateDict {
        let longer = |(name, entry): (String, Entry)| (format!("{prefix}{name}"), entry);
        let tensors = self.tensors.into_iter().map(longer).collect();
        StateDict { tensors, metadata: self.metadata }
    }

    /// The tensors one by one, and a dict that has only the metadata left.
    pub(crate) fn into_parts(self) -> (impl Iterator<Item = (String, HostTensor)>, StateDict) {
        let tensors = self.tensors.into_iter().map(|(name, entry)| (name, entry.into_host()));
        (tensors, StateDict { tensors: BTreeMap::new(), metadata: self.metadata })
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
        let floats = self.tensors.iter().filter(|(_, entry)| entry.format().is_float());
        let counts = floats.map(|(name, entry)| (name.clone(), count(&entry.glance())));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// Refuses infinities and NaN.
    ///
    /// # Errors
    /// [`Error::Weights`] with the first such tensor and its count.
    pub fn check_finite(&self) -> Result<()> {
        let bad = self.non_finite();
        let Some((name, count)) = bad.first() else { return Ok(()) };
        let len = self.shape(name).map_or(0, |shape| shape.iter().product());
        let mut found = format!("{count} of {len} are not");
        if bad.len() > 1 {
            found += &format!(" (and some in {} more tensors)", bad.len() - 1);
        }
        Err(weights(name, "finite values", found))
    }
}

/// An [`Error::Weights`].
pub(crate) fn weights(name: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Weights { name: name.to_owned(), expected: expected.into(), found: found.into() }
}
