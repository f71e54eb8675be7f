//! A dataset repository in the layout of the Hugging Face Hub, made of shards.
//!
//! `data/train-00000.parquet` and on have the documents, `ledger/ledger-00000.parquet` and on every decision, `README.md`
//! is the dataset's card, `croissant.json` describes it in MLCommons' terms and `manifest.json` names each file by its
//! digest and each shard by its root. Where a tokenizer is given, `tokens/train-00000` and on are the documents as
//! [`crate::token_shard`]s. [`check`] reads a repository back. All follow from the shards and [`About`]: equal shards give
//! equal bytes. Shards are taken one at a time; beyond one of them memory holds the rows of one group.

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use parquet::schema::types::Type;
use primitives::{Digest, merkle};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    container::{FolderManifest, bands_text},
    decision::Decision,
    extent::Extent,
    filter::Signals,
    reading::{self, Pool},
    repository::MANIFEST_FILE,
    series::{Cell, Series},
    shard::{DocumentRow, Shard},
    source::{self, SourceError},
    table::{self, Column, Kind},
    token_shard::{self, TokenShardError, TokenShardWriter, Vocabulary},
    tokens,
};

mod card;
pub mod check;
mod croissant;

pub use crate::series::{FILE_MAX_BYTES, FileError, HubFile, SeriesError};

/// The longest name of a dataset.
///
/// Source: the Hub's rule for repositories' names.
pub const NAME_MAX_CHARS: usize = 96;
/// Of the manifest's layout.
const VERSION: u32 = 2;

const README_FILE: &str = "README.md";
const CROISSANT_FILE: &str = "croissant.json";

/// A column and what it holds, for readers of the card.
struct Described {
    column: Column,
    meaning: &'static str,
}

const fn described(name: &'static str, kind: Kind, meaning: &'static str) -> Described {
    Described { column: (name, kind), meaning }
}

/// The documents' columns before their signals.
const LABELS: [Described; 20] = [
    described("text", Kind::Prose, "The main text, normalised."),
    described("url", Kind::Text, "The address that the record names; empty for files."),
    described("warc_path", Kind::Text, "The archive, or the file, in its source."),
    described("offset", Kind::Number, "Where the record begins in it, in stored bytes."),
    described("length", Kind::Number, "The record's length in stored bytes."),
    described("record_id", Kind::Text, "The record's own name; empty for files."),
    described("payload_digest", Kind::Text, "BLAKE3 of what the record holds, as hexadecimal digits."),
    described("date", Kind::Text, "When the record was taken, as it says it; empty for files."),
    described("title", Kind::Text, "The page's title, without its site's name; empty where it has none."),
    described("published", Kind::Text, "The day on which the page says that it was published; else empty."),
    described(
        "opt_out",
        Kind::Text,
        "What page and server ask for, of `noai`, `noimageai`, `noindex`, `tdm-reservation`.",
    ),
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
    described(
        "minhash_bands",
        Kind::Text,
        "14 MinHash bands as hexadecimal digits: documents with one in common at the same place are near duplicates; empty \
         where the task does not ask for such.",
    ),
    described("shard", Kind::Number, "The shard's number in `manifest.json`."),
    described("record", Kind::Number, "The record's row in that shard's ledger."),
];

/// The documents' columns.
static DATA: LazyLock<Vec<Described>> = LazyLock::new(|| {
    let signals = Signals::NAMES.iter().map(|(name, meaning)| described(name, Kind::Number, meaning));
    LABELS.into_iter().chain(signals).collect()
});

