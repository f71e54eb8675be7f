//! From texts to vectors of length 1 whose products say how much the texts have in common.
//!
//! A folder holds what the library sentence-transformers writes for a BERT: `config.json`, `tokenizer.json`,
//! safetensors, and beside them `modules.json`, `1_Pooling/config.json` and `sentence_bert_config.json`, without which
//! the defaults of that library hold. A folder that asks for other modules or another pooling is refused.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    bert::{Bert, Config, Pooling, UNUSED},
    compute::Compute,
    tensors::{LoadError, Source, Tensors, json_depth},
    wordpiece::{self, WordPiece},
};

/// Most bytes of a file of settings; they have some hundreds.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;
/// Most bytes of a `tokenizer.json`; that of multilingual BERT has 3 MB.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;
/// Deepest nesting of JSON; the files have some 5 levels.
const MAX_JSON_DEPTH: u64 = 64;
/// Tokens per thread that go through the encoder at a time, so that its buffers stay small.
const TOKENS_AT_ONCE: usize = 1024;
/// Where the pooling's settings are.
const POOLING_FOLDER: &str = "1_Pooling";

/// A BERT with its tokenizer that turns texts into vectors.
#[derive(Debug)]
pub struct Embedder {
    bert: Bert,
    tokenizer: WordPiece,
    pooling: Pooling,
    most_tokens: usize,
}

impl Embedder {
    /// Reads a folder.
    ///
    /// # Errors
    /// A file is missing, a link, too long or malformed, asks for what is not done here, or does not fit the others.
    pub fn open(folder: &Path) -> Result<Self, LoadError> {
        let config: Config = read_json(&folder.join("config.json"), MAX_SETTINGS_BYTES)?;
        let config = config.check()?;
        let pooling = read_pooling(folder, &config)?;
        let json = read(&folder.join(wordpiece::FILE), MAX_TOKENIZER_BYTES)?;
        let tokenizer = WordPiece::from_json(&json)?;
        drop(json);
        if tokenizer.largest() as usize >= config.vocab_size {
            let (largest, vocab) = (tokenizer.largest(), config.vocab_size);
            let reason = format!("it has token {largest}, expected less than the vocab_size of {vocab}");
            return Err(LoadError::malformed(wordpiece::FILE, reason));
        }
        let most_tokens = read_most_tokens(folder, &config, &tokenizer)?;
        let mut tensors = Tensors::from_safetensors(folder)?;
        let bert = Bert::load(config, |name, shape| tensors.take(name, shape))?;
        for name in UNUSED {
            tensors.discard(name);
        }
        tensors.finish()?;
        Ok(Self { bert, tokenizer, pooling, most_tokens })
    }

    /// How many numbers a vector has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.bert.config().hidden_size
    }

    /// Most tokens of a text that count; see [`Embedder::tokens`].
    #[must_use]
    pub fn most_tokens(&self) -> usize {
        self.most_tokens
    }

    /// The tokens of a text as the model gets them: with those around it, and of a long text the first ones.
    #[must_use]
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text, self.most_tokens)
    }

    /// One vector of length 1 per text; no text's vector depends on the others.
    #[must_use]
    pub fn embed<T: AsRef<str>>(&self, compute: &Compute, texts: &[T]) -> Vec<Vec<f32>> {
        let tokens: Vec<Vec<u32>> = texts.iter().map(|text| self.tokens(text.as_ref())).collect();
        let mut vectors = Vec::with_capacity(texts.len());
        let mut rest: Vec<&[u32]> = tokens.iter().map(|tokens| &tokens[..]).collect();
        while !rest.is_empty() {
            let sums = rest.iter().scan(0, |sum, tokens| {
                *sum += tokens.len();
                Some(*sum)
            });
            let most = TOKENS_AT_ONCE * compute.threads();
            let others = rest.split_off(sums.take_while(|sum| *sum <= most).count().max(1));
            let pooled = self.bert.pooled(compute, &rest, self.pooling);
            let canonical = |x: &f32| if x.is_nan() { f32::NAN } else { *x };
            vectors.extend(pooled.chunks(self.width()).map(|vector| vector.iter().map(canonical).collect()));
            rest = others;
        }
        vectors
    }
}

