//! Step 2 of the ladder and the payout's base: who brought which document first, how much that is, and what it is worth.

use std::collections::BTreeMap;

use primitives::{Digest, Hotkey, Unit};

use super::{
    Examined,
    value::{Evidence, Verdict},
};
use crate::{Certificate, Committed, ExaminedCase, Index, Judgement, Outcome};

/// Domain of the keys under which the index knows content.
const CONTENT_DOMAIN: &str = "weighhouse dataset content v1";

/// What a miner's cases of the round add up to.
#[derive(Default)]
struct Tally {
    verified_tokens: u64,
    /// Verified tokens times what each is worth.
    worth: f64,
    delivered_tokens: u64,
    shards: u64,
    missing_shards: u64,
    first_by: Option<Hotkey>,
    proof: Option<Certificate>,
    our_fault: bool,
    committed: bool,
    values: Vec<Evidence>,
}

pub(super) fn judge(cases: &[ExaminedCase<Examined>], index: &Index) -> crate::Verdict {
    let mut tallies: BTreeMap<Hotkey, Tally> = BTreeMap::new();
    for case in cases {
        let tally = tallies.entry(case.hotkey).or_default();
        tally.committed |= case.committed.is_some();
        match &case.outcome {
            Outcome::Ok => tally.shards += 1,
            Outcome::Invalid(proof) => _ = tally.proof.get_or_insert_with(|| proof.clone()),
            Outcome::TooBig => {
                let proof = Certificate::new(0, None, "submission is within its limits", "less", "too big");
                tally.proof.get_or_insert(proof);
            }
            Outcome::ValidatorFault => tally.our_fault = true,
            Outcome::NoResponse | Outcome::Refused => tally.missing_shards += 1,
        }
    }

    // What a miner with a proven fault delivered counts for nobody, so that its place as the first is not kept
    // from an honest one; what nobody committed to has no place in the order.
    let mut delivered: Vec<&ExaminedCase<Examined>> = cases
        .iter()
        .filter(|case| tallies[&case.hotkey].proof.is_none() && case.committed.is_some())
        .collect();
    delivered.sort_by_key(|case| (precedence(case.committed.as_ref()), case.hotkey));

    let mut learned: BTreeMap<Digest, Hotkey> = BTreeMap::new();
    for case in delivered {
        let Some(examined) = &case.examined else { continue };
        let tally = tallies.entry(case.hotkey).or_default();
        let mut new_tokens = 0;
        for (fingerprint, tokens) in &examined.documents {
            tally.delivered_tokens += tokens;
            let content = Digest::of_parts(CONTENT_DOMAIN, &[&examined.pass.to_le_bytes(), &fingerprint.0]);
            match index.first.get(&content).or_else(|| learned.get(&content)) {
                Some(first) => _ = tally.first_by.get_or_insert(*first),
                None => {
                    learned.insert(content, case.hotkey);
                    new_tokens += tokens;
                }
            }
        }
        tally.verified_tokens += new_tokens;
        tally.worth += as_number(new_tokens) * examined.value.as_ref().map_or(1.0, |value| value.factor);
        tally.values.extend(examined.value.clone());
    }

    // In the order of hotkeys: the same sum everywhere.
    let round_worth = tallies.values().fold(0.0, |sum, tally| sum + tally.worth);
    crate::Verdict {
        judgements: tallies.into_iter().map(|(hotkey, tally)| tally.judgement(hotkey, round_worth)).collect(),
        learned: learned.into_iter().collect(),
    }
}

/// Earlier blocks first; within one block the order of roots, which nobody can choose without doing the work.
fn precedence(committed: Option<&Committed>) -> (u64, Digest) {
    committed.map_or((u64::MAX, Digest::default()), |committed| (committed.block, committed.root))
}

impl Tally {
    fn judgement(self, hotkey: Hotkey, round_worth: f64) -> Judgement {
        let score = match (&self.proof, self.our_fault) {
            (Some(_), _) => Some(Unit::ZERO),
            (None, true) => None,
            (None, false) if round_worth > 0.0 => Some(Unit::clamped(self.worth / round_worth)),
            (None, false) => Some(Unit::ZERO),
        };
        let parts = [
            ("verified_tokens", as_number(self.verified_tokens)),
            ("worth_tokens", self.worth),
            ("round_worth_tokens", round_worth),
            ("delivered_tokens", as_number(self.delivered_tokens)),
            ("verified_shards", as_number(self.shards)),
            ("missing_shards", as_number(self.missing_shards)),
        ];
        Judgement {
            hotkey,
            score,
            parts: parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            reason: self.reason(),
            certificate: self.proof,
        }
    }

