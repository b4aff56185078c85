//! Networks that lack a tensor, or have one too many.

use crate::support::assert_refused;
use gan_core::checkpoint::StateDict;
use gan_core::{Error, Generator, Seeds, StyleBased, Truncation};

use crate::support::refused;
use crate::{build, constant, draw, golden, names, portraits};

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
