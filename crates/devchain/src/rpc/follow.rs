//! `chainHead_v1_*`: following the chain with pinned blocks, and operations on those.
//!
//! A follower is told of each block and keeps it pinned until it lets go; what it asks of a pinned block is answered by
//! events of its own subscription. Source: the JSON-RPC interface specification, `chainHead`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jsonrpsee::{
    PendingSubscriptionSink, ResponsePayload,
    types::{ErrorObjectOwned, Params},
};
use parity_scale_codec::Encode;
use primitives::Digest;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::{
    api::{Api, Arguments, Bytes, Hash, OneOrMany, Registered, Table, in_hex},
    chain::body_json,
    heads::Numbers,
    refusal::Answer,
    state,
};
use crate::{
    State,
    wire::{self, blake2_256},
};

/// Followers at a time.
const MAX_FOLLOWERS: usize = 256;
/// Blocks that one follower may keep pinned; beyond it is stopped. Source: Substrate.
const MAX_PINNED: usize = 512;
/// Operations of one follower at a time. Source: Substrate.
const MAX_OPERATIONS: usize = 16;
/// Events of operations that wait to be sent; the operations wait then.
const MAX_EVENTS: usize = 32;
/// Stored items in one event.
const ITEMS_PER_EVENT: usize = 200;
/// Keys that one question for descendants may have.
const MAX_DESCENDANTS: usize = 100_000;

/// Error codes. Source: the specification.
const TOO_MANY_FOLLOWERS_CODE: i32 = -32800;
const INVALID_BLOCK_CODE: i32 = -32801;
const INVALID_CONTINUE_CODE: i32 = -32803;

/// All followers, by their subscription.
#[derive(Debug, Default)]
pub(super) struct Follows(Mutex<BTreeMap<String, Arc<Follower>>>);

impl Follows {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Follower>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, subscription: &str) -> Option<Arc<Follower>> {
        self.lock().get(subscription).cloned()
    }
}

#[derive(Debug)]
struct Follower {
    pinned: Mutex<BTreeMap<Digest, State>>,
    events: mpsc::Sender<Value>,
    operations: Arc<Semaphore>,
    next_operation: AtomicU64,
}

impl Follower {
    fn pinned(&self) -> MutexGuard<'_, BTreeMap<Digest, State>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a pinned block.
    fn state(&self, Hash(hash): Hash) -> Answer<State> {
        self.pinned().get(&hash).cloned().ok_or_else(invalid_block)
    }
}

fn invalid_block() -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_BLOCK_CODE, "Invalid block hash", None::<()>)
}

/// A follower's entry, for as long as it follows.
struct Entry {
    api: Arc<Api>,
    subscription: String,
    follower: Arc<Follower>,
}

impl Entry {
    /// None where there are too many.
    fn new(api: Arc<Api>, subscription: String, events: mpsc::Sender<Value>) -> Option<Self> {
        let follower = Arc::new(Follower {
            pinned: Mutex::default(),
            events,
            operations: Arc::new(Semaphore::new(MAX_OPERATIONS)),
            next_operation: AtomicU64::new(0),
        });
        let mut all = api.follows.lock();
        if all.len() >= MAX_FOLLOWERS {
            return None;
        }
        all.insert(subscription.clone(), follower.clone());
        drop(all);
        Some(Self { api, subscription, follower })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.api.follows.lock().remove(&self.subscription);
    }
}

fn runtime(rules: crate::Rules) -> Value {
    let version = state::runtime_version(rules);
    let apis: serde_json::Map<String, Value> = state::apis().collect();
    json!({ "type": "valid", "spec": {
        "specName": version["specName"],
        "implName": version["implName"],
        "specVersion": version["specVersion"],
        "implVersion": version["implVersion"],
        "transactionVersion": version["transactionVersion"],
        "apis": apis,
    } })
}

