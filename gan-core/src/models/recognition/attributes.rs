//! Attributes of an image.

use std::path::Path;

use crate::backend::{Activation, Device};
use crate::checkpoint::StateDict;
use crate::error::{Error, Result};
use crate::models::recognition::check_names;
use crate::models::recognition::pyramid::{Pyramid, check_size, side_of};
use crate::nn::{Linear, Params};
use crate::recognition::{Attribute, AttributeKind, Classifier, ImageEncoder, Perceptual};
use crate::tensor::Tensor;

/// The key of the attributes in a file's metadata: one a line, `smile range -1 1` or `hat choice none beanie brimmed`, parted by tabs.
const ATTRIBUTES: &str = "attributes";

/// Tells attributes of images of one size: one network for all of them, where StyleGAN's has one of the discriminator's
/// architecture for each.
///
/// Its features serve as those of a perceptual network, and its embedding, the last features before the scores, as those of
/// which Fréchet distances are computed.
#[derive(Clone, Debug)]
pub struct AttributeNet {
    pyramid: Pyramid,
    embed: Linear,
    out: Linear,
    attributes: Vec<Attribute>,
    side: usize,
}

impl AttributeNet {
    /// Opens a safetensors file of such a network.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read or does not name its attributes, [`Error::Weights`] if a tensor is missing,
    /// superfluous, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let dict = StateDict::open(path)?;
        let text = dict.metadata().get(ATTRIBUTES).map_or("", String::as_str);
        let attributes = text.lines().map(parse).collect::<Option<Vec<_>>>();
        let attributes = attributes.filter(|list| !list.is_empty()).ok_or_else(|| {
            let reason =
                "its metadata has no usable `attributes`, as AttributeNet::to_state_dict writes";
            Error::format(path, "attribute network", reason)
        })?;
        Self::from_params(Params::upload(dict, device)?, attributes)
    }

    /// Builds it of tensors under the names of [`Config::attributes`](super::Config::attributes).
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing, superfluous or misshapen.
    pub fn from_params(mut params: Params, attributes: Vec<Attribute>) -> Result<Self> {
        let pyramid = Pyramid::new(&mut params)?;
        let embed = Linear::new(&mut params, "embed", None, None, 1.0, Activation::Lrelu)?;
        let outputs = attributes.iter().map(|attribute| attribute.kind.outputs()).sum();
        let inputs = Some(embed.outputs());
        let out = Linear::new(&mut params, "out", Some(outputs), inputs, 1.0, Activation::Linear)?;
        params.finish()?;
        let last = pyramid.channels().last().copied().unwrap_or(1);
        let side = side_of("embed", embed.inputs(), last, pyramid.factor())?;
        Ok(AttributeNet { pyramid, embed, out, attributes, side })
    }

    /// Tensors as [`AttributeNet::open`] reads them, to be saved.
    ///
    /// # Errors
    /// [`Error::Argument`] for names that are empty or have tabs or line breaks, which it could not read, and as [`Params::to_state_dict`].
    pub fn to_state_dict(params: &Params, attributes: &[Attribute]) -> Result<StateDict> {
        for attribute in attributes {
            check_names([&attribute.name])?;
            if let AttributeKind::Choice(names) = &attribute.kind {
                check_names(names)?;
            }
        }
        let mut dict = params.to_state_dict()?;
        let lines: Vec<String> = attributes.iter().map(line).collect();
        dict.set_metadata(ATTRIBUTES, lines.join("\n"));
        Ok(dict)
    }

    /// Pixels along a side of its images.
    pub fn resolution(&self) -> usize {
        self.side
    }

    fn embedded(&self, images: &Tensor) -> Result<Tensor> {
        check_size(images, self.side)?;
        let features = self.pyramid.forward(images)?;
        let x = features.last().unwrap_or(images);
        let n = images.shape()[0];
        self.embed.forward(&x.reshape(&[n, x.numel() / n])?)
    }
}

impl Classifier for AttributeNet {
    fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn device(&self) -> &Device {
        self.pyramid.device()
    }

    /// Of images `[n, 3, resolution, resolution]`.
    fn scores(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let out = self.out.forward(&self.embedded(images)?)?;
        let mut start = 0;
        let score = |attribute: &Attribute| {
            let outputs = attribute.kind.outputs();
            let part = out.slice(1, start, outputs)?;
            start += outputs;
            match attribute.kind {
                // The network's own range is -1 to 1.
                AttributeKind::Range { low, high } => {
                    part.affine((high - low) / 2.0, (high + low) / 2.0)
                }
                AttributeKind::Choice(_) => Ok(part),
            }
        };
        self.attributes.iter().map(score).collect()
    }
}

impl ImageEncoder for AttributeNet {
    fn dim(&self) -> usize {
        self.embed.outputs()
    }

    /// Of images `[n, 3, resolution, resolution]`.
    fn embed(&self, images: &Tensor) -> Result<Tensor> {
        self.embedded(images)
    }
}

impl Perceptual for AttributeNet {
    fn features(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        self.pyramid.forward(images)
    }
}

fn line(attribute: &Attribute) -> String {
    let kind = match &attribute.kind {
        AttributeKind::Range { low, high } => format!("range\t{low}\t{high}"),
        AttributeKind::Choice(names) => format!("choice\t{}", names.join("\t")),
    };
    format!("{}\t{kind}", attribute.name)
}

fn parse(line: &str) -> Option<Attribute> {
    let parts: Vec<&str> = line.split('\t').collect();
    let kind = match parts[..] {
        [_, "range", low, high] => {
            let [low, high]: [f64; 2] = [low.parse().ok()?, high.parse().ok()?];
            (low < high && (high - low).is_finite())
                .then_some(AttributeKind::Range { low, high })?
        }
        [_, "choice", _, _, ..] => {
            AttributeKind::Choice(parts[2..].iter().map(|&name| name.to_owned()).collect())
        }
        _ => return None,
    };
    Some(Attribute { name: parts[0].to_owned(), kind })
}
