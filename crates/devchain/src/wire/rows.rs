//! Items of the chain whose rows the state keeps in another shape: each computed whole, by the keys' parts as the state
//! writes them.

use std::collections::{BTreeMap, BTreeSet};

use chain::Hyperparameter as H;
use parity_scale_codec::{Decode, Encode};
use primitives::{BlockNumber, NetUid as Net};

use super::{bounded::FixedI128, shapes::*};
use crate::{
    State, hyperparameters as owner,
    storage::{Key, KeyParts, items},
};

/// Rows by the keys' parts.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Fractional bits of claim rates and thresholds.
const FRACTION_BITS: u32 = 32;
/// Numbers of calls whose last block is kept for an account and a subnet. Source: `TransactionType` in
/// `utils/rate_limiting.rs`.
mod transaction {
    pub(super) const SET_CHILDREN: u16 = 0;
    pub(super) const SET_CHILDKEY_TAKE: u16 = 1;
    pub(super) const WEIGHTS_VERSION_KEY: u16 = 4;
    pub(super) const MECHANISM_COUNT: u16 = 7;
    pub(super) const MECHANISM_EMISSION: u16 = 8;
    pub(super) const TRIMMING: u16 = 9;
}

fn parts(parts: &impl KeyParts) -> Vec<u8> {
    Key::new(0, parts).as_bytes()[1..].to_vec()
}

/// Those who have their incentive staked with a hotkey, by hotkey and subnet.
pub(super) fn auto_stakers(state: &State) -> Rows {
    let mut stakers: BTreeMap<Vec<u8>, Vec<AccountId32>> = BTreeMap::new();
    for ((coldkey, netuid), hotkey) in state.ledger().store.scan(&items::AUTO_STAKE, &()) {
        stakers.entry(parts(&(hotkey, netuid))).or_default().push(coldkey.into());
    }
    stakers.into_iter().map(|(key, coldkeys)| (key, coldkeys.encode())).collect()
}

/// What a rao of root stake has earned with a hotkey, by subnet.
pub(super) fn claim_rates(state: &State) -> Rows {
    let mut rates: BTreeMap<Vec<u8>, BTreeMap<NetUid, FixedI128<32>>> = BTreeMap::new();
    for ((hotkey, netuid), bits) in state.ledger().store.scan(&items::ROOT_CLAIM_RATE, &()) {
        let rate = FixedI128 { bits: i128::try_from(bits).unwrap_or(i128::MAX) };
        rates.entry(parts(&hotkey)).or_default().insert(netuid.into(), rate);
    }
    rates.into_iter().map(|(key, rates)| (key, rates.encode())).collect()
}

/// The least that is claimed, as a number with a fraction.
pub(super) fn threshold(stored: &[u8]) -> Option<Vec<u8>> {
    let whole = u64::decode(&mut &stored[..]).ok()?;
    Some((i128::from(whole) << FRACTION_BITS).encode())
}

/// The hotkeys with commitments that open themselves.
pub(super) fn timelocked_commitments(state: &State) -> Vec<u8> {
    let waiting = state.ledger().store.scan(&items::TIMELOCKED_COMMITMENTS, &());
    let waiting: BTreeSet<(NetUid, AccountId32)> =
        waiting.map(|((netuid, hotkey), ())| (netuid.into(), hotkey.into())).collect();
    waiting.encode()
}

/// The block of a commitment.
pub(super) fn commitment_block(stored: &[u8]) -> Option<Vec<u8>> {
    let stored = items::Registration::decode(&mut &stored[..]).ok()?;
    Some(stored.block.encode())
}

