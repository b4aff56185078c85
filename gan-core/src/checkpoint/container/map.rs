//! Files as bytes: mapped, or read.
//!
//! A mapped file costs no memory until its pages are looked at, and those can be given back. The price is that its bytes
//! are not the process's own: if another program truncates the file while it is mapped, looking at the lost pages
//! ends this process with a signal (SIGBUS), and if another program writes to it, numbers change. Checkpoints are
//! not written to in place by any program we know of; where that is not sure, [`read`](super::read) takes a copy.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::Mmap;

use crate::error::{Error, Result};

/// Far above any generator; keeps a sparse file from filling the memory.
const MAX_FILE: u64 = 8 << 30;

/// The pages of a mapped file; none of what was read or made in memory.
#[derive(Clone, Default)]
pub(in crate::checkpoint) struct Pages(Option<Arc<Mmap>>);

/// What keeps the mapping for the views of it.
struct Owner(Arc<Mmap>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Pages {
    /// Gives back the memory of a part that was looked at and is hardly needed again. Looked at nevertheless, it is read
    /// from the file again.
    #[cfg_attr(unix, allow(unsafe_code))]
    pub(in crate::checkpoint) fn give_back(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some(mapped) = &self.0 {
            let all = mapped.as_ptr_range();
            let is_inside = all.start <= part.as_ptr() && part.as_ptr_range().end <= all.end;
            if is_inside {
                let offset = part.as_ptr().addr() - all.start.addr();
                let advice = memmap2::UncheckedAdvice::DontNeed;
                // SAFETY: the mapping is of a file and for reading only, so there are no changes that would be lost: the
                // system maps the same bytes again at the next look. The part lies inside of the mapping; that the
                // pages at its ends hold bytes of others does not matter for the same reason.
                let given = unsafe { mapped.unchecked_advise_range(advice, offset, part.len()) };
                // Refused, the memory is merely kept.
                given.ok();
            }
        }
        #[cfg(not(unix))]
        let _ = part;
    }
}

/// The file's bytes, mapped.
#[allow(unsafe_code)]
pub(super) fn map(path: &Path) -> Result<(Bytes, Pages)> {
    let (file, size) = open(path)?;
    if size == 0 {
        // Not every system maps nothing.
        return Ok((Bytes::new(), Pages::default()));
    }
    // SAFETY: the bytes must not change while they are mapped. The file is opened for reading only and nothing in
    // this process writes to it; other processes cannot be kept from it, see above.
    let mapped = unsafe { Mmap::map(&file) };
    let mapped = Arc::new(mapped.map_err(|source| Error::io("map", path, source))?);
    Ok((Bytes::from_owner(Owner(Arc::clone(&mapped))), Pages(Some(mapped))))
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
