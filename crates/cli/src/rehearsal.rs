//! `weigh sim run dataset`: a whole subnet in virtual time, on real text.
//!
//! The chain, three validators, five honest miners of differing diligence and four attackers, as fast as the machine
//! allows and the same to the bit from the same seed. The text is the crate registry's READMEs and documents, which
//! every machine that built this has, any folder or any archive.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Args;
use miette::Diagnostic;
use primitives::{Hotkey, Seed};
use serde_json::json;
use sim::{InMemory, Keeping, RunError, Scenario, Stores, World};
use store::{Durable, artifacts};
use thiserror::Error;

use crate::{
    show::Show,
    source::{self, Named, OpenSource, SourceOpenError, TASKS_PER_ROUND},
};

#[derive(Args)]
pub(crate) struct RehearsalArguments {
    /// How many epochs.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// A folder of HTML, Markdown and text, or a web archive or its address; without it, the crate registry under
    /// CARGO_HOME.
    #[arg(long, value_name = "PATH|URL")]
    source: Option<Named>,
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
pub(crate) enum RehearsalError {
    /// There is nothing to work on.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceOpenError),
    /// The folder to keep things in is in use.
    #[error("folder {path} is not empty")]
    #[diagnostic(help("name a new one: `weigh sim run dataset --keep DIR`"))]
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

impl RehearsalError {
    /// 2 where other arguments would help, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            RehearsalError::Source(error) => error.exit_code(),
            RehearsalError::Run(_) | RehearsalError::Output(_) => 1,
            _ => 2,
        }
    }
}

/// Runs the subnet; the exit code is 0, or 130 after Ctrl-C.
pub(crate) fn run(arguments: &RehearsalArguments) -> Result<ExitCode, RehearsalError> {
    let mut show = Show::new(arguments.json);
    let opened = source::open(arguments.source.as_ref(), arguments.json)?;
    show.source(&opened)?;
    let OpenSource { source, extents, .. } = opened;
    let mut scenario = Scenario::dataset(Seed::from_number(arguments.seed), source, extents, TASKS_PER_ROUND);
    scenario.epochs = arguments.epochs;
    let tempo = u64::from(scenario.tempo);
    let stores: Box<dyn Stores> = match &arguments.keep {
        None => Box::new(InMemory),
        Some(root) => Box::new(OnDisk::create(root)?),
    };
    show.cast(scenario.validators, scenario.miners.iter().map(|miner| &*miner.strategy))?;
    let mut world = World::new(scenario, &*stores)?;
    let (block, netuid, digest) = (world.chain().head().number, world.netuid(), world.chain().digest());
    show.say(
        &json!({"event": "started", "block": block, "netuid": netuid, "tempo": tempo}),
        &format!("chain       in this process, at block {block}, state {}", digest.short()),
    )?;
    show.remark(
        "\nweights are committed in one epoch and revealed in the next: the first pay comes with the second",
    )?;

    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(std::io::Error::other)?;
    for _ in 0..arguments.epochs {
        let bar = show.progress(tempo);
        while !world.run_block()? && !interrupted.load(Ordering::Relaxed) {
            bar.inc(1);
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
    Ok(ExitCode::from(if interrupted.load(Ordering::Relaxed) { crate::INTERRUPTED } else { 0 }))
}

/// Keeps each party's state in a folder of its own: a database and artifacts.
struct OnDisk {
    root: PathBuf,
}

impl OnDisk {
    fn create(root: &Path) -> Result<Self, RehearsalError> {
        let fail = |error| RehearsalError::Folder { path: root.to_owned(), error };
        std::fs::create_dir_all(root).map_err(fail)?;
        if std::fs::read_dir(root).map_err(fail)?.next().is_some() {
            return Err(RehearsalError::NotEmpty { path: root.to_owned() });
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
