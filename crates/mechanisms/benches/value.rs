//! How often the value experiment orders corpora whose order is known, by how far they are apart, and what a decision costs.
//!
//! `cargo bench -p mechanisms --bench value -- GOLD.jsonl.gz [TRIALS] [KIND…]`: the texts come from a file of JSON lines with a
//! `main_content` each. A trial draws base, pool and documents anew, spoils a fraction of the candidate's documents in one
//! way, and compares it with the unspoilt ones. `ordered` counts trials in which the mean has the right sign, with
//! Wilson's 95 % interval; `decided` those with a verdict, `wrong` those in which the spoilt corpus was called a gain.

use std::{io::Read as _, num::NonZeroUsize, process::ExitCode};

use mechanisms::dataset::{
    params,
    value::{Evidence, Experiment, Verdict},
};
use primitives::{Digest, Seed, Stream};
use serde::Deserialize;

/// Texts shorter than this hold too little of anything.
const TEXT_MIN_BYTES: usize = 400;
/// Bytes of the base mix.
const BASE_BYTES: usize = 300_000;
/// Texts in the pool.
const POOL_TEXTS: usize = 400;
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
    let trials: u64 = arguments.get(1).map_or(5, |text| text.parse().expect("a number of trials"));
    let wanted = |kind: &str| arguments.len() < 3 || arguments[2..].iter().any(|name| kind.starts_with(name.as_str()));
    let texts = read(path);
    let experiment = params::default_experiment(Digest::default(), Digest::default());
    println!("{} texts; {experiment:?}", texts.len());
    println!("kind            spoilt  ordered right          decided  wrong  mean bits/byte  seed sd  resolution  CPU s/decision");
    let mut by_gap = vec![(0_u64, 0_u64); PERCENTS.len()];
    for (kind, spoil) in KINDS.iter().filter(|(kind, _)| wanted(kind)) {
        for (gap, percent) in PERCENTS.iter().enumerate() {
            let before = cpu_seconds();
            let found: Vec<(Evidence, f64)> =
                (0..trials).map(|trial| play(&experiment, &texts, *spoil, *percent, trial)).collect();
            let cost = (cpu_seconds() - before) / trials as f64;
            let right = found.iter().filter(|(evidence, _)| evidence.mean_bits_per_byte < 0.0).count() as u64;
            let decided = found.iter().filter(|(evidence, _)| evidence.verdict != Verdict::Undecided).count();
            let wrong = found.iter().filter(|(evidence, _)| evidence.verdict == Verdict::Gain).count();
            let mean = found.iter().map(|(evidence, _)| evidence.mean_bits_per_byte).sum::<f64>() / trials as f64;
            let sd = (found.iter().map(|(_, sd)| sd * sd).sum::<f64>() / trials as f64).sqrt();
            let resolution =
                found.iter().map(|(evidence, _)| evidence.resolution_bits_per_byte).sum::<f64>() / trials as f64;
            by_gap[gap] = (by_gap[gap].0 + right, by_gap[gap].1 + trials);
            println!(
                "{kind:<15} {percent:>4} %  {right:>2} of {trials:<2} {:<13} {decided:>4}  {wrong:>5}  {mean:>+14.4}  {sd:>7.4}  {resolution:>10.4}  {cost:>14.1}",
                wilson(right, trials)
            );
        }
    }
    for (percent, (right, all)) in PERCENTS.iter().zip(by_gap) {
        println!("all kinds, {percent:>3} % spoilt: {right} of {all} ordered right {}", wilson(right, all));
    }
    ExitCode::SUCCESS
}

/// One comparison of a spoilt corpus with itself unspoilt, and the spread of the mean between training seeds.
fn play(experiment: &Experiment, texts: &[String], spoil: Spoil, percent: u64, trial: u64) -> (Evidence, f64) {
    let seed = Seed::from_number(trial);
    let mut order: Vec<usize> = (0..texts.len()).collect();
    seed.stream("order", 0).shuffle(&mut order);
    let mut rest = order.into_iter().map(|at| texts[at].clone());
    let mut take = |bytes: usize| {
        let (mut taken, mut length) = (Vec::new(), 0);
        while length < bytes {
            let text = rest.next().expect("texts enough");
            length += text.len();
            taken.push(text);
        }
        taken
    };
    let base = take(BASE_BYTES);
    let clean = take(experiment.candidate_bytes * 5 / 4);
    let pool: Vec<String> = rest.take(POOL_TEXTS).collect();
    let mut draws = seed.stream("spoil", percent);
    let spoilt: Vec<String> = clean
        .iter()
        .map(|text| if draws.below(100) < percent { spoil(text, &clean, &mut draws) } else { text.clone() })
        .collect();
    let bytes = |texts: &[String]| texts.join("\0").into_bytes();
    let threads = NonZeroUsize::MIN;
    let found = experiment.differences(&base, &bytes(&spoilt), &bytes(&clean), &pool, &seed, threads);
    let differences = found.expect("models train");
    let means: Vec<f64> = differences.iter().map(|row| row.iter().sum::<f64>() / row.len().max(1) as f64).collect();
    let centre = means.iter().sum::<f64>() / means.len() as f64;
    let squares: f64 = means.iter().map(|mean| (mean - centre) * (mean - centre)).sum();
    (Evidence::weigh(&experiment.terms, &differences), (squares / (means.len() - 1) as f64).sqrt())
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
    let texts = lines.lines().map(|line| serde_json::from_str::<Gold>(line).expect("a JSON line").main_content);
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
