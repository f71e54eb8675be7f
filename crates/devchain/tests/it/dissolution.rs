//! The end of subnets: who is paid, what is left, and which one makes room.

use std::collections::BTreeSet;

use chain::{
    Axon, Call, ChainParameter as P, CommitmentField, Hyperparameter as H, MechId, ModuleError as M,
    Prometheus, SubnetIdentity,
};
use devchain::{Event, Genesis, Settings, State, storage::items};
use primitives::{AccountId, AlphaRao, Coldkey, NetUid, Rao};

use crate::{
    rules::refused,
    world::{FUNDED, NET, OWNER, TAO, World, as_root, cold, genesis, hot, module, set_weights, stake},
};

const OTHER: NetUid = NetUid(2);

fn dissolve(netuid: NetUid) -> Call {
    Call::DissolveNetwork { netuid }
}

/// A second subnet, of coldkey 5, started, on which 3 and 4 have staked.
fn two_subnets() -> World {
    let mut world = World::new();
    world.ok(cold(5), Call::RegisterNetwork { hotkey: hot(5) });
    world.ok(cold(5), Call::StartCall { netuid: OTHER });
    for n in [3, 4] {
        world.ok(cold(n), Call::BurnedRegister { netuid: OTHER, hotkey: hot(n) });
        let amount = Rao(u64::from(n) * 100 * TAO);
        world.ok(cold(n), Call::AddStake { hotkey: hot(n), netuid: OTHER, amount });
    }
    world
}

#[test]
fn only_root_dissolves_and_only_subnets() {
    let mut world = two_subnets();
    refused(&world, cold(5), dissolve(OTHER), module(M::BadOrigin));
    assert_eq!(world.root(dissolve(NetUid(9))), Err(M::SubnetNotExists));
    assert_eq!(world.root(dissolve(NetUid::ROOT)), Err(M::SubnetNotExists));
    world.root_ok(dissolve(OTHER));
    assert_eq!(world.state.subnets(), [NET]);
    assert_eq!(world.root(dissolve(OTHER)), Err(M::SubnetNotExists));
}

#[test]
fn the_pool_is_paid_to_those_who_hold_alpha() {
    let mut world = two_subnets();
    let value = |world: &World, item| world.state.value(item, &OTHER).unwrap_or_default();
    let held = |world: &World, n: u8| world.state.stake(hot(n), Coldkey(cold(n)), OTHER).0;
    // All of it stands as it will when the call is carried out: a block changes pools that emit.
    world.root_ok(Call::SetSubtokenEnabled { netuid: OTHER, enabled: false });
    let pot = world.state.value(&items::SUBNET_TAO, &OTHER).unwrap();
    let protocol = value(&world, &items::SUBNET_ALPHA_IN).0 + value(&world, &items::PROTOCOL_ALPHA).0;
    let owners = world.state.stake(hot(5), Coldkey(cold(5)), OTHER).0;
    let (third, fourth) = (held(&world, 3), held(&world, 4));
    let total = u128::from(protocol + owners + third + fourth);
    let before = [3, 4].map(|n| world.state.balance(cold(n)).0);
    let issuance = world.state.total_issuance();
    let stake_before = world.state.value(&items::TOTAL_STAKE, &()).unwrap();
    let block = world.block(&[as_root(dissolve(OTHER))]);
    assert!(block.events.contains(&Event::NetworkRemoved { netuid: OTHER }));
    for (held, n, before) in [(third, 3, before[0]), (fourth, 4, before[1])] {
        let paid = world.state.balance(cold(n)).0 - before;
        let due = u128::from(pot.0) * u128::from(held) / total;
        assert!(u128::from(paid).abs_diff(due) <= 1, "{n}: {paid} for {due}");
    }
    // The chain's own part is recycled, with the fees.
    let gone = issuance.0 - world.state.total_issuance().0;
    assert!(u128::from(gone) >= u128::from(pot.0) * u128::from(protocol) / total, "{gone}");
    let stake_after = world.state.value(&items::TOTAL_STAKE, &()).unwrap();
    assert_eq!(stake_before.saturating_sub(stake_after), pot);
    world.state.audit().unwrap();
}

/// Entries by the names of their items, but for what belongs to accounts and to the whole chain.
fn of_subnets(state: &State) -> BTreeSet<(Vec<u8>, &'static str)> {
    const GLOBAL: [&str; 16] = [
        "Settings",
        "Account",
        "Nonce",
        "TotalIssuance",
        "NetworkLastLockCost",
        "NetworkLastRegistered",
        "TotalStake",
        "BlockEmission",
        "Owner",
        "OwnedHotkeys",
        "Delegates",
        "StakingHotkeys",
        "StakingColdkeysByIndex",
        "StakingColdkeys",
        "NumStakingColdkeys",
        "IdentitiesV2",
    ];
    let named = state.entries().map(|(key, _)| {
        let name = items::info(key.item()).unwrap().name;
        (key.as_bytes().to_vec(), name)
    });
    named.filter(|(_, name)| !GLOBAL.contains(name)).collect()
}

