//! What several tests of bad input share.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use gan_core::{Error, Result};

/// The error, whose message must hold all of `parts`.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T>, parts: &[&str]) -> Error {
    let error = result.unwrap_err();
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}
