//! When epochs run, and who gets what.

use chain::{Call, Hyperparameter as H};
use devchain::{Event, Genesis, Settings};
use primitives::{NetUid, Rao};

use crate::world::{NET, OWNER, World, as_root, cold, genesis, hot, set_weights, stake};

#[test]
fn an_epoch_runs_every_tempo_blocks_counted_per_subnet() {
    let mut world = World::new();
    world.reach_epoch();
    let first = world.state.subnet(NET).unwrap().schedule;
    assert_eq!(first.last_epoch_block, world.state.head().number);
    world.blocks(9);
    let schedule = world.state.subnet(NET).unwrap().schedule;
    assert_eq!((schedule.epoch_index, schedule.blocks_since_last_step), (first.epoch_index, 9));
    world.blocks(1);
    let schedule = world.state.subnet(NET).unwrap().schedule;
    assert_eq!((schedule.epoch_index, schedule.blocks_since_last_step), (first.epoch_index + 1, 0));
}

#[test]
fn epochs_beyond_the_blocks_limit_run_a_block_later() {
    let base = genesis();
    let settings = Settings { max_epochs_per_block: 1, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    world.ok(cold(3), Call::RegisterNetwork { hotkey: hot(3) });
    // The same tempo, set in the same block: both are due together.
    let tempo = |netuid| as_root(Call::SetHyperparameter { netuid, value: H::Tempo(6) });
    let both = world.block(&[tempo(NET), tempo(NetUid(2))]);
    assert!(both.outcomes.iter().all(Result::is_ok));
    world.blocks(5);
    let due = world.block(&[]);
    let number = due.head.number;
    let deferred = Event::EpochDeferred { netuid: NetUid(2), from_block: number, to_block: number + 1 };
    assert!(due.events.contains(&deferred), "{:?}", due.events);
    assert_eq!(world.state.subnet(NetUid(2)).unwrap().schedule.pending_epoch_at, number + 1);
    world.block(&[]);
    let schedule = world.state.subnet(NetUid(2)).unwrap().schedule;
    assert_eq!((schedule.pending_epoch_at, schedule.last_epoch_block), (0, number + 1));
}

#[test]
fn an_owner_without_weights_grows_inactive_after_111_blocks_at_tempo_8() {
    let mut world = World::new();
    world.sudo(H::Tempo(8));
    world.register([3]);
    for n in [OWNER, 3] {
        let (origin, call) = stake(n, 100);
        world.ok(origin, call);
    }
    let registered = world.state.subnet(NET).unwrap().neurons[0].last_update[0];
    assert_eq!(world.state.subnet(NET).unwrap().hyperparameters.activity_cutoff_blocks(), 111);
    while world.state.head().number < registered + 112 {
        world.reach_epoch();
        if world.state.head().number <= registered + 111 {
            assert!(world.state.subnet(NET).unwrap().neurons[0].active);
        }
        world.ok(hot(3).0, set_weights(&[1], &[1]));
    }
    world.reach_epoch();
    let subnet = world.state.subnet(NET).unwrap();
    assert!(!subnet.neurons[0].active && subnet.neurons[1].active);
    assert!(subnet.neurons[0].emission.0 == 0 && subnet.neurons[1].emission.0 > 0);
}

#[test]
fn an_epoch_reports_what_each_neuron_got() {
    let mut world = World::new();
    world.register([3, 4]);
    let (origin, call) = stake(3, 100);
    world.ok(origin, call);
    world.reach_epoch();
    world.ok(hot(3).0, set_weights(&[2], &[1]));
    let schedule = world.state.subnet(NET).unwrap().schedule;
    let due = schedule.next_epoch_block(world.state.head().number + 1).unwrap();
    world.blocks(due - world.state.head().number - 1);
    let before = world.state.stake(hot(4), World::coldkey(4), NET);
    let events = world.block(&[]).events;
    let [Event::EpochRan { netuid: NET, epoch, emission, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(*epoch, schedule.epoch_index + 1);
    let miner = emission.iter().find(|neuron| neuron.uid.0 == 2).unwrap();
    let after = world.state.stake(hot(4), World::coldkey(4), NET);
    assert_eq!(after.0 - before.0, miner.incentive.0);
    // Ten blocks of 410,002,288 each.
    assert!((4_100_022_870..=4_100_022_880).contains(&miner.incentive.0), "{miner:?}");
    let validator = emission.iter().find(|neuron| neuron.uid.0 == 1).unwrap();
    assert!(validator.dividends.0 > 0 && validator.incentive.0 == 0);
    world.state.audit().unwrap();
}

#[test]
fn the_owners_miners_are_burned() {
    let mut world = World::new();
    world.ok(cold(OWNER), Call::BurnedRegister { netuid: NET, hotkey: hot(60) });
    world.ok(hot(OWNER).0, set_weights(&[1], &[1]));
    let (origin, call) = stake(OWNER, 100);
    world.ok(origin, call);
    world.reach_epoch();
    assert_eq!(world.state.subnet(NET).unwrap().neurons[1].incentive, [65_535]);
    assert_eq!(world.state.subnet(NET).unwrap().neurons[1].alpha_stake.0, 0);
    let audit = world.state.audit().unwrap();
    assert!(audit.subnets[&NET].unassigned.0 > 410_002_288);
}

#[test]
fn roots_part_is_recycled_while_prices_are_low() {
    let mut world = World::new();
    world.register([3]);
    let amount = Rao::from_whole(1000);
    world.ok(cold(3), Call::AddStake { hotkey: hot(3), netuid: NetUid::ROOT, amount });
    world.ok(hot(3).0, set_weights(&[1], &[1]));
    let before = world.state.audit().unwrap().subnets[&NET];
    world.blocks(1);
    let after = world.state.audit().unwrap().subnets[&NET];
    // One alpha less root's half of the validators' part: 5.27 % of 1000 TAO against some 1000 alpha.
    let grown = after.outside().0 - before.outside().0;
    assert!((970_000_000..990_000_000).contains(&grown), "{grown}");
    world.reach_epoch();
    let neuron = &world.state.subnet(NET).unwrap().neurons[1];
    assert_eq!((neuron.tao_stake, neuron.alpha_stake.0, neuron.stake_weight), (amount, 0, 65_535));
    world.state.audit().unwrap();
}
