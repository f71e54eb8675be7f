//! Hotkeys and coldkeys that take another's place.

use chain::{
    Axon, Call, ChainIdentity, Hyperparameter as H, ModuleError as M, Prometheus, blake2_256, storage_index,
};
use devchain::{Event, Genesis, Settings, storage::items};
use primitives::{AccountId, Coldkey, Digest, Hotkey, MechId, NetUid, Rao};

use crate::{
    rules::refused,
    world::{NET, OWNER, TAO, World, cold, genesis, hot, module, pool, set_weights, stake},
};

const ROOT: NetUid = NetUid::ROOT;

fn swap(old: u8, new: u8, netuid: Option<NetUid>) -> Call {
    Call::SwapHotkey { hotkey: hot(old), new_hotkey: hot(new), netuid, keep_stake: false }
}

fn held(world: &World, hotkey: u8, coldkey: u8, netuid: NetUid) -> u64 {
    world.state.stake(hot(hotkey), Coldkey(cold(coldkey)), netuid).0
}

/// Hotkey 3 registered, serving, weighing; staked with by 3 and 4 on the subnet and on root.
fn known() -> World {
    let mut world = World::new();
    world.register([3, 4]);
    for (by, netuid) in [(3, NET), (4, NET), (3, ROOT), (4, ROOT)] {
        world.ok(cold(by), Call::AddStake { hotkey: hot(3), netuid, amount: Rao::from_whole(10) });
    }
    let axon = Axon { ip: 1 << 24, port: 5, ip_type: 4, ..Axon::default() };
    world.ok(hot(3).0, Call::ServeAxonTls { netuid: NET, axon, certificate: vec![1, 2] });
    let prometheus = Prometheus { ip: 1 << 24, port: 5, ip_type: 4, version: 1 };
    world.ok(hot(3).0, Call::ServePrometheus { netuid: NET, prometheus });
    world.ok(cold(3), Call::DecreaseTake { hotkey: hot(3), take: 7 });
    world.ok(cold(3), Call::SetChildren { hotkey: hot(3), netuid: NET, children: vec![(9, hot(4))] });
    world.ok(cold(4), Call::SetColdkeyAutoStakeHotkey { netuid: NET, hotkey: hot(3) });
    world.reach_epoch();
    world.ok(hot(3).0, set_weights(&[0, 2], &[1, 2]));
    world
}

#[test]
fn swaps_of_hotkeys_are_checked_in_order() {
    let mut world = known();
    refused(&world, cold(4), swap(3, 9, None), module(M::NonAssociatedColdKey));
    refused(&world, cold(3), swap(3, 4, None), module(M::NonAssociatedColdKey));
    refused(&world, cold(3), swap(3, 3, None), module(M::NewHotKeyIsSameWithOld));
    world.ok(cold(3), Call::BurnedRegister { netuid: NET, hotkey: hot(8) });
    refused(&world, cold(3), swap(3, 8, None), module(M::HotKeyAlreadyRegisteredInSubNet));
    refused(&world, cold(3), swap(3, 8, Some(NET)), module(M::HotKeyAlreadyRegisteredInSubNet));
    let mut poor = world.clone();
    // Enough for fees, and not for the swap.
    poor.fund(cold(3), 50_000_000);
    refused(&poor, cold(3), swap(3, 9, None), module(M::NotEnoughBalanceToPaySwapHotKey));
    world.ok(cold(3), swap(3, 9, Some(NET)));
    refused(&world, cold(3), swap(9, 10, Some(NET)), module(M::HotKeySwapOnSubnetIntervalNotPassed));
    world.blocks(1);
    world.ok(cold(3), swap(9, 10, Some(NET)));
    // On a chain of the main network's settings even the first swap has to wait.
    let base = genesis();
    let settings = Settings { hotkey_swap_interval: 7200, ..base.settings };
    let mut young = World::with(&Genesis { settings, ..base });
    young.register([3]);
    refused(&young, cold(3), swap(3, 9, Some(NET)), module(M::HotKeySwapOnSubnetIntervalNotPassed));
    young.ok(cold(3), swap(3, 9, None));
}

