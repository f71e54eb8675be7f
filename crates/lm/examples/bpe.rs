//! Trains and uses byte-level BPE on the texts of a file, which have a zero byte between them:
//! `cargo run --release -p lm --example bpe -- TEXTS`.
//!
//! Reads commands from standard input, a line each, and prints the CPU seconds that they took; for this it needs Linux.
//! `train VOCAB WORDS FILE` writes a `tokenizer.json`; `encode FILE` also prints how many tokens the texts have.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "files and stdout are the way in and out"
)]

use std::{env, error::Error, fs, io};

use lm::{BpeTrainer, Tokenizer, Words};

/// CPU seconds of the first thread. Source: Linux, `Documentation/scheduler/sched-stats.rst`.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("expected a file of texts")?;
    let all = fs::read_to_string(file)?;
    let texts: Vec<&str> = all.split('\0').collect();
    for line in io::stdin().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["train", vocab, words, file] => {
                let words =
                    Words::ALL.into_iter().find(|known| known.name() == words).ok_or("unknown words")?;
                let trainer = BpeTrainer { vocab: vocab.parse()?, words, ..BpeTrainer::default() };
                let start = cpu_seconds()?;
                let json = trainer.train(&texts)?;
                println!("{}", cpu_seconds()? - start);
                fs::write(file, json)?;
            }
            ["encode", file] => {
                let tokenizer = Tokenizer::from_json(&fs::read(file)?, "<|start|>")?;
                let start = cpu_seconds()?;
                let tokens = tokenizer.stream(&texts)?.len() - texts.len();
                println!("{} {tokens}", cpu_seconds()? - start);
            }
            _ => return Err("expected train VOCAB WORDS FILE, or encode FILE".into()),
        }
    }
    Ok(())
}
