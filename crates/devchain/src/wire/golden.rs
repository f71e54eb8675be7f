//! The golden vectors of the SDK's own tests: made by another implementation against a running chain of spec 461, they are
//! what ours must be, byte for byte, wherever this chain has the call, the item or the type.
//!
//! They lie in the source archive of PyPI's `bittensor` 11.3.0, whose folder `WEIGH_BITTENSOR11_SDIST` names. What this
//! chain has not is listed here by name, and counted. The four runtime calls are compared in [`super::runtime`]'s tests,
//! requests of `btauth/1` in those of the crate `protocol`. The archive has no key files: its tests of keys make their own.

use std::path::PathBuf;

use chain::{Call, Head, InvalidTransaction};
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed, v15::RuntimeMetadataV15};
use parity_scale_codec::{Compact, Decode, DecodeAll, Encode};
use primitives::{AccountId, AlphaRao, Digest, Hotkey, MechId, NetUid as Net, Rao, Uid};
use serde_json::{Value, json};

use super::{
    blake2_256,
    calls::RuntimeCall,
    extrinsic::{Agreed, Era, Extra, Mode, Signed, Undecodable, payload, timestamp},
    metadata,
    sending::to_wire,
    shapes::{AccountId32, AccountInfo, EventRecord, MultiAddress, MultiSignature},
    storage::{ENTRIES, Entry, Part},
};
use crate::{Rules, block::Header};

mod corpus;

/// What the archive has in a folder of its own tests; none, and a word about it, where there is no archive.
#[expect(clippy::disallowed_methods, reason = "the archive is not part of this repository")]
fn archived(path: &str) -> Option<Value> {
    let Some(archive) = std::env::var_os("WEIGH_BITTENSOR11_SDIST") else {
        println!("skipped: WEIGH_BITTENSOR11_SDIST names no unpacked source archive of bittensor 11");
        return None;
    };
    let text = std::fs::read_to_string(PathBuf::from(archive).join("tests/fixtures").join(path)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn golden() -> Option<Value> {
    archived("golden.json")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn hex(value: &Value) -> Vec<u8> {
    hex::decode(text(value).trim_start_matches("0x")).unwrap()
}

fn digest(value: &Value) -> Digest {
    Digest(hex(value).try_into().unwrap())
}

fn account(value: &Value) -> AccountId {
    AccountId::from_ss58(text(value)).unwrap()
}

fn cases<'a>(golden: &'a Value, section: &str) -> &'a [Value] {
    golden[section].as_array().expect("a list of cases")
}

fn decode<T: Decode>(bytes: &[u8]) -> T {
    T::decode_all(&mut &bytes[..]).unwrap()
}

/// The chain that the vectors were made on.
fn agreed(golden: &Value) -> Agreed {
    let number = |name: &str| u32::try_from(golden["network"][name].as_u64().unwrap()).unwrap();
    Agreed {
        spec_version: number("spec_version"),
        transaction_version: number("transaction_version"),
        genesis: digest(&golden["network"]["genesis_hash"]),
    }
}

#[test]
fn every_section_is_compared_or_named_here() {
    let Some(golden) = golden() else { return };
    let known = [
        ("block", "its header's hash, its inherent and the extrinsic that somebody signed"),
        ("calls", "as bytes both ways"),
        ("constants", "from the metadata"),
        ("endpoint", "where the recorder connected to: nothing to compare"),
        ("events", "read and written back"),
        ("extrinsics", "read, and put together again"),
        ("metadata", "what the shapes are compared by"),
        ("multisig", "this chain has no accounts of several signatories"),
        ("network", "what is signed for"),
        (
            "payment_info",
            "weights are measured anew for each runtime: fees are compared with those of spec 425",
        ),
        ("query_maps", "keys there and back, values read and written back"),
        ("receipt", "the events of an extrinsic in `events`, and a fee, as `payment_info`"),
        ("runtime_calls", "in the tests of runtime calls"),
        ("signature_payloads", "byte for byte"),
        ("ss58", "both ways"),
        ("storage_keys", "byte for byte"),
        ("storage_values", "read and written back"),
    ];
    let found: Vec<&str> = golden.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, known.map(|(section, _)| section));
    assert_eq!(agreed(&golden).spec_version, 461);
    assert_eq!(cases(&golden, "multisig").len(), 3);
}

