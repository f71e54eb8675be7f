//! Tests of the crate from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod accumulate;
mod bpe;
mod bpe_peer;
mod bpe_trainer;
mod checkpoint;
mod decode;
mod embed;
mod folder;
mod gguf;
mod gguf_file;
mod golden;
mod gradient;
mod malformed;
mod reference;
mod remote;
mod smollm2;
mod story;
mod torch;
