//! A call as the chain's metadata names it: pallet, call, and arguments by name. Which indices and types these have is up
//! to the metadata of the chain that it is sent to.

use chain::{
    Axon, BatchKind, Call, ChainIdentity, ChainParameter, CommitmentField, EpochConsensus, Hyperparameter,
    MechId, NetUid, Prometheus, RootClaimType, SubnetIdentity, Uid,
};
use primitives::{AccountId, Hotkey};
use subxt::{
    ext::scale_value::{Composite, Value},
    tx::StaticPayload,
};

/// A call that is encoded by whatever metadata the chain has.
pub(crate) type Payload = StaticPayload<Composite<()>>;

const SUBTENSOR: &str = "SubtensorModule";
const BALANCES: &str = "Balances";
const ADMIN: &str = "AdminUtils";

fn bytes(bytes: &[u8]) -> Value {
    Value::from_bytes(bytes)
}

fn account(account: impl Into<AccountId>) -> Value {
    bytes(&account.into().0)
}

fn hotkey(hotkey: Hotkey) -> Value {
    account(hotkey.0)
}

fn address(account: AccountId) -> Value {
    Value::unnamed_variant("Id", [bytes(&account.0)])
}

fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

fn net(netuid: NetUid) -> Value {
    number(netuid.0)
}

fn mech(mechid: MechId) -> Value {
    number(mechid.0)
}

fn numbers(values: &[u16]) -> Value {
    Value::unnamed_composite(values.iter().copied().map(number))
}

fn uids(uids: &[Uid]) -> Value {
    Value::unnamed_composite(uids.iter().map(|uid| number(uid.0)))
}

fn option(value: Option<Value>) -> Value {
    match value {
        None => Value::unnamed_variant("None", []),
        Some(value) => Value::unnamed_variant("Some", [value]),
    }
}

fn field(field: &CommitmentField) -> Value {
    match field {
        CommitmentField::Raw(raw) => Value::unnamed_variant(format!("Raw{}", raw.len()), [bytes(raw)]),
        CommitmentField::BigRaw(raw) => Value::unnamed_variant("BigRaw", [bytes(raw)]),
        CommitmentField::BlakeTwo256(hash) => Value::unnamed_variant("BlakeTwo256", [bytes(hash)]),
        CommitmentField::Sha256(hash) => Value::unnamed_variant("Sha256", [bytes(hash)]),
        CommitmentField::Keccak256(hash) => Value::unnamed_variant("Keccak256", [bytes(hash)]),
        CommitmentField::ShaThree256(hash) => Value::unnamed_variant("ShaThree256", [bytes(hash)]),
        CommitmentField::TimelockEncrypted { encrypted, reveal_round } => Value::named_variant(
            "TimelockEncrypted",
            [("encrypted", bytes(encrypted)), ("reveal_round", number(*reveal_round))],
        ),
        CommitmentField::TimelockRevealFailed { encrypted, reveal_round } => Value::named_variant(
            "TimelockRevealFailed",
            [("encrypted", bytes(encrypted)), ("reveal_round", number(*reveal_round))],
        ),
        CommitmentField::ResetBondsFlag => Value::unnamed_variant("ResetBondsFlag", []),
    }
}

/// Arguments by name.
macro_rules! named {
    ($($name:literal: $value:expr),* $(,)?) => {
        vec![$(($name, $value)),*]
    };
}

/// What a call is, before it is known what it is for.
struct Parts {
    pallet: &'static str,
    call: &'static str,
    arguments: Vec<(&'static str, Value)>,
}

impl Parts {
    fn new(pallet: &'static str, call: &Call, arguments: Vec<(&'static str, Value)>) -> Self {
        Self { pallet, call: call.name(), arguments }
    }

    /// As a call within another one.
    fn into_value(self) -> Value {
        let inner = Value::named_variant(self.call, self.arguments);
        Value::unnamed_variant(self.pallet, [inner])
    }
}

/// The call as it is sent.
pub(crate) fn payload(call: &Call) -> Payload {
    let Parts { pallet, call, arguments } = parts(call);
    StaticPayload::new(pallet, call, Composite::named(arguments))
}

