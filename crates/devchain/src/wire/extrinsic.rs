//! Extrinsics as they travel: signed, in version 4 with the chain's extensions; or an inherent, in version 5.
//!
//! Bytes: a compact length, then `0x84`, the signer's address, the signature, the extensions' own bytes (era, nonce, tip,
//! mode of the metadata's hash), the call. Signed are the call, those bytes, and what signer and chain must agree on:
//! the versions, the genesis and the era's first block. Longer than 256 bytes, its BLAKE2b-256 hash is signed instead.

use std::sync::Arc;

use chain::{Call, Head, InvalidTransaction};
use parity_scale_codec::{Compact, Decode, DecodeLimit, Encode};
use primitives::{AccountId, Digest, Rao};
use scale_info::{MetaType, Type, TypeInfo, TypeParameter, build::Fields};
use wallet::{Keypair, PublicKey, Scheme, Signature};

pub(crate) use super::shapes::Era;
use super::{
    calls::{RuntimeCall, TimestampCall},
    convert::NoCall,
    metadata::Runtime,
    path,
    sending::to_wire,
    shape,
    shapes::{AccountId32, MultiAddress, MultiSignature, TaoBalance},
};

/// Version byte of a signed extrinsic.
const SIGNED_V4: u8 = 0x84;
/// Version byte of an inherent. Source: `EXTRINSIC_FORMAT_VERSION` of `sp_runtime`; only what is signed is still version 4.
const BARE_V5: u8 = 0x05;
/// The same of older runtimes, still read.
const BARE_V4: u8 = 0x04;
/// Calls within calls that are looked into. Source: `MAX_EXTRINSIC_DEPTH` of the chain's framework is 256; the chain's own
/// pool refuses more than 8.
const MAX_DEPTH: u32 = 32;
/// Longest extrinsic, in bytes. Source: three quarters of the block length in the metadata.
pub(crate) const MAX_BYTES: usize = 7_864_320;
/// Payloads longer than this are hashed before they are signed.
const MAX_SIGNED_BYTES: usize = 256;

/// Whether an extrinsic of this version byte is an inherent, or comes from nobody.
pub(super) fn is_bare(version: u8) -> bool {
    matches!(version, BARE_V4 | BARE_V5)
}

shape! { "frame_system::extensions::check_non_zero_sender::CheckNonZeroSender" <T> struct CheckNonZeroSender() }
shape! { "frame_system::extensions::check_spec_version::CheckSpecVersion" <T> struct CheckSpecVersion() }
shape! { "frame_system::extensions::check_tx_version::CheckTxVersion" <T> struct CheckTxVersion() }
shape! { "frame_system::extensions::check_genesis::CheckGenesis" <T> struct CheckGenesis() }
shape! { "node_subtensor_runtime::check_nonce::CheckNonce" <T> struct CheckNonce(Compact<u32>) }
shape! { "frame_system::extensions::check_weight::CheckWeight" <T> struct CheckWeight() }
shape! {
    "pallet_transaction_payment::ChargeTransactionPayment" <T> struct ChargeTransactionPayment(Compact<TaoBalance>)
}
shape! { "node_subtensor_runtime::sudo_wrapper::SudoTransactionExtension" <T: Runtime> struct SudoTransactionExtension() }
shape! { "pallet_shield::extension::CheckShieldedTxValidity" <T: Runtime> struct CheckShieldedTxValidity() }
shape! { "pallet_subtensor::extensions::subtensor::SubtensorTransactionExtension" <T: Runtime> struct SubtensorTransactionExtension() }
shape! { "pallet_drand::drand_priority::DrandPriority" <T: Runtime> struct DrandPriority() }
shape! { "frame_metadata_hash_extension::Mode" enum Mode { 0 Disabled, 1 Enabled } }
shape! { "frame_metadata_hash_extension::CheckMetadataHash" <T> struct CheckMetadataHash { mode: Mode } }

/// How long the extrinsic is valid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct CheckMortality(pub(crate) Era);

