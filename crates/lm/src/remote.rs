//! Likelihoods from a server that speaks OpenAI's completions API and tells the log-probabilities of prompts: the
//! profile for GPUs. The only module that opens a socket.
//!
//! A server is a stranger. What it sends is bounded, its form is checked and every number has to be one that a logarithm of
//! a probability can be; whether the numbers are *right* only a [`crate::SpotCheck`] tells, and what a check can and can't
//! show stands there. Nothing is asked twice: whoever wants another try calls again.
//!
//! Texts go out as numbers of tokens, so that no other tokenizer comes between. Who answers how:
//!
//! | server | [`Form`] |
//! |---|---|
//! | vLLM | both; `PromptLogprobs` shows which token each number is of, and is the safer one |
//! | SGLang, and OpenAI's models up to `davinci-002` | `Echo` |
//! | llama.cpp's `llama-server` | none: it tells log-probabilities of what it writes only, which is refused as too few |
//! | llama-cpp-python's server | none: it takes prompts as text alone |
//! | `transformers serve` | none: it leaves log-probabilities out |
//!
//! Source: the servers' code, in 2026: vLLM 0.32 `entrypoints/openai/completion`, SGLang `entrypoints/openai`, llama.cpp
//! issue 27174, llama-cpp-python 0.3.36 `server/types.py`, transformers 5.23 `cli/serving/completion.py`.
//!
//! A server's context has to hold two tokens more than [`Windows::context`]: the one that the last one in a window predicts,
//! and the one that the server writes behind, since some won't write none.
//!
//! ```no_run
//! use lm::{Claimed, Compute, Model, Reference, Sample, SpotCheck, Verdict, Windows, remote};
//!
//! fn nats_of(
//!     texts: &[&[u32]],
//!     model: &Model,
//!     seed_of_a_later_block: impl Fn() -> primitives::Seed,
//! ) -> Result<Vec<Vec<f64>>, Box<dyn std::error::Error>> {
//!     let settings = remote::Settings { model: "smollm2".into(), ..remote::Settings::at("http://127.0.0.1:8000/v1") };
//!     let claimed = Claimed::ask(&remote::Server::new(settings)?, texts, Windows::new(1024, 512)?)?;
//!     // The claims stand from here on: only now may the seed become known.
//!     let check = SpotCheck { sample: Sample::Texts(32), token_nats: 1e-3, mean_nats: 1e-4 };
//!     let reference = Reference { model, compute: &Compute::new(2)? };
//!     match claimed.check(&check, &reference, seed_of_a_later_block())? {
//!         Verdict::Agreed(accepted) => Ok(accepted.into_nats()),
//!         Verdict::Refused(refusal) => Err(refusal.to_string().into()),
//!     }
//! }
//! ```

#![expect(clippy::disallowed_types, reason = "this module asks servers")]

mod answer;

use std::{fmt, io::Read as _, time::Duration};

use serde_json::{Value, json};
use thiserror::Error;
use ureq::{
    Agent,
    http::{
        StatusCode, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    },
};

pub use answer::AnswerError;

use crate::score::{Scorer, Window, Windows};

/// Most tokens in one request: the answer is read into memory.
const MAX_TOKENS: usize = 1 << 16;
/// Most prompts in one request.
const MAX_PROMPTS: usize = 64;
/// Bytes of an answer beside what belongs to a token.
const ANSWER_BYTES: u64 = 64 << 10;
/// Most bytes of an answer per token, on average: servers take some 150, more where a token's text is long.
const ANSWER_BYTES_PER_TOKEN: u64 = 1 << 10;
/// Most bytes that are read of an answer that tells of a failure.
const FAILURE_BYTES: u64 = 4 << 10;
/// Most characters that are shown of it.
const FAILURE_CHARS: usize = 300;
/// How long a server may take to be reached, where nothing else is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take from the first byte of a request to the last one of its answer, where nothing else is said.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// In which of two forms a server tells the log-probabilities of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// vLLM's: `prompt_logprobs`, one object of token numbers per position.
    #[default]
    PromptLogprobs,
    /// OpenAI's first one: `echo` with `logprobs`, one list of numbers for the prompt and what is written behind it. Servers
    /// name tokens by their text, so that only the count tells that they are those that were sent.
    Echo,
}

