//! An acknowledged write survives kill −9, and no half of a commit is ever seen.
//!
//! The test starts itself as a child process, which writes to a file and prints what was acknowledged, kills it
//! at a random moment and reads the file. `STORE_KILLS` sets how often (20 by default), `STORE_SEED` repeats a
//! run.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use primitives::{DurationMs, Hotkey, MechId, NetUid, Seed, Timestamp};
use store::{
    Commit, Durable, EventNumber, JobNumber, JobState, Json, Score, Store,
    artifacts::{Artifacts as _, Folder},
};

use super::{event, job};

const KILLS: u32 = 20;
/// The longest that a child writes before it is killed, beginning with its first acknowledgement.
const LIFE_MS: u64 = 60;
const MINERS: u8 = 4;

/// Folder of the store that a child works on; absent in an ordinary run.
const CHILD: &str = "STORE_CRASH_CHILD";

#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = env::var(CHILD) else { return };
    let folder = Path::new(&folder);
    let store = Durable::open(&folder.join("store.db")).unwrap();
    let artifacts = Folder::open(&folder.join("artifacts")).unwrap();
    let mut out = std::io::stdout().lock();
    let mut now = store.head("log").unwrap().0.cast_signed() * 1_000;
    loop {
        // One round: a job comes with its event; it is leased and finished with an artifact, scores of all
        // miners and three events.
        now += 1_000;
        let round = store.head("rounds").unwrap().0 + 1;
        let key = round.to_string();
        let opened = Commit::new().event("rounds", event("Opened", &key).once(&key)).job("queue", job(&key));
        store.commit(&opened).unwrap();
        writeln!(out, "\nopened {round}").unwrap();

        let lease = store.lease("queue", "child", Timestamp(now), DurationMs(100)).unwrap().unwrap();
        let key = &lease.claim.key;
        let digest = artifacts.put(format!("weights of {key}").repeat(1_000).as_bytes()).unwrap();
        writeln!(out, "\nstored {digest}").unwrap();
        let told: Vec<_> = (0..3).map(|part| event("Part", &format!("[{key},{part}]"))).collect();
        let scores = (0..MINERS).map(|miner| Score {
            netuid: NetUid(1),
            mechid: MechId::MAIN,
            hotkey: Hotkey::from_bytes([miner; 32]),
            round: key.parse().unwrap(),
            value: 1.0 / f64::from(miner + 1),
            parts: Json::null(),
            at: Timestamp(now),
        });
        let closed = Commit::new()
            .done(&lease.claim, Json::of(&digest).unwrap(), Timestamp(now))
            .events("log", &told)
            .scores(scores);
        let last = store.commit(&closed).unwrap().last_event().unwrap();
        writeln!(out, "\nclosed {key} {last}").unwrap();
        out.flush().unwrap();
    }
}

/// What the children said, over all kills.
#[derive(Default)]
struct Said {
    opened: u64,
    closed: Vec<(u64, u64)>,
    stored: Vec<String>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["opened", round] => self.opened = round.parse().unwrap(),
            ["closed", round, last] => self.closed.push((round.parse().unwrap(), last.parse().unwrap())),
            ["stored", digest] => self.stored.push(digest.to_owned()),
            // The test harness of the child talks too.
            _ => {}
        }
    }
}

#[test]
fn acknowledged_writes_survive_kills_whole() {
    if env::var(CHILD).is_ok() {
        return;
    }
    let kills = env::var("STORE_KILLS").ok().map_or(KILLS, |text| text.parse().unwrap());
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = env::var("STORE_SEED").ok().map_or(started.as_secs(), |text| text.parse().unwrap());
    println!("STORE_SEED={seed}");
    let mut random = Seed::from_number(seed).stream("moments of kills", 0);
    let folder = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    for kill in 0..kills {
        live_and_die(folder.path(), Duration::from_micros(random.below(LIFE_MS * 1_000)), &mut said);
        check(folder.path(), &said, kill);
    }
    println!("{kills} kills, {} rounds opened, {} closed", said.opened, said.closed.len());
    assert!(said.closed.len() as u64 >= u64::from(kills) / 2, "the children came to something");
}

fn live_and_die(folder: &Path, life: Duration, said: &mut Said) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // The moment counts from the first acknowledgement, so that slow starts do not make every kill an early one.
    let first = lines.by_ref().find(|line| line.starts_with("opened")).expect("the child opens a round");
    said.hear(&first);
    let reader = thread::spawn(move || lines.collect::<Vec<String>>());
    thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut lines = reader.join().unwrap();
    // A kill can cut the last line; only a line with its end is an acknowledgement.
    lines.pop();
    lines.iter().for_each(|line| said.hear(line));
}

fn check(folder: &Path, said: &Said, kill: u32) {
    let store = Durable::open(&folder.join("store.db")).unwrap();
    let rounds = store.read("rounds", EventNumber::START, usize::MAX).unwrap();
    assert!(rounds.len() as u64 >= said.opened, "kill {kill}: round {} was acknowledged", said.opened);
    let jobs = store.jobs("queue", None, JobNumber(0), usize::MAX).unwrap();
    assert_eq!(jobs.len(), rounds.len(), "kill {kill}: each round has its job");

    let log = store.read("log", EventNumber::START, usize::MAX).unwrap();
    let numbers: Vec<u64> = log.iter().map(|event| event.number.0).collect();
    assert_eq!(numbers, (1..=store.head("log").unwrap().0).collect::<Vec<_>>(), "kill {kill}: no gap");
    let done = jobs.iter().filter(|job| job.state == JobState::Done);
    let done: Vec<u64> = done.map(|job| job.key.parse().unwrap()).collect();
    let mut told: Vec<u64> = Vec::new();
    for batch in log.chunks(3) {
        let parts: Vec<(u64, u64)> = batch.iter().map(|event| event.body.read().unwrap()).collect();
        let round = parts[0].0;
        assert_eq!(parts, [(round, 0), (round, 1), (round, 2)], "kill {kill}: no half batch");
        told.push(round);
    }
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, done, "kill {kill}: an ack stands with its events or not at all");
    for (round, last) in &said.closed {
        assert_eq!(log[usize::try_from(*last).unwrap() - 1].body.read::<(u64, u64)>().unwrap(), (*round, 2));
    }
    for miner in 0..MINERS {
        let hotkey = Hotkey::from_bytes([miner; 32]);
        let history = store.score_history(NetUid(1), MechId::MAIN, hotkey, 0, usize::MAX).unwrap();
        let scored: Vec<u64> = history.iter().map(|score| score.round).collect();
        assert_eq!(scored, done, "kill {kill}: never half an epoch");
    }

    let artifacts = Folder::open(&folder.join("artifacts")).unwrap();
    for digest in &said.stored {
        artifacts.get(digest.parse().unwrap()).unwrap();
    }
    for job in jobs.iter().filter_map(|job| job.result.as_ref()) {
        artifacts.get(job.read().unwrap()).unwrap();
    }
}
