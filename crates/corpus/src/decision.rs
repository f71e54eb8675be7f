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
    /// A rule of Gopher's on quality.
    Gopher(Gopher),
    /// A rule of Gopher's on repetition.
    Repetition(Repetition),
    /// A rule of C4's.
    C4(C4),
    /// A rule of FineWeb's.
    FineWeb(FineWeb),
    /// The address is on the task's blocklist.
    Url,
    /// The text holds e-mail or IP addresses, and the task wants none that does.
    Pii,
    /// The page, or its server, asks not to be used so.
    OptOut,
    /// The text shares 13 words in a row with the task's exclusion list.
    Contaminated,
    /// The same text, up to case, white space and punctuation, was kept from an earlier record of the shard.
    DuplicateOf {
        /// The earlier record's row number in the ledger.
        row: u32,
    },
    /// The text has a MinHash band in common with one that was kept from an earlier record of the shard.
    NearDuplicateOf {
        /// The first such record's row number in the ledger.
        row: u32,
    },
}

macro_rules! rules {
    ($(#[doc = $about:literal] $set:ident { $($index:literal $name:ident $text:literal $peer:literal $doc:literal)* })*) => {$(
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
        pub enum $set {
            $(#[doc = $doc] #[codec(index = $index)] $name,)*
        }

        impl $set {
            /// Every rule, in the order of their numbers, which is the order in which they are applied.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The rule's name in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What datatrove calls the reason.
            #[must_use]
            pub fn peer_name(self) -> &'static str {
                match self {
                    $(Self::$name => $peer,)*
                }
            }

            fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().find(|rule| rule.name() == name).copied()
            }
        }
    )*};
}

