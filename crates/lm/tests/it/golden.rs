//! The bits themselves: recorded once, the same for any number of threads, any instructions, any build.

use std::fmt::Write as _;

use lm::{
    Compute, Config, Instructions, KERNEL_VERSION, Model, Preset, Sizes, Tokenizer, TrainConfig, Trainer,
    score_texts, score_tokens,
};
use primitives::{Digest, Seed};

use crate::{gradient::uneven, story::TEXT};

/// The recorded bits. To record them anew after a wanted change, together with a new `KERNEL_VERSION`: replace the
/// file by what the failing test prints.
const GOLDEN: &str = include_str!("golden/bits.txt");

/// Batches of two short sequences, where nothing else is said.
fn schedule() -> TrainConfig {
    TrainConfig { steps: 20, batch: 2, sequence: 37, warmup_steps: 4, ..TrainConfig::default() }
}

/// A model whose products are longer than a block of k, forwards and backwards, and whose batches have more tokens
/// than there are rows of logits at a time.
fn long() -> (Model, TrainConfig) {
    let sizes = Sizes {
        vocab: 29,
        dim: 8,
        layers: 1,
        ffn_dim: 264,
        context: 86,
        tied: false,
        ..Preset::Mouse.config().into()
    };
    let model = Model::init(&Config::new(sizes).unwrap(), Seed::from_number(1));
    (model, TrainConfig { batch: 3, sequence: 86, ..schedule() })
}

/// 20 steps of four models and the scores of a fixed text, in words of bits.
fn record(compute: &Compute) -> String {
    let mut out = format!("kernel version {KERNEL_VERSION}\n");
    let tokens = Tokenizer::bytes().stream(&[TEXT]).unwrap();
    let few: Vec<u32> = tokens.iter().map(|token| token % 29).collect();
    let mouse = Model::init(&Preset::Mouse.config(), Seed::from_number(1));
    let (long, long_schedule) = long();
    let trainings = [
        ("mouse", mouse, schedule(), &tokens),
        ("uneven", uneven(false), schedule(), &few),
        ("long", long, long_schedule, &few),
        ("several", uneven(true), TrainConfig { batch: 1, accumulate: 3, ..schedule() }, &few),
    ];
    for (name, model, schedule, tokens) in trainings {
        let mut trainer = Trainer::new(model, schedule, Seed::from_number(2)).unwrap();
        writeln!(out, "{name} start {}", trainer.state().model.digest()).unwrap();
        let steps = trainer.run(compute, tokens).unwrap();
        let bits = digest(steps.iter().flat_map(|step| [step.loss, step.gradient_norm, step.rate]));
        writeln!(out, "{name} steps {bits}").unwrap();
        writeln!(out, "{name} last loss {:.6}", steps[19].loss).unwrap();
        let model = trainer.into_state().model;
        writeln!(out, "{name} after 20 steps {}", model.digest()).unwrap();
        if name == "mouse" {
            let nats = score_texts(&model, &Tokenizer::bytes(), &[TEXT], 128, compute).unwrap()[0].nats;
            writeln!(out, "{name} nats of the text {nats:.6} = {:016x}", nats.to_bits()).unwrap();
        }
        let stride = model.config().context / 2;
        let nats = score_tokens(&model, &[tokens], stride, compute).unwrap().concat();
        writeln!(out, "{name} nats of {} tokens {}", nats.len(), digest(nats.iter().copied())).unwrap();
    }
    out
}

/// The digest of the bits of some numbers.
fn digest(numbers: impl Iterator<Item = f64>) -> Digest {
    Digest::of(&numbers.flat_map(f64::to_le_bytes).collect::<Vec<u8>>())
}

#[test]
fn bits_are_as_recorded_for_every_thread_count_and_all_instructions() {
    for instructions in Instructions::available() {
        for threads in 1..=4 {
            let compute = Compute::with(threads, instructions).unwrap();
            let bits = record(&compute);
            assert!(bits == GOLDEN, "{threads} threads, {instructions}:\n{bits}");
        }
    }
}
