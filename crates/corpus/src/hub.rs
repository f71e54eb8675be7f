//! A dataset repository in the layout of the Hugging Face Hub, made of shards.
//!
//! `data/train-00000.parquet` and on have the documents, `ledger/ledger-00000.parquet` and on every decision, `README.md`
//! is the dataset's card, `croissant.json` describes it in MLCommons' terms and `manifest.json` names each file by its
//! digest and each shard by its root. All follow from the shards and [`About`]: equal shards give equal bytes. Shards are
//! taken one at a time; beyond one of them memory holds the rows of one group.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use parquet::{errors::ParquetError, schema::types::Type};
use primitives::{Digest, merkle};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    container::FolderManifest,
    decision::Decision,
    dedup::Likeness,
    extent::Extent,
    shard::Shard,
    source::{self, SourceError},
    table::{self, Column, GROUP_ROWS, Kind, Values},
    tokens,
};

mod card;
mod croissant;

/// The longest Parquet file.
pub const FILE_MAX_BYTES: u64 = 128 << 20;
/// Bytes of a group's values beyond which it is written, and its file ended, before it has all its rows.
const GROUP_MAX_BYTES: usize = 64 << 20;
/// What a group may take beyond its values: pages' headers, the footer.
const GROUP_FRAME_BYTES: u64 = 4 << 20;
/// The longest name of a dataset.
///
/// Source: the Hub's rule for repositories' names.
pub const NAME_MAX_CHARS: usize = 96;
/// Of the manifest's layout.
const VERSION: u32 = 1;

const README_FILE: &str = "README.md";
const CROISSANT_FILE: &str = "croissant.json";
const MANIFEST_FILE: &str = "manifest.json";

/// A column and what it holds, for readers of the card.
struct Described {
    column: Column,
    meaning: &'static str,
}

const fn described(name: &'static str, kind: Kind, meaning: &'static str) -> Described {
    Described { column: (name, kind), meaning }
}

/// The documents' columns.
const DATA: [Described; 16] = [
    described("text", Kind::Prose, "The main text, normalised."),
    described("url", Kind::Text, "The address that the record names; empty for files."),
    described("warc_path", Kind::Text, "The archive, or the file, in its source."),
    described("offset", Kind::Number, "Where the record begins in it, in stored bytes."),
    described("length", Kind::Number, "The record's length in stored bytes."),
    described("record_id", Kind::Text, "The record's own name; empty for files."),
    described("payload_digest", Kind::Text, "BLAKE3 of what the record holds, as hexadecimal digits."),
    described("date", Kind::Text, "When the record was taken, as it says it; empty for files."),
    described("language", Kind::Text, "ISO 639-1, or `und`."),
    described("language_permille", Kind::Number, "How sure the language is, in thousandths."),
    described("token_count", Kind::Number, "The text's length in tokens of `tokenizer`."),
    described("tokenizer", Kind::Text, "What counted the tokens."),
    described("recipe", Kind::Text, "The recipe that made the text, with its version."),
    described(
        "fingerprint",
        Kind::Text,
        "BLAKE3 of the text's words in lower case: equal for cosmetic variants.",
    ),
    described("shard", Kind::Number, "The shard's number in `manifest.json`."),
    described("record", Kind::Number, "The record's row in that shard's ledger."),
];

/// The ledger's columns.
const LEDGER: [Described; 7] = [
    described("shard", Kind::Number, "The shard's number in `manifest.json`."),
    described("warc_path", Kind::Text, "The archive, or the file, in its source."),
    described("offset", Kind::Number, "Where the record begins in it, in stored bytes."),
    described("length", Kind::Number, "The record's length in stored bytes."),
    described("record_type", Kind::Text, "What kind of record it is."),
    described("payload_digest", Kind::Text, "BLAKE3 of what the record holds, as hexadecimal digits."),
    described(
        "decision",
        Kind::Text,
        "`kept`, or why it was dropped; `dup_of:17@…` names a row of the shard with that root.",
    ),
];

static DATA_COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| DATA.iter().map(|one| one.column).collect());
static DATA_SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&DATA_COLUMNS));
static LEDGER_COLUMNS: LazyLock<Vec<Column>> =
    LazyLock::new(|| LEDGER.iter().map(|one| one.column).collect());
static LEDGER_SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&LEDGER_COLUMNS));

