//! Token shards: documents as the numbers of a tokenizer's tokens, one behind the other, as trainers read them.
//!
//! A shard is three files. `.bin` holds the tokens of all documents, two bytes each where the vocabulary has at most 65,536
//! and four otherwise; each document ends with the token for that, where there is one. `.idx` holds, eight bytes each, the
//! place in tokens at which each document begins, and behind the last one the number of all. Both are little endian and
//! nothing else: `numpy.memmap(file, dtype)` with the dtypes that stand in `.json`, the [`Head`]. It names tokenizer,
//! numbers and the SHA-256 of both files.

use std::io::{self, Read, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Tokens of one document: eight for each byte of the longest text.
pub const DOCUMENT_MAX_TOKENS: usize = 1 << 24;
/// The longest head: a name and a few numbers.
pub const HEAD_MAX_BYTES: usize = 64 << 10;
/// Token numbers that two bytes hold.
const SHORT_VOCAB_MAX: u32 = 1 << 16;
const VERSION: u32 = 1;
const OFFSET_BYTES: usize = 8;
/// What is read at once when a shard is checked.
const CHUNK_BYTES: usize = 64 << 10;

/// What the numbers mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The tokenizer's name, or the digest of its file.
    pub tokenizer: String,
    /// Numbers that tokens have: those below this one.
    pub vocab: u32,
    /// The token behind each document.
    pub end: Option<u32>,
}

/// What a token shard says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Of this layout.
    pub version: u32,
    /// What the numbers mean.
    #[serde(flatten)]
    pub vocabulary: Vocabulary,
    /// The form of `.bin` in the language of numpy: `<u2` or `<u4`.
    pub dtype: String,
    /// The form of `.idx`: `<u8`.
    pub offsets_dtype: String,
    /// Documents.
    pub documents: u64,
    /// Tokens of all documents, with those at their ends.
    pub tokens: u64,
    /// SHA-256 of `.bin` in hexadecimal.
    pub bin_sha256: String,
    /// SHA-256 of `.idx` in hexadecimal.
    pub idx_sha256: String,
}

/// Why documents make no token shard, or files are none.
#[derive(Debug, Error)]
pub enum TokenShardError {
    /// The operating system refused.
    #[error("cannot read or write the {file} file of a token shard")]
    Io {
        /// `bin` or `idx`.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A token is not in the vocabulary.
    #[error("document {document} has token {token}, the vocabulary has {vocab}")]
    Token {
        /// The document's number.
        document: u64,
        /// The token's.
        token: u32,
        /// The size of the vocabulary.
        vocab: u32,
    },
    /// A document has too many tokens.
    #[error("document {document} has {found} tokens, at most {DOCUMENT_MAX_TOKENS} are allowed")]
    Long {
        /// The document's number.
        document: u64,
        /// Its tokens.
        found: u64,
    },
    /// The shard has fewer documents.
    #[error("token shard has {documents} documents, none has number {document}")]
    Unknown {
        /// The number asked for.
        document: u64,
        /// How many there are.
        documents: u64,
    },
    /// The head can't be understood or contradicts itself.
    #[error("head of a token shard: {what}")]
    Head {
        /// What is wrong.
        what: String,
    },
    /// A file has another length than the head says.
    #[error("the {file} file has {found} bytes, the head says {expected}")]
    Length {
        /// `bin` or `idx`.
        file: &'static str,
        /// By the head.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// A document ends before it begins, or outside of the shard.
    #[error("document {document} goes from token {first} to {end} of {tokens}")]
    Offsets {
        /// The document's number.
        document: u64,
        /// Where it begins.
        first: u64,
        /// Where it ends.
        end: u64,
        /// The shard's tokens.
        tokens: u64,
    },
    /// A file is not the one that the head names.
    #[error("the {file} file has SHA-256 {found}, the head says {expected}")]
    Changed {
        /// `bin` or `idx`.
        file: &'static str,
        /// By the head.
        expected: String,
        /// What it has.
        found: String,
    },
}

const BIN: &str = "bin";
const IDX: &str = "idx";

fn io_error(file: &'static str) -> impl Fn(io::Error) -> TokenShardError {
    move |source| TokenShardError::Io { file, source }
}

impl Vocabulary {
    fn width_bytes(&self) -> usize {
        if self.vocab <= SHORT_VOCAB_MAX { 2 } else { 4 }
    }

    fn dtype(&self) -> &'static str {
        if self.vocab <= SHORT_VOCAB_MAX { "<u2" } else { "<u4" }
    }

    fn check(&self, document: u64, token: u32) -> Result<(), TokenShardError> {
        let vocab = self.vocab;
        if token < vocab { Ok(()) } else { Err(TokenShardError::Token { document, token, vocab }) }
    }
}

/// A file under way, and its digest.
struct Hashed<W> {
    to: W,
    file: &'static str,
    sha256: Sha256,
}

impl<W: Write> Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TokenShardError> {
        self.sha256.update(bytes);
        self.to.write_all(bytes).map_err(io_error(self.file))
    }

