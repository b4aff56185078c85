//! The networks, a folder each, and what some of them share.

mod any;
pub mod biggan;
mod discriminator;
mod grown;
mod inception;
mod init;
mod lod;
mod mapping;
mod noise;
pub mod pggan;
pub mod recognition;
mod style_network;
pub mod stylegan;
pub mod stylegan2;

pub use any::AnyGenerator;
pub use inception::Inception;
pub use style_network::{StyleNetwork, SynthesisNetwork};

/// Is shown what the layers make, by name.
type Visit<'a> = &'a mut dyn FnMut(&str, &crate::Tensor) -> crate::Result<()>;
