//! `weigh lm train`: from texts to a folder that transformers loads, to the same bits however often it was interrupted.
//!
//! While it goes on, the folder holds the plan, the log and the last checkpoint; what is written there never changes what
//! comes out. At the end the model takes the checkpoint's place, `config.json` last: a folder that has it is whole.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::Args;
use indicatif::{HumanCount, ProgressBar};
use lm::{
    BYTES_VOCAB, BpeTrainer, Compute, Ends, Model, SaveOptions, Tokenizer, TokenizerError, Trainer,
    read_beside,
};
use primitives::{Digest, Seed};
use serde_json::json;

use super::{
    Interrupted, LmError, Threads,
    card::{self, Outcome},
    eval::{Measure, encode, measure_of, nats_of},
    log::Log,
    opened::{TOKENIZER, TOKENIZER_MAX_BYTES},
    plan::{self, ModelOptions, Plan, PlannedTexts, PlannedTokenizer, ScheduleOptions, TokenizerFrom},
    shown,
    texts::{Document, Texts},
};
use crate::{
    show::Show,
    talk::{self, Unit},
};

/// Tokens of a tokenizer that is made where nobody says how many.
const VOCAB: usize = 1024;
/// The token between texts, which both begins and ends them. Source: Radford et al., GPT-2, 2019.
const START: &str = "<|endoftext|>";
/// Most bytes that are kept out: more would be looked at for long and say the same.
const HELD_OUT_MAX_BYTES: u64 = 1 << 20;
/// Files of a training that goes on.
const PLAN: &str = "training.json";
const CHECKPOINT: &str = "checkpoint.safetensors";
/// Where the model lies until it is whole.
const NEW: &str = ".new";
/// The last file that is put in place.
const CONFIG: &str = "config.json";
/// The longest plan that is read.
const PLAN_MAX_BYTES: u64 = 1 << 16;

#[derive(Args)]
pub(crate) struct TrainArguments {
    /// Files of text (.txt, .md), .jsonl or .jsonl.gz with a `text` in each line, shards, or folders of such.
    #[arg(required = true)]
    texts: Vec<PathBuf>,
    /// The folder to write: new or empty, unless --resume goes on with it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make a byte-level BPE of so many tokens; 1024, or what the text gives.
    #[arg(long, value_name = "N")]
    vocab: Option<usize>,
    /// Take this tokenizer: a tokenizer.json, or `bytes` for a token per byte.
    #[arg(long, value_name = "FILE|bytes", conflicts_with = "vocab")]
    tokenizer: Option<PathBuf>,
    /// The token of the given tokenizer that stands before a text.
    #[arg(long, value_name = "TOKEN", requires = "tokenizer", default_value = START)]
    start: String,
    /// Keep so much of the text out of the training and look at it afterwards, in percent; 1 MiB at most.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    held_out: f64,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    schedule: ScheduleOptions,
    /// Write a checkpoint after every so many steps; 0 for none but at Ctrl-C.
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Run")]
    checkpoint_every: u64,
    /// Go on with the training that the same command began in the folder.
    #[arg(long, help_heading = "Run")]
    resume: bool,
    #[command(flatten, next_help_heading = "Run")]
    threads: Threads,
    /// One JSON object per step and for whatever else happens, on standard output.
    #[arg(long, help_heading = "Run")]
    json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=50.0).contains(&percent) { Ok(percent) } else { Err("expected 0 to 50".to_owned()) }
}

/// A tokenizer, and the file that says it.
struct Made {
    json: Vec<u8>,
    tokenizer: Tokenizer,
    from: TokenizerFrom,
}

/// Everything up to the first step.
struct Ready {
    plan: Plan,
    made: Made,
    tokens: Vec<u32>,
    held_out: Vec<Document>,
}

