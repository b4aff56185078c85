//! Codes of the style space S.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// What kind of layer a style vector feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StyleKind {
    /// A convolution.
    Conv,
    /// The conversion of features to colours.
    ToRgb,
    /// The scale of an adaptive instance normalisation, around 0: features are multiplied by 1 more.
    Scale,
    /// What an adaptive instance normalisation adds.
    Bias,
    /// The first convolution, as its input: the code or vector of W+ itself.
    Input,
}

/// One vector of the style space S.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StyleEntry {
    /// The layer's official name, such as `b8.conv0`; where a layer has two vectors, with `.scale` or `.bias` after it.
    pub name: String,
    /// What it feeds.
    pub kind: StyleKind,
    /// Height of the layer's result in pixels.
    pub resolution: usize,
    /// Length of the vector: the channels that it scales or shifts, in StyleGAN2 the layer's input channels.
    pub channels: usize,
    /// Which vector of W+ the layer reads.
    pub w_index: usize,
}

/// Codes of the style space S, one `[n, channels]` a layer, in the order of the network's layout.
///
/// They are the results of the affine layers; those of toRGB before the network's constant gain.
#[derive(Clone, Debug)]
pub struct Styles {
    layout: Arc<[StyleEntry]>,
    tensors: Vec<Tensor>,
}

impl Styles {
    /// Wraps one tensor for each entry of a layout.
    ///
    /// # Errors
    /// [`Error::Latent`] if the shapes are not those of the layout.
    pub fn new(layout: Arc<[StyleEntry]>, tensors: Vec<Tensor>) -> Result<Self> {
        let n = tensors.first().map_or(0, |t| t.shape().first().copied().unwrap_or(0));
        let expected: Vec<Vec<usize>> = layout.iter().map(|e| vec![n, e.channels]).collect();
        let found: Vec<Vec<usize>> = tensors.iter().map(|t| t.shape().to_vec()).collect();
        if expected != found {
            let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
            return Err(Error::Latent { what: "styles", expected, found });
        }
        Ok(Styles { layout, tensors })
    }

    /// An error unless they are of that layout.
    pub(crate) fn check_layout(&self, layout: &[StyleEntry]) -> Result<()> {
        if *self.layout == *layout {
            return Ok(());
        }
        let names = |l: &[StyleEntry]| {
            l.iter().map(|e| format!("{}[{}]", e.name, e.channels)).collect::<Vec<_>>().join(" ")
        };
        Err(Error::Latent { what: "styles", expected: names(layout), found: names(&self.layout) })
    }

    /// Number of codes.
    pub fn batch(&self) -> usize {
        self.tensors.first().map_or(0, |t| t.shape()[0])
    }

    /// The layout.
    pub fn layout(&self) -> &Arc<[StyleEntry]> {
        &self.layout
    }

    /// All tensors, in order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The vectors `[n, channels]` of the layer of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.layout.iter().position(|e| e.name == name).map(|i| &self.tensors[i])
    }

    /// With `delta` added to one channel of one layer, in all samples.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such layer or channel, or `delta` is not finite.
    pub fn shifted(&self, layer: &str, channel: usize, delta: f64) -> Result<Self> {
        let index = self.layout.iter().position(|e| e.name == layer).ok_or_else(|| {
            let names: Vec<&str> = self.layout.iter().map(|e| e.name.as_str()).collect();
            Error::argument("style layer", format!("one of {}", names.join(", ")), layer)
        })?;
        let channels = self.layout[index].channels;
        if channel >= channels {
            let expected = format!("0 to {} in {layer}", channels - 1);
            return Err(Error::argument("style channel", expected, channel));
        }
        if !delta.is_finite() {
            return Err(Error::argument("style shift", "a finite number", delta));
        }
        let mut step = vec![0.0; channels];
        step[channel] = delta;
        let mut tensors = self.tensors.clone();
        let tensor = &mut tensors[index];
        *tensor = tensor.add(&Tensor::from_vec(step, &[1, channels], tensor.device())?)?;
        Ok(Styles { layout: Arc::clone(&self.layout), tensors })
    }
}
