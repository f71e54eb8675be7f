//! What holds for any sequence of calls: the books add up, failures leave nothing, the state is a function of its
//! entries.
//!
//! `PROPTEST_CASES` sets how many sequences are tried; by default few enough for everyday runs.

use chain::{Axon, Call, CommitmentField, Hyperparameter as H, Refusal};
use devchain::{Extrinsic, State};
use primitives::{AccountId, AlphaRao, MechId, NetUid, Rao, Timestamp};
use proptest::prelude::*;

use crate::world::{NET, TAO, World, as_root, cold, hot, weights};

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

fn call() -> impl Strategy<Value = (AccountId, Call)> {
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
            world.block(&calls);
            let after = sum(&world);
            prop_assert!(after >= before && after.0 - before.0 <= TAO, "{before} to {after}");
            before = after;
        }
    }

    #[test]
    fn what_failed_might_as_well_not_have_been_sent(blocks in blocks()) {
        let mut all = World::new();
        let mut only_good = all.clone();
        for calls in blocks {
            let outcomes = all.block(&calls).outcomes;
            let good: Vec<_> =
                calls.into_iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(call, _)| call).collect();
            let again = only_good.block(&good);
            prop_assert!(again.outcomes.iter().all(Result::is_ok));
            prop_assert_eq!(all.state.digest(), only_good.state.digest());
        }
    }

    #[test]
    fn a_chain_is_a_function_of_its_blocks(blocks in blocks()) {
        let (mut one, mut two) = (World::new(), World::new());
        for calls in blocks {
            // Looking at it in between changes nothing.
            let _seen = one.state.subnet(NET).unwrap();
            let (a, b) = (one.block(&calls), two.block(&calls));
            prop_assert_eq!(a.head, b.head);
            prop_assert_eq!(a.events, b.events);
            prop_assert_eq!(a.outcomes, b.outcomes);
            prop_assert_eq!(one.state.subnet(NET).unwrap(), two.state.clone().subnet(NET).unwrap());
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
    let stale =
        Extrinsic { origin: cold(3), nonce: Some(4), call: Call::Transfer { to: cold(4), amount: Rao(1) } };
    let refused = with.state.block(Timestamp(1), &[stale]);
    assert!(matches!(refused.outcomes[0], Err(Refusal::Pool(_))));
    assert_eq!(refused.head, without.state.block(Timestamp(1), &[]).head);
}
