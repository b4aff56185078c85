//! Copies that change the shape.

use super::View;
use super::strided::{Strided, strides};
use crate::device::Cuda;
use crate::driver::{Buffer, File, Scalar};
use crate::error::Result;

/// Repeats axes of size 1.
pub(crate) fn expand(cuda: &Cuda, x: View<'_>, out: &[usize]) -> Result<Buffer> {
    copy(cuda, "expand", x, 0, &Strided::broadcast(x.shape, out), out)
}

/// Axis `i` of the result is axis `axes[i]` of the argument.
pub(crate) fn permute(cuda: &Cuda, x: View<'_>, axes: &[usize], out: &[usize]) -> Result<Buffer> {
    let own = strides(x.shape);
    let at = Strided::new(axes.iter().map(|&axis| (x.shape[axis], own[axis])));
    copy(cuda, "permute", x, 0, &at, out)
}

/// Entries from `start` along `axis`.
pub(crate) fn slice(
    cuda: &Cuda,
    x: View<'_>,
    axis: usize,
    start: usize,
    out: &[usize],
) -> Result<Buffer> {
    let own = strides(x.shape);
    let at = Strided::new(out.iter().copied().zip(own.iter().copied()));
    copy(cuda, "slice", x, start * own[axis], &at, out)
}

fn copy(
    cuda: &Cuda,
    op: &'static str,
    x: View<'_>,
    offset: usize,
    at: &Strided,
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let mut y = cuda.buffer(op, n)?;
    cuda.launch(File::Shape, "strided_copy")?
        .read(x.buffer, t, offset + at.extent())
        .write(&mut y, t, n)
        .count(n)
        .count(offset)
        .words(at.words(op)?)
        .each(n)?;
    Ok(y)
}

/// Zeros around the argument along `axis`, which starts at entry `before` of the result.
pub(crate) fn pad(
    cuda: &Cuda,
    x: View<'_>,
    axis: usize,
    before: usize,
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let mut y = cuda.buffer("pad", n)?;
    cuda.launch(File::Shape, "pad")?
        .read(x.buffer, t, x.len())
        .write(&mut y, t, n)
        .count(n)
        .count(inner(out, axis))
        .count(before)
        .count(x.shape[axis])
        .count(out[axis])
        .each(n)?;
    Ok(y)
}

/// Arguments one after the other along `axis`, a launch each.
pub(crate) fn concat(cuda: &Cuda, args: &[View<'_>], axis: usize, out: &[usize]) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let mut y = cuda.buffer("concat", n)?;
    let mut before = 0;
    for x in args {
        cuda.launch(File::Shape, "concat_part")?
            .read(x.buffer, t, x.len())
            .write(&mut y, t, n)
            .count(x.len())
            .count(inner(out, axis))
            .count(before)
            .count(x.shape[axis])
            .count(out[axis])
            .each(x.len())?;
        before += x.shape[axis];
    }
    Ok(y)
}

/// Entries `index` along `axis`.
pub(crate) fn gather(
    cuda: &Cuda,
    x: View<'_>,
    axis: usize,
    index: &[usize],
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let table = cuda.constant(words(index), Scalar::U32)?;
    let mut y = cuda.buffer("gather", n)?;
    cuda.launch(File::Shape, "gather")?
        .read(x.buffer, t, x.len())
        .read(&table, Scalar::U32, index.len())
        .write(&mut y, t, n)
        .count(n)
        .count(inner(out, axis))
        .count(x.shape[axis])
        .count(index.len())
        .each(n)?;
    Ok(y)
}

/// The adjoint of [`gather`]. Each result adds up the entries of its own list, so that the order of summation is fixed.
pub(crate) fn scatter_add(
    cuda: &Cuda,
    x: View<'_>,
    axis: usize,
    index: &[usize],
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    // First, as it refuses a result that is too large for the lists as well.
    let mut y = cuda.buffer("scatter_add", n)?;
    let (start, entries) = lists(index, out[axis]);
    let start = cuda.constant(words(&start), Scalar::U32)?;
    let entries = cuda.constant(words(&entries), Scalar::U32)?;
    cuda.launch(File::Shape, "scatter_add")?
        .read(x.buffer, t, x.len())
        .read(&start, Scalar::U32, out[axis] + 1)
        .read(&entries, Scalar::U32, index.len())
        .write(&mut y, t, n)
        .count(n)
        .count(inner(out, axis))
        .count(index.len())
        .count(out[axis])
        .each(n)?;
    Ok(y)
}

/// For each of `len` targets the places of `index` that hold it, ascending, one list after the other; and where each
/// list starts.
fn lists(index: &[usize], len: usize) -> (Vec<usize>, Vec<usize>) {
    let mut entries: Vec<usize> = (0..index.len()).collect();
    entries.sort_by_key(|&e| index[e]);
    let start = (0..=len).map(|k| entries.partition_point(|&e| index[e] < k)).collect();
    (start, entries)
}

/// Indices fit: they are below the length of an axis, and no tensor has more than 2^31 elements.
fn words(indices: &[usize]) -> Vec<u32> {
    indices.iter().map(|&i| u32::try_from(i).unwrap_or(u32::MAX)).collect()
}

/// Elements of one entry along `axis`.
fn inner(shape: &[usize], axis: usize) -> usize {
    shape[axis + 1..].iter().product()
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn each_target_has_a_list_of_its_places() {
        let (start, entries) = lists(&[1, 0, 0, 3, 1], 4);
        assert_eq!(entries, [1, 2, 0, 4, 3]);
        assert_eq!(start, [0, 2, 4, 4, 5]);
    }
}
