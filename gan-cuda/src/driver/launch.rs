//! A kernel launch whose arguments have been checked.

use std::ffi::c_void;
use std::sync::Arc;

use super::Context;
use super::buffer::{Buffer, Scalar};
use super::modules::Kernel;
use super::ptx::Param;
use crate::error::{Error, Result};

/// A number that is given to a kernel.
enum Value {
    Pointer(u64),
    Word(u32),
    Float(f32),
    Struct(Vec<u32>),
}

impl Value {
    fn kind(&self) -> Param {
        match self {
            Value::Pointer(_) => Param::Pointer,
            Value::Word(_) => Param::Word,
            Value::Float(_) => Param::Float,
            Value::Struct(words) => Param::Struct(words.len() * size_of::<u32>()),
        }
    }

    fn address(&mut self) -> *mut c_void {
        match self {
            Value::Pointer(p) => std::ptr::from_mut(p).cast(),
            Value::Word(w) => std::ptr::from_mut(w).cast(),
            Value::Float(x) => std::ptr::from_mut(x).cast(),
            Value::Struct(words) => words.as_mut_ptr().cast(),
        }
    }
}

/// Collects a kernel's arguments in the order of its parameters, and checks each.
///
/// The methods for buffers ask how many elements the kernel touches; that this is the truth is the duty of the one function
/// that wraps the kernel, and what the tests under an emulator with guarded memory are for.
pub(crate) struct Launch<'a> {
    context: &'a Arc<Context>,
    kernel: Arc<Kernel>,
    values: Vec<Value>,
    /// The first thing that was wrong.
    fault: Option<String>,
    synchronous: bool,
}

impl<'a> Launch<'a> {
    /// A launch that, if `synchronous`, also waits for the kernel's end, so that its name goes with its faults.
    pub(crate) fn new(context: &'a Arc<Context>, kernel: Arc<Kernel>, synchronous: bool) -> Self {
        let values = Vec::with_capacity(kernel.params.len());
        Launch { context, kernel, values, fault: None, synchronous }
    }

    /// An operand of which the kernel reads the first `len` elements of type `scalar`.
    pub(crate) fn read(self, buffer: &Buffer, scalar: Scalar, len: usize) -> Self {
        self.buffer(buffer, scalar, len)
    }

    /// As [`Launch::read`], or a null pointer.
    pub(crate) fn read_optional(
        mut self,
        buffer: Option<&Buffer>,
        scalar: Scalar,
        len: usize,
    ) -> Self {
        match buffer {
            Some(buffer) => self.buffer(buffer, scalar, len),
            None => {
                self.values.push(Value::Pointer(0));
                self
            }
        }
    }

    /// A result of which the kernel writes some or all of the first `len` elements of type `scalar`.
    pub(crate) fn write(self, buffer: &mut Buffer, scalar: Scalar, len: usize) -> Self {
        self.buffer(buffer, scalar, len)
    }

    fn buffer(mut self, buffer: &Buffer, scalar: Scalar, len: usize) -> Self {
        let place = self.values.len();
        if !Arc::ptr_eq(buffer.context(), self.context) {
            self.fail(format!("argument {place} is on another device"));
        }
        if buffer.scalar() != scalar {
            self.fail(format!("argument {place} is {:?}, expected {scalar:?}", buffer.scalar()));
        }
        if buffer.len() < len {
            let found = buffer.len();
            self.fail(format!("argument {place} has {found} elements, {len} are touched"));
        }
        if !buffer.pointer().is_multiple_of(scalar.bytes() as u64) {
            self.fail(format!("argument {place} is not aligned to its elements"));
        }
        self.values.push(Value::Pointer(buffer.pointer()));
        self
    }

    /// A count.
    pub(crate) fn count(mut self, count: usize) -> Self {
        let word = u32::try_from(count).ok().filter(|&c| i32::try_from(c).is_ok());
        if word.is_none() {
            self.fail(format!("argument {} is {count}, above 2^31 - 1", self.values.len()));
        }
        self.values.push(Value::Word(word.unwrap_or(0)));
        self
    }

    /// A code or a flag.
    pub(crate) fn code(mut self, code: u32) -> Self {
        self.values.push(Value::Word(code));
        self
    }

    /// A number.
    pub(crate) fn float(mut self, x: f64) -> Self {
        self.values.push(Value::Float(x as f32));
        self
    }

    /// A struct of 32-bit fields.
    pub(crate) fn words(mut self, words: impl Into<Vec<u32>>) -> Self {
        self.values.push(Value::Struct(words.into()));
        self
    }

    /// Launches one thread for each of `n` results.
    pub(crate) fn each(self, n: usize) -> Result<()> {
        self.blocks(n.div_ceil(256), 256)
    }

    /// Launches `blocks` blocks of `threads` threads.
    pub(crate) fn blocks(mut self, blocks: usize, threads: u32) -> Result<()> {
        if let Err(reason) = agree(&self.values, &self.kernel.params) {
            self.fail(reason);
        }
        let grid = u32::try_from(blocks).ok().filter(|&b| b > 0 && i32::try_from(b).is_ok());
        if grid.is_none() {
            self.fail(format!("a grid of {blocks} blocks"));
        }
        if let Some(reason) = self.fault {
            return Err(Error::Kernel { kernel: self.kernel.name.clone(), reason });
        }
        let mut addresses: Vec<*mut c_void> = self.values.iter_mut().map(Value::address).collect();
        let grid = [grid.unwrap_or(1), 1, 1];
        let Kernel { name, function, .. } = &*self.kernel;
        // SAFETY: number, sizes and kinds of the values equal those of the kernel's parameters in the PTX that was
        // loaded. Pointers are null where the kernel allows it, or of buffers of this context with at least as many
        // elements as the wrapper of this kernel says it touches; results were borrowed mutably, and everything on
        // this context happens in the order of its one stream.
        unsafe { self.context.launch(name, function, grid, [threads, 1, 1], &mut addresses) }?;
        if self.synchronous { self.context.synchronize(name) } else { Ok(()) }
    }

    fn fail(&mut self, reason: String) {
        self.fault.get_or_insert(reason);
    }
}

/// Whether the values are what the kernel takes, in number, size and kind: the driver does not look.
fn agree(values: &[Value], params: &[Param]) -> Result<(), String> {
    let given: Vec<Param> = values.iter().map(Value::kind).collect();
    if given == params {
        return Ok(());
    }
    Err(format!("its PTX takes {params:?}, the host gives {given:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_another_size_or_kind_do_not_reach_a_kernel() {
        let values = || {
            vec![Value::Pointer(0), Value::Word(1), Value::Float(1.0), Value::Struct(vec![0; 17])]
        };
        let params = [Param::Pointer, Param::Word, Param::Float, Param::Struct(68)];
        assert_eq!(agree(&values(), &params), Ok(()));
        assert!(agree(&values()[..3], &params).is_err());
        let wrong = [
            (1, Value::Pointer(1)),
            (1, Value::Float(1.0)),
            (0, Value::Word(1)),
            (2, Value::Word(1)),
            (3, Value::Struct(vec![0; 16])),
        ];
        for (place, value) in wrong {
            let mut values = values();
            values[place] = value;
            let reason = agree(&values, &params).unwrap_err();
            assert!(reason.contains("its PTX takes [Pointer, Word"), "{reason}");
        }
    }
}
