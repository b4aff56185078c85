//! Path length regularisation (StyleGAN2, section 3.2 and appendix B).

use crate::error::{Error, Result};
use crate::grad::{Order, grad};
use crate::tensor::Tensor;

/// The regularizer, and the running mean of path lengths that it pulls all paths to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLength {
    /// How fast the mean follows: 0.01 in all published networks.
    pub decay: f64,
    /// The mean so far; it starts from 0.
    pub mean: f64,
}

impl Default for PathLength {
    fn default() -> Self {
        PathLength { decay: 0.01, mean: 0.0 }
    }
}

/// What one batch gives.
#[derive(Clone, Debug)]
pub struct PathPenalty {
    /// `(length - mean)^2` of each sample, `[n]`; the loss is their mean times a weight, 2 in the official code. Can be
    /// differentiated.
    pub penalty: Tensor,
    /// The length of each sample, `[n]`.
    pub lengths: Tensor,
    /// `d sum(images * noise) / d w`, in the shape of the codes.
    pub slope: Tensor,
    /// The mean after this batch, of shape `[]`. The penalty pulls lengths to this one, and its gradient flows through the batch's
    /// part in it, as in the official code; [`PathLength::mean`] is for the caller to update.
    pub mean: Tensor,
}

impl PathLength {
    /// The penalty of `images [n, c, h, w]` that were synthesized from `w [n, num_ws, w_dim]`, a variable or something that
    /// depends on one.
    ///
    /// `noise`, of the shape of the images, is standard normal: its product with the images, divided by the square root of
    /// `h w`, is what is differentiated.
    ///
    /// # Errors
    /// [`Error::Gradient`] if the images do not depend on the codes, [`Error::Shape`] for noise or codes of another shape.
    pub fn penalty(&self, images: &Tensor, w: &Tensor, noise: &Tensor) -> Result<PathPenalty> {
        let [n, _, height, width] = images.dims4("path length")?;
        let &[batch, positions, _] = w.shape() else {
            return Err(Error::shape("path length", "codes [n, num_ws, w_dim]", w.shape()));
        };
        if noise.shape() != images.shape() || batch != n {
            let found = [noise.shape(), w.shape()];
            let expected = format!("noise {:?} and {n} codes", images.shape());
            return Err(Error::shape("path length", expected, found));
        }
        let noise = noise.scale(((height * width) as f64).powf(-0.5))?;
        let slope = grad(&images.mul(&noise)?.sum_all()?, &[w], Order::Second)?.remove(0);
        let squares = slope.square()?.sum(&[1, 2])?.reshape(&[n])?;
        let lengths = squares.scale(1.0 / positions as f64)?.sqrt()?;
        let mean = lengths.mean_all()?.affine(self.decay, (1.0 - self.decay) * self.mean)?;
        let penalty = lengths.sub(&mean)?.square()?;
        Ok(PathPenalty { penalty, lengths, slope, mean })
    }
}
