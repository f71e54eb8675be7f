//! Where bytes come from: the only module of this crate that touches files.
//!
//! A [`Source`] cuts what it has into tasks and hands out bytes. [`Folder`] is a directory tree, or the crate registry
//! of a cargo home (real prose that every machine that builds Rust has), with a manifest: a file that changed since is
//! reported, never passed on. [`Archives`] are web archives and dumps on disk, packed or not. [`Memory`] and
//! [`MemoryArchive`] are the same in memory, for tests and the simulator. [`remote`] brings archives from elsewhere onto the
//! disk, [`crawl`] knows where Common Crawl has them, and [`threads`] arranges a forum's posts.
//!
//! Buckets of object stores that are open to all are read by their HTTPS addresses. Private ones are not: the client that
//! signs requests would bring twenty crates, among them a C library for cryptography.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Cursor, Read, Seek},
    path::{Path, PathBuf},
};

use primitives::Digest;
use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

use crate::{
    extent::{Cut, Extent},
    manifest::{Entry, Manifest, ManifestError, Span, TaskSlice, plain_path},
};

mod archives;
pub mod crawl;
mod parquet;
pub mod remote;
pub mod threads;
mod unpacked;

pub use archives::{Archives, Gap, MemoryArchive, Survey, is_archive, layout_of};

/// The longest file that a folder takes in by default: twice the longest text of a document, so that `too_large`
/// stands in ledgers and isn't hidden by the walk, and small enough to be read whole.
const FILE_MAX_BYTES: u64 = 4 << 20;
/// Files in one folder source by default: the registry of a home with a thousand crates has some 5,000.
const FILES_MAX: usize = 1 << 17;
/// Directory levels below the root by default; deeper trees are generated, not written.
const DEPTH_MAX: usize = 32;

/// Beginnings of the names of files that hold legal texts.
const LEGAL_NAMES: [&str; 6] = ["LICENSE", "LICENCE", "UNLICENSE", "COPYING", "COPYRIGHT", "NOTICE"];
/// File extensions that are taken, in lower case.
const EXTENSIONS: [&str; 6] = ["md", "markdown", "txt", "html", "htm", "xhtml"];
/// Names without an extension that hold prose by custom, up to the first `-` or `_` and in upper case.
const PROSE_NAMES: [&str; 14] = [
    "AUTHORS",
    "CHANGELOG",
    "CHANGES",
    "CONTRIBUTING",
    "CONTRIBUTORS",
    "COPYING",
    "COPYRIGHT",
    "HISTORY",
    "LICENCE",
    "LICENSE",
    "NEWS",
    "NOTICE",
    "README",
    "UNLICENSE",
];

/// Why a source can't be opened or a file of it read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("cannot read or write {path}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The source has no such file.
    #[error("source has no file {path:?}")]
    Unknown {
        /// The path asked for.
        path: String,
    },
    /// The file is not what the manifest or the task says.
    #[error(
        "{path} changed: {found_bytes} bytes with digest {found}, expected {expected_bytes} with {expected}"
    )]
    Changed {
        /// The file's path in the manifest.
        path: String,
        /// Its length in the manifest, in bytes.
        expected_bytes: u64,
        /// Its digest in the manifest.
        expected: Digest,
        /// The length found, in bytes; one more than the limit where the file is longer than that.
        found_bytes: u64,
        /// The digest of what was found.
        found: Digest,
    },
    /// The file does not have these bytes.
    #[error("{path} does not have {length_bytes} bytes from {first_byte}")]
    Range {
        /// The file's path.
        path: String,
        /// The first byte asked for.
        first_byte: u64,
        /// The number of bytes asked for.
        length_bytes: u64,
    },
    /// There are more files than the limit.
    #[error("{root} holds more than {max} files")]
    Files {
        /// The source's root.
        root: String,
        /// The limit.
        max: usize,
    },
    /// The files make no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Bytes that are read from front to back, and at times from a little before again.
pub trait SourceBytes: Read + Seek + Send {}

impl<T: Read + Seek + Send> SourceBytes for T {}

/// A place that documents come from.
pub trait Source: Sync {
    /// What there is, cut into tasks: in the order of paths, and of bytes within an archive.
    ///
    /// # Errors
    /// [`SourceError`] where something can't be read.
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError>;

