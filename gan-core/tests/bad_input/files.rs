//! Files that are no checkpoints, and checkpoints of something else.

use crate::support::assert_refused;
use gan_core::checkpoint::StateDict;
use gan_core::{Device, Error, StyleGan2};

use crate::{build, constant, model_path};

#[test]
fn files_that_are_missing_or_of_another_kind() {
    let cpu = Device::cpu();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.safetensors");
    assert_refused!(
        StyleGan2::open(&missing, &cpu),
        Error::Io { action: "read", .. },
        "none.safetensors"
    );
    let name = folder.path().display().to_string();
    assert_refused!(StyleGan2::open(folder.path(), &cpu), Error::Format { .. }, &name, "file");
    for (bytes, kind) in
        [(&b"PK\x03\x04    "[..], "zip"), (b"\x80\x04\x95 ", "pickle"), (b"", "0 bytes")]
    {
        let path = folder.path().join("other");
        std::fs::write(&path, bytes).unwrap();
        assert_refused!(StyleGan2::open(&path, &cpu), Error::Format { .. }, "other", kind);
    }
}

#[test]
fn truncated_files() {
    let bytes = std::fs::read(model_path()).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.safetensors");
    let half = bytes.len() / 2;
    for length in [0, 1, 7, 8, 9, header - 1, header, header + 1, half, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert_refused!(
            StyleGan2::open(&path, &Device::cpu()),
            Error::Format { .. },
            "cut.safetensors"
        );
    }
}

#[test]
fn unknown_layouts() {
    let dict = |names: &[&str]| {
        let mut dict = StateDict::default();
        names.iter().for_each(|n| dict.insert(*n, constant(&[2])).unwrap());
        build(dict)
    };
    assert_refused!(dict(&[]), Error::Layout { .. }, "there are no tensors");
    let names = ["features.0.weight", "features.0.bias"];
    assert_refused!(dict(&names), Error::Layout { .. }, "features.0.weight", "rosinality");
    for names in [
        ["b64.fromrgb.weight", "b4.out.weight"],
        ["convs.0.0.weight", "final_linear.0.weight"],
        ["input0.conv.weight", "layer0.conv.weight"],
    ] {
        assert_refused!(dict(&names), Error::Layout { .. }, "discriminator", names[0]);
    }
}
