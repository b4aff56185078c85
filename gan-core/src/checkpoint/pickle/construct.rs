//! What the names of [`globals`](super::globals) do: put data together.

use bytes::Bytes;

use super::globals::Known;
use super::machine::{Machine, Parsed, empty, kind};
use super::value::{ElementType, Node, Storage, Tensor, Value};
use crate::checkpoint::container::torch_legacy;
use crate::checkpoint::number::NumberFormat;

/// A pickle in a pickle: storages of NVIDIA's files.
const MAX_NESTING: usize = 2;
/// Where source code says whose it is.
const MAX_HEADING: usize = 1024;

impl Machine<'_> {
    pub(super) fn apply(&mut self, callee: Value, arguments: Value) -> Parsed<Value> {
        let Some(&Node::Global(known)) = self.heap.node(callee) else {
            return Err("a call of what is no name".to_owned());
        };
        let args = self.heap.sequence(arguments).ok_or("a call without a tuple")?.to_vec();
        self.budget.spend_steps(args.len())?;
        let node = match known {
            Known::Dict => Node::Dict(self.copied_pairs(&args)?),
            Known::Sequence => return Ok(args.first().copied().unwrap_or(arguments)),
            Known::Arguments => return Ok(arguments),
            Known::Class => Node::Object { is_network: false, state: Value::None },
            Known::Network => Node::Object { is_network: true, state: Value::None },
            Known::Reconstructor => {
                let [class, ..] = args[..] else { return Err(too_few("_reconstructor")) };
                let none = self.add(Node::Sequence(Vec::new()));
                return match self.heap.node(class) {
                    Some(Node::Global(Known::Class | Known::Network | Known::Dict)) => {
                        self.apply(class, none)
                    }
                    _ => Err("an instance of what is no class".into()),
                };
            }
            Known::Bytes => match args[..] {
                [] => Node::Bytes(Bytes::new()),
                [value] if self.heap.bytes(value).is_some() => return Ok(value),
                [text, _] => Node::Bytes(self.encode(text)?),
                _ => return Err(too_few("bytes")),
            },
            Known::Encode => match args[..] {
                [text, ..] => Node::Bytes(self.encode(text)?),
                [] => return Err(too_few("encode")),
            },
            Known::Numbers(_) => return Err("a storage that is made instead of referred to".into()),
            Known::RebuildTensor => Node::Tensor(self.tensor(&args, None)?),
            Known::RebuildTensorOfFormat => {
                let Some(&Node::Global(Known::Numbers(format))) =
                    args.get(6).and_then(|v| self.heap.node(*v))
                else {
                    return Err(too_few("_rebuild_tensor_v3"));
                };
                Node::Tensor(self.tensor(&args, Some(format))?)
            }
            Known::First => return args.first().copied().ok_or_else(|| too_few("a call")),
            Known::RebuildFromType => {
                let [function, _, inner, ..] = args[..] else {
                    return Err(too_few("_rebuild_from_type_v2"));
                };
                return match self.heap.node(function) {
                    Some(Node::Global(Known::RebuildTensor)) => self.apply(function, inner),
                    _ => Err("a tensor subclass with a constructor of its own".into()),
                };
            }
            Known::LoadFromBytes => self.nested(&args)?,
            Known::ElementType => {
                let code = args.first().and_then(|v| self.heap.name(*v)).unwrap_or_default();
                let code = Bytes::copy_from_slice(
                    code.get(..code.len().min(32)).unwrap_or_default().as_bytes(),
                );
                Node::ElementType(ElementType { code, big_endian: false })
            }
            Known::Scalar => return self.scalar(&args),
            Known::Array | Known::NewArray => Node::Array(None),
            Known::FromBuffer => self.array_of_buffer(&args)?,
            Known::Persistent => self.persistent(&args)?,
        };
        Ok(self.add(node))
    }

    /// What a dict is made of: nothing, a type of defaults, pairs or another dict.
    fn copied_pairs(&mut self, args: &[Value]) -> Parsed<Vec<(Value, Value)>> {
        let Some(&first) = args.first() else { return Ok(Vec::new()) };
        let copied = match self.heap.node(first) {
            Some(Node::Dict(pairs)) => pairs.clone(),
            Some(Node::Sequence(items)) => {
                let pair = |v: &Value| match self.heap.sequence(*v) {
                    Some(&[key, value]) => Ok((key, value)),
                    _ => Err("a dict of what are no pairs".to_owned()),
                };
                items.iter().map(pair).collect::<Parsed<_>>()?
            }
            _ => Vec::new(),
        };
        self.budget.spend_steps(copied.len())?;
        Ok(copied)
    }

    /// Text whose characters are bytes, as protocols before 3 write them.
    fn encode(&mut self, text: Value) -> Parsed<Bytes> {
        let Some(Node::Text(text) | Node::Bytes(text)) = self.heap.node(text) else {
            return Err("an encoded value that is no text".into());
        };
        self.budget.spend_bytes(text.len())?;
        let bytes = latin_1(text).ok_or("an encoded text that is not of latin-1")?;
        // A network's weights, of which the text would take one and a half times as much memory once more.
        self.budget.pages.give_back(text);
        Ok(bytes.into())
    }

    /// `('storage', type, key, location, elements, ...)`
    pub(super) fn storage(&mut self, id: Value) -> Parsed<Value> {
        let wrong = || "a reference to something outside that is no storage".to_owned();
        let [tag, class, key, _, elements, ..] = *self.heap.sequence(id).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let (Some(&Node::Global(Known::Numbers(format))), Value::Int(elements)) =
            (self.heap.node(class), elements)
        else {
            return Err(wrong());
        };
        let key = match (self.heap.name(tag), self.heap.name(key)) {
            (Some("storage"), Some(key)) => {
                Bytes::copy_from_slice(key.get(..key.len().min(64)).unwrap_or_default().as_bytes())
            }
            _ => return Err(wrong()),
        };
        if let Some(&known) = self.storages.get(&(key.clone(), format as u8)) {
            return Ok(known);
        }
        let elements = usize::try_from(elements).map_err(|_| wrong())?;
        self.heap.storages.push(Storage { key: key.clone(), format, elements, bytes: None });
        let value = self.add(Node::Storage(self.heap.storages.len() - 1));
        self.storages.insert((key, format as u8), value);
        Ok(value)
    }

    /// `(storage, offset, shape, strides, ...)`
    fn tensor(&self, args: &[Value], format: Option<NumberFormat>) -> Parsed<Tensor> {
        let [storage, Value::Int(offset), shape, strides, ..] = *args else {
            return Err("a tensor without storage, offset, shape and strides".into());
        };
        let Some(&Node::Storage(storage)) = self.heap.node(storage) else {
            return Err("a tensor of what is no storage".into());
        };
        let own = self.heap.storages.get(storage).map_or(NumberFormat::U8, |s| s.format);
        let sizes = self.heap.sizes(shape).zip(self.heap.sizes(strides));
        let (shape, strides) = sizes.ok_or("a tensor whose shape or strides are no sizes")?;
        let offset = usize::try_from(offset).map_err(|_| "a tensor with a negative offset")?;
        Ok(Tensor { storage, format: format.unwrap_or(own), offset, shape, strides })
    }

    /// A torch file of one storage.
    fn nested(&mut self, args: &[Value]) -> Parsed<Node> {
        let bytes = args.first().and_then(|v| self.heap.bytes(*v)).cloned();
        let bytes = bytes.ok_or("a nested torch file that is no bytes")?;
        if self.budget.nesting == MAX_NESTING {
            return Err("pickles nested too deeply".into());
        }
        self.budget.nesting += 1;
        let loaded = torch_legacy::load(&bytes, self.budget)
            .map_err(|reason| format!("in a nested torch file: {reason}"))?;
        self.budget.nesting -= 1;
        let Some(&Node::Storage(place)) = loaded.heap.node(loaded.root) else {
            return Err("a nested torch file that is no storage".into());
        };
        let storage = loaded.heap.storages.into_iter().nth(place).ok_or_else(empty)?;
        self.heap.storages.push(storage);
        Ok(Node::Storage(self.heap.storages.len() - 1))
    }

    /// `{class_name, module_src, state, ...}`, of which the source is looked at for its licence only.
    fn persistent(&mut self, args: &[Value]) -> Parsed<Node> {
        let meta = args.first().copied().ok_or_else(|| too_few("_reconstruct_persistent_obj"))?;
        self.budget.spend_steps(self.heap.dict(meta).map_or(0, <[_]>::len))?;
        let state = self.heap.entry(meta, "state").ok_or("an object without its state")?;
        self.note_licence(meta, "module_src");
        Ok(Node::Object { is_network: false, state })
    }

    fn note_licence(&mut self, dict: Value, key: &str) {
        if self.heap.licence.is_some() {
            return;
        }
        let source = self.heap.entry(dict, key).and_then(|v| self.heap.node(v));
        let Some(Node::Text(source) | Node::Bytes(source)) = source else { return };
        let start = String::from_utf8_lossy(&source[..source.len().min(MAX_HEADING)]);
        let line = start.lines().find(|line| line.contains("Copyright"));
        self.heap.licence =
            line.map(|line| crate::checkpoint::shown(line.trim_matches(['#', ' ', '"'])));
    }

    pub(super) fn build(&mut self, state: Value) -> Parsed<()> {
        let Value::At(place) = self.top()? else { return Err("attributes of a number".into()) };
        let node = match self.heap.nodes.get(place) {
            Some(&Node::Object { is_network, .. }) => {
                if is_network {
                    self.budget.spend_steps(self.heap.dict(state).map_or(0, <[_]>::len))?;
                    self.note_licence(state, "build_module_src");
                }
                // With slots, a pair of dicts.
                let state = match self.heap.sequence(state) {
                    Some(&[first, _]) => first,
                    _ => state,
                };
                Node::Object { is_network, state }
            }
            Some(Node::ElementType(of)) => {
                let order = self.heap.sequence(state).and_then(|s| self.heap.name(*s.get(1)?));
                Node::ElementType(ElementType { big_endian: order == Some(">"), ..of.clone() })
            }
            Some(Node::Array(None)) => self.array(state)?,
            // Attributes beside the items of a dict, such as torch's versions.
            Some(Node::Dict(_) | Node::Tensor(_)) => return Ok(()),
            Some(other) => return Err(format!("attributes of {}", kind(other))),
            None => return Err(empty()),
        };
        self.heap.nodes[place] = node;
        Ok(())
    }
}

/// The characters of a text as bytes, or none if one is beyond the first 256.
fn latin_1(utf8: &[u8]) -> Option<Vec<u8>> {
    let is_rest = |byte: u8| byte & 0xc0 == 0x80;
    let mut out = vec![0; utf8.iter().filter(|byte| !is_rest(**byte)).count()];
    // The first byte of two, or 0. Without branches, since the bytes of weights are as good as random.
    let (mut first, mut at, mut is_wrong) = (0u8, 0, false);
    for &byte in utf8 {
        let is_first = byte >= 0xc0;
        is_wrong |= is_rest(byte) != (first != 0) || is_first && byte | 1 != 0xc3;
        if let Some(place) = out.get_mut(at) {
            *place = if is_rest(byte) { first << 6 | byte & 0x3f } else { byte };
        }
        at += usize::from(!is_first);
        first = if is_first { byte } else { 0 };
    }
    (!is_wrong && first == 0).then_some(out)
}

pub(super) fn too_few(what: &str) -> String {
    format!("too few arguments of {what}")
}
