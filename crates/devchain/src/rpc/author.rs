//! `author_*`, `transaction*` and `payment_*`: what clients send, and what it would cost.

use std::{sync::Arc, time::Duration};

use jsonrpsee::{PendingSubscriptionSink, types::ErrorObjectOwned};
use primitives::Digest;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    api::{Api, Arguments, Bytes, Hash, Registered, Table, in_hex},
    refusal::{self, Answer},
};
use crate::{
    Extrinsic,
    extrinsic::Unsound,
    fees,
    node::Rejected,
    queue::{Fate, NotTaken},
    wire::blake2_256,
};

/// Broadcasts that are remembered; the oldest is forgotten for a new one.
const MAX_BROADCASTS: usize = 1024;

async fn submit(
    api: &Arc<Api>,
    bytes: Vec<u8>,
    fates: Option<mpsc::UnboundedSender<Fate>>,
) -> Answer<Result<Digest, Rejected>> {
    let inner = api.clone();
    api.costly(move || Ok(inner.node.take(&bytes, fates))).await
}

/// How long after a block it is told that the block is final. On the real chain that takes blocks; told at once, polkadot.js
/// would still be reading the block's events, and drop it for the news.
const FINALITY_PAUSE: Duration = Duration::from_millis(200);

/// The notification for each step.
fn step(fate: Fate) -> Vec<Value> {
    match fate {
        Fate::Early => vec![json!("future")],
        Fate::Ready => vec![json!("ready")],
        // What stands in a block is final.
        Fate::Included { block, .. } => {
            vec![json!({ "inBlock": Hash(block) }), json!({ "finalized": Hash(block) })]
        }
        Fate::Invalid(_) => vec![json!("invalid")],
        Fate::Dropped => vec![json!("dropped")],
    }
}

/// The same in the newer methods' words.
fn event(fate: Fate) -> Vec<Value> {
    match fate {
        Fate::Early => Vec::new(),
        Fate::Ready => vec![json!({ "event": "validated" })],
        Fate::Included { block, index } => {
            let block = json!({ "hash": Hash(block), "index": index });
            vec![
                json!({ "event": "bestChainBlockIncluded", "block": block }),
                json!({ "event": "finalized", "block": block }),
            ]
        }
        Fate::Invalid(invalid) => vec![json!({ "event": "invalid", "error": refusal::reason(invalid) })],
        Fate::Dropped => vec![json!({ "event": "dropped", "error": "the node stopped or went back" })],
    }
}

fn is_last(fate: Fate) -> bool {
    matches!(fate, Fate::Included { .. } | Fate::Invalid(_) | Fate::Dropped)
}

async fn watch(
    api: Arc<Api>,
    pending: PendingSubscriptionSink,
    mut fates: mpsc::UnboundedReceiver<Fate>,
    told: fn(Fate) -> Vec<Value>,
) {
    let Ok(sink) = pending.accept().await else { return };
    loop {
        let fate = tokio::select! {
            fate = fates.recv() => fate.unwrap_or(Fate::Dropped),
            () = sink.closed() => return,
        };
        for (at, message) in told(fate).into_iter().enumerate() {
            if at > 0 {
                tokio::time::sleep(FINALITY_PAUSE).await;
            }
            if !api.notify(&sink, &message).await {
                return;
            }
        }
        if is_last(fate) {
            return;
        }
    }
}

async fn submit_and_watch(api: Arc<Api>, bytes: Answer<Bytes>, pending: PendingSubscriptionSink) {
    let bytes = match bytes {
        Ok(Bytes(bytes)) => bytes,
        Err(error) => return pending.reject(error).await,
    };
    let (sender, fates) = mpsc::unbounded_channel();
    match submit(&api, bytes, Some(sender)).await {
        Ok(Ok(_)) => watch(api, pending, fates, step).await,
        Ok(Err(rejection)) => pending.reject(rejection).await,
        Err(error) => pending.reject(error).await,
    }
}

/// The newer method tells a rejection as an event.
async fn transaction_watch(api: Arc<Api>, bytes: Answer<Bytes>, pending: PendingSubscriptionSink) {
    let bytes = match bytes {
        Ok(Bytes(bytes)) => bytes,
        Err(error) => return pending.reject(error).await,
    };
    let (sender, fates) = mpsc::unbounded_channel();
    match submit(&api, bytes, Some(sender)).await {
        Ok(Ok(_)) => watch(api, pending, fates, event).await,
        Ok(Err(rejection)) => {
            let error = ErrorObjectOwned::from(rejection);
            let Ok(sink) = pending.accept().await else { return };
            let reason = error.data().map_or(error.message().to_owned(), |data| data.get().to_owned());
            api.notify(&sink, &json!({ "event": "invalid", "error": reason })).await;
        }
        Err(error) => pending.reject(error).await,
    }
}

