//! Checkpoints of trainings.

use lm::{Compute, Trainer};
use serde_json::{Value, json};

use super::{Case, check, words};
use crate::checkpoint::{run, schedule, started, started_again};

/// A checkpoint taken apart.
struct Parts {
    table: Value,
    about: Value,
    data: Vec<u8>,
}

const ABOUT: &str = "weighhouse.checkpoint";

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (table, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        let table: Value = serde_json::from_slice(table).unwrap();
        let about = serde_json::from_str(table["__metadata__"][ABOUT].as_str().unwrap()).unwrap();
        Self { table, about, data: data.to_vec() }
    }

    fn bytes(mut self) -> Vec<u8> {
        if let Some(text) = self.table.get_mut("__metadata__").and_then(|texts| texts.get_mut(ABOUT)) {
            let changed = text.as_str().is_some_and(|text| serde_json::from_str::<Value>(text).is_err());
            if !changed {
                *text = self.about.to_string().into();
            }
        }
        let table = self.table.to_string();
        [&(table.len() as u64).to_le_bytes()[..], table.as_bytes(), &self.data].concat()
    }

    fn put(&mut self, place: usize, number: f32) {
        self.data[4 * place..][..4].copy_from_slice(&number.to_le_bytes());
    }
}

type Change = Box<dyn Fn(&mut Parts)>;

