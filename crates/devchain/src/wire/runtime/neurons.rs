//! Neurons one by one, each with all that is known of it. Source: `rpc_info/neuron_info.rs`.

use primitives::{AlphaRao, BlockNumber, Hotkey, Uid};

use super::*;
use crate::{
    ledger::Ledger,
    storage::items::{
        self, ACTIVE, AXONS, BONDS, CONSENSUS, DIVIDENDS, EMISSION, INCENTIVE, KEYS, LAST_UPDATE, OWNER,
        PERMIT, TRUST, WEIGHTS,
    },
};

/// What stands for the pruning score, which nothing computes any more.
const NO_PRUNING_SCORE: u16 = u16::MAX;

pub(super) fn get_neurons(state: &State, netuid: NetUid) -> Vec<NeuronInfo> {
    Subnet::new(state, netuid.into())
        .map(|subnet| subnet.all().map(|one| subnet.whole(one)).collect())
        .unwrap_or_default()
}

pub(super) fn get_neuron(state: &State, netuid: NetUid, uid: u16) -> Option<NeuronInfo> {
    let subnet = Subnet::new(state, netuid.into())?;
    Some(subnet.whole(subnet.lite(Uid(uid))?))
}

pub(super) fn get_neurons_lite(state: &State, netuid: NetUid) -> Vec<NeuronInfoLite> {
    Subnet::new(state, netuid.into()).map(|subnet| subnet.all().collect()).unwrap_or_default()
}

pub(super) fn get_neuron_lite(state: &State, netuid: NetUid, uid: u16) -> Option<NeuronInfoLite> {
    Subnet::new(state, netuid.into())?.lite(Uid(uid))
}

/// A subnet's vectors, read once for all of its neurons.
struct Subnet<'a> {
    state: &'a State,
    ledger: &'a Ledger,
    netuid: Net,
    active: Vec<bool>,
    permit: Vec<bool>,
    emission: Vec<AlphaRao>,
    incentive: Vec<u16>,
    consensus: Vec<u16>,
    trust: Vec<u16>,
    dividends: Vec<u16>,
    last_update: Vec<BlockNumber>,
}

impl<'a> Subnet<'a> {
    fn new(state: &'a State, netuid: Net) -> Option<Self> {
        let ledger = state.ledger();
        ledger.subnet_exists(netuid).then(|| Self {
            state,
            ledger,
            netuid,
            active: ledger.read(&ACTIVE, &netuid),
            permit: ledger.read(&PERMIT, &netuid),
            emission: ledger.read(&EMISSION, &netuid),
            incentive: ledger.read(&INCENTIVE, &netuid.0),
            consensus: ledger.read(&CONSENSUS, &netuid),
            trust: ledger.read(&TRUST, &netuid),
            dividends: ledger.read(&DIVIDENDS, &netuid),
            last_update: ledger.read(&LAST_UPDATE, &netuid.0),
        })
    }

    /// Slots without a hotkey end the list, as they do there.
    fn all(&self) -> impl Iterator<Item = NeuronInfoLite> {
        (0..self.ledger.neurons(self.netuid)).map_while(|uid| self.lite(Uid(uid)))
    }

    fn lite(&self, uid: Uid) -> Option<NeuronInfoLite> {
        let hotkey = self.ledger.get(&KEYS, &(self.netuid, uid))?;
        let coldkey = AccountId32::from(self.ledger.read(&OWNER, &hotkey).0);
        let stake = self.ledger.hotkey_alpha(hotkey, self.netuid);
        Some(NeuronInfoLite {
            hotkey: hotkey.into(),
            coldkey: coldkey.clone(),
            uid: Compact(uid.0),
            netuid: compact(self.netuid),
            active: at(&self.active, uid),
            axon_info: axon(self.ledger, self.netuid, hotkey),
            prometheus_info: prometheus(self.state, self.netuid, hotkey),
            stake: vec![(coldkey, compact(stake))],
            rank: Compact(0),
            emission: compact(at(&self.emission, uid)),
            incentive: Compact(at(&self.incentive, uid)),
            consensus: Compact(at(&self.consensus, uid)),
            trust: Compact(0),
            validator_trust: Compact(at(&self.trust, uid)),
            dividends: Compact(at(&self.dividends, uid)),
            last_update: Compact(at(&self.last_update, uid)),
            validator_permit: at(&self.permit, uid),
            pruning_score: Compact(NO_PRUNING_SCORE),
        })
    }

    /// With the weights and bonds of the main mechanism that are not zero.
    fn whole(&self, lite: NeuronInfoLite) -> NeuronInfo {
        let place = (self.netuid.0, Uid(lite.uid.0));
        let entries = |row: Vec<(u16, u16)>| {
            let row = row.into_iter().filter(|(_, value)| *value > 0);
            row.map(|(uid, value)| (Compact(uid), Compact(value))).collect()
        };
        NeuronInfo {
            hotkey: lite.hotkey,
            coldkey: lite.coldkey,
            uid: lite.uid,
            netuid: lite.netuid,
            active: lite.active,
            axon_info: lite.axon_info,
            prometheus_info: lite.prometheus_info,
            stake: lite.stake,
            rank: lite.rank,
            emission: lite.emission,
            incentive: lite.incentive,
            consensus: lite.consensus,
            trust: lite.trust,
            validator_trust: lite.validator_trust,
            dividends: lite.dividends,
            last_update: lite.last_update,
            validator_permit: lite.validator_permit,
            weights: entries(self.ledger.read(&WEIGHTS, &place)),
            bonds: entries(self.ledger.read(&BONDS, &place)),
            pruning_score: lite.pruning_score,
        }
    }
}

/// A neuron's entry of a stored vector; one that came after the last epoch may have none.
fn at<T: Copy + Default>(all: &[T], uid: Uid) -> T {
    all.get(uid.index()).copied().unwrap_or_default()
}

/// Where a hotkey serves; zeros where it doesn't. Source: `get_axon_info`.
pub(super) fn axon(ledger: &Ledger, netuid: Net, hotkey: Hotkey) -> AxonInfo {
    let (block, version, ip, port) = (0, 0, 0, 0);
    let nowhere =
        AxonInfo { block, version, ip, port, ip_type: 0, protocol: 0, placeholder1: 0, placeholder2: 0 };
    ledger.get(&AXONS, &(netuid, hotkey)).map_or(nowhere, |items::AxonInfo { block, axon }| AxonInfo {
        block,
        version: axon.version,
        ip: axon.ip,
        port: axon.port,
        ip_type: axon.ip_type,
        protocol: axon.protocol,
        placeholder1: axon.placeholder1,
        placeholder2: axon.placeholder2,
    })
}

/// Where a hotkey's figures are; zeros where nowhere. Source: `get_prometheus_info`.
fn prometheus(state: &State, netuid: Net, hotkey: Hotkey) -> PrometheusInfo {
    let nowhere = PrometheusInfo { block: 0, version: 0, ip: 0, port: 0, ip_type: 0 };
    storage::find(state, "Prometheus", &(netuid, hotkey)).unwrap_or(nowhere)
}