/// Runs the command; the exit code is 0, or 130 after Ctrl-C.
pub(crate) fn run(arguments: &TrainArguments) -> Result<ExitCode, LmError> {
    let out = &arguments.out;
    check_folder(out, arguments.resume)?;
    let compute = arguments.threads.compute()?;
    let mut show = Show::new(arguments.json);
    let ready = prepare(arguments, &mut show)?;
    let mut trainer = begin(arguments, &ready)?;
    let steps = ready.plan.schedule.steps;
    let step = trainer.state().step;
    let sizes = &ready.plan.model;
    show.say(
        &json!({"event": "started", "plan": ready.plan, "step": step, "threads": compute.threads()}),
        &format!(
            "model      {}, {} layers of {}, {} parameters\ntraining   step {step} of {steps}, {} threads",
            sizes.family,
            sizes.layers,
            sizes.dim,
            HumanCount(sizes.parameters()),
            compute.threads()
        ),
    )?;
    let Some(last_loss) = advance(arguments, &mut trainer, &compute, &ready.tokens, &mut show)? else {
        let (step, command) = (trainer.state().step, ready.plan.command(&arguments.texts, out));
        show.say(
            &json!({"event": "interrupted", "step": step, "command": format!("{command} --resume")}),
            &format!("interrupted after {step} of {steps} steps; to go on:\n\n{command} --resume"),
        )?;
        return Ok(ExitCode::from(crate::INTERRUPTED));
    };
    let model = trainer.into_state().model;
    let held_out = measure(&model, &ready, &compute, arguments.json)?;
    let outcome = Outcome { digest: model.digest(), last_loss, held_out };
    finish(arguments, &ready, &model, &outcome)?;
    tell(&mut show, out, &outcome)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a folder that is in use, or in which nothing is to be gone on with.
fn check_folder(out: &Path, resumes: bool) -> Result<(), LmError> {
    let path = out.to_owned();
    let has_plan = out.join(PLAN).is_file();
    if resumes {
        return match (has_plan, out.join(CONFIG).exists()) {
            (true, false) => Ok(()),
            (true, true) => Err(LmError::Done { path }),
            (false, _) => Err(LmError::NotBegun { path }),
        };
    }
    let mut inner = match fs::read_dir(out) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        inner => inner.map_err(|error| LmError::File { path: path.clone(), error })?,
    };
    let help = if has_plan {
        "go on with the training in it by the same command and --resume, or name a new folder"
    } else {
        "name a new one: `--out DIR`"
    };
    if inner.next().is_some() { Err(LmError::NotEmpty { path, help }) } else { Ok(()) }
}

/// Reads texts, keeps a part out, makes the tokenizer and the tokens.
fn prepare(arguments: &TrainArguments, show: &mut Show) -> Result<Ready, LmError> {
    let spinner = talk::spinner("reading", arguments.json);
    let mut texts = Texts::read(&arguments.texts)?;
    let (documents, bytes, digest) = (texts.documents.len() as u64, texts.bytes(), texts.digest());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 500, as the option was checked"
    )]
    let held_out_permille = (arguments.held_out * 10.0).round() as u16;
    let held_out = keep_out(&mut texts.documents, bytes, held_out_permille)?;
    let held_out_bytes: u64 = held_out.iter().map(|document| document.text.len() as u64).sum();
    spinner.set_message("making the tokenizer");
    let made = make_tokenizer(arguments, &texts.documents)?;
    spinner.set_message("making tokens");
    let all: Vec<&str> = texts.documents.iter().map(|document| &document.text[..]).collect();
    let unmade = |error| LmError::Encode { named: "the texts".to_owned(), error };
    let tokens = made.tokenizer.stream(&all).map_err(unmade)?;
    spinner.finish_and_clear();
    let count = tokens.len() as u64;
    show.say(
        &json!({"event": "texts", "files": texts.files.len(), "documents": documents, "bytes": bytes, "digest": digest,
            "held_out_bytes": held_out_bytes, "tokens": count, "vocab": made.tokenizer.vocab()}),
        &format!(
            "texts      {} documents, {} bytes, of which {} are kept out\ntokenizer  {} tokens, {:.2} bytes each in the text",
            HumanCount(documents),
            HumanCount(bytes),
            HumanCount(held_out_bytes),
            made.tokenizer.vocab(),
            (bytes - held_out_bytes) as f64 / count as f64
        ),
    )?;
    let model = arguments.model.config(made.tokenizer.vocab())?;
    let schedule = arguments.schedule.schedule(model.context);
    let tokenizer = PlannedTokenizer {
        from: made.from.clone(),
        tokens: made.tokenizer.vocab(),
        digest: Digest::of(&made.json),
    };
    let texts = PlannedTexts { documents, bytes, digest, held_out_permille, held_out_bytes, tokens: count };
    let (version, kernel_version, seed) = (plan::VERSION, lm::KERNEL_VERSION, arguments.schedule.seed);
    let plan = Plan { version, kernel_version, texts, tokenizer, model, schedule, seed };
    Ok(Ready { plan, made, tokens, held_out })
}

