//! Messages to points of G1, as the beacon's signatures need them.

use ark_bls12_381::{Fq, G1Affine, G1Projective, g1};
use ark_ec::{
    AffineRepr as _,
    hashing::{HashToCurveError, curve_maps::wb::WBMap, map_to_curve_hasher::MapToCurve as _},
};
use ark_ff::PrimeField as _;
use sha2::{Digest as _, Sha256};

/// The suite's name, hashed with each message. drand's scheme `bls-unchained-g1-rfc9380` takes no proof of possession,
/// hence `NUL`. Source: RFC 9380 §8.8.1, draft-irtf-cfrg-bls-signature §4.2.1.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
/// Bytes of one block of SHA-256's input, and of its output.
const BLOCK_BYTES: usize = 64;
const HASH_BYTES: usize = 32;
/// Bytes that one field element is drawn from: the field's 381 bits and 128 more, so that it has no bias that shows.
/// Source: RFC 9380 §8.8.1, L.
const ELEMENT_BYTES: usize = 64;

/// The point of G1 that a message stands for; never the identity, save with a probability of 2⁻²⁵⁵.
/// Source: RFC 9380 §3, `hash_to_curve` of the suite `BLS12381G1_XMD:SHA-256_SSWU_RO_`.
pub(super) fn hash_to_curve(message: &[u8]) -> G1Affine {
    let [first, second] = hash_to_field(message).map(|element| {
        let mapped: Result<G1Affine, HashToCurveError> = WBMap::<g1::Config>::map_to_curve(element);
        mapped.expect("the map of this curve is defined on the whole field")
    });
    let sum: G1Projective = first + second;
    G1Affine::from(sum).clear_cofactor()
}

/// Source: RFC 9380 §5.2, with count = 2 and m = 1.
fn hash_to_field(message: &[u8]) -> [Fq; 2] {
    let uniform = expand(message);
    let (first, second) = uniform.split_at(ELEMENT_BYTES);
    [Fq::from_be_bytes_mod_order(first), Fq::from_be_bytes_mod_order(second)]
}

/// Source: RFC 9380 §5.3.1, `expand_message_xmd` with SHA-256.
fn expand(message: &[u8]) -> [u8; 2 * ELEMENT_BYTES] {
    const LENGTH: u16 = 2 * ELEMENT_BYTES as u16;
    const DOMAIN_LENGTH: u8 = DOMAIN.len() as u8;
    let seed = Sha256::new()
        .chain_update([0; BLOCK_BYTES])
        .chain_update(message)
        .chain_update(LENGTH.to_be_bytes())
        .chain_update([0])
        .chain_update(DOMAIN)
        .chain_update([DOMAIN_LENGTH])
        .finalize();
    let mut uniform = [0; 2 * ELEMENT_BYTES];
    let mut last = [0; HASH_BYTES];
    for (chunk, number) in uniform.chunks_exact_mut(HASH_BYTES).zip(1u8..) {
        let mixed: [u8; HASH_BYTES] = std::array::from_fn(|at| seed[at] ^ last[at]);
        last = Sha256::new()
            .chain_update(mixed)
            .chain_update([number])
            .chain_update(DOMAIN)
            .chain_update([DOMAIN_LENGTH])
            .finalize()
            .into();
        chunk.copy_from_slice(&last);
    }
    uniform
}
