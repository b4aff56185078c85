//! How a discriminator uses labels.

use crate::error::{Error, Result};
use crate::latent::Labels;
use crate::models::mapping::Mapping;
use crate::nn::Params;
use crate::tensor::Tensor;

/// What makes one logit of a network's last numbers (projection discriminator, Miyato and Koyama 2018).
#[derive(Clone, Debug)]
pub(in crate::models) enum LabelHead {
    /// There is one number.
    None,
    /// One number a class, of which the label picks: StyleGAN and the original StyleGAN2.
    Direct(usize),
    /// The scalar product with the mapped label, divided by the square root of its length: stylegan2-ada-pytorch.
    Mapped(Mapping),
}

impl LabelHead {
    /// Takes `<prefix>mapping.embed`, `<prefix>mapping.fc0`, ..., if there are any, for a network of so many `outputs`.
    pub(in crate::models) fn new(
        params: &mut Params,
        prefix: &str,
        outputs: usize,
        lr_multiplier: f64,
    ) -> Result<Self> {
        let name = format!("{prefix}mapping");
        if !params.has_layer(&name) {
            return Ok(if outputs == 1 { LabelHead::None } else { LabelHead::Direct(outputs) });
        }
        let mapping = Mapping::new(params, &format!("{name}."), lr_multiplier, false)?;
        let wrong = |name: String, expected: String, found: usize| {
            Err(Error::Weights { name, expected, found: found.to_string() })
        };
        if mapping.z_dim() != 0 || mapping.label_dim() == 0 {
            let expected = "as many inputs as the embedded label has".into();
            return wrong(format!("{name}.fc0.weight"), expected, mapping.z_dim());
        }
        if mapping.w_dim() != outputs {
            let expected = format!("{} outputs, as the mapping network has", mapping.w_dim());
            return wrong(format!("{prefix}b4.out.weight"), expected, outputs);
        }
        Ok(LabelHead::Mapped(mapping))
    }

    /// Length of labels; 0 for none.
    pub(in crate::models) fn label_dim(&self) -> usize {
        match self {
            LabelHead::None => 0,
            LabelHead::Direct(classes) => *classes,
            LabelHead::Mapped(mapping) => mapping.label_dim(),
        }
    }

    /// What the last numbers of `n` images are multiplied by, `[n, outputs]`, before any constant factor.
    pub(in crate::models) fn code(
        &self,
        labels: Option<&Labels>,
        n: usize,
    ) -> Result<Option<Tensor>> {
        let dim = self.label_dim();
        let labels = match labels {
            None if dim == 0 => return Ok(None),
            None => {
                let expected = format!("[{n}, {dim}], one for each image");
                return Err(Error::argument("labels", expected, "none"));
            }
            Some(_) if dim == 0 => {
                let expected = "none: this network is not conditional";
                return Err(Error::argument("labels", expected, "some"));
            }
            Some(labels) => labels,
        };
        if labels.tensor().shape() != [n, dim] {
            return Err(Error::Latent {
                what: "labels",
                expected: format!("[{n}, {dim}]"),
                found: format!("{:?}", labels.tensor().shape()),
            });
        }
        match self {
            LabelHead::Mapped(mapping) => {
                Ok(Some(mapping.forward(None, Some(labels))?.tensor().clone()))
            }
            _ => Ok(Some(labels.tensor().clone())),
        }
    }

    /// Logits `[n, 1]` of the last numbers `[n, outputs]`.
    pub(in crate::models) fn logits(
        &self,
        outputs: &Tensor,
        code: Option<&Tensor>,
    ) -> Result<Tensor> {
        let Some(code) = code else { return Ok(outputs.clone()) };
        let sum = outputs.mul(code)?.sum(&[1])?;
        match self {
            LabelHead::Mapped(mapping) => sum.scale(1.0 / (mapping.w_dim() as f64).sqrt()),
            _ => Ok(sum),
        }
    }
}
