//! Both ways with the Python SDK: each opens what the other wrote. Runs where WEIGH_BITTENSOR11_PYTHON names a Python
//! that has `bittensor` 11.3.0; the network is not needed.

use std::{env, ffi::OsString, path::Path, process::Command};

use wallet::{
    Envelope, Keypair, Mnemonic, Scheme,
    envelope::NaclKey,
    file::{Overwrite, PasswordSources, Protection, Wallets},
};

const PASSWORD: &str = "interop password";

/// Writes two wallets: `p` plain and ed25519, `e` with an encrypted coldkey and hotkey; prints four addresses.
const THEIRS_WRITE: &str = r#"
import sys
from bittensor.wallet import Wallet
root, password = sys.argv[1:]
plain = Wallet("p", "h", root)
plain.create_new_coldkey(use_password=False, suppress=True, crypto_type=0)
plain.create_new_hotkey(suppress=True, n_words=24)
locked = Wallet("e", "h", root)
locked.create_new_coldkey(coldkey_password=password, suppress=True)
locked.create_new_hotkey(hotkey_password=password, suppress=True)
for wallet in (plain, locked):
    print(wallet.coldkeypub.ss58_address, wallet.hotkeypub.ss58_address)
"#;

/// Opens a wallet of ours and prints the addresses and a signature by each key.
const THEIRS_READ: &str = r#"
import sys
from bittensor.wallet import Wallet
root, name, password = sys.argv[1:]
wallet = Wallet(name, "h", root)
for pair in (wallet.get_coldkey(password), wallet.get_hotkey(password)):
    print(pair.ss58_address, bytes(pair.sign(b"interop")).hex())
assert wallet.coldkeypub.ss58_address == wallet.coldkey.ss58_address
assert wallet.hotkeypub.ss58_address == wallet.hotkey.ss58_address
"#;

fn python() -> Option<OsString> {
    let python = env::var_os("WEIGH_BITTENSOR11_PYTHON");
    if python.is_none() {
        println!("skipped: WEIGH_BITTENSOR11_PYTHON names no Python with bittensor 11.3.0");
    }
    python
}

fn run(python: &OsString, script: &str, arguments: &[&str]) -> Vec<Vec<String>> {
    let output = Command::new(python).arg("-c").arg(script).args(arguments).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

fn sources() -> PasswordSources<'static> {
    PasswordSources { given: Some(PASSWORD.into()), prompt: None }
}

#[test]
fn wallets_of_the_sdk_open_here() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    let root = home.path().to_str().unwrap();
    let addresses = run(&python, THEIRS_WRITE, &[root, PASSWORD]);
    let wallets = Wallets::at(Path::new(root));
    assert_eq!(wallets.names().unwrap().len(), 2);
    for (wallet, addresses, envelope) in
        [("p", &addresses[0], Envelope::Plain), ("e", &addresses[1], Envelope::Nacl)]
    {
        let wallet = wallets.wallet(&wallet.parse().unwrap());
        let places = [wallet.coldkey(), wallet.hotkey(&"h".parse().unwrap())];
        for (place, address) in places.iter().zip(addresses) {
            assert_eq!(place.envelope().unwrap(), envelope);
            let pair = place.read_pair(&mut sources()).unwrap();
            assert_eq!(&pair.public().account.to_ss58(), address);
            assert_eq!(place.read_public().unwrap(), pair.public());
            assert!(pair.expose_mnemonic().is_some());
        }
    }
    let wallet = wallets.wallet(&"p".parse().unwrap());
    assert_eq!(wallet.coldkey().read_public().unwrap().scheme, Scheme::Ed25519);
    let words = wallet.hotkey(&"h".parse().unwrap()).read_pair(&mut sources()).unwrap();
    assert_eq!(words.expose_mnemonic().unwrap().word_count(), 24);
}

#[test]
fn wallets_from_here_open_in_the_sdk() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    let root = home.path().to_str().unwrap();
    let mnemonic = Mnemonic::from_entropy(&[3; 16]).unwrap();
    let pairs = [
        Keypair::from_mnemonic(Scheme::Sr25519, &mnemonic, None),
        Keypair::from_mnemonic(Scheme::Ed25519, &mnemonic, None),
        Keypair::from_seed(Scheme::Sr25519, &mnemonic.seed(None)),
        // No mnemonic and no seed: only the private key.
        Keypair::development("Alice").unwrap(),
    ];
    let key = NaclKey::derive(&PASSWORD.into()).unwrap();
    for (number, [cold, hot]) in [[0, 1], [2, 3], [1, 0]].into_iter().enumerate() {
        let name = format!("w{number}");
        let wallet = Wallets::at(Path::new(root)).wallet(&name.parse().unwrap());
        let protection = if number == 0 {
            Protection::Nacl { key: &key, nonce: [u8::try_from(number).unwrap(); 24] }
        } else {
            Protection::Plain
        };
        wallet.coldkey().write_pair(&pairs[cold], protection, Overwrite::Refuse).unwrap();
        let hotkey = wallet.hotkey(&"h".parse().unwrap());
        hotkey.write_pair(&pairs[hot], Protection::Plain, Overwrite::Refuse).unwrap();
        let told = run(&python, THEIRS_READ, &[root, &name, PASSWORD]);
        for (line, pair) in told.iter().zip([&pairs[cold], &pairs[hot]]) {
            assert_eq!(line[0], pair.public().account.to_ss58());
            assert!(pair.public().verify(b"interop", &line[1].parse().unwrap()));
        }
    }
}