    /// The bytes of one file, equal to what the source's manifest says of it where it has one.
    ///
    /// # Errors
    /// [`SourceError`] where the file is unknown, unreadable or changed.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;

    /// A run of a file's bytes.
    ///
    /// # Errors
    /// As [`Source::read`]; [`SourceError::Range`] where the file does not have them.
    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError>;

    /// A run of a file's bytes, to be read piece by piece. Its length is as asked for.
    ///
    /// # Errors
    /// As [`Source::read_range`].
    fn open(
        &self,
        path: &str,
        first_byte: u64,
        length_bytes: u64,
    ) -> Result<Box<dyn SourceBytes + '_>, SourceError> {
        Ok(Box::new(Cursor::new(self.read_range(path, first_byte, length_bytes)?)))
    }

    /// What the subnet's owner put beside the source, by the digest of its bytes; see [`Supplied`].
    ///
    /// # Errors
    /// [`SourceError::Unknown`] where there is nothing of that digest.
    fn supply(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        Err(SourceError::Unknown { path: digest.to_string() })
    }
}

/// A source with what its owner put beside it: exclusion lists, base models, held-out documents.
#[derive(Clone, Debug)]
pub struct Supplied<S> {
    source: S,
    supplies: BTreeMap<Digest, Vec<u8>>,
}

impl<S: Source> Supplied<S> {
    /// The source with these supplies.
    #[must_use]
    pub fn new(source: S, supplies: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let supplies = supplies.into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
        Self { source, supplies }
    }
}

impl<S: Source> Source for Supplied<S> {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        self.source.extents(cut)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.source.read(path)
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        self.source.read_range(path, first_byte, length_bytes)
    }

    fn open(
        &self,
        path: &str,
        first_byte: u64,
        length_bytes: u64,
    ) -> Result<Box<dyn SourceBytes + '_>, SourceError> {
        self.source.open(path, first_byte, length_bytes)
    }

    fn supply(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        self.supplies.get(digest).cloned().map_or_else(|| self.source.supply(digest), Ok)
    }
}

/// A manifest's files as tasks.
fn file_extents(manifest: &Manifest, cut: Cut) -> Result<Vec<Extent>, SourceError> {
    let root = manifest.root();
    let mut first = 0u32;
    let mut extents = Vec::new();
    for count in cut.runs(manifest.entries().iter().map(|entry| entry.length_bytes)) {
        let span = Span { manifest: root, first, count };
        let entries = manifest.entries()[first as usize..(first + count) as usize].to_vec();
        extents.push(Extent::Files(TaskSlice::new(span, entries)?));
        first += count;
    }
    Ok(extents)
}

/// A run of bytes that are there.
fn part(path: &str, bytes: &[u8], first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
    let range = || {
        let first = usize::try_from(first_byte).ok()?;
        bytes.get(first..first.checked_add(usize::try_from(length_bytes).ok()?)?)
    };
    range().map(<[u8]>::to_vec).ok_or_else(|| SourceError::Range {
        path: path.to_owned(),
        first_byte,
        length_bytes,
    })
}

/// How much a folder source takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderLimits {
    /// Files above this length are passed over.
    pub file_max_bytes: u64,
    /// More files than this are an error.
    pub files_max: usize,
    /// Directories deeper than this below the root are passed over.
    pub depth_max: usize,
}

impl Default for FolderLimits {
    fn default() -> Self {
        Self { file_max_bytes: FILE_MAX_BYTES, files_max: FILES_MAX, depth_max: DEPTH_MAX }
    }
}

/// The HTML, Markdown and plain text files below one or several directories.
///
/// Taken are `.html`, `.htm`, `.xhtml`, `.md`, `.markdown` and `.txt` and names such as `README` or `LICENSE-MIT`. Passed over are symbolic
/// links, hidden files and directories, files above the limit, and paths that are not plain UTF-8.
#[derive(Clone, Debug)]
pub struct Folder {
    manifest: Manifest,
    places: BTreeMap<String, PathBuf>,
}

impl Folder {
    /// The files below `root`, each read once for its digest.
    ///
    /// # Errors
    /// [`SourceError`] where something can't be read or there are too many files.
    pub fn open(root: &Path, limits: FolderLimits) -> Result<Self, SourceError> {
        Self::merge(&[root.to_path_buf()], limits, |_| true)
    }

