//! Each call's checks, in their order: every row fails one check and passes those before it.

use chain::{
    Axon, BatchKind, Call, ChainParameter as P, CommitmentField, Hyperparameter as H, Hyperparameters,
    InvalidTransaction, ModuleError as M, Refusal, WeightsCommitment, storage_index,
};
use devchain::{Extrinsic, Genesis, GenesisNeuron, GenesisSubnet, Settings, State, storage::items};
use primitives::{AccountId, AlphaRao, MechId, NetUid, Rao, Timestamp};

use crate::world::{
    NET, OWNER, SUDO, TAO, World, cold, genesis, hot, module, pool, register, set, set_weights, stake,
    weights,
};

/// A call that is expected to fail leaves nothing but its number and its fee: the block after it is the one after an empty
/// block.
pub(crate) fn refused(world: &World, origin: AccountId, call: Call, expect: Result<(), Refusal>) {
    let (mut with, mut without) = (world.clone(), world.clone());
    let text = format!("{call:?}");
    assert_eq!(with.call(origin, call), expect, "{text}");
    without.block(&[]);
    assert_eq!(with.all_but_fees(origin), without.all_but_fees(origin), "{text} left a trace");
}

#[test]
fn transfers_respect_the_existential_deposit() {
    let mut world = World::new();
    let send = |to, amount| Call::Transfer { to, amount: Rao(amount) };
    let nobody = cold(90);
    refused(&world, nobody, send(cold(1), 1), Err(InvalidTransaction::Payment.into()));
    refused(&world, cold(3), send(nobody, 499), module(M::ExistentialDeposit));
    let all_but = |world: &World, kept| {
        let all = world.state.balance(cold(3)).0;
        all - world.fee(cold(3), send(cold(4), all / 2)).0 - kept
    };
    refused(&world, cold(3), send(cold(4), all_but(&world, 499)), module(M::Expendability));
    refused(&world, cold(3), send(cold(4), 2_000_000 * TAO), module(M::InsufficientBalance));
    world.ok(cold(3), send(cold(3), 500));
    world.ok(cold(3), send(nobody, 500));
    let rest = all_but(&world, 500);
    world.ok(cold(3), send(cold(4), rest));
    assert_eq!((world.state.balance(nobody), world.state.balance(cold(3))), (Rao(500), Rao(500)));
}

#[test]
fn registration_checks_come_in_order() {
    let mut world = World::new();
    world.register([3]);
    // Enough for fees and for nothing else.
    world.fund(cold(90), 3_000_000);
    let to = |netuid, n| Call::BurnedRegister { netuid, hotkey: hot(n) };
    refused(&world, cold(90), to(NetUid::ROOT, 2), module(M::RegistrationNotPermittedOnRootSubnet));
    refused(&world, cold(90), to(NetUid(9), 2), module(M::SubnetNotExists));
    let limited = Call::RegisterLimit { netuid: NET, hotkey: hot(4), limit_price: Rao(1000) };
    refused(&world, cold(4), limited, module(M::RegistrationPriceLimitExceeded));
    refused(&world, cold(90), to(NET, 3), module(M::HotKeyAlreadyRegisteredInSubNet));
    refused(&world, cold(90), to(NET, 4), module(M::NotEnoughBalanceToStake));
    let mut two = world.clone();
    two.ok(cold(5), Call::RegisterNetwork { hotkey: hot(5) });
    refused(&two, cold(4), to(NET, 5), module(M::NonAssociatedColdKey));
    let mut full = world.clone();
    full.sudo(H::MaxAllowedUids(2));
    full.sudo(H::OwnerImmuneNeuronLimit(1));
    full.ok(cold(6), to(NET, 6));
    assert_eq!((full.uid(3), full.uid(6).map(|uid| uid.0)), (None, Some(1)));
    let mut closed = world;
    closed.sudo(H::NetworkRegistrationAllowed(false));
    refused(&closed, cold(90), to(NET, 3), module(M::SubNetRegistrationDisabled));
}

#[test]
fn a_subnet_of_its_owner_alone_has_no_slot_to_give() {
    let mut world = World::new();
    world.sudo(H::MaxAllowedUids(1));
    let (origin, call) = register(3);
    refused(&world, origin, call, module(M::NoNeuronIdAvailable));
}

#[test]
fn subnet_creation_checks_come_in_order() {
    let mut world = World::new();
    world.fund(cold(90), 5_000_000);
    let create = |n| Call::RegisterNetwork { hotkey: hot(n) };
    refused(&world, cold(3), create(OWNER), module(M::NonAssociatedColdKey));
    refused(&world, cold(90), create(3), module(M::CannotAffordLockCost));
    let base = genesis();
    let limited =
        Genesis { settings: Settings { network_rate_limit: 7200, ..base.settings }, ..base.clone() };
    refused(&World::with(&limited), cold(3), create(3), pool(6));
    let one = Genesis { settings: Settings { subnet_limit: 1, ..base.settings }, ..base };
    let mut world = World::with(&one);
    world.fund(cold(90), 5_000_000);
    refused(&world, cold(90), create(3), module(M::SubnetLimitReached));
}

