//! The activation of transformers, and its cheap approximation.

use crate::error::Result;
use crate::tensor::Tensor;

/// `x * sigmoid(1.702 x)`, what CLIP was trained with (Hendrycks and Gimpel 2016, section 2).
///
/// # Errors
/// When the device fails.
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    x.mul(&x.scale(1.702)?.sigmoid()?)
}

/// `x` times the probability that a normal number is below it.
///
/// The error function behind it is formula 7.1.26 of Abramowitz and Stegun, whose error is at most 1.5e-7: that of `f32`.
///
/// # Errors
/// When the device fails.
///
/// ```
/// use gan_core::{Device, Tensor, nn};
/// let x = Tensor::new(&[-1.0f64, 0.0, 1.0], &[3], &Device::reference())?;
/// let y = nn::gelu(&x)?.to_vec::<f64>()?;
/// assert!((y[0] + 0.158_655_25).abs() < 2e-7 && y[1] == 0.0 && (y[2] - 0.841_344_75).abs() < 2e-7);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    const POLYNOMIAL: [f64; 5] =
        [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let positive = x.step()?;
    let size = x.select(&positive, &x.neg()?)?;
    let t = size.affine(0.327_591_1 * std::f64::consts::FRAC_1_SQRT_2, 1.0)?.recip()?;
    let mut sum = t.scale(POLYNOMIAL[0])?;
    for coefficient in &POLYNOMIAL[1..] {
        sum = sum.affine(1.0, *coefficient)?.mul(&t)?;
    }
    // The probability of a number beyond |x|.
    let tail = sum.mul(&x.square()?.scale(-0.5)?.exp()?)?.scale(0.5)?;
    x.mul(&tail.affine(-1.0, 1.0)?.select(&positive, &tail)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Order, grad};

    /// By the series of the error function.
    fn exact(x: f64) -> f64 {
        let z = x * std::f64::consts::FRAC_1_SQRT_2;
        let (mut term, mut erf) = (z, z);
        for n in 1..200 {
            term *= -z * z / f64::from(n);
            erf += term / f64::from(2 * n + 1);
        }
        x * 0.5 * (1.0 + erf * std::f64::consts::FRAC_2_SQRT_PI)
    }

    #[test]
    fn it_is_the_function_and_so_is_its_slope() {
        let points: Vec<f64> = (-40..=40).map(|i| f64::from(i) / 10.0 + 0.013).collect();
        for device in [Device::cpu(), Device::reference()] {
            let x = Tensor::new(&points, &[points.len()], &device).unwrap().var();
            let y = gelu(&x).unwrap();
            let slopes = grad(&y.sum_all().unwrap(), &[&x], Order::First).unwrap().remove(0);
            let (y, slopes) = (y.to_vec::<f64>().unwrap(), slopes.to_vec::<f64>().unwrap());
            for ((&x, y), slope) in points.iter().zip(y).zip(slopes) {
                let expected = (exact(x + 1e-4) - exact(x - 1e-4)) / 2e-4;
                assert!((y - exact(x)).abs() < 1e-6, "{x}: {y}, {}", exact(x));
                assert!((slope - expected).abs() < 5e-6, "{x}: {slope}, {expected}");
            }
        }
    }
}
