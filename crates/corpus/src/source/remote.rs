//! A file over HTTP or HTTPS, brought into a folder: whole under its name, or not there.
//!
//! What a broken connection has left is gone on with, where the server vouches that the file is still the same one: its
//! strong ETag is sent along with the range. A file that is there already is not asked for again: archives don't change.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use primitives::Digest;
use thiserror::Error;
use ureq::{
    Agent,
    http::{
        HeaderMap, Response, StatusCode, Uri,
        header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE, RETRY_AFTER},
    },
};

use crate::manifest::plain_path;

/// Domain of the digests under which files lie.
const PLACE_DOMAIN: &str = "weighhouse remote source v1";
/// How long a server may take to be reached, and to begin its answer.
const REACH_TIME: Duration = Duration::from_secs(30);
/// How long a server may be silent within its answer.
const SILENCE_TIME: Duration = Duration::from_secs(60);
/// Hops from one address to another.
const REDIRECTS_MAX: u32 = 5;
/// The pause after a failed attempt; each further one in a row that brings nothing new doubles it.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, also where a server asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// The longest ETag that is kept.
const TAG_MAX_BYTES: usize = 1024;

/// How a file is fetched.
pub struct Fetch<'a> {
    /// The longest file, in bytes.
    pub bytes_max: u64,
    /// Attempts in a row that may bring nothing new, at least 1.
    pub attempts: u32,
    /// Waits for so long.
    pub wait: &'a dyn Fn(Duration),
    /// Is told how many bytes are there, and of how many, where that is known.
    pub progress: &'a dyn Fn(u64, Option<u64>),
}

/// A file could not be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The address can't be used.
    #[error("address {url:?} {reason}")]
    Address {
        /// The address, without what may be a password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The server has said no, and asking again would change nothing.
    #[error("{url} is refused with status {status}")]
    Refused {
        /// The address.
        url: String,
        /// The server's status.
        status: u16,
    },
    /// The file is too long.
    #[error("{url} has {found} bytes or more, at most {max} are taken")]
    TooLong {
        /// The address.
        url: String,
        /// Its length as far as it is known, in bytes.
        found: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// Attempts in a row have brought nothing new.
    #[error(
        "{url} can't be fetched: {attempts} attempts in a row brought nothing new, the last one: {reason}"
    )]
    Broken {
        /// The address.
        url: String,
        /// How many.
        attempts: u32,
        /// Why the last one ended.
        reason: String,
    },
    /// The server has other bytes than it was asked for.
    #[error("{url} does not have {length_bytes} bytes from {first_byte}")]
    Range {
        /// The address.
        url: String,
        /// The first byte asked for.
        first_byte: u64,
        /// The number of bytes asked for.
        length_bytes: u64,
    },
    /// The file can't be kept.
    #[error("cannot write {path}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why one attempt ended before the file's end.
enum Ended {
    /// Another attempt may help, after this pause at least.
    Retry { reason: String, pause: Duration },
    /// None will.
    For(FetchError),
}

/// Brings the file at `url` into `folder`, unless it is there, and says where it lies: under the last part of its address.
///
/// # Errors
/// [`FetchError`]. What has arrived stays, for the next call to go on with.
#[expect(clippy::disallowed_methods, reason = "this module keeps what it fetches")]
pub fn fetch(url: &str, folder: &Path, how: &Fetch<'_>) -> Result<PathBuf, FetchError> {
    let name = name_of(url)?;
    let place = folder.join(&Digest::of_parts(PLACE_DOMAIN, &[url.as_bytes()]).to_string()[..16]);
    let whole = place.join(&name);
    if whole.exists() {
        return Ok(whole);
    }
    fs::create_dir_all(&place).map_err(|source| failed(&place, source))?;
    let mut part = Part::open(place.join(format!("{name}.part")), place.join(format!("{name}.tag")))?;
    // Somebody else may have finished it while the lock was waited for.
    if whole.exists() {
        return Ok(whole);
    }
    let agent = agent();
    attempts(url, how, part.length, || {
        let done = attempt(&agent, url, &mut part, how);
        (done, part.length)
    })?;
    part.finish(&whole)?;
    Ok(whole)
}

