//! Epoch inputs for tests: read from recorded JSON, or small ones to start from.

use serde_json::Value;
use yuma::EpochInput;

/// Yuma3 with the chain's defaults, block 1000 of tempo 360, everybody registered at 0 and updated at 990, no
/// stake, no permits, no weights.
pub(crate) fn quiet(n: u16) -> EpochInput {
    let len = usize::from(n);
    EpochInput {
        n,
        current_block: 1000,
        tempo: 360,
        activity_cutoff_blocks: 5000,
        last_mechanism_step_block: 640,
        last_update: vec![990; len],
        block_at_registration: vec![0; len],
        stake: vec![0; len],
        stake_threshold: 0,
        owner_uid: None,
        validator_permit: vec![false; len],
        max_allowed_validators: 64,
        weights: vec![Vec::new(); len],
        bonds: vec![Vec::new(); len],
        kappa: 32767,
        bonds_penalty: 65535,
        bonds_moving_average: 900_000,
        yuma3: true,
        liquid_alpha: false,
        alpha_low: 45875,
        alpha_high: 58982,
        alpha_sigmoid_steepness: 1000,
        commit_reveal: false,
        commit_blocks: None,
        rao_emission: 1_000_000_000,
    }
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The input of a recorded epoch.
pub(crate) fn read(value: &Value) -> EpochInput {
    let number = |name: &str| value[name].as_u64().unwrap_or_else(|| panic!("{name} is not a number"));
    let share = |name: &str| u16::try_from(number(name)).unwrap();
    let flag = |name: &str| value[name].as_bool().unwrap_or_else(|| panic!("{name} is not a flag"));
    EpochInput {
        n: share("n"),
        current_block: number("current_block"),
        tempo: share("tempo"),
        activity_cutoff_blocks: number("activity_cutoff_blocks"),
        last_mechanism_step_block: number("last_mechanism_step_block"),
        last_update: list(&value["last_update"]),
        block_at_registration: list(&value["block_at_registration"]),
        stake: list(&value["stake"]),
        stake_threshold: number("stake_threshold"),
        owner_uid: value["owner_uid"].as_u64().map(|uid| u16::try_from(uid).unwrap()),
        validator_permit: list(&value["validator_permit"]),
        max_allowed_validators: share("max_allowed_validators"),
        weights: list(&value["weights"]),
        bonds: list(&value["bonds"]),
        kappa: share("kappa"),
        bonds_penalty: share("bonds_penalty"),
        bonds_moving_average: number("bonds_moving_average"),
        yuma3: flag("yuma3"),
        liquid_alpha: flag("liquid_alpha"),
        alpha_low: share("alpha_low"),
        alpha_high: share("alpha_high"),
        alpha_sigmoid_steepness: i16::try_from(value["alpha_sigmoid_steepness"].as_i64().unwrap()).unwrap(),
        commit_reveal: flag("commit_reveal"),
        commit_blocks: value["commit_blocks"]
            .as_array()
            .map(|blocks| blocks.iter().map(Value::as_u64).collect()),
        rao_emission: number("rao_emission"),
    }
}
