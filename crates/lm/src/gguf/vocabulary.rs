//! A GGUF file's tokenizer as the `tokenizer.json` that it was made of.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Gguf, metadata::Value, unsupported};
use crate::{tensors::LoadError, words::Words};

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";
const TYPES: &str = "tokenizer.ggml.token_type";
const START: &str = "tokenizer.ggml.bos_token_id";

/// Types of tokens that stand for no text, or that are taken out of a text before it is cut into words.
/// Source: llama.cpp, `enum llama_token_type`.
const CONTROL: u32 = 3;
const USER_DEFINED: u32 = 4;

#[derive(Serialize)]
struct File<'a> {
    version: &'static str,
    added_tokens: Vec<Added<'a>>,
    normalizer: Json,
    pre_tokenizer: Json,
    decoder: Json,
    model: Model<'a>,
}

#[derive(Serialize)]
struct Added<'a> {
    id: usize,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    ignore_merges: bool,
    vocab: BTreeMap<&'a str, usize>,
    merges: Vec<&'a str>,
}

impl Gguf {
    /// The tokenizer as the bytes of a `tokenizer.json`, for [`Tokenizer::from_json`](crate::Tokenizer::from_json).
    ///
    /// # Errors
    /// The file has none, one that is not byte-level BPE, or words cut in an unknown way; a token stands twice or is
    /// not UTF-8; there are more or fewer types than tokens.
    pub fn tokenizer_json(&self) -> Result<Vec<u8>, LoadError> {
        if !matches!(self.values.get(MODEL), Some(Value::Text(model)) if model == "gpt2") {
            return Err(unsupported(MODEL, self.values.get(MODEL), "\"gpt2\""));
        }
        let words = self.words()?;
        let tokens = self.tokens(TOKENS)?;
        let merges = self.tokens(MERGES)?;
        let mut vocab = BTreeMap::new();
        for (id, token) in tokens.iter().enumerate() {
            if vocab.insert(*token, id).is_some() {
                return Err(LoadError::malformed(TOKENS, format!("the token {token:?} stands twice")));
            }
        }
        let mut added_tokens = Vec::new();
        if self.values.contains_key(TYPES) {
            let list = self.list(TYPES)?;
            let types = list.words().filter(|_| list.count == tokens.len());
            let types = types.ok_or_else(|| {
                let reason = format!("expected {} numbers of 32 bits, found {}", tokens.len(), list.count);
                LoadError::malformed(TYPES, reason)
            })?;
            for ((id, content), kind) in tokens.iter().enumerate().zip(types) {
                if matches!(kind, CONTROL | USER_DEFINED) {
                    let special = kind == CONTROL;
                    let (single_word, lstrip, rstrip, normalized) = (false, false, false, false);
                    added_tokens.push(Added {
                        id,
                        content,
                        single_word,
                        lstrip,
                        rstrip,
                        normalized,
                        special,
                    });
                }
            }
        }
        let decoder =
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        let model = Model { kind: "BPE", ignore_merges: words.ignores_merges(), vocab, merges };
        let (normalizer, pre_tokenizer) = (words.normalizer(), words.pre_tokenizer());
        let file = File { version: "1.0", added_tokens, normalizer, pre_tokenizer, decoder, model };
        Ok(serde_json::to_vec(&file).expect("texts and numbers"))
    }

    /// The token that stands before a text, as [`Tokenizer::from_json`](crate::Tokenizer::from_json) wants it.
    ///
    /// # Errors
    /// The file names none, or one that it does not have.
    pub fn start_token(&self) -> Result<&str, LoadError> {
        let id = self.whole(START)?.ok_or_else(|| unsupported(START, None, "a token's number"))?;
        let list = self.list(TOKENS)?;
        let token = usize::try_from(id).ok().and_then(|id| list.texts()?.nth(id)?);
        token.ok_or_else(|| {
            LoadError::malformed(START, format!("it is {id}, of {} tokens in utf-8", list.count))
        })
    }

    /// Source: llama.cpp, `llm_tokenizer_bpe` in `llama-vocab.cpp`, and the files of the models that it names.
    fn words(&self) -> Result<Words, LoadError> {
        let value = self.values.get(PRE);
        let name = if let Some(Value::Text(name)) = value { name } else { "" };
        let known = Words::ALL.into_iter().find(|words| words.name() == name);
        known.ok_or_else(|| unsupported(PRE, value, "gpt-2, smollm, llama-bpe or qwen2"))
    }

    fn tokens(&self, key: &str) -> Result<Vec<&str>, LoadError> {
        let texts =
            self.list(key)?.texts().ok_or_else(|| LoadError::malformed(key, "it is no list of texts"))?;
        let texts = texts.collect::<Option<Vec<_>>>();
        texts.ok_or_else(|| LoadError::malformed(key, "one of its texts is not utf-8"))
    }
}
