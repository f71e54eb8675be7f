//! A house's folder: what it was founded with, its keys, its stores, and the lock of whoever runs it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use miette::Diagnostic;
use primitives::{Digest, Hotkey, Seed, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Durable, Store, artifacts};
use thiserror::Error;
use wallet::{
    Keypair,
    file::{KeyName, Overwrite, Protection, Wallets},
};

use crate::config::environment::Environment;

/// The version of a house's folder.
const VERSION: u32 = 3;
const LOCK: &str = "house.lock";
const FOUNDING: &str = "house.json";
/// The job that the subnet's owner gave when the house was founded.
const JOB: &str = "job.json";
/// A store in its party's folder.
const STORE: &str = "store.sqlite";
/// The longest lock file, in bytes: a process and an address.
const LOCK_MAX_BYTES: u64 = 4096;

/// A house's folder can't be used.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum FolderError {
    /// Nobody says where.
    #[error("there is no place for the subnet's state: neither XDG_STATE_HOME nor HOME is set")]
    #[diagnostic(help("name a folder: `weigh up --state DIR`"))]
    NoHome,
    /// Somebody runs it.
    #[error("the subnet in {path} is running already{}", shown(running))]
    #[diagnostic(help("look at it with `weigh status`, end it with `weigh down`"))]
    Running { path: PathBuf, running: Option<Running> },
    /// It was founded with something else.
    #[error("the subnet in {path} was founded with {what} {found}, not {wanted}")]
    #[diagnostic(help("go on without saying so, or begin anew with `weigh reset`"))]
    Other { path: PathBuf, what: &'static str, found: String, wanted: String },
    /// It was written by another version.
    #[error("the subnet in {path} has version {found} of its form, this program knows {VERSION}")]
    #[diagnostic(help("begin anew with `weigh reset`, or use the program that founded it"))]
    Version { path: PathBuf, found: u32 },
    /// A file of it is not what this program writes.
    #[error("{path} can't be read: {reason}")]
    #[diagnostic(help("begin anew with `weigh reset`"))]
    Damaged { path: PathBuf, reason: String },
    /// The system said no.
    #[error("{path} can't be used")]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// A store in it can't be opened.
    #[error("store {path} can't be opened")]
    #[diagnostic(help("begin anew with `weigh reset`"))]
    Store {
        path: PathBuf,
        #[source]
        error: Box<store::StoreError>,
    },
    /// Something else lies there.
    #[error("{path} is not a subnet's folder: nothing in it is removed")]
    #[diagnostic(help("name the folder that `weigh status` shows"))]
    Foreign { path: PathBuf },
    /// There is nothing there.
    #[error("there is no subnet in {path}")]
    #[diagnostic(help("found one with `weigh up`"))]
    Nothing { path: PathBuf },
}

fn shown(running: &Option<Running>) -> String {
    running.as_ref().map_or_else(String::new, |running| {
        let at = running.url.as_ref().map_or_else(String::new, |url| format!(" at {url}"));
        format!("{at}, in process {}", running.process)
    })
}

impl FolderError {
    /// 10 where it runs already, 3 where it is not there, 2 where other arguments would help, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            FolderError::Running { .. } => 10,
            FolderError::Nothing { .. } => 3,
            FolderError::NoHome | FolderError::Other { .. } | FolderError::Foreign { .. } => 2,
            _ => 1,
        }
    }
}

/// Who runs a house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) process: u32,
    /// Its website, once it is up.
    pub(crate) url: Option<String>,
}

/// What a house was founded with: it stays so for as long as its chain lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Founding {
    pub(crate) version: u32,
    pub(crate) seed: u64,
    pub(crate) validators: usize,
    /// Strategies of the miners, by name: the honest, then the attackers.
    pub(crate) miners: Vec<String>,
    /// What the tasks are cut of: a path or an address.
    pub(crate) source: String,
    /// The digest of the job, whose tasks are those of this chain whatever the source has by now.
    pub(crate) job: Digest,
}