#[test]
fn a_new_hotkey_takes_over_everything() {
    let mut world = known();
    let at = |n| (NET, hot(n));
    let uid = world.uid(3).unwrap();
    let index = storage_index(NET, MechId::MAIN);
    let weights = world.state.weights(index, uid);
    let stakes = |world: &World, n| {
        [(3, NET), (4, NET), (3, ROOT), (4, ROOT)].map(|(by, net)| held(world, n, by, net))
    };
    let before = stakes(&world, 3);
    let (issuance, free) = (world.state.total_issuance(), world.state.balance(cold(3)));
    let fee = world.fee(cold(3), swap(3, 9, None));
    let block = world.block(&[(cold(3), swap(3, 9, None))]);
    assert_eq!(block.outcomes, [Ok(())]);
    let swapped = Event::HotkeySwapped { coldkey: Coldkey(cold(3)), old_hotkey: hot(3), new_hotkey: hot(9) };
    assert!(block.events.contains(&swapped));
    assert_eq!(free.saturating_sub(world.state.balance(cold(3))), Rao(100_000_000).saturating_add(fee));
    assert!(world.state.total_issuance() < issuance.saturating_add(Rao(TAO)), "the cost is recycled");
    assert_eq!((world.uid(3), world.uid(9)), (None, Some(uid)));
    assert_eq!(stakes(&world, 3), [0; 4]);
    // An epoch's dividends may have come in between.
    assert!(stakes(&world, 9).iter().zip(before).all(|(after, before)| *after >= before));
    assert_eq!(world.state.weights(index, uid), weights);
    let state = &world.state;
    assert!(state.value(&items::AXONS, &at(3)).is_none() && state.value(&items::AXONS, &at(9)).is_some());
    assert!(
        state.value(&items::PROMETHEUS, &at(9)).is_some()
            && state.value(&items::CERTIFICATES, &at(9)).is_some()
    );
    assert_eq!(state.value(&items::TAKE, &hot(9)), Some(7));
    assert_eq!((state.value(&items::OWNER, &hot(3)), state.value(&items::TAKE, &hot(3))), (None, None));
    assert_eq!(state.value(&items::OWNED_HOTKEYS, &Coldkey(cold(3))), Some(vec![hot(9)]));
    assert_eq!(state.value(&items::CHILD_KEYS, &(hot(9), NET)), Some(vec![(9, hot(4))]));
    assert_eq!(state.value(&items::PARENT_KEYS, &(hot(4), NET)), Some(vec![(9, hot(9))]));
    assert_eq!(state.value(&items::AUTO_STAKE, &(Coldkey(cold(4)), NET)), Some(hot(9)));
    for by in [3, 4] {
        let hotkeys = state.value(&items::STAKING_HOTKEYS, &Coldkey(cold(by))).unwrap();
        assert!(hotkeys.contains(&hot(9)) && !hotkeys.contains(&hot(3)), "{by}");
    }
    world.state.audit().unwrap();
    world.reach_epoch();
    world.ok(cold(4), Call::UnstakeAll { hotkey: hot(9) });
    assert_eq!(held(&world, 9, 4, NET), 0);
    world.state.audit().unwrap();
}

#[test]
fn on_one_subnet_the_rest_stays() {
    let mut world = known();
    let before = [held(&world, 3, 3, ROOT), held(&world, 3, 4, ROOT)];
    world.ok(cold(3), swap(3, 9, Some(NET)));
    assert_eq!([held(&world, 3, 3, ROOT), held(&world, 3, 4, ROOT)], before);
    assert_eq!((held(&world, 3, 3, NET), held(&world, 3, 4, NET)), (0, 0));
    assert!(held(&world, 9, 4, NET) > 0);
    let owner = Some(Coldkey(cold(3)));
    assert_eq!(
        (world.state.value(&items::OWNER, &hot(3)), world.state.value(&items::OWNER, &hot(9))),
        (owner, owner)
    );
    assert_eq!(world.state.value(&items::TAKE, &hot(3)), Some(7));
    world.state.audit().unwrap();
}

