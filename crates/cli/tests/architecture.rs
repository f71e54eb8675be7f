//! Keeps ARCHITECTURE.md, README.md and `.ci/run` true.
//!
//! The checker works on plain data, read from the page (`Page`) and from `cargo metadata` (`CrateImports`), so that
//! the tests at the end can show on made-up pages that it fails when it should.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand, Package, camino::Utf8PathBuf};
use walkdir::WalkDir;

/// Names that say what kind of code something holds and not what it is about.
const VAGUE_NAMES: [&str; 11] = [
    "common",
    "error",
    "errors",
    "helper",
    "helpers",
    "misc",
    "traits",
    "types",
    "util",
    "utilities",
    "utils",
];

/// The table's word for a crate that may import all others.
const EVERYTHING: &str = "everything";

/// One row of the table `| crate | answers for | may import |`.
#[derive(Debug)]
struct Row {
    name: String,
    may_import: BTreeSet<String>,
    /// The row as it stands on the page, for messages.
    line: String,
}

impl Row {
    fn allows(&self, import: &str) -> bool {
        self.may_import.contains(import) || self.may_import.contains(EVERYTHING)
    }
}

/// What ARCHITECTURE.md says: a row per crate, and the layer that the picture puts it in.
#[derive(Debug)]
struct Page {
    rows: Vec<Row>,
    layers: BTreeMap<String, u8>,
}

impl Page {
    /// Reads the table, and the picture in the fence marked `layers`. A line of the picture has a layer's number,
    /// its crates separated by ` · `, and a description, each set off by two spaces or more.
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { rows: parse_table(text)?, layers: parse_picture(text)? })
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

fn parse_table(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = text.lines().skip_while(|line| *line != "| crate | answers for | may import |").skip(1);
    if lines.next() != Some("|---|---|---|") {
        return Err("the table `| crate | answers for | may import |` is missing".into());
    }
    lines.take_while(|line| line.starts_with('|')).map(parse_row).collect()
}

fn parse_row(line: &str) -> Result<Row, String> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    // A row starts and ends with a bar, hence an empty text before the first cell and one after the last.
    let ["", name, answers_for, may_import, ""] = cells[..] else {
        return Err(format!("row has {} cells, expected 3: {line}", cells.len().saturating_sub(2)));
    };
    let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    let name = name.ok_or_else(|| format!("row does not start with a crate in backticks: {line}"))?;
    if answers_for.is_empty() {
        return Err(format!("row does not say what `{name}` answers for: {line}"));
    }
    let may_import = may_import.split(',').map(str::trim).filter(|import| !import.is_empty());
    Ok(Row { name: name.into(), may_import: may_import.map(Into::into).collect(), line: line.into() })
}

fn parse_picture(text: &str) -> Result<BTreeMap<String, u8>, String> {
    let mut lines = text.lines().skip_while(|line| *line != "```layers");
    if lines.next().is_none() {
        return Err("the picture, a fence marked `layers`, is missing".into());
    }
    let mut layers = BTreeMap::new();
    for line in lines.take_while(|line| *line != "```") {
        let columns: Vec<&str> =
            line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let [number, crates, _description] = columns[..] else {
            return Err(format!("line of the picture has {} columns, expected 3: {line}", columns.len()));
        };
        let layer: u8 = number.parse().map_err(|_| format!("layer {number:?} is not a number: {line}"))?;
        for name in crates.split(" · ") {
            if layers.insert(name.to_string(), layer).is_some() {
                return Err(format!("`{name}` stands twice in the picture: {line}"));
            }
        }
    }
    Ok(layers)
}

