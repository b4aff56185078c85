//! Directions in the latent spaces of GANs: find them, and edit images with them.
//!
//! ```no_run
//! use gan_core::{Device, Layers, Noise, Seeds, StyleBased, StyleGan2, Truncation};
//! use gan_edit::sefa::{self, Convention};
//!
//! let g = StyleGan2::open("ffhq.safetensors", &Device::cpu())?;
//! let found = sefa::factorize(&g, &Layers::range(0, 1)?, Convention::Sefa)?;
//! let w = g.map(&g.sample(&Seeds::from(0..1))?, None)?;
//! let w = g.truncate(&w, &Truncation::new(0.7))?;
//! let turned = g.synthesize(&w.shifted(&found.directions[0], 3.0)?, Noise::Const)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
pub mod sefa;
mod sweep;

pub use error::{Error, Result};
pub use sweep::{strengths, sweep};