    fn reason(&self) -> String {
        if let Some(proof) = &self.proof {
            return proof.to_string();
        }
        if self.our_fault {
            return "not judged: the validator lacked evidence".to_owned();
        }
        if !self.committed {
            return "nothing committed".to_owned();
        }
        if self.shards == 0 {
            return "committed, but showed nothing".to_owned();
        }
        match self.first_by {
            Some(first) if self.verified_tokens == 0 => {
                format!("nothing new: all {} tokens were committed first by {first}", self.delivered_tokens)
            }
            _ => {
                let shards = if self.shards == 1 { "shard" } else { "shards" };
                let facts =
                    format!("{} verified unique tokens in {} {shards}", self.verified_tokens, self.shards);
                self.values.iter().fold(facts, |text, value| text + &in_words(value))
            }
        }
    }
}

/// What a shard's experiment said, for the miner whose it is; nothing where there was none to make.
fn in_words(value: &Evidence) -> String {
    let Evidence { factor, documents, low_bits_per_byte, high_bits_per_byte, .. } = value;
    let range =
        format!("{low_bits_per_byte:+.4} to {high_bits_per_byte:+.4} bits per byte on {documents} documents");
    match value.verdict {
        Verdict::Equal => String::new(),
        Verdict::Gain => format!("; trains better: {range}, factor {factor:.3}"),
        Verdict::NotInferior => format!("; trains as well: {range}, factor 1"),
        Verdict::Inferior => format!("; trains worse: {range}, factor {factor:.3}"),
        Verdict::Undecided => format!("; worth undecided, paid as not inferior: {range}, factor 1"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "tokens of a round stay below 2^53")]
fn as_number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use primitives::{DurationMs, Timestamp, Uid};

    use super::*;

    fn case(miner: u8, block: u64, outcome: Outcome, documents: &[(u8, u64)]) -> ExaminedCase<Examined> {
        let print = |at: u8| Digest([at; 32]);
        let documents: Vec<_> = documents.iter().map(|(at, tokens)| (print(*at), *tokens)).collect();
        let examined = (outcome == Outcome::Ok).then_some(Examined {
            pass: 0,
            recipe: "weigh-text/3".to_owned(),
            documents,
            sampled_kept: 1,
            sampled_dropped: 0,
            aligned_permille: None,
            value: None,
        });
        ExaminedCase {
            hotkey: Hotkey::from_bytes([miner; 32]),
            uid: Uid(u16::from(miner)),
            outcome,
            latency: DurationMs(0),
            received_at: Timestamp(0),
            committed: Some(Committed { root: Digest([miner; 32]), block }),
            examined,
        }
    }

    fn scores(verdict: &crate::Verdict) -> Vec<(u8, Option<f64>)> {
        let line = |judgement: &Judgement| (judgement.hotkey.as_bytes()[0], judgement.score.map(Unit::get));
        verdict.judgements.iter().map(line).collect()
    }

    #[test]
    fn a_document_counts_for_the_earlier_commitment() {
        let cases = [case(1, 20, Outcome::Ok, &[(1, 30), (2, 10)]), case(2, 10, Outcome::Ok, &[(1, 30)])];
        let verdict = judge(&cases, &Index::default());
        assert_eq!(scores(&verdict), vec![(1, Some(0.25)), (2, Some(0.75))]);
        assert_eq!(verdict.learned.len(), 2);
        let index = Index { first: verdict.learned.into_iter().collect() };
        assert_eq!(scores(&judge(&cases, &index)), vec![(1, Some(0.0)), (2, Some(0.0))]);
    }

    #[test]
    fn a_fault_earns_nothing_and_takes_nothing_from_others() {
        let proof = Certificate::new(1, None, "text is the recipe's", "a", "b");
        let cases = [
            case(1, 10, Outcome::Ok, &[(1, 30)]),
            case(1, 10, Outcome::Invalid(proof), &[]),
            case(2, 20, Outcome::Ok, &[(1, 30)]),
        ];
        let verdict = judge(&cases, &Index::default());
        assert_eq!(scores(&verdict), vec![(1, Some(0.0)), (2, Some(1.0))]);
        assert!(verdict.judgements[0].certificate.is_some());
    }

    #[test]
    fn what_the_validator_lacks_is_not_held_against_the_miner() {
        let cases = [case(1, 10, Outcome::ValidatorFault, &[]), case(2, 10, Outcome::NoResponse, &[])];
        assert_eq!(scores(&judge(&cases, &Index::default())), vec![(1, None), (2, Some(0.0))]);
    }
}
