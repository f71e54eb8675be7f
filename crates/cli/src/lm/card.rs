//! What lies beside a model's numbers: how its tokenizer and its generation are configured, and the card that says what it is.

use std::fmt::Write as _;

use lm::{Decay, Ends, Tokenizer};
use primitives::Digest;
use serde_json::{Value, json};

use super::{
    eval::Measure,
    plan::{Plan, TokenizerFrom},
};

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data with string keys");
    text.push(b'\n');
    text
}

/// `tokenizer_config.json` of a tokenizer that transformers is to read from `tokenizer.json`.
pub(crate) fn tokenizer_config(tokenizer: &Tokenizer, ends: &Ends, context: usize) -> Vec<u8> {
    let name = |id: Option<u32>| {
        let piece = tokenizer.piece(id?).filter(|piece| piece.special)?;
        Some(String::from_utf8_lossy(piece.bytes).into_owned())
    };
    let (begin, end) = (name(ends.begin), name(ends.end.first().copied()));
    pretty(&json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": begin,
        "eos_token": end,
        "pad_token": end,
        "model_max_length": context,
        "clean_up_tokenization_spaces": false,
    }))
}

/// `generation_config.json` for greedy text.
pub(crate) fn generation_config(ends: &Ends) -> Vec<u8> {
    let end = match &ends.end[..] {
        [] => Value::Null,
        [one] => json!(one),
        more => json!(more),
    };
    pretty(&json!({
        "bos_token_id": ends.begin,
        "eos_token_id": end,
        "pad_token_id": ends.end.first(),
        "do_sample": false,
    }))
}

/// What a training came to.
pub(crate) struct Outcome {
    pub(crate) digest: Digest,
    /// Loss of the last step, in nats per token.
    pub(crate) last_loss: f64,
    /// On what was kept out, where anything was.
    pub(crate) held_out: Option<Measure>,
}

/// `README.md`: front matter as Hugging Face reads it, then what the model is and how it is made again.
pub(crate) fn readme(name: &str, plan: &Plan, outcome: &Outcome, command: &str) -> String {
    let Plan { model, schedule, texts, tokenizer, seed, kernel_version, .. } = plan;
    let mut card = String::from(
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- weighhouse\n- bit-exact\n---\n\n",
    );
    let mut line = |text: String| writeln!(card, "{text}").expect("a text takes what is written");
    line(format!("# {name}\n"));
    line(format!(
        "A language model of the {} family with {} parameters, trained by `weigh lm train`. Every bit of it can be made \
         again from the same texts, on any machine and with any number of threads.\n",
        model.family,
        model.parameters()
    ));
    line("| | |\n|---|---|".to_owned());
    let mut row = |name: &str, value: String| line(format!("| {name} | {value} |"));
    row("parameters", model.parameters().to_string());
    row("digest of configuration and parameters", format!("`{}`", outcome.digest));
    row("kernel version", kernel_version.to_string());
    row("layers × width", format!("{} × {}", model.layers, model.dim));
    row("heads, of keys and values", format!("{}, {}", model.heads, model.kv_heads));
    row("width of the feed-forward part", model.ffn_dim.to_string());
    row("context", format!("{} tokens", model.context));
    row("embeddings", if model.tied { "tied to the output" } else { "apart from the output" }.to_owned());
    row(
        "tokenizer",
        match &tokenizer.from {
            TokenizerFrom::Texts { .. } => {
                format!("byte-level BPE of {} tokens, made of the texts", tokenizer.tokens)
            }
            TokenizerFrom::Bytes => "the bytes".to_owned(),
            TokenizerFrom::File { .. } => format!("a given one of {} tokens", tokenizer.tokens),
        },
    );
    row("digest of tokenizer.json", format!("`{}`", tokenizer.digest));
    row("texts", format!("{} documents, {} bytes", texts.documents, texts.bytes));
    row("digest of the texts", format!("`{}`", texts.digest));
    row("kept out for validation", format!("{} bytes", texts.held_out_bytes));
    row("trained on", format!("{} tokens", texts.tokens));
    let per_step = schedule.batch * schedule.accumulate;
    row("steps", format!("{} of {per_step} × {} tokens", schedule.steps, schedule.sequence));
    let decay = match schedule.decay {
        Decay::Constant => "constant".to_owned(),
        Decay::Cosine { floor } => format!("falling along a cosine to {floor} of it"),
    };
    row("rate", format!("{} after {} steps, then {decay}", schedule.peak_rate, schedule.warmup_steps));
    row("clip", schedule.clip.map_or_else(|| "none".to_owned(), |clip| clip.to_string()));
    let adamw = &schedule.adamw;
    row(
        "AdamW",
        format!("β {} and {}, ε {:e}, decay {}", adamw.beta1, adamw.beta2, adamw.epsilon, adamw.weight_decay),
    );
    row("seed", seed.to_string());
    row("loss of the last step", format!("{:.6} nats per token", outcome.last_loss));
    if let Some(held_out) = &outcome.held_out {
        let number =
            |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.6}"));
        row("loss on what was kept out", format!("{} nats per token", number(held_out.nats_per_token())));
        row("", format!("{} bits per byte", number(held_out.bits_per_byte())));
        row("", format!("perplexity {}", number(held_out.perplexity())));
    }
    line("\n`training.jsonl` has the loss of every step. The same bits again:\n".to_owned());
    line(format!("```sh\n{command}\n```\n"));
    line("With transformers:\n".to_owned());
    line(
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\ntokenizer = \
         AutoTokenizer.from_pretrained(\".\")\nmodel = AutoModelForCausalLM.from_pretrained(\".\")\n```"
            .to_owned(),
    );
    card
}
