//! Prompts as numbers.

use crate::error::{Error, Result};

/// Tokens of some prompts, each with as many places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u32>,
    count: usize,
}

impl Tokens {
    /// From the ids of `count` prompts, one after the other, all of one length.
    ///
    /// # Errors
    /// [`Error::Tokens`] if there are none, or they are not as many for each.
    pub fn new(ids: Vec<u32>, count: usize) -> Result<Self> {
        if count == 0 || ids.is_empty() || !ids.len().is_multiple_of(count) {
            let expected = "at least one prompt, each of the same length from 1".to_owned();
            let found = format!("{} ids for {count} prompts", ids.len());
            return Err(Error::Tokens { expected, found });
        }
        Ok(Tokens { ids, count })
    }

    /// Number of prompts.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Places of each.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.ids.len() / self.count
    }

    /// The ids of each prompt.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.ids.chunks_exact(self.len())
    }

    /// The place at which each prompt ends: the first of its largest id, which the mark of the end has.
    pub fn ends(&self) -> impl Iterator<Item = usize> {
        self.rows().map(|row| {
            let most = row.iter().max();
            row.iter().position(|id| Some(id) == most).unwrap_or(0)
        })
    }
}