rules! {
    #[doc = "The quality rules after Gopher; `filter` holds their thresholds and their source."]
    Gopher {
        0 ShortDoc "short_doc" "gopher_short_doc" "Too few words."
        1 LongDoc "long_doc" "gopher_long_doc" "Too many words."
        2 ShortWords "short_words" "gopher_below_avg_threshold" "The mean word is too short."
        3 LongWords "long_words" "gopher_above_avg_threshold" "The mean word is too long."
        4 Hashes "hashes" "gopher_too_many_hashes" "Too many hash signs per word."
        5 Ellipses "ellipses" "gopher_too_many_ellipsis" "Too many ellipses per word."
        6 BulletLines "bullet_lines" "gopher_too_many_bullets" "Too many lines begin with a bullet."
        7 EllipsisLines "ellipsis_lines" "gopher_too_many_end_ellipsis" "Too many lines end with an ellipsis."
        8 AlphaWords "alpha_words" "gopher_below_alpha_threshold" "Too few words have a letter."
        9 StopWords "stop_words" "gopher_enough_stop_words" "Too few of the commonest English words occur."
    }
    #[doc = "The rules on repetition after Gopher."]
    Repetition {
        0 Empty "empty" "empty" "There is no text."
        1 Paragraphs "dup_para_frac" "dup_para_frac" "Too many paragraphs stood before."
        2 ParagraphChars "dup_para_char_frac" "dup_para_char_frac" "Paragraphs that stood before are too much of the text."
        3 Lines "dup_line_frac" "dup_line_frac" "Too many lines stood before."
        4 LineChars "dup_line_char_frac" "dup_line_char_frac" "Lines that stood before are too much of the text."
        5 Top2 "top_2_gram" "top_2_gram" "The commonest two words in a row are too much of the text."
        6 Top3 "top_3_gram" "top_3_gram" "The commonest three words in a row are too much of the text."
        7 Top4 "top_4_gram" "top_4_gram" "The commonest four words in a row are too much of the text."
        8 Repeated5 "dup_5_gram" "duplicated_5_n_grams" "Too much of the text is in five words that stood before."
        9 Repeated6 "dup_6_gram" "duplicated_6_n_grams" "Too much of the text is in six words that stood before."
        10 Repeated7 "dup_7_gram" "duplicated_7_n_grams" "Too much of the text is in seven words that stood before."
        11 Repeated8 "dup_8_gram" "duplicated_8_n_grams" "Too much of the text is in eight words that stood before."
        12 Repeated9 "dup_9_gram" "duplicated_9_n_grams" "Too much of the text is in nine words that stood before."
        13 Repeated10 "dup_10_gram" "duplicated_10_n_grams" "Too much of the text is in ten words that stood before."
    }
    #[doc = "The rules after C4."]
    C4 {
        0 TooFewSentences "too_few_sentences" "too_few_sentences" "Lines that count have too few sentences."
        1 LoremIpsum "lorem_ipsum" "lorem_ipsum" "A line holds a placeholder text."
        2 CurlyBracket "curly_bracket" "curly_bracket" "A line holds a curly bracket."
    }
    #[doc = "The rules after FineWeb."]
    FineWeb {
        0 Empty "empty" "empty" "There is no line that isn't blank."
        1 UnendedLines "line_punct_ratio" "line_punct_ratio" "Too few lines end as sentences do."
        2 ShortLines "short_line_ratio" "short_line_ratio" "Too many lines are short."
        3 RepeatedChars "char_dup_ratio" "char_dup_ratio" "Lines that stood before are too much of the text."
        4 Lists "list_ratio" "list_ratio" "Too many line ends per word."
    }
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
    pub(super) const REPETITION: u8 = 14;
    pub(super) const C4: u8 = 15;
    pub(super) const FINEWEB: u8 = 16;
    pub(super) const URL: u8 = 17;
    pub(super) const PII: u8 = 18;
    pub(super) const OPT_OUT: u8 = 19;
    pub(super) const NEAR_DUPLICATE_OF: u8 = 20;
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
            Reason::NearDuplicateOf { row } => (code::NEAR_DUPLICATE_OF, row).encode_to(to),
            Reason::NotAPage { kind } => (code::NOT_A_PAGE, kind).encode_to(to),
            Reason::Status => to.push_byte(code::STATUS),
            Reason::ContentType => to.push_byte(code::CONTENT_TYPE),
            Reason::Malformed => to.push_byte(code::MALFORMED),
            Reason::Charset => to.push_byte(code::CHARSET),
            Reason::Language => to.push_byte(code::LANGUAGE),
            Reason::Contaminated => to.push_byte(code::CONTAMINATED),
            Reason::Repetition(rule) => (code::REPETITION, rule).encode_to(to),
            Reason::C4(rule) => (code::C4, rule).encode_to(to),
            Reason::FineWeb(rule) => (code::FINEWEB, rule).encode_to(to),
            Reason::Url => to.push_byte(code::URL),
            Reason::Pii => to.push_byte(code::PII),
            Reason::OptOut => to.push_byte(code::OPT_OUT),
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
            code::NEAR_DUPLICATE_OF => Reason::NearDuplicateOf { row: u32::decode(from)? },
            code::NOT_A_PAGE => Reason::NotAPage { kind: RecordKind::decode(from)? },
            code::STATUS => Reason::Status,
            code::CONTENT_TYPE => Reason::ContentType,
            code::MALFORMED => Reason::Malformed,
            code::CHARSET => Reason::Charset,
            code::LANGUAGE => Reason::Language,
            code::CONTAMINATED => Reason::Contaminated,
            code::REPETITION => Reason::Repetition(Repetition::decode(from)?),
            code::C4 => Reason::C4(C4::decode(from)?),
            code::FINEWEB => Reason::FineWeb(FineWeb::decode(from)?),
            code::URL => Reason::Url,
            code::PII => Reason::Pii,
            code::OPT_OUT => Reason::OptOut,
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
            Self::Repetition(rule) => write!(f, "gopher_rep:{}", rule.name()),
            Self::C4(rule) => write!(f, "c4:{}", rule.name()),
            Self::FineWeb(rule) => write!(f, "fineweb:{}", rule.name()),
            Self::Contaminated => f.write_str("contaminated"),
            Self::Url => f.write_str("url"),
            Self::Pii => f.write_str("pii"),
            Self::OptOut => f.write_str("optout"),
            Self::DuplicateOf { row } => write!(f, "dup_of:{row}"),
            Self::NearDuplicateOf { row } => write!(f, "near_dup_of:{row}"),
        }
    }
}

