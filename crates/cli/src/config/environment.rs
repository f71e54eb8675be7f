//! All environment variables that `weigh` reads. Secrets have none here: the wallet asks for its own, as btcli does.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use super::ConfigError;
use crate::nearest;

/// The file that is read in place of `./weigh.toml`.
pub(crate) const CONFIG: &str = "WEIGH_CONFIG";
/// The folder of wallets.
pub(crate) const WALLET_PATH: &str = "WEIGH_WALLET_PATH";
/// A wallet's name.
pub(crate) const WALLET: &str = "WEIGH_WALLET";
/// A hotkey's name.
pub(crate) const HOTKEY: &str = "WEIGH_HOTKEY";
/// A chain's name or address.
pub(crate) const NETWORK: &str = "WEIGH_NETWORK";
/// The file with a fastText model of languages.
pub(crate) const LID: &str = "WEIGH_LID";
/// Where crawls are fetched from instead of Common Crawl's own host: a mirror's address.
pub(crate) const CRAWL_HOST: &str = "WEIGH_CRAWL_HOST";
/// Where it is set, there are no colours unless somebody asks for them: <https://no-color.org>.
pub(crate) const NO_COLOR: &str = "NO_COLOR";
/// What all variables of `weigh up` begin with; a name below it that is no setting is a slip. Other names that begin with
/// `WEIGH_` belong to whoever tests or builds this program.
const UP: &str = "WEIGH_UP_";

const HOME: &str = "HOME";
const CARGO_HOME: &str = "CARGO_HOME";
const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";

/// Variables as they are when somebody looks; an empty one counts as not set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// This process's.
    pub(crate) fn of_process() -> Self {
        Self::of(std::env::vars_os())
    }

    pub(crate) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    fn folder(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    fn below_home(&self, inner: &str) -> Option<PathBuf> {
        Some(self.folder(HOME)?.join(inner))
    }

    /// Where programs keep their state.
    pub(crate) fn state_home(&self) -> Option<PathBuf> {
        self.folder(XDG_STATE_HOME).or_else(|| self.below_home(".local/state"))
    }

    /// Where programs look for what their user configured.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        self.folder(XDG_CONFIG_HOME).or_else(|| self.below_home(".config"))
    }

    /// Where programs keep what they can fetch again.
    pub(crate) fn cache_home(&self) -> Option<PathBuf> {
        self.folder(XDG_CACHE_HOME).or_else(|| self.below_home(".cache"))
    }

    /// Where cargo keeps its registry.
    pub(crate) fn cargo_home(&self) -> Option<PathBuf> {
        self.folder(CARGO_HOME).or_else(|| self.below_home(".cargo"))
    }

    /// Refuses a variable that looks as if it set something, and sets nothing.
    pub(crate) fn check<'a>(&self, known: impl Iterator<Item = &'a str> + Clone) -> Result<(), ConfigError> {
        for name in self.0.keys().filter_map(|name| name.to_str()).filter(|name| name.starts_with(UP)) {
            if !known.clone().any(|known| known == name) {
                let help =
                    format!("{}`weigh config show --help` lists all", nearest::asked(name, known.clone()));
                return Err(ConfigError::Unknown {
                    place: "environment".to_owned(),
                    what: "variable",
                    name: name.to_owned(),
                    help,
                });
            }
        }
        Ok(())
    }
}