/// The last blocks of what is limited by account and subnet. What the owner does is kept here by subnet alone, and shown
/// under the present owner.
pub(super) fn transactions(state: &State) -> Rows {
    let ledger = state.ledger();
    let mut rows = Rows::new();
    let mut put = |account, netuid: Net, number: u16, block: BlockNumber| {
        let key = [parts(&account), parts(&(netuid, number))].concat();
        rows.insert(key, block.encode());
    };
    for ((hotkey, netuid), block) in ledger.store.scan(&items::CHILDREN_CHANGED_AT, &()) {
        put(hotkey.0, netuid, transaction::SET_CHILDREN, block);
    }
    for ((hotkey, netuid), block) in ledger.store.scan(&items::CHILDKEY_TAKE_CHANGED_AT, &()) {
        put(hotkey.0, netuid, transaction::SET_CHILDKEY_TAKE, block);
    }
    for ((netuid, number), block) in ledger.store.scan(&items::OWNER_CHANGED_AT, &()) {
        let number = match number {
            owner::number::SPLIT => transaction::MECHANISM_EMISSION,
            owner::number::TRIM => transaction::TRIMMING,
            _ if number == owner::number_of(&H::WeightsVersionKey(0)) => transaction::WEIGHTS_VERSION_KEY,
            _ if number == owner::number_of(&H::MechanismCount(0)) => transaction::MECHANISM_COUNT,
            _ => continue,
        };
        if let Some(owner) = ledger.get(&items::SUBNET_OWNER, &netuid) {
            put(owner.0, netuid, number, block);
        }
    }
    rows
}

/// The last blocks of what is limited otherwise.
pub(super) fn rate_limited(state: &State) -> Rows {
    use RateLimitKey as K;
    let ledger = state.ledger();
    let mut rows = Rows::new();
    let mut put = |key: RateLimitKey, block: BlockNumber| {
        rows.insert(key.encode(), block.encode());
    };
    if let Some(block) = ledger.get(&items::LAST_LOCK_BLOCK, &()) {
        put(K::NetworkLastRegistered, block);
    }
    for (netuid, block) in ledger.store.scan(&items::OWNER_HOTKEY_SET_AT, &()) {
        put(K::SetSNOwnerHotkey(netuid.into()), block);
    }
    for (netuid, block) in ledger.store.scan(&items::BURNED_STAKE_AT, &()) {
        put(K::AddStakeBurn(netuid.into()), block);
    }
    for (hotkey, block) in ledger.store.scan(&items::TAKE_CHANGED_AT, &()) {
        put(K::LastTxBlockDelegateTake(hotkey.into()), block);
    }
    for ((netuid, number), block) in ledger.store.scan(&items::OWNER_CHANGED_AT, &()) {
        if let Some(which) = hyperparameter(number) {
            put(K::OwnerHyperparamUpdate(netuid.into(), which), block);
        }
    }
    rows
}

