//! What a device must be able to do: store tensors and evaluate [`Prim`]s.
//!
//! Two backends live here: [`cpu`] is fast and computes in `f32`, [`reference`](mod@reference) is naive, safe and
//! computes in `f64`; it is what every other backend is checked against.

pub mod cpu;
mod filter;
mod fused;
mod prim;
pub mod reference;
mod shapes;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

pub use filter::{Factors, Filter, UpFirDn};
pub use fused::{Activation, AffineGains, BiasAct, StyledArgs, StyledConv};
pub(crate) use fused::{SELU_ALPHA, SELU_SCALE};
pub use prim::{Binary, Conv, Prim, Unary};
pub(crate) use shapes::numel;

use crate::error::Result;

/// Element type of a device's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit IEEE float.
    F32,
    /// 64-bit IEEE float.
    F64,
    /// 16-bit IEEE float, in memory; devices that store it compute in `f32`, and exchange `f32` with the host.
    F16,
    /// 16-bit float with the exponent of `f32`, in memory; as [`DType::F16`].
    BF16,
}

/// Values on their way to or from a device.
#[derive(Clone, Debug)]
pub enum HostData {
    /// 32-bit values.
    F32(Vec<f32>),
    /// 64-bit values.
    F64(Vec<f64>),
}

impl HostData {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            HostData::F32(v) => v.len(),
            HostData::F64(v) => v.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values as `f32`, rounded where they are wider.
    pub fn into_f32(self) -> Vec<f32> {
        match self {
            HostData::F32(v) => v,
            HostData::F64(v) => v.into_iter().map(|x| x as f32).collect(),
        }
    }

    /// The values as `f64`.
    pub fn into_f64(self) -> Vec<f64> {
        match self {
            HostData::F32(v) => v.into_iter().map(f64::from).collect(),
            HostData::F64(v) => v,
        }
    }
}

/// A device's memory of one tensor; only the backend that made it looks inside.
pub trait Storage: Any + Send + Sync {
    /// For the backend to downcast.
    fn as_any(&self) -> &dyn Any;
    /// Bytes held, packed copies of weights included.
    fn bytes(&self) -> usize;
}

/// One operand of a [`Prim`]: contiguous, row-major. Storage never changes once made, so a backend may keep a packed
/// copy of a weight in it.
#[derive(Clone, Copy)]
pub struct Arg<'a> {
    /// Its memory, made by the same backend.
    pub storage: &'a Arc<dyn Storage>,
    /// Its shape.
    pub shape: &'a [usize],
}

/// A device. Object safe, so that a backend of another crate plugs in behind [`Device`].
///
/// A backend implements every primitive of [`Prim`]; the fused ones only where [`Backend::fuses`] says so.
pub trait Backend: Send + Sync {
    /// Name that tells this device from all others, such as `cpu` or `cuda:0`.
    fn name(&self) -> &str;

    /// Element type of its tensors.
    fn dtype(&self) -> DType;

    /// Takes values over, converting them to [`Backend::dtype`].
    ///
    /// # Errors
    /// When memory runs out.
    fn upload(&self, data: HostData) -> Result<Arc<dyn Storage>>;

    /// Copies values back.
    ///
    /// # Errors
    /// When the device fails.
    fn download(&self, storage: &Arc<dyn Storage>) -> Result<HostData>;

    /// Evaluates `prim`. Shapes have been checked: `out` is what [`Prim::output_shape`] says of `args`.
    ///
    /// # Errors
    /// When memory runs out or the device fails.
    fn eval(&self, prim: &Prim, args: &[Arg<'_>], out: &[usize]) -> Result<Arc<dyn Storage>>;

    /// Whether a fused primitive has a kernel of its own here; where not, its composite is evaluated.
    fn fuses(&self, prim: &Prim) -> bool;

    /// Calls `work`, which evaluates many primitives, from where they start fastest.
    fn run(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }

    /// The same device without shortcuts that cost accuracy, such as Winograd's algorithm; `None` if it takes none.
    fn exact(&self) -> Option<Arc<dyn Backend>> {
        None
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// When work under way failed.
    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

/// Handle to a device; cheap to clone.
///
/// ```
/// use gan_core::{Device, Tensor};
/// let x = Tensor::new(&[1.0f32, 2.0, 3.0], &[3], &Device::cpu())?;
/// assert_eq!(x.square()?.to_vec::<f32>()?, [1.0, 4.0, 9.0]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Device(Arc<dyn Backend>);

impl Device {
    /// The fast CPU backend, `f32`. It runs on the rayon pool that the caller is in.
    pub fn cpu() -> Self {
        Self::cpu_with(cpu::ConvAlgorithm::Auto)
    }

    /// The CPU backend with one algorithm for its convolutions, for tests and comparisons.
    pub fn cpu_with(algorithm: cpu::ConvAlgorithm) -> Self {
        Device(Arc::new(cpu::Cpu::with(algorithm)))
    }

    /// The same device without shortcuts that cost accuracy: on the CPU, convolutions are sums of products in a fixed
    /// order, not Winograd's algorithm. A property of this handle; tensors made with the other may meet its own.
    pub fn exact(&self) -> Self {
        self.0.exact().map_or_else(|| self.clone(), Device)
    }

    /// Does some work with many operations, whose result is the same anywhere, from where operations start fastest: on the CPU, a
    /// thread of the rayon pool that the caller is in. Each operation that starts elsewhere hands its tasks over and sleeps until they
    /// are done, which is a sixth of the time of a small network. Style-based generators and StyleGAN2's
    /// discriminator, gradients and trainers do this themselves.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let (mut work, mut result) = (Some(work), None);
        let mut once = || {
            if let Some(work) = work.take() {
                result = Some(work());
            }
        };
        self.0.run(&mut once);
        // For a backend that forgot to.
        once();
        result.unwrap_or_else(|| unreachable!("the work was done"))
    }

    /// The naive `f64` backend: slow, and the truth for tests.
    pub fn reference() -> Self {
        Device(Arc::new(reference::Reference))
    }

    /// A device of another crate.
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Device(backend)
    }

    /// The backend behind this handle.
    pub fn backend(&self) -> &dyn Backend {
        &*self.0
    }

    /// Its name, such as `cpu`.
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.name())
    }
}