/// A workspace crate and the workspace crates that its manifest names, each with the kind of dependency.
#[derive(Debug)]
struct CrateImports {
    name: String,
    imports: Vec<(String, &'static str)>,
}

/// All that is wrong between the page and the crates, one sentence each; empty when they agree.
fn violations(page: &Page, crates: &[CrateImports]) -> Vec<String> {
    let mut found = Vec::new();
    let existing: BTreeSet<&str> = crates.iter().map(|one| one.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    for row in &page.rows {
        let Row { name, line, .. } = row;
        if !seen.insert(name) {
            found.push(format!("`{name}` has two rows in ARCHITECTURE.md; the second is:\n    {line}"));
        }
        if !existing.contains(name.as_str()) {
            found.push(format!("ARCHITECTURE.md has a row for `{name}`, which is no crate:\n    {line}"));
        }
        for import in row.may_import.iter().filter(|import| *import != EVERYTHING) {
            if !existing.contains(import.as_str()) {
                found.push(format!("`{name}` may import `{import}`, which is no crate:\n    {line}"));
            }
        }
    }
    for name in page.layers.keys().filter(|name| !existing.contains(name.as_str())) {
        found.push(format!("the picture shows `{name}`, which is no crate"));
    }
    for one in crates {
        found.extend(violations_of(page, one));
    }
    found
}

fn violations_of(page: &Page, one: &CrateImports) -> Vec<String> {
    let mut found = Vec::new();
    let name = &one.name;
    if VAGUE_NAMES.contains(&name.as_str()) {
        found.push(format!("crate `{name}` is named for a kind of code, not for what it is about"));
    }
    let layer = page.layers.get(name);
    if layer.is_none() {
        found.push(format!("crate `{name}` is missing in the picture of ARCHITECTURE.md"));
    }
    let Some(row) = page.row(name) else {
        found.push(format!("crate `{name}` has no row in the table of ARCHITECTURE.md"));
        return found;
    };
    for (import, kind) in &one.imports {
        if !row.allows(import) {
            let line = &row.line;
            found.push(format!(
                "`{name}` must not import `{import}` ({kind} dependency); its row:\n    {line}"
            ));
        }
        if let (Some(own), Some(theirs)) = (layer, page.layers.get(import))
            && own <= theirs
        {
            found.push(format!(
                "`{name}` in layer {own} must not import `{import}` in layer {theirs} ({kind} dependency): \
                 imports point downwards; its row:\n    {}",
                row.line
            ));
        }
    }
    found
}

/// Those of the Rust files whose own name, or that of a folder on their way, is vague.
fn vague_files<'a>(files: &[&'a Path]) -> Vec<&'a Path> {
    let is_vague = |file: &Path| {
        file.with_extension("").iter().any(|part| VAGUE_NAMES.iter().any(|vague| part == *vague))
    };
    files.iter().copied().filter(|file| is_vague(file)).collect()
}

/// The command lines of the first `sh` fence after this heading.
fn commands_under<'a>(heading: &str, text: &'a str) -> Vec<&'a str> {
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    section.skip_while(|line| *line != "```sh").skip(1).take_while(|line| *line != "```").collect()
}

