//! The closed set of primitives: what a backend evaluates and what the gradient rules are written in.
//!
//! An enum, so that a primitive without a kernel or without a gradient does not compile. Adding one means a
//! variant here, a shape rule in `shapes.rs`, a kernel in every backend, a rule in `grad/rules.rs` and a row in the table
//! of `tests/operators/table.rs`.

use std::sync::Arc;

use crate::backend::filter::UpFirDn;
use crate::backend::fused::{AffineGains, BiasAct, StyledConv};

/// Elementwise functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `-x`
    Neg,
    /// `1/x`
    Recip,
    /// `e^x`
    Exp,
    /// `ln x`
    Ln,
    /// `sqrt x`
    Sqrt,
    /// `tanh x`
    Tanh,
    /// `1/(1+e^-x)`
    Sigmoid,
    /// `ln(1+e^x)`, without overflow for large `x`.
    Softplus,
    /// 1 where `x > 0`, else 0. Its gradient is zero.
    Step,
    /// `mul*x + add`
    Affine {
        /// The factor.
        mul: f64,
        /// The summand.
        add: f64,
    },
}

/// Elementwise functions of two arguments, which broadcast as in numpy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// 1 where `a == b`, else 0. Its gradient is zero.
    Equal,
}

/// Geometry of a two-dimensional correlation (what deep learning calls convolution).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Steps in y and x.
    pub stride: [usize; 2],
    /// Zeros added on each side in y and x.
    pub padding: [usize; 2],
    /// Number of independent groups of channels.
    pub groups: usize,
}

impl Default for Conv {
    fn default() -> Self {
        Conv { stride: [1, 1], padding: [0, 0], groups: 1 }
    }
}

impl Conv {
    pub(super) fn output_len(&self, axis: usize, input: usize, kernel: usize) -> Option<usize> {
        let padded = self.padding[axis].checked_mul(2)?.checked_add(input)?;
        padded.checked_sub(kernel)?.checked_div(self.stride[axis])?.checked_add(1)
    }
}

