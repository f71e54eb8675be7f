//! `weigh up` as its user meets it: a subnet over HTTP that pays honest work, goes on after any end, and is seen from outside.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::print_stdout,
    reason = "tests may panic, compare what must be the same bits, and print what they measure"
)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::Arc,
};

use chain::Call;
use corpus::Source as _;
use devchain::{Genesis, GenesisNeuron, GenesisSubnet};
use mechanisms::{ErasedMechanism as _, dataset::Dataset};
use neuron::{
    Identity, Intent, Miner, MinerFact, Purpose, RoundCommitment, SubmissionOutcome, Validator,
    axon::{self, Clock, system_clock},
    dendrite::{Dendrite, Limits, Peer, Query},
    driver,
};
use primitives::{AlphaRao, Digest, MechId, NetUid, Seed, Timestamp};
use protocol::UnixNanos;
use serde_json::Value;
use store::{Commit, Durable, EventNumber, Json, MAX_PAGE, NewEvent, Store, artifacts::InMemory};
use wallet::Keypair;
use web::record::{self, Record, Role};
use worker::{Receipt, SignedReceipt};

fn weigh(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weigh")).args(arguments).output().expect("the binary runs")
}

/// Lays a source of made-up texts out as files.
fn lay_texts(folder: &Path, files: usize) {
    let texts = sim::texts(&Seed::from_number(7), files);
    for entry in texts.manifest().entries() {
        let place = folder.join(&entry.path);
        std::fs::create_dir_all(place.parent().expect("paths have a folder")).expect("a folder can be made");
        std::fs::write(place, texts.read(&entry.path).expect("the text is there"))
            .expect("a file can be written");
    }
}

/// A subnet that is being run, killed when it is dropped.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(source: &Path, state: &Path) -> Self {
        let [source, state] = [source, state].map(|path| path.to_str().expect("a plain path"));
        let named = ["--source", source, "--state", state];
        Self::run(&[&["up", "--json", "--block-time", "20", "--port", "0"], &named[..]].concat())
    }

    fn run(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weigh"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    /// The next event of this kind.
    fn await_event(&mut self, kind: &str) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.lines.read_line(&mut line).expect("readable") > 0, "the run ended before {kind}");
            let event: Value = serde_json::from_str(&line).expect("each line is JSON");
            if event["event"] == kind {
                return event;
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The body of a page.
fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", &answer[..answer.len().min(200)]);
    answer
}

/// Kinds and keys of all events of all logs of a store, in their order.
fn events(state: &Path, party: &str, log: &str) -> Vec<(u64, String, Option<String>)> {
    let store = Durable::open(&state.join(party).join("store.sqlite")).expect("a store");
    let (mut all, mut after) = (Vec::new(), EventNumber::START);
    loop {
        let page = store.read(log, after, MAX_PAGE).expect("readable");
        let Some(last) = page.last() else { return all };
        after = last.number;
        all.extend(page.into_iter().map(|event| (event.number.0, event.kind, event.dedup_key)));
    }
}

/// Folder and log of each validator, as the record names them.
fn validators(state: &Path) -> Vec<(String, String)> {
    let store = Durable::open(&state.join("house").join("store.sqlite")).expect("a store");
    let page = store.read(record::LOG, EventNumber::START, MAX_PAGE).expect("readable");
    let records = page.iter().filter_map(|event| event.body.read().ok());
    let found = records.filter_map(|record| match record {
        Record::Registered { hotkey, name, role: Role::Validator, .. } => {
            let identity = Identity { hotkey, netuid: NetUid(1), mechid: MechId::MAIN };
            Some((name, Validator::log(&identity)))
        }
        _ => None,
    });
    found.collect()
}

/// Spearman's rank correlation; equal values share the mean of their ranks.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let below = |one: f64| values.iter().filter(|other| **other < one).count() as f64;
        let equal = |one: f64| values.iter().filter(|other| **other == one).count() as f64;
        values.iter().map(|one| below(*one) + (equal(*one) + 1.0) / 2.0).collect()
    };
    let (a, b) = pairs.iter().copied().unzip();
    let (a, b) = (ranks(a), ranks(b));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let product =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum() };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

