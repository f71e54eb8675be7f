//! Tables as Parquet: required columns of texts, numbers and digests, nothing else.
//!
//! Written by column with zstd where it pays, without dictionaries and statistics, so that twenty rows cost little. Read
//! from anyone: of the library only the footer's parser sees the bytes. Pages are found, unpacked and taken apart here,
//! since the library reserves what a page's header says and panics at a text that is cut.

use std::{
    io::Write,
    ops::Range,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::ColumnChunkMetaData,
        properties::{EnabledStatistics, WriterProperties},
        reader::{FileReader as _, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    schema::types::{ColumnPath, Type},
};
use primitives::Digest;
use thiserror::Error;

/// Rows in one row group: fixed, so that a table has one form.
pub(crate) const GROUP_ROWS: usize = 10_000;
/// The longest footer, whatever the rows.
const FOOTER_MAX_BYTES: usize = 16 << 20;
/// What a footer may take for itself and for each row group: six times what this module writes.
const FOOTER_BASE_BYTES: usize = 64 << 10;
const FOOTER_GROUP_BYTES: usize = 16 << 10;
/// Row groups in one table.
const GROUPS_MAX: usize = 10_000;
/// The longest page, unpacked.
const PAGE_MAX_BYTES: u64 = 64 << 20;
/// Pages of one column in one row group: at most a page for each row.
const PAGES_MAX: usize = GROUP_ROWS;
/// A column below this length is not packed: setting the packer up costs more than it saves.
const PACK_FROM_BYTES: usize = 4 << 10;
/// zstd's own default: beyond it a few per cent of size cost several times the time.
const ZSTD_LEVEL: i32 = 3;
const MAGIC: &[u8; 4] = b"PAR1";
/// Magic, footer's length, and magic at both ends.
const FRAME_BYTES: usize = 12;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8 text that people wrote, which does not shrink without end.
    Prose,
    /// Any other UTF-8 text.
    Text,
    /// Unsigned numbers.
    Number,
    /// 32 bytes.
    Digest,
}

/// A column's name and what it holds.
pub(crate) type Column = (&'static str, Kind);

/// The values of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Of [`Kind::Text`] and [`Kind::Prose`].
    Text(Vec<String>),
    /// Of [`Kind::Number`].
    Number(Vec<u64>),
    /// Of [`Kind::Digest`].
    Digest(Vec<Digest>),
}

/// What a reader lets through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Rows.
    pub(crate) rows_max: usize,
    /// Bytes of all pages unpacked.
    pub(crate) unpacked_max_bytes: u64,
    /// Unpacked bytes of a page of prose per stored one.
    pub(crate) ratio_max: u64,
}

/// Why bytes are no such table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TableError {
    /// More rows than the bound.
    #[error("{found} rows, at most {max} are allowed")]
    Rows { found: u64, max: usize },
    /// A page, or all together, are beyond the bounds.
    #[error("{found} bytes unpacked are beyond the bounds")]
    Unpacked { found: u64 },
    /// Another form.
    #[error("{what}")]
    Form { what: &'static str },
}

fn form<T>(what: &'static str) -> Result<T, TableError> {
    Err(TableError::Form { what })
}

fn damaged(_: ParquetError) -> TableError {
    TableError::Form { what: "table is damaged" }
}

