//! The fast CPU backend: `f32`, all cores of the rayon pool that the caller is in.
//!
//! Results do not depend on the number of threads: every sum has a fixed order.

mod conv;
mod conv_weight;
mod disjoint;
mod dots;
mod elementwise;
mod matmul;
mod microkernel;
mod packing;
mod pool;
mod reduce;
mod resample;
mod shape;
mod simd;
mod styled;
mod tasks;
#[cfg(test)]
mod tests;
mod tiles;
mod winograd;

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::{Arg, Backend, Conv, DType, HostData, Prim, Storage, StyledConv, numel};
use crate::error::{Error, Result};
use microkernel::Microkernel;
use packing::{PackKey, PackedWeight};
use pool::{Lent, Pool};
pub use simd::ISA_VARIABLE;
use winograd::Form;

/// How convolutions with 3x3 kernels are computed; all others are products of matrices. Those that double or halve the size have
/// one form, which `F2` and `F4` both mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConvAlgorithm {
    /// By what is fastest for the size.
    #[default]
    Auto,
    /// As products of matrices, exact up to the rounding of each sum.
    Direct,
    /// By Winograd's algorithm in tiles of 2 x 2, at any size.
    F2,
    /// By Winograd's algorithm in tiles of 4 x 4, at any size: fastest for all but small images, with an error about ten
    /// times that of `Direct`, 1e-6 of the result's spread.
    F4,
}

/// The backend behind [`Device::cpu`](crate::Device::cpu).
pub struct Cpu {
    kernel: &'static Microkernel,
    algorithm: ConvAlgorithm,
    pool: Arc<Pool>,
}

impl Cpu {
    /// Picks the kernels for this processor; [`ISA_VARIABLE`] overrides the choice.
    pub fn new() -> Self {
        Self::with(ConvAlgorithm::default())
    }

    /// With one algorithm for all convolutions that it fits.
    pub fn with(algorithm: ConvAlgorithm) -> Self {
        Cpu { kernel: simd::microkernel(), algorithm, pool: Arc::default() }
    }

    /// The algorithm that it chooses for a convolution, for reports: `direct`, `F(2x2)` or `F(4x4)`, or, for layers that
    /// double the size, `phases` or `F(2x2) up`, for convolutions of stride 2 `F(2x2) down`; empty for others.
    pub fn algorithm(&self, prim: &Prim, args: &[&[usize]], out: &[usize]) -> &'static str {
        let form = match (prim, args) {
            (Prim::Conv2d(conv), [_, weight]) => self.form(conv, false, weight, [out[2], out[3]]),
            (Prim::ConvInput(conv, _), [g, weight]) => {
                if self.doubles(conv, weight, g, out) {
                    return "F(2x2) up";
                }
                self.form(conv, true, weight, [out[2], out[3]])
            }
            (Prim::StyledConv(op), [_, weight, ..]) => {
                match (&op.up, self.styled_form(op, weight, [out[2], out[3]])) {
                    (Some(_), None) => return "phases",
                    (Some(_), Some(_)) => return "F(2x2) up",
                    (None, form) => form,
                }
            }
            (Prim::ConvWeight(..), _) => None,
            _ => return "",
        };
        match form {
            None => "direct",
            Some(Form::F2) => "F(2x2)",
            Some(Form::F4) => "F(4x4)",
            Some(Form::Halved) => "F(2x2) down",
        }
    }

    fn store(&self, values: Vec<f32>) -> Arc<dyn Storage> {
        let packed = Mutex::new(Vec::new());
        Arc::new(Buffer { values, packed, pool: Arc::clone(&self.pool) })
    }

    /// The form of Winograd's algorithm for a convolution, or for its adjoint, of a `weight [a, b, kh, kw]` and a result of
    /// that size.
    fn form(&self, conv: &Conv, adjoint: bool, weight: &[usize], size: [usize; 2]) -> Option<Form> {
        let is_halved = conv.stride == [2, 2] && !adjoint;
        let fits = weight[2..] == [3, 3]
            && (conv.stride == [1, 1] || is_halved)
            && conv.groups == 1
            && conv.padding.iter().all(|&p| p <= 2);
        let form = match self.algorithm {
            _ if !fits => None,
            ConvAlgorithm::Auto => winograd::fastest(weight[0], weight[1], size),
            ConvAlgorithm::Direct => None,
            ConvAlgorithm::F2 => Some(Form::F2),
            ConvAlgorithm::F4 => Some(Form::F4),
        };
        form.map(|form| if is_halved { Form::Halved } else { form })
    }

    /// A convolution, or its adjoint in the input.
    fn convolve(
        &self,
        conv: &Conv,
        adjoint: bool,
        x: View<'_>,
        weight: View<'_>,
        shape: &[usize],
        out: &mut [f32],
    ) {
        match self.form(conv, adjoint, weight.shape, [shape[2], shape[3]]) {
            Some(form) => {
                winograd::convolve(self.kernel, form, conv, adjoint, x, weight, shape, out);
            }
            None if adjoint && self.doubles(conv, weight.shape, x.shape, shape) => {
                winograd::double(self.kernel, x, weight, out);
            }
            None if adjoint => conv::conv_input(self.kernel, conv, x, weight, shape, out),
            None => conv::conv2d(self.kernel, conv, x, weight, shape, out),
        }
    }

    /// Whether the adjoint of a convolution has the form of StyleGAN2's up-sampling layers.
    fn doubles(&self, conv: &Conv, weight: &[usize], g: &[usize], shape: &[usize]) -> bool {
        weight[2..] == [3, 3]
            && *conv == Conv { stride: [2, 2], ..Conv::default() }
            && shape[2..] == [2 * g[2] + 1, 2 * g[3] + 1]
            && match self.algorithm {
                ConvAlgorithm::Auto => winograd::pays(weight[0], weight[1], [shape[2], shape[3]]),
                ConvAlgorithm::Direct => false,
                ConvAlgorithm::F2 | ConvAlgorithm::F4 => true,
            }
    }

    /// The form for a layer of StyleGAN2; up-sampling ones have one form.
    fn styled_form(&self, op: &StyledConv, weight: &[usize], size: [usize; 2]) -> Option<Form> {
        match (&op.up, self.algorithm) {
            (None, _) => self.form(&op.conv(weight[2]), false, weight, size),
            (Some(_), ConvAlgorithm::Direct) => None,
            (Some(_), ConvAlgorithm::Auto) => {
                winograd::pays(weight[0], weight[1], size).then_some(Form::F2)
            }
            (Some(_), ConvAlgorithm::F2 | ConvAlgorithm::F4) => Some(Form::F2),
        }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

/// Values, and copies of them in the order in which a convolution reads its weight.
struct Buffer {
    values: Vec<f32>,
    packed: Mutex<Vec<(PackKey, Arc<PackedWeight>)>>,
    pool: Arc<Pool>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.values));
    }
}

