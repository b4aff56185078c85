//! Conformance: the library against the outputs of the original implementations.
//!
//! A golden file is a safetensors file whose metadata name a `kind` ("area/what") and whose tensors are inputs, weights
//! and expected results; or a JSON file of texts and what comes of them. There is one file an area here, with one function a kind, which computes the results; the rest
//! reads, compares and reports. A result that a function does not compute is a failure.

mod array;
mod biggan;
mod case;
mod checkpoints;
mod clip;
mod discriminators;
mod eigen;
mod error;
mod formula;
mod gradients;
mod inception;
mod metrics;
mod outputs;
mod pggan;
mod portraits;
mod random;
mod report;
mod sefa;
mod settings;
mod stylegan1;
mod stylegan2_discriminator;
mod stylegan2_networks;
mod stylegan2_operators;
mod stylegan2_path;
mod stylegan2_rosinality;
mod stylegan2_training;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use gan_core::Device;

pub use array::{HostArray, Values};
pub use case::Case;
pub use error::{Error, Result};
pub use outputs::{Output, Outputs};
pub use report::{Comparison, FileReport, Summary, Verdict, compare};
pub use settings::Settings;

/// Computes the results of a case on a device.
pub type Check = fn(&Case, &Device) -> Result<Outputs>;

/// The check of a kind. Only the kind decides, never the name of a file or case.
pub fn check_of(kind: &str) -> Option<Check> {
    let (area, what) = kind.split_once('/')?;
    match area {
        "biggan" => biggan::find(what),
        "checkpoints" => checkpoints::find(what),
        "clip" => clip::find(what),
        "metrics" => metrics::find(what),
        "pggan" => pggan::find(what),
        "portraits" => portraits::find(what),
        "random" => random::find(what),
        "sefa" => sefa::find(what),
        "stylegan1" => stylegan1::find(what),
        "stylegan2" => stylegan2_operators::find(what)
            .or_else(|| stylegan2_networks::find(what))
            .or_else(|| stylegan2_discriminator::find(what))
            .or_else(|| stylegan2_rosinality::find(what))
            .or_else(|| stylegan2_training::find(what))
            .or_else(|| stylegan2_path::find(what)),
        _ => None,
    }
}

/// All golden files in and below the given folders, sorted; a path may also be a file itself.
///
/// # Errors
/// [`Error::Io`], and [`Error::NoFiles`] for a folder without any.
pub fn golden_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        collect(path, &mut files)?;
        if files.len() == before {
            return Err(Error::NoFiles(path.clone()));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Links to folders are not followed, as they may lead back.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        if entry.file_type().map_err(io)?.is_dir() {
            collect(&path, files)?;
        } else if path.is_file() && may_be_a_case(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Lists of formulas and cards of models are JSON too, which only the content tells.
fn may_be_a_case(path: &Path) -> bool {
    match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => true,
        Some("json") => matches!(Case::open(path), Ok(_) | Err(Error::Setting { .. })),
        _ => false,
    }
}

/// Checks one file on each device.
pub fn check_file(path: &Path, devices: &[Device]) -> FileReport {
    let (kind, case, verdict) = match Case::open(path) {
        Ok(case) => (case.kind.clone(), case.name.clone(), check_case(&case, devices)),
        Err(error) => (String::new(), String::new(), refusal(&error)),
    };
    FileReport { path: path.to_owned(), kind, case, verdict }
}

/// Checks a case on each device; it passes only if it does on all of them.
pub fn check_case(case: &Case, devices: &[Device]) -> Verdict {
    let Some(check) = check_of(&case.kind) else {
        return Verdict::Unsupported("there is no check for this kind".into());
    };
    let mut comparisons = Vec::new();
    for device in devices {
        // A panic is a fault of the library that must not hide what comes of the other files.
        let outputs = match catch_unwind(AssertUnwindSafe(|| check(case, device))) {
            Ok(Ok(outputs)) => outputs,
            Ok(Err(error)) => return refusal(&error),
            Err(_) => return Verdict::Broken(format!("panic on {}", device.name())),
        };
        comparisons.extend(compare(case, &outputs, device.name()));
    }
    Verdict::of(comparisons)
}

fn refusal(error: &Error) -> Verdict {
    match error {
        Error::Unsupported(_) | Error::NotACase(_) => Verdict::Unsupported(error.to_string()),
        _ => Verdict::Broken(error.to_string()),
    }
}
