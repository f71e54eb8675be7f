//! Files of the safetensors format: a length, a table in JSON, the numbers.
//! Source: the format's description in the README of huggingface/safetensors.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    marker::PhantomData,
    path::Path,
};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor},
};

use super::{LoadError, MAX_DIMENSIONS, MAX_NAME_BYTES, MAX_TENSORS, Place, Source, Tensors, json_depth};
use crate::encoding::Encoding;

/// Most bytes of a table, and of an index; a table of 20,000 tensors has some 3 MB.
pub(crate) const MAX_HEADER_BYTES: usize = 8 << 20;
/// Most files of a model; the largest in use have some 200.
const MAX_FILES: usize = 256;
/// Deepest nesting of JSON; tables have 3 levels.
const MAX_JSON_DEPTH: usize = 64;
/// Bytes before the table: its length.
const LENGTH_BYTES: u64 = 8;
/// A model in one file.
const SINGLE: &str = "model.safetensors";
/// Says which tensor is in which file.
const INDEX: &str = "model.safetensors.index.json";

/// Types of the format that are not read, with the bytes of a number.
const OTHER_TYPES: [(&str, u64); 12] = [
    ("F64", 8),
    ("I64", 8),
    ("U64", 8),
    ("C64", 8),
    ("I32", 4),
    ("U32", 4),
    ("I16", 2),
    ("U16", 2),
    ("I8", 1),
    ("U8", 1),
    ("BOOL", 1),
    ("F8_E4M3", 1),
];

pub(super) fn open_folder(folder: &Path) -> Result<Tensors, LoadError> {
    let index = folder.join(INDEX);
    if folder.join(SINGLE).symlink_metadata().is_ok() || index.symlink_metadata().is_err() {
        let source = Source::open(&folder.join(SINGLE))?;
        return single(source);
    }
    let mut source = Source::open(&index)?;
    let length = source.len;
    let bytes = read_json(&mut source, 0, length, "length of the index in bytes")?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| LoadError::malformed(INDEX, error))?;
    let map = index.weight_map.0;
    let files: BTreeSet<&str> = map.values().map(String::as_str).collect();
    LoadError::check("number of files that the index names", files.len() as u64, MAX_FILES as u64)?;
    let mut tensors = Tensors::new(BTreeMap::new(), Vec::new());
    for file in files {
        if !is_plain(file) {
            let reason = format!("it names the file {:?}, expected a plain name", shortened(file));
            return Err(LoadError::malformed(INDEX, reason));
        }
        let mut source = Source::open(&folder.join(file))?;
        for (name, place) in read_table(&mut source, tensors.sources.len())?.0 {
            if map.get(&name).map(String::as_str) != Some(file) {
                let reason = format!("{file:?} has the tensor {name:?}, which the index does not say");
                return Err(LoadError::malformed(INDEX, reason));
            }
            tensors.places.insert(name, place);
        }
        tensors.sources.push(source);
    }
    match map.iter().find(|(name, _)| !tensors.places.contains_key(*name)) {
        Some((name, file)) => {
            let reason = format!("it says that {file:?} has the tensor {name:?}, which it has not");
            Err(LoadError::malformed(INDEX, reason))
        }
        None => Ok(tensors),
    }
}

/// The tensors of one file, and the texts about it.
pub(super) fn single(mut source: Source) -> Result<Tensors, LoadError> {
    let (places, texts) = read_table(&mut source, 0)?;
    Ok(Tensors { places, texts, sources: vec![source] })
}

/// A name of a file beside the index on any system.
fn is_plain(file: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    file.len() <= MAX_NAME_BYTES && !file.starts_with('.') && !file.is_empty() && file.bytes().all(allowed)
}

/// Tensors by name, and texts by name.
type Read = (BTreeMap<String, Place>, BTreeMap<String, String>);