fn entry(case: &Value) -> Option<&'static Entry> {
    let (pallet, name) = (text(&case["pallet"]), text(&case["storage_function"]));
    ENTRIES.iter().find(|entry| entry.pallet == pallet && entry.name == name)
}

fn name(case: &Value) -> String {
    format!("{}.{}", text(&case["pallet"]), text(&case["storage_function"]))
}

/// Parts of a key as the state writes them.
fn own_parts(entry: &Entry, params: &Value) -> Vec<u8> {
    let part = |((_, part), value): (&(_, Part), &Value)| match part {
        Part::Number(length) => value.as_u64().unwrap().to_be_bytes()[8 - length..].to_vec(),
        Part::Account => account(value).0.to_vec(),
        Part::Opaque | Part::Rest => panic!("nothing is stored under such a part"),
    };
    entry.parts.iter().zip(params.as_array().unwrap()).flat_map(part).collect()
}

#[test]
fn storage_keys_are_the_sdks() {
    let Some(golden) = golden() else { return };
    let (mut equal, mut absent) = (0, Vec::new());
    for case in cases(&golden, "storage_keys") {
        let Some(entry) = entry(case) else {
            absent.push(name(case));
            continue;
        };
        let (own, key) = (own_parts(entry, &case["params"]), hex(&case["key_hex"]));
        assert_eq!(entry.real_key(&own).as_ref(), Some(&key), "{}", name(case));
        assert_eq!(entry.own_parts(&key[32..]), Some((own, entry.parts.len())), "{}", name(case));
        equal += 1;
    }
    println!("{equal} keys equal, absent: {absent:?}");
    assert_eq!((equal, absent), (9, vec!["Multisig.Multisigs".to_owned()]));
}

/// A value of an item as the SDK shows it; its bytes must be what ours writes back.
fn shown(item: &str, bytes: &[u8]) -> Value {
    fn same<T: Decode + Encode>(bytes: &[u8]) -> T {
        let value: T = decode(bytes);
        assert_eq!(value.encode(), bytes);
        value
    }
    let ss58 = |account: AccountId32| json!(AccountId::from(account).to_ss58());
    match item {
        "System.Account" => {
            let AccountInfo { nonce, consumers, providers, sufficients, data } = same(bytes);
            let data = json!({
                "free": data.free.0,
                "reserved": data.reserved.0,
                "frozen": data.frozen.0,
                "flags": serde_json::from_str::<Value>(&data.flags.0.to_string()).unwrap(),
            });
            json!({
                "nonce": nonce, "consumers": consumers, "providers": providers, "sufficients": sufficients,
                "data": data,
            })
        }
        "SubtensorModule.NetworksAdded" => json!(same::<bool>(bytes)),
        "SubtensorModule.Tempo" | "SubtensorModule.TotalNetworks" => json!(same::<u16>(bytes)),
        "SubtensorModule.SubnetOwner" | "SubtensorModule.Keys" => ss58(same(bytes)),
        "Timestamp.Now" => json!(same::<u64>(bytes)),
        "System.Number" => json!(same::<u32>(bytes)),
        _ => panic!("{item} is not read here"),
    }
}

#[test]
fn stored_values_are_read_as_the_sdk_reads_them() {
    let Some(golden) = golden() else { return };
    let (mut stored, mut absent) = (0, 0);
    for case in cases(&golden, "storage_values") {
        let entry = entry(case).unwrap();
        let key = entry.real_key(&own_parts(entry, &case["params"]));
        assert_eq!(key, Some(hex(&case["key_hex"])), "{}", name(case));
        let bytes = if case["raw_hex"].is_null() {
            absent += 1;
            assert!(!entry.is_optional);
            entry.default.clone()
        } else {
            stored += 1;
            hex(&case["raw_hex"])
        };
        assert_eq!(shown(&name(case), &bytes), case["decoded"], "{}", name(case));
    }
    assert_eq!((stored, absent), (7, 1));
}

