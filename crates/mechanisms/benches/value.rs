//! How often the value experiment orders corpora whose order is known, by how far they are apart, and what a decision costs.
//!
//! `cargo bench -p mechanisms --bench value -- GOLD.jsonl.gz MODEL [TRIALS] [KIND…]`: texts come from a file of JSON lines with a
//! `main_content` each. MODEL is the base model's file; where it isn't there, it is trained first and written. A trial
//! draws documents and pool anew, spoils a fraction of the candidate's documents in one way, and compares it with the
//! unspoilt ones. `ordered` counts trials in which the mean has the right sign, with Wilson's 95 % interval; `decided`
//! those with a verdict, `wrong` those in which the spoilt corpus was called a gain.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench reads files and prints")]
#![expect(clippy::cast_precision_loss, reason = "counts of trials")]

use std::{collections::BTreeMap, io::Read as _, num::NonZeroUsize, process::ExitCode};

use lm::{Compute, Config, Model, Preset, Sizes, TrainConfig};
use mechanisms::dataset::{
    params,
    value::{Corpus, Evidence, Experiment, Ground, Verdict},
};
use primitives::{Digest, Seed, Stream};
use serde::Deserialize;

/// Texts shorter than this hold too little of anything.
const TEXT_MIN_BYTES: usize = 400;
/// Bytes that the base model is trained on.
const MODEL_BYTES: usize = 2_000_000;
/// Steps of its training.
const MODEL_STEPS: u64 = 3_000;
/// Texts in the pool.
const POOL_TEXTS: usize = 300;
/// Fractions of spoilt documents, in percent, from gross to fine.
const PERCENTS: [u64; 5] = [100, 50, 20, 10, 5];

#[derive(Deserialize)]
struct Gold {
    main_content: Option<String>,
}

/// A way to spoil a document; the others of the corpus are at hand.
type Spoil = fn(&str, &[String], &mut Stream) -> String;

const KINDS: [(&str, Spoil); 5] = [
    ("shuffled words", shuffled),
    ("boilerplate", boilerplate),
    ("duplicates", duplicate),
    ("machine text", machine),
    ("other alphabet", rotated),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(path) = arguments.first() else {
        println!("no file of texts given: nothing to measure");
        return ExitCode::SUCCESS;
    };
    let Some(model) = arguments.get(1) else {
        println!("no file for the base model given: nothing to measure");
        return ExitCode::SUCCESS;
    };
    let trials: u64 = arguments.get(2).map_or(5, |text| text.parse().expect("a number of trials"));
    let wanted =
        |kind: &str| arguments.len() < 4 || arguments[3..].iter().any(|name| kind.starts_with(name.as_str()));
    let texts = read(path);
    let none = Digest::default();
    let experiment = params::default_experiment(none, none, none);
    let (ours, theirs) = split(texts);
    let model = base_model(model, &ours, &experiment);
    println!("{} texts for the model, {} for trials; {experiment:?}", ours.len(), theirs.len());
    let wanted: Vec<(&str, Spoil)> = KINDS.iter().filter(|(kind, _)| wanted(kind)).copied().collect();
    let mut found: BTreeMap<(usize, usize), Vec<Outcome>> = BTreeMap::new();
    for trial in 0..trials {
        play(&experiment, &model, &ours, &theirs, &wanted, trial, &mut found);
        println!("trial {trial} done after {:.0} s of CPU time", cpu_seconds());
    }
    println!(
        "kind            spoilt  ordered right          decided  wrong  mean bits/byte  seed sd  resolution  CPU s/decision"
    );
    let mut by_gap = vec![(0_u64, 0_u64); PERCENTS.len()];
    for ((kind, gap), outcomes) in &found {
        let all = outcomes.len() as u64;
        let mean = |value: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(value).sum::<f64>() / all as f64;
        let count = |wanted: &dyn Fn(&Evidence) -> bool| {
            outcomes.iter().filter(|outcome| wanted(&outcome.evidence)).count() as u64
        };
        let right = count(&|evidence| evidence.mean_bits_per_byte < 0.0);
        by_gap[*gap] = (by_gap[*gap].0 + right, by_gap[*gap].1 + all);
        println!(
            "{:<15} {:>4} %  {right:>2} of {all:<2} {:<13} {:>4}  {:>5}  {:>+14.4}  {:>7.4}  {:>10.4}  {:>14.1}",
            wanted[*kind].0,
            PERCENTS[*gap],
            wilson(right, all),
            count(&|evidence| evidence.verdict != Verdict::Undecided),
            count(&|evidence| evidence.verdict == Verdict::Gain),
            mean(&|outcome| outcome.evidence.mean_bits_per_byte),
            mean(&|outcome| outcome.seed_variance).sqrt(),
            mean(&|outcome| outcome.evidence.resolution_bits_per_byte),
            mean(&|outcome| outcome.cpu_seconds),
        );
    }
    for (percent, (right, all)) in PERCENTS.iter().zip(by_gap) {
        println!("all kinds, {percent:>3} % spoilt: {right} of {all} ordered right {}", wilson(right, all));
    }
    ExitCode::SUCCESS
}

