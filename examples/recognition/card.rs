//! The card of a trained network: a JSON file beside its weights.

use std::path::Path;
use std::time::Instant;

use gan_core::Result;
use gan_core::training::Learner;
use serde_json::{Map, Value, json};

use crate::program::write;

/// What there is to know about weights.
pub struct Card {
    name: &'static str,
    is: &'static str,
    drawn: bool,
    seed: u32,
    started: Instant,
}

impl Card {
    /// Of a network called `name` that `is` something, trained with a seed; `drawn` if it never sees pictures but those that this program draws.
    pub fn new(name: &'static str, is: &'static str, seed: u32, drawn: bool) -> Self {
        Card { name, is, drawn, seed, started: Instant::now() }
    }

    /// Writes it with numbers of the run, in which the network saw so many `images`, and held-out scores. The minutes are those of the last
    /// call of a run in parts.
    ///
    /// # Errors
    /// [`gan_core::Error::Io`].
    pub fn write(
        &self,
        path: &Path,
        learner: &Learner,
        images: u64,
        held_out: Map<String, Value>,
    ) -> Result<()> {
        let command: Vec<String> = std::env::args().skip(1).collect();
        let minutes = self.started.elapsed().as_secs_f64() / 60.0;
        let parameters: usize = learner.params().iter().map(|(_, tensor)| tensor.numel()).sum();
        let mut card = json!({
            "name": self.name,
            "is": self.is,
            "parameters": parameters,
            "program": format!("train_{} {}", self.name, command.join(" ")),
            "minutes": rounded(minutes),
            "threads": rayon::current_num_threads(),
            "seed": self.seed,
            "steps": learner.steps(),
            "images": images,
            "held_out": held_out,
        });
        if self.drawn {
            card["data"] =
                json!("portraits that the program draws; no real person, no outside data");
            card["licence"] = json!("CC0-1.0");
        }
        write(path, &format!("{card:#}\n"))
    }
}

/// To four digits after the point.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
