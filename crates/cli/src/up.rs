//! `weigh up`: a whole subnet in this process, on real text.
//!
//! The chain, three validators, five honest miners of differing diligence and four attackers run on virtual time,
//! as fast as the machine allows. The text is the crate registry's READMEs and documents, which every machine that
//! built this has, or any folder.

use std::{
    io::{IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use comfy_table::{Cell, CellAlignment, Table};
use corpus::{Cut, Folder, FolderLimits, Source, SourceError};
use indicatif::{ProgressBar, ProgressStyle};
use miette::Diagnostic;
use primitives::{AlphaRao, Hotkey, Seed};
use serde_json::json;
use sim::{EpochReport, InMemory, Keeping, MinerSummary, RunError, Scenario, Stores, Summary, World};
use store::{Durable, artifacts};
use thiserror::Error;

/// Tasks in a round: what the honest miners and the attackers ask for together, and a few to spare.
const TASKS_PER_ROUND: u32 = 24;
/// Rounds in which a source is gone through once: the more, the smaller the tasks, and the more uneven.
const ROUNDS_PER_PASS: u64 = 4;
/// Most files in a task.
const ENTRIES_PER_TASK: u32 = 256;
/// Fewer files than this make no round in which each honest miner has its share.
const FILES_MIN: usize = 48;
/// Time between two blocks where nobody has said when to stop: an epoch can be read before the next one closes.
const PACE: Duration = Duration::from_millis(150);
/// Characters of a reason that a table shows; `--json` has it whole.
const REASON_MAX_CHARS: usize = 100;
/// The exit code of a run that was ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

#[derive(Args, Default)]
pub(crate) struct UpArguments {
    /// Stop after so many epochs; without it, go on until Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// A folder of Markdown and plain text; without it, the crate registry under CARGO_HOME.
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Everything random follows from it; the same seed over the same source gives the same bits.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Keep what every party writes (events, scores, artifacts) in this new folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// One JSON object per line on standard output, the summary last.
    #[arg(long)]
    json: bool,
}

/// The subnet did not come up, or came down.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum UpError {
    /// There is nothing to work on.
    #[error("there is no crate registry: neither CARGO_HOME nor HOME is set")]
    #[diagnostic(help("name a folder of Markdown and text: `weigh up --source DIR`"))]
    NoHome,
    /// The source can't be read.
    #[error("source {path} can't be opened")]
    #[diagnostic(help("name a folder of Markdown and text: `weigh up --source DIR`"))]
    Source {
        path: PathBuf,
        #[source]
        error: Box<SourceError>,
    },
    /// The source is too small.
    #[error("source {path} has {found} files of Markdown or text, at least {FILES_MIN} are needed")]
    #[diagnostic(help("name a larger folder: `weigh up --source DIR`"))]
    TooSmall { path: PathBuf, found: usize },
    /// The folder to keep things in is in use.
    #[error("folder {path} is not empty")]
    #[diagnostic(help("name a new one: `weigh up --keep DIR`"))]
    NotEmpty { path: PathBuf },
    /// The folder to keep things in can't be made.
    #[error("folder {path} can't be used")]
    Folder {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    /// The run ended badly.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nobody reads the output.
    #[error("could not write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

impl UpError {
    /// 2 where other arguments would help, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            UpError::Run(_) | UpError::Output(_) => 1,
            _ => 2,
        }
    }
}

/// Runs the subnet; the exit code is 0, or 130 after Ctrl-C.
pub(crate) fn run(arguments: &UpArguments) -> Result<ExitCode, UpError> {
    let mut show = Show { json: arguments.json, out: std::io::stdout() };
    let (path, source) = open_source(arguments.source.as_deref())?;
    show.source(&path, &source)?;
    let files = source.manifest().entries().len();
    if files < FILES_MIN {
        return Err(UpError::TooSmall { path, found: files });
    }
    let bytes: u64 = source.manifest().entries().iter().map(|entry| entry.length_bytes).sum();
    let bytes_per_task = (bytes / (u64::from(TASKS_PER_ROUND) * ROUNDS_PER_PASS)).max(1);
    let seed = Seed::from_number(arguments.seed);
    let source = Arc::new(source);
    let cut = Cut { entries_max: ENTRIES_PER_TASK, bytes_max: bytes_per_task };
    let extents = source.extents(cut).map_err(|error| UpError::Source { path, error: Box::new(error) })?;
    let mut scenario = Scenario::dataset(seed, source, extents, TASKS_PER_ROUND);
    scenario.epochs = arguments.epochs.unwrap_or(u64::MAX);
    let tempo = u64::from(scenario.tempo);
    let stores: Box<dyn Stores> = match &arguments.keep {
        None => Box::new(InMemory),
        Some(root) => Box::new(OnDisk::create(root)?),
    };
    show.cast(&scenario)?;
    let mut world = World::new(scenario, &*stores)?;
    show.world(&world, bytes_per_task)?;

    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(std::io::Error::other)?;
    for _ in 0..arguments.epochs.unwrap_or(u64::MAX) {
        let bar = show.progress(tempo);
        while !world.run_block()? && !interrupted.load(Ordering::Relaxed) {
            bar.inc(1);
            if arguments.epochs.is_none() {
                std::thread::sleep(PACE);
            }
        }
        bar.finish_and_clear();
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        if let Some(report) = world.reports().last() {
            show.epoch(report)?;
        }
    }
    let summary = world.finish()?;
    show.summary(&summary)?;
    Ok(ExitCode::from(if interrupted.load(Ordering::Relaxed) { INTERRUPTED } else { 0 }))
}

/// The folder named, or the crate registry.
fn open_source(named: Option<&Path>) -> Result<(PathBuf, Folder), UpError> {
    let limits = FolderLimits::default();
    let (path, opened) = if let Some(path) = named {
        (path.to_owned(), Folder::open(path, limits))
    } else {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let home = home.ok_or(UpError::NoHome)?;
        let opened = Folder::cargo_registry(&home, limits);
        (home.join("registry"), opened)
    };
    match opened {
        Ok(folder) => Ok((path, folder)),
        Err(error) => Err(UpError::Source { path, error: Box::new(error) }),
    }
}

/// Keeps each party's state in a folder of its own: a database and artifacts.
struct OnDisk {
    root: PathBuf,
}

impl OnDisk {
    fn create(root: &Path) -> Result<Self, UpError> {
        let fail = |error| UpError::Folder { path: root.to_owned(), error };
        std::fs::create_dir_all(root).map_err(fail)?;
        if std::fs::read_dir(root).map_err(fail)?.next().is_some() {
            return Err(UpError::NotEmpty { path: root.to_owned() });
        }
        Ok(Self { root: root.to_owned() })
    }
}

impl Stores for OnDisk {
    fn open(&self, party: &Hotkey) -> Result<Keeping, String> {
        let folder = self.root.join(party.to_string());
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let store = Durable::open(&folder.join("store.sqlite")).map_err(|error| error.to_string())?;
        let kept = artifacts::Folder::open(&folder.join("artifacts")).map_err(|error| error.to_string())?;
        Ok(Keeping { store: Arc::new(store), artifacts: Arc::new(kept) })
    }
}

/// Tells what happens: tables for people, or JSON lines.
struct Show {
    json: bool,
    out: std::io::Stdout,
}

impl Show {
    fn line(&mut self, line: &str) -> Result<(), UpError> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    fn source(&mut self, path: &Path, source: &Folder) -> Result<(), UpError> {
        let entries = source.manifest().entries();
        let bytes: u64 = entries.iter().map(|entry| entry.length_bytes).sum();
        let root = source.manifest().root();
        if self.json {
            let event = json!({"event": "source", "files": entries.len(), "bytes": bytes, "manifest": root});
            return self.line(&event.to_string());
        }
        let size = indicatif::DecimalBytes(bytes);
        let line = format!("source      {} files, {size}, below {}", entries.len(), path.display());
        self.line(&line)
    }

    fn cast(&mut self, scenario: &Scenario) -> Result<(), UpError> {
        if self.json {
            return Ok(());
        }
        let count = scenario.validators;
        self.line(&format!("validators  {count}, each with its own log, examiner and weights"))?;
        for miner in &scenario.miners {
            let strategy = &miner.strategy;
            let role = if strategy.is_honest() { "miner   " } else { "attacker" };
            self.line(&format!("{role}    {}: {}", strategy.id(), strategy.about()))?;
        }
        Ok(())
    }

    fn world(&mut self, world: &World, bytes_per_task: u64) -> Result<(), UpError> {
        let head = world.chain().head();
        let subnet = world.chain().subnet(world.netuid()).map_err(|error| RunError::Setup(error.into()))?;
        let (netuid, tempo) = (world.netuid(), subnet.hyperparameters.tempo);
        if self.json {
            let event = json!({"event": "started", "block": head.number, "netuid": netuid, "tempo": tempo,
                "neurons": subnet.neurons.len(), "tasks_per_round": TASKS_PER_ROUND,
                "bytes_per_task": bytes_per_task});
            return self.line(&event.to_string());
        }
        let digest = world.chain().digest().short();
        self.line(&format!("chain       in this process, at block {}, state {digest}", head.number))?;
        let reveal = if subnet.hyperparameters.commit_reveal_weights_enabled { "on" } else { "off" };
        let size = indicatif::DecimalBytes(bytes_per_task);
        self.line(&format!("subnet      netuid {netuid}, tempo {tempo} blocks, commit-reveal {reveal}"))?;
        self.line(&format!("tasks       {TASKS_PER_ROUND} per round, of about {size} each"))?;
        self.line("\nweights are committed in one epoch and revealed in the next: the first pay comes with the second")
    }

    fn progress(&self, tempo: u64) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template("epoch {bar:40} block {pos}/{len}").expect("a well-formed template");
        ProgressBar::new(tempo).with_style(style)
    }

    fn epoch(&mut self, report: &EpochReport) -> Result<(), UpError> {
        if self.json {
            let mut event = serde_json::to_value(report).map_err(std::io::Error::from)?;
            event["event"] = json!("epoch");
            return self.line(&event.to_string());
        }
        let mut table = table(&["uid", "miner", "new tokens", "score", "incentive", "earned", "why"]);
        for line in &report.miners {
            table.add_row(vec![
                right(&line.uid.to_string()),
                Cell::new(&line.strategy),
                right(&line.verified_tokens.to_string()),
                right(&line.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))),
                right(&line.incentive.to_string()),
                right(&alpha(line.earned)),
                Cell::new(cut(&line.reason)),
            ]);
        }
        let title = format!("\nepoch {} closed in block {}", report.epoch, report.block);
        self.line(&format!("{title}\n{table}"))
    }

    fn summary(&mut self, summary: &Summary) -> Result<(), UpError> {
        if self.json {
            let event = serde_json::to_string(summary).map_err(std::io::Error::from)?;
            return self.line(&event);
        }
        let mut table = table(&["uid", "miner", "paid tokens", "earned", "share", "why nothing"]);
        let mut miners: Vec<&MinerSummary> = summary.miners.iter().collect();
        miners.sort_by(|a, b| b.earned.cmp(&a.earned).then(a.uid.cmp(&b.uid)));
        for miner in miners {
            let why = if miner.earned.is_zero() { miner.reasons.last().cloned() } else { None };
            table.add_row(vec![
                right(&miner.uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string())),
                Cell::new(&miner.strategy),
                right(&miner.verified_tokens.to_string()),
                right(&alpha(miner.earned)),
                right(&format!("{:.2} %", miner.emission_share * 100.0)),
                Cell::new(cut(&why.unwrap_or_default())),
            ]);
        }
        self.line(&format!("\nafter {} epochs, at block {}\n{table}", summary.epochs, summary.block))?;
        self.line(&match summary.honest_emission_share {
            Some(share) => format!("honest miners earned {:.2} % of what miners earned", share * 100.0),
            None => "no miner has been paid yet".to_owned(),
        })?;
        self.line(&format!("state digest {}", summary.state_digest))
    }
}

fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(headings.to_vec());
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A reason as a table shows it.
fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON_MAX_CHARS) {
        None => reason.to_owned(),
        Some((at, _)) => format!("{}…", &reason[..at]),
    }
}

/// Alpha with three decimals, cut.
fn alpha(amount: AlphaRao) -> String {
    let milli = amount.0 / 1_000_000;
    format!("{}.{:03} α", milli / 1000, milli % 1000)
}
