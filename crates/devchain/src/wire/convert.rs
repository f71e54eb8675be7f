//! From calls as they travel to calls as the rules know them. The way back is [`super::sending`].

use chain::{
    Axon, BatchKind, Call, ChainIdentity, ChainParameter, Coldkey, Digest, Hotkey, Hyperparameter as H,
    MechId as Mech, NetUid as Net, Prometheus, Rao, RootClaimType, SubnetIdentity, Uid, WeightVector,
};
use primitives::{AccountId, AlphaRao};

use super::{
    bounded::{BoundedVec, FixedU128},
    calls::{
        AdminUtilsCall, BalancesCall, CommitmentsCall, RuntimeCall, SubtensorCall, SudoCall, SystemCall,
        UtilityCall,
    },
    shapes::{
        AccountId32, AlphaBalance, EpochConsensus, H256, MechId, MultiAddress, NetUid, RecycleOrBurnEnum,
        RootClaimTypeEnum, SubnetIdentityV3, TaoBalance,
    },
};

/// A newtype's own field, whatever it is called.
macro_rules! pair {
    ($($wire:ident($own:ty);)*) => {$(
        impl From<$wire> for $own {
            fn from(value: $wire) -> Self {
                Self(value.0)
            }
        }
        impl From<$own> for $wire {
            fn from(value: $own) -> Self {
                Self(value.0)
            }
        }
    )*};
}

pair! {
    NetUid(Net);
    MechId(Mech);
    TaoBalance(Rao);
    AlphaBalance(AlphaRao);
    AccountId32(AccountId);
    H256(Digest);
}

impl From<AccountId32> for Hotkey {
    fn from(value: AccountId32) -> Self {
        Self(value.into())
    }
}

impl From<Hotkey> for AccountId32 {
    fn from(value: Hotkey) -> Self {
        value.0.into()
    }
}

impl From<AccountId32> for Coldkey {
    fn from(value: AccountId32) -> Self {
        Self(value.into())
    }
}

impl From<Coldkey> for AccountId32 {
    fn from(value: Coldkey) -> Self {
        value.0.into()
    }
}

/// Both ways between structs of the same fields.
macro_rules! alike {
    ($($wire:ident $own:ident { $($field:ident),* };)*) => {$(
        impl From<$wire> for $own {
            fn from(wire: $wire) -> Self {
                let $wire { $($field),* } = wire;
                Self { $($field),* }
            }
        }
        impl From<$own> for $wire {
            fn from(own: $own) -> Self {
                let $own { $($field),* } = own;
                Self { $($field),* }
            }
        }
    )*};
}

alike! {
    SubnetIdentityV3 SubnetIdentity {
        subnet_name, github_repo, subnet_contact, subnet_url, discord, description, logo_url, additional
    };
}

impl From<RootClaimTypeEnum> for RootClaimType {
    fn from(wire: RootClaimTypeEnum) -> Self {
        match wire {
            RootClaimTypeEnum::Swap => Self::Swap,
            RootClaimTypeEnum::Keep => Self::Keep,
            RootClaimTypeEnum::KeepSubnets { subnets } => {
                Self::KeepSubnets { subnets: subnets.into_iter().map(Net::from).collect() }
            }
        }
    }
}

impl From<RootClaimType> for RootClaimTypeEnum {
    fn from(own: RootClaimType) -> Self {
        match own {
            RootClaimType::Swap => Self::Swap,
            RootClaimType::Keep => Self::Keep,
            RootClaimType::KeepSubnets { subnets } => {
                Self::KeepSubnets { subnets: subnets.into_iter().map(NetUid::from).collect() }
            }
        }
    }
}

/// A call that travels but that the rules don't carry out as a signed extrinsic: an inherent, or an address that can't be
/// looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCall {
    /// Only the block's author makes it.
    Inherent,
    /// The address names no account.
    Lookup,
    /// A list in it has more entries than it may have.
    TooLong,
}

fn account(address: MultiAddress) -> Result<AccountId, NoCall> {
    match address {
        MultiAddress::Id(id) => Ok(id.into()),
        MultiAddress::Index(_)
        | MultiAddress::Raw(_)
        | MultiAddress::Address32(_)
        | MultiAddress::Address20(_) => Err(NoCall::Lookup),
    }
}

