//! Kernels for NVIDIA GPUs behind gan-core's `Backend` trait. Nothing is here yet.
