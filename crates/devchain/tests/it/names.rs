//! Identities, symbols, certificates and metrics; owners' hotkeys, slots taken away, and burned stake.

use chain::{
    Axon, Call, ChainIdentity, Hyperparameter as H, ModuleError as M, Prometheus, SubnetIdentity,
    storage_index,
};
use devchain::{Event, Genesis, Settings, storage::items};
use primitives::{AlphaRao, Coldkey, MechId, NetUid, Rao, Uid};

use crate::{
    rules::refused,
    world::{NET, OWNER, TAO, World, cold, genesis, hot, module, pool, set_weights, stake},
};

const OTHER: NetUid = NetUid(2);

#[test]
fn coldkeys_with_a_neuron_tell_who_they_are() {
    let mut world = World::new();
    let of = |bytes| Call::SetIdentity {
        identity: ChainIdentity { name: vec![b'n'; bytes], ..ChainIdentity::default() },
    };
    refused(&world, cold(3), of(257), module(M::HotKeyNotRegisteredInNetwork));
    world.register([3]);
    refused(&world, cold(3), of(257), module(M::InvalidIdentity));
    let long = ChainIdentity { image: vec![1; 1025], ..ChainIdentity::default() };
    refused(&world, cold(3), Call::SetIdentity { identity: long }, module(M::InvalidIdentity));
    world.ok(cold(3), of(256));
    let stored = world.state.value(&items::IDENTITIES, &Coldkey(cold(3))).unwrap();
    assert_eq!(stored.name.len(), 256);
}

#[test]
fn owners_tell_what_their_subnet_is() {
    let mut world = World::new();
    let of = |netuid, bytes| Call::SetSubnetIdentity {
        netuid,
        identity: SubnetIdentity { subnet_name: vec![b's'; bytes], ..SubnetIdentity::default() },
    };
    refused(&world, cold(3), of(NET, 257), module(M::NotSubnetOwner));
    refused(&world, cold(OWNER), of(OTHER, 1), module(M::NotSubnetOwner));
    refused(&world, cold(OWNER), of(NET, 257), module(M::InvalidIdentity));
    let block = world.block(&[(cold(OWNER), of(NET, 256))]);
    assert!(block.events.contains(&Event::SubnetIdentitySet { netuid: NET }));
    let with = |bytes| Call::RegisterNetworkWithIdentity {
        hotkey: hot(3),
        identity: Some(SubnetIdentity { discord: vec![1; bytes], ..SubnetIdentity::default() }),
    };
    refused(&world, cold(3), with(257), module(M::InvalidIdentity));
    world.ok(cold(3), with(256));
    assert!(world.state.value(&items::SUBNET_IDENTITIES, &OTHER).is_some());
    world.ok(cold(4), Call::RegisterNetworkWithIdentity { hotkey: hot(4), identity: None });
}

#[test]
fn symbols_are_the_chains_and_each_subnets_own() {
    let mut world = World::new();
    let choose = |symbol: &str| Call::UpdateSymbol { netuid: NET, symbol: symbol.into() };
    refused(&world, cold(3), choose("β"), module(M::BadOrigin));
    assert_eq!(world.root(Call::UpdateSymbol { netuid: OTHER, symbol: "β".into() }), Err(M::SubnetNotExists));
    refused(&world, cold(OWNER), choose("ab"), module(M::SymbolDoesNotExist));
    refused(&world, cold(OWNER), choose("Τ"), module(M::SymbolDoesNotExist));
    refused(&world, cold(OWNER), choose("α"), module(M::SymbolAlreadyInUse));
    world.ok(cold(OWNER), choose("β"));
    // The second subnet's own symbol is taken: it gets the first that is free.
    world.ok(cold(3), Call::RegisterNetwork { hotkey: hot(3) });
    let symbol =
        |netuid| String::from_utf8(world.state.value(&items::TOKEN_SYMBOL, &netuid).unwrap()).unwrap();
    assert_eq!((symbol(NET), symbol(OTHER)), ("β".to_owned(), "α".to_owned()));
}