/// Brings a run of a file's bytes, and nothing else of it: one record of an archive, of which an index tells the place.
///
/// # Errors
/// [`FetchError`]; [`FetchError::Range`] where the server has other bytes than those.
pub fn fetch_range(
    url: &str,
    first_byte: u64,
    length_bytes: u64,
    how: &Fetch<'_>,
) -> Result<Vec<u8>, FetchError> {
    name_of(url)?;
    let too_long = FetchError::TooLong { url: url.to_owned(), found: length_bytes, max: how.bytes_max };
    let range = || FetchError::Range { url: url.to_owned(), first_byte, length_bytes };
    let end = first_byte.checked_add(length_bytes).filter(|end| *end > first_byte).ok_or_else(range)?;
    if length_bytes > how.bytes_max {
        return Err(too_long);
    }
    let agent = agent();
    let (mut bytes, mut tag) = (Vec::new(), None);
    attempts(url, how, 0, || {
        let done = attempt_range(&agent, url, first_byte..end, &mut bytes, &mut tag, how);
        let length = bytes.len() as u64;
        (done.map_err(|ended| ended.unwrap_or_else(|| Ended::For(range()))), length)
    })?;
    Ok(bytes)
}

/// One attempt at a range; it goes on behind what is there, if the file is still the same. None is an answer that can't be
/// right.
fn attempt_range(
    agent: &Agent,
    url: &str,
    wanted: Range<u64>,
    bytes: &mut Vec<u8>,
    tag: &mut Option<String>,
    how: &Fetch<'_>,
) -> Result<(), Option<Ended>> {
    let later = |reason: String| Some(Ended::Retry { reason, pause: Duration::ZERO });
    let first = wanted.start + bytes.len() as u64;
    let mut request = agent.get(url).header(RANGE, format!("bytes={first}-{}", wanted.end - 1));
    if let Some(tag) = &tag {
        request = request.header(IF_RANGE, tag);
    }
    let mut response = request.call().map_err(|error| later(error.to_string()))?;
    let status = response.status();
    if status == StatusCode::RANGE_NOT_SATISFIABLE || status == StatusCode::OK {
        return Err(None);
    }
    if status != StatusCode::PARTIAL_CONTENT {
        return Err(Some(refusal(&response, url)));
    }
    let stated = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    if stated.and_then(range).is_none_or(|(found, total)| found != first || total < wanted.end) {
        return Err(None);
    }
    *tag = tag_of(response.headers());
    let left = wanted.end - first;
    let mut body = response.body_mut().as_reader().take(left);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        (how.progress)(bytes.len() as u64, Some(wanted.end - wanted.start));
        match body.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(later(error.to_string())),
        }
    }
    if wanted.start + bytes.len() as u64 == wanted.end {
        return Ok(());
    }
    Err(later(format!("it ended after {} of {} bytes", bytes.len(), wanted.end - wanted.start)))
}

