//! A worker that is killed at any moment loses a lease and no result.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

use corpus::source::Memory;
use primitives::{DurationMs, Timestamp};
use store::{
    Durable, EventNumber, JobState, Json, NewEvent, Store, artifacts::Artifacts as _, artifacts::Folder,
};
use worker::{
    Examination, Shelves,
    queue::{self, MAIN_LANE, Postponed, TAIL_ATTEMPTS, TAIL_LANE, TAIL_PAUSE},
};

use crate::{
    hostile::await_death,
    trial::{ADDENDS, Bench, Submission, bytes, config, honest, impatient, job, supervisor},
};

pub(crate) const CLAIMS: &[(&str, fn())] = &[
    ("killed::ten_kills_leave_exactly_the_results_of_none", ten_kills_leave_exactly_the_results_of_none),
    ("killed::an_examination_dies_with_its_worker", an_examination_dies_with_its_worker),
    (
        "killed::what_failed_for_a_reason_of_ours_waits_behind_the_rest_and_ends_before_a_person",
        what_failed_for_a_reason_of_ours_waits_behind_the_rest_and_ends_before_a_person,
    ),
];

/// The argument with which this program is a worker.
pub(crate) const WORKER: &str = "worker-to-be-killed";
const QUEUE: &str = "examine";
const LOG: &str = "examined";
const TTL: DurationMs = DurationMs(1_000);

/// Says what it is about to do, and does it when it is told to.
fn moment(name: &str) -> io::Result<()> {
    println!("{name}");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map(|_| ())
}

/// The worker: takes, examines and finishes until the queue is empty.
pub(crate) fn work(folder: &str, now: &str) -> ExitCode {
    let now = Timestamp(now.parse().unwrap());
    let folder = Path::new(folder);
    let store = Durable::open(&folder.join("store.sqlite")).unwrap();
    let artifacts = Folder::open(&folder.join("artifacts")).unwrap();
    let source = Memory::new([(ADDENDS, &b"[1,2,3]"[..])]).unwrap();
    let shelves = Shelves { source: &source, artifacts: &artifacts };
    let supervisor = supervisor(impatient());
    while let Some(taken) = queue::take(&store, QUEUE, "worker", now, TTL).unwrap() {
        moment("taken").unwrap();
        let evaluation = queue::run(&taken, &supervisor, &shelves);
        moment("examined").unwrap();
        queue::finish(&store, &taken, LOG, event(&taken.job, &evaluation.result), now).unwrap();
        moment("finished").unwrap();
    }
    println!("empty");
    ExitCode::SUCCESS
}

fn event(job: &Examination, result: &mechanisms::CaseResult<String>) -> NewEvent {
    // The same time whenever it is written, so that runs can be compared.
    let body = Json::of(&(job, result)).unwrap();
    NewEvent::new("Examined", body, Timestamp(0)).once(format!("{}/{}", job.round, job.task))
}

/// A folder with a queue of `jobs`: honest ones, a false sum and a crash.
fn fill(folder: &Path, jobs: u32) -> Durable {
    let store = Durable::open(&folder.join("store.sqlite")).unwrap();
    let artifacts = Folder::open(&folder.join("artifacts")).unwrap();
    for task in 0..jobs {
        let submission = match task {
            3 => Submission::Sum { own: vec![1], total: 0 },
            7 => Submission::Abort,
            _ => Submission::Sum { own: vec![task.into()], total: 6 + u64::from(task) },
        };
        put(&store, &artifacts, task, &submission);
    }
    store
}

fn put(store: &dyn Store, artifacts: &Folder, task: u32, submission: &Submission) {
    let submission = bytes(submission);
    artifacts.put(&submission).unwrap();
    let job = Examination { task, ..job(&submission, &[ADDENDS]) };
    store.enqueue(QUEUE, queue::job(&job, Timestamp(0)).unwrap()).unwrap();
}

