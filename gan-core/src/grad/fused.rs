//! Backward passes of the fused primitives, of first order.

use crate::backend::{Activation, BiasAct, Prim, StyledConv};
use crate::error::Result;
use crate::tensor::Tensor;
use crate::tensor::composite::{along, per_channel};

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
/// The value before the activation is recovered from the result, so that nothing but the arguments and the
/// result has to be kept: where the activation or the clamp loses it, the gradient is zero anyway.
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
    let g = Tensor::apply(Prim::BiasActGrad(op.act), &[g, out])?;

    let mut tail = Vec::new();
    if let Some(d) = a.demod {
        tail.push(match wanted.demod {
            Some(true) => {
                let mut y = before_activation(&op.act, out)?;
                if let Some(noise) = a.noise {
                    y = y.sub(noise)?;
                }
                if let Some(bias) = a.bias {
                    y = y.sub(&along(bias, 1, 4)?)?;
                }
                Some(g.mul(&y)?.sum(&[2, 3])?.reshape(d.shape())?.div(d)?)
            }
            _ => None,
        });
    }
    if let Some(noise) = a.noise {
        tail.push(if wanted.noise == Some(true) { Some(g.sum_to(noise.shape())?) } else { None });
    }
    if let Some(bias) = a.bias {
        let sum = || g.sum(&[0, 2, 3])?.reshape(bias.shape());
        tail.push(if wanted.bias == Some(true) { Some(sum()?) } else { None });
    }

    let mut head = vec![None; 3];
    if wanted.x || wanted.style || wanted.weight {
        let mut g = a.demod.map_or(Ok(g.clone()), |d| g.mul(&per_channel(d)?))?;
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
                head[2] = Some(a.x.mul(&dx)?.sum(&[2, 3])?.reshape(a.style.shape())?);
            }
            if wanted.x {
                head[0] = Some(dx.mul(&style)?);
            }
        }
    }
    head.append(&mut tail);
    Ok(head)
}

/// What went into the activation, from what came out.
fn before_activation(op: &BiasAct, out: &Tensor) -> Result<Tensor> {
    let x = out.scale(1.0 / op.gain)?;
    match op.act {
        Activation::Lrelu => x.select(&out.step()?, &x.scale(1.0 / op.alpha)?),
        _ => Ok(x),
    }
}