impl TypeInfo for CheckMortality {
    type Identity = Self;
    fn type_info() -> Type {
        Type::builder()
            .path(path("node_subtensor_runtime::check_mortality::CheckMortality"))
            .type_params([TypeParameter::new("T", None)])
            .composite(Fields::unnamed().field(|field| field.ty::<Era>().type_name("Era")))
    }
}

/// All extensions in their order.
pub(crate) type Extensions = (
    (
        CheckNonZeroSender,
        CheckSpecVersion,
        CheckTxVersion,
        CheckGenesis,
        CheckMortality,
        CheckNonce,
        CheckWeight,
    ),
    (
        ChargeTransactionPayment,
        SudoTransactionExtension,
        CheckShieldedTxValidity,
        SubtensorTransactionExtension,
        DrandPriority,
    ),
    CheckMetadataHash,
);

/// An extrinsic without its length; its parts stand in the type's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct UncheckedExtrinsic(pub(crate) Vec<u8>);

impl TypeInfo for UncheckedExtrinsic {
    type Identity = Self;
    fn type_info() -> Type {
        Type::builder()
            .path(path("sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic"))
            .type_params([
                TypeParameter::new("Address", Some(MetaType::new::<MultiAddress>())),
                TypeParameter::new("Call", Some(MetaType::new::<RuntimeCall>())),
                TypeParameter::new("Signature", Some(MetaType::new::<MultiSignature>())),
                TypeParameter::new("Extra", Some(MetaType::new::<Extensions>())),
            ])
            .composite(Fields::unnamed().field(|field| field.ty::<Vec<u8>>()))
    }
}

/// The part of an extrinsic that its extensions add.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Extra {
    pub(super) era: Era,
    pub(super) nonce: Compact<u32>,
    pub(super) tip: Compact<u64>,
    pub(super) mode: Mode,
}

/// What signer and chain must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) spec_version: u32,
    pub(crate) transaction_version: u32,
    pub(crate) genesis: Digest,
}

/// A signed extrinsic, read but not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) signer: AccountId,
    pub(crate) signature: MultiSignature,
    pub(crate) era: Era,
    pub(crate) nonce: u32,
    pub(crate) tip: Rao,
    pub(crate) call: Call,
    /// As it came, length included.
    pub(crate) bytes: Arc<[u8]>,
    extra: Extra,
    /// Where the call's bytes start.
    call_at: usize,
}

/// Bytes that are no signed extrinsic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// They don't follow the layout, or name a call that there is not.
    Malformed,
    /// They are read but can't be valid.
    Invalid(InvalidTransaction),
}

impl Signed {
    /// Reads an extrinsic.
    ///
    /// # Errors
    /// [`Undecodable`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        let malformed = |_| Undecodable::Malformed;
        if bytes.len() > MAX_BYTES {
            return Err(Undecodable::Invalid(InvalidTransaction::ExhaustsResources));
        }
        let mut rest = bytes;
        let length = Compact::<u32>::decode(&mut rest).map_err(malformed)?.0;
        if usize::try_from(length).is_ok_and(|length| length != rest.len()) {
            return Err(Undecodable::Malformed);
        }
        match u8::decode(&mut rest).map_err(malformed)? {
            SIGNED_V4 => {}
            bare if is_bare(bare) => {
                // An inherent from outside, if it is a call at all.
                let _call =
                    RuntimeCall::decode_all_with_depth_limit(MAX_DEPTH, &mut rest).map_err(malformed)?;
                return Err(Undecodable::Invalid(InvalidTransaction::Call));
            }
            _ => return Err(Undecodable::Malformed),
        }
        let (address, signature, extra) =
            <(MultiAddress, MultiSignature, Extra)>::decode(&mut rest).map_err(malformed)?;
        let MultiAddress::Id(signer) = address else {
            return Err(Undecodable::Invalid(InvalidTransaction::BadProof));
        };
        let call_at = bytes.len() - rest.len();
        let call = RuntimeCall::decode_all_with_depth_limit(MAX_DEPTH, &mut rest).map_err(malformed)?;
        let call = Call::try_from(call).map_err(|no_call| match no_call {
            NoCall::TooLong => Undecodable::Malformed,
            NoCall::Inherent | NoCall::Lookup => Undecodable::Invalid(InvalidTransaction::Call),
        })?;
        let (era, nonce, tip) = (extra.era, extra.nonce.0, Rao(extra.tip.0));
        Ok(Self {
            signer: signer.into(),
            signature,
            era,
            nonce,
            tip,
            call,
            bytes: bytes.into(),
            extra,
            call_at,
        })
    }

    /// Whether the signer signed this call for this chain; `birth` is the hash of the era's first block.
    pub(crate) fn is_signed_for(&self, agreed: &Agreed, birth: Digest) -> bool {
        if self.extra.mode != Mode::Disabled {
            // The hash of the metadata is not ours to make: nobody can have signed it.
            return false;
        }
        let call = self.bytes.get(self.call_at..).unwrap_or_default();
        let payload = payload(call, &self.extra, agreed, birth);
        let (scheme, signature) = match self.signature {
            MultiSignature::Ed25519(signature) => (Scheme::Ed25519, signature),
            MultiSignature::Sr25519(signature) => (Scheme::Sr25519, signature),
            // Keys of this kind are Ethereum's, which this chain has no accounts for.
            MultiSignature::Ecdsa(_) => return false,
        };
        PublicKey { scheme, account: self.signer }.verify(&payload, &Signature(signature))
    }
}

