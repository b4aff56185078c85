//! The image tower as a vision transformer.

use gan_core::Tensor;
use gan_core::nn::{LayerNorm, Params};

use super::config::TowerOptions;
use super::layout::Layout;
use super::linear::take_projection;
use super::transformer::Transformer;
use crate::error::{Error, Result};

/// Patches of an image as a sequence, behind a token that stands for the whole (Dosovitskiy et al. 2021, section 3.1; with a
/// norm before the first block, Radford et al. 2021, section 2.4).
#[derive(Clone, Debug)]
pub struct Vit {
    /// `[width]`.
    class: Tensor,
    /// `[3 * patch * patch, width]`.
    patches: Tensor,
    /// `[1 + grid * grid, width]`.
    positions: Tensor,
    input_norm: LayerNorm,
    transformer: Transformer,
    norm: LayerNorm,
    /// `[width, embedding]`.
    projection: Tensor,
    patch: usize,
    grid: usize,
}

impl Vit {
    pub(super) fn new(params: &mut Params, layout: Layout, options: &TowerOptions) -> Result<Self> {
        let names = layout.names();
        let patches = params.take(names.patches, &[None, Some(3), None, None])?;
        let &[width, _, patch, columns] = patches.shape() else { unreachable!("four were taken") };
        if patch != columns {
            return Err(wrong(names.patches, "square patches", patches.shape()));
        }
        let patches = patches.reshape(&[width, 3 * patch * patch])?.permute(&[1, 0])?;
        let class = params.take(names.class, &[Some(width)])?;
        let positions = params.take(names.image_positions, &[None, Some(width)])?;
        let count = positions.shape()[0];
        let grid = (count - 1).isqrt();
        if grid == 0 || grid * grid + 1 != count {
            let expected = "a place for the image and one for each patch of a square";
            return Err(wrong(names.image_positions, expected, positions.shape()));
        }
        let input_norm = LayerNorm::new(params, names.image_input_norm, Some(width), options.eps)?;
        let transformer = Transformer::new(params, names.image_blocks, layout, width, options)?;
        let norm = LayerNorm::new(params, names.image_norm, Some(width), options.eps)?;
        let projection = take_projection(params, names.image_projection, layout, width, None)?;
        Ok(Vit {
            class,
            patches,
            positions,
            input_norm,
            transformer,
            norm,
            projection,
            patch,
            grid,
        })
    }

    /// Pixels of a side of the images that it takes.
    pub fn resolution(&self) -> usize {
        self.patch * self.grid
    }

    /// Pixels of a side of a patch.
    pub fn patch(&self) -> usize {
        self.patch
    }

    /// Number of blocks.
    pub fn layers(&self) -> usize {
        self.transformer.len()
    }

    /// Length of the embeddings.
    pub fn embedding(&self) -> usize {
        self.projection.shape()[1]
    }

    /// What the last block makes of normalised images `[n, 3, h, w]`, `[n, 1 + patches, width]`, before the last norm.
    ///
    /// # Errors
    /// When images have another shape.
    pub fn hidden(&self, images: &Tensor) -> Result<Tensor> {
        let (patch, grid) = (self.patch, self.grid);
        let side = self.resolution();
        let n = match *images.shape() {
            [n, 3, h, w] if [h, w] == [side, side] => n,
            _ => {
                let expected = format!("[n, 3, {side}, {side}]");
                return Err(Error::argument("images", expected, format!("{:?}", images.shape())));
            }
        };
        let width = self.class.numel();
        let squares = images.reshape(&[n, 3, grid, patch, grid, patch])?;
        let squares = squares.permute(&[0, 2, 4, 1, 3, 5])?;
        let squares = squares.reshape(&[n * grid * grid, 3 * patch * patch])?;
        let tokens = squares.matmul(&self.patches)?.reshape(&[n, grid * grid, width])?;
        let class = self.class.reshape(&[1, 1, width])?.expand(&[n, 1, width])?;
        let tokens = Tensor::concat(&[&class, &tokens], 1)?.add(&self.positions)?;
        let rows = tokens.reshape(&[n * (1 + grid * grid), width])?;
        let rows = self.transformer.forward(&self.input_norm.forward(&rows)?, n, None)?;
        Ok(rows.reshape(&[n, 1 + grid * grid, width])?)
    }

    /// Embeddings `[n, embedding]` of normalised images `[n, 3, h, w]`.
    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let hidden = self.hidden(images)?;
        let class = hidden.slice(1, 0, 1)?.reshape(&[images.shape()[0], self.class.numel()])?;
        Ok(self.norm.forward(&class)?.matmul(&self.projection)?)
    }
}

pub(super) fn wrong(name: &str, expected: &str, shape: &[usize]) -> Error {
    Error::Core(gan_core::Error::Weights {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found: format!("shape {shape:?}"),
    })
}
