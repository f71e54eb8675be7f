//! Which language a text is in.
//!
//! Without a model it is guessed from the text's beginning by trigrams; a [`Model`] of fastText's is closer to what the
//! field's pipelines say. The two differ, so a recipe that uses a model is a recipe of its own and names the model's
//! digest.

mod bytes;
mod matrix;
mod model;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use whatlang::Lang;

pub use bytes::ModelError;
pub use model::{MODEL_MAX_BYTES, Model};

/// What stands for "none of those known".
pub const UNDETERMINED: &str = "und";
/// Bytes of a text that are looked at: a guess hardly changes after a thousand words.
const SAMPLE_MAX_BYTES: usize = 8 << 10;

/// A language by its ISO 639-1 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language([u8; 2]);

/// A text is no language code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("language {found:?} is not a code of two lower-case letters")]
pub struct LanguageError {
    /// The text, cut to 20 characters.
    pub found: String,
}

impl Language {
    /// English.
    pub const ENGLISH: Self = Self(*b"en");

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("two ASCII letters")
    }
}

impl FromStr for Language {
    type Err = LanguageError;
    fn from_str(text: &str) -> Result<Self, LanguageError> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_lowercase() && b.is_ascii_lowercase() => Ok(Self([a, b])),
            _ => Err(LanguageError { found: text.chars().take(20).collect() }),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({self})")
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// A guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// An ISO 639-1 code, or [`UNDETERMINED`].
    pub code: &'static str,
    /// How sure it is, in thousandths.
    pub permille: u16,
}

/// The likeliest language of a text by its beginning.
#[must_use]
pub fn guess(text: &str) -> Guess {
    let mut end = text.len().min(SAMPLE_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let Some(info) = whatlang::detect(&text[..end]) else { return Guess { code: UNDETERMINED, permille: 0 } };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a confidence in [0, 1]")]
    let permille = (info.confidence().clamp(0.0, 1.0) * 1000.0) as u16;
    Guess { code: code(info.lang()), permille }
}

macro_rules! codes {
    ($($lang:ident $code:literal)*) => {
        fn code(lang: Lang) -> &'static str {
            match lang {
                $(Lang::$lang => $code,)*
            }
        }
    };
}

codes! {
    Afr "af" Aka "ak" Amh "am" Ara "ar" Aze "az" Bel "be" Ben "bn" Bul "bg" Cat "ca" Ces "cs" Cmn "zh" Cym "cy"
    Dan "da" Deu "de" Ell "el" Eng "en" Epo "eo" Est "et" Fin "fi" Fra "fr" Guj "gu" Heb "he" Hin "hi" Hrv "hr"
    Hun "hu" Hye "hy" Ind "id" Ita "it" Jav "jv" Jpn "ja" Kan "kn" Kat "ka" Khm "km" Kor "ko" Lat "la" Lav "lv"
    Lit "lt" Mal "ml" Mar "mr" Mkd "mk" Mya "my" Nep "ne" Nld "nl" Nob "nb" Ori "or" Pan "pa" Pes "fa" Pol "pl"
    Por "pt" Ron "ro" Rus "ru" Sin "si" Slk "sk" Slv "sl" Sna "sn" Spa "es" Srp "sr" Swe "sv" Tam "ta" Tel "te"
    Tgl "tl" Tha "th" Tuk "tk" Tur "tr" Ukr "uk" Urd "ur" Uzb "uz" Vie "vi" Yid "yi" Zul "zu"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_languages_are_told_apart() {
        let check = |text: &str, expect: &str| assert_eq!(guess(text).code, expect, "{text}");
        check("What the scales said was written down and signed and it settled the price of the wool.", "en");
        check(
            "Was die Waage sagte, wurde aufgeschrieben und unterschrieben, und damit stand der Preis fest.",
            "de",
        );
        check("Ce que disait la balance était écrit et signé, et le prix de la laine en était fixé.", "fr");
        check("То, что показывали весы, записывали и подписывали.", "ru");
        check("秤の示した値は書き留められた。", "ja");
        check("1234 5678", UNDETERMINED);
    }

    #[test]
    fn codes_are_two_letters() {
        assert_eq!("en".parse::<Language>().unwrap().to_string(), "en");
        for bad in ["", "EN", "eng", "e1", "é"] {
            assert!(bad.parse::<Language>().is_err(), "{bad:?}");
        }
    }
}