impl Buffer {
    /// The packed copy for `key`, made at first use: weights are shared by many calls.
    fn packed(&self, key: PackKey, pack: impl FnOnce() -> PackedWeight) -> Arc<PackedWeight> {
        let found = |copies: &[(PackKey, Arc<PackedWeight>)]| {
            copies.iter().find(|(k, _)| *k == key).map(|(_, copy)| Arc::clone(copy))
        };
        let lock = || self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = found(&lock()) {
            return copy;
        }
        // Not under the lock: while it waits for its tasks, this thread may begin other work, which may need the same copy.
        let copy = Arc::new(pack());
        let mut copies = lock();
        found(&copies).unwrap_or_else(|| {
            copies.push((key, Arc::clone(&copy)));
            copy
        })
    }
}

impl Storage for Buffer {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        let copies = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let packed: usize = copies.iter().map(|(_, copy)| copy.len()).sum();
        (self.values.capacity() + packed) * size_of::<f32>()
    }
}

fn buffer(storage: &Arc<dyn Storage>) -> Result<&Buffer> {
    storage.as_any().downcast_ref().ok_or_else(|| Error::Device {
        op: "cpu",
        left: "cpu".into(),
        right: "a storage of another backend".into(),
    })
}

/// Whether a kernel relies on zeros where it does not write.
fn leaves_gaps(prim: &Prim) -> bool {
    matches!(prim, Prim::Pad { .. } | Prim::ScatterAdd { .. })
}

/// Operand as the kernels see it.
#[derive(Clone, Copy)]
struct View<'a> {
    buffer: &'a Buffer,
    shape: &'a [usize],
}

