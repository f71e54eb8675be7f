//! The state under the real chain's storage keys: what is stored where, and how to read it.
//!
//! A real key is the names of pallet and item, hashed, and the parts of the key, each behind its own hash or alone. The
//! state itself has shorter keys and, for most items, the very same values: the table says for each item of the
//! chain where its value comes from. Nothing is kept twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use parity_scale_codec::{Compact, Decode, Encode};
use primitives::{AccountId, NetUid as Net};
use scale_info::MetaType;

use super::{
    blake2_128,
    bounded::{BoundedVec, FixedI128, FixedU128, WeakBoundedVec},
    rows, shape,
    shapes::*,
    twox_64, twox_128,
};
use crate::{
    State,
    storage::{Key, KeyParts, items},
};

shape! { "sp_arithmetic::fixed_point::FixedU128" struct Multiplier(u128) }

/// How a part of a key is hashed; the part itself always follows its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hasher {
    Identity,
    Twox,
    Blake2,
}

impl Hasher {
    fn hash(self, part: &[u8]) -> Vec<u8> {
        match self {
            Self::Identity => Vec::new(),
            Self::Twox => twox_64(part).to_vec(),
            Self::Blake2 => blake2_128(part).to_vec(),
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Twox => 8,
            Self::Blake2 => 16,
        }
    }
}

/// What a part of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// An integer of so many bytes: little-endian in real keys, big-endian in ours.
    Number(usize),
    /// An account.
    Account,
    /// Something that no stored item has for a key.
    Opaque,
    /// All that is left of the key, as it is.
    Rest,
}

/// Where an item's values come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Nothing on this chain ever stores one.
    Nothing,
    /// One value, computed.
    One(fn(&State) -> Vec<u8>),
    /// One value, computed, where there is one.
    Sometimes(fn(&State) -> Option<Vec<u8>>),
    /// A value for each subnet, root included where it says so.
    OfSubnet(fn(&State, Net) -> Vec<u8>),
    /// The item of the state with this number: the same parts, the same value.
    Item(u8),
    /// The same parts, but a value that has to be made from the stored one.
    Converted(u8, fn(&[u8]) -> Option<Vec<u8>>),
    /// All values by their keys' parts, computed.
    Map(fn(&State) -> BTreeMap<Vec<u8>, Vec<u8>>),
    /// Accounts: balance and nonce stand apart here.
    Accounts,
    /// The subnets of a hotkey: the slots, with the key's parts the other way round.
    Members,
}

fn one(value: fn(&State) -> Vec<u8>) -> Source {
    Source::One(value)
}

fn of_subnet(value: fn(&State, Net) -> Vec<u8>) -> Source {
    Source::OfSubnet(value)
}

/// One item of the chain's storage.
pub(crate) struct Entry {
    pub(crate) pallet: &'static str,
    pub(crate) name: &'static str,
    pub(crate) parts: Vec<(Hasher, Part)>,
    pub(crate) key: Option<MetaType>,
    pub(crate) value: MetaType,
    /// Whether an absent value is none; else it is the default.
    pub(crate) is_optional: bool,
    pub(crate) default: Vec<u8>,
    source: Source,
}

macro_rules! part {
    (NetUid) => {
        Part::Number(2)
    };
    (NetUidStorageIndex) => {
        Part::Number(2)
    };
    (u16) => {
        Part::Number(2)
    };
    (u64) => {
        Part::Number(8)
    };
    (u32) => {
        Part::Number(4)
    };
    (AccountId32) => {
        Part::Account
    };
    (RateLimitKey) => {
        Part::Rest
    };
    ($($other:tt)*) => {
        Part::Opaque
    };
}

macro_rules! key_type {
    () => { None };
    ($only:ty) => { Some(MetaType::new::<$only>()) };
    ($($several:ty),*) => { Some(MetaType::new::<($($several,)*)>()) };
}

macro_rules! entries {
    ($($pallet:literal {$(
        $name:ident [$($hasher:ident $key:tt $(<$inner:ty>)?),*] $modifier:ident $value:ty = $default:literal, $source:expr;
    )*})*) => {
        vec![$($(Entry {
            pallet: $pallet,
            name: stringify!($name),
            parts: vec![$((Hasher::$hasher, part!($key))),*],
            key: key_type!($($key $(<$inner>)?),*),
            value: MetaType::new::<$value>(),
            is_optional: stringify!($modifier) == "Optional",
            default: default_bytes($default),
            source: $source,
        },)*)*]
    };
}

