//! Batch normalisation at inference, with statistics for every truncation.

use crate::error::{Error, Result};
use crate::nn::{Params, SpectralLinear};
use crate::tensor::Tensor;

/// Means and variances of features at evenly spaced truncations of the prior, 0 to 1.
///
/// A truncated prior has other statistics than the one of training, so they were measured anew for each of a number of
/// truncations (BigGAN, section 3.1 and appendix B). Source: `BigGANBatchNorm` of pytorch-pretrained-biggan.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    means: Tensor,
    vars: Tensor,
    eps: f64,
}

impl BatchStatistics {
    /// Takes `<name>.running_means [count, features]` and `<name>.running_vars` of the same shape; `None` takes any
    /// number. `eps` is added to variances.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen, there are fewer than 2 truncations or a variance is
    /// negative; [`Error::Argument`] if `eps` is not positive.
    pub fn new(
        params: &mut Params,
        name: &str,
        count: Option<usize>,
        features: Option<usize>,
        eps: f64,
    ) -> Result<Self> {
        if !(eps.is_finite() && eps > 0.0) {
            return Err(Error::argument("batch norm eps", "a positive number", eps));
        }
        let means = params.take(&format!("{name}.running_means"), &[count, features])?;
        let [count, features] = means.dims2("batch_norm")?;
        if count < 2 {
            return Err(Error::Weights {
                name: format!("{name}.running_means"),
                expected: "statistics of at least 2 truncations".into(),
                found: format!("shape {:?}", means.shape()),
            });
        }
        let name = format!("{name}.running_vars");
        let vars = take_variances(params, &name, &[Some(count), Some(features)])?;
        Ok(BatchStatistics { means, vars, eps })
    }

    /// Number of truncations.
    pub fn count(&self) -> usize {
        self.means.shape()[0]
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.means.shape()[1]
    }

    /// Mean and `1 / sqrt(variance + eps)` for a truncation, each `[1, features]`.
    ///
    /// # Errors
    /// [`Error::Argument`] if the truncation is outside of (0, 1].
    pub fn at(&self, truncation: f64) -> Result<(Tensor, Tensor)> {
        let (index, fraction) = position(truncation, self.count())?;
        let of = |all: &Tensor| {
            let low = all.slice(0, index, 1)?;
            if fraction == 0.0 || index + 1 == self.count() {
                return Ok(low);
            }
            let high = all.slice(0, index + 1, 1)?;
            low.scale(fraction)?.add(&high.scale(1.0 - fraction)?)
        };
        let deviation = of(&self.vars)?.affine(1.0, self.eps)?;
        Ok((of(&self.means)?, deviation.rsqrt()?))
    }
}

/// The last statistic not above a truncation, and the fraction of a step beyond it.
///
/// The original gives the *lower* statistic the weight `fraction` and the upper one the rest, the reverse of linear
/// interpolation, and divides in f64, where 0.14 of 51 statistics is a hair above 7 and so means the eighth. Published
/// images were made like this.
fn position(truncation: f64, count: usize) -> Result<(usize, f64)> {
    if !(truncation > 0.0 && truncation <= 1.0) {
        return Err(Error::argument("truncation", "a number above 0, at most 1", truncation));
    }
    let step = 1.0 / (count - 1) as f64;
    let steps = truncation / step;
    // Where the reciprocal rounds down, 1 may lie a hair beyond the last.
    let index = (steps.floor() as usize).min(count - 1);
    Ok((index, steps - steps.floor()))
}

/// Batch normalisation with one weight and bias a feature.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    statistics: BatchStatistics,
    weight: Tensor,
    bias: Tensor,
}

impl BatchNorm {
    /// Takes the tensors of [`BatchStatistics::new`], and `<name>.weight` and `<name>.bias`, each `[features]`.
    ///
    /// # Errors
    /// As [`BatchStatistics::new`].
    pub fn new(
        params: &mut Params,
        name: &str,
        count: Option<usize>,
        features: Option<usize>,
        eps: f64,
    ) -> Result<Self> {
        let statistics = BatchStatistics::new(params, name, count, features, eps)?;
        let features = [Some(statistics.features())];
        let weight = params.take(&format!("{name}.weight"), &features)?;
        let bias = params.take(&format!("{name}.bias"), &features)?;
        Ok(BatchNorm { statistics, weight, bias })
    }

    /// `(x - mean) / sqrt(var + eps) * weight + bias` of `x [n, features, h, w]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not fit, [`Error::Argument`] if the truncation is outside of (0, 1].
    pub fn forward(&self, x: &Tensor, truncation: f64) -> Result<Tensor> {
        let one_row = [1, self.statistics.features()];
        let (weight, bias) = (self.weight.reshape(&one_row)?, self.bias.reshape(&one_row)?);
        normalize(x, &self.statistics, &weight, &bias, truncation)
    }
}

