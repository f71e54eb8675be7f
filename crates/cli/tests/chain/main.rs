//! `weigh chain serve` and the commands on a chain, as their users meet them: the real binary, its own node, the Python SDK.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests too, and say why they skip"
)]

mod counterparts;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A served chain; killed when dropped.
struct Served {
    child: Child,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn serve(arguments: &[&str]) -> Served {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weigh"))
        .args(["chain", "serve", "--port", "0", "--json"])
        .args(arguments)
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    Served { child, url: said["url"].as_str().unwrap().to_owned() }
}

/// A folder of wallets and a chain to use them on.
struct World {
    wallets: TempDir,
    chain: Served,
}

impl World {
    /// //Alice owns the wallet `alice` and its hotkey, //Bob likewise.
    fn new(arguments: &[&str]) -> Self {
        let world = Self { wallets: tempfile::tempdir().unwrap(), chain: serve(arguments) };
        for (wallet, name) in [("alice", "Alice"), ("bob", "Bob")] {
            for (key, uri) in [("coldkey", format!("//{name}")), ("hotkey", format!("//{name}//hot"))] {
                let private = private_key(&uri);
                let arguments =
                    ["wallet", "import", "--wallet", wallet, "--key", key, "--from", "private-key"];
                let output =
                    world.weigh(&[&arguments[..], &["--secret-fd", "0", "--no-password"]].concat(), &private);
                assert!(output.status.success(), "{}", told(&output));
            }
        }
        world
    }

    fn weigh(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write as _;
        let mut child = Command::new(env!("CARGO_BIN_EXE_weigh"))
            .args(arguments)
            .env_clear()
            .env("WEIGH_WALLET_PATH", self.wallets.path())
            .env("WEIGH_NETWORK", &self.chain.url)
            .env("COLUMNS", "200")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read leaves the pipe broken, which is no fault.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        child.wait_with_output().unwrap()
    }

    /// Makes empty blocks.
    fn mine(&self, count: u32) {
        use std::io::{Read as _, Write as _};
        let address = self.chain.url.trim_start_matches("ws://");
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"dev_newBlock","params":[{{"count":{count}}}]}}"#);
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"result\""), "{answer}");
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.weigh(&[arguments, &["--json"]].concat(), "");
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], code: i32, says: &str) {
        let output = self.weigh(arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(says), "{arguments:?}: {}", told(&output));
    }
}

