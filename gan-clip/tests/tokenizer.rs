//! Prompts of any kind become tokens, or an error that says what is wrong; the golden cases are in the conformance set.

#![allow(clippy::unwrap_used)]

use gan_clip::{CONTEXT, Error, Overflow, Tokenizer, Tokens, clean};
use proptest::prelude::*;

/// A vocabulary of one's own: bytes, three pairs, marks.
const PAIRS: &str = "#version: 0.2\nl o\nlo w</w>\nn e\n";

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.ids(text).unwrap()
}

#[test]
fn a_prompt_that_is_too_long_is_refused_or_cut() {
    let tokenizer = Tokenizer::new();
    for (words, fits) in [(75, true), (76, false), (1000, false)] {
        let prompt = vec!["cat"; words].join(" ");
        let tokens = tokenizer.encode(&["short", prompt.as_str()], Overflow::Refuse);
        match tokens {
            Ok(tokens) => assert!(fits && tokens.len() == CONTEXT && tokens.count() == 2),
            Err(Error::PromptTooLong { text, most, found }) => {
                assert!(!fits && prompt.starts_with(&text));
                assert_eq!((most, found), (CONTEXT, words + 2));
            }
            Err(other) => panic!("{other}"),
        }
        let cut = tokenizer.encode(&[&prompt], Overflow::Truncate).unwrap();
        let row = cut.rows().next().unwrap();
        assert_eq!((row.len(), row[0], row[CONTEXT - 1]), (CONTEXT, 49406, 49407));
    }
    let text = tokenizer.encode(&[vec!["cat"; 76].join(" ")], Overflow::Refuse).unwrap_err();
    assert!(text.to_string().contains("truncation"), "{text}");
}

#[test]
fn what_is_no_prompt_at_all_is_refused() {
    let tokenizer = Tokenizer::new();
    let long = "a".repeat(1 << 16);
    assert!(matches!(tokenizer.ids(&long), Err(Error::TextTooLong { .. })));
    assert!(matches!(clean(&long), Err(Error::TextTooLong { .. })));
    let none: [&str; 0] = [];
    assert!(matches!(tokenizer.encode(&none, Overflow::Refuse), Err(Error::Tokens { .. })));
    for (ids, count) in [(vec![], 1), (vec![1, 2, 3], 2), (vec![1], 0), (vec![1], 2)] {
        assert!(matches!(Tokens::new(ids, count), Err(Error::Tokens { .. })));
    }
    for context in [0, 1, usize::MAX] {
        assert!(matches!(Tokenizer::new().with_context(context), Err(Error::Argument { .. })));
    }
}

#[test]
fn the_worst_texts_take_no_time() {
    let tokenizer = Tokenizer::new();
    let nested = format!("&{}", "amp;".repeat(8000));
    let letters: String =
        (0..30_000u64).map(|i| char::from(b'a' + (i * i * 7919 % 1009 % 26) as u8)).collect();
    for text in
        [&nested, &letters, &"Ã".repeat(16_000), &"ÃƒÂ".repeat(5000), &"\u{300}".repeat(16_000)]
    {
        tokenizer.ids(text).unwrap();
    }
}

#[test]
fn the_place_of_the_end_is_that_of_the_first() {
    let tokenizer = Tokenizer::new();
    let tokens = tokenizer.encode(&["a b", "", "a <|ENDOFTEXT|> b"], Overflow::Refuse).unwrap();
    assert_eq!(tokens.ends().collect::<Vec<_>>(), [3, 1, 2]);
}

#[test]
fn own_pairs_are_joined_in_their_order() {
    let tokenizer = Tokenizer::from_pairs(PAIRS).unwrap();
    // 512 symbols of bytes, then the pairs, then the marks.
    assert_eq!(tokenizer.marks(), [515, 516]);
    let byte = |c: char| c as u32 - u32::from(b'!');
    assert_eq!(ids(&tokenizer, "low"), [513]);
    assert_eq!(ids(&tokenizer, "lower"), [512, byte('w'), byte('e'), byte('r') + 256]);
    assert_eq!(ids(&tokenizer, "newlo"), [514, byte('w'), byte('l'), byte('o') + 256]);
    assert_eq!(
        tokenizer.decode(&ids(&tokenizer, "low lower <|endoftext|> é")),
        "low lower <|endoftext|>é "
    );
}

#[test]
fn files_of_hugging_face_give_the_same_pieces_under_their_own_ids() {
    let pairs = Tokenizer::from_pairs(PAIRS).unwrap();
    let json = vocab_json(|id| 1000 - id);
    let files = Tokenizer::from_files(&json, PAIRS).unwrap();
    for text in ["low", "a new low, 7 owls'", "été"] {
        let expected: Vec<u32> = ids(&pairs, text).into_iter().map(|id| 1000 - id).collect();
        assert_eq!(ids(&files, text), expected, "{text}");
    }
    assert_eq!(files.marks(), [1000 - 515, 1000 - 516]);
}

