//! A subnet in columns: everything about it and one entry per neuron in each column.
//!
//! Source: `rpc_info/metagraph.rs`, `rpc_info/show_subnet.rs`.

use chain::SUBNETS_PER_MECHANISM;
use primitives::{AccountId, Hotkey, Uid};
use substrate_fixed::types::I64F64;

use super::{subnets::Summary, *};
use crate::storage::items::{
    ACTIVE, COMMITMENT_OF, CONSENSUS, DIVIDENDS, EMISSION, INCENTIVE, KEYS, LAST_UPDATE, OWNER, PERMIT,
    REGISTERED_AT,
};

/// The index under which a mechanism's vectors are stored; that of the main mechanism where there is none.
/// Source: `get_mechanism_storage_index`.
fn storage_index(netuid: Net, mechid: MechId) -> u16 {
    let start = u16::from(mechid.0).checked_mul(SUBNETS_PER_MECHANISM);
    start.and_then(|start| start.checked_add(netuid.0)).unwrap_or(netuid.0)
}

/// What a hotkey's stake counts for, with what child keys pass on.
pub(super) struct Stake {
    pub(super) alpha: u64,
    pub(super) tao: u64,
    /// Both together, TAO by its weight.
    pub(super) total: I64F64,
}

/// Source: `get_stake_weights_for_hotkey_on_subnet`.
pub(super) fn stake_of(state: &State, hotkey: Hotkey, netuid: Net) -> Stake {
    let ledger = state.ledger();
    let (alpha, tao) =
        (ledger.inherited(hotkey, netuid, netuid), ledger.inherited(hotkey, netuid, Net::ROOT));
    let weight = I64F64::saturating_from_num(ledger.tao_weight());
    let weighted = I64F64::saturating_from_num(tao).saturating_mul(weight);
    Stake { alpha, tao, total: I64F64::saturating_from_num(alpha).saturating_add(weighted) }
}

/// The neurons' columns that metagraph and subnet state share.
struct Columns {
    hotkeys: Vec<Hotkey>,
    coldkeys: Vec<AccountId>,
    active: Vec<bool>,
    validator_permit: Vec<bool>,
    last_update: Vec<Compact<u64>>,
    emission: Vec<Compact<AlphaBalance>>,
    dividends: Vec<Compact<u16>>,
    incentives: Vec<Compact<u16>>,
    consensus: Vec<Compact<u16>>,
    block_at_registration: Vec<Compact<u64>>,
    alpha_stake: Vec<Compact<AlphaBalance>>,
    tao_stake: Vec<Compact<TaoBalance>>,
    total_stake: Vec<Compact<TaoBalance>>,
}

impl Columns {
    fn new(state: &State, netuid: Net, index: u16) -> Self {
        let ledger = state.ledger();
        let uids = (0..ledger.neurons(netuid)).map(Uid);
        let hotkeys: Vec<Hotkey> = uids.clone().map(|uid| ledger.read(&KEYS, &(netuid, uid))).collect();
        let registered = uids.map(|uid| ledger.read(&REGISTERED_AT, &(netuid, uid))).collect();
        let stakes: Vec<Stake> = hotkeys.iter().map(|hotkey| stake_of(state, *hotkey, netuid)).collect();
        let whole = |stake: &Stake| stake.total.saturating_to_num::<u64>();
        Self {
            coldkeys: hotkeys.iter().map(|hotkey| ledger.read(&OWNER, hotkey).0).collect(),
            active: ledger.read(&ACTIVE, &netuid),
            validator_permit: ledger.read(&PERMIT, &netuid),
            last_update: compacts(ledger.read(&LAST_UPDATE, &index)),
            emission: compacts(ledger.read(&EMISSION, &netuid)),
            dividends: compacts(ledger.read(&DIVIDENDS, &netuid)),
            incentives: compacts(ledger.read(&INCENTIVE, &index)),
            consensus: compacts(ledger.read(&CONSENSUS, &netuid)),
            block_at_registration: compacts(registered),
            alpha_stake: stakes.iter().map(|stake| Compact(AlphaBalance(stake.alpha))).collect(),
            tao_stake: stakes.iter().map(|stake| Compact(TaoBalance(stake.tao))).collect(),
            total_stake: stakes.iter().map(|stake| Compact(TaoBalance(whole(stake)))).collect(),
            hotkeys,
        }
    }
}

/// Whether the neurons' columns are wanted too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neurons {
    With,
    Without,
}

