//! Containers that are cut, changed or made to deceive: typed errors, soon, without the memory that they ask for.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::containers::folder;
use super::*;

const FILES: [&str; 10] = [
    "torch_zip.pt",
    "torch_legacy.pt",
    "torchscript.pt",
    "boundary_dict.npy",
    "fortran.npy",
    "compressed.npz",
    "projected_w.npz",
    "lists_protocol0.pkl",
    "snapshot_protocol4.pkl",
    "tf_stylegan2.pkl",
];

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Opens and decodes everything; whatever comes, it is a value or a typed error, and soon.
#[track_caller]
fn survives(bytes: Vec<u8>, name: &str) -> Result<StateDict> {
    let (size, start) = (bytes.len(), Instant::now());
    let result = from_bytes(bytes, name).map(|found| found.tensors);
    match &result {
        Ok(dict) => {
            let decoded: usize = dict.iter().map(|(_, t)| 4 * t.data.len()).sum();
            assert!(decoded <= 64 * size + (80 << 20), "{decoded} bytes of a file of {size}");
            canonical(dict.clone()).ok();
        }
        Err(e) => {
            assert!(matches!(e, Error::Format { .. } | Error::Weights { .. }), "{name}: {e:?}");
            assert!(e.to_string().len() < 10_000);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
    result
}

#[track_caller]
fn assert_says(bytes: &[u8], words: &str) {
    let message = survives(bytes.to_vec(), "made").unwrap_err().to_string();
    assert!(message.contains(words), "{message}");
}

#[test]
fn cut_files() {
    for name in FILES {
        let whole = bytes(name);
        survives(whole.clone(), name).unwrap();
        for percent in 0..100 {
            let cut = whole[..whole.len() * percent / 100].to_vec();
            let result = survives(cut, name);
            assert!(result.is_err(), "{name} at {percent} %");
        }
    }
}

#[test]
fn what_is_asked_for_is_named() {
    assert_says(b"cos\nsystem\n(S'echo'\ntR.", "`os.system`");
    assert_says(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04echo\x85R.", "`os.system`");
    assert_says(b"\x80\x02cbuiltins\neval\n.", "`builtins.eval`");
    assert_says(&bytes("asks_for_os_system.pkl"), "posix.system");
    assert_says(&bytes("asks_for_os_system.pt"), "posix.system");
}

#[test]
fn values_in_themselves_and_deep_ones() {
    assert_says(&bytes("cycle.pkl"), "nested too deeply");
    assert_says(&bytes("deep.pkl"), "nested too deeply");
    survives(bytes("doubling.pkl"), "doubling.pkl").unwrap_err();
    // Without tensors, only the number of values tells.
    let mut doubling = b"\x80\x04N\x85".to_vec();
    (0..30).for_each(|_| doubling.extend(b"2\x86"));
    doubling.push(b'.');
    let start = Instant::now();
    let empty = survives(doubling, "doubling").unwrap_or_default();
    assert!(empty.is_empty() && start.elapsed() < Duration::from_secs(5));
    let mut marks = vec![b'('; 1 << 20];
    marks.insert(0, 2);
    marks.insert(0, 0x80);
    assert_says(&marks, "ends in the middle");
}

#[test]
fn one_large_value_used_often() {
    // A list of a million numbers as the shape of many tensors, as items of a list, and as keys of dicts.
    let mut list = b"\x80\x02](".to_vec();
    list.extend([b'K', 1].repeat(1 << 20));
    list.extend(b"eq\x00");
    let mut shapes = list.clone();
    shapes.extend(b"ctorch._utils\n_rebuild_tensor_v2\nq\x01(");
    shapes.extend(b"h\x01(K\x00K\x00h\x00h\x00tR".repeat(10_000));
    shapes.extend(b"t.");
    survives(shapes, "shapes").unwrap_err();
    let mut items = list.clone();
    items.extend(b"(");
    items.extend(b"h\x00".repeat(1 << 20));
    items.extend(b"t.");
    assert_says(&items, "too many values");
    let mut dicts = list;
    dicts.extend(b"ccollections\nOrderedDict\nq\x01(");
    dicts.extend(b"h\x01h\x00\x85R".repeat(1 << 18));
    dicts.extend(b"t.");
    survives(dicts, "dicts").unwrap_err();
    // A dict of which no pair has a name, as the value of many.
    let mut nameless = b"\x80\x02](}(".to_vec();
    nameless.extend(b"NN".repeat(900_000));
    nameless.extend(b"uq\x00");
    nameless.extend(b"h\x00".repeat(400_000));
    nameless.extend(b"e.");
    assert_says(&nameless, "too many values");

    // A text of megabytes as the name of everything.
    let mut name = b"\x80\x04X\x00\x00\x40\x00".to_vec();
    name.extend([b'a'].repeat(4 << 20));
    name.extend(b"q\x00");
    let mut keys = name.clone();
    keys.extend(b"}(");
    keys.extend(b"h\x00h\x00".repeat(1 << 18));
    keys.extend(b"u.");
    assert_says(&keys, "a name of more than 1024 bytes");
    let mut globals = name;
    globals.extend(b"h\x00h\x00\x93");
    globals.push(b'.');
    assert_says(&globals, "or a long one");
}

#[test]
fn opcodes_that_lie() {
    for (pickle, words) in [
        (&b"\x80\x06N."[..], "protocol 6"),
        (b"\x80\x02.", "more values than there are"),
        (b"\x80\x02h\x05.", "memo 5"),
        (b"\x80\x02e.", "without a mark"),
        (b"\x80\x02}(K\x01u.", "key without a value"),
        (b"\x80\x02K\x01K\x02a.", "container"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "ends in the middle"),
        (b"\x80\x02X\xff\xff\xff\xffab.", "ends in the middle"),
        (b"\x80\x02\x82\x01.", "opcode 0x82"),
        (b"\x80\x02K\x01K\x01R.", "a call of what is no name"),
    ] {
        assert_says(pickle, words);
    }
}

/// A torch file of one float tensor with these numbers in its pickle.
fn torch_tensor(elements: u8, offset: u8, shape: [u8; 2], strides: [u8; 2]) -> Vec<u8> {
    let mut out =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    out.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    out.extend(
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage",
    );
    out.extend(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK");
    out.push(elements);
    out.extend(b"NtQK");
    out.push(offset);
    for pair in [shape, strides] {
        out.extend([b'K', pair[0], b'K', pair[1], 0x86]);
    }
    out.extend(b"\x89NtRs.\x80\x02]X\x01\x00\x00\x000a.");
    out.extend(6u64.to_le_bytes());
    (0..6).for_each(|x| out.extend((x as f32).to_le_bytes()));
    out
}

#[test]
fn strides_and_storages_that_lie() {
    let dict = survives(torch_tensor(6, 0, [2, 3], [1, 2]), "made").unwrap();
    assert_eq!(dict.get("w").unwrap().data, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    let dict = survives(torch_tensor(6, 1, [2, 2], [3, 1]), "made").unwrap();
    assert_eq!(dict.get("w").unwrap().data, [1.0, 2.0, 4.0, 5.0]);
    for (file, words) in [
        (torch_tensor(7, 0, [2, 3], [3, 1]), "storage of 7"),
        (torch_tensor(6, 1, [2, 3], [3, 1]), "ends at byte 28"),
        (torch_tensor(6, 0, [2, 3], [0, 1]), "overlap"),
        (torch_tensor(6, 0, [2, 3], [2, 1]), "overlap"),
        (torch_tensor(6, 0, [255, 255], [0, 0]), "overlap"),
    ] {
        let message = survives(file, "made").unwrap_err().to_string();
        assert!(message.contains("`w`") && message.contains(words), "{message}");
    }
}

#[test]
fn equal_names() {
    let array = bytes("lists_protocol4.pkl");
    // {'a': x, 'a': x} with x the arrays of that file.
    let inner = &array[11..array.len() - 1];
    let mut twice = b"\x80\x04}\x8c\x01a".to_vec();
    twice.extend(inner);
    twice.extend(b"s\x8c\x01ah\x00s.");
    let message = survives(twice, "twice").unwrap_err().to_string();
    assert!(message.contains("`a."), "{message}");
}

/// The directory's record of an entry, and where it starts.
fn directory_of(archive: &[u8], name: &str) -> usize {
    let is_it = |w: &[u8]| w.starts_with(b"PK\x01\x02");
    let mut starts = (0..archive.len() - 46).filter(|&i| is_it(&archive[i..]));
    starts.find(|i| archive[i + 46..].starts_with(name.as_bytes())).unwrap()
}

#[test]
fn archives_that_lie() {
    let archive = bytes("compressed.npz");
    let entry = directory_of(&archive, "w.npy");
    let changed = |at: usize, to: &[u8]| {
        let mut out = archive.clone();
        out[at..at + to.len()].copy_from_slice(to);
        out
    };
    // Uncompressed and compressed sizes, checksum, place, method, encryption.
    assert_says(&changed(entry + 24, &[0xff, 0xff, 0xff, 0x7f]), "zip bomb");
    assert_says(&changed(entry + 24, &100u32.to_le_bytes()), "longer than the directory says");
    assert_says(&changed(entry + 24, &100_000u32.to_le_bytes()), "fewer bytes");
    assert_says(&changed(entry + 20, &100_000u32.to_le_bytes()), "`w.npy`");
    assert_says(&changed(entry + 16, &[1, 2, 3, 4]), "checksum");
    let other = directory_of(&archive, "zeros.npy") + 42;
    assert_says(&changed(entry + 42, &archive[other..other + 4]), "overlap");
    assert_says(&changed(entry + 42, &[0xff, 0xff, 0xff, 0x7f]), "incomplete");
    assert_says(&changed(entry + 10, &[14, 0]), "compression method 14");
    assert_says(&changed(entry + 8, &[1, 0]), "encrypted");
    let stored = bytes("projected_w.npz");
    let entry = directory_of(&stored, "w.npy");
    let mut lying = stored.clone();
    lying[entry + 24..entry + 28].copy_from_slice(&100_000u32.to_le_bytes());
    assert_says(&lying, "in another size");
    // Two entries with one name: the last letter of `half.npy`'s neighbour would need as many letters.
    let zeros = directory_of(&archive, "zeros.npy");
    let mut twin = archive.clone();
    twin[zeros + 28] = 5;
    twin[zeros + 30] += 4;
    twin[zeros + 46..zeros + 51].copy_from_slice(b"w.npy");
    assert_says(&twin, "two entries have the name `w.npy`");
    assert_says(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "nothing");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    })]

    #[test]
    fn changed_files(
        file in 0usize..FILES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes(FILES[file]);
        for (at, to) in flips {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survives(bytes, FILES[file]).ok();
    }

    #[test]
    fn any_pickle(body in prop::collection::vec(prop::sample::select(
        b"(0)]}NKabdehjlpqrstuQR.\x80\x85\x86\x87\x88\x8a\x8c\x8e\x8f\x90\x91\x93\x94\x95\x02\x00\x01".to_vec(),
    ), 0..60)) {
        let mut bytes = vec![0x80, 4];
        bytes.extend(body);
        bytes.push(b'.');
        survives(bytes, "any").ok();
    }
}
