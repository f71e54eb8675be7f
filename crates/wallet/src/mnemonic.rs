//! Mnemonics: 12 to 24 English words for 16 to 32 bytes of entropy, and the seed that Substrate makes of them.
//!
//! Words and checksum are BIP-39's. The seed is not: Substrate stretches the entropy, where BIP-39 stretches the
//! text, so that a phrase gives other keys here than in a Bitcoin wallet.

use std::fmt;

use bip39::Language;
use pbkdf2::pbkdf2_hmac;
use sha2::Sha512;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Password, SecretSeed};

/// Rounds of PBKDF2. Source: BIP-39, "From mnemonic to seed"; Substrate kept the number.
const SEED_ROUNDS: u32 = 2048;
/// What the salt starts with. Source: BIP-39.
const SEED_SALT: &[u8] = b"mnemonic";
/// 24 words carry 32 bytes.
const ENTROPY_MAX_BYTES: usize = 32;
/// 24 words of at most 8 letters, each with a space: longer text is refused before it is split. Doubled for people
/// who separate their words by several spaces.
const TEXT_MAX_BYTES: usize = 2 * 24 * 9;

/// Why a text or entropy is no mnemonic; the words themselves are not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MnemonicError {
    /// Another number of words than there are mnemonics of.
    #[error("mnemonic has {found} words, expected 12, 15, 18, 21 or 24")]
    WordCount {
        /// Words found.
        found: usize,
    },
    /// A word that is not on the list.
    #[error("word {position} of the mnemonic is not one of the 2048 English words")]
    UnknownWord {
        /// Which word, counted from 1.
        position: usize,
    },
    /// All words are known, but they do not belong together.
    #[error("mnemonic has a wrong checksum: a word is mistyped for another one, or two are swapped")]
    Checksum,
    /// The text is too long to be a mnemonic.
    #[error("mnemonic has {found} bytes, expected at most {TEXT_MAX_BYTES}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Another number of bytes than there are mnemonics of.
    #[error("entropy has {found} bytes, expected 16, 20, 24, 28 or 32")]
    EntropyLength {
        /// Bytes found.
        found: usize,
    },
}

/// How many words a mnemonic has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum WordCount {
    /// 12 words, 16 bytes of entropy: what btcli writes.
    #[default]
    Twelve,
    /// 15 words, 20 bytes.
    Fifteen,
    /// 18 words, 24 bytes.
    Eighteen,
    /// 21 words, 28 bytes.
    TwentyOne,
    /// 24 words, 32 bytes.
    TwentyFour,
}

impl WordCount {
    /// All there are, ascending.
    pub const ALL: [Self; 5] =
        [Self::Twelve, Self::Fifteen, Self::Eighteen, Self::TwentyOne, Self::TwentyFour];

    /// The number of words.
    #[must_use]
    pub const fn words(self) -> usize {
        match self {
            Self::Twelve => 12,
            Self::Fifteen => 15,
            Self::Eighteen => 18,
            Self::TwentyOne => 21,
            Self::TwentyFour => 24,
        }
    }

    /// The number of entropy bytes: four for three words.
    #[must_use]
    pub const fn entropy_bytes(self) -> usize {
        self.words() / 3 * 4
    }

    /// The count with this many words.
    #[must_use]
    pub fn from_words(words: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|count| count.words() == words)
    }
}

/// A valid mnemonic, kept as its entropy.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Mnemonic {
    entropy: [u8; ENTROPY_MAX_BYTES],
    /// How many of the bytes count.
    len: usize,
}

impl Mnemonic {
    /// The mnemonic of 16, 20, 24, 28 or 32 bytes.
    ///
    /// # Errors
    /// [`MnemonicError::EntropyLength`].
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, MnemonicError> {
        let found = entropy.len();
        if !WordCount::ALL.iter().any(|count| count.entropy_bytes() == found) {
            return Err(MnemonicError::EntropyLength { found });
        }
        let mut own = Self { entropy: [0; ENTROPY_MAX_BYTES], len: found };
        own.entropy[..found].copy_from_slice(entropy);
        Ok(own)
    }