#[test]
fn start_call_is_the_owners_and_once() {
    let mut world = World::new();
    let start = |netuid| Call::StartCall { netuid };
    refused(&world, cold(OWNER), start(NET), module(M::FirstEmissionBlockNumberAlreadySet));
    refused(&world, cold(3), start(NET), module(M::BadOrigin));
    refused(&world, cold(OWNER), start(NetUid(9)), module(M::SubnetNotExists));
    world.ok(cold(3), Call::RegisterNetwork { hotkey: hot(3) });
    let early = Call::AddStake { hotkey: hot(3), netuid: NetUid(2), amount: Rao(TAO) };
    refused(&world, cold(3), early, module(M::SubtokenDisabled));
    world.ok(cold(3), start(NetUid(2)));
}

#[test]
fn stake_checks_come_in_order() {
    let mut world = World::new();
    world.register([3]);
    world.fund(cold(90), 3_000_000);
    let add = |netuid, n, amount| Call::AddStake { hotkey: hot(n), netuid, amount: Rao(amount) };
    refused(&world, cold(90), add(NetUid(9), 99, 1), module(M::SubnetNotExists));
    refused(&world, cold(90), add(NET, 99, 2_001_006), module(M::AmountTooLow));
    refused(&world, cold(90), add(NET, 99, 2_001_007), module(M::NotEnoughBalanceToStake));
    refused(&world, cold(3), add(NET, 99, 2_001_007), module(M::HotKeyAccountNotExists));
    world.ok(cold(3), add(NET, 3, 2_001_007));
    let remove = |netuid, n, amount| Call::RemoveStake { hotkey: hot(n), netuid, amount: AlphaRao(amount) };
    refused(&world, cold(3), remove(NetUid(9), 3, 1), module(M::SubtokenDisabled));
    refused(&world, cold(4), remove(NET, 3, 1), module(M::AmountTooLow));
    refused(&world, cold(3), remove(NET, 3, 1), module(M::AmountTooLow));
    world.ok(cold(3), remove(NET, 3, u64::MAX));
    assert_eq!(world.state.stake(hot(3), World::coldkey(3), NET), AlphaRao::ZERO);
    world.ok(cold(3), add(NetUid::ROOT, 3, 2_000_000));
    assert_eq!(world.state.stake(hot(3), World::coldkey(3), NetUid::ROOT), AlphaRao(2_000_000));
    world.state.audit().unwrap();
}