#[test]
fn the_rank_correlation_of_known_pairs_is_right() {
    let of = |b: &[f64]| {
        rank_correlation(&b.iter().enumerate().map(|(at, b)| (at as f64, *b)).collect::<Vec<_>>())
    };
    assert_eq!((of(&[1.0, 5.0, 7.0, 9.0]), of(&[9.0, 7.0, 5.0, 1.0])), (1.0, -1.0));
    // One neighbouring pair of five exchanged: 1 - 6 * 2 / (5 * 24).
    assert!((of(&[1.0, 2.0, 4.0, 3.0, 5.0]) - 0.9).abs() < 1e-12);
}

/// `WEIGH_FULL=1` runs twenty seeds instead of one, over the crate registry instead of made-up texts.
#[test]
fn a_counted_run_pays_honest_work_by_its_amount_and_names_why_attackers_get_nothing() {
    let is_full = std::env::var("WEIGH_FULL").is_ok_and(|value| value == "1");
    let folder = tempfile::tempdir().unwrap();
    lay_texts(folder.path(), 600);
    for seed in 0..if is_full { 20 } else { 1 } {
        check_counted_run(seed, (!is_full).then_some(folder.path()));
    }
}

fn check_counted_run(seed: u64, source: Option<&Path>) {
    let seed = seed.to_string();
    let epochs = if source.is_some() { "4" } else { "5" };
    let mut arguments = vec!["up", "--epochs", epochs, "--json", "--port", "0", "--seed", &seed];
    arguments.extend(source.iter().flat_map(|source| ["--source", source.to_str().unwrap()]));
    let output = weigh(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["epochs"].as_u64().unwrap().to_string(), epochs);
    assert!(summary["honest_emission_share"].as_f64().unwrap() >= 0.95, "{summary}");
    let miners = summary["miners"].as_array().unwrap();
    let honest = miners.iter().filter(|miner| miner["honest"] == true);
    let pairs: Vec<(f64, f64)> = honest
        .map(|miner| (miner["verified_tokens"].as_f64().unwrap(), miner["emission_share"].as_f64().unwrap()))
        .collect();
    assert_eq!(pairs.len(), 5);
    assert!(rank_correlation(&pairs) >= 0.9, "seed {seed}: {pairs:?}");
    println!("seed {seed}: tokens and shares {pairs:?}, rank correlation {}", rank_correlation(&pairs));
    for miner in miners {
        let reason = miner["reasons"].as_array().unwrap().last().unwrap().as_str().unwrap();
        let paid = miner["emission_share"].as_f64().unwrap();
        let (is_right, expect) = match miner["strategy"].as_str().unwrap() {
            "limit-and-run" => (paid == 0.0, "step 0: ledger has a row for every record at "),
            "made-up" => (paid == 0.0, "step 1: "),
            // What it has copied may be another attacker's.
            "copycat" => (paid == 0.0, ""),
            "silent" => (paid == 0.0, "nothing committed"),
            _ => (paid > 0.0 && miner["verified_tokens"].as_u64().unwrap() > 0, ""),
        };
        assert!(is_right && reason.starts_with(expect), "{miner}");
    }
    for validator in summary["validators"].as_array().unwrap() {
        assert!(
            validator["weights_set"].as_u64().unwrap() >= 3 && validator["trust"].as_u64().unwrap() > 60_000
        );
    }
}

