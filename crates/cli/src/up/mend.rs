//! What mends an error about a house, told so that it works as it stands: with the house's folder, where that was named,
//! and with the disk's state, where it is full.

use std::{
    error::Error,
    fmt::{self, Debug, Display, Formatter},
    path::{Path, PathBuf},
};

use miette::Diagnostic;

/// With less room than this nothing goes on: a round of the smallest subnet takes more.
const ROOM_MIN_BYTES: u64 = 4 << 20;
/// Commands that take `--state`, as helps name them.
const COMMANDS: [&str; 5] = ["up", "down", "status", "reset", "leaderboard"];

/// An error about the house in a folder.
pub(crate) struct AtHouse<E> {
    error: E,
    /// Where `--state` named it.
    named: Option<PathBuf>,
    /// The folder and the bytes left on its disk, where these are too few.
    full: Option<(PathBuf, u64)>,
}

impl<E> AtHouse<E> {
    /// `named` is what `--state` said, `folder` where the house lies.
    pub(crate) fn new(error: E, named: Option<&Path>, folder: Option<&Path>) -> Self {
        let full = folder.and_then(|folder| {
            let left = room_bytes(folder).filter(|left| *left < ROOM_MIN_BYTES)?;
            Some((folder.to_owned(), left))
        });
        Self { error, named: named.map(Path::to_owned), full }
    }

    /// What happened.
    pub(crate) fn error(&self) -> &E {
        &self.error
    }
}

impl<E: Display> Display for AtHouse<E> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.error, out)
    }
}

impl<E: Debug> Debug for AtHouse<E> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.error, out)
    }
}

impl<E: Error> Error for AtHouse<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl<E: Diagnostic> Diagnostic for AtHouse<E> {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        if let Some((folder, left)) = &self.full {
            return Some(Box::new(format!(
                "the disk of {} has {left} bytes left: free some of it and start again with `{}`; what was \
                 acknowledged is kept",
                folder.display(),
                self.command("up"),
            )));
        }
        let help = self.error.help()?.to_string();
        let named = COMMANDS.iter().fold(help, |help, command| {
            help.replace(&format!("`weigh {command}`"), &format!("`{}`", self.command(command)))
        });
        Some(Box::new(named))
    }
}

impl<E> AtHouse<E> {
    fn command(&self, command: &str) -> String {
        match &self.named {
            Some(folder) => format!("weigh {command} --state {}", quoted(folder)),
            None => format!("weigh {command}"),
        }
    }
}

/// A path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+@:,=".contains(char);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// Bytes that may still be written on the disk of a folder, or of the nearest one above that exists.
#[cfg(unix)]
fn room_bytes(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|path| path.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn room_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error, Diagnostic)]
    #[error("broken")]
    #[diagnostic(help("look with `weigh status`, begin anew with `weigh reset`"))]
    struct Broken;

    #[test]
    fn a_help_names_the_folder_that_was_named() {
        let help = |named: Option<&str>| {
            AtHouse::new(Broken, named.map(Path::new), None).help().map(|help| help.to_string()).unwrap()
        };
        assert_eq!(help(None), "look with `weigh status`, begin anew with `weigh reset`");
        assert_eq!(
            help(Some("it's here")),
            r"look with `weigh status --state 'it'\''s here'`, begin anew with `weigh reset --state 'it'\''s here'`"
        );
        assert!(help(Some("/a/b-1")).contains("`weigh reset --state /a/b-1`"));
    }

    #[cfg(unix)]
    #[test]
    fn the_room_on_a_disk_is_known_also_for_a_folder_that_is_not_there_yet() {
        let folder = std::env::temp_dir().join("not there").join("nor there");
        assert!(room_bytes(&folder).is_some());
    }
}
