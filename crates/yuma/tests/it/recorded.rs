//! Recorded epochs: exact ones, of which no field may go unread, and a floating-point simulation's.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};
use yuma::{EpochOutput, epoch};

use crate::input;

/// Largest distance from the simulation's dividends. It computes in 64-bit floats what the chain truncates to 32
/// fractional bits and stores in 16; the recorded cases differ by up to 1.075e-4.
const SIMULATION_TOLERANCE: f64 = 1.1e-4;

/// The shared test data, or none where the checkout stands alone.
#[expect(clippy::print_stdout, reason = "who reads the test's output learns that it did not run")]
fn shared(name: &str) -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/yuma").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn named(out: &EpochOutput) -> Value {
    json!({
        "active": out.active,
        "stake_weight": out.stake_weight,
        "new_validator_permit": out.new_validator_permit,
        "consensus": out.consensus,
        "validator_trust": out.validator_trust,
        "incentive": out.incentive,
        "dividends": out.dividends,
        "server_emission": out.server_emission,
        "validator_emission": out.validator_emission,
        "emission": out.emission,
        "bonds": out.bonds,
        "bits_consensus": out.bits_consensus,
        "bits_incentive": out.bits_incentive,
        "bits_dividends": out.bits_dividends,
        "bits_ema_bonds_sum": out.bits_ema_bonds_sum,
    })
}

#[test]
fn recorded_epochs_agree_in_every_field_to_the_last_bit() {
    let Some(file) = shared("yuma_cases.json") else { return };
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    let (mut epochs, mut fields) = (0, BTreeSet::new());
    for case in cases {
        for (at, recorded) in case["epochs"].as_array().unwrap().iter().enumerate() {
            let ours = named(&epoch(&input::read(&recorded["input"])).unwrap());
            let oracle = recorded["oracle"].as_object().unwrap();
            for (field, expect) in oracle {
                assert_eq!(&ours[field], expect, "{} epoch {at}: {field}", case["id"]);
                fields.insert(field.clone());
            }
            let ours: BTreeSet<_> = ours.as_object().unwrap().keys().collect();
            assert_eq!(ours, oracle.keys().collect(), "{} epoch {at}: other fields than ours", case["id"]);
            epochs += 1;
        }
    }
    println!("{epochs} epochs of {} cases, {} fields each", cases.len(), fields.len());
    assert_eq!((epochs, fields.len()), (98, 15));
}

#[test]
fn simulated_epochs_agree_within_rounding() {
    let Some(cases) = shared("yuma_ysim_cases.json") else { return };
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 18);
    let mut worst = 0.0f64;
    for case in cases {
        worst = worst.max(simulate(case));
    }
    println!("largest distance {worst:e}");
}

/// Replays one case and returns its largest distance from the simulation.
///
/// Validators are uids from 0, miners follow; a stake of 1 is 1e9; the largest weight of a row
/// becomes 65535, zeros are omitted; kappa is 0.5, bonds keep 0.975 per epoch and no penalty is taken.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares from 0 to 1, scaled")]
fn simulate(case: &Value) -> f64 {
    let floats = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
    let shares = |value: &Value| -> Vec<u16> { serde_json::from_value(value.clone()).unwrap() };
    let validators = case["stakes"][0].as_array().unwrap().len();
    let miners = case["weights"][0][0].as_array().unwrap().len();
    let mut state = input::quiet(u16::try_from(validators + miners).unwrap());
    state.kappa = 32767;
    state.bonds_penalty = 0;
    state.bonds_moving_average = 975_000;
    for validator in 0..validators {
        state.validator_permit[validator] = true;
    }
    let mut worst = 0.0f64;
    for at in 0..case["stakes"].as_array().unwrap().len() {
        for (validator, stake) in floats(&case["stakes"][at]).into_iter().enumerate() {
            state.stake[validator] = (stake * 1e9).round() as u64;
            let row = floats(&case["weights"][at][validator]);
            let top = row.iter().copied().fold(0.0, f64::max);
            let entry = |(miner, &weight): (usize, &f64)| {
                ((validators + miner) as u16, (weight / top * 65535.0).round() as u16)
            };
            state.weights[validator] =
                row.iter().enumerate().map(entry).filter(|entry| entry.1 > 0).collect();
        }
        let out = epoch(&state).unwrap();
        let oracle = shares(&case["oracle_dividends_u16"][at]);
        assert_eq!(out.dividends[..validators], oracle, "{} epoch {at}: dividends", case["id"]);
        let oracle = shares(&case["oracle_incentive_u16"][at]);
        assert_eq!(out.incentive[validators..], oracle, "{} epoch {at}: incentive", case["id"]);
        for (ours, theirs) in out.dividends.iter().zip(floats(&case["python_dividends"][at])) {
            let distance = (f64::from(*ours) / 65535.0 - theirs).abs();
            assert!(distance < SIMULATION_TOLERANCE, "{} epoch {at}: {distance:e}", case["id"]);
            worst = worst.max(distance);
        }
        state.bonds = out.bonds;
    }
    worst
}
