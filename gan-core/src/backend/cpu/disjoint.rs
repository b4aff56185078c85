//! Writing one buffer from many threads, each thread to ranges of its own.

#![allow(unsafe_code)]

use std::marker::PhantomData;

/// A buffer that several threads write at once.
///
/// Convolutions cut their output into tiles of rows and columns in every channel: no chain of `split_at_mut`
/// describes that.
pub(super) struct Disjoint<'a> {
    start: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is only used through `range`, whose callers promise not to overlap.
unsafe impl Sync for Disjoint<'_> {}

impl<'a> Disjoint<'a> {
    pub(super) fn new(buffer: &'a mut [f32]) -> Self {
        Disjoint { start: buffer.as_mut_ptr(), len: buffer.len(), borrow: PhantomData }
    }

    /// `len` values from `start`.
    ///
    /// # Safety
    /// No other range that overlaps this one is alive.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn range(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(
            start.checked_add(len).is_some_and(|end| end <= self.len),
            "range outside of buffer"
        );
        // SAFETY: inside the buffer, which is borrowed for 'a; no overlap, says the caller.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
