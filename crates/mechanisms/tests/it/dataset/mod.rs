//! The dataset mechanism over generated files: honest work is paid to the token, and every attack ends at zero.

mod archive;
mod golden;
mod honest;
mod hostile;
mod plan;
mod source;
mod terms;

use std::sync::Arc;

use corpus::{Cut, Extent, Memory, Shard, Source, TaskSlice};
use mechanisms::{
    ErasedTask, Round, Strategy, Work,
    dataset::{Dataset, Job, Task, Terms, params},
};
use primitives::Seed;

use crate::arena::{Answer, Validator, key, round};
pub(crate) use source::library;

/// Entries of one task in these rounds.
const ENTRIES_PER_TASK: u32 = 6;

/// A job over this source, as a round carries it.
pub(crate) fn job(source: &dyn Source, entries_max: u32, tasks_per_round: u32) -> Vec<u8> {
    let extents = source.extents(Cut { entries_max, bytes_max: u64::MAX }).expect("made here");
    Job { extents, tasks_per_round, terms: Terms::plain() }.encode()
}

/// A round over `source` with as many tasks as the source has.
fn round_over(source: &Memory, number: u64, seed: u64, miners: &[u8]) -> Round {
    let mut round = round(number, seed, miners);
    round.jobs = vec![Arc::new(job(source, ENTRIES_PER_TASK, u32::MAX))];
    round
}

fn planned(round: &Round) -> Vec<ErasedTask> {
    Validator::new(&Dataset).mechanism.plan(round).expect("own job")
}

fn task_of(task: &ErasedTask) -> Task {
    serde_json::from_slice(&task.bytes).expect("own task")
}

/// The files of a task over a folder.
fn files_of(task: &Task) -> &TaskSlice {
    match &task.extent {
        Extent::Files(slice) => slice,
        Extent::Archive(range) => panic!("a folder's task, found {}", range.path),
    }
}

fn shard_of(bytes: &[u8]) -> Shard {
    Shard::decode(bytes, &params::SHARD_LIMITS).expect("own shard")
}

/// What `miner` makes of a task by `strategy`, committed to at `block`.
fn made(
    strategy: &dyn Strategy,
    source: &dyn Source,
    round: &Round,
    tasks: &[ErasedTask],
    (miner, at, block): (u8, usize, u64),
) -> Option<Answer> {
    let seed = Seed::from_number(u64::from(miner)).derive("work", round.number);
    let work = Work { hotkey: key(miner), round: round.number, task: &tasks[at].bytes, source, seed };
    let bytes = strategy.make(&work)?;
    Some(shown(at, miner, block, bytes))
}

/// These bytes, with the root of the shard in them committed.
fn shown(at: usize, miner: u8, block: u64, bytes: Vec<u8>) -> Answer {
    let root = shard_of(&bytes).root();
    Answer::to(at, miner, bytes).committed(block, root)
}
