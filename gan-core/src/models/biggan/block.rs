//! The residual block.

use crate::backend::{Activation, BiasAct};
use crate::error::{Error, Result};
use crate::nn::{
    ConditionalBatchNorm, Params, SpectralConv2d, SpectralLinear, bias_act, upsample_nearest,
};
use crate::tensor::Tensor;

/// What a [`Block`] cannot see in its own tensors, or must have in common with others; `None` takes any size.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    /// Channels that come in.
    pub inputs: Option<usize>,
    /// Length of the condition.
    pub condition: Option<usize>,
    /// Truncations with statistics of their own.
    pub statistics: Option<usize>,
    /// Whether it doubles the resolution.
    pub upsample: bool,
}

/// Four convolutions in a bottleneck, each after batch normalisation and a rectifier, around which the input is led
/// (BigGAN, appendix B, figure 16).
///
/// The kernels are 1, 3, 3, 1. Where the number of channels changes, the way around keeps the first half of them. Source:
/// `GenBlock` of pytorch-pretrained-biggan.
#[derive(Clone, Debug)]
pub struct Block {
    norms: [ConditionalBatchNorm; 4],
    convs: [SpectralConv2d; 4],
    upsample: bool,
}

impl Block {
    /// Takes `<name>.bn_{0,1,2,3}.{scale,offset,running_means,running_vars}` and `<name>.conv_{0,1,2,3}`; the width of the
    /// bottleneck follows from the shapes.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen, [`Error::Argument`] if `eps` is not positive.
    pub fn new(params: &mut Params, name: &str, shape: &BlockShape, eps: f64) -> Result<Self> {
        let (mut channels, mut statistics, mut condition) =
            (shape.inputs, shape.statistics, shape.condition);
        let mut layer = |i: usize, k: usize, outputs: Option<usize>| {
            let path = format!("{name}.bn_{i}");
            let norm =
                ConditionalBatchNorm::new(params, &path, statistics, channels, condition, eps)?;
            statistics = Some(norm.statistics().count());
            condition = Some(norm.scale().inputs());
            let inputs = Some(norm.statistics().features());
            let conv = SpectralConv2d::new(
                params,
                &format!("{name}.conv_{i}"),
                [outputs, inputs],
                k,
                true,
            )?;
            channels = Some(conv.outputs());
            Ok::<_, Error>((norm, conv))
        };
        let (bn0, conv0) = layer(0, 1, None)?;
        let (bn1, conv1) = layer(1, 3, None)?;
        let (bn2, conv2) = layer(2, 3, None)?;
        let (bn3, conv3) = layer(3, 1, None)?;
        let (inputs, outputs) = (bn0.statistics().features(), conv3.outputs());
        if outputs != inputs && outputs != inputs / 2 {
            return Err(Error::Weights {
                name: format!("{name}.conv_3.weight_orig"),
                expected: format!(
                    "{inputs} outputs, as many as inputs of the block, or half as many"
                ),
                found: format!("{outputs} outputs"),
            });
        }
        let (norms, convs) = ([bn0, bn1, bn2, bn3], [conv0, conv1, conv2, conv3]);
        Ok(Block { norms, convs, upsample: shape.upsample })
    }

    /// Number of channels that come in.
    pub fn inputs(&self) -> usize {
        self.norms[0].statistics().features()
    }

    /// Number of channels of its results.
    pub fn outputs(&self) -> usize {
        self.convs[3].outputs()
    }

    /// Whether it doubles the resolution.
    pub fn upsamples(&self) -> bool {
        self.upsample
    }

    /// Number of truncations with statistics of their own.
    pub fn statistics(&self) -> usize {
        self.norms[0].statistics().count()
    }

    /// The maps from the condition to factors and offsets, as `bn_0.scale`, `bn_0.offset`, `bn_1.scale`, ...
    pub fn conditioning(&self) -> impl Iterator<Item = (String, &SpectralLinear)> {
        self.norms.iter().enumerate().flat_map(|(i, norm)| {
            [(format!("bn_{i}.scale"), norm.scale()), (format!("bn_{i}.offset"), norm.offset())]
        })
    }

    /// `x [n, inputs, h, w]` and the condition `[n, length]` to `[n, outputs, h, w]`, or to twice the height and width.
    ///
    /// # Errors
    /// [`Error::Shape`] if a shape does not fit, [`Error::Argument`] if the truncation is outside of (0, 1].
    pub fn forward(&self, x: &Tensor, condition: &Tensor, truncation: f64) -> Result<Tensor> {
        let mut y = x.clone();
        for (i, (norm, conv)) in self.norms.iter().zip(&self.convs).enumerate() {
            y = relu(&norm.forward(&y, condition, truncation)?)?;
            if self.upsample && i == 1 {
                y = upsample_nearest(&y, 2)?;
            }
            y = conv.forward(&y)?;
        }
        let around = x.slice(1, 0, self.outputs())?;
        y.add(&if self.upsample { upsample_nearest(&around, 2)? } else { around })
    }
}

/// `max(x, 0)`, without the gain of StyleGAN's layers.
pub(super) fn relu(x: &Tensor) -> Result<Tensor> {
    bias_act(x, None, &BiasAct { gain: 1.0, ..BiasAct::new(Activation::Relu) })
}
