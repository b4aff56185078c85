//! The closed set of primitives: what a backend evaluates and what the gradient rules are written in.
//!
//! An enum, so that a primitive without a kernel or without a gradient does not compile. Adding one means a
//! variant and a shape rule here, a kernel in every backend, a rule in `grad/rules.rs` and a row in the table
//! of `tests/operators.rs`.

use std::sync::Arc;

use crate::error::{Error, Result};

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
    fn output_len(&self, axis: usize, input: usize, kernel: usize) -> Option<usize> {
        let padded = self.padding[axis].checked_mul(2)?.checked_add(input)?;
        padded.checked_sub(kernel)?.checked_div(self.stride[axis])?.checked_add(1)
    }
}

/// Taps of a FIR filter, on the host: filters are constants of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) taps: Arc<[f64]>,
    pub(crate) factors: Option<Factors>,
}

/// Two vectors whose outer product is a filter, so that two short passes do.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// One value for each row of the filter.
    pub column: Arc<[f64]>,
    /// One value for each of its columns.
    pub row: Arc<[f64]>,
}

impl Filter {
    /// A filter of `height * width` taps, row-major; finds out by itself whether it is separable.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of taps is not `height * width` or is zero, [`Error::Argument`] if a tap
    /// is not finite.
    pub fn new(height: usize, width: usize, taps: Vec<f64>) -> Result<Self> {
        if taps.is_empty() || Some(taps.len()) != height.checked_mul(width) {
            return Err(Error::shape("filter", format!("{height} x {width} taps"), taps.len()));
        }
        if let Some(bad) = taps.iter().find(|t| !t.is_finite()) {
            return Err(Error::argument("filter", "finite taps", bad));
        }
        let factors = factor(height, width, &taps);
        Ok(Filter { height, width, taps: taps.into(), factors })
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The taps, row-major.
    pub fn taps(&self) -> &[f64] {
        &self.taps
    }

    /// Its factors, if it is separable.
    pub fn factors(&self) -> Option<&Factors> {
        self.factors.as_ref()
    }

    /// The outer product of `taps` with itself.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn outer(taps: &[f64]) -> Result<Self> {
        let n = taps.len();
        Self::new(n, n, taps.iter().flat_map(|a| taps.iter().map(move |b| a * b)).collect())
    }
}

/// Splits a rank-one filter into column and row factors, up to rounding of single precision.
fn factor(height: usize, width: usize, taps: &[f64]) -> Option<Factors> {
    let pivot = (0..taps.len()).max_by(|&a, &b| taps[a].abs().total_cmp(&taps[b].abs()))?;
    let (py, px, largest) = (pivot / width, pivot % width, taps[pivot]);
    if largest == 0.0 {
        return None;
    }
    // Both factors get the square root of the pivot, so that symmetric filters have equal factors.
    let scale = largest.abs().sqrt();
    let column: Vec<f64> = (0..height).map(|y| taps[y * width + px] / largest * scale).collect();
    let row: Vec<f64> = (0..width).map(|x| taps[py * width + x] / scale).collect();
    let exact = (0..height).all(|y| {
        (0..width).all(|x| (column[y] * row[x] - taps[y * width + x]).abs() <= 1e-7 * largest.abs())
    });
    exact.then(|| Factors { column: column.into(), row: row.into() })
}

/// Zero-insertion, padding, FIR filtering and decimation in one step (StyleGAN2's `upfirdn2d`).
///
/// `y[i,j] = gain * sum k[a,b] * z[i*down_y + a, j*down_x + b]`, where `z` is `x` with `up - 1` zeros after each
/// pixel, padded or cropped.
#[derive(Clone, Debug, PartialEq)]
pub struct UpFirDn {
    /// The taps.
    pub filter: Filter,
    /// Zero-insertion factors in y and x.
    pub up: [usize; 2],
    /// Decimation factors in y and x.
    pub down: [usize; 2],
    /// Pixels added before and after in y, then in x; negative ones crop.
    pub padding: [[isize; 2]; 2],
    /// `true` correlates, `false` (as in the originals) convolves, that is, reverses the taps.
    pub flip: bool,
    /// Factor on the result.
    pub gain: f64,
}

