//! What the library makes of a case.

use std::collections::BTreeMap;

use gan_core::Tensor;

use super::array::HostArray;

/// One result.
#[derive(Clone, Debug)]
pub enum Output {
    /// Values, to be compared with those of the file.
    Array(HostArray),
    /// Something that is not compared value by value, such as eigenvectors, which have no sign: the check has measured
    /// the error itself.
    Judged {
        /// The error.
        error: f64,
        /// The largest one allowed.
        tolerance: f64,
    },
}

/// Results by name, as in the file without the `out.`.
#[derive(Clone, Debug, Default)]
pub struct Outputs(BTreeMap<String, Output>);

impl Outputs {
    /// Adds a tensor.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tensor(&mut self, name: impl Into<String>, tensor: &Tensor) -> gan_core::Result<()> {
        self.array(name, HostArray::floats(tensor.to_vec()?, tensor.shape()));
        Ok(())
    }

    /// Adds an array.
    pub fn array(&mut self, name: impl Into<String>, array: HostArray) {
        self.0.insert(name.into(), Output::Array(array));
    }

    /// Adds a result that the check has compared itself.
    pub fn judged(&mut self, name: impl Into<String>, error: f64, tolerance: f64) {
        self.0.insert(name.into(), Output::Judged { error, tolerance });
    }

    /// The result of that name.
    pub fn get(&self, name: &str) -> Option<&Output> {
        self.0.get(name)
    }
}
