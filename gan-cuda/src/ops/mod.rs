//! One function a primitive: from operands to a launch of the kernel that computes it.
//!
//! Shapes have been checked by then (`Prim::output_shape`). What is checked here is what only kernels care about: that
//! indices stay within buffers, and the limits of 32-bit indices and of fixed-size structs.

pub(crate) mod bias_act;
pub(crate) mod conv;
pub(crate) mod elementwise;
pub(crate) mod matmul;
pub(crate) mod reduce;
pub(crate) mod resample;
pub(crate) mod shape;
mod strided;
pub(crate) mod styled;
pub(crate) mod tables;

use crate::driver::Buffer;

/// An operand.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) buffer: &'a Buffer,
    pub(crate) shape: &'a [usize],
}

impl View<'_> {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}
