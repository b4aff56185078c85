//! Typed device memory.

use std::sync::Arc;

use gan_core::backend::DType;
use half::{bf16, f16};

use super::Context;
use super::memory::{Memory, Plain};
use crate::error::{Error, Result};

/// Element types that kernels read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    F32,
    F16,
    BF16,
    /// Indices and words of tables.
    U32,
}

impl Scalar {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Scalar::F32 | Scalar::U32 => 4,
            Scalar::F16 | Scalar::BF16 => 2,
        }
    }

    /// How kernels for it end.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Scalar::F32 => "f32",
            Scalar::F16 => "f16",
            Scalar::BF16 => "bf16",
            Scalar::U32 => "u32",
        }
    }

    pub(crate) fn dtype(self) -> DType {
        match self {
            Scalar::F16 => DType::F16,
            Scalar::BF16 => DType::BF16,
            Scalar::F32 | Scalar::U32 => DType::F32,
        }
    }
}

/// Indices are 32-bit and signed where kernels compute with them, so no buffer has more elements than this.
const MOST_ELEMENTS: usize = i32::MAX as usize;

/// Numbers of one type in device memory.
pub(crate) struct Buffer {
    memory: Arc<Memory>,
    /// Elements of the memory before the first.
    first: usize,
    len: usize,
    scalar: Scalar,
}

impl Buffer {
    /// Room for `len` elements, of no meaning yet.
    pub(crate) fn uninitialized(
        context: &Arc<Context>,
        op: &'static str,
        len: usize,
        scalar: Scalar,
    ) -> Result<Self> {
        check_len(op, len)?;
        let memory = Memory::uninitialized(context, len * scalar.bytes())?;
        Ok(Buffer::whole(memory, len, scalar))
    }

    /// Host values, rounded to `scalar`.
    pub(crate) fn from_f32(context: &Arc<Context>, values: &[f32], scalar: Scalar) -> Result<Self> {
        check_len("upload", values.len())?;
        let memory = match scalar {
            Scalar::F16 => {
                let rounded: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
                Memory::from_slice(context, &rounded)
            }
            Scalar::BF16 => {
                let rounded: Vec<bf16> = values.iter().map(|&x| bf16::from_f32(x)).collect();
                Memory::from_slice(context, &rounded)
            }
            Scalar::F32 | Scalar::U32 => Memory::from_slice(context, values),
        }?;
        Ok(Buffer::whole(memory, values.len(), scalar))
    }

    /// A table of 32-bit words: indices, parts of structs, or, where `scalar` says so, the bits of floats.
    pub(crate) fn from_words(
        context: &Arc<Context>,
        words: &[u32],
        scalar: Scalar,
    ) -> Result<Self> {
        check_len("upload", words.len())?;
        let memory = Memory::from_slice(context, words)?;
        Ok(Buffer::whole(memory, words.len() * 4 / scalar.bytes(), scalar))
    }

    fn whole(memory: Memory, len: usize, scalar: Scalar) -> Self {
        Buffer { memory: Arc::new(memory), first: 0, len, scalar }
    }

    /// `len` of its elements from `start` on, in the same memory. Nobody writes to it any more: kernels write to buffers
    /// that were made for them.
    pub(crate) fn part(&self, start: usize, len: usize) -> Self {
        let end = start.checked_add(len);
        assert!(end.is_some_and(|end| end <= self.len), "a part within the buffer");
        Buffer { memory: Arc::clone(&self.memory), first: self.first + start, len, ..*self }
    }

    /// The values, on the host.
    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        match self.scalar {
            Scalar::F16 => Ok(self.to_vec::<f16>()?.into_iter().map(f16::to_f32).collect()),
            Scalar::BF16 => Ok(self.to_vec::<bf16>()?.into_iter().map(bf16::to_f32).collect()),
            Scalar::F32 | Scalar::U32 => self.to_vec::<f32>(),
        }
    }

    fn to_vec<T: Plain>(&self) -> Result<Vec<T>> {
        self.memory.to_vec(self.first, self.len)
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        self.memory.context()
    }

    pub(crate) fn pointer(&self) -> u64 {
        self.memory.pointer() + (self.first * self.scalar.bytes()) as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len * self.scalar.bytes()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn scalar(&self) -> Scalar {
        self.scalar
    }
}

fn check_len(op: &'static str, len: usize) -> Result<()> {
    if len <= MOST_ELEMENTS {
        return Ok(());
    }
    let limit = "tensors of fewer than 2^31 elements";
    Err(Error::Unsupported { op, limit, found: format!("{len} elements") })
}
