//! Encrypted key files: the envelope around the JSON. `$NACL` is written and read; the two older ones are only read.
//!
//! Every cost (memory, rounds) is a constant of its format: a hostile file cannot choose it. Deriving a key takes
//! seconds by design and 512 MiB for `$NACL`; [`NaclKey`] keeps it for more than one file. [`Sealed`] is a file whose
//! fields are read and whose key is not derived yet: all that can be said about a file before its password.

use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use cbc::cipher::{BlockModeDecrypt as _, block_padding::Pkcs7};
use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305, aead::Aead as _};
use hmac::{Hmac, Mac as _};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Password;

/// What a `$NACL` file starts with. Source: Bittensor's key files.
const NACL_MARK: &[u8] = b"$NACL";
/// XSalsa20's nonce.
const NACL_NONCE_BYTES: usize = 24;
/// Poly1305's tag, in front of the ciphertext.
const NACL_TAG_BYTES: usize = 16;
/// The salt of every Bittensor key file. Source: Bittensor's key files.
const NACL_SALT: [u8; 16] = *b"\x13\x71\x83\xdf\xf1\x5a\x09\xbc\x9c\x90\xb5\x51\x87\x39\xe9\xb1";
/// Passes over the memory. Source: libsodium, `crypto_pwhash_argon2i_OPSLIMIT_SENSITIVE`.
const NACL_PASSES: u32 = 8;
/// 512 MiB. Source: libsodium, `crypto_pwhash_argon2i_MEMLIMIT_SENSITIVE`.
const NACL_MEMORY_KIB: u32 = 512 * 1024;

/// What an Ansible vault starts with. Source: Ansible's vault format.
const ANSIBLE_MARK: &[u8] = b"$ANSIBLE_VAULT";
/// Rounds of PBKDF2. Source: Ansible's vault format 1.1.
const ANSIBLE_ROUNDS: u32 = 10_000;
/// Cipher key, HMAC key, initial counter.
const ANSIBLE_KEY_BYTES: usize = 32 + 32 + 16;

/// What a Fernet token starts with: version 0x80 and the zero bytes of any time before the year 2106, in base64.
const FERNET_MARK: &[u8] = b"gAAAAA";
/// Version, time, initial vector in front; HMAC behind.
const FERNET_HEAD_BYTES: usize = 1 + 8 + 16;
/// HMAC-SHA256.
const FERNET_MAC_BYTES: usize = 32;
/// The version byte. Source: the Fernet specification.
const FERNET_VERSION: u8 = 0x80;
/// The fixed salt of the first Bittensor SDKs. Source: their key files.
const FERNET_SALT: &[u8] = b"Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins";
/// Rounds of PBKDF2. Source: the first Bittensor SDKs.
const FERNET_ROUNDS: u32 = 10_000_000;

/// Why an envelope did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// The password is wrong, or the file was changed: the two cannot be told apart.
    #[error("wrong password, or the {0} key file is damaged")]
    Password(Envelope),
    /// The file is cut or has something else where its format has a field.
    #[error("{envelope} key file is malformed: {reason}")]
    Malformed {
        /// Which envelope.
        envelope: Envelope,
        /// What is wrong.
        reason: &'static str,
    },
    /// The memory for the key's derivation is not there.
    #[error("could not derive the key: {} MiB of memory are needed", NACL_MEMORY_KIB / 1024)]
    Memory,
}

/// How a key file's bytes are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Not at all.
    Plain,
    /// `$NACL`: Argon2i and XSalsa20-Poly1305; today's.
    Nacl,
    /// `$ANSIBLE_VAULT`: PBKDF2, AES-256-CTR, HMAC.
    AnsibleVault,
    /// A Fernet token: PBKDF2, AES-128-CBC, HMAC.
    Fernet,
}

impl std::fmt::Display for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Nacl => "$NACL",
            Self::AnsibleVault => "$ANSIBLE_VAULT",
            Self::Fernet => "Fernet",
        })
    }
}

