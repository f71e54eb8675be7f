//! Root and children: who earns by another's work, and how much.

use chain::{Call, Hyperparameter as H, ModuleError as M};
use devchain::{Genesis, Settings, storage::items};
use primitives::{AccountId, AlphaRao, NetUid, Rao};

use crate::world::{NET, OWNER, TAO, World, cold, genesis, hot, module, register, set_weights, stake};

const ROOT: NetUid = NetUid::ROOT;

fn stake_on_root(by: u8, with: u8, whole: u64) -> (AccountId, Call) {
    (cold(by), Call::AddStake { hotkey: hot(with), netuid: ROOT, amount: Rao::from_whole(whole) })
}

#[test]
fn root_takes_one_hotkey_per_block_and_the_least_staked_gives_way() {
    let mut world = World::new();
    let register = |n: u8| (cold(n), Call::RootRegister { hotkey: hot(n) });
    let both = world.block(&[register(3), register(4)]);
    assert_eq!(both.outcomes, [Ok(()), module(M::TooManyRegistrationsThisBlock)]);
    assert_eq!(world.call(cold(3), register(3).1), module(M::HotKeyAlreadyRegisteredInSubNet));
    assert_eq!(world.call(cold(4), register(3).1), module(M::HotKeyAlreadyRegisteredInSubNet));
    assert_eq!(world.call(cold(4), register(OWNER).1), module(M::NonAssociatedColdKey));
    world.root_ok(Call::SetHyperparameter { netuid: ROOT, value: H::MaxAllowedUids(64) });
    for (origin, call) in [register(4), register(5)] {
        world.ok(origin, call);
    }
    world.root_ok(Call::SetHyperparameter { netuid: ROOT, value: H::MinAllowedUids(0) });
    world.root_ok(Call::SetHyperparameter { netuid: ROOT, value: H::MaxAllowedUids(3) });
    for (by, whole) in [(3, 10), (4, 5), (5, 20)] {
        let (origin, call) = stake_on_root(by, by, whole);
        world.ok(origin, call);
    }
    assert_eq!(world.call(cold(6), register(6).1), module(M::StakeTooLowForRoot));
    world.ok(cold(6), Call::TryAssociateHotkey { hotkey: hot(6) });
    let (origin, call) = stake_on_root(6, 6, 5);
    world.ok(origin, call);
    assert_eq!(world.call(cold(6), register(6).1), module(M::StakeTooLowForRoot));
    let (origin, call) = stake_on_root(6, 6, 1);
    world.ok(origin, call);
    world.ok(cold(6), register(6).1);
    let uid = |n| world.state.value(&items::UIDS, &(ROOT, hot(n))).map(|uid| uid.0);
    assert_eq!([3, 4, 5, 6].map(uid), [Some(0), None, Some(2), Some(1)]);
    world.state.audit().unwrap();
}

#[test]
fn a_child_weighs_with_its_parents_stake_and_shares_its_dividends() {
    let base = genesis();
    let settings = Settings { children_cooldown: 3, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    world.register([3, 4, 5]);
    let (origin, call) = stake(3, 100);
    world.ok(origin, call);
    let half = u64::MAX / 2;
    let children = |list: &[(u64, u8)]| Call::SetChildren {
        hotkey: hot(3),
        netuid: NET,
        children: list.iter().map(|(part, n)| (*part, hot(*n))).collect(),
    };
    let refused = |call: Call, error| {
        let mut world = world.clone();
        assert_eq!(world.call(cold(3), call), module(error));
    };
    refused(children(&[(1, 3)]), M::InvalidChild);
    refused(children(&[(1, 4), (2, 4)]), M::DuplicateChild);
    refused(children(&[(1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (1, 9)]), M::TooManyChildren);
    refused(children(&[(u64::MAX, 4), (1, 5)]), M::ProportionOverflow);
    let other = Call::SetChildren { hotkey: hot(4), netuid: NET, children: vec![] };
    refused(other, M::NonAssociatedColdKey);
    world.ok(cold(3), children(&[(half, 4)]));
    refused_again(&world, children(&[]));
    assert!(world.state.value(&items::CHILD_KEYS, &(hot(3), NET)).is_none());
    // Not with an epoch within the cooldown, but with the first one after it.
    world.reach_epoch();
    world.reach_epoch();
    assert_eq!(world.state.value(&items::CHILD_KEYS, &(hot(3), NET)), Some(vec![(half, hot(4))]));
    assert_eq!(world.state.value(&items::PARENT_KEYS, &(hot(4), NET)), Some(vec![(half, hot(3))]));
    let back = Call::SetChildren { hotkey: hot(4), netuid: NET, children: vec![(1, hot(3))] };
    assert_eq!(world.call(cold(4), back), module(M::ChildParentInconsistency));
    let take = |take| Call::SetChildkeyTake { hotkey: hot(4), netuid: NET, take };
    assert_eq!(world.call(cold(4), take(11_797)), module(M::InvalidChildkeyTake));
    world.ok(cold(4), take(0));

    // The child has no stake of its own, weighs as much as its parent, and hands all of its dividends on.
    world.reach_epoch();
    let subnet = world.state.subnet(NET).unwrap();
    assert!(subnet.neurons[2].validator_permit);
    assert!(subnet.neurons[1].stake_weight.abs_diff(subnet.neurons[2].stake_weight) < 400, "{subnet:?}");
    world.ok(hot(4).0, set_weights(&[3], &[1]));
    world.ok(hot(3).0, set_weights(&[3], &[1]));
    world.reach_epoch();
    assert!(world.state.subnet(NET).unwrap().neurons[2].dividends > 0);
    assert_eq!(world.state.stake(hot(4), World::coldkey(4), NET), AlphaRao(0));
    // With a take it keeps that part.
    world.ok(cold(4), take(11_796));
    world.reach_epoch();
    world.reach_epoch();
    assert!(world.state.stake(hot(4), World::coldkey(4), NET).0 > 0);
    world.state.audit().unwrap();
}

fn refused_again(world: &World, call: Call) {
    assert_eq!(world.clone().call(cold(3), call), module(M::TxRateLimitExceeded));
}

#[test]
fn incentive_is_staked_where_its_owner_wants_it() {
    let mut world = World::new();
    world.register([3, 4]);
    let (origin, call) = register(5);
    world.ok(origin, call);
    let (origin, call) = stake(3, 100);
    world.ok(origin, call);
    world.reach_epoch();
    let auto = |n: u8| Call::SetColdkeyAutoStakeHotkey { netuid: NET, hotkey: hot(n) };
    assert_eq!(world.call(cold(4), auto(9)), module(M::HotKeyNotRegisteredInSubNet));
    world.ok(cold(4), auto(3));
    assert_eq!(world.call(cold(4), auto(3)), module(M::SameAutoStakeHotkeyAlreadySet));
    world.ok(hot(3).0, set_weights(&[2], &[1]));
    world.reach_epoch();
    assert_eq!(world.state.stake(hot(4), World::coldkey(4), NET), AlphaRao(0));
    assert!(world.state.stake(hot(3), World::coldkey(4), NET).0 > 4 * TAO);
    world.state.audit().unwrap();
}