fn info(bytes: &[u8]) -> Answer<(fees::DispatchInfo, usize)> {
    let extrinsic = Extrinsic::unverified(bytes).map_err(|unsound| match unsound {
        Unsound::Malformed => Rejected::Malformed,
        Unsound::Invalid(reason) => {
            Rejected::NotTaken { hash: Digest(blake2_256(bytes)), why: NotTaken::Invalid(reason) }
        }
    })?;
    Ok((fees::dispatch_info(&extrinsic.call), bytes.len()))
}

fn query_info(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Value> {
    let Bytes(bytes) = arguments.next()?;
    api.state(arguments.optional()?)?;
    let (info, length) = info(&bytes)?;
    Ok(json!({
        "weight": { "ref_time": info.ref_time_ps, "proof_size": info.proof_bytes },
        "class": if info.operational { "operational" } else { "normal" },
        "partialFee": fees::fee(&info, length).0.to_string(),
    }))
}

fn query_fee_details(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Value> {
    let Bytes(bytes) = arguments.next()?;
    api.state(arguments.optional()?)?;
    let (info, length) = info(&bytes)?;
    let inclusion = fees::parts(&info, length).map(|parts| {
        let number = |amount: primitives::Rao| format!("{:#x}", amount.0);
        json!({
            "baseFee": number(parts.base),
            "lenFee": number(parts.length),
            "adjustedWeightFee": number(parts.weight),
        })
    });
    Ok(json!({ "inclusionFee": inclusion }))
}

/// Hands an extrinsic over without waiting for what becomes of it; the operation's number is what it can be stopped by.
async fn broadcast(api: Arc<Api>, bytes: Vec<u8>) -> Answer<String> {
    let hash = Digest(blake2_256(&bytes));
    // Who broadcasts does not ask whether it is valid.
    let _rejected = submit(&api, bytes, None).await?;
    let operation = hash.short();
    let mut broadcasts = api.broadcasts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    broadcasts.insert(operation.clone(), hash);
    if broadcasts.len() > MAX_BROADCASTS {
        broadcasts.pop_first();
    }
    Ok(operation)
}

fn stop_broadcast(api: &Api, arguments: &mut Arguments<'_>) -> Answer<()> {
    /// Source: the specification of `transaction_v1_stop`.
    const INVALID_OPERATION_CODE: i32 = -32602;
    let operation: String = arguments.next()?;
    let mut broadcasts = api.broadcasts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match broadcasts.remove(&operation) {
        Some(_) => Ok(()),
        None => Err(ErrorObjectOwned::owned(INVALID_OPERATION_CODE, "Invalid operation id", None::<()>)),
    }
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.0.register_async_method("author_submitExtrinsic", |params, api, _| async move {
        let Bytes(bytes) = Arguments::of(&params).next()?;
        Ok::<_, ErrorObjectOwned>(Hash(submit(&api, bytes, None).await??))
    })?;
    table.0.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        |params, pending, api, _| async move {
            submit_and_watch(api, Arguments::of(&params).next(), pending).await;
        },
    )?;
    table.0.register_subscription(
        "transactionWatch_v1_submitAndWatch",
        "transactionWatch_v1_watchEvent",
        "transactionWatch_v1_unwatch",
        |params, pending, api, _| async move {
            transaction_watch(api, Arguments::of(&params).next(), pending).await;
        },
    )?;
    table.0.register_async_method("transaction_v1_broadcast", |params, api, _| async move {
        let Bytes(bytes) = Arguments::of(&params).next()?;
        broadcast(api, bytes).await
    })?;
    table.quick(&["transaction_v1_stop"], stop_broadcast)?;
    table.quick(&["author_pendingExtrinsics"], |api, _| {
        Ok(api.node.pending().iter().map(|bytes| in_hex(bytes)).collect::<Vec<_>>())
    })?;
    // The node signs nothing and holds no keys.
    table.quick(&["author_hasKey", "author_hasSessionKeys"], |_, _| Ok(false))?;
    table.quick(&["payment_queryInfo"], query_info)?;
    table.quick(&["payment_queryFeeDetails"], query_fee_details)
}
