//! `weigh lm embed`: vectors of texts, and what each two texts have in common.

use std::{fs::File, io::Read as _, path::PathBuf, process::ExitCode};

use clap::Args;
use lm::Embedder;
use serde_json::json;

use super::{LmError, Threads, shown};
use crate::show::{self, Show};

/// Most bytes of a file of texts.
const FILE_MAX_BYTES: u64 = 256 << 20;
/// Texts that are turned into vectors at a time, so that the first ones are seen soon.
const AT_ONCE: usize = 256;
/// Characters of a text that a table shows.
const SHOWN_CHARS: usize = 24;

#[derive(Args)]
pub(crate) struct EmbedArguments {
    /// A folder with a BERT, as sentence-transformers writes it.
    model: PathBuf,
    /// The texts.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    texts: Vec<String>,
    /// Take each line of this file as a text.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the cosine of each two texts instead of their vectors.
    #[arg(long)]
    cosines: bool,
    #[command(flatten)]
    threads: Threads,
    /// One JSON document with --cosines; vectors are one JSON object per text with or without it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &EmbedArguments) -> Result<ExitCode, LmError> {
    let texts = arguments.texts()?;
    let path = &arguments.model;
    if path.join("config.json").symlink_metadata().is_err() {
        return Err(LmError::NoModel { path: path.clone() });
    }
    let embedder = Embedder::open(path).map_err(|error| LmError::Model { path: path.clone(), error })?;
    let compute = arguments.threads.compute()?;
    if arguments.cosines {
        let vectors = embedder.embed(&compute, &texts);
        let cosines: Vec<Vec<f64>> =
            vectors.iter().map(|a| vectors.iter().map(|b| cosine(a, b)).collect()).collect();
        let text = table_of(&texts, &cosines);
        Show::new(arguments.json).say(&json!({"texts": texts, "cosines": cosines}), &text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut show = Show::new(true);
    for texts in texts.chunks(AT_ONCE) {
        for (text, vector) in texts.iter().zip(embedder.embed(&compute, texts)) {
            let tokens = embedder.tokens(text).len();
            show.say(&json!({"text": text, "tokens": tokens, "vector": vector}), "")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl EmbedArguments {
    fn texts(&self) -> Result<Vec<String>, LmError> {
        let Some(path) = &self.file else { return Ok(self.texts.clone()) };
        let unread = |error| LmError::Text { path: path.clone(), error };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unread)?;
        file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > FILE_MAX_BYTES {
            return Err(LmError::TooMuch { path: path.clone(), max: FILE_MAX_BYTES });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid_bytes = error.utf8_error().valid_up_to();
            LmError::NotUtf8 { path: path.clone(), valid_bytes }
        })?;
        if text.is_empty() {
            return Err(LmError::NoText { named: shown(path) });
        }
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Vectors have length 1: their product is the cosine. Summed in f64 in order.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn table_of(texts: &[String], cosines: &[Vec<f64>]) -> String {
    let mut headings = vec!["".to_owned(), "text".to_owned()];
    headings.extend((1..=texts.len()).map(|number| number.to_string()));
    let mut table = show::table(&headings.iter().map(String::as_str).collect::<Vec<_>>());
    for (number, (text, row)) in texts.iter().zip(cosines).enumerate() {
        let mut begin: String = text.chars().take(SHOWN_CHARS).collect();
        if begin.len() < text.len() {
            begin.push('…');
        }
        let mut cells =
            vec![show::right(&(number + 1).to_string()), comfy_table::Cell::new(show::plain(&begin))];
        cells.extend(row.iter().map(|cosine| show::right(&format!("{cosine:.4}"))));
        table.add_row(cells);
    }
    table.to_string()
}
