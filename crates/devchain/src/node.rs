//! A chain that runs: one thread that makes blocks, and handles that read and call it.
//!
//! This is the only place where a clock is read. Each block is in the log, where there is one, before anybody can
//! see it. The states of recent blocks are kept for reads; they share what is equal.

#![expect(clippy::disallowed_methods, reason = "this module is where the clock is read")]

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chain::{Call, Chain, Head, Included, ReadError, Refusal, SubmitError, Subnet};
use primitives::{AccountId, BlockNumber, NetUid, Rao, Timestamp};
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::{
    Event, Extrinsic, Genesis, GenesisError, State,
    log::{self, Log, LogError, Report},
};

/// Extrinsics that may wait for a block; who comes later waits to be let in. Enough for every neuron of the largest
/// subnet to call many times per block.
const MAX_WAITING: usize = 8192;

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Every so many milliseconds, at least 1.
    Every(u64),
    /// Only by [`Handle::step`].
    Stepped,
    /// As soon as an extrinsic arrives, and by [`Handle::step`].
    Instant,
}

/// How a node runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The state of block 0.
    pub genesis: Genesis,
    /// When blocks are made.
    pub pace: Pace,
    /// Where the log lies; without one the chain is gone with the node.
    pub folder: Option<PathBuf>,
    /// How many of the newest states can be read, at least 1.
    pub kept_states: usize,
    /// Blocks from one snapshot to the next; 0 for none.
    pub snapshot_every: BlockNumber,
}

impl Config {
    /// A chain in memory that waits to be stepped.
    #[must_use]
    pub fn stepped(genesis: Genesis) -> Self {
        Self { genesis, pace: Pace::Stepped, folder: None, kept_states: 256, snapshot_every: 1000 }
    }
}

/// A node could not be started or has come to its end.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The genesis is not one.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The thread could not be started.
    #[error("could not start the block thread: {0}")]
    Thread(std::io::Error),
    /// The node makes no more blocks.
    #[error("node has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// What a block made by [`Handle::step`] came to.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its header.
    pub head: Head,
    /// What happened in it.
    pub events: Vec<Event>,
}

enum Command {
    Submit { extrinsic: Extrinsic, reply: oneshot::Sender<Result<Included, SubmitError>> },
    Step { time: Option<Timestamp>, reply: Sender<Made> },
    Stop,
}

struct Shared {
    /// The newest states, oldest first, never empty.
    states: RwLock<VecDeque<State>>,
    waiting: Semaphore,
    /// Why the thread ended, where it did by itself.
    end: Mutex<Option<String>>,
}

impl Shared {
    fn end_reason(&self) -> String {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.clone().unwrap_or_else(|| "it was told to".to_owned())
    }
}

struct Owned {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    heads: watch::Receiver<Head>,
    report: Option<Report>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The thread may have ended already; then nobody listens.
        let _ended = self.commands.send(Command::Stop);
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ended = thread.join();
        }
    }
}

/// A running node. The last handle that is dropped stops it and waits for the block being made.
#[derive(Clone)]
pub struct Handle(Arc<Owned>);

/// Starts a node.
///
/// # Errors
/// [`NodeError`] for a bad genesis or log.
pub fn spawn(config: Config) -> Result<Handle, NodeError> {
    let (log, state, report) = match &config.folder {
        Some(folder) => {
            let opened = Log::open(folder, &config.genesis)?;
            (Some(opened.log), opened.state, Some(opened.report))
        }
        None => (None, State::genesis(&config.genesis)?, None),
    };
    let (head_sender, heads) = watch::channel(state.head());
    let (commands, inbox) = mpsc::channel();
    let shared = Arc::new(Shared {
        states: RwLock::new(VecDeque::from([state.clone()])),
        waiting: Semaphore::new(MAX_WAITING),
        end: Mutex::new(None),
    });
    let maker = Maker {
        state,
        log,
        shared: shared.clone(),
        heads: head_sender,
        kept_states: config.kept_states.max(1),
        snapshot_every: config.snapshot_every,
        waiting: Vec::new(),
    };
    let thread = std::thread::Builder::new()
        .name("devchain".to_owned())
        .spawn(move || maker.run(config.pace, &inbox))
        .map_err(NodeError::Thread)?;
    Ok(Handle(Arc::new(Owned { shared, commands, heads, report, thread: Mutex::new(Some(thread)) })))
}

impl Handle {
    /// What opening the log found; none without a log.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_ref()
    }

    /// Makes one block now, at `time` or by the clock, with all that waits.
    ///
    /// # Errors
    /// [`NodeError::Stopped`] where the log can't be written any more.
    pub fn step(&self, time: Option<Timestamp>) -> Result<Made, NodeError> {
        let stopped = || NodeError::Stopped { reason: self.0.shared.end_reason() };
        let (reply, answer) = mpsc::channel();
        self.0.commands.send(Command::Step { time, reply }).map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())
    }

    /// Extrinsics that wait for a block, or are about to.
    #[must_use]
    pub fn waiting(&self) -> usize {
        MAX_WAITING.saturating_sub(self.0.shared.waiting.available_permits())
    }

    /// The state after block `at`.
    ///
    /// # Errors
    /// [`ReadError::NoBlock`] where it is not kept or not made yet.
    pub fn state_at(&self, at: BlockNumber) -> Result<State, ReadError> {
        let states = self.0.shared.states.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = states.front().map_or(0, |state| state.head().number);
        let head = states.back().map_or(0, |state| state.head().number);
        let index = at.checked_sub(oldest).and_then(|index| usize::try_from(index).ok());
        let state = index.and_then(|index| states.get(index));
        state.cloned().ok_or(ReadError::NoBlock { block: at, oldest, head })
    }

    /// The state after the newest block.
    #[must_use]
    pub fn state(&self) -> State {
        let states = self.0.shared.states.read().unwrap_or_else(PoisonError::into_inner);
        states.back().cloned().expect("the newest state is always kept")
    }
}

