//! A subnet read from the chain's storage at one block, in three rounds of requests.

use std::collections::BTreeMap;

use chain::{
    Axon, BlockNumber, Commitment, CommitmentField, EpochSchedule, Head, Hyperparameters, Neuron, ReadError,
    SUBNETS_PER_MECHANISM, Subnet,
};
use primitives::{AlphaRao, Coldkey, Hotkey, NetUid, Rao, Uid};
use subxt::{
    dynamic::{At as _, Value},
    ext::{
        scale_decode::DecodeAsType,
        scale_value::{Composite, Primitive, ValueDef},
    },
    utils::AccountId32,
};

use crate::read::{Answers, Asked, At, Batch, not_understood};

const PALLET: &str = "SubtensorModule";

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AxonInfo {
    version: u32,
    ip: u128,
    port: u16,
    ip_type: u8,
    protocol: u8,
    placeholder1: u8,
    placeholder2: u8,
}

#[derive(PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
enum RecycleOrBurn {
    Burn,
    Recycle,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Fixed {
    bits: u128,
}

fn account(account: &AccountId32) -> Value {
    Value::from_bytes(account.0)
}

fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

/// Items of a subnet's settings: the item's name, the field, and how the decoded value becomes the field's.
macro_rules! settings {
    ($($item:literal $field:ident: $type:ty $(=> $convert:expr)?;)*) => {
        /// What was asked of a subnet's settings; an item that the chain hasn't is left at its default.
        struct Settings { $($field: Option<Asked>,)* }

        impl Settings {
            fn ask(at: &At, batch: &mut Batch, netuid: NetUid) -> Result<Self, ReadError> {
                Ok(Self { $($field: match at.has(PALLET, $item) {
                    true => Some(at.ask(batch, PALLET, $item, vec![number(netuid.0)])?),
                    false => None,
                },)* })
            }

            fn read(&self, answers: &Answers) -> Result<Hyperparameters, ReadError> {
                let mut read = Hyperparameters::default();
                $(if let Some(value) = self.$field.map(|asked| answers.get::<$type>(asked)).transpose()?.flatten() {
                    read.$field = settings!(@ value $(, $convert)?);
                })*
                Ok(read)
            }
        }
    };
    (@ $value:ident) => { $value };
    (@ $value:ident, $convert:expr) => { $convert($value) };
}

settings! {
    "Tempo" tempo: u16;
    "Kappa" kappa: u16;
    "Rho" rho: u16;
    "ImmunityPeriod" immunity_period: u16;
    "MinAllowedUids" min_allowed_uids: u16;
    "MaxAllowedUids" max_allowed_uids: u16;
    "MaxAllowedValidators" max_allowed_validators: u16;
    "MinAllowedWeights" min_allowed_weights: u16;
    "MaxWeightsLimit" max_weights_limit: u16;
    "WeightsSetRateLimit" weights_set_rate_limit: u64;
    "WeightsVersionKey" weights_version_key: u64;
    "ActivityCutoffFactorMilli" activity_cutoff_factor_milli: u32;
    "ServingRateLimit" serving_rate_limit: u64;
    "CommitRevealWeightsEnabled" commit_reveal_weights_enabled: bool;
    "RevealPeriodEpochs" reveal_period_epochs: u64;
    "NetworkRegistrationAllowed" network_registration_allowed: bool;
    "MinBurn" min_burn: u64 => Rao;
    "MaxBurn" max_burn: u64 => Rao;
    "BurnHalfLife" burn_half_life_blocks: u16;
    "BurnIncreaseMult" burn_increase_mult_bits: Fixed => |fixed: Fixed| fixed.bits;
    "BondsMovingAverage" bonds_moving_average: u64;
    "BondsPenalty" bonds_penalty: u16;
    "BondsResetOn" bonds_reset_enabled: bool;
    "Yuma3On" yuma3_enabled: bool;
    "LiquidAlphaOn" liquid_alpha_enabled: bool;
    "AlphaValues" alpha_values: (u16, u16);
    "AlphaSigmoidSteepness" alpha_sigmoid_steepness: i16;
    "MechanismCountCurrent" mechanism_count: u8;
    "ImmuneOwnerUidsLimit" owner_immune_neuron_limit: u16;
    "MinNonImmuneUids" min_non_immune_uids: u16;
    "TransferToggle" transfers_enabled: bool;
    "OwnerCutEnabled" owner_cut_enabled: bool;
    "MinChildkeyTakePerSubnet" min_childkey_take: u16;
    "RecycleOrBurn" recycle_owner_incentive: RecycleOrBurn => |what: RecycleOrBurn| what == RecycleOrBurn::Recycle;
}

/// The columns of a metagraph.
struct Columns {
    stake_weight: Vec<u16>,
    permit: Vec<bool>,
    active: Vec<bool>,
    emission: Vec<u64>,
    dividends: Vec<u16>,
    consensus: Vec<u16>,
    trust: Vec<u16>,
    last_update: Vec<Vec<BlockNumber>>,
    incentive: Vec<Vec<u16>>,
}

/// Reads a subnet.
///
/// # Errors
/// [`ReadError::NoSubnet`], [`ReadError::Unreachable`].
pub(crate) async fn read(at: &At, netuid: NetUid, head: Head) -> Result<Subnet, ReadError> {
    let key = || vec![number(netuid.0)];
    let mut batch = Batch::default();
    let added = at.ask(&mut batch, PALLET, "NetworksAdded", key())?;
    let neurons = at.ask(&mut batch, PALLET, "SubnetworkN", key())?;
    let owner = at.ask(&mut batch, PALLET, "SubnetOwner", key())?;
    let owner_hotkey = at.ask(&mut batch, PALLET, "SubnetOwnerHotkey", key())?;
    let burn = at.ask(&mut batch, PALLET, "Burn", key())?;
    let schedule = ["LastEpochBlock", "PendingEpochAt", "SubnetEpochIndex", "BlocksSinceLastStep"]
        .map(|item| at.ask(&mut batch, PALLET, item, key()));
    let [last_epoch_block, pending_epoch_at, epoch_index, blocks_since_last_step] = schedule;
    let settings = Settings::ask(at, &mut batch, netuid)?;
    let answers = at.fetch(batch).await?;
    if netuid == NetUid::ROOT || !answers.value::<bool>(added)? {
        return Err(ReadError::NoSubnet { netuid, block: head.number });
    }
    let hyperparameters = settings.read(&answers)?;
    let count: u16 = answers.value(neurons)?;
    let columns = columns(at, netuid, hyperparameters.mechanism_count).await?;
    let (members, commitments) = members(at, netuid, count, &columns).await?;
    let owner = answers
        .get::<AccountId32>(owner)?
        .map_or_else(Coldkey::default, |account| Coldkey::from_bytes(account.0));
    let owner_hotkey = answers.get::<AccountId32>(owner_hotkey)?;
    Ok(Subnet {
        netuid,
        head,
        owner,
        owner_hotkey: owner_hotkey.map_or_else(Hotkey::default, |account| Hotkey::from_bytes(account.0)),
        schedule: EpochSchedule {
            tempo: hyperparameters.tempo,
            last_epoch_block: answers.value(last_epoch_block?)?,
            pending_epoch_at: answers.value(pending_epoch_at?)?,
            epoch_index: answers.value(epoch_index?)?,
            blocks_since_last_step: answers.value(blocks_since_last_step?)?,
            reveal_period_epochs: hyperparameters.reveal_period_epochs,
        },
        burn: Rao(answers.value(burn)?),
        mechanism_count: hyperparameters.mechanism_count,
        hyperparameters,
        neurons: members,
        commitments,
    })
}

async fn columns(at: &At, netuid: NetUid, mechanisms: u8) -> Result<Columns, ReadError> {
    let mut batch = Batch::default();
    let mut one = |item: &str| at.ask(&mut batch, PALLET, item, vec![number(netuid.0)]);
    let stake_weight = one("StakeWeight")?;
    let permit = one("ValidatorPermit")?;
    let active = one("Active")?;
    let emission = one("Emission")?;
    let dividends = one("Dividends")?;
    let consensus = one("Consensus")?;
    let trust = one("ValidatorTrust")?;
    let index = |mechanism: u8| number(u16::from(mechanism) * SUBNETS_PER_MECHANISM + netuid.0);
    let mut each = |item: &str| -> Result<Vec<Asked>, ReadError> {
        (0..mechanisms).map(|mechanism| at.ask(&mut batch, PALLET, item, vec![index(mechanism)])).collect()
    };
    let last_update = each("LastUpdate")?;
    let incentive = each("Incentive")?;
    let answers = at.fetch(batch).await?;
    Ok(Columns {
        stake_weight: answers.value(stake_weight)?,
        permit: answers.value(permit)?,
        active: answers.value(active)?,
        emission: answers.value(emission)?,
        dividends: answers.value(dividends)?,
        consensus: answers.value(consensus)?,
        trust: answers.value(trust)?,
        last_update: last_update.into_iter().map(|asked| answers.value(asked)).collect::<Result<_, _>>()?,
        incentive: incentive.into_iter().map(|asked| answers.value(asked)).collect::<Result<_, _>>()?,
    })
}

/// A neuron's entry of a column; a neuron that came after the last epoch has none yet.
fn entry<T: Copy + Default>(column: &[T], uid: u16) -> T {
    column.get(usize::from(uid)).copied().unwrap_or_default()
}

type Members = (Vec<Neuron>, BTreeMap<Hotkey, Commitment>);

async fn members(at: &At, netuid: NetUid, count: u16, columns: &Columns) -> Result<Members, ReadError> {
    let mut batch = Batch::default();
    let slots: Vec<(Asked, Asked)> = (0..count)
        .map(|uid| {
            let key = || vec![number(netuid.0), number(uid)];
            let hotkey = at.ask(&mut batch, PALLET, "Keys", key())?;
            Ok((hotkey, at.ask(&mut batch, PALLET, "BlockAtRegistration", key())?))
        })
        .collect::<Result<_, ReadError>>()?;
    let answers = at.fetch(batch).await?;
    let mut batch = Batch::default();
    let mut asked = Vec::with_capacity(slots.len());
    for (uid, (hotkey, registered_at)) in (0..count).zip(slots) {
        let missing = || not_understood("Keys", format!("uid {uid} of subnet {netuid} has no hotkey"));
        let hotkey = answers.get::<AccountId32>(hotkey)?.ok_or_else(missing)?;
        let registered_at: BlockNumber = answers.value(registered_at)?;
        let stake = |batch: &mut Batch, netuid: u16| {
            at.ask(batch, PALLET, "TotalHotkeyAlpha", vec![account(&hotkey), number(netuid)])
        };
        let of_subnet = || vec![number(netuid.0), account(&hotkey)];
        let owner = at.ask(&mut batch, PALLET, "Owner", vec![account(&hotkey)])?;
        let alpha = stake(&mut batch, netuid.0)?;
        let tao = stake(&mut batch, NetUid::ROOT.0)?;
        let axon = at.ask(&mut batch, PALLET, "Axons", of_subnet())?;
        let commitment = at.ask(&mut batch, "Commitments", "CommitmentOf", of_subnet())?;
        asked.push((uid, hotkey, registered_at, owner, alpha, tao, axon, commitment));
    }
    let answers = at.fetch(batch).await?;
    let (mut neurons, mut commitments) = (Vec::with_capacity(asked.len()), BTreeMap::new());
    for (uid, hotkey, registered_at, owner, alpha, tao, axon, stored) in asked {
        let hotkey = Hotkey::from_bytes(hotkey.0);
        let owner = answers.get::<AccountId32>(owner)?;
        neurons.push(Neuron {
            uid: Uid(uid),
            hotkey,
            coldkey: owner.map_or_else(Coldkey::default, |account| Coldkey::from_bytes(account.0)),
            registered_at,
            alpha_stake: AlphaRao(answers.value(alpha)?),
            tao_stake: Rao(answers.value(tao)?),
            stake_weight: entry(&columns.stake_weight, uid),
            validator_permit: entry(&columns.permit, uid),
            active: entry(&columns.active, uid),
            last_update: columns.last_update.iter().map(|column| entry(column, uid)).collect(),
            axon: answers.get::<AxonInfo>(axon)?.map(Axon::from),
            emission: AlphaRao(entry(&columns.emission, uid)),
            incentive: columns.incentive.iter().map(|column| entry(column, uid)).collect(),
            dividends: entry(&columns.dividends, uid),
            consensus: entry(&columns.consensus, uid),
            validator_trust: entry(&columns.trust, uid),
        });
        if let Some(stored) = answers.get::<Value>(stored)? {
            commitments.insert(
                hotkey,
                commitment(&stored).ok_or_else(|| not_understood("CommitmentOf", "unknown form"))?,
            );
        }
    }
    Ok((neurons, commitments))
}

impl From<AxonInfo> for Axon {
    fn from(info: AxonInfo) -> Self {
        let AxonInfo { version, ip, port, ip_type, protocol, placeholder1, placeholder2 } = info;
        Self { version, ip, port, ip_type, protocol, placeholder1, placeholder2 }
    }
}

/// A commitment as it is stored: `{deposit, block, info: {fields}}`. Fields of kinds not known here are left out.
fn commitment(stored: &Value) -> Option<Commitment> {
    let block = u64::try_from(stored.at("block")?.as_u128()?).ok()?;
    let fields = stored.at("info")?.at("fields")?;
    // A bounded list is a list in a wrapper of one field.
    let fields = match &fields.value {
        ValueDef::Composite(Composite::Unnamed(wrapped)) => match wrapped.as_slice() {
            [Value { value: ValueDef::Composite(list), .. }] => list,
            _ => match &fields.value {
                ValueDef::Composite(list) => list,
                _ => return None,
            },
        },
        ValueDef::Composite(list) => list,
        _ => return None,
    };
    Some(Commitment { block, fields: fields.values().filter_map(field).collect() })
}

fn field(value: &Value) -> Option<CommitmentField> {
    let ValueDef::Variant(variant) = &value.value else { return None };
    let raw = || variant.values.values().next().and_then(byte_list);
    let hash = || raw()?.try_into().ok();
    Some(match variant.name.as_str() {
        "BigRaw" => CommitmentField::BigRaw(raw()?),
        "BlakeTwo256" => CommitmentField::BlakeTwo256(hash()?),
        "Sha256" => CommitmentField::Sha256(hash()?),
        "Keccak256" => CommitmentField::Keccak256(hash()?),
        "ShaThree256" => CommitmentField::ShaThree256(hash()?),
        "ResetBondsFlag" => CommitmentField::ResetBondsFlag,
        name @ ("TimelockEncrypted" | "TimelockRevealFailed") => {
            let encrypted = byte_list(value.at("encrypted")?)?;
            let reveal_round = u64::try_from(value.at("reveal_round")?.as_u128()?).ok()?;
            match name {
                "TimelockEncrypted" => CommitmentField::TimelockEncrypted { encrypted, reveal_round },
                _ => CommitmentField::TimelockRevealFailed { encrypted, reveal_round },
            }
        }
        name if name.starts_with("Raw") => CommitmentField::Raw(raw()?),
        _ => return None,
    })
}

/// The bytes of a list, whatever it is wrapped in.
fn byte_list(value: &Value) -> Option<Vec<u8>> {
    let ValueDef::Composite(composite) = &value.value else { return None };
    let values: Vec<&Value> = composite.values().collect();
    match values.as_slice() {
        [Value { value: ValueDef::Composite(_), .. }] => byte_list(values[0]),
        _ => values
            .into_iter()
            .map(|value| match value.value {
                ValueDef::Primitive(Primitive::U128(byte)) => u8::try_from(byte).ok(),
                _ => None,
            })
            .collect(),
    }
}
