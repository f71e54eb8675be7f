//! What a recorded name stands for in this chain's state, in the recording's own form: accounts by name, blocks from the
//! recording's first one, fixed point as raw bits, and the chain's default where nothing is stored.

use std::collections::BTreeMap;

use chain::{CommitmentField, Hyperparameters, storage_index};
use devchain::{
    SafeFloat, Settings, State,
    storage::{
        Item, KeyParts,
        items::{self, AxonInfo, Registration, WeightCommit},
    },
};
use parity_scale_codec::Codec;
use primitives::{AccountId, Coldkey, Hotkey, MechId, NetUid, Uid};
use serde_json::{Value, json};

use super::{NET, START, account};

/// Accounts that the recording names.
const NAMES: &[&str] = &[
    "cold.alice",
    "cold.bob",
    "cold.charlie",
    "cold.dave",
    "cold.eve",
    "cold.ferdie",
    "cold.poor",
    "hot.a",
    "hot.b",
    "hot.c",
    "hot.d",
    "hot.e",
    "hot.f",
    "hot.g",
    "hot.h",
];
/// From this length on the recording keeps of a commitment its block and its length as JSON alone.
const LONG_COMMITMENT: usize = 600;

/// Why a recorded value is not compared; none where it must be equal.
pub(super) fn exception(name: &str) -> Option<&'static str> {
    let parts: Vec<&str> = name.split('.').collect();
    Some(match parts.as_slice() {
        ["bal", .., "free"] => "less the fees that were paid; `free_nofee` is compared",
        ["bal", .., "nonce"] => "steps that the client refused or retried count there",
        ["g", "AdminFreezeWindow" | "StakeThreshold"] => "there is no call that changes it",
        ["n", "MinAllowedUids"] => "there is no such setting",
        _ => return None,
    })
}

/// What stands under a recorded name here; none where the name isn't known.
pub(super) fn look_up(
    state: &State,
    settings: &Settings,
    paid: &BTreeMap<AccountId, u64>,
    name: &str,
) -> Option<Value> {
    let (family, name) = name.split_once('.')?;
    let seen = Seen { state, netuid: if family == "root" { NetUid::ROOT } else { NET } };
    match family {
        "bal" => {
            let name = name.strip_suffix(".free_nofee")?;
            let fees = paid.get(&account(name)).copied().unwrap_or(0);
            Some(json!(state.balance(account(name)).0 + fees))
        }
        "g" => seen.global(settings, name),
        "owner" => Some(seen.account_of(state.value(&items::OWNER, &hotkey(name)))),
        "take" => Some(json!(state.value(&items::TAKE, &hotkey(name)).unwrap_or(settings.max_take))),
        "root" | "n" => {
            let parts: Vec<&str> = name.split('.').collect();
            let (item, rest) = parts.split_first()?;
            match rest {
                [] if family == "root" => seen.whole(item),
                [] => seen.whole(item).or_else(|| seen.setting(item)),
                [.., "hot", _] | [_, _, _] => seen.of_hotkey(item, name.split_once('.')?.1),
                rest => seen.of_slot(item, rest),
            }
        }
        _ => None,
    }
}

/// The recording with every integer in full: those that a JSON number has no room for become text.
pub(super) fn parse(text: &str) -> Value {
    let mut readable = String::with_capacity(text.len());
    let (mut rest, mut is_text) = (text, false);
    while let Some(next) = rest.chars().next() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        // A backslash goes with what it escapes.
        let (token, after) = rest.split_at(if next == '\\' { 2 } else { digits.max(next.len_utf8()) });
        is_text ^= token == "\"";
        let is_long = digits > 0 && !is_text && token.parse::<u64>().is_err();
        readable.push_str(&if is_long { format!("\"{token}\"") } else { token.to_owned() });
        rest = after;
    }
    serde_json::from_str(&readable).unwrap()
}

/// An integer as [`parse`] gives it.
fn integer(number: u128) -> Value {
    u64::try_from(number).map_or_else(|_| json!(number.to_string()), Value::from)
}

fn hotkey(name: &str) -> Hotkey {
    Hotkey(account(name))
}

fn relative(block: u64) -> u64 {
    block.saturating_sub(START)
}

/// A subnet's state as the recording words it.
struct Seen<'a> {
    state: &'a State,
    netuid: NetUid,
}

