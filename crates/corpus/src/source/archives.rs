//! Web archives and dumps on disk, and archives in memory.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Cursor, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use flate2::{Compression, GzBuilder};
use primitives::Digest;

use super::{
    Source, SourceBytes, SourceError, hidden, part, shown,
    unpacked::{self, DICTIONARY_MAGIC, Unpacked},
    walk, walk_error,
};
use crate::{
    archive::{self, Content, Reader, Step, Unreadable},
    extent::{ArchiveRange, Cut, Extent},
    layout::{Fields, Layout},
    manifest::plain_path,
};

/// Endings of web archives' names, in lower case; each also with that of a packing behind it.
const WEB_ENDINGS: &[&str] = &[".warc", ".wet", ".wat", ".arc"];
const WIKI_ENDINGS: &[&str] = &[".xml"];
const THREAD_ENDINGS: &[&str] = &[".threads"];
const ROW_ENDINGS: &[&str] = &[".jsonl", ".ndjson", ".json"];
/// Archives in one source: ten times the files of one Common Crawl segment list.
const ARCHIVES_MAX: usize = 1 << 20;
/// Directory levels below a root; mirrors of a crawl have seven.
const DEPTH_MAX: usize = 32;
/// Gaps that a survey tells of, for each archive; what follows from them all is in the ledgers.
const GAPS_MAX: usize = 64;

/// What a source of archives holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Its archives, cut into tasks.
    pub extents: Vec<Extent>,
    /// Where archives are damaged or cut: nothing can be made of these bytes, though tasks cover them. The first of each
    /// archive.
    pub gaps: Vec<Gap>,
}

/// Bytes of an archive that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The archive's path.
    pub path: String,
    /// Where they begin.
    pub first_byte: u64,
    /// How many they are.
    pub length_bytes: u64,
    /// Why nothing there can be told apart.
    pub error: Unreadable,
}

/// Archives on disk, packed or not: WARC, WET, WAT and ARC files, or dumps of one layout.
#[derive(Debug)]
pub struct Archives {
    places: BTreeMap<String, PathBuf>,
    layout: Layout,
    /// The packed file that was read last, where it was left: rows in order are read in one pass.
    last: Mutex<Option<(String, Unpacked)>>,
}

impl Clone for Archives {
    fn clone(&self) -> Self {
        Self { places: self.places.clone(), layout: self.layout.clone(), last: Mutex::default() }
    }
}

