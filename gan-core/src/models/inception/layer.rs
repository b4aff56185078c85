//! The steps of the table with their weights.

use super::table::{Form, Size, Step};
use crate::backend::{Activation, BiasAct, Conv};
use crate::error::Result;
use crate::nn::{Params, average_pool2d, bias_act, max_pool2d_overlapping};
use crate::tensor::Tensor;

/// What is added to variances (`eps` of the published network's batch normalisation).
const EPS: f64 = 0.001;

/// Convolution, batch normalisation at inference and ReLU; the normalisation is part of weight and bias.
#[derive(Clone, Debug)]
struct Layer {
    /// `[co, ci, kh, kw]`
    weight: Tensor,
    /// `[co]`
    bias: Tensor,
    conv: Conv,
}

impl Layer {
    /// Takes `<path>.conv.weight [co, ci, kh, kw]` and, of `[co]`, `<path>.bn.weight`, `.bias`, `.running_mean`, `.running_var`.
    fn new(params: &mut Params, prefix: &str, form: &Form, inputs: Option<usize>) -> Result<Self> {
        let path = format!("{prefix}{}", form.name);
        let [kh, kw] = form.kernel;
        let shape = [None, inputs, Some(kh), Some(kw)];
        let weight = params.take(&format!("{path}.conv.weight"), &shape)?;
        let co = weight.shape()[0];
        let mut norm = |part: &str| params.take(&format!("{path}.bn.{part}"), &[Some(co)]);
        let [gain, bias] = [norm("weight")?, norm("bias")?];
        let [mean, var] = [norm("running_mean")?, norm("running_var")?];
        let gain = gain.mul(&var.affine(1.0, EPS)?.rsqrt()?)?;
        let (stride, padding) = match form.size {
            Size::Same => (1, [kh / 2, kw / 2]),
            Size::Inner => (1, [0, 0]),
            Size::Half => (2, [0, 0]),
        };
        Ok(Layer {
            weight: weight.mul(&gain.reshape(&[co, 1, 1, 1])?)?,
            bias: bias.sub(&mean.mul(&gain)?)?,
            conv: Conv { stride: [stride; 2], padding, groups: 1 },
        })
    }

    fn outputs(&self) -> usize {
        self.bias.shape()[0]
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let relu = BiasAct { gain: 1.0, ..BiasAct::new(Activation::Relu) };
        bias_act(&x.conv2d(&self.weight, self.conv)?, Some(&self.bias), &relu)
    }
}

/// Steps one after the other.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    steps: Vec<(Step, Vec<Layer>)>,
    outputs: usize,
}

impl Chain {
    /// Takes the layers of the steps, each under `<prefix><name>`.
    pub(super) fn new(
        params: &mut Params,
        prefix: &str,
        steps: &[Step],
        inputs: usize,
    ) -> Result<Self> {
        let mut outputs = inputs;
        let mut built = Vec::with_capacity(steps.len());
        for &step in steps {
            let forms = match &step {
                Step::Conv(form) => std::slice::from_ref(form),
                Step::Fork(forms) => forms,
                Step::Mean | Step::Max | Step::MaxHalf => &[],
            };
            let layers = forms.iter().map(|form| Layer::new(params, prefix, form, Some(outputs)));
            let layers = layers.collect::<Result<Vec<_>>>()?;
            if !layers.is_empty() {
                outputs = layers.iter().map(Layer::outputs).sum();
            }
            built.push((step, layers));
        }
        Ok(Chain { steps: built, outputs })
    }

    /// Number of channels of the result.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `[n, inputs, h, w]` to `[n, outputs, h', w']`; shows `pooled` what each maximum of every second pixel leaves.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        pooled: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let mut x = x.clone();
        for (step, layers) in &self.steps {
            x = match step {
                Step::Mean => average_pool2d(&x, 3)?,
                Step::Max => max_pool2d_overlapping(&x, 3, 1, 1)?,
                Step::MaxHalf => max_pool2d_overlapping(&x, 3, 2, 0)?,
                Step::Conv(_) | Step::Fork(_) => {
                    let results = layers.iter().map(|layer| layer.forward(&x));
                    let results = results.collect::<Result<Vec<_>>>()?;
                    Tensor::concat(&results.iter().collect::<Vec<_>>(), 1)?
                }
            };
            if matches!(step, Step::MaxHalf) {
                pooled(&x)?;
            }
        }
        Ok(x)
    }
}
