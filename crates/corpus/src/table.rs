//! Tables as Parquet: required columns of texts, numbers and digests, nothing else.
//!
//! Written by column with zstd where it pays and without statistics, so that twenty rows cost little. Read from anyone:
//! footer, places, sizes, encodings and counts are checked by an own walk over the page headers before the library
//! unpacks a page, since it reserves what a header says.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel},
    column::reader::get_typed_column_reader,
    data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type},
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
/// Pages of one column in one row group: a page for each row, and the dictionary.
const PAGES_MAX: usize = GROUP_ROWS + 1;
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
    /// UTF-8 text.
    Text,
    /// UTF-8 text with few different values.
    Label,
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
    /// Of [`Kind::Text`] and [`Kind::Label`].
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
    /// Bytes of all pages unpacked, and of all texts.
    pub(crate) unpacked_max_bytes: u64,
    /// Unpacked bytes of a page per stored one.
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
            Kind::Text | Kind::Label => (Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
            Kind::Number => {
                (Physical::INT64, Some(LogicalType::Integer { bit_width: 64, is_signed: false }), -1)
            }
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
    let mut properties = WriterProperties::builder()
        .set_created_by("weighhouse".to_owned())
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    for ((name, kind), values) in columns.iter().zip(values) {
        let path = || ColumnPath::from(*name);
        if values.bytes() >= PACK_FROM_BYTES && *kind != Kind::Digest {
            static LEVEL: LazyLock<ZstdLevel> =
                LazyLock::new(|| ZstdLevel::try_new(ZSTD_LEVEL).expect("a valid level"));
            properties = properties.set_column_compression(path(), Compression::ZSTD(*LEVEL));
        }
        if *kind == Kind::Label && rows > GROUP_ROWS / 100 {
            properties = properties.set_column_dictionary_enabled(path(), true);
        }
    }
    let wrote = || -> Result<Vec<u8>, ParquetError> {
        let mut writer = SerializedFileWriter::new(Vec::new(), Arc::clone(schema), Arc::new(properties.build()))?;
        for first in (0..rows).step_by(GROUP_ROWS) {
            let span = first..rows.min(first + GROUP_ROWS);
            let mut group = writer.next_row_group()?;
            for values in values {
                let mut column = group.next_column()?.expect("as many columns as the schema has");
                match values {
                    Values::Text(texts) => {
                        let texts: Vec<ByteArray> =
                            texts[span.clone()].iter().map(|text| ByteArray::from(text.as_str())).collect();
                        column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
                    }
                    Values::Number(numbers) => {
                        let numbers: Vec<i64> = numbers[span.clone()].iter().map(|n| n.cast_signed()).collect();
                        column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
                    }
                    Values::Digest(digests) => {
                        let digests: Vec<FixedLenByteArray> = digests[span.clone()]
                            .iter()
                            .map(|digest| FixedLenByteArray::from(digest.0.to_vec()))
                            .collect();
                        column.typed::<FixedLenByteArrayType>().write_batch(&digests, None, None)?;
                    }
                }
                column.close()?;
            }
            group.close()?;
        }
        writer.into_inner()
    };
    wrote().expect("memory takes any table of the schema")
}

impl Values {
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
    let groups_max = bounds.rows_max.div_ceil(GROUP_ROWS).min(GROUPS_MAX);
    let footer = footer_bytes(bytes)?;
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
    let mut left = Left { unpacked: bounds.unpacked_max_bytes, texts: bounds.unpacked_max_bytes };
    let mut rows = 0usize;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let found = u64::try_from(group.num_rows()).or(form("row group without rows"))?;
        let is_last = number + 1 == metadata.num_row_groups();
        if found == 0 || found > GROUP_ROWS as u64 || (!is_last && found != GROUP_ROWS as u64) {
            return form("row group of another length");
        }
        rows += usize::try_from(found).or(form("row group of another length"))?;
        if rows > bounds.rows_max {
            return Err(TableError::Rows { found: rows as u64, max: bounds.rows_max });
        }
        if group.columns().len() != columns.len() {
            return form("row group has other columns");
        }
        for chunk in group.columns() {
            left.unpacked = left.unpacked.saturating_sub(check_chunk(chunk, bytes, bounds, found, left.unpacked)?);
        }
    }
    let mut read = Vec::with_capacity(columns.len());
    for (at, (_, kind)) in columns.iter().enumerate() {
        read.push(match kind {
            Kind::Text | Kind::Label => Values::Text(read_column::<ByteArrayType, _>(&reader, at, |value| {
                let length = value.data().len() as u64;
                left.texts = left.texts.checked_sub(length).ok_or(TableError::Unpacked { found: length })?;
                value.as_utf8().map(str::to_owned).map_err(|_| TableError::Form { what: "text is not UTF-8" })
            })?),
            Kind::Number => Values::Number(read_column::<Int64Type, _>(&reader, at, |value| Ok(value.cast_unsigned()))?),
            Kind::Digest => Values::Digest(read_column::<FixedLenByteArrayType, _>(&reader, at, |value| {
                value.data().try_into().map(Digest).map_err(|_| TableError::Form { what: "digest of another length" })
            })?),
        });
    }
    Ok((read, rows))
}