/// What a server wants to be shown: never in a message, nor in what [`fmt::Debug`] shows.
#[derive(Clone)]
pub struct Key {
    plain: String,
    header: HeaderValue,
}

impl Key {
    /// A key to be sent as a bearer's token, over whatever way the address names: over plain `http` others may read it.
    ///
    /// # Errors
    /// It is empty, or has signs that a header can't have.
    pub fn new(key: &str) -> Result<Self, RemoteError> {
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        let mut header = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| RemoteError::Key)?;
        header.set_sensitive(true);
        if plain { Ok(Self { plain: key.to_owned(), header }) } else { Err(RemoteError::Key) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Which server is asked for what, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its API is, such as `http://127.0.0.1:8000/v1`: what stands before `/completions`.
    pub url: String,
    /// The name that the server has for the model.
    pub model: String,
    /// What the server wants to be shown, if anything.
    pub key: Option<Key>,
    /// In which form it answers.
    pub form: Form,
    /// How many windows are sent at a time, 1 to 64, fewer where they are long; a GPU is kept busy by several.
    pub prompts_at_once: usize,
    /// How long it may take to be reached.
    pub connect_timeout: Duration,
    /// How long one request may take altogether.
    pub answer_timeout: Duration,
}

impl Settings {
    /// Those for a server at this address: no key, the model `default`, vLLM's form, 16 windows at a time, 10 and 120 s.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            model: "default".to_owned(),
            key: None,
            form: Form::default(),
            prompts_at_once: 16,
            connect_timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
        }
    }
}

/// A server gives no likelihoods.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RemoteError {
    /// The address can't be used.
    #[error("address {url:?} {reason}")]
    Address {
        /// The address, without what may be a password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key can't be sent. It is not shown.
    #[error("the key is empty or has signs other than visible ones of ascii")]
    Key,
    /// A setting is out of range.
    #[error("{name} is {value}, expected {expected}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: usize,
        /// What it may be.
        expected: &'static str,
    },
    /// A window is too long to be sent.
    #[error("text {text} has a window of {tokens} tokens, at most {MAX_TOKENS} are sent at once")]
    Window {
        /// Which text.
        text: usize,
        /// How many tokens would be sent.
        tokens: usize,
    },
    /// The server can't be reached, or the connection breaks.
    #[error("{url} does not answer: {reason}")]
    Broken {
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server takes too long.
    #[error("{url} did not {what} within {limit:?}")]
    Slow {
        /// The address.
        url: String,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The server says no, or wants to be asked elsewhere, which is not done.
    #[error("{url} answers with status {status}: {said:?}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of what came with it, without the key.
        said: String,
    },
    /// The answer is too long.
    #[error("{url} answers with more than {most} bytes to {tokens} tokens")]
    TooLong {
        /// The address.
        url: String,
        /// The bound.
        most: u64,
        /// Tokens that were sent.
        tokens: usize,
    },
    /// The answer as a whole is not of the expected form.
    #[error("answer of {url}: {source}")]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        source: AnswerError,
    },
    /// What the answer says of one window is not what it must be.
    #[error("answer of {url} to text {text} from token {start} on: {source}")]
    Text {
        /// The address.
        url: String,
        /// Which text.
        text: usize,
        /// Its first token that was sent.
        start: usize,
        /// What is wrong with it.
        source: AnswerError,
    },
}

/// A server that is asked for likelihoods.
#[derive(Clone, Debug)]
pub struct Server {
    settings: Settings,
    url: String,
    agent: Agent,
}

