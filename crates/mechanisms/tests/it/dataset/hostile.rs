//! Shards that are not what they should be: each has its rule, none brings the validator down or earns more.

use std::sync::Arc;

use corpus::{Decision, Memory, Reason, Rules, Shard, minhash::BANDS};
use mechanisms::{
    ErasedTask, Round,
    dataset::{Dataset, miner::HONEST},
};
use primitives::{Digest, Seed};
use proptest::prelude::*;

use super::{job, library, made, planned, round_over, shard_of, shown};
use crate::arena::{Answer, Validator, count, key, of, round, score};

/// One miner's honest answer to the first task of a small source.
struct Scene {
    source: Memory,
    round: Round,
    tasks: Vec<ErasedTask>,
    honest: Answer,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let source = library(seed, 12);
        let round = round_over(&source, 0, seed, &[1, 2]);
        let tasks = planned(&round);
        let honest = made(&HONEST[0], &source, &round, &tasks, (1, 0, 20)).expect("honest");
        Self { source, round, tasks, honest }
    }

    fn bytes(&self) -> &[u8] {
        self.honest.bytes.as_ref().expect("shown")
    }

    fn shard(&self) -> Shard {
        shard_of(self.bytes())
    }

    /// Verified tokens, and the step and rule of the fault where there is one.
    fn judged(&self, answer: Answer) -> (u64, Option<(u8, String)>) {
        let miner = answer.miner;
        let verdict = Validator::reading(&Dataset, &self.source).play(&self.round, &[answer], None);
        let judgement = of(&verdict, miner);
        let fault = judgement.certificate.as_ref().map(|proof| (proof.step, proof.rule.clone()));
        assert!(fault.is_none() || score(&verdict, miner) == Some(0.0));
        assert!(count(judgement, "verified_tokens") == 0 || fault.is_none());
        (count(judgement, "verified_tokens"), fault)
    }
}

#[test]
fn each_way_of_not_being_the_committed_shard_has_its_rule() {
    let scene = Scene::new(21);
    let check = |answer: Answer, step: u8, rule: &str| {
        assert_eq!(scene.judged(answer), (0, Some((step, rule.to_owned()))));
    };
    let honest = &scene.honest;
    assert!(scene.judged(honest.clone()).1.is_none());
    check(honest.clone().committed(20, Digest::of(b"other")), 0, "root is the committed one");
    let other_task = made(&HONEST[0], &scene.source, &scene.round, &scene.tasks, (1, 1, 20)).unwrap();
    check(Answer { task: 0, ..other_task }, 0, "shard belongs to its task");
    check(Answer { miner: 2, ..honest.clone() }, 0, "shard belongs to its miner");
    let bytes = scene.bytes();
    for cut in [0, 1, 7, 16, 48, bytes.len() / 2, bytes.len() - 1] {
        check(Answer { bytes: Some(bytes[..cut].to_vec()), ..honest.clone() }, 0, "shard can be read");
    }
    let longer = [bytes, b"x"].concat();
    check(Answer { bytes: Some(longer), ..honest.clone() }, 0, "shard can be read");
}

#[test]
fn each_false_claim_in_a_well_formed_shard_has_its_rule() {
    let scene = Scene::new(21);
    let check = |change: &dyn Fn(&mut Shard), step: u8, rule: &str| {
        let mut shard = scene.shard();
        change(&mut shard);
        let found = scene.judged(shown(0, 1, 20, shard.encode()));
        assert_eq!(found, (0, Some((step, rule.to_owned()))));
    };
    let padded = |shard: &mut Shard| {
        let row = &mut shard.documents[0];
        let text = format!("{} and the rest of it", row.text);
        *row = row.clone().with_text(text, &Rules::default());
    };
    check(&|shard| shard.header.recipe.version += 1, 0, "shard is made by a recipe that the task takes");
    check(&|shard| _ = shard.ledger.rows.pop(), 0, "ledger has a row for every record");
    check(
        &|shard| shard.ledger.rows.push(shard.ledger.rows[0].clone()),
        0,
        "ledger has no row beyond the records",
    );
    check(&|shard| shard.ledger.rows.swap(0, 1), 0, "ledger keeps the records' order");
    check(
        &|shard| shard.ledger.rows[1].length_bytes += 1,
        0,
        "ledger states each record's place, length, kind and digest",
    );
    check(&|shard| _ = shard.documents.pop(), 0, "there is a document for each kept record");
    check(
        &|shard| shard.documents.push(shard.documents[0].clone()),
        0,
        "there is a document for each kept record",
    );
    check(&|shard| shard.documents[0].tokens = u64::MAX, 0, "tokens are counted");
    check(&|shard| shard.documents[0].fingerprint = Digest::of(b"x"), 0, "fingerprint is the text's");
    let twice = |shard: &mut Shard| {
        let (first, second) = (shard.documents[0].clone(), &mut shard.documents[1]);
        *second = corpus::DocumentRow { record: second.record, ..first };
    };
    check(&twice, 0, "decision is the recipe's");
    let duplicate = |shard: &mut Shard| {
        shard.ledger.rows[0].decision = Decision::Dropped(Reason::DuplicateOf { row: 5 });
        shard.documents.remove(0);
    };
    check(&duplicate, 0, "a duplicate names an earlier kept record");
    check(&padded, 1, "text is the recipe's");
    check(&|shard| shard.documents[0].bands = Some([1; BANDS]), 0, "MinHash bands are the text's");
    let said = "title, day of publication and opt-out are the page's";
    check(&|shard| shard.documents[0].title.push('!'), 1, said);
    check(&|shard| shard.documents[0].opt_out.no_training ^= true, 1, said);
    check(&|shard| shard.documents[0].signals.words += 1, 1, "quality signals are the text's");
    let dropped = |shard: &mut Shard| {
        shard.ledger.rows[0].decision = Decision::Dropped(Reason::Empty);
        shard.documents.remove(0);
    };
    check(&dropped, 1, "decision is the recipe's");
}

