//! The algebra of an epoch: what must hold for any input, and where uids do matter.

use primitives::Seed;
use yuma::{EpochError, EpochInput, EpochOutput, epoch};

use crate::{input, random::random_input};

/// Random epochs per property.
const EPOCHS: u64 = 3_000;

fn permuted<T: Clone>(items: &[T], to: &[usize]) -> Vec<T> {
    let mut out = items.to_vec();
    for (item, &to) in items.iter().zip(to) {
        out[to] = item.clone();
    }
    out
}

fn permuted_rows(rows: &[Vec<(u16, u16)>], to: &[usize]) -> Vec<Vec<(u16, u16)>> {
    let mut out = permuted(rows, to);
    for row in &mut out {
        for entry in row.iter_mut() {
            entry.0 = u16::try_from(to[usize::from(entry.0)]).unwrap();
        }
        row.sort_unstable();
    }
    out
}

/// The same subnet with uid i renamed to `to[i]`.
fn renamed(input: &EpochInput, to: &[usize]) -> EpochInput {
    EpochInput {
        last_update: permuted(&input.last_update, to),
        block_at_registration: permuted(&input.block_at_registration, to),
        stake: permuted(&input.stake, to),
        validator_permit: permuted(&input.validator_permit, to),
        weights: permuted_rows(&input.weights, to),
        bonds: permuted_rows(&input.bonds, to),
        owner_uid: input.owner_uid.map(|uid| u16::try_from(to[usize::from(uid)]).unwrap()),
        commit_blocks: input.commit_blocks.as_ref().map(|blocks| permuted(blocks, to)),
        ..input.clone()
    }
}

fn renamed_output(out: &EpochOutput, to: &[usize]) -> EpochOutput {
    EpochOutput {
        active: permuted(&out.active, to),
        stake_weight: permuted(&out.stake_weight, to),
        new_validator_permit: permuted(&out.new_validator_permit, to),
        consensus: permuted(&out.consensus, to),
        validator_trust: permuted(&out.validator_trust, to),
        incentive: permuted(&out.incentive, to),
        dividends: permuted(&out.dividends, to),
        server_emission: permuted(&out.server_emission, to),
        validator_emission: permuted(&out.validator_emission, to),
        emission: permuted(&out.emission, to),
        bonds: permuted_rows(&out.bonds, to),
        bits_consensus: permuted(&out.bits_consensus, to),
        bits_incentive: permuted(&out.bits_incentive, to),
        bits_dividends: permuted(&out.bits_dividends, to),
        bits_ema_bonds_sum: out.bits_ema_bonds_sum,
    }
}

/// Uids decide in one place only: among equal stakes at the last permit the higher uid wins. The median's pivot
/// depends on the order of votes too, but the vote it ends at does not.
#[test]
fn renaming_uids_renames_results_unless_stakes_tie_at_the_last_permit() {
    let mut tied = 0;
    for number in 0..EPOCHS {
        let mut input = random_input(number);
        let mut to: Vec<usize> = (0..usize::from(input.n)).collect();
        Seed::from_number(number).stream("rename", 0).shuffle(&mut to);
        if number % 2 == 0 {
            // With room for all there is no last permit to fight for.
            input.max_allowed_validators = input.n;
        }
        let mut expect = renamed_output(&epoch(&input).unwrap(), &to);
        let ours = epoch(&renamed(&input, &to)).unwrap();
        if ours.new_validator_permit != expect.new_validator_permit {
            let mut stakes = input.stake.clone();
            stakes.sort_unstable_by(|left, right| right.cmp(left));
            let k = usize::from(input.max_allowed_validators);
            assert_eq!(stakes[k - 1], stakes[k], "seed {number}: permits moved without a tie");
            tied += 1;
            // The permits decide which bonds are stored and nothing else.
            expect.new_validator_permit.clone_from(&ours.new_validator_permit);
            expect.bonds.clone_from(&ours.bonds);
        }
        assert_eq!(ours, expect, "seed {number}");
    }
    assert!(tied > 0, "no seed tied at the last permit");
}

#[test]
fn emission_never_exceeds_what_there_is() {
    for number in 0..EPOCHS {
        let input = random_input(number);
        let out = epoch(&input).unwrap();
        let sum = |amounts: &[u64]| amounts.iter().map(|&amount| u128::from(amount)).sum::<u128>();
        let rao = u128::from(input.rao_emission);
        assert!(sum(&out.server_emission) + sum(&out.validator_emission) <= rao, "seed {number}");
        assert!(sum(&out.emission) <= rao, "seed {number}");
    }
}

#[test]
fn stake_counts_by_proportion_alone() {
    for number in 0..EPOCHS {
        let mut input = random_input(number);
        let before = epoch(&input).unwrap();
        for stake in &mut input.stake {
            *stake *= 1000;
        }
        input.stake_threshold *= 1000;
        assert_eq!(epoch(&input).unwrap(), before, "seed {number}");
    }
}

