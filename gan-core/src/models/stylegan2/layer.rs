//! The layers of the synthesis network.

use crate::backend::{Activation, BiasAct, Device, Filter, StyledConv};
use crate::error::Result;
use crate::models::noise::StoredNoise;
use crate::models::stylegan2::Options;
use crate::nn::{Linear, Params, demodulations, take_filter};
use crate::tensor::Tensor;

/// What a style does to a convolution: it scales the inputs, `[n, ci]`, and this scales the outputs, `[n, co]`.
pub(super) struct Modulation<'a> {
    style: &'a Tensor,
    demod: Tensor,
}

impl<'a> Modulation<'a> {
    /// Those of several layers and their styles.
    pub(super) fn all(layers: &[(&SynthesisLayer, &'a Tensor)]) -> Result<Vec<Self>> {
        let pairs: Vec<_> = layers.iter().map(|&(layer, style)| (style, &layer.squared)).collect();
        let demods = demodulations(&pairs)?.into_iter().zip(layers);
        Ok(demods.map(|(demod, &(_, style))| Modulation { style, demod }).collect())
    }
}

/// Modulated 3x3 convolution, noise, bias and activation (`SynthesisLayer`).
#[derive(Clone, Debug)]
pub(super) struct SynthesisLayer {
    pub(super) affine: Linear,
    /// `[co, ci, 3, 3]`, or `[ci, co, 3, 3]` in up-sampling layers, see [`StyledConv`].
    weight: Tensor,
    /// Squares of the weight summed over its taps, `[co, ci]`.
    squared: Tensor,
    bias: Tensor,
    noise: Option<StoredNoise>,
    up: Option<Filter>,
    act: BiasAct,
}

impl SynthesisLayer {
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        channels: Option<usize>,
        up: bool,
        options: &Options,
    ) -> Result<Self> {
        let weight = params.take(&format!("{name}.weight"), &[None, channels, Some(3), Some(3)])?;
        let [co, ci, _, _] = weight.dims4("synthesis layer")?;
        let affine = Linear::new(
            params,
            &format!("{name}.affine"),
            Some(ci),
            None,
            1.0,
            Activation::Linear,
        )?;
        let bias = params.take(&format!("{name}.bias"), &[Some(co)])?;
        let noise = StoredNoise::take(params, name, &[])?;
        let filter = take_filter(params, &format!("{name}.resample_filter"))?;
        let up = match (up, filter) {
            (false, _) => None,
            (true, Some(filter)) => Some(filter),
            (true, None) => Some(Filter::outer(&[0.125, 0.375, 0.375, 0.125])?),
        };
        let squared = weight.square()?.sum(&[2, 3])?.reshape(&[co, ci])?;
        let weight = if up.is_some() { weight.permute(&[1, 0, 2, 3])? } else { weight };
        let act = BiasAct { clamp: options.conv_clamp, ..BiasAct::new(options.activation) };
        Ok(SynthesisLayer { affine, weight, squared, bias, noise, up, act })
    }

    pub(super) fn outputs(&self) -> usize {
        self.bias.shape()[0]
    }

    pub(super) fn device(&self) -> &Device {
        self.weight.device()
    }

    /// The noise that it was trained with, if any.
    pub(super) fn noise(&self) -> Option<&StoredNoise> {
        self.noise.as_ref()
    }

    /// `x [n, ci, h, w]` to `[n, co, h', w']`; `noise` before its strength.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        modulation: &Modulation<'_>,
        noise: Option<&Tensor>,
        gain: f64,
    ) -> Result<Tensor> {
        let noise = match (noise, &self.noise) {
            (Some(map), Some(own)) => Some(own.scaled(map)?),
            _ => None,
        };
        let op = StyledConv {
            up: self.up.clone(),
            demodulate: true,
            noise: noise.is_some(),
            bias: true,
            act: BiasAct {
                gain: self.act.gain * gain,
                clamp: self.act.clamp.map(|c| c * gain),
                ..self.act
            },
        };
        let Modulation { style, demod } = modulation;
        let (demod, bias) = (Some(demod), Some(&self.bias));
        crate::nn::styled_conv(&op, x, &self.weight, style, demod, noise.as_ref(), bias)
    }
}

/// Modulated 1x1 convolution to colours, without demodulation (`ToRGBLayer`).
#[derive(Clone, Debug)]
pub(super) struct ToRgb {
    pub(super) affine: Linear,
    weight: Tensor,
    bias: Tensor,
    clamp: Option<f64>,
}

impl ToRgb {
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        channels: usize,
        options: &Options,
    ) -> Result<Self> {
        let one = Some(1);
        let weight = params.take(&format!("{name}.weight"), &[None, Some(channels), one, one])?;
        let bias = params.take(&format!("{name}.bias"), &[Some(weight.shape()[0])])?;
        let name = format!("{name}.affine");
        let affine = Linear::new(params, &name, Some(channels), None, 1.0, Activation::Linear)?;
        Ok(ToRgb { affine, weight, bias, clamp: options.conv_clamp })
    }

    /// Number of colour channels.
    pub(super) fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    pub(super) fn forward(&self, x: &Tensor, style: &Tensor) -> Result<Tensor> {
        let style = style.scale(1.0 / (self.weight.shape()[1] as f64).sqrt())?;
        let act = BiasAct { clamp: self.clamp, ..BiasAct::new(Activation::Linear) };
        let op = StyledConv { up: None, demodulate: false, noise: false, bias: true, act };
        crate::nn::styled_conv(&op, x, &self.weight, &style, None, None, Some(&self.bias))
    }
}