/// The last line of a script that does something.
fn last_command(script: &str) -> Option<&str> {
    script.lines().rfind(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// The workspace's root, asked for when the test runs: a shared build folder may hold a test that another clone built.
fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").expect("cargo test and cargo nextest set CARGO_MANIFEST_DIR");
    Path::new(&own).ancestors().nth(2).expect("this crate lies two folders below the root").to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The workspace's manifests as `cargo metadata` reads them: optional and platform-specific dependencies included.
fn workspace_crates() -> Vec<CrateImports> {
    // `MetadataCommand` runs the cargo that the variable CARGO names; without resolving, no network is needed.
    let manifest = root().join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .expect("the manifests parse: cargo built this test from them");
    let packages = metadata.workspace_packages();
    let folders: BTreeMap<_, _> =
        packages.iter().map(|package| (folder(package), package.name.to_string())).collect();
    let imports = |package: &Package| {
        let dependencies = package.dependencies.iter();
        dependencies
            .filter_map(|one| Some((folders.get(one.path.as_ref()?)?.clone(), kind_name(one.kind))))
            .collect()
    };
    packages
        .iter()
        .map(|package| CrateImports { name: package.name.to_string(), imports: imports(package) })
        .collect()
}

fn folder(package: &Package) -> Utf8PathBuf {
    package.manifest_path.parent().expect("a manifest lies in a folder").to_path_buf()
}

fn kind_name(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Development => "dev",
        DependencyKind::Build => "build",
        _ => "normal",
    }
}

#[test]
fn crates_import_only_what_architecture_md_allows() {
    let page = Page::parse(&read("ARCHITECTURE.md")).unwrap();
    let crates = workspace_crates();
    let imports: usize = crates.iter().map(|one| one.imports.len()).sum();
    assert!(imports >= crates.len() - 1, "{} crates with only {imports} imports: not read", crates.len());
    let found = violations(&page, &crates);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_module_is_named_for_its_kind() {
    let root = root();
    let entries = WalkDir::new(root.join("crates")).sort_by_file_name().into_iter();
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| path.strip_prefix(&root).unwrap().to_path_buf())
        .collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    assert!(files.contains(&Path::new("crates/cli/src/main.rs")), "the walk missed the crates: {files:?}");
    let vague = vague_files(&files);
    assert!(vague.is_empty(), "named for a kind of code, not for what it is about: {vague:?}");
}

#[test]
fn ci_runs_the_readme_command() {
    let readme = read("README.md");
    let commands = commands_under("## Test it", &readme);
    let [command] = commands[..] else { panic!("README.md has {commands:?} under its test heading") };
    assert_eq!(last_command(&read(".ci/run")), Some(command), "the last line of .ci/run");
}

/// What the checker says of a made-up page and made-up crates: each expected part is in a message of its own.
#[track_caller]
fn check(table: &str, picture: &str, crates: &[(&str, &[&str])], expect: &[&str]) {
    let header = "| crate | answers for | may import |\n|---|---|---|";
    let page = Page::parse(&format!("# A page\n```layers\n{picture}\n```\ntext\n\n{header}\n{table}\n\nend"));
    let crates: Vec<CrateImports> = crates
        .iter()
        .map(|(name, imports)| CrateImports {
            name: (*name).into(),
            imports: imports.iter().map(|import| ((*import).into(), "dev")).collect(),
        })
        .collect();
    let found = violations(&page.expect("the made-up page is well-formed"), &crates);
    assert_eq!(found.len(), expect.len(), "{found:#?}");
    for (message, part) in found.iter().zip(expect) {
        assert!(message.contains(part), "{message:?} does not contain {part:?}");
    }
}

const TABLE: &str =
    "| `low` | x | |\n| `mid` | x | low |\n| `side` | x | low, mid |\n| `top` | x | everything |";
const PICTURE: &str = "2   top          a\n1   mid · side   b\n0   low          c";
const CRATES: [(&str, &[&str]); 4] =
    [("low", &[]), ("mid", &["low"]), ("side", &["low"]), ("top", &["low", "mid", "side"])];

fn crates_with(name: &str, imports: &'static [&'static str]) -> Vec<(&'static str, &'static [&'static str])> {
    CRATES.iter().map(|one| if one.0 == name { (one.0, imports) } else { *one }).collect()
}

#[test]
fn an_agreeing_page_has_no_violations() {
    check(TABLE, PICTURE, &CRATES, &[]);
}

#[test]
fn a_forbidden_import_is_named_with_its_row() {
    let row = "`mid` must not import `top` (dev dependency); its row:\n    | `mid` | x | low |";
    check(TABLE, PICTURE, &crates_with("mid", &["top"]), &[row, "`mid` in layer 1"]);
}

#[test]
fn an_import_within_a_layer_is_refused_even_where_the_row_allows_it() {
    let message = "`side` in layer 1 must not import `mid` in layer 1 (dev dependency)";
    check(TABLE, PICTURE, &crates_with("side", &["mid"]), &[message]);
}

#[test]
fn everything_does_not_include_what_lies_above() {
    let table = TABLE.replace("| low |", "| everything |");
    check(&table, PICTURE, &crates_with("mid", &["low", "top"]), &["`mid` in layer 1"]);
}

#[test]
fn a_crate_without_row_or_layer_is_found() {
    let mut crates = CRATES.to_vec();
    crates.push(("new", &["low"]));
    check(TABLE, PICTURE, &crates, &["`new` is missing in the picture", "`new` has no row"]);
}

#[test]
fn a_row_or_layer_without_crate_is_found() {
    let gone = ["a row for `side`", "the picture shows `side`"];
    let crates: Vec<_> = crates_with("top", &[]).into_iter().filter(|one| one.0 != "side").collect();
    check(TABLE, PICTURE, &crates, &gone);
    let misspelt = TABLE.replace("| low, mid |", "| lou |");
    let expect = ["`side` may import `lou`, which is no crate", "`side` must not import `low`"];
    check(&misspelt, PICTURE, &CRATES, &expect);
    let twice = format!("{TABLE}\n| `low` | again | |");
    check(&twice, PICTURE, &CRATES, &["`low` has two rows"]);
}

#[test]
fn a_crate_named_for_its_kind_is_found() {
    let rename = |text: &str| text.replace("side", "util");
    let crates = [("low", &[][..]), ("mid", &[]), ("util", &[]), ("top", &[])];
    check(&rename(TABLE), &rename(PICTURE), &crates, &["crate `util` is named for a kind of code"]);
}

#[test]
fn a_module_named_for_its_kind_is_found() {
    let good = Path::new("crates/a/src/commons/typesetting.rs");
    let bad =
        ["crates/a/src/errors.rs", "crates/a/tests/common/mod.rs", "crates/a/src/utils/x.rs"].map(Path::new);
    assert_eq!(vague_files(&[bad[0], good, bad[1], bad[2]]), bad);
}

#[test]
fn a_damaged_page_is_refused_with_what_is_wrong() {
    let check = |page: &str, expect: &str| {
        let error = Page::parse(page).unwrap_err();
        assert!(error.contains(expect), "{error:?} does not contain {expect:?}");
    };
    let table = "| crate | answers for | may import |\n|---|---|---|\n";
    check("", "the table");
    check(&format!("{table}| `a` | x |"), "row has 2 cells");
    check(&format!("{table}| a | x | |"), "crate in backticks");
    check(&format!("{table}| `a` | | |"), "what `a` answers for");
    check(table, "the picture");
    check(&format!("```layers\n0   a\n```\n{table}"), "2 columns");
    check(&format!("```layers\nzero   a   x\n```\n{table}"), "\"zero\" is not a number");
    check(&format!("```layers\n1   a   x\n0   a   x\n```\n{table}"), "`a` stands twice");
}

#[test]
fn the_command_is_read_from_its_own_section() {
    let readme = "## Try\n```sh\na\n```\n## Test it\n\n```sh\nb\n```\n\n```sh\nc\n```\n## End\n";
    assert_eq!(commands_under("## Test it", readme), ["b"]);
    assert_eq!(commands_under("## Gone", readme), [""; 0]);
    assert_eq!(last_command("a\nb\n\n# c\n"), Some("b"));
}
