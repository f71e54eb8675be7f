//! The axon: the server that a neuron answers from, with a limit at every stage of a request.
//!
//! A request passes, in this order: a place among the connections; its headers, bounded in bytes, number and time; the
//! bucket of its IP; its route; the form, receiver and window of its signature; the body, bounded in bytes and time and
//! hashed as it arrives; the signature and the replay store; the bucket of its hotkey; the subnet's [`Decision`]; a
//! place among the running handlers, by priority; the handler, with a deadline; its answer, which the client must take.
//! Nothing before the signature can use up anything that belongs to a hotkey.
//!
//! Start with [`spawn`] and [`Config`]; [`Route`] says what is answered. Clock and sockets are read here.
#![expect(clippy::disallowed_methods, reason = "the edge: a server reads the clock")]

mod bucket;
mod gate;
mod limits;
mod listen;
mod patience;
mod route;
mod serve;

pub use bucket::Rate;
pub use limits::Limits;
pub use listen::{Handle, SpawnError, spawn};
pub use route::{Call, Caller, Reply, ReplyBody, Route, RouteError, StreamBreak, Wire};

use std::{net::SocketAddr, sync::Arc};

use primitives::Hotkey;
use protocol::UnixNanos;

/// What the subnet decides about a sender whose signature passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The sender is not served: not registered, without a permit, blacklisted.
    Refuse,
    /// The sender is served; when there are more requests than places, higher priorities go first.
    Serve {
        /// The sender's weight, usually its stake in rao.
        priority: u64,
    },
}

/// Decides about a verified hotkey on a route, from a metagraph that the caller keeps.
pub type Judge = Arc<dyn Fn(&Hotkey, &str) -> Decision + Send + Sync>;

/// The present moment.
pub type Clock = Arc<dyn Fn() -> UnixNanos + Send + Sync>;

/// Everything that an axon is started with.
#[derive(Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The hotkey that requests must be signed for.
    pub hotkey: Hotkey,
    /// What it answers.
    pub routes: Vec<Route>,
    /// Who is served, and in which order.
    pub judge: Judge,
    /// The limits of its stages.
    pub limits: Limits,
    /// When this process began: nonces that an earlier one could have accepted are refused.
    pub started: UnixNanos,
    /// The present moment, for nonces.
    pub clock: Clock,
}

impl Config {
    /// An axon on a free port of this machine, started now, that serves everyone alike.
    #[must_use]
    pub fn local(hotkey: Hotkey, routes: Vec<Route>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hotkey,
            routes,
            judge: Arc::new(|_, _| Decision::Serve { priority: 0 }),
            limits: Limits::default(),
            started: system_clock(),
            clock: Arc::new(system_clock),
        }
    }
}

/// The system's clock; a clock before 1970 reads as the epoch.
#[must_use]
pub fn system_clock() -> UnixNanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
