//! Networks before training.

use crate::backend::Device;
use crate::error::Result;
use crate::memory;
use crate::nn::Params;
use crate::random::Philox;
use crate::tensor::Tensor;

/// Tensors that are being made.
pub(super) struct New<'a> {
    random: &'a mut Philox,
    device: &'a Device,
    params: Params,
}

impl<'a> New<'a> {
    pub(super) fn start(random: &'a mut Philox, device: &'a Device) -> Self {
        New { random, device, params: Params::default() }
    }

    pub(super) fn finish(self) -> Params {
        self.params
    }

    pub(super) fn normal(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        deviation: f64,
    ) -> Result<()> {
        let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let mut values = memory::zeros("weight", len.unwrap_or(usize::MAX))?;
        self.random.fill_normal(&mut values);
        values.iter_mut().for_each(|v| *v *= deviation as f32);
        self.params.insert(name, Tensor::from_vec(values, shape, self.device)?);
        Ok(())
    }

    pub(super) fn full(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        value: f64,
    ) -> Result<()> {
        self.params.insert(name, Tensor::full(value, shape, self.device)?);
        Ok(())
    }

    /// Weight and bias, of unit variance and zero.
    pub(super) fn layer(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.normal(format!("{name}.weight"), shape, 1.0)?;
        self.full(format!("{name}.bias"), &shape[..1], 0.0)
    }
}
