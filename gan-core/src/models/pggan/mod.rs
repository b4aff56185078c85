//! PGGAN (Karras et al. 2018), the progressively grown network before StyleGAN, read from every published layout.

mod config;
mod discriminator;
mod layer;

use std::fmt;
use std::path::Path;

pub use config::Options;
pub use discriminator::{DiscriminatorOptions, PgGanDiscriminator};
pub(super) use layer::to_rgb;
use layer::{Geometry, Layer};

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::error::{Error, Result};
use crate::generator::{Factorizable, Generator, Projection};
use crate::latent::{Direction, Editable, Labels, StyleKind, Z};
use crate::layers::Layers;
use crate::models::grown::{Forward, Grown, GrownBlock, block_name};
use crate::models::lod::Lod;
use crate::nn::{Conv2dLayer, Params, normalize_2nd_moment};
use crate::staged::{Features, Stage, Staged, check_stage};
use crate::tensor::Tensor;

/// A PGGAN generator.
///
/// ```no_run
/// use gan_core::{Device, Generator, PgGan, Seeds};
/// let g = PgGan::open("celebahq.safetensors", &Device::cpu())?;
/// let images = g.generate(&g.sample(&Seeds::from(0..4))?, None)?;
/// assert_eq!(images.shape(), [4, 3, 1024, 1024]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone)]
pub struct PgGan {
    blocks: Grown<Layer>,
    /// The first layer's weight as stored, `[channels, z_dim + label_dim, 4, 4]`.
    first: Tensor,
    label_dim: usize,
    /// Whether z and the label are normalised together alone, as in NVIDIA's own code.
    joint_label_norm: bool,
    layout: Layout,
}

/// A code, with its label if the network is conditional.
#[derive(Clone, Debug)]
pub struct Codes {
    /// `[n, z_dim]`
    pub z: Z,
    /// `[n, label_dim]`
    pub labels: Option<Labels>,
}

impl Editable<Z> for Codes {
    fn shifted(&self, direction: &Direction<Z>, strength: f64) -> Result<Self> {
        // Layer 0 is all that there is.
        direction.layers().indices(1)?;
        Ok(Codes { z: self.z.moved(direction, strength)?, labels: self.labels.clone() })
    }
}

impl PgGan {
    /// Opens a generator in the layout of NVIDIA's TensorFlow code, genforce or mganprior (also interfacegan's); its configuration follows from
    /// names and shapes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Layout`] if its names are of no known
    /// layout, [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, &Options::default(), device)
    }

    /// Builds a generator from tensors in one of the layouts.
    ///
    /// # Errors
    /// As [`PgGan::open`], and [`Error::Argument`] for options that do not fit the tensors.
    pub fn from_state_dict(dict: StateDict, options: &Options, device: &Device) -> Result<Self> {
        let canonical = checkpoint::canonical_pggan(dict, options.fused_scale)?;
        let mut params = Params::upload(canonical.dict, device)?;
        let four = Some(4);
        let first = params.take("b4.conv0.weight", &[None, None, four, four])?;
        params.insert("b4.conv0.weight", first.clone());
        let mut blocks = Vec::new();
        let mut inputs = None;
        let mut colours = None;
        while blocks.is_empty() || params.has_layer(&block_name(blocks.len())) {
            let name = block_name(blocks.len());
            let geometry = if blocks.is_empty() { Geometry::Unfold } else { Geometry::Double };
            let conv0 = Layer::new(&mut params, &format!("{name}.conv0"), inputs, geometry)?;
            let conv1 = Layer::new(
                &mut params,
                &format!("{name}.conv1"),
                Some(conv0.outputs()),
                Geometry::Same,
            )?;
            inputs = Some(conv1.outputs());
            let to_rgb = to_rgb(&mut params, &format!("{name}.torgb"), conv1.outputs(), colours)?;
            colours = Some(to_rgb.outputs());
            let size = [4 << blocks.len(); 2];
            blocks.push(GrownBlock { name, size, layers: [conv0, conv1], to_rgb });
        }
        let lod = Lod::take(&mut params, "lod", options.lod, blocks.len())?;
        params.finish()?;
        let label_dim = options.label_dim;
        let blocks = Grown::new(blocks, lod, options.final_tanh);
        let inputs = blocks.first().inputs();
        if label_dim >= inputs {
            let expected = format!("below the {inputs} inputs of the network");
            return Err(Error::argument("label_dim", expected, label_dim));
        }
        let joint_label_norm = canonical.label_norm_joint && label_dim > 0;
        Ok(PgGan { blocks, first, label_dim, joint_label_norm, layout: canonical.layout })
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
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
        Ok(PgGan { blocks: self.blocks.with_lod(lod)?, ..self })
    }

    /// Codes `[seeds, z_dim]`, the same as the published tools make of these seeds one by one.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no seeds.
    pub fn sample(&self, seeds: &crate::Seeds) -> Result<Z> {
        Z::from_seeds(seeds, self.z_dim(), self.device())
    }

    /// Codes of the length that the network gives them anyhow, `sqrt(z_dim)`: a step along a direction then means the
    /// same for all of them. SeFa edits such codes.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length.
    pub fn normalized(&self, z: &Z) -> Result<Z> {
        self.check_code(z)?;
        Z::new(normalize_2nd_moment(z.tensor())?)
    }

    /// What the first layer sees: normalised z, then the label, `[n, z_dim + label_dim]`. The layer normalises both together; NVIDIA's own
    /// networks do nothing else, and z is as it is here.
    ///
    /// # Errors
    /// As [`PgGan::generate`](Generator::generate).
    pub fn input(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor> {
        self.check_code(z)?;
        let z = if self.joint_label_norm { z.clone() } else { self.normalized(z)? };
        self.joined(z.tensor(), labels)
    }

    /// Codes, then the label.
    fn joined(&self, z: &Tensor, labels: Option<&Labels>) -> Result<Tensor> {
        let n = z.shape()[0];
        let Some(labels) = labels else {
            if self.label_dim > 0 {
                let expected = format!("[n, {}], one for each code", self.label_dim);
                return Err(Error::argument("labels", expected, "none"));
            }
            return Ok(z.clone());
        };
        if self.label_dim == 0 {
            let expected = "none: this network is not conditional";
            return Err(Error::argument("labels", expected, "some"));
        }
        if labels.tensor().shape() != [n, self.label_dim] {
            return Err(Error::Latent {
                what: "labels",
                expected: format!("[{n}, {}]", self.label_dim),
                found: format!("{:?}", labels.tensor().shape()),
            });
        }
        Tensor::concat(&[z, labels.tensor()], 1)
    }

    /// As [`Generator::generate`], and shows `visit` the name and the result `[n, channels, h, w]` of each layer, such as
    /// `b8.conv0`. At a level of detail of 1 or more, the last layers take no part.
    ///
    /// # Errors
    /// As [`Generator::generate`], and those of `visit`.
    pub fn generate_with(
        &self,
        z: &Z,
        labels: Option<&Labels>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let start = self.start(z, labels)?;
        Ok(self.run(start, self.stages().len() - 1, visit)?.maps)
    }

    /// The first stage: the code as it is, then the label.
    fn start(&self, z: &Z, labels: Option<&Labels>) -> Result<Features> {
        self.check_code(z)?;
        let code = self.joined(z.tensor(), labels)?;
        let [n, inputs] = code.dims2("z")?;
        Features::new(0, code.reshape(&[n, inputs, 1, 1])?)
    }

    fn run(
        &self,
        features: Features,
        until: usize,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Features> {
        let z_dim = self.z_dim();
        let layer = |i: usize, layer: &Layer, x: &Tensor| match i {
            0 if !self.joint_label_norm => {
                let z = normalize_2nd_moment(&x.slice(1, 0, z_dim)?)?;
                let label = (self.label_dim > 0).then(|| x.slice(1, z_dim, self.label_dim));
                let label = label.transpose()?;
                let parts: Vec<&Tensor> = [&z].into_iter().chain(&label).collect();
                layer.forward(&Tensor::concat(&parts, 1)?)
            }
            _ => layer.forward(x),
        };
        let colours =
            |to_rgb: &Conv2dLayer, x: &Tensor| to_rgb.forward(&normalize_2nd_moment(x)?, 1.0);
        self.blocks.run(features, until, &Forward { layer: &layer, colours: &colours }, visit)
    }

    fn check_code(&self, z: &Z) -> Result<()> {
        if z.tensor().shape()[1] == self.z_dim() {
            return Ok(());
        }
        Err(Error::Latent {
            what: "z",
            expected: format!("[n, {}]", self.z_dim()),
            found: format!("{:?}", z.tensor().shape()),
        })
    }
}

impl fmt::Debug for PgGan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        write!(f, "PgGan({colours}x{h}x{w}, z {}, ", self.z_dim())?;
        write!(f, "labels {}, lod {}, from {})", self.label_dim, self.lod(), self.layout)
    }
}

