//! Whatever a caller or a file hands in, the library answers with a typed error that names the thing and what was
//! expected of it. Nothing here may panic.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use gan_core::backend::Filter;
use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::stylegan2::Options;
use gan_core::nn::{Resample, conv2d_resample, downsample2d, filter2d, upsample2d};
use gan_core::{
    Device, Direction, Error, Generator, Image, Labels, Layers, Noise, Order, Seeds, StyleBased,
    StyleGan2, Styles, Tensor, Truncation, W, WPlus, Z, grad, parse_indices,
};
use proptest::prelude::*;
use proptest::sample::Index;
use support::refused;

type Result<T> = gan_core::Result<T>;

fn model_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/models/portraits64.safetensors")
}

/// The shipped generator's tensors: `skip` architecture, 64 pixels, four mapping layers.
fn portraits() -> StateDict {
    static DICT: OnceLock<StateDict> = OnceLock::new();
    DICT.get_or_init(|| StateDict::open(model_path()).unwrap()).clone()
}

/// A network of another geometry: z 10, w 12, three classes, 16 pixels.
fn golden(name: &str) -> StateDict {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stylegan2");
    StateDict::open(format!("{folder}/{name}.safetensors")).unwrap().subset("weights.")
}

fn build(dict: StateDict) -> Result<StyleGan2> {
    StyleGan2::from_state_dict(dict, &Options::default(), &Device::cpu())
}

fn portraits_model() -> StyleGan2 {
    build(portraits()).unwrap()
}

fn conditional_model() -> StyleGan2 {
    build(golden("generator_c3_skip_r16")).unwrap()
}

fn tensor(shape: &[usize]) -> Tensor {
    Tensor::full(0.5, shape, &Device::cpu()).unwrap()
}

/// A network's tensors with one of them changed.
fn changed(dict: &StateDict, name: &str, change: impl FnOnce(&mut HostTensor)) -> StateDict {
    let mut dict = dict.clone();
    let mut tensor = dict.take(name).unwrap();
    change(&mut tensor);
    dict.insert(name, tensor).unwrap();
    dict
}

fn constant(shape: &[usize]) -> HostTensor {
    HostTensor { shape: shape.to_vec(), data: vec![0.25; shape.iter().product()] }
}

fn names(dict: &StateDict) -> Vec<String> {
    dict.names().map(str::to_owned).collect()
}

macro_rules! assert_refused {
    ($result:expr, $variant:pat, $($part:expr),* $(,)?) => {{
        let error = refused($result, &[$($part),*]);
        assert!(matches!(error, $variant), "{error:?}");
    }};
}

/// One image, as an example draws it.
fn draw(g: &StyleGan2) -> Result<Vec<Image>> {
    let labels = match g.label_dim() {
        0 => None,
        n => Some(Labels::one_hot(&[0], n, g.device())?),
    };
    let w = g.map(&g.sample(&Seeds::from(0..1))?, labels.as_ref())?;
    let psi = if g.mapping().w_avg().is_some() { 0.7 } else { 1.0 };
    Image::from_tensor(&g.synthesize(&g.truncate(&w, &Truncation::new(psi))?, Noise::Const)?)
}

// Files

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
        [(&b"PK\x03\x04    "[..], "torch"), (b"\x80\x04\x95 ", "pickle"), (b"", "0 bytes")]
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
            Error::Format { format: "safetensors", .. },
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
        assert_refused!(dict(&names), Error::Layout { .. }, "a discriminator", names[0]);
    }
}

// Tensors of a network

/// Tensors that a network can do without, as checkpoints exist that lack them: the average code, without which only
/// truncation is refused, and the filters, which are those of all published networks unless stored.
fn may_be_missing(name: &str) -> bool {
    name == "mapping.w_avg" || name.ends_with("resample_filter")
}

#[track_caller]
fn check_each_removed(dict: &StateDict) {
    let before = draw(&build(dict.clone()).unwrap()).unwrap();
    for name in names(dict) {
        let mut dict = dict.clone();
        dict.take(&name).unwrap();
        let result = build(dict);
        if may_be_missing(&name) {
            let after = draw(&result.unwrap()).unwrap();
            assert!(after == before || name == "mapping.w_avg", "{name} changes the image");
        } else {
            assert_refused!(result, Error::Weights { .. }, &format!("`{name}`"));
        }
    }
}

#[test]
fn each_tensor_removed() {
    check_each_removed(&portraits());
}

