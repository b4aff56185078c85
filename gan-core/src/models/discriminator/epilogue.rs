//! The last block of a discriminator: from features at the smallest size to a few numbers.

use crate::backend::{Activation, Device, Filter};
use crate::error::{Error, Result};
use crate::nn::{Conv2dLayer, Linear, Params, minibatch_std, take_filter};
use crate::tensor::Tensor;

/// Minibatch standard deviation, convolution and two fully connected layers (`DiscriminatorEpilogue` of
/// stylegan2-ada-pytorch).
#[derive(Clone, Debug)]
pub(in crate::models) struct Epilogue {
    group: Option<usize>,
    /// Channels of the minibatch standard deviation; 0 for none.
    std_channels: usize,
    conv: Conv2dLayer,
    fc: Linear,
    out: Linear,
    /// Height and width of its features.
    size: [usize; 2],
}

/// What the tensors do not tell.
#[derive(Clone, Copy, Debug)]
pub(in crate::models) struct EpilogueOptions {
    /// Samples of a group of the minibatch standard deviation; `None` for the whole batch.
    pub(in crate::models) group: Option<usize>,
    pub(in crate::models) activation: Activation,
    pub(in crate::models) clamp: Option<f64>,
    /// Height and width of its features; `None` for as many rows as columns.
    pub(in crate::models) size: Option<[usize; 2]>,
}

impl Epilogue {
    /// Takes `<name>.conv`, `<name>.fc` and `<name>.out`, for features of `channels`. What the convolution sees beyond
    /// these is the minibatch standard deviation.
    pub(in crate::models) fn new(
        params: &mut Params,
        name: &str,
        channels: usize,
        options: &EpilogueOptions,
    ) -> Result<Self> {
        if options.group == Some(0) {
            return Err(Error::argument("minibatch_std_group", "at least 1 sample, or none", 0));
        }
        let layer = format!("{name}.conv");
        let filter = take_filter(params, &format!("{layer}.resample_filter"))?;
        let filter = filter.map_or_else(|| Filter::new(1, 1, vec![1.0]), Ok)?;
        params.require(&format!("{layer}.bias"))?;
        let shape = [None, None, Some(3), Some(3)];
        let conv = Conv2dLayer::new(
            params,
            &layer,
            &shape,
            options.activation,
            (1, 1),
            filter,
            options.clamp,
        )?;
        let std_channels = match conv.inputs().checked_sub(channels) {
            Some(extra) if extra == 0 || channels.is_multiple_of(extra) => extra,
            _ => {
                return Err(Error::Weights {
                    name: format!("{layer}.weight"),
                    expected: format!(
                        "{channels} inputs, or more for the minibatch standard deviation of equal \
                         blocks of them"
                    ),
                    found: format!("{} inputs", conv.inputs()),
                });
            }
        };
        let fc = Linear::new(params, &format!("{name}.fc"), None, None, 1.0, options.activation)?;
        let size = features_size(&format!("{name}.fc.weight"), &conv, &fc, options.size)?;
        let inputs = Some(fc.outputs());
        let out =
            Linear::new(params, &format!("{name}.out"), None, inputs, 1.0, Activation::Linear)?;
        Ok(Epilogue { group: options.group, std_channels, conv, fc, out, size })
    }

    /// Height and width of its features.
    pub(in crate::models) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// How many numbers it gives.
    pub(in crate::models) fn outputs(&self) -> usize {
        self.out.outputs()
    }

    pub(in crate::models) fn device(&self) -> &Device {
        self.out.weight().device()
    }

    /// `[n, channels, h, w]` to `[n, outputs]`.
    pub(in crate::models) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = match self.std_channels {
            0 => x.clone(),
            channels => minibatch_std(x, self.group, channels)?,
        };
        let x = self.conv.forward(&x, 1.0)?;
        let n = x.shape()[0];
        let flat = x.reshape(&[n, x.numel() / n])?;
        self.out.forward(&self.fc.forward(&flat)?)
    }
}

/// Height and width of the features, of which the fully connected layer's inputs are the product with the channels.
fn features_size(
    name: &str,
    conv: &Conv2dLayer,
    fc: &Linear,
    wanted: Option<[usize; 2]>,
) -> Result<[usize; 2]> {
    let (inputs, channels) = (fc.inputs(), conv.outputs());
    let wrong = |expected: String| Error::Weights {
        name: name.to_owned(),
        expected,
        found: format!("{inputs} inputs"),
    };
    let pixels = inputs / channels;
    let side = pixels.isqrt();
    let [h, w] = wanted.unwrap_or([side, side]);
    if h.checked_mul(w) == Some(pixels) && inputs.is_multiple_of(channels) && pixels > 0 {
        return Ok([h, w]);
    }
    Err(wrong(match wanted {
        Some([h, w]) => format!("{channels} x {h} x {w} inputs"),
        None => format!(
            "{channels} inputs times a square number; for images that are no squares, set \
             `last_size`"
        ),
    }))
}
