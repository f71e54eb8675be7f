//! The tensors of a model that a stranger wrote, one at a time as f32.
//!
//! A file's table of tensors is read and checked as a whole before anything else: names, types, shapes, and that the
//! tensors lie in the file without gap or overlap. The numbers are read when they are asked for, in pieces, by file
//! position and with checked lengths: a map of the file into memory would let whoever cuts it short stop the program.
//! This module and its submodules are the crate's only door to files. What it is not: a judge of which tensors a
//! model needs; whoever takes them says so, by name and shape.

mod safetensors;

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::Path,
};

use thiserror::Error;

use crate::{encoding::Encoding, gguf::Gguf};

pub(crate) use safetensors::MAX_HEADER_BYTES;

/// Most tensors of a model: far above the largest of the supported families, some 1,500.
pub(crate) const MAX_TENSORS: usize = 20_000;
/// Most bytes of a tensor's name; the longest in use have some 80.
pub(crate) const MAX_NAME_BYTES: usize = 256;
/// Most dimensions of a tensor.
pub(crate) const MAX_DIMENSIONS: usize = 8;
/// Most characters of a message's reason.
const MAX_REASON_CHARS: usize = 400;
/// About how many bytes are read at once.
const CHUNK_BYTES: usize = 1 << 16;

/// A model's files cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The system refuses.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What was to be read.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// A length or a number is beyond its bound.
    #[error("{what} is {found}, at most {limit} is allowed")]
    TooLarge {
        /// Of what.
        what: String,
        /// What was found.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// The file contradicts its format.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// Which file or part.
        what: String,
        /// How.
        reason: String,
    },
    /// The file is right and asks for what is not done here.
    #[error("{what} is not supported, expected {expected}")]
    Unsupported {
        /// What it asks for.
        what: String,
        /// What is done here.
        expected: String,
    },
    /// A tensor is not there, or was taken before.
    #[error("tensor {name:?} is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape.
    #[error("tensor {name:?} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that was asked for.
        expected: Vec<usize>,
    },
    /// A tensor has a number that is none, or infinity.
    #[error("tensor {name:?} has {value} at place {place}, expected finite numbers")]
    NotFinite {
        /// Its name.
        name: String,
        /// Where, in row-major order.
        place: usize,
        /// What stands there.
        value: String,
    },
    /// Tensors are there that the model has no use for.
    #[error("{count} tensors are left that the model does not have, the first is {first:?}")]
    Left {
        /// How many.
        count: usize,
        /// Name of the first.
        first: String,
    },
}

impl LoadError {
    /// Of a reason only the first part is kept: parsers quote what they were given.
    pub(crate) fn malformed(what: impl Into<String>, reason: impl fmt::Display) -> Self {
        let mut reason = reason.to_string();
        if let Some((end, _)) = reason.char_indices().nth(MAX_REASON_CHARS) {
            reason.truncate(end);
        }
        Self::Malformed { what: what.into(), reason }
    }

    pub(crate) fn unreadable(what: impl Into<String>, error: &io::Error) -> Self {
        Self::Unreadable { what: what.into(), reason: error.to_string() }
    }

    /// Refuses what is beyond its bound.
    pub(crate) fn check(what: impl Into<String>, found: u64, limit: u64) -> Result<(), Self> {
        if found <= limit { Ok(()) } else { Err(Self::TooLarge { what: what.into(), found, limit }) }
    }
}

/// The named tensors of one model, in files or in memory. Each is read and decoded to f32 when it is taken.
#[derive(Debug)]
pub struct Tensors {
    places: BTreeMap<String, Place>,
    /// Texts about a single file of the safetensors format.
    texts: BTreeMap<String, String>,
    sources: Vec<Source>,
}

/// Where a tensor lies, and how.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Slowest dimension first.
    pub(crate) shape: Vec<usize>,
    /// How its numbers are written down; for a type that is known and not read, the type's name.
    pub(crate) encoding: Result<Encoding, &'static str>,
    /// Which of the sources.
    pub(crate) source: usize,
    /// First byte in the source.
    pub(crate) start: u64,
    /// Heads whose rows stand in pairs, first half and second half in turn, and are put back when taken.
    pub(crate) paired_heads: Option<usize>,
}

