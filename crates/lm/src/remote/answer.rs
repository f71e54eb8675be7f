//! What a server's answer says, as far as it is well-formed: one list of nats per prompt.
//!
//! A prompt's first token has no log-probability, since nothing stands before it. The lists of both forms keep a place for it,
//! with `null`; here it is left out, as the reference does.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error;

use super::{Form, MAX_PROMPTS, MAX_TOKENS};
use crate::tensors::json_depth;

/// Deepest nesting of an answer; servers' have five levels.
const MAX_JSON_DEPTH: usize = 64;
/// Most characters of what the parser says.
const MAX_REASON_CHARS: usize = 300;
/// Most positions of a prompt: its tokens, and the one that the server writes.
const MAX_POSITIONS: usize = MAX_TOKENS + 1;
/// Most tokens that are told of at one position: one is asked for.
const MAX_ALTERNATIVES: usize = 32;
/// What stands for −∞, which JSON can't say. Source: vLLM, `clamp_prompt_logprobs`.
const IMPOSSIBLE: f64 = -9999.0;
/// How vLLM writes tokens where it is told to name them by number.
const TOKEN_PREFIX: &str = "token_id:";

/// A server's answer is not what it must be. Positions are those of tokens in what was sent, from 0 on.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AnswerError {
    /// It is nested too deeply.
    #[error("it is nested {found} deep, at most {MAX_JSON_DEPTH} levels are read")]
    Depth {
        /// How deeply.
        found: usize,
    },
    /// It is no JSON, or not of the expected form.
    #[error("it can't be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// There are more or fewer choices than prompts.
    #[error("it has {found} choices to {expected} prompts")]
    Choices {
        /// How many there are.
        found: usize,
        /// How many prompts were sent.
        expected: usize,
    },
    /// A choice is of no prompt, or two are of one.
    #[error("choice {index} of {choices} is there twice, or one of no prompt")]
    Index {
        /// Its number.
        index: usize,
        /// How many there are.
        choices: usize,
    },
    /// It tells nothing of the prompt.
    #[error("it has no {name}: the server tells no log-probabilities of prompts in this form")]
    Absent {
        /// What is missing.
        name: &'static str,
    },
    /// There are more or fewer positions than tokens.
    #[error("it has {found} {name} to {sent} tokens")]
    Positions {
        /// What was counted.
        name: &'static str,
        /// How many there are.
        found: usize,
        /// How many tokens were sent.
        sent: usize,
    },
    /// The first token has a log-probability: the server has put something before it.
    #[error("it has a log-probability for the first token, before which nothing was sent")]
    First,
    /// It is of another token than the one that was sent.
    #[error("at position {position} it is not of token {sent}, which was sent, but of {found:?}")]
    Token {
        /// Where.
        position: usize,
        /// What was sent.
        sent: u32,
        /// What it is of.
        found: Vec<u32>,
    },
    /// A log-probability is missing.
    #[error("at position {position} it has no log-probability")]
    Silent {
        /// Where.
        position: usize,
    },
    /// A number is not the logarithm of a probability above zero.
    #[error("log-probability {value} at position {position} is not above {IMPOSSIBLE} and at most 0")]
    Number {
        /// Where.
        position: usize,
        /// What it says.
        value: f64,
    },
}

/// What an answer says of one prompt.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    prompt_logprobs: Option<Few<Option<Alternatives>, MAX_POSITIONS>>,
    #[serde(default)]
    prompt_token_ids: Option<Few<u32, MAX_POSITIONS>>,
    #[serde(default)]
    logprobs: Option<Echoed>,
}

#[derive(Deserialize)]
struct Answer {
    choices: Few<Choice, MAX_PROMPTS>,
}

/// The classic form: of the prompt, and of what the server wrote behind it.
#[derive(Debug, Deserialize)]
struct Echoed {
    token_logprobs: Few<Option<f64>, MAX_POSITIONS>,
    #[serde(default)]
    tokens: Option<Few<TokenName, MAX_POSITIONS>>,
}

