//! `weigh wallet` as a btcli user meets it: the real binary in a temporary folder, without a home.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests too, and say why they skip"
)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The public phrase of Substrate's development accounts, its seed and its address.
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const SEED: &str = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
const ADDRESS: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
const PASSWORD: &str = "correct horse";

/// What a command left behind.
struct Ended {
    code: i32,
    out: String,
    /// Without line breaks and frames, so that a sentence can be looked for.
    talk: String,
}

/// Runs `weigh wallet` on this folder of wallets, with a clean environment and this text on standard input.
fn weigh(root: &Path, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weigh"))
        .arg("wallet")
        .args(arguments)
        .env_clear()
        .env("WEIGH_WALLET_PATH", root)
        .env("COLUMNS", "200")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read leaves the pipe broken, which is no fault.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let talk = String::from_utf8(output.stderr).unwrap().replace(['\n', '│'], " ");
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        talk: talk.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn done(root: &Path, arguments: &[&str], input: &str) -> String {
    let ended = weigh(root, arguments, input, &[]);
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.talk);
    ended.out
}

fn json(root: &Path, arguments: &[&str], input: &str) -> Value {
    let out = done(root, &[arguments, &["--json"]].concat(), input);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
}

/// The command ends with this code, says this, and nothing on standard output.
fn refused(root: &Path, arguments: &[&str], input: &str, code: i32, says: &str) {
    let ended = weigh(root, arguments, input, &[]);
    assert_eq!(ended.code, code, "{arguments:?}: {}", ended.talk);
    assert_eq!(ended.talk.matches(says).count(), 1, "{arguments:?}: {}", ended.talk);
    assert_eq!(ended.out, "", "{arguments:?}");
}

/// A folder with the wallet `default`: the development phrase as its coldkey, unencrypted, and as its hotkey.
fn known() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for key in ["coldkey", "hotkey"] {
        let arguments = ["import", "--key", key, "--no-password", "--secret-fd", "0"];
        assert!(done(root.path(), &arguments, PHRASE).contains(ADDRESS));
    }
    root
}

#[test]
fn a_new_wallet_is_listed_shown_and_told_how_to_save() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert!(done(root, &["list"], "").starts_with("no wallets in "));
    let out =
        done(root, &["new", "--no-password", "--wallet", "my wallet", "--hotkey", "h1", "--words", "24"], "");
    // The commands that it names work as they stand.
    let commands: Vec<&str> = out.lines().filter(|line| line.contains("weigh wallet export")).collect();
    assert_eq!(commands.len(), 2, "{out}");
    for command in commands {
        let told = command.trim().strip_prefix("weigh").unwrap();
        let script = format!("{}{told}", env!("CARGO_BIN_EXE_weigh"));
        let output = Command::new("sh").arg("-c").arg(script).env_clear().output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().split_whitespace().count(), 24, "{command}");
    }
    let list = json(root, &["list"], "");
    let wallet = &list["wallets"][0];
    assert_eq!((&wallet["name"], &wallet["hotkeys"][0]["name"]), (&"my wallet".into(), &"h1".into()));
    let shown = json(root, &["show", "--wallet", "my wallet"], "");
    assert_eq!(shown["coldkey"], wallet["coldkey"]);
    assert_eq!(shown["coldkey"]["encrypted"], false);
    for path in ["my wallet/coldkey", "my wallet/coldkeypub.txt", "my wallet/hotkeys/h1"] {
        assert_eq!(fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777, 0o600, "{path}");
    }
    // No secret is printed without being asked for.
    let words = done(root, &["export", "--mnemonic", "--wallet", "my wallet"], "");
    for out in
        [out, list.to_string(), shown.to_string(), done(root, &["export", "--wallet", "my wallet"], "")]
    {
        assert!(
            !out.contains(words.trim()) && !out.contains("privateKey") && !out.contains("secret"),
            "{out}"
        );
    }
}

