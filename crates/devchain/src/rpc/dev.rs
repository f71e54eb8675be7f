//! For developers alone: blocks on demand, and changes that no client of the real chain can make.
//!
//! `dev_newBlock` is what test drivers call. `weigh_*` are our own: `weigh_mine(count)`, `weigh_setBalance(account, rao)`,
//! `weigh_setHyperparameter(netuid, name, value)`, `weigh_writePulse(round, signature)`, `weigh_warpToEpoch(netuid)`,
//! `weigh_snapshot()` and `weigh_revert(number)`. Changes are made by extrinsics of the sudo account, so that they stand in blocks and in the log
//! like all others; only going back is beyond any block, and refused where the chain has a log.

use std::sync::Arc;

use chain::{Call, Chain, Head, Hyperparameter, Pulse, timelock::Signature};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use primitives::{AccountId, BlockNumber, NetUid, Rao};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::{Address, Api, Arguments, Hash, Number, Registered, Table},
    refusal::{self, Answer},
};
use crate::{Pace, storage::items::SUDO};

/// Blocks that one request makes.
const MAX_BLOCKS: u64 = 10_000;

/// How many blocks: `n`, `{"count": n}`, or nothing for one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Number(Number),
    #[serde(rename_all = "camelCase")]
    Named {
        count: Option<Number>,
    },
}

fn count(params: &Params<'_>) -> Answer<u64> {
    let given: Option<Count> =
        if params.is_object() { Some(params.parse()?) } else { Arguments::of(params).optional()? };
    let count = match given {
        Some(Count::Number(Number(count)) | Count::Named { count: Some(Number(count)) }) => count,
        Some(Count::Named { count: None }) | None => 1,
    };
    if (1..=MAX_BLOCKS).contains(&count) {
        Ok(count)
    } else {
        Err(refusal::invalid_params(format!(
            "count is {count}, from 1 to {MAX_BLOCKS} blocks are made at once"
        )))
    }
}

/// Makes blocks with all that waits in the first of them.
async fn mine(api: Arc<Api>, count: u64) -> Answer<Head> {
    let inner = api.clone();
    api.costly(move || {
        let mut head = None;
        for _ in 0..count {
            head = Some(inner.node.step(None).map_err(|error| refusal::node(&error))?.head);
        }
        head.ok_or_else(|| refusal::internal("no block was made"))
    })
    .await
}

fn head_json(head: &Head) -> Value {
    json!({ "number": head.number, "hash": Hash(head.hash) })
}

/// The account that may do everything.
fn sudo(api: &Api) -> Answer<AccountId> {
    let sudo = api.node.state().value(&SUDO, &());
    sudo.ok_or_else(|| refusal::internal("chain has no sudo account"))
}

/// Carries out a call, in a block of its own where the node does not make blocks by itself, and answers with the block.
async fn carry_out(api: &Arc<Api>, origin: AccountId, call: Call) -> Answer<BlockNumber> {
    let submitted = api.node.submit(origin, None, call);
    let step = async {
        // The call waits already: it was handed over when it was looked at first.
        if api.node.pace() == Pace::Stepped { mine(api.clone(), 1).await.map(|_| ()) } else { Ok(()) }
    };
    let (included, stepped) = tokio::join!(submitted, step);
    stepped?;
    Ok(included.map_err(refusal::internal)?.block)
}

/// Carries out a call as root.
async fn as_root(api: Arc<Api>, call: Call) -> Answer<Value> {
    let block = carry_out(&api, sudo(&api)?, Call::Sudo { call: Box::new(call) }).await?;
    // A call within sudo's fails without failing the extrinsic.
    let state = api.node.state_at(block).map_err(refusal::internal)?;
    let failed = state.receipts().events.iter().find_map(|event| match event {
        crate::Event::Sudid { result: Err(failure) } => Some(failure.to_string()),
        _ => None,
    });
    match failed {
        Some(failure) => Err(refusal::internal(failure)),
        None => Ok(head_json(&state.head())),
    }
}

/// Hands in a pulse of quicknet, which opens what the SDKs lock: on the real chain its authors fetch them.
async fn write_pulse(api: Arc<Api>, params: Params<'static>) -> Answer<Value> {
    let mut arguments = Arguments::of(&params);
    let (Number(round), signature): (Number, Signature) = (arguments.next()?, arguments.next()?);
    let (randomness, signature) = (signature.randomness().to_vec(), signature.to_bytes().to_vec());
    let call = Call::WritePulse { pulses: vec![Pulse { round, randomness, signature }] };
    let block = carry_out(&api, sudo(&api)?, call).await?;
    Ok(head_json(&api.node.state_at(block).map_err(refusal::internal)?.head()))
}

