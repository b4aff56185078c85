//! The fused primitives' parameters.

use crate::backend::filter::{Filter, UpFirDn};
use crate::backend::prim::Conv;
use crate::error::{Error, Result};

/// Scale of `selu` (Klambauer et al. 2017), to the digits that all frameworks use.
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
/// Its slope for large negative values, before the scale.
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// Activation functions of `bias_act`, with the official names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x`
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `x` or `alpha*x`
    Lrelu,
    /// `tanh x`
    Tanh,
    /// `1/(1+e^-x)`
    Sigmoid,
    /// `x` or `e^x - 1`
    Elu,
    /// Scaled `elu`, with the constants of Klambauer et al. 2017.
    Selu,
    /// `ln(1+e^x)`
    Softplus,
    /// `x * sigmoid(x)`
    Swish,
}

impl Activation {
    /// Gain that goes with the function unless another is asked for.
    pub fn default_gain(self) -> f64 {
        match self {
            Activation::Relu | Activation::Lrelu | Activation::Swish => std::f64::consts::SQRT_2,
            _ => 1.0,
        }
    }

    /// By its official name.
    ///
    /// # Errors
    /// [`Error::Argument`] for any other name.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "linear" => Activation::Linear,
            "relu" => Activation::Relu,
            "lrelu" => Activation::Lrelu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            "elu" => Activation::Elu,
            "selu" => Activation::Selu,
            "softplus" => Activation::Softplus,
            "swish" => Activation::Swish,
            _ => {
                let known = "linear, relu, lrelu, tanh, sigmoid, elu, selu, softplus or swish";
                return Err(Error::argument("activation", known, name));
            }
        })
    }
}

/// `clamp(gain * act(x + b), -clamp, clamp)` with the bias along one axis; fused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BiasAct {
    /// The function.
    pub act: Activation,
    /// Slope for negative values; only `lrelu` has one.
    pub alpha: f64,
    /// Factor after the function.
    pub gain: f64,
    /// Bound after the gain.
    pub clamp: Option<f64>,
    /// Axis of the bias.
    pub axis: usize,
}

impl BiasAct {
    /// `act` with its default gain and slope, no clamp, bias along axis 1.
    pub fn new(act: Activation) -> Self {
        BiasAct { act, alpha: 0.2, gain: act.default_gain(), clamp: None, axis: 1 }
    }
}

/// A whole layer of StyleGAN2's synthesis network; fused.
///
/// `y = bias_act(d * fir(conv(s * x, w)) + noise, b)`: the style `s` scales the input channels and the
/// demodulation `d` the output channels, which equals modulating the weight per sample (StyleGAN2, section 2.2)
/// and lets the whole batch share one weight.
///
/// Arguments: `x [n, ci, h, w]`, `w [co, ci, k, k]`, or, to up-sample, `[ci, co, 3, 3]` as transposed convolutions have it, so
/// that neither direction has to rearrange it; `s [n, ci]`; then those that are present of `d [n, co]`,
/// `noise [n or 1, 1, h', w']`, `b [co]`.
#[derive(Clone, Debug, PartialEq)]
pub struct StyledConv {
    /// Doubles the resolution: a transposed convolution of stride 2, `k = 3`, then this filter with gain 4.
    pub up: Option<Filter>,
    /// Whether `d` is present.
    pub demodulate: bool,
    /// Whether `noise` is present.
    pub noise: bool,
    /// Whether `b` is present.
    pub bias: bool,
    /// What follows; its axis is 1.
    pub act: BiasAct,
}

/// A styled convolution's arguments by name.
#[derive(Clone, Copy, Debug)]
pub struct StyledArgs<T> {
    /// Input `[n, ci, h, w]`.
    pub x: T,
    /// Weight `[co, ci, k, k]`, or `[ci, co, 3, 3]` to up-sample.
    pub weight: T,
    /// Style `[n, ci]`.
    pub style: T,
    /// Demodulation `[n, co]`.
    pub demod: Option<T>,
    /// Noise `[n or 1, 1, h', w']`.
    pub noise: Option<T>,
    /// Bias `[co]`.
    pub bias: Option<T>,
}

impl StyledConv {
    /// Names the arguments.
    pub fn unpack<T: Copy>(&self, args: &[T]) -> StyledArgs<T> {
        let mut rest = args[3..].iter().copied();
        StyledArgs {
            x: args[0],
            weight: args[1],
            style: args[2],
            demod: if self.demodulate { rest.next() } else { None },
            noise: if self.noise { rest.next() } else { None },
            bias: if self.bias { rest.next() } else { None },
        }
    }

    /// The convolution inside, for kernels of `k x k`.
    pub fn conv(&self, k: usize) -> Conv {
        match self.up {
            None => Conv { padding: [k / 2, k / 2], ..Conv::default() },
            Some(_) => Conv { stride: [2, 2], ..Conv::default() },
        }
    }

    /// The filter that follows an up-sampling convolution with `k x k` kernels.
    pub fn fir(&self, k: usize) -> Option<UpFirDn> {
        let filter = self.up.clone()?;
        // The transposed convolution gives 2h + k - 2 pixels; what the filter adds and the user's padding of
        // k/2 takes away is the rule of `conv2d_resample`.
        let pad = |taps: usize| {
            let (taps, k) = (taps as isize, k as isize);
            [(taps + 1).div_euclid(2) - (k - 1) + k / 2, (taps - 2).div_euclid(2) - (k - 2) + k / 2]
        };
        Some(UpFirDn {
            padding: [pad(filter.height), pad(filter.width)],
            filter,
            up: [1, 1],
            down: [1, 1],
            flip: false,
            gain: 4.0,
        })
    }
}

/// Factors of an affine layer with the equalised learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AffineGains {
    /// On the weight.
    pub weight: f64,
    /// On the bias.
    pub bias: f64,
}