#[test]
fn nothing_of_a_dissolved_subnet_is_left() {
    let mut world = World::new();
    world.register([3]);
    world.ok(cold(3), Call::AddStake { hotkey: hot(3), netuid: NetUid::ROOT, amount: Rao::from_whole(5) });
    world.reach_epoch();
    let before = of_subnets(&world.state);
    let named = |subnet_name: &[u8]| SubnetIdentity {
        subnet_name: subnet_name.to_vec(),
        ..SubnetIdentity::default()
    };
    world.ok(cold(5), Call::RegisterNetworkWithIdentity { hotkey: hot(5), identity: Some(named(b"short")) });
    world.ok(cold(5), Call::StartCall { netuid: OTHER });
    for n in [3, 4, 6] {
        world.ok(cold(n), Call::BurnedRegister { netuid: OTHER, hotkey: hot(n) });
        world.ok(cold(n), Call::AddStake { hotkey: hot(n), netuid: OTHER, amount: Rao::from_whole(200) });
        world
            .ok(cold(n), Call::AddStake { hotkey: hot(n), netuid: NetUid::ROOT, amount: Rao::from_whole(5) });
    }
    let axon = Axon { ip: 1 << 24, port: 5, ip_type: 4, ..Axon::default() };
    let prometheus = Prometheus { ip: 1 << 24, port: 5, ip_type: 4, version: 1 };
    let weigh = |version_key| Call::SetWeights {
        netuid: OTHER,
        mechid: MechId::MAIN,
        weights: crate::world::weights(&[1, 2], &[1, 1]),
        version_key,
    };
    let set = |value| Call::SetHyperparameter { netuid: OTHER, value };
    world.root_ok(set(H::MaxAllowedUids(128)));
    world.root_ok(set(H::MechanismCount(2)));
    world.root_ok(Call::SetMechanismEmissionSplit { netuid: OTHER, split: Some(vec![65_535, 0]) });
    let calls: [(AccountId, Call); 12] = [
        (hot(3).0, Call::ServeAxonTls { netuid: OTHER, axon, certificate: vec![1, 2, 3] }),
        (hot(3).0, Call::ServePrometheus { netuid: OTHER, prometheus }),
        (
            hot(3).0,
            Call::SetCommitment {
                netuid: OTHER,
                fields: vec![CommitmentField::TimelockEncrypted { encrypted: vec![1], reveal_round: 9_999 }],
            },
        ),
        (cold(3), Call::SetChildren { hotkey: hot(3), netuid: OTHER, children: vec![(1, hot(4))] }),
        (cold(3), Call::SetChildkeyTake { hotkey: hot(3), netuid: OTHER, take: 9 }),
        (cold(3), Call::SetColdkeyAutoStakeHotkey { netuid: OTHER, hotkey: hot(4) }),
        (cold(5), Call::SetSubnetOwnerHotkey { netuid: OTHER, hotkey: hot(6) }),
        (cold(5), Call::UpdateSymbol { netuid: OTHER, symbol: "γ".into() }),
        (
            cold(6),
            Call::SwapHotkey { hotkey: hot(6), new_hotkey: hot(7), netuid: Some(OTHER), keep_stake: false },
        ),
        (cold(4), Call::AddStakeBurn { hotkey: hot(4), netuid: OTHER, amount: Rao(TAO), limit: None }),
        (cold(5), Call::SetRootClaimThreshold { netuid: OTHER, new_value: 1 }),
        (cold(5), set(H::ImmunityPeriod(7))),
    ];
    for (origin, call) in calls {
        world.ok(origin, call);
    }
    world.blocks(15);
    world.ok(hot(5).0, weigh(0));
    world.root_ok(set(H::CommitRevealWeightsEnabled(true)));
    world.blocks(12);
    let (commit_hash, mechid) = (primitives::Digest([7; 32]), MechId::MAIN);
    world.ok(hot(5).0, Call::CommitWeights { netuid: OTHER, mechid, commit_hash });
    let sealed = Call::CommitTimelockedWeights {
        netuid: OTHER,
        mechid,
        commit: vec![1],
        reveal_round: 9_999,
        version: 4,
    };
    world.ok(hot(5).0, sealed);
    let during = of_subnets(&world.state);
    assert!(during.len() > before.len() + 60, "{} entries of a subnet", during.len() - before.len());
    world.root_ok(dissolve(OTHER));
    let after = of_subnets(&world.state);
    let left: Vec<_> = after.difference(&before).collect();
    // Hotkeys of the others went on being staked with on root and on the first subnet.
    let expected = |name: &str| matches!(name, "TotalHotkeyAlpha" | "TotalHotkeySharesV2" | "AlphaV2");
    let surprising: Vec<_> =
        left.iter().filter(|(key, name)| !expected(name) || key.ends_with(&[0, 2])).collect();
    assert!(surprising.is_empty(), "{surprising:?}");
    world.state.audit().unwrap();
    // Its number is free, and the chain goes on.
    world.ok(cold(8), Call::RegisterNetwork { hotkey: hot(8) });
    assert_eq!(world.state.subnets(), [NET, OTHER]);
    world.blocks(15);
    world.state.audit().unwrap();
}

