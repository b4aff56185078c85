//! The methods of [`Tensor`] that compute.

use crate::backend::{Binary, Conv, Prim, Unary, UpFirDn};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Far above what networks use: backends may compute with these numbers without a thought of overflow.
pub(crate) const LARGEST_FACTOR: usize = 64;
const LARGEST_PADDING: usize = 1 << 20;

/// Elementwise.
impl Tensor {
    fn unary(&self, op: Unary) -> Result<Self> {
        Self::apply(Prim::Unary(op), &[self])
    }

    fn binary(&self, op: Binary, other: &Self) -> Result<Self> {
        Self::apply(Prim::Binary(op), &[self, other])
    }

    /// `self + other`; shapes broadcast as in numpy.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Add, other)
    }

    /// `self - other`; shapes broadcast.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Sub, other)
    }

    /// `self * other`, element by element; shapes broadcast.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not.
    pub fn mul(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Mul, other)
    }

    /// `self / other`; shapes broadcast.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not.
    pub fn div(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Div, other)
    }

    /// 1 where equal, 0 elsewhere; shapes broadcast. Not differentiated.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not.
    pub fn equal(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Equal, other)
    }

    /// `mul * self + add`.
    ///
    /// # Errors
    /// When the device fails, as for every method below that names no other error.
    pub fn affine(&self, mul: f64, add: f64) -> Result<Self> {
        self.unary(Unary::Affine { mul, add })
    }

    /// `factor * self`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn scale(&self, factor: f64) -> Result<Self> {
        self.affine(factor, 0.0)
    }

    /// `-self`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn neg(&self) -> Result<Self> {
        self.unary(Unary::Neg)
    }

    /// `1 / self`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn recip(&self) -> Result<Self> {
        self.unary(Unary::Recip)
    }

    /// `e^self`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn exp(&self) -> Result<Self> {
        self.unary(Unary::Exp)
    }

    /// Natural logarithm.
    ///
    /// # Errors
    /// When the device fails.
    pub fn ln(&self) -> Result<Self> {
        self.unary(Unary::Ln)
    }

    /// Square root.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sqrt(&self) -> Result<Self> {
        self.unary(Unary::Sqrt)
    }

    /// `1 / sqrt(self)`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn rsqrt(&self) -> Result<Self> {
        self.sqrt()?.recip()
    }

    /// Hyperbolic tangent.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tanh(&self) -> Result<Self> {
        self.unary(Unary::Tanh)
    }

    /// `1 / (1 + e^-self)`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sigmoid(&self) -> Result<Self> {
        self.unary(Unary::Sigmoid)
    }

    /// `ln(1 + e^self)`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn softplus(&self) -> Result<Self> {
        self.unary(Unary::Softplus)
    }

    /// 1 where positive, 0 elsewhere. Not differentiated.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&self) -> Result<Self> {
        self.unary(Unary::Step)
    }

    /// `self * self`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn square(&self) -> Result<Self> {
        self.mul(self)
    }

    /// `mask != 0 ? self : other`, all of one shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes differ.
    pub fn select(&self, mask: &Self, other: &Self) -> Result<Self> {
        Self::apply(Prim::Select, &[mask, self, other])
    }

    /// Bounded to `[-bound, bound]`; the gradient is zero outside.
    ///
    /// # Errors
    /// When the device fails.
    pub fn clamp_symmetric(&self, bound: f64) -> Result<Self> {
        let full = |v: f64| Self::full(v, self.shape(), self.device());
        let upper = full(bound)?.select(&self.affine(1.0, -bound)?.step()?, self)?;
        full(-bound)?.select(&self.affine(-1.0, -bound)?.step()?, &upper)
    }
}

/// Reductions.
impl Tensor {
    /// Sum over `axes`, which stay with size 1.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    pub fn sum(&self, axes: &[usize]) -> Result<Self> {
        Self::apply(Prim::Sum(axes.to_vec()), &[self])
    }

    /// Mean over `axes`, which stay with size 1.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    pub fn mean(&self, axes: &[usize]) -> Result<Self> {
        let sum = self.sum(axes)?;
        sum.scale(sum.numel() as f64 / self.numel() as f64)
    }

    /// Maximum over `axes`, which stay with size 1. The gradient is shared equally by all maxima.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    pub fn max(&self, axes: &[usize]) -> Result<Self> {
        Self::apply(Prim::Max(axes.to_vec()), &[self])
    }

    /// Sum of all elements, of shape `[]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sum_all(&self) -> Result<Self> {
        self.sum(&(0..self.shape().len()).collect::<Vec<_>>())?.reshape(&[])
    }

    /// Mean of all elements, of shape `[]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn mean_all(&self) -> Result<Self> {
        self.sum_all()?.scale(1.0 / self.numel() as f64)
    }

    /// The adjoint of broadcasting: sums so that `shape` is left.
    pub(crate) fn sum_to(&self, shape: &[usize]) -> Result<Self> {
        let extra = self.shape().len() - shape.len();
        let axes: Vec<usize> = (0..self.shape().len())
            .filter(|&d| d < extra || (shape[d - extra] == 1 && self.shape()[d] != 1))
            .collect();
        let sum = if axes.is_empty() { self.clone() } else { self.sum(&axes)? };
        sum.reshape(shape)
    }
}

