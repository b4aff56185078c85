//! The tensor that every network and algorithm of this library is written in.

pub(crate) mod composite;
mod ops;

pub(crate) use ops::LARGEST_FACTOR;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use crate::backend::{Arg, DType, Device, HostData, Prim, Storage};
use crate::error::{Error, Result};

/// An immutable array of numbers on a device; cheap to clone.
///
/// Contiguous and row-major, with at least one element. Every operation gives a new tensor. Operations on a
/// [variable](Tensor::var), and on anything that was computed from one, are recorded, so that
/// [`grad`](crate::grad::grad) can differentiate them; operations on anything else keep nothing alive.
///
/// ```
/// use gan_core::{Device, Order, Tensor, grad};
/// let x = Tensor::new(&[2.0f64], &[1], &Device::reference())?.var();
/// let y = x.mul(&x)?.mul(&x)?.sum_all()?;
/// let slope = grad(&y, &[&x], Order::Second)?.remove(0); // 3 x^2, itself differentiable
/// let curvature = grad(&slope.sum_all()?, &[&x], Order::First)?.remove(0);
/// assert_eq!((slope.item()?, curvature.item()?), (12.0, 12.0));
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor(Arc<Node>);

struct Node {
    /// Grows along every edge, so that descending order of ids is a topological order.
    id: u64,
    device: Device,
    shape: Vec<usize>,
    storage: Arc<dyn Storage>,
    /// How it was computed, if that was recorded.
    source: Option<Source>,
    tracked: bool,
}

/// The recorded operation behind a tensor.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) prim: Prim,
    pub(crate) args: Vec<Tensor>,
}

/// Element types of slices and arrays on the host: `f32` and `f64`.
pub trait Element: Copy + private::Sealed {
    /// Wraps values for a device.
    fn pack(values: Vec<Self>) -> HostData;
    /// Unwraps values of a device, converting if need be.
    fn unpack(data: HostData) -> Vec<Self>;
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Element for f32 {
    fn pack(values: Vec<Self>) -> HostData {
        HostData::F32(values)
    }
    fn unpack(data: HostData) -> Vec<Self> {
        data.into_f32()
    }
}

impl Element for f64 {
    fn pack(values: Vec<Self>) -> HostData {
        HostData::F64(values)
    }
    fn unpack(data: HostData) -> Vec<Self> {
        data.into_f64()
    }
}

impl Tensor {
    /// A tensor of `values`, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape has a zero or another number of elements.
    pub fn new<T: Element>(values: &[T], shape: &[usize], device: &Device) -> Result<Self> {
        Self::from_vec(values.to_vec(), shape, device)
    }

    /// As [`Tensor::new`], without a copy where the device can use the vector itself.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn from_vec<T: Element>(values: Vec<T>, shape: &[usize], device: &Device) -> Result<Self> {
        let expected = checked_numel("tensor", shape)?;
        if expected != values.len() {
            let expected = format!("{expected} values for shape {shape:?}");
            return Err(Error::shape("tensor", expected, values.len()));
        }
        let storage = device.backend().upload(T::pack(values))?;
        Ok(Self::leaf(device.clone(), shape.to_vec(), storage, false))
    }

    /// A tensor of one value throughout.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape has a zero, [`Error::TooLarge`] if it does not fit into memory.
    pub fn full(value: f64, shape: &[usize], device: &Device) -> Result<Self> {
        checked_numel("tensor", shape)?;
        let one = Self::from_vec(vec![value], &vec![1; shape.len()], device)?;
        one.expand(shape)
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// As [`Tensor::full`].
    pub fn zeros(shape: &[usize], device: &Device) -> Result<Self> {
        Self::full(0.0, shape, device)
    }

    /// Copies an array in.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is empty.
    pub fn from_array<T, S, D>(array: &ArrayBase<S, D>, device: &Device) -> Result<Self>
    where
        T: Element,
        S: Data<Elem = T>,
        D: Dimension,
    {
        Self::from_vec(array.iter().copied().collect(), array.shape(), device)
    }

    /// Copies the values out, row-major.
    ///
    /// # Errors
    /// When the device fails.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        Ok(T::unpack(self.0.device.backend().download(&self.0.storage)?))
    }

    /// Copies the values out as an array of the same shape.
    ///
    /// # Errors
    /// When the device fails.
    pub fn to_array<T: Element>(&self) -> Result<ArrayD<T>> {
        ArrayD::from_shape_vec(IxDyn(self.shape()), self.to_vec()?)
            .map_err(|e| Error::shape("to_array", e.to_string(), self.shape()))
    }

    /// The value of a tensor with one element.
    ///
    /// # Errors
    /// [`Error::Shape`] if it has several.
    pub fn item(&self) -> Result<f64> {
        match self.to_vec::<f64>()?.as_slice() {
            [value] => Ok(*value),
            _ => Err(Error::shape("item", "one element", self.shape())),
        }
    }

