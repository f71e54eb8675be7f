//! What happened in a block, as the events that clients read.

use std::{collections::BTreeMap, sync::LazyLock};

use chain::{
    ChainParameter as C, Hyperparameter as H, MechId as Mech, ModuleError as Failure, NetUid as Net,
};
use parity_scale_codec::Compact;
use scale_info::{TypeDef, TypeInfo};

use super::{bounded::FixedU128, events::*, failures::*, shapes::*};
use crate::{
    Event, RevealFailure as Why, State,
    block::{Payment, Receipt},
    fees::DispatchInfo,
};

/// What the inherent weighs, in picoseconds. Source: `pallet_timestamp`, `set`: two reads, one write.
const INHERENT_REF_TIME: u64 = 161_000_000;
/// Proof that the inherent takes, in bytes.
const INHERENT_PROOF_SIZE: u64 = 1493;

/// The events of the newest block, in order. A state that was read from a snapshot has none.
pub(crate) fn of_block(state: &State) -> Vec<EventRecord> {
    if state.head().number == 0 || state.body().is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut put = |phase: &Phase, event: RuntimeEvent| {
        all.push(EventRecord { phase: phase.clone(), event, topics: Vec::new() });
    };
    let receipts = state.receipts();
    for event in receipts.initialization().iter().flat_map(|event| shown(state, event)) {
        put(&Phase::Initialization, event);
    }
    let inherent = DispatchEventInfo {
        weight: weight(INHERENT_REF_TIME, INHERENT_PROOF_SIZE),
        class: DispatchClass::Mandatory,
        pays_fee: Pays::Yes,
    };
    put(&Phase::ApplyExtrinsic(0), system(SystemEvent::ExtrinsicSuccess { dispatch_info: inherent }));
    for (index, receipt) in (1..).zip(&receipts.of) {
        let phase = Phase::ApplyExtrinsic(index);
        let Receipt { signer, outcome, payment, info, .. } = receipt;
        let who = AccountId32::from(*signer);
        let Payment { withdrawn, refund, to_author, tip } = *payment;
        if !withdrawn.is_zero() {
            put(&phase, balances(BalancesEvent::Withdraw { who: who.clone(), amount: withdrawn.into() }));
        }
        for event in receipts.events_of(receipt).iter().flat_map(|event| shown(state, event)) {
            put(&phase, event);
        }
        if !withdrawn.is_zero() {
            put(&phase, balances(BalancesEvent::Deposit { who: who.clone(), amount: refund.into() }));
        }
        if !to_author.is_zero() {
            let author = state.ledger().settings.author.into();
            put(&phase, balances(BalancesEvent::Deposit { who: author, amount: to_author.into() }));
        }
        let actual_fee = withdrawn.saturating_sub(refund).into();
        let paid = TransactionPaymentEvent::TransactionFeePaid { who, actual_fee, tip: tip.into() };
        put(&phase, RuntimeEvent::TransactionPayment(paid));
        let dispatch_info = event_info(info);
        put(
            &phase,
            system(match outcome {
                Ok(()) => SystemEvent::ExtrinsicSuccess { dispatch_info },
                Err(error) => {
                    SystemEvent::ExtrinsicFailed { dispatch_error: dispatch_error(*error), dispatch_info }
                }
            }),
        );
    }
    all
}

fn weight(ref_time: u64, proof_size: u64) -> Weight {
    Weight { ref_time: Compact(ref_time), proof_size: Compact(proof_size) }
}

fn event_info(info: &DispatchInfo) -> DispatchEventInfo {
    DispatchEventInfo {
        weight: weight(info.ref_time_ps, info.proof_bytes),
        class: if info.operational { DispatchClass::Operational } else { DispatchClass::Normal },
        pays_fee: if info.pays && !info.refunded { Pays::Yes } else { Pays::No },
    }
}

fn system(event: SystemEvent) -> RuntimeEvent {
    RuntimeEvent::System(event)
}

fn balances(event: BalancesEvent) -> RuntimeEvent {
    RuntimeEvent::Balances(event)
}

fn storage_index(netuid: Net, mechid: Mech) -> NetUidStorageIndex {
    NetUidStorageIndex(chain::storage_index(netuid, mechid))
}

