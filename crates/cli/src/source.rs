//! The text to work on: a folder, web archives and dumps on disk or from an address, or the crate registry; and its cut into
//! tasks.

use std::{
    cell::OnceCell,
    convert::Infallible,
    fmt::{self, Display, Formatter},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use corpus::{
    Archives, Cut, Extent, Folder, FolderLimits, Layout, Source, SourceError,
    source::{
        SourceBytes,
        crawl::{self, CrawlError, CrawlId},
        layout_of,
        remote::{Fetch, FetchError, fetch},
        threads,
    },
};
use indicatif::ProgressBar;
use miette::Diagnostic;
use primitives::Digest;
use thiserror::Error;

use crate::{
    config::environment::Environment,
    talk::{self, Unit},
};

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
/// The longest archive that is fetched: several times the longest that Common Crawl has.
const FETCH_MAX_BYTES: u64 = 16 << 30;
/// The longest list of a crawl's files as it is fetched: those of today have a megabyte.
const CRAWL_LIST_MAX_BYTES: u64 = 64 << 20;
/// Attempts in a row that may bring nothing new: with their pauses, half a minute.
const FETCH_ATTEMPTS: u32 = 6;

/// A source as a command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// What lies on this machine.
    Path(PathBuf),
    /// A web archive elsewhere.
    Url(String),
}

impl FromStr for Named {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(PathBuf::from(text).into())
    }
}

impl From<PathBuf> for Named {
    fn from(path: PathBuf) -> Self {
        let is_url = |text: &&str| ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        match path.to_str().filter(is_url) {
            Some(url) => Self::Url(url.to_owned()),
            None => Self::Path(path),
        }
    }
}

impl Named {
    /// Whether it is elsewhere.
    pub(crate) fn is_url(&self) -> bool {
        matches!(self, Self::Url(_))
    }

    /// The same place, also from another folder.
    pub(crate) fn absolute(&self) -> Self {
        match self {
            Self::Path(path) => Self::Path(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            Self::Url(url) => Self::Url(url.clone()),
        }
    }
}

impl Display for Named {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => Display::fmt(&path.display(), out),
            Self::Url(url) => out.write_str(url),
        }
    }
}

/// There is nothing to work on.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SourceOpenError {
    /// Nobody says where the crate registry is.
    #[error("there is no crate registry: neither CARGO_HOME nor HOME is set")]
    #[diagnostic(help("name a folder or an archive: `--source PATH`"))]
    NoRegistry,
    /// Nobody says where fetched archives are kept.
    #[error("there is no place for what is fetched: neither XDG_CACHE_HOME nor HOME is set")]
    #[diagnostic(help("fetch it yourself and name the file: `--source PATH`"))]
    NoCache,
    /// The source can't be fetched.
    #[error(transparent)]
    #[diagnostic(help(
        "the address must be that of a WARC, WET or ARC file; what has arrived is kept, and the same command goes on with it"
    ))]
    Fetch(#[from] FetchError),
    /// The source can't be read.
    #[error("source {named} can't be opened")]
    #[diagnostic(help(
        "name a folder of HTML, Markdown and text, a WARC, WET or ARC file, or a dump: MediaWiki's XML, Stack Exchange's \
         Posts.xml, JSON lines, Parquet"
    ))]
    Unreadable {
        named: String,
        #[source]
        error: Box<SourceError>,
    },
    /// A crawl's list of files can't be read.
    #[error(transparent)]
    #[diagnostic(help("an id such as CC-MAIN-2024-10 names a crawl"))]
    Crawl(#[from] CrawlError),
    /// A crawl has no such file.
    #[error("crawl {crawl} has {found} files, none with number {asked}")]
    #[diagnostic(help("files are numbered from 0; a path from the crawl's list does, too"))]
    CrawlFile { crawl: CrawlId, found: usize, asked: usize },
    /// Nothing is left of what the tasks were cut of.
    #[error("source {named} no longer has any of the {tasks} tasks that were cut of it")]
    #[diagnostic(help("bring it back, or begin anew with `weigh reset`"))]
    Gone { named: String, tasks: usize },
    /// The source is too small.
    #[error("source {named} makes {found} tasks, at least {TASKS_MIN} are needed")]
    #[diagnostic(help("name a larger folder or archive: `--source PATH`"))]
    TooSmall { named: String, found: usize },
}

