//! `weigh data bench`: what each step from archive to document costs on this machine, on the user's own pages.
//!
//! Each step is measured apart and on the same pages, on one thread and in CPU time: its input lies in memory, its output
//! is thrown away. The last line is the whole road, as `weigh data build` goes it, in one. Runs go through all steps in
//! turn, so that a machine that slows down slows all of them; the median of each counts.

use std::{
    hint::black_box,
    io::{self, Write as _},
    time::Instant,
};

use clap::Args;
use comfy_table::{Cell, CellAlignment};
use corpus::{
    Cut, Document, Extent, Filters, Page, Rules, Source, Verdict, document, extract,
    images::Images,
    language,
    minhash::Signature,
    reading::{self, Taken},
};
use serde_json::json;

use super::{DataError, plain_table};
use crate::{
    cpu,
    source::{self, AnySource, Named, SourceOpenError},
    talk,
};

/// Bytes of records, and of pages, that are held: with the texts a gigabyte at most.
const HELD_MAX_BYTES: u64 = 384 << 20;

#[derive(Args)]
pub(crate) struct BenchArguments {
    /// A folder of HTML, Markdown and text, or an archive or its address, or a folder of archives; without it, the crate
    /// registry of this machine.
    source: Option<Named>,
    /// Pages to measure on: the first ones.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
    /// Runs, of which the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// One JSON object per step on standard output.
    #[arg(long)]
    json: bool,
}

/// A step, and what it goes through in one run.
struct Step<'a> {
    name: &'static str,
    /// What is counted.
    unit: &'static str,
    count: u64,
    /// Bytes of its input.
    bytes: u64,
    work: Box<dyn Fn() -> Result<(), DataError> + 'a>,
}

pub(super) fn bench(arguments: &BenchArguments) -> Result<(), DataError> {
    let named = arguments.source.clone().or_else(|| source::registry().map(Named::Path));
    let named = named.ok_or(SourceOpenError::NoRegistry)?;
    let failed = |error| DataError::Source { named: named.to_string(), error: Box::new(error) };
    let source = AnySource::open(&named, None, arguments.json)?;
    let (extents, _) = source.survey(Cut { entries_max: u32::MAX, bytes_max: u64::MAX }).map_err(failed)?;
    let first = First { named: &named, source: &source, extents: &extents };
    let (mut records, mut pages, mut held) = (Vec::new(), Vec::new(), 0);
    first.each(u64::MAX, |taken| {
        if let Ok(page) = taken.page()
            && let Ok(text) = document::text(&page, &extract::main_text)
        {
            pages.push((page, text));
        }
        held += taken.held_bytes();
        records.push(taken);
        pages.len() < arguments.pages as usize && held < HELD_MAX_BYTES
    })?;
    if pages.is_empty() {
        return Err(DataError::NoPages { named: named.to_string() });
    }
    let steps = steps(&first, &records, &pages);
    let spinner = talk::spinner("measuring", arguments.json);
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); steps.len()];
    for _ in 0..arguments.runs {
        for (step, seconds) in steps.iter().zip(&mut seconds) {
            let (clock, start) = (Instant::now(), cpu::seconds());
            (step.work)()?;
            let worked = start.zip(cpu::seconds()).map(|(start, end)| end - start);
            seconds.push(worked.unwrap_or_else(|| clock.elapsed().as_secs_f64()));
        }
    }
    spinner.finish_and_clear();
    tell(arguments, &named, &steps, seconds)
}

/// The beginning of a source.
struct First<'a> {
    named: &'a Named,
    source: &'a AnySource,
    extents: &'a [Extent],
}