/// Six derivations of 512 MiB.
#[test]
fn an_encrypted_coldkey_opens_by_file_descriptor_or_variable_and_with_no_other_password() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let (right, wrong) = (root.join("right"), root.join("wrong"));
    fs::write(&right, format!("{PASSWORD}\nnot this line\n")).unwrap();
    fs::write(&wrong, "incorrect horse").unwrap();
    let [right, wrong] = [&right, &wrong].map(|path| path.to_str().unwrap());
    refused(root, &["new", "--json"], "", 4, "no password for the new coldkey: BT_PW_");
    refused(root, &["new", "--json"], "", 4, "--password-file");
    let made = json(root, &["new", "--password-file", right], "");
    let address = &made["written"][0]["address"];
    assert_eq!(made["written"][0]["encrypted"], true);
    let sign = ["sign", "--key", "coldkey", "--message", "x"];
    let with = |more: &[&str], input: &str| weigh(root, &[&sign[..], more].concat(), input, &[]);
    assert_eq!(with(&["--password-file", right], "").code, 0);
    assert_eq!(with(&["--password-fd", "0"], PASSWORD).code, 0);
    let variable = wallet::file::password_variable(&root.join("default/coldkey"));
    let value = wallet::file::variable_for_password(&variable, &PASSWORD.into());
    let by_variable = weigh(root, &sign, "", &[(&variable, &value)]);
    assert_eq!(by_variable.code, 0, "{}", by_variable.talk);
    let signature = by_variable.out.trim();
    let address = address.as_str().unwrap();
    let verify = ["verify", "--address", address, "--message", "x", "--signature", signature];
    assert_eq!(done(root, &verify, ""), format!("signed by {address}\n"));

    refused(root, &[&sign[..], &["--password-file", wrong]].concat(), "", 4, "wrong password, or the $NACL");
    refused(root, &sign, "", 4, "a password is needed: set BT_PW_");
    refused(root, &[&sign[..], &["--password-fd", "0"]].concat(), "\n", 4, "the password is empty");
    let nowhere = ["--password-file", "/nonexistent"];
    refused(root, &[&sign[..], &nowhere].concat(), "", 4, "/nonexistent");
    let garbled = weigh(root, &sign, "", &[(&variable, "?")]);
    assert!(garbled.code == 4 && garbled.talk.contains("is not base64"), "{}", garbled.talk);
    refused(root, &[&sign[..], &nowhere, &["--password-fd", "0"]].concat(), "", 2, "cannot be used with");
    // Its address needs no password.
    assert_eq!(json(root, &["show"], "")["coldkey"]["address"], address);
}

