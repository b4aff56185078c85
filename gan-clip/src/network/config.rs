//! What tensors do not tell.

use gan_core::Tensor;
use gan_core::nn::{gelu, quick_gelu};
use serde_json::Value;

use crate::error::{Error, Result};

/// The activation between the two layers of a transformer's perceptron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gelu {
    /// `x * sigmoid(1.702 x)`: OpenAI's networks.
    #[default]
    Quick,
    /// The function itself: most of OpenCLIP's.
    Exact,
}

impl Gelu {
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Gelu::Quick => quick_gelu(x)?,
            Gelu::Exact => gelu(x)?,
        })
    }
}

/// What the tensors of a tower do not tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TowerOptions {
    /// Heads of attention. By default one for every 64 features, as in all networks of OpenAI, but at least one.
    pub heads: Option<usize>,
    /// The activation.
    pub activation: Gelu,
    /// Added to the variances of layer normalisation.
    pub eps: f64,
}

impl Default for TowerOptions {
    fn default() -> Self {
        TowerOptions { heads: None, activation: Gelu::Quick, eps: 1e-5 }
    }
}

impl TowerOptions {
    /// The number of heads of so many features.
    pub(super) fn heads(&self, width: usize) -> Result<usize> {
        let heads = self.heads.unwrap_or((width / 64).max(1));
        if heads == 0 || !width.is_multiple_of(heads) {
            let expected = format!("a divisor of {width}, the number of features");
            return Err(Error::argument("heads", expected, heads));
        }
        Ok(heads)
    }
}

/// What the tensors of a network do not tell; the default fits OpenAI's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Of the image tower.
    pub image: TowerOptions,
    /// Of the text tower.
    pub text: TowerOptions,
}

impl Options {
    /// One activation for both towers.
    pub fn with_activation(mut self, activation: Gelu) -> Self {
        self.image.activation = activation;
        self.text.activation = activation;
        self
    }

    /// From the text of a `config.json` as `CLIPModel` of transformers has it; what it leaves out has the values of that code.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is no such object, or asks for an activation that CLIP networks do not have.
    pub fn from_config(json: &str) -> Result<Self> {
        let wrong =
            |found: String| Error::argument("config", "the JSON object of a CLIPModel", found);
        let config: Value = serde_json::from_str(json).map_err(|e| wrong(e.to_string()))?;
        if !config.is_object() {
            return Err(wrong("something else".into()));
        }
        Ok(Options {
            image: tower(&config["vision_config"], 12)?,
            text: tower(&config["text_config"], 8)?,
        })
    }
}

fn tower(config: &Value, default_heads: usize) -> Result<TowerOptions> {
    let heads = match &config["num_attention_heads"] {
        Value::Null => default_heads,
        number => number.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| {
            Error::argument("config num_attention_heads", "a whole number", number)
        })?,
    };
    let activation = match &config["hidden_act"] {
        Value::Null => Gelu::Quick,
        Value::String(name) if name == "quick_gelu" => Gelu::Quick,
        Value::String(name) if name == "gelu" => Gelu::Exact,
        other => return Err(Error::argument("config hidden_act", "quick_gelu or gelu", other)),
    };
    let eps = match &config["layer_norm_eps"] {
        Value::Null => 1e-5,
        number => number
            .as_f64()
            .ok_or_else(|| Error::argument("config layer_norm_eps", "a number", number))?,
    };
    Ok(TowerOptions { heads: Some(heads), activation, eps })
}
