//! The synthesis network: from styles to an image.

use std::sync::Arc;

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::generator::Projection;
use crate::latent::{Noise, StyleEntry, StyleKind, Styles, WPlus};
use crate::models::SynthesisNetwork;
use crate::models::grown::{Forward, Grown, GrownBlock, block_name};
use crate::models::lod::Lod;
use crate::models::noise::{NoiseSource, StoredNoise};
use crate::models::pggan::to_rgb;
use crate::models::style_network::run::Run;
use crate::models::stylegan::Options;
use crate::models::stylegan::layer::{Source, SynthesisLayer};
use crate::nn::{Conv2dLayer, Params};
use crate::staged::{Features, Stage};
use crate::tensor::Tensor;

/// Blocks of doubling resolution (StyleGAN, figure 1; `SynthesisModule` of genforce).
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// `[c, 4, 4]`, unless the first layer sees a vector of W+.
    constant: Option<Tensor>,
    blocks: Grown<SynthesisLayer>,
    layout: Arc<[StyleEntry]>,
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
        let mut blocks: Vec<GrownBlock<SynthesisLayer>> = Vec::new();
        loop {
            let k = blocks.len();
            let name = block_name(k);
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
            let block = GrownBlock { name, size, layers: [conv0, conv1], to_rgb };
            for (layer, own) in block.layers() {
                if let Some(noise) = own.noise() {
                    noise.check_size(&format!("{prefix}{layer}"), size, &format!("{prefix}b4"))?;
                }
            }
            blocks.push(block);
        }
        let [first, _] = &blocks[0].layers;
        if let Some(inputs) = first.inputs().filter(|&inputs| Some(inputs) != w_dim) {
            return Err(Error::Weights {
                name: format!("{prefix}b4.conv0.weight"),
                expected: format!("{} inputs, the length of w", first.affine().inputs()),
                found: format!("{inputs} inputs"),
            });
        }
        let lod = Lod::take(params, &format!("{prefix}lod"), options.lod, blocks.len())?;
        let layout = layout(constant.is_some(), &blocks);
        let blocks = Grown::new(blocks, lod, options.final_tanh);
        Ok(Synthesis { constant, blocks, layout })
    }

    /// Level of detail: 0 is the full resolution, and each whole number halves it, images keeping their size.
    pub fn lod(&self) -> f64 {
        self.blocks.lod()
    }

    /// At another level of detail.
    ///
    /// # Errors
    /// [`Error::Argument`] unless it is between 0 and that of the first block, `log2(resolution / 4)`.
    pub fn with_lod(self, lod: f64) -> Result<Self> {
        Ok(Synthesis { blocks: self.blocks.with_lod(lod)?, ..self })
    }

    /// The stored noise maps, `[1, 1, h, w]` for each layer that has one, for a caller who wants to change them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn noise_maps(&self) -> Result<Vec<Tensor>> {
        let layers = self.blocks.layers();
        layers.filter_map(|(_, layer)| layer.noise()).map(StoredNoise::map).collect()
    }
}

impl Run for Synthesis {
    fn start(&self, styles: &Styles) -> Result<Features> {
        let n = styles.batch();
        let maps = match &self.constant {
            Some(constant) => {
                let [c, h, w] = [0, 1, 2].map(|d| constant.shape()[d]);
                constant.reshape(&[1, c, h, w])?.expand(&[n, c, h, w])?
            }
            None => styles.tensors()[0].reshape(&[n, self.w_dim(), 1, 1])?,
        };
        Features::new(0, maps)
    }

    /// At a level of detail of 1 or more, the last layers take no part.
    fn run(
        &self,
        features: Features,
        until: usize,
        styles: &Styles,
        noise: Noise<'_>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Features> {
        let noises = self.blocks.layers().map(|(_, layer)| layer.noise());
        let noise = NoiseSource::new(noise, noises, styles.batch())?;
        // The layout was compared, so there are two vectors for each layer, and one before them without a constant.
        let vectors = &styles.tensors()[usize::from(self.constant.is_none())..];
        let layer = |i: usize, layer: &SynthesisLayer, x: &Tensor| {
            let style = [&vectors[2 * i], &vectors[2 * i + 1]];
            layer.forward_with(x, style, noise.map(i)?.as_ref(), &mut |_, _| Ok(()))
        };
        let colours = |to_rgb: &Conv2dLayer, x: &Tensor| to_rgb.forward(x, 1.0);
        self.blocks.run(features, until, &Forward { layer: &layer, colours: &colours }, visit)
    }
}

impl SynthesisNetwork for Synthesis {
    fn num_ws(&self) -> usize {
        2 * self.blocks.blocks().len()
    }

    fn w_dim(&self) -> usize {
        self.blocks.first().affine().inputs()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.blocks.image_shape()
    }

    /// Scale and bias of each layer, and before them, in networks without a constant, the first layer's input.
    fn style_layout(&self) -> &Arc<[StyleEntry]> {
        &self.layout
    }

    fn device(&self) -> &Device {
        self.blocks.first().device()
    }

    fn styles(&self, w: &WPlus) -> Result<Styles> {
        let rows = w.vectors(self.num_ws(), self.w_dim())?;
        let mut tensors = Vec::with_capacity(self.layout.len());
        if self.constant.is_none() {
            tensors.push(rows[0].clone());
        }
        for ((_, layer), row) in self.blocks.layers().zip(&rows) {
            tensors.extend(layer.style(row)?);
        }
        Styles::new(Arc::clone(&self.layout), tensors)
    }

    fn stages(&self) -> Vec<Stage> {
        let start = match &self.constant {
            Some(constant) => Stage::new("const", [0, 1, 2].map(|d| constant.shape()[d])),
            None => Stage::new("w", [self.w_dim(), 1, 1]),
        };
        self.blocks.stages(start, SynthesisLayer::outputs)
    }

    /// Scale and bias of each layer are two projections.
    fn projections(&self) -> Result<Vec<Projection>> {
        let mut projections = Vec::with_capacity(2 * self.num_ws());
        for (i, (name, layer)) in self.blocks.layers().enumerate() {
            let (weight, channels) = (layer.affine().weight(), layer.outputs());
            let halves = [("scale", StyleKind::Scale, 0), ("bias", StyleKind::Bias, channels)];
            for (part, kind, start) in halves {
                let half = weight.slice(0, start, channels)?;
                projections.push(Projection::new(format!("{name}.{part}"), kind, i, &half)?);
            }
        }
        Ok(projections)
    }
}

fn layout(has_constant: bool, blocks: &[GrownBlock<SynthesisLayer>]) -> Arc<[StyleEntry]> {
    let mut entries = Vec::new();
    if !has_constant {
        let channels = blocks[0].layers[0].affine().inputs();
        let name = format!("{}.conv0.input", blocks[0].name);
        let resolution = blocks[0].size[0];
        entries.push(StyleEntry { name, kind: StyleKind::Input, resolution, channels, w_index: 0 });
    }
    let mut w_index = 0;
    for block in blocks {
        for (name, layer) in block.layers() {
            for (part, kind) in [("scale", StyleKind::Scale), ("bias", StyleKind::Bias)] {
                entries.push(StyleEntry {
                    name: format!("{name}.{part}"),
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