/// What is signed.
pub(super) fn payload(call: &[u8], extra: &Extra, agreed: &Agreed, birth: Digest) -> Vec<u8> {
    let mut payload = call.to_vec();
    extra.encode_to(&mut payload);
    let no_metadata_hash: Option<[u8; 32]> = None;
    (agreed.spec_version, agreed.transaction_version, agreed.genesis.0, birth.0, no_metadata_hash)
        .encode_to(&mut payload);
    if payload.len() > MAX_SIGNED_BYTES { super::blake2_256(&payload).to_vec() } else { payload }
}

/// The bytes of a call that was made in process, where nobody signs: as a signed extrinsic with a signature of zeros and a
/// mortal era, so that it is as long as what a client would have sent. None for a call that doesn't travel.
pub(crate) fn unsigned(origin: AccountId, nonce: u32, call: &Call) -> Option<Vec<u8>> {
    let era = Era::Mortal { period: 64, phase: 0 };
    let extra = Extra { era, nonce: Compact(nonce), tip: Compact(0), mode: Mode::Disabled };
    let mut inner = vec![SIGNED_V4];
    (MultiAddress::Id(AccountId32::from(origin)), MultiSignature::Sr25519([0; 64]), extra, to_wire(call)?)
        .encode_to(&mut inner);
    Some(inner.encode())
}

/// The bytes of a call that its account signs, as a client would have sent it: from the block `birth` on, for `period`
/// blocks, without a tip. None for a call that doesn't travel.
pub(crate) fn signed(
    key: &Keypair,
    salt: [u8; 32],
    nonce: u32,
    call: &Call,
    agreed: &Agreed,
    (period, birth): (u64, Head),
) -> Option<Vec<u8>> {
    let era = Era::Mortal { period, phase: birth.number % period };
    let extra = Extra { era, nonce: Compact(nonce), tip: Compact(0), mode: Mode::Disabled };
    let call = to_wire(call)?.encode();
    let signature = key.sign(&payload(&call, &extra, agreed, birth.hash), salt).0;
    let signature = match key.public().scheme {
        Scheme::Sr25519 => MultiSignature::Sr25519(signature),
        Scheme::Ed25519 => MultiSignature::Ed25519(signature),
    };
    let mut inner = vec![SIGNED_V4];
    (MultiAddress::Id(AccountId32::from(key.public().account)), signature, extra).encode_to(&mut inner);
    inner.extend(call);
    Some(inner.encode())
}

/// The extrinsic with which each block begins: its time.
pub(crate) fn timestamp(milliseconds: u64) -> Vec<u8> {
    let call = RuntimeCall::Timestamp(TimestampCall::set { now: Compact(milliseconds) });
    let mut inner = vec![BARE_V5];
    call.encode_to(&mut inner);
    inner.encode()
}
