//! `weigh chain epoch FILE`: consensus epochs from a JSON file, for anybody who wants to check ours against theirs.
//!
//! The file is a list of `{"input": {…}}`, or `{"cases": [{"epochs": [{"input": {…}}]}]}`; what stands beside an
//! `input` is ignored, what is missing from it or unknown in it is an error. The result is one flat list with an
//! object per input, in order, whose names are those of [`yuma::EpochOutput`], raw bits included.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use yuma::{EpochError, EpochInput, EpochOutput};

/// The largest file read: a full subnet's epoch is about 2 MB of JSON, so this holds dozens of them.
const FILE_MAX_BYTES: u64 = 256 << 20;

/// Why a file of epochs was not computed.
#[derive(Debug, Error)]
pub(crate) enum EpochFileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is too large.
    #[error("{} has more than {FILE_MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not JSON.
    #[error("{} is not JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
    /// Something is not where the format has it.
    #[error("{at} is not {expected}")]
    Shape {
        /// Where in the file, as `cases[0].epochs[1]`.
        at: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// An input's field is missing, unknown, or not of its kind.
    #[error("{at}: {reason}")]
    Field {
        /// Where in the file.
        at: String,
        /// Which field, and why.
        reason: String,
    },
    /// An input is well formed but not a possible epoch.
    #[error("{at}: {source}")]
    Epoch {
        /// Where in the file.
        at: String,
        /// What is wrong.
        source: EpochError,
    },
}

/// Reads the file and runs its epochs.
///
/// # Errors
/// [`EpochFileError`] with the place in the file; nothing is computed past the first error.
pub(crate) fn run(path: &Path) -> Result<Value, EpochFileError> {
    let read = |source| EpochFileError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(read)?;
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > FILE_MAX_BYTES {
        return Err(EpochFileError::TooLarge { path: path.to_owned() });
    }
    let file = serde_json::from_slice(&text)
        .map_err(|source| EpochFileError::Json { path: path.to_owned(), source })?;
    run_value(file)
}

/// Runs the epochs of a file's content.
fn run_value(file: Value) -> Result<Value, EpochFileError> {
    let mut outputs = Vec::new();
    match file {
        Value::Array(epochs) => run_list("", epochs, &mut outputs)?,
        Value::Object(mut file) => {
            for (number, case) in list("cases", file.remove("cases"))?.into_iter().enumerate() {
                let at = format!("cases[{number}].epochs");
                run_list(&at, list(&at, field(case, "epochs"))?, &mut outputs)?;
            }
        }
        _ => {
            return Err(EpochFileError::Shape {
                at: "the file".to_owned(),
                expected: "a list or an object with cases",
            });
        }
    }
    Ok(Value::Array(outputs))
}

fn field(value: Value, name: &str) -> Option<Value> {
    if let Value::Object(mut fields) = value { fields.remove(name) } else { None }
}

fn list(at: &str, value: Option<Value>) -> Result<Vec<Value>, EpochFileError> {
    match value {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(EpochFileError::Shape { at: at.to_owned(), expected: "a list" }),
    }
}

fn run_list(list: &str, epochs: Vec<Value>, outputs: &mut Vec<Value>) -> Result<(), EpochFileError> {
    for (number, epoch) in epochs.into_iter().enumerate() {
        let at = format!("{list}[{number}].input");
        let Some(input @ Value::Object(_)) = field(epoch, "input") else {
            return Err(EpochFileError::Shape { at, expected: "an object" });
        };
        let input = match serde_json::from_value::<Input>(input) {
            Ok(input) => EpochInput::from(input),
            Err(error) => return Err(EpochFileError::Field { at, reason: error.to_string() }),
        };
        let output = yuma::epoch(&input).map_err(|source| EpochFileError::Epoch { at, source })?;
        outputs.push(named(&output));
    }
    Ok(())
}

/// The fields of [`EpochInput`] under their names in the file; all must be there, none besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    n: u16,
    current_block: u64,
    tempo: u16,
    activity_cutoff_blocks: u64,
    last_mechanism_step_block: u64,
    last_update: Vec<u64>,
    block_at_registration: Vec<u64>,
    stake: Vec<u64>,
    stake_threshold: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    owner_uid: Option<u16>,
    validator_permit: Vec<bool>,
    max_allowed_validators: u16,
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    kappa: u16,
    bonds_penalty: u16,
    bonds_moving_average: u64,
    yuma3: bool,
    liquid_alpha: bool,
    alpha_low: u16,
    alpha_high: u16,
    alpha_sigmoid_steepness: i16,
    commit_reveal: bool,
    // Without this serde would take an absent optional field for null.
    #[serde(deserialize_with = "Option::deserialize")]
    commit_blocks: Option<Vec<Option<u64>>>,
    rao_emission: u64,
}

