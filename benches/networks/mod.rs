//! Networks with random weights, a file a family.

mod biggan;
mod grown;
mod stylegan2;
mod weights;

pub use biggan::random_biggan;
pub use grown::{random_pggan, random_stylegan};
pub use stylegan2::random_stylegan2;

/// Length of z and w.
const DIM: usize = 512;
const MAPPING_LAYERS: usize = 8;

/// Size of a generator whose blocks double the resolution.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Pixels along a side.
    pub resolution: usize,
    /// Channels at resolution `r` are `min(channel_base / r, channel_max)`.
    pub channel_base: usize,
    /// See `channel_base`.
    pub channel_max: usize,
}

/// 256 pixels, `channel_base` 16384: StyleGAN2 as stylegan2-ada-pytorch's `paper256` has it, and PGGAN and StyleGAN as
/// published, whose `fmap_base` of 8192 is divided by half the resolution.
pub const S256: Size = Size { resolution: 256, channel_base: 16384, channel_max: 512 };

/// Config F at 1024 pixels (StyleGAN2, table 1).
pub const S1024: Size = Size { resolution: 1024, channel_base: 32768, channel_max: 512 };

impl Size {
    /// The blocks' resolutions and channels.
    fn blocks(self) -> impl Iterator<Item = (usize, usize)> {
        let resolutions = (2..).map(|log2| 1 << log2).take_while(move |&r| r <= self.resolution);
        resolutions.map(move |r| (r, (self.channel_base / r).min(self.channel_max)))
    }
}
