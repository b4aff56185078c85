//! Whether there is a driver, found out before the first call into it.
//!
//! The bindings look functions up when they are first called and panic where one is missing, so everything that this
//! crate calls is looked up here first.

use libloading::Library;

use crate::error::{Error, Result};

/// Names of the driver's library, in the order in which the bindings try them.
const LIBRARIES: &[&str] =
    if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so", "libcuda.so.1"] };

/// Every function of the driver that this crate calls.
const SYMBOLS: &[&str] = &[
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetDefaultMemPool",
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAllocAsync",
    "cuMemFreeAsync",
    "cuMemGetInfo_v2",
    "cuMemPoolSetAttribute",
    "cuMemPoolTrimTo",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
];

/// Makes sure that the driver's library is there and has all that is called.
pub(crate) fn probe() -> Result<()> {
    probe_for(LIBRARIES, SYMBOLS)
}

fn probe_for(names: &[&'static str], symbols: &[&'static str]) -> Result<()> {
    let open = |name: &&'static str| {
        // SAFETY: loading runs the library's initialisers; that is what using the driver means. It is done once more
        // by the bindings, for the same names in the same order.
        let library = unsafe { Library::new(*name) }.ok()?;
        Some((*name, library))
    };
    let (name, library) =
        names.iter().find_map(open).ok_or_else(|| Error::NoLibrary { tried: names.to_vec() })?;
    // SAFETY: the symbols are only looked for, never called.
    let is_missing = |symbol: &&&str| unsafe { library.get::<*const ()>(**symbol) }.is_err();
    let missing = symbols.iter().find(is_missing);
    // It stays loaded, so that the bindings find the very library that was looked at.
    std::mem::forget(library);
    missing.map_or(Ok(()), |symbol| Err(Error::MissingSymbol { library: name, symbol }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let error = probe_for(&["libgan-none.so", "libgan-none.so.1"], SYMBOLS).unwrap_err();
        assert!(matches!(&error, Error::NoLibrary { tried } if tried.len() == 2), "{error}");
        assert!(error.to_string().contains("libgan-none.so.1"), "{error}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_library_that_is_no_driver_is_named_with_the_first_symbol_that_it_lacks() {
        let error = probe_for(&["libc.so.6"], &["malloc", "cuInit", "cuDeviceGet"]).unwrap_err();
        let named =
            matches!(error, Error::MissingSymbol { library: "libc.so.6", symbol: "cuInit" });
        assert!(named, "{error}");
        assert!(probe_for(&["libc.so.6"], &["malloc", "free"]).is_ok());
    }
}
