//! Networks with a tensor of a shape or of values that it cannot have.

use crate::support::assert_refused;
use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::{Device, Error, Generator, StyleGan2};

use crate::{build, changed, constant, golden, names, portraits};

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
