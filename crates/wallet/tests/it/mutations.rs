//! Hostile plain key files: random damage to valid ones.

use primitives::{Seed, Stream};
use wallet::{KeyFile, KeyFileError, Keypair, Mnemonic, Scheme};

/// Damaged files tried by default; WEIGH_WALLET_MUTATIONS=100000 is the full count, about a minute.
const MUTATIONS: u64 = 10_000;

/// What hostile files are stitched from, besides random bytes.
const FRAGMENTS: [&str; 14] = [
    "{",
    "}",
    "[",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "1e999",
    "-1",
    "0x",
    "\"cryptoType\":",
    "\"secretPhrase\":",
    "$NACL",
    "\u{feff}",
];

fn damage(file: &mut Vec<u8>, stream: &mut Stream) {
    for _ in 0..=stream.below(3) {
        let at = stream.index(file.len() + 1);
        match stream.below(6) {
            0 => file.truncate(at),
            1 => file.insert(at, u8::try_from(stream.below(256)).unwrap()),
            2 => drop(file.drain(at..(at + stream.index(40)).min(file.len()).max(at))),
            3 => drop(file.splice(at..at, FRAGMENTS[stream.index(FRAGMENTS.len())].bytes())),
            4 => {
                let tail = file[at..].to_vec();
                file.extend(tail);
            }
            _ => {
                if let Some(byte) = file.get_mut(at) {
                    *byte ^= 1 << stream.below(8);
                }
            }
        }
    }
}

#[test]
fn damaged_key_files_never_panic() {
    let count = std::env::var("WEIGH_WALLET_MUTATIONS").ok().and_then(|text| text.parse().ok());
    let mnemonic = Mnemonic::from_entropy(&[7; 16]).unwrap();
    let pairs =
        [Scheme::Sr25519, Scheme::Ed25519].map(|scheme| Keypair::from_mnemonic(scheme, &mnemonic, None));
    let files: Vec<Vec<u8>> = pairs
        .iter()
        .flat_map(|pair| {
            let public = KeyFile::Public(pair.public());
            [KeyFile::Pair(Box::new(pair.clone())).to_json().to_vec(), public.to_json().to_vec()]
        })
        .chain([mnemonic.expose_words().as_bytes().to_vec()])
        .collect();
    let mut stream = Seed::from_number(2).stream("damage", 0);
    let (mut read, mut refused) = (0u64, 0u64);
    for _ in 0..count.unwrap_or(MUTATIONS) {
        let mut file = files[stream.index(files.len())].clone();
        damage(&mut file, &mut stream);
        match KeyFile::parse(&file) {
            Ok(_) => read += 1,
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    println!("{read} damaged files still gave a key, {refused} were refused");
    assert!(refused > read / 4);
}

#[test]
fn each_kind_of_bad_file_has_its_own_error() {
    let check = |file: &str, expect: &str| {
        let shown = KeyFile::parse(file.as_bytes()).unwrap_err().to_string();
        assert!(shown.starts_with(expect), "{file}: {shown}");
    };
    check("", "key file is not a JSON object with text fields (line 1, column 0)");
    check("[]", "key file is not a JSON object");
    check("{}", "key file has no secretPhrase");
    check(r#"{"secretPhrase":3}"#, "key file is not a JSON object with text fields");
    check(r#"{"secretPhrase":"one two"}"#, "secretPhrase: mnemonic has 2 words");
    check(r#"{"secretSeed":"0x12"}"#, "secretSeed: secret has 2 characters");
    check(r#"{"privateKey":"0x12"}"#, "privateKey: private key is not 128");
    check(r#"{"ss58Address":"5"}"#, "ss58Address: address has");
    check(r#"{"cryptoType":7,"ss58Address":"5"}"#, "cryptoType is 7, expected 0");
    check(r#"{"cryptoType":"x","ss58Address":"5"}"#, "cryptoType is \"x\", expected 0");
    check(r#"{"encoded":"abc","encoding":{}}"#, "key file is an export of a browser");
    check("$NACL", "key file is encrypted ($NACL)");
    assert_eq!(KeyFile::parse(&vec![b' '; 20_000]).unwrap_err(), KeyFileError::TooLarge { found: 20_000 });
    // Depth is bounded by the parser, not by the stack.
    check(&format!("{{\"a\":{}", "[".repeat(16_000)), "key file is not a JSON object");
    let mismatch = format!(
        r#"{{"secretSeed":"0x{}","ss58Address":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"}}"#,
        "01".repeat(32)
    );
    check(&mismatch, "the key in the file has address 5");
}

#[test]
fn the_first_secret_counts_and_the_address_tells_the_scheme() {
    let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    let first = format!(r#"{{"privateKey":"junk","secretSeed":"junk","secretPhrase":"{phrase}"}}"#);
    let address = |file: &str| KeyFile::parse(file.as_bytes()).unwrap().public();
    assert_eq!(address(&first).account.to_ss58(), "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV");
    assert_eq!(address(phrase), address(&first));
    // Without cryptoType, but with an ed25519 address.
    let ed = "5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL";
    let mislabelled = format!(r#"{{" ss58Address":"{ed}","cryptoType":"1","secretPhrase":"{phrase}"}}"#);
    assert_eq!(address(&mislabelled).scheme, Scheme::Ed25519);
    assert_eq!(address(&mislabelled).account.to_ss58(), ed);
}