/// Bytes in hexadecimal, where `00*32` stands for a run of the same byte.
pub(crate) fn default_bytes(text: &str) -> Vec<u8> {
    let byte = |two: &str| u8::from_str_radix(two, 16).unwrap_or_default();
    let mut bytes = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word.split_once('*') {
            Some((one, times)) => bytes.resize(bytes.len() + times.parse().unwrap_or(0), byte(one)),
            None => bytes
                .extend((0..word.len() / 2).map(|at| byte(word.get(2 * at..2 * at + 2).unwrap_or_default()))),
        }
    }
    bytes
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn entries() -> Vec<Entry> {
    entries! {
    "System" {
        Account [Blake2 AccountId32] Default AccountInfo = "00*55 80", Source::Accounts;
        ExtrinsicCount [] Optional u32 = "00", Source::Nothing;
        BlockHash [Twox u32] Default H256 = "00*32", Source::Nothing;
        Number [] Default u32 = "00000000", one(|state| u32::try_from(state.head().number).unwrap_or(u32::MAX).encode());
        ParentHash [] Default H256 = "00*32", one(|state| state.head().parent.encode());
        Digest [] Default Digest = "00", Source::Nothing;
        Events [] Default Vec<EventRecord> = "00", one(|state| super::events::of_block(state).encode());
        EventCount [] Default u32 = "00000000", one(|state| (super::events::of_block(state).len() as u32).encode());
        LastRuntimeUpgrade [] Optional LastRuntimeUpgradeInfo = "00", one(|state| LastRuntimeUpgradeInfo { spec_version: Compact(state.rules().spec_version()), spec_name: super::SPEC_NAME.to_owned() }.encode());
    }
    "Timestamp" {
        Now [] Default u64 = "00*8", one(|state| u64::try_from(state.head().time.0).unwrap_or(0).encode());
    }
    "Balances" {
        TotalIssuance [] Default TaoBalance = "00*8", Source::Item(items::TOTAL_ISSUANCE.number());
        InactiveIssuance [] Default TaoBalance = "00*8", Source::Nothing;
        Locks [Blake2 AccountId32] Default WeakBoundedVec<BalanceLock> = "00", Source::Nothing;
        Reserves [Blake2 AccountId32] Default BoundedVec<ReserveData> = "00", Source::Nothing;
    }
    "TransactionPayment" {
        NextFeeMultiplier [] Default Multiplier = "000064a7b3b6e00d 00*8", Source::Nothing;
        StorageVersion [] Default Releases = "00", Source::Nothing;
    }
    "SubtensorModule" {
        MinActivityCutoff [] Default u16 = "6801", Source::Nothing;
        AdminFreezeWindow [] Default u16 = "0a00", one(|state| state.ledger().settings.admin_freeze_window.encode());
        OwnerHyperparamRateLimit [] Default u16 = "0200", one(|state| state.ledger().settings.owner_rate_limit_tempos.encode());
        DissolveNetworkScheduleDuration [] Default u32 = "a08c0000", Source::Nothing;
        LastHotkeySwapOnNetuid [Identity NetUid, Blake2 AccountId32] Default u64 = "00*8", Source::Item(items::HOTKEY_SWAPPED_AT.number());
        TaoWeight [] Default u64 = "fc62e03efa3c7c0d", one(|state| state.ledger().settings.tao_weight.encode());
        CKBurn [] Default u64 = "00*8", Source::Nothing;
        MaxDelegateTake [] Default u16 = "142e", one(|state| state.ledger().settings.max_take.encode());
        MinDelegateTake [] Default u16 = "0000", one(|state| state.ledger().settings.min_take.encode());
        MaxChildkeyTake [] Default u16 = "142e", one(|state| state.ledger().settings.max_childkey_take.encode());
        MinChildkeyTake [] Default u16 = "0000", one(|state| state.ledger().settings.min_childkey_take.encode());
        MinChildkeyTakePerSubnet [Identity NetUid] Default u16 = "0000", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).min_childkey_take.encode());
        Owner [Blake2 AccountId32] Default AccountId32 = "00*32", Source::Item(items::OWNER.number());
        AccountFlags [Blake2 AccountId32] Default u128 = "00*16", Source::Nothing;
        Delegates [Blake2 AccountId32] Default u16 = "142e", Source::Item(items::TAKE.number());
        ChildkeyTake [Blake2 AccountId32, Identity NetUid] Default u16 = "0000", Source::Item(items::CHILDKEY_TAKE.number());
        PendingChildKeys [Identity NetUid, Blake2 AccountId32] Default (Vec<(u64, AccountId32)>, u64) = "00*9", Source::Item(items::PENDING_CHILDREN.number());
        ChildKeys [Blake2 AccountId32, Identity NetUid] Default Vec<(u64, AccountId32)> = "00", Source::Item(items::CHILD_KEYS.number());
        ParentKeys [Blake2 AccountId32, Identity NetUid] Default Vec<(u64, AccountId32)> = "00", Source::Item(items::PARENT_KEYS.number());
        AlphaDividendsPerSubnet [Identity NetUid, Blake2 AccountId32] Default AlphaBalance = "00*8", Source::Nothing;
        RootAlphaDividendsPerSubnet [Identity NetUid, Blake2 AccountId32] Default AlphaBalance = "00*8", Source::Nothing;
        BlockEmission [] Default u64 = "00ca9a3b00000000", Source::Item(items::BLOCK_EMISSION.number());
        LastHotkeyEmissionOnNetuid [Blake2 AccountId32, Identity NetUid] Default AlphaBalance = "00*8", Source::Nothing;
        SubnetLimit [] Default u16 = "8000", one(|state| state.ledger().settings.subnet_limit.encode());
        TotalIssuance [] Default TaoBalance = "00*8", Source::Item(items::EMITTED.number());
        TotalStake [] Default TaoBalance = "00*8", Source::Item(items::TOTAL_STAKE.number());
        SubnetMovingAlpha [] Default FixedI128<32> = "5532 00*14", Source::Nothing;
        SubnetMovingPrice [Identity NetUid] Default FixedI128<32> = "00*16", Source::Item(items::MOVING_PRICE.number());
        RootProp [Identity NetUid] Default FixedU128<32> = "00*16", Source::Item(items::ROOT_PROPORTION.number());
        SubnetVolume [Identity NetUid] Default u128 = "00*16", Source::Item(items::SUBNET_VOLUME.number());
        SubnetTAO [Identity NetUid] Default TaoBalance = "00*8", Source::Item(items::SUBNET_TAO.number());
        SubnetAlphaInEmission [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::ALPHA_IN_EMISSION.number());
        SubnetEmissionEnabled [Identity NetUid] Default bool = "01", Source::Item(items::EMISSION_ENABLED.number());
        SubnetAlphaOutEmission [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::ALPHA_OUT_EMISSION.number());
        SubnetTaoInEmission [Identity NetUid] Default TaoBalance = "00*8", Source::Item(items::TAO_IN_EMISSION.number());
        SubnetExcessTao [Identity NetUid] Default TaoBalance = "00*8", Source::Item(items::EXCESS_TAO.number());
        SubnetRootSellTao [Identity NetUid] Default TaoBalance = "00*8", Source::Item(items::ROOT_SELL_TAO.number());
        SubnetAlphaIn [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::SUBNET_ALPHA_IN.number());
        SubnetAlphaOut [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::SUBNET_ALPHA_OUT.number());
        SubnetProtocolAlpha [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::PROTOCOL_ALPHA.number());
        StakingHotkeys [Blake2 AccountId32] Default Vec<AccountId32> = "00", Source::Item(items::STAKING_HOTKEYS.number());
        OwnedHotkeys [Blake2 AccountId32] Default Vec<AccountId32> = "00", Source::Item(items::OWNED_HOTKEYS.number());
        AutoStakeDestination [Blake2 AccountId32, Identity NetUid] Optional AccountId32 = "00", Source::Item(items::AUTO_STAKE.number());
        AutoStakeDestinationColdkeys [Blake2 AccountId32, Identity NetUid] Default Vec<AccountId32> = "00", Source::Map(rows::auto_stakers);
        ColdkeySwapAnnouncementDelay [] Default u32 = "32000000", one(|state| state.ledger().settings.coldkey_swap_delay.encode());
        ColdkeySwapReannouncementDelay [] Default u32 = "0a000000", one(|state| state.ledger().settings.coldkey_reannouncement_delay.encode());
        ColdkeySwapAnnouncements [Twox AccountId32] Optional (u32, H256) = "00", Source::Item(items::COLDKEY_SWAPS.number());
        ColdkeySwapDisputes [Twox AccountId32] Optional u32 = "00", Source::Item(items::COLDKEY_SWAP_DISPUTES.number());
        TotalHotkeyAlpha [Blake2 AccountId32, Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::HOTKEY_ALPHA.number());
        TotalHotkeyAlphaLastEpoch [Blake2 AccountId32, Identity NetUid] Default AlphaBalance = "00*8", Source::Nothing;
        TotalHotkeyShares [Blake2 AccountId32, Identity NetUid] Default FixedU128<64> = "00*16", Source::Nothing;
        Alpha [Blake2 AccountId32, Blake2 AccountId32, Identity NetUid] Default FixedU128<64> = "00*16", Source::Nothing;
        TotalHotkeySharesV2 [Blake2 AccountId32, Identity NetUid] Default SafeFloat = "00*24", Source::Item(items::HOTKEY_SHARES.number());
        AlphaV2 [Blake2 AccountId32, Blake2 AccountId32, Identity NetUid] Default SafeFloat = "00*24", Source::Item(items::ALPHA.number());
        Lock [Blake2 AccountId32, Identity NetUid, Blake2 AccountId32] Optional LockState = "00", Source::Nothing;
        LockingColdkeys [Identity NetUid, Blake2 AccountId32, Blake2 AccountId32] Optional () = "00", Source::Nothing;
        HotkeyLock [Identity NetUid, Blake2 AccountId32] Optional LockState = "00", Source::Nothing;
        DecayingHotkeyLock [Identity NetUid, Blake2 AccountId32] Optional LockState = "00", Source::Nothing;
        OwnerLock [Identity NetUid] Optional LockState = "00", Source::Nothing;
        DecayingOwnerLock [Identity NetUid] Optional LockState = "00", Source::Nothing;
        DecayingLock [Blake2 AccountId32, Identity NetUid] Optional bool = "00", Source::Nothing;
        OwnerCutAutoLockEnabled [Identity NetUid] Default bool = "00", Source::Nothing;
        MaturityRate [] Default u64 = "d2430e 00*5", Source::Nothing;
        UnlockRate [] Default u64 = "d2430e 00*5", Source::Nothing;
        TokenSymbol [Identity NetUid] Default Vec<u8> = "10f09d9c8f", of_subnet(|state, netuid| state.ledger().symbol(netuid).encode());
        SubnetTaoFlow [Identity NetUid] Default i64 = "00*8", Source::Item(items::TAO_FLOW.number());
        SubnetEmaTaoFlow [Identity NetUid] Optional (u64, FixedI128<64>) = "00", Source::Nothing;
        NetTaoFlowEnabled [] Default bool = "01", Source::Nothing;
        SubnetProtocolFlow [Identity NetUid] Default i64 = "00*8", Source::Nothing;
        SubnetEmaProtocolFlow [Identity NetUid] Optional (u64, FixedI128<64>) = "00", Source::Nothing;
        TaoFlowCutoff [] Default FixedI128<64> = "00*16", Source::Nothing;
        FlowNormExponent [] Default FixedU128<64> = "00*8 01 00*7", Source::Nothing;
        FlowEmaSmoothingFactor [] Default u64 = "9dd5ab4beb1a0000", Source::Nothing;
        UsedWork [Identity Vec<u8>] Default u64 = "00*8", Source::Nothing;
        MaxRegistrationsPerBlock [Identity NetUid] Default u16 = "0100", Source::Nothing;
        TotalNetworks [] Default u16 = "0000", Source::Item(items::TOTAL_NETWORKS.number());
        NetworkImmunityPeriod [] Default u64 = "80c613 00*5", one(|state| state.ledger().settings.network_immunity_period.encode());
        StartCallDelay [] Default u64 = "00*8", one(|state| state.ledger().settings.start_call_delay.encode());
        NetworkMinLockCost [] Default TaoBalance = "0010a5d4e8000000", one(|state| state.ledger().settings.min_lock_cost.encode());
        NetworkLastLockCost [] Default TaoBalance = "0010a5d4e8000000", one(|state| state.ledger().get(&items::LAST_LOCK_COST, &()).unwrap_or(state.ledger().settings.min_lock_cost).encode());
        NetworkLockReductionInterval [] Default u64 = "c08901 00*5", one(|state| state.ledger().settings.lock_reduction_interval.encode());
        SubnetOwnerCut [] Default u16 = "142e", one(|state| state.ledger().settings.owner_cut.encode());
        OwnerCutEnabled [Identity NetUid] Default bool = "01", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).owner_cut_enabled.encode());
        NetworkRateLimit [] Default u64 = "201c 00*6", one(|state| state.ledger().settings.network_rate_limit.encode());
        NominatorMinRequiredStake [] Default u64 = "00*8", one(|state| state.ledger().settings.nominator_min_stake.encode());
        WeightsVersionKeyRateLimit [] Default u64 = "05 00*7", one(|state| u64::from(state.ledger().settings.version_key_rate_limit_tempos).encode());
        LastRateLimitedBlock [Identity RateLimitKey] Default u64 = "00*8", Source::Map(rows::rate_limited);
        TransferToggle [Identity NetUid] Default bool = "01", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).transfers_enabled.encode());
        SubnetLocked [Identity NetUid] Default TaoBalance = "00*8", Source::Item(items::SUBNET_LOCKED.number());
        LargestLocked [Identity NetUid] Default u64 = "00*8", Source::Nothing;
        Tempo [Identity NetUid] Default u16 = "6801", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).tempo.encode());
        LastEpochBlock [Identity NetUid] Default u64 = "00*8", Source::Item(items::LAST_EPOCH_BLOCK.number());
        PendingEpochAt [Identity NetUid] Default u64 = "00*8", Source::Item(items::PENDING_EPOCH_AT.number());
        SubnetEpochIndex [Identity NetUid] Default u64 = "00*8", Source::Item(items::EPOCH_INDEX.number());
        ActivityCutoffFactorMilli [Identity NetUid] Default u32 = "41360000", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).activity_cutoff_factor_milli.encode());
        FirstEmissionBlockNumber [Identity NetUid] Optional u64 = "00", Source::Item(items::FIRST_EMISSION_BLOCK.number());
        SubnetMechanism [Identity NetUid] Default u16 = "0000", Source::Item(items::SUBNET_MECHANISM.number());
        SubnetworkN [Identity NetUid] Default u16 = "0000", Source::Item(items::NEURONS.number());
        NetworksAdded [Identity NetUid] Default bool = "00", Source::Item(items::NETWORKS_ADDED.number());
        IsNetworkMember [Blake2 AccountId32, Identity NetUid] Default bool = "00", Source::Members;
        NetworkRegistrationAllowed [Identity NetUid] Default bool = "01", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).network_registration_allowed.encode());
        NetworkPowRegistrationAllowed [Identity NetUid] Default bool = "01", Source::Nothing;
        NetworkRegisteredAt [Identity NetUid] Default u64 = "00*8", Source::Item(items::NETWORK_REGISTERED_AT.number());
        RegisteredSubnetCounter [Identity NetUid] Default u64 = "00*8", Source::Nothing;
        PendingServerEmission [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::PENDING_SERVER.number());
        PendingValidatorEmission [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::PENDING_VALIDATOR.number());
        PendingRootAlphaDivs [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::PENDING_ROOT.number());
        PendingOwnerCut [Identity NetUid] Default AlphaBalance = "00*8", Source::Item(items::PENDING_OWNER_CUT.number());
        MinerBurned [Identity NetUid] Default FixedU128<32> = "00*16", Source::Item(items::MINER_BURNED.number());
        BlocksSinceLastStep [Identity NetUid] Default u64 = "00*8", Source::Item(items::BLOCKS_SINCE_STEP.number());
        LastMechansimStepBlock [Identity NetUid] Default u64 = "00*8", Source::Item(items::LAST_STEP_BLOCK.number());
        SubnetOwner [Identity NetUid] Default AccountId32 = "00*32", Source::Item(items::SUBNET_OWNER.number());
        SubnetOwnerHotkey [Identity NetUid] Default AccountId32 = "00*32", Source::Item(items::SUBNET_OWNER_HOTKEY.number());
        RecycleOrBurn [Identity NetUid] Default RecycleOrBurnEnum = "00", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).recycle_owner_incentive.encode());
        ServingRateLimit [Identity NetUid] Default u64 = "32 00*7", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).serving_rate_limit.encode());
        Rho [Identity NetUid] Default u16 = "0a00", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).rho.encode());
        AlphaSigmoidSteepness [Identity NetUid] Default i16 = "e803", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).alpha_sigmoid_steepness.encode());
        Kappa [Identity NetUid] Default u16 = "ff7f", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).kappa.encode());
        RegistrationsThisInterval [Identity NetUid] Default u16 = "0000", Source::Item(items::REGISTRATIONS_THIS_INTERVAL.number());
        POWRegistrationsThisInterval [Identity NetUid] Default u16 = "0000", Source::Nothing;
        BurnRegistrationsThisInterval [Identity NetUid] Default u16 = "0000", Source::Nothing;
        MinAllowedUids [Identity NetUid] Default u16 = "4000", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).min_allowed_uids.encode());
        MaxAllowedUids [Identity NetUid] Default u16 = "0001", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).max_allowed_uids.encode());
        ImmunityPeriod [Identity NetUid] Default u16 = "0010", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).immunity_period.encode());
        ActivityCutoff [Identity NetUid] Default u16 = "8813", Source::Nothing;
        MaxWeightsLimit [Identity NetUid] Default u16 = "ffff", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).max_weights_limit.encode());
        WeightsVersionKey [Identity NetUid] Default u64 = "00*8", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).weights_version_key.encode());
        MinAllowedWeights [Identity NetUid] Default u16 = "0004", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).min_allowed_weights.encode());
        MaxAllowedValidators [Identity NetUid] Default u16 = "8000", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).max_allowed_validators.encode());
        AdjustmentInterval [Identity NetUid] Default u16 = "6400", Source::Nothing;
        BondsMovingAverage [Identity NetUid] Default u64 = "a0bb0d 00*5", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).bonds_moving_average.encode());
        BondsPenalty [Identity NetUid] Default u16 = "ffff", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).bonds_penalty.encode());
        BondsResetOn [Identity NetUid] Default bool = "00", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).bonds_reset_enabled.encode());
        WeightsSetRateLimit [Identity NetUid] Default u64 = "64 00*7", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).weights_set_rate_limit.encode());
        ValidatorPruneLen [Identity NetUid] Default u64 = "01 00*7", Source::Nothing;
        ScalingLawPower [Identity NetUid] Default u16 = "3200", Source::Nothing;
        TargetRegistrationsPerInterval [Identity NetUid] Default u16 = "0200", Source::Nothing;
        AdjustmentAlpha [Identity NetUid] Default u64 = "00*8", Source::Nothing;
        CommitRevealWeightsEnabled [Identity NetUid] Default bool = "01", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).commit_reveal_weights_enabled.encode());
        Burn [Identity NetUid] Default TaoBalance = "00e1f50500000000", Source::Item(items::BURN.number());
        Difficulty [Identity NetUid] Default u64 = "809698 00*5", Source::Nothing;
        MinBurn [Identity NetUid] Default TaoBalance = "20a107 00*5", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).min_burn.encode());
        MaxBurn [Identity NetUid] Default TaoBalance = "00e8764817000000", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).max_burn.encode());
        MinDifficulty [Identity NetUid] Default u64 = "809698 00*5", Source::Nothing;
        MaxDifficulty [Identity NetUid] Default u64 = "ff*7 3f", Source::Nothing;
        LastAdjustmentBlock [Identity NetUid] Default u64 = "00*8", Source::Nothing;
        RegistrationsThisBlock [Identity NetUid] Default u16 = "0000", Source::Item(items::REGISTRATIONS_THIS_BLOCK.number());
        EMAPriceHalvingBlocks [Identity NetUid] Default u64 = "801303 00*5", Source::Nothing;
        RAORecycledForRegistration [Identity NetUid] Default TaoBalance = "00*8", Source::Item(items::RAO_RECYCLED.number());
        MaxEpochsPerBlock [] Default u8 = "02", one(|state| state.ledger().settings.max_epochs_per_block.encode());
        TxRateLimit [] Default u64 = "e803 00*6", one(|state| state.ledger().settings.tx_rate_limit.encode());
        TxDelegateTakeRateLimit [] Default u64 = "c04b03 00*5", one(|state| state.ledger().settings.take_rate_limit.encode());
        TxChildkeyTakeRateLimit [] Default u64 = "05 00*7", one(|state| state.ledger().settings.childkey_take_rate_limit.encode());
        LiquidAlphaOn [Blake2 NetUid] Default bool = "00", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).liquid_alpha_enabled.encode());
        Yuma3On [Blake2 NetUid] Default bool = "00", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).yuma3_enabled.encode());
        AlphaValues [Identity NetUid] Default (u16, u16) = "33b366e6", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).alpha_values.encode());
        SubtokenEnabled [Identity NetUid] Default bool = "00", Source::Item(items::SUBTOKEN_ENABLED.number());
        VotingPower [Identity NetUid, Blake2 AccountId32] Default u64 = "00*8", Source::Nothing;
        VotingPowerTrackingEnabled [Identity NetUid] Default bool = "00", Source::Nothing;
        VotingPowerDisableAtBlock [Identity NetUid] Default u64 = "00*8", Source::Nothing;
        VotingPowerEmaAlpha [Identity NetUid] Default u64 = "0020d965e5ae0c00", Source::Nothing;
        ImmuneOwnerUidsLimit [Identity NetUid] Default u16 = "0100", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).owner_immune_neuron_limit.encode());
        SubnetEpochConsensus [Identity NetUid] Default EpochConsensus = "00", Source::Item(items::EPOCH_CONSENSUS.number());
        SavedYumaMaxAllowedValidators [Identity NetUid] Optional u16 = "00", Source::Item(items::SAVED_VALIDATORS.number());
        LastYumaStepBlock [Identity NetUid] Optional u64 = "00", Source::Item(items::LAST_YUMA_STEP.number());
        StakeWeight [Identity NetUid] Default Vec<u16> = "00", Source::Item(items::STAKE_WEIGHT.number());
        Uids [Identity NetUid, Blake2 AccountId32] Optional u16 = "00", Source::Item(items::UIDS.number());
        Keys [Identity NetUid, Identity u16] Default AccountId32 = "00*32", Source::Item(items::KEYS.number());
        LoadedEmission [Identity NetUid] Optional Vec<(AccountId32, u64, u64)> = "00", Source::Nothing;
        Active [Identity NetUid] Default Vec<bool> = "00", Source::Item(items::ACTIVE.number());
        Consensus [Identity NetUid] Default Vec<u16> = "00", Source::Item(items::CONSENSUS.number());
        Incentive [Identity NetUidStorageIndex] Default Vec<u16> = "00", Source::Item(items::INCENTIVE.number());
        Dividends [Identity NetUid] Default Vec<u16> = "00", Source::Item(items::DIVIDENDS.number());
        Emission [Identity NetUid] Default Vec<AlphaBalance> = "00", Source::Item(items::EMISSION.number());
        LastUpdate [Identity NetUidStorageIndex] Default Vec<u64> = "00", Source::Item(items::LAST_UPDATE.number());
        ValidatorTrust [Identity NetUid] Default Vec<u16> = "00", Source::Item(items::TRUST.number());
        ValidatorPermit [Identity NetUid] Default Vec<bool> = "00", Source::Item(items::PERMIT.number());
        Weights [Identity NetUidStorageIndex, Identity u16] Default Vec<(u16, u16)> = "00", Source::Item(items::WEIGHTS.number());
        Bonds [Identity NetUidStorageIndex, Identity u16] Default Vec<(u16, u16)> = "00", Source::Item(items::BONDS.number());
        BlockAtRegistration [Identity NetUid, Identity u16] Default u64 = "00*8", Source::Item(items::REGISTERED_AT.number());
        Axons [Identity NetUid, Blake2 AccountId32] Optional AxonInfo = "00", Source::Item(items::AXONS.number());
        NeuronCertificates [Identity NetUid, Blake2 AccountId32] Optional NeuronCertificate = "00", Source::Item(items::CERTIFICATES.number());
        Prometheus [Identity NetUid, Blake2 AccountId32] Optional PrometheusInfo = "00", Source::Item(items::PROMETHEUS.number());
        IdentitiesV2 [Blake2 AccountId32] Optional ChainIdentityV2 = "00", Source::Item(items::IDENTITIES.number());
        SubnetIdentitiesV3 [Blake2 NetUid] Optional SubnetIdentityV3 = "00", Source::Item(items::SUBNET_IDENTITIES.number());
        TransactionKeyLastBlock [Blake2 AccountId32, Identity NetUid, Identity u16] Default u64 = "00*8", Source::Map(rows::transactions);
        LastTxBlock [Identity AccountId32] Default u64 = "00*8", Source::Nothing;
        LastTxBlockChildKeyTake [Identity AccountId32] Default u64 = "00*8", Source::Nothing;
        LastTxBlockDelegateTake [Identity AccountId32] Default u64 = "00*8", Source::Nothing;
        StakeThreshold [] Default u64 = "00*8", one(|state| state.ledger().settings.stake_threshold.encode());
        WeightCommits [Twox NetUidStorageIndex, Twox AccountId32] Optional Vec<(H256, u64, u64, u64)> = "00", Source::Item(items::WEIGHT_COMMITS.number());
        TimelockedWeightCommits [Twox NetUidStorageIndex, Twox u64] Default Vec<(AccountId32, u64, BoundedVec<u8>, u64)> = "00", Source::Item(items::TIMELOCKED_COMMITS.number());
        CRV3WeightCommits [Twox NetUidStorageIndex, Twox u64] Default Vec<(AccountId32, BoundedVec<u8>, u64)> = "00", Source::Nothing;
        CRV3WeightCommitsV2 [Twox NetUidStorageIndex, Twox u64] Default Vec<(AccountId32, u64, BoundedVec<u8>, u64)> = "00", Source::Nothing;
        RevealPeriodEpochs [Twox NetUid] Default u64 = "01 00*7", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).reveal_period_epochs.encode());
        LastColdkeyHotkeyStakeBlock [Twox AccountId32, Twox AccountId32] Optional u64 = "00", Source::Nothing;
        RootClaimableThreshold [Blake2 NetUid] Default FixedI128<32> = "0000000020a107 00*9", Source::Converted(items::ROOT_CLAIM_THRESHOLD.number(), rows::threshold);
        RootClaimable [Blake2 AccountId32] Default BTreeMap<NetUid, FixedI128<32>> = "00", Source::Map(rows::claim_rates);
        RootClaimType [Blake2 AccountId32] Default RootClaimTypeEnum = "00", Source::Item(items::ROOT_CLAIM_TYPE.number());
        NumRootClaim [] Default u64 = "05 00*7", one(|state| state.ledger().settings.root_claims_per_block.encode());
        RootClaimed [Identity NetUid, Blake2 AccountId32, Blake2 AccountId32] Default u128 = "00*16", Source::Item(items::ROOT_CLAIMED.number());
        StakingColdkeysByIndex [Identity u64] Optional AccountId32 = "00", Source::Item(items::STAKING_COLDKEYS.number());
        StakingColdkeys [Identity AccountId32] Optional u64 = "00", Source::Item(items::STAKING_COLDKEY_INDEX.number());
        RootClaimType [Blake2 AccountId32] Default RootClaimTypeEnum = "00", Source::Item(items::ROOT_CLAIM_TYPE.number());
        NumRootClaim [] Default u64 = "05 00*7", one(|state| state.ledger().settings.root_claims_per_block.encode());
        NumStakingColdkeys [] Default u64 = "00*8", Source::Item(items::NUM_STAKING_COLDKEYS.number());
        AssociatedEvmAddress [Twox NetUid, Twox u16] Optional (H160, u64) = "00", Source::Nothing;
        AssociatedUidsByEvmAddress [Twox NetUid, Twox H160] Default BoundedVec<(u16, u64)> = "00", Source::Nothing;
        SubnetLeases [Twox u32] Optional SubnetLease = "00", Source::Nothing;
        SubnetLeaseShares [Twox u32, Identity AccountId32] Default FixedU128<64> = "00*16", Source::Nothing;
        SubnetUidToLeaseId [Twox NetUid] Optional u32 = "00", Source::Nothing;
        NextSubnetLeaseId [] Default u32 = "00000000", Source::Nothing;
        AccumulatedLeaseDividends [Twox u32] Default AlphaBalance = "00*8", Source::Nothing;
        CommitRevealWeightsVersion [] Default u16 = "0400", one(|state| state.ledger().settings.commit_reveal_version.encode());
        NetworkRegistrationStartBlock [] Default u64 = "00*8", Source::Nothing;
        TaoInRefundDeploymentBlock [] Default u64 = "00*8", Source::Nothing;
        MinNonImmuneUids [Identity NetUid] Default u16 = "0a00", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).min_non_immune_uids.encode());
        MaxMechanismCount [] Default MechId = "02", one(|state| state.ledger().settings.max_mechanisms.encode());
        MechanismCountCurrent [Twox NetUid] Default MechId = "01", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).mechanism_count.encode());
        MechanismEmissionSplit [Twox NetUid] Optional Vec<u16> = "00", Source::Item(items::MECHANISM_SPLIT.number());
        BurnHalfLife [Identity NetUid] Default u16 = "6801", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).burn_half_life_blocks.encode());
        BurnIncreaseMult [Identity NetUid] Default FixedU128<64> = "0090c2f5285c8f4201 00*7", of_subnet(|state, netuid| state.ledger().hyperparameters(netuid).burn_increase_mult_bits.encode());
        AutoParentDelegationEnabled [Blake2 AccountId32] Default bool = "01", Source::Nothing;
        HasMigrationRun [Identity Vec<u8>] Default bool = "00", Source::Nothing;
        PendingChildKeyCooldown [] Default u64 = "201c 00*6", one(|state| state.ledger().settings.children_cooldown.encode());
    }
    "Sudo" {
        Key [] Optional AccountId32 = "00", Source::Item(items::SUDO.number());
    }
    "Commitments" {
        TimelockedIndex [] Default BTreeSet<(NetUid, AccountId32)> = "00", one(rows::timelocked_commitments);
        CommitmentOf [Identity NetUid, Twox AccountId32] Optional Registration = "00", Source::Converted(items::COMMITMENT_OF.number(), commitment);
        LastCommitment [Identity NetUid, Twox AccountId32] Optional u32 = "00", Source::Converted(items::COMMITMENT_OF.number(), rows::commitment_block);
        LastBondsReset [Identity NetUid, Twox AccountId32] Optional u32 = "00", Source::Nothing;
        RevealedCommitments [Identity NetUid, Twox AccountId32] Optional Vec<(Vec<u8>, u64)> = "00", Source::Item(items::REVEALED_COMMITMENTS.number());
        UsedSpaceOf [Identity NetUid, Twox AccountId32] Optional UsageTracker = "00", Source::Item(items::USED_SPACE.number());
        MaxSpace [] Default u32 = "1c0c0000", one(|state| u32::try_from(state.ledger().settings.commitment_space).unwrap_or(u32::MAX).encode());
    }
    "Drand" {
        BeaconConfig [] Default BeaconConfiguration = "810183cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a030000002721e6648052db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e97180f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e60626c732d756e636861696e65642d67312d7266633933383020717569636b6e6574", Source::Sometimes(beacon);
        HasMigrationRun [Identity BoundedVec<u8>] Default bool = "00", Source::Nothing;
        Pulses [Blake2 u64] Optional Pulse = "00", Source::Item(items::PULSES.number());
        LastStoredRound [] Default u64 = "00*8", one(|state| state.ledger().last_round().encode());
        OldestStoredRound [] Default u64 = "00*8", Source::Nothing;
        NextUnsignedAt [] Default u32 = "00000000", Source::Nothing;
    }
    "Swap" {
        FeeRate [Twox NetUid] Default u16 = "2100", Source::Nothing;
        SwapBalancer [Twox NetUid] Default Balancer = "0000b2d3595bf006", Source::Nothing;
        PalSwapInitialized [Twox NetUid] Default bool = "00", Source::Nothing;
        BalancerTaoReservoir [Twox NetUid] Default TaoBalance = "00*8", Source::Nothing;
        BalancerAlphaReservoir [Twox NetUid] Default AlphaBalance = "00*8", Source::Nothing;
        HasMigrationRun [Identity BoundedVec<u8>] Default bool = "00", Source::Nothing;
        ScrapReservoirAlpha [Twox NetUid] Default AlphaBalance = "00*8", Source::Nothing;
    }
    }
}