/// Takes out whole documents, those of the least digests, until one does not fit; where that is less than half of what was
/// wanted, the end of the longest document instead. It depends on what the documents say and, where several are the
/// longest, on their order.
fn keep_out(documents: &mut Vec<Document>, bytes: u64, permille: u16) -> Result<Vec<Document>, LmError> {
    let share = (bytes * u64::from(permille) / 1000).min(HELD_OUT_MAX_BYTES);
    if permille == 0 {
        return Ok(Vec::new());
    }
    let mut order: Vec<(Digest, usize)> =
        documents.iter().enumerate().map(|(index, one)| (Digest::of(one.text.as_bytes()), index)).collect();
    order.sort_unstable();
    let mut left = share;
    let mut taken = vec![false; documents.len()];
    for (_, index) in order {
        let length = documents[index].text.len() as u64;
        if length > left {
            break;
        }
        left -= length;
        taken[index] = true;
    }
    let mut kept_out = Vec::new();
    if left <= share / 2 && taken.contains(&true) {
        let mut index = 0;
        documents.retain(|document| {
            let is_taken = taken[index];
            index += 1;
            if is_taken {
                kept_out.push(document.clone());
            }
            !is_taken
        });
        return Ok(kept_out);
    }
    let longest = documents.iter_mut().rev().max_by_key(|document| document.text.len());
    let cut = longest.and_then(|document| {
        let wanted = document.text.len() - usize::try_from(share).ok()?;
        let at = (wanted..document.text.len()).find(|at| document.text.is_char_boundary(*at))?;
        Some(Document { file: document.file, text: document.text.split_off(at) })
    });
    kept_out.push(cut.filter(|document| !document.text.is_empty()).ok_or(LmError::TooLittle { bytes })?);
    Ok(kept_out)
}

fn make_tokenizer(arguments: &TrainArguments, documents: &[Document]) -> Result<Made, LmError> {
    let Some(path) = &arguments.tokenizer else {
        let vocab = arguments.vocab.unwrap_or(VOCAB);
        let texts = documents.iter().map(|one| &one.text);
        let (json, tokenizer) = made_of(vocab, texts)?;
        let found = tokenizer.vocab();
        if let Some(asked) = arguments.vocab.filter(|asked| *asked != found) {
            return Err(LmError::Vocabulary { asked, found });
        }
        return Ok(Made { json, tokenizer, from: TokenizerFrom::Texts { vocab: found } });
    };
    let refused = |error: TokenizerError| LmError::Tokenizer { path: path.clone(), error };
    if path.as_os_str() == "bytes" {
        let (json, tokenizer) = made_of(BYTES_VOCAB, [])?;
        return Ok(Made { json, tokenizer, from: TokenizerFrom::Bytes });
    }
    let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let read = read_beside(folder, &name.to_string_lossy(), TOKENIZER_MAX_BYTES);
    let json = read.map_err(|error| LmError::Model { path: path.clone(), error })?;
    let missing = || LmError::Text { path: path.clone(), error: std::io::ErrorKind::NotFound.into() };
    let json = json.ok_or_else(missing)?;
    let start = arguments.start.clone();
    let tokenizer = Tokenizer::from_json(&json, &start).map_err(refused)?;
    Ok(Made { json, tokenizer, from: TokenizerFrom::File { path: path.clone(), start } })
}

/// A byte-level BPE of the words of texts.
fn made_of<'a>(
    vocab: usize,
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(Vec<u8>, Tokenizer), LmError> {
    let trainer = BpeTrainer { vocab, start: START.to_owned(), end: None, ..BpeTrainer::default() };
    let json = trainer.train(texts).map_err(LmError::Merges)?;
    let tokenizer = Tokenizer::from_json(&json, START).map_err(LmError::Merges)?;
    Ok((json, tokenizer))
}