/// What one comparison said, and what it cost: both trainings, also where one side was trained only once for many.
struct Outcome {
    evidence: Evidence,
    /// Of the mean difference between training seeds.
    seed_variance: f64,
    cpu_seconds: f64,
}

/// The texts that the base model learns to read from, and the others.
fn split(texts: Vec<String>) -> (Vec<String>, Vec<String>) {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    Seed::from_number(u64::MAX).stream("base", 0).shuffle(&mut order);
    let (mut ours, mut theirs, mut length) = (Vec::new(), Vec::new(), 0);
    for at in order {
        let to = if length < MODEL_BYTES { &mut ours } else { &mut theirs };
        length += texts[at].len();
        to.push(texts[at].clone());
    }
    (ours, theirs)
}

/// The base model from its file, or trained and written there.
fn base_model(path: &str, texts: &[String], experiment: &Experiment) -> Model {
    if let Ok(bytes) = std::fs::read(path) {
        return Model::import(&bytes).expect("a model");
    }
    let sizes = Sizes { context: experiment.training.sequence, ..*Preset::Mouse.config() };
    let config = Config::new(sizes).expect("good sizes");
    let tokens = Corpus::of(texts.iter().map(String::as_str), usize::MAX);
    let training = TrainConfig { steps: MODEL_STEPS, ..TrainConfig::default() };
    let compute = Compute::new(2).expect("two threads");
    let trained =
        lm::train(&config, tokens.tokens(), &training, Seed::from_number(1), &compute).expect("trains");
    let loss = trained.steps.last().map_or(0.0, |step| step.loss / std::f64::consts::LN_2);
    println!("base model of {} parameters: {loss:.3} bits per byte at its last step", config.parameters());
    std::fs::write(path, trained.model.export()).expect("the model's file");
    trained.model
}

/// One trial: the clean corpus against itself spoilt in every way and degree. The clean one's models are the same for all.
fn play(
    experiment: &Experiment,
    model: &Model,
    ours: &[String],
    theirs: &[String],
    kinds: &[(&str, Spoil)],
    trial: u64,
    found: &mut BTreeMap<(usize, usize), Vec<Outcome>>,
) {
    let seed = Seed::from_number(trial);
    let mut order: Vec<usize> = (0..theirs.len()).collect();
    seed.stream("order", 0).shuffle(&mut order);
    let mut rest = order.into_iter().map(|at| theirs[at].clone());
    let (mut clean, mut length) = (Vec::new(), 0);
    while length < experiment.candidate_tokens * 5 / 4 {
        let text = rest.next().expect("texts enough");
        length += text.len();
        clean.push(text);
    }
    let pool: Vec<String> = rest.take(POOL_TEXTS).collect();
    // Half as much of the base as of the candidate: most of what is seen is new.
    let (mut base, mut length) = (Vec::new(), 0);
    for text in ours {
        if length < experiment.candidate_tokens / 2 {
            length += text.len();
            base.push(text.clone());
        }
    }
    let ground = Ground::new(model.clone(), base, pool);
    let corpus = |texts: &[String]| Corpus::of(texts.iter().map(String::as_str), experiment.candidate_tokens);
    let reference = corpus(&clean);
    let held_out = experiment.held_out(&ground, &[&reference], &seed).expect("documents");
    let before = cpu_seconds();
    let score = |corpus: &Corpus| -> Vec<Vec<f64>> {
        let one = |at| experiment.bits_per_byte(&ground, corpus, &held_out, (&seed, at), NonZeroUsize::MIN);
        (0..u64::from(experiment.seeds)).map(|at| one(at).expect("models train")).collect()
    };
    let theirs = score(&reference);
    let reference_cost = cpu_seconds() - before;
    for (kind, (_, spoil)) in kinds.iter().enumerate() {
        for (gap, percent) in PERCENTS.iter().enumerate() {
            let before = cpu_seconds();
            let mut draws = seed.stream("spoil", *percent);
            let spoilt: Vec<String> =
                clean
                    .iter()
                    .map(|text| {
                        if draws.below(100) < *percent {
                            spoil(text, &clean, &mut draws)
                        } else {
                            text.clone()
                        }
                    })
                    .collect();
            let ours = score(&corpus(&spoilt));
            let difference = |(theirs, ours): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
                theirs.iter().zip(ours).map(|(theirs, ours)| theirs - ours).collect()
            };
            let differences: Vec<Vec<f64>> = theirs.iter().zip(&ours).map(difference).collect();
            let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / row.len().max(1) as f64;
            let means: Vec<f64> = differences.iter().map(mean).collect();
            let centre = mean(&means);
            let squares: f64 = means.iter().map(|mean| (mean - centre) * (mean - centre)).sum();
            found.entry((kind, gap)).or_default().push(Outcome {
                evidence: Evidence::weigh(&experiment.terms, &differences),
                seed_variance: squares / (means.len() - 1) as f64,
                cpu_seconds: cpu_seconds() - before + reference_cost,
            });
        }
    }
}

