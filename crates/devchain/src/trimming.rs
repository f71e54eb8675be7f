//! Slots taken away from a subnet: the neurons of lowest emission lose theirs, the others move together.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chain::{MechId, ModuleError, storage_index};
use parity_scale_codec::Codec;
use primitives::{NetUid, Uid};

use crate::{
    ledger::{Dispatch, Ledger},
    storage::{
        Item, KeyParts,
        items::{
            ACTIVE, AXONS, BONDS, CERTIFICATES, CONSENSUS, DIVIDENDS, EMISSION, INCENTIVE, KEYS, LAST_UPDATE,
            NEURONS, PERMIT, PROMETHEUS, REGISTERED_AT, STAKE_WEIGHT, TRUST, UIDS, WEIGHTS,
        },
    },
};

/// Per cent of the slots that stay which immune neurons may not reach. Source: `MaxImmuneUidsPercentage`.
const MAX_IMMUNE_PERCENT: u32 = 80;

impl Ledger {
    /// Source: `trim_to_max_allowed_uids` in `subnets/uids.rs`.
    pub(crate) fn trim_slots(&mut self, netuid: NetUid, most: u16) -> Dispatch {
        self.ensure_subnet(netuid)?;
        let mut settings = self.hyperparameters(netuid);
        if !(settings.min_allowed_uids..=settings.max_allowed_uids).contains(&most) {
            return Err(ModuleError::InvalidValue);
        }
        let neurons = self.neurons(netuid);
        if neurons > most {
            // There slots go in batches, of a size that isn't known.
            if self.is_null(netuid) {
                return Err(ModuleError::InvalidValue);
            }
            let immune = self.immune_uids(netuid, &settings);
            let count = u32::try_from(immune.len()).unwrap_or(u32::MAX);
            let percent = (count * 100).checked_div(most.into()).unwrap_or(100);
            if percent >= MAX_IMMUNE_PERCENT {
                return Err(ModuleError::TrimmingWouldExceedMaxImmunePercentage);
            }
            let kept = self.uids_to_keep(netuid, neurons, most, &immune);
            self.move_together(netuid, neurons, &kept, settings.mechanism_count);
        }
        settings.max_allowed_uids = most;
        self.put_hyperparameters(netuid, &settings);
        Ok(())
    }

    fn immune_uids(&self, netuid: NetUid, settings: &chain::Hyperparameters) -> BTreeSet<Uid> {
        let owned = self.immortal_hotkeys(netuid, settings);
        let owned = owned.into_iter().filter_map(|hotkey| self.uid_of(netuid, hotkey));
        let young = (0..self.neurons(netuid)).map(Uid).filter(|uid| {
            let at = self.read(&REGISTERED_AT, &(netuid, *uid));
            self.block.saturating_sub(at) < u64::from(settings.immunity_period)
        });
        owned.chain(young).collect()
    }

    /// The slots that stay, ascending: of equal emissions the higher uid goes first.
    fn uids_to_keep(&self, netuid: NetUid, neurons: u16, most: u16, immune: &BTreeSet<Uid>) -> Vec<Uid> {
        let emission = self.read(&EMISSION, &netuid);
        let mut kept: BTreeSet<Uid> = (0..neurons).map(Uid).collect();
        let mut by_emission: Vec<Uid> = kept.iter().copied().collect();
        by_emission.sort_by_key(|uid| Reverse(emission.get(uid.index()).copied().unwrap_or_default()));
        for uid in by_emission.into_iter().rev().filter(|uid| !immune.contains(uid)) {
            if kept.len() <= usize::from(most) {
                break;
            }
            kept.remove(&uid);
        }
        kept.into_iter().collect()
    }

    fn move_together(&mut self, netuid: NetUid, neurons: u16, kept: &[Uid], mechanisms: u8) {
        let places: BTreeMap<Uid, Uid> = kept.iter().copied().zip((0..).map(Uid)).collect();
        for old in (0..neurons).map(Uid) {
            let hotkey = self.read(&KEYS, &(netuid, old));
            let at = self.read(&REGISTERED_AT, &(netuid, old));
            self.remove(&KEYS, &(netuid, old));
            self.remove(&REGISTERED_AT, &(netuid, old));
            match places.get(&old) {
                // A place is never behind the slot, so that nothing is written over.
                Some(new) => {
                    self.put(&KEYS, &(netuid, *new), &hotkey);
                    self.put(&REGISTERED_AT, &(netuid, *new), &at);
                    self.put(&UIDS, &(netuid, hotkey), new);
                }
                None => {
                    self.remove(&UIDS, &(netuid, hotkey));
                    self.remove(&AXONS, &(netuid, hotkey));
                    self.remove(&CERTIFICATES, &(netuid, hotkey));
                    self.remove(&PROMETHEUS, &(netuid, hotkey));
                }
            }
        }
        self.keep_entries(&ACTIVE, &netuid, kept);
        self.keep_entries(&EMISSION, &netuid, kept);
        self.keep_entries(&PERMIT, &netuid, kept);
        for item in [&CONSENSUS, &DIVIDENDS, &TRUST, &STAKE_WEIGHT] {
            self.keep_entries(item, &netuid, kept);
        }
        for mechanism in 0..mechanisms {
            let index = storage_index(netuid, MechId(mechanism));
            self.keep_entries(&INCENTIVE, &index, kept);
            self.keep_entries(&LAST_UPDATE, &index, kept);
            for item in [&WEIGHTS, &BONDS] {
                self.keep_rows(item, index, &places);
            }
        }
        self.put(&NEURONS, &netuid, &u16::try_from(kept.len()).unwrap_or(u16::MAX));
    }

    fn keep_entries<K: KeyParts, T: Copy + Default>(&mut self, item: &Item<K, Vec<T>>, key: &K, kept: &[Uid])
    where
        Vec<T>: Codec,
    {
        self.update(item, key, |all| {
            *all = kept.iter().map(|uid| all.get(uid.index()).copied().unwrap_or_default()).collect();
        });
    }

    /// Rows of the slots that stay, at their new places and without those that went.
    fn keep_rows(
        &mut self,
        item: &Item<(u16, Uid), Vec<(u16, u16)>>,
        index: u16,
        places: &BTreeMap<Uid, Uid>,
    ) {
        let rows: Vec<_> = self.store.scan(item, &index).collect();
        for ((_, old), row) in rows {
            self.remove(item, &(index, old));
            let Some(new) = places.get(&old) else { continue };
            let row = row.into_iter();
            let kept = row.filter_map(|(to, value)| places.get(&Uid(to)).map(|to| (to.0, value)));
            self.put(item, &(index, *new), &kept.collect());
        }
    }
}