/// The ledger's columns.
const LEDGER: [Described; 7] = [
    described("shard", Kind::Number, "The shard's number in `manifest.json`."),
    described("warc_path", Kind::Text, "The archive, or the file, in its source."),
    described("offset", Kind::Number, "Where the record begins in it, in stored bytes."),
    described("length", Kind::Number, "The record's length in stored bytes."),
    described("record_type", Kind::Text, "What kind of record it is."),
    described("payload_digest", Kind::Text, "BLAKE3 of what the record holds, as hexadecimal digits."),
    described("decision", Kind::Text, "`kept`, or why it was dropped."),
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
    /// A table can't be written.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// A token shard can't be written.
    #[error("cannot write {path}")]
    Tokens {
        /// The file, without its ending.
        path: String,
        /// What is wrong.
        source: TokenShardError,
    },
    /// A document has no tokens.
    #[error("document of row {record} of shard {shard} can't be turned into tokens: {what}")]
    Tokenize {
        /// The shard's number.
        shard: u64,
        /// The row of its ledger.
        record: u32,
        /// What the tokenizer said.
        what: String,
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

/// One shard that a repository was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubShard {
    /// What it covers.
    pub extent: Extent,
    /// What it says of itself.
    pub manifest: FolderManifest,
}

/// The tokens of a run of documents: files that [`crate::token_shard`] describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubTokens {
    /// The files' path in the repository, without `.bin`, `.idx` and `.json`.
    pub path: String,
    /// What they hold.
    pub head: token_shard::Head,
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
    /// The documents' tokens, in order; none where no tokenizer was given.
    pub token_shards: Vec<HubTokens>,
    /// Files that are no tables.
    pub files: Vec<HubFile>,
    /// The shards, by their numbers.
    pub shards: Vec<HubShard>,
}

/// A repository being written.
pub struct Hub<'t> {
    root: PathBuf,
    about: About,
    data: Series,
    ledger: Series,
    tokens: Option<Tokens<'t>>,
    manifest: HubManifest,
}