fn parts(call: &Call) -> Parts {
    match call {
        Call::Transfer { to, amount } | Call::TransferAllowDeath { to, amount } => {
            Parts::new(BALANCES, call, named! { "dest": address(*to), "value": number(amount.0) })
        }
        Call::TransferAll { to, keep_alive } => Parts::new(
            BALANCES,
            call,
            named! { "dest": address(*to), "keep_alive": Value::bool(*keep_alive) },
        ),
        Call::SetBalance { account, free } => {
            Parts::new(BALANCES, call, named! { "who": address(*account), "new_free": number(free.0) })
        }
        Call::Remark { bytes: said, .. } => Parts::new("System", call, named! { "remark": bytes(said) }),
        Call::Sudo { call: inner } => Parts::new("Sudo", call, named! { "call": parts(inner).into_value() }),
        Call::Batch { kind: BatchKind::Stop | BatchKind::All | BatchKind::Force, calls } => {
            let calls = calls.iter().map(|call| parts(call).into_value());
            Parts::new("Utility", call, named! { "calls": Value::unnamed_composite(calls) })
        }
        Call::SetCommitment { netuid, fields } => {
            let fields = Value::unnamed_composite(fields.iter().map(field));
            let info = Value::named_composite([("fields", fields)]);
            Parts::new("Commitments", call, named! { "netuid": net(*netuid), "info": info })
        }
        Call::SetHyperparameter { netuid, value } => {
            let mut arguments = named! { "netuid": net(*netuid) };
            arguments.extend(hyperparameter(*value));
            Parts::new(ADMIN, call, arguments)
        }
        Call::SetChainParameter { value } => {
            use ChainParameter as P;
            // Settings of child keys and claims belong to the other pallet.
            let pallet = match value {
                P::TxChildkeyTakeRateLimit(_)
                | P::MinChildkeyTake(_)
                | P::MaxChildkeyTake(_)
                | P::PendingChildKeyCooldown(_)
                | P::NumRootClaims(_) => SUBTENSOR,
                _ => ADMIN,
            };
            Parts::new(pallet, call, vec![parameter(*value)])
        }
        Call::SetMechanismEmissionSplit { netuid, split } => {
            let split = option(split.as_deref().map(numbers));
            Parts::new(ADMIN, call, named! { "netuid": net(*netuid), "maybe_split": split })
        }
        Call::SetSubnetEmissionEnabled { netuid, enabled } => {
            Parts::new(ADMIN, call, named! { "netuid": net(*netuid), "enabled": Value::bool(*enabled) })
        }
        Call::SetSubnetOwnerHotkey { netuid, hotkey: key } => {
            Parts::new(ADMIN, call, named! { "netuid": net(*netuid), "hotkey": hotkey(*key) })
        }
        Call::SetEpochConsensus { netuid, mode } => {
            let mode = match mode {
                EpochConsensus::Yuma => "Yuma",
                EpochConsensus::Null => "Null",
            };
            let mode = Value::unnamed_variant(mode, []);
            Parts::new(ADMIN, call, named! { "netuid": net(*netuid), "mode": mode })
        }
        Call::TrimToMaxAllowedUids { netuid, max_n } => {
            Parts::new(ADMIN, call, named! { "netuid": net(*netuid), "max_n": number(*max_n) })
        }
        Call::SetSubtokenEnabled { netuid, enabled } => Parts::new(
            ADMIN,
            call,
            named! { "netuid": net(*netuid), "subtoken_enabled": Value::bool(*enabled) },
        ),
        _ => Parts::new(SUBTENSOR, call, subtensor(call)),
    }
}

