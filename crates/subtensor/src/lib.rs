//! The real network, or any node that speaks like it, as a [`Chain`].
//!
//! Everything is read and encoded by the metadata of the chain at the block in question, never by compiled-in
//! types: a runtime upgrade in the middle of a run changes nothing here. [`Subtensor::connect`] opens the connection,
//! which is opened again with growing pauses whenever it is lost; requests that were under way then fail with
//! [`ReadError::Unreachable`] or [`SubmitError::Unknown`] and are the caller's to repeat.
//!
//! This crate is an edge: it opens sockets, waits, and draws the randomness of signatures.

mod call;
pub mod developer;
mod endpoint;
mod read;
mod submit;
mod subnet;
mod views;

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chain::{BlockNumber, Call, Chain, Head, Inclusion, ReadError, SubmitError, Subnet};
pub use developer::Developer;
pub use endpoint::{Endpoint, EndpointError};
use primitives::{AccountId, Digest, NetUid, Rao, Timestamp};
use subxt::{
    OnlineClient, SubstrateConfig,
    backend::LegacyBackend,
    config::RpcConfigFor,
    dynamic::Value,
    ext::codec::Decode,
    rpcs::{
        LegacyRpcMethods, RpcClient, client::ReconnectingRpcClient,
        client::reconnecting_rpc_client::ExponentialBackoff,
    },
    utils::H256,
};
use tokio::{sync::watch, task::JoinHandle};
pub use views::Stake;
use wallet::Keypair;

use crate::{
    read::{At, Batch, unreachable},
    submit::Nonces,
};

type Config = SubstrateConfig;

/// First pause before a lost connection is opened again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Metagraphs that are kept: several neurons ask for the same ones.
const KEPT_SUBNETS: usize = 4;
/// `twox128("Timestamp") ‖ twox128("Now")`: where every such chain keeps its time.
const NOW: [u8; 32] = [
    0xf0, 0xc3, 0x65, 0xc3, 0xcf, 0x59, 0xd6, 0x71, 0xeb, 0x72, 0xda, 0x0e, 0x7a, 0x41, 0x13, 0xc4, 0x9f,
    0x1f, 0x05, 0x15, 0xf4, 0x62, 0xcd, 0xcf, 0x84, 0xe0, 0xf1, 0xd6, 0x04, 0x5d, 0xfc, 0xbb,
];

/// Which blocks count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The newest block, which may yet be replaced.
    Included,
    /// Only blocks that can't be replaced any more.
    Finalized,
}

/// How to work with a chain.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which blocks are read, and when a call counts as carried out.
    pub certainty: Certainty,
    /// For how many blocks an extrinsic is valid: rounded up to a power of two from 4 to 65536.
    pub mortality_blocks: NonZeroU64,
    /// How long the first connection and each request may take.
    pub timeout: Duration,
    /// What salts signatures.
    pub salt: Salt,
}

/// What salts signatures. It need not be secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Salt {
    /// The system's randomness, anew for each.
    #[default]
    Drawn,
    /// This: the same call with the same number, signed at the same block, then has the same bytes.
    Fixed([u8; 32]),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            certainty: Certainty::Included,
            mortality_blocks: NonZeroU64::new(64).unwrap_or(NonZeroU64::MIN),
            timeout: Duration::from_secs(60),
            salt: Salt::Drawn,
        }
    }
}

/// A connection to a chain, and the keys that it signs with. Copies share both.
#[derive(Clone)]
pub struct Subtensor(Arc<Inner>);

struct Inner {
    client: OnlineClient<Config>,
    legacy: LegacyRpcMethods<RpcConfigFor<Config>>,
    keys: BTreeMap<AccountId, Keypair>,
    options: Options,
    nonces: Nonces,
    /// The number of the newest block that counts.
    newest: watch::Receiver<BlockNumber>,
    subnets: Mutex<VecDeque<Arc<Subnet>>>,
    follower: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl std::fmt::Debug for Subtensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let accounts: Vec<_> = self.0.keys.keys().collect();
        f.debug_struct("Subtensor").field("options", &self.0.options).field("accounts", &accounts).finish()
    }
}