impl SourceOpenError {
    /// 5 where a server can't be reached, 3 where nothing is there, 2 where other arguments would help.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            SourceOpenError::Fetch(FetchError::Broken { .. }) => 5,
            SourceOpenError::Fetch(FetchError::Refused { .. })
            | SourceOpenError::Unreadable { .. }
            | SourceOpenError::Gone { .. } => 3,
            SourceOpenError::Fetch(FetchError::Io { .. }) => 1,
            SourceOpenError::Crawl(CrawlError::List | CrawlError::Path { .. }) => 5,
            _ => 2,
        }
    }
}

/// A folder, or archives and dumps, by what lies there.
pub(crate) enum AnySource {
    Folder(Folder),
    Archives(Archives),
}

impl AnySource {
    /// Opens what was named; what lies elsewhere is fetched first, with a bar unless a program reads. How a dump is laid out
    /// is told by `layout` or by its name.
    pub(crate) fn open(
        named: &Named,
        layout: Option<&Layout>,
        is_json: bool,
    ) -> Result<Self, SourceOpenError> {
        let path = match named {
            Named::Path(path) => path,
            Named::Url(url) => &fetched(url, FETCH_MAX_BYTES, is_json)?,
        };
        let unread = |error| unreadable(named, error);
        if let Some(home) = home_of_registry(path) {
            let folder = Folder::cargo_registry(home, FolderLimits::default()).map_err(unread)?;
            return Ok(Self::Folder(folder));
        }
        let (is_folder, name) = (path.is_dir(), path.to_str().unwrap_or_default());
        let by_name = || if is_folder { None } else { layout_of(name) };
        let layout = layout.cloned().or_else(by_name).unwrap_or_default();
        if layout == Layout::Threads && !is_folder && !name.to_ascii_lowercase().contains(".threads") {
            let arranged = arranged(path, unread)?;
            return Archives::open_as(&arranged, layout).map(Self::Archives).map_err(unread);
        }
        let is_records = layout.is_records();
        let archives = Archives::open_as(path, layout).map_err(unread)?;
        if !is_records || !is_folder || archives.paths().next().is_some() {
            return Ok(Self::Archives(archives));
        }
        Folder::open(path, FolderLimits::default()).map(Self::Folder).map_err(unread)
    }

    /// As [`AnySource::open`], for a source of which these extents were cut.
    pub(crate) fn reopen<'a>(
        named: &Named,
        extents: impl IntoIterator<Item = &'a Extent>,
        is_json: bool,
    ) -> Result<Self, SourceOpenError> {
        let layout = extents.into_iter().find_map(|extent| match extent {
            Extent::Archive(range) => Some(&range.layout),
            Extent::Files(_) => None,
        });
        Self::open(named, layout, is_json)
    }

    fn get(&self) -> &(dyn Source + Send + Sync) {
        match self {
            Self::Folder(folder) => folder,
            Self::Archives(archives) => archives,
        }
    }

    /// How many tasks have something in them that is gone or has changed since they were cut.
    fn changed(&self, extents: &[Extent]) -> usize {
        let is_there = |extent: &&Extent| match (extent, self) {
            (Extent::Files(slice), Self::Folder(folder)) => {
                slice.entries().iter().all(|entry| folder.manifest().find(&entry.path) == Some(entry))
            }
            (Extent::Archive(range), Self::Archives(archives)) => range
                .end_byte()
                .checked_sub(1)
                .is_some_and(|last| archives.read_range(&range.path, last, 1).is_ok()),
            _ => false,
        };
        extents.len() - extents.iter().filter(is_there).count()
    }

    /// What there is, and lines about what no task covers.
    pub(crate) fn survey(&self, cut: Cut) -> Result<(Vec<Extent>, Vec<String>), SourceError> {
        let Self::Archives(archives) = self else { return Ok((self.extents(cut)?, Vec::new())) };
        let survey = archives.survey(cut)?;
        let gaps = survey.gaps.iter().map(|gap| {
            format!(
                "{} has {} bytes from {} that are left out: {}",
                gap.path, gap.length_bytes, gap.first_byte, gap.error
            )
        });
        Ok((survey.extents, gaps.collect()))
    }
}

