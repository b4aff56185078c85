//! Networks of the paper's first configurations in training: AdaIN instead of demodulation, and blocks that fade in.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use gan_core::models::stylegan2::{Architecture, Config, Norm, is_trained};
use gan_core::models::{AnyGenerator, stylegan};
use gan_core::nn::{Params, nearest_upsample2d};
use gan_core::training::{EmaSchedule, Growth, StepReport, Trainer, TrainerOptions};
use gan_core::{
    Device, Discriminator, Error, Generator, Order, Philox, Staged, StyleGan, StyleGan2,
    StyleGanDiscriminator, Tensor, Z,
};

const BATCH: usize = 4;

/// Two steps at 4 pixels, two in which 8 fade in, and so on up to 16.
const GROWTH: Growth = Growth { start: 4, steady: 2 * BATCH as u64, fade: 2 * BATCH as u64 };

fn config(norm: Norm, growing: bool) -> Config {
    Config {
        channel_base: 64,
        channel_max: 8,
        z_dim: 8,
        w_dim: 8,
        mapping_layers: 2,
        generator: Architecture::Orig,
        discriminator: Architecture::Orig,
        norm,
        growing,
        ..Config::new(16)
    }
}

fn kinds() -> [Config; 3] {
    [(Norm::Adain, false), (Norm::Adain, true), (Norm::Demodulation, true)]
        .map(|(norm, growing)| config(norm, growing))
}

fn options(config: &Config) -> TrainerOptions {
    TrainerOptions {
        r1_interval: Some(3),
        path_interval: Some(2),
        ema: EmaSchedule { kimg: 0.05, rampup: None },
        growth: config.growing.then_some(GROWTH),
        ..TrainerOptions::auto(16, BATCH)
    }
}

fn start(config: &Config) -> Trainer {
    Trainer::start(config, &options(config), 7, &Device::cpu()).unwrap()
}

/// Reddish squares on a dark ground, others for each step.
fn real(step: u64) -> Tensor {
    let mut random = Philox::new(1000 + step);
    let mut values = Vec::new();
    for _ in 0..BATCH {
        let [left, top] = [0; 2].map(|_| (random.uniform() * 9.0) as usize);
        for colour in [0.8, -0.2, -0.6] {
            let inside = |i: usize| {
                (top..top + 8).contains(&(i / 16)) && (left..left + 8).contains(&(i % 16))
            };
            values.extend((0..256).map(|i| if inside(i) { colour } else { -0.9f32 }));
        }
    }
    Tensor::from_vec(values, &[BATCH, 3, 16, 16], &Device::cpu()).unwrap()
}

fn run(trainer: &mut Trainer, steps: u64) -> Vec<StepReport> {
    (0..steps).map(|_| trainer.step(&real(trainer.steps())).unwrap()).collect()
}

fn bytes(trainer: &Trainer, folder: &Path) -> Vec<u8> {
    let file = folder.join("bytes.safetensors");
    trainer.save(&file).unwrap();
    std::fs::read(file).unwrap()
}

fn lod(trainer: &Trainer) -> f64 {
    let of = |params: &Params, name: &str| params.get(name).unwrap().item().unwrap();
    let lod = of(trainer.generator(), "synthesis.lod");
    assert_eq!(of(trainer.discriminator(), "lod"), lod);
    lod
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_vec().unwrap()
}

#[track_caller]
fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.shape(), expected.shape());
    for (f, e) in values(found).into_iter().zip(values(expected)) {
        assert!((f - e).abs() <= tolerance, "{f} instead of {e}");
    }
}

#[test]
fn resumed_runs_have_the_bits_of_uninterrupted_ones() {
    let folder = tempfile::tempdir().unwrap();
    for config in kinds() {
        let mut whole = start(&config);
        let reports = run(&mut whole, 10);
        // Before, within and right after a fade.
        for cut in [1, 3, 4] {
            let path = folder.path().join("state.safetensors");
            let mut first = start(&config);
            run(&mut first, cut);
            first.save(&path).unwrap();
            let mut second = start(&config);
            run(&mut second, 1);
            second.resume(&path).unwrap();
            assert_eq!(run(&mut second, 10 - cut), reports[cut as usize..], "{config:?} at {cut}");
            assert!(bytes(&second, folder.path()) == bytes(&whole, folder.path()), "at {cut}");
        }
    }
}

