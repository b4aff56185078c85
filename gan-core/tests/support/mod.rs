//! What several tests share; none uses all of it.

#![allow(clippy::unwrap_used, dead_code, unused_imports, unused_macros)]

use std::fmt::Debug;

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::{Error, Result};
use safetensors::SafeTensors;

/// The weights in a golden file, such as `biggan/biggan_deep_res32`. Some of these files have whole numbers beside them,
/// which a checkpoint must not have.
pub(crate) fn golden_weights(name: &str) -> StateDict {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let bytes = std::fs::read(format!("{folder}/{name}.safetensors")).unwrap();
    let mut dict = StateDict::default();
    for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
        if let Some(name) = name.strip_prefix("weights.") {
            let data = view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
            dict.insert(name, HostTensor { shape: view.shape().to_vec(), data }).unwrap();
        }
    }
    dict
}

/// A dict with other names.
pub(crate) fn renamed(dict: &StateDict, rename: impl Fn(&str) -> String) -> StateDict {
    let mut other = StateDict::default();
    for (name, tensor) in dict.iter() {
        other.insert(rename(name), tensor.clone()).unwrap();
    }
    other
}

/// A network's tensors with one of them changed.
pub(crate) fn changed(
    dict: &StateDict,
    name: &str,
    change: impl FnOnce(&mut HostTensor),
) -> StateDict {
    let mut dict = dict.clone();
    let mut tensor = dict.take(name).unwrap();
    change(&mut tensor);
    dict.insert(name, tensor).unwrap();
    dict
}

/// The error, whose message must hold all of `parts`.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T>, parts: &[&str]) -> Error {
    let error = result.unwrap_err();
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}

/// As [`refused`], and the error is of that variant.
macro_rules! assert_refused {
    ($result:expr, $variant:pat, $($part:expr),* $(,)?) => {{
        let error = $crate::support::refused($result, &[$($part),*]);
        assert!(matches!(error, $variant), "{error:?}");
    }};
}
pub(crate) use assert_refused;
