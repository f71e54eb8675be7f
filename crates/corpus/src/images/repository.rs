//! Pairs as a dataset repository: written, and checked again from the source alone.
//!
//! `data/train-00000.parquet` and on have the pairs, `ledger/ledger-00000.parquet` and on a row for every record of the
//! source with what became of its images, and `manifest.json` names each file by its digest. Equal sources give equal
//! bytes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use parquet::schema::types::Type;
use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::{Images, Pair, RECIPE};
use crate::{
    decision::{Decision, Reason},
    document::Recipe,
    extent::Extent,
    ledger::{Ledger, LedgerRow},
    reading::{self, Pool, Taken},
    repository::{self, CheckError, Damage, MANIFEST_FILE},
    series::{Cell, HubFile, Row, Rows, Series, SeriesError},
    source::{self, Source},
    table::{self, Column, Kind},
};

/// What the manifest says that the repository is.
pub const KIND: &str = "image-text pairs";
/// Of this layout.
const VERSION: u32 = 1;
const README_FILE: &str = "README.md";
/// Characters of a value that are quoted.
const QUOTE_CHARS: usize = 160;

/// The columns of pairs.
const PAIRS: [Column; 21] = [
    ("src", Kind::Text),
    ("alt", Kind::Text),
    ("caption", Kind::Text),
    ("heading", Kind::Text),
    ("text_before", Kind::Text),
    ("text_after", Kind::Text),
    ("link", Kind::Text),
    ("image", Kind::Number),
    ("block", Kind::Number),
    // 1 and a place, or 0 twice.
    ("in_text", Kind::Number),
    ("text_offset", Kind::Number),
    // 0 where it is not declared.
    ("width", Kind::Number),
    ("height", Kind::Number),
    ("url", Kind::Text),
    ("warc_path", Kind::Text),
    ("offset", Kind::Number),
    ("length", Kind::Number),
    ("record_id", Kind::Text),
    ("payload_digest", Kind::Text),
    ("task", Kind::Number),
    ("record", Kind::Number),
];
/// The columns of the ledger.
const LEDGER: [Column; 10] = [
    ("task", Kind::Number),
    ("warc_path", Kind::Text),
    ("offset", Kind::Number),
    ("length", Kind::Number),
    ("record_type", Kind::Text),
    ("payload_digest", Kind::Text),
    ("decision", Kind::Text),
    ("images", Kind::Number),
    ("pairs", Kind::Number),
    ("dropped", Kind::Text),
];
static PAIRS_SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&PAIRS));
static LEDGER_SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&LEDGER));

/// What was found in one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The record's place; the decision is `kept` where its images were looked at.
    pub row: LedgerRow,
    /// The address that the record names; empty for files, and where it has no page.
    pub url: String,
    /// The record's own name; as the address.
    pub record_id: String,
    /// Its images.
    pub images: Images,
}

impl Examined {
    /// Looks at a record. Where `heed_opt_out`, pages that reserve their images are left out; see
    /// [`crate::optout::OptOut::reserves_images`].
    #[must_use]
    pub fn of(taken: &Taken<'_>, heed_opt_out: bool) -> Self {
        let mut row = taken.row();
        let read = taken.page().and_then(|page| {
            if heed_opt_out && page.opt_out.reserves_images() {
                return Err(Reason::OptOut);
            }
            Ok((Images::of(&page)?, page))
        });
        match read {
            Ok((images, page)) => Self { row, url: page.url, record_id: page.record_id, images },
            Err(reason) => {
                row.decision = Decision::Dropped(reason);
                Self { row, url: String::new(), record_id: String::new(), images: Images::default() }
            }
        }
    }

    /// The reasons of the images that make no pairs with their numbers: `data_uri:2 no_words:5`.
    #[must_use]
    pub fn dropped(&self) -> String {
        let dropped = self.images.dropped.iter().map(|(why, count)| format!("{why}:{count}"));
        dropped.collect::<Vec<_>>().join(" ")
    }

    fn ledger_cells(&self, task: u64) -> Vec<Cell> {
        let LedgerRow { path, offset_bytes, length_bytes, kind, digest, decision } = &self.row;
        vec![
            Cell::Number(task),
            Cell::Text(path.clone()),
            Cell::Number(*offset_bytes),
            Cell::Number(*length_bytes),
            Cell::Text(kind.name().to_owned()),
            Cell::Text(digest.to_string()),
            Cell::Text(decision.to_string()),
            Cell::Number(self.images.count()),
            Cell::Number(self.images.pairs.len() as u64),
            Cell::Text(self.dropped()),
        ]
    }

