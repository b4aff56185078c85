//! Torch's zip files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gan_fuzz::opened(&gan_fuzz::started(
    b"PK\x03\x04",
    bytes
)));