impl<'a> View<'a> {
    fn values(&self) -> &'a [f32] {
        &self.buffer.values
    }

    /// Memory for a kernel, from where that of tensors comes from.
    fn lend(&self, len: usize) -> Lent<'a> {
        self.buffer.pool.lend(len)
    }

    /// The sizes of a `[n, c, h, w]` operand; `Prim::output_shape` has checked the rank.
    fn dims4(&self) -> [usize; 4] {
        self.shape.try_into().expect("rank was checked by output_shape")
    }
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn dtype(&self) -> DType {
        DType::F32
    }

    fn exact(&self) -> Option<Arc<dyn Backend>> {
        let pool = Arc::clone(&self.pool);
        Some(Arc::new(Cpu { kernel: self.kernel, algorithm: ConvAlgorithm::Direct, pool }))
    }

    fn upload(&self, data: HostData) -> Result<Arc<dyn Storage>> {
        Ok(self.store(data.into_f32()))
    }

    fn download(&self, storage: &Arc<dyn Storage>) -> Result<HostData> {
        Ok(HostData::F32(buffer(storage)?.values.clone()))
    }

    fn eval(&self, prim: &Prim, args: &[Arg<'_>], shape: &[usize]) -> Result<Arc<dyn Storage>> {
        let views: Vec<View<'_>> = args
            .iter()
            .map(|a| Ok(View { buffer: buffer(a.storage)?, shape: a.shape }))
            .collect::<Result<_>>()?;
        // The kernels' unsafe code relies on these shapes, and this function can be called without a tensor.
        let shapes: Vec<&[usize]> = args.iter().map(|a| a.shape).collect();
        let fits = |v: &View<'_>| numel(v.shape) == Some(v.values().len());
        let is_empty = shapes.iter().chain([&shape]).any(|s| s.contains(&0));
        if is_empty || prim.output_shape(&shapes)? != shape || !views.iter().all(fits) {
            return Err(Error::shape(prim.name(), "the shapes of its operands and result", shapes));
        }
        if let Prim::Reshape(_) = prim {
            return Ok(Arc::clone(args[0].storage));
        }
        let mut values = self.pool.take(numel(shape).unwrap_or(usize::MAX))?;
        let out = values.as_mut_slice();
        if leaves_gaps(prim) {
            out.fill(0.0);
        }
        let x = views[0];
        match prim {
            Prim::Unary(op) => elementwise::unary(*op, x.values(), out),
            Prim::Binary(op) => elementwise::binary(*op, x, views[1], shape, out),
            Prim::Select => {
                elementwise::select(x.values(), views[1].values(), views[2].values(), out);
            }
            Prim::Sum(axes) => reduce::sum(x, axes, out),
            Prim::Max(axes) => reduce::max(x, axes, out),
            Prim::Expand(_) => shape::expand(x, shape, out),
            Prim::Reshape(_) => unreachable!("shares its argument's storage, see above"),
            Prim::Permute(axes) => shape::permute(x, axes, out),
            &Prim::Slice { axis, start, .. } => shape::slice(x, axis, start, shape, out),
            &Prim::Pad { axis, before, .. } => shape::pad(x, axis, before, shape, out),
            &Prim::Concat(axis) => shape::concat(&views, axis, out),
            Prim::Gather { axis, index } => shape::gather(x, *axis, index, out),
            Prim::ScatterAdd { axis, index, len } => shape::scatter_add(x, *axis, index, *len, out),
            &Prim::MatMul { trans_a, trans_b } => {
                matmul::matmul(self.kernel, x, views[1], trans_a, trans_b, out)
            }
            Prim::Conv2d(conv) => self.convolve(conv, false, x, views[1], shape, out),
            Prim::ConvInput(conv, _) => self.convolve(conv, true, x, views[1], shape, out),
            Prim::ConvWeight(conv, _) => {
                conv_weight::conv_weight(self.kernel, conv, x, views[1], shape, out);
            }
            Prim::UpFirDn(op) => resample::upfirdn(self.kernel, op, x, shape, out),
            Prim::BiasAct(op) => elementwise::bias_act(op, x, views.get(1).copied(), out),
            Prim::BiasActGrad(op) => {
                elementwise::bias_act_grad(op, x.values(), views[1].values(), out);
            }
            Prim::DemodulatedActGrad(op) => {
                let operands = [x, views[1], views[2]].map(|v| v.values());
                elementwise::demodulated_act_grad(op, operands, out);
            }
            Prim::SumProduct => reduce::sum_product(x, views[1], out),
            Prim::StyledConv(op) => {
                let form = self.styled_form(op, views[1].shape, [shape[2], shape[3]]);
                styled::styled_conv(self.kernel, form, op, &views, shape, out);
            }
            // One by one they are as fast.
            Prim::Affines(_) | Prim::Demodulations => {
                let expected = "a primitive with a kernel";
                return Err(Error::argument("cpu backend", expected, prim.name()));
            }
        }
        Ok(self.store(values))
    }

    fn run(&self, work: &mut (dyn FnMut() + Send)) {
        tasks::while_awake(work);
    }

    fn fuses(&self, prim: &Prim) -> bool {
        match prim {
            Prim::StyledConv(op) => styled::fuses(op),
            Prim::Affines(_) | Prim::Demodulations => false,
            _ => true,
        }
    }
}
