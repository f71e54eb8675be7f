//! One extrinsic's way: the pool's guards, the nonce, the call itself, and back if it fails.

use chain::{Call, InvalidTransaction, ModuleError, WeightsCommitment, storage_index};
use primitives::{AccountId, Hotkey, MechId, NetUid};

use crate::{
    Extrinsic,
    block::Payment,
    ledger::{Dispatch, Ledger},
    payment::Payable,
};

/// What carrying out an extrinsic came to.
pub(crate) struct Applied {
    pub(crate) outcome: Dispatch,
    pub(crate) payable: Payable,
    pub(crate) payment: Payment,
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
    /// What the pool says of an extrinsic: its cost, or why it is not let in.
    pub(crate) fn validate(&self, extrinsic: &Extrinsic) -> Result<Payable, InvalidTransaction> {
        let payable = self.payable(extrinsic)?;
        self.guard(extrinsic.origin, &extrinsic.call).map_err(pool_code)?;
        Ok(payable)
    }

    /// Carries out one extrinsic. A failed call leaves nothing but its used nonce and its fee.
    pub(crate) fn apply(&mut self, extrinsic: &Extrinsic) -> Result<Applied, InvalidTransaction> {
        let payable = self.validate(extrinsic)?;
        if payable.is_early {
            return Err(InvalidTransaction::Future);
        }
        self.charge(extrinsic.origin, &payable);
        let mark = self.mark();
        let outcome = self.call(extrinsic.origin, &extrinsic.call).inspect_err(|_| self.roll_back(mark));
        let payment = self.settle(extrinsic, &payable);
        Ok(Applied { outcome, payable, payment })
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
