//! Supervised training of one network, and its state as one file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::backend::Device;
use crate::checkpoint::StateDict;
use crate::error::{Error, Result};
use crate::grad::Order;
use crate::nn::Params;
use crate::tensor::Tensor;
use crate::training::file::{
    Settings, check_format, check_settings, check_tensors, settings, steps, write_settings,
};
use crate::training::{Adam, AdamOptions};

/// What the file calls itself.
const FORMAT: &str = "gan-learner-state-1";
const NETWORK: &str = "network.";
const ADAM: &str = "adam.";

/// A network in training by the gradient of a loss: its tensors and the optimizer. Which batch comes in a step is up to the
/// caller; where it depends on the number of the step alone, a run in parts is the run in one, to the bit.
///
/// ```
/// use gan_core::nn::Params;
/// use gan_core::training::{AdamOptions, Learner};
/// use gan_core::{Device, Tensor};
///
/// let mut params = Params::default();
/// params.insert("weight", Tensor::full(0.5, &[3], &Device::cpu())?);
/// let mut learner = Learner::new(params, &AdamOptions::default(), &[("seed", "0".into())]);
/// for _ in 0..2 {
///     learner.step(0.1, |params| params.get("weight").expect("it is there").square()?.mean_all())?;
/// }
/// assert_eq!(learner.steps(), 2);
/// # assert!(learner.params().get("weight").expect("still there").to_vec::<f32>()?[0] < 0.35);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Learner {
    params: Params,
    options: AdamOptions,
    adam: Adam,
    settings: Settings,
}

impl Learner {
    /// Starts with the tensors of a network, all of which are trained. What the next steps depend on beside them, such as seed, size
    /// of batches and data, is saved as `of` the run: one of others does not go on from its file.
    pub fn new(params: Params, options: &AdamOptions, of: &[(&str, String)]) -> Self {
        let params = params.variables(|_| false);
        Learner { params, options: *options, adam: Adam::new(options), settings: settings(of) }
    }

    /// One step with a learning rate, which takes the place of the options', against the gradient of what `loss` makes of the
    /// network's tensors, a tensor of one element. Gives its value.
    ///
    /// # Errors
    /// Those of `loss`; [`Error::Argument`] for a rate below 0 or not finite, [`Error::Gradient`] if it does not depend on every tensor, [`Error::NotFinite`] if it or a value of the next
    /// state is not finite. Nothing has changed then.
    pub fn step<E: From<Error> + Send>(
        &mut self,
        lr: f64,
        loss: impl FnOnce(&Params) -> Result<Tensor, E> + Send,
    ) -> Result<f64, E> {
        if !(0.0..=f64::MAX).contains(&lr) {
            return Err(Error::argument("lr", "a finite number of at least 0", lr).into());
        }
        self.device().run(|| self.advance(lr, loss))
    }

    fn advance<E: From<Error>>(
        &mut self,
        lr: f64,
        loss: impl FnOnce(&Params) -> Result<Tensor, E>,
    ) -> Result<f64, E> {
        let variables = self.params.variables(|_| true);
        let loss = loss(&variables)?;
        let value = loss.item()?;
        self.finite("the loss", value)?;
        let gradients = variables.gradients(&loss, Order::First)?;
        let (mut params, mut adam) = (self.params.clone(), self.adam.clone());
        adam.set_lr(lr);
        adam.step(&mut params, &gradients)?;
        // A state that is saved must be one that can be read again.
        for (name, tensor) in params.iter().chain(adam.state().iter()) {
            for value in tensor.to_vec::<f32>()? {
                self.finite(name, value.into())?;
            }
        }
        (self.params, self.adam) = (params, adam);
        Ok(value)
    }

    fn device(&self) -> Device {
        let device = self.params.iter().next().map(|(_, tensor)| tensor.device().clone());
        device.unwrap_or_else(Device::cpu)
    }

    fn finite(&self, what: &str, value: f64) -> Result<()> {
        match value.is_finite() {
            true => Ok(()),
            false => Err(Error::NotFinite { what: what.to_owned(), value, step: self.steps() }),
        }
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.adam.steps()
    }

    /// The network's tensors.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Writes everything that [`Learner::resume`] needs into one safetensors file of f32, the network's tensors under `network.`.
    /// The file appears complete or not at all, and replaces one that was there.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; a file that was there is still there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut dict = StateDict::default();
        for (prefix, params) in [(NETWORK, &self.params), (ADAM, &self.adam.state())] {
            for (name, tensor) in params.to_state_dict()?.into_parts().0 {
                dict.insert(format!("{prefix}{name}"), tensor)?;
            }
        }
        dict.set_metadata("format", FORMAT);
        dict.set_metadata("steps", self.steps().to_string());
        write_settings(&mut dict, &self.settings);
        dict.save(path)
    }

    /// Goes on from a file of [`Learner::save`]: this network and its settings must be those of the file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it is no such file, damaged or of other settings, [`Error::Weights`] for the first
    /// tensor that is missing, superfluous, misshapen or not finite. Nothing has changed then.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dict = StateDict::open(path)?;
        check_format(&dict, FORMAT, "Learner::save", path)?;
        check_settings(&dict, &self.settings, path)?;
        let steps = steps(&dict, "steps", path)?;
        check_tensors(&dict, &self.expected(steps))?;
        let device = self.device();
        let part = |prefix| Params::upload(dict.subset(prefix), &device);
        let (params, adam) = (part(NETWORK)?, Adam::resumed(&self.options, steps, part(ADAM)?)?);
        (self.params, self.adam) = (params, adam);
        Ok(())
    }

    /// Names and shapes of the tensors of a file after so many steps.
    fn expected(&self, steps: u64) -> BTreeMap<String, Vec<usize>> {
        let mut expected = BTreeMap::new();
        for (name, tensor) in self.params.iter() {
            expected.insert(format!("{NETWORK}{name}"), tensor.shape().to_vec());
            for mean in Adam::MEANS.iter().filter(|_| steps > 0) {
                expected.insert(format!("{ADAM}{name}.{mean}"), tensor.shape().to_vec());
            }
        }
        expected
    }
}
