//! Files, names and conversions against the golden files of the original code.

mod containers;
mod damaged;
mod dict;
mod files;
mod genforce;
mod hostile;
mod layouts;
mod nvidia;
mod rosinality;
mod tensorflow;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

const ROSINALITY_R16: &str = "stylegan2/rosinality_generator_r16";
const ROSINALITY_R8: &str = "stylegan2/rosinality_generator_r8_mlp8";
const GENFORCE_R32: &str = "sefa/stylegan2_genforce_res32";
const GENFORCE_LABEL: &str = "sefa/stylegan2_genforce_label_unfused_res16";
const NVIDIA_SKIP: &str = "stylegan2/generator_c0_skip_r16";
const NVIDIA_RESNET: &str = "stylegan2/generator_c0_resnet_r16_mixing";
const NVIDIA_SYNTHESIS: &str = "stylegan2/synthesis_orig_r16";
const NVIDIA_MAPPING: &str = "stylegan2/mapping_c3_l2";

fn path(case: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("{case}.safetensors"))
}

fn golden(case: &str) -> StateDict {
    StateDict::open(path(case)).unwrap()
}

/// The weights without the case's metadata.
fn golden_weights(case: &str) -> StateDict {
    nested(&golden(case).subset("weights."), "")
}

fn tensor(shape: &[usize], data: &[f32]) -> HostTensor {
    HostTensor { shape: shape.to_vec(), data: data.to_vec() }
}

/// A dict of these names, each a number.
fn named(names: &[&str]) -> StateDict {
    let mut dict = StateDict::default();
    for name in names {
        dict.insert(*name, tensor(&[], &[1.0])).unwrap();
    }
    dict
}

/// The dict under other names.
fn nested(dict: &StateDict, prefix: &str) -> StateDict {
    let mut out = StateDict::default();
    for (name, tensor) in dict.iter() {
        out.insert(format!("{prefix}{name}"), tensor.clone()).unwrap();
    }
    out
}

fn merge(mut a: StateDict, b: &StateDict) -> StateDict {
    for (name, tensor) in b.iter() {
        a.insert(name, tensor.clone()).unwrap();
    }
    a
}

/// NVIDIA's names of a skip generator, as its code registers them.
fn canonical_names(
    resolution: usize,
    layers: usize,
    c_dim: usize,
    w_avg: bool,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |owner: &str, leaves: &[&str]| {
        names.extend(leaves.iter().map(|leaf| format!("{owner}.{leaf}")));
    };
    for i in 0..layers {
        add(&format!("mapping.fc{i}"), &["weight", "bias"]);
    }
    if c_dim > 0 {
        add("mapping.embed", &["weight", "bias"]);
    }
    if w_avg {
        add("mapping", &["w_avg"]);
    }
    add("synthesis.b4", &["const"]);
    let mut r = 4;
    while r <= resolution {
        let block = format!("synthesis.b{r}");
        add(&block, &["resample_filter"]);
        add(&format!("{block}.torgb"), &["weight", "bias", "affine.weight", "affine.bias"]);
        for conv in if r == 4 { &["conv1"][..] } else { &["conv0", "conv1"] } {
            let leaves = ["weight", "bias", "noise_const", "noise_strength", "resample_filter"];
            add(&format!("{block}.{conv}"), &leaves);
            add(&format!("{block}.{conv}.affine"), &["weight", "bias"]);
        }
        r *= 2;
    }
    names
}

fn names(dict: &StateDict) -> BTreeSet<String> {
    dict.names().map(str::to_owned).collect()
}

fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= tolerance * scale, "{x} and {y}");
    }
}

/// `x weight^T / sqrt(in) + bias` for one row, the canonical fully connected layer.
fn affine(dict: &StateDict, name: &str, x: &[f32]) -> Vec<f32> {
    let weight = dict.get(&format!("{name}.weight")).unwrap();
    let bias = dict.get(&format!("{name}.bias")).unwrap();
    let gain = 1.0 / (x.len() as f32).sqrt();
    let rows = weight.data.chunks(x.len()).zip(&bias.data);
    rows.map(|(row, b)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() * gain + b).collect()
}

fn file_bytes(dict: &StateDict) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    dict.save(&path).unwrap();
    std::fs::read(path).unwrap()
}

/// By the function that takes a copy of the file.
fn read_copy(path: &Path) -> Result<StateDict> {
    Ok(super::read(path)?.tensors)
}

fn read(bytes: &[u8]) -> Result<StateDict> {
    Ok(from_bytes(bytes.to_vec(), "mem.safetensors")?.tensors)
}
