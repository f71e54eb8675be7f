//! Steps 0, 1, 3 and 5 of the ladder: is the shard what was committed, does its ledger tile the task, do sampled records
//! come out as it says, is it free of what is excluded, what is it worth.
//!
//! Step 3 needs no step of its own: the recipe drops excluded documents, so that a kept one is a wrong decision, which
//! all kept documents are checked for.

use std::{collections::BTreeMap, sync::Arc};

use corpus::{Decision, Extent, LedgerRow, RECIPE, Rules, Shard, Source, SourceError, verify};
use primitives::{Digest, Stream};
use serde::{Deserialize, Serialize};

use super::{Task, params, value};
use crate::{Case, Certificate, Fault, Fetch, Inputs};

/// What is known of a shard that passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examined {
    /// The pass over the source that it belongs to.
    pub pass: u64,
    /// The recipe that made it.
    pub recipe: String,
    /// Fingerprint and tokens of each document, in the shard's order.
    pub documents: Vec<(Digest, u64)>,
    /// Kept records that were checked against the source.
    pub sampled_kept: u32,
    /// Dropped records that were checked against the source.
    pub sampled_dropped: u32,
    /// For another recipe than the pinned one: the mean share of the sampled texts that stands in their pages in order, in
    /// permille.
    pub aligned_permille: Option<u16>,
    /// What its texts are worth for training; none where the terms don't ask.
    pub value: Option<value::Evidence>,
}

/// What a shard is examined with.
struct Examination<'a> {
    case: &'a Case<Task>,
    inputs: &'a Inputs,
    shard: Shard,
    is_pinned: bool,
}

pub(super) fn needs(case: &Case<Task>) -> Vec<Fetch> {
    case.task.terms.exclusion.iter().map(|digest| Fetch::Supply { digest: *digest }).collect()
}

pub(super) fn parse(bytes: &[u8]) -> Result<Shard, Certificate> {
    Shard::decode(bytes, &params::SHARD_LIMITS)
        .map_err(|error| Certificate::new(0, None, "shard can be read", "a shard", &error.to_string()))
}

pub(super) fn examine(case: &Case<Task>, inputs: &Inputs) -> Result<Examined, Fault> {
    let shard = parse(&inputs.submission).map_err(Fault::Proven)?;
    let found = shard.root();
    if let Some(root) = case.root
        && root != found
    {
        let (root, found) = (root.to_string(), found.to_string());
        return Err(Fault::Proven(Certificate::new(0, None, "root is the committed one", &root, &found)));
    }
    let is_pinned = shard.header.recipe == RECIPE;
    let admitted = if case.task.terms.open { verify::Admitted::Any } else { verify::Admitted::Pinned };
    verify::offline(&shard, &case.task.extent, &case.hotkey, admitted).map_err(|fault| proven(0, &fault))?;
    Examination { case, inputs, shard, is_pinned }.run()
}

