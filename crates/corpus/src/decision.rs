//! What became of a record, and why.
//!
//! Each reason has a stable text (`empty`, `gopher:short_doc`, `dup_of:17`): it stands in ledgers, JSON and reports,
//! and in bytes as a number of its own. A new reason gets a new number; none is ever reused.

use std::{fmt, str::FromStr};

use parity_scale_codec::{Decode, Encode, Input, Output};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::archive::RecordKind;

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
    /// Records of this kind hold no page.
    NotAPage {
        /// The kind.
        kind: RecordKind,
    },
    /// The server did not answer with status 200.
    Status,
    /// The content is neither HTML nor text.
    ContentType,
    /// The record, or what its server packed, does not have the form that it says.
    Malformed,
    /// The record, its page unpacked, or the extracted text is longer than the recipe takes.
    TooLarge,
    /// The markup is nested more deeply, or a tag has more attributes, than the recipe follows.
    TooNested,
    /// The bytes are no text in any encoding.
    Charset,
    /// No text is left after extraction.
    Empty,
    /// The text is in none of the task's languages.
    Language,
    /// A quality rule.
    Gopher(Gopher),
    /// The text shares 13 words in a row with the task's exclusion list.
    Contaminated,
    /// The same text, up to case, white space and punctuation, was kept from an earlier record of the shard.
    DuplicateOf {
        /// The earlier record's row number in the ledger.
        row: u32,
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
    // 2 was "not UTF-8", when only that was read.
    pub(super) const TOO_NESTED: u8 = 3;
    pub(super) const EMPTY: u8 = 4;
    pub(super) const GOPHER: u8 = 5;
    pub(super) const DUPLICATE_OF: u8 = 6;
    pub(super) const NOT_A_PAGE: u8 = 7;
    pub(super) const STATUS: u8 = 8;
    pub(super) const CONTENT_TYPE: u8 = 9;
    pub(super) const MALFORMED: u8 = 10;
    pub(super) const CHARSET: u8 = 11;
    pub(super) const LANGUAGE: u8 = 12;
    pub(super) const CONTAMINATED: u8 = 13;
}

impl Encode for Decision {
    fn encode_to<T: Output + ?Sized>(&self, to: &mut T) {
        let Self::Dropped(reason) = self else { return to.push_byte(code::KEPT) };
        match reason {
            Reason::TooLarge => to.push_byte(code::TOO_LARGE),
            Reason::TooNested => to.push_byte(code::TOO_NESTED),
            Reason::Empty => to.push_byte(code::EMPTY),
            Reason::Gopher(rule) => (code::GOPHER, rule).encode_to(to),
            Reason::DuplicateOf { row } => (code::DUPLICATE_OF, row).encode_to(to),
            Reason::NotAPage { kind } => (code::NOT_A_PAGE, kind).encode_to(to),
            Reason::Status => to.push_byte(code::STATUS),
            Reason::ContentType => to.push_byte(code::CONTENT_TYPE),
            Reason::Malformed => to.push_byte(code::MALFORMED),
            Reason::Charset => to.push_byte(code::CHARSET),
            Reason::Language => to.push_byte(code::LANGUAGE),
            Reason::Contaminated => to.push_byte(code::CONTAMINATED),
        }
    }
}

impl Decode for Decision {
    fn decode<I: Input>(from: &mut I) -> Result<Self, parity_scale_codec::Error> {
        let reason = match from.read_byte()? {
            code::KEPT => return Ok(Self::Kept),
            code::TOO_LARGE => Reason::TooLarge,
            code::TOO_NESTED => Reason::TooNested,
            code::EMPTY => Reason::Empty,
            code::GOPHER => Reason::Gopher(Gopher::decode(from)?),
            code::DUPLICATE_OF => Reason::DuplicateOf { row: u32::decode(from)? },
            code::NOT_A_PAGE => Reason::NotAPage { kind: RecordKind::decode(from)? },
            code::STATUS => Reason::Status,
            code::CONTENT_TYPE => Reason::ContentType,
            code::MALFORMED => Reason::Malformed,
            code::CHARSET => Reason::Charset,
            code::LANGUAGE => Reason::Language,
            code::CONTAMINATED => Reason::Contaminated,
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
            Self::NotAPage { kind } => write!(f, "not_a_page:{kind}"),
            Self::Status => f.write_str("status"),
            Self::ContentType => f.write_str("content_type"),
            Self::Malformed => f.write_str("malformed"),
            Self::TooLarge => f.write_str("too_large"),
            Self::TooNested => f.write_str("too_nested"),
            Self::Charset => f.write_str("charset"),
            Self::Empty => f.write_str("empty"),
            Self::Language => f.write_str("lang"),
            Self::Gopher(rule) => write!(f, "gopher:{}", rule.name()),
            Self::Contaminated => f.write_str("contaminated"),
            Self::DuplicateOf { row } => write!(f, "dup_of:{row}"),
        }
    }
}

impl FromStr for Reason {
    type Err = ReasonError;
    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let gopher = |name: &str| Gopher::ALL.iter().find(|rule| rule.name() == name).copied();
        let parsed = match text {
            "status" => Some(Self::Status),
            "content_type" => Some(Self::ContentType),
            "malformed" => Some(Self::Malformed),
            "too_large" => Some(Self::TooLarge),
            "too_nested" => Some(Self::TooNested),
            "charset" => Some(Self::Charset),
            "empty" => Some(Self::Empty),
            "lang" => Some(Self::Language),
            "contaminated" => Some(Self::Contaminated),
            _ => match text.split_once(':') {
                Some(("gopher", name)) => gopher(name).map(Self::Gopher),
                Some(("dup_of", row)) => row.parse().ok().map(|row| Self::DuplicateOf { row }),
                Some(("not_a_page", kind)) => kind.parse().ok().map(|kind| Self::NotAPage { kind }),
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
        all.extend(RecordKind::ALL.map(|kind| Decision::Dropped(Reason::NotAPage { kind })));
        let plain = [
            Reason::Status,
            Reason::ContentType,
            Reason::Malformed,
            Reason::TooLarge,
            Reason::TooNested,
            Reason::Charset,
            Reason::Empty,
            Reason::Language,
            Reason::Contaminated,
        ];
        all.extend(plain.map(Decision::Dropped));
        all.extend(Gopher::ALL.iter().map(|rule| Decision::Dropped(Reason::Gopher(*rule))));
        all.push(Decision::Dropped(Reason::DuplicateOf { row: 17 }));
        let texts: Vec<String> = all.iter().map(Decision::to_string).collect();
        assert_eq!(
            texts.join(" "),
            "kept not_a_page:file not_a_page:warcinfo not_a_page:request not_a_page:response not_a_page:metadata \
             not_a_page:resource not_a_page:conversion not_a_page:revisit not_a_page:other not_a_page:frame \
             not_a_page:wiki_page not_a_page:thread not_a_page:row status content_type malformed too_large too_nested charset empty lang contaminated gopher:short_doc gopher:long_doc \
             gopher:short_words gopher:long_words gopher:hashes gopher:ellipses gopher:bullet_lines \
             gopher:ellipsis_lines gopher:alpha_words gopher:stop_words dup_of:17"
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
