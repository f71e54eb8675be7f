//! Calls that mean something only beside others: commitments and what opens them, sealed weights, the beacon's pulses,
//! the settings of a subnet and of the whole chain.
//!
//! What is committed to and what opens it are drawn from few values, so that they often meet.

use std::{collections::BTreeMap, sync::LazyLock};

use chain::{
    Call, ChainParameter as P, CommitmentField, Hyperparameter as H, Pulse, RootClaimType, WeightVector,
    WeightsCommitment,
    timelock::{self, Beacon, WeightsPayload},
};
use devchain::{State, storage::items};
use primitives::{AccountId, AlphaRao, Digest, MechId, NetUid, Rao, Seed};
use proptest::prelude::*;

use super::{amount, netuid};
use crate::world::{NET, TAO, as_root, cold, genesis, hot, weights};

/// Coldkeys and hotkeys that call.
const CALLERS: std::ops::Range<u8> = 1..9;
/// Hotkeys that seal weights.
const SEALERS: std::ops::Range<u8> = 1..5;
/// The beacon's rounds that weights are sealed for: four rounds pass in a block.
const ROUNDS: [u64; 8] = [20, 40, 80, 120, 200, 300, 400, 600];

/// The weights that a commitment with this salt is about.
fn vector(salt: u16) -> WeightVector {
    weights(&[0, 1], &[salt + 1, 7])
}

fn hash(n: u8, salt: u16) -> Digest {
    let weights = vector(salt);
    let (hotkey, netuid, mechid) = (hot(n), NET, MechId::MAIN);
    WeightsCommitment { hotkey, netuid, mechid, weights: &weights, salt: &[salt], version_key: 0 }.hash()
}

/// Commitments by hash and their reveals, alone and in batches, and weights on several subnets at once.
fn by_hash() -> impl Strategy<Value = (AccountId, Call)> {
    let salts = prop::collection::vec(0u16..3, 0..3);
    let pairs = prop::collection::vec((0u16..4, any::<u16>()), 0..4);
    prop_oneof![
        4 => (CALLERS, 0u16..3).prop_map(|(n, salt)| {
            (hot(n).0, Call::CommitWeights { netuid: NET, mechid: MechId::MAIN, commit_hash: hash(n, salt) })
        }),
        6 => (CALLERS, 0u16..3).prop_map(|(n, salt)| {
            let (netuid, mechid, weights) = (NET, MechId::MAIN, vector(salt));
            (hot(n).0, Call::RevealWeights { netuid, mechid, weights, salt: vec![salt], version_key: 0 })
        }),
        3 => (CALLERS, 0u16..3).prop_map(|(n, salt)| {
            let (netuid, mechid, weights) = (NET, MechId::MAIN, vector(salt));
            (hot(n).0, Call::SetWeights { netuid, mechid, weights, version_key: 0 })
        }),
        1 => (CALLERS, salts.clone()).prop_map(|(n, salts)| {
            let commit_hashes: Vec<Digest> = salts.iter().map(|salt| hash(n, *salt)).collect();
            (hot(n).0, Call::BatchCommitWeights { netuids: vec![NET; commit_hashes.len()], commit_hashes })
        }),
        1 => (CALLERS, salts, 0usize..3).prop_map(|(n, salts, versions)| {
            let vectors: Vec<WeightVector> = salts.iter().map(|salt| vector(*salt)).collect();
            let call = Call::BatchRevealWeights {
                netuid: NET,
                uids_list: vectors.iter().map(|vector| vector.uids.clone()).collect(),
                values_list: vectors.iter().map(|vector| vector.values.clone()).collect(),
                salts_list: salts.iter().map(|salt| vec![*salt]).collect(),
                version_keys: vec![0; versions],
            };
            (hot(n).0, call)
        }),
        2 => (CALLERS, prop::collection::vec((netuid(), pairs), 0..3)).prop_map(|(n, lists)| {
            let (netuids, weights): (Vec<NetUid>, Vec<_>) = lists.into_iter().unzip();
            let version_keys = vec![0; netuids.len()];
            (hot(n).0, Call::BatchSetWeights { netuids, weights, version_keys })
        }),
    ]
}

