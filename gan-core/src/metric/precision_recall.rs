//! Precision and recall of generated images (Kynkäänniemi et al. 2019).

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::metric::features::check_finite;

/// The region that features cover: around each a ball that reaches its `k`-th neighbour.
#[derive(Clone, Debug)]
pub struct Manifold {
    features: Array2<f64>,
    radii: Vec<f64>,
}

impl Manifold {
    /// Of `features [n, len]`; the paper takes the third neighbour.
    ///
    /// # Errors
    /// [`Error::Argument`] for no neighbour, not more features than neighbours, or features that are not finite.
    pub fn new(features: &ArrayView2<'_, f64>, neighbours: usize) -> Result<Self> {
        if neighbours == 0 || features.nrows() <= neighbours {
            let expected = format!("more than {neighbours}, and at least one neighbour");
            return Err(Error::argument("number of features", expected, features.nrows()));
        }
        check_finite(features)?;
        let radius = |i: usize| {
            let own = features.row(i);
            let mut distances: Vec<f64> =
                features.rows().into_iter().map(|row| distance(own, row)).collect();
            // The nearest is the feature itself.
            *distances.select_nth_unstable_by(neighbours, f64::total_cmp).1
        };
        let radii = (0..features.nrows()).into_par_iter().map(radius).collect();
        Ok(Manifold { features: features.to_owned(), radii })
    }

    /// The radius of each ball, `[n]`.
    pub fn radii(&self) -> &[f64] {
        &self.radii
    }

    /// For each of `features [m, len]` whether it lies within.
    ///
    /// # Errors
    /// [`Error::Shape`] for features of another length, [`Error::Argument`] for those that are not finite.
    pub fn contains(&self, features: &ArrayView2<'_, f64>) -> Result<Vec<bool>> {
        if features.ncols() != self.features.ncols() {
            let expected = format!("[m, {}]", self.features.ncols());
            return Err(Error::shape("manifold", expected, features.shape()));
        }
        check_finite(features)?;
        let inside = |i: usize| {
            let point = features.row(i);
            let mut balls = self.features.rows().into_iter().zip(&self.radii);
            balls.any(|(centre, &radius)| distance(point, centre) <= radius)
        };
        Ok((0..features.nrows()).into_par_iter().map(inside).collect())
    }
}

/// The share of generated images that look real: those within the manifold of real ones.
///
/// # Errors
/// As [`Manifold::new`] and [`Manifold::contains`], and [`Error::Argument`] without generated images.
pub fn precision(
    real: &ArrayView2<'_, f64>,
    fake: &ArrayView2<'_, f64>,
    neighbours: usize,
) -> Result<f64> {
    if fake.nrows() == 0 {
        return Err(Error::argument("number of features", "at least one image", 0));
    }
    let hits = Manifold::new(real, neighbours)?.contains(fake)?;
    Ok(hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64)
}

/// The share of real images that could be generated: those within the manifold of generated ones.
///
/// # Errors
/// As [`precision`], with the two the other way round.
pub fn recall(
    real: &ArrayView2<'_, f64>,
    fake: &ArrayView2<'_, f64>,
    neighbours: usize,
) -> Result<f64> {
    precision(fake, real, neighbours)
}

/// By differences: the expanded form `x^2 + y^2 - 2 x y` loses the digits that decide about near neighbours.
fn distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::metric::kernel_distance;

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let good = array![[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]];
        assert!(precision(&good.view(), &good.view(), 1).is_ok());
        for bad in [array![[0.0, f64::NAN], [1.0, 0.0], [2.0, 2.0]], Array2::zeros((0, 2))] {
            assert!(precision(&good.view(), &bad.view(), 1).is_err(), "{bad}");
            assert!(recall(&good.view(), &bad.view(), 1).is_err(), "{bad}");
            assert!(kernel_distance(&good.view(), &bad.view()).is_err(), "{bad}");
        }
    }
}