#[test]
fn each_tensor_of_a_conditional_network_removed() {
    // Without its weight, an embedding is none, and its bias is superfluous.
    let dict = golden("generator_c3_skip_r16");
    check_each_removed(&dict);
}

#[test]
fn each_tensor_of_a_residual_network_removed() {
    check_each_removed(&golden("generator_c0_resnet_r16_mixing"));
}

#[test]
fn a_network_without_noise_or_average_code() {
    let mut dict = portraits();
    for name in names(&dict) {
        if name.contains("noise") || name == "mapping.w_avg" {
            dict.take(&name).unwrap();
        }
    }
    let g = build(dict).unwrap();
    draw(&g).unwrap();
    let w = g.map(&g.sample(&Seeds::from(0..1)).unwrap(), None).unwrap();
    assert_refused!(
        g.truncate(&w, &Truncation::new(0.7)),
        Error::Argument { .. },
        "psi",
        "average code",
        "with_estimated_average"
    );
}

/// The number of layers and blocks is what the names say: without all of the last one, it is a smaller network, and
/// nothing in the other tensors tells.
#[test]
fn networks_without_their_last_layer_or_block() {
    let without = |prefix: &str| {
        let mut dict = portraits();
        let chosen = names(&dict).into_iter().filter(|n| n.starts_with(prefix));
        chosen.for_each(|name| drop(dict.take(&name).unwrap()));
        build(dict)
    };
    assert_eq!(without("mapping.fc3.").unwrap().mapping().depth(), 3);
    assert_eq!(without("synthesis.b64.").unwrap().image_shape(), [3, 32, 32]);
    assert_refused!(without("mapping.fc1."), Error::Weights { .. }, "mapping.fc2.");
    assert_refused!(without("synthesis.b32."), Error::Weights { .. }, "synthesis.b64.");
    assert_refused!(without("synthesis.b64.torgb."), Error::Weights { .. }, "b64.torgb.weight");
    assert_refused!(without("synthesis.b16.conv0."), Error::Weights { .. }, "b16.conv0.weight");
}

#[test]
fn superfluous_tensors() {
    for (name, shape, named) in [
        ("surplus", &[2][..], "surplus"),
        ("mapping.fc4.bias", &[64], "mapping.fc4"),
        ("mapping.fc5.weight", &[64, 64], "mapping.fc5.weight"),
        ("mapping.fc04.weight", &[64, 64], "mapping.fc04.weight"),
        ("synthesis.b4.conv0.weight", &[64, 64, 3, 3], "synthesis.b4.conv0.weight"),
        ("synthesis.b8.skip.weight", &[64, 64, 1, 1], "skip"),
        ("synthesis.b12.conv1.weight", &[16, 16, 3, 3], "synthesis.b12.conv1.weight"),
        ("synthesis.b128.conv1.weight", &[16, 16, 3, 3], "synthesis.b128.conv0.weight"),
        ("synthesis.b256.conv1.weight", &[16, 16, 3, 3], "synthesis.b256.conv1.weight"),
        ("synthesis.b64.conv1.noise", &[], "synthesis.b64.conv1.noise"),
        ("D.b64.fromrgb.weight", &[2], "D.b64.fromrgb.weight"),
    ] {
        let mut dict = portraits();
        dict.insert(name, constant(shape)).unwrap();
        let error = refused(build(dict), &[named]);
        assert!(matches!(error, Error::Weights { .. } | Error::Layout { .. }), "{error:?}");
    }
}

/// The same tensor, with one more entry along `axis`.
fn grown(tensor: &mut HostTensor, axis: usize) {
    tensor.shape[axis] += 1;
    tensor.data.resize(tensor.shape.iter().product(), 0.25);
}

/// Which tensor is named if `name` has a size too many along `axis`, or none if that is another network: it is not
/// always possible to know which of two tensors is wrong.
fn blamed(name: &str, axis: usize, next: impl Fn(&str) -> String) -> Option<String> {
    let (layer, kind) = name.rsplit_once('.').unwrap();
    match (kind, axis) {
        // The length of z is what this weight takes.
        ("weight", 1) if name == "mapping.fc0.weight" => None,
        // Outputs come first, and the bias of as many is what is compared with them.
        ("weight", 0) if layer.starts_with("mapping.") => Some(format!("{layer}.bias")),
        ("weight", 0) if !layer.ends_with(".affine") => Some(next(name)),
        ("const", 0) => Some("synthesis.b4.conv1.weight".to_owned()),
        // Its inputs are the length of w, with which all others are compared.
        ("weight", 1) if layer == "synthesis.b4.conv1.affine" => {
            Some("synthesis.b4.torgb.affine.weight".to_owned())
        }
        _ => Some(name.to_owned()),
    }
}

