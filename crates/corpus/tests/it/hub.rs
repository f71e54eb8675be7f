//! Repositories for the Hub: what is in them, and that the libraries of others read them.

use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

use corpus::{
    Cut, Decision, Limits, Memory, Rules, Shard, Source as _,
    dedup::Likeness,
    hub::{About, Elsewhere, Hub, HubError, HubManifest},
};
use serde_json::Value;

use crate::{MINER, files};

fn about() -> About {
    About { name: "weighed".into(), license: "odc-by".into(), source: "files that a test made".into() }
}

/// A repository of several shards below `root`, and the shards.
fn repository(root: &Path) -> (HubManifest, Vec<Shard>) {
    let source = Memory::new(files(11, 120)).unwrap();
    let mut hub = Hub::create(&root.join("weighed"), about()).unwrap();
    let mut shards = Vec::new();
    for (number, extent) in
        source.extents(Cut { entries_max: 40, bytes_max: u64::MAX }).unwrap().into_iter().enumerate()
    {
        let shard = Shard::build(&extent, &source, MINER, &Rules::default()).unwrap();
        let manifest = shard.write_folder(&root.join(format!("{number:05}"))).unwrap();
        hub.add(extent, manifest, &shard).unwrap();
        shards.push(shard);
    }
    (hub.finish().unwrap(), shards)
}

fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn a_repository_accounts_for_every_record_and_is_the_same_twice() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (manifest, shards) = repository(one.path());
    let documents: usize = shards.iter().map(|shard| shard.documents.len()).sum();
    assert_eq!((manifest.records, manifest.documents), (120, documents as u64));
    assert_eq!(manifest.decisions.values().sum::<u64>(), 120);
    assert_eq!(manifest.decisions["kept"], documents as u64);
    assert_eq!(manifest.languages.values().sum::<u64>(), documents as u64);
    assert_eq!(manifest.shards.len(), 3);
    repository(two.path());
    let (one, two) = (tree(&one.path().join("weighed")), tree(&two.path().join("weighed")));
    let paths: Vec<&str> = one.keys().map(String::as_str).collect();
    let expect = [
        "README.md",
        "croissant.json",
        "data/train-00000.parquet",
        "ledger/ledger-00000.parquet",
        "manifest.json",
    ];
    assert_eq!(paths, expect);
    assert_eq!(one, two);
    let read: HubManifest = serde_json::from_slice(&one["manifest.json"]).unwrap();
    assert_eq!(read, manifest);
}

#[test]
fn documents_that_stand_elsewhere_are_left_out_and_accounted_for() {
    let root = tempfile::tempdir().unwrap();
    let (whole, shards) = repository(root.path());
    let source = Memory::new(files(11, 120)).unwrap();
    let mut hub = Hub::create(&root.path().join("less"), about()).unwrap();
    let extents = source.extents(Cut { entries_max: 40, bytes_max: u64::MAX }).unwrap();
    let elsewhere = Elsewhere { root: shards[0].root(), record: 3, likeness: Likeness::Near };
    let mut tokens = 0;
    for (number, (extent, shard)) in extents.into_iter().zip(&shards).enumerate() {
        let folder = root.path().join(format!("{number:05}"));
        let (_, manifest) = Shard::open_folder(&folder, &Limits::default()).unwrap();
        let gone = &shard.documents[number];
        let left_out = BTreeMap::from([(gone.record, elsewhere)]);
        tokens += gone.tokens;
        hub.add_without(extent, manifest, shard, &left_out).unwrap();
    }
    let less = hub.finish().unwrap();
    assert_eq!(
        (less.records, less.documents, less.tokens),
        (120, whole.documents - 3, whole.tokens - tokens)
    );
    let kept = whole.decisions["kept"];
    assert_eq!((less.decisions["kept"], less.decisions.values().sum::<u64>()), (kept - 3, 120));
    let near = |manifest: &HubManifest| manifest.decisions.get("near_dup_of").copied().unwrap_or(0);
    assert_eq!(near(&less), near(&whole) + 3);
    let ledger = fs::read(root.path().join("less/ledger/ledger-00000.parquet")).unwrap();
    let place = elsewhere.to_string();
    assert_eq!(place, format!("near_dup_of:3@{}", shards[0].root()));
    assert_ne!(ledger, fs::read(root.path().join("weighed/ledger/ledger-00000.parquet")).unwrap());
}

#[test]
fn only_what_is_kept_can_be_left_out() {
    let root = tempfile::tempdir().unwrap();
    let (_, shards) = repository(root.path());
    let mut hub = Hub::create(&root.path().join("less"), about()).unwrap();
    let source = Memory::new(files(11, 120)).unwrap();
    let extent = source.extents(Cut { entries_max: 40, bytes_max: u64::MAX }).unwrap().swap_remove(0);
    let (_, manifest) = Shard::open_folder(&root.path().join("00000"), &Limits::default()).unwrap();
    let elsewhere = Elsewhere { root: shards[1].root(), record: 0, likeness: Likeness::Exact };
    let dropped = shards[0].ledger.rows.iter().position(|row| row.decision != Decision::Kept).unwrap();
    for record in [u32::try_from(dropped).unwrap(), 1 << 20] {
        let left_out = BTreeMap::from([(record, elsewhere)]);
        let refused = hub.add_without(extent.clone(), manifest.clone(), &shards[0], &left_out);
        assert!(
            matches!(refused, Err(HubError::Stray { record: found, .. }) if found == record),
            "{refused:?}"
        );
    }
}

/// `datasets` and `mlcroissant` read what we write, from disk, and pages of it are what SN9's loader asks of the Hub.
#[test]
fn others_read_a_repository() {
    let Some(python) = env::var_os("WEIGH_HUB_PYTHON") else {
        println!("skipped: WEIGH_HUB_PYTHON names no Python with datasets and mlcroissant");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let (_, shards) = repository(root.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/hub.py");
    let output = Command::new(python)
        .arg(script)
        .arg(root.path().join("weighed"))
        .env("HF_HOME", root.path().join("cache"))
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let texts: Vec<&str> =
        shards.iter().flat_map(|shard| &shard.documents).map(|document| document.text.as_str()).collect();
    let decisions: Vec<String> =
        shards.iter().flat_map(|shard| &shard.ledger.rows).map(|row| row.decision.to_string()).collect();
    for how in ["datasets", "pages", "croissant"] {
        assert_eq!(found[how], serde_json::json!(texts), "{how}");
    }
    assert_eq!(found["decisions"], serde_json::json!(decisions));
}
