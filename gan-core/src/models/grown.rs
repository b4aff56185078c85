//! A network that grew block by block: what PGGAN and StyleGAN have in common (PGGAN, figure 2; StyleGAN, figure 1).

use super::Visit;
use super::lod::Lod;
use crate::error::{Error, Result};
use crate::nn::Conv2dLayer;
use crate::staged::{Features, Stage};
use crate::tensor::Tensor;

/// Blocks of doubling resolution, each with two layers `L` and a conversion to colours.
#[derive(Clone, Debug)]
pub(super) struct Grown<L> {
    blocks: Vec<GrownBlock<L>>,
    lod: Lod,
    final_tanh: bool,
}

#[derive(Clone, Debug)]
pub(super) struct GrownBlock<L> {
    pub(super) name: String,
    /// Height and width of its result.
    pub(super) size: [usize; 2],
    /// `conv0` and `conv1`.
    pub(super) layers: [L; 2],
    pub(super) to_rgb: Conv2dLayer,
}

/// What the layers do: the i-th layer, and the conversion to colours.
pub(super) struct Forward<'a, L> {
    pub(super) layer: &'a dyn Fn(usize, &L, &Tensor) -> Result<Tensor>,
    pub(super) colours: &'a dyn Fn(&Conv2dLayer, &Tensor) -> Result<Tensor>,
}

impl<L> GrownBlock<L> {
    /// Its layers, with their names, such as `b8.conv0`.
    pub(super) fn layers(&self) -> [(String, &L); 2] {
        let [conv0, conv1] = &self.layers;
        [(format!("{}.conv0", self.name), conv0), (format!("{}.conv1", self.name), conv1)]
    }
}

/// Name of the k-th block.
pub(super) fn block_name(k: usize) -> String {
    // Layouts know no more than 16 blocks.
    format!("b{}", 4usize << k.min(24))
}

impl<L> Grown<L> {
    /// Of at least one block.
    pub(super) fn new(blocks: Vec<GrownBlock<L>>, lod: Lod, final_tanh: bool) -> Self {
        Grown { blocks, lod, final_tanh }
    }

    pub(super) fn blocks(&self) -> &[GrownBlock<L>] {
        &self.blocks
    }

    pub(super) fn first(&self) -> &L {
        &self.blocks[0].layers[0]
    }

    /// All layers, with their names.
    pub(super) fn layers(&self) -> impl Iterator<Item = (String, &L)> {
        self.blocks.iter().flat_map(GrownBlock::layers)
    }

    /// Colours, height and width of the images.
    pub(super) fn image_shape(&self) -> [usize; 3] {
        let last = &self.blocks[self.blocks.len() - 1];
        [last.to_rgb.outputs(), last.size[0], last.size[1]]
    }

    pub(super) fn lod(&self) -> f64 {
        self.lod.value()
    }

    pub(super) fn with_lod(mut self, lod: f64) -> Result<Self> {
        self.lod = Lod::new(lod, self.blocks.len())?;
        Ok(self)
    }

    /// The stages after the first one, `start`; `outputs` tells a layer's channels.
    pub(super) fn stages(&self, start: Stage, outputs: impl Fn(&L) -> usize) -> Vec<Stage> {
        let mut stages = vec![start];
        let mut image = None;
        for (k, block) in self.blocks[..self.grown()].iter().enumerate() {
            for (name, layer) in block.layers() {
                let maps = [outputs(layer), block.size[0], block.size[1]];
                stages.push(Stage { image, ..Stage::new(name, maps) });
            }
            if self.lod.shows(self.above(k)) {
                image = Some([block.to_rgb.outputs(), block.size[0], block.size[1]]);
            }
        }
        stages.push(Stage::new("image", self.image_shape()));
        stages
    }

    /// Runs the layers from the stage of `features` up to another.
    pub(super) fn run(
        &self,
        features: Features,
        until: usize,
        forward: &Forward<'_, L>,
        visit: Visit<'_>,
    ) -> Result<Features> {
        let Features { mut stage, mut maps, mut image, .. } = features;
        while stage < until {
            let (k, half) = (stage / 2, stage % 2);
            if half == 0 && k > 0 {
                image = self.blend(k - 1, image, &maps, forward)?;
            }
            if k == self.grown() {
                maps = self.finish(image.take(), &maps, forward)?;
            } else {
                let layer = &self.blocks[k].layers[half];
                maps = (forward.layer)(stage, layer, &maps)?;
                visit(&format!("{}.conv{half}", self.blocks[k].name), &maps)?;
            }
            stage += 1;
        }
        Ok(Features { stage, maps, image, around: None })
    }

    /// The image after block `k`, in its size.
    fn blend(
        &self,
        k: usize,
        image: Option<Tensor>,
        maps: &Tensor,
        forward: &Forward<'_, L>,
    ) -> Result<Option<Tensor>> {
        let colours = || (forward.colours)(&self.blocks[k].to_rgb, maps);
        self.lod.blend(self.above(k), image, colours)
    }

    /// The image in full size: blocks that take no part in it double it.
    fn finish(
        &self,
        mut image: Option<Tensor>,
        maps: &Tensor,
        forward: &Forward<'_, L>,
    ) -> Result<Tensor> {
        for k in self.grown()..self.blocks.len() {
            image = self.blend(k, image, maps, forward)?;
        }
        let image = image.ok_or_else(|| Error::shape("image", "a block with colours", "none"))?;
        if self.final_tanh { image.tanh() } else { Ok(image) }
    }

    /// Number of blocks whose features take part in the image.
    fn grown(&self) -> usize {
        (0..self.blocks.len()).take_while(|&k| self.lod.needs(self.above(k))).count()
    }

    /// Number of blocks after block `k`.
    fn above(&self, k: usize) -> usize {
        self.blocks.len() - 1 - k
    }
}