fn weights(uids: Vec<u16>, values: Vec<u16>) -> WeightVector {
    WeightVector { uids: uids.into_iter().map(Uid).collect(), values }
}

impl TryFrom<RuntimeCall> for Call {
    type Error = NoCall;

    fn try_from(call: RuntimeCall) -> Result<Self, NoCall> {
        Ok(match call {
            RuntimeCall::System(SystemCall::remark { remark }) => {
                Self::Remark { bytes: remark, with_event: false }
            }
            RuntimeCall::System(SystemCall::remark_with_event { remark }) => {
                Self::Remark { bytes: remark, with_event: true }
            }
            RuntimeCall::Timestamp(_) => return Err(NoCall::Inherent),
            RuntimeCall::Balances(call) => balances(call)?,
            RuntimeCall::SubtensorModule(call) => subtensor(call)?,
            RuntimeCall::Utility(call) => {
                let (kind, calls) = match call {
                    UtilityCall::batch { calls } => (BatchKind::Stop, calls),
                    UtilityCall::batch_all { calls } => (BatchKind::All, calls),
                    UtilityCall::force_batch { calls } => (BatchKind::Force, calls),
                };
                Self::Batch { kind, calls: calls.into_iter().map(Self::try_from).collect::<Result<_, _>>()? }
            }
            RuntimeCall::Sudo(SudoCall::sudo { call } | SudoCall::sudo_unchecked_weight { call, .. }) => {
                Self::Sudo { call: Box::new((*call).try_into()?) }
            }
            RuntimeCall::Commitments(CommitmentsCall::set_commitment { netuid, info }) => {
                Self::SetCommitment {
                    netuid: netuid.into(),
                    fields: info.fields.0.into_iter().filter_map(|data| data.0).collect(),
                }
            }
            RuntimeCall::AdminUtils(call) => admin(call),
        })
    }
}

fn balances(call: BalancesCall) -> Result<Call, NoCall> {
    Ok(match call {
        BalancesCall::transfer_allow_death { dest, value } => {
            Call::TransferAllowDeath { to: account(dest)?, amount: value.0.into() }
        }
        BalancesCall::transfer_keep_alive { dest, value } => {
            Call::Transfer { to: account(dest)?, amount: value.0.into() }
        }
        BalancesCall::transfer_all { dest, keep_alive } => {
            Call::TransferAll { to: account(dest)?, keep_alive }
        }
        BalancesCall::force_set_balance { who, new_free } => {
            Call::SetBalance { account: account(who)?, free: new_free.0.into() }
        }
    })
}