    /// READMEs and documents of all crates that a cargo home has unpacked (`registry/src/<index>/`). Licences, of
    /// which there are a few in hundreds of copies, and `.txt` and HTML files, which are test data there, are passed over.
    ///
    /// Paths begin with the crate (`serde-1.0.0/README.md`), so the same crates give the same manifest on every
    /// machine. A crate that two indices hold is taken from the first in order of their names.
    ///
    /// # Errors
    /// As [`Folder::open`]; a home without a registry is an [`SourceError::Io`].
    pub fn cargo_registry(cargo_home: &Path, limits: FolderLimits) -> Result<Self, SourceError> {
        let sources = cargo_home.join("registry").join("src");
        let mut roots = Vec::new();
        for index in walk(&sources).min_depth(1).max_depth(1) {
            let index = index.map_err(|error| walk_error(&sources, error))?;
            if index.file_type().is_dir() && !hidden(&index) {
                roots.push(index.into_path());
            }
        }
        Self::merge(&roots, limits, is_documentation)
    }

    /// The files that there are.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn merge(
        roots: &[PathBuf],
        limits: FolderLimits,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, SourceError> {
        let mut places = BTreeMap::new();
        for root in roots {
            let tree = walk(root).min_depth(1).max_depth(limits.depth_max).into_iter();
            for found in tree.filter_entry(|entry| entry.depth() == 0 || !hidden(entry)) {
                let found = found.map_err(|error| walk_error(root, error))?;
                let Some(path) = taken(root, &found, limits).filter(|path| wanted(path)) else { continue };
                places.entry(path).or_insert_with(|| found.into_path());
                if places.len() > limits.files_max {
                    return Err(SourceError::Files { root: shown(root), max: limits.files_max });
                }
            }
        }
        let mut entries = Vec::with_capacity(places.len());
        for (path, place) in &places {
            entries.push(Entry::of(path, &read_at_most(place, limits.file_max_bytes)?));
        }
        // A file that grew past the limit between the walk and the read is passed over as if it had been found so.
        entries.retain(|entry| entry.length_bytes <= limits.file_max_bytes);
        places.retain(|path, _| entries.binary_search_by(|entry| entry.path.cmp(path)).is_ok());
        Ok(Self { manifest: Manifest::new(entries)?, places })
    }
}

/// Whether a file of a crate is a README or another document.
fn is_documentation(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_uppercase();
    let is_legal = LEGAL_NAMES.iter().any(|legal| name.starts_with(legal));
    let is_data = [".TXT", ".HTML", ".HTM", ".XHTML"].iter().any(|end| name.ends_with(end));
    !is_legal && !is_data
}

impl Source for Folder {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        file_extents(&self.manifest, cut)
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        part(path, &self.read(path)?, first_byte, length_bytes)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let unknown = || SourceError::Unknown { path: path.to_owned() };
        let entry = self.manifest.find(path).ok_or_else(unknown)?;
        let place = self.places.get(path).ok_or_else(unknown)?;
        unchanged(entry, read_at_most(place, entry.length_bytes)?)
    }
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// The source with these files; of two with the same path the later counts.
    ///
    /// # Errors
    /// [`ManifestError`] for a path that no manifest takes.
    pub fn new<P: Into<String>, B: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (P, B)>,
    ) -> Result<Self, ManifestError> {
        let files: BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(path, bytes)| (path.into(), bytes.into())).collect();
        let entries = files.iter().map(|(path, bytes)| Entry::of(path, bytes)).collect();
        Ok(Self { manifest: Manifest::new(entries)?, files })
    }

    /// The files that there are.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Changes a file behind the manifest's back, as a disk may.
    pub fn overwrite(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.to_owned(), bytes);
    }
}

impl Source for Memory {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        file_extents(&self.manifest, cut)
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        part(path, &self.read(path)?, first_byte, length_bytes)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let unknown = || SourceError::Unknown { path: path.to_owned() };
        let entry = self.manifest.find(path).ok_or_else(unknown)?;
        unchanged(entry, self.files.get(path).ok_or_else(unknown)?.clone())
    }
}

