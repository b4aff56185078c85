//! A GPU as a device of gan-core.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gan_core::backend::{Arg, Backend, DType, HostData, Prim, Storage};
use gan_core::{Device, Error as CoreError};

use crate::driver::{Buffer, Context, File, Launch, Modules, Scalar};
use crate::error::{Error, Result};
use crate::ops::reduce::Reduction;
use crate::ops::{self, View};

/// How a device is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How tensors are stored: `F32`, `F16` or `BF16`. Kernels compute in `f32` in any case.
    pub dtype: DType,
    /// Waits for the end of each kernel, so that a fault names the kernel that caused it. Slow.
    pub synchronous: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { dtype: DType::F32, synchronous: false }
    }
}

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryInfo {
    /// What any process can still have; the reserve that this process keeps for itself is not in it.
    pub free: usize,
    /// What there is.
    pub total: usize,
}

/// One GPU. As a [`Device`] it is what [`device`](crate::device) gives; by itself it has what only GPUs have.
///
/// All its work goes to one stream, in order. It may be used from any thread.
pub struct Cuda {
    name: String,
    context: Arc<Context>,
    modules: Modules,
    scalar: Scalar,
    synchronous: bool,
    constants: Mutex<Constants>,
}

/// Small tables on the device: filters and indices, which are the same for every image.
#[derive(Default)]
struct Constants {
    tables: HashMap<(Vec<u32>, Scalar), Arc<Buffer>>,
    words: usize,
}

/// Words of tables that are kept; beyond this all are made anew. A table of more than an eighth of it is not kept.
const MOST_CONSTANT_WORDS: usize = 1 << 20;

impl Cuda {
    /// Opens the device of that number, from 0.
    ///
    /// # Errors
    /// [`Error::NoLibrary`], [`Error::MissingSymbol`], [`Error::OldDriver`], [`Error::NoDevice`], [`Error::OldDevice`]
    /// where there is no usable GPU; [`Error::Unsupported`] for a type that kernels do not store.
    pub fn open(index: usize, options: &Options) -> Result<Self> {
        let scalar = match options.dtype {
            DType::F32 => Scalar::F32,
            DType::F16 => Scalar::F16,
            DType::BF16 => Scalar::BF16,
            other => {
                let limit = "tensors of F32, F16 or BF16";
                let found = format!("{other:?}");
                return Err(Error::Unsupported { op: "device", limit, found });
            }
        };
        let context = Context::open(index)?;
        let name = match scalar {
            Scalar::F32 | Scalar::U32 => context.name(),
            Scalar::F16 | Scalar::BF16 => format!("{}/{}", context.name(), scalar.suffix()),
        };
        Ok(Cuda {
            name,
            context,
            modules: Modules::default(),
            scalar,
            synchronous: options.synchronous,
            constants: Mutex::default(),
        })
    }

    /// The GPU as its maker names it.
    pub fn model(&self) -> &str {
        self.context.model()
    }

    /// The newest version of CUDA that the driver supports.
    pub fn driver_version(&self) -> (u32, u32) {
        self.context.driver_version()
    }

    /// Its memory.
    ///
    /// # Errors
    /// [`Error::Faulted`] on a device that failed.
    pub fn memory(&self) -> Result<MemoryInfo> {
        let (free, total) = self.context.memory_info()?;
        Ok(MemoryInfo { free, total })
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(crate) fn scalar(&self) -> Scalar {
        self.scalar
    }

    /// Room for `len` elements of the device's type; `op` is named where that is too many.
    pub(crate) fn buffer(&self, op: &'static str, len: usize) -> Result<Buffer> {
        Buffer::uninitialized(&self.context, op, len, self.scalar)
    }

    /// A launch of the kernel of that name for the device's type.
    pub(crate) fn launch(&self, file: File, name: &str) -> Result<Launch<'_>> {
        self.launch_named(file, &format!("{name}_{}", self.scalar.suffix()))
    }