#[test]
fn keys_come_in_as_phrase_seed_private_key_or_address_and_go_out_without_their_secret() {
    let root = known();
    let root = root.path();
    let check = |wallet: &str, from: &[&str], secret: &str, address: &str| {
        let arguments = ["import", "--key", "hotkey", "--wallet", wallet, "--secret-fd", "0", "--from"];
        let made = json(root, &[&arguments[..], from].concat(), secret);
        assert_eq!(made["written"][0]["address"], address, "{wallet}");
        let out = json(root, &["export", "--key", "hotkey", "--wallet", wallet], "");
        assert_eq!(out["ss58Address"], address);
        assert!(out.get("secretSeed").is_none() && out.get("privateKey").is_none());
    };
    check("seed", &["seed"], SEED, ADDRESS);
    let ed = "5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL";
    check("ed", &["mnemonic", "--scheme", "ed25519"], &PHRASE.to_uppercase(), ed);
    let private = "0x33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09\
                   925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011";
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    check("private", &["private-key"], private, alice);
    json(root, &["import", "--wallet", "public", "--key", "coldkey", "--address", alice], "");
    assert_eq!(json(root, &["show", "--wallet", "public"], "")["coldkey"]["encrypted"], Value::Null);
    refused(
        root,
        &["sign", "--wallet", "public", "--key", "coldkey", "--message", "x"],
        "",
        3,
        "there is no key file",
    );
    refused(
        root,
        &["export", "--wallet", "seed", "--key", "hotkey", "--mnemonic"],
        "",
        4,
        "knows no mnemonic",
    );

    let import = |more: &[&'static str]| [&["import", "--wallet", "w", "--key", "hotkey"][..], more].concat();
    let stdin = &["--secret-fd", "0"][..];
    let from = |form: &'static str| import(&[stdin, &["--from", form]].concat());
    refused(root, &import(stdin), "bottom drive", 4, "mnemonic has 2 words, expected 12, 15, 18, 21 or 24");
    let typo = PHRASE.replace("curtain", "curtain0");
    refused(root, &import(stdin), &typo, 4, "word 5 of the mnemonic is not one of the 2048");
    refused(root, &import(stdin), &PHRASE.replace("walk", "fit"), 4, "wrong checksum");
    refused(root, &from("seed"), "0x12", 4, "secret has 2 characters, expected 64");
    refused(root, &from("private-key"), SEED, 4, "private key is not 128 hexadecimal digits");
    refused(root, &import(&[]), PHRASE, 4, "no secret to import");
    refused(root, &import(&["--address", "5Grw"]), "", 2, "--address: address has 3 bytes");
    let mistyped = ["--address", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ"];
    refused(root, &import(&mistyped), "", 2, "checksum does not match");
    assert!(!root.join("w").exists(), "what failed left nothing behind");
}

#[test]
fn nothing_is_replaced_or_written_unless_asked_for() {
    let root = known();
    let root = root.path();
    let before = fs::read(root.join("default/coldkey")).unwrap();
    refused(root, &["new", "--no-password"], "", 10, "exists already and is not overwritten");
    refused(root, &["new", "--no-password"], "", 10, "--force");
    refused(root, &["import", "--key", "coldkey", "--address", ADDRESS], "", 10, "exists already");
    let planned = json(root, &["new", "--dry-run", "--wallet", "other"], "");
    assert_eq!((&planned["dry_run"], &planned["written"][0]["address"]), (&true.into(), &Value::Null));
    assert!(!root.join("other").exists());
    assert_eq!(fs::read(root.join("default/coldkey")).unwrap(), before);
    done(root, &["new", "--no-password", "--force"], "");
    assert_ne!(fs::read(root.join("default/coldkey")).unwrap(), before);
}

#[test]
fn what_is_missing_or_damaged_is_named_with_its_exit_code() {
    let root = known();
    let root = root.path();
    refused(root, &["show", "--wallet", "nobody"], "", 3, "there is no wallet nobody in");
    refused(root, &["show", "--wallet", "nobody"], "", 3, "weigh wallet new --path /");
    refused(root, &["export", "--key", "hotkey", "--hotkey", "h"], "", 3, "weigh wallet show --path /");
    refused(root, &["sign", "--hotkey", "h", "--message", "x"], "", 3, "hotkeys/h");
    refused(root, &["show", "--wallet", "../default"], "", 2, "cannot name a wallet or hotkey");
    refused(root, &["new", "--words", "13"], "", 2, "expected 12, 15, 18, 21 or 24");
    fs::write(root.join("default/hotkeys/bad"), "{").unwrap();
    refused(root, &["sign", "--hotkey", "bad", "--message", "x"], "", 4, "is not a JSON object");
    let list = json(root, &["list"], "");
    assert_eq!(list["wallets"][0]["coldkey"]["address"], ADDRESS, "one bad file does not hide the others");
    assert!(list["wallets"][0]["hotkeys"][0]["key"]["error"].is_string());
    let homeless =
        Command::new(env!("CARGO_BIN_EXE_weigh")).args(["wallet", "list"]).env_clear().output().unwrap();
    assert_eq!(homeless.status.code(), Some(2));
}

#[test]
fn messages_are_signed_from_text_file_and_pipe_alike() {
    let root = known();
    let root = root.path();
    let message = root.join("message");
    fs::write(&message, "grüß").unwrap();
    let file = message.to_str().unwrap();
    for arguments in [["--message", "grüß"], ["--file", file], ["--file", "-"]] {
        let signed = json(root, &["sign", arguments[0], arguments[1]], "grüß");
        assert_eq!(signed["address"], ADDRESS);
        let signature = signed["signature"].as_str().unwrap();
        let verify = ["verify", "--address", ADDRESS, "--signature", signature, "--message"];
        assert_eq!(json(root, &[&verify[..], &["grüß"]].concat(), "")["valid"], true);
        refused(root, &[&verify[..], &["gruß"]].concat(), "", 1, "the signature is not by 5Dfh");
        let answer = weigh(root, &[&verify[..], &["gruß", "--json"]].concat(), "", &[]);
        let verdict: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!((answer.code, &verdict["valid"]), (1, &false.into()));
        refused(root, &[&verify[..], &["x", "--scheme", "ed25519"]].concat(), "", 1, "not by");
    }
    let verify = ["verify", "--message", "x", "--address"];
    refused(
        root,
        &[&verify[..], &[ADDRESS, "--signature", "0xab"]].concat(),
        "",
        2,
        "signature has 2 characters, expected 128",
    );
    refused(root, &[&verify[..], &["x", "--signature", "0xab"]].concat(), "", 2, "--address: address has");
    refused(root, &["sign", "--file", "/nonexistent"], "", 1, "cannot read the message from /nonexistent");
    refused(root, &["sign"], "", 2, "required arguments were not provided");
}

/// Opens our wallet and prints the addresses of its keys. Runs where WEIGH_BITTENSOR11_PYTHON names a Python that has
/// `bittensor` 11.3.0.
const THEIRS_READ: &str = r#"
import sys
from bittensor.wallet import Wallet
root, password = sys.argv[1:]
wallet = Wallet("default", "default", root)
print(wallet.get_coldkey(password).ss58_address, wallet.get_hotkey().ss58_address, wallet.hotkeypub.ss58_address)
"#;

#[test]
fn a_wallet_made_here_opens_in_the_sdk() {
    let Some(python) = std::env::var_os("WEIGH_BITTENSOR11_PYTHON") else {
        println!("skipped: WEIGH_BITTENSOR11_PYTHON names no Python with bittensor 11.3.0");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let made = json(root.path(), &["new", "--password-fd", "0"], PASSWORD);
    let [cold, hot] = [0, 1].map(|at| made["written"][at]["address"].as_str().unwrap());
    let output =
        Command::new(python).arg("-c").arg(THEIRS_READ).arg(root.path()).arg(PASSWORD).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), format!("{cold} {hot} {hot}"));
}
