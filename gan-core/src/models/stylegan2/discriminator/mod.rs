//! The discriminator: from an image to a logit.

mod block;
mod config;

use std::fmt;
use std::path::Path;

pub use config::DiscriminatorOptions;

use crate::backend::Device;
use crate::checkpoint::{self, Layout, StateDict};
use crate::discriminator::Discriminator;
use crate::error::{Error, Result};
use crate::latent::Labels;
use crate::models::discriminator::{
    Epilogue, EpilogueOptions, LabelHead, block_names, check_images,
};
use crate::models::stylegan2::Architecture;
use crate::nn::{Conv2dLayer, Params, check_clamp};
use crate::tensor::Tensor;
use block::{Block, Nonlinearity, last_from_rgb};

/// A StyleGAN2 discriminator (StyleGAN2, figure 7; `Discriminator` of stylegan2-ada-pytorch).
///
/// ```no_run
/// use gan_core::{Device, Discriminator, StyleGan2Discriminator, Tensor};
/// let device = Device::cpu();
/// let d = StyleGan2Discriminator::open("ffhq-discriminator.safetensors", &device)?;
/// let images = Tensor::zeros(&[4, 3, 1024, 1024], &device)?;
/// assert_eq!(d.logits(&images, None)?.shape(), [4, 1]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone)]
pub struct StyleGan2Discriminator {
    blocks: Vec<Block>,
    /// Colours to what the last block sees, in networks of the kind `skip`.
    from_rgb: Option<Conv2dLayer>,
    epilogue: Epilogue,
    head: LabelHead,
    architecture: Architecture,
    layout: Layout,
    colours: usize,
}

impl StyleGan2Discriminator {
    /// Opens a discriminator in the layout of NVIDIA, rosinality or genforce, at the top level of the file or as training
    /// files nest it (`D.`, `d.`, `discriminator.`); its configuration follows from names and shapes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Layout`] if its names are of no known
    /// layout, [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::open_with(path, &DiscriminatorOptions::default(), device)
    }

    /// As [`StyleGan2Discriminator::open`], with properties that the tensors do not tell.
    ///
    /// # Errors
    /// As [`StyleGan2Discriminator::open`], and [`Error::Argument`] for groups of no samples.
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &DiscriminatorOptions,
        device: &Device,
    ) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, options, device)
    }

    /// Builds a discriminator from tensors in one of the layouts.
    ///
    /// # Errors
    /// As [`StyleGan2Discriminator::open_with`].
    pub fn from_state_dict(
        dict: StateDict,
        options: &DiscriminatorOptions,
        device: &Device,
    ) -> Result<Self> {
        let said = checkpoint::conv_clamp(&dict, &["D.", "b"]);
        let conv_clamp = options.conv_clamp.or(said);
        let options = &DiscriminatorOptions { conv_clamp, ..*options };
        let (layout, dict) = checkpoint::canonical_stylegan2_discriminator(dict)?;
        let network = Self::from_params(Params::upload(dict, device)?, options)?;
        Ok(StyleGan2Discriminator { layout, ..network })
    }

    /// Tensors in one of the layouts under the names that [`StyleGan2Discriminator::from_params`] takes, to be trained further.
    ///
    /// # Errors
    /// As [`StyleGan2Discriminator::open`]; shapes are not looked at.
    pub fn params(dict: StateDict, device: &Device) -> Result<Params> {
        let (_, dict) = checkpoint::canonical_stylegan2_discriminator(dict)?;
        Params::upload(dict, device)
    }

    /// Builds a discriminator from tensors under NVIDIA's names, such as those of
    /// [`Config::discriminator`](super::Config::discriminator). Where they are variables, what it computes can be
    /// differentiated in them.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing, superfluous or misshapen, [`Error::Argument`] for groups of no samples.
    pub fn from_params(mut params: Params, options: &DiscriminatorOptions) -> Result<Self> {
        let network = Self::new(&mut params, "", options)?;
        params.finish()?;
        Ok(network)
    }

    /// Takes `<prefix>b{r}.conv0`, `<prefix>b4.out`, ... in NVIDIA's layout; the number of blocks, their channels, the
    /// architecture, labels and minibatch standard deviation follow from names and shapes.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen, [`Error::Argument`] for groups of no samples or a bound of nothing.
    pub fn new(params: &mut Params, prefix: &str, options: &DiscriminatorOptions) -> Result<Self> {
        check_clamp(options.conv_clamp)?;
        let nonlinearity =
            Nonlinearity { activation: options.activation, clamp: options.conv_clamp };
        let (mut channels, mut colours) = (None, None);
        let mut names = block_names(params, prefix);
        if names.is_empty() {
            // The smallest network has it: that its tensors are missing is then the error.
            names.push("b8".to_owned());
        }
        let mut blocks: Vec<Block> = Vec::with_capacity(names.len());
        for name in names {
            let block = Block::new(params, prefix, name, channels, colours, nonlinearity)?;
            channels = Some(block.outputs());
            colours = colours.or(block.from_rgb.as_ref().map(Conv2dLayer::inputs));
            blocks.push(block);
        }
        let last = blocks.last().map_or(0, Block::outputs);
        let colours = colours.unwrap_or(0);
        let path = format!("{prefix}b4");
        let from_rgb = match params.has_layer(&format!("{path}.fromrgb")) {
            true => {
                let activation = options.epilogue_activation;
                Some(last_from_rgb(params, path.clone(), last, colours, activation)?)
            }
            false => None,
        };
        let architecture = infer_architecture(prefix, &blocks, from_rgb.is_some())?;
        let epilogue = EpilogueOptions {
            group: options.minibatch_std_group,
            activation: options.epilogue_activation,
            clamp: options.conv_clamp,
            size: options.last_size,
        };
        let epilogue = Epilogue::new(params, &path, last, &epilogue)?;
        let lr = options.mapping_lr_multiplier;
        let head = LabelHead::new(params, prefix, epilogue.outputs(), lr)?;
        let layout = Layout::Nvidia;
        Ok(StyleGan2Discriminator {
            blocks,
            from_rgb,
            epilogue,
            head,
            architecture,
            layout,
            colours,
        })
    }

    /// How its blocks are joined.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The layout that it was read from.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What the last numbers of `n` images are multiplied by, `[n, cmap_dim]`: mapped labels, or the labels themselves in
    /// networks that do not map them; `None` in networks without.
    ///
    /// # Errors
    /// [`Error::Argument`] if labels are missing or not wanted, [`Error::Latent`] for labels of another length or number.
    pub fn mapped_labels(&self, labels: Option<&Labels>, n: usize) -> Result<Option<Tensor>> {
        self.head.code(labels, n)
    }

    /// As [`Discriminator::logits`], and shows `visit` what each block but the last hands on: its features
    /// `[n, channels, h/2, w/2]`, by its name, such as `b8`, and in networks of the kind `skip` the image `[n, c, h/2, w/2]`,
    /// as `b8.image`.
    ///
    /// # Errors
    /// As [`Discriminator::logits`], and those of `visit`.
    pub fn logits_with(
        &self,
        images: &Tensor,
        labels: Option<&Labels>,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        check_images(images, self.image_shape())?;
        let code = self.head.code(labels, images.shape()[0])?;
        let mut image = images.clone();
        let mut features = None;
        for block in &self.blocks {
            let seen = add_colours(features, block.from_rgb.as_ref(), &image)?;
            let x = block.forward(&seen)?;
            visit(&block.name, &x)?;
            if self.architecture == Architecture::Skip {
                image = block.shrink(&image)?;
                visit(&format!("{}.image", block.name), &image)?;
            }
            features = Some(x);
        }
        let x = add_colours(features, self.from_rgb.as_ref(), &image)?;
        self.head.logits(&self.epilogue.forward(&x)?, code.as_ref())
    }
}