impl Subtensor {
    /// Connects to a chain and signs for the accounts of `keys`.
    ///
    /// # Errors
    /// [`ReadError::Unreachable`] where nobody answers in time, or what answers is no such chain.
    pub async fn connect(
        endpoint: &Endpoint,
        keys: impl IntoIterator<Item = Keypair>,
        options: Options,
    ) -> Result<Self, ReadError> {
        let connect = Self::open(endpoint, keys.into_iter().collect(), options);
        match tokio::time::timeout(options.timeout, connect).await {
            Ok(connected) => connected,
            Err(_) => Err(ReadError::Unreachable {
                reason: format!("{} did not answer within {} s", endpoint.url(), options.timeout.as_secs()),
            }),
        }
    }

    async fn open(endpoint: &Endpoint, keys: Vec<Keypair>, options: Options) -> Result<Self, ReadError> {
        let named = |error: &dyn std::fmt::Display| ReadError::Unreachable {
            reason: format!("{}: {error}", endpoint.url()),
        };
        let connection = ReconnectingRpcClient::builder()
            .retry_policy(ExponentialBackoff::from_millis(millis(FIRST_PAUSE)).max_delay(LONGEST_PAUSE))
            .request_timeout(options.timeout)
            .build(endpoint.url().to_owned())
            .await
            .map_err(|error| named(&error))?;
        let rpc = RpcClient::from(connection);
        let legacy = LegacyRpcMethods::new(rpc.clone());
        let backend = LegacyBackend::<Config>::builder().build(rpc);
        let client = OnlineClient::from_backend(Arc::new(backend)).await.map_err(|error| named(&error))?;
        let first = newest(&legacy, options.certainty).await.map_err(|error| named(&error))?;
        let (sender, receiver) = watch::channel(first);
        let follower = tokio::spawn(follow(legacy.clone(), options.certainty, sender));
        Ok(Self(Arc::new(Inner {
            client,
            legacy,
            keys: keys.into_iter().map(|key| (key.public().account, key)).collect(),
            options,
            nonces: Nonces::default(),
            newest: receiver,
            subnets: Mutex::default(),
            follower,
        })))
    }

    /// The hash of the chain's first block, which tells chains apart.
    #[must_use]
    pub fn genesis(&self) -> Digest {
        Digest(self.0.client.genesis_hash().0)
    }

