//! Networks before training: their tensors with random values.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::models::init::New;
use crate::models::stylegan2::{Architecture, DiscriminatorOptions, Norm, Options};
use crate::nn::Params;
use crate::random::Philox;

/// Sizes of a generator and its discriminator that are to be trained.
///
/// The defaults are those of the paper's config F; a small pair has less of `channel_base` and `channel_max`.
///
/// ```
/// use gan_core::models::stylegan2::{Config, Options};
/// use gan_core::{Device, Philox, StyleGan2};
/// let config = Config { channel_base: 64, channel_max: 8, w_dim: 8, ..Config::new(16) };
/// let params = config.generator(&Options::default(), &mut Philox::new(0), &Device::cpu())?;
/// let g = StyleGan2::from_params(params, &Options::default())?;
/// # use gan_core::Generator;
/// assert_eq!(g.image_shape(), [3, 16, 16]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pixels along a side: a power of two from 8 to 16384.
    pub resolution: usize,
    /// Blocks of resolution `r` have `min(channel_base / r, channel_max)` channels.
    pub channel_base: usize,
    /// See `channel_base`.
    pub channel_max: usize,
    /// Colour channels of images.
    pub colours: usize,
    /// Length of z.
    pub z_dim: usize,
    /// Length of w.
    pub w_dim: usize,
    /// Length of labels; 0 for none.
    pub label_dim: usize,
    /// Fully connected layers of the mapping networks.
    pub mapping_layers: usize,
    /// How the generator's blocks are joined.
    pub generator: Architecture,
    /// How the discriminator's blocks are joined.
    pub discriminator: Architecture,
    /// What keeps the generator's features in check; AdaIN goes with the architecture `Orig`.
    pub norm: Norm,
    /// Whether both networks grow block by block (PGGAN, section 2): each block of the generator makes colours, of which those of the
    /// last blocks so far show, and each block of the discriminator can see them. The discriminator is
    /// StyleGAN's then. It goes with `Orig` for both.
    pub growing: bool,
}

impl Config {
    /// The paper's networks for images of that many pixels a side.
    pub fn new(resolution: usize) -> Self {
        Config {
            resolution,
            channel_base: 32768,
            channel_max: 512,
            colours: 3,
            z_dim: 512,
            w_dim: 512,
            label_dim: 0,
            mapping_layers: 8,
            generator: Architecture::Skip,
            discriminator: Architecture::Resnet,
            norm: Norm::Demodulation,
            growing: false,
        }
    }

    /// The tensors of a generator before training: normal weights, biases of 0, or 1 where they make styles, no noise
    /// (`Generator` of stylegan2-ada-pytorch). With AdaIN, they are those of [`StyleGan::from_params`](crate::StyleGan::from_params).
    ///
    /// # Errors
    /// [`Error::Argument`] for sizes of no network, [`Error::TooLarge`] without the memory.
    pub fn generator(
        &self,
        options: &Options,
        random: &mut Philox,
        device: &Device,
    ) -> Result<Params> {
        self.check()?;
        let mut new = New::start(random, device);
        self.mapping(&mut new, self.z_dim, self.w_dim, options.mapping_lr_multiplier)?;
        new.full("mapping.w_avg", &[self.w_dim], 0.0)?;
        if self.growing {
            new.full("synthesis.lod", &[], 0.0)?;
        }
        let mut previous = None;
        for (r, c) in self.blocks() {
            let block = format!("synthesis.b{r}");
            if self.norm == Norm::Adain {
                self.normalized(&mut new, &block, r, [c, previous.unwrap_or(c)])?;
                previous = Some(c);
                continue;
            }
            match previous {
                None => new.normal(format!("{block}.const"), &[c, r, r], 1.0)?,
                Some(inputs) => self.styled(&mut new, &format!("{block}.conv0"), r, [c, inputs])?,
            }
            self.styled(&mut new, &format!("{block}.conv1"), r, [c, c])?;
            if self.generator == Architecture::Skip || self.growing || r == self.resolution {
                let name = format!("{block}.torgb");
                new.layer(&name, &[self.colours, c, 1, 1])?;
                affine(&mut new, &name, [c, self.w_dim])?;
            }
            if let (Architecture::Resnet, Some(inputs)) = (self.generator, previous) {
                new.normal(format!("{block}.skip.weight"), &[c, inputs, 1, 1], 1.0)?;
            }
            previous = Some(c);
        }
        Ok(new.finish())
    }