async fn follow(api: Arc<Api>, with_runtime: bool, pending: PendingSubscriptionSink) {
    let subscription = match serde_json::to_value(pending.subscription_id()) {
        Ok(Value::String(id)) => id,
        _ => return,
    };
    let (sender, mut events) = mpsc::channel(MAX_EVENTS);
    let Some(entry) = Entry::new(api.clone(), subscription, sender) else {
        let error = ErrorObjectOwned::owned(
            TOO_MANY_FOLLOWERS_CODE,
            "Maximum number of followers is reached",
            None::<()>,
        );
        return pending.reject(error).await;
    };
    let Ok(sink) = pending.accept().await else { return };
    let mut numbers = Numbers::after_newest(&api);
    let mut last = numbers.last();
    let Ok(first) = api.node.state_at(last) else { return };
    let first_hash = first.head().hash;
    entry.follower.pinned().insert(first_hash, first);
    let mut initialized = json!({ "event": "initialized", "finalizedBlockHashes": [Hash(first_hash)] });
    if with_runtime && let Some(fields) = initialized.as_object_mut() {
        fields.insert("finalizedBlockRuntime".to_owned(), runtime(api.node.state().rules()));
    }
    let best = json!({ "event": "bestBlockChanged", "bestBlockHash": Hash(first_hash) });
    if !api.notify(&sink, &initialized).await || !api.notify(&sink, &best).await {
        return;
    }
    loop {
        let number = tokio::select! {
            number = numbers.next(&sink) => number,
            event = events.recv() => {
                let Some(event) = event else { return };
                if !api.notify(&sink, &event).await {
                    return;
                }
                continue;
            }
        };
        let Some(number) = number else { return };
        // A block that is gone already, or a chain that went back: the follower has to begin anew.
        let state = api.node.state_at(number).ok().filter(|_| number == last + 1);
        let has_room = entry.follower.pinned().len() < MAX_PINNED;
        let (Some(state), true) = (state, has_room) else {
            api.notify(&sink, &json!({ "event": "stop" })).await;
            return;
        };
        last = number;
        let head = state.head();
        entry.follower.pinned().insert(head.hash, state);
        let messages = [
            json!({
                "event": "newBlock",
                "blockHash": Hash(head.hash),
                "parentBlockHash": Hash(head.parent),
                "newRuntime": null,
            }),
            json!({ "event": "bestBlockChanged", "bestBlockHash": Hash(head.hash) }),
            json!({
                "event": "finalized",
                "finalizedBlockHashes": [Hash(head.hash)],
                "prunedBlockHashes": [],
            }),
        ];
        for message in messages {
            if !api.notify(&sink, &message).await {
                return;
            }
        }
    }
}

/// What is asked of a stored item.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Query {
    Value,
    Hash,
    ClosestDescendantMerkleValue,
    DescendantsValues,
    DescendantsHashes,
}

#[derive(Deserialize)]
struct Item {
    key: Bytes,
    #[serde(rename = "type")]
    query: Query,
}

/// What an operation does with a pinned state: its events, but for the operation's number.
enum Operation {
    Body,
    Call { name: String, input: Vec<u8> },
    Storage { items: Vec<Item> },
}

fn value_json(key: &[u8], value: &[u8]) -> Value {
    json!({ "key": in_hex(key), "value": in_hex(value) })
}

fn hash_json(key: &[u8], value: &[u8]) -> Value {
    json!({ "key": in_hex(key), "hash": in_hex(&blake2_256(value)) })
}

fn stored(state: &State, item: &Item) -> Vec<Value> {
    let Item { key: Bytes(key), query } = item;
    let shown = match query {
        Query::Value | Query::DescendantsValues => value_json,
        // There is no trie: a digest of the value stands for its node.
        Query::Hash | Query::ClosestDescendantMerkleValue | Query::DescendantsHashes => hash_json,
    };
    let keys = match query {
        Query::Value | Query::Hash | Query::ClosestDescendantMerkleValue => vec![key.clone()],
        Query::DescendantsValues | Query::DescendantsHashes => {
            wire::storage::keys(state, key, None, MAX_DESCENDANTS)
        }
    };
    let values = keys.into_iter().filter_map(|key| wire::storage::get(state, &key).map(|value| (key, value)));
    values.map(|(key, value)| shown(&key, &value)).collect()
}

impl Operation {
    fn run(&self, state: &State) -> Vec<Value> {
        match self {
            Self::Body => vec![json!({ "event": "operationBodyDone", "value": body_json(state.body()) })],
            Self::Call { name, input } => vec![match state::call(state, name, input) {
                Ok(output) => json!({ "event": "operationCallDone", "output": in_hex(&output) }),
                Err(error) => json!({ "event": "operationError", "error": error.to_string() }),
            }],
            Self::Storage { items } => {
                let found: Vec<Value> = items.iter().flat_map(|item| stored(state, item)).collect();
                let parts = found.chunks(ITEMS_PER_EVENT);
                let events = parts.map(|items| json!({ "event": "operationStorageItems", "items": items }));
                events.chain([json!({ "event": "operationStorageDone" })]).collect()
            }
        }
    }
}

