//! `weigh data images`: the image–text pairs of a source's pages.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    num::NonZeroUsize,
    path::PathBuf,
};

use clap::Args;
use corpus::{
    Cut,
    hub::HubError,
    images::repository::{Examined, ImagesWriter},
    reading::{self, Pool, Taken},
};
use serde_json::{Value, json};

use super::{DataError, empty_folder, plain_table};
use crate::{
    source::{AnySource, Named},
    talk::{self, Unit},
};

/// Stored bytes of a task: its ledger is checked as a whole.
const BYTES_PER_TASK: u64 = 32 << 20;
/// Bytes of records that wait at once.
const HELD_MAX_BYTES: u64 = 64 << 20;

#[derive(Args)]
pub(crate) struct ImagesArguments {
    /// A folder of HTML, Markdown and text, or an archive or its address, or a folder of archives.
    source: Named,
    /// Write a dataset repository into this folder, which is new or empty; `weigh data verify` checks it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave out pages that, or whose servers, ask not to be used for training.
    #[arg(long)]
    heed_opt_out: bool,
    /// Threads; all cores where it is not given. The bytes are the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// One JSON object per pair on standard output; with `--out`, one for all.
    #[arg(long)]
    json: bool,
}

/// So many threads, or one for each core.
pub(super) fn pool(threads: Option<u16>) -> Pool {
    let asked = threads.and_then(|threads| NonZeroUsize::new(threads.into()));
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Pool { threads: asked.unwrap_or_else(cores), bytes_max: HELD_MAX_BYTES }
}

/// What has been counted.
#[derive(Default)]
struct Counts {
    records: u64,
    pages: u64,
    images: u64,
    pairs: u64,
    dropped: BTreeMap<&'static str, u64>,
}

pub(super) fn images(arguments: &ImagesArguments) -> Result<(), DataError> {
    let named = &arguments.source;
    let unread = |error| DataError::Source { named: named.to_string(), error: Box::new(error) };
    if let Some(out) = &arguments.out {
        empty_folder(out)?;
    }
    let source = AnySource::open(named, None, arguments.json)?;
    let cut = Cut { entries_max: u32::MAX, bytes_max: BYTES_PER_TASK };
    let (extents, warnings) = source.survey(cut).map_err(unread)?;
    for warning in warnings {
        talk::warn(&warning);
    }
    let bytes = extents.iter().map(corpus::Extent::length_bytes).sum();
    let bar = talk::bar(bytes, Unit::Bytes, arguments.json);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let prints = arguments.json && arguments.out.is_none();
    let mut writer = arguments.out.as_deref().map(|root| ImagesWriter::create(root, arguments.heed_opt_out));
    let mut counts = Counts::default();
    let unwritten = |error| {
        let path = arguments.out.clone().unwrap_or_default();
        DataError::Hub { path, error: Box::new(HubError::Series(error)) }
    };
    for extent in extents {
        if let Some(writer) = &mut writer {
            writer.begin(extent.clone());
        }
        let records = reading::records(&extent, &source).map_err(unread)?;
        let look =
            |taken: Result<Taken<'_>, _>| taken.map(|taken| Examined::of(&taken, arguments.heed_opt_out));
        let held = |taken: &Result<Taken<'_>, _>| taken.as_ref().map_or(0, Taken::held_bytes);
        reading::map_in_order(records, held, look, pool(arguments.threads), |examined| {
            let examined = examined.map_err(unread)?;
            counts.add(&examined);
            if let Some(writer) = &mut writer {
                writer.add(&examined).map_err(unwritten)?;
            }
            if prints {
                print(&mut out, &examined)?;
            }
            bar.inc(examined.row.length_bytes);
            Ok::<(), DataError>(())
        })?;
    }
    bar.finish_and_clear();
    let manifest = writer.map(ImagesWriter::finish).transpose().map_err(unwritten)?;
    match (manifest, arguments.json) {
        (Some(manifest), true) => {
            // What was gone through stands in the file; an archive of many tasks is no line to print.
            let mut told = serde_json::to_value(&manifest).expect("plain data with string keys");
            told.as_object_mut().expect("a manifest is an object").remove("tasks");
            writeln!(out, "{}", json!({"folder": arguments.out, "manifest": told}))?;
        }
        (None, true) => {}
        (_, false) => {
            writeln!(
                out,
                "{} pairs of {} images on {} pages in {} records",
                counts.pairs, counts.images, counts.pages, counts.records
            )?;
            let mut table = plain_table(&["no pair", "images"]);
            for (why, count) in &counts.dropped {
                table.add_row([*why, &count.to_string()]);
            }
            if !counts.dropped.is_empty() {
                writeln!(out, "\n{table}")?;
            }
        }
    }
    Ok(out.flush()?)
}

impl Counts {
    fn add(&mut self, examined: &Examined) {
        self.records += 1;
        self.pages += u64::from(examined.row.decision == corpus::Decision::Kept);
        self.images += examined.images.count();
        self.pairs += examined.images.pairs.len() as u64;
        for (why, count) in &examined.images.dropped {
            *self.dropped.entry(why.name()).or_default() += u64::from(*count);
        }
    }
}

/// A line for each pair, with the record that it is from.
fn print(out: &mut impl io::Write, examined: &Examined) -> io::Result<()> {
    let Examined { row, url, record_id, images } = examined;
    for pair in &images.pairs {
        let mut line = serde_json::to_value(pair).expect("plain data with string keys");
        let place = [
            ("url", json!(url)),
            ("warc_path", json!(row.path)),
            ("offset", json!(row.offset_bytes)),
            ("length", json!(row.length_bytes)),
            ("record_id", json!(record_id)),
            ("payload_digest", json!(row.digest)),
        ];
        if let Value::Object(fields) = &mut line {
            fields.extend(place.map(|(name, value)| (name.to_owned(), value)));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use corpus::source::MemoryArchive;

    use super::*;
    use crate::data::{TermsFiles, VerifyArguments, check};

    #[test]
    fn pairs_are_written_and_checked_again() {
        let root = tempfile::tempdir().unwrap();
        let html = "<h1>Birds</h1><p>A <img src=kite.jpg alt='a red kite'> flies.<img src=x.svg alt=drawing>";
        let archive = |text: &str| MemoryArchive::of_pages("a", [("https://x.example/birds/", text)]);
        let place = root.path().join("a.warc.gz");
        std::fs::write(&place, archive(html).bytes()).unwrap();
        let out = root.path().join("pairs");
        let arguments = ImagesArguments {
            source: Named::Path(place.clone()),
            out: Some(out.clone()),
            heed_opt_out: false,
            threads: Some(2),
            json: false,
        };
        images(&arguments).unwrap();
        let again = images(&arguments);
        assert!(matches!(again, Err(DataError::NotEmpty { .. })));
        let verify = |source: Option<&PathBuf>| {
            let source = source.cloned().map(Named::Path);
            check(&VerifyArguments {
                path: out.clone(),
                source,
                files: TermsFiles::default(),
                sample: None,
                json: false,
            })
        };
        assert_eq!(verify(None).unwrap(), ExitCode::SUCCESS);
        assert_eq!(verify(Some(&place)).unwrap(), ExitCode::SUCCESS);
        std::fs::write(&place, archive(&html.replace("red", "tan")).bytes()).unwrap();
        assert!(
            matches!(verify(Some(&place)), Err(DataError::Source { .. })),
            "nothing follows of another source"
        );
        std::fs::write(out.join("more"), "x").unwrap();
        assert_eq!(verify(None).unwrap(), ExitCode::from(1));
    }
}
