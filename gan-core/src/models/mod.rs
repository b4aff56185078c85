//! The networks, a folder each.

pub mod biggan;
pub mod stylegan2;
