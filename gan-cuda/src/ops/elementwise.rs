//! Functions of one or more values at the same place.

use gan_core::backend::{Binary, Unary};

use super::View;
use super::strided::Strided;
use crate::device::Cuda;
use crate::driver::{Buffer, File, Scalar};
use crate::error::Result;

pub(crate) fn unary(cuda: &Cuda, op: Unary, x: View<'_>) -> Result<Buffer> {
    let (code, mul, add) = match op {
        Unary::Neg => (0, 0.0, 0.0),
        Unary::Recip => (1, 0.0, 0.0),
        Unary::Exp => (2, 0.0, 0.0),
        Unary::Ln => (3, 0.0, 0.0),
        Unary::Sqrt => (4, 0.0, 0.0),
        Unary::Tanh => (5, 0.0, 0.0),
        Unary::Sigmoid => (6, 0.0, 0.0),
        Unary::Softplus => (7, 0.0, 0.0),
        Unary::Step => (8, 0.0, 0.0),
        Unary::Affine { mul, add } => (9, mul, add),
    };
    let (n, t) = (x.len(), cuda.scalar());
    let mut y = cuda.buffer("unary", n)?;
    let launch = cuda.launch(File::Elementwise, "unary")?;
    launch
        .read(x.buffer, t, n)
        .write(&mut y, t, n)
        .count(n)
        .code(code)
        .float(mul)
        .float(add)
        .each(n)?;
    Ok(y)
}

pub(crate) fn binary(
    cuda: &Cuda,
    op: Binary,
    [a, b]: [View<'_>; 2],
    out: &[usize],
) -> Result<Buffer> {
    let code = match op {
        Binary::Add => 0,
        Binary::Sub => 1,
        Binary::Mul => 2,
        Binary::Div => 3,
        Binary::Equal => 4,
    };
    let (n, t) = (out.iter().product(), cuda.scalar());
    let (a_at, b_at) = (Strided::broadcast(a.shape, out), Strided::broadcast(b.shape, out));
    let mut y = cuda.buffer("binary", n)?;
    cuda.launch(File::Elementwise, "binary")?
        .read(a.buffer, t, a_at.extent())
        .read(b.buffer, t, b_at.extent())
        .write(&mut y, t, n)
        .count(n)
        .code(code)
        .words(a_at.words("binary")?)
        .words(b_at.words("binary")?)
        .each(n)?;
    Ok(y)
}

pub(crate) fn select(cuda: &Cuda, [mask, a, b]: [View<'_>; 3]) -> Result<Buffer> {
    let (n, t) = (mask.len(), cuda.scalar());
    let mut y = cuda.buffer("select", n)?;
    cuda.launch(File::Elementwise, "select")?
        .read(mask.buffer, t, n)
        .read(a.buffer, t, n)
        .read(b.buffer, t, n)
        .write(&mut y, t, n)
        .count(n)
        .each(n)?;
    Ok(y)
}

/// The same values in another type.
pub(crate) fn cast(cuda: &Cuda, x: &Buffer, to: Scalar) -> Result<Buffer> {
    let (n, from) = (x.len(), x.scalar());
    let mut y = Buffer::uninitialized(x.context(), "cast", n, to)?;
    let name = format!("cast_{}_{}", from.suffix(), to.suffix());
    cuda.launch_named(File::Cast, &name)?.read(x, from, n).write(&mut y, to, n).count(n).each(n)?;
    Ok(y)
}

/// A buffer as it is, or a copy in another type.
pub(crate) enum Cast<'a> {
    Same(&'a Buffer),
    Copy(Buffer),
}

impl<'a> Cast<'a> {
    pub(crate) fn to(cuda: &Cuda, x: &'a Buffer, to: Scalar) -> Result<Self> {
        if x.scalar() == to { Ok(Cast::Same(x)) } else { Ok(Cast::Copy(cast(cuda, x, to)?)) }
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        match self {
            Cast::Same(buffer) => buffer,
            Cast::Copy(buffer) => buffer,
        }
    }
}
