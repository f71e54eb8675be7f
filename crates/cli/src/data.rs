//! `weigh data`: shards of a corpus made, looked at, checked and taken apart, without a subnet.
//!
//! A source is a folder of HTML, Markdown and text, or web archives: a WARC, WET or ARC file, or a folder that holds
//! such. Each task becomes a folder of its own below `--out`, with the task beside its shard, so that anyone who has
//! the source can check it, and a case, so that `weigh score dataset` can examine it.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use comfy_table::Table;
use corpus::{
    Archives, Cut, DocumentRow, Extent, Ledger, Limits, Page, Reason, Recipes, RowError, Rules, Shard,
    Source, SourceError,
    archive::Content,
    document, extract,
    hub::{AboutError, HubError},
    language, reading,
    shard::{FolderError, FolderManifest, ShardError, documents_of_parquet, ledger_of_parquet},
    verify,
};
use indicatif::ProgressBar;
use mechanisms::dataset::Terms;
use miette::Diagnostic;
use primitives::{Digest, Hotkey, Seed};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use self::{
    filter::FilterArguments,
    terms::{KnownRules, TermsFiles},
};
use crate::{
    source::{AnySource, Named, SourceOpenError},
    talk::{self, Unit},
};

mod bench;
mod build;
mod dedup;
mod export;
mod filter;
mod images;
mod origin;
mod repository;
mod terms;
mod tokens;

/// The file with the task, beside its shard.
const TASK_FILE: &str = "task.json";
/// The file with a shard's counts, in its folder.
const MANIFEST_FILE: &str = "manifest.json";
/// The longest file that `extract` takes whole.
const FILE_MAX_BYTES: u64 = 4 << 30;
/// Characters of a document that `inspect` shows.
const SHOWN_CHARS: usize = 160;
/// Documents that `inspect` shows.
const SHOWN_DOCUMENTS: usize = 3;

/// `weigh data …`.
#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Make shards of a source: documents, and a ledger with a decision for every record.
    Build(build::BuildArguments),
    /// Show what a shard's folder or one of its Parquet files holds.
    Inspect(InspectArguments),
    /// Check shards, or a repository of shards or of image–text pairs, against their source: every record is extracted
    /// again, unless a sample is asked for.
    Verify(VerifyArguments),
    /// Make a dataset repository of shards, in the layout of the Hugging Face Hub.
    Export(export::ExportArguments),
    /// List the documents of shards that repeat another's, of the same shard or of any other.
    Dedup(dedup::DedupArguments),
    /// Take the image–text pairs from each page: address, alt, caption, heading, and the text around.
    Images(images::ImagesArguments),
    /// Print the main text of each page in an archive, or of one HTML, Markdown or text file.
    Extract(ExtractArguments),
    /// Judge texts by the filters of Gopher, C4 and FineWeb, each by itself; tell their language.
    Filter(FilterArguments),
    /// Measure on this machine how fast a source is read, extracted, filtered and signed, step by step.
    Bench(bench::BenchArguments),
}

#[derive(Args)]
pub(crate) struct InspectArguments {
    /// A shard's folder, or a Parquet file of one.
    path: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// A shard's folder, or a folder of such, or a repository.
    path: PathBuf,
    /// What it was made of; a repository is checked by itself where none is named.
    #[arg(long, value_name = "PATH|URL")]
    source: Option<Named>,
    #[command(flatten)]
    files: TermsFiles,
    /// Check so many records of each shard, drawn by its root, instead of all.
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// One JSON object per shard on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ExtractArguments {
    /// An archive, or a file of HTML, Markdown or text.
    file: PathBuf,
    /// One JSON object with `url` and `text` per page.
    #[arg(long)]
    json: bool,
}

