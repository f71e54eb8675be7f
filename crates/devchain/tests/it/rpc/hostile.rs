//! Callers that ask for nonsense or for too much: each is told so, and the node goes on.

use std::time::Duration;

use devchain::{Config, Pace, rpc};
use serde_json::json;

use super::client::{Client, Served, genesis, run};

async fn is_unharmed(served: &Served) {
    let mut client = served.client().await;
    let before = served.node.state().head().number;
    client.mine(1).await;
    assert_eq!(served.node.state().head().number, before + 1);
}

#[test]
fn nonsense_is_answered_with_the_right_code() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        for (text, code) in [
            ("nonsense", -32700),
            ("{\"jsonrpc\":", -32700),
            ("{}", -32600),
            ("[]", -32600),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no_such\"}", -32601),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chain_getHeader\",\"params\":[\"0x12\"]}", -32602),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chain_getHeader\",\"params\":[5]}", -32602),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"state_getStorage\",\"params\":[\"0xzz\"]}", -32602),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"state_getStorage\"}", -32602),
            (
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"state_getKeysPaged\",\"params\":[\"0x\",-1]}",
                -32602,
            ),
            (
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system_accountNextIndex\",\"params\":[\"5Grw\"]}",
                -32602,
            ),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dev_newBlock\",\"params\":[99999999]}", -32602),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"state_queryStorageAt\",\"params\":[{}]}", -32602),
        ] {
            client.send(text).await;
            let answer = client.receive().await.unwrap();
            assert_eq!(answer["error"]["code"], json!(code), "{text}: {answer}");
        }
        is_unharmed(&served).await;
    });
}

#[test]
fn too_much_at_once_is_refused() {
    run(async {
        let limits = rpc::Config {
            max_request_bytes: 10_000,
            max_batch: 10,
            max_subscriptions: 3,
            ..rpc::Config::default()
        };
        let served = Served::with(Config::stepped(genesis()), limits).await;
        let long = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system_chain\",\"params\":[\"{}\"]}}",
            "a".repeat(20_000)
        );
        let (status, _) = served.post(&long, "").await;
        assert_eq!(status, 413);
        let mut client = served.client().await;
        let one = json!({ "jsonrpc": "2.0", "id": 1, "method": "system_chain" });
        client.send(&json!(vec![one; 11]).to_string()).await;
        let answer = client.receive().await.unwrap();
        assert!(answer["error"]["code"].as_i64().is_some(), "{answer}");
        for _ in 0..3 {
            client.ok("chain_subscribeNewHeads", json!([])).await;
        }
        client.err("chain_subscribeNewHeads", json!([])).await;
        // The connection that sent too long a message may be closed for it; others are not.
        client.send(&long).await;
        let keys: Vec<String> = (0..10_001).map(|_| "0x".to_owned()).collect();
        let served_all = Served::at(Pace::Stepped).await;
        let error = served_all.client().await.err("state_queryStorageAt", json!([keys])).await;
        assert_eq!(error.code, 4003);
        is_unharmed(&served).await;
    });
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"system_chain"}"#;
        for (origin, expect) in [
            ("https://evil.example", 403),
            ("http://localhost.evil.example", 403),
            ("null", 403),
            ("http://localhost:3000", 200),
            ("http://127.0.0.1:8080", 200),
            ("http://[::1]:8080", 200),
        ] {
            let (status, _) = served.post(call, &format!("origin: {origin}\r\n")).await;
            assert_eq!(status, expect, "{origin}");
        }
    });
}

#[test]
fn a_connection_beyond_the_limit_is_turned_away_and_room_comes_back() {
    run(async {
        let limits = rpc::Config { max_connections: 5, ..rpc::Config::default() };
        let served = Served::with(Config::stepped(genesis()), limits).await;
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(served.client().await);
        }
        assert!(tokio_tungstenite::connect_async(served.url()).await.is_err());
        clients.pop();
        let client = loop {
            if let Ok((socket, _)) = tokio_tungstenite::connect_async(served.url()).await {
                break socket;
            }
            tokio::task::yield_now().await;
        };
        drop(client);
        for mut client in clients {
            client.ok("system_chain", json!([])).await;
        }
    });
}

/// Asks for the metadata again and again and reads nothing: what is kept for it is bounded, and it is hung up on.
#[test]
fn who_does_not_read_is_disconnected() {
    const REQUESTS: usize = 2000;
    run(async {
        let limits = rpc::Config { patience: Duration::from_millis(500), ..rpc::Config::default() };
        let served = Served::with(Config::stepped(genesis()), limits).await;
        let mut slow = served.client().await;
        slow.ok("chain_subscribeNewHeads", json!([])).await;
        let request =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "state_getMetadata", "params": [] }).to_string();
        let sent = tokio::time::timeout(Duration::from_secs(20), async {
            for n in 0..REQUESTS {
                if slow.try_send(&request).await.is_err() {
                    return n;
                }
            }
            REQUESTS
        });
        // Either the server stops to read and then hangs up while we are still sending, or it has all and hangs up after.
        let _hung_up_or_sent = sent.await;
        let mut answers = 0;
        while slow.receive().await.is_some() {
            answers += 1;
        }
        assert!(answers < REQUESTS, "{answers} answers came");
        is_unharmed(&served).await;
    });
}

#[test]
fn a_server_that_is_dropped_stops_and_the_node_goes_on() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let url = served.url();
        let mut client = served.client().await;
        let Served { node, server } = served;
        drop(server);
        assert!(client.receive().await.is_none(), "the connection is closed");
        while tokio_tungstenite::connect_async(&url).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(node.step(None).unwrap().head.number, 1);
        let server = rpc::serve(node, rpc::Config::default()).await.unwrap();
        let mut client = Client::connect(&format!("ws://{}", server.address())).await;
        assert_eq!(client.ok("chain_getHeader", json!([])).await["number"], "0x1");
    });
}
