//! The stack machine.

use std::collections::HashMap;

use bytes::Bytes;

use super::globals::{self, Known};
use super::opcode::{Op, Reader};
use super::value::{Array, Content, ElementType, Heap, Node, Storage, Tensor, Value};
use crate::checkpoint::container::torch_legacy;
use crate::checkpoint::number::NumberFormat;

/// Far beyond any checkpoint, whose pickles are names and shapes.
const MAX_STEPS: usize = 4 << 20;
/// A pickle in a pickle: storages of NVIDIA's files.
const MAX_NESTING: usize = 2;

type Parsed<T> = Result<T, String>;

/// What reading one file may cost, nested pickles together.
pub(crate) struct Budget {
    steps: usize,
    /// Bytes that are no views of the file.
    bytes: usize,
    nesting: usize,
}

impl Budget {
    /// For a file of so many bytes.
    pub(crate) fn new(file: usize) -> Self {
        Budget { steps: MAX_STEPS, bytes: file, nesting: 0 }
    }

    fn spend_steps(&mut self, steps: usize) -> Parsed<()> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.ok_or_else(|| {
            format!("a pickle of more than {MAX_STEPS} steps, far beyond what checkpoints take")
        })?;
        Ok(())
    }

    fn spend_bytes(&mut self, bytes: usize) -> Parsed<()> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or("texts that turn into more bytes than the file has")?;
        Ok(())
    }
}

/// A pickle's values.
pub(crate) struct Loaded {
    pub(crate) heap: Heap,
    pub(crate) root: Value,
    /// Where it ends in the input.
    pub(crate) end: usize,
}

/// Runs the pickle that starts at a byte of the input.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn load(input: &Bytes, start: usize, budget: &mut Budget) -> Parsed<Loaded> {
    let reader = Reader { input, at: start };
    let mut machine = Machine {
        reader,
        budget,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        heap: Heap::default(),
        globals: HashMap::new(),
        storages: HashMap::new(),
    };
    loop {
        machine.budget.spend_steps(1)?;
        let op = machine.reader.next()?;
        if matches!(op, Op::Stop) {
            break;
        }
        machine.step(op)?;
    }
    let root = machine.pop()?;
    Ok(Loaded { end: machine.reader.at, heap: machine.heap, root })
}

struct Machine<'a> {
    reader: Reader<'a>,
    budget: &'a mut Budget,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    heap: Heap,
    /// Names that were looked up before.
    globals: HashMap<(String, String), Value>,
    storages: HashMap<(Bytes, u8), Value>,
}

