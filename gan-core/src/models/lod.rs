//! Images of a network that grew block by block (PGGAN, section 2 and figure 2).

use crate::error::{Error, Result};
use crate::nn::{Params, nearest_upsample2d};
use crate::tensor::Tensor;

/// How far a network has grown: 0 is the full resolution, each whole number halves it, and in between the colours of two
/// blocks are blended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lod(f64);

impl Lod {
    /// The one asked for, else that of the tensor `name`, else 0, for a network of `blocks` blocks.
    pub(super) fn take(
        params: &mut Params,
        name: &str,
        wanted: Option<f64>,
        blocks: usize,
    ) -> Result<Self> {
        let stored = params.take_optional(name, &[])?;
        if let Some(wanted) = wanted {
            return Lod::new(wanted, blocks);
        }
        let Some(stored) = stored else { return Ok(Lod(0.0)) };
        let value = stored.item()?;
        Lod::new(value, blocks).map_err(|_| Error::Weights {
            name: name.to_owned(),
            expected: format!("0 to {}", blocks.saturating_sub(1)),
            found: value.to_string(),
        })
    }

    /// For a network of `blocks` blocks.
    pub(super) fn new(lod: f64, blocks: usize) -> Result<Self> {
        let last = blocks.saturating_sub(1);
        if (0.0..=last as f64).contains(&lod) {
            return Ok(Lod(lod));
        }
        Err(Error::argument("lod", format!("0 to {last}"), lod))
    }

    pub(super) fn value(self) -> f64 {
        self.0
    }

    /// Whether a block's features take part in the image; `above` is the number of blocks after it.
    pub(super) fn needs(self, above: usize) -> bool {
        self.0 < above as f64 + 1.0
    }

    /// Whether there is an image after a block: one that is full-grown leaves it to the blocks after it.
    pub(super) fn shows(self, above: usize) -> bool {
        self.0 > above as f64 - 1.0
    }

    /// The image after a block, from that before it, `[n, 3, h/2, w/2]`, and the block's own colours, `[n, 3, h, w]`,
    /// which are asked for only if they show.
    pub(super) fn blend(
        self,
        above: usize,
        image: Option<Tensor>,
        colours: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Option<Tensor>> {
        if !self.shows(above) {
            return Ok(None);
        }
        let (lod, above) = (self.0, above as f64);
        let Some(image) = image.filter(|_| lod > above) else { return colours().map(Some) };
        let image = nearest_upsample2d(&image)?;
        if lod >= above + 1.0 {
            return Ok(Some(image));
        }
        let share = lod.ceil() - lod;
        colours()?.scale(share)?.add(&image.scale(1.0 - share)?).map(Some)
    }

    /// Whether a discriminator's blocks after `level` see a smaller image; level 0 sees the full resolution.
    pub(super) fn shrinks(self, level: usize) -> bool {
        self.0 > level as f64
    }

    /// What a discriminator's block sees: the features of the block before, those of the image's own colours at this
    /// level, which are made only if they count, or both, blended. Needed for blocks that [take part](Lod::needs).
    pub(super) fn enter(
        self,
        level: usize,
        features: Option<Tensor>,
        colours: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Some(features) = features else { return colours() };
        if self.0 <= level as f64 - 1.0 {
            return Ok(features);
        }
        let share = self.0 - self.0.floor();
        colours()?.scale(share)?.add(&features.scale(1.0 - share)?)
    }
}