/// The symbols of [`PAIRS`] with their ids, changed.
fn vocab_json(change: impl Fn(u32) -> u32) -> String {
    let printing = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let own = (0..=255).filter(|b| printing(*b)).map(char::from);
    let others = ('\u{100}'..).take(256 - own.clone().count());
    let bytes: Vec<String> = own.chain(others).map(String::from).collect();
    let ends = bytes.iter().map(|b| format!("{b}</w>"));
    let more = ["lo", "low</w>", "ne", "<|startoftext|>", "<|endoftext|>"].map(str::to_owned);
    let all = bytes.iter().cloned().chain(ends).chain(more);
    let entry = |(id, symbol): (u32, String)| {
        let symbol = symbol.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{symbol}\": {}", change(id))
    };
    let entries: Vec<String> = (0..).zip(all).map(entry).collect();
    format!("{{{}}}", entries.join(", "))
}

#[test]
fn hostile_vocabularies_are_refused_with_the_place() {
    for (text, place) in [
        ("#\nl o\nx\n", "line 3"),
        ("#\nl o w\n", "line 2"),
        ("#\nl  o\n", "line 2"),
        ("#\n\nl o\n", "line 2"),
        ("#\nunheard of\n", "unheard"),
        ("#\nl o</w>\nlo</w> 猫\n", "猫"),
    ] {
        let error = Tokenizer::from_pairs(text).unwrap_err();
        assert!(matches!(error, Error::Vocabulary { .. }), "{error}");
        assert!(error.to_string().contains(place), "{text:?}: {error}");
    }
    let good = vocab_json(|id| id);
    let without = |symbol: &str| good.replace(&format!("\"{symbol}\": "), "\"gone\": ");
    for (json, place) in [
        (String::new(), "vocab.json"),
        ("[]".into(), "vocab.json"),
        ("{\"a\": 1.5}".into(), "whole number"),
        ("{\"a\": -1}".into(), "whole number"),
        ("{\"a\": 99999999999}".into(), "whole number"),
        (vocab_json(|_| 7), "an id of its own"),
        (without("é"), "é"),
        (without("low</w>"), "low</w>"),
        (without("<|endoftext|>"), "endoftext"),
        ("[".repeat(100_000), "vocab.json"),
    ] {
        let error = Tokenizer::from_files(&json, PAIRS).unwrap_err();
        assert!(matches!(error, Error::Vocabulary { .. }), "{error}");
        // é is stored as two bytes, each a symbol of its own.
        assert!(error.to_string().contains(place), "{place}: {error}");
    }
}

#[test]
fn entities_quotes_widths_and_damaged_letters_are_repaired() {
    for (text, cleaned) in [
        ("P&EACUTE;REZ &semi; &unheard;", "pérez ; &unheard;"),
        ("<b>&amp;lt;</b>", "<b><</b>"),
        ("ÃƒÂ© twice", "é twice"),
        ("MENÜ–KARTE “É” Größe² «é»", "menü–karte \"é\" größe² «é»"),
        ("Ã la carte", "à la carte"),
        ("RÃ‰SUMÃ‰ Ð¿Ñ€Ð¸Ð²ÐµÑ‚ â‚¬", "résumé привет €"),
        ("é…” cafÃ© â€¦ ã‚«", "é…\" café … カ"),
    ] {
        assert_eq!(clean(text).unwrap(), cleaned, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_has_tokens_and_cleaning_is_done_once(text in "\\PC{0,40}") {
        let tokenizer = tokenizer();
        let ids = tokenizer.ids(&text).unwrap();
        prop_assert!(ids.iter().all(|id| *id <= 49407));
        tokenizer.decode(&ids);
        let cut = tokenizer.encode(&[&text], Overflow::Truncate).unwrap();
        prop_assert_eq!(cut.len(), CONTEXT);
    }

    #[test]
    fn any_bytes_are_no_vocabulary_and_no_panic(text in "\\PC{0,200}", lines in "(#\n)([a-z]{1,2} [a-z]{1,2}\n){0,8}") {
        let _ = Tokenizer::from_pairs(&text);
        let _ = Tokenizer::from_files(&text, &lines);
        let _ = Tokenizer::from_pairs(&lines).map(|tokenizer| tokenizer.ids("some text").unwrap());
    }

    #[test]
    fn own_pairs_give_what_the_text_was_made_of(word in "[lowne]{1,12}") {
        let tokenizer = Tokenizer::from_pairs(PAIRS).unwrap();
        prop_assert_eq!(tokenizer.decode(&tokenizer.ids(&word).unwrap()), format!("{word} "));
    }
}

/// It takes a while to make.
fn tokenizer() -> &'static Tokenizer {
    static SHARED: std::sync::OnceLock<Tokenizer> = std::sync::OnceLock::new();
    SHARED.get_or_init(Tokenizer::new)
}
