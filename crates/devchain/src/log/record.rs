//! One record: its length, a checksum of the length, a checksum of the content, the content.

use parity_scale_codec::{Decode, DecodeAll, Encode};
use primitives::{BlockNumber, Digest, Timestamp};

use crate::Extrinsic;

/// Bytes of a checksum: against accidents, not against attackers.
const CHECKSUM_BYTES: usize = 16;
/// Bytes in front of a record's content.
pub(super) const HEADER_BYTES: usize = 4 + CHECKSUM_BYTES + CHECKSUM_BYTES;
/// The longest content, so that a damaged length can't ask for more: far above any block of a local chain.
const MAX_CONTENT_BYTES: usize = 256 << 20;

/// What the log keeps of a block: enough to make it again, and to see that it came out the same.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Record {
    /// The block's number.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: Digest,
    /// Its time.
    pub time: Timestamp,
    /// Its extrinsics, each with its number; those of clients as they were signed.
    pub extrinsics: Vec<Extrinsic>,
    /// The digest of the state after it.
    pub state_digest: Digest,
}

/// A whole record and the bytes of its content.
pub(super) struct Found {
    pub(super) record: Record,
    pub(super) bytes: usize,
}

/// What stands at some place of a log.
pub(super) enum Scan {
    /// Nothing: the log ends here.
    End,
    /// A whole record.
    Record(Found),
    /// The beginning of a record that was never finished.
    Torn,
    /// Something that was a record once.
    Damaged,
}

impl Record {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let content = self.encode();
        let length = u32::try_from(content.len()).expect("a block is far shorter than 4 GiB").to_le_bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + content.len());
        bytes.extend(length);
        bytes.extend(checksum(&length));
        bytes.extend(checksum(&content));
        bytes.extend(content);
        bytes
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::hash(bytes).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Reads the record at the front of `rest`, the log from there to its end.
///
/// A record is torn where the log ends within it, where its content is damaged and nothing follows, or where only
/// zeros are left (a file grows before its content arrives). The checksum of the length keeps a damaged length in the
/// middle from looking like an end.
pub(super) fn next(rest: &[u8]) -> Scan {
    if rest.is_empty() {
        return Scan::End;
    }
    let Some((header, after)) = rest.split_first_chunk::<HEADER_BYTES>() else { return Scan::Torn };
    let (length, checksums) = header.split_first_chunk::<4>().expect("a header is longer than 4 bytes");
    let (of_length, of_content) = checksums.split_at(CHECKSUM_BYTES);
    let bytes = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if of_length != checksum(length) || bytes > MAX_CONTENT_BYTES {
        return if rest.iter().all(|byte| *byte == 0) { Scan::Torn } else { Scan::Damaged };
    }
    let Some(content) = after.get(..bytes) else { return Scan::Torn };
    if of_content != checksum(content) {
        return if after.len() == bytes { Scan::Torn } else { Scan::Damaged };
    }
    match Record::decode_all(&mut &content[..]) {
        Ok(record) => Scan::Record(Found { record, bytes }),
        Err(_) => Scan::Damaged,
    }
}
