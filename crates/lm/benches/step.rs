//! CPU seconds of training and scoring. Run: `cargo bench -p lm --bench step`, on Linux, whose `/proc` is read. Names
//! behind `--`, such as `d256 scoring`, choose what is measured.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]

use std::{env, fs, time::Instant};

use lm::{Compute, Config, Decay, Model, Preset, Sizes, Tokenizer, TrainConfig, Trainer, score_texts};
use primitives::Seed;

/// Tokens that look a little like text: a walk over letters.
fn tokens(count: usize, vocab: usize) -> Vec<u32> {
    let mut stream = Seed::from_number(1).stream("tokens", 0);
    let mut last = 0;
    let mut next = || {
        last = (last * 7 + stream.index(5)) % vocab.min(97);
        u32::try_from(last).expect("below 97")
    };
    (0..count).map(|_| next()).collect()
}

/// CPU seconds that this process has used: the 14th and 15th field, in hundredths. Source: proc_pid_stat(5).
fn cpu_seconds() -> f64 {
    let line = fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = line.rsplit(')').next().expect("a last part");
    let field = |index: usize| {
        let text = after_name.split_whitespace().nth(index - 3).expect("52 fields");
        text.parse::<f64>().expect("a number")
    };
    (field(14) + field(15)) / 100.0
}

/// Whether something of this name is to be measured: all is, unless names are given.
fn wanted(name: &str) -> bool {
    let mut names = env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|one| one == name)
}

fn train(name: &str, config: &Config, schedule: &TrainConfig, threads: usize) {
    if !wanted(name) {
        return;
    }
    let compute = Compute::new(threads).expect("one thread");
    let data = tokens(100_000, config.vocab);
    let model = Model::init(config, Seed::from_number(1));
    let mut trainer = Trainer::new(model, schedule.clone(), Seed::from_number(1)).expect("valid settings");
    trainer.step(&compute, &data).expect("a first step");
    let (start, cpu_start) = (Instant::now(), cpu_seconds());
    for _ in 1..schedule.steps {
        trainer.step(&compute, &data).expect("a step");
    }
    let steps = (schedule.steps - 1) as f64;
    let (wall, cpu) = (start.elapsed().as_secs_f64() / steps, (cpu_seconds() - cpu_start) / steps);
    let per_step = (schedule.batch * schedule.sequence) as f64;
    // Source: Kaplan et al., "Scaling laws for neural language models", 2020: 6 operations per parameter and token.
    let operations = 6.0 * config.parameters() as f64 * per_step;
    println!(
        "{name}: {} parameters, {threads} threads; 200 steps: {:.2} s, {:.2} CPU s; {:.0} tokens per CPU second, \
         {:.1} GFLOP",
        config.parameters(),
        wall * 200.0,
        cpu * 200.0,
        per_step / cpu,
        operations / cpu / 1e9
    );
}

fn main() {
    let schedule = |steps, batch, sequence| TrainConfig {
        steps,
        batch,
        sequence,
        decay: Decay::Constant,
        ..TrainConfig::default()
    };
    for threads in [1, 2] {
        for preset in Preset::ALL {
            train(&format!("{preset:?}"), &preset.config(), &schedule(21, 16, 128), threads);
        }
        for dim in [64, 128, 256] {
            let config = Config::new(Sizes {
                vocab: 4096,
                dim,
                layers: 4,
                heads: dim / 32,
                kv_heads: dim / 32,
                ffn_dim: dim * 8 / 3 / 8 * 8,
                context: 256,
                ..Preset::Mouse.config().into()
            });
            train(&format!("d{dim}"), &config.expect("valid sizes"), &schedule(4, 8, 256), threads);
        }
    }
    if !wanted("scoring") {
        return;
    }
    let model = Model::init(&Preset::Mouse.config(), Seed::from_number(1));
    let texts: Vec<String> =
        (0..200).map(|index| format!("text {index} of the weighhouse ").repeat(20)).collect();
    let compute = Compute::new(1).expect("one thread");
    let start = cpu_seconds();
    let scores = score_texts(&model, &Tokenizer::bytes(), &texts, 128, &compute).expect("texts");
    let bytes: u64 = scores.iter().map(|score| score.bytes).sum();
    println!("scoring, Mouse, 1 thread: {:.0} bytes per CPU second", bytes as f64 / (cpu_seconds() - start));
}
