//! The synthesis network: from styles to an image.

use std::f64::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

use crate::backend::{Activation, Device, Filter};
use crate::error::{Error, Result};
use crate::generator::Projection;
use crate::latent::{Noise, StyleEntry, StyleKind, Styles, WPlus};
use crate::models::lod::Lod;
use crate::models::noise::{NoiseSource, StoredNoise};
use crate::models::style_network::run::Run;
use crate::models::stylegan2::layer::{Modulation, SynthesisLayer, ToRgb};
use crate::models::stylegan2::{Architecture, Options};
use crate::models::{SynthesisNetwork, Visit};
use crate::nn::{Conv2dLayer, Linear, Params, affines, take_filter, upsample2d};
use crate::staged::{Features, Stage};
use crate::tensor::Tensor;

/// Blocks of doubling resolution (StyleGAN2, figures 2 and 7; `SynthesisNetwork` of stylegan2-ada-pytorch).
#[derive(Clone, Debug)]
pub struct Synthesis {
    constant: Tensor,
    blocks: Vec<Block>,
    architecture: Architecture,
    /// Of a network that grew block by block: the colours of its last blocks show, instead of the sum of all.
    lod: Option<Lod>,
    layout: Arc<[StyleEntry]>,
}

#[derive(Clone, Debug)]
struct Block {
    name: String,
    /// Height and width of its result.
    size: [usize; 2],
    conv0: Option<SynthesisLayer>,
    conv1: SynthesisLayer,
    to_rgb: Option<ToRgb>,
    /// Path of the features around the convolutions.
    skip: Option<Conv2dLayer>,
    filter: Filter,
}

impl Block {
    fn new(
        params: &mut Params,
        prefix: &str,
        name: String,
        size: [usize; 2],
        channels: Option<usize>,
        is_first: bool,
        options: &Options,
    ) -> Result<Self> {
        let path = format!("{prefix}{name}");
        let filter = match take_filter(params, &format!("{path}.resample_filter"))? {
            Some(filter) => filter,
            None => Filter::outer(&[0.125, 0.375, 0.375, 0.125])?,
        };
        // The first block starts from a constant.
        let inputs = channels;
        let conv0 = match is_first {
            true => None,
            false => {
                let name = format!("{path}.conv0");
                Some(SynthesisLayer::new(params, &name, channels, true, options)?)
            }
        };
        let channels = conv0.as_ref().map(SynthesisLayer::outputs).or(channels);
        let conv1 =
            SynthesisLayer::new(params, &format!("{path}.conv1"), channels, false, options)?;
        let to_rgb = match params.has_layer(&format!("{path}.torgb")) {
            true => Some(ToRgb::new(params, &format!("{path}.torgb"), conv1.outputs(), options)?),
            false => None,
        };
        let skip = match !is_first && params.has_layer(&format!("{path}.skip")) {
            true => {
                let name = format!("{path}.skip");
                let shape = [Some(conv1.outputs()), inputs, Some(1), Some(1)];
                let filter = take_filter(params, &format!("{name}.resample_filter"))?
                    .unwrap_or_else(|| filter.clone());
                Some(Conv2dLayer::new(
                    params,
                    &name,
                    &shape,
                    Activation::Linear,
                    (2, 1),
                    filter,
                    None,
                )?)
            }
            false => None,
        };
        for (layer, name) in [(conv0.as_ref(), "conv0"), (Some(&conv1), "conv1")] {
            if let Some(noise) = layer.and_then(SynthesisLayer::noise) {
                noise.check_size(&format!("{path}.{name}"), size, &format!("{prefix}b4.const"))?;
            }
        }
        Ok(Block { name, size, conv0, conv1, to_rgb, skip, filter })
    }

    /// Number of its vectors in the style layout.
    fn style_count(&self) -> usize {
        self.convs().count() + usize::from(self.to_rgb.is_some())
    }

    /// From the block before to between the convolutions; `around` is where the features meet again.
    fn first(
        &self,
        before: Features,
        modulation: &Modulation<'_>,
        noise: Option<&Tensor>,
    ) -> Result<Features> {
        let Features { stage, maps, image, .. } = before;
        let around = self.skip.as_ref().map(|s| s.forward(&maps, FRAC_1_SQRT_2)).transpose()?;
        let maps = match &self.conv0 {
            Some(conv0) => conv0.forward(&maps, modulation, noise, 1.0)?,
            None => maps,
        };
        Ok(Features { stage: stage + 1, maps, image, around })
    }

