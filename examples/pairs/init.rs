//! First weights of a CLIP.

use std::f64::consts::SQRT_2;

use gan_clip::CONTEXT;
use gan_core::nn::Params;
use gan_core::{Device, Philox, Result, Tensor};
use serde_json::{Value, json};

use super::words::TABLE;

/// Features of a head of attention.
const HEAD: usize = 32;
/// Pixels of a side of a patch.
const PATCH: usize = 8;

/// How large a network is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Pixels of a side of the images, a multiple of 8.
    pub side: usize,
    /// Features and blocks of the image tower; features come in multiples of 32.
    pub image: [usize; 2],
    /// The same of the text tower.
    pub text: [usize; 2],
    /// Length of the vectors.
    pub embedding: usize,
}

impl Size {
    /// What Hugging Face calls `config.json`, for `vocabulary` tokens.
    pub fn config(&self, vocabulary: usize) -> Value {
        let tower = |[width, layers]: [usize; 2]| {
            json!({
                "hidden_act": "quick_gelu",
                "hidden_size": width,
                "intermediate_size": 4 * width,
                "layer_norm_eps": 1e-5,
                "num_attention_heads": width / HEAD,
                "num_hidden_layers": layers,
                "projection_dim": self.embedding,
            })
        };
        let (mut vision, mut text) = (tower(self.image), tower(self.text));
        vision["image_size"] = self.side.into();
        vision["patch_size"] = PATCH.into();
        text["max_position_embeddings"] = CONTEXT.into();
        text["vocab_size"] = vocabulary.into();
        text["bos_token_id"] = vocabulary.saturating_sub(2).into();
        text["eos_token_id"] = vocabulary.saturating_sub(1).into();
        json!({
            "model_type": "clip",
            "projection_dim": self.embedding,
            "text_config": text,
            "vision_config": vision,
        })
    }
}

/// Weights as openai/CLIP starts with them (`initialize_parameters` of `clip/model.py`), under the names of Hugging Face.
///
/// # Errors
/// Without the memory.
pub fn initial(size: &Size, vocabulary: usize, seed: u32, device: &Device) -> Result<Params> {
    let mut first = First { params: Params::default(), random: Philox::new(seed.into()), device };
    let [width, layers] = size.image;
    let root = (width as f64).sqrt().recip();
    let patches = (size.side / PATCH).pow(2);
    first.normal("vision_model.embeddings.class_embedding", &[width], root)?;
    let inputs = 3 * PATCH * PATCH;
    let spread = (inputs as f64).sqrt().recip();
    let shape = [width, 3, PATCH, PATCH];
    first.normal("vision_model.embeddings.patch_embedding.weight", &shape, spread)?;
    let places = "vision_model.embeddings.position_embedding.weight";
    first.normal(places, &[1 + patches, width], root)?;
    first.norm("vision_model.pre_layrnorm", width)?;
    first.blocks("vision_model.encoder.layers", width, layers)?;
    first.norm("vision_model.post_layernorm", width)?;
    first.normal("visual_projection.weight", &[size.embedding, width], root)?;

    let [width, layers] = size.text;
    let root = (width as f64).sqrt().recip();
    first.normal(TABLE, &[vocabulary, width], 0.02)?;
    first.normal("text_model.embeddings.position_embedding.weight", &[CONTEXT, width], 0.01)?;
    first.blocks("text_model.encoder.layers", width, layers)?;
    first.norm("text_model.final_layer_norm", width)?;
    first.normal("text_projection.weight", &[size.embedding, width], root)?;
    // A temperature of 0.07.
    first.params.insert("logit_scale", Tensor::full(-(0.07f64.ln()), &[], device)?);
    Ok(first.params)
}

struct First<'a> {
    params: Params,
    random: Philox,
    device: &'a Device,
}

impl First<'_> {
    fn normal(&mut self, name: &str, shape: &[usize], spread: f64) -> Result<()> {
        let values = (0..shape.iter().product()).map(|_| spread as f32 * self.random.normal_f32());
        let tensor = Tensor::from_vec(values.collect::<Vec<f32>>(), shape, self.device)?;
        self.params.insert(name, tensor);
        Ok(())
    }

    fn constant(&mut self, name: String, len: usize, value: f64) -> Result<()> {
        self.params.insert(name, Tensor::full(value, &[len], self.device)?);
        Ok(())
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<()> {
        self.constant(format!("{name}.weight"), width, 1.0)?;
        self.constant(format!("{name}.bias"), width, 0.0)
    }

    fn linear(&mut self, name: &str, [outputs, inputs]: [usize; 2], spread: f64) -> Result<()> {
        self.normal(&format!("{name}.weight"), &[outputs, inputs], spread)?;
        self.constant(format!("{name}.bias"), outputs, 0.0)
    }

    /// What is added to the sum of all blocks starts the smaller, the more of them there are.
    fn blocks(&mut self, name: &str, width: usize, layers: usize) -> Result<()> {
        let root = (width as f64).sqrt().recip();
        let added = root / (2.0 * layers as f64).sqrt();
        for i in 0..layers {
            let block = format!("{name}.{i}");
            self.norm(&format!("{block}.layer_norm1"), width)?;
            self.norm(&format!("{block}.layer_norm2"), width)?;
            for part in ["q_proj", "k_proj", "v_proj"] {
                self.linear(&format!("{block}.self_attn.{part}"), [width, width], root)?;
            }
            self.linear(&format!("{block}.self_attn.out_proj"), [width, width], added)?;
            self.linear(&format!("{block}.mlp.fc1"), [4 * width, width], root / SQRT_2)?;
            self.linear(&format!("{block}.mlp.fc2"), [width, 4 * width], added)?;
        }
        Ok(())
    }
}
