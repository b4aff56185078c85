//! What the examples share.

#[path = "conformance/mod.rs"]
pub mod conformance;
pub mod device;
pub mod inspect;
pub mod model;
#[path = "pairs/mod.rs"]
pub mod pairs;
pub mod program;
#[path = "recognition/mod.rs"]
pub mod recognition;
#[path = "report/mod.rs"]
pub mod report;
#[path = "training/mod.rs"]
pub mod training;
#[path = "world/mod.rs"]
pub mod world;
