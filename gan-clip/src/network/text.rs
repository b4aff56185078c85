//! The text tower.

use gan_core::nn::{LayerNorm, Params};
use gan_core::{Device, Tensor};

use super::config::TowerOptions;
use super::layout::Layout;
use super::linear::take_projection;
use super::transformer::Transformer;
use crate::error::{Error, Result};
use crate::tokenizer::Tokens;

/// A score that leaves nothing of a token's share: `e` to the power of it is 0 in all formats.
const NEVER: f64 = -1e9;

/// A transformer whose tokens see only those before them (Radford et al. 2021, section 2.4).
#[derive(Clone, Debug)]
pub struct TextTower {
    /// `[vocabulary, width]`.
    embedding: Tensor,
    /// `[context, width]`.
    positions: Tensor,
    transformer: Transformer,
    norm: LayerNorm,
    /// `[width, embedding]`.
    projection: Tensor,
}

impl TextTower {
    pub(super) fn new(
        params: &mut Params,
        layout: Layout,
        embedding: usize,
        options: &TowerOptions,
    ) -> Result<Self> {
        let names = layout.names();
        let table = params.take(names.token_embedding, &[None, None])?;
        let width = table.shape()[1];
        let positions = params.take(names.text_positions, &[None, Some(width)])?;
        let transformer = Transformer::new(params, names.text_blocks, layout, width, options)?;
        let norm = LayerNorm::new(params, names.text_norm, Some(width), options.eps)?;
        let projection =
            take_projection(params, names.text_projection, layout, width, Some(embedding))?;
        Ok(TextTower { embedding: table, positions, transformer, norm, projection })
    }

    /// Number of tokens that there are.
    pub fn vocabulary(&self) -> usize {
        self.embedding.shape()[0]
    }

    /// Most tokens of a prompt, with start and end.
    pub fn context(&self) -> usize {
        self.positions.shape()[0]
    }

    /// Number of blocks.
    pub fn layers(&self) -> usize {
        self.transformer.len()
    }

    /// What the last norm makes of all places of the prompts, `[n, t, width]`.
    ///
    /// # Errors
    /// [`Error::Tokens`] for tokens that the network does not have, or more of them than it has places.
    pub fn hidden(&self, tokens: &Tokens) -> Result<Tensor> {
        let rows = self.norm.forward(&self.rows(tokens, tokens.len())?)?;
        Ok(rows.reshape(&[tokens.count(), tokens.len(), self.positions.shape()[1]])?)
    }

    /// Embeddings `[n, embedding]`: what the last norm makes of the place of each prompt's end.
    pub(super) fn forward(&self, tokens: &Tokens) -> Result<Tensor> {
        let ends: Vec<usize> = tokens.ends().collect();
        // No token sees a later one: what comes after the last end needs not be computed.
        let t = ends.iter().max().map_or(1, |end| end + 1);
        let places: Vec<usize> = ends.iter().enumerate().map(|(i, end)| i * t + end).collect();
        let rows = self.rows(tokens, t)?.gather(0, &places)?;
        Ok(self.norm.forward(&rows)?.matmul(&self.projection)?)
    }

    /// What the last block makes of the first `t` places of each prompt, `[n * t, width]`.
    fn rows(&self, tokens: &Tokens, t: usize) -> Result<Tensor> {
        let [context, width] = [self.context(), self.positions.shape()[1]];
        if t > context {
            let (expected, found) = (format!("at most {context} a prompt"), t.to_string());
            return Err(Error::Tokens { expected, found });
        }
        let ids: Vec<usize> =
            tokens.rows().flat_map(|row| row[..t].iter().map(|&id| id as usize)).collect();
        if let Some(id) = ids.iter().find(|&&id| id >= self.vocabulary()) {
            let expected = format!("ids below {}, the size of the vocabulary", self.vocabulary());
            return Err(Error::Tokens { expected, found: id.to_string() });
        }
        let n = tokens.count();
        let x = self.embedding.gather(0, &ids)?.reshape(&[n, t, width])?;
        let x = x.add(&self.positions.slice(0, 0, t)?)?.reshape(&[n * t, width])?;
        self.transformer.forward(&x, n, Some(&causal(t, x.device())?))
    }
}

/// `[1, t, t]`: what is added to the score of each token's (rows) attention to each (columns).
fn causal(t: usize, device: &Device) -> Result<Tensor> {
    let mask = (0..t * t).map(|i| if i % t > i / t { NEVER } else { 0.0 });
    Ok(Tensor::from_vec(mask.collect::<Vec<f64>>(), &[1, t, t], device)?)
}
