//! A development node's own methods: blocks on demand, balances and settings by decree, going back.
//!
//! No real node has them; [`DeveloperError::NotOne`] says so. They need no metadata, so that a connection costs nothing.

use std::time::Duration;

use primitives::{AccountId, BlockNumber, Digest, NetUid, Rao};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use subxt::rpcs::{
    self, RpcClient,
    client::{ReconnectingRpcClient, RpcParams, reconnecting_rpc_client::ExponentialBackoff},
};
use thiserror::Error;

use crate::{Endpoint, FIRST_PAUSE, LONGEST_PAUSE, millis};

/// JSON-RPC's code for a method that is not there.
const NO_METHOD: i32 = -32601;
/// JSON-RPC's code for arguments that a method does not take.
const BAD_ARGUMENTS: i32 = -32602;

/// A developers' method was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeveloperError {
    /// Nobody answers.
    #[error("{network} is unreachable: {reason}")]
    Unreachable {
        /// Who was asked.
        network: Endpoint,
        /// What the transport said.
        reason: String,
    },
    /// The node is a real one, or one whose blocks are somebody else's to make.
    #[error("{network} is no development node: it has no {method}")]
    NotOne {
        /// Who was asked.
        network: Endpoint,
        /// For what.
        method: &'static str,
    },
    /// The arguments make no sense there.
    #[error("{method} takes no such arguments: {reason}")]
    Arguments {
        /// The method.
        method: &'static str,
        /// What the node said.
        reason: String,
    },
    /// The node refused.
    #[error("{method} was refused: {reason}")]
    Refused {
        /// The method.
        method: &'static str,
        /// What the node said.
        reason: String,
    },
    /// The answer is none that is known.
    #[error("the answer to {method} can't be read: {reason}")]
    Answer {
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A block as these methods name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct At {
    /// Its number.
    pub number: BlockNumber,
    /// Its hash.
    #[serde(deserialize_with = "hash")]
    pub hash: Digest,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its chain's name.
    pub chain: String,
    /// Its program's name and version.
    pub node: String,
    /// The version of the rules that it follows.
    pub spec_version: u32,
    /// The hash of block 0, which tells chains apart.
    pub genesis: Digest,
    /// The newest block.
    pub head: At,
    /// Extrinsics that wait for the next one.
    pub waiting: usize,
    /// Whether developers' methods are there.
    pub is_development: bool,
}

/// A connection to a node that may have developers' methods.
#[derive(Clone, Debug)]
pub struct Developer {
    rpc: RpcClient,
    network: Endpoint,
}

impl Developer {
    /// Connects.
    ///
    /// # Errors
    /// [`DeveloperError::Unreachable`] where nobody answers within `timeout`, which each request has as well.
    pub async fn connect(network: &Endpoint, timeout: Duration) -> Result<Self, DeveloperError> {
        let unreachable = |reason: String| DeveloperError::Unreachable { network: network.clone(), reason };
        let connect = ReconnectingRpcClient::builder()
            .retry_policy(ExponentialBackoff::from_millis(millis(FIRST_PAUSE)).max_delay(LONGEST_PAUSE))
            .request_timeout(timeout)
            .build(network.url().to_owned());
        let connected = tokio::time::timeout(timeout, connect).await;
        let connection = connected
            .map_err(|_| unreachable(format!("no answer within {} s", timeout.as_secs())))?
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(Self { rpc: RpcClient::from(connection), network: network.clone() })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: &[Value],
    ) -> Result<T, DeveloperError> {
        let mut params = RpcParams::new();
        for argument in arguments {
            let pushed = params.push(argument);
            pushed.map_err(|error| DeveloperError::Arguments { method, reason: error.to_string() })?;
        }
        self.rpc.request(method, params).await.map_err(|error| match error {
            rpcs::Error::User(said) if said.code == NO_METHOD => {
                DeveloperError::NotOne { network: self.network.clone(), method }
            }
            rpcs::Error::User(said) => {
                let data = said.data.as_ref().map(|data| data.get().trim_matches('"').to_owned());
                let reason = match data {
                    Some(data) => format!("{}: {data}", said.message),
                    None => said.message,
                };
                match said.code {
                    BAD_ARGUMENTS => DeveloperError::Arguments { method, reason },
                    _ => DeveloperError::Refused { method, reason },
                }
            }
            rpcs::Error::Deserialization(error) => {
                DeveloperError::Answer { method, reason: error.to_string() }
            }
            error => DeveloperError::Unreachable { network: self.network.clone(), reason: error.to_string() },
        })
    }

    /// Makes blocks, with all that waits in the first of them.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn mine(&self, count: u64) -> Result<At, DeveloperError> {
        self.call("weigh_mine", &[json!(count)]).await
    }

    /// Makes an account's free balance this.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn set_balance(&self, account: AccountId, free: Rao) -> Result<At, DeveloperError> {
        self.call("weigh_setBalance", &[json!(account.to_string()), json!(free.0)]).await
    }

    /// Sets a subnet's hyperparameter.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn set_hyperparameter(
        &self,
        netuid: NetUid,
        name: &str,
        value: &Value,
    ) -> Result<At, DeveloperError> {
        self.call("weigh_setHyperparameter", &[json!(netuid.0), json!(name), value.clone()]).await
    }

    /// Makes blocks until a subnet's next epoch has run.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn warp_to_epoch(&self, netuid: NetUid) -> Result<At, DeveloperError> {
        self.call("weigh_warpToEpoch", &[json!(netuid.0)]).await
    }

    /// Keeps the present state for [`Self::revert`]; gives its number.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn snapshot(&self) -> Result<u32, DeveloperError> {
        self.call("weigh_snapshot", &[]).await
    }

    /// Goes back to a snapshot, and gives up what came after it; false where there is none of that number.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn revert(&self, to: u32) -> Result<bool, DeveloperError> {
        self.call("weigh_revert", &[json!(to)]).await
    }

    /// The newest block.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn head(&self) -> Result<At, DeveloperError> {
        let hash: String = self.call("chain_getBlockHash", &[]).await?;
        let header: Header = self.call("chain_getHeader", &[json!(hash)]).await?;
        let answer = |reason: String| DeveloperError::Answer { method: "chain_getHeader", reason };
        let number = u64::from_str_radix(header.number.trim_start_matches("0x"), 16);
        Ok(At {
            number: number.map_err(|error| answer(error.to_string()))?,
            hash: parse_hash(&hash).map_err(answer)?,
        })
    }

    /// What the node says of itself; any node can be asked.
    ///
    /// # Errors
    /// [`DeveloperError`].
    pub async fn status(&self) -> Result<Status, DeveloperError> {
        let version: RuntimeVersion = self.call("state_getRuntimeVersion", &[]).await?;
        let genesis: String = self.call("chain_getBlockHash", &[json!(0)]).await?;
        let answer = |reason| DeveloperError::Answer { method: "chain_getBlockHash", reason };
        let methods: Methods = self.call("rpc_methods", &[]).await?;
        // A public node may keep what waits to itself.
        let waiting: Vec<String> = match self.call("author_pendingExtrinsics", &[]).await {
            Ok(waiting) => waiting,
            Err(DeveloperError::NotOne { .. } | DeveloperError::Refused { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let name: String = self.call("system_name", &[]).await?;
        let node_version: String = self.call("system_version", &[]).await?;
        Ok(Status {
            chain: self.call("system_chain", &[]).await?,
            node: format!("{name} {node_version}"),
            spec_version: version.spec_version,
            genesis: parse_hash(&genesis).map_err(answer)?,
            head: self.head().await?,
            waiting: waiting.len(),
            is_development: methods.methods.iter().any(|method| method == "weigh_mine"),
        })
    }
}

#[derive(Deserialize)]
struct Header {
    number: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeVersion {
    spec_version: u32,
}

#[derive(Deserialize)]
struct Methods {
    methods: Vec<String>,
}

fn parse_hash(text: &str) -> Result<Digest, String> {
    text.trim_start_matches("0x").parse().map_err(|error| format!("{text:?}: {error}"))
}

fn hash<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_hash(&text).map_err(serde::de::Error::custom)
}