#[test]
fn maps_are_read_as_the_sdk_reads_them() {
    let Some(golden) = golden() else { return };
    let mut pairs = 0;
    for case in cases(&golden, "query_maps") {
        let entry = entry(case).unwrap();
        let prefix = hex(&case["prefix_hex"]);
        assert!(prefix.starts_with(&entry.prefix()));
        for (change, pair) in cases(case, "raw_changes").iter().zip(cases(case, "pairs")) {
            let key = hex(&change[0]);
            assert!(key.starts_with(&prefix));
            let (own, whole) = entry.own_parts(&key[32..]).expect("a key of the item");
            assert_eq!((entry.real_key(&own), whole), (Some(key), entry.parts.len()));
            let last = entry.parts.last().map(|(_, part)| match part {
                Part::Account => json!(AccountId(own[own.len() - 32..].try_into().unwrap()).to_ss58()),
                _ => json!(u16::from_be_bytes(own[own.len() - 2..].try_into().unwrap())),
            });
            assert_eq!(last.as_ref(), Some(&pair[0]), "{}", name(case));
            assert_eq!(shown(&name(case), &hex(&change[1])), pair[1], "{}", name(case));
            pairs += 1;
        }
    }
    println!("{pairs} pairs of maps");
    assert_eq!(pairs, 2 + 2 + 1 + 11);
}

/// The call of a vector as the rules know it.
fn own_call(golden: &Value, case: &Value) -> Call {
    let params = &case["params"];
    let number = |name: &str| params[name].as_u64().unwrap();
    let (to, amount) = (|| account(&params["dest"]), || Rao(number("value")));
    let (netuid, hotkey) =
        (|| Net(u16::try_from(number("netuid")).unwrap()), || Hotkey(account(&params["hotkey"])));
    let words =
        |name: &str| params[name].as_array().unwrap().iter().map(|word| word.as_u64().unwrap() as u16);
    let remark = |bytes: Vec<u8>| Call::Remark { bytes, with_event: false };
    match text(&case["function"]) {
        "transfer_keep_alive" => Call::Transfer { to: to(), amount: amount() },
        "transfer_allow_death" => Call::TransferAllowDeath { to: to(), amount: amount() },
        "add_stake" => {
            Call::AddStake { hotkey: hotkey(), netuid: netuid(), amount: Rao(number("amount_staked")) }
        }
        "remove_stake" => {
            let amount = AlphaRao(number("amount_unstaked"));
            Call::RemoveStake { hotkey: hotkey(), netuid: netuid(), amount }
        }
        "burned_register" => Call::BurnedRegister { netuid: netuid(), hotkey: hotkey() },
        "set_weights" => {
            let (uids, values) = (words("dests").map(Uid).collect(), words("weights").collect());
            let weights = chain::WeightVector { uids, values };
            let (mechid, version_key) = (MechId::MAIN, number("version_key"));
            Call::SetWeights { netuid: netuid(), mechid, weights, version_key }
        }
        "remark" => remark(hex(&params["remark"])),
        "sudo" => Call::Sudo { call: Box::new(remark(hex(&params["call"]["remark"]))) },
        // The vector tells in words what is in it: 1 to Bob, 2 to Charlie.
        "batch" => {
            let to = |at: usize| account(&golden["ss58"][at]["address"]);
            let calls =
                [(1, 1), (2, 2)].map(|(at, amount)| Call::Transfer { to: to(at), amount: Rao(amount) });
            Call::Batch { kind: chain::BatchKind::Stop, calls: calls.into() }
        }
        other => panic!("{other} is not read here"),
    }
}

