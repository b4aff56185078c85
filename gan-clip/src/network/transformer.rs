//! The transformer that both towers are made of.

use gan_core::Tensor;
use gan_core::nn::{LayerNorm, Params, softmax};

use super::config::{Gelu, TowerOptions};
use super::layout::{Layout, Names};
use super::linear::Linear;
use crate::error::Result;

/// Blocks of attention and perceptron, each normalised before and added to what it reads (Radford et al. 2019, section 2.3).
#[derive(Clone, Debug)]
pub(super) struct Transformer {
    blocks: Vec<Block>,
}

impl Transformer {
    /// Takes as many blocks `<name>.0`, `<name>.1`, ... as there are.
    pub(super) fn new(
        params: &mut Params,
        name: &str,
        layout: Layout,
        width: usize,
        options: &TowerOptions,
    ) -> Result<Self> {
        let mut blocks = Vec::new();
        loop {
            let block = format!("{name}.{}", blocks.len());
            if !params.has_layer(&block) {
                return Ok(Transformer { blocks });
            }
            blocks.push(Block::new(params, &block, layout, width, options)?);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Rows `[n * t, width]` of `n` sequences to the same shape; `mask [1, t, t]` is added to the scores.
    pub(super) fn forward(&self, x: &Tensor, n: usize, mask: Option<&Tensor>) -> Result<Tensor> {
        self.blocks.iter().try_fold(x.clone(), |x, block| block.forward(&x, n, mask))
    }
}

#[derive(Clone, Debug)]
struct Block {
    norms: [LayerNorm; 2],
    attention: Attention,
    widening: Linear,
    activation: Gelu,
    narrowing: Linear,
}

impl Block {
    fn new(
        params: &mut Params,
        name: &str,
        layout: Layout,
        width: usize,
        options: &TowerOptions,
    ) -> Result<Self> {
        let Names { norms, attention, widening, narrowing, .. } = layout.names();
        let mut norm = |norm: &str| {
            LayerNorm::new(params, &format!("{name}.{norm}"), Some(width), options.eps)
        };
        let norms = [norm(norms[0])?, norm(norms[1])?];
        let heads = options.heads(width)?;
        let attention =
            Attention::new(params, &format!("{name}.{attention}"), layout, width, heads)?;
        let widening = Linear::new(params, &format!("{name}.{widening}"), None, Some(width))?;
        let inner = Some(widening.outputs());
        let narrowing = Linear::new(params, &format!("{name}.{narrowing}"), Some(width), inner)?;
        Ok(Block { norms, attention, widening, activation: options.activation, narrowing })
    }

    fn forward(&self, x: &Tensor, n: usize, mask: Option<&Tensor>) -> Result<Tensor> {
        let x = x.add(&self.attention.forward(&self.norms[0].forward(x)?, n, mask)?)?;
        let inner = self.widening.forward(&self.norms[1].forward(&x)?)?;
        Ok(x.add(&self.narrowing.forward(&self.activation.apply(&inner)?)?)?)
    }
}

/// Attention of a sequence to itself by several heads (Vaswani et al. 2017, section 3.2).
#[derive(Clone, Debug)]
struct Attention {
    /// To queries, keys and values, one after the other.
    inputs: Linear,
    output: Linear,
    heads: usize,
}

impl Attention {
    fn new(
        params: &mut Params,
        name: &str,
        layout: Layout,
        width: usize,
        heads: usize,
    ) -> Result<Self> {
        let inputs = match layout {
            Layout::OpenAi => {
                let shape = [Some(3 * width), Some(width)];
                let weight = params.take(&format!("{name}.in_proj_weight"), &shape)?;
                let bias = params.take(&format!("{name}.in_proj_bias"), &shape[..1])?;
                Linear::from_parts(&weight, bias)?
            }
            Layout::HuggingFace => {
                let mut three = |what: &str, shape: &[Option<usize>]| -> Result<Tensor> {
                    let mut take = |part| params.take(&format!("{name}.{part}_proj.{what}"), shape);
                    let [q, k, v] = [take("q")?, take("k")?, take("v")?];
                    Ok(Tensor::concat(&[&q, &k, &v], 0)?)
                };
                let weight = three("weight", &[Some(width), Some(width)])?;
                Linear::from_parts(&weight, three("bias", &[Some(width)])?)?
            }
        };
        let output = Linear::new(params, &format!("{name}.out_proj"), Some(width), Some(width))?;
        Ok(Attention { inputs, output, heads })
    }

    fn forward(&self, x: &Tensor, n: usize, mask: Option<&Tensor>) -> Result<Tensor> {
        let [rows, width] = x.dims2("attention")?;
        let (t, heads) = (rows / n, self.heads);
        let size = width / heads;
        let all = self.inputs.forward(x)?.reshape(&[n, t, 3, heads, size])?;
        let all = all.permute(&[2, 0, 3, 1, 4])?;
        let part = |i| all.slice(0, i, 1)?.reshape(&[n * heads, t, size]);
        let [queries, keys, values] = [part(0)?, part(1)?, part(2)?];
        let attended = attend(&queries, &keys, &values, mask)?;
        let attended = attended.reshape(&[n, heads, t, size])?.permute(&[0, 2, 1, 3])?;
        self.output.forward(&attended.reshape(&[rows, width])?)
    }
}

/// `softmax(q k^T / sqrt(size) + mask) v` of `q [b, s, size]`, `k` and `v [b, t, size]`, to `[b, s, size]`.
pub(super) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let size = q.shape()[2] as f64;
    let scores = q.scale(size.sqrt().recip())?.matmul_t(k)?;
    let scores = mask.map_or(Ok(scores.clone()), |mask| scores.add(mask))?;
    Ok(softmax(&scores, 2)?.matmul(v)?)
}
