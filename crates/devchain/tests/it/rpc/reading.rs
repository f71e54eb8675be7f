//! Reading: the node, headers, blocks, stored values, runtime calls; and being told what is new.

use devchain::{Config, Pace};
use parity_scale_codec::{Compact, Encode};
use primitives::Rao;
use serde_json::{Value, json};

use super::client::{
    EVENTS_KEY, Served, TAO, Unsigned, account, account_key, blake2_256, bytes, genesis, in_hex, key, run,
    transfer,
};

/// `UnknownBlock` and all that goes with it.
const STATE_CODE: i64 = 4003;

#[test]
fn the_node_tells_what_it_is() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        assert_eq!(client.ok("system_chain", json!([])).await, "Development");
        assert_eq!(client.ok("system_chainType", json!([])).await, "Development");
        let properties = json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" });
        assert_eq!(client.ok("system_properties", json!([])).await, properties);
        let health = json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false });
        assert_eq!(client.ok("system_health", json!([])).await, health);
        let version = client.ok("state_getRuntimeVersion", json!([null])).await;
        assert_eq!((&version["specName"], &version["specVersion"]), (&json!("node-subtensor"), &json!(425)));
        let core = json!(["0xdf6acb689907609b", 5]);
        assert!(version["apis"].as_array().unwrap().contains(&core), "{version}");
        let methods = client.ok("rpc_methods", json!([])).await;
        for name in ["account_nextIndex", "state_call", "author_submitAndWatchExtrinsic", "rpc_methods"] {
            assert!(methods["methods"].as_array().unwrap().contains(&json!(name)), "{name}");
        }
        for name in methods["methods"].as_array().unwrap() {
            let answer = client.call(name.as_str().unwrap(), json!([])).await;
            let known = answer.err().is_none_or(|error| error.code != -32601);
            assert!(known, "{name} is listed");
        }
    });
}

#[test]
fn headers_have_the_hash_that_clients_compute() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        client.mine(70).await;
        let mut parent = json!(in_hex(&[0; 32]));
        for number in 0..=70u64 {
            let hash = client.ok("chain_getBlockHash", json!([number])).await;
            let header = client.ok("chain_getHeader", json!([hash])).await;
            assert_eq!(header["number"], json!(format!("{number:#x}")));
            assert_eq!(header["parentHash"], parent);
            let mut encoded = bytes(&header["parentHash"]);
            encoded.extend(Compact(number).encode());
            encoded.extend(bytes(&header["stateRoot"]));
            encoded.extend(bytes(&header["extrinsicsRoot"]));
            encoded.push(0);
            assert_eq!(hash, json!(in_hex(&blake2_256(&encoded))));
            parent = hash;
        }
        let several = client.ok("chain_getBlockHash", json!([[0, "0x46", 71]])).await;
        assert_eq!((&several[1], &several[2]), (&parent, &Value::Null));
        for head in ["chain_getBlockHash", "chain_getHead", "chain_getFinalizedHead"] {
            assert_eq!(client.ok(head, json!([])).await, parent);
        }
        assert_eq!(client.ok("chain_getHeader", json!([null])).await["number"], "0x46");
        assert_eq!(client.ok("chain_getHeader", json!([in_hex(&[9; 32])])).await, Value::Null);
        assert_eq!(client.ok("chain_getBlock", json!([in_hex(&[9; 32])])).await, Value::Null);
        let height = client.ok("archive_v1_finalizedHeight", json!([])).await;
        assert_eq!(height, 70);
        assert_eq!(client.ok("archive_v1_hashByHeight", json!([70])).await, json!([parent]));
    });
}

