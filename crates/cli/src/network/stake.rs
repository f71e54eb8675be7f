//! `weigh stake`.

use chain::{Call, Chain as _};
use clap::{Args, Subcommand};
use primitives::{AccountId, AlphaRao, Coldkey, Hotkey, NetUid};
use serde_json::json;

use super::{
    Answer, NetworkError, Reach, Writing,
    amount::{Amount, shown_alpha},
    wait, write,
};
use crate::wallet::{KeyKind, Place};

/// `weigh stake …`.
#[derive(Subcommand)]
pub(crate) enum StakeCommand {
    /// Stake TAO with a hotkey: it is swapped for the subnet's alpha.
    Add(AddArguments),
    /// Take stake back: alpha is swapped for TAO.
    Remove(RemoveArguments),
    /// List what the wallet's coldkey has staked, and with whom.
    List(ListArguments),
}

#[derive(Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    with: With,
    /// How much, in TAO.
    #[arg(long, value_name = "TAO")]
    amount: Amount,
    /// The highest price, in TAO per alpha; above it nothing is staked.
    #[arg(long, value_name = "TAO")]
    limit: Option<Amount>,
    /// Stake as much as the limit allows.
    #[arg(long, requires = "limit")]
    partial: bool,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    with: With,
    /// How much, in alpha; more than there is takes all.
    #[arg(long, value_name = "ALPHA")]
    amount: Amount,
    /// The lowest price, in TAO per alpha; below it nothing is unstaked.
    #[arg(long, value_name = "TAO")]
    limit: Option<Amount>,
    /// Unstake as much as the limit allows.
    #[arg(long, requires = "limit")]
    partial: bool,
}

#[derive(Args)]
struct With {
    /// The subnet; 0 is root.
    #[arg(long)]
    netuid: u16,
    /// The hotkey to stake with, in place of the wallet's own.
    #[arg(long, value_name = "SS58")]
    hotkey_address: Option<String>,
}

impl With {
    fn hotkey(&self, place: &Place) -> Result<Hotkey, NetworkError> {
        let account = match &self.hotkey_address {
            Some(address) => AccountId::from_ss58(address).map_err(NetworkError::Address)?,
            None => place.read_public(KeyKind::Hotkey)?.account,
        };
        Ok(Hotkey(account))
    }
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    reach: Reach,
    /// An address, in place of the wallet's coldkey.
    #[arg(long, value_name = "SS58")]
    address: Option<String>,
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(command: &StakeCommand) -> Result<(), NetworkError> {
    match command {
        StakeCommand::Add(AddArguments { writing, with, amount, limit, partial }) => {
            let (hotkey, netuid, amount) =
                (with.hotkey(&writing.place)?, NetUid(with.netuid), (*amount).into());
            let call = match limit {
                None => Call::AddStake { hotkey, netuid, amount },
                Some(limit) => Call::AddStakeLimit {
                    hotkey,
                    netuid,
                    amount,
                    limit_price: (*limit).into(),
                    allow_partial: *partial,
                },
            };
            write(writing, KeyKind::Coldkey, call)
        }
        StakeCommand::Remove(RemoveArguments { writing, with, amount, limit, partial }) => {
            let (hotkey, netuid, amount) =
                (with.hotkey(&writing.place)?, NetUid(with.netuid), (*amount).into());
            let call = match limit {
                None => Call::RemoveStake { hotkey, netuid, amount },
                Some(limit) => Call::RemoveStakeLimit {
                    hotkey,
                    netuid,
                    amount,
                    limit_price: (*limit).into(),
                    allow_partial: *partial,
                },
            };
            write(writing, KeyKind::Coldkey, call)
        }
        StakeCommand::List(arguments) => list(arguments),
    }
}

fn list(arguments: &ListArguments) -> Result<(), NetworkError> {
    let account = match &arguments.address {
        Some(address) => AccountId::from_ss58(address).map_err(NetworkError::Address)?,
        None => arguments.place.read_public(KeyKind::Coldkey)?.account,
    };
    let answer = wait(async {
        let chain = arguments.reach.connect(Vec::new()).await?;
        let head = chain.head().await?.number;
        let stakes = chain.stakes(Coldkey(account), head).await?;
        let mut text = String::new();
        let mut held = Vec::new();
        for stake in &stakes {
            let (hotkey, netuid) = (stake.hotkey, stake.netuid);
            text.push_str(&format!("subnet {netuid:<4} {hotkey}  {}\n", shown_alpha(stake.alpha)));
            held.push(json!({ "netuid": netuid, "hotkey": hotkey, "alpha_rao": stake.alpha.0 }));
        }
        if stakes.iter().all(|stake| stake.alpha == AlphaRao::ZERO) {
            text = format!("{account} has nothing staked\n");
        }
        Ok(Answer { json: json!({ "coldkey": account, "block": head, "stakes": held }), text })
    })?;
    answer.print(arguments.place.is_json())
}
