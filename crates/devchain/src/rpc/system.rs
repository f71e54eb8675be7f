//! `system_*`, `rpc_methods` and `chainSpec_v1_*`: what the node says of itself.

use serde_json::{Value, json};

use super::api::{Address, Registered, Table};

/// The node's software, as clients show it.
const NODE_NAME: &str = "Weighhouse devchain";
/// A node without peers still has an identity: the one that belongs to the secret key 1. Source: Substrate's documentation.
const PEER_ID: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

fn properties() -> Value {
    json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" })
}

pub(super) fn register(table: &mut Table) -> Registered {
    table.quick(&["system_name"], |_, _| Ok(NODE_NAME))?;
    table.quick(&["system_version"], |_, _| Ok(env!("CARGO_PKG_VERSION")))?;
    table.quick(&["system_chain", "chainSpec_v1_chainName"], |api, _| Ok(api.chain_name.clone()))?;
    table.quick(&["system_chainType"], |_, _| Ok("Development"))?;
    table.quick(&["system_properties", "chainSpec_v1_properties"], |_, _| Ok(properties()))?;
    table.quick(&["system_health"], |_, _| {
        Ok(json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false }))
    })?;
    table.quick(&["system_localPeerId"], |_, _| Ok(PEER_ID))?;
    table.quick(&["system_localListenAddresses"], |_, _| Ok(Vec::<String>::new()))?;
    table.quick(&["system_peers"], |_, _| Ok(Vec::<Value>::new()))?;
    table.quick(&["system_nodeRoles"], |_, _| Ok(["Authority"]))?;
    table.quick(&["system_syncState"], |api, _| {
        let number = api.node.heads().borrow().number;
        Ok(json!({ "startingBlock": 0, "currentBlock": number, "highestBlock": number }))
    })?;
    table.quick(&["system_accountNextIndex", "account_nextIndex"], |api, arguments| {
        let Address(account) = arguments.next()?;
        Ok(api.node.next_nonce(account))
    })
}

/// The list of all methods comes last.
pub(super) fn register_list(table: &mut Table) -> Registered {
    let mut names: Vec<&str> = table.0.method_names().chain(["rpc_methods"]).collect();
    names.sort_unstable();
    let list = json!({ "methods": names });
    table.0.register_method("rpc_methods", move |_, _, _| {
        Ok::<_, jsonrpsee::types::ErrorObjectOwned>(list.clone())
    })?;
    Ok(())
}