/// The metagraph of a subnet that exists, with the vectors of the mechanism stored under `index`.
fn build(state: &State, netuid: Net, index: u16, neurons: Neurons) -> Metagraph {
    let summary = Summary::new(state, netuid);
    let hyper = subnets::hyperparameters(state, netuid);
    let mut metagraph = Metagraph {
        netuid: Compact(NetUid(index)),
        name: summary.name,
        symbol: summary.symbol,
        identity: summary.identity,
        network_registered_at: summary.network_registered_at,
        owner_hotkey: summary.owner_hotkey,
        owner_coldkey: summary.owner_coldkey,
        block: Compact(state.head().number),
        tempo: summary.tempo,
        last_step: summary.last_step,
        blocks_since_last_step: summary.blocks_since_last_step,
        subnet_emission: Compact(0),
        alpha_in: summary.alpha_in,
        alpha_out: summary.alpha_out,
        tao_in: summary.tao_in,
        alpha_out_emission: summary.alpha_out_emission,
        alpha_in_emission: summary.alpha_in_emission,
        tao_in_emission: summary.tao_in_emission,
        pending_alpha_emission: summary.pending_alpha_emission,
        pending_root_emission: Compact(TaoBalance(0)),
        subnet_volume: summary.subnet_volume,
        moving_price: summary.moving_price,
        rho: hyper.rho,
        kappa: hyper.kappa,
        min_allowed_weights: hyper.min_allowed_weights,
        max_weights_limit: hyper.max_weights_limit,
        weights_version: hyper.weights_version,
        weights_rate_limit: hyper.weights_rate_limit,
        activity_cutoff: hyper.activity_cutoff,
        max_validators: hyper.max_validators,
        num_uids: Compact(state.ledger().neurons(netuid)),
        max_uids: Compact(state.ledger().hyperparameters(netuid).max_allowed_uids),
        burn: subnets::burn(state, netuid),
        difficulty: hyper.difficulty,
        registration_allowed: hyper.registration_allowed,
        pow_registration_allowed: value(state, "NetworkPowRegistrationAllowed", netuid),
        immunity_period: hyper.immunity_period,
        min_difficulty: hyper.min_difficulty,
        max_difficulty: hyper.max_difficulty,
        min_burn: hyper.min_burn,
        max_burn: hyper.max_burn,
        adjustment_alpha: hyper.adjustment_alpha,
        adjustment_interval: hyper.adjustment_interval,
        target_regs_per_interval: hyper.target_regs_per_interval,
        max_regs_per_block: hyper.max_regs_per_block,
        serving_rate_limit: hyper.serving_rate_limit,
        commit_reveal_weights_enabled: hyper.commit_reveal_weights_enabled,
        commit_reveal_period: hyper.commit_reveal_period,
        liquid_alpha_enabled: hyper.liquid_alpha_enabled,
        alpha_high: hyper.alpha_high,
        alpha_low: hyper.alpha_low,
        bonds_moving_avg: hyper.bonds_moving_avg,
        hotkeys: Vec::new(),
        coldkeys: Vec::new(),
        identities: Vec::new(),
        axons: Vec::new(),
        active: Vec::new(),
        validator_permit: Vec::new(),
        // Nothing computes pruning scores, trust and ranks any more.
        pruning_score: Vec::new(),
        last_update: Vec::new(),
        emission: Vec::new(),
        dividends: Vec::new(),
        incentives: Vec::new(),
        consensus: Vec::new(),
        trust: Vec::new(),
        rank: Vec::new(),
        block_at_registration: Vec::new(),
        alpha_stake: Vec::new(),
        tao_stake: Vec::new(),
        total_stake: Vec::new(),
        tao_dividends_per_hotkey: Vec::new(),
        alpha_dividends_per_hotkey: Vec::new(),
    };
    if neurons == Neurons::With {
        add_columns(&mut metagraph, state, netuid, index);
    }
    metagraph
}

fn add_columns(metagraph: &mut Metagraph, state: &State, netuid: Net, index: u16) {
    let columns = Columns::new(state, netuid, index);
    let each = || columns.hotkeys.iter().copied();
    metagraph.hotkeys = each().map(AccountId32::from).collect();
    let identity = |coldkey: &AccountId| storage::find(state, "IdentitiesV2", coldkey);
    metagraph.identities = columns.coldkeys.iter().map(identity).collect();
    metagraph.axons = each().map(|hotkey| neurons::axon(state.ledger(), netuid, hotkey)).collect();
    // Root's dividends in TAO are gone from the real chain.
    metagraph.tao_dividends_per_hotkey =
        each().map(|hotkey| (hotkey.into(), Compact(TaoBalance(0)))).collect();
    metagraph.alpha_dividends_per_hotkey = each()
        .map(|hotkey| {
            (hotkey.into(), Compact(storage::read(state, "AlphaDividendsPerSubnet", &(netuid, hotkey))))
        })
        .collect();
    metagraph.coldkeys = columns.coldkeys.into_iter().map(AccountId32::from).collect();
    metagraph.active = columns.active;
    metagraph.validator_permit = columns.validator_permit;
    metagraph.last_update = columns.last_update;
    metagraph.emission = columns.emission;
    metagraph.dividends = columns.dividends;
    metagraph.incentives = columns.incentives;
    metagraph.consensus = columns.consensus;
    metagraph.block_at_registration = columns.block_at_registration;
    metagraph.alpha_stake = columns.alpha_stake;
    metagraph.tao_stake = columns.tao_stake;
    metagraph.total_stake = columns.total_stake;
}