/// What shards don't say of the dataset that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The dataset's name, as [`About::check`] takes it.
    pub name: String,
    /// An identifier of the Hub's list of licences, such as `odc-by`.
    pub license: String,
    /// Where the records come from, in a line of the card.
    pub source: String,
}

/// A name or licence is not fit for a repository.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{what} {found:?} must be 1 to {NAME_MAX_CHARS} of the characters a–z, A–Z, 0–9, `-`, `_` and `.`, and begin and end \
     with a letter or digit"
)]
pub struct AboutError {
    /// Name or licence.
    what: &'static str,
    /// The text, cut to [`NAME_MAX_CHARS`] characters.
    found: String,
}

impl About {
    /// Whether name and licence have the form that the Hub takes.
    ///
    /// # Errors
    /// [`AboutError`] for the first that has not.
    pub fn check(&self) -> Result<(), AboutError> {
        for (what, text) in [("name", &self.name), ("licence", &self.license)] {
            let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            let fits = text.len() <= NAME_MAX_CHARS && !text.contains("--") && !text.contains("..");
            if !(fits && plain && ends(text.chars().next()) && ends(text.chars().next_back())) {
                return Err(AboutError { what, found: text.chars().take(NAME_MAX_CHARS).collect() });
            }
        }
        Ok(())
    }
}

/// Why a repository can't be written.
#[derive(Debug, Error)]
pub enum HubError {
    /// A name or licence that the Hub would refuse.
    #[error(transparent)]
    About(#[from] AboutError),
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
    /// A document belongs to no kept row of its ledger.
    #[error("shard {shard} has a document for row {record}, which its ledger does not keep")]
    Stray {
        /// The shard's number.
        shard: u64,
        /// The row that the document names.
        record: u32,
    },
}

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
    /// Its rows.
    pub rows: u64,
}

/// One shard that a repository was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubShard {
    /// What it covers.
    pub extent: Extent,
    /// What it says of itself.
    pub manifest: FolderManifest,
}

/// What a repository says that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubManifest {
    /// Of this layout.
    pub version: u32,
    /// The Merkle root over the shards' roots.
    pub root: Digest,
    /// Records in the shards, kept or not.
    pub records: u64,
    /// Documents.
    pub documents: u64,
    /// Their tokens.
    pub tokens: u64,
    /// What counted them.
    pub tokenizer: String,
    /// Documents of each language.
    pub languages: BTreeMap<String, u64>,
    /// Records of each decision, duplicates together.
    pub decisions: BTreeMap<String, u64>,
    /// The files with documents, in order.
    pub data: Vec<HubFile>,
    /// The files with decisions, in order.
    pub ledger: Vec<HubFile>,
    /// The shards, by their numbers.
    pub shards: Vec<HubShard>,
}

/// Where the document stands that another repeats: `dup_of:17@…` in a repository's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The root of its shard.
    pub root: Digest,
    /// Its row in that shard's ledger.
    pub record: u64,
    /// How it is repeated.
    pub likeness: Likeness,
}

impl Elsewhere {
    /// The decision's name without the place.
    fn kind(&self) -> &'static str {
        match self.likeness {
            Likeness::Exact => "dup_of",
            Likeness::Near => "near_dup_of",
        }
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}@{}", self.kind(), self.record, self.root)
    }
}

/// A repository being written.
pub struct Hub {
    root: PathBuf,
    about: About,
    data: Series,
    ledger: Series,
    manifest: HubManifest,
}

impl Hub {
    /// Begins a repository below a directory, which the caller has seen to be new or empty.
    ///
    /// # Errors
    /// [`HubError::About`] for a name or licence that the Hub would refuse.
    pub fn create(root: &Path, about: About) -> Result<Self, HubError> {
        about.check()?;
        let manifest = HubManifest {
            version: VERSION,
            root: merkle::root(&[]),
            records: 0,
            documents: 0,
            tokens: 0,
            tokenizer: tokens::TOKENIZER.to_owned(),
            languages: BTreeMap::new(),
            decisions: BTreeMap::new(),
            data: Vec::new(),
            ledger: Vec::new(),
            shards: Vec::new(),
        };
        Ok(Self {
            root: root.to_owned(),
            about,
            data: Series::new(root, "data/train", &DATA_COLUMNS, &DATA_SCHEMA),
            ledger: Series::new(root, "ledger/ledger", &LEDGER_COLUMNS, &LEDGER_SCHEMA),
            manifest,
        })
    }

