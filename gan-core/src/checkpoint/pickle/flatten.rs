//! From a pickle's values to tensors by name: keys of nested dicts, attributes of modules and places in lists are joined
//! by dots. What is no tensor becomes metadata, if it is small.

use std::path::Path;

use super::value::{Content, Heap, MAX_NAME, Node, Value};
use crate::checkpoint::host_tensor::HostTensor;
use crate::checkpoint::state_dict::{StateDict, weights};
use crate::checkpoint::stored::StoredTensor;
use crate::error::{Error, Result};

/// Name of a tensor that is all that a file holds.
pub(crate) const SOLE: &str = "tensor";

const MAX_VISITS: usize = 1 << 20;
const MAX_DEPTH: usize = 32;
/// Longer lists, such as those of an optimiser, are left out.
const MAX_LIST: usize = 32;
const MAX_METADATA: usize = 1 << 14;
/// What a module says about itself that its tensors do not.
const ATTRIBUTES: [&str; 7] = [
    "activation",
    "architecture",
    "bias_gain",
    "conv_clamp",
    "img_resolution",
    "num_fp16_res",
    "use_noise",
];

/// The tensors of a pickle whose storages have been found, in a file of so many bytes.
pub(crate) fn flatten(
    heap: &Heap,
    root: Value,
    file: usize,
    path: &Path,
    format: &'static str,
) -> Result<StateDict> {
    // Tensors may share storages, but not so many that decoding them costs far more than the file.
    let bytes = file.saturating_mul(4).saturating_add(1 << 20);
    let dict = StateDict::default();
    let mut flat = Flat { heap, dict, visits: MAX_VISITS, bytes, path, format };
    match flat.networks(root) {
        Some(networks) => {
            for (name, network) in ["G", "D", "Gs"].into_iter().zip(networks) {
                flat.visit(name, network, 0)?;
            }
        }
        None => flat.visit("", root, 0)?,
    }
    if let Some(licence) = &heap.licence {
        flat.dict.set_metadata("licence", licence);
    }
    Ok(flat.dict)
}

struct Flat<'a> {
    heap: &'a Heap,
    dict: StateDict,
    /// What is left of them.
    visits: usize,
    bytes: usize,
    path: &'a Path,
    format: &'static str,
}