/// One operation of the program.
#[derive(Clone, Debug, PartialEq)]
pub enum Prim {
    /// Elementwise, one argument.
    Unary(Unary),
    /// Elementwise, two arguments that broadcast.
    Binary(Binary),
    /// `mask != 0 ? a : b`, three arguments of one shape. No gradient for the mask.
    Select,
    /// Sum over the axes, which stay with size 1.
    Sum(Vec<usize>),
    /// Maximum over the axes, which stay with size 1. The gradient is shared equally by all maxima.
    Max(Vec<usize>),
    /// Repeats axes of size 1 to the given shape.
    Expand(Vec<usize>),
    /// The same values in another shape.
    Reshape(Vec<usize>),
    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of the argument.
    Permute(Vec<usize>),
    /// `len` entries from `start` along `axis`.
    Slice {
        /// The axis.
        axis: usize,
        /// First entry.
        start: usize,
        /// Number of entries.
        len: usize,
    },
    /// Zeros before and after along `axis`.
    Pad {
        /// The axis.
        axis: usize,
        /// Zeros before.
        before: usize,
        /// Zeros after.
        after: usize,
    },
    /// Arguments one after the other along an axis.
    Concat(usize),
    /// Entries `index` along `axis`, in that order, repeats allowed.
    Gather {
        /// The axis.
        axis: usize,
        /// Entries to take.
        index: Arc<[usize]>,
    },
    /// The adjoint of `Gather`: entry `k` of the argument is added to entry `index[k]` of `len` zeros.
    ScatterAdd {
        /// The axis.
        axis: usize,
        /// Where each entry goes.
        index: Arc<[usize]>,
        /// Entries of the result along the axis.
        len: usize,
    },
    /// `[b, m, k] x [b, k, n]`; a flag says that the argument is stored with its last two axes exchanged.
    MatMul {
        /// First argument is `[b, k, m]`.
        trans_a: bool,
        /// Second argument is `[b, n, k]`.
        trans_b: bool,
    },
    /// `x [n, ci, h, w]`, `w [co, ci/groups, kh, kw]` to `[n, co, h', w']`.
    Conv2d(Conv),
    /// Adjoint in `x`: `g [n, co, h', w']`, `w` to `[n, ci, h, w]` with the given `h, w`. A transposed convolution.
    ConvInput(Conv, [usize; 2]),
    /// Adjoint in `w`: `x`, `g` to `[co, ci/groups, kh, kw]` with the given `kh, kw`.
    ConvWeight(Conv, [usize; 2]),
    /// FIR resampling of `x [n, c, h, w]`.
    UpFirDn(UpFirDn),
    /// Fused bias and activation: `x`, and `b` unless absent.
    BiasAct(BiasAct),
    /// Fused: from the gradient at a `BiasAct`'s result and that result to the gradient at `x`. Only for
    /// activations whose derivative the result shows (`linear`, `relu`, `lrelu`), and only at first order.
    BiasActGrad(BiasAct),
    /// Fused, of first order: a `BiasActGrad` of `[n, c, h, w]`, times factors `[n, c]` of the channels, the third argument: the
    /// gradient before the demodulation of a layer of StyleGAN2.
    DemodulatedActGrad(BiasAct),
    /// Fused: `a [n, c, h, w]`, `b [n or 1, c or 1, h, w]` to `[n, c]`, the sum over all pixels of `a * b`.
    SumProduct,
    /// Fused layer of StyleGAN2.
    StyledConv(StyledConv),
    /// Fused: affine layers `y = weight_gain * x w^T + bias_gain * b`, any number at once, with the gains of each.
    ///
    /// Arguments: `x [n, k]`, `w [o, k]`, `b [o]` of each layer in turn, with its own `k` and `o`. The result is flat, the
    /// layers' `[n, o]` one after the other: so each of them is contiguous, and a device may hand it out without a copy.
    Affines(Vec<AffineGains>),
    /// Fused: demodulations `1 / sqrt(s^2 w2^T + 1e-8)`, any number at once (StyleGAN2, equation 3).
    ///
    /// Arguments: `s [n, ci]`, `w2 [co, ci]` of each layer in turn, where `w2` is the weight's squares summed over its taps.
    /// The result is flat, as for `Affines`.
    Demodulations,
}

impl Prim {
    /// Name for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Prim::Unary(_) => "unary",
            Prim::Binary(_) => "binary",
            Prim::Select => "select",
            Prim::Sum(_) => "sum",
            Prim::Max(_) => "max",
            Prim::Expand(_) => "expand",
            Prim::Reshape(_) => "reshape",
            Prim::Permute(_) => "permute",
            Prim::Slice { .. } => "slice",
            Prim::Pad { .. } => "pad",
            Prim::Concat(_) => "concat",
            Prim::Gather { .. } => "gather",
            Prim::ScatterAdd { .. } => "scatter_add",
            Prim::MatMul { .. } => "matmul",
            Prim::Conv2d(_) => "conv2d",
            Prim::ConvInput(..) => "conv_transpose2d",
            Prim::ConvWeight(..) => "conv2d_weight",
            Prim::UpFirDn(_) => "upfirdn2d",
            Prim::BiasAct(_) => "bias_act",
            Prim::BiasActGrad(_) => "bias_act_grad",
            Prim::DemodulatedActGrad(_) => "demodulated_act_grad",
            Prim::SumProduct => "sum_product",
            Prim::StyledConv(_) => "styled_conv",
            Prim::Affines(_) => "affines",
            Prim::Demodulations => "demodulations",
        }
    }

    /// Whether this is a fused primitive, that is, one with a composite of others.
    pub fn is_fused(&self) -> bool {
        matches!(
            self,
            Prim::BiasAct(_)
                | Prim::BiasActGrad(_)
                | Prim::DemodulatedActGrad(_)
                | Prim::SumProduct
                | Prim::StyledConv(_)
                | Prim::Affines(_)
                | Prim::Demodulations
        )
    }
}
