//! The vectors of texts, one text per line of a file, by the BERT in a folder:
//! `cargo run -p lm --example embed -- FOLDER TEXTS`.
//!
//! With a third argument `time` it reads numbers from standard input, embeds all texts for each of them, so many at a
//! time on one thread, and prints the CPU seconds that this took; for this it needs Linux.

#![expect(clippy::print_stdout, reason = "stdout is the result")]

use std::{env, error::Error, fs, io, path::Path};

use lm::{Compute, Embedder};

/// CPU seconds of the first thread. Source: Linux, `Documentation/scheduler/sched-stats.rst`.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (folder, file, time) = match &arguments[..] {
        [folder, file] => (folder, file, false),
        [folder, file, word] if word == "time" => (folder, file, true),
        _ => return Err("expected a folder and a file of texts".into()),
    };
    let embedder = Embedder::open(Path::new(folder))?;
    let text = fs::read_to_string(file)?;
    let texts: Vec<&str> = text.lines().collect();
    let compute = Compute::new(1)?;
    if !time {
        for vector in embedder.embed(&compute, &texts) {
            let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
            println!("{}", numbers.join(" "));
        }
        return Ok(());
    }
    for line in io::stdin().lines() {
        let at_once: usize = line?.trim().parse()?;
        let start = cpu_seconds()?;
        for texts in texts.chunks(at_once.max(1)) {
            std::hint::black_box(embedder.embed(&compute, texts));
        }
        println!("{}", cpu_seconds()? - start);
    }
    Ok(())
}