/// What a block sees: the features of the block before, the image's colours, or the sum of both.
fn add_colours(
    features: Option<Tensor>,
    from_rgb: Option<&Conv2dLayer>,
    image: &Tensor,
) -> Result<Tensor> {
    let colours = from_rgb.map(|layer| layer.forward(image, 1.0)).transpose()?;
    match (features, colours) {
        (Some(features), Some(colours)) => features.add(&colours),
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => Err(Error::shape("discriminator", "features or colours", "neither")),
    }
}

/// All blocks must be of one kind.
fn infer_architecture(prefix: &str, blocks: &[Block], has_colours: bool) -> Result<Architecture> {
    let skips = blocks.iter().filter(|b| b.skip.is_some()).count();
    // The first block always has colours; b4 is beside the blocks.
    let colours = blocks[1..].iter().filter(|b| b.from_rgb.is_some()).count();
    match (skips, colours, has_colours) {
        (0, c, true) if c + 1 == blocks.len() => Ok(Architecture::Skip),
        (0, 0, false) => Ok(Architecture::Orig),
        (s, 0, false) if s == blocks.len() => Ok(Architecture::Resnet),
        _ => Err(Error::Weights {
            name: format!("{prefix}b*.fromrgb and {prefix}b*.skip"),
            expected: "fromrgb in every block (skip), or skip convolutions in every block but b4 \
                       and fromrgb in the first (resnet), or fromrgb in the first alone (orig)"
                .into(),
            found: format!(
                "{skips} skip convolutions in {} blocks and b4, fromrgb in {}",
                blocks.len(),
                1 + colours + usize::from(has_colours)
            ),
        }),
    }
}

impl fmt::Debug for StyleGan2Discriminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [colours, h, w] = self.image_shape();
        write!(f, "StyleGan2Discriminator({colours}x{h}x{w}, {:?}, ", self.architecture)?;
        write!(f, "labels {}, from {})", self.label_dim(), self.layout)
    }
}

impl Discriminator for StyleGan2Discriminator {
    fn label_dim(&self) -> usize {
        self.head.label_dim()
    }

    fn image_shape(&self) -> [usize; 3] {
        let [h, w] = self.epilogue.size().map(|side| side << self.blocks.len());
        [self.colours, h, w]
    }

    fn device(&self) -> &Device {
        self.epilogue.device()
    }

    fn logits(&self, images: &Tensor, labels: Option<&Labels>) -> Result<Tensor> {
        self.device().run(|| self.logits_with(images, labels, &mut |_, _| Ok(())))
    }
}
