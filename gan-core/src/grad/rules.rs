//! The gradient of each primitive, in primitives.

use std::sync::Arc;

use crate::backend::{Binary, Prim, Unary};
use crate::error::Result;
use crate::grad::fused;
use crate::tensor::Tensor;

/// Gradients with respect to those `args` that `need` asks for, from the gradient `g` at the result `out`.
/// `None` stands for zero.
pub(super) fn pull_back(
    prim: &Prim,
    args: &[Tensor],
    out: &Tensor,
    g: &Tensor,
    need: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let x = &args[0];
    // Gradients are computed only where they are asked for.
    let when = |i: usize, f: &dyn Fn() -> Result<Tensor>| need[i].then(f).transpose();
    Ok(match prim {
        Prim::Unary(op) => vec![unary(*op, x, out, g)?],
        Prim::Binary(op) => {
            let b = &args[1];
            let to_a = |t: Tensor| t.sum_to(x.shape());
            let to_b = |t: Tensor| t.sum_to(b.shape());
            match op {
                Binary::Add => vec![when(0, &|| to_a(g.clone()))?, when(1, &|| to_b(g.clone()))?],
                Binary::Sub => vec![when(0, &|| to_a(g.clone()))?, when(1, &|| to_b(g.neg()?))?],
                Binary::Mul => vec![when(0, &|| to_a(g.mul(b)?))?, when(1, &|| to_b(g.mul(x)?))?],
                Binary::Div => vec![
                    when(0, &|| to_a(g.div(b)?))?,
                    when(1, &|| to_b(g.mul(out)?.div(b)?.neg()?))?,
                ],
                Binary::Equal => vec![None, None],
            }
        }
        Prim::Select => {
            let zeros = || Tensor::zeros(g.shape(), g.device());
            vec![None, when(1, &|| g.select(x, &zeros()?))?, when(2, &|| zeros()?.select(x, g))?]
        }
        Prim::Sum(_) => vec![Some(g.expand(x.shape())?)],
        Prim::Max(axes) => {
            let mask = x.equal(out)?;
            vec![Some(g.div(&mask.sum(axes)?)?.mul(&mask)?)]
        }
        Prim::Expand(_) => {
            let axes: Vec<usize> =
                (0..x.shape().len()).filter(|&d| x.shape()[d] != g.shape()[d]).collect();
            vec![Some(g.sum(&axes)?)]
        }
        Prim::Reshape(_) => vec![Some(g.reshape(x.shape())?)],
        Prim::Permute(axes) => {
            let mut inverse = vec![0; axes.len()];
            axes.iter().enumerate().for_each(|(i, &a)| inverse[a] = i);
            vec![Some(g.permute(&inverse)?)]
        }
        &Prim::Slice { axis, start, len } => {
            vec![Some(g.pad(axis, start, x.shape()[axis] - start - len)?)]
        }
        &Prim::Pad { axis, before, .. } => vec![Some(g.slice(axis, before, x.shape()[axis])?)],
        &Prim::Concat(axis) => {
            let mut start = 0;
            let mut parts = Vec::with_capacity(args.len());
            for (i, arg) in args.iter().enumerate() {
                let len = arg.shape()[axis];
                parts.push(when(i, &|| g.slice(axis, start, len))?);
                start += len;
            }
            parts
        }
        Prim::Gather { axis, index } => {
            let (axis, index, len) = (*axis, Arc::clone(index), x.shape()[*axis]);
            vec![Some(Tensor::apply(Prim::ScatterAdd { axis, index, len }, &[g])?)]
        }
        Prim::ScatterAdd { axis, index, .. } => vec![Some(g.gather(*axis, index)?)],
        &Prim::MatMul { trans_a, trans_b } => {
            let b = &args[1];
            let da = || match trans_a {
                false => g.matmul_with(b, false, !trans_b),
                true => b.matmul_with(g, trans_b, true),
            };
            let db = || match trans_b {
                false => x.matmul_with(g, !trans_a, false),
                true => g.matmul_with(x, true, trans_a),
            };
            vec![when(0, &da)?, when(1, &db)?]
        }
        &Prim::Conv2d(conv) => {
            let w = &args[1];
            vec![
                when(0, &|| Tensor::apply(Prim::ConvInput(conv, pixels(x)), &[g, w]))?,
                when(1, &|| Tensor::apply(Prim::ConvWeight(conv, pixels(w)), &[x, g]))?,
            ]
        }
        &Prim::ConvInput(conv, _) => {
            let w = &args[1];
            vec![
                when(0, &|| Tensor::apply(Prim::Conv2d(conv), &[g, w]))?,
                when(1, &|| Tensor::apply(Prim::ConvWeight(conv, pixels(w)), &[g, x]))?,
            ]
        }
        &Prim::ConvWeight(conv, _) => {
            let cotangent = &args[1];
            vec![
                when(0, &|| Tensor::apply(Prim::ConvInput(conv, pixels(x)), &[cotangent, g]))?,
                when(1, &|| Tensor::apply(Prim::Conv2d(conv), &[x, g]))?,
            ]
        }
        Prim::UpFirDn(op) => vec![Some(g.upfirdn2d(&op.adjoint(pixels(x)))?)],
        Prim::BiasAct(op) => fused::bias_act(op, args, out, g, need)?,
        Prim::StyledConv(op) => fused::styled_conv(op, args, out, g, need)?,
        // The sweep takes its composite instead: a gradient of first order is never differentiated.
        Prim::BiasActGrad(_) => vec![None, None],
        // Of these at any order.
        Prim::DemodulatedActGrad(_) | Prim::SumProduct | Prim::Affines(_) | Prim::Demodulations => {
            vec![None; args.len()]
        }
    })
}

fn unary(op: Unary, x: &Tensor, out: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
    Ok(Some(match op {
        Unary::Neg => g.neg()?,
        Unary::Recip => g.mul(&out.square()?)?.neg()?,
        Unary::Exp => g.mul(out)?,
        Unary::Ln => g.div(x)?,
        Unary::Sqrt => g.div(out)?.scale(0.5)?,
        Unary::Tanh => g.mul(&out.square()?.affine(-1.0, 1.0)?)?,
        Unary::Sigmoid => g.mul(&out.mul(&out.affine(-1.0, 1.0)?)?)?,
        Unary::Softplus => g.mul(&x.sigmoid()?)?,
        Unary::Step => return Ok(None),
        Unary::Affine { mul, .. } => g.scale(mul)?,
    }))
}

/// The last two sizes.
fn pixels(t: &Tensor) -> [usize; 2] {
    let s = t.shape();
    [s[s.len() - 2], s[s.len() - 1]]
}
