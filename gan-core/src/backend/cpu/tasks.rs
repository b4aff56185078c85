//! How work is cut into tasks, and what threads keep from one to the next.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::thread::LocalKey;

/// Multiply-adds that are worth a thread of their own: a tenth of a millisecond, about as long as it takes in a virtual machine to
/// wake a thread of the pool, which wakes another.
const WORTH: usize = 1 << 22;

/// How many of `tasks`, which take so many multiply-adds together, a thread must find to be worth waking; for
/// `with_min_len` of a parallel iterator. Little work stays on the thread that has it.
pub(super) fn at_once(tasks: usize, multiply_adds: usize) -> usize {
    let one = (multiply_adds / tasks.max(1)).max(1);
    WORTH.div_ceil(one).min(tasks).max(1)
}

/// How many of `rows` a task takes where all threads are to have some, in whole bands of `mr`. Results must not depend on it.
pub(super) fn rows_at_once(rows: usize, mr: usize, most: usize) -> usize {
    rows.div_ceil(2 * rayon::current_num_threads()).next_multiple_of(mr).min(most)
}

/// The first `len` values of a buffer, which grows if need be and never shrinks: they are arbitrary.
pub(super) fn first(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Buffers that a thread keeps when it is done with them.
pub(super) struct Kept<T: Default + 'static> {
    value: T,
    home: &'static LocalKey<Cell<T>>,
}

impl<T: Default> Kept<T> {
    /// What this thread left there last. Values in it are arbitrary.
    pub(super) fn of(home: &'static LocalKey<Cell<T>>) -> Self {
        Kept { value: home.take(), home }
    }
}

impl<T: Default> Drop for Kept<T> {
    fn drop(&mut self) {
        let value = std::mem::take(&mut self.value);
        // A thread that ends has no use for it.
        let _ = self.home.try_with(|home| home.set(value));
    }
}

impl<T: Default> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
