//! Fully connected layers and projections.

use gan_core::Tensor;
use gan_core::nn::Params;

use super::layout::Layout;
use crate::error::Result;

/// `y = x weight^T + bias`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[inputs, outputs]`: the order in which the product with many rows is fast.
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Takes `<name>.weight [outputs, inputs]` and `<name>.bias [outputs]`.
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        outputs: Option<usize>,
        inputs: Option<usize>,
    ) -> Result<Self> {
        let weight = params.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = params.take(&format!("{name}.bias"), &[Some(weight.shape()[0])])?;
        Self::from_parts(&weight, bias)
    }

    /// From `weight [outputs, inputs]` and `bias [outputs]`.
    pub(super) fn from_parts(weight: &Tensor, bias: Tensor) -> Result<Self> {
        Ok(Linear { weight: weight.permute(&[1, 0])?, bias })
    }

    pub(super) fn outputs(&self) -> usize {
        self.weight.shape()[1]
    }

    /// `[n, inputs]` to `[n, outputs]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight)?.add(&self.bias)?)
    }
}

/// Takes a projection, as `[inputs, outputs]` however the layout stores it.
pub(super) fn take_projection(
    params: &mut Params,
    name: &str,
    layout: Layout,
    inputs: usize,
    outputs: Option<usize>,
) -> Result<Tensor> {
    if layout.transposes_projections() {
        return Ok(params.take(name, &[outputs, Some(inputs)])?.permute(&[1, 0])?);
    }
    Ok(params.take(name, &[Some(inputs), outputs])?)
}
