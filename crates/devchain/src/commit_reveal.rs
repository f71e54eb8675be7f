//! Weights by commitment: a hash now, the weights some epochs later.

use chain::{ModuleError, WeightVector, WeightsCommitment, storage_index};
use primitives::{Digest, Hotkey, MechId, NetUid};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{WEIGHT_COMMITS, WeightCommit},
};

/// Commitments of one hotkey that may be open at a time. Source: `do_commit_weights`.
const MAX_OPEN_COMMITS: usize = 10;

impl Ledger {
    /// The epoch that an extrinsic in this block belongs to.
    pub(crate) fn current_epoch(&self, netuid: NetUid) -> u64 {
        self.schedule(netuid, &self.hyperparameters(netuid)).epoch_at(self.block)
    }

    /// A commitment of `epoch` can be opened in this block. Source: `is_reveal_block_range`.
    fn is_reveal_epoch(&self, netuid: NetUid, epoch: u64) -> bool {
        self.current_epoch(netuid) == epoch.saturating_add(self.hyperparameters(netuid).reveal_period_epochs)
    }

    /// A commitment of `epoch` can't be opened any more.
    fn is_expired(&self, netuid: NetUid, epoch: u64) -> bool {
        self.current_epoch(netuid) > epoch.saturating_add(self.hyperparameters(netuid).reveal_period_epochs)
    }

    /// Source: `do_commit_weights` in `subnets/weights.rs`.
    pub(crate) fn commit_weights(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        mechid: MechId,
        hash: Digest,
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        self.ensure_mechanism(netuid, mechid)?;
        if !self.hyperparameters(netuid).commit_reveal_weights_enabled {
            return Err(ModuleError::CommitRevealDisabled);
        }
        let uid = self.uid_of(netuid, hotkey).ok_or(ModuleError::HotKeyNotRegisteredInSubNet)?;
        if !self.passes_weights_rate_limit(netuid, mechid, uid) {
            return Err(ModuleError::CommittingWeightsTooFast);
        }
        let key = (storage_index(netuid, mechid), hotkey);
        let mut open = self.read(&WEIGHT_COMMITS, &key);
        open.retain(|commit| !self.is_expired(netuid, commit.epoch));
        if open.len() >= MAX_OPEN_COMMITS {
            return Err(ModuleError::TooManyUnrevealedCommits);
        }
        open.push(WeightCommit { hash, epoch: self.current_epoch(netuid), block: self.block, reserved: 0 });
        self.put(&WEIGHT_COMMITS, &key, &open);
        self.set_last_update(netuid, mechid, uid);
        self.emit(Event::WeightsCommitted { netuid, mechid, hotkey, hash });
        Ok(())
    }

    /// Source: `do_batch_commit_weights`.
    pub(crate) fn batch_commit_weights(
        &mut self,
        origin: Origin,
        netuids: &[NetUid],
        hashes: &[Digest],
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        if netuids.len() != hashes.len() {
            return Err(ModuleError::InputLengthsUnequal);
        }
        self.weights_batch(hotkey, netuids, netuids.iter().zip(hashes), |ledger, (netuid, hash)| {
            ledger.commit_weights(origin, *netuid, MechId::MAIN, *hash)
        });
        Ok(())
    }

    /// Opens several commitments, all or none. Source: `do_batch_reveal_weights`.
    pub(crate) fn batch_reveal_weights(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        opened: &[(WeightVector, &[u16], u64)],
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        let mut hashes = Vec::with_capacity(opened.len());
        for (weights, salt, version_key) in opened {
            let version_key = *version_key;
            let commitment =
                WeightsCommitment { hotkey, netuid, mechid: MechId::MAIN, weights, salt, version_key };
            hashes.push(commitment.hash());
            self.reveal_weights(&commitment, weights)?;
        }
        self.emit(Event::WeightsBatchRevealed { hotkey, netuid, hashes });
        Ok(())
    }

    /// Why the pool would not take a reveal. It looks for the hash among all commitments, whoever made them; whether it
    /// is the signer's own the call itself finds out. Source: `guards/check_weights.rs`, `find_commit_epoch_via_hash`.
    pub(crate) fn check_reveal(&self, netuid: NetUid, hash: Digest) -> Result<(), ModuleError> {
        let mut all = self.store.scan(&WEIGHT_COMMITS, &()).flat_map(|(_, commits)| commits);
        let commit = all.find(|commit| commit.hash == hash).ok_or(ModuleError::NoWeightsCommitFound)?;
        if self.is_reveal_epoch(netuid, commit.epoch) { Ok(()) } else { Err(ModuleError::RevealTooEarly) }
    }

    /// Source: `do_reveal_weights`. The commitment and all before it go, whether they were opened or not.
    pub(crate) fn reveal_weights(
        &mut self,
        commitment: &WeightsCommitment<'_>,
        weights: &WeightVector,
    ) -> Dispatch {
        let WeightsCommitment { hotkey, netuid, mechid, .. } = *commitment;
        self.ensure_mechanism(netuid, mechid)?;
        if !self.hyperparameters(netuid).commit_reveal_weights_enabled {
            return Err(ModuleError::CommitRevealDisabled);
        }
        self.uid_of(netuid, hotkey).ok_or(ModuleError::HotKeyNotRegisteredInSubNet)?;
        let hash = commitment.hash();
        let key = (storage_index(netuid, mechid), hotkey);
        let mut open = self.get(&WEIGHT_COMMITS, &key).ok_or(ModuleError::NoWeightsCommitFound)?;
        let expired = open.iter().take_while(|commit| self.is_expired(netuid, commit.epoch)).count();
        let known = open.iter().position(|commit| commit.hash == hash);
        let position = match known {
            Some(position) if position < expired => return Err(ModuleError::ExpiredWeightCommit),
            Some(position) => position,
            None if expired == open.len() => return Err(ModuleError::NoWeightsCommitFound),
            None => return Err(ModuleError::InvalidRevealCommitHashNotMatch),
        };
        if !self.is_reveal_epoch(netuid, open[position].epoch) {
            return Err(ModuleError::RevealTooEarly);
        }
        open.drain(..=position);
        if open.is_empty() {
            self.remove(&WEIGHT_COMMITS, &key);
        } else {
            self.put(&WEIGHT_COMMITS, &key, &open);
        }
        self.store_weights(hotkey, netuid, mechid, weights, commitment.version_key)?;
        self.emit(Event::WeightsRevealed { netuid, mechid, hotkey, hash });
        Ok(())
    }
}
