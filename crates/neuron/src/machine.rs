//! What goes into a step machine and what comes out of it.

use std::sync::Arc;

use chain::{BlockNumber, Call, Included, SubmitError, Subnet};
use primitives::{Digest, Hotkey, MechId, NetUid};
use serde::de::DeserializeOwned;
use store::{Commit, EventNumber, Store, each_event};
use thiserror::Error;

use crate::{
    validator::ValidatorFact,
    wire::{Answer, Ask, AskFailure, Peer},
};

/// Who a neuron is and where it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its key.
    pub hotkey: Hotkey,
    /// Its subnet.
    pub netuid: NetUid,
    /// The chain's mechanism that it serves.
    pub mechid: MechId,
}

/// A question's number. The incarnation counts a neuron's starts, so that an answer to a question from before a
/// crash is not taken for one to a question of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId {
    /// How often the neuron has been started.
    pub incarnation: u32,
    /// Counts the questions since.
    pub number: u64,
}

/// A request's number, given out by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// There is a new block.
    Head {
        /// The subnet after that block.
        subnet: Arc<Subnet>,
        /// The neuron's own account nonce after that block.
        nonce: u32,
    },
    /// The subnet at a block that was asked for.
    View(Arc<Subnet>),
    /// A question was answered, or will not be.
    Answer {
        /// Which one.
        ask: AskId,
        /// The answer.
        result: Result<Answer, AskFailure>,
    },
    /// Somebody asks. The sender's key has been verified.
    Asked {
        /// To be named in the reply.
        request: RequestId,
        /// Who asks.
        from: Hotkey,
        /// What.
        what: Ask,
    },
    /// What became of an extrinsic, as far as the chain has said.
    Submitted {
        /// Its nonce.
        nonce: u32,
        /// Where it was included, or why not.
        result: Result<Included, SubmitError>,
    },
    /// A worker has committed a finding to the validator's log.
    Examined(Box<ValidatorFact>),
    /// An answer to a task has been made; none where there is none to give.
    Made {
        /// The round.
        round: u64,
        /// The task's place in the plan.
        task: u32,
        /// The answer's bytes.
        answer: Option<Vec<u8>>,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make this durable before any effect behind it.
    Commit(Commit),
    /// Keep these bytes as an artifact, durably.
    Keep(Vec<u8>),
    /// Bring the subnet as it was after this block.
    View {
        /// The block.
        block: BlockNumber,
    },
    /// Ask somebody.
    Ask {
        /// To be named with the answer.
        ask: AskId,
        /// Whom.
        to: Peer,
        /// What.
        what: Ask,
    },
    /// Answer a request.
    Reply {
        /// Which.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// Answer a request with an artifact's bytes.
    ReplyPart {
        /// Which.
        request: RequestId,
        /// The artifact.
        digest: Digest,
    },
    /// Send an extrinsic: the same nonce always carries the same call.
    Submit {
        /// The nonce.
        nonce: u32,
        /// The call.
        call: Call,
        /// The last block that may include it.
        valid_until: BlockNumber,
    },
    /// Make an answer to a task.
    Make {
        /// The round.
        round: u64,
        /// The task's place in the plan.
        task: u32,
        /// The task's bytes.
        bytes: Arc<Vec<u8>>,
    },
}

/// A machine could not be started from what its store holds.
#[derive(Debug, Error)]
pub enum StartError {
    /// The log holds an event that this program does not know.
    #[error("event {number} of {log:?} can't be read: {reason}")]
    Event {
        /// The log.
        log: String,
        /// The event's number.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Gives every fact of a log to `apply`, in order.
pub(crate) fn replay<F: DeserializeOwned>(
    store: &dyn Store,
    log: &str,
    mut apply: impl FnMut(&F),
) -> Result<(), StartError> {
    each_event(store, log, EventNumber::START, |event| {
        let fact = event.body.read().map_err(|error| StartError::Event {
            log: log.to_owned(),
            number: event.number.0,
            reason: error.to_string(),
        })?;
        apply(&fact);
        Ok(())
    })
    .map(|_| ())
}
