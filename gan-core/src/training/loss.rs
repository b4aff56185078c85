//! The logistic losses, the penalty on the discriminator's slope, and cross entropy.

use crate::error::Result;
use crate::grad::{Order, grad};
use crate::tensor::Tensor;

/// The generator's non-saturating loss of each sample, `softplus(-logit)` (Goodfellow et al. 2014, section 3).
///
/// `logits [n, 1]` are the discriminator's of generated images; the result has their shape.
///
/// # Errors
/// When the device fails.
pub fn generator_loss(logits: &Tensor) -> Result<Tensor> {
    logits.neg()?.softplus()
}

/// The discriminator's loss of each generated image, `softplus(logit)`.
///
/// # Errors
/// When the device fails.
pub fn fake_loss(logits: &Tensor) -> Result<Tensor> {
    logits.softplus()
}

/// The discriminator's loss of each real image, `softplus(-logit)`.
///
/// # Errors
/// When the device fails.
pub fn real_loss(logits: &Tensor) -> Result<Tensor> {
    logits.neg()?.softplus()
}

/// R1, the squared norm of the discriminator's slope at each real image, `[n]` (Mescheder et al. 2018, equation 9); the loss
/// is its mean times `gamma / 2`.
///
/// `logits [n, 1]` are those of `images [n, c, h, w]`, which must be a variable. Where samples are coupled, as by the
/// minibatch standard deviation, the slope is that of the sum of all logits, as in the official code. The result can be
/// differentiated.
///
/// # Errors
/// [`Error::Gradient`](crate::Error::Gradient) if the logits do not depend on the images.
pub fn r1_penalty(logits: &Tensor, images: &Tensor) -> Result<Tensor> {
    let slope = grad(&logits.sum_all()?, &[images], Order::Second)?.remove(0);
    let n = slope.shape()[0];
    slope.square()?.sum(&[1, 2, 3])?.reshape(&[n])
}

/// The cross entropy of logits and the probabilities that are wanted along an axis, `-sum target log softmax(logits)`, which is
/// left with a length of 1.
///
/// `targets` has the shape of `logits`; for classes, one of each vector's values is 1. The result can be differentiated in the logits.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if shapes differ or there is no such axis.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor, axis: usize) -> Result<Tensor> {
    // Without the greatest of them, no exponential is infinite; as a constant, it has no gradient.
    let shifted = logits.sub(&logits.detach().max(&[axis])?)?;
    let total = shifted.exp()?.sum(&[axis])?.ln()?;
    let wanted = shifted.mul(targets)?.sum(&[axis])?;
    total.mul(&targets.sum(&[axis])?)?.sub(&wanted)
}
