//! Steps 0 and 1 of the ladder: is the shard what was committed, does its ledger tile the task, do sampled
//! entries come out bit for bit when they are extracted again.

use corpus::{shard::Shard, verify};
use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::{Task, params};
use crate::{Case, Certificate, Fault, Fetch, Inputs};

/// What is known of a shard that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The pass over the source that it belongs to.
    pub pass: u64,
    /// Fingerprint and tokens of each document, in the shard's order.
    pub documents: Vec<(Digest, u64)>,
    /// How many entries were extracted again.
    pub sampled: u32,
}

/// The entries that are extracted again: drawn flat over the task, kept and dropped alike.
fn sample(case: &Case<Task>) -> Vec<u32> {
    let slice = &case.task.slice;
    let digest = slice.digest();
    let seed = case.audit_seed.derive_from("dataset sample", &[&digest.0, case.hotkey.as_bytes()]);
    let drawn = seed.stream("entries", 0).sample(slice.entries().len(), params::SAMPLE_ENTRIES);
    let first = slice.span().first;
    drawn.into_iter().filter_map(|at| u32::try_from(at).ok()).map(|at| first + at).collect()
}

pub(super) fn needs(case: &Case<Task>) -> Vec<Fetch> {
    let entries = sample(case).into_iter().filter_map(|index| case.task.slice.entry(index));
    entries.map(|entry| Fetch::Source { path: entry.path.clone() }).collect()
}

pub(super) fn parse(bytes: &[u8]) -> Result<Shard, Certificate> {
    Shard::decode(bytes, &params::SHARD_LIMITS)
        .map_err(|error| Certificate::new(0, None, "shard can be read", "a shard", &error.to_string()))
}

pub(super) fn examine(case: &Case<Task>, inputs: &Inputs) -> Result<Examined, Fault> {
    let shard = parse(&inputs.submission).map_err(Fault::Proven)?;
    let slice = &case.task.slice;
    let found = shard.root();
    if let Some(root) = case.root
        && root != found
    {
        let (root, found) = (root.to_string(), found.to_string());
        return Err(Fault::Proven(Certificate::new(0, None, "root is the committed one", &root, &found)));
    }
    verify::offline(&shard, slice, &case.hotkey).map_err(|fault| certify(case, 0, &fault))?;
    let sampled = sample(case);
    for index in &sampled {
        let Some(entry) = slice.entry(*index) else { continue };
        let Some(bytes) = inputs.fetched.get(&Fetch::Source { path: entry.path.clone() }) else {
            return Err(Fault::NoEvidence { reason: format!("{} could not be read", entry.path) });
        };
        verify::row(&shard, slice, *index, bytes).map_err(|error| match error {
            verify::RowError::Fault(fault) => certify(case, 1, &fault),
            other => Fault::NoEvidence { reason: other.to_string() },
        })?;
    }
    Ok(Examined {
        pass: case.task.pass,
        documents: shard.documents.iter().map(|row| (row.fingerprint, row.tokens)).collect(),
        sampled: u32::try_from(sampled.len()).unwrap_or(u32::MAX),
    })
}

fn certify(case: &Case<Task>, step: u8, fault: &verify::Fault) -> Fault {
    let entry = fault.record.and_then(|index| case.task.slice.entry(index));
    let rule = match fault.rule {
        verify::Rule::Recipe => "shard is made by the pinned recipe",
        verify::Rule::Task => "shard belongs to its task",
        verify::Rule::Miner => "shard belongs to its miner",
        verify::Rule::RowMissing => "ledger has a row for every entry",
        verify::Rule::RowExtra => "ledger has no row beyond the entries",
        verify::Rule::RowMoved => "ledger keeps the entries' order",
        verify::Rule::RowChanged => "ledger states each entry's length and digest",
        verify::Rule::Documents => "there is a document for each kept entry",
        verify::Rule::DuplicateOf => "a duplicate names an earlier kept entry",
        verify::Rule::Decision => "decision is the recipe's",
        verify::Rule::Text => "text is the recipe's",
        verify::Rule::Tokens => "tokens are counted",
        verify::Rule::Fingerprint => "fingerprint is the text's",
    };
    let record = entry.map(|entry| entry.path.as_str());
    Fault::Proven(Certificate::new(step, record, rule, fault.expected.as_str(), fault.found.as_str()))
}
