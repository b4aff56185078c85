//! The stack machine.

use std::collections::HashMap;

use bytes::Bytes;

use super::globals;
use super::opcode::{Op, Reader};
use super::value::{Heap, Node, Value};
use crate::checkpoint::container::map::Pages;

/// Far beyond any checkpoint, whose pickles are names and shapes.
const MAX_STEPS: usize = 4 << 20;

pub(super) type Parsed<T> = Result<T, String>;

/// What reading one file may cost, nested pickles together.
pub(crate) struct Budget {
    steps: usize,
    /// Bytes that are no views of the file.
    bytes: usize,
    pub(super) nesting: usize,
    /// Of the file, if it is mapped.
    pub(super) pages: Pages,
}

impl Budget {
    /// For a file of so many bytes.
    pub(crate) fn new(file: usize) -> Self {
        Budget { steps: MAX_STEPS, bytes: file, nesting: 0, pages: Pages::default() }
    }

    /// Gives back pages of which copies were made.
    pub(crate) fn with_pages(self, pages: Pages) -> Self {
        Budget { pages, ..self }
    }

    pub(super) fn spend_steps(&mut self, steps: usize) -> Parsed<()> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.ok_or_else(|| {
            format!("a pickle of more than {MAX_STEPS} steps, far beyond what checkpoints take")
        })?;
        Ok(())
    }

    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Parsed<()> {
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

pub(super) struct Machine<'a> {
    reader: Reader<'a>,
    pub(super) budget: &'a mut Budget,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    pub(super) heap: Heap,
    /// Names that were looked up before.
    globals: HashMap<(String, String), Value>,
    pub(super) storages: HashMap<(Bytes, u8), Value>,
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
            Op::Long => self.push(Node::Long),
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
                let text = |v| self.heap.name(v).map(str::to_owned);
                let (module, name) =
                    text(module).zip(text(name)).ok_or("a name that is no text, or a long one")?;
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

    pub(super) fn add(&mut self, node: Node) -> Value {
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

    pub(super) fn top(&self) -> Parsed<Value> {
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
                crate::checkpoint::shown(&format!("{module}.{name}"))
            )
        })?;
        let value = self.add(Node::Global(known));
        self.globals.insert(key, value);
        self.stack.push(value);
        Ok(())
    }
}

fn pairs(values: &[Value]) -> Parsed<Vec<(Value, Value)>> {
    if !values.len().is_multiple_of(2) {
        return Err("a key without a value".into());
    }
    Ok(values.as_chunks().0.iter().map(|&[key, value]| (key, value)).collect())
}

pub(super) fn empty() -> String {
    "an opcode that takes more values than there are".to_owned()
}

fn unfit(expected: &str, found: Value) -> String {
    format!("{found:?} where {expected} belongs")
}

pub(super) fn kind(node: &Node) -> &'static str {
    match node {
        Node::Text(_) | Node::Bytes(_) => "a text",
        Node::Long => "a number",
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
