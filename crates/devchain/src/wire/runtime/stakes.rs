//! Who has staked with whom. Source: `rpc_info/stake_info.rs`, `rpc_info/delegate_info.rs`.

use std::collections::BTreeSet;

use primitives::{AlphaRao, Coldkey, Hotkey, Uid};
use substrate_fixed::types::U64F64;

use super::{swaps::has_price, *};
use crate::{
    pool::fee_of,
    storage::items::{ALPHA, EMISSION, OWNER, PERMIT, STAKING_HOTKEYS, TAKE},
};

/// Blocks of a day.
const BLOCKS_PER_DAY: u64 = 7200;
/// Rao of the stake for which returns are told: 1000 TAO.
const RETURN_BASE: u64 = 1_000_000_000_000;

fn stake_info(state: &State, hotkey: Hotkey, coldkey: Coldkey, netuid: Net, stake: AlphaRao) -> StakeInfo {
    StakeInfo {
        hotkey: hotkey.into(),
        coldkey: coldkey.0.into(),
        netuid: compact(netuid),
        stake: compact(stake),
        locked: Compact(0),
        emission: Compact(storage::read(state, "AlphaDividendsPerSubnet", &(netuid, hotkey))),
        tao_emission: Compact(TaoBalance(0)),
        drain: Compact(0),
        is_registered: state.ledger().uid_of(netuid, hotkey).is_some(),
    }
}

pub(super) fn get_stake_info_for_coldkey(state: &State, coldkey_account: AccountId32) -> Vec<StakeInfo> {
    let coldkey = Coldkey(coldkey_account.into());
    let hotkeys = state.ledger().read(&STAKING_HOTKEYS, &coldkey);
    let places =
        networks(state).into_iter().flat_map(|netuid| hotkeys.iter().map(move |hotkey| (netuid, *hotkey)));
    places
        .filter_map(|(netuid, hotkey)| {
            let stake = state.stake(hotkey, coldkey, netuid);
            (!stake.is_zero()).then(|| stake_info(state, hotkey, coldkey, netuid, stake))
        })
        .collect()
}

pub(super) fn get_stake_info_for_coldkeys(
    state: &State,
    coldkey_accounts: Vec<AccountId32>,
) -> Vec<(AccountId32, Vec<StakeInfo>)> {
    let one = |coldkey: AccountId32| (coldkey.clone(), get_stake_info_for_coldkey(state, coldkey));
    coldkey_accounts.into_iter().map(one).collect()
}

/// Told of any three, stake or none.
pub(super) fn get_stake_info_for_hotkey_coldkey_netuid(
    state: &State,
    hotkey_account: AccountId32,
    coldkey_account: AccountId32,
    netuid: NetUid,
) -> Option<StakeInfo> {
    let (hotkey, coldkey, netuid) =
        (hotkey_account.into(), Coldkey(coldkey_account.into()), Net::from(netuid));
    Some(stake_info(state, hotkey, coldkey, netuid, state.stake(hotkey, coldkey, netuid)))
}

/// Networks that hold none of a coldkey's stake are left out, and all where more networks are asked for than there are.
/// Nothing is locked: this chain has no locks.
pub(super) fn get_stake_availability_for_coldkeys(
    state: &State,
    coldkey_accounts: Vec<AccountId32>,
    netuids: Option<Vec<NetUid>>,
) -> Availability {
    let existing = networks(state);
    let asked: Option<BTreeSet<Net>> = netuids.map(|netuids| netuids.into_iter().map(Net::from).collect());
    let asked = asked.map(|asked| if asked.len() > existing.len() { BTreeSet::new() } else { asked });
    let is_asked = |netuid: &Net| asked.as_ref().is_none_or(|asked| asked.contains(netuid));
    let of = |account: AccountId32| {
        let coldkey = Coldkey(account.clone().into());
        let hotkeys = state.ledger().read(&STAKING_HOTKEYS, &coldkey);
        let total = |netuid: Net| {
            let stakes = hotkeys.iter().map(|hotkey| state.stake(*hotkey, coldkey, netuid));
            stakes.fold(AlphaRao::ZERO, AlphaRao::saturating_add)
        };
        let totals =
            existing.iter().filter(|netuid| is_asked(netuid)).map(|netuid| (*netuid, total(*netuid)));
        let held = totals.filter(|(_, total)| !total.is_zero()).map(|(netuid, total)| {
            let availability = StakeAvailability {
                total: compact(total),
                locked: Compact(AlphaBalance(0)),
                available: compact(total),
            };
            (netuid.into(), availability)
        });
        (account, held.collect())
    };
    coldkey_accounts.into_iter().map(of).collect()
}

/// None: this chain has no locks.
pub(super) fn get_coldkey_lock(_state: &State, _coldkey: AccountId32, _netuid: NetUid) -> Option<LockState> {
    None
}

/// What locks would give.
pub(super) fn get_hotkey_conviction(_state: &State, _hotkey: AccountId32, _netuid: NetUid) -> FixedU128<64> {
    FixedU128 { bits: 0 }
}

/// Nobody without locks.
pub(super) fn get_most_convicted_hotkey_on_subnet(_state: &State, _netuid: NetUid) -> Option<AccountId32> {
    None
}

