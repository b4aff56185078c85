//! Convolutions with the batch normalisation behind them.

use crate::backend::{BiasAct, Conv};
use crate::error::Result;
use crate::nn::batch_norm::take_variances;
use crate::nn::{Params, bias_act};
use crate::tensor::Tensor;

/// A convolution without bias and the batch normalisation behind it (Ioffe and Szegedy 2015), with the statistics of training, as one
/// convolution with a bias.
#[derive(Clone, Debug)]
pub struct NormedConv {
    /// `[co, ci, kh, kw]`
    weight: Tensor,
    /// `[co]`
    bias: Tensor,
    conv: Conv,
}

impl NormedConv {
    /// Takes `<conv>.weight` of a shape `[co, ci, kh, kw]`, each size or `None` for any, and of `[co]` the four tensors `weight`, `bias`,
    /// `running_mean` and `running_var` of `<norm>`, where PyTorch's `num_batches_tracked` may be beside them. `eps` is added to variances.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing or misshapen, or a variance is negative.
    pub fn new(
        params: &mut Params,
        [name, norm]: [&str; 2],
        shape: [Option<usize>; 4],
        conv: Conv,
        eps: f64,
    ) -> Result<Self> {
        let weight = params.take(&format!("{name}.weight"), &shape)?;
        let co = weight.shape()[0];
        let mut take = |what: &str| params.take(&format!("{norm}.{what}"), &[Some(co)]);
        let [scale, shift, mean] = [take("weight")?, take("bias")?, take("running_mean")?];
        let variance = take_variances(params, &format!("{norm}.running_var"), &[Some(co)])?;
        params.take_optional(&format!("{norm}.num_batches_tracked"), &[])?;
        let scale = scale.mul(&variance.affine(1.0, eps)?.rsqrt()?)?;
        Ok(NormedConv {
            weight: weight.mul(&scale.reshape(&[co, 1, 1, 1])?)?,
            bias: shift.sub(&mean.mul(&scale)?)?,
            conv,
        })
    }

    /// Number of channels of the result.
    pub fn outputs(&self) -> usize {
        self.bias.shape()[0]
    }

    /// `[n, ci, h, w]` to `[n, co, h', w']`, with a function behind it.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` does not fit.
    pub fn forward(&self, x: &Tensor, act: &BiasAct) -> Result<Tensor> {
        bias_act(&x.conv2d(&self.weight, self.conv)?, Some(&self.bias), act)
    }
}
