//! The chain over RPC: transfers per second from the client's signature to the block, the time of a metagraph, and what a
//! thousand idle subscribers cost.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::time::{Duration, Instant};

use chain::{Call, Chain, Hyperparameters};
use devchain::{Config, Genesis, Handle, Pace, Settings, rpc, spawn};
use futures_util::{SinkExt, StreamExt, future::join_all};
use parity_scale_codec::{Compact, Encode};
use primitives::{AccountId, Hotkey, NetUid, Rao};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use wallet::{Keypair, Scheme, SecretSeed};

const SENDERS: u8 = 8;
const TRANSFERS_EACH: u32 = 2500;
const BLOCK_TIME_MS: u64 = 250;
const NEURONS: u16 = 256;
const SUBSCRIBERS: usize = 1000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn answer(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn call(socket: &mut Socket, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    socket.send(Message::text(request.to_string())).await.unwrap();
    loop {
        let answer = answer(socket).await;
        if answer["id"] == 1 {
            return answer["result"].clone();
        }
    }
}

fn sender(n: u8) -> Keypair {
    Keypair::from_seed(Scheme::Sr25519, &SecretSeed::from_bytes([n + 1; 32]))
}

fn signed(key: &Keypair, genesis: &[u8], nonce: u32) -> String {
    let mut call = vec![5, 3, 0];
    call.extend([9; 32]);
    call.extend(Compact(1_000_000u64).encode());
    let extra = [vec![0], (Compact(nonce), 0u8, 0u8).encode()].concat();
    let agreed = [(425u32, 1u32).encode(), genesis.to_vec(), genesis.to_vec(), vec![0]].concat();
    let signature = key.sign(&[&call[..], &extra, &agreed].concat(), [7; 32]);
    let inner = [&[0x84, 0][..], &key.public().account.0, &[1], &signature.0, &extra, &call].concat();
    format!("0x{}", hex::encode(inner.encode()))
}

/// Each sender keeps some requests on their way, as a busy client does.
async fn send_all(url: &str, extrinsics: Vec<String>) {
    const ON_THEIR_WAY: usize = 64;
    let (socket, _) = connect_async(url).await.unwrap();
    let (mut out, mut back) = socket.split();
    let mut left = extrinsics.iter();
    let mut open = 0;
    loop {
        while open < ON_THEIR_WAY {
            let Some(extrinsic) = left.next() else { break };
            let request = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"author_submitExtrinsic","params":["{extrinsic}"]}}"#
            );
            out.send(Message::text(request)).await.unwrap();
            open += 1;
        }
        if open == 0 {
            return;
        }
        // The server also asks whether we are still there.
        let Message::Text(answer) = back.next().await.unwrap().unwrap() else { continue };
        assert!(answer.contains("\"result\""), "{answer}");
        open -= 1;
    }
}

async fn transfers(node: &Handle, url: &str) {
    let (mut socket, _) = connect_async(url).await.unwrap();
    let genesis = call(&mut socket, "chain_getBlockHash", json!([0])).await;
    let genesis = hex::decode(genesis.as_str().unwrap().trim_start_matches("0x")).unwrap();
    let batches: Vec<Vec<String>> = (0..SENDERS)
        .map(|n| (0..TRANSFERS_EACH).map(|nonce| signed(&sender(n), &genesis, nonce)).collect())
        .collect();
    let start = Instant::now();
    join_all(batches.into_iter().map(|batch| send_all(url, batch))).await;
    let last = sender(SENDERS - 1).public().account;
    let mut head = node.head().await.unwrap().number;
    let done = |node: &Handle| {
        (0..SENDERS).all(|n| node.state().nonce(sender(n).public().account) == TRANSFERS_EACH)
    };
    while !done(node) {
        head = node.next_head(head).await.unwrap().number;
    }
    assert_eq!(node.state().nonce(last), TRANSFERS_EACH);
    let count = f64::from(SENDERS) * f64::from(TRANSFERS_EACH);
    println!(
        "{count} transfers in {:.2} s: {:.0} per second",
        start.elapsed().as_secs_f64(),
        count / start.elapsed().as_secs_f64()
    );
}

async fn metagraph(node: &Handle, url: &str) {
    let owner = sender(0).public().account;
    let hotkey = |n: u16| {
        let mut bytes = [77; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        Hotkey(AccountId(bytes))
    };
    node.submit(owner, None, Call::RegisterNetwork { hotkey: hotkey(0) }).await.unwrap();
    let netuid = NetUid(1);
    node.submit(owner, None, Call::StartCall { netuid }).await.unwrap();
    for n in 1..NEURONS {
        node.submit(owner, None, Call::BurnedRegister { netuid, hotkey: hotkey(n) }).await.unwrap();
    }
    let (mut socket, _) = connect_async(url).await.unwrap();
    for (name, input) in [
        ("SubnetInfoRuntimeApi_get_metagraph", "0x0100"),
        ("NeuronInfoRuntimeApi_get_neurons_lite", "0x0100"),
        ("SubnetInfoRuntimeApi_get_selective_mechagraph", "0x0100001434003500370038003900"),
    ] {
        const ROUNDS: u32 = 20;
        let start = Instant::now();
        let mut length = 0;
        for _ in 0..ROUNDS {
            length = call(&mut socket, "state_call", json!([name, input])).await.as_str().map_or(0, str::len);
        }
        let each = start.elapsed() / ROUNDS;
        println!("{name} of {NEURONS} neurons: {:.2} ms, {} kB", each.as_secs_f64() * 1e3, length / 1000);
    }
}

async fn subscribers(node: &Handle, url: &str) {
    let mut sockets = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let (mut socket, _) = connect_async(url).await.unwrap();
        call(&mut socket, "chain_subscribeNewHeads", json!([])).await;
        answer(&mut socket).await;
        sockets.push(socket);
    }
    const BLOCKS: u32 = 20;
    let start = Instant::now();
    for _ in 0..BLOCKS {
        node.step(None).unwrap();
        for socket in &mut sockets {
            answer(socket).await;
        }
    }
    let each = start.elapsed() / BLOCKS;
    println!("a block told to {SUBSCRIBERS} subscribers: {:.1} ms", each.as_secs_f64() * 1e3);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let accounts: Vec<AccountId> = (0..SENDERS).map(|n| sender(n).public().account).collect();
        let new_subnet = Hyperparameters { max_burn: Rao::from_whole(1), ..Hyperparameters::default() };
        let settings = Settings { new_subnet, ..Settings::development() };
        let genesis = Genesis { settings, ..Genesis::development(&accounts) };
        let limits = rpc::Config { patience: Duration::from_secs(60), ..rpc::Config::default() };
        for pace in [Pace::Every(BLOCK_TIME_MS), Pace::Instant] {
            let node = spawn(Config { pace, ..Config::stepped(genesis.clone()) }).unwrap();
            let server = rpc::serve(node.clone(), limits.clone()).await.unwrap();
            let url = format!("ws://{}", server.address());
            println!("{pace:?}");
            transfers(&node, &url).await;
            if pace == Pace::Instant {
                metagraph(&node, &url).await;
                subscribers(&node, &url).await;
            }
        }
    });
}
