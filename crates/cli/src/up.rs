//! `weigh up`: a whole subnet in this process, on real text.
//!
//! The chain, three validators, five honest miners of differing diligence and four attackers run on virtual time,
//! as fast as the machine allows. The text is the crate registry's READMEs and documents, which every machine that
//! built this has, or any folder.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use comfy_table::{Cell, CellAlignment, Table, presets};
use corpus::{Folder, FolderLimits, Source, SourceError};
use indicatif::{ProgressBar, ProgressStyle};
use miette::Diagnostic;
use primitives::{AlphaRao, Hotkey, Seed};
use serde_json::json;
use sim::{EpochReport, InMemory, Keeping, MinerSummary, RunError, Scenario, Stores, Summary, World};
use store::{Durable, artifacts};
use thiserror::Error;

/// Tasks in a round: what the honest miners and the attackers ask for together, and a few to spare.
const TASKS_PER_ROUND: u32 = 24;
/// Rounds in which a source is gone through once, where it is large enough.
const ROUNDS_PER_PASS: u32 = 8;
/// Least and most files in a task: a task of one file would make the ledger's tiling trivial, one of hundreds
/// would let a small source run out in a round.
const ENTRIES_PER_TASK: (u32, u32) = (2, 64);
/// Fewer files than this make no round in which each honest miner has its share.
const FILES_MIN: usize = 48;

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
    #[error("source {path}: {error}")]
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
    #[error("folder {path} can't be used: {error}")]
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

pub(crate) fn run(arguments: &UpArguments) -> Result<(), UpError> {
    let mut show = Show { json: arguments.json, out: std::io::stdout(), strategies: BTreeMap::new() };
    let (path, source) = open_source(arguments.source.as_deref())?;
    show.source(&path, &source)?;
    let files = source.manifest().entries().len();
    if files < FILES_MIN {
        return Err(UpError::TooSmall { path, found: files });
    }
    let entries = u32::try_from(files).unwrap_or(u32::MAX) / (TASKS_PER_ROUND * ROUNDS_PER_PASS);
    let entries = entries.clamp(ENTRIES_PER_TASK.0, ENTRIES_PER_TASK.1);
    let seed = Seed::from_number(arguments.seed);
    let mut scenario = Scenario::dataset(seed, Arc::new(source), entries, TASKS_PER_ROUND);
    scenario.epochs = arguments.epochs.unwrap_or(u64::MAX);
    let tempo = u64::from(scenario.tempo);
    let stores: Box<dyn Stores> = match &arguments.keep {
        None => Box::new(InMemory),
        Some(root) => Box::new(OnDisk::create(root)?),
    };
    show.cast(&scenario);
    let mut world = World::new(scenario, &*stores)?;
    show.world(&world, entries)?;

    let epochs = arguments.epochs.unwrap_or(u64::MAX);
    for _ in 0..epochs {
        let bar = show.progress(tempo);
        while !world.run_block()? {
            bar.inc(1);
        }
        bar.finish_and_clear();
        if let Some(report) = world.reports().last() {
            show.epoch(report)?;
        }
    }
    let summary = world.finish()?;
    show.summary(&summary)
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
    /// What each strategy does, for the opening lines.
    strategies: BTreeMap<&'static str, (&'static str, bool)>,
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

    fn cast(&mut self, scenario: &Scenario) {
        for miner in &scenario.miners {
            let strategy = &miner.strategy;
            self.strategies.insert(strategy.id(), (strategy.about(), strategy.is_honest()));
        }
    }

    fn world(&mut self, world: &World, entries_per_task: u32) -> Result<(), UpError> {
        let head = world.chain().head();
        let subnet = world.chain().subnet(world.netuid()).map_err(|error| RunError::Setup(error.into()))?;
        let tempo = subnet.hyperparameters.tempo;
        if self.json {
            let (netuid, neurons) = (world.netuid(), subnet.neurons.len());
            let event = json!({"event": "started", "block": head.number, "netuid": netuid, "tempo": tempo,
                "neurons": neurons, "tasks_per_round": TASKS_PER_ROUND, "entries_per_task": entries_per_task});
            return self.line(&event.to_string());
        }
        let permits = subnet.neurons.iter().filter(|neuron| neuron.validator_permit);
        let validators = permits.filter(|neuron| neuron.hotkey != subnet.owner_hotkey).count();
        self.line(&format!(
            "chain       in this process, at block {}, state {}",
            head.number,
            world.chain().digest().short()
        ))?;
        self.line(&format!(
            "subnet      netuid {}, tempo {tempo} blocks, commit-reveal {}, {TASKS_PER_ROUND} tasks of {entries_per_task} files per round",
            world.netuid(),
            if subnet.hyperparameters.commit_reveal_weights_enabled { "on" } else { "off" },
        ))?;
        self.line(&format!("validators  {validators}, each with its own log, examiner and weights"))?;
        let strategies = std::mem::take(&mut self.strategies);
        for honest in [true, false] {
            let who = strategies.iter().filter(|(_, (_, is_honest))| *is_honest == honest);
            for (id, (about, _)) in who {
                self.line(&format!("{}  {id}: {about}", if honest { "miner     " } else { "attacker  " }))?;
            }
        }
        self.line("\nMiners are paid from the second epoch on: weights are committed in one and revealed in the next.")
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
                Cell::new(&line.reason),
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
        let mut table = table(&["uid", "miner", "verified tokens", "earned", "share", "why nothing"]);
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
                Cell::new(why.unwrap_or_default()),
            ]);
        }
        let share = summary.honest_emission_share * 100.0;
        self.line(&format!("\nafter {} epochs, at block {}\n{table}", summary.epochs, summary.block))?;
        self.line(&format!("honest miners earned {share:.2} % of what miners earned"))?;
        self.line(&format!("state digest {}", summary.state_digest))
    }
}

fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(headings.to_vec());
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// Alpha with three decimals, cut.
fn alpha(amount: AlphaRao) -> String {
    let milli = amount.0 / 1_000_000;
    format!("{}.{:03} α", milli / 1000, milli % 1000)
}
