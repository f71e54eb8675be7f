//! The metadata: what the chain tells its clients of itself, in versions 14 and 15.

use std::sync::LazyLock;

use frame_metadata::{RuntimeMetadataPrefixed, v14, v15};
use parity_scale_codec::Encode;
use primitives::Digest;
use scale_info::{MetaType, PortableRegistry, TypeDef, meta_type};

use super::{
    blake2_256,
    calls::*,
    events::*,
    extrinsic::*,
    failures::*,
    runtime, shape,
    shapes::*,
    storage::{ENTRIES, Entry, Hasher, default_bytes},
};
use crate::Rules;

/// The versions there are.
pub(crate) const VERSIONS: [u32; 2] = [14, 15];

shape! { "node_subtensor_runtime::Runtime" struct Runtime() }

/// A pallet: its name, index, and what it has.
struct Pallet {
    name: &'static str,
    index: u8,
    calls: Option<MetaType>,
    event: Option<MetaType>,
    error: Option<MetaType>,
}

macro_rules! pallets {
    ($($name:literal $index:literal { $($what:ident: $type:ty),* })*) => {
        [$(Pallet {
            $($what: Some(meta_type::<$type>()),)*
            ..Pallet { name: $name, index: $index, calls: None, event: None, error: None }
        }),*]
    };
}

fn pallets() -> [Pallet; 12] {
    pallets! {
        "System" 0 { calls: SystemCall, event: SystemEvent, error: SystemError }
        "Timestamp" 2 { calls: TimestampCall }
        "Aura" 3 {}
        "Balances" 5 { calls: BalancesCall, event: BalancesEvent, error: BalancesError }
        "TransactionPayment" 6 { event: TransactionPaymentEvent }
        "SubtensorModule" 7 { calls: SubtensorCall, event: SubtensorEvent, error: SubtensorError }
        "Utility" 11 { calls: UtilityCall, event: UtilityEvent, error: UtilityError }
        "Sudo" 12 { calls: SudoCall, event: SudoEvent, error: SudoError }
        "Commitments" 18 { calls: CommitmentsCall, event: CommitmentsEvent, error: CommitmentsError }
        "AdminUtils" 19 { calls: AdminUtilsCall, event: AdminUtilsEvent, error: AdminUtilsError }
        "Drand" 26 { event: DrandEvent, error: DrandError }
        "Swap" 28 { event: SwapEvent, error: SwapError }
    }
}

/// A constant of a pallet.
struct Constant {
    pallet: &'static str,
    name: &'static str,
    ty: MetaType,
    value: &'static str,
}