fn subtensor(call: SubtensorCall) -> Result<Call, NoCall> {
    use SubtensorCall as S;
    let main = MechId(0);
    Ok(match call {
        S::set_weights { netuid, dests, weights: values, version_key } => {
            set_weights(netuid, main, dests, values, version_key)
        }
        S::set_mechanism_weights { netuid, mecid, dests, weights: values, version_key } => {
            set_weights(netuid, mecid, dests, values, version_key)
        }
        S::commit_weights { netuid, commit_hash } => commit_weights(netuid, main, commit_hash),
        S::commit_mechanism_weights { netuid, mecid, commit_hash } => {
            commit_weights(netuid, mecid, commit_hash)
        }
        S::reveal_weights { netuid, uids, values, salt, version_key } => Call::RevealWeights {
            netuid: netuid.into(),
            mechid: main.into(),
            weights: weights(uids, values),
            salt,
            version_key,
        },
        S::reveal_mechanism_weights { netuid, mecid, uids, values, salt, version_key } => {
            Call::RevealWeights {
                netuid: netuid.into(),
                mechid: mecid.into(),
                weights: weights(uids, values),
                salt,
                version_key,
            }
        }
        S::decrease_take { hotkey, take } => Call::DecreaseTake { hotkey: hotkey.into(), take },
        S::increase_take { hotkey, take } => Call::IncreaseTake { hotkey: hotkey.into(), take },
        S::add_stake { hotkey, netuid, amount_staked } => {
            Call::AddStake { hotkey: hotkey.into(), netuid: netuid.into(), amount: amount_staked.into() }
        }
        S::remove_stake { hotkey, netuid, amount_unstaked } => {
            Call::RemoveStake { hotkey: hotkey.into(), netuid: netuid.into(), amount: amount_unstaked.into() }
        }
        S::serve_axon { netuid, version, ip, port, ip_type, protocol, placeholder1, placeholder2 } => {
            let axon = Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 };
            Call::ServeAxon { netuid: netuid.into(), axon }
        }
        S::register { netuid, hotkey, .. } | S::burned_register { netuid, hotkey } => {
            Call::BurnedRegister { netuid: netuid.into(), hotkey: hotkey.into() }
        }
        S::root_register { hotkey } => Call::RootRegister { hotkey: hotkey.into() },
        S::register_network { hotkey } => Call::RegisterNetwork { hotkey: hotkey.into() },
        S::add_stake_limit { hotkey, netuid, amount_staked, limit_price, allow_partial } => {
            Call::AddStakeLimit {
                hotkey: hotkey.into(),
                netuid: netuid.into(),
                amount: amount_staked.into(),
                limit_price: limit_price.into(),
                allow_partial,
            }
        }
        S::remove_stake_limit { hotkey, netuid, amount_unstaked, limit_price, allow_partial } => {
            Call::RemoveStakeLimit {
                hotkey: hotkey.into(),
                netuid: netuid.into(),
                amount: amount_unstaked.into(),
                limit_price: limit_price.into(),
                allow_partial,
            }
        }
        S::serve_axon_tls {
            netuid,
            version,
            ip,
            port,
            ip_type,
            protocol,
            placeholder1,
            placeholder2,
            certificate,
        } => {
            let axon = Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 };
            Call::ServeAxonTls { netuid: netuid.into(), axon, certificate }
        }
        S::serve_prometheus { netuid, version, ip, port, ip_type } => {
            let prometheus = Prometheus { version, ip, port, ip_type };
            Call::ServePrometheus { netuid: netuid.into(), prometheus }
        }
        S::swap_hotkey { hotkey, new_hotkey, netuid } => swap_hotkey(hotkey, new_hotkey, netuid, false),
        S::swap_hotkey_v2 { hotkey, new_hotkey, netuid, keep_stake } => {
            swap_hotkey(hotkey, new_hotkey, netuid, keep_stake)
        }
        S::swap_coldkey { old_coldkey, new_coldkey, swap_cost } => Call::SwapColdkey {
            old_coldkey: old_coldkey.into(),
            new_coldkey: new_coldkey.into(),
            swap_cost: swap_cost.into(),
        },
        S::dissolve_network { netuid, .. } | S::root_dissolve_network { netuid } => {
            Call::DissolveNetwork { netuid: netuid.into() }
        }
        S::set_identity { name, url, github_repo, image, discord, description, additional } => {
            let identity = ChainIdentity { name, url, github_repo, image, discord, description, additional };
            Call::SetIdentity { identity }
        }
        S::set_subnet_identity {
            netuid,
            subnet_name,
            github_repo,
            subnet_contact,
            subnet_url,
            discord,
            description,
            logo_url,
            additional,
        } => Call::SetSubnetIdentity {
            netuid: netuid.into(),
            identity: SubnetIdentity {
                subnet_name,
                github_repo,
                subnet_contact,
                subnet_url,
                discord,
                description,
                logo_url,
                additional,
            },
        },
        S::register_network_with_identity { hotkey, identity } => Call::RegisterNetworkWithIdentity {
            hotkey: hotkey.into(),
            identity: identity.map(SubnetIdentity::from),
        },
        S::update_symbol { netuid, symbol } => Call::UpdateSymbol { netuid: netuid.into(), symbol },
        S::announce_coldkey_swap { new_coldkey_hash } => {
            Call::AnnounceColdkeySwap { new_coldkey_hash: new_coldkey_hash.into() }
        }
        S::swap_coldkey_announced { new_coldkey } => {
            Call::SwapColdkeyAnnounced { new_coldkey: new_coldkey.into() }
        }
        S::dispute_coldkey_swap => Call::DisputeColdkeySwap,
        S::reset_coldkey_swap { coldkey } => Call::ResetColdkeySwap { coldkey: coldkey.into() },
        S::clear_coldkey_swap_announcement => Call::ClearColdkeySwapAnnouncement,
        S::add_stake_burn { hotkey, netuid, amount, limit } => Call::AddStakeBurn {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            amount: amount.into(),
            limit: limit.map(Rao::from),
        },
        S::start_call { netuid } => Call::StartCall { netuid: netuid.into() },
        S::commit_timelocked_weights { netuid, commit, reveal_round, commit_reveal_version } => {
            commit_timelocked(netuid, main, commit, reveal_round, commit_reveal_version)?
        }
        S::commit_timelocked_mechanism_weights {
            netuid,
            mecid,
            commit,
            reveal_round,
            commit_reveal_version,
        } => commit_timelocked(netuid, mecid, commit, reveal_round, commit_reveal_version)?,
        S::register_limit { netuid, hotkey, limit_price } => {
            let limit_price = Rao(limit_price);
            Call::RegisterLimit { netuid: netuid.into(), hotkey: hotkey.into(), limit_price }
        }
        S::set_tempo { netuid, tempo } => Call::SetTempo { netuid: netuid.into(), tempo },
        S::set_activity_cutoff_factor { netuid, factor_milli } => {
            Call::SetActivityCutoffFactor { netuid: netuid.into(), factor_milli }
        }
        S::claim_root { subnets } => {
            Call::ClaimRoot { subnets: subnets.into_iter().map(Net::from).collect() }
        }
        S::set_root_claim_type { new_root_claim_type } => {
            Call::SetRootClaimType { new_root_claim_type: new_root_claim_type.into() }
        }
        S::sudo_set_root_claim_threshold { netuid, new_value } => {
            Call::SetRootClaimThreshold { netuid: netuid.into(), new_value }
        }
        S::set_children { hotkey, netuid, children } => Call::SetChildren {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            children: children.into_iter().map(|(part, child)| (part, child.into())).collect(),
        },
        S::set_childkey_take { hotkey, netuid, take } => {
            Call::SetChildkeyTake { hotkey: hotkey.into(), netuid: netuid.into(), take }
        }
        S::try_associate_hotkey { hotkey } => Call::TryAssociateHotkey { hotkey: hotkey.into() },
        S::set_coldkey_auto_stake_hotkey { netuid, hotkey } => {
            Call::SetColdkeyAutoStakeHotkey { netuid: netuid.into(), hotkey: hotkey.into() }
        }
        S::unstake_all { hotkey } => Call::UnstakeAll { hotkey: hotkey.into() },
        S::unstake_all_alpha { hotkey } => Call::UnstakeAllAlpha { hotkey: hotkey.into() },
        S::remove_stake_full_limit { hotkey, netuid, limit_price } => Call::RemoveStakeFullLimit {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            limit_price: limit_price.map(Rao::from),
        },
        S::move_stake {
            origin_hotkey,
            destination_hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => Call::MoveStake {
            origin_hotkey: origin_hotkey.into(),
            destination_hotkey: destination_hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
        },
        S::transfer_stake {
            destination_coldkey,
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => Call::TransferStake {
            destination_coldkey: Coldkey(destination_coldkey.into()),
            hotkey: hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
        },
        S::swap_stake { hotkey, origin_netuid, destination_netuid, alpha_amount } => Call::SwapStake {
            hotkey: hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
        },
        S::swap_stake_limit {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            limit_price,
            allow_partial,
        } => Call::SwapStakeLimit {
            hotkey: hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
            limit_price: limit_price.into(),
            allow_partial,
        },
        S::recycle_alpha { hotkey, amount, netuid } => {
            Call::RecycleAlpha { hotkey: hotkey.into(), amount: amount.into(), netuid: netuid.into() }
        }
        S::burn_alpha { hotkey, amount, netuid } => {
            Call::BurnAlpha { hotkey: hotkey.into(), amount: amount.into(), netuid: netuid.into() }
        }
        S::batch_set_weights { netuids, weights, version_keys } => Call::BatchSetWeights {
            netuids: netuids.into_iter().map(|netuid| netuid.0.into()).collect(),
            weights: weights
                .into_iter()
                .map(|row| row.into_iter().map(|(u, w)| (u.0, w.0)).collect())
                .collect(),
            version_keys: version_keys.into_iter().map(|key| key.0).collect(),
        },
        S::batch_commit_weights { netuids, commit_hashes } => Call::BatchCommitWeights {
            netuids: netuids.into_iter().map(|netuid| netuid.0.into()).collect(),
            commit_hashes: commit_hashes.into_iter().map(Digest::from).collect(),
        },
        S::batch_reveal_weights { netuid, uids_list, values_list, salts_list, version_keys } => {
            Call::BatchRevealWeights {
                netuid: netuid.into(),
                uids_list: uids_list.into_iter().map(|uids| uids.into_iter().map(Uid).collect()).collect(),
                values_list,
                salts_list,
                version_keys,
            }
        }
        S::sudo_set_tx_childkey_take_rate_limit { tx_rate_limit } => {
            parameter(ChainParameter::TxChildkeyTakeRateLimit(tx_rate_limit))
        }
        S::sudo_set_min_childkey_take { take } => parameter(ChainParameter::MinChildkeyTake(take)),
        S::sudo_set_max_childkey_take { take } => parameter(ChainParameter::MaxChildkeyTake(take)),
        S::set_pending_childkey_cooldown { cooldown } => {
            parameter(ChainParameter::PendingChildKeyCooldown(cooldown))
        }
        S::sudo_set_num_root_claims { new_value } => parameter(ChainParameter::NumRootClaims(new_value)),
        S::trigger_epoch { netuid } => Call::TriggerEpoch { netuid: netuid.into() },
    })
}

