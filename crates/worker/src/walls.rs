//! The walls around a child: figures that follow from the mechanism and the request alone.
//!
//! They are the same on every machine, since a submission that runs into one of them loses for it.

use mechanisms::Limits;
use serde::{Deserialize, Serialize};

/// Address space of a child beside its mechanism's memory, in bytes: program, libraries and allocator. A debug
/// build with all of the house takes 90 MiB.
const BASE_BYTES: u64 = 256 << 20;
/// Address space that each thread reserves, in bytes: its stack, and what the allocator sets aside for it
/// (128 MiB for a moment, of which 64 MiB stay).
const THREAD_BYTES: u64 = 144 << 20;
/// Pools of several threads: the child's, and one that an examination starts for itself.
const POOLS: u64 = 2;
/// A thread's stack, in bytes: what Linux gives a program's first thread, here on every machine.
pub(crate) const STACK_BYTES: usize = 8 << 20;
/// A request's bytes are held while it is read and once more where a reader's buffer grows.
const REQUEST_COPIES: u64 = 2;
/// Open files: the three pipes that it is started with, and nothing else.
pub(crate) const OPEN_FILES: u64 = 3;
/// Milliseconds in a second, the unit of the kernel's limit of processor time.
const SECOND_MS: u64 = 1_000;

/// The walls that a child puts up around itself before it reads a byte of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walls {
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in seconds.
    pub cpu_seconds: u64,
    /// File descriptors, counted from 0.
    pub open_files: u64,
    /// Threads that an examination may use; they change no result.
    pub threads: usize,
    /// The longest request that it reads, in bytes.
    pub request_max_bytes: u64,
    /// The longest result that it writes, in bytes.
    pub result_max_bytes: u64,
}

impl Walls {
    /// The walls for one examination.
    #[must_use]
    pub fn of(limits: &Limits, request_bytes: u64, threads: usize) -> Self {
        // One thread is nobody's pool: what would start another runs on it instead.
        let pools = if threads > 1 { POOLS } else { 1 };
        let per_thread = THREAD_BYTES.saturating_mul(threads as u64).saturating_mul(pools);
        let request = request_bytes.saturating_mul(REQUEST_COPIES);
        let memory = limits.memory_bytes.saturating_add(BASE_BYTES).saturating_add(per_thread);
        let cpu_ms = u64::try_from(limits.examine.0).unwrap_or(0);
        Self {
            memory_bytes: memory.saturating_add(request),
            cpu_seconds: cpu_ms.div_ceil(SECOND_MS).max(1),
            open_files: OPEN_FILES,
            threads,
            request_max_bytes: crate::frame::REQUEST_MAX_BYTES,
            result_max_bytes: crate::frame::RESULT_MAX_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::DurationMs;

    use super::*;

    #[test]
    fn processor_time_is_rounded_up_and_never_nothing() {
        for (ms, seconds) in [(-1, 1), (0, 1), (1, 1), (1_000, 1), (1_001, 2), (10_000, 10)] {
            let limits = Limits {
                submission_bytes: 1,
                items: 1,
                examine: DurationMs(ms),
                memory_bytes: u64::MAX,
                fetches: 0,
            };
            let walls = Walls::of(&limits, u64::MAX, usize::MAX);
            assert_eq!((walls.cpu_seconds, walls.memory_bytes), (seconds, u64::MAX), "{ms} ms");
        }
    }
}
