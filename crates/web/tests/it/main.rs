//! The house's pages, API and live events, over a town that is made from a seed; and all of it in a real browser.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "tests read their switches, say why they skip, make up small numbers, and may panic"
)]

mod api;
mod browser;
mod chromium;
mod evidence;
mod fold;
mod pages;
mod stream;
mod town;
