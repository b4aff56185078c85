//! What the fused primitives are made of.

use crate::backend::{Activation, AffineGains, BiasAct, Prim, SELU_ALPHA, SELU_SCALE, StyledConv};
use crate::error::{Error, Result};
use crate::nn;
use crate::tensor::Tensor;

/// The composite of primitives that a fused one stands for.
pub(crate) fn decompose(prim: &Prim, args: &[Tensor]) -> Result<Tensor> {
    match prim {
        Prim::BiasAct(op) => bias_act_composite(op, &args[0], args.get(1)),
        Prim::BiasActGrad(op) => bias_act_grad_composite(op, &args[0], &args[1]),
        Prim::DemodulatedActGrad(op) => {
            let [g, y, d] = [&args[0], &args[1], &args[2]];
            Tensor::apply(Prim::BiasActGrad(*op), &[g, y])?.mul(&per_channel(d)?)
        }
        Prim::SumProduct => {
            let product = args[0].mul(&args[1])?;
            product.sum(&[2, 3])?.reshape(&args[0].shape()[..2])
        }
        Prim::StyledConv(op) => styled_conv_composite(op, args),
        Prim::Affines(gains) => {
            let layers = gains.iter().zip(args.chunks_exact(3));
            flat(layers.map(|(gains, layer)| affine(gains, &layer[0], &layer[1], &layer[2])))
        }
        Prim::Demodulations => {
            flat(args.chunks_exact(2).map(|layer| nn::demodulation(&layer[0], &layer[1])))
        }
        other => Err(Error::argument("decompose", "a fused primitive", other.name())),
    }
}

fn bias_act_composite(op: &BiasAct, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let x = match bias {
        Some(b) => x.add(&along(b, op.axis, x.shape().len())?)?,
        None => x.clone(),
    };
    let y = match op.act {
        Activation::Linear => x,
        Activation::Relu => x.select(&x.step()?, &zeros_like(&x)?)?,
        Activation::Lrelu => x.select(&x.step()?, &x.scale(op.alpha)?)?,
        Activation::Tanh => x.tanh()?,
        Activation::Sigmoid => x.sigmoid()?,
        Activation::Elu => elu(&x, 1.0)?,
        Activation::Selu => elu(&x, SELU_ALPHA)?.scale(SELU_SCALE)?,
        Activation::Softplus => x.softplus()?,
        Activation::Swish => x.mul(&x.sigmoid()?)?,
    };
    let y = if op.gain == 1.0 { y } else { y.scale(op.gain)? };
    op.clamp.map_or(Ok(y.clone()), |bound| y.clamp_symmetric(bound))
}

/// `x` or `alpha (e^x - 1)`. The exponential sees no positive value: its overflow would turn the zero gradient
/// of the branch not taken into NaN.
fn elu(x: &Tensor, alpha: f64) -> Result<Tensor> {
    let positive = x.step()?;
    let negative = zeros_like(x)?.select(&positive, x)?;
    x.select(&positive, &negative.exp()?.affine(alpha, -alpha)?)
}

fn bias_act_grad_composite(op: &BiasAct, g: &Tensor, y: &Tensor) -> Result<Tensor> {
    let g = g.scale(op.gain)?;
    let g = match op.act {
        Activation::Linear => g,
        Activation::Relu => g.select(&y.step()?, &zeros_like(&g)?)?,
        _ => g.select(&y.step()?, &g.scale(op.alpha)?)?,
    };
    match op.clamp {
        None => Ok(g),
        Some(bound) => {
            let inside = y.affine(-1.0, bound)?.step()?.mul(&y.affine(1.0, bound)?.step()?)?;
            g.select(&inside, &zeros_like(&g)?)
        }
    }
}

fn styled_conv_composite(op: &StyledConv, args: &[Tensor]) -> Result<Tensor> {
    let refs: Vec<&Tensor> = args.iter().collect();
    let a = op.unpack(&refs);
    let kernel = a.weight.shape()[2];
    let conv = op.conv(kernel);
    let x = a.x.mul(&per_channel(a.style)?)?;
    let y = match op.fir(kernel) {
        None => x.conv2d(a.weight, conv)?,
        Some(fir) => {
            let [_, _, h, w] = x.dims4("styled_conv")?;
            let size = [2 * h + kernel - 2, 2 * w + kernel - 2];
            x.conv_transpose2d(a.weight, conv, size)?.upfirdn2d(&fir)?
        }
    };
    let y = a.demod.map_or(Ok(y.clone()), |d| y.mul(&per_channel(d)?))?;
    let y = a.noise.map_or(Ok(y.clone()), |noise| y.add(noise))?;
    bias_act_composite(&op.act, &y, a.bias)
}

fn affine(gains: &AffineGains, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.scale(gains.weight)?.matmul_t(weight)?.add(&bias.scale(gains.bias)?)
}

/// Results one after the other.
fn flat(results: impl Iterator<Item = Result<Tensor>>) -> Result<Tensor> {
    let parts = results.map(|y| y.and_then(|y| y.reshape(&[y.numel()])));
    let parts: Vec<Tensor> = parts.collect::<Result<_>>()?;
    Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)
}

fn zeros_like(x: &Tensor) -> Result<Tensor> {
    Tensor::zeros(x.shape(), x.device())
}

/// `[n, c]` as `[n, c, 1, 1]`.
pub(crate) fn per_channel(x: &Tensor) -> Result<Tensor> {
    let [n, c] = x.dims2("styled_conv")?;
    x.reshape(&[n, c, 1, 1])
}

/// A vector as a tensor of `rank` axes that extends along `axis`.
pub(crate) fn along(x: &Tensor, axis: usize, rank: usize) -> Result<Tensor> {
    let mut shape = vec![1; rank];
    shape[axis] = x.numel();
    x.reshape(&shape)
}