impl Seen<'_> {
    fn read<K: KeyParts, V: Codec + Default>(&self, item: &Item<K, V>, key: &K) -> V {
        self.state.value(item, key).unwrap_or_default()
    }

    /// What the subnet has of this item, or its default.
    fn own<V: Codec + Default>(&self, item: &Item<NetUid, V>) -> V {
        self.read(item, &self.netuid)
    }

    fn account_of(&self, found: Option<impl Into<primitives::AccountId>>) -> Value {
        let Some(found) = found.map(Into::into) else { return json!("zero") };
        json!(NAMES.iter().find(|name| account(name) == found))
    }

    fn global(&self, settings: &Settings, name: &str) -> Option<Value> {
        Some(match name {
            "TotalIssuance" => json!(self.read(&items::EMITTED, &()).0),
            "Balances.TotalIssuance" => json!(self.read(&items::TOTAL_ISSUANCE, &()).0),
            "TotalStake" => json!(self.read(&items::TOTAL_STAKE, &()).0),
            "TotalNetworks" => json!(self.read(&items::TOTAL_NETWORKS, &())),
            "BlockEmission" => json!(self.read(&items::BLOCK_EMISSION, &()).0),
            "NetworkLastLockCost" => {
                json!(self.state.value(&items::LAST_LOCK_COST, &()).unwrap_or(settings.min_lock_cost).0)
            }
            "NetworkMinLockCost" => json!(settings.min_lock_cost.0),
            "NetworkRateLimit" => json!(settings.network_rate_limit),
            "MaxEpochsPerBlock" => json!(settings.max_epochs_per_block),
            "TaoWeight" => json!(settings.tao_weight),
            _ => return None,
        })
    }

    /// Items of which a subnet has one value.
    fn whole(&self, item: &str) -> Option<Value> {
        Some(match item {
            "SubnetworkN" => json!(self.own(&items::NEURONS)),
            "Burn" => json!(self.own(&items::BURN).0),
            "SubtokenEnabled" => json!(self.own(&items::SUBTOKEN_ENABLED)),
            "SubnetEmissionEnabled" => json!(self.own(&items::EMISSION_ENABLED)),
            "SubnetOwner" => self.account_of(self.state.value(&items::SUBNET_OWNER, &self.netuid)),
            "SubnetOwnerHotkey" => {
                self.account_of(self.state.value(&items::SUBNET_OWNER_HOTKEY, &self.netuid))
            }
            "SubnetMechanism" => json!(self.own(&items::SUBNET_MECHANISM)),
            "SubnetLocked" => json!(self.own(&items::SUBNET_LOCKED).0),
            "MechanismEmissionSplit" => json!(self.state.value(&items::MECHANISM_SPLIT, &self.netuid)),
            "RAORecycledForRegistration" => json!(self.own(&items::RAO_RECYCLED).0),
            "RegistrationsThisBlock" => json!(self.own(&items::REGISTRATIONS_THIS_BLOCK)),
            "RegistrationsThisInterval" => json!(self.own(&items::REGISTRATIONS_THIS_INTERVAL)),

            "FirstEmissionBlockNumber" => {
                json!(self.state.value(&items::FIRST_EMISSION_BLOCK, &self.netuid).map(relative))
            }
            "LastEpochBlock" => json!(relative(self.own(&items::LAST_EPOCH_BLOCK))),
            "PendingEpochAt" => json!(relative(self.own(&items::PENDING_EPOCH_AT))),
            "LastMechansimStepBlock" => json!(relative(self.own(&items::LAST_STEP_BLOCK))),
            "NetworkRegisteredAt" => json!(relative(self.own(&items::NETWORK_REGISTERED_AT))),
            "BlocksSinceLastStep" => json!(self.own(&items::BLOCKS_SINCE_STEP)),
            "SubnetEpochIndex" => json!(self.own(&items::EPOCH_INDEX)),

            "SubnetTAO" => json!(self.own(&items::SUBNET_TAO).0),
            "SubnetAlphaIn" => json!(self.own(&items::SUBNET_ALPHA_IN).0),
            "SubnetAlphaOut" => json!(self.own(&items::SUBNET_ALPHA_OUT).0),
            "SubnetProtocolAlpha" => json!(self.own(&items::PROTOCOL_ALPHA).0),
            "SubnetVolume" => integer(self.own(&items::SUBNET_VOLUME)),
            "SubnetTaoFlow" => json!(self.own(&items::TAO_FLOW)),
            "SubnetTaoInEmission" => json!(self.own(&items::TAO_IN_EMISSION).0),
            "SubnetAlphaInEmission" => json!(self.own(&items::ALPHA_IN_EMISSION).0),
            "SubnetAlphaOutEmission" => json!(self.own(&items::ALPHA_OUT_EMISSION).0),
            "SubnetExcessTao" => json!(self.own(&items::EXCESS_TAO).0),
            "SubnetRootSellTao" => json!(self.own(&items::ROOT_SELL_TAO).0),
            "SubnetMovingPrice" => integer(self.own(&items::MOVING_PRICE)),
            "RootProp" => integer(self.own(&items::ROOT_PROPORTION)),
            "MinerBurned" => integer(self.own(&items::MINER_BURNED)),
            "PendingServerEmission" => json!(self.own(&items::PENDING_SERVER).0),
            "PendingValidatorEmission" => json!(self.own(&items::PENDING_VALIDATOR).0),
            "PendingRootAlphaDivs" => json!(self.own(&items::PENDING_ROOT).0),
            "PendingOwnerCut" => json!(self.own(&items::PENDING_OWNER_CUT).0),

            "Active" => json!(self.own(&items::ACTIVE)),
            "ValidatorPermit" => json!(self.own(&items::PERMIT)),
            "Consensus" => json!(self.own(&items::CONSENSUS)),
            "Dividends" => json!(self.own(&items::DIVIDENDS)),
            "ValidatorTrust" => json!(self.own(&items::TRUST)),
            "StakeWeight" => json!(self.own(&items::STAKE_WEIGHT)),
            "Emission" => json!(self.own(&items::EMISSION).iter().map(|amount| amount.0).collect::<Vec<_>>()),
            _ => return None,
        })
    }

    /// Settings, which stand together here.
    fn setting(&self, name: &str) -> Option<Value> {
        let all: Hyperparameters = self.own(&items::HYPERPARAMETERS);
        Some(match name {
            "Tempo" => json!(all.tempo),
            "MaxAllowedUids" => json!(all.max_allowed_uids),
            "MaxAllowedValidators" => json!(all.max_allowed_validators),
            "ImmunityPeriod" => json!(all.immunity_period),
            "MinNonImmuneUids" => json!(all.min_non_immune_uids),
            "MinAllowedWeights" => json!(all.min_allowed_weights),
            "MaxWeightsLimit" => json!(all.max_weights_limit),
            "WeightsSetRateLimit" => json!(all.weights_set_rate_limit),
            "WeightsVersionKey" => json!(all.weights_version_key),
            "CommitRevealWeightsEnabled" => json!(all.commit_reveal_weights_enabled),
            "RevealPeriodEpochs" => json!(all.reveal_period_epochs),
            "ServingRateLimit" => json!(all.serving_rate_limit),
            "NetworkRegistrationAllowed" => json!(all.network_registration_allowed),
            "MinBurn" => json!(all.min_burn.0),
            "MaxBurn" => json!(all.max_burn.0),
            "BurnHalfLife" => json!(all.burn_half_life_blocks),
            "BurnIncreaseMult" => integer(all.burn_increase_mult_bits),
            "LiquidAlphaOn" => json!(all.liquid_alpha_enabled),
            "Yuma3On" => json!(all.yuma3_enabled),
            "AlphaValues" => json!(all.alpha_values),
            "Kappa" => json!(all.kappa),
            "BondsMovingAverage" => json!(all.bonds_moving_average),
            "BondsPenalty" => json!(all.bonds_penalty),
            "ActivityCutoffFactorMilli" => json!(all.activity_cutoff_factor_milli),
            "MechanismCountCurrent" => json!(all.mechanism_count),
            _ => return None,
        })
    }

    /// Items by slot, by mechanism, or by both.
    fn of_slot(&self, item: &str, rest: &[&str]) -> Option<Value> {
        let uid = Uid(rest.last()?.parse().unwrap_or(0));
        let mechid = rest.first()?.strip_prefix('m').and_then(|mechid| mechid.parse().ok());
        let index = storage_index(self.netuid, MechId(mechid.unwrap_or(0)));
        Some(match (item, rest.len()) {
            ("Keys", 1) => self.account_of(self.state.value(&items::KEYS, &(self.netuid, uid))),
            ("BlockAtRegistration", 1) => {
                json!(relative(self.read(&items::REGISTERED_AT, &(self.netuid, uid))))
            }
            ("Incentive", 1) => json!(self.read(&items::INCENTIVE, &index)),
            ("LastUpdate", 1) => {
                let blocks = self.read(&items::LAST_UPDATE, &index);
                json!(blocks.into_iter().map(relative).collect::<Vec<_>>())
            }
            ("Weights", 2) => json!(self.state.weights(index, uid)),
            ("Bonds", 2) => json!(self.state.bonds(index, uid)),
            _ => return None,
        })
    }

    /// Items by hotkey, with a mechanism before it or a coldkey after it.
    fn of_hotkey(&self, item: &str, rest: &str) -> Option<Value> {
        if let Some((who, coldkey)) = rest.split_once('/') {
            let holding = (hotkey(who), Coldkey(account(coldkey)), self.netuid);
            return (item == "AlphaV2").then(|| shares(self.read(&items::ALPHA, &holding)));
        }
        if let Some((mechid, who)) = rest.split_once(".hot.") {
            let index = storage_index(self.netuid, MechId(mechid.parse().ok()?));
            let commits = self.state.value(&items::WEIGHT_COMMITS, &(index, hotkey(&format!("hot.{who}"))));
            return (item == "WeightCommits")
                .then(|| json!(commits.map(|all| all.iter().map(commit).collect::<Vec<_>>())));
        }
        let (who, by_subnet) = (hotkey(rest), (hotkey(rest), self.netuid));
        let of_subnet = (self.netuid, who);
        Some(match item {
            "TotalHotkeyAlpha" => json!(self.read(&items::HOTKEY_ALPHA, &by_subnet).0),
            "TotalHotkeySharesV2" => shares(self.read(&items::HOTKEY_SHARES, &by_subnet)),
            "Uids" => json!(self.state.value(&items::UIDS, &of_subnet)),
            "Axons" => json!(self.state.value(&items::AXONS, &of_subnet).as_ref().map(axon)),
            "CommitmentOf" => {
                json!(self.state.value(&items::COMMITMENT_OF, &of_subnet).as_ref().map(commitment))
            }
            "UsedSpaceOf" => {
                let used = self.state.value(&items::USED_SPACE, &of_subnet);
                json!(used.map(|used| json!({"last_epoch": used.last_epoch, "used_space": used.used_space})))
            }
            _ => return None,
        })
    }
}

