//! Files: what is written is read again, and what is no such file is named.

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::*;

#[test]
fn save_and_open() {
    let mut dict = golden_weights(ROSINALITY_R8);
    dict.insert("empty", tensor(&[2, 0], &[])).unwrap();
    dict.insert("quoted \"name\" \\ ü", tensor(&[1], &[-0.0])).unwrap();
    dict.set_metadata("key \"\\\n\u{1}", "value \u{7f} ü 像");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    dict.save(&path).unwrap();
    assert_eq!(StateDict::open(&path).unwrap(), dict);
    dict.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, file_bytes(&dict));
    // The crate of the format reads the same.
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), dict.len());
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(header % 8, 0);
    let empty = StateDict::default();
    assert_eq!(read(&file_bytes(&empty)).unwrap(), empty);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}

#[test]
fn failed_save_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dict = golden_weights(NVIDIA_MAPPING);
    let missing = folder.path().join("missing/a.safetensors");
    assert!(matches!(dict.save(&missing), Err(Error::Io { action: "write", .. })));
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("x"), "").unwrap();
    assert!(matches!(dict.save(&taken), Err(Error::Io { action: "rename", .. })));
    let left: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["taken"]);
    assert!(matches!(dict.save("/"), Err(Error::Io { .. })));
}

#[test]
fn number_formats() {
    let values = [0.0f32, -1.5, 65504.0, 6e-5, f32::INFINITY];
    let halves: Vec<u8> =
        values.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let brains: Vec<u8> =
        values.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
    let doubles: Vec<u8> = values.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect();
    let big: Vec<u8> = 1e300f64.to_le_bytes().to_vec();
    let view = |dtype, len, bytes| TensorView::new(dtype, vec![len], bytes).unwrap();
    let bytes = serialize(
        [
            ("f16", view(Dtype::F16, 5, &halves)),
            ("bf16", view(Dtype::BF16, 5, &brains)),
            ("f64", view(Dtype::F64, 5, &doubles)),
            ("big", view(Dtype::F64, 1, &big)),
        ],
        None,
    );
    let dict = read(&bytes.unwrap()).unwrap();
    assert_eq!(dict.get("f64").unwrap().data, values);
    let close = |name: &str, bits: i32| {
        for (x, y) in dict.get(name).unwrap().data.iter().zip(values) {
            assert!(*x == y || (x - y).abs() <= y.abs() * 0.5f32.powi(bits), "{name}: {x} {y}");
        }
    };
    close("f16", 10);
    close("bf16", 7);
    assert_eq!(dict.get("big").unwrap().data, [f32::INFINITY]);

    // Integers are read as numbers; formats of less than a byte are not.
    let counts = [3i64, -4].map(i64::to_le_bytes).concat();
    let view = TensorView::new(Dtype::I64, vec![2], &counts).unwrap();
    let dict = read(&serialize([("count", view)], None).unwrap()).unwrap();
    assert_eq!(dict.get("count").unwrap().data, [3.0, -4.0]);
    assert_eq!(dict.number_format("count"), Some(NumberFormat::I64));
    let view = TensorView::new(Dtype::F8_E4M3, vec![], &[0]).unwrap();
    let message = read(&serialize([("count", view)], None).unwrap()).unwrap_err().to_string();
    assert!(message.contains("`count`") && message.contains("F8_E4M3"), "{message}");
}

#[test]
fn formats_survive_saving_and_can_be_changed() {
    let values = [1.0f32, -0.5, 1e5];
    let halves: Vec<u8> =
        values[..2].iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F16, vec![2], &halves).unwrap();
    let mut dict = read(&serialize([("half", view)], None).unwrap()).unwrap();
    dict.insert("single", tensor(&[3], &values)).unwrap();
    let again = read(&file_bytes(&dict)).unwrap();
    assert_eq!(again, dict);
    assert_eq!(again.number_format("half"), Some(NumberFormat::F16));
    assert_eq!(again.number_format("single"), Some(NumberFormat::F32));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let message = dict.save_as(&path, NumberFormat::F16).unwrap_err().to_string();
    assert!(message.contains("`single`") && message.contains("1e5"), "{message}");
    assert!(!path.exists());
    dict.save_as(&path, NumberFormat::Bf16).unwrap();
    let brains = StateDict::open(&path).unwrap();
    assert_eq!(brains.number_format("half"), Some(NumberFormat::Bf16));
    assert_eq!(brains.get("half").unwrap().data, values[..2]);
    assert!(matches!(dict.save_as(&path, NumberFormat::I8), Err(Error::Argument { .. })));
}

#[test]
fn half_precision_network() {
    let dict = golden_weights(NVIDIA_SKIP);
    let to_half = |t: &HostTensor| -> Vec<u8> {
        t.data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
    };
    let halves: Vec<_> = dict.iter().map(|(name, t)| (name, &t.shape, to_half(t))).collect();
    let views = halves.iter().map(|(name, shape, bytes)| {
        (*name, TensorView::new(Dtype::F16, (*shape).clone(), bytes).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    std::fs::write(&path, serialize(views, None).unwrap()).unwrap();
    let out = canonical(StateDict::open(&path).unwrap()).unwrap().dict;
    assert_eq!(names(&out), names(&dict));
    for (name, t) in dict.iter() {
        assert_close(&out.get(name).unwrap().data, &t.data, 1e-3);
    }
}

#[test]
fn other_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let reason = |bytes: &[u8]| {
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let opened = StateDict::open(&path).unwrap_err();
        let in_memory = from_bytes(bytes.to_vec(), &path).unwrap_err();
        assert_eq!(opened.to_string(), in_memory.to_string());
        assert_eq!(opened.to_string(), super::read_copy(&path).unwrap_err().to_string());
        assert!(matches!(opened, Error::Format { .. }));
        opened.to_string()
    };
    assert!(reason(b"PK\x03\x04\x14\0\0\x08\x08\0\0\0\0\0").contains("incomplete"));
    assert!(reason(b"\x80\x02}q\x00(X\x10\x00\x00\x00").contains("ends in the middle of a pickle"));
    assert!(reason(b"\x80\x04\x95\x00").contains("ends in the middle of a pickle"));
    assert!(reason(b"\x93NUMPY\x01\x00v\x00").contains("header is not complete"));
    assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(reason(b"<!DOCTYPE html><html>").contains("web page"));
    assert!(reason(b"").contains("only 0 bytes"));
    assert!(reason(&[0; 7]).contains("only 7 bytes"));
    assert!(reason(&[0; 8]).contains("JSON"));
    assert!(reason(&[255; 100]).contains("a header of 18446744073709551615 bytes"));
    let mut huge = file_bytes(&named(&["x"]));
    huge[..8].copy_from_slice(&99_999_999u64.to_le_bytes());
    assert!(reason(&huge).contains("does not fit"));
    huge[..8].copy_from_slice(&(u64::MAX - 7).to_le_bytes());
    assert!(reason(&huge).contains("does not fit"));

    let open = |path: &Path| StateDict::open(path).unwrap_err();
    assert!(open(folder.path()).to_string().contains("not a regular file"));
    assert!(matches!(open(&folder.path().join("none")), Error::Io { action: "read", .. }));
    // A file with holes is refused from its first bytes, or its size.
    let sparse = folder.path().join("sparse");
    let file = std::fs::File::create(&sparse).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(matches!(open(&sparse), Error::Format { .. }));
}