impl<'t> Hub<'t> {
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
            token_shards: Vec::new(),
            files: Vec::new(),
            shards: Vec::new(),
        };
        Ok(Self {
            root: root.to_owned(),
            about,
            data: Series::new(root, "data/train", &DATA_COLUMNS, &DATA_SCHEMA),
            ledger: Series::new(root, "ledger/ledger", &LEDGER_COLUMNS, &LEDGER_SCHEMA),
            tokens: None,
            manifest,
        })
    }

    /// Writes the tokens of each document as well, in the documents' order: those that `tokenize` gives and the one that
    /// the vocabulary has for a document's end.
    #[must_use]
    pub fn with_tokens(mut self, vocabulary: Vocabulary, tokenize: &'t Tokenize<'t>, pool: Pool) -> Self {
        self.tokens = Some(Tokens { vocabulary, tokenize, pool, open: None, bytes: 0 });
        self
    }

    /// Puts a file that is no table into the repository.
    ///
    /// # Errors
    /// [`HubError::Io`] where it can't be written.
    pub fn attach(&mut self, path: &str, bytes: &[u8]) -> Result<(), HubError> {
        source::write(&self.root.join(path), bytes)?;
        self.manifest.files.push(HubFile::of(path, bytes));
        Ok(())
    }

    /// Appends a shard's documents and decisions.
    ///
    /// # Errors
    /// [`HubError`] where a file can't be written or the shard's documents are not those of its kept rows.
    pub fn add(&mut self, extent: Extent, folder: FolderManifest, shard: &Shard) -> Result<(), HubError> {
        let number = self.manifest.shards.len() as u64;
        let recipe = shard.header.recipe.to_string();
        for document in &shard.documents {
            let row = shard.ledger.rows.get(document.record as usize);
            let row = row.filter(|row| row.decision == Decision::Kept);
            let row = row.ok_or(HubError::Stray { shard: number, record: document.record })?;
            let mut cells = vec![
                Cell::Text(document.text.clone()),
                Cell::Text(document.url.clone()),
                Cell::Text(row.path.clone()),
                Cell::Number(row.offset_bytes),
                Cell::Number(row.length_bytes),
                Cell::Text(document.record_id.clone()),
                Cell::Text(row.digest.to_string()),
                Cell::Text(document.date.clone()),
                Cell::Text(document.title.clone()),
                Cell::Text(document.published.clone()),
                Cell::Text(document.opt_out.to_string()),
                Cell::Text(document.language.clone()),
                Cell::Number(u64::from(document.language_permille)),
                Cell::Number(document.tokens),
                Cell::Text(self.manifest.tokenizer.clone()),
                Cell::Text(recipe.clone()),
                Cell::Text(document.fingerprint.to_string()),
                Cell::Text(bands_text(document.bands)),
                Cell::Number(number),
                Cell::Number(u64::from(document.record)),
            ];
            cells.extend(document.signals.values().map(|signal| Cell::Number(u64::from(signal))));
            self.data.push(cells)?;
            *self.manifest.languages.entry(document.language.clone()).or_default() += 1;
        }
        self.add_tokens(number, shard)?;
        for row in &shard.ledger.rows {
            self.ledger.push(vec![
                Cell::Number(number),
                Cell::Text(row.path.clone()),
                Cell::Number(row.offset_bytes),
                Cell::Number(row.length_bytes),
                Cell::Text(row.kind.name().to_owned()),
                Cell::Text(row.digest.to_string()),
                Cell::Text(row.decision.to_string()),
            ])?;
        }
        for (decision, count) in shard.ledger.decisions() {
            *self.manifest.decisions.entry(decision).or_default() += count;
        }
        self.manifest.records += shard.ledger.rows.len() as u64;
        self.manifest.documents += shard.documents.len() as u64;
        self.manifest.tokens = self.manifest.tokens.saturating_add(shard.tokens());
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
        self.end_tokens()?;
        self.attach(README_FILE, card::card(&self.about, &self.manifest).as_bytes())?;
        self.attach(CROISSANT_FILE, pretty(&croissant::description(&self.about, &self.manifest)).as_bytes())?;
        source::write(&self.root.join(MANIFEST_FILE), pretty(&self.manifest).as_bytes())?;
        Ok(self.manifest)
    }

    fn add_tokens(&mut self, number: u64, shard: &Shard) -> Result<(), HubError> {
        let Some(tokens) = &self.tokens else { return Ok(()) };
        let (tokenize, pool) = (tokens.tokenize, tokens.pool);
        let one = |document: &DocumentRow| (document.record, tokenize(&document.text));
        let held = |document: &&DocumentRow| document.text.len() as u64;
        reading::map_in_order(shard.documents.iter(), held, one, pool, |(record, numbers)| {
            let numbers = numbers.map_err(|what| HubError::Tokenize { shard: number, record, what })?;
            self.push_tokens(&numbers)
        })
    }

    fn push_tokens(&mut self, numbers: &[u32]) -> Result<(), HubError> {
        let count = self.manifest.token_shards.len();
        let Some(tokens) = &mut self.tokens else { return Ok(()) };
        let path = format!("tokens/train-{count:05}");
        let failed = |source| HubError::Tokens { path: path.clone(), source };
        let mut open = match tokens.open.take() {
            Some(open) => open,
            None => {
                let create = |ending: &str| source::create(&self.root.join(format!("{path}.{ending}")));
                TokenShardWriter::new(tokens.vocabulary.clone(), create("bin")?, create("idx")?)
                    .map_err(failed)?
            }
        };
        open.push("", |_, to| to.extend(numbers)).map_err(failed)?;
        tokens.open = Some(open);
        tokens.bytes += numbers.len() as u64 * TOKEN_BYTES;
        if tokens.bytes < TOKENS_FILE_BYTES { Ok(()) } else { self.end_tokens() }
    }

    /// Ends the token shard under way.
    fn end_tokens(&mut self) -> Result<(), HubError> {
        let Some(tokens) = &mut self.tokens else { return Ok(()) };
        let Some(open) = tokens.open.take() else { return Ok(()) };
        tokens.bytes = 0;
        let path = format!("tokens/train-{:05}", self.manifest.token_shards.len());
        let head = open.finish().map_err(|source| HubError::Tokens { path: path.clone(), source })?;
        self.attach(&format!("{path}.json"), head.to_json().as_bytes())?;
        self.manifest.token_shards.push(HubTokens { path, head });
        Ok(())
    }
}

/// A function that turns a text into the numbers of its tokens, or says why it can't.
pub type Tokenize<'t> = dyn Fn(&str) -> Result<Vec<u32>, String> + Sync + 't;

/// Bytes of tokens, at four each, from which on a token shard ends.
const TOKENS_FILE_BYTES: u64 = 1 << 30;
const TOKEN_BYTES: u64 = 4;

/// The token shards of a repository that is being written.
struct Tokens<'t> {
    vocabulary: Vocabulary,
    tokenize: &'t Tokenize<'t>,
    pool: Pool,
    open: Option<TokenShardWriter<BufWriter<File>, BufWriter<File>>>,
    /// What the open one holds.
    bytes: u64,
}

fn pretty(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value).expect("plain data with string keys");
    format!("{json}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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
