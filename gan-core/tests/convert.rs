//! From one layout of StyleGAN2 to another and back: the same numbers and the same images.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use gan_core::checkpoint::{Family, HostTensor, Layout, StateDict, Target, convert, recognise};
use gan_core::models::stylegan2::Options;
use gan_core::{Device, Error, Noise, Seeds, StyleBased, StyleGan2};

fn open(name: &str) -> StateDict {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    StateDict::open(folder.join(name)).unwrap()
}

fn golden(name: &str) -> StateDict {
    open(&format!("golden/stylegan2/{name}.safetensors")).subset("weights.")
}

fn image(dict: &StateDict) -> Vec<f32> {
    let cpu = Device::cpu();
    let g = StyleGan2::from_state_dict(dict.clone(), &Options::default(), &cpu).unwrap();
    let w = g.map(&g.sample(&Seeds::from(0..2)).unwrap(), None).unwrap();
    g.synthesize(&g.broadcast(&w).unwrap(), Noise::Const).unwrap().to_vec().unwrap()
}

#[track_caller]
fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    let apart = a.iter().zip(b).fold(0f32, |m, (x, y)| m.max((x - y).abs()));
    assert!(apart <= tolerance * scale, "{what}: {apart} of {scale}");
}

#[track_caller]
fn assert_same(a: &StateDict, b: &StateDict) {
    assert_eq!(a.names().collect::<Vec<_>>(), b.names().collect::<Vec<_>>());
    for ((name, a), (_, b)) in a.iter().zip(b.iter()) {
        assert_eq!(a.shape, b.shape, "{name}");
        // Weights are multiplied by a root and divided by it.
        assert_close(&a.data, &b.data, 3e-7, name);
    }
}

#[test]
fn nvidia_to_rosinality_and_back() {
    for nvidia in [
        open("checkpoints/containers/snapshot_protocol4.pkl").into_network("G_ema."),
        open("../../examples/models/portraits64.safetensors"),
    ] {
        let theirs = convert(nvidia.clone(), Target::Rosinality).unwrap();
        assert_eq!(recognise(&theirs).unwrap(), (Family::StyleGan2, Layout::Rosinality));
        assert!(theirs.names().all(|n| n.starts_with("g_ema.") || n == "latent_avg"));
        assert_close(&image(&theirs), &image(&nvidia), 1e-5, "rosinality");
        let again = convert(theirs, Target::Nvidia).unwrap();
        assert_same(&again, &nvidia);
        assert_eq!(again.metadata(), nvidia.metadata());
    }
}

#[test]
fn rosinality_to_nvidia_and_back() {
    for name in ["rosinality_generator_r16", "rosinality_generator_r8_mlp8"] {
        let theirs = golden(name);
        let nvidia = convert(theirs.clone(), Target::Nvidia).unwrap();
        assert_eq!(recognise(&nvidia).unwrap(), (Family::StyleGan2, Layout::Nvidia));
        assert_eq!(image(&nvidia), image(&theirs));
        let again = convert(nvidia, Target::Rosinality).unwrap();
        assert_same(&again.subset("g_ema."), &theirs);
    }
}

#[test]
fn other_layouts_become_either() {
    for (name, target) in [
        ("checkpoints/stylegan2_genforce.safetensors", Target::Nvidia),
        ("checkpoints/containers/tf_stylegan2.pkl", Target::Nvidia),
        ("checkpoints/containers/tf_stylegan2.pkl", Target::Rosinality),
    ] {
        let dict = open(name);
        let converted = convert(dict.clone(), target).unwrap();
        assert_close(&image(&converted), &image(&dict), 1e-5, name);
    }
}

#[test]
fn one_network_keeps_its_own_metadata() {
    let file = open("checkpoints/containers/snapshot_protocol4.pkl");
    let converted = convert(file.clone(), Target::Nvidia).unwrap();
    let said = converted.metadata();
    assert_eq!(said["synthesis.b8.conv1.conv_clamp"], "0.5");
    assert!(said["licence"].starts_with("Copyright"));
    assert_eq!(said["training_set_kwargs.max_size"], "70000");
    assert!(!said.keys().any(|key| key.starts_with("G")), "{said:?}");
    assert_eq!(image(&converted), image(&file));
    // The raw generator has other weights.
    let raw = convert(file.clone().into_network("G."), Target::Nvidia).unwrap();
    assert_ne!(image(&raw), image(&file));
    assert!(file.into_network("H.").is_empty());
}

#[test]
fn what_has_no_place_is_named() {
    let refused = |dict: StateDict, target, parts: &[&str]| {
        let error = convert(dict, target).unwrap_err();
        assert!(matches!(error, Error::Weights { .. } | Error::Argument { .. }), "{error:?}");
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    refused(
        golden("generator_c0_resnet_r16_mixing"),
        Target::Rosinality,
        &["torgb.weight", "`skip`"],
    );
    refused(
        open("checkpoints/pggan_genforce.safetensors"),
        Target::Nvidia,
        &["StyleGAN2", "PGGAN"],
    );
    let mut labelled = open("../../examples/models/portraits64.safetensors");
    let w_dim = labelled.shape("mapping.w_avg").unwrap()[0];
    for (name, shape) in [("weight", vec![w_dim, 3]), ("bias", vec![w_dim])] {
        let data = vec![0.5; shape.iter().product()];
        labelled.insert(format!("mapping.embed.{name}"), HostTensor { shape, data }).unwrap();
    }
    refused(labelled, Target::Rosinality, &["mapping.embed.bias", "labels"]);
    // Codes of 10 numbers, intermediate ones of 12.
    refused(golden("generator_c0_skip_r16"), Target::Rosinality, &["mapping.fc0.weight", "inputs"]);
    let joint =
        open("golden/sefa/stylegan2_genforce_label_unfused_res16.safetensors").subset("weights.");
    refused(joint, Target::Nvidia, &["mapping.embed.weight", "normalised"]);
}
