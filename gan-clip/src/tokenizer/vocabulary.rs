//! Vocabularies of one's own.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::MARKS;
use super::bpe::PairEncoding;
use crate::error::{Error, Result};

/// Pairs that count, in OpenAI's code and Hugging Face's: 49152 ids less the bytes and the marks.
const MAX_PAIRS: usize = 49152 - 256 - 2;
/// Far above any vocabulary.
const MAX_FILE: usize = 1 << 26;
/// What ends the last symbol of a word.
const END: &str = "</w>";

/// Symbols, and the pairs of them that become one.
pub(super) struct Vocabulary {
    /// The id of each byte within and at the end of a word.
    bytes: Vec<[u32; 2]>,
    /// For a pair, its rank and the id of what it becomes.
    pairs: HashMap<(u32, u32), (usize, u32)>,
    /// What each id stands for.
    texts: HashMap<u32, Vec<u8>>,
    marks: [u32; 2],
}

impl Vocabulary {
    pub(super) fn from_pairs(text: &str) -> Result<Self> {
        let pairs = parse_pairs(text)?;
        let mut ids: HashMap<String, u32> = HashMap::new();
        let symbols = byte_symbols().map(|(_, symbol)| symbol.to_string());
        let symbols: Vec<String> = symbols.collect();
        let ends = symbols.iter().map(|symbol| format!("{symbol}{END}"));
        let joined = pairs.iter().map(|(a, b)| format!("{a}{b}"));
        let marks = MARKS.iter().map(|mark| (*mark).to_owned());
        let all = symbols.iter().cloned().chain(ends).chain(joined).chain(marks);
        // Of a symbol that two pairs become, the later id counts, as in a Python dictionary.
        for (id, symbol) in (0..).zip(all) {
            ids.insert(symbol, id);
        }
        Self::new(&ids, &pairs)
    }

    pub(super) fn from_files(vocab_json: &str, merges: &str) -> Result<Self> {
        let place = || "vocab.json".to_owned();
        check_size(place(), vocab_json)?;
        let object: BTreeMap<String, Value> = serde_json::from_str(vocab_json)
            .map_err(|e| Error::vocabulary(place(), "an object of symbols", e.to_string()))?;
        let mut ids = HashMap::new();
        let mut owners: HashMap<u32, String> = HashMap::new();
        for (symbol, value) in object {
            let place = || format!("vocab.json, symbol {:?}", shortened(&symbol));
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| {
                Error::vocabulary(place(), "a whole number", shortened(&value.to_string()))
            })?;
            if let Some(other) = owners.insert(id, symbol.clone()) {
                let found = format!("{id}, the id of {:?}", shortened(&other));
                return Err(Error::vocabulary(place(), "an id of its own", found));
            }
            ids.insert(symbol, id);
        }
        Self::new(&ids, &parse_pairs(merges)?)
    }

    fn new(ids: &HashMap<String, u32>, pairs: &[(&str, &str)]) -> Result<Self> {
        let id = |symbol: &str| {
            let place = || format!("symbol {:?}", shortened(symbol));
            ids.get(symbol).copied().ok_or_else(|| Error::vocabulary(place(), "an id", "none"))
        };
        let mut bytes = vec![[0; 2]; 256];
        let mut values: HashMap<char, u8> = HashMap::new();
        for (byte, symbol) in byte_symbols() {
            bytes[usize::from(byte)] = [id(&symbol.to_string())?, id(&format!("{symbol}{END}"))?];
            values.insert(symbol, byte);
        }
        let mut rules = HashMap::new();
        for (rank, (a, b)) in pairs.iter().enumerate() {
            let rule = (rank, id(&format!("{a}{b}"))?);
            rules.entry((id(a)?, id(b)?)).or_insert(rule);
        }
        let text = |symbol: &str| -> Vec<u8> {
            let (word, end) = match symbol.strip_suffix(END) {
                Some(word) => (word, &b" "[..]),
                None => (symbol, &b""[..]),
            };
            word.chars()
                .filter_map(|c| values.get(&c).copied())
                .chain(end.iter().copied())
                .collect()
        };
        Ok(Vocabulary {
            bytes,
            pairs: rules,
            texts: ids.iter().map(|(symbol, &id)| (id, text(symbol))).collect(),
            marks: [id(MARKS[0])?, id(MARKS[1])?],
        })
    }

    pub(super) fn marks(&self) -> [u32; 2] {
        self.marks
    }
}

impl PairEncoding for Vocabulary {
    fn encode(&self, piece: &str, ids: &mut Vec<u32>) {
        let last = piece.len().saturating_sub(1);
        let symbols = piece.bytes().enumerate();
        let mut word: Vec<u32> = symbols
            .map(|(i, byte)| self.bytes[usize::from(byte)][usize::from(i == last)])
            .collect();
        let pair_at = |word: &[u32], i: usize| self.pairs.get(&(word[i], word[i + 1])).copied();
        while let Some((rank, joined)) = (1..word.len()).filter_map(|i| pair_at(&word, i - 1)).min()
        {
            let mut merged = Vec::with_capacity(word.len());
            let mut i = 0;
            while i < word.len() {
                let is_pair = i + 1 < word.len() && pair_at(&word, i) == Some((rank, joined));
                merged.push(if is_pair { joined } else { word[i] });
                i += if is_pair { 2 } else { 1 };
            }
            word = merged;
        }
        ids.extend(word);
    }

    fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().filter_map(|id| self.texts.get(id)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// All bytes with the characters that stand for them, in the order of their ids: first those that print, as themselves.
fn byte_symbols() -> impl Iterator<Item = (u8, char)> {
    let prints = |b: &u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let others = (0..=u8::MAX).filter(move |b| !prints(b)).zip('\u{100}'..);
    (0..=u8::MAX).filter(prints).map(|b| (b, char::from(b))).chain(others)
}

/// The pairs of a text, which count from its second line.
fn parse_pairs(text: &str) -> Result<Vec<(&str, &str)>> {
    check_size("pairs".into(), text)?;
    let mut pairs = Vec::new();
    for (i, line) in text.trim_end().lines().enumerate().skip(1).take(MAX_PAIRS) {
        let mut symbols = line.split(' ');
        match (symbols.next(), symbols.next(), symbols.next()) {
            (Some(a), Some(b), None) if !a.is_empty() && !b.is_empty() => pairs.push((a, b)),
            _ => {
                let place = format!("line {}", i + 1);
                return Err(Error::vocabulary(place, "two symbols and a space", shortened(line)));
            }
        }
    }
    Ok(pairs)
}

fn check_size(place: String, text: &str) -> Result<()> {
    match text.len() {
        n if n > MAX_FILE => {
            Err(Error::vocabulary(place, format!("at most {MAX_FILE} bytes"), n.to_string()))
        }
        _ => Ok(()),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
