//! The SDK's corpus of shapes: bytes of every type of the later chain's metadata. Types are compared by their paths, whole,
//! and what bytes of theirs we read by our own metadata ends where theirs ends.

use std::collections::{BTreeMap, BTreeSet};

use parity_scale_codec::{Compact, Decode};
use scale_info::{Field, PortableRegistry, Type, TypeDef, TypeDefPrimitive as Primitive, form::PortableForm};
use serde_json::Value;

use super::{Rules, archived, cases, decode, golden, hex, metadata, text, version_15};

/// How one of their types stands to ours, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Same,
    /// Ours lacks variants, in itself or in a part.
    Fewer,
    Other,
}

/// Both registries, and what was found to be different.
struct Compared {
    theirs: PortableRegistry,
    ours: PortableRegistry,
    /// Where two types differ that should not, by the path of the nearest type with a name.
    differences: BTreeSet<String>,
}

fn path(ty: &Type<PortableForm>) -> String {
    ty.path.segments.join("::")
}

fn is_generic(ty: &Type<PortableForm>) -> bool {
    ty.type_params.iter().any(|param| param.ty.is_some())
}

impl Compared {
    fn fields(
        &mut self,
        (theirs, ours): (&[Field<PortableForm>], &[Field<PortableForm>]),
        at: &str,
        open: &mut BTreeSet<(u32, u32)>,
    ) -> Standing {
        if theirs.len() != ours.len() {
            self.differences.insert(format!("{at}: {} fields, ours {}", theirs.len(), ours.len()));
            return Standing::Other;
        }
        let mut worst = Standing::Same;
        for (theirs, ours) in theirs.iter().zip(ours) {
            let at = format!("{at}.{}", theirs.name.as_deref().unwrap_or_default());
            if theirs.name != ours.name {
                self.differences.insert(format!("{at}: ours is {:?}", ours.name));
                worst = Standing::Other;
            }
            worst = worst.max(self.types((theirs.ty.id, ours.ty.id), &at, open));
        }
        worst
    }

    /// Compares two types and all that they are made of; a pair that is being compared already counts as the same.
    fn types(&mut self, pair: (u32, u32), at: &str, open: &mut BTreeSet<(u32, u32)>) -> Standing {
        if !open.insert(pair) {
            return Standing::Same;
        }
        let theirs = self.theirs.resolve(pair.0).expect("a type of the registry").clone();
        let ours = self.ours.resolve(pair.1).expect("a type of the registry").clone();
        let (their_path, our_path) = (path(&theirs), path(&ours));
        if their_path != our_path {
            // Seen anew wherever it stands.
            open.remove(&pair);
            self.differences.insert(format!("{at}: {}, ours {}", kind(&theirs), kind(&ours)));
            return Standing::Other;
        }
        let at = if our_path.is_empty() { at } else { our_path.as_str() };
        match (&theirs.type_def, &ours.type_def) {
            (TypeDef::Composite(theirs), TypeDef::Composite(ours)) => {
                self.fields((&theirs.fields, &ours.fields), at, open)
            }
            (TypeDef::Variant(theirs), TypeDef::Variant(ours)) => {
                let mut worst = Standing::Same;
                if ours.variants.len() < theirs.variants.len() {
                    worst = Standing::Fewer;
                }
                for ours in &ours.variants {
                    let at = format!("{at}::{}", ours.name);
                    match theirs.variants.iter().find(|theirs| theirs.name == ours.name) {
                        Some(theirs) if theirs.index == ours.index => {
                            worst = worst.max(self.fields((&theirs.fields, &ours.fields), &at, open));
                        }
                        found => {
                            self.differences.insert(format!(
                                "{at}: index {:?}, ours {}",
                                found.map(|found| found.index),
                                ours.index
                            ));
                            worst = Standing::Other;
                        }
                    }
                }
                worst
            }
            (TypeDef::Sequence(theirs), TypeDef::Sequence(ours)) => {
                self.types((theirs.type_param.id, ours.type_param.id), at, open)
            }
            (TypeDef::Array(theirs), TypeDef::Array(ours)) if theirs.len == ours.len => {
                self.types((theirs.type_param.id, ours.type_param.id), at, open)
            }
            (TypeDef::Tuple(theirs), TypeDef::Tuple(ours)) if theirs.fields.len() == ours.fields.len() => {
                let pairs = theirs.fields.iter().zip(&ours.fields);
                let standings = pairs.map(|(theirs, ours)| self.types((theirs.id, ours.id), at, open));
                standings.max().unwrap_or(Standing::Same)
            }
            (TypeDef::Compact(theirs), TypeDef::Compact(ours)) => {
                self.types((theirs.type_param.id, ours.type_param.id), at, open)
            }
            (TypeDef::Primitive(theirs), TypeDef::Primitive(ours)) if theirs == ours => Standing::Same,
            _ => {
                open.remove(&pair);
                self.differences.insert(format!("{at}: {}, ours {}", kind(&theirs), kind(&ours)));
                Standing::Other
            }
        }
    }
}

