//! Random epochs: the crate against the second implementation, every field, every bit.

use primitives::{Seed, Stream};
use yuma::{EpochInput, EpochOutput, epoch};

use crate::{dense, input};

/// Epochs by default, a few seconds; `WEIGH_FULL=1` runs the full count.
const DEFAULT_EPOCHS: u64 = 3_000;
const FULL_EPOCHS: u64 = 100_000;
/// Most neurons of a random subnet: small enough for n × n matrices in their thousands.
const NEURONS: u64 = 14;

/// What the random epochs have met, so that none of it can silently fall out of the generator.
#[derive(Debug, Default)]
struct Met {
    inactive: u64,
    weights_before_registration: u64,
    weights_committed_before_registration: u64,
    bonds_before_registration: u64,
    owner_self_weight: u64,
    below_threshold: u64,
    no_stake: u64,
    equal_stake_at_the_last_permit: u64,
    explicit_zero_weight: u64,
    omitted_weight_under_a_bond: u64,
    zero_consensus: u64,
    no_emission_sum: u64,
    liquid: u64,
    penalty_between: u64,
    yuma2: u64,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the number of epochs is the tester's choice")]
fn random_epochs_agree_with_the_dense_implementation_to_the_last_bit() {
    let full = std::env::var("WEIGH_FULL").is_ok_and(|value| value == "1");
    let epochs = if full { FULL_EPOCHS } else { DEFAULT_EPOCHS };
    let mut met = Met::default();
    for number in 0..epochs {
        let mut input = random_input(number);
        // Three epochs in a row, so that bonds are also such as epochs leave behind.
        for step in 0..1 + number % 3 {
            let ours = epoch(&input).unwrap();
            let theirs = dense::epoch(&input);
            assert_eq!(ours, theirs, "seed {number} step {step}: {input:#?}");
            met.count(&input, &ours);
            input.bonds = ours.bonds;
            input.validator_permit = ours.new_validator_permit;
            input.last_mechanism_step_block = input.current_block;
            input.current_block += u64::from(input.tempo);
        }
    }
    println!("{epochs} seeds: {met:#?}");
    met.assert_all();
}

impl Met {
    fn count(&mut self, input: &EpochInput, out: &EpochOutput) {
        let n = usize::from(input.n);
        let registered = |uid: u16| input.block_at_registration[usize::from(uid)];
        let weights = || (0..n).flat_map(|i| input.weights[i].iter().map(move |&(j, w)| (i, j, w)));
        let mut add = |field: fn(&mut Self) -> &mut u64, met: bool| *field(self) += u64::from(met);
        add(|met| &mut met.inactive, out.active.contains(&false));
        add(
            |met| &mut met.weights_before_registration,
            weights().any(|(i, j, _)| input.last_update[i] <= registered(j)),
        );
        let committed =
            |i: usize| input.commit_blocks.as_ref().and_then(|blocks| blocks[i]).unwrap_or(u64::MAX);
        add(
            |met| &mut met.weights_committed_before_registration,
            input.commit_reveal && weights().any(|(i, j, _)| committed(i) < registered(j)),
        );
        add(
            |met| &mut met.bonds_before_registration,
            input.bonds.iter().flatten().any(|&(j, _)| input.last_mechanism_step_block < registered(j)),
        );
        add(
            |met| &mut met.owner_self_weight,
            weights().any(|(i, j, _)| i == usize::from(j) && input.owner_uid == Some(j)),
        );
        add(|met| &mut met.below_threshold, input.stake.iter().any(|&s| s > 0 && s < input.stake_threshold));
        add(|met| &mut met.no_stake, input.stake.iter().all(|&stake| stake == 0));
        let mut sorted = input.stake.clone();
        sorted.sort_unstable_by(|left, right| right.cmp(left));
        let k = usize::from(input.max_allowed_validators);
        add(
            |met| &mut met.equal_stake_at_the_last_permit,
            (1..n).contains(&k) && sorted[k - 1] == sorted[k] && sorted[k] > 0,
        );
        add(|met| &mut met.explicit_zero_weight, weights().any(|(_, _, weight)| weight == 0));
        let omitted = |i: usize| {
            input.bonds[i].iter().any(|bond| input.weights[i].iter().all(|weight| weight.0 != bond.0))
        };
        add(|met| &mut met.omitted_weight_under_a_bond, input.liquid_alpha && (0..n).any(omitted));
        add(
            |met| &mut met.zero_consensus,
            weights().any(|(_, j, w)| w > 0 && out.consensus[usize::from(j)] == 0),
        );
        let idle = out.bits_incentive.iter().chain(&out.bits_dividends).all(|&bits| bits == 0);
        add(|met| &mut met.no_emission_sum, idle && n > 0);
        add(|met| &mut met.liquid, input.liquid_alpha && input.yuma3);
        add(|met| &mut met.penalty_between, (1..65535).contains(&input.bonds_penalty));
        add(|met| &mut met.yuma2, !input.yuma3);
    }