impl Tensors {
    /// The tensors of a folder with `model.safetensors`, or with `model.safetensors.index.json` and the at most 256
    /// files that it names.
    ///
    /// # Errors
    /// A file is missing, a symbolic link, not regular, or breaks a rule of the format: at most 8 MB of header and of
    /// index, at most 20,000 tensors, no name twice, tensors that fill the file without gap or overlap, each in
    /// exactly the file that the index names.
    pub fn from_safetensors(folder: &Path) -> Result<Self, LoadError> {
        safetensors::open_folder(folder)
    }

    /// The tensors of one safetensors file in memory.
    ///
    /// # Errors
    /// As [`Tensors::from_safetensors`].
    pub fn from_safetensors_bytes(bytes: Vec<u8>) -> Result<Self, LoadError> {
        safetensors::single(Source::from_bytes("safetensors file", bytes))
    }

    /// The tensors of one safetensors file, whatever its name.
    pub(crate) fn from_safetensors_file(path: &Path) -> Result<Self, LoadError> {
        safetensors::single(Source::open(path)?)
    }

    /// The tensors of a GGUF file under Hugging Face's names, in Hugging Face's order of rows and dimensions.
    ///
    /// # Errors
    /// As [`Gguf::open`].
    pub fn from_gguf(path: &Path) -> Result<Self, LoadError> {
        Ok(Gguf::open(path)?.into_tensors())
    }

    pub(crate) fn new(places: BTreeMap<String, Place>, sources: Vec<Source>) -> Self {
        Self { places, texts: BTreeMap::new(), sources }
    }

    /// The texts about a single file of the safetensors format, by name.
    pub(crate) fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// Refuses tensors that are written down in another way.
    pub(crate) fn check_encoding(&self, expected: Encoding) -> Result<(), LoadError> {
        let mut others = self.places.iter().filter(|(_, place)| place.encoding != Ok(expected));
        others.next().map_or(Ok(()), |(name, place)| {
            let kind = place.encoding.map_or_else(|name| name, Encoding::name);
            let what = format!("tensor {name:?} of type {kind}");
            Err(LoadError::Unsupported { what, expected: expected.name().into() })
        })
    }

    /// The names of the tensors that have not been taken, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The shape of a tensor that has not been taken, slowest dimension first.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.places.get(name).map(|place| &place.shape[..])
    }

    /// Reads and decodes a tensor, in row-major order, and takes it out of the set.
    ///
    /// # Errors
    /// It is missing or was taken, has another shape, a type that is not read, a number that is not finite, or the
    /// file has been changed meanwhile.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let place = self.places.get(name).ok_or_else(|| LoadError::Missing { name: name.into() })?;
        if place.shape != shape {
            let (found, expected) = (place.shape.clone(), shape.to_vec());
            return Err(LoadError::Shape { name: name.into(), found, expected });
        }
        let encoding = place.encoding.map_err(|kind| LoadError::Unsupported {
            what: format!("tensor {name:?} of type {kind}"),
            expected: supported(),
        })?;
        // The table was checked against the source's length, so that this product is known to be small enough.
        let mut numbers = vec![0.0; shape.iter().product()];
        self.sources[place.source].decode(place.start, encoding, &mut numbers)?;
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            let value = numbers[at].to_string();
            return Err(LoadError::NotFinite { name: name.into(), place: at, value });
        }
        if let Some(heads) = place.paired_heads {
            numbers = unpaired(&numbers, heads, shape[0]);
        }
        self.places.remove(name);
        Ok(numbers)
    }

    /// Takes a tensor that the model can do without out of the set, unread; says whether it was there.
    pub fn discard(&mut self, name: &str) -> bool {
        self.places.remove(name).is_some()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Tensors are left that were neither taken nor discarded.
    pub fn finish(self) -> Result<(), LoadError> {
        match self.places.keys().next() {
            None => Ok(()),
            Some(first) => Err(LoadError::Left { count: self.places.len(), first: first.clone() }),
        }
    }
}

/// What can be read, for messages.
pub(crate) fn supported() -> String {
    let names: Vec<&str> = Encoding::ALL.iter().map(|one| one.name()).collect();
    names.join(", ")
}

