//! A network's tensors by name, from which its layers take theirs.

use std::collections::BTreeMap;

use crate::backend::Device;
use crate::checkpoint::{HostTensor, StateDict};
use crate::error::{Error, Result};
use crate::grad::{Order, grad};
use crate::tensor::Tensor;

/// Named tensors on a device.
///
/// A network is built by taking each tensor under its name, with the shape that it needs; what is left at the end is
/// an error. To train one, keep its tensors: a step makes [variables](Params::variables) of them, builds the network from
/// these, takes the [gradients](Params::gradients) of a loss, and [inserts](Params::insert) what the optimiser makes of both.
#[derive(Clone, Debug, Default)]
pub struct Params {
    tensors: BTreeMap<String, Tensor>,
}

impl Params {
    /// Moves a state dict to a device.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is empty or a value not finite, or when the device's memory runs out.
    pub fn upload(dict: StateDict, device: &Device) -> Result<Self> {
        dict.check_finite()?;
        let (tensors, _) = dict.into_parts();
        let tensors = tensors
            .into_iter()
            .map(|(name, t)| match t.data.is_empty() {
                true => Err(Error::Weights {
                    expected: "at least one value".into(),
                    found: format!("shape {:?}", t.shape),
                    name,
                }),
                false => Ok((name, Tensor::from_vec(t.data, &t.shape, device)?)),
            })
            .collect::<Result<_>>()?;
        Ok(Params { tensors })
    }

    /// The same with those tensors as variables whose names `trained` accepts, and the others as constants.
    pub fn variables(&self, trained: impl Fn(&str) -> bool) -> Self {
        let tracked = |name: &str, t: &Tensor| if trained(name) { t.var() } else { t.detach() };
        let tensors = self.tensors.iter().map(|(name, t)| (name.clone(), tracked(name, t)));
        Params { tensors: tensors.collect() }
    }

    /// The gradients of `loss`, a tensor of one element, in all variables, under their names.
    ///
    /// # Errors
    /// [`Error::Gradient`] as [`grad`] has it.
    pub fn gradients(&self, loss: &Tensor, order: Order) -> Result<Self> {
        let (names, variables): (Vec<&String>, Vec<&Tensor>) =
            self.tensors.iter().filter(|(_, t)| t.is_tracked()).unzip();
        let gradients = grad(loss, &variables, order)?;
        Ok(Params { tensors: names.into_iter().cloned().zip(gradients).collect() })
    }

    /// Copies of all tensors in host memory, to be saved.
    ///
    /// # Errors
    /// [`Error::Weights`] for a name that a file cannot have, or when the device fails.
    pub fn to_state_dict(&self) -> Result<StateDict> {
        let mut dict = StateDict::default();
        for (name, tensor) in &self.tensors {
            let (shape, data) = (tensor.shape().to_vec(), tensor.to_vec()?);
            dict.insert(name.as_str(), HostTensor { shape, data })?;
        }
        Ok(dict)
    }

    /// Adds a tensor, replacing one of that name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Whether there is any tensor of the layer: one that lacks some of its tensors must not pass for absent.
    pub fn has_layer(&self, name: &str) -> bool {
        let below = format!("{name}.");
        self.tensors.range(below.clone()..).next().is_some_and(|(n, _)| n.starts_with(&below))
    }

    /// All tensors, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Refuses to go on without a tensor that a layer could do without and this network cannot.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing.
    pub fn require(&self, name: &str) -> Result<()> {
        match self.tensors.contains_key(name) {
            true => Ok(()),
            false => Err(Error::Weights {
                name: name.to_owned(),
                expected: "a tensor".into(),
                found: "no such tensor".into(),
            }),
        }
    }

    /// Takes the tensor of that name; `None` in `shape` stands for any size.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing or has another shape.
    pub fn take(&mut self, name: &str, shape: &[Option<usize>]) -> Result<Tensor> {
        self.take_optional(name, shape)?.ok_or_else(|| Error::Weights {
            name: name.to_owned(),
            expected: pattern(shape),
            found: "no such tensor".into(),
        })
    }

    /// As [`Params::take`], but the tensor may be missing.
    ///
    /// # Errors
    /// [`Error::Weights`] if it has another shape.
    pub fn take_optional(&mut self, name: &str, shape: &[Option<usize>]) -> Result<Option<Tensor>> {
        let Some(tensor) = self.tensors.remove(name) else { return Ok(None) };
        let found = tensor.shape();
        let fits = found.len() == shape.len()
            && found.iter().zip(shape).all(|(&f, s)| s.is_none_or(|s| s == f));
        if !fits {
            return Err(Error::Weights {
                name: name.to_owned(),
                expected: pattern(shape),
                found: format!("shape {found:?}"),
            });
        }
        Ok(Some(tensor))
    }

    /// Ends the building of a network.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor was not taken.
    pub fn finish(self) -> Result<()> {
        match self.tensors.into_iter().next() {
            None => Ok(()),
            Some((name, tensor)) => Err(Error::Weights {
                name,
                expected: "no such tensor in a network of this configuration".into(),
                found: format!("shape {:?}", tensor.shape()),
            }),
        }
    }
}

fn pattern(shape: &[Option<usize>]) -> String {
    let sizes: Vec<String> =
        shape.iter().map(|s| s.map_or("any".to_owned(), |s| s.to_string())).collect();
    format!("shape [{}]", sizes.join(", "))
}
