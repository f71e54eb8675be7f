//! The limits of an axon's stages, with their everyday values.

use std::time::Duration;

use super::Rate;

/// How much of everything one axon gives away before it refuses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Connections at once. Each costs a task and at most two header buffers, 40 KB.
    pub connections: usize,
    /// Connections at once from one IP (IPv6: one /64), so that no single one can take all places.
    pub connections_per_ip: usize,
    /// Bytes of a request's line and headers.
    pub header_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// How long a client may take to send its headers, and how long an idle connection is kept.
    pub header_time: Duration,
    /// How long a client may take to send its body. With the nonce's window it stays within the replay store's span.
    pub body_time: Duration,
    /// How long a client may take nothing of what is sent to it, before its connection is closed.
    pub write_time: Duration,
    /// Requests of one IP, before any cryptography.
    pub per_ip: Rate,
    /// Requests of one hotkey, after its signature passed.
    pub per_hotkey: Rate,
    /// Handlers at once.
    pub running: usize,
    /// Verified requests that wait for a place; beyond, the lowest priority is refused.
    pub waiting: usize,
    /// How long running requests get after the axon is told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_ip: 256,
            header_bytes: 16 * 1024,
            headers: 64,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            per_ip: Rate { per_s: 200.0, burst: 400.0 },
            per_hotkey: Rate { per_s: 50.0, burst: 100.0 },
            running: 256,
            waiting: 1_024,
            grace: Duration::from_secs(3),
        }
    }
}
