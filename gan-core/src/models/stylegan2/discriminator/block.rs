//! A block of the discriminator, and its layers.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::backend::{Activation, Filter};
use crate::error::Result;
use crate::nn::{Conv2dLayer, Params, downsample2d, take_filter};
use crate::tensor::Tensor;

/// Two convolutions that halve the resolution (`DiscriminatorBlock`).
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) name: String,
    /// Colours to features, in the first block and, in networks of the kind `skip`, in all.
    pub(super) from_rgb: Option<Conv2dLayer>,
    conv0: Conv2dLayer,
    conv1: Conv2dLayer,
    /// Path of the features around the convolutions.
    pub(super) skip: Option<Conv2dLayer>,
    /// Of the image.
    filter: Filter,
}

/// What follows a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonlinearity {
    pub(super) activation: Activation,
    pub(super) clamp: Option<f64>,
}

impl Block {
    /// For features of `channels`; the first block knows none and makes them of colours.
    pub(super) fn new(
        params: &mut Params,
        prefix: &str,
        name: String,
        channels: Option<usize>,
        colours: Option<usize>,
        nonlinearity: Nonlinearity,
    ) -> Result<Self> {
        let path = format!("{prefix}{name}");
        let filter = match take_filter(params, &format!("{path}.resample_filter"))? {
            Some(filter) => filter,
            None => Filter::outer(&[0.125, 0.375, 0.375, 0.125])?,
        };
        let make = Scope { path, nonlinearity, filter: &filter };
        for layer in ["conv0", "conv1"] {
            params.require(&make.name(&format!("{layer}.bias")))?;
        }
        let from_rgb = match channels.is_none() || params.has_layer(&make.name("fromrgb")) {
            true => Some(make.colours(params, channels, colours)?),
            false => None,
        };
        let channels = channels.or(from_rgb.as_ref().map(Conv2dLayer::outputs));
        let conv0 = make.layer(params, "conv0", [None, channels], 3, 1)?;
        let conv1 = make.layer(params, "conv1", [None, Some(conv0.outputs())], 3, 2)?;
        let skip = match params.has_layer(&make.name("skip")) {
            true => {
                let shape = [Some(conv1.outputs()), channels];
                let nonlinearity = Nonlinearity { activation: Activation::Linear, clamp: None };
                Some(Scope { nonlinearity, ..make }.layer(params, "skip", shape, 1, 2)?)
            }
            false => None,
        };
        Ok(Block { name, from_rgb, conv0, conv1, skip, filter })
    }

    pub(super) fn outputs(&self) -> usize {
        self.conv1.outputs()
    }

    /// `[n, c, h, w]` to `[n, c', h/2, w/2]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.skip {
            None => self.conv1.forward(&self.conv0.forward(x, 1.0)?, 1.0),
            Some(skip) => {
                let around = skip.forward(x, FRAC_1_SQRT_2)?;
                around.add(&self.conv1.forward(&self.conv0.forward(x, 1.0)?, FRAC_1_SQRT_2)?)
            }
        }
    }

    /// The image for the next block, `[n, c, h, w]` to `[n, c, h/2, w/2]`.
    pub(super) fn shrink(&self, image: &Tensor) -> Result<Tensor> {
        downsample2d(image, &self.filter, [2, 2], [[0; 2]; 2], false, 1.0)
    }
}

/// The conversion of colours in the last block of networks of the kind `skip`: it has no clamp.
pub(super) fn last_from_rgb(
    params: &mut Params,
    path: String,
    channels: usize,
    colours: usize,
    activation: Activation,
) -> Result<Conv2dLayer> {
    let filter = Filter::new(1, 1, vec![1.0])?;
    let nonlinearity = Nonlinearity { activation, clamp: None };
    Scope { path, nonlinearity, filter: &filter }.colours(params, Some(channels), Some(colours))
}

/// A block of which the layers are made.
#[derive(Clone)]
struct Scope<'a> {
    path: String,
    nonlinearity: Nonlinearity,
    filter: &'a Filter,
}

impl Scope<'_> {
    fn name(&self, layer: &str) -> String {
        format!("{}.{layer}", self.path)
    }

    fn colours(
        &self,
        params: &mut Params,
        channels: Option<usize>,
        colours: Option<usize>,
    ) -> Result<Conv2dLayer> {
        params.require(&self.name("fromrgb.bias"))?;
        self.layer(params, "fromrgb", [channels, colours], 1, 1)
    }

    /// `[outputs, inputs]` by a square kernel. Every layer holds a filter, used or not.
    fn layer(
        &self,
        params: &mut Params,
        layer: &str,
        [outputs, inputs]: [Option<usize>; 2],
        kernel: usize,
        down: usize,
    ) -> Result<Conv2dLayer> {
        let name = self.name(layer);
        let stored = take_filter(params, &format!("{name}.resample_filter"))?;
        let filter = stored.unwrap_or_else(|| self.filter.clone());
        let shape = [outputs, inputs, Some(kernel), Some(kernel)];
        let Nonlinearity { activation, clamp } = self.nonlinearity;
        Conv2dLayer::new(params, &name, &shape, activation, (1, down), filter, clamp)
    }
}
