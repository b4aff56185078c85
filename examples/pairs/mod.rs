//! Images and captions for a small CLIP: batches, the words in them, first weights, and questions to ask the network.

mod batch;
mod init;
mod source;
mod words;
pub mod zero_shot;

pub use batch::{Batch, loss};
pub use init::{Size, initial};
pub use source::{Files, Source};
pub use words::Words;
