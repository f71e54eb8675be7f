//! The dataset's card: metadata that the Hub reads, and text that people do.

use std::fmt::Write as _;

use super::{About, DATA, Described, HubManifest, LEDGER};
use crate::language;

/// The card as Markdown behind a YAML head.
///
/// Source of the head's keys: the Hub's documentation of dataset cards and of `configs`.
pub(super) fn card(about: &About, manifest: &HubManifest) -> String {
    let mut text = String::new();
    write_card(&mut text, about, manifest).expect("a string takes any text");
    text
}

fn write_card(to: &mut String, about: &About, manifest: &HubManifest) -> std::fmt::Result {
    let About { name, license, source } = about;
    writeln!(to, "---\npretty_name: {}\nlicense: {license}", yaml(name))?;
    let known = manifest.languages.keys().filter(|code| *code != language::UNDETERMINED);
    let codes: Vec<String> = known.map(|code| format!("- {}", yaml(code))).collect();
    if !codes.is_empty() {
        writeln!(to, "language:\n{}", codes.join("\n"))?;
    }
    writeln!(to, "task_categories:\n- text-generation")?;
    writeln!(to, "size_categories:\n- {}", size_category(manifest.documents))?;
    writeln!(to, "configs:")?;
    writeln!(to, "- config_name: default\n  default: true")?;
    writeln!(to, "  data_files:\n  - split: train\n    path: data/train-*.parquet")?;
    writeln!(to, "- config_name: ledger")?;
    writeln!(to, "  data_files:\n  - split: train\n    path: ledger/ledger-*.parquet")?;
    writeln!(to, "---\n\n# {name}\n")?;
    let recipes: Vec<String> = {
        let mut names: Vec<String> =
            manifest.shards.iter().map(|shard| shard.manifest.recipe.to_string()).collect();
        names.sort();
        names.dedup();
        names
    };
    writeln!(
        to,
        "{} documents with {} tokens (`{}`), out of {} records of {}; {} by recipe {}.\n",
        manifest.documents,
        manifest.tokens,
        manifest.tokenizer,
        manifest.records,
        one_line(source),
        if manifest.shards.len() == 1 {
            "one shard".to_owned()
        } else {
            format!("{} shards", manifest.shards.len())
        },
        recipes.join(", "),
    )?;
    writeln!(to, "```python\nfrom datasets import load_dataset\n")?;
    writeln!(to, "documents = load_dataset(\"path/to/{name}\", split=\"train\")")?;
    writeln!(to, "decisions = load_dataset(\"path/to/{name}\", \"ledger\", split=\"train\")\n```\n")?;
    writeln!(to, "## Every record is accounted for\n")?;
    writeln!(
        to,
        "The ledger has a row for each record of the source, kept or not; the rows of an archive tile it byte for \
         byte. `manifest.json` names each file by its SHA-256 and each shard by its Merkle root, over which {} is the \
         root of all. Whoever has the source can make the same bytes again, or check a shard with \
         `weigh data verify`.\n",
        manifest.root
    )?;
    writeln!(to, "| decision | records |\n|---|--:|")?;
    for (decision, count) in &manifest.decisions {
        writeln!(to, "| {decision} | {count} |")?;
    }
    writeln!(to, "\n| language | documents |\n|---|--:|")?;
    for (code, count) in &manifest.languages {
        writeln!(to, "| {code} | {count} |")?;
    }
    fields(to, "Documents", &DATA)?;
    fields(to, "Ledger", &LEDGER)?;
    writeln!(to, "\n## Rights\n")?;
    writeln!(
        to,
        "The licence above is that of the collection. Each text stays its author's; its address, where there is one, \
         stands beside it."
    )
}

fn fields(to: &mut String, title: &str, columns: &[Described]) -> std::fmt::Result {
    writeln!(to, "\n## {title}\n\n| field | meaning |\n|---|---|")?;
    columns.iter().try_for_each(|field| writeln!(to, "| `{}` | {} |", field.column.0, field.meaning))
}

/// The Hub's words for numbers of rows.
fn size_category(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        10_000_000..100_000_000 => "10M<n<100M",
        100_000_000..1_000_000_000 => "100M<n<1B",
        1_000_000_000..10_000_000_000 => "1B<n<10B",
        10_000_000_000..100_000_000_000 => "10B<n<100B",
        100_000_000_000..1_000_000_000_000 => "100B<n<1T",
        _ => "n>1T",
    }
}

/// A string of YAML. `no`, Norwegian's code, would be a Boolean without the marks.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
