//! `weigh data export`: shards as one dataset repository.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;
use corpus::{
    Limits, Shard,
    hub::{About, Hub, HubError},
};
use serde_json::json;

use super::{
    DataError, TASK_FILE, empty_folder,
    images::pool,
    repository::task_path,
    shard_folders, task_of,
    tokens::{Tokens, TokensArguments},
};
use crate::talk::{self, Unit};

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// A shard's folder, or a folder of such.
    path: PathBuf,
    /// The folder for the repository: new or empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The dataset's name; without it, the folder's.
    #[arg(long)]
    name: Option<String>,
    /// The collection's licence, as the Hub's list names it.
    #[arg(long, value_name = "ID", default_value = "odc-by")]
    license: String,
    /// Where the records come from, for the card; without it, the shards' paths.
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    #[command(flatten)]
    tokens: TokensArguments,
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
    let tokens = Tokens::open(&arguments.tokens)?;
    let tokenize = |text: &str| tokens.as_ref().map_or_else(|| Ok(Vec::new()), |tokens| tokens.of_text(text));
    empty_folder(&arguments.out)?;
    let failed = |error| match error {
        HubError::About(error) => DataError::About(error),
        error => DataError::Hub { path: arguments.out.clone(), error: Box::new(error) },
    };
    let mut hub = Hub::create(&arguments.out, about).map_err(failed)?;
    if let Some(tokens) = &tokens {
        hub = hub.with_tokens(tokens.vocabulary.clone(), &tokenize, pool(None));
    }
    let bar = talk::bar(folders.len() as u64, Unit::Shards, arguments.json);
    for (number, folder) in (0u64..).zip(folders) {
        let task = task_of(&folder)?;
        let place = folder.join(TASK_FILE);
        let json = std::fs::read(&place).map_err(|error| DataError::File { path: place, error })?;
        hub.attach(&task_path(number), &json).map_err(failed)?;
        let unread = |error| DataError::Shard { path: folder.clone(), error: Box::new(error) };
        let (shard, manifest) = Shard::open_folder(&folder, &Limits::default()).map_err(unread)?;
        hub.add(task.extent, manifest, &shard).map_err(failed)?;
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
        let numbers: u64 = manifest.token_shards.iter().map(|shard| shard.head.tokens).sum();
        if let Some(first) = manifest.token_shards.first() {
            writeln!(out, "tokens   {numbers} of {}", first.head.vocabulary.tokenizer)?;
        }
    }
    Ok(out.flush()?)
}
