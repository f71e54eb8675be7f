//! Types that several parts of the chain's encoding share, and those that storage holds.

use std::{collections::BTreeSet, sync::LazyLock};

use chain::CommitmentField;
use parity_scale_codec::{Compact, Decode, Encode, Error, Input, Output};
use scale_info::{
    MetaType, Type, TypeInfo, TypeParameter,
    build::{Fields, Variants},
};

use super::{
    bounded::{BoundedVec, FixedU128},
    compact_as,
    events::RuntimeEvent,
    path, shape,
};

/// An address as calls take it; only [`MultiAddress::Id`] can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum MultiAddress {
    #[codec(index = 0)]
    Id(AccountId32),
    #[codec(index = 1)]
    Index(Compact<()>),
    #[codec(index = 2)]
    Raw(Vec<u8>),
    #[codec(index = 3)]
    Address32([u8; 32]),
    #[codec(index = 4)]
    Address20([u8; 20]),
}

impl TypeInfo for MultiAddress {
    type Identity = Self;
    fn type_info() -> Type {
        let variants = Variants::new()
            .variant("Id", |variant| variant.index(0).fields(one::<AccountId32>("AccountId")))
            .variant("Index", |variant| variant.index(1).fields(one::<Compact<()>>("AccountIndex")))
            .variant("Raw", |variant| variant.index(2).fields(one::<Vec<u8>>("Vec<u8>")))
            .variant("Address32", |variant| variant.index(3).fields(one::<[u8; 32]>("[u8; 32]")))
            .variant("Address20", |variant| variant.index(4).fields(one::<[u8; 20]>("[u8; 20]")));
        Type::builder()
            .path(path("sp_runtime::multiaddress::MultiAddress"))
            .type_params([
                TypeParameter::new("AccountId", Some(MetaType::new::<AccountId32>())),
                TypeParameter::new("AccountIndex", Some(MetaType::new::<()>())),
            ])
            .variant(variants)
    }
}

/// One unnamed field.
fn one<T: TypeInfo + 'static>(
    name: &'static str,
) -> scale_info::build::FieldsBuilder<scale_info::form::MetaForm, scale_info::build::UnnamedFields> {
    Fields::unnamed().field(|field| field.ty::<T>().type_name(name))
}

/// How long an extrinsic is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// For ever.
    Immortal,
    /// From a block on, for a number of blocks: see [`Era::birth`].
    Mortal {
        /// For how many blocks: a power of two from 4 to 65536.
        period: u64,
        /// The block of birth modulo the period.
        phase: u64,
    },
}

/// Steps of the phase in long periods. Source: `sp_runtime::generic::Era`.
const QUANTIZE_SHIFT: u32 = 12;

impl Era {
    /// The block that the era counts from, given one within it.
    pub(crate) fn birth(self, current: u64) -> u64 {
        match self {
            Self::Immortal => 0,
            Self::Mortal { period, phase } => (current.max(phase) - phase) / period * period + phase,
        }
    }

    /// The first block in which it is over.
    pub(crate) fn death(self, current: u64) -> u64 {
        match self {
            Self::Immortal => u64::MAX,
            Self::Mortal { period, .. } => self.birth(current) + period,
        }
    }
}

impl Encode for Era {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        match *self {
            Self::Immortal => out.push_byte(0),
            Self::Mortal { period, phase } => {
                let factor = (period >> QUANTIZE_SHIFT).max(1);
                let low = u16::try_from(period.trailing_zeros().saturating_sub(1).clamp(1, 15)).unwrap_or(1);
                let high = u16::try_from(phase / factor).unwrap_or(0) << 4;
                (low | high).encode_to(out);
            }
        }
    }
}

impl Decode for Era {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let first = input.read_byte()?;
        if first == 0 {
            return Ok(Self::Immortal);
        }
        let encoded = u64::from(u16::from_le_bytes([first, input.read_byte()?]));
        let period = 2u64 << (encoded % 16);
        let phase = (encoded >> 4) * (period >> QUANTIZE_SHIFT).max(1);
        if period >= 4 && phase < period {
            Ok(Self::Mortal { period, phase })
        } else {
            Err("period and phase of an era do not fit".into())
        }
    }
}

impl TypeInfo for Era {
    type Identity = Self;
    fn type_info() -> Type {
        let mortal = (1..=u8::MAX).fold(
            Variants::new().variant("Immortal", |variant| variant.index(0)),
            |all, index| {
                all.variant(MORTAL[usize::from(index)].as_str(), |variant| {
                    variant.index(index).fields(one::<u8>("u8"))
                })
            },
        );
        Type::builder().path(path("sp_runtime::generic::era::Era")).variant(mortal)
    }
}

