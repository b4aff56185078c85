//! Held-out scores.

use gan_core::{Attribute, AttributeKind, Result, Tensor};

use super::Labels;

/// How well one attribute is told.
#[derive(Clone, Debug)]
pub struct Score {
    /// Of which.
    pub name: String,
    /// Of a choice, whether and not how much: accuracy; of a number, the coefficient of determination.
    pub is_choice: bool,
    /// 1 is perfect; 0 is, of a number, what telling the mean would have.
    pub value: f64,
    /// Pictures that show it.
    pub count: usize,
}

/// The accuracy or R2 of each attribute over the images that show it; `scores` are a classifier's.
///
/// # Errors
/// When the device fails.
pub fn attribute_scores(
    attributes: &[Attribute],
    scores: &[Tensor],
    labels: &Labels,
) -> Result<Vec<Score>> {
    let mut found = Vec::new();
    for (i, (attribute, score)) in attributes.iter().zip(scores).enumerate() {
        let outputs = attribute.kind.outputs();
        let told: Vec<f32> = score.to_vec()?;
        let pairs: Vec<(&[f32], f32)> = told
            .chunks(outputs)
            .zip(labels)
            .filter_map(|(told, row)| Some((told, row[i]?)))
            .collect();
        let count = pairs.len();
        let (is_choice, value) = match attribute.kind {
            AttributeKind::Choice(_) => {
                let right = pairs.iter().filter(|(told, wanted)| best(told) == *wanted as usize);
                (true, right.count() as f64 / count as f64)
            }
            AttributeKind::Range { .. } => (false, determination(&pairs)),
        };
        found.push(Score { name: attribute.name.clone(), is_choice, value, count });
    }
    Ok(found)
}

/// The index of the greatest.
pub(super) fn best(logits: &[f32]) -> usize {
    let greatest = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    greatest.map_or(0, |(i, _)| i)
}

/// 1 less the share of the variance that is left.
fn determination(pairs: &[(&[f32], f32)]) -> f64 {
    let mean = pairs.iter().map(|(_, v)| f64::from(*v)).sum::<f64>() / pairs.len() as f64;
    let left: f64 = pairs.iter().map(|(told, v)| f64::from(told[0] - v).powi(2)).sum();
    let all: f64 = pairs.iter().map(|(_, v)| (f64::from(*v) - mean).powi(2)).sum();
    1.0 - left / all
}

/// The area under the curve of hits over false alarms: the probability that one of the `same` is above one of the `different`, and
/// half of that where they are equal.
pub fn auc(same: &[f32], different: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> = same.iter().map(|&v| (v, true)).collect();
    all.extend(different.iter().map(|&v| (v, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let hits = equal.iter().filter(|(_, same)| *same).count() as f64;
        let misses = equal.len() as f64 - hits;
        wins += hits * (below + misses / 2.0);
        below += misses;
    }
    wins / (same.len() as f64 * different.len() as f64)
}

/// Of each class, the pixels that both say it over those that either says it; none where no pixel is of the class.
pub fn intersection_over_union(found: &[u8], truth: &[u8], classes: usize) -> Vec<Option<f64>> {
    let score = |class: usize| {
        let [mut both, mut either] = [0u64; 2];
        for (f, t) in found.iter().zip(truth) {
            let (f, t) = (usize::from(*f) == class, usize::from(*t) == class);
            both += u64::from(f && t);
            either += u64::from(f || t);
        }
        (either > 0).then(|| both as f64 / either as f64)
    };
    (0..classes).map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_probabilities() {
        assert_eq!(auc(&[2.0, 3.0], &[0.0, 1.0]), 1.0);
        assert_eq!(auc(&[0.0], &[1.0, 2.0]), 0.0);
        assert_eq!(auc(&[1.0, 1.0], &[1.0]), 0.5);
        assert_eq!(auc(&[0.5, 2.0], &[0.0, 1.0]), 0.75);
    }

    #[test]
    fn classes_overlap() {
        let found = intersection_over_union(&[0, 0, 1, 1], &[0, 1, 1, 1], 3);
        assert_eq!(found, [Some(0.5), Some(2.0 / 3.0), None]);
    }

    #[test]
    fn means_explain_nothing() {
        assert_eq!(determination(&[(&[2.0], 1.0), (&[2.0], 3.0)]), 0.0);
        assert_eq!(determination(&[(&[1.0], 1.0), (&[3.0], 3.0)]), 1.0);
    }
}