impl Source for AnySource {
    fn extents(&self, cut: Cut) -> Result<Vec<Extent>, SourceError> {
        self.get().extents(cut)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.get().read(path)
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        self.get().read_range(path, first_byte, length_bytes)
    }

    fn open(
        &self,
        path: &str,
        first_byte: u64,
        length_bytes: u64,
    ) -> Result<Box<dyn SourceBytes + '_>, SourceError> {
        self.get().open(path, first_byte, length_bytes)
    }
}

/// A source with its tasks.
pub(crate) struct OpenSource {
    pub(crate) named: Named,
    pub(crate) source: Arc<dyn Source + Send + Sync>,
    pub(crate) extents: Vec<Extent>,
    /// Lines about what no task covers.
    pub(crate) left_out: Vec<String>,
    /// Bytes of all tasks together.
    pub(crate) bytes: u64,
    /// Bytes that a task was cut to.
    pub(crate) bytes_per_task: u64,
}

/// Opens the source that was named, or the crate registry, and cuts it so that a few rounds go through all of it.
pub(crate) fn open(named: Option<&Named>, is_json: bool) -> Result<OpenSource, SourceOpenError> {
    let named = named.cloned().or_else(|| registry().map(Named::Path)).ok_or(SourceOpenError::NoRegistry)?;
    let source = AnySource::open(&named, None, is_json)?;
    let survey = |bytes_max| {
        let cut = Cut { entries_max: ENTRIES_PER_TASK, bytes_max };
        source.survey(cut).map_err(|error| unreadable(&named, error))
    };
    let bytes: u64 = survey(u64::MAX)?.0.iter().map(Extent::length_bytes).sum();
    let bytes_per_task = (bytes / (u64::from(TASKS_PER_ROUND) * ROUNDS_PER_PASS)).max(1);
    let (extents, left_out) = survey(bytes_per_task)?;
    if extents.len() < TASKS_MIN {
        return Err(SourceOpenError::TooSmall { named: named.to_string(), found: extents.len() });
    }
    Ok(OpenSource { named, source: Arc::new(source), extents, left_out, bytes, bytes_per_task })
}

/// Opens a source of which these tasks were cut before, whatever else it has by now.
pub(crate) fn reopen(
    named: Named,
    extents: Vec<Extent>,
    is_json: bool,
) -> Result<OpenSource, SourceOpenError> {
    let source = AnySource::reopen(&named, &extents, is_json)?;
    let (tasks, changed) = (extents.len(), source.changed(&extents));
    if changed == tasks {
        return Err(SourceOpenError::Gone { named: named.to_string(), tasks });
    }
    let lengths = extents.iter().map(Extent::length_bytes);
    let (bytes, bytes_per_task) = (lengths.clone().sum(), lengths.max().unwrap_or(0));
    let left_out = match changed {
        0 => Vec::new(),
        _ => vec![format!(
            "{changed} of {tasks} tasks have lost files since they were cut: they bring nothing"
        )],
    };
    Ok(OpenSource { named, source: Arc::new(source), extents, left_out, bytes, bytes_per_task })
}

