//! Clients of the real chain, unchanged, on `weigh chain serve`: the Python SDKs, btcli and polkadot.js. What they read is what our
//! own commands read at the same block. Each is found by a variable, and its test says that it skips without one:
//!
//! - `WEIGH_BITTENSOR10_PYTHON`, `WEIGH_BITTENSOR11_PYTHON`: a Python with `bittensor` 10.5.0 or 11.3.0, the latter with its btcli;
//! - `WEIGH_BTCLI`: the btcli of `bittensor-cli` 9.23.2;
//! - `WEIGH_POLKADOT_JS`: a folder whose `node_modules` has `@polkadot/api` 16.5.6, for the `node` on `PATH`.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{World, serve};

/// Rao in a TAO.
const TAO: u64 = 1_000_000_000;

/// What a variable names, or the reason why a test skips.
fn counterpart(variable: &str, what: &str) -> Option<OsString> {
    let found = env::var_os(variable);
    if found.is_none() {
        println!("skipped: {variable} names no {what}");
    }
    found
}

/// A program of theirs or one that drives them, with a home of its own and no proxies between it and this machine.
fn command(program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("COLUMNS", "1000")
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

fn driver(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/counterparts").join(file)
}

fn output(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}\n{said}\n{told}");
    output
}

/// The JSON document on the last line that was printed.
fn last_line(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn numbers(value: &Value, name: &str) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|one| one[name].as_u64().unwrap()).collect()
}

/// A wallet's stake as the drivers print it.
fn stakes(world: &World, wallet: &str) -> Value {
    let list = world.json(&["stake", "list", "--wallet", wallet]);
    let all = list["stakes"].as_array().unwrap().iter();
    let held = all.filter(|one| one["alpha_rao"] != 0);
    held.map(|one| json!([one["hotkey"], one["netuid"], one["alpha_rao"]])).collect()
}

#[test]
fn bittensor_10_lives_a_subnets_life_and_reads_what_we_read() {
    let Some(python) = counterpart("WEIGH_BITTENSOR10_PYTHON", "Python with bittensor 10.5.0") else {
        return;
    };
    let world = World::new(&["--block-time", "instant", "--beacon", "quicknet"]);
    let mut run = command(python, world.wallets.path());
    run.arg(driver("bittensor10.py")).arg(&world.chain.url).arg(world.wallets.path());
    let theirs = last_line(&output(run));

    let netuid = theirs["netuid"].to_string();
    let ours = world.json(&["subnet", "show", "--netuid", &netuid]);
    assert_eq!(ours["head"]["number"], theirs["block"], "both read the same block");
    assert_eq!((&ours["owner"], &ours["burn"]), (&theirs["owner"], &theirs["burn"]));
    let (our_neurons, their_neurons) = (&ours["neurons"], theirs["neurons"].as_array().unwrap());
    assert_eq!(our_neurons.as_array().unwrap().len(), their_neurons.len());
    for (uid, neuron) in their_neurons.iter().enumerate() {
        for (name, value) in neuron.as_object().unwrap() {
            assert_eq!(our_neurons[uid][name], *value, "{name} of uid {uid}");
        }
    }
    for (name, value) in theirs["hyperparameters"].as_object().unwrap() {
        assert_eq!(ours["hyperparameters"][name], *value, "{name}");
    }
    assert_eq!(our_neurons[1]["axon"]["port"], 8091);
    for wallet in ["alice", "bob"] {
        let balance = world.json(&["wallet", "balance", "--wallet", wallet]);
        assert_eq!(balance["free_rao"], theirs["balances"][wallet], "{wallet}");
        assert_eq!(stakes(&world, wallet), theirs["stakes"][wallet], "{wallet}");
    }
    let weights = world.json(&["weights", "show", "--netuid", &netuid]);
    for row in weights["weights"].as_array().unwrap() {
        assert_eq!(row["weights"], theirs["weights"][row["uid"].to_string()], "{row}");
    }
    let commitments = world.json(&["commit", "show", "--netuid", &netuid]);
    for one in commitments["commitments"].as_array().unwrap() {
        assert_eq!(one["fields"][0]["text"], theirs["commitments"][one["hotkey"].as_str().unwrap()]);
    }
    let subnets = world.json(&["subnet", "list"]);
    let mut listed = numbers(&subnets["subnets"], "netuid");
    listed.insert(0, 0);
    assert_eq!(json!(listed), theirs["subnets"]);
    let schedule = &ours["schedule"];
    let due = schedule["last_epoch_block"].as_u64().unwrap() + schedule["tempo"].as_u64().unwrap();
    assert_eq!(theirs["next_epoch"], due);
}

