//! Web archives on disk, and in memory.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use primitives::Digest;

use super::{Source, SourceError, hidden, part, shown, walk, walk_error};
use crate::{
    archive,
    extent::{ArchiveRange, Cut, Extent},
    manifest::plain_path,
};

/// Endings of archives' names, in lower case; each also with `.gz` behind it.
const EXTENSIONS: [&str; 4] = [".warc", ".wet", ".wat", ".arc"];
/// Archives in one source: ten times the files of one Common Crawl segment list.
const ARCHIVES_MAX: usize = 1 << 20;
/// Directory levels below a root; mirrors of a crawl have seven.
const DEPTH_MAX: usize = 32;
/// How much of an archive is read at a time: several of the longest records that crawls hold.
const WINDOW_BYTES: usize = 16 << 20;
/// Beyond this a window is not widened: no record that is taken is longer, stored.
const WINDOW_MAX_BYTES: usize = 256 << 20;

/// What a source of archives holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Its readable records, cut into tasks.
    pub extents: Vec<Extent>,
    /// What stands behind them in archives that are damaged or cut; no task covers it.
    pub tails: Vec<Tail>,
}

/// The unreadable end of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The archive's path.
    pub path: String,
    /// Where it begins.
    pub first_byte: u64,
    /// Its length.
    pub length_bytes: u64,
    /// Why nothing there can be told apart.
    pub error: archive::Unreadable,
}

/// WARC, WET, WAT and ARC files on disk, packed or not.
#[derive(Clone, Debug)]
pub struct Archives {
    places: BTreeMap<String, PathBuf>,
}

impl Archives {
    /// One archive, which goes by its file's name, or all below a directory, which go by their paths in it.
    ///
    /// # Errors
    /// [`SourceError`] where something can't be read, or a single file's name is not plain.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let mut places = BTreeMap::new();
        if !root.is_dir() {
            // Opened once, so that a missing file is told here.
            length_of(root)?;
            let name = root.file_name().and_then(|name| name.to_str()).filter(|name| plain_path(name));
            let name = name.ok_or_else(|| SourceError::Unknown { path: shown(root) })?;
            places.insert(name.to_owned(), root.to_owned());
            return Ok(Self { places });
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
            let Some(path) = path.filter(|path| plain_path(path) && is_archive(path)) else { continue };
            if found.file_type().is_file() {
                places.insert(path, found.into_path());
            }
            if places.len() > ARCHIVES_MAX {
                return Err(SourceError::Files { root: shown(root), max: ARCHIVES_MAX });
            }
        }
        Ok(Self { places })
    }

    /// The archives' paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Reads every archive once and cuts it.
    ///
    /// # Errors
    /// [`SourceError`] where the system refuses.
    pub fn survey(&self, cut: Cut) -> Result<Survey, SourceError> {
        let mut survey = Survey::default();
        for (path, place) in &self.places {
            let archive_bytes = length_of(place)?;
            let mut file = open(place)?;
            let fill = |window: &mut Vec<u8>, wanted: usize| {
                (&mut file).take(wanted as u64).read_to_end(window).map_err(|source| io_error(place, source))
            };
            survey_one(path, archive_bytes, cut, fill, &mut survey)?;
        }
        Ok(survey)
    }

    fn place(&self, path: &str) -> Result<&Path, SourceError> {
        self.places
            .get(path)
            .map(PathBuf::as_path)
            .ok_or_else(|| SourceError::Unknown { path: path.to_owned() })
    }
}

/// Whether a name is an archive's.
#[must_use]
pub fn is_archive(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let bare = lower.strip_suffix(".gz").unwrap_or(&lower);
    EXTENSIONS.iter().any(|end| bare.ends_with(end))
}

