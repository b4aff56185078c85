//! Both towers.

use std::fmt;
use std::fs;
use std::path::Path;

use gan_core::checkpoint::StateDict;
use gan_core::nn::Params;
use gan_core::{Device, ImageEncoder, Tensor};

use super::config::Options;
use super::layout::Layout;
use super::resnet::ModifiedResNet;
use super::text::TextTower;
use super::vit::Vit;
use crate::error::{Error, Result};
use crate::preprocess::normalize;
use crate::tokenizer::Tokens;

/// Key of the metadata under which a file may carry the text of its `config.json`.
const CONFIG: &str = "config";
/// No configuration is longer.
const MAX_CONFIG: u64 = 1 << 20;

/// The image tower, of either kind.
#[derive(Clone, Debug)]
pub enum ImageTower {
    /// A vision transformer.
    Vit(Vit),
    /// A residual network.
    ResNet(ModifiedResNet),
}

/// A CLIP: images and prompts as vectors of one space, where those that belong together have a large cosine (Radford et al.
/// 2021).
///
/// The configuration is inferred from the tensors, of whichever published [`Layout`]; what they do not tell is in [`Options`].
/// Everything is differentiable, in the images and in the weights.
#[derive(Clone)]
pub struct Clip {
    layout: Layout,
    image: ImageTower,
    text: TextTower,
    /// The logarithm of the factor, of shape `[]`.
    logit_scale: Tensor,
}

impl Clip {
    /// Opens a checkpoint of any container that gan-core reads.
    ///
    /// Options are those of the `config` in the file's metadata, else, for the layout of Hugging Face, of `config.json` in
    /// the same folder, else the default.
    ///
    /// # Errors
    /// Those of [`StateDict::open`], [`Clip::from_params`] and [`Options::from_config`].
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let dict = StateDict::open(path)?;
        let options = match dict.metadata().get(CONFIG) {
            Some(json) => Options::from_config(json)?,
            None => neighbouring_config(path, &dict)?,
        };
        Self::from_params(Params::upload(dict, device)?, &options)
    }

    /// As [`Clip::open`], with these options whatever stands beside the tensors.
    ///
    /// # Errors
    /// Those of [`StateDict::open`] and [`Clip::from_params`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options, device: &Device) -> Result<Self> {
        Self::from_params(Params::upload(StateDict::open(path)?, device)?, options)
    }

    /// The network of these tensors; of variables, to train it.
    ///
    /// # Errors
    /// [`Error::Layout`] if they are no CLIP, [`gan_core::Error::Weights`] with the name of a tensor that is missing,
    /// misshapen or unknown, [`Error::Argument`] for options that do not fit them.
    pub fn from_params(mut params: Params, options: &Options) -> Result<Self> {
        let layout = Layout::of(&params)?;
        layout.drop_buffers(&mut params)?;
        let is_resnet = params.has_layer("visual.layer1") || params.has_layer("visual.attnpool");
        let image = match is_resnet {
            true => ImageTower::ResNet(ModifiedResNet::new(&mut params, &options.image)?),
            false => ImageTower::Vit(Vit::new(&mut params, layout, &options.image)?),
        };
        let text = TextTower::new(&mut params, layout, image.embedding(), &options.text)?;
        let logit_scale = match params.get("logit_scale").map(|t| t.shape().len()) {
            Some(1) => params.take("logit_scale", &[Some(1)])?.reshape(&[])?,
            _ => params.take("logit_scale", &[])?,
        };
        params.finish()?;
        Ok(Clip { layout, image, text, logit_scale })
    }

    /// Whose names its tensors have.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The image tower.
    pub fn image_tower(&self) -> &ImageTower {
        &self.image
    }

    /// The text tower.
    pub fn text_tower(&self) -> &TextTower {
        &self.text
    }

    /// Pixels of a side of the images that it takes.
    pub fn resolution(&self) -> usize {
        match &self.image {
            ImageTower::Vit(vit) => vit.resolution(),
            ImageTower::ResNet(resnet) => resnet.resolution(),
        }
    }

    /// Length of the vectors.
    pub fn embedding(&self) -> usize {
        self.image.embedding()
    }

    /// Most tokens of a prompt, with start and end.
    pub fn context(&self) -> usize {
        self.text.context()
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        self.logit_scale.device()
    }

    /// Vectors `[n, embedding]` of images `[n, 3, resolution, resolution]`, normalised as
    /// [`preprocess`](crate::preprocess) does it. Their length means nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] for images of another shape.
    pub fn encode_image(&self, images: &Tensor) -> Result<Tensor> {
        match &self.image {
            ImageTower::Vit(vit) => vit.forward(images),
            ImageTower::ResNet(resnet) => resnet.forward(images),
        }
    }

    /// Vectors `[n, embedding]` of prompts. Their length means nothing.
    ///
    /// # Errors
    /// [`Error::Tokens`] for tokens that the network does not have, or more of them than it has places.
    pub fn encode_text(&self, tokens: &Tokens) -> Result<Tensor> {
        self.text.forward(tokens)
    }

    /// What a [`cosine`] is multiplied by to be a logit, of shape `[]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn temperature(&self) -> Result<Tensor> {
        Ok(self.logit_scale.exp()?)
    }

    /// Logits `[images, prompts]` of what belongs together.
    ///
    /// # Errors
    /// Those of [`Clip::encode_image`] and [`Clip::encode_text`].
    pub fn logits(&self, images: &Tensor, tokens: &Tokens) -> Result<Tensor> {
        let cosine = cosine(&self.encode_image(images)?, &self.encode_text(tokens)?)?;
        Ok(cosine.mul(&self.temperature()?)?)
    }
}

