//! `weigh`: one binary for miners, validators, subnet owners and clients.
fn main() {}
