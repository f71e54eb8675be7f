//! `state_*`: stored values, keys, and runtime calls at a kept block.

use std::sync::LazyLock;

use chain::InvalidTransaction;
use parity_scale_codec::{Compact, DecodeAll, Encode};
use primitives::{BlockNumber, Digest};
use serde_json::{Value, json};

use super::{
    api::{Api, Arguments, Bytes, Hash, Registered, Table, at_most, in_hex},
    refusal::{self, Answer},
};
use crate::{
    Extrinsic, Rules, State,
    extrinsic::Unsound,
    wire::{
        self, SPEC_NAME, TRANSACTION_VERSION, blake2_256, metadata,
        runtime::{self, CallError},
    },
};

/// Keys given at once. Source: `sc-rpc`, `STORAGE_KEYS_PAGED_MAX_COUNT`.
const MAX_PAGE: u32 = 1000;
/// Keys that are asked for by name at once, and those that methods without pages give.
const MAX_KEYS: usize = 10_000;
/// Blocks that a query of changes goes over.
const MAX_RANGE: BlockNumber = 1000;
/// The version of metadata that clients get without asking for one.
const PLAIN_METADATA: u32 = 14;
/// Version of the node's interface to the runtime. Source: the chain's runtime.
const AUTHORING_VERSION: u32 = 1;
/// Version of the runtime's implementation.
const IMPL_VERSION: u32 = 1;
/// Layout of the state's trie, which nobody checks here.
const STATE_VERSION: u8 = 1;

/// Runtime interfaces that stand in no metadata of ours, and those whose version is not 1. Source: the chain's runtime.
const API_VERSIONS: [(&str, u32); 6] = [
    ("Core", 5),
    ("Metadata", 2),
    ("BlockBuilder", 6),
    ("TaggedTransactionQueue", 3),
    ("TransactionPaymentApi", 4),
    ("AccountNonceApi", 1),
];

/// The identities of the runtime's interfaces, and their versions.
static APIS: LazyLock<Vec<([u8; 8], u32)>> = LazyLock::new(|| {
    let described = runtime::descriptions();
    let named = described.iter().map(|api| (api.name, 1));
    let rest = named.filter(|(name, _)| API_VERSIONS.iter().all(|(known, _)| known != name));
    API_VERSIONS.into_iter().chain(rest).map(|(name, version)| (wire::blake2_64(name), version)).collect()
});

/// The same by their identities.
pub(super) fn apis() -> impl Iterator<Item = (String, Value)> {
    APIS.iter().map(|(id, version)| (in_hex(id), json!(version)))
}

/// The runtime's version as clients read it.
pub(super) fn runtime_version(rules: Rules) -> Value {
    let apis: Vec<Value> = apis().map(|(id, version)| json!([id, version])).collect();
    json!({
        "specName": SPEC_NAME,
        "implName": SPEC_NAME,
        "authoringVersion": AUTHORING_VERSION,
        "specVersion": rules.spec_version(),
        "implVersion": IMPL_VERSION,
        "apis": apis,
        "transactionVersion": TRANSACTION_VERSION,
        "systemVersion": STATE_VERSION,
        "stateVersion": STATE_VERSION,
    })
}

/// The same as the runtime call `Core_version` gives it.
fn core_version(rules: Rules) -> Vec<u8> {
    let head = (SPEC_NAME, SPEC_NAME, AUTHORING_VERSION, rules.spec_version(), IMPL_VERSION);
    (head, &*APIS, TRANSACTION_VERSION, STATE_VERSION).encode()
}

/// Answers a runtime call.
pub(super) fn call(state: &State, name: &str, arguments: &[u8]) -> Result<Vec<u8>, CallError> {
    let opaque = |version: u32| metadata::at_version(state.rules(), version).map(<[u8]>::to_vec);
    Ok(match name {
        "Core_version" => core_version(state.rules()),
        "Metadata_metadata" => opaque(PLAIN_METADATA).unwrap_or_default().encode(),
        "Metadata_metadata_versions" => metadata::VERSIONS.to_vec().encode(),
        "Metadata_metadata_at_version" => {
            let version = u32::decode_all(&mut &arguments[..]).map_err(|_| CallError::Arguments)?;
            opaque(version).encode()
        }
        "TaggedTransactionQueue_validate_transaction" => validity(state, arguments)?,
        _ => return runtime::call(state, name, arguments),
    })
}