/// Batch normalisation whose weight and bias are linear in a condition (BigGAN, appendix B).
#[derive(Clone, Debug)]
pub struct ConditionalBatchNorm {
    statistics: BatchStatistics,
    scale: SpectralLinear,
    offset: SpectralLinear,
}

impl ConditionalBatchNorm {
    /// Takes the tensors of [`BatchStatistics::new`], and those of two spectrally normalised maps `<name>.scale` and
    /// `<name>.offset`, each `[features, inputs]` without bias.
    ///
    /// # Errors
    /// As [`BatchStatistics::new`].
    pub fn new(
        params: &mut Params,
        name: &str,
        count: Option<usize>,
        features: Option<usize>,
        inputs: Option<usize>,
        eps: f64,
    ) -> Result<Self> {
        let statistics = BatchStatistics::new(params, name, count, features, eps)?;
        let features = Some(statistics.features());
        let scale = SpectralLinear::new(params, &format!("{name}.scale"), features, inputs, false)?;
        let inputs = Some(scale.inputs());
        let offset =
            SpectralLinear::new(params, &format!("{name}.offset"), features, inputs, false)?;
        Ok(ConditionalBatchNorm { statistics, scale, offset })
    }

    /// Its means and variances.
    pub fn statistics(&self) -> &BatchStatistics {
        &self.statistics
    }

    /// Condition to factor, less 1.
    pub fn scale(&self) -> &SpectralLinear {
        &self.scale
    }

    /// Condition to what is added.
    pub fn offset(&self) -> &SpectralLinear {
        &self.offset
    }

    /// `(x - mean) / sqrt(var + eps) * (1 + S c) + O c` of `x [n, features, h, w]` and the condition `c [n, inputs]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a shape does not fit, [`Error::Argument`] if the truncation is outside of (0, 1].
    pub fn forward(&self, x: &Tensor, condition: &Tensor, truncation: f64) -> Result<Tensor> {
        let weight = self.scale.forward(condition)?.affine(1.0, 1.0)?;
        let bias = self.offset.forward(condition)?;
        normalize(x, &self.statistics, &weight, &bias, truncation)
    }
}

/// `weight` and `bias` are `[n or 1, features]`.
fn normalize(
    x: &Tensor,
    statistics: &BatchStatistics,
    weight: &Tensor,
    bias: &Tensor,
    truncation: f64,
) -> Result<Tensor> {
    let [n, c, _, _] = x.dims4("batch_norm")?;
    let [rows, features] = weight.dims2("batch_norm")?;
    if c != features || (rows != 1 && rows != n) {
        let expected = format!("x [n, {features}, h, w] and as many conditions");
        return Err(Error::shape("batch_norm", expected, (x.shape(), weight.shape())));
    }
    // Everything but one product and one sum is done on vectors.
    let (mean, rstd) = statistics.at(truncation)?;
    let factor = weight.mul(&rstd)?;
    let shift = bias.sub(&factor.mul(&mean)?)?;
    x.mul(&factor.reshape(&[rows, c, 1, 1])?)?.add(&shift.reshape(&[rows, c, 1, 1])?)
}

/// Takes variances, which are none if one of them is negative.
pub(super) fn take_variances(
    params: &mut Params,
    name: &str,
    shape: &[Option<usize>],
) -> Result<Tensor> {
    let variances = params.take(name, shape)?;
    match variances.to_vec::<f64>()?.into_iter().find(|v| *v < 0.0) {
        None => Ok(variances),
        Some(negative) => Err(Error::Weights {
            name: name.to_owned(),
            expected: "variances of at least 0".into(),
            found: negative.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_original() {
        assert_eq!(position(0.1, 51).unwrap(), (5, 0.0));
        assert_eq!(position(0.14, 51).unwrap(), (7, 8.881784197001252e-16));
        assert_eq!(position(0.58, 51).unwrap(), (28, 0.9999999999999964));
        assert_eq!(position(1e-9, 51).unwrap().0, 0);
        for count in 2..200 {
            assert!(position(1.0, count).unwrap().0 < count);
        }
    }

    #[test]
    fn truncations_outside_of_their_range_are_refused() {
        for wrong in [0.0, -0.5, 1.0000001, f64::NAN, f64::INFINITY] {
            let message = position(wrong, 51).unwrap_err().to_string();
            assert!(message.contains("truncation"), "{message}");
        }
    }
}
