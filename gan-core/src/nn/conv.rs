//! Convolution with resampling, and the layer around it.

use crate::backend::{Activation, BiasAct, Conv, Device, Filter, UpFirDn};
use crate::error::{Error, Result};
use crate::nn::fir::{Padding, check_factors, down_padding, up_padding};
use crate::nn::{Params, bias_act};
use crate::tensor::Tensor;

/// What [`conv2d_resample`] does around the convolution.
#[derive(Clone, Debug)]
pub struct Resample {
    /// Filter of the resampling; none means one tap.
    pub filter: Option<Filter>,
    /// Zero-insertion factor.
    pub up: usize,
    /// Decimation factor.
    pub down: usize,
    /// Padding of the result of zero-insertion, in y, then in x.
    pub padding: Padding,
    /// Groups of channels.
    pub groups: usize,
    /// `true` correlates with the weight (as `conv2d` of deep learning does), `false` convolves.
    pub flip_weight: bool,
    /// The same for the filter, where the originals convolve.
    pub flip_filter: bool,
}

impl Default for Resample {
    fn default() -> Self {
        Resample {
            filter: None,
            up: 1,
            down: 1,
            padding: [[0; 2]; 2],
            groups: 1,
            flip_weight: true,
            flip_filter: false,
        }
    }
}

impl Resample {
    /// Padding for a `kernel` of that many taps a side to keep the size, times `up`.
    ///
    /// The official layers convolve where they up-sample, so that a transposed convolution takes the weight as it is
    /// stored.
    pub fn same(kernel: usize, up: usize) -> Self {
        let padding = [[(kernel / 2) as isize; 2]; 2];
        Resample { up, padding, flip_weight: up == 1, ..Resample::default() }
    }

    /// Whether the convolution is a transposed one.
    fn transposes(&self, kernel: [usize; 2]) -> bool {
        self.up > 1 && (self.down > 1 || kernel != [1, 1])
    }
}

/// Convolves `x [n, ci, h, w]` with `weight [co, ci/groups, kh, kw]`, up-sampling before or down-sampling after.
///
/// The padding is applied once, at the start; everything is linear, so filter and convolution may change places, and
/// do where that is cheaper. Source: `torch_utils/ops/conv2d_resample.py` of stylegan2-ada-pytorch.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit, [`Error::Argument`] for factors outside of 1 to 64 or no groups.
pub fn conv2d_resample(x: &Tensor, weight: &Tensor, op: &Resample) -> Result<Tensor> {
    let [_, _, kh, kw] = weight.dims4("conv2d_resample")?;
    match op.transposes([kh, kw]) {
        true => resampled(x, &exchanged(weight, op.groups)?, op),
        false => resampled(x, weight, op),
    }
}

/// [`conv2d_resample`] with the weight as its convolution reads it: [`exchanged`] where [`Resample::transposes`] says so.
fn resampled(x: &Tensor, weight: &Tensor, op: &Resample) -> Result<Tensor> {
    let [_, _, kh, kw] = weight.dims4("conv2d_resample")?;
    check_factors("conv2d_resample", &[op.up, op.down])?;
    if op.groups == 0 {
        return Err(Error::argument("conv2d_resample", "groups of at least 1", op.groups));
    }
    let filter = match &op.filter {
        Some(filter) => filter.clone(),
        None => Filter::new(1, 1, vec![1.0])?,
    };
    let taps = [filter.height as isize, filter.width as isize];
    let padding = [0, 1].map(|axis| {
        let mut total = op.padding[axis];
        let mut add = |[before, after]: [isize; 2]| {
            total = [total[0].saturating_add(before), total[1].saturating_add(after)];
        };
        if op.up > 1 {
            add(up_padding(taps[axis], op.up));
        }
        if op.down > 1 {
            add(down_padding(taps[axis], op.down));
        }
        total
    });
    let fir = |x: &Tensor, up: usize, down: usize, padding: Padding, gain: f64| {
        x.upfirdn2d(&UpFirDn {
            filter: filter.clone(),
            up: [up, up],
            down: [down, down],
            padding,
            flip: op.flip_filter,
            gain,
        })
    };
    let conv = Conv { groups: op.groups, ..Conv::default() };
    let oriented = |flip: bool| if flip { weight.flip(2)?.flip(3) } else { Ok(weight.clone()) };
    let gain = (op.up * op.up) as f64;
    let pointwise = kh == 1 && kw == 1;

    if op.up > 1 && op.down == 1 && pointwise {
        return fir(&x.conv2d(weight, conv)?, op.up, 1, padding, gain);
    }
    if op.up > 1 {
        // A transposed convolution is a true convolution with its weight.
        let [_, _, h, w] = x.dims4("conv2d_resample")?;
        let conv = Conv { stride: [op.up, op.up], ..conv };
        let size = [(h - 1) * op.up + kh, (w - 1) * op.up + kw];
        let y = x.conv_transpose2d(&oriented(op.flip_weight)?, conv, size)?;
        let kernel = [kh as isize, kw as isize];
        let rest = [0, 1].map(|axis| {
            let [before, after] = padding[axis];
            let after_by = kernel[axis] - op.up as isize;
            [before.saturating_sub(kernel[axis] - 1), after.saturating_sub(after_by)]
        });
        let y = fir(&y, 1, 1, rest, gain)?;
        return if op.down > 1 { fir(&y, 1, op.down, [[0; 2]; 2], 1.0) } else { Ok(y) };
    }
    let weight = oriented(!op.flip_weight)?;
    if op.down > 1 && pointwise {
        return fir(x, 1, op.down, padding, 1.0)?.conv2d(&weight, conv);
    }
    if op.down > 1 {
        let filtered = fir(x, 1, 1, padding, 1.0)?;
        return filtered.conv2d(&weight, Conv { stride: [op.down, op.down], ..conv });
    }
    match padding {
        [[t, b], [l, r]] if t == b && l == r && t >= 0 && l >= 0 => {
            x.conv2d(&weight, Conv { padding: [t as usize, l as usize], ..conv })
        }
        _ => {
            let one = Filter::new(1, 1, vec![1.0])?;
            let padded = x.upfirdn2d(&UpFirDn {
                filter: one,
                up: [1, 1],
                down: [1, 1],
                padding,
                flip: false,
                gain: 1.0,
            })?;
            padded.conv2d(&weight, conv)
        }
    }
}

