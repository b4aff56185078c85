//! Minibatch standard deviation, by which a discriminator sees how much images of a batch differ.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Appends `channels` constant maps to `x [n, c, h, w]`: how much the samples of a group differ, one number a group and
/// block of `c / channels` channels.
///
/// Groups have `group` samples, or all of the batch where there are fewer or `group` is `None`. Of `g` groups, group `m`
/// is samples `m`, `m + g`, `m + 2 g`, ... The number is the biased standard deviation over the group,
/// `sqrt(var + 1e-8)`, averaged over pixels and the block's channels.
///
/// Source: PGGAN, section 3; `MinibatchStdLayer` of stylegan2-ada-pytorch.
///
/// # Errors
/// [`Error::Argument`] for groups of no samples, no channels, or a batch that is not a multiple of the group;
/// [`Error::Shape`] if `x` has another rank or its channels do not fall into that many blocks.
///
/// ```
/// use gan_core::{Device, Tensor, nn};
/// let x = Tensor::new(&[1.0f64, 5.0], &[2, 1, 1, 1], &Device::reference())?;
/// let y = nn::minibatch_std(&x, None, 1)?;
/// assert_eq!(y.shape(), [2, 2, 1, 1]);
/// assert!((y.to_vec::<f64>()?[1] - 2.0).abs() < 1e-8);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn minibatch_std(x: &Tensor, group: Option<usize>, channels: usize) -> Result<Tensor> {
    let [n, c, h, w] = x.dims4("minibatch_std")?;
    let size = group.unwrap_or(n).min(n);
    if size == 0 {
        return Err(Error::argument("minibatch_std group", "at least 1 sample", size));
    }
    if !n.is_multiple_of(size) {
        let expected = format!("a multiple of the {size} samples of a group");
        return Err(Error::argument("batch", expected, n));
    }
    if channels == 0 {
        return Err(Error::argument("minibatch_std channels", "at least 1", channels));
    }
    if !c.is_multiple_of(channels) {
        let expected = format!("channels in {channels} equal blocks");
        return Err(Error::shape("minibatch_std", expected, x.shape()));
    }
    let groups = n / size;
    let split = x.reshape(&[size, groups, channels, c / channels, h, w])?;
    let variance = split.sub(&split.mean(&[0])?)?.square()?.mean(&[0])?;
    let deviation = variance.affine(1.0, 1e-8)?.sqrt()?.mean(&[3, 4, 5])?;
    let maps = deviation
        .reshape(&[1, groups, channels, 1, 1])?
        .expand(&[size, groups, channels, h, w])?
        .reshape(&[n, channels, h, w])?;
    Tensor::concat(&[x, &maps], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::grad::{gradcheck, gradgradcheck};
    use crate::random::Philox;

    fn normal(shape: &[usize]) -> Tensor {
        let mut random = Philox::new(3);
        let values = (0..shape.iter().product()).map(|_| f64::from(random.normal_f32()));
        Tensor::from_vec(values.collect(), shape, &Device::reference()).unwrap()
    }

    #[test]
    fn gradients_of_both_orders() {
        let x = normal(&[4, 2, 2, 1]);
        for (group, channels) in [(Some(2), 1), (Some(4), 2), (None, 1)] {
            let f = |x: &[Tensor]| minibatch_std(&x[0], group, channels);
            gradcheck(&f, std::slice::from_ref(&x)).unwrap();
            gradgradcheck(&f, std::slice::from_ref(&x)).unwrap();
        }
    }

    #[test]
    fn groups_are_strided() {
        let values = [1.0, 10.0, 3.0, 10.0];
        let x = Tensor::new(&values, &[4, 1, 1, 1], &Device::reference()).unwrap();
        let y = minibatch_std(&x, Some(2), 1).unwrap().to_vec::<f64>().unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-7;
        assert!(close(y[1], 1.0) && close(y[5], 1.0), "{y:?}");
        assert!(close(y[3], 1e-4) && close(y[7], 1e-4), "{y:?}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = normal(&[6, 3, 1, 1]);
        let refused = |group, channels, what: &str| {
            let message = minibatch_std(&x, group, channels).unwrap_err().to_string();
            assert!(message.contains(what), "{message}");
        };
        refused(Some(4), 1, "batch: expected a multiple of the 4 samples");
        refused(Some(0), 1, "group");
        refused(Some(3), 0, "channels");
        refused(Some(3), 2, "2 equal blocks");
        refused(Some(3), usize::MAX, "equal blocks");
        assert!(minibatch_std(&normal(&[6, 3]), None, 1).is_err());
        minibatch_std(&x, Some(usize::MAX), 3).unwrap();
    }
}
