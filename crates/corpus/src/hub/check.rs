//! A repository of shards read back and held to its manifest.
//!
//! [`Repository::open`] looks at the files, [`Repository::shards`] puts the shards together again, one at a time.
//! Whether a shard's records are what the source has is checked as for any shard, by [`crate::verify`], before
//! [`Claimed::check_totals`] says whether it is the one that was committed to: a changed record is then named.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    slice,
};

use primitives::{Digest, merkle};

use super::{DATA_COLUMNS, DATA_SCHEMA, HubManifest, HubShard, LEDGER_COLUMNS, LEDGER_SCHEMA, VERSION};
use crate::{
    container::bands_of,
    decision::Decision,
    filter::Signals,
    ledger::{Ledger, LedgerRow},
    optout::OptOut,
    repository::{self, ATTACHED_MAX_BYTES, Damage},
    series::{FileError, Row, Rows},
    shard::{DocumentRow, Header, Shard},
    source,
    token_shard::TokenShard,
    tokens,
};

/// Characters of a value that are quoted.
const QUOTE_CHARS: usize = 160;

/// A repository whose files are those that its manifest names.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    manifest: HubManifest,
}

impl Repository {
    /// Reads a repository's manifest and holds the files to it: none is missing, none is there besides, and those that
    /// are no tables have the digests that it says. Tables are held to theirs as they are read.
    ///
    /// # Errors
    /// [`Damage`] with the file that is not what it should be.
    pub fn open(root: &Path) -> Result<Self, Damage> {
        let manifest: HubManifest = repository::manifest(root)?;
        repository::whole("version", VERSION, manifest.version)?;
        repository::whole("tokenizer", tokens::TOKENIZER, manifest.tokenizer.as_str())?;
        let files = manifest.data.iter().chain(&manifest.ledger).chain(&manifest.files);
        let numbers: Vec<String> = manifest
            .token_shards
            .iter()
            .flat_map(|shard| ["bin", "idx"].map(|ending| format!("{}.{ending}", shard.path)))
            .collect();
        let names = files.map(|file| file.path.as_str()).chain(numbers.iter().map(String::as_str));
        repository::no_other_files(root, names)?;
        repository::attached(root, &manifest.files)?;
        let opened = Self { root: root.to_owned(), manifest };
        opened.check_tokens()?;
        Ok(opened)
    }

    /// What the repository says that it holds.
    #[must_use]
    pub fn manifest(&self) -> &HubManifest {
        &self.manifest
    }

    /// A file that is no table; none where there is no such file.
    ///
    /// # Errors
    /// [`Damage::File`] where it is not the one that the manifest names.
    pub fn attached(&self, path: &str) -> Result<Option<Vec<u8>>, Damage> {
        let file = self.manifest.files.iter().find(|file| file.path == path);
        Ok(file.map(|file| file.read(&self.root, ATTACHED_MAX_BYTES)).transpose()?)
    }

    /// The shards, in order.
    #[must_use]
    pub fn shards(&self) -> Shards<'_> {
        let Self { root, manifest } = self;
        Shards {
            manifest,
            number: 0,
            left: manifest.shards.iter(),
            documents: Ahead::new(Rows::new(root, &manifest.data, &DATA_COLUMNS, &DATA_SCHEMA), document),
            ledger: Ahead::new(
                Rows::new(root, &manifest.ledger, &LEDGER_COLUMNS, &LEDGER_SCHEMA),
                ledger_row,
            ),
            counted: Counted::default(),
        }
    }

    /// Whether the token shards are whole and have a document for each document.
    fn check_tokens(&self) -> Result<(), Damage> {
        let shards = &self.manifest.token_shards;
        if shards.is_empty() {
            return Ok(());
        }
        for shard in shards {
            let form = |path: String, what: String| Damage::Form { path, what };
            let head = self.attached(&format!("{}.json", shard.path))?;
            if head.as_deref() != Some(shard.head.to_json().as_bytes()) {
                return Err(form(format!("{}.json", shard.path), "it is not the manifest's".to_owned()));
            }
            let open = |ending: &str| {
                let path = format!("{}.{ending}", shard.path);
                // The path of a file that was read before was seen to be plain.
                source::open(&self.root.join(path)).map_err(FileError::Io)
            };
            let checked = TokenShard::open(shard.head.clone(), open("bin")?, open("idx")?);
            let checked = checked.and_then(|mut shard| shard.check());
            checked.map_err(|error| form(shard.path.clone(), error.to_string()))?;
        }
        let documents = shards.iter().map(|shard| shard.head.documents).sum();
        repository::whole("documents with tokens", self.manifest.documents, documents)
    }
}

/// A shard as the repository has it.
#[derive(Debug)]
pub struct Claimed<'a> {
    /// Its number.
    pub number: u64,
    /// What the repository says of it.
    pub entry: &'a HubShard,
    /// The shard.
    pub shard: Shard,
}

