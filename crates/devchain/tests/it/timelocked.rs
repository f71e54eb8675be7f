//! Weights and commitments that open themselves at a round of the beacon.

use chain::{
    Call, CommitmentField, Hyperparameter as H, ModuleError as M, Pulse,
    timelock::{self, Beacon, WeightsPayload},
};
use devchain::{Event, RevealFailure, storage::items};
use primitives::{Hotkey, MechId, NetUid, Seed};

use crate::world::{NET, World, cold, hot, module, pool, stake, weights};

/// Validator 3 and miner 4 on a subnet with commit–reveal, right after an epoch.
fn locked() -> (World, Beacon) {
    let mut world = World::new();
    world.register([3, 4]);
    let (origin, call) = stake(3, 100);
    world.ok(origin, call);
    world.reach_epoch();
    world.sudo(H::CommitRevealWeightsEnabled(true));
    world.reach_epoch();
    let beacon = world.state.value(&items::BEACON, &()).unwrap().beacon();
    (world, beacon)
}

fn payload(hotkey: Hotkey) -> Vec<u8> {
    WeightsPayload { hotkey: Some(hotkey), weights: weights(&[2, 0], &[3, 1]), version_key: 0 }.encode()
}

fn sealed(beacon: &Beacon, round: u64, payload: &[u8]) -> Vec<u8> {
    timelock::encrypt(&beacon.public_key, round, payload, &Seed::from_number(round)).unwrap()
}

fn commit(commit: Vec<u8>, reveal_round: u64) -> Call {
    Call::CommitTimelockedWeights { netuid: NET, mechid: MechId::MAIN, commit, reveal_round, version: 4 }
}

#[test]
fn weights_open_themselves_in_their_epoch() {
    let (mut world, beacon) = locked();
    let validator = hot(3).0;
    // A round of the next epoch: ten blocks of four rounds.
    let round = beacon.round_at(world.state.head().time) + 40;
    world.ok(validator, commit(sealed(&beacon, round, &payload(hot(3))), round));
    let at = world.state.head().number;
    assert_eq!(world.state.subnet(NET).unwrap().neurons[1].last_update, [at]);
    // Another's weights, and bytes that are none: dropped without a word.
    world.ok(validator, commit(sealed(&beacon, round, &payload(hot(4))), round));
    world.ok(validator, commit(vec![7; 40], round));
    let uid = world.uid(3).unwrap();
    assert_eq!(world.state.weights(NET.0, uid), []);
    let mut opened = None;
    for _ in 0..12 {
        let block = world.block(&[]);
        let revealed = Event::TimelockedWeightsRevealed { netuid: NET, mechid: MechId::MAIN, hotkey: hot(3) };
        if block.events.contains(&revealed) {
            assert!(opened.is_none(), "once only");
            opened = Some(block.head);
        }
    }
    let opened = opened.expect("its epoch and its round have come");
    assert!(opened.time >= beacon.time_of(round));
    assert_eq!(world.state.weights(NET.0, uid), [(2, 65_535), (0, 21_845)]);
    assert_eq!(world.state.subnet(NET).unwrap().neurons[1].last_update, [at + 2], "a reveal is no update");
    world.reach_epoch();
    let left = world.state.entries().filter(|(key, _)| key.item() == items::TIMELOCKED_COMMITS.number());
    assert_eq!(left.count(), 0);
}

#[test]
fn a_commitment_for_another_beacon_waits_and_goes() {
    let (mut world, _) = locked();
    let quicknet = Beacon::quicknet();
    let round = 1_000_000;
    world.ok(hot(3).0, commit(sealed(&quicknet, round, &payload(hot(3))), round));
    let waiting = |world: &World| {
        world.state.entries().any(|(key, _)| key.item() == items::TIMELOCKED_COMMITS.number())
    };
    world.reach_epoch();
    world.blocks(5);
    assert!(waiting(&world), "it is tried again in every block of its epoch");
    world.reach_epoch();
    assert!(!waiting(&world));
}

