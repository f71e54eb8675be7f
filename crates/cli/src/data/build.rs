//! `weigh data build`: shards of a source, task by task.
//!
//! Each task is a folder of its own, whose last file is `task.json`. The file `build.json` says what all are made of, so
//! that the same command goes on where one before was stopped: what is whole stays, the rest is made again. Equal
//! sources and flags give equal bytes, whatever the threads and however often it was stopped.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use corpus::{Cut, Extent, Language, Limits, Shard, shard::FolderManifest};
use mechanisms::dataset::Terms;
use primitives::{Digest, Hotkey};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{DataError, TASK_FILE, Task, Threads, empty_folder, plain_table, task_of, write_json};
use crate::{
    score::{CASE_FILE, CaseFile},
    source::{AnySource, Named},
    talk::{self, Unit},
};

/// Stored bytes of a task by default: some thousand pages of a crawl.
const BYTES_PER_TASK: u64 = 32 << 20;
/// Most records of a task: what a shard's limits let through.
const ENTRIES_PER_TASK: u32 = 1 << 16;
/// The file that says what the shards beside it are made of.
const BUILD_FILE: &str = "build.json";

#[derive(Args)]
pub(crate) struct BuildArguments {
    /// A folder of HTML, Markdown and text, or an archive or its address, or a folder of archives.
    source: Named,
    /// The folder for the shards: new, empty, or begun by the same command, which then goes on with it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Stored bytes at which a task is full.
    #[arg(long, value_name = "N", default_value_t = BYTES_PER_TASK, value_parser = clap::value_parser!(u64).range(1..))]
    bytes_per_task: u64,
    /// Make only the task of this number.
    #[arg(long, value_name = "N")]
    task: Option<usize>,
    /// The hotkey that the shards belong to; without it, nobody's.
    #[arg(long, value_name = "SS58")]
    miner: Option<Hotkey>,
    /// Keep this language only (ISO 639-1); may be given more than once.
    #[arg(long = "language", value_name = "CODE")]
    languages: Vec<Language>,
    #[command(flatten)]
    threads: Threads,
    /// One JSON object per shard on standard output.
    #[arg(long)]
    json: bool,
}

/// What a folder of shards is made of.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    /// The recipe, with its version.
    recipe: String,
    cut: Cut,
    miner: Hotkey,
    languages: Vec<Language>,
    /// [`Extent::digest`] of each task.
    tasks: Vec<Digest>,
}

/// What is told of a shard.
struct Made {
    folder: PathBuf,
    manifest: FolderManifest,
    decisions: BTreeMap<String, u64>,
}

