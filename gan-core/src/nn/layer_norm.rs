//! Layer normalisation.

use crate::error::{Error, Result};
use crate::nn::Params;
use crate::tensor::Tensor;

/// Each row to mean 0 and variance 1, then scaled and shifted by feature (Ba, Kiros and Hinton 2016).
///
/// The variance is that of the row itself, not an estimate from a sample, and `eps` is added before its root, as in PyTorch.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Takes `<name>.weight [features]` and `<name>.bias [features]`; `None` takes any number.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen, [`Error::Argument`] if `eps` is not positive.
    pub fn new(params: &mut Params, name: &str, features: Option<usize>, eps: f64) -> Result<Self> {
        if !(eps.is_finite() && eps > 0.0) {
            return Err(Error::argument("layer norm eps", "a positive number", eps));
        }
        let weight = params.take(&format!("{name}.weight"), &[features])?;
        let bias = params.take(&format!("{name}.bias"), &[Some(weight.numel())])?;
        Ok(LayerNorm { weight, bias, eps })
    }

    /// Rows `[n, features]` to the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.dims2("layer_norm")?[1] != self.weight.numel() {
            let expected = format!("[n, {}]", self.weight.numel());
            return Err(Error::shape("layer_norm", expected, x.shape()));
        }
        let centred = x.sub(&x.mean(&[1])?)?;
        let spread = centred.square()?.mean(&[1])?.affine(1.0, self.eps)?.rsqrt()?;
        centred.mul(&spread)?.mul(&self.weight)?.add(&self.bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::grad::{gradcheck, gradgradcheck};

    fn norm(features: usize, device: &Device) -> LayerNorm {
        let mut params = Params::default();
        let ramp = |from: f64| (0..features).map(|i| from + i as f64).collect::<Vec<f64>>();
        params.insert("n.weight", Tensor::from_vec(ramp(1.0), &[features], device).unwrap());
        params.insert("n.bias", Tensor::from_vec(ramp(-1.0), &[features], device).unwrap());
        LayerNorm::new(&mut params, "n", None, 1e-5).unwrap()
    }

    #[test]
    fn rows_are_normalised_by_themselves() {
        for device in [Device::cpu(), Device::reference()] {
            let x = Tensor::new(&[1.0f64, 3.0, 10.0, 10.0], &[2, 2], &device).unwrap();
            let y = norm(2, &device).forward(&x).unwrap().to_vec::<f64>().unwrap();
            let unit = 1.0 / (1.0 + 1e-5f64).sqrt();
            let expected = [-unit - 1.0, 2.0 * unit, -1.0, 0.0];
            assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{y:?}");
        }
    }

    #[test]
    fn gradients_of_both_orders() {
        let device = Device::reference();
        let norm = norm(3, &device);
        let x = [0.3, -1.2, 0.7, 2.0, 0.1, -0.4];
        let x = Tensor::new(&x, &[2, 3], &device).unwrap();
        let f = |x: &[Tensor]| norm.forward(&x[0])?.square()?.sum_all();
        gradcheck(&f, std::slice::from_ref(&x)).unwrap();
        gradgradcheck(&f, &[x]).unwrap();
    }

    #[test]
    fn rows_of_another_length_are_refused() {
        let device = Device::cpu();
        let norm = norm(3, &device);
        for shape in [&[2, 4][..], &[3], &[1, 1, 3], &[3, 1]] {
            let x = Tensor::zeros(shape, &device).unwrap();
            assert!(matches!(norm.forward(&x), Err(Error::Shape { .. })), "{shape:?}");
        }
    }
}
