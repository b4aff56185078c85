//! Kernels for NVIDIA GPUs behind gan-core's `Backend` trait. Nothing is here yet: the crate holds its place in the
//! workspace, so that the direction of dependencies (`gan-cuda` on `gan-core`, never back) is fixed.