fn parameter(value: ChainParameter) -> Call {
    Call::SetChainParameter { value }
}

fn set_weights(netuid: NetUid, mecid: MechId, dests: Vec<u16>, values: Vec<u16>, version_key: u64) -> Call {
    let weights = weights(dests, values);
    Call::SetWeights { netuid: netuid.into(), mechid: mecid.into(), weights, version_key }
}

fn commit_weights(netuid: NetUid, mecid: MechId, hash: H256) -> Call {
    Call::CommitWeights { netuid: netuid.into(), mechid: mecid.into(), commit_hash: hash.into() }
}

fn commit_timelocked(
    netuid: NetUid,
    mecid: MechId,
    commit: BoundedVec<u8>,
    reveal_round: u64,
    version: u16,
) -> Result<Call, NoCall> {
    if commit.0.len() > chain::MAX_TIMELOCKED_COMMIT_BYTES {
        return Err(NoCall::TooLong);
    }
    let (netuid, mechid, commit) = (netuid.into(), mecid.into(), commit.0);
    Ok(Call::CommitTimelockedWeights { netuid, mechid, commit, reveal_round, version })
}

/// Setters of one hyperparameter with the same type on both sides: name of the call, of its argument, and the setting.
macro_rules! setters {
    (
        subnet { $($call:ident $field:ident $setting:ident;)* }
        chain { $($global:ident $value:ident $parameter:ident;)* }
    ) => {
        fn admin(call: AdminUtilsCall) -> Call {
            use AdminUtilsCall as A;
            match call {
                $(A::$call { netuid, $field } => {
                    Call::SetHyperparameter { netuid: netuid.into(), value: H::$setting($field.into()) }
                })*
                $(A::$global { $value } => Call::SetChainParameter { value: ChainParameter::$parameter($value.into()) },)*
                A::sudo_set_alpha_values { netuid, alpha_low, alpha_high } => Call::SetHyperparameter {
                    netuid: netuid.into(),
                    value: H::AlphaValues((alpha_low, alpha_high)),
                },
                A::sudo_set_burn_increase_mult { netuid, burn_increase_mult } => Call::SetHyperparameter {
                    netuid: netuid.into(),
                    value: H::BurnIncreaseMult(burn_increase_mult.bits),
                },
                A::sudo_set_mechanism_count { netuid, mechanism_count } => Call::SetHyperparameter {
                    netuid: netuid.into(),
                    value: H::MechanismCount(mechanism_count.0),
                },
                A::sudo_set_max_mechanism_count { max_mechanism_count } => Call::SetChainParameter {
                    value: ChainParameter::MaxMechanismCount(max_mechanism_count.0),
                },
                A::sudo_set_recycle_or_burn { netuid, recycle_or_burn } => Call::SetHyperparameter {
                    netuid: netuid.into(),
                    value: H::RecycleOwnerIncentive(recycle_or_burn == RecycleOrBurnEnum::Recycle),
                },
                A::sudo_set_mechanism_emission_split { netuid, maybe_split } => {
                    Call::SetMechanismEmissionSplit { netuid: netuid.into(), split: maybe_split }
                }
                A::sudo_set_sn_owner_hotkey { netuid, hotkey } => {
                    Call::SetSubnetOwnerHotkey { netuid: netuid.into(), hotkey: hotkey.into() }
                }
                A::sudo_set_epoch_consensus { netuid, mode } => {
                    let mode = match mode {
                        EpochConsensus::Yuma => chain::EpochConsensus::Yuma,
                        EpochConsensus::Null => chain::EpochConsensus::Null,
                    };
                    Call::SetEpochConsensus { netuid: netuid.into(), mode }
                }
                A::sudo_trim_to_max_allowed_uids { netuid, max_n } => {
                    Call::TrimToMaxAllowedUids { netuid: netuid.into(), max_n }
                }
                A::sudo_set_subtoken_enabled { netuid, subtoken_enabled } => {
                    Call::SetSubtokenEnabled { netuid: netuid.into(), enabled: subtoken_enabled }
                }
                A::sudo_set_subnet_emission_enabled { netuid, enabled } => {
                    Call::SetSubnetEmissionEnabled { netuid: netuid.into(), enabled }
                }
            }
        }

        pub(super) fn set_hyperparameter(netuid: NetUid, value: H) -> Option<AdminUtilsCall> {
            use AdminUtilsCall as A;
            Some(match value {
                $(H::$setting(value) => A::$call { netuid, $field: value.into() },)*
                H::AlphaValues((alpha_low, alpha_high)) => A::sudo_set_alpha_values { netuid, alpha_low, alpha_high },
                H::BurnIncreaseMult(bits) => {
                    A::sudo_set_burn_increase_mult { netuid, burn_increase_mult: FixedU128 { bits } }
                }
                H::MechanismCount(count) => A::sudo_set_mechanism_count { netuid, mechanism_count: MechId(count) },
                H::RecycleOwnerIncentive(recycles) => {
                    let recycle_or_burn = match recycles {
                        true => RecycleOrBurnEnum::Recycle,
                        false => RecycleOrBurnEnum::Burn,
                    };
                    A::sudo_set_recycle_or_burn { netuid, recycle_or_burn }
                }
                // Spec 425 has no setter for these: the first was lost, the second is the owner's alone.
                H::MaxWeightsLimit(_) | H::ActivityCutoffFactorMilli(_) => return None,
            })
        }

        pub(super) fn set_parameter(value: ChainParameter) -> RuntimeCall {
            use {AdminUtilsCall as A, ChainParameter as P, SubtensorCall as S};
            RuntimeCall::SubtensorModule(match value {
                $(P::$parameter(value) => return RuntimeCall::AdminUtils(A::$global { $value: value.into() }),)*
                P::MaxMechanismCount(count) => {
                    let max_mechanism_count = MechId(count);
                    return RuntimeCall::AdminUtils(A::sudo_set_max_mechanism_count { max_mechanism_count });
                }
                P::TxChildkeyTakeRateLimit(tx_rate_limit) => S::sudo_set_tx_childkey_take_rate_limit { tx_rate_limit },
                P::MinChildkeyTake(take) => S::sudo_set_min_childkey_take { take },
                P::MaxChildkeyTake(take) => S::sudo_set_max_childkey_take { take },
                P::PendingChildKeyCooldown(cooldown) => S::set_pending_childkey_cooldown { cooldown },
                P::NumRootClaims(new_value) => S::sudo_set_num_root_claims { new_value },
            })
        }
    };
}

