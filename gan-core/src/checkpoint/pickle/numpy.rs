//! Numbers and arrays of numpy.

use super::construct::too_few;
use super::machine::{Machine, Parsed};
use super::value::{Array, Content, Node, Value};
use crate::checkpoint::number::NumberFormat;

impl Machine<'_> {
    /// numpy's `(element type, bytes)`.
    pub(super) fn scalar(&mut self, args: &[Value]) -> Parsed<Value> {
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
    pub(super) fn array_of_buffer(&self, args: &[Value]) -> Parsed<Node> {
        let [data, of, shape, order] = *args else { return Err(too_few("_frombuffer")) };
        let parts = (self.heap.bytes(data), self.heap.node(of), self.heap.sizes(shape));
        let (Some(data), Some(Node::ElementType(of)), Some(shape)) = parts else {
            return Err("a numpy array without bytes, type and shape".into());
        };
        let content = Content::Numbers(of.number_format()?, data.clone());
        let fortran = self.heap.name(order) == Some("F");
        Ok(Node::Array(Some(Array { shape, fortran, content })))
    }

    /// numpy's `(version, shape, element type, is fortran, bytes or items)`.
    pub(super) fn array(&self, state: Value) -> Parsed<Node> {
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
