//! Shards: what a miner makes of a task, as bytes and under one root.
//!
//! A shard is the miner's claim. Decoding accepts whatever has the form and stays within [`Limits`]; whether the claim
//! is true is for [`crate::verify`]. The root is taken over the content, not over the compressed bytes, and binds the
//! miner's hotkey: a copied shard is another shard.
//!
//! Bytes: magic and version (8) · length of the payload (8, little endian) · payload as one zstd frame · BLAKE3 of
//! everything before (32). Payload, in SCALE: header, ledger rows, document rows.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use parity_scale_codec::{Compact, Decode, Encode};
use primitives::{Digest, Hotkey, merkle};
use thiserror::Error;

use crate::{
    archive::{self, Content, RecordKind},
    decision::{Decision, Reason},
    document::{Document, Extractor, RECIPE, Recipe, Rules, TEXT_MAX_BYTES},
    extent::{ArchiveRange, Extent},
    extract,
    ledger::{Ledger, LedgerRow},
    manifest::PATH_MAX_BYTES,
    page::{NAME_MAX_BYTES, Page, URL_MAX_BYTES},
    source::{Source, SourceError, unchanged},
};

/// The first bytes of an encoded shard; the last is the version of the encoding.
const MAGIC: [u8; 8] = *b"whshard\x02";
const LENGTH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 32;
/// zstd's own default: beyond it a few per cent of size cost several times the time.
const ZSTD_LEVEL: i32 = 3;
/// 2^23 bytes: the window that level 3 may use for any length, and the most that a decoder must have by RFC 8878.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Names of recipes are short words.
const RECIPE_ID_MAX_BYTES: usize = 64;
/// A ledger row with an empty path: its length, place, kind, digest, decision.
const LEDGER_ROW_MIN_BYTES: usize = 1 + 16 + 1 + 32 + 1;
/// A document row of empty texts: record, lengths, permille, tokens, fingerprint.
const DOCUMENT_ROW_MIN_BYTES: usize = 4 + 5 + 2 + 8 + 32;

/// Who made a shard, of what and how.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// The recipe that was run.
    pub recipe: Recipe,
    /// [`Extent::digest`] of what the task covers.
    pub task: Digest,
    /// The miner.
    pub miner: Hotkey,
}

/// One kept document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DocumentRow {
    /// The row of the ledger that it belongs to.
    pub record: u32,
    /// The address that the record names; empty for files.
    pub url: String,
    /// The record's own name; empty for files.
    pub record_id: String,
    /// When the record was taken, as it says it; empty for files.
    pub date: String,
    /// The text's language as an ISO 639-1 code, or [`crate::language::UNDETERMINED`].
    pub language: String,
    /// How sure that is, in thousandths.
    pub language_permille: u16,
    /// Its text.
    pub text: String,
    /// Its length in tokens of [`crate::tokens::TOKENIZER`].
    pub tokens: u64,
    /// [`crate::document::fingerprint`] of its text.
    pub fingerprint: Digest,
}

/// A task's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Who, what and how.
    pub header: Header,
    /// One row per record of the task.
    pub ledger: Ledger,
    /// One row per kept record, in the ledger's order.
    pub documents: Vec<DocumentRow>,
}

/// What a decoder lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest encoding.
    pub encoded_max_bytes: usize,
    /// The longest payload.
    pub decoded_max_bytes: usize,
    /// Payload bytes per byte of its zstd frame.
    pub ratio_max: usize,
    /// Rows of the ledger, and of documents.
    pub rows_max: usize,
    /// The longest text of one document.
    pub text_max_bytes: usize,
}

impl Default for Limits {
    /// Room for 128 texts of the greatest length, or 65,536 of 4 kB. The documentation of a registry compresses 3.5
    /// times; a payload that shrinks seventy times as well is padding.
    fn default() -> Self {
        Self {
            encoded_max_bytes: 128 << 20,
            decoded_max_bytes: 256 << 20,
            ratio_max: 256,
            rows_max: 1 << 16,
            text_max_bytes: TEXT_MAX_BYTES,
        }
    }
}