/// Removes what was fetched longest ago, until no more than `bytes_max` lie in the folder; `kept` stays. Parts of files go
/// like files.
///
/// # Errors
/// [`FetchError::Io`] where the folder can't be read. A file that somebody else has removed in the meantime is none.
#[expect(clippy::disallowed_methods, reason = "this module keeps what it fetches")]
pub fn trim(folder: &Path, kept: &Path, bytes_max: u64) -> Result<(), FetchError> {
    let mut files = Vec::new();
    for found in walkdir::WalkDir::new(folder).min_depth(2).max_depth(2).follow_links(false) {
        let found = found.map_err(|error| failed(folder, error.into()))?;
        let Ok(metadata) = found.metadata() else { continue };
        let Ok(time) = metadata.modified() else { continue };
        if metadata.is_file() {
            files.push((time, found.into_path(), metadata.len()));
        }
    }
    files.sort();
    let mut bytes = files.iter().fold(0u64, |sum, (.., length)| sum.saturating_add(*length));
    for (_, path, length) in files {
        if bytes <= bytes_max {
            break;
        }
        if path != kept {
            let _gone = fs::remove_file(&path);
            // Only an empty folder goes.
            let _kept = path.parent().map(fs::remove_dir);
            bytes -= length;
        }
    }
    Ok(())
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(REDIRECTS_MAX)
        .timeout_resolve(Some(REACH_TIME))
        .timeout_connect(Some(REACH_TIME))
        .timeout_recv_response(Some(REACH_TIME))
        .timeout_per_read(Some(SILENCE_TIME))
        .user_agent(concat!("weighhouse/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Tries until it is done, or further attempts are of no use. `once` gives how far it has come from `farthest` on.
fn attempts(
    url: &str,
    how: &Fetch<'_>,
    mut farthest: u64,
    mut once: impl FnMut() -> (Result<(), Ended>, u64),
) -> Result<(), FetchError> {
    // Where a server doesn't let a file be gone on with, only an attempt that comes farther than all before is one.
    let mut idle = 0;
    loop {
        let (done, length) = once();
        match done {
            Ok(()) => return Ok(()),
            Err(Ended::For(error)) => return Err(error),
            Err(Ended::Retry { reason, pause }) => {
                idle = if length > farthest { 0 } else { idle + 1 };
                farthest = farthest.max(length);
                if idle >= how.attempts.max(1) {
                    return Err(FetchError::Broken { url: url.to_owned(), attempts: idle, reason });
                }
                let doubled = PAUSE.saturating_mul(1 << idle.min(16));
                (how.wait)(doubled.max(pause).min(PAUSE_MAX));
            }
        }
    }
}

/// What follows from a status that brings nothing.
fn refusal<B>(response: &Response<B>, url: &str) -> Ended {
    let status = response.status();
    if !status.is_server_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
        return Ended::For(FetchError::Refused { url: url.to_owned(), status: status.as_u16() });
    }
    let stated = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = stated.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let pause = Duration::from_secs(seconds).min(PAUSE_MAX);
    Ended::Retry { reason: format!("status {}", status.as_u16()), pause }
}

/// The last part of an address, under which the file will lie.
fn name_of(url: &str) -> Result<String, FetchError> {
    let shown = url.split_once('@').map_or(url, |(_, rest)| rest).to_owned();
    let wrong = |reason| FetchError::Address { url: shown.clone(), reason };
    let uri: Uri = url.parse().map_err(|_| wrong("is not one"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("begins with neither http:// nor https://"));
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("holds a name or password, which addresses may not"));
    }
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    if name.is_empty() || name.starts_with('.') || !plain_path(name) || name.contains('%') {
        return Err(wrong("does not end with the plain name of a file"));
    }
    Ok(name.to_owned())
}

fn attempt(agent: &Agent, url: &str, part: &mut Part, how: &Fetch<'_>) -> Result<(), Ended> {
    let later = |error: ureq::Error| Ended::Retry { reason: error.to_string(), pause: Duration::ZERO };
    if part.tag.is_none() {
        part.restart()?;
    }
    let mut request = agent.get(url);
    if let (Some(tag), 1..) = (&part.tag, part.length) {
        request = request.header(RANGE, format!("bytes={}-", part.length)).header(IF_RANGE, tag);
    }
    let mut response = match request.call() {
        Ok(response) => response,
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects)) => {
            let (url, attempts) = (url.to_owned(), 1);
            return Err(Ended::For(FetchError::Broken { url, attempts, reason: error.to_string() }));
        }
        Err(error) => return Err(later(error)),
    };
    let total = match opening(&response, url, part)? {
        Opening::Whole { total } => {
            part.restart()?;
            part.remember(tag_of(response.headers()))?;
            total
        }
        Opening::Rest { total } => Some(total),
        Opening::Nothing => return Ok(()),
    };
    let too_long = |found| FetchError::TooLong { url: url.to_owned(), found, max: how.bytes_max };
    if let Some(found) = total.filter(|total| *total > how.bytes_max) {
        return Err(Ended::For(too_long(found)));
    }
    let mut body = response.body_mut().as_reader();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        (how.progress)(part.length, total);
        let read = match body.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(later(error.into())),
        };
        part.append(&chunk[..read])?;
        if part.length > how.bytes_max {
            return Err(Ended::For(too_long(part.length)));
        }
    }
    match total {
        Some(total) if total != part.length => {
            let reason = format!("it ended after {} of {total} bytes", part.length);
            Err(Ended::Retry { reason, pause: Duration::ZERO })
        }
        _ => Ok(()),
    }
}

