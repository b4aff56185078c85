//! Sums and maxima over axes.

use super::View;
use super::strided::{Strided, strides};
use crate::device::Cuda;
use crate::driver::{Buffer, File};
use crate::error::Result;

/// Reductions this short are done by one thread each.
const FEW: usize = 32;

/// Which reduction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    Sum,
    Max,
}

pub(crate) fn reduce(cuda: &Cuda, op: Reduction, x: View<'_>, axes: &[usize]) -> Result<Buffer> {
    let own = strides(x.shape);
    let along = |reduced: bool| {
        let axes = (0..x.shape.len()).filter(move |d| axes.contains(d) == reduced);
        Strided::new(axes.map(|d| (x.shape[d], own[d])))
    };
    let (kept, reduced) = (along(false), along(true));
    let len: usize =
        x.shape.iter().enumerate().filter(|(d, _)| axes.contains(d)).map(|(_, &s)| s).product();
    let (n, t) = (x.len() / len, cuda.scalar());
    let (name, kernel, kernel_few) = match op {
        Reduction::Sum => ("sum", "sum", "sum_few"),
        Reduction::Max => ("max", "max", "max_few"),
    };
    let mut y = cuda.buffer(name, n)?;
    let launch = cuda
        .launch(File::Reduce, if len <= FEW { kernel_few } else { kernel })?
        .read(x.buffer, t, kept.extent() + reduced.extent() - 1)
        .write(&mut y, t, n)
        .count(n)
        .count(len)
        .words(kept.words(name)?)
        .words(reduced.words(name)?);
    if len <= FEW { launch.each(n) } else { launch.blocks(n, threads(len)) }?;
    Ok(y)
}

/// Threads of a block that adds up `len` numbers: each should have several.
pub(super) fn threads(len: usize) -> u32 {
    match len {
        0..=64 => 32,
        65..=256 => 64,
        257..=1024 => 128,
        _ => 256,
    }
}