/// A worker under control: it stands still at each moment until it is told to go on.
struct Controlled {
    child: Child,
    lines: io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Controlled {
    fn start(folder: &Path, now: i64) -> Self {
        let mut child = Command::new("/proc/self/exe")
            .args([WORKER, folder.to_str().unwrap(), &now.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().expect("the worker says what it does").unwrap()
    }

    fn go_on(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn run_to_the_end(mut self) {
        while self.next() != "empty" {
            self.go_on();
        }
        assert!(self.child.wait().unwrap().success());
    }
}

fn results(store: &Durable) -> Vec<(Option<String>, String)> {
    let events = store.read(LOG, EventNumber::START, 1_000).unwrap();
    events.into_iter().map(|event| (event.dedup_key, event.body.as_str().to_owned())).collect()
}

fn ten_kills_leave_exactly_the_results_of_none() {
    const JOBS: u32 = 10;
    /// Moments that each worker reaches before it is killed; three of them are one job. No job loses more than two
    /// leases, which leaves it its last.
    const MOMENTS: [usize; 10] = [1, 2, 3, 4, 5, 6, 7, 2, 3, 1];
    let undisturbed = tempfile::tempdir().unwrap();
    let store = fill(undisturbed.path(), JOBS);
    Controlled::start(undisturbed.path(), 0).run_to_the_end();
    let expected = results(&store);
    assert_eq!(expected.len(), JOBS as usize);

    let folder = tempfile::tempdir().unwrap();
    let store = fill(folder.path(), JOBS);
    let mut now = 0;
    for moments in MOMENTS {
        let mut worker = Controlled::start(folder.path(), now);
        for moment in 1..=moments {
            worker.next();
            if moment < moments {
                worker.go_on();
            }
        }
        worker.kill();
        // Until the dead worker's lease has run out.
        now += TTL.0;
    }
    Controlled::start(folder.path(), now).run_to_the_end();
    assert_eq!(results(&store), expected);
    let done = store.jobs(QUEUE, Some(JobState::Done), store::JobNumber(0), 1_000).unwrap();
    assert_eq!(done.len(), JOBS as usize);
    assert!(done.iter().any(|job| job.attempt == 3), "some job was killed twice");
}

fn an_examination_dies_with_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let store = fill(folder.path(), 0);
    let artifacts = Folder::open(&folder.path().join("artifacts")).unwrap();
    put(&store, &artifacts, 0, &Submission::Sleep);
    let mut worker = Controlled::start(folder.path(), 0);
    assert_eq!(worker.next(), "taken");
    worker.go_on();
    let child = await_child(worker.child.id());
    worker.kill();
    await_death(child);
    // The lease is all that was lost; the next worker gets it, and with it the end that the submission has.
    Controlled::start(folder.path(), TTL.0).run_to_the_end();
    let found = results(&store);
    assert!(found.len() == 1 && found[0].1.contains("deadline"), "{found:?}");
}

/// The first process that `parent` starts and that has become this program's child.
fn await_child(parent: u32) -> u32 {
    let started = Instant::now();
    loop {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            // pid (name) state parent …
            let mut rest = stat.rsplit(") ").next().unwrap().split(' ').skip(1);
            if rest.next() == Some(&parent.to_string()) && has_walls(pid) {
                return pid;
            }
        }
        assert!(started.elapsed().as_secs() < 10, "worker {parent} starts no child");
        thread::yield_now();
    }
}

/// Whether the child has put up its walls, the signal at its parent's death among them.
fn has_walls(pid: u32) -> bool {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    limits.lines().any(|line| line.starts_with("Max cpu time") && line.contains(" 1 "))
}

fn what_failed_for_a_reason_of_ours_waits_behind_the_rest_and_ends_before_a_person() {
    let (store, bench) = (store::Memory::new(), Bench::new());
    let supervisor = supervisor(config());
    let shelves = bench.shelves();
    let submission = bytes(&honest());
    shelves.artifacts.put(&submission).unwrap();
    let lacking = Examination { task: 0, ..job(&submission, &["absent"]) };
    let fine = Examination { task: 1, ..job(&submission, &[ADDENDS]) };
    for job in [&lacking, &fine] {
        store.enqueue(QUEUE, queue::job(job, Timestamp(0)).unwrap()).unwrap();
    }
    let mut now = Timestamp(0);
    let take = |now| queue::take(&store, QUEUE, "worker", now, TTL).unwrap();
    let first = take(now).unwrap();
    assert_eq!(first.job, lacking);
    let evaluation = queue::run(&first, &supervisor, &shelves);
    assert_eq!(queue::postpone(&store, &first, &evaluation, now).unwrap(), Some(Postponed::Again));
    let second = take(now).unwrap();
    assert_eq!(second.job, fine, "the tail comes behind the main lane");
    let result = queue::run(&second, &supervisor, &shelves);
    assert_eq!(queue::postpone(&store, &second, &result, now).unwrap(), None);
    queue::finish(&store, &second, LOG, event(&second.job, &result.result), now).unwrap();
    for attempt in 1..=TAIL_ATTEMPTS {
        let again = take(now).unwrap();
        assert_eq!(again.job, lacking);
        let expected = if attempt < TAIL_ATTEMPTS { Postponed::Again } else { Postponed::ToAPerson };
        assert_eq!(queue::postpone(&store, &again, &evaluation, now).unwrap(), Some(expected));
        assert_eq!(take(now), None, "not before the pause is over");
        now = now + TAIL_PAUSE;
    }
    assert_eq!(take(now), None);
    let jobs = store.jobs(QUEUE, None, store::JobNumber(0), 10).unwrap();
    let states: Vec<_> = jobs.iter().map(|job| (job.lane, job.state)).collect();
    assert_eq!(
        states,
        [(MAIN_LANE, JobState::Done), (MAIN_LANE, JobState::Done), (TAIL_LANE, JobState::Dead)]
    );
    assert!(jobs[2].failures.iter().all(|failure| failure.reason.starts_with("3003 ")));
    assert_eq!(store.read(LOG, EventNumber::START, 10).unwrap().len(), 1, "nothing is said about the miner");
    store.revive(QUEUE, &jobs[2].key, now).unwrap();
    assert_eq!(take(now).unwrap().job, lacking);
}