impl UpFirDn {
    /// Size of the result along `axis` (0 for y, 1 for x); `None` if nothing is left.
    pub fn output_len(&self, axis: usize, input: usize) -> Option<usize> {
        let taps = [self.filter.height, self.filter.width][axis];
        let [before, after] = self.padding[axis];
        let padded = isize::try_from(input.checked_mul(self.up[axis])?).ok()?;
        let padded = padded.checked_add(before)?.checked_add(after)?;
        let last = padded.checked_sub(isize::try_from(taps).ok()?)?;
        usize::try_from(last).ok()?.checked_div(self.down[axis])?.checked_add(1)
    }

    /// The operator's adjoint for inputs of `input` pixels (y, x): up and down swapped, taps reversed.
    pub fn adjoint(&self, input: [usize; 2]) -> Self {
        let taps = [self.filter.height, self.filter.width];
        let padding = [0, 1].map(|axis| {
            let output = self.output_len(axis, input[axis]).unwrap_or(0);
            let [before, _] = self.padding[axis];
            let up = self.up[axis] as isize;
            [
                taps[axis] as isize - before - 1,
                input[axis] as isize * up - output as isize * self.down[axis] as isize + before
                    - up
                    + 1,
            ]
        });
        UpFirDn {
            filter: self.filter.clone(),
            up: self.down,
            down: self.up,
            padding,
            flip: !self.flip,
            gain: self.gain,
        }
    }
}

/// Activation functions of `bias_act`, with the official names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x`
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `x` or `alpha*x`
    Lrelu,
    /// `tanh x`
    Tanh,
    /// `1/(1+e^-x)`
    Sigmoid,
    /// `x` or `e^x - 1`
    Elu,
    /// Scaled `elu`, with the constants of Klambauer et al. 2017.
    Selu,
    /// `ln(1+e^x)`
    Softplus,
    /// `x * sigmoid(x)`
    Swish,
}

impl Activation {
    /// Gain that goes with the function unless another is asked for.
    pub fn default_gain(self) -> f64 {
        match self {
            Activation::Relu | Activation::Lrelu | Activation::Swish => std::f64::consts::SQRT_2,
            _ => 1.0,
        }
    }

    /// By its official name.
    ///
    /// # Errors
    /// [`Error::Argument`] for any other name.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "linear" => Activation::Linear,
            "relu" => Activation::Relu,
            "lrelu" => Activation::Lrelu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            "elu" => Activation::Elu,
            "selu" => Activation::Selu,
            "softplus" => Activation::Softplus,
            "swish" => Activation::Swish,
            _ => {
                let known = "linear, relu, lrelu, tanh, sigmoid, elu, selu, softplus or swish";
                return Err(Error::argument("activation", known, name));
            }
        })
    }
}

/// `clamp(gain * act(x + b), -clamp, clamp)` with the bias along one axis; fused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BiasAct {
    /// The function.
    pub act: Activation,
    /// Slope for negative values; only `lrelu` has one.
    pub alpha: f64,
    /// Factor after the function.
    pub gain: f64,
    /// Bound after the gain.
    pub clamp: Option<f64>,
    /// Axis of the bias.
    pub axis: usize,
}

impl BiasAct {
    /// `act` with its default gain and slope, no clamp, bias along axis 1.
    pub fn new(act: Activation) -> Self {
        BiasAct { act, alpha: 0.2, gain: act.default_gain(), clamp: None, axis: 1 }
    }
}