/// The swap's fee on `amount`, whatever it is an amount of, where it is going, or else where it comes from.
pub(super) fn get_stake_fee(
    state: &State,
    origin: Option<(AccountId32, NetUid)>,
    _origin_coldkey_account: AccountId32,
    destination: Option<(AccountId32, NetUid)>,
    _destination_coldkey_account: AccountId32,
    amount: u64,
) -> u64 {
    if origin == destination {
        return 0;
    }
    let netuid = destination.or(origin).map_or(Net::ROOT, |(_, netuid)| netuid.into());
    if has_price(state, netuid) { fee_of(amount) } else { 0 }
}

/// Hotkeys with a take of their own, in the order of the chain's map.
fn delegates(state: &State) -> Vec<Hotkey> {
    let mut all: Vec<Hotkey> = state.ledger().store.scan(&TAKE, &()).map(|(hotkey, _)| hotkey).collect();
    all.sort_by_cached_key(|hotkey| crate::wire::blake2_128(hotkey.as_bytes()));
    all
}

type Nominators = Vec<(AccountId32, Vec<(Compact<NetUid>, Compact<u64>)>)>;

/// By account, then by network.
fn nominators(state: &State, hotkey: Hotkey) -> Nominators {
    let mut stakes: BTreeMap<Coldkey, Vec<Net>> = BTreeMap::new();
    for ((_, coldkey, netuid), _) in state.ledger().store.scan(&ALPHA, &hotkey) {
        stakes.entry(coldkey).or_default().push(netuid);
    }
    let of = |(coldkey, mut netuids): (Coldkey, Vec<Net>)| {
        netuids.sort_by_key(|netuid| netuid.0.to_le_bytes());
        let stake = |netuid: Net| (compact(netuid), Compact(state.stake(hotkey, coldkey, netuid).0));
        (coldkey.0.into(), netuids.into_iter().map(stake).collect())
    };
    stakes.into_iter().map(of).collect()
}

/// Returns count the emission of the last epochs, as if all of it went to stakers, against the stake on root.
fn delegate(state: &State, hotkey: Hotkey, nominators: Nominators) -> DelegateInfo {
    let ledger = state.ledger();
    let registrations: Vec<(Net, Uid)> = networks(state)
        .into_iter()
        .filter_map(|netuid| Some((netuid, ledger.uid_of(netuid, hotkey)?)))
        .collect();
    let permits = |(netuid, uid): &&(Net, Uid)| ledger.read(&PERMIT, netuid).get(uid.index()) == Some(&true);
    let per_day = registrations.iter().fold(U64F64::from_num(0), |sum, (netuid, uid)| {
        let emission = ledger.read(&EMISSION, netuid).get(uid.index()).copied().unwrap_or_default();
        let tempo = U64F64::from_num(ledger.hyperparameters(*netuid).tempo);
        let epochs = U64F64::from_num(BLOCKS_PER_DAY).checked_div(tempo).unwrap_or_default();
        sum.saturating_add(U64F64::saturating_from_num(emission.0).saturating_mul(epochs))
    });
    let take: u16 = storage::read(state, "Delegates", &hotkey);
    let share = U64F64::from_num(take).checked_div(U64F64::from_num(u16::MAX)).unwrap_or_default();
    let on_root = U64F64::saturating_from_num(ledger.hotkey_alpha(hotkey, Net::ROOT).0);
    let bases = on_root.checked_div(U64F64::from_num(RETURN_BASE)).unwrap_or_default();
    let rest = U64F64::from_num(1).saturating_sub(share);
    let per_base = per_day.saturating_mul(rest).checked_div(bases).unwrap_or_default();
    DelegateInfo {
        delegate_ss58: hotkey.into(),
        take: Compact(take),
        nominators,
        owner_ss58: ledger.read(&OWNER, &hotkey).0.into(),
        validator_permits: registrations.iter().filter(permits).map(|(netuid, _)| compact(*netuid)).collect(),
        registrations: registrations.iter().map(|(netuid, _)| compact(*netuid)).collect(),
        return_per_1000: Compact(per_base.saturating_to_num()),
        total_daily_return: Compact(per_day.saturating_to_num()),
    }
}

pub(super) fn get_delegates(state: &State) -> Vec<DelegateInfo> {
    let all = delegates(state).into_iter();
    all.map(|hotkey| delegate(state, hotkey, nominators(state, hotkey))).collect()
}

pub(super) fn get_delegate(state: &State, delegate_account: AccountId32) -> Option<DelegateInfo> {
    let hotkey = Hotkey::from(delegate_account);
    let exists = state.ledger().contains(&TAKE, &hotkey);
    exists.then(|| delegate(state, hotkey, nominators(state, hotkey)))
}

/// The delegates that an account has staked with, once per network, without their nominators.
pub(super) fn get_delegated(state: &State, delegatee_account: AccountId32) -> Vec<Delegated> {
    let coldkey = Coldkey(delegatee_account.into());
    let mut all = Vec::new();
    for hotkey in delegates(state) {
        let stakes = state.ledger().store.scan(&ALPHA, &(hotkey, coldkey));
        let mut netuids: Vec<Net> = stakes.map(|((_, _, netuid), _)| netuid).collect();
        netuids.sort_by_key(|netuid| netuid.0.to_le_bytes());
        for netuid in netuids {
            let stake = state.stake(hotkey, coldkey, netuid);
            all.push((delegate(state, hotkey, Vec::new()), (compact(netuid), compact(stake))));
        }
    }
    all
}
