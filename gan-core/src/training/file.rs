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
