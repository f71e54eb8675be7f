//! The durable log: each block's time and extrinsics, on disk before the block is seen. The only module that
//! touches files.
//!
//! A folder holds one log and any number of snapshots. The log alone is the truth: opening it replays every block
//! and checks each state's digest. A snapshot is a state written whole and only shortens the replay; one that
//! can't be trusted is skipped and reported. A record that was cut off at the end of the log belongs to a block
//! that nobody has seen: it is removed and reported. Damage anywhere else is an error.

#![expect(clippy::disallowed_methods, reason = "this module is where files are touched")]

mod record;
mod snapshot;

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use chain::Head;
use primitives::{BlockNumber, Digest, Timestamp};
pub use record::Record;
use record::{Found, HEADER_BYTES, Scan};
use thiserror::Error;

use crate::{
    Block, Genesis, GenesisError, State,
    archive::Archive,
    block::{Body, Header, inherent},
};

/// The log's name in its folder.
const LOG_FILE: &str = "blocks.log";
/// First bytes of a log: what it is and its version. The hash of block 0 follows.
const MAGIC: &[u8; 8] = b"WHBLOCK3";
/// Bytes in front of the first record.
const START: u64 = 8 + 32;

/// A log could not be opened or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The genesis is not one.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The file system failed.
    #[error("could not {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the log open.
    #[error("log {path} is in use by another process")]
    InUse {
        /// The log.
        path: PathBuf,
    },
    /// The file is not a log, or one of another version.
    #[error("{path} is no block log of this version")]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// The log belongs to a chain that started differently.
    #[error("log {path} starts from block {found}, the genesis gives {expect}")]
    OtherGenesis {
        /// The log.
        path: PathBuf,
        /// The hash of its block 0.
        found: Digest,
        /// The hash of the genesis given.
        expect: Digest,
    },
    /// A record in the middle is damaged: what comes after it can't be trusted.
    #[error("record of block {block} at byte {offset} of the log is damaged")]
    Damaged {
        /// The block whose record it is.
        block: BlockNumber,
        /// Where it starts.
        offset: u64,
    },
    /// Replaying a block did not lead to the state that it led to before.
    #[error("block {block} at byte {offset} gives state {found}, the log has {expect}")]
    Diverged {
        /// The block.
        block: BlockNumber,
        /// Where its record starts.
        offset: u64,
        /// The digest of the state replayed.
        found: Digest,
        /// The digest in the log.
        expect: Digest,
    },
    /// An earlier write failed: what is on disk is not known until the log is opened again.
    #[error("log failed before, open it again")]
    Failed,
    /// The block is not the one after the last.
    #[error("block {found} does not follow block {last} in the log")]
    OutOfOrder {
        /// The block given.
        found: BlockNumber,
        /// The last one written.
        last: BlockNumber,
    },
}

/// A record cut off at the log's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The block whose record it would have been.
    pub block: BlockNumber,
    /// Where it started.
    pub offset: u64,
    /// How many bytes were removed.
    pub bytes: u64,
}

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The block of the snapshot that the replay started from; none for the genesis.
    pub snapshot: Option<BlockNumber>,
    /// Blocks replayed.
    pub replayed: u64,
    /// The unfinished record that was removed.
    pub torn: Option<TornTail>,
    /// Snapshots that could not be used.
    pub skipped: Vec<PathBuf>,
}

/// A log opened, and the state that it leads to.
#[derive(Debug)]
pub struct Opened {
    /// The log, to be written on.
    pub log: Log,
    /// The state after its last block.
    pub state: State,
    /// What was found.
    pub report: Report,
    /// The newest states of those replayed, oldest first.
    pub(crate) recent: VecDeque<State>,
    /// The blocks.
    pub(crate) archive: Archive,
}

/// A log open for writing.
#[derive(Debug)]
pub struct Log {
    file: File,
    folder: PathBuf,
    last: BlockNumber,
    failed: bool,
}

/// Turns a failure of the file system into one that names the file.
fn io_error<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> LogError + 'a {
    move |source| LogError::Io { action, path: path.to_owned(), source }
}

/// Makes renames and new files in `folder` durable.
fn sync_folder(folder: &Path) -> Result<(), LogError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))
}

