//! Following with pinned blocks.

use devchain::Pace;
use serde_json::{Value, json};

use super::client::{Client, Served, account, account_key, blake2_256, bytes, in_hex, run};

async fn event(client: &mut Client, name: &str) -> Value {
    let told = client.notification().await;
    assert_eq!((told.method.as_str(), &told.result["event"]), ("chainHead_v1_followEvent", &json!(name)));
    told.result
}

#[test]
fn a_follower_sees_blocks_and_asks_of_those_it_has_pinned() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let follow = client.ok("chainHead_v1_follow", json!([true])).await;
        let initialized = event(&mut client, "initialized").await;
        let genesis = initialized["finalizedBlockHashes"][0].clone();
        assert_eq!(initialized["finalizedBlockRuntime"]["spec"]["specVersion"], 425);
        event(&mut client, "bestBlockChanged").await;
        client.mine(1).await;
        let block = event(&mut client, "newBlock").await;
        assert_eq!(block["parentBlockHash"], genesis);
        let hash = block["blockHash"].clone();
        event(&mut client, "bestBlockChanged").await;
        assert_eq!(event(&mut client, "finalized").await["finalizedBlockHashes"], json!([hash]));
        let header = client.ok("chainHead_v1_header", json!([follow, hash])).await;
        assert_eq!(hash, json!(in_hex(&blake2_256(&bytes(&header)))));
        // Operations are started, then answered by events.
        let key = account_key(account("Alice"));
        let items =
            json!([{ "key": key, "type": "value" }, { "key": &key[..66], "type": "descendantsHashes" }]);
        let started = client.ok("chainHead_v1_storage", json!([follow, hash, items, null])).await;
        assert_eq!(started["result"], "started");
        let items = event(&mut client, "operationStorageItems").await;
        assert_eq!(
            (&items["operationId"], &items["items"][0]["key"]),
            (&started["operationId"], &json!(key))
        );
        assert!(items["items"].as_array().unwrap().len() > 4);
        event(&mut client, "operationStorageDone").await;
        client.ok("chainHead_v1_call", json!([follow, hash, "Metadata_metadata_versions", "0x"])).await;
        assert_eq!(event(&mut client, "operationCallDone").await["output"], "0x080e0000000f000000");
        client.ok("chainHead_v1_call", json!([follow, hash, "No_such", "0x"])).await;
        event(&mut client, "operationError").await;
        client.ok("chainHead_v1_body", json!([follow, hash])).await;
        assert_eq!(event(&mut client, "operationBodyDone").await["value"].as_array().unwrap().len(), 1);
        // What was let go is not answered.
        client.ok("chainHead_v1_unpin", json!([follow, [genesis, hash]])).await;
        assert_eq!(client.err("chainHead_v1_header", json!([follow, hash])).await.code, -32801);
        assert_eq!(client.err("chainHead_v1_body", json!([follow, hash])).await.code, -32801);
        assert_eq!(client.err("chainHead_v1_unpin", json!([follow, hash])).await.code, -32801);
        client.ok("chainHead_v1_unfollow", json!([follow])).await;
        assert_eq!(client.ok("chainHead_v1_header", json!([follow, hash])).await, Value::Null);
    });
}

#[test]
fn a_follower_that_lets_nothing_go_is_stopped() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        client.ok("chainHead_v1_follow", json!([false])).await;
        client.mine(600).await;
        let mut events = 0;
        while client.notification().await.result["event"] != "stop" {
            events += 1;
        }
        assert!(events < 3 * 600, "{events}");
    });
}

#[test]
fn a_chain_that_goes_back_stops_its_followers() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        client.mine(2).await;
        let snapshot = client.ok("weigh_snapshot", json!([])).await;
        client.mine(2).await;
        client.ok("chainHead_v1_follow", json!([false])).await;
        event(&mut client, "initialized").await;
        event(&mut client, "bestBlockChanged").await;
        client.ok("weigh_revert", json!([snapshot])).await;
        event(&mut client, "stop").await;
    });
}