/// Names of the kinds of mortal eras and of raw data, by number.
static MORTAL: LazyLock<Vec<String>> = LazyLock::new(|| (0..=255).map(|n| format!("Mortal{n}")).collect());
static RAW: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..=MAX_RAW_BYTES).map(|n| format!("Raw{n}")).collect());

/// Longest raw data that has a kind of its own.
const MAX_RAW_BYTES: usize = 128;
/// Longest raw data otherwise. Source: `pallets/commitments`, `Data::BigRaw`.
const MAX_BIG_RAW_BYTES: usize = 512;
/// Longest ciphertext. Source: `MAX_TIMELOCK_COMMITMENT_SIZE_BYTES`.
const MAX_TIMELOCK_BYTES: usize = 1024;
/// The kind of empty raw data; kinds of longer ones follow it.
const RAW_KIND: u8 = 1;
/// The kind behind the last raw data.
const AFTER_RAW: u8 = 130;

/// One field of a commitment. Kinds 1 to 129 are raw bytes, the kind being their number plus one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data(pub(crate) Option<CommitmentField>);

impl Encode for Data {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        match &self.0 {
            None => out.push_byte(0),
            Some(CommitmentField::Raw(bytes)) => {
                let bytes = bytes.get(..MAX_RAW_BYTES).unwrap_or(bytes);
                out.push_byte(RAW_KIND + u8::try_from(bytes.len()).unwrap_or(0));
                out.write(bytes);
            }
            Some(CommitmentField::BlakeTwo256(hash)) => (AFTER_RAW, hash).encode_to(out),
            Some(CommitmentField::Sha256(hash)) => (AFTER_RAW + 1, hash).encode_to(out),
            Some(CommitmentField::Keccak256(hash)) => (AFTER_RAW + 2, hash).encode_to(out),
            Some(CommitmentField::ShaThree256(hash)) => (AFTER_RAW + 3, hash).encode_to(out),
            Some(CommitmentField::TimelockEncrypted { encrypted, reveal_round }) => {
                (AFTER_RAW + 4, encrypted, reveal_round).encode_to(out);
            }
            Some(CommitmentField::ResetBondsFlag) => out.push_byte(AFTER_RAW + 5),
            Some(CommitmentField::BigRaw(bytes)) => (AFTER_RAW + 6, bytes).encode_to(out),
            Some(CommitmentField::TimelockRevealFailed { encrypted, reveal_round }) => {
                (AFTER_RAW + 7, encrypted, reveal_round).encode_to(out);
            }
        }
    }
}

impl Decode for Data {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let bounded = |bytes: Vec<u8>, bound: usize| {
            if bytes.len() <= bound {
                Ok(bytes)
            } else {
                Err(Error::from("data of a commitment is too long"))
            }
        };
        Ok(Self(Some(match input.read_byte()? {
            0 => return Ok(Self(None)),
            kind @ RAW_KIND..AFTER_RAW => {
                let mut bytes = vec![0; usize::from(kind - RAW_KIND)];
                input.read(&mut bytes)?;
                CommitmentField::Raw(bytes)
            }
            130 => CommitmentField::BlakeTwo256(Decode::decode(input)?),
            131 => CommitmentField::Sha256(Decode::decode(input)?),
            132 => CommitmentField::Keccak256(Decode::decode(input)?),
            133 => CommitmentField::ShaThree256(Decode::decode(input)?),
            134 => {
                let encrypted = bounded(Decode::decode(input)?, MAX_TIMELOCK_BYTES)?;
                CommitmentField::TimelockEncrypted { encrypted, reveal_round: Decode::decode(input)? }
            }
            135 => CommitmentField::ResetBondsFlag,
            136 => CommitmentField::BigRaw(bounded(Decode::decode(input)?, MAX_BIG_RAW_BYTES)?),
            137 => {
                let encrypted = bounded(Decode::decode(input)?, MAX_TIMELOCK_BYTES)?;
                CommitmentField::TimelockRevealFailed { encrypted, reveal_round: Decode::decode(input)? }
            }
            _ => return Err("unknown kind of data in a commitment".into()),
        })))
    }
}

macro_rules! raw_kinds {
    ($($bytes:literal)*) => {
        Variants::new()$(.variant(RAW[$bytes].as_str(), |variant| {
            variant.index(RAW_KIND + $bytes).fields(Fields::unnamed().field(|field| field.ty::<[u8; $bytes]>()))
        }))*
    };
}

