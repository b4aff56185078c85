//! The one error type of this crate.

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong on a GPU, or on the way to one.
///
/// Inside of [`gan_core::Error`] it is the source of [`gan_core::Error::Backend`], where `downcast_ref` finds it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No NVIDIA driver on this machine.
    #[error("no CUDA driver: none of {} can be loaded; install the NVIDIA driver, or use Device::cpu()", tried.join(", "))]
    NoLibrary {
        /// Names under which the driver's library was looked for.
        tried: Vec<&'static str>,
    },
    /// A library of the driver's name that is not a usable driver: a container's stub, or one from long ago.
    #[error("{library} is not a usable CUDA driver: it lacks {symbol}; a stub for linking, or a driver older than {}.{}?", NEEDED_DRIVER.0, NEEDED_DRIVER.1)]
    MissingSymbol {
        /// The library that was found.
        library: &'static str,
        /// The function that it should have.
        symbol: &'static str,
    },
    /// A driver that cannot load this crate's kernels.
    #[error("the driver supports CUDA {}.{}, and {}.{} or newer is needed; update the NVIDIA driver", found.0, found.1, NEEDED_DRIVER.0, NEEDED_DRIVER.1)]
    OldDriver {
        /// The newest version of CUDA that the driver supports.
        found: (u32, u32),
    },
    /// There is no device of that number.
    #[error(
        "no CUDA device {index}: the driver sees {count}, numbered from 0; CUDA_VISIBLE_DEVICES can hide some"
    )]
    NoDevice {
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A device from before the kernels' time.
    #[error("{name} has compute capability {}.{}, and {}.{} or newer is needed; use another GPU, or Device::cpu()", found.0, found.1, NEEDED_CAPABILITY.0, NEEDED_CAPABILITY.1)]
    OldDevice {
        /// The device, as the driver names it.
        name: String,
        /// Its compute capability.
        found: (u32, u32),
    },
    /// A call of the driver failed.
    #[error("the CUDA driver failed in {call}: {name} ({code})")]
    Driver {
        /// The function of the driver.
        call: &'static str,
        /// Its result.
        code: u32,
        /// The name of that result.
        name: String,
    },
    /// The device's memory is full.
    #[error(
        "out of memory on {device}: {wanted} bytes wanted, {free} of {total} free; use a smaller batch or resolution"
    )]
    OutOfMemory {
        /// The device.
        device: String,
        /// Size of the allocation that failed, in bytes.
        wanted: usize,
        /// Bytes that were free, the pool's own reserve given back.
        free: usize,
        /// Bytes that the device has.
        total: usize,
    },
    /// A kernel went wrong in a way that the device does not recover from. Everything on it is lost; other devices
    /// still work, and a new process can use this one again.
    #[error(
        "{device} failed and cannot be used by this process any more: {name} ({code}), noticed at {at}; start a new process, \
         with Options::synchronous to see which kernel it is"
    )]
    Faulted {
        /// The device.
        device: String,
        /// The call or kernel at which the fault was noticed: that of the kernel itself under
        /// [`Options::synchronous`](crate::Options::synchronous), else possibly a later one.
        at: String,
        /// The result of the driver.
        code: u32,
        /// The name of that result.
        name: String,
    },
    /// More than the kernels can do.
    #[error("{op} on CUDA: {limit}, found {found}")]
    Unsupported {
        /// The operator.
        op: &'static str,
        /// What the kernels are limited to.
        limit: &'static str,
        /// What was asked for.
        found: String,
    },
    /// A kernel could not be loaded, or does not agree with the host code: a fault of this crate, or a driver that is
    /// incomplete.
    #[error("CUDA kernel {kernel}: {reason}")]
    Kernel {
        /// The kernel.
        kernel: String,
        /// What does not fit.
        reason: String,
    },
}

/// The kernels' PTX is of ISA 8.1, which drivers know since CUDA 12.1.
pub(crate) const NEEDED_DRIVER: (u32, u32) = (12, 1);

/// The kernels' PTX is for `compute_80` (Ampere).
pub(crate) const NEEDED_CAPABILITY: (u32, u32) = (8, 0);

impl From<Error> for gan_core::Error {
    fn from(error: Error) -> Self {
        gan_core::Error::Backend { device: "CUDA".to_owned(), source: Box::new(error) }
    }
}