/// What was said on standard error, without line breaks and frames.
fn told(output: &Output) -> String {
    let talk = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
    talk.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn private_key(uri: &str) -> String {
    let uri: wallet::SecretUri = uri.parse().unwrap();
    let pair = wallet::Keypair::from_uri(wallet::Scheme::Sr25519, &uri).unwrap();
    pair.expose_private_key().to_string()
}

#[test]
fn a_subnet_is_made_joined_and_weighed_from_the_command_line() {
    let world = World::new(&["--block-time", "instant"]);
    let free =
        |wallet: &str| world.json(&["wallet", "balance", "--wallet", wallet])["free_rao"].as_u64().unwrap();
    let before = free("alice");
    let plan = world.json(&["subnet", "create", "--wallet", "alice", "--dry-run"]);
    assert_eq!((plan["dry_run"].as_bool(), plan["call"].as_str()), (Some(true), Some("register_network")));
    assert_eq!(free("alice"), before, "a plan changes nothing");
    let made = world.json(&["subnet", "create", "--wallet", "alice"]);
    let paid = before - free("alice");
    assert_eq!(paid, made["lock_cost_rao"].as_u64().unwrap() + made["fee_rao"].as_u64().unwrap());

    let subnets = world.json(&["subnet", "list"]);
    let netuid = subnets["subnets"].as_array().unwrap().last().unwrap()["netuid"].to_string();
    let of = |arguments: &[&str]| -> Vec<String> {
        arguments.iter().map(|one| (*one).to_owned()).chain(["--netuid".to_owned(), netuid.clone()]).collect()
    };
    let run = |arguments: &[&str]| {
        let all = of(arguments);
        world.json(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&["subnet", "start", "--wallet", "alice"]);
    run(&["register", "--wallet", "bob"]);
    run(&["stake", "add", "--wallet", "alice", "--amount", "100"]);
    run(&["stake", "add", "--wallet", "bob", "--amount", "50.5"]);
    run(&["axon", "serve", "--wallet", "bob", "--ip", "10.0.0.7", "--port", "8091"]);
    run(&["commit", "set", "--wallet", "bob", "--text", "model:v1"]);
    // Weights can be set again 100 blocks after the owner's slot was made.
    world.mine(100);
    run(&["weights", "set", "--wallet", "alice", "0:1", "1:3"]);

    let shown = run(&["subnet", "show"]);
    let neurons = shown["neurons"].as_array().unwrap();
    assert_eq!(neurons.len(), 2);
    assert_eq!(neurons[1]["axon"]["port"], 8091);
    let weights = run(&["weights", "show"]);
    assert_eq!(weights["weights"][0]["weights"], serde_json::json!([[0, 21_845], [1, 65_535]]));
    let commitments = run(&["commit", "show"]);
    assert_eq!(commitments["commitments"][0]["fields"][0]["text"], "model:v1");
    let stakes = world.json(&["stake", "list", "--wallet", "bob"]);
    let held = stakes["stakes"][0]["alpha_rao"].as_u64().unwrap();
    // The pool of a new subnet is as small as its lock: 50.5 TAO buy little once another has bought.
    assert!(held > 0, "{stakes}");
    run(&["stake", "remove", "--wallet", "bob", "--amount", "1000000"]);
    let stakes = world.json(&["stake", "list", "--wallet", "bob"]);
    let left: u64 =
        stakes["stakes"].as_array().unwrap().iter().filter_map(|one| one["alpha_rao"].as_u64()).sum();
    assert_eq!(left, 0, "{stakes}");
}

#[test]
fn what_a_chain_refuses_is_told_by_its_name() {
    let world = World::new(&["--block-time", "instant"]);
    let nowhere = ["stake", "add", "--wallet", "bob", "--netuid", "77", "--amount", "1"];
    world.refused(&nowhere, 6, "SubnetNotExists");
    world.refused(&["subnet", "show", "--netuid", "77"], 3, "subnet 77 does not exist");
    world.refused(&["register", "--wallet", "nobody", "--netuid", "1"], 3, "nobody");
    let elsewhere = ["subnet", "list", "--network", "ws://127.0.0.1:1", "--timeout", "1"];
    world.refused(&elsewhere, 5, "weigh chain serve");
    world.refused(&["subnet", "list", "--network", "finny"], 2, "is no network");
}

#[test]
fn a_development_node_is_stepped_funded_set_and_taken_back() {
    let world = World::new(&["--block-time", "manual"]);
    let status = world.json(&["chain", "status"]);
    assert_eq!((&status["development"], &status["block"]), (&true.into(), &0.into()));
    assert_eq!((&status["url"], &status["spec_version"]), (&world.chain.url.as_str().into(), &425.into()));
    assert_eq!(world.json(&["chain", "step"])["block"], 1);
    let stepped = world.json(&["chain", "step", "3"]);
    assert_eq!((&stepped["block"], &stepped["made"]), (&4.into(), &3.into()));
    assert_eq!(world.json(&["chain", "status"])["hash"], stepped["hash"]);

    let snapshot = world.json(&["chain", "snapshot"])["snapshot"].to_string();
    let funded = world.json(&["chain", "fund", "//Nobody", "12.5"]);
    let address = funded["account"].as_str().unwrap();
    let free = || world.json(&["wallet", "balance", "--address", address])["free_rao"].clone();
    assert_eq!(
        (&funded["free_rao"], &funded["block"], free()),
        (&12_500_000_000_u64.into(), &5.into(), 12_500_000_000_u64.into())
    );

    let settings = || world.json(&["subnet", "show", "--netuid", "1"])["hyperparameters"].clone();
    for (name, value) in [("tempo", "20"), ("yuma3_enabled", "false"), ("min_burn", "700000")] {
        world.json(&["chain", "set", "1", name, value]);
        assert_eq!(settings()[name].to_string(), value);
    }
    let before =
        world.json(&["subnet", "show", "--netuid", "1"])["schedule"]["epoch_index"].as_u64().unwrap();
    let warped = world.json(&["chain", "warp", "1"]);
    let after = world.json(&["subnet", "show", "--netuid", "1"]);
    assert_eq!(after["schedule"]["epoch_index"], before + 1);
    assert_eq!(after["schedule"]["last_epoch_block"], warped["block"]);

    assert_eq!(world.json(&["chain", "revert", &snapshot])["block"], 4);
    assert_eq!((free(), &settings()["tempo"]), (0.into(), &360.into()));
    world.refused(&["chain", "revert", &snapshot], 3, "has no snapshot");
    world.refused(&["chain", "set", "1", "temp", "20"], 2, "there is no hyperparameter");
    world.refused(&["chain", "set", "1", "tempo", "many"], 2, "tempo");
    world.refused(&["chain", "set", "77", "tempo", "20"], 6, "SubnetDoesNotExist");
    world.refused(&["chain", "warp", "77"], 2, "77");
    world.refused(&["chain", "fund", "Alice", "1"], 2, "Alice");
    world.refused(
        &["chain", "status", "--network", "ws://127.0.0.1:1", "--timeout", "1"],
        5,
        "weigh chain serve",
    );
}

#[test]
fn a_chain_that_is_kept_does_not_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(&["--block-time", "manual", "--state", folder.path().to_str().unwrap()]);
    world.refused(&["chain", "snapshot"], 6, "has a log and can't go back");
}

#[test]
fn a_chain_starts_with_what_a_file_says() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../devchain/examples/genesis.toml");
    let world = World::new(&["--genesis", example.to_str().unwrap()]);
    let status = world.json(&["chain", "status"]);
    assert_eq!(status["block"], 0, "nothing had to happen for it");
    let subnets = world.json(&["subnet", "list"]);
    let numbers: Vec<u64> =
        subnets["subnets"].as_array().unwrap().iter().filter_map(|one| one["netuid"].as_u64()).collect();
    assert_eq!(numbers, [1, 2]);
    let subnet = world.json(&["subnet", "show", "--netuid", "1"]);
    let settings = &subnet["hyperparameters"];
    assert_eq!((&settings["tempo"], &settings["max_allowed_uids"]), (&20.into(), &64.into()));
    let stakes: Vec<u64> =
        subnet["neurons"].as_array().unwrap().iter().filter_map(|one| one["alpha_stake"].as_u64()).collect();
    assert_eq!(stakes, [0, 1_000_000_000_000, 250_250_000_000, 0]);
    let bob = world.json(&["wallet", "balance", "--wallet", "bob"]);
    assert_eq!(bob["free_rao"], 50_000_000_000_000_u64);
    // It runs: who has stake gets a permit with the first epoch, and alpha is emitted.
    world.json(&["chain", "warp", "1"]);
    let subnet = world.json(&["subnet", "show", "--netuid", "1"]);
    assert_eq!(
        (&subnet["neurons"][1]["validator_permit"], &subnet["neurons"][3]["validator_permit"]),
        (&true.into(), &false.into())
    );
    assert!(subnet["neurons"][1]["alpha_stake"].as_u64().unwrap() > 1_000_000_000_000, "{subnet}");
    world.json(&["stake", "add", "--wallet", "bob", "--netuid", "1", "--amount", "1"]);

    let bad = world.wallets.path().join("bad.toml");
    std::fs::write(&bad, "[accounts]\n'//Alice' = 1\n[[subnet]]\nowner = '//Alice'\n").unwrap();
    let refused = ["chain", "serve", "--port", "0", "--genesis", bad.to_str().unwrap()];
    world.refused(&refused, 2, "unknown field `subnet`, expected one of");
    std::fs::write(
        &bad,
        "[[subnets]]\nowner = '//A'\nhotkey = '//B'\n[subnets.hyperparameters]\nmechanism_count = 0\n",
    )
    .unwrap();
    world.refused(&refused, 2, "MechanismCount(0) of genesis subnet 1");
}

/// Where the recorded scenario lies, from this crate.
fn recorded(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/lifecycle").join(file)
}

#[test]
fn the_python_sdk_finds_here_what_it_found_on_a_real_runtime() {
    let Some(python) = std::env::var_os("WEIGH_BITTENSOR10_PYTHON") else {
        println!("skipped: WEIGH_BITTENSOR10_PYTHON names no Python with bittensor 10.5.0");
        return;
    };
    if !recorded("scenario.py").exists() {
        println!("skipped: there is no recorded scenario at {}", recorded("scenario.py").display());
        return;
    }
    let chain = serve(&["--block-time", "instant", "--mainnet-defaults"]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let run = Command::new(&python)
        .arg(recorded("scenario.py"))
        .arg(&chain.url)
        .args(["--mine", "dev_newBlock", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let compare = Command::new(&python)
        .arg(recorded("compare.py"))
        .arg(recorded("expected-a-g.json"))
        .arg(&out)
        .arg("--fees")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compare.stdout);
    println!("{}", said.lines().last().unwrap_or_default());
    assert!(compare.status.success(), "{said}");
}