    fn finish(mut self) -> Result<String, TokenShardError> {
        self.to.flush().map_err(io_error(self.file))?;
        Ok(hex(&self.sha256.finalize()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a token shard in one pass, with memory for one document.
pub struct TokenShardWriter<B, I> {
    vocabulary: Vocabulary,
    bin: Hashed<B>,
    idx: Hashed<I>,
    documents: u64,
    tokens: u64,
    /// The tokens of one document, and their bytes.
    numbers: Vec<u32>,
    bytes: Vec<u8>,
}

impl<B: Write, I: Write> TokenShardWriter<B, I> {
    /// A shard without documents, whose tokens go to `bin` and offsets to `idx`.
    ///
    /// # Errors
    /// [`TokenShardError::Token`] where the token at the end is not in the vocabulary; [`TokenShardError::Io`].
    pub fn new(vocabulary: Vocabulary, bin: B, idx: I) -> Result<Self, TokenShardError> {
        if let Some(end) = vocabulary.end {
            vocabulary.check(0, end)?;
        }
        let bin = Hashed { to: bin, file: BIN, sha256: Sha256::new() };
        let mut idx = Hashed { to: idx, file: IDX, sha256: Sha256::new() };
        idx.write(&0u64.to_le_bytes())?;
        Ok(Self { vocabulary, bin, idx, documents: 0, tokens: 0, numbers: Vec::new(), bytes: Vec::new() })
    }

    /// Appends a document as the tokens that `tokenize` appends for it. One without any is a document all the same, so
    /// that numbers stay those of the texts.
    ///
    /// # Errors
    /// [`TokenShardError::Token`] or [`TokenShardError::Long`], after which the shard is as before;
    /// [`TokenShardError::Io`].
    pub fn push(
        &mut self,
        text: &str,
        tokenize: impl FnOnce(&str, &mut Vec<u32>),
    ) -> Result<(), TokenShardError> {
        self.numbers.clear();
        self.bytes.clear();
        tokenize(text, &mut self.numbers);
        self.numbers.extend(self.vocabulary.end);
        let document = self.documents;
        if self.numbers.len() > DOCUMENT_MAX_TOKENS {
            return Err(TokenShardError::Long { document, found: self.numbers.len() as u64 });
        }
        let width = self.vocabulary.width_bytes();
        for token in &self.numbers {
            self.vocabulary.check(document, *token)?;
            self.bytes.extend_from_slice(&token.to_le_bytes()[..width]);
        }
        self.bin.write(&self.bytes)?;
        self.documents += 1;
        self.tokens += self.numbers.len() as u64;
        self.idx.write(&self.tokens.to_le_bytes())
    }

    /// Flushes both files and says what they hold.
    ///
    /// # Errors
    /// [`TokenShardError::Io`].
    pub fn finish(self) -> Result<Head, TokenShardError> {
        let Self { vocabulary, bin, idx, documents, tokens, .. } = self;
        Ok(Head {
            version: VERSION,
            dtype: vocabulary.dtype().to_owned(),
            offsets_dtype: "<u8".to_owned(),
            vocabulary,
            documents,
            tokens,
            bin_sha256: bin.finish()?,
            idx_sha256: idx.finish()?,
        })
    }
}

impl Head {
    /// The head as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with string keys")
    }

    /// Reads what [`Head::to_json`] wrote, from anyone.
    ///
    /// # Errors
    /// [`TokenShardError::Head`].
    pub fn from_json(json: &[u8]) -> Result<Self, TokenShardError> {
        let refuse = |what: String| Err(TokenShardError::Head { what });
        if json.len() > HEAD_MAX_BYTES {
            return refuse(format!("{} bytes, at most {HEAD_MAX_BYTES} are allowed", json.len()));
        }
        let head: Self = match serde_json::from_slice(json) {
            Ok(head) => head,
            Err(error) => return refuse(error.to_string()),
        };
        if head.version != VERSION {
            return refuse(format!("version {}, expected {VERSION}", head.version));
        }
        if head.dtype != head.vocabulary.dtype() || head.offsets_dtype != "<u8" {
            return refuse(format!(
                "dtypes {} and {} for a vocabulary of {}, expected {} and <u8",
                head.dtype,
                head.offsets_dtype,
                head.vocabulary.vocab,
                head.vocabulary.dtype()
            ));
        }
        Ok(head)
    }
}

/// A token shard whose files have the lengths that its head says.
#[derive(Debug)]
pub struct TokenShard<B, I> {
    head: Head,
    bin: B,
    idx: I,
}

impl<B: Read + Seek, I: Read + Seek> TokenShard<B, I> {
    /// The shard in these files.
    ///
    /// # Errors
    /// [`TokenShardError::Length`] for files of other lengths; [`TokenShardError::Io`].
    pub fn open(head: Head, mut bin: B, mut idx: I) -> Result<Self, TokenShardError> {
        let width = head.vocabulary.width_bytes() as u64;
        let expected = head.tokens.saturating_mul(width);
        let found = bin.seek(SeekFrom::End(0)).map_err(io_error(BIN))?;
        if found != expected {
            return Err(TokenShardError::Length { file: BIN, expected, found });
        }
        let expected = head.documents.saturating_add(1).saturating_mul(OFFSET_BYTES as u64);
        let found = idx.seek(SeekFrom::End(0)).map_err(io_error(IDX))?;
        if found != expected {
            return Err(TokenShardError::Length { file: IDX, expected, found });
        }
        Ok(Self { head, bin, idx })
    }

    /// What the shard says of itself.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The tokens of a document, with the one at its end.
    ///
    /// # Errors
    /// [`TokenShardError`] for a document that is not there, is too long, or whose offsets or tokens can't be right.
    pub fn document(&mut self, document: u64) -> Result<Vec<u32>, TokenShardError> {
        let Head { documents, tokens, .. } = self.head;
        if document >= documents {
            return Err(TokenShardError::Unknown { document, documents });
        }
        let mut offsets = [0; 2 * OFFSET_BYTES];
        let at_byte = document * OFFSET_BYTES as u64;
        let read = self.idx.seek(SeekFrom::Start(at_byte)).and_then(|_| self.idx.read_exact(&mut offsets));
        read.map_err(io_error(IDX))?;
        let (offsets, _) = offsets.as_chunks::<OFFSET_BYTES>();
        let [first, end] = [u64::from_le_bytes(offsets[0]), u64::from_le_bytes(offsets[1])];
        let count = length(document, first, end, tokens)?;
        let width = self.head.vocabulary.width_bytes();
        let mut bytes = vec![0; count * width];
        let at_byte = first * width as u64;
        let read = self.bin.seek(SeekFrom::Start(at_byte)).and_then(|_| self.bin.read_exact(&mut bytes));
        read.map_err(io_error(BIN))?;
        let numbers: Vec<u32> = bytes.chunks_exact(width).map(number).collect();
        numbers.iter().try_for_each(|token| self.head.vocabulary.check(document, *token))?;
        Ok(numbers)
    }

    /// Reads both files whole: digests, offsets in order, and every token in the vocabulary. Memory does not grow with
    /// the shard.
    ///
    /// # Errors
    /// The first [`TokenShardError`].
    pub fn check(&mut self) -> Result<(), TokenShardError> {
        let Head { documents, tokens, .. } = self.head;
        let (mut number_of, mut last) = (0u64, 0u64);
        let found = digest(&mut self.idx, IDX, |chunk| {
            for offset in chunk.as_chunks::<OFFSET_BYTES>().0 {
                let offset = u64::from_le_bytes(*offset);
                // The first offset ends nothing, and can only be where the shard begins.
                let document = number_of.saturating_sub(1);
                length(document, last, offset, if number_of == 0 { 0 } else { tokens })?;
                (number_of, last) = (number_of + 1, offset);
            }
            Ok(())
        })?;
        if last != tokens {
            return Err(TokenShardError::Offsets { document: documents, first: last, end: tokens, tokens });
        }
        is_named(IDX, &self.head.idx_sha256, found)?;
        let vocabulary = &self.head.vocabulary;
        let width = vocabulary.width_bytes();
        let found = digest(&mut self.bin, BIN, |chunk| {
            let mut numbers = chunk.chunks_exact(width).map(number);
            // Which document it is in is not looked up: the shard is refused.
            numbers.try_for_each(|token| vocabulary.check(documents, token))
        })?;
        is_named(BIN, &self.head.bin_sha256, found)
    }
}

/// A document's length in tokens, if its offsets can be right.
fn length(document: u64, first: u64, end: u64, tokens: u64) -> Result<usize, TokenShardError> {
    let found = end.checked_sub(first).filter(|_| end <= tokens).ok_or(TokenShardError::Offsets {
        document,
        first,
        end,
        tokens,
    })?;
    let count = usize::try_from(found).ok().filter(|count| *count <= DOCUMENT_MAX_TOKENS);
    count.ok_or(TokenShardError::Long { document, found })
}

/// A number of two or four bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The SHA-256 of a file from its beginning, whose chunks are shown to `look`; they are of whole numbers but for the last.
fn digest(
    from: &mut (impl Read + Seek),
    file: &'static str,
    mut look: impl FnMut(&[u8]) -> Result<(), TokenShardError>,
) -> Result<String, TokenShardError> {
    from.seek(SeekFrom::Start(0)).map_err(io_error(file))?;
    let mut sha256 = Sha256::new();
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    loop {
        chunk.clear();
        from.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk).map_err(io_error(file))?;
        if chunk.is_empty() {
            return Ok(hex(&sha256.finalize()));
        }
        sha256.update(&chunk);
        look(&chunk)?;
    }
}

fn is_named(file: &'static str, expected: &str, found: String) -> Result<(), TokenShardError> {
    if expected == found {
        return Ok(());
    }
    Err(TokenShardError::Changed { file, expected: expected.chars().take(64).collect(), found })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    type InMemory<'a> = TokenShard<Cursor<&'a [u8]>, Cursor<&'a [u8]>>;

    fn vocabulary(vocab: u32, end: Option<u32>) -> Vocabulary {
        Vocabulary { tokenizer: "bytes/1".into(), vocab, end }
    }

    /// A token for each character, by its code point.
    fn written(vocabulary: Vocabulary, texts: &[&str]) -> Result<(Head, Vec<u8>, Vec<u8>), TokenShardError> {
        let (mut bin, mut idx) = (Vec::new(), Vec::new());
        let mut writer = TokenShardWriter::new(vocabulary, &mut bin, &mut idx)?;
        for text in texts {
            writer.push(text, |text, to| to.extend(text.chars().map(u32::from)))?;
        }
        let head = writer.finish()?;
        Ok((head, bin, idx))
    }

    fn opened<'a>(head: &Head, bin: &'a [u8], idx: &'a [u8]) -> Result<InMemory<'a>, TokenShardError> {
        TokenShard::open(head.clone(), Cursor::new(bin), Cursor::new(idx))
    }

    #[test]
    fn files_are_plain_numbers() {
        let (head, bin, idx) = written(vocabulary(256, Some(0)), &["ab", "", "c"]).unwrap();
        assert_eq!(bin, [97, 0, 98, 0, 0, 0, 0, 0, 99, 0, 0, 0]);
        let offsets: Vec<u8> = [0u64, 3, 4, 6].iter().flat_map(|offset| offset.to_le_bytes()).collect();
        assert_eq!(idx, offsets);
        let expect = "{\n  \"version\": 1,\n  \"tokenizer\": \"bytes/1\",\n  \"vocab\": 256,\n  \"end\": 0,\n  \
            \"dtype\": \"<u2\",\n  \"offsets_dtype\": \"<u8\",\n  \"documents\": 3,\n  \"tokens\": 6,\n  \
            \"bin_sha256\": \"BIN\",\n  \"idx_sha256\": \"IDX\"\n}";
        let json = head.to_json().replace(&head.bin_sha256, "BIN").replace(&head.idx_sha256, "IDX");
        assert_eq!(json, expect);
        assert_eq!(Head::from_json(head.to_json().as_bytes()).unwrap(), head);
        let (wide, bin, _) = written(vocabulary(1 << 21, None), &["a\u{1f600}"]).unwrap();
        assert_eq!((wide.dtype.as_str(), bin), ("<u4", vec![97, 0, 0, 0, 0, 0xf6, 1, 0]));
        assert_eq!(vocabulary(1 << 16, None).dtype(), "<u2");
        assert_eq!(vocabulary((1 << 16) + 1, None).dtype(), "<u4");
    }

    #[test]
    fn tokens_outside_of_the_vocabulary_are_refused() {
        let outside = written(vocabulary(256, None), &["fine", "a\u{100}"]).unwrap_err();
        assert_eq!(outside.to_string(), "document 1 has token 256, the vocabulary has 256");
        assert!(matches!(written(vocabulary(9, Some(9)), &[]), Err(TokenShardError::Token { .. })));
        let long = "x".repeat(DOCUMENT_MAX_TOKENS);
        let long = written(vocabulary(256, Some(0)), &[&long]).unwrap_err();
        assert!(matches!(long, TokenShardError::Long { document: 0, found: 16_777_217 }), "{long}");
    }

    #[test]
    fn heads_that_contradict_themselves_are_refused() {
        let (head, ..) = written(vocabulary(256, None), &["a"]).unwrap();
        let check = |change: &dyn Fn(&mut Head)| {
            let mut head = head.clone();
            change(&mut head);
            assert!(matches!(Head::from_json(head.to_json().as_bytes()), Err(TokenShardError::Head { .. })));
        };
        check(&|head| head.version = 2);
        check(&|head| head.dtype = "<u4".into());
        check(&|head| head.vocabulary.vocab = 1 << 20);
        check(&|head| head.offsets_dtype = ">u8".into());
        check(&|head| head.vocabulary.tokenizer = "x".repeat(HEAD_MAX_BYTES));
        assert!(Head::from_json(b"{}").is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(texts: Vec<String>, end in prop::option::of(Just(3u32)), wide: bool) {
            let vocab = if wide { 1 << 21 } else { 1 << 16 };
            let texts: Vec<String> = texts.iter().map(|text| {
                text.chars().filter(|c| u32::from(*c) < vocab).collect()
            }).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (head, bin, idx) = written(vocabulary(vocab, end), &texts).unwrap();
            let mut shard = opened(&head, &bin, &idx).unwrap();
            shard.check().unwrap();
            for (number, text) in (0u64..).zip(&texts) {
                let tokens: Vec<u32> = text.chars().map(u32::from).chain(end).collect();
                prop_assert_eq!(shard.document(number).unwrap(), tokens);
            }
            let behind = shard.document(texts.len() as u64);
            let is_unknown = matches!(behind, Err(TokenShardError::Unknown { .. }));
            prop_assert!(is_unknown);
        }

        #[test]
        fn any_change_is_noticed(texts in prop::collection::vec("[a-z]{0,9}", 0..9), in_idx: bool, at: prop::sample::Index, flip in 1u8..) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (head, mut bin, mut idx) = written(vocabulary(256, Some(0)), &texts).unwrap();
            let bytes = if in_idx || bin.is_empty() { &mut idx } else { &mut bin };
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let mut shard = opened(&head, &bin, &idx).unwrap();
            prop_assert!(shard.check().is_err());
            for number in 0..head.documents {
                // Tokens, or an error: never more than there is.
                if let Ok(tokens) = shard.document(number) {
                    prop_assert!(tokens.len() as u64 <= head.tokens);
                }
            }
            let cut = opened(&head, &bin[..bin.len() / 2], &idx[..1]);
            let is_length = matches!(cut, Err(TokenShardError::Length { .. }));
            prop_assert!(is_length);
        }
    }
}
