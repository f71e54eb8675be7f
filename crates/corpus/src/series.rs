//! A table of a repository, over as many Parquet files as it takes.
//!
//! [`Series`] writes rows one by one into files that end before they get too long; [`Rows`] reads them back one by one and
//! holds each file to its entry in the manifest. Memory holds the rows of one group, and to read the file they are in.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    slice,
    sync::Arc,
    vec,
};

use parquet::{errors::ParquetError, schema::types::Type};
use primitives::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    document::TEXT_MAX_BYTES,
    manifest::plain_path,
    source::{self, SourceError},
    table::{self, Bounds, Column, GROUP_ROWS, Groups, TableError, Values},
};

/// The longest Parquet file.
pub const FILE_MAX_BYTES: u64 = 128 << 20;
/// Bytes of a group's values beyond which it is written, and its file ended, before it has all its rows.
const GROUP_MAX_BYTES: usize = 64 << 20;
/// What a group may take beyond its values: pages' headers, the footer.
const GROUP_FRAME_BYTES: u64 = 4 << 20;
/// What a group that is read may unpack to: what is written, with the row that reached the bound.
const UNPACKED_MAX_BYTES: u64 = (GROUP_MAX_BYTES + 2 * TEXT_MAX_BYTES) as u64;
/// Rows of one file: those of the shortest kind fit in thrice.
const ROWS_MAX: usize = 10_000_000;

/// One file of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubFile {
    /// Its path in the repository.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes as hexadecimal digits: what Croissant and the Hub's large files go by.
    pub sha256: String,
    /// Its rows; 0 where it is no table.
    pub rows: u64,
}

impl HubFile {
    /// The entry of a file that is no table.
    pub(crate) fn of(path: &str, bytes: &[u8]) -> Self {
        let (length, digest) = (bytes.len() as u64, sha256(bytes));
        Self { path: path.to_owned(), bytes: length, sha256: digest, rows: 0 }
    }

    /// Reads the file below a folder and holds it to the entry.
    ///
    /// # Errors
    /// [`FileError`] where it is missing, or has another length or digest.
    pub(crate) fn read(&self, root: &Path, max: u64) -> Result<Vec<u8>, FileError> {
        let differs = |what: &'static str, expected: String, found: String| {
            let is_so = expected == found;
            let path = self.path.clone();
            if is_so { Ok(()) } else { Err(FileError::Differs { path, what, expected, found }) }
        };
        if !plain_path(&self.path) {
            return Err(FileError::Path { path: self.path.chars().take(100).collect() });
        }
        let bytes = source::read_at_most(&root.join(&self.path), max)?;
        if bytes.len() as u64 > max {
            return Err(FileError::Long { path: self.path.clone(), max });
        }
        differs("bytes", self.bytes.to_string(), bytes.len().to_string())?;
        differs("SHA-256", self.sha256.clone(), sha256(&bytes))?;
        Ok(bytes)
    }
}

fn sha256(bytes: &[u8]) -> String {
    Digest(Sha256::digest(bytes).into()).to_string()
}

/// Why a table can't be written.
#[derive(Debug, Error)]
pub enum SeriesError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] SourceError),
    /// A Parquet file can't be written.
    #[error("cannot write {path}")]
    Table {
        /// The file.
        path: String,
        /// What the library said.
        source: ParquetError,
    },
}

