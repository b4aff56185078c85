//! Files as bytes: mapped, or read.
//!
//! A mapped file costs no memory until its pages are looked at, and those can be given back. The price is that its bytes
//! are not the process's own: if another program truncates the file while it is mapped, looking at the lost pages
//! ends this process with a signal (SIGBUS), and if another program writes to it, numbers change. Checkpoints are
//! not written to in place by any program we know of; where that is not sure, [`read`](super::read) takes a copy.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use crate::error::{Error, Result};

/// Far above any generator; keeps a sparse file from filling the memory.
const MAX_FILE: u64 = 8 << 30;

/// The file's bytes, mapped.
#[allow(unsafe_code)]
pub(super) fn map(path: &Path) -> Result<Bytes> {
    let (file, size) = open(path)?;
    if size == 0 {
        // Not every system maps nothing.
        return Ok(Bytes::new());
    }
    // SAFETY: the bytes must not change while they are mapped. The file is opened for reading only and nothing in
    // this process writes to it; other processes cannot be kept from it, see above.
    let mapped = unsafe { memmap2::Mmap::map(&file) };
    Ok(Bytes::from_owner(mapped.map_err(|source| Error::io("map", path, source))?))
}

/// The file's bytes, in memory.
pub(super) fn read(path: &Path) -> Result<Bytes> {
    let (file, size) = open(path)?;
    let too_large = |bytes| Error::TooLarge { what: "checkpoint file", bytes };
    let size = usize::try_from(size).map_err(|_| too_large(usize::MAX))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| too_large(size))?;
    let io = |source| Error::io("read", path, source);
    file.take(size as u64).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes.into())
}

fn open(path: &Path) -> Result<(File, u64)> {
    let io = |source| Error::io("read", path, source);
    // Asked before opening, which would wait for the other end of a named pipe.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(Error::format(path, "checkpoint", "it is not a regular file"));
    }
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    if size > MAX_FILE {
        let reason = format!("it has {size} bytes, more than the {MAX_FILE} that are read");
        return Err(Error::format(path, "checkpoint", reason));
    }
    Ok((file, size))
}
