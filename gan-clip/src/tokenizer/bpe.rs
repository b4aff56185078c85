//! Byte-pair encoding of the pieces of a text (Sennrich et al. 2016, section 3.2; on bytes, Radford et al. 2019, section 2.2).

use instant_clip_tokenizer::{Token, Tokenizer as Instant};

/// Encodes pieces with a vocabulary.
pub(super) trait PairEncoding: Send + Sync {
    /// Adds the ids of a piece.
    fn encode(&self, piece: &str, ids: &mut Vec<u32>);

    /// The text of ids that are no marks; a space ends each word.
    fn decode(&self, ids: &[u32]) -> String;
}

/// OpenAI's vocabulary.
pub(super) struct OpenAi(Instant);

/// The id of the byte `'` within a word: ids of printable bytes follow their order.
const APOSTROPHE: u32 = (b'\'' - b'!') as u32;

impl OpenAi {
    pub(super) fn new() -> Self {
        OpenAi(Instant::new())
    }

    pub(super) fn marks(&self) -> [u32; 2] {
        [self.0.start_of_text(), self.0.end_of_text()].map(|token| token.to_u16().into())
    }
}

impl PairEncoding for OpenAi {
    fn encode(&self, piece: &str, ids: &mut Vec<u32>) {
        // The one piece that the crate would split once more: the long s is a letter to it, not an s. No pair begins with this
        // apostrophe and a byte of it, so that the rest is encoded alone.
        let piece = match piece.strip_prefix('\'').filter(|rest| rest.starts_with('ſ')) {
            Some(rest) => {
                ids.push(APOSTROPHE);
                rest
            }
            None => piece,
        };
        let mut tokens = Vec::new();
        self.0.encode(piece, &mut tokens);
        ids.extend(tokens.into_iter().map(|token| u32::from(token.to_u16())));
    }

    fn decode(&self, ids: &[u32]) -> String {
        let known = |id: &u32| Token::from_u16(u16::try_from(*id).ok()?, &self.0);
        self.0.decode(ids.iter().filter_map(known))
    }
}
