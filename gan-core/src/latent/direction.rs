//! Directions of latent spaces.

use std::marker::PhantomData;

use crate::error::{Error, Result};
use crate::layers::Layers;

/// A direction in the space `S` ([`Z`](crate::Z) or [`W`](crate::W)) that changes one thing about an image.
///
/// Its length is its unit of strength: a unit vector moves by the strength itself.
#[derive(Clone, Debug)]
pub struct Direction<S> {
    vector: Vec<f32>,
    layers: Layers,
    origin: String,
    space: PhantomData<fn() -> S>,
}

impl<S> Direction<S> {
    /// A direction for the given layers; `origin` says where it comes from, for labels and records.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is zero or not finite.
    pub fn new(vector: Vec<f32>, layers: Layers, origin: impl Into<String>) -> Result<Self> {
        let usable = vector.iter().all(|v| v.is_finite()) && vector.iter().any(|&v| v != 0.0);
        if !usable {
            let found = "one that is zero, empty or not finite";
            return Err(Error::argument("direction", "a finite vector that is not zero", found));
        }
        Ok(Direction { vector, layers, origin: origin.into(), space: PhantomData })
    }

    /// Its components.
    pub fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// The layers that it moves.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Where it comes from, such as `sefa 0-1 #2`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn check_len(&self, dim: usize) -> Result<()> {
        if self.vector.len() != dim {
            return Err(Error::Latent {
                what: "direction",
                expected: format!("{dim} components"),
                found: format!(
                    "{} ({}, found on another network?)",
                    self.vector.len(),
                    self.origin
                ),
            });
        }
        Ok(())
    }

    pub(super) fn scaled(&self, strength: f64, what: &'static str) -> Result<Vec<f32>> {
        if !strength.is_finite() {
            return Err(Error::argument(what, "a finite number", strength));
        }
        Ok(self.vector.iter().map(|&v| (f64::from(v) * strength) as f32).collect())
    }
}

/// Codes that directions of the space `S` move.
pub trait Editable<S>: Sized {
    /// Moved by `strength` along a direction, in its layers where there are several.
    ///
    /// # Errors
    /// [`Error::Latent`] for a direction of another length, [`Error::Argument`] for layers that do not exist or a strength
    /// that is not finite.
    fn shifted(&self, direction: &Direction<S>, strength: f64) -> Result<Self>;
}