#[test]
fn a_block_shows_its_inherent_and_its_extrinsics_as_they_came() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let sent = Unsigned::new(genesis, 0, transfer(account("Bob"), Rao(5))).sign(&key("Alice"));
        let hash = client.ok("author_submitExtrinsic", json!([in_hex(&sent)])).await;
        assert_eq!(hash, json!(in_hex(&blake2_256(&sent))));
        assert_eq!(client.ok("author_pendingExtrinsics", json!([])).await, json!([in_hex(&sent)]));
        client.mine(1).await;
        let block = client.ok("chain_getBlock", json!([])).await;
        let extrinsics = block["block"]["extrinsics"].as_array().unwrap();
        assert_eq!((extrinsics.len(), &extrinsics[1]), (2, &json!(in_hex(&sent))));
        let root = [Compact(2u32).encode(), bytes(&extrinsics[0]), sent].concat();
        assert_eq!(block["block"]["header"]["extrinsicsRoot"], json!(in_hex(&blake2_256(&root))));
        assert_eq!(client.ok("author_pendingExtrinsics", json!([])).await, json!([]));
        // Events: the inherent succeeds, the fee is withdrawn, the transfer, refund, author, fee paid, success.
        let events = bytes(&client.ok("state_getStorage", json!([EVENTS_KEY])).await);
        let find = |event: [u8; 2]| {
            let record = [&[0, 1, 0, 0, 0][..], &event].concat();
            events.windows(record.len()).filter(|window| *window == record).count()
        };
        assert_eq!((find([5, 8]), find([5, 2]), find([5, 7]), find([6, 0]), find([0, 0])), (1, 1, 2, 1, 1));
    });
}

#[test]
fn stored_values_are_read_at_any_kept_block() {
    run(async {
        let served = Served::at(Pace::Instant).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let before = client.ok("chain_getHead", json!([])).await;
        let key_of_bob = account_key(account("Bob"));
        let old = client.ok("state_getStorage", json!([key_of_bob])).await;
        let sent = Unsigned::new(genesis, 0, transfer(account("Bob"), Rao(TAO))).hex(&key("Alice"));
        client.ok("author_submitExtrinsic", json!([sent])).await;
        client.mine(1).await;
        let new = client.ok("state_getStorageAt", json!([key_of_bob, null])).await;
        assert_ne!(old, new);
        assert_eq!(client.ok("state_getStorage", json!([key_of_bob, before])).await, old);
        let hash = client.ok("state_getStorageHash", json!([key_of_bob])).await;
        assert_eq!(hash, json!(in_hex(&blake2_256(&bytes(&new)))));
        assert_eq!(client.ok("state_getStorageSize", json!([key_of_bob])).await, json!(bytes(&new).len()));
        assert_eq!(client.ok("state_getStorage", json!(["0xabcd"])).await, Value::Null);
        // Several keys at once, and what changed since a block.
        let now = client.ok("state_queryStorageAt", json!([[key_of_bob, "0x00"]])).await;
        assert_eq!(now[0]["changes"], json!([[key_of_bob, new], ["0x00", null]]));
        let changes = client.ok("state_queryStorage", json!([[key_of_bob], before])).await;
        let changes: Vec<&Value> =
            changes.as_array().unwrap().iter().map(|set| &set["changes"][0][1]).collect();
        assert_eq!(changes, [&old, &new]);
        // A block that never was.
        let error = client.err("state_getStorage", json!([key_of_bob, in_hex(&[9; 32])])).await;
        assert_eq!(error.code, STATE_CODE);
        assert!(error.message.contains("UnknownBlock"), "{}", error.message);
    });
}

#[test]
fn a_state_that_is_no_longer_kept_is_told_as_discarded() {
    run(async {
        let config = Config { kept_states: 2, ..Config::stepped(genesis()) };
        let served = Served::with(config, devchain::rpc::Config::default()).await;
        let mut client = served.client().await;
        client.mine(5).await;
        let hash = client.ok("chain_getBlockHash", json!([2])).await;
        let error = client.err("state_call", json!(["Core_version", "", hash])).await;
        let words = "Client error: Api called for an unknown Block: State already discarded for ";
        assert_eq!((error.code, error.message), (STATE_CODE, format!("{words}{}", hash.as_str().unwrap())));
        assert_eq!(client.ok("chain_getHeader", json!([hash])).await["number"], "0x2");
        assert_eq!(
            client.ok("chain_getBlock", json!([hash])).await["block"]["extrinsics"].as_array().unwrap().len(),
            1
        );
    });
}

