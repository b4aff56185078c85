//! The synthesis network: from styles to an image.

use std::sync::Arc;

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::latent::{Noise, StyleEntry, StyleKind, Styles, WPlus};
use crate::models::lod::Lod;
use crate::models::noise::{NoiseSource, StoredNoise};
use crate::models::pggan::to_rgb;
use crate::models::stylegan::Options;
use crate::models::stylegan::layer::{Source, SynthesisLayer};
use crate::nn::{Conv2dLayer, Params};
use crate::tensor::Tensor;

/// Blocks of doubling resolution (StyleGAN, figure 1; `SynthesisModule` of genforce).
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// `[c, 4, 4]`, unless the first layer sees a vector of W+.
    constant: Option<Tensor>,
    blocks: Vec<Block>,
    layout: Arc<[StyleEntry]>,
    lod: Lod,
    final_tanh: bool,
}

#[derive(Clone, Debug)]
struct Block {
    name: String,
    /// Height and width of its result.
    size: [usize; 2],
    conv0: SynthesisLayer,
    conv1: SynthesisLayer,
    to_rgb: Conv2dLayer,
}

impl Block {
    fn layers(&self) -> [(&'static str, &SynthesisLayer); 2] {
        [("conv0", &self.conv0), ("conv1", &self.conv1)]
    }
}

impl Synthesis {
    /// Takes `<prefix>b4.const`, `<prefix>b4.conv0.bias`, ...; the number of blocks, their channels and the kind of the
    /// first layer follow from names and shapes.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen, [`Error::Argument`] for a level of detail that the network
    /// does not have.
    pub fn new(params: &mut Params, prefix: &str, options: &Options) -> Result<Self> {
        let constant = params.take_optional(&format!("{prefix}b4.const"), &[None; 3])?;
        let four = match &constant {
            Some(constant) => [constant.shape()[1], constant.shape()[2]],
            None => [4, 4],
        };
        let mut inputs = constant.as_ref().map(|c| c.shape()[0]);
        let (mut w_dim, mut colours) = (None, None);
        let mut blocks: Vec<Block> = Vec::new();
        loop {
            let k = blocks.len();
            // Layouts know no more than 16 blocks.
            let name = format!("b{}", 4usize << k.min(24));
            let path = format!("{prefix}{name}");
            if k > 0 && !params.has_layer(&path) {
                break;
            }
            let size = four.map(|side| side.saturating_mul(1 << k));
            let source = match (k, &constant) {
                (0, Some(_)) => Source::Constant,
                (0, None) => Source::Code,
                _ => Source::Double,
            };
            let conv0 =
                SynthesisLayer::new(params, &format!("{path}.conv0"), source, inputs, w_dim)?;
            w_dim = Some(conv0.affine().inputs());
            inputs = Some(conv0.outputs());
            let conv1 =
                SynthesisLayer::new(params, &format!("{path}.conv1"), Source::Same, inputs, w_dim)?;
            inputs = Some(conv1.outputs());
            let to_rgb = to_rgb(params, &format!("{path}.torgb"), conv1.outputs(), colours)?;
            colours = Some(to_rgb.outputs());
            let block = Block { name, size, conv0, conv1, to_rgb };
            for (layer, own) in block.layers() {
                if let Some(noise) = own.noise() {
                    noise.check_size(&format!("{path}.{layer}"), size, &format!("{prefix}b4"))?;
                }
            }
            blocks.push(block);
        }
        let first = &blocks[0].conv0;
        if let Some(inputs) = first.inputs().filter(|&inputs| Some(inputs) != w_dim) {
            return Err(Error::Weights {
                name: format!("{prefix}b4.conv0.weight"),
                expected: format!("{} inputs, the length of w", first.affine().inputs()),
                found: format!("{inputs} inputs"),
            });
        }
        let lod = Lod::take(params, &format!("{prefix}lod"), options.lod, blocks.len())?;
        let layout = layout(constant.is_some(), &blocks);
        Ok(Synthesis { constant, blocks, layout, lod, final_tanh: options.final_tanh })
    }

    /// Number of vectors of a W+ code.
    pub fn num_ws(&self) -> usize {
        2 * self.blocks.len()
    }

    /// Length of a w vector.
    pub fn w_dim(&self) -> usize {
        self.blocks[0].conv0.affine().inputs()
    }

    /// Colours, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        let last = &self.blocks[self.blocks.len() - 1];
        [last.to_rgb.outputs(), last.size[0], last.size[1]]
    }

    /// The vectors of the style space: scale and bias of each layer, and before them, in networks without a constant, the
    /// first layer's input.
    pub fn style_layout(&self) -> &Arc<[StyleEntry]> {
        &self.layout
    }

    /// The device that its weights are on.
    pub fn device(&self) -> &Device {
        self.blocks[0].conv0.device()
    }

    /// Level of detail: 0 is the full resolution, and each whole number halves it, images keeping their size.
    pub fn lod(&self) -> f64 {
        self.lod.value()
    }