#[test]
fn certificates_are_kept_if_they_are_any() {
    let mut world = World::new();
    world.register([3]);
    let axon = Axon { ip: 1 << 24, port: 5, ip_type: 4, ..Axon::default() };
    let serve = |certificate| Call::ServeAxonTls { netuid: NET, axon, certificate };
    refused(&world, hot(4).0, serve(vec![1, 2]), pool(10));
    let free = world.state.balance(cold(3));
    for (certificate, kept) in [(vec![], None), (vec![7], None), (vec![7; 66], None), (vec![7; 65], Some(64))]
    {
        let mut world = world.clone();
        world.ok(hot(3).0, serve(certificate));
        let stored = world.state.value(&items::CERTIFICATES, &(NET, hot(3)));
        assert_eq!(stored.map(|stored| stored.public_key.len()), kept);
        assert!(world.state.value(&items::AXONS, &(NET, hot(3))).is_some());
    }
    world.ok(hot(3).0, serve(vec![1, 2]));
    refused(&world, hot(3).0, serve(vec![1, 2]), pool(12));
    assert_eq!(world.state.balance(cold(3)), free);
    // Who loses the slot loses them.
    world.sudo(H::MaxAllowedUids(2));
    world.register([4]);
    assert!(world.uid(3).is_none() && world.state.value(&items::CERTIFICATES, &(NET, hot(3))).is_none());
}

#[test]
fn metrics_are_served_as_axons_are() {
    let mut world = World::new();
    world.register([3]);
    let serve = |ip, ip_type| Call::ServePrometheus {
        netuid: NET,
        prometheus: Prometheus { version: 1, ip, port: 0, ip_type },
    };
    refused(&world, hot(4).0, serve(9, 9), pool(10));
    refused(&world, hot(3).0, serve(1 << 24, 5), pool(255));
    refused(&world, hot(3).0, serve(u128::MAX, 4), pool(11));
    let block = world.block(&[(hot(3).0, serve(1 << 24, 4))]);
    assert_eq!(block.events, [Event::PrometheusServed { netuid: NET, hotkey: hot(3) }]);
    assert_eq!(block.paid[0].1, Rao::ZERO);
    refused(&world, hot(3).0, serve(1 << 24, 4), pool(12));
    let axon = Axon { ip: 1 << 24, port: 5, ip_type: 4, ..Axon::default() };
    world.ok(hot(3).0, Call::ServeAxon { netuid: NET, axon });
    world.blocks(5);
    world.ok(hot(3).0, serve(1 << 24, 4));
}

