//! What the repositories of this crate have in common when they are checked: a manifest that names every file by its
//! digest, and the ways in which one is not what it says.

use std::{collections::BTreeSet, path::Path};

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::{
    ledger::TilingError,
    series::{FileError, HubFile},
    source::{self, SourceError},
    verify::{Fault, RowError},
};

/// The file that names the others.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The longest manifest: one that names a million files of folders one by one.
const MANIFEST_MAX_BYTES: u64 = 256 << 20;
/// Files in one repository.
const FILES_MAX: usize = 1 << 20;
/// The longest file that is no table.
pub(crate) const ATTACHED_MAX_BYTES: u64 = 256 << 20;

/// What is wrong with a repository.
#[derive(Debug, Error)]
pub enum Damage {
    /// A file is missing, or not the one that the manifest names.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file can't be understood.
    #[error("{path} can't be understood: {what}")]
    Form {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file is there that the manifest doesn't name.
    #[error("{path} is not named in {MANIFEST_FILE}")]
    Extra {
        /// The file.
        path: String,
    },
    /// What stands for a record is not what it should be.
    #[error("record {record} has another {what} than it should: expected {expected}, found {found}")]
    Record {
        /// The record's name: a file's path, or an archive's path and the offset in it.
        record: String,
        /// What differs.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The ledger does not cover what it should.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// A shard is at fault.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
    /// The whole is not what the manifest says of it.
    #[error("{what}: the manifest says {expected}, found {found}")]
    Whole {
        /// What differs.
        what: String,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
}

/// Why a check came to no end.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The repository is not what it says.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The source can't be read, which says nothing about the repository.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What the source has is not what the repository was made of, which says nothing about it either.
    #[error(transparent)]
    NoEvidence(RowError),
}

impl From<FileError> for CheckError {
    fn from(error: FileError) -> Self {
        Self::Damage(error.into())
    }
}

/// Reads the manifest of a repository.
pub(crate) fn manifest<T: DeserializeOwned>(root: &Path) -> Result<T, Damage> {
    let form = |what: String| Damage::Form { path: MANIFEST_FILE.to_owned(), what };
    let bytes = source::read_at_most(&root.join(MANIFEST_FILE), MANIFEST_MAX_BYTES).map_err(FileError::Io)?;
    if bytes.len() as u64 > MANIFEST_MAX_BYTES {
        return Err(form(format!("it has more than {MANIFEST_MAX_BYTES} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| form(error.to_string()))
}

/// Whether no file is there beside these and the manifest. Hidden ones are those of the tools that keep a repository.
pub(crate) fn no_other_files<'a>(root: &Path, named: impl Iterator<Item = &'a str>) -> Result<(), Damage> {
    let named: BTreeSet<&str> = named.chain([MANIFEST_FILE]).collect();
    let found = source::files_below(root, FILES_MAX).map_err(FileError::Io)?;
    match found.into_iter().find(|path| !named.contains(path.as_str())) {
        Some(path) => Err(Damage::Extra { path }),
        None => Ok(()),
    }
}

/// Whether files that are no tables are those that the manifest names.
pub(crate) fn attached(root: &Path, files: &[HubFile]) -> Result<(), Damage> {
    files.iter().try_for_each(|file| Ok(file.read(root, ATTACHED_MAX_BYTES).map(drop)?))
}

/// Whether a figure of the manifest is what was found.
pub(crate) fn whole<T: PartialEq + ToString>(what: &str, expected: T, found: T) -> Result<(), Damage> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.to_string(), found.to_string());
    Err(Damage::Whole { what: what.to_owned(), expected, found })
}
