//! What each pixel shows.

use std::path::Path;

use crate::backend::{Activation, Device};
use crate::checkpoint::StateDict;
use crate::error::{Error, Result};
use crate::models::recognition::check_names;
use crate::models::recognition::layer::{Layer, join};
use crate::models::recognition::pyramid::Pyramid;
use crate::nn::{Params, upsample_nearest};
use crate::tensor::Tensor;

/// The key of the classes' names in a file's metadata: one a line.
const CLASSES: &str = "classes";

/// Marks what each pixel of an image shows: a pyramid of features, and from its top down again, joined with the features of each size
/// on the way (U-Net, Ronneberger et al. 2015; sums instead of concatenations, as feature pyramids have it, Lin et al. 2017).
///
/// It has no fully connected layer, and takes images of any size that is a multiple of [`Segmenter::factor`].
#[derive(Clone, Debug)]
pub struct Segmenter {
    pyramid: Pyramid,
    /// To a common number of channels, from fine to coarse.
    sides: Vec<Layer>,
    /// After each sum, from fine to coarse.
    convs: Vec<Layer>,
    out: Layer,
    classes: Vec<String>,
}

impl Segmenter {
    /// Opens a safetensors file of such a network.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read, [`Error::Weights`] if a tensor is missing, superfluous, misshapen or not
    /// finite, or classes have no names.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let dict = StateDict::open(path)?;
        let classes = dict.metadata().get(CLASSES).ok_or_else(|| {
            Error::format(path, "segmenter", "its metadata has no `classes`, names one a line")
        })?;
        let classes = classes.lines().map(str::to_owned).collect();
        Self::from_params(Params::upload(dict, device)?, classes)
    }

    /// Builds it of tensors under the names of [`Config::segmenter`](super::Config::segmenter), and the names of its classes.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing, superfluous or misshapen, [`Error::Argument`] for more than 256 classes.
    pub fn from_params(mut params: Params, classes: Vec<String>) -> Result<Self> {
        // What a class of a pixel, a byte, can tell apart.
        if classes.len() > 256 {
            return Err(Error::argument("classes", "at most 256", classes.len()));
        }
        let pyramid = Pyramid::new(&mut params)?;
        let channels = pyramid.channels();
        let mut sides: Vec<Layer> = Vec::new();
        for (i, &channels) in channels.iter().enumerate() {
            let width = sides.first().map(Layer::outputs);
            let shape = [width, Some(channels)];
            let name = format!("up{i}.side");
            sides.push(Layer::new(&mut params, &name, shape, (1, 1), Activation::Linear)?);
        }
        let width = sides.first().map(Layer::outputs);
        let mut conv = |name: &str, outputs, activation| {
            Layer::new(&mut params, name, [outputs, width], (3, 1), activation)
        };
        let convs = (0..channels.len() - 1)
            .map(|i| conv(&format!("up{i}.conv"), width, Activation::Lrelu))
            .collect::<Result<_>>()?;
        let out = conv("out", Some(4 * classes.len()), Activation::Linear)?;
        params.finish()?;
        Ok(Segmenter { pyramid, sides, convs, out, classes })
    }

    /// Tensors as [`Segmenter::open`] reads them, to be saved.
    ///
    /// # Errors
    /// [`Error::Argument`] for names that are empty or have line breaks, which it could not read, and as [`Params::to_state_dict`].
    pub fn to_state_dict(params: &Params, classes: &[String]) -> Result<StateDict> {
        check_names(classes)?;
        let mut dict = params.to_state_dict()?;
        dict.set_metadata(CLASSES, classes.join("\n"));
        Ok(dict)
    }

    /// Names of the classes, from class 0.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What sides of images are multiples of.
    pub fn factor(&self) -> usize {
        self.pyramid.factor()
    }

    /// The device that its weights are on.
    pub fn device(&self) -> &Device {
        self.pyramid.device()
    }

    /// Logits `[n, classes, h, w]` of images `[n, 3, h, w]`, -1 to 1.
    ///
    /// # Errors
    /// [`Error::Shape`] for sides that are no multiples of [`Segmenter::factor`].
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let features = self.pyramid.forward(images)?;
        let mut sides = features.iter().zip(&self.sides).map(|(x, side)| side.forward(x)).rev();
        let mut x = sides.next().unwrap_or_else(|| Ok(images.clone()))?;
        for (side, conv) in sides.zip(self.convs.iter().rev()) {
            let sum = join(&upsample_nearest(&x, 2)?, &side?)?;
            x = join(&sum, &conv.forward(&sum)?)?;
        }
        unfold(&self.out.forward(&x)?)
    }

    /// The likeliest class of each pixel, `[n, h, w]` row by row.
    ///
    /// # Errors
    /// As [`Segmenter::logits`].
    pub fn classify(&self, images: &Tensor) -> Result<Vec<u8>> {
        let logits = self.logits(images)?;
        let [_, classes, h, w] = logits.dims4("segmenter")?;
        let values: Vec<f32> = logits.to_vec()?;
        let image = |planes: &[f32]| {
            let best = |pixel: usize| {
                let of = |class: &usize| planes[class * h * w + pixel];
                (0..classes).max_by(|a, b| of(a).total_cmp(&of(b))).unwrap_or(0) as u8
            };
            (0..h * w).map(best).collect::<Vec<_>>()
        };
        Ok(values.chunks(classes * h * w).flat_map(image).collect())
    }
}

/// Four channels for each pixel of a square of two by two: `[n, 4 c, h, w]` to `[n, c, 2 h, 2 w]` (Shi et al. 2016).
fn unfold(x: &Tensor) -> Result<Tensor> {
    let [n, c, h, w] = x.dims4("segmenter")?;
    let squares = x.reshape(&[n, c / 4, 2, 2, h, w])?.permute(&[0, 1, 4, 2, 5, 3])?;
    squares.reshape(&[n, c / 4, 2 * h, 2 * w])
}
