//! Launches kernels in the emulator, and compares.

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::sync::OnceLock;

use half::{bf16, f16};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::support;

/// A type of storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    F32,
    F16,
    BF16,
}

pub(crate) const SCALARS: [Scalar; 3] = [Scalar::F32, Scalar::F16, Scalar::BF16];

impl Scalar {
    /// `kernel_f16` and so on.
    pub(crate) fn name(self, kernel: &str) -> String {
        let suffix = match self {
            Scalar::F32 => "f32",
            Scalar::F16 => "f16",
            Scalar::BF16 => "bf16",
        };
        format!("{kernel}_{suffix}")
    }

    /// The nearest value that can be stored.
    pub(crate) fn round(self, x: f64) -> f64 {
        match self {
            Scalar::F32 => f64::from(x as f32),
            Scalar::F16 => f16::from_f32(x as f32).to_f64(),
            Scalar::BF16 => bf16::from_f32(x as f32).to_f64(),
        }
    }

    fn bytes(self, x: f64) -> Vec<u8> {
        match self {
            Scalar::F32 => (x as f32).to_ne_bytes().to_vec(),
            Scalar::F16 => f16::from_f32(x as f32).to_ne_bytes().to_vec(),
            Scalar::BF16 => bf16::from_f32(x as f32).to_ne_bytes().to_vec(),
        }
    }

    fn value(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Scalar::F32, &[a, b, c, d]) => f64::from(f32::from_ne_bytes([a, b, c, d])),
            (Scalar::F16, &[a, b]) => f16::from_ne_bytes([a, b]).to_f64(),
            (_, &[a, b]) => bf16::from_ne_bytes([a, b]).to_f64(),
            _ => unreachable!("elements have two or four bytes"),
        }
    }

    fn size(self) -> usize {
        if self == Scalar::F32 { 4 } else { 2 }
    }

    /// Largest error in units of the largest value: of sums in `f32`, or half a unit in the last
    /// place of the others.
    fn tolerance(self) -> f64 {
        match self {
            Scalar::F32 => 3e-6,
            Scalar::F16 => 5e-4,
            Scalar::BF16 => 4e-3,
        }
    }
}

/// An argument as a kernel gets it.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Pointer(u64),
    Word(u32),
    Int(i32),
    Float(f32),
    Struct(Vec<u32>),
}

pub(crate) const NULL: Arg = Arg::Pointer(0);

/// An order of threads and blocks, as `gan_emul_launch` takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule(i32, u64);

pub(crate) const SCHEDULES: [Schedule; 4] =
    [Schedule(0, 0), Schedule(1, 0), Schedule(2, 1), Schedule(2, 2)];

/// Why a launch failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) message: String,
}

type Launch = unsafe extern "C" fn(
    *const c_char,
    u32,
    u32,
    *mut *mut c_void,
    *const usize,
    usize,
    i32,
    u64,
) -> i32;

/// A stand-in driver with a context on its first device.
pub(crate) struct Emulator {
    library: Library,
}

/// The emulator with the kernels as they are; `None` where it cannot be built.
pub(crate) fn emulator() -> Option<&'static Emulator> {
    static EMULATOR: OnceLock<Option<Emulator>> = OnceLock::new();
    let emulator = EMULATOR.get_or_init(|| support::driver_path().map(Emulator::open)).as_ref();
    if let Some(emulator) = emulator {
        emulator.enter();
    }
    emulator
}

impl Emulator {
    pub(crate) fn open(path: &Path) -> Self {
        // SAFETY: the library was built by this program; its initialisers only fill a table.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let emulator = Emulator { library: library.expect("the driver loads") };
        emulator.enter();
        emulator
    }

    fn symbol<T: Copy>(&self, name: &str) -> T {
        // SAFETY: every caller names the type that emul/driver.cpp declares.
        *unsafe { self.library.get::<T>(name.as_bytes()) }.expect("symbol")
    }

    /// Makes the first device's context that of this thread.
    pub(crate) fn enter(&self) {
        let init: unsafe extern "C" fn(u32) -> i32 = self.symbol("cuInit");
        let retain: unsafe extern "C" fn(*mut *mut c_void, i32) -> i32 =
            self.symbol("cuDevicePrimaryCtxRetain");
        let set: unsafe extern "C" fn(*mut c_void) -> i32 = self.symbol("cuCtxSetCurrent");
        let mut context = std::ptr::null_mut();
        // SAFETY: as the driver's documentation says; the context lives as long as the library.
        let codes = unsafe { [init(0), retain(&raw mut context, 0), set(context)] };
        assert_eq!(codes, [0; 3]);
    }

