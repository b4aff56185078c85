//! What the discriminators of several networks share.

mod epilogue;
mod growing;
mod label_head;

pub(super) use epilogue::{Epilogue, EpilogueOptions};
pub(super) use growing::{Growing, GrowingOptions, Halving};
pub(super) use label_head::LabelHead;

use crate::error::{Error, Result};
use crate::nn::Params;
use crate::tensor::Tensor;

/// The most blocks that a discriminator has: far more than images have sizes.
const MOST_BLOCKS: usize = 16;

/// The k-th block from the last: 0 is `b4`, 1 is `b8`.
fn block_name(k: usize) -> String {
    format!("b{}", 4usize << k.min(MOST_BLOCKS))
}

/// The names of the blocks before `b4`, from the first to `b8`. One without any tensors ends the search, so that what
/// lies above it is superfluous.
pub(super) fn block_names(params: &Params, prefix: &str) -> Vec<String> {
    let names = (1..MOST_BLOCKS).map(block_name);
    let mut names: Vec<String> =
        names.take_while(|name| params.has_layer(&format!("{prefix}{name}"))).collect();
    names.reverse();
    names
}

/// Checks images against their shape `[colours, height, width]`.
pub(super) fn check_images(images: &Tensor, expected: [usize; 3]) -> Result<()> {
    let [_, shape @ ..] = images.dims4("discriminator")?;
    if shape == expected {
        return Ok(());
    }
    let [c, h, w] = expected;
    Err(Error::shape("discriminator", format!("images [n, {c}, {h}, {w}]"), images.shape()))
}