    /// A launch of a kernel by its full name.
    pub(crate) fn launch_named(&self, file: File, name: &str) -> Result<Launch<'_>> {
        let kernel = self.modules.kernel(&self.context, file, name)?;
        Ok(Launch::new(&self.context, kernel, self.synchronous))
    }

    /// A table that many launches read, copied to the device once.
    pub(crate) fn constant(&self, words: Vec<u32>, scalar: Scalar) -> Result<Arc<Buffer>> {
        let lock = || self.constants.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (words, scalar);
        if let Some(table) = lock().tables.get(&key) {
            return Ok(Arc::clone(table));
        }
        // Not under the lock, which others would wait for as long as the copy takes.
        let table = Arc::new(Buffer::from_words(&self.context, &key.0, scalar)?);
        if key.0.len() > MOST_CONSTANT_WORDS / 8 {
            return Ok(table);
        }
        let mut constants = lock();
        if let Some(table) = constants.tables.get(&key) {
            return Ok(Arc::clone(table));
        }
        if constants.words + key.0.len() > MOST_CONSTANT_WORDS {
            *constants = Constants::default();
        }
        constants.words += key.0.len();
        constants.tables.insert(key, Arc::clone(&table));
        Ok(table)
    }

    /// The buffer behind a storage, if it is of this device.
    pub(crate) fn own<'a>(
        &self,
        op: &'static str,
        storage: &'a Arc<dyn Storage>,
    ) -> gan_core::Result<&'a Buffer> {
        let other = match storage.as_any().downcast_ref::<Buffer>() {
            Some(buffer) if Arc::ptr_eq(buffer.context(), &self.context) => return Ok(buffer),
            Some(buffer) => buffer.context().name(),
            None => "storage of another backend".to_owned(),
        };
        Err(CoreError::Device { op, left: self.name.clone(), right: other })
    }

    /// An operand that is of this device, of its type and as large as its shape says.
    pub(crate) fn view<'a>(
        &self,
        op: &'static str,
        arg: &Arg<'a>,
        scalar: Scalar,
    ) -> gan_core::Result<View<'a>> {
        let buffer = self.own(op, arg.storage)?;
        if buffer.scalar() != scalar {
            let right = format!("{}/{}", self.context.name(), buffer.scalar().suffix());
            return Err(CoreError::Device { op, left: self.name.clone(), right });
        }
        let len = arg.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if len != Some(buffer.len()) || arg.shape.contains(&0) {
            let expected = format!("a shape of {} elements", buffer.len());
            return Err(CoreError::Shape { op, expected, found: format!("{:?}", arg.shape) });
        }
        Ok(View { buffer, shape: arg.shape })
    }
}

impl Storage for Buffer {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

impl Backend for Cuda {
    fn name(&self) -> &str {
        &self.name
    }

    fn dtype(&self) -> DType {
        self.scalar.dtype()
    }

    fn upload(&self, data: HostData) -> gan_core::Result<Arc<dyn Storage>> {
        Ok(Arc::new(Buffer::from_f32(&self.context, &data.into_f32(), self.scalar)?))
    }

    fn download(&self, storage: &Arc<dyn Storage>) -> gan_core::Result<HostData> {
        Ok(HostData::F32(self.own("download", storage)?.to_f32()?))
    }

