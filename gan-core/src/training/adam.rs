//! Adam (Kingma and Ba 2015), as the official training uses it.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::nn::Params;
use crate::tensor::Tensor;

/// What the optimizer is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamOptions {
    /// Step size.
    pub lr: f64,
    /// Decay of the means of gradients and of their squares.
    pub betas: [f64; 2],
    /// Added to the root of the mean square.
    pub eps: f64,
    /// Steps from one regularisation to the next, if it is lazy: one step of regularisation for so many others would otherwise
    /// change the effective step size and decay (StyleGAN2, appendix B, "Lazy regularization").
    pub interval: Option<usize>,
}

impl Default for AdamOptions {
    /// Those of stylegan2-ada-pytorch, without lazy regularisation.
    fn default() -> Self {
        AdamOptions { lr: 0.002, betas: [0.0, 0.99], eps: 1e-8, interval: None }
    }
}

impl AdamOptions {
    /// With `lr` and `betas` corrected for the interval `k`: `lr k/(k+1)`, `beta^(k/(k+1))`.
    fn corrected(mut self) -> Self {
        if let Some(k) = self.interval.take() {
            let ratio = k as f64 / (k as f64 + 1.0);
            self.lr *= ratio;
            self.betas = self.betas.map(|beta| beta.powf(ratio));
        }
        self
    }
}

/// The optimizer and its state.
#[derive(Clone, Debug)]
pub struct Adam {
    options: AdamOptions,
    steps: u64,
    /// Means of the gradients and of their squares.
    means: BTreeMap<String, [Tensor; 2]>,
}

impl Adam {
    /// Suffixes of the means in a saved state, as PyTorch names them.
    pub(super) const MEANS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

    /// An optimizer that has done no step.
    pub fn new(options: &AdamOptions) -> Self {
        Adam { options: options.corrected(), steps: 0, means: BTreeMap::new() }
    }

    /// Number of steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Another learning rate from the next step on, as a schedule has it; it is not corrected for an interval.
    pub(super) fn set_lr(&mut self, lr: f64) {
        self.options.lr = lr;
    }

    /// The means of the gradients of a parameter and of their squares, once it has had a step.
    pub fn means(&self, name: &str) -> Option<[&Tensor; 2]> {
        self.means.get(name).map(|[first, second]| [first, second])
    }

    /// One step for those parameters that have a gradient.
    ///
    /// What is not finite in a gradient is replaced first, as in the official code: NaN by 0, infinities by ±1e5.
    ///
    /// # Errors
    /// [`Error::Argument`] for the gradient of a parameter that is not there, [`Error::Shape`] for one of another shape.
    /// Nothing has changed then.
    pub fn step(&mut self, params: &mut Params, gradients: &Params) -> Result<()> {
        let t = self.steps + 1;
        let mut done = Vec::new();
        for (name, g) in gradients.iter() {
            let Some(param) = params.get(name) else {
                return Err(Error::argument("gradient", "the name of a parameter", name));
            };
            if g.shape() != param.shape() {
                return Err(Error::shape("adam", format!("{name} {:?}", param.shape()), g.shape()));
            }
            done.push(self.updated(name, &param.detach(), &finite(&g.detach())?, t)?);
        }
        for ((name, _), (param, means)) in gradients.iter().zip(done) {
            params.insert(name, param);
            self.means.insert(name.to_owned(), means);
        }
        self.steps = t;
        Ok(())
    }

    /// A parameter and its means after step `t`.
    fn updated(&self, name: &str, p: &Tensor, g: &Tensor, t: u64) -> Result<(Tensor, [Tensor; 2])> {
        let AdamOptions { lr, betas: [b1, b2], eps, .. } = self.options;
        let follow = |mean: Option<&Tensor>, beta: f64, new: Tensor| {
            let new = new.scale(1.0 - beta)?;
            mean.map_or(Ok(new.clone()), |mean| mean.scale(beta)?.add(&new))
        };
        let [first, second] = match self.means.get(name) {
            None => [None, None],
            Some([first, second]) => [Some(first), Some(second)],
        };
        let first = follow(first, b1, g.clone())?;
        let second = follow(second, b2, g.square()?)?;
        // Means start from zero: these take out its share.
        let t = t as f64;
        let (bias, spread) = (1.0 - b1.powf(t), 1.0 - b2.powf(t));
        let root = second.scale(1.0 / spread)?.sqrt()?.affine(1.0, eps)?;
        let param = p.sub(&first.scale(lr / bias)?.div(&root)?)?;
        Ok((param, [first, second]))
    }

    /// All means, `<parameter>.exp_avg` and `<parameter>.exp_avg_sq`, as PyTorch names them: with the number of steps,
    /// everything that [`Adam::resumed`] needs beside the options.
    pub fn state(&self) -> Params {
        let mut state = Params::default();
        for (name, means) in &self.means {
            for (mean, kind) in means.iter().zip(Self::MEANS) {
                state.insert(format!("{name}.{kind}"), mean.clone());
            }
        }
        state
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Error::Weights`] if a parameter lacks one of its two means, or they have different shapes.
    pub fn resumed(options: &AdamOptions, steps: u64, mut state: Params) -> Result<Self> {
        let of =
            |name: &str| name.strip_suffix(Self::MEANS[0])?.strip_suffix('.').map(str::to_owned);
        let names: Vec<String> = state.names().filter_map(of).collect();
        let mut means = BTreeMap::new();
        for name in names {
            let [first, second] = Self::MEANS.map(|kind| format!("{name}.{kind}"));
            let shape = state.get(&first).map_or(Vec::new(), |t| t.shape().to_vec());
            let shape: Vec<Option<usize>> = shape.into_iter().map(Some).collect();
            means.insert(name, [state.take(&first, &shape)?, state.take(&second, &shape)?]);
        }
        state.finish()?;
        Ok(Adam { options: options.corrected(), steps, means })
    }
}

/// NaN to 0, infinities to ±1e5.
fn finite(g: &Tensor) -> Result<Tensor> {
    let constant = |value: f64| Tensor::full(value, g.shape(), g.device());
    // NaN equals nothing.
    let mut g = g.select(&g.equal(g)?, &constant(0.0)?)?;
    for sign in [1.0, -1.0] {
        let infinite = g.equal(&constant(sign * f64::INFINITY)?)?;
        g = constant(sign * 1e5)?.select(&infinite, &g)?;
    }
    Ok(g)
}
