//! One extrinsic's way: the pool's guards, the nonce, the call itself, and back if it fails.

use chain::{BatchKind, Call, InvalidTransaction, ModuleError, WeightVector, WeightsCommitment};
use primitives::{AccountId, Coldkey, Hotkey, MechId, NetUid, Uid};

use crate::{
    Event, Extrinsic, Rules,
    balances::Preservation,
    block::Payment,
    ledger::{Dispatch, Ledger, Origin},
    payment::Payable,
    pool::PriceLimit,
    stake_moves::Destroyed,
};

/// What carrying out an extrinsic came to.
pub(crate) struct Applied {
    pub(crate) outcome: Dispatch,
    pub(crate) payable: Payable,
    pub(crate) payment: Payment,
}

/// What the pool says for a failed guard. Source: `common/src/transaction_error.rs`, and `SudoTransactionExtension`.
fn pool_code(error: ModuleError) -> InvalidTransaction {
    use ModuleError as E;
    /// What stands for everything without a code of its own.
    const BAD_REQUEST: u8 = 255;
    InvalidTransaction::Custom(match error {
        E::RequireSudo => return InvalidTransaction::BadSigner,
        E::AmountTooLow | E::NotEnoughStakeToSetWeights => 1,
        E::NotEnoughBalanceToStake => 2,
        E::SubnetNotExists => 3,
        E::HotKeyAccountNotExists => 4,
        E::NotEnoughStakeToWithdraw => 5,
        E::SettingWeightsTooFast | E::CommittingWeightsTooFast | E::NetworkTxRateLimitExceeded => 6,
        E::InsufficientLiquidity => 7,
        E::SlippageTooHigh => 8,
        E::TransferDisallowed => 9,
        E::HotKeyNotRegisteredInNetwork => 10,
        E::InvalidIpAddress => 11,
        E::ServingRateLimitExceeded => 12,
        E::InvalidPort => 13,
        E::InvalidRevealRound => 15,
        E::NoWeightsCommitFound => 16,
        E::RevealTooEarly => 17,
        E::InputLengthsUnequal => 18,
        E::HotKeyNotRegisteredInSubNet => 19,
        E::ColdkeySwapAnnounced => 0,
        E::ColdkeySwapDisputed => 21,
        E::NonAssociatedColdKey => 25,
        E::DelegateTakeTooLow => 26,
        E::DelegateTakeTooHigh => 27,
        _ => BAD_REQUEST,
    })
}

/// Calls within calls that the pool takes. Source: `validate_transaction` of `runtime/src/lib.rs`, spec 425.
const MAX_CALL_DEPTH: usize = 8;
/// Calls in one batch. Source: `pallet_utility`, `batched_calls_limit`: what a third of 32 MiB holds at 1 KiB per call.
const MAX_BATCH_CALLS: usize = 10_922;

/// One commitment opened in a batch: the weights, the salt, the version.
type Opened<'a> = (WeightVector, &'a [u16], u64);

/// The parallel lists of a batch of reveals as one list.
fn batch_of_reveals<'a>(
    uids: &[Vec<Uid>],
    values: &[Vec<u16>],
    salts: &'a [Vec<u16>],
    version_keys: &[u64],
) -> Result<Vec<Opened<'a>>, ModuleError> {
    if [values.len(), salts.len(), version_keys.len()] != [uids.len(); 3] {
        return Err(ModuleError::InputLengthsUnequal);
    }
    let vectors = uids
        .iter()
        .zip(values)
        .map(|(uids, values)| WeightVector { uids: uids.clone(), values: values.clone() });
    let salts = salts.iter().map(Vec::as_slice);
    Ok(vectors.zip(salts).zip(version_keys).map(|((weights, salt), key)| (weights, salt, *key)).collect())
}

/// How many calls stand within each other.
fn depth(call: &Call) -> usize {
    let mut deepest = 0;
    let mut left = vec![(call, 0)];
    while let Some((call, depth)) = left.pop() {
        deepest = deepest.max(depth);
        match call {
            Call::Sudo { call } => left.push((call, depth + 1)),
            Call::Batch { calls, .. } => left.extend(calls.iter().map(|call| (call, depth + 1))),
            _ => {}
        }
    }
    deepest
}

