//! Stake that moves, goes all at once, or is destroyed.

use chain::{Call, ChainParameter as P, Hyperparameter as H, ModuleError as M};
use devchain::storage::items;
use primitives::{AlphaRao, Coldkey, NetUid, Rao};

use crate::world::{NET, OWNER, TAO, World, cold, hot, module, pool, set_weights, stake};

const OTHER: NetUid = NetUid(2);
const ROOT: NetUid = NetUid::ROOT;

/// Hotkey 3 with stake of coldkey 3 on the subnet; another subnet, started.
fn staked() -> World {
    let mut world = World::new();
    world.ok(cold(5), Call::RegisterNetwork { hotkey: hot(5) });
    world.ok(cold(5), Call::StartCall { netuid: OTHER });
    world.register([3, 4]);
    let (origin, call) = stake(3, 100);
    world.ok(origin, call);
    world
}

fn held(world: &World, hotkey: u8, coldkey: u8, netuid: NetUid) -> u64 {
    world.state.stake(hot(hotkey), Coldkey(cold(coldkey)), netuid).0
}

#[test]
fn stake_is_moved_transferred_and_swapped() {
    let mut world = staked();
    let all = held(&world, 3, 3, NET);
    let transfer = |to, amount, from_net, to_net| Call::TransferStake {
        destination_coldkey: Coldkey(cold(to)),
        hotkey: hot(3),
        origin_netuid: from_net,
        destination_netuid: to_net,
        alpha_amount: AlphaRao(amount),
    };
    let check = |world: &World, call, expect| assert_eq!(world.clone().call(cold(3), call), module(expect));
    check(&world, transfer(3, TAO, NET, NET), M::SameNetuid);
    check(&world, transfer(4, TAO, NET, NetUid(9)), M::SubnetNotExists);
    check(&world, transfer(4, all + 1, NET, NET), M::NotEnoughStakeToWithdraw);
    check(&world, transfer(4, 1, NET, NET), M::AmountTooLow);
    world.ok(cold(3), transfer(4, TAO, NET, NET));
    assert_eq!((held(&world, 3, 3, NET), held(&world, 3, 4, NET)), (all - TAO, TAO));
    world.sudo(H::TransfersEnabled(false));
    check(&world, transfer(4, TAO, NET, NET), M::TransferDisallowed);

    // To another hotkey on the same subnet nothing is lost; to another subnet one fee is paid.
    let mv = |to: u8, to_net, amount| Call::MoveStake {
        origin_hotkey: hot(3),
        destination_hotkey: hot(to),
        origin_netuid: NET,
        destination_netuid: to_net,
        alpha_amount: AlphaRao(amount),
    };
    check(&world, mv(99, NET, TAO), M::HotKeyAccountNotExists);
    world.ok(cold(3), mv(4, NET, TAO));
    assert_eq!(held(&world, 4, 3, NET), TAO);
    world.ok(cold(3), mv(4, OTHER, TAO));
    assert!(held(&world, 4, 3, OTHER) > 0);
    let swap = |to_net, amount| Call::SwapStake {
        hotkey: hot(3),
        origin_netuid: NET,
        destination_netuid: to_net,
        alpha_amount: AlphaRao(amount),
    };
    world.ok(cold(3), swap(ROOT, TAO));
    let on_root = held(&world, 3, 3, ROOT);
    assert!(on_root > TAO, "the price is above 1: {on_root}");
    let back = Call::SwapStake {
        hotkey: hot(3),
        origin_netuid: ROOT,
        destination_netuid: OTHER,
        alpha_amount: AlphaRao(on_root),
    };
    world.ok(cold(3), back);
    assert_eq!(held(&world, 3, 3, ROOT), 0);
    world.state.audit().unwrap();
}

#[test]
fn a_limit_bounds_what_is_swapped() {
    let mut world = staked();
    let swap = |limit, allow_partial| Call::SwapStakeLimit {
        hotkey: hot(3),
        origin_netuid: NET,
        destination_netuid: OTHER,
        alpha_amount: AlphaRao(50 * TAO),
        limit_price: Rao(limit),
        allow_partial,
    };
    assert_eq!(world.call(cold(3), swap(10 * TAO, true)), module(M::PriceLimitExceeded));
    let ratio = |world: &World| {
        let price = |netuid| {
            let tao = world.state.value(&items::SUBNET_TAO, &netuid).unwrap().0;
            let alpha = world.state.value(&items::SUBNET_ALPHA_IN, &netuid).unwrap().0;
            u128::from(tao) * 1_000_000_000 / u128::from(alpha)
        };
        u64::try_from(price(NET) * 1_000_000_000 / price(OTHER)).unwrap()
    };
    // Right after an epoch, so that none falls into what follows.
    world.reach_epoch();
    world.blocks(1);
    let limit = ratio(&world) - 20_000_000;
    assert_eq!(world.call(cold(3), swap(limit, false)), module(M::SlippageTooHigh));
    let before = held(&world, 3, 3, NET);
    world.ok(cold(3), swap(limit, true));
    let moved = before - held(&world, 3, 3, NET);
    assert!(moved > 0 && moved < 50 * TAO, "{moved}");
    // Emission moves the prices a little in the block's own step.
    assert!(ratio(&world).abs_diff(limit) < 1_000_000, "{} {limit}", ratio(&world));
    world.state.audit().unwrap();
}

