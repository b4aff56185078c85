//! Cutting generators: head and tail together are the network, at every stage of every family.

#![allow(clippy::unwrap_used)]

mod support;

use gan_core::models::stylegan2::Synthesis;
use gan_core::models::{SynthesisNetwork, biggan, pggan, stylegan};
use gan_core::nn::Params;
use gan_core::{
    BigGan, Device, Error, Features, Generator, Labels, Noise, PgGan, Seeds, Staged, StyleGan,
    StyleGan2, Tensor, WPlus, Z,
};
use support::{golden_weights, refused};

fn stylegan2(name: &str) -> StyleGan2 {
    StyleGan2::from_state_dict(golden_weights(name), &Default::default(), &Device::cpu()).unwrap()
}

fn stylegan(name: &str, lod: Option<f64>) -> StyleGan {
    let options = stylegan::Options { lod, ..Default::default() };
    StyleGan::from_state_dict(golden_weights(name), &options, &Device::cpu()).unwrap()
}

fn pggan(name: &str, label_dim: usize, lod: Option<f64>) -> PgGan {
    let options = pggan::Options { lod, label_dim, final_tanh: true, ..Default::default() };
    PgGan::from_state_dict(golden_weights(name), &options, &Device::cpu()).unwrap()
}

fn biggan() -> BigGan {
    let upsample = Some(vec![true, false, false, true, false]);
    let options = biggan::Options { upsample, ..Default::default() };
    let dict = golden_weights("biggan/biggan_deep_res16_stats11");
    BigGan::from_state_dict(dict, &options, &Device::cpu()).unwrap()
}

fn z(g: &dyn Generator, n: u32) -> Z {
    Z::from_seeds(&Seeds::from(0..n), g.z_dim(), g.device()).unwrap()
}

fn codes<G: Staged>(g: &G, n: u32) -> G::Codes {
    let classes: Vec<usize> = (0..n as usize).map(|i| i % g.label_dim().max(1)).collect();
    let labels =
        (g.label_dim() > 0).then(|| Labels::one_hot(&classes, g.label_dim(), g.device()).unwrap());
    g.codes(&z(g, n), labels.as_ref()).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().unwrap()
}

/// Cuts a network at every stage.
fn cut<G: Staged>(g: &G) {
    let codes = codes(g, 2);
    let whole = g.image(&codes).unwrap();
    assert_eq!(whole.shape()[1..], g.image_shape());
    let stages = g.stages();
    assert_eq!(stages.last().unwrap().name, "image");
    for (index, stage) in stages.iter().enumerate() {
        assert_eq!(g.stage(&stage.name).unwrap(), index);
        let features = g.head(&codes, index).unwrap();
        assert_eq!(features.stage(), index);
        assert_eq!(features.maps().shape()[1..], stage.maps, "{}", stage.name);
        assert_eq!(features.image().map(|i| &i.shape()[1..]), stage.image.as_ref().map(|s| &s[..]));
        assert_eq!(values(&g.tail(&features, &codes).unwrap()), values(&whole), "{}", stage.name);
        // What the tail makes comes from the features.
        let first = features.maps().slice(1, 0, 1).unwrap();
        let rest = stage.maps[0] - 1;
        let maps = match rest {
            0 => first.scale(0.5).unwrap(),
            _ => {
                let rest = features.maps().slice(1, 1, rest).unwrap();
                Tensor::concat(&[&first.affine(-0.5, 1.0).unwrap(), &rest], 1).unwrap()
            }
        };
        let changed = g.tail(&features.with_maps(maps).unwrap(), &codes).unwrap();
        // A constant channel is nothing to an instance norm.
        if stage.name != "const" {
            assert_ne!(values(&changed), values(&whole), "{}", stage.name);
        }
    }
}

#[test]
fn stylegan2_can_be_cut_anywhere() {
    cut(&stylegan2("stylegan2/generator_c0_skip_r16"));
    cut(&stylegan2("stylegan2/generator_c0_resnet_r16_mixing"));
    cut(&stylegan2("stylegan2/generator_c3_skip_r16"));
    cut(&stylegan2("sefa/stylegan2_genforce_res32"));
}

#[test]
fn stylegan_can_be_cut_anywhere() {
    cut(&stylegan("stylegan1/genforce_res32", None));
    cut(&stylegan("stylegan1/genforce_noconst_tanh_lod_res16", Some(0.0)));
    for lod in [0.3, 1.0, 1.7, 2.0] {
        cut(&stylegan("stylegan1/interfacegan_layout_res16", Some(lod)));
    }
}