/// A world in which subnet 2 is //Alice's and has started, and //Bob is its uid 1.
fn settled(arguments: &[&str]) -> World {
    let world = World::new(&[&["--block-time", "instant"], arguments].concat());
    world.json(&["subnet", "create", "--wallet", "alice"]);
    world.json(&["subnet", "start", "--wallet", "alice", "--netuid", "2"]);
    world.json(&["register", "--wallet", "bob", "--netuid", "2"]);
    world
}

/// What an error names that an older chain does not have: a pallet's item or a runtime call.
fn is_absence(error: &str) -> bool {
    error.ends_with("not found") || error.ends_with("not found in registry")
}

#[test]
fn bittensor_11_does_here_what_the_rules_of_spec_425_have() {
    let Some(python) = counterpart("WEIGH_BITTENSOR11_PYTHON", "Python with bittensor 11.3.0") else {
        return;
    };
    let world = settled(&[]);
    let mut run = command(&python, world.wallets.path());
    run.arg(driver("bittensor11.py")).arg(&world.chain.url).arg(world.wallets.path());
    let theirs = last_line(&output(run));

    let ours = world.json(&["subnet", "show", "--netuid", "2"]);
    assert_eq!(ours["head"]["number"], theirs["block"], "both read the same block");
    assert_eq!(ours["burn"], theirs["burn"]);
    assert_eq!(ours["neurons"][1]["axon"]["port"], 8092);
    for (name, value) in theirs["settings"].as_object().unwrap() {
        assert_eq!(ours["hyperparameters"][name], *value, "{name}");
    }
    for (uid, neuron) in theirs["neurons"].as_array().unwrap().iter().enumerate() {
        for (name, value) in neuron.as_object().unwrap() {
            assert_eq!(ours["neurons"][uid][name], *value, "{name} of uid {uid}");
        }
    }
    assert_eq!(world.json(&["wallet", "balance", "--wallet", "bob"])["free_rao"], theirs["balance"]);
    assert_eq!(stakes(&world, "bob")[0][2], theirs["stake"]);
    assert_eq!(theirs["commitment"], "model:v2");
    // What is missing is what came after these rules, or what this chain has not.
    let missing = theirs["missing"].as_object().unwrap();
    for (name, why) in missing {
        assert!(is_absence(why.as_str().unwrap()), "{name}: {why}");
    }
    let of = |name: &str| missing[name].as_str().unwrap();
    assert!(of("burned_register").contains("CollateralLockShare"), "{}", of("burned_register"));
    assert!(of("set_weights").contains("SubnetEpochConsensus"), "{}", of("set_weights"));
    assert!(of("commit_weights").contains("SubnetEpochConsensus"), "{}", of("commit_weights"));
    assert!(theirs["answered"].as_u64().unwrap() >= 80, "{missing:?}");

    // Its btcli is the same library.
    let btcli = Path::new(&python).with_file_name("btcli");
    if !btcli.exists() {
        println!("skipped: there is no btcli beside {}", python.display());
        return;
    }
    let run = |arguments: &[&str]| {
        let mut run = command(&btcli, world.wallets.path());
        run.args(arguments).arg("--json").env("BT_NETWORK", &world.chain.url);
        run.env("BT_FALLBACK_ENDPOINTS", "none").env("BT_ARCHIVE_ENDPOINTS", "none");
        run.env("BT_WALLET_PATH", world.wallets.path());
        let said = output(run).stdout;
        serde_json::from_slice::<Value>(&said).unwrap()
    };
    assert_eq!(numbers(&run(&["subnets", "list"]), "netuid").last(), Some(&3));
    let sent = run(&[
        "tx",
        "transfer",
        "-w",
        "alice",
        "--dest",
        "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
        "--amount-tao",
        "1",
        "-y",
    ]);
    assert_eq!(sent["success"], true, "{sent}");
}

