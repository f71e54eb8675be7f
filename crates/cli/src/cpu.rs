//! The time that this process has worked, on all its threads together.

/// CPU seconds; none where the system doesn't say.
#[cfg(unix)]
pub(crate) fn seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[cfg(not(unix))]
pub(crate) fn seconds() -> Option<f64> {
    None
}
