//! Choices of layers and seeds, as a user types them.

use crate::support::assert_refused;
use gan_core::{Error, Layers, Seeds, parse_indices};

#[test]
fn layers_as_text() {
    for text in ["", " ", "5-2", "a-b", "1-", "-1", "99999999999", "1,,2", "1-2-3", "0x1", "1.5"] {
        assert_refused!(text.parse::<Layers>(), Error::Argument { .. }, "layers: expected");
    }
    for text in ["a-b", "1-", "99999999999", "0-65536", ","] {
        assert_refused!(parse_indices(text, 0, 9), Error::Argument { .. }, "layers: expected");
    }
    assert_refused!(
        parse_indices("3-12", 0, 9),
        Error::Argument { .. },
        "indices 0 to 9",
        "found 3-12"
    );
    let error = "5-2".parse::<Layers>().unwrap_err().to_string();
    assert!(error.contains("ascends") && error.contains("5-2"), "{error}");
}

#[test]
fn seeds_as_text() {
    for text in ["-1", "4294967296", "5-2", "", "1,", "a", "0-4294967295"] {
        assert_refused!(text.parse::<Seeds>(), Error::Argument { .. }, "seeds: expected");
    }
}
