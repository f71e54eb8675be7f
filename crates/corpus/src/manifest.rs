//! What a source holds, file by file, and the runs of it that are handed out as tasks.
//!
//! A manifest is sorted by path (as bytes) without repetition, so one set of files has exactly one manifest, and a
//! task's ledger can be laid against it row by row. It says nothing about where the files are: that is
//! [`crate::source`].

use parity_scale_codec::{Compact, Decode, Encode};
use primitives::{Digest, merkle};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest path, in bytes. File systems allow 4,096; real documentation stays below 200.
pub const PATH_MAX_BYTES: usize = 1024;
/// Entries in one manifest: two hundred times the documentation of a home registry with a thousand crates, and some
/// 100 MB encoded at ordinary path lengths.
pub const MANIFEST_MAX_ENTRIES: usize = 1 << 20;

/// The first bytes of an encoded manifest; the last is the version of the encoding.
const MAGIC: [u8; 8] = *b"whmanif\x01";
const TASK_DOMAIN: &str = "weighhouse corpus task v1";

/// One file of a source.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Entry {
    /// The path relative to the source's root, with forward slashes.
    pub path: String,
    /// The file's length in bytes.
    pub length_bytes: u64,
    /// The BLAKE3 digest of the file's bytes.
    pub digest: Digest,
}

impl Entry {
    /// The entry of a file with these bytes.
    #[must_use]
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), length_bytes: bytes.len() as u64, digest: Digest::of(bytes) }
    }

    /// Whether these are the bytes that the entry names.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        self.length_bytes == bytes.len() as u64 && self.digest == Digest::of(bytes)
    }
}

/// Why a list of entries is no manifest, or a range of it no task.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// A path is empty, too long, absolute, or has an odd segment or character.
    #[error("path {path:?} is not relative with plain segments and at most {PATH_MAX_BYTES} bytes")]
    Path {
        /// The path, cut to 100 characters.
        path: String,
    },
    /// Two neighbours are equal or in the wrong order.
    #[error("path {path:?} does not sort after the one before it")]
    Order {
        /// The second of the two.
        path: String,
    },
    /// There are more entries than the bound.
    #[error("manifest has {found} entries, at most {MANIFEST_MAX_ENTRIES} are allowed")]
    Count {
        /// Entries found.
        found: usize,
    },
    /// The span reaches past the end, is empty, or has another number of entries than the slice.
    #[error("span of {count} entries from {first} does not fit {available} entries")]
    Span {
        /// The span's first entry.
        first: u32,
        /// Its number of entries.
        count: u32,
        /// Entries that there are.
        available: usize,
    },
    /// The span was cut from another manifest.
    #[error("span belongs to manifest {expected}, this one is {found}")]
    Root {
        /// The root in the span.
        expected: Digest,
        /// This manifest's root.
        found: Digest,
    },
    /// The bytes are not an encoded manifest of this version.
    #[error("{bytes} bytes are not an encoded manifest: {what}")]
    Form {
        /// Bytes given.
        bytes: usize,
        /// What is wrong with them.
        what: &'static str,
    },
}

/// The sorted list of a source's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Manifest {
    entries: Vec<Entry>,
}

impl Manifest {
    /// The manifest of these entries, which must be sorted by path.
    ///
    /// # Errors
    /// [`ManifestError`] for a bad path, a wrong order or too many entries.
    pub fn new(entries: Vec<Entry>) -> Result<Self, ManifestError> {
        check_entries(&entries)?;
        Ok(Self { entries })
    }