    /// The subnets there are at a block, root not counted.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subnets(&self, at: BlockNumber) -> Result<Vec<NetUid>, ReadError> {
        let at = self.at(at).await?;
        let address = subxt::dynamic::storage::<Vec<Value>, bool>("SubtensorModule", "NetworksAdded");
        let mut entries =
            at.client.storage().iter(address, Vec::<Value>::new()).await.map_err(unreachable)?;
        let mut found = Vec::new();
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(unreachable)?;
            let key = entry.key().map_err(unreachable)?;
            let netuid = key.part(0).and_then(|part| part.decode_as::<u16>().ok().flatten());
            if entry.value().decode().map_err(unreachable)? {
                found.extend(netuid.map(NetUid).filter(|netuid| *netuid != NetUid::ROOT));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// What the extrinsic for a call would cost, in rao.
    ///
    /// # Errors
    /// [`SubmitError`], as for [`Chain::submit`].
    pub async fn fee(&self, origin: AccountId, call: &Call) -> Result<Rao, SubmitError> {
        submit::fee(self, origin, call).await
    }

    async fn hash_of(&self, number: BlockNumber) -> Result<H256, ReadError> {
        let hash = self.0.legacy.chain_get_block_hash(Some(number.into())).await.map_err(unreachable)?;
        hash.ok_or_else(|| ReadError::NoBlock { block: number, oldest: 0, head: *self.0.newest.borrow() })
    }

    /// The chain as of a block.
    async fn at(&self, number: BlockNumber) -> Result<At, ReadError> {
        let hash = self.hash_of(number).await?;
        let client = self.0.client.at_block_hash_and_number(hash, number).await.map_err(unreachable)?;
        Ok(At { client, legacy: self.0.legacy.clone() })
    }

    async fn head_of(&self, number: BlockNumber) -> Result<Head, ReadError> {
        let hash = self.hash_of(number).await?;
        let missing = || ReadError::NoBlock { block: number, oldest: 0, head: *self.0.newest.borrow() };
        let (header, now) = tokio::try_join!(
            async { self.0.legacy.chain_get_header(Some(hash)).await.map_err(unreachable) },
            async { self.0.legacy.state_get_storage(&NOW, Some(hash)).await.map_err(unreachable) },
        )?;
        let parent = header.ok_or_else(missing)?.parent_hash;
        // The first block has no time yet.
        let now = now.and_then(|bytes| u64::decode(&mut &bytes[..]).ok()).unwrap_or(0);
        let time = Timestamp(i64::try_from(now).unwrap_or(i64::MAX));
        Ok(Head { number, hash: Digest(hash.0), parent: Digest(parent.0), time })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

type Legacy = LegacyRpcMethods<RpcConfigFor<Config>>;

/// The number of the newest block that counts.
async fn newest(legacy: &Legacy, certainty: Certainty) -> Result<BlockNumber, ReadError> {
    let hash = match certainty {
        Certainty::Included => None,
        Certainty::Finalized => Some(legacy.chain_get_finalized_head().await.map_err(unreachable)?),
    };
    let header = legacy.chain_get_header(hash).await.map_err(unreachable)?;
    Ok(header.map_or(0, |header| header.number))
}

/// Keeps `newest` up to date for as long as anybody looks at it.
async fn follow(legacy: Legacy, certainty: Certainty, newest: watch::Sender<BlockNumber>) {
    let mut pause = FIRST_PAUSE;
    while !newest.is_closed() {
        let subscribed = match certainty {
            Certainty::Included => legacy.chain_subscribe_new_heads().await,
            Certainty::Finalized => legacy.chain_subscribe_finalized_heads().await,
        };
        if let Ok(mut heads) = subscribed {
            while let Some(Ok(header)) = heads.next().await {
                pause = FIRST_PAUSE;
                newest.send_replace(header.number);
            }
        }
        // The connection was lost, or never there: it is opened again underneath.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Chain for Subtensor {
    async fn head(&self) -> Result<Head, ReadError> {
        let number = *self.0.newest.borrow();
        self.head_of(number).await
    }

    async fn next_head(&self, after: BlockNumber) -> Result<Head, ReadError> {
        let mut newest = self.0.newest.clone();
        newest.wait_for(|number| *number > after).await.map_err(unreachable)?;
        self.head_of(after.saturating_add(1)).await
    }

    async fn subnet(&self, netuid: NetUid, at: BlockNumber) -> Result<Arc<Subnet>, ReadError> {
        let kept = |subnets: &VecDeque<Arc<Subnet>>| {
            subnets.iter().find(|subnet| subnet.netuid == netuid && subnet.head.number == at).cloned()
        };
        if let Some(subnet) = kept(&self.0.subnets.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(subnet);
        }
        let (block, head) = tokio::try_join!(self.at(at), self.head_of(at))?;
        if block.hash() != head.hash {
            // A block was replaced between two requests.
            return Err(ReadError::NoBlock { block: at, oldest: 0, head: *self.0.newest.borrow() });
        }
        let subnet = Arc::new(subnet::read(&block, netuid, head).await?);
        let mut subnets = self.0.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        subnets.push_back(subnet.clone());
        while subnets.len() > KEPT_SUBNETS {
            subnets.pop_front();
        }
        Ok(subnet)
    }

    async fn balance(&self, account: AccountId, at: BlockNumber) -> Result<Rao, ReadError> {
        let at = self.at(at).await?;
        Ok(Rao(at.account(account).await?.data.free))
    }

    async fn nonce(&self, account: AccountId, at: BlockNumber) -> Result<u32, ReadError> {
        let at = self.at(at).await?;
        Ok(at.account(account).await?.nonce)
    }

    async fn send(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> Result<Inclusion, SubmitError> {
        submit::send(self, origin, nonce, &call).await
    }
}

/// What is read of an account.
#[derive(Default, subxt::ext::scale_decode::DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Account {
    nonce: u32,
    data: AccountData,
}

#[derive(Default, subxt::ext::scale_decode::DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountData {
    free: u64,
}

impl At {
    async fn account(&self, account: AccountId) -> Result<Account, ReadError> {
        let mut batch = Batch::default();
        let asked = self.ask(&mut batch, "System", "Account", vec![Value::from_bytes(account.0)])?;
        self.fetch(batch).await?.value(asked)
    }
}
