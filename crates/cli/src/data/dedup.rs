//! `weigh data dedup`: which documents of many shards repeat which.
//!
//! Shards are taken one at a time. What they may have in common goes to files, in which the index of `corpus` finds
//! duplicates; in a build with the feature `cluster` a plan of DataFusion's does, here or on a cluster. The list is the
//! same.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
#[cfg(feature = "cluster")]
use cluster::{Engine, Keys};
#[cfg(not(feature = "cluster"))]
use corpus::dedup::{DedupIndex, Pairs};
use corpus::{
    DocumentRow, Limits, Shard,
    dedup::{Claim, Duplicate, Item, Likeness, duplicates_as_parquet},
    minhash::Signature,
};
use primitives::Digest;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{DataError, MANIFEST_FILE, Threads, empty_folder, plain_table, shard_folders, write_json};
use crate::talk::{self, Unit};

/// The list of duplicates, in `--out`.
const DUPLICATES_FILE: &str = "duplicates.parquet";
/// What is needed while the work goes on.
const WORK_FOLDER: &str = "work";
/// Of the list's manifest.
const VERSION: u32 = 1;

#[derive(Args)]
pub(crate) struct DedupArguments {
    /// Shards' folders, or folders of such. Of documents that repeat each other the first is kept: by the shards as they
    /// are named here, in a folder by their names, and in a shard by its records.
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// The folder for the list of duplicates: new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The scheduler of a Ballista cluster, `df://HOST:PORT`; its executors must see --out under the same path.
    #[cfg(feature = "cluster")]
    #[arg(long, value_name = "URL", requires = "out")]
    cluster: Option<String>,
    #[command(flatten)]
    threads: Threads,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// What stands in the manifest of a list of duplicates.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    version: u32,
    documents: u64,
    exact: u64,
    near: u64,
    /// By the numbers that the table has for them.
    shards: Vec<ListedShard>,
    /// The digest of `duplicates.parquet`.
    duplicates_digest: Digest,
}

/// One of the shards.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedShard {
    folder: PathBuf,
    root: Digest,
    documents: u64,
    duplicates: u64,
}

pub(super) fn dedup(arguments: &DedupArguments) -> Result<(), DataError> {
    let mut folders = Vec::new();
    for path in &arguments.paths {
        folders.extend(shard_folders(path)?);
    }
    let own;
    let out = match &arguments.out {
        Some(folder) => {
            empty_folder(folder)?;
            folder.as_path()
        }
        None => {
            let unmade = |error| DataError::File { path: std::env::temp_dir(), error };
            own = tempfile::tempdir().map_err(unmade)?;
            own.path()
        }
    };
    let work = out.join(WORK_FOLDER);
    let found = find(arguments, &folders, &work);
    // Whatever came of the work, what it needed goes, so that the same command may be given again.
    let cleared = std::fs::remove_dir_all(&work);
    let (mut shards, duplicates) = found?;
    cleared.map_err(|error| DataError::File { path: work, error })?;
    for duplicate in &duplicates {
        let shard = usize::try_from(duplicate.document.block).expect("the number of a shard in the list");
        shards[shard].duplicates += 1;
    }
    let table = duplicates_as_parquet(&duplicates);
    let exact = duplicates.iter().filter(|one| one.likeness == Likeness::Exact).count() as u64;
    let listing = Listing {
        version: VERSION,
        documents: shards.iter().map(|shard| shard.documents).sum(),
        exact,
        near: duplicates.len() as u64 - exact,
        shards,
        duplicates_digest: Digest::of(&table),
    };
    if arguments.out.is_some() {
        let place = out.join(DUPLICATES_FILE);
        std::fs::write(&place, &table).map_err(|error| DataError::File { path: place, error })?;
        // Last, so that a folder with a manifest is whole.
        write_json(out.join(MANIFEST_FILE), &listing)?;
    }
    tell(&listing, arguments)
}

