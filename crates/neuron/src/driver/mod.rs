//! The driver: a step machine with a clock, a store, a chain, an axon and a dendrite.
//!
//! One thread belongs to each neuron. It takes events one after the other, steps the machine and carries its effects
//! out in their order; what takes time (questions, extrinsics, making answers, examinations) runs beside it and comes
//! back as an event. An effect that can't be made durable stops the neuron: it is started again from its store
//! and goes on where that says it was.
//!
//! Start with [`Config`], [`validator`] and [`miner`]; [`Pulse`] tells a patient chain whether somebody is still at work.
#![expect(clippy::disallowed_methods, reason = "the edge: a driver reads the clock")]

mod examiner;
mod post;
mod pulse;

use std::{
    collections::{BTreeMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc},
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use chain::{Call, Chain, ReadError, SubmitError, Subnet};
use mechanisms::{ErasedMechanism, Lane, Strategy};
use primitives::{BlockNumber, Hotkey, Seed, Timestamp};
use protocol::{Signer, UnixNanos};
use store::{Commit, Json, NewEvent, Store, StoreError, artifacts::Artifacts};
use thiserror::Error;
use tokio::{
    runtime::Handle as Runtime,
    sync::{oneshot, watch},
    task::JoinSet,
};

pub use examiner::Examine;
pub use post::{ASK_PATH, DESK_DONE_PATH, DESK_LEASES_PATH, desk_routes};
pub use pulse::{Busy, Pulse};

use crate::{
    axon,
    dendrite::{self, Dendrite},
    machine::{Effect, Event, Identity, RequestId, StartError},
    miner::Miner,
    outbox::Intent,
    validator::Validator,
    wire::{Answer, Ask, AskFailure, Peer},
};

/// The log in which a neuron's starts are counted.
const STARTS_LOG: &str = "starts";

/// What every neuron is driven with.
#[derive(Clone)]
pub struct Config<C> {
    /// Who it is.
    pub identity: Identity,
    /// Its chain.
    pub chain: C,
    /// Its hotkey.
    pub signer: Arc<dyn Signer>,
    /// Where it keeps facts and jobs.
    pub store: Arc<dyn Store>,
    /// Where it keeps bytes.
    pub artifacts: Arc<dyn Artifacts>,
    /// Where its axon listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Until when an earlier run of this neuron may have accepted requests: its axon accepts none from before.
    pub accepted_until: UnixNanos,
    /// The subnet owner's task desk.
    pub desk: Option<dendrite::Peer>,
    /// The limits of its axon.
    pub axon_limits: axon::Limits,
    /// The limits of its questions.
    pub dendrite_limits: dendrite::Limits,
    /// Whom it tells that it is at work.
    pub pulse: Pulse,
}

/// The validator's own part.
pub struct ValidatorPart {
    /// The mechanism.
    pub mechanism: &'static dyn ErasedMechanism,
    /// Its lane in the weights.
    pub lane: Lane,
    /// The owner's jobs.
    pub jobs: Vec<Arc<Vec<u8>>>,
    /// Salts of weight commitments come from it.
    pub secret: Seed,
    /// Examines what was taken from the queue.
    pub examine: Examine,
}

/// Makes an answer: round, place in the plan and bytes of the task; none where there is none to give.
pub type Make = Arc<dyn Fn(u64, u32, &[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// The miner's own part.
pub struct MinerPart {
    /// The mechanism.
    pub mechanism: &'static dyn ErasedMechanism,
    /// How it behaves.
    pub strategy: Arc<dyn Strategy>,
    /// The owner's jobs.
    pub jobs: Vec<Arc<Vec<u8>>>,
    /// Has its strategy make an answer.
    pub make: Make,
}

/// A neuron could not be driven.
#[derive(Debug, Error)]
pub enum DriveError {
    /// What its store holds can't be read.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its axon does not start.
    #[error(transparent)]
    Axon(#[from] axon::SpawnError),
    /// Its address can't be told to the chain.
    #[error("{hotkey} can't tell the chain its address: {error}")]
    Serve {
        /// The neuron.
        hotkey: Hotkey,
        /// What the chain said.
        error: SubmitError,
    },
    /// What an earlier run had sent can't be seen to.
    #[error("{hotkey} can't learn what became of its last call: {error}")]
    Resume {
        /// The neuron.
        hotkey: Hotkey,
        /// What the chain said.
        error: SubmitError,
    },
    /// The chain can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its thread could not be started.
    #[error("could not start a neuron's thread: {0}")]
    Thread(std::io::Error),
}

/// Something that the neuron's thread has to see to.
pub(crate) enum Message {
    /// An event, with whoever waits until its effects have been carried out.
    Event(Event, Busy, Option<oneshot::Sender<()>>),
    /// A question from outside.
    Asked { from: Hotkey, what: Ask, reply: oneshot::Sender<Reply>, busy: Busy },
    /// The end.
    Stop,
}

/// What goes back to whoever asked.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    /// An artifact's bytes.
    Part(Vec<u8>),
}

type Inbox = mpsc::Sender<Message>;

/// The subnet as it was last seen; none before the first look.
pub type Metagraph = Arc<RwLock<Option<Arc<Subnet>>>>;

/// Either machine.
trait Machine: Send + 'static {
    fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect>;

    /// What an earlier run had sent, settled or to be sent again.
    fn resume(&mut self, at: BlockNumber, nonce: u32, now: Timestamp) -> (Vec<Effect>, Option<Intent>);
}

impl Machine for Validator {
    fn resume(&mut self, at: BlockNumber, nonce: u32, now: Timestamp) -> (Vec<Effect>, Option<Intent>) {
        Validator::resume(self, at, nonce, now)
    }

    fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        Validator::step(self, event, now)
    }
}

impl Machine for Miner {
    fn resume(&mut self, at: BlockNumber, nonce: u32, now: Timestamp) -> (Vec<Effect>, Option<Intent>) {
        Miner::resume(self, at, nonce, now)
    }

    fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        Miner::step(self, event, now)
    }
}

