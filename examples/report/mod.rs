//! One table about a generator and the networks that judge it.

mod generator;
mod networks;
mod table;

pub use generator::{Judged, distances, shares};
pub use networks::{Shipped, classifier, identity, segmenter, zero_shot};
pub use table::{Section, Table};
