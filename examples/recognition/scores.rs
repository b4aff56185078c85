//! Held-out scores.

use std::ops::Range;

use gan_core::models::recognition::Segmenter;
use gan_core::{Attribute, AttributeKind, Classifier, Device, ImageEncoder, Result, Tensor};

use super::{Identities, Labelled, Labels, Masks};

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

/// Pictures that a network looks at at once: of many, features would not fit into memory.
const BATCH: usize = 64;

/// The numbers of `count` things in parts of [`BATCH`].
fn parts(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(BATCH).map(move |start| start..count.min(start + BATCH))
}

/// The accuracy or R2 of each attribute over those of `most` held-out pictures that show it.
///
/// # Errors
/// When the network does not take the pictures.
pub fn attribute_scores(net: &dyn Classifier, data: &Labelled, most: usize) -> Result<Vec<Score>> {
    let mut told: Vec<Vec<f32>> = vec![Vec::new(); net.attributes().len()];
    let mut labels = Labels::new();
    for numbers in parts(data.held_out_count(most)) {
        let (images, known) = data.held_out(numbers, net.device())?;
        for (all, scores) in told.iter_mut().zip(net.scores(&images)?) {
            all.extend(scores.to_vec::<f32>()?);
        }
        labels.extend(known);
    }
    let of = |(i, (attribute, told)): (usize, (&Attribute, &Vec<f32>))| {
        let told = told.chunks(attribute.kind.outputs()).zip(&labels);
        let pairs: Vec<(&[f32], f32)> =
            told.filter_map(|(told, row)| Some((told, row[i]?))).collect();
        let (name, count) = (attribute.name.clone(), pairs.len());
        let (is_choice, value) = match attribute.kind {
            AttributeKind::Choice(_) => {
                let right = pairs.iter().filter(|(told, wanted)| best(told) == *wanted as usize);
                (true, right.count() as f64 / count as f64)
            }
            AttributeKind::Range { .. } => (false, determination(&pairs)),
        };
        Score { name, is_choice, value, count }
    };
    Ok(net.attributes().iter().zip(&told).enumerate().map(of).collect())
}

/// The [`intersection_over_union`] of each class over `most` held-out pictures.
///
/// # Errors
/// When the network does not take the pictures.
pub fn class_scores(net: &Segmenter, data: &Masks, most: usize) -> Result<Vec<Option<f64>>> {
    let (mut found, mut truth) = (Vec::new(), Vec::new());
    for numbers in parts(data.held_out_count(most)) {
        let (images, classes) = data.held_out(numbers, net.device())?;
        found.extend(net.classify(&images)?);
        truth.extend(classes);
    }
    Ok(intersection_over_union(&found, &truth, net.classes().len()))
}

/// The scalar products of the embeddings of two pictures of one person each, and of two people each, of `most` held-out ones.
///
/// # Errors
/// When the network does not take the pictures.
pub fn pair_products(
    net: &dyn ImageEncoder,
    data: &Identities,
    most: usize,
    device: &Device,
) -> Result<[Vec<f32>; 2]> {
    let mut views = [Vec::new(), Vec::new()];
    for numbers in parts(data.held_out_count(most)) {
        let n = numbers.len();
        let embeddings = net.embed(&data.held_out(numbers, device)?)?;
        for (k, view) in views.iter_mut().enumerate() {
            view.push(embeddings.slice(0, k * n, n)?);
        }
    }
    let [one, other] = views.map(|v| Tensor::concat(&v.iter().collect::<Vec<_>>(), 0));
    let products = one?.matmul_t(&other?)?;
    let n = products.shape()[0];
    let pairs = products.to_vec::<f32>()?.into_iter().enumerate();
    let (same, different): (Vec<_>, Vec<_>) = pairs.partition(|(i, _)| i % (n + 1) == 0);
    Ok([same, different].map(|pairs| pairs.into_iter().map(|(_, v)| v).collect()))
}

/// The index of the greatest.
pub(crate) fn best(logits: &[f32]) -> usize {
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

/// The mean over the classes that are there.
pub fn mean_iou(scores: &[Option<f64>]) -> f64 {
    let there: Vec<f64> = scores.iter().flatten().copied().collect();
    there.iter().sum::<f64>() / there.len().max(1) as f64
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