    /// The entries, sorted by path.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        self.entries.get(at)
    }

    /// The Merkle root over the encoded entries: the manifest's name.
    #[must_use]
    pub fn root(&self) -> Digest {
        let leaves: Vec<Digest> = self.entries.iter().map(|entry| merkle::leaf(&entry.encode())).collect();
        merkle::root(&leaves)
    }

    /// Cuts the manifest into spans of `per_task` entries; the last one may be shorter. None where `per_task` is 0.
    #[must_use]
    pub fn spans(&self, per_task: u32) -> Vec<Span> {
        if per_task == 0 {
            return Vec::new();
        }
        let manifest = self.root();
        let total = u32::try_from(self.entries.len()).expect("a manifest has at most 2^20 entries");
        (0..total.div_ceil(per_task))
            .map(|task| task * per_task)
            .map(|first| Span { manifest, first, count: per_task.min(total - first) })
            .collect()
    }

    /// The entries that a span names.
    ///
    /// # Errors
    /// [`ManifestError::Root`] for a span of another manifest, [`ManifestError::Span`] for one that does not fit.
    pub fn slice(&self, span: Span) -> Result<TaskSlice, ManifestError> {
        let found = self.root();
        if span.manifest != found {
            return Err(ManifestError::Root { expected: span.manifest, found });
        }
        let unfit =
            ManifestError::Span { first: span.first, count: span.count, available: self.entries.len() };
        let first = span.first as usize;
        let entries = self.entries.get(first..first.saturating_add(span.count as usize)).ok_or(unfit)?;
        TaskSlice::new(span, entries.to_vec())
    }

    /// The manifest as bytes: magic and version, then the entries in SCALE.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.entries.encode_to(&mut bytes);
        bytes
    }

    /// Reads what [`Manifest::encode`] wrote; one manifest has exactly one encoding.
    ///
    /// # Errors
    /// [`ManifestError`] for bytes of another form, cut or too long, and for whatever [`Manifest::new`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let form = |what| ManifestError::Form { bytes: bytes.len(), what };
        let mut rest = bytes.strip_prefix(&MAGIC).ok_or(form("wrong magic or version"))?;
        let damaged = |_| form("entries are cut or damaged");
        let Compact(count) = Compact::<u32>::decode(&mut rest).map_err(damaged)?;
        let found = count as usize;
        if found > MANIFEST_MAX_ENTRIES {
            return Err(ManifestError::Count { found });
        }
        let entries: Result<Vec<Entry>, ManifestError> =
            (0..found).map(|_| Entry::decode(&mut rest).map_err(damaged)).collect();
        let entries = entries?;
        if !rest.is_empty() {
            return Err(form("bytes left over behind the entries"));
        }
        Self::new(entries)
    }
}

impl TryFrom<Vec<Entry>> for Manifest {
    type Error = ManifestError;
    fn try_from(entries: Vec<Entry>) -> Result<Self, ManifestError> {
        Self::new(entries)
    }
}

impl From<Manifest> for Vec<Entry> {
    fn from(manifest: Manifest) -> Self {
        manifest.entries
    }
}

/// A run of a manifest's entries, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
pub struct Span {
    /// The manifest's root.
    pub manifest: Digest,
    /// The first entry's index in the manifest.
    pub first: u32,
    /// Entries in the run, at least one.
    pub count: u32,
}

/// One task of a folder source: a span with the entries it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SliceForm")]
pub struct TaskSlice {
    span: Span,
    entries: Vec<Entry>,
}

/// What is read before it is checked.
#[derive(Deserialize)]
struct SliceForm {
    span: Span,
    entries: Vec<Entry>,
}

impl TryFrom<SliceForm> for TaskSlice {
    type Error = ManifestError;
    fn try_from(form: SliceForm) -> Result<Self, ManifestError> {
        Self::new(form.span, form.entries)
    }
}

impl TaskSlice {
    /// A slice from its parts. Whether the entries are the manifest's own is for [`Manifest::slice`] to say.
    ///
    /// # Errors
    /// [`ManifestError`] where the number of entries is not the span's, or the entries are no part of a manifest.
    pub fn new(span: Span, entries: Vec<Entry>) -> Result<Self, ManifestError> {
        check_entries(&entries)?;
        let fits = span.count > 0
            && span.count as usize == entries.len()
            && (span.first as usize).saturating_add(entries.len()) <= MANIFEST_MAX_ENTRIES;
        if !fits {
            return Err(ManifestError::Span {
                first: span.first,
                count: span.count,
                available: entries.len(),
            });
        }
        Ok(Self { span, entries })
    }

    /// Where in the manifest the slice stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The entries, sorted by path.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries with their indices in the manifest.
    pub fn numbered(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (self.span.first..).zip(&self.entries)
    }

    /// The entry with this index in the manifest.
    #[must_use]
    pub fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index.checked_sub(self.span.first)? as usize)
    }

    /// The task's name: it binds the span and every entry in it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(TASK_DOMAIN, &[&self.span.encode(), &self.entries.encode()])
    }
}