macro_rules! constants {
    ($($pallet:literal { $($name:ident $type:ty = $value:literal;)* })*) => {
        vec![$($(Constant {
            pallet: $pallet,
            name: stringify!($name),
            ty: meta_type::<$type>(),
            value: $value,
        },)*)*]
    };
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn constants() -> Vec<Constant> {
    constants! {
        "System" {
            BlockHashCount u32 = "60090000";
            SS58Prefix u16 = "2a00";
        }
        "Timestamp" {
            MinimumPeriod u64 = "7017000000000000";
        }
        // The public chain's 12 s, whatever the pace: SDKs count blocks with it into the time of a reveal.
        "Aura" {
            SlotDuration u64 = "e02e000000000000";
        }
        "Balances" {
            ExistentialDeposit TaoBalance = "f401000000000000";
            MaxLocks u32 = "32000000";
            MaxReserves u32 = "32000000";
            MaxFreezes u32 = "32000000";
        }
        "TransactionPayment" {
            OperationalFeeMultiplier u8 = "05";
        }
        "SubtensorModule" {
            InitialIssuance TaoBalance = "0000000000000000";
            InitialMinAllowedWeights u16 = "0004";
            InitialEmissionValue u16 = "0000";
            InitialTempo u16 = "6801";
            InitialDifficulty u64 = "8096980000000000";
            InitialMaxDifficulty u64 = "ffffffffffffff3f";
            InitialMinDifficulty u64 = "8096980000000000";
            InitialRAORecycledForRegistration TaoBalance = "0000000000000000";
            InitialBurn TaoBalance = "00e1f50500000000";
            InitialMaxBurn TaoBalance = "00e8764817000000";
            InitialMinBurn TaoBalance = "20a1070000000000";
            InitialMinStake TaoBalance = "80841e0000000000";
            MinBurnUpperBound TaoBalance = "00ca9a3b00000000";
            MaxBurnLowerBound TaoBalance = "00e1f50500000000";
            MinTempo u16 = "6801";
            MaxTempo u16 = "e0c4";
            MinActivityCutoffFactorMilli u32 = "e8030000";
            MaxActivityCutoffFactorMilli u32 = "50c30000";
            InitialAdjustmentInterval u16 = "6400";
            InitialBondsMovingAverage u64 = "a0bb0d0000000000";
            InitialBondsPenalty u16 = "ffff";
            InitialBondsResetOn bool = "00";
            InitialTargetRegistrationsPerInterval u16 = "0200";
            InitialRho u16 = "0a00";
            InitialAlphaSigmoidSteepness i16 = "e803";
            InitialKappa u16 = "ff7f";
            InitialMinAllowedUids u16 = "4000";
            InitialMaxAllowedUids u16 = "0001";
            InitialValidatorPruneLen u64 = "0100000000000000";
            InitialScalingLawPower u16 = "3200";
            InitialImmunityPeriod u16 = "0010";
            InitialActivityCutoff u16 = "8813";
            InitialMaxRegistrationsPerBlock u16 = "0100";
            InitialPruningScore u16 = "ffff";
            InitialMaxAllowedValidators u16 = "8000";
            InitialDefaultDelegateTake u16 = "142e";
            InitialMinDelegateTake u16 = "0000";
            InitialDefaultChildKeyTake u16 = "0000";
            InitialMinChildKeyTake u16 = "0000";
            InitialMaxChildKeyTake u16 = "142e";
            InitialWeightsVersionKey u64 = "0000000000000000";
            InitialServingRateLimit u64 = "3200000000000000";
            InitialTxRateLimit u64 = "e803000000000000";
            InitialTxDelegateTakeRateLimit u64 = "c04b030000000000";
            InitialTxChildKeyTakeRateLimit u64 = "0500000000000000";
            InitialAdjustmentAlpha u64 = "0000000000000000";
            InitialNetworkImmunityPeriod u64 = "80c6130000000000";
            InitialNetworkMinLockCost TaoBalance = "0010a5d4e8000000";
            InitialSubnetOwnerCut u16 = "142e";
            InitialNetworkLockReductionInterval u64 = "c089010000000000";
            InitialNetworkRateLimit u64 = "201c000000000000";
            KeySwapCost TaoBalance = "00e1f50500000000";
            AlphaHigh u16 = "66e6";
            AlphaLow u16 = "33b3";
            LiquidAlphaOn bool = "00";
            Yuma3On bool = "00";
            InitialColdkeySwapAnnouncementDelay u32 = "32000000";
            InitialColdkeySwapReannouncementDelay u32 = "0a000000";
            InitialDissolveNetworkScheduleDuration u32 = "a08c0000";
            InitialTaoWeight u64 = "fc62e03efa3c7c0d";
            InitialEmaPriceHalvingPeriod u64 = "8013030000000000";
            InitialStartCallDelay u64 = "0000000000000000";
            KeySwapOnSubnetCost TaoBalance = "40420f0000000000";
            HotkeySwapOnSubnetInterval u64 = "0100000000000000";
            LeaseDividendsDistributionInterval u32 = "64000000";
            InitialMaxEpochsPerBlock u8 = "02";
        }
        "Utility" {
            batched_calls_limit u32 = "aa2a0000";
        }
        "Commitments" {
            MaxFields u32 = "03000000";
            InitialDeposit TaoBalance = "0000000000000000";
            FieldDeposit TaoBalance = "0000000000000000";
        }
        "Drand" {
            UnsignedPriority u64 = "0000100000000000";
            HttpFetchTimeout u64 = "e803000000000000";
        }
        "Swap" {
            MaxFeeRate u16 = "1027";
            MinimumLiquidity u64 = "e803000000000000";
        }
    }
}

macro_rules! extensions {
    ($($type:ident $signed:ty;)*) => {
        vec![$(v15::SignedExtensionMetadata {
            identifier: stringify!($type),
            ty: meta_type::<$type>(),
            additional_signed: meta_type::<$signed>(),
        }),*]
    };
}

/// The extensions in their order, each with what is signed for it besides its own bytes.
fn extensions() -> Vec<v15::SignedExtensionMetadata> {
    extensions! {
        CheckNonZeroSender ();
        CheckSpecVersion u32;
        CheckTxVersion u32;
        CheckGenesis H256;
        CheckMortality H256;
        CheckNonce ();
        CheckWeight ();
        ChargeTransactionPayment ();
        SudoTransactionExtension ();
        CheckShieldedTxValidity ();
        SubtensorTransactionExtension ();
        DrandPriority ();
        CheckMetadataHash Option<[u8; 32]>;
    }
}

fn entry(entry: &Entry) -> v14::StorageEntryMetadata {
    let hashers = entry.parts.iter().map(|(hasher, _)| match hasher {
        Hasher::Identity => v14::StorageHasher::Identity,
        Hasher::Twox => v14::StorageHasher::Twox64Concat,
        Hasher::Blake2 => v14::StorageHasher::Blake2_128Concat,
    });
    v14::StorageEntryMetadata {
        name: entry.name,
        modifier: match entry.is_optional {
            true => v14::StorageEntryModifier::Optional,
            false => v14::StorageEntryModifier::Default,
        },
        ty: match entry.key {
            None => v14::StorageEntryType::Plain(entry.value),
            Some(key) => v14::StorageEntryType::Map { hashers: hashers.collect(), key, value: entry.value },
        },
        default: entry.default.clone(),
        docs: Vec::new(),
    }
}

fn pallet(rules: Rules, pallet: &Pallet, constants: &[Constant]) -> v15::PalletMetadata {
    let is_here = |row: &&Entry| {
        row.pallet == pallet.name && (rules == Rules::V475 || !LATER_ITEMS.contains(&row.name))
    };
    let entries: Vec<_> = ENTRIES.iter().filter(is_here).map(entry).collect();
    let constants = constants.iter().filter(|row| row.pallet == pallet.name);
    v15::PalletMetadata {
        name: pallet.name,
        storage: (!entries.is_empty()).then_some(v14::PalletStorageMetadata { prefix: pallet.name, entries }),
        calls: pallet.calls.map(|ty| v14::PalletCallMetadata { ty }),
        event: pallet.event.map(|ty| v14::PalletEventMetadata { ty }),
        constants: constants
            .map(|row| v14::PalletConstantMetadata {
                name: row.name,
                ty: row.ty,
                value: default_bytes(row.value),
                docs: Vec::new(),
            })
            .collect(),
        error: pallet.error.map(|ty| v14::PalletErrorMetadata { ty }),
        index: pallet.index,
        docs: Vec::new(),
    }
}

fn version_15(rules: Rules) -> v15::RuntimeMetadataV15 {
    let constants = constants();
    v15::RuntimeMetadataV15::new(
        pallets().iter().map(|one| pallet(rules, one, &constants)).collect(),
        v15::ExtrinsicMetadata {
            version: 4,
            address_ty: meta_type::<MultiAddress>(),
            call_ty: meta_type::<RuntimeCall>(),
            signature_ty: meta_type::<MultiSignature>(),
            extra_ty: meta_type::<Extensions>(),
            signed_extensions: extensions(),
        },
        meta_type::<Runtime>(),
        runtime::descriptions(),
        v15::OuterEnums {
            call_enum_ty: meta_type::<RuntimeCall>(),
            event_enum_ty: meta_type::<RuntimeEvent>(),
            error_enum_ty: meta_type::<RuntimeError>(),
        },
        v15::CustomMetadata { map: std::collections::BTreeMap::new() },
    )
}

fn version_14(rules: Rules) -> v14::RuntimeMetadataV14 {
    let constants = constants();
    let pallets = pallets();
    let pallets = pallets.iter().map(|one| {
        let v15::PalletMetadata { name, storage, calls, event, constants, error, index, .. } =
            pallet(rules, one, &constants);
        v14::PalletMetadata { name, storage, calls, event, constants, error, index }
    });
    let signed_extensions = extensions().into_iter().map(|one| v14::SignedExtensionMetadata {
        identifier: one.identifier,
        ty: one.ty,
        additional_signed: one.additional_signed,
    });
    v14::RuntimeMetadataV14::new(
        pallets.collect(),
        v14::ExtrinsicMetadata {
            ty: meta_type::<UncheckedExtrinsic>(),
            version: 4,
            signed_extensions: signed_extensions.collect(),
        },
        meta_type::<Runtime>(),
    )
}

/// What rules after spec 425 have: items of pallet `SubtensorModule`, and calls of pallet `AdminUtils`.
const LATER_ITEMS: [&str; 3] = ["SubnetEpochConsensus", "SavedYumaMaxAllowedValidators", "LastYumaStepBlock"];
const LATER_CALLS: [&str; 1] = ["sudo_set_epoch_consensus"];

/// Takes the calls out of a registry that the rules don't have.
fn keep_calls(rules: Rules, types: &mut PortableRegistry) {
    if rules == Rules::V475 {
        return;
    }
    for one in &mut types.types {
        if let TypeDef::Variant(variants) = &mut one.ty.type_def {
            variants.variants.retain(|variant| !LATER_CALLS.contains(&variant.name.as_str()));
        }
    }
}

fn encoded(rules: Rules) -> [Vec<u8>; 2] {
    let (mut plain, mut full) = (version_14(rules), version_15(rules));
    keep_calls(rules, &mut plain.types);
    keep_calls(rules, &mut full.types);
    [RuntimeMetadataPrefixed::from(plain).encode(), RuntimeMetadataPrefixed::from(full).encode()]
}

/// The metadata under some rules, in the versions of [`VERSIONS`].
fn of(rules: Rules) -> &'static [Vec<u8>; 2] {
    static V425: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| encoded(Rules::V425));
    static V475: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| encoded(Rules::V475));
    match rules {
        Rules::V425 => &V425,
        Rules::V475 => &V475,
    }
}

