//! `weigh score` as a miner meets it: the real binary over a small source, and the receipt that everybody arrives at.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests too, and say why they skip"
)]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use corpus::{Archives, Cut, Extent, Folder, FolderLimits, Recipe, Rules, Shard, Source, Supplied, extract};
use lm::{BYTES_VOCAB, Model, Preset, Sizes, TrainConfig};
use mechanisms::dataset::{
    ID, Task, Terms,
    value::{self, Experiment, encode_texts},
};
use primitives::{Digest, Hotkey, Seed, Stream};
use serde_json::{Value, json};
use store::artifacts::InMemory;
use tempfile::TempDir;
use worker::{Config, Evaluator, Examination, Inline, Receipt, Shelves, Supervisor};

const WEIGH: &str = env!("CARGO_BIN_EXE_weigh");
/// What stands in a made-up page, in any order: the commonest words tell the language.
const WORDS: [&str; 24] = [
    "the", "weight", "of", "a", "loaf", "and", "its", "price", "were", "known", "to", "every", "house", "in",
    "that", "town", "where", "they", "had", "been", "with", "merchant", "scales", "before",
];
/// The receipts of [`Bench::pinned`] and [`Bench::open_recipe`]. They change where the recipe, the kernel of `lm`, a shard's
/// form or a receipt's form gets a new version, and never with the build, the machine or the number of threads.
const GOLDEN: [&str; 2] = [
    "b5d3b3202e68c68d642baa7b84154c2d0c5d934e12e607c9d91477fe312f6867",
    "187b09ce7a610e18f115ac87c8f356e9a01653e073bb526f09418097fcb1c99d",
];
/// A user without privileges, on every machine.
const NOBODY: u32 = 65_534;

fn sentence(words: &mut Stream, length: usize) -> String {
    let words: Vec<&str> = (0..length).map(|_| WORDS[words.index(WORDS.len())]).collect();
    words.join(" ")
}

fn texts(purpose: &str, count: u64) -> Vec<String> {
    let text = |at| sentence(&mut Seed::from_number(1).stream(purpose, at), 80);
    (0..count).map(text).collect()
}

/// Pages of two long paragraphs around a short one, a page that says too little, and a page twice.
fn lay_pages(folder: &Path, pages: u64) {
    fs::create_dir_all(folder).unwrap();
    let page = |at: u64| {
        let mut words = Seed::from_number(3).stream("page", at);
        let [first, short, last] = [60, 7, 90].map(|length| sentence(&mut words, length));
        format!(
            "<html><head><title>House {at}</title></head><body><article><h1>The weigh house of town {at}</h1>\
             <p>{first}.</p><p>{short}.</p><p>{last}.</p></article></body></html>"
        )
    };
    for at in 0..pages {
        fs::write(folder.join(format!("{at:03}.html")), page(at)).unwrap();
    }
    fs::write(folder.join("again.html"), page(0)).unwrap();
    fs::write(folder.join("short.html"), "<html><body><p>Too short.</p></body></html>").unwrap();
}

/// A case with all that its examination needs, as files and as the library has them.
struct Bench {
    root: TempDir,
    source: PathBuf,
    supplies: Vec<Vec<u8>>,
    task: Task,
    shard: Vec<u8>,
    /// The root that the case names.
    committed: Digest,
}

impl Bench {
    fn miner() -> Hotkey {
        Hotkey::from_bytes([7; 32])
    }

    /// A shard of made-up pages by the pinned recipe.
    fn pinned() -> Self {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        lay_pages(&source, 12);
        let opened = Folder::open(&source, FolderLimits::default()).unwrap();
        let extent = whole(&opened);
        let terms = Terms::plain();
        let rules = terms.rules(&opened).unwrap();
        let shard = Shard::build(&extent, &opened, Self::miner(), &rules).unwrap();
        Self::of(root, source, Task { extent, terms, pass: 2 }, &shard)
    }

