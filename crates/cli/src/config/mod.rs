//! What `weigh` is told beside its command: flags, then variables, then `./weigh.toml`, then the user's file, then what is
//! built in.
//!
//! Every setting stands in one table ([`setting::SETTINGS`]), from which names, variables, bounds and faults follow. A
//! value remembers where it comes from. Secrets are no settings. Nothing is created or written here.

pub(crate) mod environment;
mod file;
mod listing;
mod setting;

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use miette::Diagnostic;
use serde_json::{Value as Json, json};
use thiserror::Error;

use environment::Environment;
pub(crate) use listing::{ConfigCommand, run};
use setting::SETTINGS;
pub(crate) use setting::{Key, NOBODY, Value};

/// The file that is looked for in the working folder, and below the user's folder for configurations.
const FILE: &str = "weigh.toml";
/// The program's folder in the user's folder for configurations.
const USER_FOLDER: &str = "weighhouse";

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Everywhere {
    /// Read this file in place of ./weigh.toml.
    #[arg(long, global = true, env = environment::CONFIG, hide_env_values = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Colours in errors and help.
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    color: Option<Color>,
    /// No progress bars.
    #[arg(long, global = true)]
    no_progress: bool,
    /// Only results and errors: no progress bars, no remarks, no warnings.
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl Everywhere {
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    // Doc comments here would make every command's help a page longer. `Auto` is where a terminal shows them and NO_COLOR
    // is not set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    const fn name(self) -> &'static str {
        match self {
            Color::Auto => "auto",
            Color::Always => "always",
            Color::Never => "never",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|color| color.name() == name)
    }

    /// What help and errors of usage look like: they are printed before the arguments are known.
    pub(crate) fn before_parsing(arguments: impl Iterator<Item = String>, variables: &Environment) -> Self {
        let mut arguments = arguments.peekable();
        let mut color = variables.get("WEIGH_COLOR").and_then(|name| Self::named(name.to_str()?));
        while let Some(argument) = arguments.next() {
            let value = match argument.strip_prefix("--color") {
                Some("") => arguments.peek().map(String::as_str),
                Some(rest) => rest.strip_prefix('='),
                None if argument == "--" => break,
                None => None,
            };
            color = value.and_then(Self::named).or(color);
        }
        color.unwrap_or_default()
    }

    pub(crate) const fn choice(self) -> clap::ColorChoice {
        match self {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }
}

/// What was said is wrong.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ConfigError {
    /// A file can't be read.
    #[error("configuration {path} can't be read")]
    #[diagnostic(help("name another file: `--config FILE`"))]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// A file is too long.
    #[error("configuration {path} is longer than {max} bytes")]
    #[diagnostic(help("name another file: `--config FILE`"))]
    TooLong { path: PathBuf, max: u64 },
    /// A file is no TOML.
    #[error("{place}: {reason}")]
    #[diagnostic(help("`weigh config show --help` shows what a file looks like"))]
    Syntax { place: String, reason: String },
    /// There is no such setting.
    #[error("{place}: unknown {what} {name:?}")]
    Unknown {
        place: String,
        what: &'static str,
        name: String,
        #[help]
        help: String,
    },
    /// A setting can't be that.
    #[error("{place}: {name} is {found}, expected {expected}")]
    #[diagnostic(help("`weigh config show --help` lists all settings"))]
    Value { place: String, name: String, found: String, expected: String },
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl ConfigError {
    /// 2 for what is configured, 1 where nobody reads.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            ConfigError::Output(_) => 1,
            _ => 2,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File { path: PathBuf, line: usize },
}

impl Origin {
    fn as_json(&self) -> Json {
        match self {
            Origin::Flag(name) => json!({"from": "flag", "name": name}),
            Origin::Variable(name) => json!({"from": "variable", "name": name}),
            Origin::File { path, line } => json!({"from": "file", "path": path, "line": line}),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) | Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// All that was said, the strongest word for each setting. What nobody said is not in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    found: BTreeMap<Key, Found>,
    /// Files that were read, the weakest first.
    files: Vec<PathBuf>,
}

impl Configuration {
    /// Reads files and variables and puts the flags over them.
    pub(crate) fn load(flags: &Everywhere, variables: &Environment) -> Result<Self, ConfigError> {
        let mut all = Self::default();
        if let Some(home) = variables.config_home() {
            all.read(&home.join(USER_FOLDER).join(FILE))?;
        }
        match &flags.config {
            None => {
                all.read(&Path::new(".").join(FILE))?;
            }
            Some(path) if all.read(path)? => {}
            Some(path) => {
                let error = io::ErrorKind::NotFound.into();
                return Err(ConfigError::File { path: path.clone(), error });
            }
        }
        all.variables(variables)?;
        all.flags(flags);
        Ok(all)
    }

    /// Takes what a file says; false where there is none.
    fn read(&mut self, path: &Path) -> Result<bool, ConfigError> {
        let Some(found) = file::read(path)? else { return Ok(false) };
        self.found.extend(found);
        self.files.push(path.to_owned());
        Ok(true)
    }

    fn variables(&mut self, variables: &Environment) -> Result<(), ConfigError> {
        variables.check(SETTINGS.iter().map(|setting| setting.variable))?;
        if variables.get(environment::NO_COLOR).is_some() {
            let value = Value::Choice(Color::Never.name());
            self.found.insert(Key::Color, Found { value, origin: Origin::Variable(environment::NO_COLOR) });
        }
        for setting in &SETTINGS {
            let Some(text) = variables.get(setting.variable) else { continue };
            let value = setting.kind.of_text(text).ok_or_else(|| ConfigError::Value {
                place: "environment".to_owned(),
                name: setting.variable.to_owned(),
                found: format!("{text:?}"),
                expected: setting.kind.expected(),
            })?;
            self.found.insert(setting.key, Found { value, origin: Origin::Variable(setting.variable) });
        }
        Ok(())
    }

    fn flags(&mut self, flags: &Everywhere) {
        if let Some(color) = flags.color {
            let (value, origin) = (Value::Choice(color.name()), Origin::Flag("--color"));
            self.found.insert(Key::Color, Found { value, origin });
        }
        for (is_given, name) in [(flags.quiet, "--quiet"), (flags.no_progress, "--no-progress")] {
            if is_given {
                let found = Found { value: Value::Switch(false), origin: Origin::Flag(name) };
                self.found.insert(Key::Progress, found);
            }
        }
    }

    /// Files that were read, the weakest first.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What was said of a setting.
    pub(crate) fn get(&self, key: Key) -> Option<&Found> {
        self.found.get(&key)
    }

    pub(crate) fn path(&self, key: Key) -> Option<PathBuf> {
        match &self.get(key)?.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    pub(crate) fn whole<T: TryFrom<u64>>(&self, key: Key) -> Option<T> {
        match &self.get(key)?.value {
            Value::Whole(whole) => T::try_from(*whole).ok(),
            _ => None,
        }
    }

    pub(crate) fn names(&self, key: Key) -> Option<&[String]> {
        match &self.get(key)?.value {
            Value::Names(names) => Some(names),
            _ => None,
        }
    }

    pub(crate) fn color(&self) -> Color {
        match self.get(Key::Color) {
            Some(Found { value: Value::Choice(name), .. }) => Color::named(name).unwrap_or_default(),
            _ => Color::default(),
        }
    }

    pub(crate) fn shows_progress(&self) -> bool {
        !matches!(self.get(Key::Progress), Some(Found { value: Value::Switch(false), .. }))
    }
}
