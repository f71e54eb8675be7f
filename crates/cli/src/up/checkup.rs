//! What `weigh doctor` looks at in a subnet's folder: place, lock, chain, stores, and the website's port.
//!
//! Safe beside a house that is being run: the chain's log is only read, and stores are opened as `weigh status` opens
//! them.

use std::{net::TcpListener, path::Path};

use devchain::log::{Log, LogError};
use indicatif::BinaryBytes;
use mechanisms::dataset::params;
use miette::Diagnostic;
use neuron::{Identity, Miner, Validator};
use primitives::{MechId, NetUid, Seed, Timestamp};
use store::{EventNumber, Store, StoreError, each_event};
use thiserror::Error;
use web::record;

use super::{
    HouseArguments, PORT, PORTS_TRIED, VALIDATORS, control,
    folder::{FolderError, Founding, HouseFolder},
    found::Parties,
    parties,
};
use crate::{
    config::{Configuration, Key},
    doctor::Check,
    mend::free_bytes,
    source::TASKS_PER_ROUND,
};

/// Free space below which one round may fill the disk: all of its shards at their largest.
const FREE_MIN_BYTES: u64 = TASKS_PER_ROUND as u64 * params::SHARD_LIMITS.encoded_max_bytes as u64;

/// What was found in the folder.
pub(crate) struct Checkup {
    pub(crate) checks: Vec<Check>,
    /// How many validators the house has, or would have.
    pub(crate) validators: usize,
}

/// Looks at the subnet's folder and at its port.
pub(crate) fn checkup(arguments: &HouseArguments, configuration: &Configuration) -> Checkup {
    let wanted = configuration.whole(Key::Validators).unwrap_or(VALIDATORS).into();
    let port = configuration.whole(Key::Port).unwrap_or(PORT);
    let folder = match arguments.place() {
        Ok(folder) => folder,
        Err(error) => {
            return Checkup { checks: vec![Check::of_error("state", &error)], validators: wanted };
        }
    };
    let url = folder.running().and_then(|running| running.url);
    let mut checks = vec![place(folder.path()), lock(&folder)];
    let mut validators = wanted;
    match folder.founding() {
        Err(error) => checks.push(Check::of_error("founding", &error)),
        Ok(None) if folder.is_foreign() => {
            let error = FolderError::Foreign { path: folder.path().to_owned() };
            checks.push(Check::of_error("founding", &error));
        }
        Ok(None) => checks.push(Check::ok("founding", "there is no subnet yet; `weigh up` founds one")),
        Ok(Some(founding)) => {
            validators = founding.validators;
            let (seed, miners) = (founding.seed, founding.miners.len());
            let found = format!("seed {seed}, {validators} validators, {miners} miners");
            checks.push(Check::ok("founding", found));
            let parties = parties(&founding, Seed::from_number(seed));
            checks.push(chain(&folder, &parties));
            checks.extend(stores(&folder, &founding, &parties));
        }
    }
    checks.push(website(port, url.as_deref()));
    Checkup { checks, validators }
}

/// Whether the folder, or the one in which it will be made, can be written, and how much goes in.
fn place(path: &Path) -> Check {
    let name = "state";
    // A relative path that leads nowhere yet begins in the working folder.
    let there = path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    // An empty file without a name: it is gone with its handle.
    if let Err(error) = tempfile::tempfile_in(there) {
        let mend = "name a folder that can be written: `weigh up --state DIR`";
        return Check::failed(name, format!("{} can't be written: {error}", there.display()), mend);
    }
    let shown = path.display();
    match free_bytes(there) {
        None => Check::ok(name, format!("{shown} can be written")),
        Some(free) if free < FREE_MIN_BYTES => Check::warning(
            name,
            format!("{shown} can be written, with {} left on its disk", BinaryBytes(free)),
            "make room, or begin anew with `weigh reset`",
        ),
        Some(free) => {
            Check::ok(name, format!("{shown} can be written, with {} left on its disk", BinaryBytes(free)))
        }
    }
}

/// Who runs the house. A lock ends with its process, so that none is ever left behind.
fn lock(folder: &HouseFolder) -> Check {
    let found = match folder.running() {
        Some(running) => {
            let at = running.url.map_or_else(|| ", and coming up".to_owned(), |url| format!(" at {url}"));
            format!("run by process {}{at}", running.process)
        }
        None => match folder.last_run() {
            Some(last) => format!("free; process {}, which had it, has ended", last.process),
            None => "free".to_owned(),
        },
    };
    Check::ok("lock", found)
}