/// Puts the rows of each head back: file row 2i is row i of the first half, file row 2i + 1 of the second.
/// `rows` is a multiple of `2 · heads`.
fn unpaired(numbers: &[f32], heads: usize, rows: usize) -> Vec<f32> {
    let (columns, per_head) = (numbers.len() / rows, rows / heads);
    let mut out = Vec::with_capacity(numbers.len());
    for row in 0..rows {
        let (head, within) = (row / per_head, row % per_head);
        let (half, index) = (within / (per_head / 2), within % (per_head / 2));
        let from = head * per_head + 2 * index + half;
        out.extend_from_slice(&numbers[from * columns..][..columns]);
    }
    out
}

/// A file, or bytes in memory, with a known length.
#[derive(Debug)]
pub(crate) struct Source {
    /// For messages.
    pub(crate) name: String,
    pub(crate) len: u64,
    data: Data,
}

#[derive(Debug)]
enum Data {
    File(File),
    Bytes(Cursor<Vec<u8>>),
}

impl Source {
    pub(crate) fn from_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), len: bytes.len() as u64, data: Data::Bytes(Cursor::new(bytes)) }
    }

    /// Opens a regular file. Links are refused: what an archive of a stranger names lies beside it.
    #[expect(clippy::disallowed_methods, reason = "the crate's one door to files")]
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        let unreadable = |error: io::Error| LoadError::unreadable(&name, &error);
        // Asked before it is opened, too: the opening of a pipe would wait for its writer.
        let before = fs::symlink_metadata(path).map_err(unreadable)?;
        let file = if before.is_file() { Some(File::open(path).map_err(unreadable)?) } else { None };
        match file {
            Some(file) => {
                let now = file.metadata().map_err(unreadable)?;
                Ok(Self { name, len: now.len(), data: Data::File(file) })
            }
            None => {
                let what = if before.is_symlink() { "a symbolic link" } else { "no regular file" };
                Err(LoadError::malformed(name, format!("it is {what}, expected a regular file")))
            }
        }
    }

    /// Fills a buffer from a place on.
    pub(crate) fn read_at(&mut self, start: u64, out: &mut [u8]) -> Result<(), LoadError> {
        let read = self.seek(SeekFrom::Start(start)).and_then(|_| self.read_exact(out));
        read.map_err(|error| LoadError::unreadable(&self.name, &error))
    }

    /// Decodes as many numbers as `out` takes, from a place on. Their number is a multiple of the block's.
    fn decode(&mut self, start: u64, encoding: Encoding, out: &mut [f32]) -> Result<(), LoadError> {
        let blocks = CHUNK_BYTES / encoding.block_bytes();
        let mut bytes = vec![0; blocks * encoding.block_bytes()];
        let mut place = start;
        for out in out.chunks_mut(blocks * encoding.block_len()) {
            let bytes = &mut bytes[..out.len() / encoding.block_len() * encoding.block_bytes()];
            self.read_at(place, bytes)?;
            encoding.decode(bytes, out);
            place += bytes.len() as u64;
        }
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.data {
            Data::File(file) => file.read(out),
            Data::Bytes(bytes) => bytes.read(out),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.data {
            Data::File(file) => file.seek(to),
            Data::Bytes(bytes) => bytes.seek(to),
        }
    }
}

/// How deeply the objects and lists of a JSON text are nested. Brackets within strings don't count; of a text that is
/// no JSON this is at least the depth up to where a parser gives up.
pub(crate) fn json_depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        if in_string {
            (escaped, in_string) = (*byte == b'\\' && !escaped, escaped || *byte != b'"');
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_of_json_counts_brackets_outside_of_strings() {
        for (text, depth) in [("1", 0), ("[{}]", 2), (r#"["[[[", {"a\"]": [1]}]"#, 3), (r#""\\" [["#, 2)] {
            assert_eq!(json_depth(text.as_bytes()), depth, "{text}");
        }
    }

    #[test]
    fn paired_rows_are_put_back() {
        // Two heads of four rows of one number: the file has rows 0, 2, 1, 3 of each head.
        assert_eq!(
            unpaired(&[0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0], 2, 8),
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        );
    }
}