impl Claimed<'_> {
    /// Whether counts and root are those that the manifest says.
    ///
    /// # Errors
    /// [`Damage::Whole`] for the first that differs.
    pub fn check_totals(&self) -> Result<(), Damage> {
        let (number, manifest, shard) = (self.number, &self.entry.manifest, &self.shard);
        let of_shard = |what: &str| format!("{what} of shard {number}");
        repository::whole(&of_shard("records"), manifest.records, shard.ledger.rows.len() as u64)?;
        repository::whole(&of_shard("documents"), manifest.documents, shard.documents.len() as u64)?;
        repository::whole(&of_shard("tokens"), manifest.tokens, shard.tokens())?;
        repository::whole(&of_shard("root"), manifest.root, shard.root())
    }
}

/// See [`Repository::shards`].
pub struct Shards<'a> {
    manifest: &'a HubManifest,
    number: u64,
    left: slice::Iter<'a, HubShard>,
    documents: Ahead<'a, Document>,
    ledger: Ahead<'a, (u64, LedgerRow)>,
    counted: Counted,
}

/// What the shards come to.
#[derive(Default)]
struct Counted {
    records: u64,
    documents: u64,
    tokens: u64,
    languages: BTreeMap<String, u64>,
    decisions: BTreeMap<String, u64>,
}

impl<'a> Shards<'a> {
    /// The next shard; none behind the last, once nothing is left and the manifest's figures are what was found.
    ///
    /// # Errors
    /// [`Damage`] with the file or record that is not what it should be.
    #[expect(clippy::should_implement_trait, reason = "behind an error there is nothing to go on with")]
    pub fn next(&mut self) -> Result<Option<Claimed<'a>>, Damage> {
        let Some(entry) = self.left.next() else { return self.end().map(|()| None) };
        let number = self.number;
        self.number += 1;
        let mut ledger = Ledger::default();
        while let Some((_, row)) = self.ledger.next_if(|(shard, _)| *shard == number)? {
            ledger.rows.push(row);
        }
        let mut documents = Vec::new();
        while let Some(document) = self.documents.next_if(|document| document.shard == number)? {
            documents.push(document.of(entry, &ledger)?);
        }
        let manifest = &entry.manifest;
        let header = Header { recipe: manifest.recipe.clone(), task: manifest.extent, miner: manifest.miner };
        let shard = Shard { header, ledger, documents };
        let counted = &mut self.counted;
        counted.records += shard.ledger.rows.len() as u64;
        counted.documents += shard.documents.len() as u64;
        counted.tokens = counted.tokens.saturating_add(shard.tokens());
        for (decision, count) in shard.ledger.decisions() {
            *counted.decisions.entry(decision).or_default() += count;
        }
        for document in &shard.documents {
            *counted.languages.entry(document.language.clone()).or_default() += 1;
        }
        Ok(Some(Claimed { number, entry, shard }))
    }

    fn end(&mut self) -> Result<(), Damage> {
        let behind = |record: String, shard: u64| Damage::Record {
            record,
            what: "shard",
            expected: format!("one below {}", self.manifest.shards.len()),
            found: shard.to_string(),
        };
        if let Some((shard, row)) = self.ledger.next_if(|_| true)? {
            return Err(behind(row.name().to_string(), shard));
        }
        if let Some(document) = self.documents.next_if(|_| true)? {
            return Err(behind(document.name(), document.shard));
        }
        let (manifest, counted) = (self.manifest, &self.counted);
        repository::whole("records", manifest.records, counted.records)?;
        repository::whole("documents", manifest.documents, counted.documents)?;
        repository::whole("tokens", manifest.tokens, counted.tokens)?;
        let json = |counts: &BTreeMap<String, u64>| serde_json::to_string(counts).expect("plain data");
        repository::whole("languages", json(&manifest.languages), json(&counted.languages))?;
        repository::whole("decisions", json(&manifest.decisions), json(&counted.decisions))?;
        let leaves: Vec<Digest> =
            manifest.shards.iter().map(|shard| merkle::leaf(&shard.manifest.root.0)).collect();
        repository::whole("root", manifest.root, merkle::root(&leaves))
    }
}

/// Rows of which the next is looked at before it is taken.
struct Ahead<'a, T> {
    rows: Rows<'a>,
    read: fn(Row) -> Result<T, Damage>,
    next: Option<T>,
}

impl<'a, T> Ahead<'a, T> {
    fn new(rows: Rows<'a>, read: fn(Row) -> Result<T, Damage>) -> Self {
        Self { rows, read, next: None }
    }

    fn next_if(&mut self, is_wanted: impl FnOnce(&T) -> bool) -> Result<Option<T>, Damage> {
        if self.next.is_none() {
            self.next = self.rows.next()?.map(self.read).transpose()?;
        }
        Ok(self.next.take_if(|next| is_wanted(next)))
    }
}

/// A row of the documents' table.
struct Document {
    path: String,
    offset_bytes: u64,
    length_bytes: u64,
    payload_digest: String,
    tokenizer: String,
    recipe: String,
    fingerprint: String,
    shard: u64,
    opt_out: String,
    bands: String,
    signals: [u64; Signals::NAMES.len()],
    record: u64,
    language_permille: u64,
    /// What it holds, but for what stands above.
    row: DocumentRow,
}