/// What the chain calls a setting whose changes it counts.
fn hyperparameter(number: u16) -> Option<Hyperparameter> {
    use Hyperparameter as W;
    if number == owner::number::TRIGGER {
        return Some(W::TriggerEpoch);
    }
    let names = [
        (H::ServingRateLimit(0), W::ServingRateLimit),
        (H::ImmunityPeriod(0), W::ImmunityPeriod),
        (H::MinAllowedWeights(0), W::MinAllowedWeights),
        (H::Rho(0), W::Rho),
        (H::MinBurn(primitives::Rao::ZERO), W::MinBurn),
        (H::MaxBurn(primitives::Rao::ZERO), W::MaxBurn),
        (H::BondsMovingAverage(0), W::BondsMovingAverage),
        (H::BondsPenalty(0), W::BondsPenalty),
        (H::CommitRevealWeightsEnabled(false), W::CommitRevealEnabled),
        (H::LiquidAlpha(false), W::LiquidAlphaEnabled),
        (H::AlphaValues((0, 0)), W::AlphaValues),
        (H::RevealPeriodEpochs(0), W::WeightCommitInterval),
        (H::TransfersEnabled(false), W::TransferEnabled),
        (H::AlphaSigmoidSteepness(0), W::AlphaSigmoidSteepness),
        (H::Yuma3(false), W::Yuma3Enabled),
        (H::BondsReset(false), W::BondsResetEnabled),
        (H::OwnerImmuneNeuronLimit(0), W::ImmuneNeuronLimit),
        (H::RecycleOwnerIncentive(false), W::RecycleOrBurn),
        (H::MaxAllowedUids(0), W::MaxAllowedUids),
        (H::BurnHalfLife(0), W::BurnHalfLife),
        (H::BurnIncreaseMult(0), W::BurnIncreaseMult),
        (H::MinChildkeyTake(0), W::MinChildkeyTake),
        (H::ActivityCutoffFactorMilli(0), W::ActivityCutoffFactorMilli),
    ];
    names.into_iter().find(|(own, _)| owner::number_of(own) == number).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use chain::{Call, ChainParameter};
    use primitives::{AccountId, Coldkey, Hotkey, Timestamp};

    use super::*;
    use crate::{Extrinsic, Genesis, wire::storage};

    const NET: Net = Net(1);

    /// A subnet of account 1, which is sudo, after these calls of it.
    fn after(calls: impl IntoIterator<Item = Call>) -> State {
        let accounts: Vec<AccountId> = (1..9).map(|n| AccountId([n; 32])).collect();
        let mut state = State::genesis(&Genesis::development(&accounts)).unwrap();
        let register = Call::RegisterNetwork { hotkey: hot(1) };
        for call in std::iter::once(register).chain(calls) {
            let name = call.name();
            let made = state.block(Timestamp(0), &[Extrinsic::new(accounts[0], call)]);
            assert_eq!(made.outcomes, [Ok(())], "{name}");
        }
        state
    }

    fn hot(n: u8) -> Hotkey {
        Hotkey::from_bytes([100 + n; 32])
    }

    /// Every row of an item, by its real key's end.
    fn rows(state: &State, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let entry = storage::ENTRIES.iter().find(|entry| entry.name == name).unwrap();
        let keys = storage::keys(state, &entry.prefix(), None, 99);
        keys.into_iter().map(|key| (key[32..].to_vec(), storage::get(state, &key).unwrap())).collect()
    }

    #[test]
    fn rate_limits_stand_under_the_chains_own_keys() {
        let state = after([
            Call::SetHyperparameter { netuid: NET, value: H::ImmunityPeriod(7) },
            Call::DecreaseTake { hotkey: hot(1), take: 3 },
            Call::SetSubnetOwnerHotkey { netuid: NET, hotkey: hot(2) },
        ]);
        let expect: Vec<(Vec<u8>, Vec<u8>)> = vec![
            (vec![0, 1, 0], 4u64.encode()),
            (vec![1, 1, 0, 5], 2u64.encode()),
            (vec![2], 1u64.encode()),
            ([vec![5], vec![101; 32]].concat(), 3u64.encode()),
        ];
        assert_eq!(rows(&state, "LastRateLimitedBlock"), expect);
    }

    #[test]
    fn last_blocks_of_transactions_name_account_subnet_and_kind() {
        let state = after([
            Call::SetChildren { hotkey: hot(1), netuid: NET, children: vec![(1, hot(2))] },
            Call::SetHyperparameter { netuid: NET, value: H::WeightsVersionKey(7) },
        ]);
        let found: BTreeMap<Vec<u8>, Vec<u8>> = rows(&state, "TransactionKeyLastBlock").into_iter().collect();
        let of = |account: [u8; 32], kind: u16| {
            let hash = crate::wire::blake2_128(&account);
            found.get(&[&hash[..], &account, &[1, 0], &kind.to_le_bytes()].concat()).cloned()
        };
        assert_eq!(of([101; 32], 0), Some(2u64.encode()));
        assert_eq!(of([1; 32], 4), Some(3u64.encode()));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn claims_and_destinations_are_shown_as_the_chain_keeps_them() {
        let mut state = after([Call::StartCall { netuid: NET }]);
        let ledger = state.ledger_mut();
        ledger.put(&items::ROOT_CLAIM_RATE, &(hot(1), NET), &(3 << 32));
        ledger.put(&items::ROOT_CLAIM_THRESHOLD, &NET, &5);
        ledger.put(&items::AUTO_STAKE, &(Coldkey::from_bytes([1; 32]), NET), &hot(1));
        let value = |name| rows(&state, name).remove(0).1;
        let rates: BTreeMap<Net, i128> = [(NET, 3i128 << 32)].into();
        let rates: BTreeMap<u16, i128> = rates.into_iter().map(|(netuid, rate)| (netuid.0, rate)).collect();
        assert_eq!(value("RootClaimable"), rates.encode());
        assert_eq!(value("RootClaimableThreshold"), (5i128 << 32).encode());
        assert_eq!(value("AutoStakeDestinationColdkeys"), vec![[1u8; 32]].encode());
        assert_eq!(value("NumRootClaim"), 5u64.encode());
        let call = ChainParameter::NumRootClaims(7);
        let sudo = Call::Sudo { call: Box::new(Call::SetChainParameter { value: call }) };
        assert_eq!(rows(&after([sudo]), "NumRootClaim")[0].1, 7u64.encode());
    }
}
