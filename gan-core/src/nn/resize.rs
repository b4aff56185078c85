//! Resampling without filters.

use crate::backend::{Filter, UpFirDn};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A filter has no longer side, so that a mistaken factor is an error instead of a huge filter.
const MOST_TAPS: usize = 64;

/// Repeats each pixel of `x [n, c, h, w]` in a square, to `[n, c, factor h, factor w]`.
///
/// # Errors
/// [`Error::Shape`] for another rank or a factor outside of 1 to 64.
pub fn upsample_nearest(x: &Tensor, factor: usize) -> Result<Tensor> {
    x.dims4("upsample_nearest")?;
    if !(1..=MOST_TAPS).contains(&factor) {
        return Err(Error::shape(
            "upsample_nearest",
            format!("a factor of 1 to {MOST_TAPS}"),
            factor,
        ));
    }
    // Each window of the filter holds one pixel and zeros; this is faster than repeating along two axes.
    let filter = Filter::outer(&vec![1.0; factor])?;
    x.upfirdn2d(&UpFirDn {
        filter,
        up: [factor, factor],
        down: [1, 1],
        padding: [[factor as isize - 1, 0]; 2],
        flip: false,
        gain: 1.0,
    })
}

/// Maximum over squares of `size` pixels that do not overlap, `[n, c, h, w]` to `[n, c, h / size, w / size]`; rows and
/// columns that fill no square are dropped.
///
/// # Errors
/// [`Error::Shape`] if the image is smaller than a square, or a square has no size.
pub fn max_pool2d(x: &Tensor, size: usize) -> Result<Tensor> {
    let [n, c, h, w] = x.dims4("max_pool2d")?;
    if size == 0 || h < size || w < size {
        return Err(Error::shape(
            "max_pool2d",
            format!("at least {size} pixels a side"),
            x.shape(),
        ));
    }
    let (rows, columns) = (h / size, w / size);
    let x = x.slice(2, 0, rows * size)?.slice(3, 0, columns * size)?;
    let squares = x.reshape(&[n, c, rows, size, columns, size])?;
    squares.max(&[3, 5])?.reshape(&[n, c, rows, columns])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn pixels_are_repeated_and_squares_give_their_maximum() {
        for device in [Device::cpu(), Device::reference()] {
            let values: Vec<f64> = (0..6).map(f64::from).collect();
            let x = Tensor::new(&values, &[1, 1, 2, 3], &device).unwrap();
            let up = upsample_nearest(&x, 2).unwrap();
            let expected =
                [[0., 0., 1., 1., 2., 2.]; 2].into_iter().chain([[3., 3., 4., 4., 5., 5.]; 2]);
            assert_eq!(up.shape(), [1, 1, 4, 6]);
            assert_eq!(up.to_vec::<f64>().unwrap(), expected.flatten().collect::<Vec<f64>>());
            assert_eq!(max_pool2d(&x, 2).unwrap().to_vec::<f64>().unwrap(), [4.0]);
            let back = max_pool2d(&up, 2).unwrap();
            assert_eq!(back.to_vec::<f64>().unwrap(), values);
            assert!(max_pool2d(&x, 0).is_err() && max_pool2d(&x, 3).is_err());
            for factor in [0, 65, 1 << 63, usize::MAX] {
                assert!(upsample_nearest(&x, factor).is_err(), "{factor}");
            }
            assert_eq!(upsample_nearest(&x, 3).unwrap().to_vec::<f64>().unwrap()[6..9], [2.0; 3]);
        }
    }
}
