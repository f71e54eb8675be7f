//! Repositories for the Hub: what is in them, and that the libraries of others read them.

use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

use corpus::{
    Cut, Decision, DocumentRow, Extent, LedgerRow, Memory, Reason, Recipes, Rules, Shard, Source as _,
    document::fingerprint,
    hub::{About, Hub, HubManifest, check::Repository},
    reading::Pool,
    repository::Damage,
    token_shard::{TokenShard, Vocabulary},
    tokens, verify,
};
use primitives::Digest;
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

/// Reads a repository back and checks each record of each shard by the source.
fn checked(root: &Path, source: &Memory) -> Result<(), String> {
    let say = |damage: Damage| damage.to_string();
    let repository = Repository::open(root).map_err(say)?;
    let mut shards = repository.shards();
    while let Some(claimed) = shards.next().map_err(say)? {
        let (shard, extent) = (&claimed.shard, &claimed.entry.extent);
        let offline =
            verify::offline(shard, extent, &claimed.entry.manifest.miner, Recipes::Pinned, &Rules::default());
        offline.map_err(|fault| fault.to_string())?;
        for (number, row) in (0u32..).zip(&shard.ledger.rows) {
            let bytes = source.read(&row.path).unwrap();
            let row = verify::row(shard, extent, number, &bytes, &Rules::default());
            row.map_err(|error| error.to_string())?;
        }
        claimed.check_totals().map_err(say)?;
    }
    Ok(())
}

/// A repository of one shard that somebody changed, and then wrote with all digests and counts as they should be.
fn forged(root: &Path, extent: &Extent, shard: &Shard) {
    let manifest = shard.write_folder(&root.join("00000")).unwrap();
    let mut hub = Hub::create(&root.join("hub"), about()).unwrap();
    hub.add(extent.clone(), manifest, shard).unwrap();
    hub.finish().unwrap();
}

#[test]
fn each_damage_to_a_repository_is_named() {
    let source = Memory::new(files(11, 60)).unwrap();
    let extents = source.extents(Cut { entries_max: u32::MAX, bytes_max: u64::MAX }).unwrap();
    let [extent] = &extents[..] else { panic!("one task") };
    let whole = Shard::build(extent, &source, MINER, &Rules::default()).unwrap();
    let kept = whole.documents[2].record as usize;
    let name = whole.ledger.rows[kept].path.clone();
    let refused = |change: &dyn Fn(&mut Shard), expect: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let mut shard = whole.clone();
        change(&mut shard);
        forged(root.path(), extent, &shard);
        let found = checked(&root.path().join("hub"), &source);
        match (found, expect) {
            (Ok(()), []) => {}
            (Err(found), [_, ..]) if expect.iter().all(|part| found.contains(part)) => {}
            (found, _) => panic!("expected {expect:?}, found {found:?}"),
        }
    };
    let rows = |change: fn(&mut Vec<LedgerRow>, usize)| {
        move |shard: &mut Shard| change(&mut shard.ledger.rows, kept)
    };
    refused(&|_| {}, &[]);
    let last = whole.ledger.rows.len() - 1;
    let dropped = whole.ledger.rows.iter().rposition(|row| row.decision != Decision::Kept).unwrap();
    let dropped_name = whole.ledger.rows[dropped].path.clone();
    refused(&|shard| drop(shard.ledger.rows.remove(dropped)), &["RowMissing", &dropped_name]);
    refused(&|shard| shard.ledger.rows.push(shard.ledger.rows[last].clone()), &["RowExtra"]);
    refused(&rows(|rows, at| rows[at].length_bytes += 1), &["RowChanged", &name]);
    refused(&rows(|rows, at| rows[at].digest = Digest::of(b"another")), &["RowChanged", &name]);
    let reason = Decision::Dropped(Reason::Empty);
    refused(&|shard| shard.ledger.rows[dropped].decision = reason, &["Decision", &dropped_name]);
    let documents = |change: fn(&mut DocumentRow)| move |shard: &mut Shard| change(&mut shard.documents[2]);
    let rewrite = |document: &mut DocumentRow| {
        document.text.push_str(" and more");
        document.tokens = tokens::count(&document.text);
        document.fingerprint = fingerprint(&document.text);
    };
    refused(&documents(rewrite), &["Text", &name]);
    refused(&documents(|document| document.text.push('!')), &["Tokens", &name]);
    refused(&documents(|document| document.url.push('!')), &["Provenance", &name]);
    refused(&|shard| drop(shard.documents.remove(2)), &["Documents", &name]);
    refused(&|shard| shard.documents.swap(2, 3), &["Documents", &name]);
}