#[test]
fn each_tensor_misshapen() {
    let dict = portraits();
    for name in names(&dict).iter().filter(|n| !n.ends_with("resample_filter")) {
        let tensor = dict.get(name).unwrap().clone();
        // What a weight's outputs are compared with first: a convolution's affine layer is fine.
        let next = |name: &str| name.replace(".weight", ".bias");
        for axis in 0..tensor.shape.len() {
            let result = build(changed(&dict, name, |t| grown(t, axis)));
            match blamed(name, axis, next) {
                Some(other) => {
                    assert_refused!(
                        result,
                        Error::Weights { .. },
                        &format!("`{other}`"),
                        "expected"
                    );
                }
                None => assert_eq!(result.unwrap().z_dim(), 65),
            }
        }
        let mut reversed = tensor.clone();
        reversed.shape.reverse();
        if reversed.shape != tensor.shape {
            let result = build(changed(&dict, name, |t| *t = reversed));
            let other =
                if name == "synthesis.b4.const" { "synthesis.b4.conv1.weight" } else { name };
            assert_refused!(result, Error::Weights { .. }, &format!("`{other}`"), "expected shape");
        }
        let result = build(changed(&dict, name, |t| t.shape.insert(0, 1)));
        assert_refused!(result, Error::Weights { .. }, &format!("`{name}`"), "expected shape");
    }
}

#[test]
fn filters_that_are_none() {
    let dict = portraits();
    for name in names(&dict).iter().filter(|n| n.ends_with("resample_filter")) {
        let result = build(changed(&dict, name, |t| t.shape = vec![2, 2, 4]));
        assert_refused!(result, Error::Weights { .. }, &format!("`{name}`"), "filter");
    }
    // One-dimensional taps stand for their outer product, which must not fill the memory.
    let name = "synthesis.b8.conv0.resample_filter";
    let result = build(changed(&dict, name, |t| *t = constant(&[1 << 12])));
    assert_refused!(result, Error::Weights { .. }, name, "4096");
}

#[test]
fn tensors_without_elements() {
    let dict = portraits();
    for name in ["mapping.w_avg", "synthesis.b8.conv1.weight", "synthesis.b4.resample_filter"] {
        let result = build(changed(&dict, name, |t| *t = constant(&[0, 64])));
        assert_refused!(result, Error::Weights { .. }, &format!("`{name}`"), "[0, 64]");
    }
}

#[test]
fn colours_that_differ_between_blocks() {
    for colours in [1, 4] {
        let dict = portraits();
        let dict = changed(&dict, "synthesis.b8.torgb.weight", |t| {
            *t = constant(&[colours, 64, 1, 1]);
        });
        let dict = changed(&dict, "synthesis.b8.torgb.bias", |t| *t = constant(&[colours]));
        assert_refused!(
            build(dict),
            Error::Weights { .. },
            "synthesis.b8.torgb.weight",
            &colours.to_string()
        );
    }
}

#[test]
fn residual_paths_that_do_not_fit() {
    let dict = golden("generator_c0_resnet_r16_mixing");
    let name = "synthesis.b8.skip.weight";
    let shape = dict.get(name).unwrap().shape.clone();
    for axis in 0..4 {
        let result = build(changed(&dict, name, |t| grown(t, axis)));
        let expected = format!("[{}, {}, 1, 1]", shape[0], shape[1]);
        assert_refused!(result, Error::Weights { .. }, name, &expected);
    }
}

#[test]
fn values_that_are_not_finite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.safetensors");
    let dict = portraits();
    for (i, name) in names(&dict).iter().enumerate() {
        let value = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][i % 3];
        let dict = changed(&dict, name, |t| *t.data.last_mut().unwrap() = value);
        dict.save(&path).unwrap();
        let read = StateDict::open(&path).unwrap();
        assert_eq!(read.non_finite(), [(name.clone(), 1)]);
        let quoted = format!("`{name}`");
        assert_refused!(read.check_finite(), Error::Weights { .. }, &quoted, "finite");
        assert_refused!(
            StyleGan2::open(&path, &Device::cpu()),
            Error::Weights { .. },
            &quoted,
            "finite"
        );
    }
}

// Texts

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

// Latent codes

