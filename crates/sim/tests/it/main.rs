//! Whole subnets from seeds. The story in the order in which it happens stands in `one_epoch.rs`.
//!
//! `WEIGH_SEEDS` sets how many seeds a test runs, `WEIGH_FIRST_SEED` where they begin; `WEIGH_FULL=1` asks for the full
//! counts. A failure names its seed; running that seed alone replays it.

mod archive;
mod desk;
mod storm;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seeds of a test: as many by default, and in full.
fn seeds(default: u64, full: u64) -> std::ops::Range<u64> {
    let first = number("WEIGH_FIRST_SEED").unwrap_or(0);
    let count = if number("WEIGH_FULL") == Some(1) { full } else { default };
    first..first + number("WEIGH_SEEDS").unwrap_or(count)
}