/// A whole layer of StyleGAN2's synthesis network; fused.
///
/// `y = bias_act(d * fir(conv(s * x, w)) + noise, b)`: the style `s` scales the input channels and the
/// demodulation `d` the output channels, which equals modulating the weight per sample (StyleGAN2, section 2.2)
/// and lets the whole batch share one weight.
///
/// Arguments: `x [n, ci, h, w]`, `w [co, ci, k, k]`, or, to up-sample, `[ci, co, 3, 3]` as transposed convolutions have it, so
/// that neither direction has to rearrange it; `s [n, ci]`; then those that are present of `d [n, co]`,
/// `noise [n or 1, 1, h', w']`, `b [co]`.
#[derive(Clone, Debug, PartialEq)]
pub struct StyledConv {
    /// Doubles the resolution: a transposed convolution of stride 2, `k = 3`, then this filter with gain 4.
    pub up: Option<Filter>,
    /// Whether `d` is present.
    pub demodulate: bool,
    /// Whether `noise` is present.
    pub noise: bool,
    /// Whether `b` is present.
    pub bias: bool,
    /// What follows; its axis is 1.
    pub act: BiasAct,
}

/// A styled convolution's arguments by name.
#[derive(Clone, Copy, Debug)]
pub struct StyledArgs<T> {
    /// Input `[n, ci, h, w]`.
    pub x: T,
    /// Weight `[co, ci, k, k]`, or `[ci, co, 3, 3]` to up-sample.
    pub weight: T,
    /// Style `[n, ci]`.
    pub style: T,
    /// Demodulation `[n, co]`.
    pub demod: Option<T>,
    /// Noise `[n or 1, 1, h', w']`.
    pub noise: Option<T>,
    /// Bias `[co]`.
    pub bias: Option<T>,
}

impl StyledConv {
    /// Names the arguments.
    pub fn unpack<T: Copy>(&self, args: &[T]) -> StyledArgs<T> {
        let mut rest = args[3..].iter().copied();
        StyledArgs {
            x: args[0],
            weight: args[1],
            style: args[2],
            demod: if self.demodulate { rest.next() } else { None },
            noise: if self.noise { rest.next() } else { None },
            bias: if self.bias { rest.next() } else { None },
        }
    }

    /// The convolution inside, for kernels of `k x k`.
    pub fn conv(&self, k: usize) -> Conv {
        match self.up {
            None => Conv { padding: [k / 2, k / 2], ..Conv::default() },
            Some(_) => Conv { stride: [2, 2], ..Conv::default() },
        }
    }

