//! The kernel distance (KID; Bińkowski et al. 2018).

use ndarray::{ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::metric::features::check_finite;

/// The unbiased squared maximum mean discrepancy of two sets of features `[n, len]` under the kernel `(x.y / len + 1)^3`.
/// Both sets have the same number of at least two images.
///
/// # Errors
/// [`Error::Shape`] if sizes differ, [`Error::Argument`] for fewer than two images or features that are not finite.
pub fn kernel_distance(real: &ArrayView2<'_, f64>, fake: &ArrayView2<'_, f64>) -> Result<f64> {
    let (m, len) = real.dim();
    if fake.dim() != (m, len) {
        return Err(Error::shape("kernel distance", format!("[{m}, {len}]"), fake.shape()));
    }
    if m < 2 || len == 0 {
        return Err(Error::argument(
            "features",
            "at least two images",
            format!("{m} of {len} numbers"),
        ));
    }
    [real, fake].into_iter().try_for_each(check_finite)?;
    let sum = |x: &ArrayView2<'_, f64>, y: &ArrayView2<'_, f64>, diagonal: bool| {
        let kernel = x.dot(&y.t()).mapv(|dot| (dot / len as f64 + 1.0).powi(3));
        let own: f64 = if diagonal { 0.0 } else { kernel.diag().sum() };
        kernel.sum() - own
    };
    let m = m as f64;
    let within = sum(fake, fake, false) + sum(real, real, false);
    Ok(within / (m * (m - 1.0)) - 2.0 * sum(real, fake, true) / (m * m))
}

/// [`kernel_distance`] of each pair of subsets: rows `real[k]` and `fake[k]`. The published score is their mean.
///
/// # Errors
/// As [`kernel_distance`], and [`Error::Argument`] for rows that do not exist or subsets that are not in pairs.
pub fn kernel_distances(
    features: [&ArrayView2<'_, f64>; 2],
    subsets: [&[Vec<usize>]; 2],
) -> Result<Vec<f64>> {
    let [real, fake] = features;
    if subsets[0].len() != subsets[1].len() {
        let (expected, found) = (format!("{} subsets", subsets[0].len()), subsets[1].len());
        return Err(Error::argument("subsets", expected, found));
    }
    let choose = |features: &ArrayView2<'_, f64>, rows: &[usize]| match rows
        .iter()
        .find(|&&row| row >= features.nrows())
    {
        None => Ok(features.select(Axis(0), rows)),
        Some(row) => {
            Err(Error::argument("subset", format!("rows below {}", features.nrows()), row))
        }
    };
    subsets[0]
        .iter()
        .zip(subsets[1])
        .map(|(a, b)| kernel_distance(&choose(real, a)?.view(), &choose(fake, b)?.view()))
        .collect()
}