/// Why bytes are no shard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// The encoding is too long.
    #[error("shard has {found} bytes, at most {max} are allowed")]
    Encoded {
        /// Bytes given.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// The payload is, or says that it is, too long.
    #[error("payload of {found} bytes in a frame of {frame} is beyond {max} or the allowed ratio")]
    Payload {
        /// Its stated length in bytes.
        found: u64,
        /// The compressed length in bytes.
        frame: usize,
        /// The limit.
        max: usize,
    },
    /// The checksum does not match: damaged or cut.
    #[error("checksum does not match: damaged or cut")]
    Checksum,
    /// There are too many rows.
    #[error("{found} rows of {what}, at most {max} are allowed or fit")]
    Rows {
        /// Of the ledger or of documents.
        what: &'static str,
        /// The stated number.
        found: u32,
        /// The limit, or what the bytes left could hold.
        max: usize,
    },
    /// A text, path or name is too long.
    #[error("{what} of row {row} has {found} bytes, at most {max} are allowed")]
    Text {
        /// Which field.
        what: &'static str,
        /// Its row.
        row: usize,
        /// Its length in bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes are of another form or version.
    #[error("not a shard of this version: {what}")]
    Form {
        /// What is wrong.
        what: &'static str,
    },
}

impl Shard {
    /// Runs the pinned recipe over a task and keeps each text once.
    ///
    /// # Errors
    /// [`SourceError`] where the source can't be read or is not what the task says: then there is no honest shard.
    pub fn build(
        extent: &Extent,
        source: &dyn Source,
        miner: Hotkey,
        rules: &Rules,
    ) -> Result<Self, SourceError> {
        Self::build_with(extent, source, miner, RECIPE, rules, &extract::main_text)
    }

    /// As [`Shard::build`], with an extraction of one's own and the name that it goes by.
    ///
    /// # Errors
    /// As [`Shard::build`].
    pub fn build_with(
        extent: &Extent,
        source: &dyn Source,
        miner: Hotkey,
        recipe: Recipe,
        rules: &Rules,
        extract: &Extractor<'_>,
    ) -> Result<Self, SourceError> {
        let mut making =
            Making { rules, extract, first_with: BTreeMap::new(), rows: Vec::new(), documents: Vec::new() };
        match extent {
            Extent::Files(slice) => {
                for entry in slice.entries() {
                    let bytes = unchanged(entry, source.read(&entry.path)?)?;
                    let row = LedgerRow {
                        path: entry.path.clone(),
                        offset_bytes: 0,
                        length_bytes: entry.length_bytes,
                        kind: RecordKind::File,
                        digest: entry.digest,
                        decision: Decision::Kept,
                    };
                    // A file's path is in its row already.
                    let page =
                        Page::of_file(&entry.path, &bytes).map(|page| Page { url: String::new(), ..page });
                    making.add(row, page);
                }
            }
            Extent::Archive(range) => making.add_range(range, source)?,
        }
        let header = Header { recipe, task: extent.digest(), miner };
        Ok(Self { header, ledger: Ledger { rows: making.rows }, documents: making.documents })
    }

    /// The tokens that the document rows state, together.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.documents.iter().fold(0, |sum, row| sum.saturating_add(row.tokens))
    }

    /// The document of this row of the ledger.
    #[must_use]
    pub fn document(&self, row: u32) -> Option<&DocumentRow> {
        self.documents.iter().find(|document| document.record == row)
    }

    /// The Merkle leaves: the header, then each ledger row, then each document row, each under a tag of its own.
    #[must_use]
    pub fn leaves(&self) -> Vec<Digest> {
        let header = std::iter::once(merkle::leaf(&(0u8, &self.header).encode()));
        let rows = self.ledger.rows.iter().map(|row| merkle::leaf(&(1u8, row).encode()));
        let documents = self.documents.iter().map(|row| merkle::leaf(&(2u8, row).encode()));
        header.chain(rows).chain(documents).collect()
    }

    /// The Merkle root over [`Shard::leaves`]: what the miner commits to.
    #[must_use]
    pub fn root(&self) -> Digest {
        merkle::root(&self.leaves())
    }

    /// The shard as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = self.header.encode();
        self.ledger.rows.encode_to(&mut payload);
        self.documents.encode_to(&mut payload);
        let frame =
            zstd::bulk::compress(&payload, ZSTD_LEVEL).expect("memory takes any frame of a valid level");
        seal(payload.len() as u64, &frame)
    }

    /// Reads what [`Shard::encode`] wrote. The bytes may come from anyone: no more is allocated than the limits and
    /// the bytes at hand allow.
    ///
    /// # Errors
    /// [`ShardError`] for bytes of another form, damaged, or beyond the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, ShardError> {
        let payload = open(bytes, limits)?;
        let mut rest = &payload[..];
        let header =
            Header::decode(&mut rest).map_err(|_| ShardError::Form { what: "header is cut or damaged" })?;
        check_text("recipe name", 0, header.recipe.id.len(), RECIPE_ID_MAX_BYTES)?;
        let rows: Vec<LedgerRow> = rows("ledger", &mut rest, limits.rows_max, LEDGER_ROW_MIN_BYTES)?;
        for (row, LedgerRow { path, .. }) in rows.iter().enumerate() {
            check_text("path", row, path.len(), PATH_MAX_BYTES)?;
        }
        let documents: Vec<DocumentRow> =
            self::rows("documents", &mut rest, limits.rows_max, DOCUMENT_ROW_MIN_BYTES)?;
        for (row, document) in documents.iter().enumerate() {
            check_text("text", row, document.text.len(), limits.text_max_bytes)?;
            check_text("url", row, document.url.len(), URL_MAX_BYTES)?;
            for name in [&document.record_id, &document.date, &document.language] {
                check_text("name", row, name.len(), NAME_MAX_BYTES)?;
            }
        }
        if !rest.is_empty() {
            return Err(ShardError::Form { what: "bytes left over behind the rows" });
        }
        Ok(Self { header, ledger: Ledger { rows }, documents })
    }
}