#[test]
fn keys_come_in_pages() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let prefix = &account_key(account("Alice"))[..66];
        let all = client.ok("state_getKeys", json!([prefix])).await;
        let all = all.as_array().unwrap();
        assert!(all.len() >= 4 && all.is_sorted_by_key(|key| key.to_string()), "{all:?}");
        let first = client.ok("state_getKeysPaged", json!([prefix, 3])).await;
        let rest = client.ok("state_getKeysPaged", json!([prefix, 1000, first[2], null])).await;
        let joined: Vec<Value> =
            first.as_array().unwrap().iter().chain(rest.as_array().unwrap()).cloned().collect();
        assert_eq!(&joined, all);
        let pairs = client.ok("state_getPairs", json!([prefix])).await;
        assert_eq!(pairs.as_array().unwrap().len(), all.len());
        let error = client.err("state_getKeysPaged", json!([prefix, 1001])).await;
        assert_eq!(
            (error.code, error.message.as_str()),
            (4002, "count exceeds maximum value. value: 1001, max: 1000")
        );
        let whole = client.ok("state_getKeysPaged", json!(["0x", 1000])).await;
        assert!(whole.as_array().unwrap().len() > all.len());
    });
}

#[test]
fn runtime_calls_take_what_clients_send() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let alice = hex::encode(account("Alice").0);
        for params in [
            json!(["AccountNonceApi_account_nonce", alice]),
            json!(["AccountNonceApi_account_nonce", format!("0x{alice}"), null]),
        ] {
            assert_eq!(client.ok("state_call", params).await, "0x00000000");
        }
        let versions = client.ok("state_call", json!(["Metadata_metadata_versions", "0x"])).await;
        assert_eq!(bytes(&versions), vec![14u32, 15].encode());
        let metadata =
            bytes(&client.ok("state_call", json!(["Metadata_metadata_at_version", "0f000000"])).await);
        assert_eq!((metadata[0], &metadata[5..9]), (1, &b"meta"[..]));
        assert_eq!(
            client.ok("state_call", json!(["Metadata_metadata_at_version", "0x10000000"])).await,
            "0x00"
        );
        let plain = bytes(&client.ok("state_getMetadata", json!([])).await);
        assert_eq!(&plain[..5], b"meta\x0e");
        let core = bytes(&client.ok("state_call", json!(["Core_version", null])).await);
        assert_eq!(&core[1..15], b"node-subtensor");
        let error = client.err("state_call", json!(["Nothing_nothing", "0x"])).await;
        assert!(error.message.contains("Exported method Nothing_nothing is not found"), "{}", error.message);
        let error = client.err("state_call", json!(["AccountNonceApi_account_nonce", "0x00"])).await;
        assert_eq!(error.code, STATE_CODE);
    });
}

#[test]
fn subscribers_are_told_of_every_block() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        for (subscribe, unsubscribe, notification) in [
            ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads", "chain_newHead"),
            ("chain_subscribeAllHeads", "chain_unsubscribeAllHeads", "chain_allHead"),
            ("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads", "chain_finalizedHead"),
            ("chain_subscribeNewHead", "chain_unsubscribeNewHead", "chain_newHead"),
        ] {
            let first = served.node.state().head().number;
            let subscription = client.ok(subscribe, json!([])).await;
            for number in first..=first + 3 {
                let told = client.notification().await;
                assert_eq!((told.method.as_str(), &told.subscription), (notification, &subscription));
                assert_eq!(told.result["number"], json!(format!("{number:#x}")));
                if number < first + 3 {
                    client.mine(1).await;
                }
            }
            assert_eq!(client.ok(unsubscribe, json!([subscription])).await, true);
        }
        let subscription = client.ok("state_subscribeRuntimeVersion", json!([])).await;
        let told = client.notification().await;
        assert_eq!(
            (told.method.as_str(), &told.result["specVersion"]),
            ("state_runtimeVersion", &json!(425))
        );
        assert_eq!(client.ok("state_unsubscribeRuntimeVersion", json!([subscription])).await, true);
    });
}