fn kind(ty: &Type<PortableForm>) -> String {
    match &ty.type_def {
        _ if !ty.path.segments.is_empty() => path(ty),
        TypeDef::Composite(_) => "composite".to_owned(),
        TypeDef::Variant(_) => "variant".to_owned(),
        TypeDef::Sequence(_) => "sequence".to_owned(),
        TypeDef::Array(array) => format!("array of {}", array.len),
        TypeDef::Tuple(tuple) => format!("tuple of {}", tuple.fields.len()),
        TypeDef::Primitive(primitive) => format!("{primitive:?}"),
        TypeDef::Compact(_) => "compact".to_owned(),
        TypeDef::BitSequence(_) => "bits".to_owned(),
    }
}

/// Why bytes were not read to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// A variant that ours has not.
    Variant,
    /// They end early.
    Short,
}

fn skip(bytes: &[u8], count: usize) -> Result<&[u8], Unread> {
    bytes.get(count..).ok_or(Unread::Short)
}

/// Reads one value after the other.
fn read_all<'a>(
    registry: &PortableRegistry,
    ids: impl IntoIterator<Item = u32>,
    bytes: &'a [u8],
) -> Result<&'a [u8], Unread> {
    ids.into_iter().try_fold(bytes, |bytes, id| read(registry, id, bytes))
}

/// Reads a value by our metadata; what is left behind it.
fn read<'a>(registry: &PortableRegistry, id: u32, mut bytes: &'a [u8]) -> Result<&'a [u8], Unread> {
    match &registry.resolve(id).expect("a type of the registry").type_def {
        TypeDef::Composite(composite) => {
            read_all(registry, composite.fields.iter().map(|field| field.ty.id), bytes)
        }
        TypeDef::Variant(variant) => {
            let (index, rest) = bytes.split_first().ok_or(Unread::Short)?;
            let found = variant.variants.iter().find(|variant| variant.index == *index);
            read_all(registry, found.ok_or(Unread::Variant)?.fields.iter().map(|field| field.ty.id), rest)
        }
        TypeDef::Sequence(sequence) => {
            let count = Compact::<u32>::decode(&mut bytes).map_err(|_| Unread::Short)?.0;
            read_all(registry, (0..count).map(|_| sequence.type_param.id), bytes)
        }
        TypeDef::Array(array) => read_all(registry, (0..array.len).map(|_| array.type_param.id), bytes),
        TypeDef::Tuple(tuple) => read_all(registry, tuple.fields.iter().map(|field| field.id), bytes),
        TypeDef::Compact(_) => {
            Compact::<u128>::decode(&mut bytes).map_err(|_| Unread::Short)?;
            Ok(bytes)
        }
        TypeDef::Primitive(primitive) => match primitive {
            Primitive::Bool | Primitive::U8 | Primitive::I8 => skip(bytes, 1),
            Primitive::U16 | Primitive::I16 => skip(bytes, 2),
            Primitive::U32 | Primitive::I32 | Primitive::Char => skip(bytes, 4),
            Primitive::U64 | Primitive::I64 => skip(bytes, 8),
            Primitive::U128 | Primitive::I128 => skip(bytes, 16),
            Primitive::U256 | Primitive::I256 => skip(bytes, 32),
            Primitive::Str => {
                let length = Compact::<u32>::decode(&mut bytes).map_err(|_| Unread::Short)?.0;
                skip(bytes, usize::try_from(length).expect("32 bits"))
            }
        },
        TypeDef::BitSequence(_) => panic!("there are no sequences of bits in ours"),
    }
}

/// Both chains' types by their metadata, and the corpus.
fn compared() -> Option<(Compared, Value)> {
    let (golden, corpus) = (golden()?, archived("shape_corpus/corpus.json")?);
    let opaque: Option<Vec<u8>> = decode(&hex(&golden["metadata"]["v15_hex"]));
    let theirs = version_15(&opaque.expect("the chain has this version")).types;
    let ours = version_15(metadata::at_version(Rules::V425, 15).expect("ours has it too")).types;
    Some((Compared { theirs, ours, differences: BTreeSet::new() }, corpus))
}

