//! One golden file: settings, inputs, weights and what must come out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::nn::Params;
use gan_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::array::{HostArray, Values};
use super::clip::expected_of_text;
use super::error::{Error, Result};
use super::settings::Settings;

/// Far above any golden file.
const MAX_FILE: u64 = 1 << 30;

/// A golden file in memory.
#[derive(Debug)]
pub struct Case {
    /// What is checked, as `area/what`.
    pub kind: String,
    /// Its short name.
    pub name: String,
    /// Its hyper-parameters.
    pub settings: Settings,
    /// Largest relative error.
    tolerance: f64,
    /// The same for tensors with `grad` in their name, where that differs.
    tolerance_grad: Option<f64>,
    folder: PathBuf,
    tensors: BTreeMap<String, HostArray>,
}

impl Case {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`] for bytes that are no safetensors file, [`Error::NotACase`] for a file without
    /// kind, settings or tolerance.
    pub fn open(path: &Path) -> Result<Case> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let len = fs::metadata(path).map_err(io)?.len();
        if len > MAX_FILE {
            return Err(Error::NotACase(format!("{len} bytes are more than any case has")));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if path.extension().is_some_and(|e| e == "json") {
            return Case::of_texts(&fs::read_to_string(path).map_err(io)?, folder);
        }
        Case::parse(&fs::read(path).map_err(io)?, folder)
    }

    /// A JSON object with a list `cases` of texts.
    fn of_texts(json: &str, folder: PathBuf) -> Result<Case> {
        let settings = Settings::parse(json)?;
        if settings.list("cases").is_err() {
            return Err(Error::NotACase("it has no list of `cases`".into()));
        }
        let mut tensors = BTreeMap::new();
        for (i, entry) in settings.sections("cases")?.iter().enumerate() {
            for (name, array) in expected_of_text(entry)? {
                tensors.insert(format!("out.{i}.{name}"), array);
            }
        }
        Ok(Case {
            kind: settings.text("kind").unwrap_or("clip/tokenizer").to_owned(),
            name: settings.text("case").unwrap_or_default().to_owned(),
            tolerance: settings.number_or("tolerance", 0.0)?,
            tolerance_grad: None,
            settings,
            folder,
            tensors,
        })
    }

    fn parse(bytes: &[u8], folder: PathBuf) -> Result<Case> {
        let format = |e: safetensors::SafeTensorError| Error::Format(e.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let strings = header.metadata().clone().unwrap_or_default();
        let required = |key: &str| {
            strings.get(key).ok_or_else(|| Error::NotACase(format!("its metadata have no `{key}`")))
        };
        let kind = required("kind")?.clone();
        let settings = Settings::parse(required("params")?)?;
        let tolerance = tolerance("tolerance", required("tolerance")?)?;
        let tolerance_grad = strings.get("tolerance_grad");
        let tolerance_grad = tolerance_grad.map(|text| self::tolerance("tolerance_grad", text));

        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let read = |(name, view): (String, _)| match HostArray::read(&view) {
            Some(array) => Ok((name, array)),
            None => {
                Err(Error::tensor(name, "f32, f64, i32, i64, u8 or bool", view.dtype().to_string()))
            }
        };
        let tensors = file.tensors().into_iter().map(read).collect::<Result<_>>()?;
        Ok(Case {
            kind,
            name: strings.get("case").cloned().unwrap_or_default(),
            settings,
            tolerance,
            tolerance_grad: tolerance_grad.transpose()?,
            folder,
            tensors,
        })
    }

    /// What must come out, by name without the `out.`.
    pub fn expected(&self) -> impl Iterator<Item = (&str, &HostArray)> {
        self.tensors.iter().filter_map(|(name, array)| Some((name.strip_prefix("out.")?, array)))
    }

    /// Whether something of that name must come out.
    pub fn expects(&self, name: &str) -> bool {
        self.has(&format!("out.{name}"))
    }

    /// Largest error that the result of that name may have.
    pub fn tolerance_of(&self, name: &str) -> f64 {
        match self.tolerance_grad {
            Some(tolerance) if name.contains("grad") => tolerance,
            _ => self.tolerance,
        }
    }

    /// The tensor of that full name, such as `in.x`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if there is none.
    pub fn array(&self, name: &str) -> Result<&HostArray> {
        self.tensors.get(name).ok_or_else(|| Error::tensor(name, "a tensor", "nothing"))
    }

    /// As [`Case::array`], as an array of `ndarray`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if there is none or it is not of floating-point numbers.
    pub fn floats(&self, name: &str) -> Result<ndarray::ArrayD<f64>> {
        let array = self.array(name)?;
        array.to_ndarray().ok_or_else(|| Error::tensor(name, "floats", array.describe()))
    }

    /// As [`Case::array`], as indices.
    ///
    /// # Errors
    /// [`Error::Tensor`] if there is none or it is not of whole numbers from 0.
    pub fn indices(&self, name: &str) -> Result<Vec<usize>> {
        let array = self.array(name)?;
        let wrong = || Error::tensor(name, "whole numbers from 0", array.describe());
        let Values::Integers(values) = &array.values else { return Err(wrong()) };
        values.iter().map(|&v| usize::try_from(v).map_err(|_| wrong())).collect()
    }

    /// The names of all inputs, without the `in.`.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().filter_map(|name| name.strip_prefix("in."))
    }

    /// Whether there is a tensor of that full name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The input of that name (without the `in.`), on a device.
    ///
    /// # Errors
    /// [`Error::Tensor`] if there is none or it is not of floating-point numbers.
    pub fn input(&self, name: &str, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_array(&self.floats(&format!("in.{name}"))?, device)?)
    }

    /// As [`Case::input`], if the file has it.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is not of floating-point numbers.
    pub fn optional_input(&self, name: &str, device: &Device) -> Result<Option<Tensor>> {
        self.has(&format!("in.{name}")).then(|| self.input(name, device)).transpose()
    }

    /// As [`Case::input`], to differentiate with respect to it.
    ///
    /// # Errors
    /// As [`Case::input`].
    pub fn variable(&self, name: &str, device: &Device) -> Result<Tensor> {
        Ok(self.input(name, device)?.var())
    }

    /// As [`Case::variable`], if the file has it.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is not of floating-point numbers.
    pub fn optional_variable(&self, name: &str, device: &Device) -> Result<Option<Tensor>> {
        Ok(self.optional_input(name, device)?.map(|tensor| tensor.var()))
    }

    /// The weights under their checkpoint names.
    ///
    /// # Errors
    /// [`Error::Tensor`] if one is not of floating-point numbers.
    pub fn weights(&self) -> Result<StateDict> {
        let mut dict = StateDict::default();
        for (full, array) in &self.tensors {
            let Some(name) = full.strip_prefix("weights.") else { continue };
            let wrong = || Error::tensor(full, "floats", array.describe());
            let data = array.as_floats().ok_or_else(wrong)?.iter().map(|&x| x as f32).collect();
            dict.insert(name, HostTensor { shape: array.shape.clone(), data })?;
        }
        Ok(dict)
    }

    /// The weights on a device, with `prefix` before their names.
    ///
    /// Those whose gradient is asked for become variables; they are returned as well, as `param.<name>`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if one is not of floating-point numbers.
    pub fn params(&self, prefix: &str, device: &Device) -> Result<(Params, Vec<(String, Tensor)>)> {
        let mut params = Params::default();
        let mut variables = Vec::new();
        for (name, host) in self.weights()?.iter() {
            let mut tensor = Tensor::new(&host.data, &host.shape, device)?;
            let leaf = format!("param.{name}");
            let gradients = ["grad_", "grad_gp_", "r1_grad_"];
            if gradients.iter().any(|prefix| self.expects(&format!("{prefix}{leaf}"))) {
                tensor = tensor.var();
                variables.push((leaf, tensor.clone()));
            }
            params.insert(format!("{prefix}{name}"), tensor);
        }
        Ok((params, variables))
    }

    /// The path of a file beside this one.
    ///
    /// # Errors
    /// [`Error::Setting`] if the name has folders in it.
    pub fn neighbour(&self, name: &str) -> Result<PathBuf> {
        if Path::new(name).file_name().is_none_or(|n| n != name) {
            let (expected, found) = ("the name of a file beside this one", name.to_owned());
            return Err(Error::Setting { name: "file".into(), expected, found });
        }
        Ok(self.folder.join(name))
    }
}

fn tolerance(key: &str, text: &str) -> Result<f64> {
    let number = text.trim().parse::<f64>().ok().filter(|t| t.is_finite() && *t >= 0.0);
    number.ok_or_else(|| Error::NotACase(format!("its `{key}` is {text:?}, not a number")))
}
