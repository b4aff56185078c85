//! The steps of the table with their weights.

use super::table::{Form, Size, Step};
use crate::backend::{Activation, BiasAct, Conv};
use crate::error::Result;
use crate::nn::{NormedConv, Params, average_pool2d, max_pool2d_overlapping};
use crate::tensor::Tensor;

/// What is added to variances (`eps` of the published network's batch normalisation).
const EPS: f64 = 0.001;

/// Convolution, batch normalisation at inference and ReLU.
#[derive(Clone, Debug)]
struct Layer(NormedConv);

impl Layer {
    /// Takes `<path>.conv` and `<path>.bn`.
    fn new(params: &mut Params, prefix: &str, form: &Form, inputs: Option<usize>) -> Result<Self> {
        let [conv, norm] = ["conv", "bn"].map(|part| format!("{prefix}{}.{part}", form.name));
        let [kh, kw] = form.kernel;
        let (stride, padding) = match form.size {
            Size::Same => (1, [kh / 2, kw / 2]),
            Size::Inner => (1, [0, 0]),
            Size::Half => (2, [0, 0]),
        };
        let shape = [None, inputs, Some(kh), Some(kw)];
        let form = Conv { stride: [stride; 2], padding, groups: 1 };
        Ok(Layer(NormedConv::new(params, [&conv, &norm], shape, form, EPS)?))
    }

    fn outputs(&self) -> usize {
        self.0.outputs()
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x, &BiasAct { gain: 1.0, ..BiasAct::new(Activation::Relu) })
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
