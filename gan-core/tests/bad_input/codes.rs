//! Codes, labels and directions that do not fit the network.

use crate::support::assert_refused;
use std::sync::Arc;

use gan_core::{
    Device, Direction, Error, Generator, Labels, Layers, Noise, Seeds, StyleBased, Styles,
    Truncation, W, WPlus, Z,
};

use crate::support::refused;
use crate::{conditional_model, portraits_model, tensor};

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