/// What the pool says of an extrinsic. Its signature was checked when it was sent.
fn validity(state: &State, mut arguments: &[u8]) -> Result<Vec<u8>, CallError> {
    /// Blocks that an extrinsic without an end is valid for.
    const ALWAYS: u64 = u64::MAX;
    const PRIORITY: u64 = 1;
    let (_source, bytes) = arguments.split_first().ok_or(CallError::Arguments)?;
    arguments = bytes;
    let before = arguments;
    let length = <Compact<u32> as parity_scale_codec::Decode>::decode(&mut arguments)
        .map_err(|_| CallError::Arguments)?;
    let prefix = before.len() - arguments.len();
    let end = usize::try_from(length.0).map_or(usize::MAX, |length| length.saturating_add(prefix));
    let bytes = before.get(..end).ok_or(CallError::Arguments)?;
    let extrinsic = Extrinsic::unverified(bytes).map_err(|unsound| match unsound {
        Unsound::Malformed => CallError::Arguments,
        Unsound::Invalid(_) => CallError::Arguments,
    })?;
    let account = extrinsic.origin;
    let valid = state.validate(&extrinsic).map(|payable| {
        let tag = |nonce: u32| (account, nonce).encode();
        let missing = payable.is_early.then(|| tag(payable.nonce.saturating_sub(1)));
        let requires: Vec<Vec<u8>> = missing.into_iter().collect();
        (PRIORITY, requires, vec![tag(payable.nonce)], ALWAYS, true)
    });
    /// The kind of error that names a reason why the extrinsic is invalid.
    const INVALID: u8 = 0;
    Ok(valid.map_err(|reason: InvalidTransaction| (INVALID, reason)).encode())
}

fn metadata(api: &Api, arguments: &mut Arguments<'_>) -> Answer<String> {
    let state = api.state(arguments.optional()?)?;
    Ok(in_hex(metadata::at_version(state.rules(), PLAIN_METADATA).unwrap_or_default()))
}

