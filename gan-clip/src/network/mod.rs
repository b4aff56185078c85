//! The network: two towers that meet in one space.

mod attention_pool;
mod clip;
mod config;
mod layout;
mod linear;
mod resnet;
mod text;
mod transformer;
mod vit;

pub use clip::{Clip, ImageTower, cosine, normalized};
pub use config::{Gelu, Options, TowerOptions};
pub use layout::Layout;
pub use resnet::ModifiedResNet;
pub use text::TextTower;
pub use vit::Vit;