#[test]
fn layers_beyond_the_network() {
    let g = portraits_model();
    let w = WPlus::new(tensor(&[1, g.num_ws(), g.w_dim()])).unwrap();
    for layers in [Layers::range(0, 10).unwrap(), "99".parse().unwrap(), Layers::Some(vec![10, 0])]
    {
        let found = || refused(layers.indices(g.num_ws()), &["layers 0 to 9 of this network"]);
        assert!(matches!(found(), Error::Argument { .. }));
        refused(w.mixed(&w, &layers), &["layers 0 to 9"]);
        let direction = Direction::<W>::new(vec![1.0; 64], layers.clone(), "test").unwrap();
        refused(w.shifted(&direction, 1.0), &["layers 0 to 9"]);
    }
    assert_refused!(Layers::range(5, 2), Error::Argument { .. }, "layers", "5-2");
}

#[test]
fn endless_ranges_of_layers() {
    assert_refused!(Layers::range(0, usize::MAX), Error::Argument { .. }, "layers");
}

#[test]
fn truncation_that_is_not_finite() {
    let g = portraits_model();
    let w = g.map(&g.sample(&Seeds::from(0..1)).unwrap(), None).unwrap();
    let plus = g.broadcast(&w).unwrap();
    for psi in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for cutoff in [None, Some(0), Some(usize::MAX)] {
            let truncation = Truncation { psi, cutoff };
            let parts = ["psi", "finite number", &psi.to_string()];
            refused(g.truncate(&w, &truncation), &parts);
            refused(g.truncate_plus(&plus, &truncation), &parts);
        }
    }
}

#[test]
fn labels_of_the_wrong_kind() {
    let (plain, g) = (portraits_model(), conditional_model());
    assert_eq!(g.label_dim(), 3);
    let cpu = Device::cpu();
    let label = Labels::one_hot(&[1], 3, &cpu).unwrap();
    let (z, plain_z) = (Z::new(tensor(&[1, 10])).unwrap(), Z::new(tensor(&[1, 64])).unwrap());
    g.generate(&z, Some(&label)).unwrap();

    assert_refused!(g.map(&z, None), Error::Argument { .. }, "labels: expected [n, 3]", "none");
    assert_refused!(g.generate(&z, None), Error::Argument { .. }, "labels");
    let result = plain.map(&plain_z, Some(&label));
    assert_refused!(result, Error::Argument { .. }, "labels: expected none", "not conditional");
    assert_refused!(
        Labels::one_hot(&[0, 3], 3, &cpu),
        Error::Argument { .. },
        "class: expected 0 to 2",
        "found 3"
    );
    for shape in [[1, 2], [1, 4]] {
        let labels = Labels::new(tensor(&shape)).unwrap();
        assert_refused!(
            g.map(&z, Some(&labels)),
            Error::Latent { .. },
            "labels does not fit",
            "3]",
            &format!("{shape:?}")
        );
    }
    let two = Labels::new(tensor(&[2, 3])).unwrap();
    assert_refused!(g.map(&z, Some(&two)), Error::Latent { .. }, "labels", "expected", "2");
    assert_refused!(Labels::new(tensor(&[3])), Error::Shape { .. }, "labels", "[3]");
    assert!(matches!(Labels::one_hot(&[], 3, &cpu), Err(Error::Shape { .. })));
    refused(conditional_model().with_estimated_average(8, 0, None), &["labels: expected [n, 3]"]);
    refused(plain.clone().with_estimated_average(0, 0, None), &["samples: expected at least 1"]);
    refused(plain.with_estimated_average(8, 0, Some(&label)), &["labels: expected none"]);
}

#[test]
fn classes_of_a_network_without_any() {
    assert_refused!(
        Labels::one_hot(&[0], 0, &Device::cpu()),
        Error::Argument { .. },
        "class",
        "not conditional"
    );
}