/// A file of a repository is not what the manifest says.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is missing or can't be read.
    #[error(transparent)]
    Io(#[from] SourceError),
    /// Its path leads out of the repository, or differs between systems.
    #[error("path {path:?} is not relative with plain segments")]
    Path {
        /// The path, cut to 100 characters.
        path: String,
    },
    /// It is too long.
    #[error("{path} has more than {max} bytes")]
    Long {
        /// The file.
        path: String,
        /// The limit.
        max: u64,
    },
    /// It differs from its entry.
    #[error("{what} of {path}: the manifest says {expected}, found {found}")]
    Differs {
        /// The file.
        path: String,
        /// Bytes, digest or rows.
        what: &'static str,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// It is no such table.
    #[error("{path} is no table of these columns: {error}")]
    Table {
        /// The file.
        path: String,
        /// What is wrong, in words.
        error: String,
    },
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Text(String),
    Number(u64),
}

/// Where groups and files end.
#[derive(Clone, Copy)]
struct Ends {
    group_rows: usize,
    group_max_bytes: usize,
    file_max_bytes: u64,
}

impl Default for Ends {
    fn default() -> Self {
        Self { group_rows: GROUP_ROWS, group_max_bytes: GROUP_MAX_BYTES, file_max_bytes: FILE_MAX_BYTES }
    }
}

/// A table over as many files as it takes.
pub(crate) struct Series {
    ends: Ends,
    root: PathBuf,
    /// The files' path up to their number.
    stem: &'static str,
    columns: &'static [Column],
    schema: &'static Arc<Type>,
    /// The group under way.
    values: Vec<Values>,
    rows: usize,
    held_bytes: usize,
    open: Option<Open>,
    files: Vec<HubFile>,
}

/// The file under way.
struct Open {
    path: String,
    table: table::Writer<Hashed<BufWriter<File>>>,
    rows: u64,
}

impl Series {
    /// No rows yet, for files below a folder whose paths begin with `stem`.
    pub(crate) fn new(
        root: &Path,
        stem: &'static str,
        columns: &'static [Column],
        schema: &'static Arc<Type>,
    ) -> Self {
        Self {
            ends: Ends::default(),
            root: root.to_owned(),
            stem,
            columns,
            schema,
            values: table::empty(columns),
            rows: 0,
            held_bytes: 0,
            open: None,
            files: Vec::new(),
        }
    }

    /// Appends a row, whose cells are of the columns' kinds.
    pub(crate) fn push(&mut self, row: Vec<Cell>) -> Result<(), SeriesError> {
        for (cell, values) in row.into_iter().zip(&mut self.values) {
            match (cell, values) {
                (Cell::Text(text), Values::Text(texts)) => {
                    self.held_bytes += text.len() + 4;
                    texts.push(text);
                }
                (Cell::Number(number), Values::Number(numbers)) => {
                    self.held_bytes += 8;
                    numbers.push(number);
                }
                _ => unreachable!("cells stand in the columns' order"),
            }
        }
        self.rows += 1;
        if self.rows == self.ends.group_rows {
            return self.end_group();
        }
        if self.held_bytes >= self.ends.group_max_bytes {
            // Only a file's last group may be short.
            self.end_group()?;
            return self.end_file();
        }
        Ok(())
    }

    /// Writes the group under way, into a new file where this one might get too long by it.
    fn end_group(&mut self) -> Result<(), SeriesError> {
        if self.rows == 0 {
            return Ok(());
        }
        let bound = self.held_bytes as u64 + GROUP_FRAME_BYTES;
        if self.open.as_ref().is_some_and(|open| open.table.bytes() + bound > self.ends.file_max_bytes) {
            self.end_file()?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin_file()?,
        };
        let failed = |source| SeriesError::Table { path: open.path.clone(), source };
        open.table.group(&self.values, 0..self.rows).map_err(failed)?;
        open.rows += self.rows as u64;
        self.open = Some(open);
        self.values = table::empty(self.columns);
        (self.rows, self.held_bytes) = (0, 0);
        Ok(())
    }

    fn begin_file(&self) -> Result<Open, SeriesError> {
        let path = format!("{}-{:05}.parquet", self.stem, self.files.len());
        let to = Hashed::new(source::create(&self.root.join(&path))?);
        let table = table::Writer::new(to, self.columns, self.schema, |_| true);
        let table = table.map_err(|source| SeriesError::Table { path: path.clone(), source })?;
        Ok(Open { path, table, rows: 0 })
    }

    fn end_file(&mut self) -> Result<(), SeriesError> {
        let Some(Open { path, table, rows }) = self.open.take() else { return Ok(()) };
        let failed = |source| SeriesError::Table { path: path.clone(), source };
        let mut written = table.finish().map_err(failed)?;
        let ended = written.flush();
        ended.map_err(|source| SourceError::Io {
            path: self.root.join(&path).display().to_string(),
            source,
        })?;
        let (bytes, sha256) = written.sum();
        self.files.push(HubFile { path, bytes, sha256, rows });
        Ok(())
    }

    /// Writes what is held and ends the last file. A table without rows is a file without groups.
    pub(crate) fn finish(&mut self) -> Result<Vec<HubFile>, SeriesError> {
        self.end_group()?;
        if self.open.is_none() && self.files.is_empty() {
            self.open = Some(self.begin_file()?);
        }
        self.end_file()?;
        Ok(std::mem::take(&mut self.files))
    }
}

/// Passes bytes on and takes their digest.
struct Hashed<W> {
    to: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> Hashed<W> {
    fn new(to: W) -> Self {
        Self { to, hasher: Sha256::new(), bytes: 0 }
    }

    /// The number of bytes and their SHA-256.
    fn sum(self) -> (u64, String) {
        let digest: [u8; 32] = self.hasher.finalize().into();
        (self.bytes, Digest(digest).to_string())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The rows of a table that [`Series`] wrote, read from anyone.
pub(crate) struct Rows<'a> {
    root: &'a Path,
    columns: &'static [Column],
    schema: &'static Arc<Type>,
    files: slice::Iter<'a, HubFile>,
    open: Option<OpenTable<'a>>,
    group: Vec<Cells>,
    /// Rows of the group that are left.
    left: usize,
}

/// The file that is being read.
struct OpenTable<'a> {
    file: &'a HubFile,
    groups: Groups<'static>,
    rows: u64,
}

/// What is left of one column's values.
enum Cells {
    Text(vec::IntoIter<String>),
    Number(vec::IntoIter<u64>),
}

/// One row; its cells are asked for in the columns' order.
pub(crate) struct Row(vec::IntoIter<Cell>);

impl Row {
    /// The cells that have not been asked for yet.
    pub(crate) fn cells(&self) -> &[Cell] {
        self.0.as_slice()
    }

    /// Passes over this many cells.
    pub(crate) fn skip(&mut self, cells: usize) {
        for _ in 0..cells {
            self.0.next();
        }
    }

    pub(crate) fn text(&mut self) -> String {
        match self.0.next() {
            Some(Cell::Text(text)) => text,
            _ => unreachable!("the schema was compared: here a text stands"),
        }
    }

    pub(crate) fn number(&mut self) -> u64 {
        match self.0.next() {
            Some(Cell::Number(number)) => number,
            _ => unreachable!("the schema was compared: here a number stands"),
        }
    }
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        root: &'a Path,
        files: &'a [HubFile],
        columns: &'static [Column],
        schema: &'static Arc<Type>,
    ) -> Self {
        Self { root, columns, schema, files: files.iter(), open: None, group: Vec::new(), left: 0 }
    }

    /// The next row; none behind the last of the last file.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, FileError> {
        while self.left == 0 {
            if self.open.is_none() {
                let Some(file) = self.files.next() else { return Ok(None) };
                self.open = Some(self.open(file)?);
            }
            self.read_group()?;
        }
        self.left -= 1;
        let cell = |cells: &mut Cells| match cells {
            Cells::Text(texts) => texts.next().map(Cell::Text),
            Cells::Number(numbers) => numbers.next().map(Cell::Number),
        };
        let row: Vec<Cell> = self.group.iter_mut().filter_map(cell).collect();
        Ok(Some(Row(row.into_iter())))
    }

    fn open(&self, file: &'a HubFile) -> Result<OpenTable<'a>, FileError> {
        let bytes = file.read(self.root, FILE_MAX_BYTES)?;
        let bounds =
            Bounds { rows_max: ROWS_MAX, unpacked_max_bytes: UNPACKED_MAX_BYTES, ratio_max: u64::MAX };
        let groups = Groups::open(self.columns, self.schema, bytes.into(), bounds);
        Ok(OpenTable { file, groups: groups.map_err(|error| damaged(file, &error))?, rows: 0 })
    }

    /// Reads the open file's next group, or ends the file.
    fn read_group(&mut self) -> Result<(), FileError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (mut values, mut left) = (table::empty(self.columns), UNPACKED_MAX_BYTES);
        let read = open.groups.next_into(&mut values, &mut left);
        if let Some(rows) = read.map_err(|error| damaged(open.file, &error))? {
            open.rows += rows as u64;
            self.left = rows;
            let cells = |values| match values {
                Values::Text(texts) => Cells::Text(texts.into_iter()),
                Values::Number(numbers) => Cells::Number(numbers.into_iter()),
                Values::Digest(_) => unreachable!("a repository's tables have no such column"),
            };
            self.group = values.into_iter().map(cells).collect();
            return Ok(());
        }
        let (path, expected, found) = (open.file.path.clone(), open.file.rows, open.rows);
        self.open = None;
        if expected == found {
            return Ok(());
        }
        let (expected, found) = (expected.to_string(), found.to_string());
        Err(FileError::Differs { path, what: "rows", expected, found })
    }
}

