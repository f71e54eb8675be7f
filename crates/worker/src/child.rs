//! The child: puts up its walls, reads one request, examines, writes one result.
//!
//! It is the supervisor's own program, started again with nothing but three pipes: no environment, no keys, an
//! empty folder. It never decides whose fault a failure is; it ends, and the supervisor looks at how.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use mechanisms::ErasedMechanism;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit},
};

use crate::{
    Walls, filter,
    frame::{Reply, Request},
    walls::STACK_BYTES,
};

/// The first descriptor that is no pipe of the child's.
const FIRST_FOREIGN_FILE: i32 = 3;

/// How a child ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildExit {
    /// Its result is written.
    Done,
    /// It was not started by a supervisor.
    Usage,
    /// It could not put up its walls.
    Walls,
    /// It could not read its request.
    Request,
    /// Its result was longer than a result may be.
    ResultTooLong,
    /// It could not write its result.
    Output,
    /// The examination panicked.
    Panicked,
}

impl ChildExit {
    /// All of them.
    pub const ALL: [ChildExit; 7] = [
        ChildExit::Done,
        ChildExit::Usage,
        ChildExit::Walls,
        ChildExit::Request,
        ChildExit::ResultTooLong,
        ChildExit::Output,
        ChildExit::Panicked,
    ];

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            ChildExit::Done => 0,
            ChildExit::Usage => 2,
            ChildExit::Walls => 71,
            ChildExit::Request => 72,
            ChildExit::ResultTooLong => 73,
            ChildExit::Output => 74,
            // What the runtime ends a panicking program with.
            ChildExit::Panicked => 101,
        }
    }

    /// What an exit code says.
    #[must_use]
    pub fn of(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code)
    }
}

/// Runs the child: `walls` is the argument that its supervisor gave it, `mechanisms` the catalogue.
///
/// The walls stay up for the rest of the process, so a caller does nothing but end with the code.
#[must_use]
pub fn child(walls: &str, mechanisms: &[&'static dyn ErasedMechanism]) -> ExitCode {
    let exit = match run(walls, mechanisms) {
        Ok(exit) => exit,
        Err((exit, reason)) => {
            // Where nobody reads errors any more, the exit code still tells.
            let _ = writeln!(io::stderr(), "worker's child: {reason}");
            exit
        }
    };
    ExitCode::from(exit.code())
}

fn run(walls: &str, mechanisms: &[&'static dyn ErasedMechanism]) -> Result<ChildExit, (ChildExit, String)> {
    if io::stdin().is_terminal() {
        return Err((ChildExit::Usage, "only a supervisor can start this, through a pipe".to_owned()));
    }
    let walls: Walls = serde_json::from_str(walls)
        .map_err(|error| (ChildExit::Usage, format!("walls can't be read: {error}")))?;
    let no_walls = |reason: String| (ChildExit::Walls, reason);
    close_foreign_files().map_err(|error| no_walls(format!("open files can't be closed: {error}")))?;
    walls.put_up().map_err(|error| no_walls(format!("limits can't be set: {error}")))?;
    filter::put_up().map_err(|error| no_walls(format!("processes can't be forbidden: {error}")))?;
    // The threads exist before the wall against new ones does.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(walls.threads).stack_size(STACK_BYTES);
    let threads = threads.build().map_err(|error| no_walls(format!("no threads: {error}")))?;
    // An examination on several threads may start a pool of its own: lm does. The kernel counts a user's threads, not
    // a process's, so that there is no number to allow; address space bounds them, and the filter what they are.
    if walls.threads == 1 {
        limit(Resource::Nproc, 0).map_err(|error| no_walls(format!("limits can't be set: {error}")))?;
    }
    // A panic unwinds to here and is told by the exit code; its text is on the error pipe already.
    catch_unwind(AssertUnwindSafe(|| threads.install(|| examine(&walls, mechanisms))))
        .unwrap_or(Ok(ChildExit::Panicked))
}

fn examine(
    walls: &Walls,
    mechanisms: &[&'static dyn ErasedMechanism],
) -> Result<ChildExit, (ChildExit, String)> {
    let Request { mechanism, case, inputs } = Request::read(io::stdin().lock(), walls.request_max_bytes)
        .map_err(|error| (ChildExit::Request, error.to_string()))?;
    let reply = match mechanisms.iter().find(|known| known.id() == mechanism) {
        None => Reply::UnknownMechanism(mechanism),
        Some(mechanism) => match mechanism.examine(&case, &inputs) {
            Ok(finding) => Reply::Examined(finding),
            Err(error) => Reply::ForeignTask(error.to_string()),
        },
    };
    let bytes = reply.bytes();
    if bytes.len() as u64 > crate::frame::output_max_bytes(walls.result_max_bytes) {
        return Ok(ChildExit::ResultTooLong);
    }
    let mut out = io::stdout().lock();
    out.write_all(&bytes)
        .and_then(|()| out.flush())
        .map_err(|error| (ChildExit::Output, error.to_string()))?;
    Ok(ChildExit::Done)
}

/// Closes what the supervisor's own parent may have left open for it.
fn close_foreign_files() -> io::Result<()> {
    let mut foreign = Vec::new();
    for file in fs::read_dir("/proc/self/fd")? {
        let number = file?.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        foreign.extend(number.filter(|number| *number >= FIRST_FOREIGN_FILE));
    }
    for number in foreign {
        match nix::unistd::close(number) {
            // The listing's own descriptor is closed by now.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl Walls {
    /// Puts up all limits but the one of threads.
    fn put_up(&self) -> Result<(), Errno> {
        // Ends with its supervisor. One that has ended already has closed the request's pipe, which tells as much.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::thread::set_no_new_privs(true)?;
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, 0)?;
        limit(Resource::Nofile, self.open_files)?;
        limit(Resource::As, self.memory_bytes)?;
        // The soft limit sends a signal with a name of its own; one second later the hard one kills.
        let maximum = Some(self.cpu_seconds.saturating_add(1));
        setrlimit(Resource::Cpu, Rlimit { current: Some(self.cpu_seconds), maximum })
    }
}

fn limit(resource: Resource, most: u64) -> Result<(), Errno> {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}
