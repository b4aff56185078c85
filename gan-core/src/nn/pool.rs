//! Pooling of overlapping squares.

use crate::backend::Filter;
use crate::error::{Error, Result};
use crate::nn::filter2d;
use crate::tensor::Tensor;

/// A square has no longer side, so that a mistaken size is an error instead of a huge tensor.
const LONGEST: usize = 64;

/// Maximum over squares of `size` pixels, one every `stride` pixels, `[n, c, h, w]` to `[n, c, h', w']` with
/// `h' = (h + 2 padding - size) / stride + 1`. What lies outside of the image does not count.
///
/// # Errors
/// [`Error::Shape`] if a square does not fit, [`Error::Argument`] for sides outside of 1 to 64, strides of 0, or padding of more
/// than half a square, where a square could lie outside altogether.
///
/// ```
/// use gan_core::{Device, Tensor, nn};
/// let x = Tensor::new(&[1.0f32, 5.0, 2.0, 3.0, 4.0], &[1, 1, 1, 5], &Device::cpu())?;
/// let y = nn::max_pool2d_overlapping(&x, 3, 2, 1)?;
/// assert_eq!(y.to_vec::<f32>()?, [5.0, 5.0, 4.0]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn max_pool2d_overlapping(
    x: &Tensor,
    size: usize,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let [_, _, h, w] = x.dims4("max_pool2d_overlapping")?;
    if !(1..=LONGEST).contains(&size) || stride == 0 || padding > size / 2 {
        let expected = "sides of 1 to 64, strides of at least 1, padding of at most half a side";
        let found = format!("size {size}, stride {stride}, padding {padding}");
        return Err(Error::argument("max_pool2d_overlapping", expected, found));
    }
    if h.min(w) + 2 * padding < size {
        let expected = format!("at least {} pixels a side", size - 2 * padding);
        return Err(Error::shape("max_pool2d_overlapping", expected, x.shape()));
    }
    let rows = along(x, 2, size, stride, padding)?;
    along(&rows, 3, size, stride, padding)
}

/// Maximum over windows along one axis of four. A window at the edge sees the pixel there more than once instead of what is
/// outside, which changes no maximum.
fn along(x: &Tensor, axis: usize, size: usize, stride: usize, padding: usize) -> Result<Tensor> {
    let mut shape = x.shape().to_vec();
    let len = shape[axis];
    let count = (len + 2 * padding - size) / stride + 1;
    let taps = (0..count).flat_map(|i| (0..size).map(move |k| i * stride + k));
    let index: Vec<usize> = taps.map(|place| place.saturating_sub(padding).min(len - 1)).collect();
    shape[axis] = count;
    let mut windows = shape.clone();
    windows.insert(axis + 1, size);
    x.gather(axis, &index)?.reshape(&windows)?.max(&[axis + 1])?.reshape(&shape)
}

/// Mean over the square of `size` pixels around each pixel of `x [n, c, h, w]`, an odd number a side; what lies outside of the image does
/// not count.
///
/// # Errors
/// [`Error::Shape`] for another rank, [`Error::Argument`] for even sides or more than 63.
pub fn average_pool2d(x: &Tensor, size: usize) -> Result<Tensor> {
    let [_, _, h, w] = x.dims4("average_pool2d")?;
    if size.is_multiple_of(2) || size > LONGEST {
        return Err(Error::argument("average_pool2d", "an odd side of 1 to 63", size));
    }
    let square = Filter::outer(&vec![1.0; size])?;
    let sum = |x: &Tensor| filter2d(x, &square, [[0; 2]; 2], false, 1.0);
    let counts = sum(&Tensor::full(1.0, &[1, 1, h, w], x.device())?)?;
    sum(x)?.mul(&counts.recip()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::grad::gradcheck;
    use crate::random::Philox;

    fn normal(shape: &[usize], device: &Device) -> Tensor {
        let mut values = vec![0.0f32; shape.iter().product()];
        Philox::new(5).fill_normal(&mut values);
        Tensor::from_vec(values, shape, device).unwrap()
    }

    /// The pixels inside of the square of output `[y, x]`, one by one.
    fn squares(
        x: &[f64],
        [h, w]: [usize; 2],
        [size, stride, padding]: [usize; 3],
        of: impl Fn(&[f64]) -> f64,
    ) -> Vec<f64> {
        let mut result = Vec::new();
        let count = |len: usize| (len + 2 * padding - size) / stride + 1;
        for (top, left) in (0..count(h)).flat_map(|y| (0..count(w)).map(move |x| (y, x))) {
            let mut inside = Vec::new();
            for (dy, dx) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x))) {
                let at = |first: usize, by: usize| (first * stride + by).checked_sub(padding);
                if let (Some(row), Some(column)) = (at(top, dy), at(left, dx))
                    && row < h
                    && column < w
                {
                    inside.push(x[row * w + column]);
                }
            }
            result.push(of(&inside));
        }
        result
    }

    #[test]
    fn pools_are_those_of_one_square_after_the_other() {
        let most = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let close = |found: &Tensor, expected: &[f64]| {
            let found = found.to_vec::<f64>().unwrap();
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-5), "{found:?}");
        };
        for device in [Device::cpu(), Device::reference()] {
            for size in [[5, 7], [1, 3], [8, 4]] {
                // All below zero, so that zeros outside would win.
                let x = normal(&[1, 1, size[0], size[1]], &device).affine(1.0, -10.0).unwrap();
                let values = x.to_vec::<f64>().unwrap();
                for form in [[3, 1, 1], [3, 2, 1], [2, 2, 0], [1, 3, 0], [3, 2, 0]] {
                    let [side, stride, padding] = form;
                    if size[0] + 2 * padding >= side {
                        let found = max_pool2d_overlapping(&x, side, stride, padding).unwrap();
                        close(&found, &squares(&values, size, form, most));
                    }
                }
                for side in [1, 3, 5] {
                    let expected = squares(&values, size, [side, 1, side / 2], mean);
                    close(&average_pool2d(&x, side).unwrap(), &expected);
                }
            }
        }
    }

    #[test]
    fn gradients() {
        let x = normal(&[2, 2, 4, 5], &Device::reference());
        let pool = |x: &[Tensor]| max_pool2d_overlapping(&x[0], 3, 2, 1);
        gradcheck(&pool, std::slice::from_ref(&x)).unwrap();
        let mean = |x: &[Tensor]| average_pool2d(&x[0], 3);
        gradcheck(&mean, std::slice::from_ref(&x)).unwrap();
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = normal(&[1, 1, 2, 4], &Device::cpu());
        for (size, stride, padding) in
            [(3, 1, 0), (0, 1, 0), (3, 0, 0), (3, 1, 2), (65, 1, 32), (usize::MAX, 1, usize::MAX)]
        {
            assert!(max_pool2d_overlapping(&x, size, stride, padding).is_err(), "{size}");
        }
        for size in [0, 2, 65, usize::MAX] {
            assert!(average_pool2d(&x, size).is_err(), "{size}");
        }
        assert!(average_pool2d(&normal(&[2, 4], &Device::cpu()), 3).is_err());
    }
}
