//! The state of a training run, and how a step changes it.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::generator::{Generator, StyleBased};
use crate::grad::Order;
use crate::latent::{Noise, Z};
use crate::memory;
use crate::models::stylegan2::is_trained;
use crate::models::{StyleNetwork, SynthesisNetwork};
use crate::nn::Params;
use crate::random::Philox;
use crate::tensor::Tensor;
use crate::training::growth::{faded, is_new_block};
use crate::training::networks::{InTraining, LODS, discriminator as judge, lod};
use crate::training::{
    Adam, Generated, Mixing, PathLength, StepReport, TrainerOptions, average, fake_loss, generate,
    generator_loss, r1_penalty, real_loss,
};

/// The generator's mean code, which each of its passes moves.
pub(super) const W_AVG: &str = "mapping.w_avg";

/// Everything that the next step depends on. Clones share their tensors.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) generator: Params,
    pub(super) discriminator: Params,
    pub(super) average: Params,
    pub(super) generator_adam: Adam,
    pub(super) discriminator_adam: Adam,
    pub(super) path: PathLength,
    pub(super) steps: u64,
    pub(super) random: Philox,
}

impl State {
    /// One step, in the order of the official loop. After an error, the state is of no use.
    pub(super) fn advance(
        &mut self,
        real: &Tensor,
        options: &TrainerOptions,
    ) -> Result<StepReport> {
        let due = |interval: usize| self.steps.is_multiple_of(interval as u64);
        let path = phase(options.path_weight, options.path_interval, due);
        let r1 = phase(options.r1_gamma, options.r1_interval, due);
        let real = &self.grow(real, options)?;

        let (generator_loss, together) = self.generator_main(options, path == Phase::Together)?;
        let path_penalty = match path {
            Phase::Own(gain) => Some(self.path_length(options, gain)?),
            _ => together,
        };
        let [discriminator_loss, real_logit, fake_logit, together] =
            self.discriminator_main(real, options, r1 == Phase::Together)?;
        let r1 = match r1 {
            Phase::Own(gain) => Some(self.r1(real, options, gain)?),
            Phase::Together => Some(together),
            Phase::None => None,
        };

        let images = self.steps * options.batch as u64;
        let beta = options.ema.beta(options.batch, images);
        self.average = average(&self.average, &self.generator, beta)?;
        self.check_finite()?;
        self.steps += 1;
        Ok(StepReport {
            generator_loss,
            discriminator_loss,
            real_logit,
            fake_logit,
            r1,
            path_penalty,
            path_mean: self.path.mean,
        })
    }

    /// Fades the next block in as far as it is due; gives the real images as the networks are to see them.
    fn grow(&mut self, real: &Tensor, options: &TrainerOptions) -> Result<Tensor> {
        let (Some(growth), Some(before)) = (options.growth, lod(&self.generator)?) else {
            return Ok(real.clone());
        };
        let [_, _, h, w] = real.dims4("real images")?;
        let now = growth.lod(h.min(w), self.steps * options.batch as u64);
        let tensor = Tensor::full(now, &[], real.device())?;
        for (params, name) in [&mut self.generator, &mut self.discriminator].into_iter().zip(LODS) {
            params.insert(name, tensor.clone());
        }
        // What the means say of other blocks would make the first steps of a new one too large.
        if self.steps > 0 && is_new_block(before, now) {
            self.generator_adam = Adam::new(&options.generator_adam());
            self.discriminator_adam = Adam::new(&options.discriminator_adam());
        }
        faded(real, now)
    }

    /// The generator learns to please the discriminator; with `path`, path length regularisation is part of the loss.
    fn generator_main(
        &mut self,
        options: &TrainerOptions,
        path: bool,
    ) -> Result<(f64, Option<f64>)> {
        let variables = self.generator.variables(is_trained);
        let images = self.pass(&variables, options.batch, options)?.images;
        let logits = judge(&self.discriminator, options)?.logits(&images, None)?;
        let main = generator_loss(&logits)?.mean_all()?;
        let value = self.finite("the generator's loss", &main)?;
        let (loss, penalty) = match path {
            true => {
                let (penalty, found) = self.path_penalty(&variables, options)?;
                (main.add(&penalty.scale(options.path_weight)?)?, Some(found))
            }
            false => (main, None),
        };
        self.learn_generator(&variables, &loss)?;
        Ok((value, penalty))
    }

    /// Path length regularisation in a step of its own, which counts for `gain` steps.
    fn path_length(&mut self, options: &TrainerOptions, gain: f64) -> Result<f64> {
        let variables = self.generator.variables(is_trained);
        let (penalty, value) = self.path_penalty(&variables, options)?;
        self.learn_generator(&variables, &penalty.scale(options.path_weight * gain)?)?;
        Ok(value)
    }

    /// The mean penalty of half a batch (`pl_batch_shrink` of the official code), and its value.
    fn path_penalty(
        &mut self,
        variables: &Params,
        options: &TrainerOptions,
    ) -> Result<(Tensor, f64)> {
        let Generated { images, w, .. } =
            self.pass(variables, (options.batch / 2).max(1), options)?;
        let noise = normal(&mut self.random, images.shape(), images.device())?;
        let path = self.path.penalty(&images, w.tensor(), &noise)?;
        let penalty = path.penalty.mean_all()?;
        let value = self.finite("the path length penalty", &penalty)?;
        self.path.mean = path.mean.item()?;
        Ok((penalty, value))
    }

