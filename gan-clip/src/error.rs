//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of gan-core.
    #[error(transparent)]
    Core(#[from] gan_core::Error),
    /// A prompt of more tokens than the network has places for.
    #[error(
        "prompt {text:?}: expected at most {most} tokens with start and end, found {found}; shorten it, or ask for \
         truncation"
    )]
    PromptTooLong {
        /// The beginning of the prompt.
        text: String,
        /// Places.
        most: usize,
        /// Tokens.
        found: usize,
    },
    /// A text far beyond any prompt.
    #[error("text: expected at most {most} bytes, found {found}")]
    TextTooLong {
        /// The limit.
        most: usize,
        /// Its length.
        found: usize,
    },
    /// A vocabulary that is no vocabulary.
    #[error("vocabulary, {place}: expected {expected}, found {found}")]
    Vocabulary {
        /// The line of a text, or the entry of a list.
        place: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Tokens that do not fit a network.
    #[error("tokens: expected {expected}, found {found}")]
    Tokens {
        /// What the network takes.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// Tensors that are no CLIP in a layout that this crate reads.
    #[error(
        "unknown checkpoint layout: {reason}; known are CLIP networks with the names of OpenAI (and OpenCLIP) and of \
         Hugging Face's CLIPModel; first tensors: {found}"
    )]
    Layout {
        /// Why none fits.
        reason: String,
        /// Some of the names found.
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
    /// Reading a file failed.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn argument(
        what: &'static str,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Error::Argument { what, expected: expected.into(), found: found.to_string() }
    }

    pub(crate) fn vocabulary(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Error::Vocabulary { place: place.into(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Error::Io { path: path.to_owned(), source }
    }
}