impl Examination<'_> {
    fn run(self) -> Result<Examined, Fault> {
        let exclusion = self.case.task.terms.exclusion.map(|digest| Fetch::Supply { digest });
        let exclusion = exclusion.and_then(|fetch| self.inputs.fetched.get(&fetch));
        let rules = self.case.task.terms.rules(exclusion.map(|bytes| bytes.as_slice()));
        let rules = rules.map_err(|reason| Fault::NoEvidence { reason })?;
        verify::excluded(&self.shard, &rules).map_err(|fault| proven(3, &fault))?;

        let experiment = self.case.task.terms.value.as_ref().filter(|_| !self.is_pinned);
        let (kept, dropped) = self.sample();
        if !self.inputs.is_last {
            return Err(Fault::Needs(self.wanted(kept.iter().chain(&dropped), experiment)));
        }
        let aligned_permille = self.against_source(&kept, &dropped, &rules)?;
        let value = match (&self.case.task.terms.value, experiment) {
            (None, _) => None,
            // Recomputed to the bit: its texts are the default recipe's.
            (Some(terms), None) => Some(value::Evidence::equal(&terms.terms)),
            (Some(_), Some(experiment)) => Some(self.value(experiment, &rules)?),
        };
        let count = |rows: &[u32]| u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Ok(Examined {
            pass: self.case.task.pass,
            recipe: self.shard.header.recipe.to_string(),
            documents: self.shard.documents.iter().map(|row| (row.fingerprint, row.tokens)).collect(),
            sampled_kept: count(&kept),
            sampled_dropped: count(&dropped),
            aligned_permille,
            value,
        })
    }

    /// Rows that are checked against the source. Kept ones are drawn flat. Dropped ones are drawn by the byte: whoever writes
    /// much off, in many rows or in one that hides them all, is found as surely as its share of the bytes says.
    fn sample(&self) -> (Vec<u32>, Vec<u32>) {
        let digest = self.case.task.extent.digest();
        let seed = self.case.audit_seed;
        let seed = seed.derive_from("dataset sample", &[&digest.0, self.case.hotkey.as_bytes()]);
        let rows = (0..).zip(&self.shard.ledger.rows);
        let (kept, dropped): (Vec<_>, Vec<_>) = rows.partition(|(_, row)| row.decision == Decision::Kept);
        let places = seed.stream("kept", 0).sample(kept.len(), params::SAMPLE_KEPT);
        let kept = places.into_iter().map(|place| kept[place].0).collect();
        (kept, by_bytes(&dropped, &mut seed.stream("dropped", 0)))
    }

    /// The bytes behind the sampled rows; all of the task's where an experiment needs the default recipe's texts.
    fn wanted<'a>(
        &self,
        rows: impl Iterator<Item = &'a u32>,
        experiment: Option<&value::Experiment>,
    ) -> Vec<Fetch> {
        let Some(experiment) = experiment else {
            return rows.filter_map(|row| Some(stored(self.shard.ledger.rows.get(*row as usize)?))).collect();
        };
        let mut wanted = experiment.supplies();
        match &self.case.task.extent {
            Extent::Files(slice) => {
                wanted.extend(slice.entries().iter().map(|entry| Fetch::File { path: entry.path.clone() }));
            }
            Extent::Archive(range) => wanted.push(Fetch::Range {
                path: range.path.clone(),
                first_byte: range.first_byte,
                length_bytes: range.length_bytes,
            }),
        }
        wanted
    }

    /// Step 1: every sampled row against its record's bytes. For another recipe than the pinned one the texts' alignment is
    /// judged over the sample, since single honest texts fall low.
    fn against_source(&self, kept: &[u32], dropped: &[u32], rules: &Rules) -> Result<Option<u16>, Fault> {
        let (shard, extent) = (&self.shard, &self.case.task.extent);
        let mut aligned: Vec<(u16, u32)> = Vec::new();
        for row in kept.iter().chain(dropped) {
            let bytes = self.bytes_of(*row)?;
            if self.is_pinned {
                verify::row(shard, extent, *row, &bytes, rules).map_err(row_fault)?;
            } else if let Some(found) = verify::aligned(shard, extent, *row, &bytes).map_err(row_fault)? {
                aligned.push((found.permille, *row));
            }
        }
        if self.is_pinned || aligned.is_empty() {
            return Ok(None);
        }
        aligned.sort_unstable();
        let sum: u64 = aligned.iter().map(|(permille, _)| u64::from(*permille)).sum();
        let mean = u16::try_from(sum / aligned.len() as u64).unwrap_or(u16::MAX);
        let strange = aligned.iter().filter(|(permille, _)| *permille < params::STRANGE_PERMILLE).count();
        let strange_max = (aligned.len() * params::STRANGE_ROWS_MAX_PERCENT).div_ceil(100);
        let worst = &self.shard.ledger.rows[aligned[0].1 as usize].place();
        let fail = |rule, expected: String, found: String| {
            Err(Fault::Proven(Certificate::new(1, Some(worst), rule, &expected, &found)))
        };
        if strange > strange_max {
            let expected = format!("at most {strange_max} of {} texts below {} permille", aligned.len(), params::STRANGE_PERMILLE);
            return fail("texts stand in their pages", expected, format!("{strange}, this one at {}", aligned[0].0));
        }
        if mean < params::ALIGNED_MEAN_MIN_PERMILLE {
            let expected = format!("a mean of at least {} permille", params::ALIGNED_MEAN_MIN_PERMILLE);
            return fail("texts stand in their pages in order", expected, format!("{mean}, this one at {}", aligned[0].0));
        }
        Ok(Some(mean))
    }

    /// The stored bytes of a row's record, fetched alone or as part of the whole task.
    fn bytes_of(&self, row: u32) -> Result<Arc<Vec<u8>>, Fault> {
        let lacking = |place: String| Fault::NoEvidence { reason: format!("{place} could not be read") };
        let row = self.shard.ledger.rows.get(row as usize).ok_or_else(|| lacking(format!("row {row}")))?;
        if let Some(bytes) = self.inputs.fetched.get(&stored(row)) {
            return Ok(Arc::clone(bytes));
        }
        let bytes = Fetched(self.inputs).read_range(&row.path, row.offset_bytes, row.length_bytes);
        bytes.map(Arc::new).map_err(|_| lacking(row.place()))
    }

    /// Step 5: trains on the shard's texts and on the default recipe's.
    fn value(&self, experiment: &value::Experiment, rules: &Rules) -> Result<value::Evidence, Fault> {
        let lacking = |reason: String| Fault::NoEvidence { reason };
        let fetched = Fetched(self.inputs);
        let reference = Shard::build(&self.case.task.extent, &fetched, self.case.hotkey, rules);
        let reference = reference.map_err(|error| lacking(error.to_string()))?;
        let seed = self.case.audit_seed;
        let seed = seed.derive_from("dataset value", &[&self.case.task.extent.digest().0, self.case.hotkey.as_bytes()]);
        experiment
            .weigh(&self.shard, &reference, &fetched, &seed, self.inputs.threads)
            .map_err(|error| lacking(error.to_string()))
    }
}

