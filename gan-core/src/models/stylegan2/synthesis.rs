//! The synthesis network: from styles to an image.

use std::sync::Arc;

use crate::backend::{Activation, Device, Filter};
use crate::error::{Error, Result};
use crate::latent::{Noise, StyleEntry, StyleKind, Styles, WPlus};
use crate::models::noise::{NoiseSource, StoredNoise};
use crate::models::stylegan2::layer::{SynthesisLayer, ToRgb};
use crate::models::stylegan2::{Architecture, Options};
use crate::nn::{Conv2dLayer, Linear, Params, take_filter, upsample2d};
use crate::tensor::Tensor;

/// Blocks of doubling resolution (StyleGAN2, figures 2 and 7; `SynthesisNetwork` of stylegan2-ada-pytorch).
#[derive(Clone, Debug)]
pub struct Synthesis {
    constant: Tensor,
    blocks: Vec<Block>,
    architecture: Architecture,
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

/// What a block hands on.
#[derive(Clone, Copy, Debug)]
pub struct BlockOutput<'a> {
    /// The block's official name, such as `b8`.
    pub name: &'a str,
    /// Result of the block's first convolution, `[n, channels, h, w]`; the block `b4` has none.
    pub conv0: Option<&'a Tensor>,
    /// Features that the next block sees, `[n, channels, h, w]`.
    pub features: &'a Tensor,
    /// What this block's toRGB adds to the image, `[n, colours, h, w]`; in networks other than `skip`, only the last block
    /// has one.
    pub colours: Option<&'a Tensor>,
    /// The image so far, `[n, colours, h, w]`, where there are colours.
    pub image: Option<&'a Tensor>,
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

    fn convs(&self) -> impl Iterator<Item = (&'static str, &SynthesisLayer)> {
        self.conv0.iter().map(|c| ("conv0", c)).chain([("conv1", &self.conv1)])
    }
}

impl Synthesis {
    /// Takes `<prefix>b4.const`, `<prefix>b4.conv1`, ...; the number of blocks, their channels and the architecture
    /// follow from the names and shapes.
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
        let architecture = infer_architecture(prefix, &blocks)?;
        let layout = layout(&blocks);
        check_affine(prefix, &blocks)?;
        Ok(Synthesis { constant, blocks, architecture, layout })
    }

    /// Number of vectors of a W+ code.
    pub fn num_ws(&self) -> usize {
        2 * self.blocks.len()
    }

    /// Length of a w vector.
    pub fn w_dim(&self) -> usize {
        self.blocks[0].conv1.affine.inputs()
    }

    /// How its blocks are joined.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Colours, height and width of its images.
    pub fn image_shape(&self) -> [usize; 3] {
        let last = &self.blocks[self.blocks.len() - 1];
        let colours = last.to_rgb.as_ref().map_or(0, ToRgb::outputs);
        [colours, last.size[0], last.size[1]]
    }

    /// The vectors of the style space.
    pub fn style_layout(&self) -> &Arc<[StyleEntry]> {
        &self.layout
    }

    /// The device that its weights are on.
    pub fn device(&self) -> &Device {
        self.blocks[0].conv1.device()
    }

    /// The affine layers, in the order of the style layout.
    pub(super) fn affines(&self) -> Vec<&Linear> {
        let of_block = |block| {
            let Block { conv0, conv1, to_rgb, .. }: &Block = block;
            let convs = conv0.iter().chain([conv1]).map(|c| &c.affine);
            convs.chain(to_rgb.iter().map(|t| &t.affine))
        };
        self.blocks.iter().flat_map(of_block).collect()
    }

    /// Styles of a W+ code `[n, num_ws, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another geometry.
    pub fn styles(&self, w: &WPlus) -> Result<Styles> {
        let rows = w.vectors(self.num_ws(), self.w_dim())?;
        let entries = self.layout.iter().zip(self.affines());
        let tensors =
            entries.map(|(e, affine)| affine.forward(&rows[e.w_index])).collect::<Result<_>>()?;
        Styles::new(Arc::clone(&self.layout), tensors)
    }

    /// Images `[n, colours, h, w]` of styles.
    ///
    /// # Errors
    /// [`Error::Latent`] for styles of another layout, [`Error::Shape`] or [`Error::Argument`] for noise maps that do
    /// not fit.
    pub fn forward(&self, styles: &Styles, noise: Noise<'_>) -> Result<Tensor> {
        self.forward_with(styles, noise, &mut |_| Ok(()))
    }

    /// As [`Synthesis::forward`], and shows `visit` what each block hands on.
    ///
    /// # Errors
    /// As [`Synthesis::forward`], and those of `visit`.
    pub fn forward_with(
        &self,
        styles: &Styles,
        noise: Noise<'_>,
        visit: &mut dyn FnMut(BlockOutput<'_>) -> Result<()>,
    ) -> Result<Tensor> {
        styles.check_layout(&self.layout)?;
        let n = styles.tensors()[0].shape()[0];
        let mut noise = NoiseSource::new(noise, self.noises().count(), n)?;
        let mut style = styles.tensors().iter();
        // The layout was compared, so there is a style for each layer.
        let mut next_style =
            || style.next().ok_or_else(|| Error::shape("synthesis", "more styles", n));

        let [c, h, w] = [0, 1, 2].map(|d| self.constant.shape()[d]);
        let mut x = self.constant.reshape(&[1, c, h, w])?.expand(&[n, c, h, w])?;
        let mut image: Option<Tensor> = None;
        for block in &self.blocks {
            let half = if block.skip.is_some() { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
            let around = block.skip.as_ref().map(|skip| skip.forward(&x, half)).transpose()?;
            let hidden = match &block.conv0 {
                Some(conv0) => {
                    let noise = noise.next(conv0.noise(), block.size)?;
                    x = conv0.forward(&x, next_style()?, noise.as_ref(), 1.0)?;
                    Some(x.clone())
                }
                None => None,
            };
            let noise = noise.next(block.conv1.noise(), block.size)?;
            x = block.conv1.forward(&x, next_style()?, noise.as_ref(), half)?;
            if let Some(around) = around {
                x = around.add(&x)?;
            }
            let colours = match &block.to_rgb {
                Some(to_rgb) => Some(to_rgb.forward(&x, next_style()?)?),
                None => None,
            };
            image = match (image, &colours) {
                (Some(image), Some(colours)) => {
                    let doubled =
                        upsample2d(&image, &block.filter, [2, 2], [[0; 2]; 2], false, 1.0)?;
                    Some(doubled.add(colours)?)
                }
                (None, colours) => colours.clone(),
                (image, None) => image,
            };
            visit(BlockOutput {
                name: &block.name,
                conv0: hidden.as_ref(),
                features: &x,
                colours: colours.as_ref(),
                image: image.as_ref(),
            })?;
        }
        image.ok_or_else(|| Error::shape("synthesis", "a toRGB layer in the last block", "none"))
    }

    /// The stored noise maps, `[1, 1, h, w]` for each convolution, for a caller who wants to change them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn noise_maps(&self) -> Result<Vec<Tensor>> {
        self.noises().map(StoredNoise::map).collect()
    }

    fn noises(&self) -> impl Iterator<Item = &StoredNoise> {
        self.blocks.iter().flat_map(Block::convs).filter_map(|(_, conv)| conv.noise())
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
