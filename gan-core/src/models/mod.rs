//! The networks, a folder each.

pub mod stylegan2;
