//! `archive_v1_*`: the newer methods for blocks by their hash or height.

use serde_json::{Value, json};

use super::{
    api::{Api, Arguments, Bytes, Hash, Number, Registered, Table, in_hex},
    chain::body_json,
    refusal::Answer,
    state,
};
use parity_scale_codec::Encode;

fn call(api: &Api, arguments: &mut Arguments<'_>) -> Answer<Option<Value>> {
    let (hash, name, input): (Hash, String, Bytes) =
        (arguments.next()?, arguments.next()?, arguments.next()?);
    let Some(state) = api.node.state_of(hash.0) else { return Ok(None) };
    Ok(Some(match state::call(&state, &name, &input.0) {
        Ok(output) => json!({ "success": true, "value": in_hex(&output) }),
        Err(error) => json!({ "success": false, "error": error.to_string() }),
    }))
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.quick(&["archive_v1_genesisHash"], |api, _| Ok(api.node.hash_of(0).map(Hash)))?;
    table.quick(&["archive_v1_finalizedHeight"], |api, _| Ok(api.node.heads().borrow().number))?;
    table.quick(&["archive_v1_hashByHeight"], |api, arguments| {
        let Number(height) = arguments.next()?;
        Ok(api.node.hash_of(height).map(Hash).into_iter().collect::<Vec<_>>())
    })?;
    table.quick(&["archive_v1_header"], |api, arguments| {
        let number = api.number(Some(arguments.next()?));
        let header = number.and_then(|number| api.node.header_of(number));
        Ok(header.map(|header| in_hex(&header.encode())))
    })?;
    table.quick(&["archive_v1_body"], |api, arguments| {
        let number = api.number(Some(arguments.next()?));
        Ok(number.and_then(|number| api.node.body_of(number)).map(|body| body_json(&body)))
    })?;
    table.costly(&["archive_v1_call"], call)
}
