//! Builds the stand-in driver and lets tests load it.

use std::ffi::{CString, OsStr};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// `libcuda.so.1` of the emulator, built once a test program if its sources are newer; `None`, having said why, where
/// it cannot be built.
pub fn driver_path() -> Option<&'static Path> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gan-cuda-emul");
        let driver = folder.join("libcuda.so.1");
        if is_older(&driver) {
            build(&folder, &sources("kernels"), &[])?;
        }
        Some(driver)
    })
    .as_deref()
}

/// Makes the stand-in driver the one that this process finds under the name `libcuda.so.1`. `None`, having said why,
/// where it cannot be built: then the test is skipped.
pub fn stand_in() -> Option<&'static Library> {
    static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            let path = driver_path()?;
            // SAFETY: the library was built above; its initialisers only fill the table of kernels.
            Some(
                unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }
                    .expect("the driver loads"),
            )
        })
        .as_ref()
}

/// Sets an option of the stand-in driver (see `emul/README.md`) for the whole process; `None` goes back to the environment.
pub fn set(name: &str, value: Option<&str>) {
    type Set = unsafe extern "C" fn(*const std::ffi::c_char, *const std::ffi::c_char) -> i32;
    let library = stand_in().expect("a driver");
    let (name, value) =
        (CString::new(name).expect("no zero"), value.map(|v| CString::new(v).expect("no zero")));
    // SAFETY: the signature is that of emul/driver.cpp, and both strings outlive the call.
    unsafe {
        let set = library.get::<Set>(b"gan_emul_set").expect("symbol");
        set(name.as_ptr(), value.as_ref().map_or(std::ptr::null(), |v| v.as_ptr()));
    }
}

/// Launches so far of a kernel, by its full name.
pub fn launches(kernel: &str) -> u64 {
    type Launches = unsafe extern "C" fn(*const std::ffi::c_char) -> u64;
    let kernel = CString::new(kernel).expect("no zero");
    // SAFETY: the signature is that of emul/driver.cpp, and the string outlives the call.
    unsafe {
        let launches =
            stand_in().expect("a driver").get::<Launches>(b"gan_emul_launches").expect("symbol");
        launches(kernel.as_ptr())
    }
}

/// Builds a driver from the kernels in a folder, with further flags for the compiler. `None`, having said why, if there is
/// no compiler; sources that do not compile are a failure.
pub fn build(folder: &Path, kernels: &Path, flags: &[&str]) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") || !present("g++") || !present("bash") {
        // Not by `eprintln`, of which the harness shows nothing where tests pass.
        let said = writeln!(stderr(), "skipped: the stand-in driver needs Linux, bash and g++");
        said.expect("there is a standard error");
        return None;
    }
    let built = Command::new("bash")
        .arg(sources("emul").join("build.sh"))
        .args([folder, kernels])
        .args(flags)
        .output()
        .expect("bash runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(folder.join("libcuda.so.1"))
}

/// A folder of gan-cuda, whose tests and those of other members share this file.
pub fn sources(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-cuda")).join(name)
}

fn present(program: impl AsRef<OsStr>) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
}

fn is_older(driver: &Path) -> bool {
    let changed =
        |path: &Path| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let newest = ["emul", "kernels"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(sources(folder)).into_iter().flatten().flatten())
        .map(|entry| changed(&entry.path()))
        .max();
    newest > Some(changed(driver))
}
