//! What became of a record, and why.
//!
//! Each reason has a stable text (`empty`, `gopher:short_doc`, `dup_of:17`): it stands in ledgers, JSON and reports,
//! and in bytes as a number of its own. A new reason gets a new number; none is ever reused.

use std::{fmt, str::FromStr};

use parity_scale_codec::{Decode, Encode, Input, Output};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The outcome of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The document stands in the shard.
    Kept,
    /// It does not, for this reason.
    Dropped(Reason),
}

/// Why a record was dropped; where several apply, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The record, or its extracted text, is longer than the recipe takes.
    TooLarge,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The markup is nested more deeply than the recipe follows.
    TooNested,
    /// No text is left after extraction.
    Empty,
    /// A quality rule.
    Gopher(Gopher),
    /// The same text, up to case, white space and punctuation, was kept from an earlier entry of the shard.
    DuplicateOf {
        /// The earlier entry's index in the manifest.
        entry: u32,
    },
}

macro_rules! gopher {
    ($($index:literal $name:ident $text:literal $doc:literal)*) => {
        /// The quality rules after Gopher; `filter` holds their thresholds and their source.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
        pub enum Gopher {
            $(#[doc = $doc] #[codec(index = $index)] $name,)*
        }

        impl Gopher {
            /// Every rule, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The rule's name in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

gopher! {
    0 ShortDoc "short_doc" "Too few words."
    1 LongDoc "long_doc" "Too many words."
    2 ShortWords "short_words" "The mean word is too short."
    3 LongWords "long_words" "The mean word is too long."
    4 Hashes "hashes" "Too many hash signs per word."
    5 Ellipses "ellipses" "Too many ellipses per word."
    6 BulletLines "bullet_lines" "Too many lines begin with a bullet."
    7 EllipsisLines "ellipsis_lines" "Too many lines end with an ellipsis."
    8 AlphaWords "alpha_words" "Too few words have a letter."
    9 StopWords "stop_words" "Too few of the commonest English words occur."
}

/// The numbers of decisions in bytes; a rule's own number or an entry follows where there is one.
mod code {
    pub(super) const KEPT: u8 = 0;
    pub(super) const TOO_LARGE: u8 = 1;
    pub(super) const NOT_UTF8: u8 = 2;
    pub(super) const TOO_NESTED: u8 = 3;
    pub(super) const EMPTY: u8 = 4;
    pub(super) const GOPHER: u8 = 5;
    pub(super) const DUPLICATE_OF: u8 = 6;
}

impl Encode for Decision {
    fn encode_to<T: Output + ?Sized>(&self, to: &mut T) {
        let Self::Dropped(reason) = self else { return to.push_byte(code::KEPT) };
        match reason {
            Reason::TooLarge => to.push_byte(code::TOO_LARGE),
            Reason::NotUtf8 => to.push_byte(code::NOT_UTF8),
            Reason::TooNested => to.push_byte(code::TOO_NESTED),
            Reason::Empty => to.push_byte(code::EMPTY),
            Reason::Gopher(rule) => (code::GOPHER, rule).encode_to(to),
            Reason::DuplicateOf { entry } => (code::DUPLICATE_OF, entry).encode_to(to),
        }
    }
}

impl Decode for Decision {
    fn decode<I: Input>(from: &mut I) -> Result<Self, parity_scale_codec::Error> {
        let reason = match from.read_byte()? {
            code::KEPT => return Ok(Self::Kept),
            code::TOO_LARGE => Reason::TooLarge,
            code::NOT_UTF8 => Reason::NotUtf8,
            code::TOO_NESTED => Reason::TooNested,
            code::EMPTY => Reason::Empty,
            code::GOPHER => Reason::Gopher(Gopher::decode(from)?),
            code::DUPLICATE_OF => Reason::DuplicateOf { entry: u32::decode(from)? },
            _ => return Err("unknown decision".into()),
        };
        Ok(Self::Dropped(reason))
    }
}

/// A text is not a decision.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found:?} is neither \"kept\" nor a known reason")]
pub struct ReasonError {
    /// The text, cut to 60 characters.
    pub found: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("too_large"),
            Self::NotUtf8 => f.write_str("not_utf8"),
            Self::TooNested => f.write_str("too_nested"),
            Self::Empty => f.write_str("empty"),
            Self::Gopher(rule) => write!(f, "gopher:{}", rule.name()),
            Self::DuplicateOf { entry } => write!(f, "dup_of:{entry}"),
        }
    }
}

impl FromStr for Reason {
    type Err = ReasonError;
    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let gopher = |name: &str| Gopher::ALL.iter().find(|rule| rule.name() == name).copied();
        let parsed = match text {
            "too_large" => Some(Self::TooLarge),
            "not_utf8" => Some(Self::NotUtf8),
            "too_nested" => Some(Self::TooNested),
            "empty" => Some(Self::Empty),
            _ => match text.split_once(':') {
                Some(("gopher", name)) => gopher(name).map(Self::Gopher),
                Some(("dup_of", entry)) => entry.parse().ok().map(|entry| Self::DuplicateOf { entry }),
                _ => None,
            },
        };
        // Numbers have more than one spelling (`+7`, `007`); only the one that is written counts.
        parsed
            .filter(|reason| reason.to_string() == text)
            .ok_or_else(|| ReasonError { found: text.chars().take(60).collect() })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("kept"),
            Self::Dropped(reason) => reason.fmt(f),
        }
    }
}

impl FromStr for Decision {
    type Err = ReasonError;
    fn from_str(text: &str) -> Result<Self, ReasonError> {
        if text == "kept" { Ok(Self::Kept) } else { text.parse().map(Self::Dropped) }
    }
}

macro_rules! serde_as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

serde_as_text! { Reason Decision }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_is_read_back_from_its_text_and_its_bytes() {
        let mut all = vec![Decision::Kept];
        let plain = [Reason::TooLarge, Reason::NotUtf8, Reason::TooNested, Reason::Empty];
        all.extend(plain.map(Decision::Dropped));
        all.extend(Gopher::ALL.iter().map(|rule| Decision::Dropped(Reason::Gopher(*rule))));
        all.push(Decision::Dropped(Reason::DuplicateOf { entry: 17 }));
        let texts: Vec<String> = all.iter().map(Decision::to_string).collect();
        assert_eq!(
            texts.join(" "),
            "kept too_large not_utf8 too_nested empty gopher:short_doc gopher:long_doc gopher:short_words \
             gopher:long_words gopher:hashes gopher:ellipses gopher:bullet_lines gopher:ellipsis_lines \
             gopher:alpha_words gopher:stop_words dup_of:17"
        );
        for (decision, text) in all.into_iter().zip(texts) {
            assert_eq!(text.parse(), Ok(decision));
            assert_eq!(Decision::decode(&mut &decision.encode()[..]), Ok(decision));
            assert_eq!(serde_json::to_string(&decision).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn unknown_reasons_are_refused() {
        for text in ["", "Kept", "gopher:", "gopher:x", "dup_of:", "dup_of:-1", "dup_of:+1", "dup_of:01"] {
            assert!(text.parse::<Decision>().is_err(), "{text:?}");
        }
    }
}
