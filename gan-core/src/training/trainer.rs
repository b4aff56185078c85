//! Training of a StyleGAN2 generator and its discriminator, step by step.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::models::stylegan2::Config;
use crate::nn::Params;
use crate::random::Philox;
use crate::tensor::Tensor;
use crate::training::file::{Settings, settings};
use crate::training::networks::{InTraining, LODS, discriminator as judge};
use crate::training::state::{State, W_AVG};
use crate::training::{Adam, PathLength, TrainerOptions};

/// Two networks in training, and everything that the next step depends on.
///
/// A step is that of stylegan2-ada-pytorch (`training/training_loop.py`): the generator's loss, path length regularisation, the
/// discriminator's loss, R1, and the average of the generator's weights; each of the four with new codes and noise and a step of
/// the optimizer of its own. There is no augmentation. The same seed and the same images give the same bits, for any number of
/// threads, on CPUs of the same instruction set.
///
/// ```
/// use gan_core::models::stylegan2::Config;
/// use gan_core::training::{Trainer, TrainerOptions};
/// use gan_core::{Device, Tensor};
///
/// let device = Device::cpu();
/// let small = Config { channel_base: 64, channel_max: 8, z_dim: 8, w_dim: 8, mapping_layers: 2, ..Config::new(8) };
/// let mut trainer = Trainer::start(&small, &TrainerOptions::auto(8, 4), 0, &device)?;
/// let gray = Tensor::zeros(&[4, 3, 8, 8], &device)?;
/// let report = trainer.step(&gray)?;
/// assert!(report.generator_loss > 0.0);
/// assert_eq!(trainer.images(), 4);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer {
    options: TrainerOptions,
    /// Shape of an image: colours, height, width.
    image_shape: [usize; 3],
    device: Device,
    pub(super) settings: Settings,
    pub(super) state: State,
}

/// What a step reports; losses are means over the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// `softplus(-logit)` of generated images, while the generator learns.
    pub generator_loss: f64,
    /// `softplus(logit)` of generated images and `softplus(-logit)` of real ones, while the discriminator learns.
    pub discriminator_loss: f64,
    /// Logit of real images.
    pub real_logit: f64,
    /// Logit of generated images.
    pub fake_logit: f64,
    /// The R1 penalty before its weight, in steps that have it.
    pub r1: Option<f64>,
    /// The path length penalty before its weight, in steps that have it.
    pub path_penalty: Option<f64>,
    /// The running mean of path lengths.
    pub path_mean: f64,
}

impl Trainer {
    /// Starts with networks of random weights.
    ///
    /// # Errors
    /// [`Error::Argument`] for sizes of no network and as [`Trainer::new`] has it, [`Error::TooLarge`] without the memory.
    pub fn start(
        config: &Config,
        options: &TrainerOptions,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let mut random = Philox::new(seed);
        let generator = config.generator(&options.generator, &mut random, device)?;
        let discriminator = config.discriminator(&options.discriminator, &mut random, device)?;
        Self::new(generator, discriminator, options, random)
    }

    /// Starts with networks that exist, under the names of [`StyleGan2::from_params`](crate::StyleGan2::from_params) or
    /// [`StyleGan::from_params`](crate::StyleGan::from_params), and of the two discriminators likewise: those of [`Config`]. The
    /// averaged generator starts as the generator.
    ///
    /// # Errors
    /// [`Error::Argument`] for options out of range, a batch that does not fall into groups of the minibatch standard deviation,
    /// networks with labels, which it does not train, and those that grow without a [growth](TrainerOptions::growth) or the reverse; [`Error::Weights`] if a tensor is missing, superfluous or misshapen;
    /// [`Error::Shape`] if the networks have images of two sizes; [`Error::Device`] if they are on two devices.
    pub fn new(
        generator: Params,
        discriminator: Params,
        options: &TrainerOptions,
        random: Philox,
    ) -> Result<Self> {
        options.check()?;
        let [generator, discriminator] = [generator, discriminator].map(|p| p.variables(|_| false));
        generator.require(W_AVG)?;
        let network = InTraining::new(generator.clone(), options)?;
        let (g, d) = (network.generator(), judge(&discriminator, options)?);
        if let Some(labels) = [g.label_dim(), d.label_dim()].into_iter().find(|&n| n > 0) {
            return Err(Error::argument("label_dim", "0: labels are not trained", labels));
        }
        if g.image_shape() != d.image_shape() {
            let expected = format!("a discriminator of images {:?}", g.image_shape());
            return Err(Error::shape("trainer", expected, d.image_shape()));
        }
        if g.device() != d.device() {
            let [left, right] = [g.device(), d.device()].map(|device| device.name().to_owned());
            return Err(Error::Device { op: "trainer", left, right });
        }
        let image_shape = g.image_shape();
        let [_, h, w] = image_shape;
        check_growth(options, &generator, &discriminator, h.min(w))?;
        let device = g.device().clone();
        let state = State {
            average: generator.clone(),
            generator,
            discriminator,
            generator_adam: Adam::new(&options.generator_adam()),
            discriminator_adam: Adam::new(&options.discriminator_adam()),
            path: PathLength::default(),
            steps: 0,
            random,
        };
        let settings = Settings::new();
        Ok(Trainer { options: *options, image_shape, device, settings, state })
    }

    /// With what else the next steps depend on, such as the data, which is saved `of` the run: one of others does not go on from its file.
    #[must_use]
    pub fn with_settings(self, of: &[(&str, String)]) -> Self {
        Trainer { settings: settings(of), ..self }
    }

    /// One step with real images `[batch, colours, h, w]` in -1 to 1.
    ///
    /// # Errors
    /// [`Error::Shape`] for images of another shape or number, [`Error::Device`] for those of another device,
    /// [`Error::NotFinite`] if a loss or a value of the next state is not finite. Nothing has changed then: the state is that
    /// before this step.
    pub fn step(&mut self, real: &Tensor) -> Result<StepReport> {
        let [c, h, w] = self.image_shape;
        let expected = [self.options.batch, c, h, w];
        if real.shape() != expected {
            return Err(Error::shape("step", format!("real images {expected:?}"), real.shape()));
        }
        let mut next = self.state.clone();
        let report = self.device.run(|| next.advance(&real.detach(), &self.options))?;
        self.state = next;
        Ok(report)
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Real images seen.
    pub fn images(&self) -> u64 {
        self.state.steps.saturating_mul(self.options.batch as u64)
    }

    /// What it was told.
    pub fn options(&self) -> &TrainerOptions {
        &self.options
    }

    /// The device that the networks are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The generator that learns.
    pub fn generator(&self) -> &Params {
        &self.state.generator
    }

    /// The average of the generators so far: the one to use.
    pub fn average(&self) -> &Params {
        &self.state.average
    }

    /// The discriminator.
    pub fn discriminator(&self) -> &Params {
        &self.state.discriminator
    }
}

/// Networks with a level of detail need to know when to change it, and others have none.
fn check_growth(
    options: &TrainerOptions,
    generator: &Params,
    discriminator: &Params,
    size: usize,
) -> Result<()> {
    let grows = [generator.get(LODS[0]), discriminator.get(LODS[1])].map(|lod| lod.is_some());
    match (options.growth, grows) {
        (Some(growth), [true, true]) => growth.check(size),
        (None, [false, false]) => Ok(()),
        (growth, _) => {
            let expected = "for a generator and a discriminator that grow, and for no others";
            let found = format!("{growth:?} and networks of which {grows:?}");
            Err(Error::argument("growth", expected, found))
        }
    }
}
