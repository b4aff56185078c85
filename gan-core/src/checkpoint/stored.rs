//! A tensor as it lies in a file: bytes that it may share with others, decoded when somebody asks for numbers.

use std::borrow::Cow;

use bytes::Bytes;

use super::host_tensor::HostTensor;
use super::number::NumberFormat;

/// Far above what any framework writes.
const MAX_RANK: usize = 8;

/// A tensor that is a view of a file's bytes.
#[derive(Clone)]
pub(crate) struct StoredTensor {
    pub(crate) format: NumberFormat,
    pub(crate) shape: Vec<usize>,
    /// In elements; `None` for row-major.
    strides: Option<Vec<usize>>,
    /// From the first to the last element.
    bytes: Bytes,
}

impl StoredTensor {
    /// A row-major tensor that fills the bytes.
    ///
    /// # Errors
    /// What is wrong: another number of bytes than the shape asks for.
    pub(crate) fn new(
        format: NumberFormat,
        shape: Vec<usize>,
        bytes: Bytes,
    ) -> Result<Self, String> {
        let size = count(&shape)?.checked_mul(format.size()).ok_or_else(overflow)?;
        if bytes.len() != size {
            let found = bytes.len();
            return Err(format!(
                "shape {shape:?} of {format} takes {size} bytes, there are {found}"
            ));
        }
        Ok(StoredTensor { format, shape, strides: None, bytes })
    }

    /// As [`StoredTensor::new`], with the first dimension fastest.
    ///
    /// # Errors
    /// As [`StoredTensor::new`].
    pub(crate) fn fortran(
        format: NumberFormat,
        shape: Vec<usize>,
        bytes: Bytes,
    ) -> Result<Self, String> {
        count(&shape)?;
        let step = |axis| shape[..axis].iter().map(|size| size.max(&1)).product();
        let strides = (0..shape.len()).map(step).collect();
        let tensor = StoredTensor::new(format, shape, bytes)?;
        StoredTensor::strided(format, tensor.shape, strides, 0, &tensor.bytes)
    }

    /// A tensor of any order of its dimensions in a storage that others may share; offset and strides in elements.
    ///
    /// # Errors
    /// What is wrong: it leaves the storage, or two of its elements are the same number.
    pub(crate) fn strided(
        format: NumberFormat,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
        storage: &Bytes,
    ) -> Result<Self, String> {
        let elements = count(&shape)?;
        if strides.len() != shape.len() {
            return Err(format!("{} strides for shape {shape:?}", strides.len()));
        }
        let mut span = usize::from(elements > 0);
        // Each dimension has to step over all that the smaller steps reach.
        let mut steps: Vec<_> = shape.iter().zip(&strides).filter(|(d, _)| **d > 1).collect();
        steps.sort_by_key(|(_, stride)| **stride);
        for (&size, &stride) in steps.iter().copied().filter(|_| elements > 0) {
            if stride < span {
                return Err(format!("strides {strides:?} of shape {shape:?} overlap"));
            }
            span = stride
                .checked_mul(size - 1)
                .and_then(|reach| reach.checked_add(span))
                .ok_or_else(overflow)?;
        }
        let bound = |n: usize| offset.checked_add(n)?.checked_mul(format.size());
        let (start, end) = bound(0).zip(bound(span)).ok_or_else(overflow)?;
        if end > storage.len() {
            return Err(format!(
                "shape {shape:?} with strides {strides:?} ends at byte {end} of a storage of {} bytes",
                storage.len()
            ));
        }
        let is_row_major = span == elements && row_major(&shape, &strides);
        let strides = (!is_row_major).then_some(strides);
        Ok(StoredTensor { format, shape, strides, bytes: storage.slice(start..end) })
    }

    /// Bytes of the file that it spans.
    pub(crate) fn span(&self) -> usize {
        self.bytes.len()
    }

    /// The numbers in row-major order, as the nearest f32.
    pub(crate) fn decode(&self) -> HostTensor {
        let data = self.format.decode(&self.row_major_bytes());
        HostTensor { shape: self.shape.clone(), data }
    }

    /// The bytes of the elements in row-major order.
    pub(crate) fn row_major_bytes(&self) -> Cow<'_, [u8]> {
        match &self.strides {
            None => Cow::Borrowed(&self.bytes),
            Some(strides) => {
                Cow::Owned(gather(&self.bytes, self.format.size(), &self.shape, strides))
            }
        }
    }
}

/// Number of elements, where neither it nor a stride overflows.
fn count(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_RANK {
        return Err(format!("{} dimensions, where at most {MAX_RANK} are read", shape.len()));
    }
    let bound = shape.iter().try_fold(8, |n: usize, &d| n.checked_mul(d.max(1)));
    bound.ok_or_else(overflow)?;
    Ok(shape.iter().product())
}

fn overflow() -> String {
    "sizes that overflow".to_owned()
}

fn row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == expected;
        expected *= size;
        fits
    })
}

/// The elements in row-major order; `strided` has checked that all of them are there.
fn gather(bytes: &[u8], size: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let mut out = Vec::with_capacity(count * size);
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    for _ in 0..count {
        out.extend_from_slice(&bytes[at * size..(at + 1) * size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}