/// All items.
pub(crate) static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(entries);

/// The items by the hashed names that their keys begin with.
static BY_PREFIX: LazyLock<BTreeMap<[u8; 32], usize>> =
    LazyLock::new(|| ENTRIES.iter().enumerate().map(|(at, entry)| (entry.prefix(), at)).collect());

/// Bytes of an account.
const ACCOUNT_BYTES: usize = 32;
/// Bytes of the hashed names of pallet and item.
const PREFIX_BYTES: usize = 32;

impl Entry {
    /// What all keys of the item begin with.
    pub(crate) fn prefix(&self) -> [u8; PREFIX_BYTES] {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..16].copy_from_slice(&twox_128(self.pallet.as_bytes()));
        prefix[16..].copy_from_slice(&twox_128(self.name.as_bytes()));
        prefix
    }

    /// The parts of a key as the state writes them, as many as are whole in `rest`, and how many those are; none where a hash
    /// is not its part's.
    pub(super) fn own_parts(&self, mut rest: &[u8]) -> Option<(Vec<u8>, usize)> {
        let (mut own, mut whole) = (Vec::new(), 0);
        for (hasher, part) in &self.parts {
            let length = match part {
                Part::Number(length) => *length,
                Part::Account => ACCOUNT_BYTES,
                Part::Rest if !rest.is_empty() => rest.len(),
                Part::Opaque | Part::Rest => return Some((own, whole)),
            };
            let (Some(hash), Some(value)) =
                (rest.get(..hasher.length()), rest.get(hasher.length()..hasher.length() + length))
            else {
                return Some((own, whole));
            };
            if hasher.hash(value) != hash {
                return None;
            }
            match part {
                Part::Number(_) => own.extend(value.iter().rev()),
                Part::Account | Part::Opaque | Part::Rest => own.extend(value),
            }
            rest = &rest[hasher.length() + length..];
            whole += 1;
        }
        // Bytes behind the last part belong to no key.
        rest.is_empty().then_some((own, whole))
    }

    /// The parts that are whole in the beginning of a key.
    fn whole_parts(&self, rest: &[u8]) -> Vec<u8> {
        let mut rest = rest.to_vec();
        loop {
            if let Some((own, _)) = self.own_parts(&rest) {
                return own;
            }
            if rest.pop().is_none() {
                return Vec::new();
            }
        }
    }

    /// The real key of parts as the state writes them.
    pub(super) fn real_key(&self, mut own: &[u8]) -> Option<Vec<u8>> {
        let mut key = self.prefix().to_vec();
        for (hasher, part) in &self.parts {
            let length = match part {
                Part::Number(length) => *length,
                Part::Account => ACCOUNT_BYTES,
                Part::Rest => own.len(),
                Part::Opaque => return None,
            };
            let mut value = own.get(..length)?.to_vec();
            own = &own[length..];
            if matches!(part, Part::Number(_)) {
                value.reverse();
            }
            key.extend(hasher.hash(&value));
            key.extend(value);
        }
        Some(key)
    }

    fn value_of(&self, state: &State, own: &[u8]) -> Option<Vec<u8>> {
        let stored = |number: u8| {
            let key = Key::from_bytes(&[&[number], own].concat())?;
            state.raw(&key).map(|value| value.to_vec())
        };
        match self.source {
            Source::Nothing => None,
            Source::One(value) => Some(value(state)),
            Source::Sometimes(value) => value(state),
            Source::OfSubnet(value) => {
                let netuid = Net(u16::from_be_bytes(own.try_into().ok()?));
                state.ledger().subnet_exists(netuid).then(|| value(state, netuid))
            }
            Source::Item(number) => stored(number),
            Source::Converted(number, convert) => convert(&stored(number)?),
            Source::Map(all) => all(state).remove(own),
            Source::Accounts => account(state, AccountId(own.try_into().ok()?)),
            Source::Members => {
                let (hotkey, netuid) = own.split_at_checked(ACCOUNT_BYTES)?;
                let key = Key::from_bytes(&[&[items::UIDS.number()], netuid, hotkey].concat())?;
                state.raw(&key).map(|_| true.encode())
            }
        }
    }

    /// All parts that begin with `own`, as the state writes them.
    fn all_parts(&self, state: &State, own: &[u8]) -> Vec<Vec<u8>> {
        let scan = |number: u8| {
            let start = [&[number], own].concat();
            let keys = state.ledger().store.keys_from(&start).map(|key| key[1..].to_vec());
            keys.collect::<Vec<_>>()
        };
        match self.source {
            Source::Nothing => Vec::new(),
            Source::One(_) => vec![Vec::new()],
            Source::Sometimes(value) => value(state).map(|_| Vec::new()).into_iter().collect(),
            Source::OfSubnet(_) => {
                let all = std::iter::once(Net::ROOT).chain(state.subnets());
                all.map(|netuid| netuid.0.to_be_bytes().to_vec())
                    .filter(|parts| parts.starts_with(own))
                    .collect()
            }
            Source::Item(number) | Source::Converted(number, _) => scan(number),
            Source::Map(all) => all(state).into_keys().filter(|parts| parts.starts_with(own)).collect(),
            Source::Accounts => {
                let mut all = scan(items::BALANCE.number());
                all.extend(scan(items::NONCE.number()));
                all.sort_unstable();
                all.dedup();
                all
            }
            Source::Members => {
                let slots = state.ledger().store.keys_from(&[items::UIDS.number()]);
                let turned = slots.map(|key| [&key[3..], &key[1..3]].concat());
                turned.filter(|parts| parts.starts_with(own)).collect()
            }
        }
    }
}