#[test]
fn a_running_subnet_is_seen_from_outside_and_is_run_once() {
    let (source, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    lay_texts(source.path(), 400);
    let mut running = Running::start(source.path(), state.path());
    let url = running.await_event("website")["url"].as_str().unwrap().to_owned();
    running.await_event("epoch");
    let at = state.path().to_str().unwrap();
    for path in
        ["/", "/leaderboard", "/validators", "/epochs", "/tasks", "/healthz", "/metrics", "/api/v1/status"]
    {
        get(&url, path);
    }
    assert!(get(&url, "/leaderboard").contains("honest-tireless"));

    let status = weigh(&["status", "--json", "--state", at]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["running"], &status["url"]), (&true.into(), &url.as_str().into()));
    let second = weigh(&["up", "--state", at, "--source", source.path().to_str().unwrap()]);
    let told = String::from_utf8_lossy(&second.stderr).replace(['\n', '│'], " ");
    assert_eq!(second.status.code(), Some(10), "{told}");
    assert!(told.split_whitespace().collect::<String>().contains(&url), "{told}");

    let board = weigh(&["leaderboard", "--json", "--state", at]);
    let board: Value = serde_json::from_slice(&board.stdout).unwrap();
    let best = &board["miners"][0];
    assert_eq!(board["miners"].as_array().unwrap().len(), 9);
    let why = weigh(&["explain", best["hotkey"].as_str().unwrap(), "--state", at]);
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("verified_tokens") && why.contains("gives it a weight of"), "{why}");

    let down = weigh(&["down", "--state", at]);
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert_eq!(running.child.wait().unwrap().code(), Some(130));
    assert_eq!(weigh(&["down", "--state", at]).status.code(), Some(10), "nothing runs any more");
    let reset = weigh(&["reset", "--state", at]);
    assert!(reset.status.success());
    assert_eq!(weigh(&["status", "--state", at]).status.code(), Some(3));
}

