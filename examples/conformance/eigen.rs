//! Comparing eigenvectors, which have no sign, and none at all where eigenvalues are equal.

use gan_core::Direction;
use gan_edit::sefa::Factorization;
use ndarray::ArrayD;

use super::array::HostArray;
use super::error::{Error, Result};
use super::report::worse;

/// Eigenvalues and, in the same order, unit eigenvectors.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    values: Vec<f64>,
    vectors: Vec<Vec<f64>>,
}

/// Smallest difference of neighbouring eigenvalues, relative to the largest, with which a vector is compared.
const GAP: f64 = 1e-3;

/// Largest `1 - |cos|` of two vectors that count as the same.
pub(super) const TOLERANCE: f64 = 1e-3;

impl Basis {
    /// Pairs in any order, of which the vectors are the rows of a matrix; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Tensor`] unless there is one row for each value.
    pub(super) fn new(name: &str, values: &[f64], rows: &ArrayD<f64>) -> Result<Basis> {
        if rows.ndim() != 2 || rows.shape()[0] != values.len() {
            let expected = format!("{} eigenvectors", values.len());
            return Err(Error::tensor(name, expected, format!("shape {:?}", rows.shape())));
        }
        let vectors = rows.outer_iter().map(|row| row.iter().copied().collect()).collect();
        Ok(Basis { values: values.to_vec(), vectors })
    }

    /// What the library found.
    pub(super) fn of<S>(found: &Factorization<S>) -> Basis {
        let vector = |d: &Direction<S>| d.vector().iter().copied().map(f64::from).collect();
        Basis {
            values: found.eigenvalues.clone(),
            vectors: found.directions.iter().map(vector).collect(),
        }
    }

    /// The positions of the pairs in descending order of their eigenvalues.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_by(|&a, &b| self.values[b].total_cmp(&self.values[a]));
        order
    }

    /// With its pairs in that order.
    pub(super) fn reordered(&self, order: &[usize]) -> Basis {
        Basis {
            values: order.iter().map(|&i| self.values[i]).collect(),
            vectors: order.iter().map(|&i| self.vectors[i].clone()).collect(),
        }
    }

    /// The eigenvalues of a basis in descending order, put where the same ones stand in another whose order is given.
    pub(super) fn values_at(&self, order: &[usize]) -> HostArray {
        let mut values = vec![f64::NAN; self.values.len()];
        for (value, &place) in self.values.iter().zip(order) {
            if let Some(slot) = values.get_mut(place) {
                *slot = *value;
            }
        }
        HostArray::floats(values, &[self.values.len()])
    }

    /// How far these vectors are from those of a reference, both in descending order: the largest `1 - |cos|` where the
    /// reference's eigenvalue stands alone, or the largest error of orthonormality, if that is more.
    pub(super) fn error(&self, reference: &Basis) -> f64 {
        let same_size = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            a.len() >= b.len() && a.iter().zip(b).all(|(a, b)| a.len() == b.len())
        };
        if !same_size(&self.vectors, &reference.vectors) {
            return f64::INFINITY;
        }
        let angles = (0..reference.vectors.len())
            .filter(|&i| reference.stands_alone(i))
            .map(|i| 1.0 - cosine(&self.vectors[i], &reference.vectors[i]).abs());
        angles.chain([self.orthonormality_error()]).fold(0.0, worse)
    }

    fn stands_alone(&self, i: usize) -> bool {
        let largest = self.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let far = |j: Option<usize>| {
            let other = j.and_then(|j| self.values.get(j));
            other.is_none_or(|v| (v - self.values[i]).abs() > GAP * largest)
        };
        far(i.checked_sub(1)) && far(i.checked_add(1))
    }

    fn orthonormality_error(&self) -> f64 {
        let rows = self.vectors.iter().enumerate();
        let products = rows.flat_map(|(i, a)| {
            self.vectors[..=i].iter().enumerate().map(move |(j, b)| {
                let expected = if i == j { 1.0 } else { 0.0 };
                (dot(a, b) - expected).abs()
            })
        });
        products.fold(0.0, worse)
    }
}

/// Sign of the scalar product: 1 if the vectors point the same way, else -1.
pub(super) fn same_way(a: &[f32], b: &[f64]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum();
    if product < 0.0 { -1.0 } else { 1.0 }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