#[test]
fn calls_are_the_sdks_bytes() {
    /// Weights go out as those of mechanism 0, which is a call of its own.
    const WRITTEN_OTHERWISE: &str = "set_weights";
    let Some(golden) = golden() else { return };
    let (mut read, mut written, mut absent) = (0, 0, Vec::new());
    for case in cases(&golden, "calls") {
        let (function, bytes) = (text(&case["function"]), hex(&case["data_hex"]));
        let Ok(wire) = RuntimeCall::decode_all(&mut &bytes[..]) else {
            absent.push(format!("{}.{function}", text(&case["module"])));
            continue;
        };
        assert_eq!(wire.encode(), bytes, "{function}");
        let own = own_call(&golden, case);
        assert_eq!(Call::try_from(wire), Ok(own.clone()), "{function}");
        read += 1;
        if function != WRITTEN_OTHERWISE {
            assert_eq!(to_wire(&own).map(|wire| wire.encode()), Some(bytes), "{function}");
            written += 1;
        }
    }
    println!("{read} calls read, {written} written, absent: {absent:?}");
    // This chain has no proxies.
    assert_eq!((read, written, absent), (9, 8, vec!["Proxy.proxy".to_owned()]));
}

fn extra(case: &Value) -> Extra {
    let number = |name: &str| case[name].as_u64().unwrap();
    let era = match &case["era"] {
        Value::String(_) => Era::Immortal,
        era => {
            let period = era["period"].as_u64().unwrap();
            Era::Mortal { period, phase: era["current"].as_u64().unwrap() % period }
        }
    };
    let nonce = Compact(u32::try_from(number("nonce")).unwrap());
    Extra { era, nonce, tip: Compact(number("tip")), mode: Mode::Disabled }
}

#[test]
fn what_is_signed_is_what_the_sdk_signs() {
    let Some(golden) = golden() else { return };
    let agreed = agreed(&golden);
    let payloads = cases(&golden, "signature_payloads");
    for case in payloads {
        let birth = case.get("era_birth_block_hash").map_or(agreed.genesis, digest);
        let found = payload(&hex(&case["call_data_hex"]), &extra(case), &agreed, birth);
        assert_eq!(hex::encode(found), hex::encode(hex(&case["payload_hex"])));
    }
    assert_eq!(payloads.len(), 2);
}

#[test]
fn signed_extrinsics_are_the_sdks() {
    let Some(golden) = golden() else { return };
    let extrinsics = cases(&golden, "extrinsics");
    for case in extrinsics {
        let (bytes, extra, signer) = (hex(&case["extrinsic_hex"]), extra(case), account(&case["address"]));
        let signature = MultiSignature::Sr25519(hex(&case["signature_hex"]).try_into().unwrap());
        let call: RuntimeCall = decode(&hex(&case["call_data_hex"]));
        let signed = Signed::decode(&bytes).unwrap();
        assert_eq!((signed.signer, &signed.signature), (signer, &signature));
        assert_eq!((signed.nonce, signed.tip, signed.era), (extra.nonce.0, Rao(extra.tip.0), extra.era));
        assert_eq!(Ok(signed.call), call.clone().try_into());
        let inner = (0x84u8, MultiAddress::Id(signer.into()), signature, extra, call).encode();
        assert_eq!(inner.encode(), bytes);
        assert_eq!(blake2_256(&bytes).to_vec(), hex(&case["extrinsic_hash"]));
    }
    assert_eq!(extrinsics.len(), 2);
}

