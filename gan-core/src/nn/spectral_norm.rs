//! Spectral normalisation, folded into the weight, and the layers that have it.

use crate::backend::{Activation, BiasAct, Conv};
use crate::error::{Error, Result};
use crate::nn::{Params, bias_act};
use crate::tensor::Tensor;

/// A weight divided by an estimate of its largest singular value (Miyato et al. 2018, section 2.1).
///
/// The estimate is `sigma = u^T M v` with the vectors that training left behind, where `M` is the weight as a matrix
/// `[outputs, rest]`. It is not the exact norm, and nothing is iterated: the network was trained with this one.
#[derive(Clone, Debug)]
pub struct SpectralNorm {
    weight: Tensor,
    sigma: Tensor,
}

impl SpectralNorm {
    /// Takes `<name>.weight_orig` of the given shape, outputs first, `<name>.weight_u [outputs]` and `<name>.weight_v`
    /// with the product of the other sizes.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen, or sigma is zero.
    pub fn new(params: &mut Params, name: &str, shape: &[Option<usize>]) -> Result<Self> {
        let orig = params.take(&format!("{name}.weight_orig"), shape)?;
        let outputs = orig.shape()[0];
        let rest = orig.numel() / outputs;
        let u = params.take(&format!("{name}.weight_u"), &[Some(outputs)])?;
        let v = params.take(&format!("{name}.weight_v"), &[Some(rest)])?;
        let projected = u.reshape(&[1, outputs])?.matmul(&orig.reshape(&[outputs, rest])?)?;
        let sigma = projected.matmul(&v.reshape(&[rest, 1])?)?;
        let value = sigma.item()?;
        if value == 0.0 || !value.is_finite() {
            return Err(Error::Weights {
                name: format!("{name}.weight_u"),
                expected: "vectors whose sigma = u^T M v is not zero".into(),
                found: format!("sigma {value}"),
            });
        }
        let weight = orig.div(&sigma.reshape(&vec![1; orig.shape().len()])?)?;
        Ok(SpectralNorm { weight, sigma: sigma.reshape(&[1])? })
    }

    /// The weight that the layer computes with, `weight_orig / sigma`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The estimate, `[1]`.
    pub fn sigma(&self) -> &Tensor {
        &self.sigma
    }
}

/// Fully connected layer with spectral normalisation, `y = x W^T + b`.
#[derive(Clone, Debug)]
pub struct SpectralLinear {
    norm: SpectralNorm,
    bias: Option<Tensor>,
}

impl SpectralLinear {
    /// Takes the tensors of [`SpectralNorm::new`] with `weight_orig [outputs, inputs]`, and `<name>.bias [outputs]` if
    /// the layer `has_bias`; `None` takes any size.
    ///
    /// # Errors
    /// As [`SpectralNorm::new`].
    pub fn new(
        params: &mut Params,
        name: &str,
        outputs: Option<usize>,
        inputs: Option<usize>,
        has_bias: bool,
    ) -> Result<Self> {
        let norm = SpectralNorm::new(params, name, &[outputs, inputs])?;
        let bias = take_bias(params, name, &norm, has_bias)?;
        Ok(SpectralLinear { norm, bias })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.norm.weight.shape()[1]
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.norm.weight.shape()[0]
    }

    /// Its weight `[outputs, inputs]`.
    pub fn norm(&self) -> &SpectralNorm {
        &self.norm
    }

    /// `[n, inputs]` to `[n, outputs]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        add_bias(x.matmul_t(&self.norm.weight)?, self.bias.as_ref())
    }
}

/// Convolution with spectral normalisation that keeps height and width.
#[derive(Clone, Debug)]
pub struct SpectralConv2d {
    norm: SpectralNorm,
    bias: Option<Tensor>,
}

impl SpectralConv2d {
    /// Takes the tensors of [`SpectralNorm::new`] with `weight_orig [outputs, inputs, k, k]`, `k` odd, and
    /// `<name>.bias [outputs]` if the layer `has_bias`; `None` takes any size.
    ///
    /// # Errors
    /// As [`SpectralNorm::new`].
    pub fn new(
        params: &mut Params,
        name: &str,
        [outputs, inputs]: [Option<usize>; 2],
        k: usize,
        has_bias: bool,
    ) -> Result<Self> {
        let norm = SpectralNorm::new(params, name, &[outputs, inputs, Some(k), Some(k)])?;
        let bias = take_bias(params, name, &norm, has_bias)?;
        Ok(SpectralConv2d { norm, bias })
    }

    /// Number of channels of its results.
    pub fn outputs(&self) -> usize {
        self.norm.weight.shape()[0]
    }

    /// Its weight `[outputs, inputs, k, k]`.
    pub fn norm(&self) -> &SpectralNorm {
        &self.norm
    }

    /// The layer that computes the first `outputs` channels only, with the same sigma.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are fewer.
    pub fn narrowed(&self, outputs: usize) -> Result<Self> {
        let bias = self.bias.as_ref().map(|b| b.slice(0, 0, outputs)).transpose()?;
        let weight = self.norm.weight.slice(0, 0, outputs)?;
        Ok(SpectralConv2d { norm: SpectralNorm { weight, sigma: self.norm.sigma.clone() }, bias })
    }

    /// `[n, inputs, h, w]` to `[n, outputs, h, w]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let same = self.norm.weight.shape()[2] / 2;
        let conv = Conv { padding: [same, same], ..Conv::default() };
        add_bias(x.conv2d(&self.norm.weight, conv)?, self.bias.as_ref())
    }
}

fn take_bias(
    params: &mut Params,
    name: &str,
    norm: &SpectralNorm,
    has_bias: bool,
) -> Result<Option<Tensor>> {
    let outputs = norm.weight.shape()[0];
    has_bias.then(|| params.take(&format!("{name}.bias"), &[Some(outputs)])).transpose()
}

fn add_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(_) => bias_act(&y, bias, &BiasAct::new(Activation::Linear)),
        None => Ok(y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    fn params(u: [f64; 2], v: [f64; 2]) -> Params {
        let device = Device::reference();
        let mut params = Params::default();
        let mut put = |name: &str, values: &[f64], shape: &[usize]| {
            params.insert(name, Tensor::new(values, shape, &device).unwrap());
        };
        put("fc.weight_orig", &[1.0, 2.0, 3.0, 4.0], &[2, 2]);
        put("fc.weight_u", &u, &[2]);
        put("fc.weight_v", &v, &[2]);
        params
    }

    #[test]
    fn sigma_is_that_of_the_stored_vectors() {
        let shape = [Some(2), None];
        let norm = SpectralNorm::new(&mut params([1.0, 0.0], [0.0, 1.0]), "fc", &shape).unwrap();
        assert_eq!(norm.sigma().to_vec::<f64>().unwrap(), [2.0]);
        assert_eq!(norm.weight().to_vec::<f64>().unwrap(), [0.5, 1.0, 1.5, 2.0]);
    }

    #[test]
    fn a_norm_of_zero_is_refused() {
        let refused = SpectralNorm::new(&mut params([0.0; 2], [1.0; 2]), "fc", &[None, None]);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("fc.weight_u") && message.contains("sigma 0"), "{message}");
    }
}