#[test]
fn subscribers_are_told_of_changed_values_alone() {
    run(async {
        let served = Served::at(Pace::Instant).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let key_of_bob = account_key(account("Bob"));
        client.ok("state_subscribeStorage", json!([[key_of_bob]])).await;
        let first = client.notification().await;
        assert_eq!(
            (first.method.as_str(), &first.result["changes"][0][0]),
            ("state_storage", &json!(key_of_bob))
        );
        client.mine(3).await;
        let sent = Unsigned::new(genesis, 0, transfer(account("Bob"), Rao(TAO))).hex(&key("Alice"));
        client.ok("author_submitExtrinsic", json!([sent])).await;
        let second = client.notification().await;
        let hash = client.ok("chain_getBlockHash", json!([4])).await;
        assert_eq!(second.result["block"], hash);
        assert_ne!(second.result["changes"], first.result["changes"]);
        let error = client.err("state_subscribeStorage", json!([])).await;
        assert_eq!(error.code, -32602);
    });
}

#[test]
fn http_serves_calls_and_batches_on_the_same_port() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let (status, body) = served.post(r#"{"jsonrpc":"2.0","id":"a7","method":"system_chain"}"#, "").await;
        assert_eq!((status, body.contains(r#""id":"a7""#)), (200, true), "{body}");
        let batch = r#"[{"jsonrpc":"2.0","id":"x","method":"system_chain","params":[]},
            {"jsonrpc":"2.0","id":2,"method":"chain_getBlockHash","params":[0]},
            {"jsonrpc":"2.0","id":3,"method":"nothing_such"}]"#;
        let (_, body) = served.post(batch, "").await;
        let answers: Vec<Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (answers.len(), &answers[0]["id"], &answers[2]["error"]["code"]),
            (3, &json!("x"), &json!(-32601))
        );
        let mut client = served.client().await;
        client.send(batch).await;
        let answers = client.receive().await.unwrap();
        assert_eq!(answers.as_array().unwrap().len(), 3);
    });
}

#[test]
fn a_thousand_idle_subscribers_are_served() {
    const SUBSCRIBERS: usize = 1000;
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut clients = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let mut client = served.client().await;
            client.ok("chain_subscribeNewHeads", json!([])).await;
            clients.push(client);
        }
        for number in ["0x0", "0x1", "0x2"] {
            for client in &mut clients {
                assert_eq!(client.notification().await.result["number"], number);
            }
            served.node.step(None).unwrap();
        }
    });
}

#[test]
fn bodies_and_hashes_survive_a_restart() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            folder: Some(folder.path().to_owned()),
            snapshot_every: 4,
            pace: Pace::Instant,
            ..Config::stepped(genesis())
        };
        let mut blocks = Vec::new();
        for round in 0..2u32 {
            let served = Served::with(config.clone(), devchain::rpc::Config::default()).await;
            let mut client = served.client().await;
            for (number, block) in blocks.iter().enumerate() {
                let hash = client.ok("chain_getBlockHash", json!([number])).await;
                assert_eq!(&client.ok("chain_getBlock", json!([hash])).await, block, "block {number}");
            }
            let genesis = client.genesis_hash().await;
            for n in 0..3 {
                let sent = Unsigned::new(genesis, round * 3 + n, transfer(account("Bob"), Rao(TAO)));
                client.ok("author_submitExtrinsic", json!([sent.hex(&key("Alice"))])).await;
                client.mine(1).await;
            }
            blocks.clear();
            for number in 0..=served.node.state().head().number {
                let hash = client.ok("chain_getBlockHash", json!([number])).await;
                blocks.push(client.ok("chain_getBlock", json!([hash])).await);
            }
            served.server.stop().await;
        }
        assert_eq!(blocks.len(), 13);
    });
}
