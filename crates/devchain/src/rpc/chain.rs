//! `chain_*` and `chainSpec_v1_genesisHash`: headers, blocks and hashes.

use serde_json::{Value, json};

use super::{
    api::{Api, Arguments, Hash, Number, OneOrMany, Registered, Table, at_most, in_hex},
    refusal::Answer,
};
use crate::block::{Body, Header};

/// Hashes given at once.
const MAX_HASHES: usize = 10_000;

/// A header as clients read it.
pub(super) fn header_json(header: &Header) -> Value {
    json!({
        "parentHash": Hash(header.head.parent),
        "number": format!("{:#x}", header.head.number),
        "stateRoot": Hash(header.state_root),
        "extrinsicsRoot": Hash(header.extrinsics_root),
        "digest": { "logs": [] },
    })
}

/// A block's extrinsics as clients read them.
pub(super) fn body_json(body: &Body) -> Vec<String> {
    body.iter().map(|extrinsic| in_hex(extrinsic)).collect()
}

fn header(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Option<Value>> {
    let number = api.number(arguments.optional()?);
    Ok(number.and_then(|number| api.node.header_of(number)).map(|header| header_json(&header)))
}

fn block(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Option<Value>> {
    let Some(number) = api.number(arguments.optional()?) else { return Ok(None) };
    let (Some(header), Some(body)) = (api.node.header_of(number), api.node.body_of(number)) else {
        return Ok(None);
    };
    let block = json!({ "header": header_json(&header), "extrinsics": body_json(&body) });
    Ok(Some(json!({ "block": block, "justifications": null })))
}

fn hash(api: &Api, arguments: &mut Arguments<'_>) -> Answer<OneOrMany<Option<Hash>>> {
    let hash_of = |Number(number)| api.node.hash_of(number).map(Hash);
    Ok(match arguments.optional()? {
        None => OneOrMany::One(Some(newest(api))),
        Some(OneOrMany::One(number)) => OneOrMany::One(hash_of(number)),
        Some(OneOrMany::Many(numbers)) => {
            at_most("number of hashes", numbers.len(), MAX_HASHES)?;
            OneOrMany::Many(numbers.into_iter().map(hash_of).collect())
        }
    })
}

fn newest(api: &Api) -> Hash {
    Hash(api.node.heads().borrow().hash)
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.quick(&["chain_getHeader"], header)?;
    table.quick(&["chain_getBlock"], block)?;
    table.quick(&["chain_getBlockHash", "chain_getHead"], hash)?;
    table.quick(&["chain_getFinalizedHead", "chain_getFinalisedHead"], |api, _| Ok(newest(api)))?;
    table.quick(&["chainSpec_v1_genesisHash"], |api, _| Ok(api.node.hash_of(0).map(Hash)))
}