fn account(state: &State, account: AccountId) -> Option<Vec<u8>> {
    let (free, nonce) = (state.balance(account), state.nonce(account));
    if free.is_zero() && nonce == 0 {
        return None;
    }
    let data = AccountData {
        free: free.into(),
        reserved: TaoBalance(0),
        frozen: TaoBalance(0),
        // The flag says that the account's counters are of the newest kind. Source: `pallet_balances`, `ExtraFlags`.
        flags: ExtraFlags(1 << 127),
    };
    let providers = u32::from(!free.is_zero());
    Some(AccountInfo { nonce, consumers: 0, providers, sufficients: 0, data }.encode())
}

/// The chain's own beacon, as one declares drand's: clients seal for the key that they find here.
fn beacon(state: &State) -> Option<Vec<u8>> {
    /// How a round is signed: a group's signature on the first curve group over the round alone, as drand's quicknet.
    const SCHEME: &[u8] = b"bls-unchained-g1-rfc9380";
    let own: items::BeaconSecret = state.value(&items::BEACON, &())?;
    let key = chain::timelock::SecretKey::from_seed(&primitives::Seed(own.secret)).public_key().to_bytes();
    let bytes = |bytes: &[u8]| BoundedVec(bytes.to_vec());
    let config = BeaconConfiguration {
        public_key: bytes(&key),
        period: own.period_ms / 1000,
        genesis_time: u32::try_from(own.genesis.0 / 1000).unwrap_or(0),
        hash: bytes(&[]),
        group_hash: bytes(&[]),
        scheme_id: bytes(SCHEME),
        metadata: Metadata { beacon_id: bytes(b"weighhouse") },
    };
    Some(config.encode())
}

