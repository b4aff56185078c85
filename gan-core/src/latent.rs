//! Latent codes. Each space is a type of its own, so that a direction of one cannot move a code of another.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::layers::Layers;
use crate::random::Seeds;
use crate::tensor::Tensor;

/// Codes of the prior, `[n, z_dim]`, standard normal.
#[derive(Clone, Debug)]
pub struct Z(Tensor);

impl Z {
    /// Wraps `[n, z_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        tensor.dims2("z")?;
        Ok(Z(tensor))
    }

    /// The codes that NVIDIA's tools give these seeds: `RandomState(seed).randn(1, z_dim)`, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no seeds.
    pub fn from_seeds(seeds: &Seeds, z_dim: usize, device: &Device) -> Result<Self> {
        Ok(Z(Tensor::from_vec(seeds.randn(z_dim), &[seeds.len(), z_dim], device)?))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

/// Codes of the intermediate space, `[n, w_dim]`: one vector an image.
#[derive(Clone, Debug)]
pub struct W(Tensor);

impl W {
    /// Wraps `[n, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        tensor.dims2("w")?;
        Ok(W(tensor))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Moved by `strength` along a direction of all layers.
    ///
    /// # Errors
    /// [`Error::Latent`] if the direction is longer or shorter or belongs to some layers only: broadcast to W+ first.
    pub fn shifted(&self, direction: &Direction<W>, strength: f64) -> Result<Self> {
        if direction.layers != Layers::All {
            return Err(Error::Latent {
                what: "direction",
                expected: "one for all layers; broadcast w to W+ for others".into(),
                found: format!("layers {}", direction.layers),
            });
        }
        let [_, w_dim] = self.0.dims2("w")?;
        direction.check_len(w_dim)?;
        let delta = direction.scaled(strength, "strength")?;
        Ok(W(self.0.add(&Tensor::from_vec(delta, &[1, w_dim], self.0.device())?)?))
    }
}

/// One vector a layer, `[n, num_ws, w_dim]`.
#[derive(Clone, Debug)]
pub struct WPlus(Tensor);

impl WPlus {
    /// Wraps `[n, num_ws, w_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        if tensor.shape().len() != 3 {
            return Err(Error::shape("w+", "[n, num_ws, w_dim]", tensor.shape()));
        }
        Ok(WPlus(tensor))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Number of codes.
    pub fn batch(&self) -> usize {
        self.0.shape()[0]
    }

    /// Number of layers.
    pub fn num_ws(&self) -> usize {
        self.0.shape()[1]
    }

    fn w_dim(&self) -> usize {
        self.0.shape()[2]
    }

    /// Code `index` alone.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such code.
    pub fn row(&self, index: usize) -> Result<Self> {
        self.0.slice(0, index, 1).map(WPlus)
    }

    /// Codes `first..first + count`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no such codes.
    pub fn rows(&self, first: usize, count: usize) -> Result<Self> {
        self.0.slice(0, first, count).map(WPlus)
    }

    /// Batches one after the other.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none or they differ in layers or length.
    pub fn concat(batches: &[WPlus]) -> Result<Self> {
        Tensor::concat(&batches.iter().map(|b| &b.0).collect::<Vec<_>>(), 0).map(WPlus)
    }

    /// Style mixing: `layers` from `other`, the rest from `self` (StyleGAN, section 3.1).
    ///
    /// # Errors
    /// [`Error::Argument`] for layers that do not exist, [`Error::Shape`] if the codes differ in shape.
    pub fn mixed(&self, other: &WPlus, layers: &Layers) -> Result<Self> {
        if self.0.shape() != other.0.shape() {
            return Err(Error::shape(
                "style mixing",
                format!("{:?}", self.0.shape()),
                other.0.shape(),
            ));
        }
        let chosen = layers.indices(self.num_ws())?;
        let index: Vec<usize> = (0..self.num_ws())
            .map(|i| if chosen.contains(&i) { self.num_ws() + i } else { i })
            .collect();
        Tensor::concat(&[&self.0, &other.0], 1)?.gather(1, &index).map(WPlus)
    }

    /// Moved by `strength` along a direction, in its layers.
    ///
    /// # Errors
    /// As [`WPlus::edited`].
    pub fn shifted(&self, direction: &Direction<W>, strength: f64) -> Result<Self> {
        self.edited(&[(direction, strength)])
    }

    /// Moved along several directions at once, each in its layers and by its strength.
    ///
    /// # Errors
    /// [`Error::Latent`] for directions of another length, [`Error::Argument`] for layers that do not exist or
    /// strengths that are not finite.
    pub fn edited(&self, edits: &[(&Direction<W>, f64)]) -> Result<Self> {
        let (num_ws, w_dim) = (self.num_ws(), self.w_dim());
        let mut delta = vec![0.0; num_ws * w_dim];
        for (direction, strength) in edits {
            direction.check_len(w_dim)?;
            let step = direction.scaled(*strength, "strength")?;
            for layer in direction.layers.indices(num_ws)? {
                let row = &mut delta[layer * w_dim..][..w_dim];
                row.iter_mut().zip(&step).for_each(|(d, s)| *d += s);
            }
        }
        let delta = Tensor::from_vec(delta, &[1, num_ws, w_dim], self.0.device())?;
        self.0.add(&delta).map(WPlus)
    }
}

