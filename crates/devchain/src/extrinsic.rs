//! One extrinsic: a call by an account, made in process or signed and sent by a client.
//!
//! Whoever makes one in process is trusted to speak for the account. What a client sent comes in through
//! [`Extrinsic::verified`] alone, which checks the signature; the bytes stay with it, so that blocks show what was sent.

use std::sync::Arc;

use chain::{Call, InvalidTransaction};
use parity_scale_codec::{Decode, Encode, Input, Output};
use primitives::{AccountId, BlockNumber, Digest, Rao};
use thiserror::Error;

use crate::{
    Rules,
    wire::{
        self,
        extrinsic::{Agreed, Era, Signed, Undecodable},
    },
};

/// A call by an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extrinsic {
    /// The account that calls: a hotkey or a coldkey, as the call demands.
    pub origin: AccountId,
    /// Its number among the account's extrinsics; without one it is the next.
    pub nonce: Option<u32>,
    /// What it asks for.
    pub call: Call,
    /// What a client signed and sent; none for an extrinsic that was made in process.
    pub sent: Option<Sent>,
}

/// A signed extrinsic as it came, its signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    bytes: Arc<[u8]>,
    tip: Rao,
    /// The first block in which its era is over.
    dies_at: BlockNumber,
}

/// Bytes that are no valid extrinsic for this chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsound {
    /// They can't be read.
    #[error("bytes are no signed extrinsic of this chain")]
    Malformed,
    /// They are read, but not valid.
    #[error("extrinsic is not valid: {0:?}")]
    Invalid(InvalidTransaction),
}

impl Extrinsic {
    /// An extrinsic without a number, made in process.
    #[must_use]
    pub fn new(origin: impl Into<AccountId>, call: Call) -> Self {
        Self { origin: origin.into(), nonce: None, call, sent: None }
    }

    /// Reads what a client sent and checks its signature for the block after `head`; `hash_of` knows the hashes of
    /// recent blocks and of block 0.
    ///
    /// # Errors
    /// [`Unsound`].
    pub fn verified(
        bytes: &[u8],
        rules: Rules,
        head: BlockNumber,
        hash_of: impl Fn(BlockNumber) -> Option<Digest>,
    ) -> Result<Self, Unsound> {
        let signed = read(bytes)?;
        let next = head.saturating_add(1);
        let ancient = Unsound::Invalid(InvalidTransaction::AncientBirthBlock);
        let birth = hash_of(signed.era.birth(next)).ok_or(ancient)?;
        let agreed = Agreed {
            spec_version: rules.spec_version(),
            transaction_version: wire::TRANSACTION_VERSION,
            genesis: hash_of(0).ok_or(ancient)?,
        };
        if !signed.is_signed_for(&agreed, birth) {
            return Err(Unsound::Invalid(InvalidTransaction::BadProof));
        }
        let dies_at = match signed.era {
            Era::Immortal => BlockNumber::MAX,
            Era::Mortal { .. } => signed.era.death(next),
        };
        Ok(Self::sent(signed, dies_at))
    }

    fn sent(signed: Signed, dies_at: BlockNumber) -> Self {
        let Signed { signer, nonce, tip, call, bytes, .. } = signed;
        Self { origin: signer, nonce: Some(nonce), call, sent: Some(Sent { bytes, tip, dies_at }) }
    }

    /// The extrinsic in a client's bytes, whoever signed them: for asking what it would cost.
    ///
    /// # Errors
    /// [`Unsound`].
    pub(crate) fn unverified(bytes: &[u8]) -> Result<Self, Unsound> {
        Ok(Self::sent(read(bytes)?, BlockNumber::MAX))
    }

    /// The extrinsic as it travels: what came, or what a client would have sent.
    pub(crate) fn bytes(&self, nonce: u32) -> Arc<[u8]> {
        match &self.sent {
            Some(sent) => sent.bytes.clone(),
            None => made_bytes(self.origin, nonce, &self.call).into(),
        }
    }

    /// What is paid to the block's author besides the fee.
    pub(crate) fn tip(&self) -> Rao {
        self.sent.as_ref().map_or(Rao::ZERO, |sent| sent.tip)
    }

