//! Honest miners: they differ in diligence only.

use corpus::shard::Shard;

use super::Task;
use crate::{Strategy, Work};

/// Runs the pinned recipe over whole tasks.
#[derive(Clone, Copy, Debug)]
pub struct Honest {
    /// The name shown.
    pub id: &'static str,
    /// How many tasks it takes on in a round.
    pub tasks: usize,
}

/// Honest miners of differing diligence, the most diligent first.
pub const HONEST: [Honest; 5] = [
    Honest { id: "honest-tireless", tasks: 6 },
    Honest { id: "honest-diligent", tasks: 4 },
    Honest { id: "honest-steady", tasks: 3 },
    Honest { id: "honest-modest", tasks: 2 },
    Honest { id: "honest-casual", tasks: 1 },
];

impl Strategy for Honest {
    fn id(&self) -> &'static str {
        self.id
    }

    fn about(&self) -> &'static str {
        "runs the pinned recipe over whole tasks"
    }

    fn is_honest(&self) -> bool {
        true
    }

    fn appetite(&self, planned: usize) -> usize {
        self.tasks.min(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        Some(build(work)?.1.encode())
    }
}

/// The task with its honest shard; none where the task or the source can't be read.
pub(super) fn build(work: &Work<'_>) -> Option<(Task, Shard)> {
    let task: Task = serde_json::from_slice(work.task).ok()?;
    let shard = Shard::build(&task.slice, work.source, work.hotkey).ok()?;
    Some((task, shard))
}