    /// A shard of the same pages by a recipe of the miner's own, under terms that train on it.
    fn open_recipe() -> Self {
        let bench = Self::pinned();
        let sizes = Sizes {
            vocab: BYTES_VOCAB,
            dim: 16,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            ffn_dim: 32,
            context: 32,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            tied: true,
            ..*Preset::Mouse.config()
        };
        let model = Model::init(&lm::Config::new(sizes).unwrap(), Seed::from_number(5)).export();
        let supplies = vec![model, encode_texts(&texts("base", 4)), encode_texts(&texts("pool", 16))];
        let [model, base, pool] = [0, 1, 2].map(|at| Digest::of(&supplies[at]));
        let experiment = Experiment {
            model,
            base,
            pool,
            candidate_tokens: 4_000,
            documents: 8,
            document_bytes: 200,
            seeds: 2,
            training: TrainConfig {
                steps: 3,
                batch: 2,
                sequence: 32,
                warmup_steps: 1,
                ..TrainConfig::default()
            },
            terms: value::Terms {
                clip_bits_per_byte: 0.1,
                margin_bits_per_byte: 0.01,
                taper_bits_per_byte: 0.05,
                gain_bits_per_byte: 0.05,
                seed_sd_bits_per_byte: 0.004,
                factor_max: 2.0,
            },
        };
        let terms = Terms { open: true, value: Some(experiment), ..Terms::plain() };
        let source = Folder::open(&bench.source, FolderLimits::default()).unwrap();
        let recipe = Recipe { id: "paragraphs".into(), version: 1 };
        let (extent, rules) = (bench.task.extent.clone(), terms.rules(&source).unwrap());
        let shard =
            Shard::build_with(&extent, &source, Self::miner(), recipe, &rules, &extract::paragraphs).unwrap();
        let task = Task { extent, terms, pass: 0 };
        Self { supplies, ..Self::of(bench.root, bench.source, task, &shard) }
    }

    fn of(root: TempDir, source: PathBuf, task: Task, shard: &Shard) -> Self {
        Self { root, source, supplies: Vec::new(), task, shard: shard.encode(), committed: shard.root() }
    }

    /// The same with another shard, to which the miner has committed.
    fn with_shard(mut self, shard: &Shard) -> Self {
        (self.shard, self.committed) = (shard.encode(), shard.root());
        self
    }

    fn shard(&self) -> Shard {
        Shard::decode(&self.shard, &mechanisms::dataset::params::SHARD_LIMITS).unwrap()
    }

    fn case(&self) -> Value {
        json!({
            "mechanism": ID, "round": 41, "task": self.task, "hotkey": Self::miner(),
            "root": self.committed, "audit_seed": Seed::from_number(11),
        })
    }

    fn job(&self) -> Examination {
        Examination {
            mechanism: ID.to_owned(),
            round: 41,
            hotkey: Self::miner(),
            task: 3,
            task_json: serde_json::to_string(&self.task).unwrap(),
            root: self.committed,
            part: Digest::of(&self.shard),
            audit_seed: Seed::from_number(11),
        }
    }

    /// What a validator records that reads the source as it lies there.
    fn receipt(&self, evaluator: &dyn Evaluator) -> Receipt {
        let source: Box<dyn Source> = if self.source.is_dir() {
            let folder = Folder::open(&self.source, FolderLimits::default()).unwrap();
            Box::new(Supplied::new(folder, self.supplies.clone()))
        } else {
            Box::new(Archives::open(&self.source).unwrap())
        };
        let shelves = Shelves { source: &*source, artifacts: &InMemory::new() };
        let job = self.job();
        let evaluation = evaluator.examine(&job, Arc::new(self.shard.clone()), &shelves);
        Receipt::of(&job, &evaluation.result, &mechanisms::find(ID).unwrap().engine())
    }

    fn inline(&self) -> Receipt {
        self.receipt(&Inline { mechanism: mechanisms::find(ID).unwrap() })
    }

