//! The chain as its users see it: what may be called, what can be read, what goes wrong.
//!
//! [`Call`] is what an account may ask of the chain, [`Subnet`] what one reads of a subnet at a block, and
//! [`Chain`] the seam between neurons and whichever chain they work on. The rules themselves live in
//! `devchain`, or on the real network; nothing here decides whether a call is allowed. Amounts are integers
//! and scores are the chain's u16. Start with [`Call`] and [`Subnet`].

#![expect(
    clippy::cast_possible_truncation,
    reason = "the SCALE derive casts an enum's index, which is below 256"
)]

mod call;
mod commit_reveal;
mod hyperparameters;
mod refusal;
mod schedule;
mod subnet;
pub mod timelock;

use std::{future::Future, pin::Pin, sync::Arc};

pub use call::{
    Axon, BatchKind, Call, ChainIdentity, CommitmentField, EpochConsensus, MAX_COMMITMENT_FIELDS,
    MAX_TIMELOCKED_COMMIT_BYTES, Prometheus, Pulse, RootClaimType, SUBNETS_PER_MECHANISM, SubnetIdentity,
    WeightVector, storage_index,
};
pub use commit_reveal::{SALT_WORDS, WeightsCommitment, blake2_256, salt_from};
pub use hyperparameters::{ChainParameter, Hyperparameter, Hyperparameters};
pub use primitives::{AccountId, AlphaRao, BlockNumber, Coldkey, Digest, Hotkey, MechId, NetUid, Rao, Uid};
pub use refusal::{InvalidTransaction, ModuleError, Refusal};
pub use schedule::EpochSchedule;
pub use subnet::{Commitment, Head, Neuron, Subnet};
use thiserror::Error;

/// Something could not be read from a chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The subnet does not exist at that block.
    #[error("subnet {netuid} does not exist at block {block}")]
    NoSubnet {
        /// The subnet asked for.
        netuid: NetUid,
        /// The block asked at.
        block: BlockNumber,
    },
    /// The block is unknown, or so old that its state was given up.
    #[error("block {block} is not kept: the oldest kept is {oldest}, the head {head}")]
    NoBlock {
        /// The block asked for.
        block: BlockNumber,
        /// The oldest block whose state can be read.
        oldest: BlockNumber,
        /// The newest block.
        head: BlockNumber,
    },
    /// The chain could not be reached.
    #[error("chain is unreachable: {reason}")]
    Unreachable {
        /// What the transport said.
        reason: String,
    },
}

/// A call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The chain answered and said no: sending the same again is pointless until its state has changed.
    #[error("chain refused {call}: {refusal}")]
    Refused {
        /// The call's name.
        call: &'static str,
        /// What the chain said.
        refusal: Refusal,
    },
    /// The chain has no such call, or one with other arguments.
    #[error("the chain has no call {call} as it is known here: {reason}")]
    NoCall {
        /// The call's name.
        call: &'static str,
        /// What its metadata says.
        reason: String,
    },
    /// The key of the account that should sign is not here.
    #[error("no key for {account}, which {call} is to be signed by")]
    NoKey {
        /// The call's name.
        call: &'static str,
        /// The account.
        account: AccountId,
    },
    /// It is not known whether the call was carried out: ask the chain before sending it again.
    #[error("outcome of {call} is unknown: {reason}")]
    Unknown {
        /// The call's name.
        call: &'static str,
        /// What the transport said.
        reason: String,
    },
}

/// Where a call was included and succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    /// The block.
    pub block: BlockNumber,
    /// Its position among the block's extrinsics.
    pub index: u32,
}

/// What becomes of a call that a chain has taken in: it is ready once the call stands in a block, or can't any more.
pub type Inclusion = Pin<Box<dyn Future<Output = Result<Included, SubmitError>> + Send>>;

/// A chain to read and to call: the local one in process, over RPC, or the real network.
///
/// An implementation signs for the accounts whose keys it holds; in process it trusts its caller.
pub trait Chain: Send + Sync {
    /// The newest block.
    ///
    /// # Errors
    /// [`ReadError::Unreachable`].
    fn head(&self) -> impl Future<Output = Result<Head, ReadError>> + Send;

    /// The first block after `after`, as soon as there is one.
    ///
    /// # Errors
    /// [`ReadError`] where it is no longer kept or the chain is unreachable.
    fn next_head(&self, after: BlockNumber) -> impl Future<Output = Result<Head, ReadError>> + Send;

    /// A subnet as of `at` (its state after that block).
    ///
    /// # Errors
    /// [`ReadError`].
    fn subnet(
        &self,
        netuid: NetUid,
        at: BlockNumber,
    ) -> impl Future<Output = Result<Arc<Subnet>, ReadError>> + Send;

    /// The free balance of an account as of `at`.
    ///
    /// # Errors
    /// [`ReadError`].
    fn balance(
        &self,
        account: AccountId,
        at: BlockNumber,
    ) -> impl Future<Output = Result<Rao, ReadError>> + Send;

    /// The nonce of an account's next extrinsic as of `at`.
    ///
    /// # Errors
    /// [`ReadError`].
    fn nonce(
        &self,
        account: AccountId,
        at: BlockNumber,
    ) -> impl Future<Output = Result<u32, ReadError>> + Send;

    /// Hands `call` over for `origin`, and gives what becomes of it as soon as the chain has taken it in: the next block
    /// carries it out, if anything does. Of two calls with the same nonce one is carried out at most; without a nonce it is
    /// the next one.
    ///
    /// # Errors
    /// [`SubmitError`] where the chain does not take it in, or that is not known.
    fn send(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> impl Future<Output = Result<Inclusion, SubmitError>> + Send;

    /// Sends a call as [`Self::send`] does, and waits until it stands in a block.
    ///
    /// # Errors
    /// [`SubmitError::Refused`] by the chain, [`SubmitError::Unknown`] where the answer was lost.
    fn submit(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> impl Future<Output = Result<Included, SubmitError>> + Send {
        async move { self.send(origin, nonce, call).await?.await }
    }
}
