//! Convolutions with the batch normalisation behind them.

use gan_core::Tensor;
use gan_core::backend::Conv;
use gan_core::nn::Params;

use super::vit::wrong;
use crate::error::Result;

/// Added to variances, as in PyTorch.
const EPS: f64 = 1e-5;

/// A convolution without bias and the batch normalisation behind it, with the statistics of training, as one convolution.
#[derive(Clone, Debug)]
pub(super) struct NormedConv {
    /// `[co, ci, k, k]`.
    weight: Tensor,
    /// `[co, 1, 1]`.
    bias: Tensor,
    conv: Conv,
}

impl NormedConv {
    /// Takes `<conv>.weight [co, ci, kernel, kernel]` and the four tensors `[co]` of `<norm>`. Images keep their size at
    /// stride 1.
    pub(super) fn new(
        params: &mut Params,
        [conv, norm]: [&str; 2],
        [outputs, inputs]: [Option<usize>; 2],
        kernel: usize,
        stride: usize,
    ) -> Result<Self> {
        let shape = [outputs, inputs, Some(kernel), Some(kernel)];
        let weight = params.take(&format!("{conv}.weight"), &shape)?;
        let outputs = weight.shape()[0];
        let mut take = |what| params.take(&format!("{norm}.{what}"), &[Some(outputs)]);
        let [scale, shift] = [take("weight")?, take("bias")?];
        let [mean, variance] = [take("running_mean")?, take("running_var")?];
        // The number of batches behind the statistics.
        params.take_optional(&format!("{norm}.num_batches_tracked"), &[])?;
        if variance.to_vec::<f64>()?.iter().any(|v| *v < 0.0) {
            let name = format!("{norm}.running_var");
            return Err(wrong(&name, "variances of at least 0", variance.shape()));
        }
        let scale = scale.mul(&variance.affine(1.0, EPS)?.rsqrt()?)?;
        let bias = shift.sub(&mean.mul(&scale)?)?.reshape(&[outputs, 1, 1])?;
        let weight = weight.mul(&scale.reshape(&[outputs, 1, 1, 1])?)?;
        let conv = Conv { stride: [stride; 2], padding: [kernel / 2; 2], groups: 1 };
        Ok(NormedConv { weight, bias, conv })
    }

    pub(super) fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// `[n, ci, h, w]` to `[n, co, h', w']`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.conv2d(&self.weight, self.conv)?.add(&self.bias)?)
    }
}
