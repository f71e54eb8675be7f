//! What the filters and the language model cost: the measured side of `benches/peers/filters.py`.
//!
//! `filter TEXTS.jsonl [LID.ftz]` prints one JSON object: CPU nanoseconds of this thread in the filters and in the
//! model, over all texts, and what each text was told.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that reads the files it is given and prints"
)]

use std::{env, error::Error, fs};

use corpus::{Verdict, language::Model};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().ok_or("name a file of JSON lines with `text`")?;
    let model =
        arguments.next().map(|path| Ok::<_, Box<dyn Error>>(Model::read(&fs::read(path)?)?)).transpose()?;
    let lines: Vec<Value> =
        fs::read_to_string(path)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    // Tables are made once.
    let _warm = Verdict::of("warm");
    let start = cpu_ns()?;
    let verdicts: Vec<Verdict> = texts.iter().map(|text| Verdict::of(text)).collect();
    let filters_ns = cpu_ns()? - start;
    let start = cpu_ns()?;
    let languages: Vec<&str> =
        model.iter().flat_map(|model| texts.iter().map(|text| model.guess(text).code)).collect();
    let language_ns = cpu_ns()? - start;
    let rejects: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            json!([
                verdict.repetition.map(corpus::Repetition::peer_name),
                verdict.gopher.map(corpus::Gopher::peer_name),
                verdict.c4.map(corpus::C4::peer_name),
                verdict.fineweb.map(corpus::FineWeb::peer_name),
            ])
        })
        .collect();
    let told = json!({
        "filters_ns": filters_ns, "language_ns": language_ns, "rejects": rejects, "languages": languages,
    });
    println!("{told}");
    Ok(())
}

/// CPU time of this thread so far. Linux tells it.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedstat.split(' ').next().unwrap_or_default().parse()?)
}