impl Envelope {
    /// The envelope that a file's first bytes tell.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        if file.starts_with(NACL_MARK) {
            Self::Nacl
        } else if file.starts_with(ANSIBLE_MARK) {
            Self::AnsibleVault
        } else if file.starts_with(FERNET_MARK) {
            Self::Fernet
        } else {
            Self::Plain
        }
    }

    /// Opens an encrypted file of any of the formats; a plain one is handed back as it is.
    ///
    /// # Errors
    /// [`EnvelopeError`]; a malformed file is told before any key is derived.
    pub fn open(file: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        match Self::of(file) {
            Self::Plain => Ok(Zeroizing::new(file.to_vec())),
            _ => {
                let sealed = Sealed::parse(file)?;
                sealed.open(&sealed.derive(password)?)
            }
        }
    }
}

/// The fields of an encrypted file.
#[derive(Clone, Debug)]
pub struct Sealed(Fields);

#[derive(Clone, Debug)]
enum Fields {
    Nacl { nonce: [u8; NACL_NONCE_BYTES], boxed: Vec<u8> },
    AnsibleVault(AnsibleVault),
    Fernet(Fernet),
}

/// The key of an encrypted file, derived from its password.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub enum SealedKey {
    /// Of a `$NACL` file.
    Nacl(NaclKey),
    /// Of an Ansible vault: cipher key, HMAC key, initial counter.
    AnsibleVault([u8; ANSIBLE_KEY_BYTES]),
    /// Of a Fernet token: HMAC key, cipher key.
    Fernet([u8; 32]),
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedKey(…)")
    }
}

impl Sealed {
    /// Reads the fields of an encrypted file; nothing is derived, and nothing is larger than the file.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`], also for a plain file.
    pub fn parse(file: &[u8]) -> Result<Self, EnvelopeError> {
        Ok(Self(match Envelope::of(file) {
            Envelope::Plain => return Err(malformed(Envelope::Plain, "it has no encryption's mark")),
            Envelope::Nacl => {
                let (nonce, boxed) = nacl_parts(file)?;
                Fields::Nacl { nonce: *nonce, boxed: boxed.to_vec() }
            }
            Envelope::AnsibleVault => Fields::AnsibleVault(AnsibleVault::parse(file)?),
            Envelope::Fernet => Fields::Fernet(Fernet::parse(file)?),
        }))
    }

    /// Derives the file's key: slow by design.
    ///
    /// # Errors
    /// [`EnvelopeError::Memory`].
    pub fn derive(&self, password: &Password) -> Result<SealedKey, EnvelopeError> {
        Ok(match &self.0 {
            Fields::Nacl { .. } => SealedKey::Nacl(NaclKey::derive(password)?),
            Fields::AnsibleVault(vault) => SealedKey::AnsibleVault(*vault.key(password)),
            Fields::Fernet(_) => SealedKey::Fernet(*fernet_key(password)),
        })
    }

    /// Decrypts the file.
    ///
    /// # Errors
    /// [`EnvelopeError::Password`], also for a key of another envelope.
    pub fn open(&self, key: &SealedKey) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        match (&self.0, key) {
            (Fields::Nacl { nonce, boxed }, SealedKey::Nacl(key)) => key.decrypt(nonce, boxed),
            (Fields::AnsibleVault(vault), SealedKey::AnsibleVault(key)) => vault.open(key),
            (Fields::Fernet(token), SealedKey::Fernet(key)) => token.open(key),
            (fields, _) => Err(EnvelopeError::Password(match fields {
                Fields::Nacl { .. } => Envelope::Nacl,
                Fields::AnsibleVault(_) => Envelope::AnsibleVault,
                Fields::Fernet(_) => Envelope::Fernet,
            })),
        }
    }
}

fn malformed(envelope: Envelope, reason: &'static str) -> EnvelopeError {
    EnvelopeError::Malformed { envelope, reason }
}

/// The key that a password gives for `$NACL` files: the same for every file.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NaclKey([u8; 32]);