#[test]
fn blocks_come_in_as_the_schedule_has_it() {
    for norm in [Norm::Adain, Norm::Demodulation] {
        let mut trainer = start(&config(norm, true));
        let weight = |trainer: &Trainer, name: &str| values(trainer.generator().get(name).unwrap());
        let last = "synthesis.b16.conv1.weight";
        let initial = weight(&trainer, last);
        let expected = [2.0, 2.0, 2.0, 1.5, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0];
        for (step, level) in expected.into_iter().enumerate() {
            run(&mut trainer, 1);
            assert_eq!(lod(&trainer), level, "step {step}");
            // The last block learns once it fades in: at the level of 0.5, as 1 is the one without it.
            assert_eq!(weight(&trainer, last) == initial, level >= 1.0, "step {step}");
        }
    }
}

#[test]
fn the_optimizers_forget_at_each_new_block() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(Norm::Demodulation, true);
    let mut trainer = start(&config);
    let mut steps = Vec::new();
    for _ in 0..10 {
        run(&mut trainer, 1);
        let path = folder.path().join("state.safetensors");
        trainer.save(&path).unwrap();
        let dict = gan_core::checkpoint::StateDict::open(&path).unwrap();
        steps.push(dict.metadata()["discriminator_steps"].parse::<u64>().unwrap());
    }
    // R1 has a step of its own in every third; the level leaves 2 in step 3, reaches 1 in step 4, and so on.
    assert_eq!(steps, [2, 3, 4, 2, 1, 2, 4, 1, 1, 3]);
}

fn mean(reports: &[StepReport], of: impl Fn(&StepReport) -> f64) -> f64 {
    reports.iter().map(of).sum::<f64>() / reports.len() as f64
}

#[test]
fn each_network_learns_while_the_other_rests() {
    for config in kinds() {
        // Blocks of two resolutions take part all the time.
        let growth = Growth { start: 8, steady: 0, fade: 1 << 20 };
        let options =
            TrainerOptions { growth: config.growing.then_some(growth), ..options(&config) };
        let only_d = TrainerOptions { generator_lr: 0.0, ..options };
        let mut trainer = Trainer::start(&config, &only_d, 7, &Device::cpu()).unwrap();
        let reports = run(&mut trainer, 60);
        let loss = |r: &StepReport| r.discriminator_loss;
        let (early, late) = (mean(&reports[..10], loss), mean(&reports[50..], loss));
        assert!(late < 0.75 * early, "{config:?}: {early} to {late}");

        // Against the discriminator that has learnt.
        let only_g = TrainerOptions { discriminator_lr: 0.0, ..options };
        let [g, d] = [trainer.generator().clone(), trainer.discriminator().clone()];
        let mut trainer = Trainer::new(g, d, &only_g, Philox::new(3)).unwrap();
        let reports = run(&mut trainer, 60);
        let loss = |r: &StepReport| r.generator_loss;
        let (early, late) = (mean(&reports[..10], loss), mean(&reports[50..], loss));
        assert!(late < 0.75 * early, "{config:?}: {early} to {late}");
    }
}

/// The generator of one block less.
fn truncated(params: &Params) -> Params {
    let mut less = Params::default();
    for (name, tensor) in params.iter().filter(|(name, _)| !name.contains(".b16.")) {
        less.insert(name, tensor.clone());
    }
    less
}

