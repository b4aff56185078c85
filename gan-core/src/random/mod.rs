//! Random numbers that come out the same everywhere.
//!
//! Two generators, for two purposes: [`numpy`] repeats the numbers behind published seeds, so that seed 85
//! is the face that the papers show; [`philox`] is the one for new work (noise, mixing, training), whose
//! state is a seed and a position. Neither keeps global state.

pub mod numpy;
pub mod philox;

mod box_muller;
mod seeds;
mod truncated;

pub use philox::Philox;
pub use seeds::Seeds;