fn subtensor(call: &Call) -> Vec<(&'static str, Value)> {
    match call {
        Call::RegisterNetwork { hotkey: key } | Call::RootRegister { hotkey: key } => {
            named! { "hotkey": hotkey(*key) }
        }
        Call::StartCall { netuid } | Call::TriggerEpoch { netuid } => named! { "netuid": net(*netuid) },
        Call::BurnedRegister { netuid, hotkey: key } => {
            named! { "netuid": net(*netuid), "hotkey": hotkey(*key) }
        }
        Call::RegisterLimit { netuid, hotkey: key, limit_price } => {
            named! { "netuid": net(*netuid), "hotkey": hotkey(*key), "limit_price": number(limit_price.0) }
        }
        Call::AddStake { hotkey: key, netuid, amount } => named! {
            "hotkey": hotkey(*key), "netuid": net(*netuid), "amount_staked": number(amount.0),
        },
        Call::RemoveStake { hotkey: key, netuid, amount } => named! {
            "hotkey": hotkey(*key), "netuid": net(*netuid), "amount_unstaked": number(amount.0),
        },
        Call::AddStakeLimit { hotkey: key, netuid, amount, limit_price, allow_partial } => named! {
            "hotkey": hotkey(*key), "netuid": net(*netuid), "amount_staked": number(amount.0),
            "limit_price": number(limit_price.0), "allow_partial": Value::bool(*allow_partial),
        },
        Call::RemoveStakeLimit { hotkey: key, netuid, amount, limit_price, allow_partial } => named! {
            "hotkey": hotkey(*key), "netuid": net(*netuid), "amount_unstaked": number(amount.0),
            "limit_price": number(limit_price.0), "allow_partial": Value::bool(*allow_partial),
        },
        Call::ServeAxon { netuid, axon } => serving(*netuid, axon),
        Call::ServeAxonTls { netuid, axon, certificate } => {
            let mut arguments = serving(*netuid, axon);
            arguments.push(("certificate", bytes(certificate)));
            arguments
        }
        Call::SetWeights { netuid, mechid, weights, version_key } => named! {
            "netuid": net(*netuid), "mecid": mech(*mechid), "dests": uids(&weights.uids),
            "weights": numbers(&weights.values), "version_key": number(*version_key),
        },
        Call::CommitWeights { netuid, mechid, commit_hash } => named! {
            "netuid": net(*netuid), "mecid": mech(*mechid), "commit_hash": bytes(&commit_hash.0),
        },
        Call::RevealWeights { netuid, mechid, weights, salt, version_key } => named! {
            "netuid": net(*netuid), "mecid": mech(*mechid), "uids": uids(&weights.uids),
            "values": numbers(&weights.values), "salt": numbers(salt), "version_key": number(*version_key),
        },
        Call::CommitTimelockedWeights { netuid, mechid, commit, reveal_round, version } => named! {
            "netuid": net(*netuid), "mecid": mech(*mechid), "commit": bytes(commit),
            "reveal_round": number(*reveal_round), "commit_reveal_version": number(*version),
        },
        Call::IncreaseTake { hotkey: key, take } | Call::DecreaseTake { hotkey: key, take } => {
            named! { "hotkey": hotkey(*key), "take": number(*take) }
        }
        Call::SetTempo { netuid, tempo } => named! { "netuid": net(*netuid), "tempo": number(*tempo) },
        Call::SetActivityCutoffFactor { netuid, factor_milli } => {
            named! { "netuid": net(*netuid), "factor_milli": number(*factor_milli) }
        }
        _ => keys_and_names(call),
    }
}

fn serving(netuid: NetUid, axon: &Axon) -> Vec<(&'static str, Value)> {
    let Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 } = *axon;
    named! {
        "netuid": net(netuid), "version": number(version), "ip": number(ip), "port": number(port),
        "ip_type": number(ip_type), "protocol": number(protocol), "placeholder1": number(placeholder1),
        "placeholder2": number(placeholder2),
    }
}

