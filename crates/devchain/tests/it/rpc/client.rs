//! A client that knows nothing of the server but the public protocol: WebSocket, HTTP, and extrinsics by hand.

use std::{collections::VecDeque, time::Duration};

use blake2::{Blake2b, Digest as _, digest::consts::U32};
use devchain::{Config, Genesis, Handle, NodeError, Pace, Settings, log::LogError, rpc, spawn};
use futures_util::{SinkExt, StreamExt};
use parity_scale_codec::{Compact, Encode};
use primitives::{AccountId, Rao};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use wallet::Keypair;

/// No test here waits longer than this, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const TAO: u64 = 1_000_000_000;

/// Runs a test on two threads, as long as the patience lasts.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("the test ends in time") })
}

pub(crate) fn key(name: &str) -> Keypair {
    Keypair::development(name).unwrap()
}

pub(crate) fn account(name: &str) -> AccountId {
    key(name).public().account
}

pub(crate) fn genesis() -> Genesis {
    let accounts = ["Alice", "Bob", "Charlie", "Dave"].map(account);
    Genesis { settings: Settings::development(), ..Genesis::localnet(&accounts) }
}

/// A node in memory and its server.
pub(crate) struct Served {
    pub(crate) node: Handle,
    pub(crate) server: rpc::RpcServer,
}

impl Served {
    pub(crate) async fn at(pace: Pace) -> Self {
        Self::with(Config { pace, ..Config::stepped(genesis()) }, rpc::Config::default()).await
    }

    pub(crate) async fn with(config: Config, limits: rpc::Config) -> Self {
        // Tasks of a server that has stopped let go of its node, and hence of its log, when they next run.
        let node = loop {
            match spawn(config.clone()) {
                Err(NodeError::Log(LogError::InUse { .. })) => tokio::task::yield_now().await,
                spawned => break spawned.unwrap(),
            }
        };
        let server = rpc::serve(node.clone(), limits).await.unwrap();
        Self { node, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.server.address())
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.url()).await
    }

    /// One HTTP request; the status and the body of what came back.
    pub(crate) async fn post(&self, body: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}\
             content-length: {length}\r\n\r\n{body}"
        );
        // A server that refuses a long body early may hang up while it is being sent.
        let _hung_up = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _hung_up = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }
}

/// An error that was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Value,
}

/// A notification.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notified {
    pub(crate) method: String,
    pub(crate) subscription: Value,
    pub(crate) result: Value,
}

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    notified: VecDeque<Notified>,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.unwrap();
        Self { socket, next: 0, notified: VecDeque::new() }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends, unless the server has hung up.
    pub(crate) async fn try_send(&mut self, text: &str) -> Result<(), ()> {
        self.socket.send(Message::text(text)).await.map_err(|_| ())
    }

    /// The next message; none where the server has closed the connection.
    pub(crate) async fn receive(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }

    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value, Refused> {
        self.next += 1;
        let id = json!(format!("n{}", self.next));
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&request.to_string()).await;
        loop {
            let message = self.receive().await.expect("the server answers");
            if message["id"] == id {
                let error = &message["error"];
                if error.is_null() {
                    return Ok(message["result"].clone());
                }
                return Err(Refused {
                    code: error["code"].as_i64().unwrap(),
                    message: error["message"].as_str().unwrap().to_owned(),
                    data: error["data"].clone(),
                });
            }
            self.keep(&message);
        }
    }

    fn keep(&mut self, message: &Value) {
        self.notified.push_back(Notified {
            method: message["method"].as_str().expect("a message that is no answer notifies").to_owned(),
            subscription: message["params"]["subscription"].clone(),
            result: message["params"]["result"].clone(),
        });
    }

    pub(crate) async fn ok(&mut self, method: &str, params: Value) -> Value {
        match self.call(method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error:?}"),
        }
    }

    pub(crate) async fn err(&mut self, method: &str, params: Value) -> Refused {
        match self.call(method, params).await {
            Ok(result) => panic!("{method} was answered with {result}"),
            Err(error) => error,
        }
    }

    pub(crate) async fn notification(&mut self) -> Notified {
        while self.notified.is_empty() {
            let message = self.receive().await.expect("the server notifies");
            self.keep(&message);
        }
        self.notified.pop_front().unwrap()
    }

    pub(crate) async fn mine(&mut self, count: u64) {
        self.ok("dev_newBlock", json!([{ "count": count }])).await;
    }

    pub(crate) async fn genesis_hash(&mut self) -> [u8; 32] {
        bytes(&self.ok("chain_getBlockHash", json!([0])).await).try_into().unwrap()
    }

    /// What an account has, as the chain's storage tells it: its nonce and its free balance.
    pub(crate) async fn account(&mut self, name: &str) -> (u32, u64) {
        let value = self.ok("state_getStorage", json!([account_key(account(name))])).await;
        if value.is_null() {
            return (0, 0);
        }
        let value = bytes(&value);
        let nonce = u32::from_le_bytes(value[..4].try_into().unwrap());
        (nonce, u64::from_le_bytes(value[16..24].try_into().unwrap()))
    }
}