    /// The first block that is too late for it.
    pub(crate) fn dies_at(&self) -> BlockNumber {
        self.sent.as_ref().map_or(BlockNumber::MAX, |sent| sent.dies_at)
    }
}

fn read(bytes: &[u8]) -> Result<Signed, Unsound> {
    Signed::decode(bytes).map_err(|undecodable| match undecodable {
        Undecodable::Malformed => Unsound::Malformed,
        Undecodable::Invalid(reason) => Unsound::Invalid(reason),
    })
}

/// The bytes of a call made in process. One that clients can't make stands in its block as a remark of it.
fn made_bytes(origin: AccountId, nonce: u32, call: &Call) -> Vec<u8> {
    wire::extrinsic::unsigned(origin, nonce, call).unwrap_or_else(|| {
        let remark = Call::Remark { bytes: call.encode(), with_event: false };
        wire::extrinsic::unsigned(origin, nonce, &remark).expect("a remark travels")
    })
}

/// How an extrinsic begins in the log.
const MADE: u8 = 0;
const SENT: u8 = 1;

impl Encode for Extrinsic {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        match &self.sent {
            None => {
                out.push_byte(MADE);
                (&self.origin, self.nonce, &self.call).encode_to(out);
            }
            Some(sent) => {
                out.push_byte(SENT);
                sent.bytes[..].encode_to(out);
            }
        }
    }
}

impl Decode for Extrinsic {
    fn decode<I: Input>(input: &mut I) -> Result<Self, parity_scale_codec::Error> {
        match input.read_byte()? {
            MADE => {
                let (origin, nonce, call) = Decode::decode(input)?;
                Ok(Self { origin, nonce, call, sent: None })
            }
            SENT => {
                let bytes: Vec<u8> = Decode::decode(input)?;
                Self::unverified(&bytes).map_err(|_| "a signed extrinsic can't be read".into())
            }
            _ => Err("unknown kind of extrinsic".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chain::Digest;
    use parity_scale_codec::DecodeAll;
    use primitives::NetUid;
    use wallet::{Keypair, Scheme};

    use super::*;

    fn transfer() -> Call {
        Call::Transfer { to: AccountId([7; 32]), amount: Rao(5) }
    }

    #[test]
    fn the_log_gives_back_what_it_was_given() {
        let made = Extrinsic { nonce: Some(3), ..Extrinsic::new(AccountId([1; 32]), transfer()) };
        assert_eq!(Extrinsic::decode_all(&mut &made.encode()[..]), Ok(made.clone()));
        // A signature is not looked at again: what stands in the log was checked before.
        let sent = Extrinsic::unverified(&made.bytes(3)).unwrap();
        assert_eq!((sent.origin, sent.nonce, &sent.call), (made.origin, Some(3), &made.call));
        assert_eq!(Extrinsic::decode_all(&mut &sent.encode()[..]), Ok(sent));
        assert!(Extrinsic::decode_all(&mut &[2u8][..]).is_err());
    }

    #[test]
    fn a_call_that_does_not_travel_stands_in_its_block_as_a_remark() {
        let value = chain::Hyperparameter::MaxWeightsLimit(5);
        let call = Call::SetHyperparameter { netuid: NetUid(1), value };
        let shown =
            Extrinsic::unverified(&Extrinsic::new(AccountId([1; 32]), call.clone()).bytes(0)).unwrap();
        assert_eq!(shown.call, Call::Remark { bytes: call.encode(), with_event: false });
    }

    #[test]
    fn a_signature_of_zeros_proves_nothing() {
        let account = Keypair::development("Alice").unwrap().public();
        assert_eq!(account.scheme, Scheme::Sr25519);
        let bytes = Extrinsic::new(account.account, transfer()).bytes(0);
        let found = Extrinsic::verified(&bytes, Rules::V425, 5, |_| Some(Digest::default()));
        assert_eq!(found, Err(Unsound::Invalid(InvalidTransaction::BadProof)));
        let found =
            Extrinsic::verified(&bytes, Rules::V425, 100, |number| (number == 0).then(Digest::default));
        assert_eq!(found, Err(Unsound::Invalid(InvalidTransaction::AncientBirthBlock)));
        assert_eq!(Extrinsic::verified(&bytes[1..], Rules::V425, 5, |_| None), Err(Unsound::Malformed));
    }
}
