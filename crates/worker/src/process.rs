//! One run of a child, from its start to its last byte: pipes, deadline, end, and what it cost.
//!
//! One thread watches everything with `poll`: the three pipes and a descriptor of the process itself. The process
//! is a group of its own; when it has ended, however it did, the whole group is killed before its number can be
//! given to anybody else.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use primitives::Digest;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_open,
        pidfd_send_signal, waitid,
    },
};
use wait4::Wait4 as _;

use crate::{Ending, RunRecord, Walls, frame::output_max_bytes, record::Kill};

/// Bytes of errors that are kept: a panic's text with its place, or a few hundred lines.
const ERRORS_MAX_BYTES: usize = 16 << 10;
/// Bytes read at once: what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// Reads of what an ended child has left: more than a pipe holds.
const DRAIN_READS: usize = 64;
/// What stands for a deadline that the kernel's time can't hold.
const LONGEST_WAIT: Timespec = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };
/// Nanoseconds in a millisecond.
const NANOSECONDS_PER_MS: u64 = 1_000_000;

/// What a run is started with.
pub(crate) struct Run<'a> {
    pub(crate) program: &'a Path,
    pub(crate) program_digest: Digest,
    /// The arguments before the walls.
    pub(crate) arguments: &'a [OsString],
    pub(crate) walls: Walls,
    pub(crate) deadline: Duration,
    pub(crate) request: &'a [Arc<Vec<u8>>],
    pub(crate) quiet: bool,
}

/// How a run ended, and what it wrote.
pub(crate) struct Finished {
    pub(crate) record: RunRecord,
    pub(crate) output: Vec<u8>,
}

impl Run<'_> {
    /// Runs the child to its end.
    ///
    /// # Errors
    /// Where this machine could not start or watch it; nothing of it is left then.
    pub(crate) fn finish(&self) -> io::Result<Finished> {
        let folder = tempfile::Builder::new().prefix("weigh-examination-").tempdir()?;
        let walls = serde_json::to_string(&self.walls).map_err(io::Error::from)?;
        let started = Instant::now();
        let child = Command::new(self.program)
            .args(self.arguments)
            .arg(walls)
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let mut watched = Watched { child: Some(child) };
        let (pipes, seen) = watched.watch(self, started)?;
        let used = watched.reap()?;
        let ending = match (seen.status.exit_status(), seen.killed) {
            (Some(code), _) => Ending::Exit { code },
            (None, Some(why)) if seen.status.terminating_signal() == Some(Signal::KILL.as_raw()) => {
                Ending::Killed { why }
            }
            (None, _) => Ending::Signal { number: seen.status.terminating_signal().unwrap_or_default() },
        };
        let record = RunRecord {
            ending,
            quiet: self.quiet,
            wall_ms: milliseconds(started.elapsed()),
            user_ms: milliseconds(used.rusage.utime),
            system_ms: milliseconds(used.rusage.stime),
            starved_ms: seen.starved_ms,
            max_rss_bytes: used.rusage.maxrss,
            request_bytes: self.request.iter().map(|piece| piece.len() as u64).sum(),
            output_bytes: pipes.output.len() as u64,
            walls: self.walls,
            deadline_ms: milliseconds(self.deadline),
            program: self.program_digest,
            errors: String::from_utf8_lossy(&pipes.errors).into_owned(),
        };
        Ok(Finished { record, output: pipes.output })
    }
}

/// What was seen of a child before it was reaped.
struct Seen {
    status: WaitIdStatus,
    killed: Option<Kill>,
    starved_ms: u64,
}

/// A child that does not outlive this value, whatever happens.
struct Watched {
    child: Option<Child>,
}