    fn second(
        &self,
        between: Features,
        modulation: &Modulation<'_>,
        noise: Option<&Tensor>,
    ) -> Result<Features> {
        let Features { stage, maps, image, around } = between;
        let maps = match around {
            Some(around) => {
                around.add(&self.conv1.forward(&maps, modulation, noise, FRAC_1_SQRT_2)?)?
            }
            None => self.conv1.forward(&maps, modulation, noise, 1.0)?,
        };
        Ok(Features { stage: stage + 1, maps, image, around: None })
    }

    fn convs(&self) -> impl Iterator<Item = (&'static str, &SynthesisLayer)> {
        self.conv0.iter().map(|c| ("conv0", c)).chain([("conv1", &self.conv1)])
    }
}

impl Synthesis {
    /// Takes `<prefix>b4.const`, `<prefix>b4.conv1`, ...; the number of blocks, their channels and the architecture
    /// follow from the names and shapes. With `<prefix>lod`, it is a network that grew block by block: each block makes colours, and
    /// of these, only those of the last show, or the two last while it fades in (PGGAN, figure 2; configurations B
    /// to D of StyleGAN2's table 1).
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen.
    pub fn new(params: &mut Params, prefix: &str, options: &Options) -> Result<Self> {
        let constant = params.take(&format!("{prefix}b4.const"), &[None, None, None])?;
        let [c, height, width] = [0, 1, 2].map(|d| constant.shape()[d]);
        let mut channels = c;
        let mut blocks: Vec<Block> = Vec::new();
        loop {
            let doublings = blocks.len();
            let name = format!("b{}", 4usize << doublings);
            let is_known = params.has_layer(&format!("{prefix}{name}"));
            if doublings > 0 && !is_known {
                break;
            }
            if doublings > 12 {
                let found = "one of 32768 pixels or more".to_owned();
                let expected = "a network of at most 16384 pixels".to_owned();
                return Err(Error::Weights { name, expected, found });
            }
            let size = [height << doublings, width << doublings];
            let block =
                Block::new(params, prefix, name, size, Some(channels), doublings == 0, options)?;
            let first = blocks.iter().chain([&block]).find_map(|b| b.to_rgb.as_ref());
            if let (Some(first), Some(own)) = (first, &block.to_rgb)
                && first.outputs() != own.outputs()
            {
                return Err(Error::Weights {
                    name: format!("{prefix}{}.torgb.weight", block.name),
                    expected: format!("{} colours, as in the blocks before", first.outputs()),
                    found: own.outputs().to_string(),
                });
            }
            channels = block.conv1.outputs();
            blocks.push(block);
        }
        let mut architecture = infer_architecture(prefix, &blocks)?;
        let lod = match params.get(&format!("{prefix}lod")) {
            Some(_) => Some(Lod::take(params, &format!("{prefix}lod"), None, blocks.len())?),
            None => None,
        };
        if lod.is_some() {
            if architecture != Architecture::Skip {
                return Err(Error::Weights {
                    name: format!("{prefix}b*.torgb"),
                    expected: "one in every block of a network with a level of detail".into(),
                    found: "blocks without".into(),
                });
            }
            architecture = Architecture::Orig;
        }
        let layout = layout(&blocks);
        check_affine(prefix, &blocks)?;
        Ok(Synthesis { constant, blocks, architecture, lod, layout })
    }

    /// How its blocks are joined.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The affine layers, in the order of the style layout.
    fn affines(&self) -> Vec<&Linear> {
        let of_block = |block| {
            let Block { conv0, conv1, to_rgb, .. }: &Block = block;
            let convs = conv0.iter().chain([conv1]).map(|c| &c.affine);
            convs.chain(to_rgb.iter().map(|t| &t.affine))
        };
        self.blocks.iter().flat_map(of_block).collect()
    }

