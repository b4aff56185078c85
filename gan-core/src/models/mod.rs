//! The networks, a folder each, and what some of them share.

pub mod biggan;
mod lod;
mod mapping;
mod noise;
pub mod pggan;
pub mod stylegan;
pub mod stylegan2;
