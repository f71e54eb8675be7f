//! `weigh mechanism`: what is paid for, who works for it honestly, and which attacks it must withstand.
//!
//! Everything is read from the catalogue; what the attacks earn in a running subnet is on its website.

use std::{io, process::ExitCode};

use clap::{Args, Subcommand};
use comfy_table::Cell;
use indicatif::BinaryBytes;
use mechanisms::{ErasedMechanism, Strategy};
use miette::Diagnostic;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    nearest,
    show::{self, Show},
};

/// `weigh mechanism …`.
#[derive(Subcommand)]
pub(crate) enum MechanismCommand {
    /// List the mechanisms of the catalogue.
    List(ListArguments),
    /// Show one: what is paid, how honest miners work, what its attacks do.
    Show(ShowArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    /// The mechanism's name in the catalogue.
    #[arg(value_name = "ID")]
    id: String,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

/// Nothing could be shown.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum MechanismError {
    /// The catalogue has no such mechanism.
    #[error("the catalogue has no mechanism {id:?}")]
    Unknown {
        id: String,
        #[help]
        help: String,
    },
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl MechanismError {
    /// 3 where there is no such mechanism, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            MechanismError::Unknown { .. } => 3,
            MechanismError::Output(_) => 1,
        }
    }
}

/// Runs one of the commands.
pub(crate) fn run(command: &MechanismCommand) -> Result<ExitCode, MechanismError> {
    match command {
        MechanismCommand::List(arguments) => list(arguments)?,
        MechanismCommand::Show(arguments) => show_one(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &ListArguments) -> Result<(), MechanismError> {
    let mut table = show::table(&["mechanism", "attacks", "pays for"]);
    let mut told = Vec::new();
    for mechanism in mechanisms::catalogue() {
        let attacks = mechanism.attacks().len();
        table.add_row(vec![
            Cell::new(mechanism.id()),
            show::right(&attacks.to_string()),
            Cell::new(mechanism.about()),
        ]);
        told.push(json!({"id": mechanism.id(), "about": mechanism.about(), "attacks": attacks}));
    }
    Ok(Show::new(arguments.json).say(&json!({"mechanisms": told}), &table.to_string())?)
}

fn show_one(arguments: &ShowArguments) -> Result<(), MechanismError> {
    let Some(mechanism) = mechanisms::find(&arguments.id) else {
        let known = mechanisms::catalogue().iter().map(|mechanism| mechanism.id());
        let asked = nearest::asked(&arguments.id, known);
        let help = format!("{asked}`weigh mechanism list` shows all");
        return Err(MechanismError::Unknown { id: arguments.id.clone(), help });
    };
    Ok(Show::new(arguments.json).say(&as_json(mechanism), &as_text(mechanism))?)
}

fn as_json(mechanism: &dyn ErasedMechanism) -> Value {
    let limits = mechanism.limits();
    let strategies = mechanism.strategies();
    let told = |is_honest: bool| -> Vec<Value> {
        let of = strategies.iter().filter(|strategy| strategy.is_honest() == is_honest);
        of.map(|strategy| json!({"id": strategy.id(), "about": strategy.about()})).collect()
    };
    let chapters = mechanism.chapters();
    let words = chapters.iter().map(|chapter| json!({"title": chapter.title, "text": chapter.text}));
    json!({
        "id": mechanism.id(),
        "about": mechanism.about(),
        "moves_first": mechanism.shape().about(),
        "engine": mechanism.engine(),
        "limits": {
            "submission_bytes": limits.submission_bytes,
            "submissions_per_round": limits.items,
            "examine_ms": limits.examine,
            "memory_bytes": limits.memory_bytes,
            "fetches": limits.fetches,
        },
        "words": words.collect::<Vec<_>>(),
        "honest": told(true),
        "attacks": told(false),
    })
}

fn as_text(mechanism: &dyn ErasedMechanism) -> String {
    let limits = mechanism.limits();
    let mut text = format!(
        "mechanism    {}\npays for     {}\nmoves first  {}\nengine       {}\nlimits       {} a submission, {} \
         submissions a round; {} s of CPU time and {} of memory an examination",
        mechanism.id(),
        mechanism.about(),
        mechanism.shape().about(),
        mechanism.engine(),
        BinaryBytes(limits.submission_bytes as u64),
        limits.items,
        limits.examine.0 / 1000,
        BinaryBytes(limits.memory_bytes),
    );
    for chapter in mechanism.chapters().iter().filter(|chapter| !chapter.title.is_empty()) {
        text.push_str(&format!("\n\n{}\n{}", chapter.title, chapter.text));
    }
    let (honest, attacks): (Vec<_>, Vec<_>) =
        mechanism.strategies().into_iter().partition(|strategy| strategy.is_honest());
    text.push_str(&format!("\n\n{}\n\n{}", strategies("honest", &honest), strategies("attack", &attacks)));
    text
}

fn strategies(heading: &str, all: &[&'static dyn Strategy]) -> String {
    let mut table = show::table(&[heading, "what it does"]);
    for strategy in all {
        table.add_row(vec![strategy.id(), strategy.about()]);
    }
    table.to_string()
}