/// Starts an operation. Its events follow the answer, never before it.
fn start(
    api: &Arc<Api>,
    subscription: &str,
    block: Hash,
    operation: Operation,
) -> Answer<ResponsePayload<'static, Value>> {
    let limit = || ResponsePayload::success(json!({ "result": "limitReached" }));
    let Some(follower) = api.follows.get(subscription) else { return Ok(limit()) };
    let state = follower.state(block)?;
    let Ok(place) = follower.operations.clone().try_acquire_owned() else { return Ok(limit()) };
    let number = follower.next_operation.fetch_add(1, Ordering::Relaxed).to_string();
    let mut started = json!({ "result": "started", "operationId": number });
    if matches!(operation, Operation::Storage { .. })
        && let Some(fields) = started.as_object_mut()
    {
        fields.insert("discardedItems".to_owned(), json!(0));
    }
    let (answer, answered) = ResponsePayload::success(started).notify_on_completion();
    let api = api.clone();
    tokio::spawn(async move {
        let _place = place;
        if answered.await.is_err() {
            return;
        }
        let events = api.costly(move || Ok(operation.run(&state))).await;
        let failed =
            |error: ErrorObjectOwned| vec![json!({ "event": "operationError", "error": error.message() })];
        for mut event in events.unwrap_or_else(failed) {
            if let Some(fields) = event.as_object_mut() {
                fields.insert("operationId".to_owned(), json!(number));
            }
            if follower.events.send(event).await.is_err() {
                return;
            }
        }
    });
    Ok(answer)
}

fn body(api: &Arc<Api>, params: &Params<'_>) -> Answer<ResponsePayload<'static, Value>> {
    let mut arguments = Arguments::of(params);
    let (subscription, block): (String, Hash) = (arguments.next()?, arguments.next()?);
    start(api, &subscription, block, Operation::Body)
}

fn call(api: &Arc<Api>, params: &Params<'_>) -> Answer<ResponsePayload<'static, Value>> {
    let mut arguments = Arguments::of(params);
    let (subscription, block): (String, Hash) = (arguments.next()?, arguments.next()?);
    let (name, Bytes(input)): (String, Bytes) = (arguments.next()?, arguments.next()?);
    start(api, &subscription, block, Operation::Call { name, input })
}

fn storage(api: &Arc<Api>, params: &Params<'_>) -> Answer<ResponsePayload<'static, Value>> {
    let mut arguments = Arguments::of(params);
    let (subscription, block): (String, Hash) = (arguments.next()?, arguments.next()?);
    let items: Vec<Item> = arguments.next()?;
    // There are no child tries: nothing is stored in one.
    let child: Option<Bytes> = arguments.optional()?;
    let items = if child.is_some() { Vec::new() } else { items };
    start(api, &subscription, block, Operation::Storage { items })
}

fn header(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Option<String>> {
    let (subscription, block): (String, Hash) = (arguments.next()?, arguments.next()?);
    let Some(follower) = api.follows.get(&subscription) else { return Ok(None) };
    Ok(Some(in_hex(&follower.state(block)?.header().encode())))
}

fn unpin(api: &Api, arguments: &mut Arguments<'_>) -> Answer<()> {
    let (subscription, blocks): (String, OneOrMany<Hash>) = (arguments.next()?, arguments.next()?);
    let Some(follower) = api.follows.get(&subscription) else { return Ok(()) };
    let blocks = match blocks {
        OneOrMany::One(block) => vec![block],
        OneOrMany::Many(blocks) => blocks,
    };
    let mut pinned = follower.pinned();
    if blocks.iter().any(|Hash(block)| !pinned.contains_key(block)) {
        return Err(invalid_block());
    }
    for Hash(block) in &blocks {
        pinned.remove(block);
    }
    Ok(())
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.0.register_subscription(
        "chainHead_v1_follow",
        "chainHead_v1_followEvent",
        "chainHead_v1_unfollow",
        |params, pending, api, _| async move {
            let with_runtime = Arguments::of(&params).optional::<bool>();
            match with_runtime {
                Ok(with_runtime) => follow(api, with_runtime.unwrap_or(false), pending).await,
                Err(error) => pending.reject(error).await,
            }
        },
    )?;
    let operations: [(&'static str, OperationMethod); 3] =
        [("chainHead_v1_body", body), ("chainHead_v1_call", call), ("chainHead_v1_storage", storage)];
    for (name, operation) in operations {
        table.0.register_async_method(name, move |params, api, _| async move {
            operation(&api, &params).unwrap_or_else(ResponsePayload::error)
        })?;
    }
    table.quick(&["chainHead_v1_header"], header)?;
    table.quick(&["chainHead_v1_unpin"], unpin)?;
    // No operation ever waits to be continued, and each is over as soon as it can be.
    table.quick(&["chainHead_v1_continue"], |_, _| {
        Err::<(), _>(ErrorObjectOwned::owned(INVALID_CONTINUE_CODE, "Invalid operation", None::<()>))
    })?;
    table.quick(&["chainHead_v1_stopOperation"], |_, _| Ok(()))
}

type OperationMethod = fn(&Arc<Api>, &Params<'_>) -> Answer<ResponsePayload<'static, Value>>;
