//! A chain that runs: one thread that makes blocks, and handles that read and call it.
//!
//! This is the only place where a clock is read. Each block is in the log, where there is one, before anybody can
//! see it. The states of recent blocks are kept for reads; they share what is equal. What clients send comes in through
//! `crate::rpc`, which checks signatures on its own threads; the block thread only carries out.

#![expect(clippy::disallowed_methods, reason = "this module is where the clock is read")]

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chain::{Call, Chain, Head, Inclusion, ReadError, Refusal, SubmitError, Subnet};
use primitives::{AccountId, BlockNumber, Digest, NetUid, Rao, Timestamp};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc as channel, oneshot, watch};
use wallet::Keypair;

use crate::{
    Event, Extrinsic, Genesis, GenesisError, State,
    archive::Archive,
    block::{Body, Header},
    extrinsic::Unsound,
    log::{self, Log, LogError, Report},
    queue::{Asker, Fate, NotTaken, Placed, Queue, Waiting},
    wire::blake2_256,
};

/// Extrinsics made in process that may wait for a block; who comes later waits to be let in. Enough for every neuron of
/// the largest subnet to call many times per block.
const MAX_WAITING: usize = 8192;
/// States that [`Handle::remember`] keeps; the oldest is given up for a new one.
const MAX_REMEMBERED: usize = 64;

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Every so many milliseconds, at least 1.
    Every(u64),
    /// Only by [`Handle::step`].
    Stepped,
    /// One for each extrinsic as soon as it arrives, and by [`Handle::step`].
    Instant,
}

/// In which order a block carries out what waited for it. One account's extrinsics always stand by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they came.
    #[default]
    Arrival,
    /// As a lot falls that follows from the block before and the account: where a block is made when all have sent what
    /// they had to send, who came first says nothing but whose thread ran first.
    Lot,
}

/// How a node runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The state of block 0.
    pub genesis: Genesis,
    /// When blocks are made.
    pub pace: Pace,
    /// In which order they carry out what waited.
    pub order: Order,
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
        Self {
            genesis,
            pace: Pace::Stepped,
            order: Order::Arrival,
            folder: None,
            kept_states: 256,
            snapshot_every: 1000,
        }
    }

    /// A chain in memory for tests, as the public local network begins: the well-known development accounts hold a
    /// million TAO each, //Alice is sudo, subnets 0 and 1 exist. Each extrinsic gets a block as soon as it comes.
    #[must_use]
    pub fn test() -> Self {
        Self { pace: Pace::Instant, ..Self::stepped(Genesis::localnet(&development_accounts())) }
    }
}

/// The accounts whose keys anybody knows, //Alice first.
fn development_accounts() -> Vec<AccountId> {
    const NAMES: [&str; 9] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "One", "Two", "Three"];
    let key = |name| Keypair::development(name).expect("a plain name derives a key");
    NAMES.map(|name| key(name).public().account).into()
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
    /// A chain with a log can't go back: what was seen stays.
    #[error("chain has a log and can't go back to an earlier state")]
    Durable,
}

/// What a block made by [`Handle::step`] came to.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its header.
    pub head: Head,
    /// What happened in it.
    pub events: Vec<Event>,
}

/// What a client sent is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// It can't be read.
    Malformed,
    /// It is read, but not let in.
    NotTaken { hash: Digest, why: NotTaken },
}

enum Command {
    /// Something new is ready; only an instant node cares.
    Arrived,
    Step {
        time: Option<Timestamp>,
        reply: Sender<Made>,
    },
    Remember {
        reply: Sender<Option<u32>>,
    },
    GoBack {
        to: u32,
        reply: Sender<Option<bool>>,
    },
    Stop,
}

/// What can be read.
struct Kept {
    /// The newest states, oldest first, never empty.
    states: VecDeque<State>,
    archive: Archive,
}

impl Kept {
    fn newest(&self) -> &State {
        self.states.back().expect("the newest state is always kept")
    }

    fn state(&self, at: BlockNumber) -> Option<&State> {
        let oldest = self.states.front().map_or(0, |state| state.head().number);
        let index = at.checked_sub(oldest).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.states.get(index))
    }
}

struct Shared {
    kept: RwLock<Kept>,
    queue: Mutex<Queue>,
    waiting: Arc<Semaphore>,
    /// Why the thread ended, where it did by itself.
    end: Mutex<Option<String>>,
}