#[test]
fn timelocked_commits_are_checked_in_order() {
    let (mut world, _) = locked();
    let validator = hot(3).0;
    let some = |version, netuid, mechid| Call::CommitTimelockedWeights {
        netuid,
        mechid: MechId(mechid),
        commit: vec![1],
        reveal_round: u64::MAX,
        version,
    };
    let check = |world: &World, origin, call, expect| assert_eq!(world.clone().call(origin, call), expect);
    check(&world, validator, commit(vec![1], 1), pool(15));
    check(&world, validator, some(4, NetUid(9), 0), module(M::MechanismDoesNotExist));
    check(&world, validator, some(4, NET, 1), module(M::MechanismDoesNotExist));
    check(&world, validator, some(3, NET, 0), module(M::IncorrectCommitRevealVersion));
    check(&world, hot(9).0, some(4, NET, 0), module(M::HotKeyNotRegisteredInSubNet));
    for _ in 0..10 {
        let block = world.block(&[(validator, some(4, NET, 0))]);
        if block.outcomes[0].is_err() {
            // The epoch went by meanwhile.
            break;
        }
    }
    let eleven: Vec<_> = (0..11).map(|_| (validator, some(4, NET, 0))).collect();
    world.reach_epoch();
    let outcomes = world.block(&eleven).outcomes;
    assert_eq!(outcomes[9], Ok(()));
    assert_eq!(outcomes[10], module(M::TooManyUnrevealedCommits));
    world.sudo(H::WeightsSetRateLimit(5));
    // Not the pool's to refuse: it stands in a block and fails there.
    check(&world, validator, some(4, NET, 0), module(M::CommittingWeightsTooFast));
    world.sudo(H::CommitRevealWeightsEnabled(false));
    check(&world, validator, some(4, NET, 0), module(M::CommitRevealDisabled));
}

#[test]
fn quicknets_pulses_are_taken_when_they_verify() {
    let mut world = World::new();
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    // Round 1000, as its interface gives it.
    let signature =
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39";
    let randomness = "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd";
    let pulse = Pulse { round: 1000, randomness: hex(randomness), signature: hex(signature) };
    let write = |pulse: Pulse| Call::WritePulse { pulses: vec![pulse] };
    let other = Pulse { round: 1001, ..pulse.clone() };
    assert_eq!(world.call(cold(3), write(other)), module(M::PulseVerificationError));
    world.ok(cold(3), write(pulse.clone()));
    assert_eq!(world.state.value(&items::PULSES, &1000), Some(pulse));
    assert_eq!(world.state.value(&items::LAST_STORED_ROUND, &()), Some(1000));
}

#[test]
fn fields_of_commitments_open_themselves_and_ten_are_kept() {
    let (mut world, beacon) = locked();
    for n in 0..12u8 {
        let round = beacon.round_at(world.state.head().time) + 6;
        let encrypted = sealed(&beacon, round, &[n; 3]);
        let locked = CommitmentField::TimelockEncrypted { encrypted, reveal_round: round };
        let fields = if n == 11 { vec![locked, CommitmentField::Raw(vec![9])] } else { vec![locked] };
        world.ok(hot(4).0, Call::SetCommitment { netuid: NET, fields });
        world.blocks(3);
    }
    let revealed = world.state.value(&items::REVEALED_COMMITMENTS, &(NET, hot(4))).unwrap();
    let first: Vec<u8> = revealed.iter().map(|(bytes, _)| bytes[0]).collect();
    assert_eq!(first, (2..12).collect::<Vec<u8>>());
    let stored = world.state.value(&items::COMMITMENT_OF, &(NET, hot(4))).unwrap();
    assert_eq!(stored.fields, [CommitmentField::Raw(vec![9])]);
}

#[test]
fn what_does_not_open_stays_as_a_failure() {
    let (mut world, beacon) = locked();
    let round = beacon.round_at(world.state.head().time) + 6;
    let locked = |encrypted| CommitmentField::TimelockEncrypted { encrypted, reveal_round: round };
    let failed = |encrypted| CommitmentField::TimelockRevealFailed { encrypted, reveal_round: round };
    let (empty, garbage) = (sealed(&beacon, round, &[]), vec![1, 2, 3]);
    let own = Call::SetCommitment { netuid: NET, fields: vec![failed(vec![1])] };
    assert_eq!(world.call(hot(4).0, own), module(M::TimelockRevealFailedNotAllowed));
    let fields = vec![locked(empty.clone()), CommitmentField::Raw(vec![9]), locked(garbage.clone())];
    let block = world.block(&[(hot(4).0, Call::SetCommitment { netuid: NET, fields })]);
    let hotkey = hot(4);
    let committed = Event::TimelockCommitment { netuid: NET, hotkey, reveal_round: round };
    assert!(block.events.contains(&committed), "{:?}", block.events);
    let mut events = Vec::new();
    for _ in 0..4 {
        events.extend(world.block(&[]).events);
    }
    let why = |error| Event::CommitmentRevealFailed { netuid: NET, hotkey, reveal_round: round, error };
    assert!(events.contains(&why(RevealFailure::EmptyPlaintext)), "{events:?}");
    assert!(events.contains(&why(RevealFailure::CiphertextDeserialize)), "{events:?}");
    let stored = world.state.value(&items::COMMITMENT_OF, &(NET, hotkey)).unwrap();
    assert_eq!(stored.fields, [failed(empty), CommitmentField::Raw(vec![9]), failed(garbage)]);
    assert!(world.state.value(&items::TIMELOCKED_COMMITMENTS, &(NET, hotkey)).is_none());
    assert!(world.state.value(&items::REVEALED_COMMITMENTS, &(NET, hotkey)).is_none());
}