#[test]
fn shapes_are_the_later_chains_where_it_did_not_change_them() {
    let Some((mut compared, corpus)) = compared() else { return };
    assert_eq!(corpus["types_total"], serde_json::json!(compared.theirs.types.len()));
    let mut ours: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for ty in &compared.ours.types {
        ours.entry(path(&ty.ty)).or_default().push(ty.id);
    }
    let (mut unnamed, mut absent, mut whole, mut cut) = (0, 0, 0, 0);
    let mut standings: BTreeMap<Standing, Vec<String>> = BTreeMap::new();
    for case in cases(&corpus, "types") {
        let id = u32::try_from(case["id"].as_u64().unwrap()).unwrap();
        let their = compared.theirs.resolve(id).unwrap().clone();
        let name = path(&their);
        // Types without a name, and those of several instances, are compared as parts of others.
        if name.is_empty() || is_generic(&their) {
            unnamed += 1;
            continue;
        }
        assert_eq!(text(&case["name"]), name);
        let Some(found) = ours.get(&name) else {
            absent += 1;
            continue;
        };
        assert_eq!(found.len(), 1, "{name} is one type");
        let standing = compared.types((id, found[0]), &name, &mut BTreeSet::new());
        for sample in cases(case, "samples") {
            match (read(&compared.ours, found[0], &hex(&sample["scale_hex"])), standing) {
                (Ok([]), _) => whole += 1,
                (Err(Unread::Variant), Standing::Fewer) => cut += 1,
                (_, Standing::Other) => {}
                (unread, _) => panic!("{name}, {}: {unread:?}", sample["scale_hex"]),
            }
        }
        standings.entry(standing).or_default().push(name);
    }
    let counts = [Standing::Same, Standing::Fewer, Standing::Other]
        .map(|standing| standings.get(&standing).map_or(0, Vec::len));
    println!("{counts:?} types the same, with fewer variants, changed; {absent} absent, {unnamed} as parts");
    println!("{whole} samples read to their end, {cut} of variants that this chain has not");
    println!("fewer: {:#?}", standings.get(&Standing::Fewer));
    println!("changed: {:#?}", standings.get(&Standing::Other));
    let differences: Vec<&str> = compared.differences.iter().map(String::as_str).collect();
    assert_eq!(differences, CHANGED);
    assert_eq!((counts, absent, unnamed), COUNTS);
    assert_eq!((whole, cut), SAMPLES);
}

/// What the later chain changed of what is named here too: takes are a type of their own there, and root claims have other
/// calls and errors.
const CHANGED: [&str; 24] = [
    "frame_system::LastRuntimeUpgradeInfo.spec_name: Cow, ours Str",
    "pallet_admin_utils::pallet::Call::sudo_set_default_take.default_take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_admin_utils::pallet::Call::sudo_set_min_childkey_take_per_subnet.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_admin_utils::pallet::Call::sudo_set_min_delegate_take.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Call::decrease_take.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Call::increase_take.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Call::set_childkey_take.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Call::set_root_claim_type: index None, ours 122",
    "pallet_subtensor::pallet::Call::sudo_set_max_childkey_take.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Call::sudo_set_min_childkey_take.take: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Call::sudo_set_num_root_claims: index None, ours 123",
    "pallet_subtensor::pallet::Error::InvalidNumRootClaim: index None, ours 153",
    "pallet_subtensor::pallet::Error::InvalidSubnetNumber: index None, ours 154",
    "pallet_subtensor::pallet::Error::ZeroMaxStakeAmount: index None, ours 96",
    "pallet_subtensor::pallet::Event::ChildKeyTakeSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::DefaultTakeSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::DelegateAdded.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::MaxChildKeyTakeSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::MaxDelegateTakeSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::MinChildKeyTakePerSubnetSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::MinChildKeyTakeSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::MinDelegateTakeSet.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::TakeDecreased.: sp_arithmetic::per_things::PerU16, ours U16",
    "pallet_subtensor::pallet::Event::TakeIncreased.: sp_arithmetic::per_things::PerU16, ours U16",
];
/// Types the same, with fewer variants, and changed or made of changed ones; absent ones; and those that are compared as
/// parts.
const COUNTS: ([usize; 3], usize, usize) = ([81, 6, 10], 155, 545);
/// Samples read to their end, and those of variants that this chain has not.
const SAMPLES: (usize, usize) = (502, 24);