/// Reads and checks the table of one file, so that each place is known to lie within it.
fn read_table(source: &mut Source, number: usize) -> Result<Read, LoadError> {
    let file = source.name.clone();
    let wrong = |reason: String| LoadError::malformed(&file, reason);
    if source.len < LENGTH_BYTES {
        return Err(wrong(format!("it has {} bytes, expected {LENGTH_BYTES} and a table", source.len)));
    }
    let mut length = [0; 8];
    source.read_at(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    let bytes = read_json(source, LENGTH_BYTES, length, "length of the table in bytes")?;
    if bytes.first() != Some(&b'{') {
        return Err(wrong("its table does not begin with a brace".into()));
    }
    let table: Table = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let mut entries: Vec<(String, Entry)> = table.tensors.into_iter().collect();
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let data = LENGTH_BYTES + length;
    let data_len = source.len - data;
    let (mut end, mut places) = (0, BTreeMap::new());
    for (name, entry) in entries {
        let tensor = || format!("tensor {name:?} of {file}");
        let (encoding, bytes_each) = kind(&entry.dtype).ok_or_else(|| LoadError::Unsupported {
            what: format!("type {:?} of {}", shortened(&entry.dtype), tensor()),
            expected: "F32, F16 or BF16".into(),
        })?;
        let (shape, count) = checked_shape(&entry.shape).map_err(|r| LoadError::malformed(tensor(), r))?;
        let expected = count.checked_mul(bytes_each);
        let [start, stop] = entry.data_offsets;
        let length = stop.checked_sub(start);
        if length.is_none() || length != expected {
            let reason = format!("it lies from {start} to {stop}, expected {bytes_each} bytes × {count}");
            return Err(LoadError::malformed(tensor(), reason));
        }
        if start != end || stop > data_len {
            let reason = format!("it lies from {start} to {stop}, expected {end} to at most {data_len}");
            return Err(LoadError::malformed(tensor(), reason));
        }
        end = stop;
        let place = Place { shape, encoding, source: number, start: data + start, paired_heads: None };
        places.insert(name, place);
    }
    if end != data_len {
        return Err(wrong(format!("{data_len} bytes follow the table, its tensors take {end}")));
    }
    Ok((places, table.texts))
}

/// Reads a text of JSON whose length, and then depth, is within bounds.
fn read_json(source: &mut Source, start: u64, length: u64, what: &str) -> Result<Vec<u8>, LoadError> {
    LoadError::check(format!("{what} of {}", source.name), length, MAX_HEADER_BYTES as u64)?;
    if start + length > source.len {
        let reason = format!("it has {} bytes, expected at least {}", source.len, start + length);
        return Err(LoadError::malformed(&source.name, reason));
    }
    let mut bytes = vec![0; usize::try_from(length).expect("at most 8 MB")];
    source.read_at(start, &mut bytes)?;
    let depth = json_depth(&bytes);
    LoadError::check(format!("depth of the json of {}", source.name), depth as u64, MAX_JSON_DEPTH as u64)?;
    Ok(bytes)
}

/// How a type is read, and the bytes of one number.
fn kind(dtype: &str) -> Option<(Result<Encoding, &'static str>, u64)> {
    let read = [Encoding::F32, Encoding::F16, Encoding::Bf16].into_iter().find(|one| one.name() == dtype);
    match read {
        Some(encoding) => Some((Ok(encoding), encoding.block_bytes() as u64)),
        None => OTHER_TYPES.iter().find(|(name, _)| *name == dtype).map(|(name, bytes)| (Err(*name), *bytes)),
    }
}

/// The shape as sizes in memory, and how many numbers it has.
pub(crate) fn checked_shape(shape: &[u64]) -> Result<(Vec<usize>, u64), String> {
    if shape.len() > MAX_DIMENSIONS {
        return Err(format!("it has {} dimensions, at most {MAX_DIMENSIONS} are allowed", shape.len()));
    }
    let count = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
    let sizes = shape.iter().map(|size| usize::try_from(*size).ok()).collect::<Option<Vec<_>>>();
    match (sizes, count.filter(|count| usize::try_from(*count).is_ok())) {
        (Some(sizes), Some(count)) => Ok((sizes, count)),
        _ => Err(format!("the product of its shape {shape:?} is beyond 64 bits")),
    }
}

#[derive(Deserialize)]
struct Index {
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
    weight_map: Unique<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// An object of JSON in which no name stands twice, with at most [`MAX_TENSORS`] entries.
struct Unique<V>(BTreeMap<String, V>);

impl<V> Unique<V> {
    fn insert<E: serde::de::Error>(&mut self, name: String, value: V) -> Result<(), E> {
        if name.len() > MAX_NAME_BYTES {
            let length = name.len();
            return Err(E::custom(format!(
                "a name has {length} bytes, at most {MAX_NAME_BYTES} are allowed"
            )));
        }
        if self.0.len() == MAX_TENSORS {
            return Err(E::custom(format!("it has more than {MAX_TENSORS} entries")));
        }
        match self.0.insert(name.clone(), value) {
            None => Ok(()),
            Some(_) => Err(E::custom(format!("the name {name:?} stands twice"))),
        }
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Unique<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<V>, A::Error> {
                let mut unique = Unique(BTreeMap::new());
                while let Some((name, value)) = map.next_entry()? {
                    unique.insert(name, value)?;
                }
                Ok(unique)
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

/// The table: tensors by name, beside texts about the file.
struct Table {
    tensors: BTreeMap<String, Entry>,
    texts: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Table;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
                let mut tensors = Unique(BTreeMap::new());
                let mut texts = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name != "__metadata__" {
                        tensors.insert(name, map.next_value::<Entry>()?)?;
                    } else if texts.replace(map.next_value::<Unique<String>>()?).is_some() {
                        return Err(A::Error::custom("the name \"__metadata__\" stands twice"));
                    }
                }
                Ok(Table { tensors: tensors.0, texts: texts.map_or_else(BTreeMap::new, |texts| texts.0) })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The first part of a foreign text, for messages.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(60).map_or(text.len(), |(at, _)| at);
    &text[..end]
}