impl NaclKey {
    /// Derives the key: Argon2i 1.3 over 512 MiB, some seconds.
    ///
    /// # Errors
    /// [`EnvelopeError::Memory`].
    pub fn derive(password: &Password) -> Result<Self, EnvelopeError> {
        let params = Params::new(NACL_MEMORY_KIB, NACL_PASSES, 1, Some(32))
            .expect("the format's constants are within Argon2's bounds");
        let mut key = Self([0; 32]);
        Argon2::new(Algorithm::Argon2i, Version::V0x13, params)
            .hash_password_into(password.expose().as_bytes(), &NACL_SALT, &mut key.0)
            .map_err(|_| EnvelopeError::Memory)?;
        Ok(key)
    }

    /// The key with these bytes, derived before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts a key file. A nonce must never be used twice; it comes from the operating system.
    #[must_use]
    pub fn seal(&self, plain: &[u8], nonce: [u8; NACL_NONCE_BYTES]) -> Vec<u8> {
        let boxed = XSalsa20Poly1305::new((&self.0).into())
            .encrypt((&nonce).into(), plain)
            .expect("only lengths past 2^64 cannot be encrypted");
        [NACL_MARK, &nonce, &boxed].concat()
    }

    /// Decrypts a key file.
    ///
    /// # Errors
    /// [`EnvelopeError::Password`] and [`EnvelopeError::Malformed`].
    pub fn open(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let (nonce, boxed) = nacl_parts(file)?;
        self.decrypt(nonce, boxed)
    }

    fn decrypt(
        &self,
        nonce: &[u8; NACL_NONCE_BYTES],
        boxed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        XSalsa20Poly1305::new((&self.0).into())
            .decrypt(nonce.into(), boxed)
            .map(Zeroizing::new)
            .map_err(|_| EnvelopeError::Password(Envelope::Nacl))
    }
}

impl std::fmt::Debug for NaclKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NaclKey(…)")
    }
}

/// The nonce and the box of a `$NACL` file.
fn nacl_parts(file: &[u8]) -> Result<(&[u8; NACL_NONCE_BYTES], &[u8]), EnvelopeError> {
    let body =
        file.strip_prefix(NACL_MARK).ok_or(malformed(Envelope::Nacl, "it does not start with $NACL"))?;
    body.split_first_chunk()
        .filter(|(_, boxed)| boxed.len() >= NACL_TAG_BYTES)
        .ok_or(malformed(Envelope::Nacl, "it is too short for a nonce and a tag"))
}

/// The fields of an Ansible vault of version 1.1 or 1.2.
#[derive(Clone, Debug)]
struct AnsibleVault {
    salt: Vec<u8>,
    mac: Vec<u8>,
    boxed: Vec<u8>,
}

impl AnsibleVault {
    fn parse(file: &[u8]) -> Result<Self, EnvelopeError> {
        let wrong = |reason| malformed(Envelope::AnsibleVault, reason);
        let text = std::str::from_utf8(file).map_err(|_| wrong("it is not text"))?;
        let (head, body) = text.split_once('\n').ok_or(wrong("it has one line only"))?;
        let fields: Vec<&str> = head.trim_end().split(';').collect();
        if !matches!(fields[..], [_, "1.1", "AES256"] | [_, "1.2", "AES256", _]) {
            return Err(wrong("its first line is not that of version 1.1 or 1.2 with AES256"));
        }
        let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let inner = hex::decode(digits).map_err(|_| wrong("its body is not hexadecimal"))?;
        let mut parts = inner.split(|byte| *byte == b'\n').map(hex::decode);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(salt)), Some(Ok(mac)), Some(Ok(boxed)), None) => Ok(Self { salt, mac, boxed }),
            _ => Err(wrong("its body is not a salt, a code and a ciphertext")),
        }
    }

    fn key(&self, password: &Password) -> Zeroizing<[u8; ANSIBLE_KEY_BYTES]> {
        let mut key = Zeroizing::new([0u8; ANSIBLE_KEY_BYTES]);
        pbkdf2_hmac::<Sha256>(password.expose().as_bytes(), &self.salt, ANSIBLE_ROUNDS, &mut *key);
        key
    }

    fn open(&self, key: &[u8; ANSIBLE_KEY_BYTES]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let wrong = EnvelopeError::Password(Envelope::AnsibleVault);
        let (cipher_key, rest) = key.split_at(32);
        let (mac_key, counter) = rest.split_at(32);
        check_mac(mac_key, &self.boxed, &self.mac, wrong)?;
        let mut plain = Zeroizing::new(self.boxed.clone());
        ctr::Ctr128BE::<aes::Aes256>::new_from_slices(cipher_key, counter)
            .expect("the key was cut to the cipher's sizes")
            .apply_keystream(&mut plain);
        // The plain text was filled up to whole blocks, although this cipher needs none. Source: PKCS #7.
        let filling = plain.last().map_or(0, |last| usize::from(*last));
        let kept = plain.len().checked_sub(filling).filter(|_| (1..=16).contains(&filling)).ok_or(wrong)?;
        if plain[kept..].iter().any(|byte| usize::from(*byte) != filling) {
            return Err(wrong);
        }
        plain.truncate(kept);
        Ok(plain)
    }
}