/// A training from its beginning, or from its last checkpoint.
fn begin(arguments: &TrainArguments, ready: &Ready) -> Result<Trainer, LmError> {
    let (out, plan) = (&arguments.out, &ready.plan);
    let (plan_path, path) = (out.join(PLAN), out.join(CHECKPOINT));
    let seed = Seed::from_number(plan.seed);
    if !arguments.resume {
        let trainer = Trainer::of_new_model(&plan.model, plan.schedule.clone(), seed)?;
        // Too little text for a sequence is told before anything is written.
        trainer.batch(&ready.tokens, 0)?;
        fs::create_dir_all(out).map_err(|error| LmError::File { path: out.clone(), error })?;
        let mut text = serde_json::to_vec_pretty(plan).expect("plain data with string keys");
        text.push(b'\n');
        fs::write(&plan_path, text).map_err(|error| LmError::File { path: plan_path, error })?;
        return Ok(trainer);
    }
    let damaged = |path: &Path, reason: String| LmError::Damaged { path: path.to_owned(), reason };
    let read =
        read_beside(out, PLAN, PLAN_MAX_BYTES).map_err(|error| damaged(&plan_path, error.to_string()))?;
    let begun: Plan = serde_json::from_slice(&read.unwrap_or_default())
        .map_err(|error| damaged(&plan_path, error.to_string()))?;
    if let Some((name, asked, begun)) = plan.differs(&begun) {
        return Err(LmError::Other { path: out.clone(), name, begun, asked });
    }
    if !path.exists() {
        return Ok(Trainer::of_new_model(&plan.model, plan.schedule.clone(), seed)?);
    }
    let trainer = Trainer::load(&path).map_err(|error| damaged(&path, error.to_string()))?;
    let is_ours = *trainer.config() == plan.schedule
        && trainer.seed() == seed
        && *trainer.state().model.config() == plan.model
        && trainer.state().step < plan.schedule.steps;
    if !is_ours {
        return Err(damaged(&path, "it is another training's".to_owned()));
    }
    Ok(trainer)
}

/// Does the steps that are left, at least one, and returns the last one's loss; none after Ctrl-C.
fn advance(
    arguments: &TrainArguments,
    trainer: &mut Trainer,
    compute: &Compute,
    tokens: &[u32],
    show: &mut Show,
) -> Result<Option<f64>, LmError> {
    let steps = trainer.config().steps;
    let mut log = Log::open(&arguments.out, trainer.state().step)?;
    let interrupted = Interrupted::watch()?;
    let bar = talk::bar(steps, Unit::Steps, arguments.json);
    bar.set_position(trainer.state().step);
    let checkpoint = arguments.out.join(CHECKPOINT);
    let speed = Speed::new(trainer);
    let mut last_loss = None;
    while trainer.state().step < steps {
        let number = trainer.state().step;
        let step = trainer.step(compute, tokens)?;
        log.add(number, &step)?;
        last_loss = Some(step.loss);
        if arguments.json {
            let event = json!({"event": "step", "step": number, "loss": step.loss, "gradient_norm": step.gradient_norm,
                "rate": step.rate});
            show.say(&event, "")?;
        }
        speed.show(&bar, number, step.loss);
        let (done, every) = (number + 1, arguments.checkpoint_every);
        let is_over = interrupted.is_set();
        // None after the last step: whoever goes on finds one to do.
        if done < steps && (is_over || (every > 0 && done % every == 0)) {
            // The log first: it never lacks a step that a checkpoint has.
            log.keep()?;
            trainer.save(&checkpoint)?;
            if is_over {
                bar.finish_and_clear();
                return Ok(None);
            }
        }
    }
    log.keep()?;
    bar.finish_and_clear();
    Ok(last_loss)
}

/// Tokens per second since this run began.
struct Speed {
    start: Instant,
    first: u64,
    per_step: u64,
}

impl Speed {
    fn new(trainer: &Trainer) -> Self {
        let config = trainer.config();
        let per_step = (config.batch * config.accumulate * config.sequence) as u64;
        Self { start: Instant::now(), first: trainer.state().step, per_step }
    }

    fn show(&self, bar: &ProgressBar, number: u64, loss: f64) {
        let tokens = (number + 1 - self.first) * self.per_step;
        let speed = tokens as f64 / self.start.elapsed().as_secs_f64();
        bar.set_message(format!("loss {loss:.4}, {speed:.0} tokens/s"));
        bar.set_position(number + 1);
    }
}

/// Looks at what was kept out.
fn measure(
    model: &Model,
    ready: &Ready,
    compute: &Compute,
    is_json: bool,
) -> Result<Option<Measure>, LmError> {
    if ready.held_out.is_empty() {
        return Ok(None);
    }
    let encoded = ready.held_out.iter().map(|document| encode(&ready.made.tokenizer, document));
    let encoded: Vec<Vec<u32>> = encoded
        .collect::<Result<_, _>>()
        .map_err(|error| LmError::Encode { named: "what was kept out".to_owned(), error })?;
    let total = encoded.iter().map(|tokens| tokens.len() as u64 - 1).sum();
    let bar = talk::bar(total, Unit::Tokens, is_json).with_prefix("kept out ");
    let nats = nats_of(model, &encoded, model.config().context, compute, &bar)?;
    bar.finish_and_clear();
    let mut all = Measure::default();
    ready.held_out.iter().zip(&nats).for_each(|(document, nats)| all.add(measure_of(document, nats)));
    Ok(Some(all))
}

