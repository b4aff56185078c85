//! Pickles by themselves.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gan_fuzz::opened(&gan_fuzz::started(b"\x80", bytes)));
