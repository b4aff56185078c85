//! The driver, as far as this crate uses it: a device's context with one stream, and its memory.
//!
//! All of the bindings' unsafe functions are called from this module, and nothing else in the crate is unsafe. One stream
//! orders everything: memory is allocated and freed on it, so that a kernel launched earlier has always finished with
//! a buffer before the next one can be given the same bytes.

#![allow(unsafe_code)]

mod buffer;
mod launch;
mod memory;
mod modules;
mod probe;
mod ptx;

use std::ffi::{CString, c_void};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;

pub(crate) use buffer::{Buffer, Scalar};
pub(crate) use launch::Launch;
pub(crate) use modules::{File, Modules};

use crate::error::{Error, NEEDED_CAPABILITY, NEEDED_DRIVER, Result};

/// A device's primary context and the stream that all work of this process goes to.
pub(crate) struct Context {
    index: usize,
    name: String,
    driver_version: (u32, u32),
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    pool: sys::CUmemoryPool,
    /// What broke the device, once something has.
    fault: OnceLock<Error>,
}

// SAFETY: the driver's handles may be used from any thread; `bind` makes the context that of the calling one.
unsafe impl Send for Context {}
// SAFETY: the driver locks its own state, and `fault` is a lock too.
unsafe impl Sync for Context {}

/// Contexts in use. Two handles to one device must share its stream, or neither would wait for the other's work.
static OPEN: Mutex<Vec<Weak<Context>>> = Mutex::new(Vec::new());

impl Context {
    /// The context of a device; the same one as long as anybody holds it.
    pub(crate) fn open(index: usize) -> Result<Arc<Self>> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|weak| weak.strong_count() > 0);
        if let Some(found) = open.iter().filter_map(Weak::upgrade).find(|c| c.index == index) {
            return Ok(found);
        }
        let context = Arc::new(Self::new(index)?);
        open.push(Arc::downgrade(&context));
        Ok(context)
    }

    fn new(index: usize) -> Result<Self> {
        probe::probe()?;
        match result::init() {
            Err(e) if e.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE => {
                return Err(Error::NoDevice { index, count: 0 });
            }
            initialised => initialised.map_err(failed(index, "cuInit"))?,
        }
        let driver_version = driver_version(index)?;
        if driver_version < NEEDED_DRIVER {
            return Err(Error::OldDriver { found: driver_version });
        }
        let count = result::device::get_count().map_err(failed(index, "cuDeviceGetCount"))?;
        let ordinal = i32::try_from(index).ok().filter(|&i| i < count);
        let Some(ordinal) = ordinal else {
            return Err(Error::NoDevice { index, count: usize::try_from(count).unwrap_or(0) });
        };
        let device = result::device::get(ordinal).map_err(failed(index, "cuDeviceGet"))?;
        let name = result::device::get_name(device).map_err(failed(index, "cuDeviceGetName"))?;
        let found = capability(index, device)?;
        if found < NEEDED_CAPABILITY {
            return Err(Error::OldDevice { name, found });
        }
        let primary = Primary::retain(index, device)?;
        // SAFETY: the context is alive, as `primary` holds it.
        unsafe { result::ctx::set_current(primary.context) }
            .map_err(failed(index, "cuCtxSetCurrent"))?;
        let pool = keeping_pool(index, device)?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking)
            .map_err(failed(index, "cuStreamCreate"))?;
        Ok(Context {
            index,
            name,
            driver_version,
            device,
            context: primary.keep(),
            stream,
            pool,
            fault: OnceLock::new(),
        })
    }

    /// What users call it.
    pub(crate) fn name(&self) -> String {
        device_name(self.index)
    }

    /// What its maker calls it.
    pub(crate) fn model(&self) -> &str {
        &self.name
    }

    /// The newest version of CUDA that the driver supports.
    pub(crate) fn driver_version(&self) -> (u32, u32) {
        self.driver_version
    }

    /// Bytes that are free, and bytes that there are.
    pub(crate) fn memory_info(&self) -> Result<(usize, usize)> {
        self.bind()?;
        self.check("cuMemGetInfo", result::mem_get_info())
    }

    /// Waits for all work of the stream. `at` is what to name if that work failed.
    pub(crate) fn synchronize(&self, at: &str) -> Result<()> {
        self.bind()?;
        // SAFETY: the stream lives as long as `self`.
        let done = unsafe { result::stream::synchronize(self.stream) };
        self.check_at("cuStreamSynchronize", at, done)
    }

    /// Loads a module of PTX text.
    pub(crate) fn load(self: &Arc<Self>, file: &'static str, ptx: &str) -> Result<Module> {
        self.bind()?;
        let wrong = |reason: String| Error::Kernel { kernel: file.to_owned(), reason };
        let text = CString::new(ptx).map_err(|e| wrong(e.to_string()))?;
        // SAFETY: the text ends with a zero and outlives the call.
        let module = unsafe { result::module::load_data(text.as_ptr().cast::<c_void>()) };
        let module = self.check_at("cuModuleLoadData", file, module).map_err(|e| match e {
            Error::Driver { name, .. } => {
                let (major, minor) = self.driver_version;
                let model = &self.name;
                wrong(format!(
                    "{name} while loading it into {model} with a driver for CUDA {major}.{minor}"
                ))
            }
            fault => fault,
        })?;
        Ok(Module { context: Arc::clone(self), module })
    }

    /// Launches a kernel.
    ///
    /// # Safety
    /// Each of `arguments` must point to a value of the size and type that the kernel's parameter of that place has, pointers
    /// among these values must be to memory of this context that is long enough for what the kernel does with it, and
    /// the kernel must write to nothing that is in use elsewhere.
    pub(crate) unsafe fn launch(
        &self,
        kernel: &str,
        function: &Function,
        grid: [u32; 3],
        block: [u32; 3],
        arguments: &mut [*mut c_void],
    ) -> Result<()> {
        self.bind()?;
        let [gx, gy, gz] = grid;
        let [bx, by, bz] = block;
        // SAFETY: the function's module lives (`Function` holds it), and so does the stream; the rest is the caller's
        // promise.
        let launched = unsafe {
            result::launch_kernel(
                function.function,
                (gx, gy, gz),
                (bx, by, bz),
                0,
                self.stream,
                arguments,
            )
        };
        self.check_at("cuLaunchKernel", kernel, launched)
    }

    /// Makes this the calling thread's context, or says what broke the device.
    fn bind(&self) -> Result<()> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone());
        }
        // Without a look at the present one: what another library destroyed may have had the same address.
        // SAFETY: the context lives as long as `self`.
        self.check("cuCtxSetCurrent", unsafe { result::ctx::set_current(self.context) })
    }

    fn check<T>(&self, call: &'static str, result: Result<T, DriverError>) -> Result<T> {
        self.check_at(call, call, result)
    }

    /// Turns a driver's result into ours and remembers it if it broke the device.
    fn check_at<T>(
        &self,
        call: &'static str,
        at: &str,
        result: Result<T, DriverError>,
    ) -> Result<T> {
        result.map_err(|e| match failure(self.name(), call, at, e) {
            fault @ Error::Faulted { .. } => self.fault.get_or_init(|| fault).clone(),
            other => other,
        })
    }
}