pub(super) fn get_metagraph(state: &State, netuid: NetUid) -> Option<Metagraph> {
    let netuid = Net::from(netuid);
    state.ledger().subnet_exists(netuid).then(|| build(state, netuid, netuid.0, Neurons::With))
}

pub(super) fn get_all_metagraphs(state: &State) -> Vec<Option<Metagraph>> {
    networks(state).into_iter().map(|netuid| get_metagraph(state, netuid.into())).collect()
}

/// The number shown is the mechanism's index, not the subnet's.
pub(super) fn get_mechagraph(state: &State, netuid: NetUid, mecid: MechId) -> Option<Metagraph> {
    let netuid = Net::from(netuid);
    let count = state.ledger().hyperparameters(netuid).mechanism_count;
    let exists = state.ledger().subnet_exists(netuid) && mecid.0 < count;
    exists.then(|| build(state, netuid, storage_index(netuid, mecid), Neurons::With))
}

pub(super) fn get_all_mechagraphs(state: &State) -> Vec<Option<Metagraph>> {
    let mechanisms = |netuid: Net| {
        let count = state.ledger().hyperparameters(netuid).mechanism_count;
        (0..count).map(move |mechid| (netuid, MechId(mechid)))
    };
    let all = networks(state).into_iter().flat_map(mechanisms);
    all.map(|(netuid, mechid)| get_mechagraph(state, netuid.into(), mechid)).collect()
}

/// Columns that can be chosen, by number, and which of them are the neurons'. Source: `SelectiveMetagraphIndex`.
macro_rules! choices {
    (subnet { $($number:literal $field:ident;)* } neurons { $($column_number:literal $column:ident;)* }) => {
        fn nothing(netuid: NetUid) -> SelectiveMetagraph {
            SelectiveMetagraph {
                netuid: Compact(netuid),
                $($field: None,)*
                $($column: None,)*
                validators: None,
                commitments: None,
            }
        }

        /// Whether one of these numbers is a column of the neurons'.
        fn wanted(numbers: &[u16]) -> Neurons {
            let column = numbers.iter().any(|number| [$($column_number),*].contains(number));
            if column { Neurons::With } else { Neurons::Without }
        }

        /// Takes a field over by its number; other numbers take nothing.
        fn choose(chosen: &mut SelectiveMetagraph, from: &mut Metagraph, number: u16) {
            match number {
                $($number => chosen.$field = Some(from.$field.clone()),)*
                // A column is moved: asked for twice, it is there already.
                $($column_number if chosen.$column.is_none() => {
                    chosen.$column = Some(std::mem::take(&mut from.$column));
                })*
                _ => {}
            }
        }
    };
}

/// The number of the subnet itself.
const NETUID: u16 = 0;
/// The list of the validators.
const VALIDATORS: u16 = 72;
/// The list of commitments.
const COMMITMENTS: u16 = 73;

choices! {
    subnet {
        1 name;
        2 symbol;
        3 identity;
        4 network_registered_at;
        5 owner_hotkey;
        6 owner_coldkey;
        7 block;
        8 tempo;
        9 last_step;
        10 blocks_since_last_step;
        11 subnet_emission;
        12 alpha_in;
        13 alpha_out;
        14 tao_in;
        15 alpha_out_emission;
        16 alpha_in_emission;
        17 tao_in_emission;
        18 pending_alpha_emission;
        19 pending_root_emission;
        20 subnet_volume;
        21 moving_price;
        22 rho;
        23 kappa;
        24 min_allowed_weights;
        25 max_weights_limit;
        26 weights_version;
        27 weights_rate_limit;
        28 activity_cutoff;
        29 max_validators;
        30 num_uids;
        31 max_uids;
        32 burn;
        33 difficulty;
        34 registration_allowed;
        35 pow_registration_allowed;
        36 immunity_period;
        37 min_difficulty;
        38 max_difficulty;
        39 min_burn;
        40 max_burn;
        41 adjustment_alpha;
        42 adjustment_interval;
        43 target_regs_per_interval;
        44 max_regs_per_block;
        45 serving_rate_limit;
        46 commit_reveal_weights_enabled;
        47 commit_reveal_period;
        48 liquid_alpha_enabled;
        49 alpha_high;
        50 alpha_low;
        51 bonds_moving_avg;
    }
    neurons {
        52 hotkeys;
        53 coldkeys;
        54 identities;
        55 axons;
        56 active;
        57 validator_permit;
        58 pruning_score;
        59 last_update;
        60 emission;
        61 dividends;
        62 incentives;
        63 consensus;
        64 trust;
        65 rank;
        66 block_at_registration;
        67 alpha_stake;
        68 tao_stake;
        69 total_stake;
        70 tao_dividends_per_hotkey;
        71 alpha_dividends_per_hotkey;
    }
}

