//! Honest miners: they differ in diligence, and in the recipe where the task takes others than the pinned one.

use corpus::{Page, Reason, Recipe, Rules, Shard, extract};

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
        Some(build(work)?.2.encode())
    }
}

/// Runs an extraction of its own over whole tasks: honest where the terms take other recipes.
#[derive(Clone, Copy)]
pub struct OwnRecipe {
    /// The name shown.
    pub id: &'static str,
    /// The recipe's name, as it stands in its shards.
    pub recipe: &'static str,
    /// From a page to its text.
    pub extract: fn(&Page) -> Result<String, Reason>,
    /// How many tasks it takes on in a round.
    pub tasks: usize,
}

/// Two extractions that differ from the pinned one: what stands in paragraphs, and all that is visible.
pub const OWN_RECIPES: [OwnRecipe; 2] = [
    OwnRecipe { id: "honest-paragraphs", recipe: "paragraphs", extract: extract::paragraphs, tasks: 2 },
    OwnRecipe { id: "honest-all-lines", recipe: "all-lines", extract: extract::all_lines, tasks: 2 },
];

impl Strategy for OwnRecipe {
    fn id(&self) -> &'static str {
        self.id
    }

    fn about(&self) -> &'static str {
        "runs a recipe of its own over whole tasks"
    }

    fn is_honest(&self) -> bool {
        true
    }

    fn appetite(&self, planned: usize) -> usize {
        self.tasks.min(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        let (task, rules) = read(work)?;
        let recipe = Recipe { id: self.recipe.into(), version: 1 };
        let shard =
            Shard::build_with(&task.extent, work.source, work.hotkey, recipe, &rules, &self.extract).ok()?;
        Some(shard.encode())
    }
}

/// The task and its rules; none where they can't be read.
fn read(work: &Work<'_>) -> Option<(Task, Rules)> {
    let task: Task = serde_json::from_slice(work.task).ok()?;
    let rules = task.terms.rules(work.source).ok()?;
    Some((task, rules))
}

/// The task and its rules with the honest shard; none where the task or the source can't be read.
pub(super) fn build(work: &Work<'_>) -> Option<(Task, Rules, Shard)> {
    let (task, rules) = read(work)?;
    let shard = Shard::build(&task.extent, work.source, work.hotkey, &rules).ok()?;
    Some((task, rules, shard))
}