    fn allocate(&self, bytes: &[u8]) -> Buffer<'_> {
        let buffer = self.room(bytes.len());
        let copy: unsafe extern "C" fn(u64, *const c_void, usize) -> i32 =
            self.symbol("cuMemcpyHtoD_v2");
        // SAFETY: both sides have that many bytes.
        assert_eq!(unsafe { copy(buffer.pointer, bytes.as_ptr().cast(), bytes.len()) }, 0);
        buffer
    }

    /// Memory that holds NaN.
    pub(crate) fn room(&self, bytes: usize) -> Buffer<'_> {
        let allocate: unsafe extern "C" fn(*mut u64, usize) -> i32 = self.symbol("cuMemAlloc_v2");
        let mut pointer = 0;
        // SAFETY: the pointer is there for the result.
        assert_eq!(unsafe { allocate(&raw mut pointer, bytes) }, 0);
        Buffer { emulator: self, pointer, bytes }
    }

    pub(crate) fn upload(&self, values: &[f64], scalar: Scalar) -> Buffer<'_> {
        self.allocate(&values.iter().flat_map(|&x| scalar.bytes(x)).collect::<Vec<u8>>())
    }

    pub(crate) fn words(&self, words: &[u32]) -> Buffer<'_> {
        self.allocate(&words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>())
    }

    pub(crate) fn launch(
        &self,
        kernel: &str,
        [grid, block]: [usize; 2],
        args: &[Arg],
        schedule: Schedule,
    ) -> Result<(), Failure> {
        let mut values: Vec<Vec<u8>> = args
            .iter()
            .map(|arg| match arg {
                Arg::Pointer(p) => p.to_ne_bytes().to_vec(),
                Arg::Word(w) => w.to_ne_bytes().to_vec(),
                Arg::Int(i) => i.to_ne_bytes().to_vec(),
                Arg::Float(x) => x.to_ne_bytes().to_vec(),
                Arg::Struct(words) => words.iter().flat_map(|w| w.to_ne_bytes()).collect(),
            })
            .collect();
        let sizes: Vec<usize> = values.iter().map(Vec::len).collect();
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|v| v.as_mut_ptr().cast()).collect();
        let name = CString::new(kernel).expect("no zero");
        let launch: Launch = self.symbol("gan_emul_launch");
        let (grid, block) = (grid as u32, block as u32);
        // SAFETY: the arrays have as many entries as is said, and the emulator compares the sizes
        // with the kernel's.
        let code = unsafe {
            launch(
                name.as_ptr(),
                grid,
                block,
                pointers.as_mut_ptr(),
                sizes.as_ptr(),
                sizes.len(),
                schedule.0,
                schedule.1,
            )
        };
        if code == 0 { Ok(()) } else { Err(Failure { code, message: self.message() }) }
    }

    /// The driver's result when it is given this PTX and asked for a kernel of it.
    pub(crate) fn load(&self, ptx: &str, kernel: &str) -> i32 {
        let load: unsafe extern "C" fn(*mut *mut c_void, *const c_char) -> i32 =
            self.symbol("cuModuleLoadData");
        let get: unsafe extern "C" fn(*mut *mut c_void, *mut c_void, *const c_char) -> i32 =
            self.symbol("cuModuleGetFunction");
        let unload: unsafe extern "C" fn(*mut c_void) -> i32 = self.symbol("cuModuleUnload");
        let (ptx, kernel) =
            (CString::new(ptx).expect("no zero"), CString::new(kernel).expect("no zero"));
        let (mut module, mut function) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: as the driver's documentation says; the module is used only while it is loaded.
        unsafe {
            assert_eq!(load(&raw mut module, ptx.as_ptr()), 0);
            let code = get(&raw mut function, module, kernel.as_ptr());
            assert_eq!(unload(module), 0);
            code
        }
    }

    fn message(&self) -> String {
        let message: unsafe extern "C" fn(*mut c_char, usize) -> usize =
            self.symbol("gan_emul_message");
        let mut text = vec![0u8; 1000];
        // SAFETY: the buffer is that long.
        let len = unsafe { message(text.as_mut_ptr().cast(), text.len()) };
        text.truncate(len);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What a kernel writes under one schedule; `args` gets the result's address.
    pub(crate) fn result(
        &self,
        kernel: &str,
        launch: [usize; 2],
        (len, scalar): (usize, Scalar),
        args: &impl Fn(Arg) -> Vec<Arg>,
        schedule: Schedule,
    ) -> Result<Vec<f64>, Failure> {
        let out = self.room(len * scalar.size());
        self.launch(kernel, launch, &args(out.arg()), schedule)?;
        Ok(out.read(scalar))
    }

    /// Launches under every schedule: the results must be near `expected`, and equal to each other.
    #[track_caller]
    pub(crate) fn check(
        &self,
        kernel: &str,
        launch: [usize; 2],
        scalar: Scalar,
        args: impl Fn(Arg) -> Vec<Arg>,
        expected: &[f64],
    ) {
        let mut first: Option<Vec<f64>> = None;
        for schedule in SCHEDULES {
            let found = self
                .result(kernel, launch, (expected.len(), scalar), &args, schedule)
                .unwrap_or_else(|e| panic!("{kernel} under {schedule:?}: {e:?}"));
            if let Some(error) = difference(&found, expected, scalar) {
                panic!("{kernel} under {schedule:?}: {error}");
            }
            let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let first = first.get_or_insert_with(|| found.clone());
            assert_eq!(bits(first), bits(&found), "{kernel} depends on the order of threads");
        }
    }
}

