//! `weigh status|down|reset|leaderboard|explain`: a local subnet seen from outside.
//!
//! Everything is read from the public record in the subnet's folder, whether it is being run or not.

use std::{
    io,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use devchain::{AuditError, log::LogError};
use miette::Diagnostic;
use primitives::{Digest, Hotkey, Uid};
use serde_json::{Value, json};
use store::{EventNumber, StoreError, each_event};
use thiserror::Error;
use web::{
    House,
    house::{Examination, Neuron},
    record, standing,
};

use super::{
    folder::{FolderError, HouseFolder},
    found::FoundError,
};
use crate::{
    config::{Configuration, Key},
    show::{self, Show},
};

/// How long a subnet has to end once it is told to.
const END_TIME: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where the subnet is, and how to tell of it.
#[derive(Args)]
pub(crate) struct HouseArguments {
    /// Where the subnet's state lies.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

impl HouseArguments {
    /// Takes from the configuration what no flag says.
    pub(crate) fn settle(&mut self, configuration: &Configuration) {
        self.state = self.state.take().or_else(|| configuration.path(Key::State));
    }

    /// The subnet's folder, whether there is one or not.
    pub(super) fn place(&self) -> Result<HouseFolder, FolderError> {
        HouseFolder::of(self.state.as_deref())
    }

    /// Whether the answer is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }
}

impl ExplainArguments {
    /// Takes from the configuration what no flag says.
    pub(crate) fn settle(&mut self, configuration: &Configuration) {
        self.house.settle(configuration);
    }
}

#[derive(Args)]
pub(crate) struct ExplainArguments {
    /// A miner's uid or hotkey, or a submission's digest.
    #[arg(value_name = "UID|HOTKEY|SUBMISSION")]
    subject: String,
    #[command(flatten)]
    pub(crate) house: HouseArguments,
}

/// Nothing could be told.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ControlError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] FolderError),
    /// The record can't be read.
    #[error(transparent)]
    #[diagnostic(help("begin anew with `weigh reset`"))]
    Store(#[from] StoreError),
    /// The chain's log does not lead to what it says.
    #[error("the chain's log can't be replayed")]
    #[diagnostic(help("begin anew with `weigh reset`"))]
    Log(#[from] LogError),
    /// The chain's books don't balance.
    #[error("the chain's books don't balance")]
    Books(#[from] AuditError),
    /// The chain has no subnet.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Found(#[from] FoundError),
    /// It did not end.
    #[error("process {process} has not ended within {} s", END_TIME.as_secs())]
    #[diagnostic(help("end it by force: `kill -9 {process}`; nothing is lost"))]
    Late { process: u32 },
    /// It can't be told to end.
    #[error("process {process} can't be told to end: {reason}")]
    Signal { process: u32, reason: String },
    /// The subject is none of the three.
    #[error("{subject:?} is neither a uid, nor a hotkey, nor a submission's digest")]
    #[diagnostic(help("`weigh leaderboard` shows uids and hotkeys"))]
    Subject { subject: String },
    /// The record doesn't know it.
    #[error("the subnet's record has no {what} {subject}")]
    #[diagnostic(help("`weigh leaderboard` shows who is there"))]
    Unknown { what: &'static str, subject: String },
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl ControlError {
    /// 3 where there is nothing of that kind, 2 where other arguments would help, 8 for what is late, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            ControlError::Folder(error) => error.exit_code(),
            ControlError::Unknown { .. } => 3,
            ControlError::Subject { .. } => 2,
            ControlError::Late { .. } => 8,
            _ => 1,
        }
    }
}

/// The subnet's folder, which must hold one.
pub(super) fn folder(arguments: &HouseArguments) -> Result<HouseFolder, ControlError> {
    let folder = HouseFolder::of(arguments.state.as_deref())?;
    folder.known()?;
    Ok(folder)
}

/// The fold of the subnet's record.
pub(super) fn house(folder: &HouseFolder) -> Result<House, ControlError> {
    let store = folder.store("house")?;
    let mut house = House::default();
    each_event(&*store, record::LOG, EventNumber::START, |event| {
        house.apply(event);
        Ok::<_, StoreError>(())
    })?;
    Ok(house)
}

/// Says what the subnet is and whether it is being run.
pub(crate) fn status(arguments: &HouseArguments) -> Result<ExitCode, ControlError> {
    let folder = folder(arguments)?;
    let (house, running) = (house(&folder)?, folder.running());
    let mut show = Show::new(arguments.json);
    let url = running.as_ref().and_then(|running| running.url.clone());
    let epoch = house.last_epoch().map(|(number, _)| number);
    let event = json!({
        "running": running.is_some(),
        "process": running.as_ref().map(|running| running.process),
        "url": url,
        "state": folder.path(),
        "epoch": epoch,
        "neurons": house.slots.len(),
        "examined": house.totals.examined,
        "faults": house.totals.faults,
    });
    let is = match (&running, &url) {
        (Some(running), Some(url)) => format!("running at {url}, in process {}", running.process),
        (Some(running), None) => format!("coming up, in process {}", running.process),
        (None, _) => "not running; `weigh up` goes on with it".to_owned(),
    };
    let epoch = epoch.map_or_else(|| "none has closed".to_owned(), |epoch| format!("{epoch} has closed"));
    show.say(
        &event,
        &format!(
            "subnet    {is}\nstate     {}\nepoch     {epoch}\nneurons   {}\nexamined  {}, {} at fault",
            folder.path().display(),
            house.slots.len(),
            house.totals.examined,
            house.totals.faults
        ),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Ends the subnet, wherever it is being run; it is no failure that it isn't.
pub(crate) fn down(arguments: &HouseArguments) -> Result<ExitCode, ControlError> {
    let folder = HouseFolder::of(arguments.state.as_deref())?;
    let mut show = Show::new(arguments.json);
    let Some(running) = folder.running() else {
        show.say(&json!({"stopped": false}), "the subnet is not running")?;
        return Ok(ExitCode::from(10));
    };
    let process = running.process;
    end(process)?;
    let began = Instant::now();
    while folder.running().is_some() {
        if began.elapsed() > END_TIME {
            return Err(ControlError::Late { process });
        }
        std::thread::sleep(LOOK_EVERY);
    }
    show.say(&json!({"stopped": true, "process": process}), "the subnet has stopped; its state is kept")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
fn end(process: u32) -> Result<(), ControlError> {
    use rustix::process::{Pid, Signal, kill_process};
    let failed = |reason: String| ControlError::Signal { process, reason };
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed("it is no process".to_owned()))?;
    kill_process(pid, Signal::TERM).map_err(|error| failed(error.to_string()))
}

#[cfg(not(unix))]
fn end(process: u32) -> Result<(), ControlError> {
    Err(ControlError::Signal { process, reason: "end it with Ctrl-C where it was started".to_owned() })
}

/// Removes the subnet's state.
pub(crate) fn reset(arguments: &HouseArguments) -> Result<ExitCode, ControlError> {
    let folder = HouseFolder::of(arguments.state.as_deref())?;
    let mut show = Show::new(arguments.json);
    let path = folder.path().display().to_string();
    if folder.is_foreign() {
        return Err(FolderError::Foreign { path: folder.path().to_owned() }.into());
    }
    let lock = folder.lock()?;
    folder.clear(&lock)?;
    show.say(&json!({"reset": true, "state": path}), &format!("{path} is empty; `weigh up` begins anew"))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the miners in their order.
pub(crate) fn leaderboard(arguments: &HouseArguments) -> Result<ExitCode, ControlError> {
    let folder = folder(arguments)?;
    let house = house(&folder)?;
    let mut rows = standing::rows(&house);
    rows.retain(|row| row.role == record::Role::Miner);
    rows.sort_by_key(|row| (row.rank.is_none(), row.rank, row.uid));
    let mut table = show::table(&["rank", "uid", "miner", "score", "tokens", "incentive", "earned", "why"]);
    let shown = |value: Option<String>| show::right(&value.unwrap_or_else(|| "-".to_owned()));
    for row in &rows {
        table.add_row(vec![
            shown(row.rank.map(|rank| rank.to_string())),
            show::right(&row.uid.to_string()),
            comfy_table::Cell::new(row.strategy.as_deref().unwrap_or(&row.name)),
            shown(row.score.map(|score| format!("{:.4}", score.get()))),
            shown(row.verified_tokens.map(|tokens| format!("{tokens:.0}"))),
            show::right(&row.incentive.to_string()),
            show::right(&show::alpha(row.earned)),
            comfy_table::Cell::new(show::cut(&row.reason)),
        ]);
    }
    let told = rows.iter().map(|row| {
        json!({"rank": row.rank, "uid": row.uid, "hotkey": row.hotkey, "name": row.name, "strategy": row.strategy,
            "score": row.score, "verified_tokens": row.verified_tokens, "incentive": row.incentive,
            "earned": row.earned, "emission_share": row.share, "reason": row.reason})
    });
    let event = json!({"miners": told.collect::<Vec<_>>()});
    Show::new(arguments.json).say(&event, &table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// Says why somebody scores what they score, or what was found in a submission.
pub(crate) fn explain(arguments: &ExplainArguments) -> Result<ExitCode, ControlError> {
    let folder = folder(&arguments.house)?;
    let house = house(&folder)?;
    let subject = arguments.subject.as_str();
    let unknown = |what| ControlError::Unknown { what, subject: subject.to_owned() };
    let (event, text) = if let Ok(uid) = subject.parse::<u16>() {
        let hotkey = house.slots.get(&Uid(uid)).ok_or_else(|| unknown("neuron with uid"))?;
        of_neuron(&house, house.neuron(hotkey).ok_or_else(|| unknown("neuron with uid"))?)
    } else if let Ok(hotkey) = subject.parse::<Hotkey>() {
        of_neuron(&house, house.neuron(&hotkey).ok_or_else(|| unknown("neuron"))?)
    } else if let Ok(digest) = subject.parse::<Digest>() {
        let cases = house.cases(&digest);
        if cases.is_empty() {
            return Err(unknown("submission"));
        }
        let cases: Vec<(u64, &Examination)> =
            cases.into_iter().map(|(round, _, case)| (round, case)).collect();
        of_submission(&house, &digest, &cases)
    } else {
        return Err(ControlError::Subject { subject: subject.to_owned() });
    };
    Show::new(arguments.house.json).say(&event, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn of_neuron(house: &House, neuron: &Neuron) -> (Value, String) {
    let mut text = format!("{}, uid {}, {}", neuron.title(), neuron.uid, neuron.hotkey);
    let judged = house.last_judged().map(|(number, round)| {
        let of = round.judged.iter().filter_map(|(by, all)| Some((*by, all.get(&neuron.hotkey)?)));
        (number, of.collect::<Vec<_>>())
    });
    let (mut round, mut judgements) = (None, Vec::new());
    if let Some((number, by)) = judged {
        round = Some(number);
        text.push_str(&format!("\n\nround {number}"));
        for (validator, judgement) in by {
            let score = judgement
                .score
                .map_or_else(|| "not judged".to_owned(), |score| format!("{:.6}", score.get()));
            let name = house.neuron(&validator).map_or_else(|| validator.to_string(), Neuron::title);
            text.push_str(&format!("\n  {name}: score {score}\n    {}", show::plain(&judgement.reason)));
            for (part, value) in &judgement.parts {
                text.push_str(&format!("\n    {part:<20} {value}"));
            }
            judgements.push(json!({"validator": validator, "judgement": judgement}));
        }
    }
    let epoch = house.last_epoch();
    if let (Some((number, _)), Some(line)) = (epoch, house.line(&neuron.hotkey)) {
        text.push_str(&format!(
            "\n\nepoch {number}\n  incentive {} of 65535, earned {}",
            line.incentive,
            show::alpha(line.earned)
        ));
    }
    let weighed = house.epochs.iter().rev().find(|(_, epoch)| !epoch.weights.is_empty());
    if let Some((number, epoch)) = weighed {
        text.push_str(&format!("\n\nnewest weights, of epoch {number}"));
        for (validator, (_, weights)) in &epoch.weights {
            let name = house.neuron(validator).map_or_else(|| validator.to_string(), Neuron::title);
            let weight = weights.get(&neuron.uid).copied().unwrap_or(0);
            text.push_str(&format!("\n  {name} gives it a weight of {weight}"));
        }
    }
    let event = json!({"hotkey": neuron.hotkey, "uid": neuron.uid, "round": round, "judgements": judgements,
        "epoch": epoch.map(|(number, _)| number), "line": house.line(&neuron.hotkey), "earned": neuron.earned});
    (event, text)
}

fn of_submission(house: &House, digest: &Digest, cases: &[(u64, &Examination)]) -> (Value, String) {
    let mut text = format!("submission {digest}");
    let mut told = Vec::new();
    for (round, case) in cases {
        let name = |hotkey: &Hotkey| house.neuron(hotkey).map_or_else(|| hotkey.to_string(), Neuron::title);
        let (miner, validator) = (name(&case.miner), name(&case.validator));
        text.push_str(&format!("\n\nround {round}, task {}, by {miner}, examined by {validator}", case.task));
        let outcome = match &case.outcome {
            mechanisms::Outcome::Invalid(proof) => show::plain(&proof.to_string()),
            other => format!("{other:?}"),
        };
        text.push_str(&format!("\n  {outcome}"));
        if let Some(found) = &case.found {
            text.push_str(&format!(
                "\n  {} tokens in {} documents by {}; {} kept and {} dropped records were checked",
                found.tokens, found.documents, found.recipe, found.sampled_kept, found.sampled_dropped
            ));
        }
        if let Some(root) = case.root {
            text.push_str(&format!("\n  root    {root}"));
        }
        if let Some(receipt) = case.receipt {
            text.push_str(&format!("\n  receipt {receipt}"));
        }
        if let Some(signature) = &case.signature {
            text.push_str(&format!("\n  signed  {signature}"));
        }
        told.push(
            json!({"round": round, "task": case.task, "miner": case.miner, "validator": case.validator,
            "outcome": case.outcome, "root": case.root, "receipt": case.receipt, "signature": case.signature}),
        );
    }
    (json!({"submission": digest, "examinations": told}), text)
}
