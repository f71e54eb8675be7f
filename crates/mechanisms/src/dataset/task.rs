//! Which part of the source is asked for in which round, and on what terms.

use std::{fmt::Display, sync::Arc};

use corpus::{Blocklist, Exclusion, Extent, Filters, Language, Pii, Rules, Source, language::Model};
use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::value;
use crate::Round;

/// What the subnet's owner asks for: a source, cut into tasks, and the terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The tasks of one pass over the source, in order; see [`Source::extents`].
    pub extents: Vec<Extent>,
    /// Tasks in one round, at least 1.
    pub tasks_per_round: u32,
    /// What each of them is held to.
    pub terms: Terms,
}

impl Job {
    /// The job as the bytes that a [`Round`] carries.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a job is plain data with string keys")
    }
}

/// What a task's shard is held to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The languages that are wanted, as ISO 639-1 codes; none wants all.
    pub languages: Vec<Language>,
    /// The digest of the encoded [`Exclusion`]: 13-grams of public benchmarks, which no document may hold. Without one
    /// nothing is excluded.
    pub exclusion: Option<Digest>,
    /// Whether other recipes than the pinned one are taken: their texts are aligned with the page instead of recomputed.
    pub open: bool,
    /// How a shard of another recipe is weighed; without it all are worth the same.
    pub value: Option<value::Experiment>,
    /// Which quality rules run.
    pub filters: Filters,
    /// What becomes of e-mail and public IP addresses.
    pub pii: Pii,
    /// Whether pages are left out that, or whose servers, reserve their text.
    pub heed_opt_out: bool,
    /// Whether a near duplicate of an earlier record of its task is left out.
    pub near_duplicates: bool,
    /// The digest of a list of addresses whose pages are left out; see [`Blocklist::read`]. Without one none are.
    pub blocklist: Option<Digest>,
    /// The digest of the model that tells languages; see [`Model::read`]. Without one trigrams tell them.
    pub language_model: Option<Digest>,
}

impl Terms {
    /// Documents in English by the pinned recipe with Gopher's rules on quality, nothing excluded, all worth the same.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            languages: vec![Language::ENGLISH],
            exclusion: None,
            open: false,
            value: None,
            filters: Filters::default(),
            pii: Pii::Keep,
            heed_opt_out: false,
            near_duplicates: false,
            blocklist: None,
            language_model: None,
        }
    }

    /// What has to lie beside the source for [`Terms::rules`], by its digest.
    pub fn supplies(&self) -> impl Iterator<Item = Digest> {
        [self.exclusion, self.blocklist, self.language_model].into_iter().flatten()
    }

    /// The rules for the recipe, with the lists and the model that lie beside the source.
    ///
    /// # Errors
    /// A text that says what is not at hand or can't be read.
    pub fn rules(&self, source: &dyn Source) -> Result<Rules, String> {
        let supply = Supply { source };
        Ok(Rules {
            languages: self.languages.clone(),
            filters: self.filters,
            exclusion: supply.read("exclusion list", self.exclusion, Exclusion::decode)?.unwrap_or_default(),
            near_duplicates: self.near_duplicates,
            blocklist: supply.read("blocklist", self.blocklist, Blocklist::read)?.unwrap_or_default(),
            pii: self.pii,
            heed_opt_out: self.heed_opt_out,
            language_model: supply
                .read("model of languages", self.language_model, Model::read)?
                .map(Arc::new),
        })
    }
}

/// What lies beside a source.
struct Supply<'a> {
    source: &'a dyn Source,
}

impl Supply<'_> {
    /// What was named, read.
    fn read<T, E: Display>(
        &self,
        what: &str,
        named: Option<Digest>,
        read: impl Fn(&[u8]) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let Some(digest) = named else { return Ok(None) };
        let bytes = self
            .source
            .supply(&digest)
            .map_err(|error| format!("{what} {digest} is not at hand: {error}"))?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(format!("{what} has digest {found}, expected {digest}"));
        }
        read(&bytes).map(Some).map_err(|error| format!("{what} {digest}: {error}"))
    }
}

/// One unit of work: a part of the source, and the terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The part.
    pub extent: Extent,
    /// The terms.
    pub terms: Terms,
    /// Which pass over the source this is; a document counts once per pass.
    pub pass: u64,
}

/// The tasks of a round: the source is gone through in order, round after round, and begun again at its end.
///
/// # Errors
/// A text that says which job can't be read.
pub(super) fn plan(round: &Round) -> Result<Vec<Task>, String> {
    let mut tasks = Vec::new();
    for (at, bytes) in round.jobs.iter().enumerate() {
        let job: Job = serde_json::from_slice(bytes).map_err(|error| format!("job {at}: {error}"))?;
        if job.tasks_per_round == 0 {
            return Err(format!("job {at}: tasks_per_round is 0, expected at least 1"));
        }
        plan_job(job, round.number, &mut tasks);
    }
    Ok(tasks)
}

fn plan_job(job: Job, round: u64, tasks: &mut Vec<Task>) {
    let per_pass = job.extents.len() as u64;
    if per_pass == 0 {
        return;
    }
    // A round never holds the same task twice, however small the source is.
    let in_round = u64::from(job.tasks_per_round).min(per_pass);
    let first = round.saturating_mul(in_round);
    for serial in first..first.saturating_add(in_round) {
        let place = usize::try_from(serial % per_pass).expect("below the number of extents");
        let (extent, terms) = (job.extents[place].clone(), job.terms.clone());
        tasks.push(Task { extent, terms, pass: serial / per_pass });
    }
}