    fn pair_cells(&self, pair: &Pair, task: u64, record: u64) -> Vec<Cell> {
        let text = |text: &String| Cell::Text(text.clone());
        let number = |number: Option<u32>| Cell::Number(number.map_or(0, u64::from));
        vec![
            text(&pair.src),
            text(&pair.alt),
            text(&pair.caption),
            text(&pair.heading),
            text(&pair.text_before),
            text(&pair.text_after),
            text(&pair.link),
            number(Some(pair.image)),
            number(Some(pair.block)),
            Cell::Number(u64::from(pair.text_offset.is_some())),
            number(pair.text_offset),
            number(pair.width),
            number(pair.height),
            text(&self.url),
            text(&self.row.path),
            Cell::Number(self.row.offset_bytes),
            Cell::Number(self.row.length_bytes),
            text(&self.record_id),
            Cell::Text(self.row.digest.to_string()),
            Cell::Number(task),
            Cell::Number(record),
        ]
    }
}

/// What a repository says that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagesManifest {
    /// [`KIND`].
    pub kind: String,
    /// Of this layout.
    pub version: u32,
    /// The recipe that was run.
    pub recipe: Recipe,
    /// Whether pages that reserve their images were left out.
    pub heed_opt_out: bool,
    /// What was gone through, in order.
    pub tasks: Vec<Extent>,
    /// Records there.
    pub records: u64,
    /// Records of each decision.
    pub decisions: BTreeMap<String, u64>,
    /// Images on the pages.
    pub images: u64,
    /// Of those, pairs.
    pub pairs: u64,
    /// And the others, by the reason.
    pub dropped: BTreeMap<String, u64>,
    /// The files with pairs, in order.
    pub data: Vec<HubFile>,
    /// The files with the ledger, in order.
    pub ledger: Vec<HubFile>,
    /// Files that are no tables.
    pub files: Vec<HubFile>,
}

/// A repository being written.
pub struct ImagesWriter {
    root: PathBuf,
    data: Series,
    ledger: Series,
    manifest: ImagesManifest,
    /// Records of the task under way.
    records: u64,
}

impl ImagesWriter {
    /// Begins a repository below a directory, which the caller has seen to be new or empty.
    #[must_use]
    pub fn create(root: &Path, heed_opt_out: bool) -> Self {
        let manifest = ImagesManifest {
            kind: KIND.to_owned(),
            version: VERSION,
            recipe: RECIPE,
            heed_opt_out,
            tasks: Vec::new(),
            records: 0,
            decisions: BTreeMap::new(),
            images: 0,
            pairs: 0,
            dropped: BTreeMap::new(),
            data: Vec::new(),
            ledger: Vec::new(),
            files: Vec::new(),
        };
        Self {
            root: root.to_owned(),
            data: Series::new(root, "data/train", &PAIRS, &PAIRS_SCHEMA),
            ledger: Series::new(root, "ledger/ledger", &LEDGER, &LEDGER_SCHEMA),
            manifest,
            records: 0,
        }
    }

    /// Goes on to the next task, whose records come next and in order.
    pub fn begin(&mut self, extent: Extent) {
        self.manifest.tasks.push(extent);
        self.records = 0;
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`SeriesError`] where a file can't be written.
    ///
    /// # Panics
    /// Where no task was begun.
    pub fn add(&mut self, examined: &Examined) -> Result<(), SeriesError> {
        let manifest = &mut self.manifest;
        let task = manifest.tasks.len().checked_sub(1).expect("a task was begun") as u64;
        self.ledger.push(examined.ledger_cells(task))?;
        for pair in &examined.images.pairs {
            self.data.push(examined.pair_cells(pair, task, self.records))?;
        }
        self.records += 1;
        manifest.records += 1;
        manifest.images += examined.images.count();
        manifest.pairs += examined.images.pairs.len() as u64;
        *manifest.decisions.entry(examined.row.decision.to_string()).or_default() += 1;
        for (why, count) in &examined.images.dropped {
            *manifest.dropped.entry(why.to_string()).or_default() += u64::from(*count);
        }
        Ok(())
    }

    /// What has been counted so far.
    #[must_use]
    pub fn manifest(&self) -> &ImagesManifest {
        &self.manifest
    }

    /// Ends the tables and writes the card and, last, the manifest: a repository that has one is whole.
    ///
    /// # Errors
    /// [`SeriesError`] where a file can't be written.
    pub fn finish(mut self) -> Result<ImagesManifest, SeriesError> {
        self.manifest.data = self.data.finish()?;
        self.manifest.ledger = self.ledger.finish()?;
        let card = card(&self.manifest);
        source::write(&self.root.join(README_FILE), card.as_bytes())?;
        self.manifest.files = vec![HubFile::of(README_FILE, card.as_bytes())];
        let json = serde_json::to_string_pretty(&self.manifest).expect("plain data with string keys");
        source::write(&self.root.join(MANIFEST_FILE), format!("{json}\n").as_bytes())?;
        Ok(self.manifest)
    }
}

