//! Axon and dendrite over loopback: what is refused at which stage, and what the SDKs' own peers say to it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests read their switches, say why they skip, and may panic"
)]

mod answers;
#[path = "../../../protocol/tests/it/keys.rs"]
mod keys;
mod peers;
mod refusals;
mod routes;
mod streams;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, Method};
use neuron::{
    axon::{Call, Config, Handle, Reply, Route, spawn},
    dendrite::{Dendrite, Limits, Peer},
};
use protocol::{
    UnixNanos,
    btauth::{BodyHash, Claim, Target},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use keys::sr;
use wallet::Keypair;

/// The moment that the tests' clock stands at.
const NOW: UnixNanos = UnixNanos(1_752_076_800_000_000_000);

/// A clock that stands until it is moved.
#[derive(Clone)]
struct StoppedClock(Arc<AtomicU64>);

impl StoppedClock {
    fn at(moment: UnixNanos) -> Self {
        Self(Arc::new(AtomicU64::new(moment.0)))
    }

    fn read(&self) -> neuron::axon::Clock {
        let moment = Arc::clone(&self.0);
        Arc::new(move || UnixNanos(moment.load(Ordering::Relaxed)))
    }
}

fn axon_key() -> Keypair {
    sr(9)
}

/// An axon's configuration with the stopped clock, started long before.
fn config(routes: Vec<Route>) -> Config {
    let local = Config::local(axon_key().hotkey(), routes);
    Config { clock: StoppedClock::at(NOW).read(), started: NOW.minus_s(100), ..local }
}

/// A route that answers with the body that it got.
fn echo() -> Route {
    Route::signed(Method::POST, "/echo", |call: Call| async move { Reply::json(call.body) })
}

fn peer(handle: &Handle) -> Peer {
    Peer { hotkey: axon_key().hotkey(), address: handle.address() }
}

fn dendrite(key: Keypair, limits: Limits) -> Dendrite {
    Dendrite::new(Arc::new(key), StoppedClock::at(NOW).read(), limits)
}

fn claim(body: &[u8], nonce: UnixNanos) -> HeaderMap {
    let target = Target { method: &Method::POST, path_and_query: "/echo?a=1" };
    Claim::sign(&sr(1), Some(axon_key().hotkey()), nonce, target, BodyHash::of(body)).to_headers()
}

/// A request as raw text, so that no client tidies it up.
fn raw(target: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut text = format!("POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
    text.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    for (name, value) in headers {
        text.extend_from_slice(format!("{name}: {}\r\n", value.to_str().unwrap()).as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body);
    text
}

/// Sends bytes and reads until the other side closes; what was read when it reset the connection counts too.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The axon may refuse and close before all is written.
    let _ = stream.write_all(bytes).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn start(config: Config) -> Handle {
    spawn(config).expect("loopback has a free port")
}
