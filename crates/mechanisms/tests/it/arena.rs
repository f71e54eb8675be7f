//! A validator in memory: plans, fetches, examines, judges and pays through the erased surface alone.

use std::{collections::BTreeMap, sync::Arc};

use corpus::{Memory, Source};
use mechanisms::{
    Case, CaseResult, Committed, EmptyLane, ErasedCase, ErasedMechanism, ErasedTask, ExaminedCase, Index,
    Inputs, Judgement, Lane, LaneShares, MechanismError, Outcome, Round, RoundMiner, Standings, Truth,
    Verdict, examine_with,
};
use primitives::{Digest, DurationMs, Hotkey, MechId, NetUid, Seed, Timestamp, Uid};

/// The block at which each round's commitments close.
pub(crate) const DEADLINE: u64 = 100;

pub(crate) fn key(at: u8) -> Hotkey {
    Hotkey::from_bytes([at; 32])
}

/// Round `number` for the miners with these keys, uid after uid from 1.
pub(crate) fn round(number: u64, seed: u64, miners: &[u8]) -> Round {
    let miner = |(uid, at): (u16, &u8)| RoundMiner { uid: Uid(uid), hotkey: key(*at) };
    Round {
        netuid: NetUid(1),
        mechid: MechId::MAIN,
        number,
        seed: Seed::from_number(seed).derive("round", number),
        opened_at: 10,
        deadline: DEADLINE,
        miners: (1..).zip(miners).map(miner).collect(),
        jobs: Vec::new(),
    }
}

/// The hash of the first block after the round's deadline.
pub(crate) fn after_deadline(round: &Round) -> Digest {
    round.seed.derive("after the deadline", 0).0
}

/// What one miner has to say to one task.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) miner: u8,
    /// Which of the round's tasks.
    pub(crate) task: usize,
    /// The block of the commitment and the root in it.
    pub(crate) committed: Option<(u64, Digest)>,
    /// None for a miner that shows nothing.
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) latency_ms: i64,
}

impl Answer {
    pub(crate) fn to(task: usize, miner: u8, bytes: Vec<u8>) -> Self {
        Self { miner, task, committed: None, bytes: Some(bytes), latency_ms: 0 }
    }

    pub(crate) fn silence(miner: u8) -> Self {
        Self { miner, task: 0, committed: None, bytes: None, latency_ms: 0 }
    }

    pub(crate) fn committed(self, block: u64, root: Digest) -> Self {
        Self { committed: Some((block, root)), ..self }
    }

    pub(crate) fn after(self, latency_ms: i64) -> Self {
        Self { latency_ms, ..self }
    }
}

/// The state that one validator keeps of one mechanism.
pub(crate) struct Validator<'a> {
    pub(crate) mechanism: &'a dyn ErasedMechanism,
    /// Where examinations have their bytes from; a mechanism without sources needs none.
    pub(crate) source: Option<&'a dyn Source>,
    pub(crate) index: Index,
    pub(crate) standings: Standings,
}

impl<'a> Validator<'a> {
    pub(crate) fn new(mechanism: &'a dyn ErasedMechanism) -> Self {
        Self { mechanism, source: None, index: Index::default(), standings: Standings::default() }
    }

    pub(crate) fn reading(mechanism: &'a dyn ErasedMechanism, source: &'a dyn Source) -> Self {
        Self { source: Some(source), ..Self::new(mechanism) }
    }

    /// One round from planning to standings.
    pub(crate) fn play(&mut self, round: &Round, answers: &[Answer], truth: Option<&Truth>) -> Verdict {
        let cases = self.cases(round, answers);
        let verdict = self.mechanism.judge(&cases, &self.index, truth).expect("own findings");
        for (content, first) in &verdict.learned {
            self.index.first.entry(*content).or_insert(*first);
        }
        self.standings.update(&self.mechanism.aggregation(), &verdict.judgements);
        verdict
    }

    /// The round's answers, examined.
    pub(crate) fn cases(&self, round: &Round, answers: &[Answer]) -> Vec<ExaminedCase<String>> {
        let tasks = self.mechanism.plan(round).expect("the round's jobs can be read");
        answers.iter().map(|answer| self.examined(round, &tasks, answer).expect("own tasks")).collect()
    }

    /// The scores' shares as they stand.
    pub(crate) fn shares(&self) -> BTreeMap<Hotkey, f64> {
        self.mechanism.payout().shares(&self.standings.scores(&self.mechanism.aggregation()))
    }

    /// A lane with these shares.
    pub(crate) fn lane(&self, weight: f64, empty: EmptyLane) -> LaneShares {
        (Lane { mechanism: self.mechanism.id(), weight, empty }, self.shares())
    }

    fn examined(
        &self,
        round: &Round,
        tasks: &[ErasedTask],
        answer: &Answer,
    ) -> Result<ExaminedCase<String>, MechanismError> {
        let case = case(self.mechanism, round, &tasks[answer.task].bytes, answer);
        let result = match &answer.bytes {
            None => CaseResult { outcome: Outcome::NoResponse, examined: None },
            Some(bytes) => {
                let inputs = Inputs::of(Arc::new(bytes.clone()));
                let nowhere = Memory::default();
                let source = self.source.unwrap_or(&nowhere);
                let examine = |case: &ErasedCase, inputs: &Inputs| self.mechanism.examine(case, inputs).ok();
                examine_with(self.mechanism, &case, inputs, source, examine)
            }
        };
        let uid = round.miners.iter().find(|miner| miner.hotkey == case.hotkey).expect("registered").uid;
        Ok(ExaminedCase {
            hotkey: case.hotkey,
            uid,
            outcome: result.outcome,
            latency: DurationMs(answer.latency_ms),
            received_at: Timestamp(answer.latency_ms),
            committed: answer.committed.map(|(block, root)| Committed { root, block }),
            examined: result.examined,
        })
    }
}

/// The case that a miner's answer makes.
pub(crate) fn case(
    mechanism: &dyn ErasedMechanism,
    round: &Round,
    task: &[u8],
    answer: &Answer,
) -> ErasedCase {
    Case {
        round: round.number,
        task: task.to_vec(),
        hotkey: key(answer.miner),
        root: answer.committed.map(|(_, root)| root),
        audit_seed: round.audit_seed(mechanism.id(), &after_deadline(round)),
    }
}

/// The judgement of one miner.
pub(crate) fn of(verdict: &Verdict, miner: u8) -> &Judgement {
    verdict.judgements.iter().find(|judgement| judgement.hotkey == key(miner)).expect("judged")
}

/// The score of one miner; none where it was left alone.
pub(crate) fn score(verdict: &Verdict, miner: u8) -> Option<f64> {
    of(verdict, miner).score.map(primitives::Unit::get)
}

/// One named part of a judgement.
pub(crate) fn part(judgement: &Judgement, name: &str) -> f64 {
    judgement.parts.iter().find(|(part, _)| part == name).expect("the part is stated").1
}

/// A part that is a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts below 2^53")]
pub(crate) fn count(judgement: &Judgement, name: &str) -> u64 {
    part(judgement, name) as u64
}
