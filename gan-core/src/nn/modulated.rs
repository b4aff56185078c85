//! Modulated convolution, StyleGAN2's replacement of AdaIN.

use crate::backend::{Activation, BiasAct, Filter, Prim, StyledConv};
use crate::error::{Error, Result};
use crate::nn::conv::{Resample, conv2d_resample};
use crate::tensor::Tensor;

/// Options of [`modulated_conv2d`].
#[derive(Clone, Debug)]
pub struct ModulatedConv {
    /// Normalises each output channel to unit variance (StyleGAN2, equation 3).
    pub demodulate: bool,
    /// Resampling, padding and orientation.
    pub resample: Resample,
}

/// `1 / sqrt(sum_ik (w_oik s_i)^2 + 1e-8)`, `[n, co]`, from the styles `[n, ci]` and the squares of the weight summed
/// over its taps, `[co, ci]`, which are the same for every sample (StyleGAN2, equation 3).
///
/// # Errors
/// [`Error::Shape`] if the sizes do not fit.
pub fn demodulation(styles: &Tensor, squared_weight: &Tensor) -> Result<Tensor> {
    styles.square()?.matmul_t(squared_weight)?.affine(1.0, 1e-8)?.rsqrt()
}

/// Convolves `x [n, ci, h, w]` with `weight [co, ci, k, k]`, whose input channels are scaled by `styles [n, ci]`
/// sample by sample, and adds `noise` (`[n or 1, 1, h', w']`, already multiplied by its strength).
///
/// Computed by scaling the activations instead of the weight, which is the same and lets all samples share one
/// weight. Source: `modulated_conv2d` of stylegan2-ada-pytorch's `training/networks.py`.
///
/// # Errors
/// [`Error::Shape`] if the sizes do not fit.
pub fn modulated_conv2d(
    x: &Tensor,
    weight: &Tensor,
    styles: &Tensor,
    noise: Option<&Tensor>,
    op: &ModulatedConv,
) -> Result<Tensor> {
    let [n, ci] = styles.dims2("modulated_conv2d")?;
    let [co, wi, _, _] = weight.dims4("modulated_conv2d")?;
    if x.shape().get(..2) != Some(&[n, ci]) || wi != ci {
        let expected = "x [n, ci, h, w], weight [co, ci, k, k], styles [n, ci]";
        let found = (x.shape(), weight.shape(), styles.shape());
        return Err(Error::shape("modulated_conv2d", expected, found));
    }
    let demod = match op.demodulate {
        true => {
            let squared = weight.square()?.sum(&[2, 3])?.reshape(&[co, ci])?;
            Some(demodulation(styles, &squared)?)
        }
        false => None,
    };
    if let Some(up) = fused_form(op, weight.shape()) {
        let act = BiasAct::new(Activation::Linear);
        let layer =
            StyledConv { up, demodulate: op.demodulate, noise: noise.is_some(), bias: false, act };
        let weight = match layer.up {
            Some(_) => weight.permute(&[1, 0, 2, 3])?,
            None => weight.clone(),
        };
        return styled_conv(&layer, x, &weight, styles, demod.as_ref(), noise, None);
    }
    let y = x.mul(&styles.reshape(&[n, ci, 1, 1])?)?;
    let y = conv2d_resample(&y, weight, &op.resample)?;
    let y = demod.map_or(Ok(y.clone()), |d| y.mul(&d.reshape(&[n, co, 1, 1])?))?;
    noise.map_or(Ok(y.clone()), |noise| y.add(noise))
}

/// The filter of the fused layer, if that layer is the same operation.
fn fused_form(op: &ModulatedConv, weight: &[usize]) -> Option<Option<Filter>> {
    let r = &op.resample;
    let &[_, _, kh, kw] = weight else { return None };
    let same = (kh / 2) as isize;
    let plain = kh == kw
        && kh % 2 == 1
        && r.down == 1
        && r.groups == 1
        && r.padding == [[same; 2]; 2]
        && !r.flip_filter;
    match (r.up, r.flip_weight) {
        (1, true) if plain => Some(None),
        (2, false) if plain && kh == 3 => r.filter.clone().map(Some),
        _ => None,
    }
}

/// One fused layer, see [`StyledConv`] for the shapes; which of the optional arguments are given must agree with `op`.
///
/// # Errors
/// [`Error::Shape`] if a shape does not fit or an argument is missing or not wanted.
pub fn styled_conv(
    op: &StyledConv,
    x: &Tensor,
    weight: &Tensor,
    style: &Tensor,
    demod: Option<&Tensor>,
    noise: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let mut args = vec![x, weight, style];
    args.extend(demod);
    args.extend(noise);
    args.extend(bias);
    Tensor::apply(Prim::StyledConv(op.clone()), &args)
}