/// Where the crate registry lies, which is the source where none is named; none where there is no home.
pub(crate) fn registry() -> Option<PathBuf> {
    Some(Environment::of_process().cargo_home()?.join(REGISTRY))
}

/// The cargo home whose crate registry this folder is: one with `src/INDEX-HASH` in it.
fn home_of_registry(path: &Path) -> Option<&Path> {
    let is_index = |name: &str| {
        name.rsplit_once('-')
            .is_some_and(|(_, hash)| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let home = path.parent().filter(|_| path.ends_with(REGISTRY))?;
    let mut indices = std::fs::read_dir(path.join("src")).ok()?.flatten();
    indices.any(|index| index.file_name().to_str().is_some_and(is_index)).then_some(home)
}

fn unreadable(named: &Named, error: SourceError) -> SourceOpenError {
    SourceOpenError::Unreadable { named: named.to_string(), error: Box::new(error) }
}

/// A folder for what can be made or fetched again.
fn cache(inner: &str) -> Result<PathBuf, SourceOpenError> {
    let home = Environment::of_process().cache_home().ok_or(SourceOpenError::NoCache)?;
    Ok(home.join("weighhouse").join(inner))
}

/// Where the threads of this `Posts.xml` lie: arranged unless the file was before, as it is now.
fn arranged(
    posts: &Path,
    unread: impl Fn(SourceError) -> SourceOpenError,
) -> Result<PathBuf, SourceOpenError> {
    let failed = |source| unread(SourceError::Io { path: posts.display().to_string(), source });
    let facts = std::fs::metadata(posts).map_err(failed)?;
    let place = std::path::absolute(posts).map_err(failed)?;
    let since = facts.modified().map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let known = format!("{} {} {}", place.display(), facts.len(), since.as_nanos());
    let folder = cache("threads")?.join(&Digest::of(known.as_bytes()).to_string()[..16]);
    let threads = folder.join("Posts.threads");
    if !threads.is_file() {
        std::fs::create_dir_all(&folder).map_err(failed)?;
        threads::arrange(posts, &threads).map_err(unread)?;
    }
    Ok(threads)
}

/// The address of a crawl's file, by its number in the crawl's list or by its path.
pub(crate) fn crawl_url(
    host: &str,
    crawl: &CrawlId,
    files: crawl::Files,
    asked: &str,
    is_json: bool,
) -> Result<String, SourceOpenError> {
    let Ok(asked) = asked.parse::<usize>() else {
        return Ok(crawl::file_url(host, asked.trim_start_matches('/')));
    };
    let list = fetched(&crawl::list_url(host, crawl, files), CRAWL_LIST_MAX_BYTES, is_json)?;
    let unread = |source| {
        let path = list.display().to_string();
        unreadable(&Named::Path(list.clone()), SourceError::Io { path, source })
    };
    let paths = crawl::paths(&std::fs::read(&list).map_err(unread)?)?;
    let path = paths.get(asked).ok_or_else(|| SourceOpenError::CrawlFile {
        crawl: crawl.clone(),
        found: paths.len(),
        asked,
    })?;
    Ok(crawl::file_url(host, path))
}

/// Where the file from this address lies, fetched unless it lies there already.
fn fetched(url: &str, bytes_max: u64, is_json: bool) -> Result<PathBuf, SourceOpenError> {
    let folder = cache("sources")?;
    let shown: OnceCell<ProgressBar> = OnceCell::new();
    let progress = |there: u64, total: Option<u64>| {
        let bar = shown.get_or_init(|| talk::bar(total.unwrap_or(0), Unit::Bytes, is_json));
        bar.set_position(there);
    };
    let how = Fetch {
        bytes_max,
        attempts: FETCH_ATTEMPTS,
        wait: &|pause: Duration| std::thread::sleep(pause),
        progress: &progress,
    };
    let done = fetch(url, &folder, &how);
    if let Some(bar) = shown.get() {
        bar.finish_and_clear();
    }
    Ok(done?)
}