/// The metadata of a version; none for a version that there is not.
pub(crate) fn at_version(rules: Rules, version: u32) -> Option<&'static [u8]> {
    let at = VERSIONS.iter().position(|known| *known == version)?;
    of(rules).get(at).map(Vec::as_slice)
}

/// A digest that changes with anything in the metadata. It is part of the genesis' hash, by which clients that keep
/// metadata on disk know theirs.
pub(crate) fn digest(rules: Rules) -> Digest {
    let [_, full] = of(rules);
    Digest(blake2_256(full))
}

#[cfg(test)]
mod tests {
    use scale_info::{PortableRegistry, TypeDef, TypeDefVariant, form::PortableForm};

    use super::*;

    fn types() -> PortableRegistry {
        version_15(Rules::V425).types
    }

    fn parameters(types: &PortableRegistry, path: &str) -> Vec<(String, Option<String>)> {
        let found = types.types.iter().find(|one| one.ty.path.segments.join("::") == path);
        let named = |id: u32| types.resolve(id).and_then(|ty| ty.path.ident());
        let parameters = found.unwrap_or_else(|| panic!("no {path}")).ty.type_params.iter();
        parameters.map(|one| (one.name.clone(), one.ty.and_then(|ty| named(ty.id)))).collect()
    }

    #[test]
    fn generic_types_tell_their_parameters() {
        let types = types();
        let check = |path: &str, expect: &[(&str, Option<&str>)]| {
            let expect = expect.iter().map(|(name, of)| ((*name).to_owned(), of.map(str::to_owned)));
            assert_eq!(parameters(&types, path), expect.collect::<Vec<_>>(), "{path}");
        };
        check("frame_system::EventRecord", &[("E", Some("RuntimeEvent")), ("T", Some("H256"))]);
        check("frame_system::AccountInfo", &[("Nonce", None), ("AccountData", Some("AccountData"))]);
        check("pallet_balances::pallet::Call", &[("T", None), ("I", None)]);
        check("pallet_drand::drand_priority::DrandPriority", &[("T", Some("Runtime"))]);
        check("node_subtensor_runtime::RuntimeCall", &[]);
    }

    #[test]
    fn errors_are_described() {
        let types = types();
        let variants = |ty: &TypeDef<PortableForm>| match ty {
            TypeDef::Variant(TypeDefVariant { variants }) => variants.clone(),
            _ => Vec::new(),
        };
        let errors = types.types.iter().filter(|one| one.ty.path.ident().as_deref() == Some("Error"));
        let all: Vec<_> = errors.flat_map(|one| variants(&one.ty.type_def)).collect();
        assert!(all.len() > 150, "{}", all.len());
        assert!(all.iter().all(|one| one.docs == [one.name.clone()]));
    }
}