impl<'a> First<'a> {
    /// Hands out at most `count` records, as long as more are wanted; none is read besides.
    fn each(&self, count: u64, mut wants_more: impl FnMut(Taken<'a>) -> bool) -> Result<(), DataError> {
        let failed = |error| DataError::Source { named: self.named.to_string(), error: Box::new(error) };
        let mut left = count;
        for extent in self.extents {
            for taken in reading::records(extent, self.source as &dyn Source).map_err(failed)? {
                left -= 1;
                if !wants_more(taken.map_err(failed)?) || left == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The rules of a build that leaves nothing out of them.
fn all_rules() -> Rules {
    Rules { filters: Filters::ALL, near_duplicates: true, ..Rules::default() }
}

fn steps<'a>(first: &'a First<'a>, records: &'a [Taken<'a>], pages: &'a [(Page, String)]) -> Vec<Step<'a>> {
    let stored: u64 = records.iter().map(|taken| taken.step.length_bytes).sum();
    let payload: u64 = records.iter().map(|taken| taken.held_bytes()).sum();
    let html: u64 = pages.iter().map(|(page, _)| page.text.len() as u64).sum();
    let text: u64 = pages.iter().map(|(_, text)| text.len() as u64).sum();
    let (of_records, of_pages) = (records.len() as u64, pages.len() as u64);
    let step = |name, unit, count, bytes, work| Step { name, unit, count, bytes, work };
    let each_page = move |work: fn(&Page)| -> Box<dyn Fn() -> Result<(), DataError> + 'a> {
        Box::new(move || {
            pages.iter().for_each(|(page, _)| work(page));
            Ok(())
        })
    };
    let each_text = move |work: fn(&str)| -> Box<dyn Fn() -> Result<(), DataError> + 'a> {
        Box::new(move || {
            pages.iter().for_each(|(_, text)| work(text));
            Ok(())
        })
    };
    let read = move || {
        first.each(of_records, |taken| {
            black_box(taken);
            true
        })
    };
    let decode = move || {
        records.iter().for_each(|taken| _ = black_box(taken.page()));
        Ok(())
    };
    let whole = move || {
        let rules = all_rules();
        first.each(of_records, |taken| {
            let page = taken.page();
            _ = black_box(page.and_then(|page| Document::of_page(&page, &rules, &extract::main_text)));
            true
        })
    };
    vec![
        step("read", "records", of_records, stored, Box::new(read)),
        step("decode", "records", of_records, payload, Box::new(decode)),
        step(
            "extract",
            "pages",
            of_pages,
            html,
            each_page(|page| {
                _ = black_box(document::text(page, &extract::main_text));
            }),
        ),
        step("images", "pages", of_pages, html, each_page(|page| _ = black_box(Images::of(page)))),
        step("language", "texts", of_pages, text, each_text(|text| _ = black_box(language::guess(text)))),
        step("filters", "texts", of_pages, text, each_text(|text| _ = black_box(Verdict::of(text)))),
        step("minhash", "texts", of_pages, text, each_text(|text| _ = black_box(Signature::of(text)))),
        step("whole", "pages", of_pages, stored, Box::new(whole)),
    ]
}

/// The middle one; of an even number the lower of the two.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

fn tell(
    arguments: &BenchArguments,
    named: &Named,
    steps: &[Step<'_>],
    seconds: Vec<Vec<f64>>,
) -> Result<(), DataError> {
    let clock = if cpu::seconds().is_some() { "cpu" } else { "wall" };
    let mut out = io::stdout().lock();
    let mut table = plain_table(&["step", "of", "count", "MB", "ms each", "per second", "MB/s"]);
    for (step, seconds) in steps.iter().zip(seconds) {
        let Step { name, unit, count, bytes, .. } = step;
        let (count, bytes, seconds) = (*count as f64, *bytes as f64, median(seconds));
        // What takes no time that can be measured has no rate.
        let rate = |amount: f64| (seconds > 0.0).then(|| amount / seconds);
        if arguments.json {
            let line = json!({
                "event": "bench", "source": named.to_string(), "step": name, "unit": unit, "count": step.count,
                "bytes": step.bytes, "runs": arguments.runs, "clock": clock, "seconds": seconds,
                "per_second": rate(count), "bytes_per_second": rate(bytes),
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let shown = |value: Option<f64>, digits: usize| {
            let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            Cell::new(text).set_alignment(CellAlignment::Right)
        };
        table.add_row(vec![
            Cell::new(name),
            Cell::new(unit),
            shown(Some(count), 0),
            shown(Some(bytes / 1e6), 1),
            shown(Some(1e3 * seconds / count), 3),
            shown(rate(count), 0),
            shown(rate(bytes / 1e6), 1),
        ]);
    }
    if !arguments.json {
        writeln!(
            out,
            "{table}\n\none thread, {clock} time, medians of {} runs; source {named}",
            arguments.runs
        )?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let check = |seconds: &[f64], expect: f64| {
            assert_eq!(median(seconds.to_vec()).to_bits(), expect.to_bits(), "{seconds:?}")
        };
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 3.0, 2.0], 2.0);
        check(&[5.0], 5.0);
    }
}
