//! The commands that a message names, as they have to be typed for the subnet that was meant.
//!
//! `weigh reset` alone would remove another subnet than the one that `--state` named.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, parser::ValueSource};

/// Commands that speak of the local subnet.
const OF_A_HOUSE: [&str; 8] = ["up", "down", "status", "reset", "leaderboard", "explain", "queue", "doctor"];

/// With less room than this nothing goes on: a round of the smallest subnet takes more.
const ROOM_MIN_BYTES: u64 = 4 << 20;

/// Where the command line said that the subnet lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    /// As arguments, each with a space before it.
    arguments: String,
}

impl Whereabouts {
    /// What was said at the innermost command.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let mut matches = matches;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
        }
        let mut arguments = String::new();
        for name in ["config", "state"] {
            // Not every command knows both.
            let value = matches.try_get_one::<PathBuf>(name).ok().flatten();
            let said = value.filter(|_| matches.value_source(name) == Some(ValueSource::CommandLine));
            if let Some(path) = said {
                arguments.push_str(&format!(" --{name} {}", quoted_path(path)));
            }
        }
        Self { arguments }
    }

    /// A text whose commands, between backticks, speak of that subnet.
    pub(crate) fn in_commands(&self, text: &str) -> String {
        let parts = text.split('`').enumerate().map(|(at, part)| {
            let name = part.strip_prefix("weigh ").and_then(|words| words.split(' ').next());
            let is_ours = at % 2 == 1 && name.is_some_and(|name| OF_A_HOUSE.contains(&name));
            if is_ours && !part.contains("--state") {
                format!("{part}{}", self.arguments)
            } else {
                part.to_owned()
            }
        });
        parts.collect::<Vec<_>>().join("`")
    }
}

/// Bytes left on the disk of a folder, where they are too few for anything to go on.
pub(crate) fn room_where_full(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|path| path.exists())?;
    free_bytes(there).filter(|left| *left < ROOM_MIN_BYTES)
}

/// Bytes that may still be written on the disk of a folder that is there; none where the system doesn't say.
#[cfg(unix)]
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
pub(crate) fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A path as a shell takes it.
pub(crate) fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_house_name_its_place_and_others_stay() {
        let place = Whereabouts { arguments: " --state 'my house'".to_owned() };
        let check = |text: &str, says: &str| assert_eq!(place.in_commands(text), says);
        check("begin anew with `weigh reset`", "begin anew with `weigh reset --state 'my house'`");
        check("`weigh wallet list` or `kill -9 1`", "`weigh wallet list` or `kill -9 1`");
        check("weigh reset is no command here", "weigh reset is no command here");
        check("name a folder: `weigh up --state DIR`", "name a folder: `weigh up --state DIR`");
        assert_eq!(Whereabouts::default().in_commands("`weigh reset`"), "`weigh reset`");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