/// The chain's log can't be looked at.
#[derive(Debug, Error, Diagnostic)]
#[error("the chain's log can't be replayed")]
#[diagnostic(help("begin anew with `weigh reset`"))]
struct ChainError(#[from] LogError);

/// Whether the chain's log leads to the state that its blocks name, every one of them carried out again.
fn chain(folder: &HouseFolder, parties: &Parties) -> Check {
    let name = "chain";
    let path = folder.chain();
    if !path.is_dir() {
        let mend = "begin anew with `weigh reset`";
        return Check::failed(name, format!("{} is missing", path.display()), mend);
    }
    let (state, report) = match Log::replay(&path, &parties.genesis()) {
        Ok(replayed) => replayed,
        Err(error) => return Check::of_error(name, &ChainError(error)),
    };
    let found = format!("{} blocks, all carried out again", state.head().number);
    // A house that goes on meanwhile may be writing the very last record.
    match report.torn.filter(|_| folder.running().is_none()) {
        Some(torn) => Check::warning(
            name,
            format!("{found}; the record of block {} is cut off", torn.block),
            "nothing is lost that was seen; `weigh up` goes on before it",
        ),
        None => Check::ok(name, found),
    }
}

/// Whether every party's store opens and can be read: its own log to the end, and its queue.
fn stores(folder: &HouseFolder, founding: &Founding, parties: &Parties) -> Vec<Check> {
    let name = "stores";
    let mut names = vec!["house".to_owned(), "owner".to_owned()];
    names.extend((0..founding.validators).map(|at| format!("validator-{at}")));
    names.extend((0..founding.miners.len()).map(|at| format!("miner-{at}")));
    let (there, missing): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| folder.has_store(name));
    let mut checks = Vec::new();
    let (mut events, mut dead) = (0, 0);
    let netuid = match control::house(folder) {
        Ok(house) => house.sign.map(|sign| sign.netuid),
        Err(_) => None,
    };
    for party in &there {
        let look = || -> Result<(u64, u64), FolderError> {
            let store = folder.store(party)?;
            let read = read(&*store, party, netuid, parties, super::now());
            read.map_err(|error| FolderError::Store {
                path: folder.path().join(party),
                error: Box::new(error),
            })
        };
        match look() {
            Ok((read, given_up)) => (events, dead) = (events + read, dead + given_up),
            Err(error) => checks.push(Check::of_error(name, &error)),
        }
    }
    if checks.is_empty() {
        checks.push(match missing.as_slice() {
            [] => Check::ok(name, format!("{} open, {events} events can be read", there.len())),
            [first, ..] => Check::warning(
                name,
                format!(
                    "{} of {} are missing, such as that of {first}",
                    missing.len(),
                    missing.len() + there.len()
                ),
                "`weigh up` makes them; what stood in them is lost",
            ),
        });
    }
    if dead > 0 {
        let found = format!("{dead} examinations were given up");
        checks.push(Check::warning(
            "queues",
            found,
            "look with `weigh queue list`, then `weigh queue retry --all`",
        ));
    }
    checks
}

/// Reads a party's log to its end and counts its queue; how many events, and how many examinations were given up.
fn read(
    store: &dyn Store,
    party: &str,
    netuid: Option<NetUid>,
    parties: &Parties,
    now: Timestamp,
) -> Result<(u64, u64), StoreError> {
    let count = |log: &str| {
        let mut events = 0;
        each_event(store, log, EventNumber::START, |_| {
            events += 1;
            Ok::<_, StoreError>(())
        })?;
        Ok::<u64, StoreError>(events)
    };
    if party == "house" {
        return Ok((count(record::LOG)?, 0));
    }
    let Some(netuid) = netuid else { return Ok((0, 0)) };
    let identity = |hotkey| Identity { hotkey, netuid, mechid: MechId::MAIN };
    let of = |role: &str, all: &[super::folder::PartyKeys]| {
        let at: usize = party.strip_prefix(role)?.parse().ok()?;
        Some(identity(all.get(at)?.hotkey()))
    };
    if let Some(validator) = of("validator-", &parties.validators) {
        let counts = store.counts(&Validator::queue(&validator), now)?;
        return Ok((count(&Validator::log(&validator))?, counts.dead));
    }
    match of("miner-", &parties.miners) {
        Some(miner) => Ok((count(&Miner::log(&miner))?, 0)),
        None => Ok((0, 0)),
    }
}

/// Whether the website gets its port.
fn website(port: u16, url: Option<&str>) -> Check {
    let name = "port";
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    if url.is_some_and(|url| url.ends_with(&format!(":{port}"))) {
        return Check::ok(name, format!("{port} is this subnet's own"));
    }
    if port == 0 || is_free(port) {
        return Check::ok(name, format!("{port} is free"));
    }
    let next = (1..PORTS_TRIED).filter_map(|more| port.checked_add(more)).find(|port| is_free(*port));
    match next {
        Some(next) => Check::warning(
            name,
            format!("{port} is taken by another program"),
            format!("`weigh up` takes {next} instead; `weigh up --port 0` takes any that is free"),
        ),
        None => Check::failed(
            name,
            format!("{port} and the {} after it are taken", PORTS_TRIED - 1),
            "`weigh up --port 0` takes any that is free",
        ),
    }
}