pub(crate) fn bytes(hex_text: &Value) -> Vec<u8> {
    hex::decode(hex_text.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

pub(crate) fn in_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(crate) fn blake2_256(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

/// `System.Account` of an account: the names' hashes are well known, the account's is computed.
pub(crate) fn account_key(account: AccountId) -> String {
    let hash: [u8; 16] = Blake2b::<blake2::digest::consts::U16>::digest(account.0).into();
    let prefix = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";
    format!("{prefix}{}{}", hex::encode(hash), hex::encode(account.0))
}

/// `System.Events`.
pub(crate) const EVENTS_KEY: &str = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";

/// An extrinsic to be signed, by hand.
#[derive(Clone)]
pub(crate) struct Unsigned {
    pub(crate) nonce: u32,
    pub(crate) call: Vec<u8>,
    pub(crate) era: Vec<u8>,
    pub(crate) genesis: [u8; 32],
    pub(crate) birth: [u8; 32],
    pub(crate) spec_version: u32,
    pub(crate) tip: u64,
}

impl Unsigned {
    pub(crate) fn new(genesis: [u8; 32], nonce: u32, call: Vec<u8>) -> Self {
        Self { nonce, call, era: vec![0], genesis, birth: genesis, spec_version: 425, tip: 0 }
    }

    pub(crate) fn sign(&self, key: &Keypair) -> Vec<u8> {
        let mut extra = self.era.clone();
        extra.extend((Compact(self.nonce), Compact(self.tip), 0u8).encode());
        let agreed = (self.spec_version, 1u32, self.genesis, self.birth, 0u8).encode();
        let payload = [&self.call[..], &extra, &agreed].concat();
        let payload = if payload.len() > 256 { blake2_256(&payload).to_vec() } else { payload };
        let signature = key.sign(&payload, [7; 32]);
        let mut inner = vec![0x84, 0];
        inner.extend(key.public().account.0);
        // Schemes have the same numbers here as in key files.
        inner.push(key.public().scheme.number());
        inner.extend(signature.0);
        inner.extend(extra);
        inner.extend(&self.call);
        inner.encode()
    }

    pub(crate) fn hex(&self, key: &Keypair) -> String {
        in_hex(&self.sign(key))
    }
}

/// `Balances.transfer_keep_alive`.
pub(crate) fn transfer(to: AccountId, amount: Rao) -> Vec<u8> {
    let mut call = vec![5, 3, 0];
    call.extend(to.0);
    call.extend(Compact(amount.0).encode());
    call
}

/// `SubtensorModule.set_weights` on the first subnet.
pub(crate) fn set_weights() -> Vec<u8> {
    let mut call = vec![7, 0];
    call.extend((1u16, vec![0u16], vec![1u16], 0u64).encode());
    call
}