impl Drop for Context {
    /// Nobody is left to tell about failures here.
    fn drop(&mut self) {
        // SAFETY: both were made by `new` and are used by nobody else: all memory and modules hold the context.
        unsafe {
            if result::ctx::set_current(self.context).is_ok() {
                let _ = result::stream::synchronize(self.stream);
                let _ = result::stream::destroy(self.stream);
            }
            let _ = result::primary_ctx::release(self.device);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({}, {})", self.name(), self.name)
    }
}

/// A retained primary context that is released again unless it is kept.
struct Primary {
    device: sys::CUdevice,
    context: sys::CUcontext,
}

impl Primary {
    fn retain(index: usize, device: sys::CUdevice) -> Result<Self> {
        // SAFETY: the device came from the driver.
        let context = unsafe { result::primary_ctx::retain(device) };
        Ok(Primary { device, context: context.map_err(failed(index, "cuDevicePrimaryCtxRetain"))? })
    }

    fn keep(self) -> sys::CUcontext {
        let context = self.context;
        std::mem::forget(self);
        context
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        // SAFETY: retained above, and released only here.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

/// Kernels in the driver's hands.
pub(crate) struct Module {
    context: Arc<Context>,
    module: sys::CUmodule,
}

// SAFETY: as for `Context`.
unsafe impl Send for Module {}
// SAFETY: as for `Context`.
unsafe impl Sync for Module {}

impl Module {
    /// A kernel by its name.
    pub(crate) fn function(self: &Arc<Self>, name: &str) -> Result<Function> {
        let wrong = |reason: String| Error::Kernel { kernel: name.to_owned(), reason };
        self.context.bind()?;
        let c_name = CString::new(name).map_err(|e| wrong(e.to_string()))?;
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(self.module, c_name) };
        let function = self.context.check_at("cuModuleGetFunction", name, function);
        let function = function.map_err(|e| match e {
            Error::Driver { name, .. } => wrong(format!("{name} while looking for it")),
            fault => fault,
        })?;
        Ok(Function { function, _module: Arc::clone(self) })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: loaded once, and functions hold the module.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// A kernel that can be launched.
pub(crate) struct Function {
    function: sys::CUfunction,
    _module: Arc<Module>,
}

// SAFETY: as for `Context`.
unsafe impl Send for Function {}
// SAFETY: as for `Context`.
unsafe impl Sync for Function {}

fn driver_version(index: usize) -> Result<(u32, u32)> {
    let mut version = 0i32;
    // SAFETY: the driver writes one int.
    let result = unsafe { sys::cuDriverGetVersion(&mut version) }.result();
    result.map_err(failed(index, "cuDriverGetVersion"))?;
    let version = version.unsigned_abs();
    Ok((version / 1000, version % 1000 / 10))
}

fn capability(index: usize, device: sys::CUdevice) -> Result<(u32, u32)> {
    use sys::CUdevice_attribute as Attribute;
    let attribute = |attribute: Attribute| {
        // SAFETY: the device came from the driver.
        let value = unsafe { result::device::get_attribute(device, attribute) };
        value.map(i32::unsigned_abs).map_err(failed(index, "cuDeviceGetAttribute"))
    };
    Ok((
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    ))
}

/// The device's memory pool, told to keep what it has: otherwise each wait for the stream would give it all back.
fn keeping_pool(index: usize, device: sys::CUdevice) -> Result<sys::CUmemoryPool> {
    // SAFETY: the device came from the driver.
    let pool = unsafe { result::device::get_default_mem_pool(device) };
    let pool = pool.map_err(failed(index, "cuDeviceGetDefaultMemPool"))?;
    let mut threshold = u64::MAX;
    let value = std::ptr::from_mut(&mut threshold).cast::<c_void>();
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pool is the device's, and this attribute is a 64-bit number.
    let set = unsafe { result::mem_pool::set_attribute(pool, attribute, value) };
    set.map_err(failed(index, "cuMemPoolSetAttribute"))?;
    Ok(pool)
}

/// What users call the device of that number.
fn device_name(index: usize) -> String {
    format!("cuda:{index}")
}

/// A driver's result while a device is opened.
fn failed(index: usize, call: &'static str) -> impl FnOnce(DriverError) -> Error {
    move |e| failure(device_name(index), call, call, e)
}

/// A driver's result as an error of ours.
fn failure(device: String, call: &'static str, at: &str, e: DriverError) -> Error {
    let (code, name) = (e.0 as u32, code_name(e));
    match breaks_device(e.0) {
        true => Error::Faulted { device, at: at.to_owned(), code, name },
        false => Error::Driver { call, code, name },
    }
}

/// The driver's name of a result, or, from stubs, which know none, that of the bindings.
fn code_name(e: DriverError) -> String {
    e.error_name().map_or_else(|_| format!("{:?}", e.0), |name| name.to_string_lossy().into_owned())
}

/// Whether the context is of no more use after this result (the driver's documentation says so for each of them).
fn breaks_device(code: sys::CUresult) -> bool {
    use sys::CUresult as R;
    matches!(
        code,
        R::CUDA_ERROR_CONTAINED
            | R::CUDA_ERROR_TENSOR_MEMORY_LEAK
            | R::CUDA_ERROR_EXTERNAL_DEVICE
            | R::CUDA_ERROR_ECC_UNCORRECTABLE
            | R::CUDA_ERROR_NVLINK_UNCORRECTABLE
            | R::CUDA_ERROR_ILLEGAL_ADDRESS
            | R::CUDA_ERROR_LAUNCH_TIMEOUT
            | R::CUDA_ERROR_ASSERT
            | R::CUDA_ERROR_HARDWARE_STACK_ERROR
            | R::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | R::CUDA_ERROR_MISALIGNED_ADDRESS
            | R::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | R::CUDA_ERROR_INVALID_PC
            | R::CUDA_ERROR_LAUNCH_FAILED
            | R::CUDA_ERROR_CONTEXT_IS_DESTROYED
            | R::CUDA_ERROR_UNKNOWN
    )
}