/// Writes the model and what lies beside it, and puts all of it in place.
fn finish(
    arguments: &TrainArguments,
    ready: &Ready,
    model: &Model,
    outcome: &Outcome,
) -> Result<(), LmError> {
    let out = &arguments.out;
    let start = ready.made.tokenizer.start();
    let ends = Ends { begin: Some(start), end: vec![start] };
    let tokenizer_config = card::tokenizer_config(&ready.made.tokenizer, &ends, model.config().context);
    let generation_config = card::generation_config(&ends);
    let name = out.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
    let command = ready.plan.command(&arguments.texts, out);
    let readme = card::readme(&name, &ready.plan, outcome, &command);
    let beside: [(&str, &[u8]); 4] = [
        (TOKENIZER, &ready.made.json),
        ("tokenizer_config.json", &tokenizer_config),
        ("generation_config.json", &generation_config),
        ("README.md", readme.as_bytes()),
    ];
    let new = out.join(NEW);
    let failed = |error| LmError::File { path: new.clone(), error };
    if new.exists() {
        // A run that was killed left it.
        fs::remove_dir_all(&new).map_err(failed)?;
    }
    model.save(&new, &SaveOptions { ends, beside: &beside, ..SaveOptions::default() })?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&new).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.sort_by_key(|name| name == CONFIG);
    for name in names {
        fs::rename(new.join(&name), out.join(&name)).map_err(failed)?;
    }
    fs::remove_dir(&new).map_err(failed)?;
    // The second is what a kill left of a checkpoint that was being written.
    for name in [CHECKPOINT.to_owned(), format!("{CHECKPOINT}.partial")] {
        let path = out.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LmError::File { path, error });
            }
            _ => {}
        }
    }
    Ok(())
}

fn tell(show: &mut Show, out: &Path, outcome: &Outcome) -> Result<(), LmError> {
    let mut text = format!("last step  {:.4} nats per token\n", outcome.last_loss);
    if let Some(measure) = &outcome.held_out {
        let [nats, bits] =
            [measure.nats_per_token(), measure.bits_per_byte()].map(|number| number.unwrap_or(f64::NAN));
        text.push_str(&format!("kept out   {nats:.4} nats per token, {bits:.4} bits per byte\n"));
    }
    let digest = outcome.digest;
    text.push_str(&format!("model      {}, digest {digest}", shown(out)));
    let event = json!({
        "event": "trained", "path": shown(out), "digest": digest, "last_loss": outcome.last_loss,
        "held_out": outcome.held_out.map(|measure| measure.as_json()),
    });
    Ok(show.say(&event, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(lengths: &[usize]) -> Vec<Document> {
        let text = |(index, length): (usize, &usize)| Document {
            file: 0,
            text: format!("{index:04}{}", "é".repeat(length / 2)).chars().take(length / 2 + 2).collect(),
        };
        lengths.iter().enumerate().map(text).collect()
    }

    fn bytes(documents: &[Document]) -> u64 {
        documents.iter().map(|one| one.text.len() as u64).sum()
    }

    #[test]
    fn what_is_kept_out_is_a_share_that_the_order_does_not_change() {
        let all = documents(&[200; 100]);
        let mut kept = all.clone();
        let out = keep_out(&mut kept, bytes(&all), 50).unwrap();
        assert_eq!((out.len(), kept.len()), (5, 95));
        let mut reversed: Vec<Document> = all.iter().rev().cloned().collect();
        let mut again = keep_out(&mut reversed, bytes(&all), 50).unwrap();
        again.reverse();
        assert_eq!(again, out);
        assert!(keep_out(&mut kept, bytes(&all), 0).unwrap().is_empty());
    }

    #[test]
    fn one_long_document_loses_its_end_between_two_characters() {
        for (permille, length) in [(100, 30), (105, 30), (110, 32), (500, 150)] {
            let all = documents(&[300]);
            let mut kept = all.clone();
            let out = keep_out(&mut kept, bytes(&all), permille).unwrap();
            assert_eq!(format!("{}{}", kept[0].text, out[0].text), all[0].text);
            assert_eq!(out[0].text.len(), length);
        }
        // A short one among them would say little: the longest gives its end.
        let mut some = documents(&[10, 3000, 2000]);
        let out = keep_out(&mut some, 5010, 100).unwrap();
        assert_eq!((some.len(), out[0].text.len()), (3, 500));
        assert!(keep_out(&mut documents(&[8]), 8, 50).is_err());
    }
}
