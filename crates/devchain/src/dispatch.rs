//! One extrinsic's way: the pool's guards, the nonce, the call itself, and back if it fails.

use chain::{Call, InvalidTransaction, ModuleError, Refusal, WeightsCommitment, storage_index};
use parity_scale_codec::{Decode, Encode};
use primitives::{AccountId, Coldkey, Hotkey, MechId, NetUid};

use crate::{
    ledger::{Dispatch, Ledger},
    storage::items::{NONCE, OWNER},
};

/// A call by an account. Who the origin is has been settled before: in process it is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extrinsic {
    /// The account that calls: a hotkey or a coldkey, as the call demands.
    pub origin: AccountId,
    /// Its number among the account's extrinsics; without one, order alone decides.
    pub nonce: Option<u32>,
    /// What it asks for.
    pub call: Call,
}

impl Extrinsic {
    /// An extrinsic without a number.
    #[must_use]
    pub fn new(origin: impl Into<AccountId>, call: Call) -> Self {
        Self { origin: origin.into(), nonce: None, call }
    }
}

/// The pool's code for a failed guard. Source: `common/src/transaction_error.rs`.
fn pool_code(error: ModuleError) -> InvalidTransaction {
    /// What stands for everything without a code of its own.
    const BAD_REQUEST: u8 = 255;
    InvalidTransaction::Custom(match error {
        ModuleError::NotEnoughStakeToSetWeights => 1,
        ModuleError::SettingWeightsTooFast
        | ModuleError::CommittingWeightsTooFast
        | ModuleError::NetworkTxRateLimitExceeded => 6,
        ModuleError::HotKeyNotRegisteredInNetwork => 10,
        ModuleError::InvalidIpAddress => 11,
        ModuleError::ServingRateLimitExceeded => 12,
        ModuleError::InvalidPort => 13,
        ModuleError::NoWeightsCommitFound => 16,
        ModuleError::RevealTooEarly => 17,
        ModuleError::NonAssociatedColdKey => 25,
        ModuleError::InvalidTake => 27,
        _ => BAD_REQUEST,
    })
}

impl Ledger {
    /// Carries out one extrinsic. A failed call leaves nothing but its used nonce.
    pub(crate) fn apply(&mut self, extrinsic: &Extrinsic) -> Result<(), Refusal> {
        let Extrinsic { origin, nonce, call } = extrinsic;
        if let Some(nonce) = nonce {
            match nonce.cmp(&self.read(&NONCE, origin)) {
                std::cmp::Ordering::Less => return Err(InvalidTransaction::Stale.into()),
                std::cmp::Ordering::Greater => return Err(InvalidTransaction::Future.into()),
                std::cmp::Ordering::Equal => {}
            }
        }
        self.guard(*origin, call).map_err(pool_code)?;
        if let Some(nonce) = nonce {
            self.put(&NONCE, origin, &nonce.saturating_add(1));
        }
        let mark = self.mark();
        self.call(*origin, call).map_err(|error| {
            self.roll_back(mark);
            Refusal::Module(error)
        })
    }

    /// The checks before inclusion. Source: `guards/*`.
    fn guard(&self, origin: AccountId, call: &Call) -> Dispatch {
        match call {
            Call::SetWeights { netuid, mechid, .. } => {
                self.guard_stake(origin, *netuid)?;
                self.guard_rate(origin, *netuid, *mechid, ModuleError::SettingWeightsTooFast)
            }
            Call::CommitWeights { netuid, mechid, .. } => {
                self.guard_stake(origin, *netuid)?;
                self.guard_rate(origin, *netuid, *mechid, ModuleError::CommittingWeightsTooFast)
            }
            Call::RevealWeights { netuid, mechid, weights, salt, version_key } => {
                self.guard_stake(origin, *netuid)?;
                let (netuid, mechid, hotkey) = (*netuid, *mechid, Hotkey(origin));
                let version_key = *version_key;
                let opened = WeightsCommitment { hotkey, netuid, mechid, weights, salt, version_key };
                self.check_reveal(netuid, storage_index(netuid, mechid), hotkey, opened.hash())
            }
            Call::RegisterNetwork { .. } if !self.passes_network_rate_limit() => {
                Err(ModuleError::NetworkTxRateLimitExceeded)
            }
            Call::ServeAxon { netuid, axon } => self.check_axon(Hotkey(origin), *netuid, axon),
            _ => Ok(()),
        }
    }

    fn guard_stake(&self, origin: AccountId, netuid: NetUid) -> Dispatch {
        let enough = self.has_weights_stake(Hotkey(origin), netuid);
        if enough { Ok(()) } else { Err(ModuleError::NotEnoughStakeToSetWeights) }
    }

    /// A hotkey without a slot is left to the call itself; a mechanism that does not exist counts as too fast.
    fn guard_rate(&self, origin: AccountId, netuid: NetUid, mechid: MechId, error: ModuleError) -> Dispatch {
        match self.uid_of(netuid, Hotkey(origin)) {
            Some(uid) if !self.passes_weights_rate_limit(netuid, mechid, uid) => Err(error),
            _ => Ok(()),
        }
    }

    fn call(&mut self, origin: AccountId, call: &Call) -> Dispatch {
        match call {
            Call::Transfer { to, amount } => self.transfer(origin, *to, *amount),
            Call::RegisterNetwork { hotkey } => self.register_network(origin, *hotkey),
            Call::StartCall { netuid } => self.start_call(origin, *netuid),
            Call::BurnedRegister { netuid, hotkey } => self.burned_register(origin, *netuid, *hotkey, None),
            Call::RegisterLimit { netuid, hotkey, limit_price } => {
                self.burned_register(origin, *netuid, *hotkey, Some(*limit_price))
            }
            Call::AddStake { hotkey, netuid, amount } => self.add_stake(origin, *hotkey, *netuid, *amount),
            Call::RemoveStake { hotkey, netuid, amount } => {
                self.remove_stake(origin, *hotkey, *netuid, *amount)
            }
            Call::ServeAxon { netuid, axon } => self.serve_axon(origin, *netuid, axon),
            Call::SetWeights { netuid, mechid, weights, version_key } => {
                self.set_weights(origin, *netuid, *mechid, weights, *version_key)
            }
            Call::CommitWeights { netuid, mechid, commit_hash } => {
                self.commit_weights(origin, *netuid, *mechid, *commit_hash)
            }
            Call::RevealWeights { netuid, mechid, weights, salt, version_key } => {
                let (hotkey, netuid, mechid) = (Hotkey(origin), *netuid, *mechid);
                let version_key = *version_key;
                let opened = WeightsCommitment { hotkey, netuid, mechid, weights, salt, version_key };
                self.reveal_weights(origin, &opened, weights)
            }
            Call::SetCommitment { netuid, fields } => self.set_commitment(origin, *netuid, fields),
            Call::SetHyperparameter { netuid, value } => self.set_hyperparameter(origin, *netuid, *value),
            Call::SetMechanismEmissionSplit { netuid, split } => {
                self.set_mechanism_split(origin, *netuid, split.as_deref())
            }
            _ => Err(ModuleError::BadOrigin),
            Call::TriggerEpoch { netuid } => self.trigger_epoch(origin, *netuid),
            Call::SetSubnetEmissionEnabled { netuid, enabled } => {
                self.set_emission_enabled(origin, *netuid, *enabled)
            }
        }
    }
}
