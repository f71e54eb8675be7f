//! The text that a subnet works on: the crate registry, a folder or web archives, cut into tasks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use corpus::{Archives, Cut, Extent, Folder, FolderLimits, Source, SourceError};
use miette::Diagnostic;
use thiserror::Error;

use crate::config::environment::Environment;

/// The crate registry's folder below cargo's home.
const REGISTRY: &str = "registry";
/// Tasks in a round: what the honest miners and the attackers ask for together, and a few to spare.
pub(crate) const TASKS_PER_ROUND: u32 = 24;
/// Rounds in which a source is gone through once: the more, the smaller the tasks, and the more uneven.
const ROUNDS_PER_PASS: u64 = 4;
/// Most files in a task.
const ENTRIES_PER_TASK: u32 = 256;
/// Fewer tasks than this make no round in which each honest miner has its share.
const TASKS_MIN: usize = 24;

/// There is nothing to work on.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SourceOpenError {
    /// Nobody says where the crate registry is.
    #[error("there is no crate registry: neither CARGO_HOME nor HOME is set")]
    #[diagnostic(help("name a folder or an archive: `--source PATH`"))]
    NoHome,
    /// The source can't be read.
    #[error("source {path} can't be opened")]
    #[diagnostic(help("name a folder of HTML, Markdown and text, or a WARC file: `--source PATH`"))]
    Unreadable {
        path: PathBuf,
        #[source]
        error: Box<SourceError>,
    },
    /// The source is too small.
    #[error("source {path} makes {found} tasks, at least {TASKS_MIN} are needed")]
    #[diagnostic(help("name a larger folder or archive: `--source PATH`"))]
    TooSmall { path: PathBuf, found: usize },
}

/// A source with its tasks.
pub(crate) struct OpenSource {
    pub(crate) path: PathBuf,
    pub(crate) source: Arc<dyn Source + Send + Sync>,
    pub(crate) extents: Vec<Extent>,
    /// Bytes of all tasks together.
    pub(crate) bytes: u64,
    /// Bytes that a task was cut to.
    pub(crate) bytes_per_task: u64,
}

/// Opens the source that was named, or the crate registry, and cuts it so that a few rounds go through all of it.
pub(crate) fn open(named: Option<&Path>) -> Result<OpenSource, SourceOpenError> {
    let limits = FolderLimits::default();
    let (path, registry) = match named {
        Some(path) => (path.to_owned(), None),
        None => {
            let home = Environment::of_process().cargo_home().ok_or(SourceOpenError::NoHome)?;
            (home.join(REGISTRY), Some(home))
        }
    };
    let unreadable = |error| SourceOpenError::Unreadable { path: path.clone(), error: Box::new(error) };
    let open = || -> Result<Arc<dyn Source + Send + Sync>, SourceError> {
        if let Some(home) = registry {
            return Ok(Arc::new(Folder::cargo_registry(&home, limits)?));
        }
        let archives = Archives::open(&path);
        match archives {
            Ok(archives) if !path.is_dir() || archives.paths().next().is_some() => Ok(Arc::new(archives)),
            Err(error) if !path.is_dir() => Err(error),
            _ => Ok(Arc::new(Folder::open(&path, limits)?)),
        }
    };
    let source = open().map_err(unreadable)?;
    let whole =
        source.extents(Cut { entries_max: ENTRIES_PER_TASK, bytes_max: u64::MAX }).map_err(unreadable)?;
    let bytes: u64 = whole.iter().map(length).sum();
    let bytes_per_task = (bytes / (u64::from(TASKS_PER_ROUND) * ROUNDS_PER_PASS)).max(1);
    let cut = Cut { entries_max: ENTRIES_PER_TASK, bytes_max: bytes_per_task };
    let extents = source.extents(cut).map_err(unreadable)?;
    if extents.len() < TASKS_MIN {
        return Err(SourceOpenError::TooSmall { path, found: extents.len() });
    }
    Ok(OpenSource { path, source, extents, bytes, bytes_per_task })
}

/// Where the crate registry lies, which is the source where none is named; none where there is no home.
pub(crate) fn registry() -> Option<PathBuf> {
    Some(Environment::of_process().cargo_home()?.join(REGISTRY))
}

/// Stored bytes that a task spans.
pub(crate) fn length(extent: &Extent) -> u64 {
    match extent {
        Extent::Files(slice) => slice.entries().iter().map(|entry| entry.length_bytes).sum(),
        Extent::Archive(range) => range.length_bytes,
    }
}