/// Calls that swap keys, tell names, or move stake between hotkeys, subnets and coldkeys.
fn keys_and_names(call: &Call) -> Vec<(&'static str, Value)> {
    match call {
        Call::DissolveNetwork { netuid } => named! { "netuid": net(*netuid) },
        Call::RegisterNetworkWithIdentity { hotkey: key, identity } => {
            let identity =
                identity.as_ref().map(|identity| Value::named_composite(subnet_identity(identity)));
            named! { "hotkey": hotkey(*key), "identity": option(identity) }
        }
        Call::SwapHotkey { hotkey: old, new_hotkey, netuid, keep_stake } => named! {
            "hotkey": hotkey(*old), "new_hotkey": hotkey(*new_hotkey), "netuid": option(netuid.map(net)),
            "keep_stake": Value::bool(*keep_stake),
        },
        Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost } => named! {
            "old_coldkey": account(old_coldkey.0), "new_coldkey": account(new_coldkey.0),
            "swap_cost": number(swap_cost.0),
        },
        Call::AnnounceColdkeySwap { new_coldkey_hash } => {
            named! { "new_coldkey_hash": bytes(&new_coldkey_hash.0) }
        }
        Call::SwapColdkeyAnnounced { new_coldkey } => named! { "new_coldkey": account(new_coldkey.0) },
        Call::ResetColdkeySwap { coldkey } => named! { "coldkey": account(coldkey.0) },
        Call::SetIdentity { identity } => {
            let ChainIdentity { name, url, github_repo, image, discord, description, additional } = identity;
            named! {
                "name": bytes(name), "url": bytes(url), "github_repo": bytes(github_repo),
                "image": bytes(image), "discord": bytes(discord), "description": bytes(description),
                "additional": bytes(additional),
            }
        }
        Call::SetSubnetIdentity { netuid, identity } => {
            let mut arguments = named! { "netuid": net(*netuid) };
            arguments.extend(subnet_identity(identity));
            arguments
        }
        Call::ServePrometheus { netuid, prometheus } => {
            let Prometheus { version, ip, port, ip_type } = *prometheus;
            named! {
                "netuid": net(*netuid), "version": number(version), "ip": number(ip), "port": number(port),
                "ip_type": number(ip_type),
            }
        }
        Call::UpdateSymbol { netuid, symbol } => {
            named! { "netuid": net(*netuid), "symbol": bytes(symbol) }
        }
        Call::AddStakeBurn { hotkey: key, netuid, amount, limit } => named! {
            "hotkey": hotkey(*key), "netuid": net(*netuid), "amount": number(amount.0),
            "limit": option(limit.map(|limit| number(limit.0))),
        },
        Call::TryAssociateHotkey { hotkey: key }
        | Call::UnstakeAll { hotkey: key }
        | Call::UnstakeAllAlpha { hotkey: key } => named! { "hotkey": hotkey(*key) },
        Call::SetColdkeyAutoStakeHotkey { netuid, hotkey: key } => {
            named! { "netuid": net(*netuid), "hotkey": hotkey(*key) }
        }
        Call::RemoveStakeFullLimit { hotkey: key, netuid, limit_price } => named! {
            "hotkey": hotkey(*key), "netuid": net(*netuid),
            "limit_price": option(limit_price.map(|price| number(price.0))),
        },
        Call::MoveStake {
            origin_hotkey,
            destination_hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => named! {
            "origin_hotkey": hotkey(*origin_hotkey), "destination_hotkey": hotkey(*destination_hotkey),
            "origin_netuid": net(*origin_netuid), "destination_netuid": net(*destination_netuid),
            "alpha_amount": number(alpha_amount.0),
        },
        Call::TransferStake {
            destination_coldkey,
            hotkey: key,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => named! {
            "destination_coldkey": account(destination_coldkey.0), "hotkey": hotkey(*key),
            "origin_netuid": net(*origin_netuid), "destination_netuid": net(*destination_netuid),
            "alpha_amount": number(alpha_amount.0),
        },
        Call::SwapStake { hotkey: key, origin_netuid, destination_netuid, alpha_amount } => named! {
            "hotkey": hotkey(*key), "origin_netuid": net(*origin_netuid),
            "destination_netuid": net(*destination_netuid), "alpha_amount": number(alpha_amount.0),
        },
        Call::SwapStakeLimit {
            hotkey: key,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            limit_price,
            allow_partial,
        } => named! {
            "hotkey": hotkey(*key), "origin_netuid": net(*origin_netuid),
            "destination_netuid": net(*destination_netuid), "alpha_amount": number(alpha_amount.0),
            "limit_price": number(limit_price.0), "allow_partial": Value::bool(*allow_partial),
        },
        Call::RecycleAlpha { hotkey: key, amount, netuid }
        | Call::BurnAlpha { hotkey: key, amount, netuid } => {
            named! { "hotkey": hotkey(*key), "amount": number(amount.0), "netuid": net(*netuid) }
        }
        _ => root_and_children(call),
    }
}

/// Calls about root's dividends, children and batches of weights.
fn root_and_children(call: &Call) -> Vec<(&'static str, Value)> {
    let nets = |all: &[NetUid]| Value::unnamed_composite(all.iter().copied().map(net));
    match call {
        Call::ClaimRoot { subnets } => {
            let subnets: Vec<NetUid> = subnets.iter().copied().collect();
            named! { "subnets": Value::unnamed_composite([nets(&subnets)]) }
        }
        Call::SetRootClaimType { new_root_claim_type } => {
            let kind = match new_root_claim_type {
                RootClaimType::Swap => Value::unnamed_variant("Swap", []),
                RootClaimType::Keep => Value::unnamed_variant("Keep", []),
                RootClaimType::KeepSubnets { subnets } => {
                    let subnets: Vec<NetUid> = subnets.iter().copied().collect();
                    let subnets = Value::unnamed_composite([nets(&subnets)]);
                    Value::named_variant("KeepSubnets", [("subnets", subnets)])
                }
            };
            named! { "new_root_claim_type": kind }
        }
        Call::SetRootClaimThreshold { netuid, new_value } => {
            named! { "netuid": net(*netuid), "new_value": number(*new_value) }
        }
        Call::SetChildren { hotkey: key, netuid, children } => {
            let child =
                |(part, child): &(u64, Hotkey)| Value::unnamed_composite([number(*part), hotkey(*child)]);
            let children = Value::unnamed_composite(children.iter().map(child));
            named! { "hotkey": hotkey(*key), "netuid": net(*netuid), "children": children }
        }
        Call::SetChildkeyTake { hotkey: key, netuid, take } => {
            named! { "hotkey": hotkey(*key), "netuid": net(*netuid), "take": number(*take) }
        }
        Call::BatchSetWeights { netuids, weights, version_keys } => {
            let pair = |(uid, weight): &(u16, u16)| Value::unnamed_composite([number(*uid), number(*weight)]);
            let row = |row: &Vec<(u16, u16)>| Value::unnamed_composite(row.iter().map(pair));
            named! {
                "netuids": nets(netuids), "weights": Value::unnamed_composite(weights.iter().map(row)),
                "version_keys": Value::unnamed_composite(version_keys.iter().copied().map(number)),
            }
        }
        Call::BatchCommitWeights { netuids, commit_hashes } => named! {
            "netuids": nets(netuids),
            "commit_hashes": Value::unnamed_composite(commit_hashes.iter().map(|hash| bytes(&hash.0))),
        },
        Call::BatchRevealWeights { netuid, uids_list, values_list, salts_list, version_keys } => named! {
            "netuid": net(*netuid),
            "uids_list": Value::unnamed_composite(uids_list.iter().map(|list| uids(list))),
            "values_list": Value::unnamed_composite(values_list.iter().map(|list| numbers(list))),
            "salts_list": Value::unnamed_composite(salts_list.iter().map(|list| numbers(list))),
            "version_keys": Value::unnamed_composite(version_keys.iter().copied().map(number)),
        },
        // Calls without arguments, and those of other pallets.
        _ => Vec::new(),
    }
}

fn subnet_identity(identity: &SubnetIdentity) -> Vec<(&'static str, Value)> {
    let SubnetIdentity {
        subnet_name,
        github_repo,
        subnet_contact,
        subnet_url,
        discord,
        description,
        logo_url,
        additional,
    } = identity;
    named! {
        "subnet_name": bytes(subnet_name), "github_repo": bytes(github_repo),
        "subnet_contact": bytes(subnet_contact), "subnet_url": bytes(subnet_url), "discord": bytes(discord),
        "description": bytes(description), "logo_url": bytes(logo_url), "additional": bytes(additional),
    }
}

/// The arguments of a setter besides the subnet.
fn hyperparameter(value: Hyperparameter) -> Vec<(&'static str, Value)> {
    use Hyperparameter as H;
    let one = |name, value| vec![(name, value)];
    match value {
        H::Tempo(value) => one("tempo", number(value)),
        H::Kappa(value) => one("kappa", number(value)),
        H::Rho(value) => one("rho", number(value)),
        H::ImmunityPeriod(value) => one("immunity_period", number(value)),
        H::MinAllowedUids(value) => one("min_allowed_uids", number(value)),
        H::MaxAllowedUids(value) => one("max_allowed_uids", number(value)),
        H::MaxAllowedValidators(value) => one("max_allowed_validators", number(value)),
        H::MinAllowedWeights(value) => one("min_allowed_weights", number(value)),
        H::MaxWeightsLimit(value) => one("max_weight_limit", number(value)),
        H::WeightsSetRateLimit(value) => one("weights_set_rate_limit", number(value)),
        H::WeightsVersionKey(value) => one("weights_version_key", number(value)),
        H::ActivityCutoffFactorMilli(value) => one("factor_milli", number(value)),
        H::ServingRateLimit(value) => one("serving_rate_limit", number(value)),
        H::CommitRevealWeightsEnabled(value) => one("enabled", Value::bool(value)),
        H::RevealPeriodEpochs(value) => one("interval", number(value)),
        H::NetworkRegistrationAllowed(value) => one("registration_allowed", Value::bool(value)),
        H::MinBurn(value) => one("min_burn", number(value.0)),
        H::MaxBurn(value) => one("max_burn", number(value.0)),
        H::BurnHalfLife(value) => one("burn_half_life", number(value)),
        H::BurnIncreaseMult(bits) => {
            one("burn_increase_mult", Value::named_composite([("bits", number(bits))]))
        }
        H::BondsMovingAverage(value) => one("bonds_moving_average", number(value)),
        H::BondsPenalty(value) => one("bonds_penalty", number(value)),
        H::BondsReset(value) | H::Yuma3(value) | H::LiquidAlpha(value) => one("enabled", Value::bool(value)),
        H::AlphaValues((low, high)) => vec![("alpha_low", number(low)), ("alpha_high", number(high))],
        H::AlphaSigmoidSteepness(value) => one("steepness", Value::i128(value.into())),
        H::MechanismCount(value) => one("mechanism_count", number(value)),
        H::OwnerImmuneNeuronLimit(value) => one("immune_neurons", number(value)),
        H::MinNonImmuneUids(value) => one("min", number(value)),
        H::TransfersEnabled(value) => one("toggle", Value::bool(value)),
        H::RecycleOwnerIncentive(recycles) => {
            let what = if recycles { "Recycle" } else { "Burn" };
            one("recycle_or_burn", Value::unnamed_variant(what, []))
        }
        H::OwnerCutEnabled(value) => one("enabled", Value::bool(value)),
        H::MinChildkeyTake(value) => one("take", number(value)),
    }
}

/// The argument of a setter for the whole chain.
fn parameter(value: ChainParameter) -> (&'static str, Value) {
    use ChainParameter as P;
    match value {
        P::AdminFreezeWindow(value) => ("window", number(value)),
        P::OwnerHyperparameterRateLimit(value) => ("epochs", number(value)),
        P::StakeThreshold(value) | P::NominatorMinRequiredStake(value) => ("min_stake", number(value)),
        P::NetworkRateLimit(value) => ("rate_limit", number(value)),
        P::NetworkImmunityPeriod(value) => ("immunity_period", number(value)),
        P::NetworkMinLockCost(value) => ("lock_cost", number(value.0)),
        P::LockReductionInterval(value) => ("interval", number(value)),
        P::SubnetLimit(value) => ("max_subnets", number(value)),
        P::MaxEpochsPerBlock(value) => ("max_epochs_per_block", number(value)),
        P::MaxMechanismCount(value) => ("max_mechanism_count", number(value)),
        P::SubnetOwnerCut(value) => ("subnet_owner_cut", number(value)),
        P::TxDelegateTakeRateLimit(value) | P::TxRateLimit(value) | P::TxChildkeyTakeRateLimit(value) => {
            ("tx_rate_limit", number(value))
        }
        P::DefaultTake(value) => ("default_take", number(value)),
        P::StartCallDelay(value) => ("delay", number(value)),
        P::MinDelegateTake(value) | P::MinChildkeyTake(value) | P::MaxChildkeyTake(value) => {
            ("take", number(value))
        }
        P::PendingChildKeyCooldown(value) => ("cooldown", number(value)),
        P::CommitRevealVersion(value) => ("version", number(value)),
        P::NumRootClaims(value) => ("new_value", number(value)),
        P::ColdkeySwapAnnouncementDelay(value) | P::ColdkeySwapReannouncementDelay(value) => {
            ("duration", number(value))
        }
    }
}
