//! The end of the residual network.

use gan_core::Tensor;
use gan_core::nn::Params;

use super::config::TowerOptions;
use super::linear::Linear;
use super::transformer::attend;
use super::vit::wrong;
use crate::error::Result;

/// Attention of the mean of all pixels to the pixels and itself, in the place of the mean alone.
#[derive(Clone, Debug)]
pub(super) struct AttentionPool {
    /// `[1 + grid * grid, channels]`.
    positions: Tensor,
    queries: Linear,
    keys: Linear,
    values: Linear,
    output: Linear,
    heads: usize,
    grid: usize,
}

impl AttentionPool {
    /// Takes `<name>.positional_embedding` and the layers `q_proj`, `k_proj`, `v_proj` and `c_proj`.
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        channels: Option<usize>,
        options: &TowerOptions,
    ) -> Result<Self> {
        let place = format!("{name}.positional_embedding");
        let positions = params.take(&place, &[None, channels])?;
        let &[count, width] = positions.shape() else { unreachable!("two were taken") };
        let grid = (count - 1).isqrt();
        if grid == 0 || grid * grid + 1 != count {
            let expected = "a place for the mean and one for each pixel of a square";
            return Err(wrong(&place, expected, positions.shape()));
        }
        let width = Some(width);
        let mut linear =
            |part, outputs| Linear::new(params, &format!("{name}.{part}"), outputs, width);
        let [queries, keys, values] =
            [linear("q_proj", width)?, linear("k_proj", width)?, linear("v_proj", width)?];
        let output = linear("c_proj", None)?;
        let heads = options.heads(positions.shape()[1])?;
        Ok(AttentionPool { positions, queries, keys, values, output, heads, grid })
    }

    pub(super) fn grid(&self) -> usize {
        self.grid
    }

    pub(super) fn embedding(&self) -> usize {
        self.output.outputs()
    }

    /// `[n, channels, grid, grid]` to `[n, embedding]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [n, c, h, w] = x.dims4("attention_pool")?;
        let (t, heads) = (1 + h * w, self.heads);
        let pixels = x.reshape(&[n, c, h * w])?.permute(&[0, 2, 1])?;
        let tokens = Tensor::concat(&[&pixels.mean(&[1])?, &pixels], 1)?.add(&self.positions)?;
        let mean = tokens.slice(1, 0, 1)?.reshape(&[n, c])?;
        let rows = tokens.reshape(&[n * t, c])?;
        let split = |x: Tensor, t: usize| -> Result<Tensor> {
            let x = x.reshape(&[n, t, heads, c / heads])?.permute(&[0, 2, 1, 3])?;
            Ok(x.reshape(&[n * heads, t, c / heads])?)
        };
        let queries = split(self.queries.forward(&mean)?, 1)?;
        let keys = split(self.keys.forward(&rows)?, t)?;
        let values = split(self.values.forward(&rows)?, t)?;
        let attended = attend(&queries, &keys, &values, None)?;
        self.output.forward(&attended.reshape(&[n, c])?)
    }
}
