//! The number formats that files store tensors in.

use std::fmt;

use half::{bf16, f16};

/// How a file stores the numbers of a tensor, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberFormat {
    /// IEEE double precision.
    F64,
    /// IEEE single precision.
    F32,
    /// IEEE half precision, up to 65504.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// A byte that is 0 or 1.
    Bool,
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NumberFormat::F64 => "F64",
            NumberFormat::F32 => "F32",
            NumberFormat::F16 => "F16",
            NumberFormat::Bf16 => "BF16",
            NumberFormat::I64 => "I64",
            NumberFormat::I32 => "I32",
            NumberFormat::I16 => "I16",
            NumberFormat::I8 => "I8",
            NumberFormat::U8 => "U8",
            NumberFormat::Bool => "BOOL",
        })
    }
}

impl NumberFormat {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            NumberFormat::F64 | NumberFormat::I64 => 8,
            NumberFormat::F32 | NumberFormat::I32 => 4,
            NumberFormat::F16 | NumberFormat::Bf16 | NumberFormat::I16 => 2,
            NumberFormat::I8 | NumberFormat::U8 | NumberFormat::Bool => 1,
        }
    }

    /// The numbers as the nearest f32; bytes that are no whole number at the end are ignored.
    pub(super) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        fn map<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks::<N>().0.iter().map(|b| number(*b)).collect()
        }
        match self {
            NumberFormat::F64 => map(bytes, |b| f64::from_le_bytes(b) as f32),
            NumberFormat::F32 => map(bytes, f32::from_le_bytes),
            NumberFormat::F16 => map(bytes, |b| f16::from_le_bytes(b).to_f32()),
            NumberFormat::Bf16 => map(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            NumberFormat::I64 => map(bytes, |b| i64::from_le_bytes(b) as f32),
            NumberFormat::I32 => map(bytes, |b| i32::from_le_bytes(b) as f32),
            NumberFormat::I16 => map(bytes, |b| f32::from(i16::from_le_bytes(b))),
            NumberFormat::I8 => map(bytes, |b| f32::from(i8::from_le_bytes(b))),
            NumberFormat::U8 => map(bytes, |[b]| f32::from(b)),
            NumberFormat::Bool => map(bytes, |[b]| f32::from(b != 0)),
        }
    }

    /// The f32 in this format, rounded to nearest.
    ///
    /// # Errors
    /// The first finite number that is beyond the format's range.
    pub(super) fn encode(self, numbers: &[f32]) -> Result<Vec<u8>, f32> {
        let mut out = Vec::with_capacity(numbers.len() * self.size());
        for &x in numbers {
            match self {
                NumberFormat::F64 => out.extend(f64::from(x).to_le_bytes()),
                NumberFormat::F16 => out.extend(f16::from_f32(x).to_le_bytes()),
                NumberFormat::Bf16 => out.extend(bf16::from_f32(x).to_le_bytes()),
                // Numbers in memory are never kept as integers.
                _ => out.extend(x.to_le_bytes()),
            }
        }
        let overflows = |x: &&f32| match self {
            NumberFormat::F16 => x.is_finite() && f16::from_f32(**x).is_infinite(),
            NumberFormat::Bf16 => x.is_finite() && bf16::from_f32(**x).is_infinite(),
            _ => false,
        };
        match numbers.iter().find(overflows) {
            Some(&x) => Err(x),
            None => Ok(out),
        }
    }

    /// Whether it is one of fractions.
    pub fn is_float(self) -> bool {
        use NumberFormat::{Bf16, F16, F32, F64};
        matches!(self, F64 | F32 | F16 | Bf16)
    }
}