    /// The filter that follows an up-sampling convolution with `k x k` kernels.
    pub fn fir(&self, k: usize) -> Option<UpFirDn> {
        let filter = self.up.clone()?;
        // The transposed convolution gives 2h + k - 2 pixels; what the filter adds and the user's padding of
        // k/2 takes away is the rule of `conv2d_resample`.
        let pad = |taps: usize| {
            let (taps, k) = (taps as isize, k as isize);
            [(taps + 1).div_euclid(2) - (k - 1) + k / 2, (taps - 2).div_euclid(2) - (k - 2) + k / 2]
        };
        Some(UpFirDn {
            padding: [pad(filter.height), pad(filter.width)],
            filter,
            up: [1, 1],
            down: [1, 1],
            flip: false,
            gain: 4.0,
        })
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
    /// Fused layer of StyleGAN2.
    StyledConv(StyledConv),
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
            Prim::StyledConv(_) => "styled_conv",
        }
    }

    /// Whether this is a fused primitive, that is, one with a composite of others.
    pub fn is_fused(&self) -> bool {
        matches!(self, Prim::BiasAct(_) | Prim::BiasActGrad(_) | Prim::StyledConv(_))
    }

    /// Shape of the result, or what is wrong with the arguments.
    ///
    /// # Errors
    /// [`Error::Shape`], with the shapes asked for and found.
    pub fn output_shape(&self, args: &[&[usize]]) -> Result<Vec<usize>> {
        let wrong = |expected: &str| Err(Error::shape(self.name(), expected, args));
        let same_rank = |a: &[usize], b: &[usize]| a.len() == b.len();
        match (self, args) {
            (Prim::Unary(_), [x]) => Ok(x.to_vec()),
            (Prim::Binary(_), [a, b]) => broadcast(a, b)
                .ok_or_else(|| Error::shape(self.name(), "shapes that broadcast", args)),
            (Prim::Select, [m, a, b]) if m == a && a == b => Ok(a.to_vec()),
            (Prim::Sum(axes) | Prim::Max(axes), [x]) if axes.iter().all(|&a| a < x.len()) => {
                let mut out = x.to_vec();
                axes.iter().for_each(|&a| out[a] = 1);
                Ok(out)
            }
            (Prim::Expand(to), [x])
                if same_rank(x, to) && x.iter().zip(to).all(|(&a, &b)| a == b || a == 1) =>
            {
                Ok(to.clone())
            }
            (Prim::Reshape(to), [x]) if numel(x) == numel(to) => Ok(to.clone()),
            (Prim::Permute(axes), [x]) => {
                let mut seen = vec![false; x.len()];
                let valid = axes.len() == x.len()
                    && axes.iter().all(|&a| a < x.len() && !std::mem::replace(&mut seen[a], true));
                if valid { Ok(axes.iter().map(|&a| x[a]).collect()) } else { wrong("a permutation") }
            }
            (&Prim::Slice { axis, start, len }, [x])
                if axis < x.len() && len > 0 && start.checked_add(len).is_some_and(|e| e <= x[axis]) =>
            {
                Ok(with(x, axis, len))
            }
            (&Prim::Pad { axis, before, after }, [x]) if axis < x.len() => {
                match x[axis].checked_add(before).and_then(|l| l.checked_add(after)) {
                    Some(len) => Ok(with(x, axis, len)),
                    None => wrong("a padding that fits the address space"),
                }
            }
            (&Prim::Concat(axis), [first, rest @ ..]) if axis < first.len() => {
                let fits = |x: &&&[usize]| {
                    same_rank(x, first) && (0..x.len()).all(|d| d == axis || x[d] == first[d])
                };
                let len = args.iter().try_fold(0usize, |sum, x| sum.checked_add(*x.get(axis)?));
                match len {
                    Some(len) if rest.iter().all(|x| fits(&x)) => Ok(with(first, axis, len)),
                    _ => wrong("shapes that differ along the axis only"),
                }
            }
            (Prim::Gather { axis, index }, [x])
                if *axis < x.len() && !index.is_empty() && index.iter().all(|&i| i < x[*axis]) =>
            {
                Ok(with(x, *axis, index.len()))
            }
            (Prim::ScatterAdd { axis, index, len }, [x])
                if *axis < x.len() && x[*axis] == index.len() && index.iter().all(|i| i < len) =>
            {
                Ok(with(x, *axis, *len))
            }
            (&Prim::MatMul { trans_a, trans_b }, &[&[ba, a0, a1], &[bb, b0, b1]]) => {
                let (m, ka) = if trans_a { (a1, a0) } else { (a0, a1) };
                let (kb, n) = if trans_b { (b1, b0) } else { (b0, b1) };
                if ba == bb && ka == kb { Ok(vec![ba, m, n]) } else { wrong("[b, m, k] and [b, k, n]") }
            }
            (Prim::Conv2d(c), &[&[n, ci, h, w], &[co, cig, kh, kw]]) => {
                let size = (c.output_len(0, h, kh), c.output_len(1, w, kw));
                match size {
                    (Some(oh), Some(ow)) if c.groups.checked_mul(cig) == Some(ci) && co.is_multiple_of(c.groups) => {
                        Ok(vec![n, co, oh, ow])
                    }
                    _ => wrong("x [n, ci, h, w] and w [co, ci/groups, kh, kw] not larger than x"),
                }
            }
            (&Prim::ConvInput(c, [h, w]), &[&[n, co, gh, gw], &[wo, cig, kh, kw]]) => {
                let size = (c.output_len(0, h, kh), c.output_len(1, w, kw));
                let groups = co == wo && co.is_multiple_of(c.groups);
                match cig.checked_mul(c.groups) {
                    Some(ci) if size == (Some(gh), Some(gw)) && groups => Ok(vec![n, ci, h, w]),
                    _ => wrong("g [n, co, h', w'] and w [co, ci/groups, kh, kw] of that convolution"),
                }
            }
            (&Prim::ConvWeight(c, [kh, kw]), &[&[n, ci, h, w], &[gn, co, gh, gw]]) => {
                let size = (c.output_len(0, h, kh), c.output_len(1, w, kw));
                let groups = c.groups > 0 && ci % c.groups == 0 && co % c.groups == 0;
                if size == (Some(gh), Some(gw)) && n == gn && groups {
                    Ok(vec![co, ci / c.groups, kh, kw])
                } else {
                    wrong("x [n, ci, h, w] and g [n, co, h', w'] of that convolution")
                }
            }
            (Prim::UpFirDn(u), &[&[n, c, h, w]]) => match (u.output_len(0, h), u.output_len(1, w)) {
                (Some(oh), Some(ow)) => Ok(vec![n, c, oh, ow]),
                _ => wrong("x [n, c, h, w], padded at least as large as the filter"),
            },
            (Prim::BiasAct(_), [x]) => Ok(x.to_vec()),
            (Prim::BiasAct(a), &[x, &[b]]) if x.get(a.axis) == Some(&b) => Ok(x.to_vec()),
            (Prim::BiasActGrad(_), [g, y]) if g == y => Ok(g.to_vec()),
            (Prim::StyledConv(s), [x, ..])
                if args.len() == 3 + usize::from(s.demodulate) + usize::from(s.noise) + usize::from(s.bias) =>
            {
                styled_shape(s, s.unpack(args)).ok_or_else(|| {
                    let expected = "x [n, ci, h, w], w [co, ci, k, k] ([ci, co, 3, 3] to up-sample), s [n, ci], d [n, co], noise [n, 1, h', w'], b [co]";
                    Error::shape(self.name(), expected, (x, args))
                })
            }
            _ => wrong("other arguments"),
        }
    }
}

