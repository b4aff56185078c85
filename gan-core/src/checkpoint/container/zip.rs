//! Zip archives: where the entries of torch's and numpy's files lie.
//!
//! Those writers store entries as they are, so an entry is a view of the file. Compressed ones are inflated, no further
//! than the archive says and no more than the file's size allows. Only their checksums are compared: those of stored
//! entries would mean to read the whole file.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::checkpoint::shown;

type Parsed<T> = Result<T, String>;

const END: &[u8] = b"PK\x05\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const CENTRAL: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END_SIZE: usize = 22;
/// The end may be followed by a comment of 16 bits' length.
const MAX_COMMENT: usize = 1 << 16;
const MAX_ENTRIES: u64 = 1 << 17;
/// Of all inflated entries, beside 16 times the file's size: weights hardly compress.
const MAX_INFLATED: u64 = 64 << 20;

/// An archive's entries by name.
pub(super) struct Archive {
    bytes: Bytes,
    entries: BTreeMap<String, Entry>,
    inflatable: u64,
}

struct Entry {
    /// Of the local header.
    start: usize,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
}

impl Archive {
    /// Reads the directory at the end of the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn open(bytes: &Bytes) -> Parsed<Archive> {
        let (count, start) = directory(bytes)?;
        if count > MAX_ENTRIES {
            return Err(format!("{count} entries, where at most {MAX_ENTRIES} are read"));
        }
        let mut at = start;
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for _ in 0..count {
            let (name, entry, next) = central(bytes, at)?;
            at = next;
            if entries.contains_key(&name) {
                return Err(format!("two entries have the name `{}`", shown(&name)));
            }
            entries.insert(name, entry);
        }
        let file = bytes.len() as u64;
        let archive =
            Archive { bytes: bytes.clone(), entries, inflatable: MAX_INFLATED + 16 * file };
        archive.check_overlaps()?;
        Ok(archive)
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The content of an entry.
    ///
    /// # Errors
    /// What is wrong with it, or that there is none.
    pub(super) fn get(&mut self, name: &str) -> Parsed<Bytes> {
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| format!("there is no entry `{}`", shown(name)))?;
        let wrong = |reason: &str| format!("entry `{}`: {reason}", shown(name));
        let data = self.data(entry).map_err(|reason| wrong(&reason))?;
        match entry.method {
            0 if entry.size == entry.compressed => Ok(data),
            0 => Err(wrong("it is stored as it is, but in another size")),
            8 => {
                if entry.size > self.inflatable {
                    return Err(wrong("it inflates to more than weights can (a zip bomb?)"));
                }
                self.inflatable -= entry.size;
                inflate(&data, entry).map(Bytes::from).map_err(wrong)
            }
            method => Err(wrong(&format!("compression method {method}, where 0 and 8 are read"))),
        }
    }

    /// The bytes in the file, behind the entry's own header.
    fn data(&self, entry: &Entry) -> Parsed<Bytes> {
        let header = part(&self.bytes, entry.start, 30)?;
        if !header.starts_with(LOCAL) {
            return Err("no header where the directory says".into());
        }
        let start =
            entry.start + 30 + usize::from(u16_at(header, 26)) + usize::from(u16_at(header, 28));
        let size = usize::try_from(entry.compressed).map_err(|_| cut())?;
        part(&self.bytes, start, size)?;
        Ok(self.bytes.slice(start..start + size))
    }

    /// Entries that share bytes are how small archives pretend to be large.
    fn check_overlaps(&self) -> Parsed<()> {
        let mut spans = Vec::with_capacity(self.entries.len());
        for (name, entry) in &self.entries {
            let span = entry.compressed.checked_add(entry.start as u64 + 30);
            spans.push((entry.start as u64, span.ok_or_else(cut)?, name));
        }
        spans.sort_unstable();
        match spans.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            Some(pair) => {
                Err(format!("entries `{}` and `{}` overlap", shown(pair[0].2), shown(pair[1].2)))
            }
            None => Ok(()),
        }
    }
}

