//! Shards as bytes, and as a folder that other tools read.
//!
//! Bytes: magic and version (8) · header in SCALE behind its length (4) · ledger behind its length (8) · documents
//! behind theirs (8) · BLAKE3 of everything before (32). Lengths are little endian; ledger and documents are Parquet.
//! A folder has the same parts as files, and a manifest that names them by their digests.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use parity_scale_codec::{Decode, Encode};
use parquet::schema::types::Type;
use primitives::{Digest, Hotkey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    document::{Recipe, TEXT_MAX_BYTES},
    extract::TITLE_MAX_CHARS,
    filter::Signals,
    ledger::{Ledger, LedgerRow},
    manifest::PATH_MAX_BYTES,
    minhash::BANDS,
    page::{NAME_MAX_BYTES, URL_MAX_BYTES},
    shard::{DocumentRow, Header, Shard},
    source::{self, SourceError},
    table::{self, Bounds, Column, Kind, TableError, Values},
    tokens,
};

/// The first bytes of an encoded shard; the last is the version of the encoding.
const MAGIC: [u8; 8] = *b"whshard\x03";
const CHECKSUM_BYTES: usize = 32;
/// Names of recipes are short words.
const RECIPE_ID_MAX_BYTES: usize = 64;
/// A header with the longest name.
const HEADER_MAX_BYTES: usize = 2 + RECIPE_ID_MAX_BYTES + 4 + 32 + 32;
/// The longest manifest of a folder: a few digests and numbers.
const MANIFEST_MAX_BYTES: u64 = 64 << 10;

/// The ledger's columns.
const LEDGER: [Column; 6] = [
    ("warc_path", Kind::Text),
    ("offset", Kind::Number),
    ("length", Kind::Number),
    ("record_type", Kind::Text),
    ("payload_digest", Kind::Digest),
    ("decision", Kind::Text),
];
/// The documents' columns before their signals; `record` is a row of the ledger, which has the rest.
const LABELS: [Column; 13] = [
    ("record", Kind::Number),
    ("url", Kind::Text),
    ("record_id", Kind::Text),
    ("date", Kind::Text),
    ("title", Kind::Text),
    ("published", Kind::Text),
    ("opt_out", Kind::Text),
    ("language", Kind::Text),
    ("language_permille", Kind::Number),
    ("text", Kind::Prose),
    ("token_count", Kind::Number),
    ("fingerprint", Kind::Digest),
    ("minhash_bands", Kind::Text),
];
const SIGNALS: usize = Signals::NAMES.len();
/// The documents' columns.
const DOCUMENTS: [Column; LABELS.len() + SIGNALS] = {
    let mut columns = [("", Kind::Number); LABELS.len() + SIGNALS];
    let mut at = 0;
    while at < columns.len() {
        columns[at] =
            if at < LABELS.len() { LABELS[at] } else { (Signals::NAMES[at - LABELS.len()].0, Kind::Number) };
        at += 1;
    }
    columns
};
/// The longest title, opt-out and bands as texts.
const TITLE_MAX_BYTES: usize = 4 * TITLE_MAX_CHARS;
const OPT_OUT_MAX_BYTES: usize = 64;
/// Hexadecimal digits of a band, and a space between.
const BANDS_TEXT_BYTES: usize = BANDS * 17 - 1;
static LEDGER_SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&LEDGER));
static DOCUMENTS_SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&DOCUMENTS));

/// The files of a folder.
const MANIFEST_FILE: &str = "manifest.json";
const LEDGER_FILE: &str = "ledger.parquet";
const DOCUMENTS_FILE: &str = "data/train-00000.parquet";

/// What a decoder lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest encoding.
    pub encoded_max_bytes: usize,
    /// The most that ledger and documents may unpack to, each.
    pub decoded_max_bytes: usize,
    /// Unpacked bytes of a page of texts per stored one.
    pub ratio_max: usize,
    /// Rows of the ledger, and of documents.
    pub rows_max: usize,
    /// The longest text of one document.
    pub text_max_bytes: usize,
}

impl Default for Limits {
    /// Room for 128 texts of the greatest length, or 65,536 of 4 kB. Prose shrinks three to four times; a page that
    /// shrinks seventy times as well is padding.
    fn default() -> Self {
        Self {
            encoded_max_bytes: 128 << 20,
            decoded_max_bytes: 256 << 20,
            ratio_max: 256,
            rows_max: 1 << 16,
            text_max_bytes: TEXT_MAX_BYTES,
        }
    }
}

