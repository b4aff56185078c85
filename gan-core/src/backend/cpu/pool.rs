//! Memory of dropped tensors, for the next ones.
//!
//! A system's allocator gives large blocks back at once, and every new one costs a page fault for each 4 kB and a pass of
//! zeros: a tenth of the time of a large image. What is kept here is at most what was in use before.

use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::memory;

/// Values of the smallest block that is kept.
const LEAST: usize = 1 << 18;

/// Values that are kept: a gigabyte, which holds what a step of training at 64 pixels drops at its end.
const MOST: usize = 1 << 28;

/// Blocks are not used for tensors that are smaller than this part of them: a small tensor that lives long would hold
/// a large block.
const PART: usize = 8;

#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Vec<f32>>>);

impl Pool {
    /// `len` values, zeros or whatever was there.
    pub(super) fn take(&self, len: usize) -> Result<Vec<f32>> {
        if len >= LEAST {
            let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = |block: &Vec<f32>| block.capacity() >= len && block.capacity() / PART <= len;
            let best = (0..blocks.len())
                .filter(|&i| fits(&blocks[i]))
                .min_by_key(|&i| blocks[i].capacity());
            if let Some(best) = best {
                let mut block = blocks.swap_remove(best);
                block.resize(len, 0.0);
                return Ok(block);
            }
            // Images grow from layer to layer; smaller blocks are no use any more.
            blocks.retain(|block| block.capacity() >= len);
        }
        memory::zeros("tensor", len)
    }

    /// Takes a block back.
    pub(super) fn put(&self, block: Vec<f32>) {
        if block.capacity() < LEAST {
            return;
        }
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.push(block);
        blocks.sort_unstable_by_key(|block| std::cmp::Reverse(block.capacity()));
        let mut kept = 0;
        blocks.retain(|block| {
            kept += block.capacity();
            kept <= MOST
        });
    }
}
