//! The opcodes of pickle protocols 0 to 5, with their arguments.

use bytes::Bytes;

/// One step of the machine.
pub(super) enum Op {
    Stop,
    /// Protocol and frames, which change nothing.
    Nothing,
    Mark,
    Pop,
    PopMark,
    Dup,
    None,
    Bool(bool),
    Int(i64),
    /// Beyond 64 bits.
    Long,
    Float(f64),
    Text(Bytes),
    Bytes(Bytes),
    EmptySequence,
    EmptyDict,
    /// Of what is above the mark.
    Sequence,
    Dict,
    /// Of the topmost values.
    TupleOf(usize),
    Append,
    Appends,
    SetItem,
    SetItems,
    Get(u32),
    Put(u32),
    Memoize,
    Global(String, String),
    StackGlobal,
    Reduce,
    Build,
    NewObject,
    NewObjectWithKeywords,
    PersistentId,
}

/// Reads opcodes from bytes.
pub(super) struct Reader<'a> {
    pub(super) input: &'a Bytes,
    pub(super) at: usize,
}

type Parsed<T> = Result<T, String>;

impl Reader<'_> {
    pub(super) fn next(&mut self) -> Parsed<Op> {
        let [code] = self.array()?;
        Ok(match code {
            b'.' => Op::Stop,
            0x80 => {
                let [protocol] = self.array()?;
                if protocol > 5 {
                    return Err(format!("pickle protocol {protocol}, where 0 to 5 are known"));
                }
                Op::Nothing
            }
            0x95 => {
                self.array::<8>()?;
                Op::Nothing
            }
            b'(' => Op::Mark,
            b'0' => Op::Pop,
            b'1' => Op::PopMark,
            b'2' => Op::Dup,
            b'N' => Op::None,
            0x88 => Op::Bool(true),
            0x89 => Op::Bool(false),
            b'K' => Op::Int(self.array::<1>()?[0].into()),
            b'M' => Op::Int(u16::from_le_bytes(self.array()?).into()),
            b'J' => Op::Int(i32::from_le_bytes(self.array()?).into()),
            b'I' => match self.line()? {
                "00" => Op::Bool(false),
                "01" => Op::Bool(true),
                digits => Op::Int(digits.parse().map_err(|_| not_a("number", digits))?),
            },
            b'L' => {
                let digits = self.line()?.trim_end_matches('L');
                Op::Int(digits.parse().map_err(|_| not_a("64-bit number", digits))?)
            }
            0x8a => {
                let [n] = self.array()?;
                long(&self.take(n.into())?)
            }
            0x8b => {
                let n = u32::from_le_bytes(self.array()?);
                long(&self.take(n.into())?)
            }
            b'F' => {
                let digits = self.line()?;
                Op::Float(digits.parse().map_err(|_| not_a("number", digits))?)
            }
            b'G' => Op::Float(f64::from_be_bytes(self.array()?)),
            b'S' => Op::Bytes(quoted(self.line()?)?),
            b'V' => Op::Text(raw_unicode(&self.latin_line()?)?),
            b'X' => {
                let n = u32::from_le_bytes(self.array()?);
                self.text(n.into())?
            }
            0x8c => {
                let [n] = self.array()?;
                self.text(n.into())?
            }
            0x8d => {
                let n = u64::from_le_bytes(self.array()?);
                self.text(n)?
            }
            b'U' | b'C' => {
                let [n] = self.array()?;
                Op::Bytes(self.take(n.into())?)
            }
            b'T' | b'B' => {
                let n = u32::from_le_bytes(self.array()?);
                Op::Bytes(self.take(n.into())?)
            }
            0x8e | 0x96 => {
                let n = u64::from_le_bytes(self.array()?);
                Op::Bytes(self.take(n)?)
            }
            b']' | b')' | 0x8f => Op::EmptySequence,
            b'}' => Op::EmptyDict,
            b'l' | b't' | 0x91 => Op::Sequence,
            b'd' => Op::Dict,
            0x85 => Op::TupleOf(1),
            0x86 => Op::TupleOf(2),
            0x87 => Op::TupleOf(3),
            b'a' => Op::Append,
            b'e' | 0x90 => Op::Appends,
            b's' => Op::SetItem,
            b'u' => Op::SetItems,
            b'h' => Op::Get(self.array::<1>()?[0].into()),
            b'j' => Op::Get(u32::from_le_bytes(self.array()?)),
            b'q' => Op::Put(self.array::<1>()?[0].into()),
            b'r' => Op::Put(u32::from_le_bytes(self.array()?)),
            b'g' | b'p' => {
                let digits = self.line()?;
                let place = digits.parse().map_err(|_| not_a("place", digits))?;
                if code == b'g' { Op::Get(place) } else { Op::Put(place) }
            }
            0x94 => Op::Memoize,
            b'c' => {
                let module = self.line()?.to_owned();
                Op::Global(module, self.line()?.to_owned())
            }
            0x93 => Op::StackGlobal,
            b'R' => Op::Reduce,
            b'b' => Op::Build,
            0x81 => Op::NewObject,
            0x92 => Op::NewObjectWithKeywords,
            b'Q' => Op::PersistentId,
            other => {
                return Err(format!(
                    "opcode 0x{other:02x} at byte {}, which no checkpoint needs",
                    self.at - 1
                ));
            }
        })
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let bytes = rest.first_chunk::<N>().ok_or_else(ended)?;
        self.at += N;
        Ok(*bytes)
    }

    fn take(&mut self, n: u64) -> Parsed<Bytes> {
        let end = usize::try_from(n).ok().and_then(|n| self.at.checked_add(n)).ok_or_else(ended)?;
        if end > self.input.len() {
            return Err(ended());
        }
        let bytes = self.input.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    fn text(&mut self, n: u64) -> Parsed<Op> {
        let bytes = self.take(n)?;
        // Lone surrogates, which Python allows, are in no name.
        std::str::from_utf8(&bytes).map_err(|_| "a text that is not UTF-8".to_owned())?;
        Ok(Op::Text(bytes))
    }

    fn line(&mut self) -> Parsed<&str> {
        let line = self.line_bytes()?;
        std::str::from_utf8(line).map_err(|_| "a line that is not UTF-8".to_owned())
    }

    /// A line whose bytes are the first 256 characters.
    fn latin_line(&mut self) -> Parsed<String> {
        Ok(self.line_bytes()?.iter().map(|b| char::from(*b)).collect())
    }

    fn line_bytes(&mut self) -> Parsed<&[u8]> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&b| b == b'\n').ok_or_else(ended)?;
        self.at += length + 1;
        let line = rest.get(..length).unwrap_or_default();
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