/// Says where `found` is too far from `expected`.
pub(crate) fn difference(found: &[f64], expected: &[f64], scalar: Scalar) -> Option<String> {
    let finite = |x: &&f64| x.is_finite();
    let largest = expected.iter().filter(finite).fold(1.0f64, |m, x| m.max(x.abs()));
    let allowed = scalar.tolerance() * largest;
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= allowed;
    let place = found.iter().zip(expected).position(|(&a, &b)| !same(a, b))?;
    Some(format!("{} where {} is expected, at {place}", found[place], expected[place]))
}

/// Device memory, freed when dropped.
pub(crate) struct Buffer<'a> {
    emulator: &'a Emulator,
    pointer: u64,
    bytes: usize,
}

impl Buffer<'_> {
    pub(crate) fn arg(&self) -> Arg {
        Arg::Pointer(self.pointer)
    }

    /// Its address as two words of a table.
    pub(crate) fn address(&self) -> [u32; 2] {
        [self.pointer as u32, (self.pointer >> 32) as u32]
    }

    pub(crate) fn read(&self, scalar: Scalar) -> Vec<f64> {
        let copy: unsafe extern "C" fn(*mut c_void, u64, usize) -> i32 =
            self.emulator.symbol("cuMemcpyDtoH_v2");
        let mut bytes = vec![0u8; self.bytes];
        // SAFETY: both sides have that many bytes.
        assert_eq!(unsafe { copy(bytes.as_mut_ptr().cast(), self.pointer, self.bytes) }, 0);
        bytes.chunks_exact(scalar.size()).map(|b| scalar.value(b)).collect()
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let free: unsafe extern "C" fn(u64) -> i32 = self.emulator.symbol("cuMemFree_v2");
        // SAFETY: it was allocated by the same driver, and nothing runs any more.
        unsafe { free(self.pointer) };
    }
}

/// Grid and block of a kernel with one thread a result.
pub(crate) fn each(n: usize) -> [usize; 2] {
    [n.div_ceil(256), 256]
}

/// Values between -2 and 2 that can be stored, always the same for the same seed.
pub(crate) fn values(n: usize, scalar: Scalar, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        scalar.round((state >> 11) as f64 / (1u64 << 53) as f64 * 4.0 - 2.0)
    };
    std::iter::repeat_with(next).take(n).collect()
}

/// A `Strided` of these axes, as an argument.
pub(crate) fn strided(axes: &[(usize, usize)]) -> Arg {
    let mut words = vec![u32::MAX; 17];
    words[0] = axes.len() as u32;
    for (d, &(size, stride)) in axes.iter().enumerate() {
        words[1 + d] = size as u32;
        words[9 + d] = stride as u32;
    }
    Arg::Struct(words)
}

/// The place that those axes give an index.
pub(crate) fn place(axes: &[(usize, usize)], mut index: usize) -> usize {
    let mut at = 0;
    for &(size, stride) in axes.iter().rev() {
        at += index % size * stride;
        index /= size;
    }
    at
}

/// Numbers of one kind as arguments.
pub(crate) fn count(n: usize) -> Arg {
    Arg::Word(n as u32)
}
