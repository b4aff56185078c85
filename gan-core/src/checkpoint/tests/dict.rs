//! Tensors by name, in memory.

use super::*;

#[test]
fn dict_basics() {
    let mut dict = named(&["b.x", "a.y", "a.x"]);
    dict.set_metadata("licence", "none");
    assert_eq!(dict.names().collect::<Vec<_>>(), ["a.x", "a.y", "b.x"]);
    assert_eq!((dict.len(), dict.is_empty()), (3, false));
    let a = dict.subset("a.");
    assert_eq!(a.names().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(a.metadata()["licence"], "none");
    assert_eq!(dict.clone().into_subset("a."), a);
    assert!(dict.subset("b.x").is_empty());
    assert!(dict.take("a.x").is_ok());
    let message = dict.take("a.x").unwrap_err().to_string();
    assert_eq!(message, "checkpoint tensor `a.x`: expected a tensor, found nothing");

    for (name, t) in [
        ("b.x", tensor(&[], &[1.0])),
        ("", tensor(&[], &[1.0])),
        ("__metadata__", tensor(&[], &[1.0])),
        ("a\u{1b}[2J", tensor(&[], &[1.0])),
        (&"n".repeat(513), tensor(&[], &[1.0])),
        ("c", tensor(&[2], &[1.0])),
        ("c", tensor(&[1; 9], &[1.0])),
        ("c", tensor(&[0, usize::MAX, 2], &[])),
        ("c", tensor(&[usize::MAX, usize::MAX, 0], &[])),
    ] {
        assert!(matches!(dict.insert(name, t), Err(Error::Weights { .. })), "{name}");
    }
}

#[test]
fn non_finite_values_are_counted() {
    let mut dict = named(&["fine"]);
    dict.check_finite().unwrap();
    dict.insert("u", tensor(&[3], &[f32::NAN, 0.0, f32::INFINITY])).unwrap();
    dict.insert("v", tensor(&[1], &[f32::NEG_INFINITY])).unwrap();
    assert_eq!(dict.non_finite(), [("u".to_owned(), 2), ("v".to_owned(), 1)]);
    let message = dict.check_finite().unwrap_err().to_string();
    assert!(message.contains("`u`") && message.contains("2 of 3"), "{message}");
    let read = read(&file_bytes(&dict)).unwrap();
    assert_eq!(read.non_finite(), dict.non_finite());
}
