//! What `fix_text` of ftfy 6 does to a text by default.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use unicode_normalization::UnicodeNormalization;

use super::mojibake;

/// Letters of a font, and what they are made of.
const LIGATURES: [(char, &str); 22] = [
    ('Ĳ', "IJ"),
    ('ĳ', "ij"),
    ('ŉ', "'n"),
    ('Ǳ', "DZ"),
    ('ǲ', "Dz"),
    ('ǳ', "dz"),
    ('Ǆ', "DŽ"),
    ('ǅ', "Dž"),
    ('ǆ', "dž"),
    ('Ǉ', "LJ"),
    ('ǈ', "Lj"),
    ('ǉ', "lj"),
    ('Ǌ', "NJ"),
    ('ǋ', "Nj"),
    ('ǌ', "nj"),
    ('ﬀ', "ff"),
    ('ﬁ', "fi"),
    ('ﬂ', "fl"),
    ('ﬃ', "ffi"),
    ('ﬄ', "ffl"),
    ('ﬅ', "ſt"),
    ('ﬆ', "st"),
];

static ENTITY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("&#?[0-9A-Za-z]{1,24};").expect("the pattern is valid"));
static TERMINAL_ESCAPE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\x1b\[[\d;]*[a-zA-Z]").expect("the pattern is valid"));

/// Repairs a text, line by line.
pub(super) fn fix_text(text: &str) -> String {
    let mut entities = true;
    let mut fixed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        // What has tags is HTML itself, from there on.
        entities &= !line.contains('<');
        fixed += &fix_line(line, entities);
    }
    fixed
}

/// One repair may bring another to light.
fn fix_line(line: &str, entities: bool) -> String {
    let mut text = line.to_owned();
    loop {
        let mut fixed = if entities { unescape(&text) } else { text.clone() };
        fixed = mojibake::repair(&fixed);
        fixed = fixed.chars().fold(String::with_capacity(fixed.len()), |mut out, c| {
            push_standard(mojibake::without_c1(c), &mut out);
            out
        });
        let plain = TERMINAL_ESCAPE.replace_all(&fixed, "");
        let fixed: String = plain.chars().filter(|c| !is_unwanted(*c)).nfc().collect();
        if fixed == text {
            return fixed;
        }
        text = fixed;
    }
}

/// Entities that end as they should, and those in capitals that name small letters.
fn unescape(text: &str) -> String {
    let replaced = ENTITY.replace_all(text, |found: &Captures<'_>| {
        let entity = &found[0];
        let decoded = htmlize::unescape(entity);
        if decoded != entity {
            // Half a name is no name.
            let whole = !decoded.contains(';') || entity == "&semi;";
            return if whole { decoded.into_owned() } else { entity.to_owned() };
        }
        let small = entity.to_lowercase();
        let decoded = htmlize::unescape(small.as_str());
        let in_capitals = !entity.contains(char::is_lowercase);
        match in_capitals && decoded != small && !decoded.contains(';') {
            true => decoded.to_uppercase(),
            false => entity.to_owned(),
        }
    });
    replaced.into_owned()
}

/// Adds a character in its standard form.
fn push_standard(c: char, out: &mut String) {
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
        '\u{201c}'..='\u{201f}' => out.push('"'),
        '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
        '\u{3000}' => out.push(' '),
        '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
        _ => match LIGATURES.iter().find(|(ligature, _)| *ligature == c) {
            Some((_, letters)) => out.push_str(letters),
            None => out.push(c),
        },
    }
}

/// Characters without meaning in a text.
fn is_unwanted(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}