    fn assert_all(&self) {
        let text = format!("{self:?}");
        assert!(!text.contains(": 0,") && !text.contains(": 0 "), "never met: {text}");
    }
}

fn pick<T: Copy>(stream: &mut Stream, from: &[T]) -> T {
    from[stream.index(from.len())]
}

fn number_u16(stream: &mut Stream, below: u64) -> u16 {
    u16::try_from(stream.below(below)).unwrap()
}

/// The input that a seed's number stands for.
pub(crate) fn random_input(number: u64) -> EpochInput {
    let mut stream = Seed::from_number(number).stream("epoch", 0);
    let stream = &mut stream;
    let n = number_u16(stream, NEURONS + 1);
    let len = usize::from(n);
    let mut input = input::quiet(n);
    input.current_block = 1000 + stream.below(60);
    input.tempo = pick(stream, &[0, 1, 99, 360]);
    input.last_mechanism_step_block = pick(stream, &[0, 0, 1, 800, 980, 999]);
    input.activity_cutoff_blocks = pick(stream, &[1, 100, 300, 5000, 5000, 5000]);
    let validators = 1 + stream.index(len.max(1));
    let quantum = pick(stream, &[1, 3, 1_000_000_007, 1 << 40]);
    // In some subnets nobody is late or new, in some half of all are: what is masked hides the arithmetic.
    let (late, new) = (pick(stream, &[0, 0, 100, 500]), pick(stream, &[0, 0, 100, 500]));
    for uid in 0..len {
        if stream.chance(late) {
            input.last_update[uid] = pick(stream, &[0, 700, 850, 900, 1000]);
        }
        if stream.chance(new) {
            input.block_at_registration[uid] = pick(stream, &[1, 799, 800, 801, 850, 900, 981, 990, 999]);
        }
        if uid < validators || stream.chance(100) {
            input.stake[uid] = quantum * stream.below(8);
            input.validator_permit[uid] = stream.chance(850);
        }
        input.weights[uid] = random_row(stream, n);
        input.bonds[uid] = random_row(stream, n);
        if uid >= validators && stream.chance(800) {
            input.weights[uid].clear();
            input.bonds[uid].clear();
        }
    }
    input.stake_threshold = pick(stream, &[0, 0, 0, 0, 1, quantum * 2, quantum * 20]);
    input.owner_uid = (n > 0 && stream.chance(400)).then(|| number_u16(stream, u64::from(n)));
    input.max_allowed_validators = pick(stream, &[0, 1, 2, 3, 5, 8, 64, 64]);
    input.kappa = pick(stream, &[0, 1, 16384, 32767, 32767, 32767, 32768, 49151, 65535]);
    input.bonds_penalty = pick(stream, &[0, 0, 65535, 65535, 1, 32767, 65534]);
    input.bonds_moving_average = pick(stream, &[0, 1, 500_000, 900_000, 900_000, 975_000, 1_000_000]);
    input.yuma3 = stream.chance(700);
    input.liquid_alpha = stream.chance(500);
    (input.alpha_low, input.alpha_high) =
        pick(stream, &[(45875, 58982), (1638, 65535), (0, 65535), (30000, 30000), (60000, 2000)]);
    input.alpha_sigmoid_steepness = pick(stream, &[1000, 1, 0, 100, 10_000, i16::MAX, -1000]);
    input.commit_reveal = stream.chance(400);
    let commit =
        |stream: &mut Stream| stream.chance(500).then(|| pick(stream, &[0, 700, 799, 800, 850, 990]));
    input.commit_blocks = stream.chance(700).then(|| (0..len).map(|_| commit(stream)).collect());
    input.rao_emission = pick(stream, &[0, 1, 1_000_000_000, 360_000_000_001, u64::MAX]);
    input
}

/// A row with ascending uids, some omitted and some explicitly 0; often from few values, so that votes tie.
fn random_row(stream: &mut Stream, n: u16) -> Vec<(u16, u16)> {
    let per_mille = pick(stream, &[0, 200, 600, 800, 900, 1000, 1000]);
    let few = stream.chance(300);
    let mut row = Vec::new();
    for uid in 0..n {
        if stream.chance(per_mille) {
            let value = if few { pick(stream, &[0, 1, 32768, 65535]) } else { number_u16(stream, 1 << 16) };
            row.push((uid, value));
        }
    }
    row
}