    /// Writes what the command reads, and returns its arguments.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let lay = |name: &str, bytes: &[u8]| {
            let place = self.root.path().join(name);
            fs::write(&place, bytes).unwrap();
            place.to_str().unwrap().to_owned()
        };
        let shard = lay("shard", &self.shard);
        let case = lay("case.json", serde_json::to_string_pretty(&self.case()).unwrap().as_bytes());
        let source = self.source.to_str().unwrap().to_owned();
        let mut arguments = vec!["score".to_owned(), "dataset".to_owned(), shard];
        arguments.extend(["--source".to_owned(), source, "--case".to_owned(), case]);
        for (at, supply) in self.supplies.iter().enumerate() {
            arguments.extend(["--supply".to_owned(), lay(&format!("supply-{at}"), supply)]);
        }
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        arguments
    }

    /// What `weigh score dataset` prints, which must end with `code`.
    fn told(&self, code: i32, more: &[&str]) -> String {
        told(&Command::new(WEIGH).args(self.arguments(more)).output().unwrap(), code)
    }

    /// The same as JSON; its digest is checked to be its receipt's.
    fn scored(&self, code: i32, threads: &str) -> Value {
        let report = self.told(code, &["--threads", threads, "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        let receipt: Receipt = serde_json::from_value(report["receipt"].clone()).unwrap();
        assert_eq!(report["digest"], json!(receipt.digest()));
        report
    }

    /// The receipt at which the command, two supervisors and this process arrive, whatever the number of threads.
    fn agreed(&self, code: i32) -> Receipt {
        let inline = self.inline();
        for threads in [1, 2] {
            let report = self.scored(code, &threads.to_string());
            assert_eq!(report["receipt"], json!(inline), "the command on {threads} threads");
            let config = Config { program: WEIGH.into(), threads, ..Config::this_program("worker-child") };
            let supervisor = Supervisor::new(mechanisms::catalogue(), config).unwrap();
            assert_eq!(self.receipt(&supervisor), inline, "a supervisor with {threads} threads");
        }
        inline
    }
}

/// The one task of a source.
fn whole(source: &dyn Source) -> Extent {
    let mut extents = source.extents(Cut { entries_max: 1 << 16, bytes_max: u64::MAX }).unwrap();
    assert_eq!(extents.len(), 1);
    extents.remove(0)
}

fn told(output: &Output, code: i32) -> String {
    let [out, talk] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{out}{talk}");
    out
}

#[test]
fn a_validator_and_a_miner_at_home_arrive_at_one_receipt() {
    let bench = Bench::pinned();
    let receipt = bench.agreed(0);
    assert_eq!(json!(receipt.outcome), json!("Ok"));
    let report = bench.scored(0, "2");
    let (documents, rows) = (bench.shard().documents.len(), bench.shard().ledger.rows.len());
    assert_eq!((documents, rows), (12, 14), "one says too little, one is a page again");
    assert_eq!((&report["outcome"], &report["failure"]), (&json!("ok"), &Value::Null));
    let found = &report["finding"];
    assert_eq!((&found["sampled_kept"], &found["sampled_dropped"]), (&json!(12), &json!(2)));
    assert_eq!(found["documents"].as_array().unwrap().len(), 12);
    // One run asks for the samples' bytes, one looks at them.
    assert_eq!(report["runs"].as_array().unwrap().len(), 2);

    let told = bench.told(0, &[]);
    let tokens: u64 = bench.shard().documents.iter().map(|row| row.tokens).sum();
    for line in [
        "outcome   ok".to_owned(),
        "checked   12 kept and 2 dropped records hold".to_owned(),
        format!("tokens    {tokens} in 12 documents"),
        format!("receipt   {}", receipt.digest()),
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
}

#[test]
fn every_build_arrives_at_the_recorded_receipts() {
    let receipts = [Bench::pinned(), Bench::open_recipe()].map(|bench| bench.inline().digest().to_string());
    assert_eq!(receipts, GOLDEN);
}

#[test]
fn what_data_build_writes_can_be_scored_at_once() {
    let bench = Bench::pinned();
    let out = bench.root.path().join("out");
    let (source, place) = (bench.source.to_str().unwrap(), out.to_str().unwrap());
    let miner = Bench::miner().to_string();
    let arguments = ["data", "build", source, "--out", place, "--miner", &miner, "--language", "en"];
    told(&Command::new(WEIGH).args(arguments).output().unwrap(), 0);
    let (shard, case) = (out.join("00000"), out.join("00000/case.json"));
    let [shard, case] = [&shard, &case].map(|path| path.to_str().unwrap());
    let arguments = ["score", "dataset", shard, "--source", source, "--case", case, "--json"];
    let report = told(&Command::new(WEIGH).args(arguments).output().unwrap(), 0);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["receipt"]["submission"], json!(Digest::of(&bench.shard)));
    assert_eq!(report["receipt"]["root"], json!(bench.committed));
}

#[test]
fn pages_of_a_crawl_come_to_one_receipt() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wcxb/dev.warc.gz");
    if !source.is_file() {
        println!("skipped: there is no {}", source.display());
        return;
    }
    let archives = Archives::open(&source).unwrap();
    let extents = archives.extents(Cut { entries_max: 96, bytes_max: 2 << 20 }).unwrap();
    let (extent, terms) = (extents[0].clone(), Terms::plain());
    let rules = terms.rules(&archives).unwrap();
    let shard = Shard::build(&extent, &archives, Bench::miner(), &rules).unwrap();
    assert!(shard.documents.len() > 5, "{}", shard.documents.len());
    let task = Task { extent, terms, pass: 0 };
    let bench = Bench::of(tempfile::tempdir().unwrap(), source, task, &shard);
    assert_eq!(json!(bench.agreed(0).outcome), json!("Ok"));
}

#[test]
fn a_tampered_shard_is_named_by_record_and_rule() {
    let bench = Bench::pinned();
    let mut shard = bench.shard();
    let row = &mut shard.documents[4];
    let text = row.text.replacen("merchant", "customer", 1);
    *row = row.clone().with_text(text, &Rules::default());
    let bench = bench.with_shard(&shard);
    let receipt = bench.agreed(1);
    let proof = &json!(receipt.outcome)["Invalid"];
    assert_eq!((&proof["step"], &proof["record"]), (&json!(1), &json!("004.html")));
    let report = bench.scored(1, "1");
    assert_eq!((&report["failure"]["class"], &report["failure"]["code"]), (&json!(1), &json!(1003)));
    let told = bench.told(1, &[]);
    for line in ["outcome   invalid", "step      1", "record    004.html", "rule      text is the recipe's"] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(told.contains(&receipt.digest().to_string()));
}

