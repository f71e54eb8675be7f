//! What a block mints and where it goes.

use chain::Call;
use devchain::storage::items;
use primitives::{AlphaRao, NetUid, Rao};

use crate::world::{NET, TAO, World, cold, hot};

#[test]
fn a_block_divides_its_alpha_as_observed() {
    let mut world = World::new();
    let pending = |world: &World| {
        [items::PENDING_OWNER_CUT, items::PENDING_SERVER, items::PENDING_VALIDATOR]
            .map(|item| world.state.value(&item, &NET).unwrap_or_default().0)
    };
    let before = pending(&world);
    world.blocks(1);
    let after = pending(&world);
    assert_eq!(
        [0, 1, 2].map(|part: usize| after[part] - before[part]),
        [179_995_422, 410_002_288, 410_002_288]
    );
}

#[test]
fn issuance_grows_only_for_subnets_with_emission() {
    let mut world = World::new();
    world.blocks(20);
    let before = world.state.total_issuance();
    world.blocks(1);
    assert_eq!(world.state.total_issuance(), before);
    world.root_ok(Call::SetSubnetEmissionEnabled { netuid: NET, enabled: true });
    let before = world.state.total_issuance();
    world.blocks(1);
    // A share of all but 2⁻⁶⁴, truncated.
    let minted = world.state.total_issuance().0 - before.0;
    assert!(minted == 999_999_999 || minted == TAO, "{minted}");
    assert!(world.state.value(&items::PROTOCOL_ALPHA, &NET).unwrap_or_default() > AlphaRao::ZERO);
    world.state.audit().unwrap();
}

#[test]
fn with_tao_on_root_emission_goes_into_the_pool_too() {
    let mut world = World::new();
    world.register([3]);
    world.ok(
        cold(3),
        Call::AddStake { hotkey: hot(3), netuid: NetUid::ROOT, amount: Rao::from_whole(100_000) },
    );
    world.root_ok(Call::SetSubnetEmissionEnabled { netuid: NET, enabled: true });
    // Until the moving price is above 0 in its 32 bits nothing is emitted.
    world.blocks(20);
    let before = world.state.audit().unwrap();
    world.blocks(1);
    let after = world.state.audit().unwrap();
    assert!(after.subnets[&NET].tao > before.subnets[&NET].tao);
    let minted = after.issuance.0 - before.issuance.0;
    assert_eq!(after.subnets[&NET].tao.0 - before.subnets[&NET].tao.0, minted);
    assert!(minted >= 999_999_998, "{minted}");
}