/// A command on data failed.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum DataError {
    /// The source can't be opened.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Open(#[from] SourceOpenError),
    /// The source can't be read.
    #[error("source {named} can't be read")]
    #[diagnostic(help("name a folder of HTML, Markdown and text, or a WARC, WET or ARC file"))]
    Source {
        named: String,
        #[source]
        error: Box<SourceError>,
    },
    /// The source is not the one that the shard was made of.
    #[error("source {source} has changed since the shard was made")]
    #[diagnostic(help(
        "nothing follows about the shard: name the source as it was, or build the shard again"
    ))]
    Changed {
        source: String,
        #[source]
        error: Box<RowError>,
    },
    /// There is no such task.
    #[error("source {named} has {found} tasks of this size, none with number {asked}")]
    Task { named: String, found: usize, asked: usize },
    /// The folder holds shards of another build.
    #[error("folder {path} holds shards of another build: {what} differs")]
    #[diagnostic(help("name a new folder, or the source and the flags that this one was begun with"))]
    OtherBuild { path: PathBuf, what: &'static str },
    /// No threads can be had.
    #[error("could not start {threads} threads")]
    Threads {
        threads: usize,
        #[source]
        error: rayon::ThreadPoolBuildError,
    },
    /// The folder to write to is in use.
    #[error("folder {path} is not empty")]
    #[diagnostic(help("name a new one: `weigh data build SOURCE --out DIR`"))]
    NotEmpty { path: PathBuf },
    /// There is no shard here.
    #[error("{path} holds no shard")]
    #[diagnostic(help("a shard's folder has {TASK_FILE} and {MANIFEST_FILE} in it"))]
    NoShard { path: PathBuf },
    /// A shard can't be read.
    #[error("shard in {path} can't be read")]
    Shard {
        path: PathBuf,
        #[source]
        error: Box<FolderError>,
    },
    /// A file can't be read or written.
    #[error("{path} can't be used")]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// A task file can't be understood.
    #[error("{path} is no task")]
    TaskFile {
        path: PathBuf,
        #[source]
        error: serde_json::Error,
    },
    /// Two folders hold one shard.
    #[error("{path} holds the shard of {earlier} once more")]
    #[diagnostic(help("name each shard once: all documents of a copy are duplicates"))]
    SameShard { path: PathBuf, earlier: PathBuf },
    /// Duplicates can't be found.
    #[error("could not look for duplicates")]
    Dedup {
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Shards are checked against their source only.
    #[error("shards in {path} can't be checked without their source")]
    #[diagnostic(help("name it: `--source PATH`"))]
    NoSource { path: PathBuf },
    /// A repository doesn't have what it takes to check its records.
    #[error("repository {path} has no {file}, which says how shard {shard} was made")]
    #[diagnostic(help("check it without `--source`, or export it again"))]
    NoTask { path: PathBuf, file: String, shard: u64 },
    /// A repository can't be written.
    #[error("repository {path} can't be written")]
    Hub {
        path: PathBuf,
        #[source]
        error: Box<HubError>,
    },
    /// A tokenizer can't be used.
    #[error("the tokenizer {path} can't be used: {what}")]
    #[diagnostic(help("name a model's folder, a GGUF file, a tokenizer.json of byte-level BPE, or `bytes`"))]
    Tokenizer { path: PathBuf, what: String },
    /// A name or licence that the Hub would refuse.
    #[error(transparent)]
    About(#[from] AboutError),
    /// There is nothing to measure.
    #[error("source {named} has no page with text")]
    #[diagnostic(help("name a folder of HTML, Markdown and text, or a WARC, WET or ARC file"))]
    NoPages { named: String },
    /// A line of texts can't be understood.
    #[error("line {line} of {path} is no text: {error}")]
    #[diagnostic(help("each line is a JSON object with `id` and `text`"))]
    Line { path: PathBuf, line: usize, error: String },
    /// A model of languages can't be read.
    #[error("{path} is no model of languages")]
    #[diagnostic(help("name fastText's lid.176.ftz, or lid.176.bin"))]
    Model {
        path: PathBuf,
        #[source]
        error: language::ModelError,
    },
    /// A list can't be read.
    #[error("{path} is no {what}")]
    List {
        what: &'static str,
        path: PathBuf,
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file is too long.
    #[error("{path} has more than {max} bytes")]
    LongFile { path: PathBuf, max: usize },
    /// Filters and none of them were asked for.
    #[error("`--filter none` stands beside another filter")]
    Filters,
    /// A file that a task names was not given.
    #[error("the task names the {what} {digest}, and none was given")]
    #[diagnostic(help("name it: `{flag} FILE`"))]
    Lacking { what: &'static str, flag: &'static str, digest: Digest },
    /// A file that a task does not name was given.
    #[error("the task names no {what}, and {path} was given")]
    Unasked { what: &'static str, path: PathBuf },
    /// Another file than the one that a task names was given.
    #[error("{path} is the {what} {found}, and the task names {expected}")]
    OtherFile { what: &'static str, path: PathBuf, found: Digest, expected: Digest },
    /// What was checked already can't be read.
    #[error("the rules can't be read: {0}")]
    Rules(String),
    /// Nobody reads the output.
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl DataError {
    /// 2 where other arguments would help, 3 where nothing was found, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            DataError::NotEmpty { .. }
            | DataError::OtherBuild { .. }
            | DataError::SameShard { .. }
            | DataError::NoSource { .. }
            | DataError::Task { .. }
            | DataError::Filters
            | DataError::Lacking { .. }
            | DataError::Unasked { .. }
            | DataError::OtherFile { .. }
            | DataError::Tokenizer { .. }
            | DataError::About(_) => 2,
            DataError::Open(error) => error.exit_code(),
            DataError::Source { .. } | DataError::NoShard { .. } | DataError::NoPages { .. } => 3,
            _ => 1,
        }
    }
}

/// How many threads work on data.
#[derive(Args)]
pub(crate) struct Threads {
    /// Threads; all cores where it is not given. The bytes are the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    fn pool(&self) -> Result<rayon::ThreadPool, DataError> {
        // None stands for all cores.
        let threads = self.threads.map_or(0, usize::from);
        let started = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        started.map_err(|error| DataError::Threads { threads, error })
    }
}

/// What stands beside a shard: enough to check it with the source at hand.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    extent: Extent,
    miner: Hotkey,
    terms: Terms,
}

/// Runs one of the commands; the exit code is 1 where a shard is at fault.
pub(crate) fn run(command: &DataCommand) -> Result<ExitCode, DataError> {
    match command {
        DataCommand::Build(arguments) => build::build(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Inspect(arguments) => inspect(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Verify(arguments) => check(arguments),
        DataCommand::Export(arguments) => export::export(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Dedup(arguments) => dedup::dedup(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Extract(arguments) => extract_file(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Images(arguments) => images::images(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Filter(arguments) => filter::filter(arguments).map(|()| ExitCode::SUCCESS),
        DataCommand::Bench(arguments) => bench::bench(arguments).map(|()| ExitCode::SUCCESS),
    }
}

/// Makes the folder where it is missing; one that holds anything is refused.
fn empty_folder(path: &Path) -> Result<(), DataError> {
    let used = |error| DataError::File { path: path.to_owned(), error };
    std::fs::create_dir_all(path).map_err(used)?;
    match std::fs::read_dir(path).map_err(used)?.next() {
        Some(_) => Err(DataError::NotEmpty { path: path.to_owned() }),
        None => Ok(()),
    }
}

/// The task beside a shard.
fn task_of(folder: &Path) -> Result<Task, DataError> {
    let place = folder.join(TASK_FILE);
    let json = std::fs::read(&place).map_err(|error| DataError::File { path: place.clone(), error })?;
    serde_json::from_slice(&json).map_err(|error| DataError::TaskFile { path: place, error })
}

fn write_json(place: PathBuf, value: &impl Serialize) -> Result<(), DataError> {
    let json = serde_json::to_vec(value).expect("plain data with string keys");
    std::fs::write(&place, json).map_err(|error| DataError::File { path: place, error })
}

fn inspect(arguments: &InspectArguments) -> Result<(), DataError> {
    let path = &arguments.path;
    let unread = |error: FolderError| DataError::Shard { path: path.clone(), error: Box::new(error) };
    let (manifest, ledger, documents) = if path.is_dir() {
        if !path.join(MANIFEST_FILE).is_file() {
            return Err(DataError::NoShard { path: path.clone() });
        }
        let (shard, manifest) = Shard::open_folder(path, &Limits::default()).map_err(unread)?;
        (Some(manifest), Some(shard.ledger), Some(shard.documents))
    } else {
        let bytes = std::fs::read(path).map_err(|error| DataError::File { path: path.clone(), error })?;
        match documents_of_parquet(bytes.clone(), &Limits::default()) {
            Ok(documents) => (None, None, Some(documents)),
            Err(ShardError::Form { .. }) => {
                let ledger = ledger_of_parquet(bytes, &Limits::default());
                (None, Some(ledger.map_err(|error| unread(error.into()))?), None)
            }
            Err(error) => return Err(unread(error.into())),
        }
    };
    let mut out = io::stdout().lock();
    if arguments.json {
        let summary = json!({
            "manifest": manifest,
            "decisions": ledger.as_ref().map(Ledger::decisions),
            "documents": documents.as_ref().map(Vec::len),
            "tokens": documents.as_ref().map(|rows| rows.iter().map(|row| row.tokens).sum::<u64>()),
            "languages": documents.as_ref().map(|rows| languages(rows)),
        });
        writeln!(out, "{summary}")?;
        return Ok(out.flush()?);
    }
    if let Some(manifest) = manifest {
        writeln!(
            out,
            "root     {}\nrecipe   {}\nminer    {}",
            manifest.root, manifest.recipe, manifest.miner
        )?;
        writeln!(out, "tokens   {} of {}", manifest.tokens, manifest.tokenizer)?;
    }
    if let Some(ledger) = ledger {
        let mut table = plain_table(&["decision", "records"]);
        for (decision, count) in ledger.decisions() {
            table.add_row(vec![decision, count.to_string()]);
        }
        writeln!(out, "\n{table}")?;
    }
    if let Some(documents) = documents {
        let languages: Vec<String> =
            languages(&documents).into_iter().map(|(code, count)| format!("{code} {count}")).collect();
        writeln!(out, "\n{} documents: {}", documents.len(), languages.join(", "))?;
        for document in documents.iter().take(SHOWN_DOCUMENTS) {
            let text: String = document.text.chars().take(SHOWN_CHARS).collect();
            writeln!(out, "\n#{} {} {} tokens\n{text}", document.record, document.url, document.tokens)?;
        }
    }
    Ok(out.flush()?)
}

fn languages(documents: &[DocumentRow]) -> std::collections::BTreeMap<&str, u64> {
    let mut counts = std::collections::BTreeMap::new();
    for document in documents {
        *counts.entry(document.language.as_str()).or_default() += 1;
    }
    counts
}

fn check(arguments: &VerifyArguments) -> Result<ExitCode, DataError> {
    if let Some(kind) = repository::kind_of(&arguments.path) {
        return repository::verify(kind, arguments);
    }
    let folders = shard_folders(&arguments.path)?;
    let tasks = folders.iter().map(|folder| task_of(folder)).collect::<Result<Vec<_>, _>>()?;
    let mut known = KnownRules::new(&arguments.files)?;
    for task in &tasks {
        known.make(&task.terms)?;
    }
    let named = arguments.source.as_ref();
    let named = named.ok_or_else(|| DataError::NoSource { path: arguments.path.clone() })?;
    let source = AnySource::reopen(named, tasks.iter().map(|task| &task.extent), arguments.json)?;
    let records = folders.iter().map(|folder| records_to_check(folder, arguments.sample)).sum();
    let bar = talk::bar(records, Unit::Records, arguments.json);
    let verdicts: Vec<Result<Verdict, DataError>> = folders
        .par_iter()
        .zip(&tasks)
        .map(|(folder, task)| check_one(folder, task, known.of(&task.terms), &source, arguments, &bar))
        .collect();
    bar.finish_and_clear();
    let mut out = io::stdout().lock();
    let mut faults = 0u32;
    for (folder, verdict) in folders.iter().zip(verdicts) {
        let Verdict { checked, fault } = verdict?;
        faults += u32::from(fault.is_some());
        if arguments.json {
            writeln!(out, "{}", json!({"folder": folder, "checked": checked, "fault": fault}))?;
        } else if let Some(fault) = fault {
            writeln!(out, "{}: {fault}", folder.display())?;
        } else {
            writeln!(out, "{}: {checked} records hold", folder.display())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(faults > 0)))
}

/// What came of one shard.
struct Verdict {
    checked: usize,
    fault: Option<verify::Fault>,
}

/// Records of a shard that will be checked, as its manifest has it: for the bar only, the check itself believes nothing.
fn records_to_check(folder: &Path, sample: Option<usize>) -> u64 {
    let manifest = std::fs::read(folder.join(MANIFEST_FILE)).ok();
    let manifest = manifest.and_then(|json| serde_json::from_slice::<FolderManifest>(&json).ok());
    let records = manifest.map_or(0, |manifest| manifest.records);
    sample.map_or(records, |sample| records.min(sample as u64))
}

fn check_one(
    folder: &Path,
    task: &Task,
    rules: &Rules,
    source: &dyn Source,
    arguments: &VerifyArguments,
    bar: &ProgressBar,
) -> Result<Verdict, DataError> {
    let unread = |error| DataError::Shard { path: folder.to_owned(), error: Box::new(error) };
    let (shard, _) = Shard::open_folder(folder, &Limits::default()).map_err(unread)?;
    check_shard(&shard, task, rules, Some(source), arguments, bar)
}

/// Checks a shard by itself and, where there is a source, its records.
fn check_shard(
    shard: &Shard,
    task: &Task,
    rules: &Rules,
    source: Option<&dyn Source>,
    arguments: &VerifyArguments,
    bar: &ProgressBar,
) -> Result<Verdict, DataError> {
    if let Err(fault) = verify::offline(shard, &task.extent, &task.miner, Recipes::Pinned, rules) {
        return Ok(Verdict { checked: 0, fault: Some(*fault) });
    }
    let Some(source) = source else { return Ok(Verdict { checked: 0, fault: None }) };
    let rows = &shard.ledger.rows;
    let mut drawn: Vec<usize> = match arguments.sample {
        None => (0..rows.len()).collect(),
        Some(count) => {
            let seed = Seed::from_number(0).derive_from("data verify", &[&shard.root().0]);
            seed.stream("records", 0).sample(rows.len(), count)
        }
    };
    drawn.sort_unstable();
    let named = arguments.source.as_ref().map_or_else(String::new, Named::to_string);
    let failed = |error| DataError::Source { named: named.clone(), error: Box::new(error) };
    for (checked, at) in drawn.iter().enumerate() {
        bar.inc(1);
        let row = &rows[*at];
        let bytes = match &task.extent {
            Extent::Files(_) => source.read(&row.path),
            Extent::Archive(range) => source.read_range(&range.path, row.offset_bytes, row.length_bytes),
        };
        let number = u32::try_from(*at).expect("a shard has at most 2^16 rows");
        match verify::row(shard, &task.extent, number, &bytes.map_err(failed)?, rules) {
            Ok(()) => {}
            Err(RowError::Fault(fault)) => return Ok(Verdict { checked, fault: Some(*fault) }),
            Err(error @ RowError::NoEvidence { .. }) => {
                return Err(DataError::Changed { source: named, error: Box::new(error) });
            }
            Err(RowError::Unknown { row }) => unreachable!("row {row} was drawn from the ledger"),
        }
    }
    Ok(Verdict { checked: drawn.len(), fault: None })
}

/// The folder itself, or those in it, that hold a shard.
fn shard_folders(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let holds = |path: &Path| path.join(TASK_FILE).is_file() && path.join(MANIFEST_FILE).is_file();
    if holds(path) {
        return Ok(vec![path.to_owned()]);
    }
    let unread = |error| DataError::File { path: path.to_owned(), error };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let inner = entry.map_err(unread)?.path();
        if holds(&inner) {
            folders.push(inner);
        }
    }
    folders.sort();
    if folders.is_empty() { Err(DataError::NoShard { path: path.to_owned() }) } else { Ok(folders) }
}

fn extract_file(arguments: &ExtractArguments) -> Result<(), DataError> {
    let path = &arguments.file;
    let unread = |error| DataError::File { path: path.clone(), error };
    let length = std::fs::metadata(path).map_err(unread)?.len();
    let name = path.display().to_string();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut print = |url: &str, text: Result<String, Reason>| -> io::Result<()> {
        let reason = text.as_ref().err().map(Reason::to_string);
        let text = text.unwrap_or_default();
        match (arguments.json, reason) {
            (true, None) => writeln!(out, "{}", json!({"url": url, "text": text})),
            (true, Some(reason)) => writeln!(out, "{}", json!({"url": url, "text": text, "reason": reason})),
            (false, _) => writeln!(out, "{url}\n{text}\n"),
        }
    };
    let main = |page: &Page| document::text(page, &extract::main_text);
    if !corpus::source::is_archive(&name) {
        if length > FILE_MAX_BYTES {
            return Err(unread(io::Error::other(format!(
                "{length} bytes, at most {FILE_MAX_BYTES} are taken"
            ))));
        }
        let bytes = std::fs::read(path).map_err(unread)?;
        print(&name, Page::of_file(&name, &bytes).and_then(|page| main(&page)))?;
        return Ok(out.flush()?);
    }
    let bar = talk::bar(length, Unit::Bytes, arguments.json);
    let source = Archives::open(path).map_err(|error| unreadable(path, error))?;
    let cut = Cut { entries_max: u32::MAX, bytes_max: u64::MAX };
    let extents = source.extents(cut).map_err(|error| unreadable(path, error))?;
    for extent in &extents {
        for taken in reading::records(extent, &source).map_err(|error| unreadable(path, error))? {
            let taken = taken.map_err(|error| unreadable(path, error))?;
            match taken.page() {
                Ok(page) => print(&page.url, main(&page))?,
                Err(Reason::NotAPage { .. } | Reason::Status | Reason::ContentType) => {}
                Err(reason) => {
                    let url = match &taken.step.content {
                        Content::Record(record) => record.url.as_str(),
                        _ => "",
                    };
                    print(url, Err(reason))?;
                }
            }
            bar.set_position(taken.step.offset_bytes + taken.step.length_bytes);
        }
    }
    bar.finish_and_clear();
    Ok(out.flush()?)
}

fn unreadable(path: &Path, error: SourceError) -> DataError {
    DataError::Source { named: path.display().to_string(), error: Box::new(error) }
}

fn plain_table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(headings.to_vec());
    table
}