#[test]
fn codes_of_another_model() {
    let (g, other) = (portraits_model(), conditional_model());
    let label = Labels::one_hot(&[0], 3, &Device::cpu()).unwrap();
    let z = other.sample(&Seeds::from(0..1)).unwrap();
    let w = other.map(&z, Some(&label)).unwrap();
    let plus = other.broadcast(&w).unwrap();
    let styles = other.styles(&plus).unwrap();

    assert_refused!(g.map(&z, None), Error::Latent { what: "z", .. }, "[n, 64]", "[1, 10]");
    assert_refused!(g.generate(&z, None), Error::Latent { what: "z", .. }, "[n, 64]", "[1, 10]");
    for psi in [1.0, 0.7] {
        let result = g.truncate(&w, &Truncation::new(psi));
        assert_refused!(result, Error::Latent { what: "w", .. }, "[n, 64]", "[1, 12]");
    }
    assert_refused!(g.broadcast(&w), Error::Latent { what: "w", .. }, "[n, 64]", "[1, 12]");
    for shape in [[1, 6, 12], [1, 6, 64], [1, 10, 12], [1, 11, 64]] {
        let plus = WPlus::new(tensor(&shape)).unwrap();
        let found = format!("{shape:?}");
        assert_refused!(g.styles(&plus), Error::Latent { what: "w+", .. }, "[n, 10, 64]", &found);
        refused(g.synthesize(&plus, Noise::Const), &["[n, 10, 64]", &found]);
    }
    assert_refused!(
        g.synthesize_styles(&styles, Noise::Const),
        Error::Latent { what: "styles", .. },
        "b64.conv1[16]",
        "b16.conv1[4]"
    );

    // Ranks and layouts are checked when a tensor is given its space.
    assert_refused!(Z::new(tensor(&[64])), Error::Shape { .. }, "z: expected", "[64]");
    assert_refused!(
        W::new(tensor(&[1, 10, 64])),
        Error::Shape { .. },
        "w: expected",
        "[1, 10, 64]"
    );
    assert_refused!(WPlus::new(tensor(&[1, 64])), Error::Shape { .. }, "[n, num_ws, w_dim]");
    let layout = Arc::clone(g.style_layout());
    let mut tensors = styles.tensors().to_vec();
    assert!(matches!(
        Styles::new(Arc::clone(&layout), tensors.clone()),
        Err(Error::Latent { what: "styles", .. })
    ));
    tensors.clear();
    assert!(matches!(Styles::new(layout, tensors), Err(Error::Latent { what: "styles", .. })));
    refused(styles.shifted("b64.conv1", 0, 1.0), &["style layer", "b16.conv1", "b64.conv1"]);
    refused(styles.shifted("b16.conv1", 4, 1.0), &["style channel", "0 to 3", "found 4"]);
    refused(styles.shifted("b16.conv1", 0, f64::NAN), &["style shift", "finite"]);
    let mixed = plus.mixed(&WPlus::new(tensor(&[1, 10, 12])).unwrap(), &Layers::All);
    assert_refused!(mixed, Error::Shape { .. }, "style mixing", "[1, 6, 12]", "[1, 10, 12]");
}

#[test]
fn truncation_of_another_models_layers() {
    let g = portraits_model();
    for psi in [1.0, 0.7] {
        let plus = WPlus::new(tensor(&[1, 10, 12])).unwrap();
        assert_refused!(
            g.truncate_plus(&plus, &Truncation::new(psi)),
            Error::Latent { what: "w+", .. },
            "64",
            "[1, 10, 12]"
        );
    }
}

#[test]
fn directions() {
    for vector in [vec![], vec![0.0; 64], vec![f32::NAN; 64], vec![1.0, f32::INFINITY]] {
        let result = Direction::<W>::new(vector, Layers::All, "test");
        assert_refused!(result, Error::Argument { .. }, "direction: expected a finite vector");
    }
    let direction = |len: usize| Direction::<W>::new(vec![1.0; len], Layers::All, "smile").unwrap();
    let plus = WPlus::new(tensor(&[1, 10, 64])).unwrap();
    let w = W::new(tensor(&[1, 64])).unwrap();
    for len in [1, 63, 65] {
        let parts = ["direction", "64 components", &len.to_string(), "smile"];
        let error = refused(plus.shifted(&direction(len), 1.0), &parts);
        assert!(matches!(error, Error::Latent { .. }));
        refused(w.shifted(&direction(len), 1.0), &parts);
        let z = Direction::<Z>::new(vec![1.0; len], Layers::All, "smile").unwrap();
        refused(Z::new(tensor(&[1, 64])).unwrap().shifted(&z, 1.0), &parts);
    }
    for strength in [f64::NAN, f64::INFINITY] {
        let parts = ["strength: expected a finite number", &strength.to_string()];
        refused(plus.shifted(&direction(64), strength), &parts);
        refused(w.shifted(&direction(64), strength), &parts);
    }
    let some = Direction::<W>::new(vec![1.0; 64], "0-1".parse().unwrap(), "test").unwrap();
    assert_refused!(w.shifted(&some, 1.0), Error::Latent { .. }, "all layers", "layers 0-1");
}

// Tensors

