//! The SDKs' own peers. Each test takes the Python that has the SDK from an environment variable and prints why it
//! skips when that is not set: `WEIGH_BITTENSOR11_PYTHON` (bittensor 11.3.0), `WEIGH_BITTENSOR10_PYTHON` (10.5.0).

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use http::Method;
use neuron::{
    axon::{Config, system_clock},
    dendrite::{Dendrite, Limits, Peer},
};
use protocol::{
    Signer,
    btauth::{BodyHash, Claim, Target},
};
use serde_json::json;

use super::*;
use crate::answers::{class, fields, synapse_routes};

/// The script under `tests/peers`, ready to run, or `None` with a word about what is missing.
fn script(variable: &str, name: &str, arguments: &[&str]) -> Option<Command> {
    let Some(python) = std::env::var_os(variable) else {
        println!("skipped: {variable} names no Python with the SDK");
        return None;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
    let mut command = Command::new(python);
    command.arg(path).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    Some(command)
}

/// What a command prints, line by line, while the runtime goes on serving it.
async fn output(mut command: Command) -> Vec<String> {
    let run = move || String::from_utf8(command.output().unwrap().stdout).unwrap();
    tokio::task::spawn_blocking(run).await.unwrap().lines().map(str::to_owned).collect()
}

/// An axon by the real clock, which the peers read too; started long enough ago to take nonces of now.
fn real_time(routes: Vec<Route>) -> Config {
    let local = Config::local(axon_key().hotkey(), routes);
    Config { started: system_clock().minus_s(60), ..local }
}

#[tokio::test]
async fn sdk_11_is_understood_by_our_axon() {
    let axon = start(real_time(vec![echo()]));
    let (ip, port) = (axon.address().ip().to_string(), axon.address().port().to_string());
    let receiver = axon_key().hotkey().to_string();
    let arguments = ["ask", &ip, &port, &receiver];
    let Some(command) = script("WEIGH_BITTENSOR11_PYTHON", "btauth_11.py", &arguments) else { return };
    let lines = output(command).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (scheme, answers) in ["sr25519", "ed25519"].iter().zip(lines.chunks(2)) {
        assert_eq!(answers[0], format!("{scheme} 200 {{\"prompt\": \"grüß\"}}"));
        assert!(answers[1].starts_with(&format!("{scheme} 401")) && answers[1].contains("replayed"));
    }
}

#[test]
fn sdk_11_understands_what_we_sign() {
    let receiver = axon_key().hotkey();
    let target = Target { method: &Method::POST, path_and_query: "/generate?a=%20b" };
    let body = "{\"prompt\": \"grüß\"}";
    let arguments = ["verify", &receiver.to_string()];
    let Some(mut command) = script("WEIGH_BITTENSOR11_PYTHON", "btauth_11.py", &arguments) else { return };
    let mut child = command.spawn().unwrap();
    let (mut to, mut from) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    // The SDK takes its time to load, and a nonce does not live long: nothing is signed before it is ready.
    assert_eq!(from.next().unwrap().unwrap(), "ready");
    for (signer, sent, expect) in [
        (&sr(1) as &dyn Signer, body, sr(1).hotkey().to_string()),
        (&keys::ed(1), body, keys::ed(1).hotkey().to_string()),
        (&sr(1), "{}", "BadSignature".to_owned()),
    ] {
        let claim =
            Claim::sign(signer, Some(receiver), system_clock(), target, BodyHash::of(body.as_bytes()));
        let headers: BTreeMap<String, String> = claim
            .to_headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let request = json!({
            "method": "POST", "path": target.path_and_query, "headers": headers, "body": sent
        });
        writeln!(to, "{request}").unwrap();
        assert_eq!(from.next().unwrap().unwrap(), expect);
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn sdk_10s_dendrite_is_understood_by_our_axon() {
    let axon = start(real_time(synapse_routes()));
    let (ip, port) = (axon.address().ip().to_string(), axon.address().port().to_string());
    let receiver = axon_key().hotkey().to_string();
    let arguments = ["ask", &ip, &port, &receiver];
    let Some(command) = script("WEIGH_BITTENSOR10_PYTHON", "synapse_10.py", &arguments) else { return };
    let lines = output(command).await;
    let expect = ["plain 200 héllo \"x\" × 3", "stream 200 one two three", "stranger 401 None"];
    assert_eq!(lines, expect);
}

#[tokio::test]
async fn sdk_10s_axon_understands_our_dendrite() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = ["serve", &port.to_string()];
    let Some(mut command) = script("WEIGH_BITTENSOR10_PYTHON", "synapse_10.py", &arguments) else { return };
    let mut child = command.spawn().unwrap();
    let mut hotkey = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut hotkey).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let peer = Peer { hotkey: hotkey.trim().parse().unwrap(), address };
    while TcpStream::connect(address).await.is_err() {
        tokio::task::yield_now().await;
    }
    let dendrite = Dendrite::new(Arc::new(sr(1)), Arc::new(system_clock), Limits::default());
    let answer = dendrite.ask_synapse(peer, &class("Ask"), &fields()).await.unwrap();
    assert_eq!(answer["answer"], "héllo \"x\" × 3");
    let pieces = dendrite.stream_synapse(peer, &class("Tell"), &fields()).await.unwrap();
    assert_eq!(&pieces.whole().await.unwrap().body[..], b"one two three");
    // Closing its input ends it.
    drop(child.stdin.take());
    child.kill().unwrap();
    child.wait().unwrap();
}
