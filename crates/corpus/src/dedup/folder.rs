//! The folder of an index: the only part of it that touches files.
//!
//! `lock` is held while the index is open, `run-N.keys` are the runs, and `runs.json` lists those that count: one line of
//! JSON, and one with its digest. The list is replaced as a whole, after the run that it adds is on the disk. A run that
//! it does not name was left by a process that was killed, and goes when the index is next opened.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::{IndexError, Run, run::BLOCK_BYTES, shown};

const LOCK_FILE: &str = "lock";
const LIST_FILE: &str = "runs.json";
/// What the list is written to before it takes the list's name.
const NEW_LIST_FILE: &str = "runs.json.new";
/// A list has fewer than eight runs of each size, and each takes some 150 bytes.
const LIST_MAX_BYTES: u64 = 64 << 10;
const VERSION: u32 = 1;

/// The folder, with its lock.
#[derive(Debug)]
pub(super) struct IndexFolder {
    root: PathBuf,
    /// Locked until it is closed, however the process ends.
    _lock: File,
}

/// What stands in the list.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u32,
    runs: Vec<Run>,
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> IndexError {
    move |source| IndexError::Io { path: shown(path), source }
}

impl IndexFolder {
    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    pub(super) fn open(root: &Path) -> Result<Self, IndexError> {
        fs::create_dir_all(root).map_err(io_error(root))?;
        let place = root.join(LOCK_FILE);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&place);
        let lock = lock.map_err(io_error(&place))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(IndexError::Busy { path: shown(root) }),
            Err(TryLockError::Error(source)) => Err(IndexError::Io { path: shown(&place), source }),
        }
    }

    /// The runs that count. A new folder gets a list of none, so that a list that is lost later does not pass for one.
    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    pub(super) fn list(&self) -> Result<Vec<Run>, IndexError> {
        let place = self.root.join(LIST_FILE);
        let file = match File::open(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.runs_found()?.is_empty() {
                    let what = "runs without a list of them";
                    return Err(IndexError::Damaged { path: shown(&place), at_byte: 0, what });
                }
                self.replace_list(&[])?;
                return Ok(Vec::new());
            }
            opened => opened.map_err(io_error(&place))?,
        };
        let mut text = Vec::new();
        file.take(LIST_MAX_BYTES + 1).read_to_end(&mut text).map_err(io_error(&place))?;
        let damaged = |what| IndexError::Damaged { path: shown(&place), at_byte: 0, what };
        if text.len() as u64 > LIST_MAX_BYTES {
            return Err(damaged("list of runs is too long"));
        }
        let lines = text.strip_suffix(b"\n").and_then(|text| {
            let end = text.iter().position(|byte| *byte == b'\n')?;
            Some((&text[..end], &text[end + 1..]))
        });
        let (json, digest) = lines.ok_or(damaged("list of runs is cut"))?;
        if Digest::of(json).to_string().as_bytes() != digest {
            return Err(damaged("list of runs differs from its digest"));
        }
        let list: List =
            serde_json::from_slice(json).map_err(|_| damaged("list of runs has another form"))?;
        if list.version != VERSION {
            return Err(damaged("list of runs is of another version"));
        }
        Ok(list.runs)
    }

    /// Puts these runs in the place of the list's.
    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    pub(super) fn replace_list(&self, runs: &[Run]) -> Result<(), IndexError> {
        let list = List { version: VERSION, runs: runs.to_vec() };
        let json = serde_json::to_string(&list).expect("plain data");
        let text = format!("{json}\n{}\n", Digest::of(json.as_bytes()));
        let (new, place) = (self.root.join(NEW_LIST_FILE), self.root.join(LIST_FILE));
        let mut file = File::create(&new).map_err(io_error(&new))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(&new))?;
        fs::rename(&new, &place).map_err(io_error(&place))?;
        self.sync()
    }

    /// Removes runs that the list does not name.
    pub(super) fn sweep(&self, runs: &[Run]) -> Result<(), IndexError> {
        let is_listed = |number: &u64| runs.iter().any(|run| run.number == *number);
        self.runs_found()?
            .into_iter()
            .filter(|number| !is_listed(number))
            .try_for_each(|number| self.remove_run(number))
    }

    /// The numbers of the runs that are there.
    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    fn runs_found(&self) -> Result<Vec<u64>, IndexError> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(io_error(&self.root))? {
            let name = entry.map_err(io_error(&self.root))?.file_name();
            let number = |name: &str| name.strip_prefix("run-")?.strip_suffix(".keys")?.parse::<u64>().ok();
            let number = name.to_str().and_then(number);
            numbers.extend(number.filter(|number| name.to_str() == Some(&file_name(*number))));
        }
        Ok(numbers)
    }

    /// Holds the length of a run's file to the list.
    pub(super) fn check_length(&self, run: &Run) -> Result<(), IndexError> {
        let place = self.place(run.number);
        let found = self.open_run(run.number)?.metadata().map_err(io_error(&place))?.len();
        let expected = u64::from(run.root.blocks) * BLOCK_BYTES as u64;
        if found == expected {
            return Ok(());
        }
        let what =
            if found < expected { "the file is cut" } else { "the file goes on behind its last block" };
        Err(IndexError::Damaged { path: shown(&place), at_byte: found.min(expected), what })
    }

    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    pub(super) fn open_run(&self, number: u64) -> Result<File, IndexError> {
        let place = self.place(number);
        File::open(&place).map_err(io_error(&place))
    }

    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    pub(super) fn create_run(&self, number: u64) -> Result<File, IndexError> {
        let place = self.place(number);
        File::create(&place).map_err(io_error(&place))
    }

    /// Waits until a run that was written is on the disk, under its name.
    pub(super) fn seal_run(&self, number: u64, file: &File) -> Result<(), IndexError> {
        file.sync_all().map_err(io_error(&self.place(number)))?;
        self.sync()
    }

    pub(super) fn remove_run(&self, number: u64) -> Result<(), IndexError> {
        let place = self.place(number);
        fs::remove_file(&place).map_err(io_error(&place))
    }

    /// How errors name a run.
    pub(super) fn name_of(&self, number: u64) -> String {
        shown(&self.place(number))
    }

    fn place(&self, number: u64) -> PathBuf {
        self.root.join(file_name(number))
    }

    /// Waits until the folder's names are on the disk. Elsewhere than on Unix a folder can't be opened as a file.
    #[expect(clippy::disallowed_methods, reason = "this module is the index's edge to the file system")]
    fn sync(&self) -> Result<(), IndexError> {
        if cfg!(unix) {
            File::open(&self.root).and_then(|folder| folder.sync_all()).map_err(io_error(&self.root))?;
        }
        Ok(())
    }
}

fn file_name(number: u64) -> String {
    format!("run-{number}.keys")
}