#[test]
fn stake_can_be_kept_where_it_is() {
    let mut world = known();
    let stay = |netuid| Call::SwapHotkey { hotkey: hot(3), new_hotkey: hot(9), netuid, keep_stake: true };
    let before = held(&world, 3, 4, NET);
    world.ok(cold(3), stay(None));
    assert!(held(&world, 3, 4, NET) >= before && held(&world, 9, 4, NET) == 0);
    assert!(world.uid(9).is_some());
    assert_eq!(world.state.value(&items::OWNER, &hot(3)), Some(Coldkey(cold(3))), "stake needs an owner");
    world.ok(cold(4), Call::UnstakeAll { hotkey: hot(3) });
    world.state.audit().unwrap();
}

#[test]
fn a_swap_into_a_known_hotkey_adds_up() {
    let mut world = known();
    world.ok(cold(3), Call::TryAssociateHotkey { hotkey: hot(9) });
    world.ok(cold(4), Call::AddStake { hotkey: hot(9), netuid: NET, amount: Rao::from_whole(3) });
    world.ok(cold(5), Call::AddStake { hotkey: hot(9), netuid: NET, amount: Rao::from_whole(3) });
    let sum = held(&world, 3, 4, NET) + held(&world, 9, 4, NET);
    world.ok(cold(3), swap(3, 9, None));
    // Shares are added to shares: both pools were worth about one rao a share.
    let after = held(&world, 9, 4, NET);
    assert!(after.abs_diff(sum) < sum / 20, "{sum} became {after}");
    world.state.audit().unwrap();
    // The owner's hotkey of a subnet is swapped with the rest.
    world.ok(cold(OWNER), swap(OWNER, 8, None));
    assert_eq!(world.state.value(&items::SUBNET_OWNER_HOTKEY, &NET), Some(hot(8)));
    // A parent can't become its own child.
    world.ok(cold(3), Call::BurnedRegister { netuid: NET, hotkey: hot(12) });
    world.ok(cold(3), Call::TryAssociateHotkey { hotkey: hot(13) });
    let children = vec![(5, hot(13))];
    world.ok(cold(3), Call::SetChildren { hotkey: hot(12), netuid: NET, children });
    world.reach_epoch();
    refused(&world, cold(3), swap(12, 13, None), module(M::InvalidChild));
}

fn announce(new: AccountId) -> Call {
    Call::AnnounceColdkeySwap { new_coldkey_hash: blake2_256(&new.0) }
}

fn swap_to(new: AccountId) -> Call {
    Call::SwapColdkeyAnnounced { new_coldkey: Coldkey(new) }
}

#[test]
fn a_coldkey_is_swapped_after_its_announcement() {
    let mut world = known();
    let (old, new) = (cold(3), cold(77));
    refused(&world, old, swap_to(new), module(M::ColdkeySwapAnnouncementNotFound));
    refused(&world, old, Call::ClearColdkeySwapAnnouncement, module(M::ColdkeySwapAnnouncementNotFound));
    refused(&world, old, Call::DisputeColdkeySwap, module(M::ColdkeySwapAnnouncementNotFound));
    let mut poor = world.clone();
    poor.fund(old, 50_000_000);
    refused(&poor, old, announce(new), module(M::NotEnoughBalanceToPaySwapColdKey));

    let (free, fee) = (world.state.balance(old), world.fee(old, announce(new)));
    world.ok(old, announce(new));
    assert_eq!(free.saturating_sub(world.state.balance(old)), Rao(100_000_000).saturating_add(fee));
    // Nothing else is possible now, within a batch neither.
    refused(&world, old, Call::Transfer { to: cold(4), amount: Rao(TAO) }, pool(0));
    refused(&world, old, announce(cold(78)), module(M::ColdkeySwapReannouncedTooEarly));
    refused(&world, old, swap_to(cold(78)), module(M::AnnouncedColdkeyHashDoesNotMatch));
    refused(&world, old, swap_to(new), module(M::ColdkeySwapTooEarly));
    refused(&world, old, Call::ClearColdkeySwapAnnouncement, module(M::ColdkeySwapClearTooEarly));
    world.blocks(50);
    refused(&world, old, swap_to(cold(78)), module(M::AnnouncedColdkeyHashDoesNotMatch));
    let mut again = world.clone();
    again.blocks(10);
    let (free, fee) = (again.state.balance(old), again.fee(old, announce(cold(78))));
    again.ok(old, announce(cold(78)));
    assert_eq!(free.saturating_sub(again.state.balance(old)), fee, "only the first one costs");
    world.clone().blocks(10);

    let stakes = [held(&world, 3, 3, NET), held(&world, 3, 3, ROOT)];
    world.ok(old, swap_to(new));
    let after = [held(&world, 3, 77, NET), held(&world, 3, 77, ROOT)];
    assert!(after.iter().zip(stakes).all(|(after, before)| *after >= before), "{after:?} {stakes:?}");
    assert_eq!((held(&world, 3, 3, NET), world.state.balance(old)), (0, Rao::ZERO));
    assert_eq!(world.state.value(&items::OWNER, &hot(3)), Some(Coldkey(new)));
    assert_eq!(world.state.value(&items::OWNED_HOTKEYS, &Coldkey(new)), Some(vec![hot(3)]));
    assert!(world.state.value(&items::COLDKEY_SWAPS, &Coldkey(old)).is_none());
    world.ok(new, Call::UnstakeAll { hotkey: hot(3) });
    world.state.audit().unwrap();
}

