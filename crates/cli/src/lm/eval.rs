//! `weigh lm eval`: how well a model predicts texts.

use std::{io, path::PathBuf, process::ExitCode};

use clap::Args;
use indicatif::ProgressBar;
use lm::{Compute, Model, ScoreError, Tokenizer, score_tokens};
use serde_json::{Value, json};

use super::{
    LmError, Threads,
    opened::{ModelArguments, OpenModel},
    shown,
    texts::{Document, Texts},
};
use crate::{
    show::{self, Show},
    talk::{self, Unit},
};

/// Tokens between two looks at the clock: enough to keep the threads busy.
const PORTION: usize = 16_384;

#[derive(Args)]
pub(crate) struct EvalArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Files of text, .jsonl or .jsonl.gz with a `text` in each line, shards, or folders of such.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Tokens by which windows over a text longer than the context follow each other; the context where it is not given.
    /// The smaller, the more each token has before it, and the longer it takes.
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
    /// Print each position: file, document, position, token, nats, text.
    #[arg(long)]
    per_token: bool,
    #[command(flatten)]
    threads: Threads,
    /// One JSON object per file on standard output, and the total last.
    #[arg(long)]
    json: bool,
}

/// What a model makes of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measure {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    pub(crate) tokens: u64,
    pub(crate) nats: f64,
}

impl Measure {
    pub(crate) fn nats_per_token(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.nats / self.tokens as f64)
    }

    pub(crate) fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.nats / std::f64::consts::LN_2 / self.bytes as f64)
    }

    pub(crate) fn perplexity(&self) -> Option<f64> {
        self.nats_per_token().map(primitives::math::exp)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.bytes += other.bytes;
        self.tokens += other.tokens;
        self.nats += other.nats;
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({
            "documents": self.documents,
            "bytes": self.bytes,
            "tokens": self.tokens,
            "nats": self.nats,
            "nats_per_token": self.nats_per_token(),
            "bits_per_byte": self.bits_per_byte(),
            "perplexity": self.perplexity(),
        })
    }
}

pub(crate) fn run(arguments: &EvalArguments) -> Result<ExitCode, LmError> {
    let texts = Texts::read(&arguments.files)?;
    let compute = arguments.threads.compute()?;
    let open = OpenModel::open(&arguments.model)?;
    let context = open.model.config().context;
    let stride = arguments.stride.unwrap_or(context);
    let encoded = texts.documents.iter().map(|document| {
        let named = shown(&texts.files[document.file]);
        encode(&open.tokenizer, document).map_err(|error| LmError::Encode { named, error })
    });
    let encoded: Vec<Vec<u32>> = encoded.collect::<Result<_, _>>()?;
    let total = encoded.iter().map(|tokens| tokens.len() as u64 - 1).sum();
    let bar = talk::bar(total, Unit::Tokens, arguments.json);
    let nats = nats_of(&open.model, &encoded, stride, &compute, &bar)?;
    bar.finish_and_clear();

    let mut show = Show::new(arguments.json);
    if arguments.per_token {
        for (number, (document, tokens)) in texts.documents.iter().zip(&encoded).enumerate() {
            let file = shown(&texts.files[document.file]);
            say_tokens(&mut show, &open.tokenizer, (&file, number), tokens, &nats[number])?;
        }
    }
    let mut all = Measure::default();
    let mut table =
        show::table(&["file", "documents", "bytes", "tokens", "nats/token", "perplexity", "bits/byte"]);
    for (index, file) in texts.files.iter().enumerate() {
        let mut measure = Measure::default();
        let own = texts.documents.iter().zip(&nats).filter(|(document, _)| document.file == index);
        own.for_each(|(document, nats)| measure.add(measure_of(document, nats)));
        all.add(measure);
        table.add_row(row(&shown(file), &measure));
        if arguments.json {
            let mut event = measure.as_json();
            (event["event"], event["file"]) = (json!("file"), json!(shown(file)));
            show.say(&event, "")?;
        }
    }
    if texts.files.len() > 1 {
        table.add_row(row("total", &all));
    }
    let mut event = all.as_json();
    event["event"] = json!("total");
    event["model"] = open.as_json();
    (event["context"], event["stride"]) = (json!(context), json!(stride));
    let digest = open.model.digest();
    show.say(&event, &format!("{table}\nmodel {digest}, windows of {context} tokens, {stride} apart"))?;
    Ok(ExitCode::SUCCESS)
}

/// The tokens of a document behind the one that stands before a text.
pub(crate) fn encode(tokenizer: &Tokenizer, document: &Document) -> Result<Vec<u32>, lm::TokenizerError> {
    let mut ids = vec![tokenizer.start()];
    ids.extend(tokenizer.encode(document.text.as_bytes())?.iter().map(|token| token.id));
    Ok(ids)
}

pub(crate) fn measure_of(document: &Document, nats: &[f64]) -> Measure {
    let (bytes, tokens) = (document.text.len() as u64, nats.len() as u64);
    Measure { documents: 1, bytes, tokens, nats: nats.iter().sum() }
}