/// Calls of the class `Operational` are for root: an account can send them only within another call. Source: the
/// weights in `pallets/admin-utils`, and `SudoTransactionExtension`.
fn is_operational(call: &Call) -> bool {
    use chain::Hyperparameter as H;
    let Call::SetHyperparameter { value, .. } = call else { return false };
    matches!(value, H::BurnHalfLife(_) | H::BurnIncreaseMult(_) | H::OwnerCutEnabled(_))
}

impl Ledger {
    /// What the pool says of an extrinsic: its cost, or why it is not let in.
    pub(crate) fn validate(&self, extrinsic: &Extrinsic) -> Result<Payable, InvalidTransaction> {
        let payable = self.payable(extrinsic)?;
        self.guard(extrinsic.origin, &extrinsic.call)?;
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

    /// The checks before inclusion.
    fn guard(&self, origin: AccountId, call: &Call) -> Result<(), InvalidTransaction> {
        if depth(call) > MAX_CALL_DEPTH || is_operational(call) || !self.has_call(call) {
            return Err(InvalidTransaction::Call);
        }
        self.guards(origin, call).map_err(pool_code)
    }

    /// Whether the chain's rules have a call, and those within it.
    fn has_call(&self, call: &Call) -> bool {
        match call {
            Call::SetEpochConsensus { .. } => self.settings.rules == Rules::V475,
            Call::Sudo { call } => self.has_call(call),
            Call::Batch { calls, .. } => calls.iter().all(|call| self.has_call(call)),
            _ => true,
        }
    }

    /// What is checked of every call that an account makes, within another one too. Source: `guards/*`, in the order
    /// in which they run.
    fn guards(&self, origin: AccountId, call: &Call) -> Dispatch {
        if matches!(call, Call::Sudo { .. }) && !self.is_sudo(origin) {
            return Err(ModuleError::RequireSudo);
        }
        self.check_coldkey_swap(Coldkey(origin), call)?;
        match call {
            Call::SetWeights { netuid, mechid, .. } => {
                self.guard_stake(origin, *netuid)?;
                if self.hyperparameters(*netuid).commit_reveal_weights_enabled {
                    return Ok(());
                }
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
                self.check_reveal(netuid, opened.hash())
            }
            Call::CommitTimelockedWeights { netuid, reveal_round, .. } => {
                self.guard_stake(origin, *netuid)?;
                let to_come = *reveal_round >= self.last_round();
                if to_come { Ok(()) } else { Err(ModuleError::InvalidRevealRound) }
            }
            Call::BatchSetWeights { netuids, weights, version_keys } => {
                if netuids.len() != weights.len() || netuids.len() != version_keys.len() {
                    return Err(ModuleError::InputLengthsUnequal);
                }
                netuids.iter().try_for_each(|netuid| self.guard_stake(origin, *netuid))
            }
            Call::BatchCommitWeights { netuids, commit_hashes } => {
                if netuids.len() != commit_hashes.len() {
                    return Err(ModuleError::InputLengthsUnequal);
                }
                netuids.iter().try_for_each(|netuid| self.guard_stake(origin, *netuid))
            }
            Call::BatchRevealWeights { netuid, uids_list, values_list, salts_list, version_keys } => {
                let opened = batch_of_reveals(uids_list, values_list, salts_list, version_keys)?;
                self.guard_stake(origin, *netuid)?;
                let (netuid, hotkey, mechid) = (*netuid, Hotkey(origin), MechId::MAIN);
                opened.iter().try_for_each(|(weights, salt, version_key)| {
                    let version_key = *version_key;
                    let opened = WeightsCommitment { hotkey, netuid, mechid, weights, salt, version_key };
                    self.check_reveal(netuid, opened.hash())
                })
            }
            Call::RegisterNetwork { .. } if !self.passes_network_rate_limit() => {
                Err(ModuleError::NetworkTxRateLimitExceeded)
            }
            Call::IncreaseTake { hotkey, take } | Call::DecreaseTake { hotkey, take } => {
                self.check_take(origin, *hotkey, *take)
            }
            Call::ServeAxon { netuid, axon } | Call::ServeAxonTls { netuid, axon, .. } => {
                self.check_axon(Hotkey(origin), *netuid, axon)
            }
            Call::ServePrometheus { netuid, prometheus } => {
                self.check_prometheus(Hotkey(origin), *netuid, prometheus)
            }
            _ => Ok(()),
        }
    }

    /// Whoever weighs must have the stake for it, and on a subnet of null consensus the permit.
    fn guard_stake(&self, origin: AccountId, netuid: NetUid) -> Dispatch {
        let enough = self.has_weights_stake(Hotkey(origin), netuid);
        if !enough {
            return Err(ModuleError::NotEnoughStakeToSetWeights);
        }
        self.ensure_null_permit(netuid, Hotkey(origin))
    }

    /// A hotkey without a slot is left to the call itself; a mechanism that does not exist counts as too fast.
    fn guard_rate(&self, origin: AccountId, netuid: NetUid, mechid: MechId, error: ModuleError) -> Dispatch {
        match self.uid_of(netuid, Hotkey(origin)) {
            Some(uid) if !self.passes_weights_rate_limit(netuid, mechid, uid) => Err(error),
            _ => Ok(()),
        }
    }

    fn call(&mut self, origin: AccountId, call: &Call) -> Dispatch {
        self.dispatch(Origin::Signed(origin), call)
    }

    /// Carries out a call within another one: guarded again, and undone where it fails.
    fn dispatch_inner(&mut self, origin: Origin, call: &Call) -> Dispatch {
        if let Origin::Signed(account) = origin {
            self.guards(account, call)?;
        }
        let mark = self.mark();
        self.dispatch(origin, call).inspect_err(|_| self.roll_back(mark))
    }

    /// Source: `pallet_sudo`, `sudo`: what the call comes to does not touch the outer one.
    fn sudo(&mut self, origin: Origin, call: &Call) -> Dispatch {
        if !self.is_sudo(origin.signed()?) {
            return Err(ModuleError::RequireSudo);
        }
        let result = self.dispatch_inner(Origin::Root, call);
        self.emit(Event::Sudid { result });
        Ok(())
    }

    /// Source: `pallet_utility`, `batch`, `batch_all`, `force_batch`.
    fn batch(&mut self, origin: Origin, kind: BatchKind, calls: &[Call]) -> Dispatch {
        if calls.len() > MAX_BATCH_CALLS {
            return Err(ModuleError::TooManyCalls);
        }
        let mut all_went_well = true;
        for (index, call) in (0..).zip(calls) {
            match (self.dispatch_inner(origin, call), kind) {
                (Ok(()), _) => self.emit(Event::ItemCompleted),
                (Err(error), BatchKind::Stop) => {
                    self.emit(Event::BatchInterrupted { index, error });
                    return Ok(());
                }
                (Err(error), BatchKind::All) => return Err(error),
                (Err(error), BatchKind::Force) => {
                    all_went_well = false;
                    self.emit(Event::ItemFailed { error });
                }
            }
        }
        self.emit(if all_went_well { Event::BatchCompleted } else { Event::BatchCompletedWithErrors });
        Ok(())
    }

    /// Source: `frame_system`, `remark`, `remark_with_event`.
    fn remark(&mut self, origin: Origin, bytes: &[u8], with_event: bool) -> Dispatch {
        if with_event {
            let sender = origin.signed()?;
            self.emit(Event::Remarked { sender, hash: chain::blake2_256(bytes) });
        }
        Ok(())
    }

    fn dispatch(&mut self, origin: Origin, call: &Call) -> Dispatch {
        match call {
            Call::Sudo { call } => self.sudo(origin, call),
            Call::Batch { kind, calls } => self.batch(origin, *kind, calls),
            Call::Remark { bytes, with_event } => self.remark(origin, bytes, *with_event),
            Call::Transfer { to, amount } => self.transfer(origin, *to, *amount, Preservation::Preserve),
            Call::TransferAllowDeath { to, amount } => {
                self.transfer(origin, *to, *amount, Preservation::Expendable)
            }
            Call::TransferAll { to, keep_alive } => self.transfer_all(origin, *to, *keep_alive),
            Call::SetBalance { account, free } => self.set_balance(origin, *account, *free),
            Call::RegisterNetwork { hotkey } => self.register_network(origin, *hotkey, None),
            Call::RegisterNetworkWithIdentity { hotkey, identity } => {
                self.register_network(origin, *hotkey, identity.as_ref())
            }
            Call::DissolveNetwork { netuid } => self.dissolve_network(origin, *netuid),
            Call::SwapHotkey { hotkey, new_hotkey, netuid, keep_stake } => {
                self.swap_hotkey(origin, (*hotkey, *new_hotkey), *netuid, *keep_stake)
            }
            Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost } => {
                self.swap_coldkey(origin, *old_coldkey, *new_coldkey, *swap_cost)
            }
            Call::AnnounceColdkeySwap { new_coldkey_hash } => {
                self.announce_coldkey_swap(origin, *new_coldkey_hash)
            }
            Call::SwapColdkeyAnnounced { new_coldkey } => self.swap_coldkey_announced(origin, *new_coldkey),
            Call::DisputeColdkeySwap => self.dispute_coldkey_swap(origin),
            Call::ClearColdkeySwapAnnouncement => self.clear_coldkey_swap(origin),
            Call::ResetColdkeySwap { coldkey } => self.reset_coldkey_swap(origin, *coldkey),
            Call::SetIdentity { identity } => self.set_identity(origin, identity),
            Call::SetSubnetIdentity { netuid, identity } => {
                self.set_subnet_identity(origin, *netuid, identity)
            }
            Call::UpdateSymbol { netuid, symbol } => self.update_symbol(origin, *netuid, symbol),
            Call::SetSubnetOwnerHotkey { netuid, hotkey } => self.set_owner_hotkey(origin, *netuid, *hotkey),
            Call::TrimToMaxAllowedUids { netuid, max_n } => {
                self.trim_to_max_allowed_uids(origin, *netuid, *max_n)
            }
            Call::SetEpochConsensus { netuid, mode } => self.set_epoch_consensus(origin, *netuid, *mode),
            Call::AddStakeBurn { hotkey, netuid, amount, limit } => {
                self.add_stake_burn(origin, *hotkey, *netuid, *amount, *limit)
            }
            Call::StartCall { netuid } => self.start_call(origin, *netuid),
            Call::BurnedRegister { netuid, hotkey } => self.burned_register(origin, *netuid, *hotkey, None),
            Call::RegisterLimit { netuid, hotkey, limit_price } => {
                self.burned_register(origin, *netuid, *hotkey, Some(*limit_price))
            }
            Call::AddStake { hotkey, netuid, amount } => {
                self.add_stake(origin, *hotkey, *netuid, *amount).map(|_| ())
            }
            Call::AddStakeLimit { hotkey, netuid, amount, limit_price, allow_partial } => {
                let limit = PriceLimit { price: *limit_price, allow_partial: *allow_partial };
                self.add_stake_limit(origin, *hotkey, *netuid, *amount, limit).map(|_| ())
            }
            Call::RemoveStake { hotkey, netuid, amount } => {
                self.remove_stake(origin, *hotkey, *netuid, *amount)
            }
            Call::RemoveStakeLimit { hotkey, netuid, amount, limit_price, allow_partial } => {
                let limit = PriceLimit { price: *limit_price, allow_partial: *allow_partial };
                self.remove_stake_limit(origin, *hotkey, *netuid, *amount, limit)
            }
            Call::IncreaseTake { hotkey, take } => self.increase_take(origin, *hotkey, *take),
            Call::DecreaseTake { hotkey, take } => self.decrease_take(origin, *hotkey, *take),
            Call::ServeAxon { netuid, axon } => self.serve_axon(origin, *netuid, axon, None),
            Call::ServeAxonTls { netuid, axon, certificate } => {
                self.serve_axon(origin, *netuid, axon, Some(certificate))
            }
            Call::ServePrometheus { netuid, prometheus } => {
                self.serve_prometheus(origin, *netuid, prometheus)
            }
            Call::SetWeights { netuid, mechid, weights, version_key } => {
                self.set_weights(origin, *netuid, *mechid, weights, *version_key)
            }
            Call::CommitWeights { netuid, mechid, commit_hash } => {
                self.commit_weights(origin, *netuid, *mechid, *commit_hash)
            }
            Call::RevealWeights { netuid, mechid, weights, salt, version_key } => {
                let (hotkey, netuid, mechid) = (Hotkey(origin.signed()?), *netuid, *mechid);
                let version_key = *version_key;
                let opened = WeightsCommitment { hotkey, netuid, mechid, weights, salt, version_key };
                self.reveal_weights(&opened, weights)
            }
            Call::CommitTimelockedWeights { netuid, mechid, commit, reveal_round, version } => {
                let at = (*netuid, *mechid);
                self.commit_timelocked_weights(origin, at, commit, *reveal_round, *version)
            }
            Call::WritePulse { pulses } => self.write_pulses(origin, pulses),
            Call::BatchSetWeights { netuids, weights, version_keys } => {
                self.batch_set_weights(origin, netuids, weights, version_keys)
            }
            Call::BatchCommitWeights { netuids, commit_hashes } => {
                self.batch_commit_weights(origin, netuids, commit_hashes)
            }
            Call::BatchRevealWeights { netuid, uids_list, values_list, salts_list, version_keys } => {
                let opened = batch_of_reveals(uids_list, values_list, salts_list, version_keys)?;
                self.batch_reveal_weights(origin, *netuid, &opened)
            }
            Call::UnstakeAll { hotkey } => self.unstake_all(origin, *hotkey),
            Call::UnstakeAllAlpha { hotkey } => self.unstake_all_alpha(origin, *hotkey),
            Call::RemoveStakeFullLimit { hotkey, netuid, limit_price } => {
                self.remove_stake_full(origin, *hotkey, *netuid, *limit_price)
            }
            Call::MoveStake {
                origin_hotkey,
                destination_hotkey,
                origin_netuid,
                destination_netuid,
                alpha_amount,
            } => {
                let from = (*origin_hotkey, *origin_netuid);
                let to = (*destination_hotkey, *destination_netuid);
                self.move_stake(origin, from, to, *alpha_amount)
            }
            Call::TransferStake {
                destination_coldkey,
                hotkey,
                origin_netuid,
                destination_netuid,
                alpha_amount,
            } => {
                let nets = (*origin_netuid, *destination_netuid);
                self.transfer_stake(origin, *destination_coldkey, *hotkey, nets, *alpha_amount)
            }
            Call::SwapStake { hotkey, origin_netuid, destination_netuid, alpha_amount } => {
                let nets = (*origin_netuid, *destination_netuid);
                self.swap_stake(origin, *hotkey, nets, *alpha_amount, None)
            }
            Call::SwapStakeLimit {
                hotkey,
                origin_netuid,
                destination_netuid,
                alpha_amount,
                limit_price,
                allow_partial,
            } => {
                let nets = (*origin_netuid, *destination_netuid);
                let limit = PriceLimit { price: *limit_price, allow_partial: *allow_partial };
                self.swap_stake(origin, *hotkey, nets, *alpha_amount, Some(limit))
            }
            Call::RecycleAlpha { hotkey, amount, netuid } => {
                self.destroy_alpha(origin, *hotkey, *amount, *netuid, Destroyed::Recycled)
            }
            Call::BurnAlpha { hotkey, amount, netuid } => {
                self.destroy_alpha(origin, *hotkey, *amount, *netuid, Destroyed::Burned)
            }
            Call::RootRegister { hotkey } => self.root_register(origin, *hotkey),
            Call::ClaimRoot { subnets } => self.claim_root(origin, subnets),
            Call::SetRootClaimType { new_root_claim_type } => {
                self.set_root_claim_type(origin, new_root_claim_type)
            }
            Call::SetRootClaimThreshold { netuid, new_value } => {
                self.set_root_claim_threshold(origin, *netuid, *new_value)
            }
            Call::SetChildren { hotkey, netuid, children } => {
                self.set_children(origin, *hotkey, *netuid, children)
            }
            Call::SetChildkeyTake { hotkey, netuid, take } => {
                self.set_childkey_take(origin, *hotkey, *netuid, *take)
            }
            Call::TryAssociateHotkey { hotkey } => self.try_associate_hotkey(origin, *hotkey),
            Call::SetColdkeyAutoStakeHotkey { netuid, hotkey } => {
                self.set_auto_stake(origin, *netuid, *hotkey)
            }
            Call::SetCommitment { netuid, fields } => self.set_commitment(origin, *netuid, fields),
            Call::SetHyperparameter { netuid, value } => self.set_hyperparameter(origin, *netuid, *value),
            Call::SetMechanismEmissionSplit { netuid, split } => {
                self.set_mechanism_split(origin, *netuid, split.as_deref())
            }
            Call::SetTempo { netuid, tempo } => self.set_tempo(origin, *netuid, *tempo),
            Call::SetActivityCutoffFactor { netuid, factor_milli } => {
                self.set_activity_cutoff_factor(origin, *netuid, *factor_milli)
            }
            Call::TriggerEpoch { netuid } => self.trigger_epoch(origin, *netuid),
            Call::SetSubnetEmissionEnabled { netuid, enabled } => {
                self.set_emission_enabled(origin, *netuid, *enabled)
            }
            Call::SetSubtokenEnabled { netuid, enabled } => {
                self.set_subtoken_enabled(origin, *netuid, *enabled)
            }
            Call::SetChainParameter { value } => self.set_chain_parameter(origin, *value),
        }
    }
}
