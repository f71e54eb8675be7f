//! `weigh sim run storm`: many seeds of one scenario, its invariants checked at every block.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use clap::Args;
use miette::Diagnostic;
use rayon::prelude::*;
use serde_json::json;
use sim::{InMemory, RunError, Scenario, World};
use thiserror::Error;

use crate::talk::{self, Unit};

#[derive(Args)]
pub(crate) struct StormArguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed; a failure names the one to give here.
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// Threads; all cores where it is not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print a JSON object at the end.
    #[arg(long)]
    json: bool,
}

/// A simulation did not hold.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum StormError {
    /// Seeds failed.
    #[error("{failed} of {seeds} seeds failed, the first one {seed}")]
    #[diagnostic(help("replay it with `weigh sim run storm --seeds 1 --first-seed {seed}`"))]
    Seeds {
        failed: usize,
        seeds: u64,
        seed: u64,
        #[source]
        error: Box<RunError>,
    },
    /// The threads could not be started.
    #[error("could not start the threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Nobody reads the result.
    #[error("could not write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

pub(crate) fn run(arguments: &StormArguments) -> Result<(), StormError> {
    let seeds = arguments.seeds;
    let bar = talk::bar(seeds, Unit::Seeds, arguments.json);
    let blocks = AtomicU64::new(0);
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(arguments.threads.map_or(0, usize::from)).build()?;
    let last = arguments.first_seed.saturating_add(seeds);
    let failed: Vec<(u64, RunError)> = pool.install(|| {
        let seeds = (arguments.first_seed..last).into_par_iter();
        seeds
            .filter_map(|seed| {
                let done = run_seed(seed, &blocks);
                bar.inc(1);
                done.err().map(|error| (seed, error))
            })
            .collect()
    });
    bar.finish_and_clear();
    let blocks = blocks.into_inner();
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let failed: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
        writeln!(out, "{}", json!({"event": "storm", "seeds": seeds, "blocks": blocks, "failed": failed}))?;
    } else if failed.is_empty() {
        writeln!(out, "{seeds} seeds, {blocks} blocks: every invariant held")?;
    }
    let count = failed.len();
    match failed.into_iter().next() {
        None => Ok(()),
        Some((seed, error)) => Err(StormError::Seeds { failed: count, seeds, seed, error: Box::new(error) }),
    }
}

fn run_seed(seed: u64, blocks: &AtomicU64) -> Result<(), RunError> {
    let mut world = World::new(Scenario::storm(seed), &InMemory)?;
    let summary = world.run(|_| {})?;
    blocks.fetch_add(summary.block, Ordering::Relaxed);
    Ok(())
}
