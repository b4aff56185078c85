//! Memory that may not be there: a lack of it is an error, not the end of the program.

use crate::error::{Error, Result};

/// Whether `len` values can be allocated, by a trial reservation.
pub(crate) fn check(what: &'static str, len: usize) -> Result<()> {
    let bytes = len.saturating_mul(size_of::<f32>());
    let trial = Vec::<f32>::new().try_reserve_exact(len);
    trial.map_err(|_| Error::TooLarge { what, bytes })
}

/// `len` zeros, on pages that the system clears as the threads first touch them.
pub(crate) fn zeros(what: &'static str, len: usize) -> Result<Vec<f32>> {
    check(what, len)?;
    Ok(vec![0.0; len])
}
