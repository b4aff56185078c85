//! Files that were made to deceive, and random changes.

use proptest::prelude::*;

use super::*;

#[test]
fn headers_that_lie() {
    let one = |shape: &str, offsets: &str| {
        format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let body = [0; 8];
    read(&with_header(&one("[2]", "[0,8]"), &body)).unwrap();
    let two = |names: (&str, &str), a: &str, b: &str| {
        let entry = |name: &str, offsets: &str| {
            format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{offsets}}}")
        };
        format!("{{{},{}}}", entry(names.0, a), entry(names.1, b))
    };
    read(&with_header(&two(("a", "b"), "[4,8]", "[0,4]"), &body)).unwrap();
    let wrong = [
        one("[3]", "[0,8]"),
        one("[2]", "[0,9]"),
        one("[2]", "[8,0]"),
        one("[2]", "[4,12]"),
        one("[1]", "[0,4]"),
        one("[-2]", "[0,8]"),
        one("[4294967296,4294967296]", "[0,8]"),
        one("[18446744073709551615]", "[0,8]"),
        one("[18446744073709551616]", "[0,8]"),
        two(("a", "b"), "[0,4]", "[0,4]"),
        two(("a", "b"), "[0,8]", "[4,8]"),
        // Equal names: the second could hide the first.
        two(("a", "a"), "[0,4]", "[4,8]"),
        two(("a", "a"), "[0,4]", "[0,4]"),
        two(("a", "\\u0061"), "[0,4]", "[0,4]"),
        "[]".to_owned(),
        "{\"a\":1}".to_owned(),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
    ];
    for header in wrong {
        let result = read(&with_header(&header, &body));
        assert!(matches!(result, Err(Error::Format { .. })), "{header:.80}: {result:?}");
    }
    let same = read(&with_header(&two(("a", "a"), "[0,4]", "[0,4]"), &body[..4]));
    assert!(same.unwrap_err().to_string().contains("same name"));
    // Eight tensors that claim all bytes that there could be.
    let claimed = (1u64 << 61) - 1;
    let entry = |i: u64| {
        let (start, end) = (i * claimed, (i + 1) * claimed);
        format!(
            "\"{i}\":{{\"dtype\":\"U8\",\"shape\":[{claimed}],\"data_offsets\":[{start},{end}]}}"
        )
    };
    let all: Vec<String> = (0..8).map(entry).collect();
    let all = with_header(&format!("{{{}}}", all.join(",")), &body);
    assert!(read(&all).unwrap_err().to_string().contains("incomplete"));
    // Sizes whose strides overflow although the tensor is empty.
    let empty = with_header(&one("[0,9223372036854775807,4]", "[0,0]"), &[]);
    assert!(matches!(read(&empty), Err(Error::Weights { .. })));
    let deep = with_header(&one(&format!("[{}1]", "1,".repeat(1000)), "[0,4]"), &[0; 4]);
    assert!(matches!(read(&deep), Err(Error::Weights { .. })));
    // Colons and braces in names are no structure.
    let name = "a:{[\\\\\\\"}";
    let odd = with_header(&two((name, "b"), "[0,4]", "[4,8]"), &body);
    assert_eq!(read(&odd).unwrap().names().last(), Some("b"));
}

/// A file of this header.
fn with_header(header: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Reads and converts; whatever comes, it is a value or a typed error, and soon.
fn survives(bytes: &[u8]) {
    let result = read(bytes).and_then(|dict| {
        let dict = if dict.names().any(|n| n.starts_with("weights.")) {
            dict.into_subset("weights.")
        } else {
            dict
        };
        dict.check_finite().ok();
        canonical(dict)
    });
    if let Err(e) = &result {
        let typed =
            matches!(e, Error::Format { .. } | Error::Weights { .. } | Error::Layout { .. });
        assert!(typed, "{e:?}");
        assert!(e.to_string().len() < 10_000);
    }
}

#[test]
fn truncated_files() {
    for case in [ROSINALITY_R8, GENFORCE_LABEL, NVIDIA_SKIP] {
        let bytes = std::fs::read(path(case)).unwrap();
        for percent in 0..100 {
            let cut = &bytes[..bytes.len() * percent / 100];
            assert!(matches!(read(cut), Err(Error::Format { .. })), "{case} {percent} %");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(read(&longer).unwrap_err().to_string().contains("incomplete"));
    }
}

#[test]
fn swapped_offsets() {
    let dict = golden_weights(ROSINALITY_R8);
    let bytes = file_bytes(&dict);
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let text = std::str::from_utf8(&bytes[8..8 + header]).unwrap();
    let body = &bytes[8 + header..];
    let offsets: Vec<_> = text.split("\"data_offsets\":").skip(1).collect();
    let offsets: Vec<_> = offsets.iter().map(|s| &s[..=s.find(']').unwrap()]).collect();
    for pair in offsets.windows(2) {
        let swapped = text.replacen(pair[0], "first", 1).replacen(pair[1], pair[0], 1);
        survives(&with_header(&swapped.replacen("first", pair[1], 1), body));
        survives(&with_header(&text.replacen(pair[0], pair[1], 1), body));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn mutated_files(
        case in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..6),
        in_header in any::<bool>(),
        length in prop::option::weighted(0.1, any::<u64>()),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let case = [ROSINALITY_R8, GENFORCE_LABEL, NVIDIA_SKIP][case];
        let mut bytes = std::fs::read(path(case)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (at, mask) in flips {
            let span = if in_header { 8 + header } else { bytes.len() };
            bytes[at.index(span)] ^= mask;
        }
        if let Some(length) = length {
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survives(&bytes);
    }

    #[test]
    fn mutated_header_text(
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec![
            "9", "0", "-", "\"", "{", "}", "[", "]", ",", ":", "\\", "b", ".", "null",
        ]),
        remove in 0usize..4,
    ) {
        let bytes = std::fs::read(path(NVIDIA_MAPPING)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut text = bytes[8..8 + header].to_vec();
        let at = at.index(text.len() - 4);
        text.splice(at..at + remove, with.bytes());
        let mut changed = (text.len() as u64).to_le_bytes().to_vec();
        changed.extend(text);
        changed.extend(&bytes[8 + header..]);
        survives(&changed);
    }

    #[test]
    fn any_dict_survives_a_file(
        shapes in prop::collection::btree_map(
            ".{1,12}", prop::collection::vec(0usize..4, 0..4), 0..6,
        ),
        metadata in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
    ) {
        let mut dict = StateDict::default();
        for (name, shape) in shapes {
            let len = shape.iter().product::<usize>();
            let data = (0..len).map(|x| x as f32 - 1.5).collect();
            // Names with control characters are refused.
            dict.insert(name, HostTensor { shape, data }).ok();
        }
        for (key, value) in metadata {
            dict.set_metadata(key, value);
        }
        prop_assert_eq!(read(&file_bytes(&dict)).unwrap(), dict);
    }
}