/// A run of windows of one sequence.
struct Piece {
    sequence: usize,
    start: usize,
    end: usize,
    /// Positions at its begin that the piece before has counted.
    counted: usize,
}

/// What [`score_tokens`] gives, computed in portions, so that somebody can watch.
pub(crate) fn nats_of(
    model: &Model,
    sequences: &[Vec<u32>],
    stride: usize,
    compute: &Compute,
    bar: &ProgressBar,
) -> Result<Vec<Vec<f64>>, ScoreError> {
    let context = model.config().context;
    if !(1..=context).contains(&stride) {
        return Err(ScoreError::Stride { stride, context });
    }
    let mut nats: Vec<Vec<f64>> = sequences.iter().map(|tokens| Vec::with_capacity(tokens.len())).collect();
    let mut waiting: Vec<Piece> = Vec::new();
    let mut flush = |waiting: &mut Vec<Piece>| -> Result<(), ScoreError> {
        let tokens: Vec<&[u32]> =
            waiting.iter().map(|piece| &sequences[piece.sequence][piece.start..=piece.end]).collect();
        let found = score_tokens(model, &tokens, stride, compute)?;
        for (piece, found) in waiting.drain(..).zip(found) {
            bar.inc((found.len() - piece.counted) as u64);
            nats[piece.sequence].extend(&found[piece.counted..]);
        }
        Ok(())
    };
    let mut tokens = 0;
    for (sequence, all) in sequences.iter().enumerate() {
        for piece in pieces(sequence, all.len().saturating_sub(1), context, stride) {
            tokens += piece.end - piece.start;
            waiting.push(piece);
            if tokens >= PORTION {
                flush(&mut waiting)?;
                tokens = 0;
            }
        }
    }
    flush(&mut waiting)?;
    Ok(nats)
}

/// Runs of about [`PORTION`] tokens: each begins where a window does, and ends where one does.
fn pieces(sequence: usize, positions: usize, context: usize, stride: usize) -> Vec<Piece> {
    let windows = (PORTION / stride).max(1);
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    while end < positions {
        let counted = if start == 0 { 0 } else { context - stride };
        end = positions.min(start + (windows - 1) * stride + context);
        pieces.push(Piece { sequence, start, end, counted });
        start += windows * stride;
    }
    pieces
}

fn row(name: &str, measure: &Measure) -> Vec<comfy_table::Cell> {
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.4}"));
    let mut cells = vec![comfy_table::Cell::new(name)];
    let counts = [measure.documents, measure.bytes, measure.tokens].map(|count| count.to_string());
    let measures = [measure.nats_per_token(), measure.perplexity(), measure.bits_per_byte()].map(number);
    cells.extend(counts.iter().chain(&measures).map(|text| show::right(text)));
    cells
}

/// A line for each position of a document.
fn say_tokens(
    show: &mut Show,
    tokenizer: &Tokenizer,
    (file, number): (&str, usize),
    tokens: &[u32],
    nats: &[f64],
) -> io::Result<()> {
    for (position, (token, nats)) in tokens[1..].iter().zip(nats).enumerate() {
        let bytes = tokenizer.piece(*token).map_or(&[][..], |piece| piece.bytes);
        let text = String::from_utf8_lossy(bytes);
        let event = json!({
            "event": "token", "file": file, "document": number, "position": position, "token": token, "nats": nats,
            "text": text,
        });
        let text = text.escape_debug();
        show.say(&event, &format!("{file}\t{number}\t{position}\t{token}\t{nats:.6}\t{text}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lm::Preset;
    use primitives::Seed;

    use super::*;

    #[test]
    fn portions_give_the_bits_of_one_pass() {
        let mut sizes: lm::Sizes = Preset::Mouse.config().into();
        sizes.context = 24;
        let model = Model::init(&sizes.try_into().unwrap(), Seed::from_number(1));
        let compute = Compute::new(1).unwrap();
        let mut stream = Seed::from_number(2).stream("tokens", 0);
        let mut sequence = |length: usize| -> Vec<u32> {
            (0..length).map(|_| u32::try_from(stream.below(257)).unwrap()).collect()
        };
        let sequences = [sequence(PORTION * 2 + 77), sequence(1), sequence(2), sequence(500)];
        let all: Vec<&[u32]> = sequences.iter().map(|tokens| &tokens[..]).collect();
        for stride in [7, 24] {
            let whole = score_tokens(&model, &all, stride, &compute).unwrap();
            let bar = ProgressBar::hidden();
            let parts = nats_of(&model, &sequences, stride, &compute, &bar).unwrap();
            let bits =
                |nats: &[Vec<f64>]| -> Vec<u64> { nats.iter().flatten().map(|x| x.to_bits()).collect() };
            assert_eq!(bits(&parts), bits(&whole));
            assert_eq!(bar.position(), bits(&whole).len() as u64);
        }
    }
}
