//! Backward passes of the fused primitives, of first order.

use crate::backend::{Activation, BiasAct, Prim, StyledArgs, StyledConv};
use crate::error::Result;
use crate::tensor::Tensor;
use crate::tensor::composite::per_channel;

/// Whether there is a backward pass of first order that needs only the arguments and the result.
pub(super) fn has_rule(prim: &Prim) -> bool {
    match prim {
        Prim::BiasAct(op) => shows_derivative(op),
        Prim::StyledConv(op) => shows_derivative(&op.act),
        _ => false,
    }
}

/// Whether the sign of the result tells the derivative.
fn shows_derivative(op: &BiasAct) -> bool {
    let signed = match op.act {
        Activation::Linear | Activation::Relu => true,
        Activation::Lrelu => op.alpha > 0.0,
        _ => false,
    };
    signed && op.gain > 0.0
}

/// Gradients of [`BiasAct`] from its result.
pub(super) fn bias_act(
    op: &BiasAct,
    args: &[Tensor],
    out: &Tensor,
    g: &Tensor,
    need: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let dx = Tensor::apply(Prim::BiasActGrad(*op), &[g, out])?;
    let mut gradients = Vec::with_capacity(2);
    if let Some(bias) = args.get(1) {
        let others: Vec<usize> = (0..dx.shape().len()).filter(|&d| d != op.axis).collect();
        gradients.push(need[1].then(|| dx.sum(&others)?.reshape(bias.shape())).transpose()?);
    }
    gradients.insert(0, Some(dx));
    Ok(gradients)
}

/// Gradients of [`StyledConv`], each computed only if it is needed.
///
/// With the bias, the noise and the demodulation, the value before the activation is what the result shows, since nothing but
/// the arguments and the result is kept.
pub(super) fn styled_conv(
    op: &StyledConv,
    args: &[Tensor],
    out: &Tensor,
    g: &Tensor,
    need: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let refs: Vec<&Tensor> = args.iter().collect();
    let (a, wanted) = (op.unpack(&refs), op.unpack(need));
    let kernel = a.weight.shape()[2];
    let conv = op.conv(kernel);
    let upper = g;
    // Before the demodulation.
    let g = match a.demod {
        None => Tensor::apply(Prim::BiasActGrad(op.act), &[g, out])?,
        Some(d) => Tensor::apply(Prim::DemodulatedActGrad(op.act), &[g, out, d])?,
    };

    let mut tail = Vec::new();
    if let Some(d) = a.demod {
        tail.push(match wanted.demod {
            Some(true) => Some(demodulation(op, a, d, [upper, out, &g])?),
            _ => None,
        });
    }
    // The others lie behind the demodulation.
    let behind = |sums: Tensor| a.demod.map_or(Ok(sums.clone()), |d| sums.div(d));
    if let Some(noise) = a.noise {
        let sum = || match a.demod {
            None => g.sum_to(noise.shape()),
            Some(d) => g.div(&per_channel(d)?)?.sum_to(noise.shape()),
        };
        tail.push(if wanted.noise == Some(true) { Some(sum()?) } else { None });
    }
    if let Some(bias) = a.bias {
        let sum = || behind(pixel_sums(&g)?)?.sum(&[0])?.reshape(bias.shape());
        tail.push(if wanted.bias == Some(true) { Some(sum()?) } else { None });
    }

    let mut head = vec![None; 3];
    if wanted.x || wanted.style || wanted.weight {
        let mut g = g;
        let [_, _, h, w] = a.x.dims4("styled_conv")?;
        let style = per_channel(a.style)?;
        if let Some(fir) = op.fir(kernel) {
            g = g.upfirdn2d(&fir.adjoint([2 * h + kernel - 2, 2 * w + kernel - 2]))?;
        }
        if wanted.weight {
            let x = a.x.mul(&style)?;
            let prim = Prim::ConvWeight(conv, [kernel, kernel]);
            head[1] = Some(match op.up {
                None => Tensor::apply(prim, &[&x, &g])?,
                Some(_) => Tensor::apply(prim, &[&g, &x])?,
            });
        }
        if wanted.x || wanted.style {
            let dx = match op.up {
                None => g.conv_transpose2d(a.weight, conv, [h, w])?,
                Some(_) => g.conv2d(a.weight, conv)?,
            };
            if wanted.style {
                head[2] = Some(Tensor::apply(Prim::SumProduct, &[a.x, &dx])?);
            }
            if wanted.x {
                head[0] = Some(dx.mul(&style)?);
            }
        }
    }
    head.append(&mut tail);
    Ok(head)
}

/// The gradient in the demodulation `d`, from the gradient at the result, the result, and the gradient before `d`.
///
/// The sum of the gradient times what `d` multiplied: that is, times what went into the activation, without noise and bias. A
/// leaky ReLU's gradient times what went in equals that at its result times what came out.
fn demodulation(
    op: &StyledConv,
    a: StyledArgs<&Tensor>,
    d: &Tensor,
    [upper, out, g]: [&Tensor; 3],
) -> Result<Tensor> {
    // A clamped value's gradient is zero.
    let clamp = BiasAct { act: Activation::Linear, gain: 1.0, ..op.act };
    let upper = match op.act.clamp {
        None => upper.clone(),
        Some(_) => Tensor::apply(Prim::BiasActGrad(clamp), &[upper, out])?,
    };
    let all = Tensor::apply(Prim::SumProduct, &[&upper, out])?;
    let mut behind = Vec::with_capacity(2);
    if let Some(noise) = a.noise {
        behind.push(Tensor::apply(Prim::SumProduct, &[g, noise])?);
    }
    if let Some(bias) = a.bias {
        behind.push(pixel_sums(g)?.mul(bias)?);
    }
    behind.into_iter().try_fold(all, |sum, part| sum.sub(&part.div(d)?))?.div(d)
}

/// `[n, c, h, w]` to `[n, c]`.
fn pixel_sums(g: &Tensor) -> Result<Tensor> {
    g.sum(&[2, 3])?.reshape(&g.shape()[..2])
}