/// Images are those of smaller networks, enlarged, and blends of two.
#[test]
fn a_level_of_detail_means_fewer_blocks() {
    let device = Device::reference();
    let config = config(Norm::Demodulation, true);
    let params = config.generator(&Default::default(), &mut Philox::new(3), &device).unwrap();
    let z = Z::from_seeds(&(0..2).into(), 8, &device).unwrap();
    let at = |params: &Params, lod: f64| {
        let mut params = params.clone();
        params.insert("synthesis.lod", Tensor::full(lod, &[], &device).unwrap());
        StyleGan2::from_params(params, &Default::default()).unwrap()
    };
    let image = |g: &StyleGan2| g.generate(&z, None).unwrap();
    let whole = image(&at(&params, 0.0));
    let half = nearest_upsample2d(&image(&at(&truncated(&params), 0.0))).unwrap();
    let quarter = nearest_upsample2d(&image(&at(&truncated(&params), 1.0))).unwrap();
    let blend = |a: &Tensor, b: &Tensor, share: f64| {
        a.scale(share).unwrap().add(&b.scale(1.0 - share).unwrap()).unwrap()
    };
    for (lod, expected) in [
        (0.25, blend(&whole, &half, 0.75)),
        (1.0, half.clone()),
        (1.75, blend(&half, &quarter, 0.25)),
        (2.0, quarter.clone()),
    ] {
        let g = at(&params, lod);
        assert_close(&image(&g), &expected, 1e-12);
        // Cut anywhere, it is the same.
        let codes = g.codes(&z, None).unwrap();
        for (stage, place) in g.stages().iter().enumerate() {
            let features = g.head(&codes, stage).unwrap();
            assert_eq!(features.maps().shape()[1..], place.maps, "{lod}, {stage}");
            assert_close(&g.tail(&features, &codes).unwrap(), &expected, 1e-12);
        }
    }
    // The sum of all colours would be another image.
    let mut skip = Params::default();
    for (name, tensor) in params.iter().filter(|(name, _)| *name != "synthesis.lod") {
        skip.insert(name, tensor.clone());
    }
    let skip = StyleGan2::from_params(skip, &Default::default()).unwrap();
    assert_eq!(skip.synthesis().architecture(), Architecture::Skip);
    assert_ne!(values(&image(&skip)), values(&whole));
}

#[test]
fn files_open_as_what_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::cpu();
    let z = Z::from_seeds(&(0..2).into(), 8, &device).unwrap();
    for config in kinds() {
        let mut trainer = start(&config);
        run(&mut trainer, 4);
        let path = folder.path().join("state.safetensors");
        trainer.save(&path).unwrap();
        let opened = AnyGenerator::open(&path, &device).unwrap();
        let average = trainer.average().clone();
        let own = match &opened {
            AnyGenerator::StyleGan(_) => {
                assert_eq!(config.norm, Norm::Adain);
                StyleGan::from_params(average, &Default::default()).unwrap().generate(&z, None)
            }
            _ => StyleGan2::from_params(average, &Default::default()).unwrap().generate(&z, None),
        };
        let images = opened.generator().generate(&z, None).unwrap();
        assert_eq!(values(&images), values(&own.unwrap()));
        if config.growing {
            // A level of 1.5: squares of two by two.
            let rows = |first| images.slice(2, first, 1).unwrap();
            assert_eq!(values(&rows(0)), values(&rows(1)));
            let d = StyleGanDiscriminator::open(&path, &device).unwrap();
            assert_eq!((d.lod(), d.image_shape()), (1.5, [3, 16, 16]));
        }
    }
}

