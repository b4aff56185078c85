//! Memory of dropped tensors, for the next ones.
//!
//! A system's allocator gives large blocks back at once, and every new one costs a page fault for each 4 kB and a pass of
//! zeros: a tenth of the time of a large image. What is kept here is at most what was in use before.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::memory;

/// Values of the smallest block that is kept.
const LEAST: usize = 1 << 12;

/// Values of a block that is given up as soon as a larger one is wanted.
const LARGE: usize = 1 << 18;

/// Values that are kept: a gigabyte, which holds what a step of training at 64 pixels drops at its end.
const MOST: usize = 1 << 28;

/// Blocks are not used for tensors that are smaller than this part of them: a small tensor that lives long would hold
/// a large block.
const PART: usize = 8;

#[derive(Default)]
pub(super) struct Pool(Mutex<Blocks>);

#[derive(Default)]
struct Blocks {
    /// From the smallest to the largest.
    sorted: Vec<Vec<f32>>,
    /// Capacities of all.
    values: usize,
}

impl Pool {
    /// `len` values, zeros or whatever was there.
    pub(super) fn take(&self, len: usize) -> Result<Vec<f32>> {
        if len >= LEAST
            && let Some(mut block) = self.blocks().take(len)
        {
            block.resize(len, 0.0);
            return Ok(block);
        }
        memory::zeros("tensor", len)
    }

    /// Takes a block back.
    pub(super) fn put(&self, block: Vec<f32>) {
        if block.capacity() >= LEAST {
            self.blocks().put(block);
        }
    }

    /// `len` values for a while, zeros or whatever was there. A large image's tensors take what one thread alone would keep.
    pub(super) fn lend(&self, len: usize) -> Lent<'_> {
        let block = self.take(len).unwrap_or_else(|_| vec![0.0; len]);
        Lent { block, pool: self }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A block that the pool gets back.
pub(super) struct Lent<'a> {
    block: Vec<f32>,
    pool: &'a Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.block));
    }
}

impl Deref for Lent<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.block
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.block
    }
}

impl Blocks {
    /// The smallest block that holds `len` values.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        let place = self.place(len);
        if self.sorted.get(place).is_some_and(|block| block.capacity() / PART <= len) {
            let block = self.sorted.remove(place);
            self.values -= block.capacity();
            return Some(block);
        }
        // Images grow from layer to layer; the large ones among the smaller blocks are no use any more.
        let first = self.place(LARGE).min(place);
        self.values -= self.sorted.drain(first..place).map(|block| block.capacity()).sum::<usize>();
        None
    }

    fn put(&mut self, block: Vec<f32>) {
        self.values += block.capacity();
        self.sorted.insert(self.place(block.capacity()), block);
        while self.values > MOST {
            self.values -= self.sorted.remove(0).capacity();
        }
    }

    /// Index of the first block of at least that capacity.
    fn place(&self, capacity: usize) -> usize {
        self.sorted.partition_point(|block| block.capacity() < capacity)
    }
}
