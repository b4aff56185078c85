//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in this crate.
///
/// Each variant says what was expected and what was found, and where there is a usual mend, its message
/// names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes that do not fit an operator.
    #[error("{op}: expected {expected}, found {found}")]
    Shape {
        /// The operator or type that was asked for.
        op: &'static str,
        /// What it accepts.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// A value outside its range.
    #[error("{what}: expected {expected}, found {found}")]
    Argument {
        /// The argument.
        what: &'static str,
        /// What it accepts.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// Tensors of two devices met in one operator.
    #[error("{op}: tensors on two devices, {left} and {right}; move one with Tensor::to_device")]
    Device {
        /// The operator.
        op: &'static str,
        /// Device of the first tensor.
        left: String,
        /// Device of the other tensor.
        right: String,
    },
    /// A device of another crate failed.
    #[error("{device}: {source}")]
    Backend {
        /// The kind of device.
        device: String,
        /// That crate's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A gradient that cannot be computed.
    #[error("gradient: {0}")]
    Gradient(String),
    /// More memory than can be had.
    #[error("{what}: {bytes} bytes cannot be allocated; use a smaller batch, resolution or sheet")]
    TooLarge {
        /// What the memory was for.
        what: &'static str,
        /// The size wanted; `usize::MAX` if it does not fit a `usize`.
        bytes: usize,
    },
    /// Reading or writing a file failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "write", "rename".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file whose bytes are not what its format asks for.
    #[error("{}: not a usable {format} file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that it was read as.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Tensor names that belong to no layout that this crate reads.
    #[error("unknown checkpoint layout: {reason}; known are {known}; first tensors: {found}")]
    Layout {
        /// Why no layout fits.
        reason: String,
        /// The layouts that can be read.
        known: &'static str,
        /// Some of the names found.
        found: String,
    },
    /// A network's tensor is missing, superfluous, of the wrong shape or not finite.
    #[error("checkpoint tensor `{name}`: expected {expected}, found {found}")]
    Weights {
        /// Name of the tensor.
        name: String,
        /// What the network needs.
        expected: String,
        /// What the checkpoint holds.
        found: String,
    },
    /// A latent code or direction of another model or space.
    #[error("{what} does not fit this model: expected {expected}, found {found}")]
    Latent {
        /// The code or direction.
        what: &'static str,
        /// The model's geometry.
        expected: String,
        /// The code's geometry.
        found: String,
    },
    /// Training came to a value that is not finite.
    #[error(
        "training step {step}: {what} is {value}; the state before this step is kept: go on from it with a lower learning \
         rate, or start again, a GAN with a larger r1_gamma"
    )]
    NotFinite {
        /// The loss, or the tensor of the state after the step.
        what: String,
        /// Infinite or NaN.
        value: f64,
        /// Steps that were done before this one.
        step: u64,
    },
    /// The caller's [`Progress`](crate::Progress) asked to stop.
    #[error("stopped on request at step {step} of {total}")]
    Cancelled {
        /// Steps that were complete.
        step: usize,
        /// Steps that there would have been.
        total: usize,
    },
}

impl Error {
    pub(crate) fn shape(
        op: &'static str,
        expected: impl Into<String>,
        found: impl std::fmt::Debug,
    ) -> Self {
        Error::Shape { op, expected: expected.into(), found: format!("{found:?}") }
    }

    pub(crate) fn argument(
        what: &'static str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Error::Argument { what, expected: expected.into(), found: found.to_string() }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn format(path: &Path, format: &'static str, reason: impl Into<String>) -> Self {
        Error::Format { path: path.to_owned(), format, reason: reason.into() }
    }
}
