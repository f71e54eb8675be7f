//! `weigh data verify` of a repository: of shards, or of image–text pairs.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use corpus::{
    hub::check::{Claimed, Repository},
    images::repository as images,
    repository::{CheckError, Damage, MANIFEST_FILE},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use super::{DataError, Task, Verdict, VerifyArguments, check_shard, images::pool, terms::KnownRules};
use crate::{
    source::{AnySource, Named},
    talk::{self, Unit},
};

/// What a repository holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Shards,
    Images,
}

/// What tells the kinds of manifests apart.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
    shards: Option<IgnoredAny>,
}

/// Where the task of a shard stands in a repository.
pub(super) fn task_path(shard: u64) -> String {
    format!("tasks/{shard:05}.json")
}

/// What kind of repository a folder is; none where it is no repository.
pub(super) fn kind_of(folder: &Path) -> Option<Kind> {
    let json = std::fs::read(folder.join(MANIFEST_FILE)).ok()?;
    let head: Head = serde_json::from_slice(&json).ok()?;
    match head {
        Head { kind: Some(kind), .. } if kind == images::KIND => Some(Kind::Images),
        Head { shards: Some(_), .. } => Some(Kind::Shards),
        _ => None,
    }
}

/// Checks a repository; the exit code is 1 where it is not what it says.
pub(super) fn verify(kind: Kind, arguments: &VerifyArguments) -> Result<ExitCode, DataError> {
    let checked = match kind {
        Kind::Shards => of_shards(arguments),
        Kind::Images => of_images(arguments),
    };
    let with_source = arguments.source.is_some();
    let named = arguments.source.as_ref().map_or_else(String::new, Named::to_string);
    let (checked, damage) = match checked {
        Ok(checked) => (checked, None),
        Err(Failure::Data(error)) => return Err(error),
        Err(Failure::Check(CheckError::Damage(damage))) => (0, Some(damage.to_string())),
        Err(Failure::Check(CheckError::Source(error))) => {
            return Err(DataError::Source { named, error: Box::new(error) });
        }
        Err(Failure::Check(CheckError::NoEvidence(error))) => {
            return Err(DataError::Changed { source: named, error: Box::new(error) });
        }
    };
    let mut out = io::stdout().lock();
    let folder = &arguments.path;
    if arguments.json {
        let line = json!({"folder": folder, "checked": checked, "with_source": with_source, "fault": damage});
        writeln!(out, "{line}")?;
    } else if let Some(damage) = &damage {
        writeln!(out, "{}: {damage}", folder.display())?;
    } else if with_source {
        writeln!(out, "{}: {checked} records hold", folder.display())?;
    } else {
        writeln!(
            out,
            "{}: {checked} records hold by themselves; `--source` makes them again",
            folder.display()
        )?;
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(damage.is_some())))
}

/// Why a check came to no good end.
enum Failure {
    Check(CheckError),
    Data(DataError),
}

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Check(damage.into())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

fn of_images(arguments: &VerifyArguments) -> Result<u64, Failure> {
    let named = arguments.source.as_ref();
    let source = named.map(|named| AnySource::open(named, None, arguments.json)).transpose();
    let source = source.map_err(DataError::from)?;
    let pool = pool(None);
    let bar = talk::bar(0, Unit::Records, arguments.json);
    let source = source.as_ref().map(|source| (source as &dyn corpus::Source, pool));
    let checked = images::check(&arguments.path, source, |_| bar.inc(1));
    bar.finish_and_clear();
    checked.map(|manifest| manifest.records).map_err(Failure::Check)
}

fn of_shards(arguments: &VerifyArguments) -> Result<u64, Failure> {
    let repository = Repository::open(&arguments.path)?;
    let extents = || repository.manifest().shards.iter().map(|shard| &shard.extent);
    let named = arguments.source.as_ref();
    let source = named.map(|named| AnySource::reopen(named, extents(), arguments.json)).transpose();
    let source = source.map_err(DataError::from)?;
    let mut known = KnownRules::new(&arguments.files)?;
    let bar = talk::bar(repository.manifest().records, Unit::Records, arguments.json);
    let (mut shards, mut checked) = (repository.shards(), 0);
    while let Some(claimed) = shards.next()? {
        let task = task_of(&repository, &claimed, arguments)?;
        known.make(&task.terms)?;
        let (rules, source) =
            (known.of(&task.terms), source.as_ref().map(|source| source as &dyn corpus::Source));
        let verdict = check_shard(&claimed.shard, &task, rules, source, arguments, &bar)?;
        let Verdict { checked: rows, fault } = verdict;
        if let Some(fault) = fault {
            return Err(Damage::Fault(Box::new(fault)).into());
        }
        claimed.check_totals()?;
        let all = claimed.shard.ledger.rows.len();
        checked += if source.is_some() { rows } else { all } as u64;
    }
    bar.finish_and_clear();
    Ok(checked)
}

/// How a shard was made.
fn task_of(
    repository: &Repository,
    claimed: &Claimed<'_>,
    arguments: &VerifyArguments,
) -> Result<Task, Failure> {
    let path = task_path(claimed.number);
    let Some(json) = repository.attached(&path)? else {
        let (folder, shard) = (arguments.path.clone(), claimed.number);
        return Err(DataError::NoTask { path: folder, file: path, shard }.into());
    };
    let form = |what: String| Damage::Form { path: path.clone(), what };
    let task: Task = serde_json::from_slice(&json).map_err(|error| form(error.to_string()))?;
    if task.extent != claimed.entry.extent || task.miner != claimed.entry.manifest.miner {
        return Err(form("it is of another shard than the manifest's".to_owned()).into());
    }
    Ok(task)
}
