//! Artifacts: large bytes under the digest of their content.
//!
//! An artifact is visible only when it is whole and safe: [`Folder`] writes it under a temporary name, fsyncs,
//! renames and fsyncs the folder. Reading computes the digest again, so that a disk's error is told and never
//! handed on. What an artifact means, and who refers to it, stands in events.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use primitives::Digest;
use thiserror::Error;

/// The largest artifact in bytes: a shard or a model's weights, which are held in memory whole.
pub const MAX_ARTIFACT_BYTES: u64 = 1 << 30;

/// The folder of files that are being written.
const TEMPORARY: &str = "tmp";
/// The file whose lock tells whether anybody writes.
const LOCK: &str = "lock";

/// Why an artifact was not stored or not handed out.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// Nothing is stored under this digest.
    #[error("no artifact {digest}")]
    Missing {
        /// What was asked for.
        digest: Digest,
    },
    /// The stored bytes have another digest: fetch the artifact again and put it, which mends it.
    #[error("artifact {digest} is damaged: its {bytes} stored bytes have digest {found}")]
    Damaged {
        /// What was asked for.
        digest: Digest,
        /// The digest of what is stored.
        found: Digest,
        /// How many bytes are stored.
        bytes: u64,
    },
    /// More bytes than an artifact may have.
    #[error("artifact has {found} bytes, expected at most {MAX_ARTIFACT_BYTES}")]
    TooLarge {
        /// The number of bytes.
        found: u64,
    },
    /// The file system failed.
    #[error("could not {doing} {path}: {source}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Where artifacts are kept.
pub trait Artifacts: Send + Sync {
    /// Stores `bytes` and returns their digest; when it has returned, they survive a power cut. Storing the same
    /// bytes again changes nothing, but mends a damaged copy.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] and [`ArtifactError::File`].
    fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactError>;

    /// The bytes with this digest, verified.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], [`ArtifactError::Damaged`], [`ArtifactError::TooLarge`] and
    /// [`ArtifactError::File`].
    fn get(&self, digest: Digest) -> Result<Vec<u8>, ArtifactError>;

    /// Whether something is stored under this digest, unverified.
    ///
    /// # Errors
    /// [`ArtifactError::File`].
    fn has(&self, digest: Digest) -> Result<bool, ArtifactError>;
}

/// Artifacts as files: `ab/cdef…` for the digest `abcdef…`. Several processes may share a folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// Held shared for as long as this handle may write.
    lock: Arc<File>,
    /// Makes temporary names of this process distinct.
    counter: Arc<AtomicU64>,
}

impl Folder {
    /// Opens the folder at `root`, creates it where it is missing, and removes what torn writes left behind,
    /// unless another handle is open that may be writing.
    ///
    /// # Errors
    /// [`ArtifactError::File`].
    pub fn open(root: &Path) -> Result<Self, ArtifactError> {
        let temporary = root.join(TEMPORARY);
        fs::create_dir_all(&temporary).map_err(failed("create folder", &temporary))?;
        sync(root)?;
        let path = root.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {
                clean(&temporary)?;
                lock.unlock().map_err(failed("unlock", &path))?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        lock.lock_shared().map_err(failed("lock", &path))?;
        Ok(Self { root: root.to_owned(), lock: Arc::new(lock), counter: Arc::default() })
    }

    /// The file that holds, or would hold, the artifact.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        let text = digest.to_string();
        let (fan, rest) = text.split_at(2);
        self.root.join(fan).join(rest)
    }

    /// A name that no other write uses: of no other handle by the address of its lock, which lives as long.
    fn temporary(&self) -> PathBuf {
        let handle = Arc::as_ptr(&self.lock) as usize;
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        self.root.join(TEMPORARY).join(format!("{}-{handle:x}-{number}", std::process::id()))
    }
}

impl Artifacts for Folder {
    fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactError> {
        check_size(bytes.len() as u64)?;
        let digest = Digest::of(bytes);
        let path = self.path(digest);
        let folder = path.parent().expect("an artifact's file lies in a folder").to_owned();
        if fs::read(&path).is_ok_and(|stored| stored == bytes) {
            // It may have been renamed by a writer that has not come to its fsyncs yet.
            sync(&folder)?;
            sync(&self.root)?;
            return Ok(digest);
        }
        if !folder.exists() {
            fs::create_dir_all(&folder).map_err(failed("create folder", &folder))?;
        }
        // Also where another writer made the folder a moment ago and has not come to its fsync.
        sync(&self.root)?;
        let temporary = self.temporary();
        let written = write(&temporary, bytes).and_then(|()| {
            fs::rename(&temporary, &path).map_err(failed("rename into place", &path))?;
            sync(&folder)
        });
        if written.is_err() {
            // What cannot be removed now is removed when the folder is next opened.
            fs::remove_file(&temporary).ok();
        }
        written.map(|()| digest)
    }

    fn get(&self, digest: Digest) -> Result<Vec<u8>, ArtifactError> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ArtifactError::Missing { digest });
            }
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let length = file.metadata().map_err(failed("look at", &path))?.len();
        check_size(length)?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(MAX_ARTIFACT_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        verified(digest, bytes)
    }

    fn has(&self, digest: Digest) -> Result<bool, ArtifactError> {
        let path = self.path(digest);
        path.try_exists().map_err(failed("look for", &path))
    }
}

/// Artifacts for as long as the process lives. A clone is another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    stored: Arc<Mutex<BTreeMap<Digest, Arc<[u8]>>>>,
}