/// A running neuron.
pub struct Handle {
    hotkey: Hotkey,
    address: SocketAddr,
    inbox: Inbox,
    ended: watch::Receiver<Option<String>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    examiner: Option<examiner::Handle>,
    axon: Option<axon::Handle>,
    tasks: JoinSet<()>,
}

impl Handle {
    /// Its key.
    #[must_use]
    pub fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    /// Where its axon listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why it has ended by itself, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Ends it: what is under way is dropped, what is durable stays.
    pub async fn stop(mut self) {
        self.tasks.abort_all();
        // Who has ended already hears nothing.
        let _ended = self.inbox.send(Message::Stop);
        if let Some(examiner) = self.examiner.take() {
            examiner.stop();
        }
        if let Some(axon) = self.axon.take() {
            axon.stop().await;
        }
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _panicked = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Starts a validator on the present tokio runtime.
///
/// # Errors
/// [`DriveError`].
pub async fn validator<C>(config: Config<C>, part: ValidatorPart) -> Result<Handle, DriveError>
where
    C: Chain + Clone + 'static,
{
    let incarnation = incarnation(&*config.store)?;
    let ValidatorPart { mechanism, lane, jobs, secret, examine } = part;
    let started =
        Validator::start(config.identity, mechanism, lane, jobs, secret, incarnation, &*config.store)?;
    drive(config, started, None, Some(examine)).await
}

/// Starts a miner on the present tokio runtime.
///
/// # Errors
/// [`DriveError`].
pub async fn miner<C>(config: Config<C>, part: MinerPart) -> Result<Handle, DriveError>
where
    C: Chain + Clone + 'static,
{
    let incarnation = incarnation(&*config.store)?;
    let MinerPart { mechanism, strategy, jobs, make } = part;
    let started = Miner::start(config.identity, mechanism, strategy, jobs, incarnation, &*config.store)?;
    drive(config, started, Some(make), None).await
}

/// How often the neuron has been started, this time included.
fn incarnation(store: &dyn Store) -> Result<u32, StoreError> {
    let event = NewEvent::new("Started", Json::null(), now());
    store.commit(&Commit::new().event(STARTS_LOG, event))?;
    Ok(u32::try_from(store.head(STARTS_LOG)?.0).unwrap_or(u32::MAX))
}

async fn drive<C, M>(
    config: Config<C>,
    mut machine: M,
    make: Option<Make>,
    examine: Option<Examine>,
) -> Result<Handle, DriveError>
where
    C: Chain + Clone + 'static,
    M: Machine,
{
    let hotkey = config.identity.hotkey;
    config.pulse.join(hotkey);
    let (inbox, messages) = mpsc::channel();
    let metagraph = Metagraph::default();
    let axon = axon::spawn(axon::Config {
        listen: config.listen,
        limits: config.axon_limits,
        started: config.accepted_until,
        judge: registered(Arc::clone(&metagraph)),
        ..axon::Config::local(hotkey, vec![post::ask_route(inbox.clone(), config.pulse.clone())])
    })?;
    let address = axon.address();
    resume(&config, &mut machine).await?;
    let served = serve(&config, address).await;
    served.map_err(|error| DriveError::Serve { hotkey, error })?;

    let (end, ended) = watch::channel(None);
    let examiner = match examine {
        Some(examine) => Some(
            examiner::spawn(
                config.identity,
                Arc::clone(&config.store),
                examine,
                inbox.clone(),
                config.pulse.clone(),
            )
            .map_err(DriveError::Thread)?,
        ),
        None => None,
    };
    let clock: axon::Clock = Arc::new(axon::system_clock);
    let hands = Hands {
        runtime: Runtime::current(),
        dendrite: Arc::new(Dendrite::new(Arc::clone(&config.signer), clock, config.dendrite_limits)),
        poke: examiner.as_ref().map(examiner::Handle::poke),
        inbox: inbox.clone(),
        config: config.clone(),
        metagraph: Arc::clone(&metagraph),
        make,
        requests: BTreeMap::new(),
        requested: 0,
    };
    let thread = std::thread::Builder::new()
        .name(format!("neuron {}", &hotkey.to_string()[..8]))
        .spawn(move || {
            if let Err(reason) = work(machine, hands, &messages) {
                // Nobody may look any more.
                let _unseen = end.send(Some(reason));
            }
        })
        .map_err(DriveError::Thread)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(config, metagraph, inbox.clone()));
    let thread = Mutex::new(Some(thread));
    Ok(Handle { hotkey, address, inbox, ended, thread, examiner, axon: Some(axon), tasks })
}

/// Sees to what an earlier run had sent and not heard of, before anything else takes the account's next number: the machine
/// would take that for its own, and what it had decided on would be lost.
async fn resume<C: Chain, M: Machine>(config: &Config<C>, machine: &mut M) -> Result<(), DriveError> {
    let (hotkey, chain) = (config.identity.hotkey, &config.chain);
    let head = chain.head().await?;
    let (settled, pending) = machine.resume(head.number, chain.nonce(hotkey.0, head.number).await?, now());
    commit(config, settled)?;
    let Some(Intent { nonce, call, .. }) = pending else { return Ok(()) };
    match chain.submit(hotkey.0, Some(nonce), call).await {
        Err(error @ SubmitError::Unknown { .. }) => Err(DriveError::Resume { hotkey, error }),
        result => commit(config, machine.step(Event::Submitted { nonce, result }, now())),
    }
}

/// Makes facts durable. Before it has seen a block a machine asks for nothing else.
fn commit<C>(config: &Config<C>, effects: Vec<Effect>) -> Result<(), DriveError> {
    for effect in effects {
        if let Effect::Commit(facts) = effect {
            config.store.commit(&facts)?;
        }
    }
    Ok(())
}

/// Serves whoever is registered, by stake, and nobody else.
#[must_use]
pub fn registered(metagraph: Metagraph) -> axon::Judge {
    Arc::new(move |hotkey, _| {
        let subnet = metagraph.read().unwrap_or_else(PoisonError::into_inner);
        match subnet.as_ref().and_then(|subnet| subnet.neuron(hotkey)) {
            Some(neuron) => axon::Decision::Serve { priority: neuron.alpha_stake.0 },
            None => axon::Decision::Refuse,
        }
    })
}

/// Tells the chain where the axon listens, unless it knows.
async fn serve<C: Chain>(config: &Config<C>, address: SocketAddr) -> Result<(), SubmitError> {
    let SocketAddr::V4(v4) = address else { return Ok(()) };
    let Identity { hotkey, netuid, .. } = config.identity;
    let axon =
        chain::Axon { ip: u32::from(*v4.ip()).into(), port: v4.port(), ip_type: 4, ..chain::Axon::default() };
    let unknown = |error: ReadError| SubmitError::Unknown { call: "serve_axon", reason: error.to_string() };
    let head = config.chain.head().await.map_err(unknown)?;
    let subnet = config.chain.subnet(netuid, head.number).await.map_err(unknown)?;
    let known = subnet.neuron(&hotkey).and_then(|neuron| neuron.axon);
    if known.is_some_and(|known| (known.ip, known.port) == (axon.ip, axon.port)) {
        return Ok(());
    }
    config.chain.submit(hotkey.0, None, Call::ServeAxon { netuid, axon }).await.map(|_| ())
}

/// Brings each new block to the neuron, the newest where it has fallen behind.
async fn follow<C: Chain>(config: Config<C>, metagraph: Metagraph, inbox: Inbox) {
    let Identity { hotkey, netuid, .. } = config.identity;
    let mut seen: Option<BlockNumber> = None;
    loop {
        if let Some(seen) = seen {
            // Which block it is doesn't matter: the newest is asked for below.
            let next = config.chain.next_head(seen).await;
            if matches!(next, Err(ReadError::Unreachable { .. })) {
                return;
            }
        }
        let Ok(head) = config.chain.head().await else { return };
        seen = Some(head.number);
        let subnet = config.chain.subnet(netuid, head.number).await;
        let nonce = config.chain.nonce(hotkey.0, head.number).await;
        let (Ok(subnet), Ok(nonce)) = (subnet, nonce) else { continue };
        *metagraph.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&subnet));
        tokio::select! {
            () = config.pulse.turn(hotkey, &head) => {}
            // The chain went on without it: the newer block is what counts.
            _ = config.chain.next_head(head.number) => continue,
        }
        let (done, is_done) = oneshot::channel();
        let event = Event::Head { subnet, nonce };
        if inbox.send(Message::Event(event, config.pulse.busy(), Some(done))).is_err()
            || is_done.await.is_err()
        {
            return;
        }
        config.pulse.has_seen(hotkey, head.number);
    }
}

