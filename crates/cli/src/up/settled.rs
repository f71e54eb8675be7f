//! What `weigh up` is told by files and variables, where no flag says otherwise.

use std::path::PathBuf;

use super::{HouseFolder, UpArguments};
use crate::config::{Configuration, Key, NOBODY};

/// The seed of a subnet where nobody names one.
pub(crate) const SEED: u64 = 0;
/// Validators where nobody says how many.
pub(crate) const VALIDATORS: u16 = 3;
/// Honest miners where nobody says how many.
pub(crate) const MINERS: u16 = 5;
/// The website's port where nobody names one.
pub(crate) const PORT: u16 = 8420;

/// Where a subnet's state lies where nobody says where; none where there is no home.
pub(crate) fn state_folder() -> Option<PathBuf> {
    HouseFolder::of(None).ok().map(|folder| folder.path().to_owned())
}

impl UpArguments {
    /// Takes from the configuration what no flag says.
    pub(crate) fn settle(&mut self, configuration: &Configuration) {
        let is_said = [
            (Key::Seed, self.seed.is_some(), "seed"),
            (Key::Validators, self.validators.is_some(), "validators"),
            (Key::Miners, self.miners.is_some(), "miners"),
            (Key::Attacks, !self.attacks.is_empty(), "miners"),
        ];
        for (key, by_flag, what) in is_said {
            if let Some(found) = configuration.get(key).filter(|_| !by_flag) {
                self.origins.push((what, found.origin.clone()));
            }
        }
        self.seed = self.seed.or_else(|| configuration.whole(Key::Seed));
        self.validators = self.validators.or_else(|| configuration.whole(Key::Validators));
        self.miners = self.miners.or_else(|| configuration.whole(Key::Miners));
        self.block_time = self.block_time.or_else(|| configuration.whole(Key::BlockTimeMs));
        self.port = self.port.or_else(|| configuration.whole(Key::Port));
        self.source = self.source.take().or_else(|| configuration.path(Key::Source).map(Into::into));
        if let Some(names) = configuration.names(Key::Attacks).filter(|_| self.attacks.is_empty()) {
            self.attacks = if names.is_empty() { vec![NOBODY.to_owned()] } else { names.to_vec() };
        }
        // A counted run leaves nothing behind unless this very call says where: the configured place is the lasting one's.
        if self.epochs.is_none() {
            self.state = self.state.take().or_else(|| configuration.path(Key::State));
        }
    }

    /// A value that was asked for, with whoever asked for it beside the command line.
    pub(super) fn told(&self, what: &str, value: &str) -> String {
        let by = self.origins.iter().filter(|(of, _)| *of == what);
        let by: Vec<String> = by.map(|(_, origin)| origin.to_string()).collect();
        if by.is_empty() { value.to_owned() } else { format!("{value} as {} says", by.join(" and ")) }
    }
}
