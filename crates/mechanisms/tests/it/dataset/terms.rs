//! What a task's terms name is held to by miner and validator alike, for the pinned recipe and for others.

use std::sync::Arc;

use corpus::{Cut, Exclusion, Filters, MemoryArchive, Pii, Shard, Source, Supplied};
use mechanisms::{
    ErasedTask, Round, Strategy, Work,
    dataset::{
        Dataset, Job, Terms,
        miner::{HONEST, OWN_RECIPES},
    },
};
use primitives::{Digest, Seed};

use super::{made, planned, shard_of, shown};
use crate::arena::{Answer, Validator, of, round};

const BLOCKLIST: &[u8] = b"bad.example\n";
const SECRET: &str = "nobody may train on this sentence since it is a question of the final exam";

fn prose(seed: u64) -> String {
    let words =
        ["the", "scale", "and", "weight", "of", "that", "merchant", "have", "been", "in", "towns", "houses"];
    let mut stream = Seed::from_number(seed).stream("prose", 0);
    let sentence = |stream: &mut primitives::Stream| {
        let words: Vec<&str> = (0..40).map(|_| words[stream.index(words.len())]).collect();
        format!("<p>{}.</p>", words.join(" "))
    };
    (0..6).map(|_| sentence(&mut stream)).collect()
}

/// Pages of which each but the first breaks one of the terms.
fn archive() -> MemoryArchive {
    let page = |head: &str, body: &str| {
        format!(
            "<html><head><title>Weights</title>{head}</head><body><article><h1>Weights</h1>{body}</article></body></html>"
        )
    };
    let plain = prose(1);
    let pages = [
        ("https://good.example/", page("", &plain)),
        ("https://www.bad.example/", page("", &prose(2))),
        ("https://good.example/reserved", page("<meta name=robots content=noai>", &prose(3))),
        (
            "https://good.example/mail",
            page("", &format!("{}<p>Write to me@site.org and the house will have been that.</p>", prose(4))),
        ),
        ("https://good.example/exam", page("", &format!("{}<p>{SECRET}.</p>", prose(5)))),
        ("https://good.example/like", page("", &plain.replacen("merchant", "seller", 1))),
    ];
    MemoryArchive::of_pages("a.warc.gz", pages.iter().map(|(url, html)| (*url, html.as_str())))
}

fn strict(open: bool) -> Terms {
    Terms {
        exclusion: Some(Digest::of(&exclusion())),
        open,
        filters: Filters { c4: true, ..Filters::default() },
        pii: Pii::Drop,
        heed_opt_out: true,
        near_duplicates: true,
        blocklist: Some(Digest::of(BLOCKLIST)),
        ..Terms::plain()
    }
}

fn exclusion() -> Vec<u8> {
    Exclusion::new([SECRET]).unwrap().encode()
}

fn supplied() -> Supplied<MemoryArchive> {
    Supplied::new(archive(), [BLOCKLIST.to_vec(), exclusion()])
}

fn round_of(terms: Terms) -> (Round, Vec<ErasedTask>) {
    let extents = archive().extents(Cut { entries_max: 100, bytes_max: u64::MAX }).unwrap();
    let mut round = round(0, 1, &[1]);
    round.jobs = vec![Arc::new(Job { extents, tasks_per_round: 1, terms }.encode())];
    let tasks = planned(&round);
    (round, tasks)
}

fn decisions(shard: &Shard) -> Vec<String> {
    shard.ledger.rows.iter().map(|row| row.decision.to_string()).collect()
}

/// What is proven against an answer, by its rule and record.
fn proven(source: &dyn Source, round: &Round, answer: Answer) -> Option<(String, Option<String>)> {
    let verdict = Validator::reading(&Dataset, source).play(round, &[answer], None);
    of(&verdict, 1).certificate.as_ref().map(|proof| (proof.rule.clone(), proof.record.clone()))
}

#[test]
fn what_the_terms_name_is_left_out_and_checked() {
    let source = supplied();
    for (strategy, open) in [(&HONEST[0] as &dyn Strategy, false), (&OWN_RECIPES[0], true)] {
        let (round, tasks) = round_of(strict(open));
        let answer = made(strategy, &source, &round, &tasks, (1, 0, 20)).expect("honest");
        let shard = shard_of(answer.bytes.as_ref().unwrap());
        let expect = ["kept", "url", "optout", "pii", "contaminated", "near_dup_of:0"];
        assert_eq!(decisions(&shard), expect, "{}", strategy.id());
        assert!(shard.documents[0].bands.is_some());
        assert_eq!(proven(&source, &round, answer), None, "{}", strategy.id());
    }
}

#[test]
fn what_the_terms_leave_out_is_no_work_under_any_recipe() {
    let source = supplied();
    for (strategy, open) in [(&HONEST[0] as &dyn Strategy, false), (&OWN_RECIPES[0], true)] {
        // A shard that is honest under lax terms, shown for strict ones.
        let (_, lax) = round_of(Terms { open, ..Terms::plain() });
        let (round, _) = round_of(Terms { near_duplicates: false, ..strict(open) });
        let seed = Seed::from_number(1);
        let work =
            Work { hotkey: crate::arena::key(1), round: 0, task: &lax[0].bytes, source: &source, seed };
        let bytes = strategy.make(&work).expect("a shard");
        assert_eq!(shard_of(&bytes).documents.len(), 6);
        let (rule, record) = proven(&source, &round, shown(0, 1, 20, bytes)).expect("a fault");
        let expect = ["decision is the recipe's", "documents hold nothing that is excluded"];
        assert!(expect.contains(&rule.as_str()) && record.is_some(), "{rule} {record:?}");
    }
}

#[test]
fn without_what_the_terms_name_nothing_is_proven() {
    let (round, tasks) = round_of(strict(false));
    let answer = made(&HONEST[0], &supplied(), &round, &tasks, (1, 0, 20)).expect("honest");
    assert!(made(&HONEST[0], &archive(), &round, &tasks, (1, 0, 20)).is_none());
    let bare = archive();
    let cases = Validator::reading(&Dataset, &bare).cases(&round, &[answer]);
    assert_eq!(cases[0].outcome, mechanisms::Outcome::ValidatorFault);
}
