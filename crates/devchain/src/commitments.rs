//! Commitments of hotkeys: a few fields of data each, within a space per epoch.

use chain::{CommitmentField, MAX_COMMITMENT_FIELDS, ModuleError};
use primitives::{Hotkey, NetUid, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{COMMITMENT_OF, EPOCH_INDEX, Registration, USED_SPACE, UsedSpace},
};

/// Bytes that a call counts as at least. Source: `pallets/commitments`, `set_commitment`.
const MIN_SPACE: u64 = 100;
/// Longest raw field. Source: `pallets/commitments`, `Data`.
const MAX_RAW_BYTES: usize = 128;
/// Longest big raw field.
const MAX_BIG_RAW_BYTES: usize = 512;
/// Longest timelocked field.
const MAX_TIMELOCKED_BYTES: usize = 1024;

impl Ledger {
    /// Source: `set_commitment` in `pallets/commitments`.
    pub(crate) fn set_commitment(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        fields: &[CommitmentField],
    ) -> Dispatch {
        let key = (netuid, Hotkey(origin.signed()?));
        // The bounds of the call's types: a longer one can't be encoded for the real chain.
        if fields.iter().any(|field| length(field) > longest(field)) {
            return Err(ModuleError::CommitmentFieldTooLong);
        }
        if self.uid_of(netuid, key.1).is_none() {
            return Err(ModuleError::AccountNotAllowedCommit);
        }
        if fields.len() > MAX_COMMITMENT_FIELDS {
            return Err(ModuleError::TooManyFieldsInCommitmentInfo);
        }
        if fields.iter().any(|field| matches!(field, CommitmentField::TimelockRevealFailed { .. })) {
            return Err(ModuleError::TimelockRevealFailedNotAllowed);
        }
        let epoch = self.read(&EPOCH_INDEX, &netuid);
        let mut used = self.read(&USED_SPACE, &key);
        if used.last_epoch != epoch {
            used = UsedSpace { last_epoch: epoch, used_space: 0 };
        }
        let bytes: usize = fields.iter().map(length).sum();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).max(MIN_SPACE);
        used.used_space = used.used_space.saturating_add(bytes);
        if used.used_space > self.settings.commitment_space {
            return Err(ModuleError::SpaceLimitExceeded);
        }
        self.put(&USED_SPACE, &key, &used);
        let block = u32::try_from(self.block).unwrap_or(u32::MAX);
        let stored = Registration { deposit: Rao::ZERO, block, fields: fields.to_vec() };
        self.put(&COMMITMENT_OF, &key, &stored);
        self.note_timelocked_fields(&key, fields);
        let hotkey = key.1;
        let locked = fields.iter().find_map(|field| match field {
            CommitmentField::TimelockEncrypted { reveal_round, .. } => Some(*reveal_round),
            _ => None,
        });
        self.emit(match locked {
            Some(reveal_round) => Event::TimelockCommitment { netuid, hotkey, reveal_round },
            None => Event::Commitment { netuid, hotkey },
        });
        Ok(())
    }
}

/// The bytes that a field counts for. Source: `Data::len_for_storage`.
fn length(field: &CommitmentField) -> usize {
    match field {
        CommitmentField::Raw(bytes) | CommitmentField::BigRaw(bytes) => bytes.len(),
        CommitmentField::TimelockEncrypted { encrypted, .. }
        | CommitmentField::TimelockRevealFailed { encrypted, .. } => encrypted.len(),
        CommitmentField::BlakeTwo256(_)
        | CommitmentField::Sha256(_)
        | CommitmentField::Keccak256(_)
        | CommitmentField::ShaThree256(_) => 32,
        CommitmentField::ResetBondsFlag => 0,
    }
}

fn longest(field: &CommitmentField) -> usize {
    match field {
        CommitmentField::Raw(_) => MAX_RAW_BYTES,
        CommitmentField::BigRaw(_) => MAX_BIG_RAW_BYTES,
        CommitmentField::TimelockEncrypted { .. } | CommitmentField::TimelockRevealFailed { .. } => {
            MAX_TIMELOCKED_BYTES
        }
        CommitmentField::BlakeTwo256(_)
        | CommitmentField::Sha256(_)
        | CommitmentField::Keccak256(_)
        | CommitmentField::ShaThree256(_) => 32,
        CommitmentField::ResetBondsFlag => 0,
    }
}
