//! What a training's bits follow from: sizes, schedule, seed, texts and tokenizer, and the command that says them all.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lm::{AdamW, Config, Decay, Family, Preset, Sizes, TrainConfig};
use primitives::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LmError;
use crate::mend::{quoted, quoted_path};

/// Version of a plan's form, and of how texts are kept out.
pub(crate) const VERSION: u32 = 1;

/// As options name the presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PresetName {
    Mouse,
    Cat,
    Dog,
}

impl PresetName {
    pub(crate) const ALL: [Self; 3] = [Self::Mouse, Self::Cat, Self::Dog];

    pub(crate) fn preset(self) -> Preset {
        match self {
            Self::Mouse => Preset::Mouse,
            Self::Cat => Preset::Cat,
            Self::Dog => Preset::Dog,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mouse => "mouse",
            Self::Cat => "cat",
            Self::Dog => "dog",
        }
    }
}

/// As options name the families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FamilyName {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
}

/// As options name what follows the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DecayName {
    Cosine,
    Constant,
}

/// The model's sizes.
#[derive(Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelOptions {
    /// Sizes to start from: layers and width 2 × 64, 3 × 104 or 5 × 128.
    #[arg(long, value_enum, value_name = "NAME", default_value_t = PresetName::Mouse)]
    preset: PresetName,
    /// The family whose architecture the model has.
    #[arg(long, value_enum, value_name = "NAME", default_value_t = FamilyName::Llama)]
    family: FamilyName,
    /// Width.
    #[arg(long, value_name = "N")]
    dim: Option<usize>,
    /// Layers.
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Heads of queries.
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Heads of keys and values.
    #[arg(long, value_name = "N")]
    kv_heads: Option<usize>,
    /// Width of the feed-forward part.
    #[arg(long, value_name = "N")]
    ffn_dim: Option<usize>,
    /// Most tokens that are seen at once.
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// Give the output a matrix of its own instead of that of the embeddings.
    #[arg(long)]
    untied: bool,
}

impl ModelOptions {
    /// The sizes with so many tokens.
    pub(crate) fn config(&self, vocab: usize) -> Result<Config, LmError> {
        let preset: Sizes = self.preset.preset().config().into();
        let family = match self.family {
            FamilyName::Llama => Family::Llama,
            FamilyName::Mistral => Family::Mistral,
            FamilyName::Qwen2 => Family::Qwen2,
            FamilyName::Qwen3 => Family::Qwen3,
        };
        let sizes = Sizes {
            vocab,
            dim: self.dim.unwrap_or(preset.dim),
            layers: self.layers.unwrap_or(preset.layers),
            heads: self.heads.unwrap_or(preset.heads),
            kv_heads: self.kv_heads.unwrap_or(preset.kv_heads),
            ffn_dim: self.ffn_dim.unwrap_or(preset.ffn_dim),
            context: self.context.unwrap_or(preset.context),
            tied: !self.untied,
            family,
            ..preset
        };
        Ok(Config::new(sizes)?)
    }
}

/// How it is trained.
#[derive(Args)]
#[command(next_help_heading = "Schedule")]
pub(crate) struct ScheduleOptions {
    /// Steps.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Sequences at a time.
    #[arg(long, value_name = "N", default_value_t = 16)]
    batch: usize,
    /// How often so many sequences are gone through before a step is made of them all.
    #[arg(long, value_name = "N", default_value_t = 1)]
    accumulate: usize,
    /// Tokens of a sequence; 128, or the context where that is shorter.
    #[arg(long, value_name = "N")]
    sequence: Option<usize>,
    /// The highest rate.
    #[arg(long, value_name = "RATE", default_value_t = 0.003)]
    rate: f64,
    /// Steps in which the rate rises to the highest; a tenth of all where it is not given.
    #[arg(long, value_name = "N")]
    warmup: Option<u64>,
    /// What the rate does afterwards.
    #[arg(long, value_enum, value_name = "NAME", default_value_t = DecayName::Cosine)]
    decay: DecayName,
    /// The part of the highest rate to which a cosine falls.
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    floor: f64,
    /// A gradient that is longer is shortened to this; 0 for never.
    #[arg(long, value_name = "LENGTH", default_value_t = 1.0)]
    clip: f64,
    /// Decay of matrices per step, times the rate.
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    weight_decay: f64,
    /// First parameters and batches follow from it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

impl ScheduleOptions {
    pub(crate) fn schedule(&self, context: usize) -> TrainConfig {
        TrainConfig {
            steps: self.steps,
            batch: self.batch,
            accumulate: self.accumulate,
            sequence: self.sequence.unwrap_or(context.min(128)),
            peak_rate: self.rate,
            warmup_steps: self.warmup.unwrap_or(self.steps / 10),
            decay: match self.decay {
                DecayName::Constant => Decay::Constant,
                DecayName::Cosine => Decay::Cosine { floor: self.floor },
            },
            clip: (self.clip.to_bits() != 0).then_some(self.clip),
            adamw: AdamW { weight_decay: self.weight_decay, ..AdamW::default() },
        }
    }
}

/// Where the tokenizer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenizerFrom {
    /// Trained on the texts, with so many tokens asked for.
    Texts { vocab: usize },
    /// A token for each byte.
    Bytes,
    /// A file, and the token in it that stands before a text.
    File { path: PathBuf, start: String },
}