/// Passes bytes on where they are the entry's.
pub(crate) fn unchanged(entry: &Entry, bytes: Vec<u8>) -> Result<Vec<u8>, SourceError> {
    if entry.names(&bytes) {
        return Ok(bytes);
    }
    Err(SourceError::Changed {
        path: entry.path.clone(),
        expected_bytes: entry.length_bytes,
        expected: entry.digest,
        found_bytes: bytes.len() as u64,
        found: Digest::of(&bytes),
    })
}

#[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
fn walk(root: &Path) -> WalkDir {
    WalkDir::new(root).follow_links(false).sort_by_file_name()
}

fn walk_error(root: &Path, error: walkdir::Error) -> SourceError {
    let path = shown(error.path().unwrap_or(root));
    let source = error.into_io_error().unwrap_or_else(|| io::Error::other("directories form a loop"));
    SourceError::Io { path, source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// The path in the manifest of a file that is taken.
fn taken(root: &Path, found: &DirEntry, limits: FolderLimits) -> Option<String> {
    let name = found.file_name().to_str()?;
    if !found.file_type().is_file()
        || !prose_name(name)
        || found.metadata().ok()?.len() > limits.file_max_bytes
    {
        return None;
    }
    let segments: Option<Vec<&str>> =
        found.path().strip_prefix(root).ok()?.iter().map(|segment| segment.to_str()).collect();
    Some(segments?.join("/")).filter(|path| plain_path(path))
}

fn prose_name(name: &str) -> bool {
    if let Some((_, extension)) = name.rsplit_once('.') {
        return EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str());
    }
    let stem = name.split(['-', '_']).next().unwrap_or(name).to_ascii_uppercase();
    PROSE_NAMES.contains(&stem.as_str())
}

/// Writes a file whole, with the directories above it.
pub(crate) fn write(place: &Path, bytes: &[u8]) -> Result<(), SourceError> {
    let io = |source| SourceError::Io { path: shown(place), source };
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    place.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    std::fs::write(place, bytes).map_err(io)
}

/// Makes a file, with the directories above it, to be written bit by bit.
pub(crate) fn create(place: &Path) -> Result<BufWriter<File>, SourceError> {
    let io = |source| SourceError::Io { path: shown(place), source };
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    place.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    File::create(place).map(BufWriter::new).map_err(io)
}

/// The files below a directory by their paths from there, in order, but for hidden ones.
pub(crate) fn files_below(root: &Path, max: usize) -> Result<Vec<String>, SourceError> {
    let mut files = Vec::new();
    for found in walk(root).into_iter().filter_entry(|entry| entry.depth() == 0 || !hidden(entry)) {
        let found = found.map_err(|error| walk_error(root, error))?;
        if found.file_type().is_dir() {
            continue;
        }
        let path = found.path().strip_prefix(root).unwrap_or(found.path());
        files.push(path.iter().map(|segment| segment.to_string_lossy()).collect::<Vec<_>>().join("/"));
        if files.len() > max {
            return Err(SourceError::Files { root: shown(root), max });
        }
    }
    Ok(files)
}

/// Opens a file to read it bit by bit.
pub(crate) fn open(place: &Path) -> Result<File, SourceError> {
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    File::open(place).map_err(|source| SourceError::Io { path: shown(place), source })
}

/// Up to one byte more than `max`, which is enough to see that a file is longer.
pub(crate) fn read_at_most(place: &Path, max: u64) -> Result<Vec<u8>, SourceError> {
    let io = |source| SourceError::Io { path: shown(place), source };
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    let file = File::open(place).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests of the edge lay out files")]
mod tests {
    use std::fs;

    use super::*;

    fn lay(root: &Path, files: &[(&str, &[u8])]) {
        for (path, bytes) in files {
            let place = root.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
    }

    fn paths(folder: &Folder) -> Vec<&str> {
        folder.manifest().entries().iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn prose_is_taken_and_the_rest_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            "b/README.md",
            "a.txt",
            "B.MARKDOWN",
            "b/LICENSE-MIT",
            "b-2/CHANGELOG",
            "b/src/lib.rs",
            "b/Makefile",
            ".git/description.txt",
            "b/.hidden.md",
            "LICENSES.rs",
        ];
        lay(root.path(), &files.map(|path| (path, path.as_bytes())));
        lay(root.path(), &[("big.txt", &[b'x'; 101]), ("fits.txt", &[b'x'; 100])]);
        let limits = FolderLimits { file_max_bytes: 100, ..FolderLimits::default() };
        let folder = Folder::open(root.path(), limits).unwrap();
        let expect = ["B.MARKDOWN", "a.txt", "b-2/CHANGELOG", "b/LICENSE-MIT", "b/README.md", "fits.txt"];
        assert_eq!(paths(&folder), expect);
        assert_eq!(folder.read("b/README.md").unwrap(), b"b/README.md");
        assert!(matches!(folder.read("b/src/lib.rs"), Err(SourceError::Unknown { .. })));
        let few = FolderLimits { files_max: 3, ..limits };
        assert!(matches!(Folder::open(root.path(), few), Err(SourceError::Files { max: 3, .. })));
    }

    #[test]
    #[cfg(unix)]
    fn links_and_names_outside_utf8_are_passed_over() {
        use std::os::unix::{ffi::OsStrExt as _, fs::symlink};
        let root = tempfile::tempdir().unwrap();
        lay(root.path(), &[("dir/a.md", b"a")]);
        symlink(root.path().join("dir/a.md"), root.path().join("link.md")).unwrap();
        symlink(root.path(), root.path().join("loop")).unwrap();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff.md")), b"b").unwrap();
        assert_eq!(paths(&Folder::open(root.path(), FolderLimits::default()).unwrap()), ["dir/a.md"]);
    }

    #[test]
    fn a_changed_file_is_reported() {
        let root = tempfile::tempdir().unwrap();
        lay(root.path(), &[("a.md", b"before"), ("b.md", b"before"), ("c.md", b"before")]);
        let folder = Folder::open(root.path(), FolderLimits::default()).unwrap();
        lay(root.path(), &[("a.md", b"behind"), ("b.md", b"before and more")]);
        fs::remove_file(root.path().join("c.md")).unwrap();
        assert!(matches!(folder.read("a.md"), Err(SourceError::Changed { found_bytes: 6, .. })));
        assert!(matches!(folder.read("b.md"), Err(SourceError::Changed { found_bytes: 7, .. })));
        assert!(matches!(folder.read("c.md"), Err(SourceError::Io { .. })));
        let mut memory = Memory::new([("a.md", "before")]).unwrap();
        assert_eq!(memory.read("a.md").unwrap(), b"before");
        memory.overwrite("a.md", b"after".to_vec());
        assert!(matches!(memory.read("a.md"), Err(SourceError::Changed { .. })));
    }

    #[test]
    fn a_registry_has_the_same_manifest_wherever_it_lies() {
        let open = |layout: &[(&str, &[u8])]| {
            let home = tempfile::tempdir().unwrap();
            lay(home.path(), layout);
            let folder = Folder::cargo_registry(home.path(), FolderLimits::default()).unwrap();
            (folder.manifest().clone(), folder.read("x-1.0.0/README.md").unwrap())
        };
        let one = open(&[
            ("registry/src/index.example-1/x-1.0.0/README.md", b"x"),
            ("registry/src/index.example-1/y-1.0.0/README.md", b"y"),
        ]);
        let two = open(&[
            ("registry/src/mirror.example-2/y-1.0.0/README.md", b"y"),
            ("registry/src/a.example-3/x-1.0.0/README.md", b"x"),
            ("registry/src/b.example-4/x-1.0.0/README.md", b"another x, passed over"),
        ]);
        assert_eq!(one, two);
        let none = tempfile::tempdir().unwrap();
        let missing = Folder::cargo_registry(none.path(), FolderLimits::default());
        assert!(matches!(missing, Err(SourceError::Io { .. })));
    }

    #[test]
    fn a_folder_and_memory_with_the_same_files_are_the_same_source() {
        let root = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 3] = [("z/a.md", b"1"), ("z-a.md", b"2"), ("z.md", b"3")];
        lay(root.path(), &files);
        let folder = Folder::open(root.path(), FolderLimits::default()).unwrap();
        assert_eq!(folder.manifest(), Memory::new(files).unwrap().manifest());
    }
}
