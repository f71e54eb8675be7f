//! From bytes to tokens and back: the bytes themselves, or byte-level BPE read from a Hugging Face `tokenizer.json`.
//!
//! Every token stands for a known number of bytes, so that losses per token become bits per byte and models with
//! different tokenizers can be compared. The text is taken as it is: the names of special tokens in it are text.
//! A file that asks for anything beyond the byte-level BPE of GPT-2, SmolLM, Llama 3, Qwen and their kin is refused.
//! [`BpeTrainer`](crate::BpeTrainer) makes such files.

use thiserror::Error;

use crate::bpe::{Bpe, Cache};

/// The start token of the bytes' vocabulary.
pub const BYTES_START: u32 = 256;
/// Size of the bytes' vocabulary.
pub const BYTES_VOCAB: usize = 257;
/// The name of its start token.
const BYTES_START_NAME: &[u8] = b"<|start|>";
/// All bytes, each a token's.
const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0u8;
    while byte < u8::MAX {
        byte += 1;
        bytes[byte as usize] = byte;
    }
    bytes
};
/// Most bytes of a `tokenizer.json`; the largest in use have some 30 MB.
pub(crate) const MAX_FILE_BYTES: usize = 64 << 20;
/// Most tokens of a vocabulary; the largest in use have some 260,000.
pub(crate) const MAX_VOCAB: usize = 1 << 19;

/// A tokenizer cannot be read or made, or a text not be turned into tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenizerError {
    /// The file is too long.
    #[error("tokenizer.json has {found} bytes, at most {MAX_FILE_BYTES} are allowed")]
    TooLong {
        /// How many it has.
        found: usize,
    },
    /// The file is no JSON of the expected form.
    #[error("tokenizer.json cannot be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// The file asks for what is not done here.
    #[error(
        "tokenizer.json asks for {what}, only byte-level BPE as in GPT-2, SmolLM, Llama 3 and Qwen 2 is supported"
    )]
    Unsupported {
        /// What it asks for.
        what: String,
    },
    /// The vocabulary contradicts itself.
    #[error("vocabulary of tokenizer.json is wrong: {reason}")]
    Vocabulary {
        /// How.
        reason: String,
    },
    /// A byte of the text has no token. Vocabularies lack bytes that their makers never saw.
    #[error("byte {byte:#04x} at {place} of the text has no token in the vocabulary")]
    NoToken {
        /// Which byte.
        byte: u8,
        /// Where in the text.
        place: usize,
    },
    /// The text is not UTF-8, which BPE files are made for.
    #[error("text is not utf-8 from byte {valid_bytes} on")]
    NotText {
        /// How many bytes are fine.
        valid_bytes: usize,
    },
    /// A setting of the trainer is out of range.
    #[error("{name} of the new vocabulary is {value}, expected {expected}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        expected: String,
    },
}

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// How many bytes of the text it stands for. Where a text is composed first, the last token of what has changed
    /// stands for all of that.
    pub bytes: u32,
}

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its bytes, which may be a part of a character; of a special token the bytes of its name.
    pub bytes: &'a [u8],
    /// Whether it is a special token, which stands for no text.
    pub special: bool,
}

/// Turns bytes into tokens and tokens into bytes.
#[derive(Clone, Debug)]
pub struct Tokenizer(Kind);

/// What tells the token that stands before a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Named(&'a str),
    Numbered(u32),
}

#[derive(Clone, Debug)]
enum Kind {
    Bytes,
    Bpe(Box<Bpe>),
}

impl Tokenizer {
    /// Every byte is a token; [`BYTES_START`] stands before a text.
    #[must_use]
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// Byte-level BPE from the bytes of a `tokenizer.json`; `start` names the token that stands before a text.
    ///
    /// # Errors
    /// The file is too long, unreadable, of another kind, or contradicts itself.
    pub fn from_json(json: &[u8], start: &str) -> Result<Self, TokenizerError> {
        Ok(Self(Kind::Bpe(Box::new(Bpe::from_json(json, Start::Named(start))?))))
    }

    /// As [`Tokenizer::from_json`]; `start` is the number of the token that stands before a text, as a model's
    /// configuration has it.
    ///
    /// # Errors
    /// As [`Tokenizer::from_json`], and where there is no token of this number.
    pub fn from_json_with_start(json: &[u8], start: u32) -> Result<Self, TokenizerError> {
        Ok(Self(Kind::Bpe(Box::new(Bpe::from_json(json, Start::Numbered(start))?))))
    }

    /// How many tokens a model needs to know for this tokenizer.
    #[must_use]
    pub fn vocab(&self) -> usize {
        match &self.0 {
            Kind::Bytes => BYTES_VOCAB,
            Kind::Bpe(bpe) => bpe.vocab(),
        }
    }

    /// The token that stands before a text.
    #[must_use]
    pub fn start(&self) -> u32 {
        match &self.0 {
            Kind::Bytes => BYTES_START,
            Kind::Bpe(bpe) => bpe.start(),
        }
    }

