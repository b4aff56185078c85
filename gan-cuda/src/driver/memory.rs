//! Device memory, freed on the stream when its last owner drops it.

use std::mem::size_of_val;
use std::sync::Arc;

use cudarc::driver::result;
use cudarc::driver::sys;

use super::Context;
use crate::error::{Error, Result};

/// Some bytes of a device.
pub(crate) struct Memory {
    context: Arc<Context>,
    pointer: sys::CUdeviceptr,
    bytes: usize,
}

/// Types whose bytes may travel to and from a device: plain numbers without padding, for which every bit pattern is valid.
///
/// # Safety
/// The type must be such.
pub(crate) unsafe trait Plain: Copy + Default {}
// SAFETY: a plain number.
unsafe impl Plain for u32 {}
// SAFETY: a plain number.
unsafe impl Plain for f32 {}
// SAFETY: a plain number in 16 bits.
unsafe impl Plain for half::f16 {}
// SAFETY: a plain number in 16 bits.
unsafe impl Plain for half::bf16 {}

impl Memory {
    /// Memory whose values are of no meaning yet.
    pub(crate) fn uninitialized(context: &Arc<Context>, bytes: usize) -> Result<Self> {
        context.bind()?;
        let pointer = match allocate(context, bytes) {
            // The pool's reserve may be in pieces that are too small, and work under way may still hold memory.
            Err(Error::OutOfMemory { .. }) => {
                context.synchronize("waiting for memory")?;
                trim(context)?;
                allocate(context, bytes)?
            }
            allocated => allocated?,
        };
        Ok(Memory { context: Arc::clone(context), pointer, bytes })
    }

    /// A copy of host values.
    pub(crate) fn from_slice<T: Plain>(context: &Arc<Context>, values: &[T]) -> Result<Self> {
        let memory = Self::uninitialized(context, size_of_val(values))?;
        // SAFETY: the memory is as long as the slice, and the slice is not touched before the copy is complete, since
        // this function waits for it.
        let copied = unsafe { result::memcpy_htod_async(memory.pointer, values, context.stream) };
        context.check("cuMemcpyHtoDAsync", copied)?;
        context.synchronize("a copy to the device")?;
        Ok(memory)
    }

    /// A copy on the host of `len` values from the `first` on.
    pub(crate) fn to_vec<T: Plain>(&self, first: usize, len: usize) -> Result<Vec<T>> {
        let end = first.checked_add(len).and_then(|end| end.checked_mul(size_of::<T>()));
        assert!(end.is_some_and(|end| end <= self.bytes), "values within the memory");
        let from = self.pointer + (first * size_of::<T>()) as u64;
        let mut values = Vec::new();
        values.try_reserve_exact(len).map_err(|_| Error::Unsupported {
            op: "download",
            limit: "values that fit into the host's memory",
            found: format!("{} bytes", len * size_of::<T>()),
        })?;
        values.resize(len, T::default());
        self.context.bind()?;
        // SAFETY: the vector is no longer than the memory from there on, any bytes are values of T, and the vector is not touched
        // before the copy is complete, since this function waits for it.
        let copied = unsafe { result::memcpy_dtoh_async(&mut values, from, self.context.stream) };
        self.context.check("cuMemcpyDtoHAsync", copied)?;
        self.context.synchronize("a copy from the device")?;
        Ok(values)
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(crate) fn pointer(&self) -> u64 {
        self.pointer
    }
}

impl Drop for Memory {
    /// Ordered after all work that was launched before. A device that failed has lost the memory anyway, and nobody is
    /// left to tell about other failures.
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: allocated once on this stream, and dropped once.
            let _ = unsafe { result::free_async(self.pointer, self.context.stream) };
        }
    }
}

fn allocate(context: &Context, bytes: usize) -> Result<sys::CUdeviceptr> {
    // The driver refuses empty allocations; no tensor is empty, but a table may be.
    // SAFETY: the stream lives as long as the context; the memory is used on it alone.
    let allocated = unsafe { result::malloc_async(context.stream, bytes.max(1)) };
    match allocated {
        Err(e) if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            let (free, total) = context.memory_info()?;
            Err(Error::OutOfMemory { device: context.name(), wanted: bytes, free, total })
        }
        allocated => context.check("cuMemAllocAsync", allocated),
    }
}

fn trim(context: &Context) -> Result<()> {
    // SAFETY: the pool is the device's own and lives as long as that.
    context.check("cuMemPoolTrimTo", unsafe { result::mem_pool::trim_to(context.pool, 0) })
}