#[test]
fn checkpoints_that_are_wrong_are_refused_in_words() {
    let mut trainer = started(schedule());
    run(&mut trainer, &Compute::new(1).unwrap(), 1);
    let good = trainer.checkpoint_bytes().unwrap();
    assert!(started_again(&Parts::of(&good).bytes()).checkpoint_bytes().unwrap() == good);
    let count = trainer.state().model.parameters().len();
    let mut cases = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>, message: &'static str| {
        let read = move || Trainer::from_checkpoint_bytes(bytes).map(|_| ()).map_err(words);
        cases.push(Case { name: name.into(), read: Box::new(read), message });
    };
    let about = |key: &'static str, value: Value| -> Change {
        Box::new(move |parts| *parts.about.pointer_mut(key).unwrap() = value.clone())
    };
    let more = |at: &'static str, key: &'static str, value: Value| -> Change {
        Box::new(move |parts| parts.about.pointer_mut(at).unwrap()[key] = value.clone())
    };
    let without = |at: &'static str, key: &'static str| -> Change {
        Box::new(move |parts| {
            parts.about.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        })
    };
    let text = |text: String| -> Change {
        Box::new(move |parts| parts.table["__metadata__"][ABOUT] = text.clone().into())
    };
    let tensor = |name: &'static str, key: &'static str, value: Value| -> Change {
        Box::new(move |parts| parts.table[name][key] = value.clone())
    };
    let number = |place: usize, number: f32| -> Change { Box::new(move |parts| parts.put(place, number)) };
    let changes: Vec<(&str, Change, &'static str)> = vec![
        (
            "no texts",
            Box::new(|parts| drop(parts.table.as_object_mut().unwrap().remove("__metadata__"))),
            "the text \"weighhouse.checkpoint\" is missing",
        ),
        (
            "a text more",
            Box::new(|parts| parts.table["__metadata__"]["x"] = "y".into()),
            "2 texts, expected one",
        ),
        ("no json", text("{".into()), "weighhouse.checkpoint is malformed: EOF"),
        ("a long text", text("x".repeat(1 << 17)), "in bytes is 131072, at most 65536"),
        ("a deep text", text("[".repeat(65)), "depth of \"weighhouse.checkpoint\" is 65, at most 64"),
        (
            "another format",
            about("/format", json!(2)),
            "format 2 of a checkpoint is not supported, expected 1",
        ),
        ("a later format", more("", "format", json!(4_294_967_296_u64)), "expected u32"),
        (
            "other kernels",
            about("/kernel_version", json!(2)),
            "kernel version 2 of a checkpoint is not supported",
        ),
        ("no kernels", without("", "kernel_version"), "missing field `kernel_version`"),
        ("a text as format", about("/format", json!("1")), "invalid type: string \"1\""),
        ("a field more", more("", "loss", json!(1)), "unknown field `loss`"),
        ("no step", without("", "step"), "missing field `step`"),
        ("a step below zero", about("/step", json!(-1)), "integer `-1`"),
        ("half a step", about("/step", json!(1.5)), "floating point `1.5`"),
        (
            "a step of 2^31 + 1",
            about("/step", json!((1_u64 << 31) + 1)),
            "step is 2147483649, expected 0 to 2^31",
        ),
        ("a step of 2^64 − 1", about("/step", json!(u64::MAX)), "expected 0 to 2^31"),
        ("a short seed", about("/seed", json!("00")), "weighhouse.checkpoint is malformed"),
        ("no layers", about("/model/layers", json!(0)), "layers is 0, expected 1"),
        ("fewer layers", about("/model/layers", json!(1)), "\"adamw.first_moments\" has shape"),
        (
            "many layers",
            about("/model/layers", json!(900_000)),
            "layers in the checkpoint is 900000, at most",
        ),
        ("more tokens", about("/model/vocab", json!(1 << 21)), "\"adamw.first_moments\" has shape"),
        ("a model of 2^33", about("/model/vocab", json!(1 << 30)), "vocab is 1073741824"),
        ("another head", about("/model/heads", json!(5)), "dim 24 is not a multiple of 2 · heads 10"),
        // As many numbers, in other shapes.
        (
            "another width",
            Box::new(|parts| {
                parts.about["model"]["heads"] = json!(2);
                parts.about["model"]["kv_heads"] = json!(1);
                parts.table["model.norm.weight"]["shape"] = json!([4, 6]);
            }),
            "\"model.norm.weight\" has shape [4, 6], expected [24]",
        ),
        ("an unknown size", more("/model", "experts", json!(8)), "unknown field `experts`"),
        ("no batch", about("/schedule/batch", json!(0)), "batch · sequence is 0"),
        ("no batches", more("/schedule", "accumulate", json!(0)), "accumulate is 0, expected 1 to 2^16"),
        ("many batches", more("/schedule", "accumulate", json!(65_537)), "accumulate is 65537, expected"),
        ("long sequences", about("/schedule/sequence", json!(81)), "sequence is 81, expected at most"),
        ("an infinite rate", text(r#"{"format":1e999,"kernel_version":1}"#.into()), "malformed"),
        ("a wild rate", about("/schedule/peak_rate", json!(1e300)), "peak_rate is 1"),
        ("no rate", about("/schedule/peak_rate", Value::Null), "invalid type: null"),
        ("moments without end", about("/schedule/adamw/beta2", json!(1.0)), "beta2 is 1, expected"),
        ("an unknown decay", about("/schedule/decay", json!("steps")), "unknown variant `steps`"),
        ("a clip below zero", about("/schedule/clip", json!(-1.0)), "clip is -1, expected above 0"),
        ("a setting more", more("/schedule", "momentum", json!(0.9)), "unknown field `momentum`"),
        (
            "another name",
            Box::new(|parts| {
                let tensor = parts.table.as_object_mut().unwrap().remove("model.norm.weight").unwrap();
                parts.table["model.norm.bias"] = tensor;
            }),
            "tensor \"model.norm.weight\" is missing",
        ),
        (
            "no moments",
            Box::new(|parts| {
                let tensor = parts.table.as_object_mut().unwrap().remove("adamw.second_moments").unwrap();
                parts.table["adamw.third_moments"] = tensor;
            }),
            "tensor \"adamw.second_moments\" is missing",
        ),
        (
            "a tensor more",
            Box::new(|parts| {
                let end = parts.data.len();
                parts.data.extend([0; 4]);
                let entry = json!({"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]});
                parts.table["lm_head.weight"] = entry;
            }),
            "1 tensors are left that the model does not have, the first is \"lm_head.weight\"",
        ),
        ("moments in a square", tensor("adamw.first_moments", "shape", json!([1, count])), "has shape [1, "),
        (
            "whole numbers",
            tensor("adamw.first_moments", "dtype", json!("I32")),
            "tensor \"adamw.first_moments\" of type I32 is not supported, expected F32",
        ),
        (
            "half as many long ones",
            Box::new(move |parts| {
                parts.table["adamw.second_moments"]["dtype"] = json!("F64");
                parts.table["adamw.second_moments"]["shape"] = json!([count / 2]);
            }),
            "of type F64 is not supported",
        ),
        (
            "twice as many short ones",
            Box::new(move |parts| {
                parts.table["adamw.second_moments"]["dtype"] = json!("BF16");
                parts.table["adamw.second_moments"]["shape"] = json!([2 * count]);
            }),
            "of type BF16 is not supported, expected F32",
        ),
        ("no parameter", number(3, f32::NAN), "\"model.embed_tokens.weight\" has NaN at place 3"),
        (
            "an endless parameter",
            number(count - 1, f32::INFINITY),
            "\"model.norm.weight\" has inf at place 23",
        ),
        ("no first moment", number(count, f32::NAN), "\"adamw.first_moments\" has NaN at place 0"),
        ("no second moment", number(2 * count + 1, f32::NAN), "\"adamw.second_moments\" has NaN at place 1"),
        (
            "an endless moment",
            number(3 * count - 1, f32::INFINITY),
            "\"adamw.second_moments\" has inf at place",
        ),
        (
            "a moment below zero",
            number(2 * count + 2, -1e-40),
            "adamw.second_moments is malformed: it has -0.0000000000000000000000000000000000000001 at place 2",
        ),
        ("a byte less", Box::new(|parts| parts.data.truncate(parts.data.len() - 1)), "expected"),
        ("a byte more", Box::new(|parts| parts.data.push(0)), "bytes follow the table"),
    ];
    for (name, change, message) in changes {
        let mut parts = Parts::of(&good);
        change(&mut parts);
        add(name, parts.bytes(), message);
    }
    add("a model", trainer.state().model.to_safetensors().unwrap(), "\"weighhouse.checkpoint\" is missing");
    add("nothing", vec![], "it has 0 bytes");
    assert_eq!(check(cases), 53);
}