/// The schema of these columns.
pub(crate) fn schema(columns: &[Column]) -> Arc<Type> {
    let field = |(name, kind): &Column| {
        let (physical, logical, length) = match kind {
            Kind::Text | Kind::Prose => (Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
            Kind::Number => (Physical::INT64, Some(LogicalType::integer(64, false)), -1),
            Kind::Digest => (Physical::FIXED_LEN_BYTE_ARRAY, None, 32),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        let built = builder.with_logical_type(logical).with_length(length).build();
        Arc::new(built.expect("a well-formed column"))
    };
    let group = Type::group_type_builder("schema").with_fields(columns.iter().map(field).collect());
    Arc::new(group.build().expect("a well-formed schema"))
}

/// The table as bytes. The columns' values are of equal number and of the columns' kinds.
pub(crate) fn write(columns: &[Column], schema: &Arc<Type>, values: &[Values], rows: usize) -> Vec<u8> {
    let is_packed = |at: usize| values[at].bytes() >= PACK_FROM_BYTES;
    let wrote = || -> Result<Vec<u8>, ParquetError> {
        let mut table = Writer::new(Vec::new(), columns, schema, is_packed)?;
        for first in (0..rows).step_by(GROUP_ROWS) {
            table.group(values, first..rows.min(first + GROUP_ROWS))?;
        }
        table.finish()
    };
    wrote().expect("memory takes any table of the schema")
}

/// A table that is written group by group.
pub(crate) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    /// A table with these columns, of which those are packed that `is_packed` says by their place. Digests, which do
    /// not shrink, never are.
    pub(crate) fn new(
        to: W,
        columns: &[Column],
        schema: &Arc<Type>,
        is_packed: impl Fn(usize) -> bool,
    ) -> Result<Self, ParquetError> {
        static LEVEL: LazyLock<ZstdLevel> =
            LazyLock::new(|| ZstdLevel::try_new(ZSTD_LEVEL).expect("a valid level"));
        let mut properties = WriterProperties::builder()
            .set_created_by("weighhouse".to_owned())
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_dictionary_enabled(false);
        for (at, (name, kind)) in columns.iter().enumerate() {
            if is_packed(at) && *kind != Kind::Digest {
                let path = ColumnPath::from(*name);
                properties = properties.set_column_compression(path, Compression::ZSTD(*LEVEL));
            }
        }
        Ok(Self { file: SerializedFileWriter::new(to, Arc::clone(schema), Arc::new(properties.build()))? })
    }

    /// Appends these rows of the values as one group. All groups but the last have [`GROUP_ROWS`] rows.
    pub(crate) fn group(&mut self, values: &[Values], rows: Range<usize>) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for values in values {
            let mut column = group.next_column()?.expect("as many columns as the schema has");
            match values {
                Values::Text(texts) => {
                    let texts: Vec<ByteArray> =
                        texts[rows.clone()].iter().map(|text| ByteArray::from(text.as_str())).collect();
                    column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
                }
                Values::Number(numbers) => {
                    let numbers: Vec<i64> = numbers[rows.clone()].iter().map(|n| n.cast_signed()).collect();
                    column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
                }
                Values::Digest(digests) => {
                    let digests: Vec<FixedLenByteArray> = digests[rows.clone()]
                        .iter()
                        .map(|digest| FixedLenByteArray::from(digest.0.to_vec()))
                        .collect();
                    column.typed::<FixedLenByteArrayType>().write_batch(&digests, None, None)?;
                }
            }
            column.close()?;
        }
        group.close().map(drop)
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Writes the footer.
    pub(crate) fn finish(self) -> Result<W, ParquetError> {
        self.file.into_inner()
    }
}

/// No values of these columns.
pub(crate) fn empty(columns: &[Column]) -> Vec<Values> {
    columns.iter().map(|(_, kind)| Values::empty(*kind)).collect()
}

impl Values {
    fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Prose => Self::Text(Vec::new()),
            Kind::Number => Self::Number(Vec::new()),
            Kind::Digest => Self::Digest(Vec::new()),
        }
    }

    /// Appends `count` values from a page that holds them and nothing else.
    fn take(&mut self, mut body: &[u8], count: usize) -> Option<()> {
        for _ in 0..count {
            match self {
                Self::Text(texts) => {
                    let (length, rest) = body.split_first_chunk::<4>()?;
                    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                    texts.push(std::str::from_utf8(text).ok()?.to_owned());
                    body = rest;
                }
                Self::Number(numbers) => {
                    let (number, rest) = body.split_first_chunk::<8>()?;
                    numbers.push(u64::from_le_bytes(*number));
                    body = rest;
                }
                Self::Digest(digests) => {
                    let (digest, rest) = body.split_first_chunk::<32>()?;
                    digests.push(Digest(*digest));
                    body = rest;
                }
            }
        }
        body.is_empty().then_some(())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(texts) => texts.iter().map(|text| text.len() + 4).sum(),
            Self::Number(numbers) => numbers.len() * 8,
            Self::Digest(digests) => digests.len() * 32,
        }
    }
}

/// Reads what [`write`] wrote, from anyone.
pub(crate) fn read(
    columns: &[Column],
    schema: &Arc<Type>,
    bytes: &Bytes,
    bounds: Bounds,
) -> Result<(Vec<Values>, usize), TableError> {
    let mut groups = Groups::open(columns, schema, bytes.clone(), bounds)?;
    let (mut read, mut left) = (empty(columns), bounds.unpacked_max_bytes);
    while groups.next_into(&mut read, &mut left)?.is_some() {}
    Ok((read, groups.rows))
}

