//! Tables of others as lines of JSON, row group by row group.
//!
//! Rows of a Parquet file have no place among its bytes. Its view has a line of JSON for each, with the named columns in
//! their order and nothing else, so that a row's place and digest are those of a line.

use std::{
    fs::File,
    io::{self, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use ::parquet::{
    basic::Type as Physical,
    column::reader::ColumnReader,
    data_type::ByteArray,
    file::reader::{FileReader as _, SerializedFileReader},
};

use super::{SourceError, archives::open_file, shown, unpacked::RATIO_FROM_BYTES};
use crate::{
    archive::{RATIO_MAX, RECORD_MAX_BYTES},
    layout::Fields,
};

mod pages;

const MAGIC: &[u8; 4] = b"PAR1";
/// Rows that are read at a time, where their pages are small.
const BATCH_ROWS: u64 = 256;
/// The longest footer. Source: as for tables of our own.
const FOOTER_MAX_BYTES: u32 = 16 << 20;
/// What the largest page, and as large a dictionary, of each column of a row group may take together, packed and unpacked:
/// writers make pages of a megabyte, or of a hundred.
const PAGES_MAX_BYTES: u64 = 256 << 20;

/// Whether the file says that it is a Parquet file.
pub(super) fn is_parquet(place: &Path) -> Result<bool, SourceError> {
    let mut magic = Vec::new();
    let read = open_file(place)?.take(4).read_to_end(&mut magic);
    read.map_err(|source| SourceError::Io { path: shown(place), source })?;
    Ok(magic == MAGIC)
}

/// The table as lines of JSON.
pub(super) fn lines(place: &Path, fields: &Fields) -> Result<Box<dyn Read + Send>, SourceError> {
    let failed = |source| SourceError::Io { path: shown(place), source };
    let file = open_file(place)?;
    let stored = file.metadata().map_err(failed)?.len();
    let table = guarded(|| Table::open(file, fields)).map_err(failed)?;
    let left_bytes = stored.saturating_mul(RATIO_MAX).max(RATIO_FROM_BYTES);
    Ok(Box::new(Lines { table, line: Vec::new(), at: 0, stored, left_bytes, is_over: false }))
}

/// Runs code of the library, which panics at some damaged files, and tells that as an error.
fn guarded<T>(code: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let caught = catch_unwind(AssertUnwindSafe(code));
    caught.unwrap_or_else(|_| Err(damaged("the table is damaged")))
}

fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

struct Table {
    file: SerializedFileReader<File>,
    /// The same file, to look at pages before the library does.
    pages: File,
    columns: Vec<(String, usize)>,
    next_group: usize,
    /// Of the row group under way.
    readers: Vec<ColumnReader>,
    left_rows: usize,
    /// Rows that are read at a time, each from pages of its own at worst.
    batch_rows: usize,
    /// Rows that have been read, by column, and the next one of them.
    batch: Vec<Vec<Cell>>,
    next_row: usize,
}

/// A value of a row.
#[derive(Clone)]
enum Cell {
    Null,
    Number(i64),
    Text(ByteArray),
}

impl Table {
    fn open(mut file: File, fields: &Fields) -> io::Result<Self> {
        use io::{Seek as _, SeekFrom};
        let mut tail = [0; 8];
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut tail)?;
        let footer = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        if footer > FOOTER_MAX_BYTES {
            return Err(damaged(format!(
                "the footer has {footer} bytes, at most {FOOTER_MAX_BYTES} are taken"
            )));
        }
        let pages = file.try_clone()?;
        let file = SerializedFileReader::new(file).map_err(damaged)?;
        let schema = file.metadata().file_metadata().schema_descr();
        let mut columns = Vec::new();
        for name in fields.names() {
            let found = (0..schema.num_columns()).find(|at| schema.column(*at).path().string() == name);
            let Some(at) = found else {
                if name == fields.text {
                    return Err(damaged(format!("the table has no column {name:?}")));
                }
                continue;
            };
            let column = schema.column(at);
            let is_taken =
                matches!(column.physical_type(), Physical::BYTE_ARRAY | Physical::INT32 | Physical::INT64);
            if !is_taken || column.max_rep_level() > 0 || column.max_def_level() > 1 {
                return Err(damaged(format!("column {name:?} holds neither texts nor numbers")));
            }
            columns.push((name.to_owned(), at));
        }
        let (readers, batch) = (Vec::new(), Vec::new());
        Ok(Self {
            file,
            pages,
            columns,
            next_group: 0,
            readers,
            left_rows: 0,
            batch_rows: 1,
            batch,
            next_row: 0,
        })
    }

    /// The next row as a line; whether there was one.
    fn line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.batch.first().is_none_or(|column| self.next_row == column.len()) && !self.read_batch()? {
            return Ok(false);
        }
        for (at, ((name, _), cells)) in self.columns.iter().zip(&self.batch).enumerate() {
            out.push(if at == 0 { b'{' } else { b',' });
            serde_json::to_writer(&mut *out, name)?;
            out.push(b':');
            match &cells[self.next_row] {
                Cell::Null => out.extend_from_slice(b"null"),
                Cell::Number(number) => serde_json::to_writer(&mut *out, number)?,
                Cell::Text(text) if text.len() > RECORD_MAX_BYTES => {
                    let length = text.len();
                    return Err(damaged(format!(
                        "a text has {length} bytes, at most {RECORD_MAX_BYTES} are taken"
                    )));
                }
                Cell::Text(text) => serde_json::to_writer(&mut *out, &String::from_utf8_lossy(text.data()))?,
            }
        }
        out.extend_from_slice(b"}\n");
        self.next_row += 1;
        Ok(true)
    }

    /// Reads some more rows; whether there were any.
    fn read_batch(&mut self) -> io::Result<bool> {
        self.batch.clear();
        self.next_row = 0;
        while self.left_rows == 0 {
            if self.next_group == self.file.num_row_groups() {
                return Ok(false);
            }
            let group = self.file.get_row_group(self.next_group).map_err(damaged)?;
            self.next_group += 1;
            self.left_rows = usize::try_from(group.metadata().num_rows()).map_err(damaged)?;
            let mut most = 0u64;
            for (_, at) in &self.columns {
                let chunk = group.metadata().column(*at);
                let first = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
                let first_byte = u64::try_from(first).map_err(damaged)?;
                let length_bytes = u64::try_from(chunk.compressed_size()).map_err(damaged)?;
                most = most.saturating_add(2 * pages::largest(&mut self.pages, first_byte, length_bytes)?);
            }
            if most > PAGES_MAX_BYTES {
                let message =
                    format!("pages take {most} bytes at once, at most {PAGES_MAX_BYTES} are allowed");
                return Err(damaged(message));
            }
            let rows = (PAGES_MAX_BYTES / most.max(1)).clamp(1, BATCH_ROWS);
            self.batch_rows = usize::try_from(rows).map_err(damaged)?;
            let readers = self.columns.iter().map(|(_, at)| group.get_column_reader(*at));
            self.readers = readers.collect::<Result<_, _>>().map_err(damaged)?;
        }
        let rows = self.left_rows.min(self.batch_rows);
        for reader in &mut self.readers {
            self.batch.push(column(reader, rows)?);
        }
        self.left_rows -= rows;
        Ok(true)
    }
}