impl FromStr for Reason {
    type Err = ReasonError;
    fn from_str(text: &str) -> Result<Self, ReasonError> {
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
            "url" => Some(Self::Url),
            "pii" => Some(Self::Pii),
            "optout" => Some(Self::OptOut),
            _ => match text.split_once(':') {
                Some(("gopher", name)) => Gopher::named(name).map(Self::Gopher),
                Some(("gopher_rep", name)) => Repetition::named(name).map(Self::Repetition),
                Some(("c4", name)) => C4::named(name).map(Self::C4),
                Some(("fineweb", name)) => FineWeb::named(name).map(Self::FineWeb),
                Some(("dup_of", row)) => row.parse().ok().map(|row| Self::DuplicateOf { row }),
                Some(("near_dup_of", row)) => row.parse().ok().map(|row| Self::NearDuplicateOf { row }),
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
            Reason::Url,
            Reason::Pii,
            Reason::OptOut,
        ];
        all.extend(plain.map(Decision::Dropped));
        let gopher = Gopher::ALL.iter().copied().map(Reason::Gopher);
        let rules = gopher
            .chain(Repetition::ALL.iter().copied().map(Reason::Repetition))
            .chain(C4::ALL.iter().copied().map(Reason::C4))
            .chain(FineWeb::ALL.iter().copied().map(Reason::FineWeb));
        all.extend(rules.map(Decision::Dropped));
        all.push(Decision::Dropped(Reason::DuplicateOf { row: 17 }));
        all.push(Decision::Dropped(Reason::NearDuplicateOf { row: 17 }));
        let texts: Vec<String> = all.iter().map(Decision::to_string).collect();
        assert_eq!(
            texts.join(" "),
            "kept not_a_page:file not_a_page:warcinfo not_a_page:request not_a_page:response not_a_page:metadata \
             not_a_page:resource not_a_page:conversion not_a_page:revisit not_a_page:other not_a_page:frame \
             not_a_page:wiki_page not_a_page:thread not_a_page:row status content_type \
             malformed too_large too_nested charset empty lang contaminated url pii optout gopher:short_doc gopher:long_doc \
             gopher:short_words gopher:long_words gopher:hashes gopher:ellipses gopher:bullet_lines \
             gopher:ellipsis_lines gopher:alpha_words gopher:stop_words gopher_rep:empty gopher_rep:dup_para_frac \
             gopher_rep:dup_para_char_frac gopher_rep:dup_line_frac gopher_rep:dup_line_char_frac \
             gopher_rep:top_2_gram gopher_rep:top_3_gram gopher_rep:top_4_gram gopher_rep:dup_5_gram \
             gopher_rep:dup_6_gram gopher_rep:dup_7_gram gopher_rep:dup_8_gram gopher_rep:dup_9_gram \
             gopher_rep:dup_10_gram c4:too_few_sentences c4:lorem_ipsum c4:curly_bracket fineweb:empty \
             fineweb:line_punct_ratio fineweb:short_line_ratio fineweb:char_dup_ratio fineweb:list_ratio dup_of:17 near_dup_of:17"
        );
        for (decision, text) in all.into_iter().zip(texts) {
            assert_eq!(text.parse(), Ok(decision));
            assert_eq!(Decision::decode(&mut &decision.encode()[..]), Ok(decision));
            assert_eq!(serde_json::to_string(&decision).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn unknown_reasons_are_refused() {
        for text in [
            "",
            "Kept",
            "gopher:",
            "gopher:x",
            "c4:",
            "fineweb:gopher",
            "dup_of:",
            "dup_of:-1",
            "dup_of:+1",
            "dup_of:01",
        ] {
            assert!(text.parse::<Decision>().is_err(), "{text:?}");
        }
    }
}