/// What may still be unpacked.
struct Left {
    unpacked: u64,
    texts: u64,
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

fn read_column<D: DataType, V>(
    reader: &SerializedFileReader<Bytes>,
    column: usize,
    mut take: impl FnMut(&D::T) -> Result<V, TableError>,
) -> Result<Vec<V>, TableError> {
    let mut taken = Vec::new();
    for (number, group) in reader.metadata().row_groups().iter().enumerate() {
        let rows = usize::try_from(group.num_rows()).or(form("row group of another length"))?;
        let group = reader.get_row_group(number).map_err(damaged)?;
        let mut chunk = get_typed_column_reader::<D>(group.get_column_reader(column).map_err(damaged)?);
        let mut values: Vec<D::T> = Vec::new();
        let (records, _, _) = chunk.read_records(rows + 1, None, None, &mut values).map_err(damaged)?;
        if records != rows || values.len() != rows {
            return form("column has another number of values");
        }
        for value in &values {
            taken.push(take(value)?);
        }
    }
    Ok(taken)
}

/// Checks where a column's pages are and what they say of themselves; the bytes that they unpack to.
fn check_chunk(
    chunk: &ColumnChunkMetaData,
    bytes: &[u8],
    bounds: Bounds,
    rows: u64,
    left: u64,
) -> Result<u64, TableError> {
    if !matches!(chunk.compression(), Compression::ZSTD(_) | Compression::UNCOMPRESSED) {
        return form("column is packed in another way");
    }
    let is_packed = chunk.compression() != Compression::UNCOMPRESSED;
    if u64::try_from(chunk.num_values()) != Ok(rows) {
        return form("column has another number of values");
    }
    let first = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let place = || {
        let (first, length) = (usize::try_from(first).ok()?, usize::try_from(chunk.compressed_size()).ok()?);
        bytes.get(first..first.checked_add(length)?)
    };
    let Some(mut pages) = place() else { return form("column lies outside of the file") };
    let (mut unpacked, mut values) = (0u64, 0u64);
    for _ in 0..PAGES_MAX {
        if pages.is_empty() {
            return if values == rows { Ok(unpacked) } else { form("pages have another number of values") };
        }
        let (page, length) = PageHeader::read(pages).ok_or(TableError::Form { what: "page header is damaged" })?;
        if page.is_dictionary && (values > 0 || unpacked > 0 || chunk.dictionary_page_offset().is_none()) {
            return form("dictionary at another place");
        }
        if page.values > rows {
            return form("page has too many values");
        }
        values += if page.is_dictionary { 0 } else { page.values };
        let ratio_holds = page.unpacked <= page.stored.saturating_mul(bounds.ratio_max);
        let size_holds = if is_packed { ratio_holds } else { page.unpacked == page.stored };
        unpacked = unpacked.saturating_add(page.unpacked);
        if !size_holds || page.unpacked > PAGE_MAX_BYTES || unpacked > left {
            return Err(TableError::Unpacked { found: unpacked });
        }
        let stored = usize::try_from(page.stored).or(form("page is too long"))?;
        pages = pages.get(length..).and_then(|rest| rest.get(stored..)).ok_or(TableError::Form { what: "page is cut" })?;
    }
    form("too many pages")
}

/// What a page says of itself.
#[derive(Default)]
struct PageHeader {
    is_dictionary: bool,
    unpacked: u64,
    stored: u64,
    values: u64,
}

/// Types of Thrift's compact protocol that are told apart here.
mod thrift {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const I32: u8 = 5;
    pub(super) const STRUCT: u8 = 12;
}

/// Numbers of the Parquet format: kinds of pages and encodings.
///
/// Source: parquet-format, `parquet.thrift`.
mod format {
    pub(super) const DATA_PAGE: i64 = 0;
    pub(super) const DICTIONARY_PAGE: i64 = 2;
    pub(super) const PLAIN: i64 = 0;
    pub(super) const PLAIN_DICTIONARY: i64 = 2;
    pub(super) const RLE_DICTIONARY: i64 = 8;
}

impl PageHeader {
    /// Reads a header as this module's writer writes it, in Thrift's compact protocol; and its length.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut rest = bytes;
        let (mut kind, mut header, mut seen) = (None, Self::default(), false);
        let mut field = 0i64;
        while let Some((number, shape)) = next_field(&mut rest, &mut field)? {
            match (number, shape) {
                (1, thrift::I32) => kind = Some(zigzag(&mut rest)?),
                (2, thrift::I32) => header.unpacked = u64::try_from(zigzag(&mut rest)?).ok()?,
                (3, thrift::I32) => header.stored = u64::try_from(zigzag(&mut rest)?).ok()?,
                (4, thrift::I32) => drop(zigzag(&mut rest)?),
                (5 | 7, thrift::STRUCT) if !seen => {
                    seen = true;
                    header.is_dictionary = number == 7;
                    header.values = inner(&mut rest, header.is_dictionary)?;
                }
                _ => return None,
            }
        }
        let wanted = if header.is_dictionary { format::DICTIONARY_PAGE } else { format::DATA_PAGE };
        (seen && kind == Some(wanted)).then_some((header, bytes.len() - rest.len()))
    }
}

/// The number of values in a page's inner header, whose encoding must be one that does not grow.
fn inner(rest: &mut &[u8], is_dictionary: bool) -> Option<u64> {
    let (mut values, mut encoding, mut field) = (None, None, 0i64);
    while let Some((number, shape)) = next_field(rest, &mut field)? {
        match (number, shape) {
            (1, thrift::I32) => values = Some(u64::try_from(zigzag(rest)?).ok()?),
            (2, thrift::I32) => encoding = Some(zigzag(rest)?),
            (3 | 4, thrift::I32) if !is_dictionary => drop(zigzag(rest)?),
            (3, thrift::TRUE | thrift::FALSE) if is_dictionary => {}
            _ => return None,
        }
    }
    let taken = match encoding? {
        format::PLAIN => true,
        format::PLAIN_DICTIONARY | format::RLE_DICTIONARY => true,
        _ => false,
    };
    values.filter(|_| taken)
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
