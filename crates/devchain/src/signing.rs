//! A chain in process for neurons that sign: what they send has the same bytes as over RPC, and is checked in the same way.
//!
//! [`Handle`] itself trusts its caller and carries out calls that nobody signed; blocks then show a signature of zeros. A run
//! that is to lead to the very blocks that it leads to over RPC needs the signatures, since the hashes of blocks cover
//! them and much is drawn from those.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chain::{Call, Chain, Head, Included, Inclusion, InvalidTransaction, ReadError, SubmitError, Subnet};
use primitives::{AccountId, BlockNumber, NetUid, Rao};
use tokio::sync::mpsc;
use wallet::Keypair;

use crate::{
    Handle,
    node::Rejected,
    queue::{Fate, NotTaken},
    wire::{self, extrinsic::Agreed},
};

/// For how many blocks an extrinsic is valid: as clients of the real chain have it where nothing is said.
const PERIOD_BLOCKS: u64 = 64;

/// A running node, and the keys of those who call it. Copies share both.
#[derive(Clone)]
pub struct Signing {
    node: Handle,
    keys: Arc<BTreeMap<AccountId, Keypair>>,
    /// Salts signatures: the same salt, key and call give the same bytes.
    salt: [u8; 32],
    /// Held from the choice of a number until its extrinsic is in.
    numbering: Arc<Mutex<()>>,
}

impl Handle {
    /// This node for callers that sign with `keys`, their signatures salted with `salt`.
    #[must_use]
    pub fn signing(&self, keys: impl IntoIterator<Item = Keypair>, salt: [u8; 32]) -> Signing {
        let keys = keys.into_iter().map(|key| (key.public().account, key)).collect();
        Signing { node: self.clone(), keys: Arc::new(keys), salt, numbering: Arc::default() }
    }
}

impl Signing {
    /// Signs, and hands over; gives what tells of its way.
    fn hand_over(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: &Call,
    ) -> Result<mpsc::UnboundedReceiver<Fate>, SubmitError> {
        let name = call.name();
        let unknown = |reason: &str| SubmitError::Unknown { call: name, reason: reason.to_owned() };
        let key = self.keys.get(&origin).ok_or(SubmitError::NoKey { call: name, account: origin })?;
        let agreed = Agreed {
            spec_version: self.node.state().rules().spec_version(),
            transaction_version: wire::TRANSACTION_VERSION,
            genesis: self.node.hash_of(0).ok_or_else(|| unknown("the first block is forgotten"))?,
        };
        let _held = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
        let nonce = nonce.unwrap_or_else(|| self.node.next_nonce(origin));
        let era = (PERIOD_BLOCKS, self.node.state().head());
        let bytes = wire::extrinsic::signed(key, self.salt, nonce, call, &agreed, era).ok_or_else(|| {
            SubmitError::NoCall { call: name, reason: "the metadata does not describe it".to_owned() }
        })?;
        let (sender, fates) = mpsc::unbounded_channel();
        match self.node.take(&bytes, Some(sender)) {
            Ok(_) => Ok(fates),
            Err(Rejected::NotTaken { why: NotTaken::Invalid(reason), .. }) => Err(refused(name, reason)),
            Err(Rejected::NotTaken { why, .. }) => Err(unknown(match why {
                NotTaken::AlreadyImported => "the same waits already",
                NotTaken::TooLowPriority => "another one of its number waits already",
                NotTaken::Full => "there is no room for it",
                NotTaken::Closed | NotTaken::Invalid(_) => "the node has stopped",
            })),
            Err(Rejected::Malformed) => Err(unknown("it can't be read back")),
        }
    }
}

fn refused(call: &'static str, reason: InvalidTransaction) -> SubmitError {
    SubmitError::Refused { call, refusal: reason.into() }
}

/// What became of an extrinsic in the end.
async fn outcome(
    node: &Handle,
    name: &'static str,
    mut fates: mpsc::UnboundedReceiver<Fate>,
) -> Result<Included, SubmitError> {
    let unknown = |reason: &str| SubmitError::Unknown { call: name, reason: reason.to_owned() };
    loop {
        match fates.recv().await {
            Some(Fate::Early | Fate::Ready) => {}
            Some(Fate::Invalid(reason)) => return Err(refused(name, reason)),
            Some(Fate::Dropped) | None => return Err(unknown("the node stopped or went back")),
            Some(Fate::Included { block, index }) => {
                let state = node.state_of(block).ok_or_else(|| unknown("its block is no longer kept"))?;
                // The inherent is the first of a block and has no receipt.
                let at = index.checked_sub(1).and_then(|at| usize::try_from(at).ok());
                let receipt = at.and_then(|at| state.receipts().of.get(at));
                let receipt = receipt.ok_or_else(|| unknown("its block does not know it"))?;
                return match receipt.outcome {
                    Ok(()) => Ok(Included { block: state.head().number, index }),
                    Err(error) => Err(SubmitError::Refused { call: name, refusal: error.into() }),
                };
            }
        }
    }
}

impl Chain for Signing {
    async fn head(&self) -> Result<Head, ReadError> {
        self.node.head().await
    }

    async fn next_head(&self, after: BlockNumber) -> Result<Head, ReadError> {
        self.node.next_head(after).await
    }

    async fn subnet(&self, netuid: NetUid, at: BlockNumber) -> Result<Arc<Subnet>, ReadError> {
        self.node.subnet(netuid, at).await
    }

    async fn balance(&self, account: AccountId, at: BlockNumber) -> Result<Rao, ReadError> {
        self.node.balance(account, at).await
    }

    async fn nonce(&self, account: AccountId, at: BlockNumber) -> Result<u32, ReadError> {
        self.node.nonce(account, at).await
    }

    async fn send(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> Result<Inclusion, SubmitError> {
        let fates = self.hand_over(origin, nonce, &call)?;
        let (node, name) = (self.node.clone(), call.name());
        Ok(Box::pin(async move { outcome(&node, name, fates).await }))
    }
}
