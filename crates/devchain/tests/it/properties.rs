//! What holds for any sequence of calls: the books add up, failures leave nothing, the state is a function of its
//! entries.
//!
//! `PROPTEST_CASES` sets how many sequences are tried; by default few enough for everyday runs.

use chain::{
    Axon, BatchKind, Call, ChainParameter as P, CommitmentField, Hyperparameter as H, Refusal, RootClaimType,
};
use devchain::{Event, Extrinsic, State};
use primitives::{AccountId, AlphaRao, Coldkey, MechId, NetUid, Rao, Timestamp};
use proptest::prelude::*;

use crate::world::{NET, TAO, World, as_root, cold, hot, weights};

mod long;
mod prepared;

/// Sequences by default.
const CASES: u32 = 24;

fn netuid() -> impl Strategy<Value = NetUid> {
    prop_oneof![6 => Just(NET), 2 => Just(NetUid(2)), 1 => Just(NetUid::ROOT), 1 => Just(NetUid(7))]
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..3_000_000, 0..500 * TAO, Just(u64::MAX), 0..2_000_000 * TAO]
}

fn setting() -> impl Strategy<Value = H> {
    prop_oneof![
        (0u16..12).prop_map(H::Tempo),
        (0u16..30).prop_map(H::ImmunityPeriod),
        (1u16..9).prop_map(H::MaxAllowedUids),
        any::<bool>().prop_map(H::CommitRevealWeightsEnabled),
        any::<bool>().prop_map(H::LiquidAlpha),
        any::<bool>().prop_map(H::Yuma3),
        (0u8..4).prop_map(H::MechanismCount),
        (0u16..4).prop_map(H::MinNonImmuneUids),
        any::<bool>().prop_map(H::NetworkRegistrationAllowed),
        (0u16..5).prop_map(H::MaxAllowedValidators),
    ]
}

/// Calls that end subnets, swap keys, or take slots away.
fn upheaval() -> impl Strategy<Value = (AccountId, Call)> {
    let n = || 1u8..9;
    prop_oneof![
        1 => netuid().prop_map(|netuid| as_root(Call::DissolveNetwork { netuid })),
        1 => (1u16..4).prop_map(|limit| as_root(Call::SetChainParameter { value: P::SubnetLimit(limit) })),
        1 => (0u64..30).prop_map(|age| {
            as_root(Call::SetChainParameter { value: P::NetworkImmunityPeriod(age) })
        }),
        4 => (n(), n(), 1u8..12, prop::option::of(netuid()), any::<bool>()).prop_map(
            |(by, old, new, netuid, keep_stake)| {
                let (hotkey, new_hotkey) = (hot(old), hot(new));
                (cold(by), Call::SwapHotkey { hotkey, new_hotkey, netuid, keep_stake })
            }
        ),
        2 => (n(), 1u8..40, 0u64..TAO).prop_map(|(old, new, cost)| {
            let (old_coldkey, new_coldkey) = (Coldkey(cold(old)), Coldkey(cold(new)));
            as_root(Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost: Rao(cost) })
        }),
        1 => (n(), n()).prop_map(|(by, new)| {
            let new_coldkey_hash = chain::blake2_256(&cold(new).0);
            (cold(by), Call::AnnounceColdkeySwap { new_coldkey_hash })
        }),
        1 => n().prop_map(|who| as_root(Call::ResetColdkeySwap { coldkey: Coldkey(cold(who)) })),
        2 => (netuid(), 0u16..6)
            .prop_map(|(netuid, max_n)| as_root(Call::TrimToMaxAllowedUids { netuid, max_n })),
        2 => (n(), n(), netuid(), amount()).prop_map(|(by, hotkey, netuid, amount)| {
            (cold(by), Call::AddStakeBurn { hotkey: hot(hotkey), netuid, amount: Rao(amount), limit: None })
        }),
        1 => (netuid(), n())
            .prop_map(|(netuid, hotkey)| as_root(Call::SetSubnetOwnerHotkey { netuid, hotkey: hot(hotkey) })),
    ]
}

