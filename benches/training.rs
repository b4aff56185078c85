//! A training step: the gradient of the non-saturating loss in all weights of the generator, and of the logistic loss in
//! all weights of the discriminator (StyleGAN2, appendix B), without penalties and optimiser; and the penalties, each the gradient of
//! a gradient, which lazy regularisation asks for every 16 and every 4 steps.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gan_core::models::stylegan2::{Config, DiscriminatorOptions, Options, is_trained};
use gan_core::nn::Params;
use gan_core::training::{PathLength, r1_penalty};
use gan_core::{
    Device, Discriminator, Generator, Noise, Order, Philox, Result, Staged, StyleBased, StyleGan2,
    StyleGan2Discriminator, Tensor, Z,
};

const BATCH: usize = 16;

/// Two networks and what a step gives them.
struct Pair {
    generator: Params,
    discriminator: Params,
    z: Z,
    real: Tensor,
}

impl Pair {
    /// Networks as small as the portrait generator that ships with the repository.
    fn new(device: &Device) -> Result<Self> {
        let config = Config {
            channel_base: 1024,
            channel_max: 64,
            z_dim: 64,
            w_dim: 64,
            mapping_layers: 4,
            ..Config::new(64)
        };
        let mut random = Philox::new(0);
        let mut normal = |shape: &[usize]| {
            let mut values = vec![0.0; shape.iter().product()];
            random.fill_normal(&mut values);
            Tensor::from_vec(values, shape, device)
        };
        Ok(Pair {
            z: Z::new(normal(&[BATCH, config.z_dim])?)?,
            real: normal(&[BATCH, 3, 64, 64])?,
            generator: config.generator(&Options::default(), &mut random, device)?,
            discriminator: config.discriminator(&Default::default(), &mut random, device)?,
        })
    }

    fn images(&self, generator: &Params) -> Result<Tensor> {
        let g = StyleGan2::from_params(generator.clone(), &Options::default())?;
        g.generate(&self.z, None)
    }

    fn judge(discriminator: &Params) -> Result<StyleGan2Discriminator> {
        let options = DiscriminatorOptions::default();
        StyleGan2Discriminator::from_params(discriminator.clone(), &options)
    }

    /// Gradients of `softplus(-D(G(z)))` in the generator.
    fn generator_step(&self) -> Result<Params> {
        let generator = self.generator.variables(is_trained);
        let d = Self::judge(&self.discriminator)?;
        let loss = d.logits(&self.images(&generator)?, None)?.neg()?.softplus()?.mean_all()?;
        generator.gradients(&loss, Order::First)
    }

    /// Gradients of `softplus(D(G(z))) + softplus(-D(real))` in the discriminator.
    fn discriminator_step(&self) -> Result<Params> {
        let discriminator = self.discriminator.variables(is_trained);
        let d = Self::judge(&discriminator)?;
        let fake = d.logits(&self.images(&self.generator)?, None)?.softplus()?.mean_all()?;
        let real = d.logits(&self.real, None)?.neg()?.softplus()?.mean_all()?;
        discriminator.gradients(&fake.add(&real)?, Order::First)
    }

    /// Gradients of the R1 penalty of the real images in the discriminator.
    fn r1(&self) -> Result<Params> {
        let discriminator = self.discriminator.variables(is_trained);
        let real = self.real.var();
        let logits = Self::judge(&discriminator)?.logits(&real, None)?;
        discriminator.gradients(&r1_penalty(&logits, &real)?.mean_all()?, Order::First)
    }

    /// Gradients of the path length penalty of half a batch in the generator, as the official code has it.
    fn path_length(&self) -> Result<Params> {
        let generator = self.generator.variables(is_trained);
        let g = StyleGan2::from_params(generator.clone(), &Options::default())?;
        let z = Z::new(self.z.tensor().slice(0, 0, BATCH / 2)?)?;
        let w = g.codes(&z, None)?;
        let images = g.synthesize(&w, Noise::Const)?;
        let noise = self.real.slice(0, 0, BATCH / 2)?;
        let path = PathLength::default().penalty(&images, w.tensor(), &noise)?;
        generator.gradients(&path.penalty.mean_all()?, Order::First)
    }
}

fn training(c: &mut Criterion) {
    let pair = Pair::new(&Device::cpu()).expect("networks");
    let mut group = c.benchmark_group("training, 64, batch 16");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("generator", |b| b.iter(|| pair.generator_step().expect("step")));
    group.bench_function("discriminator", |b| b.iter(|| pair.discriminator_step().expect("step")));
    let both = || (pair.generator_step().expect("step"), pair.discriminator_step().expect("step"));
    group.bench_function("both", |b| b.iter(both));
    group.bench_function("R1", |b| b.iter(|| pair.r1().expect("penalty")));
    group.bench_function("path length", |b| b.iter(|| pair.path_length().expect("penalty")));
}

criterion_group!(benches, training);
criterion_main!(benches);