impl Server {
    /// Nothing is sent yet. Redirects are not followed, and no proxy stands between.
    ///
    /// # Errors
    /// The address is none over `http` or `https`, or holds a password, a query or a fragment; or a setting is out of
    /// range.
    pub fn new(settings: Settings) -> Result<Self, RemoteError> {
        let url = completions_url(&settings.url)?;
        if !(1..=MAX_PROMPTS).contains(&settings.prompts_at_once) {
            let value = settings.prompts_at_once;
            return Err(RemoteError::Setting { name: "prompts_at_once", value, expected: "1 to 64" });
        }
        for (name, limit) in
            [("connect_timeout", settings.connect_timeout), ("answer_timeout", settings.answer_timeout)]
        {
            if limit.is_zero() {
                return Err(RemoteError::Setting { name, value: 0, expected: "more than no time" });
            }
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The default would be read from the environment.
            .proxy(None)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_global(Some(settings.answer_timeout))
            .user_agent(concat!("weighhouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Self { settings, url, agent })
    }

    /// What is sent to learn the log-probabilities of some prompts.
    fn request(&self, prompts: &[&[u32]]) -> Value {
        // Older servers know single lists of tokens only.
        let prompt = if let [one] = prompts { json!(one) } else { json!(prompts) };
        // A server may apply the temperature to what it tells, and take its own from the model's folder.
        let mut request =
            json!({"model": self.settings.model, "prompt": prompt, "max_tokens": 1, "temperature": 1.0});
        let more = match self.settings.form {
            // 0: of each position the prompt's own token, and no others.
            Form::PromptLogprobs => json!({"prompt_logprobs": 0, "return_token_ids": true}),
            // 1: some servers take 0 for none.
            Form::Echo => json!({"echo": true, "logprobs": 1}),
        };
        if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
            request.extend(more);
        }
        request
    }

    /// The log-probabilities of the windows' tokens but each first one, turned into nats.
    fn ask(&self, sequences: &[&[u32]], windows: &[(usize, Window)]) -> Result<Vec<Vec<f64>>, RemoteError> {
        let prompts: Vec<&[u32]> =
            windows.iter().map(|(text, window)| &sequences[*text][window.start..=window.end]).collect();
        let tokens = prompts.iter().map(|prompt| prompt.len()).sum();
        let body = self.post(&self.request(&prompts).to_string(), tokens)?;
        let choices = answer::choices(&body, prompts.len())
            .map_err(|source| RemoteError::Answer { url: self.url.clone(), source })?;
        let nats = |((choice, prompt), (text, window)): ((answer::Choice, &&[u32]), &(usize, Window))| {
            let (url, text, start) = (&self.url, *text, window.start);
            let wrong = |source| RemoteError::Text { url: url.clone(), text, start, source };
            choice.nats(self.settings.form, prompt).map_err(wrong)
        };
        choices.into_iter().zip(&prompts).zip(windows).map(nats).collect()
    }

    /// Sends a request and returns the bytes of its answer.
    fn post(&self, request: &str, tokens: usize) -> Result<Vec<u8>, RemoteError> {
        let mut call = self.agent.post(&self.url).header(CONTENT_TYPE, "application/json");
        if let Some(Key { header, .. }) = &self.settings.key {
            call = call.header(AUTHORIZATION, header);
        }
        let mut response = call.send(request).map_err(|error| self.broken(&error))?;
        let status = response.status();
        let mut read = |most: u64| {
            let mut bytes = Vec::new();
            response.body_mut().as_reader().take(most).read_to_end(&mut bytes).map(|_| bytes)
        };
        if status != StatusCode::OK {
            // A failure to say why is no reason to hide that there was one.
            let said = read(FAILURE_BYTES).unwrap_or_default();
            return Err(RemoteError::Status {
                url: self.url.clone(),
                status: status.as_u16(),
                said: self.without_key(&String::from_utf8_lossy(&said)),
            });
        }
        let most = ANSWER_BYTES + ANSWER_BYTES_PER_TOKEN * tokens as u64;
        let bytes = read(most + 1).map_err(|error| self.broken(&error.into()))?;
        if bytes.len() as u64 > most {
            return Err(RemoteError::TooLong { url: self.url.clone(), most, tokens });
        }
        Ok(bytes)
    }

    /// The beginning of what a server said: it may repeat the key.
    fn without_key(&self, said: &str) -> String {
        let shown = match &self.settings.key {
            Some(Key { plain, .. }) => said.replace(plain.as_str(), "(the key)"),
            None => said.to_owned(),
        };
        shown.chars().take(FAILURE_CHARS).collect()
    }

    fn broken(&self, error: &ureq::Error) -> RemoteError {
        let url = self.url.clone();
        match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                RemoteError::Slow { url, what: "open a connection", limit: self.settings.connect_timeout }
            }
            ureq::Error::Timeout(_) => {
                RemoteError::Slow { url, what: "answer in full", limit: self.settings.answer_timeout }
            }
            error => RemoteError::Broken { url, reason: error.to_string() },
        }
    }
}