    /// The tensors of a discriminator before training: normal weights, biases of 0, one channel of the minibatch standard
    /// deviation (`Discriminator` of stylegan2-ada-pytorch).
    ///
    /// # Errors
    /// As [`Config::generator`].
    pub fn discriminator(
        &self,
        options: &DiscriminatorOptions,
        random: &mut Philox,
        device: &Device,
    ) -> Result<Params> {
        self.check()?;
        let mut new = New::start(random, device);
        let blocks: Vec<_> = self.blocks().collect();
        if self.growing {
            new.full("lod", &[], 0.0)?;
        }
        let sees_all = self.discriminator == Architecture::Skip || self.growing;
        for pair in blocks.windows(2).rev() {
            let ((_, outputs), (r, c)) = (pair[0], pair[1]);
            let block = format!("b{r}");
            if sees_all || r == self.resolution {
                new.layer(&format!("{block}.fromrgb"), &[c, self.colours, 1, 1])?;
            }
            new.layer(&format!("{block}.conv0"), &[c, c, 3, 3])?;
            new.layer(&format!("{block}.conv1"), &[outputs, c, 3, 3])?;
            if self.discriminator == Architecture::Resnet {
                new.normal(format!("{block}.skip.weight"), &[outputs, c, 1, 1], 1.0)?;
            }
        }
        let (r, c) = blocks[0];
        if sees_all {
            new.layer("b4.fromrgb", &[c, self.colours, 1, 1])?;
        }
        new.layer("b4.conv", &[c, c + 1, 3, 3])?;
        new.layer("b4.fc", &[c, c * r * r])?;
        if self.label_dim == 0 {
            new.layer("b4.out", &[1, c])?;
        } else {
            new.layer("b4.out", &[c, c])?;
            self.mapping(&mut new, 0, c, options.mapping_lr_multiplier)?;
        }
        Ok(new.finish())
    }

    /// Weights are as large as the learning-rate multiplier makes them small at run time.
    fn mapping(&self, new: &mut New<'_>, z: usize, outputs: usize, lr: f64) -> Result<()> {
        let mut inputs = z;
        if self.label_dim > 0 {
            new.layer("mapping.embed", &[outputs, self.label_dim])?;
            inputs += outputs;
        }
        for i in 0..self.mapping_layers {
            let name = format!("mapping.fc{i}");
            new.normal(format!("{name}.weight"), &[outputs, inputs], 1.0 / lr)?;
            new.full(format!("{name}.bias"), &[outputs], 0.0)?;
            inputs = outputs;
        }
        Ok(())
    }

    fn styled(&self, new: &mut New<'_>, name: &str, r: usize, [co, ci]: [usize; 2]) -> Result<()> {
        new.layer(name, &[co, ci, 3, 3])?;
        affine(new, name, [ci, self.w_dim])?;
        new.normal(format!("{name}.noise_const"), &[r, r], 1.0)?;
        new.full(format!("{name}.noise_strength"), &[], 0.0)
    }

    /// A block of StyleGAN: its first starts from a constant of 1, and styles of scale and bias start around 0 (`G_synthesis` of
    /// stylegan).
    fn normalized(
        &self,
        new: &mut New<'_>,
        block: &str,
        r: usize,
        [co, ci]: [usize; 2],
    ) -> Result<()> {
        for (layer, inputs) in [("conv0", ci), ("conv1", co)] {
            let name = format!("{block}.{layer}");
            if layer == "conv0" && r == 4 {
                new.full(format!("{block}.const"), &[co, r, r], 1.0)?;
                new.full(format!("{name}.bias"), &[co], 0.0)?;
            } else {
                new.layer(&name, &[co, inputs, 3, 3])?;
            }
            new.layer(&format!("{name}.affine"), &[2 * co, self.w_dim])?;
            new.normal(format!("{name}.noise_const"), &[r, r], 1.0)?;
            new.full(format!("{name}.noise_strength"), &[co], 0.0)?;
        }
        new.layer(&format!("{block}.torgb"), &[self.colours, co, 1, 1])
    }

    /// Resolutions and channels, from the smallest on.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let resolutions = (2..).map(|k| 1usize << k).take_while(|&r| r <= self.resolution);
        resolutions.map(|r| (r, (self.channel_base / r).min(self.channel_max)))
    }

    fn check(&self) -> Result<()> {
        let r = self.resolution;
        if !r.is_power_of_two() || !(8..=16384).contains(&r) {
            return Err(Error::argument("resolution", "a power of two from 8 to 16384", r));
        }
        let orig = Architecture::Orig;
        for (what, found, only) in [
            ("generator architecture", self.generator, self.growing || self.norm == Norm::Adain),
            ("discriminator architecture", self.discriminator, self.growing),
        ] {
            if only && found != orig {
                let expected = "Orig, with AdaIN or networks that grow";
                return Err(Error::argument(what, expected, format!("{found:?}")));
            }
        }
        let sizes = [
            ("channel_base", self.channel_base, r),
            ("channel_max", self.channel_max, 1),
            ("colours", self.colours, 1),
            ("z_dim", self.z_dim, 1),
            ("w_dim", self.w_dim, 1),
            ("mapping_layers", self.mapping_layers, 1),
        ];
        match sizes.into_iter().find(|&(_, size, least)| size < least) {
            None => Ok(()),
            Some((name, size, least)) => {
                Err(Error::argument(name, format!("at least {least}"), size))
            }
        }
    }
}

/// The affine layer of a styled one, `[channels, w_dim]`: its styles start around 1.
fn affine(new: &mut New<'_>, name: &str, shape: [usize; 2]) -> Result<()> {
    new.normal(format!("{name}.affine.weight"), &shape, 1.0)?;
    new.full(format!("{name}.affine.bias"), &shape[..1], 1.0)
}
