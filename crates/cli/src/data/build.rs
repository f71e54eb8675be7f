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
use corpus::{Cut, Extent, Limits, Shard, shard::FolderManifest};
use mechanisms::dataset::Terms;
use primitives::{Digest, Hotkey};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    DataError, TASK_FILE, Task, Threads, empty_folder,
    origin::OriginArguments,
    plain_table, task_of,
    terms::{self, EXCLUSION_FILE, TermsArguments},
    write_json,
};
use crate::{
    score::{CASE_FILE, CaseFile},
    source::AnySource,
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
    #[command(flatten)]
    origin: OriginArguments,
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
    #[command(flatten)]
    terms: TermsArguments,
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
    terms: Terms,
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
    let named = arguments.origin.named(arguments.json)?;
    let failed = |error| DataError::Source { named: named.to_string(), error: Box::new(error) };
    let (terms, given) = arguments.terms.read()?;
    let rules = given.rules(&terms)?;
    let begun = arguments.out.join(BUILD_FILE);
    if !begun.is_file() {
        empty_folder(&arguments.out)?;
    }
    let source = AnySource::open(&named, arguments.origin.layout().as_ref(), arguments.json)?;
    let cut = Cut { entries_max: ENTRIES_PER_TASK, bytes_max: arguments.bytes_per_task };
    let (extents, warnings) = source.survey(cut).map_err(failed)?;
    for warning in warnings {
        talk::warn(&warning);
    }
    let miner = arguments.miner.unwrap_or(Hotkey::from_bytes([0; 32]));
    let recipe = corpus::RECIPE.to_string();
    let tasks = extents.iter().map(Extent::digest).collect();
    go_on(&arguments.out, &Build { recipe, cut, miner, terms: terms.clone(), tasks })?;
    if let Some(list) = &given.exclusion {
        let place = arguments.out.join(EXCLUSION_FILE);
        std::fs::write(&place, &list.bytes).map_err(|error| DataError::File { path: place, error })?;
    }
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
        let task = Task { extent, miner, terms: terms.clone() };
        let folder = arguments.out.join(format!("{number:05}"));
        let (shard, manifest) = match whole(&folder, &task) {
            Some(whole) => whole,
            None => {
                let shard = Shard::build(&task.extent, &source, miner, &rules).map_err(failed)?;
                let manifest = shard.write_folder(&folder).map_err(failed)?;
                (shard, manifest)
            }
        };
        let case = CaseFile::rehearsal(task.extent.clone(), terms.clone(), miner, manifest.root);
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
        ("the source", begun.tasks != build.tasks),
    ];
    let differs = differs.iter().find(|(_, differs)| *differs).map(|(what, _)| *what);
    match differs.or_else(|| terms::difference(&begun.terms, &build.terms)) {
        Some(what) => Err(DataError::OtherBuild { path: out.to_owned(), what }),
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
    use crate::{
        data::{
            VerifyArguments, check,
            terms::{Filter, PiiArgument, TermsFiles},
        },
        source::Named,
    };

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
            origin: OriginArguments::of(source.to_owned()),
            out: out.to_owned(),
            bytes_per_task: 4 << 10,
            task: None,
            miner: None,
            terms: english(),
            threads: Threads { threads: Some(threads) },
            json: false,
        }
    }

    fn english() -> TermsArguments {
        TermsArguments {
            languages: vec!["en".parse().unwrap()],
            filters: vec![Filter::Gopher],
            pii: PiiArgument::Keep,
            heed_opt_out: false,
            near_duplicates: false,
            files: TermsFiles::default(),
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
        other.terms.languages = Vec::new();
        assert!(matches!(build(&other), Err(DataError::OtherBuild { what: "the languages", .. })));
        let mut other = arguments(&source, &out("two"), 2);
        other.terms.filters.push(Filter::Fineweb);
        assert!(matches!(build(&other), Err(DataError::OtherBuild { what: "the filters", .. })));
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
            origin: OriginArguments::of(source.clone()),
            out: out.clone(),
            bytes_per_task: BYTES_PER_TASK,
            task: None,
            miner: None,
            terms: english(),
            threads: Threads { threads: None },
            json: false,
        });
        built.unwrap();
        let arguments = VerifyArguments {
            path: out.clone(),
            source: Some(Named::Path(source)),
            files: TermsFiles::default(),
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

    /// Each rule of the terms is built, checked, and refused where the files that it stands on are others.
    #[test]
    fn lists_are_named_by_digest_and_others_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let lay = |name: &str, text: &str| {
            let place = root.path().join(name);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, text).unwrap();
            place
        };
        let secret = "nobody may train on this sentence since it is a question of the final exam";
        let text = |number: u32| {
            let words =
                format!("the weight and the measure of house number {number} in that town ").repeat(10);
            format!("# Weight {number}\n\n{words}")
        };
        for number in 0..3 {
            lay(&format!("source/{number}.md"), &text(number));
        }
        lay("source/exam.md", &format!("{}\n\n{secret}", text(3)));
        lay("source/mail.md", &format!("{}\n\nWrite to me@site.org about it.", text(4)));
        lay("source/short.md", "too short");
        let files = || TermsFiles {
            blocklist: Some(lay("blocklist.txt", "bad.example\n")),
            exclude: Some(lay("eval.jsonl", &format!("{{\"text\": \"{secret}\"}}\n"))),
            lid: None,
        };
        let source = root.path().join("source");
        let out = root.path().join("out");
        let mut wanted = arguments(&source, &out, 1);
        wanted.bytes_per_task = BYTES_PER_TASK;
        wanted.terms = TermsArguments {
            languages: Vec::new(),
            filters: vec![Filter::None],
            pii: PiiArgument::Drop,
            heed_opt_out: true,
            near_duplicates: true,
            files: files(),
        };
        build(&wanted).unwrap();
        let (shard, _) = Shard::open_folder(&out.join("00000"), &Limits::default()).unwrap();
        let decisions: Vec<String> = shard.ledger.rows.iter().map(|row| row.decision.to_string()).collect();
        let like = "near_dup_of:0";
        assert_eq!(decisions, ["kept", like, like, "contaminated", "pii", "kept"]);
        let verified = |files: TermsFiles| {
            let source = Named::Path(source.clone());
            check(&VerifyArguments {
                path: out.clone(),
                source: Some(source),
                files,
                sample: None,
                json: false,
            })
        };
        assert_eq!(verified(files()).unwrap(), ExitCode::SUCCESS);
        let from_build = TermsFiles { exclude: Some(out.join(EXCLUSION_FILE)), ..files() };
        assert_eq!(verified(from_build).unwrap(), ExitCode::SUCCESS);
        let lacking = verified(TermsFiles { exclude: None, ..files() });
        assert!(matches!(lacking, Err(DataError::Lacking { what: "exclusion list", .. })));
        let other = TermsFiles { blocklist: Some(lay("other.txt", "worse.example\n")), ..files() };
        let told = verified(other).unwrap_err();
        assert!(matches!(told, DataError::OtherFile { what: "blocklist", .. }), "{told}");
        for digest in ["bad.example\n", "worse.example\n"] {
            assert!(told.to_string().contains(&Digest::of(digest.as_bytes()).to_string()), "{told}");
        }
        let no_list = TermsFiles { blocklist: Some(lay("no.txt", "https://bad.example/\n")), ..files() };
        assert!(matches!(verified(no_list), Err(DataError::List { what: "blocklist", .. })));
        // The command that goes on must name the same files.
        wanted.terms.files.blocklist = None;
        assert!(matches!(build(&wanted), Err(DataError::OtherBuild { what: "the blocklist", .. })));
        wanted.terms.filters.push(Filter::C4);
        assert!(matches!(build(&wanted), Err(DataError::Filters)));
        let plain = arguments(&source, &root.path().join("plain"), 1);
        build(&plain).unwrap();
        let source = Named::Path(source.clone());
        let unasked = VerifyArguments {
            path: plain.out,
            source: Some(source),
            files: files(),
            sample: None,
            json: false,
        };
        assert!(matches!(check(&unasked), Err(DataError::Unasked { what: "blocklist", .. })));
    }

    #[test]
    fn dumps_are_told_by_their_names_and_checked_as_they_were_built() {
        use std::io::Write as _;
        let root = tempfile::tempdir().unwrap();
        let prose =
            "the weight and the measure of the house that the town had built for its merchants ".repeat(6);
        let rows: String = (0..5)
            .map(|number| format!("{}\n", json!({"id": number, "text": format!("{number} {prose}")})))
            .collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(rows.as_bytes()).unwrap();
        let page = |number: u32| {
            format!(
                "<page><title>House {number}</title><ns>0</ns><id>{number}</id><revision><timestamp>2026-11-22T00:00:00Z\
                 </timestamp><text>{number} {prose}</text></revision></page>\n"
            )
        };
        let wiki = format!("<mediawiki>\n{}{}</mediawiki>\n", page(1), page(2));
        let dumps: [(&str, Vec<u8>, usize); 3] = [
            ("rows.jsonl", rows.clone().into_bytes(), 5),
            ("rows.ndjson.gz", packed.finish().unwrap(), 5),
            ("pages.xml", wiki.into_bytes(), 2),
        ];
        for (name, bytes, expect) in dumps {
            let source = root.path().join(name);
            std::fs::write(&source, bytes).unwrap();
            let out = root.path().join(format!("{name}-out"));
            build(&arguments(&source, &out, 2)).unwrap();
            let folders = crate::data::shard_folders(&out).unwrap();
            let open = |folder: &PathBuf| Shard::open_folder(folder, &Limits::default()).unwrap().0.documents;
            let documents: Vec<_> = folders.iter().flat_map(open).collect();
            assert_eq!(documents.len(), expect, "{name}");
            assert_eq!(documents.iter().all(|row| row.title.starts_with("House ")), name == "pages.xml");
            let source = Named::Path(source);
            let files = TermsFiles::default();
            let verify =
                VerifyArguments { path: out, source: Some(source), files, sample: None, json: false };
            assert_eq!(check(&verify).unwrap(), ExitCode::SUCCESS, "{name}");
        }
    }
}
