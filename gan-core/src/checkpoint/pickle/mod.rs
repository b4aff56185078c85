//! Pickles as data.
//!
//! Python's pickles are programs for a small stack machine that may import and call anything. The machine here knows a
//! list of names ([`globals`]), each of which puts data together; it imports nothing, calls nothing and refuses every
//! other name. Steps, copies and nesting are bounded, so that a file costs no more than it has bytes for.

mod construct;
mod flatten;
mod globals;
mod machine;
mod numpy;
mod opcode;
mod value;

pub(super) use flatten::{SOLE, flatten};
pub(super) use machine::{Budget, Loaded, load};
pub(super) use value::{ElementType, Value};