/// A table that is read group by group.
pub(crate) struct Groups<'a> {
    columns: &'a [Column],
    bytes: Bytes,
    reader: SerializedFileReader<Bytes>,
    bounds: Bounds,
    next: usize,
    rows: usize,
}

impl<'a> Groups<'a> {
    /// The table in these bytes, once its footer says that it has these columns and keeps within the bounds.
    pub(crate) fn open(
        columns: &'a [Column],
        schema: &Arc<Type>,
        bytes: Bytes,
        bounds: Bounds,
    ) -> Result<Self, TableError> {
        let groups_max = bounds.rows_max.div_ceil(GROUP_ROWS).min(GROUPS_MAX);
        let footer = footer_bytes(&bytes)?;
        if footer > FOOTER_MAX_BYTES.min(FOOTER_BASE_BYTES + groups_max * FOOTER_GROUP_BYTES) {
            return form("footer is too long");
        }
        let reader = SerializedFileReader::new(bytes.clone()).map_err(damaged)?;
        let metadata = reader.metadata();
        if metadata.file_metadata().schema() != &**schema {
            return form("table has other columns");
        }
        if metadata.num_row_groups() > groups_max {
            return form("too many row groups");
        }
        Ok(Self { columns, bytes, reader, bounds, next: 0, rows: 0 })
    }

    /// Appends the values of the next group and says how many rows it has; none behind the last. What they unpack to is
    /// taken from `left`.
    pub(crate) fn next_into(
        &mut self,
        read: &mut [Values],
        left: &mut u64,
    ) -> Result<Option<usize>, TableError> {
        let metadata = self.reader.metadata();
        let Some(group) = metadata.row_groups().get(self.next) else { return Ok(None) };
        let found = usize::try_from(group.num_rows()).or(form("row group of another length"))?;
        self.next += 1;
        let is_last = self.next == metadata.num_row_groups();
        if found == 0 || found > GROUP_ROWS || (!is_last && found != GROUP_ROWS) {
            return form("row group of another length");
        }
        self.rows += found;
        if self.rows > self.bounds.rows_max {
            return Err(TableError::Rows { found: self.rows as u64, max: self.bounds.rows_max });
        }
        if group.columns().len() != self.columns.len() {
            return form("row group has other columns");
        }
        for ((chunk, (_, kind)), values) in group.columns().iter().zip(self.columns).zip(read) {
            let ratio_max = if *kind == Kind::Prose { self.bounds.ratio_max } else { u64::MAX };
            read_chunk(chunk, &self.bytes, found, ratio_max, left, values)?;
        }
        Ok(Some(found))
    }
}

/// The footer's length, once the file has the form to find it by.
fn footer_bytes(bytes: &[u8]) -> Result<usize, TableError> {
    let framed = bytes.len() >= FRAME_BYTES && bytes.starts_with(MAGIC) && bytes.ends_with(MAGIC);
    let tail = bytes.get(bytes.len().saturating_sub(8)..).and_then(|tail| tail.first_chunk::<4>());
    match tail.map(|length| u32::from_le_bytes(*length) as usize) {
        Some(length) if framed && length <= bytes.len() - FRAME_BYTES => Ok(length),
        _ => form("not a Parquet file"),
    }
}

