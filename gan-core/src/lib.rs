//! Tensors, gradients and pretrained generators of the PGGAN, StyleGAN and StyleGAN2 families, on a plain CPU.
//!
//! ```
//! use gan_core::{Device, Tensor};
//! let x = Tensor::new(&[1.0f32, -2.0], &[1, 2], &Device::cpu())?;
//! assert_eq!(x.square()?.sum_all()?.item()?, 5.0);
//! # Ok::<(), gan_core::Error>(())
//! ```

pub mod backend;
pub mod checkpoint;
mod error;
mod generator;
pub mod grad;
pub mod image;
mod latent;
mod layers;
pub mod models;
pub mod nn;
pub mod progress;
pub mod random;
mod tensor;

pub use backend::Device;
pub use error::{Error, Result};
pub use generator::{Factorizable, Generator, Projection, StyleBased};
pub use grad::{Order, grad};
pub use image::Image;
pub use latent::{
    Direction, Labels, Noise, StyleEntry, StyleKind, Styles, Truncation, W, WPlus, Z,
};
pub use layers::{Layers, parse_indices};
pub use models::pggan::PgGan;
pub use models::stylegan::StyleGan;
pub use models::stylegan2::StyleGan2;
pub use progress::Progress;
pub use random::{Philox, Seeds};
pub use tensor::{Element, Tensor};
