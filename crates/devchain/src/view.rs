//! The metagraph as read at a block. What seldom changes is kept between blocks and thrown away when a change
//! touches it.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use chain::{Commitment, Head, Neuron, Subnet, storage_index};
use parity_scale_codec::Codec;
use primitives::{AlphaRao, BlockNumber, Hotkey, MechId, NetUid, Rao, Uid};

use crate::{
    ledger::Ledger,
    storage::{
        ChangeSet, Item,
        items::{
            ACTIVE, AXONS, BURN, COMMITMENT_OF, CONSENSUS, DIVIDENDS, EMISSION, INCENTIVE, KEYS, LAST_UPDATE,
            OWNER, PERMIT, REGISTERED_AT, STAKE_WEIGHT, SUBNET_OWNER, TRUST, stale_subnet,
        },
    },
};

/// The part of a metagraph that stays while nothing about its neurons changes.
#[derive(Debug)]
struct Members {
    neurons: Vec<Neuron>,
    commitments: BTreeMap<Hotkey, Commitment>,
}

/// Metagraphs read before, by subnet; a copy of a state shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Views {
    kept: BTreeMap<NetUid, Arc<OnceLock<Members>>>,
    whole: BTreeMap<NetUid, Arc<OnceLock<Arc<Subnet>>>>,
}

impl Views {
    /// After a block: forgets what its changes made stale, and makes room for new subnets.
    pub(crate) fn refresh(&mut self, changes: &ChangeSet, subnets: &[NetUid]) {
        let stale: std::collections::BTreeSet<NetUid> = changes.keys().filter_map(stale_subnet).collect();
        let all = stale.contains(&NetUid::ROOT);
        self.kept.retain(|netuid, _| subnets.binary_search(netuid).is_ok());
        self.whole.retain(|netuid, _| subnets.binary_search(netuid).is_ok());
        for netuid in subnets {
            if all || stale.contains(netuid) || !self.kept.contains_key(netuid) {
                self.kept.insert(*netuid, Arc::default());
            }
            self.whole.insert(*netuid, Arc::default());
        }
    }

    /// The metagraph of a subnet that exists.
    pub(crate) fn subnet(&self, ledger: &Ledger, netuid: NetUid, head: Head) -> Arc<Subnet> {
        let build = || {
            let kept = self.kept.get(&netuid).cloned().unwrap_or_default();
            let members = kept.get_or_init(|| ledger.members_view(netuid));
            Arc::new(ledger.subnet_view(netuid, head, members))
        };
        match self.whole.get(&netuid) {
            Some(whole) => whole.get_or_init(build).clone(),
            None => build(),
        }
    }
}

impl Ledger {
    fn subnet_view(&self, netuid: NetUid, head: Head, members: &Members) -> Subnet {
        let hyperparameters = self.hyperparameters(netuid);
        Subnet {
            netuid,
            head,
            owner: self.read(&SUBNET_OWNER, &netuid),
            owner_hotkey: self.owner_hotkey(netuid).unwrap_or_default(),
            schedule: self.schedule(netuid, &hyperparameters),
            burn: self.read(&BURN, &netuid),
            mechanism_count: hyperparameters.mechanism_count,
            hyperparameters,
            neurons: members.neurons.clone(),
            commitments: members.commitments.clone(),
        }
    }

    fn members_view(&self, netuid: NetUid) -> Members {
        let mechanisms = 0..self.hyperparameters(netuid).mechanism_count;
        let indices = mechanisms.map(|mechid| storage_index(netuid, MechId(mechid)));
        let (last_update, incentive): (Vec<Vec<BlockNumber>>, Vec<Vec<u16>>) =
            indices.map(|index| (self.read(&LAST_UPDATE, &index), self.read(&INCENTIVE, &index))).unzip();
        let columns = Columns {
            active: self.read(&ACTIVE, &netuid),
            permit: self.read(&PERMIT, &netuid),
            stake_weight: self.shares(&STAKE_WEIGHT, netuid),
            consensus: self.shares(&CONSENSUS, netuid),
            trust: self.shares(&TRUST, netuid),
            dividends: self.shares(&DIVIDENDS, netuid),
            emission: self.read(&EMISSION, &netuid),
            last_update,
            incentive,
        };
        let neurons = (0..self.neurons(netuid)).map(|uid| self.neuron_view(netuid, Uid(uid), &columns));
        let commitments = self.store.scan(&COMMITMENT_OF, &netuid);
        let registered = commitments.filter(|((_, hotkey), _)| self.uid_of(netuid, *hotkey).is_some());
        Members {
            neurons: neurons.collect(),
            commitments: registered
                .map(|((_, hotkey), stored)| {
                    (hotkey, Commitment { block: stored.block.into(), fields: stored.fields })
                })
                .collect(),
        }
    }

    fn shares(&self, item: &Item<NetUid, Vec<u16>>, netuid: NetUid) -> Vec<u16>
    where
        Vec<u16>: Codec,
    {
        self.read(item, &netuid)
    }

    fn neuron_view(&self, netuid: NetUid, uid: Uid, columns: &Columns) -> Neuron {
        let hotkey = self.read(&KEYS, &(netuid, uid));
        Neuron {
            uid,
            hotkey,
            coldkey: self.read(&OWNER, &hotkey),
            registered_at: self.read(&REGISTERED_AT, &(netuid, uid)),
            alpha_stake: self.hotkey_alpha(hotkey, netuid),
            tao_stake: Rao(self.hotkey_alpha(hotkey, NetUid::ROOT).0),
            stake_weight: at(&columns.stake_weight, uid),
            validator_permit: at(&columns.permit, uid),
            active: at(&columns.active, uid),
            last_update: columns.last_update.iter().map(|all| at(all, uid)).collect(),
            axon: self.get(&AXONS, &(netuid, hotkey)).map(|stored| stored.axon),
            emission: at(&columns.emission, uid),
            incentive: columns.incentive.iter().map(|all| at(all, uid)).collect(),
            dividends: at(&columns.dividends, uid),
            consensus: at(&columns.consensus, uid),
            validator_trust: at(&columns.trust, uid),
        }
    }
}

struct Columns {
    active: Vec<bool>,
    permit: Vec<bool>,
    stake_weight: Vec<u16>,
    consensus: Vec<u16>,
    trust: Vec<u16>,
    dividends: Vec<u16>,
    emission: Vec<AlphaRao>,
    last_update: Vec<Vec<BlockNumber>>,
    incentive: Vec<Vec<u16>>,
}

/// A neuron's entry of a vector that the last epoch wrote; a neuron that came after it has none yet.
fn at<T: Copy + Default>(all: &[T], uid: Uid) -> T {
    all.get(uid.index()).copied().unwrap_or_default()
}
