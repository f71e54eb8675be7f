//! `weigh lm convert`: a model of a GGUF file or a folder, written as a folder that transformers loads.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use indicatif::DecimalBytes;
use lm::{Numbers, SaveOptions, read_beside};
use serde_json::json;

use super::{
    LmError, card,
    opened::{Kept, TOKENIZER, TOKENIZER_MAX_BYTES},
    shown,
};
use crate::{show::Show, talk};

/// Files of a folder that belong to its tokenizer, or say how text is generated and what may be done with the model.
const BESIDE: [&str; 9] = [
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
    "LICENSE",
];

#[derive(Args)]
pub(crate) struct ConvertArguments {
    /// A GGUF file, or a folder with config.json and safetensors.
    from: PathBuf,
    /// The folder to write: new or empty.
    to: PathBuf,
    /// What numbers are written as; in a GGUF file they may be fewer bits than any of these.
    #[arg(long, value_enum, value_name = "TYPE", default_value_t = NumberType::F32)]
    numbers: NumberType,
    /// A file of tensors becomes no longer than this, unless one tensor does.
    #[arg(long, value_name = "N", default_value_t = 5_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    max_file_bytes: u64,
    /// Write a shorter context than the model has.
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

/// As options name the types of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NumberType {
    F32,
    Bf16,
    F16,
}

pub(crate) fn run(arguments: &ConvertArguments) -> Result<ExitCode, LmError> {
    let (from, to) = (&arguments.from, &arguments.to);
    if fs::read_dir(to).is_ok_and(|mut inner| inner.next().is_some()) {
        let help = "name a new one: `weigh lm convert FROM TO`";
        return Err(LmError::NotEmpty { path: to.clone(), help });
    }
    let spinner = talk::spinner("reading", arguments.json);
    let kept = Kept::at(from)?;
    let (model, ends) = kept.model(from, arguments.context.unwrap_or(usize::MAX))?;
    let mut beside: Vec<(String, Vec<u8>)> = Vec::new();
    match &kept {
        Kept::Folder => {
            for name in BESIDE {
                let read = read_beside(from, name, TOKENIZER_MAX_BYTES);
                let bytes = read.map_err(|error| LmError::Model { path: from.clone(), error })?;
                beside.extend(bytes.map(|bytes| (name.to_owned(), bytes)));
            }
        }
        Kept::Gguf(_) => {
            let read = kept.tokenizer(from).and_then(|file| Ok((file.of(from, &ends)?, file.json)));
            match read {
                Ok((tokenizer, json)) => {
                    let config = card::tokenizer_config(&tokenizer, &ends, model.config().context);
                    beside.push((TOKENIZER.to_owned(), json));
                    beside.push(("tokenizer_config.json".to_owned(), config));
                }
                Err(error) => talk::warn(&format!("the tokenizer is left out: {error}")),
            }
            beside.push(("generation_config.json".to_owned(), card::generation_config(&ends)));
        }
    }
    spinner.set_message("writing");
    let numbers = match arguments.numbers {
        NumberType::F32 => Numbers::F32,
        NumberType::Bf16 => Numbers::Bf16,
        NumberType::F16 => Numbers::F16,
    };
    let names: Vec<(&str, &[u8])> = beside.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
    let options = SaveOptions { numbers, max_file_bytes: arguments.max_file_bytes, ends, beside: &names };
    model.save(to, &options)?;
    spinner.finish_and_clear();

    let mut files = Vec::new();
    let unread = |error| LmError::File { path: to.clone(), error };
    for entry in fs::read_dir(to).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let bytes = entry.metadata().map_err(unread)?.len();
        files.push((entry.file_name().to_string_lossy().into_owned(), bytes));
    }
    files.sort();
    let parameters = model.config().parameters();
    let has_tokenizer = beside.iter().any(|(name, _)| name == TOKENIZER);
    let mut text = format!("{} parameters, {} to {}", parameters, shown(from), shown(to));
    for (name, bytes) in &files {
        text.push_str(&format!("\n  {name}, {}", DecimalBytes(*bytes)));
    }
    text.push_str(&format!("\nread as {}", model.digest()));
    let files: Vec<_> = files.iter().map(|(name, bytes)| json!({"name": name, "bytes": bytes})).collect();
    let event = json!({
        "from": shown(from), "to": shown(to), "parameters": parameters, "digest": model.digest(), "files": files,
        "tokenizer": has_tokenizer,
    });
    Show::new(arguments.json).say(&event, &text)?;
    Ok(ExitCode::SUCCESS)
}
