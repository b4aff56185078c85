//! The published layouts, told apart by their names.

use std::fmt;

use gan_core::nn::Params;

use crate::error::{Error, Result};

/// Whose names a checkpoint has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `clip/model.py` of openai/CLIP, and OpenCLIP.
    OpenAi,
    /// `CLIPModel` of transformers.
    HuggingFace,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::OpenAi => "OpenAI",
            Layout::HuggingFace => "Hugging Face",
        })
    }
}

/// What the parts are called.
pub(super) struct Names {
    pub(super) class: &'static str,
    pub(super) patches: &'static str,
    pub(super) image_positions: &'static str,
    pub(super) image_input_norm: &'static str,
    pub(super) image_blocks: &'static str,
    pub(super) image_norm: &'static str,
    pub(super) image_projection: &'static str,
    pub(super) token_embedding: &'static str,
    pub(super) text_positions: &'static str,
    pub(super) text_blocks: &'static str,
    pub(super) text_norm: &'static str,
    pub(super) text_projection: &'static str,
    pub(super) norms: [&'static str; 2],
    pub(super) attention: &'static str,
    pub(super) widening: &'static str,
    pub(super) narrowing: &'static str,
}

static OPEN_AI: Names = Names {
    class: "visual.class_embedding",
    patches: "visual.conv1.weight",
    image_positions: "visual.positional_embedding",
    image_input_norm: "visual.ln_pre",
    image_blocks: "visual.transformer.resblocks",
    image_norm: "visual.ln_post",
    image_projection: "visual.proj",
    token_embedding: "token_embedding.weight",
    text_positions: "positional_embedding",
    text_blocks: "transformer.resblocks",
    text_norm: "ln_final",
    text_projection: "text_projection",
    norms: ["ln_1", "ln_2"],
    attention: "attn",
    widening: "mlp.c_fc",
    narrowing: "mlp.c_proj",
};

static HUGGING_FACE: Names = Names {
    class: "vision_model.embeddings.class_embedding",
    patches: "vision_model.embeddings.patch_embedding.weight",
    image_positions: "vision_model.embeddings.position_embedding.weight",
    image_input_norm: "vision_model.pre_layrnorm",
    image_blocks: "vision_model.encoder.layers",
    image_norm: "vision_model.post_layernorm",
    image_projection: "visual_projection.weight",
    token_embedding: "text_model.embeddings.token_embedding.weight",
    text_positions: "text_model.embeddings.position_embedding.weight",
    text_blocks: "text_model.encoder.layers",
    text_norm: "text_model.final_layer_norm",
    text_projection: "text_projection.weight",
    norms: ["layer_norm1", "layer_norm2"],
    attention: "self_attn",
    widening: "mlp.fc1",
    narrowing: "mlp.fc2",
};

impl Layout {
    /// Whose names these are.
    pub(super) fn of(params: &Params) -> Result<Self> {
        let found = || {
            let names: Vec<&str> = params.names().take(5).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let open_ai = params.has_layer("visual");
        let hugging_face = params.has_layer("vision_model");
        match (open_ai, hugging_face) {
            (true, false) => Ok(Layout::OpenAi),
            (false, true) => Ok(Layout::HuggingFace),
            (false, false) => {
                let reason = "there is no image tower (`visual.` or `vision_model.`)".into();
                Err(Error::Layout { reason, found: found() })
            }
            (true, true) => {
                let reason = "there are image towers under the names of two layouts".into();
                Err(Error::Layout { reason, found: found() })
            }
        }
    }

    pub(super) fn names(self) -> &'static Names {
        match self {
            Layout::OpenAi => &OPEN_AI,
            Layout::HuggingFace => &HUGGING_FACE,
        }
    }

    /// Whether projections are stored `[outputs, inputs]`.
    pub(super) fn transposes_projections(self) -> bool {
        self == Layout::HuggingFace
    }

    /// Drops what is stored beside the weights: numbers and index lists that follow from them.
    pub(super) fn drop_buffers(self, params: &mut Params) -> Result<()> {
        let buffers: &[&str] = match self {
            Layout::OpenAi => &[
                "input_resolution",
                "context_length",
                "vocab_size",
                // OpenCLIP's causal mask.
                "attn_mask",
            ],
            Layout::HuggingFace => {
                &["vision_model.embeddings.position_ids", "text_model.embeddings.position_ids"]
            }
        };
        for name in buffers {
            if let Some(rank) = params.get(name).map(|t| t.shape().len()) {
                params.take(name, &vec![None; rank])?;
            }
        }
        Ok(())
    }
}