/// What a client sees of an event of ours: mostly one event, for some none.
#[expect(clippy::too_many_lines, reason = "a table")]
fn shown(state: &State, event: &Event) -> Vec<RuntimeEvent> {
    use SubtensorEvent as S;
    let one = match event.clone() {
        Event::Transfer { from, to, amount } => {
            let (from, to) = (from.into(), to.into());
            return vec![balances(BalancesEvent::Transfer { from, to, amount: amount.into() })];
        }
        Event::BalanceSet { account, free } => {
            return vec![balances(BalancesEvent::BalanceSet { who: account.into(), free: free.into() })];
        }
        Event::DustLost { account, amount } => {
            let (account, amount) = (account.into(), amount.into());
            return vec![balances(BalancesEvent::DustLost { account, amount })];
        }
        Event::Remarked { sender, hash } => {
            return vec![system(SystemEvent::Remarked { sender: sender.into(), hash: hash.into() })];
        }
        Event::Sudid { result } => {
            let sudo_result = result.map_err(dispatch_error);
            return vec![RuntimeEvent::Sudo(SudoEvent::Sudid { sudo_result })];
        }
        Event::ItemCompleted => return vec![RuntimeEvent::Utility(UtilityEvent::ItemCompleted)],
        Event::ItemFailed { error } => {
            let error = dispatch_error(error);
            return vec![RuntimeEvent::Utility(UtilityEvent::ItemFailed { error })];
        }
        Event::BatchInterrupted { index, error } => {
            let error = dispatch_error(error);
            return vec![RuntimeEvent::Utility(UtilityEvent::BatchInterrupted { index, error })];
        }
        Event::BatchCompleted => return vec![RuntimeEvent::Utility(UtilityEvent::BatchCompleted)],
        Event::BatchCompletedWithErrors => {
            return vec![RuntimeEvent::Utility(UtilityEvent::BatchCompletedWithErrors)];
        }
        Event::Commitment { netuid, hotkey } => {
            let (netuid, who) = (netuid.into(), hotkey.into());
            return vec![RuntimeEvent::Commitments(CommitmentsEvent::Commitment { netuid, who })];
        }
        Event::TimelockCommitment { netuid, hotkey, reveal_round } => {
            let (netuid, who) = (netuid.into(), hotkey.into());
            let event = CommitmentsEvent::TimelockCommitment { netuid, who, reveal_round };
            return vec![RuntimeEvent::Commitments(event)];
        }
        Event::CommitmentRevealed { netuid, hotkey } => {
            let (netuid, who) = (netuid.into(), hotkey.into());
            return vec![RuntimeEvent::Commitments(CommitmentsEvent::CommitmentRevealed { netuid, who })];
        }
        Event::CommitmentRevealFailed { netuid, hotkey, reveal_round, error } => {
            let (netuid, who) = (netuid.into(), hotkey.into());
            let error = match error {
                Why::CiphertextDeserialize => RevealFailure::CiphertextDeserialize,
                Why::Decrypt => RevealFailure::Decrypt,
                Why::EmptyPlaintext => RevealFailure::EmptyPlaintext,
            };
            let event = CommitmentsEvent::CommitmentRevealFailed { netuid, who, reveal_round, error };
            return vec![RuntimeEvent::Commitments(event)];
        }
        Event::NewPulse { rounds } => return vec![RuntimeEvent::Drand(DrandEvent::NewPulse { rounds })],
        Event::StakeMoved {
            coldkey,
            origin_hotkey,
            origin_netuid,
            destination_hotkey,
            destination_netuid,
            tao,
        } => S::StakeMoved(
            coldkey.into(),
            origin_hotkey.into(),
            origin_netuid.into(),
            destination_hotkey.into(),
            destination_netuid.into(),
            tao.into(),
        ),
        Event::StakeTransferred {
            origin_coldkey,
            destination_coldkey,
            hotkey,
            origin_netuid,
            destination_netuid,
            tao,
        } => S::StakeTransferred(
            origin_coldkey.into(),
            destination_coldkey.into(),
            hotkey.into(),
            origin_netuid.into(),
            destination_netuid.into(),
            tao.into(),
        ),
        Event::StakeSwapped { coldkey, hotkey, origin_netuid, destination_netuid, tao } => S::StakeSwapped(
            coldkey.into(),
            hotkey.into(),
            origin_netuid.into(),
            destination_netuid.into(),
            tao.into(),
        ),
        Event::AlphaRecycled { coldkey, hotkey, amount, netuid } => {
            S::AlphaRecycled(coldkey.into(), hotkey.into(), amount.into(), netuid.into())
        }
        Event::AlphaBurned { coldkey, hotkey, amount, netuid } => {
            S::AlphaBurned(coldkey.into(), hotkey.into(), amount.into(), netuid.into())
        }
        Event::BatchWeightItemFailed { netuid, error } => {
            S::BatchWeightItemFailed(netuid.into(), dispatch_error(error))
        }
        Event::BatchWeightsCompleted { netuids, hotkey } => {
            let netuids = netuids.into_iter().map(|netuid| Compact(netuid.into())).collect();
            S::BatchWeightsCompleted(netuids, hotkey.into())
        }
        Event::BatchWeightsCompletedWithErrors => S::BatchCompletedWithErrors,
        Event::WeightsBatchRevealed { hotkey, netuid, hashes } => {
            let hashes = hashes.into_iter().map(H256::from).collect();
            S::WeightsBatchRevealed(hotkey.into(), netuid.into(), hashes)
        }
        Event::TimelockedWeightsCommitted { netuid, mechid, hotkey, hash, round } => {
            let index = storage_index(netuid, mechid);
            S::TimelockedWeightsCommitted(hotkey.into(), index, hash.into(), round)
        }
        Event::TimelockedWeightsRevealed { netuid, mechid, hotkey } => {
            S::TimelockedWeightsRevealed(storage_index(netuid, mechid), hotkey.into())
        }
        Event::RootClaimed { coldkey, tao } => S::RootClaimed { coldkey: coldkey.into(), tao: tao.into() },
        Event::SubnetEmissionEnabledSet { netuid, enabled } => {
            let set = AdminUtilsEvent::SubnetEmissionEnabledSet { netuid: netuid.into(), enabled };
            return vec![RuntimeEvent::AdminUtils(set)];
        }
        Event::HyperparameterSet { netuid, value } => return hyperparameter_set(netuid, value),
        Event::ChainParameterSet { value } => match parameter_set(value) {
            Some(event) => event,
            None => return Vec::new(),
        },
        Event::NetworkAdded { netuid, .. } => S::NetworkAdded(netuid.into(), 1),
        Event::NetworkRemoved { netuid } => S::NetworkRemoved(netuid.into()),
        Event::HotkeySwapped { coldkey, old_hotkey, new_hotkey } => S::HotkeySwapped {
            coldkey: coldkey.into(),
            old_hotkey: old_hotkey.into(),
            new_hotkey: new_hotkey.into(),
        },
        Event::HotkeySwappedOnSubnet { coldkey, old_hotkey, new_hotkey, netuid } => {
            S::HotkeySwappedOnSubnet {
                coldkey: coldkey.into(),
                old_hotkey: old_hotkey.into(),
                new_hotkey: new_hotkey.into(),
                netuid: netuid.into(),
            }
        }
        Event::ColdkeySwapAnnounced { who, new_coldkey_hash } => {
            S::ColdkeySwapAnnounced { who: who.into(), new_coldkey_hash: new_coldkey_hash.into() }
        }
        Event::ColdkeySwapped { old_coldkey, new_coldkey } => {
            S::ColdkeySwapped { old_coldkey: old_coldkey.into(), new_coldkey: new_coldkey.into() }
        }
        Event::ColdkeySwapDisputed { coldkey } => S::ColdkeySwapDisputed { coldkey: coldkey.into() },
        Event::ColdkeySwapReset { who } => S::ColdkeySwapReset { who: who.into() },
        Event::ColdkeySwapCleared { who } => S::ColdkeySwapCleared { who: who.into() },
        Event::ChainIdentitySet { coldkey } => S::ChainIdentitySet(coldkey.into()),
        Event::SubnetIdentitySet { netuid } => S::SubnetIdentitySet(netuid.into()),
        Event::PrometheusServed { netuid, hotkey } => S::PrometheusServed(netuid.into(), hotkey.into()),
        Event::SymbolUpdated { netuid, symbol } => S::SymbolUpdated { netuid: netuid.into(), symbol },
        Event::SubnetOwnerHotkeySet { netuid, hotkey } => {
            S::SubnetOwnerHotkeySet(netuid.into(), hotkey.into())
        }
        Event::AddStakeBurn { netuid, hotkey, amount, alpha } => S::AddStakeBurn {
            netuid: netuid.into(),
            hotkey: hotkey.into(),
            amount: amount.into(),
            alpha: alpha.into(),
        },
        Event::FirstEmissionBlockNumberSet { netuid, block } => {
            S::FirstEmissionBlockNumberSet(netuid.into(), block)
        }
        Event::NeuronRegistered { netuid, uid, hotkey } => {
            S::NeuronRegistered(netuid.into(), uid.0, hotkey.into())
        }
        Event::StakeAdded { coldkey, hotkey, netuid, tao, alpha, fee } => {
            S::StakeAdded(coldkey.0.into(), hotkey.into(), tao.into(), alpha.into(), netuid.into(), fee.0)
        }
        Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha, fee } => {
            let paid_in = alpha.saturating_sub(fee);
            S::StakeRemoved(coldkey.0.into(), hotkey.into(), tao.into(), paid_in.into(), netuid.into(), fee.0)
        }
        Event::TakeIncreased { coldkey, hotkey, take } => {
            S::TakeIncreased(coldkey.0.into(), hotkey.into(), take)
        }
        Event::TakeDecreased { coldkey, hotkey, take } => {
            S::TakeDecreased(coldkey.0.into(), hotkey.into(), take)
        }
        Event::AxonServed { netuid, hotkey } => S::AxonServed(netuid.into(), hotkey.into()),
        Event::WeightsSet { netuid, mechid, uid } => S::WeightsSet(storage_index(netuid, mechid), uid.0),
        Event::WeightsCommitted { netuid, mechid, hotkey, hash } => {
            S::WeightsCommitted(hotkey.into(), storage_index(netuid, mechid), hash.into())
        }
        Event::WeightsRevealed { netuid, mechid, hotkey, hash } => {
            S::WeightsRevealed(hotkey.into(), storage_index(netuid, mechid), hash.into())
        }
        Event::EpochTriggered { netuid, by, at } => {
            S::EpochTriggered { netuid: netuid.into(), by: by.into(), fires_at: at }
        }
        Event::EpochDeferred { netuid, from_block, to_block } => {
            S::EpochDeferred { netuid: netuid.into(), from_block, to_block }
        }
        Event::EpochRan { netuid, emission, .. } => {
            let neurons = usize::from(state.ledger().neurons(netuid));
            let mut emissions = vec![AlphaBalance(0); neurons];
            for earned in &emission {
                if let Some(place) = emissions.get_mut(earned.uid.index()) {
                    *place = earned.incentive.into();
                }
            }
            S::IncentiveAlphaEmittedToMiners { netuid: storage_index(netuid, Mech::MAIN), emissions }
        }
        Event::SetChildrenScheduled { hotkey, netuid, due, children } => {
            S::SetChildrenScheduled(hotkey.into(), netuid.into(), due, parts(children))
        }
        Event::SetChildren { hotkey, netuid, children } => {
            S::SetChildren(hotkey.into(), netuid.into(), parts(children))
        }
        Event::ChildKeyTakeSet { hotkey, take } => S::ChildKeyTakeSet(hotkey.into(), take),
        Event::AutoStakeDestinationSet { coldkey, netuid, hotkey } => {
            let (coldkey, netuid, hotkey) = (coldkey.0.into(), netuid.into(), hotkey.into());
            S::AutoStakeDestinationSet { coldkey, netuid, hotkey }
        }
        Event::AutoStakeAdded { netuid, destination, hotkey, owner, incentive } => S::AutoStakeAdded {
            netuid: netuid.into(),
            destination: destination.into(),
            hotkey: hotkey.into(),
            owner: owner.0.into(),
            incentive: incentive.into(),
        },
        // The chain has no event for these, or none in its metadata here.
        _ => return Vec::new(),
    };
    vec![RuntimeEvent::SubtensorModule(one)]
}