#[test]
fn takes_are_the_hotkeys_owners_and_bounded() {
    let base = genesis();
    let settings = Settings { take_rate_limit: 3, min_take: 10, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    world.register([3]);
    let raise = |n, take| Call::IncreaseTake { hotkey: hot(n), take };
    let lower = |n, take| Call::DecreaseTake { hotkey: hot(n), take };
    refused(&world, cold(4), lower(3, 20), pool(25));
    refused(&world, cold(4), raise(3, 11_797), pool(27));
    refused(&world, cold(4), lower(3, 9), pool(26));
    refused(&world, cold(3), lower(99, 20), pool(4));
    world.ok(cold(3), lower(3, 20));
    refused(&world, cold(3), lower(3, 20), module(M::DelegateTakeTooLow));
    refused(&world, cold(3), raise(3, 20), module(M::DelegateTakeTooLow));
    refused(&world, cold(3), raise(3, 21), module(M::DelegateTxRateLimitExceeded));
    world.ok(cold(3), lower(3, 15));
    world.blocks(3);
    world.ok(cold(3), raise(3, 21));
    assert_eq!(world.state.value(&items::TAKE, &hot(3)), Some(21));
}

#[test]
fn root_alone_is_root() {
    let mut world = World::new();
    let sudo = |call| Call::Sudo { call: Box::new(call) };
    let remark = || Call::Remark { bytes: vec![1], with_event: true };
    refused(&world, cold(3), sudo(remark()), Err(InvalidTransaction::BadSigner.into()));
    // The sudo account itself is an account like any other.
    refused(&world, cold(SUDO), set(H::Kappa(1)), module(M::BadOrigin));
    // And root is none: it can't sign.
    assert_eq!(world.root(remark()), Err(M::BadOrigin));
    assert_eq!(world.root(Call::StartCall { netuid: NET }), Err(M::BadOrigin));
    world.sudo(H::Kappa(1));
    // What failed within leaves nothing but the word of it.
    let transfer = Call::Transfer { to: cold(4), amount: Rao(1) };
    let inner = Call::Batch {
        kind: BatchKind::All,
        calls: vec![set(H::Kappa(2)), Call::SetBalance { account: cold(4), free: Rao(9) }, transfer],
    };
    let before = world.state.balance(cold(4));
    assert_eq!(world.root(inner), Err(M::BadOrigin));
    assert_eq!(world.state.subnet(NET).unwrap().hyperparameters.kappa, 1);
    assert_eq!(world.state.balance(cold(4)), before);
}

#[test]
fn batches_stop_undo_or_go_on() {
    let good = |amount| Call::Transfer { to: cold(90), amount: Rao(amount) };
    let bad = || Call::Transfer { to: cold(90), amount: Rao(u64::MAX) };
    let batch = |kind| Call::Batch { kind, calls: vec![good(1000), bad(), good(1)] };
    let check = |kind, expect: u64, outcome: Result<(), Refusal>, names: &[&str]| {
        let mut world = World::new();
        let block = world.block(&[(cold(3), batch(kind))]);
        assert_eq!(block.outcomes, [outcome]);
        assert_eq!(world.state.balance(cold(90)), Rao(expect), "{kind:?}");
        let found: Vec<String> = block.events.iter().map(|event| format!("{event:?}")).collect();
        let found: Vec<&str> = found.iter().map(|text| text.split([' ', '{']).next().unwrap()).collect();
        assert_eq!(found, names);
    };
    check(BatchKind::Stop, 1000, Ok(()), &["Transfer", "ItemCompleted", "BatchInterrupted"]);
    check(BatchKind::All, 0, module(M::InsufficientBalance), &[]);
    check(
        BatchKind::Force,
        1001,
        Ok(()),
        &["Transfer", "ItemCompleted", "ItemFailed", "Transfer", "ItemCompleted", "BatchCompletedWithErrors"],
    );
    // What the pool's guards keep out of a block is kept out of a batch by the same.
    let mut world = World::new();
    let take = Call::IncreaseTake { hotkey: hot(OWNER), take: 20_000 };
    let inner = Call::Batch { kind: BatchKind::All, calls: vec![take] };
    refused(&world, cold(OWNER), inner, module(M::DelegateTakeTooHigh));
    let nested = (0..9).fold(Call::Remark { bytes: vec![], with_event: false }, |inner, _| Call::Batch {
        kind: BatchKind::All,
        calls: vec![inner],
    });
    refused(&world, cold(3), nested, Err(InvalidTransaction::Call.into()));
    // Calls for root that are not even taken from an owner, but within a batch are.
    refused(&world, cold(OWNER), set(H::BurnHalfLife(7)), Err(InvalidTransaction::Call.into()));
    world.ok(cold(OWNER), Call::Batch { kind: BatchKind::All, calls: vec![set(H::BurnHalfLife(7))] });
}

#[test]
fn balances_are_emptied_set_and_counted() {
    let mut world = World::new();
    world.ok(cold(3), Call::TransferAll { to: cold(90), keep_alive: true });
    assert_eq!(world.state.balance(cold(3)), Rao(500));
    let send = || Call::TransferAllowDeath { to: cold(90), amount: Rao(200) };
    let fee = world.fee(cold(4), send());
    world.fund(cold(3), fee.0 + 500);
    let before = world.state.total_issuance();
    world.ok(cold(3), send());
    // 300 rao are less than an account may hold.
    assert_eq!(world.state.balance(cold(3)), Rao(0));
    assert_eq!(world.state.total_issuance(), Rao(before.0 - 300));
    world.ok(cold(90), Call::TransferAll { to: cold(3), keep_alive: false });
    assert_eq!(world.state.balance(cold(90)), Rao(0));
    world.fund(cold(3), 700);
    world.fund(cold(4), 499);
    assert_eq!((world.state.balance(cold(3)), world.state.balance(cold(4))), (Rao(700), Rao(0)));
    refused(&world, cold(5), Call::SetBalance { account: cold(5), free: Rao(1) }, module(M::BadOrigin));
    world.state.audit().unwrap();
}

#[test]
fn a_price_limit_bounds_a_swap() {
    let mut world = World::new();
    world.register([3]);
    let add = |amount, price, allow_partial| Call::AddStakeLimit {
        hotkey: hot(3),
        netuid: NET,
        amount: Rao(amount),
        limit_price: Rao(price),
        allow_partial,
    };
    let price = |world: &World| {
        let tao = world.state.value(&items::SUBNET_TAO, &NET).unwrap().0;
        let alpha = world.state.value(&items::SUBNET_ALPHA_IN, &NET).unwrap().0;
        u128::from(tao) * 1_000_000_000 / u128::from(alpha)
    };
    refused(&world, cold(3), add(10 * TAO, 1000, false), module(M::PriceLimitExceeded));
    refused(&world, cold(3), add(500 * TAO, 1_100_000_000, false), module(M::SlippageTooHigh));
    world.ok(cold(3), add(500 * TAO, 1_100_000_000, true));
    assert!((1_099_999_990..=1_100_000_000).contains(&price(&world)), "{}", price(&world));
    world.ok(cold(3), add(TAO, 2_000_000_000, false));
    let remove = |amount, price, allow_partial| Call::RemoveStakeLimit {
        hotkey: hot(3),
        netuid: NET,
        amount: AlphaRao(amount),
        limit_price: Rao(price),
        allow_partial,
    };
    refused(&world, cold(3), remove(TAO, 2_000_000_000, true), module(M::PriceLimitExceeded));
    refused(&world, cold(3), remove(40 * TAO, 1_090_000_000, false), module(M::SlippageTooHigh));
    refused(&world, cold(3), remove(900 * TAO, 1, true), module(M::NotEnoughStakeToWithdraw));
    world.ok(cold(3), remove(40 * TAO, 1_090_000_000, true));
    // The fee's alpha is sold after the swap, past the limit.
    assert!((1_089_990_000..=1_090_000_000).contains(&price(&world)), "{}", price(&world));
    world.state.audit().unwrap();
}

#[test]
fn settings_of_the_chain_are_roots_and_come_back_with_a_failure() {
    let mut world = World::new();
    let set = |value| Call::SetChainParameter { value };
    refused(&world, cold(OWNER), set(P::StakeThreshold(1)), module(M::BadOrigin));
    assert_eq!(world.root(set(P::MaxEpochsPerBlock(0))), Err(M::ValueNotInBounds));
    assert_eq!(world.root(set(P::MaxMechanismCount(0))), Err(M::InvalidValue));
    world.register([3]);
    let bad = Call::Transfer { to: cold(90), amount: Rao(u64::MAX) };
    let undone = Call::Batch { kind: BatchKind::All, calls: vec![set(P::StakeThreshold(1 << 60)), bad] };
    assert_eq!(world.root(undone), Err(M::BadOrigin));
    world.ok(hot(3).0, set_weights(&[1], &[1]));
    world.root_ok(set(P::StakeThreshold(1 << 60)));
    refused(&world, hot(3).0, set_weights(&[1], &[1]), pool(1));
    // A cap on mechanisms takes those away that are above it.
    world.sudo(H::MaxAllowedUids(64));
    world.sudo(H::MechanismCount(2));
    world.root_ok(set(P::MaxMechanismCount(1)));
    assert_eq!(world.state.subnet(NET).unwrap().mechanism_count, 1);
}

#[test]
fn an_owner_chooses_its_tempo_within_bounds() {
    let mut world = World::new();
    let tempo = |tempo| Call::SetTempo { netuid: NET, tempo };
    refused(&world, cold(SUDO), tempo(400), module(M::BadOrigin));
    refused(&world, cold(OWNER), tempo(359), module(M::TempoOutOfBounds));
    refused(&world, cold(OWNER), set(H::Tempo(400)), module(M::BadOrigin));
    world.ok(cold(OWNER), tempo(400));
    let schedule = world.state.subnet(NET).unwrap().schedule;
    assert_eq!((schedule.tempo, schedule.last_epoch_block), (400, world.state.head().number));
    refused(&world, cold(OWNER), tempo(500), module(M::TxRateLimitExceeded));
    let factor = |factor_milli| Call::SetActivityCutoffFactor { netuid: NET, factor_milli };
    refused(&world, cold(3), factor(2000), module(M::BadOrigin));
    let bounds = module(M::ActivityCutoffFactorMilliOutOfBounds);
    refused(&world, cold(OWNER), factor(999), bounds);
    world.ok(cold(OWNER), factor(2000));
    assert_eq!(world.state.subnet(NET).unwrap().hyperparameters.activity_cutoff_blocks(), 800);
}

#[test]
fn axon_checks_answer_as_the_pools_guard() {
    let mut world = World::new();
    world.register([3]);
    let serve = |ip: [u8; 4], port, ip_type| {
        let axon = Axon { ip: u32::from_be_bytes(ip).into(), port, ip_type, ..Axon::default() };
        Call::ServeAxon { netuid: NET, axon }
    };
    refused(&world, hot(9).0, serve([127, 0, 0, 1], 0, 5), pool(10));
    refused(&world, hot(3).0, serve([127, 0, 0, 1], 0, 5), pool(255));
    refused(&world, hot(3).0, serve([127, 0, 0, 1], 0, 4), pool(11));
    refused(&world, hot(3).0, serve([1, 2, 3, 4], 0, 4), pool(13));
    world.ok(hot(3).0, serve([1, 2, 3, 4], 80, 4));
    refused(&world, hot(3).0, serve([1, 2, 3, 4], 80, 4), pool(12));
    world.blocks(4);
    world.ok(hot(3).0, serve([0; 4], 80, 4));
    let axon = world.state.subnet(NET).unwrap().neuron(&hot(3)).unwrap().axon.unwrap();
    assert_eq!((axon.ip, axon.port), (0, 80));
}

/// Hotkeys 2 (owner), 3 and 4; 3 has stake and a permit, 4 has neither.
fn with_validator() -> World {
    let mut world = World::new();
    world.register([3, 4]);
    let (origin, call) = stake(3, 100);
    world.ok(origin, call);
    world.reach_epoch();
    assert!(world.state.subnet(NET).unwrap().neurons[1].validator_permit);
    world
}

#[test]
fn weight_checks_come_in_order() {
    let world = with_validator();
    let on = |netuid, mechid, uids: &[u16], values: &[u16]| Call::SetWeights {
        netuid,
        mechid: MechId(mechid),
        weights: weights(uids, values),
        version_key: 0,
    };
    let (validator, miner, nobody) = (hot(3).0, hot(4).0, hot(9).0);
    // Root and subnets that don't exist have commit–reveal on by default.
    refused(&world, nobody, on(NetUid::ROOT, 0, &[1], &[]), module(M::CommitRevealEnabled));
    refused(&world, nobody, on(NetUid(9), 0, &[1], &[]), module(M::CommitRevealEnabled));
    refused(&world, nobody, on(NET, 0, &[1], &[]), module(M::WeightVecNotEqualSize));
    refused(&world, nobody, on(NET, 1, &[1], &[1]), module(M::MechanismDoesNotExist));
    refused(&world, validator, on(NET, 1, &[1], &[1]), pool(6));
    refused(&world, nobody, set_weights(&[0, 0, 0, 0], &[1; 4]), module(M::UidsLengthExceedUidsInSubNet));
    refused(&world, nobody, set_weights(&[0, 0], &[1; 2]), module(M::HotKeyNotRegisteredInSubNet));
    refused(&world, miner, set_weights(&[9, 9], &[1; 2]), module(M::NeuronNoValidatorPermit));
    refused(&world, validator, set_weights(&[9, 9], &[1; 2]), module(M::DuplicateUids));
    refused(&world, validator, set_weights(&[2, 9], &[1; 2]), module(M::UidVecContainInvalidOne));
    refused(&world, validator, set_weights(&[], &[]), module(M::WeightVecLengthIsLow));

    let mut open_root = world.clone();
    let off = H::CommitRevealWeightsEnabled(false);
    open_root.root_ok(Call::SetHyperparameter { netuid: NetUid::ROOT, value: off });
    let on_root = on(NetUid::ROOT, 0, &[1], &[]);
    refused(&open_root, nobody, on_root, module(M::CanNotSetRootNetworkWeights));

    let mut strict = world.clone();
    strict.sudo(H::WeightsVersionKey(5));
    strict.sudo(H::MinAllowedWeights(3));
    refused(&strict, miner, set_weights(&[0, 1], &[1, 1]), module(M::IncorrectWeightVersionKey));
    strict.sudo(H::WeightsVersionKey(0));
    refused(&strict, validator, set_weights(&[0, 2], &[1, 1]), module(M::WeightVecLengthIsLow));
    strict.sudo(H::MaxWeightsLimit(32_768));
    refused(&strict, validator, set_weights(&[0, 1, 2], &[0, 1, 2]), module(M::MaxWeightExceeded));
    strict.ok(validator, set_weights(&[0, 1, 2], &[0, 1, 1]));
    strict.ok(miner, set_weights(&[2], &[7]));

    let mut slow = world.clone();
    slow.ok(validator, set_weights(&[2, 0], &[1, 3]));
    slow.sudo(H::WeightsSetRateLimit(4));
    refused(&slow, validator, set_weights(&[2], &[1]), pool(6));
    slow.blocks(2);
    slow.ok(validator, set_weights(&[2, 0], &[1, 3]));
    let row = slow.state.weights(storage_index(NET, MechId::MAIN), slow.uid(3).unwrap());
    assert_eq!(row, [(2, 21_845), (0, 65_535)]);
}

#[test]
fn weights_take_stake_except_the_owners() {
    let base = genesis();
    let settings = Settings { stake_threshold: 1000 * TAO, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    world.register([3]);
    refused(&world, hot(3).0, set_weights(&[1], &[1]), pool(1));
    world.ok(hot(OWNER).0, set_weights(&[1], &[1]));
    world.ok(
        cold(3),
        Call::AddStake { hotkey: hot(3), netuid: NetUid::ROOT, amount: Rao::from_whole(20_000) },
    );
    world.ok(hot(3).0, set_weights(&[1], &[1]));
}

#[test]
fn commitments_have_three_fields_and_a_space_per_epoch() {
    let mut world = World::new();
    world.register([3]);
    world.reach_epoch();
    let raw = |bytes: usize| CommitmentField::Raw(vec![1; bytes]);
    let big = || CommitmentField::BigRaw(vec![1; 512]);
    let set = |fields: Vec<CommitmentField>| Call::SetCommitment { netuid: NET, fields };
    refused(&world, hot(9).0, set(vec![raw(129)]), module(M::CommitmentFieldTooLong));
    refused(&world, hot(9).0, set(vec![raw(1); 4]), module(M::AccountNotAllowedCommit));
    refused(&world, hot(3).0, set(vec![raw(1); 4]), module(M::TooManyFieldsInCommitmentInfo));
    world.ok(hot(3).0, set(vec![big(), big(), big()]));
    world.ok(hot(3).0, set(vec![big(), big(), raw(128)]));
    world.ok(hot(3).0, set(vec![raw(1)]));
    // 1536 + 1152 + 100 of 3100 are used: three more calls of at least 100 each.
    for _ in 0..3 {
        world.ok(hot(3).0, set(vec![raw(1)]));
    }
    refused(&world, hot(3).0, set(vec![raw(1)]), module(M::SpaceLimitExceeded));
    world.reach_epoch();
    world.ok(hot(3).0, set(vec![raw(2)]));
    let commitment = world.state.subnet(NET).unwrap().commitments[&hot(3)].clone();
    assert_eq!((commitment.block, commitment.fields), (world.state.head().number, vec![raw(2)]));
}

#[test]
fn settings_belong_to_owner_or_root_within_bounds() {
    let mut world = World::new();
    refused(&world, cold(3), set(H::ImmunityPeriod(1)), module(M::BadOrigin));
    for value in [
        H::Kappa(1),
        H::Tempo(400),
        H::MaxAllowedValidators(1),
        H::WeightsSetRateLimit(1),
        H::MinAllowedUids(0),
        H::NetworkRegistrationAllowed(true),
        H::MinNonImmuneUids(1),
    ] {
        refused(&world, cold(OWNER), set(value), module(M::BadOrigin));
    }
    let elsewhere = |value| Call::SetHyperparameter { netuid: NetUid(9), value };
    assert_eq!(world.root(elsewhere(H::ImmunityPeriod(1))), Err(M::SubnetDoesNotExist));
    assert_eq!(world.root(elsewhere(H::MechanismCount(1))), Err(M::MechanismDoesNotExist));
    assert_eq!(world.root(elsewhere(H::TransfersEnabled(true))), Err(M::SubnetNotExists));
    world.sudo(H::MinAllowedUids(0));
    for (value, error) in [
        (H::MaxAllowedUids(0), M::MaxAllowedUIdsLessThanCurrentUIds),
        (H::MaxAllowedUids(257), M::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids),
        (H::MinAllowedUids(1), M::MinAllowedUidsGreaterThanCurrentUids),
        (H::MinAllowedUids(256), M::MinAllowedUidsGreaterThanMaxAllowedUids),
        (H::MaxAllowedValidators(257), M::MaxValidatorsLargerThanMaxUIds),
        (H::RevealPeriodEpochs(0), M::RevealPeriodTooSmall),
        (H::RevealPeriodEpochs(101), M::RevealPeriodTooLarge),
        (H::MinBurn(Rao::from_whole(1)), M::ValueNotInBounds),
        (H::MaxBurn(Rao(100_000_000)), M::ValueNotInBounds),
        (H::BurnHalfLife(0), M::InvalidValue),
        (H::BurnHalfLife(36_101), M::InvalidValue),
        (H::BurnIncreaseMult(1), M::InvalidValue),
        (H::AlphaValues((2000, 3000)), M::LiquidAlphaDisabled),
        (H::MechanismCount(0), M::InvalidValue),
        (H::MechanismCount(3), M::InvalidValue),
        (H::MechanismCount(2), M::TooManyUIDsPerMechanism),
        (H::OwnerImmuneNeuronLimit(0), M::InvalidValue),
        (H::OwnerImmuneNeuronLimit(11), M::InvalidValue),
        (H::MinChildkeyTake(11_797), M::InvalidValue),
    ] {
        assert_eq!(world.root(set(value)), Err(error), "{value:?}");
    }
    world.sudo(H::LiquidAlpha(true));
    assert_eq!(world.root(set(H::AlphaValues((1000, 1637)))), Err(M::AlphaHighTooLow));
    assert_eq!(world.root(set(H::AlphaValues((3000, 2000)))), Err(M::AlphaLowOutOfRange));
    world.sudo(H::AlphaValues((1638, 1638)));
    refused(
        &world,
        cold(OWNER),
        set(H::BondsMovingAverage(975_001)),
        module(M::BondsMovingAverageMaxReached),
    );
    refused(&world, cold(OWNER), set(H::AlphaSigmoidSteepness(-1)), module(M::NegativeSigmoidSteepness));
    world.sudo(H::AlphaSigmoidSteepness(-1));
    world.ok(cold(OWNER), set(H::ImmunityPeriod(7)));
    assert_eq!(world.state.subnet(NET).unwrap().hyperparameters.immunity_period, 7);
    world.sudo(H::Tempo(20));
    let schedule = world.state.subnet(NET).unwrap().schedule;
    assert_eq!((schedule.tempo, schedule.last_epoch_block), (20, world.state.head().number));
}

#[test]
fn settings_freeze_before_an_epoch_and_owners_wait_between_changes() {
    let base = genesis();
    let settings = Settings { admin_freeze_window: 3, owner_rate_limit_tempos: 1, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    world.reach_epoch();
    world.blocks(6);
    world.ok(cold(OWNER), set(H::ImmunityPeriod(7)));
    let frozen = M::AdminActionProhibitedDuringWeightsWindow;
    assert_eq!(world.clone().root(set(H::ImmunityPeriod(8))), Err(frozen));
    world.reach_epoch();
    refused(&world, cold(OWNER), set(H::ImmunityPeriod(8)), module(M::TxRateLimitExceeded));
    world.ok(cold(OWNER), set(H::ServingRateLimit(8)));
    world.blocks(5);
    world.ok(cold(OWNER), set(H::ImmunityPeriod(8)));
}

#[test]
fn mechanisms_come_with_vectors_and_go_with_their_weights() {
    let mut world = with_validator();
    let split = |parts: &[u16]| Call::SetMechanismEmissionSplit { netuid: NET, split: Some(parts.to_vec()) };
    refused(&world, cold(3), split(&[65_535]), module(M::BadOrigin));
    refused(&world, cold(OWNER), split(&[49_151, 16_384]), module(M::InvalidValue));
    world.sudo(H::MaxAllowedUids(128));
    world.sudo(H::MechanismCount(2));
    refused(&world, cold(OWNER), split(&[10, 10]), module(M::InvalidValue));
    world.ok(cold(OWNER), split(&[49_151, 16_384]));
    let second =
        Call::SetWeights { netuid: NET, mechid: MechId(1), weights: weights(&[2], &[1]), version_key: 0 };
    world.ok(hot(3).0, second);
    let index = storage_index(NET, MechId(1));
    assert_eq!(world.state.weights(index, world.uid(3).unwrap()), [(2, 65_535)]);
    world.reach_epoch();
    let subnet = world.state.subnet(NET).unwrap();
    assert_eq!(subnet.neurons[2].incentive, [0, 65_535]);
    assert_eq!(subnet.neurons[1].last_update.len(), 2);
    world.sudo(H::MechanismCount(1));
    assert_eq!(world.state.weights(index, world.uid(3).unwrap()), []);
    world.register([5]);
    assert_eq!(world.state.subnet(NET).unwrap().neurons[3].last_update.len(), 1);
    world.state.audit().unwrap();
}

#[test]
fn commits_and_reveals_have_their_windows() {
    let mut world = with_validator();
    let opened = weights(&[2, 0], &[3, 1]);
    let hash = |n, salt: &[u16], epoch_weights| {
        let mechid = MechId::MAIN;
        WeightsCommitment {
            hotkey: hot(n),
            netuid: NET,
            mechid,
            weights: epoch_weights,
            salt,
            version_key: 0,
        }
        .hash()
    };
    let commit = |hash| Call::CommitWeights { netuid: NET, mechid: MechId::MAIN, commit_hash: hash };
    let reveal = |salt: &[u16]| Call::RevealWeights {
        netuid: NET,
        mechid: MechId::MAIN,
        weights: opened.clone(),
        salt: salt.to_vec(),
        version_key: 0,
    };
    let validator = hot(3).0;
    refused(&world, validator, commit(hash(3, &[1], &opened)), module(M::CommitRevealDisabled));
    world.sudo(H::CommitRevealWeightsEnabled(true));
    refused(&world, validator, set_weights(&[2], &[1]), module(M::CommitRevealEnabled));
    refused(&world, hot(9).0, commit(hash(9, &[1], &opened)), module(M::HotKeyNotRegisteredInSubNet));
    world.reach_epoch();
    world.ok(validator, commit(hash(3, &[1], &opened)));
    world.ok(validator, commit(hash(3, &[2], &opened)));
    world.ok(hot(4).0, commit(hash(4, &[1], &opened)));
    // The owner's hash, which the owner has not committed to.
    world.ok(hot(4).0, commit(hash(OWNER, &[5], &opened)));
    assert_eq!(world.state.subnet(NET).unwrap().neurons[1].last_update, [world.state.head().number - 2]);

    // Too early, of nobody's, with the wrong salt.
    refused(&world, validator, reveal(&[1]), pool(17));
    refused(&world, hot(OWNER).0, reveal(&[1]), pool(16));
    world.reach_epoch();
    refused(&world, validator, reveal(&[3]), pool(16));
    // The pool looks among everybody's, the call among the signer's own.
    refused(&world, hot(OWNER).0, reveal(&[5]), module(M::NoWeightsCommitFound));
    // A miner's reveal is taken by the pool and fails for want of a permit.
    refused(&world, hot(4).0, reveal(&[1]), module(M::NeuronNoValidatorPermit));
    let before = world.state.subnet(NET).unwrap().neurons[1].last_update.clone();
    world.ok(validator, reveal(&[1]));
    let after = world.state.subnet(NET).unwrap();
    assert_eq!(after.neurons[1].last_update, before);
    assert_eq!(world.state.weights(NET.0, after.neurons[1].uid), [(2, 65_535), (0, 21_845)]);
    // Once only; the one after it in its time, and not later.
    refused(&world, validator, reveal(&[1]), pool(16));
    let mut late = world.clone();
    late.reach_epoch();
    refused(&late, validator, reveal(&[2]), pool(17));
    world.ok(validator, reveal(&[2]));
}

#[test]
fn ten_commitments_may_be_open() {
    let mut world = with_validator();
    world.sudo(H::CommitRevealWeightsEnabled(true));
    world.reach_epoch();
    let commit = |n| Call::CommitWeights {
        netuid: NET,
        mechid: MechId::MAIN,
        commit_hash: primitives::Digest([n; 32]),
    };
    let ten: Vec<_> = (0..10).map(|n| (hot(3).0, commit(n))).collect();
    assert!(world.block(&ten).outcomes.iter().all(Result::is_ok));
    refused(&world, hot(3).0, commit(10), module(M::TooManyUnrevealedCommits));
    world.reach_epoch();
    world.reach_epoch();
    world.ok(hot(3).0, commit(10));
    world.sudo(H::WeightsSetRateLimit(5));
    refused(&world, hot(3).0, commit(11), pool(6));
}

#[test]
fn an_epoch_can_be_triggered_by_the_owner_once() {
    let base = genesis();
    let settings = Settings { admin_freeze_window: 3, ..base.settings };
    let mut world = World::with(&Genesis { settings, ..base });
    world.reach_epoch();
    world.blocks(1);
    let trigger = || Call::TriggerEpoch { netuid: NET };
    refused(&world, cold(3), trigger(), module(M::BadOrigin));
    let index = world.state.subnet(NET).unwrap().schedule.epoch_index;
    world.ok(cold(OWNER), trigger());
    refused(&world, cold(OWNER), trigger(), module(M::EpochTriggerAlreadyPending));
    world.blocks(2);
    assert_eq!(world.state.subnet(NET).unwrap().schedule.epoch_index, index);
    world.blocks(1);
    assert_eq!(world.state.subnet(NET).unwrap().schedule.epoch_index, index + 1);
    world.sudo(H::CommitRevealWeightsEnabled(true));
    refused(&world, cold(OWNER), trigger(), module(M::DynamicTempoBlockedByCommitReveal));
}

#[test]
fn emission_is_switched_by_sudo_alone() {
    let world = World::new();
    let enable = |netuid| Call::SetSubnetEmissionEnabled { netuid, enabled: true };
    refused(&world, cold(OWNER), enable(NET), module(M::BadOrigin));
    assert_eq!(world.clone().root(enable(NetUid(9))), Err(M::SubnetDoesNotExist));
    assert_eq!(world.clone().root(enable(NetUid::ROOT)), Err(M::NotPermittedOnRootSubnet));
}

#[test]
fn numbered_extrinsics_follow_each_other() {
    let mut state = State::genesis(&genesis()).unwrap();
    let call = || Call::Transfer { to: cold(4), amount: Rao(1) };
    let send = |nonce| Extrinsic { nonce: Some(nonce), ..Extrinsic::new(cold(3), call()) };
    let outcomes = state.block(Timestamp(0), &[send(0), send(0), send(2), send(1)]).outcomes;
    let (stale, future) = (InvalidTransaction::Stale, InvalidTransaction::Future);
    assert_eq!(outcomes, [Ok(()), Err(stale.into()), Err(future.into()), Ok(())]);
    assert_eq!(state.nonce(cold(3)), 2);
    // A call that fails uses its number all the same.
    let dear = Call::Transfer { to: cold(4), amount: Rao(u64::MAX) };
    let outcomes =
        state.block(Timestamp(0), &[Extrinsic { nonce: Some(2), ..Extrinsic::new(cold(3), dear) }]).outcomes;
    assert_eq!((outcomes, state.nonce(cold(3))), (vec![module(M::InsufficientBalance)], 3));
}

#[test]
fn a_genesis_that_contradicts_itself_is_refused() {
    let base = genesis();
    let check = |genesis: &Genesis, expect: &str| {
        assert_eq!(State::genesis(genesis).unwrap_err().to_string(), expect);
    };
    let with = |settings| Genesis { settings, ..base.clone() };
    check(
        &with(Settings { subnet_limit: 4096, ..base.settings }),
        "subnet limit is 4096, from 0 to 4095 are possible",
    );
    check(
        &with(Settings { max_mechanisms: 17, ..base.settings }),
        "mechanism limit is 17, from 1 to 16 are possible",
    );
    let mut twice = base.clone();
    twice.accounts.push(twice.accounts[0]);
    check(&twice, &format!("account {} stands twice in the genesis", cold(1)));
    let mut poor = base.clone();
    poor.accounts[0].1 = Rao(499);
    check(
        &poor,
        &format!("balance of {} is {}, below the existential deposit of {}", cold(1), Rao(499), Rao(500)),
    );
    let mut foreign = base.clone();
    foreign.subnets = [2, 3].map(|owner| GenesisSubnet::of(World::coldkey(owner), hot(2))).to_vec();
    check(&foreign, &format!("hotkey {} of a genesis subnet has another owner already", hot(2)));

    let subnet = GenesisSubnet::of(World::coldkey(2), hot(2));
    let neuron =
        |n| GenesisNeuron { coldkey: World::coldkey(3), hotkey: hot(n), stake: AlphaRao(u64::from(n)) };
    let of = |subnet| Genesis { subnets: vec![subnet], ..base.clone() };
    check(
        &of(GenesisSubnet { neurons: vec![neuron(3), neuron(3)], ..subnet.clone() }),
        &format!("hotkey {} stands twice in genesis subnet 1", hot(3)),
    );
    let new_subnet = Hyperparameters { max_allowed_uids: 2, ..base.settings.new_subnet };
    let crowded = GenesisSubnet { neurons: vec![neuron(3), neuron(4)], ..subnet.clone() };
    check(
        &Genesis { settings: Settings { new_subnet, ..base.settings }, ..of(crowded) },
        "genesis subnet 1 has 3 neurons, its owner's included, for 2 slots",
    );
    let error = M::InvalidValue;
    check(
        &of(GenesisSubnet { settings: vec![H::MechanismCount(0)], ..subnet.clone() }),
        &format!("MechanismCount(0) of genesis subnet 1: {error}"),
    );
    let value = P::MaxMechanismCount(0);
    check(
        &Genesis { parameters: vec![value], ..base.clone() },
        &format!("MaxMechanismCount(0) of the genesis: {error}"),
    );
}

#[test]
fn a_subnet_of_the_genesis_stands_whole_and_the_books_balance() {
    let neurons = [(3, 3, 70), (4, 4, 30), (2, 2, 5)].map(|(owner, key, stake)| GenesisNeuron {
        coldkey: World::coldkey(owner),
        hotkey: hot(key),
        stake: AlphaRao(stake * TAO),
    });
    let subnet = GenesisSubnet {
        settings: vec![H::Tempo(7), H::CommitRevealWeightsEnabled(false)],
        is_started: true,
        neurons: neurons.to_vec(),
        ..GenesisSubnet::of(World::coldkey(2), hot(2))
    };
    let mut state = State::genesis(&Genesis { subnets: vec![subnet], ..genesis() }).unwrap();
    state.audit().unwrap();
    let view = state.subnet(NET).unwrap();
    let found: Vec<_> =
        view.neurons.iter().map(|neuron| (neuron.hotkey, neuron.alpha_stake.0 / TAO)).collect();
    assert_eq!(found, [(hot(2), 5), (hot(3), 70), (hot(4), 30)]);
    assert_eq!((view.hyperparameters.tempo, view.hyperparameters.commit_reveal_weights_enabled), (7, false));
    for block in 1..=20 {
        state.block(Timestamp(12_000 * block), &[]);
    }
    state.audit().unwrap();
    let view = state.subnet(NET).unwrap();
    assert!(view.neurons.iter().all(|neuron| neuron.validator_permit), "all have stake");
    let stake = |uid: usize| view.neurons[uid].alpha_stake.0;
    assert!(stake(1) > 70 * TAO && stake(1) - 70 * TAO > stake(2) - 30 * TAO, "dividends follow stake");
}