impl Archives {
    /// One web archive, which goes by its file's name, or all below a directory, which go by their paths in it.
    ///
    /// # Errors
    /// [`SourceError`] where something can't be read, or a single file's name is not plain.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        Self::open_as(root, Layout::Records)
    }

    /// As [`Archives::open`], for dumps of another layout. Rows of [`Layout::Threads`] are those of files that
    /// [`super::threads::arrange`] has made.
    ///
    /// # Errors
    /// As [`Archives::open`].
    pub fn open_as(root: &Path, layout: Layout) -> Result<Self, SourceError> {
        let mut places = BTreeMap::new();
        if !root.is_dir() {
            // Opened once, so that a missing file is told here.
            length_of(root)?;
            let name = root.file_name().and_then(|name| name.to_str()).filter(|name| plain_path(name));
            let name = name.ok_or_else(|| SourceError::Unknown { path: shown(root) })?;
            places.insert(name.to_owned(), root.to_owned());
            return Ok(Self { places, layout, last: Mutex::default() });
        }
        let tree = walk(root).min_depth(1).max_depth(DEPTH_MAX).into_iter();
        for found in tree.filter_entry(|entry| entry.depth() == 0 || !hidden(entry)) {
            let found = found.map_err(|error| walk_error(root, error))?;
            let segments: Option<Vec<&str>> = found
                .path()
                .strip_prefix(root)
                .ok()
                .and_then(|path| path.iter().map(|part| part.to_str()).collect());
            let path = segments.map(|segments| segments.join("/"));
            let Some(path) = path.filter(|path| plain_path(path) && ends_as(path, &layout)) else { continue };
            if found.file_type().is_file() {
                places.insert(path, found.into_path());
            }
            if places.len() > ARCHIVES_MAX {
                return Err(SourceError::Files { root: shown(root), max: ARCHIVES_MAX });
            }
        }
        Ok(Self { places, layout, last: Mutex::default() })
    }

    /// The archives' paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Reads every archive once and cuts it; one that is packed as a whole, twice.
    ///
    /// # Errors
    /// [`SourceError`] where the system refuses.
    pub fn survey(&self, cut: Cut) -> Result<Survey, SourceError> {
        let mut survey = Survey::default();
        for (path, place) in &self.places {
            let failed = |source| io_error(place, source);
            let mut file = open_file(place)?;
            let length_bytes = length_of(place)?;
            if !self.is_packed_whole(&mut file, length_bytes).map_err(failed)? {
                file.rewind().map_err(failed)?;
                let archive = Archive { path, bytes: length_bytes, layout: &self.layout, cut };
                archive.survey(file, &mut survey).map_err(failed)?;
                continue;
            }
            let view = unpacked::view(path);
            let (bytes, damage) = unpacked_bytes(&mut self.unpacked(place)?);
            let archive = Archive { path: &view, bytes, layout: &self.layout, cut };
            archive.survey(self.unpacked(place)?, &mut survey).map_err(failed)?;
            if let Some(error) = damage {
                survey.gaps.push(Gap { path: view, first_byte: bytes, length_bytes: 0, error });
            }
        }
        Ok(survey)
    }

    /// Whether records have no place of their own among the file's bytes.
    fn is_packed_whole(&self, file: &mut File, length_bytes: u64) -> io::Result<bool> {
        let mut magic = Vec::new();
        file.take(4).read_to_end(&mut magic)?;
        file.rewind()?;
        let is_member = magic.starts_with(&[0x1f, 0x8b]);
        let is_frame = magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        if magic.starts_with(b"BZh") || magic == DICTIONARY_MAGIC {
            return Ok(true);
        }
        match (&self.layout, is_member || is_frame) {
            (_, false) => Ok(magic == *b"PAR1"),
            (Layout::Records, true) => archive::is_member_of_many(file, length_bytes),
            (_, true) => Ok(true),
        }
    }

    fn unpacked(&self, place: &Path) -> Result<Unpacked, SourceError> {
        let (place, layout) = (place.to_owned(), self.layout.clone());
        Unpacked::new(move || match &layout {
            Layout::Rows(fields) if super::parquet::is_parquet(&place)? => {
                super::parquet::lines(&place, fields)
            }
            _ => unpacked::open(&place),
        })
    }

    /// The file that a path is of, and whether it is that of its view.
    fn place(&self, path: &str) -> Result<(&Path, bool), SourceError> {
        let unknown = || SourceError::Unknown { path: path.to_owned() };
        if let Some(place) = self.places.get(path) {
            return Ok((place, false));
        }
        let (file, _) = path.rsplit_once('/').ok_or_else(unknown)?;
        let place = self.places.get(file).filter(|_| unpacked::view(file) == path).ok_or_else(unknown)?;
        Ok((place, true))
    }

    /// A run of a view's bytes, from where the last one ended where that is before it.
    fn read_view(
        &self,
        place: &Path,
        path: &str,
        first_byte: u64,
        length_bytes: u64,
    ) -> Result<Vec<u8>, SourceError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| io_error(place, source);
        let mut view = match last.take() {
            Some((known, view)) if known == path && view.at() <= first_byte => view,
            _ => self.unpacked(place)?,
        };
        let mut bytes = Vec::new();
        if view.go_to(first_byte).map_err(failed)? {
            (&mut view).take(length_bytes).read_to_end(&mut bytes).map_err(failed)?;
        }
        *last = Some((path.to_owned(), view));
        if bytes.len() as u64 == length_bytes {
            return Ok(bytes);
        }
        Err(SourceError::Range { path: path.to_owned(), first_byte, length_bytes })
    }
}

impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unpacked at {}", self.at())
    }
}

/// How much a packed file unpacks to, and why it ends there if it should not.
fn unpacked_bytes(view: &mut Unpacked) -> (u64, Option<Unreadable>) {
    match io::copy(view, &mut io::sink()) {
        Ok(_) => (view.at(), None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            (view.at(), Some(Unreadable { what: "what is packed is damaged, or a bomb" }))
        }
        Err(_) => (view.at(), Some(Unreadable { what: "what is packed is cut or damaged" })),
    }
}

/// Whether a name is a web archive's.
#[must_use]
pub fn is_archive(path: &str) -> bool {
    ends_as(path, &Layout::Records)
}

/// How the file of this name is laid out, as far as the name tells; none where it is no archive's nor dump's. `Posts.xml` is
/// Stack Exchange's, and becomes [`Layout::Threads`] by [`super::threads::arrange`].
#[must_use]
pub fn layout_of(path: &str) -> Option<Layout> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if unpacked::bare(name).unwrap_or(name).eq_ignore_ascii_case("posts.xml") {
        return Some(Layout::Threads);
    }
    let layouts = [Layout::Records, Layout::Wiki, Layout::Threads, Layout::Rows(Fields::default())];
    layouts.into_iter().find(|layout| ends_as(name, layout))
}