    /// Appends a shard's documents and decisions.
    ///
    /// # Errors
    /// [`HubError`] where a file can't be written or the shard's documents are not those of its kept rows.
    pub fn add(&mut self, extent: Extent, folder: FolderManifest, shard: &Shard) -> Result<(), HubError> {
        self.add_without(extent, folder, shard, &BTreeMap::new())
    }

    /// As [`Hub::add`], but without the documents of these rows of the ledger, which then says where they stand.
    ///
    /// # Errors
    /// As [`Hub::add`]; [`HubError::Stray`] also for a row that the ledger does not keep.
    pub fn add_without(
        &mut self,
        extent: Extent,
        folder: FolderManifest,
        shard: &Shard,
        left_out: &BTreeMap<u32, Elsewhere>,
    ) -> Result<(), HubError> {
        let number = self.manifest.shards.len() as u64;
        let recipe = shard.header.recipe.to_string();
        let is_kept = |record: u32| {
            shard.ledger.rows.get(record as usize).is_some_and(|row| row.decision == Decision::Kept)
        };
        if let Some(&record) = left_out.keys().find(|record| !is_kept(**record)) {
            return Err(HubError::Stray { shard: number, record });
        }
        for document in shard.documents.iter().filter(|document| !left_out.contains_key(&document.record)) {
            let row = shard.ledger.rows.get(document.record as usize);
            let row = row.filter(|row| row.decision == Decision::Kept);
            let row = row.ok_or(HubError::Stray { shard: number, record: document.record })?;
            self.data.push(vec![
                Cell::Text(document.text.clone()),
                Cell::Text(document.url.clone()),
                Cell::Text(row.path.clone()),
                Cell::Number(row.offset_bytes),
                Cell::Number(row.length_bytes),
                Cell::Text(document.record_id.clone()),
                Cell::Text(row.digest.to_string()),
                Cell::Text(document.date.clone()),
                Cell::Text(document.language.clone()),
                Cell::Number(u64::from(document.language_permille)),
                Cell::Number(document.tokens),
                Cell::Text(self.manifest.tokenizer.clone()),
                Cell::Text(recipe.clone()),
                Cell::Text(document.fingerprint.to_string()),
                Cell::Number(number),
                Cell::Number(u64::from(document.record)),
            ])?;
            *self.manifest.languages.entry(document.language.clone()).or_default() += 1;
            self.manifest.documents += 1;
            self.manifest.tokens = self.manifest.tokens.saturating_add(document.tokens);
        }
        for (record, row) in (0..).zip(&shard.ledger.rows) {
            self.ledger.push(vec![
                Cell::Number(number),
                Cell::Text(row.path.clone()),
                Cell::Number(row.offset_bytes),
                Cell::Number(row.length_bytes),
                Cell::Text(row.kind.name().to_owned()),
                Cell::Text(row.digest.to_string()),
                Cell::Text(
                    left_out.get(&record).map_or_else(|| row.decision.to_string(), Elsewhere::to_string),
                ),
            ])?;
        }
        let mut decisions = shard.ledger.decisions();
        for elsewhere in left_out.values() {
            *decisions.entry(Decision::Kept.to_string()).or_default() -= 1;
            *decisions.entry(elsewhere.kind().to_owned()).or_default() += 1;
        }
        for (decision, count) in decisions.into_iter().filter(|(_, count)| *count > 0) {
            *self.manifest.decisions.entry(decision).or_default() += count;
        }
        self.manifest.records += shard.ledger.rows.len() as u64;
        self.manifest.shards.push(HubShard { extent, manifest: folder });
        Ok(())
    }

    /// Ends the tables, and writes card, description and, last, the manifest: a repository that has one is whole.
    ///
    /// # Errors
    /// [`HubError`] where a file can't be written.
    pub fn finish(mut self) -> Result<HubManifest, HubError> {
        self.manifest.data = self.data.finish()?;
        self.manifest.ledger = self.ledger.finish()?;
        let leaves: Vec<Digest> =
            self.manifest.shards.iter().map(|shard| merkle::leaf(&shard.manifest.root.0)).collect();
        self.manifest.root = merkle::root(&leaves);
        let write = |name: &str, text: String| source::write(&self.root.join(name), text.as_bytes());
        write(README_FILE, card::card(&self.about, &self.manifest))?;
        write(CROISSANT_FILE, pretty(&croissant::description(&self.about, &self.manifest)))?;
        write(MANIFEST_FILE, pretty(&self.manifest))?;
        Ok(self.manifest)
    }
}