/// Reads the cells in the order of [`super::DATA`].
fn document(mut cells: Row) -> Result<Document, Damage> {
    let (text, url) = (cells.text(), cells.text());
    let (path, offset_bytes, length_bytes) = (cells.text(), cells.number(), cells.number());
    let (record_id, payload_digest, date) = (cells.text(), cells.text(), cells.text());
    let (title, published, opt_out) = (cells.text(), cells.text(), cells.text());
    let (language, language_permille) = (cells.text(), cells.number());
    let (tokens, tokenizer, recipe) = (cells.number(), cells.text(), cells.text());
    let (fingerprint, bands) = (cells.text(), cells.text());
    let (shard, record) = (cells.number(), cells.number());
    let signals = [(); Signals::NAMES.len()].map(|()| cells.number());
    let row = DocumentRow {
        record: 0,
        url,
        record_id,
        date,
        title,
        published,
        opt_out: OptOut::default(),
        language,
        language_permille: 0,
        text,
        tokens,
        fingerprint: Digest([0; 32]),
        signals: Signals::default(),
        bands: None,
    };
    Ok(Document {
        path,
        offset_bytes,
        length_bytes,
        payload_digest,
        tokenizer,
        recipe,
        fingerprint,
        opt_out,
        bands,
        signals,
        shard,
        record,
        language_permille,
        row,
    })
}

impl Document {
    fn name(&self) -> String {
        format!("{}@{}", self.path, self.offset_bytes)
    }

    /// The document in the shard that it says, once what the table repeats of shard and ledger is as it stands there.
    fn of(self, entry: &HubShard, ledger: &Ledger) -> Result<DocumentRow, Damage> {
        let name = self.name();
        let differs = |what, expected: &str, found: &str| {
            let (expected, found) = (quoted(expected), quoted(found));
            Damage::Record { record: name.clone(), what, expected, found }
        };
        let same = |what, expected: String, found: String| {
            if expected == found { Ok(()) } else { Err(differs(what, &expected, &found)) }
        };
        let at = u32::try_from(self.record).ok();
        let kept =
            at.and_then(|at| ledger.rows.get(at as usize)).filter(|row| row.decision == Decision::Kept);
        let (Some(at), Some(kept)) = (at, kept) else {
            return Err(differs("record", "a row of the ledger that is kept", &self.record.to_string()));
        };
        same("warc_path", kept.path.clone(), self.path)?;
        same("offset", kept.offset_bytes.to_string(), self.offset_bytes.to_string())?;
        same("length", kept.length_bytes.to_string(), self.length_bytes.to_string())?;
        same("payload_digest", kept.digest.to_string(), self.payload_digest)?;
        same("tokenizer", tokens::TOKENIZER.to_owned(), self.tokenizer)?;
        same("recipe", entry.manifest.recipe.to_string(), self.recipe)?;
        let fingerprint = self.fingerprint.parse();
        let fingerprint = fingerprint.map_err(|_| differs("fingerprint", "a digest", &self.fingerprint))?;
        let permille = u16::try_from(self.language_permille);
        let language_permille = permille
            .map_err(|_| differs("language_permille", "thousandths", &self.language_permille.to_string()))?;
        let opt_out = self.opt_out.parse();
        let opt_out = opt_out.map_err(|_| differs("opt_out", "a list of wishes", &self.opt_out))?;
        let bands = bands_of(&self.bands);
        let bands = bands.ok_or_else(|| differs("minhash_bands", "14 bands, or none", &self.bands))?;
        let mut signals = [0; Signals::NAMES.len()];
        for ((signal, number), (name, _)) in signals.iter_mut().zip(self.signals).zip(Signals::NAMES) {
            *signal =
                u32::try_from(number).map_err(|_| differs(name, "less than 2^32", &number.to_string()))?;
        }
        let signals = Signals::of_values(signals);
        Ok(DocumentRow { record: at, fingerprint, opt_out, language_permille, signals, bands, ..self.row })
    }
}

/// Reads the cells in the order of [`super::LEDGER`].
fn ledger_row(mut cells: Row) -> Result<(u64, LedgerRow), Damage> {
    let (shard, path, offset_bytes, length_bytes) =
        (cells.number(), cells.text(), cells.number(), cells.number());
    let record = format!("{path}@{offset_bytes}");
    let strange = |what, found: &str| Damage::Record {
        record: record.clone(),
        what,
        expected: "one that there is".to_owned(),
        found: quoted(found),
    };
    let (kind, digest, decision) = (cells.text(), cells.text(), cells.text());
    let row = LedgerRow {
        path,
        offset_bytes,
        length_bytes,
        kind: kind.parse().map_err(|_| strange("record_type", &kind))?,
        digest: digest.parse().map_err(|_| strange("payload_digest", &digest))?,
        decision: decision.parse().map_err(|_| strange("decision", &decision))?,
    };
    Ok((shard, row))
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTE_CHARS).collect()
}
