//! The inception score (Salimans et al. 2016).

use ndarray::{ArrayView2, Axis, s};

use crate::error::{Error, Result};

/// A score for each part of the images.
#[derive(Clone, Debug, PartialEq)]
pub struct InceptionScore {
    /// `exp(mean KL(p(class | image), p(class)))` of each part.
    pub splits: Vec<f64>,
}

impl InceptionScore {
    /// The score as published.
    pub fn mean(&self) -> f64 {
        self.splits.iter().sum::<f64>() / self.splits.len() as f64
    }

    /// The standard deviation over the parts, divided by their number.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.splits.iter().map(|score| (score - mean).powi(2)).sum();
        (squares / self.splits.len() as f64).sqrt()
    }
}

/// The score of class probabilities `[n, classes]` in `splits` parts; part `k` begins at row `k n / splits`.
///
/// # Errors
/// [`Error::Argument`] for fewer images than parts, no parts, or numbers that are no probabilities.
pub fn inception_score(
    probabilities: &ArrayView2<'_, f64>,
    splits: usize,
) -> Result<InceptionScore> {
    let n = probabilities.nrows();
    if splits == 0 || n < splits {
        return Err(Error::argument("splits", format!("from 1 to {n}, the images"), splits));
    }
    if probabilities.iter().any(|p| !(0.0..=1.0 + 1e-6).contains(p)) {
        return Err(Error::argument("probabilities", "from 0 to 1", "others"));
    }
    let score = |k: usize| {
        let part = probabilities.slice(s![k * n / splits..(k + 1) * n / splits, ..]);
        let prior = part.sum_axis(Axis(0)) / part.nrows() as f64;
        // 0 ln 0 = 0.
        let term = |p: f64, q: f64| if p > 0.0 { p * (p.ln() - q.ln()) } else { 0.0 };
        let divergence = |row: ndarray::ArrayView1<'_, f64>| -> f64 {
            row.iter().zip(&prior).map(|(&p, &q)| term(p, q)).sum()
        };
        let sum: f64 = part.rows().into_iter().map(divergence).sum();
        (sum / part.nrows() as f64).exp()
    };
    Ok(InceptionScore { splits: (0..splits).map(score).collect() })
}