#[test]
fn batches_of_none() {
    for device in [Device::cpu(), Device::reference()] {
        for shape in [&[0][..], &[0, 64], &[1, 0, 3]] {
            let parts = ["sizes of at least 1", &format!("{shape:?}")];
            refused(Tensor::new::<f32>(&[], shape, &device), &parts);
            refused(Tensor::zeros(shape, &device), &parts);
        }
    }
    let plus = WPlus::new(tensor(&[2, 10, 64])).unwrap();
    assert!(matches!(plus.rows(0, 0), Err(Error::Shape { .. })));
    assert!(matches!(plus.rows(1, 2), Err(Error::Shape { .. })));
    assert!(matches!(plus.rows(usize::MAX, usize::MAX), Err(Error::Shape { .. })));
    assert!(matches!(plus.row(2), Err(Error::Shape { .. })));
    assert_refused!(WPlus::concat(&[]), Error::Shape { .. }, "at least one");
    let none = portraits_model().sample(&Seeds::default());
    assert!(matches!(none, Err(Error::Argument { what: "seeds", .. })));
    assert!(tensor(&[2, 3]).slice(0, 1, 0).is_err());
    assert!(tensor(&[2, 3]).gather(0, &[]).is_err());
}

#[test]
fn no_seeds() {
    refused(portraits_model().sample(&Seeds::default()), &["seeds", "at least"]);
}

#[test]
fn tensors_beyond_the_memory() {
    // With `vm.overcommit_memory = 1`, the system promises any amount within the address space.
    let overcommit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
    let is_counted = overcommit.map_or(true, |text| text.trim() != "1");
    for device in [Device::cpu(), Device::reference()] {
        let shapes = [
            &[1 << 40][..],
            &[1 << 20, 1 << 26],
            &[isize::MAX as usize],
            &[usize::MAX],
            &[usize::MAX, 2],
            &[usize::MAX, usize::MAX, usize::MAX],
        ];
        for shape in &shapes[usize::from(!is_counted)..] {
            assert_refused!(Tensor::zeros(shape, &device), Error::TooLarge { .. }, "bytes");
        }
        let x = Tensor::full(1.0, &[1, 1, 4, 4], &device).unwrap();
        let huge = [1 << 20, 1 << 28, 4, 4];
        assert_refused!(x.expand(&huge), Error::TooLarge { .. }, "bytes");
        assert_refused!(x.pad(0, 1 << 45, 0), Error::TooLarge { .. }, "bytes");
        assert!(x.pad(0, usize::MAX, usize::MAX).is_err());
        assert!(x.reshape(&[usize::MAX, 2]).is_err());
        assert!(x.slice(0, usize::MAX, usize::MAX).is_err());
        assert!(x.slice(usize::MAX, 0, 1).is_err());
    }
}

#[test]
fn endless_numbers_of_samples() {
    let g = portraits_model();
    assert!(matches!(
        g.clone().with_estimated_average(usize::MAX, 0, None),
        Err(Error::TooLarge { .. })
    ));
    let cpu = Device::cpu();
    let seeds = Seeds::from(0..2);
    assert!(matches!(Z::from_seeds(&seeds, usize::MAX, &cpu), Err(Error::TooLarge { .. })));
    assert!(matches!(Labels::one_hot(&[0, 1], usize::MAX, &cpu), Err(Error::TooLarge { .. })));
}

#[test]
fn resampling_by_absurd_factors() {
    let x = tensor(&[1, 1, 4, 4]);
    let filter = Filter::outer(&[0.25, 0.75, 0.75, 0.25]).unwrap();
    let none = [[0; 2]; 2];
    for factor in [0, 1 << 40, isize::MAX as usize, usize::MAX] {
        for factors in [[factor, 2], [2, factor], [factor, factor]] {
            let result = upsample2d(&x, &filter, factors, none, false, 1.0);
            assert_refused!(result, Error::Argument { .. }, "upsample2d", "factors");
            let result = downsample2d(&x, &filter, factors, none, false, 1.0);
            assert_refused!(result, Error::Argument { .. }, "downsample2d", "factors");
        }
        for (up, down) in [(factor, 1), (1, factor), (factor, factor)] {
            let op = Resample { filter: Some(filter.clone()), up, down, ..Resample::default() };
            let result = conv2d_resample(&x, &tensor(&[1, 1, 3, 3]), &op);
            assert_refused!(result, Error::Argument { .. }, "conv2d_resample", "factors");
        }
    }
    for padding in [isize::MAX, isize::MIN] {
        let padding = [[padding; 2]; 2];
        assert!(filter2d(&x, &filter, padding, false, 1.0).is_err());
        assert!(upsample2d(&x, &filter, [2, 2], padding, false, 1.0).is_err());
        assert!(downsample2d(&x, &filter, [2, 2], padding, false, 1.0).is_err());
        for (up, down) in [(1, 1), (2, 1), (1, 2)] {
            let op = Resample { up, down, padding, ..Resample::default() };
            assert!(conv2d_resample(&x, &tensor(&[1, 1, 3, 3]), &op).is_err());
        }
    }
    // Cropped to nothing.
    let result = filter2d(&x, &filter, [[-4; 2]; 2], false, 1.0);
    assert_refused!(result, Error::Shape { .. }, "upfirdn2d", "[1, 1, 4, 4]");
}