pub(super) fn build(arguments: &BuildArguments) -> Result<(), DataError> {
    let named = &arguments.source;
    let failed = |error| DataError::Source { named: named.to_string(), error: Box::new(error) };
    let begun = arguments.out.join(BUILD_FILE);
    if !begun.is_file() {
        empty_folder(&arguments.out)?;
    }
    let source = AnySource::open(named, arguments.json)?;
    let cut = Cut { entries_max: ENTRIES_PER_TASK, bytes_max: arguments.bytes_per_task };
    let (extents, warnings) = source.survey(cut).map_err(failed)?;
    for warning in warnings {
        talk::warn(&warning);
    }
    let miner = arguments.miner.unwrap_or(Hotkey::from_bytes([0; 32]));
    let languages = arguments.languages.clone();
    let recipe = corpus::RECIPE.to_string();
    let tasks = extents.iter().map(Extent::digest).collect();
    go_on(&arguments.out, &Build { recipe, cut, miner, languages, tasks })?;
    let found = extents.len();
    let mut numbered: Vec<(usize, Extent)> = extents.into_iter().enumerate().collect();
    if let Some(asked) = arguments.task {
        numbered.retain(|(number, _)| *number == asked);
        if numbered.is_empty() {
            return Err(DataError::Task { named: named.to_string(), found, asked });
        }
    }
    let bytes = numbered.iter().map(|(_, extent)| extent.length_bytes()).sum();
    let bar = talk::bar(bytes, Unit::Bytes, arguments.json);
    let make = |(number, extent): (usize, Extent)| {
        let task = Task { extent, miner, languages: arguments.languages.clone() };
        let folder = arguments.out.join(format!("{number:05}"));
        let (shard, manifest) = match whole(&folder, &task) {
            Some(whole) => whole,
            None => {
                let shard = Shard::build(&task.extent, &source, miner, &task.rules()).map_err(failed)?;
                let manifest = shard.write_folder(&folder).map_err(failed)?;
                (shard, manifest)
            }
        };
        let terms = Terms { languages: task.languages.clone(), ..Terms::plain() };
        let case = CaseFile::rehearsal(task.extent.clone(), terms, miner, manifest.root);
        write_json(folder.join(CASE_FILE), &case)?;
        write_json(folder.join(TASK_FILE), &task)?;
        bar.inc(task.extent.length_bytes());
        Ok(Made { folder, manifest, decisions: shard.ledger.decisions() })
    };
    let pool = arguments.threads.pool()?;
    let made: Vec<Result<Made, DataError>> = pool.install(|| numbered.into_par_iter().map(make).collect());
    bar.finish_and_clear();
    let mut out = io::stdout().lock();
    let mut table = plain_table(&["shard", "records", "documents", "tokens", "root"]);
    for made in made {
        let Made { folder, manifest, decisions } = made?;
        if arguments.json {
            let line = json!({"folder": folder, "decisions": decisions, "manifest": manifest});
            writeln!(out, "{line}")?;
            continue;
        }
        let root = manifest.root.short();
        let counts = [manifest.records, manifest.documents, manifest.tokens].map(|count| count.to_string());
        table.add_row([vec![folder.display().to_string()], counts.to_vec(), vec![root]].concat());
    }
    if !arguments.json {
        writeln!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

/// Begins a folder of shards, or sees that the one begun is the same.
fn go_on(out: &Path, build: &Build) -> Result<(), DataError> {
    let place = out.join(BUILD_FILE);
    let begun = std::fs::read(&place).ok().and_then(|json| serde_json::from_slice::<Build>(&json).ok());
    // A file that was cut when it was written stands for nothing yet.
    let Some(begun) = begun else { return write_json(place, build) };
    let differs = [
        ("the recipe", begun.recipe != build.recipe),
        ("the bytes of a task", begun.cut != build.cut),
        ("the miner", begun.miner != build.miner),
        ("the languages", begun.languages != build.languages),
        ("the source", begun.tasks != build.tasks),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((what, _)) => Err(DataError::OtherBuild { path: out.to_owned(), what }),
        None => Ok(()),
    }
}

/// The shard in a folder that was written to its end for this task.
fn whole(folder: &Path, task: &Task) -> Option<(Shard, FolderManifest)> {
    if task_of(folder).ok()? != *task {
        return None;
    }
    let (shard, manifest) = Shard::open_folder(folder, &Limits::default()).ok()?;
    let same = shard.header.task == task.extent.digest() && shard.header.miner == task.miner;
    (same && shard.header.recipe == corpus::RECIPE).then_some((shard, manifest))
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use corpus::LedgerRow;

    use super::*;
    use crate::data::{VerifyArguments, check};

    /// Every file below a folder, with its bytes.
    fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_owned();
                    found.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    fn arguments(source: &Path, out: &Path, threads: u16) -> BuildArguments {
        BuildArguments {
            source: Named::Path(source.to_owned()),
            out: out.to_owned(),
            bytes_per_task: 4 << 10,
            task: None,
            miner: None,
            languages: vec!["en".parse().unwrap()],
            threads: Threads { threads: Some(threads) },
            json: false,
        }
    }

    #[test]
    fn a_build_goes_on_from_whatever_was_left_to_the_same_bytes() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        std::fs::create_dir(&source).unwrap();
        for number in 0..24 {
            let text =
                format!("# Weight {number}\n\n{}", "the weight and the measure of that house ".repeat(20));
            std::fs::write(source.join(format!("{number:02}.md")), text).unwrap();
        }
        let out = |name: &str| root.path().join(name);
        build(&arguments(&source, &out("one"), 1)).unwrap();
        build(&arguments(&source, &out("two"), 2)).unwrap();
        let expected = tree(&out("one"));
        assert!(expected.len() > 3 * 5, "several tasks: {:?}", expected.keys());
        assert_eq!(tree(&out("two")), expected);
        // Each file in turn is lost, cut, or touched; a file of what a task is made of counts like one of what it says.
        for (number, name) in expected.keys().enumerate() {
            let place = out("two").join(name);
            match number % 3 {
                0 => std::fs::remove_file(&place).unwrap(),
                1 => std::fs::write(&place, &expected[name][..expected[name].len() / 2]).unwrap(),
                _ => std::fs::write(&place, b"touched").unwrap(),
            }
            let may_go_on = build(&arguments(&source, &out("two"), 2));
            if name.ends_with(BUILD_FILE) && number % 3 == 0 {
                assert!(matches!(may_go_on, Err(DataError::NotEmpty { .. })));
                std::fs::write(&place, &expected[name]).unwrap();
            } else {
                may_go_on.unwrap();
            }
            assert_eq!(tree(&out("two")), expected, "{}", name.display());
        }
        let mut other = arguments(&source, &out("two"), 2);
        other.languages = Vec::new();
        assert!(matches!(build(&other), Err(DataError::OtherBuild { what: "the languages", .. })));
        std::fs::write(source.join("00.md"), "another text").unwrap();
        let changed = build(&arguments(&source, &out("two"), 2));
        assert!(matches!(changed, Err(DataError::OtherBuild { what: "the source", .. })));
    }

    #[test]
    fn a_shard_whose_ledger_was_touched_is_at_fault() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        std::fs::create_dir(&source).unwrap();
        for number in 0..4 {
            let text =
                format!("# Weight {number}\n\n{}", "the weight and the measure of that house ".repeat(12));
            std::fs::write(source.join(format!("{number}.md")), text).unwrap();
        }
        let out = root.path().join("out");
        let built = build(&BuildArguments {
            source: Named::Path(source.clone()),
            out: out.clone(),
            bytes_per_task: BYTES_PER_TASK,
            task: None,
            miner: None,
            languages: vec!["en".parse().unwrap()],
            threads: Threads { threads: None },
            json: false,
        });
        built.unwrap();
        let arguments = VerifyArguments {
            path: out.clone(),
            source: Some(Named::Path(source)),
            sample: None,
            json: false,
        };
        assert_eq!(check(&arguments).unwrap(), ExitCode::SUCCESS);
        let folder = out.join("00000");
        let (whole, _) = Shard::open_folder(&folder, &Limits::default()).unwrap();
        let touched: [fn(&mut Vec<LedgerRow>); 3] =
            [|rows| drop(rows.remove(1)), |rows| rows.swap(0, 1), |rows| rows[1].decision = rows[2].decision];
        for (number, touch) in touched.into_iter().enumerate() {
            let mut shard = whole.clone();
            touch(&mut shard.ledger.rows);
            if shard == whole {
                shard.ledger.rows[1].length_bytes += 1;
            }
            shard.write_folder(&folder).unwrap();
            assert_eq!(check(&arguments).unwrap(), ExitCode::from(1), "{number}");
        }
    }
}
