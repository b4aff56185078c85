//! The mapping network of StyleGAN and StyleGAN2: from z and a label to w.

use crate::backend::Activation;
use crate::error::{Error, Result};
use crate::latent::{Labels, Truncation, W, WPlus, Z};
use crate::memory;
use crate::nn::{Linear, Params, normalize_2nd_moment};
use crate::random::Philox;
use crate::tensor::Tensor;

/// Fully connected layers after normalisation (StyleGAN2, figure 2; `MappingNetwork` of stylegan2-ada-pytorch).
#[derive(Clone, Debug)]
pub struct Mapping {
    embed: Option<Linear>,
    /// Normalise z and the embedded label together, as genforce does, not each by itself.
    joint_norm: bool,
    layers: Vec<Linear>,
    w_avg: Option<Tensor>,
}

impl Mapping {
    /// Takes `<prefix>fc0`, `fc1`, ..., and, if they are there, `<prefix>embed` and `<prefix>w_avg`. With `joint_norm`, z
    /// and the embedded label are normalised together, as genforce does, not each by itself.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or misshapen.
    pub fn new(
        params: &mut Params,
        prefix: &str,
        lr_multiplier: f64,
        joint_norm: bool,
    ) -> Result<Self> {
        let has = |params: &Params, name: &str| params.has_layer(&format!("{prefix}{name}"));
        let embed = match has(params, "embed") {
            true => {
                let name = format!("{prefix}embed");
                Some(Linear::new(params, &name, None, None, 1.0, Activation::Linear)?)
            }
            false => None,
        };
        let mut layers: Vec<Linear> = Vec::new();
        while layers.is_empty() || has(params, &format!("fc{}", layers.len())) {
            let inputs = layers.last().map(Linear::outputs);
            let name = format!("{prefix}fc{}", layers.len());
            layers.push(Linear::new(
                params,
                &name,
                None,
                inputs,
                lr_multiplier,
                Activation::Lrelu,
            )?);
        }
        let embedded = embed.as_ref().map_or(0, Linear::outputs);
        if layers[0].inputs() < embedded {
            return Err(Error::Weights {
                name: format!("{prefix}fc0.weight"),
                expected: format!("at least the {embedded} inputs of the embedded label"),
                found: format!("{} inputs", layers[0].inputs()),
            });
        }
        let w_dim = layers.last().map(Linear::outputs);
        let w_avg = params.take_optional(&format!("{prefix}w_avg"), &[w_dim])?;
        Ok(Mapping { embed, joint_norm, layers, w_avg })
    }

    /// Length of z; 0 if the label is all there is.
    pub fn z_dim(&self) -> usize {
        self.layers[0].inputs() - self.embed.as_ref().map_or(0, Linear::outputs)
    }

    /// Length of labels; 0 if there are none.
    pub fn label_dim(&self) -> usize {
        self.embed.as_ref().map_or(0, Linear::inputs)
    }

    /// Length of w.
    pub fn w_dim(&self) -> usize {
        self.layers.last().map_or(0, Linear::outputs)
    }

    /// Number of fully connected layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The average of w over the prior, `[w_dim]`, if it is known.
    pub fn w_avg(&self) -> Option<&Tensor> {
        self.w_avg.as_ref()
    }

    /// With another average.
    ///
    /// # Errors
    /// [`Error::Latent`] if it is of another length.
    pub fn with_w_avg(mut self, w_avg: Tensor) -> Result<Self> {
        if w_avg.shape() != [self.w_dim()] {
            return Err(Error::Latent {
                what: "w_avg",
                expected: format!("[{}]", self.w_dim()),
                found: format!("{:?}", w_avg.shape()),
            });
        }
        self.w_avg = Some(w_avg.detach());
        Ok(self)
    }

    /// The mean of w over `samples` random codes, `[w_dim]`; a conditional network takes one row of `labels` for all.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no samples, or labels are missing or not wanted.
    pub fn estimated_average(
        &self,
        samples: usize,
        seed: u64,
        labels: Option<&Labels>,
    ) -> Result<Tensor> {
        if samples == 0 {
            return Err(Error::argument("samples", "at least 1", samples));
        }
        let mut z = memory::zeros("samples", samples.saturating_mul(self.z_dim()))?;
        Philox::new(seed).fill_normal(&mut z);
        let device = self.layers[0].weight().device();
        let z = Z::new(Tensor::from_vec(z, &[samples, self.z_dim()], device)?)?;
        let labels = match labels {
            Some(l) => Some(Labels::new(l.tensor().expand(&[samples, l.tensor().shape()[1]])?)?),
            None => None,
        };
        let w = self.forward(Some(&z), labels.as_ref())?;
        w.tensor().mean(&[0])?.reshape(&[self.w_dim()])
    }

    /// The running average after a training step that mapped to `w`: `beta * w_avg + (1 - beta) * mean(w)`.
    ///
    /// # Errors
    /// [`Error::Argument`] if no average is known.
    pub fn updated_average(&self, w: &W, beta: f64) -> Result<Tensor> {
        let w_avg = self.known_average()?;
        let mean = w.tensor().detach().mean(&[0])?.reshape(w_avg.shape())?;
        w_avg.scale(beta)?.add(&mean.scale(1.0 - beta)?)
    }

