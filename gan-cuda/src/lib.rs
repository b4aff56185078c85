//! NVIDIA GPUs behind gan-core's `Backend` trait, with kernels written by hand.
//!
//! It builds on any machine: the driver is looked for when a device is opened, and where there is none, that is an error
//! to handle and not a panic.
//!
//! ```
//! use gan_core::{Device, Tensor};
//! let device = gan_cuda::device(0).unwrap_or_else(|_| Device::cpu());
//! let x = Tensor::new(&[1.0f32, 2.0, 3.0], &[3], &device)?;
//! assert_eq!(x.square()?.to_vec::<f32>()?, [1.0, 4.0, 9.0]);
//! # Ok::<(), gan_core::Error>(())
//! ```
//!
//! The kernels are in `kernels/`, as CUDA C++, and in `ptx/`, as the PTX that the driver compiles for the GPU it finds
//! (compute capability 8.0 or newer, driver for CUDA 12.1 or newer); neither is touched when this crate is built. Where no
//! GPU is at hand, tests named `emul_*` run the same kernels and the same host code over a stand-in for the driver that
//! executes them on the CPU.
//!
//! Features name the version of CUDA whose bindings are compiled, and exactly one must be on: `cuda-13` (default), or
//! `cuda-12` with `default-features = false`. Either works with every driver that is new enough. The bindings are cudarc's: a
//! program in which another crate asks cudarc for `dynamic-linking` needs the driver's library to start at all.

mod device;
mod driver;
mod error;
mod ops;

pub use device::{Cuda, MemoryInfo, Options};
pub use error::{Error, Result};

use gan_core::Device;

/// The GPU of that number, from 0, with tensors of `f32`.
///
/// # Errors
/// As [`Cuda::open`].
pub fn device(index: usize) -> Result<Device> {
    device_with(index, &Options::default())
}

/// As [`device`], with other options.
///
/// # Errors
/// As [`Cuda::open`].
pub fn device_with(index: usize, options: &Options) -> Result<Device> {
    Ok(Cuda::open(index, options)?.into())
}