/// The shards, and the duplicates in them.
fn find(
    arguments: &DedupArguments,
    folders: &[PathBuf],
    work: &Path,
) -> Result<(Vec<ListedShard>, Vec<Duplicate>), DataError> {
    let pool = arguments.threads.pool()?;
    let mut finder = Finder::begin(work)?;
    let mut folder_of: BTreeMap<Digest, &Path> = BTreeMap::new();
    let mut shards = Vec::with_capacity(folders.len());
    let bar = talk::bar(folders.len() as u64, Unit::Shards, arguments.json);
    for (block, folder) in (0..).zip(folders) {
        let unread = |error| DataError::Shard { path: folder.clone(), error: Box::new(error) };
        let (shard, manifest) = Shard::open_folder(folder, &Limits::default()).map_err(unread)?;
        if let Some(earlier) = folder_of.insert(manifest.root, folder) {
            return Err(DataError::SameShard { path: folder.clone(), earlier: earlier.to_owned() });
        }
        let item = |document: &DocumentRow| Item {
            claim: Claim { block, row: u64::from(document.record) },
            fingerprint: document.fingerprint,
            bands: document
                .bands
                .or_else(|| Signature::of(&document.text).map(|signature| signature.bands())),
        };
        let items: Vec<Item> = pool.install(|| shard.documents.par_iter().map(item).collect());
        finder.add(&items)?;
        let documents = manifest.documents;
        shards.push(ListedShard { folder: folder.clone(), root: manifest.root, documents, duplicates: 0 });
        bar.inc(1);
    }
    let duplicates = finder.finish(arguments, pool.current_num_threads())?;
    bar.finish_and_clear();
    Ok((shards, duplicates))
}

fn tell(listing: &Listing, arguments: &DedupArguments) -> Result<(), DataError> {
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", json!({"folder": arguments.out, "list": listing}))?;
        return Ok(out.flush()?);
    }
    let mut table = plain_table(&["shard", "documents", "duplicates"]);
    for shard in &listing.shards {
        let counts = [shard.documents, shard.duplicates].map(|count| count.to_string());
        table.add_row([vec![shard.folder.display().to_string()], counts.to_vec()].concat());
    }
    let Listing { documents, exact, near, .. } = listing;
    writeln!(out, "{table}\n\n{exact} exact and {near} near duplicates in {documents} documents")?;
    Ok(out.flush()?)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> DataError {
    DataError::Dedup { error: Box::new(error) }
}

/// The index on this machine's disk.
#[cfg(not(feature = "cluster"))]
struct Finder {
    index: DedupIndex,
    pairs: Pairs,
}

#[cfg(not(feature = "cluster"))]
impl Finder {
    fn begin(work: &Path) -> Result<Self, DataError> {
        let index = DedupIndex::open(work).map_err(failed)?;
        Ok(Self { index, pairs: Pairs::default() })
    }

    fn add(&mut self, shard: &[Item]) -> Result<(), DataError> {
        self.index.pair(shard, &mut self.pairs).map_err(failed)
    }

    fn finish(self, _: &DedupArguments, _threads: usize) -> Result<Vec<Duplicate>, DataError> {
        Ok(self.pairs.duplicates())
    }
}

/// The plan over all keys, here or on a cluster.
#[cfg(feature = "cluster")]
struct Finder {
    keys: Keys,
}

#[cfg(feature = "cluster")]
impl Finder {
    /// What the plan may take here for sorting and grouping.
    const MEMORY_MAX_BYTES: usize = 256 << 20;

    fn begin(work: &Path) -> Result<Self, DataError> {
        Ok(Self { keys: Keys::create(work).map_err(failed)? })
    }

    fn add(&mut self, shard: &[Item]) -> Result<(), DataError> {
        self.keys.add(shard).map_err(failed)
    }

