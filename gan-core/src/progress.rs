//! Progress and cancellation of long work.

use std::ops::ControlFlow;

use crate::error::{Error, Result};

/// Hears of each step of long work, and may stop it.
///
/// `()` listens to nothing; any `FnMut(usize, usize) -> ControlFlow<()>` is a listener.
///
/// ```
/// use std::ops::ControlFlow;
/// let mut seen = 0;
/// let mut bar = |step: usize, total: usize| {
///     seen = step;
///     if step < total { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
/// };
/// assert!(gan_core::progress::report(&mut bar, 1, 2).is_ok());
/// assert!(gan_core::progress::report(&mut bar, 2, 2).is_err());
/// assert_eq!(seen, 2);
/// ```
pub trait Progress {
    /// Step `step` of `total` is done. `Break` ends the work with [`Error::Cancelled`].
    fn step(&mut self, step: usize, total: usize) -> ControlFlow<()>;
}

impl Progress for () {
    fn step(&mut self, _step: usize, _total: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<F: FnMut(usize, usize) -> ControlFlow<()>> Progress for F {
    fn step(&mut self, step: usize, total: usize) -> ControlFlow<()> {
        self(step, total)
    }
}

/// Tells `progress` of a step, and turns its wish to stop into an error.
///
/// # Errors
/// [`Error::Cancelled`] if it asked to stop.
pub fn report(progress: &mut dyn Progress, step: usize, total: usize) -> Result<()> {
    match progress.step(step, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled { step, total }),
    }
}
