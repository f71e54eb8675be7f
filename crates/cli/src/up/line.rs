//! How a house's neurons and its task desk reach their chain: in process, or over JSON-RPC as they would any other.
//!
//! Either way they see one [`Chain`] and sign what they send; the same calls with the same salt then have the same bytes, and
//! the same seed leads to the same blocks.

use std::{fmt, str::FromStr, sync::Arc};

use chain::{
    AccountId, BlockNumber, Call, Chain, Head, Inclusion, NetUid, Rao, ReadError, SubmitError, Subnet,
};
use devchain::{
    Handle as Node, Signing,
    rpc::{self, RpcServer},
};
use miette::Diagnostic;
use primitives::Seed;
use subtensor::{Endpoint, Options, Salt, Subtensor};
use thiserror::Error;
use wallet::Keypair;

use super::found::Parties;

/// The chain's name, as clients show it.
const CHAIN_NAME: &str = "Weighhouse";

/// How neurons reach their chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    #[default]
    InProcess,
    Rpc,
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "in-process" => Ok(Self::InProcess),
            "rpc" => Ok(Self::Rpc),
            _ if text.contains("://") => Err(format!(
                "{text:?} is somebody's chain, on which founding a subnet locks TAO: `weigh up` founds one on a chain of \
                 its own alone, in-process or rpc; `weigh subnet create --network {text}` asks for what it costs first"
            )),
            _ => Err(format!("{text:?} is no way to a chain: expected in-process or rpc")),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProcess => "in-process",
            Self::Rpc => "rpc",
        })
    }
}

/// The chain can't be reached over its RPC.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum LineError {
    #[error(transparent)]
    Serve(#[from] rpc::ServeError),
    #[error(transparent)]
    Connect(#[from] ReadError),
}

/// What salts the signatures of a house's parties.
fn salt(seed: Seed) -> [u8; 32] {
    seed.derive("signatures", 0).0.0
}

/// The chain in process, for the house's parties.
pub(super) fn in_process(node: &Node, parties: &Parties, seed: Seed) -> Signing {
    node.signing(keys(parties), salt(seed))
}

/// All keys that the house signs with.
fn keys(parties: &Parties) -> Vec<Keypair> {
    let all = [&parties.owner].into_iter().chain(&parties.validators).chain(&parties.miners);
    all.flat_map(|party| [party.coldkey.clone(), party.hotkey.clone()]).collect()
}

/// The way to the chain. Copies share it.
#[derive(Clone)]
pub(crate) enum Line {
    InProcess(Signing),
    /// The server stops with the last copy.
    Rpc(Subtensor, Arc<RpcServer>),
}

impl Line {
    pub(super) async fn open(
        way: Way,
        node: &Node,
        parties: &Parties,
        seed: Seed,
    ) -> Result<Self, LineError> {
        if way == Way::InProcess {
            return Ok(Self::InProcess(in_process(node, parties, seed)));
        }
        // Blocks are the house's to make: nobody else gets the methods that make them.
        let config =
            rpc::Config { chain_name: CHAIN_NAME.to_owned(), developer: false, ..rpc::Config::default() };
        let server = rpc::serve(node.clone(), config).await?;
        let endpoint = Endpoint::Url(format!("ws://{}", server.address()));
        let options = Options { salt: Salt::Fixed(salt(seed)), ..Options::default() };
        let client = Subtensor::connect(&endpoint, keys(parties), options).await?;
        Ok(Self::Rpc(client, Arc::new(server)))
    }

    /// Where the chain listens, where it does.
    pub(super) fn url(&self) -> Option<String> {
        match self {
            Self::InProcess(_) => None,
            Self::Rpc(_, server) => Some(format!("ws://{}", server.address())),
        }
    }
}

impl Chain for Line {
    async fn head(&self) -> Result<Head, ReadError> {
        match self {
            Self::InProcess(chain) => chain.head().await,
            Self::Rpc(chain, _) => chain.head().await,
        }
    }

    async fn next_head(&self, after: BlockNumber) -> Result<Head, ReadError> {
        match self {
            Self::InProcess(chain) => chain.next_head(after).await,
            Self::Rpc(chain, _) => chain.next_head(after).await,
        }
    }

    async fn subnet(&self, netuid: NetUid, at: BlockNumber) -> Result<Arc<Subnet>, ReadError> {
        match self {
            Self::InProcess(chain) => chain.subnet(netuid, at).await,
            Self::Rpc(chain, _) => chain.subnet(netuid, at).await,
        }
    }

    async fn balance(&self, account: AccountId, at: BlockNumber) -> Result<Rao, ReadError> {
        match self {
            Self::InProcess(chain) => chain.balance(account, at).await,
            Self::Rpc(chain, _) => chain.balance(account, at).await,
        }
    }

    async fn nonce(&self, account: AccountId, at: BlockNumber) -> Result<u32, ReadError> {
        match self {
            Self::InProcess(chain) => chain.nonce(account, at).await,
            Self::Rpc(chain, _) => chain.nonce(account, at).await,
        }
    }

    async fn send(
        &self,
        origin: AccountId,
        nonce: Option<u32>,
        call: Call,
    ) -> Result<Inclusion, SubmitError> {
        match self {
            Self::InProcess(chain) => chain.send(origin, nonce, call).await,
            Self::Rpc(chain, _) => chain.send(origin, nonce, call).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_somebody_else_is_refused_by_what_it_would_cost() {
        for way in [Way::InProcess, Way::Rpc] {
            assert_eq!(way.to_string().parse(), Ok(way));
        }
        let refused = "ws://127.0.0.1:9944".parse::<Way>().unwrap_err();
        assert!(refused.contains("locks TAO"), "{refused}");
        assert!("finney".parse::<Way>().is_err());
    }
}
