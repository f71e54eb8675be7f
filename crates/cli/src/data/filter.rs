//! `weigh data filter`: what each quality filter says of texts, and which language they are in.
//!
//! Lines are read in batches, judged by all threads and printed in their order, so that memory does not grow with the
//! file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use corpus::{
    Verdict,
    language::{self, MODEL_MAX_BYTES, Model},
};
use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DataError, Threads, plain_table, terms::bytes_of};
use crate::config::environment;

/// The longest line: texts are at most 2 MiB in shards; other pipelines keep longer ones.
const LINE_MAX_BYTES: u64 = 64 << 20;
/// Lines, and bytes of them, that are judged together.
const BATCH_LINES: usize = 1024;
const BATCH_BYTES: usize = 16 << 20;
/// The four filters, as datatrove names them.
const FILTERS: [&str; 4] = ["gopher_repetition", "gopher_quality", "c4", "fineweb_quality"];

#[derive(Args)]
pub(crate) struct FilterArguments {
    /// JSON lines with `id` and `text`, plain or gzipped; `-` reads standard input.
    file: PathBuf,
    /// A fastText model of languages, such as lid.176.ftz; without it the language is guessed.
    #[arg(long, env = environment::LID, value_name = "FILE")]
    lid: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    /// One JSON object with `id`, `lang` and `reject` per text.
    #[arg(long)]
    json: bool,
}

/// A line of the input; other keys are not looked at.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    text: String,
}

/// What is said of a text.
struct Judged {
    id: Value,
    language: &'static str,
    rejects: [Option<&'static str>; 4],
}

pub(super) fn filter(arguments: &FilterArguments) -> Result<(), DataError> {
    let path = &arguments.file;
    let model = arguments.lid.as_deref().map(read_model).transpose()?;
    let threads = arguments.threads.pool()?;
    let mut lines = open(path).map_err(|error| DataError::File { path: path.clone(), error })?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut counts, mut languages) = (BTreeMap::new(), BTreeMap::new());
    let mut number = 0;
    loop {
        let batch = read_batch(&mut lines, path, &mut number)?;
        if batch.is_empty() {
            break;
        }
        let judge = |(number, line): &(usize, Vec<u8>)| judge(line, model.as_ref(), path, *number);
        let judged: Vec<_> = threads.install(|| batch.par_iter().map(judge).collect());
        for judged in judged {
            let judged = judged?;
            if arguments.json {
                let reject: serde_json::Map<String, Value> = FILTERS
                    .iter()
                    .zip(judged.rejects)
                    .map(|(name, why)| ((*name).to_owned(), json!(why)))
                    .collect();
                writeln!(out, "{}", json!({"id": judged.id, "lang": judged.language, "reject": reject}))?;
            } else {
                *languages.entry(judged.language).or_insert(0u64) += 1;
                for (filter, why) in (0..).zip(judged.rejects) {
                    *counts.entry((filter, why.unwrap_or("kept"))).or_insert(0u64) += 1;
                }
            }
        }
    }
    if !arguments.json {
        let mut table = plain_table(&["filter", "decision", "texts"]);
        for ((filter, why), count) in &counts {
            let filter: usize = *filter;
            table.add_row([FILTERS[filter], *why, &count.to_string()]);
        }
        for (language, count) in &languages {
            table.add_row(["language", *language, &count.to_string()]);
        }
        writeln!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

fn judge(line: &[u8], model: Option<&Model>, path: &Path, number: usize) -> Result<Judged, DataError> {
    let line: Line = serde_json::from_slice(line).map_err(|error| DataError::Line {
        path: path.to_owned(),
        line: number,
        error: error.to_string(),
    })?;
    let verdict = Verdict::of(&line.text);
    let guess = model.map_or_else(|| language::guess(&line.text), |model| model.guess(&line.text));
    let rejects = [
        verdict.repetition.map(corpus::Repetition::peer_name),
        verdict.gopher.map(corpus::Gopher::peer_name),
        verdict.c4.map(corpus::C4::peer_name),
        verdict.fineweb.map(corpus::FineWeb::peer_name),
    ];
    Ok(Judged { id: line.id, language: guess.code, rejects })
}

/// The next lines that aren't blank, with their numbers; none at the end.
fn read_batch(
    lines: &mut dyn BufRead,
    path: &Path,
    number: &mut usize,
) -> Result<Vec<(usize, Vec<u8>)>, DataError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
        let mut line = Vec::new();
        let taken = Read::take(&mut *lines, LINE_MAX_BYTES + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| DataError::File { path: path.to_owned(), error })?;
        if taken == 0 {
            break;
        }
        *number += 1;
        if taken as u64 > LINE_MAX_BYTES {
            let error = format!("it is longer than {LINE_MAX_BYTES} bytes");
            return Err(DataError::Line { path: path.to_owned(), line: *number, error });
        }
        bytes += taken;
        if !line.trim_ascii().is_empty() {
            batch.push((*number, line));
        }
    }
    Ok(batch)
}

/// A file or standard input, unpacked where it is gzipped.
fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut input = BufReader::with_capacity(1 << 16, input);
    if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(input))));
    }
    Ok(Box::new(input))
}

fn read_model(path: &Path) -> Result<Model, DataError> {
    let bytes = bytes_of(path, MODEL_MAX_BYTES)?;
    Model::read(&bytes).map_err(|error| DataError::Model { path: path.to_owned(), error })
}
