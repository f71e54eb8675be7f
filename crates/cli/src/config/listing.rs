//! `weigh config show`: every setting with its value, and who said so.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    ConfigError, Configuration,
    setting::{Key, SETTINGS, Setting, Value},
};
use crate::{
    show::{self, Show},
    source, up,
};

/// `weigh config …`.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting with its value.
    #[command(after_help = settings_help())]
    Show(ShowArguments),
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    /// Say of each setting where its value comes from.
    #[arg(long)]
    origin: bool,
    /// One JSON document on standard output, with origins.
    #[arg(long)]
    json: bool,
}

/// All settings with their variables and what they may be.
fn settings_help() -> String {
    let mut text = "\
Flags stand over variables, variables over ./weigh.toml, and that over weighhouse/weigh.toml in $XDG_CONFIG_HOME or \
~/.config. Paths in a file are taken from its folder. A file looks like this:

  [up]
  port = 8500
  attacks = [\"made-up\", \"silent\"]

  [output]
  progress = false

Settings, their variables and what they may be:
"
    .to_owned();
    for setting in &SETTINGS {
        let Setting { variable, kind, about, .. } = setting;
        let name = setting.full_name();
        text.push_str(&format!("\n  {name}, {variable}\n      {about}: {}", kind.expected()));
    }
    text
}

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand, configuration: &Configuration) -> Result<ExitCode, ConfigError> {
    let ConfigCommand::Show(arguments) = command;
    let headings: &[&str] =
        if arguments.origin { &["setting", "value", "from"] } else { &["setting", "value"] };
    let mut table = show::table(headings);
    let mut told = Vec::new();
    for setting in &SETTINGS {
        let found = configuration.get(setting.key);
        let value = found.map(|found| found.value.clone()).or_else(|| built_in(setting.key));
        let origin = found.map(|found| &found.origin);
        let shown = value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
        let mut row = vec![setting.full_name(), shown];
        if arguments.origin {
            row.push(origin.map_or_else(|| "built-in".to_owned(), ToString::to_string));
        }
        table.add_row(row);
        told.push(json!({
            "name": setting.full_name(),
            "value": value.map(|value| value.as_json()),
            "origin": origin.map_or_else(|| json!({"from": "built-in"}), |origin| origin.as_json()),
        }));
    }
    let event = json!({"settings": told, "files": configuration.files()});
    Show::new(arguments.json).say(&event, &table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// What a setting is where nobody said anything; none where it depends on variables that are not set.
fn built_in(key: Key) -> Option<Value> {
    match key {
        Key::Source => source::registry().map(Value::Path),
        Key::Seed => Some(Value::Whole(up::SEED)),
        Key::Validators => Some(Value::Whole(up::VALIDATORS.into())),
        Key::Miners => Some(Value::Whole(up::MINERS.into())),
        Key::Attacks => Some(Value::Names(up::ATTACKS.map(str::to_owned).to_vec())),
        Key::BlockTimeMs => Some(Value::Whole(up::BLOCK_TIME.0.unsigned_abs())),
        Key::Port => Some(Value::Whole(up::PORT.into())),
        Key::State => up::state_folder().map(Value::Path),
        Key::Color => Some(Value::Choice(super::Color::default().name())),
        Key::Progress => Some(Value::Switch(true)),
    }
}