/// Images of -1 to 1, as generators draw them.
impl ImageEncoder for Clip {
    fn dim(&self) -> usize {
        self.embedding()
    }

    fn embed(&self, images: &Tensor) -> gan_core::Result<Tensor> {
        let vectors = normalize(images).and_then(|images| self.encode_image(&images));
        vectors.map_err(|error| match error {
            Error::Core(error) => error,
            other => gan_core::Error::Shape {
                op: "clip",
                expected: format!("images [n, 3, {0}, {0}]", self.resolution()),
                found: other.to_string(),
            },
        })
    }
}

impl ImageTower {
    fn embedding(&self) -> usize {
        match self {
            ImageTower::Vit(vit) => vit.embedding(),
            ImageTower::ResNet(resnet) => resnet.embedding(),
        }
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.image {
            ImageTower::Vit(_) => "ViT",
            ImageTower::ResNet(_) => "ResNet",
        };
        let (side, length) = (self.resolution(), self.embedding());
        write!(f, "Clip({kind} {side}x{side}, vectors of {length}, {} layout)", self.layout)
    }
}

/// Rows `[n, length]` divided by their lengths.
///
/// # Errors
/// When it is no such tensor.
pub fn normalized(rows: &Tensor) -> Result<Tensor> {
    rows.dims2("normalized")?;
    Ok(rows.mul(&rows.square()?.sum(&[1])?.rsqrt()?)?)
}

/// The cosines `[n, m]` of the angles between rows `[n, length]` and `[m, length]`.
///
/// # Errors
/// When they are no such tensors.
pub fn cosine(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(normalized(a)?.matmul_t(&normalized(b)?)?)
}

fn neighbouring_config(path: &Path, dict: &StateDict) -> Result<Options> {
    let beside = path.with_file_name("config.json");
    let has_one = dict.names().any(|name| name.starts_with("vision_model."));
    let len = fs::metadata(&beside).map_or(0, |m| m.len());
    if !has_one || len == 0 {
        return Ok(Options::default());
    }
    if len > MAX_CONFIG {
        let expected = format!("at most {MAX_CONFIG} bytes");
        return Err(Error::argument("config.json", expected, len));
    }
    let text = fs::read_to_string(&beside).map_err(|source| Error::io(&beside, source))?;
    Options::from_config(&text)
}
