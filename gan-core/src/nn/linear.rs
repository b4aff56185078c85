//! Fully connected layer with the equalised learning rate.

use crate::backend::{Activation, AffineGains, BiasAct};
use crate::error::Result;
use crate::nn::{Params, bias_act};
use crate::tensor::Tensor;

/// `y = act(x (weight * weight_gain)^T + bias * bias_gain)`.
///
/// With the equalised learning rate (PGGAN, section 4.1), weights are stored with unit variance, or, for a
/// learning-rate multiplier `m`, with variance `1/m^2`, and scaled at run time by `m / sqrt(inputs)`.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    weight_gain: f64,
    bias_gain: f64,
    act: BiasAct,
}

impl Linear {
    /// Takes `<name>.weight [outputs, inputs]` and `<name>.bias [outputs]`.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing or misshapen; `None` takes any size.
    pub fn new(
        params: &mut Params,
        name: &str,
        outputs: Option<usize>,
        inputs: Option<usize>,
        lr_multiplier: f64,
        act: Activation,
    ) -> Result<Self> {
        let weight = params.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let [outputs, inputs] = weight.dims2("linear")?;
        let bias = params.take(&format!("{name}.bias"), &[Some(outputs)])?;
        Ok(Linear {
            weight,
            bias,
            weight_gain: lr_multiplier / (inputs as f64).sqrt(),
            bias_gain: lr_multiplier,
            act: BiasAct::new(act),
        })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1]
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The stored weight `[outputs, inputs]`, without the gain.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Weight, bias and their factors, if there is no activation: then many layers can be one primitive.
    pub(super) fn affine(&self) -> Option<(&Tensor, &Tensor, AffineGains)> {
        let gains = AffineGains { weight: self.weight_gain, bias: self.bias_gain };
        let is_affine = self.act == BiasAct::new(Activation::Linear);
        is_affine.then_some((&self.weight, &self.bias, gains))
    }

    /// `[n, inputs]` to `[n, outputs]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // Scaling the small input instead of the weight is the same product.
        let y = x.scale(self.weight_gain)?.matmul_t(&self.weight)?;
        bias_act(&y, Some(&self.bias.scale(self.bias_gain)?), &self.act)
    }
}
