//! The head of a GGUF file: named values, then a table of tensors. Everything has a bound, and lists are kept as the
//! bytes that they are, so that a head never takes much more memory than it has bytes.
//! Source: the format's description, ggml `docs/gguf.md`.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read as _},
};

use crate::tensors::{LoadError, MAX_NAME_BYTES, MAX_TENSORS, Source};

/// Most bytes before the numbers; a vocabulary of 260,000 tokens with its merges takes some 15 MB.
const MAX_HEAD_BYTES: u64 = 32 << 20;
/// Most named values; files in use have some 50.
const MAX_VALUES: u64 = 4096;
/// Most bytes of a text: templates of chats have some 10,000.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// Most items of a list: the most tokens of a vocabulary.
const MAX_ITEMS: u64 = 1 << 20;
/// Most lists within lists.
const MAX_LIST_DEPTH: usize = 4;
/// Most dimensions of a tensor in this format.
const MAX_DIMENSIONS: u32 = 4;

/// A value of the head.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Unsigned(u64),
    Signed(i64),
    Real(f64),
    Bool(bool),
    Text(String),
    List(List),
}

/// Items of one type, as they stand in the file; of lists of lists nothing is kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    kind: Kind,
    pub(super) count: usize,
    bytes: Vec<u8>,
}

impl List {
    /// The texts of a list of texts; an item that is not UTF-8 is none.
    pub(super) fn texts(&self) -> Option<impl Iterator<Item = Option<&str>>> {
        let mut rest = &self.bytes[..];
        let next = move || {
            let (length, after) = rest.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).expect("it was read");
            let (text, after) = after.split_at(length);
            rest = after;
            Some(std::str::from_utf8(text).ok())
        };
        (self.kind == Kind::Text).then(|| std::iter::from_fn(next))
    }

    /// The numbers of a list of i32 or u32, as the bits they have.
    pub(super) fn words(&self) -> Option<impl Iterator<Item = u32>> {
        let words = self.bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        matches!(self.kind, Kind::I32 | Kind::U32).then_some(words)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

impl Kind {
    /// In the order of their numbers.
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Text,
        Self::List,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// Bytes of a value, where all have the same.
    fn bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::List => None,
        }
    }
}

/// One line of the table of tensors.
#[derive(Clone, Debug)]
pub(super) struct TensorLine {
    /// Fastest dimension first.
    pub(super) dimensions: Vec<u64>,
    /// Number of the type.
    pub(super) kind: u32,
    /// From the beginning of the numbers.
    pub(super) offset: u64,
}

/// What stands before the numbers.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) values: BTreeMap<String, Value>,
    /// In the file's order.
    pub(super) tensors: Vec<(String, TensorLine)>,
    /// How many bytes it takes.
    pub(super) bytes: u64,
}

/// Reads the head from the beginning of a source.
pub(super) fn read_head(source: &mut Source) -> Result<Head, LoadError> {
    let (name, len) = (source.name.clone(), source.len);
    let mut reader = Reader { bytes: BufReader::new(source), name, len, place: 0 };
    if reader.array()? != *b"GGUF" {
        return Err(reader.wrong("it does not begin with \"GGUF\"".into()));
    }
    match reader.u32()? {
        2 | 3 => {}
        version if matches!(version.swap_bytes(), 1..=3) => {
            return Err(LoadError::Unsupported {
                what: format!("the byte order of {}", reader.name),
                expected: "little endian".into(),
            });
        }
        version => {
            return Err(LoadError::Unsupported {
                what: format!("version {version} of {}", reader.name),
                expected: "2 or 3".into(),
            });
        }
    }
    let (tensor_count, value_count) = (reader.u64()?, reader.u64()?);
    reader.check("number of tensors", tensor_count, MAX_TENSORS as u64)?;
    reader.check("number of named values", value_count, MAX_VALUES)?;
    let mut values = BTreeMap::new();
    for _ in 0..value_count {
        let key = reader.text("length of a key in bytes", MAX_NAME_BYTES as u64)?;
        let kind = reader.kind()?;
        let value = reader.value(kind)?;
        if values.insert(key.clone(), value).is_some() {
            return Err(reader.wrong(format!("the key {key:?} stands twice")));
        }
    }
    let mut tensors = Vec::new();
    for _ in 0..tensor_count {
        let name = reader.text("length of a tensor's name in bytes", MAX_NAME_BYTES as u64)?;
        let dimensions = reader.u32()?;
        reader.check(
            format!("number of dimensions of tensor {name:?}"),
            dimensions.into(),
            MAX_DIMENSIONS.into(),
        )?;
        let dimensions = (0..dimensions).map(|_| reader.u64()).collect::<Result<_, _>>()?;
        let line = TensorLine { dimensions, kind: reader.u32()?, offset: reader.u64()? };
        tensors.push((name, line));
    }
    Ok(Head { values, tensors, bytes: reader.place })
}