    /// The tokens of a text, without the start token. Their bytes add up to the text's.
    ///
    /// # Errors
    /// The tokenizer needs UTF-8 and the text is not, or it has a byte that no token stands for.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<Token>, TokenizerError> {
        let mut tokens = Vec::new();
        self.encode_into(text, &mut Cache::new(text.len()), &mut tokens)?;
        Ok(tokens)
    }

    fn encode_into(
        &self,
        text: &[u8],
        cache: &mut Cache,
        out: &mut Vec<Token>,
    ) -> Result<(), TokenizerError> {
        match &self.0 {
            Kind::Bytes => out.extend(text.iter().map(|byte| Token { id: u32::from(*byte), bytes: 1 })),
            Kind::Bpe(bpe) => bpe.encode(valid(text)?, cache, out)?,
        }
        Ok(())
    }

    /// Texts as one stream for training, the start token before each.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn stream<T: AsRef<[u8]>>(&self, texts: &[T]) -> Result<Vec<u32>, TokenizerError> {
        let mut cache = Cache::new(texts.iter().map(|text| text.as_ref().len()).sum());
        let (mut stream, mut tokens) = (Vec::new(), Vec::new());
        for text in texts {
            tokens.clear();
            self.encode_into(text.as_ref(), &mut cache, &mut tokens)?;
            stream.push(self.start());
            stream.extend(tokens.iter().map(|token| token.id));
        }
        Ok(stream)
    }

    /// What a token stands for; nothing if there is no token of this number.
    #[must_use]
    pub fn piece(&self, id: u32) -> Option<Piece<'_>> {
        match &self.0 {
            Kind::Bytes if id == BYTES_START => Some(Piece { bytes: BYTES_START_NAME, special: true }),
            Kind::Bytes => {
                BYTES.get(id as usize).map(|byte| Piece { bytes: std::slice::from_ref(byte), special: false })
            }
            Kind::Bpe(bpe) => bpe.piece(id).map(|(bytes, special)| Piece { bytes, special }),
        }
    }

    /// The text of tokens, without special ones and numbers that are no token's. It may begin and end within a
    /// character; [`TextStream`] puts the characters together that are cut.
    #[must_use]
    pub fn decode(&self, tokens: &[u32]) -> Vec<u8> {
        let pieces = tokens.iter().filter_map(|id| self.piece(*id)).filter(|piece| !piece.special);
        pieces.flat_map(|piece| piece.bytes).copied().collect()
    }

    /// As [`Tokenizer::decode`], with the names of special tokens.
    #[must_use]
    pub fn decode_with_names(&self, tokens: &[u32]) -> Vec<u8> {
        tokens.iter().filter_map(|id| self.piece(*id)).flat_map(|piece| piece.bytes).copied().collect()
    }
}

/// The text of bytes, or how much of it is one.
pub(crate) fn valid(text: &[u8]) -> Result<&str, TokenizerError> {
    std::str::from_utf8(text).map_err(|error| TokenizerError::NotText { valid_bytes: error.valid_up_to() })
}

/// Puts together text that comes in pieces, which may end within a character. What is no UTF-8 becomes U+FFFD, as in
/// [`String::from_utf8_lossy`] of the whole.
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    /// The beginning of a character.
    rest: Vec<u8>,
}

impl TextStream {
    /// Adds bytes and returns the characters that are complete by now.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend(bytes);
        let mut text = String::new();
        let mut used = 0;
        for chunk in self.rest.utf8_chunks() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            let wrong = chunk.invalid();
            // The beginning of a character at the very end may go on.
            let at_end = used + wrong.len() == self.rest.len();
            if wrong.is_empty()
                || at_end && std::str::from_utf8(wrong).is_err_and(|e| e.error_len().is_none())
            {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            used += wrong.len();
        }
        self.rest.drain(..used);
        text
    }

    /// The end of the text: U+FFFD if it ends within a character.
    #[must_use]
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.rest).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_in_pieces_is_the_text(bytes in "\\PC{0,12}", noise in proptest::collection::vec(any::<u8>(), 0..12), cut in 1usize..5) {
            let all = [bytes.as_bytes(), &noise, bytes.as_bytes()].concat();
            let mut stream = TextStream::default();
            let mut text: String = all.chunks(cut).map(|piece| stream.push(piece)).collect();
            text += &stream.finish();
            prop_assert_eq!(text, String::from_utf8_lossy(&all));
        }

        #[test]
        fn bytes_come_back(text in proptest::collection::vec(any::<u8>(), 0..99)) {
            let tokenizer = Tokenizer::bytes();
            let tokens = tokenizer.stream(&[&text]).unwrap();
            prop_assert_eq!(tokenizer.decode(&tokens), text.clone());
            prop_assert_eq!(tokenizer.decode_with_names(&tokens), [BYTES_START_NAME, &text].concat());
        }
    }

    #[test]
    fn characters_come_when_they_are_complete() {
        let mut stream = TextStream::default();
        let text = "a☕".as_bytes();
        let said: Vec<String> = text.iter().map(|byte| stream.push(&[*byte])).collect();
        assert_eq!(said, ["a", "", "", "☕"]);
        assert_eq!(stream.push(b"\xe2\x98x\xf0\x9f"), "\u{fffd}x");
        assert_eq!(stream.finish(), "\u{fffd}");
    }
}