/// Calls about stake, root and children, takes, and of the chain's settings.
fn other_call() -> impl Strategy<Value = (AccountId, Call)> {
    let n = 1u8..9;
    let account = n.clone().prop_map(cold);
    let hotkey = n.prop_map(hot);
    let alpha = || amount().prop_map(AlphaRao);
    let tao = || amount().prop_map(Rao);
    let part = prop_oneof![Just(u64::MAX), Just(u64::MAX / 2), any::<u64>()];
    let call =
        prop_oneof![
            (hotkey.clone(), netuid(), tao(), 0u64..3 * TAO, any::<bool>()).prop_map(
                |(hotkey, netuid, amount, limit, allow_partial)| Call::AddStakeLimit {
                    hotkey,
                    netuid,
                    amount,
                    limit_price: Rao(limit),
                    allow_partial,
                }
            ),
            (hotkey.clone(), netuid(), alpha(), 0u64..3 * TAO, any::<bool>()).prop_map(
                |(hotkey, netuid, amount, limit, allow_partial)| Call::RemoveStakeLimit {
                    hotkey,
                    netuid,
                    amount,
                    limit_price: Rao(limit),
                    allow_partial,
                }
            ),
            (hotkey.clone(), hotkey.clone(), netuid(), netuid(), alpha()).prop_map(
                |(origin_hotkey, destination_hotkey, origin_netuid, destination_netuid, alpha_amount)| {
                    Call::MoveStake {
                        origin_hotkey,
                        destination_hotkey,
                        origin_netuid,
                        destination_netuid,
                        alpha_amount,
                    }
                }
            ),
            (account.clone(), hotkey.clone(), netuid(), netuid(), alpha()).prop_map(
                |(to, hotkey, origin_netuid, destination_netuid, alpha_amount)| Call::TransferStake {
                    destination_coldkey: Coldkey(to),
                    hotkey,
                    origin_netuid,
                    destination_netuid,
                    alpha_amount,
                }
            ),
            (hotkey.clone(), netuid(), netuid(), alpha(), 0u64..2 * TAO, any::<bool>()).prop_map(
                |(hotkey, origin_netuid, destination_netuid, alpha_amount, limit, allow_partial)| {
                    Call::SwapStakeLimit {
                        hotkey,
                        origin_netuid,
                        destination_netuid,
                        alpha_amount,
                        limit_price: Rao(limit),
                        allow_partial,
                    }
                }
            ),
            hotkey.clone().prop_map(|hotkey| Call::UnstakeAll { hotkey }),
            hotkey.clone().prop_map(|hotkey| Call::UnstakeAllAlpha { hotkey }),
            (hotkey.clone(), alpha(), netuid()).prop_map(|(hotkey, amount, netuid)| Call::RecycleAlpha {
                hotkey,
                amount,
                netuid
            }),
            (hotkey.clone(), alpha(), netuid()).prop_map(|(hotkey, amount, netuid)| Call::BurnAlpha {
                hotkey,
                amount,
                netuid
            }),
            (hotkey.clone(), netuid(), prop::collection::vec((part, hotkey.clone()), 0..3))
                .prop_map(|(hotkey, netuid, children)| Call::SetChildren { hotkey, netuid, children }),
            (hotkey.clone(), netuid(), any::<u16>())
                .prop_map(|(hotkey, netuid, take)| Call::SetChildkeyTake { hotkey, netuid, take }),
            hotkey.clone().prop_map(|hotkey| Call::RootRegister { hotkey }),
            (netuid(), hotkey.clone())
                .prop_map(|(netuid, hotkey)| Call::SetColdkeyAutoStakeHotkey { netuid, hotkey }),
            prop::collection::btree_set(netuid(), 0..3).prop_map(|subnets| Call::ClaimRoot { subnets }),
            any::<bool>().prop_map(|keep| Call::SetRootClaimType {
                new_root_claim_type: if keep { RootClaimType::Keep } else { RootClaimType::Swap },
            }),
            (hotkey.clone(), any::<u16>()).prop_map(|(hotkey, take)| Call::IncreaseTake { hotkey, take }),
            hotkey.prop_map(|hotkey| Call::TryAssociateHotkey { hotkey }),
            (account.clone(), any::<bool>())
                .prop_map(|(to, keep_alive)| Call::TransferAll { to, keep_alive }),
            (account.clone(), tao()).prop_map(|(to, amount)| Call::TransferAllowDeath { to, amount }),
            (netuid(), 300u16..500).prop_map(|(netuid, tempo)| Call::SetTempo { netuid, tempo }),
        ];
    (account, call)
}

