//! Steps 0, 1, 3 and 5 of the ladder: is the shard what was committed, does its ledger tile the task, do sampled records
//! come out as it says, is it free of what is excluded, what is it worth.
//!
//! Step 3 needs no step of its own: the recipe drops excluded documents, so that a kept one is a wrong decision, which
//! all kept documents are checked for.

use std::sync::Arc;

use corpus::{Extent, LedgerRow, RECIPE, Recipes, Rules, Shard, Source, SourceError, verify};
use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::{
    Task, params,
    sample::{Aligned, Sample},
    value,
};
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
    case.task.terms.supplies().map(|digest| Fetch::Supply { digest }).collect()
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
    let recipes = if case.task.terms.open { Recipes::Open } else { Recipes::Pinned };
    let (extent, hotkey) = (&case.task.extent, &case.hotkey);
    // What needs no rules is proven also where these are not at hand.
    verify::header(&shard, extent, hotkey, recipes).map_err(|fault| proven(0, &fault))?;
    verify::tiling(&shard, extent).map_err(|fault| proven(0, &fault))?;
    Examination { case, inputs, shard, is_pinned }.run()
}

impl Examination<'_> {
    fn run(self) -> Result<Examined, Fault> {
        let rules = self.case.task.terms.rules(&Fetched(self.inputs));
        let rules = rules.map_err(|reason| Fault::NoEvidence { reason })?;
        verify::claims(&self.shard, &rules).map_err(|fault| proven(0, &fault))?;
        self.holds_nothing_excluded(&rules)?;

        let experiment = self.case.task.terms.value.as_ref().filter(|_| !self.is_pinned);
        let sample = self.sample();
        if !self.inputs.is_last {
            return Err(Fault::Needs(self.wanted(&sample, experiment)));
        }
        let aligned_permille = self.against_source(&sample, &rules)?;
        let value = match (&self.case.task.terms.value, experiment) {
            (None, _) => None,
            // Recomputed to the bit: its texts are the default recipe's.
            (Some(terms), None) => Some(value::Evidence::equal(&terms.terms)),
            (Some(_), Some(experiment)) => Some(self.value(experiment, &rules)?),
        };
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        Ok(Examined {
            pass: self.case.task.pass,
            recipe: self.shard.header.recipe.to_string(),
            documents: self.shard.documents.iter().map(|row| (row.fingerprint, row.tokens)).collect(),
            sampled_kept: count(sample.kept.len()),
            sampled_dropped: count(sample.dropped.len()),
            aligned_permille,
            value,
        })
    }

    /// Step 3: no kept text shares a 13-gram with what is excluded.
    fn holds_nothing_excluded(&self, rules: &Rules) -> Result<(), Fault> {
        for document in &self.shard.documents {
            if let Some(hit) = rules.exclusion.hits(&document.text) {
                let row = self.shard.ledger.rows.get(document.record as usize);
                let record = row.map(|row| row.name().to_string());
                let found = format!("{:?} from word {}", hit.gram, hit.word);
                let expected = "no 13 words of a benchmark";
                let rule = "documents hold nothing that is excluded";
                return Err(Fault::Proven(Certificate::new(3, record.as_deref(), rule, expected, &found)));
            }
        }
        Ok(())
    }

    /// What the audit seed draws for this miner and task.
    fn sample(&self) -> Sample {
        let digest = self.case.task.extent.digest();
        let seed = self.case.audit_seed;
        Sample::draw(
            &self.shard,
            &seed.derive_from("dataset sample", &[&digest.0, self.case.hotkey.as_bytes()]),
        )
    }

    /// The bytes behind the sampled rows; all of the task's where an experiment needs the default recipe's texts.
    fn wanted(&self, sample: &Sample, experiment: Option<&value::Experiment>) -> Vec<Fetch> {
        let Some(experiment) = experiment else {
            let rows = sample.kept.iter().map(|(row, _)| row).chain(&sample.dropped);
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
    fn against_source(&self, sample: &Sample, rules: &Rules) -> Result<Option<u16>, Fault> {
        let (shard, extent) = (&self.shard, &self.case.task.extent);
        let mut texts: Vec<(u16, u64)> = Vec::new();
        let mut worst: Option<(u16, u32)> = None;
        for (row, weight) in sample.kept.iter().copied().chain(sample.dropped.iter().map(|row| (*row, 0))) {
            let bytes = self.bytes_of(row)?;
            if self.is_pinned {
                verify::row(shard, extent, row, &bytes, rules).map_err(row_fault)?;
                continue;
            }
            let found = verify::aligned(shard, extent, row, &bytes, rules).map_err(row_fault)?.permille();
            if weight > 0 {
                texts.push((found, weight));
                worst = Some(worst.map_or((found, row), |least| least.min((found, row))));
            }
        }
        let Some((aligned, (least, worst))) = Aligned::of(&texts).zip(worst) else { return Ok(None) };
        if aligned.holds() {
            return Ok(Some(aligned.mean_permille));
        }
        let expected = format!("at least {} permille over {} texts", aligned.least_permille, texts.len());
        let found = format!("{}, this one at {least}", aligned.mean_permille);
        let name = shard.ledger.rows[worst as usize].name().to_string();
        let rule = "texts stand in their pages in order";
        Err(Fault::Proven(Certificate::new(1, Some(&name), rule, &expected, &found)))
    }

    /// The stored bytes of a row's record, fetched alone or as part of the whole task.
    fn bytes_of(&self, row: u32) -> Result<Arc<Vec<u8>>, Fault> {
        let lacking = |place: String| Fault::NoEvidence { reason: format!("{place} could not be read") };
        let row = self.shard.ledger.rows.get(row as usize).ok_or_else(|| lacking(format!("row {row}")))?;
        if let Some(bytes) = self.inputs.fetched.get(&stored(row)) {
            return Ok(Arc::clone(bytes));
        }
        let bytes = Fetched(self.inputs).read_range(&row.path, row.offset_bytes, row.length_bytes);
        bytes.map(Arc::new).map_err(|_| lacking(row.name().to_string()))
    }

    /// Step 5: trains on the shard's texts and on the default recipe's.
    fn value(&self, experiment: &value::Experiment, rules: &Rules) -> Result<value::Evidence, Fault> {
        let lacking = |reason: String| Fault::NoEvidence { reason };
        let fetched = Fetched(self.inputs);
        let reference = Shard::build(&self.case.task.extent, &fetched, self.case.hotkey, rules);
        let reference = reference.map_err(|error| lacking(error.to_string()))?;
        let seed = self.case.audit_seed;
        let seed = seed
            .derive_from("dataset value", &[&self.case.task.extent.digest().0, self.case.hotkey.as_bytes()]);
        experiment
            .weigh(&self.shard, &reference, &fetched, &seed, self.inputs.threads)
            .map_err(|error| lacking(error.to_string()))
    }
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
    let rule = match fault.rule {
        verify::Rule::Recipe => "shard is made by a recipe that the task takes",
        verify::Rule::Task => "shard belongs to its task",
        verify::Rule::Miner => "shard belongs to its miner",
        verify::Rule::RowMissing => "ledger has a row for every record",
        verify::Rule::RowExtra => "ledger has no row beyond the records",
        verify::Rule::RowMoved => "ledger keeps the records' order",
        verify::Rule::RowChanged => "ledger states each record's place, length, kind and digest",
        verify::Rule::RowSpan => "a row is exactly one record",
        verify::Rule::Documents => "there is a document for each kept record",
        verify::Rule::DuplicateOf => "a duplicate names an earlier kept record",
        verify::Rule::Decision => "decision is the recipe's",
        verify::Rule::Text => "text is the recipe's",
        verify::Rule::Provenance => "address, name and date are the record's",
        verify::Rule::Language => "language is the text's",
        verify::Rule::Tokens => "tokens are counted",
        verify::Rule::Fingerprint => "fingerprint is the text's",
        verify::Rule::Metadata => "title, day of publication and opt-out are the page's",
        verify::Rule::Signals => "quality signals are the text's",
        verify::Rule::Bands => "MinHash bands are the text's",
    };
    let record = fault.record.as_ref().map(verify::Quote::as_str);
    Fault::Proven(Certificate::new(step, record, rule, fault.expected.as_str(), fault.found.as_str()))
}