/// The card: metadata that the Hub reads, and text that people do.
fn card(manifest: &ImagesManifest) -> String {
    let ImagesManifest { recipe, records, images, pairs, dropped, .. } = manifest;
    let dropped: String = dropped.iter().map(|(why, count)| format!("| {why} | {count} |\n")).collect();
    let config = |name: &str, path: &str| {
        format!("- config_name: {name}\n  data_files:\n  - split: train\n    path: {path}-*.parquet\n")
    };
    format!(
        "---\ntask_categories:\n- image-to-text\nconfigs:\n{}{}---\n\n# Image–text pairs\n\n{pairs} pairs of {images} \
         images in {records} records, by recipe {recipe}. The images themselves are not here: `src` says where each was \
         when its page was taken. `warc_path`, `offset` and `payload_digest` name the record, from which \
         `weigh data verify` makes every pair again.\n\n| images without a pair | |\n|---|--:|\n{dropped}\n## \
         Rights\n\nEach image and each text stays its author's.\n",
        config("default", "data/train"),
        config("ledger", "ledger/ledger"),
    )
}

/// Checks a repository: its files and its ledger by themselves and, where the source is at hand, every row of both
/// tables by looking at the records again. `progress` is told each record's length.
///
/// # Errors
/// [`CheckError::Damage`] with the first file or record that is not what it should be; [`CheckError::Source`] where the
/// source can't be read or has changed.
pub fn check(
    root: &Path,
    source: Option<(&dyn Source, Pool)>,
    mut progress: impl FnMut(u64),
) -> Result<ImagesManifest, CheckError> {
    let manifest: ImagesManifest = repository::manifest(root)?;
    repository::whole("kind", KIND, manifest.kind.as_str())?;
    repository::whole("version", VERSION, manifest.version)?;
    let tables = || manifest.data.iter().chain(&manifest.ledger);
    repository::no_other_files(root, tables().chain(&manifest.files).map(|file| file.path.as_str()))?;
    repository::attached(root, &manifest.files)?;
    offline(root, &manifest)?;
    let Some((source, pool)) = source else { return Ok(manifest) };
    repository::whole("recipe", manifest.recipe.to_string(), RECIPE.to_string())?;
    let mut ledger = Rows::new(root, &manifest.ledger, &LEDGER, &LEDGER_SCHEMA);
    let mut pairs = Rows::new(root, &manifest.data, &PAIRS, &PAIRS_SCHEMA);
    for (task, extent) in (0u64..).zip(&manifest.tasks) {
        let records = reading::records(extent, source)?;
        let look =
            |taken: Result<Taken<'_>, _>| taken.map(|taken| Examined::of(&taken, manifest.heed_opt_out));
        let held = |taken: &Result<Taken<'_>, _>| taken.as_ref().map_or(0, Taken::held_bytes);
        let (mut record, mut holds) = (0u64, Ok(()));
        let mut same_rows = |examined: &Examined| -> Result<(), Damage> {
            same(&LEDGER, examined, &examined.ledger_cells(task), ledger.next()?)?;
            for pair in &examined.images.pairs {
                same(&PAIRS, examined, &examined.pair_cells(pair, task, record), pairs.next()?)?;
            }
            record += 1;
            Ok(())
        };
        reading::map_in_order(records, held, look, pool, |examined| {
            // Whether an archive is the one that the task names is known at its end: nothing is at fault before.
            let examined = examined?;
            if holds.is_ok() {
                holds = same_rows(&examined);
            }
            progress(examined.row.length_bytes);
            Ok::<(), CheckError>(())
        })?;
        holds?;
    }
    Ok(manifest)
}

/// Whether a row is what its record gives.
fn same(
    columns: &'static [Column],
    examined: &Examined,
    expected: &[Cell],
    found: Option<Row>,
) -> Result<(), Damage> {
    let found = found.as_ref().map_or(&[][..], Row::cells);
    if expected == found {
        return Ok(());
    }
    let at = expected.iter().zip(found).position(|(expected, found)| expected != found).unwrap_or(0);
    let quoted = |cells: &[Cell]| match cells.get(at) {
        None => "none".to_owned(),
        Some(Cell::Number(number)) => number.to_string(),
        Some(Cell::Text(text)) => format!("{:?}", text.chars().take(QUOTE_CHARS).collect::<String>()),
    };
    Err(Damage::Record {
        record: examined.row.name().to_string(),
        what: columns[at].0,
        expected: quoted(expected),
        found: quoted(found),
    })
}

