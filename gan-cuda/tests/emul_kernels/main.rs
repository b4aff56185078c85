//! Every kernel, for every type of storage and under every order of threads, against its definition
//! in `f64`.
//!
//! The kernels run in the emulator, launched as `kernels/README.md` says and without the host code
//! of this crate, which has tests of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod elementwise;
mod harness;
mod mistakes;
mod products;
mod reduce;
mod shape;
mod styled;
mod table;
mod upfirdn;