/// Shape.
impl Tensor {
    /// The same values in another shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of elements differs.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        if shape == self.shape() {
            return Ok(self.clone());
        }
        Self::apply(Prim::Reshape(shape.to_vec()), &[self])
    }

    /// Repeats axes of size 1 to `shape`, of the same rank.
    ///
    /// # Errors
    /// [`Error::Shape`] if another size would change.
    pub fn expand(&self, shape: &[usize]) -> Result<Self> {
        if shape == self.shape() {
            return Ok(self.clone());
        }
        Self::apply(Prim::Expand(shape.to_vec()), &[self])
    }

    /// Reorders axes: axis `i` of the result is axis `axes[i]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `axes` is not a permutation.
    pub fn permute(&self, axes: &[usize]) -> Result<Self> {
        Self::apply(Prim::Permute(axes.to_vec()), &[self])
    }

    /// `len` entries from `start` along `axis`.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not exist.
    pub fn slice(&self, axis: usize, start: usize, len: usize) -> Result<Self> {
        if self.shape().get(axis) == Some(&len) && start == 0 {
            return Ok(self.clone());
        }
        Self::apply(Prim::Slice { axis, start, len }, &[self])
    }

    /// Adds zeros along `axis`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    pub fn pad(&self, axis: usize, before: usize, after: usize) -> Result<Self> {
        if before == 0 && after == 0 && axis < self.shape().len() {
            return Ok(self.clone());
        }
        Self::apply(Prim::Pad { axis, before, after }, &[self])
    }

    /// Tensors one after the other along `axis`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none or they differ elsewhere.
    pub fn concat(tensors: &[&Self], axis: usize) -> Result<Self> {
        match tensors {
            [] => Err(Error::shape("concat", "at least one tensor", "none")),
            [one] if axis < one.shape().len() => Ok((*one).clone()),
            _ => Self::apply(Prim::Concat(axis), tensors),
        }
    }

    /// Entries `index` along `axis`, in that order, repeats allowed.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such entry.
    pub fn gather(&self, axis: usize, index: &[usize]) -> Result<Self> {
        Self::apply(Prim::Gather { axis, index: index.into() }, &[self])
    }

    /// Reverses the order along `axis`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    pub fn flip(&self, axis: usize) -> Result<Self> {
        let len = self.shape().get(axis).copied().unwrap_or(0);
        self.gather(axis, &(0..len).rev().collect::<Vec<_>>())
    }
}

/// Linear algebra and convolution.
impl Tensor {
    /// `[m, k] x [k, n]`, or the same for each of a batch `[b, m, k] x [b, k, n]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes do not fit.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        self.matmul_with(other, false, false)
    }

    /// `[m, k] x [n, k]^T`: rows against rows, as in a linear layer.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes do not fit.
    pub fn matmul_t(&self, other: &Self) -> Result<Self> {
        self.matmul_with(other, false, true)
    }

    pub(crate) fn matmul_with(&self, other: &Self, trans_a: bool, trans_b: bool) -> Result<Self> {
        let prim = Prim::MatMul { trans_a, trans_b };
        match (self.shape(), other.shape()) {
            (&[a0, a1], &[b0, b1]) => {
                let (a, b) = (self.reshape(&[1, a0, a1])?, other.reshape(&[1, b0, b1])?);
                let product = Self::apply(prim, &[&a, &b])?;
                product.reshape(&product.shape()[1..])
            }
            _ => Self::apply(prim, &[self, other]),
        }
    }

    /// Correlation of `[n, ci, h, w]` with `weight [co, ci/groups, kh, kw]`, to `[n, co, h', w']`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes do not fit.
    pub fn conv2d(&self, weight: &Self, conv: Conv) -> Result<Self> {
        check_conv(&conv)?;
        Self::apply(Prim::Conv2d(conv), &[self, weight])
    }

    /// Transposed convolution of `[n, co, h', w']` with `weight [co, ci/groups, kh, kw]`: the adjoint of
    /// [`Tensor::conv2d`] from inputs of `size` (h, w).
    ///
    /// # Errors
    /// [`Error::Shape`] if the convolution does not take inputs of `size` to this tensor's shape.
    pub fn conv_transpose2d(&self, weight: &Self, conv: Conv, size: [usize; 2]) -> Result<Self> {
        check_conv(&conv)?;
        Self::apply(Prim::ConvInput(conv, size), &[self, weight])
    }

    /// Zero-insertion, padding, filtering and decimation of `[n, c, h, w]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if nothing is left, [`Error::Argument`] for factors outside of 1 to 64 or paddings beyond a
    /// million pixels.
    pub fn upfirdn2d(&self, op: &UpFirDn) -> Result<Self> {
        let factors = [op.up, op.down].concat();
        let far = op.padding.concat().iter().any(|p| p.unsigned_abs() > LARGEST_PADDING);
        if far || !factors.iter().all(|f| (1..=LARGEST_FACTOR).contains(f)) {
            let expected = "factors of 1 to 64, paddings of at most a million pixels";
            let found = format!("factors {factors:?}, padding {:?}", op.padding);
            return Err(Error::argument("upfirdn2d", expected, found));
        }
        Self::apply(Prim::UpFirDn(op.clone()), &[self])
    }
}

fn check_conv(conv: &Conv) -> Result<()> {
    let strides = conv.stride.iter().all(|s| (1..=LARGEST_FACTOR).contains(s));
    if strides && conv.groups > 0 && conv.padding.iter().all(|&p| p <= LARGEST_PADDING) {
        return Ok(());
    }
    let expected = "strides of 1 to 64, paddings of at most a million pixels, at least one group";
    Err(Error::argument("conv2d", expected, format!("{conv:?}")))
}
