//! Why a golden file could not be judged.

use std::path::PathBuf;

/// Shorthand for results of the runner.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can keep a golden file from being compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder without anything to check.
    #[error("{}: no golden file (*.safetensors, or *.json with cases) in or below it", .0.display())]
    NoFiles(PathBuf),
    /// Bytes that are not what the format asks for.
    #[error("not a usable safetensors file: {0}")]
    Format(String),
    /// A safetensors file that says nothing of a case.
    #[error("not a golden case: {0}")]
    NotACase(String),
    /// A setting that is missing or of the wrong type.
    #[error("setting `{name}`: expected {expected}, found {found}")]
    Setting {
        /// Name of the setting.
        name: String,
        /// What the check needs.
        expected: &'static str,
        /// What the file holds.
        found: String,
    },
    /// A tensor that is missing or of the wrong type or shape.
    #[error("tensor `{name}`: expected {expected}, found {found}")]
    Tensor {
        /// Name of the tensor in the file.
        name: String,
        /// What the check needs.
        expected: String,
        /// What the file holds.
        found: String,
    },
    /// A kind or an option that this library does not have.
    #[error("{0}")]
    Unsupported(String),
    /// The library refused.
    #[error(transparent)]
    Core(#[from] gan_core::Error),
    /// The library refused.
    #[error(transparent)]
    Edit(#[from] gan_edit::Error),
    /// The library refused.
    #[error(transparent)]
    Clip(#[from] gan_clip::Error),
}

impl Error {
    pub(super) fn tensor(
        name: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Error::Tensor { name: name.into(), expected: expected.into(), found: found.into() }
    }
}
