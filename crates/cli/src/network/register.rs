//! `weigh register`.

use chain::{Call, Chain as _};
use clap::Args;
use primitives::{Hotkey, NetUid};
use serde_json::json;

use super::{NetworkError, Writing, amount::Amount, plan_and_write, subnet_at};
use crate::wallet::KeyKind;

/// Register the wallet's hotkey on a subnet, for the price of the moment.
#[derive(Args)]
pub(crate) struct RegisterArguments {
    #[command(flatten)]
    writing: Writing,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
    /// Pay no more than this, in TAO.
    #[arg(long, value_name = "TAO")]
    limit: Option<Amount>,
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(arguments: &RegisterArguments) -> Result<(), NetworkError> {
    let netuid = NetUid(arguments.netuid);
    let hotkey = arguments.writing.place.read_public(KeyKind::Hotkey)?.account;
    let limit = arguments.limit;
    plan_and_write(&arguments.writing, KeyKind::Coldkey, |chain, _| async move {
        let head = chain.head().await?.number;
        let price = subnet_at(&chain, netuid, head).await?.burn;
        let hotkey = Hotkey(hotkey);
        let call = match limit {
            Some(limit) => Call::RegisterLimit { netuid, hotkey, limit_price: limit.into() },
            None => Call::BurnedRegister { netuid, hotkey },
        };
        Ok((call, json!({ "price_rao": price.0 })))
    })
}