/// `weight [co, ci/groups, kh, kw]` as a transposed convolution reads it, `[ci, co/groups, kh, kw]`.
fn exchanged(weight: &Tensor, groups: usize) -> Result<Tensor> {
    let [co, ci, kh, kw] = weight.dims4("conv2d_resample")?;
    if groups == 0 || co % groups != 0 {
        return Err(Error::shape("conv2d_resample", "channels divisible by groups", (co, groups)));
    }
    weight.reshape(&[groups, co / groups, ci, kh, kw])?.permute(&[0, 2, 1, 3, 4])?.reshape(&[
        groups * ci,
        co / groups,
        kh,
        kw,
    ])
}

/// Convolution by `weight * gain / sqrt(ci kh kw)`, the equalised learning rate (PGGAN, section 4.1).
#[derive(Clone, Debug)]
pub struct EqualizedConv {
    /// Already scaled, and in the order in which [`resampled`] reads it: to exchange its channels takes as long as a
    /// convolution of few pixels.
    weight: Tensor,
    /// Output and input channels.
    channels: [usize; 2],
    resample: Resample,
}

impl EqualizedConv {
    /// Takes `<name>.weight` of the given shape `[co, ci, kh, kw]`; `None` takes any size.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing or misshapen.
    pub fn new(
        params: &mut Params,
        name: &str,
        shape: &[Option<usize>; 4],
        gain: f64,
        resample: Resample,
    ) -> Result<Self> {
        let weight = params.take(&format!("{name}.weight"), shape)?;
        let [co, ci, kh, kw] = weight.dims4("equalized_conv")?;
        let mut weight = weight.scale(gain / ((ci * kh * kw) as f64).sqrt())?;
        if resample.transposes([kh, kw]) {
            weight = exchanged(&weight, resample.groups)?;
        }
        Ok(EqualizedConv { weight, channels: [co, ci], resample })
    }

    /// Number of input channels.
    pub fn inputs(&self) -> usize {
        self.channels[1]
    }

    /// Number of output channels.
    pub fn outputs(&self) -> usize {
        self.channels[0]
    }

    /// The device that its weight is on.
    pub fn device(&self) -> &Device {
        self.weight.device()
    }

    /// `[n, ci, h, w]` to `[n, co, h', w']`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        resampled(x, &self.weight, &self.resample)
    }
}

/// Convolution, bias and activation with the equalised learning rate.
///
/// Source: `Conv2dLayer` of stylegan2-ada-pytorch's `training/networks.py`.
#[derive(Clone, Debug)]
pub struct Conv2dLayer {
    conv: EqualizedConv,
    bias: Option<Tensor>,
    act: BiasAct,
}

impl Conv2dLayer {
    /// Takes `<name>.weight` of the given shape `[co, ci, k, k]` and, if there is one, `<name>.bias [co]`. `up` or `down`
    /// above 1 resamples by `filter`.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen.
    pub fn new(
        params: &mut Params,
        name: &str,
        shape: &[Option<usize>; 4],
        act: Activation,
        (up, down): (usize, usize),
        filter: Filter,
        clamp: Option<f64>,
    ) -> Result<Self> {
        let kernel = params.get(&format!("{name}.weight")).and_then(|w| w.shape().get(2).copied());
        let filter = Some(filter);
        let resample = Resample { filter, down, ..Resample::same(kernel.unwrap_or(1), up) };
        let conv = EqualizedConv::new(params, name, shape, 1.0, resample)?;
        let bias = params.take_optional(&format!("{name}.bias"), &[Some(conv.outputs())])?;
        Ok(Conv2dLayer { conv, bias, act: BiasAct { clamp, ..BiasAct::new(act) } })
    }

    /// Number of input channels.
    pub fn inputs(&self) -> usize {
        self.conv.inputs()
    }

    /// Number of output channels.
    pub fn outputs(&self) -> usize {
        self.conv.outputs()
    }

    /// `[n, ci, h, w]` to `[n, co, h', w']`; `gain` multiplies the activation's gain and the clamp.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not fit.
    pub fn forward(&self, x: &Tensor, gain: f64) -> Result<Tensor> {
        let y = self.conv.forward(x)?;
        let act = BiasAct {
            gain: self.act.gain * gain,
            clamp: self.act.clamp.map(|c| c * gain),
            ..self.act
        };
        bias_act(&y, self.bias.as_ref(), &act)
    }
}