impl Log {
    /// Opens the log in `folder`, or starts one, and replays it.
    ///
    /// # Errors
    /// [`LogError`]; the log is left as it is, but for a cut-off record at its end, which is removed.
    pub fn open(folder: &Path, genesis: &Genesis) -> Result<Opened, LogError> {
        Self::open_keeping(folder, genesis, 1)
    }

    /// [`Self::open`], with up to `kept` of the states replayed.
    pub(crate) fn open_keeping(folder: &Path, genesis: &Genesis, kept: usize) -> Result<Opened, LogError> {
        let start = State::genesis(genesis)?;
        std::fs::create_dir_all(folder).map_err(io_error("create", folder))?;
        let path = folder.join(LOG_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LogError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io_error("read", &path))?;
        let header = header(&start);
        if bytes.len() < header.len() && header.starts_with(&bytes) {
            // New, or cut off before the first block.
            file.set_len(0).map_err(io_error("cut", &path))?;
            file.seek(SeekFrom::Start(0)).map_err(io_error("seek in", &path))?;
            file.write_all(&header).map_err(io_error("write", &path))?;
            file.sync_all().map_err(io_error("sync", &path))?;
            sync_folder(folder)?;
            bytes = header;
        }
        check_header(&bytes, &start, &path)?;
        let (records, torn) = read_records(&bytes)?;
        if let Some(torn) = torn {
            file.set_len(torn.offset).map_err(io_error("cut", &path))?;
            file.sync_all().map_err(io_error("sync", &path))?;
        }
        file.seek(SeekFrom::End(0)).map_err(io_error("seek in", &path))?;
        let mut report = Report { torn, ..Report::default() };
        let archive = archive(*start.header(), &records);
        let mut recent = VecDeque::new();
        let keep = |state: &State| {
            recent.push_back(state.clone());
            if recent.len() > kept {
                recent.pop_front();
            }
        };
        let state = replay(folder, start, &records, &archive, &mut report, keep)?;
        let log = Log { file, folder: folder.to_owned(), last: state.head().number, failed: false };
        Ok(Opened { log, state, report, recent, archive })
    }

    /// The state that the log in `folder` leads to, every block of it carried out from the genesis: snapshots are left
    /// aside. Nothing is written, and the log may be open elsewhere.
    ///
    /// # Errors
    /// [`LogError`]. A record cut off at the end is no fault: a block may be under way.
    pub fn replay(folder: &Path, genesis: &Genesis) -> Result<(State, Report), LogError> {
        let mut state = State::genesis(genesis)?;
        let path = folder.join(LOG_FILE);
        let bytes = std::fs::read(&path).map_err(io_error("read", &path))?;
        check_header(&bytes, &state, &path)?;
        let (records, torn) = read_records(&bytes)?;
        let mut report = Report { torn, ..Report::default() };
        carry_out(&mut state, &records, &mut report, |_| {})?;
        Ok((state, report))
    }

    /// Writes a block and waits until it is on disk.
    ///
    /// # Errors
    /// [`LogError`]; after a failed write the log takes no more.
    pub fn append(&mut self, block: &Block) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        let Head { number, hash, time, .. } = block.head;
        if number != self.last + 1 {
            return Err(LogError::OutOfOrder { found: number, last: self.last });
        }
        let extrinsics = block.included.clone();
        let record = Record { number, hash, time, extrinsics, state_digest: block.state_digest };
        let bytes = record.to_bytes();
        self.failed = true;
        let path = self.folder.join(LOG_FILE);
        self.file.write_all(&bytes).map_err(io_error("write", &path))?;
        self.file.sync_data().map_err(io_error("sync", &path))?;
        self.failed = false;
        self.last = number;
        Ok(())
    }

    /// Writes `state` whole beside the log, so that the next opening needs to replay only what comes after.
    ///
    /// # Errors
    /// [`LogError::Io`]; an older snapshot stays usable.
    pub fn snapshot(&self, state: &State) -> Result<PathBuf, LogError> {
        snapshot::write(&self.folder, state)
    }

    /// The last block on disk.
    #[must_use]
    pub fn last(&self) -> BlockNumber {
        self.last
    }
}

/// What the log of a chain with this first state begins with.
fn header(start: &State) -> Vec<u8> {
    [&MAGIC[..], &start.head().hash.0].concat()
}

