//! A load generator for axons, over loopback only, bounded in count and time. `benches/README.md` says how to run it.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measuring program: it prints, reads the clock, and ends at the first fault"
)]

#[path = "../../protocol/tests/it/keys.rs"]
mod keys;

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, Method};
use keys::sr;
use neuron::axon::{Call, Config, Limits, Rate, Reply, Route, spawn, system_clock};
use primitives::Hotkey;
use protocol::{
    NonceSource,
    btauth::{BodyHash, Claim, Target},
    synapse::{Class, Envelope, Field, FieldKind, Request},
};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};
use wallet::Keypair;

/// Requests of one run at most; signed ahead, they must all fit into the 10 s of the window.
const REQUESTS_MAX: usize = 100_000;
/// Connections that send at once.
const CONNECTIONS: usize = 32;
/// Slow connections of the mixed run, and how often each sends a byte.
const SLOW: usize = 1_000;
const SLOW_BYTE_EVERY: Duration = Duration::from_secs(1);
/// Requests a second of the mixed run, and for how long.
const MIXED_PER_S: usize = 2_000;
const MIXED_S: usize = 6;
/// Every so many requests of the mixed run one is forged.
const FORGED_EVERY: usize = 10;
/// How long one answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);

const USAGE: &str =
    "usage: axon serve | load ADDRESS HOTKEY PID btauth|synapse COUNT | mixed ADDRESS HOTKEY PID";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match words[..] {
            [] => both().await,
            ["serve"] => serve().await,
            ["load", address, hotkey, pid, wire, count] => {
                let count: usize = count.parse().unwrap();
                let target = Server::new(address, hotkey, pid);
                target.load(wire, count.min(REQUESTS_MAX)).await;
            }
            ["mixed", address, hotkey, pid] => Server::new(address, hotkey, pid).mixed().await,
            _ => println!("{USAGE}"),
        }
    });
}

/// A short run against an axon in this very process, so that the generator itself is known to work.
async fn both() {
    let axon = spawn(config()).unwrap();
    let hotkey = sr(9).hotkey();
    let target = Server { address: axon.address(), hotkey, pid: std::process::id() };
    for wire in ["btauth", "synapse"] {
        target.load(wire, 500).await;
    }
    axon.stop().await;
}

/// Our axon alone, until its input is closed.
async fn serve() {
    let axon = spawn(config()).unwrap();
    println!("{} {} {}", axon.address(), sr(9).hotkey(), std::process::id());
    let until_closed = || io::copy(&mut io::stdin(), &mut io::sink());
    tokio::task::spawn_blocking(until_closed).await.unwrap().unwrap();
    axon.stop().await;
}

fn class() -> Class {
    let fields = vec![
        Field::required("prompt", FieldKind::Str),
        Field::required("n", FieldKind::Int),
        Field::optional("answer", FieldKind::Str),
    ];
    Class::new("Ask", fields, &["prompt", "n"]).unwrap()
}

/// Everyday limits, but for the rates: all load comes from one address and one key.
fn config() -> Config {
    let rate = Rate { per_s: 1e9, burst: 1e9 };
    let limits = Limits { per_ip: rate, per_hotkey: rate, connections_per_ip: 2_048, ..Limits::default() };
    let routes = vec![
        Route::signed(Method::POST, "/ask", |call: Call| async move { Reply::json(call.body) }),
        Route::synapse(class(), |call: Call| async move {
            let text = format!("{} × {}", call.fields["prompt"].as_str().unwrap_or(""), call.fields["n"]);
            Reply::fields(Map::from_iter([("answer".to_owned(), Value::from(text))]))
        }),
    ];
    let local = Config::local(sr(9).hotkey(), routes);
    Config { limits, started: system_clock().minus_s(60), ..local }
}

/// The axon under load, and the process whose CPU time and memory are read.
#[derive(Clone, Copy)]
struct Server {
    address: SocketAddr,
    hotkey: Hotkey,
    pid: u32,
}

impl Server {
    fn new(address: &str, hotkey: &str, pid: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        assert!(address.ip().is_loopback(), "load is for loopback only");
        Self { address, hotkey: hotkey.parse().unwrap(), pid: pid.parse().unwrap() }
    }

