//! The hyper-parameters of a case.

use gan_core::Noise;
use gan_core::nn::Padding;
use serde_json::Value;

use super::error::{Error, Result};

/// A JSON object of named settings. One that is `null` counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Settings(Value);

impl Settings {
    /// Reads the JSON text of an object.
    ///
    /// # Errors
    /// [`Error::NotACase`] if it is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Settings(value)),
            Ok(_) => Err(Error::NotACase("its `params` are not a JSON object".into())),
            Err(e) => Err(Error::NotACase(format!("its `params` are not JSON: {e}"))),
        }
    }

    /// The value of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// Whether the setting is there and `null`, which some functions tell from one that is absent.
    pub fn is_null(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    /// The object of that name; an empty one if there is none.
    pub fn section(&self, name: &str) -> Settings {
        Settings(self.get(name).cloned().unwrap_or_default())
    }

    /// The list of that name.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is none.
    pub fn list(&self, name: &str) -> Result<&[Value]> {
        match self.get(name) {
            Some(Value::Array(list)) => Ok(list),
            found => Err(wrong(name, "a list", found)),
        }
    }

    /// The objects of the list of that name.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is none.
    pub fn sections(&self, name: &str) -> Result<Vec<Settings>> {
        Ok(self.list(name)?.iter().cloned().map(Settings).collect())
    }

    /// A list of whole numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is missing or anything else.
    pub fn counts(&self, name: &str) -> Result<Vec<usize>> {
        let list = self.list(name)?;
        list.iter().map(|v| count(v).ok_or_else(|| wrong(name, "whole numbers", Some(v)))).collect()
    }

    /// A text.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is missing or anything else.
    pub fn text(&self, name: &str) -> Result<&str> {
        let found = self.get(name);
        found.and_then(Value::as_str).ok_or_else(|| wrong(name, "a text", found))
    }

    /// A number, if the setting is there.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.optional(name, "a number", Value::as_f64)
    }

    /// A number or its default.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn number_or(&self, name: &str, default: f64) -> Result<f64> {
        Ok(self.number(name)?.unwrap_or(default))
    }

    /// A whole number, if the setting is there.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn count(&self, name: &str) -> Result<Option<usize>> {
        self.optional(name, "a whole number", count)
    }

    /// A whole number or its default.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn count_or(&self, name: &str, default: usize) -> Result<usize> {
        Ok(self.count(name)?.unwrap_or(default))
    }

    /// Yes or no, or its default.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn flag_or(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.optional(name, "true or false", Value::as_bool)?.unwrap_or(default))
    }

    /// A factor in y and x, 1 by default; written as one number for both or as `[x, y]`.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn factor_yx(&self, name: &str) -> Result<[usize; 2]> {
        let read = |v: &Value| match v {
            Value::Array(xy) => match xy.as_slice() {
                [x, y] => Some([count(y)?, count(x)?]),
                _ => None,
            },
            both => count(both).map(|n| [n, n]),
        };
        let factor = self.optional(name, "a whole number or [x, y]", read)?;
        Ok(factor.unwrap_or([1, 1]))
    }

    /// Padding in y, then in x, none by default; written as one number, `[x, y]` or `[x0, x1, y0, y1]`.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is anything else.
    pub fn padding_yx(&self, name: &str) -> Result<Padding> {
        let pixels = |v: &Value| v.as_i64().and_then(|n| isize::try_from(n).ok());
        let read = |v: &Value| match v {
            Value::Array(list) => {
                let list: Vec<isize> = list.iter().map(pixels).collect::<Option<_>>()?;
                match *list.as_slice() {
                    [x, y] => Some([[y, y], [x, x]]),
                    [x0, x1, y0, y1] => Some([[y0, y1], [x0, x1]]),
                    _ => None,
                }
            }
            all => pixels(all).map(|n| [[n, n], [n, n]]),
        };
        let padding = self.optional(name, "a number, [x, y] or [x0, x1, y0, y1]", read)?;
        Ok(padding.unwrap_or_default())
    }

    /// `noise_mode`: the stored maps, which are the default, or none.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for random noise, which no file can foretell.
    pub fn noise(&self) -> Result<Noise<'static>> {
        match self.get("noise_mode").map(|mode| mode.as_str().unwrap_or_default()) {
            None | Some("const") => Ok(Noise::Const),
            Some("none") => Ok(Noise::None),
            Some(mode) => Err(Error::Unsupported(format!("noise mode `{mode}`"))),
        }
    }

    fn optional<'a, T>(
        &'a self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let found = self.get(name);
        found.map(|v| read(v).ok_or_else(|| wrong(name, expected, Some(v)))).transpose()
    }
}

fn count(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}

fn wrong(name: &str, expected: &'static str, found: Option<&Value>) -> Error {
    let found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
    Error::Setting { name: name.to_owned(), expected, found }
}