fn check_entries(entries: &[Entry]) -> Result<(), ManifestError> {
    if entries.len() > MANIFEST_MAX_ENTRIES {
        return Err(ManifestError::Count { found: entries.len() });
    }
    if let Some(bad) = entries.iter().find(|entry| !plain_path(&entry.path)) {
        return Err(ManifestError::Path { path: bad.path.chars().take(100).collect() });
    }
    match entries.windows(2).find(|two| two[0].path >= two[1].path) {
        Some(two) => Err(ManifestError::Order { path: two[1].path.clone() }),
        None => Ok(()),
    }
}

/// Whether a path can be named in a manifest: nothing in it may climb, hide or differ between systems.
pub(crate) fn plain_path(path: &str) -> bool {
    path.len() <= PATH_MAX_BYTES
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && path.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(count: usize) -> Manifest {
        Manifest::new((0..count).map(|i| Entry::of(&format!("d/{i:04}.md"), &i.to_le_bytes())).collect())
            .unwrap()
    }

    #[test]
    fn odd_paths_are_refused() {
        let check = |path: &str, expect| {
            assert_eq!(Manifest::new(vec![Entry::of(path, b"")]).is_ok(), expect, "{path:?}");
        };
        check("a/b.md", true);
        check("a/b c-é.md", true);
        check("a/..b", true);
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\\b", "a\nb", &"x".repeat(1025)] {
            check(path, false);
        }
    }

    #[test]
    fn unsorted_and_doubled_entries_are_refused() {
        let of = |paths: &[&str]| Manifest::new(paths.iter().map(|path| Entry::of(path, b"")).collect());
        assert!(of(&["B", "a", "a/b", "é"]).is_ok());
        assert_eq!(of(&["a", "B"]), Err(ManifestError::Order { path: "B".into() }));
        assert_eq!(of(&["a", "a"]), Err(ManifestError::Order { path: "a".into() }));
    }

    #[test]
    fn spans_cover_every_entry_once() {
        for (entries, per_task, expect) in [(10, 4, 3), (8, 4, 2), (0, 4, 0), (3, 100, 1), (3, 0, 0)] {
            let manifest = manifest(entries);
            let spans = manifest.spans(per_task);
            assert_eq!(spans.len(), expect);
            let joined: Vec<Entry> =
                spans.iter().flat_map(|span| manifest.slice(*span).unwrap().entries().to_vec()).collect();
            if per_task > 0 {
                assert_eq!(joined, manifest.entries());
            }
        }
    }

    #[test]
    fn spans_that_do_not_fit_are_refused() {
        let manifest = manifest(5);
        let span = |first, count| manifest.slice(Span { manifest: manifest.root(), first, count });
        assert!(span(4, 1).is_ok());
        for (first, count) in [(0, 0), (5, 1), (4, 2), (u32::MAX, u32::MAX)] {
            assert!(matches!(span(first, count), Err(ManifestError::Span { .. })), "{first} {count}");
        }
        let foreign = Span { manifest: Digest::of(b"other"), first: 0, count: 1 };
        assert!(matches!(manifest.slice(foreign), Err(ManifestError::Root { .. })));
    }

    #[test]
    fn json_of_a_slice_is_checked_on_the_way_in() {
        let manifest = manifest(3);
        let slice = manifest.slice(manifest.spans(2)[0]).unwrap();
        let json = serde_json::to_string(&slice).unwrap();
        assert_eq!(serde_json::from_str::<TaskSlice>(&json).unwrap(), slice);
        let forged = json.replace("\"count\":2", "\"count\":3");
        assert!(serde_json::from_str::<TaskSlice>(&forged).is_err());
    }

    proptest::proptest! {
        #[test]
        fn decoding_after_encoding_is_the_identity(count in 0usize..40) {
            let manifest = manifest(count);
            proptest::prop_assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
        }

        #[test]
        fn damaged_encodings_never_pass_for_the_manifest(count in 1usize..20, at: usize, xor in 1u8..=255) {
            let manifest = manifest(count);
            let mut bytes = manifest.encode();
            let at = at % bytes.len();
            bytes[at] ^= xor;
            if let Ok(other) = Manifest::decode(&bytes) {
                proptest::prop_assert_ne!(other.root(), manifest.root());
            }
            proptest::prop_assert!(Manifest::decode(&bytes[..at]).is_err());
        }
    }
}