/// Everything that a training's bits follow from, and what names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) version: u32,
    pub(crate) kernel_version: u32,
    pub(crate) texts: PlannedTexts,
    pub(crate) tokenizer: PlannedTokenizer,
    pub(crate) model: Config,
    pub(crate) schedule: TrainConfig,
    pub(crate) seed: u64,
}

/// What is trained on, and what is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedTexts {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    /// Of all documents in order, those that are kept out among them.
    pub(crate) digest: Digest,
    pub(crate) held_out_permille: u16,
    pub(crate) held_out_bytes: u64,
    pub(crate) tokens: u64,
}

/// The tokenizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedTokenizer {
    pub(crate) from: TokenizerFrom,
    pub(crate) tokens: usize,
    /// Of its `tokenizer.json`.
    pub(crate) digest: Digest,
}

impl Plan {
    /// The command that trains to the same bits, whatever defaults will be.
    pub(crate) fn command(&self, texts: &[PathBuf], out: &Path) -> String {
        let mut words = vec!["weigh lm train".to_owned()];
        words.extend(texts.iter().map(|path| quoted_path(path)));
        let mut put = |name: &str, value: String| words.push(format!("--{name} {}", quoted(&value)));
        put("out", out.display().to_string());
        match &self.tokenizer.from {
            TokenizerFrom::Texts { vocab } => put("vocab", vocab.to_string()),
            TokenizerFrom::Bytes => put("tokenizer", "bytes".to_owned()),
            TokenizerFrom::File { path, start } => {
                put("tokenizer", path.display().to_string());
                put("start", start.clone());
            }
        }
        put("held-out", format!("{}", f64::from(self.texts.held_out_permille) / 10.0));
        let model = &self.model;
        put("family", model.family.to_string());
        for (name, size) in [
            ("dim", model.dim),
            ("layers", model.layers),
            ("heads", model.heads),
            ("kv-heads", model.kv_heads),
            ("ffn-dim", model.ffn_dim),
            ("context", model.context),
        ] {
            put(name, size.to_string());
        }
        let schedule = &self.schedule;
        put("steps", schedule.steps.to_string());
        put("batch", schedule.batch.to_string());
        put("accumulate", schedule.accumulate.to_string());
        put("sequence", schedule.sequence.to_string());
        put("rate", schedule.peak_rate.to_string());
        put("warmup", schedule.warmup_steps.to_string());
        match schedule.decay {
            Decay::Constant => put("decay", "constant".to_owned()),
            Decay::Cosine { floor } => {
                put("decay", "cosine".to_owned());
                put("floor", floor.to_string());
            }
        }
        put("clip", schedule.clip.unwrap_or(0.0).to_string());
        put("weight-decay", schedule.adamw.weight_decay.to_string());
        put("seed", self.seed.to_string());
        if !model.tied {
            words.push("--untied".to_owned());
        }
        words.join(" ")
    }

    /// Name and both values of the first part that differs from another plan.
    pub(crate) fn differs(&self, begun: &Self) -> Option<(String, String, String)> {
        let value = |plan: &Self| serde_json::to_value(plan).expect("plain data with string keys");
        first_difference("", &value(self), &value(begun))
    }
}

fn first_difference(name: &str, asked: &Value, begun: &Value) -> Option<(String, String, String)> {
    let (Value::Object(inner), Value::Object(other)) = (asked, begun) else {
        return (asked != begun).then(|| (name.to_owned(), asked.to_string(), begun.to_string()));
    };
    let names: std::collections::BTreeSet<&String> = inner.keys().chain(other.keys()).collect();
    names.into_iter().find_map(|key| {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        first_difference(
            &name,
            inner.get(key).unwrap_or(&Value::Null),
            other.get(key).unwrap_or(&Value::Null),
        )
    })
}
