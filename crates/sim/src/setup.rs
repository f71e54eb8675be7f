//! How a world begins: accounts, a subnet, neurons with stake, all through the chain's own calls.

use chain::{
    AccountId, AlphaRao, Call, Coldkey, Hotkey, Hyperparameter, MechId, NetUid, Rao, ReadError, Refusal,
};
use devchain::{Event, Extrinsic, Genesis, GenesisError, State};
use primitives::{DurationMs, Seed, Timestamp};
use thiserror::Error;

use crate::scenario::Scenario;

/// TAO that each validator stakes: so much that what miners earn in thousands of epochs buys no permit.
const VALIDATOR_STAKE: Rao = Rao::from_whole(10_000);
/// TAO that the owner locks: the subnet's pool is so deep that the validators' stakes hardly move its price, and
/// equal stakes buy equal alpha within a few per cent.
const SUBNET_LOCK: Rao = Rao::from_whole(500_000);

/// A world could not begin.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The genesis contradicts itself.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The chain refused a call that sets the subnet up.
    #[error("chain refused {call} at the start: {refusal}")]
    Refused {
        /// The call's name.
        call: &'static str,
        /// What the chain said.
        refusal: Refusal,
    },
    /// The subnet can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The scenario contradicts itself.
    #[error("scenario has {what} {found}, expected {bound}")]
    Scenario {
        /// Which part.
        what: &'static str,
        /// What was given.
        found: u64,
        /// What is allowed.
        bound: String,
    },
    /// A party has nowhere to keep what it knows.
    #[error("party {hotkey} has no store: {reason}")]
    Store {
        /// The party.
        hotkey: Hotkey,
        /// Why.
        reason: String,
    },
    /// What a party kept can't be read.
    #[error(transparent)]
    Start(#[from] neuron::StartError),
}

/// A pair of keys of the world. Nothing is signed inside one process, so that they are names only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) hotkey: Hotkey,
    pub(crate) coldkey: Coldkey,
}

pub(crate) fn keys(seed: &Seed, role: &str, index: usize) -> Keys {
    let index = index as u64;
    Keys {
        hotkey: Hotkey(AccountId(seed.derive(&format!("{role} hotkey"), index).0.0)),
        coldkey: Coldkey(AccountId(seed.derive(&format!("{role} coldkey"), index).0.0)),
    }
}

/// A chain on which the scenario's subnet exists, with its neurons registered and its validators staked.
pub(crate) struct Ground {
    pub(crate) chain: State,
    pub(crate) netuid: NetUid,
    pub(crate) mechid: MechId,
    pub(crate) owner: Keys,
    pub(crate) validators: Vec<Keys>,
    pub(crate) miners: Vec<Keys>,
}

impl Ground {
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, SetupError> {
        check(scenario)?;
        let seed = &scenario.seed;
        let owner = keys(seed, "owner", 0);
        let validators: Vec<Keys> = (0..scenario.validators).map(|at| keys(seed, "validator", at)).collect();
        let miners: Vec<Keys> = (0..scenario.miners.len()).map(|at| keys(seed, "miner", at)).collect();
        let accounts: Vec<AccountId> =
            [&owner].into_iter().chain(&validators).chain(&miners).map(|keys| keys.coldkey.0).collect();
        let mut genesis = Genesis::development(&accounts);
        // The world's own clock starts at 0, like the simulator's.
        genesis.time = Timestamp(0);
        genesis.settings.min_lock_cost = SUBNET_LOCK;
        let mut ground = Self {
            chain: State::genesis(&genesis)?,
            netuid: NetUid(0),
            mechid: MechId::MAIN,
            owner,
            validators,
            miners,
        };
        ground.found(scenario)?;
        ground.populate(scenario)?;
        ground.wait_for_epoch(scenario)?;
        Ok(ground)
    }

    /// Makes blocks until an epoch has run: it gives the validators their permits, and a world begins with a
    /// whole epoch.
    fn wait_for_epoch(&mut self, scenario: &Scenario) -> Result<(), SetupError> {
        let owner = self.owner.coldkey.0;
        loop {
            let events = self.call(scenario, owner, Vec::new())?;
            let ran =
                |event: &Event| matches!(event, Event::EpochRan { netuid, .. } if *netuid == self.netuid);
            if events.iter().any(ran) {
                return Ok(());
            }
        }
    }