fn commitment(stored: &[u8]) -> Option<Vec<u8>> {
    let stored: items::Registration = Decode::decode(&mut &stored[..]).ok()?;
    Some(Registration::from(stored).encode())
}

impl From<items::Registration> for Registration {
    fn from(stored: items::Registration) -> Self {
        let items::Registration { deposit, block, fields } = stored;
        let fields = BoundedVec(fields.into_iter().map(|field| Data(Some(field))).collect());
        Self { deposit: deposit.into(), block, info: CommitmentInfo { fields } }
    }
}

/// The items of the pallet that subnets live in, by name.
static BY_NAME: LazyLock<BTreeMap<&'static str, usize>> = LazyLock::new(|| {
    let of_pallet = |(_, entry): &(usize, &Entry)| entry.pallet == "SubtensorModule";
    ENTRIES.iter().enumerate().filter(of_pallet).map(|(at, entry)| (entry.name, at)).collect()
});

/// A value of pallet `SubtensorModule` by the item's name and its key's parts, as the table has it; none where nothing is
/// stored.
pub(crate) fn find<T: Decode>(state: &State, name: &str, parts: &impl KeyParts) -> Option<T> {
    let entry = &ENTRIES[*BY_NAME.get(name).expect("the name stands in the table")];
    let stored = entry.value_of(state, &Key::new(0, parts).as_bytes()[1..])?;
    Some(T::decode(&mut &stored[..]).expect("a value is read as the type that the table gives it"))
}

