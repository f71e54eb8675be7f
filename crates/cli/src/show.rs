//! What a subnet's run prints: tables for people, or JSON lines.

use std::io::{self, Write as _};

use comfy_table::{Cell, CellAlignment, Table};
use indicatif::{DecimalBytes, ProgressBar};
use mechanisms::Strategy;
use primitives::AlphaRao;
use serde_json::{Value, json};
use sim::{EpochReport, MinerSummary, Summary};

use crate::{
    source::{OpenSource, TASKS_PER_ROUND},
    talk::{self, Unit},
};

/// Characters of a reason that a table shows; `--json` has it whole.
const REASON_MAX_CHARS: usize = 100;

/// Tells what happens.
pub(crate) struct Show {
    json: bool,
    out: io::Stdout,
}

impl Show {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: io::stdout() }
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// One event for programs, or one line for people.
    pub(crate) fn say(&mut self, event: &Value, line: &str) -> io::Result<()> {
        if self.json { self.line(&event.to_string()) } else { self.line(line) }
    }

    /// A line for people only.
    pub(crate) fn remark(&mut self, line: &str) -> io::Result<()> {
        if self.json || !talk::has_remarks() { Ok(()) } else { self.line(line) }
    }

    pub(crate) fn source(&mut self, opened: &OpenSource) -> io::Result<()> {
        let (tasks, bytes) = (opened.extents.len(), opened.bytes);
        let size = DecimalBytes(bytes);
        self.say(
            &json!({"event": "source", "tasks": tasks, "bytes": bytes, "bytes_per_task": opened.bytes_per_task,
                "tasks_per_round": TASKS_PER_ROUND}),
            &format!("source      {tasks} tasks, {size}, of {}", opened.named),
        )?;
        for line in &opened.left_out {
            self.say(&json!({"event": "left_out", "reason": line}), &format!("            {line}"))?;
        }
        Ok(())
    }

    pub(crate) fn cast<'a>(
        &mut self,
        validators: usize,
        miners: impl Iterator<Item = &'a dyn Strategy>,
    ) -> io::Result<()> {
        self.remark(&format!("validators  {validators}, each with its own log, examiner and weights"))?;
        for strategy in miners {
            let role = if strategy.is_honest() { "miner   " } else { "attacker" };
            self.remark(&format!("{role}    {}: {}", strategy.id(), strategy.about()))?;
        }
        Ok(())
    }

    pub(crate) fn progress(&self, tempo: u64) -> ProgressBar {
        talk::bar(tempo, Unit::Blocks, self.json).with_prefix("epoch ")
    }

    pub(crate) fn epoch(&mut self, report: &EpochReport) -> io::Result<()> {
        if self.json {
            let mut event = serde_json::to_value(report)?;
            event["event"] = json!("epoch");
            return self.line(&event.to_string());
        }
        let mut table = table(&["uid", "miner", "new tokens", "score", "incentive", "earned", "why"]);
        for line in &report.miners {
            table.add_row(vec![
                right(&line.uid.to_string()),
                Cell::new(&line.strategy),
                right(&line.verified_tokens.to_string()),
                right(&line.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))),
                right(&line.incentive.to_string()),
                right(&alpha(line.earned)),
                Cell::new(cut(&line.reason)),
            ]);
        }
        let title = format!("\nepoch {} closed in block {}", report.epoch, report.block);
        self.line(&format!("{title}\n{table}"))
    }

    pub(crate) fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        if self.json {
            let event = serde_json::to_string(summary)?;
            return self.line(&event);
        }
        let mut table = table(&["uid", "miner", "paid tokens", "earned", "share", "why nothing"]);
        let mut miners: Vec<&MinerSummary> = summary.miners.iter().collect();
        miners.sort_by(|a, b| b.earned.cmp(&a.earned).then(a.uid.cmp(&b.uid)));
        for miner in miners {
            let why = if miner.earned.is_zero() { miner.reasons.last().cloned() } else { None };
            table.add_row(vec![
                right(&miner.uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string())),
                Cell::new(&miner.strategy),
                right(&miner.verified_tokens.to_string()),
                right(&alpha(miner.earned)),
                right(&format!("{:.2} %", miner.emission_share * 100.0)),
                Cell::new(cut(&why.unwrap_or_default())),
            ]);
        }
        self.line(&format!("\nafter {} epochs, at block {}\n{table}", summary.epochs, summary.block))?;
        self.line(&match summary.honest_emission_share {
            Some(share) => format!("honest miners earned {:.2} % of what miners earned", share * 100.0),
            None => "no miner has been paid yet".to_owned(),
        })?;
        self.line(&format!("state digest {}", summary.state_digest))
    }
}

pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(headings.to_vec());
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table
}

pub(crate) fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A reason as a table shows it.
pub(crate) fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON_MAX_CHARS) {
        None => reason.to_owned(),
        Some((at, _)) => format!("{}…", &reason[..at]),
    }
}

/// Alpha with three decimals, cut.
pub(crate) fn alpha(amount: AlphaRao) -> String {
    let milli = amount.0 / 1_000_000;
    format!("{}.{:03} α", milli / 1000, milli % 1000)
}

/// A text that may quote a stranger, without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' | '\'' | '\\' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    shown
}

/// As [`plain`], with the lines that a text has.
pub(crate) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_can_not_steer_a_terminal() {
        assert_eq!(plain("a \"b\" \\ ä\u{1b}[2J\n\u{202e}"), "a \"b\" \\ ä\\u{1b}[2J\\n\\u{202e}");
    }
}
