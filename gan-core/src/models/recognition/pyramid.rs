//! The layers that all of these networks start with.

use crate::backend::{Activation, Device};
use crate::error::{Error, Result};
use crate::models::recognition::layer::{Layer, join};
use crate::nn::Params;
use crate::tensor::Tensor;

/// The most stages: far more than images have sizes.
const MOST_STAGES: usize = 12;

/// Stages that halve the resolution: a convolution with a stride of 2, and one around which its input goes.
#[derive(Clone, Debug)]
pub(super) struct Pyramid {
    stages: Vec<(Layer, Layer)>,
}

impl Pyramid {
    /// Takes `stage{i}.down`, of 6 x 6 in the first stage and 3 x 3 in others, and `stage{i}.conv`.
    pub(super) fn new(params: &mut Params) -> Result<Self> {
        let lrelu = Activation::Lrelu;
        let mut stages: Vec<(Layer, Layer)> = Vec::new();
        for i in 0..MOST_STAGES {
            let name = format!("stage{i}");
            // The smallest network has one: that its tensors are missing is then the error.
            if i > 0 && !params.has_layer(&name) {
                break;
            }
            let inputs = stages.last().map_or(3, |(_, conv)| conv.outputs());
            let kernel = if i == 0 { 6 } else { 3 };
            let down = Layer::new(
                params,
                &format!("{name}.down"),
                [None, Some(inputs)],
                (kernel, 2),
                lrelu,
            )?;
            let channels = [Some(down.outputs()); 2];
            let conv = Layer::new(params, &format!("{name}.conv"), channels, (3, 1), lrelu)?;
            stages.push((down, conv));
        }
        Ok(Pyramid { stages })
    }

    /// Channels of each stage.
    pub(super) fn channels(&self) -> Vec<usize> {
        self.stages.iter().map(|(_, conv)| conv.outputs()).collect()
    }

    pub(super) fn device(&self) -> &Device {
        self.stages[0].0.device()
    }

    /// What sides of images are multiples of.
    pub(super) fn factor(&self) -> usize {
        1 << self.stages.len()
    }

    /// Images `[n, 3, h, w]` to the features of each stage, `[n, c, h/2, w/2]`, `[n, c, h/4, w/4]`, ...
    pub(super) fn forward(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let [_, colours, h, w] = images.dims4("images")?;
        let factor = self.factor();
        let fits = |side: usize| side > 0 && side.is_multiple_of(factor);
        if colours != 3 || !fits(h) || !fits(w) {
            let expected = format!("[n, 3, h, w] with sides that are multiples of {factor}");
            return Err(Error::shape("images", expected, images.shape()));
        }
        let mut features: Vec<Tensor> = Vec::new();
        for (down, conv) in &self.stages {
            let x = down.forward(features.last().unwrap_or(images))?;
            features.push(join(&x, &conv.forward(&x)?)?);
        }
        Ok(features)
    }
}

/// Refuses images of another size than the one that a fully connected layer asks for.
pub(super) fn check_size(images: &Tensor, side: usize) -> Result<()> {
    let [_, _, h, w] = images.dims4("images")?;
    match [h, w] == [side; 2] {
        true => Ok(()),
        false => Err(Error::shape("images", format!("[n, 3, {side}, {side}]"), images.shape())),
    }
}

/// The side of the images of which a pyramid with so many `channels` at the end makes as many features as a fully connected layer has
/// inputs.
pub(super) fn side_of(name: &str, inputs: usize, channels: usize, factor: usize) -> Result<usize> {
    let pixels = inputs / channels;
    let side = pixels.isqrt();
    if side > 0 && side * side * channels == inputs && side.checked_mul(factor).is_some() {
        return Ok(side * factor);
    }
    Err(Error::Weights {
        name: format!("{name}.weight"),
        expected: format!("{channels} inputs times a square number"),
        found: format!("{inputs} inputs"),
    })
}