    fn constant_shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|d| self.constant.shape()[d])
    }

    /// The convolutions and their styles, whose layout was compared.
    fn convs<'a>(
        &'a self,
        styles: &'a Styles,
    ) -> impl Iterator<Item = (&'a SynthesisLayer, &'a Tensor)> {
        let entries = styles.layout().iter().zip(styles.tensors());
        let of_convs = entries.filter(|(e, _)| e.kind == StyleKind::Conv).map(|(_, style)| style);
        self.blocks.iter().flat_map(Block::convs).map(|(_, conv)| conv).zip(of_convs)
    }

    /// Number of blocks whose features take part in the image.
    fn grown(&self) -> usize {
        let needed = |&k: &usize| self.lod.is_none_or(|lod| lod.needs(self.above(k)));
        (0..self.blocks.len()).take_while(needed).count()
    }

    /// Number of blocks after block `k`.
    fn above(&self, k: usize) -> usize {
        self.blocks.len() - 1 - k
    }

    /// Adds the colours of block `k`, if it has any, to the image so far; in a network that grew, blends the two.
    fn colour(
        &self,
        k: usize,
        features: Features,
        styles: &Styles,
        visit: Visit<'_>,
    ) -> Result<Features> {
        let block = &self.blocks[k];
        let Some(to_rgb) = &block.to_rgb else { return Ok(features) };
        // The layout was compared, so there is one, after the block's convolutions.
        let before: usize = self.blocks[..k].iter().map(Block::style_count).sum();
        let style = &styles.tensors()[before + block.convs().count()];
        if let Some(lod) = self.lod {
            let colours = || to_rgb.forward(&features.maps, style);
            let image = lod.blend(self.above(k), features.image.clone(), colours)?;
            return Ok(Features { image, ..features });
        }
        let colours = to_rgb.forward(&features.maps, style)?;
        visit(&format!("{}.torgb", block.name), &colours)?;
        let image = match &features.image {
            Some(image) => {
                upsample2d(image, &block.filter, [2, 2], [[0; 2]; 2], false, 1.0)?.add(&colours)?
            }
            None => colours,
        };
        visit(&format!("{}.image", block.name), &image)?;
        Ok(Features { image: Some(image), ..features })
    }

    /// The stored noise maps, `[1, 1, h, w]` for each convolution, for a caller who wants to change them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn noise_maps(&self) -> Result<Vec<Tensor>> {
        let convs = self.blocks.iter().flat_map(Block::convs);
        convs.filter_map(|(_, conv)| conv.noise()).map(StoredNoise::map).collect()
    }
}

impl Run for Synthesis {
    fn start(&self, styles: &Styles) -> Result<Features> {
        let n = styles.batch();
        let [c, h, w] = self.constant_shape();
        Features::new(0, self.constant.reshape(&[1, c, h, w])?.expand(&[n, c, h, w])?)
    }

    /// Each stage has one convolution in front of it; the first of a block is also preceded by the colours of the block
    /// before. Also shows what each block's toRGB makes, such as `b8.torgb`, and the image so far, `b8.image`.
    fn run(
        &self,
        mut features: Features,
        until: usize,
        styles: &Styles,
        noise: Noise<'_>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Features> {
        let convs = self.blocks.iter().flat_map(Block::convs);
        let noise = NoiseSource::new(noise, convs.map(|(_, conv)| conv.noise()), styles.batch())?;
        // Of the layers that are going to run.
        let grown = self.grown();
        let last = until.min(2 * grown - 1);
        let convs: Vec<_> = self.convs(styles).take(last).skip(features.stage).collect();
        let mut modulations = Modulation::all(&convs)?.into_iter();
        while features.stage < until {
            let stage = features.stage;
            let noise = noise.map(stage)?;
            let (k, is_second) = (stage.div_ceil(2), stage.is_multiple_of(2));
            if k > 0 && !is_second {
                features = self.colour(k - 1, features, styles, visit)?;
            }
            features = match (self.blocks.get(k), modulations.next()) {
                (Some(block), Some(modulation)) if is_second => {
                    block.second(features, &modulation, noise.as_ref())?
                }
                (Some(block), Some(modulation)) => {
                    block.first(features, &modulation, noise.as_ref())?
                }
                _ => {
                    // Blocks that take no part double the image.
                    for k in grown..self.blocks.len() {
                        features = self.colour(k, features, styles, visit)?;
                    }
                    return features.finished();
                }
            };
            let name = &self.blocks[k].name;
            visit(&format!("{name}.conv{}", usize::from(is_second)), &features.maps)?;
        }
        Ok(features)
    }
}

impl SynthesisNetwork for Synthesis {
    fn num_ws(&self) -> usize {
        2 * self.blocks.len()
    }

    fn w_dim(&self) -> usize {
        self.blocks[0].conv1.affine.inputs()
    }

    fn image_shape(&self) -> [usize; 3] {
        let last = &self.blocks[self.blocks.len() - 1];
        let colours = last.to_rgb.as_ref().map_or(0, ToRgb::outputs);
        [colours, last.size[0], last.size[1]]
    }