/// Central differences against the gradients of all weights of a StyleGAN, by its tensors.
#[test]
fn gradients_of_adain_networks_in_their_weights() {
    let device = Device::reference();
    let small =
        Config { resolution: 8, channel_base: 32, channel_max: 4, ..config(Norm::Adain, true) };
    let mut random = Philox::new(5);
    let mut params = small.generator(&Default::default(), &mut random, &device).unwrap();
    // Nothing hides behind a zero, and both blocks show.
    for (name, tensor) in params.clone().iter() {
        let mut noise = vec![0.0f32; tensor.numel()];
        random.fill_normal(&mut noise);
        let noise = Tensor::from_vec(noise, tensor.shape(), &device).unwrap();
        params.insert(name, tensor.add(&noise.scale(0.2).unwrap()).unwrap());
    }
    params.insert("synthesis.lod", Tensor::full(0.25, &[], &device).unwrap());
    let z = Z::from_seeds(&(0..2).into(), 8, &device).unwrap();
    let loss = |params: &Params| {
        let g = StyleGan::from_params(params.clone(), &stylegan::Options::default()).unwrap();
        let images = g.generate(&z, None).unwrap();
        images.square().unwrap().mul(&images).unwrap().mean_all().unwrap()
    };
    let variables = params.variables(is_trained);
    let gradients = variables.gradients(&loss(&variables), Order::First).unwrap();
    let mut checked = 0;
    for (name, gradient) in gradients.iter() {
        let stored = params.get(name).unwrap();
        let (numbers, slopes) = (values(stored), values(gradient));
        let place = numbers.len() / 2;
        // Weights of the mapping network are a hundred times as large.
        let step = if name.starts_with("mapping") { 1e-4 } else { 1e-6 };
        let moved = |by: f64| {
            let mut numbers = numbers.clone();
            numbers[place] += by;
            let mut changed = params.clone();
            changed.insert(name, Tensor::from_vec(numbers, stored.shape(), &device).unwrap());
            loss(&changed).item().unwrap()
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        let error = (slope - slopes[place]).abs();
        assert!(error <= 1e-5 * slope.abs() + 1e-8, "{name}: {} for {slope}", slopes[place]);
        checked += usize::from(slope != 0.0);
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::cpu();
    let message = |config: &Config, options: &TrainerOptions| {
        Trainer::start(config, options, 0, &device).unwrap_err().to_string()
    };
    let growing = config(Norm::Demodulation, true);
    let plain = config(Norm::Adain, false);
    for (config, options, what) in [
        (growing.clone(), options(&plain), "growth: expected"),
        (plain.clone(), options(&growing), "growth: expected"),
        (
            growing.clone(),
            TrainerOptions { growth: Some(Growth { start: 12, ..GROWTH }), ..options(&growing) },
            "growth start: expected a power of two from 4 to 16, found 12",
        ),
        (
            growing.clone(),
            TrainerOptions { growth: Some(Growth { start: 32, ..GROWTH }), ..options(&growing) },
            "growth start",
        ),
        (
            Config { generator: Architecture::Skip, ..growing.clone() },
            options(&growing),
            "generator architecture: expected Orig",
        ),
        (
            Config { discriminator: Architecture::Resnet, ..growing.clone() },
            options(&growing),
            "discriminator architecture: expected Orig",
        ),
        (
            Config { generator: Architecture::Resnet, ..plain.clone() },
            options(&plain),
            "generator architecture: expected Orig",
        ),
        (growing.clone(), TrainerOptions { batch: 6, ..options(&growing) }, "multiple of the 4"),
    ] {
        let message = message(&config, &options);
        assert!(message.contains(what), "{message}");
    }
    // Residual blocks make no colours on the way.
    let mut params = config(Norm::Demodulation, false)
        .generator(&Default::default(), &mut Philox::new(0), &device)
        .unwrap();
    params.insert("synthesis.lod", Tensor::zeros(&[], &device).unwrap());
    let error = StyleGan2::from_params(params, &Default::default()).unwrap_err();
    assert!(matches!(error, Error::Weights { .. }), "{error}");
}

#[test]
fn runs_of_another_growth_do_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    let growing = config(Norm::Adain, true);
    let mut trainer = start(&growing);
    run(&mut trainer, 1);
    trainer.save(&path).unwrap();
    let other = Growth { fade: 99, ..GROWTH };
    let options = TrainerOptions { growth: Some(other), ..options(&growing) };
    let mut trainer = Trainer::start(&growing, &options, 7, &Device::cpu()).unwrap();
    let message = trainer.resume(&path).unwrap_err().to_string();
    assert!(message.contains("growth: expected Growth {"), "{message}");
    let mut trainer = start(&config(Norm::Adain, false));
    let message = trainer.resume(&path).unwrap_err().to_string();
    assert!(message.contains("expected no such tensor"), "{message}");
}

#[test]
fn a_loss_that_is_not_finite_leaves_the_state_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for config in kinds() {
        let mut trainer = start(&config);
        run(&mut trainer, 3);
        let before = bytes(&trainer, folder.path());
        let bad = Tensor::full(f64::NAN, &[BATCH, 3, 16, 16], &Device::cpu()).unwrap();
        let error = trainer.step(&bad).unwrap_err();
        assert!(matches!(error, Error::NotFinite { step: 3, .. }), "{error}");
        assert!(bytes(&trainer, folder.path()) == before);
        let mut other = start(&config);
        run(&mut other, 3);
        assert_eq!(run(&mut trainer, 2), run(&mut other, 2));
    }
}
