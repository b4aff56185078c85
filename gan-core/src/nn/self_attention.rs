//! Attention of a feature map to itself.

use crate::error::Result;
use crate::nn::{Params, SpectralConv2d, max_pool2d, softmax};
use crate::tensor::Tensor;

/// `x + gamma * conv(attention to g(x))`, with keys and values at half the resolution.
///
/// Queries and keys have an eighth of the channels, values a half; all maps are 1x1 convolutions with spectral
/// normalisation and without bias (Zhang et al. 2019, section 3; pooled as in BigGAN). The scores are not scaled.
/// Source: `SelfAttn` of pytorch-pretrained-biggan.
#[derive(Clone, Debug)]
pub struct SelfAttention {
    theta: SpectralConv2d,
    phi: SpectralConv2d,
    g: SpectralConv2d,
    output: SpectralConv2d,
    gamma: Tensor,
}

impl SelfAttention {
    /// Takes `<name>.snconv1x1_{theta,phi}` `[c/8, c, 1, 1]`, `<name>.snconv1x1_g [c/2, c, 1, 1]`,
    /// `<name>.snconv1x1_o_conv [c, c/2, 1, 1]` and `<name>.gamma [1]`.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if a tensor is missing or misshapen.
    pub fn new(params: &mut Params, name: &str, channels: Option<usize>) -> Result<Self> {
        let mut conv = |layer: &str, shape| {
            SpectralConv2d::new(params, &format!("{name}.snconv1x1_{layer}"), shape, 1, false)
        };
        let theta = conv("theta", [channels.map(|c| c / 8), channels])?;
        let channels = theta.norm().weight().shape()[1];
        let phi = conv("phi", [Some(theta.outputs()), Some(channels)])?;
        let g = conv("g", [Some(channels / 2), Some(channels)])?;
        let output = conv("o_conv", [Some(channels), Some(channels / 2)])?;
        let gamma = params.take(&format!("{name}.gamma"), &[Some(1)])?;
        Ok(SelfAttention { theta, phi, g, output, gamma })
    }

    /// Whether there is any of its tensors.
    pub fn is_in(params: &Params, name: &str) -> bool {
        let mut layers = ["theta", "phi", "g", "o_conv"].iter();
        layers.any(|layer| params.has_layer(&format!("{name}.snconv1x1_{layer}")))
            || params.get(&format!("{name}.gamma")).is_some()
    }

    /// How much each pixel of `x [n, c, h, w]` attends to each square of 2 x 2 pixels, `[n, h w, (h/2) (w/2)]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` does not fit or is of one row or column.
    pub fn attention(&self, x: &Tensor) -> Result<Tensor> {
        let queries = flat(&self.theta.forward(x)?)?;
        let keys = flat(&max_pool2d(&self.phi.forward(x)?, 2)?)?;
        softmax(&queries.matmul_with(&keys, true, false)?, 2)
    }

    /// `[n, c, h, w]` to the same shape.
    ///
    /// # Errors
    /// As [`SelfAttention::attention`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [n, _, h, w] = x.dims4("self_attention")?;
        let values = flat(&max_pool2d(&self.g.forward(x)?, 2)?)?;
        // Small factors change places: a product with many rows along the sum is the slow kind.
        let values = values.permute(&[0, 2, 1])?;
        let attended = self.attention(x)?.matmul(&values)?.permute(&[0, 2, 1])?;
        let attended = attended.reshape(&[n, self.g.outputs(), h, w])?;
        x.add(&self.output.forward(&attended)?.mul(&self.gamma.reshape(&[1, 1, 1, 1])?)?)
    }
}

/// `[n, c, h, w]` to `[n, c, h w]`.
fn flat(x: &Tensor) -> Result<Tensor> {
    let [n, c, h, w] = x.dims4("self_attention")?;
    x.reshape(&[n, c, h * w])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::grad::{gradcheck, gradgradcheck};
    use crate::random::Philox;

    #[test]
    fn gradients_of_both_orders() {
        let device = Device::reference();
        let mut random = Philox::new(7);
        let mut normal = |shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|_| f64::from(random.normal_f32()));
            Tensor::from_vec(values.collect(), shape, &device).unwrap()
        };
        let mut params = Params::default();
        for (name, co, ci) in [("theta", 1, 8), ("phi", 1, 8), ("g", 4, 8), ("o_conv", 8, 4)] {
            params.insert(format!("a.snconv1x1_{name}.weight_orig"), normal(&[co, ci, 1, 1]));
            params.insert(format!("a.snconv1x1_{name}.weight_u"), normal(&[co]));
            params.insert(format!("a.snconv1x1_{name}.weight_v"), normal(&[ci]));
        }
        params.insert("a.gamma", normal(&[1]));
        let attention = SelfAttention::new(&mut params, "a", Some(8)).unwrap();
        let x = normal(&[1, 8, 2, 4]);
        let f = |x: &[Tensor]| attention.forward(&x[0]);
        gradcheck(&f, std::slice::from_ref(&x)).unwrap();
        gradgradcheck(&f, &[x]).unwrap();
    }
}
