//! Convolution and its two adjoints.

use gan_core::backend::Conv;

use super::View;
use super::reduce::threads;
use crate::device::Cuda;
use crate::driver::{Buffer, File};
use crate::error::{Error, Result};

/// The kernels' struct of that name: always of the forward convolution from `x` by `w` to `y`.
fn geometry(
    op: &'static str,
    conv: Conv,
    x: &[usize],
    w: &[usize],
    y: &[usize],
) -> Result<Vec<u32>> {
    let fields = [
        &[x[0], x[1], x[2], x[3]][..],
        &[w[0], y[2], y[3], w[2], w[3]],
        &conv.stride,
        &conv.padding,
        &[conv.groups],
    ];
    let word = |&n: &usize| match i32::try_from(n) {
        Ok(n) => Ok(n.unsigned_abs()),
        Err(_) => {
            let limit = "strides and paddings below 2^31";
            Err(Error::Unsupported { op, limit, found: n.to_string() })
        }
    };
    // The kernels find places in the padded input with 32 bits.
    for axis in 0..2 {
        let padded = conv.padding[axis].saturating_mul(2).saturating_add(x[2 + axis]);
        if i32::try_from(padded).is_err() {
            let limit = "fewer than 2^31 padded rows and columns";
            return Err(Error::Unsupported { op, limit, found: padded.to_string() });
        }
    }
    fields.concat().iter().map(word).collect()
}

pub(crate) fn conv2d(
    cuda: &Cuda,
    conv: Conv,
    [x, w]: [View<'_>; 2],
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let mut y = cuda.buffer("conv2d", n)?;
    cuda.launch(File::Conv, "conv2d")?
        .read(x.buffer, t, x.len())
        .read(w.buffer, t, w.len())
        .write(&mut y, t, n)
        .count(n)
        .words(geometry("conv2d", conv, x.shape, w.shape, out)?)
        .each(n)?;
    Ok(y)
}

/// The adjoint in `x`.
pub(crate) fn conv_input(
    cuda: &Cuda,
    conv: Conv,
    [g, w]: [View<'_>; 2],
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let mut x = cuda.buffer("conv_transpose2d", n)?;
    cuda.launch(File::Conv, "conv_input")?
        .read(g.buffer, t, g.len())
        .read(w.buffer, t, w.len())
        .write(&mut x, t, n)
        .count(n)
        .words(geometry("conv_transpose2d", conv, out, w.shape, g.shape)?)
        .each(n)?;
    Ok(x)
}

/// The adjoint in `w`: a block adds up the images and pixels of one weight.
pub(crate) fn conv_weight(
    cuda: &Cuda,
    conv: Conv,
    [x, g]: [View<'_>; 2],
    out: &[usize],
) -> Result<Buffer> {
    let (n, t) = (out.iter().product(), cuda.scalar());
    let mut w = cuda.buffer("conv2d_weight", n)?;
    cuda.launch(File::Conv, "conv_weight")?
        .read(x.buffer, t, x.len())
        .read(g.buffer, t, g.len())
        .write(&mut w, t, n)
        .count(n)
        .words(geometry("conv2d_weight", conv, x.shape, out, g.shape)?)
        .blocks(n, threads(g.len() / g.shape[1]))?;
    Ok(w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_input_is_within_the_reach_of_32_bits() {
        let of = |padding, rows| {
            let conv = Conv { stride: [1 << 20, 1], padding, groups: 1 };
            geometry("conv2d", conv, &[1, 1, rows, 1], &[1; 4], &[1, 1, 2048, 1])
        };
        let largest = (1 << 30) - 1;
        assert_eq!(
            of([largest, 0], 1).map(|words| (words.len(), words[11])).ok(),
            Some((14, largest as u32))
        );
        for (padding, rows) in [
            ([largest, 0], 2),
            ([1, 0], i32::MAX as usize),
            ([0, 1 << 30], 1),
            ([usize::MAX; 2], 1),
        ] {
            let error = of(padding, rows).unwrap_err();
            assert!(matches!(error, Error::Unsupported { op: "conv2d", .. }), "{error}");
            assert!(error.to_string().contains("padded"), "{error}");
        }
    }
}
