//! Files of every container, written by torch, numpy and pickle (`tests/checkpoints/make_containers.py`), hold the numbers
//! that were put in.

use super::*;

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/containers")
}

fn open_file(name: &str) -> Checkpoint {
    open(folder().join(name)).unwrap()
}

/// The file has exactly the numbers that `expected.safetensors` has under the prefix.
#[track_caller]
fn assert_holds(name: &str, container: Container, prefix: &str) -> StateDict {
    let expected = StateDict::open(folder().join("expected.safetensors")).unwrap().subset(prefix);
    assert!(!expected.is_empty());
    let found = open_file(name);
    assert_eq!(found.container, container, "{name}");
    for (key, tensor) in expected.iter() {
        let ours = found.tensors.get(key);
        let ours = ours.unwrap_or_else(|| panic!("{name} has no {key}"));
        assert_eq!(ours.shape, tensor.shape, "{name}: {key}");
        assert_eq!(ours.data, tensor.data, "{name}: {key}");
    }
    found.tensors
}

#[test]
fn torch() {
    for (name, container) in
        [("torch_zip.pt", Container::TorchZip), ("torch_legacy.pt", Container::TorchLegacy)]
    {
        let dict = assert_holds(name, container, "torch.");
        assert_eq!(dict.len(), 16);
        let settings = dict.metadata();
        assert_eq!(settings["opts.stylegan_size"], "1024");
        assert_eq!(settings["opts.start_from_latent_avg"], "true");
        assert_eq!(settings["opts.channels"], "[1, 2]");
        for (key, format) in [
            ("f64", NumberFormat::F64),
            ("f16", NumberFormat::F16),
            ("bf16", NumberFormat::Bf16),
            ("i64", NumberFormat::I64),
            ("bool", NumberFormat::Bool),
        ] {
            assert_eq!(dict.number_format(&format!("state_dict.{key}")), Some(format));
        }
    }
    assert_holds("torch_tensor.pt", Container::TorchZip, "torch_tensor.");
}

#[test]
fn torchscript() {
    let dict = assert_holds("torchscript.pt", Container::TorchScript, "torchscript.");
    assert_eq!(dict.number_format("visual.weight"), Some(NumberFormat::F16));
}

#[test]
fn numpy() {
    assert_holds("boundary.npy", Container::Npy, "boundary.");
    assert_holds("fortran.npy", Container::Npy, "fortran.");
    let dict = assert_holds("boundary_dict.npy", Container::Npy, "boundary_dict.");
    assert_eq!(dict.metadata()["meta_data.space"], "wp");
    assert_eq!(dict.metadata()["meta_data.n"], "3");
    assert_holds("projected_w.npz", Container::Npz, "npz.");
    let dict = assert_holds("compressed.npz", Container::Npz, "npz.");
    assert_eq!(dict.shape("zeros"), Some(&[64, 64][..]));
    for protocol in [0, 2, 4, 5] {
        assert_holds(&format!("lists_protocol{protocol}.pkl"), Container::Pickle, "lists.");
    }
}

#[test]
fn nvidia_snapshots() {
    for protocol in [2, 3, 4] {
        let name = format!("snapshot_protocol{protocol}.pkl");
        let dict = assert_holds(&name, Container::Pickle, "snapshot.");
        assert!(dict.names().any(|n| n == "augment_pipe.p"));
        assert_eq!(dict.metadata()["G_ema.synthesis.b8.conv1.conv_clamp"], "0.5");
        assert_eq!(conv_clamp(&dict, &["G_ema."]), Some(0.5));
        assert_eq!(dict.metadata()["G_ema.mapping.fc0.bias_gain"], "0.01");
        let summary = open_file(&name).summary();
        assert_eq!(summary.generator, Some((Family::StyleGan2, Layout::Nvidia)));
        assert_eq!(summary.resolution, Some(8));
        assert_eq!(summary.licence.unwrap(), "Copyright (c) 2021, Someone.  All rights reserved.");
        assert!(!Path::new("must_not_exist").exists());
    }
}

#[test]
fn a_summary_is_a_line() {
    let line = open_file("tf_stylegan2.pkl").to_string();
    let start = "pickle: StyleGAN2 generator of NVIDIA (TensorFlow), 8 pixels, ";
    assert!(line.starts_with(start), "{line}");
    let dict = golden_weights(ROSINALITY_R16);
    let found = from_bytes(file_bytes(&dict), "mem").unwrap();
    let summary = found.summary();
    assert_eq!(summary.container, Container::Safetensors);
    assert_eq!(summary.resolution, Some(16));
    assert_eq!(summary.parameters, dict.iter().map(|(_, t)| t.data.len()).sum::<usize>());
    assert!(found.to_string().contains("rosinality, 16 pixels"));
    let genforce = from_bytes(file_bytes(&golden_weights(GENFORCE_R32)), "mem").unwrap();
    assert_eq!(genforce.summary().resolution, Some(32));
}