#[test]
fn all_is_unstaked_at_once() {
    let mut world = staked();
    world.ok(cold(3), Call::AddStake { hotkey: hot(3), netuid: OTHER, amount: Rao(TAO) });
    world.ok(cold(3), Call::AddStake { hotkey: hot(3), netuid: ROOT, amount: Rao(TAO) });
    let mut to_root = world.clone();
    assert_eq!(world.call(cold(3), Call::UnstakeAll { hotkey: hot(99) }), module(M::HotKeyAccountNotExists));
    world.ok(cold(3), Call::UnstakeAll { hotkey: hot(3) });
    assert_eq!([NET, OTHER, ROOT].map(|netuid| held(&world, 3, 3, netuid)), [0; 3]);
    world.ok(cold(3), Call::UnstakeAll { hotkey: hot(3) });
    assert_eq!(world.call(cold(3), Call::UnstakeAllAlpha { hotkey: hot(3) }), module(M::AmountTooLow));
    to_root.ok(cold(3), Call::UnstakeAllAlpha { hotkey: hot(3) });
    assert_eq!([NET, OTHER].map(|netuid| held(&to_root, 3, 3, netuid)), [0; 2]);
    assert!(held(&to_root, 3, 3, ROOT) > 99 * TAO);
    to_root.ok(cold(3), Call::RemoveStakeFullLimit { hotkey: hot(3), netuid: ROOT, limit_price: None });
    assert_eq!(held(&to_root, 3, 3, ROOT), 0);
    for world in [world, to_root] {
        world.state.audit().unwrap();
    }
}

#[test]
fn alpha_is_recycled_or_burned() {
    let mut world = staked();
    let out = |world: &World| world.state.value(&items::SUBNET_ALPHA_OUT, &NET).unwrap().0;
    let recycle = |amount, netuid| Call::RecycleAlpha { hotkey: hot(3), amount: AlphaRao(amount), netuid };
    let burn = |amount| Call::BurnAlpha { hotkey: hot(3), amount: AlphaRao(amount), netuid: NET };
    assert_eq!(world.call(cold(3), recycle(1, ROOT)), module(M::CannotBurnOrRecycleOnRootSubnet));
    assert_eq!(world.call(cold(3), recycle(1, NetUid(9))), module(M::SubnetNotExists));
    let (mut recycled, mut burned, mut neither) = (world.clone(), world.clone(), world);
    neither.blocks(1);
    recycled.ok(cold(3), recycle(TAO, NET));
    assert_eq!(out(&neither) - out(&recycled), TAO);
    burned.ok(cold(3), burn(u64::MAX));
    assert_eq!((out(&burned), held(&burned, 3, 3, NET)), (out(&neither), 0));
    for world in [recycled, burned] {
        world.state.audit().unwrap();
    }
}

#[test]
fn batches_of_weights_fail_item_by_item() {
    let mut world = staked();
    world.reach_epoch();
    let batch = |netuids: &[NetUid], keys: &[u64]| Call::BatchSetWeights {
        netuids: netuids.to_vec(),
        weights: netuids.iter().map(|_| vec![(1, 1)]).collect(),
        version_keys: keys.to_vec(),
    };
    assert_eq!(world.call(hot(3).0, batch(&[NET], &[])), pool(18));
    let block = world.block(&[(hot(3).0, batch(&[NET, OTHER], &[0, 0]))]);
    assert_eq!(block.outcomes, [Ok(())]);
    let names: Vec<String> = block.events.iter().map(|event| format!("{event:?}")).collect();
    assert!(names.iter().any(|name| name.contains("HotKeyNotRegisteredInSubNet")), "{names:?}");
    assert_eq!(names.last().unwrap(), "BatchWeightsCompletedWithErrors");
    assert_eq!(world.state.weights(NET.0, world.uid(3).unwrap()), [(1, 65_535)]);
    world.ok(hot(OWNER).0, set_weights(&[1], &[1]));
}

#[test]
fn a_raised_minimum_clears_small_nominations() {
    let mut world = staked();
    for (by, amount) in [(4, TAO), (6, 50 * TAO)] {
        world.ok(cold(by), Call::AddStake { hotkey: hot(3), netuid: NET, amount: Rao(amount) });
    }
    let set = |stake| Call::SetChainParameter { value: P::NominatorMinRequiredStake(stake) };
    let own = held(&world, 3, 3, NET);
    let (small, before) = (held(&world, 3, 4, NET), world.state.balance(cold(4)));
    assert!(small > 0);
    world.root_ok(set(10 * TAO));
    assert_eq!(held(&world, 3, 4, NET), 0);
    assert!(world.state.balance(cold(4)) > before, "it is paid out");
    assert!(held(&world, 3, 6, NET) > 0 && held(&world, 3, 3, NET) >= own);
    // A lower minimum clears nothing; the hotkey's owner may have as little as it likes.
    world.ok(cold(4), Call::AddStake { hotkey: hot(3), netuid: NET, amount: Rao(TAO) });
    world.root_ok(set(5 * TAO));
    assert!(held(&world, 3, 4, NET) > 0);
    world.root_ok(set(1000 * TAO));
    assert!(held(&world, 3, 3, NET) >= own && held(&world, 3, 6, NET) == 0);
    world.state.audit().unwrap();
}
