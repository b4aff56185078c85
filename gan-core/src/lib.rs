//! Tensors, gradients and pretrained generators (PGGAN, StyleGAN, StyleGAN2, BigGAN) and discriminators, on a plain CPU.
//!
//! ```
//! use gan_core::{Device, Image, Noise, Seeds, StyleBased, StyleGan2, Truncation};
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
//! let g = StyleGan2::open(path, &Device::cpu())?;
//! let w = g.map(&g.sample(&Seeds::from(0..2))?, None)?;
//! let images = g.synthesize(&g.truncate(&w, &Truncation::new(0.7))?, Noise::Const)?;
//! assert_eq!(images.shape(), [2, 3, 64, 64]);
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # std::env::set_current_dir(folder.path()).expect("it exists");
//! Image::from_tensor(&images)?[0].save("face.png")?;
//! # Ok::<(), gan_core::Error>(())
//! ```
//!
//! Everything computes on a [`Tensor`], which lives on a [`Device`] and remembers how it was made once a variable
//! ([`Tensor::var`]) is involved, so that [`grad()`] can differentiate it, twice if need be. Networks are in [`models`],
//! their layers in [`nn`], and algorithms of other crates see them through the traits [`Generator`], [`StyleBased`],
//! [`Staged`], [`Factorizable`], [`Discriminator`], [`Classifier`], [`Perceptual`] and [`ImageEncoder`].

pub mod backend;
pub mod checkpoint;
mod discriminator;
mod error;
mod generator;
pub mod grad;
pub mod image;
mod latent;
mod layers;
mod memory;
pub mod metric;
pub mod models;
pub mod nn;
pub mod progress;
pub mod random;
mod recognition;
mod staged;
mod tensor;
pub mod training;

pub use backend::Device;
pub use discriminator::Discriminator;
pub use error::{Error, Result};
pub use generator::{Factorizable, Generator, Projection, StyleBased};
pub use grad::{Order, grad};
pub use image::Image;
pub use latent::{
    Direction, Editable, Labels, Noise, StyleEntry, StyleKind, Styles, Truncation, W, WPlus, Z,
    ZPlus, ZTruncation,
};
pub use layers::{Layers, parse_indices};
pub use models::biggan::BigGan;
pub use models::pggan::{PgGan, PgGanDiscriminator};
pub use models::stylegan::{StyleGan, StyleGanDiscriminator};
pub use models::stylegan2::{StyleGan2, StyleGan2Discriminator};
pub use progress::Progress;
pub use random::{Philox, Seeds};
pub use recognition::{
    Attribute, AttributeKind, Classifier, ImageEncoder, Perceptual, perceptual_distance,
};
pub use staged::{Features, Stage, Staged};
pub use tensor::{Element, Tensor};
