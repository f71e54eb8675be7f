//! `weigh lm bench`: how fast this machine trains, reads and writes.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use lm::{Compute, Decay, Decoder, Model, Preset, TrainConfig, Trainer};
use primitives::Seed;
use serde_json::{Value, json};

use super::{LmError, Threads, plan::PresetName};
use crate::{
    cpu,
    show::{self, Show},
    talk,
};

/// Tokens of the made-up text that is trained on.
const TOKENS: usize = 100_000;
/// Letters of the made-up text.
const LETTERS: usize = 97;

#[derive(Args)]
pub(crate) struct BenchArguments {
    /// Measure this preset; may be given more than once. All where it is not given.
    #[arg(long = "preset", value_enum, value_name = "NAME")]
    presets: Vec<PresetName>,
    /// The least time of each measurement, in seconds.
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    #[command(flatten)]
    threads: Threads,
    /// One JSON object per measurement on standard output.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("expected 0 to 3600".to_owned()) }
}

/// What was done in which time.
struct Rate {
    tokens: u64,
    wall_s: f64,
    /// Absent where the system doesn't say.
    cpu_s: Option<f64>,
}

impl Rate {
    fn per_second(&self) -> f64 {
        self.tokens as f64 / self.wall_s
    }

    fn per_cpu_second(&self) -> Option<f64> {
        self.cpu_s.map(|seconds| self.tokens as f64 / seconds)
    }
}

pub(crate) fn run(arguments: &BenchArguments) -> Result<ExitCode, LmError> {
    let compute = arguments.threads.compute()?;
    let presets =
        if arguments.presets.is_empty() { PresetName::ALL.to_vec() } else { arguments.presets.clone() };
    let least = Duration::from_secs_f64(arguments.seconds);
    let mut show = Show::new(arguments.json);
    let headings = ["preset", "parameters", "work", "tokens per CPU second", "tokens per second"];
    let mut table = show::table(&headings);
    for preset in presets {
        let spinner = talk::spinner("measuring", arguments.json);
        let parameters = preset.preset().config().parameters();
        for (work, rate) in measure(preset.preset(), &compute, least)? {
            let cpu = rate.per_cpu_second().map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
            let wall = format!("{:.0}", rate.per_second());
            table.add_row(vec![
                comfy_table::Cell::new(preset.name()),
                show::right(&parameters.to_string()),
                comfy_table::Cell::new(work),
                show::right(&cpu),
                show::right(&wall),
            ]);
            if arguments.json {
                show.say(&event(preset, &compute, work, &rate), "")?;
            }
        }
        spinner.finish_and_clear();
    }
    if !arguments.json {
        let (threads, instructions) = (compute.threads(), compute.instructions());
        show.say(&Value::Null, &format!("{table}\nthreads {threads}, instructions {instructions}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn event(preset: PresetName, compute: &Compute, work: &str, rate: &Rate) -> Value {
    json!({
        "event": "bench", "preset": preset.name(), "work": work, "threads": compute.threads(),
        "instructions": compute.instructions().to_string(), "tokens": rate.tokens,
        "tokens_per_cpu_second": rate.per_cpu_second(), "tokens_per_second": rate.per_second(),
    })
}

/// Tokens that look a little like text: a walk over letters.
fn tokens() -> Vec<u32> {
    let mut stream = Seed::from_number(1).stream("tokens", 0);
    let mut last = 0;
    let mut next = || {
        last = (last * 7 + stream.index(5)) % LETTERS;
        u32::try_from(last).expect("below 97")
    };
    (0..TOKENS).map(|_| next()).collect()
}

/// Training of 16 sequences of 128, reading of a whole context, writing of one.
fn measure(preset: Preset, compute: &Compute, least: Duration) -> Result<[(&'static str, Rate); 3], LmError> {
    let (config, seed, tokens) = (preset.config(), Seed::from_number(1), tokens());
    let schedule = TrainConfig { decay: Decay::Constant, ..TrainConfig::default() };
    let per_step = (schedule.batch * schedule.sequence) as u64;
    let mut trainer = Trainer::of_new_model(&config, schedule, seed)?;
    let train = timed(least, || {
        trainer.step(compute, &tokens)?;
        Ok(per_step)
    })?;
    let decoder = Decoder::new(compute, &Model::init(&config, seed))?;
    let context = &tokens[..config.context];
    let read = timed(least, || {
        decoder.read(compute, &mut decoder.start(), context)?;
        Ok(context.len() as u64)
    })?;
    let write = timed(least, || {
        let mut sequence = decoder.start();
        for token in context {
            decoder.read(compute, &mut sequence, &[*token])?;
        }
        Ok(context.len() as u64)
    })?;
    Ok([("train", train), ("read", read), ("write", write)])
}

/// Works once to get warm, then until the time is over.
fn timed(least: Duration, mut work: impl FnMut() -> Result<u64, LmError>) -> Result<Rate, LmError> {
    work()?;
    let (start, cpu_start) = (Instant::now(), cpu::seconds());
    let mut tokens = 0;
    loop {
        tokens += work()?;
        if start.elapsed() >= least {
            break;
        }
    }
    let cpu_s = cpu_start.zip(cpu::seconds()).map(|(start, end)| end - start);
    Ok(Rate { tokens, wall_s: start.elapsed().as_secs_f64(), cpu_s })
}