fn storage(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Option<Vec<u8>>> {
    let Bytes(key) = arguments.next()?;
    Ok(wire::storage::get(&api.state(arguments.optional()?)?, &key))
}

fn keys_of(arguments: &mut Arguments<'_>) -> Answer<Vec<Vec<u8>>> {
    let keys: Vec<Bytes> = arguments.next()?;
    at_most("number of keys", keys.len(), MAX_KEYS)?;
    Ok(keys.into_iter().map(|Bytes(key)| key).collect())
}

fn change_set(state: &State, changes: &[Value]) -> Value {
    json!({ "block": Hash(state.head().hash), "changes": changes })
}

fn change(key: &[u8], value: Option<&Vec<u8>>) -> Value {
    json!([in_hex(key), value.map(|value| in_hex(value))])
}

fn query_at(api: &Api, arguments: &mut Arguments<'_>) -> Answer<[Value; 1]> {
    let keys = keys_of(arguments)?;
    let state = api.state(arguments.optional()?)?;
    let changes: Vec<Value> =
        keys.iter().map(|key| change(key, wire::storage::get(&state, key).as_ref())).collect();
    Ok([change_set(&state, &changes)])
}

/// All values at the first block, then what changed in each of the others.
fn query(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Vec<Value>> {
    let keys = keys_of(arguments)?;
    let first: Hash = arguments.next()?;
    let first = api.state(Some(first))?;
    let last = api.state(arguments.optional()?)?;
    let (from, to) = (first.head().number, last.head().number);
    if from > to {
        return Err(refusal::invalid_params(format!("block range from {from} to {to} runs backwards")));
    }
    let range = (to - from).saturating_mul(u64::try_from(keys.len()).unwrap_or(u64::MAX));
    let most = MAX_RANGE.saturating_mul(u64::from(MAX_PAGE));
    if to - from > MAX_RANGE || range > most {
        return Err(refusal::too_much("block range", to - from, MAX_RANGE));
    }
    let mut known: Vec<Option<Vec<u8>>> = Vec::new();
    let mut all = Vec::new();
    for number in from..=to {
        let Ok(state) = api.node.state_at(number) else { continue };
        let found: Vec<_> = keys.iter().map(|key| wire::storage::get(&state, key)).collect();
        let is_new = |at: usize| known.get(at) != found.get(at);
        let changes: Vec<Value> = (0..keys.len())
            .filter(|at| is_new(*at))
            .filter_map(|at| Some(change(keys.get(at)?, found.get(at)?.as_ref())))
            .collect();
        if !changes.is_empty() {
            all.push(change_set(&state, &changes));
        }
        known = found;
    }
    Ok(all)
}

fn keys(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Vec<Bytes>> {
    let Bytes(prefix) = arguments.next()?;
    let state = api.state(arguments.optional()?)?;
    let found = wire::storage::keys(&state, &prefix, None, MAX_KEYS + 1);
    at_most("number of keys", found.len(), MAX_KEYS)?;
    Ok(found.into_iter().map(Bytes).collect())
}

fn keys_paged(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Vec<Bytes>> {
    let prefix: Option<Bytes> = arguments.optional()?;
    let count: u32 = arguments.next()?;
    let after: Option<Bytes> = arguments.optional()?;
    let state = api.state(arguments.optional()?)?;
    if count > MAX_PAGE {
        return Err(refusal::count(count, MAX_PAGE));
    }
    let count = usize::try_from(count).unwrap_or_default();
    let prefix = prefix.map(|Bytes(prefix)| prefix).unwrap_or_default();
    // An empty key is before all others.
    let after = after.map(|Bytes(after)| after).filter(|after| !after.is_empty());
    Ok(wire::storage::keys(&state, &prefix, after.as_deref(), count).into_iter().map(Bytes).collect())
}

fn pairs(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Vec<(Bytes, Bytes)>> {
    let Bytes(prefix) = arguments.next()?;
    let state = api.state(arguments.optional()?)?;
    let found = wire::storage::keys(&state, &prefix, None, MAX_KEYS + 1);
    at_most("number of keys", found.len(), MAX_KEYS)?;
    let pair = |key: Vec<u8>| Some((Bytes(key.clone()), Bytes(wire::storage::get(&state, &key)?)));
    Ok(found.into_iter().filter_map(pair).collect())
}

fn runtime_call(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Bytes> {
    let name: String = arguments.next()?;
    let input: Option<Bytes> = arguments.optional()?;
    let state = api.state(arguments.optional()?)?;
    let input = input.map(|Bytes(input)| input).unwrap_or_default();
    call(&state, &name, &input).map(Bytes).map_err(|error| refusal::runtime_call(&name, &error))
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.costly(&["state_getMetadata"], metadata)?;
    table.quick(&["state_getRuntimeVersion", "chain_getRuntimeVersion"], |api, arguments| {
        Ok(runtime_version(api.state(arguments.optional()?)?.rules()))
    })?;
    table.quick(&["state_getStorage", "state_getStorageAt"], |api, arguments| {
        Ok(storage(api, arguments)?.map(Bytes))
    })?;
    table.quick(&["state_getStorageHash", "state_getStorageHashAt"], |api, arguments| {
        Ok(storage(api, arguments)?.map(|value| Hash(Digest(blake2_256(&value)))))
    })?;
    table.quick(&["state_getStorageSize", "state_getStorageSizeAt"], |api, arguments| {
        Ok(storage(api, arguments)?.map(|value| value.len()))
    })?;
    table.costly(&["state_queryStorageAt"], query_at)?;
    table.costly(&["state_queryStorage"], query)?;
    table.costly(&["state_getKeys"], keys)?;
    table.costly(&["state_getKeysPaged", "state_getKeysPagedAt"], keys_paged)?;
    table.costly(&["state_getPairs"], pairs)?;
    table.costly(&["state_call", "state_callAt"], runtime_call)
}
