//! Softmax.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// `e^x / sum(e^x)` along an axis.
///
/// # Errors
/// [`Error::Shape`] if there is no such axis.
///
/// ```
/// use gan_core::{Device, Tensor, nn};
/// let x = Tensor::new(&[1000.0f64, 1000.0], &[1, 2], &Device::reference())?;
/// assert_eq!(nn::softmax(&x, 1)?.to_vec::<f64>()?, [0.5, 0.5]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn softmax(x: &Tensor, axis: usize) -> Result<Tensor> {
    if axis >= x.shape().len() {
        return Err(Error::shape("softmax", format!("an axis {axis}"), x.shape()));
    }
    // The maximum keeps the exponentials finite; the result does not depend on it, nor does its gradient.
    let e = x.sub(&x.detach().max(&[axis])?)?.exp()?;
    e.div(&e.sum(&[axis])?)
}
