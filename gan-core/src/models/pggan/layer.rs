//! The layers of the network.

use crate::backend::{Activation, BiasAct, Device, Filter};
use crate::error::Result;
use crate::nn::{
    Conv2dLayer, EqualizedConv, Params, Resample, bias_act, nearest_filter, normalize_2nd_moment,
};
use crate::tensor::Tensor;

/// Pixel norm, convolution, bias and leaky ReLU (`ConvBlock` of genforce).
#[derive(Clone, Debug)]
pub(super) struct Layer {
    conv: EqualizedConv,
    bias: Tensor,
}

/// What the convolution does to its input's size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Geometry {
    /// From one pixel to 4x4.
    Unfold,
    Same,
    /// Repeats each pixel first.
    Double,
}

impl Layer {
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        inputs: Option<usize>,
        geometry: Geometry,
    ) -> Result<Self> {
        let (kernel, resample) = match geometry {
            Geometry::Unfold => (4, Resample { padding: [[3; 2]; 2], ..Resample::default() }),
            Geometry::Same => (3, Resample::same(3, 1)),
            Geometry::Double => {
                (3, Resample { filter: Some(nearest_filter()?), ..Resample::same(3, 2) })
            }
        };
        let shape = [None, inputs, Some(kernel), Some(kernel)];
        let conv = EqualizedConv::new(params, name, &shape, std::f64::consts::SQRT_2, resample)?;
        let bias = params.take(&format!("{name}.bias"), &[Some(conv.outputs())])?;
        Ok(Layer { conv, bias })
    }

    pub(super) fn inputs(&self) -> usize {
        self.conv.inputs()
    }

    pub(super) fn outputs(&self) -> usize {
        self.conv.outputs()
    }

    pub(super) fn device(&self) -> &Device {
        self.conv.device()
    }

    /// `[n, ci, h, w]` to `[n, co, h', w']`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv.forward(&normalize_2nd_moment(x)?)?;
        // The gain is in the weight, before the bias.
        let act = BiasAct { gain: 1.0, ..BiasAct::new(Activation::Lrelu) };
        bias_act(&y, Some(&self.bias), &act)
    }
}

/// The conversion of features to colours, a linear convolution of one pixel, of PGGAN and StyleGAN.
pub(in crate::models) fn to_rgb(
    params: &mut Params,
    name: &str,
    inputs: usize,
    colours: Option<usize>,
) -> Result<Conv2dLayer> {
    params.require(&format!("{name}.bias"))?;
    let one_tap = Filter::new(1, 1, vec![1.0])?;
    let shape = [colours, Some(inputs), Some(1), Some(1)];
    Conv2dLayer::new(params, name, &shape, Activation::Linear, (1, 1), one_tap, None)
}
