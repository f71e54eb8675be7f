//! The price of a slot, and who loses his.

use chain::{Axon, Call, Hyperparameter as H};
use devchain::{Event, Settings, storage::items};
use primitives::{NetUid, Rao, Uid};

use crate::world::{NET, OWNER, TAO, World, cold, genesis, hot, register, set_weights, stake};

#[test]
fn the_lock_doubles_and_falls_as_observed() {
    let mut world = World::new();
    let created = world.state.head().number - 1;
    assert_eq!(created, 1);
    let base = genesis();
    let settings = Settings { min_lock_cost: Rao::from_whole(1000), ..base.settings };
    assert_eq!(settings.lock_reduction_interval, 100_800);
    // In the block after the creation it has fallen once already.
    world.blocks(created + 253 - world.state.head().number);
    assert_eq!(world.state.lock_cost(), Rao(1_997_480_158_964));
    let before = world.state.balance(cold(3));
    let fee = world.fee(cold(3), Call::RegisterNetwork { hotkey: hot(3) });
    world.ok(cold(3), Call::RegisterNetwork { hotkey: hot(3) });
    assert_eq!(before.0 - world.state.balance(cold(3)).0 - fee.0, 1_997_480_158_964);
    let lock = world.state.value(&items::SUBNET_LOCKED, &NetUid(2));
    assert_eq!(lock, Some(Rao(1_997_480_158_964)));
    world.state.audit().unwrap();
}

#[test]
fn a_registration_raises_the_price_and_blocks_lower_it() {
    let mut world = World::new();
    let burn = |world: &World| world.state.subnet(NET).unwrap().burn.0;
    // The price falls before the block's calls; the subnet was made in block 1.
    assert_eq!(burn(&world), 998_076_443);
    world.block(&[]);
    assert_eq!(burn(&world), 996_156_586);
    let two = world.block(&[register(3), register(4)]);
    assert!(two.outcomes.iter().all(Result::is_ok));
    let registrations = world.state.value(&items::REGISTRATIONS_THIS_BLOCK, &NET);
    assert_eq!((burn(&world), registrations), (1_578_456_093, Some(2)));
    world.sudo(H::MinBurn(Rao(TAO - 1)));
    world.sudo(H::BurnHalfLife(1));
    world.blocks(3);
    assert_eq!(burn(&world), TAO - 1);
}

/// Slots of five; hotkey 2 is the owner's at uid 0.
fn full() -> World {
    let mut world = World::new();
    world.sudo(H::MaxAllowedUids(5));
    world.sudo(H::ImmunityPeriod(3));
    world.sudo(H::MinNonImmuneUids(0));
    world.register([3, 4, 5, 6]);
    world.blocks(3);
    world
}

#[test]
fn the_oldest_goes_where_nobody_earned() {
    let mut world = full();
    world.register([7]);
    assert_eq!((world.uid(3), world.uid(7)), (None, Some(Uid(1))));
    world.register([8]);
    assert_eq!((world.uid(4), world.uid(8)), (None, Some(Uid(2))));
    assert_eq!(world.uid(OWNER), Some(Uid(0)));
}

#[test]
fn who_earned_least_goes_first() {
    let mut world = full();
    world.ok(hot(OWNER).0, set_weights(&[1, 2, 3, 4], &[3, 1, 2, 4]));
    let (origin, call) = stake(OWNER, 100);
    world.ok(origin, call);
    world.reach_epoch();
    let emission: Vec<u64> =
        world.state.subnet(NET).unwrap().neurons.iter().map(|neuron| neuron.emission.0).collect();
    assert!(
        emission[2] < emission[3] && emission[3] < emission[1] && emission[1] < emission[4],
        "{emission:?}"
    );
    world.register([7]);
    assert_eq!((world.uid(4), world.uid(7)), (None, Some(Uid(2))));
    // The newcomer has earned nothing, but is immune.
    world.register([8]);
    assert_eq!((world.uid(5), world.uid(8)), (None, Some(Uid(3))));
}

#[test]
fn with_few_past_immunity_a_newcomer_goes() {
    let mut world = full();
    world.sudo(H::MinNonImmuneUids(3));
    world.register([7]);
    // Four were past immunity; now three are, and hotkey 7 is the only one within.
    assert_eq!(world.uid(7), Some(Uid(1)));
    world.register([8]);
    assert_eq!((world.uid(7), world.uid(8)), (None, Some(Uid(1))));
}

#[test]
fn more_of_the_owners_hotkeys_can_be_kept() {
    let mut world = World::new();
    world.ok(cold(OWNER), Call::BurnedRegister { netuid: NET, hotkey: hot(60) });
    world.sudo(H::MaxAllowedUids(3));
    world.sudo(H::ImmunityPeriod(0));
    world.sudo(H::MinNonImmuneUids(0));
    world.sudo(H::OwnerImmuneNeuronLimit(2));
    world.register([3, 4]);
    assert_eq!((world.uid(60), world.uid(4)), (Some(Uid(1)), Some(Uid(2))));
    world.sudo(H::OwnerImmuneNeuronLimit(1));
    world.register([5]);
    assert_eq!((world.uid(60), world.uid(5)), (None, Some(Uid(1))));
}

#[test]
fn a_replaced_neuron_leaves_nothing_but_stake() {
    let mut world = full();
    let (origin, call) = stake(3, 10);
    world.ok(origin, call);
    world.ok(
        hot(3).0,
        Call::ServeAxon { netuid: NET, axon: Axon { ip: 1 << 24, port: 1, ip_type: 4, ..Axon::default() } },
    );
    world.ok(hot(3).0, set_weights(&[1], &[1]));
    world.ok(hot(OWNER).0, set_weights(&[1, 2], &[1, 1]));
    world.ok(cold(7), Call::BurnedRegister { netuid: NET, hotkey: hot(7) });
    let uid = world.uid(7).unwrap();
    assert_eq!((uid, world.uid(3)), (Uid(1), None));
    let subnet = world.state.subnet(NET).unwrap();
    let neuron = &subnet.neurons[1];
    assert_eq!((neuron.axon, neuron.validator_permit, neuron.active), (None, false, true));
    assert_eq!(neuron.last_update, [world.state.head().number]);
    assert_eq!(world.state.weights(NET.0, uid), []);
    assert_eq!(world.state.weights(NET.0, Uid(0)), [(1, 0), (2, 65_535)]);
    assert!(world.state.stake(hot(3), World::coldkey(3), NET).0 > 9 * TAO);
    world.register([3]);
    assert_eq!(world.uid(3), Some(Uid(2)));
    assert!(world.state.subnet(NET).unwrap().neurons[2].alpha_stake.0 > 9 * TAO);
}

#[test]
fn a_replacement_names_both_in_its_events() {
    let mut world = full();
    let events = world.block(&[register(7)]).events;
    let pruned = Event::NeuronPruned { netuid: NET, uid: Uid(1), hotkey: hot(3) };
    let registered = Event::NeuronRegistered { netuid: NET, uid: Uid(1), hotkey: hot(7) };
    assert_eq!(events, [pruned, registered]);
}
