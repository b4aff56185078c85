//! What a training run is told.

use std::fmt::Debug;

use crate::error::{Error, Result};
use crate::models::stylegan2::{DiscriminatorOptions, Options};
use crate::training::{AdamOptions, EmaSchedule, Growth};

/// How two networks are trained; the defaults are those of stylegan2-ada-pytorch's `auto` configuration, but for `r1_gamma` and
/// the average's half-life, which go with size and batch: see [`TrainerOptions::auto`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainerOptions {
    /// What the generator's tensors do not tell. Of a StyleGAN (with AdaIN), the learning-rate multiplier counts alone.
    pub generator: Options,
    /// What the discriminator's tensors do not tell. Of one that grows, the group counts alone.
    pub discriminator: DiscriminatorOptions,
    /// Images of a step.
    pub batch: usize,
    /// Step size of the generator's optimizer.
    pub generator_lr: f64,
    /// Step size of the discriminator's optimizer.
    pub discriminator_lr: f64,
    /// Weight of the R1 penalty; 0 for none.
    pub r1_gamma: f64,
    /// Steps from one R1 penalty to the next; `None` for one in each step, together with the loss.
    pub r1_interval: Option<usize>,
    /// Weight of path length regularisation; 0 for none.
    pub path_weight: f64,
    /// Steps from one path length regularisation to the next; `None` for one in each step, together with the loss.
    pub path_interval: Option<usize>,
    /// How often a batch has styles of two codes.
    pub style_mixing: f64,
    /// How fast the averaged generator follows.
    pub ema: EmaSchedule,
    /// When blocks come in; for networks that [grow](crate::models::stylegan2::Config::growing), and for no others.
    pub growth: Option<Growth>,
}

impl TrainerOptions {
    /// The `auto` configuration of stylegan2-ada-pytorch for images of that many pixels a side and so many of them in a step:
    /// `r1_gamma = 0.0002 size^2 / batch`, a half-life of `batch * 10 / 32` thousand images, learning rates of 0.0025, or 0.002
    /// from 1024 pixels on.
    pub fn auto(size: usize, batch: usize) -> Self {
        let lr = if size >= 1024 { 0.002 } else { 0.0025 };
        TrainerOptions {
            generator: Options::default(),
            discriminator: DiscriminatorOptions::default(),
            batch,
            generator_lr: lr,
            discriminator_lr: lr,
            r1_gamma: 0.0002 * (size as f64).powi(2) / (batch.max(1) as f64),
            r1_interval: Some(16),
            path_weight: 2.0,
            path_interval: Some(4),
            style_mixing: 0.9,
            ema: EmaSchedule { kimg: batch as f64 * 10.0 / 32.0, rampup: Some(0.05) },
            growth: None,
        }
    }

    /// The generator's optimizer.
    pub(super) fn generator_adam(&self) -> AdamOptions {
        let interval = self.path_interval.filter(|_| self.path_weight != 0.0);
        AdamOptions { lr: self.generator_lr, interval, ..AdamOptions::default() }
    }

    /// The discriminator's optimizer.
    pub(super) fn discriminator_adam(&self) -> AdamOptions {
        let interval = self.r1_interval.filter(|_| self.r1_gamma != 0.0);
        AdamOptions { lr: self.discriminator_lr, interval, ..AdamOptions::default() }
    }

    pub(super) fn check(&self) -> Result<()> {
        let group = self.discriminator.minibatch_std_group.unwrap_or(self.batch).min(self.batch);
        if group == 0 || !self.batch.is_multiple_of(group) {
            let group = group.max(1);
            let expected =
                format!("a multiple of the {group} samples of a minibatch standard deviation");
            return Err(Error::argument("batch", expected, self.batch));
        }
        for (what, value, most) in [
            ("generator_lr", self.generator_lr, f64::MAX),
            ("discriminator_lr", self.discriminator_lr, f64::MAX),
            ("r1_gamma", self.r1_gamma, f64::MAX),
            ("path_weight", self.path_weight, f64::MAX),
            ("style_mixing", self.style_mixing, 1.0),
            ("ema kimg", self.ema.kimg, f64::MAX),
            ("ema rampup", self.ema.rampup.unwrap_or(0.0), f64::MAX),
        ] {
            if !(0.0..=most).contains(&value) {
                let most = if most == 1.0 { "0 to 1" } else { "a finite number of at least 0" };
                return Err(Error::argument(what, most, value));
            }
        }
        for (what, interval) in
            [("r1_interval", self.r1_interval), ("path_interval", self.path_interval)]
        {
            if interval == Some(0) {
                return Err(Error::argument(what, "at least 1 step, or none", 0));
            }
        }
        Ok(())
    }

    /// All that must be the same when training goes on, by name. Learning rates may change.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let text = |value: &dyn Debug| format!("{value:?}");
        let mut described = vec![
            ("generator", text(&self.generator)),
            ("discriminator", text(&self.discriminator)),
            ("batch", text(&self.batch)),
            ("r1_gamma", text(&self.r1_gamma)),
            ("r1_interval", text(&self.r1_interval)),
            ("path_weight", text(&self.path_weight)),
            ("path_interval", text(&self.path_interval)),
            ("style_mixing", text(&self.style_mixing)),
            ("ema", text(&self.ema)),
        ];
        described.extend(self.growth.as_ref().map(|growth| ("growth", text(growth))));
        described
    }
}
