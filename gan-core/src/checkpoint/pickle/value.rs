//! What a pickle says, as plain data.

use bytes::Bytes;

use super::globals::Known;
use crate::checkpoint::number::NumberFormat;

/// Bytes of the longest name.
pub(super) const MAX_NAME: usize = 1024;
/// Of numpy.
const MAX_RANK: usize = 32;

/// A value: small ones themselves, others by their place in the [`Heap`], where several may refer to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    At(usize),
}

#[derive(Debug)]
pub(crate) enum Node {
    /// UTF-8, checked.
    Text(Bytes),
    Bytes(Bytes),
    /// An integer beyond 64 bits, which nothing here needs.
    Long,
    /// List, tuple or set.
    Sequence(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Global(Known),
    /// An instance of a class, with its attributes, a dict, once they are known.
    Object {
        is_network: bool,
        state: Value,
    },
    /// By its place in [`Heap::storages`].
    Storage(usize),
    Tensor(Tensor),
    ElementType(ElementType),
    /// A numpy array; `None` while it is being built.
    Array(Option<Array>),
}

/// A torch tensor: a part of a storage.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) storage: usize,
    pub(crate) format: NumberFormat,
    /// In elements, as the strides.
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// Numbers that tensors take theirs from.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) key: Bytes,
    pub(crate) format: NumberFormat,
    /// As the pickle says.
    pub(crate) elements: usize,
    /// Found by whoever reads the container.
    pub(crate) bytes: Option<Bytes>,
}

/// What a numpy array is of, as numpy writes it.
#[derive(Clone, Debug)]
pub(crate) struct ElementType {
    /// Such as `f4`.
    pub(crate) code: Bytes,
    pub(crate) big_endian: bool,
}

impl ElementType {
    /// Its format.
    ///
    /// # Errors
    /// Which type it is, if numbers of it are not read.
    pub(crate) fn number_format(&self) -> Result<NumberFormat, String> {
        let code = String::from_utf8_lossy(&self.code);
        let (order, code) = match code.strip_prefix(['<', '=', '|', '>']) {
            Some(rest) => (code.starts_with('>'), rest),
            None => (false, &*code),
        };
        let format = match code {
            "f8" => NumberFormat::F64,
            "f4" => NumberFormat::F32,
            "f2" => NumberFormat::F16,
            "i8" => NumberFormat::I64,
            "i4" => NumberFormat::I32,
            "i2" => NumberFormat::I16,
            "i1" => NumberFormat::I8,
            "u1" => NumberFormat::U8,
            "b1" | "?" => NumberFormat::Bool,
            other => {
                let other: String = other.chars().take(20).flat_map(char::escape_default).collect();
                return Err(format!(
                    "a numpy array of type `{other}`, which is none of f2, f4, f8, i1 to i8, u1, b1"
                ));
            }
        };
        if (order || self.big_endian) && format.size() > 1 {
            return Err("a big-endian numpy array; save it again in the machine's own order".into());
        }
        Ok(format)
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self.code.trim_ascii_start(), [b'<' | b'>' | b'|', b'U' | b'S', ..])
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(&self.code[..], b"O" | b"|O" | b"O8" | b"|O8" | b"O4")
    }
}

#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    /// First dimension fastest.
    pub(crate) fortran: bool,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Numbers(NumberFormat, Bytes),
    /// One Python value each; a sequence.
    Objects(Value),
}

/// The values of a pickle.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    pub(crate) nodes: Vec<Node>,
    pub(crate) storages: Vec<Storage>,
    /// What embedded source code says about copyright. The code itself is skipped.
    pub(crate) licence: Option<String>,
}

impl Heap {
    pub(crate) fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::At(place) => self.nodes.get(place),
            _ => None,
        }
    }

    /// A text that may name something: a string of Python 3, or one of Python 2 that is UTF-8. Looking at longer ones again
    /// and again would take long.
    pub(crate) fn name(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Text(bytes) | Node::Bytes(bytes) if bytes.len() <= MAX_NAME => {
                std::str::from_utf8(bytes).ok()
            }
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, value: Value) -> Option<&Bytes> {
        match self.node(value)? {
            Node::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn sequence(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::Sequence(values) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn dict(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value)? {
            Node::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value of a dict's key, in as many steps as the dict has entries.
    pub(crate) fn entry(&self, dict: Value, key: &str) -> Option<Value> {
        let found = self.dict(dict)?.iter().find(|(k, _)| self.name(*k) == Some(key))?;
        Some(found.1)
    }

    /// Sizes from 0, as of shapes.
    pub(crate) fn sizes(&self, value: Value) -> Option<Vec<usize>> {
        let size = |v: &Value| match v {
            Value::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        };
        let values = self.sequence(value)?;
        if values.len() > MAX_RANK {
            return None;
        }
        values.iter().map(size).collect()
    }
}
