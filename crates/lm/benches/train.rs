//! Training and scoring, ours and PyTorch's in turn: the same parameters, the same batches, one thread.
//!
//! Run: `WEIGH_TORCH_PYTHON=… cargo bench -p lm --bench train`, on Linux, whose `/proc` is read. Names behind `--`, such
//! as `d128 Mouse`, choose the models. Without the variable only ours is measured. Each run is a process of its own,
//! so that its peak of memory can be told; `-- ours d128 1 avx2` is one run of ours, with the threads and instructions
//! named.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock, its settings and files, and prints"
)]

mod measure;

use std::{env, fs, hint::black_box, path::Path, process::Command, time::Instant};

use lm::{Compute, Config, Decay, Instructions, Model, Preset, Sizes, TrainConfig, Trainer, score_tokens};
use measure::{cpu_seconds, median};
use primitives::Seed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Alternating runs of each kind; medians are printed.
const RUNS: usize = 5;
/// Steps of a run, of which the first few are not timed: buffers grow, and PyTorch compiles.
const STEPS: u64 = 20;
const WARM_STEPS: u64 = 3;

/// What one run came to.
#[derive(Serialize, Deserialize)]
struct Run {
    /// CPU seconds of the steps behind the warm ones.
    training: f64,
    /// CPU seconds of the same batches forwards alone.
    forward: f64,
    /// Most memory that was resident, in MiB.
    peak_mib: f64,
    /// Seconds on the clock of the steps behind the warm ones; of ours alone.
    #[serde(default)]
    wall: f64,
    losses: Vec<f64>,
}

/// The models that are measured, by name; d256 has 5.3 million parameters, d128 1.07 million.
fn cases() -> Vec<(String, Config, TrainConfig)> {
    let schedule = |batch, sequence| TrainConfig {
        steps: STEPS,
        batch,
        sequence,
        decay: Decay::Constant,
        ..TrainConfig::default()
    };
    let sized = |name: &str, vocab, dim, ffn_dim| {
        let sizes = Sizes {
            vocab,
            dim,
            layers: 4,
            heads: dim / 32,
            kv_heads: dim / 32,
            ffn_dim,
            context: 256,
            tied: false,
            ..Preset::Mouse.config().into()
        };
        (name.to_owned(), Config::new(sizes).expect("valid sizes"), schedule(8, 256))
    };
    let mut cases = vec![sized("d256", 4096, 256, 688), sized("d128", 1024, 128, 352)];
    cases.extend(Preset::ALL.map(|preset| (format!("{preset:?}"), preset.config(), schedule(16, 128))));
    cases
}

/// A training of ours from its start, and the tokens that it draws from: a walk over letters.
fn start(config: &Config, schedule: &TrainConfig) -> (Trainer, Vec<u32>) {
    let mut stream = Seed::from_number(1).stream("tokens", 0);
    let mut last = 0;
    let mut next = || {
        last = (last * 7 + stream.index(5)) % config.vocab.min(97);
        u32::try_from(last).expect("below 97")
    };
    let tokens = (0..100_000).map(|_| next()).collect();
    let model = Model::init(config, Seed::from_number(1));
    (Trainer::new(model, schedule.clone(), Seed::from_number(1)).expect("valid settings"), tokens)
}

/// The most memory that was resident, in MiB. Source: proc_pid_status(5).
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak's line");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// One run of ours, in this process.
fn ours(config: &Config, schedule: &TrainConfig, compute: &Compute) -> Run {
    let (mut trainer, tokens) = start(config, schedule);
    let step = |trainer: &mut Trainer| trainer.step(compute, &tokens).expect("a step").loss;
    let mut losses: Vec<f64> = (0..WARM_STEPS).map(|_| step(&mut trainer)).collect();
    let (clock, cpu) = (Instant::now(), cpu_seconds());
    losses.extend((WARM_STEPS..STEPS).map(|_| step(&mut trainer)));
    let (wall, training) = (clock.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let batches: Vec<_> =
        (WARM_STEPS..STEPS).map(|step| trainer.batch(&tokens, step).expect("a batch")).collect();
    let sequences: Vec<Vec<u32>> = batches
        .iter()
        .flat_map(|batch| batch.sequences())
        .map(|(inputs, targets)| [&inputs[..1], targets].concat())
        .collect();
    let sequences: Vec<&[u32]> = sequences.iter().map(|tokens| &tokens[..]).collect();
    let cpu = cpu_seconds();
    let model = &trainer.state().model;
    black_box(score_tokens(model, &sequences, config.context, compute).expect("known tokens"));
    Run { training, forward: cpu_seconds() - cpu, peak_mib: peak_mib(), wall, losses }
}

/// What the peer starts from: sizes, parameters, batches and rates.
fn write_start(folder: &Path, config: &Config, schedule: &TrainConfig) {
    let (trainer, tokens) = start(config, schedule);
    let model = &trainer.state().model;
    let batches: Vec<_> = (0..STEPS).map(|step| trainer.batch(&tokens, step).expect("a batch")).collect();
    let drawn = batches.iter().flat_map(|batch| batch.sequences()).flat_map(|(i, t)| [i, t]).flatten();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).expect("room for a file");
    write("parameters.f32", model.parameters().iter().flat_map(|x| x.to_le_bytes()).collect());
    write("tokens.u32", drawn.flat_map(|token| token.to_le_bytes()).collect());
    let tensors: Vec<Value> =
        model.tensors().iter().map(|one| json!({"name": one.name, "shape": one.shape})).collect();
    let rates: Vec<f64> = (0..STEPS).map(|step| schedule.rate(step)).collect();
    let sizes: Sizes = config.clone().into();
    let meta = json!({
        "sizes": sizes, "schedule": schedule, "tensors": tensors, "rates": rates, "warm_steps": WARM_STEPS,
    });
    write("meta.json", meta.to_string().into_bytes());
}