/// Whether a name is that of an archive of this layout.
fn ends_as(path: &str, layout: &Layout) -> bool {
    let lower = path.to_ascii_lowercase();
    let bare = unpacked::bare(&lower).unwrap_or(&lower);
    let endings = match layout {
        Layout::Records => WEB_ENDINGS,
        Layout::Wiki => WIKI_ENDINGS,
        Layout::Threads => THREAD_ENDINGS,
        Layout::Rows(_) if lower.ends_with(".parquet") => return true,
        Layout::Rows(_) => ROW_ENDINGS,
    };
    endings.iter().any(|end| bare.ends_with(end))
}

impl Source for Archives {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        Ok(self.survey(cut)?.extents)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let (place, is_view) = self.place(path)?;
        let failed = |source| io_error(place, source);
        let mut bytes = Vec::new();
        if is_view {
            self.unpacked(place)?.read_to_end(&mut bytes).map_err(failed)?;
        } else {
            open_file(place)?.read_to_end(&mut bytes).map_err(failed)?;
        }
        Ok(bytes)
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        let (place, is_view) = self.place(path)?;
        if is_view {
            return self.read_view(place, path, first_byte, length_bytes);
        }
        let mut bytes = Vec::new();
        let file = self.open(path, first_byte, length_bytes)?;
        file.take(length_bytes).read_to_end(&mut bytes).map_err(|source| io_error(place, source))?;
        if bytes.len() as u64 == length_bytes {
            return Ok(bytes);
        }
        Err(SourceError::Range { path: path.to_owned(), first_byte, length_bytes })
    }

    fn open(
        &self,
        path: &str,
        first_byte: u64,
        length_bytes: u64,
    ) -> Result<Box<dyn SourceBytes + '_>, SourceError> {
        let (place, is_view) = self.place(path)?;
        let failed = |source| io_error(place, source);
        let range = || SourceError::Range { path: path.to_owned(), first_byte, length_bytes };
        if is_view {
            let mut view = self.unpacked(place)?;
            return if view.go_to(first_byte).map_err(failed)? { Ok(Box::new(view)) } else { Err(range()) };
        }
        if first_byte.checked_add(length_bytes).is_none_or(|end| end > length_of(place).unwrap_or(0)) {
            return Err(range());
        }
        let mut file = open_file(place)?;
        file.seek(SeekFrom::Start(first_byte)).map_err(failed)?;
        Ok(Box::new(file))
    }
}

/// One archive in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryArchive {
    path: String,
    bytes: Vec<u8>,
}

impl MemoryArchive {
    /// The archive with these bytes under this path.
    #[must_use]
    pub fn new(path: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes }
    }

    /// A packed WARC with a record of each page, given as address and HTML, and nothing else in it.
    #[must_use]
    pub fn of_pages<'a>(path: &str, pages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let bytes = pages.into_iter().flat_map(|(url, html)| response(url, html)).collect();
        Self::new(path, bytes)
    }

    /// The archive's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Cuts the archive.
    ///
    /// # Errors
    /// None of its own; the type is that of every source.
    pub fn survey(&self, cut: Cut) -> Result<Survey, SourceError> {
        let mut survey = Survey::default();
        let archive =
            Archive { path: &self.path, bytes: self.bytes.len() as u64, layout: &Layout::Records, cut };
        let surveyed = archive.survey(Cursor::new(&self.bytes), &mut survey);
        surveyed.map_err(|source| SourceError::Io { path: self.path.clone(), source })?;
        Ok(survey)
    }
}

impl Source for MemoryArchive {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        Ok(self.survey(cut)?.extents)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        if path == self.path {
            Ok(self.bytes.clone())
        } else {
            Err(SourceError::Unknown { path: path.to_owned() })
        }
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        if path != self.path {
            return Err(SourceError::Unknown { path: path.to_owned() });
        }
        part(path, &self.bytes, first_byte, length_bytes)
    }
}

/// One response as a gzip member. The name of the record follows from its content, and the date is the epoch's: equal
/// pages give equal bytes.
fn response(url: &str, html: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n";
    let id = Digest::of(format!("{url}\n{html}").as_bytes());
    let record = format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:blake3:{id}>\r\nWARC-Date: 1970-01-01T00:00:00Z\r\n\
         WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: {}\r\n\r\n\
         {head}{html}\r\n\r\n",
        head.len() + html.len()
    );
    let mut member = GzBuilder::new().write(Vec::new(), Compression::default());
    let written = member.write_all(record.as_bytes()).and_then(|()| member.finish());
    written.expect("memory takes any bytes")
}

/// One archive to be cut.
#[derive(Clone, Copy)]
struct Archive<'a> {
    path: &'a str,
    bytes: u64,
    layout: &'a Layout,
    cut: Cut,
}