impl Source for Archives {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        Ok(self.survey(cut)?.extents)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let place = self.place(path)?;
        let mut bytes = Vec::new();
        open(place)?.read_to_end(&mut bytes).map_err(|source| io_error(place, source))?;
        Ok(bytes)
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        let place = self.place(path)?;
        let mut file = open(place)?;
        file.seek(SeekFrom::Start(first_byte)).map_err(|source| io_error(place, source))?;
        let mut bytes = Vec::new();
        file.take(length_bytes).read_to_end(&mut bytes).map_err(|source| io_error(place, source))?;
        if bytes.len() as u64 == length_bytes {
            return Ok(bytes);
        }
        Err(SourceError::Range { path: path.to_owned(), first_byte, length_bytes })
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
        let mut rest = &self.bytes[..];
        let fill = |window: &mut Vec<u8>, wanted: usize| {
            let (taken, left) = rest.split_at(wanted.min(rest.len()));
            window.extend_from_slice(taken);
            rest = left;
            Ok(taken.len())
        };
        survey_one(&self.path, self.bytes.len() as u64, cut, fill, &mut survey)?;
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

/// Cuts one archive, whose bytes `fill` appends to a window as they are asked for.
fn survey_one(
    path: &str,
    archive_bytes: u64,
    cut: Cut,
    mut fill: impl FnMut(&mut Vec<u8>, usize) -> Result<usize, SourceError>,
    survey: &mut Survey,
) -> Result<(), SourceError> {
    let mut window: Vec<u8> = Vec::new();
    let (mut at, mut offset_bytes, mut is_whole) = (0usize, 0u64, false);
    let mut run = Run::new(path, archive_bytes, cut);
    loop {
        let rest = &window[at..];
        if rest.is_empty() && is_whole {
            break;
        }
        // A record that reaches the window's end may go on behind it.
        match archive::step_length(rest) {
            Ok(length) if length < rest.len() || is_whole => {
                run.add(offset_bytes, &rest[..length], survey);
                at += length;
                offset_bytes += length as u64;
            }
            Err(error) if is_whole || rest.len() >= WINDOW_MAX_BYTES => {
                survey.tails.push(Tail {
                    path: path.to_owned(),
                    first_byte: offset_bytes,
                    length_bytes: archive_bytes.saturating_sub(offset_bytes),
                    error,
                });
                break;
            }
            _ => {
                window.drain(..at);
                at = 0;
                let wanted = WINDOW_BYTES.max(window.len());
                is_whole = fill(&mut window, wanted)? < wanted;
            }
        }
    }
    run.end(survey);
    Ok(())
}

/// The extent under way.
struct Run<'a> {
    path: &'a str,
    archive_bytes: u64,
    cut: Cut,
    first_byte: u64,
    length_bytes: u64,
    entries: u32,
    hasher: blake3::Hasher,
}

impl<'a> Run<'a> {
    fn new(path: &'a str, archive_bytes: u64, cut: Cut) -> Self {
        Self {
            path,
            archive_bytes,
            cut,
            first_byte: 0,
            length_bytes: 0,
            entries: 0,
            hasher: blake3::Hasher::new(),
        }
    }

    fn add(&mut self, offset_bytes: u64, stored: &[u8], survey: &mut Survey) {
        if self.entries == 0 {
            self.first_byte = offset_bytes;
        }
        self.hasher.update(stored);
        self.entries += 1;
        self.length_bytes += stored.len() as u64;
        if self.entries >= self.cut.entries_max || self.length_bytes >= self.cut.bytes_max {
            self.end(survey);
        }
    }

    fn end(&mut self, survey: &mut Survey) {
        if self.entries == 0 {
            return;
        }
        survey.extents.push(Extent::Archive(ArchiveRange {
            path: self.path.to_owned(),
            archive_bytes: self.archive_bytes,
            first_byte: self.first_byte,
            length_bytes: self.length_bytes,
            digest: Digest(*self.hasher.finalize().as_bytes()),
        }));
        self.hasher.reset();
        (self.entries, self.length_bytes) = (0, 0);
    }
}

fn open(place: &Path) -> Result<File, SourceError> {
    #[expect(clippy::disallowed_methods, reason = "this module is the crate's edge to the file system")]
    File::open(place).map_err(|source| io_error(place, source))
}

fn length_of(place: &Path) -> Result<u64, SourceError> {
    open(place)?.metadata().map(|metadata| metadata.len()).map_err(|source| io_error(place, source))
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
    fn what_is_unreadable_is_told_and_left_out() {
        let whole = archive(5);
        let (first, rest) = (archive(3).bytes().len(), &whole.bytes()[archive(3).bytes().len()..]);
        let mut bytes = whole.bytes().to_vec();
        bytes[first] ^= 0xff;
        let damaged = MemoryArchive::new("a.warc.gz", bytes);
        let survey = damaged.survey(CUT).unwrap();
        assert_eq!(survey.extents.len(), 1);
        assert_eq!(survey.extents[0].length_bytes(), first as u64);
        assert_eq!(survey.tails.len(), 1);
        let tail = &survey.tails[0];
        assert_eq!((tail.first_byte, tail.length_bytes), (first as u64, rest.len() as u64));
    }
}