#[test]
fn a_disputed_swap_is_roots_to_end() {
    let mut world = known();
    let (old, new) = (cold(OWNER), cold(77));
    world.ok(old, announce(new));
    world.ok(old, Call::DisputeColdkeySwap);
    refused(&world, old, Call::DisputeColdkeySwap, pool(21));
    world.blocks(60);
    refused(&world, old, swap_to(new), pool(21));
    let reset = Call::ResetColdkeySwap { coldkey: Coldkey(old) };
    refused(&world, cold(3), reset.clone(), module(M::BadOrigin));
    let mut swapped = world.clone();
    world.root_ok(reset);
    world.ok(old, Call::Transfer { to: cold(4), amount: Rao(TAO) });

    let force =
        |to, swap_cost| Call::SwapColdkey { old_coldkey: Coldkey(old), new_coldkey: Coldkey(to), swap_cost };
    refused(&swapped, cold(3), force(new, Rao::ZERO), module(M::BadOrigin));
    assert_eq!(swapped.root(force(cold(4), Rao::ZERO)), Err(M::ColdKeyAlreadyAssociated));
    assert_eq!(swapped.root(force(hot(4).0, Rao::ZERO)), Err(M::NewColdKeyIsHotkey));
    assert_eq!(swapped.root(force(new, Rao(u64::MAX))), Err(M::NotEnoughBalanceToPaySwapColdKey));
    swapped.root_ok(force(new, Rao(TAO)));
    assert_eq!(swapped.state.value(&items::SUBNET_OWNER, &NET), Some(Coldkey(new)));
    assert!(swapped.state.value(&items::COLDKEY_SWAP_DISPUTES, &Coldkey(old)).is_none());
    swapped.ok(new, Call::SetHyperparameter { netuid: NET, value: H::ImmunityPeriod(3) });
    swapped.state.audit().unwrap();
}

#[test]
fn an_identity_and_a_destination_go_with_the_coldkey() {
    let mut world = known();
    let identity = ChainIdentity { name: b"four".to_vec(), ..ChainIdentity::default() };
    world.ok(cold(4), Call::SetIdentity { identity: identity.clone() });
    let (old, new) = (Coldkey(cold(4)), Coldkey(cold(77)));
    world.root_ok(Call::SwapColdkey { old_coldkey: old, new_coldkey: new, swap_cost: Rao::ZERO });
    assert_eq!(world.state.value(&items::IDENTITIES, &new), Some(identity));
    assert_eq!(world.state.value(&items::IDENTITIES, &old), None);
    assert_eq!(world.state.value(&items::AUTO_STAKE, &(new, NET)), Some(hot(3)));
    let nobody: Option<Hotkey> = world.state.value(&items::AUTO_STAKE, &(old, NET));
    assert_eq!((nobody, Digest::default().0[0]), (None, 0));
    let (origin, call) = stake(5, 1);
    refused(&world, origin, call, module(M::HotKeyAccountNotExists));
    world.state.audit().unwrap();
}