fn parts(children: Vec<(u64, chain::Hotkey)>) -> Vec<(u64, AccountId32)> {
    children.into_iter().map(|(part, child)| (part, child.into())).collect()
}

fn hyperparameter_set(netuid: Net, value: H) -> Vec<RuntimeEvent> {
    use SubtensorEvent as S;
    let netuid = NetUid::from(netuid);
    let admin = |event| vec![RuntimeEvent::AdminUtils(event)];
    vec![RuntimeEvent::SubtensorModule(match value {
        H::Tempo(value) => S::TempoSet(netuid, value),
        H::Kappa(value) => S::KappaSet(netuid, value),
        H::Rho(value) => S::RhoSet(netuid, value),
        H::ImmunityPeriod(value) => S::ImmunityPeriodSet(netuid, value),
        H::MinAllowedUids(value) => S::MinAllowedUidsSet(netuid, value),
        H::MaxAllowedUids(value) => S::MaxAllowedUidsSet(netuid, value),
        H::MaxAllowedValidators(value) => S::MaxAllowedValidatorsSet(netuid, value),
        H::MinAllowedWeights(value) => S::MinAllowedWeightSet(netuid, value),
        H::MaxWeightsLimit(value) => S::MaxWeightLimitSet(netuid, value),
        H::WeightsSetRateLimit(value) => S::WeightsSetRateLimitSet(netuid, value),
        H::WeightsVersionKey(value) => S::WeightsVersionKeySet(netuid, value),
        H::ActivityCutoffFactorMilli(factor_milli) => {
            S::ActivityCutoffFactorMilliSet { netuid, factor_milli }
        }
        H::ServingRateLimit(value) => S::ServingRateLimitSet(netuid, value),
        H::CommitRevealWeightsEnabled(value) => S::CommitRevealEnabled(netuid, value),
        H::RevealPeriodEpochs(value) => S::CommitRevealPeriodsSet(netuid, value),
        H::NetworkRegistrationAllowed(value) => S::RegistrationAllowed(netuid, value),
        H::MinBurn(value) => S::MinBurnSet(netuid, value.into()),
        H::MaxBurn(value) => S::MaxBurnSet(netuid, value.into()),
        H::BurnHalfLife(burn_half_life) => {
            return admin(AdminUtilsEvent::BurnHalfLifeSet { netuid, burn_half_life });
        }
        H::BurnIncreaseMult(bits) => {
            let burn_increase_mult = FixedU128 { bits };
            return admin(AdminUtilsEvent::BurnIncreaseMultSet { netuid, burn_increase_mult });
        }
        H::BondsMovingAverage(value) => S::BondsMovingAverageSet(netuid, value),
        H::BondsPenalty(value) => S::BondsPenaltySet(netuid, value),
        H::BondsReset(enabled) => {
            let toggled = AdminUtilsEvent::BondsResetToggled { netuid: netuid.clone(), enabled };
            let set = S::BondsResetOnSet(netuid, enabled);
            return vec![RuntimeEvent::SubtensorModule(set), RuntimeEvent::AdminUtils(toggled)];
        }
        H::Yuma3(enabled) => return admin(AdminUtilsEvent::Yuma3EnableToggled { netuid, enabled }),
        H::AlphaSigmoidSteepness(value) => S::AlphaSigmoidSteepnessSet(netuid, value),
        H::MinNonImmuneUids(value) => S::MinNonImmuneUidsSet(netuid, value),
        H::TransfersEnabled(value) => S::TransferToggle(netuid, value),
        H::MinChildkeyTake(value) => S::MinChildKeyTakePerSubnetSet(netuid, value),
        // Seen on a running chain: no event.
        H::LiquidAlpha(_)
        | H::AlphaValues(_)
        | H::MechanismCount(_)
        | H::OwnerImmuneNeuronLimit(_)
        | H::RecycleOwnerIncentive(_)
        | H::OwnerCutEnabled(_) => return Vec::new(),
    })]
}

