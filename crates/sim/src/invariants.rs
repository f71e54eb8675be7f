//! What must hold at every block of every world.

use std::collections::{BTreeMap, BTreeSet};

use chain::{Hotkey, MechId, NetUid, Subnet};
use devchain::{Block, Event, NeuronEmission, State};
use neuron::{Identity, Miner, Validator, ValidatorFact};
use store::{Commit, Committed, EventNumber, MAX_PAGE, Store};
use thiserror::Error;

use crate::{
    parties::Party,
    report::Summary,
    world::{RunError, World},
};

/// Epochs from a round's work to its first pay: the weights are revealed in the next epoch and pay at its end.
pub(crate) const EPOCHS_TO_PAY: u64 = 2;

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// Value appeared or vanished on the chain.
    #[error("block {block}: {reason}")]
    Issuance {
        /// The block.
        block: u64,
        /// What does not add up.
        reason: String,
    },
    /// A validator submitted weights twice for one mechanism and epoch.
    #[error("validator {hotkey} submitted weights {times} times for mechanism {mechid} in epoch {epoch}")]
    WeightsTwice {
        /// The validator.
        hotkey: Hotkey,
        /// The mechanism.
        mechid: MechId,
        /// The epoch.
        epoch: u64,
        /// How often.
        times: u32,
    },
    /// An event that was acknowledged is not there, or stands in another place.
    #[error("log {log:?} has {found} events, {acknowledged} were acknowledged")]
    EventLost {
        /// The log.
        log: String,
        /// Events found in order.
        found: u64,
        /// Events acknowledged.
        acknowledged: u64,
    },
    /// One answer was examined twice for good.
    #[error("validator {validator} has two findings for {key}")]
    ExaminedTwice {
        /// The validator.
        validator: Hotkey,
        /// Round, miner and task.
        key: String,
    },
    /// A machine that is started from its log is not the one that wrote it.
    #[error("{party:?} started from its log is not what it was")]
    Forgot {
        /// The party.
        party: Party,
    },
    /// A miner was paid that no validator had given a score.
    #[error("epoch {epoch} paid {hotkey}, to whom no validator had given a score")]
    PaidUnscored {
        /// The epoch.
        epoch: u64,
        /// The miner.
        hotkey: Hotkey,
    },
    /// A dishonest miner earned as much as an honest one.
    #[error("dishonest {dishonest} earned {earned}, honest {honest} {least}")]
    CheatingPaid {
        /// The dishonest miner.
        dishonest: Hotkey,
        /// What it earned.
        earned: u64,
        /// The honest miner that earned least.
        honest: Hotkey,
        /// What that one earned.
        least: u64,
    },
}

/// Keeps what is needed to notice a violation.
pub(crate) struct Watch {
    netuid: NetUid,
    commitments: BTreeMap<(Hotkey, MechId, u64), u32>,
    acknowledged: BTreeMap<(Hotkey, String), u64>,
    examined: BTreeSet<(Hotkey, String)>,
}

impl Watch {
    pub(crate) fn new(_chain: &State, netuid: NetUid) -> Self {
        Self {
            netuid,
            commitments: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            examined: BTreeSet::new(),
        }
    }

    /// Issuance is conserved to the rao, and no weights are submitted twice.
    pub(crate) fn at_block(&mut self, chain: &State, block: &Block, epoch: u64) -> Result<(), Violation> {
        chain
            .audit()
            .map_err(|error| Violation::Issuance { block: block.head.number, reason: error.to_string() })?;
        for event in &block.events {
            if let Event::WeightsCommitted { netuid, mechid, hotkey, .. } = event
                && *netuid == self.netuid
            {
                let times = self.commitments.entry((*hotkey, *mechid, epoch)).or_insert(0);
                *times += 1;
                if *times > 1 {
                    let (hotkey, mechid, times) = (*hotkey, *mechid, *times);
                    return Err(Violation::WeightsTwice { hotkey, mechid, epoch, times });
                }
            }
        }
        Ok(())
    }

    /// Counts what was acknowledged. A commit that repeats what is known acknowledges nothing new.
    pub(crate) fn committed(
        &mut self,
        party: Hotkey,
        commit: &Commit,
        committed: &Committed,
    ) -> Result<(), Violation> {
        for ((log, _), appended) in commit.events.iter().zip(&committed.events) {
            if appended.fresh {
                let count = self.acknowledged.entry((party, log.clone())).or_insert(0);
                *count += 1;
                if appended.number != EventNumber(*count) {
                    let (log, found, acknowledged) = (log.clone(), appended.number.0, *count);
                    return Err(Violation::EventLost { log, found, acknowledged });
                }
            }
        }
        Ok(())
    }

    /// A finding is committed once.
    pub(crate) fn examined(
        &mut self,
        validator: &Identity,
        fact: &ValidatorFact,
        committed: &Committed,
    ) -> Result<(), Violation> {
        let log = Validator::log(validator);
        for appended in committed.events.iter().filter(|appended| appended.fresh) {
            let count = self.acknowledged.entry((validator.hotkey, log.clone())).or_insert(0);
            *count += 1;
            if appended.number != EventNumber(*count) {
                let (found, acknowledged) = (appended.number.0, *count);
                return Err(Violation::EventLost { log, found, acknowledged });
            }
            if !self.examined.insert((validator.hotkey, fact.key())) {
                return Err(Violation::ExaminedTwice { validator: validator.hotkey, key: fact.key() });
            }
        }
        Ok(())
    }

