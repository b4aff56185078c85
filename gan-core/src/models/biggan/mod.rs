//! BigGAN-deep (Brock, Donahue and Simonyan 2019), in the layout of Hugging Face's pytorch-pretrained-biggan.

mod block;
mod config;

use std::fmt;
use std::path::Path;

pub use block::{Block, BlockShape};
pub use config::Options;

use crate::backend::Device;
use crate::checkpoint::{self, StateDict};
use crate::error::{Error, Result};
use crate::generator::{Factorizable, Generator, Projection};
use crate::latent::{Direction, Editable, Labels, StyleKind, Z, ZPlus, ZTruncation};
use crate::models::Visit;
use crate::nn::{BatchNorm, Params, SelfAttention, SpectralConv2d, SpectralLinear};
use crate::random::Seeds;
use crate::staged::{Features, Stage, Staged, check_stage};
use crate::tensor::Tensor;

use block::relu;

/// Pixels a side at which the first linear layer starts.
const START: usize = 4;
/// A side of 16384 pixels.
const MOST_DOUBLINGS: usize = 12;

/// A BigGAN-deep generator of images of a class.
///
/// The class is embedded and joined to z; the two together drive the first linear layer and, in each block, the batch
/// normalisation. Each of those may have a z of its own ([`ZPlus`]): layer 0 is the linear layer, layer k the k-th block.
///
/// ```no_run
/// use gan_core::{BigGan, Device, Generator, Labels, Seeds, ZTruncation};
/// let device = Device::cpu();
/// let g = BigGan::open("biggan-deep-256.safetensors", &device)?;
/// let truncation = ZTruncation::new(0.4)?;
/// let z = g.sample(&Seeds::from(0..2), truncation)?;
/// let classes = Labels::one_hot(&[207, 812], g.label_dim(), &device)?;
/// let images = g.synthesize(&g.broadcast(&z)?, &classes, truncation)?;
/// assert_eq!(images.shape(), [2, 3, 256, 256]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone)]
pub struct BigGan {
    embedding: Tensor,
    gen_z: SpectralLinear,
    layers: Vec<Layer>,
    norm: BatchNorm,
    to_rgb: SpectralConv2d,
    /// The same for the channels that are colours.
    colours: SpectralConv2d,
}

/// A code for each layer with the class that it is drawn for.
#[derive(Clone, Debug)]
pub struct Codes {
    /// `[n, layers, z_dim]`
    pub z: ZPlus,
    /// `[n, classes]`
    pub labels: Labels,
    /// Chooses the statistics of batch normalisation.
    pub truncation: ZTruncation,
}

impl Editable<Z> for Codes {
    fn shifted(&self, direction: &Direction<Z>, strength: f64) -> Result<Self> {
        Ok(Codes { z: self.z.shifted(direction, strength)?, ..self.clone() })
    }
}

/// What drives the layers.
struct Conditions<'a> {
    z: &'a ZPlus,
    embedded: Tensor,
    truncation: f64,
}

impl Conditions<'_> {
    /// That of the `i`-th layer that reads z, `[n, 2 z_dim]`.
    fn get(&self, i: usize) -> Result<Tensor> {
        Tensor::concat(&[self.z.layer(i)?.tensor(), &self.embedded], 1)
    }
}

/// One entry of the original's list of layers.
#[derive(Clone, Debug)]
enum Layer {
    Block(Box<Block>),
    Attention(SelfAttention),
}

impl Layer {
    fn is_block(&self) -> bool {
        matches!(self, Layer::Block(_))
    }
}