fn shuffled(text: &str, _all: &[String], draws: &mut Stream) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    draws.shuffle(&mut words);
    words.join(" ")
}

/// What stands around articles, in a new order each time, as long as the text.
fn boilerplate(text: &str, _all: &[String], draws: &mut Stream) -> String {
    const LINES: [&str; 16] = [
        "Home | About | Contact | Sitemap",
        "Accept all cookies",
        "Subscribe to our newsletter",
        "All rights reserved.",
        "Share on Facebook",
        "Log in to your account",
        "Add to basket",
        "You may also like",
        "Privacy policy and terms of use",
        "Next page",
        "Read more",
        "Follow us",
        "Loading comments",
        "Sponsored content",
        "Skip to main content",
        "Back to top",
    ];
    let mut made = String::new();
    while made.len() < text.len() {
        made.push_str(LINES[draws.index(LINES.len())]);
        made.push('\n');
    }
    made
}

/// One of the corpus's first documents once more.
fn duplicate(_text: &str, all: &[String], draws: &mut Stream) -> String {
    all[draws.index(3.min(all.len()))].clone()
}

/// A chain of words: each follows the one before it somewhere in another document.
fn machine(text: &str, all: &[String], draws: &mut Stream) -> String {
    let words: Vec<&str> = all[draws.index(all.len())].split_whitespace().collect();
    let mut made = String::new();
    let mut at = draws.index(words.len());
    while made.len() < text.len() {
        made.push_str(words[at]);
        made.push(' ');
        let next = words[(at + 1) % words.len()];
        let places: Vec<usize> = (0..words.len()).filter(|place| words[*place] == next).collect();
        at = places[draws.index(places.len())];
    }
    made
}

/// Every letter moved thirteen places: as regular as the original, and another language.
fn rotated(text: &str, _all: &[String], _draws: &mut Stream) -> String {
    let turn = |c: char, first: char| char::from((c as u8 - first as u8 + 13) % 26 + first as u8);
    text.chars()
        .map(|c| match c {
            'a'..='z' => turn(c, 'a'),
            'A'..='Z' => turn(c, 'A'),
            c => c,
        })
        .collect()
}

fn read(path: &str) -> Vec<String> {
    let file = std::fs::File::open(path).expect("the file of texts");
    let mut lines = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut lines).expect("gzip of UTF-8");
    let texts =
        lines.lines().map(|line| serde_json::from_str::<Gold>(line).expect("a JSON line").main_content);
    let texts = texts.flatten();
    texts.filter(|text| text.len() >= TEXT_MIN_BYTES).collect()
}

/// Wilson's interval for a rate at 95 %, in percent.
fn wilson(right: u64, all: u64) -> String {
    let (n, p, z) = (all as f64, right as f64 / all as f64, 1.96_f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
    format!("[{:.0}, {:.0}] %", 100.0 * (centre - half).max(0.0), 100.0 * (centre + half).min(1.0))
}

/// CPU time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux machine");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
    // The 14th and 15th field of the whole line, in hundredths of a second.
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}
