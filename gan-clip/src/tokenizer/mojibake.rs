//! UTF-8 that was read as Windows-1252 or Latin-1.

/// What the bytes 0x80 to 0x9f are in Windows-1252; the five that it has no character for stay, as in browsers.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A text with the sequences repaired that are UTF-8 beyond reasonable doubt.
pub(super) fn repair(text: &str) -> String {
    let mut text = text.to_owned();
    // What was damaged twice is repaired twice. Each repair makes the text shorter, or takes an Ã out of it.
    while let Some(repaired) = repair_once(&text) {
        text = repaired;
    }
    text
}

/// A control character that Latin-1 has and nobody means, as Windows-1252 has it.
pub(super) fn without_c1(c: char) -> char {
    match c {
        '\u{80}'..='\u{9f}' => WINDOWS_1252[c as usize - 0x80],
        _ => c,
    }
}

fn repair_once(text: &str) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut repaired = String::with_capacity(text.len());
    let (mut i, mut changed) = (0, false);
    while i < chars.len() {
        let starts_word = i == 0 || chars[i - 1].is_whitespace();
        let found = sequence(&chars[i..]).or_else(|| lone_a(&chars[i..]).filter(|_| starts_word));
        repaired.push(found.map_or(chars[i], |(c, _)| c));
        changed |= found.is_some();
        i += found.map_or(1, |(_, len)| len);
    }
    changed.then_some(repaired)
}

/// The character that the first of `chars` are the bytes of, and how many.
fn sequence(chars: &[char]) -> Option<(char, usize)> {
    let lead = byte(chars[0])?;
    let len = match lead {
        0xc2..=0xde => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes: Vec<u8> = chars.get(..len)?.iter().map(|c| byte(*c)).collect::<Option<_>>()?;
    let decoded = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    // Accented letters do stand before quotes and dashes; these two hardly ever stand at the end of a word.
    let is_sure = matches!(chars[0], 'Â' | 'Ã') || len == 4;
    let meant = chars[1..len].iter().all(|c| is_punctuation(*c));
    (is_sure || !meant).then_some((decoded, len))
}

/// An à that is a word, whose second byte was a space to somebody and became one.
fn lone_a(chars: &[char]) -> Option<(char, usize)> {
    chars.starts_with(&['Ã', ' ']).then_some(('à', 1))
}

/// The byte that was read as this character, beyond ASCII.
fn byte(c: char) -> Option<u8> {
    match c {
        '\u{80}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        _ => (0x80..).zip(WINDOWS_1252).find(|(_, w)| *w == c).map(|(byte, _)| byte),
    }
}

/// What may follow an accented letter in a text that is as it should be.
fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '\u{a0}'
            | '«'
            | '»'
            | '·'
            | '…'
            | '‘'
            | '’'
            | '“'
            | '”'
            | '•'
            | '–'
            | '—'
            | '‹'
            | '›'
            | '™'
            | '®'
    )
}