impl Chain for Handle {
    async fn head(&self) -> Result<Head, ReadError> {
        Ok(*self.0.heads.borrow())
    }

    async fn next_head(&self, after: BlockNumber) -> Result<Head, ReadError> {
        let mut heads = self.0.heads.clone();
        heads
            .wait_for(|head| head.number > after)
            .await
            .map_err(|_| ReadError::Unreachable { reason: self.0.shared.end_reason() })?;
        Ok(self.state_at(after.saturating_add(1))?.head())
    }

    async fn subnet(&self, netuid: NetUid, at: BlockNumber) -> Result<Arc<Subnet>, ReadError> {
        self.state_at(at)?.subnet(netuid)
    }

    async fn balance(&self, account: AccountId, at: BlockNumber) -> Result<Rao, ReadError> {
        Ok(self.state_at(at)?.balance(account))
    }

    async fn nonce(&self, account: AccountId, at: BlockNumber) -> Result<u32, ReadError> {
        Ok(self.state_at(at)?.nonce(account))
    }

    async fn submit(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> Result<Included, SubmitError> {
        let unknown = || SubmitError::Unknown { call: call.name(), reason: self.0.shared.end_reason() };
        let _place = self.0.shared.waiting.acquire().await.map_err(|_| unknown())?;
        let (reply, answer) = oneshot::channel();
        let extrinsic = Extrinsic { origin, nonce, call: call.clone() };
        self.0.commands.send(Command::Submit { extrinsic, reply }).map_err(|_| unknown())?;
        answer.await.map_err(|_| unknown())?
    }
}

type Waiting = (Extrinsic, oneshot::Sender<Result<Included, SubmitError>>);

/// The thread's own part.
struct Maker {
    state: State,
    log: Option<Log>,
    shared: Arc<Shared>,
    heads: watch::Sender<Head>,
    kept_states: usize,
    snapshot_every: BlockNumber,
    waiting: Vec<Waiting>,
}

impl Maker {
    fn run(mut self, pace: Pace, inbox: &Receiver<Command>) {
        let ended = self.serve(pace, inbox);
        if let Err(error) = ended {
            let mut end = self.shared.end.lock().unwrap_or_else(PoisonError::into_inner);
            *end = Some(error.to_string());
        }
        self.shared.waiting.close();
    }

    fn serve(&mut self, pace: Pace, inbox: &Receiver<Command>) -> Result<(), LogError> {
        let period = match pace {
            Pace::Every(block_time_ms) => Some(Duration::from_millis(block_time_ms.max(1))),
            Pace::Stepped | Pace::Instant => None,
        };
        let mut due = period.map(|period| Instant::now() + period);
        loop {
            let received = match due {
                Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(Command::Submit { extrinsic, reply }) => {
                    self.waiting.push((extrinsic, reply));
                    if pace == Pace::Instant {
                        self.make(now())?;
                    }
                }
                Ok(Command::Step { time, reply }) => {
                    let made = self.make(time.unwrap_or_else(now))?;
                    // Who asked may have gone.
                    let _gone = reply.send(made);
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    self.make(now())?;
                    // A late block delays the next ones; none are made up for.
                    due = period.map(|period| Instant::now() + period);
                }
            }
        }
    }

    /// Makes a block, writes it, and only then shows it.
    fn make(&mut self, time: Timestamp) -> Result<Made, LogError> {
        let waiting = std::mem::take(&mut self.waiting);
        let (extrinsics, replies): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let mut next = self.state.clone();
        let block = next.block(log::not_before(self.state.head().time, time), &extrinsics);
        if let Some(log) = &mut self.log {
            log.append(&block, &extrinsics)?;
        }
        self.state = next;
        self.show();
        let mut index = 0;
        for ((extrinsic, outcome), reply) in extrinsics.iter().zip(&block.outcomes).zip(replies) {
            let included = Included { block: block.head.number, index };
            index += u32::from(!matches!(outcome, Err(Refusal::Pool(_))));
            let refused = |refusal| SubmitError::Refused { call: extrinsic.call.name(), refusal };
            // Who asked may have gone.
            let _gone = reply.send(outcome.map(|()| included).map_err(refused));
        }
        if let Some(log) = &self.log
            && self.snapshot_every > 0
            && block.head.number.is_multiple_of(self.snapshot_every)
        {
            log.snapshot(&self.state)?;
        }
        Ok(Made { head: block.head, events: block.events })
    }

    fn show(&self) {
        let mut states = self.shared.states.write().unwrap_or_else(PoisonError::into_inner);
        states.push_back(self.state.clone());
        while states.len() > self.kept_states {
            states.pop_front();
        }
        drop(states);
        self.heads.send_replace(self.state.head());
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