/// [`find`], or the item's default where nothing is stored.
pub(crate) fn read<T: Decode>(state: &State, name: &str, parts: &impl KeyParts) -> T {
    find(state, name, parts).unwrap_or_else(|| {
        let entry = &ENTRIES[*BY_NAME.get(name).expect("the name stands in the table")];
        T::decode(&mut &entry.default[..]).expect("a value is read as the type that the table gives it")
    })
}

/// The value under a real key; none where nothing is stored there, or the key is none.
pub(crate) fn get(state: &State, key: &[u8]) -> Option<Vec<u8>> {
    let (prefix, rest) = key.split_first_chunk::<PREFIX_BYTES>()?;
    let entry = &ENTRIES[*BY_PREFIX.get(prefix)?];
    let (own, whole) = entry.own_parts(rest)?;
    if whole == entry.parts.len() { entry.value_of(state, &own) } else { None }
}

/// The first `count` keys that begin with `prefix` and come after `after`, in the order of their bytes.
pub(crate) fn keys(state: &State, prefix: &[u8], after: Option<&[u8]>, count: usize) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in ENTRIES.iter() {
        let start = entry.prefix();
        let common = prefix.len().min(PREFIX_BYTES);
        if prefix[..common] != start[..common] {
            continue;
        }
        let rest = prefix.get(PREFIX_BYTES..).unwrap_or_default();
        // A cut part is no part yet: it is compared below.
        let own = entry.whole_parts(rest);
        let real = entry.all_parts(state, &own).into_iter().filter_map(|parts| entry.real_key(&parts));
        found
            .extend(real.filter(|key| key.starts_with(prefix) && after.is_none_or(|after| &key[..] > after)));
    }
    found.sort_unstable();
    found.truncate(count);
    found
}