impl BigGan {
    /// Opens a generator of one of the published configurations; layers, widths and the place of the attention follow from
    /// names and shapes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Layout`] if it is no BigGAN generator,
    /// [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, &Options::default(), device)
    }

    /// Builds a generator from tensors: `embeddings.weight [z_dim, classes]`, `generator.gen_z.*`,
    /// `generator.layers.<i>.*`, each a [`Block`] or a [`SelfAttention`], `generator.bn.*` and `generator.conv_to_rgb.*`.
    ///
    /// # Errors
    /// As [`BigGan::open`]; [`Error::Argument`] for options that do not fit the tensors.
    pub fn from_state_dict(dict: StateDict, options: &Options, device: &Device) -> Result<Self> {
        checkpoint::check_biggan(&dict)?;
        let mut params = Params::upload(dict, device)?;
        let network = Self::new(&mut params, options)?;
        params.finish()?;
        Ok(network)
    }

    fn new(params: &mut Params, options: &Options) -> Result<Self> {
        let embedding = params.take("embeddings.weight", &[None, None])?;
        // The embedding is as long as z, and both go in.
        let inputs = 2 * embedding.shape()[0];
        let gen_z = SpectralLinear::new(params, "generator.gen_z", None, Some(inputs), true)?;
        let outputs = gen_z.outputs();
        if outputs % (START * START) != 0 {
            return Err(Error::Weights {
                name: "generator.gen_z.weight_orig".into(),
                expected: format!("outputs for {START} x {START} pixels"),
                found: format!("{outputs} outputs"),
            });
        }
        let mut channels = outputs / (START * START);
        let (mut layers, mut blocks, mut doublings) = (Vec::new(), 0, 0);
        let mut statistics = None;
        let path = |i: usize| format!("generator.layers.{i}");
        let is_in = |params: &Params, i| params.has_layer(&path(i)) || layers_beyond(params, i);
        while is_in(params, layers.len()) {
            let name = path(layers.len());
            if SelfAttention::is_in(params, &name) {
                layers.push(Layer::Attention(SelfAttention::new(params, &name, Some(channels))?));
                continue;
            }
            let upsample = match &options.upsample {
                None => blocks % 2 == 1,
                // A list that is too short is refused below, where the number of blocks is known.
                Some(list) => list.get(blocks).copied().unwrap_or(false),
            };
            let shape = BlockShape {
                inputs: Some(channels),
                condition: Some(inputs),
                statistics,
                upsample,
            };
            let block = Block::new(params, &name, &shape, options.eps)?;
            (channels, statistics) = (block.outputs(), Some(block.statistics()));
            (blocks, doublings) = (blocks + 1, doublings + usize::from(upsample));
            layers.push(Layer::Block(Box::new(block)));
        }
        if let Some(list) = options.upsample.as_ref().filter(|list| list.len() != blocks) {
            let expected = format!("one entry for each of {blocks} blocks");
            return Err(Error::argument("options.upsample", expected, list.len()));
        }
        if doublings > MOST_DOUBLINGS {
            return Err(Error::Weights {
                name: path(layers.len() - 1),
                expected: format!("a network of at most {} pixels", START << MOST_DOUBLINGS),
                found: format!("{doublings} blocks that double the resolution"),
            });
        }
        let norm = BatchNorm::new(params, "generator.bn", statistics, Some(channels), options.eps)?;
        let to_rgb = "generator.conv_to_rgb";
        let to_rgb = SpectralConv2d::new(params, to_rgb, [None, Some(channels)], 3, true)?;
        if to_rgb.outputs() < 3 {
            return Err(Error::Weights {
                name: "generator.conv_to_rgb.weight_orig".into(),
                expected: "at least 3 outputs, for the colours".into(),
                found: format!("{} outputs", to_rgb.outputs()),
            });
        }
        let colours = to_rgb.narrowed(3)?;
        Ok(BigGan { embedding, gen_z, layers, norm, to_rgb, colours })
    }

    /// The first linear layer, from z and embedding `[n, 2 z_dim]` to `[n, 4 * 4 * channels]`.
    pub fn gen_z(&self) -> &SpectralLinear {
        &self.gen_z
    }

    /// The residual blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Block(block) => Some(&**block),
            Layer::Attention(_) => None,
        })
    }

    /// Number of layers that read z: the first linear layer and each block.
    pub fn latent_layers(&self) -> usize {
        1 + self.blocks().count()
    }

    /// Codes `[seeds, z_dim]` of the truncated prior, the same as the original makes of these seeds; see [`Z::truncated`].
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no seeds, [`Error::TooLarge`] if there are too many.
    pub fn sample(&self, seeds: &Seeds, truncation: ZTruncation) -> Result<Z> {
        Z::truncated(seeds, self.z_dim(), truncation, self.device())
    }

    /// The same code for all layers.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length.
    pub fn broadcast(&self, z: &Z) -> Result<ZPlus> {
        let found = z.tensor().shape();
        if found[1] != self.z_dim() {
            let expected = format!("[n, {}]", self.z_dim());
            return Err(Error::Latent { what: "z", expected, found: format!("{found:?}") });
        }
        ZPlus::broadcast(z, self.latent_layers())
    }

    /// Labels `[n, classes]`, one-hot or a mixture, embedded, `[n, z_dim]`.
    ///
    /// # Errors
    /// [`Error::Latent`] for labels of another length.
    pub fn embed(&self, labels: &Labels) -> Result<Tensor> {
        let found = labels.tensor().shape();
        if found[1] != self.label_dim() {
            let expected = format!("[n, {}]", self.label_dim());
            return Err(Error::Latent { what: "labels", expected, found: format!("{found:?}") });
        }
        labels.tensor().matmul_t(&self.embedding)
    }

    /// Images `[n, 3, h, w]` of codes `[n, layers, z_dim]` and labels `[n, classes]`.
    ///
    /// The truncation chooses the statistics of batch normalisation; it should be the one that the codes were sampled
    /// with, but does not change them.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes or labels of another geometry.
    pub fn synthesize(
        &self,
        z: &ZPlus,
        labels: &Labels,
        truncation: ZTruncation,
    ) -> Result<Tensor> {
        let conditions = self.conditions(z, labels, truncation)?;
        let start = self.start(&conditions)?;
        Ok(self.run(start, self.layers.len() + 2, &conditions, None)?.maps)
    }

    /// As [`BigGan::synthesize`], and shows `visit` what each layer makes, by the original's name: `embeddings`, `gen_z`
    /// before it becomes a map, `layers.0`, ..., `bn`, and `conv_to_rgb` with the channels that are not colours.
    ///
    /// # Errors
    /// As [`BigGan::synthesize`], and those of `visit`.
    pub fn synthesize_with(
        &self,
        z: &ZPlus,
        labels: &Labels,
        truncation: ZTruncation,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let conditions = self.conditions(z, labels, truncation)?;
        visit("embeddings", &conditions.embedded)?;
        let start = self.start(&conditions)?;
        Ok(self.run(start, self.layers.len() + 2, &conditions, Some(visit))?.maps)
    }

    fn conditions<'a>(
        &self,
        z: &'a ZPlus,
        labels: &Labels,
        truncation: ZTruncation,
    ) -> Result<Conditions<'a>> {
        let [n, layers, z_dim] = [0, 1, 2].map(|d| z.tensor().shape()[d]);
        if (layers, z_dim) != (self.latent_layers(), self.z_dim()) {
            return Err(Error::Latent {
                what: "z+",
                expected: format!("[n, {}, {}]", self.latent_layers(), self.z_dim()),
                found: format!("{:?}", z.tensor().shape()),
            });
        }
        let embedded = self.embed(labels)?;
        if embedded.shape()[0] != n {
            let (expected, found) = (format!("{n} rows"), format!("{} rows", embedded.shape()[0]));
            return Err(Error::Latent { what: "labels", expected, found });
        }
        Ok(Conditions { z, embedded, truncation: truncation.get() })
    }

    /// What the first linear layer sees.
    fn start(&self, conditions: &Conditions<'_>) -> Result<Features> {
        let input = conditions.get(0)?;
        let [n, inputs] = input.dims2("z")?;
        Features::new(0, input.reshape(&[n, inputs, 1, 1])?)
    }

    /// Runs the layers from the stage of `features` up to another.
    fn run(
        &self,
        features: Features,
        until: usize,
        conditions: &Conditions<'_>,
        visit: Option<Visit<'_>>,
    ) -> Result<Features> {
        // The channels that are no colours are there for whoever looks, not for the image.
        let to_rgb = if visit.is_some() { &self.to_rgb } else { &self.colours };
        let mut nobody = |_: &str, _: &Tensor| Ok(());
        let visit = visit.unwrap_or(&mut nobody);
        let Features { mut stage, maps: mut x, .. } = features;
        while stage < until {
            x = match stage.checked_sub(1).map(|i| (i, self.layers.get(i))) {
                None => self.first(&x, visit)?,
                Some((i, Some(layer))) => {
                    let x = match layer {
                        Layer::Block(block) => {
                            // Latent layer 0 is the linear one.
                            let before = self.layers[..i].iter().filter(|l| l.is_block()).count();
                            block.forward(
                                &x,
                                &conditions.get(before + 1)?,
                                conditions.truncation,
                            )?
                        }
                        Layer::Attention(attention) => attention.forward(&x)?,
                    };
                    visit(&format!("layers.{i}"), &x)?;
                    x
                }
                Some((_, None)) => self.last(&x, conditions.truncation, to_rgb, visit)?,
            };
            stage += 1;
        }
        Features::new(stage, x)
    }

    /// From z and class `[n, 2 z_dim, 1, 1]` to the first features.
    fn first(&self, x: &Tensor, visit: Visit<'_>) -> Result<Tensor> {
        let [n, inputs, ..] = x.dims4("z")?;
        let flat = self.gen_z.forward(&x.reshape(&[n, inputs])?)?;
        visit("gen_z", &flat)?;
        flat.reshape(&[n, START, START, self.start_channels()])?.permute(&[0, 3, 1, 2])
    }

    /// From the last features to the image.
    fn last(
        &self,
        x: &Tensor,
        truncation: f64,
        to_rgb: &SpectralConv2d,
        visit: Visit<'_>,
    ) -> Result<Tensor> {
        let x = self.norm.forward(x, truncation)?;
        visit("bn", &x)?;
        let x = to_rgb.forward(&relu(&x)?)?;
        visit("conv_to_rgb", &x)?;
        x.slice(1, 0, 3)?.tanh()
    }

    fn start_channels(&self) -> usize {
        self.gen_z.outputs() / (START * START)
    }
}

