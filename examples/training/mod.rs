//! What training programs share: the course of a run, pictures, a log and its plot.
//!
//! A program implements [`Lesson`] for what it trains, flattens [`CourseArgs`] into its flags, and calls [`Course::run`].

mod course;
mod log;
mod pictures;
mod plot;
mod text;

pub use course::{Course, CourseArgs, Lesson, MOST_IMAGES, MOST_RATE};
pub use log::Log;
pub use pictures::Pictures;
pub(crate) use pictures::{digest, pick, read_folder};
pub use plot::plot;
