//! Where numbers are computed: with how many threads and which instructions, never which bits.

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use thiserror::Error;

use crate::lanes::{Instructions, Kernel};

/// Most threads that a [`Compute`] takes: beyond it something else is meant.
const MAX_THREADS: usize = 1024;

/// The wanted threads or instructions cannot be had.
#[derive(Debug, Error)]
pub enum ComputeError {
    /// The number of threads is out of range.
    #[error("{threads} threads are not between 1 and {MAX_THREADS}")]
    Threads {
        /// How many were asked for.
        threads: usize,
    },
    /// The machine lacks the instructions.
    #[error("this machine has no {instructions} instructions")]
    Instructions {
        /// Which were asked for.
        instructions: Instructions,
    },
    /// The operating system refused to start threads.
    #[error("could not start {threads} threads: {source}")]
    Start {
        /// How many were asked for.
        threads: usize,
        /// What was reported.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Threads of its own and a choice of instructions. Any two of them give the same bits.
#[derive(Debug)]
pub struct Compute {
    instructions: Instructions,
    threads: usize,
    /// Absent for one thread: all runs on the caller's.
    pool: Option<rayon::ThreadPool>,
}

impl Compute {
    /// So many threads, and the fastest instructions that the machine has.
    ///
    /// # Errors
    /// No thread or too many, or the operating system starts none.
    pub fn new(threads: usize) -> Result<Self, ComputeError> {
        Self::with(threads, Instructions::best())
    }

    /// So many threads and these instructions.
    ///
    /// # Errors
    /// As [`Compute::new`], and where the machine lacks the instructions.
    pub fn with(threads: usize, instructions: Instructions) -> Result<Self, ComputeError> {
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(ComputeError::Threads { threads });
        }
        if !instructions.is_available() {
            return Err(ComputeError::Instructions { instructions });
        }
        let start = || rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = if threads == 1 {
            None
        } else {
            Some(start().map_err(|source| ComputeError::Start { threads, source })?)
        };
        Ok(Self { instructions, threads, pool })
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Which instructions are used.
    #[must_use]
    pub fn instructions(&self) -> Instructions {
        self.instructions
    }

    /// Runs a whole pass on one of the threads, so that the others are not sent to sleep and woken by another for each
    /// of its parts.
    pub(crate) fn inside<R: Send>(&self, pass: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(pass),
            None => pass(),
        }
    }

    /// Runs kernels that write to places of their own, in any order.
    pub(crate) fn each<K: Kernel<Output = ()> + Send>(&self, kernels: Vec<K>) {
        let instructions = self.instructions;
        match &self.pool {
            Some(pool) if kernels.len() > 1 => {
                pool.install(|| kernels.into_par_iter().for_each(|kernel| instructions.run(kernel)));
            }
            _ => kernels.into_iter().for_each(|kernel| instructions.run(kernel)),
        }
    }

    /// How many rows a task should have where `rows` of them are to be shared out, a multiple of `unit`.
    pub(crate) fn share(&self, rows: usize, unit: usize) -> usize {
        // Four tasks per thread, so that a slow one at the end keeps the others waiting for a short time only.
        let tasks = if self.threads == 1 { 1 } else { self.threads * 4 };
        rows.div_ceil(tasks).next_multiple_of(unit).max(unit)
    }
}
