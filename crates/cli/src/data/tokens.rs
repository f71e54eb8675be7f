//! The tokenizer whose tokens an export has beside its texts.

use std::path::{Path, PathBuf};

use clap::Args;
use corpus::token_shard::Vocabulary;
use lm::{BYTES_START, Config, Gguf, Tokenizer, TokenizerError, read_beside};
use primitives::Digest;

use super::DataError;

/// The longest files of a tokenizer and of a configuration, as `lm` takes them.
const TOKENIZER_MAX_BYTES: u64 = 64 << 20;
const CONFIG_MAX_BYTES: u64 = 1 << 20;
/// A context that is not made use of: no model is loaded.
const CONTEXT: usize = 1;

#[derive(Args)]
pub(crate) struct TokensArguments {
    /// Write the documents' tokens as well, as trainers read them: by the tokenizer of a model's folder or GGUF file, by a
    /// tokenizer.json, or `bytes` for a token per byte.
    #[arg(long, value_name = "MODEL|FILE|bytes")]
    pub(super) tokens: Option<PathBuf>,
    /// The token behind each document, where a tokenizer.json is named; a model says which it is.
    #[arg(long, value_name = "TOKEN", requires = "tokens", default_value = "<|endoftext|>")]
    pub(super) end: String,
}

/// A tokenizer with what its numbers mean.
pub(super) struct Tokens {
    pub(super) vocabulary: Vocabulary,
    tokenizer: Tokenizer,
}

impl Tokens {
    /// The tokenizer that was named; none where none was.
    pub(super) fn open(arguments: &TokensArguments) -> Result<Option<Self>, DataError> {
        let Some(path) = &arguments.tokens else { return Ok(None) };
        let refused = |what: String| DataError::Tokenizer { path: path.clone(), what };
        if path.as_os_str() == "bytes" {
            return Ok(Some(Self::of(Tokenizer::bytes(), "bytes".to_owned(), BYTES_START)));
        }
        let read = if path.is_dir() {
            of_folder(path)
        } else if path.extension().is_some_and(|extension| extension == "gguf") {
            of_gguf(path)
        } else {
            of_file(path, &arguments.end)
        };
        let (json, tokenizer, end) = read.map_err(refused)?;
        Ok(Some(Self::of(tokenizer, Digest::of(&json).to_string(), end)))
    }

    fn of(tokenizer: Tokenizer, name: String, end: u32) -> Self {
        let vocab = u32::try_from(tokenizer.vocab()).expect("tokens have numbers of 32 bits");
        Self { vocabulary: Vocabulary { tokenizer: name, vocab, end: Some(end) }, tokenizer }
    }

    /// The numbers of a text's tokens.
    pub(super) fn of_text(&self, text: &str) -> Result<Vec<u32>, String> {
        let tokens = self.tokenizer.encode(text.as_bytes());
        let tokens = tokens.map_err(|error: TokenizerError| error.to_string())?;
        Ok(tokens.iter().map(|token| token.id).collect())
    }
}

/// The bytes of a tokenizer's file, the tokenizer, and the token that ends a text; or why there is none.
type Read = Result<(Vec<u8>, Tokenizer, u32), String>;

fn beside(folder: &Path, name: &str, max: u64) -> Result<Vec<u8>, String> {
    let read = read_beside(folder, name, max).map_err(|error| error.to_string())?;
    read.ok_or_else(|| format!("there is no {name}"))
}

fn of_folder(folder: &Path) -> Read {
    let json = beside(folder, "tokenizer.json", TOKENIZER_MAX_BYTES)?;
    let config = beside(folder, "config.json", CONFIG_MAX_BYTES)?;
    let (_, ends) = Config::from_hub_json(&config, CONTEXT).map_err(|error| error.to_string())?;
    let end = ends.end.first().copied().or(ends.begin);
    let end = end.ok_or("config.json names no token that ends a text")?;
    let tokenizer = Tokenizer::from_json_with_start(&json, end).map_err(|error| error.to_string())?;
    Ok((json, tokenizer, end))
}

fn of_gguf(path: &Path) -> Read {
    let file = Gguf::open(path).map_err(|error| error.to_string())?;
    let json = file.tokenizer_json().map_err(|error| error.to_string())?;
    let start = file.start_token().map_err(|error| error.to_string())?;
    let tokenizer = Tokenizer::from_json(&json, start).map_err(|error| error.to_string())?;
    let end = tokenizer.start();
    Ok((json, tokenizer, end))
}

fn of_file(path: &Path, end: &str) -> Read {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let json = beside(folder, &name, TOKENIZER_MAX_BYTES)?;
    let tokenizer = Tokenizer::from_json(&json, end).map_err(|error| error.to_string())?;
    let end = tokenizer.start();
    Ok((json, tokenizer, end))
}