/// What kind of layer a style vector feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StyleKind {
    /// A convolution.
    Conv,
    /// The conversion of features to colours.
    ToRgb,
}

/// One vector of the style space S.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StyleEntry {
    /// The layer's official name, such as `b8.conv0`.
    pub name: String,
    /// What it feeds.
    pub kind: StyleKind,
    /// Height of the layer's result in pixels.
    pub resolution: usize,
    /// Length of the vector: the layer's input channels.
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

/// A direction in the space `S` ([`Z`] or [`W`]) that changes one thing about an image.
///
/// Its length is its unit of strength: a unit vector moves by the strength itself.
#[derive(Clone, Debug)]
pub struct Direction<S> {
    vector: Vec<f32>,
    layers: Layers,
    origin: String,
    space: PhantomData<fn() -> S>,
}

impl<S> Direction<S> {
    /// A direction for the given layers; `origin` says where it comes from, for labels and records.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is zero or not finite.
    pub fn new(vector: Vec<f32>, layers: Layers, origin: impl Into<String>) -> Result<Self> {
        let usable = vector.iter().all(|v| v.is_finite()) && vector.iter().any(|&v| v != 0.0);
        if !usable {
            let found = "one that is zero, empty or not finite";
            return Err(Error::argument("direction", "a finite vector that is not zero", found));
        }
        Ok(Direction { vector, layers, origin: origin.into(), space: PhantomData })
    }

    /// Its components.
    pub fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// The layers that it moves.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Where it comes from, such as `sefa 0-1 #2`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn check_len(&self, dim: usize) -> Result<()> {
        if self.vector.len() != dim {
            return Err(Error::Latent {
                what: "direction",
                expected: format!("{dim} components"),
                found: format!("{} ({})", self.vector.len(), self.origin),
            });
        }
        Ok(())
    }

    fn scaled(&self, strength: f64, what: &'static str) -> Result<Vec<f32>> {
        if !strength.is_finite() {
            return Err(Error::argument(what, "a finite number", strength));
        }
        Ok(self.vector.iter().map(|&v| (f64::from(v) * strength) as f32).collect())
    }
}

impl Z {
    /// Moved by `strength` along a direction.
    ///
    /// # Errors
    /// [`Error::Latent`] if the direction is longer or shorter, [`Error::Argument`] if the strength is not finite.
    pub fn shifted(&self, direction: &Direction<Z>, strength: f64) -> Result<Self> {
        let [_, z_dim] = self.0.dims2("z")?;
        direction.check_len(z_dim)?;
        let delta = direction.scaled(strength, "strength")?;
        Ok(Z(self.0.add(&Tensor::from_vec(delta, &[1, z_dim], self.0.device())?)?))
    }
}

/// Labels of a conditional network, `[n, label_dim]`.
#[derive(Clone, Debug)]
pub struct Labels(Tensor);

impl Labels {
    /// Wraps `[n, label_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        tensor.dims2("labels")?;
        Ok(Labels(tensor))
    }

    /// One-hot labels of classes.
    ///
    /// # Errors
    /// [`Error::Argument`] if a class does not exist, [`Error::Shape`] if there are none.
    pub fn one_hot(classes: &[usize], label_dim: usize, device: &Device) -> Result<Self> {
        let mut values = vec![0.0f32; classes.len() * label_dim];
        for (row, &class) in values.chunks_mut(label_dim.max(1)).zip(classes) {
            let expected = || format!("0 to {}", label_dim.saturating_sub(1));
            *row.get_mut(class).ok_or_else(|| Error::argument("class", expected(), class))? = 1.0;
        }
        Tensor::from_vec(values, &[classes.len(), label_dim], device).map(Labels)
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

/// The truncation trick: codes are pulled towards the average code (StyleGAN, appendix B).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// 1 leaves codes as they are, 0 gives the average.
    pub psi: f64,
    /// How many vectors of W+ are truncated, from the first on; `None` for all.
    pub cutoff: Option<usize>,
}

impl Truncation {
    /// The same psi for all layers.
    pub fn new(psi: f64) -> Self {
        Truncation { psi, cutoff: None }
    }
}

/// Noise that the network adds to its features.
#[derive(Clone, Copy, Debug, Default)]
pub enum Noise<'a> {
    /// The maps stored with the network, the same for all images.
    #[default]
    Const,
    /// Normal noise, fresh for each image, the same for the same seed.
    Random {
        /// Seed of the counter-based generator.
        seed: u64,
    },
    /// No noise.
    None,
    /// Given maps, one for each convolution in order, each `[n or 1, 1, h, w]`; the network multiplies them by its
    /// strengths.
    Maps(&'a [Tensor]),
}