fn ended() -> String {
    "it ends in the middle of a pickle (an incomplete download?)".to_owned()
}

fn not_a(what: &str, found: &str) -> String {
    format!("`{}` where a {what} belongs", crate::checkpoint::shown(found))
}

/// Little-endian two's complement of any length.
fn long(bytes: &[u8]) -> Op {
    if bytes.len() > 8 {
        return Op::Long;
    }
    let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    let mut all = [sign; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    Op::Int(i64::from_le_bytes(all))
}

/// A string of protocol 0 with Python's escapes.
fn quoted(line: &str) -> Parsed<Bytes> {
    let inner = ['\'', '"'].iter().find_map(|q| line.strip_prefix(*q)?.strip_suffix(*q));
    let mut rest = inner.ok_or_else(|| not_a("quoted string", line))?.bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(a, b)| (a * 16 + b) as u8);
                value.ok_or_else(|| not_a("hexadecimal escape", line))?
            }
            Some(other @ (b'\\' | b'\'' | b'"')) => other,
            _ => return Err(not_a("known escape", line)),
        });
    }
    Ok(out.into())
}

/// A text of protocol 0, whose escapes are `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &str) -> Parsed<Bytes> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('\\') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let digits = match rest.as_bytes().get(1) {
            Some(b'u') => rest.get(2..6),
            Some(b'U') => rest.get(2..10),
            _ => {
                out.push('\\');
                rest = &rest[1..];
                continue;
            }
        };
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).and_then(char::from_u32);
        out.push(code.ok_or_else(|| not_a("unicode escape", line))?);
        rest = &rest[2 + digits.map_or(0, str::len)..];
    }
    out.push_str(rest);
    Ok(out.into_bytes().into())
}