#[test]
fn weights_count_by_proportion_alone() {
    let mut input = pair();
    input.weights[0] = vec![(1, 100), (2, 300)];
    let before = epoch(&input).unwrap();
    input.weights[0] = vec![(1, 21845), (2, 65535)];
    assert_eq!(epoch(&input).unwrap(), before);
}

/// Validator 0 with all stake and miners 1 and 2.
fn pair() -> EpochInput {
    let mut input = input::quiet(3);
    input.stake[0] = 1_000_000_000;
    input.validator_permit[0] = true;
    input.weights[0] = vec![(1, 65535)];
    input
}

#[test]
fn with_liquid_alpha_an_omitted_uid_loses_its_bond_and_an_explicit_zero_keeps_it() {
    let bond_in_2 = |liquid: bool, explicit: bool| {
        let mut input = pair();
        input.bonds_penalty = 0;
        input.liquid_alpha = liquid;
        input.bonds[0] = vec![(1, 65535), (2, 65535)];
        if explicit {
            input.weights[0].push((2, 0));
        }
        epoch(&input).unwrap().bonds[0].iter().any(|bond| bond.0 == 2)
    };
    assert!(!bond_in_2(true, false));
    assert!(bond_in_2(true, true));
    assert!(bond_in_2(false, false));
    assert!(bond_in_2(false, true));
}

#[test]
fn without_liquid_alpha_an_explicit_zero_is_as_good_as_none() {
    for number in 0..EPOCHS {
        let mut input = random_input(number);
        input.liquid_alpha = false;
        let before = epoch(&input).unwrap();
        for row in input.weights.iter_mut().chain(&mut input.bonds) {
            row.retain(|entry| entry.1 > 0);
        }
        assert_eq!(epoch(&input).unwrap(), before, "seed {number}");
    }
}

#[test]
fn a_full_penalty_drops_what_nobody_else_supports() {
    let mut input = pair();
    input.liquid_alpha = true;
    // A majority of stake votes for 2, a minority for 1.
    input.n = 4;
    for (list, value) in [(&mut input.last_update, 990), (&mut input.block_at_registration, 0)] {
        list.push(value);
    }
    input.stake = vec![10, 0, 0, 90];
    input.validator_permit = vec![true, false, false, true];
    input.weights = vec![vec![(1, 65535)], vec![], vec![], vec![(2, 65535)]];
    input.bonds = vec![vec![(1, 65535)], vec![], vec![], vec![]];
    let bonds = |penalty: u16| {
        let out = epoch(&EpochInput { bonds_penalty: penalty, ..input.clone() }).unwrap();
        out.bonds[0].len()
    };
    assert_eq!((bonds(65535), bonds(65534), bonds(0)), (0, 1, 1));
}

#[test]
fn no_neurons_give_an_empty_epoch() {
    let out = epoch(&input::quiet(0)).unwrap();
    assert!(out.active.is_empty() && out.bonds.is_empty());
    assert_eq!(out.bits_ema_bonds_sum, 0);
}

#[test]
fn bad_input_is_refused_with_what_is_wrong() {
    let check = |spoil: fn(&mut EpochInput), expect: &str| {
        let mut input = pair();
        spoil(&mut input);
        assert_eq!(epoch(&input).unwrap_err().to_string(), expect);
    };
    check(|input| input.stake.push(1), "stake has 4 entries for 3 neurons");
    check(|input| input.commit_blocks = Some(vec![None]), "commit_blocks has 1 entries for 3 neurons");
    check(|input| input.owner_uid = Some(3), "owner_uid names uid 3, the subnet has 3 neurons");
    check(
        |input| input.weights[0] = vec![(1, 1), (7, 1)],
        "weights of uid 0 names uid 7, the subnet has 3 neurons",
    );
    let unsorted = "bonds of uid 1 name uid 1 after uid 2, uids must ascend without repetition";
    check(|input| input.bonds[1] = vec![(2, 1), (1, 1)], unsorted);
    let doubled = "weights of uid 2 name uid 1 after uid 1, uids must ascend without repetition";
    check(|input| input.weights[2] = vec![(1, 1), (1, 1)], doubled);
    check(
        |input| input.stake = vec![u64::MAX, 0, 0],
        "stake sums to 18446744073709551615, at most 9223372036854775807 is possible",
    );
    check(
        |input| input.bonds_moving_average = 1_000_001,
        "bonds_moving_average is 1000001, at most 1000000 is possible",
    );
    let many = epoch(&input::quiet(40_000)).unwrap_err();
    assert_eq!(many, EpochError::TooManyNeurons { found: 40_000 });
}