#[test]
fn bittensor_11_weighs_under_the_rules_of_spec_475() {
    let Some(python) = counterpart("WEIGH_BITTENSOR11_PYTHON", "Python with bittensor 11.3.0") else {
        return;
    };
    let world = settled(&["--rules", "475"]);
    let mut run = command(&python, world.wallets.path());
    run.arg(driver("bittensor11_weights.py")).arg(&world.chain.url).arg(world.wallets.path());
    let theirs = last_line(&output(run));

    for call in ["set_weights", "commit_weights", "timelocked"] {
        assert_eq!(theirs[call], Value::Null, "{call}");
    }
    let ours = world.json(&["weights", "show", "--netuid", "2"]);
    assert_eq!(ours["weights"][0]["weights"], json!([[0, 65_535], [1, 65_535]]));
    assert_eq!(theirs["weights"], json!({"0": {"0": 0.5, "1": 0.5}}));
    let hotkey = &ours["weights"][0]["hotkey"];
    let stored = theirs["stored"]["0"].as_array().unwrap();
    assert!(stored.len() == 2 && stored.iter().all(|one| one["hotkey"] == *hotkey), "{stored:?}");
    // To register asks for what this chain has not of these rules.
    let registers = theirs["burned_register"].as_str().unwrap();
    assert!(is_absence(registers) && registers.contains("CollateralLockShare"), "{registers}");
}

