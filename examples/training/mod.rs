//! What a training program needs beside the trainer: pictures, a log and its plot.

mod log;
mod pictures;
mod plot;
mod text;

pub use log::Log;
pub use pictures::Pictures;
pub use plot::plot;
