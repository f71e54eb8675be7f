//! `weigh lm`: language models by themselves: trained, measured, asked for text and vectors, written anew.
//!
//! Each command has a file of its own. What they share: [`opened`], a model with its tokenizer; [`texts`], the documents
//! of files and folders; [`failure`], why something was not done.

mod bench;
mod card;
mod convert;
mod embed;
mod eval;
mod failure;
mod generate;
mod log;
mod opened;
mod plan;
mod texts;
mod train;

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::{Args, Subcommand};
use lm::Compute;

pub(crate) use failure::LmError;

/// `weigh lm …`.
#[derive(Subcommand)]
pub(crate) enum LmCommand {
    /// Train a model on texts, and write a folder that transformers loads; the same arguments give the same bits.
    Train(Box<train::TrainArguments>),
    /// Say how well a model predicts texts: nats per token, bits per byte, perplexity.
    Eval(eval::EvalArguments),
    /// Print the text with which a model goes on where a prompt ends.
    Generate(generate::GenerateArguments),
    /// Turn texts into vectors, or say what each two of them have in common.
    Embed(embed::EmbedArguments),
    /// Write the model of a GGUF file or a folder as a folder that transformers loads.
    Convert(convert::ConvertArguments),
    /// Measure how many tokens a CPU second trains on, reads and writes on this machine.
    Bench(bench::BenchArguments),
}

/// Runs one of the commands.
pub(crate) fn run(command: &LmCommand) -> Result<ExitCode, LmError> {
    match command {
        LmCommand::Train(arguments) => train::run(arguments),
        LmCommand::Eval(arguments) => eval::run(arguments),
        LmCommand::Generate(arguments) => generate::run(arguments),
        LmCommand::Embed(arguments) => embed::run(arguments),
        LmCommand::Convert(arguments) => convert::run(arguments),
        LmCommand::Bench(arguments) => bench::run(arguments),
    }
}

#[derive(Args)]
pub(crate) struct Threads {
    /// Threads; all cores where it is not given. The bits are the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    fn count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }

    fn compute(&self) -> Result<Compute, LmError> {
        Ok(Compute::new(self.count())?)
    }
}

/// Whether Ctrl-C was pressed; the first one lets a command end in order.
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    /// From here on Ctrl-C is remembered, and ends nothing by itself.
    fn watch() -> Result<Self, LmError> {
        let flag = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&flag);
        ctrlc::set_handler(move || shared.store(true, Ordering::Relaxed)).map_err(std::io::Error::other)?;
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A path as JSON and messages have it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
