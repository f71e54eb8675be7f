//! A model with its tokenizer, from a folder of Hugging Face's kind or a GGUF file.

use std::path::{Path, PathBuf};

use clap::Args;
use lm::{Ends, Gguf, LoadError, Model, Tokenizer, TokenizerError, read_beside};
use serde_json::{Value, json};

use super::{LmError, shown};

/// The tokenizer in a model's folder.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Most bytes of it, as `lm` takes them.
pub(crate) const TOKENIZER_MAX_BYTES: u64 = 64 << 20;
/// Tokens that are seen at once where nobody says otherwise: what fits into memory for models of usual sizes.
const CONTEXT: usize = 4096;

#[derive(Args)]
pub(crate) struct ModelArguments {
    /// A folder with config.json, safetensors and tokenizer.json, or a GGUF file.
    model: PathBuf,
    /// Most tokens that are seen at once, where the model's own context is not shorter.
    #[arg(long, value_name = "N", default_value_t = CONTEXT)]
    context: usize,
}

/// A model that text can be given to.
pub(crate) struct OpenModel {
    pub(crate) path: PathBuf,
    pub(crate) model: Model,
    pub(crate) ends: Ends,
    pub(crate) tokenizer: Tokenizer,
}

impl OpenModel {
    pub(crate) fn open(arguments: &ModelArguments) -> Result<Self, LmError> {
        let path = &arguments.model;
        // The tokenizer first: it says soon whether there is anything to wait for.
        let kept = Kept::at(path)?;
        let tokenizer = kept.tokenizer(path)?;
        let (model, ends) = kept.model(path, arguments.context)?;
        let tokenizer = tokenizer.of(path, &ends)?;
        Ok(Self { path: path.clone(), model, ends, tokenizer })
    }

    /// What names the model in an answer.
    pub(crate) fn as_json(&self) -> Value {
        json!({
            "path": shown(&self.path),
            "parameters": self.model.config().parameters(),
            "digest": self.model.digest(),
            "kernel_version": lm::KERNEL_VERSION,
        })
    }
}

/// How a model is kept.
pub(crate) enum Kept {
    Folder,
    Gguf(Box<Gguf>),
}

/// What turns text into tokens, as it is kept.
pub(crate) struct TokenizerFile {
    pub(crate) json: Vec<u8>,
    /// The token that stands before a text, where the file says so; else the model's configuration does.
    pub(crate) start: Option<String>,
}

impl Kept {
    pub(crate) fn at(path: &Path) -> Result<Self, LmError> {
        if path.is_dir() {
            if path.join("config.json").symlink_metadata().is_err() {
                return Err(LmError::NoModel { path: path.to_owned() });
            }
            return Ok(Self::Folder);
        }
        if path.symlink_metadata().is_err() {
            return Err(LmError::NoModel { path: path.to_owned() });
        }
        let file = Gguf::open(path).map_err(|error| unread(path, error))?;
        Ok(Self::Gguf(Box::new(file)))
    }

    pub(crate) fn model(&self, path: &Path, context: usize) -> Result<(Model, Ends), LmError> {
        let read = match self {
            Self::Folder => Model::load(path, context),
            Self::Gguf(_) => Model::load_gguf(path, context),
        };
        read.map_err(|error| unread(path, error))
    }

    pub(crate) fn tokenizer(&self, path: &Path) -> Result<TokenizerFile, LmError> {
        match self {
            Self::Folder => {
                let read = read_beside(path, TOKENIZER, TOKENIZER_MAX_BYTES);
                let json = read.map_err(|error| unread(path, error))?;
                let json = json.ok_or_else(|| LmError::NoTokenizer { path: path.to_owned() })?;
                Ok(TokenizerFile { json, start: None })
            }
            Self::Gguf(file) => {
                let json = file.tokenizer_json().map_err(|error| unread(path, error))?;
                let start = file.start_token().ok().map(str::to_owned);
                Ok(TokenizerFile { json, start })
            }
        }
    }
}

impl TokenizerFile {
    /// The tokenizer of a model whose texts have these ends.
    pub(crate) fn of(&self, path: &Path, ends: &Ends) -> Result<Tokenizer, LmError> {
        let refused = |error: TokenizerError| LmError::Tokenizer { path: path.to_owned(), error };
        if let Some(start) = &self.start {
            return Tokenizer::from_json(&self.json, start).map_err(refused);
        }
        let start = ends.begin.or_else(|| ends.end.first().copied());
        let start = start.ok_or_else(|| LmError::NoStart { path: path.to_owned() })?;
        Tokenizer::from_json_with_start(&self.json, start).map_err(refused)
    }
}

fn unread(path: &Path, error: LoadError) -> LmError {
    LmError::Model { path: path.to_owned(), error }
}
