//! `weigh data export`: shards as one dataset repository.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;
use corpus::{
    Limits, Shard,
    hub::{About, Hub, HubError},
};
use serde_json::json;

use super::{DataError, dedup::DuplicateList, empty_folder, shard_folders, task_of};
use crate::talk::{self, Unit};

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// A shard's folder, or a folder of such.
    path: PathBuf,
    /// The folder for the repository: new or empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave out the documents that a list of `weigh data dedup --out` has; the ledger says where they stand.
    #[arg(long, value_name = "DIR")]
    without: Option<PathBuf>,
    /// The dataset's name; without it, the folder's.
    #[arg(long)]
    name: Option<String>,
    /// The collection's licence, as the Hub's list names it.
    #[arg(long, value_name = "ID", default_value = "odc-by")]
    license: String,
    /// Where the records come from, for the card; without it, the shards' paths.
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

pub(super) fn export(arguments: &ExportArguments) -> Result<(), DataError> {
    let folders = shard_folders(&arguments.path)?;
    let folder_name = || arguments.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = match &arguments.source {
        Some(source) => source.clone(),
        None => task_of(&folders[0])?.extent.paths().next().unwrap_or("files").to_owned(),
    };
    let name = arguments.name.clone().unwrap_or_else(folder_name);
    let about = About { name, license: arguments.license.clone(), source };
    about.check()?;
    let list = arguments.without.as_deref().map(DuplicateList::open).transpose()?;
    empty_folder(&arguments.out)?;
    let failed = |error| match error {
        HubError::About(error) => DataError::About(error),
        error => DataError::Hub { path: arguments.out.clone(), error: Box::new(error) },
    };
    let mut hub = Hub::create(&arguments.out, about).map_err(failed)?;
    let bar = talk::bar(folders.len() as u64, Unit::Shards, arguments.json);
    for folder in folders {
        let task = task_of(&folder)?;
        let unread = |error| DataError::Shard { path: folder.clone(), error: Box::new(error) };
        let (shard, manifest) = Shard::open_folder(&folder, &Limits::default()).map_err(unread)?;
        let left_out = match &list {
            Some(list) => list.left_out(&folder, &manifest.root)?,
            None => BTreeMap::new(),
        };
        hub.add_without(task.extent, manifest, &shard, &left_out).map_err(failed)?;
        bar.inc(1);
    }
    let manifest = hub.finish().map_err(failed)?;
    bar.finish_and_clear();
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", json!({"folder": arguments.out, "manifest": manifest}))?;
    } else {
        let (shards, files) = (manifest.shards.len(), manifest.data.len());
        writeln!(
            out,
            "{}: {} documents with {} tokens of {shards} shards in {files} files\nroot     {}",
            arguments.out.display(),
            manifest.documents,
            manifest.tokens,
            manifest.root
        )?;
    }
    Ok(out.flush()?)
}
