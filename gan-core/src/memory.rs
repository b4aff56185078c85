//! Memory that may not be there: a lack of it is an error, not the end of the program.

use crate::error::{Error, Result};

/// Bytes of an allocation that may well be too large. A trial is not free: glibc's allocator puts blocks of the size of the largest that
/// was ever returned among the small ones, from where the system gets nothing back.
const LARGE: usize = 1 << 26;

/// Whether `len` values can be allocated, by a trial reservation if they are many.
pub(crate) fn check(what: &'static str, len: usize) -> Result<()> {
    let bytes = len.saturating_mul(size_of::<f32>());
    if bytes < LARGE {
        return Ok(());
    }
    let trial = Vec::<f32>::new().try_reserve_exact(len);
    trial.map_err(|_| Error::TooLarge { what, bytes })
}

/// `len` zeros, on pages that the system clears as the threads first touch them.
pub(crate) fn zeros(what: &'static str, len: usize) -> Result<Vec<f32>> {
    check(what, len)?;
    Ok(vec![0.0; len])
}
