//! The settings: their names, what they may be, and how a text becomes their value.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
};

use mechanisms::{ErasedMechanism as _, dataset::Dataset};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::{source::Named, up};

/// What a list of attacks says where nobody attacks.
pub(crate) const NOBODY: &str = "none";

/// Which setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Source,
    Seed,
    Validators,
    Miners,
    Attacks,
    BlockTimeMs,
    Port,
    State,
    Color,
    Progress,
}

/// One line of a configuration.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: Key,
    /// The table of the file that it stands in.
    pub(crate) table: &'static str,
    /// Its name in that table.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) variable: &'static str,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
}

/// All settings, table by table.
pub(crate) const SETTINGS: [Setting; 10] = [
    Setting {
        key: Key::Source,
        table: "up",
        name: "source",
        variable: "WEIGH_UP_SOURCE",
        kind: Kind::Source,
        about: "a folder of HTML, Markdown and text, or a web archive or its address",
    },
    Setting {
        key: Key::Seed,
        table: "up",
        name: "seed",
        variable: "WEIGH_UP_SEED",
        kind: Kind::Whole { min: 0, max: u64::MAX },
        about: "keys and tasks follow from it",
    },
    Setting {
        key: Key::Validators,
        table: "up",
        name: "validators",
        variable: "WEIGH_UP_VALIDATORS",
        kind: Kind::Whole { min: 1, max: up::VALIDATORS_MAX.unsigned_abs() },
        about: "validators",
    },
    Setting {
        key: Key::Miners,
        table: "up",
        name: "miners",
        variable: "WEIGH_UP_MINERS",
        kind: Kind::Whole { min: 1, max: up::MINERS_MAX.unsigned_abs() },
        about: "honest miners",
    },
    Setting {
        key: Key::Attacks,
        table: "up",
        name: "attacks",
        variable: "WEIGH_UP_ATTACKS",
        kind: Kind::Attacks,
        about: "attackers, one of each name; in a variable separated by commas, where `none` means nobody",
    },
    Setting {
        key: Key::BlockTimeMs,
        table: "up",
        name: "block_time_ms",
        variable: "WEIGH_UP_BLOCK_TIME_MS",
        kind: Kind::Whole { min: 1, max: up::BLOCK_TIME_MAX_MS.unsigned_abs() },
        about: "the least time between two blocks; a run with --epochs waits less where nothing is said",
    },
    Setting {
        key: Key::Port,
        table: "up",
        name: "port",
        variable: "WEIGH_UP_PORT",
        kind: Kind::Whole { min: 0, max: u16::MAX as u64 },
        about: "the website's port; 0 takes any that is free",
    },
    Setting {
        key: Key::State,
        table: "up",
        name: "state",
        variable: "WEIGH_UP_STATE",
        kind: Kind::Path,
        about: "where the subnet's state lies; a run with --epochs uses it only where --state names it",
    },
    Setting {
        key: Key::Color,
        table: "output",
        name: "color",
        variable: "WEIGH_COLOR",
        kind: Kind::Choice(&["auto", "always", "never"]),
        about: "colours in errors",
    },
    Setting {
        key: Key::Progress,
        table: "output",
        name: "progress",
        variable: "WEIGH_PROGRESS",
        kind: Kind::Switch,
        about: "progress bars, where standard error is a terminal",
    },
];

impl Setting {
    /// As it is named where tables don't show: `up.port`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }
}

/// What a setting may be.
#[derive(Debug)]
pub(crate) enum Kind {
    Path,
    /// A path, or an address.
    Source,
    Whole {
        min: u64,
        max: u64,
    },
    /// Names of attacks of the mechanism that the local subnet runs.
    Attacks,
    Choice(&'static [&'static str]),
    Switch,
}