/// Why bytes are no shard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// The encoding is too long.
    #[error("shard has {found} bytes, at most {max} are allowed")]
    Encoded {
        /// Bytes given.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A table unpacks, or says that it does, to too much.
    #[error("{what} of {stored} bytes unpacks to {found}, beyond {max} or the allowed ratio")]
    Payload {
        /// Ledger or documents.
        what: &'static str,
        /// Its length as stored, in bytes.
        stored: usize,
        /// What it unpacks to, as far as it was followed.
        found: u64,
        /// The limit.
        max: usize,
    },
    /// The checksum does not match: damaged or cut.
    #[error("checksum does not match: damaged or cut")]
    Checksum,
    /// There are too many rows.
    #[error("{found} rows of {what}, at most {max} are allowed")]
    Rows {
        /// Of the ledger or of documents.
        what: &'static str,
        /// The number found.
        found: u64,
        /// The limit.
        max: usize,
    },
    /// A text, path or name is too long.
    #[error("{what} of row {row} has {found} bytes, at most {max} are allowed")]
    Text {
        /// Which field.
        what: &'static str,
        /// Its row.
        row: usize,
        /// Its length in bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes are of another form or version.
    #[error("not a shard of this version: {what}")]
    Form {
        /// What is wrong.
        what: &'static str,
    },
}

fn form(what: &'static str) -> ShardError {
    ShardError::Form { what }
}

impl Shard {
    /// The shard as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        seal(&self.header, &ledger_table(&self.ledger), &documents_table(&self.documents))
    }

    /// Reads what [`Shard::encode`] wrote. The bytes may come from anyone: no more is allocated than the limits and
    /// the bytes at hand allow.
    ///
    /// # Errors
    /// [`ShardError`] for bytes of another form, damaged, or beyond the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, ShardError> {
        let (header, ledger, documents) = open(bytes, limits)?;
        let ledger = read_ledger(&Bytes::copy_from_slice(ledger), limits)?;
        let documents = read_documents(&Bytes::copy_from_slice(documents), limits)?;
        Ok(Self { header, ledger, documents })
    }

    /// Writes the shard as files below a directory, which is made where it is missing.
    ///
    /// # Errors
    /// [`SourceError::Io`] where the system refuses.
    pub fn write_folder(&self, root: &Path) -> Result<FolderManifest, SourceError> {
        let (ledger, documents) = (ledger_table(&self.ledger), documents_table(&self.documents));
        let manifest = FolderManifest {
            version: FOLDER_VERSION,
            root: self.root(),
            recipe: self.header.recipe.clone(),
            extent: self.header.task,
            miner: self.header.miner,
            records: self.ledger.rows.len() as u64,
            documents: self.documents.len() as u64,
            tokens: self.tokens(),
            tokenizer: tokens::TOKENIZER.to_owned(),
            ledger_digest: Digest::of(&ledger),
            documents_digest: Digest::of(&documents),
        };
        let json = serde_json::to_string_pretty(&manifest).expect("plain data with string keys");
        source::write(&root.join(LEDGER_FILE), &ledger)?;
        source::write(&root.join(DOCUMENTS_FILE), &documents)?;
        // Last, so that a folder with a manifest is whole.
        source::write(&root.join(MANIFEST_FILE), format!("{json}\n").as_bytes())?;
        Ok(manifest)
    }

    /// Reads what [`Shard::write_folder`] wrote, and holds it to its manifest.
    ///
    /// # Errors
    /// [`FolderError`] where files are missing, damaged, beyond the limits or not what the manifest says.
    pub fn open_folder(root: &Path, limits: &Limits) -> Result<(Self, FolderManifest), FolderError> {
        let part = |name: &str, max: u64| -> Result<Vec<u8>, FolderError> {
            let place = root.join(name);
            let bytes = source::read_at_most(&place, max)?;
            if bytes.len() as u64 > max {
                return Err(FolderError::Long { place, max });
            }
            Ok(bytes)
        };
        let manifest = part(MANIFEST_FILE, MANIFEST_MAX_BYTES)?;
        let manifest: FolderManifest = serde_json::from_slice(&manifest).map_err(|error| {
            FolderError::Manifest { place: root.join(MANIFEST_FILE), what: error.to_string() }
        })?;
        let differs = |what: &'static str, expected: &dyn ToString, found: &dyn ToString| {
            let (expected, found) = (expected.to_string(), found.to_string());
            if expected == found { Ok(()) } else { Err(FolderError::Differs { what, expected, found }) }
        };
        differs("version", &FOLDER_VERSION, &manifest.version)?;
        let max = limits.encoded_max_bytes as u64;
        let ledger = part(LEDGER_FILE, max)?;
        differs("digest of the ledger", &manifest.ledger_digest, &Digest::of(&ledger))?;
        let documents = part(DOCUMENTS_FILE, max)?;
        differs("digest of the documents", &manifest.documents_digest, &Digest::of(&documents))?;
        let shard = Self {
            header: Header { recipe: manifest.recipe.clone(), task: manifest.extent, miner: manifest.miner },
            ledger: read_ledger(&ledger.into(), limits)?,
            documents: read_documents(&documents.into(), limits)?,
        };
        differs("number of records", &manifest.records, &shard.ledger.rows.len())?;
        differs("number of documents", &manifest.documents, &shard.documents.len())?;
        differs("number of tokens", &manifest.tokens, &shard.tokens())?;
        differs("root", &manifest.root, &shard.root())?;
        Ok((shard, manifest))
    }
}

