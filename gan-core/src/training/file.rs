//! What the files of training states have in common.

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::StateDict;
use crate::error::{Error, Result};

/// Refuses a file that calls itself something else.
pub(super) fn check_format(
    dict: &StateDict,
    format: &str,
    writer: &str,
    path: &Path,
) -> Result<()> {
    if dict.metadata().get("format").map(String::as_str) == Some(format) {
        return Ok(());
    }
    let reason =
        format!("it is no state of a training run of this kind; those are written by {writer}");
    Err(Error::format(path, "training state", reason))
}

pub(super) fn metadata<'a>(dict: &'a StateDict, key: &str, path: &Path) -> Result<&'a str> {
    dict.metadata().get(key).map(String::as_str).ok_or_else(|| {
        Error::format(path, "training state", format!("its metadata has no `{key}`"))
    })
}

pub(super) fn number<T: std::str::FromStr>(dict: &StateDict, key: &str, path: &Path) -> Result<T> {
    let text = metadata(dict, key, path)?;
    text.parse().map_err(|_| {
        let start: String = text.chars().take(40).flat_map(char::escape_default).collect();
        Error::format(path, "training state", format!("`{key}` is no number: {start}"))
    })
}

/// No run has more steps; below, sums and products of counts do not overflow.
const MOST_STEPS: u64 = 1 << 40;

/// A number of steps.
pub(super) fn steps(dict: &StateDict, key: &str, path: &Path) -> Result<u64> {
    let steps = number(dict, key, path)?;
    match steps <= MOST_STEPS {
        true => Ok(steps),
        false => {
            let reason = format!("`{key}` is {steps}, more than the {MOST_STEPS} of any run");
            Err(Error::format(path, "training state", reason))
        }
    }
}

/// What a caller wants to be the same when a run goes on, by name.
pub(super) type Settings = BTreeMap<String, String>;

/// Before these names in the metadata.
const SETTING: &str = "setting.";

pub(super) fn settings(pairs: &[(&str, String)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub(super) fn write_settings(dict: &mut StateDict, settings: &Settings) {
    for (name, value) in settings {
        dict.set_metadata(format!("{SETTING}{name}"), value.as_str());
    }
}

/// Refuses the file of a run of other settings.
pub(super) fn check_settings(dict: &StateDict, settings: &Settings, path: &Path) -> Result<()> {
    for (name, own) in settings {
        let stored = metadata(dict, &format!("{SETTING}{name}"), path)?;
        if stored != own {
            let reason = format!("its {name} is {stored}, that of this run {own}");
            return Err(Error::format(path, "training state", reason));
        }
    }
    Ok(())
}

/// Refuses the first tensor, by name, that is missing, superfluous or of another shape than expected.
pub(super) fn check_tensors(
    dict: &StateDict,
    expected: &BTreeMap<String, Vec<usize>>,
) -> Result<()> {
    let mut names: Vec<&str> = dict.names().chain(expected.keys().map(String::as_str)).collect();
    names.sort_unstable();
    let text = |shape: Option<&[usize]>| {
        shape.map_or("no such tensor".to_owned(), |shape| format!("shape {shape:?}"))
    };
    for name in names {
        let (expected, found) = (expected.get(name).map(Vec::as_slice), dict.shape(name));
        if expected != found {
            let (name, expected, found) = (name.to_owned(), text(expected), text(found));
            return Err(Error::Weights { name, expected, found });
        }
    }
    Ok(())
}