impl TypeInfo for Data {
    type Identity = Self;
    fn type_info() -> Type {
        let hash = || Fields::unnamed().field(|field| field.ty::<[u8; 32]>());
        let raw = raw_kinds! {
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
        39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74
        75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107
        108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128
            };
        let timelocked = || {
            Fields::named()
                .field(|field| field.ty::<BoundedVec<u8>>().name("encrypted"))
                .field(|field| field.ty::<u64>().name("reveal_round"))
        };
        let all = raw
            .variant("None", |variant| variant.index(0))
            .variant("BlakeTwo256", |variant| variant.index(AFTER_RAW).fields(hash()))
            .variant("Sha256", |variant| variant.index(AFTER_RAW + 1).fields(hash()))
            .variant("Keccak256", |variant| variant.index(AFTER_RAW + 2).fields(hash()))
            .variant("ShaThree256", |variant| variant.index(AFTER_RAW + 3).fields(hash()))
            .variant("TimelockEncrypted", |variant| variant.index(AFTER_RAW + 4).fields(timelocked()))
            .variant("ResetBondsFlag", |variant| variant.index(AFTER_RAW + 5))
            .variant("BigRaw", |variant| {
                variant
                    .index(AFTER_RAW + 6)
                    .fields(Fields::unnamed().field(|field| field.ty::<BoundedVec<u8>>()))
            })
            .variant("TimelockRevealFailed", |variant| variant.index(AFTER_RAW + 7).fields(timelocked()));
        Type::builder().path(path("pallet_commitments::types::Data")).variant(all)
    }
}

