//! `weigh completions` and `weigh man`: what shells and manuals are told, from the same definitions as `--help`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use miette::Diagnostic;
use serde_json::json;
use thiserror::Error;

use crate::show::Show;

#[derive(Args)]
pub(crate) struct CompletionsArguments {
    /// The shell that is to complete.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManArguments {
    /// Write one page per command into this folder instead of printing the first page.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// One JSON document with the pages' files on standard output.
    #[arg(long, requires = "dir")]
    json: bool,
}

/// A page could not be written.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ManualError {
    #[error("manual page {path} can't be written")]
    #[diagnostic(help("name a folder that can be written: `weigh man --dir DIR`"))]
    Page {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// Prints what a shell reads to complete `command`.
pub(crate) fn completions(
    mut command: Command,
    arguments: &CompletionsArguments,
) -> Result<ExitCode, ManualError> {
    let name = command.get_name().to_owned();
    // The generator panics where its writer fails: a reader that has gone is no bug.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual's first page, or writes all of them.
pub(crate) fn man(command: Command, arguments: &ManArguments) -> Result<ExitCode, ManualError> {
    let Some(folder) = &arguments.dir else {
        Man::new(command).render(&mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(folder).map_err(|error| ManualError::Page { path: folder.clone(), error })?;
    // Names of pages hold those of the commands above; they are known once the whole tree is built.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut written = Vec::new();
    pages(&command, folder, &mut written)?;
    let lines: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    Show::new(arguments.json).say(&json!({"pages": written}), &lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn pages(command: &Command, folder: &Path, written: &mut Vec<PathBuf>) -> Result<(), ManualError> {
    let page = Man::new(command.clone());
    let path = folder.join(page.get_filename());
    page.generate_to(folder).map_err(|error| ManualError::Page { path: path.clone(), error })?;
    written.push(path);
    let shown = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    shown.into_iter().try_for_each(|inner| pages(inner, folder, written))
}