/// Whether a layer of a higher number is there: one that lacks all of its tensors is an error, not the end.
fn layers_beyond(params: &Params, index: usize) -> bool {
    let number = |name: &str| {
        let (number, _) = name.strip_prefix("generator.layers.")?.split_once('.')?;
        number.parse::<usize>().ok()
    };
    params.names().filter_map(number).any(|i| i > index)
}

impl Staged for BigGan {
    type Codes = Codes;

    fn codes(&self, z: &Z, labels: Option<&Labels>) -> Result<Codes> {
        let z = self.broadcast(z)?;
        let Some(labels) = labels else {
            let expected = format!("[n, {}], one for each code", self.label_dim());
            return Err(Error::argument("labels", expected, "none"));
        };
        Ok(Codes { z, labels: labels.clone(), truncation: ZTruncation::default() })
    }

    fn stages(&self) -> Vec<Stage> {
        let (mut channels, mut side) = (self.start_channels(), START);
        let mut stages = vec![
            Stage::new("z", [2 * self.z_dim(), 1, 1]),
            Stage::new("gen_z", [channels, side, side]),
        ];
        for (i, layer) in self.layers.iter().enumerate() {
            if let Layer::Block(block) = layer {
                channels = block.outputs();
                side *= if block.upsamples() { 2 } else { 1 };
            }
            stages.push(Stage::new(format!("layers.{i}"), [channels, side, side]));
        }
        stages.push(Stage::new("image", self.image_shape()));
        stages
    }

