//! What one task covers: a run of a manifest's files, or a run of an archive's bytes.

use parity_scale_codec::Encode;
use primitives::Digest;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    layout::Layout,
    manifest::{TaskSlice, plain_path},
};

const ARCHIVE_DOMAIN: &str = "weighhouse corpus archive task v1";
/// Of archives with another layout, which is bound as well.
const DUMP_DOMAIN: &str = "weighhouse corpus dump task v1";

/// What a task covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// A run of a manifest's files.
    Files(TaskSlice),
    /// A run of whole records in one archive.
    Archive(ArchiveRange),
}

/// A run of whole records in one archive, as stored bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchiveRange {
    /// The archive's path in its source.
    pub path: String,
    /// The archive's length.
    pub archive_bytes: u64,
    /// Where the run begins.
    pub first_byte: u64,
    /// Its length, at least 1.
    pub length_bytes: u64,
    /// The BLAKE3 digest of the run's stored bytes.
    pub digest: Digest,
    /// How the archive is laid out.
    #[serde(skip_serializing_if = "Layout::is_records")]
    pub layout: Layout,
}

impl ArchiveRange {
    /// The byte behind the run's last.
    #[must_use]
    pub fn end_byte(&self) -> u64 {
        self.first_byte.saturating_add(self.length_bytes)
    }

    /// Whether the path is plain and the run lies in the archive and is not empty.
    #[must_use]
    pub fn fits(&self) -> bool {
        let end = self.first_byte.checked_add(self.length_bytes);
        plain_path(&self.path) && self.length_bytes > 0 && end.is_some_and(|end| end <= self.archive_bytes)
    }
}

/// What is read before it is checked.
#[derive(Deserialize)]
struct RangeForm {
    path: String,
    archive_bytes: u64,
    first_byte: u64,
    length_bytes: u64,
    digest: Digest,
    #[serde(default)]
    layout: Layout,
}

impl<'de> Deserialize<'de> for ArchiveRange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RangeForm { path, archive_bytes, first_byte, length_bytes, digest, layout } =
            RangeForm::deserialize(from)?;
        let range = Self { path, archive_bytes, first_byte, length_bytes, digest, layout };
        if range.fits() {
            return Ok(range);
        }
        let message = format!(
            "range of {length_bytes} bytes from {first_byte} does not fit an archive of {archive_bytes}, or its path \
             is not plain"
        );
        Err(de::Error::custom(message))
    }
}

impl Extent {
    /// The extent's name: it binds every byte that the task is about.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Files(slice) => slice.digest(),
            Self::Archive(range) => {
                let ArchiveRange { path, archive_bytes, first_byte, length_bytes, digest, layout } = range;
                let facts = (path, archive_bytes, first_byte, length_bytes, digest).encode();
                match layout {
                    Layout::Records => Digest::of_parts(ARCHIVE_DOMAIN, &[&facts]),
                    layout => {
                        let layout = serde_json::to_vec(layout).expect("plain data with string keys");
                        Digest::of_parts(DUMP_DOMAIN, &[&facts, &layout])
                    }
                }
            }
        }
    }

    /// Stored bytes that it covers.
    #[must_use]
    pub fn length_bytes(&self) -> u64 {
        match self {
            Self::Files(slice) => {
                slice.entries().iter().fold(0, |sum, entry| sum.saturating_add(entry.length_bytes))
            }
            Self::Archive(range) => range.length_bytes,
        }
    }

    /// The paths that it reads, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let (files, archive) = match self {
            Self::Files(slice) => (slice.entries(), None),
            Self::Archive(range) => (&[][..], Some(range.path.as_str())),
        };
        files.iter().map(|entry| entry.path.as_str()).chain(archive)
    }
}

/// When a task is full: by records or by stored bytes, whichever comes first. The one that fills it is its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Most records or files, at least 1.
    pub entries_max: u32,
    /// Stored bytes at which it is full, at least 1.
    pub bytes_max: u64,
}

impl Cut {
    /// Lengths of runs over records of these lengths: how many records each takes.
    pub(crate) fn runs(self, lengths: impl IntoIterator<Item = u64>) -> Vec<u32> {
        let (mut runs, mut count, mut bytes) = (Vec::new(), 0u32, 0u64);
        for length in lengths {
            count += 1;
            bytes = bytes.saturating_add(length);
            if count >= self.entries_max || bytes >= self.bytes_max {
                runs.push(count);
                (count, bytes) = (0, 0);
            }
        }
        if count > 0 {
            runs.push(count);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_full_by_bytes_or_by_entries() {
        let lengths = [10, 10, 10, 50, 1, 1, 1, 1, 1];
        let check = |entries_max, bytes_max, expect: &[u32]| {
            assert_eq!(Cut { entries_max, bytes_max }.runs(lengths), expect);
        };
        check(4, 20, &[2, 2, 4, 1]);
        check(1, u64::MAX, &[1; 9]);
        check(0, 0, &[1; 9]);
        check(100, u64::MAX, &[9]);
    }

    #[test]
    fn ranges_outside_of_their_archive_are_refused() {
        let json = |path: &str, first: u64, length: u64| {
            format!(
                r#"{{"archive":{{"path":"{path}","archive_bytes":10,"first_byte":{first},"length_bytes":{length},"digest":"{}"}}}}"#,
                Digest::default()
            )
        };
        let read = |json: String| serde_json::from_str::<Extent>(&json);
        let whole = read(json("a.warc.gz", 0, 10)).unwrap();
        assert_eq!(serde_json::to_string(&whole).unwrap(), json("a.warc.gz", 0, 10));
        assert_eq!(whole.length_bytes(), 10);
        for bad in [("a", 5, 6), ("a", 0, 0), ("../a", 0, 10), ("a", u64::MAX, 2)] {
            assert!(read(json(bad.0, bad.1, bad.2)).is_err(), "{bad:?}");
        }
    }
}