struct Reader<'a> {
    bytes: BufReader<&'a mut Source>,
    name: String,
    len: u64,
    place: u64,
}

impl Reader<'_> {
    fn wrong(&self, reason: String) -> LoadError {
        LoadError::malformed(&self.name, reason)
    }

    fn check(&self, what: impl std::fmt::Display, found: u64, limit: u64) -> Result<(), LoadError> {
        LoadError::check(format!("{what} in {}", self.name), found, limit)
    }

    /// Goes on by so many bytes, if they are there and the head is not too long with them.
    fn advance(&mut self, count: u64) -> Result<(), LoadError> {
        let left = self.len - self.place;
        if count > left {
            return Err(self.wrong(format!("it ends within its head: {left} bytes are left for {count}")));
        }
        self.place += count;
        if self.place > MAX_HEAD_BYTES {
            self.check("length of the head in bytes", self.place, MAX_HEAD_BYTES)?;
        }
        Ok(())
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), LoadError> {
        self.bytes.read_exact(out).map_err(|error| LoadError::unreadable(&self.name, &error))
    }

    /// Appends the next bytes.
    fn append(&mut self, count: u64, out: &mut Vec<u8>) -> Result<(), LoadError> {
        self.advance(count)?;
        let start = out.len();
        out.resize(start + usize::try_from(count).expect("at most the head's bound"), 0);
        self.fill(&mut out[start..])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        self.advance(N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, LoadError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self, what: &str, limit: u64) -> Result<String, LoadError> {
        let length = self.u64()?;
        self.check(what, length, limit)?;
        let mut bytes = Vec::new();
        self.append(length, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| self.wrong("a text in its head is not utf-8".into()))
    }

    fn kind(&mut self) -> Result<Kind, LoadError> {
        let number = self.u32()?;
        let kind = usize::try_from(number).ok().and_then(|number| Kind::ALL.get(number));
        kind.copied().ok_or_else(|| self.wrong(format!("a value has type {number}, expected 0 to 12")))
    }

    fn value(&mut self, kind: Kind) -> Result<Value, LoadError> {
        Ok(match kind {
            Kind::U8 => Value::Unsigned(u8::from_le_bytes(self.array()?).into()),
            Kind::U16 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            Kind::U32 => Value::Unsigned(self.u32()?.into()),
            Kind::U64 => Value::Unsigned(self.u64()?),
            Kind::I8 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            Kind::I16 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            Kind::I32 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            Kind::I64 => Value::Signed(i64::from_le_bytes(self.array()?)),
            Kind::F32 => Value::Real(widened(f32::from_le_bytes(self.array()?))),
            Kind::F64 => Value::Real(f64::from_le_bytes(self.array()?)),
            Kind::Bool => match self.array()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [byte] => return Err(self.wrong(format!("a truth value is {byte}, expected 0 or 1"))),
            },
            Kind::Text => Value::Text(self.text("length of a text in bytes", MAX_TEXT_BYTES)?),
            Kind::List => Value::List(self.list(1)?),
        })
    }

    fn list(&mut self, depth: usize) -> Result<List, LoadError> {
        self.check("depth of lists", depth as u64, MAX_LIST_DEPTH as u64)?;
        let (kind, items) = (self.kind()?, self.u64()?);
        self.check("number of items of a list", items, MAX_ITEMS)?;
        let mut bytes = Vec::new();
        match kind {
            Kind::List => {
                for _ in 0..items {
                    self.list(depth + 1)?;
                }
            }
            Kind::Text => {
                for _ in 0..items {
                    let length = self.u64()?;
                    if length > MAX_TEXT_BYTES {
                        self.check("length of a text in bytes", length, MAX_TEXT_BYTES)?;
                    }
                    bytes.extend_from_slice(&length.to_le_bytes());
                    self.append(length, &mut bytes)?;
                }
            }
            _ => self.append(items * kind.bytes().expect("neither text nor list") as u64, &mut bytes)?,
        }
        Ok(List { kind, count: usize::try_from(items).expect("within the bound"), bytes })
    }
}

/// The shortest decimal that is this f32, as f64: 0.00001 comes out as it was meant.
fn widened(number: f32) -> f64 {
    number.to_string().parse().expect("a number prints as a number")
}
