//! `conformance --device cuda:0` over the stand-in driver: what every network and algorithm makes of a device that they
//! have never heard of. Not a GPU's results.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "../../gan-cuda/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-core/tests/golden");

/// The conformance program's binary, which `cargo test` builds beside this test's folder.
fn conformance() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join("conformance")
}

/// Runs the program where both names of the driver's library are those of the stand-in.
fn run(driver: &Path, device: &str) -> Output {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("stand-in").join(device.replace(':', "-"));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["libcuda.so", "libcuda.so.1"] {
        let _ = std::fs::remove_file(folder.join(name));
        std::os::unix::fs::symlink(driver, folder.join(name)).unwrap();
    }
    let mut command = Command::new(conformance());
    command.args(["--device", device, GOLDEN]).env("LD_LIBRARY_PATH", folder).output().unwrap()
}

#[test]
fn emul_the_golden_set_passes() {
    let Some(driver) = support::driver_path() else { return };
    let Output { status, stdout, stderr } = run(driver, "cuda:0");
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{said}{}", String::from_utf8_lossy(&stderr));
    assert!(said.contains(" on cuda:0\n"), "{said}");
    assert!(said.ends_with(" passed, 0 failed, 0 unsupported\n"), "{said}");
}

#[test]
fn emul_a_gpu_that_is_not_there_is_an_error() {
    let Some(driver) = support::driver_path() else { return };
    let Output { status, stdout, stderr } = run(driver, "cuda:5");
    assert_eq!(status.code(), Some(1));
    assert!(stdout.is_empty());
    assert!(
        stderr.starts_with(b"error: no CUDA device 5: the driver sees 2"),
        "{}",
        String::from_utf8_lossy(&stderr)
    );
}