/// The fields of a Fernet token.
#[derive(Clone, Debug)]
struct Fernet {
    token: Vec<u8>,
}

impl Fernet {
    fn parse(file: &[u8]) -> Result<Self, EnvelopeError> {
        let wrong = |reason| malformed(Envelope::Fernet, reason);
        let token = URL_SAFE.decode(file.trim_ascii()).map_err(|_| wrong("it is not base64"))?;
        if token.first() != Some(&FERNET_VERSION) {
            return Err(wrong("its version is not 0x80"));
        }
        if token.len() < FERNET_HEAD_BYTES + 16 + FERNET_MAC_BYTES {
            return Err(wrong("it is too short for its fields"));
        }
        Ok(Self { token })
    }

    fn open(&self, key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let wrong = EnvelopeError::Password(Envelope::Fernet);
        let (mac_key, cipher_key) = key.split_at(16);
        let (signed, mac) = self.token.split_at(self.token.len() - FERNET_MAC_BYTES);
        check_mac(mac_key, signed, mac, wrong)?;
        let (head, boxed) = signed.split_at(FERNET_HEAD_BYTES);
        let vector = &head[FERNET_HEAD_BYTES - 16..];
        cbc::Decryptor::<aes::Aes128>::new_from_slices(cipher_key, vector)
            .expect("the key was cut to the cipher's sizes")
            .decrypt_padded_vec::<Pkcs7>(boxed)
            .map(Zeroizing::new)
            .map_err(|_| wrong)
    }
}

/// HMAC key and cipher key of a Fernet token: ten million rounds, some seconds.
fn fernet_key(password: &Password) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0u8; 32]);
    pbkdf2_hmac::<Sha256>(password.expose().as_bytes(), FERNET_SALT, FERNET_ROUNDS, &mut *key);
    key
}

