//! What opens itself at a round of a beacon: weights and fields of commitments, and where the rounds come from.
//!
//! A chain of one's own has a beacon of its own, whose secret is part of the state: a round's signature is made when
//! something waits for it, so that an idle chain pays nothing. Pulses of quicknet can be handed in
//! ([`chain::Call::WritePulse`]) and open what was locked for them; a pulse that was handed in goes before an own one.

use std::num::NonZeroU32;

use chain::{
    CommitmentField, MAX_TIMELOCKED_COMMIT_BYTES, ModuleError, Pulse, SUBNETS_PER_MECHANISM, blake2_256,
    storage_index,
    timelock::{self, Beacon, SecretKey, Signature, TimelockError, WeightsPayload},
};
use primitives::{BlockNumber, Hotkey, MechId, NetUid, Seed};

use crate::{
    Event,
    event::RevealFailure,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{
        BEACON, BeaconSecret, COMMITMENT_OF, LAST_STORED_ROUND, PULSES, REVEALED_COMMITMENTS,
        TIMELOCKED_COMMITMENTS, TIMELOCKED_COMMITS, TimelockedCommit,
    },
};

/// Timelocked commitments of one hotkey and epoch. Source: `do_commit_timelocked_weights`.
const MAX_COMMITS_PER_EPOCH: usize = 10;
/// Pulses in one call. Source: `MAX_PULSES_TO_FETCH` in `pallets/drand`.
const MAX_PULSES_PER_CALL: usize = 50;
/// Revealed fields that are kept of one hotkey. Source: `pallets/commitments`, `reveal_timelocked_commitments`.
const MAX_REVEALED: usize = 10;

/// What is known of a round.
enum Round {
    /// Its signature.
    Signed(Signature),
    /// Nothing that opens a ciphertext: it is waited for.
    Unknown,
}

impl BeaconSecret {
    fn key(&self) -> SecretKey {
        SecretKey::from_seed(&Seed(self.secret))
    }

