//! Key files of every form. Reading is apart from deriving: no password is stretched here, and a phrase only once in
//! [`PHRASE_EVERY`] inputs.
#![no_main]

use std::sync::LazyLock;

use fuzz::{FERNET_KEY, NACL_KEY, PASSWORD, SEALED_PLAIN, VAULT, bounded};
use libfuzzer_sys::fuzz_target;
use wallet::{
    Envelope, KeyFields, KeyFile, Sealed,
    envelope::{NaclKey, SealedKey},
};

/// Of files with a phrase, one in so many is derived, by its length: the 2,048 rounds take a millisecond.
const PHRASE_EVERY: usize = 16;

/// The keys of the seeds' encrypted files.
static KEYS: LazyLock<[SealedKey; 3]> = LazyLock::new(|| {
    let vault = Sealed::parse(VAULT.as_bytes()).and_then(|vault| vault.derive(&PASSWORD.into()));
    [
        SealedKey::Nacl(NaclKey::from_bytes(NACL_KEY)),
        vault.expect("a whole vault"),
        SealedKey::Fernet(FERNET_KEY),
    ]
});

fuzz_target!(|input: &[u8]| {
    LazyLock::force(&KEYS);
    bounded(input, || {
        if Envelope::of(input) == Envelope::Plain {
            plain(input);
        } else {
            assert!(KeyFields::parse(input).is_err(), "an encrypted file was read as a plain one");
            sealed(input);
        }
        sealed_by_us(input);
    });
});

fn plain(file: &[u8]) {
    let Ok(fields) = KeyFields::parse(file) else { return };
    if fields.has_phrase() && file.len() % PHRASE_EVERY != 0 {
        return;
    }
    let Ok(key) = fields.derive() else { return };
    let printed = key.to_json();
    let again = KeyFile::parse(&printed).expect("what we print, we read");
    assert_eq!(again.public(), key.public());
    assert_eq!(again.to_json(), printed, "printed and read again");
    if let (Some(pair), Some(again)) = (key.into_pair(), again.into_pair()) {
        assert_eq!(pair.expose_private_key(), again.expose_private_key());
    }
}

fn sealed(file: &[u8]) {
    let Ok(sealed) = Sealed::parse(file) else { return };
    for key in &*KEYS {
        if let Ok(opened) = sealed.open(key) {
            assert_eq!(&**opened, SEALED_PLAIN, "a changed file opened");
        }
    }
}

/// Whatever is sealed opens again, and not when a byte of it is another.
fn sealed_by_us(plain: &[u8]) {
    let key = NaclKey::from_bytes(NACL_KEY);
    let mut file = key.seal(plain, [9; 24]);
    assert_eq!(&**key.open(&file).expect("just sealed"), plain);
    let at = file.len() - 1 - plain.len() % 16;
    file[at] ^= 1;
    assert!(key.open(&file).is_err(), "a changed file opened");
}
