//! A layer of the synthesis network.

use crate::backend::{Activation, BiasAct, Device, Filter};
use crate::error::{Error, Result};
use crate::models::noise::StoredNoise;
use crate::nn::{
    EqualizedConv, Linear, Params, Resample, bias_act, filter2d, instance_norm, nearest_filter,
    take_filter,
};
use crate::tensor::Tensor;

/// What a layer makes of its input first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    Constant,
    /// A convolution that unfolds a vector `[n, w_dim, 1, 1]` to 4x4.
    Code,
    /// A convolution.
    Same,
    /// Repeated pixels, a convolution and a blur.
    Double,
}

/// An intermediate result of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// After convolution and blur.
    Convolved,
    /// After the noise.
    Noisy,
    /// After bias and activation.
    Activated,
    /// After the instance norm.
    Normalized,
}

/// Convolution, noise, bias, activation and adaptive instance normalisation (StyleGAN, figure 1; `ConvBlock` of genforce).
#[derive(Clone, Debug)]
pub struct SynthesisLayer {
    conv: Option<EqualizedConv>,
    blur: Option<Filter>,
    noise: Option<StoredNoise>,
    bias: Tensor,
    affine: Linear,
}

impl SynthesisLayer {
    /// Takes `<name>.weight [channels, inputs, k, k]` unless it starts from a constant, `<name>.bias [channels]`,
    /// `<name>.affine.weight [2 channels, w_dim]`, `<name>.affine.bias [2 channels]` and, if they are there,
    /// `<name>.noise_const [h, w]`, `<name>.noise_strength [channels]` and, of the blur, `<name>.resample_filter`.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen; `None` takes any size.
    pub fn new(
        params: &mut Params,
        name: &str,
        source: Source,
        inputs: Option<usize>,
        w_dim: Option<usize>,
    ) -> Result<Self> {
        let mut blur = None;
        let form = match source {
            Source::Constant => None,
            Source::Code => Some((4, Resample { padding: [[3; 2]; 2], ..Resample::default() })),
            Source::Same => Some((3, Resample::same(3, 1))),
            Source::Double => {
                let stored = take_filter(params, &format!("{name}.resample_filter"))?;
                blur = Some(stored.map_or_else(|| Filter::outer(&[0.25, 0.5, 0.25]), Ok)?);
                Some((3, Resample { filter: Some(nearest_filter()?), ..Resample::same(3, 2) }))
            }
        };
        let conv = match form {
            Some((kernel, resample)) => {
                let shape = [None, inputs, Some(kernel), Some(kernel)];
                let gain = std::f64::consts::SQRT_2;
                Some(EqualizedConv::new(params, name, &shape, gain, resample)?)
            }
            None => None,
        };
        let channels = conv.as_ref().map(EqualizedConv::outputs).or(inputs);
        let bias = params.take(&format!("{name}.bias"), &[channels])?;
        let channels = bias.shape()[0];
        let noise = StoredNoise::take(params, name, &[Some(channels)])?;
        let affine = format!("{name}.affine");
        let affine =
            Linear::new(params, &affine, Some(2 * channels), w_dim, 1.0, Activation::Linear)?;
        Ok(SynthesisLayer { conv, blur, noise, bias, affine })
    }

    /// Number of channels of its result.
    pub fn outputs(&self) -> usize {
        self.bias.shape()[0]
    }

    /// Number of channels that its convolution reads, if it has one.
    pub(super) fn inputs(&self) -> Option<usize> {
        self.conv.as_ref().map(EqualizedConv::inputs)
    }

    pub(super) fn device(&self) -> &Device {
        self.bias.device()
    }

    pub(super) fn affine(&self) -> &Linear {
        &self.affine
    }

    pub(super) fn noise(&self) -> Option<&StoredNoise> {
        self.noise.as_ref()
    }

    /// Its own noise map, `[1, 1, h, w]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn noise_map(&self) -> Result<Option<Tensor>> {
        self.noise.as_ref().map(StoredNoise::map).transpose()
    }

    /// Scale, around 0, and bias, each `[n, channels]`, of `w [n, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `w` does not fit.
    pub fn style(&self, w: &Tensor) -> Result<[Tensor; 2]> {
        let both = self.affine.forward(w)?;
        let channels = self.outputs();
        Ok([both.slice(1, 0, channels)?, both.slice(1, channels, channels)?])
    }

    /// `x [n, inputs, h, w]` to `[n, channels, h', w']`, and shows `visit` the steps between. `noise [n or 1, 1, h', w']` is
    /// multiplied by the layer's strengths.
    ///
    /// # Errors
    /// [`Error::Shape`] if a shape does not fit, and those of `visit`.
    pub fn forward_with(
        &self,
        x: &Tensor,
        [scale, shift]: [&Tensor; 2],
        noise: Option<&Tensor>,
        visit: &mut dyn FnMut(Step, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let mut x = self.conv.as_ref().map_or_else(|| Ok(x.clone()), |conv| conv.forward(x))?;
        if let Some(blur) = &self.blur {
            x = filter2d(&x, blur, [[0; 2]; 2], false, 1.0)?;
        }
        visit(Step::Convolved, &x)?;
        let [n, channels, h, w] = x.dims4("synthesis layer")?;
        if let (Some(map), Some(own)) = (noise, &self.noise) {
            if ![[n, 1, h, w], [1, 1, h, w]].contains(&map.dims4("noise")?) {
                let expected = format!("[{n} or 1, 1, {h}, {w}]");
                return Err(Error::shape("noise", expected, map.shape()));
            }
            x = x.add(&own.scaled(map)?)?;
        }
        visit(Step::Noisy, &x)?;
        // The gain is in the weight, before noise and bias.
        let act = BiasAct { gain: 1.0, ..BiasAct::new(Activation::Lrelu) };
        x = bias_act(&x, Some(&self.bias), &act)?;
        visit(Step::Activated, &x)?;
        x = instance_norm(&x)?;
        visit(Step::Normalized, &x)?;
        let scale = scale.affine(1.0, 1.0)?.reshape(&[n, channels, 1, 1])?;
        x.mul(&scale)?.add(&shift.reshape(&[n, channels, 1, 1])?)
    }
}
