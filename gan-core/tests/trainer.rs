//! Training runs: that they learn, stop at what is not finite, and go on from a file as if they had never stopped.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::stylegan2::{Config, DiscriminatorOptions};
use gan_core::nn::Params;
use gan_core::training::{EmaSchedule, StepReport, Trainer, TrainerOptions};
use gan_core::{Device, Error, Generator, Philox, StyleGan2, StyleGan2Discriminator, Tensor};

const BATCH: usize = 8;

fn small() -> Config {
    Config {
        channel_base: 64,
        channel_max: 8,
        z_dim: 8,
        w_dim: 8,
        mapping_layers: 2,
        ..Config::new(8)
    }
}

/// Penalties every second and third step, so that a few steps have all kinds.
fn options() -> TrainerOptions {
    TrainerOptions {
        r1_interval: Some(3),
        path_interval: Some(2),
        ema: EmaSchedule { kimg: 0.05, rampup: None },
        ..TrainerOptions::auto(8, BATCH)
    }
}

fn start(options: &TrainerOptions) -> Trainer {
    Trainer::start(&small(), options, 7, &Device::cpu()).unwrap()
}

/// Reddish squares on a dark ground, others for each step.
fn real(step: u64) -> Tensor {
    let mut random = Philox::new(1000 + step);
    let mut values = Vec::new();
    for _ in 0..BATCH {
        let [left, top] = [0; 2].map(|_| (random.uniform() * 5.0) as usize);
        for colour in [0.8, -0.2, -0.6] {
            let inside =
                |i: usize| (top..top + 4).contains(&(i / 8)) && (left..left + 4).contains(&(i % 8));
            values.extend((0..64).map(|i| if inside(i) { colour } else { -0.9f32 }));
        }
    }
    Tensor::from_vec(values, &[BATCH, 3, 8, 8], &Device::cpu()).unwrap()
}

fn run(trainer: &mut Trainer, steps: u64) -> Vec<StepReport> {
    (0..steps).map(|_| trainer.step(&real(trainer.steps())).unwrap()).collect()
}

/// The bytes of the saved state.
fn bytes(trainer: &Trainer) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.safetensors");
    trainer.save(&file).unwrap();
    std::fs::read(file).unwrap()
}

fn saved(folder: &Path, steps: u64) -> PathBuf {
    let mut trainer = start(&options());
    run(&mut trainer, steps);
    let path = folder.join("state.safetensors");
    trainer.save(&path).unwrap();
    path
}

#[test]
fn resumed_runs_have_the_bits_of_uninterrupted_ones() {
    let folder = tempfile::tempdir().unwrap();
    for options in
        [options(), TrainerOptions { path_interval: None, r1_interval: None, ..options() }]
    {
        let mut whole = start(&options);
        let reports = run(&mut whole, 7);
        for cut in [0, 1, 4] {
            let path = folder.path().join("state.safetensors");
            let mut first = start(&options);
            run(&mut first, cut);
            first.save(&path).unwrap();
            let mut second = start(&options);
            // What it did before does not matter.
            run(&mut second, 1);
            second.resume(&path).unwrap();
            assert_eq!(second.steps(), cut);
            assert_eq!(run(&mut second, 7 - cut), reports[cut as usize..], "cut at {cut}");
            assert!(bytes(&second) == bytes(&whole), "cut at {cut}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = start(&options());
            run(&mut trainer, 5);
            bytes(&trainer)
        })
    };
    let one = run(1);
    for threads in [2, 3] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
fn seeds_matter() {
    let of = |seed| {
        let mut trainer = Trainer::start(&small(), &options(), seed, &Device::cpu()).unwrap();
        run(&mut trainer, 1)[0]
    };
    assert_ne!(of(1), of(2));
}

#[test]
fn a_loss_that_is_not_finite_leaves_the_state_as_it_was() {
    let mut trainer = start(&options());
    run(&mut trainer, 2);
    let before = bytes(&trainer);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut values = real(2).to_vec::<f32>().unwrap();
        values[77] = bad;
        let images = Tensor::from_vec(values, &[BATCH, 3, 8, 8], &Device::cpu()).unwrap();
        match trainer.step(&images).unwrap_err() {
            Error::NotFinite { what, value, step } => {
                assert_eq!((what.as_str(), step), ("the discriminator's loss", 2));
                assert!(!value.is_finite());
            }
            other => panic!("{other}"),
        }
        assert!(bytes(&trainer) == before);
    }
    let mut other = start(&options());
    run(&mut other, 2);
    assert_eq!(run(&mut trainer, 2), run(&mut other, 2));
}