fn parameter_set(value: C) -> Option<SubtensorEvent> {
    use SubtensorEvent as S;
    Some(match value {
        C::AdminFreezeWindow(value) => S::AdminFreezeWindowSet(value),
        C::OwnerHyperparameterRateLimit(value) => S::OwnerHyperparamRateLimitSet(value),
        C::StakeThreshold(value) => S::StakeThresholdSet(value),
        C::NetworkRateLimit(value) => S::NetworkRateLimitSet(value),
        C::NetworkImmunityPeriod(value) => S::NetworkImmunityPeriodSet(value),
        C::NetworkMinLockCost(value) => S::NetworkMinLockCostSet(value.into()),
        C::LockReductionInterval(value) => S::NetworkLockCostReductionIntervalSet(value),
        C::SubnetLimit(value) => S::SubnetLimitSet(value),
        C::MaxEpochsPerBlock(value) => S::MaxEpochsPerBlockSet(value),
        C::SubnetOwnerCut(value) => S::SubnetOwnerCutSet(value),
        C::TxDelegateTakeRateLimit(value) => S::TxDelegateTakeRateLimitSet(value),
        C::TxRateLimit(value) => S::TxRateLimitSet(value),
        C::MinDelegateTake(value) => S::MinDelegateTakeSet(value),
        // The setter's name is older than what it sets.
        C::DefaultTake(value) => S::MaxDelegateTakeSet(value),
        C::StartCallDelay(value) => S::StartCallDelaySet(value),
        C::TxChildkeyTakeRateLimit(value) => S::TxChildKeyTakeRateLimitSet(value),
        C::MinChildkeyTake(value) => S::MinChildKeyTakeSet(value),
        C::MaxChildkeyTake(value) => S::MaxChildKeyTakeSet(value),
        C::CommitRevealVersion(value) => S::CommitRevealVersionSet(value),
        C::ColdkeySwapAnnouncementDelay(value) => S::ColdkeySwapAnnouncementDelaySet(value),
        C::ColdkeySwapReannouncementDelay(value) => S::ColdkeySwapReannouncementDelaySet(value),
        C::MaxMechanismCount(_)
        | C::NominatorMinRequiredStake(_)
        | C::PendingChildKeyCooldown(_)
        | C::NumRootClaims(_) => return None,
    })
}

