//! Files that are packed as a whole, as if they were not.
//!
//! Records within one gzip member, or in zstd frames that need the archive's dictionary, and dumps as they are offered,
//! have no place of their own among the stored bytes. Their archive is read through instead, and places are counted in
//! what it unpacks to. Such a view goes by the file's path and, behind a slash, its name without the packing's ending:
//! `dumps/posts.xml.bz2/posts.xml`. No file can have that path.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bzip2::read::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

use super::{SourceError, archives::open_file};
use crate::archive::RATIO_MAX;

/// Unpacked bytes at which the ratio begins to count: texts of one word said again and again are small.
pub(super) const RATIO_FROM_BYTES: u64 = 64 << 20;
/// Bytes that are unpacked at once.
const CHUNK_BYTES: usize = 64 << 10;
/// The longest dictionary, packed or not; trained ones have a hundred kilobytes.
const DICTIONARY_MAX_BYTES: u64 = 8 << 20;
/// zstd's own limit on how far a frame may look back; its memory follows it.
const WINDOW_LOG_MAX: u32 = 27;
/// Magic number of the frame with the dictionary. Source: IIPC, "Use of Zstandard in WARC files", 1.0.
pub(super) const DICTIONARY_MAGIC: [u8; 4] = [0x5d, 0x2a, 0x4d, 0x18];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Endings of packed files' names.
const ENDINGS: [&str; 5] = [".gz", ".bz2", ".zst", ".zstd", ".bzip2"];

/// A name without the ending of its packing; none where it has no such ending.
pub(super) fn bare(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len())?;
        let (stem, end) = (name.get(..at)?, name.get(at..)?);
        (end.eq_ignore_ascii_case(ending) && !stem.is_empty()).then_some(stem)
    })
}

/// The path of a file's view.
pub(super) fn view(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("{path}/{}", bare(name).unwrap_or("whole"))
}

/// A packed file from its beginning, or from there on again.
pub(super) struct Unpacked {
    reopen: Box<dyn Fn() -> Result<Box<dyn Read + Send>, SourceError> + Send>,
    from: Box<dyn Read + Send>,
    at: u64,
    /// Unpacked and not handed out yet, from `used` on. It is always asked for as much at once: what comes out before
    /// damage is told depends on it.
    ready: Vec<u8>,
    used: usize,
}

impl Unpacked {
    /// What `reopen` gives, from its beginning.
    pub(super) fn new(
        reopen: impl Fn() -> Result<Box<dyn Read + Send>, SourceError> + Send + 'static,
    ) -> Result<Self, SourceError> {
        let from = reopen()?;
        Ok(Self { reopen: Box::new(reopen), from, at: 0, ready: Vec::new(), used: 0 })
    }

    /// Where it stands.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Goes to a place, forwards by reading; whether it is there.
    pub(super) fn go_to(&mut self, place: u64) -> io::Result<bool> {
        if place < self.at {
            self.from = (self.reopen)().map_err(io::Error::other)?;
            (self.at, self.used) = (0, 0);
            self.ready.clear();
        }
        let wanted = place - self.at;
        let passed = io::copy(&mut self.by_ref().take(wanted), &mut io::sink())?;
        Ok(passed == wanted)
    }
}

impl Read for Unpacked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.used == self.ready.len() {
            self.used = 0;
            self.ready.resize(CHUNK_BYTES, 0);
            let read = self.from.read(&mut self.ready);
            self.ready.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let ready = &self.ready[self.used..];
        let read = ready.len().min(out.len());
        out[..read].copy_from_slice(&ready[..read]);
        self.used += read;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Unpacked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let place = place.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such place"))?;
        self.go_to(place)?;
        Ok(self.at)
    }
}

/// Opens a file and unpacks it as its first bytes say; one that is not packed is read as it is.
pub(super) fn open(place: &Path) -> Result<Box<dyn Read + Send>, SourceError> {
    let io = |source| SourceError::Io { path: super::shown(place), source };
    let stored = Arc::new(AtomicU64::new(0));
    let mut file = BufReader::new(Counted { from: open_file(place)?, read: Arc::clone(&stored) });
    let magic = first_bytes(&mut file).map_err(io)?;
    let from: Box<dyn Read + Send> = if magic.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(file))
    } else if magic.starts_with(b"BZh") {
        Box::new(MultiBzDecoder::new(file))
    } else if magic.starts_with(&ZSTD_MAGIC) || magic.starts_with(&DICTIONARY_MAGIC) {
        let dictionary =
            if magic == DICTIONARY_MAGIC { dictionary(&mut file).map_err(io)? } else { Vec::new() };
        let mut decoder = zstd::Decoder::with_dictionary(file, &dictionary).map_err(io)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(io)?;
        Box::new(decoder)
    } else {
        return Ok(Box::new(file));
    };
    Ok(Box::new(Bounded { from, stored, unpacked: 0 }))
}

/// Up to four bytes, which are not passed.
fn first_bytes(file: &mut BufReader<Counted>) -> io::Result<Vec<u8>> {
    use io::BufRead as _;
    let ahead = file.fill_buf()?;
    Ok(ahead[..ahead.len().min(4)].to_vec())
}

/// Reads the frame with the dictionary, which may be packed itself.
fn dictionary(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut head = [0; 8];
    from.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if u64::from(length) > DICTIONARY_MAX_BYTES {
        return Err(wrong("the dictionary is too long"));
    }
    let mut stored = Vec::new();
    from.take(length.into()).read_to_end(&mut stored)?;
    if !stored.starts_with(&ZSTD_MAGIC) {
        return Ok(stored);
    }
    let mut unpacked = Vec::new();
    zstd::Decoder::with_buffer(&stored[..])?.take(DICTIONARY_MAX_BYTES + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > DICTIONARY_MAX_BYTES {
        return Err(wrong("the dictionary is too long"));
    }
    Ok(unpacked)
}

/// Counts what is read.
struct Counted {
    from: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(out)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Stops where the file unpacks to too much.
struct Bounded {
    from: Box<dyn Read + Send>,
    stored: Arc<AtomicU64>,
    unpacked: u64,
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(out)?;
        self.unpacked += read as u64;
        let stored = self.stored.load(Ordering::Relaxed);
        if self.unpacked > RATIO_FROM_BYTES && self.unpacked / RATIO_MAX > stored {
            let what = format!("{stored} bytes unpack to more than {RATIO_MAX} times as many");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(read)
    }
}