/// One row in 64 is false, all are as long, and 32 are drawn with replacement: found with a probability of 1 − (63/64)^32 = 0.396.
#[test]
fn one_false_row_is_found_as_often_as_the_sample_says() {
    let files = (0..64).map(|at| (format!("{at:03}.txt"), format!("stub number {at:03}").into_bytes()));
    let source = Memory::new(files).unwrap();
    let draws = 150;
    let mut found = 0;
    for seed in 0..draws {
        let mut round = round(0, seed, &[1]);
        round.jobs = vec![Arc::new(job(&source, 64, 1))];
        let tasks = planned(&round);
        let honest = made(&HONEST[0], &source, &round, &tasks, (1, 0, 20)).unwrap();
        let mut shard = shard_of(honest.bytes.as_ref().unwrap());
        let at = Seed::from_number(seed).stream("false row", 0).index(64);
        shard.ledger.rows[at].decision = Decision::Dropped(Reason::Empty);
        let verdict =
            Validator::reading(&Dataset, &source).play(&round, &[shown(0, 1, 20, shard.encode())], None);
        if let Some(proof) = &of(&verdict, 1).certificate {
            assert_eq!(proof.record.as_deref(), Some(format!("{at:03}.txt").as_str()));
            found += 1;
        }
    }
    // Standard deviation of the rate: √(0.396 · 0.604 / 150) = 0.040; four of them.
    let rate = f64::from(found) / 150.0;
    assert!((rate - 0.396).abs() < 0.16, "{found} of {draws}");
}

/// The checksum behind changed bytes made right again, as a forger would.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(body) = bytes.len().checked_sub(32) {
        let checksum = Digest::of(&bytes[..body]);
        bytes[body..].copy_from_slice(&checksum.0);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn mutated_bytes_never_panic_and_never_earn_more(seed in 0u64..4, edits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6), cut: Option<u16>, reseal: bool) {
        let scene = Scene::new(seed);
        let (honest, _) = scene.judged(scene.honest.clone());
        let mut bytes = scene.bytes().to_vec();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(usize::from(cut) % bytes.len());
        }
        let bytes = if reseal { resealed(bytes) } else { bytes };
        let (earned, fault) = scene.judged(Answer { bytes: Some(bytes), ..scene.honest.clone() });
        prop_assert!(earned <= honest, "{earned} for {honest}");
        prop_assert!(fault.is_some() || earned == honest);
    }

    #[test]
    fn mutated_shards_under_their_own_root_never_earn_more(seed in 0u64..4, edits in proptest::collection::vec((0u8..9, any::<usize>(), any::<usize>()), 1..4)) {
        let scene = Scene::new(seed);
        let (honest, _) = scene.judged(scene.honest.clone());
        let mut shard = scene.shard();
        for (kind, a, b) in edits {
            mutate(&mut shard, kind, a, b);
        }
        let same = shard == scene.shard();
        let (earned, fault) = scene.judged(shown(0, 1, 20, shard.encode()));
        prop_assert_eq!(fault.is_none(), same, "{:?}", fault);
        prop_assert_eq!(earned, if same { honest } else { 0 });
    }
}

fn mutate(shard: &mut Shard, kind: u8, a: usize, b: usize) {
    let (rows, documents) = (shard.ledger.rows.len(), shard.documents.len());
    if rows == 0 || documents == 0 {
        return;
    }
    let (row, document) = (a % rows, a % documents);
    match kind {
        0 => _ = shard.ledger.rows.remove(row),
        1 => shard.ledger.rows.swap(row, b % rows),
        2 => shard.ledger.rows[row].decision = Decision::Kept,
        3 => {
            let earlier = u32::try_from(b % 8).expect("small");
            shard.ledger.rows[row].decision = Decision::Dropped(Reason::DuplicateOf { row: earlier });
        }
        4 => _ = shard.documents.remove(document),
        5 => shard.documents.swap(document, b % documents),
        6 => {
            let row = &mut shard.documents[document];
            let text = format!("{} the", row.text);
            *row = row.clone().with_text(text, &Rules::default());
        }
        7 => shard.documents[document].tokens = shard.documents[document].tokens.wrapping_add(b as u64),
        _ => shard.header.miner = key(u8::try_from(b % 3).expect("small")),
    }
}