impl Archive<'_> {
    fn survey(self, from: impl io::Read + io::Seek, survey: &mut Survey) -> io::Result<()> {
        let Self { path, bytes, layout, cut } = self;
        let mut reader = Reader::new(from, 0, bytes, layout.clone()).digesting();
        let (mut first_byte, mut end, mut entries, mut gaps) = (0, 0, 0u32, 0);
        loop {
            let step = reader.step()?;
            if let Some(Step { offset_bytes, length_bytes, content }) = &step {
                end = offset_bytes + length_bytes;
                entries += 1;
                if let Content::Gap { error, .. } = content
                    && gaps < GAPS_MAX
                {
                    gaps += 1;
                    let (path, error) = (path.to_owned(), error.clone());
                    survey.gaps.push(Gap {
                        path,
                        first_byte: *offset_bytes,
                        length_bytes: *length_bytes,
                        error,
                    });
                }
            }
            let is_full = entries >= cut.entries_max || end - first_byte >= cut.bytes_max;
            if end > first_byte && (is_full || step.is_none()) {
                survey.extents.push(Extent::Archive(ArchiveRange {
                    path: path.to_owned(),
                    archive_bytes: bytes,
                    first_byte,
                    length_bytes: end - first_byte,
                    digest: reader.take_run_digest().expect("asked for"),
                    layout: layout.clone(),
                }));
                (first_byte, entries) = (end, 0);
            }
            if step.is_none() {
                return Ok(());
            }
        }
    }
}

pub(super) fn open_file(place: &Path) -> Result<File, SourceError> {
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    File::open(place).map_err(|source| io_error(place, source))
}

fn length_of(place: &Path) -> Result<u64, SourceError> {
    open_file(place)?.metadata().map(|metadata| metadata.len()).map_err(|source| io_error(place, source))
}

fn io_error(place: &Path, source: io::Error) -> SourceError {
    SourceError::Io { path: shown(place), source }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests of the edge lay out files")]
mod tests {
    use super::*;

    const CUT: Cut = Cut { entries_max: 3, bytes_max: u64::MAX };

    fn archive(count: usize) -> MemoryArchive {
        let pages: Vec<(String, String)> =
            (0..count).map(|i| (format!("https://x.example/{i}"), format!("<p>{i}"))).collect();
        MemoryArchive::of_pages("a.warc.gz", pages.iter().map(|(url, html)| (url.as_str(), html.as_str())))
    }

    #[test]
    fn an_archive_is_cut_the_same_on_disk_and_in_memory() {
        let root = tempfile::tempdir().unwrap();
        let memory = archive(10);
        std::fs::create_dir(root.path().join("sub")).unwrap();
        std::fs::write(root.path().join("a.warc.gz"), memory.bytes()).unwrap();
        std::fs::write(root.path().join("sub/b.warc.gz"), memory.bytes()).unwrap();
        std::fs::write(root.path().join("notes.txt"), "no archive").unwrap();
        let disk = Archives::open(root.path()).unwrap();
        assert_eq!(disk.paths().collect::<Vec<_>>(), ["a.warc.gz", "sub/b.warc.gz"]);
        let extents = memory.extents(CUT).unwrap();
        assert_eq!(extents.len(), 4);
        assert_eq!(disk.extents(CUT).unwrap()[..4], extents);
        let one = Archives::open(&root.path().join("a.warc.gz")).unwrap();
        assert_eq!(one.extents(CUT).unwrap(), extents);
        for extent in &extents {
            let Extent::Archive(range) = extent else { panic!("an archive's extent") };
            let bytes = disk.read_range(&range.path, range.first_byte, range.length_bytes).unwrap();
            assert_eq!(Digest::of(&bytes), range.digest);
        }
        let outside = disk.read_range("a.warc.gz", 0, memory.bytes().len() as u64 + 1);
        assert!(matches!(outside, Err(SourceError::Range { .. })));
        assert!(matches!(disk.read("c.warc.gz"), Err(SourceError::Unknown { .. })));
        assert!(Archives::open(&root.path().join("none.warc")).is_err());
    }

    #[test]
    fn what_is_unreadable_is_told_and_passed_over() {
        let whole = archive(5);
        let (first, rest) = (archive(3).bytes().len(), &whole.bytes()[archive(3).bytes().len()..]);
        let mut bytes = whole.bytes().to_vec();
        bytes[first] ^= 0xff;
        let damaged = MemoryArchive::new("a.warc.gz", bytes);
        let survey = damaged.survey(CUT).unwrap();
        assert_eq!(survey.extents.len(), 2);
        assert_eq!(survey.extents[0].length_bytes(), first as u64);
        assert_eq!(survey.extents[1].length_bytes(), rest.len() as u64);
        let [gap] = &survey.gaps[..] else { panic!("one gap, found {:?}", survey.gaps) };
        // The record behind the damaged one is found.
        assert_eq!(gap.first_byte, first as u64);
        assert_eq!(gap.length_bytes, (archive(4).bytes().len() - first) as u64);
    }
}