    fn finish(self, arguments: &DedupArguments, threads: usize) -> Result<Vec<Duplicate>, DataError> {
        let engine = match &arguments.cluster {
            Some(url) => Engine::Ballista { url: url.clone() },
            None => Engine::Embedded { threads, memory_max_bytes: Self::MEMORY_MAX_BYTES },
        };
        self.keys.duplicates(&engine).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use corpus::dedup::duplicates_of_parquet;
    use primitives::Seed;

    use super::*;
    use crate::data::{DataCommand, run};

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: DataCommand,
    }

    fn data(arguments: &[&str]) -> Result<(), DataError> {
        let line = Line::try_parse_from([&["data"], arguments].concat()).unwrap();
        run(&line.command).map(|_| ())
    }

    const WORDS: [&str; 12] = [
        "the", "scale", "and", "weight", "of", "merchant", "with", "grain", "that", "settled", "price",
        "have",
    ];

    /// Two dozen files in shards of a few each; number 21 repeats number 1, and 22 all but a word of 2.
    fn lay_source(folder: &Path) {
        std::fs::create_dir(folder).unwrap();
        let mut stream = Seed::from_number(4).stream("texts", 0);
        let mut texts: Vec<String> = Vec::new();
        for number in 0..24 {
            let mut words: Vec<&str> = (0..120).map(|_| WORDS[stream.index(WORDS.len())]).collect();
            words.push("end.");
            texts.push(match number {
                21 => texts[1].replace("end.", "End!"),
                22 => texts[2].replace("end.", "beginning."),
                _ => words.join(" "),
            });
        }
        for (number, text) in texts.iter().enumerate() {
            std::fs::write(folder.join(format!("{number:02}.txt")), text).unwrap();
        }
    }

    fn read<T: for<'a> Deserialize<'a>>(place: PathBuf) -> T {
        serde_json::from_slice(&std::fs::read(place).unwrap()).unwrap()
    }

    #[test]
    fn what_repeats_another_shard_is_listed() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name).display().to_string();
        let list = |name: &str| {
            let folder = root.path().join(name);
            let listing: Listing = read(folder.join(MANIFEST_FILE));
            let table = std::fs::read(folder.join(DUPLICATES_FILE)).unwrap();
            assert_eq!(listing.duplicates_digest, Digest::of(&table));
            (listing, duplicates_of_parquet(table).unwrap())
        };
        lay_source(&root.path().join("source"));
        data(&["build", &place("source"), "--out", &place("shards"), "--bytes-per-task", "4096"]).unwrap();
        data(&["dedup", &place("shards"), "--out", &place("list")]).unwrap();
        let (listing, duplicates) = list("list");
        assert_eq!((listing.documents, listing.exact, listing.near), (24, 1, 1));
        assert!(listing.shards.len() >= 3 && listing.shards[0].duplicates == 0);
        let likenesses: Vec<Likeness> = duplicates.iter().map(|one| one.likeness).collect();
        assert_eq!(likenesses, [Likeness::Exact, Likeness::Near]);
        let firsts: Vec<Claim> = duplicates.iter().map(|one| one.of).collect();
        assert_eq!(firsts, [Claim { block: 0, row: 1 }, Claim { block: 0, row: 2 }]);
        let files: Vec<_> = std::fs::read_dir(root.path().join("list")).unwrap().collect();
        assert_eq!(files.len(), 2, "{files:?}");

        // In the other order the later files are the first.
        let last = place(&format!("shards/{:05}", listing.shards.len() - 1));
        let turned = data(&["dedup", &last, &place("shards"), "--out", &place("turned")]);
        assert!(matches!(turned, Err(DataError::SameShard { .. })), "{turned:?}");
        assert_eq!(std::fs::read_dir(root.path().join("turned")).unwrap().count(), 0);
        data(&["dedup", &last, &place("shards/00000"), "--out", &place("turned")]).unwrap();
        let (_, turned) = list("turned");
        assert!(turned.iter().all(|one| one.document.block == 1 && one.of.block == 0));
        assert_eq!(turned.len(), 2);
    }
}