fn styled_shape(styled: &StyledConv, args: StyledArgs<&[usize]>) -> Option<Vec<usize>> {
    let (&[n, ci, h, w], &[outer, inner, kh, kw]) = (args.x, args.weight) else { return None };
    let (co, wi) = if styled.up.is_some() { (inner, outer) } else { (outer, inner) };
    // Keeps the sums below from overflowing.
    if [h, w, kh, kw].iter().any(|&d| d == 0 || d > isize::MAX as usize / 8) {
        return None;
    }
    let size = match styled.fir(kh) {
        None if kh % 2 == 1 => [h, w],
        Some(fir) if kh == 3 => {
            [fir.output_len(0, 2 * h + kh - 2)?, fir.output_len(1, 2 * w + kw - 2)?]
        }
        _ => return None,
    };
    let noise_fits =
        |s: &[usize]| (s[..1] == [n] || s[..1] == [1]) && s[1..] == [1, size[0], size[1]];
    let fits = ci == wi
        && kh == kw
        && args.style == [n, ci]
        && args.demod.is_none_or(|s| s == [n, co])
        && args.noise.is_none_or(|s| s.len() == 4 && noise_fits(s))
        && args.bias.is_none_or(|s| s == [co]);
    fits.then(|| vec![n, co, size[0], size[1]])
}

/// Number of elements; `None` on overflow.
pub(crate) fn numel(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// `shape` with another length along `axis`.
pub(crate) fn with(shape: &[usize], axis: usize, len: usize) -> Vec<usize> {
    let mut out = shape.to_vec();
    out[axis] = len;
    out
}

/// The shape to which `a` and `b` broadcast: aligned at the last axis, sizes equal or 1.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |s: &[usize], d: usize| if d + s.len() < rank { 1 } else { s[d + s.len() - rank] };
    (0..rank)
        .map(|d| match (size(a, d), size(b, d)) {
            (x, y) if x == y || y == 1 => Some(x),
            (1, y) => Some(y),
            _ => None,
        })
        .collect()
}