/// Compares in constant time.
fn check_mac(key: &[u8], signed: &[u8], mac: &[u8], wrong: EnvelopeError) -> Result<(), EnvelopeError> {
    let mut hmac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(signed);
    hmac.verify_slice(mac).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = br#"{"ss58Address":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"}"#;
    /// `password1`. The key is also the known result of libsodium.
    const NACL_KEY: &str = "b64897917026cedb756a741083a1cee9ee44b34f343984590ade75eb0810ab7f";
    const FERNET_KEY: &str = "a7353ecb9c9b01e87b7e52413c1dc906231fa98040f1d8ef44010f05653bd637";
    /// Made with the standard tools of another language; the SDK opens it with `password1`.
    const FERNET: &str = "gAAAAABfXhAAAAECAwQFBgcICQoLDA0OD_m_xgmlCIA6JfAK5EDpoH5GaCKO1aBc2ypguj-jel0wYDtb2fa-kZjb2tn\
                          F6pbq_-l9NxpF_T9hzLN-fw9l5tWVOayIvHaXi95nkjBQF_eed4mCnpAvtcQnI26tWTXKPRx_p7xfnzzyGy333srSACE=";
    /// As [`FERNET`].
    const VAULT: &str = "$ANSIBLE_VAULT;1.1;AES256
30303031303230333034303530363037303830393061306230633064306530663130313131323133
3134313531363137313831393161316231633164316531660a323763663432323930393762303334
65326432656661363333326566313630376166313833623336303266646433323264343535613061
6438373666353336300a633761303832666630326563653534613363343633393935623033343732
62616335613166346665333837623435616130333532636233393161626137653631323734376531
34343430636363373963663137623065653065653331343838663563653930373132616362396564
33653966376237646564363135666539666336353036636137663764313865336563343166313838
61323064636164626231
";

    fn key_of(hex_digits: &str) -> [u8; 32] {
        let mut key = [0; 32];
        hex::decode_to_slice(hex_digits, &mut key).unwrap();
        key
    }

    fn counting_nonce() -> [u8; 24] {
        std::array::from_fn(|index| u8::try_from(index).unwrap())
    }

    #[test]
    fn nacl_gives_the_known_bytes_and_opens_them() {
        let key = NaclKey(key_of(NACL_KEY));
        let file = key.seal(br#"{"a":1}"#, counting_nonce());
        let body = "e0d15c91d4751b63e0e25f99f36c300f27b23bc4bff105";
        let nonce = hex::encode(counting_nonce());
        assert_eq!(hex::encode(&file), format!("244e41434c{nonce}{body}"));
        assert_eq!(&**key.open(&file).unwrap(), br#"{"a":1}"#);
        assert_eq!(NaclKey([0; 32]).open(&file).unwrap_err(), EnvelopeError::Password(Envelope::Nacl));
    }

    /// Takes 512 MiB and some seconds.
    #[test]
    fn argon2_gives_the_known_key() {
        assert_eq!(NaclKey::derive(&"password1".into()).unwrap().expose(), &key_of(NACL_KEY));
    }

    #[test]
    fn an_ansible_vault_opens_with_its_password_only() {
        assert_eq!(&**Envelope::open(VAULT.as_bytes(), &"password1".into()).unwrap(), PLAIN);
        let wrong = Envelope::open(VAULT.as_bytes(), &"password2".into()).unwrap_err();
        assert_eq!(wrong, EnvelopeError::Password(Envelope::AnsibleVault));
        let labelled = VAULT.replace("1.1;AES256", "1.2;AES256;dev").replace('\n', "\r\n");
        assert_eq!(&**Envelope::open(labelled.as_bytes(), &"password1".into()).unwrap(), PLAIN);
    }

    #[test]
    fn a_fernet_token_opens_with_its_key() {
        let token = Fernet::parse(FERNET.as_bytes()).unwrap();
        assert_eq!(&**token.open(&key_of(FERNET_KEY)).unwrap(), PLAIN);
        assert_eq!(token.open(&[0; 32]).unwrap_err(), EnvelopeError::Password(Envelope::Fernet));
    }

    #[test]
    fn a_key_of_another_envelope_opens_nothing() {
        let keys = [
            SealedKey::Nacl(NaclKey(key_of(NACL_KEY))),
            SealedKey::AnsibleVault([0; ANSIBLE_KEY_BYTES]),
            SealedKey::Fernet(key_of(FERNET_KEY)),
        ];
        let nacl = NaclKey(key_of(NACL_KEY)).seal(PLAIN, counting_nonce());
        let files = [nacl.as_slice(), VAULT.as_bytes(), FERNET.as_bytes()];
        for (at, file) in files.into_iter().enumerate() {
            let sealed = Sealed::parse(file).unwrap();
            for (other, key) in keys.iter().enumerate().filter(|(other, _)| *other != at) {
                let refused = sealed.open(key).unwrap_err();
                assert_eq!(refused, EnvelopeError::Password(Envelope::of(file)), "{other}");
            }
        }
        assert_eq!(&**Sealed::parse(&nacl).unwrap().open(&keys[0]).unwrap(), PLAIN);
        assert!(matches!(Sealed::parse(PLAIN), Err(EnvelopeError::Malformed { .. })));
    }

    /// Ten million rounds: some seconds where `sha2` is optimised, a minute where not. Runs where WEIGH_SLOW_KEYS is set.
    #[test]
    fn a_fernet_password_gives_the_known_key() {
        #[expect(clippy::disallowed_methods, reason = "only this test is chosen by a variable")]
        if std::env::var_os("WEIGH_SLOW_KEYS").is_none() {
            println!("skipped: set WEIGH_SLOW_KEYS=1");
            return;
        }
        assert_eq!(&**Envelope::open(FERNET.as_bytes(), &"password1".into()).unwrap(), PLAIN);
    }

    #[test]
    fn malformed_files_are_refused_before_any_key_is_derived() {
        let check = |file: &str, reason: &str| {
            let shown = Envelope::open(file.as_bytes(), &"x".into()).unwrap_err().to_string();
            assert!(shown.ends_with(reason), "{shown}");
        };
        check("$NACL", "it is too short for a nonce and a tag");
        check("$ANSIBLE_VAULT", "it has one line only");
        check(
            "$ANSIBLE_VAULT;1.1;AES128\n00",
            "its first line is not that of version 1.1 or 1.2 with AES256",
        );
        check("$ANSIBLE_VAULT;1.1;AES256\nxx", "its body is not hexadecimal");
        check("$ANSIBLE_VAULT;1.1;AES256\n00", "its body is not a salt, a code and a ciphertext");
        check("gAAAAA", "it is not base64");
        check("gAAAAAAA", "it is too short for its fields");
    }

    /// 10,000 damaged files per format, or WEIGH_WALLET_MUTATIONS; no key is derived for them.
    #[test]
    fn damaged_envelopes_never_panic_and_never_open() {
        let mut stream = primitives::Seed::from_number(1).stream("damage", 0);
        let nacl_key = NaclKey(key_of(NACL_KEY));
        let nacl = nacl_key.seal(PLAIN, counting_nonce());
        let vault_key = AnsibleVault::parse(VAULT.as_bytes()).unwrap().key(&"password1".into());
        let fernet_key = key_of(FERNET_KEY);
        #[expect(clippy::disallowed_methods, reason = "only the length of this test is chosen by a variable")]
        let rounds = std::env::var("WEIGH_WALLET_MUTATIONS").ok().and_then(|text| text.parse::<u32>().ok());
        for round in 0..rounds.unwrap_or(10_000) {
            let mut damaged = nacl.clone();
            damage(&mut damaged, &mut stream);
            let opened = nacl_key.open(&damaged);
            assert!(opened.is_err() || damaged == nacl, "round {round}");
            let mut damaged = VAULT.as_bytes().to_vec();
            damage(&mut damaged, &mut stream);
            if let Ok(opened) = AnsibleVault::parse(&damaged).and_then(|vault| vault.open(&vault_key)) {
                assert_eq!(&**opened, PLAIN, "round {round}");
            }
            let mut damaged = FERNET.as_bytes().to_vec();
            damage(&mut damaged, &mut stream);
            if let Ok(opened) = Fernet::parse(&damaged).and_then(|token| token.open(&fernet_key)) {
                assert_eq!(&**opened, PLAIN, "round {round}");
            }
        }
    }

    /// Flips a byte, cuts, repeats or inserts.
    fn damage(file: &mut Vec<u8>, stream: &mut primitives::Stream) {
        let at = stream.index(file.len());
        let byte = u8::try_from(stream.below(256)).unwrap();
        match stream.below(4) {
            0 => file[at] = byte,
            1 => file.truncate(at),
            2 => file.insert(at, byte),
            _ => {
                let tail = file[at..].to_vec();
                file.extend(tail);
            }
        }
    }
}