/// A block of the running chain: somebody really signed its last extrinsic, for that chain and no other.
#[test]
fn a_block_is_hashed_and_its_signature_checked_as_there() {
    let Some(golden) = golden() else { return };
    let (raw, agreed) = (&golden["block"]["raw"]["block"], agreed(&golden));
    let extrinsics: Vec<Vec<u8>> = cases(raw, "extrinsics").iter().map(hex).collect();
    let now = golden["block"]["decoded_extrinsics"][0]["call"]["call_args"][0]["value"].as_u64().unwrap();
    assert_eq!(extrinsics[0], timestamp(now));
    // From outside it is not taken; nor is the second inherent, of a pallet that this chain has not.
    let refused = [0, 1].map(|at| Signed::decode(&extrinsics[at]).unwrap_err());
    assert_eq!(refused, [Undecodable::Invalid(InvalidTransaction::Call), Undecodable::Malformed]);
    let signed = Signed::decode(&extrinsics[2]).unwrap();
    assert!(signed.is_signed_for(&agreed, agreed.genesis));
    assert!(!signed.is_signed_for(&Agreed { spec_version: 425, ..agreed }, agreed.genesis));
    assert_eq!(extrinsics.len(), 3);

    let header = &raw["header"];
    let number = u64::from_str_radix(text(&header["number"]).trim_start_matches("0x"), 16).unwrap();
    let head = Head { number, parent: digest(&header["parentHash"]), ..Head::default() };
    let (state_root, extrinsics_root) = (digest(&header["stateRoot"]), digest(&header["extrinsicsRoot"]));
    let mut bytes = Header { head, state_root, extrinsics_root }.encode();
    // Ours end with an empty list of logs; no consensus leaves any here.
    assert_eq!(bytes.pop(), Some(0));
    let logs = cases(&header["digest"], "logs");
    Compact(logs.len() as u32).encode_to(&mut bytes);
    bytes.extend(logs.iter().flat_map(hex));
    assert_eq!(Digest(blake2_256(&bytes)), digest(&golden["block"]["block_hash"]));
}

#[test]
fn events_are_read_and_written_back() {
    let Some(golden) = golden() else { return };
    let bytes = hex(&golden["events"]["raw_hex"]);
    let events: Vec<EventRecord> = decode(&bytes);
    assert_eq!(events.encode(), bytes);
    let shown = cases(&golden["events"], "decoded");
    assert_eq!((events.len(), shown.len()), (8, 8));
    for (event, shown) in events.iter().zip(shown) {
        // A variant within a variant: the pallet, and what happened there.
        let name = format!("{}({}", text(&shown["module_id"]), text(&shown["event_id"]));
        assert!(format!("{:?}", event.event).starts_with(&name), "{name}: {event:?}");
    }
}

#[test]
fn addresses_are_the_sdks() {
    let Some(golden) = golden() else { return };
    for case in cases(&golden, "ss58") {
        let account = account(&case["address"]);
        assert_eq!(
            (account.0.to_vec(), json!(account.to_ss58())),
            (hex(&case["public_key_hex"]), case["address"].clone())
        );
    }
    assert_eq!(cases(&golden, "ss58").len(), 4);
}

fn version_15(bytes: &[u8]) -> RuntimeMetadataV15 {
    match decode::<RuntimeMetadataPrefixed>(bytes).1 {
        RuntimeMetadata::V15(metadata) => metadata,
        _ => panic!("the metadata is of another version"),
    }
}

#[test]
fn constants_are_the_running_chains() {
    let Some(golden) = golden() else { return };
    let own = version_15(metadata::at_version(Rules::V425, 15).unwrap());
    let (mut equal, mut absent) = (0, Vec::new());
    for case in cases(&golden, "constants") {
        let (module, name) = (text(&case["module"]), text(&case["name"]));
        let pallet = own.pallets.iter().find(|pallet| pallet.name == module);
        let constant =
            pallet.and_then(|pallet| pallet.constants.iter().find(|constant| constant.name == name));
        let Some(constant) = constant else {
            absent.push(format!("{module}.{name}"));
            continue;
        };
        if (module, name) == ("Aura", "SlotDuration") {
            // The running chain was one of fast blocks.
            assert_eq!(
                (constant.value.as_slice(), &case["decoded"]),
                (&12_000_u64.to_le_bytes()[..], &json!(250))
            );
            continue;
        }
        let mut little = constant.value.clone();
        little.resize(8, 0);
        assert_eq!(json!(u64::from_le_bytes(little.try_into().unwrap())), case["decoded"], "{name}");
        equal += 1;
    }
    assert_eq!((equal, absent), (2, Vec::new()));
}