impl Flat<'_> {
    /// NVIDIA's TensorFlow files are three networks: generator, discriminator, and the generator's running average.
    fn networks(&self, root: Value) -> Option<[Value; 3]> {
        let three: [Value; 3] = self.heap.sequence(root)?.try_into().ok()?;
        let is_network =
            |v: &Value| matches!(self.heap.node(*v), Some(Node::Object { is_network: true, .. }));
        three.iter().all(is_network).then_some(three)
    }

    fn visit(&mut self, name: &str, value: Value, depth: usize) -> Result<()> {
        self.spend(1)?;
        if name.len() > MAX_NAME {
            return Err(self.wrong("a name of more than 1024 bytes"));
        }
        if depth > MAX_DEPTH {
            return Err(self.wrong("values nested too deeply, or in themselves"));
        }
        let heap = self.heap;
        let Some(node) = heap.node(value) else {
            self.note(name, value);
            return Ok(());
        };
        match node {
            Node::Dict(_) => self.dict(name, value, depth),
            Node::Object { is_network: true, state } => self.network(name, *state, depth),
            Node::Object { state, .. } => self.object(name, *state, depth),
            Node::Sequence(values) => self.sequence(name, values, depth),
            Node::Tensor(_) => self.tensor(name, value),
            Node::Array(Some(array)) => match array.content {
                Content::Numbers(..) => self.tensor(name, value),
                // An array of no dimensions holds one object.
                Content::Objects(items) => match heap.sequence(items) {
                    Some(&[item]) => self.visit(name, item, depth + 1),
                    _ => self.visit(name, items, depth + 1),
                },
            },
            Node::Text(_) | Node::Bytes(_) => {
                self.note(name, value);
                Ok(())
            }
            Node::Storage(_)
            | Node::Long
            | Node::Global(_)
            | Node::ElementType(_)
            | Node::Array(None) => Ok(()),
        }
    }

    /// Values that are looked at.
    fn spend(&mut self, visits: usize) -> Result<()> {
        let left = self.visits.checked_sub(visits);
        self.visits = left.ok_or_else(|| self.wrong("too many values"))?;
        Ok(())
    }

    fn dict(&mut self, name: &str, dict: Value, depth: usize) -> Result<()> {
        let pairs = self.heap.dict(dict).unwrap_or_default();
        // Also for pairs without a name, which are not visited.
        self.spend(pairs.len())?;
        for &(key, value) in pairs {
            let key = match key {
                Value::Int(n) => n.to_string(),
                key => match (self.heap.name(key), self.heap.node(key)) {
                    (Some(text), _) => text.to_owned(),
                    (None, Some(Node::Text(_))) => {
                        return Err(self.wrong("a name of more than 1024 bytes"));
                    }
                    // Keys of other kinds name nothing.
                    _ => continue,
                },
            };
            self.visit(&join(name, &key), value, depth + 1)?;
        }
        Ok(())
    }

    /// A torch module's tensors and parts, or any other object's attributes.
    fn object(&mut self, name: &str, state: Value, depth: usize) -> Result<()> {
        self.spend(self.heap.dict(state).map_or(0, <[_]>::len))?;
        let parts = ["_parameters", "_buffers", "_modules"].map(|key| self.heap.entry(state, key));
        if parts.iter().all(Option::is_none) {
            return self.dict(name, state, depth);
        }
        for part in parts.into_iter().flatten() {
            self.dict(name, part, depth + 1)?;
        }
        for key in ATTRIBUTES {
            if let Some(value) = self.heap.entry(state, key) {
                self.visit(&join(name, key), value, depth + 1)?;
            }
        }
        Ok(())
    }

    /// A TensorFlow network: its variables, and those of its components. Their names have slashes.
    fn network(&mut self, name: &str, state: Value, depth: usize) -> Result<()> {
        self.spend(self.heap.dict(state).map_or(0, <[_]>::len))?;
        if let Some(settings) = self.heap.entry(state, "static_kwargs") {
            self.visit(&join(name, "static_kwargs"), settings, depth + 1)?;
        }
        self.variables(&join(name, ""), state, depth)
    }

    fn variables(&mut self, prefix: &str, state: Value, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("networks nested too deeply, or in themselves"));
        }
        let heap = self.heap;
        self.spend(1 + heap.dict(state).map_or(0, <[_]>::len))?;
        let variables = heap.entry(state, "variables").and_then(|v| heap.sequence(v));
        for &variable in variables.ok_or_else(|| self.wrong("a network without variables"))? {
            let pair = heap.sequence(variable).unwrap_or_default();
            let &[key, value] = pair else { return Err(self.wrong("a variable that is no pair")) };
            let key = heap.name(key).ok_or_else(|| self.wrong("a variable without a name"))?;
            self.spend(1)?;
            let name = format!("{prefix}{key}");
            match value {
                // Variables without dimensions, such as strengths of noise.
                Value::Float(x) => {
                    let number = HostTensor { shape: vec![], data: vec![x as f32] };
                    self.dict.insert(name, number)?;
                }
                _ => self.visit(&name, value, depth + 1)?,
            }
        }
        let components = heap.entry(state, "components").and_then(|v| heap.dict(v));
        self.spend(components.map_or(0, <[_]>::len))?;
        for &(key, component) in components.unwrap_or_default() {
            let Some(key) = heap.name(key) else { continue };
            if let Some(Node::Object { is_network: true, state }) = heap.node(component) {
                self.variables(&format!("{prefix}{key}/"), *state, depth + 1)?;
            }
        }
        Ok(())
    }

    fn sequence(&mut self, name: &str, values: &[Value], depth: usize) -> Result<()> {
        self.spend(values.len())?;
        let holds = |v: &Value| !matches!(self.heap.node(*v), None | Some(Node::Text(_)));
        if values.iter().any(holds) {
            for (i, &value) in values.iter().enumerate() {
                self.visit(&join(name, &i.to_string()), value, depth + 1)?;
            }
        } else if values.len() <= MAX_LIST {
            let texts: Option<Vec<_>> = values.iter().map(|v| self.small(*v)).collect();
            if let Some(texts) = texts {
                self.set(name, format!("[{}]", texts.join(", ")));
            }
        }
        Ok(())
    }

    fn note(&mut self, name: &str, value: Value) {
        if let Some(text) = self.small(value) {
            self.set(name, text);
        }
    }

    fn set(&mut self, name: &str, text: String) {
        if self.dict.metadata().len() < MAX_METADATA && !name.is_empty() {
            self.dict.set_metadata(name, text);
        }
    }

    fn small(&self, value: Value) -> Option<String> {
        match value {
            Value::None => None,
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::At(_) => {
                let text = self.heap.name(value)?;
                (!text.contains(char::is_control)).then(|| text.to_owned())
            }
        }
    }

    fn tensor(&mut self, name: &str, value: Value) -> Result<()> {
        let name = if name.is_empty() { SOLE } else { name };
        let stored = stored(self.heap, value).map_err(|found| {
            weights(&crate::checkpoint::shown(name), "a tensor within its storage", found)
        })?;
        let left = self.bytes.checked_sub(stored.span());
        self.bytes =
            left.ok_or_else(|| self.wrong("tensors that share more bytes than the file has"))?;
        self.dict.insert_stored(name.to_owned(), stored)
    }

    fn wrong(&self, reason: &str) -> Error {
        Error::format(self.path, self.format, reason)
    }
}

fn stored(heap: &Heap, value: Value) -> Result<StoredTensor, String> {
    match heap.node(value) {
        Some(Node::Tensor(t)) => {
            let storage = heap.storages.get(t.storage).ok_or("no storage")?;
            let bytes = storage.bytes.as_ref().ok_or("a storage that is not in the file")?;
            let size = storage.elements.checked_mul(storage.format.size());
            if size.is_none_or(|size| size > bytes.len()) {
                let (said, is) = (storage.elements, bytes.len());
                return Err(format!("a storage of {said} {} in {is} bytes", storage.format));
            }
            StoredTensor::strided(t.format, t.shape.clone(), t.strides.clone(), t.offset, bytes)
        }
        Some(Node::Array(Some(array))) => match &array.content {
            Content::Numbers(format, bytes) if array.fortran => {
                StoredTensor::fortran(*format, array.shape.clone(), bytes.clone())
            }
            Content::Numbers(format, bytes) => {
                StoredTensor::new(*format, array.shape.clone(), bytes.clone())
            }
            Content::Objects(_) => Err("objects".into()),
        },
        _ => Err("no tensor".into()),
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
