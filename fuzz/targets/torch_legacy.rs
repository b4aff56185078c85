//! Torch's files from before version 1.6.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gan_fuzz::opened(&gan_fuzz::started(
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
    bytes
)));
