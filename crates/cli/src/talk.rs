//! What is said on standard error beside errors: progress and warnings, and whether anything is coloured.
//!
//! The terminal is one for the whole process, as the hook is through which errors are shown, and so is what is said on it.

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use miette::MietteHandlerOpts;

use crate::config::Color;

/// How often a bar without a known end moves.
const TICK: Duration = Duration::from_millis(120);

/// What may be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub(crate) color: Color,
    pub(crate) progress: bool,
    /// Remarks and warnings.
    pub(crate) remarks: bool,
}

impl Default for Talk {
    fn default() -> Self {
        Self { color: Color::Auto, progress: true, remarks: true }
    }
}

static TALK: OnceLock<Talk> = OnceLock::new();

/// Settles it for this process; the first word counts.
pub(crate) fn settle(talk: Talk) {
    if TALK.set(talk).is_err() {
        return;
    }
    let handler = move || {
        // A command that a help names can be copied from a line that the terminal wraps, not from one that we do.
        let plain = MietteHandlerOpts::new().wrap_lines(false);
        match talk.color {
            Color::Auto => plain,
            color => plain.color(color == Color::Always),
        }
    };
    // One hook is all there is, and nobody else sets it.
    let _first = miette::set_hook(Box::new(move |_| Box::new(handler().build())));
}

/// Whether remarks and warnings are wanted.
pub(crate) fn has_remarks() -> bool {
    TALK.get().is_none_or(|talk| talk.remarks)
}

/// Says what somebody should know and no program reads.
pub(crate) fn warn(warning: &str) {
    if has_remarks() {
        #[expect(clippy::print_stderr, reason = "warnings are talk")]
        {
            eprintln!("{warning}");
        }
    }
}

/// What a bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Blocks,
    Records,
    Seeds,
    Shards,
    /// Of a training; the message is the loss.
    Steps,
    /// As a language model counts; what is done with them stands before.
    Tokens,
}

impl Unit {
    const fn template(self) -> &'static str {
        match self {
            Unit::Bytes => "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            Unit::Blocks => "{prefix}{bar:40} block {pos} of {len}, {per_sec}, {eta} left",
            Unit::Records => "{bar:40} {pos} of {len} records, {per_sec}, {eta} left",
            Unit::Seeds => "{bar:40} {pos} of {len} seeds, {per_sec}, {eta} left",
            Unit::Shards => "{bar:40} {pos} of {len} shards, {eta} left",
            Unit::Steps => "{bar:40} step {pos} of {len}, {msg}, {eta} left",
            Unit::Tokens => "{prefix}{bar:40} {human_pos} of {human_len} tokens, {per_sec}, {eta} left",
        }
    }
}

fn shows_bars(is_json: bool) -> bool {
    !is_json && TALK.get().is_none_or(|talk| talk.progress) && io::stderr().is_terminal()
}

/// A bar over so much work; hidden where nobody watches.
pub(crate) fn bar(total: u64, unit: Unit, is_json: bool) -> ProgressBar {
    if !shows_bars(is_json) {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(unit.template()).expect("the templates are well-formed");
    ProgressBar::new(total).with_style(style)
}

/// A sign of life where nobody knows how long it takes.
pub(crate) fn spinner(doing: &'static str, is_json: bool) -> ProgressBar {
    if !shows_bars(is_json) {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{spinner} {msg}, {elapsed}").expect("the template is well-formed");
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(doing);
    spinner.enable_steady_tick(TICK);
    spinner
}