/// A failure as clients read it.
pub(crate) fn dispatch_error(error: Failure) -> DispatchError {
    match error {
        Failure::BadOrigin => DispatchError::BadOrigin,
        Failure::InsufficientBalance => DispatchError::Token(TokenError::FundsUnavailable),
        Failure::ExistentialDeposit => DispatchError::Token(TokenError::BelowMinimum),
        Failure::Expendability => DispatchError::Token(TokenError::NotExpendable),
        error => match MODULE_ERRORS.get(format!("{error:?}").as_str()) {
            Some((index, number)) => {
                DispatchError::Module(ModuleError { index: *index, error: [*number, 0, 0, 0] })
            }
            None => DispatchError::Other,
        },
    }
}

/// The pallets' errors by name: the pallet's index and the error's. Where several have one of the same name, the first is
/// meant.
static MODULE_ERRORS: LazyLock<BTreeMap<&'static str, (u8, u8)>> = LazyLock::new(|| {
    let pallets = [
        (7, SubtensorError::type_info()),
        (19, AdminUtilsError::type_info()),
        (18, CommitmentsError::type_info()),
        (28, SwapError::type_info()),
        (11, UtilityError::type_info()),
        (26, DrandError::type_info()),
        (12, SudoError::type_info()),
        (5, BalancesError::type_info()),
    ];
    let mut errors = BTreeMap::new();
    for (pallet, info) in pallets {
        let TypeDef::Variant(variants) = info.type_def else { continue };
        for variant in variants.variants {
            errors.entry(variant.name).or_insert((pallet, variant.index));
        }
    }
    errors
});

