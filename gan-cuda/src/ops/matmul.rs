//! Products of batches of matrices.

use super::View;
use crate::device::Cuda;
use crate::driver::{Buffer, File};
use crate::error::Result;

/// Rows and columns of a block's tile.
const TILE: usize = 16;

pub(crate) fn matmul(
    cuda: &Cuda,
    [a, b]: [View<'_>; 2],
    trans_a: bool,
    trans_b: bool,
    out: &[usize],
) -> Result<Buffer> {
    let (batch, m, n) = (out[0], out[1], out[2]);
    let depth = if trans_a { a.shape[1] } else { a.shape[2] };
    let t = cuda.scalar();
    let mut y = cuda.buffer("matmul", batch * m * n)?;
    cuda.launch(File::Matmul, "matmul")?
        .read(a.buffer, t, batch * m * depth)
        .read(b.buffer, t, batch * depth * n)
        .write(&mut y, t, batch * m * n)
        .count(batch)
        .count(m)
        .count(n)
        .count(depth)
        .code(u32::from(trans_a))
        .code(u32::from(trans_b))
        .blocks(batch * m.div_ceil(TILE) * n.div_ceil(TILE), 256)?;
    Ok(y)
}