impl From<Input> for EpochInput {
    fn from(input: Input) -> Self {
        Self {
            n: input.n,
            current_block: input.current_block,
            tempo: input.tempo,
            activity_cutoff_blocks: input.activity_cutoff_blocks,
            last_mechanism_step_block: input.last_mechanism_step_block,
            last_update: input.last_update,
            block_at_registration: input.block_at_registration,
            stake: input.stake,
            stake_threshold: input.stake_threshold,
            owner_uid: input.owner_uid,
            validator_permit: input.validator_permit,
            max_allowed_validators: input.max_allowed_validators,
            weights: input.weights,
            bonds: input.bonds,
            kappa: input.kappa,
            bonds_penalty: input.bonds_penalty,
            bonds_moving_average: input.bonds_moving_average,
            yuma3: input.yuma3,
            liquid_alpha: input.liquid_alpha,
            alpha_low: input.alpha_low,
            alpha_high: input.alpha_high,
            alpha_sigmoid_steepness: input.alpha_sigmoid_steepness,
            commit_reveal: input.commit_reveal,
            commit_blocks: input.commit_blocks,
            rao_emission: input.rao_emission,
        }
    }
}

fn named(output: &EpochOutput) -> Value {
    json!({
        "active": output.active,
        "stake_weight": output.stake_weight,
        "new_validator_permit": output.new_validator_permit,
        "consensus": output.consensus,
        "validator_trust": output.validator_trust,
        "incentive": output.incentive,
        "dividends": output.dividends,
        "server_emission": output.server_emission,
        "validator_emission": output.validator_emission,
        "emission": output.emission,
        "bonds": output.bonds,
        "bits_consensus": output.bits_consensus,
        "bits_incentive": output.bits_incentive,
        "bits_dividends": output.bits_dividends,
        "bits_ema_bonds_sum": output.bits_ema_bonds_sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Value {
        json!({
            "n": 2, "current_block": 10, "tempo": 1, "activity_cutoff_blocks": 100,
            "last_mechanism_step_block": 5, "last_update": [9, 9], "block_at_registration": [0, 0],
            "stake": [100, 0], "stake_threshold": 0, "owner_uid": null, "validator_permit": [true, false],
            "max_allowed_validators": 1, "weights": [[[1, 65535]], []], "bonds": [[], []],
            "kappa": 32767, "bonds_penalty": 65535, "bonds_moving_average": 900_000, "yuma3": true,
            "liquid_alpha": false, "alpha_low": 45875, "alpha_high": 58982,
            "alpha_sigmoid_steepness": 1000, "commit_reveal": false, "commit_blocks": null,
            "rao_emission": 1000
        })
    }

    fn changed(name: &str, value: Option<Value>) -> Value {
        let mut input = input();
        let fields = input.as_object_mut().unwrap();
        match value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
        json!([{"input": input}])
    }

    #[test]
    fn both_forms_give_one_flat_list_in_order() {
        let epoch = json!({"input": input(), "oracle": {}, "expect": {}});
        let bare = run_value(json!([epoch, epoch])).unwrap();
        let cases = json!({"cases": [{"id": "a", "epochs": [epoch]}, {"epochs": [epoch]}], "format": "x"});
        assert_eq!(run_value(cases).unwrap(), bare);
        assert_eq!(bare[1]["incentive"], json!([0, 65535]));
        assert_eq!(bare[1]["emission"], json!([500, 500]));
        assert_eq!(bare.as_array().unwrap().len(), 2);
    }

    #[test]
    fn errors_say_where_and_what() {
        let check = |file: Value, expect: &str| assert_eq!(run_value(file).unwrap_err().to_string(), expect);
        check(json!(3), "the file is not a list or an object with cases");
        check(json!({"epochs": []}), "cases is not a list");
        check(json!({"cases": [{}]}), "cases[0].epochs is not a list");
        check(json!({"cases": [{"epochs": [{}]}]}), "cases[0].epochs[0].input is not an object");
        check(changed("kappa", None), "[0].input: missing field `kappa`");
        check(changed("owner_uid", None), "[0].input: missing field `owner_uid`");
        check(changed("commit_blocks", None), "[0].input: missing field `commit_blocks`");
        check(changed("stake", Some(json!([1]))), "[0].input: stake has 1 entries for 2 neurons");
        check(
            changed("kappa", Some(json!(65536))),
            "[0].input: invalid value: integer `65536`, expected u16",
        );
        let unknown = run_value(changed("kapa", Some(json!(1)))).unwrap_err().to_string();
        assert!(unknown.starts_with("[0].input: unknown field `kapa`, expected one of `n`"), "{unknown}");
    }

    #[test]
    fn a_file_that_is_not_there_or_not_json_is_named() {
        let missing = run(Path::new("no/such/file.json")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read no/such/file.json");
        let not_json = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap_err();
        assert!(matches!(not_json, EpochFileError::Json { .. }));
    }

    #[test]
    fn recorded_cases_come_out_as_recorded() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/yuma/yuma_cases.json");
        let Ok(text) = std::fs::read(&data) else {
            println!("skipped: {} is not there", data.display());
            return;
        };
        let file: Value = serde_json::from_slice(&text).unwrap();
        let epochs =
            file["cases"].as_array().unwrap().iter().flat_map(|case| case["epochs"].as_array().unwrap());
        let recorded: Vec<Value> = epochs.map(|epoch| epoch["oracle"].clone()).collect();
        assert_eq!(run(&data).unwrap(), Value::Array(recorded));
    }
}