#[cfg(test)]
mod tests {
    use parity_scale_codec::Decode;

    use super::*;

    /// Failures that no client's call comes to, and which the chain has no names for.
    const UNNAMED: [&str; 2] = ["CommitmentFieldTooLong", "InvalidTake"];

    #[test]
    fn every_failure_is_told_by_its_own_name() {
        let all = (0..=u8::MAX).map_while(|number| Failure::decode(&mut &[number][..]).ok());
        let unnamed = all.filter(|error| dispatch_error(*error) == DispatchError::Other);
        let unnamed: Vec<String> = unnamed.map(|error| format!("{error:?}")).collect();
        assert!(unnamed.iter().all(|name| UNNAMED.contains(&name.as_str())), "{unnamed:?}");
    }

    /// The Python SDK takes an error's index for its position.
    #[test]
    fn no_error_that_is_told_stands_behind_a_gap() {
        let all = (0..=u8::MAX).map_while(|number| Failure::decode(&mut &[number][..]).ok());
        for error in all {
            let DispatchError::Module(ModuleError { index: 7, error: [number, ..] }) = dispatch_error(error)
            else {
                continue;
            };
            let TypeDef::Variant(variants) = SubtensorError::type_info().type_def else {
                panic!("it is an enum")
            };
            assert_eq!(variants.variants[usize::from(number)].index, number, "{error:?}");
        }
    }

    #[test]
    fn failures_have_the_numbers_of_the_chain() {
        let module = |index, number| DispatchError::Module(ModuleError { index, error: [number, 0, 0, 0] });
        assert_eq!(dispatch_error(Failure::SubnetNotExists), module(7, 76));
        assert_eq!(dispatch_error(Failure::SpaceLimitExceeded), module(18, 2));
        assert_eq!(dispatch_error(Failure::SubnetDoesNotExist), module(19, 0));
        let balance = dispatch_error(Failure::InsufficientBalance);
        assert_eq!(balance, DispatchError::Token(TokenError::FundsUnavailable));
    }
}
