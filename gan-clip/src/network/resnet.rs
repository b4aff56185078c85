//! The image tower as a residual network.

use gan_core::Tensor;
use gan_core::backend::{Activation, BiasAct, Conv};
use gan_core::nn::{NormedConv, Params, average_downsample2d, bias_act};

use super::attention_pool::AttentionPool;
use super::config::TowerOptions;
use crate::error::{Error, Result};

/// Stages of blocks.
const STAGES: usize = 4;
/// Pixels of the image for one of the last map.
const REDUCTION: usize = 32;
/// Added to variances, as in PyTorch.
const EPS: f64 = 1e-5;

/// `ModifiedResNet` of `clip/model.py` in openai/CLIP: a stem of three convolutions, means instead of strides, and attention
/// in the place of the last mean (Radford et al. 2021, section 2.4).
#[derive(Clone, Debug)]
pub struct ModifiedResNet {
    stem: [NormedConv; 3],
    blocks: Vec<Bottleneck>,
    pool: AttentionPool,
}

impl ModifiedResNet {
    /// Takes `visual.*`.
    pub(super) fn new(params: &mut Params, options: &TowerOptions) -> Result<Self> {
        let mut inputs = Some(3);
        let mut stem = Vec::new();
        for (i, stride) in [(1, 2), (2, 1), (3, 1)] {
            let names = [format!("visual.conv{i}"), format!("visual.bn{i}")];
            let names = [names[0].as_str(), names[1].as_str()];
            let conv = conv(params, names, [None, inputs], 3, stride)?;
            inputs = Some(conv.outputs());
            stem.push(conv);
        }
        let mut blocks = Vec::new();
        for stage in 1..=STAGES {
            let mut k = 0;
            loop {
                let name = format!("visual.layer{stage}.{k}");
                // The first of a stage has to be there.
                if k > 0 && !params.has_layer(&name) {
                    break;
                }
                let halves = stage > 1 && k == 0;
                let block = Bottleneck::new(params, &name, inputs, halves)?;
                inputs = Some(block.outputs());
                blocks.push(block);
                k += 1;
            }
        }
        let pool = AttentionPool::new(params, "visual.attnpool", inputs, options)?;
        let Ok(stem) = stem.try_into() else { unreachable!("three were made") };
        Ok(ModifiedResNet { stem, blocks, pool })
    }

    /// Pixels of a side of the images that it takes.
    pub fn resolution(&self) -> usize {
        REDUCTION * self.pool.grid()
    }

    /// Length of the embeddings.
    pub fn embedding(&self) -> usize {
        self.pool.embedding()
    }

    /// What the stem makes of normalised images `[n, 3, h, w]`, `[n, width, h/4, w/4]`.
    ///
    /// # Errors
    /// When images have another shape.
    pub fn stem(&self, images: &Tensor) -> Result<Tensor> {
        let side = self.resolution();
        if !matches!(*images.shape(), [_, 3, h, w] if [h, w] == [side, side]) {
            let expected = format!("[n, 3, {side}, {side}]");
            return Err(Error::argument("images", expected, format!("{:?}", images.shape())));
        }
        let x = self.stem.iter().try_fold(images.clone(), |x, conv| conv.forward(&x, &relu()))?;
        Ok(average_downsample2d(&x)?)
    }

    /// What the blocks make of what the stem made, `[n, 32 width, h/32, w/32]`.
    ///
    /// # Errors
    /// When `stem` has another shape.
    pub fn features(&self, stem: &Tensor) -> Result<Tensor> {
        self.blocks.iter().try_fold(stem.clone(), |x, block| block.forward(&x))
    }

    /// Embeddings `[n, embedding]` of normalised images `[n, 3, h, w]`.
    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.pool.forward(&self.features(&self.stem(images)?)?)
    }
}

#[derive(Clone, Debug)]
struct Bottleneck {
    convs: [NormedConv; 3],
    shortcut: Option<NormedConv>,
    halves: bool,
}

impl Bottleneck {
    fn new(params: &mut Params, name: &str, inputs: Option<usize>, halves: bool) -> Result<Self> {
        let mut conv = |i: usize, outputs, inputs, kernel| {
            let names = [format!("{name}.conv{i}"), format!("{name}.bn{i}")];
            let names = [names[0].as_str(), names[1].as_str()];
            self::conv(params, names, [outputs, inputs], kernel, 1)
        };
        let first = conv(1, None, inputs, 1)?;
        let inner = Some(first.outputs());
        let second = conv(2, inner, inner, 3)?;
        let third = conv(3, None, inner, 1)?;
        let outputs = Some(third.outputs());
        let shortcut = format!("{name}.downsample");
        let changes = halves || inputs != outputs || params.has_layer(&shortcut);
        let shortcut = changes.then(|| {
            let names = [format!("{shortcut}.0"), format!("{shortcut}.1")];
            let names = [names[0].as_str(), names[1].as_str()];
            self::conv(params, names, [outputs, inputs], 1, 1)
        });
        let shortcut = shortcut.transpose()?;
        Ok(Bottleneck { convs: [first, second, third], shortcut, halves })
    }

    fn outputs(&self) -> usize {
        self.convs[2].outputs()
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let halved = |x: &Tensor| -> Result<Tensor> {
            Ok(if self.halves { average_downsample2d(x)? } else { x.clone() })
        };
        let linear = BiasAct::new(Activation::Linear);
        let y = self.convs[0].forward(x, &relu())?;
        let y = halved(&self.convs[1].forward(&y, &relu())?)?;
        let y = self.convs[2].forward(&y, &linear)?;
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(&halved(x)?, &linear)?,
            None => x.clone(),
        };
        Ok(bias_act(&y.add(&shortcut)?, None, &relu())?)
    }
}

fn relu() -> BiasAct {
    BiasAct { gain: 1.0, ..BiasAct::new(Activation::Relu) }
}

/// With its normalisation; images keep their size at stride 1.
fn conv(
    params: &mut Params,
    names: [&str; 2],
    [outputs, inputs]: [Option<usize>; 2],
    kernel: usize,
    stride: usize,
) -> Result<NormedConv> {
    let shape = [outputs, inputs, Some(kernel), Some(kernel)];
    let conv = Conv { stride: [stride; 2], padding: [kernel / 2; 2], groups: 1 };
    Ok(NormedConv::new(params, names, shape, conv, EPS)?)
}
