//! The texts that people type: addresses, mnemonics, derivation paths, secret URIs, signatures, names, passwords.
#![no_main]

use fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use primitives::AccountId;
use wallet::{
    DerivationPath, Mnemonic, SecretSeed, SecretUri, Signature,
    file::{KeyName, password_from_variable, variable_for_password},
};

/// The most junctions that a path may have.
const JUNCTIONS_MAX: usize = 64;
/// A variable as the SDK names it.
const VARIABLE: &str = "BT_PW__HOME_X__BITTENSOR_WALLETS_D_COLDKEY";

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    bounded(input, || {
        address(&text);
        mnemonic(&text);
        path(&text);
        let _ = text.parse::<SecretUri>();
        if let Ok(seed) = SecretSeed::from_hex(&text) {
            assert_eq!(SecretSeed::from_hex(&seed.to_hex()), Ok(seed));
        }
        if let Ok(signature) = text.parse::<Signature>() {
            assert_eq!(signature.to_string().parse(), Ok(signature));
        }
        if let Ok(name) = text.parse::<KeyName>() {
            assert_eq!(name.as_str(), text);
            assert!(!text.contains('/') && text != ".." && !text.is_empty());
        }
        if let Some(password) = password_from_variable(VARIABLE, &text) {
            let value = variable_for_password(VARIABLE, &password);
            assert_eq!(password_from_variable(VARIABLE, &value), Some(password));
        }
    });
});

fn address(text: &str) {
    let Ok(account) = AccountId::from_ss58(text) else { return };
    // One account has one text.
    assert_eq!(account.to_ss58(), text);
}

fn mnemonic(text: &str) {
    let Ok(mnemonic) = Mnemonic::parse(text) else { return };
    let words = mnemonic.expose_words();
    assert_eq!(words.split(' ').count(), mnemonic.word_count());
    assert_eq!(Mnemonic::parse(&words).as_ref(), Ok(&mnemonic));
    assert_eq!(Mnemonic::from_entropy(mnemonic.expose_entropy()), Ok(mnemonic));
}

/// Paths have no print, as a junction's code may be a hash. But of two of them, one behind the other, the junctions
/// stand one behind the other too.
fn path(text: &str) {
    let Ok(whole) = text.parse::<DerivationPath>() else { return };
    assert!(whole.junctions().len() <= JUNCTIONS_MAX);
    let middle = text.match_indices('/').map(|(at, _)| at).nth(whole.junctions().len() / 2).unwrap_or(0);
    let (front, back) = text.split_at(middle);
    if let (Ok(front), Ok(back)) = (front.parse::<DerivationPath>(), back.parse::<DerivationPath>()) {
        let joined: Vec<_> = front.junctions().iter().chain(back.junctions()).cloned().collect();
        assert_eq!(joined, whole.junctions());
    }
}
