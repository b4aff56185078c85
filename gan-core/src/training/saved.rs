//! A training state as one file, from which training goes on as if it had never stopped.

use std::collections::BTreeMap;
use std::path::Path;

use crate::backend::Device;
use crate::checkpoint::StateDict;
use crate::error::{Error, Result};
use crate::models::stylegan2::is_trained;
use crate::nn::Params;
use crate::random::Philox;
use crate::training::file::{
    check_format, check_settings, check_tensors, metadata, number, steps, write_settings,
};
use crate::training::state::State;
use crate::training::{Adam, Trainer};

/// What the file calls itself.
const FORMAT: &str = "gan-training-state-1";

impl Trainer {
    /// Writes everything that [`Trainer::resume`] needs into one safetensors file of f32: both networks, the averaged
    /// generator, the optimizers' means, counters, the position of the random stream, and the options. The file appears complete
    /// or not at all, and replaces one that was there.
    ///
    /// Networks are under the names of NVIDIA's training files, `G.`, `D.` and `G_ema.`, so that
    /// [`StyleGan2::open`](crate::StyleGan2::open) opens the averaged generator of it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut dict = StateDict::default();
        for (prefix, params) in self.state.parts() {
            for (name, tensor) in params.to_state_dict()?.into_parts().0 {
                dict.insert(format!("{prefix}{name}"), tensor)?;
            }
        }
        dict.set_metadata("format", FORMAT);
        for (key, value) in self.options().described().into_iter().chain(self.state.numbers()) {
            dict.set_metadata(key, value);
        }
        write_settings(&mut dict, &self.settings);
        dict.save(path)
    }

    /// Goes on from a file of [`Trainer::save`]: this trainer's networks, options, settings and seed must be those that it was started
    /// with, only learning rates may differ. The next steps then give the bits that they would have given without the break, on a device
    /// that computes in f32.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it is no such file, damaged or of other settings, [`Error::Argument`] for the first option that
    /// differs, [`Error::Weights`] for the first tensor that is missing, superfluous, misshapen or not finite. Nothing has
    /// changed then.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dict = StateDict::open(path)?;
        check_format(&dict, FORMAT, "Trainer::save", path)?;
        for (what, own) in self.options().described() {
            let stored = metadata(&dict, what, path)?;
            if stored != own {
                return Err(Error::argument(
                    what,
                    format!("{stored} as in {}", path.display()),
                    own,
                ));
            }
        }
        check_settings(&dict, &self.settings, path)?;
        let seed: u64 = number(&dict, "seed", path)?;
        if seed != self.state.random.seed() {
            let expected = format!("{seed} as in {}", path.display());
            return Err(Error::argument("seed", expected, self.state.random.seed()));
        }
        let mut path_length = self.state.path;
        path_length.mean = number(&dict, "path_mean", path)?;
        if !path_length.mean.is_finite() {
            return Err(Error::format(path, "training state", "path_mean is not finite"));
        }
        let [steps, generator_steps, discriminator_steps] =
            ["steps", GENERATOR_STEPS, DISCRIMINATOR_STEPS].map(|key| steps(&dict, key, path));
        let [steps, generator_steps, discriminator_steps] =
            [steps?, generator_steps?, discriminator_steps?];
        let position = number(&dict, "position", path)?;

        check_tensors(&dict, &self.state.expected([generator_steps, discriminator_steps]))?;
        dict.check_finite()?;
        let device: &Device = self.device();
        let part = |prefix: &str| Params::upload(dict.subset(prefix), device);
        let [generator_adam, discriminator_adam] =
            [self.options().generator_adam(), self.options().discriminator_adam()];
        self.state = State {
            generator: part(GENERATOR)?,
            discriminator: part(DISCRIMINATOR)?,
            average: part(AVERAGE)?,
            generator_adam: Adam::resumed(&generator_adam, generator_steps, part(GENERATOR_ADAM)?)?,
            discriminator_adam: Adam::resumed(
                &discriminator_adam,
                discriminator_steps,
                part(DISCRIMINATOR_ADAM)?,
            )?,
            path: path_length,
            steps,
            random: Philox::at(seed, position),
        };
        Ok(())
    }
}

const GENERATOR: &str = "G.";
const DISCRIMINATOR: &str = "D.";
const AVERAGE: &str = "G_ema.";
const GENERATOR_ADAM: &str = "G_adam.";
const DISCRIMINATOR_ADAM: &str = "D_adam.";
const GENERATOR_STEPS: &str = "generator_steps";
const DISCRIMINATOR_STEPS: &str = "discriminator_steps";

impl State {
    /// All tensors, by the prefix of their names in a file.
    fn parts(&self) -> [(&'static str, Params); 5] {
        [
            (GENERATOR, self.generator.clone()),
            (DISCRIMINATOR, self.discriminator.clone()),
            (AVERAGE, self.average.clone()),
            (GENERATOR_ADAM, self.generator_adam.state()),
            (DISCRIMINATOR_ADAM, self.discriminator_adam.state()),
        ]
    }

    /// Everything that is not a tensor.
    fn numbers(&self) -> [(&'static str, String); 6] {
        [
            ("steps", self.steps.to_string()),
            (GENERATOR_STEPS, self.generator_adam.steps().to_string()),
            (DISCRIMINATOR_STEPS, self.discriminator_adam.steps().to_string()),
            ("seed", self.random.seed().to_string()),
            ("position", self.random.position().to_string()),
            // The shortest text that reads as the same number.
            ("path_mean", self.path.mean.to_string()),
        ]
    }

    /// Names and shapes of the tensors of a run with these networks whose optimizers have done so many steps.
    fn expected(&self, steps: [u64; 2]) -> BTreeMap<String, Vec<usize>> {
        let mut expected = BTreeMap::new();
        let networks = [
            (GENERATOR, &self.generator),
            (DISCRIMINATOR, &self.discriminator),
            (AVERAGE, &self.average),
        ];
        for (prefix, params) in networks {
            let of = |(name, tensor): (&str, &crate::Tensor)| {
                (format!("{prefix}{name}"), tensor.shape().to_vec())
            };
            expected.extend(params.iter().map(of));
        }
        let optimizers =
            [(GENERATOR_ADAM, &self.generator), (DISCRIMINATOR_ADAM, &self.discriminator)];
        for ((prefix, params), steps) in optimizers.into_iter().zip(steps) {
            for (name, tensor) in params.iter().filter(|(name, _)| steps > 0 && is_trained(name)) {
                for mean in Adam::MEANS {
                    expected.insert(format!("{prefix}{name}.{mean}"), tensor.shape().to_vec());
                }
            }
        }
        expected
    }
}
