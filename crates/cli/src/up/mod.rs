//! `weigh up`: a whole subnet on this machine, on real text.
//!
//! A local chain with a durable log, validators, honest miners and attackers, each with its own key, store, axon and
//! dendrite, all over HTTP on the loopback; examinations in child processes; a website over the public record. Block by block
//! this module makes the chain go on, and has everything written down.

mod cast;
mod checkup;
mod clock;
mod control;
mod folder;
mod found;
mod grounds;
mod ledger;
mod line;
mod queue;
mod replay;
mod settled;
mod stage;
mod tally;

use std::{
    io,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chain::Chain as _;
use clap::Args;
use devchain::{Handle as Node, NodeError};
use mechanisms::{ErasedMechanism, dataset::Dataset};
use miette::Diagnostic;
use neuron::{
    axon::system_clock,
    driver::{DriveError, Pulse},
};
use primitives::{DurationMs, NetUid, Seed, Timestamp};
use protocol::{UnixNanos, Window};
use serde_json::json;
use store::artifacts::Artifacts;
use thiserror::Error;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use web::record::{Live, Record};

use crate::{
    config::Origin,
    show::Show,
    source::{Named, OpenSource, SourceOpenError},
};
use cast::UnknownStrategy;
use clock::Clock;
use folder::{FolderError, Founding, HouseFolder, Lock};
use found::{FoundError, Founder, Parties};
use grounds::{Grounds, grounds};
use ledger::{Ledger, LedgerError};
use line::{Line, LineError, Way};
use stage::{Stage, StageError};
use tally::Tally;

pub(crate) use cast::ATTACKS;
pub(crate) use checkup::{Checkup, checkup};
pub(crate) use queue::{QueueCommand, QueueError, queue};
pub(crate) use settled::{MINERS, PORT, SEED, VALIDATORS, state_folder};

pub(crate) use control::{
    ControlError, ExplainArguments, HouseArguments, down, explain, leaderboard, reset, status,
};
pub(crate) use replay::replay;

/// The least time between two blocks where somebody watches: an epoch is then ten seconds and can be read.
pub(crate) const BLOCK_TIME: DurationMs = DurationMs(500);
/// The same where the number of epochs is given: nobody waits longer than the work takes.
const BLOCK_TIME_COUNTED: DurationMs = DurationMs(40);
/// A block is made after this long, also where somebody is still at work: by then one is stuck, and the chain goes on
/// without it, as the real one would.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far a request's time may lie before its receiver's clock, in nanoseconds.
const SKEW_NANOS: u64 = Window::STANDARD.skew_max_s * 1_000_000_000;
/// How often it is looked whether all are done.
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// Ports that are tried for the website, from the one asked for upwards.
const PORTS_TRIED: u16 = 50;
/// How long parties have to end.
const STOP_TIME: Duration = Duration::from_secs(2);
/// Most validators: of a local subnet's slots.
pub(crate) const VALIDATORS_MAX: i64 = 32;
/// Most honest miners.
pub(crate) const MINERS_MAX: i64 = 128;
/// The longest least time between two blocks, in milliseconds.
pub(crate) const BLOCK_TIME_MAX_MS: i64 = 600_000;

#[derive(Args, Default)]
pub(crate) struct UpArguments {
    /// Stop after so many epochs, in a subnet that begins anew and leaves nothing behind unless --state says where;
    /// without it, go on until Ctrl-C. Blocks then are 12 s apart by their own count, whatever the time of day: with
    /// --axon-port, the same seed and source give the same blocks.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// A folder of HTML, Markdown and text, or a web archive or its address; without it, the crate registry under
    /// CARGO_HOME.
    #[arg(long, value_name = "PATH|URL")]
    source: Option<Named>,
    /// Keys and tasks follow from it.
    #[arg(long)]
    seed: Option<u64>,
    /// Validators.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=VALIDATORS_MAX))]
    validators: Option<u16>,
    /// Honest miners, of differing diligence.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=MINERS_MAX))]
    miners: Option<u16>,
    /// An attacker of this kind; may be given more than once, and replaces the usual four. `none` for none.
    #[arg(long = "attack", value_name = "NAME")]
    attacks: Vec<String>,
    /// The least time between two blocks, in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=BLOCK_TIME_MAX_MS))]
    block_time: Option<u32>,
    /// How neurons reach their chain: in-process, or rpc, over JSON-RPC as they would the real one.
    #[arg(long, default_value_t, value_name = "in-process|rpc")]
    chain: Way,
    /// The first neuron's port; the next ones have those above it. Any that are free where nothing is said.
    #[arg(long, value_name = "PORT")]
    axon_port: Option<u16>,
    /// The website's port, 8420 where none is named; where it is taken, the next free one.
    #[arg(long)]
    port: Option<u16>,
    /// Where the subnet's state lies.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// One JSON object per line on standard output, the summary last.
    #[arg(long)]
    json: bool,
    /// Who said what of the above where no flag did.
    #[arg(skip)]
    origins: Vec<(&'static str, Origin)>,
}

/// What mends a run that came down for a reason that may have passed.
const START_AGAIN: &str =
    "start again with `weigh up`; where that fails in the same way, begin anew with `weigh reset`";

/// The subnet did not come up, or came down.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum UpError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceOpenError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Strategy(#[from] UnknownStrategy),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Found(#[from] FoundError),
    #[error(transparent)]
    #[diagnostic(help("{}", START_AGAIN))]
    Stage(#[from] StageError),
    #[error("the public record can't be written")]
    #[diagnostic(help("{}", START_AGAIN))]
    Ledger(#[from] LedgerError),
    /// The chain can't be served, or not be reached.
    #[error(transparent)]
    #[diagnostic(help("{}", START_AGAIN))]
    Line(#[from] LineError),
    /// The neurons' ports do not exist.
    #[error("{neurons} neurons have no ports from {first} on: the last port there is is {}", u16::MAX)]
    #[diagnostic(help("name a lower one, or leave --axon-port away: any that are free are taken then"))]
    Ports { first: u16, neurons: usize },
    /// The chain ended.
    #[error(transparent)]
    #[diagnostic(help("{}", START_AGAIN))]
    Node(#[from] NodeError),
    /// A neuron ended and can't come back.
    #[error(transparent)]
    #[diagnostic(help("{}", START_AGAIN))]
    Drive(#[from] DriveError),
    /// The website does not come up.
    #[error("the website can't listen on port {port}: {error}")]
    #[diagnostic(help("name another port: `weigh up --port 0` takes any that is free"))]
    Website { port: u16, error: io::Error },
    /// It came down, and there is no room on its disk.
    #[error("{error}")]
    #[diagnostic(help(
        "the disk of {} has {left_bytes} bytes left: free some of it and start again with `weigh up`; what was \
         acknowledged is kept",
        folder.display()
    ))]
    Full {
        folder: PathBuf,
        left_bytes: u64,
        // What it says is said above; told as a cause it would stand there twice.
        error: Box<UpError>,
    },
    /// There is no runtime.
    #[error("could not start the runtime: {0}")]
    Runtime(io::Error),
    /// Nobody reads the output.
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl UpError {
    /// 2 where other arguments would help, 10 where it runs already, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            UpError::Strategy(_) | UpError::Website { .. } | UpError::Ports { .. } => 2,
            UpError::Source(error) => error.exit_code(),
            UpError::Folder(error) => error.exit_code(),
            UpError::Full { error, .. } => error.exit_code(),
            _ => 1,
        }
    }
}

/// Runs the subnet; the exit code is 0, or 130 after Ctrl-C.
pub(crate) fn run(arguments: &UpArguments) -> Result<ExitCode, UpError> {
    // A counted run has a place of its own, which goes with it.
    let passing = match (&arguments.state, arguments.epochs) {
        (None, Some(_)) => Some(tempfile::tempdir()?),
        _ => None,
    };
    let named = passing.as_ref().map(tempfile::TempDir::path).or(arguments.state.as_deref());
    let folder = HouseFolder::of(named)?;
    let runtime = tokio::runtime::Runtime::new().map_err(UpError::Runtime)?;
    let done = runtime.block_on(run_in(arguments, folder.clone()));
    // What still computes is left alone: all that counts is durable.
    runtime.shutdown_timeout(Duration::from_millis(200));
    done.map_err(|error| match crate::mend::room_where_full(folder.path()) {
        Some(left_bytes) => {
            UpError::Full { folder: folder.path().to_owned(), left_bytes, error: Box::new(error) }
        }
        None => error,
    })
}

async fn run_in(arguments: &UpArguments, folder: HouseFolder) -> Result<ExitCode, UpError> {
    let mut show = Show::new(arguments.json);
    let interrupted = interrupts()?;
    let lock = folder.lock()?;
    let (grounds, opened) = tokio::task::block_in_place(|| grounds(arguments, &folder))?;
    show.source(&opened)?;
    let mut house = House::open(arguments, folder, lock, grounds, opened, &mut show).await?;
    let done = house.run(arguments.epochs, &interrupted, &mut show).await;
    house.close().await;
    let was_interrupted = done?;
    show.summary(&house.summary()?)?;
    Ok(ExitCode::from(if was_interrupted { crate::INTERRUPTED } else { 0 }))
}

/// Becomes true when somebody wants the run to end.
fn interrupts() -> Result<watch::Receiver<bool>, UpError> {
    let (interrupt, interrupted) = watch::channel(false);
    ctrlc::set_handler(move || {
        interrupt.send_replace(true);
    })
    .map_err(io::Error::other)?;
    Ok(interrupted)
}

/// A house with its doors open.
struct House {
    node: Node,
    line: Line,
    clock: Clock,
    netuid: NetUid,
    parties: Parties,
    stage: Stage,
    pulse: Pulse,
    ledger: Ledger,
    tally: Tally,
    record: Arc<dyn store::Store>,
    live: watch::Sender<Live>,
    /// Tells the website that there is something new.
    written: Arc<Notify>,
    site: Option<Site>,
    block_time: Duration,
    /// Epochs that had closed when the doors were opened.
    first_epoch: u64,
    closed: u64,
    _lock: Lock,
}

impl House {
    async fn open(
        arguments: &UpArguments,
        folder: HouseFolder,
        mut lock: Lock,
        grounds: Grounds,
        opened: OpenSource,
        show: &mut Show,
    ) -> Result<Self, UpError> {
        let Grounds { founding, job, is_founded } = grounds;
        let seed = Seed::from_number(founding.seed);
        let parties = parties(&founding, seed);
        let axon_port = axon_port(arguments, &parties)?;
        let clock = Clock::of_run(arguments.epochs);
        if !is_founded {
            let path = folder.unfinished_chain()?;
            let node = found::open(&parties, &path)?;
            let chain = line::in_process(&node, &parties, seed);
            found::found(&Founder { node: &node, chain, clock }, &parties).await?;
            drop(node);
            folder.finish_chain()?;
            folder.found(&founding, &job)?;
        }
        let made_until = folder.chain_written()?;
        let node = found::open(&parties, &folder.chain())?;
        let line = Line::open(arguments.chain, &node, &parties, seed).await?;
        let netuid = found::subnet_of(&node.state(), &parties)?.netuid;
        let mechanism: &'static dyn ErasedMechanism = &Dataset;
        let jobs = vec![Arc::new(job)];
        let accepted_until = if is_founded { accepted_until(made_until) } else { UnixNanos(0) };
        let strategies = founding.miners.iter().map(|name| cast::strategy(name));
        let strategies = strategies.collect::<Result<Vec<_>, _>>()?;
        show.cast(founding.validators, strategies.iter().map(|strategy| &**strategy))?;

        let mut stage = Stage::new(
            stage::Plot {
                folder: &folder,
                node: &node,
                line: &line,
                clock,
                axon_port,
                netuid,
                mechanism,
                jobs: jobs.clone(),
                source: Arc::clone(&opened.source),
                strategies,
                seed,
                accepted_until,
            },
            &parties,
        )?;
        let record = folder.store("house")?;
        let tasks = folder.artifacts("house")?;
        // A task is the house's to keep; a submission is with whoever examined it.
        let mut artifacts: Vec<Arc<dyn Artifacts>> = vec![Arc::clone(&tasks) as Arc<dyn Artifacts>];
        artifacts.extend(stage.validators_artifacts());
        let shelves = ledger::Shelves { record: Arc::clone(&record), tasks };
        let validators = stage.validators(&parties);
        let ledger = Ledger::open(shelves, mechanism, jobs, stage.parts(&parties), validators)?;
        let mut tally = Tally::default();
        tally.catch_up(&*record)?;
        let block_time = match (arguments.block_time, arguments.epochs) {
            (Some(millis), _) => DurationMs(millis.into()),
            (None, Some(_)) => BLOCK_TIME_COUNTED,
            (None, None) => BLOCK_TIME,
        };
        let head = node.state().head();
        let subnet = node.state().subnet(netuid).map_err(FoundError::from)?;
        // Before the record says where the desk is, which changes with each start.
        let desk = stage.open_desk(&parties)?;
        ledger.append(
            &Record::Opened {
                times: ledger.times_opened()? + 1,
                name: "Weighhouse".to_owned(),
                netuid,
                mechanism: mechanism.id().to_owned(),
                tempo: found::TEMPO,
                block_time,
                // Commands that name it are pasted in other folders than this one.
                source: opened.named.absolute().to_string(),
                source_bytes: opened.bytes,
                task_api: Some(format!("http://{desk}")),
            },
            now(),
        )?;
        let live = watch::Sender::new(Live::default());
        let written = Arc::new(Notify::new());
        let config = web::Config {
            written: Arc::clone(&written),
            artifacts,
            ..web::Config::new(Arc::clone(&record), live.subscribe())
        };
        let site = Site::open(config, arguments.port.unwrap_or(PORT))?;
        lock.tell(Some(site.url.clone()))?;
        let reached = if is_founded { "goes on" } else { "begins" };
        show.say(
            &json!({"event": "started", "block": head.number, "netuid": netuid, "tempo": found::TEMPO,
                "neurons": subnet.neurons.len(), "resumed": is_founded, "state": folder.path()}),
            &format!(
                "chain       {reached} at block {}, netuid {netuid}, tempo {} blocks, state in {}",
                head.number,
                found::TEMPO,
                folder.path().display()
            ),
        )?;
        if let Some(url) = line.url() {
            show.say(
                &json!({"event": "chain", "url": url}),
                &format!("chain       {url}, which all neurons reach it over"),
            )?;
        }
        let taken = match site.taken {
            Some(port) => format!(", since port {port} is taken"),
            None => String::new(),
        };
        show.say(
            &json!({"event": "website", "url": site.url, "port_taken": site.taken}),
            &format!("website     {}{taken}", site.url),
        )?;
        let first_epoch = subnet.schedule.epoch_index;
        let mut house = Self {
            node,
            line,
            clock,
            netuid,
            parties,
            stage,
            pulse: Pulse::default(),
            ledger,
            tally,
            record,
            live,
            written,
            site: Some(site),
            block_time: Duration::from_millis(block_time.0.unsigned_abs()),
            first_epoch,
            closed: 0,
            _lock: lock,
        };
        house.stage.raise(&house.parties, &house.pulse).await?;
        // Requests that the run before could have accepted are refused: the first ones of this run come later.
        let left = accepted_until.0.saturating_add(SKEW_NANOS).saturating_sub(system_clock().0);
        tokio::time::sleep(Duration::from_nanos(left)).await;
        show.remark(
            "\nweights are committed in one epoch and revealed in the next: the first pay comes with the second",
        )?;
        Ok(house)
    }

    /// Makes blocks until enough epochs have closed or somebody interrupts; true for the latter.
    async fn run(
        &mut self,
        epochs: Option<u64>,
        interrupted: &watch::Receiver<bool>,
        show: &mut Show,
    ) -> Result<bool, UpError> {
        let mut interrupted = interrupted.clone();
        let mut bar = show.progress(found::TEMPO.into());
        loop {
            tokio::select! {
                _ = interrupted.wait_for(|is_so| *is_so) => {
                    bar.finish_and_clear();
                    return Ok(true);
                }
                () = self.rest() => {}
            }
            if let Some(reason) = self.stage.mend(&self.parties, &self.pulse).await? {
                show.remark(&format!("a neuron was started again: {reason}"))?;
            }
            if self.block().await? {
                bar.finish_and_clear();
                self.tally.catch_up(&*self.record)?;
                show.epoch(&self.tally.newest_epoch())?;
                self.closed += 1;
                if epochs.is_some_and(|epochs| self.closed >= epochs) {
                    return Ok(false);
                }
                bar = show.progress(found::TEMPO.into());
            }
            bar.inc(1);
        }
    }

    /// Waits until the next block is due: the block time has passed and nobody is at work.
    async fn rest(&self) {
        let began = Instant::now();
        let head = self.node.state().head().number;
        tokio::time::sleep(self.block_time).await;
        while !self.pulse.is_quiet(head) && began.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Makes a block and writes down what has happened; true where an epoch has closed.
    async fn block(&mut self) -> Result<bool, UpError> {
        let (node, clock) = (self.node.clone(), self.clock);
        // Nobody has a turn before the desk has put the block's tasks out.
        let at_desk = self.pulse.asking();
        let made =
            tokio::task::spawn_blocking(move || clock.step(&node)).await.map_err(io::Error::other)??;
        let subnet = self.line.subnet(self.netuid, made.head.number).await.map_err(FoundError::from)?;
        self.stage.at_block(&subnet, now()).await?;
        drop(at_desk);
        let closed = tokio::task::block_in_place(|| self.ledger.catch_up(&subnet, now()))?;
        self.written.notify_one();
        let schedule = &subnet.schedule;
        self.live.send_replace(Live {
            block: made.head.number,
            at: made.head.time,
            epoch: schedule.epoch_index,
            epoch_ends_at: schedule.last_epoch_block + u64::from(schedule.tempo),
            queued: tokio::task::block_in_place(|| self.stage.queued(&self.parties, now())),
            running: self.pulse.running() as u64,
        });
        Ok(closed.is_some_and(|epoch| epoch >= self.first_epoch))
    }

    /// Ends all neurons.
    async fn close(&mut self) {
        // Who doesn't end in time is left: all that counts is durable.
        let site = self.site.take();
        let fall = async {
            tokio::join!(self.stage.fall(), async {
                if let Some(site) = site {
                    site.close().await;
                }
            })
        };
        let _late = tokio::time::timeout(STOP_TIME, fall).await;
    }

    fn summary(&mut self) -> Result<sim::Summary, UpError> {
        self.tally.catch_up(&*self.record)?;
        let state = self.node.state();
        Ok(self.tally.summary(self.closed, state.head().number, state.digest()))
    }
}

/// The website.
struct Site {
    url: String,
    /// The port asked for, where somebody else listens there.
    taken: Option<u16>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Site {
    /// Opens it on this port, or on the next one that is free.
    fn open(config: web::Config, port: u16) -> Result<Self, UpError> {
        let bind = |port: u16| {
            let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        };
        let ports = (0..PORTS_TRIED).map_while(|next| port.checked_add(next));
        let mut tried = ports
            .map(bind)
            .skip_while(|bound| bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse));
        let listener = tried.next().unwrap_or_else(|| Err(io::ErrorKind::AddrInUse.into()));
        let failed = |error| UpError::Website { port, error };
        let listener = listener.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let taken = (port != 0 && address.port() != port).then_some(port);
        let url = format!("http://{address}");
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(web::serve(listener, config, async move {
            // A sender that is gone means the same.
            let _gone = stopped.wait_for(|is_so| *is_so).await;
        }));
        Ok(Self { url, taken, stop, task })
    }

    async fn close(self) {
        self.stop.send_replace(true);
        // It ends by itself; that it broke would change nothing any more.
        let _broken = self.task.await;
    }
}

/// Until when an earlier run may have accepted requests, given when it wrote its last block: it made one now and then.
fn accepted_until(made_until: Timestamp) -> UnixNanos {
    let until = made_until + DurationMs(i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX));
    let nanos = u64::try_from(until.0).unwrap_or(0).saturating_mul(1_000_000);
    UnixNanos(nanos.min(system_clock().0))
}

/// The first neuron's port: each has one, or none is said.
fn axon_port(arguments: &UpArguments, parties: &Parties) -> Result<u16, UpError> {
    let first = arguments.axon_port.unwrap_or(0);
    let neurons = parties.validators.len() + parties.miners.len();
    let room = usize::from(u16::MAX - first) + 1;
    if neurons > room { Err(UpError::Ports { first, neurons }) } else { Ok(first) }
}

fn parties(founding: &Founding, seed: Seed) -> Parties {
    let all = |role: &str, count: usize| (0..count).map(|at| folder::PartyKeys::of(seed, role, at)).collect();
    Parties {
        owner: folder::PartyKeys::of(seed, "owner", 0),
        validators: all("validator", founding.validators),
        miners: all("miner", founding.miners.len()),
    }
}

/// The time in milliseconds since 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