    /// The beacon as its users know it.
    #[must_use]
    pub fn beacon(&self) -> Beacon {
        Beacon {
            public_key: self.key().public_key(),
            genesis: self.genesis,
            period_ms: NonZeroU32::new(self.period_ms).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// The newest round at a time; 0 before the first. [`Beacon::round_at`] without a key.
    fn round_at(&self, time: primitives::Timestamp) -> u64 {
        let elapsed = u64::try_from(time.0.saturating_sub(self.genesis.0));
        elapsed.map_or(0, |elapsed| elapsed / u64::from(self.period_ms.max(1)) + 1)
    }
}

/// What a field held, or why it can't be shown. Source: `decrypt_timelock_ciphertext` in `pallets/commitments`.
fn content_of(opened: Result<Vec<u8>, TimelockError>) -> Result<Vec<u8>, RevealFailure> {
    match opened {
        Ok(bytes) if bytes.is_empty() => Err(RevealFailure::EmptyPlaintext),
        Ok(bytes) => Ok(bytes),
        Err(TimelockError::Malformed { .. }) => Err(RevealFailure::CiphertextDeserialize),
        Err(_) => Err(RevealFailure::Decrypt),
    }
}

impl Ledger {
    /// The newest round that anybody can have seen. Source: `LastStoredRound` of `pallets/drand`.
    pub(crate) fn last_round(&self) -> u64 {
        let own = self.get(&BEACON, &()).map_or(0, |beacon| beacon.round_at(self.time));
        own.max(self.read(&LAST_STORED_ROUND, &()))
    }

    /// Opens what was locked until a round; none where the round has not come or does not open it yet, the bytes or
    /// the failure otherwise.
    fn open(&self, ciphertext: &[u8], round: u64) -> Option<Result<Vec<u8>, TimelockError>> {
        if let Some(pulse) = self.get(&PULSES, &round)
            && let Ok(signature) = Signature::from_bytes(&pulse.signature)
        {
            return Some(timelock::decrypt(ciphertext, &signature));
        }
        let Round::Signed(signature) = self.own_round(round) else { return None };
        match timelock::decrypt(ciphertext, &signature) {
            // It may have been locked for another beacon, whose pulse is still to be handed in.
            Err(TimelockError::Closed) => None,
            opened => Some(opened),
        }
    }

    fn own_round(&self, round: u64) -> Round {
        match self.get(&BEACON, &()) {
            Some(beacon) if round > 0 && round <= beacon.round_at(self.time) => {
                Round::Signed(beacon.key().sign(round))
            }
            _ => Round::Unknown,
        }
    }

    /// Takes up quicknet's pulses, each of which must verify. Source: `pallets/drand`, `write_pulse`; there an
    /// offchain worker hands them in.
    pub(crate) fn write_pulses(&mut self, origin: Origin, pulses: &[Pulse]) -> Dispatch {
        origin.signed()?;
        if pulses.len() > MAX_PULSES_PER_CALL {
            return Err(ModuleError::InvalidRoundNumber);
        }
        let quicknet = Beacon::quicknet();
        for pulse in pulses {
            let signature = Signature::from_bytes(&pulse.signature);
            let signature = signature.map_err(|_| ModuleError::PulseVerificationError)?;
            let proper = pulse.randomness == signature.randomness()
                && quicknet.public_key.verify(pulse.round, &signature);
            if !proper {
                return Err(ModuleError::PulseVerificationError);
            }
            self.put(&PULSES, &pulse.round, pulse);
            self.update(&LAST_STORED_ROUND, &(), |last| *last = (*last).max(pulse.round));
        }
        self.emit(Event::NewPulse { rounds: pulses.iter().map(|pulse| pulse.round).collect() });
        Ok(())
    }

    /// Source: `do_commit_timelocked_weights`.
    pub(crate) fn commit_timelocked_weights(
        &mut self,
        origin: Origin,
        (netuid, mechid): (NetUid, MechId),
        commit: &[u8],
        round: u64,
        version: u16,
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        // The bound of the call's type: a longer one can't be encoded for the real chain.
        if commit.len() > MAX_TIMELOCKED_COMMIT_BYTES {
            return Err(ModuleError::CommitmentFieldTooLong);
        }
        self.ensure_mechanism(netuid, mechid)?;
        if !self.hyperparameters(netuid).commit_reveal_weights_enabled {
            return Err(ModuleError::CommitRevealDisabled);
        }
        if version != self.settings.commit_reveal_version {
            return Err(ModuleError::IncorrectCommitRevealVersion);
        }
        let uid = self.uid_of(netuid, hotkey).ok_or(ModuleError::HotKeyNotRegisteredInSubNet)?;
        if !self.passes_weights_rate_limit(netuid, mechid, uid) {
            return Err(ModuleError::CommittingWeightsTooFast);
        }
        let key = (storage_index(netuid, mechid), self.current_epoch(netuid));
        let mut commits = self.read(&TIMELOCKED_COMMITS, &key);
        if commits.iter().filter(|commit| commit.hotkey == hotkey).count() >= MAX_COMMITS_PER_EPOCH {
            return Err(ModuleError::TooManyUnrevealedCommits);
        }
        commits.push(TimelockedCommit { hotkey, block: self.block, commit: commit.to_vec(), round });
        self.put(&TIMELOCKED_COMMITS, &key, &commits);
        self.set_last_update(netuid, mechid, uid);
        let hash = blake2_256(commit);
        self.emit(Event::TimelockedWeightsCommitted { netuid, mechid, hotkey, hash, round });
        Ok(())
    }

    /// Opens the commitments whose epoch has come and whose round is known; the others wait until that epoch has
    /// passed. Source: `reveal_crv3_commits` in `coinbase/reveal_commits.rs`.
    pub(crate) fn reveal_timelocked_weights(&mut self) {
        let waiting: Vec<((u16, u64), Vec<TimelockedCommit>)> =
            self.store.scan(&TIMELOCKED_COMMITS, &()).collect();
        for (key, commits) in waiting {
            let (index, epoch) = key;
            let netuid = NetUid(index % SUBNETS_PER_MECHANISM);
            let mechid = MechId(u8::try_from(index / SUBNETS_PER_MECHANISM).unwrap_or(u8::MAX));
            let period = self.hyperparameters(netuid).reveal_period_epochs;
            let Some(due) = self.current_epoch(netuid).checked_sub(period) else { continue };
            if epoch > due {
                continue;
            }
            let mut left = Vec::new();
            if epoch == due {
                for commit in commits.iter() {
                    match self.open(&commit.commit, commit.round) {
                        None => left.push(commit.clone()),
                        // What does not open or is no weights is dropped, as there.
                        Some(opened) => {
                            if let Ok(bytes) = opened {
                                self.take_weights(netuid, mechid, commit.hotkey, &bytes);
                            }
                        }
                    }
                }
            }
            if left.is_empty() {
                self.remove(&TIMELOCKED_COMMITS, &key);
            } else if left.len() != commits.len() {
                self.put(&TIMELOCKED_COMMITS, &key, &left);
            }
        }
    }

    /// Weights that came out of a commitment: set as if by their committer, or dropped.
    fn take_weights(&mut self, netuid: NetUid, mechid: MechId, hotkey: Hotkey, bytes: &[u8]) {
        let Ok(payload) = WeightsPayload::decode(bytes, hotkey) else { return };
        let mark = self.mark();
        match self.store_weights(hotkey, netuid, mechid, &payload.weights, payload.version_key) {
            Ok(()) => self.emit(Event::TimelockedWeightsRevealed { netuid, mechid, hotkey }),
            Err(_) => self.roll_back(mark),
        }
    }

    /// The blocks of a mechanism's timelocked commitments that are still to be opened, by hotkey.
    pub(crate) fn timelocked_since(&self, index: u16, since_epoch: u64) -> Vec<(Hotkey, BlockNumber)> {
        let commits = self.store.scan(&TIMELOCKED_COMMITS, &index);
        let open = commits.filter(|((_, epoch), _)| *epoch >= since_epoch);
        open.flat_map(|(_, commits)| commits).map(|commit| (commit.hotkey, commit.block)).collect()
    }

    /// Removes a mechanism's timelocked commitments.
    pub(crate) fn drop_timelocked(&mut self, index: u16) {
        let keys: Vec<(u16, u64)> =
            self.store.scan(&TIMELOCKED_COMMITS, &index).map(|(key, _)| key).collect();
        for key in keys {
            self.remove(&TIMELOCKED_COMMITS, &key);
        }
    }

    /// Notes whether a commitment has fields that open themselves.
    pub(crate) fn note_timelocked_fields(&mut self, key: &(NetUid, Hotkey), fields: &[CommitmentField]) {
        if fields.iter().any(|field| matches!(field, CommitmentField::TimelockEncrypted { .. })) {
            self.put(&TIMELOCKED_COMMITMENTS, key, &());
        } else {
            self.remove(&TIMELOCKED_COMMITMENTS, key);
        }
    }

    /// Opens fields of commitments whose round is known; they move to what was revealed of their hotkey, or stay as
    /// failures. Source:
    /// `reveal_timelocked_commitments` in `pallets/commitments`.
    pub(crate) fn reveal_commitments(&mut self) {
        let waiting: Vec<(NetUid, Hotkey)> =
            self.store.scan(&TIMELOCKED_COMMITMENTS, &()).map(|(key, ())| key).collect();
        for key in waiting {
            let Some(mut stored) = self.get(&COMMITMENT_OF, &key) else {
                self.remove(&TIMELOCKED_COMMITMENTS, &key);
                continue;
            };
            let (netuid, hotkey) = key;
            let (mut revealed, mut left, mut changed) = (Vec::new(), Vec::new(), false);
            for field in stored.fields {
                let CommitmentField::TimelockEncrypted { encrypted, reveal_round } = field else {
                    left.push(field);
                    continue;
                };
                let Some(opened) = self.open(&encrypted, reveal_round) else {
                    left.push(CommitmentField::TimelockEncrypted { encrypted, reveal_round });
                    continue;
                };
                changed = true;
                match content_of(opened) {
                    Ok(bytes) => revealed.push(bytes),
                    Err(error) => {
                        self.emit(Event::CommitmentRevealFailed { netuid, hotkey, reveal_round, error });
                        left.push(CommitmentField::TimelockRevealFailed { encrypted, reveal_round });
                    }
                }
            }
            if !changed {
                continue;
            }
            stored.fields = left;
            for bytes in revealed {
                let block = self.block;
                self.update(&REVEALED_COMMITMENTS, &key, |all| {
                    all.push((bytes, block));
                    let surplus = all.len().saturating_sub(MAX_REVEALED);
                    all.drain(..surplus);
                });
                self.emit(Event::CommitmentRevealed { netuid, hotkey });
            }
            self.note_timelocked_fields(&key, &stored.fields);
            if stored.fields.is_empty() {
                self.remove(&COMMITMENT_OF, &key);
            } else {
                self.put(&COMMITMENT_OF, &key, &stored);
            }
        }
    }
}
