//! MinHash signatures of the texts of a file, which have a zero byte between them:
//! `cargo run --release -p corpus --example minhash -- TEXTS`.
//!
//! Reads commands from standard input, a line each. `time` prints the CPU seconds of making all signatures, for which it
//! needs Linux; `bands` prints the bands of each as JSON.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "files and stdout are the way in and out"
)]

use std::{env, error::Error, fs, hint::black_box, io};

use corpus::minhash::Signature;

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
        match line?.as_str() {
            "time" => {
                let start = cpu_seconds()?;
                for text in &texts {
                    black_box(Signature::of(black_box(text)));
                }
                println!("{}", cpu_seconds()? - start);
            }
            "bands" => {
                let bands = texts.iter().map(|text| Signature::of(text).map(|signature| signature.bands()));
                println!("{}", serde_json::to_string(&bands.collect::<Vec<_>>())?);
            }
            _ => return Err("expected time, or bands".into()),
        }
    }
    Ok(())
}