impl Founding {
    pub(crate) fn new(seed: u64, validators: usize, miners: Vec<String>, source: String, job: &[u8]) -> Self {
        Self { version: VERSION, seed, validators, miners, source, job: Digest::of(job) }
    }
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A house's folder.
#[derive(Clone, Debug)]
pub(crate) struct HouseFolder(PathBuf);

/// Held for as long as the house is run.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl HouseFolder {
    /// The one that was named, or the user's own.
    pub(crate) fn of(named: Option<&Path>) -> Result<Self, FolderError> {
        if let Some(path) = named {
            return Ok(Self(path.to_owned()));
        }
        let state = Environment::of_process().state_home();
        Ok(Self(state.ok_or(FolderError::NoHome)?.join("weighhouse").join("up")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn chain(&self) -> PathBuf {
        self.0.join("chain")
    }

    /// When the chain's files were last written, by the time of day: its blocks may count a time of their own.
    pub(crate) fn chain_written(&self) -> Result<Timestamp, FolderError> {
        let path = self.chain();
        let mut newest = Timestamp(0);
        for entry in fs::read_dir(&path).map_err(Self::failed(&path))? {
            let written = entry.and_then(|entry| entry.metadata()?.modified());
            let since = written.map_err(Self::failed(&path))?.duration_since(UNIX_EPOCH).unwrap_or_default();
            newest = newest.max(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)));
        }
        Ok(newest)
    }

    fn failed(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
        move |error| FolderError::File { path: path.to_owned(), error }
    }

    /// Takes the lock, or says who has it.
    pub(crate) fn lock(&self) -> Result<Lock, FolderError> {
        fs::create_dir_all(&self.0).map_err(Self::failed(&self.0))?;
        let path = self.0.join(LOCK);
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(Self::failed(&path))?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock(file);
                lock.tell(None).map_err(Self::failed(&path))?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                Err(FolderError::Running { path: self.0.clone(), running: self.running() })
            }
            Err(TryLockError::Error(error)) => Err(Self::failed(&path)(error)),
        }
    }

    /// Who runs the house, as far as can be told; none where nobody does.
    pub(crate) fn running(&self) -> Option<Running> {
        let path = self.0.join(LOCK);
        let mut file = File::options().read(true).write(true).open(path).ok()?;
        if file.try_lock().is_ok() {
            return None;
        }
        Self::told_in(&mut file)
    }

    /// Who ran the house last, as the lock file has it.
    pub(crate) fn last_run(&self) -> Option<Running> {
        Self::told_in(&mut File::open(self.0.join(LOCK)).ok()?)
    }

    fn told_in(file: &mut File) -> Option<Running> {
        let mut text = String::new();
        file.take(LOCK_MAX_BYTES).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Whether something lies there that is no subnet's.
    pub(crate) fn is_foreign(&self) -> bool {
        let is_ours = [LOCK, FOUNDING].iter().any(|name| self.0.join(name).exists());
        let is_empty = fs::read_dir(&self.0).map_or(true, |mut entries| entries.next().is_none());
        !is_ours && !is_empty
    }

    /// What the house was founded with; none where it was not.
    pub(crate) fn founding(&self) -> Result<Option<Founding>, FolderError> {
        let path = self.0.join(FOUNDING);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Self::failed(&path)(error)),
        };
        let damaged =
            |error: serde_json::Error| FolderError::Damaged { path: path.clone(), reason: error.to_string() };
        let Versioned { version } = serde_json::from_str(&text).map_err(damaged)?;
        if version != VERSION {
            return Err(FolderError::Version { path: self.0.clone(), found: version });
        }
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// The job that the house was founded with.
    pub(crate) fn job(&self, founding: &Founding) -> Result<Vec<u8>, FolderError> {
        let path = self.0.join(JOB);
        let job = fs::read(&path).map_err(Self::failed(&path))?;
        let found = Digest::of(&job);
        if found != founding.job {
            let reason = format!("it has digest {found}, expected {}", founding.job);
            return Err(FolderError::Damaged { path, reason });
        }
        Ok(job)
    }

    /// What the house was founded with, where it was.
    pub(crate) fn known(&self) -> Result<Founding, FolderError> {
        self.founding()?.ok_or_else(|| FolderError::Nothing { path: self.0.clone() })
    }

    /// Notes that the house is founded: its chain lies in its place.
    pub(crate) fn found(&self, founding: &Founding, job: &[u8]) -> Result<(), FolderError> {
        self.write(JOB, job)?;
        self.write(FOUNDING, serde_json::to_string_pretty(founding).expect("plain data").as_bytes())
    }

    /// Writes a file that is there whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.0.join(name);
        let whole = path.with_extension("new");
        let write = || {
            let mut file = File::create(&whole)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&whole, &path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(Self::failed(&path))
    }

    /// A place for a chain that is not whole yet, empty.
    pub(crate) fn unfinished_chain(&self) -> Result<PathBuf, FolderError> {
        for path in [self.0.join("chain.new"), self.chain()] {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Self::failed(&path)(error));
                }
                _ => {}
            }
        }
        Ok(self.0.join("chain.new"))
    }

    /// Puts the finished chain in its place.
    pub(crate) fn finish_chain(&self) -> Result<(), FolderError> {
        let path = self.chain();
        fs::rename(self.0.join("chain.new"), &path).map_err(Self::failed(&path))
    }

    /// Whether a store of this name has been written.
    pub(crate) fn has_store(&self, name: &str) -> bool {
        self.0.join(name).join(STORE).is_file()
    }

    /// A store of the house.
    pub(crate) fn store(&self, name: &str) -> Result<Arc<dyn Store>, FolderError> {
        let path = self.0.join(name);
        fs::create_dir_all(&path).map_err(Self::failed(&path))?;
        let path = path.join(STORE);
        let opened = Durable::open(&path);
        Ok(Arc::new(opened.map_err(|error| FolderError::Store { path, error: Box::new(error) })?))
    }

    /// A party's artifacts.
    pub(crate) fn artifacts(&self, name: &str) -> Result<Arc<artifacts::Folder>, FolderError> {
        let path = self.0.join(name).join("artifacts");
        let opened = artifacts::Folder::open(&path);
        Ok(Arc::new(opened.map_err(|error| FolderError::Damaged { path, reason: error.to_string() })?))
    }

    /// Writes a party's keys as a wallet that btcli opens, unless they lie there. They hold play money, and no password.
    pub(crate) fn wallet(&self, name: &str, keys: &PartyKeys) -> Result<(), FolderError> {
        let wallets = Wallets::at(&self.0.join("wallets"));
        let damaged = |error: &dyn std::fmt::Display| FolderError::Damaged {
            path: wallets.root().join(name),
            reason: error.to_string(),
        };
        let key_name = |name: &str| name.parse::<KeyName>().map_err(|error| damaged(&error));
        let wallet = wallets.wallet(&key_name(name)?);
        for (place, pair) in
            [(wallet.coldkey(), &keys.coldkey), (wallet.hotkey(&key_name("default")?), &keys.hotkey)]
        {
            if place.check_absent(Overwrite::Refuse).is_ok() {
                place
                    .write_pair(pair, Protection::Plain, Overwrite::Refuse)
                    .map_err(|error| damaged(&error))?;
            }
        }
        Ok(())
    }

    /// Removes all of it, but for the lock that the caller holds.
    pub(crate) fn clear(&self, _lock: &Lock) -> Result<(), FolderError> {
        let entries = fs::read_dir(&self.0).map_err(Self::failed(&self.0))?;
        // What says that the house is founded goes first: what is left of a torn reset is no house.
        let founding = self.0.join(FOUNDING);
        let mut paths = vec![founding];
        paths.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        for path in paths {
            if path.ends_with(LOCK) {
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Self::failed(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Lock {
    /// Says where the website is.
    pub(crate) fn tell(&mut self, url: Option<String>) -> io::Result<()> {
        let running = Running { process: std::process::id(), url };
        let text = serde_json::to_string(&running).expect("plain data");
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(text.as_bytes())?;
        self.0.flush()
    }
}

/// A party's keys.
#[derive(Clone)]
pub(crate) struct PartyKeys {
    pub(crate) coldkey: Keypair,
    pub(crate) hotkey: Keypair,
}

impl PartyKeys {
    /// Those of a local subnet follow from its seed.
    pub(crate) fn of(seed: Seed, role: &str, index: usize) -> Self {
        let index = index as u64;
        Self {
            coldkey: Keypair::simulated(seed, &format!("{role} coldkey"), index),
            hotkey: Keypair::simulated(seed, &format!("{role} hotkey"), index),
        }
    }

    pub(crate) fn hotkey(&self) -> Hotkey {
        self.hotkey.hotkey()
    }
}