#[test]
fn repeated_axes() {
    for device in [Device::cpu(), Device::reference()] {
        let x = Tensor::full(1.0, &[2, 3], &device).unwrap();
        for axes in [&[1, 1][..], &[0, 1, 0]] {
            let distinct: Vec<usize> = (0..2).filter(|a| axes.contains(a)).collect();
            let sum = x.sum(axes).and_then(|s| s.to_vec::<f64>());
            assert!(
                sum.is_err() || sum.unwrap() == x.sum(&distinct).unwrap().to_vec::<f64>().unwrap()
            );
        }
        assert!(matches!(x.sum(&[2]), Err(Error::Shape { .. })));
        assert!(matches!(x.max(&[usize::MAX]), Err(Error::Shape { .. })));
        assert!(matches!(x.flip(2), Err(Error::Shape { .. })));
        assert!(matches!(x.permute(&[0, 0]), Err(Error::Shape { .. })));
    }
}

#[test]
fn noise_maps_of_the_wrong_count_or_shape() {
    let g = portraits_model();
    let w = WPlus::new(tensor(&[2, 10, 64])).unwrap();
    let maps = g.synthesis().noise_maps().unwrap();
    assert_eq!(maps.len(), 9);
    g.synthesize(&w, Noise::Maps(&maps)).unwrap();
    for wrong in [&maps[..0], &maps[..8], &[maps.as_slice(), &maps[..1]].concat()] {
        assert_refused!(
            g.synthesize(&w, Noise::Maps(wrong)),
            Error::Argument { .. },
            "noise maps: expected 9",
            &format!("found {}", wrong.len())
        );
    }
    for shape in [&[4, 4][..], &[1, 1, 4, 5], &[3, 1, 4, 4], &[1, 64, 4, 4], &[], &[1, 1, 1, 1]] {
        let mut maps = maps.clone();
        maps[0] = tensor(shape);
        let found = format!("{shape:?}");
        let result = g.synthesize(&w, Noise::Maps(&maps));
        assert_refused!(result, Error::Shape { .. }, "noise", "expected", &found);
    }
    let mut maps = maps;
    maps[3] = maps[3].to_device(&Device::reference()).unwrap();
    assert!(matches!(g.synthesize(&w, Noise::Maps(&maps)), Err(Error::Device { .. })));
}

#[test]
fn pictures_of_tensors_that_are_none() {
    assert_refused!(Image::from_tensor(&tensor(&[3, 4, 4])), Error::Shape { .. }, "[3, 4, 4]");
    let result = Image::from_tensor(&tensor(&[1, 2, 4, 4]));
    assert_refused!(result, Error::Argument { .. }, "channels: expected 1 or 3, found 2");
    // Whatever a network's last layer gives: there is a byte for it.
    let worst = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];
    Image::from_tensor(&Tensor::new(&worst, &[1, 1, 2, 2], &Device::cpu()).unwrap()).unwrap();
}

#[test]
fn gradients_of_what_has_none() {
    let x = tensor(&[3]).var();
    let square = x.square().unwrap();
    assert_refused!(grad(&square, &[&x], Order::First), Error::Gradient(_), "one number", "[3]");
    let y = square.sum_all().unwrap();
    let constant = tensor(&[3]);
    let result = grad(&y, &[&x, &constant], Order::First);
    assert_refused!(result, Error::Gradient(_), "input 1", "Tensor::var");
    let result = grad(&constant.sum_all().unwrap(), &[&x], Order::First);
    assert_refused!(result, Error::Gradient(_), "constant", "Tensor::var");
    let slope = grad(&y, &[&x], Order::First).unwrap().remove(0);
    let result = grad(&slope.square().unwrap().sum_all().unwrap(), &[&x], Order::First);
    assert_refused!(result, Error::Gradient(_), "Order::First", "not recorded");
    assert!(grad(&y, &[], Order::First).unwrap().is_empty());
    // A variable that has nothing to do with the result has the gradient zero.
    let other = tensor(&[2]).var();
    let zero = grad(&y, &[&other], Order::Second).unwrap().remove(0);
    assert_eq!(zero.to_vec::<f32>().unwrap(), [0.0, 0.0]);
}