fn batched(
    one: impl Strategy<Value = (AccountId, Call)> + Clone,
) -> impl Strategy<Value = (AccountId, Call)> {
    let kind = prop_oneof![Just(BatchKind::Stop), Just(BatchKind::All), Just(BatchKind::Force)];
    (kind, prop::collection::vec(one, 0..4), any::<bool>()).prop_map(|(kind, calls, by_root)| {
        let origin = calls.first().map_or(cold(1), |(origin, _)| *origin);
        let batch = Call::Batch { kind, calls: calls.into_iter().map(|(_, call)| call).collect() };
        if by_root { as_root(batch) } else { (origin, batch) }
    })
}

fn call() -> impl Strategy<Value = (AccountId, Call)> {
    let other = other_call().boxed();
    let first = first_call().boxed();
    let end = upheaval().boxed();
    let prepared = prepared::prepared_call().boxed();
    let any =
        prop_oneof![4 => first.clone(), 4 => other.clone(), 2 => prepared.clone(), 1 => end.clone()].boxed();
    prop_oneof![8 => first, 6 => other, 4 => prepared, 2 => batched(any), 3 => end]
}

fn first_call() -> impl Strategy<Value = (AccountId, Call)> {
    let n = 1u8..9;
    let vector = || (prop::collection::vec(0u16..7, 0..5), prop::collection::vec(any::<u16>(), 0..5));
    prop_oneof![
        2 => (n.clone(), 1u8..30, amount()).prop_map(|(from, to, amount)| {
            (cold(from), Call::Transfer { to: cold(to), amount: Rao(amount) })
        }),
        1 => (n.clone(), n.clone())
            .prop_map(|(by, hotkey)| (cold(by), Call::RegisterNetwork { hotkey: hot(hotkey) })),
        1 => (n.clone(), netuid()).prop_map(|(by, netuid)| (cold(by), Call::StartCall { netuid })),
        5 => (n.clone(), netuid(), n.clone())
            .prop_map(|(by, netuid, hotkey)| (cold(by), Call::BurnedRegister { netuid, hotkey: hot(hotkey) })),
        5 => (n.clone(), netuid(), n.clone(), amount()).prop_map(|(by, netuid, hotkey, amount)| {
            (cold(by), Call::AddStake { hotkey: hot(hotkey), netuid, amount: Rao(amount) })
        }),
        4 => (n.clone(), netuid(), n.clone(), amount()).prop_map(|(by, netuid, hotkey, amount)| {
            (cold(by), Call::RemoveStake { hotkey: hot(hotkey), netuid, amount: AlphaRao(amount) })
        }),
        6 => (n.clone(), netuid(), 0u8..2, vector()).prop_map(|(by, netuid, mechid, (uids, values))| {
            let weights = weights(&uids, &values);
            (hot(by).0, Call::SetWeights { netuid, mechid: MechId(mechid), weights, version_key: 0 })
        }),
        1 => (n.clone(), netuid(), any::<u16>())
            .prop_map(|(by, netuid, port)| {
                let axon = Axon { ip: 1 << 24, port, ip_type: 4, ..Axon::default() };
                (hot(by).0, Call::ServeAxon { netuid, axon })
            }),
        1 => (n.clone(), netuid(), 0usize..600).prop_map(|(by, netuid, bytes)| {
            (hot(by).0, Call::SetCommitment { netuid, fields: vec![CommitmentField::BigRaw(vec![1; bytes])] })
        }),
        2 => (netuid(), setting()).prop_map(|(netuid, value)| as_root(Call::SetHyperparameter { netuid, value })),
        1 => (netuid(), prop::option::of(prop::collection::vec(any::<u16>(), 0..3)))
            .prop_map(|(netuid, split)| as_root(Call::SetMechanismEmissionSplit { netuid, split })),
        1 => (n.clone(), n, any::<u16>())
            .prop_map(|(by, hotkey, take)| (cold(by), Call::DecreaseTake { hotkey: hot(hotkey), take })),
        1 => netuid().prop_map(|netuid| (cold(2), Call::TriggerEpoch { netuid })),
        1 => (netuid(), any::<bool>())
            .prop_map(|(netuid, enabled)| as_root(Call::SetSubnetEmissionEnabled { netuid, enabled })),
    ]
}

fn blocks() -> impl Strategy<Value = Vec<Vec<(AccountId, Call)>>> {
    prop::collection::vec(prop::collection::vec(call(), 0..5), 1..60)
}

fn config() -> ProptestConfig {
    let cases = ProptestConfig::default().cases;
    // The crate's own default says that nothing was asked for.
    ProptestConfig { cases: if cases == 256 { CASES } else { cases }, ..ProptestConfig::default() }
}