/// A shard under way.
struct Making<'a> {
    rules: &'a Rules,
    extract: &'a Extractor<'a>,
    /// The row that was kept first with each fingerprint.
    first_with: BTreeMap<Digest, u32>,
    rows: Vec<LedgerRow>,
    documents: Vec<DocumentRow>,
}

impl Making<'_> {
    fn add_range(&mut self, range: &ArchiveRange, source: &dyn Source) -> Result<(), SourceError> {
        let bytes = source.read_range(&range.path, range.first_byte, range.length_bytes)?;
        let found = Digest::of(&bytes);
        if found != range.digest {
            return Err(SourceError::Changed {
                path: range.path.clone(),
                expected_bytes: range.length_bytes,
                expected: range.digest,
                found_bytes: bytes.len() as u64,
                found,
            });
        }
        let mut at = 0;
        while at < bytes.len() {
            let offset_bytes = range.first_byte + at as u64;
            let step = archive::step(&bytes[at..]).map_err(|error| SourceError::Unreadable {
                path: range.path.clone(),
                offset_bytes,
                error,
            })?;
            let stored = &bytes[at..at + step.length];
            let row = LedgerRow {
                path: range.path.clone(),
                offset_bytes,
                length_bytes: step.length as u64,
                kind: step.kind(),
                digest: step.digest(stored),
                decision: Decision::Kept,
            };
            self.add(row, page_of(&step.content));
            at += step.length;
        }
        Ok(())
    }

    /// Decides about one record.
    fn add(&mut self, mut row: LedgerRow, page: Result<Page, Reason>) {
        // A task's limits keep its rows far below; a shard of more would be refused anyway.
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let made = page.and_then(|page| Ok((Document::of_page(&page, self.rules, self.extract)?, page)));
        row.decision = match made {
            Err(reason) => Decision::Dropped(reason),
            Ok((document, page)) => match self.first_with.get(&document.fingerprint) {
                Some(&row) => Decision::Dropped(Reason::DuplicateOf { row }),
                None => {
                    self.first_with.insert(document.fingerprint, number);
                    self.documents.push(DocumentRow::of(number, page, document));
                    Decision::Kept
                }
            },
        };
        self.rows.push(row);
    }
}

/// The page in a step of an archive.
pub(crate) fn page_of(content: &Content) -> Result<Page, Reason> {
    match content {
        Content::Record(record) => Page::of_record(record),
        Content::TooLarge(_) => Err(Reason::TooLarge),
        Content::Malformed(_) => Err(Reason::Malformed),
    }
}

impl DocumentRow {
    /// The row of a document made of this page.
    pub(crate) fn of(record: u32, page: Page, document: Document) -> Self {
        let Page { url, record_id, date, .. } = page;
        let Document { text, language, language_permille, tokens, fingerprint } = document;
        Self {
            record,
            url,
            record_id,
            date,
            language: language.to_owned(),
            language_permille,
            text,
            tokens,
            fingerprint,
        }
    }
}

