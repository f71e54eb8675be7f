//! Bytes that nobody can read before a beacon's round, its owner included: what commit–reveal version 4 commits to.
//!
//! [`encrypt`] locks a payload for a round of a beacon, [`decrypt`] opens it with that round's [`Signature`]; [`Beacon`]
//! says when that is, and [`WeightsPayload`] is what the chain expects inside. The format is that of the chain
//! (`TLECiphertext<TinyBLS381>` of ideal-lab5's `timelock` with AES-GCM) and of PyPI's `bittensor-drand`. It is not
//! drand's own `tlock`. What goes to the chain, and how a chain gets its pulses, is not decided here.
//!
//! The scheme is the identity-based encryption of Boneh and Franklin in its variant FullIdent ("Identity-based encryption
//! from the Weil pairing", 2001, §4.2). The identity is the round, whose private key is the beacon's signature of it. With
//! the public key P, the round's point Q, a fresh session key k and fresh bits σ:
//!
//! - r = SHA-256(σ ‖ k) as a big-endian number modulo the group's order; u = r·G₂;
//! - v = σ ⊕ SHA-256(e(Q, P)^r), where the element of the target group is written as arkworks does; w = k ⊕ SHA-256(σ);
//! - the payload under AES-256-GCM with k, a nonce of 12 bytes and no associated data.
//!
//! The signature S opens it since e(S, u) = e(Q, P)^r, and u is made again from what was found: a ciphertext that was not
//! made in this way does not open.

mod beacon;
mod hash_to_curve;
mod payload;

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _},
};
use ark_bls12_381::{Bls12_381, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _, pairing::Pairing as _};
use ark_ff::PrimeField as _;
use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
pub use beacon::{Beacon, BeaconError, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, SecretKey, Signature};
pub use payload::{PayloadError, WeightsPayload};
use primitives::Seed;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The longest ciphertext that the chain takes, in bytes. Source: `MAX_CRV3_COMMIT_SIZE_BYTES`.
pub const MAX_CIPHERTEXT_BYTES: usize = 5_000;
/// How many bytes a ciphertext has more than its payload: a point, two masked values, the tag, the nonce, the suite's
/// name, and six lengths.
pub const OVERHEAD_BYTES: usize =
    PUBLIC_KEY_BYTES + 2 * KEY_BYTES + TAG_BYTES + NONCE_BYTES + SUITE.len() + 6 * LENGTH_BYTES;
/// The longest payload whose ciphertext the chain takes, in bytes: more than a thousand weights.
pub const MAX_PAYLOAD_BYTES: usize = MAX_CIPHERTEXT_BYTES - OVERHEAD_BYTES;

/// The cipher's name, which the chain writes and does not read. Source: `CIPHER_SUITE` of its stream cipher.
const SUITE: &[u8] = b"AES_GCM_";
/// Bytes of the session key, of σ, and of what masks them.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce of AES-GCM.
const NONCE_BYTES: usize = 12;
/// Bytes of a tag of AES-GCM.
const TAG_BYTES: usize = 16;
/// Bytes of a length in the layout: little-endian.
const LENGTH_BYTES: usize = 8;
/// Bytes of an element of the target group: twelve coordinates of 381 bits.
const TARGET_BYTES: usize = 12 * 48;

/// Something was not locked, or did not open.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimelockError {
    /// The chain would not take it, or no chain would have.
    #[error("{what} has {found} bytes, at most {most} go to the chain")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// How many bytes it has.
        found: usize,
        /// How many are allowed.
        most: usize,
    },
    /// The bytes are no ciphertext: no signature will ever open them.
    #[error("ciphertext is malformed in {part}")]
    Malformed {
        /// The part that can't be read.
        part: &'static str,
    },
    /// The signature is not of the round and beacon that it was locked for, or it was altered.
    #[error("signature does not open the ciphertext")]
    Closed,
    /// The session key was found, but the payload is not what was locked with it.
    #[error("payload was altered after it was encrypted")]
    Altered,
}

/// Locks `payload` until the beacon with `public_key` signs `round`.
///
/// Session key, σ and nonce follow from `secret`, the key, the round and the payload together: the same arguments give
/// the same bytes, after a crash too, and one secret may serve for any number of payloads. Whoever knows the secret
/// and guesses the payload can check the guess at once.
///
/// # Errors
/// [`TimelockError::TooLong`] where the payload has more than [`MAX_PAYLOAD_BYTES`].
pub fn encrypt(
    public_key: &PublicKey,
    round: u64,
    payload: &[u8],
    secret: &Seed,
) -> Result<Vec<u8>, TimelockError> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        let (found, most) = (payload.len(), MAX_PAYLOAD_BYTES);
        return Err(TimelockError::TooLong { what: "payload", found, most });
    }
    let parts = [&public_key.to_bytes()[..], &round.to_le_bytes(), payload];
    let fresh = secret.derive_from("timelock", &parts);
    let draw = |purpose| fresh.derive(purpose, 0).0.0;
    let (key, sigma) = (draw("session key"), draw("sigma"));
    let nonce: [u8; NONCE_BYTES] = std::array::from_fn(|at| draw("nonce")[at]);

    let scalar = scalar(&sigma, &key);
    let shared = mask(&(beacon::round_point(round) * scalar).into_affine(), &public_key.0);
    let sealed = cipher(&key)
        .encrypt(&Nonce::from(nonce), payload)
        .expect("AES-GCM takes up to 64 GiB, a payload is far below");

    let mut bytes = Vec::with_capacity(payload.len() + OVERHEAD_BYTES);
    bytes.extend(PublicKey(times_generator(scalar)).to_bytes());
    put(&mut bytes, &xor(&sigma, &shared));
    put(&mut bytes, &xor(&key, &Sha256::digest(sigma).into()));
    let mut body = Vec::new();
    put(&mut body, &sealed);
    put(&mut body, &nonce);
    put(&mut bytes, &body);
    put(&mut bytes, SUITE);
    Ok(bytes)
}

