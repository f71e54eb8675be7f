//! The bits themselves: recorded once, the same for any number of threads, any instructions, any build.

use std::fmt::Write as _;

use lm::{
    Compute, Instructions, KERNEL_VERSION, Model, Preset, Tokenizer, TrainConfig, Trainer, score_texts,
};
use primitives::{Digest, Seed};

use crate::{gradient::uneven, story::TEXT};

/// The recorded bits. To record them anew after a wanted change, together with a new `KERNEL_VERSION`: replace the
/// file by what the failing test prints.
const GOLDEN: &str = include_str!("golden/bits.txt");

fn schedule() -> TrainConfig {
    TrainConfig { steps: 20, batch: 3, sequence: 37, warmup_steps: 4, ..TrainConfig::default() }
}

/// 20 steps of two models and the score of a fixed text, in words of bits.
fn record(compute: &Compute) -> String {
    let mut out = format!("kernel version {KERNEL_VERSION}\n");
    let tokens = Tokenizer::bytes().stream(&[TEXT]).unwrap();
    let mouse = Model::init(&Preset::Mouse.config(), Seed::from_number(1));
    let few: Vec<u32> = tokens.iter().map(|token| token % 29).collect();
    for (name, model, tokens) in [("mouse", mouse, &tokens), ("uneven", uneven(false), &few)] {
        let mut trainer = Trainer::new(model, schedule(), Seed::from_number(2)).unwrap();
        writeln!(out, "{name} start {}", trainer.state().model.digest()).unwrap();
        let steps = trainer.run(compute, tokens).unwrap();
        let bits: Vec<u8> =
            steps.iter().flat_map(|s| [s.loss, s.gradient_norm, s.rate]).flat_map(f64::to_le_bytes).collect();
        writeln!(out, "{name} steps {}", Digest::of(&bits)).unwrap();
        writeln!(out, "{name} last loss {:.6}", steps[19].loss).unwrap();
        let state = trainer.into_state();
        writeln!(out, "{name} after 20 steps {}", state.model.digest()).unwrap();
        if name == "mouse" {
            let scores = score_texts(&state.model, &Tokenizer::bytes(), &[TEXT], 128, compute).unwrap();
            writeln!(
                out,
                "{name} nats of the text {:.6} = {:016x}",
                scores[0].nats,
                scores[0].nats.to_bits()
            )
            .unwrap();
        }
    }
    out
}

#[test]
fn bits_are_as_recorded_for_every_thread_count_and_all_instructions() {
    for instructions in Instructions::available() {
        for threads in 1..=3 {
            let compute = Compute::with(threads, instructions).unwrap();
            let bits = record(&compute);
            assert!(bits == GOLDEN, "{threads} threads, {instructions}:\n{bits}");
        }
    }
}