fn check_header(bytes: &[u8], start: &State, path: &Path) -> Result<(), LogError> {
    if !bytes.starts_with(MAGIC) {
        return Err(LogError::NotALog { path: path.to_owned() });
    }
    if !bytes.starts_with(&header(start)) {
        let hash: Option<&[u8; 32]> = bytes.get(MAGIC.len()..).and_then(<[u8]>::first_chunk);
        let found = hash.copied().map(Digest).unwrap_or_default();
        return Err(LogError::OtherGenesis { path: path.to_owned(), found, expect: start.head().hash });
    }
    Ok(())
}

/// A record and where it starts.
type Placed = (u64, Record);

fn read_records(bytes: &[u8]) -> Result<(Vec<Placed>, Option<TornTail>), LogError> {
    let mut records: Vec<Placed> = Vec::new();
    let mut offset = START;
    loop {
        let block = records.len() as u64 + 1;
        let rest = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
        match record::next(rest) {
            Scan::End => return Ok((records, None)),
            Scan::Torn => {
                return Ok((records, Some(TornTail { block, offset, bytes: rest.len() as u64 })));
            }
            Scan::Record(Found { record, bytes }) if record.number == block => {
                records.push((offset, record));
                offset += HEADER_BYTES as u64 + bytes as u64;
            }
            Scan::Record(_) | Scan::Damaged => return Err(LogError::Damaged { block, offset }),
        }
    }
}

/// The blocks as clients know them, whether or not they are carried out again.
fn archive(genesis: Header, records: &[Placed]) -> Archive {
    let mut archive = Archive::new(genesis);
    let mut parent = genesis.head;
    let skipped = records.len().saturating_sub(crate::archive::MAX_HEADERS);
    for (at, (_, record)) in records.iter().enumerate() {
        let Record { number, hash, time, extrinsics, state_digest } = record;
        if at >= skipped {
            let bytes = extrinsics.iter().map(|one| one.bytes(one.nonce.unwrap_or_default()));
            let body: Body = std::iter::once(inherent(*time)).chain(bytes).collect();
            archive.push(Header::of_body(&parent, *time, *state_digest, &body), body);
        }
        parent = Head { number: *number, hash: *hash, ..parent };
    }
    archive
}

/// Carries out the blocks after the newest usable snapshot, and shows each state to `seen`.
fn replay(
    folder: &Path,
    genesis: State,
    records: &[Placed],
    archive: &Archive,
    report: &mut Report,
    mut seen: impl FnMut(&State),
) -> Result<State, LogError> {
    let mut state = genesis;
    for path in snapshot::newest_first(folder)? {
        let fits = |state: &State| {
            let at = state.head().number.checked_sub(1).and_then(|before| usize::try_from(before).ok());
            let record = at.and_then(|at| records.get(at));
            record.is_some_and(|(_, record)| record.state_digest == state.digest())
        };
        match snapshot::read(&path).filter(fits) {
            Some(found) => {
                let number = found.head().number;
                report.snapshot = Some(number);
                state = match (archive.header(number), archive.body(number)) {
                    (Some(header), Some(body)) => found.with_block(*header, body),
                    _ => found,
                };
                break;
            }
            None => report.skipped.push(path),
        }
    }
    seen(&state);
    carry_out(&mut state, records, report, seen)?;
    Ok(state)
}

/// Carries out the blocks that `state` has not seen, and checks each one's digest.
fn carry_out(
    state: &mut State,
    records: &[Placed],
    report: &mut Report,
    mut seen: impl FnMut(&State),
) -> Result<(), LogError> {
    let done = usize::try_from(state.head().number).unwrap_or(usize::MAX);
    for (offset, record) in records.iter().skip(done) {
        let Record { number, time, extrinsics, state_digest, .. } = record;
        let block = state.block(*time, extrinsics);
        if block.state_digest != *state_digest {
            let (found, expect) = (block.state_digest, *state_digest);
            return Err(LogError::Diverged { block: *number, offset: *offset, found, expect });
        }
        report.replayed += 1;
        seen(state);
    }
    Ok(())
}

/// The time of the block after `last`: the clock's, but never before the last block's.
pub(crate) fn not_before(last: Timestamp, now: Timestamp) -> Timestamp {
    now.max(last)
}
