//! Calls as the rules know them as they travel to a chain of this encoding: the way back from [`super::convert`].

use chain::{Axon, BatchKind, Call, ChainIdentity, Prometheus, Uid};
use parity_scale_codec::Compact;

use super::{
    bounded::BoundedVec,
    calls::{
        AdminUtilsCall, BalancesCall, CommitmentsCall, RuntimeCall, SubtensorCall, SudoCall, SystemCall,
        UtilityCall,
    },
    convert::{set_hyperparameter, set_parameter},
    shapes::{
        CommitmentInfo, Data, EpochConsensus, H256, MultiAddress, NetUid, SubnetIdentityV3, TaoBalance,
    },
};

fn numbers(uids: &[Uid]) -> Vec<u16> {
    uids.iter().map(|uid| uid.0).collect()
}

/// The call as it travels; none for what the chain's metadata has no call for.
pub(crate) fn to_wire(call: &Call) -> Option<RuntimeCall> {
    use SubtensorCall as S;
    Some(RuntimeCall::SubtensorModule(match call.clone() {
        Call::Remark { bytes, with_event } => {
            let call = match with_event {
                false => SystemCall::remark { remark: bytes },
                true => SystemCall::remark_with_event { remark: bytes },
            };
            return Some(RuntimeCall::System(call));
        }
        Call::Transfer { to, amount } => {
            let (dest, value) = (MultiAddress::Id(to.into()), TaoBalance::from(amount).into());
            return Some(RuntimeCall::Balances(BalancesCall::transfer_keep_alive { dest, value }));
        }
        Call::TransferAllowDeath { to, amount } => {
            let (dest, value) = (MultiAddress::Id(to.into()), TaoBalance::from(amount).into());
            return Some(RuntimeCall::Balances(BalancesCall::transfer_allow_death { dest, value }));
        }
        Call::TransferAll { to, keep_alive } => {
            let dest = MultiAddress::Id(to.into());
            return Some(RuntimeCall::Balances(BalancesCall::transfer_all { dest, keep_alive }));
        }
        Call::SetBalance { account, free } => {
            let (who, new_free) = (MultiAddress::Id(account.into()), TaoBalance::from(free).into());
            return Some(RuntimeCall::Balances(BalancesCall::force_set_balance { who, new_free }));
        }
        Call::Sudo { call } => {
            return Some(RuntimeCall::Sudo(SudoCall::sudo { call: Box::new(to_wire(&call)?) }));
        }
        Call::Batch { kind, calls } => {
            let calls = calls.iter().map(to_wire).collect::<Option<_>>()?;
            return Some(RuntimeCall::Utility(match kind {
                BatchKind::Stop => UtilityCall::batch { calls },
                BatchKind::All => UtilityCall::batch_all { calls },
                BatchKind::Force => UtilityCall::force_batch { calls },
            }));
        }
        Call::SetCommitment { netuid, fields } => {
            let fields = BoundedVec(fields.into_iter().map(|field| Data(Some(field))).collect());
            let info = CommitmentInfo { fields };
            return Some(RuntimeCall::Commitments(CommitmentsCall::set_commitment {
                netuid: netuid.into(),
                info,
            }));
        }
        Call::SetHyperparameter { netuid, value } => {
            return set_hyperparameter(netuid.into(), value).map(RuntimeCall::AdminUtils);
        }
        Call::SetChainParameter { value } => return Some(set_parameter(value)),
        Call::SetMechanismEmissionSplit { netuid, split } => {
            let (netuid, maybe_split) = (netuid.into(), split);
            let call = AdminUtilsCall::sudo_set_mechanism_emission_split { netuid, maybe_split };
            return Some(RuntimeCall::AdminUtils(call));
        }
        Call::SetSubtokenEnabled { netuid, enabled } => {
            let (netuid, subtoken_enabled) = (netuid.into(), enabled);
            let call = AdminUtilsCall::sudo_set_subtoken_enabled { netuid, subtoken_enabled };
            return Some(RuntimeCall::AdminUtils(call));
        }
        Call::SetSubnetEmissionEnabled { netuid, enabled } => {
            let call = AdminUtilsCall::sudo_set_subnet_emission_enabled { netuid: netuid.into(), enabled };
            return Some(RuntimeCall::AdminUtils(call));
        }
        Call::SetSubnetOwnerHotkey { netuid, hotkey } => {
            let (netuid, hotkey) = (netuid.into(), hotkey.into());
            let call = AdminUtilsCall::sudo_set_sn_owner_hotkey { netuid, hotkey };
            return Some(RuntimeCall::AdminUtils(call));
        }
        Call::SetEpochConsensus { netuid, mode } => {
            let mode = match mode {
                chain::EpochConsensus::Yuma => EpochConsensus::Yuma,
                chain::EpochConsensus::Null => EpochConsensus::Null,
            };
            let call = AdminUtilsCall::sudo_set_epoch_consensus { netuid: netuid.into(), mode };
            return Some(RuntimeCall::AdminUtils(call));
        }
        Call::TrimToMaxAllowedUids { netuid, max_n } => {
            let call = AdminUtilsCall::sudo_trim_to_max_allowed_uids { netuid: netuid.into(), max_n };
            return Some(RuntimeCall::AdminUtils(call));
        }
        Call::RegisterNetwork { hotkey } => S::register_network { hotkey: hotkey.into() },
        Call::RegisterNetworkWithIdentity { hotkey, identity } => S::register_network_with_identity {
            hotkey: hotkey.into(),
            identity: identity.map(SubnetIdentityV3::from),
        },
        Call::DissolveNetwork { netuid } => S::root_dissolve_network { netuid: netuid.into() },
        Call::SwapHotkey { hotkey, new_hotkey, netuid, keep_stake } => S::swap_hotkey_v2 {
            hotkey: hotkey.into(),
            new_hotkey: new_hotkey.into(),
            netuid: netuid.map(NetUid::from),
            keep_stake,
        },
        Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost } => S::swap_coldkey {
            old_coldkey: old_coldkey.into(),
            new_coldkey: new_coldkey.into(),
            swap_cost: swap_cost.into(),
        },
        Call::AnnounceColdkeySwap { new_coldkey_hash } => {
            S::announce_coldkey_swap { new_coldkey_hash: new_coldkey_hash.into() }
        }
        Call::SwapColdkeyAnnounced { new_coldkey } => {
            S::swap_coldkey_announced { new_coldkey: new_coldkey.into() }
        }
        Call::DisputeColdkeySwap => S::dispute_coldkey_swap,
        Call::ClearColdkeySwapAnnouncement => S::clear_coldkey_swap_announcement,
        Call::ResetColdkeySwap { coldkey } => S::reset_coldkey_swap { coldkey: coldkey.into() },
        Call::SetIdentity { identity } => {
            let ChainIdentity { name, url, github_repo, image, discord, description, additional } = identity;
            S::set_identity { name, url, github_repo, image, discord, description, additional }
        }
        Call::SetSubnetIdentity { netuid, identity } => {
            let SubnetIdentityV3 {
                subnet_name,
                github_repo,
                subnet_contact,
                subnet_url,
                discord,
                description,
                logo_url,
                additional,
            } = identity.into();
            S::set_subnet_identity {
                netuid: netuid.into(),
                subnet_name,
                github_repo,
                subnet_contact,
                subnet_url,
                discord,
                description,
                logo_url,
                additional,
            }
        }
        Call::ServeAxonTls { netuid, axon, certificate } => {
            let Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 } = axon;
            let netuid = netuid.into();
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
            }
        }
        Call::ServePrometheus { netuid, prometheus } => {
            let Prometheus { version, ip, port, ip_type } = prometheus;
            S::serve_prometheus { netuid: netuid.into(), version, ip, port, ip_type }
        }
        Call::UpdateSymbol { netuid, symbol } => S::update_symbol { netuid: netuid.into(), symbol },
        Call::AddStakeBurn { hotkey, netuid, amount, limit } => S::add_stake_burn {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            amount: amount.into(),
            limit: limit.map(TaoBalance::from),
        },
        Call::StartCall { netuid } => S::start_call { netuid: netuid.into() },
        Call::BurnedRegister { netuid, hotkey } => {
            S::burned_register { netuid: netuid.into(), hotkey: hotkey.into() }
        }
        Call::RegisterLimit { netuid, hotkey, limit_price } => {
            S::register_limit { netuid: netuid.into(), hotkey: hotkey.into(), limit_price: limit_price.0 }
        }
        Call::AddStake { hotkey, netuid, amount } => {
            S::add_stake { hotkey: hotkey.into(), netuid: netuid.into(), amount_staked: amount.into() }
        }
        Call::RemoveStake { hotkey, netuid, amount } => {
            S::remove_stake { hotkey: hotkey.into(), netuid: netuid.into(), amount_unstaked: amount.into() }
        }
        Call::AddStakeLimit { hotkey, netuid, amount, limit_price, allow_partial } => S::add_stake_limit {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            amount_staked: amount.into(),
            limit_price: limit_price.into(),
            allow_partial,
        },
        Call::RemoveStakeLimit { hotkey, netuid, amount, limit_price, allow_partial } => {
            S::remove_stake_limit {
                hotkey: hotkey.into(),
                netuid: netuid.into(),
                amount_unstaked: amount.into(),
                limit_price: limit_price.into(),
                allow_partial,
            }
        }
        Call::ServeAxon { netuid, axon } => {
            let Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 } = axon;
            let netuid = netuid.into();
            S::serve_axon { netuid, version, ip, port, ip_type, protocol, placeholder1, placeholder2 }
        }
        Call::SetWeights { netuid, mechid, weights, version_key } => S::set_mechanism_weights {
            netuid: netuid.into(),
            mecid: mechid.into(),
            dests: numbers(&weights.uids),
            weights: weights.values,
            version_key,
        },
        Call::CommitWeights { netuid, mechid, commit_hash } => S::commit_mechanism_weights {
            netuid: netuid.into(),
            mecid: mechid.into(),
            commit_hash: commit_hash.into(),
        },
        Call::RevealWeights { netuid, mechid, weights, salt, version_key } => S::reveal_mechanism_weights {
            netuid: netuid.into(),
            mecid: mechid.into(),
            uids: numbers(&weights.uids),
            values: weights.values,
            salt,
            version_key,
        },
        Call::CommitTimelockedWeights { netuid, mechid, commit, reveal_round, version } => {
            S::commit_timelocked_mechanism_weights {
                netuid: netuid.into(),
                mecid: mechid.into(),
                commit: BoundedVec(commit),
                reveal_round,
                commit_reveal_version: version,
            }
        }
        Call::IncreaseTake { hotkey, take } => S::increase_take { hotkey: hotkey.into(), take },
        Call::DecreaseTake { hotkey, take } => S::decrease_take { hotkey: hotkey.into(), take },
        Call::TriggerEpoch { netuid } => S::trigger_epoch { netuid: netuid.into() },
        Call::SetTempo { netuid, tempo } => S::set_tempo { netuid: netuid.into(), tempo },
        Call::SetActivityCutoffFactor { netuid, factor_milli } => {
            S::set_activity_cutoff_factor { netuid: netuid.into(), factor_milli }
        }
        Call::RootRegister { hotkey } => S::root_register { hotkey: hotkey.into() },
        Call::ClaimRoot { subnets } => {
            S::claim_root { subnets: subnets.into_iter().map(NetUid::from).collect() }
        }
        Call::SetRootClaimType { new_root_claim_type } => {
            S::set_root_claim_type { new_root_claim_type: new_root_claim_type.into() }
        }
        Call::SetRootClaimThreshold { netuid, new_value } => {
            S::sudo_set_root_claim_threshold { netuid: netuid.into(), new_value }
        }
        Call::SetChildren { hotkey, netuid, children } => S::set_children {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            children: children.into_iter().map(|(part, child)| (part, child.into())).collect(),
        },
        Call::SetChildkeyTake { hotkey, netuid, take } => {
            S::set_childkey_take { hotkey: hotkey.into(), netuid: netuid.into(), take }
        }
        Call::TryAssociateHotkey { hotkey } => S::try_associate_hotkey { hotkey: hotkey.into() },
        Call::SetColdkeyAutoStakeHotkey { netuid, hotkey } => {
            S::set_coldkey_auto_stake_hotkey { netuid: netuid.into(), hotkey: hotkey.into() }
        }
        // Pulses come in unsigned, from the author's own machine.
        Call::WritePulse { .. } => return None,
        Call::UnstakeAll { hotkey } => S::unstake_all { hotkey: hotkey.into() },
        Call::UnstakeAllAlpha { hotkey } => S::unstake_all_alpha { hotkey: hotkey.into() },
        Call::RemoveStakeFullLimit { hotkey, netuid, limit_price } => S::remove_stake_full_limit {
            hotkey: hotkey.into(),
            netuid: netuid.into(),
            limit_price: limit_price.map(TaoBalance::from),
        },
        Call::MoveStake {
            origin_hotkey,
            destination_hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => S::move_stake {
            origin_hotkey: origin_hotkey.into(),
            destination_hotkey: destination_hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
        },
        Call::TransferStake {
            destination_coldkey,
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => S::transfer_stake {
            destination_coldkey: destination_coldkey.0.into(),
            hotkey: hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
        },
        Call::SwapStake { hotkey, origin_netuid, destination_netuid, alpha_amount } => S::swap_stake {
            hotkey: hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
        },
        Call::SwapStakeLimit {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            limit_price,
            allow_partial,
        } => S::swap_stake_limit {
            hotkey: hotkey.into(),
            origin_netuid: origin_netuid.into(),
            destination_netuid: destination_netuid.into(),
            alpha_amount: alpha_amount.into(),
            limit_price: limit_price.into(),
            allow_partial,
        },
        Call::RecycleAlpha { hotkey, amount, netuid } => {
            S::recycle_alpha { hotkey: hotkey.into(), amount: amount.into(), netuid: netuid.into() }
        }
        Call::BurnAlpha { hotkey, amount, netuid } => {
            S::burn_alpha { hotkey: hotkey.into(), amount: amount.into(), netuid: netuid.into() }
        }
        Call::BatchSetWeights { netuids, weights, version_keys } => S::batch_set_weights {
            netuids: netuids.into_iter().map(|netuid| NetUid::from(netuid).into()).collect(),
            weights: weights
                .into_iter()
                .map(|row| row.into_iter().map(|(u, w)| (u.into(), w.into())).collect())
                .collect(),
            version_keys: version_keys.into_iter().map(Compact).collect(),
        },
        Call::BatchCommitWeights { netuids, commit_hashes } => S::batch_commit_weights {
            netuids: netuids.into_iter().map(|netuid| NetUid::from(netuid).into()).collect(),
            commit_hashes: commit_hashes.into_iter().map(H256::from).collect(),
        },
        Call::BatchRevealWeights { netuid, uids_list, values_list, salts_list, version_keys } => {
            S::batch_reveal_weights {
                netuid: netuid.into(),
                uids_list: uids_list.iter().map(|uids| numbers(uids)).collect(),
                values_list,
                salts_list,
                version_keys,
            }
        }
    }))
}
