//! Bilinear resizing.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Longest side of a result, so that a mistaken one is an error instead of a huge tensor.
const LONGEST: usize = 1 << 14;

/// Stretches `x [n, c, h, w]` to `size` (height, width): each pixel is blended of its neighbours at
/// `(i + 0.5) h / height - 0.5`, nearest at the edges, with no filter where the image shrinks (`interpolate` of PyTorch with
/// `align_corners=False`).
///
/// # Errors
/// [`Error::Shape`] for another rank, [`Error::Argument`] for sides outside of 1 to 16384.
///
/// ```
/// use gan_core::{Device, Tensor, nn};
/// let x = Tensor::new(&[0.0f64, 4.0], &[1, 1, 1, 2], &Device::reference())?;
/// assert_eq!(nn::resize_bilinear(&x, [1, 4])?.to_vec::<f64>()?, [0.0, 1.0, 3.0, 4.0]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn resize_bilinear(x: &Tensor, [height, width]: [usize; 2]) -> Result<Tensor> {
    let [_, _, h, w] = x.dims4("resize_bilinear")?;
    if ![height, width].iter().all(|side| (1..=LONGEST).contains(side)) {
        let found = format!("{height} x {width}");
        return Err(Error::argument("resize_bilinear", format!("sides of 1 to {LONGEST}"), found));
    }
    let x = along(x, 3, w, width)?;
    along(&x, 2, h, height)
}

/// Stretches one of four axes.
fn along(x: &Tensor, axis: usize, from: usize, to: usize) -> Result<Tensor> {
    if from == to {
        return Ok(x.clone());
    }
    let place = |i: usize| ((i as f64 + 0.5) * (from as f64 / to as f64) - 0.5).max(0.0);
    let low: Vec<usize> = (0..to).map(|i| (place(i) as usize).min(from - 1)).collect();
    let high: Vec<usize> = low.iter().map(|&i| (i + 1).min(from - 1)).collect();
    let shares: Vec<f64> = low.iter().enumerate().map(|(i, &low)| place(i) - low as f64).collect();
    let mut shape = [1; 4];
    shape[axis] = to;
    let shares = Tensor::from_vec(shares, &shape, x.device())?;
    let low = x.gather(axis, &low)?;
    low.add(&x.gather(axis, &high)?.sub(&low)?.mul(&shares)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Device;
    use crate::grad::gradcheck;

    #[test]
    fn a_slope_stays_a_slope_and_edges_are_held() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        for device in [Device::cpu(), Device::reference()] {
            let x = Tensor::new(&values, &[1, 1, 3, 4], &device).unwrap();
            assert_eq!(resize_bilinear(&x, [3, 4]).unwrap().to_vec::<f64>().unwrap(), values);
            let small = resize_bilinear(&x, [1, 2]).unwrap().to_vec::<f64>().unwrap();
            assert_eq!(small, [4.5, 6.5]);
            let large = resize_bilinear(&x, [3, 8]).unwrap().to_vec::<f64>().unwrap();
            let first = [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0];
            assert!(large.iter().zip(first).all(|(a, b)| (a - b).abs() < 1e-6), "{large:?}");
        }
        let x = Tensor::new(&values, &[2, 1, 3, 2], &Device::reference()).unwrap();
        gradcheck(&|x: &[Tensor]| resize_bilinear(&x[0], [5, 3]), &[x]).unwrap();
    }

    #[test]
    fn sides_have_bounds() {
        let x = Tensor::zeros(&[1, 1, 2, 2], &Device::cpu()).unwrap();
        for size in [[0, 2], [2, 0], [LONGEST + 1, 2], [2, usize::MAX]] {
            assert!(resize_bilinear(&x, size).is_err());
        }
        assert!(resize_bilinear(&x.reshape(&[4]).unwrap(), [2, 2]).is_err());
    }
}
