//! What pools, stake and emission leave in the books, beside the amounts themselves.

use chain::{Call, Hyperparameter};
use devchain::storage::items;
use primitives::{AlphaRao, NetUid, Rao};

use crate::world::{NET, TAO, World, cold, hot};

/// Of one subnet: TAO and alpha in the pool, alpha outside, volume and flow of TAO; and the chain's total stake.
fn books(world: &World, netuid: NetUid) -> [i128; 6] {
    let state = &world.state;
    [
        state.value(&items::SUBNET_TAO, &netuid).unwrap_or_default().0.into(),
        state.value(&items::SUBNET_ALPHA_IN, &netuid).unwrap_or_default().0.into(),
        state.value(&items::SUBNET_ALPHA_OUT, &netuid).unwrap_or_default().0.into(),
        i128::try_from(state.value(&items::SUBNET_VOLUME, &netuid).unwrap_or_default()).unwrap(),
        state.value(&items::TAO_FLOW, &netuid).unwrap_or_default().into(),
        state.value(&items::TOTAL_STAKE, &()).unwrap_or_default().0.into(),
    ]
}

fn changes(before: [i128; 6], after: [i128; 6]) -> [i128; 6] {
    std::array::from_fn(|item| after[item] - before[item])
}

#[test]
fn stake_on_root_changes_hands_at_par_and_is_booked() {
    let mut world = World::new();
    world.register([3]);
    let (hotkey, netuid) = (hot(3), NetUid::ROOT);
    let tao = i128::from(TAO);
    let before = books(&world, netuid);
    world.ok(cold(3), Call::AddStake { hotkey, netuid, amount: Rao(10 * TAO) });
    assert_eq!(changes(before, books(&world, netuid)), [10, 0, 10, 10, 10, 10].map(|n| n * tao));
    world.ok(cold(3), Call::RemoveStake { hotkey, netuid, amount: AlphaRao(4 * TAO) });
    assert_eq!(changes(before, books(&world, netuid)), [6, 4, 6, 14, 6, 6].map(|n| n * tao));
    world.state.audit().unwrap();
}

#[test]
fn what_a_block_emits_is_noted_where_the_chain_notes_it() {
    let mut world = World::new();
    world.register([3]);
    let amount = Rao::from_whole(100_000);
    world.ok(cold(3), Call::AddStake { hotkey: hot(3), netuid: NetUid::ROOT, amount });
    world.root_ok(Call::SetSubnetEmissionEnabled { netuid: NET, enabled: true });
    // Until the moving price is above 0 in its 32 bits nothing is emitted.
    world.blocks(20);
    let before = books(&world, NET);
    let bought_before = world.state.value(&items::PROTOCOL_ALPHA, &NET).unwrap_or_default();
    world.blocks(1);
    let [tao, alpha_in, alpha_out, volume, flow, stake] = changes(before, books(&world, NET));
    let bought = world.state.value(&items::PROTOCOL_ALPHA, &NET).unwrap_or_default();
    let bought = i128::from(bought.saturating_sub(bought_before).0);
    let tao_in = i128::from(world.state.value(&items::TAO_IN_EMISSION, &NET).unwrap().0);
    let excess = i128::from(world.state.value(&items::EXCESS_TAO, &NET).unwrap().0);
    let alpha_in_emission = i128::from(world.state.value(&items::ALPHA_IN_EMISSION, &NET).unwrap().0);
    assert!(tao_in > 0 && excess > 0, "{tao_in} {excess}");
    assert_eq!((tao, stake), (tao_in + excess, tao_in + excess));
    assert_eq!((volume, flow), (excess, 0));
    assert_eq!(alpha_in, alpha_in_emission - bought);
    assert!(alpha_out > bought, "{alpha_out} {bought}");
    assert_eq!(world.state.value(&items::ALPHA_OUT_EMISSION, &NET), Some(AlphaRao(TAO)));
    assert_eq!(world.state.value(&items::BLOCK_EMISSION, &()), Some(Rao(TAO)));

    // Switched off, the pool gets nothing and the notes say so.
    world.root_ok(Call::SetSubnetEmissionEnabled { netuid: NET, enabled: false });
    world.blocks(1);
    assert_eq!(world.state.value(&items::TAO_IN_EMISSION, &NET), Some(Rao::ZERO));
    assert_eq!(world.state.value(&items::EXCESS_TAO, &NET), Some(Rao::ZERO));
}

#[test]
fn the_price_of_a_subnet_that_takes_no_registrations_stands_still() {
    let mut world = World::new();
    let price = |world: &World| world.state.value(&items::MOVING_PRICE, &NET).unwrap_or_default();
    world.blocks(20);
    let before = price(&world);
    world.blocks(1);
    assert!(price(&world) > before);
    world.sudo(Hyperparameter::NetworkRegistrationAllowed(false));
    let closed = price(&world);
    world.blocks(3);
    assert_eq!(price(&world), closed);
}