/// Weights by hotkey and round, sealed for the beacon of the chains that are tried here.
static SEALED: LazyLock<BTreeMap<(u8, u64), Vec<u8>>> = LazyLock::new(|| {
    let state = State::genesis(&genesis()).unwrap();
    let beacon: Beacon = state.value(&items::BEACON, &()).unwrap().beacon();
    let seal = |n: u8, round: u64| {
        let payload = WeightsPayload { hotkey: Some(hot(n)), weights: vector(0), version_key: 0 }.encode();
        timelock::encrypt(&beacon.public_key, round, &payload, &Seed::from_number(round)).unwrap()
    };
    SEALERS.flat_map(|n| ROUNDS.map(|round| ((n, round), seal(n, round)))).collect()
});

/// A ciphertext and the round that is given for it, which is mostly its own.
fn sealed() -> impl Strategy<Value = (u8, Vec<u8>, u64)> {
    let round = || prop::sample::select(ROUNDS.to_vec());
    prop_oneof![
        8 => (SEALERS, round()).prop_map(|(n, round)| (n, SEALED[&(n, round)].clone(), round)),
        1 => (SEALERS, round(), round()).prop_map(|(n, round, other)| (n, SEALED[&(n, round)].clone(), other)),
        1 => (SEALERS, prop::collection::vec(any::<u8>(), 0..60), any::<u64>()),
    ]
}

/// Sealed weights and fields of commitments.
fn timelocked() -> impl Strategy<Value = (AccountId, Call)> {
    let version = prop_oneof![9 => Just(4u16), 1 => any::<u16>()];
    prop_oneof![
        3 => (sealed(), version).prop_map(|((n, commit, reveal_round), version)| {
            let (netuid, mechid) = (NET, MechId::MAIN);
            (hot(n).0, Call::CommitTimelockedWeights { netuid, mechid, commit, reveal_round, version })
        }),
        1 => sealed().prop_map(|(n, encrypted, reveal_round)| {
            let locked = CommitmentField::TimelockEncrypted { encrypted, reveal_round };
            let fields = vec![locked, CommitmentField::ResetBondsFlag];
            (hot(n).0, Call::SetCommitment { netuid: NET, fields })
        }),
    ]
}

/// Quicknet's round 1000, as its interface gives it.
static PULSE: LazyLock<Pulse> = LazyLock::new(|| Pulse {
    round: 1000,
    randomness: hex::decode("fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd").unwrap(),
    signature: hex::decode(
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
    )
    .unwrap(),
});

fn pulses() -> impl Strategy<Value = (AccountId, Call)> {
    let pulse = prop_oneof![
        2 => Just(PULSE.clone()),
        1 => any::<u64>().prop_map(|round| Pulse { round, ..PULSE.clone() }),
        1 => prop::collection::vec(any::<u8>(), 0..50)
            .prop_map(|signature| Pulse { signature, ..PULSE.clone() }),
    ];
    (CALLERS, prop::collection::vec(pulse, 0..3))
        .prop_map(|(n, pulses)| (cold(n), Call::WritePulse { pulses }))
}

/// Settings of a subnet besides those that every test tries.
fn subnet_setting() -> impl Strategy<Value = H> {
    prop_oneof![
        (0u64..4).prop_map(H::RevealPeriodEpochs),
        (0u64..6).prop_map(H::WeightsSetRateLimit),
        (0u64..3).prop_map(H::WeightsVersionKey),
        any::<u16>().prop_map(H::Kappa),
        any::<u16>().prop_map(H::Rho),
        any::<u16>().prop_map(H::BondsPenalty),
        any::<u64>().prop_map(H::BondsMovingAverage),
        any::<bool>().prop_map(H::BondsReset),
        any::<(u16, u16)>().prop_map(H::AlphaValues),
        any::<i16>().prop_map(H::AlphaSigmoidSteepness),
        any::<u16>().prop_map(H::BurnHalfLife),
        prop_oneof![any::<u128>(), (1u128 << 64)..(3u128 << 64)].prop_map(H::BurnIncreaseMult),
        amount().prop_map(|burn| H::MinBurn(Rao(burn))),
        amount().prop_map(|burn| H::MaxBurn(Rao(burn))),
        any::<u16>().prop_map(H::MaxWeightsLimit),
        (0u16..4).prop_map(H::MinAllowedWeights),
        (0u16..6).prop_map(H::MinAllowedUids),
        (0u16..12).prop_map(H::OwnerImmuneNeuronLimit),
        prop_oneof![any::<u32>(), 1000u32..20_000].prop_map(H::ActivityCutoffFactorMilli),
        any::<bool>().prop_map(H::TransfersEnabled),
        any::<bool>().prop_map(H::RecycleOwnerIncentive),
        any::<bool>().prop_map(H::OwnerCutEnabled),
        any::<u16>().prop_map(H::MinChildkeyTake),
    ]
}

