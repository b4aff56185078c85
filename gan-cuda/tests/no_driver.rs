//! A machine without a usable driver gets a typed error, whatever it has instead of one.
//!
//! The first test runs on every machine and takes what it finds; the other makes a library of the driver's name that is
//! none, which only a process of its own can be given.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use gan_cuda::Error;

/// What children are told by.
const CHILD: &str = "GAN_CUDA_TEST_CHILD";

#[test]
fn a_device_or_a_typed_error() {
    for index in [0, 1, usize::MAX] {
        match gan_cuda::device(index) {
            Ok(device) => assert_eq!(device.name(), format!("cuda:{index}")),
            Err(error) => {
                let message = error.to_string();
                let expected = matches!(
                    error,
                    Error::NoLibrary { .. }
                        | Error::MissingSymbol { .. }
                        | Error::OldDriver { .. }
                        | Error::NoDevice { .. }
                        | Error::OldDevice { .. }
                        | Error::Driver { .. }
                );
                assert!(expected, "{error:?}");
                // Inside of gan-core's error it keeps its words and its type.
                let inner: gan_core::Error = error.into();
                assert!(inner.to_string().ends_with(&message), "{inner}");
                let source = std::error::Error::source(&inner).unwrap();
                assert!(source.downcast_ref::<Error>().is_some());
            }
        }
    }
}

/// A stand-in for what some containers have: `libcuda.so.1` by name, but not a function of the driver in it.
#[test]
#[cfg(target_os = "linux")]
fn a_stub_library_is_a_typed_error() {
    if std::env::var_os(CHILD).is_some() {
        println!("child: {:?}", gan_cuda::device(0).map(|d| d.name().to_owned()));
        return;
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let loaded = |line: &str| line.split_whitespace().last().map(str::to_owned);
    let library = maps.lines().filter_map(loaded).find(|path| path.contains("libgcc_s.so"));
    let Some(library) = library else {
        eprintln!("skipped: no library to pass for a driver");
        return;
    };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("stub");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["libcuda.so", "libcuda.so.1"] {
        std::fs::copy(&library, folder.join(name)).unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_stub_library_is_a_typed_error", "--nocapture"])
        .env(CHILD, "1")
        .env("LD_LIBRARY_PATH", &folder)
        .output();
    let Output { status, stdout, .. } = child.unwrap();
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{said}");
    assert!(said.contains("child: Err(MissingSymbol { library: \"libcuda.so\""), "{said}");
}