/// An answer's choices in the order of the prompts.
pub(super) fn choices(body: &[u8], prompts: usize) -> Result<Vec<Choice>, AnswerError> {
    let found = json_depth(body);
    if found > MAX_JSON_DEPTH {
        return Err(AnswerError::Depth { found });
    }
    let Answer { choices: Few(mut choices) } = serde_json::from_slice(body).map_err(|error| {
        AnswerError::Unreadable { reason: error.to_string().chars().take(MAX_REASON_CHARS).collect() }
    })?;
    if choices.len() != prompts {
        return Err(AnswerError::Choices { found: choices.len(), expected: prompts });
    }
    choices.sort_by_key(|choice| choice.index);
    match choices.iter().enumerate().find(|(place, choice)| *place != choice.index) {
        None => Ok(choices),
        Some((_, choice)) => Err(AnswerError::Index { index: choice.index, choices: prompts }),
    }
}

impl Choice {
    /// The negative log-likelihood of each token of the prompt but the first, in nats.
    pub(super) fn nats(self, form: Form, prompt: &[u32]) -> Result<Vec<f64>, AnswerError> {
        if let Some(Few(tokens)) = self.prompt_token_ids {
            same_tokens(&tokens, prompt, "prompt_token_ids")?;
        }
        let told = match form {
            Form::PromptLogprobs => {
                let Few(positions) =
                    self.prompt_logprobs.ok_or(AnswerError::Absent { name: "prompt_logprobs" })?;
                check_count("prompt_logprobs", positions.len(), prompt.len(), prompt.len())?;
                let own = |(position, (told, sent)): (usize, (Option<Alternatives>, &u32))| {
                    told.map(|told| told.of(*sent, position)).transpose()
                };
                positions.into_iter().zip(prompt).enumerate().map(own).collect::<Result<Vec<_>, _>>()?
            }
            Form::Echo => {
                let echoed = self.logprobs.ok_or(AnswerError::Absent { name: "logprobs" })?;
                let Few(mut told) = echoed.token_logprobs;
                // One token is written behind the prompt, unless the server takes that for the end.
                check_count("token_logprobs", told.len(), prompt.len(), prompt.len() + 1)?;
                if let Some(Few(names)) = echoed.tokens {
                    check_count("tokens", names.len(), told.len(), told.len())?;
                    let names: Option<Vec<u32>> =
                        names.iter().take(prompt.len()).map(|TokenName(number)| *number).collect();
                    names.map_or(Ok(()), |numbers| same_tokens(&numbers, prompt, "tokens"))?;
                }
                told.truncate(prompt.len());
                told
            }
        };
        let mut told = told.into_iter().enumerate();
        if let Some((_, Some(_))) = told.next() {
            return Err(AnswerError::First);
        }
        let nats = |(position, told): (usize, Option<f64>)| match told {
            None => Err(AnswerError::Silent { position }),
            // Taken from zero, so that a certain token costs 0, not −0.
            Some(value) if value > IMPOSSIBLE && value <= 0.0 => Ok(0.0 - value),
            Some(value) => Err(AnswerError::Number { position, value }),
        };
        told.map(nats).collect()
    }
}

fn check_count(name: &'static str, found: usize, least: usize, most: usize) -> Result<(), AnswerError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(AnswerError::Positions { name, found, sent: least })
    }
}

fn same_tokens(found: &[u32], sent: &[u32], name: &'static str) -> Result<(), AnswerError> {
    check_count(name, found.len(), sent.len(), sent.len())?;
    match found.iter().zip(sent).position(|(found, sent)| found != sent) {
        None => Ok(()),
        Some(position) => {
            Err(AnswerError::Token { position, sent: sent[position], found: vec![found[position]] })
        }
    }
}

/// A list of no more than so many things.
#[derive(Debug)]
struct Few<T, const MOST: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = Few<T, MOST>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut few = Vec::new();
                while let Some(item) = items.next_element()? {
                    if few.len() == MOST {
                        return Err(A::Error::custom(format!("a list has more than {MOST} items")));
                    }
                    few.push(item);
                }
                Ok(Few(few))
            }
        }
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// The log-probabilities of some tokens at one position, each token once.
#[derive(Debug)]
struct Alternatives(Vec<(u32, f64)>);

impl Alternatives {
    fn of(&self, sent: u32, position: usize) -> Result<f64, AnswerError> {
        let found = self.0.iter().find(|(token, _)| *token == sent);
        let others = || self.0.iter().map(|(token, _)| *token).collect();
        found.map(|(_, value)| *value).ok_or_else(|| AnswerError::Token { position, sent, found: others() })
    }
}