#[test]
fn btcli_9_makes_a_subnet_stakes_and_shows_it() {
    let Some(btcli) = counterpart("WEIGH_BTCLI", "btcli of bittensor-cli 9") else { return };
    let world = World::new(&["--block-time", "instant"]);
    // A list divides by the number of the newest block.
    world.mine(1);
    let place = world.wallets.path().to_str().unwrap().to_owned();
    let ask = |arguments: &[&str], answers: Option<&Path>| {
        let mut run = command(&btcli, world.wallets.path());
        run.args(arguments).args(["--network", &world.chain.url]);
        if let Some(answers) = answers {
            run.stdin(std::fs::File::open(answers).unwrap());
        }
        String::from_utf8(output(run).stdout).unwrap()
    };
    // Its prompts stand before the document.
    let read = |said: &str| -> Value {
        let from = said.find(['{', '[']).unwrap_or_else(|| panic!("no document: {said}"));
        serde_json::from_str(&said[from..]).unwrap_or_else(|error| panic!("{error}: {said}"))
    };
    let json = |arguments: &[&str]| read(&ask(&[arguments, &["--json-output"]].concat(), None));
    let of = |wallet: &str, arguments: &[&str]| -> Vec<String> {
        let owned = ["--wallet-path", place.as_str(), "--wallet-name", wallet, "--hotkey", "default"];
        arguments.iter().chain(&owned).map(|one| (*one).to_owned()).collect()
    };
    let by = |wallet: &str, arguments: &[&str]| {
        let all = of(wallet, &[arguments, &["--no-prompt"]].concat());
        json(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };

    let all = of("alice", &["wallet", "balance", "--json-output"]);
    let balance = read(&ask(&all.iter().map(String::as_str).collect::<Vec<_>>(), None));
    assert_eq!(balance["balances"]["alice"]["free"], 1_000_000.0);
    // What else it asks of an identity may be empty.
    let answers = world.wallets.path().join("answers");
    std::fs::write(&answers, "\n".repeat(20)).unwrap();
    let named = ["--subnet-name", "Scales", "--description", "weighs"];
    let create = ["subnets", "create", "--no-prompt", "--no-mev-protection", "--json-output"];
    let create = of("alice", &[&create[..], &named].concat());
    let made = read(&ask(&create.iter().map(String::as_str).collect::<Vec<_>>(), Some(&answers)));
    assert_eq!((&made["success"], &made["netuid"]), (&json!(true), &json!(2)), "{made}");
    let start = of("alice", &["subnets", "start", "--netuid", "2", "--no-prompt"]);
    ask(&start.iter().map(String::as_str).collect::<Vec<_>>(), None);
    assert_eq!(by("bob", &["subnets", "register", "--netuid", "2"])["success"], true);
    let amount = |amount| ["--netuid", "2", "--amount", amount, "--no-mev-protection", "--unsafe"];
    let staked = by("bob", &[&["stake", "add"][..], &amount("1")].concat());
    assert!(
        staked["staking_success"]["2"].as_object().unwrap().values().all(|done| done == true),
        "{staked}"
    );
    let unstaked = by("bob", &[&["stake", "remove"][..], &amount("0.01")].concat());
    assert_eq!(unstaked[0]["success"], true, "{unstaked}");

    let ours = world.json(&["subnet", "show", "--netuid", "2"]);
    let shown = json(&["subnets", "show", "--netuid", "2", "--no-prompt"]);
    let uids = shown["uids"].as_array().unwrap();
    assert_eq!(uids.len(), 2);
    for (uid, neuron) in uids.iter().enumerate() {
        assert_eq!(neuron["hotkey"], ours["neurons"][uid]["hotkey"]);
        assert_eq!(neuron["alpha_stake"], alpha(&ours["neurons"][uid]["alpha_stake"]), "{neuron}");
    }
    let list = by("bob", &["stake", "list"]);
    let hotkey = ours["neurons"][1]["hotkey"].as_str().unwrap();
    assert_eq!(list["stake_info"][hotkey][0]["stake_value"], alpha(&stakes(&world, "bob")[0][2]), "{list}");
    let listed = json(&["subnets", "list"]);
    assert_eq!(listed["subnets"]["2"]["tempo"]["sn_tempo"], ours["hyperparameters"]["tempo"]);
    assert_eq!(listed["subnets"]["2"]["subnet_name"], "Scales");
    let fields = ["--web-url", "--image-url", "--discord", "--description", "--additional", "--github"];
    let said: Vec<&str> = fields.into_iter().flat_map(|field| [field, "something"]).collect();
    by("bob", &[&["wallet", "set-identity", "--id-name", "Bob"][..], &said].concat());
    let account =
        world.json(&["wallet", "balance", "--wallet", "bob"])["address"].as_str().unwrap().to_owned();
    assert_eq!(json(&["wallet", "get-identity", "--key", &account])["name"], "Bob");
}

/// An amount as btcli shows it.
#[expect(clippy::cast_precision_loss, reason = "amounts of a test")]
fn alpha(rao: &Value) -> f64 {
    rao.as_u64().unwrap() as f64 / 1e9
}

#[test]
fn polkadot_js_sends_a_transfer_and_reads_its_block() {
    let Some(folder) = counterpart("WEIGH_POLKADOT_JS", "folder with @polkadot/api") else { return };
    let chain = serve(&["--block-time", "instant"]);
    let home = tempfile::tempdir().unwrap();
    let mut run = command("node", home.path());
    run.arg(driver("polkadot.mjs")).arg(&chain.url).arg(folder);
    let seen = last_line(&output(run));
    let number = |name: &str| seen[name].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(number("after"), number("before") + TAO);
    assert_eq!((&seen["chain"], &seen["spec_version"]), (&json!("Development"), &json!(425)));
    // On a busy machine the news of the block may be overtaken by that of its finality.
    let steps = seen["steps"].as_array().unwrap();
    assert_eq!((steps.first(), steps.last()), (Some(&json!("Ready")), Some(&json!("Finalized"))));
    assert_eq!(seen["extrinsics"][0]["call"], "timestamp.set");
    let [alice, bob] =
        ["Alice", "Bob"].map(|name| wallet::Keypair::development(name).unwrap().public().account.to_ss58());
    let transfer = json!({
        "call": "balances.transferKeepAlive",
        "signer": alice,
        "arguments": [bob, TAO.to_string()],
    });
    assert_eq!(seen["extrinsics"][1], transfer);
    let events = seen["events"].as_array().unwrap();
    for event in ["balances.Transfer", "transactionPayment.TransactionFeePaid", "system.ExtrinsicSuccess"] {
        assert!(events.contains(&json!(event)), "{event}: {events:?}");
    }
    assert_eq!(seen["subnets"], json!([0, 1]));
    assert_eq!((&seen["refused"], &seen["tempo"]), (&json!("SubnetNotExists"), &json!(360)));
    assert!(number("fee") > 0);
}