impl Machine<'_> {
    fn step(&mut self, op: Op) -> Parsed<()> {
        match op {
            Op::Stop | Op::Nothing => {}
            Op::Mark => self.marks.push(self.stack.len()),
            Op::Pop => match self.marks.last() {
                // As Python does, for a mark on top.
                Some(&mark) if mark == self.stack.len() => drop(self.marks.pop()),
                _ => drop(self.pop()?),
            },
            Op::PopMark => drop(self.above_mark()?),
            Op::Dup => self.stack.push(self.top()?),
            Op::None => self.stack.push(Value::None),
            Op::Bool(value) => self.stack.push(Value::Bool(value)),
            Op::Int(value) => self.stack.push(Value::Int(value)),
            Op::Float(value) => self.stack.push(Value::Float(value)),
            Op::Long(bytes) => self.push(Node::Long(bytes)),
            Op::Text(bytes) => self.push(Node::Text(bytes)),
            Op::Bytes(bytes) => self.push(Node::Bytes(bytes)),
            Op::EmptySequence => self.push(Node::Sequence(Vec::new())),
            Op::EmptyDict => self.push(Node::Dict(Vec::new())),
            Op::Sequence => {
                let values = self.above_mark()?;
                self.push(Node::Sequence(values));
            }
            Op::TupleOf(n) => {
                let start = self.stack.len().checked_sub(n).ok_or_else(empty)?;
                let values = self.stack.split_off(start);
                self.push(Node::Sequence(values));
            }
            Op::Dict => {
                let values = self.above_mark()?;
                self.push(Node::Dict(pairs(&values)?));
            }
            Op::Append => {
                let value = self.pop()?;
                self.extend_sequence(vec![value])?;
            }
            Op::Appends => {
                let values = self.above_mark()?;
                self.extend_sequence(values)?;
            }
            Op::SetItem => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(&[key, value])?;
            }
            Op::SetItems => {
                let values = self.above_mark()?;
                self.extend_dict(&values)?;
            }
            Op::Get(place) => {
                let value = self.memo.get(&place).copied();
                self.stack.push(value.ok_or_else(|| format!("memo {place} before it is set"))?);
            }
            Op::Put(place) => {
                let top = self.top()?;
                self.memo.insert(place, top);
            }
            Op::Memoize => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u32, top);
            }
            Op::Global(module, name) => self.global(module, name)?,
            Op::StackGlobal => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |v| self.heap.text(v).map(str::to_owned);
                let (module, name) =
                    text(module).zip(text(name)).ok_or("a name that is no text")?;
                self.global(module, name)?;
            }
            Op::Reduce | Op::NewObject => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let value = self.apply(callee, arguments)?;
                self.stack.push(value);
            }
            Op::NewObjectWithKeywords => {
                let (_, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                let value = self.apply(class, arguments)?;
                self.stack.push(value);
            }
            Op::Build => {
                let state = self.pop()?;
                self.build(state)?;
            }
            Op::PersistentId => {
                let id = self.pop()?;
                let value = self.storage(id)?;
                self.stack.push(value);
            }
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> Value {
        self.heap.nodes.push(node);
        Value::At(self.heap.nodes.len() - 1)
    }

    fn push(&mut self, node: Node) {
        let value = self.add(node);
        self.stack.push(value);
    }

    /// Not below a mark.
    fn pop(&mut self) -> Parsed<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(empty());
        }
        self.stack.pop().ok_or_else(empty)
    }

    fn top(&self) -> Parsed<Value> {
        self.stack.last().copied().ok_or_else(empty)
    }

    fn above_mark(&mut self) -> Parsed<Vec<Value>> {
        let mark = self.marks.pop().ok_or("values without a mark before them")?;
        if mark > self.stack.len() {
            return Err(empty());
        }
        Ok(self.stack.split_off(mark))
    }

    fn top_node(&mut self) -> Parsed<&mut Node> {
        let top = self.top()?;
        let Value::At(place) = top else { return Err(unfit("a container", top)) };
        self.heap.nodes.get_mut(place).ok_or_else(empty)
    }

    fn extend_sequence(&mut self, values: Vec<Value>) -> Parsed<()> {
        match self.top_node()? {
            Node::Sequence(old) => old.extend(values),
            other => return Err(format!("items added to {}", kind(other))),
        }
        Ok(())
    }

    fn extend_dict(&mut self, values: &[Value]) -> Parsed<()> {
        let new = pairs(values)?;
        match self.top_node()? {
            Node::Dict(old) => old.extend(new),
            other => return Err(format!("entries added to {}", kind(other))),
        }
        Ok(())
    }

    fn global(&mut self, module: String, name: String) -> Parsed<()> {
        let key = (module, name);
        if let Some(&value) = self.globals.get(&key) {
            self.stack.push(value);
            return Ok(());
        }
        let (module, name) = &key;
        let known = globals::find(module, name).ok_or_else(|| {
            format!(
                "it asks for `{}`, which no checkpoint that is read here needs (nothing of it was run)",
                super::shown(&format!("{module}.{name}"))
            )
        })?;
        let value = self.add(Node::Global(known));
        self.globals.insert(key, value);
        self.stack.push(value);
        Ok(())
    }

    fn apply(&mut self, callee: Value, arguments: Value) -> Parsed<Value> {
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
                let code = args.first().and_then(|v| self.heap.text(*v)).unwrap_or_default();
                let code = Bytes::copy_from_slice(code.get(..code.len().min(32)).unwrap_or_default().as_bytes());
                Node::ElementType(ElementType { code, big_endian: false })
            }
            Known::Scalar => return self.scalar(&args),
            Known::Array | Known::NewArray => Node::Array(None),
            Known::FromBuffer => self.from_buffer(&args)?,
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
        let text = self.heap.text(text).ok_or("an encoded value that is no text")?;
        self.budget.spend_bytes(text.len())?;
        let byte = |c: char| u8::try_from(c).map_err(|_| "an encoded text beyond latin-1");
        Ok(text.chars().map(byte).collect::<Result<Vec<u8>, _>>()?.into())
    }

    /// `('storage', type, key, location, elements, ...)`
    fn storage(&mut self, id: Value) -> Parsed<Value> {
        let wrong = || "a reference to something outside that is no storage".to_owned();
        let [tag, class, key, _, elements, ..] = *self.heap.sequence(id).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let (Some(&Node::Global(Known::Numbers(format))), Value::Int(elements)) =
            (self.heap.node(class), elements)
        else {
            return Err(wrong());
        };
        let key = match (self.heap.text(tag), self.heap.text(key)) {
            (Some("storage"), Some(key)) => Bytes::copy_from_slice(key.get(..key.len().min(64)).unwrap_or_default().as_bytes()),
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

    /// numpy's `(element type, bytes)`.
    fn scalar(&mut self, args: &[Value]) -> Parsed<Value> {
        let [of, data, ..] = *args else { return Err(too_few("scalar")) };
        let (Some(Node::ElementType(of)), Some(data)) = (self.heap.node(of), self.heap.bytes(data))
        else {
            return Err("a numpy number without type and bytes".into());
        };
        let format = of.number_format()?;
        let wrong = || "a numpy number of another size than its type".to_owned();
        if data.len() != format.size() {
            return Err(wrong());
        }
        if format == NumberFormat::F64 {
            return Ok(Value::Float(f64::from_le_bytes(data[..].try_into().map_err(|_| wrong())?)));
        }
        let number = format.decode(data).first().copied().ok_or_else(wrong)?;
        Ok(match format {
            NumberFormat::Bool => Value::Bool(number != 0.0),
            _ if format.is_float() => Value::Float(number.into()),
            _ => Value::Int(number as i64),
        })
    }

    /// numpy's `(bytes, element type, shape, order)`.
    fn from_buffer(&self, args: &[Value]) -> Parsed<Node> {
        let [data, of, shape, order] = *args else { return Err(too_few("_frombuffer")) };
        let parts = (self.heap.bytes(data), self.heap.node(of), self.heap.sizes(shape));
        let (Some(data), Some(Node::ElementType(of)), Some(shape)) = parts else {
            return Err("a numpy array without bytes, type and shape".into());
        };
        let content = Content::Numbers(of.number_format()?, data.clone());
        let fortran = self.heap.text(order) == Some("F");
        Ok(Node::Array(Some(Array { shape, fortran, content })))
    }

    /// `{class_name, module_src, state, ...}`, of which the source is looked at for its licence only.
    fn persistent(&mut self, args: &[Value]) -> Parsed<Node> {
        let meta = args.first().copied().ok_or_else(|| too_few("_reconstruct_persistent_obj"))?;
        let state = self.heap.entry(meta, "state").ok_or("an object without its state")?;
        self.note_licence(meta, "module_src");
        Ok(Node::Object { is_network: false, state })
    }

    fn note_licence(&mut self, dict: Value, key: &str) {
        if self.heap.licence.is_some() {
            return;
        }
        let source = self.heap.entry(dict, key).and_then(|v| self.heap.text(v));
        let line = source.and_then(|s| s.lines().take(20).find(|l| l.contains("Copyright")));
        let line = line.map(|l| super::shown(l.trim_matches(['#', ' ', '"'])));
        self.heap.licence = line;
    }

    fn build(&mut self, state: Value) -> Parsed<()> {
        let Value::At(place) = self.top()? else { return Err("attributes of a number".into()) };
        let node = match self.heap.nodes.get(place) {
            Some(&Node::Object { is_network, .. }) => {
                if is_network {
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
                let order = self.heap.sequence(state).and_then(|s| self.heap.text(*s.get(1)?));
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

    /// numpy's `(version, shape, element type, is fortran, bytes or items)`.
    fn array(&self, state: Value) -> Parsed<Node> {
        let wrong = || "a numpy array without shape, type and content".to_owned();
        let [_, shape, of, fortran, content] = *self.heap.sequence(state).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let (Some(shape), Some(Node::ElementType(of))) =
            (self.heap.sizes(shape), self.heap.node(of))
        else {
            return Err(wrong());
        };
        let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
        let content = match self.heap.node(content).ok_or_else(wrong)? {
            Node::Sequence(_) if of.is_object() => Content::Objects(content),
            Node::Bytes(bytes) => Content::Numbers(of.number_format()?, bytes.clone()),
            _ => return Err(wrong()),
        };
        Ok(Node::Array(Some(Array { shape, fortran, content })))
    }
}

fn pairs(values: &[Value]) -> Parsed<Vec<(Value, Value)>> {
    if !values.len().is_multiple_of(2) {
        return Err("a key without a value".into());
    }
    Ok(values.as_chunks().0.iter().map(|&[key, value]| (key, value)).collect())
}

fn empty() -> String {
    "an opcode that takes more values than there are".to_owned()
}

fn too_few(what: &str) -> String {
    format!("too few arguments of {what}")
}

fn unfit(expected: &str, found: Value) -> String {
    format!("{found:?} where {expected} belongs")
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Text(_) | Node::Bytes(_) => "a text",
        Node::Long(_) => "a number",
        Node::Sequence(_) => "a list",
        Node::Dict(_) => "a dict",
        Node::Global(_) => "a name",
        Node::Object { .. } => "an object",
        Node::Storage(_) => "a storage",
        Node::Tensor(_) => "a tensor",
        Node::ElementType(_) => "a number type",
        Node::Array(_) => "an array",
    }
}