impl Scorer for Server {
    type Error = RemoteError;

    fn nats(&self, sequences: &[&[u32]], windows: Windows) -> Result<Vec<Vec<f64>>, RemoteError> {
        let mut nats: Vec<Vec<f64>> =
            sequences.iter().map(|tokens| Vec::with_capacity(tokens.len())).collect();
        let mut waiting: Vec<(usize, Window)> = Vec::new();
        let mut waiting_tokens = 0;
        let mut flush = |waiting: &mut Vec<(usize, Window)>| -> Result<(), RemoteError> {
            if waiting.is_empty() {
                return Ok(());
            }
            let answers = self.ask(sequences, waiting)?;
            for ((text, window), answer) in waiting.drain(..).zip(answers) {
                nats[text].extend(&answer[window.first - window.start..]);
            }
            Ok(())
        };
        for (text, sequence) in sequences.iter().enumerate() {
            for window in windows.cut(sequence.len().saturating_sub(1)) {
                let tokens = window.end - window.start + 1;
                if tokens > MAX_TOKENS {
                    return Err(RemoteError::Window { text, tokens });
                }
                if waiting.len() == self.settings.prompts_at_once || waiting_tokens + tokens > MAX_TOKENS {
                    flush(&mut waiting)?;
                    waiting_tokens = 0;
                }
                waiting.push((text, window));
                waiting_tokens += tokens;
            }
        }
        flush(&mut waiting)?;
        Ok(nats)
    }
}

/// Where completions are asked for.
fn completions_url(url: &str) -> Result<String, RemoteError> {
    let shown = url.rsplit_once('@').map_or(url, |(_, rest)| rest).to_owned();
    let wrong = |reason| RemoteError::Address { url: shown.clone(), reason };
    let uri: Uri = url.parse().map_err(|_| wrong("is not one"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("begins with neither http:// nor https://"));
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("holds a name or password, which addresses may not"));
    }
    if url.contains(['?', '#']) {
        return Err(wrong("holds a query or fragment, which the address of an api has not"));
    }
    Ok(format!("{}/completions", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_taken() {
        for (url, expect) in [
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/completions"),
            ("https://example.org/v1/", "https://example.org/v1/completions"),
        ] {
            assert_eq!(completions_url(url).unwrap(), expect);
        }
        for (url, reason) in [
            ("127.0.0.1/v1", "is not one"),
            ("127.0.0.1", "neither"),
            ("ftp://127.0.0.1/v1", "neither"),
            ("http://", "is not one"),
            ("http://me:secret@127.0.0.1/v1", "password"),
            ("http://127.0.0.1/v1?key=secret", "query"),
            ("http://127.0.0.1/v1#a", "fragment"),
        ] {
            let error = completions_url(url).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("me:"), "{url}: {error}");
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let at = || Settings::at("http://127.0.0.1:1/v1");
        let said = |settings| Server::new(settings).unwrap_err().to_string();
        assert_eq!(said(Settings { prompts_at_once: 0, ..at() }), "prompts_at_once is 0, expected 1 to 64");
        assert_eq!(said(Settings { prompts_at_once: 65, ..at() }), "prompts_at_once is 65, expected 1 to 64");
        let never = Settings { answer_timeout: Duration::ZERO, ..at() };
        assert_eq!(said(never), "answer_timeout is 0, expected more than no time");
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = Key::new("hush-4711").unwrap();
        let settings = Settings { key: Some(key), ..Settings::at("http://127.0.0.1:1/v1") };
        let server = Server::new(settings).unwrap();
        let shown = format!("{server:?}");
        assert!(shown.contains("Key(..)") && !shown.contains("hush"), "{shown}");
        assert_eq!(server.without_key("no hush-4711 here"), "no (the key) here");
        for wrong in ["", "a b", "a\nb", "ä"] {
            assert_eq!(Key::new(wrong).unwrap_err(), RemoteError::Key);
        }
    }
}
