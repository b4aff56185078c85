//! Cleaning of prompts before they are split.

use std::borrow::Cow;

use super::check_length;
use super::fix::fix_text;
use crate::error::Result;

/// A prompt as the tokenizer sees it: repaired, without HTML entities, in small letters, with single spaces.
///
/// The repairs are those that `fix_text` of ftfy makes by default: entities, terminal escapes, ligatures, wide and narrow
/// forms, curled quotes, line breaks, control characters, composed letters; and UTF-8 that was read as Windows-1252 or
/// Latin-1, by a rule of our own that asks for surer signs, so that other code pages and damaged sequences stay.
///
/// # Errors
/// [`Error::TextTooLong`](crate::Error::TextTooLong) beyond 32768 bytes.
///
/// ```
/// assert_eq!(gan_clip::clean("  “CafÃ©” &amp;\n Bar ")?, "\"café\" & bar");
/// # Ok::<(), gan_clip::Error>(())
/// ```
pub fn clean(text: &str) -> Result<String> {
    check_length(text)?;
    let fixed = fix_text(text);
    let once = htmlize::unescape(fixed.as_str());
    let twice: Cow<'_, str> = htmlize::unescape(once.as_ref());
    let words: Vec<&str> = twice.split_whitespace().collect();
    Ok(words.join(" ").to_lowercase())
}
