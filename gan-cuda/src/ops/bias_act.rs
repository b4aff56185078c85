//! Bias, noise, demodulation, activation, gain and clamp in one pass.

use gan_core::backend::{Activation, BiasAct};
use half::{bf16, f16};

use super::View;
use super::elementwise::Cast;
use crate::device::Cuda;
use crate::driver::{Buffer, File, Scalar};
use crate::error::Result;

/// What the kernel applies before the activation, besides the bias; always in `f32`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Before<'a> {
    /// `[images, channels]`
    pub(crate) demod: Option<View<'a>>,
    /// `[images or 1, 1, h, w]`
    pub(crate) noise: Option<View<'a>>,
    /// `[channels]`
    pub(crate) bias: Option<View<'a>>,
}

/// `clamp(gain * act(demod * x + noise + bias))`, with `x` seen as `[images, channels, inner]` around `op.axis`.
pub(crate) fn bias_act(
    cuda: &Cuda,
    op: &BiasAct,
    x: View<'_>,
    before: Before<'_>,
) -> Result<Buffer> {
    let (n, t) = (x.len(), cuda.scalar());
    let per_channel = before.bias.is_some() || before.demod.is_some() || before.noise.is_some();
    // Without an operand along the axis there need not be one.
    let (channels, inner) = match x.shape.get(op.axis) {
        Some(&channels) if per_channel => (channels, x.shape[op.axis + 1..].iter().product()),
        _ => (1, n),
    };
    // One noise for all images is read with no distance between them.
    let noise_stride = match before.noise {
        Some(noise) if noise.shape.first() != Some(&1) => inner,
        _ => 0,
    };
    let images = n / (channels * inner);
    let noise_len = if noise_stride == 0 { inner } else { images * inner };
    let (bias, noise, demod) =
        (single(cuda, before.bias)?, single(cuda, before.noise)?, single(cuda, before.demod)?);
    let mut y = cuda.buffer("bias_act", n)?;
    cuda.launch(File::BiasAct, "bias_act")?
        .read(x.buffer, t, n)
        .read_optional(bias.as_ref().map(Cast::buffer), Scalar::F32, channels)
        .read_optional(noise.as_ref().map(Cast::buffer), Scalar::F32, noise_len)
        .read_optional(demod.as_ref().map(Cast::buffer), Scalar::F32, images * channels)
        .write(&mut y, t, n)
        .count(n)
        .count(channels)
        .count(inner)
        .count(noise_stride)
        .code(code(op.act))
        .float(op.alpha)
        .float(op.gain)
        .float(bound(op, t))
        .each(n)?;
    Ok(y)
}

/// The operand in `f32`.
fn single<'a>(cuda: &Cuda, view: Option<View<'a>>) -> Result<Option<Cast<'a>>> {
    view.map(|view| Cast::to(cuda, view.buffer, Scalar::F32)).transpose()
}

/// The bound as a result can hold it, so that a result at the bound is known as one; NaN, which bounds nothing, for none.
fn bound(op: &BiasAct, stored: Scalar) -> f64 {
    op.clamp.map_or(f64::NAN, |bound| match stored {
        Scalar::F16 => f16::from_f64(bound).to_f64(),
        Scalar::BF16 => bf16::from_f64(bound).to_f64(),
        Scalar::F32 | Scalar::U32 => f64::from(bound as f32),
    })
}

/// Whether the derivative shows in the result, as the kernel needs it.
pub(crate) fn has_grad(op: &BiasAct) -> bool {
    matches!(op.act, Activation::Linear | Activation::Relu | Activation::Lrelu)
}

/// From the gradient `g` at the result `y` to that at `x`.
pub(crate) fn bias_act_grad(cuda: &Cuda, op: &BiasAct, [g, y]: [View<'_>; 2]) -> Result<Buffer> {
    let (n, t) = (g.len(), cuda.scalar());
    let mut dx = cuda.buffer("bias_act_grad", n)?;
    cuda.launch(File::BiasAct, "bias_act_grad")?
        .read(g.buffer, t, n)
        .read(y.buffer, t, n)
        .write(&mut dx, t, n)
        .count(n)
        .code(code(op.act))
        .float(op.alpha)
        .float(op.gain)
        .float(bound(op, t))
        .each(n)?;
    Ok(dx)
}

fn code(act: Activation) -> u32 {
    match act {
        Activation::Linear => 0,
        Activation::Relu => 1,
        Activation::Lrelu => 2,
        Activation::Tanh => 3,
        Activation::Sigmoid => 4,
        Activation::Elu => 5,
        Activation::Selu => 6,
        Activation::Softplus => 7,
        Activation::Swish => 8,
    }
}