/// Takes messages until the end comes, or something can't be made durable.
fn work<C, M>(mut machine: M, mut hands: Hands<C>, messages: &mpsc::Receiver<Message>) -> Result<(), String>
where
    C: Chain + Clone + 'static,
    M: Machine,
{
    while let Ok(message) = messages.recv() {
        let (event, busy, done) = match message {
            Message::Stop => return Ok(()),
            Message::Event(event, busy, done) => (event, busy, done),
            Message::Asked { from, what, reply, busy } => {
                hands.requested += 1;
                let request = RequestId(hands.requested);
                hands.requests.insert(request, reply);
                (Event::Asked { request, from, what }, busy, None)
            }
        };
        let mut effects = VecDeque::from(machine.step(event, now()));
        while let Some(effect) = effects.pop_front() {
            if let Some(event) = hands.carry_out(effect)? {
                effects.extend(machine.step(event, now()));
            }
        }
        // Who has gone away while waiting has no reply to come.
        hands.requests.retain(|_, reply| !reply.is_closed());
        if let Some(done) = done {
            // The block's follower may have been stopped.
            let _gone = done.send(());
        }
        drop(busy);
    }
    Ok(())
}

/// What a neuron acts with.
struct Hands<C> {
    runtime: Runtime,
    dendrite: Arc<Dendrite>,
    poke: Option<examiner::Poke>,
    inbox: Inbox,
    config: Config<C>,
    metagraph: Metagraph,
    make: Option<Make>,
    requests: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    requested: u64,
}

