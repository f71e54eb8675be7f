//! How a local subnet begins: accounts, the subnet, neurons with stake, all through the chain's own calls.

use std::{path::Path, sync::Arc};

use chain::{AccountId, Call, Chain, Hyperparameter, NetUid, Rao, ReadError, SubmitError, Subnet};
use devchain::{Config, Event, Genesis, Handle, NodeError, Order, Pace, Signing, State};
use futures_util::future::join_all;
use miette::Diagnostic;
use thiserror::Error;

use super::{clock::Clock, folder::PartyKeys};

/// TAO that each validator stakes: so much that what miners earn in thousands of epochs buys no permit.
const VALIDATOR_STAKE: Rao = Rao::from_whole(10_000);
/// TAO that the owner locks: the subnet's pool is so deep that the validators' stakes hardly move its price, and
/// equal stakes buy equal alpha within a few per cent.
const SUBNET_LOCK: Rao = Rao::from_whole(500_000);
/// Slots of the subnet.
const SLOTS: u16 = 256;
/// Recent states that can be read: a neuron that comes back looks for the block in which its round opened.
const KEPT_STATES: usize = 256;
/// Blocks from one snapshot of the chain to the next.
const SNAPSHOT_EVERY: u64 = 500;
/// Blocks in an epoch.
pub(crate) const TEMPO: u16 = 20;

/// A local subnet could not begin.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum FoundError {
    /// The chain does not run.
    #[error(transparent)]
    #[diagnostic(help("begin anew with `weigh reset`"))]
    Node(#[from] NodeError),
    /// The chain refused a call that sets the subnet up.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The subnet can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The founding did not do what it is there for.
    #[error("the chain has no subnet after its founding")]
    NoSubnet,
}

/// Who is there from the start.
pub(crate) struct Parties {
    pub(crate) owner: PartyKeys,
    pub(crate) validators: Vec<PartyKeys>,
    pub(crate) miners: Vec<PartyKeys>,
}

impl Parties {
    fn coldkeys(&self) -> Vec<AccountId> {
        let all = [&self.owner].into_iter().chain(&self.validators).chain(&self.miners);
        all.map(|keys| keys.coldkey.coldkey().0).collect()
    }

    /// Follows from the keys alone, so that a log is known by it.
    pub(super) fn genesis(&self) -> Genesis {
        let mut genesis = Genesis::development(&self.coldkeys());
        genesis.settings.min_lock_cost = SUBNET_LOCK;
        genesis.settings.serve_on_loopback = true;
        genesis
    }
}

/// A chain whose log lies in `folder`; it is told when to make a block.
pub(crate) fn open(parties: &Parties, folder: &Path) -> Result<Handle, NodeError> {
    devchain::spawn(Config {
        genesis: parties.genesis(),
        pace: Pace::Stepped,
        order: Order::Lot,
        folder: Some(folder.to_owned()),
        kept_states: KEPT_STATES,
        snapshot_every: SNAPSHOT_EVERY,
    })
}

/// The house's subnet: the one that its owner has.
pub(crate) fn subnet_of(state: &State, parties: &Parties) -> Result<Arc<Subnet>, FoundError> {
    let owned = (1..=NetUid(16).0).filter_map(|number| state.subnet(NetUid(number)).ok());
    let mut owned = owned.filter(|subnet| subnet.owner_hotkey == parties.owner.hotkey());
    owned.next().ok_or(FoundError::NoSubnet)
}

/// Founds the subnet on a fresh chain, and makes blocks until an epoch has run: it gives the validators their permits.
pub(crate) async fn found(founder: &Founder<'_>, parties: &Parties) -> Result<(), FoundError> {
    let owner = &parties.owner;
    founder.call(owner, vec![Call::RegisterNetwork { hotkey: owner.hotkey() }]).await?;
    let netuid = subnet_of(&founder.node.state(), parties)?.netuid;
    let validators = u16::try_from(parties.validators.len()).unwrap_or(u16::MAX);
    let settings = [
        // The owner's cut is staked with its hotkey, which then competes for a permit.
        Hyperparameter::MaxAllowedValidators(validators.saturating_add(1)),
        Hyperparameter::MaxAllowedUids(SLOTS),
        Hyperparameter::ImmunityPeriod(TEMPO.saturating_mul(2)),
        Hyperparameter::MinNonImmuneUids(1),
        Hyperparameter::WeightsSetRateLimit(0),
        Hyperparameter::ServingRateLimit(0),
        Hyperparameter::CommitRevealWeightsEnabled(true),
        Hyperparameter::RevealPeriodEpochs(1),
        Hyperparameter::Tempo(TEMPO),
    ];
    // The owner is the chain's first account, and so its sudo.
    let as_root = |call| Call::Sudo { call: Box::new(call) };
    let mut calls: Vec<Call> =
        settings.into_iter().map(|value| as_root(Call::SetHyperparameter { netuid, value })).collect();
    calls.push(Call::StartCall { netuid });
    calls.push(as_root(Call::SetSubnetEmissionEnabled { netuid, enabled: true }));
    founder.call(owner, calls).await?;
    for keys in &parties.validators {
        founder.call(keys, vec![Call::BurnedRegister { netuid, hotkey: keys.hotkey() }]).await?;
        let stake = Call::AddStake { hotkey: keys.hotkey(), netuid, amount: VALIDATOR_STAKE };
        founder.call(keys, vec![stake]).await?;
    }
    for keys in &parties.miners {
        founder.call(keys, vec![Call::BurnedRegister { netuid, hotkey: keys.hotkey() }]).await?;
    }
    loop {
        let made = founder.clock.step(founder.node)?;
        let ran = |event: &Event| matches!(event, Event::EpochRan { netuid: of, .. } if *of == netuid);
        if made.events.iter().any(ran) {
            return Ok(());
        }
    }
}

/// What a founding works with.
pub(crate) struct Founder<'a> {
    pub(crate) node: &'a Handle,
    /// The same, for parties that sign.
    pub(crate) chain: Signing,
    pub(crate) clock: Clock,
}

impl Founder<'_> {
    /// Has these calls of one account carried out in one block, none of which may fail.
    async fn call(&self, keys: &PartyKeys, calls: Vec<Call>) -> Result<(), FoundError> {
        let origin = keys.coldkey.coldkey().0;
        let mut sent = Vec::new();
        // One after the other: this is their order.
        for call in calls {
            sent.push(self.chain.send(origin, None, call).await?);
        }
        for event in self.clock.step(self.node)?.events {
            if let Event::Sudid { result: Err(error) } = event {
                return Err(SubmitError::Refused { call: "sudo", refusal: error.into() }.into());
            }
        }
        let outcomes = join_all(sent).await;
        outcomes.into_iter().try_for_each(|outcome| outcome.map(|_| ())).map_err(FoundError::from)
    }
}
