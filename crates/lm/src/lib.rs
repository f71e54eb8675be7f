//! Language models that give the same bits on every machine: training and scoring.
//!
//! Validators must agree, a miner must be able to reproduce its score, and a replayed training step must be a proof.
//! So nothing here leaves the order of additions to a library or to the machine. The contract, whose version is
//! [`KERNEL_VERSION`]:
//!
//! - **Order.** An element of a matrix product is a sum over k in blocks of 256; a block's sum is a chain of fused
//!   multiply-adds that starts at zero; the blocks' sums are added to the element in order. Vectors run across
//!   elements. Other sums have 8 lanes and a fixed tree; sums across rows have fixed blocks of rows, combined in order.
//!   Losses are summed in f64 in order. Threads split only what is independent.
//! - **Functions.** The hardware gives + − × ÷ √ and fused multiply-add, each rounded once. Exponential, logarithm,
//!   sine and cosine are made of these. Subnormal numbers are kept; every NaN that leaves has the same bits.
//! - **Dispatch.** [`Instructions`] are chosen while running, and any choice gives the same bits.
//! - **Chance.** Streams are named by seed, purpose and index, with a version in the purpose.
//!
//! Start with [`Model`], [`train`] and [`score_texts`]; `gemm.rs` is the heart. [`Model::load`] and [`Model::save`] are the
//! way in and out; [`Tensors`] and [`Gguf`] read model files from strangers. [`Decoder`] reads tokens one after the other,
//! and [`generate`] writes them. A [`Tokenizer`] turns text into tokens and back, and a [`BpeTrainer`] makes one of
//! texts. An [`Embedder`] turns texts into vectors. [`Trainer::save`] and [`Trainer::load`] interrupt a training without
//! a trace in its bits. A server with a GPU may do the scoring, through [`remote`]: its numbers are evidence only where a
//! [`SpotCheck`] accepts them.

mod adamw;
mod attention;
mod bert;
mod bpe;
mod bpe_trainer;
mod buffer;
mod checkpoint;
mod compute;
mod config;
mod decode;
mod embedder;
mod encoding;
mod folder;
mod gemm;
mod generate;
mod gguf;
mod head_norm;
mod hub_config;
mod lanes;
mod letters;
mod math;
mod model;
mod nfc;
mod pass;
pub mod remote;
mod rows;
mod score;
mod short_word;
mod spot_check;
mod tensors;
mod tokenizer;
mod train;
mod word_counts;
mod wordpiece;
mod words;

pub use adamw::AdamW;
pub use bpe_trainer::BpeTrainer;
pub use compute::{Compute, ComputeError};
pub use config::{Config, ConfigError, Family, Preset, RopeScaling, Sizes};
pub use decode::{DecodeError, Decoder, Sequence};
pub use embedder::Embedder;
pub use folder::{Numbers, SaveError, SaveOptions, read_beside};
pub use generate::{Draw, Finish, GenerateError, Generated, Sampling, generate, generate_each};
pub use gguf::Gguf;
pub use hub_config::Ends;
pub use lanes::Instructions;
pub use model::{Model, ModelError, Tensor};
pub use pass::{Batch, BatchError};
pub use score::{Reference, Score, ScoreError, Scorer, Windows, score_texts, score_tokens, text_tokens};
pub use spot_check::{
    Accepted, Agreement, CheckError, Claimed, Refusal, Sample, SpotCheck, Verdict, escape_probability,
};
pub use tensors::{LoadError, Tensors};
pub use tokenizer::{BYTES_START, BYTES_VOCAB, Piece, TextStream, Token, Tokenizer, TokenizerError};
pub use train::{Decay, State, Step, TrainConfig, TrainError, Trained, Trainer, train};
pub use word_counts::WordCounts;
pub use words::Words;

/// Version of everything that bits depend on; stands in manifests and receipts. A change of any order of operations,
/// polynomial, block size or stream is a new version.
pub const KERNEL_VERSION: u32 = 1;
