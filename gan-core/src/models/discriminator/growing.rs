//! The discriminator of networks that grew block by block: PGGAN's and StyleGAN's.

use crate::backend::{Activation, Device, Filter};
use crate::error::Result;
use crate::models::Visit;
use crate::models::discriminator::{Epilogue, EpilogueOptions, block_names, check_images};
use crate::models::lod::Lod;
use crate::nn::{Conv2dLayer, Params, average_downsample2d, filter2d, nearest_filter, take_filter};
use crate::tensor::Tensor;

/// Blocks of halving resolution, each of which can see the image directly while the network grows (PGGAN, figure 2).
#[derive(Clone, Debug)]
pub(in crate::models) struct Growing {
    blocks: Vec<Block>,
    /// Colours to what the last block sees.
    from_rgb: Conv2dLayer,
    epilogue: Epilogue,
    lod: Lod,
}

/// How the second convolution of a block halves the resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::models) enum Halving {
    /// Averages squares of two by two after the activation: PGGAN.
    AfterActivation,
    /// The same before it, as one strided convolution: PGGAN with `fused_scale`.
    BeforeActivation,
    /// As before, and blurs first: StyleGAN, with or without `fused_scale`, which are the same function.
    Blurred,
}

/// What the tensors do not tell.
#[derive(Clone, Copy, Debug)]
pub(in crate::models) struct GrowingOptions {
    pub(in crate::models) halving: Halving,
    /// Samples of a group of the minibatch standard deviation; `None` for the whole batch.
    pub(in crate::models) group: Option<usize>,
    /// Level of detail; `None` goes by the checkpoint.
    pub(in crate::models) lod: Option<f64>,
}

#[derive(Clone, Debug)]
struct Block {
    name: String,
    from_rgb: Conv2dLayer,
    conv0: Conv2dLayer,
    conv1: Conv2dLayer,
    blur: Option<Filter>,
    /// Whether the second convolution keeps the size, so that its result is to be averaged.
    averages: bool,
}

impl Block {
    fn new(
        params: &mut Params,
        name: String,
        inputs: Option<usize>,
        colours: Option<usize>,
        halving: Halving,
    ) -> Result<Self> {
        let from_rgb = layer(params, &format!("{name}.fromrgb"), [inputs, colours], 1, 1)?;
        let seen = Some(from_rgb.outputs());
        let conv0 = layer(params, &format!("{name}.conv0"), [None, seen], 3, 1)?;
        let path = format!("{name}.conv1");
        let stored = take_filter(params, &format!("{path}.resample_filter"))?;
        let blur = match halving {
            Halving::Blurred => Some(stored.map_or_else(|| Filter::outer(&[0.25, 0.5, 0.25]), Ok)?),
            _ => None,
        };
        let averages = halving == Halving::AfterActivation;
        let down = if averages { 1 } else { 2 };
        let conv1 = layer(params, &path, [None, Some(conv0.outputs())], 3, down)?;
        Ok(Block { name, from_rgb, conv0, conv1, blur, averages })
    }

    /// `[n, c, h, w]` to `[n, c', h/2, w/2]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.conv0.forward(x, 1.0)?;
        if let Some(blur) = &self.blur {
            x = filter2d(&x, blur, [[0; 2]; 2], false, 1.0)?;
        }
        let x = self.conv1.forward(&x, 1.0)?;
        if self.averages { average_downsample2d(&x) } else { Ok(x) }
    }
}

/// A convolution of `[outputs, inputs]` with leaky ReLU.
fn layer(
    params: &mut Params,
    name: &str,
    [outputs, inputs]: [Option<usize>; 2],
    kernel: usize,
    down: usize,
) -> Result<Conv2dLayer> {
    params.require(&format!("{name}.bias"))?;
    let shape = [outputs, inputs, Some(kernel), Some(kernel)];
    Conv2dLayer::new(params, name, &shape, Activation::Lrelu, (1, down), nearest_filter()?, None)
}

impl Growing {
    /// Takes `b{r}.fromrgb`, `b{r}.conv0`, `b{r}.conv1` of each block, `b4.fromrgb`, `b4.conv`, `b4.fc`, `b4.out` and, if it
    /// is there, `lod`.
    pub(in crate::models) fn new(params: &mut Params, options: &GrowingOptions) -> Result<Self> {
        let (mut channels, mut colours) = (None, None);
        let mut blocks: Vec<Block> = Vec::new();
        for name in block_names(params, "") {
            let block = Block::new(params, name, channels, colours, options.halving)?;
            channels = Some(block.conv1.outputs());
            colours = Some(block.from_rgb.inputs());
            blocks.push(block);
        }
        let from_rgb = layer(params, "b4.fromrgb", [channels, colours], 1, 1)?;
        let epilogue = EpilogueOptions {
            group: options.group,
            activation: Activation::Lrelu,
            clamp: None,
            size: Some([4, 4]),
        };
        let epilogue = Epilogue::new(params, "b4", from_rgb.outputs(), &epilogue)?;
        let lod = Lod::take(params, "lod", options.lod, blocks.len() + 1)?;
        Ok(Growing { blocks, from_rgb, epilogue, lod })
    }

    /// Colours, height and width of its images.
    pub(in crate::models) fn image_shape(&self) -> [usize; 3] {
        let [h, w] = self.epilogue.size().map(|side| side << self.blocks.len());
        [self.from_rgb.inputs(), h, w]
    }

    /// How many numbers it gives.
    pub(in crate::models) fn outputs(&self) -> usize {
        self.epilogue.outputs()
    }

    pub(in crate::models) fn device(&self) -> &Device {
        self.epilogue.device()
    }

    pub(in crate::models) fn lod(&self) -> f64 {
        self.lod.value()
    }

    pub(in crate::models) fn with_lod(mut self, lod: f64) -> Result<Self> {
        self.lod = Lod::new(lod, self.blocks.len() + 1)?;
        Ok(self)
    }

    /// Images `[n, c, h, w]` to `[n, outputs]`, and shows `visit` the features that each block hands on. At a level of detail of 1 or
    /// more, the first blocks take no part.
    pub(in crate::models) fn forward_with(
        &self,
        images: &Tensor,
        visit: Visit<'_>,
    ) -> Result<Tensor> {
        check_images(images, self.image_shape())?;
        let mut image = images.clone();
        let mut features = None;
        for (level, block) in self.blocks.iter().enumerate() {
            if self.lod.needs(level) {
                let colours = || block.from_rgb.forward(&image, 1.0);
                let x = block.forward(&self.lod.enter(level, features, colours)?)?;
                visit(&block.name, &x)?;
                features = Some(x);
            }
            if self.lod.shrinks(level) {
                image = average_downsample2d(&image)?;
            }
        }
        let colours = || self.from_rgb.forward(&image, 1.0);
        let x = self.lod.enter(self.blocks.len(), features, colours)?;
        self.epilogue.forward(&x)
    }
}
