//! Which instructions the kernels use: chosen here, once, at run time.

use super::microkernel::{self, Microkernel};

/// The environment variable that forces an instruction set: `avx512`, `avx2` or `portable`. An instruction set
/// that the processor lacks is ignored.
pub const ISA_VARIABLE: &str = "GAN_CPU_ISA";

/// The fastest micro-kernel that this processor runs, unless the environment asks for another.
pub(super) fn microkernel() -> &'static Microkernel {
    let wanted = std::env::var(ISA_VARIABLE).unwrap_or_default();
    let available = microkernel::available();
    available.iter().find(|k| k.name == wanted).copied().unwrap_or(available[0])
}
