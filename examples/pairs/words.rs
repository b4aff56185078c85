//! The few words that captions have, of the many that there are.

use gan_clip::{Error, Overflow, Result, Tokenizer, Tokens};
use gan_core::checkpoint::{HostTensor, StateDict};

use crate::world::{Factor, Portrait, TEMPLATES, World};

/// The tensor with a row for each token.
pub(super) const TABLE: &str = "text_model.embeddings.token_embedding.weight";

/// Tokens of captions, numbered anew without gaps, in the same order: so the mark of the end stays the largest.
///
/// A network is trained with a row for each of these alone, a few hundred instead of tens of thousands, which is the same: rows
/// of words that never come have no gradient.
pub struct Words {
    tokenizer: Tokenizer,
    /// The tokens by their new numbers.
    used: Vec<u32>,
}

impl Words {
    /// Those of the templates and of everything that can be said of a portrait.
    ///
    /// # Errors
    /// If a phrase is no prompt.
    pub fn of_portraits() -> Result<Self> {
        let phrases: Vec<String> = phrases().collect();
        let words = "a an the and of with wearing, person";
        Self::of(TEMPLATES.into_iter().chain([words]).chain(phrases.iter().map(String::as_str)))
    }

    /// Those of some texts.
    ///
    /// # Errors
    /// If a text is no prompt.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self> {
        let tokenizer = Tokenizer::new();
        let mut used = vec![0];
        used.extend(tokenizer.marks());
        for text in texts {
            used.extend(tokenizer.ids(text)?);
        }
        used.sort_unstable();
        used.dedup();
        Ok(Words { tokenizer, used })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.used.len()
    }

    /// Captions in the new numbers.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`], and [`Error::Tokens`] for a word that is not among them.
    pub fn encode<T: AsRef<str>>(&self, captions: &[T]) -> Result<Tokens> {
        let tokens = self.tokenizer.encode(captions, Overflow::Refuse)?;
        let number = |id: &u32| {
            let place = self.used.binary_search(id).ok();
            place.and_then(|i| u32::try_from(i).ok()).ok_or_else(|| Error::Tokens {
                expected: "words of captions".into(),
                found: self.tokenizer.decode(&[*id]),
            })
        };
        let ids = tokens.rows().flatten().map(number).collect::<Result<_>>()?;
        Tokens::new(ids, tokens.count())
    }

    /// A trained network with a row for each token that there is, in the numbers of the tokenizer; those that it has not learned
    /// are zero.
    ///
    /// # Errors
    /// If the table of its rows is missing or has other rows than there are words.
    pub fn expanded(&self, dict: &StateDict) -> gan_core::Result<StateDict> {
        let mut all = StateDict::default();
        for (name, tensor) in dict.iter() {
            let mut tensor = tensor.clone();
            if name == TABLE {
                let width = tensor.data.len() / self.count();
                let rows = self.tokenizer.marks()[1] as usize + 1;
                let mut data = vec![0.0; rows * width];
                for (row, &id) in tensor.data.chunks_exact(width).zip(&self.used) {
                    data[id as usize * width..][..width].copy_from_slice(row);
                }
                tensor = HostTensor { shape: vec![rows, width], data };
            }
            all.insert(name, tensor)?;
        }
        Ok(all)
    }
}

/// Everything that can be said of a portrait: what the values of each factor add, with and without what hides it.
fn phrases() -> impl Iterator<Item = String> {
    /// More values than any factor has alternatives.
    const VALUES: usize = 33;
    let of = |factor: &'static Factor<Portrait>| {
        let with = move |(value, reveal): (f32, bool)| {
            let mut portrait = Portrait::default();
            if reveal {
                (factor.reveal)(&mut portrait);
            }
            (factor.set)(&mut portrait, value);
            portrait.phrases()
        };
        let values = factor.kind.steps(VALUES).into_iter();
        values.flat_map(|value| [(value, false), (value, true)]).flat_map(with)
    };
    Portrait::factors().iter().flat_map(of).map(|phrase| phrase.text)
}
