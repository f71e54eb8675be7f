//! Scores: what a hotkey earned in a round of a mechanism. A uid is a slot that changes hands, so it is no key.

use primitives::{Hotkey, MechId, NetUid, Timestamp};

use crate::{Json, StoreError, check_signed};

/// The score of one hotkey in one round; written once, since it can be recomputed to the last bit.
#[derive(Clone, Debug)]
pub struct Score {
    /// The subnet.
    pub netuid: NetUid,
    /// The mechanism of the subnet.
    pub mechid: MechId,
    /// Whose score it is.
    pub hotkey: Hotkey,
    /// The round (epoch) that it was given for; at most `i64::MAX`.
    pub round: u64,
    /// The score, finite; kept by its bits.
    pub value: f64,
    /// What it is made of.
    pub parts: Json,
    /// When it was given.
    pub at: Timestamp,
}

/// Equal where every bit is: 0.0 and -0.0 are different scores.
impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.same_content(other) && self.at == other.at && self.key() == other.key()
    }
}

impl Eq for Score {}

impl Score {
    /// Subnet, mechanism and hotkey: what a history belongs to.
    pub(crate) fn key(&self) -> (NetUid, MechId, Hotkey, u64) {
        (self.netuid, self.mechid, self.hotkey, self.round)
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_signed("score round", self.round)?;
        if self.value.is_finite() {
            return Ok(());
        }
        Err(StoreError::Argument {
            what: "score value",
            found: self.value.to_string(),
            bound: "a finite number".to_owned(),
        })
    }

    /// Accepts `again` for the same key as a repetition, where it says the same; times may differ.
    pub(crate) fn repeated_by(&self, again: &Score) -> Result<(), StoreError> {
        if self.same_content(again) {
            return Ok(());
        }
        Err(StoreError::Reused {
            what: "score",
            scope: format!("subnet {} mechanism {}", self.netuid, self.mechid),
            key: format!("{} round {}", self.hotkey, self.round),
        })
    }

    fn same_content(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits() && self.parts == other.parts
    }
}
