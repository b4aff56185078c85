//! Latent codes. Each space is a type of its own, so that a direction of one cannot move a code of another.

mod codes;
mod direction;
mod inputs;
mod styles;
mod z_plus;

pub use codes::{W, WPlus, Z};
pub use direction::{Direction, Editable};
pub use inputs::{Labels, Noise, Truncation};
pub use styles::{StyleEntry, StyleKind, Styles};
pub use z_plus::{ZPlus, ZTruncation};
