//! A configuration file: TOML in which every key is known and every fault has a line and a column.

use std::{
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::Path,
};

use toml::de::{DeTable, DeValue};

use super::{
    ConfigError, Found, Origin,
    setting::{Key, SETTINGS, Setting},
};
use crate::nearest;

/// The longest file that is read: a configuration is a page of text.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Reads a file; none where it does not exist, or out of sight of this user.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<(Key, Found)>>, ConfigError> {
    let unread = |error| ConfigError::File { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_out_of_sight(path) => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let mut text = String::new();
    file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() as u64 > FILE_MAX_BYTES {
        return Err(ConfigError::TooLong { path: path.to_owned(), max: FILE_MAX_BYTES });
    }
    parse(path, &text).map(Some)
}

/// Whether a file lies where this user may not even look: who runs as somebody else often keeps the home of whoever called,
/// and a file there is not theirs. One that can be seen and not read is an error.
fn is_out_of_sight(path: &Path) -> bool {
    path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The settings of a text that stands in `path`.
fn parse(path: &Path, text: &str) -> Result<Vec<(Key, Found)>, ConfigError> {
    let place = |span: &Range<usize>| {
        let (line, column) = position(text, span.start);
        format!("{}, line {line}, column {column}", path.display())
    };
    let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: place(&error.span().unwrap_or_default()),
        reason: error.message().to_owned(),
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for (table, inner) in document.get_ref() {
        let tables = SETTINGS.iter().map(|setting| setting.table);
        if !tables.clone().any(|known| known == table.get_ref()) {
            return Err(unknown(place(&table.span()), "table", table.get_ref(), tables));
        }
        let DeValue::Table(entries) = inner.get_ref() else {
            return Err(ConfigError::Value {
                place: place(&inner.span()),
                name: table.get_ref().to_string(),
                found: shown(&text[inner.span()]),
                expected: "a table".to_owned(),
            });
        };
        for (name, value) in entries {
            let of_table = SETTINGS.iter().filter(|setting| setting.table == table.get_ref());
            let setting = of_table.clone().find(|setting| setting.name == name.get_ref());
            let Some(setting) = setting else {
                let names = of_table.map(|setting: &Setting| setting.name);
                return Err(unknown(place(&name.span()), "key", name.get_ref(), names));
            };
            let read = setting.kind.of_toml(value.get_ref(), folder).ok_or_else(|| ConfigError::Value {
                place: place(&value.span()),
                name: setting.full_name(),
                found: shown(&text[value.span()]),
                expected: setting.kind.expected(),
            })?;
            let (line, _) = position(text, name.span().start);
            found
                .push((setting.key, Found { value: read, origin: Origin::File { path: path.into(), line } }));
        }
    }
    Ok(found)
}

/// What stands in a file, as a message shows it: its first line.
fn shown(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first}…") } else { first.to_owned() }
}

fn unknown<'a>(
    place: String,
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> ConfigError {
    let asked = nearest::asked(name, known);
    let help = format!("{asked}`weigh config show --help` lists all");
    ConfigError::Unknown { place, what, name: name.to_owned(), help }
}

/// Line and column of a byte, both from 1, the column in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_file_names_its_place() {
        let check = |text: &str, says: &str| {
            let error = parse(Path::new("dir/weigh.toml"), text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        check("[up]\nprot = 1", "dir/weigh.toml, line 2, column 1: unknown key \"prot\"");
        check(
            "[up]\nseed = 1\n  port = 70000",
            "line 3, column 10: up.port is 70000, expected a whole number from",
        );
        check("[up]\nport = \"80\"", "line 2, column 8: up.port is \"80\"");
        check("[up]\nminers = -1", "up.miners is -1, expected a whole number from 1");
        check(
            "[up]\nattacks = [\n 'bribery']",
            "line 2, column 11: up.attacks is […, expected a list of names out of",
        );
        check("[up]\nstate = '~/house'", "up.state is '~/house', expected a path, in a file without ~");
        check("[up]\nstate = ''", "up.state is ''");
        check("[out]\n", "line 1, column 2: unknown table \"out\"");
        check("up = 3", "line 1, column 6: up is 3, expected a table");
        check("[output]\ncolor = 'green'", "output.color is 'green', expected one of auto, always, never");
        check("[output]\nprogress = 1", "expected true or false");
        check("[up]\nseed = 1\nseed = 2", "line 3, column 1");
        check("[up\n", "line 1, column 4");
    }

    #[test]
    fn paths_are_taken_from_the_files_folder() {
        let found = parse(Path::new("dir/weigh.toml"), "[up]\nstate = 'house'\nsource = '/texts'").unwrap();
        let paths: Vec<String> = found.iter().map(|(_, found)| found.value.to_string()).collect();
        assert!(paths.contains(&"dir/house".to_owned()) && paths.contains(&"/texts".to_owned()), "{paths:?}");
    }
}
