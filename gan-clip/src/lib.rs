//! CLIP: images and prompts as vectors of one space (Radford et al. 2021).
//!
//! ```
//! use gan_clip::{Clip, Overflow, Tokenizer, cosine, preprocess};
//! use gan_core::{Device, Image};
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/clip64.safetensors");
//! # let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures/portraits.png");
//!
//! let clip = Clip::open(path, &Device::cpu())?; // or the file of OpenAI, OpenCLIP or Hugging Face
//! let prompts = Tokenizer::new().encode(&["a smiling person", "a red house"], Overflow::Refuse)?;
//! let image = preprocess(&Image::open(photo)?, clip.resolution(), clip.device())?;
//! let cosine = cosine(&clip.encode_image(&image)?, &clip.encode_text(&prompts)?)?;
//! assert_eq!(cosine.shape(), [1, 2]);
//! # Ok::<(), gan_clip::Error>(())
//! ```
//!
//! Images go in as [`preprocess`] makes them of files, or as [`normalize`] makes them of what a generator draws, which gradients
//! flow through. Prompts go in as [`Tokens`], which the [`Tokenizer`] makes.

mod error;
mod network;
mod preprocess;
mod tokenizer;

pub use error::{Error, Result};
pub use network::{
    Clip, Gelu, ImageTower, Layout, ModifiedResNet, Options, TextTower, TowerOptions, Vit, cosine,
    normalized,
};
pub use preprocess::{MEAN, STD, center_crop, normalize, preprocess, resize};
pub use tokenizer::{CONTEXT, Overflow, Tokenizer, Tokens, clean};