// Chance

/// Builds a network of whatever tensors these are. If that works, it also draws.
fn survives(dict: StateDict) -> std::result::Result<(), TestCaseError> {
    match build(dict) {
        Ok(g) => match draw(&g) {
            Ok(images) => prop_assert_eq!(images.len(), 1),
            // The first layer's inputs may all be the label's; other colours are no picture.
            Err(Error::Shape { .. }) if g.z_dim() == 0 => {}
            Err(Error::Argument { what: "channels", .. }) => {}
            Err(e) => prop_assert!(false, "built, but does not draw: {e}"),
        },
        Err(e) => {
            let typed = matches!(e, Error::Weights { .. } | Error::Layout { .. });
            prop_assert!(typed, "{e:?}");
            prop_assert!(e.to_string().len() < 2000, "{e}");
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Mutation {
    Drop,
    Rename(Index),
    Reverse,
    Flatten,
    Replace(Vec<usize>),
    Copy(Index, Vec<usize>),
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop::sample::select(vec![0, 1, 2, 3, 4, 5, 8, 16, 32, 64, 65]);
    prop_oneof![
        4 => prop::collection::vec(size, 0..4),
        1 => prop::sample::select(vec![[64, 64, 3, 3], [3, 64, 1, 1], [64, 64, 1, 1]])
            .prop_map(|s| s.to_vec()),
    ]
}

fn mutations() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        Just(Mutation::Drop),
        any::<Index>().prop_map(Mutation::Rename),
        Just(Mutation::Reverse),
        Just(Mutation::Flatten),
        shapes().prop_map(Mutation::Replace),
        (any::<Index>(), shapes()).prop_map(|(i, s)| Mutation::Copy(i, s)),
    ]
}

/// Names to rename to: those of the network, of its next block and of other kinds of network.
fn other_names() -> Vec<String> {
    let mut all = names(&portraits());
    let next: Vec<_> =
        all.iter().filter(|n| n.contains("b64")).map(|n| n.replace("b64", "b128")).collect();
    all.extend(next);
    let odd = "x mapping.fc4.weight mapping.fc4.bias mapping.embed.weight mapping.embed.bias \
               synthesis.b8.skip.weight synthesis.b4.conv0.weight generator.b4.const \
               conv1.conv.weight input.input synthesis.early_layer.const latent_avg";
    all.extend(odd.split_whitespace().map(str::to_owned));
    all
}

fn mutate(dict: &mut StateDict, name: &str, mutation: Mutation) {
    let Ok(mut tensor) = dict.take(name) else { return };
    match mutation {
        Mutation::Drop => return,
        Mutation::Rename(to) => {
            let all = other_names();
            let to = to.get(&all);
            dict.take(to).ok();
            return dict.insert(to.clone(), tensor).unwrap();
        }
        Mutation::Reverse => tensor.shape.reverse(),
        Mutation::Flatten => tensor.shape = vec![tensor.data.len()],
        Mutation::Replace(shape) => tensor = constant(&shape),
        Mutation::Copy(to, shape) => {
            let all = other_names();
            let to = to.get(&all);
            if to != name {
                dict.take(to).ok();
                dict.insert(to.clone(), constant(&shape)).unwrap();
            }
        }
    }
    dict.insert(name, tensor).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn mutated_tensors(changes in prop::collection::vec((any::<Index>(), mutations()), 1..5)) {
        let mut dict = portraits();
        let all = names(&dict);
        for (index, mutation) in changes {
            mutate(&mut dict, index.get::<String>(&all), mutation);
        }
        survives(dict)?;
    }

    #[test]
    fn mutated_bytes(
        flips in prop::collection::vec((any::<Index>(), 1u8..=255), 1..6),
        in_header in any::<bool>(),
    ) {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        let mut bytes = BYTES.get_or_init(|| std::fs::read(model_path()).unwrap()).clone();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (at, mask) in flips {
            let at = if in_header { at.index(header) } else { at.index(bytes.len()) };
            bytes[at] ^= mask;
        }
        match StateDict::from_bytes(&bytes, "mutated") {
            Ok(dict) => survives(dict)?,
            Err(e) => {
                let typed = matches!(e, Error::Format { .. } | Error::Weights { .. });
                prop_assert!(typed, "{e:?}");
            }
        }
    }
}