/// Opens what was locked for the round of `signature`.
///
/// As on the chain, the suite's name and what lies behind the nonce in the body or behind the ciphertext are not looked
/// at; every other byte is bound.
///
/// # Errors
/// [`TimelockError::TooLong`] and [`TimelockError::Malformed`] whatever the signature is, [`TimelockError::Closed`] with
/// this one, and [`TimelockError::Altered`]. Whatever the bytes are, no more is allocated than their length.
pub fn decrypt(ciphertext: &[u8], signature: &Signature) -> Result<Vec<u8>, TimelockError> {
    let ciphertext = Ciphertext::parse(ciphertext)?;
    let shared = mask(&signature.0, &ciphertext.u);
    let sigma = xor(&ciphertext.v, &shared);
    let key = xor(&ciphertext.w, &Sha256::digest(sigma).into());
    if times_generator(scalar(&sigma, &key)) != ciphertext.u {
        return Err(TimelockError::Closed);
    }
    cipher(&key)
        .decrypt(&Nonce::from(ciphertext.nonce), ciphertext.sealed)
        .map_err(|_| TimelockError::Altered)
}

/// The parts of a ciphertext in their order. A vector is its length in 8 little-endian bytes and its items: u, the vectors
/// v and w, a vector that holds two more (payload and tag, nonce), and the suite. Source: `CanonicalSerialize` of
/// `TLECiphertext`, `Ciphertext` and `AESOutput`.
struct Ciphertext<'a> {
    u: G2Affine,
    v: [u8; KEY_BYTES],
    w: [u8; KEY_BYTES],
    sealed: &'a [u8],
    nonce: [u8; NONCE_BYTES],
}

impl<'a> Ciphertext<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, TimelockError> {
        if bytes.len() > MAX_CIPHERTEXT_BYTES {
            let (found, most) = (bytes.len(), MAX_CIPHERTEXT_BYTES);
            return Err(TimelockError::TooLong { what: "ciphertext", found, most });
        }
        let malformed = |part| TimelockError::Malformed { part };
        let (u, mut rest) = bytes.split_first_chunk::<PUBLIC_KEY_BYTES>().ok_or(malformed("u"))?;
        let mut part = |name| take(&mut rest).ok_or(malformed(name));
        let v = part("v")?.try_into().map_err(|_| malformed("v"))?;
        let w = part("w")?.try_into().map_err(|_| malformed("w"))?;
        let mut body = part("body")?;
        part("cipher suite")?;
        let sealed =
            take(&mut body).filter(|sealed| sealed.len() >= TAG_BYTES).ok_or(malformed("payload"))?;
        let nonce = take(&mut body).ok_or(malformed("nonce"))?.try_into().map_err(|_| malformed("nonce"))?;
        // Last, since it takes as long as all else a thousand times over.
        let u = G2Affine::deserialize_compressed(&u[..]).map_err(|_| malformed("u"))?;
        Ok(Self { u, v, w, sealed, nonce })
    }
}

/// Takes a vector off the front of `bytes`, unless its length points beyond them.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (vector, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(vector)
}

/// What [`take`] takes.
fn put(bytes: &mut Vec<u8>, vector: &[u8]) {
    bytes.extend((vector.len() as u64).to_le_bytes());
    bytes.extend(vector);
}

/// H₃: SHA-256(σ ‖ key) as a big-endian number, modulo the group's order.
fn scalar(sigma: &[u8; KEY_BYTES], key: &[u8; KEY_BYTES]) -> Fr {
    Fr::from_be_bytes_mod_order(&Sha256::new().chain_update(sigma).chain_update(key).finalize())
}

fn times_generator(scalar: Fr) -> G2Affine {
    (G2Affine::generator() * scalar).into_affine()
}

/// H₂ of the pairing: SHA-256 of the target group's element, its twelve coordinates little-endian.
fn mask(first: &G1Affine, second: &G2Affine) -> [u8; KEY_BYTES] {
    let mut element = [0; TARGET_BYTES];
    let paired = Bls12_381::pairing(first, second);
    paired.0.serialize_compressed(&mut element[..]).expect("twelve coordinates have this length");
    Sha256::digest(element).into()
}

fn cipher(key: &[u8; KEY_BYTES]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

fn xor(first: &[u8; KEY_BYTES], second: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    std::array::from_fn(|at| first[at] ^ second[at])
}
