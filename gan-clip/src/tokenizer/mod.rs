//! From prompts to numbers: cleaning, splitting, and byte-pair encoding (`clip/simple_tokenizer.py` of openai/CLIP).

mod bpe;
mod clean;
mod fix;
mod mojibake;
mod tokens;
mod vocabulary;

use std::fmt;

use regex::Regex;

use crate::error::{Error, Result};
use bpe::{OpenAi, PairEncoding};
pub use clean::clean;
pub use tokens::Tokens;
use vocabulary::Vocabulary;

/// Places that CLIP networks have for a prompt.
pub const CONTEXT: usize = 77;
/// Far above any prompt, and few enough for quadratic work.
const MAX_TEXT: usize = 1 << 15;
/// What the marks of start and end are in a text.
const MARKS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// What to do with a prompt of too many tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// [`Error::PromptTooLong`].
    #[default]
    Refuse,
    /// Cut it; the last place is the mark of the end.
    Truncate,
}

/// Turns prompts into tokens.
///
/// ```
/// use gan_clip::{Overflow, Tokenizer};
/// let tokenizer = Tokenizer::new();
/// let tokens = tokenizer.encode(&["a photo of a cat"], Overflow::Refuse)?;
/// assert_eq!(tokens.rows().next().unwrap()[..7], [49406, 320, 1125, 539, 320, 2368, 49407]);
/// # Ok::<(), gan_clip::Error>(())
/// ```
pub struct Tokenizer {
    pairs: Box<dyn PairEncoding>,
    pieces: Regex,
    /// Ids of the [`MARKS`].
    marks: [u32; 2],
    context: usize,
}

impl Tokenizer {
    /// With the vocabulary of 49408 tokens that OpenAI's networks and nearly all others have. It takes a tenth of a second to
    /// make.
    pub fn new() -> Self {
        let pairs = OpenAi::new();
        let marks = pairs.marks();
        Self::with(Box::new(pairs), marks)
    }

    /// With the pairs of a text as OpenAI publishes it: a line that is skipped, then two symbols a line, of which the first
    /// 48894 pairs count. Ids follow from their order.
    ///
    /// # Errors
    /// [`Error::Vocabulary`] if a line is anything else, or joins symbols that there are not.
    pub fn from_pairs(text: &str) -> Result<Self> {
        Vocabulary::from_pairs(text).map(Self::with_vocabulary)
    }

    /// With the files `vocab.json`, an object of symbols and their ids, and `merges.txt`, the pairs, as Hugging Face
    /// publishes them.
    ///
    /// # Errors
    /// [`Error::Vocabulary`] if one is anything else, or a byte, a mark or what a pair becomes has no id.
    pub fn from_files(vocab_json: &str, merges: &str) -> Result<Self> {
        Vocabulary::from_files(vocab_json, merges).map(Self::with_vocabulary)
    }

    fn with_vocabulary(vocabulary: Vocabulary) -> Self {
        let marks = vocabulary.marks();
        Self::with(Box::new(vocabulary), marks)
    }

    fn with(pairs: Box<dyn PairEncoding>, marks: [u32; 2]) -> Self {
        // One letter more than the ASCII ones counts as an s when case is ignored.
        let pieces = r"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+";
        let pieces = Regex::new(pieces).expect("the pattern is valid");
        Tokenizer { pairs, pieces, marks, context: CONTEXT }
    }

    /// For networks with another number of places than [`CONTEXT`].
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than 2, start and end.
    pub fn with_context(mut self, context: usize) -> Result<Self> {
        if !(2..=MAX_TEXT).contains(&context) {
            return Err(Error::argument("context", format!("2 to {MAX_TEXT}"), context));
        }
        self.context = context;
        Ok(self)
    }

    /// The ids that stand for start and end.
    pub fn marks(&self) -> [u32; 2] {
        self.marks
    }

    /// The ids of a text, without marks of start and end unless they are written in it.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] beyond 32768 bytes.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let text = clean(text)?;
        let mut ids = Vec::new();
        for piece in self.pieces.find_iter(&text) {
            match MARKS.iter().position(|mark| *mark == piece.as_str()) {
                Some(i) => ids.push(self.marks[i]),
                None => self.pairs.encode(piece.as_str(), &mut ids),
            }
        }
        Ok(ids)
    }

    /// Prompts as tokens: start, ids, end, and zeros.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] if one has more tokens than places, unless they may be cut; [`Error::TextTooLong`] beyond 32768
    /// bytes; [`Error::Tokens`] if there are none.
    pub fn encode<T: AsRef<str>>(&self, prompts: &[T], overflow: Overflow) -> Result<Tokens> {
        let mut all = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let text = prompt.as_ref();
            let mut row = self.ids(text)?;
            row.insert(0, self.marks[0]);
            row.push(self.marks[1]);
            if row.len() > self.context {
                if overflow == Overflow::Refuse {
                    let text = text.chars().take(40).collect();
                    let (most, found) = (self.context, row.len());
                    return Err(Error::PromptTooLong { text, most, found });
                }
                row.truncate(self.context);
                row[self.context - 1] = self.marks[1];
            }
            row.resize(self.context, 0);
            all.extend(row);
        }
        Tokens::new(all, prompts.len())
    }

    /// The text of ids, as far as they are known; a space ends each word.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        for run in ids.chunk_by(|a, b| !self.marks.contains(a) && !self.marks.contains(b)) {
            match self.marks.iter().position(|mark| *mark == run[0]) {
                Some(i) => text += MARKS[i],
                None => text += &self.pairs.decode(run),
            }
        }
        text
    }
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Tokenizer(start {}, end {}, {} places)",
            self.marks[0], self.marks[1], self.context
        )
    }
}

fn check_length(text: &str) -> Result<()> {
    match text.len() {
        found if found > MAX_TEXT => Err(Error::TextTooLong { most: MAX_TEXT, found }),
        _ => Ok(()),
    }
}