async fn set_balance(api: Arc<Api>, params: Params<'static>) -> Answer<Value> {
    let mut arguments = Arguments::of(&params);
    let (Address(account), Number(free)) = (arguments.next()?, arguments.next()?);
    as_root(api.clone(), Call::SetBalance { account, free: Rao(free) }).await
}

async fn set_hyperparameter(api: Arc<Api>, params: Params<'static>) -> Answer<Value> {
    let mut arguments = Arguments::of(&params);
    let (netuid, name, value): (u16, String, Value) =
        (arguments.next()?, arguments.next()?, arguments.next()?);
    let variant = variant(&name).ok_or_else(|| {
        let known: Vec<&str> = Hyperparameter::NAMES.iter().map(|(_, field)| *field).collect();
        refusal::invalid_params(format!("there is no hyperparameter {name:?}: one of {}", known.join(", ")))
    })?;
    let value: Hyperparameter = serde_json::from_value(json!({ variant: value }))
        .map_err(|error| refusal::invalid_params(format!("{name}: {error}")))?;
    as_root(api.clone(), Call::SetHyperparameter { netuid: NetUid(netuid), value }).await
}

/// A setting by its field's name, as `min_burn` or `yuma3_enabled`, or by its own, as `MinBurn` or `yuma3`.
fn variant(name: &str) -> Option<&'static str> {
    let bare = |text: &str| text.replace('_', "").to_ascii_lowercase();
    let is_meant = |known: &str| known == name || bare(known) == bare(name);
    let mut names = Hyperparameter::NAMES.iter();
    names.find(|(variant, field)| is_meant(variant) || is_meant(field)).map(|(variant, _)| *variant)
}

async fn warp_to_epoch(api: Arc<Api>, params: Params<'static>) -> Answer<Value> {
    let netuid: u16 = Arguments::of(&params).next()?;
    let state = api.node.state();
    let subnet = state.subnet(NetUid(netuid)).map_err(|error| refusal::invalid_params(error.to_string()))?;
    let head = state.head().number;
    let due: Option<BlockNumber> = subnet.schedule.next_epoch_block(head + 1);
    let blocks = due.and_then(|due| due.checked_sub(head)).unwrap_or_default();
    if !(1..=MAX_BLOCKS).contains(&blocks) {
        return Err(refusal::invalid_params(format!(
            "epoch is {blocks} blocks away, {MAX_BLOCKS} are made at once"
        )));
    }
    Ok(head_json(&mine(api.clone(), blocks).await?))
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.0.register_async_method("dev_newBlock", |params, api, _| async move {
        Ok::<_, ErrorObjectOwned>(Hash(mine(api, count(&params)?).await?.hash))
    })?;
    table.0.register_async_method("weigh_mine", |params, api, _| async move {
        Ok::<_, ErrorObjectOwned>(head_json(&mine(api, count(&params)?).await?))
    })?;
    table.0.register_async_method("weigh_setBalance", |params, api, _| set_balance(api, params))?;
    table
        .0
        .register_async_method("weigh_setHyperparameter", |params, api, _| set_hyperparameter(api, params))?;
    table.0.register_async_method("weigh_writePulse", |params, api, _| write_pulse(api, params))?;
    table.0.register_async_method("weigh_warpToEpoch", |params, api, _| warp_to_epoch(api, params))?;
    table.costly(&["weigh_snapshot"], |api, _| api.node.remember().map_err(|error| refusal::node(&error)))?;
    table.costly(&["weigh_revert"], |api, arguments| {
        let Number(number) = arguments.next()?;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        api.node.go_back(number).map_err(|error| refusal::node(&error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_in_three_ways() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(count(&Params::new(Some(text))).ok(), expect, "{text}");
        };
        check("[]", Some(1));
        check("[4]", Some(4));
        check("[\"0x4\"]", Some(4));
        check("[{\"count\": 4}]", Some(4));
        check("{\"count\": 4}", Some(4));
        check("[{}]", Some(1));
        check("[0]", None);
        check("[10001]", None);
        check("[-1]", None);
        check("[\"four\"]", None);
        assert_eq!(count(&Params::new(None)).ok(), Some(1));
    }

    #[test]
    fn settings_go_by_either_name() {
        let found = ["min_burn", "MinBurn", "tempo", "yuma3", "yuma3_enabled", "temp"].map(variant);
        let expect = ["MinBurn", "MinBurn", "Tempo", "Yuma3", "Yuma3"].map(Some);
        assert_eq!((&found[..5], found[5]), (&expect[..], None));
        for (own, field) in Hyperparameter::NAMES {
            assert_eq!((variant(own), variant(field)), (Some(*own), Some(*own)));
        }
    }
}