/// Frames a compressed payload with everything around it.
fn seal(payload_bytes: u64, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + LENGTH_BYTES + frame.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&payload_bytes.to_le_bytes());
    bytes.extend_from_slice(frame);
    let checksum = Digest::of(&bytes);
    bytes.extend_from_slice(&checksum.0);
    bytes
}

/// The payload of an encoded shard: exactly one frame of exactly the stated length.
fn open(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, ShardError> {
    if bytes.len() > limits.encoded_max_bytes {
        return Err(ShardError::Encoded { found: bytes.len(), max: limits.encoded_max_bytes });
    }
    let rest = bytes.strip_prefix(&MAGIC).ok_or(ShardError::Form { what: "wrong magic or version" })?;
    let cut = ShardError::Form { what: "shorter than its frame" };
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(cut.clone())?;
    let (length, _) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(cut.clone())?;
    let frame = body.get(MAGIC.len() + LENGTH_BYTES..).ok_or(cut)?;
    if Digest::of(body).0 != *checksum {
        return Err(ShardError::Checksum);
    }
    let stated = u64::from_le_bytes(*length);
    let max = limits.decoded_max_bytes.min(frame.len().saturating_mul(limits.ratio_max));
    let payload_bytes = usize::try_from(stated)
        .ok()
        .filter(|length| *length <= max)
        .ok_or(ShardError::Payload { found: stated, frame: frame.len(), max: limits.decoded_max_bytes })?;
    let damaged = |_| ShardError::Form { what: "payload is not one zstd frame" };
    let mut decoder = zstd::Decoder::with_buffer(Cursor::new(frame)).map_err(damaged)?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
    // Not reserved by the stated length: memory grows only with bytes that the frame really yields.
    let mut payload = Vec::new();
    decoder.by_ref().take(stated.saturating_add(1)).read_to_end(&mut payload).map_err(damaged)?;
    let used = decoder.finish().position();
    if payload.len() != payload_bytes || used != frame.len() as u64 {
        return Err(ShardError::Form { what: "payload or frame has another length than stated" });
    }
    Ok(payload)
}

/// Reads a list whose stated length is checked before anything is made of it.
fn rows<T: Decode>(
    what: &'static str,
    rest: &mut &[u8],
    rows_max: usize,
    row_min_bytes: usize,
) -> Result<Vec<T>, ShardError> {
    let damaged = |_| ShardError::Form { what: "rows are cut or damaged" };
    let Compact(count) = Compact::<u32>::decode(rest).map_err(damaged)?;
    let max = rows_max.min(rest.len() / row_min_bytes);
    if count as usize > max {
        return Err(ShardError::Rows { what, found: count, max });
    }
    (0..count).map(|_| T::decode(rest).map_err(damaged)).collect()
}

fn check_text(what: &'static str, row: usize, found: usize, max: usize) -> Result<(), ShardError> {
    if found > max { Err(ShardError::Text { what, row, found, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Shard {
        let row = |path: &str, decision| LedgerRow {
            path: path.into(),
            offset_bytes: 0,
            length_bytes: 5,
            kind: RecordKind::File,
            digest: Digest::of(path.as_bytes()),
            decision,
        };
        Shard {
            header: Header { recipe: RECIPE, task: Digest::of(b"task"), miner: Hotkey::from_bytes([7; 32]) },
            ledger: Ledger {
                rows: vec![row("a.md", Decision::Kept), row("b.md", Decision::Dropped(Reason::Empty))],
            },
            documents: vec![DocumentRow {
                record: 0,
                url: String::new(),
                record_id: String::new(),
                date: String::new(),
                language: "en".into(),
                language_permille: 1000,
                text: "text".into(),
                tokens: 1,
                fingerprint: Digest::of(b"f"),
            }],
        }
    }

    fn payload_of(shard: &Shard) -> Vec<u8> {
        open(&shard.encode(), &Limits::default()).unwrap()
    }

    /// An encoding with a right checksum around any payload.
    fn forge(payload: &[u8]) -> Vec<u8> {
        seal(payload.len() as u64, &zstd::bulk::compress(payload, ZSTD_LEVEL).unwrap())
    }

    #[test]
    fn the_encoding_is_fixed() {
        let shard = small();
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()), Ok(shard.clone()));
        let payload = Digest::of(&payload_of(&shard));
        let pinned = (payload.to_string(), shard.root().to_string());
        let expect = (
            "42db6e8ee3a5e0682be175d61e771afa5a2bdfd4def8056109c8a6e659b404f0".to_owned(),
            "c40e68fb0828f770f349985ce21a9b1a2990cdbc44831a48bd0746f6f377f1e3".to_owned(),
        );
        assert_eq!(pinned, expect);
    }

    #[test]
    fn each_limit_is_enforced() {
        let shard = small();
        let bytes = shard.encode();
        let check = |limits: Limits| Shard::decode(&bytes, &limits).unwrap_err();
        let all = Limits::default();
        let encoded_max_bytes = bytes.len() - 1;
        assert!(matches!(check(Limits { encoded_max_bytes, ..all }), ShardError::Encoded { .. }));
        assert!(matches!(check(Limits { decoded_max_bytes: 20, ..all }), ShardError::Payload { .. }));
        assert!(matches!(check(Limits { ratio_max: 0, ..all }), ShardError::Payload { .. }));
        assert_eq!(
            check(Limits { rows_max: 1, ..all }),
            ShardError::Rows { what: "ledger", found: 2, max: 1 }
        );
        let text = ShardError::Text { what: "text", row: 0, found: 4, max: 3 };
        assert_eq!(check(Limits { text_max_bytes: 3, ..all }), text);
    }

    #[test]
    fn bombs_are_refused_before_they_unfold() {
        let zeros = vec![0u8; 64 << 20];
        let frame = zstd::bulk::compress(&zeros, 19).unwrap();
        let honest_about_it = seal(zeros.len() as u64, &frame);
        let refused = Shard::decode(&honest_about_it, &Limits::default());
        assert!(matches!(refused, Err(ShardError::Payload { .. })), "{refused:?}");
        let lying = seal(1000, &frame);
        let refused = Shard::decode(&lying, &Limits::default());
        assert!(matches!(refused, Err(ShardError::Form { .. })), "{refused:?}");
        // A count of 2^30 rows behind the header, without rows.
        let mut payload = small().header.encode();
        Compact(1u32 << 30).encode_to(&mut payload);
        let counted = Shard::decode(&forge(&payload), &Limits::default());
        assert!(matches!(counted, Err(ShardError::Rows { found: 1_073_741_824, max: 0, .. })), "{counted:?}");
    }

    #[test]
    fn what_stands_behind_the_end_is_refused() {
        let bytes = small().encode();
        assert_eq!(
            Shard::decode(&[&bytes[..], b"x"].concat(), &Limits::default()),
            Err(ShardError::Checksum)
        );
        let mut payload = payload_of(&small());
        payload.push(0);
        assert!(matches!(Shard::decode(&forge(&payload), &Limits::default()), Err(ShardError::Form { .. })));
        let frame = zstd::bulk::compress(&payload_of(&small()), ZSTD_LEVEL).unwrap();
        let twice = seal(2 * payload_of(&small()).len() as u64, &[&frame[..], &frame].concat());
        assert!(matches!(Shard::decode(&twice, &Limits::default()), Err(ShardError::Form { .. })));
        for cut in 0..bytes.len() {
            assert!(Shard::decode(&bytes[..cut], &Limits::default()).is_err(), "{cut}");
        }
    }

    #[test]
    fn the_root_binds_the_miner() {
        let mut copied = small();
        copied.header.miner = Hotkey::from_bytes([8; 32]);
        assert_ne!(copied.root(), small().root());
    }

    proptest::proptest! {
        #[test]
        fn mutated_payloads_never_share_the_root(edits in proptest::collection::vec((0usize..1 << 16, 0u8..=255), 1..4)) {
            let shard = small();
            let original = payload_of(&shard);
            let mut payload = original.clone();
            for (at, value) in edits {
                let at = at % payload.len();
                payload[at] = value;
            }
            if let Ok(other) = Shard::decode(&forge(&payload), &Limits::default()) {
                proptest::prop_assert_eq!(payload_of(&other), payload.clone());
                proptest::prop_assert_eq!(other.root() == shard.root(), payload == original);
            }
        }

        #[test]
        fn mutated_frames_never_pass_for_the_shard(at: usize, value: u8) {
            let shard = small();
            let payload = payload_of(&shard);
            let mut frame = zstd::bulk::compress(&payload, ZSTD_LEVEL).unwrap();
            let at = at % frame.len();
            frame[at] = value;
            if let Ok(other) = Shard::decode(&seal(payload.len() as u64, &frame), &Limits::default()) {
                proptest::prop_assert_eq!(other.root() == shard.root(), other == shard);
            }
        }
    }
}