/// What can be checked without the source: the ledger tiles the tasks, each pair stands in a record that has it, and the
/// counts are right.
fn offline(root: &Path, manifest: &ImagesManifest) -> Result<(), Damage> {
    let mut ledger = Rows::new(root, &manifest.ledger, &LEDGER, &LEDGER_SCHEMA);
    let mut pairs = Rows::new(root, &manifest.data, &PAIRS, &PAIRS_SCHEMA);
    let mut ahead = ledger.next()?.map(claim).transpose()?;
    let mut pair = pairs.next()?.map(PairPlace::of);
    let mut counted = ImagesWriter::create(root, manifest.heed_opt_out).manifest;
    for (task, extent) in (0u64..).zip(&manifest.tasks) {
        let mut rows = Vec::new();
        while let Some(claim) = ahead.take_if(|claim| claim.task == task) {
            let expected = claim.pairs;
            let place = PairPlace {
                path: claim.row.path.clone(),
                offset_bytes: claim.row.offset_bytes,
                length_bytes: claim.row.length_bytes,
                digest: claim.row.digest.to_string(),
                task,
                record: rows.len() as u64,
            };
            let mut found = 0;
            while pair.take_if(|pair| *pair == place).is_some() {
                found += 1;
                pair = pairs.next()?.map(PairPlace::of);
            }
            if expected != found {
                let record = claim.row.name().to_string();
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(Damage::Record { record, what: "number of pairs", expected, found });
            }
            counted.records += 1;
            counted.pairs += found;
            counted.images += claim.images;
            *counted.decisions.entry(claim.row.decision.to_string()).or_default() += 1;
            for (why, count) in claim.dropped {
                *counted.dropped.entry(why).or_default() += count;
            }
            rows.push(claim.row);
            ahead = ledger.next()?.map(self::claim).transpose()?;
        }
        Ledger { rows }.tiles(extent)?;
    }
    let extra = |record: String| Damage::Record {
        record,
        what: "place",
        expected: "none".to_owned(),
        found: "a row behind all others".to_owned(),
    };
    if let Some(claim) = ahead {
        return Err(extra(claim.row.name().to_string()));
    }
    if let Some(pair) = pair {
        return Err(extra(format!("{}@{}", pair.path, pair.offset_bytes)));
    }
    repository::whole("records", manifest.records, counted.records)?;
    repository::whole("images", manifest.images, counted.images)?;
    repository::whole("pairs", manifest.pairs, counted.pairs)?;
    let json = |counts: &BTreeMap<String, u64>| serde_json::to_string(counts).expect("plain data");
    repository::whole("decisions", json(&manifest.decisions), json(&counted.decisions))?;
    repository::whole("dropped", json(&manifest.dropped), json(&counted.dropped))
}

/// What a row of the ledger says.
struct Claim {
    task: u64,
    row: LedgerRow,
    images: u64,
    pairs: u64,
    dropped: Vec<(String, u64)>,
}

fn claim(mut cells: Row) -> Result<Claim, Damage> {
    let (task, path) = (cells.number(), cells.text());
    let (offset_bytes, length_bytes) = (cells.number(), cells.number());
    let record = format!("{path}@{offset_bytes}");
    let strange = |what, found: String| Damage::Record {
        record: record.clone(),
        what,
        expected: "one that there is".to_owned(),
        found: format!("{:?}", found.chars().take(QUOTE_CHARS).collect::<String>()),
    };
    let (kind, digest, decision) = (cells.text(), cells.text(), cells.text());
    let row = LedgerRow {
        path,
        offset_bytes,
        length_bytes,
        kind: kind.parse().map_err(|_| strange("record_type", kind))?,
        digest: digest.parse::<Digest>().map_err(|_| strange("payload_digest", digest))?,
        decision: decision.parse().map_err(|_| strange("decision", decision))?,
    };
    let (images, pairs, text) = (cells.number(), cells.number(), cells.text());
    let count = |part: &str| {
        let (why, count) = part.split_once(':')?;
        Some((why.to_owned(), count.parse::<u64>().ok()?))
    };
    let dropped: Option<Vec<(String, u64)>> = text.split_ascii_whitespace().map(count).collect();
    let dropped = dropped.ok_or_else(|| strange("dropped", text))?;
    let all = dropped.iter().try_fold(pairs, |sum, (_, count)| sum.checked_add(*count));
    if all != Some(images) {
        return Err(strange("images", images.to_string()));
    }
    Ok(Claim { task, row, images, pairs, dropped })
}

/// Where a pair says that it stands.
#[derive(PartialEq, Eq)]
struct PairPlace {
    path: String,
    offset_bytes: u64,
    length_bytes: u64,
    digest: String,
    task: u64,
    record: u64,
}

impl PairPlace {
    fn of(mut cells: Row) -> Self {
        let before = PAIRS.iter().position(|(name, _)| *name == "warc_path");
        cells.skip(before.expect("the pair and the page's address come before"));
        let (path, offset_bytes, length_bytes) = (cells.text(), cells.number(), cells.number());
        cells.text();
        Self {
            path,
            offset_bytes,
            length_bytes,
            digest: cells.text(),
            task: cells.number(),
            record: cells.number(),
        }
    }
}
