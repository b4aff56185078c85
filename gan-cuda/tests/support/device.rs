//! Devices of the stand-in driver.

use gan_core::Device;
use gan_cuda::{Cuda, Options};

use crate::support::stand_in;

/// A device of the stand-in driver; `None`, having said why, where that cannot be built.
pub(crate) fn stand_in_cuda(index: usize, options: &Options) -> Option<Cuda> {
    stand_in()?;
    let cuda = Cuda::open(index, options).expect("the stand-in driver has devices");
    // A machine with CUDA's own `libcuda.so` on its path finds that first.
    if !cuda.model().starts_with("stand-in") {
        eprintln!("skipped: this process found a driver of NVIDIA's before the stand-in");
        return None;
    }
    Some(cuda)
}

/// As [`stand_in_cuda`], with tensors of `f32`.
pub(crate) fn stand_in_device(index: usize) -> Option<Device> {
    stand_in_cuda(index, &Options::default()).map(Device::from)
}