/// Weights that overflow while all losses are finite.
#[test]
fn a_state_that_is_not_finite_is_not_kept() {
    let mut trainer = start(&TrainerOptions { generator_lr: 1e38, ..options() });
    let error = loop {
        match trainer.step(&real(trainer.steps())) {
            Ok(_) => assert!(trainer.steps() < 20),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.safetensors");
    trainer.save(&file).unwrap();
    StateDict::open(&file).unwrap().check_finite().unwrap();
}

fn mean(reports: &[StepReport], of: impl Fn(&StepReport) -> f64) -> f64 {
    reports.iter().map(of).sum::<f64>() / reports.len() as f64
}

#[test]
fn each_network_learns_while_the_other_rests() {
    let only_d = TrainerOptions { generator_lr: 0.0, ..options() };
    let mut trainer = start(&only_d);
    let generator = trainer.generator().get("synthesis.b8.conv1.weight").unwrap().to_vec::<f32>();
    let reports = run(&mut trainer, 60);
    let loss = |r: &StepReport| r.discriminator_loss;
    let (early, late) = (mean(&reports[..10], loss), mean(&reports[50..], loss));
    assert!(late < 0.75 * early, "{early} to {late}");
    let after = trainer.generator().get("synthesis.b8.conv1.weight").unwrap().to_vec::<f32>();
    assert_eq!(generator.unwrap(), after.unwrap());

    // Against the discriminator that has learnt.
    let only_g = TrainerOptions { discriminator_lr: 0.0, ..options() };
    let mut trainer = Trainer::new(
        trainer.generator().clone(),
        trainer.discriminator().clone(),
        &only_g,
        Philox::new(3),
    )
    .unwrap();
    let reports = run(&mut trainer, 60);
    let loss = |r: &StepReport| r.generator_loss;
    let (early, late) = (mean(&reports[..10], loss), mean(&reports[50..], loss));
    assert!(late < 0.75 * early, "{early} to {late}");
}

/// How far the mean colour of generated images is from that of real ones.
fn distance(params: &Params) -> f64 {
    let device = Device::cpu();
    let colours = |images: &Tensor| images.mean(&[0, 2, 3]).unwrap().to_vec::<f64>().unwrap();
    let g = StyleGan2::from_params(params.clone(), &Default::default()).unwrap();
    let z = gan_core::Z::from_seeds(&(0..64).into(), g.z_dim(), &device).unwrap();
    let pairs = colours(&g.generate(&z, None).unwrap()).into_iter().zip(colours(&real(0)));
    pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn both_learn_together() {
    let mut trainer = start(&options());
    let before = distance(trainer.average());
    let reports = run(&mut trainer, 150);
    let after = distance(trainer.average());
    assert!(after < 0.5 * before, "{before} to {after}");
    // Penalties are reported in their steps, and path lengths are kept account of.
    for (step, report) in reports.iter().enumerate() {
        assert_eq!(report.r1.is_some(), step % 3 == 0);
        assert_eq!(report.path_penalty.is_some(), step % 2 == 0);
    }
    assert!(reports[149].path_mean > 0.0);
    assert_eq!(trainer.images(), 150 * BATCH as u64);
}

#[test]
fn penalties_can_be_part_of_each_step_or_left_out() {
    let all = TrainerOptions { path_interval: None, r1_interval: None, ..options() };
    assert!(run(&mut start(&all), 3).iter().all(|r| r.r1.is_some() && r.path_penalty.is_some()));
    let none = TrainerOptions { path_weight: 0.0, r1_gamma: 0.0, ..options() };
    assert!(run(&mut start(&none), 3).iter().all(|r| r.r1.is_none() && r.path_penalty.is_none()));
}

#[test]
fn the_averaged_generator_and_the_discriminator_open_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 3);
    let mut trainer = start(&options());
    trainer.resume(&path).unwrap();
    let device = Device::cpu();
    let z = gan_core::Z::from_seeds(&(0..2).into(), 8, &device).unwrap();
    let opened = StyleGan2::open(&path, &device).unwrap();
    let own = StyleGan2::from_params(trainer.average().clone(), &Default::default()).unwrap();
    let [opened, own] =
        [opened, own].map(|g| g.generate(&z, None).unwrap().to_vec::<f32>().unwrap());
    assert_eq!(opened, own);
    StyleGan2Discriminator::open(&path, &device).unwrap();
}

#[test]
fn other_learning_rates_may_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 2);
    let mut trainer =
        start(&TrainerOptions { generator_lr: 1e-4, discriminator_lr: 1e-4, ..options() });
    trainer.resume(path).unwrap();
    run(&mut trainer, 1);
}