fn shares(number: SafeFloat) -> Value {
    json!({"mantissa": integer(number.mantissa()), "exponent": number.exponent()})
}

fn commit(commit: &WeightCommit) -> Value {
    json!([commit.hash.to_string(), commit.epoch, relative(commit.block), commit.reserved])
}

fn axon(AxonInfo { block, axon }: &AxonInfo) -> Value {
    json!({
        "block": relative(*block),
        "version": axon.version,
        "ip": axon.ip,
        "port": axon.port,
        "ip_type": axon.ip_type,
        "protocol": axon.protocol,
        "placeholder1": axon.placeholder1,
        "placeholder2": axon.placeholder2,
    })
}

fn commitment(stored: &Registration) -> Value {
    let block = relative(stored.block.into());
    let fields: Vec<Value> = stored.fields.iter().map(field).collect();
    let whole = json!({"deposit": stored.deposit.0, "block": block, "info": {"fields": fields}});
    // Python's JSON has a blank after each of these.
    let text = whole.to_string();
    let length =
        text.len() + text.matches("\":").count() + text.matches(",\"").count() + text.matches("},{").count();
    if length < LONG_COMMITMENT { whole } else { json!({"block": block, "long": length}) }
}

/// A field by the name of its variant, which for a raw one has its length; a raw one's bytes are shown in hexadecimal,
/// a big one's as the text that they are.
fn field(field: &CommitmentField) -> Value {
    match field {
        CommitmentField::Raw(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({format!("Raw{}", bytes.len()): format!("0x{digits}")})
        }
        CommitmentField::BigRaw(bytes) => json!({"BigRaw": String::from_utf8_lossy(bytes)}),
        other => json!(format!("{other:?}")),
    }
}
