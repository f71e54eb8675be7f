//! How long an epoch takes: 64 validators with full rows, small and large subnets, with and without liquid alpha.
//!
//! `cargo bench -p yuma` prints the median and the fastest of several runs; nothing is asserted about times.
#![allow(clippy::print_stdout, reason = "the figures are the output")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{hint::black_box, time::Instant};

use primitives::Seed;
use yuma::{EpochInput, epoch};

/// Validators of a full subnet. Source: the chain's `MaxAllowedValidators` for new subnets.
const VALIDATORS: u16 = 64;

fn main() {
    for (n, runs) in [(256, 201), (4096, 21)] {
        for liquid_alpha in [false, true] {
            let input = subnet(n, liquid_alpha);
            let mut times_us: Vec<u128> = (0..runs).map(|_| time_us(&input)).collect();
            times_us.sort_unstable();
            let alpha = if liquid_alpha { "liquid alpha" } else { "plain" };
            println!(
                "n = {n:4}, {VALIDATORS} validators, {alpha:12}: median {} µs, fastest {} µs of {runs} runs",
                times_us[times_us.len() / 2],
                times_us[0]
            );
        }
    }
}

fn time_us(input: &EpochInput) -> u128 {
    let start = Instant::now();
    let out = epoch(black_box(input)).expect("the subnet below is well formed");
    let elapsed = start.elapsed();
    black_box(out);
    elapsed.as_micros()
}

/// A subnet in its second epoch: validators with different stake weigh every uid, with noise around a common view.
fn subnet(n: u16, liquid_alpha: bool) -> EpochInput {
    let mut stream = Seed::from_number(u64::from(n)).stream("bench", 0);
    let len = usize::from(n);
    let quality: Vec<u64> = (0..n).map(|_| 1 + stream.below(50_000)).collect();
    let mut row = || -> Vec<(u16, u16)> {
        let noisy = |(uid, &quality): (u16, &u64)| {
            let weight = quality + stream.below(10_000);
            (uid, u16::try_from(weight).expect("at most 60,000"))
        };
        (0..n).zip(&quality).map(noisy).collect()
    };
    let mut rows = || -> Vec<Vec<(u16, u16)>> {
        (0..n).map(|uid| if uid < VALIDATORS { row() } else { Vec::new() }).collect()
    };
    EpochInput {
        n,
        current_block: 1000,
        tempo: 360,
        activity_cutoff_blocks: 5000,
        last_mechanism_step_block: 640,
        last_update: vec![990; len],
        block_at_registration: vec![0; len],
        weights: rows(),
        bonds: rows(),
        stake: (0..n)
            .map(|uid| if uid < VALIDATORS { 1_000_000 * (1 + u64::from(uid)) } else { 0 })
            .collect(),
        stake_threshold: 0,
        owner_uid: None,
        validator_permit: (0..n).map(|uid| uid < VALIDATORS).collect(),
        max_allowed_validators: VALIDATORS,
        kappa: 32767,
        bonds_penalty: 65535,
        bonds_moving_average: 900_000,
        yuma3: true,
        liquid_alpha,
        alpha_low: 45875,
        alpha_high: 58982,
        alpha_sigmoid_steepness: 1000,
        commit_reveal: false,
        commit_blocks: None,
        rao_emission: 360_000_000_000,
    }
}