/// What a program prints as JSON in its last line.
fn said<T: for<'de> Deserialize<'de>>(command: &mut Command) -> T {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

fn middle(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    median(runs.iter().map(of).collect())
}

/// The greatest distance of two runs' losses.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn compare(name: &str, config: &Config, schedule: &TrainConfig) {
    let own = env::current_exe().expect("this program has a path");
    let run_ours =
        |threads: usize| -> Run { said(Command::new(&own).args(["ours", name, &threads.to_string()])) };
    let python = env::var("WEIGH_TORCH_PYTHON").ok();
    let folder = tempfile::tempdir().expect("a folder");
    write_start(folder.path(), config, schedule);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/compare.py");
    let peer = |python: &str, kind: &str| -> Value {
        said(Command::new(python).arg(&script).arg(kind).arg(folder.path()))
    };
    let mut kinds = vec![("ours, 1 thread", Vec::new()), ("ours, 2 threads", Vec::new())];
    if python.is_some() {
        kinds.extend([("eager", Vec::new()), ("compile", Vec::new())]);
    }
    for _ in 0..RUNS {
        for (kind, runs) in &mut kinds {
            runs.push(match (*kind, &python) {
                ("ours, 1 thread", _) => run_ours(1),
                ("ours, 2 threads", _) => run_ours(2),
                (kind, Some(python)) => {
                    serde_json::from_value(peer(python, kind)).expect("what the script prints")
                }
                (_, None) => unreachable!("there is no peer without Python"),
            });
        }
    }
    let tokens = (STEPS - WARM_STEPS) as f64 * (schedule.batch * schedule.sequence) as f64;
    let (first, second) = (&kinds[0].1, &kinds[1].1);
    let own = [
        middle(first, |run| run.training),
        middle(first, |run| run.forward),
        middle(first, |run| run.peak_mib),
    ];
    // Source: Kaplan et al., "Scaling laws for neural language models", 2020: 6 operations per parameter and token.
    let operations = 6.0 * config.parameters() as f64 * tokens / own[0] / 1e9;
    println!(
        "{name}: {} parameters, {operations:.1} GFLOP per CPU second with {}",
        config.parameters(),
        Instructions::best()
    );
    println!(
        "  ours: training {:.0} tokens per CPU second, forward {:.0}, peak {:.0} MiB",
        tokens / own[0],
        tokens / own[1],
        own[2]
    );
    println!(
        "  ours on two threads: {:.2} times one on the clock",
        middle(first, |run| run.wall) / middle(second, |run| run.wall)
    );
    for (kind, runs) in &kinds[2..] {
        let theirs = [middle(runs, |run| run.training), middle(runs, |run| run.forward)];
        let peak = middle(runs, |run| run.peak_mib);
        println!(
            "  PyTorch {kind}: training {:.0} (ratio {:.2}), forward {:.0} (ratio {:.2}), peak {peak:.0} MiB (ratio {:.2})",
            tokens / theirs[0],
            theirs[0] / own[0],
            tokens / theirs[1],
            theirs[1] / own[1],
            own[2] / peak
        );
    }
    if let Some(python) = &python {
        let both = peer(python, "losses");
        let losses = |kind: &str| -> Vec<f64> {
            serde_json::from_value(both[kind].clone()).expect("what the script prints")
        };
        let (wide, ours) = (losses("torch.float64"), &first[0].losses);
        println!(
            "  losses over {STEPS} steps, {:.4} to {:.4} nats: from PyTorch's in f64 ours are {:.1e}, its f32 ones {:.1e}",
            ours[0],
            ours[ours.len() - 1],
            distance(ours, &wide),
            distance(&losses("torch.float32"), &wide)
        );
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    if let [mode, name, threads, rest @ ..] = &arguments[..]
        && mode == "ours"
    {
        let cases = cases();
        let (_, config, schedule) = cases.iter().find(|case| case.0 == *name).expect("a known name");
        let wanted = |one: &Instructions| rest.first().is_none_or(|name| *name == one.to_string());
        let instructions = Instructions::available().into_iter().rfind(wanted).expect("what the machine has");
        let threads = threads.parse().expect("a number of threads");
        let run = ours(config, schedule, &Compute::with(threads, instructions).expect("a few threads"));
        println!("{}", serde_json::to_string(&run).expect("plain numbers"));
        return;
    }
    for (name, config, schedule) in cases() {
        if arguments.is_empty() || arguments.contains(&name) {
            compare(&name, &config, &schedule);
        }
    }
}
