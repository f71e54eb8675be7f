//! `weigh lm generate`: the text with which a model goes on, printed as it comes.

use std::{
    io::{self, IsTerminal as _, Write as _},
    ops::ControlFlow,
    process::ExitCode,
};

use clap::Args;
use lm::{Decoder, Draw, Finish, Sampling, TextStream, generate_each};
use primitives::Seed;
use serde_json::json;

use super::{
    Interrupted, LmError, Threads,
    opened::{ModelArguments, OpenModel},
};
use crate::{show, show::Show};

#[derive(Args)]
pub(crate) struct GenerateArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// What the text begins with; names of special tokens in it are plain text. Without it, a text from its beginning.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Put no start token before the prompt.
    #[arg(long, requires = "prompt")]
    no_start: bool,
    /// Most tokens behind the prompt.
    #[arg(long, value_name = "N", default_value_t = 128)]
    tokens: usize,
    /// Draw tokens by their probability instead of taking the likeliest, their logits divided by this.
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// Draw from so many of the likeliest tokens.
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Draw from the fewest likeliest tokens that have this probability together.
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Draw tokens by this seed; the same one draws the same text. 0 where another of these options asks for a draw.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    threads: Threads,
    /// One JSON document on standard output, when the text is done.
    #[arg(long)]
    json: bool,
}

impl GenerateArguments {
    fn sampling(&self) -> Sampling {
        let Self { temperature, top_k, top_p, seed, .. } = self;
        if temperature.is_none() && top_k.is_none() && top_p.is_none() && seed.is_none() {
            return Sampling::Greedy;
        }
        let plain = Draw::plain(Seed::from_number(seed.unwrap_or(0)));
        Sampling::Drawn(Draw {
            temperature: temperature.unwrap_or(plain.temperature),
            top_k: top_k.unwrap_or(plain.top_k),
            top_p: top_p.unwrap_or(plain.top_p),
            ..plain
        })
    }
}

/// Runs the command; the exit code is 0, or 130 after Ctrl-C.
pub(crate) fn run(arguments: &GenerateArguments) -> Result<ExitCode, LmError> {
    let open = OpenModel::open(&arguments.model)?;
    let compute = arguments.threads.compute()?;
    let encoded = open.tokenizer.encode(arguments.prompt.as_bytes());
    let encoded = encoded.map_err(|error| LmError::Encode { named: "prompt".to_owned(), error })?;
    let start = (!arguments.no_start).then_some(open.tokenizer.start());
    let prompt: Vec<u32> = start.into_iter().chain(encoded.iter().map(|token| token.id)).collect();
    let stops = if open.ends.end.is_empty() { vec![open.tokenizer.start()] } else { open.ends.end.clone() };
    let about = open.as_json();
    let decoder = Decoder::new(&compute, &open.model)?;
    // The decoder has the weights; twice would be once too often.
    let tokenizer = open.tokenizer;
    drop(open.model);

    let interrupted = Interrupted::watch()?;
    let mut written = Written { shows: !arguments.json, ..Written::default() };
    let mut failed = None;
    let each = |token: u32| match written.add(&tokenizer.decode(&[token])) {
        Ok(()) if interrupted.is_set() => ControlFlow::Break(()),
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    };
    let sampling = arguments.sampling();
    let generated = generate_each(&compute, &decoder, &prompt, arguments.tokens, &stops, sampling, each)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let text = written.finish()?;
    let (finish, code) = match generated.finish {
        Finish::Stop => ("stop", 0),
        Finish::Length => ("length", 0),
        Finish::Context => ("context", 0),
        Finish::Broken => ("interrupted", crate::INTERRUPTED),
    };
    if arguments.json {
        let event = json!({
            "prompt": arguments.prompt, "prompt_tokens": prompt, "text": text, "tokens": generated.tokens,
            "finish": finish, "model": about,
        });
        Show::new(true).say(&event, "")?;
    }
    Ok(ExitCode::from(code))
}

/// Text as it comes.
#[derive(Default)]
struct Written {
    shows: bool,
    text: String,
    stream: TextStream,
}

impl Written {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let whole = self.stream.push(bytes);
        self.print(&whole)
    }

    /// All of it.
    fn finish(mut self) -> io::Result<String> {
        let rest = std::mem::take(&mut self.stream).finish();
        self.print(&rest)?;
        if self.shows {
            writeln!(io::stdout())?;
        }
        Ok(self.text)
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        self.text.push_str(text);
        if !self.shows {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if out.is_terminal() {
            out.write_all(for_terminal(text).as_bytes())?;
        } else {
            out.write_all(text.as_bytes())?;
        }
        out.flush()
    }
}

/// A text with its lines and tabs, without what a terminal would obey.
fn for_terminal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(['\n', '\t']) {
        let (inner, end) = match piece.char_indices().next_back() {
            Some((at, '\n' | '\t')) => piece.split_at(at),
            _ => (piece, ""),
        };
        shown.push_str(&show::plain(inner));
        shown.push_str(end);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_writes_can_not_steer_a_terminal() {
        assert_eq!(for_terminal("a\tb\n\u{1b}[2Jc\r\n"), "a\tb\n\\u{1b}[2Jc\\r\n");
    }
}
