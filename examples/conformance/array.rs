//! Arrays in host memory, wide enough for whatever a golden file holds.

use ndarray::{ArrayD, IxDyn};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// The elements of an array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floating-point numbers.
    Floats(Vec<f64>),
    /// Whole numbers, which must be met exactly.
    Integers(Vec<i64>),
}

/// An array of any rank; scalars and empty arrays included.
#[derive(Clone, Debug, PartialEq)]
pub struct HostArray {
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: Values,
}

impl HostArray {
    /// Copies a tensor out of a file; `None` for element types that golden files do not have.
    pub(super) fn read(view: &TensorView<'_>) -> Option<Self> {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Values::Floats(elements(data, |b| f32::from_le_bytes(b).into())),
            Dtype::F64 => Values::Floats(elements(data, f64::from_le_bytes)),
            Dtype::I64 => Values::Integers(elements(data, i64::from_le_bytes)),
            Dtype::I32 => Values::Integers(elements(data, |b| i32::from_le_bytes(b).into())),
            Dtype::U8 | Dtype::BOOL => Values::Integers(elements(data, |[b]: [u8; 1]| b.into())),
            _ => return None,
        };
        Some(HostArray { shape: view.shape().to_vec(), values })
    }

    /// A vector of whole numbers.
    pub fn integers(values: impl IntoIterator<Item = i64>) -> Self {
        let values: Vec<i64> = values.into_iter().collect();
        HostArray { shape: vec![values.len()], values: Values::Integers(values) }
    }

    /// The characters of a text.
    pub fn text(text: &str) -> Self {
        Self::integers(text.chars().map(|c| u32::from(c).into()))
    }

    /// An array of floating-point numbers.
    pub fn floats(values: Vec<f64>, shape: &[usize]) -> Self {
        HostArray { shape: shape.to_vec(), values: Values::Floats(values) }
    }

    /// Its elements, if they are floating-point numbers.
    pub fn as_floats(&self) -> Option<&[f64]> {
        match &self.values {
            Values::Floats(values) => Some(values),
            Values::Integers(_) => None,
        }
    }

    /// Its floating-point numbers as an array of `ndarray`.
    pub fn to_ndarray(&self) -> Option<ArrayD<f64>> {
        ArrayD::from_shape_vec(IxDyn(&self.shape), self.as_floats()?.to_vec()).ok()
    }

    /// For messages.
    pub fn describe(&self) -> String {
        let what = match self.values {
            Values::Floats(_) => "floats",
            Values::Integers(_) => "integers",
        };
        format!("{what} {:?}", self.shape)
    }
}

fn elements<T, const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|&bytes| read(bytes)).collect()
}