    /// Its sizes along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.0.shape.iter().product()
    }

    /// The four sizes of a `[n, c, h, w]` tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] for any other rank; `op` is named in it.
    pub fn dims4(&self, op: &'static str) -> Result<[usize; 4]> {
        self.shape().try_into().map_err(|_| Error::shape(op, "[n, c, h, w]", self.shape()))
    }

    /// The two sizes of a `[rows, columns]` tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] for any other rank; `op` is named in it.
    pub fn dims2(&self, op: &'static str) -> Result<[usize; 2]> {
        self.shape().try_into().map_err(|_| Error::shape(op, "[rows, columns]", self.shape()))
    }

    /// The device that holds it.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        self.0.device.backend().dtype()
    }

    /// Bytes that its storage holds, packed copies included.
    pub fn bytes(&self) -> usize {
        self.0.storage.bytes()
    }

    /// The same values on another device, not recorded. What is computed of them runs as that handle has it, such as
    /// [exactly](Device::exact): an operator runs as its first operand's does.
    ///
    /// # Errors
    /// When a device fails.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        if *device == self.0.device {
            let (shape, storage) = (self.0.shape.clone(), self.0.storage.clone());
            return Ok(Self::leaf(device.clone(), shape, storage, false));
        }
        let storage =
            device.backend().upload(self.0.device.backend().download(&self.0.storage)?)?;
        Ok(Self::leaf(device.clone(), self.0.shape.clone(), storage, false))
    }

    /// The same values as a variable: what is computed from it is recorded.
    pub fn var(&self) -> Self {
        Self::leaf(self.0.device.clone(), self.0.shape.clone(), self.0.storage.clone(), true)
    }

    /// The same values as a constant.
    pub fn detach(&self) -> Self {
        if !self.0.tracked {
            return self.clone();
        }
        Self::leaf(self.0.device.clone(), self.0.shape.clone(), self.0.storage.clone(), false)
    }

    /// Whether it is a variable or was computed from one.
    pub fn is_tracked(&self) -> bool {
        self.0.tracked
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn source(&self) -> Option<&Source> {
        self.0.source.as_ref()
    }

    fn leaf(device: Device, shape: Vec<usize>, storage: Arc<dyn Storage>, tracked: bool) -> Self {
        Tensor(Arc::new(Node { id: next_id(), device, shape, storage, source: None, tracked }))
    }

    /// Evaluates a primitive and records it if an argument is tracked. Everything computed goes through here.
    pub(crate) fn apply(prim: Prim, args: &[&Tensor]) -> Result<Tensor> {
        let device = &args[0].0.device;
        if let Some(other) = args.iter().find(|a| a.0.device != *device) {
            return Err(Error::Device {
                op: prim.name(),
                left: device.name().to_owned(),
                right: other.0.device.name().to_owned(),
            });
        }
        let shapes: Vec<&[usize]> = args.iter().map(|a| a.shape()).collect();
        let shape = prim.output_shape(&shapes)?;
        checked_numel(prim.name(), &shape)?;
        if prim.is_fused() && !device.backend().fuses(&prim) {
            let owned: Vec<Tensor> = args.iter().map(|&a| a.clone()).collect();
            return composite::decompose(&prim, &owned);
        }
        let operands: Vec<Arg<'_>> =
            args.iter().map(|a| Arg { storage: &a.0.storage, shape: &a.0.shape }).collect();
        let storage = device.backend().eval(&prim, &operands, &shape)?;
        let tracked = args.iter().any(|a| a.0.tracked);
        let source =
            tracked.then(|| Source { prim, args: args.iter().map(|&a| a.clone()).collect() });
        Ok(Tensor(Arc::new(Node {
            id: next_id(),
            device: device.clone(),
            shape,
            storage,
            source,
            tracked,
        })))
    }
}

/// Only the order of ids matters, and only along edges: the counter carries no other state.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn checked_numel(op: &'static str, shape: &[usize]) -> Result<usize> {
    if shape.contains(&0) {
        return Err(Error::shape(op, "sizes of at least 1", shape));
    }
    let limit = isize::MAX as usize / size_of::<f64>();
    match crate::backend::numel(shape) {
        Some(n) if n <= limit => Ok(n),
        _ => Err(Error::TooLarge { what: op, bytes: usize::MAX }),
    }
}

/// Frees a recorded chain with a loop: the compiler's recursion would overflow the stack on a long one.
impl Drop for Node {
    fn drop(&mut self) {
        let mut pending: Vec<Tensor> = self.source.take().map_or(Vec::new(), |s| s.args);
        while let Some(Tensor(node)) = pending.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                pending.extend(node.source.take().into_iter().flat_map(|s| s.args));
            }
        }
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracked = if self.0.tracked { ", tracked" } else { "" };
        write!(f, "Tensor({:?} on {}{tracked})", self.shape(), self.device().name())
    }
}