/// Reads the pages of one column in one row group, and takes what they unpack to from `left`.
fn read_chunk(
    chunk: &ColumnChunkMetaData,
    bytes: &[u8],
    rows: usize,
    ratio_max: u64,
    left: &mut u64,
    values: &mut Values,
) -> Result<(), TableError> {
    let is_packed = match chunk.compression() {
        Compression::ZSTD(_) => true,
        Compression::UNCOMPRESSED => false,
        _ => return form("column is packed in another way"),
    };
    let place = || {
        let first = usize::try_from(chunk.data_page_offset()).ok()?;
        bytes.get(first..first.checked_add(usize::try_from(chunk.compressed_size()).ok()?)?)
    };
    let Some(mut pages) = place() else { return form("column lies outside of the file") };
    let mut found = 0usize;
    for _ in 0..PAGES_MAX {
        if pages.is_empty() {
            break;
        }
        let (page, length) =
            PageHeader::read(pages).ok_or(TableError::Form { what: "page header is damaged" })?;
        let cut = TableError::Form { what: "page is cut" };
        let (stored, behind) =
            pages.get(length..).and_then(|rest| rest.split_at_checked(page.stored)).ok_or(cut)?;
        pages = behind;
        found = found.saturating_add(page.values);
        if found > rows {
            return form("column has another number of values");
        }
        let size = page.unpacked as u64;
        let ratio_holds = size <= (page.stored as u64).saturating_mul(ratio_max);
        if size > PAGE_MAX_BYTES || size > *left || (is_packed && !ratio_holds) {
            return Err(TableError::Unpacked { found: size });
        }
        *left -= size;
        let unpacked;
        let body = if is_packed {
            let unpack = zstd::bulk::decompress(stored, page.unpacked);
            unpacked = unpack.or(form("page is not packed as it says"))?;
            &unpacked[..]
        } else {
            stored
        };
        if body.len() != page.unpacked {
            return form("page has another length than it says");
        }
        values.take(body, page.values).ok_or(TableError::Form { what: "values are cut or damaged" })?;
    }
    if found == rows && pages.is_empty() { Ok(()) } else { form("column has another number of values") }
}

/// What a page says of itself.
#[derive(Default)]
struct PageHeader {
    unpacked: usize,
    stored: usize,
    values: usize,
}

/// Types of Thrift's compact protocol that are told apart here.
mod thrift {
    pub(super) const I32: u8 = 5;
    pub(super) const STRUCT: u8 = 12;
}

/// Numbers of the Parquet format: a page of values, and values one behind the other.
///
/// Source: parquet-format, `parquet.thrift`, `PageType` and `Encoding`.
mod format {
    pub(super) const DATA_PAGE: i64 = 0;
    pub(super) const PLAIN: i64 = 0;
}

impl PageHeader {
    /// Reads a header as this module's writer writes it, in Thrift's compact protocol; and its length.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut rest = bytes;
        let (mut kind, mut header, mut values) = (None, Self::default(), None);
        let mut field = 0i64;
        while let Some((number, shape)) = next_field(&mut rest, &mut field)? {
            match (number, shape) {
                (1, thrift::I32) => kind = Some(zigzag(&mut rest)?),
                (2, thrift::I32) => header.unpacked = usize::try_from(zigzag(&mut rest)?).ok()?,
                (3, thrift::I32) => header.stored = usize::try_from(zigzag(&mut rest)?).ok()?,
                (4, thrift::I32) => drop(zigzag(&mut rest)?),
                (5, thrift::STRUCT) if values.is_none() => values = Some(plain_values(&mut rest)?),
                _ => return None,
            }
        }
        header.values = values.filter(|_| kind == Some(format::DATA_PAGE))?;
        Some((header, bytes.len() - rest.len()))
    }
}

/// The number of values in a page's inner header, which stand there one behind the other.
fn plain_values(rest: &mut &[u8]) -> Option<usize> {
    let (mut values, mut encoding, mut field) = (None, None, 0i64);
    while let Some((number, shape)) = next_field(rest, &mut field)? {
        match (number, shape) {
            (1, thrift::I32) => values = Some(usize::try_from(zigzag(rest)?).ok()?),
            (2, thrift::I32) => encoding = Some(zigzag(rest)?),
            // How levels would be written, of which required columns have none.
            (3 | 4, thrift::I32) => drop(zigzag(rest)?),
            _ => return None,
        }
    }
    values.filter(|_| encoding == Some(format::PLAIN))
}

/// The next field's number and type; none at the struct's end. The outer option is none for damaged bytes.
#[expect(clippy::option_option, reason = "damaged, ended, or a field")]
fn next_field(rest: &mut &[u8], last: &mut i64) -> Option<Option<(i64, u8)>> {
    let (&head, behind) = rest.split_first()?;
    *rest = behind;
    if head == 0 {
        return Some(None);
    }
    *last = match head >> 4 {
        0 => zigzag(rest)?,
        step => last.checked_add(i64::from(step))?,
    };
    Some(Some((*last, head & 0x0f)))
}

/// A number in zigzag and base 128.
fn zigzag(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
        }
    }
    None
}