    /// Dishonest miners end below honest ones, once there was time for pay.
    pub(crate) fn at_end(&self, summary: &Summary) -> Result<(), Violation> {
        let epochs = summary.epochs;
        if epochs <= EPOCHS_TO_PAY {
            return Ok(());
        }
        let worked_long_enough =
            |miner: &&crate::report::MinerSummary| miner.joined_in_epoch + EPOCHS_TO_PAY < epochs;
        let honest = summary.miners.iter().filter(|miner| miner.honest).filter(worked_long_enough);
        let Some(worst) = honest.min_by_key(|miner| miner.earned) else { return Ok(()) };
        let cheats = summary.miners.iter().filter(|miner| !miner.honest);
        match cheats.max_by_key(|miner| miner.earned) {
            Some(best) if best.earned >= worst.earned => Err(Violation::CheatingPaid {
                dishonest: best.hotkey,
                earned: best.earned.0,
                honest: worst.hotkey,
                least: worst.earned.0,
            }),
            _ => Ok(()),
        }
    }

    /// Every acknowledged event of a log is there, numbered without a gap.
    fn check_log(&self, party: Hotkey, log: &str, store: &dyn Store) -> Result<(), RunError> {
        let acknowledged = self.acknowledged.get(&(party, log.to_owned())).copied().unwrap_or(0);
        let mut found = 0;
        loop {
            let page = store
                .read(log, EventNumber(found), MAX_PAGE)
                .map_err(|source| RunError::Store { party, source })?;
            if page.is_empty() {
                break;
            }
            for event in page {
                if event.number.0 != found + 1 {
                    return Err(Violation::EventLost { log: log.to_owned(), found, acknowledged }.into());
                }
                found += 1;
            }
        }
        if found == acknowledged {
            return Ok(());
        }
        Err(Violation::EventLost { log: log.to_owned(), found, acknowledged }.into())
    }
}

impl World {
    /// Who is paid has a score from some validator, given to its hotkey.
    pub(crate) fn check_paid(&self, view: &Subnet, emission: &[NeuronEmission]) -> Result<(), RunError> {
        let epoch = view.schedule.epoch_index;
        let mut scored = BTreeSet::new();
        for validator in &self.validators {
            let identity = &validator.identity;
            let scores = validator
                .keeping
                .store
                .latest_scores(identity.netuid, identity.mechid, None, MAX_PAGE)
                .map_err(|source| RunError::Store { party: identity.hotkey, source })?;
            // A score of some round is enough: the window pays for past rounds too.
            for score in scores {
                let history = validator
                    .keeping
                    .store
                    .score_history(identity.netuid, identity.mechid, score.hotkey, 0, MAX_PAGE)
                    .map_err(|source| RunError::Store { party: identity.hotkey, source })?;
                if history.iter().any(|score| score.value > 0.0) {
                    scored.insert(score.hotkey);
                }
            }
        }
        for line in emission.iter().filter(|line| !line.incentive.is_zero()) {
            let Some(neuron) = view.neurons.get(line.uid.index()) else { continue };
            if !scored.contains(&neuron.hotkey) {
                return Err(Violation::PaidUnscored { epoch, hotkey: neuron.hotkey }.into());
            }
        }
        Ok(())
    }

    /// No log has lost an event, and each machine is what its log makes of it.
    pub(crate) fn check_keeping(&self) -> Result<(), RunError> {
        let scenario = &self.scenario;
        for (at, party) in self.validators.iter().enumerate() {
            let (identity, store) = (party.identity, &*party.keeping.store);
            self.watch.check_log(identity.hotkey, &Validator::log(&identity), store)?;
            let Some(machine) = &party.machine else { continue };
            let lane = mechanisms::Lane {
                mechanism: scenario.mechanism.id(),
                weight: 1.0,
                empty: mechanisms::EmptyLane::Return,
            };
            let jobs = scenario.jobs.clone();
            let again = Validator::start(identity, scenario.mechanism, lane, jobs, party.secret, 0, store)?;
            if again.digest() != machine.digest() {
                return Err(Violation::Forgot { party: Party::Validator(at) }.into());
            }
        }
        for (at, party) in self.miners.iter().enumerate() {
            let (identity, store) = (party.identity, &*party.keeping.store);
            self.watch.check_log(identity.hotkey, &Miner::log(&identity), store)?;
            let Some(machine) = &party.machine else { continue };
            let strategy = std::sync::Arc::clone(&party.strategy);
            let again =
                Miner::start(identity, scenario.mechanism, strategy, scenario.jobs.clone(), 0, store)?;
            if again.digest() != machine.digest() {
                return Err(Violation::Forgot { party: Party::Miner(at) }.into());
            }
        }
        Ok(())
    }
}