    fn eval(
        &self,
        prim: &Prim,
        args: &[Arg<'_>],
        out: &[usize],
    ) -> gan_core::Result<Arc<dyn Storage>> {
        let op = prim.name();
        let views: Vec<View<'_>> = args
            .iter()
            .map(|arg| self.view(op, arg, self.scalar))
            .collect::<gan_core::Result<_>>()?;
        // The launches rely on these shapes, and this function can be called without a tensor.
        let shapes: Vec<&[usize]> = args.iter().map(|a| a.shape).collect();
        if prim.output_shape(&shapes)? != out || out.contains(&0) {
            let expected = "the shapes of its operands and result".to_owned();
            return Err(CoreError::Shape { op, expected, found: format!("{shapes:?}, {out:?}") });
        }
        if prim.is_fused() && !self.fuses(prim) {
            let expected = "a primitive with a kernel".to_owned();
            return Err(CoreError::Argument {
                what: "cuda backend",
                expected,
                found: op.to_owned(),
            });
        }
        if keeps_values(prim, &shapes, out) {
            return Ok(Arc::clone(args[0].storage));
        }
        if let &Prim::Slice { axis, start, .. } = prim
            && let Some(part) = contiguous_part(views[0], axis, start, out)
        {
            return Ok(Arc::new(part));
        }
        Ok(Arc::new(self.compute(prim, &views, out)?))
    }

    fn fuses(&self, prim: &Prim) -> bool {
        match prim {
            Prim::BiasActGrad(op) => ops::bias_act::has_grad(op),
            Prim::DemodulatedActGrad(_) | Prim::SumProduct => false,
            _ => true,
        }
    }

    fn synchronize(&self) -> gan_core::Result<()> {
        Ok(self.context.synchronize("a wait for all work")?)
    }
}

/// Whether the result is the argument with another shape.
fn keeps_values(prim: &Prim, shapes: &[&[usize]], out: &[usize]) -> bool {
    match prim {
        Prim::Reshape(_) => true,
        // Then every axis that is repeated, reduced or cut has the length that it is given.
        Prim::Expand(_) | Prim::Sum(_) | Prim::Max(_) | Prim::Slice { .. } | Prim::Pad { .. } => {
            shapes[0] == out
        }
        _ => false,
    }
}

/// Tensors up to this many bytes are cut without a copy where memory allows: a part keeps the whole alive.
const MOST_SHARED_BYTES: usize = 1 << 20;

/// A slice that shares the memory of a small argument, which holds it in one piece.
fn contiguous_part(x: View<'_>, axis: usize, start: usize, out: &[usize]) -> Option<Buffer> {
    let is_one_piece = x.shape[..axis].iter().all(|&size| size == 1);
    let inner: usize = x.shape[axis + 1..].iter().product();
    let is_small = x.buffer.bytes() <= MOST_SHARED_BYTES;
    (is_one_piece && is_small).then(|| x.buffer.part(start * inner, out.iter().product()))
}

impl Cuda {
    /// The launches of a primitive whose shapes have been checked.
    fn compute(&self, prim: &Prim, views: &[View<'_>], out: &[usize]) -> Result<Buffer> {
        let x = views[0];
        match prim {
            Prim::Unary(op) => ops::elementwise::unary(self, *op, x),
            Prim::Binary(op) => ops::elementwise::binary(self, *op, [x, views[1]], out),
            Prim::Select => ops::elementwise::select(self, [x, views[1], views[2]]),
            Prim::Sum(axes) => ops::reduce::reduce(self, Reduction::Sum, x, axes),
            Prim::Max(axes) => ops::reduce::reduce(self, Reduction::Max, x, axes),
            Prim::Expand(_) => ops::shape::expand(self, x, out),
            Prim::Reshape(_) => unreachable!("shares its argument's storage"),
            Prim::Permute(axes) => ops::shape::permute(self, x, axes, out),
            &Prim::Slice { axis, start, .. } => ops::shape::slice(self, x, axis, start, out),
            &Prim::Pad { axis, before, .. } => ops::shape::pad(self, x, axis, before, out),
            &Prim::Concat(axis) => ops::shape::concat(self, views, axis, out),
            Prim::Gather { axis, index } => ops::shape::gather(self, x, *axis, index, out),
            Prim::ScatterAdd { axis, index, .. } => {
                ops::shape::scatter_add(self, x, *axis, index, out)
            }
            &Prim::MatMul { trans_a, trans_b } => {
                ops::matmul::matmul(self, [x, views[1]], trans_a, trans_b, out)
            }
            Prim::Conv2d(conv) => ops::conv::conv2d(self, *conv, [x, views[1]], out),
            Prim::ConvInput(conv, _) => ops::conv::conv_input(self, *conv, [x, views[1]], out),
            Prim::ConvWeight(conv, _) => ops::conv::conv_weight(self, *conv, [x, views[1]], out),
            Prim::UpFirDn(op) => ops::resample::upfirdn(self, op, x, out),
            Prim::BiasAct(op) => {
                let bias = views.get(1).copied();
                let before = ops::bias_act::Before { bias, ..Default::default() };
                ops::bias_act::bias_act(self, op, x, before)
            }
            Prim::BiasActGrad(op) => ops::bias_act::bias_act_grad(self, op, [x, views[1]]),
            Prim::DemodulatedActGrad(_) | Prim::SumProduct => {
                unreachable!("no kernel, see `fuses`")
            }
            Prim::StyledConv(op) => ops::styled::styled_conv(self, op, views, out),
            Prim::Affines(gains) => ops::tables::affines(self, gains, views, out[0]),
            Prim::Demodulations => ops::tables::demodulations(self, views, out[0]),
        }
    }
}

impl From<Cuda> for Device {
    fn from(cuda: Cuda) -> Self {
        Device::from_backend(Arc::new(cuda))
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({}, {})", self.name, self.model())
    }
}