/// So many values of a column.
fn column(reader: &mut ColumnReader, rows: usize) -> io::Result<Vec<Cell>> {
    let mut levels: Vec<i16> = Vec::new();
    let (read, values): (usize, Vec<Cell>) = match reader {
        ColumnReader::ByteArrayColumnReader(reader) => {
            let mut values = Vec::new();
            let read = all(rows, |rows| reader.read_records(rows, Some(&mut levels), None, &mut values))?;
            (read, values.into_iter().map(Cell::Text).collect())
        }
        ColumnReader::Int32ColumnReader(reader) => {
            let mut values = Vec::new();
            let read = all(rows, |rows| reader.read_records(rows, Some(&mut levels), None, &mut values))?;
            (read, values.into_iter().map(|number| Cell::Number(number.into())).collect())
        }
        ColumnReader::Int64ColumnReader(reader) => {
            let mut values = Vec::new();
            let read = all(rows, |rows| reader.read_records(rows, Some(&mut levels), None, &mut values))?;
            (read, values.into_iter().map(Cell::Number).collect())
        }
        _ => return Err(damaged("a column holds neither texts nor numbers")),
    };
    let mut values = values.into_iter();
    let is_there = |row: usize| levels.get(row).is_none_or(|level| *level > 0);
    let spread: Option<Vec<_>> =
        (0..read).map(|row| if is_there(row) { values.next() } else { Some(Cell::Null) }).collect();
    spread
        .filter(|spread| spread.len() == rows)
        .ok_or_else(|| damaged("a column is shorter than its row group"))
}

/// Reads until there are so many records, or no more.
fn all(
    rows: usize,
    mut read: impl FnMut(usize) -> Result<(usize, usize, usize), ::parquet::errors::ParquetError>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < rows {
        match read(rows - done).map_err(damaged)?.0 {
            0 => break,
            more => done += more,
        }
    }
    Ok(done)
}

struct Lines {
    table: Table,
    line: Vec<u8>,
    at: usize,
    /// Bytes of the file, and of lines that it may still unfold to: a row that a dictionary has takes next to none.
    stored: u64,
    left_bytes: u64,
    is_over: bool,
}

impl Lines {
    /// Reads the next line; whether there was one.
    fn next(&mut self) -> io::Result<bool> {
        let (table, line) = (&mut self.table, &mut self.line);
        if !guarded(|| table.line(line))? {
            return Ok(false);
        }
        self.left_bytes = self.left_bytes.checked_sub(self.line.len() as u64).ok_or_else(|| {
            let stored = self.stored;
            damaged(format!("{stored} bytes unpack to more than {RATIO_MAX} times as many"))
        })?;
        Ok(true)
    }
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() && !self.is_over {
            self.line.clear();
            self.at = 0;
            let more = self.next();
            // What a panic or an error has left is not gone on with.
            self.is_over = !matches!(more, Ok(true));
            if self.is_over {
                self.line.clear();
            }
            more?;
        }
        let ready = &self.line[self.at..];
        let read = ready.len().min(out.len());
        out[..read].copy_from_slice(&ready[..read]);
        self.at += read;
        Ok(read)
    }
}