/// Draws rows by the byte, each at most once, [`params::SAMPLE_DROPPED`] draws in all.
fn by_bytes(rows: &[(u32, &LedgerRow)], draws: &mut Stream) -> Vec<u32> {
    let mut ends: Vec<u64> = Vec::with_capacity(rows.len());
    let mut total = 0_u64;
    for (_, row) in rows {
        // An empty file is as much of a decision as a byte.
        total = total.saturating_add(row.length_bytes.max(1));
        ends.push(total);
    }
    if rows.len() <= params::SAMPLE_DROPPED {
        return rows.iter().map(|(row, _)| *row).collect();
    }
    let drawn = (0..params::SAMPLE_DROPPED).map(|_| {
        let byte = draws.below(total);
        rows[ends.partition_point(|end| *end <= byte)].0
    });
    let drawn: std::collections::BTreeSet<u32> = drawn.collect();
    drawn.into_iter().collect()
}

/// The bytes that a row is about.
fn stored(row: &LedgerRow) -> Fetch {
    if row.kind == corpus::RecordKind::File {
        return Fetch::File { path: row.path.clone() };
    }
    Fetch::Range { path: row.path.clone(), first_byte: row.offset_bytes, length_bytes: row.length_bytes }
}

/// What was fetched, as a source.
struct Fetched<'a>(&'a Inputs);

impl Fetched<'_> {
    fn get(&self, fetch: &Fetch, path: &str) -> Result<&Arc<Vec<u8>>, SourceError> {
        self.0.fetched.get(fetch).ok_or_else(|| SourceError::Unknown { path: path.to_owned() })
    }
}

impl Source for Fetched<'_> {
    fn extents(&self, _cut: corpus::Cut) -> Result<Vec<Extent>, SourceError> {
        Ok(Vec::new())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.get(&Fetch::File { path: path.to_owned() }, path)?.to_vec())
    }

    fn read_range(&self, path: &str, first_byte: u64, length_bytes: u64) -> Result<Vec<u8>, SourceError> {
        let unknown = || SourceError::Unknown { path: path.to_owned() };
        let end = first_byte.checked_add(length_bytes).ok_or_else(unknown)?;
        for (fetch, bytes) in &self.0.fetched {
            let Fetch::Range { path: of, first_byte: from, length_bytes: length } = fetch else { continue };
            if of != path || first_byte < *from || end > from.saturating_add(*length) {
                continue;
            }
            let at = |byte: u64| usize::try_from(byte - from).ok();
            let part = at(first_byte).zip(at(end)).and_then(|(first, end)| bytes.get(first..end));
            return Ok(part.ok_or_else(unknown)?.to_vec());
        }
        Err(unknown())
    }

    fn supply(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        Ok(self.get(&Fetch::Supply { digest: *digest }, &digest.to_string())?.to_vec())
    }
}

fn row_fault(error: verify::RowError) -> Fault {
    match error {
        verify::RowError::Fault(fault) => proven(1, &fault),
        other => Fault::NoEvidence { reason: other.to_string() },
    }
}

fn proven(step: u8, fault: &verify::Fault) -> Fault {
    let record = fault.record.as_deref();
    Fault::Proven(Certificate::new(step, record, fault.rule.text(), fault.expected.as_str(), fault.found.as_str()))
}
