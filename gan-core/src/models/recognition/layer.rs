//! Convolution, bias and activation.

use std::f64::consts::SQRT_2;

use crate::backend::{Activation, BiasAct, Conv, Device};
use crate::error::Result;
use crate::nn::{Params, bias_act};
use crate::tensor::Tensor;

/// With the equalised learning rate; a kernel of `k` pixels keeps the size, or halves it with a stride of 2.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Already scaled.
    weight: Tensor,
    bias: Tensor,
    conv: Conv,
    act: BiasAct,
}

impl Layer {
    /// Takes `<name>.weight [outputs, inputs, kernel, kernel]` and `<name>.bias [outputs]`.
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        [outputs, inputs]: [Option<usize>; 2],
        (kernel, stride): (usize, usize),
        activation: Activation,
    ) -> Result<Self> {
        let shape = [outputs, inputs, Some(kernel), Some(kernel)];
        let weight = params.take(&format!("{name}.weight"), &shape)?;
        let bias = params.take(&format!("{name}.bias"), &[Some(weight.shape()[0])])?;
        let fan_in = weight.numel() / weight.shape()[0];
        let weight = weight.scale(1.0 / (fan_in as f64).sqrt())?;
        let padding = [(kernel - 1) / 2; 2];
        let conv = Conv { stride: [stride; 2], padding, ..Conv::default() };
        Ok(Layer { weight, bias, conv, act: BiasAct::new(activation) })
    }

    pub(super) fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    pub(super) fn device(&self) -> &Device {
        self.weight.device()
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        bias_act(&x.conv2d(&self.weight, self.conv)?, Some(&self.bias), &self.act)
    }
}

/// `(a + b) / sqrt(2)`, which keeps the variance.
pub(super) fn join(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.add(b)?.scale(1.0 / SQRT_2)
}