#[test]
fn at_the_limit_the_cheapest_subnet_makes_room() {
    let base = genesis();
    let settings = Settings { subnet_limit: 2, network_immunity_period: 20, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    let create = |n| Call::RegisterNetwork { hotkey: hot(n) };
    world.ok(cold(5), create(5));
    refused(&world, cold(6), create(6), module(M::SubnetLimitReached));
    world.blocks(20);
    world.ok(cold(5), Call::StartCall { netuid: OTHER });
    // The first one is started longest and has a price, the second one has just begun: it goes.
    world.blocks(3);
    let owner = |world: &World, netuid| world.state.value(&items::SUBNET_OWNER, &netuid);
    world.fund(cold(90), 5_000_000);
    refused(&world, cold(90), create(90), module(M::CannotAffordLockCost));
    let block = world.block(&[(cold(6), create(6))]);
    assert_eq!(block.outcomes, [Ok(())]);
    let place = |wanted: &Event| block.events.iter().position(|event| event == wanted);
    let removed = place(&Event::NetworkRemoved { netuid: OTHER });
    let added = block
        .events
        .iter()
        .position(|event| matches!(event, Event::NetworkAdded { netuid, .. } if *netuid == OTHER));
    assert!(removed.is_some() && removed < added);
    assert_eq!(owner(&world, OTHER), Some(Coldkey(cold(6))));
    assert_eq!(owner(&world, NET), Some(Coldkey(cold(OWNER))));
    world.state.audit().unwrap();
    // A lower limit takes no subnet away, but one more still replaces one.
    world.root_ok(Call::SetChainParameter { value: P::SubnetLimit(1) });
    assert_eq!(world.state.subnets().len(), 2);
    world.ok(cold(7), create(7));
    assert_eq!(owner(&world, NET), Some(Coldkey(cold(7))), "the younger one is immune");
    world.state.audit().unwrap();
}

#[test]
fn a_subnet_of_the_genesis_can_be_dissolved() {
    let base = genesis();
    let subnets = vec![devchain::GenesisSubnet::of(Coldkey(cold(3)), hot(3))];
    let mut world = World { state: State::genesis(&Genesis { subnets, ..base }).unwrap() };
    world.root_ok(dissolve(NET));
    let audit = world.state.audit().unwrap();
    assert!(audit.genesis_pools.0 > 0, "what never was issued is still counted apart");
    world.blocks(3);
    let (origin, call) = (cold(OWNER), Call::RegisterNetwork { hotkey: hot(OWNER) });
    world.ok(origin, call);
    world.ok(origin, Call::StartCall { netuid: NET });
    let (origin, call) = stake(OWNER, 10);
    world.ok(origin, call);
    world.ok(hot(OWNER).0, set_weights(&[0], &[1]));
    world.reach_epoch();
    assert_eq!(usize::from(FUNDED), world.state.entries().filter(|(key, _)| key.item() == 3).count() - 1);
    world.state.audit().unwrap();
}

#[test]
fn alpha_that_nobody_holds_is_paid_to_nobody() {
    let mut world = World::new();
    let before = world.state.total_issuance();
    let pool = world.state.value(&items::SUBNET_TAO, &NET).unwrap();
    let owner = world.state.balance(cold(OWNER));
    world.root_ok(dissolve(NET));
    assert_eq!(world.state.balance(cold(OWNER)), owner, "the lock is not paid back");
    let minted = Rao(TAO);
    assert!(before.saturating_add(minted).saturating_sub(world.state.total_issuance()) >= pool);
    assert_eq!(world.state.stake(hot(OWNER), Coldkey(cold(OWNER)), NET), AlphaRao::ZERO);
    world.state.audit().unwrap();
}