fn pretty(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value).expect("plain data with string keys");
    format!("{json}\n")
}

/// One value of a row.
enum Cell {
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
struct Series {
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
    fn new(root: &Path, stem: &'static str, columns: &'static [Column], schema: &'static Arc<Type>) -> Self {
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
    fn push(&mut self, row: Vec<Cell>) -> Result<(), HubError> {
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
    fn end_group(&mut self) -> Result<(), HubError> {
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
        let failed = |source| HubError::Table { path: open.path.clone(), source };
        open.table.group(&self.values, 0..self.rows).map_err(failed)?;
        open.rows += self.rows as u64;
        self.open = Some(open);
        self.values = table::empty(self.columns);
        (self.rows, self.held_bytes) = (0, 0);
        Ok(())
    }

    fn begin_file(&self) -> Result<Open, HubError> {
        let path = format!("{}-{:05}.parquet", self.stem, self.files.len());
        let to = Hashed::new(source::create(&self.root.join(&path))?);
        let table = table::Writer::new(to, self.columns, self.schema, |_| true);
        let table = table.map_err(|source| HubError::Table { path: path.clone(), source })?;
        Ok(Open { path, table, rows: 0 })
    }

    fn end_file(&mut self) -> Result<(), HubError> {
        let Some(Open { path, table, rows }) = self.open.take() else { return Ok(()) };
        let failed = |source| HubError::Table { path: path.clone(), source };
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
    fn finish(&mut self) -> Result<Vec<HubFile>, HubError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Bounds;

    fn series(root: &Path, ends: Ends) -> Series {
        Series { ends, ..Series::new(root, "ledger/ledger", &LEDGER_COLUMNS, &LEDGER_SCHEMA) }
    }

    fn row(number: u64) -> Vec<Cell> {
        let text = |name: &str| Cell::Text(format!("{name} {}", Digest::of(&number.to_le_bytes())));
        vec![
            Cell::Number(number),
            text("path"),
            Cell::Number(0),
            Cell::Number(1),
            text("kind"),
            text("digest"),
            text("decision"),
        ]
    }

    /// The shard numbers in a file.
    fn numbers(root: &Path, file: &HubFile) -> Vec<u64> {
        let bytes = source::read_at_most(&root.join(&file.path), u64::MAX).unwrap();
        assert_eq!(bytes.len() as u64, file.bytes);
        assert_eq!(Digest(Sha256::digest(&bytes).into()).to_string(), file.sha256);
        let bounds = Bounds { rows_max: 1 << 20, unpacked_max_bytes: 1 << 30, ratio_max: u64::MAX };
        let (values, rows) = table::read(&LEDGER_COLUMNS, &LEDGER_SCHEMA, &bytes.into(), bounds).unwrap();
        assert_eq!(rows as u64, file.rows);
        let [Values::Number(numbers), ..] = &values[..] else { panic!("numbers come first") };
        numbers.clone()
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
            let all: Vec<u64> = files.iter().flat_map(|file| numbers(root.path(), file)).collect();
            assert_eq!(all, (0..rows).collect::<Vec<_>>());
            assert!(files.iter().all(|file| file.bytes <= ends.file_max_bytes));
        };
        let wide = Ends::default();
        check(0, wide, &[0]);
        check(25_000, wide, &[25_000]);
        // A row takes 322 bytes: a group is full before its rows, and ends its file.
        check(250, Ends { group_max_bytes: 33_000, ..wide }, &[103, 103, 44]);
        // A group of 10,000 rows takes 1.3 MB packed, and is reckoned with its 3.2 MB and a frame before it is.
        check(50_000, Ends { file_max_bytes: 9_400_000, ..wide }, &[20_000, 20_000, 10_000]);
    }

    #[test]
    fn names_are_those_that_the_hub_takes() {
        let check = |name: &str, fits| {
            let about = About { name: name.into(), license: "odc-by".into(), source: String::new() };
            assert_eq!(about.check().is_ok(), fits, "{name:?}");
        };
        check("web-2024.1_en", true);
        check("x", true);
        for name in ["", "-x", "x-", "a b", "a/b", "../x", "a--b", "é", &"x".repeat(97), "x\ny: z"] {
            check(name, false);
        }
    }
}