/// Number of entries, and where the first of the directory is.
fn directory(bytes: &[u8]) -> Parsed<(u64, usize)> {
    let first = bytes.len().saturating_sub(END_SIZE + MAX_COMMENT);
    let tail = &bytes[first..];
    let fits = |&at: &usize| tail[at..].starts_with(END) && at + END_SIZE <= tail.len();
    let end = (0..tail.len()).rev().find(fits).ok_or_else(cut)?;
    let record = &tail[end..];
    let (count, start) = (u64::from(u16_at(record, 10)), u64::from(u32_at(record, 16)));
    // Fields that are too small for their value are all ones.
    let (count, start) = if count == 0xffff || start == 0xffff_ffff {
        let locator = (first + end).checked_sub(20).ok_or_else(cut)?;
        let locator = part(bytes, locator, 20)?;
        if !locator.starts_with(END_64_LOCATOR) {
            return Err("a directory without its 64-bit end".into());
        }
        let record = part(bytes, usize::try_from(u64_at(locator, 8)).map_err(|_| cut())?, 56)?;
        if !record.starts_with(END_64) {
            return Err("no 64-bit end where its locator says".into());
        }
        (u64_at(record, 32), u64_at(record, 48))
    } else {
        (count, start)
    };
    Ok((count, usize::try_from(start).map_err(|_| cut())?))
}

/// One entry of the directory, and where the next one is.
fn central(bytes: &[u8], at: usize) -> Parsed<(String, Entry, usize)> {
    let record = part(bytes, at, 46)?;
    if !record.starts_with(CENTRAL) {
        return Err("a directory with fewer entries than it says".into());
    }
    if u16_at(record, 8) & 1 != 0 {
        return Err("an encrypted entry".into());
    }
    let lengths = [28, 30, 32].map(|i| usize::from(u16_at(record, i)));
    let name = part(bytes, at + 46, lengths[0])?;
    let name = std::str::from_utf8(name).map_err(|_| "an entry's name that is not UTF-8")?;
    let extra = part(bytes, at + 46 + lengths[0], lengths[1])?;

    let mut wide = extra_64(extra);
    // Those that are all ones are in the extra field, in this order.
    let mut widened = |small: u32| match small {
        u32::MAX => wide.next().ok_or("an entry without its 64-bit size"),
        small => Ok(u64::from(small)),
    };
    let size = widened(u32_at(record, 24))?;
    let compressed = widened(u32_at(record, 20))?;
    let start = widened(u32_at(record, 42))?;
    let entry = Entry {
        start: usize::try_from(start).ok().filter(|s| *s < bytes.len()).ok_or_else(cut)?,
        method: u16_at(record, 10),
        crc: u32_at(record, 16),
        compressed,
        size,
    };
    Ok((name.to_owned(), entry, at + 46 + lengths.iter().sum::<usize>()))
}

/// The numbers of the extra field for large files.
fn extra_64(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut found: &[u8] = &[];
    while extra.len() >= 4 {
        let (id, size) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let end = (4 + size).min(extra.len());
        if id == 1 {
            found = &extra[4..end];
            break;
        }
        extra = &extra[end..];
    }
    found.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b))
}

fn inflate<'a>(data: &[u8], entry: &Entry) -> Result<Vec<u8>, &'a str> {
    let size = usize::try_from(entry.size).map_err(|_| "it is too large")?;
    let inflated = miniz_oxide::inflate::decompress_to_vec_with_limit(data, size)
        .map_err(|_| "its compressed bytes are damaged or longer than the directory says")?;
    if inflated.len() != size {
        return Err("it inflates to fewer bytes than the directory says");
    }
    if crc32fast::hash(&inflated) != entry.crc {
        return Err("its checksum is another");
    }
    Ok(inflated)
}

fn part(bytes: &[u8], start: usize, size: usize) -> Parsed<&[u8]> {
    start.checked_add(size).and_then(|end| bytes.get(start..end)).ok_or_else(cut)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}

fn cut() -> String {
    "the archive's directory or an entry is not there (an incomplete download?)".to_owned()
}