#[test]
fn files_that_are_touched_lost_or_added_are_named() {
    let source = Memory::new(files(11, 120)).unwrap();
    let root = tempfile::tempdir().unwrap();
    repository(root.path());
    let hub = root.path().join("weighed");
    assert_eq!(checked(&hub, &source), Ok(()));
    let whole = tree(&hub);
    for (path, bytes) in &whole {
        let place = hub.join(path);
        let name = path.as_str();
        let refused = |how: &str| {
            let found = checked(&hub, &source).unwrap_err();
            assert!(found.contains(name), "{how}: {found}");
        };
        fs::remove_file(&place).unwrap();
        refused("lost");
        fs::write(&place, &bytes[..bytes.len() / 2]).unwrap();
        refused("cut");
        if name != "manifest.json" {
            let mut touched = bytes.clone();
            touched[bytes.len() / 3] ^= 1;
            fs::write(&place, touched).unwrap();
            refused("touched");
        }
        fs::write(&place, bytes).unwrap();
    }
    for added in ["data/train-00001.parquet", "more.txt", "ledger/x/y"] {
        let place = hub.join(added);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, b"x").unwrap();
        assert_eq!(checked(&hub, &source), Err(format!("{added} is not named in manifest.json")));
        fs::remove_file(&place).unwrap();
    }
    fs::create_dir(hub.join(".git")).unwrap();
    fs::write(hub.join(".git/config"), b"x").unwrap();
    assert_eq!(checked(&hub, &source), Ok(()), "what tools keep for themselves");
    // What the manifest says of the whole is what there is.
    let manifest: HubManifest = serde_json::from_slice(&whole["manifest.json"]).unwrap();
    let refused = |change: &dyn Fn(&mut HubManifest), expect: &str| {
        let mut forged = manifest.clone();
        change(&mut forged);
        fs::write(hub.join("manifest.json"), serde_json::to_vec(&forged).unwrap()).unwrap();
        let found = checked(&hub, &source).unwrap_err();
        assert!(found.starts_with(expect), "{found}");
    };
    refused(&|manifest| manifest.records += 1, "records: ");
    refused(&|manifest| manifest.documents += 1, "documents: ");
    refused(&|manifest| manifest.tokens += 1, "tokens: ");
    refused(&|manifest| manifest.root = Digest::of(b"x"), "root: ");
    refused(&|manifest| _ = manifest.languages.insert("en".into(), 1), "languages: ");
    refused(&|manifest| _ = manifest.decisions.insert("kept".into(), 1), "decisions: ");
    refused(&|manifest| manifest.shards[1].manifest.root = Digest::of(b"x"), "root of shard 1: ");
    refused(&|manifest| manifest.shards[1].manifest.tokens += 1, "tokens of shard 1: ");
    refused(&|manifest| drop(manifest.shards.pop()), "record ");
    refused(&|manifest| manifest.shards.swap(0, 1), "Tiling of record ");
    refused(&|manifest| manifest.data[0].rows += 1, "rows of data/train-00000.parquet: ");
    refused(&|manifest| manifest.version = 1, "version: ");
}

#[test]
fn a_repository_has_the_tokens_of_its_documents() {
    let source = Memory::new(files(11, 40)).unwrap();
    let root = tempfile::tempdir().unwrap();
    let hub_root = root.path().join("hub");
    let bytes = |text: &str| Ok(text.bytes().map(u32::from).collect());
    let vocabulary = Vocabulary { tokenizer: "bytes".into(), vocab: 257, end: Some(256) };
    let pool = Pool { threads: 3.try_into().unwrap(), bytes_max: 1 << 20 };
    let mut hub = Hub::create(&hub_root, about()).unwrap().with_tokens(vocabulary, &bytes, pool);
    let mut texts = Vec::new();
    for (number, extent) in
        source.extents(Cut { entries_max: 20, bytes_max: u64::MAX }).unwrap().into_iter().enumerate()
    {
        let shard = Shard::build(&extent, &source, MINER, &Rules::default()).unwrap();
        let manifest = shard.write_folder(&root.path().join(number.to_string())).unwrap();
        hub.add(extent, manifest, &shard).unwrap();
        texts.extend(shard.documents.into_iter().map(|document| document.text));
    }
    let manifest = hub.finish().unwrap();
    let [tokens] = &manifest.token_shards[..] else { panic!("one is enough") };
    assert_eq!((tokens.path.as_str(), tokens.head.documents), ("tokens/train-00000", texts.len() as u64));
    let open = |ending: &str| fs::File::open(hub_root.join(format!("tokens/train-00000.{ending}"))).unwrap();
    let mut shard = TokenShard::open(tokens.head.clone(), open("bin"), open("idx")).unwrap();
    for (number, text) in (0u64..).zip(&texts) {
        let expect: Vec<u32> = text.bytes().map(u32::from).chain([256]).collect();
        assert_eq!(shard.document(number).unwrap(), expect);
    }
    assert_eq!(checked(&hub_root, &source), Ok(()));
    let whole = tree(&hub_root);
    for ending in ["bin", "idx", "json"] {
        let path = format!("tokens/train-00000.{ending}");
        let mut touched = whole[&path].clone();
        touched[9] ^= 1;
        fs::write(hub_root.join(&path), touched).unwrap();
        let found = checked(&hub_root, &source).unwrap_err();
        assert!(found.contains("tokens/train-00000"), "{found}");
        fs::write(hub_root.join(&path), &whole[&path]).unwrap();
    }
    // A tokenizer that can't is told with the document.
    let refuses = |_: &str| Err("no".to_owned());
    let vocabulary = Vocabulary { tokenizer: "none".into(), vocab: 1, end: None };
    let mut hub =
        Hub::create(&root.path().join("none"), about()).unwrap().with_tokens(vocabulary, &refuses, pool);
    let extent = &source.extents(Cut { entries_max: 20, bytes_max: u64::MAX }).unwrap()[0];
    let shard = Shard::build(extent, &source, MINER, &Rules::default()).unwrap();
    let manifest = shard.write_folder(&root.path().join("0")).unwrap();
    let refused = hub.add(extent.clone(), manifest, &shard).unwrap_err().to_string();
    let first = shard.documents[0].record;
    assert_eq!(refused, format!("document of row {first} of shard 0 can't be turned into tokens: no"));
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
