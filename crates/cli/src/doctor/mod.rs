//! `weigh doctor`: whatever a local subnet needs, looked at one by one, with what mends it.
//!
//! Nothing is changed: the chain's log is read in a copy, and what a running house holds stays with it. Each check says
//! what was found; this module only puts them in order and tells them.

mod machine;

use std::{io, process::ExitCode};

use clap::Args;
use comfy_table::Cell;
use miette::Diagnostic;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    config::{ConfigError, Configuration, environment::Environment},
    mend::Whereabouts,
    show::{self, Show},
    up::{self, HouseArguments},
};

#[derive(Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    house: HouseArguments,
}

/// The checks could not be told.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum DoctorError {
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// `weigh up` can't work like that.
    Failed,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    /// What somebody can do about it.
    mend: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), mend: None }
    }

    pub(crate) fn warning(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, found: found.into(), mend: Some(mend.into()) }
    }

    pub(crate) fn failed(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Failed, found: found.into(), mend: Some(mend.into()) }
    }

    /// A check that ended in an error, told with its causes and its own help.
    pub(crate) fn of_error(name: &'static str, error: &(dyn Diagnostic + 'static)) -> Self {
        let mut found = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !found.contains(&text) {
                found.push_str(&format!(": {text}"));
            }
            cause = error.source();
        }
        let mend = error.help().map(|help| help.to_string());
        Self { name, verdict: Verdict::Failed, found, mend }
    }

    fn as_json(&self) -> Value {
        json!({"check": self.name, "verdict": self.verdict.name(), "found": self.found, "mend": self.mend})
    }
}

/// Looks at everything and says what was found; the exit code is 1 where something failed.
pub(crate) fn run(
    mut arguments: DoctorArguments,
    loaded: Result<Configuration, ConfigError>,
    variables: &Environment,
    place: &Whereabouts,
) -> Result<ExitCode, DoctorError> {
    let mut checks = vec![configured(&loaded)];
    // With a configuration that can't be read, the rest is looked at as if there were none.
    let configuration = loaded.unwrap_or_default();
    arguments.house.settle(&configuration);
    let up::Checkup { checks: of_house, validators } = up::checkup(&arguments.house, &configuration);
    checks.extend(of_house);
    checks.push(machine::source(&configuration));
    checks.extend(machine::wallets(variables));
    checks.push(machine::cores(validators));
    checks.push(machine::memory(validators));
    for check in &mut checks {
        check.mend = check.mend.as_deref().map(|mend| place.in_commands(mend));
    }
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    let mut table = show::table(&["check", "", "found"]);
    for check in &checks {
        let mend = check.mend.as_ref().map_or_else(String::new, |mend| format!("\n{mend}"));
        let found = show::plain_lines(&check.found);
        table.add_row(vec![
            Cell::new(check.name),
            Cell::new(check.verdict.name()),
            Cell::new(format!("{found}{mend}")),
        ]);
    }
    let told: Vec<Value> = checks.iter().map(Check::as_json).collect();
    let event = json!({"verdict": worst.name(), "checks": told});
    Show::new(arguments.house.is_json()).say(&event, &table.to_string())?;
    Ok(ExitCode::from(u8::from(worst == Verdict::Failed)))
}

fn configured(loaded: &Result<Configuration, ConfigError>) -> Check {
    let name = "configuration";
    match loaded {
        Err(error) => Check::of_error(name, error),
        Ok(configuration) if configuration.files().is_empty() => Check::ok(name, "no file: all is built in"),
        Ok(configuration) => {
            let files: Vec<String> =
                configuration.files().iter().map(|path| path.display().to_string()).collect();
            Check::ok(name, format!("valid: {}", files.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Error, Diagnostic)]
    #[error("the door is shut")]
    #[diagnostic(help("knock"))]
    struct Shut(#[source] io::Error);

    #[test]
    fn an_error_is_told_with_its_cause_and_its_own_help() {
        let check = Check::of_error("door", &Shut(io::Error::other("the key is lost")));
        assert_eq!(check, Check::failed("door", "the door is shut: the key is lost", "knock"));
    }
}