    fn known_average(&self) -> Result<&Tensor> {
        self.w_avg.as_ref().ok_or_else(|| {
            let expected = "1 for this network: its checkpoint holds no average code; estimate one with \
                            `with_estimated_average`";
            Error::argument("truncation psi", expected, "another")
        })
    }

    /// What the first layer sees: z and the embedded label, normalised, `[n, inputs]`.
    ///
    /// # Errors
    /// As [`Mapping::forward`].
    pub fn input(&self, z: Option<&Z>, labels: Option<&Labels>) -> Result<Tensor> {
        let mut parts: Vec<Tensor> = Vec::with_capacity(2);
        let separate = |x: Tensor| if self.joint_norm { Ok(x) } else { normalize_2nd_moment(&x) };
        match (z, self.z_dim()) {
            (None, 0) => {}
            (Some(z), dim) if dim > 0 && z.tensor().shape()[1] == dim => {
                parts.push(separate(z.tensor().clone())?);
            }
            (z, dim) => {
                let found = z.map_or("none".into(), |z| format!("{:?}", z.tensor().shape()));
                return Err(Error::Latent { what: "z", expected: format!("[n, {dim}]"), found });
            }
        }
        match labels {
            Some(labels) => {
                let embedded = self.embedding(labels)?;
                let [n, _] = embedded.dims2("labels")?;
                if let Some(z) = parts.first().filter(|z| z.shape()[0] != n) {
                    let (expected, found) = (format!("{} rows", z.shape()[0]), format!("{n} rows"));
                    return Err(Error::Latent { what: "labels", expected, found });
                }
                parts.push(separate(embedded)?);
            }
            None if self.label_dim() > 0 => {
                let expected = format!("[n, {}], one for each code", self.label_dim());
                return Err(Error::argument("labels", expected, "none"));
            }
            None => {}
        }
        let x = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1)?;
        if self.joint_norm { normalize_2nd_moment(&x) } else { Ok(x) }
    }

    /// Labels `[n, label_dim]` embedded, before normalisation.
    ///
    /// # Errors
    /// [`Error::Argument`] if the network is not conditional, [`Error::Latent`] for labels of another length.
    pub fn embedding(&self, labels: &Labels) -> Result<Tensor> {
        let Some(embed) = &self.embed else {
            let expected = "none: this network is not conditional";
            return Err(Error::argument("labels", expected, "some"));
        };
        let found = labels.tensor().shape();
        if found[1] != embed.inputs() {
            let expected = format!("[n, {}]", embed.inputs());
            return Err(Error::Latent { what: "labels", expected, found: format!("{found:?}") });
        }
        embed.forward(labels.tensor())
    }

    /// `z [n, z_dim]` and labels to `w [n, w_dim]`. A network without z takes labels alone.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length, [`Error::Argument`] if labels are missing or not wanted.
    pub fn forward(&self, z: Option<&Z>, labels: Option<&Labels>) -> Result<W> {
        let mut x = self.input(z, labels)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        W::new(x)
    }

    /// Repeats w for `num_ws` layers, the first ones pulled towards the average.
    ///
    /// # Errors
    /// [`Error::Latent`] for codes of another length, [`Error::Argument`] if psi is not finite or there is no average.
    pub fn truncate(&self, w: &W, num_ws: usize, truncation: &Truncation) -> Result<WPlus> {
        let [n, w_dim] = w.tensor().dims2("w")?;
        if w_dim != self.w_dim() {
            return Err(Error::Latent {
                what: "w",
                expected: format!("[n, {}]", self.w_dim()),
                found: format!("{:?}", w.tensor().shape()),
            });
        }
        let plus = w.tensor().reshape(&[n, 1, w_dim])?.expand(&[n, num_ws, w_dim])?;
        self.truncate_plus(&WPlus::new(plus)?, truncation)
    }

    /// Pulls the first vectors of W+ towards the average.
    ///
    /// # Errors
    /// As [`Mapping::truncate`].
    pub fn truncate_plus(&self, w: &WPlus, truncation: &Truncation) -> Result<WPlus> {
        let Truncation { psi, cutoff } = *truncation;
        if !psi.is_finite() {
            return Err(Error::argument("truncation psi", "a finite number", psi));
        }
        let [.., w_dim] = *w.tensor().shape() else { return Ok(w.clone()) };
        if w_dim != self.w_dim() {
            return Err(Error::Latent {
                what: "w+",
                expected: format!("[n, num_ws, {}]", self.w_dim()),
                found: format!("{:?}", w.tensor().shape()),
            });
        }
        let cutoff = cutoff.unwrap_or(w.num_ws()).min(w.num_ws());
        if psi == 1.0 || cutoff == 0 {
            return Ok(w.clone());
        }
        let average = self.known_average()?;
        let average = average.reshape(&[1, 1, w_dim])?;
        let head = w.tensor().slice(1, 0, cutoff)?;
        let head = head.sub(&average)?.scale(psi)?.add(&average)?;
        if cutoff == w.num_ws() {
            return WPlus::new(head);
        }
        let tail = w.tensor().slice(1, cutoff, w.num_ws() - cutoff)?;
        WPlus::new(Tensor::concat(&[&head, &tail], 1)?)
    }
}