    /// The discriminator learns to tell images apart; with `r1`, the penalty is part of the loss. Gives the loss, the mean logits of
    /// real and generated images, and the penalty.
    fn discriminator_main(
        &mut self,
        real: &Tensor,
        options: &TrainerOptions,
        r1: bool,
    ) -> Result<[f64; 4]> {
        let generator = self.generator.clone();
        let images = self.pass(&generator, options.batch, options)?.images;
        let variables = self.discriminator.variables(is_trained);
        let d = judge(&variables, options)?;
        let real = if r1 { real.var() } else { real.clone() };
        let fake_logits = d.logits(&images, None)?;
        let real_logits = d.logits(&real, None)?;
        let fake = fake_loss(&fake_logits)?.mean_all()?;
        let mut loss = fake.add(&real_loss(&real_logits)?.mean_all()?)?;
        let value = self.finite("the discriminator's loss", &loss)?;
        let mut penalty = 0.0;
        if r1 {
            let mean = r1_penalty(&real_logits, &real)?.mean_all()?;
            penalty = self.finite("the R1 penalty", &mean)?;
            loss = loss.add(&mean.scale(options.r1_gamma / 2.0)?)?;
        }
        self.learn_discriminator(&variables, &loss)?;
        Ok([value, real_logits.mean_all()?.item()?, fake_logits.mean_all()?.item()?, penalty])
    }

    /// The R1 penalty in a step of its own, which counts for `gain` steps.
    fn r1(&mut self, real: &Tensor, options: &TrainerOptions, gain: f64) -> Result<f64> {
        let variables = self.discriminator.variables(is_trained);
        let real = real.var();
        let logits = judge(&variables, options)?.logits(&real, None)?;
        let penalty = r1_penalty(&logits, &real)?.mean_all()?;
        let value = self.finite("the R1 penalty", &penalty)?;
        self.learn_discriminator(&variables, &penalty.scale(options.r1_gamma / 2.0 * gain)?)?;
        Ok(value)
    }

    fn learn_generator(&mut self, variables: &Params, loss: &Tensor) -> Result<()> {
        let gradients = variables.gradients(loss, Order::First)?;
        self.generator_adam.step(&mut self.generator, &gradients)
    }

    fn learn_discriminator(&mut self, variables: &Params, loss: &Tensor) -> Result<()> {
        let gradients = variables.gradients(loss, Order::First)?;
        self.discriminator_adam.step(&mut self.discriminator, &gradients)
    }

    /// Images of new codes with new noise, by a generator of these tensors; moves the mean code.
    fn pass(
        &mut self,
        variables: &Params,
        batch: usize,
        options: &TrainerOptions,
    ) -> Result<Generated> {
        let mut params = variables.clone();
        if let Some(w_avg) = self.generator.get(W_AVG) {
            params.insert(W_AVG, w_avg.clone());
        }
        match InTraining::new(params, options)? {
            InTraining::Demodulated(g) => self.pass_of(&g, batch, options),
            InTraining::Normalized(g) => self.pass_of(&g, batch, options),
        }
    }

    fn pass_of<S: SynthesisNetwork>(
        &mut self,
        g: &StyleNetwork<S>,
        batch: usize,
        options: &TrainerOptions,
    ) -> Result<Generated> {
        let shape = [batch, g.z_dim()];
        let z = Z::new(normal(&mut self.random, &shape, g.device())?)?;
        let mixes = f64::from(self.random.uniform()) < options.style_mixing;
        let share = f64::from(self.random.uniform());
        // From 1 to one less than the layers that have grown, as each code has to have one.
        let resting = 2 * lod(&self.generator)?.unwrap_or(0.0) as usize;
        let cutoff = 1 + (share * (g.num_ws() - resting - 1) as f64) as usize;
        let other = Z::new(normal(&mut self.random, &shape, g.device())?)?;
        let mixing = mixes.then_some(Mixing { z: &other, cutoff });
        let words = [self.random.next_u32(), self.random.next_u32()].map(u64::from);
        let noise = Noise::Random { seed: words[0] << 32 | words[1] };
        let generated = generate(g, &z, None, mixing, noise)?;
        self.generator.insert(W_AVG, generated.w_avg.clone());
        Ok(generated)
    }

    /// The value of a loss.
    fn finite(&self, what: &'static str, loss: &Tensor) -> Result<f64> {
        let value = loss.item()?;
        match value.is_finite() {
            true => Ok(value),
            false => Err(self.not_finite(what, value)),
        }
    }

    /// A state that is saved must be one that can be read again.
    fn check_finite(&self) -> Result<()> {
        let adams = [self.generator_adam.state(), self.discriminator_adam.state()];
        let networks = [&self.generator, &self.average, &self.discriminator];
        for (name, tensor) in networks.into_iter().chain(&adams).flat_map(Params::iter) {
            let values = tensor.to_vec::<f32>()?;
            if let Some(value) = values.into_iter().find(|v| !v.is_finite()) {
                return Err(self.not_finite(name, value.into()));
            }
        }
        Ok(())
    }

    fn not_finite(&self, what: &str, value: f64) -> Error {
        Error::NotFinite { what: what.to_owned(), value, step: self.steps }
    }
}

/// What a step does about a penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    None,
    /// It is part of the loss.
    Together,
    /// It has a step of its own, which counts for so many.
    Own(f64),
}

fn phase(weight: f64, interval: Option<usize>, due: impl Fn(usize) -> bool) -> Phase {
    match interval {
        _ if weight == 0.0 => Phase::None,
        None => Phase::Together,
        Some(interval) if due(interval) => Phase::Own(interval as f64),
        Some(_) => Phase::None,
    }
}

fn normal(random: &mut Philox, shape: &[usize], device: &Device) -> Result<Tensor> {
    let len = shape.iter().fold(1usize, |n, &d| n.saturating_mul(d));
    let mut values = memory::zeros("codes and noise", len)?;
    random.fill_normal(&mut values);
    Tensor::from_vec(values, shape, device)
}