/// What an answer holds.
enum Opening {
    /// The file from its beginning.
    Whole { total: Option<u64> },
    /// What comes after the bytes that are there.
    Rest { total: u64 },
    /// All bytes are there.
    Nothing,
}

fn opening<B>(response: &Response<B>, url: &str, part: &mut Part) -> Result<Opening, Ended> {
    let headers = response.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match response.status() {
        StatusCode::OK => {
            Ok(Opening::Whole { total: text(CONTENT_LENGTH).and_then(|text| text.parse().ok()) })
        }
        StatusCode::PARTIAL_CONTENT => match text(CONTENT_RANGE).and_then(range) {
            Some((first, total)) if first == part.length => Ok(Opening::Rest { total }),
            _ => {
                part.restart()?;
                let reason = "the server sent another range than the one asked for".to_owned();
                Err(Ended::Retry { reason, pause: Duration::ZERO })
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let total = text(CONTENT_RANGE).and_then(|text| text.strip_prefix("bytes */")?.parse().ok());
            if total == Some(part.length) && part.length > 0 {
                return Ok(Opening::Nothing);
            }
            part.restart()?;
            let reason = "the server has no such range".to_owned();
            Err(Ended::Retry { reason, pause: Duration::ZERO })
        }
        _ => Err(refusal(response, url)),
    }
}

/// First byte and whole length of a `Content-Range`.
fn range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, total.parse().ok()?))
}

/// A strong ETag: only such a one vouches for every byte.
fn tag_of(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    (tag.starts_with('"') && tag.len() <= TAG_MAX_BYTES).then(|| tag.to_owned())
}

/// What has arrived, and the tag of the file that it is of.
struct Part {
    path: PathBuf,
    tag_path: PathBuf,
    file: File,
    length: u64,
    tag: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "this module keeps what it fetches")]
impl Part {
    /// Opens it and waits until nobody else writes on it.
    fn open(path: PathBuf, tag_path: PathBuf) -> Result<Self, FetchError> {
        let opened = File::options().create(true).append(true).open(&path).and_then(|file| {
            file.lock()?;
            let length = file.metadata()?.len();
            Ok((file, length))
        });
        let (file, length) = opened.map_err(|source| failed(&path, source))?;
        let tag = fs::read_to_string(&tag_path).ok().filter(|tag| !tag.is_empty());
        Ok(Self { path, tag_path, file, length, tag })
    }

    fn restart(&mut self) -> Result<(), Ended> {
        self.file.set_len(0).map_err(|source| Ended::For(failed(&self.path, source)))?;
        self.length = 0;
        self.remember(None)
    }

    fn remember(&mut self, tag: Option<String>) -> Result<(), Ended> {
        let written = fs::write(&self.tag_path, tag.as_deref().unwrap_or_default());
        written.map_err(|source| Ended::For(failed(&self.tag_path, source)))?;
        self.tag = tag;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.file.write_all(bytes).map_err(|source| Ended::For(failed(&self.path, source)))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn finish(self, whole: &Path) -> Result<(), FetchError> {
        let done = self.file.sync_all().and_then(|()| {
            fs::rename(&self.path, whole)?;
            fs::remove_file(&self.tag_path)
        });
        done.map_err(|source| failed(whole, source))
    }
}

fn failed(path: &Path, source: io::Error) -> FetchError {
    FetchError::Io { path: path.display().to_string(), source }
}