impl<'de> Deserialize<'de> for Alternatives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Likelihood {
            logprob: f64,
        }
        struct Tokens;
        impl<'de> Visitor<'de> for Tokens {
            type Value = Alternatives;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("log-probabilities by the numbers of tokens")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Alternatives, A::Error> {
                let mut told: Vec<(u32, f64)> = Vec::new();
                while let Some((token, Likelihood { logprob })) = map.next_entry()? {
                    if told.len() == MAX_ALTERNATIVES {
                        let message = format!("a position has more than {MAX_ALTERNATIVES} tokens");
                        return Err(A::Error::custom(message));
                    }
                    if told.iter().any(|(other, _)| *other == token) {
                        return Err(A::Error::custom(format!("token {token} stands twice at one position")));
                    }
                    told.push((token, logprob));
                }
                Ok(Alternatives(told))
            }
        }
        deserializer.deserialize_map(Tokens)
    }
}

/// A token's number, where its name is one.
#[derive(Debug)]
struct TokenName(Option<u32>);

impl<'de> Deserialize<'de> for TokenName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = TokenName;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token's text")
            }
            fn visit_str<E>(self, name: &str) -> Result<TokenName, E> {
                Ok(TokenName(name.strip_prefix(TOKEN_PREFIX).and_then(|number| number.parse().ok())))
            }
            fn visit_unit<E>(self) -> Result<TokenName, E> {
                Ok(TokenName(None))
            }
        }
        deserializer.deserialize_any(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nats that an answer to the prompt 7, 8, 9 gives.
    fn read(form: Form, choice: &str) -> Result<Vec<f64>, String> {
        let body = format!("{{\"id\": \"x\", \"choices\": [{choice}], \"usage\": {{}}}}");
        let mut choices = choices(body.as_bytes(), 1).map_err(|error| error.to_string())?;
        choices.remove(0).nats(form, &[7, 8, 9]).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_give_the_nats_of_all_tokens_but_the_first() {
        let vllm = r#"{"index": 0, "text": "!", "logprobs": null, "finish_reason": "length",
            "prompt_logprobs": [null, {"8": {"logprob": -0.5, "rank": 1, "decoded_token": "a"}},
            {"3": {"logprob": -0.1, "rank": 1, "decoded_token": "b"}, "9": {"logprob": -2.25, "rank": 4}}],
            "prompt_token_ids": [7, 8, 9]}"#;
        assert_eq!(read(Form::PromptLogprobs, vllm).unwrap(), [0.5, 2.25]);
        let logprobs = |numbers: &str, tokens: &str| {
            format!(
                r#"{{"index": 0, "text": "abc!", "logprobs": {{"text_offset": [0, 1, 2, 3], "token_logprobs": {numbers},
                "tokens": {tokens}, "top_logprobs": [null, {{"b": -0.5}}, {{"c": -2.25}}, {{"!": -1}}]}}}}"#
            )
        };
        let texts = logprobs("[null, -0.5, -2.25, -1]", r#"["a", "b", "c", "!"]"#);
        assert_eq!(read(Form::Echo, &texts).unwrap(), [0.5, 2.25]);
        let numbers = logprobs("[null, -0.5, -0.0]", r#"["token_id:7", "token_id:8", "token_id:9"]"#);
        let nats = read(Form::Echo, &numbers).unwrap();
        assert_eq!((nats[0].to_bits(), nats[1].to_bits()), (0.5f64.to_bits(), 0.0f64.to_bits()));
        let others = logprobs("[null, -0.5, -2]", r#"["token_id:7", "token_id:6", "token_id:9"]"#);
        let error = read(Form::Echo, &others).unwrap_err();
        assert_eq!(error, "at position 1 it is not of token 8, which was sent, but of [6]");
    }

    #[test]
    fn what_is_no_answer_to_the_prompt_is_refused_in_words() {
        let at = |first: &str, second: &str, third: &str| {
            format!(r#"{{"prompt_logprobs": [{first}, {{{second}}}, {{{third}}}]}}"#)
        };
        let (good, nine) = (r#""8": {"logprob": -1}"#, r#""9": {"logprob": -1}"#);
        let one = |logprob: &str| at("null", good, &format!(r#""9": {{"logprob": {logprob}}}"#));
        let many = |n: usize| {
            (0..n).map(|token| format!(r#""{token}": {{"logprob": -1}}"#)).collect::<Vec<_>>().join(", ")
        };
        for (choice, expect) in [
            ("{}".to_owned(), "no prompt_logprobs: the server tells no log-probabilities"),
            (r#"{"prompt_logprobs": null}"#.to_owned(), "no prompt_logprobs"),
            (r#"{"prompt_logprobs": []}"#.to_owned(), "0 prompt_logprobs to 3 tokens"),
            (at("null, null", good, nine), "4 prompt_logprobs to 3 tokens"),
            (at(r#"{"7": {"logprob": -1}}"#, good, nine), "log-probability for the first token"),
            (at("null", nine, nine), "at position 1 it is not of token 8, which was sent, but of [9]"),
            (at("null", "", nine), "at position 1 it is not of token 8, which was sent, but of []"),
            (r#"{"prompt_logprobs": [null, null, {}]}"#.to_owned(), "at position 2 it is not of token 9"),
            (one("0.5"), "log-probability 0.5 at position 2 is not above -9999 and at most 0"),
            (one("1e-300"), "is not above -9999 and at most 0"),
            (one("-9999.0"), "log-probability -9999 at position 2"),
            (one("-1e300"), "is not above -9999"),
            (one("NaN"), "it can't be read: expected value"),
            (one("-Infinity"), "it can't be read"),
            (one("-1e999"), "it can't be read: number out of range"),
            (one("null"), "it can't be read: invalid type: null, expected f64"),
            (one("\"-1\""), "it can't be read: invalid type: string"),
            (at("null", good, &format!("{nine}, {nine}")), "token 9 stands twice at one position"),
            (at("null", good, &many(33)), "a position has more than 32 tokens"),
            (at("null", r#""x": {"logprob": -1}"#, nine), "it can't be read"),
            (r#"{"prompt_token_ids": [7, 8]}"#.to_owned(), "2 prompt_token_ids to 3 tokens"),
            (r#"{"prompt_token_ids": [7, 8, 10]}"#.to_owned(), "at position 2 it is not of token 9"),
            (r#"{"index": 1}"#.to_owned(), "choice 1 of 1 is there twice, or one of no prompt"),
            (r#"{"index": -1}"#.to_owned(), "it can't be read"),
            (r#"{}, {"index": 1}"#.to_owned(), "it has 2 choices to 1 prompts"),
            (vec!["{}"; 65].join(", "), "a list has more than 64 items"),
            ("[".repeat(100), "it is nested 102 deep, at most 64 levels are read"),
        ] {
            let error = read(Form::PromptLogprobs, &choice).unwrap_err();
            assert!(error.contains(expect), "{error:?} does not contain {expect:?}");
        }
        let echo = |numbers: &str| format!(r#"{{"logprobs": {{"token_logprobs": {numbers}}}}}"#);
        for (choice, expect) in [
            (r#"{"logprobs": null}"#.to_owned(), "no logprobs"),
            // What llama.cpp's server does: it tells of the token that it wrote, whatever was to be echoed.
            (echo("[-1]"), "1 token_logprobs to 3 tokens"),
            (r#"{"logprobs": {"content": []}}"#.to_owned(), "missing field `token_logprobs`"),
            (echo("[null, -1]"), "2 token_logprobs to 3 tokens"),
            (echo("[null, -1, -1, -1, -1]"), "5 token_logprobs to 3 tokens"),
            (echo("[-1, -1, -1]"), "log-probability for the first token"),
            (echo("[null, -1, null, -1]"), "at position 2 it has no log-probability"),
            (echo("[null, -1, 3]"), "log-probability 3 at position 2"),
        ] {
            let error = read(Form::Echo, &choice).unwrap_err();
            assert!(error.contains(expect), "{error:?} does not contain {expect:?}");
        }
    }

    #[test]
    fn lists_end_at_their_bound() {
        let long = format!(r#"{{"logprobs": {{"token_logprobs": [{}-1]}}}}"#, "-1,".repeat(MAX_POSITIONS));
        let error = read(Form::Echo, &long).unwrap_err();
        assert!(error.contains("a list has more than 65537 items"), "{error}");
    }

    #[test]
    fn choices_are_put_in_the_order_of_the_prompts() {
        let body =
            br#"{"choices": [{"index": 1, "prompt_token_ids": [2]}, {"index": 0, "prompt_token_ids": [1]}]}"#;
        let order: Vec<Vec<u32>> =
            choices(body, 2).unwrap().into_iter().map(|choice| choice.prompt_token_ids.unwrap().0).collect();
        assert_eq!(order, [[1], [2]]);
        let twice = br#"{"choices": [{"index": 1}, {"index": 1}]}"#;
        assert_eq!(choices(twice, 2).unwrap_err(), AnswerError::Index { index: 1, choices: 2 });
    }
}
