//! Extrinsics on their way: one at a time, the same bytes until the chain has them or can't take them any more.
//!
//! The nonce decides: once the chain's nonce has passed it, the extrinsic was included, whatever was heard of it.
//! An extrinsic is mortal, so that after its last block its nonce is free again and it can never come late.

use chain::{BlockNumber, Call, Included, Refusal, SubmitError};
use serde::{Deserialize, Serialize};

/// Blocks after which an extrinsic that was not heard of is sent again.
const RESEND_AFTER_BLOCKS: u64 = 2;

/// What an extrinsic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// A miner's commitment to its manifest of a round.
    Announce {
        /// The round.
        round: u64,
    },
    /// A validator's weights of an epoch: committed, or set in the clear where commit–reveal is off.
    Weights {
        /// The epoch.
        epoch: u64,
    },
    /// The reveal of an epoch's weights.
    Reveal {
        /// The epoch in which they were committed.
        epoch: u64,
    },
}

/// What became of an extrinsic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Included; whether it succeeded is known where the chain's answer arrived.
    Included,
    /// The chain said no.
    Refused,
    /// Its last block passed without it.
    Expired,
}

/// An extrinsic that has been decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What for.
    pub purpose: Purpose,
    /// Its nonce.
    pub nonce: u32,
    /// What is called.
    pub call: Call,
    /// The last block that may include it.
    pub valid_until: BlockNumber,
}

/// The extrinsic under way, if there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outbox {
    pending: Option<Intent>,
    /// When it was last sent, in this incarnation.
    sent_at: Option<BlockNumber>,
    /// The number after the last one used, where the chain's answer came before the block that shows it, and that block.
    used: Option<(u32, BlockNumber)>,
}

impl Outbox {
    /// Whether a new extrinsic may be decided on.
    pub(crate) fn is_free(&self) -> bool {
        self.pending.is_none()
    }

    /// The number of the next extrinsic, given the account's after the newest block that was seen: the chain's answer to the
    /// last one may have come sooner than its block.
    pub(crate) fn nonce(&self, of_head: u32) -> u32 {
        self.used.map_or(of_head, |(next, _)| next.max(of_head))
    }

    /// Takes over an intent that has been made durable.
    pub(crate) fn take(&mut self, intent: Intent) {
        self.pending = Some(intent);
        self.sent_at = None;
    }

    /// Forgets the extrinsic with this purpose: what became of it has been made durable.
    pub(crate) fn settle(&mut self, purpose: Purpose) {
        if self.pending.as_ref().is_some_and(|intent| intent.purpose == purpose) {
            self.pending = None;
            self.sent_at = None;
        }
    }

    /// What is known at a new block: the extrinsic's outcome, where it follows from nonce and height.
    pub(crate) fn at_head(&mut self, block: BlockNumber, nonce: u32) -> Option<(Purpose, Outcome)> {
        self.used = self.used.filter(|(_, included)| *included > block);
        let intent = self.pending.as_ref()?;
        if nonce > intent.nonce {
            Some((intent.purpose, Outcome::Included))
        } else if block >= intent.valid_until {
            Some((intent.purpose, Outcome::Expired))
        } else {
            None
        }
    }

    /// What follows from the chain's own answer. A refusal by the module also uses up the nonce; both are final.
    pub(crate) fn at_answer(
        &mut self,
        nonce: u32,
        result: &Result<Included, SubmitError>,
    ) -> Option<(Purpose, Outcome)> {
        let intent = self.pending.as_ref().filter(|intent| intent.nonce == nonce)?;
        self.used = match result {
            Ok(included) => Some((nonce.saturating_add(1), included.block)),
            // It stands in a block that is not named: the next one seen is not before it.
            Err(SubmitError::Refused { refusal: Refusal::Module(_) | Refusal::Unlisted { .. }, .. }) => {
                Some((nonce.saturating_add(1), 0))
            }
            Err(_) => self.used,
        };
        match result {
            Ok(_) => Some((intent.purpose, Outcome::Included)),
            Err(SubmitError::Refused { .. } | SubmitError::NoCall { .. } | SubmitError::NoKey { .. }) => {
                Some((intent.purpose, Outcome::Refused))
            }
            Err(SubmitError::Unknown { .. }) => None,
        }
    }

    /// The extrinsic to be sent at this block, if it is time.
    pub(crate) fn due(&mut self, block: BlockNumber) -> Option<Intent> {
        let intent = self.pending.as_ref()?;
        let waited = self.sent_at.is_none_or(|sent| block >= sent + RESEND_AFTER_BLOCKS);
        if !waited || block >= intent.valid_until {
            return None;
        }
        self.sent_at = Some(block);
        Some(intent.clone())
    }
}

#[cfg(test)]
mod tests {
    use chain::{NetUid, SubmitError};

    use super::*;

    fn outbox() -> Outbox {
        let mut outbox = Outbox::default();
        let call = Call::TriggerEpoch { netuid: NetUid(1) };
        outbox.take(Intent { purpose: Purpose::Weights { epoch: 3 }, nonce: 5, call, valid_until: 20 });
        outbox
    }

    #[test]
    fn an_unheard_extrinsic_is_sent_again_with_the_same_nonce_until_it_expires() {
        let mut outbox = outbox();
        let sent: Vec<u64> = (10..30).filter(|block| outbox.due(*block).is_some()).collect();
        assert_eq!(sent, vec![10, 12, 14, 16, 18]);
        assert_eq!(outbox.at_head(19, 5), None);
        assert_eq!(outbox.at_head(20, 5), Some((Purpose::Weights { epoch: 3 }, Outcome::Expired)));
    }

    #[test]
    fn an_answer_that_comes_before_its_block_moves_the_next_number() {
        let mut outbox = outbox();
        assert_eq!(outbox.at_head(10, 5), None);
        assert!(outbox.at_answer(5, &Ok(Included { block: 12, index: 0 })).is_some());
        assert_eq!(outbox.nonce(5), 6);
        outbox.at_head(11, 5);
        assert_eq!(outbox.nonce(5), 6, "a block from before does not know better");
        outbox.at_head(12, 6);
        assert_eq!(outbox.nonce(6), 6);
        assert_eq!(outbox.nonce(3), 3, "a chain that went back is believed");
    }

    #[test]
    fn the_nonce_tells_of_an_inclusion_that_was_not_heard_of() {
        let mut outbox = outbox();
        assert_eq!(outbox.at_head(11, 6), Some((Purpose::Weights { epoch: 3 }, Outcome::Included)));
        let unknown = Err(SubmitError::Unknown { call: "x", reason: "lost".into() });
        assert_eq!(outbox.at_answer(5, &unknown), None);
        assert_eq!(outbox.at_answer(4, &Ok(Included { block: 1, index: 0 })), None);
    }
}