#[test]
fn pggan_can_be_cut_anywhere() {
    cut(&pggan("pggan/mganprior_layout_res16", 0, None));
    for lod in [0.3, 1.0, 1.7] {
        cut(&pggan("pggan/genforce_res32", 0, Some(lod)));
    }
    let label_dim = 4;
    cut(&pggan("pggan/genforce_label_tanh_lod", label_dim, Some(0.0)));
}

#[test]
fn biggan_can_be_cut_anywhere() {
    cut(&biggan());
}

/// With all kinds of noise; random noise is that of the whole network, wherever it is cut.
#[test]
fn noise_goes_on_where_the_network_is_cut() {
    for name in ["skip", "resnet", "orig"] {
        let dict = golden_weights(&format!("stylegan2/synthesis_{name}_r16"));
        let mut params = Params::upload(dict, &Device::cpu()).unwrap();
        let network = Synthesis::new(&mut params, "", &Default::default()).unwrap();
        let ws = vec![0.5; 2 * network.num_ws() * network.w_dim()];
        let ws = Tensor::from_vec(ws, &[2, network.num_ws(), network.w_dim()], network.device());
        let styles = network.styles(&WPlus::new(ws.unwrap()).unwrap()).unwrap();
        let maps = network.noise_maps().unwrap();
        for noise in [Noise::Random { seed: 3 }, Noise::None, Noise::Const, Noise::Maps(&maps)] {
            let whole = network.forward(&styles, noise).unwrap();
            for stage in 0..network.stages().len() {
                let features = network.head(&styles, noise, stage).unwrap();
                let image = network.tail(&features, &styles, noise).unwrap();
                assert_eq!(values(&image), values(&whole), "{name} {stage} {noise:?}");
            }
        }
    }
}

#[test]
fn stages_outside_the_network_are_refused() {
    let g = stylegan2("stylegan2/generator_c0_skip_r16");
    let codes = codes(&g, 1);
    let error = refused(g.head(&codes, 7), &["stage", "0 (`const`) to 6 (`image`)", "7"]);
    assert!(matches!(error, Error::Argument { .. }));
    let far = Features::new(9, g.head(&codes, 6).unwrap().maps().clone()).unwrap();
    let error = refused(g.tail(&far, &codes), &["stage", "0 (`const`) to 6 (`image`)", "9"]);
    assert!(matches!(error, Error::Argument { .. }));
    refused(g.stage("b8"), &["stage", "const, b4.conv1, b8.conv0", "b8"]);
    let pggan = pggan("pggan/mganprior_layout_res16", 0, None);
    refused(pggan.head(&self::codes(&pggan, 1), 8), &["stage", "`image`", "8"]);
    let biggan = biggan();
    refused(biggan.head(&self::codes(&biggan, 1), 9), &["stage", "8 (`image`)", "9"]);
}

#[test]
fn features_of_another_shape_are_refused() {
    let g = stylegan2("stylegan2/generator_c0_skip_r16");
    let two = codes(&g, 2);
    let stage = g.stage("b8.conv0").unwrap();
    let features = g.head(&two, stage).unwrap();
    let maps = features.maps();
    let [_, c, h, w] = [0, 1, 2, 3].map(|d| maps.shape()[d]);

    let narrow = maps.slice(1, 0, c - 1).unwrap();
    let error = refused(features.with_maps(narrow.clone()), &["features", "expected [2, "]);
    assert!(matches!(error, Error::Shape { .. }));
    let alone = Features::new(stage, narrow).unwrap();
    let error = refused(g.tail(&alone, &two), &["features", "at stage `b8.conv0`"]);
    assert!(matches!(error, Error::Shape { .. }));
    // As many codes as features.
    let one = Features::new(stage, maps.slice(0, 0, 1).unwrap()).unwrap();
    refused(g.tail(&one, &two), &["features", &format!("[2, {c}, {h}, {w}] at stage")]);
    // The image so far belongs to them.
    let alone = Features::new(stage, maps.clone()).unwrap();
    refused(g.tail(&alone, &two), &["image beside the features", "found none", "the network made"]);
    refused(
        Features::new(0, maps.reshape(&[2, c, h * w]).unwrap()),
        &["[n, c, h, w]", "found [2, "],
    );
}
