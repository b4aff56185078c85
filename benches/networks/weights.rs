//! Collects random tensors.

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::{Philox, Result};

pub(super) struct Weights {
    random: Philox,
    dict: StateDict,
}

impl Weights {
    pub(super) fn new() -> Self {
        Weights { random: Philox::new(0), dict: StateDict::default() }
    }

    /// Adds a tensor of normal values.
    pub(super) fn normal(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        mean: f32,
        deviation: f32,
    ) -> Result<()> {
        let mut data = vec![0.0; shape.iter().product()];
        self.random.fill_normal(&mut data);
        data.iter_mut().for_each(|v| *v = mean + deviation * *v);
        self.dict.insert(name, HostTensor { shape: shape.to_vec(), data })
    }

    /// Adds a tensor of one value.
    pub(super) fn full(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        value: f32,
    ) -> Result<()> {
        let data = vec![value; shape.iter().product()];
        self.dict.insert(name, HostTensor { shape: shape.to_vec(), data })
    }

    /// Adds a spectrally normalised weight `<name>.weight_orig` that is divided by `sigma`.
    pub(super) fn spectral(&mut self, name: &str, shape: &[usize], sigma: f32) -> Result<()> {
        let rest: usize = shape[1..].iter().product();
        self.normal(format!("{name}.weight_orig"), shape, 0.0, 1.0)?;
        // `u^T M v` picks one element, where trained vectors would give the largest singular value.
        let orig = format!("{name}.weight_orig");
        let corner = self.dict.get(&orig).map_or(1.0, |t| t.data[0]);
        let mut pick = |kind: &str, len: usize, value: f32| {
            let mut data = vec![0.0; len];
            data[0] = value;
            self.dict.insert(format!("{name}.{kind}"), HostTensor { shape: vec![len], data })
        };
        pick("weight_u", shape[0], sigma / corner)?;
        pick("weight_v", rest, 1.0)
    }

    pub(super) fn finish(self) -> StateDict {
        self.dict
    }
}
