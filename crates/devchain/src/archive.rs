//! The chain behind its head: headers and bodies of blocks, found by number or by hash.
//!
//! It outlives the states: clients ask for the hash of a block long after nobody reads its state any more.

use std::collections::{BTreeMap, VecDeque};

use primitives::{BlockNumber, Digest};

use crate::block::{Body, Header};

/// Headers kept: twice the longest era, so that the first block of every era can be told.
pub(crate) const MAX_HEADERS: usize = 2 * 65_536;
/// Bytes of bodies kept, the newest always.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Headers and bodies of the newest blocks, and the header of block 0.
#[derive(Debug)]
pub(crate) struct Archive {
    genesis: Header,
    /// The newest headers, oldest first, without that of block 0.
    headers: VecDeque<Header>,
    numbers: BTreeMap<Digest, BlockNumber>,
    /// The newest bodies, oldest first; the last one belongs to the last header.
    bodies: VecDeque<Body>,
    body_bytes: usize,
}

impl Archive {
    pub(crate) fn new(genesis: Header) -> Self {
        let numbers = BTreeMap::from([(genesis.head.hash, 0)]);
        Self { genesis, headers: VecDeque::new(), numbers, bodies: VecDeque::new(), body_bytes: 0 }
    }

    /// The newest block's header.
    pub(crate) fn newest(&self) -> &Header {
        self.headers.back().unwrap_or(&self.genesis)
    }

    /// Adds the block that follows the newest.
    pub(crate) fn push(&mut self, header: Header, body: Body) {
        self.numbers.insert(header.head.hash, header.head.number);
        self.headers.push_back(header);
        self.body_bytes += bytes(&body);
        self.bodies.push_back(body);
        while self.body_bytes > MAX_BODY_BYTES && self.bodies.len() > 1 {
            self.body_bytes -= self.bodies.pop_front().map_or(0, |body| bytes(&body));
        }
        if self.headers.len() > MAX_HEADERS
            && let Some(oldest) = self.headers.pop_front()
        {
            self.numbers.remove(&oldest.head.hash);
            if self.bodies.len() > self.headers.len() {
                self.body_bytes -= self.bodies.pop_front().map_or(0, |body| bytes(&body));
            }
        }
    }

    /// Forgets all blocks after `number`.
    pub(crate) fn go_back(&mut self, number: BlockNumber) {
        while let Some(header) = self.headers.pop_back_if(|header| header.head.number > number) {
            self.numbers.remove(&header.head.hash);
            self.body_bytes -= self.bodies.pop_back().map_or(0, |body| bytes(&body));
        }
    }

    pub(crate) fn header(&self, number: BlockNumber) -> Option<&Header> {
        if number == 0 {
            return Some(&self.genesis);
        }
        let first = self.headers.front()?.head.number;
        self.headers.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(crate) fn hash(&self, number: BlockNumber) -> Option<Digest> {
        self.header(number).map(|header| header.head.hash)
    }

    pub(crate) fn number(&self, hash: Digest) -> Option<BlockNumber> {
        self.numbers.get(&hash).copied()
    }

    /// The block's extrinsics; none where they are no longer kept.
    pub(crate) fn body(&self, number: BlockNumber) -> Option<Body> {
        if number == 0 {
            return Some(Body::default());
        }
        let from_end = usize::try_from(self.newest().head.number.checked_sub(number)?).ok()?;
        self.bodies.get(self.bodies.len().checked_sub(from_end + 1)?).cloned()
    }
}

fn bytes(body: &Body) -> usize {
    /// What keeping an extrinsic takes besides its bytes.
    const OVERHEAD_BYTES: usize = 32;
    body.iter().map(|extrinsic| extrinsic.len() + OVERHEAD_BYTES).sum()
}

#[cfg(test)]
mod tests {
    use primitives::Timestamp;

    use super::*;
    use crate::block::inherent;

    fn of_length(length: u64) -> Archive {
        let mut archive = Archive::new(Header::genesis(crate::Rules::V425, Timestamp(0), Digest::default()));
        for number in 1..=length {
            let time = Timestamp(i64::try_from(number).unwrap());
            let body: Body = vec![inherent(time)].into();
            let header = Header::of_body(&archive.newest().head, time, Digest::default(), &body);
            archive.push(header, body);
        }
        archive
    }

    #[test]
    fn a_block_is_found_by_number_and_by_hash() {
        let archive = of_length(5);
        for number in 0..=5 {
            let hash = archive.hash(number).unwrap();
            assert_eq!(archive.number(hash), Some(number));
            assert_eq!(archive.body(number).unwrap().len(), usize::from(number > 0));
        }
        assert_eq!((archive.hash(6), archive.body(6).is_none()), (None, true));
    }

    #[test]
    fn going_back_forgets_what_came_after() {
        let mut archive = of_length(5);
        let (third, fifth) = (archive.hash(3).unwrap(), archive.hash(5).unwrap());
        archive.go_back(3);
        assert_eq!((archive.newest().head.hash, archive.number(fifth), archive.hash(4)), (third, None, None));
        assert_eq!(archive.body(3).unwrap().len(), 1);
        archive.go_back(0);
        assert_eq!(archive.newest().head.number, 0);
    }
}