    /// Creates the subnet and sets what the scenario asks for.
    fn found(&mut self, scenario: &Scenario) -> Result<(), SetupError> {
        let owner = self.owner;
        let events =
            self.call(scenario, owner.coldkey.0, vec![Call::RegisterNetwork { hotkey: owner.hotkey }])?;
        for event in &events {
            if let Event::NetworkAdded { netuid, .. } = event {
                self.netuid = *netuid;
            }
        }
        let validators = u16::try_from(scenario.validators).unwrap_or(u16::MAX);
        let settings = [
            // The owner's cut is staked with its hotkey, which then competes for a permit.
            Hyperparameter::MaxAllowedValidators(validators.saturating_add(1)),
            Hyperparameter::MinAllowedUids(0),
            Hyperparameter::MaxAllowedUids(scenario.slots),
            Hyperparameter::ImmunityPeriod(scenario.tempo.saturating_mul(2)),
            Hyperparameter::MinNonImmuneUids(1),
            Hyperparameter::WeightsSetRateLimit(0),
            Hyperparameter::ServingRateLimit(0),
            Hyperparameter::CommitRevealWeightsEnabled(true),
            Hyperparameter::RevealPeriodEpochs(1),
            Hyperparameter::Tempo(scenario.tempo),
        ];
        let netuid = self.netuid;
        // The owner is the chain's first account, and so its sudo.
        let as_root = |call| Call::Sudo { call: Box::new(call) };
        let calls = settings.into_iter().map(|value| as_root(Call::SetHyperparameter { netuid, value }));
        let mut calls: Vec<Call> = calls.collect();
        calls.push(Call::StartCall { netuid });
        calls.push(as_root(Call::SetSubnetEmissionEnabled { netuid, enabled: true }));
        self.call(scenario, owner.coldkey.0, calls)?;
        Ok(())
    }

    /// Registers who is there from the start, and stakes the validators.
    fn populate(&mut self, scenario: &Scenario) -> Result<(), SetupError> {
        let (netuid, validators, miners) = (self.netuid, self.validators.clone(), self.miners.clone());
        for keys in validators {
            self.call(scenario, keys.coldkey.0, vec![Call::BurnedRegister { netuid, hotkey: keys.hotkey }])?;
            let stake = Call::AddStake { hotkey: keys.hotkey, netuid, amount: VALIDATOR_STAKE };
            self.call(scenario, keys.coldkey.0, vec![stake])?;
        }
        for (keys, plan) in miners.iter().zip(&scenario.miners) {
            if plan.joins_in_epoch == 0 {
                let call = Call::BurnedRegister { netuid, hotkey: keys.hotkey };
                self.call(scenario, keys.coldkey.0, vec![call])?;
            }
        }
        Ok(())
    }

    /// Makes a block of these calls, none of which may fail.
    fn call(
        &mut self,
        scenario: &Scenario,
        origin: AccountId,
        calls: Vec<Call>,
    ) -> Result<Vec<Event>, SetupError> {
        let extrinsics: Vec<Extrinsic> = calls.into_iter().map(|call| Extrinsic::new(origin, call)).collect();
        let time = self.chain.head().time + scenario.block_time;
        let block = self.chain.block(time, &extrinsics);
        for (extrinsic, outcome) in extrinsics.iter().zip(&block.outcomes) {
            if let Err(refusal) = outcome {
                return Err(SetupError::Refused { call: extrinsic.call.name(), refusal: *refusal });
            }
        }
        for event in &block.events {
            if let Event::Sudid { result: Err(error) } = event {
                return Err(SetupError::Refused { call: "sudo", refusal: (*error).into() });
            }
        }
        Ok(block.events)
    }
}

fn check(scenario: &Scenario) -> Result<(), SetupError> {
    let fail = |what, found: u64, bound: String| Err(SetupError::Scenario { what, found, bound });
    if scenario.tempo < neuron::rounds::TEMPO_MIN {
        return fail("tempo", scenario.tempo.into(), format!("at least {}", neuron::rounds::TEMPO_MIN));
    }
    if scenario.validators == 0 {
        return fail("validators", 0, "at least 1".into());
    }
    let first = scenario.miners.iter().filter(|plan| plan.joins_in_epoch == 0).count();
    let needed = (1 + scenario.validators + first) as u64;
    if u64::from(scenario.slots) < needed {
        return fail("slots", scenario.slots.into(), format!("at least {needed}"));
    }
    if scenario.block_time <= DurationMs(0) {
        let found = scenario.block_time.0.unsigned_abs();
        return fail("block time in ms", found, "at least 1".into());
    }
    Ok(())
}

/// Alpha that a neuron earned as a miner and as a validator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Earned {
    pub(crate) incentive: AlphaRao,
    pub(crate) dividends: AlphaRao,
}
