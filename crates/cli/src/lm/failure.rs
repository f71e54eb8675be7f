//! Why a command on a language model failed, with the exit code and what can be done about it.

use std::{io, path::PathBuf};

use lm::{
    BatchError, ComputeError, ConfigError, DecodeError, GenerateError, LoadError, SaveError, ScoreError,
    TokenizerError, TrainError,
};
use miette::Diagnostic;
use thiserror::Error;

/// A command on a language model failed.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum LmError {
    /// Nothing is where a model was named.
    #[error("there is no model at {path}")]
    #[diagnostic(help(
        "a model is a folder with config.json and safetensors, or a GGUF file; make one with `weigh lm train TEXTS --out DIR`"
    ))]
    NoModel { path: PathBuf },
    /// A model can't be read.
    #[error("model {path} can't be read: {error}")]
    Model { path: PathBuf, error: LoadError },
    /// A model lies there without what turns text into its tokens.
    #[error("model {path} has no tokenizer.json")]
    #[diagnostic(help("put the tokenizer.json that the model was trained with into its folder"))]
    NoTokenizer { path: PathBuf },
    /// A model's tokenizer is of a kind that is not read.
    #[error("the tokenizer of {path} can't be used: {error}")]
    #[diagnostic(help("byte-level BPE is read, as GPT-2 and its kin have it; no other kind is"))]
    Tokenizer { path: PathBuf, error: TokenizerError },
    /// A model names no token that its texts begin with.
    #[error("{path} names no token that stands before a text: neither bos_token_id nor eos_token_id")]
    #[diagnostic(help("set bos_token_id in its config.json"))]
    NoStart { path: PathBuf },
    /// A text has nothing that was asked for.
    #[error("{path} can't be read")]
    #[diagnostic(help("name a folder of .txt, .md, .jsonl and .jsonl.gz files, or such files"))]
    Text {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// A file is no text.
    #[error("{path} is not utf-8 from byte {valid_bytes} on")]
    #[diagnostic(help("name texts in utf-8, or leave this file out"))]
    NotUtf8 { path: PathBuf, valid_bytes: usize },
    /// A line is no JSON object with a text.
    #[error("{path}, line {line}: {reason}")]
    #[diagnostic(help("each line is a JSON object with a text in `text`"))]
    Line { path: PathBuf, line: usize, reason: String },
    /// A shard can't be read.
    #[error("shard {path} can't be read: {reason}")]
    Shard { path: PathBuf, reason: String },
    /// There is more text than is taken.
    #[error("{path} brings the texts to more than {max} bytes")]
    TooMuch { path: PathBuf, max: u64 },
    /// There is no text at all.
    #[error("no text in {named}")]
    #[diagnostic(help(
        "name a folder of .txt, .md, .jsonl and .jsonl.gz files, or such files, with text in them"
    ))]
    NoText { named: String },
    /// Nothing is left to train on, or to look at afterwards.
    #[error("{bytes} bytes of text are too few to keep a part for validation")]
    #[diagnostic(help("name more text, or keep nothing out: `--held-out 0`"))]
    TooLittle { bytes: u64 },
    /// The text gives fewer tokens than were asked for.
    #[error("the text gives {found} tokens, not the {asked} of --vocab")]
    #[diagnostic(help("ask for fewer, `--vocab {found}`, or name more text"))]
    Vocabulary { asked: usize, found: usize },
    /// A tokenizer can't be trained.
    #[error("no tokenizer can be made: {0}")]
    Merges(TokenizerError),
    /// A text can't be turned into tokens.
    #[error("{named}: {error}")]
    Encode { named: String, error: TokenizerError },
    /// The folder to write to is in use.
    #[error("folder {path} is not empty")]
    #[diagnostic(help("{help}"))]
    NotEmpty { path: PathBuf, help: &'static str },
    /// There is nothing to go on with.
    #[error("no training was begun in {path}")]
    #[diagnostic(help("begin it with the same command, without --resume"))]
    NotBegun { path: PathBuf },
    /// The training that was begun is another one.
    #[error("the training in {path} was begun with {name} {begun}, not {asked}")]
    #[diagnostic(help("repeat the command that began it, or name a new folder"))]
    Other { path: PathBuf, name: String, begun: String, asked: String },
    /// A file of a training says what it can't.
    #[error("{path} can't be gone on with: {reason}")]
    #[diagnostic(help("begin anew in another folder"))]
    Damaged { path: PathBuf, reason: String },
    /// It is done.
    #[error("the training in {path} is done")]
    Done { path: PathBuf },
    /// Training can't begin or go on.
    #[error(transparent)]
    #[diagnostic(help("{}", help_of_training(.0)))]
    Train(#[from] TrainError),
    /// Sizes make no model.
    #[error("no such model: {0}")]
    #[diagnostic(help("`weigh lm train --help` lists presets and sizes"))]
    Config(#[from] ConfigError),
    /// Texts can't be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Tokens are not the model's.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A prompt can't be read.
    #[error(transparent)]
    #[diagnostic(help("a model reads as many tokens as its context has: shorten the prompt"))]
    Decode(#[from] DecodeError),
    /// No text comes.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A model can't be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// Threads can't be started.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// A file can't be read or written.
    #[error("{path} can't be used")]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// Nobody reads the output.
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

fn help_of_training(error: &TrainError) -> &'static str {
    match error {
        TrainError::Diverged { .. } => "try a lower `--rate`, or a longer `--warmup`, in a new folder",
        TrainError::TooFewTokens { .. } => "name more text, or a shorter `--sequence`",
        _ => "`weigh lm train --help` lists the settings",
    }
}

impl LmError {
    /// 2 where other arguments would help, 3 where nothing was found, 10 where it is done, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            LmError::NoModel { .. }
            | LmError::NoTokenizer { .. }
            | LmError::NoText { .. }
            | LmError::NotBegun { .. } => 3,
            LmError::Text { error, .. } if error.kind() == io::ErrorKind::NotFound => 3,
            LmError::Train(TrainError::Diverged { .. }) => 1,
            LmError::Generate(GenerateError::NotFinite { .. }) => 1,
            LmError::NotEmpty { .. }
            | LmError::TooLittle { .. }
            | LmError::Vocabulary { .. }
            | LmError::Merges(_)
            | LmError::Other { .. }
            | LmError::Train(_)
            | LmError::Config(_)
            | LmError::Score(_)
            | LmError::Decode(_)
            | LmError::Generate(_)
            | LmError::Compute(_) => 2,
            LmError::Done { .. } => 10,
            _ => 1,
        }
    }
}