impl Generator for PgGan {
    fn z_dim(&self) -> usize {
        self.blocks.first().inputs() - self.label_dim
    }

    fn label_dim(&self) -> usize {
        self.label_dim
    }

    fn image_shape(&self) -> [usize; 3] {
        self.blocks.image_shape()
    }

    fn device(&self) -> &Device {
        self.blocks.first().device()
    }

    fn generate(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor> {
        self.generate_with(z, labels, &mut |_, _| Ok(()))
    }
}

impl Staged for PgGan {
    type Codes = Codes;

    fn codes(&self, z: &Z, labels: Option<&Labels>) -> Result<Codes> {
        self.start(z, labels)?;
        Ok(Codes { z: z.clone(), labels: labels.cloned() })
    }

    fn stages(&self) -> Vec<Stage> {
        let start = Stage::new("z", [self.blocks.first().inputs(), 1, 1]);
        self.blocks.stages(start, Layer::outputs)
    }

    fn head(&self, codes: &Codes, stage: usize) -> Result<Features> {
        let until = check_stage(&self.stages(), stage)?;
        self.run(self.start(&codes.z, codes.labels.as_ref())?, until, &mut |_, _| Ok(()))
    }

    /// No layer but the first reads the codes, so there may be another number of them.
    fn tail(&self, features: &Features, _: &Codes) -> Result<Tensor> {
        let stages = self.stages();
        features.check(&stages, features.maps().shape()[0])?;
        Ok(self.run(features.clone(), stages.len() - 1, &mut |_, _| Ok(()))?.maps)
    }
}

impl Factorizable for PgGan {
    type Space = Z;

    /// Only the first layer sees the code.
    fn layer_count(&self) -> usize {
        1
    }

    /// The first layer, whatever the choice: as in the authors' code, there is nothing to choose from.
    fn choose(&self, _: &Layers) -> Result<Vec<usize>> {
        Ok(vec![0])
    }

    fn projections(&self) -> Result<Vec<Projection>> {
        let [channels, _, h, w] = self.first.dims4("projection")?;
        let z_dim = self.z_dim();
        let weight = self.first.slice(1, 0, z_dim)?.permute(&[0, 2, 3, 1])?;
        let weight = weight.reshape(&[channels * h * w, z_dim])?;
        Ok(vec![Projection::new("b4.conv0", StyleKind::Input, 0, &weight)?])
    }
}
