//! Commands on a chain: the local one of `weigh chain serve`, the test network or the main one.
//!
//! All go through [`subtensor`], so that what is tried on a local chain works the same on the real one. No command touches a
//! network that isn't named: without `--network` it is the node on this machine. Whatever writes can be asked for its plan
//! with `--dry-run`: the call, who signs it and what it costs, made by the very code that would send it.

mod amount;
mod axon;
mod commit;
mod develop;
mod failure;
mod register;
mod stake;
mod subnet;
mod weights;

use std::{
    future::Future,
    io::{self, Write as _},
    time::Duration,
};

pub(crate) use axon::{AxonCommand, run as axon};
use chain::{BlockNumber, Call, Chain as _, Subnet};
use clap::Args;
pub(crate) use commit::{CommitCommand, run as commit};
pub(crate) use develop::{DevelopCommand, account, run as develop};
pub(crate) use failure::NetworkError;
use primitives::{AccountId, NetUid, Rao};
pub(crate) use register::{RegisterArguments, run as register};
use serde_json::{Value, json};
pub(crate) use stake::{StakeCommand, run as stake};
pub(crate) use subnet::{SubnetCommand, run as subnet};
use subtensor::{Certainty, Endpoint, Options, Subtensor};
use wallet::Keypair;
pub(crate) use weights::{WeightsCommand, run as weights};

pub(crate) use self::amount::{Amount, shown};
use crate::{
    config::environment,
    wallet::{KeyKind, Place},
};

/// Which chain, and how patiently.
#[derive(Args)]
pub(crate) struct Reach {
    /// The chain: finney, test, local, or a node's address as ws://… or wss://….
    #[arg(long, env = environment::NETWORK, default_value = "local", value_name = "NAME|URL")]
    network: Endpoint,
    /// Seconds that a connection or an answer may take.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "SECONDS")]
    timeout: u32,
    /// Work with blocks only that can't be replaced any more.
    #[arg(long)]
    finalized: bool,
}

/// What every command takes that only reads.
#[derive(Args)]
pub(crate) struct Reading {
    #[command(flatten)]
    reach: Reach,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// What every command takes that writes.
#[derive(Args)]
pub(crate) struct Writing {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    reach: Reach,
    /// Say what would be sent, by whom and for how much, and send nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Reach {
    async fn connect(&self, keys: Vec<Keypair>) -> Result<Subtensor, NetworkError> {
        let options = Options {
            certainty: if self.finalized { Certainty::Finalized } else { Certainty::Included },
            timeout: Duration::from_secs(self.timeout.into()),
            ..Options::default()
        };
        let connected = Subtensor::connect(&self.network, keys, options).await;
        connected.map_err(|error| NetworkError::Unreachable { error, network: self.network.clone() })
    }
}

/// An answer in both forms.
struct Answer {
    json: Value,
    /// Whole lines.
    text: String,
}

impl Answer {
    fn print(&self, as_json: bool) -> Result<(), NetworkError> {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", self.json)?;
        } else {
            write!(out, "{}", self.text)?;
        }
        Ok(())
    }
}

/// Runs what waits for the network.
fn wait<T>(work: impl Future<Output = Result<T, NetworkError>>) -> Result<T, NetworkError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(work)
}

/// Asks a chain and prints the answer.
fn read<T: Future<Output = Result<Answer, NetworkError>>>(
    reading: &Reading,
    ask: impl FnOnce(Subtensor, BlockNumber) -> T,
) -> Result<(), NetworkError> {
    let answer = wait(async {
        let chain = reading.reach.connect(Vec::new()).await?;
        let head = chain.head().await?.number;
        ask(chain, head).await
    })?;
    answer.print(reading.json)
}

/// Makes a call with one of the wallet's keys, or says what it would be.
fn write(writing: &Writing, kind: KeyKind, call: Call) -> Result<(), NetworkError> {
    plan_and_write(writing, kind, |_, _| async { Ok((call, json!({}))) })
}

/// [`write()`] with a call that depends on the chain, and what belongs into the answer besides.
fn plan_and_write<T: Future<Output = Result<(Call, Value), NetworkError>>>(
    writing: &Writing,
    kind: KeyKind,
    plan: impl FnOnce(Subtensor, AccountId) -> T,
) -> Result<(), NetworkError> {
    let pair = writing.place.read_pair(kind)?;
    let signer = pair.public().account;
    let answer = wait(async {
        let chain = writing.reach.connect(vec![pair]).await?;
        let (call, besides) = plan(chain.clone(), signer).await?;
        let fee = chain.fee(signer, &call).await?;
        let mut json = json!({
            "dry_run": writing.dry_run,
            "network": writing.reach.network.to_string(),
            "call": call.name(),
            "arguments": call,
            "signer": signer,
            "fee_rao": fee.0,
        });
        if let (Some(json), Value::Object(besides)) = (json.as_object_mut(), besides) {
            json.extend(besides);
        }
        let what = format!("{} by {signer}, fee {}", call.name(), shown(fee));
        if writing.dry_run {
            return Ok(Answer { json, text: format!("would send {what}\n") });
        }
        let included = chain.submit(signer, None, call).await?;
        json["block"] = included.block.into();
        json["extrinsic"] = included.index.into();
        let text = format!("{what}: done in block {}, extrinsic {}\n", included.block, included.index);
        Ok(Answer { json, text })
    })?;
    answer.print(writing.place.is_json())
}

/// A subnet, or that it is not there.
async fn subnet_at(
    chain: &Subtensor,
    netuid: NetUid,
    at: BlockNumber,
) -> Result<std::sync::Arc<Subnet>, NetworkError> {
    Ok(chain.subnet(netuid, at).await?)
}

/// What an account holds.
#[derive(Args)]
pub(crate) struct BalanceArguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    reach: Reach,
    /// An address, in place of the wallet's coldkey.
    #[arg(long, value_name = "SS58")]
    address: Option<String>,
}

/// `weigh wallet balance`.
///
/// # Errors
/// [`NetworkError`].
pub(crate) fn balance(arguments: &BalanceArguments) -> Result<(), NetworkError> {
    let account = match &arguments.address {
        Some(address) => AccountId::from_ss58(address).map_err(NetworkError::Address)?,
        None => arguments.place.read_public(KeyKind::Coldkey)?.account,
    };
    let answer = wait(async {
        let chain = arguments.reach.connect(Vec::new()).await?;
        let head = chain.head().await?.number;
        let free: Rao = chain.balance(account, head).await?;
        let json = json!({ "address": account, "block": head, "free_rao": free.0 });
        Ok(Answer { json, text: format!("{account}  {}\n", shown(free)) })
    })?;
    answer.print(arguments.place.is_json())
}
