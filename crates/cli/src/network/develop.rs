//! `weigh chain step`, `fund`, `set` and their kin: what a development node does on demand and no real one.

use std::time::Duration;

use clap::{Args, Subcommand};
use primitives::{AccountId, NetUid, Rao};
use serde_json::{Value, json};
use subtensor::{
    Developer, Endpoint,
    developer::{At, DeveloperError},
};
use wallet::Keypair;

use super::{Amount, Answer, NetworkError, amount::shown, wait};
use crate::config::environment;

/// Blocks that a node makes for one request.
const BLOCKS_MAX: u64 = 10_000;

/// Commands for a development node.
#[derive(Subcommand)]
pub(crate) enum DevelopCommand {
    /// Make blocks now, with all that waits in the first of them.
    Step(StepArguments),
    /// Make an account's free balance so many TAO.
    Fund(FundArguments),
    /// Keep the present state; prints the number that `revert` takes.
    Snapshot(NodeArguments),
    /// Go back to a snapshot; blocks and snapshots that came after it are gone.
    Revert(RevertArguments),
    /// Set a subnet's hyperparameter, as root.
    Set(SetArguments),
    /// Make blocks until a subnet's next epoch has run.
    Warp(WarpArguments),
    /// Say which chain a node has, how far it is and whether it is a development node.
    Status(NodeArguments),
}

/// Which node.
#[derive(Args)]
pub(crate) struct NodeArguments {
    /// The node: local, or its address as ws://… or wss://….
    #[arg(long, env = environment::NETWORK, default_value = "local", value_name = "NAME|URL")]
    network: Endpoint,
    /// Seconds that a connection or an answer may take.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "SECONDS")]
    timeout: u32,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct StepArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// How many.
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=BLOCKS_MAX))]
    count: u64,
}

#[derive(Args)]
pub(crate) struct FundArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// An address, or the name of a development key, as //Alice.
    #[arg(value_parser = account, value_name = "SS58|//NAME")]
    account: AccountId,
    /// The balance.
    #[arg(value_name = "TAO")]
    balance: Amount,
}

#[derive(Args)]
pub(crate) struct RevertArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// The snapshot's number.
    snapshot: u32,
}

#[derive(Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// The subnet.
    netuid: u16,
    /// The hyperparameter, as `weigh subnet show --json` names it: tempo, min_burn.
    name: String,
    /// Its value: a number, true or false, or a list in brackets. Amounts are in rao.
    #[arg(allow_hyphen_values = true)]
    value: String,
}

#[derive(Args)]
pub(crate) struct WarpArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// The subnet.
    netuid: u16,
}

/// An account by its address, or by its development key.
pub(crate) fn account(text: &str) -> Result<AccountId, String> {
    if text.starts_with("//") {
        let uri = text.parse::<wallet::SecretUri>().map_err(|error| error.to_string())?;
        let pair = Keypair::from_uri(wallet::Scheme::Sr25519, &uri).map_err(|error| error.to_string())?;
        return Ok(pair.public().account);
    }
    AccountId::from_ss58(text).map_err(|error| error.to_string())
}

/// A value as JSON has it. What JSON can't hold as a number goes as text, which settings of that size are read from.
fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Number(number)) if number.is_f64() => json!(text),
        Ok(value) => value,
        Err(_) => json!(text),
    }
}

impl DevelopCommand {
    fn node(&self) -> &NodeArguments {
        match self {
            Self::Step(StepArguments { node, .. })
            | Self::Fund(FundArguments { node, .. })
            | Self::Snapshot(node)
            | Self::Revert(RevertArguments { node, .. })
            | Self::Set(SetArguments { node, .. })
            | Self::Warp(WarpArguments { node, .. })
            | Self::Status(node) => node,
        }
    }
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(command: &DevelopCommand) -> Result<(), NetworkError> {
    let NodeArguments { network, timeout, json } = command.node();
    let answer = wait(async {
        let node = Developer::connect(network, Duration::from_secs((*timeout).into())).await?;
        answer(&node, command).await
    })?;
    answer.print(*json)
}

async fn answer(node: &Developer, command: &DevelopCommand) -> Result<Answer, NetworkError> {
    Ok(match command {
        DevelopCommand::Step(StepArguments { count, .. }) => {
            at(&node.mine(*count).await?, json!({ "made": count }), "")
        }
        DevelopCommand::Fund(FundArguments { account, balance, .. }) => {
            let free = Rao::from(*balance);
            let head = node.set_balance(*account, free).await?;
            at(
                &head,
                json!({ "account": account, "free_rao": free.0 }),
                &format!("{account}  {}: ", shown(free)),
            )
        }
        DevelopCommand::Snapshot(_) => {
            let number = node.snapshot().await?;
            Answer { json: json!({ "snapshot": number }), text: format!("{number}\n") }
        }
        DevelopCommand::Revert(RevertArguments { snapshot, .. }) => {
            if !node.revert(*snapshot).await? {
                let reason = format!("the node has no snapshot {snapshot}, or went back behind it");
                return Err(NetworkError::NotFound(reason));
            }
            at(&node.head().await?, json!({ "snapshot": snapshot }), "")
        }
        DevelopCommand::Set(SetArguments { netuid, name, value: text, .. }) => {
            let value = value(text);
            let head = node.set_hyperparameter(NetUid(*netuid), name, &value).await?;
            let json = json!({ "netuid": netuid, "name": name, "value": value });
            at(&head, json, &format!("{name} of subnet {netuid} is {text}: "))
        }
        DevelopCommand::Warp(WarpArguments { netuid, .. }) => {
            at(&node.warp_to_epoch(NetUid(*netuid)).await?, json!({ "netuid": netuid }), "")
        }
        DevelopCommand::Status(NodeArguments { network, .. }) => status(node, network).await?,
    })
}

/// An answer that names the newest block.
fn at(head: &At, mut json: Value, text: &str) -> Answer {
    json["block"] = head.number.into();
    json["hash"] = json!(head.hash);
    Answer { json, text: format!("{text}block {}\n", head.number) }
}

async fn status(node: &Developer, network: &Endpoint) -> Result<Answer, DeveloperError> {
    let status = node.status().await?;
    let kind = if status.is_development { "a development node" } else { "no development node" };
    let text = format!(
        "{network} ({}): {}, {}, {kind}\nrules of runtime spec {}, genesis {}\nblock {} {}, {} extrinsics wait\n",
        network.url(),
        status.chain,
        status.node,
        status.spec_version,
        status.genesis,
        status.head.number,
        status.head.hash,
        status.waiting,
    );
    let json = json!({
        "network": network.to_string(),
        "url": network.url(),
        "chain": status.chain,
        "node": status.node,
        "spec_version": status.spec_version,
        "genesis": status.genesis,
        "block": status.head.number,
        "hash": status.head.hash,
        "waiting": status.waiting,
        "development": status.is_development,
    });
    Ok(Answer { json, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_json_has_for_them() {
        let check = |text: &str, expect: Value| assert_eq!(value(text), expect);
        check("20", json!(20));
        check("-5", json!(-5));
        check("true", json!(true));
        check("[1, 2]", json!([1, 2]));
        check("23242897532874035200", json!("23242897532874035200"));
        check("Burn", json!("Burn"));
    }

    #[test]
    fn accounts_are_addresses_or_development_keys() {
        let alice = Keypair::development("Alice").unwrap().public().account;
        assert_eq!(account("//Alice"), Ok(alice));
        assert_eq!(account(&alice.to_string()), Ok(alice));
        assert!(account("Alice").is_err());
    }
}
