//! A block as clients know it: its header, its body, and what became of each extrinsic.

use std::{ops::Range, sync::Arc};

use chain::{Head, ModuleError};
use parity_scale_codec::{Compact, Encode};
use primitives::{AccountId, BlockNumber, Digest, Rao, Timestamp};

use crate::{
    Event, Rules,
    fees::DispatchInfo,
    wire::{self, blake2_256},
};

/// The extrinsics of a block as they travel, the inherent first.
pub(crate) type Body = Arc<[Arc<[u8]>]>;

/// A header with all that its hash covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) head: Head,
    /// The digest of the state after the block.
    pub(crate) state_root: Digest,
    pub(crate) extrinsics_root: Digest,
}

impl Header {
    /// The header of block 0. In place of extrinsics it covers the metadata: clients that keep metadata on disk look for
    /// it under the genesis' hash.
    pub(crate) fn genesis(rules: Rules, time: Timestamp, state_root: Digest) -> Self {
        let parts = (wire::metadata::digest(rules).0, milliseconds(time));
        Self::seal(Digest::default(), 0, time, state_root, Digest(blake2_256(&parts.encode())))
    }

    /// The header of a block with this body.
    pub(crate) fn of_body(parent: &Head, time: Timestamp, state_root: Digest, body: &Body) -> Self {
        let mut bytes = Compact(u32::try_from(body.len()).unwrap_or(u32::MAX)).encode();
        for extrinsic in body.iter() {
            // Each is a list of bytes that starts with its own length.
            bytes.extend_from_slice(extrinsic);
        }
        Self::seal(parent.hash, parent.number + 1, time, state_root, Digest(blake2_256(&bytes)))
    }

    fn seal(
        parent: Digest,
        number: BlockNumber,
        time: Timestamp,
        state_root: Digest,
        extrinsics_root: Digest,
    ) -> Self {
        let mut header = Self {
            head: Head { number, hash: Digest::default(), parent, time },
            state_root,
            extrinsics_root,
        };
        header.head.hash = Digest(blake2_256(&header.encode()));
        header
    }
}

impl Encode for Header {
    fn encode_to<T: parity_scale_codec::Output + ?Sized>(&self, out: &mut T) {
        self.head.parent.0.encode_to(out);
        Compact(self.head.number).encode_to(out);
        self.state_root.0.encode_to(out);
        self.extrinsics_root.0.encode_to(out);
        // The digest's logs: no consensus leaves any here.
        Compact(0u32).encode_to(out);
    }
}

/// The extrinsic with which each block begins.
pub(crate) fn inherent(time: Timestamp) -> Arc<[u8]> {
    wire::extrinsic::timestamp(milliseconds(time)).into()
}

fn milliseconds(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or(0)
}

/// What an account paid for an extrinsic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payment {
    /// Taken before the call; 0 where the call is free.
    pub(crate) withdrawn: Rao,
    /// Given back after it.
    pub(crate) refund: Rao,
    /// What the block's author was given of the rest, tip included.
    pub(crate) to_author: Rao,
    /// The part of it that is a tip.
    pub(crate) tip: Rao,
}

/// What became of an extrinsic.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) signer: AccountId,
    pub(crate) outcome: Result<(), ModuleError>,
    pub(crate) payment: Payment,
    pub(crate) info: DispatchInfo,
    /// Its events among the block's.
    pub(crate) events: Range<usize>,
}

/// What happened in a block, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receipts {
    pub(crate) events: Vec<Event>,
    /// One per extrinsic, without the inherent.
    pub(crate) of: Vec<Receipt>,
}

impl Receipts {
    /// What every block does before its extrinsics.
    pub(crate) fn initialization(&self) -> &[Event] {
        let end = self.of.first().map_or(self.events.len(), |first| first.events.start);
        self.events.get(..end).unwrap_or_default()
    }

    pub(crate) fn events_of(&self, receipt: &Receipt) -> &[Event] {
        self.events.get(receipt.events.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of the public chain's layout, hashed as clients do it.
    #[test]
    fn the_hash_is_that_of_the_header_as_it_travels() {
        let body: Body = vec![inherent(Timestamp(12_000))].into();
        let parent = Head { number: 4, hash: Digest([3; 32]), ..Head::default() };
        let header = Header::of_body(&parent, Timestamp(12_000), Digest([5; 32]), &body);
        let encoded = header.encode();
        assert_eq!(encoded.len(), 32 + 1 + 32 + 32 + 1);
        assert_eq!((&encoded[..32], encoded[32]), (&[3u8; 32][..], 5 << 2));
        assert_eq!(header.head.hash.0, blake2_256(&encoded));
        let listed: Vec<Vec<u8>> = vec![body[0][1..].to_vec()];
        assert_eq!(header.extrinsics_root.0, blake2_256(&listed.encode()));
    }
}