impl Watched {
    /// Feeds and reads the child until it has ended; it is still to be reaped then.
    fn watch<'a>(&mut self, run: &Run<'a>, started: Instant) -> io::Result<(Pipes<'a>, Seen)> {
        let child = self.child.as_mut().expect("a child is there until it is reaped");
        let pid = Pid::from_child(child);
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        let mut pipes = Pipes::of(child, run)?;
        let (mut killed, mut starved_ms) = (None, 0);
        loop {
            let left =
                if killed.is_some() { None } else { Some(run.deadline.saturating_sub(started.elapsed())) };
            if pipes.wait(process.as_fd(), left)? {
                break;
            }
            let why = if pipes.is_over() {
                Some(Kill::Output)
            } else {
                left.filter(Duration::is_zero).map(|_| Kill::Deadline)
            };
            if let (Some(why), None) = (why, killed) {
                starved_ms = starved(pid);
                // Its group may be another by now; the process itself is hit in any case.
                let _ = kill_process_group(pid, Signal::KILL);
                pidfd_send_signal(&process, Signal::KILL)?;
                killed = Some(why);
            }
        }
        // The process has ended and holds its number until it is reaped; what it started goes now.
        let _ = kill_process_group(pid, Signal::KILL);
        pipes.drain()?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status =
            waitid(WaitId::Pid(pid), options)?.ok_or_else(|| io::Error::other("child has no status"))?;
        Ok((pipes, Seen { status, killed, starved_ms }))
    }

    fn reap(mut self) -> io::Result<wait4::ResUse> {
        let child = self.child.take().expect("a child is reaped once");
        child.wait4()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The supervisor's ends of the three pipes.
struct Pipes<'a> {
    input: Option<ChildStdin>,
    /// What is still to be written: the pieces, and how much of the first is gone.
    pending: &'a [Arc<Vec<u8>>],
    written: usize,
    out: Option<ChildStdout>,
    output: Vec<u8>,
    output_max: u64,
    err: Option<ChildStderr>,
    errors: Vec<u8>,
}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, run: &Run<'a>) -> io::Result<Self> {
        let pipes = Self {
            input: child.stdin.take(),
            pending: run.request,
            written: 0,
            out: child.stdout.take(),
            output: Vec::new(),
            output_max: output_max_bytes(run.walls.result_max_bytes),
            err: child.stderr.take(),
            errors: Vec::new(),
        };
        if let (Some(input), Some(out), Some(err)) = (&pipes.input, &pipes.out, &pipes.err) {
            ioctl_fionbio(input, true)?;
            ioctl_fionbio(out, true)?;
            ioctl_fionbio(err, true)?;
        }
        Ok(pipes)
    }

    /// Whether the child has written more than a result may have.
    fn is_over(&self) -> bool {
        self.output.len() as u64 > self.output_max
    }

    /// Waits until a pipe or the process has something to say, at most `left`, and serves the pipes; whether the
    /// process has ended.
    fn wait(&mut self, process: BorrowedFd<'_>, left: Option<Duration>) -> io::Result<bool> {
        let mut asked = vec![PollFd::from_borrowed_fd(process, PollFlags::IN)];
        asked.extend(self.input.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        asked.extend(self.out.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        asked.extend(self.err.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let left = left.map(|left| Timespec::try_from(left).unwrap_or(LONGEST_WAIT));
        match poll(&mut asked, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let has_ended = !asked[0].revents().is_empty();
        drop(asked);
        self.feed();
        self.read()?;
        Ok(has_ended)
    }

    /// Writes as much as the pipe takes. A child that reads no further is told by how it ends.
    fn feed(&mut self) {
        while let (Some(input), Some((piece, rest))) = (&mut self.input, self.pending.split_first()) {
            match input.write(&piece[self.written..]) {
                Ok(0) if piece.len() > self.written => return,
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pending = &[],
            }
            if self.written >= piece.len() {
                (self.pending, self.written) = (rest, 0);
            }
        }
        // All is written: the child sees the end.
        self.input = None;
    }

    /// Reads what is there, up to one buffer of each pipe.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        if let Some(out) = &mut self.out {
            match read_some(out, &mut buffer)? {
                Some([]) => self.out = None,
                Some(bytes) => {
                    let room = usize::try_from(self.output_max).unwrap_or(usize::MAX);
                    let room = room.saturating_add(1).saturating_sub(self.output.len());
                    self.output.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                None => {}
            }
        }
        if let Some(err) = &mut self.err {
            match read_some(err, &mut buffer)? {
                Some([]) => self.err = None,
                Some(bytes) => {
                    let room = ERRORS_MAX_BYTES - self.errors.len();
                    self.errors.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                None => {}
            }
        }
        if self.is_over() {
            self.out = None;
        }
        Ok(())
    }

    /// Reads what an ended child has left in its pipes. Both are bounded: a descendant that got away could write on.
    fn drain(&mut self) -> io::Result<()> {
        self.input = None;
        for _ in 0..DRAIN_READS {
            let before = (self.output.len(), self.errors.len());
            self.read()?;
            if before == (self.output.len(), self.errors.len()) {
                break;
            }
        }
        Ok(())
    }
}

/// What a pipe holds: nothing yet, its end (no bytes), or bytes.
fn read_some<'b>(pipe: &mut impl Read, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
    match pipe.read(buffer) {
        Ok(count) => Ok(Some(&buffer[..count])),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Milliseconds that a process could have run and had no processor, over all its threads; 0 where the kernel
/// doesn't say.
///
/// Source: Linux `Documentation/scheduler/sched-stats.rst`, `/proc/<pid>/schedstat`: time on the processor, time
/// waiting on a run queue, both in nanoseconds, and time slices.
fn starved(pid: Pid) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())) else { return 0 };
    let waits = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    waits.sum::<u64>() / NANOSECONDS_PER_MS
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
