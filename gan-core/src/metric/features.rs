//! Means and covariances of features, and the Fréchet distance (Heusel et al. 2017).

use faer::{Mat, Side};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};

/// What a covariance is divided by. The two common programs differ, and so do their distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divisor {
    /// The number of samples, as stylegan2-ada-pytorch does.
    #[default]
    Count,
    /// One less, as pytorch-fid and `numpy.cov` do.
    CountLessOne,
}

/// Sums over features of any number of images, added batch by batch.
#[derive(Clone, Debug)]
pub struct FeatureStats {
    count: usize,
    sum: Array1<f64>,
    /// Sum of `x x^T`.
    products: Array2<f64>,
}

impl FeatureStats {
    /// Of no images yet, with features of that length.
    pub fn new(len: usize) -> Self {
        FeatureStats { count: 0, sum: Array1::zeros(len), products: Array2::zeros((len, len)) }
    }

    /// Of `features [n, len]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for features that are not finite.
    pub fn of(features: &ArrayView2<'_, f64>) -> Result<Self> {
        let mut stats = FeatureStats::new(features.ncols());
        stats.add(features)?;
        Ok(stats)
    }

    /// Adds `features [n, len]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another length, [`Error::Argument`] for features that are not finite.
    pub fn add(&mut self, features: &ArrayView2<'_, f64>) -> Result<()> {
        if features.ncols() != self.sum.len() {
            let expected = format!("[n, {}]", self.sum.len());
            return Err(Error::shape("features", expected, features.shape()));
        }
        check_finite(features)?;
        self.count += features.nrows();
        self.sum += &features.sum_axis(ndarray::Axis(0));
        self.products += &features.t().dot(features);
        Ok(())
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.count
    }

    /// `[len]`
    ///
    /// # Errors
    /// [`Error::Argument`] without images.
    pub fn mean(&self) -> Result<Array1<f64>> {
        self.at_least(1)?;
        Ok(&self.sum / self.count as f64)
    }

    /// `[len, len]`
    ///
    /// # Errors
    /// [`Error::Argument`] without images, or with one where one less than their number is to divide.
    pub fn covariance(&self, divisor: Divisor) -> Result<Array2<f64>> {
        let less = usize::from(divisor == Divisor::CountLessOne);
        self.at_least(1 + less)?;
        let mean = self.mean()?;
        let column = mean.view().insert_axis(ndarray::Axis(1));
        let centred = &self.products - &(column.dot(&column.t()) * self.count as f64);
        Ok(centred / (self.count - less) as f64)
    }

    /// The distance to other statistics, with covariances divided by the number of images.
    ///
    /// # Errors
    /// [`Error::Argument`] without images, [`Error::Shape`] for features of another length.
    pub fn frechet_distance(&self, other: &FeatureStats) -> Result<f64> {
        let of = |stats: &FeatureStats| Ok((stats.mean()?, stats.covariance(Divisor::Count)?));
        let ((mean, covariance), (other_mean, other_covariance)) = (of(self)?, of(other)?);
        frechet_distance(
            [mean.view(), other_mean.view()],
            [covariance.view(), other_covariance.view()],
        )
    }

    fn at_least(&self, count: usize) -> Result<()> {
        match self.count >= count {
            true => Ok(()),
            false => {
                Err(Error::argument("number of images", format!("at least {count}"), self.count))
            }
        }
    }
}

/// The squared Fréchet distance of two normal distributions,
/// `|mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))` (Dowson and Landau 1982).
///
/// The trace of the root is the sum of the roots of the eigenvalues of `S1^(1/2) S2 S1^(1/2)`, so singular covariances, as of
/// fewer images than features, are no trouble.
///
/// # Errors
/// [`Error::Shape`] if sizes differ, [`Error::Argument`] for numbers that are not finite.
pub fn frechet_distance(
    means: [ArrayView1<'_, f64>; 2],
    covariances: [ArrayView2<'_, f64>; 2],
) -> Result<f64> {
    let len = means[0].len();
    if means[1].len() != len || covariances.iter().any(|c| c.dim() != (len, len)) {
        let found = covariances.map(|c| c.dim());
        let expected = format!("means [{len}] and covariances [{len}, {len}]");
        return Err(Error::shape("frechet distance", expected, (means[1].len(), found)));
    }
    if means.iter().any(|mean| mean.iter().any(|v| !v.is_finite())) {
        return Err(Error::argument("means", "finite numbers", "NaN or infinity"));
    }
    let [a, b] = covariances.map(|c| Mat::from_fn(len, len, |i, j| c[[i, j]]));
    let (values, vectors) = eigen(&a)?;
    let scaled = Mat::from_fn(len, len, |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt());
    let root = &scaled * vectors.transpose();
    let inner = &root * &b * &root;
    let (values, _) = eigen(&inner)?;
    let cross: f64 = values.iter().map(|v| v.max(0.0).sqrt()).sum();
    let apart: f64 = means[0].iter().zip(means[1]).map(|(a, b)| (a - b).powi(2)).sum();
    let traces: f64 = (0..len).map(|i| a[(i, i)] + b[(i, i)]).sum();
    Ok(apart + traces - 2.0 * cross)
}

/// Whether features can be measured: one NaN would hide in a count of neighbours, or take a whole mean with it.
pub(super) fn check_finite(features: &ArrayView2<'_, f64>) -> Result<()> {
    match features.iter().all(|v| v.is_finite()) {
        true => Ok(()),
        false => Err(Error::argument("features", "finite numbers", "NaN or infinity")),
    }
}

/// Eigenvalues and eigenvectors, as columns, of a symmetric matrix.
fn eigen(matrix: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let failed = |found: String| Error::argument("covariance", "finite numbers", found);
    let eigen =
        matrix.self_adjoint_eigen(Side::Lower).map_err(|error| failed(format!("{error:?}")))?;
    let values: Vec<f64> = (0..matrix.nrows()).map(|i| eigen.S()[i]).collect();
    match values.iter().all(|v| v.is_finite()) {
        true => Ok((values, eigen.U().to_owned())),
        false => Err(failed("NaN or infinity".into())),
    }
}
