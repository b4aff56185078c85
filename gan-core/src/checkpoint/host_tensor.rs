//! A tensor's numbers in plain host memory, and what conversions do to them.

use std::fmt;
use std::ops::Range;

use super::state_dict::weights;
use crate::error::Result;

/// A tensor in host memory, row-major.
#[derive(Clone, PartialEq)]
pub struct HostTensor {
    /// Size of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, last dimension fastest.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// Drops all dimensions outside `keep`, which must be ones, from a tensor of `rank` dimensions.
    pub(crate) fn keep_dims(
        mut self,
        name: &str,
        rank: usize,
        keep: Range<usize>,
    ) -> Result<HostTensor> {
        let ones = |(i, &d): (usize, &usize)| keep.contains(&i) || d == 1;
        if self.shape.len() != rank || !self.shape.iter().enumerate().all(ones) {
            let pattern = (0..rank).map(|i| if keep.contains(&i) { "_" } else { "1" });
            let pattern = pattern.collect::<Vec<_>>().join(", ");
            return Err(weights(name, format!("shape [{pattern}]"), self.shape_text()));
        }
        self.shape = self.shape.drain(keep).collect();
        Ok(self)
    }

    /// Adds dimensions of 1 around those of a tensor of `rank` dimensions.
    pub(crate) fn with_ones(
        mut self,
        name: &str,
        rank: usize,
        before: usize,
        after: usize,
    ) -> Result<HostTensor> {
        if self.shape.len() != rank {
            return Err(weights(name, format!("{rank} dimensions"), self.shape_text()));
        }
        self.shape = [&vec![1; before][..], &self.shape, &vec![1; after]].concat();
        Ok(self)
    }

    /// Multiplies a convolution's weight `[o, i, kh, kw]` by `1 / sqrt(i kh kw)`.
    pub(crate) fn scale_by_fan_in(self, name: &str) -> Result<HostTensor> {
        let fan_in = self.fan_in(name)?;
        Ok(self.scale((1.0 / fan_in.sqrt()) as f32))
    }

    /// Divides by what [`scale_by_fan_in`](HostTensor::scale_by_fan_in) multiplies by.
    pub(crate) fn unscale_by_fan_in(self, name: &str) -> Result<HostTensor> {
        let fan_in = self.fan_in(name)?;
        Ok(self.scale(fan_in.sqrt() as f32))
    }

    fn fan_in(&self, name: &str) -> Result<f64> {
        let &[_, i, kh, kw] = self.shape.as_slice() else {
            return Err(weights(name, "shape [o, i, kh, kw]", self.shape_text()));
        };
        Ok(i as f64 * kh as f64 * kw as f64)
    }

    pub(crate) fn scale(mut self, factor: f32) -> HostTensor {
        self.data.iter_mut().for_each(|x| *x *= factor);
        self
    }

    /// Turns the last two dimensions by 180 degrees.
    pub(crate) fn rotate_180(mut self) -> HostTensor {
        let plane: usize = self.shape.iter().rev().take(2).product();
        self.data.chunks_mut(plane.max(1)).for_each(<[f32]>::reverse);
        self
    }

    /// A tensor of four dimensions with them in another order: axis `k` of the result is axis `axes[k]`.
    pub(crate) fn permute(&self, name: &str, axes: [usize; 4]) -> Result<HostTensor> {
        let &[_, b, c, d] = self.shape.as_slice() else {
            return Err(weights(name, "four dimensions", self.shape_text()));
        };
        if self.data.is_empty() {
            return Err(weights(name, "at least one value", self.shape_text()));
        }
        let strides = [b * c * d, c * d, d, 1];
        let shape = axes.map(|a| self.shape[a]);
        let [s0, s1, s2, s3] = axes.map(|a| strides[a]);
        let mut data = Vec::with_capacity(self.data.len());
        for i in 0..shape[0] {
            for j in 0..shape[1] {
                for k in 0..shape[2] {
                    let start = i * s0 + j * s1 + k * s2;
                    data.extend((0..shape[3]).map(|l| self.data[start + l * s3]));
                }
            }
        }
        Ok(HostTensor { shape: shape.to_vec(), data })
    }

    /// A matrix with rows and columns exchanged.
    pub(crate) fn transposed(&self, name: &str) -> Result<HostTensor> {
        let &[rows, columns] = self.shape.as_slice() else {
            return Err(weights(name, "two dimensions", self.shape_text()));
        };
        // Of no values, there may be any number of columns to go through.
        if self.data.is_empty() {
            return Err(weights(name, "at least one value", self.shape_text()));
        }
        let column = |j: usize| self.data.iter().skip(j).step_by(columns.max(1));
        let data = (0..columns).flat_map(|j| column(j).copied()).collect();
        Ok(HostTensor { shape: vec![columns, rows], data })
    }

    pub(crate) fn shape_text(&self) -> String {
        format!("shape {:?}", self.shape)
    }
}

impl fmt::Debug for HostTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostTensor{:?}", self.shape)
    }
}