#[test]
fn a_subnet_goes_on_with_the_tasks_that_it_was_founded_with() {
    let (source, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    lay_texts(source.path(), 400);
    let mut first = Running::start(source.path(), state.path());
    first.await_event("epoch");
    first.kill();
    // The source has grown and lost a file, as a crate registry does; it need not be named again.
    std::fs::write(source.path().join("0-new.md"), "A page that was not there before.\n".repeat(50)).unwrap();
    let texts = sim::texts(&Seed::from_number(7), 400);
    std::fs::remove_file(source.path().join(&texts.manifest().entries()[0].path)).unwrap();
    let at = state.path().to_str().unwrap();
    let mut again = Running::run(&["up", "--json", "--block-time", "20", "--port", "0", "--state", at]);
    let left_out = again.await_event("left_out");
    assert!(left_out["reason"].as_str().unwrap().starts_with("1 of "), "{left_out}");
    assert_eq!(again.await_event("started")["resumed"], true);
    again.await_event("epoch");
    let epoch = again.await_event("epoch");
    let lines = epoch["miners"].as_array().unwrap();
    let honest = lines.iter().filter(|line| line["honest"] == true);
    // No round passed while the neurons were coming up: all but the silent one have committed in each that has ended.
    let store = Durable::open(&state.path().join("house").join("store.sqlite")).unwrap();
    let page = store.read(record::LOG, EventNumber::START, MAX_PAGE).unwrap();
    let sealed = page.iter().filter_map(|event| match event.body.read() {
        Ok(Record::RoundSealed { round, commitments, .. }) => Some((round, commitments.len())),
        _ => None,
    });
    let sealed: Vec<(u64, usize)> = sealed.collect();
    assert!(sealed.len() >= 3 && sealed.iter().all(|(_, commitments)| *commitments == 8), "{sealed:?}");
    // Nobody is at fault for what the source has lost.
    assert!(honest.clone().count() == 5 && honest.clone().all(|line| line["earned"] != 0), "{epoch}");
    drop(again);
    let other = tempfile::tempdir().unwrap();
    lay_texts(other.path(), 400);
    let refused = weigh(&["up", "--state", at, "--source", other.path().to_str().unwrap()]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && told.contains("was founded with source"), "{told}");
}

/// The first of `count` ports that are free, below those that systems give out by themselves.
fn free_ports(count: u16) -> u16 {
    let of_process = u16::try_from(std::process::id() % 400).expect("a small number");
    let mut firsts = (0..400).map(|at| 20_000 + (of_process + at) % 400 * 25);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    firsts.find(|first| (0..count).all(|at| is_free(first + at))).expect("there are ports")
}

/// `WEIGH_FULL=1` runs three seeds of a subnet of the usual size instead of one of a small one.
#[test]
fn over_rpc_a_run_comes_to_the_same_state_as_in_process() {
    let is_full = std::env::var("WEIGH_FULL").is_ok_and(|value| value == "1");
    let source = tempfile::tempdir().unwrap();
    lay_texts(source.path(), 400);
    let axons = free_ports(20).to_string();
    let small: &[&str] = if is_full { &[] } else { &["--validators", "2", "--miners", "3"] };
    for seed in if is_full { 1..4 } else { 1..2 } {
        let seed = seed.to_string();
        let run = |chain: &str| {
            let named =
                ["--chain", chain, "--axon-port", &axons, "--source", source.path().to_str().unwrap()];
            let counted = ["up", "--epochs", "3", "--json", "--port", "0", "--seed", &seed];
            let output = weigh(&[&counted[..], &named, small].concat());
            assert!(output.status.success(), "{chain}: {}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let events: Vec<Value> = events.collect();
            let served = events.iter().filter(|event| event["event"] == "chain").count();
            assert_eq!(served, usize::from(chain == "rpc"), "{text}");
            events.last().unwrap().clone()
        };
        let (in_process, rpc) = (run("in-process"), run("rpc"));
        // Block, state digest, what each earned and why others earned nothing.
        assert_eq!(in_process, rpc);
        assert!(rpc["honest_emission_share"].as_f64().unwrap() >= 0.95, "{rpc}");
        println!("seed {seed}: block {}, state {}", rpc["block"], rpc["state_digest"]);
    }
}

#[test]
fn what_was_decided_on_before_a_kill_reaches_the_chain_before_the_axon_moves() {
    let seed = Seed::from_number(3);
    let [owner, hotkey] = ["owner", "miner"].map(|role| Keypair::simulated(seed, role, 0));
    let mut genesis = Genesis::development(&[owner.coldkey().0]);
    genesis.settings.serve_on_loopback = true;
    let neuron = GenesisNeuron { coldkey: owner.coldkey(), hotkey: hotkey.hotkey(), stake: AlphaRao::ZERO };
    genesis.subnets =
        vec![GenesisSubnet { neurons: vec![neuron], ..GenesisSubnet::of(owner.coldkey(), owner.hotkey()) }];
    let node = devchain::spawn(devchain::Config::stepped(genesis)).unwrap();
    node.step(None).unwrap();
    // It had made its commitment durable, and was killed before a block had it.
    let netuid = NetUid(1);
    let identity = Identity { hotkey: hotkey.hotkey(), netuid, mechid: MechId::MAIN };
    let commitment = RoundCommitment { mechanism: "dataset".to_owned(), round: 0, root: Digest::of(b"root") };
    let call = Call::SetCommitment { netuid, fields: vec![commitment.field()] };
    let intent = Intent { purpose: Purpose::Announce { round: 0 }, nonce: 0, call, valid_until: 100 };
    let fact = MinerFact::Announced { round: 0, lines: Vec::new(), intent };
    let store: Arc<dyn Store> = Arc::new(store::Memory::new());
    let event = NewEvent::new(fact.kind(), Json::of(&fact).unwrap(), Timestamp(0)).once(fact.key());
    store.commit(&Commit::new().event(&Miner::log(&identity), event)).unwrap();
    let config = driver::Config {
        identity,
        chain: node.signing([hotkey.clone()], [0; 32]),
        signer: Arc::new(hotkey),
        store: Arc::clone(&store),
        artifacts: Arc::new(InMemory::default()),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        accepted_until: UnixNanos(0),
        desk: None,
        axon_limits: axon::Limits::default(),
        dendrite_limits: Limits::default(),
        pulse: driver::Pulse::default(),
    };
    let strategy = Dataset.strategies().remove(0);
    let part = driver::MinerPart {
        mechanism: &Dataset,
        strategy: Arc::new(strategy),
        jobs: Vec::new(),
        make: Arc::new(|_, _, _| None),
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut starting = std::pin::pin!(driver::miner(config, part));
        let handle = loop {
            tokio::select! {
                started = &mut starting => break started.unwrap(),
                () = tokio::task::yield_now() => if node.waiting() > 0 {
                    node.step(None).unwrap();
                },
            }
        };
        let subnet = node.state().subnet(netuid).unwrap();
        assert_eq!(subnet.commitments[&identity.hotkey].fields, [commitment.field()]);
        assert_eq!(subnet.neuron(&identity.hotkey).unwrap().axon.unwrap().port, handle.address().port());
        assert_eq!(node.state().nonce(identity.hotkey.0), 2);
        let log = store.read(&Miner::log(&identity), EventNumber::START, MAX_PAGE).unwrap();
        let settled: MinerFact = log.last().unwrap().body.read().unwrap();
        let outcome = SubmissionOutcome::Included;
        assert_eq!(settled, MinerFact::Settled { purpose: Purpose::Announce { round: 0 }, outcome });
        handle.stop().await;
    });
}

/// Every block carried out again leads to the state and the balances that the run ended with.
fn check_replay(state: &Path, summary: &Value) {
    let replay = weigh(&["chain", "replay", "--json", "--state", state.to_str().unwrap()]);
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    let replay: Value = serde_json::from_slice(&replay.stdout).unwrap();
    assert_eq!(replay["blocks"], summary["block"]);
    assert_eq!(replay["state_digest"], summary["state_digest"]);
    let accounts = replay["accounts"].as_array().unwrap();
    let miners = summary["miners"].as_array().unwrap();
    for miner in miners {
        let account = accounts.iter().find(|account| account["hotkey"] == miner["hotkey"]).unwrap();
        assert_eq!(account["stake_rao"], miner["earned"], "{account} {miner}");
    }
    assert!(miners.iter().any(|miner| miner["earned"].as_u64() > Some(0)));
}

/// `WEIGH_FULL=1` kills twenty times instead of five.
#[test]
fn after_any_kill_the_same_chain_goes_on_and_nothing_is_lost_or_doubled() {
    let (source, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    lay_texts(source.path(), 400);
    let kills = if std::env::var("WEIGH_FULL").is_ok_and(|value| value == "1") { 20 } else { 5 };
    let mut draws = Seed::from_number(20).stream("kills", 0);
    let (mut block, mut seen) = (0, 0);
    for kill in 0..=kills {
        let mut running = Running::start(source.path(), state.path());
        let started = running.await_event("started");
        let resumed = started["block"].as_u64().unwrap();
        assert!(resumed >= block, "kill {kill}: block {resumed} after {block}");
        assert_eq!(started["resumed"], kill > 0 && block > 0);
        let url = running.await_event("website")["url"].as_str().unwrap().to_owned();
        // What was told before the kill is still there.
        let known = events(state.path(), "house", record::LOG).len();
        assert!(known >= seen, "kill {kill}: {known} events after {seen}");
        if kill == kills {
            // The last run closes two more epochs, and so pays again.
            running.await_event("epoch");
            running.await_event("epoch");
            let down = weigh(&["down", "--state", state.path().to_str().unwrap()]);
            assert!(down.status.success());
            let summary = running.await_event("summary");
            assert!(summary["honest_emission_share"].as_f64().unwrap() >= 0.95, "{summary}");
            check_replay(state.path(), &summary);
            break;
        }
        // A moment between the first block and the second epoch, by what the site says.
        let wanted = resumed + 1 + draws.below(45);
        block = loop {
            let status = get(&url, "/api/v1/status");
            let body = status.split("\r\n\r\n").nth(1).unwrap();
            let body = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
            let status: Value = serde_json::from_str(body).unwrap();
            let block = status["block"].as_u64().unwrap_or(0);
            if block >= wanted {
                break block;
            }
        };
        seen = events(state.path(), "house", record::LOG).len();
        running.kill();
    }
    // No epoch has two submissions of weights.
    for (name, log) in validators(state.path()) {
        let sent = events(state.path(), &name, &log).into_iter().filter(|(_, kind, _)| kind == "Intended");
        let mut sent: Vec<_> = sent.map(|(_, _, key)| key).collect();
        let all = sent.len();
        sent.sort();
        sent.dedup();
        assert!(sent.len() == all && all > 0, "{name}: {sent:?}");
    }
    // No record stands twice, and numbers have no gap.
    let house = events(state.path(), "house", record::LOG);
    let mut keys: Vec<&String> = house.iter().filter_map(|(_, _, key)| key.as_ref()).collect();
    let all = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all);
    assert!(house.iter().zip(1..).all(|((number, ..), expect)| *number == expect));
    let epochs: Vec<&String> = keys.iter().filter(|key| key.starts_with("epoch/")).copied().collect();
    assert!(epochs.len() >= 3, "{epochs:?}");
}

/// What a site answers: its head, and its body as sent.
fn fetch(url: &str) -> (String, Vec<u8>) {
    let rest = url.strip_prefix("http://").expect("an address");
    let (address, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    (String::from_utf8(answer[..end].to_vec()).expect("a head is text"), answer[end + 4..].to_vec())
}

fn fetch_json(url: &str) -> Value {
    let (head, body) = fetch(url);
    assert!(head.starts_with("HTTP/1.1 200"), "{url}: {head}");
    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Of all miners, one examination with each of these outcomes, with its round.
fn examinations(url: &str, outcomes: [&str; 2]) -> Option<[(u64, Value); 2]> {
    let board = fetch_json(&format!("{url}/api/v1/leaderboard"));
    let mut all = Vec::new();
    for row in board["rows"].as_array().unwrap() {
        let miner = fetch_json(&format!("{url}/api/v1/miners/{}", row["hotkey"].as_str().unwrap()));
        for round in miner["rounds"].as_array().unwrap() {
            let number = round["round"].as_u64().unwrap();
            let of_round = round["examinations"].as_array().unwrap();
            all.extend(of_round.iter().map(|one| (number, one.clone())));
        }
    }
    let first = |outcome: &str| all.iter().find(|(_, one)| one["outcome"] == outcome).cloned();
    Some([first(outcomes[0])?, first(outcomes[1])?])
}

/// The commands of a submission's page, as a browser would copy them.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("<pre tabindex=\"0\"><code>").skip(1);
    let plain = |text: &str| text.replace("&quot;", "\"").replace("&amp;", "&");
    blocks.map(|block| plain(block.split("</code>").next().unwrap())).collect()
}

#[test]
fn whoever_pastes_a_submissions_commands_gets_the_receipt_that_its_validators_signed() {
    // A name that a shell would take apart.
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = folder.path().join("it's a source; $HOME");
    lay_texts(&source, 400);
    let mut running = Running::start(&source, state.path());
    let url = running.await_event("website")["url"].as_str().unwrap().to_owned();
    let found = (0..4).find_map(|_| {
        running.await_event("epoch");
        examinations(&url, ["ok", "invalid"])
    });
    for (round, one) in found.expect("honest miners and attackers bring something in four epochs") {
        let submission = one["submission"].as_str().unwrap();
        let place = tempfile::tempdir().unwrap();
        let (_, page) = fetch(&format!("{url}/submissions/{submission}"));
        let commands = commands(std::str::from_utf8(&page).unwrap());
        // The newest case stands first; where the same bytes came twice, the one that was looked for is among them.
        let wanted = format!("round={round}&miner={}&task={}", one["miner"].as_str().unwrap(), one["task"]);
        let at = commands.iter().position(|command| command.contains(&wanted)).expect("a case of its own");
        for download in &commands[at - 1..=at] {
            let rest = download.strip_prefix("curl -fsSL -o ").expect("a download");
            let (file, address) = rest.split_once(' ').unwrap();
            let (head, body) = fetch(address.trim_matches('"'));
            assert!(head.starts_with("HTTP/1.1 200"), "{download}: {head}");
            std::fs::write(place.path().join(file), body).unwrap();
        }
        let programs = Path::new(env!("CARGO_BIN_EXE_weigh")).parent().unwrap();
        let score = Command::new("/bin/sh")
            .args(["-c", &format!("{} --json", commands[at + 1])])
            .current_dir(place.path())
            .env("PATH", programs)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&score.stderr).into_owned();
        let is_fault = one["outcome"] == "invalid";
        assert_eq!(score.status.code(), Some(i32::from(is_fault)), "{}: {told}", commands[at + 1]);
        let report: Value = serde_json::from_slice(&score.stdout).unwrap();
        assert_eq!(report["digest"], one["receipt"], "{report}");

        let receipt: Receipt = serde_json::from_value(report["receipt"].clone()).unwrap();
        assert_eq!(receipt.digest().to_string(), one["receipt"].as_str().unwrap());
        let validator = one["validator"].as_str().unwrap().parse().unwrap();
        let signature = one["signature"].as_str().unwrap().parse().unwrap();
        let signed = SignedReceipt { receipt, validator, signature };
        assert!(signed.verify(), "{one}");
        let of_another = Receipt { round: round + 1, ..signed.receipt.clone() };
        assert!(!SignedReceipt { receipt: of_another, ..signed }.verify());

        let why = weigh(&["explain", submission, "--state", state.path().to_str().unwrap()]);
        let why = String::from_utf8_lossy(&why.stdout).into_owned();
        for name in ["root", "receipt", "signature"] {
            assert!(why.contains(one[name].as_str().unwrap()), "{name}: {why}");
        }
    }
}

#[test]
fn the_desk_answers_at_its_published_address_as_the_document_says() {
    let (source, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    lay_texts(source.path(), 400);
    let mut running = Running::start(source.path(), state.path());
    let url = running.await_event("website")["url"].as_str().unwrap().to_owned();
    running.await_event("epoch");
    let document = fetch_json(&format!("{url}/openapi.json"));
    let status = fetch_json(&format!("{url}/api/v1/status"));
    let item = &document["paths"]["/v1/leases"];
    assert_eq!(item["servers"][0]["url"], status["subnet"]["task_api"]);
    let address = item["servers"][0]["url"].as_str().unwrap().strip_prefix("http://").unwrap();

    let seed = Seed::from_number(0);
    let key = |role: &str| Keypair::simulated(seed, &format!("{role} hotkey"), 0);
    let peer = Peer { hotkey: key("owner").hotkey(), address: address.parse().unwrap() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |signer: Keypair, path: &str, body: &Value| {
        let clock: Clock = std::sync::Arc::new(system_clock);
        let dendrite = Dendrite::new(std::sync::Arc::new(signer), clock, Limits::default());
        let query = Query::post_json(path, body.to_string());
        let response = runtime.block_on(dendrite.ask(peer, &query)).unwrap();
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        (response.status.as_u16(), body)
    };
    let example = |path: &str| {
        let post = &document["paths"][path]["post"];
        post["requestBody"]["content"]["application/json"]["example"].clone()
    };
    // A task of an earlier round is nobody's to finish any more, which the answer has the same form for.
    assert_eq!(ask(key("miner"), "/v1/leases/done", &example("/v1/leases/done")), (200, "Noted".into()));
    let mut wanted = example("/v1/leases");
    // No round has this number: there is nothing to lease in it.
    wanted["round"] = u64::from(u32::MAX).into();
    assert_eq!(ask(key("miner"), "/v1/leases", &wanted), (200, "Refused".into()));
    // The round that runs; its number is told by the record.
    let leases = (0..200).find_map(|_| {
        let status = fetch_json(&format!("{url}/api/v1/status"));
        wanted["round"] = status["last_round"].clone();
        let (status, answer) = ask(key("miner"), "/v1/leases", &wanted);
        assert_eq!(status, 200, "{answer}");
        (answer != "Refused").then_some(answer)
    });
    let leases = leases.expect("the first miner works on something at some time");
    let held = leases["Leases"].as_array().unwrap();
    assert!(
        !held.is_empty() && held.iter().all(|one| one["task"].is_u64() && one["fence"].is_u64()),
        "{leases}"
    );

    // Refusals have their own shape, and the words that the document names.
    let stranger = Keypair::simulated(seed, "nobody", 0);
    for (signer, body, status) in [(stranger, wanted, 403), (key("miner"), Value::from(1), 400)] {
        let (found, refusal) = ask(signer, "/v1/leases", &body);
        assert_eq!(found, status, "{refusal}");
        let word = refusal["type"].as_str().unwrap().strip_prefix("urn:weighhouse:problem:").unwrap();
        let about = item["post"]["responses"][status.to_string()]["description"].as_str().unwrap();
        assert!(about.contains(word), "{word} is not in {about}");
        let fields: Vec<&String> = refusal.as_object().unwrap().keys().collect();
        assert_eq!(serde_json::json!(fields), serde_json::json!(["status", "title", "type"]));
    }
}