impl Kind {
    /// What would be accepted.
    pub(crate) fn expected(&self) -> String {
        match self {
            Kind::Path => "a path, in a file without ~".to_owned(),
            Kind::Source => "a path, in a file without ~, or an address".to_owned(),
            Kind::Whole { min, max: u64::MAX } => format!("a whole number from {min}"),
            Kind::Whole { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Attacks => {
                let known: Vec<&str> = Dataset.attacks().iter().map(|attack| attack.id()).collect();
                format!("a list of names out of {}", known.join(", "))
            }
            Kind::Choice(names) => format!("one of {}", names.join(", ")),
            Kind::Switch => "true or false".to_owned(),
        }
    }

    /// The value of a variable or argument; none for one that is not accepted.
    pub(crate) fn of_text(&self, text: &OsStr) -> Option<Value> {
        if let Kind::Path | Kind::Source = self {
            return Some(Value::Path(text.into()));
        }
        let text = text.to_str()?;
        match self {
            Kind::Path | Kind::Source => None,
            Kind::Whole { min, max } => {
                let whole = text.parse().ok().filter(|whole| (min..=max).contains(&whole));
                whole.map(Value::Whole)
            }
            Kind::Attacks if text == NOBODY => Some(Value::Names(Vec::new())),
            Kind::Attacks => attacks(text.split(',').map(str::trim)),
            Kind::Choice(names) => names.iter().copied().find(|name| *name == text).map(Value::Choice),
            Kind::Switch => text.parse().ok().map(Value::Switch),
        }
    }

    /// The value of an entry in a file; paths are taken from the file's folder. None for one that is not accepted.
    pub(crate) fn of_toml(&self, value: &DeValue<'_>, folder: &Path) -> Option<Value> {
        match (self, value) {
            (Kind::Source, DeValue::String(text)) if Named::from(PathBuf::from(&**text)).is_url() => {
                Some(Value::Path(PathBuf::from(&**text)))
            }
            // A shell makes a home of `~`; here it would be a folder of that name.
            (Kind::Path | Kind::Source, DeValue::String(text))
                if text.is_empty() || text.starts_with('~') =>
            {
                None
            }
            (Kind::Path | Kind::Source, DeValue::String(text)) => Some(Value::Path(folder.join(&**text))),
            (Kind::Whole { min, max }, DeValue::Integer(whole)) => {
                let whole = u64::from_str_radix(whole.as_str(), whole.radix()).ok();
                whole.filter(|whole| (min..=max).contains(&whole)).map(Value::Whole)
            }
            (Kind::Attacks, DeValue::Array(names)) => {
                let names: Option<Vec<&str>> = names.iter().map(|name| name.get_ref().as_str()).collect();
                attacks(names?.into_iter())
            }
            (Kind::Choice(_), DeValue::String(text)) => self.of_text(OsStr::new(&**text)),
            (Kind::Switch, DeValue::Boolean(is_on)) => Some(Value::Switch(*is_on)),
            _ => None,
        }
    }
}

fn attacks<'a>(names: impl Iterator<Item = &'a str>) -> Option<Value> {
    let known = Dataset.attacks();
    let known = |name: &&str| known.iter().any(|attack| attack.id() == *name);
    let names = names.map(|name| Some(name).filter(known).map(str::to_owned));
    names.collect::<Option<Vec<_>>>().map(Value::Names)
}

/// What a setting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Path(PathBuf),
    Whole(u64),
    Names(Vec<String>),
    Choice(&'static str),
    Switch(bool),
}

impl Value {
    pub(crate) fn as_json(&self) -> Json {
        match self {
            Value::Path(path) => json!(path),
            Value::Whole(whole) => json!(whole),
            Value::Names(names) => json!(names),
            Value::Choice(name) => json!(name),
            Value::Switch(is_on) => json!(is_on),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Path(path) => path.display().fmt(f),
            Value::Whole(whole) => whole.fmt(f),
            Value::Names(names) if names.is_empty() => f.write_str(NOBODY),
            Value::Names(names) => names.join(", ").fmt(f),
            Value::Choice(name) => name.fmt(f),
            Value::Switch(is_on) => is_on.fmt(f),
        }
    }
}
