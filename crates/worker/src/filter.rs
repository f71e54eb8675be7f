//! The wall against new processes and programs: a filter of system calls, which holds for every user.
//!
//! The kernel's limit of processes counts what a user has everywhere and is nothing to a privileged one, so that it
//! can't say "these threads and no more". The filter says what matters: whatever the child starts is a thread of
//! its own, under its limits of memory and processor time, and ends with it.

use std::{collections::BTreeMap, env::consts::ARCH};

use nix::libc::{
    CLONE_THREAD, ENOSYS, EPERM, SYS_clone, SYS_clone3, SYS_execve, SYS_execveat, c_int, c_long,
};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Calls that start a process where the machine still has them beside `clone`.
#[cfg(target_arch = "x86_64")]
const OLD_FORKS: [c_long; 2] = [nix::libc::SYS_fork, nix::libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORKS: [c_long; 0] = [];

/// From here on no process and no program can be started, threads can.
pub(crate) fn put_up() -> Result<(), Error> {
    let thread = u64::from(CLONE_THREAD.cast_unsigned());
    // `clone` takes its flags as its first argument.
    let no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)?;
    let mut refused: Vec<(c_long, Vec<SeccompRule>)> = vec![
        (SYS_execve, vec![]),
        (SYS_execveat, vec![]),
        (SYS_clone, vec![SeccompRule::new(vec![no_thread])?]),
    ];
    refused.extend(OLD_FORKS.map(|call| (call, vec![])));
    // `clone3` keeps its flags where a filter can't look. Where it is missing, threads are started with `clone`.
    for (calls, errno) in [(refused, EPERM), (vec![(SYS_clone3, vec![])], ENOSYS)] {
        apply_filter(&program(calls.into_iter().collect(), errno)?)?;
    }
    Ok(())
}

/// A filter that answers these calls with an error and lets all others pass.
fn program(calls: BTreeMap<c_long, Vec<SeccompRule>>, errno: c_int) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let machine = TargetArch::try_from(ARCH)?;
    SeccompFilter::new(calls, SeccompAction::Allow, refuse, machine)?.try_into()
}