/// The message of a refusal, after which the trainer is what it was.
#[track_caller]
fn refused(options: &TrainerOptions, path: &Path) -> String {
    let mut trainer = start(options);
    let before = bytes(&trainer);
    let message = trainer.resume(path).unwrap_err().to_string();
    assert!(bytes(&trainer) == before);
    message
}

#[test]
fn files_of_other_runs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 2);
    for (other, what) in [
        (TrainerOptions { batch: 4, ..options() }, "batch: expected 8 as in"),
        (TrainerOptions { r1_gamma: 3.5, ..options() }, "r1_gamma: expected 0.0016"),
        (TrainerOptions { path_interval: None, ..options() }, "path_interval: expected Some(2)"),
        (TrainerOptions { style_mixing: 0.5, ..options() }, "style_mixing: expected 0.9"),
    ] {
        let message = refused(&other, &path);
        assert!(message.contains(what), "{message}");
    }
    let mut trainer = Trainer::start(&small(), &options(), 8, &Device::cpu()).unwrap();
    let message = trainer.resume(&path).unwrap_err().to_string();
    assert!(message.contains("seed: expected 7 as in"), "{message}");

    let of = |data: &str| start(&options()).with_settings(&[("data", data.into())]);
    let named = folder.path().join("named");
    of("houses").save(&named).unwrap();
    of("houses").resume(&named).unwrap();
    let message = of("faces").resume(&named).unwrap_err().to_string();
    assert!(message.contains("its data is houses, that of this run faces"), "{message}");

    let wide = Config { w_dim: 9, ..small() };
    let mut trainer = Trainer::start(&wide, &options(), 7, &Device::cpu()).unwrap();
    let message = trainer.resume(&path).unwrap_err().to_string();
    let what = "`G.mapping.fc0.bias`: expected shape [9], found shape [8]";
    assert!(message.contains(what), "{message}");
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 2);
    let whole = StateDict::open(&path).unwrap();
    let refused_after = |change: &dyn Fn(&mut StateDict)| {
        let mut dict = whole.clone();
        change(&mut dict);
        let path = folder.path().join("changed.safetensors");
        dict.save(&path).unwrap();
        refused(&options(), &path)
    };
    let one = |value| HostTensor { shape: vec![8], data: vec![value; 8] };
    let swap = |dict: &mut StateDict, name: &str, tensor| {
        dict.take(name).unwrap();
        dict.insert(name, tensor).unwrap();
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&mut StateDict));
    let changes: &[Change<'_>] = &[
        ("`D.b4.fc.bias`: expected shape [8], found no such", &|d| drop(d.take("D.b4.fc.bias"))),
        ("`G_adam.mapping.fc0.bias.exp_avg_sq`: expected shape [8], found no such", &|d| {
            drop(d.take("G_adam.mapping.fc0.bias.exp_avg_sq"));
        }),
        ("`extra`: expected no such tensor, found shape [8]", &|d| {
            d.insert("extra", one(0.0)).unwrap();
        }),
        ("`G_ema.synthesis.b4.const`", &|d| swap(d, "G_ema.synthesis.b4.const", one(0.0))),
        ("`D.b4.fc.bias`: expected finite", &|d| swap(d, "D.b4.fc.bias", one(f32::NAN))),
        ("no state of a training run", &|d| d.set_metadata("format", "other")),
        ("`steps` is no number: -3", &|d| d.set_metadata("steps", "-3")),
        ("`steps` is 18446744073709551615, more", &|d| {
            d.set_metadata("steps", u64::MAX.to_string())
        }),
        ("`generator_steps` is 9223372036854775807, more", &|d| {
            d.set_metadata("generator_steps", i64::MAX.to_string());
        }),
        ("`position` is no number: 1e9", &|d| d.set_metadata("position", "1e9")),
        ("path_mean is not finite", &|d| d.set_metadata("path_mean", "inf")),
    ];
    for (what, change) in changes {
        let message = refused_after(change);
        assert!(message.contains(what), "{message}");
    }

    let cut = folder.path().join("cut.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 9]).unwrap();
    assert!(refused(&options(), &cut).contains("incomplete"));
    let generator = folder.path().join("generator.safetensors");
    start(&options()).generator().to_state_dict().unwrap().save(&generator).unwrap();
    assert!(refused(&options(), &generator).contains("no state of a training run"));
    assert!(refused(&options(), &folder.path().join("none")).contains("cannot read"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::cpu();
    let message = |config: &Config, options: &TrainerOptions| {
        Trainer::start(config, options, 0, &device).unwrap_err().to_string()
    };
    let auto = |batch| TrainerOptions::auto(8, batch);
    assert!(message(&small(), &auto(6)).contains("batch: expected a multiple of the 4 samples"));
    assert!(message(&small(), &auto(0)).contains("batch"));
    // Fewer than a group are one group.
    Trainer::start(&small(), &auto(3), 0, &device).unwrap();
    let whole = DiscriminatorOptions { minibatch_std_group: None, ..Default::default() };
    Trainer::start(&small(), &TrainerOptions { discriminator: whole, ..auto(6) }, 0, &device)
        .unwrap();
    for (options, what) in [
        (TrainerOptions { generator_lr: -1.0, ..options() }, "generator_lr"),
        (TrainerOptions { discriminator_lr: f64::NAN, ..options() }, "discriminator_lr"),
        (TrainerOptions { r1_gamma: f64::INFINITY, ..options() }, "r1_gamma"),
        (TrainerOptions { style_mixing: 1.5, ..options() }, "style_mixing: expected 0 to 1"),
        (TrainerOptions { r1_interval: Some(0), ..options() }, "r1_interval"),
        (TrainerOptions { path_interval: Some(0), ..options() }, "path_interval"),
    ] {
        let message = message(&small(), &options);
        assert!(message.contains(what), "{message}");
    }
    assert!(message(&Config { label_dim: 2, ..small() }, &options()).contains("label_dim"));

    let mut random = Philox::new(0);
    let g = small().generator(&Default::default(), &mut random, &device).unwrap();
    let d16 = Config { channel_base: 128, resolution: 16, ..small() };
    let d16 = d16.discriminator(&Default::default(), &mut random, &device).unwrap();
    let error = Trainer::new(g, d16, &options(), random).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");

    let mut trainer = start(&options());
    for shape in [[4, 3, 8, 8], [8, 3, 8, 16], [8, 1, 8, 8]] {
        let images = Tensor::zeros(&shape, &device).unwrap();
        let message = trainer.step(&images).unwrap_err().to_string();
        assert!(message.contains("real images [8, 3, 8, 8]"), "{message}");
    }
}