fn chain_parameter() -> impl Strategy<Value = P> {
    prop_oneof![
        (0u16..4).prop_map(P::AdminFreezeWindow),
        (0u16..3).prop_map(P::OwnerHyperparameterRateLimit),
        prop_oneof![Just(0), 0..TAO].prop_map(P::StakeThreshold),
        (0u64..5).prop_map(P::NetworkRateLimit),
        any::<u64>().prop_map(P::NetworkImmunityPeriod),
        amount().prop_map(|cost| P::NetworkMinLockCost(Rao(cost))),
        prop_oneof![0u64..5, any::<u64>()].prop_map(P::LockReductionInterval),
        (0u16..4).prop_map(P::SubnetLimit),
        (0u8..3).prop_map(P::MaxEpochsPerBlock),
        (0u8..20).prop_map(P::MaxMechanismCount),
        any::<u16>().prop_map(P::SubnetOwnerCut),
        (0u64..4).prop_map(P::TxDelegateTakeRateLimit),
        (0u64..4).prop_map(P::TxRateLimit),
        any::<u16>().prop_map(P::MinDelegateTake),
        any::<u16>().prop_map(P::DefaultTake),
        prop_oneof![Just(0), 0..10 * TAO].prop_map(P::NominatorMinRequiredStake),
        (0u64..4).prop_map(P::StartCallDelay),
        (0u64..4).prop_map(P::TxChildkeyTakeRateLimit),
        any::<u16>().prop_map(P::MinChildkeyTake),
        any::<u16>().prop_map(P::MaxChildkeyTake),
        (0u64..5).prop_map(P::PendingChildKeyCooldown),
        (3u16..6).prop_map(P::CommitRevealVersion),
        (0u64..300).prop_map(P::NumRootClaims),
    ]
}

/// What root sets, and what an account that is not root tries to set.
fn settings() -> impl Strategy<Value = (AccountId, Call)> {
    let call = prop_oneof![
        3 => (netuid(), subnet_setting()).prop_map(|(netuid, value)| Call::SetHyperparameter { netuid, value }),
        2 => chain_parameter().prop_map(|value| Call::SetChainParameter { value }),
        1 => (netuid(), any::<bool>())
            .prop_map(|(netuid, enabled)| Call::SetSubtokenEnabled { netuid, enabled }),
        1 => (netuid(), 0..TAO)
            .prop_map(|(netuid, new_value)| Call::SetRootClaimThreshold { netuid, new_value }),
        1 => (netuid(), any::<u32>())
            .prop_map(|(netuid, factor_milli)| Call::SetActivityCutoffFactor { netuid, factor_milli }),
    ];
    (call, CALLERS, 0u8..5).prop_map(
        |(call, n, as_other)| {
            if as_other == 0 { (cold(n), call) } else { as_root(call) }
        },
    )
}

/// Moves of stake and registrations that are rarer than those that every test tries.
fn stakes() -> impl Strategy<Value = (AccountId, Call)> {
    let kept = prop::collection::btree_set(netuid(), 0..3);
    let call = prop_oneof![
        (CALLERS, netuid(), netuid(), amount()).prop_map(|(n, origin_netuid, destination_netuid, amount)| {
            let alpha_amount = AlphaRao(amount);
            Call::SwapStake { hotkey: hot(n), origin_netuid, destination_netuid, alpha_amount }
        }),
        (CALLERS, netuid(), prop::option::of(0..3 * TAO)).prop_map(|(n, netuid, limit)| {
            Call::RemoveStakeFullLimit { hotkey: hot(n), netuid, limit_price: limit.map(Rao) }
        }),
        (CALLERS, netuid(), amount()).prop_map(|(n, netuid, limit)| Call::RegisterLimit {
            netuid,
            hotkey: hot(n),
            limit_price: Rao(limit)
        }),
        kept.prop_map(|subnets| Call::SetRootClaimType {
            new_root_claim_type: RootClaimType::KeepSubnets { subnets }
        }),
        (prop::collection::vec(any::<u8>(), 0..40), any::<bool>())
            .prop_map(|(bytes, with_event)| Call::Remark { bytes, with_event }),
    ];
    (CALLERS, call).prop_map(|(n, call)| (cold(n), call))
}

/// All of these.
pub(super) fn prepared_call() -> impl Strategy<Value = (AccountId, Call)> {
    // A pulse takes milliseconds to be checked.
    prop_oneof![12 => by_hash(), 8 => timelocked(), 1 => pulses(), 8 => settings(), 6 => stakes()]
}