impl Shared {
    fn end_reason(&self) -> String {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.clone().unwrap_or_else(|| "it was told to".to_owned())
    }

    fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Owned {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    heads: watch::Receiver<Head>,
    pace: Pace,
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

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = *self.0.heads.borrow();
        f.debug_struct("Handle").field("pace", &self.0.pace).field("head", &head).finish_non_exhaustive()
    }
}

/// Starts a node.
///
/// # Errors
/// [`NodeError`] for a bad genesis or log.
pub fn spawn(config: Config) -> Result<Handle, NodeError> {
    let kept_states = config.kept_states.max(1);
    let (log, state, kept, report) = match &config.folder {
        Some(folder) => {
            let opened = Log::open_keeping(folder, &config.genesis, kept_states)?;
            let kept = Kept { states: opened.recent, archive: opened.archive };
            (Some(opened.log), opened.state, kept, Some(opened.report))
        }
        None => {
            let state = State::genesis(&config.genesis)?;
            let kept =
                Kept { states: VecDeque::from([state.clone()]), archive: Archive::new(*state.header()) };
            (None, state, kept, None)
        }
    };
    let (head_sender, heads) = watch::channel(state.head());
    let (commands, inbox) = mpsc::channel();
    let shared = Arc::new(Shared {
        kept: RwLock::new(kept),
        queue: Mutex::default(),
        waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        end: Mutex::new(None),
    });
    let maker = Maker {
        state,
        log,
        shared: shared.clone(),
        heads: head_sender,
        order: config.order,
        kept_states,
        snapshot_every: config.snapshot_every,
        remembered: BTreeMap::new(),
        next_remembered: 1,
    };
    let pace = config.pace;
    let thread = std::thread::Builder::new()
        .name("devchain".to_owned())
        .spawn(move || maker.run(pace, &inbox))
        .map_err(NodeError::Thread)?;
    Ok(Handle(Arc::new(Owned { shared, commands, heads, pace, report, thread: Mutex::new(Some(thread)) })))
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
        self.command(|reply| Command::Step { time, reply })
    }

    /// Keeps the present state, for [`Self::go_back`], under a number.
    ///
    /// # Errors
    /// [`NodeError::Durable`] where the chain has a log, [`NodeError::Stopped`].
    pub fn remember(&self) -> Result<u32, NodeError> {
        self.command(|reply| Command::Remember { reply })?.ok_or(NodeError::Durable)
    }

    /// Goes back to a state that was remembered, and gives up all blocks since, those remembered later, and all that waits.
    /// False where there is none of that number.
    ///
    /// # Errors
    /// [`NodeError::Durable`] where the chain has a log, [`NodeError::Stopped`].
    pub fn go_back(&self, to: u32) -> Result<bool, NodeError> {
        self.command(|reply| Command::GoBack { to, reply })?.ok_or(NodeError::Durable)
    }

    fn command<T>(&self, make: impl FnOnce(Sender<T>) -> Command) -> Result<T, NodeError> {
        let stopped = || NodeError::Stopped { reason: self.0.shared.end_reason() };
        let (reply, answer) = mpsc::channel();
        self.0.commands.send(make(reply)).map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())
    }

    /// Extrinsics that wait for a block, or are about to.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let made = MAX_WAITING.saturating_sub(self.0.shared.waiting.available_permits());
        let queue = self.0.shared.queue();
        let is_sent = |waiting: &&Waiting| waiting.extrinsic.sent.is_some();
        made.saturating_add(queue.ready().iter().filter(is_sent).count())
    }

    /// The state after block `at`.
    ///
    /// # Errors
    /// [`ReadError::NoBlock`] where it is not kept or not made yet.
    pub fn state_at(&self, at: BlockNumber) -> Result<State, ReadError> {
        let kept = self.0.shared.kept();
        kept.state(at).cloned().ok_or_else(|| {
            let oldest = kept.states.front().map_or(0, |state| state.head().number);
            ReadError::NoBlock { block: at, oldest, head: kept.newest().head().number }
        })
    }

    /// The state after the newest block.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.shared.kept().newest().clone()
    }

    /// The state after the block with this hash, where it is kept.
    pub(crate) fn state_of(&self, hash: Digest) -> Option<State> {
        let kept = self.0.shared.kept();
        kept.state(kept.archive.number(hash)?).cloned()
    }

    pub(crate) fn number_of(&self, hash: Digest) -> Option<BlockNumber> {
        self.0.shared.kept().archive.number(hash)
    }

    pub(crate) fn hash_of(&self, number: BlockNumber) -> Option<Digest> {
        self.0.shared.kept().archive.hash(number)
    }

    pub(crate) fn header_of(&self, number: BlockNumber) -> Option<Header> {
        self.0.shared.kept().archive.header(number).copied()
    }

    pub(crate) fn body_of(&self, number: BlockNumber) -> Option<Body> {
        self.0.shared.kept().archive.body(number)
    }

    pub(crate) fn pace(&self) -> Pace {
        self.0.pace
    }

    /// Each new head; one that is replaced before it was looked at is not shown.
    pub(crate) fn heads(&self) -> watch::Receiver<Head> {
        self.0.heads.clone()
    }

    /// Checks what a client sent, and hands it over; gives its hash.
    pub(crate) fn take(
        &self,
        bytes: &[u8],
        fates: Option<channel::UnboundedSender<Fate>>,
    ) -> Result<Digest, Rejected> {
        let hash = Digest(blake2_256(bytes));
        let rejected = |why| Rejected::NotTaken { hash, why };
        let invalid = |reason| rejected(NotTaken::Invalid(reason));
        let state = self.state();
        let extrinsic =
            Extrinsic::verified(bytes, state.rules(), state.head().number, |number| self.hash_of(number));
        let extrinsic = extrinsic.map_err(|unsound| match unsound {
            Unsound::Malformed => Rejected::Malformed,
            Unsound::Invalid(reason) => invalid(reason),
        })?;
        state.validate(&extrinsic).map_err(invalid)?;
        self.admit(extrinsic, hash, fates).map_err(rejected)?;
        Ok(hash)
    }

    /// Hands over a client's extrinsic that was verified and validated.
    fn admit(
        &self,
        extrinsic: Extrinsic,
        hash: Digest,
        fates: Option<channel::UnboundedSender<Fate>>,
    ) -> Result<Fate, NotTaken> {
        let mut queue = self.0.shared.queue();
        let next = self.0.shared.kept().newest().nonce(extrinsic.origin);
        let fate = queue.admit(extrinsic, hash, next, fates)?;
        drop(queue);
        self.announce();
        Ok(fate)
    }

    fn announce(&self) {
        if self.0.pace == Pace::Instant {
            // A thread that has ended has told all who wait.
            let _ended = self.0.commands.send(Command::Arrived);
        }
    }

    /// The number of the account's next extrinsic behind all that waits.
    pub(crate) fn next_nonce(&self, account: AccountId) -> u32 {
        let queue = self.0.shared.queue();
        let next = self.0.shared.kept().newest().nonce(account);
        queue.next_nonce(account, next)
    }

    /// Clients' extrinsics that are ready for the next block.
    pub(crate) fn pending(&self) -> Vec<Arc<[u8]>> {
        let queue = self.0.shared.queue();
        let sent = queue.ready().iter().filter(|waiting| waiting.extrinsic.sent.is_some());
        sent.map(|waiting| waiting.extrinsic.bytes(0)).collect()
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

    async fn send(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> Result<Inclusion, SubmitError> {
        let (name, shared) = (call.name(), self.0.shared.clone());
        let unknown = move || SubmitError::Unknown { call: name, reason: shared.end_reason() };
        let place = self.0.shared.waiting.clone().acquire_owned().await.map_err(|_| unknown())?;
        let (reply, answer) = oneshot::channel();
        let extrinsic = Extrinsic { nonce, ..Extrinsic::new(origin, call) };
        let waiting = Waiting { extrinsic, asker: Asker::Caller(reply) };
        self.0.shared.queue().push(waiting).map_err(|_| unknown())?;
        self.announce();
        Ok(Box::pin(async move {
            let _place = place;
            let refused = |refusal| SubmitError::Refused { call: name, refusal };
            answer.await.map_err(|_| unknown())?.map_err(refused)
        }))
    }
}

/// The thread's own part.
struct Maker {
    state: State,
    log: Option<Log>,
    shared: Arc<Shared>,
    heads: watch::Sender<Head>,
    order: Order,
    kept_states: usize,
    snapshot_every: BlockNumber,
    /// States to go back to.
    remembered: BTreeMap<u32, State>,
    next_remembered: u32,
}

impl Maker {
    fn run(mut self, pace: Pace, inbox: &Receiver<Command>) {
        let ended = self.serve(pace, inbox);
        if let Err(error) = ended {
            let mut end = self.shared.end.lock().unwrap_or_else(PoisonError::into_inner);
            *end = Some(error.to_string());
        }
        self.shared.waiting.close();
        self.shared.queue().close();
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
                Ok(Command::Arrived) => {
                    while !self.shared.queue().ready().is_empty() {
                        self.make(now(), 1)?;
                    }
                }
                Ok(Command::Step { time, reply }) => {
                    let made = self.make(time.unwrap_or_else(now), usize::MAX)?;
                    // Who asked may have gone.
                    let _gone = reply.send(made);
                }
                Ok(Command::Remember { reply }) => {
                    let _gone = reply.send(self.remember());
                }
                Ok(Command::GoBack { to, reply }) => {
                    let _gone = reply.send(self.go_back(to));
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    self.make(now(), usize::MAX)?;
                    // A late block delays the next ones; none are made up for.
                    due = period.map(|period| Instant::now() + period);
                }
            }
        }
    }

    /// Makes a block of at most `most` extrinsics, writes it, and only then shows it.
    fn make(&mut self, time: Timestamp, most: usize) -> Result<Made, LogError> {
        let mut taken = self.shared.queue().take(most);
        if self.order == Order::Lot {
            let parent = self.state.head().hash;
            taken.sort_by_cached_key(|waiting| lot(parent, waiting.extrinsic.origin));
        }
        let (extrinsics, askers): (Vec<_>, Vec<_>) =
            taken.into_iter().map(|waiting| (waiting.extrinsic, waiting.asker)).unzip();
        let mut next = self.state.clone();
        let block = next.block(log::not_before(self.state.head().time, time), &extrinsics);
        if let Some(log) = &mut self.log {
            log.append(&block)?;
        }
        self.state = next;
        self.show();
        let mut next_index = 1;
        let placed = block.outcomes.iter().map(|outcome| match *outcome {
            Err(Refusal::Pool(reason)) => Placed::Refused(reason),
            Ok(()) | Err(Refusal::Module(_) | Refusal::Unlisted { .. }) => {
                let index = next_index;
                next_index += 1;
                Placed::Included { index, outcome: *outcome }
            }
        });
        let waiting = extrinsics.into_iter().zip(askers);
        let results =
            waiting.map(|(extrinsic, asker)| Waiting { extrinsic, asker }).zip(placed.collect::<Vec<_>>());
        let Head { number, hash, .. } = block.head;
        self.shared.queue().finish((number, hash), results, |account| self.state.nonce(account));
        if let Some(log) = &self.log
            && self.snapshot_every > 0
            && block.head.number.is_multiple_of(self.snapshot_every)
        {
            log.snapshot(&self.state)?;
        }
        Ok(Made { head: block.head, events: block.events })
    }

    fn show(&self) {
        let mut kept = self.shared.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.archive.push(*self.state.header(), self.state.body().clone());
        kept.states.push_back(self.state.clone());
        while kept.states.len() > self.kept_states {
            kept.states.pop_front();
        }
        drop(kept);
        self.heads.send_replace(self.state.head());
    }

    /// None where the chain has a log.
    fn remember(&mut self) -> Option<u32> {
        if self.log.is_some() {
            return None;
        }
        let number = self.next_remembered;
        self.next_remembered = number.saturating_add(1);
        self.remembered.insert(number, self.state.clone());
        if self.remembered.len() > MAX_REMEMBERED {
            self.remembered.pop_first();
        }
        Some(number)
    }

    /// None where the chain has a log, false where nothing is remembered under that number.
    fn go_back(&mut self, to: u32) -> Option<bool> {
        if self.log.is_some() {
            return None;
        }
        let Some(state) = self.remembered.get(&to).cloned() else { return Some(false) };
        self.remembered.split_off(&to);
        self.state = state;
        let number = self.state.head().number;
        let mut kept = self.shared.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.archive.go_back(number);
        kept.states.retain(|state| state.head().number < number);
        kept.states.push_back(self.state.clone());
        drop(kept);
        self.shared.queue().clear();
        self.heads.send_replace(self.state.head());
        Some(true)
    }
}

/// What an account draws in the block after `parent`.
fn lot(parent: Digest, account: AccountId) -> Digest {
    Digest::of(&[parent.0, account.0].concat())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
