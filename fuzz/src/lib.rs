//! What each target does with the bytes that the fuzzer makes.
//!
//! ```sh
//! cargo install cargo-fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz pickle fuzz/corpus/pickle fuzz/seeds/pickle -- \
//!     -dict=fuzz/names.dict -max_total_time=600 -rss_limit_mb=2048 -timeout=20
//! ```
//!
//! Targets are `safetensors`, `torch_zip`, `torch_legacy`, `torchscript`, `pickle`, `npy` and `npz`. With `-s none` after `run`,
//! AddressSanitizer stays out: nothing that is fuzzed here is `unsafe`.

use gan_core::checkpoint::{self, NumberFormat};
use gan_core::models::AnyGenerator;
use gan_core::{Device, PgGanDiscriminator, StyleGan2Discriminator, StyleGanDiscriminator};

/// The bytes with the start that makes them a file of this kind.
pub fn started(magic: &[u8], bytes: &[u8]) -> Vec<u8> {
    let rest = bytes.get(magic.len()..).unwrap_or_default();
    [magic, rest].concat()
}

/// Opens a file and reads all of it, as a generator too. Whatever it holds, the results are values and typed errors:
/// a panic, a hang and memory beyond the limit are what the fuzzer looks for.
pub fn opened(bytes: &[u8]) {
    let found = match checkpoint::from_bytes(bytes.to_vec(), "fuzzed") {
        Ok(found) => found,
        Err(error) => {
            assert!(error.to_string().len() < 10_000);
            return;
        }
    };
    assert!(found.to_string().len() < 10_000);
    let dict = found.tensors;
    let cpu = Device::cpu();
    AnyGenerator::from_state_dict(dict.clone(), &cpu).ok();
    StyleGan2Discriminator::from_state_dict(dict.clone(), &Default::default(), &cpu).ok();
    StyleGanDiscriminator::from_state_dict(dict.clone(), &Default::default(), &cpu).ok();
    PgGanDiscriminator::from_state_dict(dict.clone(), &Default::default(), &cpu).ok();
    dict.non_finite();
    let decoded: usize = dict.iter().map(|(_, tensor)| tensor.data.len()).sum();
    let stored = |name| dict.number_format(name).map_or(0, NumberFormat::size);
    assert!(dict.names().all(|name| stored(name) > 0));
    // What a decoder may make of a file: see the limits of inflated archives and of shared storages.
    assert!(decoded <= 16 * bytes.len() + (20 << 20), "{decoded} numbers of {} bytes", bytes.len());
}