    fn head(&self, codes: &Codes, stage: usize) -> Result<Features> {
        let until = check_stage(&self.stages(), stage)?;
        let conditions = self.conditions(&codes.z, &codes.labels, codes.truncation)?;
        self.run(self.start(&conditions)?, until, &conditions, None)
    }

    fn tail(&self, features: &Features, codes: &Codes) -> Result<Tensor> {
        let stages = self.stages();
        let conditions = self.conditions(&codes.z, &codes.labels, codes.truncation)?;
        features.check(&stages, codes.z.tensor().shape()[0])?;
        Ok(self.run(features.clone(), stages.len() - 1, &conditions, None)?.maps)
    }
}

/// Directions lie in the space of z, layer by layer: layer 0 is `gen_z`, layer k the k-th block with the scales and
/// offsets of its batch norms. Only the part of each weight that sees z is taken, not that of the class.
impl Factorizable for BigGan {
    type Space = Z;

    fn layer_count(&self) -> usize {
        self.latent_layers()
    }

    fn projections(&self) -> Result<Vec<Projection>> {
        let z_part = |name: String, layer: usize, linear: &SpectralLinear| {
            let weight = linear.norm().weight().slice(1, 0, self.z_dim())?;
            Projection::new(name, StyleKind::Conv, layer, &weight)
        };
        let first = [("gen_z".to_owned(), 0, &self.gen_z)].into_iter();
        let others = self.blocks().enumerate().flat_map(|(k, block)| {
            let maps = block.conditioning();
            maps.map(move |(name, linear)| (format!("block{}.{name}", k + 1), k + 1, linear))
        });
        first.chain(others).map(|(name, layer, linear)| z_part(name, layer, linear)).collect()
    }
}

impl fmt::Debug for BigGan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        write!(f, "BigGan({colours}x{h}x{w}, z {}, ", self.z_dim())?;
        write!(f, "labels {}, {} blocks)", self.label_dim(), self.blocks().count())
    }
}

impl Generator for BigGan {
    fn z_dim(&self) -> usize {
        self.embedding.shape()[0]
    }

    fn label_dim(&self) -> usize {
        self.embedding.shape()[1]
    }

    fn image_shape(&self) -> [usize; 3] {
        let doublings = self.blocks().filter(|block| block.upsamples()).count();
        [3, START << doublings, START << doublings]
    }

    fn device(&self) -> &Device {
        self.embedding.device()
    }

    fn generate(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor> {
        let Codes { z, labels, truncation } = self.codes(z, labels)?;
        self.synthesize(&z, &labels, truncation)
    }
}
