//! Placeholder so that the manifest parses.
fn main() {}
