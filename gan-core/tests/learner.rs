//! Supervised training: a saved state goes on with the same bits, and what does not fit is refused.

#![allow(clippy::unwrap_used)]

use std::fs;

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::nn::Params;
use gan_core::training::{AdamOptions, Learner, cross_entropy};
use gan_core::{Device, Error, Result, Tensor};

fn learner(seed: &str) -> Learner {
    let mut params = Params::default();
    let weight: Vec<f32> = (0..12).map(|i| (i as f32).sin()).collect();
    params.insert("fc.weight", Tensor::new(&weight, &[3, 4], &Device::cpu()).unwrap());
    params.insert("fc.bias", Tensor::zeros(&[3], &Device::cpu()).unwrap());
    Learner::new(params, &AdamOptions::default(), &[("seed", seed.to_owned())])
}

fn loss(params: &Params, step: u64) -> Result<Tensor> {
    let x: Vec<f32> = (0..8).map(|i| ((i + step) as f32).cos()).collect();
    let x = Tensor::new(&x, &[2, 4], &Device::cpu())?;
    let [weight, bias] = ["fc.weight", "fc.bias"].map(|name| params.get(name).unwrap());
    let targets = Tensor::new(&[1.0f32, 0.0, 0.0, 0.0, 0.0, 1.0], &[2, 3], &Device::cpu())?;
    cross_entropy(&x.matmul_t(weight)?.add(bias)?, &targets, 1)?.mean_all()
}

fn train(learner: &mut Learner, to: u64) {
    while learner.steps() < to {
        let step = learner.steps();
        learner.step(0.01 / (1 + step) as f64, |params| loss(params, step)).unwrap();
    }
}

#[test]
fn a_run_in_two_parts_is_the_run_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    for at in [0, 5] {
        let mut one = learner("0");
        train(&mut one, 9);
        one.save(&whole).unwrap();
        let mut two = learner("0");
        train(&mut two, at);
        two.save(&parts).unwrap();
        let mut two = learner("0");
        two.resume(&parts).unwrap();
        assert_eq!(two.steps(), at);
        train(&mut two, 9);
        two.save(&parts).unwrap();
        assert!(fs::read(&whole).unwrap() == fs::read(&parts).unwrap());
    }
}

#[test]
fn what_is_not_finite_changes_nothing() {
    let mut learner = learner("0");
    train(&mut learner, 3);
    let before = learner.params().to_state_dict().unwrap();
    let error = learner.step(0.1, |params| loss(params, 3)?.affine(f64::NAN, 0.0)).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 3, .. }), "{error}");
    let error = learner.step(f64::MAX, |params| loss(params, 3)).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 3, .. }), "{error}");
    for lr in [f64::INFINITY, f64::NAN, -0.1] {
        let error = learner.step(lr, |params| loss(params, 3)).unwrap_err();
        assert!(matches!(error, Error::Argument { what: "lr", .. }), "{error}");
    }
    assert_eq!(learner.steps(), 3);
    assert_eq!(learner.params().to_state_dict().unwrap(), before);
}

#[test]
fn other_files_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut good = learner("0");
    train(&mut good, 2);
    good.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let rewritten = |change: &dyn Fn(&mut StateDict)| {
        let mut dict = StateDict::open(&path).unwrap();
        change(&mut dict);
        let other = folder.path().join("other");
        dict.save(&other).unwrap();
        fs::read(other).unwrap()
    };
    let tensor = |shape: &[usize], value: f32| HostTensor {
        shape: shape.to_vec(),
        data: vec![value; shape.iter().product()],
    };
    let cases: [(Vec<u8>, &str); 9] = [
        (bytes[..bytes.len() - 1].to_vec(), "not a usable"),
        (b"no state".to_vec(), "not a usable"),
        (rewritten(&|d| d.set_metadata("format", "other")), "no state of a training run"),
        (rewritten(&|d| d.set_metadata("steps", "many")), "`steps` is no number: many"),
        (rewritten(&|d| d.set_metadata("steps", u64::MAX.to_string())), "of any run"),
        (rewritten(&|d| d.set_metadata("setting.seed", "7")), "its seed is 7, that of this run 0"),
        (rewritten(&|d| drop(d.take("adam.fc.bias.exp_avg"))), "adam.fc.bias.exp_avg"),
        (rewritten(&|d| d.insert("more", tensor(&[1], 0.0)).unwrap()), "`more`"),
        (
            rewritten(&|d| {
                d.take("network.fc.bias").unwrap();
                d.insert("network.fc.bias", tensor(&[3], f32::NAN)).unwrap();
            }),
            "finite values",
        ),
    ];
    for (bytes, part) in cases {
        fs::write(&path, bytes).unwrap();
        let mut learner = learner("0");
        let before = learner.params().to_state_dict().unwrap();
        let error = learner.resume(&path).unwrap_err().to_string();
        assert!(error.contains(part), "`{part}` is not in: {error}");
        assert_eq!((learner.steps(), learner.params().to_state_dict().unwrap()), (0, before));
    }
    assert!(matches!(learner("0").resume(folder.path().join("absent")), Err(Error::Io { .. })));
}

#[test]
fn cross_entropy_is_that_of_the_definition() {
    let device = Device::reference();
    let logits = [1.0f64, -2.0, 0.5, 800.0, 0.0, -800.0];
    let logits = Tensor::new(&logits, &[2, 3], &device).unwrap();
    let targets = Tensor::new(&[0.0f64, 1.0, 0.0, 0.0, 0.0, 1.0], &[2, 3], &device).unwrap();
    let found = cross_entropy(&logits, &targets, 1).unwrap();
    assert_eq!(found.shape(), [2, 1]);
    let total = (1f64.exp() + (-2f64).exp() + 0.5f64.exp()).ln();
    let found: Vec<f64> = found.to_vec().unwrap();
    assert!((found[0] - (total + 2.0)).abs() < 1e-12 && found[1] == 1600.0, "{found:?}");
}