impl<C: Chain + Clone + 'static> Hands<C> {
    /// Carries out one effect; gives the event that follows at once, where one does.
    fn carry_out(&mut self, effect: Effect) -> Result<Option<Event>, String> {
        match effect {
            Effect::Commit(commit) => {
                self.config.store.commit(&commit).map_err(|error| error.to_string())?;
                if let Some(poke) = self.poke.as_ref().filter(|_| !commit.jobs.is_empty()) {
                    poke.poke();
                }
            }
            Effect::Keep(bytes) => {
                self.config.artifacts.put(&bytes).map_err(|error| error.to_string())?;
            }
            Effect::View { block } => {
                let netuid = self.config.identity.netuid;
                let view = self.runtime.block_on(self.config.chain.subnet(netuid, block));
                // A block that is no longer kept opens no round; the next one does.
                return Ok(view.ok().map(Event::View));
            }
            Effect::Ask { ask, to, what } => self.ask(ask, to, what),
            Effect::Reply { request, answer } => self.reply(request, Reply::Answer(answer)),
            Effect::ReplyPart { request, digest } => {
                let reply = self.config.artifacts.get(digest);
                self.reply(request, reply.map_or(Reply::Answer(Answer::Refused), Reply::Part));
            }
            Effect::Submit { nonce, call, valid_until: _ } => self.submit(nonce, call),
            Effect::Make { round, task, bytes } => {
                let Some(make) = self.make.clone() else { return Ok(None) };
                let (inbox, busy) = (self.inbox.clone(), self.config.pulse.busy());
                self.runtime.spawn_blocking(move || {
                    let answer = make(round, task, &bytes);
                    // A neuron that has been stopped meanwhile makes it again.
                    let _stopped =
                        inbox.send(Message::Event(Event::Made { round, task, answer }, busy, None));
                });
            }
        }
        Ok(None)
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        if let Some(to) = self.requests.remove(&request) {
            // Who asked may have gone.
            let _gone = to.send(reply);
        }
    }

    fn ask(&self, ask: crate::AskId, to: Peer, what: Ask) {
        let peer = match to {
            Peer::Desk => self.config.desk,
            Peer::Neuron(hotkey) => {
                self.address_of(&hotkey).map(|address| dendrite::Peer { hotkey, address })
            }
        };
        let (inbox, busy) = (self.inbox.clone(), self.config.pulse.asking());
        let dendrite = Arc::clone(&self.dendrite);
        self.runtime.spawn(async move {
            let result = match peer {
                Some(peer) => post::ask(&dendrite, peer, to, &what).await,
                None => Err(AskFailure::Unreachable),
            };
            // A neuron that has been stopped meanwhile asks again.
            let _stopped = inbox.send(Message::Event(Event::Answer { ask, result }, busy, None));
        });
    }

    /// Where the chain says that a neuron listens.
    fn address_of(&self, hotkey: &Hotkey) -> Option<SocketAddr> {
        let subnet = self.metagraph.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let axon = subnet.neuron(hotkey)?.axon?;
        let ip = u32::try_from(axon.ip).ok().filter(|_| axon.ip_type == 4)?;
        Some(SocketAddr::from((Ipv4Addr::from(ip), axon.port)))
    }

    /// Sends an extrinsic. It is work until the chain has taken it in; then it takes a block.
    fn submit(&self, nonce: u32, call: Call) {
        let (inbox, pulse) = (self.inbox.clone(), self.config.pulse.clone());
        let (chain, hotkey) = (self.config.chain.clone(), self.config.identity.hotkey);
        let subnet = self.metagraph.read().unwrap_or_else(PoisonError::into_inner).clone();
        let head = subnet.map_or(0, |subnet| subnet.head.number);
        let busy = pulse.busy();
        self.runtime.spawn(async move {
            let sent = chain.send(hotkey.0, Some(nonce), call).await;
            let _heard = pulse.sent(head);
            drop(busy);
            let result = match sent {
                Ok(inclusion) => inclusion.await,
                Err(error) => Err(error),
            };
            // A neuron that has been stopped meanwhile sees it on the chain.
            let _stopped = inbox.send(Message::Event(Event::Submitted { nonce, result }, pulse.busy(), None));
        });
    }
}

/// The time in milliseconds since 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