    /// Sends the requests as fast as they are answered; prints requests/s and the server's CPU time per request.
    async fn load(self, wire: &str, count: usize) {
        let signer = sr(1);
        let nonces = NonceSource::default();
        let requests: Vec<Vec<u8>> = (0..count).map(|_| self.request(&signer, &nonces, wire)).collect();
        let share = count.div_ceil(CONNECTIONS);
        let (cpu_before, began) = (cpu_s(self.pid), Instant::now());
        let mut senders = JoinSet::new();
        for share in requests.chunks(share) {
            let share = share.to_vec();
            senders.spawn(async move {
                let mut connection = TcpStream::connect(self.address).await.unwrap();
                let mut statuses = BTreeMap::new();
                for request in share {
                    *statuses.entry(exchange(&mut connection, &request).await).or_insert(0usize) += 1;
                }
                statuses
            });
        }
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for (status, number) in senders.join_all().await.into_iter().flatten() {
            *statuses.entry(status).or_default() += number;
        }
        let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), cpu_s(self.pid) - cpu_before);
        let requests = f64::from(u32::try_from(count).unwrap());
        println!(
            "{wire}: {count} requests in {wall_s:.2} s = {:.0}/s, server CPU {:.1} µs each, statuses {statuses:?}",
            requests / wall_s,
            1e6 * cpu_s / requests
        );
    }

    /// Honest and forged requests at a fixed rate beside slow connections; prints the honest ones' latencies.
    async fn mixed(self) {
        let mut slow = JoinSet::new();
        for _ in 0..SLOW {
            slow.spawn(self.dawdle());
        }
        sleep(Duration::from_secs(2)).await;
        let (signer, nonces) = (Arc::new(sr(1)), Arc::new(NonceSource::default()));
        let began = tokio::time::Instant::now() + Duration::from_millis(100);
        let next = Arc::new(AtomicU64::new(0));
        let cpu_before = cpu_s(self.pid);
        let mut senders = JoinSet::new();
        for _ in 0..2 * CONNECTIONS {
            let (signer, nonces, next) = (Arc::clone(&signer), Arc::clone(&nonces), Arc::clone(&next));
            senders.spawn(async move {
                let mut connection = TcpStream::connect(self.address).await.unwrap();
                let mut honest = Vec::new();
                loop {
                    let turn = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                    if turn >= MIXED_PER_S * MIXED_S {
                        return honest;
                    }
                    let after = Duration::from_secs_f64(
                        f64::from(u32::try_from(turn).unwrap())
                            / f64::from(u32::try_from(MIXED_PER_S).unwrap()),
                    );
                    let mut request = self.request(signer.as_ref(), &nonces, "btauth");
                    let forged = turn.is_multiple_of(FORGED_EVERY);
                    if forged {
                        *request.last_mut().unwrap() = b' ';
                    }
                    // Latency counts from the moment the request was due, so that a stalled server hides nothing.
                    sleep_until(began + after).await;
                    let status = exchange(&mut connection, &request).await;
                    assert_eq!(status, if forged { 401 } else { 200 });
                    if !forged {
                        honest.push((began + after).elapsed());
                    }
                }
            });
        }
        let mut honest: Vec<Duration> = senders.join_all().await.into_iter().flatten().collect();
        let wall_s = began.elapsed().as_secs_f64();
        honest.sort();
        let at = |percent: usize| honest[(honest.len() - 1) * percent / 100];
        println!(
            "mixed: {SLOW} slow connections, {MIXED_PER_S}/s of which 1 in {FORGED_EVERY} forged: {} honest in \
             {wall_s:.2} s, p50 {:?}, p99 {:?}, most {:?}; server CPU {:.2} s, resident {} KB",
            honest.len(),
            at(50),
            at(99),
            at(100),
            cpu_s(self.pid) - cpu_before,
            resident_kb(self.pid)
        );
    }

    /// A connection that sends its headers byte by byte, and comes back when it is cut off.
    async fn dawdle(self) {
        loop {
            let Ok(mut connection) = TcpStream::connect(self.address).await else { return };
            let _ = connection.write_all(b"POST /ask HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
            let mut ended = [0];
            while timeout(SLOW_BYTE_EVERY, connection.read(&mut ended)).await.is_err() {
                if connection.write_all(b"a").await.is_err() {
                    break;
                }
            }
        }
    }

    fn request(self, signer: &Keypair, nonces: &NonceSource, wire: &str) -> Vec<u8> {
        let nonce = nonces.next(system_clock());
        let (path, headers, body) = match wire {
            "btauth" => {
                let target = Target { method: &Method::POST, path_and_query: "/ask" };
                let body = br#"{"prompt": "what is weighed here", "n": 3}"#.to_vec();
                let claim = Claim::sign(signer, Some(self.hotkey), nonce, target, BodyHash::of(&body));
                ("/ask".to_owned(), claim.to_headers(), body)
            }
            _ => {
                let envelope = Envelope {
                    receiver: self.hotkey,
                    address: self.address,
                    nonce,
                    uuid: &format!("{:032x}", nonce.0),
                    timeout_s: 12,
                };
                let fields = json!({"prompt": "what is weighed here", "n": 3});
                let request = Request::sign(signer, &class(), fields.as_object().unwrap(), envelope).unwrap();
                (request.path, request.headers, request.body)
            }
        };
        raw(&path, &headers, &body)
    }
}

fn raw(path: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        text.extend_from_slice(format!("{name}: {}\r\n", value.to_str().unwrap()).as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body);
    text
}

/// Sends a request and reads its answer, of which both protocols state the length; returns the status.
async fn exchange(connection: &mut TcpStream, request: &[u8]) -> u16 {
    connection.write_all(request).await.unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = timeout(PATIENCE, connection.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "the server closed the connection");
        answer.extend_from_slice(&buffer[..read]);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end]).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if answer.len() >= end + 4 + length.parse::<usize>().unwrap() {
            return head[9..12].parse().unwrap();
        }
    }
}

/// CPU seconds that a process has used. Source: proc(5), `stat`, fields 14 and 15, in ticks of 10 ms.
fn cpu_s(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind_name = &stat[stat.rfind(')').unwrap() + 2..];
    let ticks = behind_name.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

/// Resident memory of a process in KB.
fn resident_kb(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").to_owned()
}
