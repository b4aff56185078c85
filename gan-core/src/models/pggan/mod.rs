//! PGGAN (Karras et al. 2018), the progressively grown network before StyleGAN, read from every published layout.

mod config;
mod layer;

use std::fmt;
use std::path::Path;

pub use config::Options;
pub(super) use layer::to_rgb;
use layer::{Geometry, Layer};

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::error::{Error, Result};
use crate::generator::{Factorizable, Generator, Projection};
use crate::latent::{Labels, StyleKind, Z};
use crate::layers::Layers;
use crate::models::lod::Lod;
use crate::nn::{Conv2dLayer, Params, normalize_2nd_moment};
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
    blocks: Vec<Block>,
    /// The first layer's weight as stored, `[channels, z_dim + label_dim, 4, 4]`.
    first: Tensor,
    label_dim: usize,
    lod: Lod,
    final_tanh: bool,
    layout: Layout,
}

#[derive(Clone, Debug)]
struct Block {
    name: String,
    conv0: Layer,
    conv1: Layer,
    to_rgb: Conv2dLayer,
}

impl PgGan {
    /// Opens a generator in the layout of genforce or mganprior (also interfacegan's); its configuration follows from
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
        let mut blocks: Vec<Block> = Vec::new();
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
            blocks.push(Block { name, conv0, conv1, to_rgb });
        }
        let lod = Lod::take(&mut params, "lod", options.lod, blocks.len())?;
        params.finish()?;
        let label_dim = options.label_dim;
        if label_dim >= blocks[0].conv0.inputs() {
            let expected = format!("below the {} inputs of the network", blocks[0].conv0.inputs());
            return Err(Error::argument("label_dim", expected, label_dim));
        }
        let (final_tanh, layout) = (options.final_tanh, canonical.layout);
        Ok(PgGan { blocks, first, label_dim, lod, final_tanh, layout })
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Level of detail: 0 is the full resolution, and each whole number halves it, images keeping their size.
    pub fn lod(&self) -> f64 {
        self.lod.value()
    }

    /// At another level of detail.
    ///
    /// # Errors
    /// [`Error::Argument`] unless it is between 0 and that of the first block, `log2(resolution / 4)`.
    pub fn with_lod(mut self, lod: f64) -> Result<Self> {
        self.lod = Lod::new(lod, self.blocks.len())?;
        Ok(self)
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

    /// What the first layer sees: normalised z, then the label, `[n, z_dim + label_dim]`.
    ///
    /// # Errors
    /// As [`PgGan::generate`](Generator::generate).
    pub fn input(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor> {
        let z = self.normalized(z)?;
        let n = z.tensor().shape()[0];
        let Some(labels) = labels else {
            if self.label_dim > 0 {
                let expected = format!("[n, {}], one for each code", self.label_dim);
                return Err(Error::argument("labels", expected, "none"));
            }
            return Ok(z.tensor().clone());
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
        Tensor::concat(&[z.tensor(), labels.tensor()], 1)
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
        let code = self.input(z, labels)?;
        let [n, inputs] = code.dims2("z")?;
        let mut x = code.reshape(&[n, inputs, 1, 1])?;
        let mut image = None;
        for (above, block) in (0..self.blocks.len()).rev().zip(&self.blocks) {
            if self.lod.needs(above) {
                for (name, layer) in [("conv0", &block.conv0), ("conv1", &block.conv1)] {
                    x = layer.forward(&x)?;
                    visit(&format!("{}.{name}", block.name), &x)?;
                }
            }
            let colours = || block.to_rgb.forward(&normalize_2nd_moment(&x)?, 1.0);
            image = self.lod.blend(above, image, colours)?;
        }
        let image = image.ok_or_else(|| Error::shape("pggan", "a block with colours", "none"))?;
        if self.final_tanh { image.tanh() } else { Ok(image) }
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

fn block_name(k: usize) -> String {
    // Layouts know no more than 16 blocks.
    format!("b{}", 4usize << k.min(24))
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
        self.blocks[0].conv0.inputs() - self.label_dim
    }

    fn label_dim(&self) -> usize {
        self.label_dim
    }

    fn image_shape(&self) -> [usize; 3] {
        let size = 4 << (self.blocks.len() - 1);
        [self.blocks[0].to_rgb.outputs(), size, size]
    }

    fn device(&self) -> &Device {
        self.blocks[0].conv0.device()
    }

    fn generate(&self, z: &Z, labels: Option<&Labels>) -> Result<Tensor> {
        self.generate_with(z, labels, &mut |_, _| Ok(()))
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