shape! { "sp_core::crypto::AccountId32" struct AccountId32([u8; 32]) }
shape! { "subtensor_runtime_common::currency::TaoBalance" struct TaoBalance(u64) }
shape! { "pallet_balances::types::ExtraFlags" struct ExtraFlags(u128) }
shape! { "pallet_balances::types::AccountData" <Balance: TaoBalance> struct AccountData { free: TaoBalance, reserved: TaoBalance, frozen: TaoBalance, flags: ExtraFlags } }
shape! { "frame_system::AccountInfo" <Nonce: u32, AccountData: AccountData> struct AccountInfo { nonce: u32, consumers: u32, providers: u32, sufficients: u32, data: AccountData } }
shape! { "primitive_types::H256" struct H256([u8; 32]) }
shape! { "sp_runtime::generic::digest::DigestItem" enum DigestItem {
    6 PreRuntime([u8; 4], Vec<u8>),
    4 Consensus([u8; 4], Vec<u8>),
    5 Seal([u8; 4], Vec<u8>),
    0 Other(Vec<u8>),
    8 RuntimeEnvironmentUpdated,
} }
shape! { "sp_runtime::generic::digest::Digest" struct Digest { logs: Vec<DigestItem> } }
shape! { "frame_system::Phase" enum Phase {
    0 ApplyExtrinsic(u32),
    1 Finalization,
    2 Initialization,
} }
shape! { "frame_system::EventRecord" <E: RuntimeEvent, T: H256> struct EventRecord { phase: Phase, event: RuntimeEvent, topics: Vec<H256> } }
shape! { "frame_system::LastRuntimeUpgradeInfo" struct LastRuntimeUpgradeInfo { spec_version: Compact<u32>, spec_name: String } }
shape! { "pallet_balances::types::Reasons" enum Reasons {
    0 Fee,
    1 Misc,
    2 All,
} }
shape! { "pallet_balances::types::BalanceLock" <Balance: TaoBalance> struct BalanceLock { id: [u8; 8], amount: TaoBalance, reasons: Reasons } }
shape! { "pallet_balances::types::ReserveData" <ReserveIdentifier: [u8; 8], Balance: TaoBalance> struct ReserveData { id: [u8; 8], amount: TaoBalance } }
shape! { "pallet_transaction_payment::Releases" enum Releases {
    0 V1Ancient,
    1 V2,
} }
shape! { "pallet_subtensor::pallet::RootClaimTypeEnum" enum RootClaimTypeEnum {
    0 Swap,
    1 Keep,
    2 KeepSubnets { subnets: BTreeSet<NetUid> },
} }
shape! { "subtensor_runtime_common::NetUid" struct NetUid(u16) }
shape! { "subtensor_runtime_common::currency::AlphaBalance" struct AlphaBalance(u64) }
shape! { "share_pool::SafeFloat" struct SafeFloat { mantissa: u128, exponent: i64 } }
shape! { "pallet_subtensor::staking::lock::LockState" struct LockState { locked_mass: AlphaBalance, conviction: FixedU128<64>, last_update: u64 } }
shape! { "pallet_subtensor::utils::rate_limiting::Hyperparameter" enum Hyperparameter {
    0 Unknown,
    1 ServingRateLimit,
    2 MaxDifficulty,
    3 AdjustmentAlpha,
    4 MaxWeightLimit,
    5 ImmunityPeriod,
    6 MinAllowedWeights,
    7 Kappa,
    8 Rho,
    9 ActivityCutoff,
    10 PowRegistrationAllowed,
    11 MinBurn,
    12 MaxBurn,
    13 BondsMovingAverage,
    14 BondsPenalty,
    15 CommitRevealEnabled,
    16 LiquidAlphaEnabled,
    17 AlphaValues,
    18 WeightCommitInterval,
    19 TransferEnabled,
    20 AlphaSigmoidSteepness,
    21 Yuma3Enabled,
    22 BondsResetEnabled,
    23 ImmuneNeuronLimit,
    24 RecycleOrBurn,
    25 MaxAllowedUids,
    26 BurnHalfLife,
    27 BurnIncreaseMult,
    28 SubnetEmissionEnabled,
    29 MinChildkeyTake,
    30 ActivityCutoffFactorMilli,
    31 TriggerEpoch,
} }
shape! { "pallet_subtensor::RateLimitKey" <AccountId: AccountId32> enum RateLimitKey {
    0 SetSNOwnerHotkey(NetUid),
    1 OwnerHyperparamUpdate(NetUid, Hyperparameter),
    2 NetworkLastRegistered,
    3 LastTxBlock(AccountId32),
    4 LastTxBlockChildKeyTake(AccountId32),
    5 LastTxBlockDelegateTake(AccountId32),
    6 AddStakeBurn(NetUid),
} }
shape! { "pallet_subtensor::pallet::EpochConsensus" enum EpochConsensus {
    0 Yuma,
    1 Null,
} }
shape! { "pallet_subtensor::pallet::RecycleOrBurnEnum" enum RecycleOrBurnEnum {
    0 Burn,
    1 Recycle,
} }
shape! { "subtensor_runtime_common::NetUidStorageIndex" struct NetUidStorageIndex(u16) }
shape! { "pallet_subtensor::pallet::AxonInfo" struct AxonInfo { block: u64, version: u32, ip: u128, port: u16, ip_type: u8, protocol: u8, placeholder1: u8, placeholder2: u8 } }
shape! { "pallet_subtensor::pallet::NeuronCertificate" struct NeuronCertificate { public_key: BoundedVec<u8>, algorithm: u8 } }
shape! { "pallet_subtensor::pallet::PrometheusInfo" struct PrometheusInfo { block: u64, version: u32, ip: u128, port: u16, ip_type: u8 } }
shape! { "pallet_subtensor::pallet::ChainIdentityV2" struct ChainIdentityV2 { name: Vec<u8>, url: Vec<u8>, github_repo: Vec<u8>, image: Vec<u8>, discord: Vec<u8>, description: Vec<u8>, additional: Vec<u8> } }
shape! { "pallet_subtensor::pallet::SubnetIdentityV3" struct SubnetIdentityV3 { subnet_name: Vec<u8>, github_repo: Vec<u8>, subnet_contact: Vec<u8>, subnet_url: Vec<u8>, discord: Vec<u8>, description: Vec<u8>, logo_url: Vec<u8>, additional: Vec<u8> } }
shape! { "primitive_types::H160" struct H160([u8; 20]) }
shape! { "sp_arithmetic::per_things::Percent" struct Percent(u8) }
shape! { "pallet_subtensor::subnets::leasing::SubnetLease" <AccountId: AccountId32, BlockNumber: u32, Balance: TaoBalance> struct SubnetLease { beneficiary: AccountId32, coldkey: AccountId32, hotkey: AccountId32, emissions_share: Percent, end_block: Option<u32>, netuid: NetUid, cost: TaoBalance } }
shape! { "subtensor_runtime_common::MechId" struct MechId(u8) }
shape! { "pallet_commitments::types::CommitmentInfo" <FieldLimit> struct CommitmentInfo { fields: BoundedVec<Data> } }
shape! { "pallet_commitments::types::Registration" <Balance: TaoBalance, MaxFields, BlockNumber: u32> struct Registration { deposit: TaoBalance, block: u32, info: CommitmentInfo } }
shape! { "pallet_commitments::types::UsageTracker" struct UsageTracker { last_epoch: u64, used_space: u64 } }
shape! { "pallet_admin_utils::pallet::PrecompileEnum" enum PrecompileEnum {
    0 BalanceTransfer,
    1 Staking,
    2 Subnet,
    3 Metagraph,
    4 Neuron,
    5 UidLookup,
    6 Alpha,
    7 Crowdloan,
    8 Proxy,
    9 Leasing,
    10 AddressMapping,
    11 VotingPower,
    12 AccountBalance,
    13 Scheduler,
    14 Drand,
    15 Timestamp,
    16 RuntimeConfiguration,
    17 PrecompileRegistry,
} }
shape! { "pallet_drand::types::Metadata" struct Metadata { beacon_id: BoundedVec<u8> } }
shape! { "pallet_drand::types::BeaconConfiguration" struct BeaconConfiguration { public_key: BoundedVec<u8>, period: u32, genesis_time: u32, hash: BoundedVec<u8>, group_hash: BoundedVec<u8>, scheme_id: BoundedVec<u8>, metadata: Metadata } }
shape! { "pallet_drand::types::Pulse" struct Pulse { round: u64, randomness: BoundedVec<u8>, signature: BoundedVec<u8> } }
shape! { "sp_arithmetic::per_things::Perquintill" struct Perquintill(u64) }
shape! { "pallet_subtensor_swap::pallet::balancer::Balancer" struct Balancer { quote: Perquintill } }
shape! { "sp_weights::weight_v2::Weight" struct Weight { ref_time: Compact<u64>, proof_size: Compact<u64> } }
shape! { "frame_support::dispatch::DispatchClass" enum DispatchClass {
    0 Normal,
    1 Operational,
    2 Mandatory,
} }
shape! { "frame_support::dispatch::Pays" enum Pays {
    0 Yes,
    1 No,
} }
shape! { "frame_system::DispatchEventInfo" struct DispatchEventInfo { weight: Weight, class: DispatchClass, pays_fee: Pays } }
shape! { "sp_runtime::ModuleError" struct ModuleError { index: u8, error: [u8; 4] } }
shape! { "sp_runtime::TokenError" enum TokenError {
    0 FundsUnavailable,
    1 OnlyProvider,
    2 BelowMinimum,
    3 CannotCreate,
    4 UnknownAsset,
    5 Frozen,
    6 Unsupported,
    7 CannotCreateHold,
    8 NotExpendable,
    9 Blocked,
} }
shape! { "sp_arithmetic::ArithmeticError" enum ArithmeticError {
    0 Underflow,
    1 Overflow,
    2 DivisionByZero,
} }
shape! { "sp_runtime::TransactionalError" enum TransactionalError {
    0 LimitReached,
    1 NoLayer,
} }
shape! { "sp_runtime::proving_trie::TrieError" enum TrieError {
    0 InvalidStateRoot,
    1 IncompleteDatabase,
    2 ValueAtIncompleteKey,
    3 DecoderError,
    4 InvalidHash,
    5 DuplicateKey,
    6 ExtraneousNode,
    7 ExtraneousValue,
    8 ExtraneousHashReference,
    9 InvalidChildReference,
    10 ValueMismatch,
    11 IncompleteProof,
    12 RootMismatch,
    13 DecodeError,
} }
shape! { "sp_runtime::DispatchError" enum DispatchError {
    0 Other,
    1 CannotLookup,
    2 BadOrigin,
    3 Module(ModuleError),
    4 ConsumerRemaining,
    5 NoProviders,
    6 TooManyConsumers,
    7 Token(TokenError),
    8 Arithmetic(ArithmeticError),
    9 Transactional(TransactionalError),
    10 Exhausted,
    11 Corruption,
    12 Unavailable,
    13 RootNotAllowed,
    14 Trie(TrieError),
} }
shape! { "frame_support::traits::tokens::misc::BalanceStatus" enum BalanceStatus {
    0 Free,
    1 Reserved,
} }
shape! { "pallet_commitments::types::RevealFailure" enum RevealFailure {
    0 SignatureDeserialize,
    1 CiphertextDeserialize,
    2 Decrypt,
    3 EmptyPlaintext,
    4 PulseExpired,
    5 RoundMismatch,
} }
shape! { "sp_runtime::MultiSignature" enum MultiSignature {
    0 Ed25519([u8; 64]),
    1 Sr25519([u8; 64]),
    2 Ecdsa([u8; 65]),
} }

compact_as! {
    TaoBalance(u64),
    AlphaBalance(u64),
    NetUid(u16),
}