fn damaged(file: &HubFile, error: &TableError) -> FileError {
    FileError::Table { path: file.path.clone(), error: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::table::Kind;

    const COLUMNS: [Column; 2] = [("number", Kind::Number), ("digest", Kind::Text)];
    static SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&COLUMNS));

    fn series(root: &Path, ends: Ends) -> Series {
        Series { ends, ..Series::new(root, "data/train", &COLUMNS, &SCHEMA) }
    }

    /// Takes 314 bytes.
    fn row(number: u64) -> Vec<Cell> {
        let digest = |part: u64| Digest::of(&[number, part].map(u64::to_le_bytes).concat()).to_string();
        let digests: String = (0..5).map(digest).collect();
        vec![Cell::Number(number), Cell::Text(digests[..302].to_owned())]
    }

    fn numbers(root: &Path, files: &[HubFile]) -> Result<Vec<u64>, FileError> {
        let mut rows = Rows::new(root, files, &COLUMNS, &SCHEMA);
        let mut found = Vec::new();
        while let Some(mut row) = rows.next()? {
            found.push(row.number());
            row.text();
        }
        Ok(found)
    }

    #[test]
    fn rows_go_over_as_many_files_as_their_bounds_ask_for() {
        let check = |rows: u64, ends: Ends, expect: &[u64]| {
            let root = tempfile::tempdir().unwrap();
            let mut series = series(root.path(), ends);
            for number in 0..rows {
                series.push(row(number)).unwrap();
            }
            let files = series.finish().unwrap();
            let found: Vec<u64> = files.iter().map(|file| file.rows).collect();
            assert_eq!(found, expect, "{rows} rows");
            assert_eq!(numbers(root.path(), &files).unwrap(), (0..rows).collect::<Vec<_>>());
            assert!(files.iter().all(|file| file.bytes <= ends.file_max_bytes));
        };
        let wide = Ends::default();
        check(0, wide, &[0]);
        check(25_000, wide, &[25_000]);
        // A group is full before its rows, and ends its file.
        check(250, Ends { group_max_bytes: 32_200, ..wide }, &[103, 103, 44]);
        // A group of 10,000 rows takes 1.5 MB packed, and is reckoned with its 3.1 MB and a frame before it is.
        check(50_000, Ends { file_max_bytes: 9_400_000, ..wide }, &[20_000, 20_000, 10_000]);
    }

    #[test]
    fn files_are_held_to_their_entries() {
        let root = tempfile::tempdir().unwrap();
        let mut series = series(root.path(), Ends { group_max_bytes: 32_200, ..Ends::default() });
        for number in 0..250 {
            series.push(row(number)).unwrap();
        }
        let files = series.finish().unwrap();
        let refused = |change: &dyn Fn(&mut Vec<HubFile>), expect: &str| {
            let mut files = files.clone();
            change(&mut files);
            let error = numbers(root.path(), &files).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        refused(&|files| files[1].bytes += 1, "bytes of data/train-00001.parquet: ");
        refused(&|files| files[1].sha256.clear(), "SHA-256 of data/train-00001.parquet: ");
        refused(
            &|files| files[1].rows += 1,
            "rows of data/train-00001.parquet: the manifest says 104, found 103",
        );
        refused(
            &|files| files[1].path = "../train-00001.parquet".into(),
            "path \"../train-00001.parquet\" is not",
        );
        let place = root.path().join(&files[2].path);
        let mut bytes = source::read_at_most(&place, u64::MAX).unwrap();
        bytes[100] ^= 1;
        source::write(&place, &bytes).unwrap();
        refused(&|_| {}, "SHA-256 of data/train-00002.parquet: ");
        let forged = HubFile { rows: 44, ..HubFile::of(&files[2].path, &bytes[..bytes.len() - 1]) };
        source::write(&place, &bytes[..bytes.len() - 1]).unwrap();
        refused(
            &|files| files[2] = forged.clone(),
            "data/train-00002.parquet is no table of these columns: ",
        );
    }
}
