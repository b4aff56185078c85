//! A layer of StyleGAN2: the style scales what goes into the convolution, and one pass after it does all the rest.

use gan_core::backend::{Binary, StyledConv};

use super::View;
use super::bias_act::{Before, bias_act};
use super::conv::{conv_input, conv2d};
use super::elementwise::binary;
use super::resample::upfirdn;
use crate::device::Cuda;
use crate::driver::Buffer;
use crate::error::Result;

pub(crate) fn styled_conv(
    cuda: &Cuda,
    op: &StyledConv,
    args: &[View<'_>],
    out: &[usize],
) -> Result<Buffer> {
    let args = op.unpack(args);
    let (x, weight) = (args.x, args.weight);
    let &[n, ci, h, w] = x.shape else { unreachable!("output_shape has checked the rank") };
    let k = weight.shape[2];
    let style = View { shape: &[n, ci, 1, 1], ..args.style };
    let scaled = binary(cuda, Binary::Mul, [x, style], x.shape)?;
    let scaled = View { buffer: &scaled, shape: x.shape };
    let y = match op.fir(k) {
        None => conv2d(cuda, op.conv(k), [scaled, weight], out)?,
        Some(fir) => {
            let shape = [n, weight.shape[1], 2 * h + k - 2, 2 * w + k - 2];
            let wide = conv_input(cuda, op.conv(k), [scaled, weight], &shape)?;
            upfirdn(cuda, &fir, View { buffer: &wide, shape: &shape }, out)?
        }
    };
    let before = Before { demod: args.demod, noise: args.noise, bias: args.bias };
    bias_act(cuda, &op.act, View { buffer: &y, shape: out }, before)
}