#[test]
fn another_hotkey_may_stand_for_the_owner_now_and_then() {
    let base = genesis();
    let settings = Settings { owner_hotkey_rate_limit: 5, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    let choose = |netuid, n| Call::SetSubnetOwnerHotkey { netuid, hotkey: hot(n) };
    refused(&world, cold(3), choose(NET, 3), module(M::BadOrigin));
    assert_eq!(world.root(choose(OTHER, 3)), Err(M::SubnetNotExists));
    world.ok(cold(OWNER), choose(NET, 3));
    assert_eq!(world.state.value(&items::SUBNET_OWNER_HOTKEY, &NET), Some(hot(3)));
    refused(&world, cold(OWNER), choose(NET, 4), module(M::TxRateLimitExceeded));
    assert_eq!(world.root(choose(NET, 4)), Err(M::TxRateLimitExceeded), "root waits too");
    world.blocks(4);
    world.ok(cold(OWNER), choose(NET, 4));
}

#[test]
fn trimming_takes_the_slots_of_lowest_emission() {
    let mut world = World::new();
    world.sudo(H::ImmunityPeriod(1));
    world.register([3, 4, 5, 6]);
    let (origin, call) = stake(OWNER, 1000);
    world.ok(origin, call);
    // Uids 1 to 4; 2 earns most, then 4, the others nothing.
    world.ok(hot(OWNER).0, set_weights(&[2, 4], &[3, 1]));
    world.reach_epoch();
    world.reach_epoch();
    let trim = |max_n| Call::TrimToMaxAllowedUids { netuid: NET, max_n };
    refused(&world, cold(3), trim(3), module(M::BadOrigin));
    refused(&world, cold(OWNER), trim(257), module(M::InvalidValue));
    world.clone().ok(cold(OWNER), trim(5));
    let mut young = world.clone();
    young.sudo(H::ImmunityPeriod(u16::MAX));
    refused(&young, cold(OWNER), trim(3), module(M::TrimmingWouldExceedMaxImmunePercentage));
    let stakes: Vec<AlphaRao> =
        [OWNER, 4, 6].map(|n| world.state.stake(hot(n), Coldkey(cold(n)), NET)).into();
    world.ok(cold(OWNER), trim(3));
    let uids: Vec<Option<Uid>> = [OWNER, 3, 4, 5, 6].map(|n| world.uid(n)).into();
    assert_eq!(uids, [Some(Uid(0)), None, Some(Uid(1)), None, Some(Uid(2))]);
    let index = storage_index(NET, MechId::MAIN);
    let weights: Vec<u16> = world.state.weights(index, Uid(0)).iter().map(|(to, _)| *to).collect();
    assert_eq!(weights, [1, 2], "weights follow the slots");
    let subnet = world.state.subnet(NET).unwrap();
    assert_eq!((subnet.neurons.len(), subnet.hyperparameters.max_allowed_uids), (3, 3));
    assert!(subnet.neurons[1].incentive[0] > subnet.neurons[2].incentive[0]);
    for (n, before) in [OWNER, 4, 6].into_iter().zip(stakes) {
        assert!(world.state.stake(hot(n), Coldkey(cold(n)), NET) >= before, "{n}");
    }
    world.reach_epoch();
    world.sudo(H::MinNonImmuneUids(0));
    world.register([7]);
    assert_eq!(world.state.subnet(NET).unwrap().neurons.len(), 3);
    world.state.audit().unwrap();
}

#[test]
fn burned_stake_is_bought_once_in_a_tempo() {
    let mut world = World::new();
    world.register([3]);
    let burn = |netuid, amount, limit: Option<u64>| Call::AddStakeBurn {
        hotkey: hot(3),
        netuid,
        amount: Rao(amount),
        limit: limit.map(Rao),
    };
    refused(&world, cold(4), burn(OTHER, TAO, None), module(M::SubnetNotExists));
    refused(&world, cold(4), burn(NET, 1, None), module(M::AmountTooLow));
    refused(&world, cold(4), burn(NET, TAO, Some(1)), module(M::PriceLimitExceeded));
    refused(&world, cold(4), burn(NET, 900 * TAO, Some(1_010_000_000)), module(M::SlippageTooHigh));
    let block = world.block(&[(cold(4), burn(NET, TAO, Some(2_000_000_000)))]);
    assert_eq!(block.outcomes, [Ok(())]);
    let burned = block.events.iter().find_map(|event| match event {
        Event::AddStakeBurn { alpha, amount, .. } => Some((*amount, *alpha)),
        _ => None,
    });
    let (amount, alpha) = burned.unwrap();
    assert!(amount == Rao(TAO) && alpha.0 > TAO / 2);
    assert_eq!(world.state.stake(hot(3), Coldkey(cold(4)), NET), AlphaRao::ZERO);
    refused(&world, cold(5), burn(NET, TAO, None), module(M::AddStakeBurnRateLimitExceeded));
    world.blocks(10);
    world.ok(cold(5), burn(NET, TAO, None));
    world.state.audit().unwrap();
}