#[test]
fn what_was_not_committed_is_a_fault_and_has_its_receipt() {
    let mut bench = Bench::pinned();
    bench.committed = Digest::of(b"another");
    assert_eq!(json!(bench.agreed(1).outcome)["Invalid"]["rule"], json!("root is the committed one"));
    bench.shard.truncate(100);
    assert_eq!(json!(bench.agreed(1).outcome)["Invalid"]["rule"], json!("shard can be read"));
}

#[test]
fn a_source_that_changed_is_no_evidence_against_the_miner() {
    let bench = Bench::pinned();
    let page = bench.source.join("004.html");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&page, text.replacen("merchant", "customer", 1)).unwrap();
    assert_eq!(json!(bench.agreed(3).outcome), json!("ValidatorFault"));
    let report = bench.scored(3, "1");
    assert_eq!((&report["failure"]["class"], &report["failure"]["code"]), (&json!(3), &json!(3004)));
    assert!(bench.told(3, &[]).starts_with("outcome   no evidence\n"));

    fs::remove_file(&page).unwrap();
    let report = bench.scored(3, "1");
    assert_eq!(report["failure"]["code"], json!(3003));
    assert!(report["failure"]["detail"].as_str().unwrap().contains("004.html"), "{report}");

    fs::write(&page, &text).unwrap();
    bench.agreed(0);
    fs::remove_dir_all(&bench.source).unwrap();
    bench.told(3, &[]);
}

#[test]
fn a_value_found_by_training_is_the_same_on_one_thread_and_on_two() {
    let bench = Bench::open_recipe();
    let receipt = bench.agreed(0);
    let report = bench.scored(0, "2");
    let found = &report["finding"];
    assert!(found["aligned_permille"].as_u64().unwrap() >= 920, "{found}");
    let value = &found["value"];
    assert_eq!((&value["documents"], &value["seeds"]), (&json!(8), &json!(2)));
    assert_ne!(value["verdict"], json!("equal"), "the two corpora differ, and models were trained");
    assert!(bench.told(0, &[]).contains("bits per byte on 8 documents with 2 seeds"));

    // What the owner supplies is not the miner's to bring.
    let lacking = Bench { supplies: bench.supplies[..2].to_vec(), ..bench };
    assert_eq!(json!(lacking.agreed(3).outcome), json!("ValidatorFault"));
    assert_ne!(lacking.inline(), receipt);
}

/// A privileged user may start threads whatever the limits say, so that only another one shows what they are.
#[test]
fn an_examination_has_its_threads_without_privileges() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: the other tests have run without privileges");
        return;
    }
    let bench = Bench::open_recipe();
    let arguments = bench.arguments(&["--threads", "2", "--json"]);
    let program = bench.root.path().join("weigh");
    fs::copy(WEIGH, &program).unwrap();
    for place in [bench.root.path(), &program] {
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = Command::new(&program).args(arguments).uid(NOBODY).gid(NOBODY).output().unwrap();
    let report: Value = serde_json::from_str(&told(&output, 0)).unwrap();
    assert_eq!(report["receipt"], json!(bench.inline()));
}

#[test]
fn arguments_that_make_no_case_are_told_from_faults() {
    let bench = Bench::pinned();
    let check = |change: &dyn Fn(&mut Value), says: &str| {
        let arguments = bench.arguments(&[]);
        let mut case = bench.case();
        change(&mut case);
        fs::write(bench.root.path().join("case.json"), case.to_string()).unwrap();
        let output = Command::new(WEIGH).args(arguments).output().unwrap();
        told(&output, 2);
        let talk = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        let talk = talk.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(talk.contains(says), "{talk}");
    };
    check(&|case| case["mechanism"] = json!("model"), "expected \"dataset\"");
    check(&|case| case["part"] = json!(0), "unknown field");
    check(&|case| case["root"] = json!("no digest"), "is no case");
    check(&|case| case["task"] = json!({}), "is no case");
    bench.told(2, &["--threads", "0"]);
    bench.told(2, &["--supply", "/nonexistent"]);
    let bare = Command::new(WEIGH).args(["score", "dataset", "x", "--source", "x"]).output().unwrap();
    told(&bare, 2);
    let help = Command::new(WEIGH).args(["score", "dataset", "--help"]).output().unwrap();
    assert!(told(&help, 0).contains("\"audit_seed\": HEX"));
}