/// The bytes of a regular file of bounded length, which is JSON of bounded depth or none.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, LoadError> {
    let mut source = Source::open(path)?;
    LoadError::check(format!("length of {} in bytes", path.display()), source.len, most)?;
    let mut bytes = vec![0; usize::try_from(source.len).expect("at most 64 MB")];
    source.read_at(0, &mut bytes)?;
    let depth = json_depth(&bytes) as u64;
    LoadError::check(format!("depth of the json of {}", path.display()), depth, MAX_JSON_DEPTH)?;
    Ok(bytes)
}

fn read_json<T: DeserializeOwned>(path: &Path, most: u64) -> Result<T, LoadError> {
    serde_json::from_slice(&read(path, most)?)
        .map_err(|error| LoadError::malformed(path.display().to_string(), error))
}

/// As [`read_json`]; nothing where there is no such file.
fn read_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LoadError> {
    if path.symlink_metadata().is_err() { Ok(None) } else { read_json(path, MAX_SETTINGS_BYTES).map(Some) }
}

/// One step of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

#[derive(Deserialize)]
struct PoolingFile {
    word_embedding_dimension: usize,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
}

fn read_pooling(folder: &Path, config: &Config) -> Result<Pooling, LoadError> {
    let modules: Option<Vec<Module>> = read_optional(&folder.join("modules.json"))?;
    if let Some(modules) = &modules {
        // A type is named as in Python, by the path of its class.
        let known = |module: &Module| {
            let kind = module.kind.rsplit('.').next().unwrap_or_default();
            matches!(
                (kind, &module.path[..]),
                ("Transformer", "") | ("Pooling", POOLING_FOLDER) | ("Normalize", _)
            )
        };
        if !(2..=3).contains(&modules.len())
            || !modules.iter().all(known)
            || modules[1].path != POOLING_FOLDER
        {
            return Err(LoadError::Unsupported {
                what: "the list of modules.json".into(),
                expected: format!(
                    "a transformer in the folder itself, a pooling in {POOLING_FOLDER}, Normalize"
                ),
            });
        }
    }
    let settings = folder.join(POOLING_FOLDER);
    let is_folder = settings.symlink_metadata().map(|data| data.is_dir());
    if is_folder.as_ref().is_ok_and(|is_folder| !is_folder) {
        return Err(LoadError::malformed(POOLING_FOLDER, "it is no folder"));
    }
    if modules.is_none() && is_folder.is_err() {
        return Ok(Pooling::Mean);
    }
    let file: PoolingFile = read_json(&settings.join("config.json"), MAX_SETTINGS_BYTES)?;
    let (found, hidden) = (file.word_embedding_dimension, config.hidden_size);
    if found != hidden {
        let reason = format!("word_embedding_dimension is {found}, expected the hidden_size of {hidden}");
        return Err(LoadError::malformed(format!("config.json of {POOLING_FOLDER}"), reason));
    }
    let others = file.pooling_mode_max_tokens
        || file.pooling_mode_mean_sqrt_len_tokens
        || file.pooling_mode_weightedmean_tokens
        || file.pooling_mode_lasttoken;
    match (file.pooling_mode_mean_tokens, file.pooling_mode_cls_token, others) {
        (true, false, false) => Ok(Pooling::Mean),
        (false, true, false) => Ok(Pooling::First),
        _ => Err(LoadError::Unsupported {
            what: format!("the pooling of {POOLING_FOLDER}"),
            expected: "either pooling_mode_mean_tokens or pooling_mode_cls_token".into(),
        }),
    }
}

#[derive(Default, Deserialize)]
struct TextFile {
    #[serde(default)]
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

fn read_most_tokens(folder: &Path, config: &Config, tokenizer: &WordPiece) -> Result<usize, LoadError> {
    let file = "sentence_bert_config.json";
    let settings: TextFile = read_optional(&folder.join(file))?.unwrap_or_default();
    if settings.do_lower_case {
        let what = format!("do_lower_case of {file}");
        return Err(LoadError::Unsupported { what, expected: "the tokenizer to do it".into() });
    }
    let positions = config.max_position_embeddings;
    let most = settings.max_seq_length.unwrap_or(positions);
    let least = tokenizer.around().max(1);
    if !(least..=positions).contains(&most) {
        let reason = format!("max_seq_length is {most}, expected {least} to {positions}");
        return Err(LoadError::malformed(file, reason));
    }
    Ok(most)
}
