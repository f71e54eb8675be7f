//! Null consensus, which the rules of spec 475 have beside Yuma.

use chain::{Call, EpochConsensus, Hyperparameter as H, InvalidTransaction, ModuleError as M};
use devchain::{Genesis, Rules, Settings, storage::items};
use primitives::{MechId, NetUid, Rao};

use crate::{
    rules::refused,
    world::{NET, OWNER, World, cold, genesis, hot, module, pool, set, set_weights, stake},
};

/// The miners 1 and 2, and the validator 3 besides the owner's.
fn world(rules: Rules) -> World {
    let base = genesis();
    let mut world = World::with(&Genesis { settings: Settings { rules, ..base.settings }, ..base });
    world.register([3, 4, 5]);
    for (n, whole) in [(OWNER, 300), (5, 100)] {
        let (origin, call) = stake(n, whole);
        world.ok(origin, call);
    }
    world
}

fn choose(mode: EpochConsensus) -> Call {
    Call::SetEpochConsensus { netuid: NET, mode }
}

#[test]
fn the_older_rules_have_no_such_call() {
    let world = world(Rules::V425);
    let call = choose(EpochConsensus::Null);
    refused(&world, cold(OWNER), call.clone(), Err(InvalidTransaction::Call.into()));
    let sudo = Call::Sudo { call: Box::new(call) };
    refused(&world, cold(1), sudo, Err(InvalidTransaction::Call.into()));
    assert_eq!((world.state.rules().spec_version(), Rules::V475.spec_version()), (425, 475));
}

#[test]
fn a_switch_is_the_owners_within_the_budget_of_slots() {
    let mut world = world(Rules::V475);
    refused(&world, cold(3), choose(EpochConsensus::Null), module(M::BadOrigin));
    let on = |netuid| Call::SetEpochConsensus { netuid, mode: EpochConsensus::Null };
    assert_eq!(world.root(on(NetUid(9))), Err(M::SubnetNotExists));
    assert_eq!(world.root(on(NetUid::ROOT)), Err(M::InvalidValue));
    let validators = world.state.subnet(NET).unwrap().hyperparameters.max_allowed_validators;
    refused(
        &world,
        cold(OWNER),
        set(H::MaxAllowedUids(257)),
        module(M::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids),
    );
    world.ok(cold(OWNER), choose(EpochConsensus::Null));
    assert_eq!(world.state.value(&items::SAVED_VALIDATORS, &NET), Some(validators));
    assert_eq!(world.state.value(&items::PERMIT, &NET), Some(vec![true, false, false, false]));
    assert_eq!(world.root(set(H::MaxAllowedValidators(2))), Err(M::InvalidValue));
    world.ok(cold(OWNER), set(H::MaxAllowedUids(2500)));
    let more = set(H::MaxAllowedUids(2501));
    refused(&world, cold(OWNER), more, module(M::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids));
    refused(&world, cold(OWNER), choose(EpochConsensus::Yuma), module(M::InvalidValue));
    world.ok(cold(OWNER), set(H::MaxAllowedUids(256)));
    world.ok(cold(OWNER), choose(EpochConsensus::Yuma));
    assert_eq!(world.state.subnet(NET).unwrap().hyperparameters.max_allowed_validators, validators);
    assert_eq!(world.state.value(&items::SAVED_VALIDATORS, &NET), None);
    // What waits to be opened stands in the way.
    world.sudo(H::CommitRevealWeightsEnabled(true));
    let sealed = Call::CommitTimelockedWeights {
        netuid: NET,
        mechid: MechId::MAIN,
        commit: vec![1],
        reveal_round: 9_999,
        version: 4,
    };
    world.ok(hot(OWNER).0, sealed);
    refused(&world, cold(OWNER), choose(EpochConsensus::Null), module(M::InvalidValue));
}

#[test]
fn the_largest_weighs_alone_and_stake_is_paid() {
    let mut world = world(Rules::V475);
    world.reach_epoch();
    world.ok(hot(OWNER).0, set_weights(&[1, 2], &[1, 1]));
    world.reach_epoch();
    let bonds = world.state.bonds(NET.0, primitives::Uid(0));
    assert!(!bonds.is_empty(), "an epoch of Yuma has left bonds");
    world.ok(cold(OWNER), choose(EpochConsensus::Null));
    refused(&world, hot(5).0, set_weights(&[1], &[1]), pool(255));
    let batch =
        Call::BatchSetWeights { netuids: vec![NET], weights: vec![vec![(1, 1)]], version_keys: vec![0] };
    refused(&world, hot(5).0, batch, pool(255));
    world.ok(hot(OWNER).0, set_weights(&[1, 2], &[3, 1]));
    assert_eq!(world.state.weights(NET.0, primitives::Uid(0)), [(1, 3), (2, 1)], "as they were sent");
    world.reach_epoch();
    world.reach_epoch();
    let subnet = world.state.subnet(NET).unwrap();
    let incentive: Vec<u16> = subnet.neurons.iter().map(|neuron| neuron.incentive[0]).collect();
    assert_eq!(incentive, [0, 49_151, 16_383, 0]);
    // All who stake earn by it, those without a permit too.
    let dividends: Vec<u16> = subnet.neurons.iter().map(|neuron| neuron.dividends).collect();
    assert!(dividends[0] > dividends[3] && dividends[3] > 0, "{dividends:?}");
    assert!(subnet.neurons.iter().all(|neuron| neuron.consensus == 0 && neuron.validator_trust == 0));
    assert_eq!(world.state.bonds(NET.0, primitives::Uid(0)), bonds, "bonds stand still");
    world.state.audit().unwrap();
    // A slot that was taken since the weights were sent earns nothing of them.
    world.sudo(H::MaxAllowedUids(4));
    world.register([6]);
    world.reach_epoch();
    world.reach_epoch();
    let subnet = world.state.subnet(NET).unwrap();
    let taken = subnet.neuron(&hot(6)).unwrap();
    assert_eq!(taken.incentive, [0]);
    world.ok(cold(OWNER), choose(EpochConsensus::Yuma));
    world.reach_epoch();
    world.state.audit().unwrap();
}

#[test]
fn without_weights_all_earn_alike_and_only_one_epoch_fits_a_block() {
    let mut world = world(Rules::V475);
    world.ok(cold(OWNER), choose(EpochConsensus::Null));
    world.reach_epoch();
    world.reach_epoch();
    let subnet = world.state.subnet(NET).unwrap();
    let incentive: Vec<u16> = subnet.neurons.iter().map(|neuron| neuron.incentive[0]).collect();
    assert_eq!(incentive, [16_383; 4]);
    // A second subnet whose epoch falls into the same block waits for one.
    world.ok(cold(7), Call::RegisterNetwork { hotkey: hot(7) });
    world.root_ok(Call::SetHyperparameter { netuid: NetUid(2), value: H::Tempo(5) });
    world.root_ok(Call::SetHyperparameter { netuid: NET, value: H::Tempo(4) });
    world.ok(cold(7), Call::Transfer { to: cold(8), amount: Rao(500) });
    let mut deferred = 0;
    for _ in 0..30 {
        let block = world.block(&[]);
        let ran =
            block.events.iter().filter(|event| matches!(event, devchain::Event::EpochRan { .. })).count();
        assert!(ran <= 1, "{:?}", block.events);
        deferred += block
            .events
            .iter()
            .filter(|event| matches!(event, devchain::Event::EpochDeferred { .. }))
            .count();
    }
    assert!(deferred > 0);
}
