//! Subscriptions that follow the chain: new heads, stored values, the runtime's version.

use std::{collections::BTreeMap, sync::Arc};

use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use primitives::BlockNumber;
use serde_json::{Value, json};

use super::{
    api::{Api, Arguments, Bytes, Hash, Registered, Table, at_most, in_hex},
    chain::header_json,
    refusal,
    state::runtime_version,
};
use crate::{State, wire};

/// Keys of one subscription.
const MAX_KEYS: usize = 1000;

/// The numbers of new blocks, one after the other. Where the chain went back, its blocks are new again.
pub(super) struct Numbers {
    heads: tokio::sync::watch::Receiver<chain::Head>,
    last: BlockNumber,
}

impl Numbers {
    /// Those after the newest block.
    pub(super) fn after_newest(api: &Api) -> Self {
        let heads = api.node.heads();
        let last = heads.borrow().number;
        Self { heads, last }
    }

    /// The last one that was given.
    pub(super) fn last(&self) -> BlockNumber {
        self.last
    }

    /// The next one; none where the subscription or the node has ended.
    pub(super) async fn next(&mut self, sink: &SubscriptionSink) -> Option<BlockNumber> {
        loop {
            let newest = self.heads.borrow_and_update().number;
            if newest < self.last {
                self.last = newest;
                return Some(newest);
            }
            if newest > self.last {
                self.last += 1;
                return Some(self.last);
            }
            tokio::select! {
                changed = self.heads.changed() => changed.ok()?,
                () = sink.closed() => return None,
            }
        }
    }
}

async fn heads(api: Arc<Api>, pending: PendingSubscriptionSink) {
    let Ok(sink) = pending.accept().await else { return };
    let mut numbers = Numbers::after_newest(&api);
    let mut number = Some(numbers.last());
    while let Some(at) = number {
        if let Some(header) = api.node.header_of(at)
            && !api.notify(&sink, &header_json(&header)).await
        {
            return;
        }
        number = numbers.next(&sink).await;
    }
}

fn change(key: &[u8], value: Option<&Vec<u8>>) -> Value {
    json!([in_hex(key), value.map(|value| in_hex(value))])
}

/// What stands under keys.
type Values = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn values(state: &State, keys: &[Vec<u8>]) -> Values {
    keys.iter().map(|key| (key.clone(), wire::storage::get(state, key))).collect()
}

async fn storage(api: Arc<Api>, keys: Vec<Vec<u8>>, pending: PendingSubscriptionSink) {
    let Ok(sink) = pending.accept().await else { return };
    let mut numbers = Numbers::after_newest(&api);
    let mut known = Values::new();
    let mut number = Some(numbers.last());
    while let Some(at) = number {
        // A state that is no longer kept was followed by one that is.
        if let Ok(state) = api.node.state_at(at) {
            let found = values(&state, &keys);
            let changed = found.iter().filter(|(key, value)| known.get(*key) != Some(*value));
            let changes: Vec<Value> = changed.map(|(key, value)| change(key, value.as_ref())).collect();
            let message = json!({ "block": Hash(state.head().hash), "changes": changes });
            if !changes.is_empty() && !api.notify(&sink, &message).await {
                return;
            }
            known = found;
        }
        number = numbers.next(&sink).await;
    }
}

pub(super) fn register(table: &mut Table) -> Registered {
    for (subscribe, notification, unsubscribe) in [
        ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads"),
        ("chain_subscribeAllHeads", "chain_allHead", "chain_unsubscribeAllHeads"),
        ("chain_subscribeFinalizedHeads", "chain_finalizedHead", "chain_unsubscribeFinalizedHeads"),
    ] {
        table.0.register_subscription(subscribe, notification, unsubscribe, |_, pending, api, _| {
            heads(api, pending)
        })?;
    }
    table.aliases("chain_subscribeNewHeads", &["chain_subscribeNewHead", "subscribe_newHead"])?;
    table.aliases("chain_unsubscribeNewHeads", &["chain_unsubscribeNewHead", "unsubscribe_newHead"])?;
    table.aliases("chain_subscribeFinalizedHeads", &["chain_subscribeFinalisedHeads"])?;
    table.aliases("chain_unsubscribeFinalizedHeads", &["chain_unsubscribeFinalisedHeads"])?;
    table.0.register_subscription(
        "state_subscribeStorage",
        "state_storage",
        "state_unsubscribeStorage",
        |params, pending, api, _| async move {
            let keys = Arguments::of(&params).optional::<Vec<Bytes>>().and_then(|keys| {
                let keys = keys.unwrap_or_default();
                at_most("number of keys", keys.len(), MAX_KEYS)?;
                if keys.is_empty() {
                    return Err(refusal::invalid_params(
                        "all keys at once are too many: name those you follow",
                    ));
                }
                Ok(keys.into_iter().map(|Bytes(key)| key).collect())
            });
            match keys {
                Ok(keys) => storage(api, keys, pending).await,
                Err(error) => pending.reject(error).await,
            }
        },
    )?;
    table.0.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, api, _| async move {
            let Ok(sink) = pending.accept().await else { return };
            // It stays the same as long as the node runs.
            if api.notify(&sink, &runtime_version(api.node.state().rules())).await {
                sink.closed().await;
            }
        },
    )?;
    table.aliases("state_subscribeRuntimeVersion", &["chain_subscribeRuntimeVersion"])?;
    table.aliases("state_unsubscribeRuntimeVersion", &["chain_unsubscribeRuntimeVersion"])
}