const FOLDER_VERSION: u32 = 1;

/// What a folder says that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderManifest {
    /// Of this layout.
    pub version: u32,
    /// [`Shard::root`].
    pub root: Digest,
    /// The recipe that was run.
    pub recipe: Recipe,
    /// [`crate::Extent::digest`] of what the shard covers.
    pub extent: Digest,
    /// The miner.
    pub miner: Hotkey,
    /// Rows of the ledger.
    pub records: u64,
    /// Documents kept.
    pub documents: u64,
    /// Their tokens.
    pub tokens: u64,
    /// What counted them.
    pub tokenizer: String,
    /// The digest of `ledger.parquet`.
    pub ledger_digest: Digest,
    /// The digest of `data/train-00000.parquet`.
    pub documents_digest: Digest,
}

/// Why a folder is no shard.
#[derive(Debug, Error)]
pub enum FolderError {
    /// A file can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is too long.
    #[error("{place} has more than {max} bytes")]
    Long {
        /// The file.
        place: PathBuf,
        /// The limit.
        max: u64,
    },
    /// The manifest can't be understood.
    #[error("{place} is no manifest of a shard: {what}")]
    Manifest {
        /// The file.
        place: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The folder does not hold what its manifest says.
    #[error("{what} is {found}, the manifest says {expected}")]
    Differs {
        /// What differs.
        what: &'static str,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A table can't be read.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// Reads the documents of a Parquet file as [`Shard::write_folder`] lays them out.
///
/// # Errors
/// [`ShardError`] as [`Shard::decode`].
pub fn documents_of_parquet(bytes: Vec<u8>, limits: &Limits) -> Result<Vec<DocumentRow>, ShardError> {
    read_documents(&bytes.into(), limits)
}

/// Reads the ledger of a Parquet file as [`Shard::write_folder`] lays it out.
///
/// # Errors
/// [`ShardError`] as [`Shard::decode`].
pub fn ledger_of_parquet(bytes: Vec<u8>, limits: &Limits) -> Result<Ledger, ShardError> {
    read_ledger(&bytes.into(), limits)
}

fn seal(header: &Header, ledger: &[u8], documents: &[u8]) -> Vec<u8> {
    let header = header.encode();
    let mut bytes =
        Vec::with_capacity(MAGIC.len() + 20 + header.len() + ledger.len() + documents.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&u32::try_from(header.len()).expect("a header is short").to_le_bytes());
    bytes.extend_from_slice(&header);
    for table in [ledger, documents] {
        bytes.extend_from_slice(&(table.len() as u64).to_le_bytes());
        bytes.extend_from_slice(table);
    }
    let checksum = Digest::of(&bytes);
    bytes.extend_from_slice(&checksum.0);
    bytes
}

/// The parts of an encoded shard.
fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Header, &'a [u8], &'a [u8]), ShardError> {
    if bytes.len() > limits.encoded_max_bytes {
        return Err(ShardError::Encoded { found: bytes.len(), max: limits.encoded_max_bytes });
    }
    let (body, checksum) =
        bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(form("shorter than its checksum"))?;
    let rest = body.strip_prefix(&MAGIC).ok_or(form("wrong magic or version"))?;
    if Digest::of(body).0 != *checksum {
        return Err(ShardError::Checksum);
    }
    let cut = || form("a part is cut");
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > HEADER_MAX_BYTES {
        return Err(form("header is too long"));
    }
    let (mut header, mut rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header_damaged = |_| form("header is cut or damaged");
    let read = Header::decode(&mut header).map_err(header_damaged)?;
    check_text("recipe name", 0, read.recipe.id.len(), RECIPE_ID_MAX_BYTES)?;
    if !header.is_empty() {
        return Err(form("bytes left over behind the header"));
    }
    let mut table = || {
        let (length, behind) = rest.split_first_chunk::<8>()?;
        let (table, behind) = behind.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        rest = behind;
        Some(table)
    };
    let (ledger, documents) = (table().ok_or_else(cut)?, table().ok_or_else(cut)?);
    if !rest.is_empty() {
        return Err(form("bytes left over behind the documents"));
    }
    Ok((read, ledger, documents))
}

fn ledger_table(ledger: &Ledger) -> Vec<u8> {
    let rows = &ledger.rows;
    let values = [
        Values::Text(rows.iter().map(|row| row.path.clone()).collect()),
        Values::Number(rows.iter().map(|row| row.offset_bytes).collect()),
        Values::Number(rows.iter().map(|row| row.length_bytes).collect()),
        Values::Text(rows.iter().map(|row| row.kind.name().to_owned()).collect()),
        Values::Digest(rows.iter().map(|row| row.digest).collect()),
        Values::Text(rows.iter().map(|row| row.decision.to_string()).collect()),
    ];
    table::write(&LEDGER, &LEDGER_SCHEMA, &values, rows.len())
}

fn documents_table(rows: &[DocumentRow]) -> Vec<u8> {
    let texts = |field: fn(&DocumentRow) -> &String| {
        Values::Text(rows.iter().map(|row| field(row).clone()).collect())
    };
    let numbers = |field: fn(&DocumentRow) -> u64| Values::Number(rows.iter().map(field).collect());
    let mut values = vec![
        numbers(|row| u64::from(row.record)),
        texts(|row| &row.url),
        texts(|row| &row.record_id),
        texts(|row| &row.date),
        texts(|row| &row.title),
        texts(|row| &row.published),
        Values::Text(rows.iter().map(|row| row.opt_out.to_string()).collect()),
        texts(|row| &row.language),
        numbers(|row| u64::from(row.language_permille)),
        texts(|row| &row.text),
        numbers(|row| row.tokens),
        Values::Digest(rows.iter().map(|row| row.fingerprint).collect()),
        Values::Text(rows.iter().map(|row| bands_text(row.bands)).collect()),
    ];
    for signal in 0..SIGNALS {
        values.push(Values::Number(rows.iter().map(|row| u64::from(row.signals.values()[signal])).collect()));
    }
    table::write(&DOCUMENTS, &DOCUMENTS_SCHEMA, &values, rows.len())
}

/// Bands as hexadecimal digits with spaces between; nothing for none.
pub(crate) fn bands_text(bands: Option<[u64; BANDS]>) -> String {
    let bands: Vec<String> = bands.into_iter().flatten().map(|band| format!("{band:016x}")).collect();
    bands.join(" ")
}

/// Reads what [`bands_text`] wrote, and nothing else.
pub(crate) fn bands_of(text: &str) -> Option<Option<[u64; BANDS]>> {
    if text.is_empty() {
        return Some(None);
    }
    let bands: Result<Vec<u64>, _> = text.split(' ').map(|band| u64::from_str_radix(band, 16)).collect();
    let bands: [u64; BANDS] = bands.ok()?.try_into().ok()?;
    (bands_text(Some(bands)) == text).then_some(Some(bands))
}

fn read_table<const N: usize>(
    what: &'static str,
    columns: &[Column; N],
    schema: &Arc<Type>,
    bytes: &Bytes,
    limits: &Limits,
) -> Result<[Values; N], ShardError> {
    let bounds = Bounds {
        rows_max: limits.rows_max,
        unpacked_max_bytes: limits.decoded_max_bytes as u64,
        ratio_max: limits.ratio_max as u64,
    };
    let (values, _) = table::read(columns, schema, bytes, bounds).map_err(|error| match error {
        TableError::Rows { found, max } => ShardError::Rows { what, found, max },
        TableError::Unpacked { found } => {
            ShardError::Payload { what, stored: bytes.len(), found, max: limits.decoded_max_bytes }
        }
        TableError::Form { what } => ShardError::Form { what },
    })?;
    Ok(values.try_into().expect("a value list for each column"))
}

/// The schema was compared, so that each column has the kind that it should.
fn texts(values: Values) -> std::vec::IntoIter<String> {
    let Values::Text(texts) = values else { unreachable!("a text column") };
    texts.into_iter()
}

fn numbers(values: Values) -> std::vec::IntoIter<u64> {
    let Values::Number(numbers) = values else { unreachable!("a number column") };
    numbers.into_iter()
}

fn digests(values: Values) -> std::vec::IntoIter<Digest> {
    let Values::Digest(digests) = values else { unreachable!("a digest column") };
    digests.into_iter()
}

fn read_ledger(bytes: &Bytes, limits: &Limits) -> Result<Ledger, ShardError> {
    let [paths, offsets, lengths, kinds, payloads, decisions] =
        read_table("ledger", &LEDGER, &LEDGER_SCHEMA, bytes, limits)?;
    let (mut offsets, mut lengths, mut kinds) = (numbers(offsets), numbers(lengths), texts(kinds));
    let (mut payloads, mut decisions) = (digests(payloads), texts(decisions));
    let mut rows = Vec::new();
    for (row, path) in texts(paths).enumerate() {
        check_text("path", row, path.len(), PATH_MAX_BYTES)?;
        let missing = || form("columns of different lengths");
        rows.push(LedgerRow {
            path,
            offset_bytes: offsets.next().ok_or_else(missing)?,
            length_bytes: lengths.next().ok_or_else(missing)?,
            kind: kinds.next().and_then(|kind| kind.parse().ok()).ok_or(form("unknown record type"))?,
            digest: payloads.next().ok_or_else(missing)?,
            decision: decisions.next().and_then(|text| text.parse().ok()).ok_or(form("unknown decision"))?,
        });
    }
    Ok(Ledger { rows })
}

fn read_documents(bytes: &Bytes, limits: &Limits) -> Result<Vec<DocumentRow>, ShardError> {
    let mut columns = read_table("documents", &DOCUMENTS, &DOCUMENTS_SCHEMA, bytes, limits)?.into_iter();
    let mut next = || columns.next().expect("a value list for each column");
    let records = numbers(next());
    let (mut urls, mut ids, mut dates) = (texts(next()), texts(next()), texts(next()));
    let (mut titles, mut days, mut wishes) = (texts(next()), texts(next()), texts(next()));
    let (mut languages, mut permilles, mut bodies) = (texts(next()), numbers(next()), texts(next()));
    let (mut tokens, mut prints, mut bands) = (numbers(next()), digests(next()), texts(next()));
    let mut signals: Vec<_> = columns.map(numbers).collect();
    let mut rows = Vec::new();
    for (row, record) in records.enumerate() {
        let missing = || form("columns of different lengths");
        let text = |what, value: Option<String>, max: usize| {
            let value = value.ok_or_else(missing)?;
            check_text(what, row, value.len(), max).map(|()| value)
        };
        let opt_out = text("opt-out", wishes.next(), OPT_OUT_MAX_BYTES)?;
        let bands = text("MinHash bands", bands.next(), BANDS_TEXT_BYTES)?;
        let mut values = [0; SIGNALS];
        for (value, column) in values.iter_mut().zip(&mut signals) {
            let signal = column.next().ok_or_else(missing)?;
            *value = u32::try_from(signal).map_err(|_| form("signal is beyond 32 bits"))?;
        }
        rows.push(DocumentRow {
            record: u32::try_from(record).map_err(|_| form("record is no row of a ledger"))?,
            url: text("url", urls.next(), URL_MAX_BYTES)?,
            record_id: text("record id", ids.next(), NAME_MAX_BYTES)?,
            date: text("date", dates.next(), NAME_MAX_BYTES)?,
            title: text("title", titles.next(), TITLE_MAX_BYTES)?,
            published: text("day of publication", days.next(), NAME_MAX_BYTES)?,
            opt_out: opt_out.parse().map_err(|_| form("opt-out is no list of wishes"))?,
            language: text("language", languages.next(), NAME_MAX_BYTES)?,
            language_permille: permilles
                .next()
                .and_then(|permille| u16::try_from(permille).ok())
                .ok_or(form("language is surer than sure"))?,
            text: text("text", bodies.next(), limits.text_max_bytes)?,
            tokens: tokens.next().ok_or_else(missing)?,
            fingerprint: prints.next().ok_or_else(missing)?,
            signals: Signals::of_values(values),
            bands: bands_of(&bands).ok_or(form("MinHash bands are not as many numbers"))?,
        });
    }
    Ok(rows)
}

fn check_text(what: &'static str, row: usize, found: usize, max: usize) -> Result<(), ShardError> {
    if found > max { Err(ShardError::Text { what, row, found, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, RECIPE, Reason, RecordKind};

    fn small() -> Shard {
        let row = |path: &str, decision| LedgerRow {
            path: path.into(),
            offset_bytes: 0,
            length_bytes: 5,
            kind: RecordKind::File,
            digest: Digest::of(path.as_bytes()),
            decision,
        };
        Shard {
            header: Header { recipe: RECIPE, task: Digest::of(b"task"), miner: Hotkey::from_bytes([7; 32]) },
            ledger: Ledger {
                rows: vec![row("a.md", Decision::Kept), row("b.md", Decision::Dropped(Reason::Empty))],
            },
            documents: vec![DocumentRow {
                record: 0,
                url: String::new(),
                record_id: String::new(),
                date: String::new(),
                title: "a title".into(),
                published: "2026-11-22".into(),
                opt_out: "noai tdm-reservation".parse().unwrap(),
                language: "en".into(),
                language_permille: 1000,
                text: "text".into(),
                tokens: 1,
                fingerprint: Digest::of(b"f"),
                signals: Signals { words: 1, short_lines_permille: 1000, ..Signals::default() },
                bands: Some(std::array::from_fn(|band| band as u64)),
            }],
        }
    }

    /// A shard whose tables are packed.
    fn large() -> Shard {
        let mut shard = small();
        let (row, document) = (shard.ledger.rows[0].clone(), shard.documents[0].clone());
        shard.ledger.rows =
            (0..400).map(|i| LedgerRow { path: format!("{i:04}.md"), ..row.clone() }).collect();
        let text = |i: u32| format!("document {i} says what its number is, and little else");
        shard.documents =
            (0..400).map(|i| DocumentRow { record: i, text: text(i), ..document.clone() }).collect();
        shard
    }

    #[test]
    fn the_content_decides_the_root() {
        let shard = small();
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()), Ok(shard.clone()));
        let expect = "095787fb1608a275763cc31997d3dc3bf2c4ce5b956d61511d5410638fd647ee";
        assert_eq!(shard.root().to_string(), expect);
        let mut copied = small();
        copied.header.miner = Hotkey::from_bytes([8; 32]);
        assert_ne!(copied.root(), shard.root());
    }

    #[test]
    fn tables_longer_than_a_row_group_are_read_back() {
        let mut shard = large();
        let row = shard.ledger.rows[0].clone();
        shard.ledger.rows = (0..20_001).map(|i| LedgerRow { offset_bytes: i, ..row.clone() }).collect();
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()), Ok(shard));
        let mut empty = small();
        (empty.ledger.rows, empty.documents) = (Vec::new(), Vec::new());
        assert_eq!(Shard::decode(&empty.encode(), &Limits::default()), Ok(empty));
    }

    #[test]
    fn each_limit_is_enforced() {
        let shard = large();
        let bytes = shard.encode();
        let check = |limits: Limits| Shard::decode(&bytes, &limits).unwrap_err();
        let all = Limits::default();
        let encoded_max_bytes = bytes.len() - 1;
        assert!(matches!(check(Limits { encoded_max_bytes, ..all }), ShardError::Encoded { .. }));
        assert!(matches!(check(Limits { decoded_max_bytes: 2000, ..all }), ShardError::Payload { .. }));
        assert!(matches!(check(Limits { ratio_max: 1, ..all }), ShardError::Payload { .. }));
        assert_eq!(
            check(Limits { rows_max: 399, ..all }),
            ShardError::Rows { what: "ledger", found: 400, max: 399 }
        );
        let text = ShardError::Text { what: "text", row: 0, found: 51, max: 50 };
        assert_eq!(check(Limits { text_max_bytes: 50, ..all }), text);
    }

    #[test]
    fn bombs_are_refused_before_they_unfold() {
        let mut shard = small();
        shard.documents[0].text = "a".repeat(8 << 20);
        let refused = Shard::decode(&shard.encode(), &Limits::default());
        assert!(matches!(refused, Err(ShardError::Payload { what: "documents", .. })), "{refused:?}");
        // Labels shrink as they like, up to the bound on all of them.
        let mut shard = large();
        for document in &mut shard.documents {
            document.url = "x".repeat(8 << 10);
        }
        let bytes = shard.encode();
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
        assert_eq!(Shard::decode(&bytes, &Limits::default()).as_ref(), Ok(&shard));
        let refused = Shard::decode(&bytes, &Limits { decoded_max_bytes: 1 << 20, ..Limits::default() });
        assert!(matches!(refused, Err(ShardError::Payload { .. })), "{refused:?}");
    }

    #[test]
    fn what_stands_behind_the_end_is_refused() {
        let bytes = small().encode();
        assert_eq!(
            Shard::decode(&[&bytes[..], b"x"].concat(), &Limits::default()),
            Err(ShardError::Checksum)
        );
        for cut in 0..bytes.len() {
            assert!(Shard::decode(&bytes[..cut], &Limits::default()).is_err(), "{cut}");
        }
        let shard = small();
        let (ledger, documents) = (ledger_table(&shard.ledger), documents_table(&shard.documents));
        let swapped = seal(&shard.header, &documents, &ledger);
        assert_eq!(Shard::decode(&swapped, &Limits::default()), Err(form("table has other columns")));
    }

    #[test]
    fn a_folder_is_held_to_its_manifest() {
        let root = tempfile::tempdir().unwrap();
        let shard = large();
        let manifest = shard.write_folder(root.path()).unwrap();
        let opened = Shard::open_folder(root.path(), &Limits::default()).unwrap();
        assert_eq!(opened, (shard.clone(), manifest.clone()));
        let parquet = documents_table(&shard.documents);
        assert_eq!(documents_of_parquet(parquet.clone(), &Limits::default()).as_ref(), Ok(&shard.documents));
        source::write(&root.path().join(LEDGER_FILE), &parquet).unwrap();
        let differs = Shard::open_folder(root.path(), &Limits::default());
        assert!(
            matches!(differs, Err(FolderError::Differs { what: "digest of the ledger", .. })),
            "{differs:?}"
        );
        shard.write_folder(root.path()).unwrap();
        let forged = FolderManifest { miner: Hotkey::from_bytes([9; 32]), ..manifest };
        source::write(&root.path().join(MANIFEST_FILE), &serde_json::to_vec(&forged).unwrap()).unwrap();
        let differs = Shard::open_folder(root.path(), &Limits::default());
        assert!(matches!(differs, Err(FolderError::Differs { what: "root", .. })), "{differs:?}");
    }

    /// Mutations of the tables under a right checksum: none may panic, none may pass for the shard with another
    /// content. `CORPUS_MUTATIONS` at compile time sets another number of them; 10,000 have been seen to pass.
    #[test]
    fn mutated_tables_never_panic_nor_share_the_root() {
        let count = option_env!("CORPUS_MUTATIONS").and_then(|count| count.parse().ok()).unwrap_or(1_500u64);
        let mut passed = 0;
        for (name, shard) in [("small", small()), ("large", large())] {
            let (ledger, documents) = (ledger_table(&shard.ledger), documents_table(&shard.documents));
            let mut stream = primitives::Seed::from_number(1).stream(name, 0);
            for _ in 0..count / 2 {
                let mut tables = [ledger.clone(), documents.clone()];
                let table = &mut tables[stream.index(2)];
                for _ in 0..=stream.index(3) {
                    // Half of them near the end, where the footer is.
                    let reach = if stream.below(2) == 0 { table.len().min(600) } else { table.len() };
                    let at = table.len() - 1 - stream.index(reach);
                    table[at] = u8::try_from(stream.below(256)).unwrap();
                }
                let bytes = seal(&shard.header, &tables[0], &tables[1]);
                if let Ok(other) = Shard::decode(&bytes, &Limits::default()) {
                    passed += 1;
                    assert_eq!(other.root() == shard.root(), other == shard);
                }
            }
        }
        println!("{passed} of {count} mutated shards could be read");
    }
}
