//! The chain over RPC: transfers per second from the client's signature to the block, the time of a metagraph, and what a
//! thousand idle subscribers cost.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::time::{Duration, Instant};

use chain::{Call, Chain, Hyperparameters};
use devchain::{Config, Genesis, Handle, Pace, Settings, rpc};
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

/// CPU time of this process' threads whose name begins so, in seconds; none where the system does not tell.
fn cpu_seconds(of_threads: &str) -> Option<f64> {
    /// Clock ticks per second of Linux' `/proc`.
    const TICKS: f64 = 100.0;
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let folder = task.ok()?.path();
        let (Ok(name), Ok(stat)) =
            (std::fs::read_to_string(folder.join("comm")), std::fs::read_to_string(folder.join("stat")))
        else {
            continue;
        };
        if name.starts_with(of_threads) {
            // Behind the name in parentheses: the 12th and 13th field are the time in user and in kernel mode.
            let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
            ticks += fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
        }
    }
    Some(f64::from(ticks) / TICKS)
}

/// Memory of this process, in MiB; none where the system does not tell.
fn memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

async fn transfers(node: &Handle, url: &str) {
    let (mut socket, _) = connect_async(url).await.unwrap();
    let genesis = call(&mut socket, "chain_getBlockHash", json!([0])).await;
    let genesis = hex::decode(genesis.as_str().unwrap().trim_start_matches("0x")).unwrap();
    let batches: Vec<Vec<String>> = (0..SENDERS)
        .map(|n| (0..TRANSFERS_EACH).map(|nonce| signed(&sender(n), &genesis, nonce)).collect())
        .collect();
    let done = |node: &Handle| {
        (0..SENDERS).all(|n| node.state().nonce(sender(n).public().account) == TRANSFERS_EACH)
    };
    let (start, cpu) = (Instant::now(), cpu_seconds("devchain"));
    join_all(batches.into_iter().map(|batch| send_all(url, batch))).await;
    loop {
        let head = node.head().await.unwrap().number;
        if done(node) {
            break;
        }
        // Blocks may come faster than this asks for them: then the state of the next one is gone already.
        let _gone = node.next_head(head).await;
    }
    let count = f64::from(SENDERS) * f64::from(TRANSFERS_EACH);
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} transfers in {seconds:.2} s: {:.0} per second", count / seconds);
    if let (Some(before), Some(after)) = (cpu, cpu_seconds("devchain")) {
        println!("the node took {:.0} µs of CPU for each", (after - before) / count * 1e6);
    }
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
    let memory = memory_mib();
    let mut sockets = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let (mut socket, _) = connect_async(url).await.unwrap();
        call(&mut socket, "chain_subscribeNewHeads", json!([])).await;
        answer(&mut socket).await;
        sockets.push(socket);
    }
    if let (Some(before), Some(after)) = (memory, memory_mib()) {
        println!("{SUBSCRIBERS} subscribers, both their ends: {:.1} MiB", after - before);
    }
    const BLOCKS: u32 = 20;
    let (start, cpu) = (Instant::now(), cpu_seconds("devchain"));
    let mut made = Duration::ZERO;
    for _ in 0..BLOCKS {
        let before = Instant::now();
        node.step(None).unwrap();
        made += before.elapsed();
        for socket in &mut sockets {
            answer(socket).await;
        }
    }
    let each = |time: Duration| (time / BLOCKS).as_secs_f64() * 1e3;
    let told = each(start.elapsed());
    println!("a block told to all of them: {told:.1} ms after it is asked for, made in {:.1} ms", each(made));
    if let (Some(before), Some(after)) = (cpu, cpu_seconds("devchain")) {
        println!("the node took {:.1} ms of CPU for it", (after - before) * 1e3 / f64::from(BLOCKS));
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let accounts: Vec<AccountId> = (0..SENDERS).map(|n| sender(n).public().account).collect();
        let new_subnet = Hyperparameters { max_burn: Rao::from_whole(1), ..Hyperparameters::default() };
        let settings = Settings { new_subnet, ..Settings::development() };
        let genesis = Genesis { settings, ..Genesis::development(&accounts) };
        for pace in [Pace::Every(BLOCK_TIME_MS), Pace::Instant] {
            let chain = rpc::spawn(Config { pace, ..Config::stepped(genesis.clone()) }).unwrap();
            println!("{pace:?}");
            transfers(chain.node(), &chain.url()).await;
            if pace == Pace::Instant {
                metagraph(chain.node(), &chain.url()).await;
                subscribers(chain.node(), &chain.url()).await;
            }
        }
    });
}
