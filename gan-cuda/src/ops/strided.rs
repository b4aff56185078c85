//! How a row-major index over one shape finds its element in memory of another.

use crate::error::{Error, Result};

/// Axes that the kernels' struct has room for.
const MOST_AXES: usize = 8;

/// Sizes of an index and the distance in memory that each of its axes steps; 0 repeats. Axes are merged where they can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strided {
    axes: Vec<(usize, usize)>,
}

impl Strided {
    /// From sizes and strides along the same axes.
    pub(crate) fn new(axes: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (size, stride) in axes.into_iter().filter(|&(size, _)| size != 1) {
            match merged.last_mut() {
                // A step of the outer axis is as long as the whole inner one.
                Some(outer) if outer.1 == size * stride => *outer = (outer.0 * size, stride),
                _ => merged.push((size, stride)),
            }
        }
        Strided { axes: merged }
    }

    /// `shape` read as if it had been broadcast to `to`.
    pub(crate) fn broadcast(shape: &[usize], to: &[usize]) -> Self {
        let missing = to.len() - shape.len();
        let own = strides(shape);
        Self::new(to.iter().enumerate().map(|(axis, &size)| {
            let repeats = axis < missing || shape[axis - missing] == 1;
            (size, if repeats { 0 } else { own[axis - missing] })
        }))
    }

    /// Elements of memory from the first to the last that an index finds.
    pub(crate) fn extent(&self) -> usize {
        self.axes.iter().map(|&(size, stride)| (size - 1) * stride).sum::<usize>() + 1
    }

    /// The struct `Strided` of the kernels.
    pub(crate) fn words(&self, op: &'static str) -> Result<Vec<u32>> {
        if self.axes.len() > MOST_AXES {
            let limit = "at most 8 axes that cannot be merged";
            return Err(Error::Unsupported { op, limit, found: self.axes.len().to_string() });
        }
        let word = |n: usize| u32::try_from(n).map_err(|_| too_far(op, n));
        let mut words = vec![0; 1 + 2 * MOST_AXES];
        words[0] = word(self.axes.len())?;
        for (d, &(size, stride)) in self.axes.iter().enumerate() {
            words[1 + d] = word(size)?;
            words[1 + MOST_AXES + d] = word(stride)?;
        }
        Ok(words)
    }
}

/// Distances in memory between neighbours along each axis of a row-major array.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

fn too_far(op: &'static str, n: usize) -> Error {
    Error::Unsupported { op, limit: "offsets below 2^32", found: n.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_merge_where_memory_is_contiguous() {
        let axes = |shape: &[usize], to: &[usize]| Strided::broadcast(shape, to).axes;
        assert_eq!(axes(&[2, 3, 5], &[2, 3, 5]), [(30, 1)]);
        assert_eq!(axes(&[1], &[4, 5]), [(20, 0)]);
        assert_eq!(axes(&[], &[]), []);
        assert_eq!(axes(&[3, 1, 1], &[2, 3, 4, 5]), [(2, 0), (3, 1), (20, 0)]);
        assert_eq!(axes(&[2, 1, 5], &[2, 3, 5]), [(2, 5), (3, 0), (5, 1)]);
        assert_eq!(Strided::broadcast(&[2, 1, 5], &[2, 3, 5]).extent(), 10);
        assert_eq!(Strided::broadcast(&[], &[]).extent(), 1);
    }

    #[test]
    fn more_axes_than_the_kernels_have_are_refused() {
        let alternating =
            |n: usize| Strided::new((0..n).map(|d| (2, if d % 2 == 0 { 0 } else { 7 })));
        assert_eq!(alternating(8).words("test").map(|w| (w.len(), w[0])).ok(), Some((17, 8)));
        let error = alternating(9).words("test").unwrap_err().to_string();
        assert!(error.contains("at most 8 axes"), "{error}");
    }
}