    /// Reads words separated by white space, in any case.
    ///
    /// # Errors
    /// [`MnemonicError`], with the position of the first unknown word.
    pub fn parse(text: &str) -> Result<Self, MnemonicError> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(MnemonicError::TooLong { found: text.len() });
        }
        let mut words = Zeroizing::new(String::with_capacity(text.len()));
        for word in text.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
        }
        let parsed = bip39::Mnemonic::parse_in_normalized(Language::English, &words);
        let parsed = parsed.map_err(|error| match error {
            bip39::Error::UnknownWord(index) => MnemonicError::UnknownWord { position: index + 1 },
            bip39::Error::BadWordCount(found) => MnemonicError::WordCount { found },
            _ => MnemonicError::Checksum,
        })?;
        let (entropy, len) = parsed.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        Self::from_entropy(&entropy[..len])
    }

    /// The entropy: 16 to 32 bytes.
    #[must_use]
    pub fn expose_entropy(&self) -> &[u8] {
        &self.entropy[..self.len]
    }

    /// The words, lower case, separated by single spaces.
    #[must_use]
    pub fn expose_words(&self) -> Zeroizing<String> {
        let mnemonic = bip39::Mnemonic::from_entropy_in(Language::English, self.expose_entropy())
            .expect("the length was checked when this was made");
        let mut words = Zeroizing::new(String::with_capacity(TEXT_MAX_BYTES));
        for word in mnemonic.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        words
    }

    /// The number of words.
    #[must_use]
    pub fn word_count(&self) -> usize {
        self.len / 4 * 3
    }

    /// The seed of the mnemonic and an optional passphrase.
    ///
    /// Source: the crate substrate-bip39: the first half of PBKDF2-HMAC-SHA512 over the entropy.
    #[must_use]
    pub fn seed(&self, passphrase: Option<&Password>) -> SecretSeed {
        let passphrase = passphrase.map_or("", Password::expose).as_bytes();
        let mut salt = Zeroizing::new(Vec::with_capacity(SEED_SALT.len() + passphrase.len()));
        salt.extend_from_slice(SEED_SALT);
        salt.extend_from_slice(passphrase);
        let mut stretched = Zeroizing::new([0u8; 64]);
        pbkdf2_hmac::<Sha512>(self.expose_entropy(), &salt, SEED_ROUNDS, &mut *stretched);
        let mut seed = [0u8; 32];
        seed.copy_from_slice(&stretched[..32]);
        let own = SecretSeed::from_bytes(seed);
        seed.zeroize();
        own
    }
}

impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mnemonic({} words)", self.word_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

    #[test]
    fn the_development_phrase_has_its_known_seed() {
        let mnemonic = Mnemonic::parse(WORDS).unwrap();
        assert_eq!(mnemonic.expose_words().as_str(), WORDS);
        assert_eq!(mnemonic.word_count(), 12);
        assert_eq!(
            mnemonic.seed(None).to_hex().as_str(),
            "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"
        );
    }

    /// As the SDK 11.3.0 gives them for the passphrase "Substrate".
    #[test]
    fn seeds_are_those_of_substrate_bip39() {
        let check = |entropy: &str, words: &str, seed_half: &str| {
            let mnemonic = Mnemonic::from_entropy(&hex::decode(entropy).unwrap()).unwrap();
            assert_eq!(mnemonic.expose_words().as_str(), words);
            assert_eq!(Mnemonic::parse(words), Ok(mnemonic.clone()));
            assert_eq!(&mnemonic.seed(Some(&"Substrate".into())).to_hex()[2..], seed_half);
        };
        check(
            "00000000000000000000000000000000",
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
            "44e9d125f037ac1d51f0a7d3649689d422c2af8b1ec8e00d71db4d7bf6d127e3",
        );
        check(
            "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "4313249608fe8ac10fd5886c92c4579007272cb77c21551ee5b8d60b78041685",
        );
        check(
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
            "047e89ef7739cbfe30da0ad32eb1720d8f62441dd4f139b981b8e2d0bd412ed4",
        );
    }

    #[test]
    fn errors_name_the_position_and_never_the_word() {
        let check = |text: &str, expect| assert_eq!(Mnemonic::parse(text), Err(expect));
        check("", MnemonicError::WordCount { found: 0 });
        check("bottom drive", MnemonicError::WordCount { found: 2 });
        check(&WORDS.replace("curtain", "certain-ly"), MnemonicError::UnknownWord { position: 5 });
        check(&WORDS.replace("walk", "fit"), MnemonicError::Checksum);
        check(&"zoo ".repeat(300), MnemonicError::TooLong { found: 1200 });
        check(&"é ".repeat(12), MnemonicError::UnknownWord { position: 1 });
        let shown = Mnemonic::parse(&WORDS.replace("lake", "lakke")).unwrap_err().to_string();
        assert!(!shown.contains("lakke"), "{shown}");
        assert_eq!(Mnemonic::from_entropy(&[0; 17]), Err(MnemonicError::EntropyLength { found: 17 }));
    }

    #[test]
    fn case_and_spacing_do_not_matter() {
        let spaced = format!("  {}\n", WORDS.to_uppercase().replace(' ', "\t "));
        assert_eq!(Mnemonic::parse(&spaced), Mnemonic::parse(WORDS));
        assert_eq!(format!("{:?}", Mnemonic::parse(WORDS).unwrap()), "Mnemonic(12 words)");
    }

    proptest::proptest! {
        #[test]
        fn words_round_trip_for_every_length(bytes: [u8; 32], which in 0usize..5) {
            let count = WordCount::ALL[which];
            let mnemonic = Mnemonic::from_entropy(&bytes[..count.entropy_bytes()]).unwrap();
            proptest::prop_assert_eq!(mnemonic.word_count(), count.words());
            proptest::prop_assert_eq!(WordCount::from_words(mnemonic.word_count()), Some(count));
            proptest::prop_assert_eq!(Mnemonic::parse(&mnemonic.expose_words()), Ok(mnemonic));
        }

        #[test]
        fn no_text_panics(text: String) {
            Mnemonic::parse(&text).ok();
        }
    }
}