/// The subnet's number is root's unless it is asked for, as there.
pub(super) fn get_selective_metagraph(
    state: &State,
    netuid: NetUid,
    metagraph_indexes: Vec<u16>,
) -> Option<SelectiveMetagraph> {
    let netuid = Net::from(netuid);
    let shown = if metagraph_indexes.contains(&NETUID) { netuid } else { Net::ROOT };
    selective(state, netuid, netuid.0, shown, &metagraph_indexes)
}

/// A mechanism that does not exist has empty columns.
pub(super) fn get_selective_mechagraph(
    state: &State,
    netuid: NetUid,
    subid: MechId,
    metagraph_indexes: Vec<u16>,
) -> Option<SelectiveMetagraph> {
    let netuid = Net::from(netuid);
    selective(state, netuid, storage_index(netuid, subid), netuid, &metagraph_indexes)
}

fn selective(
    state: &State,
    netuid: Net,
    index: u16,
    shown: Net,
    numbers: &[u16],
) -> Option<SelectiveMetagraph> {
    if !state.ledger().subnet_exists(netuid) {
        return None;
    }
    let mut whole = build(state, netuid, index, wanted(numbers));
    let mut chosen = nothing(shown.into());
    for number in numbers {
        match *number {
            VALIDATORS => chosen.validators = Some(validators(state, netuid)),
            COMMITMENTS => chosen.commitments = Some(commitments(state, netuid)),
            number => choose(&mut chosen, &mut whole, number),
        }
    }
    Some(chosen)
}

/// Neurons with a permit and more stake than the threshold, the least first. Source: `get_validators`.
fn validators(state: &State, netuid: Net) -> Vec<Compact<u16>> {
    let ledger = state.ledger();
    let permits = ledger.read(&PERMIT, &netuid);
    let keys = ledger.store.scan(&KEYS, &netuid);
    let permitted = keys.filter(|((_, uid), _)| permits.get(uid.index()) == Some(&true));
    let mut stakes: Vec<(Uid, I64F64)> =
        permitted.map(|((_, uid), hotkey)| (uid, stake_of(state, hotkey, netuid).total)).collect();
    stakes.retain(|(_, stake)| *stake > ledger.settings.stake_threshold);
    stakes.sort_by_key(|(_, stake)| *stake);
    stakes.into_iter().map(|(uid, _)| Compact(uid.0)).collect()
}

/// The encoded commitments of a subnet in the order of the chain's map. Source: `get_commitments` in
/// `pallets/commitments`.
fn commitments(state: &State, netuid: Net) -> Vec<(AccountId32, Vec<Compact<u8>>)> {
    let mut all: Vec<_> = state.ledger().store.scan(&COMMITMENT_OF, &netuid).collect();
    all.sort_by_cached_key(|((_, hotkey), _)| crate::wire::twox_64(hotkey.as_bytes()));
    all.into_iter()
        .map(|((_, hotkey), stored)| (hotkey.into(), compacts(Registration::from(stored).encode())))
        .collect()
}

pub(super) fn get_subnet_state(state: &State, netuid: NetUid) -> Option<SubnetState> {
    let own = Net::from(netuid.clone());
    state.ledger().subnet_exists(own).then(|| {
        let columns = Columns::new(state, own, own.0);
        let last = |netuid: Net| {
            let emission =
                |hotkey: &Hotkey| storage::read(state, "LastHotkeyEmissionOnNetuid", &(*hotkey, netuid));
            columns.hotkeys.iter().map(|hotkey| Compact(emission(hotkey))).collect()
        };
        SubnetState {
            netuid: Compact(netuid),
            emission_history: networks(state).into_iter().map(last).collect(),
            hotkeys: columns.hotkeys.iter().copied().map(AccountId32::from).collect(),
            coldkeys: columns.coldkeys.into_iter().map(AccountId32::from).collect(),
            active: columns.active,
            validator_permit: columns.validator_permit,
            pruning_score: Vec::new(),
            last_update: columns.last_update,
            emission: columns.emission,
            dividends: columns.dividends,
            incentives: columns.incentives,
            consensus: columns.consensus,
            trust: Vec::new(),
            rank: Vec::new(),
            block_at_registration: columns.block_at_registration,
            alpha_stake: columns.alpha_stake,
            tao_stake: columns.tao_stake,
            total_stake: columns.total_stake,
        }
    })
}