setters! {
    subnet {
        sudo_set_tempo tempo Tempo;
        sudo_set_kappa kappa Kappa;
        sudo_set_rho rho Rho;
        sudo_set_immunity_period immunity_period ImmunityPeriod;
        sudo_set_min_allowed_uids min_allowed_uids MinAllowedUids;
        sudo_set_max_allowed_uids max_allowed_uids MaxAllowedUids;
        sudo_set_max_allowed_validators max_allowed_validators MaxAllowedValidators;
        sudo_set_min_allowed_weights min_allowed_weights MinAllowedWeights;
        sudo_set_weights_set_rate_limit weights_set_rate_limit WeightsSetRateLimit;
        sudo_set_weights_version_key weights_version_key WeightsVersionKey;
        sudo_set_serving_rate_limit serving_rate_limit ServingRateLimit;
        sudo_set_commit_reveal_weights_enabled enabled CommitRevealWeightsEnabled;
        sudo_set_commit_reveal_weights_interval interval RevealPeriodEpochs;
        sudo_set_network_registration_allowed registration_allowed NetworkRegistrationAllowed;
        sudo_set_min_burn min_burn MinBurn;
        sudo_set_max_burn max_burn MaxBurn;
        sudo_set_burn_half_life burn_half_life BurnHalfLife;
        sudo_set_bonds_moving_average bonds_moving_average BondsMovingAverage;
        sudo_set_bonds_penalty bonds_penalty BondsPenalty;
        sudo_set_bonds_reset_enabled enabled BondsReset;
        sudo_set_yuma3_enabled enabled Yuma3;
        sudo_set_liquid_alpha_enabled enabled LiquidAlpha;
        sudo_set_alpha_sigmoid_steepness steepness AlphaSigmoidSteepness;
        sudo_set_owner_immune_neuron_limit immune_neurons OwnerImmuneNeuronLimit;
        sudo_set_min_non_immune_uids min MinNonImmuneUids;
        sudo_set_toggle_transfer toggle TransfersEnabled;
        sudo_set_owner_cut_enabled enabled OwnerCutEnabled;
        sudo_set_min_childkey_take_per_subnet take MinChildkeyTake;
    }
    chain {
        sudo_set_admin_freeze_window window AdminFreezeWindow;
        sudo_set_owner_hparam_rate_limit epochs OwnerHyperparameterRateLimit;
        sudo_set_stake_threshold min_stake StakeThreshold;
        sudo_set_network_rate_limit rate_limit NetworkRateLimit;
        sudo_set_network_immunity_period immunity_period NetworkImmunityPeriod;
        sudo_set_network_min_lock_cost lock_cost NetworkMinLockCost;
        sudo_set_lock_reduction_interval interval LockReductionInterval;
        sudo_set_subnet_limit max_subnets SubnetLimit;
        sudo_set_max_epochs_per_block max_epochs_per_block MaxEpochsPerBlock;
        sudo_set_subnet_owner_cut subnet_owner_cut SubnetOwnerCut;
        sudo_set_tx_delegate_take_rate_limit tx_rate_limit TxDelegateTakeRateLimit;
        sudo_set_tx_rate_limit tx_rate_limit TxRateLimit;
        sudo_set_min_delegate_take take MinDelegateTake;
        sudo_set_default_take default_take DefaultTake;
        sudo_set_nominator_min_required_stake min_stake NominatorMinRequiredStake;
        sudo_set_start_call_delay delay StartCallDelay;
        sudo_set_commit_reveal_version version CommitRevealVersion;
        sudo_set_coldkey_swap_announcement_delay duration ColdkeySwapAnnouncementDelay;
        sudo_set_coldkey_swap_reannouncement_delay duration ColdkeySwapReannouncementDelay;
    }
}

fn swap_hotkey(
    hotkey: AccountId32,
    new_hotkey: AccountId32,
    netuid: Option<NetUid>,
    keep_stake: bool,
) -> Call {
    let (hotkey, new_hotkey) = (hotkey.into(), new_hotkey.into());
    Call::SwapHotkey { hotkey, new_hotkey, netuid: netuid.map(Net::from), keep_stake }
}