    fn style_layout(&self) -> &Arc<[StyleEntry]> {
        &self.layout
    }

    fn device(&self) -> &Device {
        self.blocks[0].conv1.device()
    }

    fn styles(&self, w: &WPlus) -> Result<Styles> {
        let rows = w.vectors(self.num_ws(), self.w_dim())?;
        let entries = self.layout.iter().zip(self.affines());
        let layers: Vec<_> = entries.map(|(e, affine)| (affine, &rows[e.w_index])).collect();
        Styles::new(Arc::clone(&self.layout), affines(&layers)?)
    }

    fn stages(&self) -> Vec<Stage> {
        let mut stages = vec![Stage::new("const", self.constant_shape())];
        let mut image = None;
        for (k, block) in self.blocks[..self.grown()].iter().enumerate() {
            let [h, w] = block.size;
            for (name, conv) in block.convs() {
                let maps = [conv.outputs(), h, w];
                let around = match &block.skip {
                    Some(skip) if name == "conv0" => Some([skip.outputs(), h, w]),
                    _ => None,
                };
                let name = format!("{}.{name}", block.name);
                stages.push(Stage { name, maps, image, around });
            }
            let shows = self.lod.is_none_or(|lod| lod.shows(self.above(k)));
            let to_rgb = block.to_rgb.as_ref().filter(|_| shows);
            image = to_rgb.map(|to_rgb| [to_rgb.outputs(), h, w]);
        }
        stages.push(Stage::new("image", self.image_shape()));
        stages
    }

    fn projections(&self) -> Result<Vec<Projection>> {
        let entries = self.layout.iter().zip(self.affines());
        entries
            .map(|(e, affine)| Projection::new(&e.name, e.kind, e.w_index, affine.weight()))
            .collect()
    }
}

fn infer_architecture(prefix: &str, blocks: &[Block]) -> Result<Architecture> {
    let wrong = |name: String, expected: &str| {
        Err(Error::Weights { name, expected: expected.into(), found: "the opposite".into() })
    };
    let (last, others) = blocks.split_last().expect("there is at least block b4");
    if last.to_rgb.is_none() {
        return wrong(format!("{prefix}{}.torgb.weight", last.name), "in the last block");
    }
    let images = others.iter().filter(|b| b.to_rgb.is_some()).count();
    let skips = blocks.iter().skip(1).filter(|b| b.skip.is_some()).count();
    match (images, skips) {
        (i, 0) if i == others.len() => Ok(Architecture::Skip),
        (0, 0) => Ok(Architecture::Orig),
        (0, s) if s == blocks.len() - 1 => Ok(Architecture::Resnet),
        _ => wrong(
            format!("{prefix}b*.torgb and {prefix}b*.skip"),
            "toRGB in every block (skip), or skip convolutions in every block but the first and toRGB in the last \
             (resnet), or neither (orig)",
        ),
    }
}

fn check_affine(prefix: &str, blocks: &[Block]) -> Result<()> {
    let w_dim = blocks[0].conv1.affine.inputs();
    for block in blocks {
        let convs = block.convs().map(|(name, conv)| (name, &conv.affine));
        let affines = convs.chain(block.to_rgb.iter().map(|t| ("torgb", &t.affine)));
        for (name, affine) in affines {
            if affine.inputs() != w_dim {
                return Err(Error::Weights {
                    name: format!("{prefix}{}.{name}.affine.weight", block.name),
                    expected: format!("{w_dim} inputs, as in the first layer"),
                    found: format!("{} inputs", affine.inputs()),
                });
            }
        }
    }
    Ok(())
}

/// Convolutions read the vectors of W+ one after the other; toRGB reads the one after its block's last convolution, which
/// is also that of the next block's first.
fn layout(blocks: &[Block]) -> Arc<[StyleEntry]> {
    let mut entries = Vec::new();
    let mut w_index = 0;
    for block in blocks {
        let entry = |name: &str, kind, channels, w_index| StyleEntry {
            name: format!("{}.{name}", block.name),
            kind,
            resolution: block.size[0],
            channels,
            w_index,
        };
        for (name, conv) in block.convs() {
            entries.push(entry(name, StyleKind::Conv, conv.affine.outputs(), w_index));
            w_index += 1;
        }
        if let Some(to_rgb) = &block.to_rgb {
            entries.push(entry("torgb", StyleKind::ToRgb, to_rgb.affine.outputs(), w_index));
        }
    }
    entries.into()
}