    /// At another level of detail.
    ///
    /// # Errors
    /// [`Error::Argument`] unless it is between 0 and that of the first block, `log2(resolution / 4)`.
    pub fn with_lod(mut self, lod: f64) -> Result<Self> {
        self.lod = Lod::new(lod, self.blocks.len())?;
        Ok(self)
    }

    /// Its layers, with their names, such as `b8.conv0`.
    pub(super) fn layers(&self) -> impl Iterator<Item = (String, &SynthesisLayer)> {
        let of_block =
            |block| Block::layers(block).map(|(name, l)| (format!("{}.{name}", block.name), l));
        self.blocks.iter().flat_map(of_block)
    }

    /// Styles of a W+ code `[n, num_ws, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another geometry.
    pub fn styles(&self, w: &WPlus) -> Result<Styles> {
        let rows = w.vectors(self.num_ws(), self.w_dim())?;
        let mut tensors = Vec::with_capacity(self.layout.len());
        if self.constant.is_none() {
            tensors.push(rows[0].clone());
        }
        for ((_, layer), row) in self.layers().zip(&rows) {
            tensors.extend(layer.style(row)?);
        }
        Styles::new(Arc::clone(&self.layout), tensors)
    }

    /// Images `[n, colours, h, w]` of styles.
    ///
    /// # Errors
    /// [`Error::Latent`] for styles of another layout, [`Error::Shape`] or [`Error::Argument`] for noise maps that do
    /// not fit.
    pub fn forward(&self, styles: &Styles, noise: Noise<'_>) -> Result<Tensor> {
        self.forward_with(styles, noise, &mut |_, _| Ok(()))
    }

    /// As [`Synthesis::forward`], and shows `visit` the name and the result `[n, channels, h, w]` of each layer, such as
    /// `b8.conv0`. At a level of detail of 1 or more, the last layers take no part.
    ///
    /// # Errors
    /// As [`Synthesis::forward`], and those of `visit`.
    pub fn forward_with(
        &self,
        styles: &Styles,
        noise: Noise<'_>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        styles.check_layout(&self.layout)?;
        let n = styles.tensors()[0].shape()[0];
        let mut noise = NoiseSource::new(noise, self.noises().count(), n)?;
        let mut style = styles.tensors();
        let mut x = match (&self.constant, style) {
            (Some(constant), _) => {
                let [c, h, w] = [0, 1, 2].map(|d| constant.shape()[d]);
                constant.reshape(&[1, c, h, w])?.expand(&[n, c, h, w])?
            }
            (None, [code, rest @ ..]) => {
                style = rest;
                code.reshape(&[n, self.w_dim(), 1, 1])?
            }
            (None, []) => return Err(Error::shape("synthesis", "styles", "none")),
        };
        let mut image = None;
        // The layout was compared, so there are two vectors for each layer.
        let mut pairs = style.as_chunks::<2>().0.iter();
        for (above, block) in (0..self.blocks.len()).rev().zip(&self.blocks) {
            if self.lod.needs(above) {
                for (name, layer) in block.layers() {
                    let [scale, shift] =
                        pairs.next().ok_or_else(|| Error::shape("synthesis", "more styles", n))?;
                    let map = noise.next(layer.noise(), block.size)?;
                    let parts = [scale, shift];
                    x = layer.forward_with(&x, parts, map.as_ref(), &mut |_, _| Ok(()))?;
                    visit(&format!("{}.{name}", block.name), &x)?;
                }
            }
            image = self.lod.blend(above, image, || block.to_rgb.forward(&x, 1.0))?;
        }
        let image =
            image.ok_or_else(|| Error::shape("synthesis", "a block with colours", "none"))?;
        if self.final_tanh { image.tanh() } else { Ok(image) }
    }

    /// The stored noise maps, `[1, 1, h, w]` for each layer that has one, for a caller who wants to change them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn noise_maps(&self) -> Result<Vec<Tensor>> {
        self.noises().map(StoredNoise::map).collect()
    }

    fn noises(&self) -> impl Iterator<Item = &StoredNoise> {
        self.blocks.iter().flat_map(Block::layers).filter_map(|(_, layer)| layer.noise())
    }
}

fn layout(has_constant: bool, blocks: &[Block]) -> Arc<[StyleEntry]> {
    let mut entries = Vec::new();
    if !has_constant {
        let channels = blocks[0].conv0.affine().inputs();
        let name = format!("{}.conv0.input", blocks[0].name);
        let resolution = blocks[0].size[0];
        entries.push(StyleEntry { name, kind: StyleKind::Input, resolution, channels, w_index: 0 });
    }
    let mut w_index = 0;
    for block in blocks {
        for (name, layer) in block.layers() {
            for (part, kind) in [("scale", StyleKind::Scale), ("bias", StyleKind::Bias)] {
                entries.push(StyleEntry {
                    name: format!("{}.{name}.{part}", block.name),
                    kind,
                    resolution: block.size[0],
                    channels: layer.outputs(),
                    w_index,
                });
            }
            w_index += 1;
        }
    }
    entries.into()
}