/// Whether a block took TAO off the books that may be emitted again: the rest of a pool, or the price of a swap.
fn recycles(events: &[Event]) -> bool {
    use Event as E;
    events.iter().any(|event| {
        matches!(
            event,
            E::NetworkRemoved { .. }
                | E::HotkeySwapped { .. }
                | E::HotkeySwappedOnSubnet { .. }
                | E::ColdkeySwapped { .. }
                | E::ColdkeySwapAnnounced { .. }
        )
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_books_add_up_after_any_block(blocks in blocks()) {
        let mut world = World::new();
        let sum = |world: &World| {
            let audit = world.state.audit().unwrap();
            audit.issuance
        };
        let mut before = sum(&world);
        for calls in blocks {
            let events = world.block(&calls).events;
            let lost: u64 = events
                .iter()
                .map(|event| if let Event::DustLost { amount, .. } = event { amount.0 } else { 0 })
                .sum();
            let after = sum(&world);
            // The audit has counted every rao: what recycling took can only make it fewer.
            prop_assert!(after.0 + lost <= before.0 + TAO, "{before} to {after}");
            prop_assert!(recycles(&events) || after.0 + lost >= before.0, "{before} to {after}");
            before = after;
        }
    }

    #[test]
    fn what_the_pool_refused_might_as_well_not_have_been_sent(blocks in blocks()) {
        let mut all = World::new();
        let mut only_good = all.clone();
        for calls in blocks {
            let outcomes = all.block(&calls).outcomes;
            let let_in = |outcome: &Result<(), Refusal>| !matches!(outcome, Err(Refusal::Pool(_)));
            let (good, expect): (Vec<_>, Vec<_>) =
                calls.into_iter().zip(outcomes).filter(|(_, outcome)| let_in(outcome)).unzip();
            let again = only_good.block(&good);
            prop_assert_eq!(again.outcomes, expect);
            prop_assert_eq!(all.state.digest(), only_good.state.digest());
        }
    }

    #[test]
    fn a_chain_is_a_function_of_its_blocks(blocks in blocks()) {
        let (mut one, mut two) = (World::new(), World::new());
        for calls in blocks {
            // Looking at it in between changes nothing.
            let _seen = one.state.subnet(NET);
            let (a, b) = (one.block(&calls), two.block(&calls));
            prop_assert_eq!(a.head, b.head);
            prop_assert_eq!(a.events, b.events);
            prop_assert_eq!(a.outcomes, b.outcomes);
            prop_assert_eq!(one.state.subnet(NET), two.state.clone().subnet(NET));
        }
    }

    #[test]
    fn changes_lead_from_one_state_to_the_next(blocks in blocks()) {
        let mut world = World::new();
        let entries = |state: &State| -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
            state.entries().map(|(key, value)| (key.as_bytes().to_vec(), value.to_vec())).collect()
        };
        let mut mirror = entries(&world.state);
        for calls in blocks {
            for (key, change) in world.block(&calls).changes {
                prop_assert_eq!(mirror.get(key.as_bytes()).map(Vec::as_slice), change.old.as_deref());
                match change.new {
                    Some(new) => mirror.insert(key.as_bytes().to_vec(), new.to_vec()),
                    None => mirror.remove(key.as_bytes()),
                };
            }
            prop_assert_eq!(&mirror, &entries(&world.state));
        }
    }
}

/// The same metagraph whether it was kept from an earlier block or is read for the first time.
#[test]
fn a_kept_view_is_never_stale() {
    let mut runner = proptest::test_runner::TestRunner::new(config());
    runner
        .run(&blocks(), |blocks| {
            let mut looked = World::new();
            let mut fresh = looked.clone();
            for calls in &blocks {
                looked.block(calls);
                let _kept = looked.state.subnet(NET);
            }
            for calls in &blocks {
                fresh.block(calls);
            }
            prop_assert_eq!(looked.state.subnet(NET), fresh.state.subnet(NET));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_pool_refusal_is_not_part_of_the_block() {
    let (mut with, mut without) = (World::new(), World::new());
    let stale = Extrinsic {
        nonce: Some(4),
        ..Extrinsic::new(cold(3), Call::Transfer { to: cold(4), amount: Rao(1) })
    };
    let refused = with.state.block(Timestamp(1), &[stale]);
    assert!(matches!(refused.outcomes[0], Err(Refusal::Pool(_))));
    assert_eq!(refused.head, without.state.block(Timestamp(1), &[]).head);
}