impl InMemory {
    /// No artifacts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn find(&self, digest: Digest) -> Option<Arc<[u8]>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
    }
}

impl Artifacts for InMemory {
    fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactError> {
        check_size(bytes.len() as u64)?;
        let digest = Digest::of(bytes);
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.entry(digest).or_insert_with(|| bytes.into());
        Ok(digest)
    }

    fn get(&self, digest: Digest) -> Result<Vec<u8>, ArtifactError> {
        let bytes = self.find(digest).ok_or(ArtifactError::Missing { digest })?;
        Ok(bytes.to_vec())
    }

    fn has(&self, digest: Digest) -> Result<bool, ArtifactError> {
        Ok(self.find(digest).is_some())
    }
}

fn check_size(found: u64) -> Result<(), ArtifactError> {
    if found > MAX_ARTIFACT_BYTES { Err(ArtifactError::TooLarge { found }) } else { Ok(()) }
}

fn verified(digest: Digest, bytes: Vec<u8>) -> Result<Vec<u8>, ArtifactError> {
    let found = Digest::of(&bytes);
    if found == digest {
        return Ok(bytes);
    }
    Err(ArtifactError::Damaged { digest, found, bytes: bytes.len() as u64 })
}

/// Writes a new file and waits until the disk has it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    let mut file = File::create_new(path).map_err(failed("create", path))?;
    file.write_all(bytes).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("fsync", path))
}

/// Waits until the disk has a folder's entries.
fn sync(folder: &Path) -> Result<(), ArtifactError> {
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(failed("fsync folder", folder))
}

/// Removes all files of a folder.
fn clean(folder: &Path) -> Result<(), ArtifactError> {
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let path = entry.map_err(failed("list", folder))?.path();
        fs::remove_file(&path).map_err(failed("remove", &path))?;
    }
    Ok(())
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ArtifactError + 'a {
    move |source| ArtifactError::File { doing, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        (root, folder)
    }

    #[test]
    fn bytes_come_back_under_their_digest() {
        fn check(artifacts: &dyn Artifacts) {
            for bytes in [b"".as_slice(), b"weigh", &[0xff; 100_000]] {
                let digest = artifacts.put(bytes).unwrap();
                assert_eq!(digest, Digest::of(bytes));
                assert_eq!(artifacts.put(bytes).unwrap(), digest);
                assert!(artifacts.has(digest).unwrap());
                assert_eq!(artifacts.get(digest).unwrap(), bytes);
            }
            let digest = Digest::of(b"never stored");
            assert!(!artifacts.has(digest).unwrap());
            assert!(
                matches!(artifacts.get(digest), Err(ArtifactError::Missing { digest: d }) if d == digest)
            );
        }
        check(&InMemory::new());
        check(&folder().1);
    }

    #[test]
    fn any_flipped_bit_is_told_and_a_put_mends_it() {
        let (_root, artifacts) = folder();
        let bytes = b"the first shard".to_vec();
        let digest = artifacts.put(&bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(artifacts.path(digest), &flipped).unwrap();
            match artifacts.get(digest) {
                Err(ArtifactError::Damaged { digest: asked, found, bytes: 15 }) => {
                    assert_eq!((asked, found), (digest, Digest::of(&flipped)));
                }
                other => panic!("bit {bit}: {other:?}"),
            }
        }
        assert_eq!(artifacts.put(&bytes).unwrap(), digest);
        assert_eq!(artifacts.get(digest).unwrap(), bytes);
    }

    #[test]
    fn every_cut_is_told() {
        let (_root, artifacts) = folder();
        let bytes = b"the second shard";
        let digest = artifacts.put(bytes).unwrap();
        for length in 0..bytes.len() {
            fs::write(artifacts.path(digest), &bytes[..length]).unwrap();
            assert!(matches!(artifacts.get(digest), Err(ArtifactError::Damaged { .. })), "{length} bytes");
        }
    }

    #[test]
    fn torn_writes_are_invisible_and_removed_by_the_next_open() {
        let (root, artifacts) = folder();
        let torn = root.path().join(TEMPORARY).join("1-0-0");
        fs::write(&torn, b"half").unwrap();
        assert!(!artifacts.has(Digest::of(b"half")).unwrap());
        // A second handle must not take away what the first one may be writing.
        let second = Folder::open(root.path()).unwrap();
        assert!(torn.exists());
        drop((artifacts, second));
        let third = Folder::open(root.path()).unwrap();
        assert!(!torn.exists());
        assert_eq!(third.put(b"whole").unwrap(), Digest::of(b"whole"));
        assert_eq!(fs::read_dir(root.path().join(TEMPORARY)).unwrap().count(), 0);
    }

    #[test]
    fn a_file_above_the_bound_is_refused_before_it_is_read() {
        let (_root, artifacts) = folder();
        let digest = artifacts.put(b"small").unwrap();
        File::options()
            .write(true)
            .open(artifacts.path(digest))
            .unwrap()
            .set_len(MAX_ARTIFACT_BYTES + 1)
            .unwrap();
        assert!(
            matches!(artifacts.get(digest), Err(ArtifactError::TooLarge { found }) if found == MAX_ARTIFACT_BYTES + 1)
        );
    }

    #[test]
    fn threads_that_put_the_same_bytes_agree() {
        let (_root, artifacts) = folder();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..20u32 {
                        let digest = artifacts.put(&n.to_le_bytes()).unwrap();
                        assert_eq!(artifacts.get(digest).unwrap(), n.to_le_bytes());
                    }
                });
            }
        });
    }
}
