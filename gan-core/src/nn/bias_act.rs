//! Bias and activation in one step.

use crate::backend::{BiasAct, Prim};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// `clamp(gain * act(x + bias), -clamp, clamp)`; `bias` has one value for each entry along `op.axis` of `x`.
///
/// Source: `torch_utils/ops/bias_act.py` of stylegan2-ada-pytorch, with its table of default gains.
///
/// # Errors
/// [`Error::Shape`] if the bias does not fit, [`Error::Argument`] if the clamp is not a positive number.
///
/// ```
/// use gan_core::backend::{Activation, BiasAct};
/// use gan_core::{Device, Tensor, nn};
/// let x = Tensor::new(&[1.0f64, -1.0], &[1, 2], &Device::reference())?;
/// let y = nn::bias_act(&x, None, &BiasAct { gain: 1.0, ..BiasAct::new(Activation::Lrelu) })?;
/// assert_eq!(y.to_vec::<f64>()?, [1.0, -0.2]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn bias_act(x: &Tensor, bias: Option<&Tensor>, op: &BiasAct) -> Result<Tensor> {
    check_clamp(op.clamp)?;
    match bias {
        Some(bias) => Tensor::apply(Prim::BiasAct(*op), &[x, bias]),
        None => Tensor::apply(Prim::BiasAct(*op), &[x]),
    }
}

/// Refuses a bound that leaves nothing.
pub(crate) fn check_clamp(clamp: Option<f64>) -> Result<()> {
    match clamp.filter(|&clamp| clamp.is_nan() || clamp <= 0.0) {
        None => Ok(()),
        Some(clamp) => Err(Error::argument("clamp", "a number above 0", clamp)),
    }
}
